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

/* Bits of the switches that choose what is done. */
enum {
    MODE_DEFAULT = 1 << 0,   /* -d */
    MODE_SET = 1 << 1,       /* -n */
    MODE_EDIT = 1 << 2,      /* -e */
    MODE_EXCLUDE = 1 << 3,   /* -X */
    MODE_COMMENT = 1 << 4,   /* -# */
    MODE_MASTER = 1 << 5,    /* -M */
    MODE_FIELDS = 1 << 6,    /* -F */
    MODE_OPTIONS = 1 << 7,   /* -P */
    MODE_MAPS = 1 << 8,      /* -m */
    MODE_LOCKS = 1 << 9,     /* -l */
    MODE_SASL_IN = 1 << 10,  /* -a */
    MODE_SASL_OUT = 1 << 11, /* -A */
    MODE_NO_NAME = 1 << 12,  /* -h */
    MODE_NO_VALUE = 1 << 13, /* -H */
    MODE_EXPAND = 1 << 14,   /* -x */
    MODE_FOLD = 1 << 15,     /* -f */
    MODE_OVERRIDE = 1 << 16, /* -o */
    MODE_MAIN = 1 << 17      /* -p */
};

static const char switches[] = "dneX#MFPmlaAhHxfop";
static const int switch_bits[] = {
    MODE_DEFAULT, MODE_SET,      MODE_EDIT,   MODE_EXCLUDE, MODE_COMMENT,  MODE_MASTER,
    MODE_FIELDS,  MODE_OPTIONS,  MODE_MAPS,   MODE_LOCKS,   MODE_SASL_IN,  MODE_SASL_OUT,
    MODE_NO_NAME, MODE_NO_VALUE, MODE_EXPAND, MODE_FOLD,    MODE_OVERRIDE, MODE_MAIN};

/* What shuts each other out; the first two found are named. */
static const int incompatible[] = {
    MODE_DEFAULT | MODE_EDIT | MODE_SET | MODE_MASTER | MODE_OPTIONS | MODE_FIELDS |
        MODE_LOCKS | MODE_MAPS | MODE_SASL_IN | MODE_SASL_OUT | MODE_EXCLUDE | MODE_COMMENT,
    MODE_DEFAULT | MODE_OVERRIDE,
    MODE_NO_NAME | MODE_NO_VALUE,
    MODE_EDIT | MODE_NO_NAME | MODE_EXCLUDE | MODE_COMMENT,
    MODE_EDIT | MODE_NO_VALUE,
    MODE_EDIT | MODE_EXPAND,
    MODE_EDIT | MODE_OVERRIDE};

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

