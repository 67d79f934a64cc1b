/* outcome.c: what became of a recipient, as a log event and as a frame. */
#include "config.h"

#include "deliver_priv.h"

/* As bounce(8) has it for address probes. */
static const char *
probe_word (const HkDeliver *deliver, int status)
{
    if (status == HK_STATUS_SENT || status == HK_STATUS_FORWARDED)
        return "deliverable";
    return deliver->forgets_failed_probes ? "undeliverable-but-not-cached"
                                          : "undeliverable";
}

static const char *
status_word (const HkDeliver *deliver, const HkEnvelope *envelope, int status)
{
    if (envelope->flags & HK_ENVELOPE_PROBE)
        return probe_word (deliver, status);
    switch (status) {
    case HK_STATUS_SENT:
    case HK_STATUS_FORWARDED:
        return "sent";
    case HK_STATUS_BOUNCED:
        return "bounced";
    default:
        return "deferred";
    }
}

void
hk_outcome_emit (HkDeliver *deliver, const HkJob *job, const char *queue_id, size_t i,
                 const HkOutcome *outcome, int64_t started_us)
{
    if (deliver->events == NULL)
        return;
    const HkEnvelope *envelope = hk_job_envelope (job);
    const HkRecipient *recipient = &envelope->recipients[i];
    int64_t now = hk_wall_us (hk_loop_clock (deliver->loop));
    int64_t active = hk_job_active_us (job);
    int64_t arrival = envelope->arrival_us;
    HkEvent event = {
        .kind = HK_EVENT_DELIVERY, .agent = deliver->transport.agent, .level = HK_LOG_INFO};
    hk_event_text (&event, HK_PROP_QUEUE_ID, hk_span_text (queue_id));
    hk_event_text (&event, HK_PROP_RECIPIENT, recipient->address);
    if (recipient->original.size > 0 &&
        !hk_span_equal (recipient->original, recipient->address))
        hk_event_text (&event, HK_PROP_ORIG_RECIPIENT, recipient->original);
    hk_event_text (&event, HK_PROP_RELAY,
                   outcome->relay.size > 0 ? outcome->relay : HK_SPAN ("none"));
    if (outcome->conn_use > 1)
        hk_event_number (&event, HK_PROP_CONN_USE, outcome->conn_use);
    int64_t connect = MAX (outcome->connect_us, 0);
    int64_t transmit = outcome->transmit_us > 0 || connect > 0
                           ? MAX (outcome->transmit_us, 0)
                           : MAX (now - started_us, 0);
    hk_event_number (&event, HK_PROP_DELAY_US, MAX (now - arrival, 0));
    hk_event_number (&event, HK_PROP_DELAY_QUEUE_US, MAX (active - arrival, 0));
    hk_event_number (&event, HK_PROP_DELAY_MANAGER_US, MAX (started_us - active, 0));
    hk_event_number (&event, HK_PROP_DELAY_CONNECT_US, connect);
    hk_event_number (&event, HK_PROP_DELAY_XMIT_US, transmit);
    hk_event_text (&event, HK_PROP_DSN, outcome->dsn);
    hk_event_text (&event, HK_PROP_STATUS, hk_span_text (status_word (deliver, envelope, outcome->status)));
    hk_event_text (&event, HK_PROP_TEXT, outcome->text);
    hk_events_emit (deliver->events, &event);
}

void
hk_outcome_pack (GByteArray *out, uint64_t job, size_t i, const HkOutcome *outcome)
{
    hk_pack_u64 (out, job);
    hk_pack_u64 (out, i);
    hk_pack_u64 (out, (uint64_t) outcome->status);
    hk_pack_u64 (out, outcome->flags);
    hk_pack_span (out, outcome->dsn);
    hk_pack_span (out, outcome->text);
    hk_pack_span (out, outcome->relay);
    hk_pack_span (out, outcome->diagnostic);
    hk_pack_span (out, outcome->remote);
    /* From here on between a child and its parent only; qmgr skips it. */
    hk_pack_u64 (out, outcome->n_forward);
    if (outcome->n_forward == 0)
        return;
    hk_pack_span (out, outcome->forward_sender);
    hk_pack_span (out, outcome->forward_header);
    for (size_t k = 0; k < outcome->n_forward; k++)
        hk_pack_span (out, outcome->forward[k]);
}

bool
hk_outcome_unpack (HkUnpack *in, HkArena *arena, HkOutcome *out)
{
    *out = (HkOutcome){0};
    uint64_t status = hk_unpack_u64 (in);
    out->status = (int) MIN (status, 100);
    out->flags = (uint32_t) hk_unpack_u64 (in);
    out->dsn = hk_unpack_span (in);
    out->text = hk_unpack_span (in);
    out->relay = hk_unpack_span (in);
    out->diagnostic = hk_unpack_span (in);
    out->remote = hk_unpack_span (in);
    uint64_t n = hk_unpack_u64 (in);
    if (in->failed || n > (size_t) (in->end - in->at))
        return false;
    if (n == 0)
        return true;
    out->forward_sender = hk_unpack_span (in);
    out->forward_header = hk_unpack_span (in);
    HkSpan *list = hk_arena_alloc (arena, (size_t) n * sizeof *list);
    for (uint64_t k = 0; k < n; k++)
        list[k] = hk_unpack_span (in);
    out->forward = list;
    out->n_forward = (size_t) n;
    return !in->failed;
}
