/* dsn_parts.c: the notification's text for people, and its status part (RFC 3464). */
#include "config.h"
#include "mail/address.h"
#include "mail/dsn_priv.h"
#include "mail/header.h"

/* ---- text for people --------------------------------------------------------------------
 */

/* "5 days", "4 hours"; whole units only. */
static void
append_span_of_time (GString *out, int64_t seconds)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    size_t i = 0;
    while (i < G_N_ELEMENTS (units) - 1 && seconds < units[i].seconds)
        i++;
    int64_t n = seconds / units[i].seconds;
    g_string_append_printf (out, "%" G_GINT64_FORMAT " %s%s", n, units[i].name,
                            n == 1 ? "" : "s");
}

static void
append_failure (GString *out, const HkDsn *self)
{
    if (self->to_postmaster)
        g_string_append (out,
                         "For the postmaster: a message that passed through this system "
                         "could not be\r\n"
                         "delivered to the recipients listed here.  Its sender was told "
                         "unless the\r\n"
                         "message had no sender.\r\n\r\n");
    else
        g_string_append (
            out, "Your message did not reach everybody it was meant for: delivery to "
                 "the\r\n"
                 "recipients listed here has failed for good and will not be tried "
                 "again.\r\n"
                 "The reason stands behind each address; your message is attached.\r\n"
                 "\r\n");
    g_string_append (out, "If you need help, write to the postmaster of this system and "
                          "enclose this\r\n"
                          "notification.\r\n");
}

static void
append_delay (GString *out, const HkDsn *self)
{
    g_string_append (out, self->to_postmaster
                              ? "For the postmaster: a message waits in the queue of this "
                                "system.\r\n"
                              : "This is for your information only: you need not send your "
                                "message again.\r\n");
    g_string_append (out,
                     "\r\nIt has not reached the recipients listed here for more than\r\n");
    append_span_of_time (out, self->delay_warning_s > 0
                                  ? self->delay_warning_s
                                  : (self->now_us - self->arrival_us) / G_USEC_PER_SEC);
    g_string_append (out, ".  Delivery will be tried");
    if (self->lifetime_s > 0) {
        g_string_append (out, " until the message is\r\n");
        append_span_of_time (out, self->lifetime_s);
        g_string_append (out, " old.\r\n");
    } else {
        g_string_append (out, " again.\r\n");
    }
}

static void
append_success (GString *out, const HkDsn *self)
{
    g_string_append (out,
                     self->to_postmaster
                         ? "For the postmaster: this is what became of a message.\r\n"
                         : "You asked to be told what became of your message.  Here is "
                           "the result for\r\n"
                           "each recipient.\r\n");
}

static void
append_reason (GString *out, const HkDsnRecipient *recipient, bool utf8)
{
    g_autoptr (GString) line = g_string_new ("<");
    hk_string_append (line, recipient->address);
    g_string_append_c (line, '>');
    if (recipient->original.size > 0 &&
        !hk_span_equal (recipient->original, recipient->address)) {
        g_string_append (line, " (expanded from <");
        hk_string_append (line, recipient->original);
        g_string_append (line, ">)");
    }
    g_string_append (line, ": ");
    hk_string_append (line, recipient->text);
    g_string_append (out, "\r\n");
    hk_dsn_append_folded (out, hk_span_string (line), 0, 4, utf8);
}

void
hk_dsn_append_notice (GString *out, const HkDsn *self)
{
    g_string_append (out, "This notice was written by the mail system of ");
    g_string_append (out, self->myhostname);
    g_string_append (out, ".\r\n\r\n");
    if (self->kind == HK_DSN_FAILURE)
        append_failure (out, self);
    else if (self->kind == HK_DSN_DELAY)
        append_delay (out, self);
    else
        append_success (out, self);
    for (size_t i = 0; i < self->n_recipients; i++)
        append_reason (out, &self->recipients[i], self->smtputf8);
}

/* ---- status -----------------------------------------------------------------------------
 */

static void
append_text_field (GString *out, const char *name, const char *type, HkSpan value,
                   bool utf8)
{
    gsize begin = out->len;
    g_string_append (out, name);
    g_string_append (out, ": ");
    if (type != NULL) {
        g_string_append (out, type);
        g_string_append (out, "; ");
    }
    hk_dsn_append_folded (out, value, out->len - begin, 4, utf8);
}

static void
append_date_field (GString *out, const char *name, int64_t wall_us)
{
    g_string_append (out, name);
    g_string_append (out, ": ");
    hk_header_append_date (out, wall_us);
    g_string_append (out, "\r\n");
}

