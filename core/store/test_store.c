/* test_store.c: outcomes survive restarts, segments are recycled, old messages move out. */
#include "config.h"

#include <malloc.h>

#include "store/store_priv.h"
#include "store/test_store_util.h"

/* A queue with its store open and N messages admitted. */
static TestQueue *
queue_with (size_t n, size_t size, GPtrArray **out)
{
    TestQueue *q = test_queue_new ();
    test_open_store (q);
    test_open_lane (q);
    *out = test_fill (q, n, size);
    for (size_t i = 0; i < n; i++)
        g_assert_nonnull (test_admit (q, g_ptr_array_index (*out, i)));
    return q;
}

static HkEntry *
entry_of (TestQueue *q, GPtrArray *list, guint i)
{
    return hk_store_find (q->store, ((TestMessage *) g_ptr_array_index (list, i))->id);
}

static void
restart (TestQueue *q)
{
    test_close (q);
    test_open_store (q);
}

static void
tend (TestQueue *q)
{
    for (int i = 0; i < 3; i++) {
        test_durable (q);
        hk_store_tend (q->store, NULL);
    }
}

static void
test_admit_once (void)
{
    GPtrArray *list;
    TestQueue *q = queue_with (10, 1000, &list);
    g_assert_null (test_admit (q, g_ptr_array_index (list, 3)));
    hk_store_done (q->store, entry_of (q, list, 4));
    g_assert_null (test_admit (q, g_ptr_array_index (list, 4))); /* late announcement */
    g_assert_cmpuint (hk_store_count (q->store, HK_QUEUE_INCOMING), ==, 9);
    g_ptr_array_unref (list);
    test_queue_free (q);
}

static void
test_two_stores (void)
{
    TestQueue *q = test_queue_new ();
    test_open_store (q);
    g_autoptr (GError) error = NULL;
    g_assert_null (hk_store_open (q->loop, q->dir, &error));
    g_assert_error (error, HK_STORE_ERROR, HK_STORE_ERROR_BUSY);
    test_queue_free (q);
}

static void
collect (HkEntry *entry, void *data)
{
    g_array_append_val ((GArray *) data, entry->id);
}

/* What a lane wrote while nobody listened. */
static void
test_catch_up (void)
{
    TestQueue *q = test_queue_new ();
    test_open_store (q);
    test_open_lane (q);
    g_autoptr (GPtrArray) list = test_fill (q, 300, 2000);
    uint64_t segment, offset;
    hk_lane_end (q->lane, &segment, &offset);
    g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (HkQueueId));
    hk_store_catch_up (q->store, 1, segment, offset, collect, found);
    g_assert_cmpuint (found->len, ==, 300);
    for (guint i = 0; i < 300; i++)
        g_assert_cmpuint (g_array_index (found, HkQueueId, i), ==,
                          ((TestMessage *) g_ptr_array_index (list, i))->id);
    hk_store_catch_up (q->store, 1, segment, offset, collect, found);
    g_assert_cmpuint (found->len, ==, 300);
    /* A message that was never announced is found when the one behind it is. */
    g_autoptr (GPtrArray) more = test_fill (q, 2, 100);
    g_assert_nonnull (test_admit (q, g_ptr_array_index (more, 1)));
    g_assert_cmpuint (found->len, ==, 301);
    g_assert_true (test_reads (q, g_ptr_array_index (more, 0)));
    test_queue_free (q);
}

