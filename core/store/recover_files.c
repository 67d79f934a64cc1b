/* recover_files.c: deferred/ and incoming/ compared with the index. */
#include "config.h"

#include "store/recover_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ORPHAN_AGE_S = 3600 };

/* Queue ids that have a file in the directory.  A directory that does not read must not
 * look like an empty one. */
static bool
list_ids (int dir_fd, const char *what, HkIdSet *out, GError **error)
{
    int fd = openat (dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir (fd);
    errno = dir == NULL ? errno : 0;
    for (struct dirent *e; dir != NULL && (e = readdir (dir)) != NULL; errno = 0) {
        HkQueueId id;
        if (e->d_name[0] != '.' && hk_queue_id_parse (hk_span_text (e->d_name), &id))
            hk_id_set_add (out, id);
    }
    bool ok = dir != NULL && errno == 0;
    if (!ok)
        hk_disk_error (error, errno, "read directory", what);
    if (dir != NULL)
        closedir (dir);
    return ok;
}

static void
remove_file (HkStore *self, int dir_fd, HkQueueId id)
{
    char name[HK_QUEUE_ID_TEXT];
    if (!self->findings.is_readonly)
        unlinkat (dir_fd, hk_queue_id_format (id, name), 0);
}

/* A file that the index does not know: take it in. */
static void
adopt_file (HkStore *self, HkQueueId id)
{
    char name[HK_QUEUE_ID_TEXT];
    uint8_t bytes[HK_FILE_FIRST + HK_RECORD_HEADER];
    HkFileKind kind;
    uint32_t lane, first;
    HkSeed seed;
    HkRecord r;
    hk_queue_id_format (id, name);
    int fd = openat (self->deferred_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ok = fd >= 0 && hk_disk_read (fd, bytes, sizeof bytes, 0) == sizeof bytes &&
              hk_file_header_get (bytes, &kind, &lane, &first, &seed, NULL) &&
              first == HK_FILE_FIRST && hk_record_get (bytes + first, &seed, &r) &&
              r.type == HK_RECORD_MESSAGE && r.id == id &&
              hk_record_verify (fd, &seed, first, &r);
    if (ok) {
        HkEntry *entry = hk_store_insert (self, id, NULL, first, r.length, r.arg);
        entry->has_file = r.flags & HK_RECORD_HAS_FILE;
        hk_finding (self, "deferred/%s: not in the index: taken in", name);
    } else {
        hk_finding (self, "deferred/%s: does not read: moved to corrupt/", name);
        self->findings.report.n_bad++;
        if (!self->findings.is_readonly)
            hk_move_to_corrupt (self, self->deferred_fd, name, name);
    }
    self->findings.report.n_repaired += !self->findings.is_readonly;
    if (fd >= 0)
        close (fd);
}

static void
check_file (HkStore *self, HkRecovery *recovery, HkQueueId id)
{
    HkEntry *entry = hk_index_find (&self->index, id);
    if (entry == NULL && hk_id_set_has (&recovery->done, id)) {
        HkUnlink name = {id, 0, true, false};
        g_array_append_val (self->unlinks, name);
    } else if (entry == NULL) {
        adopt_file (self, id);
    } else if (entry->segment != 0) {
        HkSegment *seg = hk_segment_get (self, entry->segment);
        if (hk_segment_open (self, seg, NULL)) {
            remove_file (self, self->deferred_fd,
                         id); /* a move that did not come to its end */
            return;
        }
        seg->n_live--;
        entry->segment = 0;
        entry->offset_blocks = HK_FILE_FIRST / HK_RECORD_ALIGN;
    }
}

static bool
is_there (HkStore *self, HkEntry *entry, const HkIdSet *files)
{
    g_autoptr (GError) error = NULL;
    if (entry->segment == 0)
        return hk_id_set_has (files, entry->id);
    HkSegment *seg = hk_segment_get (self, entry->segment);
    if (hk_segment_open (self, seg, &error))
        return hk_entry_offset (entry) + entry->length <= seg->size;
    /* What cannot be opened now may be another time. */
    return !g_error_matches (error, HK_STORE_ERROR, HK_STORE_ERROR_ABSENT) &&
           !g_error_matches (error, HK_STORE_ERROR, HK_STORE_ERROR_CORRUPT);
}

bool
hk_recover_deferred (HkStore *self, HkRecovery *recovery, GError **error)
{
    HkIdSet files = {0};
    if (!list_ids (self->deferred_fd, "deferred", &files, error)) {
        hk_id_set_clear (&files);
        return false;
    }
    for (size_t i = 0; files.slots != NULL && i <= files.mask; i++)
        if (files.slots[i] != 0)
            check_file (self, recovery, files.slots[i]);
    for (size_t i = 0; i < hk_index_places (&self->index); i++) {
        HkEntry *entry = hk_index_at (&self->index, i);
        if (entry == NULL || is_there (self, entry, &files))
            continue;
        /* Reported here; what is left of it goes to corrupt/ once the journal runs. */
        g_array_append_val (recovery->lost, entry->id);
    }
    hk_id_set_clear (&files);
    return true;
}

/* ---- incoming/ ---- */

/* Old, and locked by nobody: no lane will refer to it any more unless it did before. */
static bool
is_abandoned (int dir_fd, const char *name)
{
    struct stat st;
    int fd = openat (dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool is = fd >= 0 && flock (fd, LOCK_EX | LOCK_NB) == 0 && fstat (fd, &st) == 0 &&
              st.st_mtim.tv_sec < g_get_real_time () / HK_SECOND - ORPHAN_AGE_S;
    if (fd >= 0)
        close (fd);
    return is;
}

GArray *
hk_recover_list_orphans (HkStore *self, GError **error)
{
    HkIdSet files = {0};
    if (!list_ids (self->incoming_fd, "incoming", &files, error)) {
        hk_id_set_clear (&files);
        return NULL;
    }
    GArray *list = g_array_new (FALSE, FALSE, sizeof (uint64_t));
    for (size_t i = 0; files.slots != NULL && i <= files.mask; i++) {
        char name[HK_QUEUE_ID_TEXT];
        uint64_t id = files.slots[i];
        if (id != 0 && is_abandoned (self->incoming_fd, hk_queue_id_format (id, name)))
            g_array_append_val (list, id);
    }
    hk_id_set_clear (&files);
    return list;
}

bool
hk_recover_incoming (HkStore *self, HkRecovery *recovery, GArray *orphans, GError **error)
{
    HkIdSet files = {0};
    if (!list_ids (self->incoming_fd, "incoming", &files, error)) {
        hk_id_set_clear (&files);
        return false;
    }
    for (size_t i = 0; files.slots != NULL && i <= files.mask; i++)
        if (files.slots[i] != 0 && hk_index_find (&self->index, files.slots[i]) == NULL &&
            hk_id_set_has (&recovery->done, files.slots[i])) {
            HkUnlink name = {files.slots[i], 0, false, true};
            g_array_append_val (self->unlinks, name);
        }
    hk_id_set_clear (&files);
    for (guint i = 0; i < orphans->len; i++) {
        uint64_t id = g_array_index (orphans, uint64_t, i);
        char name[HK_QUEUE_ID_TEXT];
        if (hk_index_find (&self->index, id) != NULL || hk_id_set_has (&recovery->done, id))
            continue;
        hk_finding (self, "incoming/%s: no message refers to it: removed",
                    hk_queue_id_format (id, name));
        remove_file (self, self->incoming_fd, id);
        self->findings.report.n_repaired += !self->findings.is_readonly;
    }
    return true;
}
