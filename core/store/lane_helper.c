/* lane_helper.c: the thread of a lane that prepares segments ahead of need, and syncs
 * content files, so that the writer never waits for either. */
#include "config.h"

#include "store/lane_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"

/* Is the file "next" fit for use?  Its descriptor; else it is removed and -1. */
static int
next_open (HkLane *self, uint64_t want, uint64_t *out_size)
{
    int fd = openat (self->dir_fd, "next", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0)
        return -1;
    /* A second name would mean a second writer. */
    if (fstat (fd, &st) == 0 && S_ISREG (st.st_mode) && st.st_nlink == 1 &&
        (uint64_t) st.st_size >= want && (uint64_t) st.st_size / 4 <= want) {
        *out_size = (uint64_t) st.st_size & ~(uint64_t) (HK_RECORD_ALIGN - 1);
        return fd;
    }
    close (fd);
    unlinkat (self->dir_fd, "next", 0);
    return -1;
}

/* Move one file from free/ to "next": rename lets one lane win.  Both directories are
 * synced: a file that came back under its old name would have two writers. */
static int
next_recycle (HkLane *self, uint64_t want, uint64_t *out_size)
{
    int copy = openat (self->free_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir (copy);
    int fd = -1;
    for (struct dirent *e; fd < 0 && dir != NULL && (e = readdir (dir)) != NULL;) {
        uint64_t generation;
        if (strlen (e->d_name) != 16 || !hk_hex_parse (e->d_name, &generation))
            continue;
        if (renameat (self->free_fd, e->d_name, self->dir_fd, "next") != 0) {
            if (errno != ENOENT && !self->is_recycling_said)
                hk_log (HK_LOG_WARNING, "lane %u: cannot take segments from free/: %s",
                        self->id, g_strerror (errno));
            self->is_recycling_said |= errno != ENOENT;
            continue;
        }
        fd = next_open (self, want, out_size);
        if (self->io->fsync (self->io, self->dir_fd) != 0 ||
            self->io->fsync (self->io, self->free_fd) != 0) {
            unlinkat (self->dir_fd, "next", 0);
            if (fd >= 0)
                close (fd);
            fd = -1;
            break;
        }
    }
    if (dir != NULL)
        closedir (dir);
    return fd;
}

static bool
has_space (HkLane *self, uint64_t size)
{
    struct statvfs st;
    if (self->options.min_free == 0 || fstatvfs (self->dir_fd, &st) != 0)
        return true;
    uint64_t avail = (uint64_t) st.f_bavail * st.f_frsize;
    if (avail >= size && avail - size >= self->options.min_free)
        return true;
    errno = ENOSPC;
    return false;
}

/* A new file, written with zeros so that a sync of it never has to commit metadata. */
static int
next_make (HkLane *self, uint64_t size)
{
    if (!has_space (self, size))
        return -1;
    int fd =
        openat (self->dir_fd, "next.new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0660);
    if (fd < 0)
        return -1;
    if (fchmod (fd, 0660) == 0 && hk_disk_fill (self->io, fd, size) &&
        renameat (self->dir_fd, "next.new", self->dir_fd, "next") == 0 &&
        self->io->fsync (self->io, self->dir_fd) == 0)
        return fd;
    int failure = errno;
    unlinkat (self->dir_fd, "next.new", 0);
    unlinkat (self->dir_fd, "next", 0);
    close (fd);
    errno = failure;
    return -1;
}

static int
next_prepare (HkLane *self, uint64_t want, uint64_t *out_size)
{
    uint64_t size = (want + HK_SEGMENT_FIRST - 1) & ~(uint64_t) (HK_SEGMENT_FIRST - 1);
    int fd = next_open (self, want, out_size);
    if (fd < 0)
        fd = next_recycle (self, want, out_size);
    if (fd < 0) {
        fd = next_make (self, size);
        *out_size = size;
    }
    return fd;
}

static void
serve_next (HkLane *self) /* lock held */
{
    uint64_t want = self->next_wanted, size = 0;
    pthread_mutex_unlock (&self->lock);
    int fd = next_prepare (self, want, &size);
    int failure = fd < 0 ? errno : 0;
    pthread_mutex_lock (&self->lock);
    if (self->next == HK_NEXT_WANTED && self->next_wanted != want) {
        /* The writer meanwhile needs another size: begin again. */
        if (fd >= 0)
            close (fd);
        return;
    }
    self->next_fd = fd;
    self->next_size = size;
    self->next_errno = failure != 0 ? failure : EIO;
    self->next = fd >= 0 ? HK_NEXT_READY : HK_NEXT_FAILED;
    pthread_cond_broadcast (&self->from_helper);
}

static void
serve_file (HkLane *self) /* lock held */
{
    HkLaneFile *file = g_queue_pop_head (&self->files);
    pthread_mutex_unlock (&self->lock);
    file->failure = hk_lane_file_sync (file);
    pthread_mutex_lock (&self->lock);
    g_queue_push_tail (&self->synced, file);
    pthread_cond_broadcast (&self->from_helper);
    hk_lane_post (self);
}

void *
hk_lane_helper (void *lane)
{
    HkLane *self = lane;
    pthread_mutex_lock (&self->lock);
    for (;;) {
        if (self->next == HK_NEXT_WANTED && !self->stop_helper)
            serve_next (self);
        else if (!g_queue_is_empty (&self->files))
            serve_file (self);
        else if (self->stop_helper)
            break;
        else
            pthread_cond_wait (&self->to_helper, &self->lock);
    }
    pthread_mutex_unlock (&self->lock);
    return NULL;
}
