/* test_lookup_pgsql.c: what can be said of "pgsql:" without a server;
 * tests/system/tables_sql asks a real one. */
#include "harness.h"

#include "../test_query_pool.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_pgsql);

static void
test_names (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_pgsql));
    static const char *const good[] = {
        ("{ {hosts = unix:/nonexistent inet:[::1]:1} {user = u} {password = p} {dbname = d}"
         "  {encoding = UTF8} {query = SELECT 1} }"),
        "{ {select_function = f} }",
        "{ {table = t} {select_field = a} {where_field = b} {additional_conditions = c} }",
    };
    for (size_t i = 0; i < G_N_ELEMENTS (good); i++) {
        void *t = hk_harness_open (h, HK_KIND_LOOKUP, "pgsql", good[i]);
        g_assert_nonnull (t);
        g_assert_cmpstr (hk_harness_log (h), ==, ""); /* no name is unknown */
        hk_harness_close (h, t);
    }
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "pgsql",
                               "{ {query = SELECT 1} {option_file = f} }");
    g_assert_nonnull (t);
    g_assert_nonnull (
        strstr (hk_harness_log (h), "line 2: unknown parameter: option_file"));
    hk_harness_close (h, t);
    hk_harness_free (h);
}

/* A URI may hold a password, which no message may show. */
static void
test_uri (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_pgsql));
    void *t = hk_harness_open (
        h, HK_KIND_LOOKUP, "pgsql",
        "{ {hosts = postgresql://u:sesame@127.0.0.1:1/db?sslmode=disable&password=sesame}"
        "  {query = SELECT 1} }");
    g_assert_nonnull (t);
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h),
                              "pgsql server postgresql://127.0.0.1:1/db: connect: "));
    g_assert_null (strstr (hk_harness_reason (h), "sesame"));
    g_assert_null (strstr (hk_harness_log (h), "sesame"));
    hk_harness_close (h, t);
    g_assert_null (hk_harness_open (
        h, HK_KIND_LOOKUP, "pgsql",
        "{ {hosts = postgresql://u:sesame@h/db?nosuch=1} {query = SELECT 1} }"));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    g_assert_nonnull (
        strstr (hk_harness_reason (h), "postgresql://h/db: not a connection"));
    g_assert_null (strstr (hk_harness_reason (h), "sesame"));
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    test_query_pool_add_all (&HK_PLUGIN_SYMBOL (lookup_pgsql), "pgsql");
    g_test_add_func ("/lookup_pgsql/names", test_names);
    g_test_add_func ("/lookup_pgsql/uri", test_uri);
    int rc = g_test_run ();
    test_query_pool_end ();
    return rc;
}
