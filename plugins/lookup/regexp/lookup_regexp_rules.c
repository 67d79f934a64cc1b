/* lookup_regexp_rules.c: how the patterns of a regexp_table(5) are compiled.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_regexp.h"

enum { IGNORE_CASE = 1 << 0, LINES = 1 << 1, EXTENDED = 1 << 2 };

typedef struct {
    OnigSyntaxType extended, basic, extended_lines, basic_lines;
} Syntaxes; /* the patterns refer to them */

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
static void *
begin (void)
{
    const LookupRegexpOnig *onig = lookup_regexp_onig (NULL);
    Syntaxes *self = g_new0 (Syntaxes, 1);
    onig->copy_syntax (&self->extended, onig->extended);
    onig->copy_syntax (&self->basic, onig->basic);
    self->extended.behavior &= ~ONIG_SYN_BACKSLASH_ESCAPE_IN_CC;
    self->basic.behavior &= ~ONIG_SYN_BACKSLASH_ESCAPE_IN_CC;
    take_libc_escapes (&self->extended);
    take_libc_escapes (&self->basic);
    self->extended_lines = self->extended;
    self->basic_lines = self->basic;
    self->extended_lines.behavior |= ONIG_SYN_NOT_NEWLINE_IN_NEGATIVE_CC;
    self->basic_lines.behavior |= ONIG_SYN_NOT_NEWLINE_IN_NEGATIVE_CC;
    return self;
}

static guint32
flag (char c, const char **out_note)
{
    (void) out_note;
    return c == 'i' ? IGNORE_CASE : c == 'm' ? LINES : c == 'x' ? EXTENDED : 0;
}

static LookupRegexpRegex *
new_regex (OnigRegex onig, const RulesPattern *pattern)
{
    LookupRegexpRegex *self = g_new0 (LookupRegexpRegex, 1);
    self->onig = onig;
    if ((pattern->flags & EXTENDED) != 0)
        literals_find (&self->literals, pattern->text, LITERALS_POSIX);
    return self;
}

static void *
compile (void *shared, const RulesPattern *pattern, uint32_t line, guint *out_n_groups,
         char **out_why)
{
    const LookupRegexpOnig *onig = lookup_regexp_onig (NULL);
    Syntaxes *syntaxes = shared;
    OnigRegex regex = NULL;
    OnigErrorInfo info = {0};
    bool by_line = (pattern->flags & LINES) != 0;
    OnigSyntaxType *syntax =
        (pattern->flags & EXTENDED) != 0
            ? (by_line ? &syntaxes->extended_lines : &syntaxes->extended)
            : (by_line ? &syntaxes->basic_lines : &syntaxes->basic);
    /* Without "m", '.' takes a line end as well, and '^' and '$' are the ends of the key.
     */
    OnigOptionType options = by_line ? ONIG_OPTION_NEGATE_SINGLELINE
                                     : ONIG_OPTION_MULTILINE | ONIG_OPTION_SINGLELINE;
    (void) line;
    if ((pattern->flags & IGNORE_CASE) != 0)
        options |= ONIG_OPTION_IGNORECASE;
    int e = onig->new_regex (&regex, pattern->text.data,
                             pattern->text.data + pattern->text.size, options, onig->ascii,
                             syntax, &info);
    if (e == ONIG_NORMAL) {
        *out_n_groups = (guint) onig->n_captures (regex);
        return new_regex (regex, pattern);
    }
    OnigUChar why[ONIG_MAX_ERROR_MESSAGE_LEN];
    onig->error_text (why, e, &info);
    *out_why = g_strdup ((const char *) why);
    return NULL;
}

static void
free_regex (void *p)
{
    LookupRegexpRegex *regex = p;
    lookup_regexp_onig (NULL)->free_regex (regex->onig);
    literals_clear (&regex->literals);
    g_free (regex);
}

static const RulesEngine engine = {
    .kind = "regexp",
    .unclosed = "skipping",
    .flags = IGNORE_CASE | EXTENDED,
    .flag = flag,
    .begin = begin,
    .end = g_free,
    .compile = compile,
    .free_regex = free_regex,
};

void *
lookup_regexp_parse (Source *source, char *data, size_t size)
{
    return rules_parse (source, &engine, data, size);
}
