/* qmgr_priv.h: the parts of the queue manager, for this folder only.
 *
 *   smtpd ──QUEUED──▶ announce.c ─┐                       ┌─ tools.c, list.c ◀── postqueue
 * … store (restart) ──────────────┼─▶ waiting.c ─▶ active.c ─▶ route.c ─▶ HkSched lane 0
 * (own notices) ─────────┘                  ▲                      │ jobs │ ▼ store ◀──
 * settle.c ◀── all its jobs ended, results ◀── dispatch.c ═ deliver └──▶ notice.c ──▶ lane
 * 0
 *
 * A message is *waiting* (an HkEntry only: in the ring of fresh ones or in the heap of
 * deferred ones), then *active* (Active: envelope in memory, recipients in the schedule).
 * When nothing of it is pending or under way it is *settled*: done, or deferred with a
 * time.  Whatever changes something calls hk_qmgr_wake; the pump at the end of the loop's
 * turn does the rest, so that frames of one turn leave together.  Loop thread throughout.
 */
#ifndef HK_QMGR_PRIV_H
#define HK_QMGR_PRIV_H

#include "base/heap.h"
#include "host/events.h"
#include "intake/intake.h"
#include "ipc/channel.h"
#include "ipc/frames.h"
#include "qmgr/params.h"
#include "route/route.h"
#include "sched/sched.h"
#include "store/store.h"

typedef struct Qmgr Qmgr;
typedef struct Active Active;
typedef struct Transport Transport;
typedef struct Conn Conn;
typedef struct Run Run;
typedef struct SegmentFile SegmentFile;
typedef struct Server Server;
typedef struct Probe Probe;
typedef struct Verify Verify;

/* ---- waiting.c: messages that are not active ---- */

typedef struct {
    HkQueueId *ids; /* circular; ids of messages that are gone meanwhile are skipped */
    size_t head, n, room;
} Ring;
void hk_ring_push (Ring *ring, HkQueueId id);
bool hk_ring_pop (Ring *ring, HkQueueId *out);
void hk_ring_clear (Ring *ring);

void hk_deferred_init (HkHeap *self); /* of HkEntry, by next_attempt */

/* ---- parameters, read once per load ---- */

enum {
    NOTIFY_BOUNCE = 1 << 0,
    NOTIFY_2BOUNCE = 1 << 1,
    NOTIFY_DELAY = 1 << 2,
    NOTIFY_RESOURCE = 1 << 3,
    NOTIFY_SOFTWARE = 1 << 4
};
typedef struct {
    unsigned active_limit, recipient_limit, recipient_minimum;
    int64_t minimal_backoff, maximal_backoff, lifetime, bounce_lifetime, delay_warning;
    int64_t transport_retry_us, ready_timeout_us, job_timeout_us;
    uint64_t bounce_size_limit;
    unsigned notify;
    bool soft_bounce, one_verp_bounce;
    const char *myhostname, *mail_name, *double_bounce, *filter_nexthop;
    char *double_bounce_address; /* owned */
    const char *to_bounce, *to_2bounce, *to_delay, *to_error;
} Params;

/* ---- the whole ---- */

#define NOTICE_SEGMENT_SIZE (4u << 20)

struct Qmgr {
    HkLoop *loop;
    const HkClock *clock;
    HkWorkers *workers;
    char *dir; /* of the configuration */
    HkSettings *settings;
    Params params;
    HkPlugins *plugins;
    HkRouter *router;
    HkEvents *events; /* NULL: say nothing (tests) */
    HkStats *stats;
    HkStore *store;
    HkLane *lane;     /* 0, for notices */
    HkIntake *intake; /* into it */
    HkSched *sched;
    Verify *verify; /* NULL: nobody probes addresses */

    Ring fresh; /* incoming */
    HkHeap deferred;
    bool prefer_deferred; /* whose turn it is */

    GHashTable *active; /* &Active.id → Active */
    unsigned n_active_deferred;
    size_t n_active_recipients;
    GQueue to_route;        /* Active */
    unsigned n_submissions; /* messages of our own that are not durable yet */

