/* check.c: running restrictions for a session: inline, or on a worker when one may block.
 */
#include "config.h"
#include "session/session_priv.h"

#include "mail/reply.h"

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
    };
    hk_tls_fill_subject (self, out);
    if (tx == NULL)
        return;
    out->sender = tx->envelope.sender;
    out->has_sender = true;
    out->size = tx->options.size;
    out->recipient_count = tx->envelope.n_recipients;
    if (tx->incoming != NULL)
        out->size = hk_incoming_size (tx->incoming);
    if (tx->envelope.queue_id != 0)
        out->queue_id = hk_span_text (hk_queue_id_format (tx->envelope.queue_id, id));
}

/* A check that a worker runs. */
typedef struct {
    HkSession *session;
    HkStage stage;
    HkCheckDone then;
    HkAccessSubject subject;
    HkVerdict verdict;
    char id[HK_QUEUE_ID_TEXT];
} Check;

static void
run_on_worker (void *data)
{
    Check *check = data;
    hk_access_run (check->session->dialogue->access, check->stage, &check->subject,
                   &check->verdict);
}

static void
back_on_loop (void *data)
{
    Check *check = data;
    HkSession *session = check->session;
    session->is_busy = false;
    check->then (session, &check->verdict);
    hk_verdict_clear (&check->verdict);
    g_free (check);
    hk_session_resume (session);
}

void
hk_session_check (HkSession *self, HkStage stage, HkSpan recipient, HkCheckDone then)
{
    HkDialogue *d = self->dialogue;
    HkAccessSubject subject;
    char id[HK_QUEUE_ID_TEXT];
    fill_subject (self, recipient, &subject, id);
    if (!hk_access_may_block_for (d->access, stage, &subject)) {
        HkVerdict *verdict = &d->sessions->verdict;
        hk_verdict_reset (verdict);
        hk_access_run (d->access, stage, &subject, verdict);
        then (self, verdict);
        return;
    }
    Check *check = g_new0 (Check, 1);
    check->session = self;
    check->stage = stage;
    check->then = then;
    hk_verdict_init (&check->verdict);
    fill_subject (self, recipient, &check->subject, check->id);
    self->is_busy = true;
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
