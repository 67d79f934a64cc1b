/* resolve.c: transport and next hop of a recipient (transport(5)). */
#include "route/route_priv.h"

#include "mail/reply.h"

void
hk_route_init (HkRoute *self)
{
    self->transport = g_string_sized_new (16);
    self->nexthop = g_string_sized_new (64);
    self->text = g_string_sized_new (0);
    self->dsn[0] = '\0';
}

void
hk_route_clear (HkRoute *self)
{
    g_string_free (self->transport, TRUE);
    g_string_free (self->nexthop, TRUE);
    g_string_free (self->text, TRUE);
}

/* "transport:nexthop" as in main.cf; a part that is missing leaves what was there. */
static void
apply_spec (HkRoute *route, HkSpan spec)
{
    size_t colon = hk_span_find (spec, ':', 0);
    HkSpan transport = hk_span_sub (spec, 0, colon),
           nexthop = hk_span_sub (spec, colon + 1, spec.size);
    if (transport.size > 0) {
        g_string_truncate (route->transport, 0);
        hk_string_append (route->transport, transport);
    }
    if (nexthop.size > 0) {
        g_string_truncate (route->nexthop, 0);
        hk_string_append (route->nexthop, nexthop);
    }
}

static void
set_nexthop (HkRoute *route, HkSpan name)
{
    g_string_truncate (route->nexthop, 0);
    hk_string_append (route->nexthop, name);
    g_string_ascii_down (route->nexthop);
}

static HkAnswer
keep_reason (HkRoute *route, HkAnswer answer, char *reason)
{
    g_string_assign (route->text, reason != NULL ? reason : "lookup failed");
    g_free (reason);
    return answer == HK_BROKEN ? HK_LATER : answer;
}

/* A table by sender.  On FOUND *OUT_VALUE is the result; DUNNO counts as absent. */
static HkAnswer
find_by_sender (HkRouter *self, HkMaps *maps, const char *empty_key, HkSpan sender,
                GString **out_value, HkRoute *route)
{
    char *reason = NULL;
    if (hk_maps_is_empty (maps))
        return HK_ABSENT;
    GString *value = *out_value = g_string_new (NULL);
    HkAnswer answer = sender.size == 0
                          ? hk_maps_get (maps, hk_span_text (empty_key), value, &reason)
                          : hk_maps_search (maps, HK_SEARCH_MAILBOX, sender, &self->search,
                                            value, &reason);
    if (answer != HK_FOUND && answer != HK_ABSENT)
        return keep_reason (route, answer, reason);
    if (answer == HK_FOUND &&
        hk_span_is_ci (hk_span_strip (hk_span_string (value)), "DUNNO"))
        return HK_ABSENT;
    return answer;
}

/* relayhost stands above the recipient's domain, and what the sender's entry says above it. */
static HkAnswer
find_nexthop (HkRouter *self, const HkPlace *place, HkSpan sender, HkRoute *route)
{
    g_autoptr (GString) value = NULL;
    HkAnswer answer = find_by_sender (self, self->sender_relayhosts,
                                      self->empty_relayhost_key, sender, &value, route);
    if (answer == HK_LATER)
        return answer;
    if (answer == HK_FOUND)
        set_nexthop (route, hk_span_strip (hk_span_string (value)));
    else if (self->relayhost[0] != '\0')
        set_nexthop (route, hk_span_text (self->relayhost));
    else
        set_nexthop (route, place->domain);
    return HK_OK;
}

/* relay_domains and all the rest: a next hop written with the transport stands above all. */
static HkAnswer
route_away (HkRouter *self, const HkPlace *place, HkSpan sender, HkRoute *route)
{
    g_autoptr (GString) transport = NULL;
    HkAnswer answer = find_nexthop (self, place, sender, route);
    if (answer != HK_OK)
        return answer;
    if (place->place == HK_DEST_RELAY) {
        apply_spec (route, hk_span_text (self->relay_transport));
        return HK_OK;
    }
    answer = find_by_sender (self, self->sender_transports, self->empty_transport_key, sender,
                             &transport, route);
    if (answer == HK_LATER)
        return answer;
    apply_spec (route, hk_span_text (self->default_transport));
    if (answer == HK_FOUND)
        apply_spec (route, hk_span_strip (hk_span_string (transport)));
    return HK_OK;
}

