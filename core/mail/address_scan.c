/* address_scan.c: reads one addr-spec with all that RFC 5321 and RFC 5322 allow in it. */
#include "config.h"
#include "mail/address_priv.h"

/* A: atext; D: atext of host names; N: digit. */
#define A HK_ADDR_ATEXT
#define D (HK_ADDR_ATEXT | HK_ADDR_DOMAIN)
#define N (HK_ADDR_ATEXT | HK_ADDR_DOMAIN | HK_ADDR_DIGIT)
#define H HK_ADDR_HIGH
#define C HK_ADDR_CONTROL
const uint8_t hk_addr_class[256] = {
    [0 ... 8] = C,
    [10 ... 31] = C,
    ['\t'] = C | HK_ADDR_BLANK,
    [127] = C,
    [' '] = HK_ADDR_BLANK,
    ['0' ... '9'] = N,
    ['A' ... 'Z'] = D,
    ['a' ... 'z'] = D,
    ['-'] = D,
    ['_'] = D,
    ['!'] = A,
    ['#'] = A,
    ['$'] = A,
    ['%'] = A,
    ['&'] = A,
    ['\''] = A,
    ['*'] = A,
    ['+'] = A,
    ['/'] = A,
    ['='] = A,
    ['?'] = A,
    ['^'] = A,
    ['`'] = A,
    ['{'] = A,
    ['|'] = A,
    ['}'] = A,
    ['~'] = A,
    [128 ... 255] = H,
};

static bool
is_blank (uint8_t c, unsigned flags)
{
    if ((hk_addr_class[c] & HK_ADDR_BLANK) != 0)
        return true;
    return (flags & HK_ADDR_SCAN_LINES) != 0 && (c == '\r' || c == '\n');
}

/* A comment begins at *AT. */
static bool
skip_comment (HkSpan text, size_t *at, unsigned flags)
{
    unsigned depth = 0;
    for (size_t i = *at; i < text.size; i++) {
        uint8_t c = text.data[i];
        if ((hk_addr_class[c] & HK_ADDR_CONTROL) != 0 && !is_blank (c, flags))
            return false;
        if (c == '\\') {
            i++;
        } else if (c == '(') {
            if (++depth > HK_COMMENT_DEPTH)
                return false;
        } else if (c == ')' && --depth == 0) {
            *at = i + 1;
            return true;
        }
    }
    return false;
}

bool
hk_addr_skip_blanks (HkSpan text, size_t *at, unsigned flags)
{
    while (*at < text.size) {
        if (is_blank (text.data[*at], flags))
            ++*at;
        else if (text.data[*at] != '(')
            break;
        else if (!skip_comment (text, at, flags))
            return false;
    }
    return true;
}

static bool
skip_between (HkSpan text, size_t *at, unsigned flags)
{
    return (flags & HK_ADDR_SCAN_BLANKS) == 0 || hk_addr_skip_blanks (text, at, flags);
}

bool
hk_addr_skip_route (HkSpan text, size_t *at, unsigned flags)
{
    size_t i = *at;
    if (i >= text.size || text.data[i] != '@')
        return true;
    while (i < text.size && text.data[i] == '@') {
        size_t begin = ++i;
        if (i < text.size && text.data[i] == '[')
            i = hk_span_find (text, ']', i) + 1;
        else
            while (i < text.size &&
                   ((hk_addr_class[text.data[i]] & (HK_ADDR_DOMAIN | HK_ADDR_HIGH)) != 0 ||
                    text.data[i] == '.'))
                i++;
        if (i == begin || !skip_between (text, &i, flags) || i >= text.size)
            return false;
        if (text.data[i] == ':') {
            *at = i + 1;
            return true;
        }
        if (text.data[i++] != ',' || !skip_between (text, &i, flags))
            return false;
    }
    return false;
}

static HkPathResult
put_local (HkAddrSpec *out, uint8_t c)
{
    if (out->local_size == sizeof out->local)
        return HK_PATH_TOO_LONG;
    out->local[out->local_size++] = c;
    return HK_PATH_OK;
}

/* The quoted string that begins at *AT. */
static HkPathResult
scan_quoted (HkSpan text, size_t *at, HkAddrSpec *out, bool *high)
{
    HkPathResult result = HK_PATH_OK;
    size_t i = *at + 1;
    for (; i < text.size && text.data[i] != '"' && result == HK_PATH_OK; i++) {
        if (text.data[i] == '\\' && ++i == text.size)
            return HK_PATH_SYNTAX;
        unsigned class = hk_addr_class[text.data[i]];
        if ((class & HK_ADDR_CONTROL) != 0)
            return HK_PATH_SYNTAX;
        if ((class & HK_ADDR_HIGH) != 0)
            *high = true;
        result = put_local (out, text.data[i]);
    }
    if (result == HK_PATH_OK && i == text.size)
        return HK_PATH_SYNTAX;
    *at = i + 1;
    return result;
}

