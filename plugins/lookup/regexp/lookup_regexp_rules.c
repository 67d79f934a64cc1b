/* lookup_regexp_rules.c: the text of a regexp_table(5), compiled.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_regexp.h"

enum { MAX_NESTING = 64 };

typedef struct {
    Source *source;
    LookupRegexpRules *out;
    guint open[MAX_NESTING]; /* indexes of IFs without their ENDIF */
    guint n_open;
    uint32_t line;
} Parser;

static void HK_PRINTF (2, 3) warn (Parser *parser, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    g_autofree char *text = g_strdup_vprintf (format, ap);
    va_end (ap);
    parser->source->host->log (parser->source->host, HK_LOG_WARNING,
                               "regexp map %s, line %u: %s", parser->source->name,
                               (unsigned) parser->line, text);
}

static void
clear_piece (void *p)
{
    g_free (((LookupRegexpPiece *) p)->text);
}

static void
clear_rule (void *p)
{
    LookupRegexpRule *rule = p;
    if (rule->regex != NULL)
        lookup_regexp_onig (NULL)->free_regex (rule->regex);
    if (rule->pieces != NULL)
        g_array_unref (rule->pieces);
}

void
lookup_regexp_free (void *table)
{
    LookupRegexpRules *rules = table;
    g_array_unref (rules->rules);
    g_free (rules);
}

/* ---- the answer: text with $1 ${1} $(1) $$ ---- */

static void
add_text (GArray *pieces, GString *text)
{
    if (text->len == 0)
        return;
    LookupRegexpPiece piece = {-1, g_strdup (text->str)};
    g_array_append_val (pieces, piece);
    g_string_truncate (text, 0);
}

/* The name after a '$' at P; NULL: bad syntax.  *END is after it. */
static char *
macro_name (const char *p, const char **end)
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
    return q == p ? NULL : g_strndup (p, (gsize) (q - p));
}

static bool
parse_answer (Parser *parser, const char *p, LookupRegexpRule *rule)
{
    g_autoptr (GString) text = g_string_new (NULL);
    rule->pieces = g_array_new (FALSE, FALSE, sizeof (LookupRegexpPiece));
    g_array_set_clear_func (rule->pieces, clear_piece);
    while (*p != '\0') {
        if (*p != '$' || p[1] == '$') {
            g_string_append_c (text, *p);
            p += *p == '$' ? 2 : 1;
            continue;
        }
        g_autofree char *name = macro_name (p + 1, &p);
        if (name == NULL || *name == '\0' || strspn (name, "0123456789") != strlen (name)) {
            warn (parser,
                  "non-numeric replacement index \"%s\": bad replacement syntax: "
                  "skipping this rule",
                  name == NULL ? "" : name);
            return false;
        }
        guint64 n = strlen (name) > 4 ? 10000 : g_ascii_strtoull (name, NULL, 10);
        if (n == 0 || n > 999) {
            warn (parser, "out of range replacement index \"%s\": skipping this rule",
                  name);
            return false;
        }
        add_text (rule->pieces, text);
        LookupRegexpPiece piece = {(int) n, NULL};
        g_array_append_val (rule->pieces, piece);
        rule->max_group = MAX (rule->max_group, (guint) n);
    }
    add_text (rule->pieces, text);
    return true;
}

/* ---- the pattern ---- */

typedef struct {
    HkSpan text;
    bool is_negative, ignore_case, lines, extended;
} Pattern;

static bool
parse_flags (Parser *parser, const char **p, Pattern *out)
{
    for (; **p != '\0' && !hk_is_blank (**p); (*p)++) {
        switch (**p) {
        case 'i':
            out->ignore_case = !out->ignore_case;
            break;
        case 'm':
            out->lines = !out->lines;
            break;
        case 'x':
            out->extended = !out->extended;
            break;
        default:
            warn (parser, "unknown regexp option \"%c\": skipping this rule", **p);
            return false;
        }
    }
    while (hk_is_blank (**p))
        (*p)++;
    return true;
}