static void
test_outcomes_survive (void)
{
    TestQueue *q = test_queue_new ();
    test_open_store (q);
    test_open_lane (q);
    int done = 0;
    g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func (test_message_free);
    for (int i = 0; i < 6; i++) {
        TestMessage *m = test_message_new (hk_lane_next_id (q->lane), 700, 4);
        g_ptr_array_add (list, m);
        test_append (q, m, &done);
    }
    test_wait (q, &done, 6);
    for (guint i = 0; i < 6; i++)
        test_admit (q, g_ptr_array_index (list, i));
    HkRecipientState states[4] = {
        {HK_STATUS_SENT, HK_SPAN ("2.0.0"), HK_SPAN ("ok")},
        {HK_STATUS_DEFERRED, HK_SPAN ("4.4.1"), HK_SPAN ("connection timed out")},
        {HK_STATUS_DEFERRED, HK_SPAN ("4.2.2"), HK_SPAN ("mailbox full")},
        {0, HK_SPAN_NONE, HK_SPAN_NONE},
    };
    hk_store_defer (q->store, entry_of (q, list, 0), states, 4, 5000);
    hk_store_outcome (q->store, entry_of (q, list, 0), 1, HK_STATUS_SENT);
    hk_store_outcome (q->store, entry_of (q, list, 1), 2, HK_STATUS_BOUNCED);
    hk_store_done (q->store, entry_of (q, list, 2));
    hk_store_set_queue (q->store, entry_of (q, list, 3), HK_QUEUE_HOLD);
    hk_store_set_warned (q->store, entry_of (q, list, 0));
    hk_store_set_queue (q->store, entry_of (q, list, 4), HK_QUEUE_ACTIVE);
    hk_store_set_forced_expire (q->store, entry_of (q, list, 5), 2);

    for (int round = 0; round < 4; round++) {
        restart (q);
        if (round == 1) { /* outcomes on top of what is in a checkpoint */
            hk_store_settle (q->store);
            hk_store_outcome (q->store, entry_of (q, list, 0), 2, HK_STATUS_BOUNCED);
        }
        HkEntry *e = entry_of (q, list, 0);
        g_assert_nonnull (e);
        g_assert_cmpuint (e->queue, ==, HK_QUEUE_DEFERRED);
        g_assert_cmpuint (e->next_attempt, ==, 5000);
        g_assert_cmpuint (e->attempts, ==, 1);
        g_assert_cmpuint (e->was_warned, ==, 1);
        g_autoptr (HkStoredMessage) m = hk_store_load (q->store, e, NULL);
        g_assert_nonnull (m);
        g_assert_cmpint (m->states[0].status, ==, HK_STATUS_SENT);
        g_assert_cmpint (m->states[1].status, ==, HK_STATUS_SENT);
        g_assert_cmpint (m->states[2].status, ==,
                         round >= 1 ? HK_STATUS_BOUNCED : HK_STATUS_DEFERRED);
        g_assert_true (hk_span_is (m->states[2].reason, "mailbox full"));
        g_assert_true (hk_span_is (m->states[1].dsn, "4.4.1"));
        g_assert_cmpint (m->states[3].status, ==, 0);
        g_autoptr (HkStoredMessage) second =
            hk_store_load (q->store, entry_of (q, list, 1), NULL);
        g_assert_cmpint (second->states[2].status, ==, HK_STATUS_BOUNCED);
        g_assert_cmpint (second->states[1].status, ==, 0);
        g_assert_null (entry_of (q, list, 2));
        g_assert_cmpuint (entry_of (q, list, 3)->queue, ==, HK_QUEUE_HOLD);
        g_assert_cmpuint (entry_of (q, list, 4)->queue, ==, HK_QUEUE_INCOMING);
        g_assert_cmpuint (entry_of (q, list, 5)->is_forced_expire, ==, 2);
        g_assert_cmpuint (hk_store_count (q->store, HK_QUEUE_DEFERRED), ==, 1);
        g_assert_cmpuint (hk_store_count (q->store, HK_QUEUE_HOLD), ==, 1);
        g_assert_cmpuint (hk_store_count (q->store, HK_QUEUE_INCOMING), ==, 3);
    }
    g_assert_cmpuint (test_count_files (q, "corrupt"), ==, 0);
    test_queue_free (q);
}

