/* notice.c: mail about mail: non-delivery, delay and success, to the sender or the
 * postmaster.
 *
 * No loop can arise: a notice to a sender has the null sender; what cannot be delivered of
 * it goes to the postmaster, from the double-bounce address; what comes back to that
 * address, or cannot be delivered from it, is dropped with a log line. */
#include "config.h"

#include "base/log.h"
#include "mail/address.h"
#include "mail/dsn.h"
#include "mail/header.h"
#include "qmgr/qmgr_priv.h"

/* ---- who
 * --------------------------------------------------------------------------------- */

bool
hk_notice_is_double_bounce_address (Qmgr *q, HkSpan address)
{
    HkSpan local, domain;
    if (hk_span_is_ci (address, q->params.double_bounce_address))
        return true;
    if (!hk_address_split (address, &local, &domain))
        return hk_span_is_ci (address, q->params.double_bounce);
    return hk_span_is_ci (local, q->params.double_bounce) && q->router != NULL &&
           hk_router_is_ours (q->router, domain);
}

static bool
wants (const HkRecipient *recipient, uint32_t kind)
{
    return recipient->notify == 0 || (recipient->notify & kind) != 0;
}

/* Which recipients a notice is about. */
typedef struct {
    HkDsnKind kind;
    int status;
    uint32_t notify;  /* 0: whatever the recipient asked for */
    const char *what; /* in the log, after "sender" or "postmaster" */
    const char *dsn;  /* status of all; NULL: of the last result */
    size_t only;      /* one recipient, from 1 on; 0: all */
} Subject;

/* RFC 2852 4.1.4: the next hop goes on counting the time, or the sender is told that nobody
 * does; and of each hop when it asked for a trace. */
static bool
is_by_relayed (const Active *self, size_t i)
{
    const Recipient *recipient = &self->recipients[i];
    const HkEnvelope *envelope = self->envelope;
    if (!(envelope->flags & HK_ENVELOPE_BY) || (recipient->flags & HK_RESULT_FINAL) ||
        (envelope->recipients[i].notify & HK_NOTIFY_NEVER))
        return false;
    return (envelope->flags & HK_ENVELOPE_BY_TRACE) ||
           !(recipient->flags & HK_RESULT_BY_RELAYED);
}

static bool
is_subject (const Active *self, size_t i, const Subject *subject)
{
    const Recipient *recipient = &self->recipients[i];
    const HkRecipient *address = &self->envelope->recipients[i];
    if (recipient->status != subject->status || recipient->is_old ||
        (subject->only > 0 && subject->only != i + 1))
        return false;
    if (subject->kind == HK_DSN_SUCCESS && is_by_relayed (self, i))
        return true;
    if (subject->kind == HK_DSN_SUCCESS)
        return (address->notify & HK_NOTIFY_SUCCESS) &&
               !(recipient->flags & HK_RESULT_DSN_RELAYED);
    return subject->notify == 0 || wants (address, subject->notify);
}

bool
hk_notice_wants_success (const Active *self)
{
    static const Subject success = {.kind = HK_DSN_SUCCESS, .status = HK_STATUS_SENT};
    if (self->envelope->sender.size == 0)
        return false;
    for (size_t i = 0; i < self->envelope->n_recipients; i++)
        if (is_subject (self, i, &success))
            return true;
    return false;
}

/* ---- what
 * -------------------------------------------------------------------------------- */

static const char *
action_of (const Recipient *recipient, HkDsnKind kind)
{
    if (kind == HK_DSN_FAILURE)
        return "failed";
    if (kind == HK_DSN_DELAY)
        return "delayed";
    return (recipient->flags & HK_RESULT_FINAL) ? "delivered" : "relayed";
}

static HkDsnRecipient *
subjects (Active *self, const Subject *subject, int64_t retry_until_us, size_t *out_n)
{
    size_t n = 0;
    int64_t now = hk_wall_us (self->q->clock);
    HkDsnRecipient *list = g_new0 (HkDsnRecipient, self->envelope->n_recipients);
    for (size_t i = 0; i < self->envelope->n_recipients; i++) {
        if (!is_subject (self, i, subject))
            continue;
        const HkRecipient *address = &self->envelope->recipients[i];
        const Report *report = self->recipients[i].report;
        list[n] = (HkDsnRecipient){
            .address = address->address,
            .original = address->original.size > 0 ? address->original : address->address,
            .orcpt = address->orcpt,
            .action = action_of (&self->recipients[i], subject->kind),
            .dsn = subject->dsn != NULL ? hk_span_text (subject->dsn)
                   : report != NULL     ? hk_span_text (report->dsn)
                                        : HK_SPAN ("2.0.0"),
            .text = report != NULL ? report->text : HK_SPAN_NONE,
            .diagnostic = report != NULL ? report->diagnostic : HK_SPAN_NONE,
            .remote_mta = report != NULL ? report->remote : HK_SPAN_NONE,
            .last_attempt_us = now,
            .will_retry_until_us = subject->kind == HK_DSN_DELAY ? retry_until_us : 0,
        };
        n++;
    }
    *out_n = n;
    return list;
}

