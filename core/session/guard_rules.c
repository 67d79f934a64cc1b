/* guard_rules.c: smtpd_rate_limits: who may send how much in which time, and what else. */
#include "config.h"
#include "session/session_priv.h"

#include "base/text.h"
#include "mail/address.h"

enum { MAX_RULES = 64 };

static const char *const key_words[HK_N_RULE_KEYS] = {
    "client", "prefix", "sasl_username", "sender", "sender_domain", "recipient",
    "recipient_domain"};

/* ---- reading
 * ------------------------------------------------------------------------------- */

static bool
fail (GError **error, HkSpan rule, const char *why)
{
    g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE,
                 "smtpd_rate_limits: \"%.*s\": %s", HK_SPAN_ARG (rule), why);
    return false;
}

static bool
read_key (HkSpan word, HkRateRule *out)
{
    for (unsigned i = 0; i < HK_N_RULE_KEYS; i++)
        if (hk_span_is_ci (word, key_words[i])) {
            out->key = (HkRuleKey) i;
            return true;
        }
    return false;
}

/* "100/1h" */
static bool
read_amount (HkSpan word, HkRateRule *out)
{
    size_t slash = hk_span_find (word, '/', 0);
    uint64_t amount;
    int64_t seconds;
    if (!hk_text_parse_u64 (hk_span_sub (word, 0, slash), 1000000000, &amount) ||
        amount == 0 ||
        !hk_text_parse_time (hk_span_sub (word, slash + 1, word.size), 's', &seconds) ||
        seconds < 1 || seconds > 31 * 86400)
        return false;
    out->amount = (unsigned) amount;
    out->window_us = seconds * HK_SECOND;
    return true;
}

static bool
read_action (HkSpan word, HkRateRule *out)
{
    if (hk_span_is_ci (word, "reject"))
        out->action = HK_RULE_REJECT;
    else if (hk_span_is_ci (word, "defer"))
        out->action = HK_RULE_DEFER;
    else if (hk_span_is_ci (word, "hold"))
        out->action = HK_RULE_HOLD;
    else
        return false;
    return true;
}

/* KEY [messages|recipients] AMOUNT/WINDOW [reject|defer|hold] */
static bool
read_rule (HkSpan text, HkRateRule *out, GError **error)
{
    HkSpan rest = text, word;
    *out = (HkRateRule){.action = HK_RULE_DEFER};
    if (!hk_text_next_word (&rest, &word) || !read_key (word, out))
        return fail (error, text, "must begin with client, prefix, sasl_username, sender, "
                                  "sender_domain, recipient or recipient_domain");
    if (!hk_text_next_word (&rest, &word))
        return fail (error, text, "an amount is missing");
    if (hk_span_is_ci (word, "messages") || hk_span_is_ci (word, "recipients")) {
        out->counts_messages = hk_span_is_ci (word, "messages");
        if (!hk_text_next_word (&rest, &word))
            return fail (error, text, "an amount is missing");
    }
    if (out->counts_messages && out->key >= HK_RULE_RECIPIENT)
        return fail (error, text, "a recipient's messages are counted as recipients");
    if (!read_amount (word, out))
        return fail (error, text, "the amount must look like 100/1h");
    if (hk_text_next_word (&rest, &word) && !read_action (word, out))
        return fail (error, text, "the action must be reject, defer or hold");
    if (hk_text_next_word (&rest, &word))
        return fail (error, text, "there is more than an action");
    return true;
}

GArray *
hk_rate_rules_parse (const char *text, GError **error)
{
    g_autoptr (GArray) rules = g_array_new (FALSE, FALSE, sizeof (HkRateRule));
    HkSpan rest = hk_span_text (text), word;
    while (hk_text_next_word (&rest, &word)) {
        HkRateRule rule;
        if (word.data[0] != '{') {
            fail (error, word, "each limit stands in { }");
            return NULL;
        }
        HkSpan inside = hk_span_strip (hk_span_sub (word, 1, word.size - 2));
        if (!read_rule (inside, &rule, error))
            return NULL;
        if (rules->len >= MAX_RULES) {
            fail (error, word, "there are too many limits");
            return NULL;
        }
        rule.index = rules->len;
        g_array_append_val (rules, rule);
    }
    return g_steal_pointer (&rules);
}

