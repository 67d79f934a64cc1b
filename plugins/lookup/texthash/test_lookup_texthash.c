/* test_lookup_texthash.c: the syntax of the text, what is warned of, changes seen at once.
 */
#include "harness.h"
#include <glib/gstdio.h>
#include <unistd.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_texthash);

static char *directory, *path;

static HkHarness *
new_harness (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_texthash));
    hk_harness_set (h, "smtputf8_enable", "yes"); /* a parameter of the host */
    return h;
}

static void
write_text (const char *text)
{
    g_autofree char *tmp = g_strconcat (path, ".new", NULL);
    g_assert_true (g_file_set_contents (tmp, text, -1, NULL));
    g_assert_cmpint (g_rename (tmp, path), ==, 0);
}

static const char text[] = "# comment\n"
                           "a 1\n"
                           "b   2 with blanks  \n"
                           "a 3\n"
                           "noval\n"
                           "C: three\n"
                           "\"x y\" z\n"
                           "# in between\n"
                           "  cont\n"
                           "\t# not text\n"
                           " more\n"
                           "KEY Val\n"
                           "Key other\n"
                           "\"unterminated x\n"
                           "\xc3\x84 umlaut\n"
                           "last v";

static const struct {
    const char *key, *answer;
} cases[] = {
    {"a", "1"}, /* of two equal keys the first counts */
    {"b", "2 with blanks"},
    {"noval", NULL},
    {"c:", "three"},
    {"\"x y\"", "z  cont more"},
    {"key", "Val"},
    {"KEY", "Val"},   /* asked without folding */
    {"Key", "other"}, /* a duplicate only for those who fold */
    {"kEY", NULL},
    {"\xc3\xa4", "umlaut"},
    {"last", "v"}, /* no line end at the end of the file */
    {"#", NULL},
    {"", NULL},
};

static void
test_syntax (void)
{
    HkHarness *h = new_harness ();
    write_text (text);
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "texthash", path);
    g_assert_nonnull (t);
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_test_message ("key %s", cases[i].key);
        g_assert_cmpint (hk_harness_get (h, t, cases[i].key), ==,
                         cases[i].answer == NULL ? HK_ABSENT : HK_FOUND);
        g_assert_cmpstr (hk_harness_answer (h), ==, cases[i].answer);
    }
    const char *log = hk_harness_log (h);
    g_assert_nonnull (strstr (log, "line 4: duplicate entry: \"a\""));
    g_assert_nonnull (strstr (log, "line 5: expected format: key whitespace value"));
    g_assert_nonnull (strstr (log, "line 6: record is in \"key: value\" format"));
    g_assert_nonnull (strstr (log, "line 14: unbalanced '\"'"));
    g_assert_nonnull (strstr (log, path));
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_utf8 (void)
{
    HkHarness *h = new_harness ();
    static const char *const settings[] = {"no", "yes"};
    write_text ("a \xe4\n\xe4 b\nc \xc3\xa4\n");
    for (int i = 0; i < 2; i++) {
        hk_harness_set (h, "smtputf8_enable", settings[i]);
        hk_harness_clear_log (h);
        void *t = hk_harness_open (h, HK_KIND_LOOKUP, "texthash", path);
        HkAnswer answer = i == 0 ? HK_FOUND : HK_ABSENT;
        g_assert_cmpint (hk_harness_get (h, t, "a"), ==, answer);
        g_assert_cmpint (hk_harness_get (h, t, "\xe4"), ==, answer);
        g_assert_cmpint (hk_harness_get (h, t, "c"), ==, HK_FOUND);
        g_assert_cmpint (strstr (hk_harness_log (h), "line 2: non-UTF-8 input") != NULL, ==,
                         i == 1);
        hk_harness_close (h, t);
    }
    hk_harness_free (h);
}

static void
test_change (void)
{
    HkHarness *h = new_harness ();
    write_text ("k one\n");
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "texthash", path);
    hk_harness_get (h, t, "k");
    g_assert_cmpstr (hk_harness_answer (h), ==, "one");
    write_text ("k two\n"); /* the same size, within the same second */
    hk_harness_get (h, t, "k");
    g_assert_cmpstr (hk_harness_answer (h), ==, "two");

    g_unlink (path); /* gone: the last good text stays, and it is said once */
    for (int i = 0; i < 3; i++)
        g_assert_cmpint (hk_harness_get (h, t, "k"), ==, HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (h), ==, "two");
    const char *said = strstr (hk_harness_log (h), "stays as it was");
    g_assert_nonnull (said);
    g_assert_null (strstr (said + 1, "stays as it was"));

    write_text ("k three\n");
    hk_harness_get (h, t, "k");
    g_assert_cmpstr (hk_harness_answer (h), ==, "three");
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_absent_file (void)
{
    HkHarness *h = new_harness ();
    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "texthash", "/nonexistent/file"));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_LATER); /* it may come yet */
    g_assert_nonnull (strstr (hk_harness_reason (h), "/nonexistent/file"));
    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "texthash", directory));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_LATER);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    directory = g_dir_make_tmp ("hk-texthash-XXXXXX", NULL);
    path = g_build_filename (directory, "table", NULL);
    g_test_add_func ("/lookup_texthash/syntax", test_syntax);
    g_test_add_func ("/lookup_texthash/utf8", test_utf8);
    g_test_add_func ("/lookup_texthash/change", test_change);
    g_test_add_func ("/lookup_texthash/absent_file", test_absent_file);
    int rc = g_test_run ();
    g_unlink (path);
    g_rmdir (directory);
    g_free (path);
    g_free (directory);
    return rc;
}
