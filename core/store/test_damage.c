/* test_damage.c: torn tails, flipped bytes and cut files are recovered from, or kept in
 * corrupt/ with a report; nothing is dropped without a word. */
#include "config.h"

#include "store/store_priv.h"
#include "store/test_store_util.h"

enum { MESSAGES = 12, ROUNDS = 200 };

static void
note_line (const char *text, void *data)
{
    g_ptr_array_add (data, g_strdup (text));
}

/* Some messages in a segment that was used before, so that stale records stand behind. */
static GPtrArray *
make (TestQueue *q)
{
    q->segment_size = 96 << 10;
    test_open_store (q);
    test_open_lane (q);
    g_autoptr (GPtrArray) old = test_fill (q, 120, 1100);
    for (guint i = 0; i < old->len; i++)
        hk_store_done (q->store, test_admit (q, g_ptr_array_index (old, i)));
    for (int i = 0; i < 3; i++) {
        test_durable (q);
        hk_store_tend (q->store, NULL);
    }
    hk_store_settle (q->store);
    test_close (q);
    test_open_lane (q);
    GPtrArray *list = g_ptr_array_new_with_free_func (test_message_free);
    for (int i = 0; i < MESSAGES; i++) {
        g_autoptr (GPtrArray) one =
            test_fill (q, 1, (size_t) g_test_rand_int_range (1, 5000));
        g_ptr_array_add (list, g_ptr_array_steal_index (one, 0));
    }
    hk_lane_close (q->lane);
    q->lane = NULL;
    return list;
}

typedef struct {
    uint64_t from, to; /* bytes of the segment that are not what they were */
} Damage;

static Damage
flip (int fd, uint64_t from, uint64_t to)
{
    uint8_t byte;
    uint64_t at = from + (uint64_t) g_test_rand_int () % (to - from);
    g_assert_cmpint (pread (fd, &byte, 1, (off_t) at), ==, 1);
    byte ^= (uint8_t) (1u << g_test_rand_int_range (0, 8));
    g_assert_cmpint (pwrite (fd, &byte, 1, (off_t) at), ==, 1);
    return (Damage){at, at + 1};
}

/* A tail that did not get to the disk whole: pages of it are what was there before. */
static Damage
tear (int fd, uint64_t from, uint64_t to)
{
    uint8_t zeros[512] = {0};
    uint64_t at = (from + (uint64_t) g_test_rand_int () % (to - from)) & ~(uint64_t) 511;
    Damage d = {at, to};
    for (; at < to; at += 512)
        g_assert_cmpint (pwrite (fd, zeros, sizeof zeros, (off_t) at), ==, 512);
    return d;
}

static bool
is_hit (const TestMessage *m, Damage d)
{
    return m->where.offset < d.to && m->where.offset + m->where.length > d.from;
}

static void
check (TestQueue *q, GPtrArray *list, uint64_t segment, Damage d, unsigned n_kept,
       bool is_reported)
{
    for (guint i = 0; i < list->len; i++) {
        TestMessage *m = g_ptr_array_index (list, i);
        if (m->where.segment != segment || !is_hit (m, d)) {
            g_assert_true (test_reads (q, m));
            continue;
        }
        /* Padding may be hit: then it reads. */
        if (test_reads (q, m))
            continue;
        g_assert_null (hk_store_find (q->store, m->id));
        if (d.from <= m->where.offset && d.to >= m->where.offset + m->where.length)
            continue; /* no byte of it ever reached the disk */
        g_assert_true (is_reported);
        g_assert_cmpuint (n_kept, >, 0);
    }
}

