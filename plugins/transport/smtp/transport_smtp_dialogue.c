/* transport_smtp_dialogue.c: one transaction: MAIL, RCPT, DATA, content, replies.
 *
 * With PIPELINING everything up to DATA leaves at once; without, each command waits for the
 * reply to the one before.  The replies are read the same way in both cases.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_smtp_priv.h"

#include <errno.h>
#include <string.h>

/* ---- what went wrong, for a recipient or for all */

/* Recipient I failed: for good, or so that another host may take it. */
static void
fail_recipient (SmtpConnection *self, size_t i, bool is_hard, const char *dsn,
                const char *text, const char *diagnostic, uint32_t flags)
{
    SmtpDelivery *delivery = self->delivery;
    SmtpRecipient *recipient = &delivery->recipients[i];
    if (is_hard || transport_smtp_delivery_is_final (delivery)) {
        transport_smtp_delivery_result (delivery, i,
                                        is_hard ? HK_STATUS_BOUNCED : HK_STATUS_DEFERRED,
                                        dsn, text, diagnostic, flags);
        return;
    }
    g_free (recipient->reason);
    recipient->reason = g_strdup (text);
    g_strlcpy (recipient->dsn, dsn, sizeof recipient->dsn);
    recipient->state = SMTP_LEFT;
}

typedef struct {
    char text[2300], said[2048], dsn[12];
    bool is_hard;
    uint32_t flags;
} Refusal;

static void
read_refusal (SmtpConnection *self, const char *command, Refusal *out)
{
    transport_smtp_reply_print (&self->reply, out->said, sizeof out->said);
    transport_smtp_reply_dsn (&self->reply, out->dsn);
    out->is_hard = self->reply.code >= 500;
    out->flags = 0;
    if (out->dsn[0] == '2' || out->dsn[0] == '3') /* a success that is none here */
        g_strlcpy (out->dsn, "4.5.0", sizeof out->dsn);
    if (self->reply.code == 421) {
        self->must_close = true;
        out->flags = HK_RESULT_SITE_DOWN | HK_RESULT_THROTTLED;
    }
    g_snprintf (out->text, sizeof out->text, "host %s said: %.*s (in reply to %s)",
                self->name, 2000, out->said, command);
}

/* All recipients in STATE failed the same way. */
static void
fail_all (SmtpConnection *self, SmtpRecipientState state, const char *command)
{
    SmtpDelivery *delivery = self->delivery;
    Refusal r;
    read_refusal (self, command, &r);
    for (size_t i = 0; i < delivery->n_recipients; i++)
        if (delivery->recipients[i].is_sent && delivery->recipients[i].state == state)
            fail_recipient (self, i, r.is_hard, r.dsn, r.text, r.said, r.flags);
}

static void
fail_everybody (SmtpConnection *self, bool is_hard, const char *dsn, const char *text,
                uint32_t flags)
{
    SmtpDelivery *delivery = self->delivery;
    for (size_t i = 0; i < delivery->n_recipients; i++)
        if (delivery->recipients[i].state != SMTP_DONE)
            fail_recipient (self, i, is_hard, dsn, text, NULL, flags);
}

/* ---- the end of a transaction */

static void
over (SmtpConnection *self)
{
    SmtpDelivery *delivery = self->delivery;
    delivery->connection = NULL;
    for (size_t i = 0; i < delivery->n_recipients; i++)
        delivery->recipients[i].is_sent = false;
    transport_smtp_connection_release (self);
    transport_smtp_delivery_transaction_over (delivery);
}

static const char *
doing (const SmtpConnection *self)
{
    switch (self->state) {
    case SMTP_GREETING:
        return "receiving the initial server greeting";
    case SMTP_EHLO:
        return self->smtp->conf.is_lmtp ? "performing the LHLO handshake"
                                        : "performing the EHLO handshake";
    case SMTP_HELO:
        return "performing the HELO handshake";
    case SMTP_RCPT:
        return "sending RCPT TO";
    case SMTP_DATA:
        return "sending DATA command";
    case SMTP_BODY:
        return "sending message body";
    case SMTP_FINAL:
    case SMTP_ABANDON:
        return "sending end of data -- message may be sent more than once";
    case SMTP_RSET:
        return "sending RSET";
    default:
        return "sending MAIL FROM";
    }
}

