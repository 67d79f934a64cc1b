/* transport_smtp_connection.c: sockets to servers: connecting, reading, writing, waiting
 * idle.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_smtp_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ENCODE_SIZE = 64 * 1024, READ_SIZE = 8192, SWEEP_US = 500000 };

int64_t
transport_smtp_now_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
free_connection (SmtpConnection *self)
{
    transport_smtp_reply_clear (&self->reply);
    g_string_free (self->out, TRUE);
    g_free (self->site);
    g_free (self->name);
    g_free (self->relay);
    g_free (self->host);
    g_free (self);
}

/* ---- deadlines: one timer that is only moved when it would be late */

static void
on_timer (void *data)
{
    SmtpConnection *self = data;
    int64_t now = transport_smtp_now_us ();
    self->timer = NULL;
    if (self->state == SMTP_IDLE)
        return;
    if (now >= self->deadline_us) {
        self->is_busy = true;
        transport_smtp_dialogue_lost (self, true);
        self->is_busy = false;
        if (self->is_dead)
            free_connection (self);
        return;
    }
    self->timer_due_us = self->deadline_us;
    self->timer = self->smtp->host->timer_start (self->smtp->host, self->deadline_us - now,
                                                 on_timer, self);
}

void
transport_smtp_connection_deadline (SmtpConnection *self, int64_t seconds)
{
    const HkHost *host = self->smtp->host;
    int64_t now = transport_smtp_now_us ();
    self->deadline_us = now + MAX (seconds, 1) * 1000000;
    if (self->timer != NULL && self->timer_due_us <= self->deadline_us)
        return;
    if (self->timer != NULL)
        host->timer_end (self->timer);
    self->timer_due_us = self->deadline_us;
    self->timer = host->timer_start (host, self->deadline_us - now, on_timer, self);
}

/* ---- the end */

void
transport_smtp_connection_close (SmtpConnection *self)
{
    const HkHost *host = self->smtp->host;
    if (self->timer != NULL)
        host->timer_end (self->timer);
    if (self->watch != NULL)
        host->watch_end (self->watch);
    if (self->fd >= 0)
        close (self->fd);
    self->timer = NULL;
    self->watch = NULL;
    self->fd = -1;
    self->is_dead = true;
    if (!self->is_busy)
        free_connection (self);
}

