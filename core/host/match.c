/* match.c: list parameters that things are compared with: mynetworks, mydestination, ….
 *
 * Words in order, the first that matches decides; "!word" decides "no"; "/file" stands for
 * the words in it; "type:table" matches what the table has as a key. */
#include "config.h"

#include "base/text.h"
#include "host/host_priv.h"
#include "net/address.h"
#include <hikyaku/textfile.h>

enum { MAX_FILE = 4 << 20, MAX_DEPTH = 8, MAX_PATTERNS = 100000 };

typedef struct {
    enum { IS_TEXT, IS_NETWORK, IS_TABLE } kind;
    bool is_negative;
    char *text;
    HkNetwork network;
    HkMaps *maps;
} Pattern;

struct HkMatchList {
    HkMatchKind kind;
    bool parent_matches, may_block;
    GArray *patterns; /* Pattern */
};

typedef struct {
    HkMatchList *list;
    HkPlugins *plugins;
    HkSettings *settings;
    const char *parameter;
    int depth;
} Parser;

static bool parse_words (Parser *parser, HkSpan text, bool is_negative, GError **error);

static void
clear_pattern (void *p)
{
    Pattern *pattern = p;
    if (pattern->maps != NULL)
        hk_maps_unref (pattern->maps);
    g_free (pattern->text);
}

static bool fail (Parser *parser, GError **error, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

static bool
fail (Parser *parser, GError **error, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    g_autofree char *text = g_strdup_vprintf (format, ap);
    va_end (ap);
    g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_BROKEN, "parameter %s: %s",
                 parser->parameter, text);
    return false;
}

static bool
parse_file (Parser *parser, const char *path, bool is_negative, GError **error)
{
    char *data = NULL;
    size_t size = 0;
    HkFileState state;
    HkSpan line;
    uint32_t number;
    bool is_ok = true;
    if (parser->depth >= MAX_DEPTH)
        return fail (parser, error, "%s: files name each other too deeply", path);
    int e = hk_file_read (path, MAX_FILE, &data, &size, &state);
    if (e != 0)
        return fail (parser, error, "open file %s: %s", path, g_strerror (e));
    parser->depth++;
    HkLines lines = hk_lines (data, size);
    for (int got; is_ok && (got = hk_lines_next (&lines, &line, &number)) != 0;) {
        is_ok = got > 0 ? parse_words (parser, line, is_negative, error)
                        : fail (parser, error,
                                "%s, line %u: a first line must not begin with "
                                "a blank",
                                path, (unsigned) number);
    }
    parser->depth--;
    free (data);
    return is_ok;
}

static bool
looks_like_network (HkSpan word)
{
    size_t n = 0;
    if (word.data[0] == '[')
        return true;
    while (n < word.size &&
           (g_ascii_isdigit (word.data[n]) || word.data[n] == '.' || word.data[n] == '/'))
        n++;
    return n == word.size && word.data[0] != '.';
}

static bool
add_pattern (Parser *parser, HkSpan word, bool is_negative, GError **error)
{
    HkMatchList *list = parser->list;
    Pattern pattern = {.kind = IS_TEXT, .is_negative = is_negative};
    const char *why = "not a network";
    if (list->patterns->len >= MAX_PATTERNS)
        return fail (parser, error, "more than %d patterns", MAX_PATTERNS);
    g_autofree char *text = hk_span_dup_lower (word);
    if (word.data[0] != '[' && hk_span_find (word, ':', 0) < word.size) {
        g_autofree char *spec = hk_span_dup (word);
        pattern.kind = IS_TABLE;
        pattern.maps = hk_maps_open (parser->plugins, parser->settings, parser->parameter,
                                     spec, error);
        if (pattern.maps == NULL)
            return false;
        list->may_block = list->may_block || hk_maps_may_block (pattern.maps);
    } else if (list->kind == HK_MATCH_ADDRESSES && looks_like_network (word)) {
        pattern.kind = IS_NETWORK;
        if (!hk_network_parse (word, &pattern.network, &why))
            return fail (parser, error, "bad net/mask pattern: \"%s\": %s", text, why);
    }
    pattern.text = g_steal_pointer (&text);
    g_array_append_val (list->patterns, pattern);
    return true;
}

static bool
parse_word (Parser *parser, HkSpan word, bool is_negative, GError **error)
{
    while (word.size > 0 && word.data[0] == '!') {
        is_negative = !is_negative;
        word = hk_span_sub (word, 1, SIZE_MAX);
    }
    if (word.size == 0)
        return fail (parser, error, "no pattern after '!'");
    if (word.data[0] != '/')
        return add_pattern (parser, word, is_negative, error);
    g_autofree char *path = hk_span_dup (word);
    return parse_file (parser, path, is_negative, error);
}

