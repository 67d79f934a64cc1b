/* check.c: running restrictions for a session: inline, on a worker when one may block, and in
 * stretches when one has to wait for somebody. */
#include "config.h"
#include "session/session_priv.h"

#include "mail/reply.h"

#include <sys/socket.h>
#include <unistd.h>

/* Texts of a subject that stand nowhere else. */
typedef struct {
    char id[HK_QUEUE_ID_TEXT], instance[64];
} Texts;

static void
fill_message (HkSession *self, HkStage stage, HkAccessSubject *out, Texts *texts)
{
    const HkTransaction *tx = self->tx;
    bool is_after_rcpt = stage == HK_STAGE_DATA || stage == HK_STAGE_END_OF_DATA;
    out->sender = tx->envelope.sender;
    out->sasl_sender = tx->envelope.sasl_sender;
    out->has_sender = true;
    out->is_held = (tx->envelope.flags & HK_ENVELOPE_HOLD) != 0;
    out->size = tx->options.size;
    out->recipient_count = tx->envelope.n_recipients;
    /* With one recipient it is clear of whom DATA and the end of data speak. */
    if (is_after_rcpt && tx->envelope.n_recipients == 1) {
        out->only_recipient = out->recipient = tx->envelope.recipients[0].address;
        out->has_recipient = true;
    }
    if (tx->incoming != NULL)
        out->size = hk_incoming_size (tx->incoming);
    if (tx->envelope.queue_id != 0)
        out->queue_id = hk_span_text (hk_queue_id_format (tx->envelope.queue_id, texts->id));
}

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
fill_subject (HkSession *self, HkStage stage, HkSpan recipient, HkAccessSubject *out,
              Texts *texts)
{
    const HkTransaction *tx = self->tx;
    g_snprintf (texts->instance, sizeof texts->instance,
                "%x.%" G_GINT64_MODIFIER "x.%" G_GINT64_MODIFIER "x", (unsigned) getpid (),
                self->serial, tx == NULL ? (gint64) 0 : tx->envelope.arrival_us);
    *out = (HkAccessSubject){
        .service = hk_span_text (self->dialogue->service),
        .client_name = hk_span_text (self->client_name != NULL ? self->client_name : ""),
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
        .instance = hk_span_text (texts->instance),
        .dns = self->dns,
        .verify_wait_us = self->dialogue->verify_wait_us,
        .etrn_domain =
            self->last_verb == HK_VERB_ETRN && self->asked != NULL
                ? hk_span_text (self->asked)
                : HK_SPAN_NONE,
    };
    hk_tls_fill_subject (self, out);
    if (tx != NULL)
        fill_message (self, stage, out, texts);
}

/* A check that goes on after the line of its command: parts of it run on a worker, or it
 * waits for the answer to a restriction's question, or both in turn. */
struct HkCheck {
    HkSession *session;
    HkStage stage;
    HkCheckDone then;
    HkSpan recipient; /* as lent to hk_session_check: it stays while the session is busy */
    HkAccessSubject subject;
    HkVerdict verdict;
    HkLoopTimer timer; /* of a sleep */
    Texts texts;
    HkAccessTask *task; /* NULL: a plain run */
    HkTaskState state;
    bool may_block, must_wait;
};
typedef HkCheck Check;

static void
check_free (Check *self)
{
    hk_timer_disarm (&self->timer);
    hk_access_task_free (self->task);
    hk_verdict_clear (&self->verdict);
    g_free (self);
}

static void
check_finish (Check *self)
{
    HkSession *session = self->session;
    session->is_busy = false;
    self->then (session, &self->verdict);
    check_free (self);
    hk_session_resume (session);
}

static void
make_task (Check *self)
{
    HkSession *session = self->session;
    HkSessions *sessions = session->dialogue->sessions;
    if (session->dns == NULL)
        session->dns = hk_dns_memo_new (sessions->options.resolver);
    self->subject.dns = session->dns;
    self->task = hk_access_task_new (session->dialogue->access, self->stage, &self->subject,
                                     &self->verdict, sessions->options.loop);
}

