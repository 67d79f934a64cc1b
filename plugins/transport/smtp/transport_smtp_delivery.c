/* transport_smtp_delivery.c: one message for one next hop: which host is tried next, and
 * what becomes of each recipient.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_smtp_priv.h"

#include <stdarg.h>
#include <string.h>

static void begin_site (SmtpDelivery *self, bool may_reuse);

/* ---- the end */

static void
delivery_free (SmtpDelivery *self)
{
    for (size_t i = 0; i < self->n_recipients; i++)
        g_free (self->recipients[i].reason);
    g_free (self->recipients);
    g_ptr_array_unref (self->sites);
    g_array_unref (self->targets);
    transport_smtp_site_clear (&self->where);
    g_free (self->reason);
    g_free (self->relay);
    g_free (self->remote);
    g_free (self);
}

void
transport_smtp_delivery_result (SmtpDelivery *self, size_t i, int32_t status,
                                const char *dsn, const char *text, const char *diagnostic,
                                uint32_t flags)
{
    SmtpRecipient *recipient = &self->recipients[i];
    SmtpConnection *connection = self->connection;
    int64_t now = transport_smtp_now_us ();
    HkResult result = {.size = sizeof result,
                       .status = status,
                       .flags = flags,
                       .dsn = transport_smtp_span (dsn),
                       .text = transport_smtp_span (text),
                       .relay =
                           transport_smtp_span (self->relay == NULL ? "none" : self->relay),
                       .diagnostic = transport_smtp_span (diagnostic),
                       .remote = transport_smtp_span (self->remote)};
    if (self->ready_us != 0) {
        result.connect_us = self->is_fresh ? self->ready_us - self->started_us : 0;
        result.transmit_us = MAX (now - self->ready_us, 1);
    } else {
        result.connect_us = MAX (now - self->started_us, 1);
    }
    if (connection != NULL)
        result.conn_use = connection->n_uses;
    recipient->state = SMTP_DONE;
    self->n_left--;
    self->smtp->host->result (self->call, i, &result);
}

static void
finish (SmtpDelivery *self)
{
    const HkHost *host = self->smtp->host;
    HkCall *call = self->call;
    delivery_free (self);
    host->complete (call);
}

/* No host is left to be tried. */
static void
give_up (SmtpDelivery *self)
{
    int32_t status = self->is_bounce ? HK_STATUS_BOUNCED : HK_STATUS_DEFERRED;
    uint32_t flags = self->is_site_down ? HK_RESULT_SITE_DOWN : 0;
    for (size_t i = 0; i < self->n_recipients; i++) {
        SmtpRecipient *r = &self->recipients[i];
        if (r->state == SMTP_DONE)
            continue;
        if (r->reason != NULL)
            transport_smtp_delivery_result (self, i, HK_STATUS_DEFERRED, r->dsn, r->reason,
                                            NULL, 0);
        else
            transport_smtp_delivery_result (self, i, status, self->dsn, self->reason, NULL,
                                            flags);
    }
    finish (self);
}

static void
set_reason (SmtpDelivery *self, const char *dsn, const char *text)
{
    g_free (self->reason);
    self->reason = g_strdup (text);
    g_strlcpy (self->dsn, dsn, sizeof self->dsn);
}

/* ---- the next host */

static bool
has_next_target (const SmtpDelivery *self)
{
    const SmtpConf *conf = &self->smtp->conf;
    return self->target < self->targets->len &&
           (conf->address_limit == 0 || self->target < conf->address_limit) &&
           (conf->session_limit == 0 || self->n_sessions < conf->session_limit);
}

bool
transport_smtp_delivery_is_final (const SmtpDelivery *self)
{
    return !has_next_target (self) && self->site + 1 >= self->sites->len;
}

static void
next_site (SmtpDelivery *self)
{
    self->site++;
    begin_site (self, true);
}

static void
next_target (SmtpDelivery *self)
{
    if (has_next_target (self)) {
        SmtpTarget target = g_array_index (self->targets, SmtpTarget, self->target);
        self->target++;
        transport_smtp_connection_open (self, &target);
    } else {
        next_site (self);
    }
}

static void
begin_site (SmtpDelivery *self, bool may_reuse)
{
    SmtpInstance *smtp = self->smtp;
    if (self->site >= self->sites->len) {
        give_up (self);
        return;
    }
    const char *text = self->sites->pdata[self->site];
    g_array_set_size (self->targets, 0);
    self->target = 0;
    self->n_sessions = 0;
    if (may_reuse) {
        SmtpConnection *connection = transport_smtp_connection_take (smtp, text);
        if (connection != NULL) {
            self->connection = connection;
            connection->delivery = self;
            self->is_fresh = false;
            self->ready_us = transport_smtp_now_us ();
            transport_smtp_dialogue_begin (connection);
            return;
        }
    }
    transport_smtp_site_clear (&self->where);
    if (!transport_smtp_site_parse (&smtp->conf, text, &self->where))
        transport_smtp_delivery_no_host (self, "4.3.5", "bad next hop \"%s\"", text);
    else if (self->where.path != NULL)
        transport_smtp_connection_open_unix (self, self->where.path);
    else
        transport_smtp_resolve_start (self);
}

