/* test_lookup_pipemap.c: the chain, what is absent, what fails, wrong names. */
#include "harness.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_pipemap);

static const struct {
    const char *argument, *key, *answer; /* "?": later; NULL: absent */
} cases[] = {
    {"{t:a}", "k", "1"},
    {"{t:a, t:b}", "k", "one"},
    {"{ t:a , ,t:b t:c }", "k", "end"},
    {"{t:b, t:a}", "k", NULL}, /* the first does not know it */
    {"{t:a, t:c}", "k", NULL}, /* the last does not */
    {"{t:a, t:down}", "k", "?"},
    {"{t:down, t:a}", "k", "?"},
    {"{t:b, t:down}", "k", NULL}, /* not asked any more */
};

static const struct {
    const char *argument, *said;
} wrong[] = {
    {"{}", "bad syntax: \"pipemap:{}\"; need \"pipemap:{type:name...}\""},
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
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_pipemap));
    hk_harness_table (h, "t:a", "k", "1");
    hk_harness_table (h, "t:b", "1", "one");
    hk_harness_table (h, "t:c", "one", "end");
    hk_harness_table (h, "t:down", "k", NULL);
    hk_harness_table (h, "t:down", "1", NULL);
    return h;
}

static void
test_chain (void)
{
    HkHarness *h = new_harness ();
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_test_message ("pipemap:%s, key %s", cases[i].argument, cases[i].key);
        void *t = hk_harness_open (h, HK_KIND_LOOKUP, "pipemap", cases[i].argument);
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
        g_test_message ("pipemap:%s", wrong[i].argument);
        g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "pipemap", wrong[i].argument));
        g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
        g_assert_nonnull (strstr (hk_harness_reason (h), wrong[i].said));
    }
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_pipemap/chain", test_chain);
    g_test_add_func ("/lookup_pipemap/wrong", test_wrong);
    return g_test_run ();
}
