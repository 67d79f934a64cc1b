/* test_lookup_static.c: every key has the one answer; wrong braces are refused. */
#include "harness.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_static);

static const struct {
    const char *argument, *answer; /* answer NULL: refused */
} cases[] = {
    {"OK", "OK"},
    {"{ two words }", "two words"},
    {"{x}", "x"},
    {" a b", " a b"}, /* as Postfix: blanks stay outside braces */
    {"{a {b} c}", "a {b} c"},
    {"{x", NULL},
    {"{x} y", NULL},
    {"{x} ", NULL}, /* blanks outside braces are of the value */
};

static void
test_answers (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_static));
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        void *t = hk_harness_open (h, HK_KIND_LOOKUP, "static", cases[i].argument);
        g_test_message ("static:%s", cases[i].argument);
        if (cases[i].answer == NULL) {
            g_assert_null (t);
            g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
            g_assert_nonnull (strstr (hk_harness_reason (h), "'}'"));
            continue;
        }
        g_assert_cmpint (hk_harness_get (h, t, "any key"), ==, HK_FOUND);
        g_assert_cmpstr (hk_harness_answer (h), ==, cases[i].answer);
        hk_harness_close (h, t);
    }
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_static/answers", test_answers);
    return g_test_run ();
}
