/* test_restriction_access.c: what is looked up, and what becomes of the answer. */
#include "harness.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_access);

typedef struct {
    const char *word;
    uint32_t prop;
    const char *value;
    HkAnswer verdict;
} Case;

static const Case cases[] = {
    {"check_client_access", HK_PROP_CLIENT_NAME, "bad.test", HK_REJECT},
    {"check_client_access", HK_PROP_CLIENT_ADDRESS, "192.0.2.1", HK_PERMIT},
    {"check_client_access", HK_PROP_CLIENT_NAME, "other.test", HK_DUNNO},
    {"check_client_access", HK_PROP_CLIENT_NAME, "dead.test", HK_LATER},
    {"check_helo_access", HK_PROP_HELO_NAME, "bad.test", HK_REJECT},
    {"check_sender_access", HK_PROP_SENDER, "joe@bad.test", HK_REJECT},
    {"check_sender_access", HK_PROP_SENDER, "", HK_PERMIT}, /* the key "<>" */
    {"check_recipient_access", HK_PROP_RECIPIENT, "joe@bad.test", HK_REJECT},
    {"check_sasl_access", HK_PROP_SASL_USERNAME, "joe", HK_PERMIT},
    {"check_sasl_access", 0, NULL, HK_DUNNO},
};

static HkHarness *
new_harness (void)
{
    static const char *const rows[][2] = {
        {"bad.test", "REJECT"}, {"192.0.2.1", "OK"}, {"joe@bad.test", "REJECT"},
        {"<>", "OK"},           {"joe", "OK"},       {"dead.test", NULL}};
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (restriction_access));
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
        hk_harness_table (h, "hash:/t", rows[i][0], rows[i][1]);
    hk_harness_action (h, "REJECT", HK_REJECT);
    hk_harness_action (h, "OK", HK_PERMIT);
    return h;
}

static void
test_words (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        HkHarness *h = new_harness ();
        if (cases[i].prop != 0)
            hk_harness_prop (h, cases[i].prop, cases[i].value);
        g_test_message ("%s %s", cases[i].word,
                        cases[i].value != NULL ? cases[i].value : "");
        void *instance = hk_harness_open (h, HK_KIND_RESTRICTION, cases[i].word, "hash:/t");
        g_assert_nonnull (instance);
        const HkRestrictionClass *class =
            (const HkRestrictionClass *) (const void *) hk_harness_class (
                h, HK_KIND_RESTRICTION, cases[i].word);
        g_assert_cmpint (class->check (instance, hk_harness_call (h)), ==,
                         cases[i].verdict);
        hk_harness_close (h, instance);
        hk_harness_free (h);
    }
}

static void
test_bad_argument (void)
{
    HkHarness *h = new_harness ();
    g_assert_null (
        hk_harness_open (h, HK_KIND_RESTRICTION, "check_helo_access", "nonsense"));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    g_assert_nonnull (strstr (hk_harness_reason (h), "need maptype:mapname"));
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/restriction_access/words", test_words);
    g_test_add_func ("/restriction_access/bad_argument", test_bad_argument);
    return g_test_run ();
}
