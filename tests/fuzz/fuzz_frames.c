/* fuzz_frames.c: frames between roles, as deliver and qmgr read them from a socket.
 *
 * The input's first byte chooses the reader (deliver, qmgr's announcements, qmgr's tools)
 * and whether the rest is a raw stream or a list of payloads (type, size, bytes) that get
 * right frame headers, so that the parsers behind the framing are reached as well. */
#include "config.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deliver/deliver_priv.h"
#include "qmgr/test_rig.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

enum {
    IS_QMGR = 1,
    IS_FRAMED = 2,
    IS_PUBLIC = 4,
    MAX_STREAM = 1 << 13,  /* fits into a socket's buffer */
    INPUTS_PER_QUEUE = 500 /* then a new queue: what was admitted stays */
};

static HkLoop *loop; /* deliver's */
static Rig *rig;

/* ---- the stream ---- */

static GByteArray *
framed (const uint8_t *data, size_t size)
{
    GByteArray *out = g_byte_array_new ();
    for (size_t at = 0; at + 2 <= size;) {
        uint8_t length = (uint8_t) MIN (data[at + 1], size - at - 2), type = data[at];
        uint16_t total = (uint16_t) (length + 2);
        uint8_t head[6] = {(uint8_t) total, (uint8_t) (total >> 8), 0, 0, type, 0};
        g_byte_array_append (out, head, sizeof head);
        g_byte_array_append (out, data + at + 2, length);
        at += 2u + length;
    }
    return out;
}

/* Write the input and say that it is all; what the reader answers goes unread. */
static void
write_input (int fd, bool is_framed, const uint8_t *data, size_t size)
{
    g_autoptr (GByteArray) stream = is_framed ? framed (data, size) : g_byte_array_new ();
    if (!is_framed)
        g_byte_array_append (stream, data, (guint) size);
    g_assert (write (fd, stream->data, stream->len) == (ssize_t) stream->len);
    shutdown (fd, SHUT_WR);
}

static void
make_pair (int pair[2])
{
    g_assert (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
}

/* ---- deliver ---- */

/* The first letter of a recipient says what becomes of it. */
static HkAnswer
start (void *instance, HkCall *call)
{
    HkSpan forward[] = {HK_SPAN ("a@x"), HK_SPAN ("b@x")};
    HkSpan address, content;
    (void) instance;
    call->ops->content_map (call, &content);
    for (size_t i = 0; i < content.size; i++)
        g_assert (content.data[i] != 0);
    for (size_t i = 0; i < call->ops->n_recipients (call); i++) {
        HkResult r = {.size = sizeof r, .dsn = HK_SPAN ("2.0.0"), .text = HK_SPAN ("fine")};
        if (call->ops->recipient_prop (call, i, HK_PROP_RECIPIENT, &address) != HK_FOUND)
            address = HK_SPAN_NONE;
        r.status = address.size > 0 ? address.data[0] % 6 : HK_STATUS_SENT;
        r.text = address;
        if (r.status == HK_STATUS_FORWARDED) {
            r.forward = forward;
            r.n_forward = G_N_ELEMENTS (forward);
        }
        call->ops->result (call, i, &r);
    }
    call->ops->complete (call);
    return HK_OK;
}

/* One content, key 1, goes ahead: a descriptor cannot be made of bytes. */
static void
hand_content (int fd)
{
    static const uint8_t payload[] = {1};
    int file = memfd_create ("fuzz", MFD_CLOEXEC);
    HkChannel *channel;
    static const HkChannelFns fns = {NULL, NULL};
    g_assert (write (file, "....content....", 15) == 15);
    channel = hk_channel_new (loop, dup (fd), &fns, NULL);
    hk_channel_send (channel, HK_FRAME_CONTENT, hk_span (payload, sizeof payload), file);
    hk_channel_close (channel);
    close (file);
}

static void
on_ended (void *data)
{
    (void) data;
}

static void
feed_deliver (uint8_t how, const uint8_t *data, size_t size)
{
    static const HkTransportClass class = {.base = {.size = sizeof class}, .start = start};
    HkDeliver d = {.loop = loop, .ended = on_ended, .forward_timeout_us = 1};
    int pair[2];
    d.transport =
        (HkDeliverTransport){.class = &class, .service = "t", .agent = "t", .limit = 7};
    make_pair (pair);
    hk_deliver_start (&d);
    hk_deliver_add_peer (&d, pair[0]);
    hand_content (pair[1]);
    write_input (pair[1], how & IS_FRAMED, data, size);
    for (int n = 0; n < 1000 && (d.peers->len > 0 || d.n_jobs > 0); n++)
        hk_loop_turn (loop, false);
    g_assert (d.peers->len == 0 && d.n_jobs == 0);
    hk_deliver_stop (&d);
    close (pair[1]);
}

/* ---- qmgr ---- */

static void
on_frame (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data)
{
    Server *self = data;
    (void) channel;
    g_assert (fd < 0);
    if (self->is_public)
        hk_tools_frame (self, type, payload);
    else
        hk_announce_frame (self, type, payload);
}

static void
on_closed (HkChannel *channel, void *data)
{
    (void) channel;
    hk_server_close (data);
}

/* Nobody takes jobs: what is admitted is deferred. */
static void
new_queue (void)
{
    if (rig != NULL)
        rig_free (rig);
    rig = rig_new ("");
    g_autofree char *path = g_build_filename (rig->dir, "queue", "private", "smtp", NULL);
    g_assert (unlink (path) == 0);
}

static void
feed_qmgr (uint8_t how, const uint8_t *data, size_t size)
{
    static const HkChannelFns fns = {on_frame, on_closed};
    static unsigned n_inputs;
    int pair[2];
    if (n_inputs++ % INPUTS_PER_QUEUE == 0)
        new_queue ();
    make_pair (pair);
    Server *self = g_new0 (Server, 1);
    self->q = rig->q;
    self->is_public = (how & IS_PUBLIC) != 0;
    self->is_privileged = true;
    self->channel = hk_channel_new (rig->loop, pair[0], &fns, self);
    g_ptr_array_add (rig->q->servers, self);
    write_input (pair[1], how & IS_FRAMED, data, size);
    for (int n = 0; n < 1000 && rig->q->servers->len > 0; n++)
        hk_loop_turn (rig->loop, false);
    g_assert (rig->q->servers->len == 0);
    close (pair[1]);
}

/* ---- */

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size < 2 || size > MAX_STREAM)
        return 0;
    if (loop == NULL) {
        loop = hk_loop_new (NULL);
        hk_log_open (HK_LOG_TO_FILE, open ("/dev/null", O_WRONLY | O_CLOEXEC), "fuzz", "t");
    }
    if (data[0] & IS_QMGR)
        feed_qmgr (data[0], data + 1, size - 1);
    else
        feed_deliver (data[0], data + 1, size - 1);
    return 0;
}
