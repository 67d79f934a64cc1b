/* sched.h: when and where each recipient is tried: the schedule of the queue manager.
 *
 * Pure state: no I/O, time handed in.  Messages come in with their recipients routed; the
 * schedule gives out jobs (one message, one destination, at most recipient_limit
 * recipients) as slots come free.  The words, from large to small:
 *
 *   transport    a delivery service of master.cf: so many jobs at once
 *   site         one destination of a transport: its window says how many jobs at once;
 * feedback widens and narrows it (SCHEDULER_README) share        what one message wants
 * from one transport peer         what one message wants from one site: indexes of
 * recipients
 *
 * Fairness.  A site keeps two queues: letters (shares of few jobs), first come first
 * served, and bulk (shares of many jobs), round robin.  A site with a free slot *offers*
 * the head of each queue; a share with offers stands in the ring of its transport, and the
 * ring is served round robin.  So a message with 50,000 recipients gets one job, then
 * everybody else who waits gets one; at its own site a letter waits for one bulk job at
 * most.  Every step costs O(1); a message of high priority looks at those that it overtakes.
 *
 * A pending recipient costs 4 to 8 bytes; a site without work, jobs or rest is freed.
 *
 * Threads: one. */
#ifndef HK_SCHED_H
#define HK_SCHED_H

#include "base/bytes.h"
#include "conf/conf.h"

extern const HkConfSpec hk_sched_params[];

typedef struct HkSched HkSched;
typedef struct HkSchedTransport HkSchedTransport;
typedef struct HkSchedMessage HkSchedMessage;

/* ---- limits
 * ------------------------------------------------------------------------------- */

/* "1", "2/3", "1/concurrency", "1/sqrt_concurrency" */
typedef enum {
    HK_FEEDBACK_FIXED,
    HK_FEEDBACK_BY_WINDOW,
    HK_FEEDBACK_BY_ROOT
} HkFeedbackForm;
typedef struct {
    HkFeedbackForm form;
    double amount; /* 0..1 */
} HkFeedback;
bool hk_feedback_parse (HkSpan text, HkFeedback *out);

typedef struct {
    unsigned process_limit;       /* jobs at once; 0: none */
    unsigned initial_concurrency; /* of a site's window */
    unsigned concurrency_limit;   /* of a site's window; 0: none */
    unsigned recipient_limit;     /* recipients a job; 0: none */
    HkFeedback positive, negative;
    double cohort_failure_limit; /* failed pseudo-cohorts until a site counts as dead; 0:
                                    never */
    int64_t dead_rest_us;        /* how long a dead site is left alone */
    int64_t rate_delay_us;       /* between two jobs of a site */
    int64_t transport_delay_us;  /* between two jobs of the transport */
} HkSchedLimits;
/* Fills OUT for TRANSPORT. */
typedef void (*HkSchedLimitsFn) (const char *transport, HkSchedLimits *out, void *data);
/* Reads TRANSPORT_destination_concurrency_limit and its kin, else default_*. */
void hk_sched_limits_read (HkSettings *settings, const char *transport,
                           unsigned process_limit, HkSchedLimits *out);
/* One parameter of such a family: the value of TRANSPORT_SUFFIX, when it is not set of
 * FALLBACK; expanded; g_free it. */
char *hk_sched_family (HkSettings *settings, const char *transport, const char *suffix,
                       const char *fallback);

/* ---- the schedule
 * --------------------------------------------------------------------------- */

HkSched *hk_sched_new (HkSchedLimitsFn limits, void *data);
void hk_sched_free (HkSched *self);   /* every message must have been freed */
void hk_sched_reload (HkSched *self); /* asks LIMITS again for every transport */

/* Made when first asked for; lives as long as SELF. */
HkSchedTransport *hk_sched_transport (HkSched *self, const char *name);
const HkSchedLimits *hk_sched_transport_limits (const HkSchedTransport *transport);
const char *hk_sched_transport_name (const HkSchedTransport *transport);
/* For the owner of the transport's connections. */
void hk_sched_transport_set_data (HkSchedTransport *transport, void *data);
void *hk_sched_transport_data (const HkSchedTransport *transport);
/* Is a job ready to be given out, slots of the transport aside? */
bool hk_sched_transport_has_offers (const HkSchedTransport *transport);
unsigned hk_sched_transport_running (const HkSchedTransport *transport);
unsigned hk_sched_transport_pending (const HkSchedTransport *transport); /* peers */

