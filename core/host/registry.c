/* registry.c: which modules are loaded, and which class comes from which. */
#include "config.h"

#include "base/log.h"
#include "base/text.h"
#include "host/host_priv.h"

G_DEFINE_QUARK (hk - host - error - quark, hk_host_error)

#ifndef HK_MODULE_DIR
#define HK_MODULE_DIR "/usr/lib/hikyaku"
#endif

/* What this build brings along (made by make). */
extern const char *const hk_bundled_plugins[];

const HkConfSpec hk_host_params[] = {
    {.name = "plugin_directory",
     .type = HK_CONF_PATH,
     .preset = HK_MODULE_DIR,
     .help = "Where plugin modules (CLASS_NAME.so) are; an absolute path."},
    {.name = "plugin",
     .type = HK_CONF_LIST,
     .preset = "",
     .help = "Plugins to load; every line adds. Without any line, all that are installed."},
    {0},
};

static void
free_module (void *p)
{
    HkModule *module = p;
    g_free (module->path);
    g_free (module);
}

HkPlugins *
hk_plugins_new (const char *directory, HkLoop *loop, HkStats *stats)
{
    HkPlugins *self = g_new0 (HkPlugins, 1);
    self->directory = g_strdup (directory);
    self->loop = loop;
    self->stats = stats;
    self->main_thread = g_thread_self ();
    self->modules = g_ptr_array_new_with_free_func (free_module);
    self->classes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
    self->shared = g_hash_table_new (g_str_hash, g_str_equal);
    pthread_mutex_init (&self->lock, NULL);
    return self;
}

void
hk_plugins_free (HkPlugins *self)
{
    g_hash_table_unref (self->classes);
    g_ptr_array_unref (self->modules);
    g_hash_table_unref (self->shared);
    pthread_mutex_destroy (&self->lock);
    g_free (self->directory);
    if (self->settings != NULL)
        hk_settings_unref (self->settings);
    g_free (self);
}

void
hk_plugins_set_settings (HkPlugins *self, HkSettings *settings)
{
    HkSettings *old = self->settings;
    self->settings = hk_settings_ref (settings);
    if (old != NULL)
        hk_settings_unref (old);
}

void
hk_plugins_set_verify (HkPlugins *self, HkVerifyStartFn start, void *verifier)
{
    self->verify_start = start;
    self->verifier = verifier;
}

void
hk_plugins_set_dns (HkPlugins *self, HkDnsAskFn ask, void *resolver)
{
    self->dns_ask = ask;
    self->resolver = resolver;
}

void
hk_plugins_set_is_ours (HkPlugins *self, bool (*is_ours) (HkSpan domain, void *data),
                        void *data)
{
    self->is_ours = is_ours;
    self->is_ours_data = data;
}

static char *
class_key (int kind, const char *name)
{
    return g_strdup_printf ("%d:%s", kind, name);
}

static const HkConfType conf_types[] = {
    [HK_PARAM_STRING] = HK_CONF_STRING, [HK_PARAM_BOOL] = HK_CONF_BOOL,
    [HK_PARAM_INT] = HK_CONF_INT,       [HK_PARAM_TIME] = HK_CONF_TIME,
    [HK_PARAM_SIZE] = HK_CONF_SIZE,     [HK_PARAM_ENUM] = HK_CONF_ENUM,
};

/* Parameters that the core or another plugin declared keep that declaration. */
static void
declare_params (const HkClass *cls)
{
    for (const HkParam *p = cls->params; p != NULL && p->name != NULL; p++) {
        HkConfSpec spec = {.name = p->name,
                           .type = conf_types[p->type],
                           .preset = p->preset != NULL ? p->preset : "",
                           .min = p->min,
                           .max = p->max,
                           .choices = p->choices,
                           .help = p->help,
                           .unit = 's'};
        if (hk_conf_spec (p->name) == NULL)
            hk_conf_register_copy (&spec);
    }
}

static void
register_class (HkPlugins *self, HkModule *module, const HkClass *cls)
{
    g_autofree char *key = class_key (cls->kind, cls->name);
    const HkOffer *known = g_hash_table_lookup (self->classes, key);
    if (known != NULL) {
        hk_log (HK_LOG_WARNING,
                "plugin %s: its %s class %s is ignored: plugin %s offers one",
                module->plugin->name, hk_kind_word (cls->kind), cls->name,
                known->module->plugin->name);
        return;
    }
    HkOffer *offer = g_new (HkOffer, 1);
    *offer = (HkOffer){cls, module};
    g_hash_table_insert (self->classes, g_steal_pointer (&key), offer);
    declare_params (cls);
}

