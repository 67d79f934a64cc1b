/* transport_smtp_content.c: content on the wire: lines end with CRLF, dots are stuffed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "transport_smtp_priv.h"

bool
transport_smtp_content_is_plain (HkSpan content, size_t line_limit)
{
    const uint8_t *p = content.data, *end = p + content.size;
    if (line_limit == 0)
        line_limit = SIZE_MAX - 2;
    while (p < end) {
        if (*p == '.')
            return false;
        const uint8_t *lf = memchr (p, '\n', (size_t) (end - p));
        if (lf == NULL || lf == p || memchr (p, '\r', (size_t) (lf - p)) != lf - 1 ||
            (size_t) (lf - p) > line_limit + 1)
            return false;
        p = lf + 1;
    }
    return true;
}

static void
put_byte (SmtpEncoder *self, GString *out, uint8_t c)
{
    if (self->line_limit > 0 && self->column >= self->line_limit) {
        g_string_append (out, "\r\n ");
        self->column = 1;
    }
    if (self->column == 0 && c == '.')
        g_string_append_c (out, '.');
    g_string_append_c (out, (char) c);
    self->column++;
}

void
transport_smtp_content_encode (SmtpEncoder *self, GString *out, size_t max)
{
    HkSpan s = self->rest;
    size_t i = 0;
    for (; i < s.size && out->len < max; i++) {
        uint8_t c = s.data[i];
        if (c == '\r' && i + 1 < s.size && s.data[i + 1] == '\n')
            continue;
        if (c == '\n') {
            g_string_append (out, "\r\n");
            self->column = 0;
        } else {
            put_byte (self, out, c == '\r' ? ' ' : c);
        }
    }
    self->rest = (HkSpan){s.data + i, s.size - i};
    if (self->rest.size > 0)
        return;
    g_string_append (out, self->column > 0 ? "\r\n.\r\n" : ".\r\n");
    self->is_done = true;
}
