/* test_verify.c: what answers mean as they age, bounds, and the file behind them. */
#include "config.h"

#include "verify/verify.h"

#include <glib/gstdio.h>
#include <sys/stat.h>

static const int64_t day = 86400, now = INT64_C (1700000000);

static const HkVerifyRules rules = {.positive_expire = 31 * 86400,
                                    .positive_refresh = 7 * 86400,
                                    .negative_expire = 3 * 86400,
                                    .negative_refresh = 3 * 3600,
                                    .keeps_negative = true,
                                    .limit = 1000};

static HkVerifyCache *
open_cache (const char *path)
{
    g_autoptr (GError) error = NULL;
    HkVerifyCache *cache = hk_verify_cache_open (path, &rules, &error);
    g_assert_no_error (error);
    return cache;
}

static void
assert_known (HkVerifyCache *cache, const char *key, int64_t when, int status,
              const char *text, bool probe)
{
    HkVerifyEntry entry;
    g_assert_cmpint (hk_verify_cache_ask (cache, key, when, &entry), ==, probe);
    g_assert_cmpint (entry.status, ==, status);
    g_assert_cmpstr (entry.text, ==, text);
}

static const char *const waiting = "Address verification in progress";

static void
test_ages (void)
{
    /* What was found, how long ago, and what counts then. */
    static const struct {
        int status;
        int64_t age;
        int counts;
        bool probe;
    } cases[] = {
        {HK_VERIFY_DELIVERABLE, 0, HK_VERIFY_DELIVERABLE, false},
        {HK_VERIFY_DELIVERABLE, 7 * 86400, HK_VERIFY_DELIVERABLE, false},
        {HK_VERIFY_DELIVERABLE, 7 * 86400 + 1, HK_VERIFY_DELIVERABLE, true},
        {HK_VERIFY_DELIVERABLE, 31 * 86400, HK_VERIFY_DELIVERABLE, true},
        {HK_VERIFY_DELIVERABLE, 31 * 86400 + 1, HK_VERIFY_PENDING, true},
        {HK_VERIFY_UNDELIVERABLE, 3 * 3600, HK_VERIFY_UNDELIVERABLE, false},
        {HK_VERIFY_UNDELIVERABLE, 3 * 3600 + 1, HK_VERIFY_UNDELIVERABLE, true},
        {HK_VERIFY_UNDELIVERABLE, 3 * 86400 + 1, HK_VERIFY_PENDING, true},
        {HK_VERIFY_DEFERRED, 60, HK_VERIFY_DEFERRED, false},
        {HK_VERIFY_DEFERRED, 3 * 86400 + 1, HK_VERIFY_PENDING, true},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (HkVerifyCache) cache = open_cache (NULL);
        assert_known (cache, "a@b.c", now, HK_VERIFY_PENDING, waiting, true);
        g_assert_true (hk_verify_cache_update (cache, "a@b.c", cases[i].status,
                                               HK_SPAN ("said so"), now));
        assert_known (cache, "a@b.c", now + cases[i].age, cases[i].counts,
                      cases[i].counts == HK_VERIFY_PENDING ? waiting : "said so",
                      cases[i].probe);
        g_assert_cmpuint (hk_verify_cache_count (cache), ==,
                          cases[i].counts != HK_VERIFY_PENDING);
    }
}

/* A refresh that did not help is repeated after a while, not at each question. */
static void
test_probed (void)
{
    g_autoptr (HkVerifyCache) cache = open_cache (NULL);
    int64_t later = now + 8 * day;
    hk_verify_cache_update (cache, "a@b.c", HK_VERIFY_DELIVERABLE, HK_SPAN ("ok"), now);
    assert_known (cache, "a@b.c", later, HK_VERIFY_DELIVERABLE, "ok", true);
    hk_verify_cache_probed (cache, "a@b.c", later);
    hk_verify_cache_probed (cache, "nobody@b.c", later);
    assert_known (cache, "a@b.c", later + 1000, HK_VERIFY_DELIVERABLE, "ok", false);
    /* A failure does not touch what is known to be good ... */
    g_assert_false (hk_verify_cache_update (cache, "a@b.c", HK_VERIFY_UNDELIVERABLE,
                                            HK_SPAN ("no"), later));
    assert_known (cache, "a@b.c", later + 1001, HK_VERIFY_DELIVERABLE, "ok", true);
    /* ... while that counts. */
    g_assert_true (hk_verify_cache_update (cache, "a@b.c", HK_VERIFY_UNDELIVERABLE,
                                           HK_SPAN ("no"), now + 40 * day));
    assert_known (cache, "a@b.c", now + 40 * day, HK_VERIFY_UNDELIVERABLE, "no", false);
}

