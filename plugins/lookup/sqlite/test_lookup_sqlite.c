/* test_lookup_sqlite.c: rows, hostile keys, a file that is replaced, locked or missing. */
#include "harness.h"
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <unistd.h>

#include "../test_query_file.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_sqlite);

static char *directory, *path, *database;

static void
run_sql (const char *file, const char *sql)
{
    sqlite3 *db;
    g_assert_cmpint (sqlite3_open (file, &db), ==, SQLITE_OK);
    char *why = NULL;
    sqlite3_exec (db, sql, NULL, NULL, &why);
    g_assert_cmpstr (why, ==, NULL);
    sqlite3_close (db);
}

static void *
open_table (HkHarness *h, const char *more)
{
    g_autofree char *text = g_strdup_printf ("dbpath = %s\n%s\n", database, more);
    g_assert_true (g_file_set_contents (path, text, -1, NULL));
    return hk_harness_open (h, HK_KIND_LOOKUP, "sqlite", path);
}

static void
expect (HkHarness *h, void *table, const char *key, const char *answer)
{
    g_test_message ("key %s", key);
    g_assert_cmpint (hk_harness_get (h, table, key), ==,
                     answer == NULL ? HK_ABSENT : HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (h), ==, answer);
}

static const char by_key[] = "query = SELECT v, k FROM t WHERE k = '%s' ORDER BY v";

static void
test_rows (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_sqlite));
    run_sql (database, "CREATE TABLE t (k, v);"
                       "INSERT INTO t VALUES ('a','1'), ('b','x'), ('b','y'), ('n',NULL),"
                       "('e',''), ('i', 42), ('o''x', 'quoted')");
    void *t = open_table (h, by_key);
    g_assert_nonnull (t);
    expect (h, t, "a", "1");
    expect (h, t, "b", "x,y");
    expect (h, t, "n", NULL);
    expect (h, t, "e", NULL);
    expect (h, t, "i", "42");
    expect (h, t, "zz", NULL);
    expect (h, t, "o'x", "quoted");
    hk_harness_close (h, t);

    t = open_table (h, "table=t\nselect_field=v\nwhere_field=k\nadditional_conditions="
                       "ORDER BY v DESC\nexpansion_limit=1");
    expect (h, t, "a", "1");
    g_assert_cmpint (hk_harness_get (h, t, "b"), ==, HK_LATER);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

/* Each must come back as it was sent: as data, never as a part of the query. */
static const char *const hostile[] = {
    "'",    "''",        "\\'", "\\", "' OR '1'='1",  "'; DROP TABLE t; --",
    "\"",   "%s",        "%%",  "$1", "?1",           ":x",
    "a\tb", "\xc3\xa4'", "x/*", "--", "\xe2\x80\x99", "@",
    "'@'",  "';\\''"};

static void
test_hostile_keys (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_sqlite));
    void *t = open_table (h, "query = SELECT '%s'");
    for (size_t i = 0; i < G_N_ELEMENTS (hostile); i++)
        expect (h, t, hostile[i], hostile[i]);
    expect (h, t, "a\xff", NULL);
    expect (h, t, "a'\xc3", NULL); /* an unfinished character must not swallow a quote */
    g_assert_cmpint (hk_harness_get_span (h, t, (HkSpan){(const uint8_t *) "a\0'b", 4}), ==,
                     HK_ABSENT);
    hk_harness_close (h, t);
    t = open_table (h, by_key);
    expect (h, t, "a", "1");
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_read_only (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_sqlite));
    void *t = open_table (h, "query = DELETE FROM t");
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "readonly"));
    hk_harness_close (h, t);
    static const struct {
        const char *query, *reason;
    } wrong[] = {{"query = SELECT v FROM nowhere", "no such table: nowhere"},
                 {"query = SELEKT", "syntax error"},
                 {"query = -- nothing", "the query is empty"}};
    for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
        t = open_table (h, wrong[i].query);
        g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
        g_assert_nonnull (strstr (hk_harness_reason (h), wrong[i].reason));
        g_assert_nonnull (strstr (hk_harness_reason (h), path));
        hk_harness_close (h, t);
    }
    hk_harness_free (h);
}

