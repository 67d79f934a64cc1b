/* test_lookup_debug.c: what is logged of what was found, not found and failed. */
#include "harness.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_debug);

static const struct {
    const char *key, *answer, *said; /* answer "?": later */
} cases[] = {
    {"k", "v", "t:a lookup: \"k\" = \"v\"\n"},
    {"none", NULL, "t:a lookup: \"none\" = not_found\n"},
    {"bad", "?", "t:a lookup: \"bad\" = error\n"},
    {"odd\n\"", "x\ty", "t:a lookup: \"odd\\n\\\"\" = \"x\\ty\"\n"}, /* one line */
};

static void
test_log (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_debug));
    hk_harness_table (h, "t:a", "k", "v");
    hk_harness_table (h, "t:a", "bad", NULL);
    hk_harness_table (h, "t:a", "odd\n\"", "x\ty");
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "debug", "t:a");
    g_assert_nonnull (t);
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        bool fails = g_strcmp0 (cases[i].answer, "?") == 0;
        hk_harness_clear_log (h);
        HkAnswer answer = hk_harness_get (h, t, cases[i].key);
        g_assert_cmpint (answer, ==,
                         fails                     ? HK_LATER
                         : cases[i].answer == NULL ? HK_ABSENT
                                                   : HK_FOUND);
        if (!fails)
            g_assert_cmpstr (hk_harness_answer (h), ==, cases[i].answer);
        g_assert_cmpstr (hk_harness_log (h), ==, cases[i].said);
    }
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_bounded (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_debug));
    g_autofree char *key = g_strnfill (100000, 'k');
    hk_harness_table (h, "t:a", "k", "v");
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "debug", "t:a");
    g_assert_cmpint (hk_harness_get (h, t, key), ==, HK_ABSENT);
    g_assert_cmpuint (strlen (hk_harness_log (h)), <, 2000);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_wrong (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_debug));
    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "debug", "foo"));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    g_assert_nonnull (strstr (hk_harness_reason (h), "need \"debug:type:name\""));
    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "debug", "none:x"));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    g_assert_nonnull (strstr (hk_harness_reason (h), "none:x"));
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_debug/log", test_log);
    g_test_add_func ("/lookup_debug/bounded", test_bounded);
    g_test_add_func ("/lookup_debug/wrong", test_wrong);
    return g_test_run ();
}
