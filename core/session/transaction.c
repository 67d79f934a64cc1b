/* transaction.c: MAIL and RCPT: the envelope grows in the transaction's arena. */
#include "config.h"
#include "session/session_priv.h"

#include "base/clock.h"
#include "mail/reply.h"

static unsigned
syntax_of (const HkSession *self)
{
    const HkDialogue *d = self->dialogue;
    unsigned syntax = (d->strict_envelopes ? HK_SYNTAX_STRICT : 0) |
                      (d->strict_smtputf8 ? HK_SYNTAX_STRICT_UTF8 : 0);
    /* Keywords that this client was offered; before EHLO what the service has. */
    unsigned mask = self->is_esmtp ? self->ehlo_mask : d->ehlo_usual;
    if (mask & HK_EHLO_SMTPUTF8)
        syntax |= HK_SYNTAX_UTF8;
    /* Understood also where they are not offered. */
    syntax |= HK_SYNTAX_SIZE | HK_SYNTAX_8BITMIME;
    if (mask & HK_EHLO_DSN)
        syntax |= HK_SYNTAX_DSN;
    if (self->tx != NULL && self->tx->options.is_smtputf8)
        syntax |= HK_SYNTAX_TX_UTF8;
    return syntax;
}

void
hk_session_reset (HkSession *self)
{
    /* What XFORWARD said is about one message; a refused MAIL was none. */
    if (self->tx != NULL && self->tx->envelope.queue_id != 0)
        hk_session_forget_forward (self);
    if (self->tx != NULL)
        hk_transaction_free (self->dialogue->sessions, g_steal_pointer (&self->tx));
}

/* A refusal from the grammar, answered and logged as Postfix does. */
static void
refuse_syntax (HkSession *self, HkStage stage, const HkRefusal *refusal)
{
    hk_session_count_error (self);
    if (refusal->code == 552 || refusal->code == 452) {
        g_autoptr (GString) line = g_string_new (NULL);
        g_string_printf (line, "%d %s %s", refusal->code, refusal->dsn, refusal->text);
        hk_report_reject (self, stage, "reject", hk_span_string (line), HK_SPAN_NONE);
    }
    hk_session_reply_span (self, refusal->code, refusal->dsn, hk_span_text (refusal->text));
}

/* ---- MAIL -------------------------------------------------------------------------------
 */

static void
mail_checked (HkSession *self, HkVerdict *verdict)
{
    if (hk_session_verdict (self, HK_STAGE_MAIL, HK_SPAN_NONE, verdict) &&
        !hk_guard_rules_refuse (self, HK_STAGE_MAIL, HK_SPAN_NONE))
        hk_esmtp_say_mail_ok (self);
    else
        hk_session_reset (self);
}

static void
begin_envelope (HkTransaction *tx, const HkMailOptions *options, int64_t arrival_us)
{
    HkEnvelope *e = &tx->envelope;
    tx->options = *options;
    e->arrival_us = arrival_us;
    e->sender = hk_arena_copy (tx->arena, options->sender);
    e->envid = options->envid;
    e->sasl_sender = hk_arena_copy (tx->arena, options->auth);
    e->flags = (options->is_smtputf8 ? HK_ENVELOPE_SMTPUTF8 : 0) |
               (options->is_8bit ? HK_ENVELOPE_BODY_8BIT : 0) |
               (options->ret_hdrs ? HK_ENVELOPE_RET_HDRS : 0) |
               (options->ret_full ? HK_ENVELOPE_RET_FULL : 0);
}

void
hk_session_mail (HkSession *self, HkSpan argument)
{
    HkSessions *sessions = self->dialogue->sessions;
    if (self->dialogue->helo_required && self->helo == NULL) {
        hk_session_refuse (self, 503, "5.5.1", "Error: send HELO/EHLO first");
        return;
    }
    if (self->tx != NULL) {
        hk_session_refuse (self, 503, "5.5.1", "Error: nested MAIL command");
        return;
    }
    if (hk_guard_refuses_message (self))
        return;
    HkTransaction *tx = hk_transaction_new (sessions);
    HkMailOptions options;
    HkRefusal refusal;
    HkEsmtpRules rules;
    hk_esmtp_rules (self, &rules);
    if (!hk_mail_parse (argument, syntax_of (self), self->dialogue->size_limit, &rules,
                        tx->arena, &options, &refusal)) {
        if (refusal.code == 552) { /* the log says whose message is too large */
            tx->envelope.sender = options.sender;
            self->tx = tx;
        }
        refuse_syntax (self, HK_STAGE_MAIL, &refusal);
        self->tx = NULL;
        hk_transaction_free (sessions, tx);
        return;
    }
    begin_envelope (tx, &options, hk_wall_us (hk_loop_clock (sessions->options.loop)));
    hk_esmtp_fill (self, tx);
    self->tx = tx;
    uint64_t size = MAX (options.size, 1);
    if (!hk_lane_has_space (sessions->options.lane, size)) {
        const HkRefusal full = {452, "4.3.1", "Insufficient system storage"};
        refuse_syntax (self, HK_STAGE_MAIL, &full);
        hk_session_reset (self);
        return;
    }
    hk_session_check (self, HK_STAGE_MAIL, HK_SPAN_NONE, mail_checked);
}

