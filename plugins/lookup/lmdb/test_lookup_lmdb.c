/* test_lookup_lmdb.c: what all indexed files do; files without NULs; changes in place by
 * another program, under its lock, and beyond what was mapped; the limit of keys. */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "../test_indexed.h"

#include <fcntl.h>
#include <lmdb.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_lmdb);

static const TestType types[] = {{&HK_PLUGIN_SYMBOL (lookup_lmdb), "lmdb", ".lmdb"}};

/* Change the file in place, as Postfix's postmap does: all that was there goes, KEY comes,
 * with EXTRA bytes (its NUL), and FILL more entries. */
static void
write_in_place (const char *key, const char *value, size_t extra, int fill)
{
    g_autofree char *path = index_of (&types[0]);
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    g_assert_cmpint (mdb_env_create (&env), ==, 0);
    g_assert_cmpint (mdb_env_set_mapsize (env, (size_t) 256 << 20), ==, 0);
    g_assert_cmpint (mdb_env_open (env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0644), ==, 0);
    g_assert_cmpint (mdb_txn_begin (env, NULL, 0, &txn), ==, 0);
    g_assert_cmpint (mdb_dbi_open (txn, NULL, 0, &dbi), ==, 0);
    g_assert_cmpint (mdb_drop (txn, dbi, 0), ==, 0);
    MDB_val k = {strlen (key) + extra, (void *) (uintptr_t) key};
    MDB_val v = {strlen (value) + extra, (void *) (uintptr_t) value};
    g_assert_cmpint (mdb_put (txn, dbi, &k, &v, 0), ==, 0);
    for (int i = 0; i < fill; i++) {
        g_autofree char *name = g_strdup_printf ("fill%d", i);
        char big[400];
        memset (big, '.', sizeof big);
        k = (MDB_val){strlen (name) + extra, name};
        v = (MDB_val){sizeof big, big};
        g_assert_cmpint (mdb_put (txn, dbi, &k, &v, 0), ==, 0);
    }
    g_assert_cmpint (mdb_txn_commit (txn), ==, 0);
    mdb_env_close (env);
}

/* The same file, open all the time: each commit is seen by the very next lookup, whether
 * its keys have a NUL or not. */
static void
test_in_place (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_lmdb));
    g_assert_cmpint (build (h, types, "a=1 b=2", 1), ==, HK_OK);
    void *table = hk_harness_open (h, HK_KIND_LOOKUP, "lmdb", source);
    assert_value (h, table, "a", "1");
    for (size_t i = 0; i < 8; i++) {
        g_autofree char *value = g_strdup_printf ("v%zu", i);
        write_in_place ("a", value, i % 2, 0);
        assert_value (h, table, "a", value);
        assert_value (h, table, "b", NULL);
    }
    hk_harness_close (h, table);
    hk_harness_free (h);
}

/* A writer with a larger map lets the file grow beyond what is mapped here: 16 MiB. */
static void
test_outgrown (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_lmdb));
    g_assert_cmpint (build (h, types, "a=1", 1), ==, HK_OK);
    void *table = hk_harness_open (h, HK_KIND_LOOKUP, "lmdb", source);
    assert_value (h, table, "a", "1");
    write_in_place ("a", "grown", 1, 50000);
    assert_value (h, table, "a", "grown");
    hk_harness_close (h, table);
    hk_harness_free (h);
}

/* While a writer holds its lock, lookups wait for it, but not for ever. */
static void
test_lock (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_lmdb));
    g_autofree char *path = index_of (&types[0]);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    g_assert_cmpint (build (h, types, "a=1", 1), ==, HK_OK);
    void *table = hk_harness_open (h, HK_KIND_LOOKUP, "lmdb", source);
    int fd = open (path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint (fcntl (fd, F_OFD_SETLK, &lock), ==, 0);
    g_assert_cmpint (hk_harness_get (h, table, "a"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "holds its lock"));
    /* Known to be locked: the event loop is not held up once more for each lookup. */
    gint64 began = g_get_monotonic_time ();
    for (int i = 0; i < 20; i++)
        g_assert_cmpint (hk_harness_get (h, table, "a"), ==, HK_LATER);
    g_assert_cmpint (g_get_monotonic_time () - began, <, G_USEC_PER_SEC);
    lock.l_type = F_UNLCK;
    g_assert_cmpint (fcntl (fd, F_OFD_SETLK, &lock), ==, 0);
    assert_value (h, table, "a", "1");
    lock.l_type = F_WRLCK;
    /* and a lookup leaves no lock behind */
    g_assert_cmpint (fcntl (fd, F_OFD_SETLK, &lock), ==, 0);
    close (fd);
    hk_harness_close (h, table);
    hk_harness_free (h);
}

static void
test_key_limit (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_lmdb));
    const HkLookupClass *c = class_of (h, types);
    void *b = NULL;
    for (size_t size = 509; size < 513; size++) { /* 511 with the NUL */
        g_autofree char *key = g_strnfill (size, 'k');
        HkAnswer can = size <= 510 ? HK_OK : HK_BROKEN;
        c->build_begin (build_host (h), NULL, hk_harness_call (h), &b);
        g_assert_cmpint (c->build_put (b, hk_harness_call (h), span (key), span ("v"), 0),
                         ==, can);
        g_assert_cmpint (c->build_end (b, hk_harness_call (h), can == HK_OK), ==, HK_OK);
        void *table = hk_harness_open (h, HK_KIND_LOOKUP, "lmdb", source);
        assert_value (h, table, key, can == HK_OK ? "v" : NULL);
        hk_harness_close (h, table);
    }
    hk_harness_free (h);
}

static void
add_more (void)
{
    g_test_add_func ("/lookup_lmdb/in_place", test_in_place);
    g_test_add_func ("/lookup_lmdb/outgrown", test_outgrown);
    g_test_add_func ("/lookup_lmdb/lock", test_lock);
    g_test_add_func ("/lookup_lmdb/key_limit", test_key_limit);
}

int
main (int argc, char **argv)
{
    return test_indexed_main (&argc, &argv, types, G_N_ELEMENTS (types), add_more);
}
