/* conf_notice.c: `hikyaku conf -b` and `-t`: the texts of notices, in the shape of
 * bounce(5). */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/conf.h"
#include "mail/dsn.h"

static const struct {
    const char *name; /* failure_template, expanded_failure_text */
    HkDsnKind kind;
} kinds[] = {
    {"failure", HK_DSN_FAILURE}, {"delay", HK_DSN_DELAY}, {"success", HK_DSN_SUCCESS}};

enum { N_KINDS = G_N_ELEMENTS (kinds), MAX_FILE = 1 << 20 };

/* ---- ours ------------------------------------------------------------------------ */

/* The part between FROM and TO of TEXT, both left out; NULL: they are not there. */
static char *
cut_out (const char *text, const char *from, const char *to)
{
    const char *start = strstr (text, from);
    const char *end = start == NULL ? NULL : strstr (start + strlen (from), to);
    return end == NULL ? NULL : g_strndup (start + strlen (from),
                                           (gsize) (end - start - strlen (from)));
}

/* The notice about no recipient: what remains is the text that all have. */
static char *
compose (const HkConfTool *self, HkDsnKind kind, bool to_postmaster)
{
    HkDsn dsn = {.kind = kind,
                 .to_postmaster = to_postmaster,
                 .myhostname = self->modes & CONF_TEMPLATES
                                   ? "$myhostname"
                                   : hk_settings_get (self->set, "myhostname"),
                 .mail_name = hk_settings_get (self->set, "mail_name"),
                 .lifetime_s = hk_settings_int (self->set, "maximal_queue_lifetime"),
                 .delay_warning_s = hk_settings_int (self->set, "delay_warning_time"),
                 .size_limit = 1};
    g_autoptr (GString) text = hk_dsn_compose (&dsn);
    g_auto (GStrv) lines = g_strsplit (text->str, "\r\n", -1);
    return g_strjoinv ("\n", lines);
}

static void
print_built_in (const HkConfTool *self, size_t i)
{
    g_autofree char *notice = compose (self, kinds[i].kind, false);
    g_autofree char *part = cut_out (notice, "Content-Description: Notification", "\n--");
    g_autofree char *subject = cut_out (notice, "\nSubject: ", "\n");
    g_autofree char *copy = compose (self, kinds[i].kind, true);
    g_autofree char *their_subject = cut_out (copy, "\nSubject: ", "\n");
    const char *text = part == NULL ? NULL : strstr (part, "\n\n");
    if (self->modes & CONF_TEMPLATES)
        printf ("Charset: us-ascii\nFrom: MAILER-DAEMON (Mail Delivery System)\n"
                "Subject: %s\nPostmaster-Subject: %s\n\n",
                subject == NULL ? "" : subject, their_subject == NULL ? "" : their_subject);
    g_autofree char *body = g_strchomp (g_strdup (text == NULL ? "" : text + 2));
    puts (body);
}

/* ---- a file of templates --------------------------------------------------------- */

typedef struct {
    GString *text[N_KINDS]; /* NULL: the file has none */
} Templates;

static int
kind_of (const char *name)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (g_str_has_prefix (name, kinds[i].name) &&
            strcmp (name + strlen (kinds[i].name), "_template") == 0)
            return (int) i;
    return -1;
}

/* LINES from "name = <<WORD" to the line that is WORD alone; *AT moves behind it.  NULL, or
 * what is wrong. */
static const char *
take_template (Templates *self, char **lines, size_t *at)
{
    g_autofree char *head = g_strdup (lines[(*at)++]);
    char *name, *mark;
    if (hk_conf_tool_split (head, &name, &mark) != NULL || !g_str_has_prefix (mark, "<<"))
        return "\"name = <<EOF\" expected";
    g_autoptr (GString) text = g_string_new (NULL);
    mark = g_strchug (mark + 2);
    int kind = kind_of (name);
    if (kind < 0 && strcmp (name, "verify_template") != 0)
        return "unknown template name";
    for (; lines[*at] != NULL && strcmp (lines[*at], mark) != 0; (*at)++)
        g_string_append_printf (text, "%s\n", lines[*at]);
    if (lines[*at] == NULL)
        return "the template's end is missing";
    (*at)++;
    if (kind >= 0 && self->text[kind] != NULL)
        return "the same template twice";
    if (kind >= 0)
        self->text[kind] = g_steal_pointer (&text);
    return NULL;
}

