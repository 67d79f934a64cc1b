/* edit_master.c: change the services of master.cf in place: comments and order stay, all or
 * nothing. */
#include "config.h"

#include "conf/conf_priv.h"

typedef struct {
    HkMasterChange *changes;
    size_t n;
} Editor;

static bool
fail (GError **error, const char *what, const char *text)
{
    g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE, "%s: \"%s\"", what, text);
    return false;
}

/* ---- one service ----------------------------------------------------------------- */

static bool
is_match (const char *pattern, const char *word)
{
    return strcmp (pattern, "*") == 0 || strcmp (pattern, word) == 0;
}

static bool
is_about (const HkMasterChange *change, const char *const *words)
{
    return is_match (change->service, words[0]) && is_match (change->type, words[1]);
}

/* The parameter that the option text "NAME = value" sets? */
static bool
is_option_of (const char *text, const char *name)
{
    HkSpan found, value;
    return hk_conf_split (hk_span_text (text), &found, &value) == NULL &&
           hk_span_is (found, name);
}

/* The option text of the switch WORDS[I], NULL: it has none.  *OUT_SIZE: words that it takes.
 */
static const char *
option_at (const GPtrArray *words, guint i, guint *out_size)
{
    const char *word = words->pdata[i];
    size_t n = 1 + strspn (word + 1, "v");
    *out_size = 1;
    if (word[n] != 'o')
        return NULL;
    if (word[n + 1] != '\0')
        return word + n + 1;
    if (i + 1 >= words->len)
        return NULL;
    *out_size = 2;
    return words->pdata[i + 1];
}

/* A new list with VALUE in the place of the last "-o NAME=…" and without earlier ones; NULL:
 * without all.  Switches end at the first word that is none. */
static GPtrArray *
with_option (const GPtrArray *words, const char *name, const char *value)
{
    GPtrArray *out = g_ptr_array_new_with_free_func (g_free);
    guint i = 0, size = 1, place = 0;
    for (; i < words->len; i += size) {
        const char *word = words->pdata[i];
        size = 1;
        if (i >= HK_N_FIELDS && (word[0] != '-' || word[1] == '\0' || word[1] == '-'))
            break;
        const char *text = i < HK_N_FIELDS ? NULL : option_at (words, i, &size);
        if (text == NULL || !is_option_of (text, name)) {
            for (guint k = 0; k < size; k++)
                g_ptr_array_add (out, g_strdup (words->pdata[i + k]));
            continue;
        }
        size_t n_verbose = strspn (word + 1, "v");
        if (n_verbose > 0) /* of "-vo" the "-v" stays */
            g_ptr_array_add (out, g_strndup (word, n_verbose + 1));
        place = out->len;
    }
    if (place == 0)
        place = out->len;
    for (; i < words->len; i++)
        g_ptr_array_add (out, g_strdup (words->pdata[i]));
    if (value != NULL) {
        g_ptr_array_insert (out, (gint) place, g_strdup ("-o"));
        g_ptr_array_insert (out, (gint) place + 1, g_strconcat (name, "=", value, NULL));
    }
    return out;
}

static bool
set_field (GPtrArray *words, const HkMasterChange *change, GError **error)
{
    if (change->field < HK_FIELD_COMMAND) {
        g_free (words->pdata[change->field]);
        words->pdata[change->field] = g_strdup (change->value);
        return true;
    }
    g_auto (GStrv) command = hk_conf_service_words (change->value, true, error);
    if (command == NULL)
        return false;
    g_ptr_array_set_size (words, HK_FIELD_COMMAND);
    for (size_t i = 0; command[i] != NULL; i++)
        g_ptr_array_add (words, g_strdup (command[i]));
    return true;
}

static GPtrArray *
list_words (const char *text, GError **error)
{
    g_auto (GStrv) words = hk_conf_service_words (text, false, error);
    if (words == NULL)
        return NULL;
    GPtrArray *list = g_ptr_array_new_with_free_func (g_free);
    for (size_t i = 0; words[i] != NULL; i++)
        g_ptr_array_add (list, g_strdup (words[i]));
    return list;
}

