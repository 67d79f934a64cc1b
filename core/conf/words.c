/* words.c: the words of a line of master.cf, taken apart and put together again. */
#include "config.h"

#include "conf/conf_priv.h"

enum { LINE_LIMIT = 80, INDENT = 4 };

const char *const hk_service_fields[HK_N_FIELDS] = {
    "service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit",
    "command"};

/* ---- apart ----------------------------------------------------------------------- */

static HkSpan
skip_space (HkSpan s)
{
    while (s.size > 0 && hk_conf_is_space (s.data[0]))
        s = hk_span_sub (s, 1, s.size);
    return s;
}

/* Up to a blank that is in no braces; *OUT_IS_OPEN: a brace is not closed. */
static size_t
word_size (HkSpan s, bool *out_is_open)
{
    size_t depth = 0, i = 0;
    for (; i < s.size && (depth > 0 || !hk_conf_is_space (s.data[i])); i++) {
        if (s.data[i] == '{')
            depth++;
        else if (s.data[i] == '}' && depth > 0)
            depth--;
    }
    *out_is_open = depth > 0;
    return i;
}

/* "{ a b }" is the one word "a b". */
static HkSpan
unbrace (HkSpan word)
{
    if (word.size < 2 || word.data[0] != '{' || word.data[word.size - 1] != '}')
        return word;
    return hk_conf_strip (hk_span_sub (word, 1, word.size - 2));
}

/* Does the brace at the front close only at the very end? */
static bool
is_braced (HkSpan word)
{
    size_t depth = 0;
    if (word.size == 0 || word.data[0] != '{')
        return false;
    for (size_t i = 0; i < word.size; i++) {
        if (word.data[i] == '{')
            depth++;
        else if (word.data[i] == '}' && --depth == 0)
            return i + 1 == word.size;
    }
    return false;
}

bool
hk_conf_next_master_word (HkSpan *rest, size_t n_seen, HkSpan *out_word, bool *out_is_open)
{
    HkSpan text = skip_space (*rest);
    if (text.size == 0)
        return false;
    bool is_argument = n_seen >= HK_N_FIELDS;
    size_t n = word_size (text, out_is_open);
    HkSpan word = hk_span_sub (text, 0, n);
    *rest = hk_span_sub (text, n, text.size);
    *out_is_open = *out_is_open && is_argument && word.data[0] == '{';
    *out_word = is_argument && is_braced (word) ? unbrace (word) : word;
    return true;
}

char **
hk_conf_service_words (const char *text, bool command_only, GError **error)
{
    g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);
    HkSpan rest = hk_span_text (text), word;
    size_t before = command_only ? HK_FIELD_COMMAND : 0;
    bool is_open;
    while (hk_conf_next_master_word (&rest, before + words->len, &word, &is_open)) {
        if (is_open) {
            g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_SYNTAX,
                         "missing '}' in \"%.*s\"", HK_SPAN_ARG (word));
            return NULL;
        }
        g_ptr_array_add (words, hk_span_dup (word));
    }
    g_ptr_array_add (words, NULL);
    g_ptr_array_set_free_func (words, NULL);
    return (char **) g_ptr_array_free (g_steal_pointer (&words), FALSE);
}

/* ---- columns --------------------------------------------------------------------- */

static bool
is_number (const char *s)
{
    uint64_t v;
    return hk_text_parse_u64 (hk_span_text (s), INT32_MAX, &v);
}

const char *
hk_conf_bad_field (unsigned field, const char *value)
{
    static const char *const types[] = {"inet", "unix", "fifo", "pass", "unix-dgram", NULL};
    static const char *const flags[] = {"y", "n", "-", NULL};
    g_autofree char *number = g_strdup (value);
    size_t n = strlen (number);
    bool is_good = n > 0;
    if (field == 1)
        is_good = g_strv_contains (types, value);
    else if (field >= 2 && field <= 4)
        is_good = g_strv_contains (flags, value);
    else if (field == 5 && n > 1 && number[n - 1] == '?')
        number[n - 1] = '\0';
    if (field == 5 || field == 6)
        is_good = strcmp (value, "-") == 0 || is_number (number);
    return is_good ? NULL : hk_service_fields[field];
}