static char *
describe_loss (SmtpConnection *self, bool is_timeout, int error)
{
    const HkHost *host = self->smtp->host;
    if (self->state == SMTP_CONNECTING) {
        char *text = g_strdup_printf ("connect to %s: %s", self->relay,
                                      g_strerror (is_timeout   ? ETIMEDOUT
                                                  : error != 0 ? error
                                                               : ECONNREFUSED));
        if (HK_HAS (host, HkHost, log_line))
            host->log_line (host, HK_LOG_INFO, self->smtp->conf.is_lmtp ? "lmtp" : "smtp",
                            transport_smtp_span (text));
        return text;
    }
    return is_timeout ? g_strdup_printf ("conversation with %s timed out while %s",
                                         self->name, doing (self))
                      : g_strdup_printf ("lost connection with %s while %s", self->name,
                                         doing (self));
}

void
transport_smtp_dialogue_lost (SmtpConnection *self, bool is_timeout)
{
    SmtpDelivery *delivery = self->delivery;
    SmtpState state = self->state;
    g_autofree char *text = describe_loss (self, is_timeout, errno);
    bool was_unused = !delivery->is_fresh && !self->had_reply && !is_timeout &&
                      (state == SMTP_MAIL || state == SMTP_RSET);
    bool in_transaction =
        state >= SMTP_RSET || (state >= SMTP_MAIL && state <= SMTP_ABANDON);
    if (in_transaction && !was_unused)
        fail_everybody (self, false, "4.4.2", text, HK_RESULT_SITE_DOWN);
    for (size_t i = 0; i < delivery->n_recipients; i++)
        delivery->recipients[i].is_sent = false;
    if (state == SMTP_CONNECTING)
        g_clear_pointer (&delivery->relay, g_free);
    delivery->connection = NULL;
    self->delivery = NULL;
    transport_smtp_connection_close (self);
    if (was_unused)
        transport_smtp_delivery_restart (delivery);
    else if (in_transaction)
        transport_smtp_delivery_transaction_over (delivery);
    else
        transport_smtp_delivery_site_failed (
            delivery, state == SMTP_CONNECTING ? "4.4.1" : "4.4.2", text);
}

/* ---- commands */

static void
put_xtext (GString *out, HkSpan s)
{
    for (size_t i = 0; i < s.size; i++) {
        uint8_t c = s.data[i];
        if (c > ' ' && c < 127 && c != '+' && c != '=')
            g_string_append_c (out, (char) c);
        else
            g_string_append_printf (out, "+%02X", c);
    }
}

static void
put_span (GString *out, HkSpan s)
{
    g_string_append_len (out, (const char *) s.data, (gssize) s.size);
}

static void
put_mail (SmtpConnection *self)
{
    SmtpDelivery *delivery = self->delivery;
    const HkHost *host = self->smtp->host;
    GString *out = self->out;
    HkSpan value;
    g_string_append (out, "MAIL FROM:<");
    put_span (out, delivery->sender);
    g_string_append_c (out, '>');
    if ((self->features & SMTP_SIZE) && !delivery->is_probe)
        g_string_append_printf (out, " SIZE=%zu", delivery->content.size);
    if (delivery->is_binary)
        g_string_append (out, " BODY=BINARYMIME");
    else if ((self->features & SMTP_8BITMIME) && delivery->is_8bit)
        g_string_append (out, " BODY=8BITMIME");
    if (delivery->needs_utf8)
        g_string_append (out, " SMTPUTF8");
    if (self->features & SMTP_DSN) {
        if (host->prop (delivery->call, HK_PROP_DSN_RET, &value) == HK_FOUND) {
            g_string_append (out, " RET=");
            put_span (out, value);
        }
        if (host->prop (delivery->call, HK_PROP_ENVID, &value) == HK_FOUND) {
            g_string_append (out, " ENVID=");
            put_xtext (out, value);
        }
    }
    transport_smtp_esmtp_put_mail (self);
    g_string_append (out, "\r\n");
}

