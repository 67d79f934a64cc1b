/* test_rig.h: a queue manager in a private directory, with a clock of ours, a lane that
 * stands for smtpd and an agent that does as it is told, all on one loop. */
#ifndef HK_QMGR_TEST_RIG_H
#define HK_QMGR_TEST_RIG_H

#include "qmgr/qmgr_priv.h"

/* A job as the agent got it. */
typedef struct {
    uint64_t number;
    char *nexthop, *sender, *recipients; /* joined by ',' */
    char *content;
    size_t n_recipients;
    unsigned retries;
    bool is_probe;
} RigJob;

typedef struct {
    char *dir;
    HkLoop *loop;
    HkSettings *settings;
    HkStats *stats;
    HkPlugins *plugins;
    HkTestClock clock;
    Qmgr *q;
    HkLane *lane;
    /* the agent */
    HkFdWatch listener;
    HkChannel *agent;
    GHashTable *contents; /* key → descriptor */
    GQueue jobs;          /* RigJob that were not answered */
    unsigned n_jobs, n_connections;
    char *forwarded; /* text of the last FORWARDED */
    HkLoopTimer poll, deadline;
    bool (*until) (void *rig);
    unsigned n_durable;
    HkEnvelope asked; /* more of what rig_send sends */
} Rig;

/* More lines of main.cf in EXTRA. */
Rig *rig_new (const char *extra);
void rig_free (Rig *self);
void rig_restart (Rig *self);                        /* the queue manager only */
void rig_run (Rig *self, bool (*until) (void *rig)); /* fails after some seconds */
void rig_settle (Rig *self); /* until nothing is active and nothing is on its way */
void rig_advance (Rig *self, int64_t seconds);

/* Put a message into the smtpd's lane and announce it.  RECIPIENTS joined by ','. */
HkQueueId rig_send (Rig *self, const char *sender, const char *recipients, uint32_t notify,
                    uint32_t flags);
RigJob *rig_take (Rig *self); /* the next job; waits for it */
void rig_drop (RigJob *job);  /* never answered */
void rig_answer (Rig *self, RigJob *job, size_t i, int status, unsigned flags,
                 const char *dsn, const char *text);
void rig_done (Rig *self, RigJob *job); /* and free it */
/* All recipients the same, and done. */
void rig_finish (Rig *self, RigJob *job, int status, unsigned flags, const char *text);
void rig_agent_crash (Rig *self);
void rig_forward (Rig *self, RigJob *job, size_t i, const char *to);
size_t rig_count (Rig *self); /* messages in the queue */
HkEntry *rig_entry (Rig *self, HkQueueId id);

#endif
