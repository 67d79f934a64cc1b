/* lane.c: opening a lane, appending to it and bringing completions back to the loop. */
#include "config.h"

#include "store/lane_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"

enum {
    BATCH_FIRST = 256 << 10, /* bytes a batch begins with */
    BATCH_KEEP = 4 << 20,    /* larger ones are not kept for later */
    SPARE_BATCHES = 2,
};

/* ---- opening ---- */

static bool
lane_try (HkLane *self, uint32_t id, GError **error)
{
    char name[16];
    g_snprintf (name, sizeof name, "lane/%u", id);
    /* The directory's own setgid bit gives the group; the mask must not take its rights. */
    mode_t mask = umask (0007);
    int made = mkdirat (self->root_fd, name, 0770);
    umask (mask);
    if (made != 0 && errno != EEXIST) {
        hk_disk_error (error, errno, "make directory", name);
        return false;
    }
    int dir = hk_disk_open_dir (self->root_fd, name, error);
    if (dir < 0)
        return false;
    int lock = openat (dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (lock < 0)
        hk_disk_error (error, errno, "open", "lock");
    else if (fchmod (lock, 0660) != 0 && errno != EPERM) /* qmgr looks at it as well */
        hk_log (HK_LOG_WARNING, "%s/lock: change mode: %s", name, g_strerror (errno));
    if (lock < 0 || !hk_disk_lock (lock, name, error)) {
        close (dir);
        if (lock >= 0)
            close (lock);
        return false;
    }
    self->dir_fd = dir;
    self->lock_fd = lock;
    self->id = id;
    return true;
}

static bool
lane_take (HkLane *self, GError **error)
{
    if (self->options.is_notices)
        return lane_try (self, 0, error);
    for (uint32_t id = 1; id < HK_LANES; id++) {
        g_autoptr (GError) why = NULL;
        if (lane_try (self, id, &why))
            return true;
        if (!g_error_matches (why, HK_STORE_ERROR, HK_STORE_ERROR_BUSY)) {
            g_propagate_error (error, g_steal_pointer (&why));
            return false;
        }
    }
    g_set_error (error, HK_STORE_ERROR, HK_STORE_ERROR_BUSY, "all %d lanes are taken",
                 HK_LANES - 1);
    return false;
}

enum { CLOCK_WENT_BACK_US = 60 * 1000000 };

/* Nothing of before is written to again, and no number is handed out twice.  While the clock only
 * goes forward it is enough to begin at now: what a killed process handed out lies before.  When
 * it was set back, the lock file (the last number of an orderly end) and the segments (their
 * generation and last write) tell; then each start also keeps a minute for itself, since a process
 * that is killed in that state leaves no other trace of what it used. */
static void
lane_resume (HkLane *self)
{
    uint64_t now_us = (uint64_t) hk_wall_us (hk_loop_clock (self->loop));
    uint64_t floor_us = now_us;
    uint8_t kept[8];
    if (hk_disk_read (self->lock_fd, kept, sizeof kept, 0) == (ssize_t) sizeof kept)
        floor_us = MAX (floor_us, (hk_get_u64 (kept) >> 6) + 1);
    int copy = openat (self->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir (copy);
    for (struct dirent *e; dir != NULL && (e = readdir (dir)) != NULL;) {
        uint64_t generation;
        struct stat st;
        if (strlen (e->d_name) < 16 || !hk_hex_parse (e->d_name, &generation))
            continue;
        floor_us = MAX (floor_us, (generation >> 6) + 1);
        if (fstatat (self->dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            floor_us = MAX (floor_us, (uint64_t) st.st_mtim.tv_sec * HK_SECOND
                                          + (uint64_t) st.st_mtim.tv_nsec / 1000 + 1);
    }
    if (dir != NULL)
        closedir (dir);
    if (floor_us > now_us) {
        hk_put_u64 (kept, (floor_us + CLOCK_WENT_BACK_US) << 6);
        if (!hk_disk_write (self->io, self->lock_fd, kept, sizeof kept, 0))
            hk_log (HK_LOG_WARNING, "lane %u: write lock: %s", self->id, g_strerror (errno));
    }
    self->next_generation = floor_us << 6 | self->id;
    self->last_id = self->next_generation;
    self->end = (HkLocation){self->id, self->next_generation, HK_SEGMENT_FIRST, 0};
}

static uint64_t *
counter (HkLane *self, const char *name)
{
    return self->options.stats != NULL ? hk_stats_slot (self->options.stats, name) : NULL;
}

static HkLane *
lane_new (HkLoop *loop, const HkLaneOptions *options)
{
    HkLane *self = g_new0 (HkLane, 1);
    self->references = 1;
    self->loop = loop;
    self->options = *options;
    self->options.queue_directory = NULL; /* the caller's */
    self->options.segment_size =
        hk_record_padded (MAX (options->segment_size, UINT64_C (64) << 10));
    self->io = options->io != NULL ? options->io : &hk_store_io_system;
    self->lock_fd = self->dir_fd = self->free_fd = self->incoming_fd = self->root_fd = -1;
    self->segment.fd = self->next_fd = -1;
    self->n_syncs = counter (self, "store.syncs");
    self->n_messages = counter (self, "store.messages");
    self->n_bytes = counter (self, "store.bytes");
    self->n_failures = counter (self, "store.sync_failures");
    self->n_segments = counter (self, "store.segments");
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->to_writer, NULL);
    pthread_cond_init (&self->to_helper, NULL);
    pthread_cond_init (&self->from_helper, NULL);
    g_queue_init (&self->done);
    g_queue_init (&self->spare);
    g_queue_init (&self->files);
    g_queue_init (&self->synced);
    return self;
}

HkLane *
hk_lane_open (HkLoop *loop, const HkLaneOptions *options, GError **error)
{
    HkLane *self = lane_new (loop, options);
    self->root_fd = hk_disk_open_dir (AT_FDCWD, options->queue_directory, error);
    if (self->root_fd < 0 ||
        (self->free_fd = hk_disk_open_dir (self->root_fd, "free", error)) < 0 ||
        (self->incoming_fd = hk_disk_open_dir (self->root_fd, "incoming", error)) < 0 ||
        !lane_take (self, error)) {
        g_prefix_error (error, "%s: ", options->queue_directory);
        hk_lane_unref (self);
        return NULL;
    }
    lane_resume (self);
    self->next = HK_NEXT_WANTED;
    self->next_wanted = self->options.segment_size;
    self->writer = g_thread_new ("lane-writer", hk_lane_writer, self);
    self->helper = g_thread_new ("lane-helper", hk_lane_helper, self);
    return self;
}

/* ---- end ---- */

static void
batch_free (HkLaneBatch *batch)
{
    if (batch == NULL)
        return;
    g_array_free (batch->items, TRUE);
    g_free (batch->bytes);
    g_free (batch);
}

void
hk_lane_ref (HkLane *self)
{
    g_atomic_int_inc (&self->references);
}

void
hk_lane_unref (HkLane *self)
{
    if (!g_atomic_int_dec_and_test (&self->references))
        return;
    int *fds[] = {&self->segment.fd, &self->next_fd, &self->free_fd, &self->incoming_fd,
                  &self->dir_fd,     &self->lock_fd, &self->root_fd};
    for (size_t i = 0; i < G_N_ELEMENTS (fds); i++)
        if (*fds[i] >= 0)
            close (*fds[i]);
    batch_free (self->open);
    g_queue_clear_full (&self->spare, (GDestroyNotify) batch_free);
    pthread_mutex_destroy (&self->lock);
    pthread_cond_destroy (&self->to_writer);
    pthread_cond_destroy (&self->to_helper);
    pthread_cond_destroy (&self->from_helper);
    g_free (self);
}

/* ---- completions ---- */

static void
item_finish (HkLane *self, HkLaneItem *item)
{
    bool ok = item->failure == 0;
    if (ok && item->where.segment != 0) {
        self->end = item->where;
        self->end.offset += hk_record_padded (item->where.length);
    }
    if (item->file != NULL)
        hk_lane_file_free (item->file, !ok);
    g_autoptr (GError) error = NULL;
    if (!ok)
        g_set_error (&error, HK_STORE_ERROR, hk_disk_code (item->failure),
                     "cannot store message: %s", g_strerror (item->failure));
    if (item->fn != NULL)
        item->fn (&item->where, error, item->data);
}

static void
batch_finish (HkLane *self, HkLaneBatch *batch)
{
    for (guint i = 0; i < batch->items->len; i++)
        item_finish (self, &g_array_index (batch->items, HkLaneItem, i));
    g_array_set_size (batch->items, 0);
    batch->used = 0;
    pthread_mutex_lock (&self->lock);
    bool keep = batch->size <= BATCH_KEEP && self->spare.length < SPARE_BATCHES;
    if (keep)
        g_queue_push_tail (&self->spare, batch);
    pthread_mutex_unlock (&self->lock);
    if (!keep)
        batch_free (batch);
}

static void
lane_drain (HkLane *self)
{
    for (;;) {
        pthread_mutex_lock (&self->lock);
        HkLaneBatch *batch = g_queue_pop_head (&self->done);
        if (batch == NULL)
            self->is_posted = false;
        pthread_mutex_unlock (&self->lock);
        if (batch == NULL)
            break;
        batch_finish (self, batch);
    }
    hk_lane_file_synced (self);
}

static void
lane_posted (void *data)
{
    HkLane *self = data;
    if (!self->is_closed)
        lane_drain (self);
    hk_lane_unref (self);
}

/* Called by both threads with the lock held. */
void
hk_lane_post (HkLane *self)
{
    if (self->is_posted)
        return;
    self->is_posted = true;
    hk_lane_ref (self);
    hk_loop_post (self->loop, lane_posted, self);
}

void
hk_lane_close (HkLane *self)
{
    if (self == NULL)
        return;
    /* First the files, since their records still go into the batch; then the writer, which
     * may still need the helper for a segment. */
    while (self->n_files > 0) {
        pthread_mutex_lock (&self->lock);
        while (g_queue_is_empty (&self->synced))
            pthread_cond_wait (&self->from_helper, &self->lock);
        pthread_mutex_unlock (&self->lock);
        hk_lane_file_synced (self);
    }
    pthread_mutex_lock (&self->lock);
    self->stop_writer = true;
    pthread_cond_broadcast (&self->to_writer);
    pthread_mutex_unlock (&self->lock);
    g_thread_join (self->writer);
    pthread_mutex_lock (&self->lock);
    self->stop_helper = true;
    pthread_cond_broadcast (&self->to_helper);
    pthread_mutex_unlock (&self->lock);
    g_thread_join (self->helper);
    lane_drain (self);
    self->is_closed = true;
    uint8_t kept[8];
    hk_put_u64 (kept, self->last_id);
    if (!hk_disk_write (self->io, self->lock_fd, kept, sizeof kept, 0))
        hk_log (HK_LOG_WARNING, "lane %u: write lock: %s", self->id, g_strerror (errno));
    /* Posts may still hold references: the lock must be free now all the same. */
    close (self->lock_fd);
    self->lock_fd = -1;
    hk_lane_unref (self);
}

uint32_t
hk_lane_id (const HkLane *self)
{
    return self->id;
}

HkQueueId
hk_lane_next_id (HkLane *self)
{
    uint64_t now = (uint64_t) hk_wall_us (hk_loop_clock (self->loop));
    self->last_id = (MAX (now, (self->last_id >> 6) + 1) << 6) | self->id;
    return self->last_id;
}

void
hk_lane_end (const HkLane *self, uint64_t *out_segment, uint64_t *out_offset)
{
    *out_segment = self->end.segment;
    *out_offset = self->end.offset;
}

bool
hk_lane_has_space (HkLane *self, uint64_t size)
{
    int64_t now = hk_loop_now_us (self->loop);
    if (self->space_checked_us == 0 || now - self->space_checked_us >= HK_SECOND) {
        struct statvfs st;
        uint64_t avail = UINT64_MAX; /* what cannot be measured is found out by writing */
        if (fstatvfs (self->dir_fd, &st) == 0)
            avail = (uint64_t) st.f_bavail * st.f_frsize;
        self->space = avail > self->options.min_free ? avail - self->options.min_free : 0;
        self->space_checked_us = now;
    }
    return self->options.min_free == 0 || self->space > size;
}

/* ---- appending ---- */

static HkLaneBatch *
batch_new (void)
{
    HkLaneBatch *batch = g_new0 (HkLaneBatch, 1);
    batch->size = BATCH_FIRST;
    batch->bytes = g_malloc (batch->size);
    batch->items = g_array_sized_new (FALSE, FALSE, sizeof (HkLaneItem), 64);
    return batch;
}

/* Room for SIZE more bytes; NULL when memory is short. */
static uint8_t *
batch_reserve (HkLaneBatch *batch, uint64_t size)
{
    if (batch->size - batch->used < size) {
        size_t want = MAX (batch->size * 2, batch->used + (size_t) size);
        uint8_t *bytes = g_try_realloc (batch->bytes, want);
        if (bytes == NULL)
            return NULL;
        batch->bytes = bytes;
        batch->size = want;
    }
    return batch->bytes + batch->used;
}

static HkLaneBatch *
lane_batch (HkLane *self) /* lock held */
{
    if (self->open == NULL) {
        self->open = g_queue_pop_head (&self->spare);
        if (self->open == NULL)
            self->open = batch_new ();
    }
    return self->open;
}

static void
copy_record (uint8_t *to, const HkRecord *r, HkSpan envelope, const HkSpan *content,
             size_t n)
{
    uint8_t *at = to + HK_RECORD_HEADER;
    if (envelope.size > 0)
        memcpy (at, envelope.data, envelope.size);
    at += envelope.size;
    for (size_t i = 0; i < n; i++) {
        if (content[i].size > 0)
            memcpy (at, content[i].data, content[i].size);
        at += content[i].size;
    }
    memset (at, 0, (size_t) (hk_record_padded (r->length) - r->length));
}

void
hk_lane_add (HkLane *self, HkQueueId id, HkSpan envelope, const HkSpan *content,
             size_t n_content, HkLaneFile *file, HkLaneDone fn, void *data)
{
    uint64_t size = 0;
    for (size_t i = 0; i < n_content; i++)
        size += content[i].size;
    uint64_t length = HK_RECORD_HEADER + (uint64_t) envelope.size + size;
    HkLaneItem item = {
        .fn = fn,
        .data = data,
        .file = file,
        .record = {.type = HK_RECORD_MESSAGE, .id = id, .arg = size},
    };
    if (file != NULL) {
        item.record.flags = HK_RECORD_HAS_FILE;
        item.record.arg = file->size;
        item.record.content_crc = file->crc;
        item.failure = file->failure;
    }
    if (length > HK_RECORD_MAX || envelope.size > HK_HEAD_MAX)
        item.failure = EFBIG;
    else if (item.failure == 0 && !hk_lane_has_space (self, 0))
        item.failure = ENOSPC;

    pthread_mutex_lock (&self->lock);
    HkLaneBatch *batch = lane_batch (self);
    if (item.failure == 0) {
        item.record.length = (uint32_t) length;
        item.record.head_size = (uint32_t) envelope.size;
        item.at = batch->used;
        uint8_t *to = batch_reserve (batch, hk_record_padded (length));
        if (to != NULL) {
            copy_record (to, &item.record, envelope, content, n_content);
            batch->used += (size_t) hk_record_padded (length);
        } else {
            item.failure = ENOMEM;
        }
    }
    g_array_append_val (batch->items, item);
    if (batch->items->len == 1)
        pthread_cond_signal (&self->to_writer);
    pthread_mutex_unlock (&self->lock);
}

void
hk_lane_append (HkLane *self, HkQueueId id, HkSpan envelope, const HkSpan *content,
                size_t n_content, HkLaneDone fn, void *data)
{
    hk_lane_add (self, id, envelope, content, n_content, NULL, fn, data);
}
