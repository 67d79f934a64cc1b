/* test_lookup_hash.c: build, ask, walk, replace under a reader, a build that dies, bad
 * files. */
#include "harness.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_hash);

static char *directory, *source, *index_file;

static HkSpan
span (const char *text)
{
    return (HkSpan){(const uint8_t *) text, strlen (text)};
}

static const HkLookupClass *
class_of (HkHarness *h)
{
    return (const HkLookupClass *) (const void *) hk_harness_class (h, HK_KIND_LOOKUP,
                                                                    "hash");
}

/* The harness makes a HkConf only for instances: borrow the one of an open table. */
static struct {
    const HkHost *real;
    HkHost host;
} fake;

static HkSpan
fake_argument (const HkConf *conf)
{
    (void) conf;
    return span (source);
}

static const HkHost *
build_host (HkHarness *h)
{
    fake.real = hk_harness_host (h);
    fake.host = *fake.real;
    fake.host.conf_argument = fake_argument;
    return &fake.host;
}

/* PAIRS: "k=v k=v"; equal keys follow REPLACE. */
static HkAnswer
build (HkHarness *h, const char *pairs, int commit)
{
    const HkLookupClass *c = class_of (h);
    void *b = NULL;
    HkAnswer answer = c->build_begin (build_host (h), NULL, hk_harness_call (h), &b);
    if (answer != HK_OK)
        return answer;
    g_auto (GStrv) items = g_strsplit (pairs, " ", -1);
    for (char **i = items; *i != NULL; i++) {
        g_auto (GStrv) kv = g_strsplit (*i, "=", 2);
        if (kv[0] != NULL && kv[1] != NULL)
            c->build_put (b, hk_harness_call (h), span (kv[0]), span (kv[1]), 0);
    }
    return c->build_end (b, hk_harness_call (h), commit);
}

static void
test_build_and_get (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_hash));
    g_assert_cmpint (build (h, "a=1 b=2 a=3", 1), ==, HK_OK);
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "hash", source);
    g_assert_nonnull (t);
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (h), ==, "1"); /* the first stays */
    g_assert_cmpint (hk_harness_get (h, t, "zz"), ==, HK_ABSENT);
    g_assert_cmpint (hk_harness_get (h, t, ""), ==, HK_ABSENT);

    g_assert_cmpint (build (h, "a=new", 1), ==, HK_OK); /* seen by the very next lookup */
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (h), ==, "new");
    g_assert_cmpint (hk_harness_get (h, t, "b"), ==, HK_ABSENT);

    g_assert_cmpint (build (h, "a=given-up", 0), ==, HK_OK);
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (h), ==, "new");
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_replace_flag (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_hash));
    const HkLookupClass *c = class_of (h);
    void *b = NULL;
    g_assert_cmpint (c->build_begin (build_host (h), NULL, hk_harness_call (h), &b), ==,
                     HK_OK);
    g_assert_cmpint (c->build_put (b, hk_harness_call (h), span ("k"), span ("1"), 0), ==,
                     HK_OK);
    g_assert_cmpint (c->build_put (b, hk_harness_call (h), span ("k"), span ("2"), 0), ==,
                     HK_FOUND);
    g_assert_cmpint (c->build_put (b, hk_harness_call (h), span ("k"), span ("3"), 1), ==,
                     HK_FOUND);
    g_assert_cmpint (c->build_end (b, hk_harness_call (h), 1), ==, HK_OK);
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "hash", source);
    hk_harness_get (h, t, "k");
    g_assert_cmpstr (hk_harness_answer (h), ==, "3");
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_walk (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_hash));
    g_assert_cmpint (build (h, "a=1 b=2 c=3", 1), ==, HK_OK);
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "hash", source), *cursor = NULL;
    int sum = 0, n = 0;
    while (class_of (h)->each (t, hk_harness_call (h), &cursor, 1) == HK_FOUND) {
        sum += *hk_harness_answer2 (h) - '0';
        n++;
        if (n == 1) /* a table that is replaced meanwhile does not disturb the walk */
            g_assert_cmpint (build (h, "x=9", 1), ==, HK_OK);
    }
    g_assert_cmpint (n, ==, 3);
    g_assert_cmpint (sum, ==, 6);
    g_assert_null (cursor);
    g_assert_cmpint (class_of (h)->each (t, hk_harness_call (h), &cursor, 1), ==, HK_FOUND);
    g_assert_cmpint (class_of (h)->each (t, hk_harness_call (h), &cursor, 0), ==,
                     HK_ABSENT);
    g_assert_null (cursor);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