static bool
run_init (HkModule *module, GError **error)
{
    const HkPlugin *plugin = module->plugin;
    if (!HK_HAS (plugin, HkPlugin, init))
        return true;
    HkCall call;
    hk_call_init (&call, NULL, NULL);
    HkAnswer answer = plugin->init (&module->host, &call);
    if (answer != HK_OK)
        g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_REFUSED,
                     "plugin %s in %s: its init function failed: %s", plugin->name,
                     module->path,
                     call.reason != NULL ? call.reason->str : "no reason given");
    hk_call_clear (&call);
    return answer == HK_OK;
}

static bool
take (HkPlugins *self, const HkPlugin *plugin, const char *path, GError **error)
{
    HkModule *module = g_new0 (HkModule, 1);
    hk_services_fill (&module->host);
    module->plugins = self;
    module->plugin = plugin;
    module->path = g_strdup (path);
    if (!run_init (module, error)) {
        free_module (module);
        return false;
    }
    g_ptr_array_add (self->modules, module);
    for (const HkClass *const *c = plugin->classes; *c != NULL; c++)
        register_class (self, module, *c);
    return true;
}

static bool
is_loaded (HkPlugins *self, const char *name)
{
    for (guint i = 0; i < self->modules->len; i++) {
        const HkModule *m = g_ptr_array_index (self->modules, i);
        if (strcmp (m->plugin->name, name) == 0)
            return true;
    }
    return false;
}

bool
hk_plugins_add (HkPlugins *self, const HkPlugin *plugin, GError **error)
{
    const char *name = plugin->name == NULL ? "" : plugin->name;
    if (is_loaded (self, name))
        return true;
    return hk_plugin_verify (plugin, name, "(linked in)", error) &&
           take (self, plugin, "(linked in)", error);
}

/* "lookup-hash" is how some write it. */
static char *
canonical_name (const char *name)
{
    return g_strdelimit (g_strdup (name), "-", '_');
}

bool
hk_plugins_load (HkPlugins *self, const char *raw_name, GError **error)
{
    g_autofree char *name = canonical_name (raw_name);
    g_autofree char *where = NULL;
    if (is_loaded (self, name))
        return true;
    if (!hk_plugin_name_is_valid (name)) {
        g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_BROKEN,
                     "plugin \"%s\": a name is CLASS_NAME, of [a-z0-9_]", raw_name);
        return false;
    }
    const HkPlugin *plugin = hk_modules_open (self->directory, name, &where, error);
    return plugin != NULL && hk_plugin_verify (plugin, name, where, error) &&
           take (self, plugin, where, error);
}

static int
compare_names (const void *a, const void *b)
{
    return strcmp (*(char *const *) a, *(char *const *) b);
}

char **
hk_plugins_available (HkPlugins *self)
{
    g_autoptr (GDir) dir = g_dir_open (self->directory, 0, NULL);
    GPtrArray *names = g_ptr_array_new ();
    char **builtin = hk_modules_builtin_names ();
    for (char **n = builtin; *n != NULL; n++)
        g_ptr_array_add (names, *n);
    g_free (builtin); /* its strings moved */
    for (const char *file; dir != NULL && (file = g_dir_read_name (dir)) != NULL;) {
        g_autofree char *name =
            g_str_has_suffix (file, ".so") ? g_strndup (file, strlen (file) - 3) : NULL;
        if (hk_plugin_name_is_valid (name) && !hk_modules_is_builtin (name))
            g_ptr_array_add (names, g_steal_pointer (&name));
    }
    g_ptr_array_sort (names, compare_names);
    g_ptr_array_add (names, NULL);
    return (char **) g_ptr_array_free (names, FALSE);
}

void
hk_plugins_set_log (HkPlugins *self, HkPluginLogFn fn, void *data)
{
    self->log_fn = fn;
    self->log_data = data;
}

bool
hk_plugins_is_enabled (HkSettings *settings, const char *name)
{
    const char *const *words = hk_settings_plugins (settings);
    bool is_enabled = g_strv_contains (hk_bundled_plugins, name);
    for (; words != NULL && *words != NULL; words++) {
        g_autofree char *word = canonical_name (*words);
        bool is_off = *word == '!';
        if (strcmp (word + is_off, name) == 0)
            is_enabled = !is_off;
    }
    return is_enabled;
}

static bool
load_if_enabled (HkPlugins *self, HkSettings *settings, const char *name)
{
    g_autoptr (GError) error = NULL;
    if (!hk_plugins_is_enabled (settings, name) || hk_plugins_load (self, name, &error))
        return true;
    hk_log (HK_LOG_ERROR, "%s", error->message);
    return false;
}

/* The bundled ones that are installed need no line, so that an unmodified Postfix
 * configuration works and enabling one more does not turn the others off. */
