/* test_lookup_regexp.c: rules, flags, groups, wrong rules, bounded effort, the test for
 * literals, no regcomp of its own. */
#include "harness.h"

#include "../literals.h"

#include <regex.h>
#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_regexp);

/* Compared once with what Postfix 3.7 answers to the same rules. */
static const char rules[] =
    "{ {/^a(.*)b$/  one $1 ${1} $(1)x $$} {/CASE/i cs}"
    " {if /^if(.)/} {/^if1/ in1} {if !/x/} {/nox/ innox} {endif} {endif}"
    " {!/z/ noz} {/bre\\(x\\)/x bre} {/q\\.(\\w+)\\b/ q $1} {/\\<word\\>/ w}"
    " {/zend$/ zend} {/z (a)|(b)/ [$1][$2]} {|zalt(.)| zalt $1}"
    " {/^zp\\d$/ letter} {/^zq\\'/ end}"
    " {/nl.nl/ dot} {/^second/m line} {/[\\]c/ backslash} {/a{3}z/ three} }";

static const struct {
    const char *key, *answer;
} cases[] = {
    {"aMIDb", "one MID MID MIDx $"},
    {"ABCB", "one BC BC BCx $"},
    {"CASE", "cs"},
    {"case", "noz"}, /* "i" turns folding off */
    {"if1", "in1"},
    {"if2nox", "noz"},
    {"brexz", "bre"}, /* "x" turns to basic syntax: \( is a group */
    {"zq.foo bar", "q foo"},
    {"zq.Foo", "q Foo"}, /* the key's letters are kept */
    {"z word", "w"},
    {"z swordz", NULL},
    {"zend", "zend"},
    {"z a", "[a][]"},
    {"zb", "[][b]"},
    {"zaltQ", "zalt Q"},
    {"zp7", NULL}, /* \d is no digit in POSIX */
    {"zpd", "letter"},
    {"zq", "end"},
    {"znl\nnl", "dot"},    /* a dot takes a line end */
    {"z\nsecond", "line"}, /* unless "m" says lines */
    {"z\\c", "backslash"},
    {"aaaz", "three"},
    {"z", NULL},
};

static void
test_rules (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_regexp));
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "regexp", rules);
    g_assert_nonnull (t);
    g_assert_cmpstr (hk_harness_log (h), ==, "");
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_test_message ("key %s", cases[i].key);
        hk_harness_get (h, t, cases[i].key);
        g_assert_cmpstr (hk_harness_answer (h), ==, cases[i].answer);
    }
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static const struct {
    const char *rule, *said;
} wrong[] = {
    {"/foo/Z bad flag", "unknown regexp option \"Z\": skipping this rule"},
    {"/(un/ unbalanced", "end pattern with unmatched parenthesis"},
    {"/a{x}/ no number", "invalid repeat range"},
    {"/spam/REJECT", "unknown regexp option \"R\""},
    {"/x/", "no replacement text: using empty string"},
    {"/gr(a)/ $2", "out of range replacement index \"2\""},
    {"/gr(a)/ $0", "out of range replacement index \"0\""},
    {"/gr(a)/ $x", "non-numeric replacement index \"x\""},
    {"/gr/ a$", "bad replacement syntax"},
    {"!/gr(a)/ $1", "$number found in negative match"},
    {"word nodelim", "ignoring unrecognized request"},
    {"/abc", "no closing regexp delimiter \"/\""},
    {"endif", "ignoring ENDIF without matching IF"},
    {"if /q/", "line 2: IF has no matching ENDIF"},
    {"if /q/} {/q/ q", "line 2: IF has no matching ENDIF"}, /* the line of the IF */
    {"if /q/} {endif all", "line 3: ignoring extra text after ENDIF"},
};

static void
test_wrong_rules (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_regexp));
    for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
        g_autofree char *spec = g_strdup_printf ("{ {/^good$/ ok} {%s} }", wrong[i].rule);
        hk_harness_clear_log (h);
        void *t = hk_harness_open (h, HK_KIND_LOOKUP, "regexp", spec);
        g_test_message ("%s: %s", wrong[i].rule, hk_harness_log (h));
        g_assert_nonnull (t);
        g_assert_nonnull (strstr (hk_harness_log (h), wrong[i].said));
        g_assert_nonnull (strstr (hk_harness_log (h), "line "));
        g_assert_cmpint (hk_harness_get (h, t, "good"), ==, HK_FOUND); /* the rest works */
        hk_harness_close (h, t);
    }
    hk_harness_free (h);
}

