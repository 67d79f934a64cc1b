/* sched_priv.h: the structures behind sched.h, for this folder only. */
#ifndef HK_SCHED_PRIV_H
#define HK_SCHED_PRIV_H

#include "base/heap.h"
#include "sched/sched.h"

typedef struct Site Site;
typedef struct Share Share;
typedef struct Peer Peer;

/* A share of at most so many jobs is a letter, above it is bulk. */
#define LETTER_JOBS 8

typedef enum { LETTERS, BULK, N_CLASSES } Class;

struct HkSched {
    HkSchedLimitsFn limits;
    void *data;
    GHashTable *transports; /* name → HkSchedTransport, owned */
    HkHeap sleepers;        /* Site by rests_until_us */
    Site *dead;             /* dead sites with peers, by next_dead */
    size_t n_sites;
};

struct HkSchedTransport {
    HkSched *sched;
    char *name;
    HkSchedLimits limits;
    GHashTable *sites; /* name → Site */
    Share *ring;       /* the next to be served; circular; NULL: nobody */
    unsigned running;
    unsigned n_peers;
    int64_t last_place;  /* given to a share of the ring */
    int64_t next_job_us; /* transport_delay_us */
    void *data;
};

struct Site {
    HkSchedTransport *transport;
    char *name, *nexthop;
    struct {
        Peer *head, *tail;
        Peer *offered; /* the head, while offered */
    } queue[N_CLASSES];
    unsigned window, running;
    unsigned n_peers; /* those of messages that are being built included */
    double success, failure, failed_cohorts;
    int64_t last_place; /* given to a peer of a queue */
    int64_t rests_until_us;
    int64_t throttle_rest_us; /* the last one; grows */
    uint32_t heap_place;      /* in sleepers; 0: not there */
    char *reason;             /* of its death */
    Site *next_dead;
    bool is_dead, in_dead_list;
    uint8_t last_served;
};

struct Share {
    HkSchedMessage *message;
    HkSchedTransport *transport;
    Share *next;                  /* of the message */
    Share *ring_prev, *ring_next; /* NULL: not in the ring */
    Peer *offers, *offers_tail;
    unsigned n_peers, n_queued, n_jobs;
    unsigned n_wanted; /* jobs, when opened */
    int64_t place;     /* in the ring: smaller ones are served before */
    Class class;       /* names the queue that its peers stand in */
};

struct Peer {
    Share *share;
    Site *site;
    Peer *message_prev, *message_next;
    Peer *site_prev, *site_next;
    Peer *offer_prev, *offer_next;
    uint32_t *recipients;
    uint32_t n, at, room; /* [at, n) are pending */
    uint32_t inline_recipient;
    int64_t place; /* in the queue of its site */
    bool is_queued, is_offered;
};

struct HkSchedMessage {
    HkSched *sched;
    void *owner;
    Share *shares;
    Peer *peers; /* newest first */
    unsigned n_peers;
    GHashTable *by_site; /* while it is built and has many peers */
    size_t pending, running;
    int priority;
    bool is_open, is_single;
};

typedef struct {
    Site *site;
    HkSchedMessage *message;
    Share *share;
    uint32_t n;
    uint32_t recipients[];
} Job;

/* site.c */
Site *hk_sched_site_get (HkSchedTransport *transport, const char *name,
                         const char *nexthop);
void hk_sched_site_push (Site *site, Peer *peer);   /* into the queue of its class */
void hk_sched_site_remove (Site *site, Peer *peer); /* and out of its offer */
void hk_sched_site_rotate (Site *site, Peer *peer); /* to the tail of its queue */
void hk_sched_site_update (Site *site);             /* offers as eligibility says */
void hk_sched_site_rest (Site *site, int64_t until_us);
void hk_sched_sleepers_init (HkHeap *self);
void hk_sched_site_wake (Site *site);
void hk_sched_site_drop (Site *site); /* frees it when nothing needs it any more */
void hk_sched_site_feedback (Site *site, HkSiteFeedback feedback, const char *reason,
                             int64_t now_us);
void hk_sched_site_list_dead (Site *site);
void hk_sched_site_free (Site *site);

/* message.c */
void hk_sched_peer_free (Peer *peer); /* out of every list */
void hk_sched_share_offer (Share *share, Peer *peer);
void hk_sched_share_withdraw (Share *share, Peer *peer);
void hk_sched_share_drop (Share *share); /* frees it when empty */
void hk_sched_share_served (Share *share); /* behind the others of the ring */
/* Recipients of a job of MESSAGE by a transport with LIMIT; 0: any number. */
static inline unsigned
hk_sched_job_limit (const HkSchedMessage *message, unsigned limit)
{
    return message->is_single ? 1 : limit;
}
/* What comes next in an order whose last place was *LAST: with a priority, further ahead. */
static inline int64_t
hk_sched_next_place (int64_t *last, const HkSchedMessage *message)
{
    return ++*last - (int64_t) message->priority * HK_SCHED_PRIORITY_STEP;
}

#endif
