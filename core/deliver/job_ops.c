/* job_ops.c: what a transport plugin learns about its job and says about it. */
#include "config.h"

#include "job_priv.h"

#include "base/text.h"

static HkAnswer
give (HkSpan value, HkSpan *out)
{
    if (value.size == 0)
        return HK_ABSENT;
    *out = value;
    return HK_FOUND;
}

static HkSpan
by_mode (const HkEnvelope *e)
{
    bool is_traced = (e->flags & HK_ENVELOPE_BY_TRACE) != 0;
    if (e->flags & HK_ENVELOPE_BY_RETURN)
        return is_traced ? HK_SPAN ("RT") : HK_SPAN ("R");
    if (e->flags & HK_ENVELOPE_BY_NOTIFY)
        return is_traced ? HK_SPAN ("NT") : HK_SPAN ("N");
    return HK_SPAN_NONE;
}

static HkAnswer
job_prop (HkCall *call, uint32_t id, HkSpan *out)
{
    const HkJob *job = call->subject;
    const HkEnvelope *e = job->envelope;
    switch (id) {
    case HK_PROP_SENDER:
        *out = e->sender; /* empty: the null sender */
        return HK_FOUND;
    case HK_PROP_QUEUE_ID:
        return give (hk_span_text (job->queue_id), out);
    case HK_PROP_NEXTHOP:
        return give (job->nexthop, out);
    case HK_PROP_TRANSPORT:
    case HK_PROP_SERVICE:
        return give (hk_span_text (job->deliver->transport.service), out);
    case HK_PROP_ENVID:
        return give (e->envid, out);
    case HK_PROP_DSN_RET:
        return give (e->flags & HK_ENVELOPE_RET_FULL   ? HK_SPAN ("FULL")
                     : e->flags & HK_ENVELOPE_RET_HDRS ? HK_SPAN ("HDRS")
                                                       : HK_SPAN_NONE,
                     out);
    case HK_PROP_ENCODING:
        *out = e->flags & HK_ENVELOPE_BODY_BINARY ? HK_SPAN ("binary")
               : (e->flags & HK_ENVELOPE_BODY_8BIT) || (e->content_flags & HK_CONTENT_8BIT)
                   ? HK_SPAN ("8bit")
                   : HK_SPAN ("7bit");
        return HK_FOUND;
    case HK_PROP_MESSAGE_ID:
        return give (e->message_id, out);
    case HK_PROP_CLIENT_NAME:
        return give (e->client_name, out);
    case HK_PROP_CLIENT_ADDRESS:
        return give (e->client_address, out);
    case HK_PROP_HELO_NAME:
        return give (e->client_helo, out);
    case HK_PROP_CLIENT_PROTOCOL:
    case HK_PROP_PROTOCOL:
        return give (e->client_protocol, out);
    case HK_PROP_SASL_METHOD:
        return give (e->sasl_method, out);
    case HK_PROP_SASL_USERNAME:
        return give (e->sasl_username, out);
    case HK_PROP_SASL_SENDER:
        return give (e->sasl_sender, out);
    case HK_PROP_DELIVER_BY_MODE:
        return give (by_mode (e), out);
    default:
        return HK_ABSENT;
    }
}

static HkAnswer
job_prop_int (HkCall *call, uint32_t id, int64_t *out)
{
    const HkJob *job = call->subject;
    const HkEnvelope *e = job->envelope;
    uint64_t port;
    switch (id) {
    case HK_PROP_PROBE:
        *out = 1;
        return e->flags & HK_ENVELOPE_PROBE ? HK_FOUND : HK_ABSENT;
    case HK_PROP_SIZE:
        *out = (int64_t) job->size;
        return HK_FOUND;
    case HK_PROP_ARRIVAL_US:
        *out = e->arrival_us;
        return HK_FOUND;
    case HK_PROP_SMTPUTF8:
        *out = (e->flags & HK_ENVELOPE_SMTPUTF8) != 0;
        return HK_FOUND;
    case HK_PROP_CONTENT_FLAGS:
        *out = e->content_flags;
        return HK_FOUND;
    case HK_PROP_RECIPIENT_COUNT:
        *out = (int64_t) job->n_visible;
        return HK_FOUND;
    case HK_PROP_RETRIES:
        *out = job->retries;
        return HK_FOUND;
    case HK_PROP_UID:
        *out = e->uid;
        return e->flags & HK_ENVELOPE_LOCAL ? HK_FOUND : HK_ABSENT;
    case HK_PROP_DELIVER_BY_US:
        *out = e->deliver_by_us;
        return e->flags & HK_ENVELOPE_BY ? HK_FOUND : HK_ABSENT;
    case HK_PROP_MT_PRIORITY:
        *out = e->priority;
        return e->priority != 0 ? HK_FOUND : HK_ABSENT;
    case HK_PROP_REQUIRE_TLS:
        *out = (e->flags & HK_ENVELOPE_REQUIRE_TLS) != 0;
        return HK_FOUND;
    case HK_PROP_TLS_OPTIONAL:
        *out = (e->flags & HK_ENVELOPE_TLS_OPTIONAL) != 0;
        return HK_FOUND;
    case HK_PROP_CLIENT_PORT:
        if (!hk_text_parse_u64 (e->client_port, 65535, &port))
            return HK_ABSENT;
        *out = (int64_t) port;
        return HK_FOUND;
    default:
        return HK_ABSENT;
    }
}

