/* transport_smtp_esmtp.c: DELIVERBY, MT-PRIORITY, REQUIRETLS and BINARYMIME towards the next
 * hop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_smtp_priv.h"

/* What DELIVERBY says of the message.  False: nothing. */
static bool
read_by (const SmtpConnection *self, int64_t *out_left_s, bool *out_returns, HkSpan *out_mode)
{
    const HkHost *host = self->smtp->host;
    HkCall *call = self->delivery->call;
    int64_t until_us;
    if (host->prop_int (call, HK_PROP_DELIVER_BY_US, &until_us) != HK_FOUND ||
        host->prop (call, HK_PROP_DELIVER_BY_MODE, out_mode) != HK_FOUND)
        return false;
    int64_t left_us = until_us - g_get_real_time ();
    /* Downwards: a next hop must never believe that it has more time than there is. */
    *out_left_s = left_us / G_USEC_PER_SEC - (left_us % G_USEC_PER_SEC < 0);
    *out_left_s = CLAMP (*out_left_s, -999999999, 999999999);
    *out_returns = out_mode->size > 0 && out_mode->data[0] == 'R';
    return true;
}

/* A Unix socket does not leave the machine; there is no TLS towards others yet. */
static bool
can_require_tls (const SmtpConnection *self)
{
    return self->is_unix;
}

static char *
not_offered (const SmtpConnection *self, const char *what)
{
    return g_strdup_printf ("%s is required, but was not offered by host %s", what, self->name);
}

bool
transport_smtp_esmtp_may_send (const SmtpConnection *self, const char **out_dsn,
                               char **out_text)
{
    const SmtpDelivery *delivery = self->delivery;
    const HkHost *host = self->smtp->host;
    int64_t left_s, requires_tls = 0;
    bool returns;
    HkSpan mode;
    host->prop_int (delivery->call, HK_PROP_REQUIRE_TLS, &requires_tls);
    if (requires_tls != 0 && !can_require_tls (self)) { /* RFC 8689 4.2.1 */
        *out_dsn = "5.7.30";
        *out_text = g_strdup_printf (
            "REQUIRETLS is required, but the connection to host %s has no TLS", self->name);
        return false;
    }
    if (delivery->is_binary && (~self->features & (SMTP_BINARYMIME | SMTP_CHUNKING)) != 0) {
        *out_dsn = "5.6.3"; /* RFC 3030 3 */
        *out_text = not_offered (self, "BINARYMIME");
        return false;
    }
    if (!read_by (self, &left_s, &returns, &mode) || !returns)
        return true;
    if (left_s <= 0) {
        *out_dsn = "5.4.7";
        *out_text = g_strdup ("delivery time expired");
        return false;
    }
    if (self->smtp->conf.is_lmtp) /* the end of the way */
        return true;
    if (!(self->features & SMTP_DELIVERBY)) {
        *out_dsn = "5.3.3"; /* RFC 2852 4.2: nobody would keep the time */
        *out_text = not_offered (self, "DELIVERBY");
        return false;
    }
    if (left_s < self->by_minimum_s) {
        *out_dsn = "5.4.7";
        *out_text = g_strdup_printf ("host %s needs %" G_GINT64_FORMAT
                                     " seconds for delivery, %" G_GINT64_FORMAT " are left",
                                     self->name, self->by_minimum_s, left_s);
        return false;
    }
    return true;
}

void
transport_smtp_esmtp_put_mail (SmtpConnection *self)
{
    int64_t left_s, priority, requires_tls = 0;
    bool returns;
    HkSpan mode;
    const HkHost *host = self->smtp->host;
    HkCall *call = self->delivery->call;
    if ((self->features & SMTP_DELIVERBY) && read_by (self, &left_s, &returns, &mode))
        g_string_append_printf (self->out, " BY=%" G_GINT64_FORMAT ";%.*s", left_s,
                                (int) mode.size, (const char *) mode.data);
    if ((self->features & SMTP_MT_PRIORITY) &&
        host->prop_int (call, HK_PROP_MT_PRIORITY, &priority) == HK_FOUND)
        g_string_append_printf (self->out, " MT-PRIORITY=%d", (int) priority);
    host->prop_int (call, HK_PROP_REQUIRE_TLS, &requires_tls);
    if (requires_tls != 0 && (self->features & SMTP_REQUIRETLS))
        g_string_append (self->out, " REQUIRETLS");
}

uint32_t
transport_smtp_esmtp_flags (const SmtpConnection *self)
{
    if (self->smtp->conf.is_lmtp) /* nobody counts behind it, but it is delivered */
        return HK_RESULT_BY_RELAYED;
    return self->features & SMTP_DELIVERBY ? HK_RESULT_BY_RELAYED : 0;
}
