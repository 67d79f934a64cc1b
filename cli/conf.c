/* conf.c: `hikyaku conf` (postconf): show and change parameters. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/conf.h"
#include "host/host.h"

static void print_message (const HkConfTool *self, const char *kind, const char *format,
                           va_list args) G_GNUC_PRINTF (3, 0);

static void
print_message (const HkConfTool *self, const char *kind, const char *format, va_list args)
{
    g_autofree char *text = g_strdup_vprintf (format, args);
    fflush (stdout);
    fprintf (stderr, "%s: %s: %s\n", self->program, kind, text);
}

void
hk_conf_tool_warn (const HkConfTool *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    print_message (self, "warning", format, args);
    va_end (args);
}

int
hk_conf_tool_fail (const HkConfTool *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    print_message (self, "fatal", format, args);
    va_end (args);
    return 1;
}

/* ---- plugins --------------------------------------------------------------------- */

/* Loads what the settings enable, so that the parameters of plugins are known. */
static HkPlugins *
load_plugins (HkSettings *set)
{
    HkPlugins *plugins =
        hk_plugins_new (hk_settings_get (set, "plugin_directory"), NULL, NULL);
    hk_plugins_set_settings (plugins, set);
    hk_plugins_load_enabled (plugins, set);
    return plugins;
}

typedef struct {
    int kind;
    bool is_client; /* sasl: those with a client's side, else with a server's */
    GPtrArray *names;
} ClassList;

static bool
has_side (const HkClass *cls, bool is_client)
{
    const HkSaslClass *sasl = (const HkSaslClass *) (const void *) cls;
    return is_client ? HK_HAS (sasl, HkSaslClass, client_begin)
                     : HK_HAS (sasl, HkSaslClass, server_begin);
}

static void
add_classes (const HkModuleInfo *module, void *data)
{
    ClassList *list = data;
    for (const HkClass *const *c = module->plugin->classes; *c != NULL; c++)
        if ((*c)->kind == list->kind &&
            (list->kind != HK_KIND_SASL || has_side (*c, list->is_client)))
            g_ptr_array_add (list->names, g_strdup ((*c)->name));
}

static int
compare_names (const void *a, const void *b)
{
    return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static int
list_classes (HkConfTool *self, int kind)
{
    g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
    ClassList list = {kind, (self->modes & CONF_SASL_OUT) != 0, names};
    HkPlugins *plugins = load_plugins (self->set);
    hk_plugins_foreach (plugins, add_classes, &list);
    g_ptr_array_sort (names, compare_names);
    for (guint i = 0; i < names->len; i++)
        puts (g_ptr_array_index (names, i));
    hk_plugins_free (plugins);
    return 0;
}

/* ---- reading --------------------------------------------------------------------- */

static HkSettings *
read_settings (const HkConfTool *self, GError **error)
{
    if (!(self->modes & CONF_DEFAULT))
        return hk_settings_load (self->dir, error);
    /* -d: only the services count, for the names of their parameters. */
    g_autofree char *path = g_build_filename (self->dir, "master.cf", NULL);
    g_autofree char *text = NULL;
    if (!g_file_get_contents (path, &text, NULL, NULL)) {
        hk_conf_tool_warn (self, "open %s: %s", path, g_strerror (errno));
        return hk_settings_from_text ("", "", error);
    }
    return hk_settings_from_text ("", text, error);
}

/* "name=value" of -o on top. */
static bool
put_override (HkConfTool *self, const char *text, GError **error)
{
    g_autofree char *copy = g_strdup (text);
    char *name, *value;
    const char *wrong = hk_conf_tool_split (copy, &name, &value);
    if (wrong != NULL) {
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_SYNTAX,
                     "invalid parameter override: %s: %s", text, wrong);
        return false;
    }
    HkSettings *with = hk_settings_with (self->set, name, value);
    hk_settings_unref (self->set);
    self->set = with;
    return true;
}

static bool
open_settings (HkConfTool *self, GError **error)
{
    self->set = read_settings (self, error);
    if (self->set == NULL)
        return false;
    if (self->dir_was_given && !(self->modes & CONF_DEFAULT)) {
        HkSettings *with = hk_settings_with (self->set, "config_directory", self->dir);
        hk_settings_unref (self->set);
        self->set = with;
    }
    for (guint i = 0; i < self->overrides->len; i++)
        if (!put_override (self, g_ptr_array_index (self->overrides, i), error))
            return false;
    return true;
}

/* ---- showing --------------------------------------------------------------------- */

static void
warn_overridden (const char *file, unsigned line, const char *name, const char *old_raw,
                 void *data)
{
    const HkConfTool *self = data;
    hk_conf_tool_warn (self, "%s/%s, line %u: overriding earlier entry: %s=%s", self->dir,
                       file, line, name, old_raw);
}

typedef struct {
    const HkConfTool *tool;
    bool failed;
} Expansion;