    GPtrArray *transports; /* Transport */
    unsigned n_running;    /* jobs */
    uint64_t n_crashes;    /* of connections to agents */
    uint64_t last_job;
    GHashTable *segments; /* generation → SegmentFile */
    GQueue idle_segments; /* SegmentFile that no message uses, oldest first */

    HkTurnHook pump;
    HkLoopTimer pump_timer, tend_timer;
    HkFdWatch private_listener, public_listener;
    GPtrArray *servers; /* connections that were accepted */
    bool is_draining, is_ending, is_pressing, is_pumping, pump_again;
    void (*drained) (void *data);
    void *drained_data;

    struct {
        uint64_t *messages, *incoming, *active, *deferred, *hold, *accepted, *sent,
            *deferrals, *bounced, *expired, *removed, *notices, *jobs, *running,
            *agent_failures;
    } count;
};

/* qmgr.c */
Qmgr *hk_qmgr_new (HkLoop *loop, const char *dir, HkSettings *settings, HkStats *stats);
/* Store, lane 0 and intake; recovers.  Plugins and router must be there. */
bool hk_qmgr_open_queue (Qmgr *self, GError **error);
bool hk_qmgr_reload (Qmgr *self, GError **error);
void hk_qmgr_apply (Qmgr *self); /* settings → params */
void hk_qmgr_drain (Qmgr *self, void (*drained) (void *data), void *data);
void hk_qmgr_free (Qmgr *self); /* keeps what is known in the store; syncs */
void hk_qmgr_wake (Qmgr *self);
static inline int64_t
hk_qmgr_now_s (const Qmgr *self)
{
    return hk_wall_us (self->clock) / HK_SECOND;
}

/* ---- active.c: messages under way ---- */

/* What is to be told about a recipient; text of its last result. */
typedef struct {
    char dsn[12];
    HkSpan text, diagnostic, remote; /* point behind the structure */
} Report;
Report *hk_report_new (HkSpan dsn, HkSpan text, HkSpan diagnostic, HkSpan remote);

typedef struct {
    uint8_t status;   /* 0: open; HK_STATUS_* */
    bool is_recorded; /* finished, and the journal knows */
    bool is_old;      /* finished in an earlier round: nothing more to tell */
    uint8_t flags;    /* HK_RESULT_* */
    Report *report;   /* owned; NULL: nothing to tell */
} Recipient;

struct Active {
    HkQueueId id;
    Qmgr *q;
    HkEntry *entry;
    HkEnvelope *envelope;
    SegmentFile *segment; /* where the content is; NULL: in a file of its own */
    uint64_t content_offset, content_size;
    HkSchedMessage *sched;
    int64_t active_us;   /* wall */
    size_t n_routed;     /* the next recipient to be routed */
    GList *route_link;   /* in to_route */
    unsigned n_crashes;  /* agents that ended with it */
    uint64_t last_crash; /* Qmgr.n_crashes at the last one */
    unsigned n_notices;  /* being made durable */
    bool is_routing;     /* a worker has it */
    bool is_deleted, is_held, was_deferred, is_settling, notice_failed;
    Probe *probe; /* NULL: a message; else nothing of it is in the store (verify_priv.h) */
    Recipient recipients[];
};

char *hk_active_id (const Active *self, char out[HK_QUEUE_ID_TEXT]);
Active *hk_active_find (Qmgr *q, HkQueueId id);
/* A message from a frame or from lane 0: active at once when there is room.  False: the
 * envelope does not read. */
bool hk_qmgr_admit (Qmgr *q, const HkLocation *where, uint64_t content_size, HkSpan packed);
/* A message found on disk. */
void hk_qmgr_enqueue (HkEntry *entry, void *q);
/* Make waiting messages active, at most N. */
void hk_qmgr_activate (Qmgr *q, unsigned n);
bool hk_qmgr_has_room (const Qmgr *q);
void hk_active_set (Active *self, size_t i, int status, unsigned flags, Report *report);
/* Nothing pending, nothing running?  Then it is settled. */
void hk_active_check (Active *self);
void hk_active_free (Active *self);
/* Take what is pending out of the schedule. */
void hk_active_withdraw (Active *self);

