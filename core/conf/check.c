/* check.c: what is wrong, unknown or without effect in a set, said with file, line and
 * name. */
#include "config.h"

#include "conf/conf_priv.h"

typedef struct {
    HkSettings *set;  /* the files' own */
    HkSettings *view; /* whose values count for the entry at hand */
    GHashTable *used; /* names that some value refers to, and restriction classes */
    GHashTable *tables; /* "mysql:name": its parameters are name_hosts and so on */
    GHashTable *said;   /* undefined names that were reported for this entry */
    const HkConfEntry *entry;
    HkComplaintFn fn;
    void *data;
    bool ok;
} Checker;

static void say (Checker *self, int level, const char *format, ...) G_GNUC_PRINTF (3, 4);

static void
say (Checker *self, int level, const char *format, ...)
{
    va_list args;
    g_autoptr (GString) text = g_string_new (NULL);
    g_string_append_printf (text, "%s: line %u: %s: ", self->entry->file, self->entry->line,
                            self->entry->name);
    va_start (args, format);
    g_string_append_vprintf (text, format, args);
    va_end (args);
    if (level >= HK_LOG_ERROR)
        self->ok = false;
    self->fn (level, text->str, self->data);
}

/* ---- which names are used -------------------------------------------------------- */

static void
add_used (HkSpan name, void *data)
{
    g_hash_table_add (data, hk_span_dup (name));
}

static void
gather_from (const char *name, const char *raw, void *data)
{
    Checker *self = data;
    HkSpan rest = hk_span_text (raw), word;
    bool is_classes = strcmp (name, "smtpd_restriction_classes") == 0;
    hk_conf_references (rest, add_used, self->used);
    hk_conf_gather_tables (rest, self->tables);
    while (is_classes && hk_text_next_word (&rest, &word))
        add_used (word, self->used);
}

static bool
has_service (Checker *self, const char *name, size_t size)
{
    for (size_t i = 0; i < hk_settings_n_services (self->set); i++) {
        const char *service = hk_settings_service (self->set, i)->name;
        if (strlen (service) == size && memcmp (service, name, size) == 0)
            return true;
    }
    return false;
}

/* ---- names ----------------------------------------------------------------------- */

static void
check_without_effect (Checker *self, const HkPostfixName *known)
{
    if (strcmp (known->preset, self->entry->raw) == 0)
        return;
    if (known->flags & HK_NAME_LATER)
        say (self, HK_LOG_WARNING, "has no effect yet: %s", hk_postfix_why (known));
    else
        say (self, HK_LOG_INFO, "has no effect: %s", hk_postfix_why (known));
}

static void
check_unknown (Checker *self)
{
    const char *name = self->entry->name, *near = hk_conf_nearest (name);
    if (near != NULL)
        say (self, HK_LOG_WARNING, "unknown parameter, ignored; was \"%s\" meant?", near);
    else
        say (self, HK_LOG_WARNING, "unknown parameter, ignored");
}

/* Made for a service's name, not declared by anybody? */
static bool
is_derived (const HkConfSpec *spec, const char *base)
{
    return spec->preset != NULL && spec->preset[0] == '$' &&
           strcmp (spec->preset + 1, base) == 0;
}

typedef enum {
    NAME_DECLARED,   /* by a room or a plugin */
    NAME_OF_POSTFIX, /* known, without effect */
    NAME_USED,       /* by another value, a restriction class, a table, a service */
    NAME_NO_SERVICE, /* would be a service's, but there is none of that name */
    NAME_UNKNOWN
} NameUse;

