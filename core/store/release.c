/* release.c: segments without live messages go to free/, or away.
 *
 * First FREED is durable in the journal: from then on nothing in the file counts, whatever
 * a crash leaves of the steps that follow. */
#include "config.h"

#include "store/store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

typedef struct {
    uint64_t generation;
    uint32_t lane;
    bool recycle; /* else remove */
    bool is_failed;
    int failure;
} Freed;

typedef struct {
    HkStore *store;
    GArray *list; /* Freed */
} Job;

/* ---- worker ---- */

static unsigned
count_free (HkStore *store)
{
    unsigned n = 0;
    int fd = openat (store->free_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir (fd);
    for (struct dirent *e; dir != NULL && (e = readdir (dir)) != NULL;)
        n += e->d_name[0] != '.';
    if (dir != NULL)
        closedir (dir);
    return n;
}

/* Clear the header, so that the file means nothing under any name. */
static bool
clear_header (const HkStoreIo *io, int fd)
{
    static const uint8_t zeros[HK_SEGMENT_FIRST];
    return hk_disk_write (io, fd, zeros, sizeof zeros, 0) && io->fdatasync (io, fd) == 0;
}

static bool
release_one (HkStore *store, const Freed *freed)
{
    const HkStoreIo *io = store->io;
    char dir_name[16], name[HK_HEX_NAME + 8], hex[HK_HEX_NAME];
    g_snprintf (dir_name, sizeof dir_name, "lane/%u", freed->lane);
    g_snprintf (name, sizeof name, "%s%s", hk_hex_name (freed->generation, hex),
                freed->is_failed ? ".failed" : "");
    int dir = openat (store->root_fd, dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return errno == ENOENT;
    bool ok = false;
    int fd = freed->recycle ? openat (dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd >= 0 && clear_header (io, fd) && renameat (dir, name, store->free_fd, hex) == 0)
        ok = io->fsync (io, store->free_fd) == 0;
    else /* a sync that failed, or enough of them: not used again */
        ok = unlinkat (dir, name, 0) == 0 || errno == ENOENT;
    ok = io->fsync (io, dir) == 0 && ok;
    int failure = errno;
    if (fd >= 0)
        close (fd);
    close (dir);
    errno = failure;
    return ok;
}

static void
free_work (void *data)
{
    Job *job = data;
    unsigned n = count_free (job->store);
    for (guint i = 0; i < job->list->len; i++) {
        Freed *freed = &g_array_index (job->list, Freed, i);
        freed->recycle = !freed->is_failed && n < job->store->options.max_free;
        n += freed->recycle;
        if (!release_one (job->store, freed))
            freed->failure = errno != 0 ? errno : EIO;
    }
}

/* ---- loop ---- */

static void
free_done (void *data)
{
    Job *job = data;
    HkStore *self = job->store;
    self->has_job = false;
    for (guint i = 0; i < job->list->len; i++) {
        const Freed *freed = &g_array_index (job->list, Freed, i);
        HkSegment *seg = hk_segment_get (self, freed->generation);
        if (freed->failure != 0) {
            hk_finding (self, "segment %016" G_GINT64_MODIFIER "x: cannot be freed: %s",
                        freed->generation, g_strerror (freed->failure));
            if (seg != NULL)
                seg->is_stuck = true; /* not tried again and again */
        } else if (seg != NULL) {
            g_hash_table_remove (self->segments, &freed->generation);
        }
    }
    g_array_free (job->list, TRUE);
    g_free (job);
    hk_store_unref (self);
}

/* What was written behind our last look, though a newer segment exists. */
static void
finish_scan (HkStore *self, HkSegment *seg)
{
    HkScanRules rules = {.judge = true, .fn = self->found, .data = self->found_data};
    g_autoptr (GError) error = NULL;
    hk_segment_close (self, seg);
    if (hk_segment_open (self, seg, NULL) && seg->is_failed) {
        /* What was confirmed in it was announced; the rest was refused. */
        seg->is_scanned = true;
        return;
    }
    if (!hk_segment_scan (self, seg, UINT64_MAX, &rules, &error)) {
        hk_finding (self, "%s", error->message);
        seg->is_stuck = true;
    }
    seg->is_scanned = true;
}

static bool
is_finished (HkStore *self, HkSegment *seg, uint64_t durable)
{
    if (!seg->is_closed || seg->is_stuck || seg->n_pins > 0)
        return false;
    if (seg->n_live > 0 || seg->busy_until > durable)
        return false;
    if (!seg->is_scanned)
        finish_scan (self, seg);
    return seg->n_live == 0 && !seg->is_stuck;
}

/* FREED goes to the journal in one turn, the file is touched when that is durable. */
bool
hk_free_start (HkStore *self, HkWorkers *workers)
{
    uint64_t durable = hk_journal_durable (self->journal);
    g_autoptr (GList) all = g_hash_table_get_values (self->segments);
    GArray *list = g_array_new (FALSE, FALSE, sizeof (Freed));
    for (GList *l = all; l != NULL; l = l->next) {
        HkSegment *seg = l->data;
        if (!is_finished (self, seg, durable))
            continue;
        if (!seg->is_freed) {
            HkRecord r = {.type = HK_RECORD_FREED, .id = seg->generation};
            hk_journal_append (self->journal, &r, HK_SPAN_NONE);
            seg->is_freed = true;
            seg->busy_until = hk_journal_end (self->journal);
            continue;
        }
        Freed freed = {.generation = seg->generation, .lane = seg->lane};
        hk_segment_close (self, seg);
        hk_segment_open (self, seg, NULL); /* learns whether it was renamed */
        freed.is_failed = seg->is_failed;
        g_array_append_val (list, freed);
    }
    if (list->len == 0) {
        g_array_free (list, TRUE);
        return false;
    }
    Job *job = g_new0 (Job, 1);
    job->store = self;
    job->list = list;
    hk_store_run_job (self, workers, free_work, free_done, job);
    return true;
}
