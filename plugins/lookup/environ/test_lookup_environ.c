/* test_lookup_environ.c: variables there, not there, and names that none can have. */
#include "harness.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_environ);

static void
test_environ (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_environ));
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "environ", "ignored");
    g_assert_nonnull (t);
    g_setenv ("hk_test_variable", "a b=c", TRUE);
    g_assert_cmpint (hk_harness_get (h, t, "hk_test_variable"), ==, HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (h), ==, "a b=c");
    g_assert_cmpint (hk_harness_get (h, t, "hk_test_variable=a b"), ==, HK_ABSENT);
    g_assert_cmpint (hk_harness_get (h, t, "HK_TEST_VARIABLE"), ==, HK_ABSENT);
    HkSpan nul = {(const uint8_t *) "hk_test_variable\0x", 18};
    g_assert_cmpint (hk_harness_get_span (h, t, nul), ==, HK_ABSENT);
    g_assert_cmpint (hk_harness_get (h, t, ""), ==, HK_ABSENT);
    g_unsetenv ("hk_test_variable");
    g_assert_cmpint (hk_harness_get (h, t, "hk_test_variable"), ==, HK_ABSENT);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_environ/environ", test_environ);
    return g_test_run ();
}
