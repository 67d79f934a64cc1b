/* measure_access.c: runs one restriction list again and again, to be counted from outside
 * (tests/system/access_cost): measure_access N [client [main.cf lines]]. */
#include "access/access.h"
#include "route/test_rows.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_basic);
extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_client);
extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_recipient);

int
main (int argc, char **argv)
{
    const HkPlugin *const bundled[] = {&HK_PLUGIN_SYMBOL (restriction_basic),
                                       &HK_PLUGIN_SYMBOL (restriction_client),
                                       &HK_PLUGIN_SYMBOL (restriction_recipient)};
    int64_t n = argc > 1 ? g_ascii_strtoll (argv[1], NULL, 10) : 1000;
    const char *client = argc > 2 ? argv[2] : "198.51.100.7";
    g_autofree char *main_cf = g_strconcat (
        "mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128\n"
        "smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated "
        "defer_unauth_destination\n",
        argc > 3 ? argv[3] : "", "\n", NULL);
    HkSettings *settings = NULL;
    g_autoptr (GError) error = NULL;
    hk_conf_register (hk_access_params);
    HkPlugins *plugins = test_rows_new (main_cf, &settings);
    for (size_t i = 0; i < G_N_ELEMENTS (bundled); i++)
        if (!hk_plugins_add (plugins, bundled[i], &error))
            g_error ("%s", error->message);
    HkRouter *router = test_router_new (plugins, settings);
    HkAccess *access = hk_access_new (plugins, settings, router, NULL, NULL, &error);
    if (access == NULL)
        g_error ("%s", error->message);
    const HkAccessSubject subject = {
        .client_name = HK_SPAN ("host.client.test"),
        .client_reverse_name = HK_SPAN ("host.client.test"),
        .client_address = hk_span_text (client),
        .helo = HK_SPAN ("helo.client.test"),
        .protocol = HK_SPAN ("ESMTP"),
        .sender = HK_SPAN ("joe@sender.test"),
        .recipient = HK_SPAN ("jane@ours.test"),
        .has_helo = true,
        .has_sender = true,
        .has_recipient = true,
        .is_esmtp = true,
    };
    HkVerdict verdict;
    int64_t passed = 0;
    hk_verdict_init (&verdict);
    for (int64_t i = 0; i < n; i++) {
        hk_access_run (access, HK_STAGE_RCPT, &subject, &verdict);
        passed += verdict.what == HK_VERDICT_PASS;
    }
    g_print ("1..1\n%sok 1 - %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " passed\n",
             passed == n ? "" : "not ", passed, n);
    hk_verdict_clear (&verdict);
    hk_access_free (access);
    hk_router_unref (router);
    test_host_free (plugins, settings);
    return passed == n ? 0 : 1;
}