static void
put_notify (GString *out, int64_t notify)
{
    static const struct {
        int64_t bit;
        const char *word;
    } words[] = {{HK_NOTIFY_NEVER, "NEVER"},
                 {HK_NOTIFY_SUCCESS, "SUCCESS"},
                 {HK_NOTIFY_FAILURE, "FAILURE"},
                 {HK_NOTIFY_DELAY, "DELAY"}};
    const char *before = " NOTIFY=";
    for (size_t i = 0; i < G_N_ELEMENTS (words); i++)
        if (notify & words[i].bit) {
            g_string_append (out, before);
            g_string_append (out, words[i].word);
            before = ",";
        }
}

/* "type;address" as it came, or the address as it first was (RFC 3461 4.2). */
static void
put_original (SmtpConnection *self, size_t i)
{
    const HkHost *host = self->smtp->host;
    HkCall *call = self->delivery->call;
    HkSpan value;
    if (host->recipient_prop (call, i, HK_PROP_DSN_ORCPT, &value) == HK_FOUND) {
        const uint8_t *semicolon = memchr (value.data, ';', value.size);
        if (semicolon == NULL)
            return;
        size_t n = (size_t) (semicolon - value.data);
        g_string_append (self->out, " ORCPT=");
        put_xtext (self->out, (HkSpan){value.data, n});
        g_string_append_c (self->out, ';');
        put_xtext (self->out, (HkSpan){semicolon + 1, value.size - n - 1});
    } else if (host->recipient_prop (call, i, HK_PROP_ORIG_RECIPIENT, &value) == HK_FOUND) {
        g_string_append (self->out, " ORCPT=rfc822;");
        put_xtext (self->out, value);
    }
}

static void
put_rcpt (SmtpConnection *self, size_t i)
{
    SmtpRecipient *recipient = &self->delivery->recipients[i];
    int64_t notify = 0;
    recipient->is_sent = true;
    g_string_append (self->out, "RCPT TO:<");
    put_span (self->out, recipient->address);
    g_string_append_c (self->out, '>');
    if ((self->features & SMTP_DSN) && !self->delivery->is_probe) {
        self->smtp->host->recipient_prop_int (self->delivery->call, i, HK_PROP_DSN_NOTIFY,
                                              &notify);
        put_notify (self->out, notify);
        put_original (self, i);
    }
    g_string_append (self->out, "\r\n");
}

/* The first recipient at or after I that a reply, or a command, is due for. */
static size_t
next_recipient (const SmtpDelivery *delivery, size_t i, bool is_sent)
{
    for (; i < delivery->n_recipients; i++) {
        const SmtpRecipient *r = &delivery->recipients[i];
        if (is_sent ? r->is_sent : r->state == SMTP_LEFT)
            break;
    }
    return i;
}

/* ---- content */

static void
send_content (SmtpConnection *self)
{
    SmtpDelivery *delivery = self->delivery;
    const SmtpConf *conf = &self->smtp->conf;
    self->state = SMTP_BODY;
    if (delivery->is_binary) {
        self->body = delivery->content;
    } else if (transport_smtp_content_is_plain (delivery->content, conf->line_limit)) {
        self->body = delivery->content;
        self->tail = transport_smtp_span (".\r\n");
    } else {
        self->encoder =
            (SmtpEncoder){.rest = delivery->content, .line_limit = conf->line_limit};
        self->is_encoding = true;
    }
    transport_smtp_connection_deadline (self, conf->data_xfer_s);
    transport_smtp_connection_flush (self);
}

