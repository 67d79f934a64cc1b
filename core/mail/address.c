/* address.c: SMTP paths, splitting and quoting of addresses. */
#include "config.h"
#include "mail/address.h"
#include "mail/address_priv.h"

/* ---- quoting ----------------------------------------------------------------------------
 */

/* A dot-string: words of atext (or UTF-8) parted by single dots. */
static bool
is_dot_string (HkSpan s)
{
    bool after_dot = true;
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] == '.') {
            if (after_dot)
                return false;
            after_dot = true;
        } else if ((hk_addr_class[s.data[i]] & (HK_ADDR_ATEXT | HK_ADDR_HIGH)) != 0) {
            after_dot = false;
        } else {
            return false;
        }
    }
    return !after_dot;
}

void
hk_local_quote (HkSpan raw, GString *out)
{
    if (is_dot_string (raw)) {
        hk_string_append (out, raw);
        return;
    }
    g_string_append_c (out, '"');
    for (size_t i = 0; i < raw.size; i++) {
        if (raw.data[i] == '"' || raw.data[i] == '\\')
            g_string_append_c (out, '\\');
        g_string_append_c (out, (char) raw.data[i]);
    }
    g_string_append_c (out, '"');
}

void
hk_local_unquote (HkSpan local, GString *out)
{
    for (size_t i = 0; i < local.size; i++) {
        if (local.data[i] == '"')
            continue;
        if (local.data[i] == '\\' && i + 1 < local.size)
            i++;
        g_string_append_c (out, (char) local.data[i]);
    }
}

size_t
hk_addr_spec_format (const HkAddrSpec *spec, uint8_t *out)
{
    HkSpan local = hk_span (spec->local, spec->local_size);
    uint8_t *p = out;
    if (is_dot_string (local)) {
        memcpy (p, local.data, local.size);
        p += local.size;
    } else {
        *p++ = '"';
        for (size_t i = 0; i < local.size; i++) {
            if (local.data[i] == '"' || local.data[i] == '\\')
                *p++ = '\\';
            *p++ = local.data[i];
        }
        *p++ = '"';
    }
    if (spec->domain_size > 0) {
        *p++ = '@';
        memcpy (p, spec->domain, spec->domain_size);
        p += spec->domain_size;
    }
    return (size_t) (p - out);
}

/* ---- paths ------------------------------------------------------------------------------
 */

/* What stands behind the path must be parted from it by a blank. */
static bool
take_rest (HkSpan text, size_t at, HkSpan *out_rest)
{
    size_t begin = at;
    while (at < text.size && (hk_addr_class[text.data[at]] & HK_ADDR_BLANK) != 0)
        at++;
    if (at == begin && at < text.size)
        return false;
    *out_rest = hk_span_sub (text, at, text.size - at);
    return true;
}

/* "<user@example.org>" with a dot-string and a host name: nine of ten paths.  Gives the
 * place of '>' or 0 when the path needs the full scanner. */
static size_t
plain_path (HkSpan text)
{
    const uint8_t *s = text.data;
    size_t i = 1, end = MIN (text.size, (size_t) HK_LOCAL_MAX + 2);
    bool after_dot = true;
    if (text.size < 3 || s[0] != '<')
        return 0;
    for (; i < end && s[i] != '@'; i++) {
        if ((hk_addr_class[s[i]] & HK_ADDR_ATEXT) != 0)
            after_dot = false;
        else if (s[i] == '.' && !after_dot)
            after_dot = true;
        else
            return 0;
    }
    if (i == end || i == 1 || after_dot || s[1] == '-')
        return 0;
    size_t domain = i + 1;
    size_t close = hk_span_find (text, '>', domain);
    if (close == text.size ||
        !hk_domain_is_valid (hk_span_sub (text, domain, close - domain), false))
        return 0;
    return close;
}

