/* test_lookup_cdb.c: what all indexed files do; files that other programs made: with NULs,
 * with a key twice, written over in place. */
#include "../test_indexed.h"

#include <cdb.h>
#include <fcntl.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_cdb);

static const TestType types[] = {{&HK_PLUGIN_SYMBOL (lookup_cdb), "cdb", ".cdb"}};

/* A file made by the library, as another program would; PAIRS as {key, value, …, NULL};
 * EXTRA bytes of each, their NUL, go along. */
static void
make_file (const char *const *pairs, unsigned extra)
{
    struct cdb_make cdb;
    g_autofree char *path = index_of (&types[0]), *tmp = g_strconcat (path, ".x", NULL);
    int fd = open (tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    g_assert_cmpint (fd, >=, 0);
    g_assert_cmpint (cdb_make_start (&cdb, fd), ==, 0);
    for (; pairs[0] != NULL; pairs += 2)
        g_assert_cmpint (cdb_make_add (&cdb, pairs[0], (unsigned) strlen (pairs[0]) + extra,
                                       pairs[1], (unsigned) strlen (pairs[1]) + extra),
                         ==, 0);
    g_assert_cmpint (cdb_make_finish (&cdb), ==, 0);
    close (fd);
    g_assert_cmpint (g_rename (tmp, path), ==, 0);
}

static void
test_nul (void)
{
    g_autofree char *name = g_strnfill (2000, 'n');
    const char *const pairs[] = {"a", "1", "b", "two", name, "long", NULL};
    for (unsigned extra = 0; extra < 2; extra++) {
        HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_cdb));
        void *cursor = NULL;
        make_file (pairs, extra);
        void *table = hk_harness_open (h, HK_KIND_LOOKUP, "cdb", source);
        for (size_t i = 0; pairs[i] != NULL; i += 2)
            assert_value (h, table, pairs[i], pairs[i + 1]);
        assert_value (h, table, "c", NULL);
        for (size_t i = 0; pairs[i] != NULL; i += 2) {
            g_assert_cmpint (
                class_of (h, types)->each (table, hk_harness_call (h), &cursor, 1), ==,
                HK_FOUND);
            g_assert_cmpstr (hk_harness_answer (h), ==, pairs[i]);
            g_assert_cmpstr (hk_harness_answer2 (h), ==, pairs[i + 1]);
        }
        class_of (h, types)->each (table, hk_harness_call (h), &cursor, 0);
        hk_harness_close (h, table);
        hk_harness_free (h);
    }
}

/* Lookups find the first of two equal keys; a walk, from which a copy is made, does too. */
static void
test_key_twice (void)
{
    static const char *const pairs[] = {"a", "1", "b", "2", "a", "3", NULL};
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_cdb));
    g_autoptr (GString) seen = g_string_new (NULL);
    void *cursor = NULL;
    make_file (pairs, 0);
    void *table = hk_harness_open (h, HK_KIND_LOOKUP, "cdb", source);
    assert_value (h, table, "a", "1");
    while (class_of (h, types)->each (table, hk_harness_call (h), &cursor, 1) == HK_FOUND)
        g_string_append (seen, hk_harness_answer2 (h));
    g_assert_cmpstr (seen->str, ==, "12");
    hk_harness_close (h, table);
    hk_harness_free (h);
}

/* Junk over the file itself: there is no old table to keep; a new one brings it back. */
static void
test_written_over (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_cdb));
    g_autofree char *path = index_of (&types[0]);
    g_assert_cmpint (build (h, types, "a=1", 1), ==, HK_OK);
    void *table = hk_harness_open (h, HK_KIND_LOOKUP, "cdb", source);
    assert_value (h, table, "a", "1");
    int fd = open (path, O_WRONLY | O_CLOEXEC);
    g_assert_cmpint (pwrite (fd, "\xff\xff\xff\xff", 4, 2048), ==, 4); /* size of a key */
    close (fd);
    get_until (h, table, "a", HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), path));
    g_assert_nonnull (strstr (hk_harness_log (h), "no table until"));
    g_assert_cmpint (build (h, types, "a=2", 1), ==, HK_OK);
    assert_value (h, table, "a", "2");
    hk_harness_close (h, table);
    hk_harness_free (h);
}

static void
add_more (void)
{
    g_test_add_func ("/lookup_cdb/nul", test_nul);
    g_test_add_func ("/lookup_cdb/key_twice", test_key_twice);
    g_test_add_func ("/lookup_cdb/written_over", test_written_over);
}

int
main (int argc, char **argv)
{
    return test_indexed_main (&argc, &argv, types, G_N_ELEMENTS (types), add_more);
}
