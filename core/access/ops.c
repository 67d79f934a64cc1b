/* ops.c: what a restriction may ask the host while it runs: the session, routing, lists. */
#include "access/access_priv.h"

#include "base/log.h"

static HkAnswer
give (HkSpan value, HkSpan *out)
{
    if (value.size == 0)
        return HK_ABSENT;
    *out = value;
    return HK_FOUND;
}

/* The null sender is there and empty. */
static HkAnswer
give_if (bool is_known, HkSpan value, HkSpan *out)
{
    if (!is_known)
        return HK_UNKNOWN;
    *out = value.data == NULL ? hk_span ("", 0) : value;
    return HK_FOUND;
}

static HkAnswer
give_reply_subject (HkAccessRun *run, HkSpan *out)
{
    HkReplySubject subject = hk_access_reply_subject (run, NULL);
    if (run->reply_subject == NULL)
        run->reply_subject = g_string_sized_new (128);
    g_string_printf (run->reply_subject, "<%.*s>: %s rejected", HK_SPAN_ARG (subject.name),
                     subject.class);
    *out = hk_span_string (run->reply_subject);
    return HK_FOUND;
}

/* In standard form, as the tables of access(5) know it. */
static HkAnswer
give_standard (HkAccessRun *run, bool is_known, HkSpan address, GString **kept, HkSpan *out)
{
    if (*kept == NULL)
        *kept = g_string_sized_new (128);
    if (is_known && hk_router_standard_form (run->access->router, address, *kept))
        address = hk_span_string (*kept);
    return give_if (is_known, address, out);
}

HkAnswer
hk_access_prop (HkAccessRun *run, uint32_t id, HkSpan *out)
{
    const HkAccessSubject *s = run->subject;
    switch (id) {
    case HK_PROP_SERVICE:
        return give (s->service, out);
    case HK_PROP_STAGE:
        return give (hk_span_text (hk_stage_name (run->stage, s->is_esmtp)), out);
    case HK_PROP_PROTOCOL:
        return give (s->protocol, out);
    case HK_PROP_CLIENT_ADDRESS:
        return give (s->client_address, out);
    case HK_PROP_CLIENT_NAME:
        return give (s->client_name, out);
    case HK_PROP_CLIENT_REVERSE_NAME:
        return give (s->client_reverse_name, out);
    case HK_PROP_SERVER_ADDRESS:
        return give (s->server_address, out);
    case HK_PROP_HELO_NAME:
        return give_if (s->has_helo, s->helo, out);
    case HK_PROP_SENDER:
        return give_if (s->has_sender, s->sender, out);
    case HK_PROP_RECIPIENT:
        return give_if (s->has_recipient, s->recipient, out);
    case HK_PROP_SENDER_STANDARD:
        return give_standard (run, s->has_sender, s->sender, &run->standard_sender, out);
    case HK_PROP_RECIPIENT_STANDARD:
        return give_standard (run, s->has_recipient, s->recipient,
                              &run->standard_recipient, out);
    case HK_PROP_QUEUE_ID:
        return give (s->queue_id, out);
    case HK_PROP_SASL_METHOD:
        return give (s->sasl_method, out);
    case HK_PROP_SASL_USERNAME:
        return give (s->sasl_username, out);
    case HK_PROP_SASL_SENDER:
        return give (s->sasl_sender, out);
    case HK_PROP_TLS_VERSION:
        return give (s->tls_version, out);
    case HK_PROP_TLS_CIPHER:
        return give (s->tls_cipher, out);
    case HK_PROP_TLS_SERVER_NAME:
        return give (s->tls_server_name, out);
    case HK_PROP_TLS_SUBJECT:
        return give (s->tls_subject, out);
    case HK_PROP_TLS_ISSUER:
        return give (s->tls_issuer, out);
    case HK_PROP_TLS_FINGERPRINT:
        return give (s->tls_fingerprint, out);
    case HK_PROP_TLS_KEY_FINGERPRINT:
        return give (s->tls_key_fingerprint, out);
    case HK_PROP_INSTANCE:
        return give (s->instance, out);
    case HK_PROP_ONLY_RECIPIENT:
        return give (s->only_recipient, out);
    case HK_PROP_ETRN_DOMAIN:
        return give (s->etrn_domain, out);
    case HK_PROP_REPLY_SUBJECT:
        return give_reply_subject (run, out);
    default:
        return HK_ABSENT;
    }
}