/* The original message: all of it when it is small enough, else what fits of its headers.
 */
static void
read_original (Active *self, bool with_body, GBytes **out_bytes, HkSpan *out_headers,
               HkSpan *out_body)
{
    uint64_t limit = self->q->params.bounce_size_limit;
    g_autoptr (GError) error = NULL;
    GBytes *bytes = hk_active_read (self, (size_t) limit, &error);
    *out_bytes = bytes;
    *out_headers = *out_body = HK_SPAN_NONE;
    if (bytes == NULL) {
        char id[HK_QUEUE_ID_TEXT];
        hk_log (HK_LOG_WARNING, "%s: notice goes without the original: %s",
                hk_active_id (self, id), error->message);
        return;
    }
    HkSpan content = hk_span_bytes (bytes);
    HkHeader header;
    size_t at = 0;
    while (hk_header_next (content, &at, &header))
        ;
    /* The empty line between belongs to neither. */
    bool has_gap = at >= 2 && memcmp (content.data + at - 2, "\r\n", 2) == 0 &&
                   (at == 2 || content.data[at - 3] == '\n');
    *out_headers = hk_span_sub (content, 0, has_gap ? at - 2 : at);
    if (with_body && self->content_size <= limit)
        *out_body = hk_span_sub (content, at, content.size);
}

/* ---- writing
 * ----------------------------------------------------------------------------- */

typedef struct {
    Active *active;
    HkQueueId id;
    char *text;
} Notice;

static void
on_written (HkQueueId id, const GError *error, void *data)
{
    Notice *self = data;
    Active *active = self->active;
    Qmgr *q = active->q;
    char about[HK_QUEUE_ID_TEXT], own[HK_QUEUE_ID_TEXT];
    hk_active_id (active, about);
    if (error != NULL) {
        active->notice_failed = true;
        hk_log (HK_LOG_WARNING, "%s: cannot write %s: %s", about, self->text,
                error->message);
    } else {
        hk_stats_add (q->count.notices, 1);
        HkEvent event = {.kind = HK_EVENT_NOTICE, .agent = "bounce", .level = HK_LOG_INFO};
        hk_event_text (&event, HK_PROP_QUEUE_ID, hk_span_text (about));
        hk_event_text (&event, HK_PROP_OTHER_ID,
                       hk_span_text (hk_queue_id_format (id, own)));
        hk_event_text (&event, HK_PROP_TEXT, hk_span_text (self->text));
        if (q->events != NULL)
            hk_events_emit (q->events, &event);
    }
    g_free (self->text);
    g_free (self);
    hk_active_noticed (active);
}

static void
append_notice (Active *self, HkQueueId id, const char *sender, HkSpan to, GString *content,
               bool is_utf8, char *text)
{
    HkHeader header;
    HkSpan bytes = hk_span_string (content);
    HkRecipient recipient = {.address = to,
                             .notify = sender[0] == '\0' ? HK_NOTIFY_NEVER : 0};
    HkEnvelope envelope = {
        .flags = HK_ENVELOPE_NOTICE | (is_utf8 ? HK_ENVELOPE_SMTPUTF8 : 0),
        .sender = hk_span_text (sender),
        .recipients = &recipient,
        .n_recipients = 1,
    };
    if (hk_header_find (bytes, "Message-ID", &header))
        envelope.message_id = hk_span_strip (header.value);
    for (size_t i = 0; i < bytes.size && !(envelope.content_flags & HK_CONTENT_8BIT); i++)
        if (bytes.data[i] & 0x80)
            envelope.content_flags |= HK_CONTENT_8BIT;
    if (envelope.content_flags & HK_CONTENT_8BIT)
        envelope.flags |= HK_ENVELOPE_BODY_8BIT;
    /* RFC 8689 5: what must not be read on its way must not be read on its way back. */
    envelope.flags |= self->envelope->flags & HK_ENVELOPE_REQUIRE_TLS;
    envelope.priority = self->envelope->priority; /* as urgent as what it is about */
    Notice *notice = g_new (Notice, 1);
    *notice = (Notice){self, id, text};
    self->n_notices++;
    hk_qmgr_submit (self->q, id, &envelope, bytes, on_written, notice);
}

