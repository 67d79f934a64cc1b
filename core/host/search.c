/* search.c: which keys are tried for a subject, and in which order: one implementation of
 * the search orders of access(5), virtual(5), transport(5) and their kin. */
#include "config.h"

#include "host/host_priv.h"
#include "mail/address.h"

typedef struct {
    const HkSearch *search;
    HkKeyFn fn;
    void *data;
    HkSpan local, domain, user; /* user: local without its extension */
    bool has_domain, has_extension;
    GString *key;
} Keys;

static bool
give (Keys *self, HkSpan key, bool is_partial)
{
    return self->fn (key, is_partial, self->data);
}

/* "A@B"; either may be empty. */
static bool
give_joined (Keys *self, HkSpan a, HkSpan b, bool is_partial)
{
    g_string_truncate (self->key, 0);
    hk_string_append (self->key, a);
    g_string_append_c (self->key, '@');
    hk_string_append (self->key, b);
    return give (self, hk_span_string (self->key), is_partial);
}

static bool
looks_numeric (HkSpan name)
{
    size_t n = 0;
    while (n < name.size && (g_ascii_isdigit (name.data[n]) || name.data[n] == '.'))
        n++;
    return n == name.size || hk_span_find (name, ':', 0) < name.size;
}

bool
hk_search_domain_keys (HkSpan name, bool is_partial, bool parent_matches, HkKeyFn fn,
                       void *data)
{
    bool has_parents = !looks_numeric (name); /* an address has no parent domains */
    while (name.size > 0) {
        if (!fn (name, is_partial, data))
            return false;
        size_t dot = hk_span_find (name, '.', 1);
        if (dot == name.size || !has_parents)
            break;
        name = hk_span_sub (name, dot + (parent_matches ? 1 : 0), SIZE_MAX);
        is_partial = true;
    }
    return true;
}

static bool
give_domain (Keys *self, HkSpan name, bool is_partial)
{
    return hk_search_domain_keys (name, is_partial, self->search->parent_matches, self->fn,
                                  self->data);
}

static bool
is_ours (const Keys *self)
{
    return self->search->is_ours != NULL &&
           self->search->is_ours (self->domain, self->search->data);
}

/* The whole subject, then without its extension. */
static bool
give_address (Keys *self, HkSpan subject)
{
    if (!give (self, subject, false))
        return false;
    if (!self->has_extension)
        return true;
    return self->has_domain ? give_joined (self, self->user, self->domain, true)
                            : give (self, self->user, true);
}

/* virtual(5), canonical(5), generic(5), relocated(5) */
static void
virtual_keys (Keys *self, HkSpan subject)
{
    if (!give_address (self, subject) || !self->has_domain)
        return;
    if (is_ours (self) && (!give (self, self->local, true) ||
                           (self->has_extension && !give (self, self->user, true))))
        return;
    give_joined (self, HK_SPAN_NONE, self->domain, true);
}

/* access(5), EMAIL ADDRESS PATTERNS */
static void
access_address_keys (Keys *self, HkSpan subject)
{
    if (!give_address (self, subject))
        return;
    if (self->has_domain && !give_domain (self, self->domain, true))
        return;
    if (give_joined (self, self->local, HK_SPAN_NONE, true) && self->has_extension)
        give_joined (self, self->user, HK_SPAN_NONE, true);
}

/* access(5), HOST NAME/ADDRESS PATTERNS: octets are taken from the right */
static void
network_keys (Keys *self, HkSpan address)
{
    uint8_t part = hk_span_find (address, ':', 0) < address.size ? ':' : '.';
    bool is_partial = false;
    while (address.size > 0 && give (self, address, is_partial)) {
        size_t at = hk_span_rfind (address, part);
        if (at == address.size)
            break;
        address.size = at;
        is_partial = true;
    }
}

/* transport(5) */
static void
transport_keys (Keys *self, HkSpan subject)
{
    if (!give_address (self, subject))
        return;
    if (!self->has_domain || give_domain (self, self->domain, true))
        give (self, HK_SPAN ("*"), true);
}

/* virtual(8): user+ext@d, user@d, @d */
static void
mailbox_keys (Keys *self, HkSpan subject)
{
    if (give_address (self, subject) && self->has_domain)
        give_joined (self, HK_SPAN_NONE, self->domain, true);
}

static void
split_subject (Keys *self, HkSpan subject)
{
    HkSpan extension;
    self->has_domain = hk_address_split (subject, &self->local, &self->domain);
    if (!self->has_domain)
        self->local = subject;
    self->has_extension = self->search->delimiters != NULL &&
                          *self->search->delimiters != '\0' &&
                          hk_address_split_extension (self->local, self->search->delimiters,
                                                      &self->user, &extension);
}

void
hk_search_keys (int order, HkSpan subject, const HkSearch *search, HkKeyFn fn, void *data)
{
    Keys keys = {.search = search, .fn = fn, .data = data};
    if (subject.size == 0)
        return;
    keys.key = g_string_sized_new (subject.size + 2);
    if (order != HK_SEARCH_ACCESS_HOST && order != HK_SEARCH_ACCESS_NETWORK)
        split_subject (&keys, subject);
    switch (order) {
    case HK_SEARCH_ACCESS_ADDRESS:
        access_address_keys (&keys, subject);
        break;
    case HK_SEARCH_ACCESS_HOST:
        give_domain (&keys, subject, false);
        break;
    case HK_SEARCH_ACCESS_NETWORK:
        network_keys (&keys, subject);
        break;
    case HK_SEARCH_VIRTUAL:
        virtual_keys (&keys, subject);
        break;
    case HK_SEARCH_TRANSPORT:
        transport_keys (&keys, subject);
        break;
    case HK_SEARCH_MAILBOX:
        mailbox_keys (&keys, subject);
        break;
    default:
        give (&keys, subject, false);
        break;
    }
    g_string_free (keys.key, TRUE);
}

typedef struct {
    HkMaps *maps;
    GString *out_value;
    char **out_reason;
    HkAnswer answer;
} Find;

static bool
ask_key (HkSpan key, bool is_partial, void *data)
{
    Find *find = data;
    find->answer =
        hk_maps_get_key (find->maps, (HkKey){.bytes = key, .is_partial = is_partial},
                         find->out_value, find->out_reason);
    return find->answer == HK_ABSENT;
}

HkAnswer
hk_maps_search (HkMaps *self, int order, HkSpan subject, const HkSearch *search,
                GString *out_value, char **out_reason)
{
    Find find = {self, out_value, out_reason, HK_ABSENT};
    if (!hk_maps_is_empty (self))
        hk_search_keys (order, subject, search, ask_key, &find);
    return find.answer;
}
