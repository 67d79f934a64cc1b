/* promise.c: what the sender asked of us with the message: not to release it before a time
 * (RFC 4865), to deliver it until a time (RFC 2852), to give each recipient a sender address
 * of its own (VERP). */
#include "config.h"

#include "base/log.h"
#include "mail/header.h"
#include "mail/verp.h"
#include "qmgr/qmgr_priv.h"

/* ---- not before -------------------------------------------------------------------------
 */

int64_t
hk_promise_origin_s (const HkEnvelope *envelope)
{
    return MAX (envelope->arrival_us / HK_SECOND, envelope->release_s);
}

bool
hk_promise_is_early (const Qmgr *q, const HkEntry *entry, const HkEnvelope *envelope)
{
    return envelope->release_s > hk_qmgr_now_s (q) && !entry->is_forced_expire;
}

void
hk_promise_wait (Qmgr *q, HkEntry *entry, const HkEnvelope *envelope,
                 const HkRecipientState *known)
{
    size_t n = envelope->n_recipients;
    g_autofree HkRecipientState *states = g_new0 (HkRecipientState, n);
    g_autoptr (GString) reason = g_string_new ("to be released at ");
    hk_header_append_date (reason, envelope->release_s * HK_SECOND);
    g_string_append (reason, ", as its sender asked");
    for (size_t i = 0; i < n; i++) {
        if (known != NULL)
            states[i] = known[i];
        if (states[i].status == 0)
            states[i] = (HkRecipientState){0, HK_SPAN ("4.0.0"), hk_span_string (reason)};
    }
    if (known == NULL) {
        char id[HK_QUEUE_ID_TEXT];
        hk_log (HK_LOG_INFO, "%s: %s", hk_queue_id_format (entry->id, id), reason->str);
    }
    hk_store_defer (q->store, entry, states, n, envelope->release_s);
    hk_heap_add (&q->deferred, entry);
    hk_qmgr_wake (q);
}

/* ---- until ------------------------------------------------------------------------------
 */

#define EXPIRED "delivery time expired"

static bool
is_over (const Active *self, uint32_t mode)
{
    return (self->envelope->flags & mode) &&
           hk_wall_us (self->q->clock) >= self->envelope->deliver_by_us;
}

bool
hk_promise_is_too_late (const Active *self)
{
    return is_over (self, HK_ENVELOPE_BY_RETURN);
}

void
hk_promise_bounce (Active *self, size_t i)
{
    hk_active_bounce (self, i, "5.4.7", EXPIRED);
}

bool
hk_promise_start (Active *self)
{
    if (!hk_promise_is_too_late (self))
        return false;
    for (size_t i = 0; i < self->envelope->n_recipients; i++)
        if (self->recipients[i].status == 0)
            hk_promise_bounce (self, i);
    self->n_routed = self->envelope->n_recipients;
    return true;
}

void
hk_promise_expire (Active *self)
{
    if (!hk_promise_is_too_late (self) || self->q->params.soft_bounce)
        return;
    for (size_t i = 0; i < self->envelope->n_recipients; i++) {
        const Report *last = self->recipients[i].report;
        if (self->recipients[i].status != HK_STATUS_DEFERRED)
            continue;
        g_autofree char *text =
            last == NULL ? g_strdup (EXPIRED)
                         : g_strdup_printf (EXPIRED ": %.*s", HK_SPAN_ARG (last->text));
        Report *report = hk_report_new (HK_SPAN ("5.4.7"), hk_span_text (text),
                                        last != NULL ? last->diagnostic : HK_SPAN_NONE,
                                        last != NULL ? last->remote : HK_SPAN_NONE);
        hk_active_log (self, i, "qmgr", "bounced", "5.4.7", hk_span_text (text));
        hk_active_set (self, i, HK_STATUS_BOUNCED, 0, report);
    }
}

bool
hk_promise_wants_delay_notice (const Active *self)
{
    return is_over (self, HK_ENVELOPE_BY_NOTIFY) && !self->entry->was_by_told &&
           self->envelope->sender.size > 0;
}

int64_t
hk_promise_next_s (const Active *self, int64_t next_s)
{
    const HkEnvelope *e = self->envelope;
    bool is_waited_for = (e->flags & HK_ENVELOPE_BY_RETURN) ||
                         ((e->flags & HK_ENVELOPE_BY_NOTIFY) && !self->entry->was_by_told);
    if (!is_waited_for)
        return next_s;
    /* The whole second after it: then it is over. */
    int64_t until_s = e->deliver_by_us / HK_SECOND + 1;
    return MIN (next_s, MAX (until_s, hk_qmgr_now_s (self->q) + 1));
}

/* ---- VERP (VERP_README) -----------------------------------------------------------------
 */

bool
hk_promise_is_verp (const HkEnvelope *envelope)
{
    return envelope->verp.size == 2 && envelope->sender.size > 0;
}

void
hk_promise_verp_sender (const HkEnvelope *envelope, size_t i, GString *out)
{
    const HkRecipient *r = &envelope->recipients[i];
    hk_verp_append_sender (out, envelope->sender,
                           r->original.size > 0 ? r->original : r->address,
                           (const char *) envelope->verp.data);
}
