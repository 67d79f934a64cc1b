/* esmtp.c: FUTURERELEASE, DELIVERBY, MT-PRIORITY, REQUIRETLS, BINARYMIME and XVERP in a
 * session. */
#include "config.h"
#include "session/esmtp.h"

#include "mail/verp.h"
#include "session/session_priv.h"

#include <time.h>

const HkConfSpec hk_esmtp_params[] = {
    {.name = "smtpd_futurerelease_enable",
     .type = HK_CONF_BOOL,
     .preset = "no",
     .help = "offer FUTURERELEASE (RFC 4865): the client says when a message may leave; for "
             "a submission service"},
    {.name = "smtpd_futurerelease_max_interval",
     .type = HK_CONF_TIME,
     .preset = "7d",
     .min = 1,
     .max = 999999999,
     .help = "the longest time that FUTURERELEASE may ask for"},
    {.name = "smtpd_deliverby_enable",
     .type = HK_CONF_BOOL,
     .preset = "no",
     .help = "offer DELIVERBY (RFC 2852): the client says how long delivery may take"},
    {.name = "smtpd_deliverby_min_time",
     .type = HK_CONF_TIME,
     .preset = "0s",
     .min = 0,
     .max = 999999999,
     .help = "the shortest time that DELIVERBY may give when the message is to be returned "
             "after it"},
    {.name = "smtpd_mt_priority_enable",
     .type = HK_CONF_BOOL,
     .preset = "no",
     .help = "offer MT-PRIORITY (RFC 6710): the client says how urgent a message is"},
    {.name = "smtpd_mt_priority_clients",
     .type = HK_CONF_STRING,
     .preset = "$mynetworks",
     .help = "clients whose MT-PRIORITY counts; of the others it is taken as 0"},
    {.name = "smtpd_mt_priority_sasl_enable",
     .type = HK_CONF_BOOL,
     .preset = "yes",
     .help = "MT-PRIORITY counts of clients that have logged in as well"},
    {.name = "smtpd_requiretls_enable",
     .type = HK_CONF_BOOL,
     .preset = "no",
     .help = "offer REQUIRETLS (RFC 8689) inside TLS: such a message is never sent on in "
             "clear"},
    {.name = "smtpd_binarymime_enable",
     .type = HK_CONF_BOOL,
     .preset = "no",
     .help = "offer BINARYMIME (RFC 3030): content by BDAT is kept byte by byte"},
    {.name = "authorized_verp_clients",
     .type = HK_CONF_STRING,
     .preset = "",
     .help = "older name of smtpd_authorized_verp_clients"},
    {.name = "smtpd_authorized_verp_clients",
     .type = HK_CONF_STRING,
     .preset = "$authorized_verp_clients",
     .help = "clients that may say XVERP: each recipient gets a sender address of its own"},
    {.name = "default_verp_delimiters",
     .type = HK_CONF_STRING,
     .preset = "+=",
     .help = "the two delimiters of such an address when none were given"},
    {.name = "verp_delimiter_filter",
     .type = HK_CONF_STRING,
     .preset = "-=+",
     .help = "characters that may be such delimiters"},
    {.name = NULL},
};

/* ---- a service --------------------------------------------------------------------------
 */

HkEsmtpService *
hk_esmtp_service_new (HkSettings *view, GError **error)
{
    static const struct {
        const char *parameter;
        unsigned bit;
    } switches[] = {{"smtpd_futurerelease_enable", HK_EHLO_FUTURERELEASE},
                    {"smtpd_deliverby_enable", HK_EHLO_DELIVERBY},
                    {"smtpd_mt_priority_enable", HK_EHLO_MT_PRIORITY},
                    {"smtpd_requiretls_enable", HK_EHLO_REQUIRETLS},
                    {"smtpd_binarymime_enable", HK_EHLO_BINARYMIME}};
    const char *delimiters = hk_settings_get (view, "default_verp_delimiters");
    const char *filter = hk_settings_get (view, "verp_delimiter_filter");
    char verp[3];
    if (!hk_verp_parse (hk_span_text (delimiters), filter, verp)) {
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE,
                     "default_verp_delimiters: \"%s\" is not two characters of "
                     "verp_delimiter_filter, \"%s\"",
                     delimiters, filter);
        return NULL;
    }
    HkEsmtpService *self = g_new0 (HkEsmtpService, 1);
    self->enabled = HK_EHLO_XVERP;
    for (size_t i = 0; i < G_N_ELEMENTS (switches); i++)
        if (hk_settings_bool (view, switches[i].parameter))
            self->enabled |= switches[i].bit;
    self->hold_limit_s = hk_settings_int (view, "smtpd_futurerelease_max_interval");
    self->by_minimum_s = hk_settings_int (view, "smtpd_deliverby_min_time");
    self->priority_by_sasl = hk_settings_bool (view, "smtpd_mt_priority_sasl_enable");
    self->verp_delimiters = g_strdup (verp);
    self->verp_filter = g_strdup (filter);
    return self;
}

