/* active.c: messages under way: how they begin, what is known of their recipients. */
#include "config.h"

#include "base/log.h"
#include "qmgr/qmgr_priv.h"

Report *
hk_report_new (HkSpan dsn, HkSpan text, HkSpan diagnostic, HkSpan remote)
{
    Report *self = g_malloc (sizeof *self + text.size + diagnostic.size + remote.size);
    uint8_t *at = (uint8_t *) (self + 1);
    HkSpan *to[] = {&self->text, &self->diagnostic, &self->remote};
    HkSpan from[] = {text, diagnostic, remote};
    for (size_t i = 0; i < G_N_ELEMENTS (to); i++) {
        if (from[i].size > 0)
            memcpy (at, from[i].data, from[i].size);
        *to[i] = hk_span (at, from[i].size);
        at += from[i].size;
    }
    size_t n = MIN (dsn.size, sizeof self->dsn - 1);
    if (n > 0)
        memcpy (self->dsn, dsn.data, n);
    self->dsn[n] = '\0';
    return self;
}

char *
hk_active_id (const Active *self, char out[HK_QUEUE_ID_TEXT])
{
    return hk_queue_id_format (self->id, out);
}

Active *
hk_active_find (Qmgr *q, HkQueueId id)
{
    return g_hash_table_lookup (q->active, &id);
}

/* ---- log lines
 * ------------------------------------------------------------------------------ */

void
hk_active_log_start (Active *self)
{
    if (self->q->events == NULL)
        return;
    char id[HK_QUEUE_ID_TEXT];
    HkEvent event = {.kind = HK_EVENT_ACTIVE, .agent = "qmgr", .level = HK_LOG_INFO};
    hk_event_text (&event, HK_PROP_QUEUE_ID, hk_span_text (hk_active_id (self, id)));
    hk_event_text (&event, HK_PROP_SENDER, self->envelope->sender);
    hk_event_number (&event, HK_PROP_SIZE, (int64_t) self->content_size);
    hk_event_number (&event, HK_PROP_RECIPIENT_COUNT,
                     (int64_t) self->envelope->n_recipients);
    hk_events_emit (self->q->events, &event);
}

void
hk_active_log (Active *self, size_t i, const char *agent, const char *status,
               const char *dsn, HkSpan text)
{
    if (self->q->events == NULL)
        return;
    if (self->probe != NULL)
        status = hk_probe_word (self, status);
    const HkRecipient *recipient = &self->envelope->recipients[i];
    int64_t now = hk_wall_us (self->q->clock), arrival = self->envelope->arrival_us;
    char id[HK_QUEUE_ID_TEXT];
    HkEvent event = {.kind = HK_EVENT_DELIVERY, .agent = agent, .level = HK_LOG_INFO};
    hk_event_text (&event, HK_PROP_QUEUE_ID, hk_span_text (hk_active_id (self, id)));
    hk_event_text (&event, HK_PROP_RECIPIENT, recipient->address);
    if (recipient->original.size > 0 &&
        !hk_span_equal (recipient->original, recipient->address))
        hk_event_text (&event, HK_PROP_ORIG_RECIPIENT, recipient->original);
    hk_event_text (&event, HK_PROP_RELAY, HK_SPAN ("none"));
    hk_event_number (&event, HK_PROP_DELAY_US, MAX (now - arrival, 0));
    hk_event_number (&event, HK_PROP_DELAY_QUEUE_US, MAX (self->active_us - arrival, 0));
    hk_event_number (&event, HK_PROP_DELAY_MANAGER_US, MAX (now - self->active_us, 0));
    hk_event_number (&event, HK_PROP_DELAY_CONNECT_US, 0);
    hk_event_number (&event, HK_PROP_DELAY_XMIT_US, 0);
    hk_event_text (&event, HK_PROP_DSN, hk_span_text (dsn));
    hk_event_text (&event, HK_PROP_STATUS, hk_span_text (status));
    hk_event_text (&event, HK_PROP_TEXT, text);
    hk_events_emit (self->q->events, &event);
}

/* ---- recipients
 * ----------------------------------------------------------------------------- */

