/* check.c: `hikyaku check`: is the configuration whole?  Says what is wrong, unknown or
 * without effect, with file, line and name, and opens every table that a file names. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/check.h"
#include "cli/cli.h"
#include "host/maps.h"

typedef struct {
    HkSettings *set;
    HkPlugins *plugins;
    unsigned n_errors, n_warnings;
    bool verbose;
} Check;

static void
report (int level, const char *text, void *data)
{
    Check *self = data;
    self->n_errors += level >= HK_LOG_ERROR;
    self->n_warnings += level == HK_LOG_WARNING;
    if (level >= HK_LOG_WARNING || self->verbose)
        fprintf (stderr, "hikyaku check: %s%s\n",
                 level >= HK_LOG_ERROR     ? "error: "
                 : level == HK_LOG_WARNING ? "warning: "
                                           : "",
                 text);
}

static void say (Check *self, int level, const char *format, ...) G_GNUC_PRINTF (3, 4);

static void
say (Check *self, int level, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    g_autofree char *text = g_strdup_vprintf (format, args);
    va_end (args);
    report (level, text, self);
}

/* ---- tables ---------------------------------------------------------------------- */

static void
say_of_table (Check *self, HkSettings *view, const char *name, const char *text)
{
    const char *file;
    unsigned line;
    if (!hk_settings_origin (view, name, &file, &line))
        return;
    bool is_named = strstr (text, name) != NULL;
    say (self, HK_LOG_ERROR, "%s: line %u: %s%s%s", file, line, is_named ? "" : name,
         is_named ? "" : ": ", text);
}

/* Only what a file asks for: a default table that is not there is no mistake of the
 * admin's. A table may open and tell only when it is asked that it cannot answer. */
static void
check_tables_of (Check *self, HkSettings *view, const HkConfSpec *spec)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *reason = NULL;
    if (spec->type != HK_CONF_MAPS || hk_settings_raw (view, spec->name) == NULL)
        return;
    g_autoptr (HkMaps) maps = hk_maps_open (self->plugins, view, spec->name,
                                            hk_settings_get (view, spec->name), &error);
    if (maps == NULL) {
        say_of_table (self, view, spec->name, error->message);
        return;
    }
    HkAnswer answer = hk_maps_get (maps, HK_SPAN ("hikyaku-check.invalid"), NULL, &reason);
    if (answer == HK_LATER || answer == HK_BROKEN)
        say_of_table (self, view, spec->name, reason == NULL ? "gives no answer" : reason);
}

static void
check_tables (const HkConfSpec *spec, void *data)
{
    Check *self = data;
    check_tables_of (self, self->set, spec);
}

typedef struct {
    Check *check;
    HkBuildCheck *builds;
    HkSettings *view;
} OptionCheck;

/* Behind the tables that were opened: what is to be built. */
static void
check_builds (const char *name, const char *raw, void *data)
{
    OptionCheck *option = data;
    (void) raw;
    hk_check_builds_of (option->builds, option->view, name);
}

static void
check_option (const char *name, const char *raw, void *data)
{
    OptionCheck *option = data;
    const HkConfSpec *spec = hk_conf_spec (name);
    (void) raw;
    if (spec != NULL)
        check_tables_of (option->check, option->view, spec);
}

/* ---- services -------------------------------------------------------------------- */

/* Programs of master.cf whose work is done here without a plugin of their name. */
static const char *const built_in[] = {
    "anvil",  "bounce",   "cleanup",  "dnsblog",  "error",           "flush",  "oqmgr",
    "pickup", "postlogd", "postscreen", "proxymap", "qmgr", "qmqpd", "retry", "scache",
    "showq",  "smtpd",    "spawn",      "tlsmgr",   "tlsproxy", "trivial-rewrite", "verify",
    NULL};

static void
check_command (Check *self, const HkService *service)
{
    if (g_strv_contains (built_in, service->command) ||
        hk_plugins_class (self->plugins, HK_KIND_TRANSPORT, service->command) != NULL)
        return;
    say (self, HK_LOG_WARNING,
         "%s: line %u: service \"%s\": there is no program or transport plugin \"%s\": "
         "the line has no effect",
         service->file, service->line, service->name, service->command);
}

