/* test_restriction_tls.c: what is looked up, and what becomes of the answer. */
#include "harness.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_tls);

typedef struct {
    const char *word, *argument, *fingerprint, *key;
    int trusted; /* -1: no certificate */
    HkAnswer verdict;
} Case;

#define ORDER(o) "{ hash:/t, { search_order = " o " } }"
static const Case cases[] = {
    {"permit_tls_clientcerts", "", "AA:01", "BB:09", 0, HK_PERMIT},
    {"permit_tls_clientcerts", "", "AA:09", "BB:02", 0, HK_PERMIT}, /* the key's */
    {"permit_tls_clientcerts", "", "AA:09", "BB:09", 1, HK_DUNNO},
    {"permit_tls_clientcerts", "", "DEAD", "BB:02", 1, HK_LATER},
    {"permit_tls_clientcerts", "", NULL, NULL, -1, HK_DUNNO},
    {"permit_tls_all_clientcerts", "", "AA:09", "BB:09", 1, HK_PERMIT},
    {"permit_tls_all_clientcerts", "", "AA:01", "BB:09", 0, HK_DUNNO},
    {"permit_tls_all_clientcerts", "", NULL, NULL, -1, HK_DUNNO},
    {"check_ccert_access", "hash:/t", "AA:01", "BB:02", 0, HK_REJECT},
    {"check_ccert_access", "hash:/t", "AA:09", "BB:02", 0, HK_PERMIT},
    {"check_ccert_access", "hash:/t", "AA:09", "BB:09", 0, HK_DUNNO},
    {"check_ccert_access", "hash:/t", "DEAD", "BB:02", 0, HK_LATER},
    {"check_ccert_access", "hash:/t", NULL, NULL, -1, HK_DUNNO},
    {"check_ccert_access", ORDER ("pubkey_fingerprint"), "AA:01", "BB:02", 0, HK_PERMIT},
    {"check_ccert_access", ORDER ("pubkey_fingerprint, cert_fingerprint"), "AA:01", "BB:09",
     0, HK_REJECT},
};

static HkHarness *
new_harness (void)
{
    static const char *const rows[][2] = {
        {"AA:01", "REJECT"}, {"BB:02", "OK"}, {"DEAD", NULL}};
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (restriction_tls));
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
        hk_harness_table (h, "hash:/t", rows[i][0], rows[i][1]);
    hk_harness_table (h, "hash:/empty", "-", "-");
    hk_harness_set (h, "relay_clientcerts", "hash:/empty, hash:/t");
    hk_harness_action (h, "REJECT", HK_REJECT);
    hk_harness_action (h, "OK", HK_PERMIT);
    return h;
}

static void
test_words (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        const Case *c = &cases[i];
        HkHarness *h = new_harness ();
        if (c->fingerprint != NULL) {
            hk_harness_prop (h, HK_PROP_TLS_FINGERPRINT, c->fingerprint);
            hk_harness_prop (h, HK_PROP_TLS_KEY_FINGERPRINT, c->key);
        }
        if (c->trusted >= 0)
            hk_harness_prop_int (h, HK_PROP_TLS_TRUSTED, c->trusted);
        g_test_message ("%s %s %s", c->word, c->argument,
                        c->fingerprint != NULL ? c->fingerprint : "");
        void *instance = hk_harness_open (h, HK_KIND_RESTRICTION, c->word, c->argument);
        g_assert_nonnull (instance);
        g_assert_cmpint (hk_harness_check (h, instance), ==, c->verdict);
        hk_harness_close (h, instance);
        hk_harness_free (h);
    }
}

static void
test_bad_arguments (void)
{
    static const char *const bad[] = {"nonsense", "{ hash:/t, { search_order = serial } }",
                                      "{ hash:/t, { search_order = } }",
                                      "{ hash:/t, { order = cert_fingerprint } }"};
    for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
        HkHarness *h = new_harness ();
        g_test_message ("%s", bad[i]);
        g_assert_null (
            hk_harness_open (h, HK_KIND_RESTRICTION, "check_ccert_access", bad[i]));
        g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
        hk_harness_free (h);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/restriction_tls/words", test_words);
    g_test_add_func ("/restriction_tls/bad_arguments", test_bad_arguments);
    return g_test_run ();
}