void
transport_smtp_delivery_resolved (SmtpDelivery *self)
{
    next_target (self);
}

void
transport_smtp_delivery_no_host (SmtpDelivery *self, const char *dsn, const char *format,
                                 ...)
{
    va_list args;
    va_start (args, format);
    g_autofree char *text = g_strdup_vprintf (format, args);
    va_end (args);
    /* A host that could not be reached weighs more than a fallback that does not exist. */
    if (self->reason == NULL || self->is_bounce) {
        set_reason (self, dsn, text);
        self->is_bounce = dsn[0] == '5';
    }
    next_site (self);
}

void
transport_smtp_delivery_site_failed (SmtpDelivery *self, const char *dsn, const char *text)
{
    set_reason (self, dsn, text);
    self->is_bounce = dsn[0] == '5';
    self->is_site_down = true;
    next_target (self);
}

void
transport_smtp_delivery_restart (SmtpDelivery *self)
{
    self->started_us = transport_smtp_now_us ();
    self->ready_us = 0;
    begin_site (self, false);
}

void
transport_smtp_delivery_transaction_over (SmtpDelivery *self)
{
    if (self->n_left == 0)
        finish (self);
    else
        next_target (self);
}

/* ---- the beginning */

/* A next hop may be a list; the fallback relays stand behind. */
static void
list_sites (SmtpDelivery *self)
{
    HkSpan nexthop;
    self->sites = g_ptr_array_new_with_free_func (g_free);
    if (self->smtp->host->prop (self->call, HK_PROP_NEXTHOP, &nexthop) == HK_FOUND) {
        g_autofree char *text =
            g_ascii_strdown ((const char *) nexthop.data, (gssize) nexthop.size);
        if (memchr (nexthop.data, '/', nexthop.size) != NULL) { /* a path keeps its case */
            g_free (text);
            text = transport_smtp_dup (nexthop);
        }
        g_auto (GStrv) words = g_strsplit_set (text, ", \t", -1);
        for (char **w = words; *w != NULL; w++)
            if (**w != '\0')
                g_ptr_array_add (self->sites, g_strdup (*w));
    }
    for (char **w = self->smtp->conf.fallback; *w != NULL; w++)
        g_ptr_array_add (self->sites, g_strdup (*w));
}

/* Bytes that would end the command that the address stands in. */
static bool
is_safe (HkSpan address)
{
    for (size_t i = 0; i < address.size; i++)
        if (address.data[i] < ' ' || address.data[i] == 127)
            return false;
    return true;
}

static void
list_recipients (SmtpDelivery *self)
{
    const HkHost *host = self->smtp->host;
    self->n_recipients = host->n_recipients (self->call);
    self->n_left = self->n_recipients;
    self->recipients = g_new0 (SmtpRecipient, MAX (self->n_recipients, 1));
    for (size_t i = 0; i < self->n_recipients; i++)
        if (host->recipient_prop (self->call, i, HK_PROP_RECIPIENT,
                                  &self->recipients[i].address) != HK_FOUND ||
            !is_safe (self->recipients[i].address) || !is_safe (self->sender))
            transport_smtp_delivery_result (self, i, HK_STATUS_BOUNCED, "5.1.3",
                                            "the address cannot be sent over SMTP", NULL,
                                            0);
}

void
transport_smtp_delivery_start (SmtpInstance *smtp, HkCall *call)
{
    const HkHost *host = smtp->host;
    SmtpDelivery *self = g_new0 (SmtpDelivery, 1);
    int64_t flags = 0, utf8 = 0, probe = 0;
    HkSpan encoding = {0};
    self->smtp = smtp;
    self->call = call;
    self->started_us = transport_smtp_now_us ();
    self->targets = g_array_new (FALSE, FALSE, sizeof (SmtpTarget));
    host->prop (call, HK_PROP_SENDER, &self->sender);
    list_sites (self);
    list_recipients (self);
    host->prop_int (call, HK_PROP_CONTENT_FLAGS, &flags);
    host->prop_int (call, HK_PROP_SMTPUTF8, &utf8);
    self->is_probe = host->prop_int (call, HK_PROP_PROBE, &probe) == HK_FOUND;
    self->is_8bit = (flags & HK_CONTENT_8BIT) != 0;
    self->needs_utf8 = utf8 != 0;
    host->prop (call, HK_PROP_ENCODING, &encoding);
    self->is_binary = encoding.size == 6 && memcmp (encoding.data, "binary", 6) == 0;
    set_reason (self, "4.3.5", "there is no next hop");
    if (self->n_left == 0) {
        finish (self);
    } else if (smtp->conf.refusal != NULL) {
        set_reason (self, "4.7.5", smtp->conf.refusal);
        give_up (self);
    } else if (host->content_map (call, &self->content) != HK_OK) {
        set_reason (self, "4.3.0", "the message cannot be read");
        give_up (self);
    } else {
        if (self->sites->len > 0)
            g_clear_pointer (&self->reason, g_free);
        begin_site (self, true);
    }
}