void
hk_active_set (Active *self, size_t i, int status, unsigned flags, Report *report)
{
    Recipient *recipient = &self->recipients[i];
    g_free (recipient->report);
    recipient->report = report;
    recipient->status = (uint8_t) status;
    recipient->flags = (uint8_t) flags;
    if (self->probe != NULL) /* counted as such */
        return;
    hk_stats_add (status == HK_STATUS_SENT      ? self->q->count.sent
                  : status == HK_STATUS_BOUNCED ? self->q->count.bounced
                                                : self->q->count.deferrals,
                  1);
}

void
hk_active_defer (Active *self, size_t i, const char *dsn, const char *text)
{
    HkSpan reason = hk_span_text (text);
    hk_active_log (self, i, "error", "deferred", dsn, reason);
    hk_active_set (self, i, HK_STATUS_DEFERRED, 0,
                   hk_report_new (hk_span_text (dsn), reason, HK_SPAN_NONE, HK_SPAN_NONE));
}

void
hk_active_bounce (Active *self, size_t i, const char *dsn, const char *text)
{
    if (self->q->params.soft_bounce && self->probe == NULL) {
        g_autofree char *soft = g_strdup (dsn);
        if (soft[0] == '5')
            soft[0] = '4';
        hk_active_defer (self, i, soft, text);
        return;
    }
    HkSpan reason = hk_span_text (text);
    hk_active_log (self, i, "error", "bounced", dsn, reason);
    hk_active_set (self, i, HK_STATUS_BOUNCED, 0,
                   hk_report_new (hk_span_text (dsn), reason, HK_SPAN_NONE, HK_SPAN_NONE));
}

/* ---- beginning
 * ------------------------------------------------------------------------------ */

static void
take_states (Active *self, const HkRecipientState *states)
{
    for (size_t i = 0; states != NULL && i < self->envelope->n_recipients; i++) {
        Recipient *recipient = &self->recipients[i];
        if (states[i].status == HK_STATUS_SENT || states[i].status == HK_STATUS_BOUNCED) {
            recipient->status = states[i].status;
            recipient->is_recorded = recipient->is_old = true;
        } else if (states[i].reason.size > 0) {
            recipient->report =
                hk_report_new (states[i].dsn, states[i].reason, HK_SPAN_NONE, HK_SPAN_NONE);
        }
    }
}

/* An admin wants it back: no attempt, the last reason is the reason. */
static void
expire_now (Active *self)
{
    for (size_t i = 0; i < self->envelope->n_recipients; i++) {
        Recipient *recipient = &self->recipients[i];
        if (recipient->status != 0)
            continue;
        recipient->status = HK_STATUS_DEFERRED;
        if (recipient->report == NULL)
            recipient->report = hk_report_new (
                HK_SPAN ("4.7.0"), HK_SPAN ("message is administratively expired"),
                HK_SPAN_NONE, HK_SPAN_NONE);
    }
    self->n_routed = self->envelope->n_recipients;
}

/* Takes ENVELOPE. */
static Active *
active_new (Qmgr *q, HkEntry *entry, HkEnvelope *envelope, const HkRecipientState *states,
            bool was_deferred)
{
    Active *self =
        g_malloc0 (sizeof *self + envelope->n_recipients * sizeof self->recipients[0]);
    self->id = entry->id;
    self->q = q;
    self->entry = entry;
    self->envelope = envelope;
    self->active_us = hk_wall_us (q->clock);
    self->was_deferred = was_deferred;
    self->sched = hk_sched_message_new (q->sched, self);
    hk_sched_message_order (self->sched, envelope->priority,
                            hk_promise_is_verp (envelope));
    g_hash_table_insert (q->active, &self->id, self);
    q->n_active_deferred += was_deferred;
    q->n_active_recipients += envelope->n_recipients;
    take_states (self, states);
    return self;
}

static void
active_start (Active *self)
{
    hk_active_log_start (self);
    if (self->entry->is_forced_expire)
        expire_now (self);
    else
        hk_promise_start (self);
    if (self->n_routed < self->envelope->n_recipients) {
        g_queue_push_tail (&self->q->to_route, self);
        self->route_link = self->q->to_route.tail;
    }
    hk_qmgr_wake (self->q);
    hk_active_check (self);
}

bool
hk_qmgr_has_room (const Qmgr *q)
{
    guint n = g_hash_table_size (q->active);
    return !q->is_draining && n < q->params.active_limit &&
           (n == 0 || q->n_active_recipients < q->params.recipient_limit);
}

