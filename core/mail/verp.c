/* verp.c: a sender address for each recipient. */
#include "config.h"
#include "mail/verp.h"

bool
hk_verp_parse (HkSpan text, const char *allowed, char out[3])
{
    if (text.size != 2)
        return false;
    for (size_t i = 0; i < 2; i++) {
        char c = (char) text.data[i];
        if (c == '\0' || strchr (allowed, c) == NULL)
            return false;
        out[i] = c;
    }
    out[2] = '\0';
    return true;
}

void
hk_verp_append_sender (GString *out, HkSpan sender, HkSpan recipient,
                       const char delimiters[2])
{
    size_t at = hk_span_rfind (sender, '@'), part = hk_span_rfind (recipient, '@');
    hk_string_append (out, hk_span_sub (sender, 0, at));
    g_string_append_c (out, delimiters[0]);
    hk_string_append (out, hk_span_sub (recipient, 0, part));
    if (part < recipient.size) {
        g_string_append_c (out, delimiters[1]);
        hk_string_append (out, hk_span_sub (recipient, part + 1, recipient.size));
    }
    hk_string_append (out, hk_span_sub (sender, at, sender.size));
}

bool
hk_verp_from_qmqp (HkSpan address, GString *out_sender, char out_delimiters[3])
{
    static const char mark[] = "-@[]";
    size_t mark_size = sizeof mark - 1;
    if (address.size <= mark_size ||
        memcmp (address.data + address.size - mark_size, mark, mark_size) != 0)
        return false;
    HkSpan rest = hk_span_sub (address, 0, address.size - mark_size);
    size_t at = hk_span_find (rest, '@', 0);
    /* Something before the delimiter, and a domain. */
    if (at < 2 || at + 1 >= rest.size)
        return false;
    out_delimiters[0] = (char) rest.data[at - 1];
    out_delimiters[1] = '=';
    out_delimiters[2] = '\0';
    hk_string_append (out_sender, hk_span_sub (rest, 0, at - 1));
    hk_string_append (out_sender, hk_span_sub (rest, at, rest.size));
    return true;
}
