/* test_restriction_helo.c: each word against a name that it refuses and one that it lets
 * pass. */
#include "../test_words.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_helo);

#define FQDN "reject_non_fqdn_helo_hostname"
#define VALID "reject_invalid_helo_hostname"
#define NAKED "permit_naked_ip_address"

static const Case cases[] = {
    {FQDN, HK_PROP_HELO_NAME, "localhost", HK_REJECT, 504, "5.5.2",
     "<localhost>: Helo command rejected: need fully-qualified hostname"},
    {FQDN, HK_PROP_HELO_NAME, "a.b", HK_DUNNO, 0, NULL, NULL},
    {FQDN, HK_PROP_HELO_NAME, "[192.0.2.1]", HK_DUNNO, 0, NULL, NULL},
    {FQDN, HK_PROP_HELO_NAME, "192.0.2.1", HK_REJECT, 504, "5.5.2",
     "<192.0.2.1>: Helo command rejected: need fully-qualified hostname"},
    {FQDN, HK_PROP_HELO_NAME, "[192.0.2]", HK_REJECT, 501, "5.5.2",
     "<[192.0.2]>: Helo command rejected: invalid ip address"},
    {VALID, HK_PROP_HELO_NAME, "a b", HK_REJECT, 501, "5.5.2",
     "<a b>: Helo command rejected: Invalid name"},
    {VALID, HK_PROP_HELO_NAME, "-a.test", HK_REJECT, 501, "5.5.2",
     "<-a.test>: Helo command rejected: Invalid name"},
    {VALID, HK_PROP_HELO_NAME, "[1.2.3]", HK_REJECT, 501, "5.5.2",
     "<[1.2.3]>: Helo command rejected: invalid ip address"},
    {VALID, HK_PROP_HELO_NAME, "[IPv6:::1]", HK_DUNNO, 0, NULL, NULL},
    {VALID, HK_PROP_HELO_NAME, "my_host", HK_DUNNO, 0, NULL, NULL},
    {VALID, HK_PROP_HELO_NAME, "b.1", HK_DUNNO, 0, NULL, NULL},
    {VALID, HK_PROP_HELO_NAME, "192.0.2.1", HK_DUNNO, 0, NULL, NULL},
    {VALID, HK_PROP_HELO_NAME, "1.2", HK_REJECT, 501, "5.5.2",
     "<1.2>: Helo command rejected: Invalid name"},
    {NAKED, HK_PROP_HELO_NAME, "192.0.2.1", HK_PERMIT, 0, NULL, NULL},
    {NAKED, HK_PROP_HELO_NAME, "192.0.2.300", HK_REJECT, 501, "5.5.2",
     "<192.0.2.300>: Helo command rejected: invalid ip address"},
    {NAKED, HK_PROP_HELO_NAME, "a.b", HK_DUNNO, 0, NULL, NULL},
    {"check_helo_access", HK_PROP_HELO_NAME, "bad.test", HK_REJECT, 0, NULL, NULL},
    {"check_helo_access", HK_PROP_HELO_NAME, "other.test", HK_DUNNO, 0, NULL, NULL},
    {"check_helo_access", HK_PROP_HELO_NAME, "dead.test", HK_LATER, 0, NULL, NULL},
};

static void
test_words (void)
{
    test_cases (&HK_PLUGIN_SYMBOL (restriction_helo), cases, G_N_ELEMENTS (cases));
}

static void
test_codes (void)
{
    const HkPlugin *plugin = &HK_PLUGIN_SYMBOL (restriction_helo);
    test_code (plugin, FQDN, HK_PROP_HELO_NAME, "a", "non_fqdn_reject_code");
    test_code (plugin, VALID, HK_PROP_HELO_NAME, "?", "invalid_hostname_reject_code");
}

static void
test_argument (void)
{
    test_bad_table (&HK_PLUGIN_SYMBOL (restriction_helo), "check_helo_access");
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/restriction_helo/words", test_words);
    g_test_add_func ("/restriction_helo/codes", test_codes);
    g_test_add_func ("/restriction_helo/argument", test_argument);
    return g_test_run ();
}
