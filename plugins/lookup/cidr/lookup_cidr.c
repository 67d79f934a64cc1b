/* lookup_cidr.c: "cidr:" tables: networks in order, the first that holds the address
 * answers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../source.h"

#include <arpa/inet.h>

enum { MAX_NESTING = 64 };

typedef struct {
    enum { RULE_ANSWER, RULE_IF, RULE_ENDIF } kind;
    bool is_negative;
    guint8 family; /* AF_INET, AF_INET6 */
    guint8 bits;
    guint8 net[16];
    guint after; /* of an IF that does not hold: where to go on */
    uint32_t line;
    char *result;
    gsize result_size;
} Rule;

typedef struct {
    Source source;
} CidrTable;

static void
clear_rule (void *p)
{
    g_free (((Rule *) p)->result);
}

static void
free_rules (void *table)
{
    g_array_unref (table);
}

static void
skip (Source *source, uint32_t line, const char *what, HkSpan about)
{
    const char *quote = about.size > 0 ? "\"" : "";
    source->host->log (source->host, HK_LOG_WARNING,
                       "cidr map %s, line %u: %s%s%.*s%s: skipping this rule", source->name,
                       (unsigned) line, what, quote, (int) about.size,
                       (const char *) about.data, quote);
}

/* ---- addresses and networks ---- */

static bool
parse_address (const char *text, Rule *out)
{
    out->family = strchr (text, ':') != NULL ? AF_INET6 : AF_INET;
    return inet_pton (out->family, text, out->net) == 1;
}

static guint
full_bits (const Rule *rule)
{
    return rule->family == AF_INET6 ? 128 : 32;
}

static bool
has_host_bits (const Rule *rule)
{
    for (guint bit = rule->bits; bit < full_bits (rule); bit++)
        if (rule->net[bit / 8] & (0x80 >> bit % 8))
            return true;
    return false;
}

static bool
holds (const Rule *rule, const Rule *address)
{
    guint bytes = rule->bits / 8, rest = rule->bits % 8;
    if (rule->family != address->family)
        return false;
    if (memcmp (rule->net, address->net, bytes) != 0)
        return false;
    guint8 mask = (guint8) (0xff00 >> rest);
    return rest == 0 || ((rule->net[bytes] ^ address->net[bytes]) & mask) == 0;
}

/* "addr", "addr/len", both also in "[ ]" as a whole or around the address.  NULL: good. */
static const char *
parse_network (HkSpan pattern, Rule *out)
{
    g_autofree char *text = g_strndup ((const char *) pattern.data, pattern.size);
    char *address = text;
    if (*address == '[') {
        char *close = strchr (++address, ']');
        if (close == NULL || (close[1] != '\0' && close[1] != '/'))
            return "bad address pattern: ";
        memmove (close, close + 1, strlen (close));
    }
    char *slash = strchr (address, '/');
    if (slash != NULL)
        *slash++ = '\0';
    if (!parse_address (address, out))
        return "bad address pattern: ";
    out->bits = (guint8) full_bits (out);
    if (slash == NULL)
        return NULL;
    gsize digits = strspn (slash, "0123456789");
    if (digits == 0 || digits > 3 || slash[digits] != '\0' ||
        g_ascii_strtoull (slash, NULL, 10) > full_bits (out))
        return "bad mask length in ";
    out->bits = (guint8) g_ascii_strtoull (slash, NULL, 10);
    return has_host_bits (out) ? "non-null host address bits in " : NULL;
}

/* ---- the text ---- */

typedef struct {
    Source *source;
    GArray *rules;
    guint open[MAX_NESTING]; /* indexes of IFs without their ENDIF */
    guint n_open;
    uint32_t line;
} Parser;

static void
add_rule (Parser *parser, HkSpan pattern, HkSpan result, bool is_if)
{
    Rule rule = {.kind = is_if ? RULE_IF : RULE_ANSWER, .line = parser->line};
    while (pattern.size > 0 && pattern.data[0] == '!') {
        rule.is_negative = !rule.is_negative;
        pattern = hk_strip_blanks ((const char *) pattern.data + 1,
                                   (const char *) pattern.data + pattern.size);
    }
    const char *why = parse_network (pattern, &rule);
    if (why != NULL) {
        skip (parser->source, parser->line, why, pattern);
        return;
    }
    if (is_if && parser->n_open == MAX_NESTING) {
        skip (parser->source, parser->line, "IF nested too deeply: ", pattern);
        return;
    }
    if (is_if)
        parser->open[parser->n_open++] = parser->rules->len;
    else
        rule.result = g_strndup ((const char *) result.data, result.size);
    rule.result_size = is_if ? 0 : result.size;
    g_array_append_val (parser->rules, rule);
}

static void
end_if (Parser *parser, HkSpan rest)
{
    HkSpan none = {NULL, 0};
    if (rest.size > 0) {
        skip (parser->source, parser->line, "garbage after ENDIF", none);
        return;
    }
    if (parser->n_open == 0) {
        skip (parser->source, parser->line, "ENDIF without IF", none);
        return;
    }
    Rule rule = {.kind = RULE_ENDIF};
    g_array_append_val (parser->rules, rule);
    g_array_index (parser->rules, Rule, parser->open[--parser->n_open]).after =
        parser->rules->len;
}