/* ---- RCPT -------------------------------------------------------------------------------
 */

void
hk_transaction_add (HkTransaction *tx, const HkRecipient *recipient)
{
    HkEnvelope *e = &tx->envelope;
    if (e->n_recipients == tx->recipients_space) {
        size_t space = MAX (tx->recipients_space * 2, 4);
        HkRecipient *grown = hk_arena_alloc (tx->arena, space * sizeof *grown);
        if (e->n_recipients > 0)
            memcpy (grown, e->recipients, e->n_recipients * sizeof *grown);
        e->recipients = grown;
        tx->recipients_space = space;
    }
    e->recipients[e->n_recipients++] = *recipient;
}

/* A recipient that was refused takes no memory: a client may name any number of them.  Unless
 * the checks left something behind it. */
static void
forget_asked (HkTransaction *tx)
{
    if (hk_arena_is_at (tx->arena, tx->after_asked))
        hk_arena_rewind (tx->arena, tx->before_asked);
    tx->asked = (HkRcptOptions){0};
}

static void
rcpt_checked (HkSession *self, HkVerdict *verdict)
{
    HkTransaction *tx = self->tx;
    HkRcptOptions asked = tx->asked;
    if (!hk_session_verdict (self, HK_STAGE_RCPT, asked.recipient, verdict) ||
        hk_guard_rules_refuse (self, HK_STAGE_RCPT, asked.recipient)) {
        if (self->tx != NULL)
            forget_asked (tx);
        return;
    }
    HkRecipient recipient = {
        .address = hk_arena_copy (tx->arena, asked.recipient),
        .orcpt = asked.orcpt,
        .notify = asked.notify,
    };
    hk_transaction_add (tx, &recipient);
    if (tx->envelope.queue_id == 0) {
        tx->envelope.queue_id = hk_lane_next_id (self->dialogue->sessions->options.lane);
        hk_report_client (self);
    }
    hk_session_say_literal (self, "250 2.1.5 Ok\r\n");
}

/* RFC 5321 4.5.3.1.10: over the limit is 452, and an error only far above it. */
static bool
is_over_limit (HkSession *self)
{
    HkDialogue *d = self->dialogue;
    HkTransaction *tx = self->tx;
    if (tx->envelope.n_recipients < d->recipient_limit)
        return false;
    if (tx->overshoot++ >= d->recipient_overshoot)
        hk_session_count_error (self);
    else if (self->n_good[HK_VERB_RCPT] > 0)
        self->n_good[HK_VERB_RCPT]--;
    hk_session_reply (self, 452, "4.5.3", "Error: too many recipients");
    return true;
}

/* A server that we ask about an address may ask us about the sender of that question: no
 * restriction stands in its way, or the two would wait for each other. */
static bool
take_probe_sender (HkSession *self)
{
    HkSessions *sessions = self->dialogue->sessions;
    HkRcptOptions *asked = &self->tx->asked;
    g_autoptr (GString) base = g_string_new (NULL);
    int64_t now_s = hk_wall_us (hk_loop_clock (sessions->options.loop)) / HK_SECOND;
    if (!hk_access_is_probe_sender (self->dialogue->access, asked->recipient, now_s, base))
        return false;
    asked->recipient = hk_arena_copy (self->tx->arena, hk_span_string (base));
    self->tx->after_asked = hk_arena_mark (self->tx->arena);
    hk_verdict_reset (&sessions->verdict);
    rcpt_checked (self, &sessions->verdict);
    return true;
}

void
hk_session_rcpt (HkSession *self, HkSpan argument)
{
    HkRefusal refusal;
    if (self->tx == NULL) {
        hk_session_refuse (self, 503, "5.5.1", "Error: need MAIL command");
        return;
    }
    if (self->tx->is_chunked) {
        hk_session_refuse (self, 503, "5.5.1", "Error: RCPT after BDAT");
        return;
    }
    if (hk_guard_refuses_recipient (self) || is_over_limit (self))
        return;
    HkTransaction *tx = self->tx;
    tx->before_asked = hk_arena_mark (tx->arena);
    if (!hk_rcpt_parse (argument, syntax_of (self), tx->arena, &tx->asked, &refusal)) {
        hk_arena_rewind (tx->arena, tx->before_asked);
        refuse_syntax (self, HK_STAGE_RCPT, &refusal);
        return;
    }
    if (hk_screen_refuses_recipient (self, tx->asked.recipient)) {
        hk_arena_rewind (tx->arena, tx->before_asked);
        return;
    }
    if (take_probe_sender (self))
        return;
    /* The check may outlive the line. */
    tx->asked.recipient = hk_arena_copy (tx->arena, tx->asked.recipient);
    tx->after_asked = hk_arena_mark (tx->arena);
    hk_session_check (self, HK_STAGE_RCPT, tx->asked.recipient, rcpt_checked);
}
