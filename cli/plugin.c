/* plugin.c: `hikyaku plugin`: list, info, check, enable, disable, new. */
#include "config.h"

#include "cli/cli.h"
#include "host/host.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#ifndef HK_SNIPPET_DIR
#define HK_SNIPPET_DIR "/usr/share/hikyaku/conf.d"
#endif
#ifndef HK_TEMPLATE_DIR
#define HK_TEMPLATE_DIR "/usr/share/hikyaku/template"
#endif

/* Where `disable` says so for what another file enables. */
#define DISABLED_FILE "90-disabled.conf"

static const char usage_text[] = "usage: hikyaku [-c config_dir] plugin list\n"
                                 "       hikyaku plugin info NAME\n"
                                 "       hikyaku plugin check NAME|FILE\n"
                                 "       hikyaku plugin enable|disable NAME...\n"
                                 "       hikyaku plugin new lookup|filter NAME\n";

typedef struct {
    char *dir; /* of the configuration, absolute */
    HkSettings *settings;
    HkPlugins *plugins;
} Tool;

static int fail (const char *format, ...) G_GNUC_PRINTF (1, 2);

static int
fail (const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    g_autofree char *text = g_strdup_vprintf (format, ap);
    va_end (ap);
    fprintf (stderr, "hikyaku plugin: %s\n", text);
    return 1;
}

static bool
tool_open (Tool *self, const char *config_dir)
{
    g_autoptr (GError) error = NULL;
    self->dir = g_canonicalize_filename (hk_cli_config_dir (config_dir), NULL);
    self->settings = hk_settings_load (self->dir, &error);
    if (self->settings == NULL) {
        fail ("%s", error->message);
        return false;
    }
    self->plugins =
        hk_plugins_new (hk_settings_get (self->settings, "plugin_directory"), NULL, NULL);
    hk_plugins_set_settings (self->plugins, self->settings);
    return true;
}

static void
tool_close (Tool *self)
{
    if (self->plugins != NULL)
        hk_plugins_free (self->plugins);
    if (self->settings != NULL)
        hk_settings_unref (self->settings);
    g_free (self->dir);
}

static char *
canonical_name (const char *name)
{
    return g_strdelimit (g_strdup (name), "-", '_');
}

/* ---- list and info ---- */

typedef struct {
    const char *name;
    HkModuleInfo info;
} Find;

static void
find_module (const HkModuleInfo *info, void *data)
{
    Find *find = data;
    if (strcmp (info->plugin->name, find->name) == 0)
        find->info = *info;
}

/* NULL: not loaded, and ERROR says why. */
static const HkPlugin *
load (Tool *tool, const char *name, const char **out_path, GError **error)
{
    Find find = {.name = name};
    if (!hk_plugins_load (tool->plugins, name, error))
        return NULL;
    hk_plugins_foreach (tool->plugins, find_module, &find);
    *out_path = find.info.path;
    return find.info.plugin;
}

static int
list (Tool *tool)
{
    g_auto (GStrv) names = hk_plugins_available (tool->plugins);
    const char *const *enabled = hk_settings_plugins (tool->settings);
    printf ("%-24s %-10s %-9s %s\n", "NAME", "STATE", "VERSION", "SUMMARY");
    for (char **n = names; *n != NULL; n++) {
        g_autoptr (GError) error = NULL;
        const char *path = NULL;
        const HkPlugin *plugin = load (tool, *n, &path, &error);
        if (plugin == NULL) {
            printf ("%-24s %-10s %-9s %s\n", *n, "refused", "-", error->message);
            continue;
        }
        printf ("%-24s %-10s %-9s %s%s\n", *n,
                hk_plugins_is_enabled (tool->settings, *n) ? "enabled" : "available",
                plugin->version, plugin->summary,
                g_str_has_prefix (path, "(built") ? " (built in)" : "");
    }
    for (; enabled != NULL && *enabled != NULL; enabled++) {
        g_autofree char *name = canonical_name (*enabled);
        if (*name != '!' && !g_strv_contains ((const char *const *) names, name))
            printf ("%-24s %-10s %-9s %s\n", name, "missing", "-",
                    "enabled in the configuration, and not installed");
    }
    return 0;
}

static const char *const kind_words[] = {"?",      "lookup", "restriction", "transport",
                                         "filter", "sasl",   "event"};