static void
warn_undefined (const char *name, const char *text, void *data)
{
    Expansion *self = data;
    if (name != NULL) {
        hk_conf_tool_warn (self->tool, "%s/main.cf: undefined parameter: %s",
                           self->tool->dir, name);
    } else {
        hk_conf_tool_warn (self->tool, "%s", text);
        self->failed = true;
    }
}

static int
show_locks (void)
{
    puts ("flock\nfcntl\ndotlock");
    return 0;
}

/* As a Postfix that was built without TLS: nothing to tell. */
static int
show_tls (const HkConfTool *self)
{
    static const char *const modes[] = {"compile-version", "run-version",
                                        "public-key-algorithms", NULL};
    if (g_strv_contains (modes, self->tls_mode))
        return 0;
    hk_conf_tool_warn (self, "unknown 'postconf -T' mode: %s", self->tls_mode);
    return 1;
}

static void
warn_missing_master (const HkConfTool *self)
{
    g_autofree char *path = g_build_filename (self->dir, "master.cf", NULL);
    if (access (path, F_OK) != 0)
        hk_conf_tool_warn (self, "open %s: %s", path, g_strerror (errno));
}

static int
show_main (HkConfTool *self, char **names)
{
    Expansion expansion = {self, false};
    bool is_default = (self->modes & CONF_DEFAULT) != 0;
    HkPlugins *plugins = load_plugins (self->set);
    int status = 0;
    if (!is_default) {
        warn_missing_master (self);
        hk_settings_foreach_overridden (self->set, warn_overridden, self);
        hk_settings_foreach_undefined (self->set, warn_undefined, &expansion);
    }
    if (expansion.failed)
        status = hk_conf_tool_fail (self, "macro processing error");
    if (status == 0)
        status = hk_conf_tool_show (self, names);
    if (status == 0 && !is_default)
        hk_conf_tool_warn_unused (self, false);
    hk_plugins_free (plugins);
    return status;
}

static int
show_master (HkConfTool *self, char **patterns)
{
    g_autofree char *path = g_build_filename (self->dir, "master.cf", NULL);
    if (access (path, F_OK) != 0)
        return hk_conf_tool_fail (self, "open %s: %s", path, g_strerror (errno));
    HkPlugins *plugins = load_plugins (self->set);
    hk_settings_foreach_overridden (self->set, warn_overridden, self);
    int status = self->modes & CONF_MASTER   ? hk_conf_tool_show_services (self, patterns)
                 : self->modes & CONF_FIELDS ? hk_conf_tool_show_fields (self, patterns)
                                             : hk_conf_tool_show_options (self, patterns);
    if (status == 0)
        hk_conf_tool_warn_unused (self, true);
    hk_plugins_free (plugins);
    return status;
}

/* Where the syntax is wrong, the file's name comes first. */
static int
fail_reading (const HkConfTool *self, const GError *error)
{
    bool is_syntax = g_error_matches (error, HK_CONF_ERROR, HK_CONF_ERROR_SYNTAX) &&
                     strstr (error->message, ": line ") != NULL;
    return hk_conf_tool_fail (self, "%s%s%s", is_syntax ? self->dir : "",
                              is_syntax ? "/" : "", error->message);
}

static int
show (HkConfTool *self, char **names)
{
    g_autoptr (GError) error = NULL;
    if (!open_settings (self, &error))
        return fail_reading (self, error);
    if (self->modes & CONF_MAPS)
        return list_classes (self, HK_KIND_LOOKUP);
    if (self->modes & (CONF_SASL_IN | CONF_SASL_OUT))
        return list_classes (self, HK_KIND_SASL);
    if (self->modes & (CONF_NOTICES | CONF_TEMPLATES))
        return hk_conf_tool_show_notices (self, names[0]);
    if (self->modes & (CONF_MASTER | CONF_FIELDS | CONF_OPTIONS))
        return show_master (self, names);
    return show_main (self, names);
}

/* ---- the command ----------------------------------------------------------------- */

static int
run (HkConfTool *self, int argc, char **argv)
{
    int status = hk_conf_tool_parse (self, argc, argv);
    if (status != 0)
        return status;
    char **rest = argv + optind;
    size_t n = (size_t) (argc - optind);
    if (self->modes & CONF_CHANGES)
        return hk_conf_tool_edit (self, rest, n);
    if (self->modes & CONF_LOCKS)
        return show_locks ();
    if (self->modes & CONF_TLS)
        return show_tls (self);
    return show (self, rest);
}

int
hk_cli_conf (int argc, char **argv)
{
    HkConfTool self = {.program = "postconf",
                       .dir = g_strdup (hk_cli_config_dir (NULL)),
                       .overrides = g_ptr_array_new (),
                       .class_builtin = true,
                       .class_service = true,
                       .class_user = true};
    int status = run (&self, argc, argv);
    if (fflush (stdout) != 0 && status == 0)
        status = hk_conf_tool_fail (&self, "write output: %s", g_strerror (errno));
    hk_settings_unref (self.set);
    g_ptr_array_unref (self.overrides);
    g_free (self.dir);
    return status;
}
