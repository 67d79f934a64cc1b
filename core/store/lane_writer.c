/* lane_writer.c: the thread of a lane that writes batches and syncs them.
 *
 * One batch, one pwrite, one fdatasync, whatever it holds.  A segment whose write or sync
 * failed is renamed to GENERATION.failed and never touched again: the kernel has marked its
 * pages clean, a later sync would lie. */
#include "config.h"

#include "store/lane_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"

static void
count (uint64_t *slot, uint64_t n)
{
    if (slot != NULL)
        hk_stats_add (slot, (int64_t) n);
}

/* ---- the segment ---- */

/* Wait for a prepared file of at least SIZE bytes: its descriptor, or -1 with errno. */
static int
next_take (HkLane *self, uint64_t size, uint64_t *out_size)
{
    int fd = -1, failure = 0;
    pthread_mutex_lock (&self->lock);
    for (;;) {
        if (self->next == HK_NEXT_READY && self->next_size >= size)
            break;
        if (self->next == HK_NEXT_FAILED)
            break;
        if (self->next == HK_NEXT_READY) { /* too small for this record */
            close (self->next_fd);
            self->next_fd = -1;
        }
        if (self->next != HK_NEXT_WANTED || self->next_wanted < size) {
            self->next = HK_NEXT_WANTED;
            self->next_wanted = MAX (self->options.segment_size, size);
            pthread_cond_signal (&self->to_helper);
        }
        pthread_cond_wait (&self->from_helper, &self->lock);
    }
    if (self->next == HK_NEXT_READY) {
        fd = self->next_fd;
        *out_size = self->next_size;
    } else {
        failure = self->next_errno;
    }
    self->next_fd = -1;
    self->next = HK_NEXT_NONE;
    pthread_mutex_unlock (&self->lock);
    errno = failure;
    return fd;
}

/* Give the prepared file its generation, its header and its name, each durable in turn: a
 * file under a generation's name always has a whole header. */
static bool
segment_begin (HkLane *self, int fd, uint64_t size)
{
    uint8_t header[HK_SEGMENT_FIRST] = {0};
    char name[HK_HEX_NAME];
    uint64_t now = (uint64_t) hk_wall_us (hk_loop_clock (self->loop)) << 6 | self->id;
    uint64_t generation = MAX (now, self->next_generation);
    HkSeed seed = hk_seed (generation, hk_random_mark ());
    hk_file_header_put (header, HK_FILE_SEGMENT, self->id, HK_SEGMENT_FIRST, &seed);
    hk_file_header_put_size (header, size);
    hk_hex_name (generation, name);
    if (!hk_disk_write (self->io, fd, header, sizeof header, 0) ||
        self->io->fdatasync (self->io, fd) != 0 ||
        renameat (self->dir_fd, "next", self->dir_fd, name) != 0 ||
        self->io->fsync (self->io, self->dir_fd) != 0)
        return false;
    self->next_generation = generation + HK_LANES;
    self->segment = (HkLaneSegment){.fd = fd,
                                    .generation = generation,
                                    .size = size,
                                    .at = HK_SEGMENT_FIRST,
                                    .seed = seed};
    /* Only a hint for a clock that was set back: no sync. */
    uint8_t kept[8];
    hk_put_u64 (kept, generation);
    if (!hk_disk_write (self->io, self->lock_fd, kept, sizeof kept, 0))
        hk_log (HK_LOG_WARNING, "lane %u: write lock: %s", self->id, g_strerror (errno));
    count (self->n_segments, 1);
    return true;
}

static void
segment_leave (HkLane *self)
{
    if (self->segment.fd >= 0)
        close (self->segment.fd);
    self->segment.fd = -1;
}

static bool
segment_rotate (HkLane *self, uint64_t record_size)
{
    uint64_t size;
    segment_leave (self);
    int fd = next_take (self, HK_SEGMENT_FIRST + record_size, &size);
    if (fd < 0)
        return false;
    if (segment_begin (self, fd, size))
        return true;
    int failure = errno;
    unlinkat (self->dir_fd, "next", 0); /* its pages may be lost: not used again */
    close (fd);
    errno = failure;
    return false;
}

static void
segment_abandon (HkLane *self, int failure)
{
    char name[HK_HEX_NAME], failed[HK_HEX_NAME + 8];
    hk_hex_name (self->segment.generation, name);
    g_snprintf (failed, sizeof failed, "%s.failed", name);
    hk_log (HK_LOG_ERROR,
            "alert: lane %u: write or sync of segment %s failed: %s; going on in a new one",
            self->id, name, g_strerror (failure));
    if (renameat (self->dir_fd, name, self->dir_fd, failed) != 0 ||
        self->io->fsync (self->io, self->dir_fd) != 0)
        hk_log (HK_LOG_WARNING, "lane %u: cannot mark segment %s as failed: %s", self->id,
                name, g_strerror (errno));
    segment_leave (self);
    count (self->n_failures, 1);
}

