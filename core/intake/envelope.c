/* envelope.c: the envelope as it will be stored: standard form, canonical and masqueraded
 * addresses, blind copies, virtual aliases, no duplicates. */
#include "intake/intake_priv.h"

#include "mail/address.h"

/* Recipients are gathered here; up to a few, comparing is cheaper than hashing. */
#define FEW 8

typedef struct {
    HkIncoming *incoming;
    GArray *recipients; /* HkRecipient; NULL: nothing changed so far */
    GHashTable *seen;   /* keys in the arena; NULL while there are few */
} Gathering;

/* ---- duplicates
 * --------------------------------------------------------------------------------- */

static bool
is_same (const HkRecipient *a, const HkRecipient *b, bool by_original)
{
    return hk_span_equal_ci (a->address, b->address) &&
           (!by_original || (hk_span_equal_ci (a->original, b->original) &&
                             hk_span_equal_ci (a->orcpt, b->orcpt)));
}

static char *
duplicate_key (const Gathering *self, const HkRecipient *r)
{
    g_autoptr (GString) key = g_string_sized_new (r->address.size + 64);
    hk_string_append (key, r->address);
    if (self->incoming->intake->keeps_original) {
        g_string_append_c (key, '\n');
        hk_string_append (key, r->original);
        g_string_append_c (key, '\n');
        hk_string_append (key, r->orcpt);
    }
    g_string_ascii_down (key);
    HkSpan copy = hk_arena_copy (self->incoming->arena, hk_span_string (key));
    return (char *) copy.data;
}

static bool
is_duplicate_of_few (const Gathering *self, const HkRecipient *recipient)
{
    for (guint i = 0; i < self->recipients->len; i++)
        if (is_same (&g_array_index (self->recipients, HkRecipient, i), recipient,
                     self->incoming->intake->keeps_original))
            return true;
    return false;
}

static bool
is_duplicate (Gathering *self, const HkRecipient *recipient)
{
    unsigned limit = self->incoming->intake->duplicate_limit;
    if (limit == 0)
        return false;
    if (self->seen == NULL && self->recipients->len < FEW)
        return is_duplicate_of_few (self, recipient);
    if (self->seen == NULL) {
        self->seen = g_hash_table_new (g_str_hash, g_str_equal);
        for (guint i = 0; i < self->recipients->len; i++)
            g_hash_table_add (
                self->seen,
                duplicate_key (self, &g_array_index (self->recipients, HkRecipient, i)));
    }
    char *key = duplicate_key (self, recipient);
    if (g_hash_table_contains (self->seen, key))
        return true;
    if (g_hash_table_size (self->seen) < limit)
        g_hash_table_add (self->seen, key);
    return false;
}

static void
gather (Gathering *self, HkSpan address, const HkRecipient *from)
{
    HkRecipient next = *from;
    HkSpan given = from->original.size > 0 ? from->original : from->address;
    next.address = address;
    next.original = hk_span_equal (given, address) ? HK_SPAN_NONE : given;
    if (!is_duplicate (self, &next))
        g_array_append_val (self->recipients, next);
}

/* ---- one recipient
 * ------------------------------------------------------------------------------ */

static void
gather_expanded (Gathering *self, HkSpan address, const HkRecipient *from)
{
    HkIncoming *incoming = self->incoming;
    if (!incoming->intake->has_mappings || hk_maps_is_empty (incoming->intake->aliases)) {
        gather (self, address, from);
        return;
    }
    g_autoptr (GArray) results = g_array_new (FALSE, FALSE, sizeof (HkSpan));
    if (!hk_alias_expand (incoming, address, results))
        return;
    for (guint i = 0; i < results->len; i++)
        gather (self, g_array_index (results, HkSpan, i), from);
}

/* Blind copies never cause notifications (RFC 3461 NOTIFY=NEVER), as nobody asked for them.
 */
static void
gather_bcc (Gathering *self, HkSpan address)
{
    HkSpan standard = hk_standard_form (self->incoming, hk_span_strip (address));
    HkRecipient bcc = {.notify = HK_NOTIFY_NEVER};
    if (standard.size == 0)
        return;
    standard = hk_arena_copy (self->incoming->arena, standard);
    bcc.address = standard;
    gather_expanded (self, standard, &bcc);
}

