/* channel.c: framed messages over a Unix stream socket, gathered until the turn's end. */
#include "config.h"

#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HEADER = 6, MAX_FDS = 16, READ_SIZE = 64 * 1024 };

/* A descriptor that rides on the frame which begins at byte `at` of the stream. */
typedef struct {
    uint64_t at;
    int fd;
} Rider;

struct HkChannel {
    HkLoop *loop;
    HkFdWatch watch;
    HkTurnHook hook;
    HkChannelFns fns;
    void *data;
    GByteArray *out;      /* gathered; out_at bytes of it are sent */
    size_t out_at;
    uint64_t out_stream;  /* stream position of out->data[0] */
    GQueue riders;        /* Rider *, in stream order */
    guint frame_start;    /* of the frame being built */
    GByteArray *in;
    int in_fds[MAX_FDS];  /* received, not yet claimed, oldest first */
    unsigned n_in_fds;
    bool is_closed, is_in_callback, has_failed;
};

static void channel_failed (HkChannel *self);

static void
put_header (uint8_t *p, size_t payload, uint16_t type)
{
    uint32_t n = (uint32_t) payload + 2;
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t) (n >> 8 * i);
    p[4] = (uint8_t) type;
    p[5] = (uint8_t) (type >> 8);
}

static uint32_t
get_u32 (const uint8_t *p)
{
    return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

/* The high bit of the type tells that a descriptor rides on the frame. */
enum { WITH_FD = 0x8000 };

static void
free_rider (Rider *rider)
{
    close (rider->fd);
    g_free (rider);
}

/* One sendmsg, at most up to the next rider, which must stand alone at its frame's begin. */
static ssize_t
send_some (HkChannel *self)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE (sizeof (int))];
    } control;
    struct iovec iov = { self->out->data + self->out_at, self->out->len - self->out_at };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    Rider *rider = g_queue_peek_head (&self->riders);
    uint64_t position = self->out_stream + self->out_at;
    bool has_fd = rider != NULL && rider->at == position;
    if (has_fd) {
        memset (&control, 0, sizeof control);
        msg.msg_control = &control;
        msg.msg_controllen = sizeof control.space;
        struct cmsghdr *c = CMSG_FIRSTHDR (&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN (sizeof (int));
        memcpy (CMSG_DATA (c), &rider->fd, sizeof (int));
        GList *next = self->riders.head->next;
        rider = next != NULL ? next->data : NULL;
    }
    if (rider != NULL && rider->at - position < iov.iov_len)
        iov.iov_len = (size_t) (rider->at - position);
    ssize_t n = sendmsg (self->watch.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0 && has_fd)
        free_rider (g_queue_pop_head (&self->riders));
    return n;
}

void
hk_channel_flush (HkChannel *self)
{
    while (!self->has_failed && self->out_at < self->out->len) {
        ssize_t n = send_some (self);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n <= 0) {
            channel_failed (self);
            return;
        }
        self->out_at += (size_t) n;
    }
    if (self->out_at == self->out->len) {
        self->out_stream += self->out->len;
        self->out_at = 0;
        g_byte_array_set_size (self->out, 0);
    }
    hk_fd_watch_events (&self->watch, HK_LOOP_READ | (self->out->len > 0 ? HK_LOOP_WRITE : 0));
}

static void
flush_hook (void *data)
{
    hk_channel_flush (data);
}

GByteArray *
hk_channel_begin (HkChannel *self, uint16_t type)
{
    uint8_t header[HEADER];
    put_header (header, 0, type);
    self->frame_start = self->out->len;
    g_byte_array_append (self->out, header, HEADER);
    return self->out;
}

void
hk_channel_end (HkChannel *self)
{
    uint8_t *p = self->out->data + self->frame_start;
    uint16_t type = (uint16_t) (p[4] | p[5] << 8);
    size_t payload = self->out->len - self->frame_start - HEADER;
    if (payload + 2 > HK_FRAME_MAX)
        g_error ("frame of type %u is too long: %zu bytes", type, payload);
    put_header (p, payload, type);
    hk_loop_at_turn_end (self->loop, &self->hook);
}

void
hk_channel_send (HkChannel *self, uint16_t type, HkSpan payload, int fd)
{
    if (fd >= 0) {
        Rider *rider = g_new (Rider, 1);
        *rider = (Rider) { self->out_stream + self->out->len, fcntl (fd, F_DUPFD_CLOEXEC, 0) };
        g_queue_push_tail (&self->riders, rider);
        type |= WITH_FD;
    }
    GByteArray *out = hk_channel_begin (self, type);
    if (payload.size > 0)
        g_byte_array_append (out, payload.data, (guint) payload.size);
    hk_channel_end (self);
}

size_t
hk_channel_backlog (const HkChannel *self)
{
    return self->out->len - self->out_at;
}

void *
hk_channel_data (HkChannel *self)
{
    return self->data;
}

/* ---- receiving ---- */

static int
claim_fd (HkChannel *self)
{
    if (self->n_in_fds == 0)
        return -1;
    int fd = self->in_fds[0];
    self->n_in_fds--;
    memmove (self->in_fds, self->in_fds + 1, self->n_in_fds * sizeof self->in_fds[0]);
    return fd;
}

