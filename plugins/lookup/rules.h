/* rules.h: the text of regexp_table(5) and pcre_table(5): rules with patterns, read once
 * for whatever library runs the patterns.
 *
 * The plugin brings a RulesEngine, which knows flags and compiles patterns, and asks
 * rules_find and rules_answer for each key.  Static functions only: nothing here is visible
 * outside the plugin that includes it. */
#ifndef HK_PLUGINS_LOOKUP_RULES_H
#define HK_PLUGINS_LOOKUP_RULES_H

#include "source.h"

enum { RULES_MAX_NESTING = 64, RULES_MAX_GROUP = 65535 };

typedef struct {
    HkSpan text;
    bool is_negative;
    guint32 flags; /* as the engine numbers them */
} RulesPattern;

typedef struct {
    enum { RULES_ANSWER, RULES_IF, RULES_ENDIF } kind;
    bool is_negative;
    void *regex;    /* of the engine; NULL for ENDIF */
    guint after;    /* of an IF that does not hold: where to go on */
    GArray *pieces; /* RulesPiece: the answer */
    guint max_group;
    uint32_t line;
} Rule;

typedef struct {
    int group; /* -1: TEXT */
    char *text;
} RulesPiece;

/* All of it is for one thread at a time, the one that reads the text. */
typedef struct {
    const char *kind;     /* "pcre", as in messages */
    const char *unclosed; /* what is said to happen to a pattern that does not end */
    guint32 flags;        /* those that are on unless toggled */
    guint32 (*flag) (char c, const char **out_note); /* 0: unknown, or OUT_NOTE says why */
    void *(*begin) (void); /* what the patterns of one text share; may be NULL */
    void (*end) (void *shared);
    /* NULL: OUT_WHY, to be freed, says what is wrong.  The line is for its own messages. */
    void *(*compile) (void *shared, const RulesPattern *pattern, uint32_t line,
                      guint *out_n_groups, char **out_why);
    void (*free_regex) (void *regex);
} RulesEngine;

typedef struct {
    const RulesEngine *engine;
    void *shared;
    GArray *rules; /* Rule */
} Rules;

typedef struct {
    Source *source;
    Rules *out;
    guint open[RULES_MAX_NESTING]; /* indexes of IFs without their ENDIF */
    guint n_open;
    uint32_t line;
} RulesParser;

static inline void HK_PRINTF (2, 3)
    rules_warn (RulesParser *parser, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    g_autofree char *text = g_strdup_vprintf (format, ap);
    va_end (ap);
    parser->source->host->log (parser->source->host, HK_LOG_WARNING,
                               "%s map %s, line %u: %s", parser->out->engine->kind,
                               parser->source->name, (unsigned) parser->line, text);
}

static inline void
rules_clear_piece (void *p)
{
    g_free (((RulesPiece *) p)->text);
}

static inline void
rules_clear_rule (const Rules *self, Rule *rule)
{
    if (rule->regex != NULL)
        self->engine->free_regex (rule->regex);
    if (rule->pieces != NULL)
        g_array_unref (rule->pieces);
}

static inline void
rules_free (void *table)
{
    Rules *self = table;
    for (guint i = 0; i < self->rules->len; i++)
        rules_clear_rule (self, &g_array_index (self->rules, Rule, i));
    g_array_unref (self->rules);
    if (self->engine->end != NULL)
        self->engine->end (self->shared);
    g_free (self);
}

/* ---- the answer: text with $1 ${1} $(1) $$ ---- */

static inline void
rules_add_text (GArray *pieces, GString *text)
{
    if (text->len == 0)
        return;
    RulesPiece piece = {-1, g_strdup (text->str)};
    g_array_append_val (pieces, piece);
    g_string_truncate (text, 0);
}

/* The name after a '$' at P; NULL: it does not end.  *END is after it. */
static inline char *
rules_macro_name (const char *p, const char **end)
{
    const char *q = p;
    if (*p == '{' || *p == '(') {
        q = strchr (p, *p == '{' ? '}' : ')');
        if (q == NULL)
            return NULL;
        *end = q + 1;
        return g_strndup (p + 1, (gsize) (q - p - 1));
    }
    while (g_ascii_isalnum (*q) || *q == '_')
        q++;
    *end = q;
    return g_strndup (p, (gsize) (q - p));
}

/* The group that NAME means; 0 after a warning.  ALL is the whole answer. */
static inline guint
rules_group (RulesParser *parser, const char *name, const char *all)
{
    guint64 n = 0;
    if (name == NULL)
        rules_warn (parser, "truncated macro reference: \"%s\"", all);
    else if (*name == '\0')
        rules_warn (parser, "empty macro name: \"%s\"", all);
    else if (strspn (name, "0123456789") != strlen (name))
        rules_warn (parser, "non-numeric replacement index \"%s\"", name);
    else if ((n = g_ascii_strtoull (name, NULL, 10)) == 0)
        rules_warn (parser, "out of range replacement index \"%s\"", name);
    if (n == 0)
        rules_warn (parser, "bad replacement syntax: skipping this rule");
    return (guint) MIN (n, RULES_MAX_GROUP + 1);
}

