/* checkpoint.c: the whole state in one file, so that older journals can go.
 *
 * Loop: a new journal file begins, entries are copied.  Worker: the copies and their newest
 * states are written beside, synced, renamed, the directory synced; only then older files
 * are removed.  Loop: entries that did not change meanwhile point into the new file. */
#include "config.h"

#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { WRITE_PIECE = 1 << 20 };

typedef struct {
    HkEntry entry;
    uint64_t
        base; /* before: see hk_state_base; after: offset in the new file, 0: no state */
    uint32_t place; /* in the index */
} Snapshot;

typedef struct {
    uint64_t generation, accounted;
    uint32_t lane;
    uint16_t flags;
} SegmentSnapshot;

typedef struct {
    HkStore *store; /* reference; descriptors, io and options only */
    HkStateSource source;
    uint64_t position;
    GArray *entries, *segments, *done;
    HkSeed seed;
    int fd;
    GByteArray *out;
    uint64_t at; /* file offset of what stands in `out` */
    uint64_t n_records;
    int failure;
} Job;

/* ---- worker ---- */

static bool
job_flush (Job *job)
{
    if (!hk_disk_write (job->store->io, job->fd, job->out->data, job->out->len, job->at))
        return false;
    job->at += job->out->len;
    g_byte_array_set_size (job->out, 0);
    return true;
}

/* Returns the record's offset, 0 when it could not be written. */
static uint64_t
job_put (Job *job, HkRecord *r, HkSpan head)
{
    guint from = job->out->len;
    uint64_t at = job->at + from;
    r->length = HK_RECORD_HEADER + (uint32_t) head.size;
    r->head_size = (uint32_t) head.size;
    g_byte_array_set_size (job->out, from + (guint) hk_record_padded (r->length));
    uint8_t *to = job->out->data + from;
    if (head.size > 0)
        memcpy (to + HK_RECORD_HEADER, head.data, head.size);
    memset (to + r->length, 0, (size_t) (hk_record_padded (r->length) - r->length));
    hk_record_seal (to, r, &job->seed);
    job->n_records++;
    return job->out->len < WRITE_PIECE || job_flush (job) ? at : 0;
}

static bool
put_entry (Job *job, Snapshot *snap, GByteArray *head, GPtrArray *backing)
{
    const HkEntry *e = &snap->entry;
    g_autoptr (GArray) states =
        hk_states_read (&job->source, e->state_at, snap->base, SIZE_MAX, backing);
    g_byte_array_set_size (head, 0);
    hk_pack_u64 (head, e->offset_blocks);
    hk_pack_u64 (head, e->length);
    hk_pack_u64 (head, e->lane | (unsigned) e->has_file << 6);
    hk_pack_u64 (head, e->size_kib);
    hk_states_pack (head, (const HkRecipientState *) (void *) states->data, states->len);
    HkRecord r = {
        .type = HK_RECORD_ENTRY, .id = e->id, .arg = hk_meta_pack (e), .extra = e->segment};
    uint64_t at = job_put (job, &r, hk_span (head->data, head->len));
    snap->base = states->len > 0 ? at : 0;
    g_ptr_array_set_size (backing, 0);
    return at != 0;
}

static bool
put_all (Job *job)
{
    g_autoptr (GByteArray) head = g_byte_array_new ();
    g_autoptr (GPtrArray) backing =
        g_ptr_array_new_with_free_func ((GDestroyNotify) g_byte_array_unref);
    for (guint i = 0; i < job->segments->len; i++) {
        const SegmentSnapshot *s = &g_array_index (job->segments, SegmentSnapshot, i);
        HkRecord r = {.type = HK_RECORD_SEGMENT,
                      .id = s->generation,
                      .arg = s->accounted,
                      .flags = s->flags,
                      .extra = s->lane};
        if (job_put (job, &r, HK_SPAN_NONE) == 0)
            return false;
    }
    for (guint i = 0; i < job->entries->len; i++)
        if (!put_entry (job, &g_array_index (job->entries, Snapshot, i), head, backing))
            return false;
    for (guint i = 0; i < job->done->len; i++) {
        const HkUnlink *u = &g_array_index (job->done, HkUnlink, i);
        HkRecord r = {.type = HK_RECORD_DONE, .id = u->id};
        if (job_put (job, &r, HK_SPAN_NONE) == 0)
            return false;
    }
    HkRecord end = {.type = HK_RECORD_END, .arg = job->n_records, .extra = job->position};
    return job_put (job, &end, HK_SPAN_NONE) != 0 && job_flush (job);
}

static void
remove_older (HkStore *store, uint64_t position)
{
    g_autoptr (GPtrArray) names = hk_journal_names (store->journal_fd, NULL);
    for (guint i = 0; names != NULL && i < names->len; i++) {
        const char *name = g_ptr_array_index (names, i);
        bool is_checkpoint = g_str_has_prefix (name, HK_CHECKPOINT_PREFIX);
        uint64_t at;
        if (hk_hex_parse (name + (is_checkpoint ? strlen (HK_CHECKPOINT_PREFIX) : 0),
                          &at) &&
            at < position)
            unlinkat (store->journal_fd, name, 0);
    }
}

