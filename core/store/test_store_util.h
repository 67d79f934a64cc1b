/* test_store_util.h: a queue in a temporary directory, messages in it, and a disk that
 * fails on demand. */
#ifndef HK_TEST_STORE_UTIL_H
#define HK_TEST_STORE_UTIL_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"

#define SEGMENT_SIZE (256u << 10)

/* ---- a disk */

typedef struct {
    HkStoreIo io;
    int fail_pwrite, fail_fdatasync, fail_fsync, fail_fallocate; /* errno, 0: works */
    int after; /* so many calls that may fail still work */
    gint n_fdatasync, n_after_failure;
    GMutex gate;        /* held by a test: syncs wait */
    ino_t failed_inode; /* counts what is done to it later */
} TestDisk;

static inline void
test_disk_watch (TestDisk *disk, int fd)
{
    struct stat st;
    if (disk->failed_inode != 0 && fstat (fd, &st) == 0 && st.st_ino == disk->failed_inode)
        g_atomic_int_inc (&disk->n_after_failure);
}

static inline ssize_t
test_pwrite (const HkStoreIo *io, int fd, const void *data, size_t size, off_t at)
{
    TestDisk *disk = (TestDisk *) io;
    test_disk_watch (disk, fd);
    if (disk->fail_pwrite != 0) {
        errno = disk->fail_pwrite;
        return -1;
    }
    return pwrite (fd, data, size, at);
}

static inline int
test_fdatasync (const HkStoreIo *io, int fd)
{
    TestDisk *disk = (TestDisk *) io;
    test_disk_watch (disk, fd);
    g_mutex_lock (&disk->gate);
    g_mutex_unlock (&disk->gate);
    g_atomic_int_inc (&disk->n_fdatasync);
    if (disk->fail_fdatasync != 0 && disk->after-- <= 0) {
        struct stat st;
        disk->failed_inode = fstat (fd, &st) == 0 ? st.st_ino : 0;
        errno = disk->fail_fdatasync;
        disk->fail_fdatasync = 0; /* once */
        return -1;
    }
    return 0;
}

static inline int
test_fsync (const HkStoreIo *io, int fd)
{
    TestDisk *disk = (TestDisk *) io;
    (void) fd;
    errno = disk->fail_fsync;
    return disk->fail_fsync != 0 ? -1 : 0;
}

static inline int
test_fallocate (const HkStoreIo *io, int fd, off_t size)
{
    TestDisk *disk = (TestDisk *) io;
    if (disk->fail_fallocate != 0) {
        errno = disk->fail_fallocate;
        return -1;
    }
    return fallocate (fd, 0, 0, size);
}

static inline void
test_disk_init (TestDisk *disk)
{
    *disk = (TestDisk){.io = {test_pwrite, test_fdatasync, test_fsync, test_fallocate}};
}

/* ---- a queue */

typedef struct {
    char *dir;
    HkLoop *loop;
    HkLane *lane;
    HkStore *store;
    TestDisk disk;
    uint64_t segment_size;
} TestQueue;