/* A builder that is killed half-way leaves the old table, and no lock. */
static void
test_dead_builder (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_hash));
    g_assert_cmpint (build (h, "a=old", 1), ==, HK_OK);
    pid_t child = fork ();
    if (child == 0) {
        void *b = NULL;
        class_of (h)->build_begin (build_host (h), NULL, hk_harness_call (h), &b);
        class_of (h)->build_put (b, hk_harness_call (h), span ("a"), span ("half"), 0);
        kill (getpid (), SIGKILL);
    }
    int status;
    g_assert_cmpint (waitpid (child, &status, 0), ==, child);
    g_assert_true (WIFSIGNALED (status));
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "hash", source);
    hk_harness_get (h, t, "a");
    g_assert_cmpstr (hk_harness_answer (h), ==, "old");
    g_assert_cmpint (build (h, "a=next", 1), ==, HK_OK);
    hk_harness_get (h, t, "a");
    g_assert_cmpstr (hk_harness_answer (h), ==, "next");
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_bad_files (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_hash));
    g_unlink (index_file);
    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "hash", source));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), index_file));
    g_assert_nonnull (strstr (hk_harness_reason (h), "postmap hash:"));

    g_assert_true (
        g_file_set_contents (index_file, "this is no database at all", -1, NULL));
    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "hash", source));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_LATER);

    /* The file goes bad under an open table: what was read before stays in use. */
    g_assert_cmpint (build (h, "a=1", 1), ==, HK_OK);
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "hash", source);
    g_autofree char *junk = g_strconcat (index_file, ".junk", NULL);
    g_assert_true (g_file_set_contents (junk, "junk", -1, NULL));
    g_assert_cmpint (g_rename (junk, index_file), ==, 0);
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_FOUND);
    g_assert_nonnull (strstr (hk_harness_log (h), "stays as it was before"));
    g_assert_cmpint (build (h, "a=2", 1), ==, HK_OK);
    hk_harness_get (h, t, "a");
    g_assert_cmpstr (hk_harness_answer (h), ==, "2");
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_mode (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_hash));
    struct stat st;
    g_assert_cmpint (chmod (source, 0640), ==, 0);
    g_assert_cmpint (build (h, "a=1", 1), ==, HK_OK);
    g_assert_cmpint (stat (index_file, &st), ==, 0);
    g_assert_cmpint (st.st_mode & 0777, ==, 0640); /* a secret stays one */
    g_assert_cmpint (chmod (source, 0644), ==, 0);
    hk_harness_free (h);
}

static void *
read_much (void *data)
{
    void **args = data;
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_hash));
    for (int i = 0; i < 20000; i++) {
        HkAnswer answer = class_of (h)->get (args[0], hk_harness_call (h), span ("k7"));
        g_assert_cmpint (answer, ==, HK_FOUND);
        g_assert_cmpint (strlen (hk_harness_answer (h)), ==, 1);
    }
    hk_harness_free (h);
    return NULL;
}

/* Thread-safe, as the descriptor says, while the table is replaced again and again. */
static void
test_threads (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_hash));
    g_assert_cmpint (build (h, "k7=0", 1), ==, HK_OK);
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "hash", source);
    void *args[] = {t};
    GThread *readers[3];
    for (size_t i = 0; i < G_N_ELEMENTS (readers); i++)
        readers[i] = g_thread_new ("reader", read_much, args);
    for (int i = 0; i < 30; i++) {
        g_autofree char *pairs = g_strdup_printf ("k7=%d other=%d", i % 10, i);
        g_assert_cmpint (build (h, pairs, 1), ==, HK_OK);
    }
    for (size_t i = 0; i < G_N_ELEMENTS (readers); i++)
        g_thread_join (readers[i]);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    directory = g_dir_make_tmp ("hk-hash-XXXXXX", NULL);
    source = g_build_filename (directory, "table", NULL);
    index_file = g_strconcat (source, ".gdbm", NULL);
    g_assert_true (g_file_set_contents (source, "a 1\n", -1, NULL));
    g_test_add_func ("/lookup_hash/build_and_get", test_build_and_get);
    g_test_add_func ("/lookup_hash/replace_flag", test_replace_flag);
    g_test_add_func ("/lookup_hash/walk", test_walk);
    g_test_add_func ("/lookup_hash/dead_builder", test_dead_builder);
    g_test_add_func ("/lookup_hash/bad_files", test_bad_files);
    g_test_add_func ("/lookup_hash/mode", test_mode);
    g_test_add_func ("/lookup_hash/threads", test_threads);
    int rc = g_test_run ();
    g_unlink (index_file);
    g_unlink (source);
    g_rmdir (directory);
    g_free (index_file);
    g_free (source);
    g_free (directory);
    return rc;
}
