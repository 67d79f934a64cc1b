/* restriction_dnsbl_list.c: a list and its pattern; the names that are asked in it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restriction_dnsbl.h"

#include <arpa/inet.h>
#include <string.h>

enum { MAX_NAME = 253 }; /* RFC 1035 2.3.4, as text without the last dot */

/* ---- "=127.0.[0;1].[2..10]"
 * -------------------------------------------------------------------- */

static bool
parse_number (const char **at, unsigned *out)
{
    char *end;
    if (!g_ascii_isdigit (**at))
        return false;
    guint64 n = g_ascii_strtoull (*at, &end, 10);
    *at = end;
    *out = (unsigned) n;
    return n <= 255;
}

static void
allow (DnsblList *self, unsigned byte, unsigned first, unsigned last)
{
    for (unsigned i = first; i <= last; i++)
        self->allowed[byte][i / 32] |= UINT32_C (1) << i % 32;
}

/* What stands in brackets: numbers and ranges. */
static bool
parse_set (DnsblList *self, unsigned byte, const char **at)
{
    do {
        unsigned first, last;
        (*at)++; /* '[' or ';' */
        if (!parse_number (at, &first))
            return false;
        last = first;
        if (g_str_has_prefix (*at, "..")) {
            *at += 2;
            if (!parse_number (at, &last) || last < first)
                return false;
        }
        allow (self, byte, first, last);
    } while (**at == ';');
    return *(*at)++ == ']';
}

static bool
parse_pattern (DnsblList *self, const char *at)
{
    for (unsigned byte = 0; byte < 4; byte++) {
        unsigned n;
        if (byte > 0 && *at++ != '.')
            return false;
        if (*at == '[') {
            if (!parse_set (self, byte, &at))
                return false;
        } else if (parse_number (&at, &n)) {
            allow (self, byte, n, n);
        } else {
            return false;
        }
    }
    return *at == '\0';
}

DnsblList *
restriction_dnsbl_list_new (HkSpan word)
{
    DnsblList *self = g_new0 (DnsblList, 1);
    self->word = g_strndup ((const char *) word.data, word.size);
    const char *equals = strchr (self->word, '=');
    self->zone = equals == NULL ? g_strdup (self->word)
                                : g_strndup (self->word, (gsize) (equals - self->word));
    self->has_pattern = equals != NULL;
    if (self->zone[0] != '\0' && strlen (self->word) == word.size &&
        (equals == NULL || parse_pattern (self, equals + 1)))
        return self;
    restriction_dnsbl_list_free (self);
    return NULL;
}

void
restriction_dnsbl_list_free (DnsblList *self)
{
    g_free (self->word);
    g_free (self->zone);
    g_free (self);
}

bool
restriction_dnsbl_list_matches (const DnsblList *self, HkSpan address)
{
    if (address.size != 4)
        return false;
    for (unsigned i = 0; self->has_pattern && i < 4; i++)
        if ((self->allowed[i][address.data[i] / 32] >> address.data[i] % 32 & 1) == 0)
            return false;
    return true;
}

/* ---- what is asked
 * ----------------------------------------------------------------------------- */

/* RFC 5782 2.1, 2.4: bytes or nibbles, the last one first. */
static char *
reverse_address (const char *text, const char *zone)
{
    uint8_t a[16];
    if (inet_pton (AF_INET, text, a) == 1)
        return g_strdup_printf ("%u.%u.%u.%u.%s", a[3], a[2], a[1], a[0], zone);
    if (inet_pton (AF_INET6, text, a) != 1)
        return NULL;
    GString *name = g_string_sized_new (64 + strlen (zone));
    for (int i = 15; i >= 0; i--)
        g_string_append_printf (name, "%x.%x.", a[i] & 15u, a[i] >> 4);
    g_string_append (name, zone);
    return g_string_free (name, FALSE);
}

static bool
is_all_digits (const char *s)
{
    return *s != '\0' && strspn (s, "0123456789") == strlen (s);
}

/* The domain of an address, or the name; NULL: nothing that lists know.  A name that ends in
 * a number looks like an address, which domain lists answer with a listing. */
static const char *
domain_of (const char *name)
{
    const char *at = strrchr (name, '@');
    const char *domain = at == NULL ? name : at + 1;
    const char *dot = strrchr (domain, '.');
    if (domain[0] == '\0' || domain[0] == '[' || domain[0] == '.' ||
        is_all_digits (dot == NULL ? domain : dot + 1))
        return NULL;
    for (const char *c = domain; *c != '\0'; c++)
        if (*c <= ' ' || *c == 127 || (*c == '.' && c[1] == '.'))
            return NULL;
    return domain;
}

char *
restriction_dnsbl_query (DnsblSubject subject, HkSpan name, const char *zone)
{
    g_autofree char *text = g_strndup ((const char *) name.data, name.size);
    char *query = NULL;
    if (strlen (text) != name.size)
        return NULL;
    if (subject == DNSBL_ADDRESS) {
        query = reverse_address (text, zone);
    } else if (strcmp (text, "unknown") != 0 || subject > DNSBL_REVERSE) {
        const char *domain = domain_of (text);
        if (domain != NULL)
            query = g_strdup_printf ("%s.%s", domain, zone);
    }
    if (query != NULL && strlen (query) > MAX_NAME)
        g_clear_pointer (&query, g_free);
    return query;
}
