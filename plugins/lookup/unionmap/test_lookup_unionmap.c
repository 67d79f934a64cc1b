/* test_lookup_unionmap.c: order, what is absent, what fails, wrong names. */
#include "harness.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_unionmap);

static const struct {
    const char *argument, *key, *answer; /* "?": later; NULL: absent */
} cases[] = {
    {"{t:a, t:b}", "k", "1,2"},        {"{t:b t:a}", "k", "2,1"},
    {"{ t:a , ,t:b }", "only", "x,y"}, /* a value with a comma stays as it is */
    {"{t:a, t:b}", "none", NULL},      {"{t:a, t:{braces, too}}", "k", "1,3"},
    {"{t:a, t:down}", "k", "?"},       {"{t:down, t:a}", "k", "?"},
    {"{t:a, t:down}", "only", "?"}, /* absent in one is not absent in all */
};

static const struct {
    const char *argument, *said;
} wrong[] = {
    {"{}", "bad syntax: \"unionmap:{}\"; need \"unionmap:{type:name...}\""},
    {"{ , }", "bad syntax"},
    {"t:a", "bad syntax"},
    {"{t:a", "bad syntax"},
    {"{t:a}x", "bad syntax"},
    {"{t:a}{t:b}", "bad syntax"},
    {"{t:a t}", "bad syntax"},
    {"{t:a none:x}", "none:x"},
    {"", "bad syntax"},
};

static HkHarness *
new_harness (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_unionmap));
    hk_harness_table (h, "t:a", "k", "1");
    hk_harness_table (h, "t:b", "k", "2");
    hk_harness_table (h, "t:b", "only", "x,y");
    hk_harness_table (h, "t:{braces, too}", "k", "3");
    hk_harness_table (h, "t:down", "k", NULL);
    hk_harness_table (h, "t:down", "only", NULL);
    return h;
}

static void
test_union (void)
{
    HkHarness *h = new_harness ();
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_test_message ("unionmap:%s, key %s", cases[i].argument, cases[i].key);
        void *t = hk_harness_open (h, HK_KIND_LOOKUP, "unionmap", cases[i].argument);
        g_assert_nonnull (t);
        HkAnswer answer = hk_harness_get (h, t, cases[i].key);
        if (g_strcmp0 (cases[i].answer, "?") == 0) {
            g_assert_cmpint (answer, ==, HK_LATER);
            g_assert_nonnull (strstr (hk_harness_reason (h), "failed"));
        } else {
            g_assert_cmpint (answer, ==, cases[i].answer == NULL ? HK_ABSENT : HK_FOUND);
            g_assert_cmpstr (hk_harness_answer (h), ==, cases[i].answer);
        }
        hk_harness_close (h, t);
    }
    hk_harness_free (h);
}

static void
test_wrong (void)
{
    HkHarness *h = new_harness ();
    for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
        g_test_message ("unionmap:%s", wrong[i].argument);
        g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "unionmap", wrong[i].argument));
        g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
        g_assert_nonnull (strstr (hk_harness_reason (h), wrong[i].said));
    }
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_unionmap/union", test_union);
    g_test_add_func ("/lookup_unionmap/wrong", test_wrong);
    return g_test_run ();
}
