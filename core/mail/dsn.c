/* dsn.c: composes notifications: multipart/report with a text for people, a status for
 * programs, and the message (or its headers) that it is about. */
#include "config.h"
#include "mail/dsn.h"
#include "mail/dsn_priv.h"
#include "mail/header.h"

typedef struct {
    const char *subject, *postmaster_subject, *description;
} KindText;

static const KindText kinds[] = {
    [HK_DSN_FAILURE] = {"Your mail could not be delivered",
                        "Copy for the postmaster: mail could not be delivered",
                        "Undeliverable message"},
    [HK_DSN_DELAY] = {"Your mail is delayed", "Copy for the postmaster: mail is delayed",
                      "Delayed message"},
    [HK_DSN_SUCCESS] = {"Report about your mail",
                        "Copy for the postmaster: delivery report",
                        "Message that was reported on"},
};

static void
append_header (GString *out, const char *name, const char *value)
{
    g_string_append (out, name);
    g_string_append (out, ": ");
    g_string_append (out, value);
    g_string_append (out, "\r\n");
}

static void
append_date_field (GString *out, const char *name, int64_t wall_us)
{
    g_string_append (out, name);
    g_string_append (out, ": ");
    hk_header_append_date (out, wall_us);
    g_string_append (out, "\r\n");
}

/* ---- what the third part will be --------------------------------------------------------
 */

typedef struct {
    HkSpan headers, body;
    bool is_whole, is_8bit;
} Returned;

/* At most LIMIT bytes of S, cut behind a line. */
static HkSpan
cut_lines (HkSpan s, size_t limit)
{
    if (s.size <= limit)
        return s;
    HkSpan cut = hk_span_sub (s, 0, limit);
    size_t lf = hk_span_rfind (cut, '\n');
    return hk_span_sub (cut, 0, lf < cut.size ? lf + 1 : 0);
}

static bool
has_high_byte (HkSpan s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] > 127)
            return true;
    return false;
}

static Returned
choose_returned (const HkDsn *self)
{
    size_t limit = self->size_limit == 0 ? SIZE_MAX : self->size_limit;
    Returned returned = {.headers = cut_lines (self->headers, limit)};
    returned.is_whole = self->body.size > 0 && self->headers.size <= limit &&
                        self->body.size <= limit - self->headers.size;
    if (returned.is_whole)
        returned.body = self->body;
    returned.is_8bit = has_high_byte (returned.headers) || has_high_byte (returned.body);
    return returned;
}

/* ---- boundary ---------------------------------------------------------------------------
 */

static bool
holds (HkSpan s, const char *text)
{
    return s.size > 0 && memmem (s.data, s.size, text, strlen (text)) != NULL;
}

static bool
is_used (const HkDsn *self, const Returned *returned, const char *boundary)
{
    if (holds (returned->headers, boundary) || holds (returned->body, boundary))
        return true;
    for (size_t i = 0; i < self->n_recipients; i++) {
        const HkDsnRecipient *r = &self->recipients[i];
        if (holds (r->text, boundary) || holds (r->diagnostic, boundary) ||
            holds (r->address, boundary) || holds (r->original, boundary) ||
            holds (r->orcpt, boundary))
            return true;
    }
    return holds (self->envid, boundary) || holds (self->original_sender, boundary);
}

static char *
choose_boundary (const HkDsn *self, const Returned *returned)
{
    char id[HK_QUEUE_ID_TEXT];
    hk_queue_id_format (self->notice_id, id);
    /* At most 70 characters (RFC 2046 5.1.1).  The counter ends: content is finite. */
    for (unsigned n = 0;; n++) {
        char *boundary = g_strdup_printf ("=_%s.%" G_GINT64_MODIFIER "x.%x", id,
                                          (guint64) self->now_us, n);
        if (!is_used (self, returned, boundary))
            return boundary;
        g_free (boundary);
    }
}

/* ---- the parts --------------------------------------------------------------------------
 */

static void
append_top (GString *out, const HkDsn *self, const char *boundary, bool is_8bit)
{
    char id[HK_QUEUE_ID_TEXT];
    const KindText *kind = &kinds[self->kind];
    hk_queue_id_format (self->notice_id, id);
    HkReceived received = {.myhostname = self->myhostname,
                           .mail_name = self->mail_name,
                           .queue_id = id,
                           .uid = -1,
                           .arrival_us = self->now_us};
    hk_header_append_received (out, &received);
    append_date_field (out, "Date", self->now_us);
    g_string_append_printf (out, "From: MAILER-DAEMON@%s (Mail Delivery System)\r\n",
                            self->myhostname);
    append_header (out, "Subject",
                   self->to_postmaster ? kind->postmaster_subject : kind->subject);
    g_string_append (out, "To: ");
    hk_dsn_append_clean (out, self->to, self->smtputf8);
    g_string_append (out, "\r\n");
    append_header (out, "Auto-Submitted", "auto-replied");
    g_string_append_printf (out, "Message-ID: <%s.%" G_GINT64_FORMAT "@%s>\r\n", id,
                            self->now_us / G_USEC_PER_SEC, self->myhostname);
    append_header (out, "MIME-Version", "1.0");
    g_string_append_printf (out,
                            "Content-Type: multipart/report; report-type=%s;\r\n"
                            "\tboundary=\"%s\"\r\n",
                            self->smtputf8 ? "global-delivery-status" : "delivery-status",
                            boundary);
    if (is_8bit)
        append_header (out, "Content-Transfer-Encoding", "8bit");
    g_string_append (out, "\r\nThis message has several parts in MIME format.\r\n");
}

static void
append_part (GString *out, const char *boundary, const char *description, const char *type,
             bool is_8bit)
{
    g_string_append_printf (out, "\r\n--%s\r\n", boundary);
    append_header (out, "Content-Description", description);
    append_header (out, "Content-Type", type);
    if (is_8bit)
        append_header (out, "Content-Transfer-Encoding", "8bit");
    g_string_append (out, "\r\n");
}

static void
append_returned (GString *out, const HkDsn *self, const Returned *returned,
                 const char *boundary)
{
    const char *type;
    if (returned->is_whole)
        type = self->smtputf8 ? "message/global" : "message/rfc822";
    else if (self->smtputf8)
        type = "message/global-headers";
    else
        type = returned->is_8bit ? "text/rfc822-headers; charset=utf-8"
                                 : "text/rfc822-headers";
    append_part (out, boundary, kinds[self->kind].description, type, returned->is_8bit);
    hk_dsn_append_lines (out, returned->headers);
    if (returned->is_whole) {
        g_string_append (out, "\r\n");
        hk_dsn_append_lines (out, returned->body);
    }
}

GString *
hk_dsn_compose (const HkDsn *self)
{
    Returned returned = choose_returned (self);
    bool utf8 = self->smtputf8;
    g_autofree char *boundary = choose_boundary (self, &returned);
    GString *out = g_string_sized_new (4096 + returned.headers.size + returned.body.size);
    /* The first two parts have 8-bit bytes only when they may hold UTF-8. */
    append_top (out, self, boundary, utf8 || returned.is_8bit);
    append_part (out, boundary, "Notification",
                 utf8 ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii", utf8);
    hk_dsn_append_notice (out, self);
    append_part (out, boundary, "Delivery report",
                 utf8 ? "message/global-delivery-status" : "message/delivery-status", utf8);
    hk_dsn_append_status (out, self);
    append_returned (out, self, &returned, boundary);
    g_string_append_printf (out, "\r\n--%s--\r\n", boundary);
    return out;
}
