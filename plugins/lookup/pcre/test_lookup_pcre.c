/* test_lookup_pcre.c: rules, flags, groups, wrong rules, bounded effort, the test for
 * literals, threads. */
#include "harness.h"
#include "lookup_pcre.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_pcre);

static const char rules[] =
    "{ {/^a(.*)b$/  one $1 ${1} $(1)x $$} {/CASE/i cs}"
    " {if /^if(.)/} {/^if1/ in1} {if !/x/} {/nox/ innox} {endif} {endif}"
    " {/q\\.(\\w+)\\b/ q $1} {/\\bword\\b/ w} {/^(?!owner-)(.*)-out@/ not owner $1}"
    " {/zend$/E zend} {/z (a)|(b) z/ [$1][$2]} {|zalt(.)| zalt $1} {/^sec.nd/m line}"
    " {/nl.nl/s nodot} {/n l . n l/x dot} {/start/A anchored} {/u(.*)u/U u $1}"
    " {/tail$/ tail} {/x{3}y/ three} {!/z/ noz} }";

static const struct {
    const char *key, *answer;
} cases[] = {
    {"aMIDb", "one MID MID MIDx $"},
    {"ABCB", "one BC BC BCx $"},
    {"CASE", "cs"},
    {"case", "noz"}, /* "i" turns folding off */
    {"if1", "in1"},
    {"if2nox", "noz"},
    {"if2no", "noz"},
    {"zq.Foo bar", "q Foo"}, /* the key's letters are kept */
    {"z word", "w"},
    {"z swordz", NULL},
    {"zlist-out@x", "not owner zlist"},
    {"owner-z-out@x", NULL},
    {"zend", "zend"},
    {"zend\n", NULL}, /* "E" */
    {"z a", "[a][]"},
    {"zb z", "[][b]"},
    {"zaltQ", "zalt Q"},
    {"z\nsecond", "line"}, /* "m" */
    {"znl\nnl", "dot"},    /* a dot takes a line end unless "s"; "x" skips blanks */
    {"znlxnl", "nodot"},
    {"start z", "anchored"},
    {"z start", NULL},
    {"z uaubu", "u a"}, /* "U" */
    {"z tail\n", "tail"},
    {"zxxxy", "three"},
    {"z", NULL},
    {"", "noz"},
};

static void
test_rules (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_pcre));
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "pcre", rules);
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
    {"/foo/X old flag", "ignoring obsolete regexp option \"X\""},
    {"/(un/ unbalanced", "error in regex at offset 3: missing closing parenthesis"},
    {"/spam/REJECT", "unknown regexp option \"R\""},
    {"/x/", "no replacement text: using empty string"},
    {"/gr(a)/ $2", "out of range replacement index \"2\": skipping this rule"},
    {"/gr(a)/ $99999999999", "out of range replacement index"},
    {"/gr(a)/ $0", "out of range replacement index \"0\""},
    {"/gr(a)/ $x", "non-numeric replacement index \"x\""},
    {"/gr(a)/ $1x", "non-numeric replacement index \"1x\""},
    {"/gr/ a$", "empty macro name: \"a$\""},
    {"/gr/ a$(1", "truncated macro reference: \"a$(1\""},
    {"/gr/ a${}", "bad replacement syntax: skipping this rule"},
    {"!/gr(a)/ $1", "$number found in negative match replacement text"},
    {"word nodelim", "ignoring unrecognized request"},
    {"iffy", "ignoring unrecognized request"},
    {"/abc", "no closing regexp delimiter \"/\": ignoring this rule"},
    {"!", "no regexp: skipping this rule"},
    {"endif", "ignoring ENDIF without matching IF"},
    {"if /q/", "line 2: IF has no matching ENDIF"},
    {"if /q/ more", "ignoring extra text after IF statement: \"more\""},
};

