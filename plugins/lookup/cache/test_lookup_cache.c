/* test_lookup_cache.c: what is kept, for how long, how much, and what never is. */
#include "harness.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_cache);

static int64_t now_us;

static int64_t
test_now (const HkHost *host)
{
    (void) host;
    return now_us;
}

/* With a clock of ours. */
static HkHarness *
new_harness (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_cache));
    ((HkHost *) hk_harness_host (h))->now_us = test_now;
    now_us = (int64_t) 1000000 * 1000000;
    hk_harness_table (h, "t:a", "k", "1");
    return h;
}

static void
get_is (HkHarness *h, void *t, const char *key, const char *answer)
{
    g_assert_cmpint (hk_harness_get (h, t, key), ==, answer == NULL ? HK_ABSENT : HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (h), ==, answer);
}

static void
test_keeps (void)
{
    HkHarness *h = new_harness ();
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "cache", "{ttl=60s, t:a}");
    g_assert_nonnull (t);
    get_is (h, t, "k", "1");
    get_is (h, t, "none", NULL);
    hk_harness_table (h, "t:a", "k", "2");
    hk_harness_table (h, "t:a", "none", "now");
    now_us += 59999999;
    get_is (h, t, "k", "1");
    get_is (h, t, "none", NULL);
    g_assert_cmpint (hk_harness_counter (h, "cache.hits"), ==, 2);
    g_assert_cmpint (hk_harness_counter (h, "cache.misses"), ==, 2);
    now_us += 1;
    get_is (h, t, "k", "2");
    get_is (h, t, "none", "now");
    g_assert_cmpint (hk_harness_counter (h, "cache.misses"), ==, 4);
    now_us -= (int64_t) 3600 * 1000000; /* the clock was set back */
    hk_harness_table (h, "t:a", "k", "3");
    get_is (h, t, "k", "3");
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_absent_ttl (void)
{
    HkHarness *h = new_harness ();
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "cache", "{ttl=1h absent_ttl=0 t:a}");
    get_is (h, t, "none", NULL);
    hk_harness_table (h, "t:a", "none", "now");
    get_is (h, t, "none", "now");
    now_us += (int64_t) 3599 * 1000000;
    hk_harness_table (h, "t:a", "none", "new");
    get_is (h, t, "none", "now");
    hk_harness_close (h, t);
    hk_harness_free (h);
}

/* A table that cannot answer is asked each time, and an old answer does not cover it up. */
static void
test_never_failures (void)
{
    HkHarness *h = new_harness ();
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "cache", "{t:a}");
    hk_harness_table (h, "t:a", "bad", NULL);
    g_assert_cmpint (hk_harness_get (h, t, "bad"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "failed"));
    hk_harness_table (h, "t:a", "bad", "good");
    get_is (h, t, "bad", "good");
    now_us += (int64_t) 61 * 1000000;
    hk_harness_table (h, "t:a", "bad", NULL);
    g_assert_cmpint (hk_harness_get (h, t, "bad"), ==, HK_LATER);
    g_assert_cmpint (hk_harness_get (h, t, "bad"), ==, HK_LATER);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_bounded (void)
{
    HkHarness *h = new_harness ();
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "cache", "{size=2 t:a}");
    g_autofree char *big = g_strnfill (5000, 'x');
    get_is (h, t, "k", "1");
    get_is (h, t, "none", NULL);
    get_is (h, t, "k", "1"); /* used again: "none" is the oldest now */
    get_is (h, t, "other", NULL);
    g_assert_cmpint (hk_harness_counter (h, "cache.dropped"), ==, 1);
    hk_harness_table (h, "t:a", "none", "seen");
    hk_harness_table (h, "t:a", "k", "2");
    get_is (h, t, "k", "1");
    get_is (h, t, "none", "seen");
    hk_harness_table (h, "t:a", "big", big);
    get_is (h, t, "big", big);
    hk_harness_table (h, "t:a", "big", "small");
    get_is (h, t, "big", "small"); /* too large to be kept */
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static const struct {
    const char *argument, *said;
} wrong[] = {
    {"t:a", "need \"cache:{ttl=60s, type:name}\""},
    {"{}", "bad syntax"},
    {"{ttl=60s}", "bad syntax"},
    {"{ttl=x, t:a}", "ttl=x: expected a time"},
    {"{ttl=, t:a}", "expected a time"},
    {"{ttl=0, t:a}", "expected a time"},
    {"{ttl=8d, t:a}", "expected a time up to 7d"},
    {"{ttl=99999999999999999999d, t:a}", "expected a time"},
    {"{ttl=5x, t:a}", "expected a time"},
    {"{size=0, t:a}", "size=0: expected a number"},
    {"{size=1000001, t:a}", "expected a number"},
    {"{size=5s, t:a}", "expected a number"},
    {"{time=5, t:a}", "time=5: unknown option"},
    {"{t:a, t:a}", "one table only"},
    {"{a, t:a}", "expected name=value or type:name"},
    {"{pcre:/x}", "pcre:/x: tables of this type are in memory already"},
    {"{none:x}", "none:x"},
};

static void
test_wrong (void)
{
    HkHarness *h = new_harness ();
    for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
        g_test_message ("cache:%s", wrong[i].argument);
        g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "cache", wrong[i].argument));
        g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
        g_assert_nonnull (strstr (hk_harness_reason (h), wrong[i].said));
    }
    hk_harness_free (h);
}

/* ---- several threads: a host whose calls are plain buffers and whose table echoes */

typedef struct {
    char text[16];
} Echo;

static void
echo_answer (HkCall *call, const void *data, size_t size)
{
    Echo *echo = (Echo *) (void *) call;
    g_assert_cmpuint (size, <, sizeof echo->text);
    memcpy (echo->text, data, size);
    echo->text[size] = '\0';
}

static HkAnswer
echo_get (HkTable *table, HkCall *call, HkSpan key, HkSpan *out)
{
    (void) table;
    (void) call;
    *out = (HkSpan){key.data, key.size};
    return HK_FOUND;
}

static void
count_nothing (HkCounter *counter, int64_t n)
{
    (void) counter;
    (void) n;
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
        Echo echo = {""};
        char key[16];
        int n = g_snprintf (key, sizeof key, "key%d", i % 23);
        HkSpan span = {(const uint8_t *) key, (size_t) n};
        g_assert_cmpint (shared->cls->get (shared->table, (HkCall *) (void *) &echo, span),
                         ==, HK_FOUND);
        g_assert_cmpstr (echo.text, ==, key);
    }
    return NULL;
}

static void
test_threads (void)
{
    HkHarness *h = new_harness ();
    HkHost *host = (HkHost *) hk_harness_host (h);
    GThread *threads[4];
    Shared shared = {(const HkLookupClass *) (const void *) hk_harness_class (
                         h, HK_KIND_LOOKUP, "cache"),
                     hk_harness_open (h, HK_KIND_LOOKUP, "cache", "{size=7 t:a}")};
    host->answer = echo_answer;
    host->table_get = echo_get;
    host->counter_add = count_nothing;
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
    g_test_add_func ("/lookup_cache/keeps", test_keeps);
    g_test_add_func ("/lookup_cache/absent_ttl", test_absent_ttl);
    g_test_add_func ("/lookup_cache/never_failures", test_never_failures);
    g_test_add_func ("/lookup_cache/bounded", test_bounded);
    g_test_add_func ("/lookup_cache/wrong", test_wrong);
    g_test_add_func ("/lookup_cache/threads", test_threads);
    return g_test_run ();
}
