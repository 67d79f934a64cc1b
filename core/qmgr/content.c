/* content.c: descriptors of message content.
 *
 * Messages that stand in the segment of a lane share one descriptor for each segment, which
 * a delivery process gets once.  What has a file of its own is opened for each job, so that
 * ten thousand deferred messages under way do not hold ten thousand descriptors. */
#include "config.h"

#include "qmgr/qmgr_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <unistd.h>

#define IDLE_SEGMENTS 8

static void
segment_free (SegmentFile *self)
{
    hk_qmgr_forget_content (self->q, self->key);
    close (self->fd);
    g_free (self);
}

SegmentFile *
hk_segment_file_get (Qmgr *q, const HkEntry *entry, GError **error)
{
    uint64_t key = entry->segment << 1;
    SegmentFile *self = g_hash_table_lookup (q->segments, &key);
    if (self != NULL) {
        if (self->n_users++ == 0) {
            g_queue_delete_link (&q->idle_segments, self->idle_link);
            self->idle_link = NULL;
        }
        return self;
    }
    uint64_t offset;
    g_autofree char *path = hk_store_path (q->store, entry, &offset);
    int fd = path == NULL ? -1 : open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        int e = path == NULL ? ENOENT : errno;
        g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (e), "%s: %s",
                     path == NULL ? "segment" : path, g_strerror (e));
        return NULL;
    }
    self = g_new0 (SegmentFile, 1);
    self->q = q;
    self->key = key;
    self->fd = fd;
    self->n_users = 1;
    g_hash_table_insert (q->segments, &self->key, self);
    return self;
}

void
hk_segment_file_put (SegmentFile *self)
{
    Qmgr *q = self->q;
    if (--self->n_users > 0)
        return;
    g_queue_push_tail (&q->idle_segments, self);
    self->idle_link = q->idle_segments.tail;
    if (q->idle_segments.length <= IDLE_SEGMENTS)
        return;
    SegmentFile *oldest = g_queue_pop_head (&q->idle_segments);
    g_hash_table_remove (q->segments, &oldest->key);
    segment_free (oldest);
}

void
hk_qmgr_close_segments (Qmgr *q)
{
    SegmentFile *self;
    while ((self = g_queue_pop_head (&q->idle_segments)) != NULL) {
        g_hash_table_remove (q->segments, &self->key);
        segment_free (self);
    }
}

int
hk_active_open (Active *self, uint64_t *out_offset, GError **error)
{
    if (self->segment != NULL) {
        *out_offset = self->content_offset;
        int fd = fcntl (self->segment->fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errno), "%s",
                         g_strerror (errno));
        return fd;
    }
    g_autoptr (HkStoredMessage) stored = hk_store_load (self->q->store, self->entry, error);
    if (stored == NULL)
        return -1;
    *out_offset = stored->content_offset;
    int fd = stored->fd;
    stored->fd = -1;
    return fd;
}

GBytes *
hk_active_read (Active *self, size_t max, GError **error)
{
    uint64_t offset;
    size_t size = (size_t) MIN (self->content_size, max), at = 0;
    int fd = hk_active_open (self, &offset, error);
    if (fd < 0)
        return NULL;
    g_autofree uint8_t *bytes = g_malloc (size + 1);
    while (at < size) {
        ssize_t n = pread (fd, bytes + at, size - at, (off_t) (offset + at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        at += (size_t) n;
    }
    int e = errno;
    close (fd);
    if (at < size) {
        g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (e),
                     "cannot read the message's content");
        return NULL;
    }
    return g_bytes_new_take (g_steal_pointer (&bytes), size);
}