static uint64_t
job_content_size (HkCall *call)
{
    const HkJob *job = call->subject;
    return job->size;
}

static HkSpan
content_of (const HkJob *job)
{
    if (job->content == NULL) /* a probe */
        return HK_SPAN ("");
    return hk_span (hk_content_data (job->content) + job->offset, (size_t) job->size);
}

static HkAnswer
job_content_read (HkCall *call, uint64_t offset, void *buffer, size_t size,
                  size_t *out_size)
{
    HkSpan part = hk_span_sub (content_of (call->subject), (size_t) offset, size);
    if (part.size > 0)
        memcpy (buffer, part.data, part.size);
    *out_size = part.size;
    return HK_OK;
}

static HkAnswer
job_content_map (HkCall *call, HkSpan *out)
{
    *out = content_of (call->subject);
    return HK_OK;
}

static size_t
job_n_recipients (HkCall *call)
{
    const HkJob *job = call->subject;
    return job->n_visible;
}

static HkAnswer
job_recipient_prop (HkCall *call, size_t i, uint32_t id, HkSpan *out)
{
    const HkJob *job = call->subject;
    /* While `user` is asked, the index is the recipient's own: nothing is hidden yet. */
    if (i >= job->envelope->n_recipients)
        return HK_ABSENT;
    size_t at = i < job->n_visible ? job->visible[i] : i;
    const HkRecipient *r = &job->envelope->recipients[at];
    switch (id) {
    case HK_PROP_RECIPIENT:
        return give (r->address, out);
    case HK_PROP_ORIG_RECIPIENT:
        return give (r->original.size > 0 ? r->original : r->address, out);
    case HK_PROP_DSN_ORCPT:
        return give (r->orcpt, out);
    case HK_PROP_USER_ANSWER:
        return job->notes == NULL ? HK_ABSENT : give (job->notes[at], out);
    default:
        return HK_ABSENT;
    }
}

static HkAnswer
job_recipient_prop_int (HkCall *call, size_t i, uint32_t id, int64_t *out)
{
    const HkJob *job = call->subject;
    if (i >= job->n_visible || id != HK_PROP_DSN_NOTIFY)
        return HK_ABSENT;
    *out = job->envelope->recipients[job->visible[i]].notify;
    return HK_FOUND;
}

static void
job_result (HkCall *call, size_t i, const HkResult *r)
{
    HkJob *job = call->subject;
    if (i >= job->n_visible)
        return;
    HkOutcome outcome = {
        .status = r->status,
        .flags = r->flags,
        .conn_use = r->conn_use,
        .dsn = r->dsn,
        .text = r->text,
        .relay = r->relay,
        .diagnostic = r->diagnostic,
        .remote = r->remote,
        .connect_us = r->connect_us,
        .transmit_us = r->transmit_us,
    };
    if (r->size >= offsetof (HkResult, forward_header) + sizeof r->forward_header) {
        outcome.forward = r->forward;
        outcome.n_forward = r->n_forward;
        outcome.forward_sender = r->forward_sender;
        outcome.forward_header = r->forward_header;
    }
    hk_job_set_outcome (job, job->visible[i], &outcome);
}

static void
job_complete (HkCall *call)
{
    hk_job_complete (call->subject);
}

static HkAnswer
job_make_durable (HkCall *call, const int32_t *fds, size_t n_fds)
{
    g_autoptr (GError) error = NULL;
    if (hk_durable_sync (fds, n_fds, &error))
        return HK_OK;
    if (call->reason == NULL)
        call->reason = g_string_new (NULL);
    g_string_assign (call->reason, error->message);
    return HK_LATER;
}

const HkCallOps hk_job_ops = {
    .prop = job_prop,
    .prop_int = job_prop_int,
    .content_size = job_content_size,
    .content_read = job_content_read,
    .content_map = job_content_map,
    .n_recipients = job_n_recipients,
    .recipient_prop = job_recipient_prop,
    .recipient_prop_int = job_recipient_prop_int,
    .result = job_result,
    .complete = job_complete,
    .make_durable = job_make_durable,
};

const HkEnvelope *
hk_job_envelope (const HkJob *self)
{
    return self->envelope;
}

int64_t
hk_job_active_us (const HkJob *self)
{
    return self->active_us;
}