static const char *const type_words[] = {"?",    "text", "yes|no", "number",
                                         "time", "size", ""};

static void
print_param (const HkParam *p)
{
    printf ("    %s = %s\n", p->name,
            p->flags & HK_PARAM_SECRET ? "(secret)"
            : p->preset != NULL        ? p->preset
                                       : "");
    printf ("        %s (%s", p->help != NULL ? p->help : "",
            p->type == HK_PARAM_ENUM ? p->choices : type_words[p->type]);
    if (p->min != 0 || p->max != 0)
        printf (", %lld to %lld", (long long) p->min, (long long) p->max);
    printf (")\n");
}

static void
print_plugin (const HkPlugin *plugin, const char *path)
{
    printf ("%s %s: %s\n", plugin->name, plugin->version, plugin->summary);
    printf ("  file: %s\n  licence: %s\n  ABI: %u.%u (this host: %d.%d)\n", path,
            plugin->licence, plugin->abi_major, plugin->abi_minor, HK_ABI_MAJOR,
            HK_ABI_MINOR);
    for (const HkClass *const *c = plugin->classes; *c != NULL; c++) {
        printf ("  %s %s%s%s\n", kind_words[(*c)->kind], (*c)->name,
                (*c)->flags & HK_THREAD_SAFE ? ", thread-safe" : "",
                (*c)->flags & HK_MAY_BLOCK ? ", may block" : "");
        for (const HkParam *p = (*c)->params; p != NULL && p->name != NULL; p++)
            print_param (p);
    }
}

static int
info (Tool *tool, const char *raw_name)
{
    g_autofree char *name = canonical_name (raw_name);
    g_autoptr (GError) error = NULL;
    const char *path = NULL;
    const HkPlugin *plugin = load (tool, name, &path, &error);
    if (plugin == NULL)
        return fail ("%s", error->message);
    print_plugin (plugin, path);
    printf ("  state: %s\n",
            hk_plugins_is_enabled (tool->settings, name) ? "enabled" : "available");
    return 0;
}

/* ---- check: in a process of its own, so that a module that crashes is only reported ----
 */

static int
check_here (const char *directory, const char *name)
{
    HkPlugins *plugins = hk_plugins_new (directory, NULL, NULL);
    Tool tool = {.plugins = plugins};
    g_autoptr (GError) error = NULL;
    const char *path = NULL;
    const HkPlugin *plugin = load (&tool, name, &path, &error);
    if (plugin == NULL)
        return fail ("%s", error->message);
    print_plugin (plugin, path);
    printf ("  good: this host can load it\n");
    return 0;
}

static int
check (Tool *tool, const char *what)
{
    g_autofree char *directory =
        g_strdup (hk_settings_get (tool->settings, "plugin_directory"));
    g_autofree char *name = canonical_name (what);
    if (strchr (what, '/') != NULL || g_str_has_suffix (what, ".so")) {
        g_autofree char *path = g_canonicalize_filename (what, NULL);
        g_free (name);
        g_free (directory);
        directory = g_path_get_dirname (path);
        name = g_path_get_basename (path);
        if (g_str_has_suffix (name, ".so"))
            name[strlen (name) - 3] = '\0';
    }
    fflush (stdout);
    pid_t child = fork ();
    if (child == 0) {
        int status = check_here (directory, name);
        fflush (stdout);
        _exit (status);
    }
    int status = 0;
    if (child < 0 || waitpid (child, &status, 0) != child)
        return fail ("cannot start a process: %s", g_strerror (errno));
    if (WIFSIGNALED (status))
        return fail ("plugin %s in %s: loading it ends the process: %s", name, directory,
                     g_strsignal (WTERMSIG (status)));
    return WEXITSTATUS (status);
}

/* ---- enable and disable ---- */

static char *
conf_path (const Tool *tool, const char *file)
{
    return g_build_filename (tool->dir, "conf.d", file, NULL);
}