static inline bool
rules_parse_answer (RulesParser *parser, const char *all, Rule *rule)
{
    g_autoptr (GString) text = g_string_new (NULL);
    rule->pieces = g_array_new (FALSE, FALSE, sizeof (RulesPiece));
    g_array_set_clear_func (rule->pieces, rules_clear_piece);
    for (const char *p = all; *p != '\0';) {
        if (*p != '$' || p[1] == '$') {
            g_string_append_c (text, *p);
            p += *p == '$' ? 2 : 1;
            continue;
        }
        g_autofree char *name = rules_macro_name (p + 1, &p);
        guint n = rules_group (parser, name, all);
        if (n == 0)
            return false;
        rules_add_text (rule->pieces, text);
        RulesPiece piece = {(int) n, NULL};
        g_array_append_val (rule->pieces, piece);
        rule->max_group = MAX (rule->max_group, n);
    }
    rules_add_text (rule->pieces, text);
    return true;
}

/* ---- the pattern ---- */

static inline bool
rules_parse_flags (RulesParser *parser, const char **p, RulesPattern *out)
{
    for (; **p != '\0' && !hk_is_blank (**p); (*p)++) {
        const char *note = NULL;
        guint32 flag = parser->out->engine->flag (**p, &note);
        if (flag == 0 && note == NULL) {
            rules_warn (parser, "unknown regexp option \"%c\": skipping this rule", **p);
            return false;
        }
        if (note != NULL)
            rules_warn (parser, "%s regexp option \"%c\"", note, **p);
        out->flags ^= flag;
    }
    while (hk_is_blank (**p))
        (*p)++;
    return true;
}

/* "!/pattern/flags"; *P moves behind it. */
static inline bool
rules_parse_pattern (RulesParser *parser, const char **p, RulesPattern *out)
{
    *out = (RulesPattern){.flags = parser->out->engine->flags};
    while (**p == '!' || hk_is_blank (**p)) {
        out->is_negative = (**p == '!') != out->is_negative;
        (*p)++;
    }
    char delimiter = **p;
    if (delimiter == '\0') {
        rules_warn (parser, "no regexp: skipping this rule");
        return false;
    }
    const char *q = ++*p;
    while (*q != '\0' && *q != delimiter)
        q += *q == '\\' && q[1] != '\0' ? 2 : 1;
    if (*q == '\0') {
        rules_warn (parser, "no closing regexp delimiter \"%c\": %s this rule", delimiter,
                    parser->out->engine->unclosed);
        return false;
    }
    out->text = (HkSpan){(const uint8_t *) *p, (size_t) (q - *p)};
    *p = q + 1;
    return rules_parse_flags (parser, p, out);
}

static inline bool
rules_compile (RulesParser *parser, const RulesPattern *pattern, Rule *rule)
{
    const Rules *rules = parser->out;
    guint n_groups = 0;
    g_autofree char *why = NULL;
    rule->regex =
        rules->engine->compile (rules->shared, pattern, parser->line, &n_groups, &why);
    rule->is_negative = pattern->is_negative;
    if (rule->regex == NULL)
        rules_warn (parser, "%s", why);
    else if (rule->max_group > n_groups)
        rules_warn (parser, "out of range replacement index \"%u\": skipping this rule",
                    rule->max_group);
    return rule->regex != NULL && rule->max_group <= n_groups;
}

static inline void
rules_add_rule (RulesParser *parser, const char *p)
{
    Rule rule = {.kind = RULES_ANSWER, .line = parser->line};
    RulesPattern pattern;
    if (!rules_parse_pattern (parser, &p, &pattern))
        return;
    if (*p == '\0')
        rules_warn (parser, "no replacement text: using empty string");
    bool is_good = rules_parse_answer (parser, p, &rule);
    if (is_good && pattern.is_negative && rule.max_group > 0) {
        rules_warn (parser, "$number found in negative match replacement text: skipping "
                            "this rule");
        is_good = false;
    }
    if (is_good && rules_compile (parser, &pattern, &rule))
        g_array_append_val (parser->out->rules, rule);
    else
        rules_clear_rule (parser->out, &rule);
}