void
transport_smtp_dialogue_body_sent (SmtpConnection *self)
{
    self->state = SMTP_FINAL;
    self->at = 0;
    transport_smtp_connection_deadline (self, self->smtp->conf.data_done_s);
}

/* ---- a transaction */

static void
send_transaction (SmtpConnection *self)
{
    SmtpDelivery *delivery = self->delivery;
    self->state = SMTP_MAIL;
    put_mail (self);
    if (self->features & SMTP_PIPELINING) {
        for (size_t i = 0; i < delivery->n_recipients; i++)
            if (delivery->recipients[i].state == SMTP_LEFT)
                put_rcpt (self, i);
        if (!delivery->is_probe && !delivery->is_binary)
            g_string_append (self->out, "DATA\r\n");
    }
    transport_smtp_connection_deadline (self, self->smtp->conf.mail_s);
    transport_smtp_connection_flush (self);
}

/* Can this server take the message at all? */
static bool
is_acceptable (SmtpConnection *self)
{
    SmtpDelivery *delivery = self->delivery;
    g_autofree char *text = NULL;
    if (self->size_limit > 0 && delivery->content.size > self->size_limit) {
        text = g_strdup_printf ("message size %zu exceeds size limit %" G_GUINT64_FORMAT
                                " of server %s",
                                delivery->content.size, self->size_limit, self->name);
        fail_everybody (self, true, "5.3.4", text, 0);
        return false;
    }
    if (delivery->needs_utf8 && !(self->features & SMTP_UTF8)) {
        text = g_strdup_printf ("SMTPUTF8 is required, but was not offered by host %s",
                                self->name);
        fail_everybody (self, true, "5.6.7", text, 0);
        return false;
    }
    const char *dsn;
    if (!transport_smtp_esmtp_may_send (self, &dsn, &text)) {
        fail_everybody (self, true, dsn, text, 0);
        return false;
    }
    return true;
}

void
transport_smtp_dialogue_begin (SmtpConnection *self)
{
    SmtpDelivery *delivery = self->delivery;
    self->had_reply = false;
    self->is_failed = false;
    self->n_accepted = 0;
    self->at = 0;
    g_free (delivery->relay);
    delivery->relay = g_strdup (self->relay);
    g_free (delivery->remote);
    delivery->remote = g_strdup (self->host);
    if (!is_acceptable (self)) {
        over (self);
        return;
    }
    if (!self->needs_rset) {
        send_transaction (self);
        return;
    }
    self->state = SMTP_RSET;
    g_string_append (self->out, "RSET\r\n");
    transport_smtp_connection_deadline (self, 20);
    transport_smtp_connection_flush (self);
}

void
transport_smtp_dialogue_connected (SmtpConnection *self)
{
    SmtpDelivery *delivery = self->delivery;
    self->state = SMTP_GREETING;
    g_free (delivery->relay);
    delivery->relay = g_strdup (self->relay);
    g_free (delivery->remote);
    delivery->remote = g_strdup (self->host);
    transport_smtp_connection_deadline (self, self->smtp->conf.helo_s);
}

/* ---- replies */

static bool
is_pipelining (const SmtpConnection *self)
{
    return (self->features & SMTP_PIPELINING) != 0;
}

/* Nobody is accepted, and the server waits for nothing. */
static void
abandon (SmtpConnection *self)
{
    self->needs_rset = true;
    over (self);
}

/* All RCPT replies are there: on to DATA.  A probe has not sent it ahead, and goes there for
 * smtp_address_verify_target = data only. */
