/* intake.h: what is done to a message between the dialogue and the store (cleanup(8)).
 *
 * The session feeds content as it arrives (canonical: CRLF, dots unstuffed).  Intake keeps
 * small messages in memory and large ones in a file of their own, walks the headers once
 * (Message-ID, hop count, filters), adds what is missing, rewrites and expands the envelope
 * (canonical, virtual aliases, bcc), runs the filters and appends to the lane.  Loop
 * thread; steps that may block are run on WORKERS between. */
#ifndef HK_INTAKE_H
#define HK_INTAKE_H

#include "host/events.h"
#include "route/route.h"
#include "store/store.h"

extern const HkConfSpec hk_intake_params[];

struct HkIntakeOutcome;

/* Per service: tables, filters, limits. */
typedef struct HkIntake HkIntake;
typedef struct {
    HkPlugins *plugins;
    HkSettings *view;
    HkRouter *router;
    HkLane *lane;
    HkEvents *events;
    HkLoop *loop;
    HkWorkers *workers;
    /* A message became durable after hk_incoming_forget: its FN is not called, but the
     * queue manager must hear of it.  May be NULL. */
    void (*orphan) (const struct HkIntakeOutcome *outcome, void *data);
    void *orphan_data;
} HkIntakeOptions;
/* Opens the tables and filters; with a NULL lane hk_intake_start has to follow before the
 * first message (so that a role opens tables with the rights of its start, and the queue
 * later). */
HkIntake *hk_intake_new (const HkIntakeOptions *options, GError **error);
void hk_intake_start (HkIntake *self, HkLane *lane, HkWorkers *workers);
void hk_intake_free (HkIntake *self); /* messages under way are still finished */

/* One message. */
typedef struct HkIncoming HkIncoming;
typedef struct {
    const HkEnvelope *envelope; /* as the dialogue knows it; spans are copied */
    HkSpan received;            /* trace and PREPEND headers to put on top, CRLF */
    bool add_missing_headers;   /* local submission, local clients */
    bool is_local_rewrite;      /* local_header_rewrite_clients matched */
    const char *log_client;     /* "name[address]" for content log lines */
    bool envelope_is_late;      /* sender and recipients are told after the content */
} HkIncomingOptions;
HkIncoming *hk_incoming_new (HkIntake *self, const HkIncomingOptions *options);
HkQueueId hk_incoming_id (const HkIncoming *self);
/* More content.  After an error (too large, disk full, hop count) further bytes are ignored
 * and the outcome tells.  False when the caller may stop reading early (it need not). */
bool hk_incoming_write (HkIncoming *self, HkSpan bytes);
uint64_t hk_incoming_size (const HkIncoming *self);
/* What restrictions decided after the content came, before finish: hold and its reason,
 * content filter, redirect, and the recipients that ENVELOPE has beyond those of
 * hk_incoming_new.  Headers on top cannot be changed any more. */
void hk_incoming_set_actions (HkIncoming *self, const HkEnvelope *envelope);
/* ENVELOPE_IS_LATE: the sender. */
void hk_incoming_set_sender (HkIncoming *self, HkSpan sender);
void hk_incoming_set_verp (HkIncoming *self, HkSpan delimiters);

/* How it ended: code 250: durable at WHERE. */
typedef struct HkIntakeOutcome {
    int code;
    char dsn[12];
    const char *text;        /* "Ok: queued as 4F…", "Error: message too large", … */
    bool is_discarded;       /* 250 was said, nothing was stored */
    const HkLocation *where; /* code 250 and not discarded */
    HkSpan envelope;         /* packed, as stored: for HK_FRAME_QUEUED */
    uint64_t content_size;
    HkQueueId id;
} HkIntakeOutcome;
typedef void (*HkIntakeDone) (const HkIntakeOutcome *outcome, void *data);
/* Content is complete: check, filter, store.  FN once, from the loop, never from inside;
 * then INCOMING is gone. */
void hk_incoming_finish (HkIncoming *self, HkIntakeDone fn, void *data);
/* The session ended or said RSET: leave no trace. Not after finish. */
void hk_incoming_abandon (HkIncoming *self);
/* The session is gone while finish is under way: the message stays, FN is not called. */
void hk_incoming_forget (HkIncoming *self);

/* ---- where mail would go, without a message: INCOMING has one recipient, and is abandoned
 * afterwards.  Appends to OUT (HkSpan, valid as long as INCOMING) what canonical and alias
 * tables make of it.  False: a table did not answer, *OUT_WHY.  Any thread. */
bool hk_incoming_expand (HkIncoming *self, GArray *out, const char **out_why);
bool hk_intake_may_block (const HkIntake *self); /* a table does */

#endif
