/* conf_show.c: `hikyaku conf` as a printer of main.cf's parameters. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli/conf.h"

enum { LINE_LIMIT = 80 };

void
hk_conf_tool_print_words (const HkConfTool *self, size_t column, const char *text)
{
    g_auto (GStrv) words = g_strsplit_set (text, " \t\r\n\v\f", -1);
    bool is_first = true;
    for (size_t i = 0; words[i] != NULL; i++) {
        size_t n = strlen (words[i]);
        if (n == 0)
            continue;
        if ((self->modes & CONF_FOLD) && column > 4 &&
            column + n + is_first > LINE_LIMIT) {
            fputs ("\n    ", stdout);
            column = 4;
        } else if (!is_first || column > 0) {
            putchar (' ');
            column += is_first;
        }
        fputs (words[i], stdout);
        column += n + 1;
        is_first = false;
    }
}

/* ---- which names ----------------------------------------------------------------- */

static void
add_name (const char *name, void *data)
{
    g_ptr_array_add (data, g_strdup (name));
}

static void
add_spec (const HkConfSpec *spec, void *data)
{
    add_name (spec->name, data);
}

static void
add_undeclared (const char *name, const char *preset, bool has_meaning, void *data)
{
    (void) preset;
    (void) has_meaning;
    add_name (name, data);
}

static void
add_set (const char *name, const char *raw, void *data)
{
    (void) raw;
    add_name (name, data);
}

static void
note_unused (const char *file, const char *name, const char *raw, void *data)
{
    (void) file;
    (void) raw;
    g_hash_table_add (data, (char *) name);
}

static int
compare_names (const void *a, const void *b)
{
    return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* NULL-ended, sorted, each name once. */
static char **
sort_once (GPtrArray *names)
{
    guint kept = 0;
    g_ptr_array_sort (names, compare_names);
    for (guint i = 0; i < names->len; i++) {
        char *name = names->pdata[i];
        if (kept > 0 && strcmp (names->pdata[kept - 1], name) == 0)
            g_free (name);
        else
            names->pdata[kept++] = name;
    }
    names->len = kept;
    g_ptr_array_add (names, NULL);
    return (char **) g_ptr_array_free (names, FALSE);
}

static char **
all_names (const HkConfTool *self)
{
    GPtrArray *names = g_ptr_array_new ();
    if (self->class_builtin) {
        hk_conf_foreach_spec (add_spec, names);
        hk_conf_foreach_undeclared (add_undeclared, names);
    }
    if (self->class_service)
        hk_settings_foreach_service_param (self->set, add_name, names);
    if (self->class_user && !(self->modes & CONF_DEFAULT))
        hk_settings_foreach_set (self->set, add_set, names);
    return sort_once (names);
}

static bool
is_known (const char *name)
{
    return hk_conf_spec (name) != NULL;
}

/* With -C, a name that belongs to another class came in by foreach_set. */
static bool
is_wanted (const HkConfTool *self, GHashTable *unused, const char *name)
{
    bool is_set = hk_settings_raw (self->set, name) != NULL;
    if (g_hash_table_contains (unused, name) || ((self->modes & CONF_SET) && !is_set))
        return false;
    if (self->class_builtin && self->class_service)
        return true;
    bool is_builtin = is_known (name) || hk_settings_preset (self->set, name) != NULL;
    return !(self->class_user && !self->class_builtin && !self->class_service &&
             is_builtin);
}

/* ---- printing -------------------------------------------------------------------- */

/* "main.cf:12: ", or what else a value comes from. */
static void
print_origin (const HkConfTool *self, const char *name)
{
    const char *file;
    unsigned line;
    if ((self->modes & CONF_DEFAULT) ||
        !hk_settings_origin (self->set, name, &file, &line))
        fputs ("(default): ", stdout);
    else if (file[0] == '\0')
        fputs ("(command line): ", stdout);
    else
        printf ("%s/%s:%u: ", self->dir, file, line);
}

/* False: the value cannot be expanded. */
static bool
print_one (const HkConfTool *self, const char *name, const char *raw)
{
    g_autoptr (GError) error = NULL;
    bool expands = (self->modes & CONF_EXPAND) && !hk_conf_is_raw (name);
    g_autofree char *expanded =
        expands ? hk_settings_expand (self->set, raw, &error) : g_strdup (raw);
    if (expanded == NULL) {
        hk_conf_tool_warn (self, "%s: %s", name, error->message);
        return false;
    }
    if (self->show_origin)
        print_origin (self, name);
    if (self->modes & CONF_NO_VALUE) {
        puts (name);
        return true;
    }
    if (!(self->modes & CONF_NO_NAME))
        printf ("%s =", name);
    hk_conf_tool_print_words (
        self, self->modes & CONF_NO_NAME ? 0 : strlen (name) + 2, expanded);
    putchar ('\n');
    return true;
}

static const char *
value_of (const HkConfTool *self, const char *name)
{
    const char *raw = (self->modes & CONF_DEFAULT) ? NULL : hk_settings_raw (self->set, name);
    return raw != NULL ? raw : hk_settings_preset (self->set, name);
}

static int
show_all (const HkConfTool *self)
{
    g_auto (GStrv) names = all_names (self);
    g_autoptr (GHashTable) unused = g_hash_table_new (g_str_hash, g_str_equal);
    hk_settings_foreach_unused (self->set, note_unused, unused);
    int status = 0;
    for (size_t i = 0; names[i] != NULL && status == 0; i++) {
        const char *raw = value_of (self, names[i]);
        if (raw != NULL && is_wanted (self, unused, names[i]))
            status = print_one (self, names[i], raw) ? 0 : 1;
    }
    return status;
}

/* A name that nobody uses is unknown even when a file sets it. */
static int
show_named (const HkConfTool *self, char **names)
{
    g_autoptr (GHashTable) unused = g_hash_table_new (g_str_hash, g_str_equal);
    hk_settings_foreach_unused (self->set, note_unused, unused);
    int status = 0;
    for (size_t i = 0; names[i] != NULL && status == 0; i++) {
        const char *raw = value_of (self, names[i]);
        if (raw == NULL || g_hash_table_contains (unused, names[i]))
            hk_conf_tool_warn (self, "%s: unknown parameter", names[i]);
        else if (!(self->modes & CONF_SET) || hk_settings_raw (self->set, names[i]) != NULL)
            status = print_one (self, names[i], raw) ? 0 : 1;
    }
    return status;
}

int
hk_conf_tool_show (HkConfTool *self, char **names)
{
    return names[0] != NULL ? show_named (self, names) : show_all (self);
}

typedef struct {
    const HkConfTool *tool;
    bool master_only;
} Unused;

static void
warn_unused (const char *file, const char *name, const char *raw, void *data)
{
    const Unused *self = data;
    if (file[0] != '\0' && (!self->master_only || strcmp (file, "master.cf") == 0))
        hk_conf_tool_warn (self->tool, "%s/%s: unused parameter: %s=%s", self->tool->dir,
                           file, name, raw);
}

void
hk_conf_tool_warn_unused (const HkConfTool *self, bool master_only)
{
    Unused unused = {self, master_only};
    hk_settings_foreach_unused (self->set, warn_unused, &unused);
}
