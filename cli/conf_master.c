/* conf_master.c: `hikyaku conf -M`, `-F` and `-P`: what stands in master.cf. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli/conf.h"

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

/* The value of "name = value": as written, or with -x expanded. */
static char *
option_value (const HkConfTool *self, HkSettings *view, const char *raw)
{
    char *expanded =
        self->modes & CONF_EXPAND ? hk_settings_expand (view, raw, NULL) : NULL;
    return expanded != NULL ? expanded : g_strdup (raw);
}

/* The option text "name = value" with its value expanded; NULL: TEXT is none. */
static char *
expand_text (const HkConfTool *self, HkSettings *view, const char *text)
{
    g_autofree char *copy = g_strdup (text);
    char *name, *raw;
    if (hk_conf_tool_split (copy, &name, &raw) != NULL)
        return NULL;
    g_autofree char *value = option_value (self, view, raw);
    return g_strconcat (name, "=", value, NULL);
}

/* Columns and arguments, with -x the values of -o expanded; g_strfreev. */
static char **
service_words (const HkConfTool *self, size_t i)
{
    char **words = g_strdupv ((char **) hk_settings_service_words (self->set, i));
    g_autoptr (HkSettings) view = hk_settings_view (self->set, i);
    if (!(self->modes & CONF_EXPAND))
        return words;
    for (size_t k = HK_N_FIELDS; words[k] != NULL && words[k][0] == '-'; k++) {
        if (!g_str_has_prefix (words[k], "-o"))
            continue;
        const char *front = words[k][2] != '\0' ? "-o" : "";
        if (front[0] == '\0' && words[++k] == NULL)
            break;
        g_autofree char *text = expand_text (self, view, words[k] + strlen (front));
        if (text == NULL)
            continue;
        g_free (words[k]);
        words[k] = g_strconcat (front, text, NULL);
    }
    return words;
}

static void
print_service (const HkConfTool *self, size_t i)
{
    g_auto (GStrv) words = service_words (self, i);
    g_autoptr (GString) line = g_string_new (NULL);
    hk_conf_format_service (line, (const char *const *) words,
                            (self->modes & CONF_FOLD) != 0);
    puts (line->str);
}

static void
print_command (const HkConfTool *self, size_t i, size_t column)
{
    g_auto (GStrv) words = service_words (self, i);
    g_autoptr (GString) line = g_string_new (NULL);
    hk_conf_format_command (line, (const char *const *) words + HK_FIELD_COMMAND, column,
                            (self->modes & CONF_FOLD) != 0);
    puts (line->str);
}

/* ---- which services -------------------------------------------------------------- */

static bool
matches (const char *pattern, const char *text)
{
    return pattern == NULL || strcmp (pattern, "*") == 0 || strcmp (pattern, text) == 0;
}

/* "service/type/rest"; parts that are left out match all. */
static bool
matches_service (const HkService *service, char **parts, const char **out_rest)
{
    *out_rest = parts[1] == NULL ? NULL : parts[2];
    return matches (parts[0], service->name) &&
           (parts[1] == NULL || matches (parts[1], type_name (service)));
}

typedef bool (*ShowFn) (const HkConfTool *self, size_t i, const char *rest);
static bool show_fields (const HkConfTool *self, size_t i, const char *rest);

static bool
is_field (const char *name)
{
    for (size_t i = 0; i < HK_N_FIELDS; i++)
        if (matches (name, hk_service_fields[i]))
            return true;
    return false;
}

static bool
show_matching (const HkConfTool *self, char **parts, ShowFn show)
{
    bool found = false;
    for (size_t i = 0; i < hk_settings_n_services (self->set); i++) {
        const char *rest;
        if (matches_service (hk_settings_service (self->set, i), parts, &rest))
            found = show (self, i, rest) || found;
    }
    return found;
}

/* LIMIT parts at most; SHAPE says which. */
static int
show_pattern (const HkConfTool *self, const char *pattern, ShowFn show, guint limit,
              const char *shape)
{
    g_auto (GStrv) parts = g_strsplit (pattern, "/", -1);
    guint n = g_strv_length (parts);
    bool is_whole = n > 0 && n <= limit;
    for (guint i = 0; i < n; i++)
        is_whole = is_whole && parts[i][0] != '\0';
    if (!is_whole)
        return hk_conf_tool_fail (self, "%s", shape);
    if (n == 3 && show == show_fields && !is_field (parts[2]))
        return hk_conf_tool_fail (self, "invalid service attribute name: \"%s\"",
                                  parts[2]);
    if (!show_matching (self, parts, show))
        hk_conf_tool_warn (self, "unmatched request: \"%s\"", pattern);
    return 0;
}

static int
show_patterns (const HkConfTool *self, char **patterns, ShowFn show, guint limit,
               const char *shape)
{
    char *all[] = {(char *) "*", NULL};
    int status = 0;
    if (patterns[0] == NULL)
        show_matching (self, all, show);
    for (size_t i = 0; patterns[i] != NULL && status == 0; i++)
        status = show_pattern (self, patterns[i], show, limit, shape);
    return status;
}

/* ---- the three shapes ------------------------------------------------------------ */

static bool
show_service (const HkConfTool *self, size_t i, const char *rest)
{
    (void) rest;
    print_service (self, i);
    return true;
}

/* The result is its length. */
static size_t
print_label (const HkConfTool *self, const HkService *service, const char *name)
{
    if (self->modes & CONF_NO_NAME)
        return 0;
    if (self->show_origin)
        printf ("%s/%s:%u: ", self->dir, service->file, service->line);
    return (size_t) printf ("%s/%s/%s%s", service->name, type_name (service), name,
                            self->modes & CONF_NO_VALUE ? "" : " =");
}

/* The blank behind a label of COLUMN bytes. */
static size_t
print_gap (size_t column)
{
    return column == 0 ? 0 : (size_t) printf (" ");
}

static bool
show_fields (const HkConfTool *self, size_t i, const char *rest)
{
    const HkService *service = hk_settings_service (self->set, i);
    const char *const *words = hk_settings_service_words (self->set, i);
    bool found = false;
    for (size_t k = 0; k < HK_N_FIELDS; k++) {
        if (!matches (rest, hk_service_fields[k]))
            continue;
        found = true;
        size_t column = print_label (self, service, hk_service_fields[k]);
        if (self->modes & CONF_NO_VALUE) {
            putchar ('\n');
            continue;
        }
        column += print_gap (column);
        if (k < HK_FIELD_COMMAND)
            puts (words[k]);
        else
            print_command (self, i, column);
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
        size_t column = print_label (self, service, option->name);
        if (!(self->modes & CONF_NO_VALUE))
            hk_conf_tool_print_words (self, column, value);
        putchar ('\n');
    }
    return found;
}

int
hk_conf_tool_show_services (HkConfTool *self, char **patterns)
{
    return show_patterns (self, patterns, show_service, 2,
                          "-M option requires service_name[/type]");
}

int
hk_conf_tool_show_fields (HkConfTool *self, char **patterns)
{
    return show_patterns (self, patterns, show_fields, 3,
                          "-F option requires service_name[/type[/field]]");
}

int
hk_conf_tool_show_options (HkConfTool *self, char **patterns)
{
    return show_patterns (self, patterns, show_options, 3,
                          "-P option requires service_name[/type[/parameter]]");
}
