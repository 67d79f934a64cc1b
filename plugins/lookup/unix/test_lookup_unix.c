/* test_lookup_unix.c: root is there, others are not. */
#include "harness.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_unix);

static void
test_users (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_unix));
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "unix", "passwd.byname");
    g_assert_cmpint (hk_harness_get (h, t, "root"), ==, HK_FOUND);
    g_assert_true (g_str_has_prefix (hk_harness_answer (h), "root:"));
    g_assert_nonnull (strstr (hk_harness_answer (h), ":0:0:"));
    g_assert_cmpint (hk_harness_get (h, t, "no-such-user-here"), ==, HK_ABSENT);
    g_assert_cmpint (hk_harness_get (h, t, "root@example.org"), ==, HK_ABSENT);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_groups (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_unix));
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "unix", "group.byname");
    g_assert_cmpint (hk_harness_get (h, t, "root"), ==, HK_FOUND);
    g_assert_true (g_str_has_prefix (hk_harness_answer (h), "root:"));
    hk_harness_close (h, t);
    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "unix", "shadow.byname"));
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_unix/users", test_users);
    g_test_add_func ("/lookup_unix/groups", test_groups);
    return g_test_run ();
}
