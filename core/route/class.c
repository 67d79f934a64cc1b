/* class.c: address classes (ADDRESS_CLASS_README) and known recipients. */
#include "route/route_priv.h"

#include "mail/reply.h"

/* Characters by which a local part tells a way to elsewhere. */
static bool
has_route (HkSpan local)
{
    g_autoptr (GString) raw = NULL;
    if (local.size > 0 && local.data[0] == '"') {
        raw = g_string_sized_new (local.size);
        hk_local_unquote (local, raw);
        local = hk_span_string (raw);
    }
    for (size_t i = 0; i < local.size; i++)
        if (local.data[i] == '@' || local.data[i] == '%' || local.data[i] == '!')
            return true;
    return false;
}

/* resolve_dequoted_address: "user@there" in quotes tells a way as well.  RAW keeps the
 * text. */
static HkSpan
dequoted (const HkRouter *self, HkSpan local, GString **raw)
{
    HkSpan user, there;
    if (!self->dequotes || local.size == 0 || local.data[0] != '"' ||
        hk_address_split (local, &user, &there))
        return local;
    *raw = g_string_sized_new (local.size);
    hk_local_unquote (local, *raw);
    return hk_span_string (*raw);
}

/* user%there in one of our own domains is user@there, when the rewriting would say so. */
static bool
can_unroute (HkRouter *self, HkSpan local)
{
    g_autoptr (GString) raw = NULL;
    HkSpan user, there;
    local = dequoted (self, local, &raw);
    if (hk_address_split (local, &user, &there))
        return true;
    return hk_span_find (local, '"', 0) == local.size && /* quotes hide all of these */
           ((self->percent_hack && hk_span_rfind (local, '%') < local.size) ||
            (self->swap_bangpath && hk_span_find (local, '!', 0) < local.size));
}

/* FOUND when DOMAIN is delivered by this host itself. */
static HkAnswer
is_local_domain (HkRouter *self, HkSpan domain, char **out_reason)
{
    if (domain.size == 0)
        return HK_FOUND;
    HkAnswer answer =
        hk_match_list_find (self->mydestination, domain, HK_SPAN_NONE, out_reason);
    if (answer != HK_ABSENT)
        return answer;
    if (domain.data[0] == '[' && domain.data[domain.size - 1] == ']' &&
        hk_router_is_own_ip (self, hk_span_sub (domain, 1, domain.size - 2)))
        return HK_FOUND;
    return HK_ABSENT;
}

static HkAnswer
find_foreign_class (HkRouter *self, HkSpan domain, int *out, char **out_reason)
{
    const struct {
        HkMatchList *list;
        int place;
    } steps[] = {
        {self->alias_domains, HK_DEST_VIRTUAL_ALIAS},
        {self->mailbox_domains, HK_DEST_VIRTUAL_MAILBOX},
        {self->relay_domains, HK_DEST_RELAY},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (steps); i++) {
        HkAnswer answer =
            hk_match_list_find (steps[i].list, domain, HK_SPAN_NONE, out_reason);
        if (answer != HK_FOUND && answer != HK_ABSENT)
            return HK_LATER;
        if (answer == HK_FOUND) {
            *out = steps[i].place;
            return HK_OK;
        }
    }
    *out = HK_DEST_OTHER;
    return HK_OK;
}

/* Put the standard form of ADDRESS in the place of what is there; with SHORTER only if it
 * is shorter than that. */
static bool
rewrite_into (HkRouter *self, HkPlace *place, HkSpan address, bool shorter)
{
    GString *fresh = g_string_sized_new (address.size + 32);
    g_autoptr (GString) raw = NULL;
    hk_router_rewrite (self, shorter ? dequoted (self, address, &raw) : address, fresh);
    if (shorter && fresh->len >= place->address.size) {
        g_string_free (fresh, TRUE);
        return false;
    }
    if (place->own != NULL)
        g_string_free (place->own, TRUE);
    place->own = fresh;
    place->address = hk_span_string (fresh);
    return true;
}

/* Each round takes a domain off and makes the address shorter, so there is an end. */
static HkAnswer
find_place (HkRouter *self, HkPlace *place, char **out_reason)
{
    for (;;) {
        hk_address_split (place->address, &place->local, &place->domain);
        HkAnswer answer = is_local_domain (self, place->domain, out_reason);
        if (answer != HK_FOUND && answer != HK_ABSENT)
            return HK_LATER;
        if (answer == HK_ABSENT) {
            place->is_routed = has_route (place->local);
            return find_foreign_class (self, place->domain, &place->place, out_reason);
        }
        place->place = HK_DEST_LOCAL;
        if (place->domain.size == 0 || !can_unroute (self, place->local))
            return HK_OK;
        if (!rewrite_into (self, place, place->local, true)) {
            place->is_routed = true;
            return HK_OK;
        }
    }
}