/* ---- together -------------------------------------------------------------------- */

/* A word with blanks needs its braces back, and so does one that begins with a brace. */
static void
append_word (GString *out, const char *word)
{
    bool needs = word[0] == '\0' || word[0] == '{' || strpbrk (word, " \t") != NULL;
    g_string_append_printf (out, needs ? "{%s}" : "%s", word);
}

/* TEXT, the argument of -o, as "name=value". */
static void
append_option (GString *out, const char *text)
{
    HkSpan name, value;
    g_string_append (out, "-o ");
    if (hk_conf_split (hk_span_text (text), &name, &value) != NULL) {
        append_word (out, text);
        return;
    }
    g_autofree char *whole =
        g_strdup_printf ("%.*s=%.*s", HK_SPAN_ARG (name), HK_SPAN_ARG (value));
    append_word (out, whole);
}

/* "-vvoNAME=VALUE": the size of "-vv", 0: there is no 'o' behind it. */
static size_t
switches_before_option (const char *word)
{
    size_t n = 1 + strspn (word + 1, "v");
    return word[0] == '-' && word[n] == 'o' ? n : 0;
}

/* Words to print, each with what belongs on one line with it: "-o name=value" is one. */
static GPtrArray *
command_parts (const char *const *words)
{
    GPtrArray *parts = g_ptr_array_new_with_free_func (g_free);
    bool has_switches = true;
    for (const char *const *w = words; *w != NULL; w++) {
        GString *part = g_string_new (NULL);
        bool is_first = parts->len == 0;
        has_switches = has_switches && (is_first || ((*w)[0] == '-' && (*w)[1] != '-'));
        size_t n = has_switches && !is_first ? switches_before_option (*w) : 0;
        if (n == 0 || ((*w)[n + 1] == '\0' && w[1] == NULL)) {
            append_word (part, *w);
        } else {
            if (n > 1)
                g_ptr_array_add (parts, g_strndup (*w, n));
            g_autofree char *joined = (*w)[n + 1] == '\0' ? NULL : g_strdup (*w + n + 1);
            g_autofree char *bare = NULL;
            const char *text = joined != NULL ? joined : *++w;
            if (joined != NULL && is_braced (hk_span_text (joined)))
                text = bare = hk_span_dup (unbrace (hk_span_text (joined)));
            append_option (part, text);
        }
        g_ptr_array_add (parts, g_string_free (part, FALSE));
    }
    return parts;
}

/* Folded, options have a line each, other words fill lines. */
void
hk_conf_format_command (GString *out, const char *const *words, size_t column, bool fold)
{
    g_autoptr (GPtrArray) parts = command_parts (words);
    bool was_option = false;
    for (guint i = 0; i < parts->len; i++) {
        const char *part = g_ptr_array_index (parts, i);
        size_t n = strlen (part);
        bool is_option = g_str_has_prefix (part, "-o ");
        if (fold && i > 0 &&
            (is_option || was_option || column + 1 + n >= (size_t) LINE_LIMIT)) {
            g_string_append_printf (out, "\n%*s", INDENT, "");
            column = INDENT;
        } else if (i > 0) {
            g_string_append_c (out, ' ');
            column++;
        }
        g_string_append (out, part);
        column += n;
        was_option = is_option;
    }
}

void
hk_conf_format_service (GString *out, const char *const *words, bool fold)
{
    static const size_t starts[] = {0, 11, 17, 25, 33, 41, 49, 57};
    gsize begin = out->len;
    for (size_t k = 0; k < HK_FIELD_COMMAND; k++) {
        g_string_append (out, words[k]);
        size_t column = out->len - begin;
        size_t pad = column < starts[k + 1] ? starts[k + 1] - column : 1;
        g_string_append_printf (out, "%*s", (int) pad, "");
    }
    hk_conf_format_command (out, words + HK_FIELD_COMMAND, out->len - begin, fold);
}