static void
recipients_done (SmtpConnection *self)
{
    bool is_probe = self->delivery->is_probe;
    if (is_probe && !self->smtp->conf.probes_to_data) {
        abandon (self);
        return;
    }
    if (!is_pipelining (self) || is_probe || self->delivery->is_binary) {
        if (self->n_accepted == 0) {
            abandon (self);
            return;
        }
        if (self->delivery->is_binary) {
            /* RFC 3030 2: one chunk, whose only reply is the last one. */
            g_string_append_printf (self->out, "BDAT %zu LAST\r\n",
                                    self->delivery->content.size);
            send_content (self);
            return;
        }
        g_string_append (self->out, "DATA\r\n");
    }
    self->state = SMTP_DATA;
    transport_smtp_connection_deadline (self, self->smtp->conf.data_init_s);
    transport_smtp_connection_flush (self);
}

/* On to the recipient at or after `at`. */
static void
next_rcpt (SmtpConnection *self)
{
    SmtpDelivery *delivery = self->delivery;
    self->state = SMTP_RCPT;
    self->at = next_recipient (delivery, self->at, is_pipelining (self));
    if (self->at >= delivery->n_recipients) {
        recipients_done (self);
        return;
    }
    if (!is_pipelining (self))
        put_rcpt (self, self->at);
    transport_smtp_connection_deadline (self, self->smtp->conf.rcpt_s);
    transport_smtp_connection_flush (self);
}

static void
on_mail_reply (SmtpConnection *self)
{
    if (self->reply.code / 100 != 2) {
        Refusal r;
        read_refusal (self, "MAIL FROM command", &r);
        self->is_failed = true;
        for (size_t i = 0; i < self->delivery->n_recipients; i++)
            if (self->delivery->recipients[i].state != SMTP_DONE)
                fail_recipient (self, i, r.is_hard, r.dsn, r.text, r.said, r.flags);
        if (!is_pipelining (self) || self->must_close) {
            over (self);
            return;
        }
    }
    self->at = 0;
    next_rcpt (self);
}

static void
accept_recipient (SmtpConnection *self, size_t i)
{
    char said[2048], dsn[12];
    uint32_t flags = (self->features & SMTP_DSN ? HK_RESULT_DSN_RELAYED : 0) |
                     transport_smtp_esmtp_flags (self);
    transport_smtp_reply_print (&self->reply, said, sizeof said);
    transport_smtp_reply_dsn (&self->reply, dsn);
    transport_smtp_delivery_result (self->delivery, i, HK_STATUS_SENT, dsn, said, said,
                                    flags);
}

static void
on_rcpt_reply (SmtpConnection *self)
{
    SmtpRecipient *recipient = &self->delivery->recipients[self->at];
    if (!self->is_failed && recipient->state == SMTP_LEFT) {
        if (self->reply.code / 100 == 2 && self->delivery->is_probe &&
            !self->smtp->conf.probes_to_data) {
            accept_recipient (self, self->at);
        } else if (self->reply.code / 100 == 2) {
            recipient->state = SMTP_ACCEPTED;
            self->n_accepted++;
        } else {
            Refusal r;
            read_refusal (self, "RCPT TO command", &r);
            /* RFC 5321 4.5.3.1.10: 552 means too many recipients now, like 452. */
            if (self->reply.code == 552) {
                r.is_hard = false;
                r.dsn[0] = '4';
            }
            fail_recipient (self, self->at, r.is_hard, r.dsn, r.text, r.said, r.flags);
        }
    }
    if (self->must_close) { /* 421: nothing more will come */
        fail_all (self, SMTP_ACCEPTED, "RCPT TO command");
        fail_all (self, SMTP_LEFT, "RCPT TO command");
        over (self);
        return;
    }
    self->at++;
    next_rcpt (self);
}

/* The server waits for content that a probe does not have: hang up. */
static void
take_probe (SmtpConnection *self)
{
    SmtpDelivery *delivery = self->delivery;
    char said[2048];
    transport_smtp_reply_print (&self->reply, said, sizeof said);
    for (size_t i = 0; i < delivery->n_recipients; i++)
        if (delivery->recipients[i].state == SMTP_ACCEPTED)
            transport_smtp_delivery_result (delivery, i, HK_STATUS_SENT, "2.0.0", said, said,
                                            0);
    delivery->connection = NULL;
    self->delivery = NULL;
    transport_smtp_connection_close (self); /* QUIT would be content */
    transport_smtp_delivery_transaction_over (delivery);
}