/* REPAIR: by fsck with its report, else by the start of qmgr. */
static void
one_round (bool is_tear, bool by_fsck, bool header)
{
    TestQueue *q = test_queue_new ();
    g_autoptr (GPtrArray) list = make (q);
    TestMessage *last = g_ptr_array_index (list, MESSAGES - 1);
    TestMessage *victim =
        is_tear ? last
                : g_ptr_array_index (list, (guint) g_test_rand_int_range (0, MESSAGES));
    g_autofree char *path = test_segment_path (q, &victim->where);
    int fd = open (path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint (fd, >=, 0);
    uint64_t from = victim->where.offset;
    Damage d = header    ? flip (fd, 0, 64)
               : is_tear ? tear (fd, from, from + victim->where.length)
                         : flip (fd, from, from + victim->where.length);
    close (fd);
    g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
    HkFsckReport report = {0};
    if (by_fsck) {
        GError *error = NULL;
        g_assert_true (hk_store_fsck (q->dir, true, note_line, lines, &report, &error));
        g_assert_no_error (error);
    }
    for (int start = 0; start < 2; start++) {
        test_open_store (q);
        check (q, list, victim->where.segment, d, test_count_files (q, "corrupt"),
               !by_fsck || (lines->len > 0 && report.n_bad + report.n_torn > 0));
        test_close (q);
    }
    test_queue_free (q);
}

static void
quiet (void)
{
    /* The reports of the start go to standard error; here they are expected. */
    int null = open ("/dev/null", O_WRONLY | O_CLOEXEC);
    if (!g_getenv ("LOUD"))
        dup2 (null, 2);
    close (null);
}

static void
test_random (void)
{
    if (g_test_subprocess ()) {
        quiet ();
        for (int i = 0; i < ROUNDS; i++)
            one_round (i % 2 == 0, i % 4 < 2, i % 20 == 19);
        return;
    }
    g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed ();
}

static void
test_cut_segment (void)
{
    for (int i = 0; i < MESSAGES; i++) {
        TestQueue *q = test_queue_new ();
        g_autoptr (GPtrArray) list = make (q);
        TestMessage *victim = g_ptr_array_index (list, (guint) i);
        g_autofree char *path = test_segment_path (q, &victim->where);
        /* Cut before it, in its header, in its middle, before its last byte: what is left of
         * it is kept. */
        uint64_t cuts[] = {0, 1, 63, 64, victim->where.length / 2, victim->where.length - 1};
        uint64_t end = victim->where.offset + cuts[i % (int) G_N_ELEMENTS (cuts)];
        g_assert_cmpint (truncate (path, (off_t) end), ==, 0);
        g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
        HkFsckReport report = {0};
        g_assert_true (hk_store_fsck (q->dir, true, note_line, lines, &report, NULL));
        g_assert_cmpuint (lines->len, >, 0);
        g_assert_cmpuint (report.n_bad + report.n_torn, >, 0);
        if (end > victim->where.offset)
            g_assert_cmpuint (test_count_files (q, "corrupt"), >, 0);
        test_open_store (q);
        for (guint k = 0; k < list->len; k++) {
            TestMessage *m = g_ptr_array_index (list, k);
            bool is_cut = m->where.segment == victim->where.segment &&
                          m->where.offset + m->where.length > end;
            g_assert_true (test_reads (q, m) == !is_cut);
        }
        test_queue_free (q);
    }
}

/* Entries that are in a checkpoint, in a segment that was cut afterwards. */
static void
test_cut_known (void)
{
    TestQueue *q = test_queue_new ();
    g_autoptr (GPtrArray) list = make (q);
    test_open_store (q);
    hk_store_settle (q->store);
    test_close (q);
    TestMessage *victim = g_ptr_array_index (list, 3);
    g_autofree char *path = test_segment_path (q, &victim->where);
    g_assert_cmpint (truncate (path, (off_t) victim->where.offset + 100), ==, 0);
    g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
    HkFsckReport report = {0};
    g_assert_true (hk_store_fsck (q->dir, false, note_line, lines, &report, NULL));
    guint looked = lines->len;
    g_assert_cmpuint (looked, >, 0);
    g_assert_cmpuint (test_count_files (q, "corrupt"), ==, 0); /* looking changes nothing */
    g_assert_true (hk_store_fsck (q->dir, true, note_line, lines, &report, NULL));
    g_assert_cmpuint (lines->len, >, looked);
    g_assert_cmpuint (test_count_files (q, "corrupt"), >, 0);
    g_ptr_array_set_size (lines, 0);
    test_open_store (q);
    g_assert_null (hk_store_find (q->store, victim->id));
    test_queue_free (q);
}

/* Damage in journals and checkpoints: nothing is lost, at worst done twice. */
static void
test_state_files (void)
{
    for (int i = 0; i < 60; i++) {
        TestQueue *q = test_queue_new ();
        g_autoptr (GPtrArray) list = make (q);
        HkRecipientState state = {HK_STATUS_DEFERRED, HK_SPAN ("4.0.0"), HK_SPAN ("later")};
        test_open_store (q);
        for (guint k = 0; k < list->len; k++) {
            HkEntry *e = hk_store_find (q->store, ((TestMessage *) list->pdata[k])->id);
            if (k % 3 == 0)
                hk_store_defer (q->store, e, &state, 1, 9);
        }
        if (i % 2 == 0)
            hk_store_settle (q->store);
        test_close (q);
        g_autofree char *journal = g_build_filename (q->dir, "journal", NULL);
        g_autoptr (GDir) dir = g_dir_open (journal, 0, NULL);
        for (const char *name; (name = g_dir_read_name (dir)) != NULL;) {
            g_autofree char *path = g_build_filename (journal, name, NULL);
            struct stat st;
            int fd = open (path, O_RDWR | O_CLOEXEC);
            g_assert_cmpint (fstat (fd, &st), ==, 0);
            for (int n = 0; st.st_size > 64 && n < 5; n++)
                flip (fd, 0, MIN ((uint64_t) st.st_size, 4096));
            if (st.st_size > 64 && i % 5 == 4)
                g_assert_cmpint (ftruncate (fd, st.st_size / 2), ==, 0);
            close (fd);
        }
        g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
        HkFsckReport report = {0};
        g_assert_true (hk_store_fsck (q->dir, true, note_line, lines, &report, NULL));
        test_open_store (q);
        for (guint k = 0; k < list->len; k++)
            g_assert_true (test_reads (q, g_ptr_array_index (list, k)));
        test_queue_free (q);
    }
}

static void
test_busy (void)
{
    TestQueue *q = test_queue_new ();
    HkFsckReport report;
    g_autoptr (GError) error = NULL;
    test_open_lane (q);
    g_assert_false (hk_store_fsck (q->dir, false, note_line, NULL, &report, &error));
    g_assert_error (error, HK_STORE_ERROR, HK_STORE_ERROR_BUSY);
    test_queue_free (q);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/store/damage/random", test_random);
    g_test_add_func ("/store/damage/cut-segment", test_cut_segment);
    g_test_add_func ("/store/damage/cut-known", test_cut_known);
    g_test_add_func ("/store/damage/state-files", test_state_files);
    g_test_add_func ("/store/damage/busy", test_busy);
    return g_test_run ();
}
