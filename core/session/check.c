/* check.c: running restrictions for a session: inline, or on a worker when one may block; with
 * `sleep` the check goes on after a while. */
#include "config.h"
#include "session/session_priv.h"

#include <sys/socket.h>

#include "mail/reply.h"

G_STATIC_ASSERT (HK_STAGE_CONNECT == 0 && HK_STAGE_HELO == 1 && HK_STAGE_MAIL == 2);

/* The first one that waits. */
static HkSpan
postponed (const HkSession *self)
{
    for (size_t i = 0; i < G_N_ELEMENTS (self->postponed); i++)
        if (self->postponed[i] != NULL)
            return hk_span_string (self->postponed[i]);
    return HK_SPAN_NONE;
}

/* Instead of what this stage said before. */
static void
keep_postponed (HkSession *self, HkStage stage, const HkVerdict *verdict)
{
    if (stage > HK_STAGE_MAIL)
        return;
    if (self->postponed[stage] != NULL)
        g_string_free (self->postponed[stage], TRUE);
    self->postponed[stage] = NULL;
    if (verdict->postponed != NULL && verdict->postponed->len > 0)
        self->postponed[stage] = g_string_new (verdict->postponed->str);
}

static void
fill_subject (HkSession *self, HkSpan recipient, HkAccessSubject *out,
              char id[HK_QUEUE_ID_TEXT])
{
    const HkTransaction *tx = self->tx;
    *out = (HkAccessSubject){
        .service = hk_span_text (self->dialogue->service),
        .client_name = hk_span_text (self->client_name),
        .client_reverse_name =
            hk_span_text (self->client_reverse != NULL ? self->client_reverse : "unknown"),
        .client_address = hk_span_text (self->client_address),
        .helo = hk_span_text (self->helo != NULL ? self->helo : ""),
        .sasl_method = hk_auth_method (self),
        .sasl_username = hk_auth_username (self),
        .protocol = self->is_esmtp ? HK_SPAN ("ESMTP") : HK_SPAN ("SMTP"),
        .server_address = hk_span_text (self->server_address),
        .client_port = self->client_port,
        .server_port = self->server_port,
        .client_name_code = self->client_name_code,
        .recipient = recipient,
        .has_recipient = recipient.size > 0,
        .has_helo = self->helo != NULL,
        .is_esmtp = self->is_esmtp,
        .improper_pipelining = self->is_improper,
        .postponed = postponed (self),
        .etrn_domain =
            self->last_verb == HK_VERB_ETRN && self->asked != NULL
                ? hk_span_text (self->asked)
                : HK_SPAN_NONE,
    };
    hk_tls_fill_subject (self, out);
    if (tx == NULL)
        return;
    out->sender = tx->envelope.sender;
    out->sasl_sender = tx->envelope.sasl_sender;
    out->has_sender = true;
    out->is_held = (tx->envelope.flags & HK_ENVELOPE_HOLD) != 0;
    out->size = tx->options.size;
    out->recipient_count = tx->envelope.n_recipients;
    if (tx->incoming != NULL)
        out->size = hk_incoming_size (tx->incoming);
    if (tx->envelope.queue_id != 0)
        out->queue_id = hk_span_text (hk_queue_id_format (tx->envelope.queue_id, id));
}

/* A check that a worker runs, or that sleeps. */
struct HkCheck {
    HkSession *session;
    HkStage stage;
    HkCheckDone then;
    HkSpan recipient; /* as lent to hk_session_check: it stays while the session is busy */
    HkAccessSubject subject;
    HkVerdict verdict;
    HkLoopTimer timer;
    char id[HK_QUEUE_ID_TEXT];
};

static void check_is_done (HkCheck *check);

static void
run_on_worker (void *data)
{
    HkCheck *check = data;
    HkAccess *access = check->session->dialogue->access;
    if (check->verdict.what == HK_VERDICT_SLEEP)
        hk_access_resume (access, &check->subject, &check->verdict);
    else
        hk_access_run (access, check->stage, &check->subject, &check->verdict);
}

static void
back_on_loop (void *data)
{
    check_is_done (data);
}