static HkAnswer
route_by_class (HkRouter *self, const HkPlace *place, HkSpan sender, HkRoute *route)
{
    switch (place->place) {
    case HK_DEST_LOCAL:
        set_nexthop (route, hk_span_text (self->myhostname));
        apply_spec (route, hk_span_text (self->local_transport));
        return HK_OK;
    case HK_DEST_VIRTUAL_ALIAS:
        g_string_assign (route->transport, "error");
        g_string_assign (route->nexthop, self->show_table_name
                                             ? "5.1.1 User unknown in virtual alias table"
                                             : "5.1.1 User unknown");
        return HK_OK;
    case HK_DEST_VIRTUAL_MAILBOX:
        set_nexthop (route, place->domain);
        apply_spec (route, hk_span_text (self->virtual_transport));
        return HK_OK;
    default:
        return route_away (self, place, sender, route);
    }
}

/* transport_maps: ":" leaves everything, "smtp:" goes to the recipient's domain. */
static HkAnswer
route_by_table (HkRouter *self, const HkPlace *place, HkRoute *route)
{
    g_autoptr (GString) value = NULL;
    char *reason = NULL;
    if (hk_maps_is_empty (self->transports))
        return HK_OK;
    value = g_string_new (NULL);
    HkAnswer answer = hk_maps_search (self->transports, HK_SEARCH_TRANSPORT, place->address,
                                      &self->search_domain, value, &reason);
    if (answer == HK_ABSENT)
        return HK_OK;
    if (answer != HK_FOUND)
        return keep_reason (route, answer, reason);
    HkSpan spec = hk_span_strip (hk_span_string (value));
    size_t colon = hk_span_find (spec, ':', 0);
    if (colon > 0 && colon + 1 >= spec.size)
        set_nexthop (route, place->domain);
    apply_spec (route, spec);
    return HK_OK;
}

static HkAnswer
route_relocated (HkRouter *self, const HkPlace *place, HkRoute *route)
{
    g_autoptr (GString) value = NULL;
    char *reason = NULL;
    if (hk_maps_is_empty (self->relocated))
        return HK_OK;
    value = g_string_new (NULL);
    HkAnswer answer = hk_maps_search (self->relocated, HK_SEARCH_VIRTUAL, place->address,
                                      &self->search, value, &reason);
    if (answer == HK_ABSENT)
        return HK_OK;
    if (answer != HK_FOUND)
        return keep_reason (route, answer, reason);
    g_string_assign (route->transport, "error");
    g_string_printf (route->nexthop, "5.1.6 User has moved to %s", value->str);
    return HK_OK;
}

/* The error transport is a bounce that is known beforehand. */
static HkAnswer
finish (HkRoute *route)
{
    if (strcmp (route->transport->str, "error") != 0)
        return HK_OK;
    HkSpan text = hk_span_strip (hk_span_string (route->nexthop));
    size_t length = hk_dsn_prefix (text);
    if (length > 0 && length < sizeof route->dsn && text.data[0] == '5') {
        memcpy (route->dsn, text.data, length);
        route->dsn[length] = '\0';
        text = hk_span_strip (hk_span_sub (text, length, text.size));
    } else {
        g_strlcpy (route->dsn, "5.0.0", sizeof route->dsn);
    }
    g_string_truncate (route->text, 0);
    hk_string_append (route->text, text);
    return HK_REJECT;
}

static HkAnswer
bad_syntax (HkRoute *route)
{
    g_string_assign (route->transport, "error");
    g_string_assign (route->nexthop, "5.1.3 bad address syntax");
    return finish (route);
}

static HkAnswer
resolve_place (HkRouter *self, const HkPlace *place, HkSpan sender, HkRoute *out)
{
    if (place->domain.size > 0 && !hk_domain_is_valid (place->domain, true) &&
        !hk_domain_is_literal (place->domain))
        return bad_syntax (out);
    HkAnswer answer = route_by_class (self, place, sender, out);
    if (answer == HK_OK)
        answer = route_by_table (self, place, out);
    if (answer == HK_OK)
        answer = route_relocated (self, place, out);
    return answer == HK_OK ? finish (out) : answer;
}

HkAnswer
hk_router_resolve (HkRouter *self, HkSpan sender, HkSpan recipient, HkRoute *out)
{
    HkPlace place;
    char *reason = NULL;
    g_autofree char *empty = NULL;
    g_string_truncate (out->transport, 0);
    g_string_truncate (out->nexthop, 0);
    g_string_truncate (out->text, 0);
    out->dsn[0] = '\0';
    if (recipient.size == 0) {
        empty = g_strdup_printf ("%s@%s", self->empty_recipient, self->myhostname);
        recipient = hk_span_text (empty);
    }
    HkAnswer answer = hk_router_place (self, recipient, &place, &reason);
    answer = answer == HK_OK ? resolve_place (self, &place, sender, out)
                             : keep_reason (out, answer, reason);
    hk_place_clear (&place);
    return answer;
}
