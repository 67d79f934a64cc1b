/* conf_edit.c: `hikyaku conf -e`, `-X` and `-#`: changes to main.cf and master.cf. */
#include "config.h"

#include <string.h>

#include "cli/conf.h"

/* ---- arguments ------------------------------------------------------------------- */

/* Cuts at the first '=' and strips both sides; a name without blanks. */
const char *
hk_conf_tool_split (char *text, char **out_name, char **out_value)
{
    g_strstrip (text);
    char *equal = strchr (text, '=');
    if (equal == text || text[0] == '\0')
        return "missing attribute name";
    size_t n = strcspn (text, "= \t");
    if (equal == NULL || text[n + strspn (text + n, " \t")] != '=')
        return "missing '=' after attribute name";
    text[n] = '\0';
    *out_name = text;
    *out_value = g_strstrip (equal + 1);
    return NULL;
}

static int
check_texts (const HkConfTool *self, char **texts, size_t n)
{
    static const char *const which = "-e, -X, or -#";
    bool is_edit = (self->modes & CONF_EDIT) != 0;
    bool is_master = (self->modes & (CONF_MASTER | CONF_FIELDS | CONF_OPTIONS)) != 0;
    if (n == 0)
        return hk_conf_tool_fail (self, is_edit ? "-e requires name=value argument"
                                                : "missing service argument");
    for (size_t i = 0; i < n; i++) {
        g_strstrip (texts[i]);
        if (strpbrk (texts[i], "\r\n") != NULL)
            return hk_conf_tool_fail (self, "%s accepts no multi-line input", which);
        if (texts[i][0] == '#')
            return hk_conf_tool_fail (self, "%s accepts no comment input", which);
        if (!is_edit && !is_master && strchr (texts[i], '=') != NULL)
            return hk_conf_tool_fail (self, "-X or -# requires names without value");
    }
    return 0;
}

/* ---- main.cf --------------------------------------------------------------------- */

/* A later request for the same name counts; the earlier one is left out. */
static size_t
add_change (const HkConfTool *self, HkConfChange *changes, size_t n, HkConfChange change)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp (changes[i].name, change.name) != 0)
            continue;
        hk_conf_tool_warn (self, "ignoring earlier request: '%s%s%s'", change.name,
                           changes[i].value == NULL ? "" : " = ",
                           changes[i].value == NULL ? "" : changes[i].value);
        changes[i] = change;
        return n;
    }
    changes[n] = change;
    return n + 1;
}

static int
edit_main (const HkConfTool *self, char **texts, size_t n)
{
    g_autofree HkConfChange *changes = g_new0 (HkConfChange, n);
    g_autoptr (GError) error = NULL;
    size_t n_changes = 0;
    for (size_t i = 0; i < n; i++) {
        g_autofree char *copy = g_strdup (texts[i]);
        char *name = texts[i], *value = NULL;
        const char *wrong = self->modes & CONF_EDIT
                                ? hk_conf_tool_split (texts[i], &name, &value)
                                : NULL;
        if (wrong != NULL)
            return hk_conf_tool_fail (self, "%s: \"%s\"", wrong, copy);
        HkConfChange change = {.name = name,
                               .value = value,
                               .comment_out = (self->modes & CONF_COMMENT) != 0};
        n_changes = add_change (self, changes, n_changes, change);
    }
    if (!hk_conf_edit_all (self->dir, "main.cf", changes, n_changes, &error))
        return hk_conf_tool_fail (self, "%s", error->message);
    for (size_t i = 0; i < n_changes; i++)
        if (changes[i].n_found > 1)
            hk_conf_tool_warn (self, "%s/main.cf: multiple entries for \"%s\"", self->dir,
                               changes[i].name);
    return 0;
}

/* ---- master.cf ------------------------------------------------------------------- */

/* TEXT is "service/type" or "service/type/name": cut at the slashes.  False: other parts. */
static bool
split_key (char *text, size_t n_wanted, char **parts)
{
    size_t n = 0;
    for (char *next; text != NULL && n < n_wanted; text = next) {
        next = strchr (text, '/');
        if (next != NULL)
            *next++ = '\0';
        if (text[0] == '\0')
            return false;
        parts[n++] = text;
    }
    return text == NULL && n == n_wanted;
}

static int
find_field (const char *name)
{
    for (int i = 0; i < HK_N_FIELDS; i++)
        if (strcmp (hk_service_fields[i], name) == 0)
            return i;
    return -1;
}