static inline TestQueue *
test_queue_new (void)
{
    TestQueue *q = g_new0 (TestQueue, 1);
    /* In memory if that can be: the tests are about order, not about this disk. */
    const char *tmp = access ("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir ();
    q->dir = g_build_filename (tmp, "hk-store-XXXXXX", NULL);
    g_assert_nonnull (g_mkdtemp (q->dir));
    g_assert_true (hk_store_prepare (q->dir, NULL, NULL));
    q->loop = hk_loop_new (NULL);
    q->segment_size = SEGMENT_SIZE;
    test_disk_init (&q->disk);
    return q;
}

static inline void
test_remove_tree (const char *path)
{
    DIR *dir = opendir (path);
    for (struct dirent *e; dir != NULL && (e = readdir (dir)) != NULL;) {
        if (g_str_equal (e->d_name, ".") || g_str_equal (e->d_name, ".."))
            continue;
        g_autofree char *child = g_build_filename (path, e->d_name, NULL);
        if (unlink (child) != 0)
            test_remove_tree (child);
    }
    if (dir != NULL)
        closedir (dir);
    rmdir (path);
}

static inline void
test_open_lane (TestQueue *q)
{
    HkLaneOptions options = {
        .queue_directory = q->dir, .segment_size = q->segment_size, .io = &q->disk.io};
    GError *error = NULL;
    q->lane = hk_lane_open (q->loop, &options, &error);
    g_assert_no_error (error);
    g_assert_nonnull (q->lane);
}

static inline void
test_open_store (TestQueue *q)
{
    HkStoreOptions options = {.io = &q->disk.io, .journal_delay_us = 1};
    GError *error = NULL;
    q->store = hk_store_open_with (q->loop, q->dir, &options, &error);
    g_assert_no_error (error);
    g_assert_nonnull (q->store);
}

static inline void
test_close (TestQueue *q)
{
    hk_lane_close (q->lane);
    hk_store_close (q->store);
    q->lane = NULL;
    q->store = NULL;
}

static inline void
test_queue_free (TestQueue *q)
{
    test_close (q);
    for (int i = 0; i < 3; i++) /* what was posted last */
        g_main_context_iteration (hk_loop_context (q->loop), FALSE);
    hk_loop_free (q->loop);
    test_remove_tree (q->dir);
    g_free (q->dir);
    g_free (q);
}

/* Turns of the loop until *FLAG reaches WANT; the harness ends a test that hangs. */
static inline void
test_wait (TestQueue *q, const int *flag, int want)
{
    while (*flag < want)
        g_main_context_iteration (hk_loop_context (q->loop), TRUE);
}

/* ---- messages */

typedef struct {
    HkQueueId id;
    HkLocation where;
    GString *content;
    GByteArray *envelope;
    int failure; /* HkStoreError + 1; 0: durable */
    int *done;
} TestMessage;

static inline TestMessage *
test_message_new (HkQueueId id, size_t size, size_t n_recipients)
{
    TestMessage *m = g_new0 (TestMessage, 1);
    g_autofree HkRecipient *r = g_new0 (HkRecipient, n_recipients);
    for (size_t i = 0; i < n_recipients; i++)
        r[i].address = HK_SPAN ("user@example.com");
    HkEnvelope e = {.queue_id = id,
                    .arrival_us = 1,
                    .sender = HK_SPAN ("me@example.org"),
                    .recipients = r,
                    .n_recipients = n_recipients};
    m->id = id;
    m->envelope = g_byte_array_new ();
    hk_envelope_pack (&e, m->envelope);
    m->content = g_string_sized_new (size);
    while (m->content->len < size)
        g_string_append_printf (m->content, "%" G_GINT64_MODIFIER "x line %zu\r\n", id,
                                m->content->len);
    g_string_truncate (m->content, size);
    return m;
}

static inline void
test_message_free (void *data)
{
    TestMessage *m = data;
    g_string_free (m->content, TRUE);
    g_byte_array_unref (m->envelope);
    g_free (m);
}

static inline void
test_message_done (const HkLocation *where, const GError *error, void *data)
{
    TestMessage *m = data;
    m->where = *where;
    m->failure = error != NULL ? error->code + 1 : 0;
    (*m->done)++;
}

static inline void
test_append (TestQueue *q, TestMessage *m, int *done)
{
    HkSpan content = hk_span_string (m->content);
    m->done = done;
    hk_lane_append (q->lane, m->id, hk_span (m->envelope->data, m->envelope->len), &content,
                    1, test_message_done, m);
}

/* N messages, durable; free with g_ptr_array_unref. */
static inline GPtrArray *
test_fill (TestQueue *q, size_t n, size_t size)
{
    GPtrArray *list = g_ptr_array_new_with_free_func (test_message_free);
    int done = 0;
    for (size_t i = 0; i < n; i++) {
        TestMessage *m = test_message_new (hk_lane_next_id (q->lane), size, 1);
        g_ptr_array_add (list, m);
        test_append (q, m, &done);
    }
    test_wait (q, &done, (int) n);
    return list;
}

static inline HkEntry *
test_admit (TestQueue *q, const TestMessage *m)
{
    return hk_store_admit (q->store, m->id, &m->where, m->content->len);
}

/* Does the stored message read as it was written? */
static inline bool
test_reads (TestQueue *q, const TestMessage *m)
{
    HkEntry *entry = hk_store_find (q->store, m->id);
    if (entry == NULL)
        return false;
    g_autoptr (HkStoredMessage) stored = hk_store_load (q->store, entry, NULL);
    if (stored == NULL || stored->content_size != m->content->len)
        return false;
    g_autofree char *bytes = g_malloc (m->content->len + 1);
    return pread (stored->fd, bytes, m->content->len, (off_t) stored->content_offset) ==
               (ssize_t) m->content->len &&
           memcmp (bytes, m->content->str, m->content->len) == 0 &&
           stored->envelope->queue_id == m->id;
}

static inline char *
test_segment_path (TestQueue *q, const HkLocation *where)
{
    return g_strdup_printf ("%s/lane/%u/%016" G_GINT64_MODIFIER "x", q->dir, where->lane,
                            where->segment);
}

static inline unsigned
test_count_files (TestQueue *q, const char *name)
{
    g_autofree char *path = g_build_filename (q->dir, name, NULL);
    DIR *dir = opendir (path);
    unsigned n = 0;
    for (struct dirent *e; dir != NULL && (e = readdir (dir)) != NULL;)
        n += e->d_name[0] != '.';
    if (dir != NULL)
        closedir (dir);
    return n;
}

static inline void
test_mark (void *data)
{
    (*(int *) data)++;
}

static inline void
test_durable (TestQueue *q)
{
    int done = 0;
    hk_store_when_durable (q->store, test_mark, &done);
    test_wait (q, &done, 1);
}

#endif