static void
check_services (Check *self)
{
    size_t n = hk_settings_n_services (self->set);
    if (n == 0)
        say (self, HK_LOG_ERROR, "master.cf: no services");
    for (size_t i = 0; i < n; i++) {
        g_autoptr (HkSettings) view = hk_settings_view (self->set, i);
        OptionCheck option = {self, NULL, view};
        const HkService *service = hk_settings_service (self->set, i);
        check_command (self, service);
        if (strcmp (service->command, "smtpd") == 0)
            hk_check_access (self->plugins, view, service, report, self);
        hk_settings_foreach_option (self->set, i, check_option, &option);
    }
    hk_plugins_set_settings (self->plugins, self->set);
}

static void
check_all_builds (Check *self)
{
    g_autoptr (GHashTable) seen =
        g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    HkBuildCheck builds = {self->plugins, seen, report, self};
    OptionCheck option = {self, &builds, self->set};
    hk_settings_foreach_set (self->set, check_builds, &option);
    for (size_t i = 0; i < hk_settings_n_services (self->set); i++) {
        g_autoptr (HkSettings) view = hk_settings_view (self->set, i);
        option.view = view;
        hk_settings_foreach_option (self->set, i, check_builds, &option);
    }
}

/* ---- directories ----------------------------------------------------------------- */

static void
check_directory (Check *self, const char *name)
{
    const char *path = hk_settings_get (self->set, name), *file = NULL;
    unsigned line = 0;
    struct stat st;
    hk_settings_origin (self->set, name, &file, &line);
    g_autofree char *where =
        file == NULL ? g_strdup ("") : g_strdup_printf ("%s: line %u: ", file, line);
    if (!g_path_is_absolute (path))
        say (self, HK_LOG_ERROR, "%s%s: \"%s\" is not an absolute path", where, name, path);
    else if (stat (path, &st) != 0)
        say (self, HK_LOG_WARNING, "%s%s: %s: %s", where, name, path, g_strerror (errno));
    else if (!S_ISDIR (st.st_mode))
        say (self, HK_LOG_ERROR, "%s%s: %s is not a directory", where, name, path);
    else if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
        say (self, HK_LOG_ERROR, "%s%s: everybody may write %s", where, name, path);
}

/* ---- all of it ------------------------------------------------------------------- */

static int
result (const Check *self)
{
    if (self->n_errors + self->n_warnings == 0)
        return 0;
    fprintf (stderr, "hikyaku check: %u errors, %u warnings\n", self->n_errors,
             self->n_warnings);
    return self->n_errors > 0 ? 1 : 0;
}

/* Plugins first: their parameters are then known when the files are read. */
static bool
load (Check *self, const char *dir, GError **error)
{
    g_autoptr (HkSettings) first = hk_settings_load (dir, error);
    if (first == NULL)
        return false;
    self->plugins =
        hk_plugins_new (hk_settings_get (first, "plugin_directory"), NULL, NULL);
    if (!hk_plugins_load_enabled (self->plugins, first))
        self->n_errors++;
    self->set = hk_settings_load (dir, error);
    if (self->set != NULL)
        hk_plugins_set_settings (self->plugins, self->set);
    return self->set != NULL;
}

static void
check_all (Check *self)
{
    hk_settings_check (self->set, report, self);
    check_directory (self, "queue_directory");
    check_directory (self, "data_directory");
    check_services (self);
    hk_check_lines (self->plugins, self->set, report, self);
    hk_conf_foreach_spec (check_tables, self);
    check_all_builds (self);
}

int
hk_cli_check (int argc, char **argv)
{
    Check self = {0};
    g_autoptr (GError) error = NULL;
    const char *dir = NULL;
    int c;
    optind = 0; /* a full reset: no scan of an earlier command line goes on */
    while ((c = getopt (argc, argv, "+c:v")) != -1) {
        if (c == 'c') {
            dir = optarg;
        } else if (c == 'v') {
            self.verbose = true;
        } else {
            fprintf (stderr, "usage: hikyaku check [-c config_dir] [-v]\n");
            return 1;
        }
    }
    if (load (&self, hk_cli_config_dir (dir), &error))
        check_all (&self);
    else
        report (HK_LOG_ERROR, error->message, &self);
    if (self.plugins != NULL)
        hk_plugins_free (self.plugins);
    hk_settings_unref (self.set);
    return result (&self);
}
