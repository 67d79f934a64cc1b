/* test_lane.c: appends are durable in order, share syncs, and fail as promised. */
#include "config.h"

#include "store/test_store_util.h"

#include <sys/wait.h>
#include <unistd.h>

static void
test_order (void)
{
    TestQueue *q = test_queue_new ();
    test_open_lane (q);
    uint64_t segment, offset;
    hk_lane_end (q->lane, &segment, &offset);
    g_assert_cmpuint (segment, >, 0);
    g_autoptr (GPtrArray) list = test_fill (q, 500, 3000); /* several segments */
    HkLocation last = {0};
    for (guint i = 0; i < list->len; i++) {
        const TestMessage *m = g_ptr_array_index (list, i);
        g_assert_cmpint (m->failure, ==, 0);
        g_assert_cmpuint (m->where.offset % 64, ==, 0);
        if (m->where.segment == last.segment)
            g_assert_cmpuint (m->where.offset, >=, last.offset + last.length);
        else
            g_assert_cmpuint (m->where.segment, >, last.segment);
        g_assert_cmpuint (m->where.segment, >=, segment);
        last = m->where;
        g_autofree char *path = test_segment_path (q, &m->where);
        g_autoptr (HkStoredMessage) stored =
            hk_stored_message_read (path, m->where.offset, NULL);
        g_assert_nonnull (stored);
        g_assert_cmpuint (stored->content_size, ==, m->content->len);
        g_assert_cmpuint (stored->envelope->queue_id, ==, m->id);
    }
    hk_lane_end (q->lane, &segment, &offset);
    g_assert_cmpuint (segment, ==, last.segment);
    g_assert_cmpuint (offset, ==, (last.offset + last.length + 63) / 64 * 64);
    test_queue_free (q);
}

/* Everything that arrives while a sync is under way shares the next one. */
static void
test_group (void)
{
    TestQueue *q = test_queue_new ();
    test_open_lane (q);
    g_ptr_array_unref (test_fill (q, 1, 10)); /* the first segment is begun */
    int before = g_atomic_int_get (&q->disk.n_fdatasync);
    int done = 0;
    g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func (test_message_free);
    g_mutex_lock (&q->disk.gate);
    for (int i = 0; i < 1000; i++) {
        TestMessage *m = test_message_new (hk_lane_next_id (q->lane), 10, 1);
        g_ptr_array_add (list, m);
        test_append (q, m, &done);
    }
    g_assert_cmpint (done, ==, 0); /* nothing is confirmed before its sync */
    g_mutex_unlock (&q->disk.gate);
    test_wait (q, &done, 1000);
    g_assert_cmpint (g_atomic_int_get (&q->disk.n_fdatasync) - before, <=,
                     4); /* a new segment may be among it */
    test_queue_free (q);
}

static void
test_ids_grow (void)
{
    TestQueue *q = test_queue_new ();
    test_open_lane (q);
    HkQueueId last = 0;
    for (int i = 0; i < 1000; i++) {
        HkQueueId id = hk_lane_next_id (q->lane);
        g_assert_cmpuint (id, >, last);
        g_assert_cmpuint (id & 63, ==, hk_lane_id (q->lane));
        last = id;
    }
    hk_lane_close (q->lane);
    test_open_lane (q); /* also across a restart in the same microsecond */
    g_assert_cmpuint (hk_lane_next_id (q->lane), >, last);
    test_queue_free (q);
}

/* A process that is killed hands nothing on but its files; the next one, in the same second,
 * must not hand out its numbers again. */
static void
test_ids_after_a_kill (void)
{
    TestQueue *q = test_queue_new ();
    HkQueueId last = 0;
    for (int i = 0; i < 5; i++) {
        int p[2];
        HkQueueId ids[2];
        g_assert_cmpint (pipe (p), ==, 0);
        pid_t pid = fork ();
        g_assert_cmpint (pid, >=, 0);
        if (pid == 0) {
            test_open_lane (q);
            ids[0] = hk_lane_next_id (q->lane);
            g_ptr_array_unref (test_fill (q, 3, 10));
            ids[1] = hk_lane_next_id (q->lane);
            _exit (write (p[1], ids, sizeof ids) == (ssize_t) sizeof ids ? 0 : 1);
        }
        close (p[1]);
        g_assert_cmpint (read (p[0], ids, sizeof ids), ==, (ssize_t) sizeof ids);
        close (p[0]);
        g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
        g_assert_cmpuint (ids[0], >, last);
        last = ids[1];
    }
    test_queue_free (q);
}

static void
test_lanes_are_owned (void)
{
    TestQueue *q = test_queue_new ();
    test_open_lane (q);
    HkLane *first = q->lane;
    test_open_lane (q);
    g_assert_cmpuint (hk_lane_id (first), ==, 1);
    g_assert_cmpuint (hk_lane_id (q->lane), ==, 2);
    hk_lane_close (first);
    test_queue_free (q);
}