/* ---- applying
 * ------------------------------------------------------------------------------ */

static HkSpan
domain_of (HkSpan address)
{
    size_t at = hk_span_rfind (address, '@');
    return hk_span_sub (address, at + 1, address.size);
}

/* Who is counted; false: the rule is about somebody who is not here. */
static bool
append_subject (HkSession *self, const HkRateRule *rule, HkSpan recipient, GString *out)
{
    HkSpan sender = self->tx->envelope.sender, subject = HK_SPAN_NONE;
    switch (rule->key) {
    case HK_RULE_CLIENT:
        subject = hk_span_text (self->client_address);
        break;
    case HK_RULE_PREFIX:
        hk_guard_append_client (self->dialogue->guard, self->client_address, out);
        return true;
    case HK_RULE_SASL_USERNAME:
        subject = hk_auth_username (self);
        break;
    case HK_RULE_SENDER:
        subject = sender;
        break;
    case HK_RULE_SENDER_DOMAIN:
        subject = domain_of (sender);
        break;
    case HK_RULE_RECIPIENT:
        subject = recipient;
        break;
    default:
        subject = domain_of (recipient);
    }
    g_autofree char *folded = hk_span_dup_lower (subject);
    g_string_append (out, folded);
    return subject.size > 0;
}

static bool
take (HkSession *self, const HkRateRule *rule, HkSpan recipient, GString *subject)
{
    HkSessions *sessions = self->dialogue->sessions;
    g_autoptr (GString) name = g_string_new (NULL);
    if (!append_subject (self, rule, recipient, subject))
        return true;
    /* The window is part of the name: a reload that changes it begins anew. */
    g_string_printf (name, "rule%u/%u/%" G_GINT64_FORMAT ":%s", (unsigned) rule->key,
                     rule->counts_messages, rule->window_us, subject->str);
    return hk_rates_take (sessions->options.rates, hk_span_string (name), 1, rule->amount,
                          rule->window_us);
}

static const char *
what_counts (const HkRateRule *rule)
{
    return rule->counts_messages ? "messages" : "recipients";
}

static void
hold (HkSession *self, HkStage stage, const HkRateRule *rule, HkSpan recipient)
{
    HkTransaction *tx = self->tx;
    g_autofree char *reason = g_strdup_printf ("too many %s for this %s", what_counts (rule),
                                               key_words[rule->key]);
    if (tx->envelope.flags & HK_ENVELOPE_HOLD)
        return;
    tx->envelope.flags |= HK_ENVELOPE_HOLD;
    tx->envelope.hold_reason = hk_arena_copy (tx->arena, hk_span_text (reason));
    hk_report_reject (self, stage, "hold", hk_span_text (reason), recipient);
}

static void
refuse (HkSession *self, HkStage stage, const HkRateRule *rule, HkSpan recipient,
        const char *subject)
{
    bool is_final = rule->action == HK_RULE_REJECT;
    int code = is_final ? 550 : 450;
    const char *dsn = is_final ? "5.7.1" : "4.7.1";
    g_autofree char *text = g_strdup_printf ("Error: too many %s for %s %.200s",
                                             what_counts (rule), key_words[rule->key],
                                             subject);
    g_autofree char *line = g_strdup_printf ("%d %s %s", code, dsn, text);
    hk_report_reject (self, stage, "reject", hk_span_text (line), recipient);
    hk_session_refuse (self, code, dsn, "%s", text);
}

bool
hk_guard_rules_refuse (HkSession *self, HkStage stage, HkSpan recipient)
{
    HkGuard *guard = self->dialogue->guard;
    if (guard == NULL || guard->rules == NULL ||
        self->dialogue->sessions->options.rates == NULL)
        return false;
    for (guint i = 0; i < guard->rules->len; i++) {
        const HkRateRule *rule = &g_array_index (guard->rules, HkRateRule, i);
        g_autoptr (GString) subject = g_string_new (NULL);
        if (rule->counts_messages != (stage == HK_STAGE_MAIL) ||
            take (self, rule, recipient, subject))
            continue;
        if (rule->action == HK_RULE_HOLD) {
            hold (self, stage, rule, recipient);
            continue;
        }
        refuse (self, stage, rule, recipient, subject->str);
        return true;
    }
    return false;
}