static void
gather_bcc_of (Gathering *self, HkMaps *maps, const char *parameter, HkSpan key)
{
    HkIncoming *incoming = self->incoming;
    g_autoptr (GString) value = NULL;
    g_autofree char *reason = NULL;
    if (hk_maps_is_empty (maps) || key.size == 0)
        return;
    value = g_string_new (NULL);
    HkAnswer answer =
        hk_maps_search (maps, HK_SEARCH_VIRTUAL, key,
                        hk_router_search (incoming->intake->router), value, &reason);
    if (answer == HK_FOUND)
        gather_bcc (self, hk_span_string (value));
    else if (answer != HK_ABSENT)
        hk_incoming_fail_lookup (incoming, parameter, reason);
}

static void
gather_recipient (Gathering *self, const HkRecipient *recipient)
{
    HkIncoming *incoming = self->incoming;
    HkSpan address = hk_standard_form (incoming, recipient->address);
    if (!incoming->intake->has_mappings) {
        gather (self, address, recipient);
        return;
    }
    address = hk_canonical_map (incoming, address, HK_CLASS_ENVELOPE_RECIPIENT);
    if ((incoming->envelope.flags & HK_ENVELOPE_NOTICE) == 0)
        gather_bcc_of (self, incoming->intake->recipient_bcc, "recipient_bcc_maps",
                       address);
    gather_expanded (self, address, recipient);
}

/* ---- masquerading
 * ------------------------------------------------------------------------------- */

static bool
is_exception (const HkIntake *intake, HkSpan local)
{
    for (char **at = intake->masquerade_exceptions; *at != NULL; at++)
        if (hk_span_is_ci (local, *at))
            return true;
    return false;
}

HkSpan
hk_masquerade (HkIncoming *self, HkSpan address, unsigned class)
{
    const HkIntake *intake = self->intake;
    HkSpan local, domain;
    if ((intake->masquerade_classes & class) == 0 ||
        intake->masquerade_domains[0] == NULL ||
        !hk_address_split (address, &local, &domain) || is_exception (intake, local))
        return address;
    for (char **at = intake->masquerade_domains; *at != NULL; at++) {
        bool is_kept = (*at)[0] == '!';
        HkSpan parent = hk_span_text (*at + (is_kept ? 1 : 0));
        if (hk_span_equal_ci (domain, parent))
            return address;
        if (domain.size <= parent.size ||
            domain.data[domain.size - parent.size - 1] != '.' ||
            !hk_span_equal_ci (hk_span_sub (domain, domain.size - parent.size, parent.size),
                               parent))
            continue;
        if (is_kept)
            return address;
        g_autofree char *text =
            g_strdup_printf ("%.*s@%.*s", HK_SPAN_ARG (local), HK_SPAN_ARG (parent));
        return hk_arena_copy (self->arena, hk_span_text (text));
    }
    return address;
}

/* ---- the whole
 * ------------------------------------------------------------------------------------ */

/* Nothing to rewrite, nothing to find twice: the envelope stays as it came. */
static bool
is_plain (const HkIncoming *self)
{
    const HkEnvelope *e = &self->envelope;
    const HkIntake *intake = self->intake;
    if (e->n_recipients != 1 || e->redirect.size > 0 ||
        !hk_router_is_standard (intake->router, e->recipients[0].address))
        return false;
    if (!intake->has_mappings)
        return true;
    for (int i = 0; i < HK_N_CANONICAL; i++)
        if (!hk_maps_is_empty (intake->canonical[i].maps))
            return false;
    return hk_maps_is_empty (intake->aliases) && hk_maps_is_empty (intake->recipient_bcc) &&
           hk_maps_is_empty (intake->sender_bcc) && intake->always_bcc[0] == '\0';
}