static void
test_negative (void)
{
    g_autoptr (HkVerifyCache) cache = open_cache (NULL);
    HkVerifyRules without = rules;
    without.keeps_negative = false;
    hk_verify_cache_set_rules (cache, &without);
    g_assert_false (hk_verify_cache_update (cache, "a@b.c", HK_VERIFY_UNDELIVERABLE,
                                            HK_SPAN ("no"), now));
    g_assert_false (
        hk_verify_cache_update (cache, "a@b.c", HK_VERIFY_DEFERRED, HK_SPAN ("no"), now));
    assert_known (cache, "a@b.c", now, HK_VERIFY_PENDING, waiting, true);
    g_assert_true (
        hk_verify_cache_update (cache, "a@b.c", HK_VERIFY_DELIVERABLE, HK_SPAN ("y"), now));
}

static void
test_keys (void)
{
    g_autofree char *key = hk_verify_key (HK_SPAN ("Joe@Example.ORG"));
    g_autofree char *local = hk_verify_key (HK_SPAN ("Postmaster"));
    g_autofree char *path = hk_verify_path ("btree:/var/lib/hikyaku/verify_cache");
    g_autofree char *proxied = hk_verify_path ("proxy:lmdb:/x/y");
    g_assert_cmpstr (key, ==, "Joe@example.org");
    g_assert_cmpstr (local, ==, "Postmaster");
    g_assert_cmpstr (path, ==, "/var/lib/hikyaku/verify_cache.hk/answers");
    g_assert_cmpstr (proxied, ==, "/x/y.hk/answers");
    g_assert_null (hk_verify_path (""));
}

/* What was asked least recently makes room; nothing is longer than it may be. */
static void
test_bounds (void)
{
    g_autoptr (HkVerifyCache) cache = open_cache (NULL);
    HkVerifyRules small = rules;
    HkVerifyEntry entry;
    small.limit = 3;
    hk_verify_cache_set_rules (cache, &small);
    static const char *const keys[] = {"1@x", "2@x", "3@x"};
    for (size_t i = 0; i < 3; i++)
        hk_verify_cache_update (cache, keys[i], HK_VERIFY_DELIVERABLE, HK_SPAN (""), now);
    hk_verify_cache_ask (cache, "1@x", now, &entry);
    hk_verify_cache_update (cache, "4@x", HK_VERIFY_DELIVERABLE, HK_SPAN (""), now);
    g_assert_cmpuint (hk_verify_cache_count (cache), ==, 3);
    assert_known (cache, "1@x", now, HK_VERIFY_DELIVERABLE, "", false);
    assert_known (cache, "2@x", now, HK_VERIFY_PENDING, waiting, true);

    g_autofree char *text = g_strnfill (4000, 't'), *key = g_strnfill (1025, 'k');
    hk_verify_cache_update (cache, "5@x", HK_VERIFY_DELIVERABLE, hk_span_text (text), now);
    hk_verify_cache_ask (cache, "5@x", now, &entry);
    g_assert_cmpuint (strlen (entry.text), ==, HK_VERIFY_TEXT_MAX);
    g_assert_false (
        hk_verify_cache_update (cache, key, HK_VERIFY_DELIVERABLE, HK_SPAN (""), now));
}