HkAnswer
hk_router_place (HkRouter *self, HkSpan address, HkPlace *out, char **out_reason)
{
    *out = (HkPlace){.address = address, .place = HK_DEST_LOCAL};
    if (!hk_router_is_standard (self, address))
        rewrite_into (self, out, address, false);
    return find_place (self, out, out_reason);
}

bool
hk_router_standard_form (HkRouter *self, HkSpan address, GString *out)
{
    HkPlace place;
    char *reason = NULL;
    HkSpan local = hk_span_sub (address, 0, hk_span_rfind (address, '@'));
    if (hk_router_is_standard (self, address) && !has_route (local))
        return false;
    hk_router_rewrite (self, address, out);
    if (self->lists_may_block)
        return true;
    if (hk_router_place (self, address, &place, &reason) == HK_OK) {
        g_string_truncate (out, 0);
        hk_string_append (out, place.address);
    }
    hk_place_clear (&place);
    g_free (reason);
    return true;
}

void
hk_place_clear (HkPlace *self)
{
    if (self->own != NULL)
        g_string_free (self->own, TRUE);
}

HkAnswer
hk_router_class (HkRouter *self, HkSpan address, int *out_class, char **out_reason)
{
    HkPlace place;
    HkAnswer answer = hk_router_place (self, address, &place, out_reason);
    if (answer == HK_OK) {
        *out_class = place.place;
        /* A route past us would turn a relay host into an open one. */
        if (place.is_routed && !self->trust_routes)
            *out_class = HK_DEST_OTHER;
    }
    hk_place_clear (&place);
    return answer;
}

bool
hk_router_is_ours (HkRouter *self, HkSpan domain)
{
    return hk_span_is_ci (domain, self->myorigin) ||
           is_local_domain (self, domain, NULL) == HK_FOUND;
}

/* ---- known recipients -------------------------------------------------------------------
 */

/* FOUND when one of the maps that redirect an address knows it. */
static HkAnswer
is_redirected (HkRouter *self, HkSpan address, char **out_reason)
{
    HkMaps *const maps[] = {self->recipient_canonical, self->sender_canonical,
                            self->canonical, self->aliases};
    for (size_t i = 0; i < G_N_ELEMENTS (maps); i++) {
        if (hk_maps_is_empty (maps[i]))
            continue;
        HkAnswer answer = hk_maps_search (maps[i], HK_SEARCH_VIRTUAL, address,
                                          &self->search, NULL, out_reason);
        if (answer != HK_ABSENT)
            return answer;
    }
    return HK_ABSENT;
}

typedef struct {
    HkMaps *maps;
    int order, code;
    const char *text;
} ClassTable;

static bool
class_table (HkRouter *self, int place, ClassTable *out)
{
    switch (place) {
    case HK_DEST_LOCAL:
        *out = (ClassTable){self->local_recipients, HK_SEARCH_VIRTUAL, self->local_code,
                            "User unknown in local recipient table"};
        return true;
    case HK_DEST_VIRTUAL_MAILBOX:
        *out = (ClassTable){self->mailboxes, HK_SEARCH_MAILBOX, self->mailbox_code,
                            "User unknown in virtual mailbox table"};
        return true;
    case HK_DEST_RELAY:
        *out = (ClassTable){self->relay_recipients, HK_SEARCH_VIRTUAL, self->relay_code,
                            "User unknown in relay recipient table"};
        return true;
    default:
        return false;
    }
}

/* "retry:" defers whatever comes: what its next hop says, for now. */
static void
refuse_for_now (const HkRoute *route, HkUnlisted *out, char **out_reason)
{
    HkSpan text = hk_span_strip (hk_span_string (route->nexthop));
    size_t length = hk_dsn_prefix (text);
    *out = (HkUnlisted){450, "4.1.1", NULL};
    if (length > 0 && length < sizeof out->dsn && text.data[0] == '4') {
        memcpy (out->dsn, text.data, length);
        out->dsn[length] = '\0';
        text = hk_span_strip (hk_span_sub (text, length, text.size));
    }
    *out_reason = hk_span_dup (text);
    out->text = *out_reason;
}