/* RFC 6533 3: utf-8-addr-xtext, for a status that must be ASCII. */
static void
append_escaped (GString *out, HkSpan address)
{
    const char *s = (const char *) address.data, *end = s + address.size;
    while (s < end) {
        gunichar c = g_utf8_get_char_validated (s, end - s);
        bool is_char = c != (gunichar) -1 && c != (gunichar) -2;
        if (is_char && c > 127)
            g_string_append_printf (out, "\\x{%X}", c);
        else if (is_char && (c == '\\' || c == '+' || c == '='))
            g_string_append_printf (out, "\\x{%X}", c);
        else
            g_string_append_c (out, is_char ? *s : '?');
        s += is_char ? g_unichar_to_utf8 (c, NULL) : 1;
    }
}

static void
append_address_field (GString *out, const char *name, HkSpan address, bool utf8)
{
    if (hk_address_is_ascii (address)) {
        append_text_field (out, name, "rfc822", address, false);
        return;
    }
    if (utf8) {
        append_text_field (out, name, "utf-8", address, true);
        return;
    }
    g_autoptr (GString) escaped = g_string_new (NULL);
    append_escaped (escaped, address);
    append_text_field (out, name, "utf-8", hk_span_string (escaped), false);
}

/* ORCPT has its type in front, "rfc822;user@example.org". */
static void
append_original (GString *out, const HkDsnRecipient *recipient, bool utf8)
{
    if (recipient->orcpt.size == 0) {
        if (recipient->original.size > 0)
            append_address_field (out, "Original-Recipient", recipient->original, utf8);
        return;
    }
    size_t semicolon = hk_span_find (recipient->orcpt, ';', 0);
    HkSpan type = hk_span_sub (recipient->orcpt, 0, semicolon);
    HkSpan value = hk_span_sub (recipient->orcpt, semicolon + 1, recipient->orcpt.size);
    if (hk_span_is_ci (type, "rfc822") || hk_span_is_ci (type, "utf-8")) {
        append_address_field (out, "Original-Recipient", hk_span_strip (value), utf8);
        return;
    }
    append_text_field (out, "Original-Recipient", NULL, recipient->orcpt, utf8);
}

static void
append_diagnostic (GString *out, const HkDsnRecipient *recipient, bool utf8)
{
    bool is_smtp = recipient->diagnostic.size > 0;
    HkSpan text = is_smtp ? recipient->diagnostic : recipient->text;
    if (text.size > 0)
        append_text_field (out, "Diagnostic-Code", is_smtp ? "smtp" : "X-Hikyaku", text,
                           utf8);
}

static void
append_recipient (GString *out, const HkDsn *self, const HkDsnRecipient *recipient)
{
    bool utf8 = self->smtputf8;
    g_string_append (out, "\r\n");
    append_address_field (out, "Final-Recipient", recipient->address, utf8);
    append_original (out, recipient, utf8);
    append_text_field (out, "Action", NULL, hk_span_text (recipient->action), false);
    append_text_field (out, "Status", NULL, recipient->dsn, false);
    if (recipient->remote_mta.size > 0)
        append_text_field (out, "Remote-MTA", "dns", recipient->remote_mta, utf8);
    append_diagnostic (out, recipient, utf8);
    if (recipient->last_attempt_us != 0)
        append_date_field (out, "Last-Attempt-Date", recipient->last_attempt_us);
    if (recipient->will_retry_until_us != 0)
        append_date_field (out, "Will-Retry-Until", recipient->will_retry_until_us);
}

void
hk_dsn_append_status (GString *out, const HkDsn *self)
{
    char id[HK_QUEUE_ID_TEXT];
    append_text_field (out, "Reporting-MTA", "dns", hk_span_text (self->myhostname), false);
    if (self->envid.size > 0)
        append_text_field (out, "Original-Envelope-Id", NULL, self->envid, self->smtputf8);
    g_string_append_printf (out, "X-Hikyaku-Queue-ID: %s\r\n",
                            hk_queue_id_format (self->queue_id, id));
    if (self->original_sender.size > 0)
        append_address_field (out, "X-Hikyaku-Sender", self->original_sender,
                              self->smtputf8);
    if (self->arrival_us != 0)
        append_date_field (out, "Arrival-Date", self->arrival_us);
    for (size_t i = 0; i < self->n_recipients; i++)
        append_recipient (out, self, &self->recipients[i]);
}
