/* test_words.h: how the words of restriction plugins are tested: a table of cases, each one
 * word against one session.  Static functions only. */
#ifndef HK_PLUGINS_RESTRICTION_TEST_WORDS_H
#define HK_PLUGINS_RESTRICTION_TEST_WORDS_H

#include "harness.h"

#include <string.h>

typedef struct {
    const char *word;
    uint32_t prop; /* set to VALUE; 0: none */
    const char *value;
    HkAnswer verdict;
    int code; /* with DSN and TEXT: of the reply; TEXT NULL: not looked at */
    const char *dsn, *text;
} Case;

/* In front of each case: a table "hash:/t", lists and destinations. */
static inline HkHarness *
test_harness (const HkPlugin *plugin)
{
    static const char *const rows[][2] = {
        {"bad.test", "REJECT"},     {"192.0.2.1", "OK"}, {"joe@bad.test", "REJECT"},
        {"joe@never.test", "OK"},   {"<>", "OK"},        {"joe", "OK"},
        {"dead.test", NULL},        {"joe@dead.test", NULL},
        {"dunno.test", "DUNNO"},    {"192.0.2.66", NULL},
        {"2001:db8::1", "REJECT"}};
    HkHarness *h = hk_harness_new (plugin);
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
        hk_harness_table (h, "hash:/t", rows[i][0], rows[i][1]);
    hk_harness_action (h, "REJECT", HK_REJECT);
    hk_harness_action (h, "OK", HK_PERMIT);
    hk_harness_action (h, "451 4.3.5 Server configuration error", HK_LATER);
    hk_harness_prop (h, HK_PROP_REPLY_SUBJECT, "<x>: Data command rejected");
    hk_harness_prop (h, HK_PROP_CLIENT_ADDRESS, "192.0.2.9");
    hk_harness_prop (h, HK_PROP_STAGE, "DATA");
    hk_harness_match (h, "mynetworks", "192.0.2.1");
    hk_harness_match (h, "inet_interfaces", "192.0.2.2");
    hk_harness_match (h, "relay_domains", "192.0.2.3");
    hk_harness_destination (h, "a@ours.test", HK_DEST_LOCAL);
    hk_harness_destination (h, "a@relay.test", HK_DEST_RELAY);
    hk_harness_destination (h, "a@away.test", HK_DEST_OTHER);
    hk_harness_match_later (h, "mynetworks", "192.0.2.66");
    hk_harness_match_later (h, "inet_interfaces", "192.0.2.66");
    hk_harness_match_later (h, "relay_domains", "192.0.2.66");
    hk_harness_destination (h, "a@dead.test", -1);
    hk_harness_unlisted (h, "a@dead.test", "");
    hk_harness_unlisted (h, "a@alias.test",
                         "551 5.7.9 not here");
    hk_harness_unlisted (h, "no@ours.test",
                         "550 5.1.1 User unknown in local recipient table");
    return h;
}

static inline HkAnswer
test_ask (HkHarness *h, const char *word)
{
    const HkRestrictionClass *class =
        (const HkRestrictionClass *) (const void *) hk_harness_class (
            h, HK_KIND_RESTRICTION, word);
    void *instance = hk_harness_open (h, HK_KIND_RESTRICTION, word,
                                      class->n_words > 0 ? "hash:/t" : "");
    g_assert_nonnull (instance);
    HkAnswer answer = class->check (instance, hk_harness_call (h));
    hk_harness_close (h, instance);
    return answer;
}

static inline void
test_case (HkHarness *h, const Case *c)
{
    g_test_message ("%s %s", c->word, c->value != NULL ? c->value : "");
    if (c->prop != 0)
        hk_harness_prop (h, c->prop, c->value);
    g_assert_cmpint (test_ask (h, c->word), ==, c->verdict);
    if (c->text == NULL)
        return;
    g_assert_cmpint (hk_harness_reply_code (h), ==, c->code);
    g_assert_cmpstr (hk_harness_reply_dsn (h), ==, c->dsn);
    g_assert_cmpstr (hk_harness_reply_text (h), ==, c->text);
}

static inline void
test_cases (const HkPlugin *plugin, const Case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        HkHarness *h = test_harness (plugin);
        test_case (h, &cases[i]);
        hk_harness_free (h);
    }
}

/* The code of WORD's refusal of VALUE is what PARAMETER says. */
static inline void
test_code (const HkPlugin *plugin, const char *word, uint32_t prop, const char *value,
           const char *parameter)
{
    HkHarness *h = test_harness (plugin);
    hk_harness_set (h, parameter, "477");
    if (prop != 0)
        hk_harness_prop (h, prop, value);
    g_assert_cmpint (test_ask (h, word), ==, HK_REJECT);
    g_assert_cmpint (hk_harness_reply_code (h), ==, 477);
    hk_harness_free (h);
}

/* A check of a table does not open without one. */
static inline void
test_bad_table (const HkPlugin *plugin, const char *word)
{
    HkHarness *h = test_harness (plugin);
    g_assert_null (hk_harness_open (h, HK_KIND_RESTRICTION, word, "nonsense"));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    g_assert_nonnull (strstr (hk_harness_reason (h), "need maptype:mapname"));
    hk_harness_free (h);
}

#endif