static void
test_wrong_rules (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_pcre));
    for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
        g_autofree char *spec = g_strdup_printf ("{ {/^good$/ ok} {%s} }", wrong[i].rule);
        hk_harness_clear_log (h);
        void *t = hk_harness_open (h, HK_KIND_LOOKUP, "pcre", spec);
        g_test_message ("%s: %s", wrong[i].rule, hk_harness_log (h));
        g_assert_nonnull (t);
        g_assert_nonnull (strstr (hk_harness_log (h), wrong[i].said));
        g_assert_nonnull (strstr (hk_harness_log (h), "warning: pcre map { "));
        g_assert_nonnull (strstr (hk_harness_log (h), "line 2: "));
        g_assert_cmpint (hk_harness_get (h, t, "good"), ==, HK_FOUND); /* the rest works */
        hk_harness_close (h, t);
    }
    hk_harness_free (h);
}

static size_t
count (const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr (text, what)) != NULL; text++)
        n++;
    return n;
}

/* A pattern that would take forever is stopped soon, its rule does not apply, the next one
 * does, and this is said once. */
static void
test_bounded (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_pcre));
    g_autofree char *key = g_strnfill (100000, 'a');
    key[99999] = '!';
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "pcre",
                               "{ {/^(a+)+$/ evil} {!/^(a+)+$/ evil too} {/^a/ next} }");
    int64_t begin = g_get_monotonic_time ();
    for (int i = 0; i < 3; i++) {
        g_assert_cmpint (hk_harness_get (h, t, key), ==, HK_FOUND);
        g_assert_cmpstr (hk_harness_answer (h), ==, "next");
    }
    g_assert_cmpint (g_get_monotonic_time () - begin, <, 5000000);
    g_assert_cmpint (hk_harness_counter (h, "pcre.limits_met"), ==, 6);
    g_assert_cmpuint (count (hk_harness_log (h), "line 1: match limit exceeded"), ==, 1);
    g_assert_cmpuint (count (hk_harness_log (h), "line 2: match limit exceeded"), ==, 1);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

/* Many such patterns, and one whose time grows with the square of the key without a step
 * being counted: the lookup ends, as a temporary failure. */
static void
test_bounded_as_a_whole (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_pcre));
    g_autoptr (GString) spec = g_string_new ("{ ");
    g_autofree char *evil = g_strnfill (60, 'a'), *blanks = g_strnfill (2000000, ' ');
    for (int i = 0; i < 200; i++)
        g_string_append (spec, "{/^(a+)+$/ x} ");
    g_string_append (spec, "{/ +$/ blanks} }");
    evil[59] = '!';
    blanks[1999999] = '!';
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "pcre", spec->str);
    int64_t begin = g_get_monotonic_time ();
    g_assert_cmpint (hk_harness_get (h, t, evil), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "line 8: the text takes too long"));
    g_assert_cmpint (hk_harness_get (h, t, blanks), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "line 201: the text takes too long"));
    g_assert_cmpint (g_get_monotonic_time () - begin, <, 10000000);
    g_assert_cmpint (hk_harness_get (h, t, "b"), ==, HK_ABSENT); /* and then as ever */
    hk_harness_close (h, t);
    hk_harness_free (h);
}

/* Cut into slices or not, a long key gives the same. */
static void
test_long_keys (void)
{
    static const struct {
        const char *rule;
        bool holds;
    } long_cases[] = {
        {"/needle/ x", true},
        {"/(?<=hay)needle$/ x", true},
        {"/needlehay/ x", false},
        {"/\\Gneedle/ x", false},
        {"/^needle/m x", false},
        {"/(*NO_START_OPT)(*COMMIT)needle/ x", false},
        {"/$/ x", true},
        {"/e\\z/ x", true},
        {"/hay(?=needle)/ x", true},
        {"/^(hay)+needle$/ x", true},
        {"/hay.*needle/ x", true},
        {"/needle/A x", false},
    };
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_pcre));
    g_autoptr (GString) key = g_string_new (NULL);
    while (key->len < 5120 * 3)
        g_string_append (key, "hay");
    g_string_append (key, "needle");
    for (size_t i = 0; i < G_N_ELEMENTS (long_cases); i++) {
        g_autofree char *spec = g_strdup_printf ("{ {%s} }", long_cases[i].rule);
        void *t = hk_harness_open (h, HK_KIND_LOOKUP, "pcre", spec);
        g_test_message ("%s", long_cases[i].rule);
        g_assert_cmpint (hk_harness_get (h, t, key->str), ==,
                         long_cases[i].holds ? HK_FOUND : HK_ABSENT);
        g_assert_cmpstr (hk_harness_log (h), ==, "");
        hk_harness_close (h, t);
    }
    hk_harness_free (h);
}