/* A pattern that takes forever is stopped soon, and does not count as "not there". */
static void
test_bounded (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_regexp));
    g_autofree char *key = g_strnfill (40, 'a');
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "regexp", "{ {/^(a+)+(a+)+(a+)+x$/ x} }");
    int64_t begin = g_get_monotonic_time ();
    g_assert_cmpint (hk_harness_get (h, t, key), ==, HK_LATER);
    g_assert_cmpint (g_get_monotonic_time () - begin, <, 2000000);
    g_assert_nonnull (strstr (hk_harness_reason (h), "regexp_retry_limit"));
    hk_harness_close (h, t);
    hk_harness_free (h);
}

/* With Oniguruma's regcomp in the process this finds nothing: it knows no REG_EXTENDED back
 * references of this kind and reads REG_STARTEND differently. */
static void
test_regcomp_is_libc (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_regexp));
    regex_t regex;
    regmatch_t match[1] = {{.rm_so = 2, .rm_eo = 5}};
    g_assert_cmpint (regcomp (&regex, "a|ab|abc", REG_EXTENDED), ==, 0);
    g_assert_cmpint (regexec (&regex, "xxabcxx", 1, match, REG_STARTEND), ==, 0);
    g_assert_cmpint (match[0].rm_so, ==, 2);
    g_assert_cmpint (match[0].rm_eo, ==, 5); /* leftmost and longest */
    regfree (&regex);
    hk_harness_free (h);
}

/* A random pattern and key: whatever the C library matches has the pattern's literals. */
static void
test_literals_are_safe (void)
{
    static const char *const bits[] = {"a",    "b",    "C",   "ab",  "ba",  ".",   "?",
                                       "*",    "+",    "(",   ")",   "|",   "|",   "^",
                                       "$",    "[ab]", "[^",  "]",   "[\\", "{2}", "{0,1}",
                                       "{,1}", "{",    "\\.", "\\d", "\\b", "\\|", "\\(",
                                       "\\1",  "\\`",  "\\<", "1",   " ",   "-"};
    GRand *dice = g_rand_new_with_seed (20261127);
    int n_matched = 0, n_passed_over = 0;
    for (int i = 0; i < 40000; i++) {
        g_autoptr (GString) pattern = g_string_new (NULL), key = g_string_new (NULL);
        for (gint32 n = g_rand_int_range (dice, 1, 9); n > 0; n--)
            g_string_append (
                pattern, bits[g_rand_int_range (dice, 0, (gint32) G_N_ELEMENTS (bits))]);
        for (gint32 n = g_rand_int_range (dice, 0, 9); n > 0; n--)
            g_string_append_c (key, "aAbBcCd1.|\\"[g_rand_int_range (dice, 0, 11)]);
        regex_t regex;
        if (regcomp (&regex, pattern->str, REG_EXTENDED | REG_ICASE) != 0)
            continue;
        Literals literals;
        LiteralsKey in_key;
        literals_find (&literals, (HkSpan){(const uint8_t *) pattern->str, pattern->len},
                       LITERALS_POSIX);
        literals_key (&in_key, (HkSpan){(const uint8_t *) key->str, key->len});
        bool matches = regexec (&regex, key->str, 0, NULL, 0) == 0;
        bool may_match = literals_may_match (&literals, &in_key);
        if (matches && !may_match)
            g_error ("/%s/ matches \"%s\"", pattern->str, key->str);
        n_matched += matches;
        n_passed_over += !may_match;
        literals_clear (&literals);
        regfree (&regex);
    }
    g_rand_free (dice);
    g_assert_cmpint (n_matched, >, 1000);
    g_assert_cmpint (n_passed_over, >, 1000);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_regexp/rules", test_rules);
    g_test_add_func ("/lookup_regexp/literals_are_safe", test_literals_are_safe);
    g_test_add_func ("/lookup_regexp/wrong_rules", test_wrong_rules);
    g_test_add_func ("/lookup_regexp/bounded", test_bounded);
    g_test_add_func ("/lookup_regexp/regcomp_is_libc", test_regcomp_is_libc);
    return g_test_run ();
}