static bool
parse_words (Parser *parser, HkSpan text, bool is_negative, GError **error)
{
    HkSpan word;
    while (hk_text_next_word (&text, &word))
        if (!parse_word (parser, word, is_negative, error))
            return false;
    return true;
}

HkMatchList *
hk_match_list_open (HkPlugins *plugins, HkSettings *settings, const char *parameter,
                    const char *text, HkMatchKind kind, GError **error)
{
    g_autoptr (HkMatchList) self = g_new0 (HkMatchList, 1);
    Parser parser = {self, plugins, settings, parameter, 0};
    self->kind = kind;
    self->parent_matches = hk_parent_domain_matches (settings, parameter);
    self->patterns = g_array_new (FALSE, TRUE, sizeof (Pattern));
    g_array_set_clear_func (self->patterns, clear_pattern);
    if (!parse_words (&parser, hk_span_text (text), false, error))
        return NULL;
    return g_steal_pointer (&self);
}

void
hk_match_list_free (HkMatchList *self)
{
    g_array_unref (self->patterns);
    g_free (self);
}

bool
hk_match_list_may_block (const HkMatchList *self)
{
    return self->may_block;
}

/* ---- comparing ---- */

typedef struct {
    HkMaps *maps;
    char **out_reason;
    HkAnswer answer;
} TableFind;

static bool
ask_table (HkSpan key, bool is_partial, void *data)
{
    TableFind *find = data;
    find->answer =
        hk_maps_get_key (find->maps, (HkKey){.bytes = key, .is_partial = is_partial}, NULL,
                         find->out_reason);
    return find->answer == HK_ABSENT;
}

/* "a.org" covers x.a.org in lists of parent_domain_matches_subdomains; in the others it
 * takes
 * ".a.org" for that, which means nothing in the former. */
static bool
text_matches_name (const HkMatchList *self, HkSpan pattern, HkSpan name)
{
    if (hk_span_equal_ci (pattern, name))
        return true;
    if (self->kind == HK_MATCH_STRINGS || name.size <= pattern.size || pattern.size == 0)
        return false;
    HkSpan end = hk_span_sub (name, name.size - pattern.size, SIZE_MAX);
    if (!hk_span_equal_ci (pattern, end))
        return false;
    return self->parent_matches ? name.data[name.size - pattern.size - 1] == '.'
                                : pattern.data[0] == '.';
}

static HkAnswer
match_name (const HkMatchList *self, const Pattern *pattern, HkSpan name, char **out_reason)
{
    if (name.size == 0 || pattern->kind == IS_NETWORK)
        return HK_ABSENT;
    if (pattern->kind == IS_TEXT)
        return text_matches_name (self, hk_span_text (pattern->text), name) ? HK_FOUND
                                                                            : HK_ABSENT;
    if (self->kind == HK_MATCH_STRINGS)
        return hk_maps_get (pattern->maps, name, NULL, out_reason);
    TableFind find = {pattern->maps, out_reason, HK_ABSENT};
    hk_search_domain_keys (name, false, self->parent_matches, ask_table, &find);
    return find.answer;
}

static HkAnswer
match_ip (const Pattern *pattern, HkSpan ip, const HkAddress *address, char **out_reason)
{
    if (ip.size == 0)
        return HK_ABSENT;
    switch (pattern->kind) {
    case IS_NETWORK:
        return address != NULL && hk_network_holds (&pattern->network, address) ? HK_FOUND
                                                                                : HK_ABSENT;
    case IS_TABLE:
        return hk_maps_get (pattern->maps, ip, NULL, out_reason);
    default:
        return hk_span_equal_ci (hk_span_text (pattern->text), ip) ? HK_FOUND : HK_ABSENT;
    }
}

HkAnswer
hk_match_list_find (HkMatchList *self, HkSpan subject, HkSpan ip, char **out_reason)
{
    HkAddress storage;
    const HkAddress *address =
        ip.size > 0 && hk_address_parse_ip (ip, 0, &storage) ? &storage : NULL;
    for (guint i = 0; i < self->patterns->len; i++) {
        const Pattern *pattern = &g_array_index (self->patterns, Pattern, i);
        HkAnswer answer = match_name (self, pattern, subject, out_reason);
        if (answer == HK_ABSENT)
            answer = match_ip (pattern, ip, address, out_reason);
        if (answer == HK_FOUND)
            return pattern->is_negative ? HK_ABSENT : HK_FOUND;
        if (answer != HK_ABSENT)
            return HK_LATER;
    }
    return HK_ABSENT;
}