static int fail (const HkConfTool *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

static int
fail (const HkConfTool *self, const char *format, ...)
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

static bool
are_all_declared (char **names)
{
    for (size_t i = 0; names[i] != NULL; i++)
        if (hk_conf_spec (names[i]) == NULL)
            return false;
    return names[0] != NULL;
}

typedef struct {
    int kind;
    GPtrArray *names;
} ClassList;

static void
add_classes (const HkModuleInfo *module, void *data)
{
    ClassList *list = data;
    for (const HkClass *const *c = module->plugin->classes; *c != NULL; c++)
        if ((*c)->kind == list->kind)
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
    ClassList list = {kind, names};
    HkPlugins *plugins = load_plugins (self->set);
    hk_plugins_foreach (plugins, add_classes, &list);
    g_ptr_array_sort (names, compare_names);
    for (guint i = 0; i < names->len; i++)
        puts (g_ptr_array_index (names, i));
    hk_plugins_free (plugins);
    return 0;
}

/* ---- editing --------------------------------------------------------------------- */

/* TEXT is "name=value", or with IS_NAME a bare name; CHANGE borrows from TEXT, which is
 * cut. */
static const char *
parse_change (char *text, bool is_name, HkConfChange *out)
{
    if (strpbrk (text, "\r\n") != NULL)
        return "-e, -X, or -# accepts no multi-line input";
    g_strstrip (text);
    if (text[0] == '#')
        return "-e, -X, or -# accepts no comment input";
    char *equal = strchr (text, '=');
    if (is_name && equal != NULL)
        return "-X or -# requires names without value";
    if (equal == text || text[0] == '\0')
        return "missing attribute name";
    if (!is_name && equal != NULL) {
        *equal = '\0';
        out->value = g_strstrip (equal + 1);
    }
    g_strchomp (text);
    out->name = text;
    if (strpbrk (text, " \t") != NULL || (!is_name && equal == NULL))
        return "missing '=' after attribute name";
    return NULL;
}

static int
edit (const HkConfTool *self, int modes, char **texts, size_t n)
{
    g_autofree HkConfChange *changes = g_new0 (HkConfChange, MAX (n, 1));
    g_autoptr (GError) error = NULL;
    bool is_name = (modes & (MODE_EXCLUDE | MODE_COMMENT)) != 0;
    if (n == 0)
        return fail (self, is_name ? "missing parameter argument"
                                   : "-e requires name=value argument");
    for (size_t i = 0; i < n; i++) {
        g_autofree char *copy = g_strdup (texts[i]);
        const char *wrong = parse_change (texts[i], is_name, &changes[i]);
        if (wrong != NULL && g_str_has_prefix (wrong, "missing"))
            return fail (self, "%s: \"%s\"", wrong, copy);
        if (wrong != NULL)
            return fail (self, "%s", wrong);
        changes[i].comment_out = (modes & MODE_COMMENT) != 0;
    }
    if (!hk_conf_edit_all (self->dir, "main.cf", changes, n, &error))
        return fail (self, "%s", error->message);
    return 0;
}

/* ---- reading --------------------------------------------------------------------- */

static HkSettings *
read_settings (const HkConfTool *self, GError **error)
{
    if (!self->show_default)
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
    HkConfChange change = {0};
    const char *wrong = parse_change (copy, false, &change);
    if (wrong != NULL) {
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_SYNTAX,
                     "invalid parameter override: %s: %s", text, wrong);
        return false;
    }
    HkSettings *with = hk_settings_with (self->set, change.name, change.value);
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
    if (self->dir_was_given && !self->show_default) {
        HkSettings *with = hk_settings_with (self->set, "config_directory", self->dir);
        hk_settings_unref (self->set);
        self->set = with;
    }
    for (guint i = 0; i < self->overrides->len; i++)
        if (!put_override (self, g_ptr_array_index (self->overrides, i), error))
            return false;
    return true;
}

static void
report_reading (int level, const char *text, void *data)
{
    const HkConfTool *self = data;
    if (level >= HK_LOG_WARNING && strstr (text, ": overrides the earlier entry") != NULL)
        hk_conf_tool_warn (self, "%s/%s", self->dir, text);
}

static int
show_locks (void)
{
    puts ("flock\nfcntl\ndotlock");
    return 0;
}

static int
show_main (HkConfTool *self, char **names)
{
    HkPlugins *plugins = are_all_declared (names) ? NULL : load_plugins (self->set);
    hk_settings_check (self->set, report_reading, self);
    int status = hk_conf_tool_show (self, names);
    if (plugins != NULL && !self->show_default)
        hk_conf_tool_warn_unused (self);
    if (plugins != NULL)
        hk_plugins_free (plugins);
    return status;
}

static int
show (HkConfTool *self, int modes, char **names)
{
    g_autoptr (GError) error = NULL;
    if (!open_settings (self, &error))
        return fail (self, "%s", error->message);
    if (modes & MODE_MAPS)
        return list_classes (self, HK_KIND_LOOKUP);
    if (modes & (MODE_SASL_IN | MODE_SASL_OUT))
        return list_classes (self, HK_KIND_SASL);
    if (modes & MODE_MASTER)
        return hk_conf_tool_show_services (self, names);
    if (modes & MODE_FIELDS)
        return hk_conf_tool_show_fields (self, names);
    if (modes & MODE_OPTIONS)
        return hk_conf_tool_show_options (self, names);
    return show_main (self, names);
}

/* ---- the command line ------------------------------------------------------------------
 */

static int
usage (const HkConfTool *self)
{
    return fail (
        self,
        "usage: %s [-c directory] [-dnhHxf] [-C builtin|service|user|all] "
        "[-o name=value] [name ...], -e name=value ..., -X name ..., -# name ..., "
        "-M|-F|-P [service[/type[/field]] ...], -m (table types), -l (lock methods), "
        "-a|-A (SASL types)",
        self->program);
}

static char
letter_of (int bit)
{
    for (size_t i = 0; i < G_N_ELEMENTS (switch_bits); i++)
        if (switch_bits[i] == bit)
            return switches[i];
    return '?';
}

