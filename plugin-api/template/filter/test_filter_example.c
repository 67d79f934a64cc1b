/* test_filter_example.c: drives the descriptor on the host in memory. */
#include "harness.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (filter_example);

static HkSpan
span (const char *text)
{
    return (HkSpan){(const uint8_t *) text, strlen (text)};
}

int
main (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (filter_example));
    const HkFilterClass *c = (const HkFilterClass *) (const void *) hk_harness_class (
        h, HK_KIND_FILTER, "example");
    hk_harness_set (h, "example_reject_word", "lottery");
    void *f = hk_harness_open (h, HK_KIND_FILTER, "example", "");

    g_assert_cmpint (
        c->header (f, NULL, hk_harness_call (h), 0, span ("Subject"), span (" hello")), ==,
        HK_DUNNO);
    g_assert_cmpint (c->header (f, NULL, hk_harness_call (h), 0, span ("SUBJECT"),
                                span (" Your LOTTERY win")),
                     ==, HK_REJECT);
    g_assert_cmpint (hk_harness_reply_code (h), ==, 550);
    g_assert_cmpint (c->commit (f, NULL, hk_harness_call (h)), ==, HK_DUNNO);
    g_assert_cmpstr (hk_harness_edits (h), ==, "add -1 X-Example: seen\n");

    hk_harness_close (h, f);
    hk_harness_free (h);
    return 0;
}
