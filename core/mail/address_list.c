/* address_list.c: the addresses in To:, Cc:, Bcc: (RFC 5322 3.4 with its obsolete forms).
 */
#include "config.h"
#include "mail/address.h"
#include "mail/address_priv.h"

enum { LIST_FLAGS = HK_ADDR_SCAN_UTF8 | HK_ADDR_SCAN_BLANKS | HK_ADDR_SCAN_LINES };

static void
tell (const HkAddrSpec *spec, HkAddressFn fn, void *data)
{
    uint8_t formed[HK_ADDRESS_MAX];
    fn (hk_span (formed, hk_addr_spec_format (spec, formed)), data);
}

/* "<route:user@host>" at *AT; <> names nobody. */
static bool
read_bracketed (HkSpan text, size_t *at, HkAddressFn fn, void *data)
{
    HkAddrSpec spec;
    ++*at;
    if (!hk_addr_skip_blanks (text, at, LIST_FLAGS) ||
        !hk_addr_skip_route (text, at, LIST_FLAGS) ||
        hk_addr_spec_scan (text, at, LIST_FLAGS, &spec) != HK_PATH_OK || *at >= text.size ||
        text.data[(*at)++] != '>')
        return false;
    if (spec.local_size > 0)
        tell (&spec, fn, data);
    else if (spec.has_at || spec.has_local)
        return false;
    return true;
}

static bool
is_separator (uint8_t c)
{
    return c == ',' || c == ';';
}

/* Addresses without brackets.  Blanks part them as commas do: To: headers and tables are
 * written so, and Postfix reads them so. */
static bool
read_words (HkSpan text, size_t *at, HkAddressFn fn, void *data)
{
    HkAddrSpec spec;
    while (hk_addr_skip_blanks (text, at, LIST_FLAGS)) {
        size_t begin = *at;
        if (begin >= text.size || is_separator (text.data[begin]))
            return true;
        if (hk_addr_spec_scan (text, at, LIST_FLAGS | HK_ADDR_SCAN_WORDS, &spec) !=
                HK_PATH_OK ||
            spec.local_size == 0)
            return false;
        bool is_end = *at >= text.size || is_separator (text.data[*at]);
        if (!is_end && strchr (" \t\r\n)", text.data[*at - 1]) == NULL)
            return false;
        tell (&spec, fn, data);
    }
    return false;
}

/* Move to the '<' or ':' of this entry: what stands before it is a display name, which may
 * hold what an address may not.  False when the entry ends first. */
static bool
skip_phrase (HkSpan text, size_t *at)
{
    while (hk_addr_skip_blanks (text, at, LIST_FLAGS) && *at < text.size) {
        uint8_t c = text.data[*at];
        if (c == '<' || c == ':')
            return true;
        if (is_separator (c) || c == '\0')
            return false;
        ++*at;
        if (c == '\\') {
            ++*at;
        } else if (c == '[') {
            *at = hk_span_find (text, ']', *at);
        } else if (c == '"') {
            while (*at < text.size && text.data[*at] != '"')
                *at += text.data[*at] == '\\' ? 2 : 1;
            ++*at;
        }
    }
    return false;
}

/* One entry at *AT: a mailbox, words, a group's name with its ':', or nothing. */
static bool
read_entry (HkSpan text, size_t *at, bool *in_group, HkAddressFn fn, void *data)
{
    size_t mark = *at;
    if (!skip_phrase (text, &mark))
        return read_words (text, at, fn, data);
    *at = mark;
    if (text.data[mark] == '<')
        return read_bracketed (text, at, fn, data);
    if (*in_group)
        return false; /* groups do not nest */
    ++*at;
    *in_group = true;
    return true;
}

bool
hk_address_list_parse (HkSpan text, HkAddressFn fn, void *data)
{
    bool in_group = false;
    for (size_t at = 0; at < text.size;) {
        if (!read_entry (text, &at, &in_group, fn, data))
            return false;
        if (at < text.size && is_separator (text.data[at])) {
            in_group = in_group && text.data[at] != ';';
            at++;
        }
    }
    return true;
}
