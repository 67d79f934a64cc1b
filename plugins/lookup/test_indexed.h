/* test_indexed.h: what is true of every table kept in an indexed file: build, ask, walk,
 * replace under readers, a build that dies, bad files, rights.
 *
 * A test program says which types it has (test_types) and calls test_indexed_main. */
#ifndef HK_PLUGINS_LOOKUP_TEST_INDEXED_H
#define HK_PLUGINS_LOOKUP_TEST_INDEXED_H

#include "harness.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    const HkPlugin *plugin;
    const char *type, *suffix;
} TestType;

static char *directory, *source;

static inline HkSpan
span (const char *text)
{
    return (HkSpan){(const uint8_t *) text, strlen (text)};
}

static inline const HkLookupClass *
class_of (HkHarness *h, const TestType *t)
{
    return (const HkLookupClass *) (const void *) hk_harness_class (h, HK_KIND_LOOKUP,
                                                                    t->type);
}

static inline char *
index_of (const TestType *t)
{
    return g_strconcat (source, t->suffix, NULL);
}

/* The harness makes a HkConf only for instances: a build gets a host that needs none. */
static inline HkSpan
source_argument (const HkConf *conf)
{
    (void) conf;
    return span (source);
}

static inline const HkHost *
build_host (HkHarness *h)
{
    static HkHost host;
    host = *hk_harness_host (h);
    host.conf_argument = source_argument;
    return &host;
}