/* The batch gets errors, the segment is left alone, the lane goes on. */
static void
test_failed_sync (void)
{
    TestQueue *q = test_queue_new ();
    test_open_lane (q);
    g_autoptr (GPtrArray) good = test_fill (q, 5, 1000);
    q->disk.fail_fdatasync = EIO;
    g_autoptr (GPtrArray) bad = test_fill (q, 1, 1000);
    const TestMessage *b = g_ptr_array_index (bad, 0);
    const TestMessage *g = g_ptr_array_index (good, 0);
    g_assert_cmpint (b->failure, ==, HK_STORE_ERROR_IO + 1);
    g_autoptr (GPtrArray) after = test_fill (q, 300, 1000);
    for (guint i = 0; i < after->len; i++) {
        const TestMessage *m = g_ptr_array_index (after, i);
        g_assert_cmpint (m->failure, ==, 0);
        g_assert_cmpuint (m->where.segment, >, g->where.segment);
    }
    hk_lane_close (q->lane);
    q->lane = NULL;
    g_assert_cmpint (q->disk.n_after_failure, ==, 0);
    /* What was durable in it before is read all the same; the file is not used again. */
    test_open_store (q);
    for (guint i = 0; i < good->len; i++) {
        TestMessage *m = g_ptr_array_index (good, i);
        g_assert_true (test_reads (q, m));
    }
    for (GPtrArray *const *l = (GPtrArray *const[]){good, after, bad, NULL}; *l; l++)
        for (guint i = 0; i < (*l)->len; i++) {
            HkEntry *e =
                hk_store_find (q->store, ((TestMessage *) g_ptr_array_index (*l, i))->id);
            if (e != NULL)
                hk_store_done (q->store, e);
        }
    for (int i = 0; i < 4; i++) {
        test_durable (q);
        hk_store_tend (q->store, NULL);
    }
    g_autofree char *path = test_segment_path (q, &g->where);
    g_autofree char *failed = g_strconcat (path, ".failed", NULL);
    g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
    g_assert_false (g_file_test (failed, G_FILE_TEST_EXISTS));
    g_assert_cmpint (q->disk.n_after_failure, ==, 0);
    g_assert_cmpuint (test_count_files (q, "free"), >, 0);
    test_queue_free (q);
}

static void
test_disk_full (void)
{
    TestQueue *q = test_queue_new ();
    test_open_lane (q);
    g_ptr_array_unref (test_fill (q, 10, 1000));
    q->disk.fail_fallocate = ENOSPC;
    g_autoptr (GPtrArray) many = test_fill (q, 1000, 1000);
    bool was_full = false;
    for (guint i = 0; i < many->len; i++) {
        const TestMessage *m = g_ptr_array_index (many, i);
        if (m->failure != 0) {
            g_assert_cmpint (m->failure, ==, HK_STORE_ERROR_FULL + 1);
            was_full = true;
        }
    }
    g_assert_true (was_full);
    q->disk.fail_fallocate = 0;
    g_autoptr (GPtrArray) again = test_fill (q, 1000, 1000);
    for (guint i = 0; i < again->len; i++)
        g_assert_cmpint (((TestMessage *) g_ptr_array_index (again, i))->failure, ==, 0);
    test_queue_free (q);
}

static void
test_min_free (void)
{
    TestQueue *q = test_queue_new ();
    HkLaneOptions options = {.queue_directory = q->dir,
                             .segment_size = SEGMENT_SIZE,
                             .min_free = UINT64_MAX / 2};
    q->lane = hk_lane_open (q->loop, &options, NULL);
    g_assert_false (hk_lane_has_space (q->lane, 1));
    g_autoptr (GPtrArray) list = test_fill (q, 1, 100);
    g_assert_cmpint (((TestMessage *) g_ptr_array_index (list, 0))->failure, ==,
                     HK_STORE_ERROR_FULL + 1);
    test_queue_free (q);
}

/* Larger than a segment: gets one of its own size. */
static void
test_large_record (void)
{
    TestQueue *q = test_queue_new ();
    test_open_lane (q);
    g_autoptr (GPtrArray) small = test_fill (q, 3, 100);
    g_autoptr (GPtrArray) large = test_fill (q, 2, 3 * SEGMENT_SIZE);
    g_autoptr (GPtrArray) small2 = test_fill (q, 3, 100);
    hk_lane_close (q->lane);
    q->lane = NULL;
    test_open_store (q);
    for (GPtrArray *const *l = (GPtrArray *const[]){small, large, small2, NULL}; *l; l++)
        for (guint i = 0; i < (*l)->len; i++)
            g_assert_true (test_reads (q, g_ptr_array_index (*l, i)));
    test_queue_free (q);
}

