/* test_lookup_randmap.c: every value comes, no other does, weights count, wrong names. */
#include "harness.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_randmap);

static const struct {
    const char *argument, *answer; /* NULL: refused */
} cases[] = {
    {"{a}", "a"},
    {"{ a , a, a }", "a"},
    {"{{a b}}", "{a b}"}, /* the braces stay, as in Postfix */
    {"{{a}b}", "{a}b"},
    {"{{}}", "{}"},
    {"{smtp:[192.0.2.1]:25}", "smtp:[192.0.2.1]:25"},
    {"{}", NULL},
    {"{ , }", NULL},
    {"a", NULL},
    {"{a}b", NULL},
    {"{{a}", NULL},
    {"", NULL},
};

static void
test_syntax (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_randmap));
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_test_message ("randmap:%s", cases[i].argument);
        void *t = hk_harness_open (h, HK_KIND_LOOKUP, "randmap", cases[i].argument);
        if (cases[i].answer == NULL) {
            g_assert_null (t);
            g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
            g_assert_nonnull (
                strstr (hk_harness_reason (h), "need \"randmap:{value...}\""));
            continue;
        }
        g_assert_cmpint (hk_harness_get (h, t, "any"), ==, HK_FOUND);
        g_assert_cmpstr (hk_harness_answer (h), ==, cases[i].answer);
        hk_harness_close (h, t);
    }
    hk_harness_free (h);
}

/* 3 of 4 are "a": of 4,000 draws 3,000, with a standard deviation of 27. */
static void
test_chance (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_randmap));
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "randmap", "{a,b a a}");
    int n_a = 0, n_b = 0;
    for (int i = 0; i < 4000; i++) {
        hk_harness_get (h, t, "any");
        n_a += strcmp (hk_harness_answer (h), "a") == 0;
        n_b += strcmp (hk_harness_answer (h), "b") == 0;
    }
    g_assert_cmpint (n_a + n_b, ==, 4000);
    g_assert_cmpint (n_a, >, 2700);
    g_assert_cmpint (n_a, <, 3300);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_randmap/syntax", test_syntax);
    g_test_add_func ("/lookup_randmap/chance", test_chance);
    return g_test_run ();
}
