/* test_lookup_internal.c: put, get, delete, walk, and a full table. */
#include "harness.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_internal);

static const HkLookupClass *
class_of (HkHarness *h)
{
    return (const HkLookupClass *) (const void *) hk_harness_class (h, HK_KIND_LOOKUP,
                                                                    "internal");
}

static HkSpan
span (const char *text)
{
    return (HkSpan){(const uint8_t *) text, strlen (text)};
}

static HkAnswer
put (HkHarness *h, void *t, const char *key, const char *value)
{
    return class_of (h)->put (t, hk_harness_call (h), span (key), span (value));
}

static void
test_change (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_internal));
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "internal", "x");
    void *other = hk_harness_open (h, HK_KIND_LOOKUP, "internal", "x");
    g_assert_cmpint (hk_harness_get (h, t, "k"), ==, HK_ABSENT);
    g_assert_cmpint (put (h, t, "k", "1"), ==, HK_OK);
    g_assert_cmpint (put (h, t, "k", "2"), ==, HK_OK);
    g_assert_cmpint (hk_harness_get (h, t, "k"), ==, HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (h), ==, "2");
    g_assert_cmpint (hk_harness_get (h, other, "k"), ==, HK_ABSENT);
    g_assert_cmpint (class_of (h)->del (t, hk_harness_call (h), span ("k")), ==, HK_OK);
    g_assert_cmpint (class_of (h)->del (t, hk_harness_call (h), span ("k")), ==, HK_ABSENT);
    g_assert_cmpint (hk_harness_get (h, t, "k"), ==, HK_ABSENT);
    hk_harness_close (h, other);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_walk (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_internal));
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "internal", "x");
    void *cursor = NULL;
    g_autoptr (GString) seen = g_string_new (NULL);
    put (h, t, "a", "1");
    put (h, t, "b", "2");
    put (h, t, "c", "4");
    g_assert_cmpint (class_of (h)->each (t, hk_harness_call (h), &cursor, 1), ==, HK_FOUND);
    g_string_append (seen, hk_harness_answer (h));
    g_assert_cmpstr (hk_harness_answer2 (h), ==,
                     *seen->str == 'a'   ? "1"
                     : *seen->str == 'b' ? "2"
                                         : "4");
    class_of (h)->del (t, hk_harness_call (h), span (*seen->str == 'a' ? "b" : "a"));
    while (class_of (h)->each (t, hk_harness_call (h), &cursor, 1) == HK_FOUND)
        g_string_append (seen, hk_harness_answer (h));
    g_assert_cmpint (seen->len, ==, 2); /* what went away meanwhile is not shown */
    g_assert_cmpint (seen->str[0], !=, seen->str[1]);
    g_assert_null (cursor);
    g_assert_cmpint (class_of (h)->each (t, hk_harness_call (h), &cursor, 1), ==, HK_FOUND);
    g_assert_cmpint (class_of (h)->each (t, hk_harness_call (h), &cursor, 0), ==,
                     HK_ABSENT);
    g_assert_null (cursor);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_full (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_internal));
    g_autofree char *big = g_strnfill (600, 'x');
    hk_harness_set (h, "internal_size_limit", "1024");
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "internal", "x");
    for (int i = 0; i < 10; i++)
        g_assert_cmpint (put (h, t, "k", big), ==, HK_OK); /* the same row */
    g_assert_cmpint (put (h, t, "l", big), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "internal_size_limit"));
    g_assert_cmpint (hk_harness_get (h, t, "l"), ==, HK_ABSENT);
    class_of (h)->del (t, hk_harness_call (h), span ("k"));
    g_assert_cmpint (put (h, t, "l", big), ==, HK_OK); /* there is room again */
    hk_harness_close (h, t);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_internal/change", test_change);
    g_test_add_func ("/lookup_internal/walk", test_walk);
    g_test_add_func ("/lookup_internal/full", test_full);
    return g_test_run ();
}