static int
check_modes (const HkConfTool *self, int modes)
{
    for (size_t i = 0; i < G_N_ELEMENTS (incompatible); i++) {
        int both = modes & incompatible[i], first = both & -both;
        int rest = both & ~first;
        if (rest != 0)
            return fail (self, "specify one of -%c -%c", letter_of (first),
                         letter_of (rest & -rest));
    }
    return 0;
}

static bool
take_class (HkConfTool *self, const char *text)
{
    g_auto (GStrv) words = g_strsplit_set (text, " ,", -1);
    self->class_builtin = self->class_service = self->class_user = false;
    for (size_t i = 0; words[i] != NULL; i++) {
        bool is_all = strcmp (words[i], "all") == 0;
        bool builtin = strcmp (words[i], "builtin") == 0;
        bool service = strcmp (words[i], "service") == 0;
        bool user = strcmp (words[i], "user") == 0;
        if (words[i][0] != '\0' && !is_all && !builtin && !service && !user)
            return false;
        self->class_builtin |= is_all || builtin;
        self->class_service |= is_all || service;
        self->class_user |= is_all || user;
    }
    return true;
}

/* The switches into SELF and *OUT_MODES; not 0: the exit status. */
static int
parse_switches (HkConfTool *self, int argc, char **argv, int *out_modes)
{
    int c;
    optind = 0; /* a full reset: no scan of an earlier command line goes on */
    opterr = 0;
    while ((c = getopt (argc, argv, "+aAbc:C:deEfFhHlmMno:pPtT:vxX#")) != -1) {
        const char *at = strchr (switches, c);
        if (c == 'c') {
            g_free (self->dir);
            self->dir = g_strdup (optarg);
            self->dir_was_given = true;
        } else if (c == 'C') {
            if (!take_class (self, optarg))
                return fail (self, "unknown -C option value \"%s\"", optarg);
        } else if (c == 'b' || c == 't' || c == 'T' || c == 'E') {
            return fail (self, "-%c is not supported", c);
        } else if (c == 'o') {
            g_ptr_array_add (self->overrides, optarg);
            *out_modes |= MODE_OVERRIDE;
        } else if (c != '?' && at != NULL) {
            *out_modes |= switch_bits[at - switches];
        } else if (c != 'v') {
            fprintf (stderr, "%s: invalid option -- '%c'\n", self->program, optopt);
            return usage (self);
        }
    }
    return 0;
}

static void
apply_modes (HkConfTool *self, int modes)
{
    self->show_default = (modes & MODE_DEFAULT) != 0;
    self->show_set = (modes & MODE_SET) != 0;
    self->hide_name = (modes & MODE_NO_NAME) != 0;
    self->hide_value = (modes & MODE_NO_VALUE) != 0;
    self->expand = (modes & MODE_EXPAND) != 0;
    self->fold = (modes & MODE_FOLD) != 0;
}

static int
run (HkConfTool *self, int argc, char **argv)
{
    int modes = 0;
    int status = parse_switches (self, argc, argv, &modes);
    char **rest = argv + optind;
    size_t n = (size_t) (argc - optind);
    int kinds = MODE_DEFAULT | MODE_SET | MODE_NO_NAME | MODE_NO_VALUE | MODE_EXPAND |
                MODE_MAPS | MODE_LOCKS | MODE_SASL_IN | MODE_SASL_OUT | MODE_EXCLUDE |
                MODE_COMMENT;
    /* a value among the arguments means -e */
    if (n > 0 && strchr (rest[0], '=') != NULL && !(modes & kinds))
        modes |= MODE_EDIT;
    if (status == 0)
        status = check_modes (self, modes);
    if (status != 0)
        return status;
    apply_modes (self, modes);
    bool is_change = (modes & (MODE_EDIT | MODE_EXCLUDE | MODE_COMMENT)) != 0;
    if (is_change && (modes & (MODE_MASTER | MODE_FIELDS | MODE_OPTIONS)))
        return fail (self, "changing master.cf is not supported: edit the file");
    if (is_change)
        return edit (self, modes, rest, n);
    return modes & MODE_LOCKS ? show_locks () : show (self, modes, rest);
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
        status = fail (&self, "write output: %s", g_strerror (errno));
    hk_settings_unref (self.set);
    g_ptr_array_unref (self.overrides);
    g_free (self.dir);
    return status;
}