static void
run_check (void *data)
{
    Check *self = data;
    HkAccess *access = self->session->dialogue->access;
    if (self->task != NULL)
        self->state = hk_access_task_run (self->task);
    else
        self->must_wait =
            !hk_access_run (access, self->stage, &self->subject, &self->verdict);
}

static void advance (Check *self);

static void
has_answer (void *data)
{
    Check *self = data;
    self->session->waiting = NULL;
    advance (self);
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
    Check *self = timer->data;
    HkSession *session = self->session;
    session->waiting = NULL;
    if (!session->is_improper && speaks_early (session, self->stage)) {
        hk_report_text (session, HK_LOG_INFO,
                        "improper command pipelining after %s from %s[%s]",
                        hk_verb_name ((HkVerb) session->last_verb), session->client_name,
                        session->client_address);
        session->is_improper = true;
    }
    fill_subject (session, self->stage, self->recipient, &self->subject, &self->texts);
    advance (self);
}

/* After a stretch of the run: true: there is more to run now. */
static bool
goes_on (Check *self)
{
    if (self->must_wait) {
        self->must_wait = false;
        make_task (self);
        return true;
    }
    if (self->task == NULL || self->state == HK_TASK_DONE) {
        check_finish (self);
        return false;
    }
    self->session->waiting = self;
    if (self->state == HK_TASK_SLEEPS) {
        hk_timer_arm (&self->timer, hk_access_task_sleep_s (self->task) * HK_SECOND);
        return false;
    }
    if (!hk_access_task_ask (self->task, has_answer, self))
        return false;
    self->session->waiting = NULL;
    return true;
}

static void
back_on_loop (void *data)
{
    Check *self = data;
    self->session->is_on_worker = false;
    if (self->session->is_lost) {
        HkSession *session = self->session;
        check_free (self);
        hk_session_resume (session);
        return;
    }
    if (goes_on (self))
        advance (self);
}

static void
advance (Check *self)
{
    HkWorkers *workers = self->session->dialogue->sessions->options.workers;
    if (self->may_block) {
        self->session->is_on_worker = true;
        hk_workers_run (workers, run_check, back_on_loop, self);
        return;
    }
    do
        run_check (self);
    while (goes_on (self));
}

void
hk_session_cancel_check (HkSession *self)
{
    if (self->waiting != NULL)
        check_free (g_steal_pointer (&self->waiting));
}

void
hk_session_prepare (HkSession *self)
{
    HkDialogue *d = self->dialogue;
    HkAccessSubject subject;
    Texts texts;
    if (self->is_unix || !hk_access_prepares (d->access))
        return;
    if (self->dns == NULL)
        self->dns = hk_dns_memo_new (d->sessions->options.resolver);
    fill_subject (self, HK_STAGE_CONNECT, HK_SPAN_NONE, &subject, &texts);
    hk_access_prepare (d->access, &subject);
}

void
hk_session_check (HkSession *self, HkStage stage, HkSpan recipient, HkCheckDone then)
{
    HkDialogue *d = self->dialogue;
    HkAccessSubject subject;
    Texts texts;
    if (hk_screen_is_dummy (self) || /* its mail is refused, whatever they say */
        (self->tx != NULL && self->tx->is_discarded)) { /* nothing is left to decide */
        hk_verdict_reset (&d->sessions->verdict);
        then (self, &d->sessions->verdict);
        return;
    }
    fill_subject (self, stage, recipient, &subject, &texts);
    bool may_block = hk_access_may_block_for (d->access, stage, &subject);
    bool may_wait = hk_access_may_wait (d->access, stage);
    if (!may_block && !may_wait) {
        HkVerdict *verdict = &d->sessions->verdict;
        if (hk_access_run (d->access, stage, &subject, verdict)) {
            then (self, verdict);
            return;
        }
        may_wait = true;
    }
    Check *check = g_new0 (Check, 1);
    check->session = self;
    check->stage = stage;
    check->then = then;
    check->recipient = recipient;
    check->may_block = may_block;
    hk_timer_init (&check->timer, d->sessions->options.loop, wake_up, check);
    hk_verdict_init (&check->verdict);
    fill_subject (self, stage, recipient, &check->subject, &check->texts);
    if (may_wait)
        make_task (check);
    self->is_busy = true;
    advance (check);
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