/* ---- literals: may a key without these be passed over? */

static const struct {
    const char *pattern;
    guint n; /* pairs found, of all branches */
} literal_cases[] = {
    {"abc", 2},
    {"a|bc", 0},
    {"abc?", 1},
    {"ab|cde", 3},
    {"ab|cd|", 0},
    {"|ab", 0},
    {"ab|cd?|ef", 0},
    {"ab|(cd|ef)gh", 2},
    {"ab|(?i)cd", 0},
    {"ab|c|de", 0},
    {"abc?|cde?f", 2},
    {"abc*d", 1},
    {"abc+d", 2},
    {"ab{0}c", 0},
    {"abc{2,}de", 2},
    {"[ab]cd", 1},
    {"[]x]ab", 1},
    {"[^]x]ab", 1},
    {"[[:alpha:]]ab", 1},
    {"[\\]ab]cd", 1},
    {"(ab)cd", 1},
    {"(ab|x)cd", 1},
    {"(?:ab)?cd", 1},
    {"(?i)ab", 0},
    {"(?!ab)cd", 1},
    {"(?<!ab)cd", 0},
    {"(*ACCEPT)ab", 0},
    {"\\Qa|b\\E", 0},
    {"a\\.b", 2},
    {"a\\dbc", 1},
    {"ab\\1cd", 2},
    {"\\x41b", 0},
    {"\\p{L}ab", 0},
    {"a.bc", 1},
    {"^ab$", 1},
    {"a\\|b", 0},
    {"ab??c", 0},
    {"", 0},
    {"a", 0},
    {"abcdefghijkl", 8},
};

static void
test_literals (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (literal_cases); i++) {
        const char *p = literal_cases[i].pattern;
        Literals literals;
        literals_find (&literals, (HkSpan){(const uint8_t *) p, strlen (p)}, LITERALS_PERL);
        guint n = 0;
        for (guint b = 0; b < literals.n; b++)
            n += literals.branches[b].n;
        g_test_message ("%s", p);
        g_assert_cmpuint (n, ==, literal_cases[i].n);
        literals_clear (&literals);
    }
}