/* After a sleep where the client had to wait for us: did it?  (sleep 1,
 * reject_unauth_pipelining.)  Under TLS bytes that wait need not be words. */
static bool
speaks_early (const HkSession *self, HkStage stage)
{
    char byte;
    return (stage == HK_STAGE_CONNECT || stage == HK_STAGE_HELO ||
            stage == HK_STAGE_DATA) &&
           (self->rest_size > 0 ||
            (self->tls == NULL &&
             recv (self->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0));
}

static void
wake_up (HkLoopTimer *timer)
{
    HkCheck *check = timer->data;
    HkSession *self = check->session;
    self->nap = NULL;
    if (check->verdict.what != HK_VERDICT_SLEEP) {
        check->verdict.sleep_s = 0;
        check_is_done (check);
        return;
    }
    if (!self->is_improper && speaks_early (self, check->stage)) {
        hk_report_text (self, HK_LOG_INFO,
                        "improper command pipelining after %s from %s[%s]",
                        hk_verb_name ((HkVerb) self->last_verb), self->client_name,
                        self->client_address);
        self->is_improper = true;
    }
    fill_subject (self, check->recipient, &check->subject, check->id);
    if (hk_access_may_block_for (self->dialogue->access, check->stage, &check->subject)) {
        hk_workers_run (self->dialogue->sessions->options.workers, run_on_worker,
                        back_on_loop, check);
        return;
    }
    run_on_worker (check);
    check_is_done (check);
}

static bool
is_asleep (const HkVerdict *verdict)
{
    return verdict->what == HK_VERDICT_SLEEP || verdict->sleep_s > 0;
}

static void
check_is_done (HkCheck *check)
{
    HkSession *session = check->session;
    if (is_asleep (&check->verdict)) {
        session->nap = check;
        hk_timer_init (&check->timer, session->dialogue->sessions->options.loop, wake_up,
                       check);
        hk_timer_arm (&check->timer, check->verdict.sleep_s * HK_SECOND);
        return;
    }
    session->is_busy = false;
    check->then (session, &check->verdict);
    hk_verdict_clear (&check->verdict);
    g_free (check);
    hk_session_resume (session);
}

void
hk_session_end_nap (HkSession *self)
{
    if (self->nap == NULL)
        return;
    hk_timer_disarm (&self->nap->timer);
    hk_verdict_clear (&self->nap->verdict);
    g_clear_pointer (&self->nap, g_free);
}

static HkCheck *
check_new (HkSession *self, HkStage stage, HkSpan recipient, HkCheckDone then)
{
    HkCheck *check = g_new0 (HkCheck, 1);
    check->session = self;
    check->stage = stage;
    check->then = then;
    check->recipient = recipient;
    self->is_busy = true;
    return check;
}

void
hk_session_check (HkSession *self, HkStage stage, HkSpan recipient, HkCheckDone then)
{
    HkDialogue *d = self->dialogue;
    HkAccessSubject subject;
    char id[HK_QUEUE_ID_TEXT];
    if (self->tx != NULL && self->tx->is_discarded) { /* nothing is left to decide */
        hk_verdict_reset (&d->sessions->verdict);
        then (self, &d->sessions->verdict);
        return;
    }
    fill_subject (self, recipient, &subject, id);
    if (!hk_access_may_block_for (d->access, stage, &subject)) {
        HkVerdict *verdict = &d->sessions->verdict;
        hk_access_run (d->access, stage, &subject, verdict);
        if (!is_asleep (verdict)) {
            then (self, verdict);
            return;
        }
        HkCheck *check = check_new (self, stage, recipient, then);
        check->verdict = *verdict;
        hk_verdict_init (verdict);
        check_is_done (check);
        return;
    }
    HkCheck *check = check_new (self, stage, recipient, then);
    hk_verdict_init (&check->verdict);
    fill_subject (self, recipient, &check->subject, check->id);
    hk_workers_run (d->sessions->options.workers, run_on_worker, back_on_loop, check);
}

/* Lines of warn_if_reject, HOLD, DISCARD and their kin: "STATUS\tTEXT". */
static void
log_lines (HkSession *self, HkStage stage, HkSpan recipient, const HkVerdict *verdict)
{
    for (unsigned i = 0; verdict->log != NULL && i < verdict->log->len; i++) {
        const char *line = g_ptr_array_index (verdict->log, i);
        const char *tab = strchr (line, '\t');
        g_autofree char *status = g_strndup (line, tab == NULL ? 0 : (size_t) (tab - line));
        hk_report_reject (self, stage, tab == NULL ? "info" : status,
                          hk_span_text (tab == NULL ? line : tab + 1), recipient);
    }
}

/* With delayed restrictions the sender's lists run again for each recipient: what they gave
 * before is not taken twice. */
static void
take_header (HkTransaction *tx, const char *header)
{
    g_autofree char *line = g_strconcat (header, "\r\n", NULL);
    /* A line break in a table's value must not start a header of its own. */
    g_strdelimit (line, "\r\n", ' ');
    memcpy (line + strlen (header), "\r\n", 2);
    if (tx->prepend == NULL)
        tx->prepend = g_string_new (NULL);
    if (strstr (tx->prepend->str, line) == NULL)
        g_string_append (tx->prepend, line);
}

static void
take_bcc (HkTransaction *tx, const char *address)
{
    HkRecipient bcc = {.notify = HK_NOTIFY_NEVER};
    for (size_t i = 0; i < tx->envelope.n_recipients; i++)
        if (hk_span_is (tx->envelope.recipients[i].address, address))
            return;
    bcc.address = hk_arena_copy (tx->arena, hk_span_text (address));
    hk_transaction_add (tx, &bcc);
}

static bool
is_set (const GString *text)
{
    return text != NULL && text->len > 0;
}

static void
take_actions (HkSession *self, const HkVerdict *verdict)
{
    HkTransaction *tx = self->tx;
    if (tx == NULL)
        return;
    if (verdict->what == HK_VERDICT_DISCARD)
        tx->is_discarded = true;
    if (verdict->hold)
        tx->envelope.flags |= HK_ENVELOPE_HOLD;
    if (verdict->hold && is_set (verdict->hold_reason))
        tx->envelope.hold_reason =
            hk_arena_copy (tx->arena, hk_span_string (verdict->hold_reason));
    if (is_set (verdict->filter))
        tx->envelope.content_filter =
            hk_arena_copy (tx->arena, hk_span_string (verdict->filter));
    if (is_set (verdict->redirect))
        tx->envelope.redirect =
            hk_arena_copy (tx->arena, hk_span_string (verdict->redirect));
    for (unsigned i = 0; verdict->prepend != NULL && i < verdict->prepend->len; i++)
        take_header (tx, g_ptr_array_index (verdict->prepend, i));
    for (unsigned i = 0; verdict->bcc != NULL && i < verdict->bcc->len; i++)
        take_bcc (tx, g_ptr_array_index (verdict->bcc, i));
}

bool
hk_session_verdict (HkSession *self, HkStage stage, HkSpan recipient, HkVerdict *verdict)
{
    log_lines (self, stage, recipient, verdict);
    keep_postponed (self, stage, verdict);
    if (verdict->what == HK_VERDICT_PASS || verdict->what == HK_VERDICT_DISCARD) {
        take_actions (self, verdict);
        return true;
    }
    HkSessions *sessions = self->dialogue->sessions;
    if (sessions->stat_rejects != NULL)
        hk_stats_add (sessions->stat_rejects, 1);
    g_autoptr (GString) line = g_string_new (NULL);
    g_string_printf (line, "%d %s ", verdict->code, verdict->dsn);
    hk_string_append (line, hk_span_string (verdict->text));
    hk_report_reject (self, stage, "reject", hk_span_string (line), recipient);
    hk_session_count_error (self);
    hk_session_reply_span (self, verdict->code, verdict->dsn,
                           hk_span_string (verdict->text));
    if (verdict->what == HK_VERDICT_DISCONNECT || verdict->code == 421 ||
        verdict->code == 521)
        self->is_closing = true;
    return false;
}
