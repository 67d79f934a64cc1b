/* router.c: making a router from the settings: tables, lists, names. */
#include "route/route_priv.h"

static bool
is_ours (HkSpan domain, void *data)
{
    return hk_router_is_ours (data, domain);
}

static const char *
name_of (const HkRouter *self, const char *name)
{
    return self->for_probes ? hk_route_probe_name (name) : name;
}

static void
read_names (HkRouter *self)
{
    const struct {
        const char *name;
        const char **out;
    } texts[] = {
        {"myhostname", &self->myhostname},
        {"mydomain", &self->mydomain},
        {"myorigin", &self->myorigin},
        {"local_transport", &self->local_transport},
        {"virtual_transport", &self->virtual_transport},
        {"relay_transport", &self->relay_transport},
        {"default_transport", &self->default_transport},
        {"relayhost", &self->relayhost},
        {"empty_address_recipient", &self->empty_recipient},
        {"empty_address_relayhost_maps_lookup_key", &self->empty_relayhost_key},
        {"empty_address_default_transport_maps_lookup_key", &self->empty_transport_key},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (texts); i++)
        *texts[i].out = hk_settings_get (self->settings, name_of (self, texts[i].name));
}

static void
read_switches (HkRouter *self)
{
    HkSettings *s = self->settings;
    self->append_at_myorigin = hk_settings_bool (s, "append_at_myorigin");
    self->append_dot_mydomain = hk_settings_bool (s, "append_dot_mydomain");
    self->swap_bangpath = hk_settings_bool (s, "swap_bangpath");
    self->percent_hack = hk_settings_bool (s, "allow_percent_hack");
    self->trust_routes = hk_settings_bool (s, "allow_untrusted_routing");
    self->dequotes = hk_settings_bool (s, "resolve_dequoted_address");
    self->show_table_name = hk_settings_bool (s, "show_user_unknown_table_name");
    self->local_code = (int) hk_settings_int (s, "unknown_local_recipient_reject_code");
    self->alias_code = (int) hk_settings_int (s, "unknown_virtual_alias_reject_code");
    self->mailbox_code = (int) hk_settings_int (s, "unknown_virtual_mailbox_reject_code");
    self->relay_code = (int) hk_settings_int (s, "unknown_relay_recipient_reject_code");
}

static bool
open_maps (HkRouter *self, HkPlugins *plugins, GError **error)
{
    const struct {
        const char *name;
        HkMaps **out;
    } maps[] = {
        {"local_recipient_maps", &self->local_recipients},
        {"virtual_alias_maps", &self->aliases},
        {"virtual_mailbox_maps", &self->mailboxes},
        {"relay_recipient_maps", &self->relay_recipients},
        {"transport_maps", &self->transports},
        {"sender_dependent_relayhost_maps", &self->sender_relayhosts},
        {"sender_dependent_default_transport_maps", &self->sender_transports},
        {"relocated_maps", &self->relocated},
        {"canonical_maps", &self->canonical},
        {"sender_canonical_maps", &self->sender_canonical},
        {"recipient_canonical_maps", &self->recipient_canonical},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (maps); i++) {
        const char *name = name_of (self, maps[i].name);
        const char *specs = hk_settings_get (self->settings, name);
        *maps[i].out = hk_maps_open (plugins, self->settings, name, specs, error);
        if (*maps[i].out == NULL)
            return false;
        self->may_block |= hk_maps_may_block (*maps[i].out);
    }
    return true;
}

static bool
open_lists (HkRouter *self, HkPlugins *plugins, GError **error)
{
    const struct {
        const char *name;
        HkMatchList **out;
    } lists[] = {
        {"mydestination", &self->mydestination},
        {"virtual_alias_domains", &self->alias_domains},
        {"virtual_mailbox_domains", &self->mailbox_domains},
        {"relay_domains", &self->relay_domains},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (lists); i++) {
        const char *text = hk_settings_get (self->settings, lists[i].name);
        *lists[i].out = hk_match_list_open (plugins, self->settings, lists[i].name, text,
                                            HK_MATCH_DOMAINS, error);
        if (*lists[i].out == NULL)
            return false;
        self->lists_may_block |= hk_match_list_may_block (*lists[i].out);
    }
    return true;
}

static bool
lists_word (HkSettings *settings, const char *parameter, const char *word)
{
    g_auto (GStrv) words = hk_settings_words (settings, parameter);
    return g_strv_contains ((const char *const *) words, word);
}

