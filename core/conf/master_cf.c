/* master_cf.c: the services of master.cf (master(5)). */
#include "config.h"

#include "conf/conf_priv.h"

#define MAX_WORDS 4096

typedef struct {
    HkSettings *set;
    unsigned line;
    GError **error;
} Reader;

static bool
fail (Reader *self, const char *what, const char *word)
{
    g_autoptr (GString) shown = g_string_new (NULL);
    hk_text_append_printable (shown, hk_span_text (word), 60, true);
    g_set_error (self->error, HK_CONF_ERROR, HK_CONF_ERROR_SYNTAX,
                 "master.cf: line %u: %s: \"%s\"", self->line, what, shown->str);
    return false;
}

/* ---- words ----------------------------------------------------------------------- */

static const char *
keep (Reader *self, HkSpan s)
{
    return g_string_chunk_insert_len (
        self->set->texts, s.size == 0 ? "" : (const char *) s.data, (gssize) s.size);
}

static GPtrArray *
split_words (Reader *self, HkSpan text)
{
    g_autoptr (GPtrArray) words = g_ptr_array_new ();
    HkSpan word;
    bool is_open;
    while (hk_conf_next_master_word (&text, words->len, &word, &is_open)) {
        if (is_open)
            fail (self, "missing '}'", keep (self, word));
        else if (words->len >= MAX_WORDS)
            fail (self, "too many words", keep (self, word));
        if (is_open || words->len >= MAX_WORDS)
            return NULL;
        g_ptr_array_add (words, (char *) keep (self, word));
    }
    return g_steal_pointer (&words);
}

/* ---- columns --------------------------------------------------------------------- */

static bool
parse_type (Reader *self, const char *word, HkServiceType *out)
{
    static const char *const names[] = {"inet", "unix", "fifo", "pass", "unix-dgram"};
    static const HkServiceType types[] = {HK_SERVICE_INET, HK_SERVICE_UNIX, HK_SERVICE_FIFO,
                                          HK_SERVICE_PASS, HK_SERVICE_UNIX_DGRAM};
    for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
        if (strcmp (names[i], word) == 0) {
            *out = types[i];
            return true;
        }
    }
    return fail (self, "the type is none of inet, unix, fifo, pass, unix-dgram", word);
}

static bool
parse_flag (Reader *self, const char *column, const char *word, bool preset, bool *out)
{
    if (strcmp (word, "-") == 0)
        *out = preset;
    else if (strcmp (word, "y") == 0)
        *out = true;
    else if (strcmp (word, "n") == 0)
        *out = false;
    else {
        g_autofree char *what =
            g_strdup_printf ("the %s column is none of y, n, -", column);
        return fail (self, what, word);
    }
    return true;
}

static bool
parse_wakeup (Reader *self, const char *word, HkService *out)
{
    HkSpan s = hk_span_text (word);
    uint64_t v = 0;
    if (strcmp (word, "-") == 0)
        return true;
    if (s.size > 1 && s.data[s.size - 1] == '?') {
        out->wakeup_if_used = true;
        s.size--;
    }
    if (!hk_text_parse_u64 (s, INT32_MAX, &v))
        return fail (self, "the wakeup column is no number of seconds", word);
    out->wakeup_s = (unsigned) v;
    return true;
}

static bool
parse_limit (Reader *self, const char *word, HkService *out)
{
    uint64_t v;
    if (strcmp (word, "-") == 0) {
        v = (uint64_t) MAX (0, hk_settings_int (self->set, "default_process_limit"));
        out->max_processes = (unsigned) MIN (v, INT32_MAX);
        return true;
    }
    if (!hk_text_parse_u64 (hk_span_text (word), INT32_MAX, &v))
        return fail (self, "the process limit column is no number", word);
    out->max_processes = (unsigned) v;
    return true;
}

/* Compatibility level below 1: a "-" in the chroot column means yes. */
static bool
chroot_preset (Reader *self)
{
    g_autofree char *text = hk_settings_expand (
        self->set, "${{$compatibility_level} <level {1} ? {y}:{n}}", NULL);
    return text != NULL && strcmp (text, "y") == 0;
}

static bool
parse_columns (Reader *self, char **word, HkService *out)
{
    out->name = word[0];
    out->command = word[7];
    out->file = "master.cf";
    out->line = self->line;
    return parse_type (self, word[1], &out->type) &&
           parse_flag (self, "private", word[2], true, &out->is_private) &&
           parse_flag (self, "unprivileged", word[3], true, &out->is_unprivileged) &&
           parse_flag (self, "chroot", word[4], chroot_preset (self), &out->is_chroot) &&
           parse_wakeup (self, word[5], out) && parse_limit (self, word[6], out);
}

/* ---- arguments ------------------------------------------------------------------- */

