/* test_restriction_client.c: each word against a client that it refuses or permits, one that
 * it lets pass, and a table or list that does not answer. */
#include "../test_words.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_client);

static const Case cases[] = {
    {"permit_mynetworks", HK_PROP_CLIENT_ADDRESS, "192.0.2.1", HK_PERMIT, 0, NULL, NULL},
    {"permit_mynetworks", HK_PROP_CLIENT_ADDRESS, "192.0.2.2", HK_DUNNO, 0, NULL, NULL},
    {"permit_mynetworks", HK_PROP_CLIENT_ADDRESS, "192.0.2.66", HK_LATER, 0, NULL, NULL},
    {"permit_mynetworks", HK_PROP_CLIENT_ADDRESS, NULL, HK_DUNNO, 0, NULL, NULL},
    {"permit_inet_interfaces", HK_PROP_CLIENT_ADDRESS, "192.0.2.2", HK_PERMIT, 0, NULL,
     NULL},
    {"permit_inet_interfaces", HK_PROP_CLIENT_ADDRESS, "192.0.2.1", HK_DUNNO, 0, NULL,
     NULL},
    {"permit_inet_interfaces", HK_PROP_CLIENT_ADDRESS, "192.0.2.66", HK_LATER, 0, NULL,
     NULL},
    {"reject_unknown_client_hostname", HK_PROP_CLIENT_NAME, "unknown", HK_REJECT, 450,
     "4.7.25", "Client host rejected: cannot find your hostname, [192.0.2.9]"},
    {"reject_unknown_client_hostname", HK_PROP_CLIENT_NAME, "a.test", HK_DUNNO, 0, NULL,
     NULL},
    {"reject_unknown_reverse_client_hostname", HK_PROP_CLIENT_REVERSE_NAME, "unknown",
     HK_REJECT, 450, "4.7.1",
     "Client host rejected: cannot find your reverse hostname, [192.0.2.9]"},
    {"reject_unknown_reverse_client_hostname", HK_PROP_CLIENT_REVERSE_NAME, "a.test",
     HK_DUNNO, 0, NULL, NULL},
    {"check_client_access", HK_PROP_CLIENT_NAME, "bad.test", HK_REJECT, 0, NULL, NULL},
    {"check_client_access", HK_PROP_CLIENT_ADDRESS, "192.0.2.1", HK_PERMIT, 0, NULL, NULL},
    {"check_client_access", HK_PROP_CLIENT_ADDRESS, "2001:db8::1", HK_REJECT, 0, NULL,
     NULL},
    {"check_client_access", HK_PROP_CLIENT_NAME, "other.test", HK_DUNNO, 0, NULL, NULL},
    {"check_client_access", HK_PROP_CLIENT_NAME, "dead.test", HK_LATER, 0, NULL, NULL},
    {"check_reverse_client_hostname_access", HK_PROP_CLIENT_REVERSE_NAME, "bad.test",
     HK_REJECT, 0, NULL, NULL},
    {"check_reverse_client_hostname_access", HK_PROP_CLIENT_REVERSE_NAME, "other.test",
     HK_DUNNO, 0, NULL, NULL},
    {"check_reverse_client_hostname_access", HK_PROP_CLIENT_REVERSE_NAME, "dead.test",
     HK_LATER, 0, NULL, NULL},
};

static void
test_words (void)
{
    test_cases (&HK_PLUGIN_SYMBOL (restriction_client), cases, G_N_ELEMENTS (cases));
}

/* What is not found for now is not refused for good. */
static void
test_name_later (void)
{
    HkHarness *h = test_harness (&HK_PLUGIN_SYMBOL (restriction_client));
    hk_harness_set (h, "unknown_client_reject_code", "550");
    hk_harness_prop (h, HK_PROP_CLIENT_NAME, "unknown");
    hk_harness_prop_int (h, HK_PROP_CLIENT_NAME_STATUS, 4);
    g_assert_cmpint (test_ask (h, "reject_unknown_client_hostname"), ==, HK_REJECT);
    g_assert_cmpint (hk_harness_reply_code (h), ==, 450);
    g_assert_cmpint (test_ask (h, "reject_unknown_reverse_client_hostname"), ==, HK_REJECT);
    g_assert_cmpint (hk_harness_reply_code (h), ==, 450);
    hk_harness_free (h);
}

static void
test_codes (void)
{
    const HkPlugin *plugin = &HK_PLUGIN_SYMBOL (restriction_client);
    test_code (plugin, "reject_unknown_client_hostname", HK_PROP_CLIENT_NAME, "unknown",
               "unknown_client_reject_code");
    test_code (plugin, "reject_unknown_reverse_client_hostname",
               HK_PROP_CLIENT_REVERSE_NAME, "unknown", "unknown_client_reject_code");
}

static void
test_argument (void)
{
    test_bad_table (&HK_PLUGIN_SYMBOL (restriction_client), "check_client_access");
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/restriction_client/words", test_words);
    g_test_add_func ("/restriction_client/name_later", test_name_later);
    g_test_add_func ("/restriction_client/codes", test_codes);
    g_test_add_func ("/restriction_client/argument", test_argument);
    return g_test_run ();
}