/* Words of a local part up to what is none of its bytes. */
static HkPathResult
scan_local (HkSpan text, size_t *at, unsigned flags, HkAddrSpec *out, bool *high)
{
    bool after_word = false, gap = false;
    HkPathResult result = HK_PATH_OK;
    while (*at < text.size && result == HK_PATH_OK) {
        uint8_t c = text.data[*at];
        unsigned class = hk_addr_class[c];
        bool is_word =
            c == '"' || c == '\\' || (class & (HK_ADDR_ATEXT | HK_ADDR_HIGH)) != 0;
        if (!is_word && c != '.')
            break;
        if (gap && is_word && after_word) {
            if ((flags & HK_ADDR_SCAN_WORDS) == 0)
                return HK_PATH_SYNTAX;
            break;
        }
        after_word = is_word;
        if (c == '"') {
            result = scan_quoted (text, at, out, high);
        } else {
            if (c == '\\' && ++*at == text.size)
                return HK_PATH_SYNTAX;
            c = text.data[*at];
            if ((hk_addr_class[c] & HK_ADDR_CONTROL) != 0)
                return HK_PATH_SYNTAX;
            if ((hk_addr_class[c] & HK_ADDR_HIGH) != 0)
                *high = true;
            result = put_local (out, c);
            ++*at;
        }
        out->has_local = true;
        size_t before = *at;
        if (result == HK_PATH_OK && !skip_between (text, at, flags))
            return HK_PATH_SYNTAX;
        gap = *at > before;
    }
    return result;
}

static HkPathResult
put_domain (HkAddrSpec *out, HkSpan part)
{
    if (part.size > sizeof out->domain - out->domain_size)
        return HK_PATH_TOO_LONG;
    memcpy (out->domain + out->domain_size, part.data, part.size);
    out->domain_size += part.size;
    return HK_PATH_OK;
}

static HkPathResult
scan_domain (HkSpan text, size_t *at, unsigned flags, HkAddrSpec *out, bool *high)
{
    bool gap = false, after_label = false;
    if (*at < text.size && text.data[*at] == '[') {
        size_t end = hk_span_find (text, ']', *at);
        if (end == text.size)
            return HK_PATH_SYNTAX;
        HkPathResult result = put_domain (out, hk_span_sub (text, *at, end + 1 - *at));
        *at = end + 1;
        return result == HK_PATH_OK && !skip_between (text, at, flags) ? HK_PATH_SYNTAX
                                                                       : result;
    }
    while (*at < text.size) {
        uint8_t c = text.data[*at];
        unsigned class = hk_addr_class[c];
        bool is_label = (class & (HK_ADDR_DOMAIN | HK_ADDR_HIGH)) != 0;
        if (!is_label && c != '.')
            break;
        if (gap && after_label && is_label) {
            if ((flags & HK_ADDR_SCAN_WORDS) == 0)
                return HK_PATH_SYNTAX;
            break;
        }
        if ((class & HK_ADDR_HIGH) != 0)
            *high = true;
        after_label = is_label;
        HkPathResult result = put_domain (out, hk_span_sub (text, (*at)++, 1));
        if (result != HK_PATH_OK)
            return result;
        size_t before = *at;
        if (!skip_between (text, at, flags))
            return HK_PATH_SYNTAX;
        gap = *at > before;
    }
    return HK_PATH_OK;
}

static bool
domain_is_sound (const HkAddrSpec *spec)
{
    HkSpan domain = hk_span (spec->domain, spec->domain_size);
    if (domain.size == 0)
        return !spec->has_at;
    if (domain.data[0] == '[')
        return hk_domain_is_literal (domain);
    if (domain.size > 1 && domain.data[domain.size - 1] == '.')
        domain.size--; /* a trailing dot is for the rewriter to remove */
    return hk_domain_is_valid (domain, true);
}

HkPathResult
hk_addr_spec_scan (HkSpan text, size_t *at, unsigned flags, HkAddrSpec *out)
{
    bool high = false;
    out->local_size = out->domain_size = 0;
    out->has_at = out->has_local = false;
    if (!skip_between (text, at, flags))
        return HK_PATH_SYNTAX;
    HkPathResult result = scan_local (text, at, flags, out, &high);
    if (result == HK_PATH_OK && *at < text.size && text.data[*at] == '@') {
        out->has_at = true;
        ++*at;
        result = skip_between (text, at, flags) ? scan_domain (text, at, flags, out, &high)
                                                : HK_PATH_SYNTAX;
    }
    if (result != HK_PATH_OK)
        return result;
    if (high) {
        if ((flags & HK_ADDR_SCAN_UTF8) == 0)
            return HK_PATH_NEEDS_UTF8;
        if (!hk_addr_utf8_is_clean (hk_span (out->local, out->local_size)))
            return HK_PATH_SYNTAX;
    }
    return domain_is_sound (out) ? HK_PATH_OK : HK_PATH_SYNTAX;
}
