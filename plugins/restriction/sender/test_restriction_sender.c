/* test_restriction_sender.c: each word against a sender that it refuses, one that it lets
 * pass, and a table that does not answer. */
#include "../test_words.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_sender);

#define FQDN "reject_non_fqdn_sender"
#define LISTED "reject_unlisted_sender"
#define ACCESS "check_sender_access"

static const Case cases[] = {
    {FQDN, HK_PROP_SENDER, "a@b", HK_REJECT, 504, "5.5.2",
     "<a@b>: Sender address rejected: need fully-qualified address"},
    {FQDN, HK_PROP_SENDER, "a", HK_REJECT, 504, "5.5.2",
     "<a>: Sender address rejected: need fully-qualified address"},
    {FQDN, HK_PROP_SENDER, "a@b.test", HK_DUNNO, 0, NULL, NULL},
    {FQDN, HK_PROP_SENDER, "", HK_DUNNO, 0, NULL, NULL},
    {FQDN, HK_PROP_SENDER, "\"a@b.test\"@c", HK_REJECT, 504, "5.5.2",
     "<\"a@b.test\"@c>: Sender address rejected: need fully-qualified address"},
    {LISTED, HK_PROP_SENDER, "no@ours.test", HK_REJECT, 550, "5.1.0",
     "<no@ours.test>: Sender address rejected: User unknown in local recipient table"},
    {LISTED, HK_PROP_SENDER, "yes@ours.test", HK_DUNNO, 0, NULL, NULL},
    {LISTED, HK_PROP_SENDER, "", HK_DUNNO, 0, NULL, NULL},
    {LISTED, HK_PROP_SENDER, "a@dead.test", HK_LATER, 0, NULL, NULL},
    {ACCESS, HK_PROP_SENDER, "joe@bad.test", HK_REJECT, 0, NULL, NULL},
    {ACCESS, HK_PROP_SENDER, "joe@other.test", HK_DUNNO, 0, NULL, NULL},
    {ACCESS, HK_PROP_SENDER, "joe@dead.test", HK_LATER, 0, NULL, NULL},
    {ACCESS, HK_PROP_SENDER, "", HK_PERMIT, 0, NULL, NULL}, /* the key "<>" */
};

static void
test_words (void)
{
    test_cases (&HK_PLUGIN_SYMBOL (restriction_sender), cases, G_N_ELEMENTS (cases));
}

static void
test_null_key (void)
{
    HkHarness *h = test_harness (&HK_PLUGIN_SYMBOL (restriction_sender));
    hk_harness_prop (h, HK_PROP_SENDER, "");
    hk_harness_set (h, "smtpd_null_access_lookup_key", "bad.test");
    g_assert_cmpint (test_ask (h, ACCESS), ==, HK_REJECT);
    hk_harness_set (h, "smtpd_null_access_lookup_key", "<null>");
    g_assert_cmpint (test_ask (h, ACCESS), ==, HK_DUNNO);
    hk_harness_free (h);
}

/* The table knows addresses in standard form: "joe" is joe@$myorigin. */
static void
test_standard_form (void)
{
    HkHarness *h = test_harness (&HK_PLUGIN_SYMBOL (restriction_sender));
    hk_harness_prop (h, HK_PROP_SENDER, "jane");
    g_assert_cmpint (test_ask (h, ACCESS), ==, HK_DUNNO);
    hk_harness_prop (h, HK_PROP_SENDER_STANDARD, "joe@bad.test");
    g_assert_cmpint (test_ask (h, ACCESS), ==, HK_REJECT);
    hk_harness_free (h);
}

static void
test_codes (void)
{
    test_code (&HK_PLUGIN_SYMBOL (restriction_sender), FQDN, HK_PROP_SENDER, "a@b",
               "non_fqdn_reject_code");
}

static void
test_argument (void)
{
    test_bad_table (&HK_PLUGIN_SYMBOL (restriction_sender), ACCESS);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/restriction_sender/words", test_words);
    g_test_add_func ("/restriction_sender/null_key", test_null_key);
    g_test_add_func ("/restriction_sender/standard_form", test_standard_form);
    g_test_add_func ("/restriction_sender/codes", test_codes);
    g_test_add_func ("/restriction_sender/argument", test_argument);
    return g_test_run ();
}