static bool
keep_fds (HkChannel *self, struct msghdr *msg)
{
    bool ok = !(msg->msg_flags & MSG_CTRUNC);
    for (struct cmsghdr *c = CMSG_FIRSTHDR (msg); c != NULL; c = CMSG_NXTHDR (msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN (0)) / sizeof (int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy (&fd, CMSG_DATA (c) + i * sizeof (int), sizeof fd);
            if (self->n_in_fds < MAX_FDS) {
                self->in_fds[self->n_in_fds++] = fd;
            } else {
                close (fd);
                ok = false;
            }
        }
    }
    return ok;
}

/* Bytes are appended to `in`; 1 more may be there, 0 nothing now, -1 ended. */
static int
receive_some (HkChannel *self)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE (MAX_FDS * sizeof (int))];
    } control;
    guint had = self->in->len;
    g_byte_array_set_size (self->in, had + READ_SIZE);
    struct iovec iov = { self->in->data + had, READ_SIZE };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                          .msg_controllen = sizeof control.space };
    ssize_t n = recvmsg (self->watch.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int e = errno;
    g_byte_array_set_size (self->in, had + (guint) MAX (n, 0));
    if (n > 0)
        return keep_fds (self, &msg) ? n == READ_SIZE : -1;
    return n < 0 && (e == EAGAIN || e == EWOULDBLOCK || e == EINTR) ? 0 : -1;
}

/* Hand out the whole frames of `in`.  False: broken stream. */
static bool
deliver_frames (HkChannel *self)
{
    size_t at = 0;
    bool ok = true;
    while (!self->is_closed && self->in->len - at >= HEADER) {
        const uint8_t *p = self->in->data + at;
        uint32_t n = get_u32 (p);
        if (n < 2 || n > HK_FRAME_MAX) {
            ok = false;
            break;
        }
        if (self->in->len - at < (size_t) n + 4)
            break;
        uint16_t type = (uint16_t) (p[4] | p[5] << 8);
        int fd = type & WITH_FD ? claim_fd (self) : -1;
        if (type & WITH_FD && fd < 0) {
            ok = false;
            break;
        }
        at += (size_t) n + 4;
        self->fns.frame (self, type & (uint16_t) ~WITH_FD, hk_span (p + HEADER, n - 2), fd,
                         self->data);
    }
    if (at > 0)
        g_byte_array_remove_range (self->in, 0, (guint) at);
    return ok;
}

static void
free_channel (HkChannel *self)
{
    for (unsigned i = 0; i < self->n_in_fds; i++)
        close (self->in_fds[i]);
    while (!g_queue_is_empty (&self->riders))
        free_rider (g_queue_pop_head (&self->riders));
    g_byte_array_unref (self->in);
    g_byte_array_unref (self->out);
    g_free (self);
}

static void
tell_closed (void *data)
{
    HkChannel *self = data;
    if (!self->is_closed)
        self->fns.closed (self, self->data);
}

/* `closed` is called at the turn's end, so that a sender is never surprised inside a send. */
static void
channel_failed (HkChannel *self)
{
    if (self->has_failed)
        return;
    self->has_failed = true;
    hk_fd_watch_events (&self->watch, 0);
    hk_loop_cancel_turn_end (self->loop, &self->hook);
    self->hook.fn = tell_closed;
    hk_loop_at_turn_end (self->loop, &self->hook);
}

static void
on_ready (HkFdWatch *watch, unsigned events)
{
    HkChannel *self = watch->data;
    bool ok = true;
    if (self->has_failed)
        return;
    self->is_in_callback = true;
    if (events & HK_LOOP_READ) {
        int more;
        do {
            more = receive_some (self);
            ok = deliver_frames (self);
        } while (ok && more > 0 && !self->is_closed);
        ok = ok && more >= 0;
    }
    self->is_in_callback = false;
    if (self->is_closed) {
        free_channel (self);
        return;
    }
    if (!ok)
        channel_failed (self);
    else if (events & HK_LOOP_WRITE)
        hk_channel_flush (self);
}

HkChannel *
hk_channel_new (HkLoop *loop, int fd, const HkChannelFns *fns, void *data)
{
    HkChannel *self = g_new0 (HkChannel, 1);
    g_autoptr (GError) error = NULL;
    self->loop = loop;
    self->fns = *fns;
    self->data = data;
    self->hook = (HkTurnHook) { .fn = flush_hook, .data = self };
    self->out = g_byte_array_new ();
    self->in = g_byte_array_new ();
    g_queue_init (&self->riders);
    fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) | O_NONBLOCK);
    if (!hk_loop_attach (loop, &self->watch, fd, HK_LOOP_READ, on_ready, self, &error)) {
        self->watch.fd = fd;
        channel_failed (self);
    }
    return self;
}

void
hk_channel_close (HkChannel *self)
{
    if (self == NULL)
        return;
    if (!self->has_failed && self->out_at < self->out->len)
        hk_channel_flush (self);
    hk_loop_cancel_turn_end (self->loop, &self->hook);
    hk_fd_watch_detach (&self->watch);
    close (self->watch.fd);
    self->has_failed = self->is_closed = true;
    if (!self->is_in_callback)
        free_channel (self);
}