static bool
load_some (HkPlugins *self, HkSettings *settings, const char *prefix)
{
    bool is_ok = true;
    g_auto (GStrv) available = hk_plugins_available (self);
    hk_plugins_set_settings (self, settings);
    for (char **n = available; *n != NULL; n++)
        if (g_str_has_prefix (*n, prefix) && g_strv_contains (hk_bundled_plugins, *n))
            is_ok = load_if_enabled (self, settings, *n) && is_ok;
    const char *const *words = hk_settings_plugins (settings);
    for (; words != NULL && *words != NULL; words++) {
        g_autofree char *name = canonical_name (*words);
        if (*name != '!' && g_str_has_prefix (name, prefix))
            is_ok = load_if_enabled (self, settings, name) && is_ok;
    }
    return is_ok;
}

bool
hk_plugins_load_enabled (HkPlugins *self, HkSettings *settings)
{
    return load_some (self, settings, "");
}

bool
hk_plugins_load_enabled_kind (HkPlugins *self, HkSettings *settings, int kind)
{
    g_autofree char *prefix = g_strconcat (hk_kind_word (kind), "_", NULL);
    return load_some (self, settings, prefix);
}

const HkClass *
hk_plugins_class (HkPlugins *self, int kind, const char *name)
{
    g_autofree char *key = class_key (kind, name);
    const HkOffer *offer = g_hash_table_lookup (self->classes, key);
    return offer == NULL ? NULL : offer->cls;
}

static bool
offers (const HkPlugin *plugin, int kind, const char *name)
{
    for (const HkClass *const *c = plugin->classes; *c != NULL; c++)
        if ((*c)->kind == kind && strcmp ((*c)->name, name) == 0)
            return true;
    return false;
}

/* The module, not loaded so far, that has the class.  CLASS_NAME is the likely one; a
 * grouped one is found by reading the descriptors of its kind.  The way of a failure: slow
 * is fine. */
static char *
module_offering (HkPlugins *self, int kind, const char *name)
{
    g_auto (GStrv) all = hk_plugins_available (self);
    g_autofree char *likely = g_strdup_printf ("%s_%s", hk_kind_word (kind), name);
    g_autofree char *prefix = g_strdup_printf ("%s_", hk_kind_word (kind));
    if (g_strv_contains ((const char *const *) all, likely) && !is_loaded (self, likely))
        return g_steal_pointer (&likely);
    for (char **n = all; *n != NULL; n++) {
        g_autofree char *where = NULL;
        if (!g_str_has_prefix (*n, prefix) || is_loaded (self, *n))
            continue;
        const HkPlugin *plugin = hk_modules_open (self->directory, *n, &where, NULL);
        if (plugin != NULL && hk_plugin_verify (plugin, *n, where, NULL) &&
            offers (plugin, kind, name))
            return g_strdup (*n);
    }
    return NULL;
}

static const char *
nearest_class (HkPlugins *self, int kind, const char *name)
{
    GHashTableIter iter;
    void *value;
    const char *best = NULL;
    unsigned best_distance = 3; /* more than two slips is another word */
    g_hash_table_iter_init (&iter, self->classes);
    while (g_hash_table_iter_next (&iter, NULL, &value)) {
        const HkOffer *offer = value;
        unsigned d = offer->cls->kind != kind
                         ? best_distance
                         : hk_text_distance (name, offer->cls->name, best_distance);
        if (d < best_distance || (d == best_distance && best != NULL && d < 3 &&
                                  strcmp (offer->cls->name, best) < 0)) {
            best = offer->cls->name;
            best_distance = d;
        }
    }
    return best;
}

bool
hk_plugins_load_for (HkPlugins *self, int kind, const char *name, GError **error)
{
    const char *what = kind == HK_KIND_LOOKUP ? "table type" : hk_kind_word (kind);
    if (hk_plugins_class (self, kind, name) != NULL)
        return true;
    g_autofree char *module =
        hk_plugin_name_is_valid (name) ? module_offering (self, kind, name) : NULL;
    const char *near = module == NULL ? nearest_class (self, kind, name) : NULL;
    if (module != NULL)
        g_set_error (
            error, HK_HOST_ERROR, HK_HOST_ERROR_ABSENT,
            "%s \"%s\": plugin %s offers it and is not enabled (try: hikyaku plugin "
            "enable %s)",
            what, name, module, module);
    else
        g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_ABSENT,
                     "unsupported %s: %s: no plugin in %s offers it%s%s%s", what, name,
                     self->directory, near != NULL ? " (did you mean \"" : "",
                     near != NULL ? near : "", near != NULL ? "\"?)" : "");
    return false;
}

void
hk_plugins_foreach (HkPlugins *self, void (*fn) (const HkModuleInfo *, void *), void *data)
{
    for (guint i = 0; i < self->modules->len; i++) {
        const HkModule *m = g_ptr_array_index (self->modules, i);
        HkModuleInfo info = {m->plugin, m->path};
        fn (&info, data);
    }
}
