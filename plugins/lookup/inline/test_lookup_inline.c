/* test_lookup_inline.c: items with and without braces, order, refusals, the walk. */
#include "harness.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_inline);

static const struct {
    const char *argument, *key, *answer; /* answer NULL: absent; key NULL: refused */
} cases[] = {
    {"{ a=b, {c = d e} }", "a", "b"},
    {"{ a=b, {c = d e} }", "c", "d e"},
    {"{ a=b, {c = d e} }", "d", NULL},
    {"{ {a = b c} , { x=y }}", "x", "y"},
    {"{ a=b x=y, z=w }", "x", "y"},
    {"{a=b,a=c}", "a", "c"}, /* the last one wins */
    {"{A=b}", "a", "b"},     /* the host asks in lower case */
    {"{A=b}", "A", "b"},
    {"{a=b=c}", "a", "b=c"},
    {"{}", NULL, NULL},
    {"{ }", NULL, NULL},
    {"a=b", NULL, NULL},
    {"{ a }", NULL, NULL},
    {"{ {a} }", NULL, NULL},
    {"{ a=b, {c = d e }", NULL, NULL},
    {"{ =b }", "", "b"}, /* postmap can ask for it */
    {"{ {a b = c} }", NULL, NULL},
    {"{{a=b}{c=d}}", NULL, NULL},
    {"{{a=b},{c=d}}", "c", "d"},
    {" {a=b}", NULL, NULL}, /* blanks stay outside the configuration's braces */
    {"{a=b} ", NULL, NULL},
};

static void
test_answers (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_inline));
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        void *t = hk_harness_open (h, HK_KIND_LOOKUP, "inline", cases[i].argument);
        g_test_message ("inline:%s", cases[i].argument);
        if (cases[i].key == NULL) {
            g_assert_null (t);
            g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
            continue;
        }
        g_assert_nonnull (t);
        g_assert_cmpint (hk_harness_get (h, t, cases[i].key), ==,
                         cases[i].answer == NULL ? HK_ABSENT : HK_FOUND);
        g_assert_cmpstr (hk_harness_answer (h), ==, cases[i].answer);
        hk_harness_close (h, t);
    }
    hk_harness_free (h);
}

static void
test_walk (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_inline));
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "inline", "{ a=1, b=2, a=3 }"),
         *cursor = NULL;
    const HkLookupClass *c = (const HkLookupClass *) (const void *) hk_harness_class (
        h, HK_KIND_LOOKUP, "inline");
    g_autoptr (GString) seen = g_string_new (NULL);
    while (c->each (t, hk_harness_call (h), &cursor, 1) == HK_FOUND)
        g_string_append_printf (seen, "%s=%s ", hk_harness_answer (h),
                                hk_harness_answer2 (h));
    g_assert_cmpstr (seen->str, ==, "a=3 b=2 ");
    g_assert_null (cursor);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_inline/answers", test_answers);
    g_test_add_func ("/lookup_inline/walk", test_walk);
    return g_test_run ();
}
