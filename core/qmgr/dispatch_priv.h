/* dispatch_priv.h: transports, connections to delivery processes, jobs under way. */
#ifndef HK_QMGR_DISPATCH_PRIV_H
#define HK_QMGR_DISPATCH_PRIV_H

#include "qmgr/qmgr_priv.h"

struct Transport {
    Qmgr *q;
    HkSchedTransport *sched;
    char *name, *path;
    GPtrArray *conns;
    unsigned n_failures;   /* ends of agents since the last job that was done */
    int64_t not_before_us; /* backoff for connections */
    int64_t unavailable_until_us;
    char *reason;  /* why it is unavailable; NULL: it is not */
    bool is_known; /* master.cf has it */
};

struct Conn {
    Transport *transport;
    HkChannel *channel;
    unsigned ready; /* jobs at once; 0: none for now */
    bool was_ready;
    GHashTable *runs;  /* number → Run */
    GHashTable *known; /* content keys that the peer has */
    HkLoopTimer timer; /* until READY; then: is a job overdue? */
};

struct Run {
    uint64_t number;
    Conn *conn;
    Active *active;
    HkSchedJob job;
    int64_t started_us;
    uint64_t own_key; /* content key of its own, to forget; 0: none */
    HkSiteFeedback feedback;
    char *reason; /* "4.4.1 connect to …" of a site that is down */
    size_t n_results;
    uint8_t has_result[]; /* by recipient of the job */
};

/* transport.c */
/* HkSchedDeadFn; DATA: the status code. */
void hk_qmgr_take_back (void *owner, const uint32_t *recipients, size_t n,
                        const char *transport, const char *nexthop, const char *reason,
                        void *data);
void hk_transport_unavailable (Transport *self);
void hk_transport_disconnect (Transport *self);

/* dispatch.c */
void hk_conn_free (Conn *self); /* its runs are broken first */
void hk_conn_broken (Conn *self, const char *why);

/* result.c: frames from the agent.  False: malformed. */
bool hk_run_result (Conn *conn, HkUnpack *in);
bool hk_run_done (Conn *conn, HkUnpack *in);
/* The agent is gone: what it had is tried again or deferred. */
void hk_run_broken (Run *run);
Run *hk_run_find (Conn *conn, uint64_t number);

/* submit.c */
bool hk_run_forward (Conn *conn, HkUnpack *in);

#endif