/* A message enters closed; recipients are added; open lets its jobs go. */
HkSchedMessage *hk_sched_message_new (HkSched *self, void *owner);
/* Before recipients are added.  PRIORITY (-9 to 9, RFC 6710; 0 at first): each step goes ahead
 * of the HK_SCHED_PRIORITY_STEP that came just before and are a step less urgent, and of no
 * more, so that nobody waits for ever.  IS_SINGLE: one recipient a job. */
#define HK_SCHED_PRIORITY_STEP 32
void hk_sched_message_order (HkSchedMessage *message, int priority, bool is_single);
/* SITE names the destination for limits and fairness (the next hop; recipient@nexthop when
 * the recipient limit is 1); NEXTHOP is what jobs get. */
void hk_sched_message_add (HkSchedMessage *message, HkSchedTransport *transport,
                           const char *site, const char *nexthop, uint32_t recipient);
void hk_sched_message_open (HkSchedMessage *message);
size_t
hk_sched_message_pending (const HkSchedMessage *message); /* recipients not in a job */
size_t hk_sched_message_running (const HkSchedMessage *message); /* jobs under way */
/* Take back all that is pending (hold, delete). */
void hk_sched_message_withdraw (HkSchedMessage *message);
/* No job may be under way. */
void hk_sched_message_free (HkSchedMessage *message);

typedef struct {
    void *owner;
    const char *nexthop;
    const uint32_t *recipients; /* indexes; valid until job end, as NEXTHOP */
    size_t n_recipients;
    void *handle; /* pass back */
} HkSchedJob;
/* The next job of TRANSPORT.  False: nothing to do now. */
bool hk_sched_next (HkSchedTransport *transport, int64_t now_us, HkSchedJob *out);
/* The recipients of a job that never ran go back: call before job end with HK_SITE_UNTRIED.
 */
void hk_sched_job_give_back (void *handle, const uint32_t *recipients, size_t n);

/* A job ended.  OK: the destination works; DOWN: it failed (REASON is kept when it dies);
 * THROTTLED: it wants us to slow down; UNTRIED: says nothing about it. */
typedef enum {
    HK_SITE_OK,
    HK_SITE_DOWN,
    HK_SITE_THROTTLED,
    HK_SITE_UNTRIED
} HkSiteFeedback;
void hk_sched_job_end (void *handle, HkSiteFeedback feedback, const char *reason,
                       int64_t now_us);

/* Pending recipients of dead sites are given back with the site's reason instead of jobs, a
 * peer a call.  Inside FN the message may be freed.  Returns how many recipients. */
typedef void (*HkSchedDeadFn) (void *owner, const uint32_t *recipients, size_t n,
                               const char *transport, const char *nexthop,
                               const char *reason, void *data);
size_t hk_sched_take_dead (HkSched *self, HkSchedDeadFn fn, void *data);
/* The transport itself does not work: all its pending recipients, in the same manner. */
size_t hk_sched_take_transport (HkSchedTransport *transport, HkSchedDeadFn fn,
                                const char *reason, void *data);
/* Dead sites get another chance (flush). */
void hk_sched_revive (HkSched *self, const char *nexthop); /* NULL: all */
/* Sites whose rest is over come back.  Returns when to call again (INT64_MAX: not needed).
 */
int64_t hk_sched_tick (HkSched *self, int64_t now_us);
size_t hk_sched_n_sites (const HkSched *self);

/* When a message that arrived at ARRIVAL and was tried at NOW is tried again: after its
 * age, between minimal and maximal backoff, as qmgr(8), plus up to 10 % by RANDOM (0..1).
 */
int64_t hk_sched_retry_s (int64_t arrival_s, int64_t now_s, int64_t minimal_s,
                          int64_t maximal_s, double random);

#endif