static bool
job_write (Job *job)
{
    HkStore *store = job->store;
    const HkStoreIo *io = store->io;
    uint8_t header[HK_FILE_FIRST];
    char name[64], hex[HK_HEX_NAME];
    job->fd = openat (store->journal_fd, "checkpoint.new",
                      O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (job->fd < 0)
        return false;
    hk_file_header_put (header, HK_FILE_CHECKPOINT, 0, HK_FILE_FIRST, &job->seed);
    g_byte_array_append (job->out, header, sizeof header);
    /* The directories first: a file that was removed must not come back once the journal
     * that says so is gone. */
    if (!put_all (job) || io->fsync (io, job->fd) != 0 ||
        io->fsync (io, store->deferred_fd) != 0 || io->fsync (io, store->incoming_fd) != 0)
        return false;
    g_snprintf (name, sizeof name, HK_CHECKPOINT_PREFIX "%s",
                hk_hex_name (job->position, hex));
    if (renameat (store->journal_fd, "checkpoint.new", store->journal_fd, name) != 0 ||
        io->fsync (io, store->journal_fd) != 0)
        return false;
    remove_older (store, job->position);
    return true;
}

static void
checkpoint_work (void *data)
{
    Job *job = data;
    if (!job_write (job))
        job->failure = errno != 0 ? errno : EIO;
}

/* ---- loop ---- */

static void
job_free (Job *job)
{
    g_array_free (job->entries, TRUE);
    g_array_free (job->segments, TRUE);
    g_array_free (job->done, TRUE);
    g_byte_array_unref (job->out);
    g_free (job);
}

static void
adopt (HkStore *self, Job *job)
{
    g_hash_table_remove_all (self->bases);
    for (guint i = 0; i < job->entries->len; i++) {
        const Snapshot *snap = &g_array_index (job->entries, Snapshot, i);
        HkEntry *entry = hk_index_at (&self->index, snap->place);
        if (entry == NULL || entry->id != snap->entry.id || snap->base == 0)
            continue;
        if (entry->state_at == snap->entry.state_at)
            entry->state_at = HK_STATE_IN_CHECKPOINT | snap->base;
        else
            hk_store_remember_base (self, entry->id, snap->base);
    }
    if (self->checkpoint_fd >= 0)
        close (self->checkpoint_fd);
    self->checkpoint_fd = job->fd;
    self->checkpoint_seed = job->seed;
    self->checkpoint_at = job->position;
    self->checkpoint_size = job->at;
    hk_journal_forget (self->journal, job->position);
    if (self->n_checkpoints != NULL)
        hk_stats_add (self->n_checkpoints, 1);
}

static void
checkpoint_done (void *data)
{
    Job *job = data;
    HkStore *self = job->store;
    self->has_job = false;
    if (job->failure == 0 && !self->is_closed) {
        adopt (self, job);
    } else {
        if (job->failure != 0)
            hk_finding (self, "cannot write a checkpoint: %s", g_strerror (job->failure));
        if (job->fd >= 0)
            close (job->fd);
    }
    job_free (job);
    hk_store_unref (self);
}

static void
snapshot_entries (HkStore *self, Job *job)
{
    for (size_t i = 0; i < hk_index_places (&self->index); i++) {
        HkEntry *entry = hk_index_at (&self->index, i);
        if (entry == NULL)
            continue;
        Snapshot snap = {*entry, hk_state_base (self, entry->id), (uint32_t) i};
        g_array_append_val (job->entries, snap);
    }
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init (&iter, self->segments);
    while (g_hash_table_iter_next (&iter, NULL, &value)) {
        const HkSegment *seg = value;
        SegmentSnapshot s = {
            .generation = seg->generation, .accounted = seg->accounted, .lane = seg->lane};
        s.flags = (uint16_t) ((seg->is_closed ? HK_SEGMENT_CLOSED : 0) |
                              (seg->is_scanned ? HK_SEGMENT_SCANNED : 0) |
                              (seg->is_freed ? HK_SEGMENT_FREED : 0) |
                              (seg->is_stuck ? HK_SEGMENT_STUCK : 0));
        g_array_append_val (job->segments, s);
    }
    if (self->unlinks->len > 0)
        g_array_append_vals (job->done, self->unlinks->data, self->unlinks->len);
}

void
hk_checkpoint_start (HkStore *self, HkWorkers *workers)
{
    Job *job = g_new0 (Job, 1);
    job->store = self;
    job->fd = -1;
    job->source = hk_state_source (self);
    job->entries =
        g_array_sized_new (FALSE, FALSE, sizeof (Snapshot), (guint) self->index.n);
    job->segments = g_array_new (FALSE, FALSE, sizeof (SegmentSnapshot));
    job->done = g_array_new (FALSE, FALSE, sizeof (HkUnlink));
    job->out = g_byte_array_sized_new (WRITE_PIECE + 65536);
    job->position = hk_journal_rotate (self->journal);
    job->seed = hk_seed (job->position, hk_random_mark ());
    snapshot_entries (self, job);
    self->journal_mark = job->position;
    self->admitted_bytes = 0;
    self->wants_checkpoint = false;
    self->checkpoint_us = hk_loop_now_us (self->loop);
    hk_store_run_job (self, workers, checkpoint_work, checkpoint_done, job);
}

/* A large queue makes a large checkpoint: then they come less often. */
bool
hk_checkpoint_is_due (HkStore *self)
{
    uint64_t grown = hk_journal_end (self->journal) - self->journal_mark;
    uint64_t weight = MAX (self->checkpoint_size / 2, 1);
    if (self->wants_checkpoint)
        return true;
    if (grown >= self->options.checkpoint_bytes && grown >= weight)
        return true;
    return self->admitted_bytes >= self->options.scan_bytes &&
           self->admitted_bytes / 8 >= weight;
}

/* A checkpoint here and now, then what only waited for it. */
void
hk_store_settle (HkStore *self)
{
    if (self->has_job)
        return;
    hk_checkpoint_start (self, NULL);
    while (!self->has_job && hk_unlink_start (self, NULL))
        continue;
}