static void
test_sweep (void)
{
    g_autoptr (HkVerifyCache) cache = open_cache (NULL);
    size_t dropped = 0;
    for (int i = 0; i < 50; i++) {
        g_autofree char *key = g_strdup_printf ("%d@x", i);
        hk_verify_cache_update (
            cache, key, i % 5 == 0 ? HK_VERIFY_UNDELIVERABLE : HK_VERIFY_DELIVERABLE,
            HK_SPAN (""), now);
    }
    g_assert_false (hk_verify_cache_sweep (cache, now + 4 * day, 20, &dropped));
    /* The one where the sweep stopped may move or go meanwhile. */
    hk_verify_cache_forget (cache, "29@x");
    assert_known (cache, "28@x", now, HK_VERIFY_DELIVERABLE, "", false);
    g_assert_false (hk_verify_cache_sweep (cache, now + 4 * day, 20, &dropped));
    g_assert_true (hk_verify_cache_sweep (cache, now + 4 * day, 20, &dropped));
    g_assert_cmpuint (dropped, ==, 10);
    g_assert_cmpuint (hk_verify_cache_count (cache), ==, 39);
}

/* ---- the file
 * ------------------------------------------------------------------------------------ */

typedef struct {
    char *dir, *path;
} Place;

static Place
place_new (void)
{
    char *dir = g_dir_make_tmp ("hk-verify-XXXXXX", NULL);
    return (Place){dir, g_build_filename (dir, "verify_cache.hk", NULL)};
}

static void
place_clear (Place *self)
{
    g_remove (self->path);
    g_assert_cmpint (g_rmdir (self->dir), ==, 0); /* nothing is left over */
    g_free (self->dir);
    g_free (self->path);
}

static off_t
size_of (const char *path)
{
    struct stat st;
    g_assert_cmpint (stat (path, &st), ==, 0);
    return st.st_size;
}

static void
fill (const char *path)
{
    g_autoptr (HkVerifyCache) cache = open_cache (path);
    hk_verify_cache_update (cache, "yes@x", HK_VERIFY_DELIVERABLE, HK_SPAN ("fine"), now);
    hk_verify_cache_update (cache, "no@x", HK_VERIFY_UNDELIVERABLE, HK_SPAN ("gone"), now);
    hk_verify_cache_update (cache, "was@x", HK_VERIFY_DELIVERABLE, HK_SPAN ("hm"), now);
    hk_verify_cache_forget (cache, "was@x");
    hk_verify_cache_update (cache, "later@x", HK_VERIFY_DEFERRED, HK_SPAN ("hm"), now);
}

static void
test_kept (void)
{
    Place place = place_new ();
    fill (place.path);
    g_autoptr (HkVerifyCache) cache = open_cache (place.path);
    g_assert_cmpuint (hk_verify_cache_count (cache), ==, 3);
    assert_known (cache, "yes@x", now + 1, HK_VERIFY_DELIVERABLE, "fine", false);
    assert_known (cache, "no@x", now + 1, HK_VERIFY_UNDELIVERABLE, "gone", false);
    assert_known (cache, "later@x", now + 1, HK_VERIFY_DEFERRED, "hm", false);
    assert_known (cache, "was@x", now + 1, HK_VERIFY_PENDING, waiting, true);
    place_clear (&place);
}

/* Cut anywhere, flipped anywhere: what is whole before it stays, and the file goes on. */
static void
test_torn (void)
{
    Place place = place_new ();
    g_autofree char *whole = NULL;
    gsize size;
    fill (place.path);
    g_assert_true (g_file_get_contents (place.path, &whole, &size, NULL));
    for (gsize cut = 10; cut <= size; cut++) {
        g_assert_true (g_file_set_contents (place.path, whole, (gssize) cut, NULL));
        g_autoptr (HkVerifyCache) cache = open_cache (place.path);
        g_assert_cmpuint (hk_verify_cache_count (cache), <=, 3);
        hk_verify_cache_update (cache, "new@x", HK_VERIFY_DELIVERABLE, HK_SPAN ("n"), now);
        g_autoptr (HkVerifyCache) again = open_cache (place.path);
        assert_known (again, "new@x", now, HK_VERIFY_DELIVERABLE, "n", false);
    }
    for (gsize at = 10; at < size; at++) {
        whole[at] ^= 0x40;
        g_assert_true (g_file_set_contents (place.path, whole, (gssize) size, NULL));
        whole[at] ^= 0x40;
        g_autoptr (HkVerifyCache) cache = open_cache (place.path);
        g_assert_cmpuint (hk_verify_cache_count (cache), <=, 3);
    }
    place_clear (&place);
}

