/* man.c: `hikyaku man-params`: the PARAMETERS part of manual pages, from the tables.
 *
 *   man-params [-f roff|markdown|names] [-p module_dir] [pattern …]
 *
 * Patterns ("smtpd_*", "queue_directory") choose parameters; none: all.  With -p the
 * plugins of that directory are read first, so that theirs are there too. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "host/host.h"

typedef struct {
    void (*print) (const HkConfSpec *spec, const char *preset);
    HkSettings *defaults;
    char **patterns;
} Man;

/* ---- texts ----------------------------------------------------------------------- */

/* What a value looks like: "1 to 100", "yes or no"; g_free it. */
static char *
describe_type (const HkConfSpec *spec)
{
    static const char *const names[] = {
        [HK_CONF_STRING] = "text",         [HK_CONF_RAW] = "text, not expanded",
        [HK_CONF_BOOL] = "yes or no",      [HK_CONF_INT] = "number",
        [HK_CONF_TIME] = "time",           [HK_CONF_SIZE] = "bytes",
        [HK_CONF_ENUM] = "word",           [HK_CONF_LIST] = "list",
        [HK_CONF_MAPS] = "list of tables", [HK_CONF_PATH] = "path"};
    const char *name = names[spec->type];
    if (spec->type == HK_CONF_ENUM && spec->choices != NULL) {
        g_auto (GStrv) words = g_strsplit (spec->choices, "|", -1);
        g_autofree char *list = g_strjoinv (", ", words);
        return g_strdup_printf ("one of %s", list);
    }
    if (spec->max > spec->min && spec->max != INT32_MAX && spec->max != INT64_MAX)
        return g_strdup_printf ("%s, %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, name,
                                spec->min, spec->max);
    if (spec->min > 0)
        return g_strdup_printf ("%s, at least %" G_GINT64_FORMAT, name, spec->min);
    return g_strdup (name);
}

/* Defaults that depend on the machine are not what the page's reader has. */
static const char *
default_text (const HkConfSpec *spec, const char *preset)
{
    if (spec->dynamic != NULL || spec->computed != NULL)
        return "computed";
    return preset[0] == '\0' ? "empty" : preset;
}

/* ---- roff ------------------------------------------------------------------------ */

static void
put_roff (const char *text)
{
    bool is_start = true;
    for (const char *p = text; *p != '\0'; p++) {
        if (is_start && (*p == '.' || *p == '\''))
            fputs ("\\&", stdout);
        if (*p == '\\')
            fputs ("\\e", stdout);
        else if (*p == '-')
            fputs ("\\-", stdout);
        else if (*p == '"')
            fputs ("\\(dq", stdout);
        else
            putchar (*p);
        is_start = false;
    }
}

static void
print_roff (const HkConfSpec *spec, const char *preset)
{
    g_autofree char *type = describe_type (spec);
    fputs (".IP \"\\fB", stdout);
    put_roff (spec->name);
    fputs ("\\fP (default: ", stdout);
    put_roff (default_text (spec, preset));
    fputs (")\"\n", stdout);
    put_roff (spec->help == NULL ? "" : spec->help);
    fputs ("\n(", stdout);
    put_roff (type);
    fputs (")\n", stdout);
}

/* ---- markdown -------------------------------------------------------------------- */

static void
print_markdown (const HkConfSpec *spec, const char *preset)
{
    g_autofree char *type = describe_type (spec);
    const char *text = default_text (spec, preset);
    bool is_word = spec->dynamic != NULL || spec->computed != NULL || preset[0] == '\0';
    printf ("- **`%s`** (default: %s%s%s): %s *(%s)*\n", spec->name, is_word ? "" : "`",
            text, is_word ? "" : "`", spec->help == NULL ? "" : spec->help, type);
}

static void
print_name (const HkConfSpec *spec, const char *preset)
{
    (void) preset;
    puts (spec->name);
}

/* ---- all ------------------------------------------------------------------------- */

static bool
is_chosen (char **patterns, const char *name)
{
    if (patterns[0] == NULL)
        return true;
    for (size_t i = 0; patterns[i] != NULL; i++)
        if (g_pattern_match_simple (patterns[i], name))
            return true;
    return false;
}

static void
print_spec (const HkConfSpec *spec, void *data)
{
    const Man *self = data;
    const char *preset = hk_settings_preset (self->defaults, spec->name);
    if (is_chosen (self->patterns, spec->name))
        self->print (spec, preset == NULL ? "" : preset);
}

static bool
take_format (Man *self, const char *word)
{
    if (strcmp (word, "roff") == 0)
        self->print = print_roff;
    else if (strcmp (word, "markdown") == 0)
        self->print = print_markdown;
    else if (strcmp (word, "names") == 0)
        self->print = print_name;
    else
        return false;
    return true;
}

static int
usage (void)
{
    fprintf (stderr, "usage: hikyaku man-params [-f roff|markdown|names] [-p module_dir] "
                     "[pattern ...]\n");
    return 1;
}

int
hk_cli_man (int argc, char **argv)
{
    Man self = {.print = print_roff};
    HkPlugins *plugins = NULL;
    const char *module_dir = NULL;
    int c;
    optind = 0; /* a full reset: no scan of an earlier command line goes on */
    while ((c = getopt (argc, argv, "+c:f:p:v")) != -1) {
        if (c == 'p')
            module_dir = optarg;
        else if (c == '?' || (c == 'f' && !take_format (&self, optarg)))
            return usage ();
    }
    self.patterns = argv + optind;
    self.defaults = hk_settings_from_text ("", "", NULL);
    bool ok = true;
    if (module_dir != NULL) {
        plugins = hk_plugins_new (module_dir, NULL, NULL);
        ok = hk_plugins_load_enabled (plugins, self.defaults);
    }
    hk_conf_foreach_spec (print_spec, &self);
    if (plugins != NULL)
        hk_plugins_free (plugins);
    hk_settings_unref (self.defaults);
    return ok ? 0 : 1;
}