static HkPathResult
scan_path (HkSpan text, size_t *at, unsigned flags, HkAddrSpec *spec)
{
    unsigned scan = (flags & HK_PATH_ALLOW_UTF8) != 0 ? HK_ADDR_SCAN_UTF8 : 0;
    bool has_bracket = *at < text.size && text.data[*at] == '<';
    size_t begin = *at;
    if (has_bracket)
        ++*at;
    else if ((flags & HK_PATH_STRICT) != 0)
        return HK_PATH_SYNTAX;
    if (has_bracket && (flags & HK_PATH_STRICT) == 0) {
        scan |= HK_ADDR_SCAN_BLANKS;
        if (!hk_addr_skip_blanks (text, at, scan))
            return HK_PATH_SYNTAX;
    }
    if (!hk_addr_skip_route (text, at, scan))
        return HK_PATH_SYNTAX;
    HkPathResult result = hk_addr_spec_scan (text, at, scan, spec);
    if (result != HK_PATH_OK)
        return result;
    if (has_bracket && (*at >= text.size || text.data[(*at)++] != '>'))
        return HK_PATH_SYNTAX;
    if (*at - begin > HK_PATH_MAX)
        return HK_PATH_TOO_LONG;
    /* Programs take a first '-' for an option. */
    if (spec->local_size > 0)
        return spec->local[0] != '-' || (flags & HK_PATH_ALLOW_MIN_USER) != 0
                   ? HK_PATH_OK
                   : HK_PATH_SYNTAX;
    bool is_null = has_bracket && !spec->has_at && !spec->has_local;
    return is_null && (flags & HK_PATH_ALLOW_EMPTY) != 0 ? HK_PATH_OK : HK_PATH_SYNTAX;
}

HkPathResult
hk_path_parse (HkSpan text, unsigned flags, HkArena *arena, HkSpan *out_address,
               HkSpan *out_rest)
{
    size_t at = 0;
    HkSpan rest;
    while (at < text.size && (hk_addr_class[text.data[at]] & HK_ADDR_BLANK) != 0)
        at++;
    HkSpan path = hk_span_sub (text, at, text.size - at);
    size_t close = plain_path (path);
    if (close > 0) {
        if (!take_rest (path, close + 1, &rest))
            return HK_PATH_SYNTAX;
        *out_address = hk_span_sub (path, 1, close - 1);
        *out_rest = rest;
        return HK_PATH_OK;
    }
    HkAddrSpec spec;
    uint8_t formed[HK_ADDRESS_MAX];
    HkPathResult result = scan_path (text, &at, flags, &spec);
    if (result != HK_PATH_OK)
        return result;
    if (!take_rest (text, at, &rest))
        return HK_PATH_SYNTAX;
    *out_address =
        spec.local_size == 0
            ? HK_SPAN ("")
            : hk_arena_copy (arena, hk_span (formed, hk_addr_spec_format (&spec, formed)));
    *out_rest = rest;
    return HK_PATH_OK;
}

/* ---- splitting --------------------------------------------------------------------------
 */

static size_t
last_at_outside_quotes (HkSpan address)
{
    size_t found = address.size;
    bool quoted = false;
    for (size_t i = 0; i < address.size; i++) {
        uint8_t c = address.data[i];
        if (c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == '@' && !quoted)
            found = i;
    }
    return found;
}

bool
hk_address_split (HkSpan address, HkSpan *out_local, HkSpan *out_domain)
{
    size_t at = hk_span_rfind (address, '@');
    /* With a quote behind it, the last '@' may be inside the quotes. */
    if (at < address.size && hk_span_find (address, '"', at) < address.size)
        at = last_at_outside_quotes (address);
    *out_local = hk_span_sub (address, 0, at);
    if (at == address.size) {
        *out_domain = HK_SPAN_NONE;
        return false;
    }
    *out_domain = hk_span_sub (address, at + 1, address.size);
    return true;
}

/* Names that are whole, whatever is in them. */
static bool
is_unsplittable (HkSpan local, const char *delimiters)
{
    static const char *const names[] = {"postmaster", "mailer-daemon", "double-bounce"};
    for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
        if (hk_span_is_ci (local, names[i]))
            return true;
    if (strchr (delimiters, '-') == NULL)
        return false;
    HkSpan request = HK_SPAN ("-request");
    return hk_span_starts_ci (local, HK_SPAN ("owner-")) ||
           (local.size > request.size &&
            hk_span_equal_ci (hk_span_sub (local, local.size - request.size, request.size),
                              request));
}

bool
hk_address_split_extension (HkSpan local, const char *delimiters, HkSpan *out_user,
                            HkSpan *out_extension)
{
    if (delimiters == NULL || *delimiters == '\0' || is_unsplittable (local, delimiters))
        return false;
    for (size_t i = 0; i < local.size; i++) {
        if (local.data[i] == '\0' || strchr (delimiters, local.data[i]) == NULL)
            continue;
        if (i == 0)
            return false;
        *out_user = hk_span_sub (local, 0, i);
        *out_extension = hk_span_sub (local, i + 1, local.size);
        return true;
    }
    return false;
}

bool
hk_address_is_ascii (HkSpan address)
{
    for (size_t i = 0; i < address.size; i++)
        if (address.data[i] > 127)
            return false;
    return true;
}