/* One notice about SUBJECT's recipients from SENDER to TO. */
static void
write_notice (Active *self, const Subject *subject, const char *sender, HkSpan to,
              bool to_postmaster, bool with_body)
{
    Qmgr *q = self->q;
    const HkEnvelope *envelope = self->envelope;
    int64_t lifetime =
        envelope->sender.size > 0 ? q->params.lifetime : q->params.bounce_lifetime;
    size_t n;
    /* A secret stays where it is; bytes without lines are no part of a report. */
    with_body = with_body &&
                !(envelope->flags & (HK_ENVELOPE_REQUIRE_TLS | HK_ENVELOPE_BODY_BINARY));
    g_autofree HkDsnRecipient *list =
        subjects (self, subject, (hk_promise_origin_s (envelope) + lifetime) * HK_SECOND, &n);
    if (n == 0)
        return;
    g_autoptr (GBytes) original = NULL;
    HkDsn dsn = {
        .kind = subject->kind,
        .to_postmaster = to_postmaster,
        .myhostname = q->params.myhostname,
        .mail_name = q->params.mail_name,
        .to = to,
        .original_sender = envelope->sender,
        .envid = envelope->envid,
        .queue_id = self->id,
        .notice_id = hk_lane_next_id (q->lane),
        .arrival_us = envelope->arrival_us,
        .now_us = hk_wall_us (q->clock),
        .lifetime_s = lifetime,
        .delay_warning_s = q->params.delay_warning,
        .recipients = list,
        .n_recipients = n,
        .smtputf8 = (envelope->flags & HK_ENVELOPE_SMTPUTF8) != 0,
        .body_8bit = (envelope->content_flags & HK_CONTENT_8BIT) != 0,
        .size_limit = (size_t) q->params.bounce_size_limit,
    };
    read_original (self, with_body, &original, &dsn.headers, &dsn.body);
    GString *content = hk_dsn_compose (&dsn);
    char *text =
        g_strconcat (to_postmaster ? "postmaster " : "sender ", subject->what, NULL);
    append_notice (self, dsn.notice_id, sender, to, content, dsn.smtputf8, text);
    g_string_free (content, TRUE);
}

static void
write_to_postmaster (Active *self, const Subject *subject, const char *to, bool with_body)
{
    Qmgr *q = self->q;
    g_autoptr (GString) address = g_string_new (NULL);
    if (q->router != NULL)
        hk_router_rewrite (q->router, hk_span_text (to), address);
    else
        g_string_append (address, to);
    write_notice (self, subject, q->params.double_bounce_address, hk_span_string (address),
                  true, with_body);
}

/* Each goes to the sender address that its recipient saw. */
static void
write_verp_notices (Active *self, Subject subject, bool with_body)
{
    for (size_t i = 0; i < self->envelope->n_recipients; i++) {
        g_autoptr (GString) to = g_string_new (NULL);
        subject.only = i + 1;
        if (!is_subject (self, i, &subject))
            continue;
        hk_promise_verp_sender (self->envelope, i, to);
        write_notice (self, &subject, "", hk_span_string (to), false, with_body);
    }
}

void
hk_notice_failure (Active *self)
{
    Qmgr *q = self->q;
    HkSpan sender = self->envelope->sender;
    Subject subject = {.kind = HK_DSN_FAILURE,
                       .status = HK_STATUS_BOUNCED,
                       .notify = HK_NOTIFY_FAILURE,
                       .what = "non-delivery notification"};
    char id[HK_QUEUE_ID_TEXT];
    if (hk_notice_is_double_bounce_address (q, sender)) {
        hk_log (HK_LOG_WARNING, "%s: undeliverable postmaster notification discarded",
                hk_active_id (self, id));
        return;
    }
    if (sender.size > 0) {
        bool with_body = !(self->envelope->flags & HK_ENVELOPE_RET_HDRS);
        if (hk_promise_is_verp (self->envelope) && !q->params.one_verp_bounce)
            write_verp_notices (self, subject, with_body);
        else
            write_notice (self, &subject, "", sender, false, with_body);
        subject.notify = 0;
        if (q->params.notify & NOTIFY_BOUNCE)
            write_to_postmaster (self, &subject, q->params.to_bounce, false);
        return;
    }
    subject.notify = 0;
    if (q->params.notify & (NOTIFY_BOUNCE | NOTIFY_2BOUNCE))
        write_to_postmaster (self, &subject, q->params.to_2bounce, true);
    else
        hk_log (HK_LOG_INFO,
                "%s: undeliverable notification dropped: notify_classes has no "
                "2bounce",
                hk_active_id (self, id));
}

void
hk_notice_delay (Active *self)
{
    Subject subject = {.kind = HK_DSN_DELAY,
                       .status = HK_STATUS_DEFERRED,
                       .notify = HK_NOTIFY_DELAY,
                       .what = "delay notification"};
    if (hk_notice_is_double_bounce_address (self->q, self->envelope->sender))
        return;
    write_notice (self, &subject, "", self->envelope->sender, false, false);
    subject.notify = 0;
    if (self->q->params.notify & NOTIFY_DELAY)
        write_to_postmaster (self, &subject, self->q->params.to_delay, false);
}

void
hk_notice_by_delay (Active *self)
{
    static const Subject subject = {.kind = HK_DSN_DELAY,
                                    .status = HK_STATUS_DEFERRED,
                                    .notify = HK_NOTIFY_DELAY,
                                    .what = "delivery time notification",
                                    .dsn = "4.4.7"};
    if (!hk_notice_is_double_bounce_address (self->q, self->envelope->sender))
        write_notice (self, &subject, "", self->envelope->sender, false, false);
}

void
hk_notice_success (Active *self)
{
    static const Subject subject = {.kind = HK_DSN_SUCCESS,
                                    .status = HK_STATUS_SENT,
                                    .notify = HK_NOTIFY_SUCCESS,
                                    .what = "delivery status notification"};
    if (!hk_notice_is_double_bounce_address (self->q, self->envelope->sender))
        write_notice (self, &subject, "", self->envelope->sender, false, false);
}