void
transport_smtp_connection_quit (SmtpConnection *self)
{
    /* What does not fit into the socket's buffer is not worth waiting for. */
    if (self->fd >= 0 && self->out_at == self->out->len && self->body.size == 0) {
        ssize_t n = send (self->fd, "QUIT\r\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void) n;
    }
    transport_smtp_connection_close (self);
}

/* ---- waiting for more mail */

static void
drop_idle (SmtpConnection *self)
{
    GQueue *queue = g_hash_table_lookup (self->smtp->idle, self->site);
    g_queue_remove (queue, self);
    self->smtp->n_idle--;
    if (queue->length == 0)
        g_hash_table_remove (self->smtp->idle, self->site);
}

SmtpConnection *
transport_smtp_connection_take (SmtpInstance *smtp, const char *site)
{
    GQueue *queue = g_hash_table_lookup (smtp->idle, site);
    if (queue == NULL)
        return NULL;
    SmtpConnection *self = g_queue_peek_head (queue);
    drop_idle (self);
    return self;
}

static void
close_idle_before (SmtpInstance *smtp, int64_t before_us)
{
    GHashTableIter iter;
    gpointer queue;
    g_autoptr (GPtrArray) old = g_ptr_array_new ();
    g_hash_table_iter_init (&iter, smtp->idle);
    while (g_hash_table_iter_next (&iter, NULL, &queue))
        for (GList *l = ((GQueue *) queue)->head; l != NULL; l = l->next)
            if (((SmtpConnection *) l->data)->idle_since_us <= before_us)
                g_ptr_array_add (old, l->data);
    for (guint i = 0; i < old->len; i++) {
        drop_idle (old->pdata[i]);
        transport_smtp_connection_quit (old->pdata[i]);
    }
}

static void
on_sweep (void *data)
{
    SmtpInstance *smtp = data;
    smtp->sweep = NULL;
    close_idle_before (smtp, transport_smtp_now_us () - smtp->conf.idle_s * 1000000);
    if (smtp->n_idle > 0)
        smtp->sweep = smtp->host->timer_start (smtp->host, SWEEP_US, on_sweep, smtp);
}

void
transport_smtp_connection_close_idle (SmtpInstance *smtp)
{
    close_idle_before (smtp, INT64_MAX);
    if (smtp->sweep != NULL)
        smtp->host->timer_end (smtp->sweep);
    smtp->sweep = NULL;
}

static bool
may_wait (const SmtpConnection *self, int64_t now)
{
    const SmtpConf *conf = &self->smtp->conf;
    if (self->smtp->is_quiet || self->must_close || self->site == NULL || conf->idle_s == 0)
        return false;
    if (!conf->use_cache &&
        !g_strv_contains ((const char *const *) conf->cache_sites, self->site))
        return false;
    return now - self->born_us < conf->reuse_s * 1000000 &&
           (conf->reuse_count == 0 || self->n_uses < conf->reuse_count) &&
           self->reply.line->len == 0 && self->out_at == self->out->len;
}

void
transport_smtp_connection_release (SmtpConnection *self)
{
    SmtpInstance *smtp = self->smtp;
    int64_t now = transport_smtp_now_us ();
    self->delivery = NULL;
    if (self->fd < 0 || !may_wait (self, now)) {
        transport_smtp_connection_quit (self);
        return;
    }
    self->state = SMTP_IDLE;
    self->idle_since_us = now;
    GQueue *queue = g_hash_table_lookup (smtp->idle, self->site);
    if (queue == NULL) {
        queue = g_queue_new ();
        g_hash_table_insert (smtp->idle, g_strdup (self->site), queue);
    }
    g_queue_push_head (queue, self);
    smtp->n_idle++;
    if (smtp->sweep == NULL)
        smtp->sweep = smtp->host->timer_start (smtp->host, SWEEP_US, on_sweep, smtp);
}

/* ---- output */

static void
watch_events (SmtpConnection *self, unsigned events)
{
    if (self->events == events || self->watch == NULL)
        return;
    self->events = events;
    self->smtp->host->watch_events (self->watch, events);
}

static void
take_written (SmtpConnection *self, size_t n)
{
    size_t part = MIN (n, self->out->len - self->out_at);
    self->out_at += part;
    n -= part;
    HkSpan *spans[] = {&self->body, &self->tail};
    for (size_t i = 0; i < G_N_ELEMENTS (spans); i++) {
        part = MIN (n, spans[i]->size);
        spans[i]->data += part;
        spans[i]->size -= part;
        n -= part;
    }
    if (self->out_at == self->out->len) {
        g_string_truncate (self->out, 0);
        self->out_at = 0;
    }
}

static size_t
gather (SmtpConnection *self, struct iovec iov[3])
{
    size_t n = 0;
    if (self->out->len == 0 && self->is_encoding) {
        transport_smtp_content_encode (&self->encoder, self->out, ENCODE_SIZE);
        self->is_encoding = !self->encoder.is_done;
    }
    if (self->out->len > self->out_at)
        iov[n++] =
            (struct iovec){self->out->str + self->out_at, self->out->len - self->out_at};
    if (self->body.size > 0)
        iov[n++] = (struct iovec){(void *) (uintptr_t) self->body.data, self->body.size};
    if (self->tail.size > 0)
        iov[n++] = (struct iovec){(void *) (uintptr_t) self->tail.data, self->tail.size};
    return n;
}

bool
transport_smtp_connection_flush (SmtpConnection *self)
{
    struct iovec iov[3];
    size_t n;
    while ((n = gather (self, iov)) > 0) {
        struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n};
        ssize_t written = sendmsg (self->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            watch_events (self, HK_IO_READ | HK_IO_WRITE);
            return true;
        }
        if (written < 0) {
            /* A reply that tells why may stand in the socket's buffer: reading finds the
             * end. */
            watch_events (self, HK_IO_READ);
            g_string_truncate (self->out, 0);
            self->out_at = 0;
            self->body.size = self->tail.size = 0;
            self->is_encoding = false;
            return true;
        }
        take_written (self, (size_t) written);
        if (self->state == SMTP_BODY)
            transport_smtp_connection_deadline (self, self->smtp->conf.data_xfer_s);
    }
    watch_events (self, HK_IO_READ);
    if (self->state == SMTP_BODY)
        transport_smtp_dialogue_body_sent (self);
    return true;
}

/* ---- input */