void
hk_esmtp_service_free (HkEsmtpService *self)
{
    if (self == NULL)
        return;
    g_free (self->verp_delimiters);
    g_free (self->verp_filter);
    g_free (self);
}

/* ---- what is offered --------------------------------------------------------------------
 */

unsigned
hk_esmtp_withheld (const HkSession *self, unsigned mask)
{
    unsigned withheld = self->may_verp ? 0 : HK_EHLO_XVERP;
    if (!hk_session_is_encrypted (self))
        withheld |= HK_EHLO_REQUIRETLS;
    if (!(mask & HK_EHLO_CHUNKING)) /* RFC 3030 3: by BDAT alone */
        withheld |= HK_EHLO_BINARYMIME;
    return withheld;
}

void
hk_esmtp_append_argument (GString *out, const HkEsmtpService *self, unsigned bit,
                          int64_t now_s)
{
    if (bit == HK_EHLO_DELIVERBY && self->by_minimum_s > 0)
        g_string_append_printf (out, " %" G_GINT64_FORMAT, self->by_minimum_s);
    if (bit != HK_EHLO_FUTURERELEASE)
        return;
    char text[32];
    time_t latest = (time_t) (now_s + self->hold_limit_s);
    struct tm tm;
    if (gmtime_r (&latest, &tm) == NULL ||
        strftime (text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return;
    g_string_append_printf (out, " %" G_GINT64_FORMAT " %s", self->hold_limit_s, text);
}

/* ---- MAIL -------------------------------------------------------------------------------
 */

static int64_t
now_s (const HkSession *self)
{
    return hk_wall_us (hk_loop_clock (self->dialogue->sessions->options.loop)) / HK_SECOND;
}

void
hk_esmtp_rules (const HkSession *self, HkEsmtpRules *out)
{
    static const struct {
        unsigned keyword, extension;
    } pairs[] = {{HK_EHLO_FUTURERELEASE, HK_ESMTP_FUTURERELEASE},
                 {HK_EHLO_DELIVERBY, HK_ESMTP_DELIVERBY},
                 {HK_EHLO_MT_PRIORITY, HK_ESMTP_MT_PRIORITY},
                 {HK_EHLO_REQUIRETLS, HK_ESMTP_REQUIRETLS},
                 {HK_EHLO_BINARYMIME, HK_ESMTP_BINARYMIME}};
    const HkEsmtpService *service = self->dialogue->esmtp;
    *out = (HkEsmtpRules){.now_s = now_s (self),
                          .hold_limit_s = service->hold_limit_s,
                          .by_minimum_s = service->by_minimum_s,
                          .verp_delimiters = service->verp_delimiters,
                          .verp_filter = service->verp_filter};
    for (size_t i = 0; self->is_esmtp && i < G_N_ELEMENTS (pairs); i++)
        if (self->ehlo_mask & pairs[i].keyword)
            out->offered |= pairs[i].extension;
    /* As in Postfix, a client on the list may say it without being asked. */
    if (self->may_verp)
        out->offered |= HK_ESMTP_XVERP;
}

/* RFC 6710 5.1: whoever may not ask for it gets what nobody asks for. */
static bool
may_ask_priority (const HkSession *self)
{
    return self->may_priority ||
           (self->dialogue->esmtp->priority_by_sasl && hk_auth_username (self).size > 0);
}

void
hk_esmtp_fill (const HkSession *self, HkTransaction *tx)
{
    const HkEsmtp *asked = &tx->options.esmtp;
    HkEnvelope *e = &tx->envelope;
    e->release_s = asked->release_s;
    if (asked->has_by) {
        e->flags |= (asked->by_return ? HK_ENVELOPE_BY_RETURN : HK_ENVELOPE_BY_NOTIFY) |
                    (asked->by_trace ? HK_ENVELOPE_BY_TRACE : 0);
        e->deliver_by_us = e->arrival_us + asked->by_s * HK_SECOND;
    }
    if (asked->has_priority && may_ask_priority (self))
        e->priority = asked->priority;
    e->flags |= (asked->requires_tls ? HK_ENVELOPE_REQUIRE_TLS : 0) |
                (asked->is_binary ? HK_ENVELOPE_BODY_BINARY | HK_ENVELOPE_BODY_8BIT : 0);
    if (asked->verp[0] != '\0')
        e->verp = hk_arena_copy (tx->arena, hk_span_text (asked->verp));
}

void
hk_esmtp_say_mail_ok (HkSession *self)
{
    const HkTransaction *tx = self->tx;
    const HkEsmtp *asked = &tx->options.esmtp;
    /* RFC 6710 4.1: the priority that holds stands first in the text. */
    if (asked->has_priority && asked->priority != tx->envelope.priority)
        hk_session_reply (self, 250, "2.3.6", "%d is the priority of this message",
                          tx->envelope.priority);
    else
        hk_session_say_literal (self, "250 2.1.0 Ok\r\n");
}
