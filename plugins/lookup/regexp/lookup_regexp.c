/* lookup_regexp.c: "regexp:" tables: POSIX patterns in order, the first that matches
 * answers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_regexp.h"

/* Frames of the backtracking stack; about 40 bytes each. */
enum { STACK_LIMIT = 200000 };

typedef struct {
    Source source;
    unsigned long retry_limit;
} RegexpTable;

/* What one lookup needs; the compiled patterns are shared by all threads. */
typedef struct {
    const LookupRegexpOnig *onig;
    OnigMatchParam *param;
    OnigRegion *region;
    HkSpan key;
    LiteralsKey literals;
    int error;
} Match;

static HkAnswer
regexp_init (const HkHost *host, HkCall *call)
{
    const char *why;
    if (lookup_regexp_onig (&why) == NULL)
        return host->broken (call, "Oniguruma: %s", why);
    return HK_OK;
}

static HkAnswer
regexp_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    RegexpTable *self = g_new0 (RegexpTable, 1);
    self->source.parse = lookup_regexp_parse;
    self->source.free_table = rules_free;
    self->retry_limit = (unsigned long) host->conf_int (conf, "regexp_retry_limit");
    HkAnswer answer =
        source_open (&self->source, host, host->conf_argument (conf), true, call);
    if (answer != HK_OK)
        g_free (self);
    else
        *out_instance = self;
    return answer;
}

static void
regexp_close (void *instance)
{
    RegexpTable *self = instance;
    source_close (&self->source);
    g_free (self);
}

static void
match_begin (Match *self, HkSpan key, unsigned long retry_limit)
{
    self->onig = lookup_regexp_onig (NULL);
    self->key = key;
    self->error = 0;
    literals_key (&self->literals, key);
    self->region = self->onig->region_new ();
    self->param = self->onig->param_new ();
    self->onig->limit_match (self->param, retry_limit);
    self->onig->limit_search (self->param, retry_limit);
    self->onig->limit_stack (self->param, STACK_LIMIT);
}

static void
match_end (Match *self)
{
    self->onig->region_free (self->region, 1);
    self->onig->param_free (self->param);
}

static RulesOutcome
rule_holds (void *data, const Rule *rule)
{
    Match *self = data;
    const LookupRegexpRegex *regex = rule->regex;
    const OnigUChar *begin = self->key.data, *end = begin + self->key.size;
    int at = ONIG_MISMATCH;
    if (literals_may_match (&regex->literals, &self->literals))
        at = self->onig->search (regex->onig, begin, end, begin, end,
                                 rule->max_group > 0 ? self->region : NULL,
                                 ONIG_OPTION_NONE, self->param);
    if (at < 0 && at != ONIG_MISMATCH) {
        self->error = at;
        return RULES_GIVE_UP;
    }
    return (at >= 0) != rule->is_negative ? RULES_HOLDS : RULES_HOLDS_NOT;
}

static HkSpan
group (void *data, guint n)
{
    const Match *self = data;
    const OnigRegion *r = self->region;
    if ((int) n >= r->num_regs || r->beg[n] < 0)
        return (HkSpan){NULL, 0};
    return (HkSpan){self->key.data + r->beg[n], (size_t) (r->end[n] - r->beg[n])};
}

static HkAnswer
regexp_get (void *instance, HkCall *call, HkSpan key)
{
    RegexpTable *self = instance;
    const HkHost *host = self->source.host;
    const Rule *last = NULL;
    Match match;
    SourceText *text = source_get (&self->source);
    HkAnswer answer = HK_ABSENT;
    match_begin (&match, key, self->retry_limit);
    const Rule *rule = rules_find (text->table, rule_holds, &match, &last);
    if (rule != NULL) {
        rules_answer (host, call, rule, group, &match);
        answer = HK_FOUND;
    } else if (match.error != 0) {
        OnigUChar why[ONIG_MAX_ERROR_MESSAGE_LEN];
        match.onig->error_text (why, match.error, NULL);
        answer = host->later (call, "regexp map %s, line %u: %s (regexp_retry_limit)",
                              self->source.name, (unsigned) last->line, (const char *) why);
    }
    match_end (&match);
    source_text_unref (text);
    return answer;
}

static const HkParam regexp_params[] = {
    {"regexp_retry_limit", HK_PARAM_INT, HK_PARAM_RELOADABLE, "200000", 1000, 100000000,
     NULL, "How many steps backwards one pattern of a regexp: table may take for one key."},
    {0},
};

static const HkLookupClass regexp_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "regexp",
             .flags = HK_THREAD_SAFE | HK_PATTERN_KEYS | HK_BINARY_KEYS,
             .params = regexp_params,
             .open = regexp_open,
             .close = regexp_close},
    .get = regexp_get,
};

HK_PLUGIN (lookup_regexp, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "regexp: tables, POSIX patterns in order (Oniguruma)",
           .classes = HK_CLASSES (&regexp_class.base), .init = regexp_init)
