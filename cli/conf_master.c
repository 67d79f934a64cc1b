/* conf_master.c: `hikyaku conf -M`, `-F` and `-P`: what stands in master.cf. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli/conf.h"

static const char *const field_names[] = {"service",       "type",   "private",
                                          "unprivileged",  "chroot", "wakeup",
                                          "process_limit", "command"};
enum { FIELD_COMMAND = 7 };

static const char *
type_name (const HkService *service)
{
    static const char *const names[] = {[HK_SERVICE_INET] = "inet",
                                        [HK_SERVICE_UNIX] = "unix",
                                        [HK_SERVICE_FIFO] = "fifo",
                                        [HK_SERVICE_PASS] = "pass",
                                        [HK_SERVICE_UNIX_DGRAM] = "unix-dgram"};
    return names[service->type];
}

/* ---- the command with its arguments ---------------------------------------------- */

/* A word with blanks needs its braces back. */
static void
append_word (GString *out, const char *word)
{
    const char *braces = strpbrk (word, " \t") != NULL ? "{}" : "";
    g_string_append_printf (out, "%.1s%s%s", braces, word, braces[0] != '\0' ? "}" : "");
}

/* The value of "name = value": as written, or with -x expanded. */
static char *
option_value (const HkConfTool *self, HkSettings *view, const char *raw)
{
    char *expanded = self->expand ? hk_settings_expand (view, raw, NULL) : NULL;
    return expanded != NULL ? expanded : g_strdup (raw);
}

/* TEXT, the argument of -o, as "name=value". */
static void
append_option (const HkConfTool *self, HkSettings *view, GString *out, const char *text)
{
    const char *equal = strchr (text, '=');
    g_autofree char *name = g_strstrip (g_strndup (text, strcspn (text, "=")));
    if (equal == NULL || name[0] == '\0' || strpbrk (name, " \t") != NULL) {
        append_word (out, text);
        return;
    }
    g_autofree char *raw = g_strstrip (g_strdup (equal + 1));
    g_autofree char *value = option_value (self, view, raw);
    g_autofree char *whole = g_strconcat (name, "=", value, NULL);
    append_word (out, whole);
}

/* Words to print, each with what belongs on one line with it: "-o name=value" is one. */
static char **
command_parts (const HkConfTool *self, size_t i)
{
    const char *const *words = hk_settings_service_words (self->set, i);
    g_autoptr (HkSettings) view = hk_settings_view (self->set, i);
    GPtrArray *parts = g_ptr_array_new ();
    bool has_switches = true;
    for (words += FIELD_COMMAND; *words != NULL; words++) {
        GString *part = g_string_new (NULL);
        bool is_first = parts->len == 0;
        has_switches = has_switches && (is_first || words[0][0] == '-');
        if (has_switches && !is_first && g_str_has_prefix (*words, "-o") &&
            (words[0][2] != '\0' || words[1] != NULL)) {
            const char *text = words[0][2] != '\0' ? *words + 2 : *++words;
            g_string_append (part, "-o ");
            append_option (self, view, part, text);
        } else {
            append_word (part, *words);
        }
        g_ptr_array_add (parts, g_string_free (part, FALSE));
    }
    g_ptr_array_add (parts, NULL);
    return (char **) g_ptr_array_free (parts, FALSE);
}

/* -f: options have a line each, other words fill lines. */
static void
print_parts (const HkConfTool *self, char **parts, size_t column)
{
    bool was_option = false;
    for (size_t i = 0; parts[i] != NULL; i++) {
        size_t n = strlen (parts[i]);
        bool is_option = g_str_has_prefix (parts[i], "-o ");
        bool breaks =
            self->fold && i > 0 && (is_option || was_option || column + 1 + n >= 80);
        if (breaks) {
            fputs ("\n    ", stdout);
            column = 4;
        } else if (i > 0) {
            putchar (' ');
            column++;
        }
        fputs (parts[i], stdout);
        column += n;
        was_option = is_option;
    }
    putchar ('\n');
}

static void
print_service (const HkConfTool *self, size_t i)
{
    static const size_t starts[] = {0, 11, 17, 25, 33, 41, 49, 57};
    const char *const *words = hk_settings_service_words (self->set, i);
    g_auto (GStrv) parts = command_parts (self, i);
    size_t column = 0;
    for (size_t k = 0; k < FIELD_COMMAND; k++) {
        column += (size_t) printf ("%s", words[k]);
        size_t pad = column < starts[k + 1] ? starts[k + 1] - column : 1;
        column += (size_t) printf ("%*s", (int) pad, "");
    }
    print_parts (self, parts, column);
}

/* ---- which services -------------------------------------------------------------- */