static NameUse
classify (Checker *self, const HkConfSpec *spec)
{
    const char *name = self->entry->name, *base;
    const HkPostfixName *known = hk_conf_postfix_name (name);
    size_t service = hk_conf_service_suffix (name, &base);
    if (spec != NULL && (service == 0 || known != NULL || !is_derived (spec, base)))
        return NAME_DECLARED;
    if (known != NULL)
        return NAME_OF_POSTFIX;
    if (g_hash_table_contains (self->used, name) || hk_conf_is_table_param (name, self->tables) ||
        hk_conf_is_in_a_default (name) ||
        (service != 0 && has_service (self, name, service)))
        return NAME_USED;
    return service != 0 && spec != NULL ? NAME_NO_SERVICE : NAME_UNKNOWN;
}

static void
check_name (Checker *self, NameUse use)
{
    const char *name = self->entry->name, *base;
    switch (use) {
    case NAME_OF_POSTFIX:
        check_without_effect (self, hk_conf_postfix_name (name));
        break;
    case NAME_NO_SERVICE:
        say (self, HK_LOG_WARNING, "ignored: master.cf has no service \"%.*s\"",
             (int) hk_conf_service_suffix (name, &base), name);
        break;
    case NAME_UNKNOWN:
        check_unknown (self);
        break;
    default:
        break;
    }
}

/* ---- values ---------------------------------------------------------------------- */

static void
report_undefined (void *data, const char *name)
{
    Checker *self = data;
    if (g_hash_table_contains (self->said, name) || hk_conf_is_in_a_default (name))
        return;
    g_hash_table_add (self->said, g_strdup (name));
    say (self, HK_LOG_WARNING, "refers to $%s, which nothing defines: empty", name);
}

static const char *
look_up (void *data, const char *name)
{
    Checker *self = data;
    const char *raw = hk_settings_raw (self->view, name);
    return raw != NULL ? raw : hk_settings_preset (self->view, name);
}

/* In master.cf and main.cf a comment has a line of its own. */
static void
check_comment (Checker *self)
{
    const char *hash = strchr (self->entry->raw, '#');
    if (hash == NULL || hash == self->entry->raw || !hk_conf_is_space ((uint8_t) hash[-1]))
        return;
    say (self, HK_LOG_WARNING,
         "\"%.40s\" is part of the value: a comment needs a line of its own", hash);
}

static void
check_value (Checker *self, const HkConfSpec *spec)
{
    HkConfNames names = {look_up, report_undefined, self};
    g_autoptr (GError) error = NULL;
    g_autoptr (GString) value = g_string_new (NULL);
    if (hk_conf_is_raw (self->entry->name))
        return;
    if (!hk_conf_expand (&names, hk_span_text (self->entry->raw), value, &error)) {
        say (self, HK_LOG_ERROR, "%s", error->message);
        return;
    }
    int64_t number;
    g_autofree char *wrong =
        spec == NULL ? NULL : hk_conf_value (spec, value->str, &number);
    if (wrong != NULL)
        say (self, HK_LOG_ERROR, "%s", wrong);
}

static void
check_entry (Checker *self, const HkConfEntry *entry, HkSettings *view)
{
    const HkConfSpec *spec = hk_conf_spec (entry->name);
    self->entry = entry;
    self->view = view;
    g_hash_table_remove_all (self->said);
    NameUse use = classify (self, spec);
    check_name (self, use);
    if (use == NAME_UNKNOWN)
        return;
    check_comment (self);
    check_value (self, spec);
}

/* ---- all of it ------------------------------------------------------------------- */

static void
check_services (Checker *self)
{
    for (guint i = 0; i < self->set->services->len; i++) {
        const HkServiceEntry *service = g_ptr_array_index (self->set->services, i);
        if (service->options->len == 0)
            continue;
        g_autoptr (HkSettings) view = hk_settings_view (self->set, i);
        for (guint k = 0; k < service->options->len; k++)
            check_entry (self, g_ptr_array_index (service->options, k), view);
    }
}

static void
report_reading (Checker *self)
{
    for (guint i = 0; i < self->set->complaints->len; i++) {
        const HkComplaint *c = &g_array_index (self->set->complaints, HkComplaint, i);
        if (c->level >= HK_LOG_ERROR)
            self->ok = false;
        self->fn (c->level, c->text, self->data);
    }
}

