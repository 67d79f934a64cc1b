/* fsck.c: the check of a queue that no process owns: a recovery that looks at everything.
 */
#include "config.h"

#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

static bool
lanes_are_idle (const char *queue_directory, GError **error)
{
    for (int lane = 0; lane < HK_LANES; lane++) {
        g_autofree char *path = g_strdup_printf ("%s/lane/%d/lock", queue_directory, lane);
        int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            continue;
        bool ok = hk_disk_lock (fd, path, error);
        close (fd);
        if (!ok)
            return false;
    }
    return true;
}

static void
verify_entry (HkEntry *entry, void *data)
{
    HkStore *self = data;
    g_autoptr (GError) error = NULL;
    char name[HK_QUEUE_ID_TEXT];
    if (hk_entry_verify (self, entry, &error))
        return;
    bool is_damage = g_error_matches (error, HK_STORE_ERROR, HK_STORE_ERROR_CORRUPT) ||
                     g_error_matches (error, HK_STORE_ERROR, HK_STORE_ERROR_ABSENT);
    if (is_damage && !self->findings.is_readonly) {
        hk_store_quarantine (self, entry, error);
        return;
    }
    hk_finding (self, "%s: %s", hk_queue_id_format (entry->id, name), error->message);
    self->findings.report.n_bad++;
}

/* Neither header nor any record says what the file's seed is. */
static bool
move_unreadable (HkStore *self, HkSegment *seg, const char *name)
{
    char dir_name[16];
    g_snprintf (dir_name, sizeof dir_name, "lane/%u", seg->lane);
    int dir = hk_disk_open_dir (self->root_fd, dir_name, NULL);
    if (dir < 0)
        return false;
    g_autofree char *path = hk_segment_path (seg);
    bool ok = hk_move_to_corrupt (self, dir, strrchr (path, '/') + 1, name);
    close (dir);
    return ok;
}

/* Segments that a run could not clear away: kept whole in corrupt/, then they may go. */
static void
release_stuck (HkStore *self)
{
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init (&iter, self->segments);
    while (g_hash_table_iter_next (&iter, NULL, &value)) {
        HkSegment *seg = value;
        char name[HK_HEX_NAME];
        if (!seg->is_stuck)
            continue;
        hk_hex_name (seg->generation, name);
        bool is_kept =
            hk_segment_open (self, seg, NULL)
                ? hk_quarantine_bytes (self, seg->fd, &seg->seed, 0, seg->size, name)
                : move_unreadable (self, seg, name);
        if (!is_kept)
            continue;
        hk_finding (self, "segment %s: kept whole in corrupt/", name);
        seg->is_stuck = false;
        self->findings.report.n_repaired++;
    }
}

static bool
check (HkLoop *loop, const char *queue_directory, HkFindings *findings, GError **error)
{
    HkStore *self = hk_store_new (loop, queue_directory, NULL, findings, error);
    if (self == NULL)
        return false;
    if (!hk_store_recover (self, error)) {
        hk_store_unref (self);
        return false;
    }
    hk_store_foreach (self, verify_entry, self);
    self->findings.report.n_live = self->index.n;
    if (findings->is_readonly) {
        *findings = self->findings;
        hk_store_unref (self);
        return true;
    }
    release_stuck (self);
    hk_store_settle (self);
    *findings = self->findings;
    hk_store_close (self);
    return true;
}

bool
hk_store_fsck (const char *queue_directory, bool repair,
               void (*line) (const char *text, void *data), void *data,
               HkFsckReport *out_report, GError **error)
{
    HkFindings findings = {
        .is_readonly = !repair, .may_mend = repair, .line = line, .data = data};
    if (!lanes_are_idle (queue_directory, error))
        return false;
    HkLoop *loop = hk_loop_new (error);
    if (loop == NULL)
        return false;
    bool ok = check (loop, queue_directory, &findings, error);
    if (ok)
        *out_report = findings.report;
    g_main_context_iteration (hk_loop_context (loop), FALSE); /* what was posted last */
    hk_loop_free (loop);
    return ok;
}
