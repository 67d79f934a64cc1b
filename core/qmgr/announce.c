/* announce.c: who connects to us: smtpd workers that announce mail, and tools. */
#include "config.h"

#include "base/log.h"
#include "qmgr/qmgr_priv.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_SERVERS 1000
#define MAX_GUESTS 100

void
hk_server_close (Server *self)
{
    if (self->closed != NULL)
        self->closed (self->closed_data);
    hk_list_cancel (self);
    hk_verify_server_gone (self);
    g_clear_pointer (&self->sites, g_ptr_array_unref);
    g_ptr_array_remove_fast (self->q->servers, self);
    hk_channel_close (self->channel);
    g_free (self);
}

/* ---- announcements
 * ----------------------------------------------------------------------- */

void
hk_announce_pressure (Server *self, bool is_high)
{
    if (self->is_public || !self->has_lane)
        return;
    hk_pack_u64 (hk_channel_begin (self->channel, HK_FRAME_PRESSURE), is_high);
    hk_channel_end (self->channel);
}

static bool
hello (Server *self, HkUnpack *in)
{
    uint64_t lane = hk_unpack_u64 (in), segment = hk_unpack_u64 (in),
             offset = hk_unpack_u64 (in);
    if (in->failed || lane == 0 || lane > UINT32_MAX)
        return false; /* lane 0 is our own */
    self->has_lane = true;
    self->lane = (uint32_t) lane;
    hk_store_catch_up (self->q->store, self->lane, segment, offset, hk_qmgr_enqueue,
                       self->q);
    if (self->q->is_pressing)
        hk_announce_pressure (self, true);
    return true;
}

static bool
queued (Server *self, HkUnpack *in)
{
    HkLocation where = {.lane = self->lane};
    where.segment = hk_unpack_u64 (in);
    where.offset = hk_unpack_u64 (in);
    uint64_t length = hk_unpack_u64 (in), size = hk_unpack_u64 (in);
    HkSpan packed = hk_unpack_span (in);
    if (in->failed || !self->has_lane || length > UINT32_MAX)
        return false;
    where.length = (uint32_t) length;
    return hk_qmgr_admit (self->q, &where, size, packed);
}

/* ETRN: whoever asks expects an attempt. */
static bool
flush_site (Server *self, HkUnpack *in)
{
    HkSpan site = hk_unpack_span (in);
    if (in->failed || site.size == 0)
        return false;
    hk_qmgr_transports_revive (self->q);
    hk_list_flush_site (self, site);
    return true;
}

void
hk_announce_frame (Server *self, uint16_t type, HkSpan payload)
{
    HkUnpack in = hk_unpack (payload);
    bool ok = type == HK_FRAME_HELLO        ? hello (self, &in)
              : type == HK_FRAME_QUEUED     ? queued (self, &in)
              : type == HK_FRAME_FLUSH_SITE ? flush_site (self, &in)
              : type == HK_FRAME_VERIFY     ? hk_verify_frame (self, &in)
                                            : true; /* of a newer worker */
    if (ok)
        return;
    hk_log (HK_LOG_WARNING, "malformed announcement of lane %u: its mail is read from disk",
            self->lane);
    hk_server_close (self);
}

/* ---- accepting
 * --------------------------------------------------------------------------- */

static void
on_frame (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data)
{
    Server *self = data;
    (void) channel;
    if (fd >= 0)
        close (fd);
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

static const HkChannelFns server_fns = {on_frame, on_closed};

/* Changing other people's mail is for root and for our own user (postsuper(1)). */
static void
learn_peer (Server *self, int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    self->uid = (uid_t) -1;
    if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
        self->uid = peer.uid;
    self->is_privileged = self->uid == 0 || self->uid == geteuid ();
}

Server *
hk_server_new (Qmgr *q, int fd, bool is_public)
{
    Server *self = g_new0 (Server, 1);
    self->q = q;
    self->is_public = is_public;
    learn_peer (self, fd);
    self->channel = hk_channel_new (q->loop, fd, &server_fns, self);
    g_ptr_array_add (q->servers, self);
    return self;
}

/* Every local user may connect to the public socket; all together leave room for the system's
 * own. */
static bool
has_room_for_guest (const Qmgr *q)
{
    guint n = 0;
    for (guint i = 0; i < q->servers->len; i++) {
        const Server *server = g_ptr_array_index (q->servers, i);
        n += server->is_public && !server->is_privileged;
    }
    return n < MAX_GUESTS;
}

static void
on_connection (HkFdWatch *watch, unsigned events)
{
    Qmgr *q = watch->data;
    (void) events;
    for (int n = 0; n < 16; n++) {
        int fd = accept4 (watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        if (q->servers->len >= MAX_SERVERS) {
            close (fd);
            continue;
        }
        if (watch == &q->public_listener && !has_room_for_guest (q)) {
            close (fd);
            continue;
        }
        hk_server_new (q, fd, watch == &q->public_listener);
    }
}

static bool
listen_at (Qmgr *q, HkFdWatch *watch, const char *sub, unsigned mode, GError **error)
{
    g_autofree char *path = g_build_filename (
        hk_settings_get (q->settings, "queue_directory"), sub, "qmgr", NULL);
    int fd = hk_ipc_listen (path, mode, error);
    if (fd < 0)
        return false;
    if (!hk_loop_attach (q->loop, watch, fd, HK_LOOP_READ, on_connection, q, error)) {
        close (fd);
        return false;
    }
    return true;
}

/* private/ lets in whom it names; public/ everybody: tools.c asks who it is. */
bool
hk_qmgr_listen (Qmgr *q, GError **error)
{
    return listen_at (q, &q->private_listener, "private", 0666, error) &&
           listen_at (q, &q->public_listener, "public", 0666, error);
}

static void
unlisten (HkFdWatch *watch)
{
    int fd = watch->fd;
    if (watch->loop == NULL)
        return;
    hk_fd_watch_detach (watch);
    close (fd);
}

void
hk_qmgr_unlisten (Qmgr *q)
{
    unlisten (&q->private_listener);
    unlisten (&q->public_listener);
}
