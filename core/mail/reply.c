/* reply.c: makes SMTP replies and takes them apart. */
#include "config.h"
#include "mail/reply.h"

enum { LINE_MAX_SIZE = 510 }; /* RFC 5321 4.5.3.1.5: 512 octets with CRLF */

static bool
is_break (uint8_t c)
{
    return c == '\r' || c == '\n';
}

/* The first line of TEXT; TEXT moves behind it. */
static HkSpan
next_line (HkSpan *text)
{
    size_t size = 0;
    while (size < text->size && !is_break (text->data[size]))
        size++;
    HkSpan line = hk_span_sub (*text, 0, size);
    if (size + 1 < text->size && text->data[size] == '\r' && text->data[size + 1] == '\n')
        size++;
    *text = hk_span_sub (*text, size + 1, text->size);
    return line;
}

/* How much of LINE fits into ROOM: up to the last blank if there is one in the second half,
 * never in the middle of an UTF-8 sequence. */
static size_t
fitting (HkSpan line, size_t room)
{
    if (line.size <= room)
        return line.size;
    for (size_t i = room; i > room / 2; i--)
        if (line.data[i] == ' ')
            return i;
    size_t cut = room;
    while (cut > room - 4 && (line.data[cut] & 0xc0) == 0x80)
        cut--;
    return cut;
}

static void
append_printable (GString *out, HkSpan s)
{
    size_t run = 0;
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] >= 32 && s.data[i] != 127)
            continue;
        hk_string_append (out, hk_span_sub (s, run, i - run));
        g_string_append_c (out, '?');
        run = i + 1;
    }
    hk_string_append (out, hk_span_sub (s, run, s.size));
}

void
hk_reply_append (GString *out, int code, const char *dsn, HkSpan text)
{
    char digits[4] = {(char) ('0' + code / 100 % 10), (char) ('0' + code / 10 % 10),
                      (char) ('0' + code % 10), '\0'};
    size_t dsn_size = dsn == NULL || *dsn == '\0' ? 0 : strlen (dsn) + 1;
    size_t room = LINE_MAX_SIZE - 4 - MIN (dsn_size, 16);
    HkSpan line = next_line (&text);
    for (;;) {
        HkSpan part = hk_span_sub (line, 0, fitting (line, room));
        line = hk_span_sub (line, part.size, line.size);
        while (part.size > 0 && line.size > 0 && line.data[0] == ' ')
            line = hk_span_sub (line, 1, line.size);
        bool is_last = line.size == 0 && text.size == 0;
        g_string_append_len (out, digits, 3);
        g_string_append_c (out, is_last ? ' ' : '-');
        if (dsn_size > 0) {
            g_string_append_len (out, dsn, (gssize) dsn_size - 1);
            if (part.size > 0)
                g_string_append_c (out, ' ');
        }
        append_printable (out, part);
        g_string_append_len (out, "\r\n", 2);
        if (is_last)
            return;
        if (line.size == 0)
            line = next_line (&text);
    }
}

static size_t
digits_at (HkSpan text, size_t at, size_t max)
{
    size_t n = 0;
    while (n < max && at + n < text.size && g_ascii_isdigit (text.data[at + n]))
        n++;
    return n;
}

size_t
hk_dsn_prefix (HkSpan text)
{
    if (text.size < 5 || strchr ("245", text.data[0]) == NULL || text.data[0] == '\0' ||
        text.data[1] != '.')
        return 0;
    size_t subject = digits_at (text, 2, 3), at = 2 + subject;
    if (subject == 0 || at >= text.size || text.data[at] != '.')
        return 0;
    size_t detail = digits_at (text, at + 1, 3);
    at += 1 + detail;
    if (detail == 0 || (at < text.size && text.data[at] > 32))
        return 0;
    return at;
}

bool
hk_reply_split (HkSpan text, int *out_code, char out_dsn[12], HkSpan *out_text)
{
    text = hk_span_strip (text);
    if (digits_at (text, 0, 4) != 3 || (text.data[0] != '4' && text.data[0] != '5') ||
        (text.size > 3 && text.data[3] != ' ' && text.data[3] != '\t'))
        return false;
    *out_code = (text.data[0] - '0') * 100 + (text.data[1] - '0') * 10 + text.data[2] - '0';
    HkSpan rest = hk_span_strip (hk_span_sub (text, 3, text.size));
    size_t dsn = hk_dsn_prefix (rest);
    if (dsn > 0)
        memcpy (out_dsn, rest.data, dsn);
    else
        memcpy (out_dsn, "x.7.1", 5); /* access(5): a refusal by policy */
    out_dsn[dsn > 0 ? dsn : 5] = '\0';
    out_dsn[0] = (char) text.data[0]; /* the class must fit the code */
    *out_text = hk_span_strip (hk_span_sub (rest, dsn, rest.size));
    return true;
}