/* Stale bytes of a segment's former life never read as messages. */
static void
test_recycling (void)
{
    GPtrArray *first;
    TestQueue *q = queue_with (400, 2000, &first);
    for (guint i = 0; i < first->len; i++)
        hk_store_done (q->store, entry_of (q, first, i));
    tend (q);
    unsigned n_free = test_count_files (q, "free");
    g_assert_cmpuint (n_free, >=, 1);
    g_assert_cmpuint (n_free, <=, 4);
    /* The same places again, with gaps where old records stand. */
    for (int round = 0; round < 5; round++) {
        g_autoptr (GPtrArray) again = test_fill (q, 150, 1000 + 300 * (size_t) round);
        for (guint i = 0; i < again->len; i++)
            g_assert_nonnull (test_admit (q, g_ptr_array_index (again, i)));
        g_assert_cmpuint (hk_store_count (q->store, HK_QUEUE_INCOMING), ==, 150);
        restart (q);
        g_assert_cmpuint (hk_store_count (q->store, HK_QUEUE_INCOMING), ==, 150);
        for (guint i = 0; i < again->len; i++) {
            g_assert_true (test_reads (q, g_ptr_array_index (again, i)));
            hk_store_done (q->store, entry_of (q, again, i));
        }
        restart (q);
        g_assert_cmpuint (hk_store_count (q->store, HK_QUEUE_INCOMING), ==, 0);
        tend (q);
        test_open_lane (q);
    }
    g_assert_cmpuint (test_count_files (q, "corrupt"), ==, 0);
    g_assert_cmpuint (test_count_files (q, "lane/1"), <=, 5);
    g_ptr_array_unref (first);
    test_queue_free (q);
}

/* A message that is being read keeps its segment, done or not. */
static void
test_reader_pins (void)
{
    GPtrArray *list;
    TestQueue *q = queue_with (300, 2000, &list);
    TestMessage *m = g_ptr_array_index (list, 0);
    HkStoredMessage *stored = hk_store_load (q->store, entry_of (q, list, 0), NULL);
    g_autofree char *path = test_segment_path (q, &m->where);
    for (guint i = 0; i < list->len; i++)
        hk_store_done (q->store, entry_of (q, list, i));
    tend (q);
    g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
    hk_stored_message_free (stored);
    tend (q);
    g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
    g_ptr_array_unref (list);
    test_queue_free (q);
}

static void
test_moving (void)
{
    TestQueue *q = test_queue_new ();
    HkStoreOptions options = {.max_segments = 1, .max_segment_age_us = 1};
    q->store = hk_store_open_with (q->loop, q->dir, &options, NULL);
    test_open_lane (q);
    g_autoptr (GPtrArray) list = test_fill (q, 600, 1500);
    HkRecipientState state = {HK_STATUS_DEFERRED, HK_SPAN ("4.0.0"), HK_SPAN ("later")};
    for (guint i = 0; i < list->len; i++) {
        HkEntry *e = test_admit (q, g_ptr_array_index (list, i));
        if (i % 100 == 7)
            hk_store_defer (q->store, e, &state, 1, 77);
        else if (i % 100 == 8)
            hk_store_set_queue (q->store, e, HK_QUEUE_ACTIVE); /* stays where it is */
        else
            hk_store_done (q->store, e);
    }
    for (int i = 0; i < 10; i++)
        tend (q);
    unsigned n_moved = test_count_files (q, "deferred");
    g_assert_cmpuint (n_moved, >=, 4); /* those of the last segment stay */
    for (guint round = 0; round < 3; round++) {
        for (guint i = 0; i < list->len; i++) {
            HkEntry *e = entry_of (q, list, i);
            if (i % 100 != 7 && i % 100 != 8) {
                g_assert_null (e);
                continue;
            }
            g_assert_true (test_reads (q, g_ptr_array_index (list, i)));
            g_autoptr (HkStoredMessage) m = hk_store_load (q->store, e, NULL);
            g_assert_true (hk_span_is (m->states[0].reason, i % 100 == 7 ? "later" : ""));
        }
        if (round == 1)
            hk_store_settle (q->store);
        restart (q);
    }
    for (guint i = 7; i < list->len; i += 100)
        hk_store_done (q->store, entry_of (q, list, i));
    tend (q);
    g_assert_cmpuint (test_count_files (q, "deferred"), ==, 0);
    restart (q);
    g_assert_cmpuint (hk_store_count (q->store, HK_QUEUE_DEFERRED), ==, 0);
    test_queue_free (q);
}