static HkSettings *
files_of (HkSettings *set)
{
    while (set->parent != NULL)
        set = set->parent;
    return set;
}

static void
checker_init (Checker *self, HkSettings *set)
{
    *self = (Checker){.set = files_of (set), .ok = true};
    self->view = self->set;
    self->used = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    self->tables = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    self->said = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    hk_settings_foreach_set (self->set, gather_from, self);
    for (size_t i = 0; i < hk_settings_n_services (self->set); i++)
        hk_settings_foreach_option (self->set, i, gather_from, self);
}

static void
checker_clear (Checker *self)
{
    g_hash_table_unref (self->used);
    g_hash_table_unref (self->tables);
    g_hash_table_unref (self->said);
}

bool
hk_settings_check (HkSettings *set, HkComplaintFn fn, void *data)
{
    Checker self;
    checker_init (&self, set);
    self.fn = fn;
    self.data = data;
    report_reading (&self);
    for (guint i = 0; i < self.set->entries->len; i++)
        check_entry (&self, g_ptr_array_index (self.set->entries, i), self.set);
    check_services (&self);
    checker_clear (&self);
    return self.ok;
}

/* All settings of the files and of -o, in order. */
static GPtrArray *
all_entries (HkSettings *set)
{
    GPtrArray *all = g_ptr_array_new ();
    g_ptr_array_extend (all, set->entries, NULL, NULL);
    for (guint i = 0; i < set->services->len; i++) {
        const HkServiceEntry *service = g_ptr_array_index (set->services, i);
        g_ptr_array_extend (all, service->options, NULL, NULL);
    }
    return all;
}

void
hk_settings_foreach_unused (HkSettings *set,
                            void (*fn) (const char *file, const char *name, const char *raw,
                                        void *data),
                            void *data)
{
    Checker self;
    checker_init (&self, set);
    g_autoptr (GPtrArray) all = all_entries (self.set);
    for (guint i = 0; i < all->len; i++) {
        self.entry = g_ptr_array_index (all, i);
        NameUse use = classify (&self, hk_conf_spec (self.entry->name));
        if (use == NAME_NO_SERVICE || use == NAME_UNKNOWN)
            fn (self.entry->file, self.entry->name, self.entry->raw, data);
    }
    checker_clear (&self);
}

typedef struct {
    Checker *checker;
    void (*fn) (const char *name, const char *text, void *data);
    void *data;
} Undefined;

static void
note_undefined (void *data, const char *name)
{
    Undefined *self = data;
    if (g_hash_table_contains (self->checker->said, name) || hk_conf_is_in_a_default (name))
        return;
    g_hash_table_add (self->checker->said, g_strdup (name));
    self->fn (name, NULL, self->data);
}

static const char *
look_up_files (void *data, const char *name)
{
    Undefined *self = data;
    return look_up (self->checker, name);
}

void
hk_settings_foreach_undefined (HkSettings *set,
                               void (*fn) (const char *name, const char *text, void *data),
                               void *data)
{
    Checker self;
    Undefined undefined = {&self, fn, data};
    HkConfNames names = {look_up_files, note_undefined, &undefined};
    checker_init (&self, set);
    for (guint i = 0; i < self.set->entries->len; i++) {
        const HkConfEntry *entry = g_ptr_array_index (self.set->entries, i);
        g_autoptr (GString) value = g_string_new (NULL);
        g_autoptr (GError) error = NULL;
        self.entry = entry;
        if (hk_conf_is_raw (entry->name) ||
            classify (&self, hk_conf_spec (entry->name)) >= NAME_NO_SERVICE)
            continue;
        /* A value that refers to itself has no syntax error: nobody may ask for it. */
        if (!hk_conf_expand (&names, hk_span_text (entry->raw), value, &error) &&
            !g_error_matches (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE))
            fn (NULL, error->message, data);
    }
    checker_clear (&self);
}
