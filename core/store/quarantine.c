/* quarantine.c: what does not read is kept whole in corrupt/ and reported. */
#include "config.h"

#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

void
hk_finding (HkStore *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    g_autofree char *text = g_strdup_vprintf (format, args);
    va_end (args);
    if (self->findings.line != NULL)
        self->findings.line (text, self->findings.data);
    else
        hk_log (HK_LOG_WARNING, "queue: %s", text);
}

static bool
copy_bytes (const HkStoreIo *io, int from, uint64_t at, uint64_t size, int to,
            uint64_t to_at)
{
    enum { PIECE = 256 << 10 };
    g_autofree uint8_t *room = g_malloc (PIECE);
    while (size > 0) {
        ssize_t n = hk_disk_read (from, room, (size_t) MIN (size, (uint64_t) PIECE), at);
        if (n < 0)
            return false;
        if (n == 0) /* the file ends early: there is no more to keep */
            break;
        if (!hk_disk_write (io, to, room, (size_t) n, to_at))
            return false;
        at += (uint64_t) n;
        to_at += (uint64_t) n;
        size -= (uint64_t) n;
    }
    return true;
}

/* The same damage found again after a crash is not kept twice. */
static bool
is_kept_already (int dir_fd, const char *name, uint64_t size)
{
    struct stat st;
    return fstatat (dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           (uint64_t) st.st_size == size + HK_FILE_FIRST;
}

bool
hk_quarantine_bytes (HkStore *self, int fd, const HkSeed *seed, uint64_t at, uint64_t size,
                     const char *name)
{
    uint8_t header[HK_FILE_FIRST];
    if (self->findings.is_readonly || is_kept_already (self->corrupt_fd, name, size))
        return !self->findings.is_readonly;
    int to = openat (self->corrupt_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    g_autofree char *second = NULL;
    if (to < 0 && errno == EEXIST) {
        second = g_strdup_printf ("%s.%08x", name, g_random_int ());
        to = openat (self->corrupt_fd, second, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                     0600);
    }
    if (to < 0) {
        hk_finding (self, "corrupt/%s: %s", name, g_strerror (errno));
        return false;
    }
    hk_file_header_put (header, HK_FILE_MESSAGE, 0, HK_FILE_FIRST, seed);
    bool ok = hk_disk_write (self->io, to, header, sizeof header, 0) &&
              copy_bytes (self->io, fd, at, size, to, sizeof header) &&
              self->io->fsync (self->io, to) == 0 &&
              self->io->fsync (self->io, self->corrupt_fd) == 0;
    if (!ok) {
        hk_finding (self, "corrupt/%s: %s", name, g_strerror (errno));
        unlinkat (self->corrupt_fd, second != NULL ? second : name, 0);
    }
    close (to);
    return ok;
}

bool
hk_move_to_corrupt (HkStore *self, int dir_fd, const char *name, const char *new_name)
{
    if (renameat (dir_fd, name, self->corrupt_fd, new_name) != 0)
        return errno == ENOENT; /* there is nothing to keep */
    return self->io->fsync (self->io, self->corrupt_fd) == 0 &&
           self->io->fsync (self->io, dir_fd) == 0;
}

/* The record wherever it is; false: it stays. */
static bool
keep_record (HkStore *self, HkEntry *entry, const char *name)
{
    if (entry->segment == 0)
        return hk_move_to_corrupt (self, self->deferred_fd, name, name);
    HkSegment *seg = hk_segment_get (self, entry->segment);
    if (seg == NULL || !hk_segment_open (self, seg, NULL))
        return true;
    return hk_quarantine_bytes (self, seg->fd, &seg->seed, hk_entry_offset (entry),
                                hk_record_padded (entry->length), name);
}

static bool
keep_content (HkStore *self, const char *name)
{
    g_autofree char *content = g_strdup_printf ("%s.content", name);
    return hk_move_to_corrupt (self, self->incoming_fd, name, content);
}

void
hk_store_quarantine (HkStore *self, HkEntry *entry, const GError *why)
{
    char name[HK_QUEUE_ID_TEXT];
    hk_queue_id_format (entry->id, name);
    bool is_kept =
        keep_record (self, entry, name) && (!entry->has_file || keep_content (self, name));
    hk_finding (self, "%s: message does not read: %s: %s corrupt/%s", name,
                why != NULL ? why->message : "no reason given",
                is_kept ? "moved to" : "could not be moved to", name);
    self->findings.report.n_bad++;
    HkSegment *seg = entry->segment != 0 ? hk_segment_get (self, entry->segment) : NULL;
    if (!is_kept && seg != NULL)
        seg->is_stuck = true;
    if (!is_kept && seg == NULL)
        return; /* its file stays in deferred/, and so does the entry */
    self->findings.report.n_repaired++;
    hk_store_done (self, entry);
}