/* PAIRS: "k=v k=v"; of equal keys the first stays. */
static inline HkAnswer
build (HkHarness *h, const TestType *t, const char *pairs, int commit)
{
    const HkLookupClass *c = class_of (h, t);
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

static inline void
assert_value (HkHarness *h, void *table, const char *key, const char *value)
{
    g_assert_cmpint (hk_harness_get (h, table, key), ==,
                     value == NULL ? HK_ABSENT : HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (h), ==, value);
}

static inline void
test_build_and_get (gconstpointer data)
{
    const TestType *t = data;
    HkHarness *h = hk_harness_new (t->plugin);
    g_autofree char *big = g_strnfill (100000, 'b'),
                    *pairs = g_strconcat ("big=", big, NULL);
    g_assert_cmpint (build (h, t, "a=1 b=2 a=3 ab=4 abc=", 1), ==, HK_OK);
    void *table = hk_harness_open (h, HK_KIND_LOOKUP, t->type, source);
    g_assert_nonnull (table);
    assert_value (h, table, "a", "1"); /* the first stays */
    assert_value (h, table, "ab", "4");
    assert_value (h, table, "abc", "");
    assert_value (h, table, "zz", NULL);
    assert_value (h, table, "", NULL);

    g_assert_cmpint (build (h, t, "a=new", 1), ==,
                     HK_OK); /* seen by the very next lookup */
    assert_value (h, table, "a", "new");
    assert_value (h, table, "b", NULL);

    g_assert_cmpint (build (h, t, "a=given-up", 0), ==, HK_OK);
    assert_value (h, table, "a", "new");
    g_assert_cmpint (build (h, t, pairs, 1), ==, HK_OK);
    assert_value (h, table, "big", big);
    g_assert_cmpint (build (h, t, "", 1), ==, HK_OK); /* an empty table is a table */
    assert_value (h, table, "a", NULL);
    hk_harness_close (h, table);
    hk_harness_free (h);
}

static inline void
test_replace_flag (gconstpointer data)
{
    const TestType *t = data;
    HkHarness *h = hk_harness_new (t->plugin);
    const HkLookupClass *c = class_of (h, t);
    static const struct {
        const char *value;
        int replace;
        HkAnswer answer;
    } puts[] = {
        {"1", 0, HK_OK}, {"2", 0, HK_FOUND}, {"longer", 1, HK_FOUND}, {"4", 0, HK_FOUND}};
    void *b = NULL;
    g_assert_cmpint (c->build_begin (build_host (h), NULL, hk_harness_call (h), &b), ==,
                     HK_OK);
    for (size_t i = 0; i < G_N_ELEMENTS (puts); i++)
        g_assert_cmpint (c->build_put (b, hk_harness_call (h), span ("k"),
                                       span (puts[i].value), puts[i].replace),
                         ==, puts[i].answer);
    g_assert_cmpint (c->build_end (b, hk_harness_call (h), 1), ==, HK_OK);
    void *table = hk_harness_open (h, HK_KIND_LOOKUP, t->type, source);
    assert_value (h, table, "k", "longer");
    hk_harness_close (h, table);
    hk_harness_free (h);
}

/* More than a page, a bucket, a hash table of the first size. */
static inline void
test_many (gconstpointer data)
{
    const TestType *t = data;
    HkHarness *h = hk_harness_new (t->plugin);
    const HkLookupClass *c = class_of (h, t);
    enum { N = 3000 };
    void *b = NULL, *cursor = NULL;
    int n = 0;
    g_assert_cmpint (c->build_begin (build_host (h), NULL, hk_harness_call (h), &b), ==,
                     HK_OK);
    for (int i = 0; i < N; i++) {
        g_autofree char *key = g_strdup_printf ("user%d@d%d.example", i * 7919, i % 13);
        g_autofree char *value = g_strdup_printf ("v%d", i);
        c->build_put (b, hk_harness_call (h), span (key), span (value), 0);
    }
    g_assert_cmpint (c->build_end (b, hk_harness_call (h), 1), ==, HK_OK);
    void *table = hk_harness_open (h, HK_KIND_LOOKUP, t->type, source);
    for (int i = 0; i < N; i++) {
        g_autofree char *key = g_strdup_printf ("user%d@d%d.example", i * 7919, i % 13);
        g_autofree char *value = g_strdup_printf ("v%d", i);
        assert_value (h, table, key, value);
    }
    while (c->each (table, hk_harness_call (h), &cursor, 1) == HK_FOUND)
        n++;
    g_assert_cmpint (n, ==, N);
    hk_harness_close (h, table);
    hk_harness_free (h);
}

static inline void
test_walk (gconstpointer data)
{
    const TestType *t = data;
    HkHarness *h = hk_harness_new (t->plugin);
    const HkLookupClass *c = class_of (h, t);
    g_assert_cmpint (build (h, t, "a=1 b=2 c=3", 1), ==, HK_OK);
    void *table = hk_harness_open (h, HK_KIND_LOOKUP, t->type, source), *cursor = NULL;
    int sum = 0, n = 0;
    while (c->each (table, hk_harness_call (h), &cursor, 1) == HK_FOUND) {
        g_assert_cmpint (*hk_harness_answer (h) - 'a', ==, *hk_harness_answer2 (h) - '1');
        sum += *hk_harness_answer2 (h) - '0';
        n++;
        if (n == 1) /* a table that is replaced meanwhile does not disturb the walk */
            g_assert_cmpint (build (h, t, "x=9", 1), ==, HK_OK);
    }
    g_assert_cmpint (n, ==, 3);
    g_assert_cmpint (sum, ==, 6);
    g_assert_null (cursor);
    g_assert_cmpint (c->each (table, hk_harness_call (h), &cursor, 1), ==, HK_FOUND);
    g_assert_cmpint (c->each (table, hk_harness_call (h), &cursor, 0), ==, HK_ABSENT);
    g_assert_null (cursor);
    hk_harness_close (h, table);
    hk_harness_free (h);
}

/* A builder that is killed half-way leaves the old table, and no lock. */
static inline void
test_dead_builder (gconstpointer data)
{
    const TestType *t = data;
    HkHarness *h = hk_harness_new (t->plugin);
    const HkLookupClass *c = class_of (h, t);
    g_assert_cmpint (build (h, t, "a=old", 1), ==, HK_OK);
    pid_t child = fork ();
    if (child == 0) {
        void *b = NULL;
        c->build_begin (build_host (h), NULL, hk_harness_call (h), &b);
        c->build_put (b, hk_harness_call (h), span ("a"), span ("half"), 0);
        kill (getpid (), SIGKILL);
    }
    int status;
    g_assert_cmpint (waitpid (child, &status, 0), ==, child);
    g_assert_true (WIFSIGNALED (status));
    void *table = hk_harness_open (h, HK_KIND_LOOKUP, t->type, source);
    assert_value (h, table, "a", "old");
    /* What a dead one wrote is no part of the next table. */
    g_autofree char *path = index_of (t), *tmp = g_strconcat (path, ".tmp", NULL);
    g_autofree char *junk = g_strnfill (300000, 'j');
    g_assert_true (g_file_set_contents (tmp, junk, -1, NULL));
    g_assert_cmpint (build (h, t, "a=next", 1), ==, HK_OK);
    assert_value (h, table, "a", "next");
    hk_harness_close (h, table);
    hk_harness_free (h);
}

/* Asks until the answer to KEY is ANSWER: a lookup looks at the file once a tick. */
static inline void
get_until (HkHarness *h, void *table, const char *key, HkAnswer answer)
{
    gint64 end = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
    while (hk_harness_get (h, table, key) != answer)
        g_assert_cmpint (g_get_monotonic_time (), <, end);
}

static inline void
get_until_logged (HkHarness *h, void *table, const char *key, const char *text)
{
    gint64 end = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
    while (strstr (hk_harness_log (h), text) == NULL) {
        g_assert_cmpint (hk_harness_get (h, table, key), ==, HK_FOUND);
        g_assert_cmpint (g_get_monotonic_time (), <, end);
    }
}

static inline void
test_no_file (gconstpointer data)
{
    const TestType *t = data;
    static const char *const bad[] = {"", "this is no database at all"};
    HkHarness *h = hk_harness_new (t->plugin);
    g_autofree char *path = index_of (t), *run = g_strdup_printf ("postmap %s:", t->type);
    g_unlink (path);
    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, t->type, source));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), path));
    g_assert_nonnull (strstr (hk_harness_reason (h), run));
    for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
        g_assert_true (g_file_set_contents (path, bad[i], -1, NULL));
        g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, t->type, source));
        g_assert_cmpint (hk_harness_opened (h), ==, HK_LATER);
        g_assert_nonnull (strstr (hk_harness_reason (h), path));
    }
    hk_harness_free (h);
}