/* "!/pattern/flags"; *P moves behind it. */
static bool
parse_pattern (Parser *parser, const char **p, Pattern *out)
{
    *out = (Pattern){.ignore_case = true, .extended = true};
    while (**p == '!' || hk_is_blank (**p)) {
        out->is_negative = (**p == '!') != out->is_negative;
        (*p)++;
    }
    char delimiter = **p;
    if (delimiter == '\0') {
        warn (parser, "no regexp: skipping this rule");
        return false;
    }
    const char *q = ++*p;
    while (*q != '\0' && *q != delimiter)
        q += *q == '\\' && q[1] != '\0' ? 2 : 1;
    if (*q == '\0') {
        warn (parser, "no closing regexp delimiter \"%c\": skipping this rule", delimiter);
        return false;
    }
    out->text = (HkSpan){(const uint8_t *) *p, (size_t) (q - *p)};
    *p = q + 1;
    return parse_flags (parser, p, out);
}

static bool
compile (Parser *parser, const Pattern *pattern, LookupRegexpRule *rule)
{
    const LookupRegexpOnig *onig = lookup_regexp_onig (NULL);
    LookupRegexpRules *rules = parser->out;
    OnigErrorInfo info = {0};
    OnigSyntaxType *syntax =
        pattern->extended ? (pattern->lines ? &rules->extended_lines : &rules->extended)
                          : (pattern->lines ? &rules->basic_lines : &rules->basic);
    /* Without "m", '.' takes a line end as well, and '^' and '$' are the ends of the key.
     */
    OnigOptionType options = pattern->lines
                                 ? ONIG_OPTION_NEGATE_SINGLELINE
                                 : ONIG_OPTION_MULTILINE | ONIG_OPTION_SINGLELINE;
    if (pattern->ignore_case)
        options |= ONIG_OPTION_IGNORECASE;
    int e = onig->new_regex (&rule->regex, pattern->text.data,
                             pattern->text.data + pattern->text.size, options, onig->ascii,
                             syntax, &info);
    if (e == ONIG_NORMAL)
        return true;
    OnigUChar why[ONIG_MAX_ERROR_MESSAGE_LEN];
    onig->error_text (why, e, &info);
    warn (parser, "%s: skipping this rule", (const char *) why);
    rule->regex = NULL;
    return false;
}

static bool
check_groups (Parser *parser, const LookupRegexpRule *rule)
{
    if (rule->max_group == 0)
        return true;
    if (rule->is_negative) {
        warn (parser,
              "$number found in negative match replacement text: skipping this rule");
        return false;
    }
    if ((int) rule->max_group > lookup_regexp_onig (NULL)->n_captures (rule->regex)) {
        warn (parser, "out of range replacement index \"%u\": skipping this rule",
              rule->max_group);
        return false;
    }
    return true;
}

static void
add_rule (Parser *parser, const char *p)
{
    LookupRegexpRule rule = {.kind = LOOKUP_REGEXP_ANSWER, .line = parser->line};
    Pattern pattern;
    if (!parse_pattern (parser, &p, &pattern))
        return;
    rule.is_negative = pattern.is_negative;
    if (*p == '\0')
        warn (parser, "no replacement text: using empty string");
    if (parse_answer (parser, p, &rule) && compile (parser, &pattern, &rule) &&
        check_groups (parser, &rule))
        g_array_append_val (parser->out->rules, rule);
    else
        clear_rule (&rule);
}

static void
add_if (Parser *parser, const char *p)
{
    LookupRegexpRule rule = {.kind = LOOKUP_REGEXP_IF, .line = parser->line};
    Pattern pattern;
    if (!parse_pattern (parser, &p, &pattern) || !compile (parser, &pattern, &rule))
        return;
    rule.is_negative = pattern.is_negative;
    if (*p != '\0')
        warn (parser, "ignoring extra text after \"IF\" statement: \"%s\"", p);
    if (parser->n_open == MAX_NESTING) {
        warn (parser, "IF nested too deeply: skipping this rule");
        clear_rule (&rule);
        return;
    }
    parser->open[parser->n_open++] = parser->out->rules->len;
    g_array_append_val (parser->out->rules, rule);
}

