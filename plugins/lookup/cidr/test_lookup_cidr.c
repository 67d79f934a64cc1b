/* test_lookup_cidr.c: rules in order, negation, if and endif, wrong lines. */
#include "harness.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_cidr);

/* Compared once with what Postfix 3.7 answers to the same rules. */
static const char rules[] =
    "{ {if 192.168.0.0/16} {192.168.1.1 one} {192.168.1.0/24  two  words} {endif}"
    "  {if !10.0.0.0/8} {[2001:db8::]/32 never} {!172.16.0.0/12 nota} {172.16.5.5/33 x}"
    "  {172.16.5.5/12 x} {172.300.1.1 x} {172.16.6.6} {012.1.1.1 octal} {endif}"
    "  {10.1.1.1/32 x} {endif} {[10.1.1.2] y} {::ffff:10.9.9.9 mapped} {[10.0.0.0/9] inb}"
    "  {2001:db9::1 v6one} {2001:db8::/33 v6net} {! fe80::/10 notlocal} {foo bar} }";

static const struct {
    const char *key, *answer;
} cases[] = {
    {"192.168.1.1", "one"},
    {"192.168.1.2", "two  words"},
    {"192.168.2.1", "nota"}, /* behind the first if */
    {"172.16.1.1", NULL},
    {"8.8.8.8", "nota"},
    {"10.1.1.1", "x"},
    {"10.1.1.2", "y"},
    {"10.1.1.9", "inb"},
    {"10.200.1.1", NULL},
    {"::ffff:10.9.9.9", "mapped"},
    {"2001:db9:0::1", "v6one"},
    {"2001:DB8::5", "v6net"}, /* an IPv4 "if !" says nothing about IPv6 */
    {"2001:db8:8000::5", "notlocal"},
    {"fe80::1", NULL},
    {"foo", NULL},
    {"1.2.3", NULL},
    {"", NULL},
    {"[10.1.1.2]", NULL},
};

static void
test_rules (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_cidr));
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "cidr", rules);
    g_assert_nonnull (t);
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_test_message ("key %s", cases[i].key);
        g_assert_cmpint (hk_harness_get (h, t, cases[i].key), ==,
                         cases[i].answer == NULL ? HK_ABSENT : HK_FOUND);
        g_assert_cmpstr (hk_harness_answer (h), ==, cases[i].answer);
    }
    static const char *const said[] = {"bad mask length in \"172.16.5.5/33\"",
                                       "non-null host address bits in \"172.16.5.5/12\"",
                                       "bad address pattern: \"172.300.1.1\"",
                                       "no lookup result",
                                       "bad address pattern: \"012.1.1.1\"",
                                       "ENDIF without IF",
                                       "bad address pattern: \"foo\""};
    for (size_t i = 0; i < G_N_ELEMENTS (said); i++)
        g_assert_nonnull (strstr (hk_harness_log (h), said[i]));
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_refused (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_cidr));
    static const char *const wrong[] = {"{ x }", "{ {a b}", "{ {a b} } c"};
    for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
        g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "cidr", wrong[i]));
        g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    }
    hk_harness_free (h);
}

/* How "if" and "endif" may be written, and what an "endif" with more is: none. */
static void
test_words (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_cidr));
    void *t =
        hk_harness_open (h, HK_KIND_LOOKUP, "cidr",
                         "{ {If!10.0.0.0/8} {11.0.0.0/8 in} {endif junk} {12.0.0.0/8 a}"
                         "  {10.0.0.0/8 never} {ENDIF} {10.0.0.0/8 after} {ifx y} }");
    g_assert_cmpint (hk_harness_get (h, t, "12.1.1.1"), ==, HK_FOUND);
    g_assert_cmpint (hk_harness_get (h, t, "10.1.1.1"), ==, HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (h), ==, "after");
    g_assert_nonnull (strstr (hk_harness_log (h), "line 3: garbage after ENDIF"));
    g_assert_nonnull (strstr (hk_harness_log (h), "line 8: bad address pattern: \"ifx\""));
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_open_if (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_cidr));
    void *t =
        hk_harness_open (h, HK_KIND_LOOKUP, "cidr", "{ {if 10.0.0.0/8} {0.0.0.0/0 in} }");
    g_assert_cmpint (hk_harness_get (h, t, "10.1.1.1"), ==, HK_FOUND);
    g_assert_cmpint (hk_harness_get (h, t, "11.1.1.1"), ==, HK_ABSENT);
    g_assert_nonnull (strstr (hk_harness_log (h), "line 1: IF has no matching ENDIF"));
    hk_harness_close (h, t);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_cidr/rules", test_rules);
    g_test_add_func ("/lookup_cidr/refused", test_refused);
    g_test_add_func ("/lookup_cidr/words", test_words);
    g_test_add_func ("/lookup_cidr/open_if", test_open_if);
    return g_test_run ();
}