/* "if !net", "if!net", "endif"; what follows, without blanks around it, in *REST. */
static bool
starts_with_word (HkSpan line, const char *word, HkSpan *rest)
{
    const char *p = (const char *) line.data;
    size_t n = strlen (word);
    if (line.size < n || g_ascii_strncasecmp (p, word, n) != 0 ||
        (line.size > n && g_ascii_isalnum (p[n])))
        return false;
    *rest = hk_strip_blanks (p + n, p + line.size);
    return true;
}

/* First word of LINE; what follows, without blanks around it, in *REST. */
static HkSpan
first_word (HkSpan line, HkSpan *rest)
{
    const char *p = (const char *) line.data, *end = p + line.size, *q = p;
    while (q < end && !hk_is_blank (*q))
        q++;
    *rest = hk_strip_blanks (q, end);
    return (HkSpan){line.data, (size_t) (q - p)};
}

static void
parse_line (Parser *parser, HkSpan line)
{
    HkSpan rest, none = {NULL, 0};
    if (starts_with_word (line, "endif", &rest)) {
        end_if (parser, rest);
        return;
    }
    if (starts_with_word (line, "if", &rest)) {
        add_rule (parser, rest, none, true);
        return;
    }
    HkSpan word = first_word (line, &rest);
    if (word.size == 1 && word.data[0] == '!') { /* "! pattern result" */
        HkSpan tail;
        first_word (rest, &tail);
        word.size = (size_t) (tail.data - line.data);
        word = hk_strip_blanks ((const char *) word.data,
                                (const char *) word.data + word.size);
        rest = tail;
    }
    if (rest.size == 0)
        skip (parser->source, parser->line, "no lookup result", none);
    else
        add_rule (parser, word, rest, false);
}

static void *
parse (Source *source, char *data, size_t size)
{
    Parser parser = {.source = source};
    HkLines lines = hk_lines (data, size);
    HkSpan line;
    int got;
    parser.rules = g_array_new (FALSE, TRUE, sizeof (Rule));
    g_array_set_clear_func (parser.rules, clear_rule);
    while ((got = hk_lines_next (&lines, &line, &parser.line)) != 0) {
        if (got > 0)
            parse_line (&parser, line);
        else
            source->host->log (source->host, HK_LOG_WARNING,
                               "cidr map %s, line %u: logical line must not start with "
                               "whitespace",
                               source->name, (unsigned) parser.line);
    }
    while (parser.n_open > 0) {
        Rule *rule = &g_array_index (parser.rules, Rule, parser.open[--parser.n_open]);
        source->host->log (source->host, HK_LOG_WARNING,
                           "cidr map %s, line %u: IF has no matching ENDIF", source->name,
                           (unsigned) rule->line);
        rule->after = parser.rules->len;
    }
    return parser.rules;
}

/* ---- the table ---- */

static HkAnswer
cidr_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    CidrTable *self = g_new0 (CidrTable, 1);
    self->source.parse = parse;
    self->source.free_table = free_rules;
    HkAnswer answer =
        source_open (&self->source, host, host->conf_argument (conf), true, call);
    if (answer != HK_OK)
        g_free (self);
    else
        *out_instance = self;
    return answer;
}

static void
cidr_close (void *instance)
{
    CidrTable *self = instance;
    source_close (&self->source);
    g_free (self);
}

/* A rule says something only about addresses of its own family, negated or not. */
static bool
rule_holds (const Rule *rule, const Rule *address)
{
    return rule->family == address->family && holds (rule, address) != rule->is_negative;
}

static const Rule *
find_rule (const GArray *rules, const Rule *address)
{
    guint i = 0;
    while (i < rules->len) {
        const Rule *rule = &g_array_index (rules, Rule, i);
        bool is_hit = rule->kind != RULE_ENDIF && rule_holds (rule, address);
        if (rule->kind == RULE_ANSWER && is_hit)
            return rule;
        i = rule->kind == RULE_IF && !is_hit ? rule->after : i + 1;
    }
    return NULL;
}

static HkAnswer
cidr_get (void *instance, HkCall *call, HkSpan key)
{
    CidrTable *self = instance;
    Rule address;
    char text[64];
    if (key.size >= sizeof text)
        return HK_ABSENT;
    memcpy (text, key.data, key.size);
    text[key.size] = '\0';
    if (strlen (text) != key.size || !parse_address (text, &address))
        return HK_ABSENT;
    SourceText *source = source_get (&self->source);
    const Rule *rule = find_rule (source->table, &address);
    if (rule != NULL)
        self->source.host->answer (call, rule->result, rule->result_size);
    source_text_unref (source);
    return rule != NULL ? HK_FOUND : HK_ABSENT;
}

static const HkLookupClass cidr_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "cidr",
             .flags = HK_THREAD_SAFE | HK_PATTERN_KEYS,
             .open = cidr_open,
             .close = cidr_close},
    .get = cidr_get,
};

HK_PLUGIN (lookup_cidr, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "cidr: tables, networks in order",
           .classes = HK_CLASSES (&cidr_class.base))