/* Read DISABLED_FILE, with "!NAME" in it or not; write it back when that changes it. */
static bool
set_disabled (const Tool *tool, const char *name, bool is_disabled)
{
    g_autofree char *path = conf_path (tool, DISABLED_FILE), *old = NULL;
    g_autofree char *dir = conf_path (tool, NULL);
    g_autofree char *line = g_strdup_printf ("plugin = !%s\n", name);
    g_autoptr (GError) error = NULL;
    g_autoptr (GString) text = g_string_new (NULL);
    if (!g_file_get_contents (path, &old, NULL, NULL))
        old = g_strdup ("# Written by `hikyaku plugin disable`.\n");
    g_string_assign (text, old);
    g_string_replace (text, line, "", 0);
    if (is_disabled)
        g_string_append (text, line);
    if (strcmp (text->str, old) == 0)
        return true;
    g_mkdir_with_parents (dir, 0755);
    if (g_file_set_contents_full (
            path, text->str, (gssize) text->len,
            G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0644, &error))
        return true;
    fail ("%s", error->message);
    return false;
}

/* As it is in the files now. */
static bool
is_enabled_now (const Tool *tool, const char *name)
{
    g_autoptr (HkSettings) now = hk_settings_load (tool->dir, NULL);
    return now != NULL && hk_plugins_is_enabled (now, name);
}

/* "# depends: NAME …" and "# conflicts: NAME …" of a snippet. */
static char **
snippet_header (const char *name, const char *word)
{
    g_autofree char *path = g_strdup_printf ("%s/%s.conf", HK_SNIPPET_DIR, name);
    g_autofree char *text = NULL;
    if (!g_file_get_contents (path, &text, NULL, NULL))
        return g_new0 (char *, 1);
    g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
    g_autofree char *prefix = g_strdup_printf ("# %s:", word);
    for (char **l = lines; *l != NULL; l++)
        if (g_str_has_prefix (*l, prefix))
            return g_strsplit_set (g_strstrip (*l + strlen (prefix)), ", \t", -1);
    return g_new0 (char *, 1);
}

static bool
link_snippet (const Tool *tool, const char *name)
{
    g_autofree char *file = g_strconcat (name, ".conf", NULL);
    g_autofree char *from = g_build_filename (HK_SNIPPET_DIR, file, NULL);
    g_autofree char *to = conf_path (tool, file);
    g_autofree char *dir = conf_path (tool, NULL);
    if (g_mkdir_with_parents (dir, 0755) < 0) {
        fail ("create %s: %s", dir, g_strerror (errno));
        return false;
    }
    if (g_file_test (from, G_FILE_TEST_EXISTS)) {
        if (symlink (from, to) == 0 || errno == EEXIST)
            return true;
        fail ("link %s: %s", to, g_strerror (errno));
        return false;
    }
    g_autofree char *text =
        g_strdup_printf ("plugin = %s\n", name); /* it came without one */
    g_autoptr (GError) error = NULL;
    if (g_file_set_contents (to, text, -1, &error))
        return true;
    fail ("%s", error->message);
    return false;
}

static int enable (Tool *tool, const char *raw_name, int depth);

static int
enable_others (Tool *tool, const char *name, int depth)
{
    g_auto (GStrv) depends = snippet_header (name, "depends");
    g_auto (GStrv) conflicts = snippet_header (name, "conflicts");
    for (char **c = conflicts; *c != NULL; c++)
        if (**c != '\0' && is_enabled_now (tool, *c))
            return fail (
                "%s conflicts with %s, which is enabled (try: hikyaku plugin disable "
                "%s)",
                name, *c, *c);
    for (char **d = depends; *d != NULL; d++)
        if (**d != '\0' && depth < 8 && enable (tool, *d, depth + 1) != 0)
            return 1;
    return 0;
}

static int
enable (Tool *tool, const char *raw_name, int depth)
{
    g_autofree char *name = canonical_name (raw_name);
    g_autoptr (GError) error = NULL;
    if (!hk_plugins_load (tool->plugins, name, &error))
        return fail ("%s", error->message);
    if (enable_others (tool, name, depth) != 0 || !set_disabled (tool, name, false))
        return 1;
    /* Also when there is no `plugin` line at all: a first one would turn off all the
     * others. */
    if (is_enabled_now (tool, name))
        return 0;
    if (!link_snippet (tool, name))
        return 1;
    if (!is_enabled_now (tool, name))
        return fail (
            "%s: the snippet in conf.d does not enable it: it has no \"plugin = %s\"", name,
            name);
    printf ("%s enabled; takes effect with: hikyaku reload\n", name);
    return 0;
}

