/* lookup_pcre.c: "pcre:" tables: Perl's patterns in order, the first that matches answers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_pcre.h"

typedef struct {
    Source source;
    LookupPcreLimits limits;
    LookupPcreScratch *idle; /* taken by who comes first; atomic */
    HkCounter *n_limits_met;
} PcreTable;

typedef struct {
    PcreTable *table;
    LookupPcreScratch *scratch;
} Match;

static HkAnswer
pcre_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    PcreTable *self = g_new0 (PcreTable, 1);
    self->source.parse = lookup_pcre_parse;
    self->source.free_table = rules_free;
    self->limits.match_limit = (guint32) host->conf_int (conf, "pcre_match_limit");
    self->limits.depth_limit = (guint32) host->conf_int (conf, "pcre_depth_limit");
    self->n_limits_met = host->counter (host, "pcre.limits_met");
    HkAnswer answer =
        source_open (&self->source, host, host->conf_argument (conf), true, call);
    if (answer != HK_OK)
        g_free (self);
    else
        *out_instance = self;
    return answer;
}

static void
pcre_close (void *instance)
{
    PcreTable *self = instance;
    lookup_pcre_scratch_free (self->idle);
    source_close (&self->source);
    g_free (self);
}

static LookupPcreScratch *
take_scratch (PcreTable *self)
{
    LookupPcreScratch *idle = g_atomic_pointer_get (&self->idle);
    if (idle != NULL && g_atomic_pointer_compare_and_exchange (&self->idle, idle, NULL))
        return idle;
    return lookup_pcre_scratch_new (&self->limits);
}

static void
give_scratch (PcreTable *self, LookupPcreScratch *scratch)
{
    if (!g_atomic_pointer_compare_and_exchange (&self->idle, NULL, scratch))
        lookup_pcre_scratch_free (scratch);
}

/* As in Postfix, a rule whose pattern met a limit does not hold, negated or not. */
static void
say_limit (PcreTable *self, LookupPcreRegex *regex, const Rule *rule, int error)
{
    const HkHost *host = self->source.host;
    host->counter_add (self->n_limits_met, 1);
    if (!g_atomic_int_compare_and_exchange (&regex->was_said, 0, 1))
        return;
    guint8 why[256] = "";
    pcre2_get_error_message (error, why, sizeof why);
    host->log (host, HK_LOG_WARNING,
               "pcre map %s, line %u: %s; the rule does not apply to such text (said once)",
               self->source.name, (unsigned) rule->line, (const char *) why);
}

static RulesOutcome
rule_holds (void *data, const Rule *rule)
{
    Match *self = data;
    LookupPcreRegex *regex = rule->regex;
    int got = lookup_pcre_match (self->scratch, regex, rule->max_group);
    if (got >= 0)
        return (got > 0) != rule->is_negative ? RULES_HOLDS : RULES_HOLDS_NOT;
    say_limit (self->table, regex, rule, got);
    return lookup_pcre_is_spent (self->scratch) ? RULES_GIVE_UP : RULES_HOLDS_NOT;
}

static HkSpan
group (void *data, guint n)
{
    return lookup_pcre_group (((const Match *) data)->scratch, n);
}

static HkAnswer
pcre_get (void *instance, HkCall *call, HkSpan key)
{
    PcreTable *self = instance;
    const HkHost *host = self->source.host;
    const Rule *last = NULL;
    Match match = {self, take_scratch (self)};
    SourceText *text = source_get (&self->source);
    HkAnswer answer = HK_ABSENT;
    lookup_pcre_scratch_begin (match.scratch, key);
    const Rule *rule = rules_find (text->table, rule_holds, &match, &last);
    if (rule != NULL) {
        rules_answer (host, call, rule, group, &match);
        answer = HK_FOUND;
    } else if (lookup_pcre_is_spent (match.scratch)) {
        answer =
            host->later (call, "pcre map %s, line %u: the text takes too long to match",
                         self->source.name, last == NULL ? 0u : (unsigned) last->line);
    }
    give_scratch (self, match.scratch);
    source_text_unref (text);
    return answer;
}

static const HkParam pcre_params[] = {
    {"pcre_match_limit", HK_PARAM_INT, HK_PARAM_RELOADABLE, "1000000", 1000, 100000000,
     NULL, "How many steps one pattern of a pcre: table may take for one key."},
    {"pcre_depth_limit", HK_PARAM_INT, HK_PARAM_RELOADABLE, "100000", 100, 10000000, NULL,
     "How deep one pattern of a pcre: table may nest its steps, where it is not compiled "
     "to "
     "machine code."},
    {0},
};

static const HkLookupClass pcre_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "pcre",
             .flags = HK_THREAD_SAFE | HK_PATTERN_KEYS | HK_BINARY_KEYS,
             .params = pcre_params,
             .open = pcre_open,
             .close = pcre_close},
    .get = pcre_get,
};

HK_PLUGIN (lookup_pcre, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "pcre: tables, Perl's patterns in order (PCRE2)",
           .classes = HK_CLASSES (&pcre_class.base))
