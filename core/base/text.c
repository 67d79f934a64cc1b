/* text.c: small grammar that many rooms need. */
#include "config.h"

#include "base/text.h"

bool
hk_text_parse_u64 (HkSpan s, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    if (s.size == 0)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        unsigned d = (unsigned) s.data[i] - '0';
        if (d > 9 || v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    if (v > max)
        return false;
    *out = v;
    return true;
}

static int64_t
unit_seconds (char unit)
{
    switch (g_ascii_tolower (unit)) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return 7 * 86400;
    default:
        return 0;
    }
}

bool
hk_text_parse_time (HkSpan s, char unit, int64_t *out_seconds)
{
    uint64_t v;
    if (s.size > 0 && g_ascii_isalpha ((char) s.data[s.size - 1])) {
        unit = (char) s.data[s.size - 1];
        s.size--;
    }
    int64_t factor = unit_seconds (unit);
    if (factor == 0 || !hk_text_parse_u64 (s, (uint64_t) (INT32_MAX / factor), &v))
        return false;
    *out_seconds = (int64_t) v * factor;
    return true;
}

static bool
is_separator (uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',';
}

/* Length of "{ … }" with balanced braces at the front of S; all of S when it is not closed. */
static size_t
braced_size (HkSpan s)
{
    unsigned depth = 0;
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] == '{')
            depth++;
        else if (s.data[i] == '}' && --depth == 0)
            return i + 1;
    }
    return s.size;
}

bool
hk_text_next_word (HkSpan *rest, HkSpan *out_word)
{
    HkSpan s = *rest;
    while (s.size > 0 && is_separator (s.data[0]))
        s = hk_span_sub (s, 1, s.size);
    size_t n = 0;
    while (n < s.size && !is_separator (s.data[n])) {
        if (s.data[n] == '{')
            n += braced_size (hk_span_sub (s, n, s.size));
        else
            n++;
    }
    *rest = hk_span_sub (s, n, s.size);
    *out_word = hk_span_sub (s, 0, n);
    return n > 0;
}

void
hk_text_append_printable (GString *out, HkSpan s, size_t max, bool allow_utf8)
{
    bool is_cut = s.size > max;
    HkSpan part = hk_span_sub (s, 0, max);
    for (size_t i = 0; i < part.size;) {
        uint8_t c = part.data[i];
        if (c >= 32 && c < 127) {
            g_string_append_c (out, (char) c);
            i++;
            continue;
        }
        gunichar u = c < 0x80 || !allow_utf8
                         ? (gunichar) -1
                         : g_utf8_get_char_validated ((const char *) part.data + i,
                                                      (gssize) (part.size - i));
        if (u == (gunichar) -1 || u == (gunichar) -2 || u < 0xa0) {
            g_string_append_c (out, '?');
            i++;
        } else {
            int n = g_unichar_to_utf8 (u, NULL);
            g_string_append_len (out, (const char *) part.data + i, n);
            i += (size_t) n;
        }
    }
    if (is_cut)
        g_string_append (out, "...");
}

void
hk_text_append_xtext (GString *out, HkSpan s)
{
    for (size_t i = 0; i < s.size; i++) {
        uint8_t c = s.data[i];
        if (c <= 32 || c >= 127 || c == '+' || c == '=')
            g_string_append_printf (out, "+%02X", c);
        else
            g_string_append_c (out, (char) c);
    }
}

static int
upper_hex (uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
hk_text_decode_xtext (HkSpan s, GString *out)
{
    gsize start = out->len;
    for (size_t i = 0; i < s.size; i++) {
        uint8_t c = s.data[i];
        if (c == '+') {
            int hi = i + 2 < s.size ? upper_hex (s.data[i + 1]) : -1;
            int lo = i + 2 < s.size ? upper_hex (s.data[i + 2]) : -1;
            if (hi < 0 || lo < 0) {
                g_string_truncate (out, start);
                return false;
            }
            g_string_append_c (out, (char) (hi * 16 + lo));
            i += 2;
        } else if (c <= 32 || c >= 127 || c == '=') {
            g_string_truncate (out, start);
            return false;
        } else {
            g_string_append_c (out, (char) c);
        }
    }
    return true;
}

unsigned
hk_text_distance (const char *a, const char *b, unsigned limit)
{
    size_t na = strlen (a), nb = strlen (b);
    if (na > 255 || nb > 255 || MAX (na, nb) - MIN (na, nb) > limit)
        return limit + 1;
    unsigned row[256];
    for (size_t j = 0; j <= nb; j++)
        row[j] = (unsigned) j;
    for (size_t i = 1; i <= na; i++) {
        unsigned diagonal = row[0], best = row[0] = (unsigned) i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned substitute = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = MIN (substitute, MIN (row[j], row[j - 1]) + 1);
            best = MIN (best, row[j]);
        }
        if (best > limit)
            return limit + 1;
    }
    return row[nb];
}
