/* recover_journal.c: the journal's tail read back: once for who is finished, so that the
 * segments need not be read for them, and once more to change the entries. */
#include "config.h"

#include "store/recover_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_CHUNK = 1 << 20 };

static int
by_base (gconstpointer a, gconstpointer b)
{
    const HkOldJournal *x = a, *y = b;
    return (x->base > y->base) - (x->base < y->base);
}

/* Records are sealed with generation 0, so that a batch can move to another file. */
static bool
read_seed (HkStore *self, int fd, const char *name, HkSeed *out)
{
    uint8_t header[HK_FILE_FIRST];
    HkFileKind kind;
    uint32_t lane, first;
    HkSeed seed;
    g_autoptr (GError) error = NULL;
    if (hk_disk_read (fd, header, sizeof header, 0) != sizeof header) {
        hk_finding (self, "journal/%s: file is cut short", name);
        return false;
    }
    if (hk_file_header_get (header, &kind, &lane, &first, &seed, &error)) {
        *out = hk_seed (0, seed.mark);
        return true;
    }
    bool is_readable = hk_seed_from_records (fd, 0, HK_FILE_FIRST, out);
    hk_finding (self, "journal/%s: %s%s", name, error->message,
                is_readable ? "; read by its records" : "");
    return is_readable;
}

