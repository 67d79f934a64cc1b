/* test_restriction_recipient.c: each word against a recipient that it refuses or permits, one
 * that it lets pass, and a table that does not answer. */
#include "../test_words.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_recipient);

#define PERMIT "permit_auth_destination"
#define REJECT "reject_unauth_destination"
#define DEFER "defer_unauth_destination"
#define RELAY "check_relay_domains"
#define LISTED "reject_unlisted_recipient"
#define FQDN "reject_non_fqdn_recipient"
#define ACCESS "check_recipient_access"
#define ETRN "check_etrn_access"

static const Case cases[] = {
    {PERMIT, HK_PROP_RECIPIENT, "a@ours.test", HK_PERMIT, 0, NULL, NULL},
    {PERMIT, HK_PROP_RECIPIENT, "a@relay.test", HK_PERMIT, 0, NULL, NULL},
    {PERMIT, HK_PROP_RECIPIENT, "a@away.test", HK_DUNNO, 0, NULL, NULL},
    {PERMIT, HK_PROP_RECIPIENT, "a@dead.test", HK_LATER, 0, NULL, NULL},
    {REJECT, HK_PROP_RECIPIENT, "a@ours.test", HK_DUNNO, 0, NULL, NULL},
    {REJECT, HK_PROP_RECIPIENT, "a@away.test", HK_REJECT, 554, "5.7.1",
     "<a@away.test>: Relay access denied"},
    {REJECT, HK_PROP_RECIPIENT, "a@dead.test", HK_LATER, 0, NULL, NULL},
    {DEFER, HK_PROP_RECIPIENT, "a@ours.test", HK_DUNNO, 0, NULL, NULL},
    {DEFER, HK_PROP_RECIPIENT, "a@away.test", HK_REJECT, 454, "4.7.1",
     "<a@away.test>: Relay access denied"},
    {DEFER, HK_PROP_RECIPIENT, "a@dead.test", HK_LATER, 0, NULL, NULL},
    {RELAY, HK_PROP_RECIPIENT, "a@relay.test", HK_PERMIT, 0, NULL, NULL},
    {RELAY, HK_PROP_RECIPIENT, "a@away.test", HK_REJECT, 554, "5.7.1",
     "<a@away.test>: Recipient address rejected: Relay access denied"},
    {RELAY, HK_PROP_RECIPIENT, "a@dead.test", HK_LATER, 0, NULL, NULL},
    {RELAY, HK_PROP_CLIENT_ADDRESS, "192.0.2.3", HK_PERMIT, 0, NULL, NULL},
    {RELAY, HK_PROP_CLIENT_ADDRESS, "192.0.2.66", HK_LATER, 0, NULL, NULL},
    {LISTED, HK_PROP_RECIPIENT, "no@ours.test", HK_REJECT, 550, "5.1.1",
     "<no@ours.test>: Recipient address rejected: User unknown in local recipient table"},
    {LISTED, HK_PROP_RECIPIENT, "a@alias.test", HK_REJECT, 551, "5.7.9",
     "<a@alias.test>: Recipient address rejected: not here"},
    {LISTED, HK_PROP_RECIPIENT, "a@ours.test", HK_DUNNO, 0, NULL, NULL},
    {LISTED, HK_PROP_RECIPIENT, "a@dead.test", HK_LATER, 0, NULL, NULL},
    {FQDN, HK_PROP_RECIPIENT, "a@b", HK_REJECT, 504, "5.5.2",
     "<a@b>: Recipient address rejected: need fully-qualified address"},
    {FQDN, HK_PROP_RECIPIENT, "a@[192.0.2.1]", HK_DUNNO, 0, NULL, NULL},
    {FQDN, HK_PROP_RECIPIENT, "Postmaster", HK_DUNNO, 0, NULL, NULL},
    {FQDN, HK_PROP_RECIPIENT, "joe", HK_REJECT, 504, "5.5.2",
     "<joe>: Recipient address rejected: need fully-qualified address"},
    {ACCESS, HK_PROP_RECIPIENT, "joe@bad.test", HK_REJECT, 0, NULL, NULL},
    {ACCESS, HK_PROP_RECIPIENT, "joe@other.test", HK_DUNNO, 0, NULL, NULL},
    {ACCESS, HK_PROP_RECIPIENT, "joe@dead.test", HK_LATER, 0, NULL, NULL},
    {ETRN, HK_PROP_ETRN_DOMAIN, "bad.test", HK_REJECT, 0, NULL, NULL},
    {ETRN, HK_PROP_ETRN_DOMAIN, "other.test", HK_DUNNO, 0, NULL, NULL},
    {ETRN, HK_PROP_ETRN_DOMAIN, "dead.test", HK_LATER, 0, NULL, NULL},
};

static void
test_words (void)
{
    test_cases (&HK_PLUGIN_SYMBOL (restriction_recipient), cases, G_N_ELEMENTS (cases));
}

/* The table knows addresses in standard form: "joe" is joe@$myorigin. */
static void
test_standard_form (void)
{
    HkHarness *h = test_harness (&HK_PLUGIN_SYMBOL (restriction_recipient));
    hk_harness_prop (h, HK_PROP_RECIPIENT, "jane");
    g_assert_cmpint (test_ask (h, ACCESS), ==, HK_DUNNO);
    hk_harness_prop (h, HK_PROP_RECIPIENT_STANDARD, "joe@bad.test");
    g_assert_cmpint (test_ask (h, ACCESS), ==, HK_REJECT);
    hk_harness_free (h);
}

static void
test_codes (void)
{
    const HkPlugin *plugin = &HK_PLUGIN_SYMBOL (restriction_recipient);
    test_code (plugin, FQDN, HK_PROP_RECIPIENT, "a@b", "non_fqdn_reject_code");
    test_code (plugin, REJECT, HK_PROP_RECIPIENT, "a@away.test",
               "relay_domains_reject_code");
}

static void
test_argument (void)
{
    test_bad_table (&HK_PLUGIN_SYMBOL (restriction_recipient), ACCESS);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/restriction_recipient/words", test_words);
    g_test_add_func ("/restriction_recipient/standard_form", test_standard_form);
    g_test_add_func ("/restriction_recipient/codes", test_codes);
    g_test_add_func ("/restriction_recipient/argument", test_argument);
    return g_test_run ();
}