static inline void
rules_add_if (RulesParser *parser, const char *p)
{
    Rule rule = {.kind = RULES_IF, .line = parser->line};
    RulesPattern pattern;
    if (!rules_parse_pattern (parser, &p, &pattern))
        return;
    if (*p != '\0') {
        rules_warn (parser, "ignoring extra text after IF statement: \"%s\"", p);
        rules_warn (parser, "do not prepend whitespace to statements between IF and ENDIF");
    }
    if (!rules_compile (parser, &pattern, &rule))
        return;
    if (parser->n_open == RULES_MAX_NESTING) {
        rules_warn (parser, "IF nested too deeply: skipping this rule");
        rules_clear_rule (parser->out, &rule);
        return;
    }
    parser->open[parser->n_open++] = parser->out->rules->len;
    g_array_append_val (parser->out->rules, rule);
}

static inline void
rules_end_if (RulesParser *parser, const char *p)
{
    if (*p != '\0')
        rules_warn (parser, "ignoring extra text after ENDIF");
    if (parser->n_open == 0) {
        rules_warn (parser, "ignoring ENDIF without matching IF");
        return;
    }
    Rule rule = {.kind = RULES_ENDIF};
    GArray *rules = parser->out->rules;
    g_array_append_val (rules, rule);
    g_array_index (rules, Rule, parser->open[--parser->n_open]).after = rules->len;
}

static inline bool
rules_starts_with (const char *p, const char *word)
{
    gsize n = strlen (word);
    return g_ascii_strncasecmp (p, word, n) == 0 && !g_ascii_isalnum (p[n]);
}

static inline void
rules_parse_line (RulesParser *parser, const char *p)
{
    if (rules_starts_with (p, "endif"))
        rules_end_if (parser, p + strlen ("endif"));
    else if (rules_starts_with (p, "if"))
        rules_add_if (parser, p + strlen ("if"));
    else if (!g_ascii_isalnum (*p))
        rules_add_rule (parser, p);
    else
        rules_warn (parser, "ignoring unrecognized request");
}

/* The text of SOURCE, compiled; rules_free it. */
static inline Rules *
rules_parse (Source *source, const RulesEngine *engine, char *data, size_t size)
{
    RulesParser parser = {.source = source, .out = g_new0 (Rules, 1)};
    HkLines lines = hk_lines (data, size);
    HkSpan line;
    int got;
    parser.out->engine = engine;
    parser.out->shared = engine->begin == NULL ? NULL : engine->begin ();
    parser.out->rules = g_array_new (FALSE, TRUE, sizeof (Rule));
    while ((got = hk_lines_next (&lines, &line, &parser.line)) != 0) {
        g_autofree char *text = g_strndup ((const char *) line.data, line.size);
        if (got > 0)
            rules_parse_line (&parser, text);
        else
            rules_warn (&parser, "logical line must not start with whitespace");
    }
    for (; parser.n_open > 0; parser.n_open--) {
        Rule *rule =
            &g_array_index (parser.out->rules, Rule, parser.open[parser.n_open - 1]);
        parser.line = rule->line;
        rules_warn (&parser, "IF has no matching ENDIF");
        rule->after = parser.out->rules->len;
    }
    return parser.out;
}

/* ---- asking ---- */

typedef enum { RULES_HOLDS, RULES_HOLDS_NOT, RULES_GIVE_UP } RulesOutcome;

/* The first rule that answers; NULL: none, or HOLDS gave up, on *OUT_LAST. */
static inline const Rule *
rules_find (const Rules *self, RulesOutcome (*holds) (void *match, const Rule *rule),
            void *match, const Rule **out_last)
{
    const Rule *rules = (const Rule *) (void *) self->rules->data;
    guint i = 0, n = self->rules->len;
    while (i < n) {
        const Rule *rule = &rules[i];
        RulesOutcome outcome =
            rule->kind == RULES_ENDIF ? RULES_HOLDS_NOT : holds (match, rule);
        *out_last = rule;
        if (outcome == RULES_GIVE_UP)
            return NULL;
        if (outcome == RULES_HOLDS && rule->kind == RULES_ANSWER)
            return rule;
        i = outcome != RULES_HOLDS && rule->kind == RULES_IF ? rule->after : i + 1;
    }
    return NULL;
}

/* The answer of RULE, with what the groups took: GROUP gives the N-th, empty when it took
 * nothing. */
static inline void
rules_answer (const HkHost *host, HkCall *call, const Rule *rule,
              HkSpan (*group) (void *match, guint n), void *match)
{
    g_autoptr (GString) out = g_string_new (NULL);
    for (guint i = 0; i < rule->pieces->len; i++) {
        const RulesPiece *piece = &g_array_index (rule->pieces, RulesPiece, i);
        if (piece->group < 0) {
            g_string_append (out, piece->text);
            continue;
        }
        HkSpan took = group (match, (guint) piece->group);
        if (took.size > 0)
            g_string_append_len (out, (const char *) took.data, (gssize) took.size);
    }
    host->answer (call, out->str, out->len);
}

#endif