static void
test_change (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_sqlite));
    void *t = open_table (h, by_key);
    expect (h, t, "a", "1");
    run_sql (database, "UPDATE t SET v = '2' WHERE k = 'a'");
    expect (h, t, "a", "2");

    g_autofree char *fresh = g_strconcat (database, ".new", NULL); /* renamed over it */
    run_sql (fresh, "CREATE TABLE t (k, v); INSERT INTO t VALUES ('a', '3')");
    g_assert_cmpint (g_rename (fresh, database), ==, 0);
    expect (h, t, "a", "3");
    expect (h, t, "b", NULL);

    g_assert_cmpint (g_rename (database, fresh), ==, 0); /* away, and back */
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), database));
    g_assert_false (g_file_test (database, G_FILE_TEST_EXISTS)); /* none was made */
    g_assert_cmpint (g_rename (fresh, database), ==, 0);
    expect (h, t, "a", "3");

    g_assert_true (
        g_file_set_contents (fresh, "this is no database, but long enough", -1, NULL));
    g_assert_cmpint (g_rename (fresh, database), ==, 0);
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "not a database"));
    g_unlink (database);
    run_sql (database, "CREATE TABLE t (k, v); INSERT INTO t VALUES ('a', '4')");
    expect (h, t, "a", "4");
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_timeout (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_sqlite));
    void *t = open_table (h, "timeout = 1\nquery = SELECT '%s' FROM t");
    sqlite3 *other;
    g_assert_cmpint (sqlite3_open (database, &other), ==, SQLITE_OK);
    sqlite3_exec (other, "BEGIN EXCLUSIVE", NULL, NULL, NULL);
    gint64 began = g_get_monotonic_time ();
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "locked"));
    g_assert_cmpint (g_get_monotonic_time () - began, <, 3 * G_USEC_PER_SEC);
    g_assert_cmpint (g_get_monotonic_time () - began, >, G_USEC_PER_SEC / 2);
    sqlite3_close (other);
    expect (h, t, "a", "a");
    hk_harness_close (h, t);

    t = open_table (h, "timeout = 1\nquery = WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL "
                       "SELECT n + 1 FROM c) SELECT max(n) FROM c");
    began = g_get_monotonic_time ();
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "timed out"));
    g_assert_cmpint (g_get_monotonic_time () - began, <, 3 * G_USEC_PER_SEC);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_refused (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_sqlite));
    g_assert_true (g_file_set_contents (path, "query = SELECT 1\n", -1, NULL));
    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "sqlite", path));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    g_assert_nonnull (strstr (hk_harness_reason (h), "dbpath is not set"));
    g_assert_null (open_table (h, "timeout = 0\nquery = x"));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    directory = g_dir_make_tmp ("hk-sqlite-XXXXXX", NULL);
    path = g_build_filename (directory, "table.cf", NULL);
    database = g_build_filename (directory, "db", NULL);
    test_query_file_add_all ();
    g_test_add_func ("/lookup_sqlite/rows", test_rows);
    g_test_add_func ("/lookup_sqlite/hostile_keys", test_hostile_keys);
    g_test_add_func ("/lookup_sqlite/read_only", test_read_only);
    g_test_add_func ("/lookup_sqlite/change", test_change);
    g_test_add_func ("/lookup_sqlite/timeout", test_timeout);
    g_test_add_func ("/lookup_sqlite/refused", test_refused);
    int rc = g_test_run ();
    test_query_file_end ();
    g_unlink (database);
    g_unlink (path);
    g_rmdir (directory);
    g_free (database);
    g_free (path);
    g_free (directory);
    return rc;
}
