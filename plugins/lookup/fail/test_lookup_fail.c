/* test_lookup_fail.c: it fails, for now, and names itself. */
#include "harness.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_fail);

static void
test_fails (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_fail));
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "fail", "drill");
    g_assert_nonnull (t);
    g_assert_cmpint (hk_harness_get (h, t, "any"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "fail:drill"));
    g_assert_null (hk_harness_answer (h));
    hk_harness_close (h, t);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_fail/fails", test_fails);
    return g_test_run ();
}
