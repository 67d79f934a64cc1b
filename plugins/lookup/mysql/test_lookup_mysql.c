/* test_lookup_mysql.c: what can be said of "mysql:" without a server;
 * tests/system/tables_sql asks a real one. */
#include "harness.h"

#include "../test_query_pool.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_mysql);

static void
test_names (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_mysql));
    void *t = hk_harness_open (
        h, HK_KIND_LOOKUP, "mysql",
        "{ {hosts = unix:/nonexistent/s, inet:[::1]:1} {user = u} {password = p} {dbname = "
        "d}"
        "  {query = SELECT 1} {option_file = /dev/null} {option_group = x} {charset = "
        "utf8mb4}"
        "  {require_result_set = no} {tls_cert_file = /c} {tls_key_file = /k}"
        "  {tls_CAfile = /a} {tls_CApath = /p} {tls_ciphers = x} {tls_verify_cert = yes}"
        "  {idle_interval = 60} {retry_interval = 60} {timeout = 3} {domain = a} }");
    g_assert_nonnull (t);
    g_assert_cmpstr (hk_harness_log (h), ==, ""); /* no name is unknown */
    hk_harness_close (h, t);
    t = hk_harness_open (h, HK_KIND_LOOKUP, "mysql",
                         "{ {query = SELECT 1} {select_function = f} }");
    g_assert_nonnull (t);
    g_assert_nonnull (
        strstr (hk_harness_log (h), "line 2: unknown parameter: select_function"));
    hk_harness_close (h, t);
    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "mysql",
                                    "{ {query = SELECT 1} {tls_verify_cert = 1} }"));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    hk_harness_free (h);
}

/* Sockets come before the network. */
static void
test_order (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_mysql));
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "mysql",
                               "{ {hosts = 127.0.0.1:1 127.0.0.1:1 unix:/nonexistent/s}"
                               "  {query = SELECT 1} }");
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    const char *socket = strstr (hk_harness_log (h), "server unix:/nonexistent/s: connect");
    g_assert_nonnull (socket);
    g_assert_true (socket < strstr (hk_harness_log (h), "127.0.0.1:1"));
    hk_harness_close (h, t);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    test_query_pool_add_all (&HK_PLUGIN_SYMBOL (lookup_mysql), "mysql");
    g_test_add_func ("/lookup_mysql/names", test_names);
    g_test_add_func ("/lookup_mysql/order", test_order);
    int rc = g_test_run ();
    test_query_pool_end ();
    return rc;
}
