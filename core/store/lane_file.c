/* lane_file.c: large messages, whose content goes to incoming/QUEUEID as it arrives. */
#include "config.h"

#include "store/lane_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"

enum { FLUSH_EVERY = 1 << 20 }; /* start writing back early: the sync at the end is short */

HkLaneFile *
hk_lane_file_new (HkLane *self, HkQueueId id, GError **error)
{
    char name[HK_QUEUE_ID_TEXT];
    hk_queue_id_format (id, name);
    if (!hk_lane_has_space (self, 0)) {
        hk_disk_error (error, ENOSPC, "create", name);
        return NULL;
    }
    int fd = openat (self->incoming_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0660);
    /* The lock tells qmgr, at its start, that the file is not an orphan. */
    if (fd < 0 || fchmod (fd, 0660) != 0 || !hk_disk_lock (fd, name, NULL)) {
        hk_disk_error (error, errno, "create", name);
        if (fd >= 0)
            close (fd);
        return NULL;
    }
    HkLaneFile *file = g_new0 (HkLaneFile, 1);
    hk_lane_ref (self);
    file->lane = self;
    file->id = id;
    file->fd = fd;
    return file;
}

bool
hk_lane_file_write (HkLaneFile *file, HkSpan bytes, GError **error)
{
    char name[HK_QUEUE_ID_TEXT];
    if (file->failure == 0 &&
        !hk_disk_write (file->lane->io, file->fd, bytes.data, bytes.size, file->size))
        file->failure = errno;
    if (file->failure == 0 && !hk_lane_has_space (file->lane, bytes.size))
        file->failure = ENOSPC;
    if (file->failure != 0) {
        hk_disk_error (error, file->failure, "write", hk_queue_id_format (file->id, name));
        return false;
    }
    file->crc = hk_crc32c (file->crc, bytes.data, bytes.size);
    file->size += bytes.size;
    if (file->size - file->flushed >= FLUSH_EVERY) {
        /* A hint only; the sync at the end tells the truth. */
        (void) !sync_file_range (file->fd, (off_t) file->flushed,
                                 (off_t) (file->size - file->flushed),
                                 SYNC_FILE_RANGE_WRITE);
        file->flushed = file->size;
    }
    return true;
}

void
hk_lane_file_free (HkLaneFile *file, bool remove)
{
    char name[HK_QUEUE_ID_TEXT];
    if (file == NULL)
        return;
    if (remove)
        unlinkat (file->lane->incoming_fd, hk_queue_id_format (file->id, name), 0);
    close (file->fd);
    if (file->envelope != NULL)
        g_bytes_unref (file->envelope);
    hk_lane_unref (file->lane);
    g_free (file);
}

void
hk_lane_file_abandon (HkLaneFile *file)
{
    hk_lane_file_free (file, true);
}

int
hk_lane_file_sync (HkLaneFile *file)
{
    const HkStoreIo *io = file->lane->io;
    if (file->failure != 0)
        return file->failure;
    if (io->fsync (io, file->fd) != 0 || io->fsync (io, file->lane->incoming_fd) != 0 ||
        !hk_disk_has_name (file->fd))
        return errno;
    return 0;
}

void
hk_lane_file_append (HkLane *self, HkLaneFile *file, HkSpan envelope, HkLaneDone fn,
                     void *data)
{
    file->envelope = g_bytes_new (envelope.data, envelope.size);
    file->fn = fn;
    file->data = data;
    self->n_files++;
    pthread_mutex_lock (&self->lock);
    g_queue_push_tail (&self->files, file);
    pthread_cond_signal (&self->to_helper);
    pthread_mutex_unlock (&self->lock);
}

void
hk_lane_file_synced (HkLane *self)
{
    for (;;) {
        pthread_mutex_lock (&self->lock);
        HkLaneFile *file = g_queue_pop_head (&self->synced);
        pthread_mutex_unlock (&self->lock);
        if (file == NULL)
            return;
        self->n_files--;
        hk_lane_add (self, file->id, hk_span_bytes (file->envelope), NULL, 0, file,
                     file->fn, file->data);
    }
}