/* The file goes bad under an open table: what was read before stays in use. */
static inline void
test_goes_bad (gconstpointer data)
{
    const TestType *t = data;
    HkHarness *h = hk_harness_new (t->plugin);
    g_autofree char *path = index_of (t), *junk = g_strconcat (path, ".junk", NULL);
    g_assert_cmpint (build (h, t, "a=1", 1), ==, HK_OK);
    void *table = hk_harness_open (h, HK_KIND_LOOKUP, t->type, source);
    g_assert_true (g_file_set_contents (junk, "junk", -1, NULL));
    g_assert_cmpint (g_rename (junk, path), ==, 0);
    get_until_logged (h, table, "a", "stays as it was before");
    g_assert_cmpint (build (h, t, "a=2", 1), ==, HK_OK);
    assert_value (h, table, "a", "2");
    g_unlink (path);
    hk_harness_clear_log (h);
    get_until_logged (h, table, "a", "No such file");
    g_assert_cmpint (build (h, t, "a=3", 1), ==, HK_OK);
    assert_value (h, table, "a", "3");
    hk_harness_close (h, table);
    hk_harness_free (h);
}

/* Half a file, at every length that cuts something: never a crash, never a wrong value. */
static inline void
test_cut_short (gconstpointer data)
{
    const TestType *t = data;
    HkHarness *h = hk_harness_new (t->plugin);
    g_autofree char *path = index_of (t), *whole = NULL;
    gsize size;
    g_assert_cmpint (build (h, t, "a=1 b=2 c=3", 1), ==, HK_OK);
    g_assert_true (g_file_get_contents (path, &whole, &size, NULL));
    for (gsize cut = 1; cut < size; cut += cut < 64 ? 1 : 1021) {
        g_assert_true (g_file_set_contents (path, whole, (gssize) cut, NULL));
        void *table = hk_harness_open (h, HK_KIND_LOOKUP, t->type, source);
        if (table == NULL) {
            g_assert_cmpint (hk_harness_opened (h), ==, HK_LATER);
            continue;
        }
        if (hk_harness_get (h, table, "a") == HK_FOUND)
            g_assert_cmpstr (hk_harness_answer (h), ==, "1");
        hk_harness_close (h, table);
    }
    hk_harness_free (h);
}