/* ---- a batch ---- */

static void
fail_from (HkLane *self, HkLaneBatch *batch, guint from, guint to, int failure)
{
    for (guint i = from; i < to; i++) {
        HkLaneItem *item = &g_array_index (batch->items, HkLaneItem, i);
        if (item->failure == 0)
            item->failure = failure;
    }
    if (!self->is_failing)
        hk_log (HK_LOG_ERROR, "lane %u: cannot store messages: %s", self->id,
                g_strerror (failure));
    self->is_failing = true;
}

/* Give items from FROM on their places in this segment; returns the first that does not
 * fit. OUT_BEGIN, OUT_END: their bytes in the batch. */
static guint
place_run (HkLane *self, HkLaneBatch *batch, guint from, size_t *out_begin, size_t *out_end)
{
    HkLaneSegment *seg = &self->segment;
    bool is_empty = true;
    guint i = from;
    for (; i < batch->items->len; i++) {
        HkLaneItem *item = &g_array_index (batch->items, HkLaneItem, i);
        if (item->failure != 0)
            continue;
        uint64_t size = hk_record_padded (item->record.length);
        if (seg->size - seg->at < size)
            break;
        hk_record_seal (batch->bytes + item->at, &item->record, &seg->seed);
        item->where = (HkLocation){self->id, seg->generation, seg->at, item->record.length};
        if (is_empty)
            *out_begin = item->at;
        is_empty = false;
        *out_end = item->at + (size_t) size;
        seg->at += size;
    }
    if (is_empty)
        *out_begin = *out_end = 0;
    return i;
}

static bool
write_run (HkLane *self, HkLaneBatch *batch, size_t begin, size_t end)
{
    HkLaneSegment *seg = &self->segment;
    if (!hk_disk_write (self->io, seg->fd, batch->bytes + begin, end - begin,
                        seg->at - (end - begin)))
        return false;
    if (self->io->fdatasync (self->io, seg->fd) != 0 || !hk_disk_has_name (seg->fd))
        return false;
    count (self->n_syncs, 1);
    count (self->n_bytes, end - begin);
    return true;
}

static void
write_batch (HkLane *self, HkLaneBatch *batch)
{
    guint from = 0;
    while (from < batch->items->len) {
        HkLaneItem *item = &g_array_index (batch->items, HkLaneItem, from);
        uint64_t size = hk_record_padded (item->record.length);
        if (item->failure != 0) {
            from++;
            continue;
        }
        bool fits = self->segment.fd >= 0 && self->segment.size - self->segment.at >= size;
        if (!fits && !segment_rotate (self, size)) {
            fail_from (self, batch, from, batch->items->len, errno);
            return;
        }
        size_t begin, end;
        guint to = place_run (self, batch, from, &begin, &end);
        if (write_run (self, batch, begin, end)) {
            count (self->n_messages, to - from);
            self->is_failing = false;
        } else {
            int failure = errno != 0 ? errno : EIO;
            segment_abandon (self, failure);
            fail_from (self, batch, from, to, failure);
        }
        from = to;
    }
}

/* Ask for the next segment when half of this one is used: there is time, and a message that
 * is done by then may have freed one. */
static void
prepare_ahead (HkLane *self) /* lock held */
{
    const HkLaneSegment *seg = &self->segment;
    if (self->next != HK_NEXT_NONE || seg->fd < 0 || seg->at < seg->size / 2)
        return;
    self->next = HK_NEXT_WANTED;
    self->next_wanted = self->options.segment_size;
    pthread_cond_signal (&self->to_helper);
}

void *
hk_lane_writer (void *lane)
{
    HkLane *self = lane;
    pthread_mutex_lock (&self->lock);
    for (;;) {
        while ((self->open == NULL || self->open->items->len == 0) && !self->stop_writer)
            pthread_cond_wait (&self->to_writer, &self->lock);
        HkLaneBatch *batch = g_steal_pointer (&self->open);
        if (batch == NULL || batch->items->len == 0) {
            self->open = batch;
            break;
        }
        pthread_mutex_unlock (&self->lock);
        write_batch (self, batch);
        pthread_mutex_lock (&self->lock);
        g_queue_push_tail (&self->done, batch);
        hk_lane_post (self);
        prepare_ahead (self);
    }
    pthread_mutex_unlock (&self->lock);
    return NULL;
}