static bool
matches (const char *pattern, const char *text)
{
    return pattern == NULL || strcmp (pattern, "*") == 0 || strcmp (pattern, text) == 0;
}

/* PATTERN: "service/type/rest"; parts that are left out match all.  A service's name may
 * hold no slash but an address or path may: the type's place is looked for from its name.
 */
static bool
matches_service (const HkService *service, const char *pattern, const char **out_rest)
{
    g_auto (GStrv) parts = g_strsplit (pattern, "/", 3);
    *out_rest = NULL;
    if (!matches (parts[0], service->name) ||
        (parts[1] != NULL && !matches (parts[1], type_name (service))))
        return false;
    if (parts[1] != NULL && parts[2] != NULL)
        *out_rest = pattern + strlen (parts[0]) + strlen (parts[1]) + 2;
    return true;
}

typedef bool (*ShowFn) (const HkConfTool *self, size_t i, const char *rest);

static bool
show_matching (const HkConfTool *self, const char *pattern, ShowFn show)
{
    bool found = false;
    for (size_t i = 0; i < hk_settings_n_services (self->set); i++) {
        const char *rest;
        if (matches_service (hk_settings_service (self->set, i), pattern, &rest))
            found = show (self, i, rest) || found;
    }
    return found;
}

static int
show_patterns (const HkConfTool *self, char **patterns, ShowFn show)
{
    if (patterns[0] == NULL)
        show_matching (self, "*", show);
    for (size_t i = 0; patterns[i] != NULL; i++)
        if (!show_matching (self, patterns[i], show))
            hk_conf_tool_warn (self, "unmatched request: \"%s\"", patterns[i]);
    return 0;
}

/* ---- the three shapes ------------------------------------------------------------ */

static bool
show_service (const HkConfTool *self, size_t i, const char *rest)
{
    (void) rest;
    print_service (self, i);
    return true;
}

static void
print_label (const HkConfTool *self, const HkService *service, const char *name)
{
    if (!self->hide_name)
        printf ("%s/%s/%s%s", service->name, type_name (service), name,
                self->hide_value ? "" : " =");
}

static bool
show_fields (const HkConfTool *self, size_t i, const char *rest)
{
    const HkService *service = hk_settings_service (self->set, i);
    const char *const *words = hk_settings_service_words (self->set, i);
    bool found = false;
    for (size_t k = 0; k < G_N_ELEMENTS (field_names); k++) {
        if (!matches (rest, field_names[k]))
            continue;
        found = true;
        print_label (self, service, field_names[k]);
        if (self->hide_value) {
            putchar ('\n');
        } else if (k < FIELD_COMMAND) {
            printf ("%s%s\n", self->hide_name ? "" : " ", words[k]);
        } else {
            fputs (self->hide_name ? "" : " ", stdout);
            g_auto (GStrv) parts = command_parts (self, i);
            print_parts (self, parts, 0);
        }
    }
    return found;
}

typedef struct {
    const char *name, *raw;
} Option;

static void
add_option (const char *name, const char *raw, void *data)
{
    Option option = {name, raw};
    GArray *all = data;
    for (guint i = 0; i < all->len; i++) {
        Option *old = &g_array_index (all, Option, i);
        if (strcmp (old->name, name) == 0) {
            old->raw = raw;
            return;
        }
    }
    g_array_append_val (all, option);
}

static int
compare_options (const void *a, const void *b)
{
    return strcmp (((const Option *) a)->name, ((const Option *) b)->name);
}

static bool
show_options (const HkConfTool *self, size_t i, const char *rest)
{
    const HkService *service = hk_settings_service (self->set, i);
    g_autoptr (HkSettings) view = hk_settings_view (self->set, i);
    g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (Option));
    bool found = rest == NULL;
    hk_settings_foreach_option (self->set, i, add_option, all);
    g_array_sort (all, compare_options);
    for (guint k = 0; k < all->len; k++) {
        const Option *option = &g_array_index (all, Option, k);
        if (!matches (rest, option->name))
            continue;
        found = true;
        g_autofree char *value = option_value (self, view, option->raw);
        print_label (self, service, option->name);
        if (!self->hide_value) {
            fputs (self->hide_name || value[0] == '\0' ? "" : " ", stdout);
            hk_conf_tool_print_words (self, 0, value);
        }
        putchar ('\n');
    }
    return found;
}

int
hk_conf_tool_show_services (HkConfTool *self, char **patterns)
{
    return show_patterns (self, patterns, show_service);
}

int
hk_conf_tool_show_fields (HkConfTool *self, char **patterns)
{
    return show_patterns (self, patterns, show_fields);
}

int
hk_conf_tool_show_options (HkConfTool *self, char **patterns)
{
    return show_patterns (self, patterns, show_options);
}