static void
add_option (Reader *self, HkServiceEntry *entry, const char *text)
{
    HkSpan name, value;
    const char *wrong = hk_conf_split (hk_span_text (text), &name, &value);
    if (wrong != NULL) {
        hk_settings_complain (self->set, HK_LOG_ERROR, "master.cf", self->line,
                              "%s: -o \"%s\": %s", entry->service.name, text, wrong);
        return;
    }
    HkConfEntry *option = g_new0 (HkConfEntry, 1);
    option->name = keep (self, name);
    option->raw = keep (self, value);
    option->file = "master.cf";
    option->line = self->line;
    g_ptr_array_add (entry->options, option);
}

/* WORD is "-vv", "-oname=value", "-o" and the like; *NEXT, or NULL, is the word after it.
 * True when that was used up. */
static bool
take_switches (Reader *self, HkServiceEntry *entry, const char *word, const char *next,
               GPtrArray *argv)
{
    for (const char *p = word + 1; *p != '\0'; p++) {
        if (*p == 'v') {
            entry->service.verbose++;
        } else if (*p == 'o') {
            const char *text = p[1] != '\0' ? p + 1 : next;
            if (text == NULL)
                hk_settings_complain (self->set, HK_LOG_ERROR, "master.cf", self->line,
                                      "%s: -o without name=value", entry->service.name);
            else
                add_option (self, entry, text);
            return p[1] == '\0';
        } else {
            g_ptr_array_add (argv, (char *) word);
            return false;
        }
    }
    return false;
}

/* Switches end at the first word that is none, as for the daemons: "argv=… -o" is the
 * command's own. */
static void
parse_arguments (Reader *self, HkServiceEntry *entry, char **word)
{
    g_autoptr (GPtrArray) argv = g_ptr_array_new ();
    while (*word != NULL && (*word)[0] == '-' && (*word)[1] != '\0' &&
           strcmp (*word, "--") != 0) {
        bool used_next = take_switches (self, entry, word[0], word[1], argv);
        word += used_next && word[1] != NULL ? 2 : 1;
    }
    if (*word != NULL && strcmp (*word, "--") == 0)
        word++;
    for (; *word != NULL; word++)
        g_ptr_array_add (argv, *word);
    g_ptr_array_add (argv, NULL);
    entry->service.argv =
        (const char *const *) g_ptr_array_free (g_steal_pointer (&argv), FALSE);
}

/* ---- lines ----------------------------------------------------------------------- */

static void
drop_earlier (Reader *self, const HkService *service)
{
    for (guint i = 0; i < self->set->services->len; i++) {
        const HkServiceEntry *old = g_ptr_array_index (self->set->services, i);
        if (old->service.type != service->type ||
            strcmp (old->service.name, service->name) != 0)
            continue;
        hk_settings_complain (
            self->set, HK_LOG_WARNING, "master.cf", service->line,
            "service \"%s\" stands in line %u already: the last one counts", service->name,
            old->service.line);
        g_ptr_array_remove_index (self->set->services, i);
        return;
    }
}

static bool
read_service (Reader *self, HkSpan text)
{
    g_autoptr (GPtrArray) words = split_words (self, text);
    if (words == NULL)
        return false;
    if (words->len < HK_N_FIELDS) {
        g_set_error (self->error, HK_CONF_ERROR, HK_CONF_ERROR_SYNTAX,
                     "master.cf: line %u: %u columns instead of at least %d", self->line,
                     words->len, HK_N_FIELDS);
        return false;
    }
    g_ptr_array_add (words, NULL);
    HkService service = {0};
    if (!parse_columns (self, (char **) words->pdata, &service))
        return false;
    HkServiceEntry *entry = g_new0 (HkServiceEntry, 1);
    entry->service = service;
    entry->options = g_ptr_array_new_with_free_func (g_free);
    entry->words = (char **) g_ptr_array_free (g_steal_pointer (&words), FALSE);
    parse_arguments (self, entry, entry->words + HK_N_FIELDS);
    drop_earlier (self, &entry->service);
    g_ptr_array_add (self->set->services, entry);
    return true;
}

bool
hk_conf_read_master (HkSettings *set, HkSpan text, GError **error)
{
    Reader self = {set, 0, error};
    HkConfLines lines;
    HkSpan logical;
    bool is_orphan, ok = true;
    if (hk_span_find (text, 0, 0) < text.size) {
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_SYNTAX,
                     "master.cf: holds a NUL byte");
        return false;
    }
    hk_conf_lines_init (&lines, text);
    while (ok && hk_conf_lines_next (&lines, &logical, &self.line, &is_orphan)) {
        if (is_orphan)
            hk_settings_complain (
                set, HK_LOG_WARNING, "master.cf", self.line,
                "a logical line must not begin with blank space: ignored");
        else
            ok = read_service (&self, logical);
    }
    hk_conf_lines_clear (&lines);
    return ok;
}
