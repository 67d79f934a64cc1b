/* auth_syntax.c: the grammar of AUTH: its argument, and base64 in the strict sense. */
#include "config.h"
#include "session/auth_priv.h"

/* The first word of *REST. */
static HkSpan
take_word (HkSpan *rest)
{
    size_t end = 0;
    while (end < rest->size && rest->data[end] != ' ' && rest->data[end] != '\t')
        end++;
    HkSpan word = hk_span_sub (*rest, 0, end);
    *rest = hk_span_strip (hk_span_sub (*rest, end, SIZE_MAX));
    return word;
}

bool
hk_auth_parse (HkSpan argument, HkSpan *out_mechanism, HkSpan *out_initial)
{
    HkSpan rest = hk_span_strip (argument);
    *out_mechanism = take_word (&rest);
    HkSpan initial = take_word (&rest);
    *out_initial = initial.size > 0 ? initial : HK_SPAN_NONE;
    return out_mechanism->size > 0 && rest.size == 0;
}

static int
value_of (uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters; the number of bytes, -1: wrong. */
static int
decode_quantum (const uint8_t *text, bool is_last, uint8_t *out)
{
    unsigned n_padding = !is_last || text[3] != '=' ? 0 : text[2] != '=' ? 1 : 2;
    unsigned bits = 0;
    for (unsigned i = 0; i < 4; i++) {
        int value = i >= 4 - n_padding ? 0 : value_of (text[i]);
        if (value < 0)
            return -1;
        bits = bits << 6 | (unsigned) value;
    }
    if ((n_padding == 1 && (bits & 0xff) != 0) || (n_padding == 2 && (bits & 0xffff) != 0))
        return -1;
    for (unsigned i = 0; i < 3 - n_padding; i++)
        out[i] = (uint8_t) (bits >> (16 - 8 * i));
    return 3 - (int) n_padding;
}

bool
hk_auth_decode (HkSpan text, uint8_t *buffer, size_t *out_size)
{
    size_t size = 0;
    if (text.size % 4 != 0)
        return false;
    for (size_t i = 0; i < text.size; i += 4) {
        int n = decode_quantum (text.data + i, i + 4 == text.size, buffer + size);
        if (n < 0)
            return false;
        size += (size_t) n;
    }
    *out_size = size;
    return true;
}