static void
quarantine (Qmgr *q, HkEntry *entry, const GError *error)
{
    hk_heap_remove (&q->deferred, entry);
    hk_store_quarantine (q->store, entry, error);
    hk_qmgr_wake (q);
}

/* A fresh message whose envelope is at hand (taken).  Its content is the end of its record,
 * or in a file of its own. */
static void
start_fresh (Qmgr *q, HkEntry *entry, const HkLocation *where, uint64_t content_size,
             HkEnvelope *envelope)
{
    if (envelope->flags & HK_ENVELOPE_HOLD) {
        hk_envelope_free (envelope);
        hk_store_set_queue (q->store, entry, HK_QUEUE_HOLD);
        return;
    }
    if (hk_promise_is_early (q, entry, envelope)) {
        hk_promise_wait (q, entry, envelope, NULL);
        hk_envelope_free (envelope);
        return;
    }
    g_autoptr (GError) error = NULL;
    hk_store_set_queue (q->store, entry, HK_QUEUE_ACTIVE);
    SegmentFile *segment = NULL;
    if (!entry->has_file) {
        segment = hk_segment_file_get (q, entry, &error);
        if (segment == NULL)
            hk_log (HK_LOG_WARNING, "%s", error->message);
    }
    Active *self = active_new (q, entry, envelope, NULL, false);
    self->segment = segment;
    self->content_size = content_size;
    self->content_offset = where->offset + where->length - content_size;
    active_start (self);
}

/* Who waits already goes first; but a letter does not wait for a message that fills the
 * room for recipients. */
static bool
may_start (const Qmgr *q, const HkEnvelope *envelope)
{
    if (envelope->n_recipients <= q->params.recipient_minimum)
        return !q->is_draining && g_hash_table_size (q->active) < q->params.active_limit;
    return q->fresh.n == 0 && hk_qmgr_has_room (q);
}

bool
hk_qmgr_admit (Qmgr *q, const HkLocation *where, uint64_t content_size, HkSpan packed)
{
    g_autoptr (GBytes) bytes = g_bytes_new (packed.data, packed.size);
    HkEnvelope *envelope = hk_envelope_unpack (bytes);
    if (envelope == NULL)
        return false;
    if (envelope->flags & HK_ENVELOPE_PROBE) { /* of our own jobs only */
        hk_envelope_free (envelope);
        return false;
    }
    HkEntry *entry = hk_store_admit (q->store, envelope->queue_id, where, content_size);
    if (entry == NULL) { /* known already */
        hk_envelope_free (envelope);
        return true;
    }
    hk_stats_add (q->count.accepted, 1);
    hk_qmgr_wake (q);
    if (may_start (q, envelope)) {
        start_fresh (q, entry, where, content_size, envelope);
        return true;
    }
    hk_ring_push (&q->fresh, entry->id);
    hk_envelope_free (envelope);
    return true;
}

void
hk_qmgr_enqueue (HkEntry *entry, void *data)
{
    Qmgr *q = data;
    if (entry->queue == HK_QUEUE_ACTIVE)
        hk_store_set_queue (q->store, entry,
                            entry->attempts > 0 ? HK_QUEUE_DEFERRED : HK_QUEUE_INCOMING);
    if (entry->queue == HK_QUEUE_DEFERRED)
        hk_heap_add (&q->deferred, entry);
    else if (entry->queue == HK_QUEUE_INCOMING)
        hk_ring_push (&q->fresh, entry->id);
    hk_qmgr_wake (q);
}

/* ---- from disk
 * -------------------------------------------------------------------------------- */

static void
put_back (Qmgr *q, HkEntry *entry, HkQueueName queue, const GError *error)
{
    char id[HK_QUEUE_ID_TEXT];
    hk_log (HK_LOG_WARNING, "%s: cannot be read now: %s",
            hk_queue_id_format (entry->id, id), error->message);
    hk_store_set_queue (q->store, entry, queue);
    hk_store_set_next_attempt (q->store, entry,
                               hk_qmgr_now_s (q) + q->params.minimal_backoff);
    if (queue == HK_QUEUE_INCOMING)
        hk_store_set_queue (q->store, entry, HK_QUEUE_DEFERRED);
    hk_heap_add (&q->deferred, entry);
}

