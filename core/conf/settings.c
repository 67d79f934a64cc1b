/* settings.c: one set of values: who has set what, and the getters. */
#include "config.h"

#include "conf/conf_priv.h"

static void
free_service (void *data)
{
    HkServiceEntry *entry = data;
    g_ptr_array_unref (entry->options);
    g_free (entry->words);
    g_free ((void *) entry->service.argv);
    g_free (entry);
}

HkSettings *
hk_settings_new (HkSettings *parent)
{
    HkSettings *self = g_new0 (HkSettings, 1);
    self->refs = 1;
    self->parent = parent == NULL ? NULL : hk_settings_ref (parent);
    self->texts = g_string_chunk_new (parent == NULL ? 16384 : 256);
    self->entries = g_ptr_array_new_with_free_func (g_free);
    self->by_name = g_hash_table_new (g_str_hash, g_str_equal);
    self->complaints = g_array_new (FALSE, FALSE, sizeof (HkComplaint));
    self->overridden = g_array_new (FALSE, FALSE, sizeof (HkOverridden));
    self->plugins = g_ptr_array_new ();
    self->services = g_ptr_array_new_with_free_func (free_service);
    self->cache = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
    self->presets = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
    pthread_mutex_init (&self->lock, NULL);
    return self;
}

HkSettings *
hk_settings_ref (HkSettings *self)
{
    g_atomic_int_inc (&self->refs);
    return self;
}

const char *
hk_role_dir (void)
{
    const char *dir = g_getenv ("HIKYAKU_ROLE_DIR");
    return dir != NULL && g_path_is_absolute (dir) ? dir : HK_ROLE_DIR;
}

void
hk_settings_unref (HkSettings *self)
{
    if (self == NULL || !g_atomic_int_dec_and_test (&self->refs))
        return;
    hk_settings_unref (self->parent);
    pthread_mutex_destroy (&self->lock);
    g_hash_table_unref (self->presets);
    g_hash_table_unref (self->cache);
    g_ptr_array_unref (self->services);
    g_ptr_array_unref (self->plugins);
    g_array_unref (self->overridden);
    g_array_unref (self->complaints);
    g_hash_table_unref (self->by_name);
    g_ptr_array_unref (self->entries);
    g_string_chunk_free (self->texts);
    g_free (self->dir);
    g_free (self);
}

static const char *
keep (HkSettings *self, HkSpan text)
{
    return g_string_chunk_insert_len (
        self->texts, text.size == 0 ? "" : (const char *) text.data, (gssize) text.size);
}

/* A name set again moves to the place of its last line. */
void
hk_settings_put (HkSettings *self, HkSpan name, HkSpan raw, const char *file, unsigned line)
{
    HkConfEntry *entry = g_new0 (HkConfEntry, 1);
    entry->name = keep (self, name);
    entry->raw = keep (self, raw);
    entry->file = g_string_chunk_insert_const (self->texts, file);
    entry->line = line;
    HkConfEntry *old = g_hash_table_lookup (self->by_name, entry->name);
    if (old != NULL) {
        g_hash_table_remove (self->by_name, old->name);
        g_ptr_array_remove (self->entries, old);
    }
    g_ptr_array_add (self->entries, entry);
    g_hash_table_insert (self->by_name, (char *) entry->name, entry);
}

void
hk_settings_complain (HkSettings *self, int level, const char *file, unsigned line,
                      const char *format, ...)
{
    va_list args;
    g_autoptr (GString) text = g_string_new (NULL);
    if (file != NULL)
        g_string_append_printf (text, "%s: line %u: ", file, line);
    va_start (args, format);
    g_string_append_vprintf (text, format, args);
    va_end (args);
    HkComplaint complaint = {level, keep (self, hk_span_string (text))};
    g_array_append_val (self->complaints, complaint);
}

const HkConfEntry *
hk_settings_entry (const HkSettings *self, const char *name)
{
    for (; self != NULL; self = self->parent) {
        const HkConfEntry *entry = g_hash_table_lookup (self->by_name, name);
        if (entry != NULL)
            return entry;
    }
    return NULL;
}

/* ---- defaults; all with the lock ------------------------------------------------- */

static const char *
computed_preset (HkSettings *self, const HkConfSpec *spec)
{
    char *text = g_hash_table_lookup (self->presets, spec->name);
    if (text != NULL)
        return text;
    /* Empty while it is being computed: two defaults that ask for each other come to an
     * end. */
    g_hash_table_insert (self->presets, g_strdup (spec->name), g_strdup (""));
    text = spec->computed != NULL ? spec->computed (self) : spec->dynamic ();
    if (text == NULL)
        text = g_strdup ("");
    g_hash_table_insert (self->presets, g_strdup (spec->name), text);
    return text;
}

