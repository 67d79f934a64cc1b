/* alias.c: one address through rewriting tables: canonical(5) once more until nothing
 * changes, virtual(5) recursively with several results. */
#include "intake/intake_priv.h"

#include "mail/address.h"

#define MAX_CANONICAL_ROUNDS 10

HkSpan
hk_standard_form (HkIncoming *self, HkSpan address)
{
    if (hk_router_is_standard (self->intake->router, address))
        return address;
    g_autoptr (GString) out = g_string_sized_new (address.size + 32);
    hk_router_rewrite (self->intake->router, address, out);
    return hk_arena_copy (self->arena, hk_span_string (out));
}

/* ---- one lookup
 * -------------------------------------------------------------------------------- */

/* The extension that no key of the table has consumed, with its delimiter. */
static HkSpan
unmatched_extension (HkIncoming *self, HkMaps *maps, HkSpan address)
{
    const HkSearch *search = hk_router_search (self->intake->router);
    HkSpan local, domain, user, extension;
    if (search->delimiters == NULL || search->delimiters[0] == '\0')
        return HK_SPAN_NONE;
    hk_address_split (address, &local, &domain);
    if (!hk_address_split_extension (local, search->delimiters, &user, &extension) ||
        hk_maps_get (maps, address, NULL, NULL) == HK_FOUND ||
        (hk_router_is_ours (self->intake->router, domain) &&
         hk_maps_get (maps, local, NULL, NULL) == HK_FOUND))
        return HK_SPAN_NONE;
    return hk_span_sub (local, user.size, local.size);
}

typedef struct {
    HkIncoming *incoming;
    HkSpan extension;
    GArray *out;
} ResultList;

static void
add_result (HkSpan address, void *data)
{
    ResultList *list = data;
    HkSpan local, domain, standard = hk_standard_form (list->incoming, address);
    if (list->extension.size > 0 && standard.size > 0) {
        g_autoptr (GString) text =
            g_string_sized_new (standard.size + list->extension.size);
        hk_address_split (standard, &local, &domain);
        hk_string_append (text, local);
        hk_string_append (text, list->extension);
        if (domain.size > 0) {
            g_string_append_c (text, '@');
            hk_string_append (text, domain);
        }
        standard = hk_arena_copy (list->incoming->arena, hk_span_string (text));
    } else {
        standard = hk_arena_copy (list->incoming->arena, standard);
    }
    g_array_append_val (list->out, standard);
}

/* "@other.domain": the same user there; the extension stays where it is. */
static void
add_moved_domain (HkIncoming *self, HkSpan address, HkSpan value, GArray *out)
{
    HkSpan local, domain;
    hk_address_split (address, &local, &domain);
    g_autoptr (GString) text = g_string_sized_new (local.size + value.size);
    hk_string_append (text, local);
    hk_string_append (text, value);
    ResultList list = {self, HK_SPAN_NONE, out};
    add_result (hk_span_string (text), &list);
}

static void
add_results (HkIncoming *self, HkSpan address, HkSpan value, HkSpan extension, GArray *out)
{
    value = hk_span_strip (value);
    if (value.size > 0 && value.data[0] == '@' &&
        hk_span_find (value, ',', 0) == value.size) {
        add_moved_domain (self, address, value, out);
        return;
    }
    ResultList list = {self, extension, out};
    hk_address_list_parse (value, add_result, &list);
}

HkAnswer
hk_alias_map (HkIncoming *self, HkMaps *maps, const char *parameter, HkSpan address,
              bool propagate, GArray *out)
{
    g_autoptr (GString) value = g_string_new (NULL);
    g_autofree char *reason = NULL;
    HkAnswer answer =
        hk_maps_search (maps, HK_SEARCH_VIRTUAL, address,
                        hk_router_search (self->intake->router), value, &reason);
    if (answer == HK_ABSENT)
        return HK_ABSENT;
    if (answer != HK_FOUND) {
        hk_incoming_fail_lookup (self, parameter, reason);
        return HK_LATER;
    }
    HkSpan extension = propagate ? unmatched_extension (self, maps, address) : HK_SPAN_NONE;
    add_results (self, address, hk_span_string (value), extension, out);
    return HK_FOUND;
}

/* ---- canonical
 * ----------------------------------------------------------------------------------- */