static void
take_gathered (Gathering *self)
{
    HkEnvelope *e = &self->incoming->envelope;
    size_t size = self->recipients->len * sizeof (HkRecipient);
    e->n_recipients = self->recipients->len;
    e->recipients = NULL;
    if (size > 0) {
        e->recipients = hk_arena_alloc (self->incoming->arena, size);
        memcpy (e->recipients, self->recipients->data, size);
    }
    g_array_unref (self->recipients);
    if (self->seen != NULL)
        g_hash_table_unref (self->seen);
}

static Gathering
gathering_new (HkIncoming *self)
{
    return (Gathering){self,
                       g_array_sized_new (FALSE, FALSE, sizeof (HkRecipient),
                                          (guint) self->envelope.n_recipients + 1),
                       NULL};
}

static void
settle_sender (HkIncoming *self)
{
    HkEnvelope *e = &self->envelope;
    if (e->sender.size == 0)
        return;
    e->sender = hk_standard_form (self, e->sender);
    if (!self->intake->has_mappings)
        return;
    e->sender = hk_canonical_map (self, e->sender, HK_CLASS_ENVELOPE_SENDER);
    e->sender = hk_masquerade (self, e->sender, HK_CLASS_ENVELOPE_SENDER);
}

static void
gather_all (Gathering *self)
{
    HkIncoming *incoming = self->incoming;
    const HkIntake *intake = incoming->intake;
    const HkEnvelope *e = &incoming->envelope;
    bool has_bcc = intake->has_mappings && (e->flags & HK_ENVELOPE_NOTICE) == 0;
    for (size_t i = 0; i < e->n_recipients && incoming->code == 0; i++)
        gather_recipient (self, &e->recipients[i]);
    if (!has_bcc || incoming->code != 0)
        return;
    gather_bcc_of (self, intake->sender_bcc, "sender_bcc_maps", e->sender);
    if (intake->always_bcc[0] != '\0')
        gather_bcc (self, hk_span_text (intake->always_bcc));
}

void
hk_incoming_redirect (HkIncoming *self)
{
    HkEnvelope *e = &self->envelope;
    if (e->redirect.size == 0 || e->n_recipients == 0)
        return;
    /* access(5): REDIRECT stands instead of all recipients, and over FILTER. */
    HkRecipient *only = hk_arena_alloc (self->arena, sizeof *only);
    *only = e->recipients[0];
    if (only->original.size == 0)
        only->original = only->address;
    only->address = hk_standard_form (self, e->redirect);
    e->recipients = only;
    e->n_recipients = 1;
    e->redirect = e->content_filter = HK_SPAN_NONE;
}

void
hk_incoming_settle_envelope (HkIncoming *self)
{
    HkEnvelope *e = &self->envelope;
    settle_sender (self);
    if (self->code == 0 && !is_plain (self)) {
        Gathering gathering = gathering_new (self);
        gather_all (&gathering);
        take_gathered (&gathering);
    }
    if (self->code == 0 && e->n_recipients == 0)
        hk_incoming_fail (self, 550, "5.1.0", "Error: no recipients specified");
    if (e->content_filter.size == 0)
        e->content_filter = hk_span_text (self->intake->content_filter);
    hk_incoming_redirect (self);
}

/* ---- what filters change
 * --------------------------------------------------------------------------- */

void
hk_incoming_add_recipient (HkIncoming *self, HkSpan address)
{
    HkEnvelope *e = &self->envelope;
    Gathering gathering = gathering_new (self);
    if (e->n_recipients > 0)
        g_array_append_vals (gathering.recipients, e->recipients, (guint) e->n_recipients);
    gather_bcc (&gathering, address);
    take_gathered (&gathering);
}

void
hk_incoming_delete_recipient (HkIncoming *self, HkSpan address)
{
    HkEnvelope *e = &self->envelope;
    size_t kept = 0;
    for (size_t i = 0; i < e->n_recipients; i++) {
        const HkRecipient *r = &e->recipients[i];
        if (!hk_span_equal_ci (r->address, address) &&
            !hk_span_equal_ci (r->original, address))
            e->recipients[kept++] = *r;
    }
    e->n_recipients = kept;
}
