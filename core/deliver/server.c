/* server.c: the peers of a deliver process: who sends jobs and gets their outcomes. */
#include "config.h"

#include "deliver_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_PEERS = 64, MAX_CONTENTS = 65536 };

struct HkPeer {
    unsigned n_refs;
    HkDeliver *deliver;
    HkChannel *channel;   /* NULL: it hung up */
    int fd;               /* of the channel */
    GHashTable *contents; /* &key → ContentSlot */
};

typedef struct {
    uint64_t key;
    HkContent *content;
} ContentSlot;

static void
free_slot (gpointer data)
{
    ContentSlot *slot = data;
    hk_content_unref (slot->content);
    g_free (slot);
}

HkPeer *
hk_peer_ref (HkPeer *self)
{
    self->n_refs++;
    return self;
}

void
hk_peer_unref (HkPeer *self)
{
    if (--self->n_refs > 0)
        return;
    g_hash_table_unref (self->contents);
    g_free (self);
}

HkChannel *
hk_peer_channel (HkPeer *self)
{
    return self->channel;
}

static void
drop_peer (HkPeer *self)
{
    HkDeliver *deliver = self->deliver;
    hk_channel_close (self->channel);
    self->channel = NULL;
    g_hash_table_remove_all (self->contents);
    hk_job_peer_lost (self, deliver);
    g_ptr_array_remove_fast (deliver->peers, self);
    hk_peer_unref (self);
    if (deliver->is_child && deliver->peers->len == 0)
        hk_deliver_drain (deliver);
}

static HkContent **
content_slot (HkPeer *self, uint64_t key)
{
    ContentSlot *slot = g_hash_table_lookup (self->contents, &key);
    return slot == NULL ? NULL : &slot->content;
}

static bool
add_content (HkPeer *self, uint64_t key, int fd)
{
    if (fd < 0 || g_hash_table_size (self->contents) >= MAX_CONTENTS) {
        if (fd >= 0)
            close (fd);
        return false;
    }
    ContentSlot *slot = g_new0 (ContentSlot, 1);
    slot->key = key;
    slot->content = hk_content_new (self->deliver, fd);
    g_hash_table_replace (self->contents, &slot->key, slot);
    return true;
}

static void
on_frame (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data)
{
    HkPeer *self = data;
    HkUnpack in = hk_unpack (payload);
    bool is_ok = true;
    uint64_t key;
    (void) channel;
    switch (type) {
    case HK_FRAME_CONTENT:
        key = hk_unpack_u64 (&in);
        is_ok = !in.failed && add_content (self, key, fd);
        fd = -1;
        break;
    case HK_FRAME_FORGET:
        key = hk_unpack_u64 (&in);
        g_hash_table_remove (self->contents, &key);
        break;
    case HK_FRAME_JOB:
        hk_timer_disarm (&self->deliver->idle);
        is_ok = hk_job_start (self->deliver, self, payload, content_slot);
        break;
    case HK_FRAME_FORWARDED:
        hk_job_forwarded (self, self->deliver, payload);
        break;
    default: /* a newer peer may say more */
        break;
    }
    if (fd >= 0)
        close (fd);
    if (!is_ok && self->channel != NULL) {
        hk_log (HK_LOG_WARNING, "a frame of type %u does not read; closing the channel",
                type);
        drop_peer (self);
    }
}

static void
on_closed (HkChannel *channel, void *data)
{
    (void) channel;
    drop_peer (data);
}

static void
send_ready (HkPeer *self, unsigned limit)
{
    hk_pack_u64 (hk_channel_begin (self->channel, HK_FRAME_READY), limit);
    hk_channel_end (self->channel);
}

HkPeer *
hk_deliver_add_peer (HkDeliver *deliver, int fd)
{
    static const HkChannelFns fns = {on_frame, on_closed};
    HkPeer *self = g_new0 (HkPeer, 1);
    self->n_refs = 1;
    self->deliver = deliver;
    self->fd = fd;
    self->contents = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, free_slot);
    self->channel = hk_channel_new (deliver->loop, fd, &fns, self);
    g_ptr_array_add (deliver->peers, self);
    send_ready (self, deliver->is_draining ? 0 : deliver->transport.limit);
    return self;
}

static void
on_connection (HkFdWatch *watch, unsigned events)
{
    HkDeliver *self = watch->data;
    (void) events;
    for (;;) {
        int fd = accept4 (watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        if (self->peers->len >= MAX_PEERS)
            close (fd);
        else
            hk_deliver_add_peer (self, fd);
    }
}

bool
hk_deliver_listen (HkDeliver *self, int fd, GError **error)
{
    fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) | O_NONBLOCK);
    fcntl (fd, F_SETFD, FD_CLOEXEC);
    return hk_loop_attach (self->loop, &self->listener, fd, HK_LOOP_READ, on_connection,
                           self, error);
}

/* ---- the end */

static void
on_idle (HkLoopTimer *timer)
{
    HkDeliver *self = timer->data;
    if (self->n_jobs > 0)
        return;
    if (self->is_draining)
        self->ended (self->ended_data);
    else
        hk_deliver_drain (self);
}

void
hk_deliver_start (HkDeliver *self)
{
    self->peers = g_ptr_array_new ();
    self->forwarding = g_ptr_array_new ();
    self->contents = g_hash_table_new (NULL, NULL);
    self->loop_thread = pthread_self ();
    hk_timer_init (&self->idle, self->loop, on_idle, self);
    if (self->max_idle_us > 0)
        hk_timer_arm (&self->idle, self->max_idle_us);
}

void
hk_deliver_stop (HkDeliver *self)
{
    hk_timer_disarm (&self->idle);
    if (self->listener.loop != NULL)
        hk_fd_watch_detach (&self->listener);
    while (self->peers->len > 0)
        drop_peer (self->peers->pdata[0]);
    hk_timer_disarm (&self->idle);
    g_ptr_array_unref (self->peers);
    g_ptr_array_unref (self->forwarding);
    g_hash_table_unref (self->contents);
}

/* Jobs that qmgr sent before it reads READY 0 still arrive in this time. */
enum { LINGER_US = 100000 };

void
hk_deliver_drain (HkDeliver *self)
{
    if (self->is_draining)
        return;
    self->is_draining = true;
    if (self->listener.loop != NULL)
        hk_fd_watch_detach (&self->listener);
    for (guint i = 0; i < self->peers->len; i++)
        send_ready (self->peers->pdata[i], 0);
    const HkDeliverTransport *t = &self->transport;
    if (HK_HAS (t->class, HkTransportClass, quiet))
        t->class->quiet (t->pointer);
    if (self->n_jobs == 0)
        hk_timer_arm (&self->idle, LINGER_US);
}

void
hk_deliver_job_ended (HkDeliver *self)
{
    self->n_done++;
    if (--self->n_jobs > 0)
        return;
    if (self->is_draining)
        hk_timer_arm (&self->idle, LINGER_US);
    else if (self->max_idle_us > 0)
        hk_timer_arm (&self->idle, self->max_idle_us);
}

void
hk_deliver_close_descriptors (HkDeliver *self)
{
    GHashTableIter iter;
    gpointer content;
    if (self->listener.loop != NULL)
        close (self->listener.fd);
    for (guint i = 0; i < self->peers->len; i++)
        close (((HkPeer *) self->peers->pdata[i])->fd);
    g_hash_table_iter_init (&iter, self->contents);
    while (g_hash_table_iter_next (&iter, &content, NULL))
        close (hk_content_fd (content));
}