static void
append_service (GString *out, GPtrArray *words)
{
    g_ptr_array_add (words, NULL);
    hk_conf_format_service (out, (const char *const *) words->pdata, true);
    g_string_append_c (out, '\n');
}

static bool
put_service (GString *out, const char *text, GError **error)
{
    g_autoptr (GPtrArray) words = list_words (text, error);
    if (words == NULL)
        return false;
    append_service (out, words);
    return true;
}

/* ---- what becomes of a service --------------------------------------------------- */

typedef enum { FATE_STAYS, FATE_ANEW, FATE_GOES, FATE_COMMENT } Fate;

static void
apply_option (GPtrArray **words, const HkMasterChange *change)
{
    const char *value = change->action == HK_MASTER_OPTION ? change->value : NULL;
    GPtrArray *with = with_option (*words, change->name, value);
    g_ptr_array_unref (*words);
    *words = with;
}

/* All changes in their order, to *WORDS; *OUT_PUT is the last whole line. */
static bool
apply_changes (Editor *self, GPtrArray **words, Fate *out_fate, const char **out_put,
               GError **error)
{
    g_autofree char *name = g_strdup ((*words)->pdata[0]);
    g_autofree char *type = g_strdup ((*words)->pdata[1]);
    const char *const key[] = {name, type};
    *out_fate = FATE_STAYS;
    *out_put = NULL;
    for (size_t i = 0; i < self->n; i++) {
        HkMasterChange *change = &self->changes[i];
        if (!is_about (change, key))
            continue;
        change->n_found++;
        switch (change->action) {
        case HK_MASTER_PUT:
            *out_put = change->value;
            *out_fate = FATE_ANEW;
            break;
        case HK_MASTER_REMOVE:
            *out_fate = FATE_GOES;
            break;
        case HK_MASTER_COMMENT:
            *out_fate = FATE_COMMENT;
            break;
        case HK_MASTER_FIELD:
            if (!set_field (*words, change, error))
                return false;
            *out_fate = FATE_ANEW;
            break;
        case HK_MASTER_OPTION:
        case HK_MASTER_OPTION_REMOVE:
            apply_option (words, change);
            *out_fate = FATE_ANEW;
            break;
        }
    }
    return true;
}

/* LINES, the service as it stands, with '#' put in front where COMMENT_OUT says so. */
static void
keep_lines (GString *out, HkSpan lines, bool comment_out)
{
    HkSpan line;
    while (hk_conf_next_physical (&lines, &line)) {
        HkLineKind kind = hk_conf_line_kind (line);
        if (comment_out && (kind == HK_LINE_STARTS || kind == HK_LINE_CONTINUES))
            g_string_append_c (out, '#');
        hk_string_append (out, line);
    }
}

/* Comments inside a service that is written anew stand before it. */
static void
keep_comments (GString *out, HkSpan lines)
{
    HkSpan line;
    while (hk_conf_next_physical (&lines, &line))
        if (hk_conf_line_kind (line) == HK_LINE_COMMENT)
            hk_string_append (out, line);
}

/* LINES: from the first line of a service to its last, TEXT: the same as one line. */
static bool
edit_service (Editor *self, HkSpan lines, const char *text, GString *out, GError **error)
{
    g_autoptr (GPtrArray) words = list_words (text, error);
    Fate fate;
    const char *put;
    if (words == NULL)
        return false;
    if (words->len < HK_N_FIELDS)
        return fail (error, "bad field count", text);
    if (!apply_changes (self, &words, &fate, &put, error))
        return false;
    if (fate == FATE_STAYS || fate == FATE_COMMENT) {
        keep_lines (out, lines, fate == FATE_COMMENT);
        return true;
    }
    keep_comments (out, lines);
    if (fate == FATE_ANEW && put != NULL)
        return put_service (out, put, error);
    if (fate == FATE_ANEW)
        append_service (out, words);
    return true;
}