static inline void
test_mode (gconstpointer data)
{
    const TestType *t = data;
    HkHarness *h = hk_harness_new (t->plugin);
    g_autofree char *path = index_of (t);
    struct stat st;
    g_assert_cmpint (chmod (source, 0640), ==, 0);
    g_assert_cmpint (build (h, t, "a=1", 1), ==, HK_OK);
    g_assert_cmpint (stat (path, &st), ==, 0);
    g_assert_cmpint (st.st_mode & 0777, ==, 0640); /* a secret stays one */
    g_assert_cmpint (chmod (source, 0644), ==, 0);
    hk_harness_free (h);
}

typedef struct {
    const TestType *type;
    void *table;
} Reader;

static inline void *
read_much (void *data)
{
    const Reader *r = data;
    HkHarness *h = hk_harness_new (r->type->plugin);
    for (int i = 0; i < 5000; i++) {
        HkAnswer answer =
            class_of (h, r->type)->get (r->table, hk_harness_call (h), span ("k7"));
        g_assert_cmpint (answer, ==, HK_FOUND);
        g_assert_cmpint (strlen (hk_harness_answer (h)), ==, 1);
    }
    hk_harness_free (h);
    return NULL;
}

/* Thread-safe, as the descriptor says, while the table is replaced again and again. */
static inline void
test_threads (gconstpointer data)
{
    const TestType *t = data;
    HkHarness *h = hk_harness_new (t->plugin);
    g_assert_cmpint (build (h, t, "k7=0", 1), ==, HK_OK);
    Reader r = {t, hk_harness_open (h, HK_KIND_LOOKUP, t->type, source)};
    GThread *readers[3];
    for (size_t i = 0; i < G_N_ELEMENTS (readers); i++)
        readers[i] = g_thread_new ("reader", read_much, &r);
    for (int i = 0; i < 12; i++) {
        g_autofree char *pairs = g_strdup_printf ("k7=%d other=%d", i % 10, i);
        g_assert_cmpint (build (h, t, pairs, 1), ==, HK_OK);
    }
    for (size_t i = 0; i < G_N_ELEMENTS (readers); i++)
        g_thread_join (readers[i]);
    hk_harness_close (h, r.table);
    hk_harness_free (h);
}

static inline void
add_tests (const TestType *t)
{
    static const struct {
        const char *name;
        GTestDataFunc fn;
    } all[] = {
        {"build_and_get", test_build_and_get},
        {"replace_flag", test_replace_flag},
        {"many", test_many},
        {"walk", test_walk},
        {"dead_builder", test_dead_builder},
        {"no_file", test_no_file},
        {"goes_bad", test_goes_bad},
        {"cut_short", test_cut_short},
        {"mode", test_mode},
        {"threads", test_threads},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (all); i++) {
        g_autofree char *path = g_strdup_printf ("/lookup_%s/%s", t->type, all[i].name);
        g_test_add_data_func (path, t, all[i].fn);
    }
}

static inline int
test_indexed_main (int *argc, char ***argv, const TestType *types, size_t n_types,
                   void (*add_more) (void))
{
    g_test_init (argc, argv, NULL);
    directory = g_dir_make_tmp ("hk-indexed-XXXXXX", NULL);
    source = g_build_filename (directory, "table", NULL);
    g_assert_true (g_file_set_contents (source, "a 1\n", -1, NULL));
    for (size_t i = 0; i < n_types; i++)
        add_tests (&types[i]);
    add_more ();
    int rc = g_test_run ();
    for (size_t i = 0; i < n_types; i++) {
        g_autofree char *path = index_of (&types[i]);
        g_unlink (path);
    }
    g_unlink (source);
    g_assert_cmpint (g_rmdir (directory), ==, 0); /* nothing else was left there */
    g_free (source);
    g_free (directory);
    return rc;
}

#endif
