/* lookup_pcre_rules.c: how the patterns of a pcre_table(5) are compiled.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_pcre.h"

static const struct {
    char letter;
    guint32 option;
} letters[] = {
    {'i', PCRE2_CASELESS}, {'m', PCRE2_MULTILINE}, {'s', PCRE2_DOTALL},
    {'x', PCRE2_EXTENDED}, {'A', PCRE2_ANCHORED},  {'E', PCRE2_DOLLAR_ENDONLY},
    {'U', PCRE2_UNGREEDY},
};

static guint32
flag (char c, const char **out_note)
{
    for (size_t i = 0; i < G_N_ELEMENTS (letters); i++)
        if (letters[i].letter == c)
            return letters[i].option;
    if (c == 'X')
        *out_note = "ignoring obsolete";
    return 0;
}

static void
free_regex (void *p)
{
    LookupPcreRegex *regex = p;
    pcre2_code_free (regex->code);
    literals_clear (&regex->literals);
    g_free (regex);
}

static guint32
info (const pcre2_code *code, guint32 what)
{
    guint32 value = 0;
    return pcre2_pattern_info (code, what, &value) == 0 ? value : 0;
}

/* \G and verbs such as (*COMMIT) see where a search began: it must not begin again. */
static bool
depends_on_start (HkSpan pattern)
{
    const char *p = (const char *) pattern.data;
    return g_strstr_len (p, (gssize) pattern.size, "\\G") != NULL ||
           g_strstr_len (p, (gssize) pattern.size, "(*") != NULL;
}

/* What can be known of the pattern before it is run. */
static void
study (LookupPcreRegex *self, const RulesPattern *pattern)
{
    size_t jit_size = 0;
    self->has_jit = pcre2_jit_compile (self->code, PCRE2_JIT_COMPLETE) == 0 &&
                    pcre2_pattern_info (self->code, PCRE2_INFO_JITSIZE, &jit_size) == 0 &&
                    jit_size > 0;
    self->min_length = info (self->code, PCRE2_INFO_MINLENGTH);
    self->is_anchored = (info (self->code, PCRE2_INFO_ALLOPTIONS) & PCRE2_ANCHORED) != 0 ||
                        depends_on_start (pattern->text);
    if ((pattern->flags & PCRE2_EXTENDED) == 0)
        literals_find (&self->literals, pattern->text, LITERALS_PERL);
}

static void *
compile (void *shared, const RulesPattern *pattern, uint32_t line, guint *out_n_groups,
         char **out_why)
{
    int error;
    PCRE2_SIZE offset;
    (void) shared;
    (void) line;
    pcre2_code *code =
        pcre2_compile (pattern->text.data, pattern->text.size,
                       pattern->flags | PCRE2_USE_OFFSET_LIMIT, &error, &offset, NULL);
    if (code == NULL) {
        guint8 why[256] = "";
        pcre2_get_error_message (error, why, sizeof why);
        *out_why = g_strdup_printf ("error in regex at offset %zu: %s", (size_t) offset,
                                    (const char *) why);
        return NULL;
    }
    LookupPcreRegex *self = g_new0 (LookupPcreRegex, 1);
    self->code = code;
    *out_n_groups = info (code, PCRE2_INFO_CAPTURECOUNT);
    study (self, pattern);
    return self;
}

static const RulesEngine engine = {
    .kind = "pcre",
    .unclosed = "ignoring",
    .flags = PCRE2_CASELESS | PCRE2_DOTALL,
    .flag = flag,
    .compile = compile,
    .free_regex = free_regex,
};

void *
lookup_pcre_parse (Source *source, char *data, size_t size)
{
    return rules_parse (source, &engine, data, size);
}
