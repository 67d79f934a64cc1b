/* dsn_lines.c: puts foreign text into a notification so that it stays where it is put. */
#include "config.h"
#include "mail/dsn_priv.h"

enum {
    COLUMNS = 76,
    LINE_MAX_SIZE = 998 /* RFC 5322 2.1.1, without CRLF */
};

/* Size of the well-formed UTF-8 sequence at the front of S, 0 when it is none or a control
 * character. */
static size_t
utf8_sequence (HkSpan s)
{
    gunichar c =
        g_utf8_get_char_validated ((const char *) s.data, (gssize) MIN (s.size, 4));
    if (c == (gunichar) -1 || c == (gunichar) -2 || c < 0xa0)
        return 0;
    return (size_t) g_unichar_to_utf8 (c, NULL);
}

void
hk_dsn_append_clean (GString *out, HkSpan s, bool utf8)
{
    for (size_t i = 0; i < s.size;) {
        uint8_t c = s.data[i];
        size_t size = c >= 32 && c < 127 ? 1 : 0;
        if (c > 127 && utf8)
            size = utf8_sequence (hk_span_sub (s, i, s.size));
        if (size == 0)
            g_string_append_c (out, '?');
        else
            hk_string_append (out, hk_span_sub (s, i, size));
        i += MAX (size, (size_t) 1);
    }
}

static void
append_line (GString *out, HkSpan line)
{
    bool is_first = true;
    do {
        size_t room = is_first ? LINE_MAX_SIZE : LINE_MAX_SIZE - 1;
        size_t take = MIN (line.size, room);
        while (take < line.size && take > room - 4 && (line.data[take] & 0xc0) == 0x80)
            take--;
        if (!is_first)
            g_string_append_c (out, ' ');
        gsize begin = out->len;
        hk_string_append (out, hk_span_sub (line, 0, take));
        for (gsize i = begin; i < out->len; i++)
            if (out->str[i] == '\0' || out->str[i] == '\r')
                out->str[i] = '?';
        g_string_append (out, "\r\n");
        line = hk_span_sub (line, take, line.size);
        is_first = false;
    } while (line.size > 0);
}

void
hk_dsn_append_lines (GString *out, HkSpan s)
{
    while (s.size > 0) {
        size_t lf = hk_span_find (s, '\n', 0);
        HkSpan line = hk_span_sub (s, 0, lf);
        if (line.size > 0 && lf < s.size && line.data[line.size - 1] == '\r')
            line.size--;
        append_line (out, line);
        s = hk_span_sub (s, lf + 1, s.size);
    }
}

/* How much of S goes into ROOM columns: to the last blank that fits, else to the next one,
 * else what a line can hold. */
static size_t
fold_place (HkSpan s, size_t room)
{
    size_t limit = LINE_MAX_SIZE / 2; /* a '\x{…}' or '?' never makes more of it */
    if (s.size <= room)
        return s.size;
    for (size_t i = room; i > 0; i--)
        if (s.data[i] == ' ')
            return i;
    size_t next = hk_span_find (s, ' ', room);
    if (next <= limit)
        return next;
    while ((s.data[limit] & 0xc0) == 0x80 && limit > LINE_MAX_SIZE / 2 - 4)
        limit--;
    return limit;
}

void
hk_dsn_append_folded (GString *out, HkSpan s, size_t first, size_t indent, bool utf8)
{
    g_autoptr (GString) clean = g_string_sized_new (s.size + 1);
    hk_dsn_append_clean (clean, s, utf8);
    HkSpan rest = hk_span_strip (hk_span_string (clean));
    size_t taken = first;
    do {
        size_t take = fold_place (rest, taken < COLUMNS - 10 ? COLUMNS - taken : 10);
        hk_string_append (out, hk_span_sub (rest, 0, take));
        g_string_append (out, "\r\n");
        rest = hk_span_strip (hk_span_sub (rest, take, rest.size));
        for (size_t i = 0; i < indent && rest.size > 0; i++)
            g_string_append_c (out, ' ');
        taken = indent;
    } while (rest.size > 0);
}
