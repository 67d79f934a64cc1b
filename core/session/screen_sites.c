/* screen_sites.c: postscreen_dnsbl_sites: domains with filters and weights. */
#include "config.h"
#include "session/screen.h"

#include "base/text.h"
#include "mail/address.h"
#include "net/address.h"

#include <arpa/inet.h>

enum { MAX_SITES = 100, MAX_RANGES = 64 };

static void
site_free (void *data)
{
    HkScreenSite *self = data;
    if (self->filter != NULL)
        g_ptr_array_unref (self->filter);
    g_free (self->domain);
    g_free (self);
}

static void
free_ranges (void *data)
{
    g_array_unref (data);
}

/* ---- filters
 * ------------------------------------------------------------------------------- */

/* "4", "4..7" */
static bool
read_range (HkSpan text, GArray *out)
{
    uint64_t from, to;
    size_t dots = hk_span_find (text, '.', 0);
    if (!hk_text_parse_u64 (hk_span_sub (text, 0, dots), 255, &from))
        return false;
    to = from;
    if (dots < text.size &&
        (dots + 1 >= text.size || text.data[dots + 1] != '.' ||
         !hk_text_parse_u64 (hk_span_sub (text, dots + 2, text.size), 255, &to)))
        return false;
    if (from > to || out->len >= MAX_RANGES)
        return false;
    HkOctetRange range = {(uint8_t) from, (uint8_t) to};
    g_array_append_val (out, range);
    return true;
}

/* A number, or "[n;n..n]", from the front of *REST. */
static bool
read_octet (HkSpan *rest, GArray *out)
{
    if (rest->size == 0 || rest->data[0] != '[') {
        size_t n = 0;
        while (n < rest->size && g_ascii_isdigit (rest->data[n]))
            n++;
        bool ok = n > 0 && read_range (hk_span_sub (*rest, 0, n), out);
        *rest = hk_span_sub (*rest, n, rest->size);
        return ok;
    }
    size_t close = hk_span_find (*rest, ']', 0);
    if (close == rest->size)
        return false;
    HkSpan inside = hk_span_sub (*rest, 1, close - 1);
    *rest = hk_span_sub (*rest, close + 1, rest->size);
    do {
        size_t semicolon = hk_span_find (inside, ';', 0);
        if (!read_range (hk_span_sub (inside, 0, semicolon), out))
            return false;
        inside = semicolon < inside.size
                     ? hk_span_sub (inside, semicolon + 1, inside.size)
                     : HK_SPAN_NONE;
    } while (inside.size > 0);
    return true;
}

static GPtrArray *
read_filter (HkSpan text)
{
    g_autoptr (GPtrArray) octets = g_ptr_array_new_with_free_func (free_ranges);
    for (unsigned i = 0; i < 4; i++) {
        GArray *ranges = g_array_new (FALSE, FALSE, sizeof (HkOctetRange));
        g_ptr_array_add (octets, ranges);
        if (i > 0 && (text.size == 0 || text.data[0] != '.'))
            return NULL;
        if (i > 0)
            text = hk_span_sub (text, 1, text.size);
        if (!read_octet (&text, ranges))
            return NULL;
    }
    return text.size == 0 ? g_steal_pointer (&octets) : NULL;
}

bool
hk_screen_site_matches (const HkScreenSite *self, const uint8_t address[4])
{
    for (unsigned i = 0; self->filter != NULL && i < 4; i++) {
        const GArray *ranges = g_ptr_array_index (self->filter, i);
        bool hit = false;
        for (guint r = 0; r < ranges->len && !hit; r++) {
            const HkOctetRange *range = &g_array_index (ranges, HkOctetRange, r);
            hit = range->from <= address[i] && address[i] <= range->to;
        }
        if (!hit)
            return false;
    }
    return true;
}

/* ---- the list
 * ------------------------------------------------------------------------------ */

static bool
read_weight (HkSpan text, int *out)
{
    bool is_negative = text.size > 0 && text.data[0] == '-';
    uint64_t n;
    if (!hk_text_parse_u64 (hk_span_sub (text, is_negative, text.size), 1000000, &n))
        return false;
    *out = is_negative ? -(int) n : (int) n;
    return true;
}

static bool
fail (GError **error, const char *what, HkSpan word)
{
    g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE,
                 "postscreen_dnsbl_sites: bad DNSBL %s in \"%.*s\"", what,
                 HK_SPAN_ARG (word));
    return false;
}

static bool
read_site (HkSpan word, HkScreenSite *out, GError **error)
{
    size_t star = hk_span_find (word, '*', 0);
    HkSpan name = hk_span_sub (word, 0, star);
    size_t equals = hk_span_find (name, '=', 0);
    HkSpan filter = hk_span_sub (name, equals + 1, name.size);
    name = hk_span_sub (name, 0, equals);
    out->weight = 1;
    if (star < word.size &&
        !read_weight (hk_span_sub (word, star + 1, word.size), &out->weight))
        return fail (error, "weight factor", word);
    if (filter.data != NULL && equals < star && equals + 1 <= star && filter.size > 0 &&
        (out->filter = read_filter (filter)) == NULL)
        return fail (error, "filter", word);
    if (equals < hk_span_sub (word, 0, star).size && filter.size == 0)
        return fail (error, "filter", word);
    if (!hk_domain_is_valid (name, false))
        return fail (error, "domain name", word);
    out->domain = hk_span_dup_lower (name);
    return true;
}

GPtrArray *
hk_screen_sites_parse (const char *text, GError **error)
{
    g_autoptr (GPtrArray) sites = g_ptr_array_new_with_free_func (site_free);
    HkSpan rest = hk_span_text (text), word;
    while (hk_text_next_word (&rest, &word)) {
        HkScreenSite *site = g_new0 (HkScreenSite, 1);
        g_ptr_array_add (sites, site);
        if (!read_site (word, site, error))
            return NULL;
        if (sites->len > MAX_SITES) {
            fail (error, "list: too long", word);
            return NULL;
        }
    }
    return g_steal_pointer (&sites);
}

bool
hk_screen_query_name (const char *address, const char *domain, GString *out)
{
    uint8_t bytes[16];
    if (inet_pton (AF_INET, address, bytes) == 1) {
        g_string_append_printf (out, "%u.%u.%u.%u.%s", bytes[3], bytes[2], bytes[1],
                                bytes[0], domain);
        return true;
    }
    if (inet_pton (AF_INET6, address, bytes) != 1)
        return false;
    for (int i = 15; i >= 0; i--)
        g_string_append_printf (out, "%x.%x.", bytes[i] & 15u, bytes[i] >> 4u);
    g_string_append (out, domain);
    return true;
}