/* ---- the file -------------------------------------------------------------------- */

static bool
edit_services (Editor *self, HkSpan old, GString *out, GError **error)
{
    HkConfLines lines;
    HkSpan logical;
    unsigned number;
    bool is_orphan, ok = true;
    HkSpan kept = old; /* what is not yet in OUT */
    hk_conf_lines_init (&lines, old);
    while (ok && hk_conf_lines_next (&lines, &logical, &number, &is_orphan)) {
        HkSpan part = hk_span_sub (kept, 0, kept.size - lines.rest.size), line, gap = part;
        size_t n_gap = 0;
        /* comments and blank lines in front */
        while (hk_conf_next_physical (&gap, &line) &&
               (hk_conf_line_kind (line) == HK_LINE_BLANK ||
                hk_conf_line_kind (line) == HK_LINE_COMMENT))
            n_gap += line.size;
        hk_string_append (out, hk_span_sub (part, 0, n_gap));
        part = hk_span_sub (part, n_gap, part.size);
        kept = lines.rest;
        g_autofree char *text = hk_span_dup (logical);
        if (is_orphan)
            hk_string_append (out, part);
        else
            ok = edit_service (self, part, text, out, error);
    }
    hk_conf_lines_clear (&lines);
    hk_string_append (out, kept);
    return ok;
}

static bool
rewrite_services (HkSpan old, GString *out, void *data, GError **error)
{
    Editor *self = data;
    for (size_t i = 0; i < self->n; i++)
        self->changes[i].n_found = 0;
    if (!edit_services (self, old, out, error))
        return false;
    for (size_t i = 0; i < self->n; i++) {
        const HkMasterChange *change = &self->changes[i];
        if (change->action != HK_MASTER_PUT || change->n_found > 0)
            continue;
        if (out->len > 0 && out->str[out->len - 1] != '\n')
            g_string_append_c (out, '\n');
        if (!put_service (out, change->value, error))
            return false;
    }
    return true;
}

/* ---- the face -------------------------------------------------------------------- */

static bool
check_line (const char *text, GError **error)
{
    g_autoptr (GPtrArray) words = list_words (text, error);
    if (words == NULL)
        return false;
    if (words->len < HK_N_FIELDS)
        return fail (error, "bad field count", text);
    for (unsigned k = 0; k < HK_N_FIELDS; k++) {
        const char *bad = hk_conf_bad_field (k, words->pdata[k]);
        if (bad == NULL)
            continue;
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE,
                     "invalid %s field \"%s\" in \"%s\"", bad,
                     (const char *) words->pdata[k], text);
        return false;
    }
    return true;
}

static bool
check_field (const HkMasterChange *change, GError **error)
{
    HkSpan value = hk_conf_strip (hk_span_text (change->value));
    const char *bad = value.size == 0 ? hk_service_fields[change->field]
                                      : hk_conf_bad_field (change->field, change->value);
    if (bad == NULL)
        return true;
    g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE,
                 "invalid %s field \"%s\" in \"%s\"", bad, change->value, change->value);
    return false;
}

bool
hk_conf_edit_master (const char *dir, HkMasterChange *changes, size_t n, GError **error)
{
    g_autofree char *path = g_build_filename (dir, "master.cf", NULL);
    Editor self = {changes, n};
    for (size_t i = 0; i < n; i++) {
        if (changes[i].value != NULL && strpbrk (changes[i].value, "\r\n") != NULL)
            return fail (error, "a value cannot hold a line break", changes[i].value);
        if (changes[i].action == HK_MASTER_PUT && !check_line (changes[i].value, error))
            return false;
        if (changes[i].action == HK_MASTER_FIELD && !check_field (&changes[i], error))
            return false;
    }
    return hk_conf_rewrite (path, false, rewrite_services, &self, error);
}
