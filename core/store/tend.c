/* tend.c: periodic work, one job at a time: checkpoint, freeing, moving out, removing. */
#include "config.h"

#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { OPEN_SEGMENTS = 64 };

void
hk_store_run_job (HkStore *self, HkWorkers *workers, void (*work) (void *),
                  void (*done) (void *), void *job)
{
    self->has_job = true;
    hk_store_ref (self);
    if (workers != NULL) {
        hk_workers_run (workers, work, done, job);
        return;
    }
    work (job);
    done (job);
}

/* ---- names of finished messages ---- */

typedef struct {
    HkStore *store;
    GArray *names;
} UnlinkJob;

static void
unlink_work (void *data)
{
    UnlinkJob *job = data;
    for (guint i = 0; i < job->names->len; i++) {
        const HkUnlink *u = &g_array_index (job->names, HkUnlink, i);
        char name[HK_QUEUE_ID_TEXT];
        hk_queue_id_format (u->id, name);
        if (u->in_deferred)
            unlinkat (job->store->deferred_fd, name, 0);
        if (u->in_incoming)
            unlinkat (job->store->incoming_fd, name, 0);
    }
}

/* The records that say "done" stay in the journal until a checkpoint has synced the two
 * directories, so a name that comes back after a crash is removed again. */
static void
unlink_done (void *data)
{
    UnlinkJob *job = data;
    HkStore *self = job->store;
    self->has_job = false;
    g_array_remove_range (self->unlinks, 0, job->names->len);
    g_array_free (job->names, TRUE);
    g_free (job);
    hk_store_unref (self);
}

bool
hk_unlink_start (HkStore *self, HkWorkers *workers)
{
    enum { AT_ONCE = 1000 };
    uint64_t durable = hk_journal_durable (self->journal);
    guint n = 0;
    while (n < self->unlinks->len && n < AT_ONCE &&
           g_array_index (self->unlinks, HkUnlink, n).after <= durable)
        n++;
    if (n == 0)
        return false;
    UnlinkJob *job = g_new0 (UnlinkJob, 1);
    job->store = self;
    job->names = g_array_sized_new (FALSE, FALSE, sizeof (HkUnlink), n);
    g_array_append_vals (job->names, self->unlinks->data, n);
    hk_store_run_job (self, workers, unlink_work, unlink_done, job);
    return true;
}

/* ---- */

static void
close_some (HkStore *self)
{
    GHashTableIter iter;
    void *value;
    unsigned n = 0;
    g_hash_table_iter_init (&iter, self->segments);
    while (g_hash_table_iter_next (&iter, NULL, &value)) {
        HkSegment *seg = value;
        if (seg->fd >= 0 && ++n > OPEN_SEGMENTS)
            hk_segment_close (self, seg);
    }
}

void
hk_store_tend (HkStore *self, HkWorkers *workers)
{
    if (!self->has_job) /* a job reads through them */
        close_some (self);
    /* Without workers each returns with its job done, and the next may begin. */
    for (int i = 0; i < 4 && !self->has_job; i++) {
        bool started = i == 0   ? hk_free_start (self, workers)
                       : i == 1 ? hk_move_start (self, workers)
                       : i == 2 ? hk_unlink_start (self, workers)
                                : hk_checkpoint_is_due (self);
        if (i == 3 && started)
            hk_checkpoint_start (self, workers);
    }
}