/* An "error:" route is known before the message is taken: say so now. */
static HkAnswer
refused_by_route (HkRouter *self, HkSpan address, HkUnlisted *out, char **out_reason)
{
    HkRoute route;
    hk_route_init (&route);
    HkAnswer answer = hk_router_resolve (self, HK_SPAN_NONE, address, &route);
    if (answer == HK_LATER && out_reason != NULL)
        *out_reason = g_strdup (route.text->str);
    if (answer == HK_REJECT && out_reason != NULL) {
        static const char *const dsns[] = {"5.1.6", "5.1.3"};
        *out_reason = g_strdup (route.text->str);
        *out = (HkUnlisted){550, "5.1.1", *out_reason};
        for (size_t i = 0; i < G_N_ELEMENTS (dsns); i++)
            if (strcmp (route.dsn, dsns[i]) == 0)
                g_strlcpy (out->dsn, dsns[i], sizeof out->dsn);
    }
    if (answer == HK_OK && out_reason != NULL &&
        strcmp (route.transport->str, "retry") == 0) {
        refuse_for_now (&route, out, out_reason);
        answer = HK_REJECT;
    }
    hk_route_clear (&route);
    return answer == HK_REJECT ? HK_ABSENT : answer == HK_OK ? HK_FOUND : answer;
}

/* The names that the mail system itself has (RFC 5321 4.5.1, bounce(8)). */
static bool
is_system_name (HkRouter *self, HkSpan local)
{
    return hk_span_is_ci (local, "postmaster") || hk_span_is_ci (local, "mailer-daemon") ||
           hk_span_is_ci (local, hk_settings_get (self->settings, "double_bounce_sender"));
}

static HkAnswer
find_listed (HkRouter *self, const HkPlace *place, HkUnlisted *out, char **out_reason)
{
    HkAnswer answer = is_redirected (self, place->address, out_reason);
    if (answer != HK_ABSENT)
        return answer == HK_FOUND ? HK_FOUND : HK_LATER;
    if (place->place == HK_DEST_VIRTUAL_ALIAS) {
        *out =
            (HkUnlisted){self->alias_code, "5.1.1", "User unknown in virtual alias table"};
        return HK_ABSENT;
    }
    if (self->may_give_error) {
        answer = refused_by_route (self, place->address, out, out_reason);
        if (answer != HK_FOUND)
            return answer;
    }
    ClassTable table;
    if (!class_table (self, place->place, &table) || hk_maps_is_empty (table.maps) ||
        (place->place == HK_DEST_LOCAL && is_system_name (self, place->local)))
        return HK_FOUND;
    answer = hk_maps_search (table.maps, table.order, place->address, &self->search, NULL,
                             out_reason);
    if (answer == HK_ABSENT)
        *out = (HkUnlisted){table.code, "5.1.1", table.text};
    return answer == HK_FOUND || answer == HK_ABSENT ? answer : HK_LATER;
}

HkAnswer
hk_router_listed (HkRouter *self, HkSpan address, HkUnlisted *out_unlisted,
                  char **out_reason)
{
    HkPlace place;
    char *reason = NULL;
    HkAnswer answer = hk_router_place (self, address, &place, &reason);
    if (answer == HK_OK)
        answer = find_listed (self, &place, out_unlisted, &reason);
    if (answer == HK_ABSENT && !self->show_table_name && out_unlisted->text != reason)
        out_unlisted->text = "User unknown";
    hk_place_clear (&place);
    if (out_reason != NULL && (answer == HK_LATER || out_unlisted->text == reason))
        *out_reason = g_steal_pointer (&reason);
    g_free (reason);
    return answer;
}

/* The tables that find_listed asks whatever the class. */
static bool
common_tables_may_block (const HkRouter *self)
{
    HkMaps *const maps[] = {self->recipient_canonical, self->sender_canonical,
                            self->canonical, self->aliases};
    HkMaps *const routes[] = {self->transports, self->relocated, self->sender_relayhosts,
                              self->sender_transports};
    for (size_t i = 0; i < G_N_ELEMENTS (maps); i++)
        if (hk_maps_may_block (maps[i]))
            return true;
    for (size_t i = 0; i < G_N_ELEMENTS (routes) && self->may_give_error; i++)
        if (hk_maps_may_block (routes[i]))
            return true;
    return false;
}

bool
hk_router_listed_may_block (HkRouter *self, HkSpan address)
{
    HkPlace place;
    ClassTable table;
    if (!self->may_block)
        return false;
    if (self->lists_may_block || common_tables_may_block (self))
        return true;
    bool answer =
        hk_router_place (self, address, &place, NULL) != HK_OK ||
        (class_table (self, place.place, &table) && hk_maps_may_block (table.maps));
    hk_place_clear (&place);
    return answer;
}