static void
test_content_file (void)
{
    TestQueue *q = test_queue_new ();
    test_open_lane (q);
    TestMessage *m = test_message_new (hk_lane_next_id (q->lane), 1 << 20, 2);
    HkLaneFile *file = hk_lane_file_new (q->lane, m->id, NULL);
    for (size_t at = 0; at < m->content->len; at += 10000)
        g_assert_true (hk_lane_file_write (
            file, hk_span_sub (hk_span_string (m->content), at, 10000), NULL));
    int done = 0;
    m->done = &done;
    hk_lane_file_append (q->lane, file, hk_span (m->envelope->data, m->envelope->len),
                         test_message_done, m);
    test_wait (q, &done, 1);
    g_assert_cmpint (m->failure, ==, 0);
    HkLaneFile *other = hk_lane_file_new (q->lane, hk_lane_next_id (q->lane), NULL);
    hk_lane_file_abandon (other);
    g_assert_cmpuint (test_count_files (q, "incoming"), ==, 1);

    test_open_store (q);
    hk_store_catch_up (q->store, 1, m->where.segment, m->where.offset + m->where.length,
                       NULL, NULL);
    g_assert_true (test_reads (q, m));
    g_autofree char *path = test_segment_path (q, &m->where);
    g_autoptr (HkStoredMessage) stored =
        hk_stored_message_read (path, m->where.offset, NULL);
    g_assert_cmpuint (stored->content_size, ==, m->content->len);
    hk_store_done (q->store, hk_store_find (q->store, m->id));
    test_durable (q);
    hk_store_tend (q->store, NULL);
    g_assert_cmpuint (test_count_files (q, "incoming"), ==, 0);
    test_message_free (m);
    test_queue_free (q);
}

/* A file that cannot be made durable is no message. */
static void
test_content_file_fails (void)
{
    TestQueue *q = test_queue_new ();
    test_open_lane (q);
    g_ptr_array_unref (test_fill (q, 1, 10)); /* the first segment is begun */
    TestMessage *m = test_message_new (hk_lane_next_id (q->lane), 1000, 1);
    HkLaneFile *file = hk_lane_file_new (q->lane, m->id, NULL);
    hk_lane_file_write (file, hk_span_string (m->content), NULL);
    int done = 0;
    m->done = &done;
    q->disk.fail_fsync = EIO;
    hk_lane_file_append (q->lane, file, hk_span (m->envelope->data, m->envelope->len),
                         test_message_done, m);
    test_wait (q, &done, 1);
    g_assert_cmpint (m->failure, ==, HK_STORE_ERROR_IO + 1);
    g_assert_cmpuint (test_count_files (q, "incoming"), ==, 0);
    q->disk.fail_fsync = 0;
    test_message_free (m);
    test_queue_free (q);
}

/* Closing waits and calls what is left. */
static void
test_close_finishes (void)
{
    TestQueue *q = test_queue_new ();
    test_open_lane (q);
    g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func (test_message_free);
    int done = 0;
    for (int i = 0; i < 50; i++) {
        TestMessage *m = test_message_new (hk_lane_next_id (q->lane), 500, 1);
        g_ptr_array_add (list, m);
        if (i % 10 != 5) {
            test_append (q, m, &done);
            continue;
        }
        m->done = &done;
        HkLaneFile *file = hk_lane_file_new (q->lane, m->id, NULL);
        hk_lane_file_append (q->lane, file, hk_span (m->envelope->data, m->envelope->len),
                             test_message_done, m);
    }
    hk_lane_close (q->lane);
    q->lane = NULL;
    g_assert_cmpint (done, ==, 50);
    for (int i = 0; i < 10; i++) /* what was posted meanwhile finds nothing to do */
        g_main_context_iteration (hk_loop_context (q->loop), FALSE);
    test_queue_free (q);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/store/lane/order", test_order);
    g_test_add_func ("/store/lane/group", test_group);
    g_test_add_func ("/store/lane/ids-grow", test_ids_grow);
    g_test_add_func ("/store/lane/ids-after-a-kill", test_ids_after_a_kill);
    g_test_add_func ("/store/lane/owned", test_lanes_are_owned);
    g_test_add_func ("/store/lane/failed-sync", test_failed_sync);
    g_test_add_func ("/store/lane/disk-full", test_disk_full);
    g_test_add_func ("/store/lane/min-free", test_min_free);
    g_test_add_func ("/store/lane/large-record", test_large_record);
    g_test_add_func ("/store/lane/content-file", test_content_file);
    g_test_add_func ("/store/lane/content-file-fails", test_content_file_fails);
    g_test_add_func ("/store/lane/close-finishes", test_close_finishes);
    return g_test_run ();
}