void hk_active_log_start (Active *self);
/* A log line "to=<…>, relay=none, … status=WORD (text)" by AGENT. */
void hk_active_log (Active *self, size_t i, const char *agent, const char *status,
                    const char *dsn, HkSpan text);
/* Defer or bounce a recipient here, without an agent. */
void hk_active_defer (Active *self, size_t i, const char *dsn, const char *text);
void hk_active_bounce (Active *self, size_t i, const char *dsn, const char *text);

/* ---- route.c ---- */

void hk_qmgr_route (Qmgr *q, unsigned n); /* recipients of to_route, at most N */
void hk_qmgr_unroute (Active *self);      /* not any more */
/* The router's answer for recipient I: into the schedule, deferred or bounced. */
void hk_active_take_route (Active *self, size_t i, HkAnswer answer, const HkRoute *route);
void hk_active_discard (Active *self, size_t i); /* mail to the double-bounce address */

/* ---- content.c: descriptors of segments, shared by messages ---- */

struct SegmentFile {
    Qmgr *q;
    uint64_t key; /* in CONTENT frames: 2 × generation */
    int fd;
    unsigned n_users;
    GList *idle_link;
};
SegmentFile *hk_segment_file_get (Qmgr *q, const HkEntry *entry, GError **error);
void hk_segment_file_put (SegmentFile *self);
void hk_qmgr_close_segments (Qmgr *q);
/* Read the content of a message: at most MAX bytes. */
GBytes *hk_active_read (Active *self, size_t max, GError **error);
/* An own descriptor of the content and where it begins; -1 and error. */
int hk_active_open (Active *self, uint64_t *out_offset, GError **error);

/* ---- transport.c, dispatch.c, result.c: the processes that deliver (dispatch_priv.h) ----
 */

Transport *hk_transport_get (Qmgr *q, const char *name);
/* Can it take mail?  Else why not. */
bool hk_transport_is_usable (Transport *self, const char **out_dsn,
                             const char **out_reason);
void hk_qmgr_dispatch (Qmgr *q, int64_t *wake_us);
void hk_qmgr_transports_reload (Qmgr *q);
void hk_qmgr_transports_revive (Qmgr *q); /* flush: try again now */
void hk_qmgr_transports_free (Qmgr *q);
void hk_qmgr_forget_content (Qmgr *q, uint64_t key);
void hk_qmgr_limits (const char *transport, HkSchedLimits *out, void *q);
void hk_qmgr_take_dead (Qmgr *q); /* pending mail for dead destinations is deferred */

/* ---- settle.c ---- */

void hk_active_settle (Active *self);
void hk_active_log_removed (Active *self);
void hk_active_noticed (Active *self); /* one of its notices was written, or failed */
/* What is known so far goes into the store: we end while it is under way. */
void hk_active_save (Active *self);

/* ---- promise.c: what the sender asked of us ---- */

/* From when a message's age counts. */
int64_t hk_promise_origin_s (const HkEnvelope *envelope);
/* It may not leave yet (RFC 4865).  Then it waits in the deferred queue; KNOWN: what is known
 * of its recipients, NULL: nothing. */
bool hk_promise_is_early (const Qmgr *q, const HkEntry *entry, const HkEnvelope *envelope);
void hk_promise_wait (Qmgr *q, HkEntry *entry, const HkEnvelope *envelope,
                      const HkRecipientState *known);
/* DELIVERBY (RFC 2852).  It must be returned by now: */
bool hk_promise_is_too_late (const Active *self);
/* ... recipient I; at the beginning of a round those that are open (true: all is said); at its
 * end those that were deferred. */