static int
disable (Tool *tool, const char *raw_name)
{
    g_autofree char *name = canonical_name (raw_name);
    g_autofree char *file = g_strconcat (name, ".conf", NULL);
    g_autofree char *link = conf_path (tool, file);
    if (!is_enabled_now (tool, name))
        return 0;
    if (g_file_test (link, G_FILE_TEST_IS_SYMLINK) && g_unlink (link) < 0)
        return fail ("remove %s: %s", link, g_strerror (errno));
    if (is_enabled_now (tool, name) && !set_disabled (tool, name, true))
        return 1;
    if (is_enabled_now (tool, name))
        return fail ("%s: another file in conf.d or main.cf, read after " DISABLED_FILE
                     ", enables it",
                     name);
    printf ("%s disabled; takes effect with: hikyaku reload\n", name);
    return 0;
}

/* ---- new: a plugin's source tree from the template ---- */

static char *
fill_in (const char *text, const char *class_word, const char *name)
{
    g_autoptr (GString) out = g_string_new (text);
    g_autofree char *full = g_strdup_printf ("%s_%s", class_word, name);
    g_autofree char *template_full = g_strdup_printf ("%s_example", class_word);
    g_string_replace (out, template_full, full, 0);
    g_string_replace (out, "example", name, 0);
    return g_string_free (g_steal_pointer (&out), FALSE);
}

static int
copy_file (const char *from, const char *to, const char *class_word, const char *name)
{
    g_autofree char *text = NULL;
    g_autoptr (GError) error = NULL;
    if (!g_file_get_contents (from, &text, NULL, &error))
        return fail ("%s", error->message);
    g_autofree char *filled = fill_in (text, class_word, name);
    if (!g_file_set_contents (to, filled, -1, &error))
        return fail ("%s", error->message);
    return 0;
}

static int
new_plugin (const char *class_word, const char *name)
{
    g_autofree char *from = g_build_filename (HK_TEMPLATE_DIR, class_word, NULL);
    g_autofree char *to = g_strdup_printf ("%s_%s", class_word, name);
    g_autoptr (GError) error = NULL;
    if (*name == '\0' ||
        strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen (name))
        return fail ("\"%s\": a name is made of [a-z0-9_]", name);
    g_autoptr (GDir) dir = g_dir_open (from, 0, &error);
    if (dir == NULL)
        return fail ("no template for %s: %s", class_word, error->message);
    if (g_mkdir (to, 0755) < 0)
        return fail ("create %s: %s", to, g_strerror (errno));
    for (const char *file; (file = g_dir_read_name (dir)) != NULL;) {
        g_autofree char *source = g_build_filename (from, file, NULL);
        g_autofree char *filled = fill_in (file, class_word, name);
        g_autofree char *target = g_build_filename (to, filled, NULL);
        if (copy_file (source, target, class_word, name) != 0)
            return 1;
    }
    printf ("%s made; build it there with: make\n", to);
    return 0;
}

/* ---- the verb ---- */

static int
run (Tool *tool, int n, char **words)
{
    const char *verb = words[0];
    int status = 0;
    if (strcmp (verb, "list") == 0 && n == 1)
        return list (tool);
    if (strcmp (verb, "info") == 0 && n == 2)
        return info (tool, words[1]);
    if (strcmp (verb, "check") == 0 && n == 2)
        return check (tool, words[1]);
    bool is_enable = strcmp (verb, "enable") == 0;
    if ((!is_enable && strcmp (verb, "disable") != 0) || n < 2) {
        fputs (usage_text, stderr);
        return EX_USAGE;
    }
    for (int i = 1; i < n && status == 0; i++)
        status = is_enable ? enable (tool, words[i], 0) : disable (tool, words[i]);
    return status;
}

int
hk_cli_plugin (int argc, char **argv)
{
    const char *config_dir = NULL;
    Tool tool = {0};
    int c;
    optind = 1;
    while ((c = getopt (argc, argv, "+c:v")) != -1) {
        if (c == 'c')
            config_dir = optarg;
        else if (c != 'v')
            return EX_USAGE;
    }
    argc -= optind;
    argv += optind;
    if (argc == 3 && strcmp (argv[0], "new") == 0)
        return new_plugin (argv[1], argv[2]);
    if (argc < 1) {
        fputs (usage_text, stderr);
        return EX_USAGE;
    }
    int status = tool_open (&tool, config_dir) ? run (&tool, argc, argv) : 1;
    tool_close (&tool);
    return status;
}
