/* test_lookup_example.c: drives the descriptor on the host in memory. */
#include "harness.h"

#include <glib/gstdio.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_example);

int
main (void)
{
    char *dir = g_dir_make_tmp ("hk-template-XXXXXX", NULL);
    char *file = g_build_filename (dir, "joe", NULL);
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_example));
    g_file_set_contents (file, "joe@there\nsecond line\n", -1, NULL);

    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "example", "relative"));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);

    void *table = hk_harness_open (h, HK_KIND_LOOKUP, "example", dir);
    g_assert_cmpint (hk_harness_get (h, table, "joe"), ==, HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (h), ==, "joe@there");
    g_assert_cmpint (hk_harness_get (h, table, "nobody"), ==, HK_ABSENT);
    g_assert_cmpint (hk_harness_get (h, table, "../../etc/passwd"), ==, HK_ABSENT);
    hk_harness_close (h, table);

    hk_harness_set (h, "example_size_limit", "3");
    table = hk_harness_open (h, HK_KIND_LOOKUP, "example", dir);
    hk_harness_get (h, table, "joe");
    g_assert_cmpstr (hk_harness_answer (h), ==, "joe");
    hk_harness_close (h, table);

    hk_harness_free (h);
    g_unlink (file);
    g_rmdir (dir);
    g_free (file);
    g_free (dir);
    return 0;
}