static const char *
preset_text (HkSettings *self, const HkConfSpec *spec, const char *name)
{
    if (spec != NULL && (spec->computed != NULL || spec->dynamic != NULL))
        return computed_preset (self, spec);
    if (spec != NULL)
        return spec->preset == NULL ? "" : spec->preset;
    const HkPostfixName *known = hk_conf_postfix_name (name);
    return known == NULL ? NULL : known->preset;
}

static const char *
raw_text (void *data, const char *name)
{
    HkSettings *self = data;
    const HkConfEntry *entry = hk_settings_entry (self, name);
    return entry != NULL ? entry->raw : preset_text (self, hk_conf_spec (name), name);
}

HkConfNames
hk_settings_names (HkSettings *self)
{
    return (HkConfNames){raw_text, NULL, self};
}

/* NULL when RAW cannot be expanded or is no value of SPEC. */
static char *
expand_checked (HkSettings *self, const HkConfSpec *spec, const char *name, const char *raw)
{
    if (hk_conf_is_raw (name))
        return g_strdup (raw);
    HkConfNames names = hk_settings_names (self);
    g_autoptr (GString) out = g_string_new (NULL);
    int64_t number;
    if (!hk_conf_expand (&names, hk_span_text (raw), out, NULL))
        return NULL;
    if (spec == NULL)
        return g_string_free (g_steal_pointer (&out), FALSE);
    g_autofree char *wrong = hk_conf_value (spec, out->str, &number);
    return wrong != NULL ? NULL : hk_conf_canonical (spec, out->str);
}

static char *
compute (HkSettings *self, const char *name)
{
    const HkConfSpec *spec = hk_conf_spec (name);
    const HkConfEntry *entry = hk_settings_entry (self, name);
    if (entry != NULL) {
        char *value = expand_checked (self, spec, name, entry->raw);
        if (value != NULL)
            return value;
    }
    const char *preset = preset_text (self, spec, name);
    if (preset == NULL)
        return NULL;
    char *value = expand_checked (self, spec, name, preset);
    return value != NULL ? value : g_strdup ("");
}

static const char *
cached (HkSettings *self, const char *name)
{
    char *value = g_hash_table_lookup (self->cache, name);
    if (value != NULL)
        return value;
    value = compute (self, name);
    if (value != NULL)
        g_hash_table_insert (self->cache, g_strdup (name), value);
    return value;
}

/* ---- the getters ----------------------------------------------------------------- */

const char *
hk_settings_get (HkSettings *self, const char *name)
{
    pthread_mutex_lock (&self->lock);
    const char *value = cached (self, name);
    pthread_mutex_unlock (&self->lock);
    return value;
}

const char *
hk_settings_preset (HkSettings *self, const char *name)
{
    pthread_mutex_lock (&self->lock);
    const char *text = preset_text (self, hk_conf_spec (name), name);
    pthread_mutex_unlock (&self->lock);
    return text;
}

/* The lock is held: `computed` runs inside a getter. */
char *
hk_settings_peek (HkSettings *self, const char *name)
{
    const HkConfSpec *spec = hk_conf_spec (name);
    const HkConfEntry *entry = hk_settings_entry (self, name);
    const char *raw = entry != NULL ? entry->raw : preset_text (self, spec, name);
    char *value = raw == NULL ? NULL : expand_checked (self, spec, name, raw);
    return value != NULL ? value : g_strdup ("");
}

static const HkConfSpec plain_time = {.name = "", .type = HK_CONF_TIME};

int64_t
hk_settings_int (HkSettings *self, const char *name)
{
    int64_t number = 0;
    const char *text = hk_settings_get (self, name);
    if (text == NULL)
        return 0;
    const HkConfSpec *spec = hk_conf_spec (name);
    bool has_type =
        spec != NULL && (spec->type == HK_CONF_INT || spec->type == HK_CONF_SIZE ||
                         spec->type == HK_CONF_TIME || spec->type == HK_CONF_BOOL);
    g_autofree char *wrong = hk_conf_value (has_type ? spec : &plain_time, text, &number);
    return wrong == NULL ? number : 0;
}

bool
hk_settings_bool (HkSettings *self, const char *name)
{
    const char *text = hk_settings_get (self, name);
    return text != NULL && g_ascii_strcasecmp (text, "yes") == 0;
}