static void
set_searches (HkRouter *self)
{
    self->search = (HkSearch){
        .delimiters = hk_settings_get (self->settings, "recipient_delimiter"),
        .is_ours = is_ours,
        .data = self,
    };
    self->search_domain = self->search;
    self->search_domain.parent_matches =
        lists_word (self->settings, "parent_domain_matches_subdomains", "transport_maps");
}

static bool
is_transport (const char *spec, const char *name)
{
    size_t size = strlen (name);
    return strncmp (spec, name, size) == 0 && (spec[size] == ':' || spec[size] == '\0');
}

/* Can a route end in "error:" or "retry:" for an address of a class that is not refused
 * anyway? */
static bool
may_give_error (const HkRouter *self)
{
    const char *const specs[] = {self->local_transport, self->virtual_transport,
                                 self->relay_transport, self->default_transport};
    for (size_t i = 0; i < G_N_ELEMENTS (specs); i++)
        if (is_transport (specs[i], "error") || is_transport (specs[i], "retry"))
            return true;
    return !hk_maps_is_empty (self->transports) || !hk_maps_is_empty (self->relocated) ||
           !hk_maps_is_empty (self->sender_transports);
}

static HkRouter *
router_new (HkPlugins *plugins, HkSettings *settings, bool for_probes, GError **error)
{
    g_autoptr (HkRouter) self = g_new0 (HkRouter, 1);
    self->n_refs = 1;
    self->for_probes = for_probes;
    self->settings = hk_settings_ref (settings);
    read_names (self);
    read_switches (self);
    self->own_ips = hk_route_own_ips (settings);
    if (!open_lists (self, plugins, error) || !open_maps (self, plugins, error))
        return NULL;
    self->may_block |= self->lists_may_block;
    set_searches (self);
    self->may_give_error = may_give_error (self);
    return g_steal_pointer (&self);
}

HkRouter *
hk_router_new (HkPlugins *plugins, HkSettings *settings, GError **error)
{
    return router_new (plugins, settings, false, error);
}

HkRouter *
hk_router_new_for_probes (HkPlugins *plugins, HkSettings *settings, HkRouter *usual,
                          GError **error)
{
    if (!hk_route_probes_differ (settings))
        return hk_router_ref (usual);
    return router_new (plugins, settings, true, error);
}

HkRouter *
hk_router_ref (HkRouter *self)
{
    g_atomic_int_inc (&self->n_refs);
    return self;
}

static void
router_free (HkRouter *self)
{
    HkMaps *const maps[] = {
        self->local_recipients,    self->aliases,
        self->mailboxes,           self->relay_recipients,
        self->transports,          self->sender_relayhosts,
        self->sender_transports,   self->relocated,
        self->canonical,           self->sender_canonical,
        self->recipient_canonical,
    };
    HkMatchList *const lists[] = {self->mydestination, self->alias_domains,
                                  self->mailbox_domains, self->relay_domains};
    for (size_t i = 0; i < G_N_ELEMENTS (maps); i++)
        if (maps[i] != NULL)
            hk_maps_unref (maps[i]);
    for (size_t i = 0; i < G_N_ELEMENTS (lists); i++)
        if (lists[i] != NULL)
            hk_match_list_free (lists[i]);
    g_hash_table_unref (self->own_ips);
    hk_settings_unref (self->settings);
    g_free (self);
}

void
hk_router_unref (HkRouter *self)
{
    if (g_atomic_int_dec_and_test (&self->n_refs))
        router_free (self);
}

bool
hk_router_domains_may_block (const HkRouter *self)
{
    return hk_match_list_may_block (self->mydestination);
}

bool
hk_router_may_block (const HkRouter *self)
{
    return self->may_block;
}

const HkSearch *
hk_router_search (const HkRouter *self)
{
    return &self->search;
}

/* ---- for the searches of plugins
 * ---------------------------------------------------------------- */

static GMutex serving_lock; /* a worker may ask while a reload changes the router */
static HkRouter *serving;

static bool
ask_serving (HkSpan domain, void *data)
{
    (void) data;
    g_mutex_lock (&serving_lock);
    HkRouter *router = serving != NULL ? hk_router_ref (serving) : NULL;
    g_mutex_unlock (&serving_lock);
    if (router == NULL)
        return false;
    bool answer = hk_router_is_ours (router, domain);
    hk_router_unref (router);
    return answer;
}

void
hk_router_serve (HkRouter *self, HkPlugins *plugins)
{
    g_mutex_lock (&serving_lock);
    HkRouter *old = serving;
    serving = self != NULL ? hk_router_ref (self) : NULL;
    g_mutex_unlock (&serving_lock);
    if (plugins != NULL)
        hk_plugins_set_is_ours (plugins, ask_serving, NULL);
    if (old != NULL)
        hk_router_unref (old);
}