/* A random pattern and key: whatever PCRE2 matches has the pattern's literals. */
static void
test_literals_are_safe (void)
{
    static const char *const bits[] = {"a",   "b",     "C",   "ab",  ".",    "?",  "*",
                                       "+",   "(",     ")",   "|",   "[ab]", "[^", "]",
                                       "{2}", "{0,1}", "\\.", "\\d", "\\b",  "^",  "$",
                                       "(?:", "(?=",   "(?!", "\\1", "1",    " ",  "-",
                                       "|",   "|",     "ba",  "Cb",  "b1"};
    GRand *dice = g_rand_new_with_seed (20261126);
    int n_matched = 0, n_passed_over = 0, n_branched = 0;
    for (int i = 0; i < 60000; i++) {
        g_autoptr (GString) pattern = g_string_new (NULL), key = g_string_new (NULL);
        for (gint32 n = g_rand_int_range (dice, 1, 9); n > 0; n--)
            g_string_append (
                pattern, bits[g_rand_int_range (dice, 0, (gint32) G_N_ELEMENTS (bits))]);
        for (gint32 n = g_rand_int_range (dice, 0, 9); n > 0; n--)
            g_string_append_c (key, "aAbBcC.1 -"[g_rand_int_range (dice, 0, 10)]);
        HkSpan p = {(const uint8_t *) pattern->str, pattern->len};
        HkSpan k = {(const uint8_t *) key->str, key->len};
        int error;
        PCRE2_SIZE at;
        pcre2_code *code =
            pcre2_compile (p.data, p.size, PCRE2_CASELESS, &error, &at, NULL);
        if (code == NULL)
            continue;
        pcre2_match_data *data = pcre2_match_data_create (1, NULL);
        Literals literals;
        LiteralsKey in_key;
        literals_find (&literals, p, LITERALS_PERL);
        literals_key (&in_key, k);
        bool matches = pcre2_match (code, k.data, k.size, 0, 0, data, NULL) >= 0;
        bool may_match = literals_may_match (&literals, &in_key);
        if (matches && !may_match)
            g_error ("/%s/ matches \"%s\"", pattern->str, key->str);
        n_matched += matches;
        n_passed_over += !may_match;
        n_branched += !may_match && literals.n > 1;
        literals_clear (&literals);
        pcre2_match_data_free (data);
        pcre2_code_free (code);
    }
    g_rand_free (dice);
    g_assert_cmpint (n_matched, >, 1000);
    g_assert_cmpint (n_passed_over, >, 1000);
    g_assert_cmpint (n_branched, >, 50);
}

/* ---- several threads: a host whose calls are plain buffers */

typedef struct {
    char text[64];
} Said;

static void
said_answer (HkCall *call, const void *data, size_t size)
{
    Said *said = (Said *) (void *) call;
    g_assert_cmpuint (size, <, sizeof said->text);
    memcpy (said->text, data, size);
    said->text[size] = '\0';
}

typedef struct {
    const HkLookupClass *cls;
    void *table;
} Shared;

static void *
ask_many (void *data)
{
    const Shared *shared = data;
    for (int i = 0; i < 20000; i++) {
        Said said = {""};
        char key[32], want[32];
        int n = g_snprintf (key, sizeof key, "user%d@example.org", i % 97);
        g_snprintf (want, sizeof want, "got %d", i % 97);
        HkSpan span = {(const uint8_t *) key, (size_t) n};
        g_assert_cmpint (shared->cls->get (shared->table, (HkCall *) (void *) &said, span),
                         ==, HK_FOUND);
        g_assert_cmpstr (said.text, ==, want);
    }
    return NULL;
}

static void
test_threads (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_pcre));
    GThread *threads[4];
    Shared shared = {
        (const HkLookupClass *) (const void *) hk_harness_class (h, HK_KIND_LOOKUP, "pcre"),
        hk_harness_open (h, HK_KIND_LOOKUP, "pcre",
                         "{ {/nothing/ x} {/^user(\\d+)@example\\.org$/ got $1} }")};
    ((HkHost *) hk_harness_host (h))->answer = said_answer;
    for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
        threads[i] = g_thread_new ("ask", ask_many, &shared);
    for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
        g_thread_join (threads[i]);
    hk_harness_close (h, shared.table);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_pcre/rules", test_rules);
    g_test_add_func ("/lookup_pcre/wrong_rules", test_wrong_rules);
    g_test_add_func ("/lookup_pcre/bounded", test_bounded);
    g_test_add_func ("/lookup_pcre/bounded_as_a_whole", test_bounded_as_a_whole);
    g_test_add_func ("/lookup_pcre/long_keys", test_long_keys);
    g_test_add_func ("/lookup_pcre/literals", test_literals);
    g_test_add_func ("/lookup_pcre/literals_are_safe", test_literals_are_safe);
    g_test_add_func ("/lookup_pcre/threads", test_threads);
    return g_test_run ();
}
