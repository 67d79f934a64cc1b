/* job_priv.h: a job from inside, shared by the files that run it. */
#ifndef HK_DELIVER_JOB_PRIV_H
#define HK_DELIVER_JOB_PRIV_H

#include "deliver_priv.h"

struct HkJob {
    HkCall call;
    HkDeliver *deliver;
    HkPeer *peer;
    uint64_t number; /* the peer's */
    HkContent *content;
    uint64_t offset, size; /* of the content in its file */
    int64_t active_us;
    unsigned retries;
    HkSpan nexthop, packed; /* borrowed from backing */
    GBytes *backing;        /* the frame */
    HkEnvelope *envelope;
    char queue_id[HK_QUEUE_ID_TEXT];
    HkOutcome *outcomes; /* per recipient */
    HkSpan *notes;       /* per recipient, what `user` answered; NULL: not asked */
    uint32_t *visible;   /* recipients that the plugin sees */
    size_t n_visible;
    unsigned n_parts, n_forwards; /* under way */
    int64_t started_us;
    HkAnswer answer;
    bool is_starting, is_completed;
    HkArena *arena; /* texts of outcomes and notes; used by one thread at a time */
    HkLoopTimer forward_timer;
};

extern const HkCallOps hk_job_ops; /* job_ops.c */

#endif