static void
open_one (HkStore *self, HkRecovery *recovery, const char *name)
{
    HkOldJournal j = {.fd = -1};
    struct stat st;
    if (!hk_hex_parse (name, &j.base) || strlen (name) != 16)
        return;
    j.fd = openat (self->journal_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (j.fd < 0 || fstat (j.fd, &st) != 0) {
        hk_finding (self, "journal/%s: %s", name, g_strerror (errno));
    } else if (read_seed (self, j.fd, name, &j.seed)) {
        j.end = j.base + MAX ((uint64_t) st.st_size, HK_FILE_FIRST) - HK_FILE_FIRST;
        g_array_append_val (recovery->journals, j);
        return;
    }
    self->findings.report.n_bad++;
    if (j.fd >= 0)
        close (j.fd);
}

bool
hk_recover_open_journals (HkStore *self, HkRecovery *recovery, GError **error)
{
    g_autoptr (GPtrArray) names = hk_journal_names (self->journal_fd, error);
    if (names == NULL)
        return false;
    for (guint i = 0; i < names->len; i++)
        open_one (self, recovery, g_ptr_array_index (names, i));
    g_array_sort (recovery->journals, by_base);
    for (guint i = 0; i + 1 < recovery->journals->len; i++) {
        HkOldJournal *j = &g_array_index (recovery->journals, HkOldJournal, i);
        /* What stands behind was written again in the next file, or is a torn tail. */
        j->end = MIN (j->end, (j + 1)->base);
    }
    return true;
}

typedef void (*RecordFn) (HkStore *self, HkRecovery *recovery, const HkRecord *record,
                          HkSpan head, uint64_t position);

static void
keep_damage (HkStore *self, const HkOldJournal *j, uint64_t at, uint64_t size, bool is_tail)
{
    char name[64];
    g_snprintf (name, sizeof name,
                "journal-%016" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "u", j->base, at);
    bool is_kept = hk_quarantine_bytes (self, j->fd, &j->seed, at, size, name);
    hk_finding (self,
                "journal/%016" G_GINT64_MODIFIER "x: %s at %" G_GINT64_MODIFIER
                "u, %" G_GINT64_MODIFIER "u bytes: %s%s",
                j->base, is_tail ? "torn tail" : "damaged record", at, size,
                is_kept ? "kept in corrupt/" : "left where it is", is_kept ? name : "");
    if (is_tail)
        self->findings.report.n_torn++;
    else
        self->findings.report.n_bad++;
    self->findings.report.n_repaired += is_kept;
}

static void
walk_one (HkStore *self, HkRecovery *recovery, const HkOldJournal *j, RecordFn fn,
          bool report)
{
    HkScan scan;
    HkRecord r;
    uint64_t at, size, bad_at = 0, bad_size = 0;
    uint64_t from = MAX (self->checkpoint_at, j->base);
    if (from >= j->end)
        return;
    hk_scan_init (&scan, j->fd, &j->seed, from - j->base + HK_FILE_FIRST,
                  j->end - j->base + HK_FILE_FIRST, READ_CHUNK);
    HkScanResult result;
    while ((result = hk_scan_next (&scan, &r, &at, &size)) != HK_SCAN_END) {
        const uint8_t *head =
            result == HK_SCAN_RECORD ? hk_scan_head (&scan, at, &r) : NULL;
        if (bad_size > 0 && report)
            keep_damage (self, j, bad_at, bad_size, false);
        bad_at = at;
        bad_size = head == NULL ? size : 0;
        if (head == NULL)
            continue;
        uint64_t position = j->base + at - HK_FILE_FIRST;
        recovery->position = MAX (recovery->position, position + size);
        fn (self, recovery, &r, hk_span (head, r.head_size), position);
    }
    if (bad_size > 0 && report)
        keep_damage (self, j, bad_at, bad_size, true);
    hk_scan_clear (&scan);
}

static void
walk_all (HkStore *self, HkRecovery *recovery, RecordFn fn, bool report)
{
    for (guint i = 0; i < recovery->journals->len; i++)
        walk_one (self, recovery, &g_array_index (recovery->journals, HkOldJournal, i), fn,
                  report);
}

/* ---- first time ---- */

static void
note (HkStore *self, HkRecovery *recovery, const HkRecord *r, HkSpan head,
      uint64_t position)
{
    (void) head;
    (void) position;
    self->findings.report.n_records++;
    if (r->type == HK_RECORD_DONE)
        hk_id_set_add (&recovery->done, r->id);
    else if (r->type == HK_RECORD_FREED)
        hk_id_set_add (&recovery->freed, r->id);
    else if (r->type != HK_RECORD_VOID)
        hk_id_set_add (&recovery->seen, r->id);
}

void
hk_recover_note_journals (HkStore *self, HkRecovery *recovery)
{
    walk_all (self, recovery, note, true);
}

/* ---- second time ---- */

static void
apply_meta (HkStore *self, HkEntry *entry, uint64_t packed)
{
    HkEntry meta = {0};
    hk_meta_unpack (packed, &meta);
    hk_store_count_queue (self, entry, meta.queue);
    hk_meta_unpack (packed, entry);
}

static void
apply_moved (HkStore *self, const HkRecord *r, HkSpan head)
{
    HkUnpack in = hk_unpack (head);
    uint64_t length = hk_unpack_u64 (&in), size_kib = hk_unpack_u64 (&in);
    uint64_t flags = hk_unpack_u64 (&in);
    if (in.failed || r->id == 0 || length > HK_RECORD_MAX || size_kib > UINT32_MAX)
        return;
    HkEntry *entry = hk_index_find (&self->index, r->id);
    HkSegment *seg =
        entry != NULL && entry->segment != 0 ? hk_segment_get (self, entry->segment) : NULL;
    if (seg != NULL)
        seg->n_live--;
    if (entry == NULL) { /* its segment was recycled since */
        entry = hk_store_insert (self, r->id, NULL, 0, (uint32_t) length, size_kib * 1024);
        entry->state_at = r->extra & HK_STATE_IN_CHECKPOINT ? 0 : r->extra;
    }
    entry->has_file = flags & 1;
    entry->segment = 0;
    entry->lane = 0;
    entry->offset_blocks = HK_FILE_FIRST / HK_RECORD_ALIGN;
    apply_meta (self, entry, r->arg);
}

static void
apply_done (HkStore *self, HkEntry *entry)
{
    if (entry->segment == 0 || entry->has_file) {
        HkUnlink name = {entry->id, 0, entry->segment == 0, entry->has_file};
        g_array_append_val (self->unlinks, name);
    }
    hk_store_forget (self, entry);
}

static void
apply (HkStore *self, HkRecovery *recovery, const HkRecord *r, HkSpan head,
       uint64_t position)
{
    HkEntry *entry = r->id != 0 ? hk_index_find (&self->index, r->id) : NULL;
    switch (r->type) {
    case HK_RECORD_OUTCOME:
        if (entry != NULL && entry->state_at & HK_STATE_IN_CHECKPOINT)
            hk_store_remember_base (self, entry->id,
                                    entry->state_at & ~HK_STATE_IN_CHECKPOINT);
        if (entry != NULL)
            entry->state_at = position;
        break;
    case HK_RECORD_STATE:
        if (entry != NULL) {
            entry->state_at = position;
            apply_meta (self, entry, r->arg);
        }
        break;
    case HK_RECORD_META:
        if (entry != NULL)
            apply_meta (self, entry, r->arg);
        break;
    case HK_RECORD_DONE:
        if (entry != NULL)
            apply_done (self, entry);
        break;
    case HK_RECORD_MOVED:
        /* Of a finished message the file alone may be left: deferred/ is compared later. */
        if (entry != NULL || !hk_id_set_has (&recovery->done, r->id))
            apply_moved (self, r, head);
        break;
    default:
        break;
    }
}

void
hk_recover_apply_journals (HkStore *self, HkRecovery *recovery)
{
    walk_all (self, recovery, apply, false);
}