static HkSpan
map_to_fixpoint (HkIncoming *self, const HkCanonical *table, HkSpan address)
{
    g_autoptr (GArray) results = g_array_new (FALSE, FALSE, sizeof (HkSpan));
    for (int round = 0; round < MAX_CANONICAL_ROUNDS; round++) {
        g_array_set_size (results, 0);
        if (hk_alias_map (self, table->maps, table->parameter, address,
                          self->intake->canonical_extension, results) != HK_FOUND ||
            results->len == 0)
            return address;
        HkSpan result = g_array_index (results, HkSpan, 0);
        if (hk_span_equal_ci (result, address))
            return result;
        address = result;
    }
    hk_incoming_fail_lookup (self, table->parameter, "unreasonable nesting");
    return address;
}

HkSpan
hk_canonical_map (HkIncoming *self, HkSpan address, unsigned class)
{
    for (int i = 0; i < HK_N_CANONICAL && self->code == 0 && address.size > 0; i++) {
        const HkCanonical *table = &self->intake->canonical[i];
        if ((table->classes & class) != 0 && !hk_maps_is_empty (table->maps))
            address = map_to_fixpoint (self, table, address);
    }
    return address;
}

/* ---- virtual aliases
 * -------------------------------------------------------------------------------- */

typedef struct {
    HkSpan address;
    unsigned depth;
    bool is_final; /* an alias that names itself: deliver there */
} Expansion;

typedef struct {
    HkIncoming *incoming;
    HkSpan top;      /* the recipient that all comes from */
    GArray *pending;    /* Expansion; one that was replaced has no address */
    GArray *results; /* HkSpan; scratch */
    guint n_replaced;
} Expanding;

static bool
refuse_expansion (Expanding *self, const char *what)
{
    g_autofree char *reason = g_strdup_printf (
        "unreasonable %s for %.*s -- message not accepted, try again later", what,
        HK_SPAN_ARG (self->top));
    hk_incoming_fail_lookup (self->incoming, "virtual_alias_maps", reason);
    return false;
}

static bool
add_expansion (Expanding *self, Expansion next)
{
    const HkIntake *intake = self->incoming->intake;
    if (self->pending->len - self->n_replaced >= intake->expansion_limit)
        return refuse_expansion (self, "map expansion size");
    if (next.depth > intake->recursion_limit)
        return refuse_expansion (self, "map nesting");
    if (next.address.size > intake->address_limit)
        return refuse_expansion (self, "result length");
    g_array_append_val (self->pending, next);
    return true;
}

/* Replace PENDING[I] by what it maps to. */
static bool
expand_one (Expanding *self, guint i)
{
    Expansion at = g_array_index (self->pending, Expansion, i);
    HkIncoming *incoming = self->incoming;
    g_array_set_size (self->results, 0);
    HkAnswer answer =
        hk_alias_map (incoming, incoming->intake->aliases, "virtual_alias_maps", at.address,
                      incoming->intake->virtual_extension, self->results);
    if (answer == HK_LATER)
        return false;
    if (answer != HK_FOUND || self->results->len == 0)
        return true;
    g_array_index (self->pending, Expansion, i).address = HK_SPAN_NONE;
    self->n_replaced++;
    for (guint r = 0; r < self->results->len; r++) {
        HkSpan result = g_array_index (self->results, HkSpan, r);
        Expansion next = {result, at.depth + 1, hk_span_equal_ci (result, at.address)};
        if (!add_expansion (self, next))
            return false;
    }
    return true;
}

bool
hk_alias_expand (HkIncoming *incoming, HkSpan address, GArray *out)
{
    g_autoptr (GArray) pending = g_array_new (FALSE, FALSE, sizeof (Expansion));
    g_autoptr (GArray) results = g_array_new (FALSE, FALSE, sizeof (HkSpan));
    Expanding self = {incoming, address, pending, results, 0};
    Expansion first = {address, 0, false};
    g_array_append_val (pending, first);
    for (guint i = 0; i < pending->len; i++) {
        if (!g_array_index (pending, Expansion, i).is_final && !expand_one (&self, i))
            return false;
        HkSpan done = g_array_index (pending, Expansion, i).address;
        if (done.size > 0)
            g_array_append_val (out, done);
    }
    return true;
}