void hk_promise_bounce (Active *self, size_t i);
bool hk_promise_start (Active *self);
void hk_promise_expire (Active *self);
bool hk_promise_wants_delay_notice (const Active *self);
/* When to look at a deferred message again, which would be NEXT_S. */
int64_t hk_promise_next_s (const Active *self, int64_t next_s);
/* VERP; the sender that recipient I gets, appended. */
bool hk_promise_is_verp (const HkEnvelope *envelope);
void hk_promise_verp_sender (const HkEnvelope *envelope, size_t i, GString *out);

/* ---- notice.c: mail about mail ---- */

/* Write what the recipients' state asks for.  Counts in n_notices. */
void hk_notice_failure (Active *self);
void hk_notice_delay (Active *self);
void hk_notice_by_delay (Active *self); /* DELIVERBY: its time is over */
void hk_notice_success (Active *self);
bool hk_notice_wants_success (const Active *self);
bool hk_notice_is_double_bounce_address (Qmgr *q, HkSpan address);

/* ---- submit.c: a new message of our own ---- */

/* ERROR NULL: durable, and waiting or active. */
typedef void (*SubmitFn) (HkQueueId id, const GError *error, void *data);
/* ENVELOPE lacks queue id and time; everything is copied. */
void hk_qmgr_submit (Qmgr *q, HkQueueId id, HkEnvelope *envelope, HkSpan content,
                     SubmitFn fn, void *data);

/* ---- verify.c, probe.c: address verification ---- */

/* As root: whoever we become may write the cache. */
void hk_verify_give_rights (HkSettings *settings);
void hk_verify_open (Qmgr *q);   /* after the queue; also after a reload */
void hk_verify_free (Qmgr *q);   /* workers and agents are gone */
bool hk_verify_frame (Server *self, HkUnpack *in); /* HK_FRAME_VERIFY */
void hk_verify_server_gone (Server *self);
const char *hk_probe_word (const Active *self, const char *status); /* of the log line */
void hk_probe_check (Active *self); /* hk_active_check, of a probe */
bool hk_verify_is_resting (const Qmgr *q); /* no worker has a probe or the cache */

/* ---- announce.c, tools.c, list.c: who connects to us ---- */

struct Server {
    Qmgr *q;
    HkChannel *channel;
    bool is_public, is_privileged; /* root or our own user */
    uid_t uid;                     /* of the peer */
    bool has_lane;
    uint32_t lane;
    struct Listing *listing;
    GPtrArray *sites; /* to be flushed after the one that is under way; NULL: none */
    GQueue questions;  /* of verify.c */
    void (*closed) (void *data); /* NULL, or told at the end */
    void *closed_data;
};
/* Takes FD. */
Server *hk_server_new (Qmgr *q, int fd, bool is_public);
bool hk_qmgr_listen (Qmgr *q, GError **error);
void hk_qmgr_unlisten (Qmgr *q);
void hk_server_close (Server *self);
void hk_announce_frame (Server *self, uint16_t type, HkSpan payload);
void hk_announce_pressure (Server *self, bool is_high);
void hk_tools_frame (Server *self, uint16_t type, HkSpan payload);
/* N: how many; when not OK, the exit status that fits, or 0. */
void hk_tools_reply (Server *self, bool ok, uint64_t n, const char *text);
void hk_list_begin (Server *self, HkSpan site); /* site empty: list; else flush that site */
/* Flush SITE, after those that are asked for already; says nothing to the peer. */
void hk_list_flush_site (Server *self, HkSpan site);
void hk_list_cancel (Server *self);

/* Changes by an admin, on one message. False: not for this one. */
bool hk_change_delete (Qmgr *q, HkEntry *entry);
bool hk_change_hold (Qmgr *q, HkEntry *entry);
bool hk_change_release (Qmgr *q, HkEntry *entry);
bool hk_change_requeue (Qmgr *q, HkEntry *entry);
bool hk_change_expire (Qmgr *q, HkEntry *entry, bool force);
bool hk_change_flush (Qmgr *q, HkEntry *entry);

#endif