char **
hk_settings_words (HkSettings *self, const char *name)
{
    const char *text = hk_settings_get (self, name);
    HkSpan rest = hk_span_text (text == NULL ? "" : text), word;
    g_autoptr (GPtrArray) words = g_ptr_array_new ();
    while (hk_text_next_word (&rest, &word))
        g_ptr_array_add (words, hk_span_dup (word));
    g_ptr_array_add (words, NULL);
    return (char **) g_ptr_array_free (g_steal_pointer (&words), FALSE);
}

const char *
hk_settings_raw (HkSettings *self, const char *name)
{
    const HkConfEntry *entry = hk_settings_entry (self, name);
    return entry == NULL ? NULL : entry->raw;
}

bool
hk_settings_origin (HkSettings *self, const char *name, const char **out_file,
                    unsigned *out_line)
{
    const HkConfEntry *entry = hk_settings_entry (self, name);
    if (entry == NULL)
        return false;
    *out_file = entry->file;
    *out_line = entry->line;
    return true;
}

char *
hk_settings_expand (HkSettings *self, const char *text, GError **error)
{
    HkConfNames names = hk_settings_names (self);
    g_autoptr (GString) out = g_string_new (NULL);
    pthread_mutex_lock (&self->lock);
    bool ok = hk_conf_expand (&names, hk_span_text (text), out, error);
    pthread_mutex_unlock (&self->lock);
    return ok ? g_string_free (g_steal_pointer (&out), FALSE) : NULL;
}

void
hk_settings_foreach_set (HkSettings *self, void (*fn) (const char *, const char *, void *),
                         void *data)
{
    if (self->parent != NULL)
        hk_settings_foreach_set (self->parent, fn, data);
    for (guint i = 0; i < self->entries->len; i++) {
        const HkConfEntry *entry = g_ptr_array_index (self->entries, i);
        fn (entry->name, entry->raw, data);
    }
}

static HkSettings *
root (HkSettings *self)
{
    while (self->parent != NULL)
        self = self->parent;
    return self;
}

void
hk_settings_foreach_overridden (HkSettings *self,
                                void (*fn) (const char *, unsigned, const char *,
                                            const char *, void *),
                                void *data)
{
    const GArray *all = root (self)->overridden;
    for (guint i = 0; i < all->len; i++) {
        const HkOverridden *o = &g_array_index (all, HkOverridden, i);
        fn (o->file, o->line, o->name, o->old_raw, data);
    }
}

const char *
hk_settings_dir (const HkSettings *self)
{
    return root ((HkSettings *) self)->dir;
}

const char *const *
hk_settings_plugins (HkSettings *self)
{
    return (const char *const *) root (self)->plugins->pdata;
}

/* ---- services -------------------------------------------------------------------- */

size_t
hk_settings_n_services (HkSettings *self)
{
    return root (self)->services->len;
}

static HkServiceEntry *
service_entry (HkSettings *self, size_t i)
{
    return g_ptr_array_index (root (self)->services, (guint) i);
}

const HkService *
hk_settings_service (HkSettings *self, size_t i)
{
    return &service_entry (self, i)->service;
}

const char *const *
hk_settings_service_words (HkSettings *self, size_t i)
{
    return (const char *const *) service_entry (self, i)->words;
}

void
hk_settings_foreach_option (HkSettings *self, size_t i,
                            void (*fn) (const char *, const char *, void *), void *data)
{
    GPtrArray *options = service_entry (self, i)->options;
    for (guint k = 0; k < options->len; k++) {
        const HkConfEntry *option = g_ptr_array_index (options, k);
        fn (option->name, option->raw, data);
    }
}

/* Postfix's daemons know by which name they were started. */
static void
put_names_of_service (HkSettings *view, const HkService *service)
{
    hk_settings_put (view, HK_SPAN ("service_name"), hk_span_text (service->name),
                     service->file, service->line);
    hk_settings_put (view, HK_SPAN ("process_name"), hk_span_text (service->command),
                     service->file, service->line);
}

HkSettings *
hk_settings_view (HkSettings *self, size_t i)
{
    HkSettings *base = self;
    while (base->is_service)
        base = base->parent;
    const HkServiceEntry *entry = service_entry (base, i);
    HkSettings *view = hk_settings_new (base);
    view->is_service = true;
    put_names_of_service (view, &entry->service);
    for (guint k = 0; k < entry->options->len; k++) {
        const HkConfEntry *option = g_ptr_array_index (entry->options, k);
        hk_settings_put (view, hk_span_text (option->name), hk_span_text (option->raw),
                         option->file, option->line);
    }
    return view;
}

HkSettings *
hk_settings_with (HkSettings *self, const char *name, const char *value)
{
    HkSettings *view = hk_settings_new (self);
    hk_settings_put (view, hk_span_text (name), hk_span_text (value), "", 0);
    return view;
}
