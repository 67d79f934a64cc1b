/* test_restriction_basic.c: each word against a session that it refuses and one that it lets
 * pass. */
#include "../test_words.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_basic);

static const Case cases[] = {
    {"permit", 0, NULL, HK_PERMIT, 0, NULL, NULL},
    {"reject", 0, NULL, HK_REJECT, 554, "5.7.1",
     "<x>: Data command rejected: Access denied"},
    {"defer", 0, NULL, HK_REJECT, 450, "4.3.2",
     "<x>: Data command rejected: Try again later"},
    {"permit_sasl_authenticated", 0, NULL, HK_DUNNO, 0, NULL, NULL},
    {"permit_sasl_authenticated", HK_PROP_SASL_USERNAME, "joe", HK_PERMIT, 0, NULL, NULL},
    {"reject_plaintext_session", 0, NULL, HK_REJECT, 450, "4.7.1",
     "Session encryption is required"},
    {"reject_plaintext_session", HK_PROP_TLS_VERSION, "TLSv1.3", HK_DUNNO, 0, NULL, NULL},
    {"reject_unauth_pipelining", 0, NULL, HK_DUNNO, 0, NULL, NULL},
};

static void
test_words (void)
{
    test_cases (&HK_PLUGIN_SYMBOL (restriction_basic), cases, G_N_ELEMENTS (cases));
}

static void
test_multi_bounce (void)
{
    HkHarness *h = test_harness (&HK_PLUGIN_SYMBOL (restriction_basic));
    hk_harness_prop (h, HK_PROP_SENDER, "");
    hk_harness_prop_int (h, HK_PROP_RECIPIENT_COUNT, 1);
    g_assert_cmpint (test_ask (h, "reject_multi_recipient_bounce"), ==, HK_DUNNO);
    hk_harness_prop (h, HK_PROP_STAGE, "RCPT"); /* this is the second */
    g_assert_cmpint (test_ask (h, "reject_multi_recipient_bounce"), ==, HK_REJECT);
    hk_harness_prop (h, HK_PROP_STAGE, "DATA");
    hk_harness_prop_int (h, HK_PROP_RECIPIENT_COUNT, 2);
    g_assert_cmpint (test_ask (h, "reject_multi_recipient_bounce"), ==, HK_REJECT);
    g_assert_cmpstr (hk_harness_reply_text (h), ==,
                     "<x>: Data command rejected: Multi-recipient bounce");
    g_assert_cmpstr (hk_harness_reply_dsn (h), ==, "5.5.3");
    hk_harness_prop (h, HK_PROP_SENDER, "a@b.test");
    g_assert_cmpint (test_ask (h, "reject_multi_recipient_bounce"), ==, HK_DUNNO);
    hk_harness_free (h);
}

static void
test_pipelining (void)
{
    HkHarness *h = test_harness (&HK_PLUGIN_SYMBOL (restriction_basic));
    hk_harness_prop_int (h, HK_PROP_IMPROPER_PIPELINING, 1);
    g_assert_cmpint (test_ask (h, "reject_unauth_pipelining"), ==, HK_REJECT);
    g_assert_cmpint (hk_harness_reply_code (h), ==, 503);
    hk_harness_free (h);
}

static void
test_codes (void)
{
    const HkPlugin *plugin = &HK_PLUGIN_SYMBOL (restriction_basic);
    test_code (plugin, "reject", 0, NULL, "reject_code");
    test_code (plugin, "defer", 0, NULL, "defer_code");
    test_code (plugin, "reject_plaintext_session", 0, NULL, "plaintext_reject_code");
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/restriction_basic/words", test_words);
    g_test_add_func ("/restriction_basic/multi_bounce", test_multi_bounce);
    g_test_add_func ("/restriction_basic/pipelining", test_pipelining);
    g_test_add_func ("/restriction_basic/codes", test_codes);
    return g_test_run ();
}