static void
on_data_reply (SmtpConnection *self)
{
    bool has_work = !self->is_failed && self->n_accepted > 0;
    if (self->reply.code / 100 == 3 && has_work && self->delivery->is_probe) {
        take_probe (self);
        return;
    }
    if (self->reply.code / 100 == 3) {
        if (has_work) {
            send_content (self);
            return;
        }
        /* The server believes that somebody was accepted: give it nothing and go on.  With
         * LMTP it would answer for each, that is never (RFC 2033 4.2): hang up. */
        if (self->smtp->conf.is_lmtp) {
            self->must_close = true;
            over (self);
            return;
        }
        self->state = SMTP_ABANDON;
        g_string_append (self->out, ".\r\n");
        transport_smtp_connection_deadline (self, self->smtp->conf.data_done_s);
        transport_smtp_connection_flush (self);
        return;
    }
    if (has_work)
        fail_all (self, SMTP_ACCEPTED, "DATA command");
    abandon (self);
}

static void
finish_recipient (SmtpConnection *self, size_t i)
{
    Refusal r;
    if (self->reply.code / 100 == 2) {
        accept_recipient (self, i);
        return;
    }
    read_refusal (self, "end of DATA command", &r);
    fail_recipient (self, i, r.is_hard, r.dsn, r.text, r.said, r.flags);
}

/* SMTP: one reply for all; LMTP: one for each accepted recipient. */
static void
on_final_reply (SmtpConnection *self)
{
    SmtpDelivery *delivery = self->delivery;
    if (self->at == 0)
        self->n_uses++;
    for (; self->at < delivery->n_recipients; self->at++) {
        const SmtpRecipient *r = &delivery->recipients[self->at];
        if (!r->is_sent || r->state != SMTP_ACCEPTED)
            continue;
        finish_recipient (self, self->at);
        if (!self->smtp->conf.is_lmtp || self->n_accepted-- <= 1)
            continue;
        self->at++;
        return;
    }
    self->needs_rset = false;
    over (self);
}

/* The server spoke while content was on its way: it will not take it. */
static void
on_early_reply (SmtpConnection *self)
{
    if (self->reply.code / 100 < 4)
        self->reply.code = 451;
    self->must_close = true;
    fail_all (self, SMTP_ACCEPTED, "end of DATA command");
    self->body.size = self->tail.size = 0;
    self->is_encoding = false;
    over (self);
}

static void
on_rset_reply (SmtpConnection *self)
{
    if (self->reply.code / 100 != 2) {
        self->had_reply = false;
        errno = 0;
        transport_smtp_dialogue_lost (self, false);
        return;
    }
    self->needs_rset = false;
    send_transaction (self);
}

void
transport_smtp_dialogue_reply (SmtpConnection *self)
{
    if (transport_smtp_session_reply (self))
        return;
    if (self->state == SMTP_RSET) {
        on_rset_reply (self);
        return;
    }
    /* A connection that had waited may have been given up by the server meanwhile. */
    if (self->state == SMTP_MAIL && !self->had_reply && self->reply.code == 421 &&
        !self->delivery->is_fresh) {
        errno = 0;
        transport_smtp_dialogue_lost (self, false);
        return;
    }
    self->had_reply = true;
    switch (self->state) {
    case SMTP_MAIL:
        on_mail_reply (self);
        break;
    case SMTP_RCPT:
        on_rcpt_reply (self);
        break;
    case SMTP_DATA:
        on_data_reply (self);
        break;
    case SMTP_BODY:
        on_early_reply (self);
        break;
    case SMTP_FINAL:
        on_final_reply (self);
        break;
    default: /* SMTP_ABANDON */
        self->needs_rset = false;
        over (self);
        break;
    }
}
