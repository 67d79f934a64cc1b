/* transport_smtp_session.c: the beginning of a session: greeting, EHLO, HELO, LHLO.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_smtp_priv.h"

#include <string.h>

static const char *
hello_word (const SmtpConnection *self, SmtpState state)
{
    return self->smtp->conf.is_lmtp ? "LHLO" : state == SMTP_EHLO ? "EHLO" : "HELO";
}

static void
say_hello (SmtpConnection *self, SmtpState state)
{
    self->state = state;
    g_string_append_printf (self->out, "%s %s\r\n", hello_word (self, state),
                            self->smtp->conf.helo_name);
    transport_smtp_connection_deadline (self, self->smtp->conf.helo_s);
    transport_smtp_connection_flush (self);
}

/* The host does not take mail now; the next one may. */
static void
refused (SmtpConnection *self)
{
    SmtpDelivery *delivery = self->delivery;
    char said[2048], dsn[12];
    transport_smtp_reply_print (&self->reply, said, sizeof said);
    transport_smtp_reply_dsn (&self->reply, dsn);
    if (dsn[0] == '2')
        g_strlcpy (dsn, "4.5.0", sizeof dsn);
    if (self->smtp->conf.skip_5xx_greeting || self->state != SMTP_GREETING)
        dsn[0] = '4';
    g_autofree char *text =
        g_strdup_printf ("host %s refused to talk to me: %s", self->name, said);
    delivery->connection = NULL;
    self->delivery = NULL;
    transport_smtp_connection_quit (self);
    transport_smtp_delivery_site_failed (delivery, dsn, text);
}

static void
loop_found (SmtpConnection *self)
{
    SmtpDelivery *delivery = self->delivery;
    g_autofree char *text =
        g_strdup_printf ("mail for %s loops back to myself", delivery->where.name);
    delivery->connection = NULL;
    self->delivery = NULL;
    transport_smtp_connection_quit (self);
    transport_smtp_delivery_site_failed (delivery, "5.4.6", text);
}

/* Does the greeting carry our own name?  Who connects to other ports or by literal address
 * knows what he does. */
static bool
greets_as_me (const SmtpConnection *self)
{
    const SmtpSite *where = &self->delivery->where;
    const char *mine = self->smtp->conf.my_name;
    const char *text = self->reply.text->str;
    size_t n = strlen (mine);
    if (where->is_literal || where->path != NULL || where->port != 25 || n == 0)
        return false;
    return self->reply.text->len >= n + 4 && g_ascii_strncasecmp (text + 4, mine, n) == 0 &&
           (text[4 + n] == '\0' || text[4 + n] == ' ' || text[4 + n] == '\n');
}

/* One line of the reply to EHLO, without code: "SIZE 10240000". */
static void
read_feature (SmtpConnection *self, const char *line, size_t size)
{
    static const struct {
        const char *word;
        unsigned bit;
    } known[] = {{"PIPELINING", SMTP_PIPELINING},
                 {"SIZE", SMTP_SIZE},
                 {"8BITMIME", SMTP_8BITMIME},
                 {"DSN", SMTP_DSN},
                 {"SMTPUTF8", SMTP_UTF8},
                 {"STARTTLS", SMTP_STARTTLS},
                 {"AUTH", SMTP_AUTH},
                 {"CHUNKING", SMTP_CHUNKING},
                 {"BINARYMIME", SMTP_BINARYMIME},
                 {"DELIVERBY", SMTP_DELIVERBY},
                 {"MT-PRIORITY", SMTP_MT_PRIORITY},
                 {"REQUIRETLS", SMTP_REQUIRETLS}};
    size_t n = 0;
    while (n < size && line[n] != ' ' && line[n] != '=')
        n++;
    for (size_t i = 0; i < G_N_ELEMENTS (known); i++) {
        if (strlen (known[i].word) != n ||
            g_ascii_strncasecmp (line, known[i].word, n) != 0 ||
            (self->smtp->conf.discard & known[i].bit))
            continue;
        self->features |= known[i].bit;
        if (known[i].bit == SMTP_SIZE && n < size)
            self->size_limit = g_ascii_strtoull (line + n + 1, NULL, 10);
        if (known[i].bit == SMTP_DELIVERBY && n < size)
            self->by_minimum_s =
                (int64_t) MIN (g_ascii_strtoull (line + n + 1, NULL, 10), 999999999);
    }
}

static void
read_features (SmtpConnection *self)
{
    const char *at = strchr (self->reply.text->str, '\n'); /* the first line is a name */
    while (at != NULL) {
        const char *line = at + 1;
        at = strchr (line, '\n');
        size_t n = at == NULL ? strlen (line) : (size_t) (at - line);
        if (n > 4)
            read_feature (self, line + 4, n - 4);
    }
}

static void
session_ready (SmtpConnection *self)
{
    self->delivery->n_sessions++;
    self->delivery->ready_us = transport_smtp_now_us ();
    transport_smtp_dialogue_begin (self);
}

bool
transport_smtp_session_reply (SmtpConnection *self)
{
    int class = self->reply.code / 100;
    const SmtpConf *conf = &self->smtp->conf;
    switch (self->state) {
    case SMTP_GREETING:
        if (class != 2)
            refused (self);
        else if (greets_as_me (self))
            loop_found (self);
        else
            say_hello (self, conf->never_ehlo && !conf->is_lmtp ? SMTP_HELO : SMTP_EHLO);
        return true;
    case SMTP_EHLO:
        if (class == 2) {
            read_features (self);
            session_ready (self);
        } else if (class == 5 && !conf->is_lmtp && self->reply.code != 521) {
            say_hello (self, SMTP_HELO);
        } else {
            refused (self);
        }
        return true;
    case SMTP_HELO:
        if (class == 2)
            session_ready (self);
        else
            refused (self);
        return true;
    default:
        return false;
    }
}