/* A file of somebody else's is not touched. */
static void
test_foreign (void)
{
    Place place = place_new ();
    g_autoptr (GError) error = NULL;
    g_assert_true (g_file_set_contents (place.path, "keep this, please\n", -1, NULL));
    g_assert_null (hk_verify_cache_open (place.path, &rules, &error));
    g_assert_nonnull (error);
    g_assert_nonnull (strstr (error->message, "not a file of address verification"));
    g_assert_cmpint (size_of (place.path), ==, 18);
    place_clear (&place);
}

static void
test_rewrite (void)
{
    Place place = place_new ();
    g_autoptr (GError) error = NULL;
    g_autoptr (HkVerifyCache) cache = open_cache (place.path);
    for (int i = 0; i < 1200; i++)
        hk_verify_cache_update (cache, i % 2 ? "a@x" : "b@x", HK_VERIFY_DELIVERABLE,
                                HK_SPAN ("text"), now + i);
    g_assert_true (hk_verify_cache_wants_rewrite (cache));
    off_t before = size_of (place.path);
    HkVerifyRewrite *rewrite = hk_verify_rewrite_begin (cache);
    g_assert_false (hk_verify_cache_wants_rewrite (cache)); /* it is under way */
    hk_verify_rewrite_run (rewrite);
    hk_verify_cache_update (cache, "c@x", HK_VERIFY_DELIVERABLE, HK_SPAN ("new"), now);
    hk_verify_cache_forget (cache, "a@x");
    g_assert_true (hk_verify_rewrite_end (rewrite, &error));
    g_assert_no_error (error);
    g_assert_cmpint (size_of (place.path), <, before / 100);
    hk_verify_cache_update (cache, "d@x", HK_VERIFY_DELIVERABLE, HK_SPAN ("last"), now);
    g_autoptr (HkVerifyCache) again = open_cache (place.path);
    g_assert_cmpuint (hk_verify_cache_count (again), ==, 3);
    assert_known (again, "c@x", now, HK_VERIFY_DELIVERABLE, "new", false);
    assert_known (again, "d@x", now, HK_VERIFY_DELIVERABLE, "last", false);
    g_assert_false (hk_verify_cache_wants_rewrite (cache));
    place_clear (&place);
}

static void
collect (const char *key, const HkVerifyEntry *entry, void *data)
{
    g_string_append_printf (data, "%s=%s(%s) ", key, hk_verify_status_name (entry->status),
                            entry->text);
}

static void
test_read (void)
{
    Place place = place_new ();
    g_autoptr (GString) seen = g_string_new (NULL);
    g_autoptr (GError) error = NULL;
    fill (place.path);
    g_assert_true (hk_verify_file_read (place.path, collect, seen, &error));
    g_assert_cmpstr (
        seen->str, ==,
        "yes@x=deliverable(fine) no@x=undeliverable(gone) later@x=deferred(hm) ");
    place_clear (&place);
    g_assert_false (hk_verify_file_read ("/nonexistent/x", collect, seen, &error));
    g_assert_nonnull (error);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/verify/ages", test_ages);
    g_test_add_func ("/verify/probed", test_probed);
    g_test_add_func ("/verify/negative", test_negative);
    g_test_add_func ("/verify/keys", test_keys);
    g_test_add_func ("/verify/bounds", test_bounds);
    g_test_add_func ("/verify/sweep", test_sweep);
    g_test_add_func ("/verify/kept", test_kept);
    g_test_add_func ("/verify/torn", test_torn);
    g_test_add_func ("/verify/foreign", test_foreign);
    g_test_add_func ("/verify/rewrite", test_rewrite);
    g_test_add_func ("/verify/read", test_read);
    return g_test_run ();
}
