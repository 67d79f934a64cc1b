/* announce.c: telling the queue manager about durable messages. */
#include "config.h"

#include "ipc/frames.h"
#include "smtpd/smtpd_priv.h"

#include <unistd.h>

static const int64_t first_wait_us = HK_SECOND / 200, longest_wait_us = HK_SECOND / 2;

struct HkAnnouncer {
    HkLoop *loop;
    char *path;
    HkLane *lane;
    HkPressureFn pressure;
    void *data;
    HkChannel *channel; /* NULL: not connected */
    HkVerifier *verifier; /* NULL: none */
    HkLoopTimer timer;
    int64_t wait_us;
};

static void
on_frame (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data)
{
    HkAnnouncer *self = data;
    HkUnpack u = hk_unpack (payload);
    (void) channel;
    if (fd >= 0)
        close (fd);
    if (type == HK_FRAME_PRESSURE)
        self->pressure (hk_unpack_u64 (&u) != 0, self->data);
    else if (type == HK_FRAME_VERIFIED && self->verifier != NULL)
        hk_verifier_answered (self->verifier, payload);
}

static void
on_closed (HkChannel *channel, void *data)
{
    HkAnnouncer *self = data;
    hk_channel_close (channel);
    self->channel = NULL;
    hk_announcer_set_verifier (self, self->verifier);
    self->pressure (false, self->data);
    hk_timer_arm (&self->timer, self->wait_us);
}

/* What stands in the lane up to here is read from disk, so nothing has to be kept for it.
 */
static void
say_hello (HkAnnouncer *self)
{
    uint64_t segment, offset;
    hk_lane_end (self->lane, &segment, &offset);
    GByteArray *out = hk_channel_begin (self->channel, HK_FRAME_HELLO);
    hk_pack_u64 (out, hk_lane_id (self->lane));
    hk_pack_u64 (out, segment);
    hk_pack_u64 (out, offset);
    hk_channel_end (self->channel);
}

static void
connect_now (HkLoopTimer *timer)
{
    static const HkChannelFns fns = {on_frame, on_closed};
    HkAnnouncer *self = timer->data;
    int fd = hk_ipc_connect (self->path, NULL);
    if (fd < 0) {
        hk_timer_arm (&self->timer, self->wait_us);
        self->wait_us = MIN (self->wait_us * 2, longest_wait_us);
        return;
    }
    self->wait_us = first_wait_us;
    self->channel = hk_channel_new (self->loop, fd, &fns, self);
    say_hello (self);
    hk_announcer_set_verifier (self, self->verifier);
}

void
hk_announcer_set_verifier (HkAnnouncer *self, HkVerifier *verifier)
{
    self->verifier = verifier;
    if (verifier != NULL)
        hk_verifier_connect (verifier, self->channel);
}

HkAnnouncer *
hk_announcer_new (HkLoop *loop, const char *queue_directory, HkLane *lane,
                  HkPressureFn pressure, void *data)
{
    HkAnnouncer *self = g_new0 (HkAnnouncer, 1);
    self->loop = loop;
    self->path = g_build_filename (queue_directory, "private", "qmgr", NULL);
    self->lane = lane;
    self->pressure = pressure;
    self->data = data;
    self->wait_us = first_wait_us;
    hk_timer_init (&self->timer, loop, connect_now, self);
    connect_now (&self->timer);
    return self;
}

void
hk_announcer_free (HkAnnouncer *self)
{
    if (self == NULL)
        return;
    if (self->channel != NULL)
        hk_channel_close (self->channel);
    hk_timer_disarm (&self->timer);
    g_free (self->path);
    g_free (self);
}

void
hk_announcer_queued (HkAnnouncer *self, const HkIntakeOutcome *outcome)
{
    if (self->channel == NULL || outcome->where == NULL)
        return;
    GByteArray *out = hk_channel_begin (self->channel, HK_FRAME_QUEUED);
    hk_pack_u64 (out, outcome->where->segment);
    hk_pack_u64 (out, outcome->where->offset);
    hk_pack_u64 (out, outcome->where->length);
    hk_pack_u64 (out, outcome->content_size);
    hk_pack_span (out, outcome->envelope);
    hk_channel_end (self->channel);
}

/* ETRN.  The public socket is for the tools' group; this line is ours. */
bool
hk_announcer_flush_site (HkAnnouncer *self, HkSpan site)
{
    if (self->channel == NULL)
        return false;
    hk_pack_span (hk_channel_begin (self->channel, HK_FRAME_FLUSH_SITE), site);
    hk_channel_end (self->channel);
    return true;
}