HkAnswer
hk_access_prop_int (HkAccessRun *run, uint32_t id, int64_t *out)
{
    const HkAccessSubject *s = run->subject;
    switch (id) {
    case HK_PROP_CLIENT_PORT:
        *out = s->client_port;
        return HK_FOUND;
    case HK_PROP_SERVER_PORT:
        *out = s->server_port;
        return HK_FOUND;
    case HK_PROP_RECIPIENT_COUNT:
        *out = (int64_t) s->recipient_count;
        return HK_FOUND;
    case HK_PROP_SIZE:
        *out = (int64_t) s->size;
        return HK_FOUND;
    case HK_PROP_CLIENT_NAME_STATUS:
        *out = s->client_name_code;
        return HK_FOUND;
    case HK_PROP_IMPROPER_PIPELINING:
        *out = s->improper_pipelining;
        return HK_FOUND;
    case HK_PROP_VERIFY_WAIT_US:
        *out = s->verify_wait_us;
        return HK_FOUND;
    case HK_PROP_TLS_BITS:
        *out = s->tls_bits;
        return s->tls_version.size > 0 ? HK_FOUND : HK_ABSENT;
    case HK_PROP_TLS_RESUMED:
        *out = s->tls_is_resumed;
        return s->tls_version.size > 0 ? HK_FOUND : HK_ABSENT;
    case HK_PROP_TLS_TRUSTED:
        *out = s->tls_is_trusted;
        return s->tls_has_certificate ? HK_FOUND : HK_ABSENT;
    default:
        return HK_ABSENT;
    }
}

static HkAnswer
op_prop (HkCall *call, uint32_t id, HkSpan *out)
{
    return hk_access_prop (call->subject, id, out);
}

static HkAnswer
op_prop_int (HkCall *call, uint32_t id, int64_t *out)
{
    return hk_access_prop_int (call->subject, id, out);
}

static HkAnswer
op_action (HkCall *call, HkSpan action, HkSpan subject)
{
    return hk_access_action (call->subject, action, subject);
}

/* A table that does not answer is logged here, where its reason is known. */
static HkAnswer
lookup_failed (const HkAccessRun *run, char *reason)
{
    hk_log (HK_LOG_WARNING, "%s: %s",
            run->step != NULL ? run->step->word : hk_list_parameters[run->list],
            reason != NULL ? reason : "lookup failed");
    g_free (reason);
    return HK_LATER;
}

static HkAnswer
op_destination (HkCall *call, HkSpan address, int32_t *out)
{
    HkAccessRun *run = call->subject;
    char *reason = NULL;
    int class;
    if (hk_router_class (run->access->router, address, &class, &reason) != HK_OK)
        return lookup_failed (run, reason);
    *out = class;
    return HK_OK;
}

static HkAnswer
op_listed (HkCall *call, HkSpan address, HkSpan *out_reason)
{
    HkAccessRun *run = call->subject;
    HkUnlisted unlisted;
    char *reason = NULL;
    if (run->access->takes_unknown)
        return HK_FOUND;
    HkAnswer answer = hk_router_listed (run->access->router, address, &unlisted, &reason);
    if (answer == HK_FOUND && run->subject->has_recipient &&
        hk_span_equal (address, run->subject->recipient))
        run->recipient_known = true;
    if (answer == HK_LATER)
        return lookup_failed (run, reason);
    if (answer == HK_ABSENT) {
        if (run->reason == NULL)
            run->reason = g_string_sized_new (64);
        g_string_printf (run->reason, "%d %s %s", unlisted.code, unlisted.dsn,
                         unlisted.text);
        *out_reason = hk_span_string (run->reason);
    }
    g_free (reason);
    return answer;
}

static HkAnswer
op_match_list (HkCall *call, const char *parameter, HkSpan subject)
{
    HkAccessRun *run = call->subject;
    char *reason = NULL;
    if (strcmp (parameter, "inet_interfaces") == 0)
        return hk_router_is_own_ip (run->access->router, subject) ? HK_FOUND : HK_ABSENT;
    for (size_t i = 0; i < HK_N_NAMED_LISTS; i++) {
        const HkNamedList *named = &run->access->named[i];
        if (strcmp (parameter, named->parameter) != 0)
            continue;
        bool is_client = hk_span_equal (subject, run->subject->client_address);
        HkSpan name = is_client ? run->subject->client_name : subject;
        HkAnswer answer = hk_match_list_find (named->list, name, subject, &reason);
        return answer == HK_FOUND || answer == HK_ABSENT ? answer
                                                         : lookup_failed (run, reason);
    }
    return HK_BROKEN;
}

static void
op_complete (HkCall *call)
{
    HkAccessRun *run = call->subject;
    if (run->task != NULL)
        hk_access_task_complete (run->task);
}

static HkAnswer
op_dns_session (HkCall *call, const char *name, uint16_t type, HkDnsFn fn, void *data)
{
    const HkAccessRun *run = call->subject;
    if (run->subject->dns != NULL)
        return hk_dns_memo_ask (run->subject->dns, name, type, fn, data);
    if (fn != NULL)
        fn (data, HK_DNS_LATER, NULL, 0, "this session does not ask");
    return HK_OK;
}

const HkCallOps hk_access_call_ops = {
    .prop = op_prop,
    .prop_int = op_prop_int,
    .action = op_action,
    .destination = op_destination,
    .listed = op_listed,
    .match_list = op_match_list,
    .complete = op_complete,
    .dns_session = op_dns_session,
};
