/* recover.c: from what is on disk to entries in memory.
 *
 * The newest whole checkpoint, then the journal behind it, then the segments from where the
 * checkpoint had accounted for them.  Messages that the journal calls done are not read,
 * and of those that were worked on before only the header. */
#include "config.h"

#include "store/recover_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

/* Does a process write to the lane now?  When in doubt, yes: a segment in use must not be
 * judged. */
static bool
lane_is_live (HkStore *self, uint32_t lane)
{
    char name[32];
    g_snprintf (name, sizeof name, "lane/%u/lock", lane);
    int fd = openat (self->root_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool is_live = fd < 0 ? errno != ENOENT : flock (fd, LOCK_EX | LOCK_NB) != 0;
    if (fd >= 0)
        close (fd);
    return is_live;
}

static void
recover_segment (HkStore *self, HkRecovery *recovery, HkSegment *seg)
{
    bool is_live = self->is_live[seg->lane];
    HkScanRules rules = {
        .done = &recovery->done, .seen = &recovery->seen, .judge = !is_live};
    g_autoptr (GError) error = NULL;
    if (recovery->is_damaged) {
        seg->accounted = HK_SEGMENT_FIRST;
        seg->is_scanned = false;
    }
    self->findings.report.n_segments++;
    if (hk_id_set_has (&recovery->freed, seg->generation))
        seg->is_freed = seg->is_closed = true;
    if (seg->is_freed)
        return;
    if (!seg->is_scanned && !hk_segment_scan (self, seg, UINT64_MAX, &rules, &error)) {
        hk_finding (self, "%s", error->message);
        self->findings.report.n_bad++;
        seg->is_stuck = true; /* somebody should look at it before it is used again */
    }
    if (!is_live)
        seg->is_closed = seg->is_scanned = true;
    seg->closed_us = hk_loop_now_us (self->loop);
}

static bool
recover_lanes (HkStore *self, HkRecovery *recovery, GError **error)
{
    for (uint32_t lane = 0; lane < HK_LANES; lane++) {
        g_autoptr (GArray) list = hk_segment_list (self, lane, error);
        if (list == NULL)
            return false;
        if (list->len == 0)
            continue;
        self->is_live[lane] = lane_is_live (self, lane);
        for (guint i = 0; i < list->len; i++) {
            uint64_t generation = g_array_index (list, uint64_t, i);
            recover_segment (self, recovery, hk_segment_add (self, generation, lane));
            self->current[lane] = generation;
        }
    }
    return true;
}

/* A segment that only the checkpoint knows was freed and is gone. */
static gboolean
is_gone (void *key, void *value, void *data)
{
    HkSegment *seg = value;
    (void) key;
    return seg->n_live == 0 && !seg->is_stuck && !hk_segment_open (data, seg, NULL);
}

static void
give_up_lost (HkStore *self, HkRecovery *recovery)
{
    for (guint i = 0; i < recovery->lost->len; i++) {
        HkEntry *entry = hk_store_find (self, g_array_index (recovery->lost, uint64_t, i));
        g_autoptr (GError) error = NULL;
        g_autofree char *path = hk_store_path (self, entry, &(uint64_t){0});
        g_set_error (&error, HK_STORE_ERROR, HK_STORE_ERROR_CORRUPT,
                     "%s: missing or cut short", path);
        if (self->findings.is_readonly) {
            hk_finding (self, "%s", error->message);
            self->findings.report.n_bad++;
        } else {
            hk_store_quarantine (self, entry, error);
        }
    }
}

static void
start_journal (HkStore *self, HkRecovery *recovery)
{
    uint64_t position = MAX (recovery->position, self->checkpoint_at);
    unlinkat (self->journal_fd, "checkpoint.new", 0);
    hk_store_start_journal (self, position);
    self->journal_mark =
        self->checkpoint_at != 0 ? self->checkpoint_at : hk_journal_end (self->journal);
    for (guint i = 0; i < recovery->journals->len; i++) {
        HkOldJournal *j = &g_array_index (recovery->journals, HkOldJournal, i);
        hk_journal_add_file (self->journal, j->base, MIN (j->end, position), j->fd,
                             &j->seed);
        j->fd = -1;
    }
    /* The next checkpoint comes soon when the tail was long. */
    self->journal_mark = MIN (self->journal_mark, position);
    if (recovery->is_damaged ||
        self->findings.report.n_bad + self->findings.report.n_torn > 0)
        self->wants_checkpoint = true; /* said once is enough */
}

static void
recovery_clear (HkRecovery *recovery)
{
    for (guint i = 0; i < recovery->journals->len; i++) {
        int fd = g_array_index (recovery->journals, HkOldJournal, i).fd;
        if (fd >= 0)
            close (fd);
    }
    g_array_free (recovery->journals, TRUE);
    g_array_free (recovery->lost, TRUE);
    hk_id_set_clear (&recovery->done);
    hk_id_set_clear (&recovery->seen);
    hk_id_set_clear (&recovery->freed);
}

static bool
read_all (HkStore *self, HkRecovery *recovery, GError **error)
{
    g_autoptr (GArray) orphans = hk_recover_list_orphans (self, error);
    if (orphans == NULL ||
        !hk_checkpoint_load (self, &recovery->done, &recovery->is_damaged, error) ||
        !hk_recover_open_journals (self, recovery, error))
        return false;
    hk_recover_note_journals (self, recovery);
    if (!recover_lanes (self, recovery, error))
        return false;
    hk_recover_apply_journals (self, recovery);
    return hk_recover_deferred (self, recovery, error) &&
           hk_recover_incoming (self, recovery, orphans, error);
}

bool
hk_store_recover (HkStore *self, GError **error)
{
    HkRecovery recovery = {
        .journals = g_array_new (FALSE, FALSE, sizeof (HkOldJournal)),
        .lost = g_array_new (FALSE, FALSE, sizeof (uint64_t)),
        .position = HK_JOURNAL_START,
    };
    bool ok = read_all (self, &recovery, error);
    if (ok) {
        if (!self->findings.is_readonly)
            start_journal (self, &recovery);
        give_up_lost (self, &recovery);
        g_hash_table_foreach_remove (self->segments, is_gone, self);
        self->findings.report.n_live = self->index.n;
    }
    recovery_clear (&recovery);
    return ok;
}