/* Outcomes go on in a new file, none is lost. */
static void
test_journal_sync_fails (void)
{
    GPtrArray *list;
    TestQueue *q = queue_with (50, 300, &list);
    HkRecipientState state = {HK_STATUS_DEFERRED, HK_SPAN ("4.0.0"), HK_SPAN ("later")};
    test_durable (q);
    for (guint i = 0; i < 50; i++) {
        hk_store_defer (q->store, entry_of (q, list, i), &state, 1, 100 + i);
        if (i == 10 || i == 30) {
            q->disk.fail_fdatasync = EIO;
            test_durable (q);
        }
        if (i % 7 == 0)
            test_durable (q);
    }
    for (int round = 0; round < 2; round++) {
        for (guint i = 0; i < 50; i++) {
            HkEntry *e = entry_of (q, list, i);
            g_assert_cmpuint (e->next_attempt, ==, 100 + i);
            g_autoptr (HkStoredMessage) m = hk_store_load (q->store, e, NULL);
            g_assert_true (hk_span_is (m->states[0].reason, "later"));
        }
        restart (q);
    }
    g_assert_cmpuint (test_count_files (q, "corrupt"), ==, 0);
    g_ptr_array_unref (list);
    test_queue_free (q);
}

static size_t
resident_kib (void)
{
    g_autofree char *text = NULL;
    g_file_get_contents ("/proc/self/statm", &text, NULL, NULL);
    return (size_t) g_ascii_strtoull (strchr (text, ' ') + 1, NULL, 10) * 4;
}

/* 100,000 deferred messages: bytes each, and the time of a restart. */
static void
test_many (void)
{
    enum { N = 100000 };
    TestQueue *q = test_queue_new ();
    q->segment_size = 16 << 20;
    test_open_store (q);
    test_open_lane (q);
    for (int round = 0; round < N / 10000; round++) {
        g_autoptr (GPtrArray) list = test_fill (q, 10000, 400);
        HkRecipientState state = {HK_STATUS_DEFERRED, HK_SPAN ("4.4.1"),
                                  HK_SPAN ("connect to mx.example.com[192.0.2.1]:25: "
                                           "Connection timed out")};
        for (guint i = 0; i < list->len; i++)
            hk_store_defer (q->store, test_admit (q, g_ptr_array_index (list, i)), &state,
                            1, 1000);
    }
    test_close (q);
    for (int round = 0; round < 2; round++) {
        malloc_trim (0); /* what is free must not hide what is taken */
        size_t before = resident_kib ();
        gint64 start = g_get_monotonic_time ();
        test_open_store (q);
        gint64 took = g_get_monotonic_time () - start;
        size_t each = (resident_kib () - before) * 1024 / N;
        g_test_message ("restart %d with %d deferred messages: %.0f ms, %zu bytes each",
                        round + 1, N, (double) took / 1000, each);
        g_assert_cmpuint (hk_store_count (q->store, HK_QUEUE_DEFERRED), ==, N);
        g_assert_cmpint (took, <, 2 * HK_SECOND);
        g_assert_cmpuint (each, <=, 200);
        if (round == 0)
            hk_store_settle (q->store);
        test_close (q);
    }
    g_assert_cmpuint (sizeof (HkEntry), <=, 64);
    test_queue_free (q);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/store/admit-once", test_admit_once);
    g_test_add_func ("/store/two-stores", test_two_stores);
    g_test_add_func ("/store/catch-up", test_catch_up);
    g_test_add_func ("/store/outcomes", test_outcomes_survive);
    g_test_add_func ("/store/recycling", test_recycling);
    g_test_add_func ("/store/reader-pins", test_reader_pins);
    g_test_add_func ("/store/moving", test_moving);
    g_test_add_func ("/store/journal-sync-fails", test_journal_sync_fails);
    g_test_add_func ("/store/many", test_many);
    return g_test_run ();
}
