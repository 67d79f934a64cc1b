/* test_powercut.c: a load on the store, and the check of what a power cut left of it; both
 * are run by tests/powercut/run. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/store_priv.h"
#include "store/test_store_util.h"

/*   test_powercut load DIR LOG N    "A id time size file": was confirmed; "D id time": done
 *   test_powercut check DIR LOG TIME [torn] */

enum { SESSIONS = 8 };

typedef struct {
    TestQueue *q;
    FILE *log;
    int n, begun, total;
    GPtrArray *waiting; /* TestMessage, admitted and not done */
} Load;

typedef struct {
    Load *load;
    TestMessage *message;
    bool has_file;
} Session;

static int64_t
now_ns (void)
{
    struct timespec t;
    clock_gettime (CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C (1000000000) + t.tv_nsec;
}

static void
say (Load *load, char kind, const TestMessage *m, int64_t time)
{
    fprintf (load->log, "%c %" PRIu64 " %" PRId64 " %zu\n", kind, m->id, time,
             m->content->len);
    fflush (load->log);
}

static void
finish (Load *load, guint i)
{
    TestMessage *m = g_ptr_array_index (load->waiting, i);
    say (load, 'D', m, now_ns ());
    hk_store_done (load->q->store, hk_store_find (load->q->store, m->id));
    g_ptr_array_remove_index_fast (load->waiting, i);
}

static void
work_on (Load *load, TestMessage *m)
{
    HkStore *store = load->q->store;
    HkEntry *entry = hk_store_find (store, m->id);
    HkRecipientState state = {HK_STATUS_DEFERRED, HK_SPAN ("4.4.1"), HK_SPAN ("timed out")};
    g_ptr_array_add (load->waiting, m);
    switch (g_random_int_range (0, 10)) {
    case 0:
        hk_store_set_queue (store, entry, HK_QUEUE_HOLD);
        break;
    case 1:
    case 2:
        hk_store_defer (store, entry, &state, 1, 100);
        break;
    case 3:
        hk_store_set_queue (store, entry, HK_QUEUE_ACTIVE);
        hk_store_outcome (store, entry, 0, HK_STATUS_SENT);
        break;
    default:
        finish (load, load->waiting->len - 1);
        break;
    }
    while (load->waiting->len > 60)
        finish (load, (guint) g_random_int_range (0, (gint32) load->waiting->len));
}

static void session_begin (Session *session);

static void
confirmed (const HkLocation *where, const GError *error, void *data)
{
    Session *session = data;
    Load *load = session->load;
    int64_t time = now_ns ();
    g_assert_no_error (error);
    TestMessage *m = session->message;
    say (load, 'A', m, time);
    m->where = *where;
    load->n++;
    g_assert_nonnull (test_admit (load->q, m));
    work_on (load, m);
    if (load->n % 16 == 0)
        hk_store_tend (load->q->store, NULL);
    if (load->begun < load->total)
        session_begin (session);
}

static void
session_begin (Session *session)
{
    Load *load = session->load;
    size_t size = (size_t) g_random_int_range (1, 6000);
    TestMessage *m = test_message_new (hk_lane_next_id (load->q->lane), size, 1);
    HkSpan envelope = hk_span (m->envelope->data, m->envelope->len);
    HkSpan content = hk_span_string (m->content);
    load->begun++;
    session->message = m;
    if (load->begun % 20 != 0) {
        hk_lane_append (load->q->lane, m->id, envelope, &content, 1, confirmed, session);
        return;
    }
    HkLaneFile *file = hk_lane_file_new (load->q->lane, m->id, NULL);
    g_assert_true (hk_lane_file_write (file, content, NULL));
    hk_lane_file_append (load->q->lane, file, envelope, confirmed, session);
}

static int
run_load (const char *dir, const char *log, int n)
{
    TestQueue q = {.dir = (char *) dir, .segment_size = 96 << 10};
    HkStoreOptions store = {.checkpoint_bytes = 8192,
                            .scan_bytes = 256 << 10,
                            .max_segments = 1,
                            .max_segment_age_us = 20000,
                            .max_free = 2,
                            .journal_delay_us = 500};
    HkLaneOptions lane = {.queue_directory = dir, .segment_size = q.segment_size};
    Load load = {.q = &q, .log = fopen (log, "w"), .total = n};
    Session sessions[SESSIONS] = {0};
    g_assert_true (hk_store_prepare (dir, NULL, NULL));
    q.loop = hk_loop_new (NULL);
    q.store = hk_store_open_with (q.loop, dir, &store, NULL);
    q.lane = hk_lane_open (q.loop, &lane, NULL);
    load.waiting = g_ptr_array_new ();
    for (int i = 0; i < SESSIONS; i++) {
        sessions[i].load = &load;
        session_begin (&sessions[i]);
    }
    test_wait (&q, &load.n, n);
    test_close (&q);
    return 0;
}

/* ---- afterwards ---- */

static void
quiet_line (const char *text, void *data)
{
    (void) data;
    printf ("# %s\n", text);
}

static int
run_check (const char *dir, const char *log, int64_t until, bool is_torn)
{
    TestQueue q = {.dir = (char *) dir};
    g_autofree char *text = NULL;
    g_autoptr (GHashTable) owed =
        g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
    g_assert_true (g_file_get_contents (log, &text, NULL, NULL));
    g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        char kind;
        uint64_t id;
        int64_t time;
        size_t size;
        if (sscanf (*line, "%c %" SCNu64 " %" SCNd64 " %zu", &kind, &id, &time, &size) !=
                4 ||
            time > until)
            continue;
        if (kind == 'A')
            g_hash_table_insert (owed, g_memdup2 (&id, sizeof id), GSIZE_TO_POINTER (size));
        else
            g_hash_table_remove (owed, &id);
    }
    g_assert_true (hk_store_prepare (dir, NULL, NULL));
    HkFsckReport report = {0};
    g_autoptr (GError) error = NULL;
    if (!hk_store_fsck (dir, true, quiet_line, NULL, &report, &error)) {
        printf ("not ok: %s\n", error->message);
        return 1;
    }
    q.loop = hk_loop_new (NULL);
    q.store = hk_store_open (q.loop, dir, NULL);
    int n_lost = 0;
    GHashTableIter iter;
    void *key, *value;
    g_hash_table_iter_init (&iter, owed);
    while (g_hash_table_iter_next (&iter, &key, &value)) {
        TestMessage *m = test_message_new (*(uint64_t *) key, GPOINTER_TO_SIZE (value), 1);
        if (!test_reads (&q, m)) {
            printf ("# lost: %" PRIX64 "\n", m->id);
            n_lost++;
        }
        test_message_free (m);
    }
    printf ("%u owed, %d lost, %" PRIu64 " in the queue, %" PRIu64 " findings\n",
            g_hash_table_size (owed), n_lost, report.n_live, report.n_bad + report.n_torn);
    test_close (&q);
    return n_lost > 0 || (!is_torn && report.n_bad + report.n_torn > 0);
}

int
main (int argc, char **argv)
{
    if (argc == 5 && g_str_equal (argv[1], "load"))
        return run_load (argv[2], argv[3], atoi (argv[4]));
    if (argc >= 5 && g_str_equal (argv[1], "check"))
        return run_check (argv[2], argv[3], g_ascii_strtoll (argv[4], NULL, 10), argc > 5);
    printf ("1..0 # SKIP tests/powercut/run calls this\n");
    return 0;
}