static void
read_replies (SmtpConnection *self)
{
    char buffer[READ_SIZE];
    ssize_t n;
    do
        n = recv (self->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    if (self->state == SMTP_IDLE) { /* nobody asked: the end, 421, or garbage */
        drop_idle (self);
        transport_smtp_connection_close (self);
        return;
    }
    if (n <= 0) {
        errno = n == 0 ? 0 : errno;
        transport_smtp_dialogue_lost (self, false);
        return;
    }
    const char *at = buffer, *end = buffer + n;
    while (at < end && !self->is_dead) {
        SmtpProgress progress = transport_smtp_reply_feed (&self->reply, &at, end);
        if (progress == SMTP_REPLY_MORE)
            return;
        if (self->state == SMTP_IDLE) {
            drop_idle (self);
            transport_smtp_connection_close (self);
            return;
        }
        if (progress == SMTP_REPLY_BAD) {
            transport_smtp_dialogue_lost (self, false);
            return;
        }
        transport_smtp_dialogue_reply (self);
    }
}

static void
connect_ended (SmtpConnection *self, int error)
{
    if (error != 0) {
        errno = error;
        transport_smtp_dialogue_lost (self, false);
        return;
    }
    watch_events (self, HK_IO_READ);
    transport_smtp_dialogue_connected (self);
}

static void
on_socket (void *data, int32_t fd, uint32_t events)
{
    SmtpConnection *self = data;
    self->is_busy = true;
    if (self->state == SMTP_CONNECTING) {
        int error = 0;
        socklen_t size = sizeof error;
        if (getsockopt (fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            error = errno;
        connect_ended (self, error);
    } else {
        if (events & HK_IO_READ)
            read_replies (self);
        if ((events & HK_IO_WRITE) && !self->is_dead && (self->events & HK_IO_WRITE))
            transport_smtp_connection_flush (self);
    }
    self->is_busy = false;
    if (self->is_dead)
        free_connection (self);
}

/* ---- connecting */

static SmtpConnection *
new_connection (SmtpDelivery *delivery, const char *host, const char *text, unsigned port)
{
    SmtpConnection *self = g_new0 (SmtpConnection, 1);
    self->smtp = delivery->smtp;
    self->delivery = delivery;
    self->fd = -1;
    self->host = g_strdup (host);
    self->name = g_strdup_printf ("%s[%s]", host, text);
    self->relay =
        port == 0 ? g_strdup (self->name) : g_strdup_printf ("%s:%u", self->name, port);
    if (delivery->site == 0)
        self->site = g_strdup (delivery->sites->pdata[0]);
    self->out = g_string_sized_new (512);
    transport_smtp_reply_init (&self->reply);
    self->born_us = transport_smtp_now_us ();
    self->state = SMTP_CONNECTING;
    delivery->connection = self;
    delivery->is_fresh = true;
    return self;
}

static bool
bind_source (SmtpConnection *self, int family)
{
    const SmtpConf *conf = &self->smtp->conf;
    const char *source = family == AF_INET ? conf->bind4 : conf->bind6;
    SmtpTarget from;
    if (*source == '\0')
        return true;
    if (!transport_smtp_target_from_ip (source, 0, &from) ||
        from.address.ss_family != family) {
        errno = EADDRNOTAVAIL;
        return false;
    }
    return bind (self->fd, (struct sockaddr *) &from.address, from.size) == 0;
}

/* Takes care of all outcomes of connect. */
static void
begin_connect (SmtpConnection *self, const struct sockaddr *address, socklen_t size)
{
    const HkHost *host = self->smtp->host;
    int one = 1;
    self->fd = socket (address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_open = self->fd >= 0;
    if (is_open && address->sa_family != AF_UNIX) {
        setsockopt (self->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        is_open = bind_source (self, address->sa_family);
    }
    int result = is_open ? connect (self->fd, address, size) : -1;
    if (result != 0 && (!is_open || errno != EINPROGRESS)) {
        transport_smtp_dialogue_lost (self, false);
        return;
    }
    self->events = result == 0 ? HK_IO_READ : HK_IO_WRITE;
    self->watch = host->watch_start (host, self->fd, self->events, on_socket, self);
    if (self->watch == NULL) {
        transport_smtp_dialogue_lost (self, false);
        return;
    }
    int64_t limit = self->smtp->conf.connect_s;
    transport_smtp_connection_deadline (self, limit > 0 ? limit : 600);
    if (result == 0)
        transport_smtp_dialogue_connected (self);
}

static void
guarded_connect (SmtpConnection *self, const struct sockaddr *address, socklen_t size)
{
    self->is_busy = true;
    begin_connect (self, address, size);
    self->is_busy = false;
    if (self->is_dead)
        free_connection (self);
}

void
transport_smtp_connection_open (SmtpDelivery *delivery, const SmtpTarget *target)
{
    SmtpConnection *self =
        new_connection (delivery, target->host, target->text, delivery->where.port);
    guarded_connect (self, (const struct sockaddr *) &target->address, target->size);
}

void
transport_smtp_connection_open_unix (SmtpDelivery *delivery, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    SmtpConnection *self = new_connection (delivery, delivery->where.name, path, 0);
    self->is_unix = true;
    if (strlen (path) >= sizeof address.sun_path)
        errno = ENAMETOOLONG;
    g_strlcpy (address.sun_path, path, sizeof address.sun_path);
    guarded_connect (self, (const struct sockaddr *) &address, sizeof address);
}