static void
start_stored (Qmgr *q, HkEntry *entry)
{
    g_autoptr (GError) error = NULL;
    HkQueueName queue = (HkQueueName) entry->queue;
    hk_heap_remove (&q->deferred, entry);
    hk_store_set_queue (q->store, entry, HK_QUEUE_ACTIVE);
    g_autoptr (HkStoredMessage) stored = hk_store_load (q->store, entry, &error);
    if (stored == NULL) {
        if (g_error_matches (error, HK_STORE_ERROR, HK_STORE_ERROR_CORRUPT) ||
            g_error_matches (error, HK_STORE_ERROR, HK_STORE_ERROR_ABSENT))
            quarantine (q, entry, error);
        else
            put_back (q, entry, queue, error);
        return;
    }
    if (queue == HK_QUEUE_INCOMING && (stored->envelope->flags & HK_ENVELOPE_HOLD)) {
        hk_store_set_queue (q->store, entry, HK_QUEUE_HOLD);
        return;
    }
    if (hk_promise_is_early (q, entry, stored->envelope)) {
        hk_promise_wait (q, entry, stored->envelope,
                         queue == HK_QUEUE_INCOMING ? NULL : stored->states);
        return;
    }
    SegmentFile *segment = NULL;
    if (entry->segment != 0 && !entry->has_file)
        segment = hk_segment_file_get (q, entry, NULL);
    Active *self =
        active_new (q, entry, stored->envelope, stored->states, queue == HK_QUEUE_DEFERRED);
    stored->envelope = NULL;
    self->segment = segment;
    self->content_offset = stored->content_offset;
    self->content_size = stored->content_size;
    active_start (self);
}

static HkEntry *
next_fresh (Qmgr *q)
{
    HkQueueId id;
    while (hk_ring_pop (&q->fresh, &id)) {
        HkEntry *entry = hk_store_find (q->store, id);
        if (entry != NULL && entry->queue == HK_QUEUE_INCOMING)
            return entry;
    }
    return NULL;
}

/* Deferred mail leaves a fifth of the room to fresh mail. */
static HkEntry *
next_deferred (Qmgr *q)
{
    HkEntry *entry = hk_heap_first (&q->deferred);
    if (entry == NULL || entry->next_attempt > hk_qmgr_now_s (q) ||
        q->n_active_deferred >= q->params.active_limit - q->params.active_limit / 5)
        return NULL;
    return entry;
}

void
hk_qmgr_activate (Qmgr *q, unsigned n)
{
    for (; n > 0 && hk_qmgr_has_room (q); n--) {
        HkEntry *entry = q->prefer_deferred ? next_deferred (q) : next_fresh (q);
        if (entry == NULL)
            entry = q->prefer_deferred ? next_fresh (q) : next_deferred (q);
        if (entry == NULL)
            return;
        q->prefer_deferred = !q->prefer_deferred;
        start_stored (q, entry);
    }
}

/* ---- end
 * ----------------------------------------------------------------------------------------
 */

void
hk_active_withdraw (Active *self)
{
    hk_qmgr_unroute (self);
    hk_sched_message_withdraw (self->sched);
}

void
hk_active_check (Active *self)
{
    if (self->probe != NULL) {
        hk_probe_check (self);
        return;
    }
    if (self->is_settling || self->is_routing || self->q->is_ending ||
        hk_sched_message_running (self->sched) > 0)
        return;
    if (!self->is_deleted && !self->is_held &&
        (self->n_routed < self->envelope->n_recipients ||
         hk_sched_message_pending (self->sched) > 0))
        return;
    hk_active_settle (self);
}

void
hk_active_free (Active *self)
{
    Qmgr *q = self->q;
    hk_active_withdraw (self);
    hk_sched_message_free (self->sched);
    g_hash_table_remove (q->active, &self->id);
    q->n_active_deferred -= self->was_deferred;
    q->n_active_recipients -= self->envelope->n_recipients;
    if (self->segment != NULL)
        hk_segment_file_put (self->segment);
    for (size_t i = 0; i < self->envelope->n_recipients; i++)
        g_free (self->recipients[i].report);
    hk_envelope_free (self->envelope);
    g_free (self);
    hk_qmgr_wake (q);
}