static int
read_templates (const HkConfTool *self, const char *path, Templates *out)
{
    g_autofree char *content = NULL;
    g_autoptr (GError) error = NULL;
    gsize size = 0;
    if (!g_file_get_contents (path, &content, &size, &error))
        return hk_conf_tool_fail (self, "%s", error->message);
    if (size > MAX_FILE || memchr (content, '\0', size) != NULL)
        return hk_conf_tool_fail (self, "%s: not a file of templates", path);
    g_auto (GStrv) lines = g_strsplit (content, "\n", -1);
    for (size_t i = 0; lines[i] != NULL;) {
        size_t line = i + 1;
        if (lines[i][0] == '#' || lines[i][strspn (lines[i], " \t\r")] == '\0') {
            i++;
            continue;
        }
        const char *wrong = take_template (out, lines, &i);
        if (wrong != NULL)
            return hk_conf_tool_fail (self, "%s, line %zu: %s", path, line, wrong);
    }
    return 0;
}

/* ---- $name in a template --------------------------------------------------------- */

/* "delay_warning_time_hours": the value of the parameter in hours; NULL: NAME is no such. */
static char *
value_in_units (HkSettings *set, const char *name)
{
    static const struct {
        const char *suffix;
        int64_t seconds;
    } units[] = {
        {"_seconds", 1}, {"_minutes", 60}, {"_hours", 3600}, {"_days", 86400},
        {"_weeks", 604800}};
    for (size_t i = 0; i < G_N_ELEMENTS (units); i++) {
        if (!g_str_has_suffix (name, units[i].suffix))
            continue;
        g_autofree char *base =
            g_strndup (name, strlen (name) - strlen (units[i].suffix));
        if (strcmp (base, "delay_warning_time") != 0 &&
            strcmp (base, "maximal_queue_lifetime") != 0)
            continue;
        return g_strdup_printf ("%" G_GINT64_FORMAT,
                                hk_settings_int (set, base) / units[i].seconds);
    }
    return NULL;
}

/* The set with the names that only templates have. */
static HkSettings *
with_times (HkSettings *set)
{
    static const char *const names[] = {"delay_warning_time", "maximal_queue_lifetime"};
    static const char *const units[] = {"seconds", "minutes", "hours", "days", "weeks"};
    HkSettings *all = hk_settings_ref (set);
    for (size_t i = 0; i < G_N_ELEMENTS (names) * G_N_ELEMENTS (units); i++) {
        g_autofree char *name =
            g_strconcat (names[i / G_N_ELEMENTS (units)], "_",
                         units[i % G_N_ELEMENTS (units)], NULL);
        g_autofree char *value = value_in_units (set, name);
        HkSettings *with = hk_settings_with (all, name, value);
        hk_settings_unref (all);
        all = with;
    }
    return all;
}

/* The text behind the headers, expanded. */
static bool
print_expanded (const HkConfTool *self, const char *template)
{
    g_autoptr (HkSettings) set = with_times (self->set);
    g_autoptr (GError) error = NULL;
    const char *body = strstr (template, "\n\n");
    g_autofree char *text =
        hk_settings_expand (set, body == NULL ? template : body + 2, &error);
    if (text != NULL)
        fputs (text, stdout);
    else
        hk_conf_tool_fail (self, "%s", error->message);
    return text != NULL;
}

/* ---- the face -------------------------------------------------------------------- */

static bool
print_one (const HkConfTool *self, const Templates *templates, size_t i)
{
    bool is_raw = (self->modes & CONF_TEMPLATES) != 0, ok = true;
    printf (is_raw ? "%s_template = <<EOF\n" : "expanded_%s_text = <<EOF\n",
            kinds[i].name);
    if (templates->text[i] == NULL)
        print_built_in (self, i);
    else if (is_raw)
        fputs (templates->text[i]->str, stdout);
    else
        ok = print_expanded (self, templates->text[i]->str);
    puts (i + 1 < N_KINDS ? "EOF\n" : "EOF");
    return ok;
}

int
hk_conf_tool_show_notices (HkConfTool *self, const char *file)
{
    Templates templates = {{NULL}};
    const char *path =
        file != NULL ? file : hk_settings_get (self->set, "bounce_template_file");
    int status = path == NULL || path[0] == '\0' ? 0
                                                 : read_templates (self, path, &templates);
    for (size_t i = 0; i < N_KINDS && status == 0; i++)
        status = print_one (self, &templates, i) ? 0 : 1;
    for (size_t i = 0; i < N_KINDS; i++)
        if (templates.text[i] != NULL)
            g_string_free (templates.text[i], TRUE);
    return status;
}