static int
parse_field (const HkConfTool *self, const char *name, HkMasterChange *out)
{
    int field = find_field (name);
    if (field < 0)
        return hk_conf_tool_fail (self, "invalid service attribute name: \"%s\"", name);
    if (field < HK_FIELD_COMMAND && strpbrk (out->value, " \t") != NULL)
        return hk_conf_tool_fail (self,
                                  "-Fe does not accept whitespace in non-command field");
    out->action = HK_MASTER_FIELD;
    out->field = (unsigned) field;
    return 0;
}

static int
parse_option (const HkConfTool *self, const char *name, HkMasterChange *out)
{
    if (strcmp (name, "*") == 0)
        return hk_conf_tool_fail (self, "-Pe does not accept wild-card parameter name");
    if (out->value != NULL && strpbrk (out->value, " \t") != NULL)
        return hk_conf_tool_fail (self, "-Pe does not accept whitespace in parameter value");
    out->action = out->value != NULL ? HK_MASTER_OPTION : HK_MASTER_OPTION_REMOVE;
    out->name = name;
    return 0;
}

/* A whole line for -M -e; ASKED is the argument that it is in. */
static int
parse_line (const HkConfTool *self, const char *asked, const char *line)
{
    g_autoptr (GError) error = NULL;
    g_auto (GStrv) words = hk_conf_service_words (line, false, &error);
    if (words == NULL)
        return hk_conf_tool_fail (self, "%s", error->message);
    if (g_strv_length (words) < HK_N_FIELDS)
        return hk_conf_tool_fail (self, "bad field count: \"%s\"", asked);
    return 0;
}

static const char *
shape_of (int modes)
{
    if (modes & CONF_MASTER)
        return "-Me, -MX or -M# requires service_name/type";
    if (modes & CONF_FIELDS)
        return "-Fe or -FX requires service_name/type/field_name";
    return "-Pe or -PX requires service_name/type/parameter";
}

static int
parse_change (const HkConfTool *self, char *text, HkMasterChange *out)
{
    g_autofree char *copy = g_strdup (text);
    char *key = text, *value = NULL, *parts[3];
    const char *wrong =
        self->modes & CONF_EDIT ? hk_conf_tool_split (text, &key, &value) : NULL;
    if (wrong != NULL)
        return hk_conf_tool_fail (self, "%s: \"%s\"", wrong, copy);
    if (!split_key (key, self->modes & CONF_MASTER ? 2 : 3, parts))
        return hk_conf_tool_fail (self, "%s", shape_of (self->modes));
    *out = (HkMasterChange){.service = parts[0], .type = parts[1], .value = value};
    if (self->modes & CONF_FIELDS)
        return parse_field (self, parts[2], out);
    if (self->modes & CONF_OPTIONS)
        return parse_option (self, parts[2], out);
    out->action = self->modes & CONF_EDIT      ? HK_MASTER_PUT
                  : self->modes & CONF_EXCLUDE ? HK_MASTER_REMOVE
                                               : HK_MASTER_COMMENT;
    return out->action == HK_MASTER_PUT ? parse_line (self, copy, value) : 0;
}

static int
edit_master (const HkConfTool *self, char **texts, size_t n)
{
    g_autofree HkMasterChange *changes = g_new0 (HkMasterChange, n);
    g_auto (GStrv) asked = g_new0 (char *, n + 1);
    g_autoptr (GError) error = NULL;
    for (size_t i = 0; i < n; i++) {
        asked[i] = g_strdup (texts[i]);
        int status = parse_change (self, texts[i], &changes[i]);
        if (status != 0)
            return status;
    }
    if (!hk_conf_edit_master (self->dir, changes, n, &error))
        return hk_conf_tool_fail (self, "%s", error->message);
    for (size_t i = 0; i < n; i++)
        if (changes[i].n_found == 0 && (self->modes & (CONF_FIELDS | CONF_OPTIONS)))
            hk_conf_tool_warn (self, "unmatched service_name/type: \"%s\"", asked[i]);
    return 0;
}

int
hk_conf_tool_edit (const HkConfTool *self, char **texts, size_t n)
{
    int status = check_texts (self, texts, n);
    if (status != 0)
        return status;
    if (self->modes & (CONF_MASTER | CONF_FIELDS | CONF_OPTIONS))
        return edit_master (self, texts, n);
    return edit_main (self, texts, n);
}