static void
end_if (Parser *parser, const char *rest)
{
    if (parser->n_open == 0) {
        warn (parser, "ignoring ENDIF without matching IF");
        return;
    }
    if (*rest != '\0')
        warn (parser, "ignoring extra text after ENDIF");
    LookupRegexpRule rule = {.kind = LOOKUP_REGEXP_ENDIF};
    GArray *rules = parser->out->rules;
    g_array_append_val (rules, rule);
    g_array_index (rules, LookupRegexpRule, parser->open[--parser->n_open]).after =
        rules->len;
}

static bool
starts_with_word (const char *p, const char *word)
{
    gsize n = strlen (word);
    return g_ascii_strncasecmp (p, word, n) == 0 && !g_ascii_isalnum (p[n]);
}

static void
parse_line (Parser *parser, const char *p)
{
    if (starts_with_word (p, "endif"))
        end_if (parser, p + strlen ("endif"));
    else if (starts_with_word (p, "if"))
        add_if (parser, p + 2);
    else if (!g_ascii_isalnum (*p))
        add_rule (parser, p);
    else
        warn (parser, "ignoring unrecognized request");
}

/* The C library's idea of POSIX patterns, which is Postfix's: \d, \A, \Z, \G are letters
 * with a needless backslash, \` and \' the ends of the key, and "{" begins a repetition. */
static void
take_libc_escapes (OnigSyntaxType *syntax)
{
    syntax->op &= ~(ONIG_SYN_OP_ESC_D_DIGIT | ONIG_SYN_OP_ESC_AZ_BUF_ANCHOR |
                    ONIG_SYN_OP_ESC_CAPITAL_G_BEGIN_ANCHOR);
    syntax->op2 |= ONIG_SYN_OP2_ESC_GNU_BUF_ANCHOR;
    syntax->behavior &= ~ONIG_SYN_ALLOW_INVALID_INTERVAL;
    syntax->behavior |= ONIG_SYN_ALLOW_INTERVAL_LOW_ABBREV; /* {,n} */
}

/* POSIX: a backslash in brackets is itself; with "m" a line end is in no negated bracket.
 */
static void
prepare_syntaxes (LookupRegexpRules *rules)
{
    const LookupRegexpOnig *onig = lookup_regexp_onig (NULL);
    onig->copy_syntax (&rules->extended, onig->extended);
    onig->copy_syntax (&rules->basic, onig->basic);
    rules->extended.behavior &= ~ONIG_SYN_BACKSLASH_ESCAPE_IN_CC;
    rules->basic.behavior &= ~ONIG_SYN_BACKSLASH_ESCAPE_IN_CC;
    take_libc_escapes (&rules->extended);
    take_libc_escapes (&rules->basic);
    rules->extended_lines = rules->extended;
    rules->basic_lines = rules->basic;
    rules->extended_lines.behavior |= ONIG_SYN_NOT_NEWLINE_IN_NEGATIVE_CC;
    rules->basic_lines.behavior |= ONIG_SYN_NOT_NEWLINE_IN_NEGATIVE_CC;
}

void *
lookup_regexp_parse (Source *source, char *data, size_t size)
{
    Parser parser = {.source = source, .out = g_new0 (LookupRegexpRules, 1)};
    HkLines lines = hk_lines (data, size);
    HkSpan line;
    int got;
    parser.out->rules = g_array_new (FALSE, TRUE, sizeof (LookupRegexpRule));
    g_array_set_clear_func (parser.out->rules, clear_rule);
    prepare_syntaxes (parser.out);
    while ((got = hk_lines_next (&lines, &line, &parser.line)) != 0) {
        g_autofree char *text = g_strndup ((const char *) line.data, line.size);
        if (got > 0)
            parse_line (&parser, text);
        else
            warn (&parser, "logical line must not start with whitespace");
    }
    for (; parser.n_open > 0; parser.n_open--) {
        LookupRegexpRule *rule = &g_array_index (parser.out->rules, LookupRegexpRule,
                                                 parser.open[parser.n_open - 1]);
        parser.line = rule->line;
        warn (&parser, "IF has no matching ENDIF");
        rule->after = parser.out->rules->len;
    }
    return parser.out;
}
