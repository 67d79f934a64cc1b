/* transport_smtp_reply.c: reading a server's replies (RFC 5321 4.2) piece by piece.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "transport_smtp_priv.h"

/* RFC 5321 4.5.3.1.5 allows 512 bytes a line; what is longer is cut, what goes on is bad.
 */
enum { LINE_MAX_SIZE = 2048, TEXT_MAX_SIZE = 16384, REPLY_MAX_SIZE = 262144 };

void
transport_smtp_reply_init (SmtpReply *self)
{
    self->text = g_string_sized_new (128);
    self->line = g_string_sized_new (128);
    self->code = 0;
    self->size = 0;
}

void
transport_smtp_reply_clear (SmtpReply *self)
{
    g_string_free (self->text, TRUE);
    g_string_free (self->line, TRUE);
}

/* A whole line is there. */
static SmtpProgress
end_line (SmtpReply *self)
{
    const char *p = self->line->str;
    size_t n = self->line->len;
    if (n > 0 && p[n - 1] == '\r')
        n--;
    bool is_code = n >= 3 && p[0] >= '2' && p[0] <= '5' && g_ascii_isdigit (p[1]) &&
                   g_ascii_isdigit (p[2]) && (n == 3 || p[3] == ' ' || p[3] == '-');
    if (!is_code)
        return SMTP_REPLY_BAD;
    if (self->text->len > 0 && self->text->len < TEXT_MAX_SIZE)
        g_string_append_c (self->text, '\n');
    if (self->text->len + n <= TEXT_MAX_SIZE)
        g_string_append_len (self->text, p, (gssize) n);
    self->code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
    bool is_last = n == 3 || p[3] == ' ';
    g_string_truncate (self->line, 0);
    return is_last ? SMTP_REPLY_DONE : SMTP_REPLY_MORE;
}

SmtpProgress
transport_smtp_reply_feed (SmtpReply *self, const char **at, const char *end)
{
    if (self->code != 0 && self->size == 0) { /* the last reply was complete */
        self->code = 0;
        g_string_truncate (self->text, 0);
    }
    while (*at < end) {
        const char *lf = memchr (*at, '\n', (size_t) (end - *at));
        const char *stop = lf == NULL ? end : lf;
        size_t n = (size_t) (stop - *at);
        self->size += n + 1;
        g_string_append_len (
            self->line, *at,
            (gssize) MIN (n, LINE_MAX_SIZE - MIN (self->line->len, LINE_MAX_SIZE)));
        *at = lf == NULL ? end : lf + 1;
        if (self->size > REPLY_MAX_SIZE)
            return SMTP_REPLY_BAD;
        if (lf == NULL)
            return SMTP_REPLY_MORE;
        SmtpProgress progress = end_line (self);
        if (progress == SMTP_REPLY_DONE)
            self->size = 0;
        if (progress != SMTP_REPLY_MORE)
            return progress;
    }
    return SMTP_REPLY_MORE;
}

void
transport_smtp_reply_print (const SmtpReply *self, char *out, size_t max)
{
    size_t n = MIN (self->text->len, max - 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char) self->text->str[i];
        out[i] = c == '\n' ? ' ' : c < ' ' || c == 127 ? '?' : (char) c;
    }
    out[n] = '\0';
}

/* "x.y.z" behind the code of the first line? */
static size_t
dsn_length (const char *p)
{
    size_t at = 1;
    if (*p != '2' && *p != '4' && *p != '5')
        return 0;
    for (int part = 0; part < 2; part++) {
        size_t from = at + 1;
        if (p[at++] != '.')
            return 0;
        while (g_ascii_isdigit (p[at]) && at - from < 3)
            at++;
        if (at == from)
            return 0;
    }
    return p[at] == ' ' || p[at] == '\0' || p[at] == '\n' ? at : 0;
}

void
transport_smtp_reply_dsn (const SmtpReply *self, char out[12])
{
    const char *text = self->text->str;
    size_t n = self->text->len > 4 ? dsn_length (text + 4) : 0;
    if (n > 0 && text[4] == text[0])
        g_snprintf (out, 12, "%.*s", (int) MIN (n, 11), text + 4);
    else
        g_snprintf (out, 12, "%c.0.0", text[0]);
}
