/* settle.c: the end of a round: everything of a message was tried, what becomes of it. */
#include "config.h"

#include "base/log.h"
#include "qmgr/qmgr_priv.h"

void
hk_active_log_removed (Active *self)
{
    if (self->q->events == NULL)
        return;
    char id[HK_QUEUE_ID_TEXT];
    HkEvent event = {.kind = HK_EVENT_REMOVED,
                     .agent = self->is_deleted ? "postsuper" : "qmgr",
                     .level = HK_LOG_INFO};
    hk_event_text (&event, HK_PROP_QUEUE_ID, hk_span_text (hk_active_id (self, id)));
    hk_events_emit (self->q->events, &event);
}

static void
remove_message (Active *self)
{
    Qmgr *q = self->q;
    hk_active_log_removed (self);
    hk_stats_add (q->count.removed, 1);
    hk_store_done (q->store, self->entry);
    hk_active_free (self);
}

static bool
has_status (const Active *self, int status)
{
    for (size_t i = 0; i < self->envelope->n_recipients; i++)
        if (self->recipients[i].status == status && !self->recipients[i].is_old)
            return true;
    return false;
}

/* ---- back into the queue
 * ----------------------------------------------------------------- */

static void
store_states (Active *self, int64_t next_s)
{
    size_t n = self->envelope->n_recipients;
    g_autofree HkRecipientState *states = g_new0 (HkRecipientState, n);
    for (size_t i = 0; i < n; i++) {
        const Recipient *recipient = &self->recipients[i];
        states[i].status = recipient->status;
        if (recipient->report != NULL && recipient->status != HK_STATUS_SENT) {
            states[i].dsn = hk_span_text (recipient->report->dsn);
            states[i].reason = recipient->report->text;
        }
    }
    hk_store_defer (self->q->store, self->entry, states, n, next_s);
}

static void
defer_message (Active *self)
{
    Qmgr *q = self->q;
    HkEntry *entry = self->entry;
    int64_t now_s = hk_qmgr_now_s (q);
    int64_t next_s = hk_sched_retry_s (hk_promise_origin_s (self->envelope), now_s,
                                       q->params.minimal_backoff, q->params.maximal_backoff,
                                       g_random_double ());
    store_states (self, hk_promise_next_s (self, next_s));
    if (self->is_held)
        hk_store_set_queue (q->store, entry, HK_QUEUE_HOLD);
    else
        hk_heap_add (&q->deferred, entry);
    hk_active_free (self);
}

void
hk_active_save (Active *self)
{
    Qmgr *q = self->q;
    if (has_status (self, HK_STATUS_DEFERRED)) {
        store_states (self, hk_qmgr_now_s (q) + q->params.minimal_backoff);
        return;
    }
    for (size_t i = 0; i < self->envelope->n_recipients; i++)
        if (self->recipients[i].status == HK_STATUS_SENT &&
            !self->recipients[i].is_recorded)
            hk_store_outcome (q->store, self->entry, i, HK_STATUS_SENT);
}

/* ---- too old
 * ----------------------------------------------------------------------------- */

static void
log_expired (Active *self, const char *status)
{
    if (self->q->events == NULL)
        return;
    char id[HK_QUEUE_ID_TEXT];
    HkEvent event = {.kind = HK_EVENT_EXPIRED, .agent = "qmgr", .level = HK_LOG_INFO};
    hk_event_text (&event, HK_PROP_QUEUE_ID, hk_span_text (hk_active_id (self, id)));
    hk_event_text (&event, HK_PROP_SENDER, self->envelope->sender);
    hk_event_text (&event, HK_PROP_TEXT, hk_span_text (status));
    hk_events_emit (self->q->events, &event);
}

static void
expire (Active *self)
{
    Qmgr *q = self->q;
    int64_t lifetime =
        self->envelope->sender.size > 0 ? q->params.lifetime : q->params.bounce_lifetime;
    int64_t age = hk_qmgr_now_s (q) - hk_promise_origin_s (self->envelope);
    if (!self->entry->is_forced_expire && age < lifetime)
        return;
    if (!has_status (self, HK_STATUS_DEFERRED))
        return;
    log_expired (self, self->entry->is_forced_expire ? "force-expired" : "expired");
    hk_stats_add (q->count.expired, 1);
    for (size_t i = 0; i < self->envelope->n_recipients; i++)
        if (self->recipients[i].status == HK_STATUS_DEFERRED)
            self->recipients[i].status = HK_STATUS_BOUNCED;
}

static bool
wants_warning (const Active *self)
{
    const Params *params = &self->q->params;
    int64_t age = hk_qmgr_now_s (self->q) - hk_promise_origin_s (self->envelope);
    return params->delay_warning > 0 && !self->entry->was_warned &&
           age >= params->delay_warning && self->envelope->sender.size > 0 &&
           has_status (self, HK_STATUS_DEFERRED);
}

/* ---- settle
 * ------------------------------------------------------------------------------ */

/* A crash while notices are being written must not deliver twice. */
static void
record_sent (Active *self)
{
    for (size_t i = 0; i < self->envelope->n_recipients; i++) {
        Recipient *recipient = &self->recipients[i];
        if (recipient->status != HK_STATUS_SENT || recipient->is_recorded)
            continue;
        hk_store_outcome (self->q->store, self->entry, i, HK_STATUS_SENT);
        recipient->is_recorded = true;
    }
}

static void
write_notices (Active *self)
{
    if (has_status (self, HK_STATUS_BOUNCED))
        hk_notice_failure (self);
    if (hk_notice_wants_success (self))
        hk_notice_success (self);
    if (hk_promise_wants_delay_notice (self) && has_status (self, HK_STATUS_DEFERRED)) {
        hk_notice_by_delay (self);
        hk_store_set_by_told (self->q->store, self->entry);
    }
    if (wants_warning (self)) {
        hk_notice_delay (self);
        hk_store_set_warned (self->q->store, self->entry);
    }
    if (self->n_notices > 1)
        record_sent (self);
}

void
hk_active_settle (Active *self)
{
    self->is_settling = true;
    hk_active_withdraw (self);
    if (self->is_deleted) {
        remove_message (self);
        return;
    }
    if (!self->is_held) {
        hk_promise_expire (self);
        expire (self);
    }
    self->n_notices = 1; /* ours: until all are begun */
    write_notices (self);
    hk_active_noticed (self);
}

/* The sender could not be told: the recipient stays, and is tried again. */
static void
take_back_bounces (Active *self)
{
    for (size_t i = 0; i < self->envelope->n_recipients; i++) {
        Recipient *recipient = &self->recipients[i];
        if (recipient->status != HK_STATUS_BOUNCED || recipient->is_old)
            continue;
        recipient->status = HK_STATUS_DEFERRED;
        if (recipient->report != NULL && recipient->report->dsn[0] == '5')
            recipient->report->dsn[0] = '4';
    }
}

void
hk_active_noticed (Active *self)
{
    if (--self->n_notices > 0)
        return;
    if (self->notice_failed)
        take_back_bounces (self);
    bool is_finished = true;
    for (size_t i = 0; i < self->envelope->n_recipients; i++)
        is_finished = is_finished && self->recipients[i].status != 0 &&
                      self->recipients[i].status != HK_STATUS_DEFERRED;
    if (is_finished || self->is_deleted)
        remove_message (self);
    else
        defer_message (self);
}
