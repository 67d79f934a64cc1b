/* store.c: the queue's state: entries, their changes, and what is remembered of them. */
#include "config.h"

#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

const char *
hk_queue_name (HkQueueName queue)
{
    static const char *const names[] = {"incoming", "active", "deferred", "hold"};
    return (unsigned) queue < G_N_ELEMENTS (names) ? names[queue] : "unknown";
}

/* ---- life ---- */

static void
options_default (HkStoreOptions *o)
{
    if (o->checkpoint_bytes == 0)
        o->checkpoint_bytes = 8 << 20;
    if (o->scan_bytes == 0)
        o->scan_bytes = 128 << 20;
    if (o->max_segments == 0)
        o->max_segments = 8;
    if (o->max_segment_age_us == 0)
        o->max_segment_age_us = 180 * HK_SECOND;
    if (o->max_free == 0)
        o->max_free = 4;
    if (o->journal_delay_us == 0)
        o->journal_delay_us = 10 * 1000;
}

static void
segment_free (void *segment)
{
    hk_segment_unref (segment);
}

static bool
open_directories (HkStore *self, GError **error)
{
    struct {
        int *fd;
        const char *name;
    } dirs[] = {
        {&self->lane_fd, "lane"},         {&self->journal_fd, "journal"},
        {&self->deferred_fd, "deferred"}, {&self->incoming_fd, "incoming"},
        {&self->corrupt_fd, "corrupt"},   {&self->free_fd, "free"},
    };
    self->root_fd = hk_disk_open_dir (AT_FDCWD, self->queue_directory, error);
    if (self->root_fd < 0)
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS (dirs); i++)
        if ((*dirs[i].fd = hk_disk_open_dir (self->root_fd, dirs[i].name, error)) < 0)
            return false;
    self->lock_fd = openat (self->journal_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (self->lock_fd < 0) {
        hk_disk_error (error, errno, "open", "journal/lock");
        return false;
    }
    return hk_disk_lock (self->lock_fd, "journal/lock", error);
}

HkStore *
hk_store_new (HkLoop *loop, const char *queue_directory, const HkStoreOptions *options,
              const HkFindings *findings, GError **error)
{
    HkStore *self = g_new0 (HkStore, 1);
    self->references = 1;
    self->loop = loop;
    if (options != NULL)
        self->options = *options;
    if (findings != NULL)
        self->findings = *findings;
    options_default (&self->options);
    self->io = self->options.io != NULL ? self->options.io : &hk_store_io_system;
    self->queue_directory = g_strdup (queue_directory);
    self->root_fd = self->lane_fd = self->journal_fd = self->deferred_fd = -1;
    self->incoming_fd = self->corrupt_fd = self->free_fd = self->lock_fd = -1;
    self->checkpoint_fd = -1;
    hk_index_init (&self->index);
    self->segments =
        g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, segment_free);
    self->bases = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
    self->unlinks = g_array_new (FALSE, FALSE, sizeof (HkUnlink));
    g_queue_init (&self->waiters);
    if (self->options.stats != NULL) {
        self->n_syncs = hk_stats_slot (self->options.stats, "store.journal_syncs");
        self->n_checkpoints = hk_stats_slot (self->options.stats, "store.checkpoints");
        self->n_moved = hk_stats_slot (self->options.stats, "store.moved");
    }
    if (!open_directories (self, error)) {
        g_prefix_error (error, "%s: ", queue_directory);
        hk_store_unref (self);
        return NULL;
    }
    return self;
}

void
hk_store_ref (HkStore *self)
{
    g_atomic_int_inc (&self->references);
}

void
hk_store_unref (HkStore *self)
{
    if (!g_atomic_int_dec_and_test (&self->references))
        return;
    hk_journal_unref (self->journal);
    hk_index_clear (&self->index);
    g_hash_table_destroy (self->segments);
    g_hash_table_destroy (self->bases);
    g_array_free (self->unlinks, TRUE);
    g_queue_clear_full (&self->waiters, g_free);
    int fds[] = {self->lane_fd,     self->journal_fd, self->deferred_fd,
                 self->incoming_fd, self->corrupt_fd, self->free_fd,
                 self->lock_fd,     self->root_fd,    self->checkpoint_fd};
    for (size_t i = 0; i < G_N_ELEMENTS (fds); i++)
        if (fds[i] >= 0)
            close (fds[i]);
    g_free (self->queue_directory);
    g_free (self);
}

static void
run_waiters (HkStore *self, uint64_t position)
{
    for (HkWaiter *w; (w = g_queue_peek_head (&self->waiters)) != NULL;) {
        if (w->position > position)
            break;
        g_queue_pop_head (&self->waiters);
        w->fn (w->data);
        g_free (w);
    }
}

static void
journal_durable (uint64_t position, void *data)
{
    HkStore *self = data;
    if (self->n_syncs != NULL)
        hk_stats_set (self->n_syncs, hk_journal_syncs (self->journal));
    run_waiters (self, position);
}

HkStore *
hk_store_open_with (HkLoop *loop, const char *queue_directory,
                    const HkStoreOptions *options, GError **error)
{
    HkStore *self = hk_store_new (loop, queue_directory, options, NULL, error);
    if (self == NULL)
        return NULL;
    if (!hk_store_recover (self, error)) {
        g_prefix_error (error, "%s: ", queue_directory);
        hk_store_unref (self);
        return NULL;
    }
    return self;
}

HkStore *
hk_store_open (HkLoop *loop, const char *queue_directory, GError **error)
{
    return hk_store_open_with (loop, queue_directory, NULL, error);
}

void
hk_store_start_journal (HkStore *self, uint64_t position)
{
    self->journal = hk_journal_new (self->loop, self->io, self->journal_fd, position,
                                    self->options.journal_delay_us, journal_durable, self);
}

void
hk_store_close (HkStore *self)
{
    if (self == NULL)
        return;
    /* A short tail costs the next start nothing. */
    bool is_long = self->wants_checkpoint ||
                   hk_journal_end (self->journal) - self->journal_mark > (1 << 20) ||
                   self->admitted_bytes > (16 << 20);
    if (!self->has_job && is_long)
        hk_checkpoint_start (self, NULL);
    if (!hk_journal_stop (self->journal))
        hk_finding (self, "journal: the last outcomes could not be written");
    run_waiters (self, hk_journal_durable (self->journal));
    self->is_closed = true;
    close (self->lock_fd);
    self->lock_fd = -1;
    hk_store_unref (self);
}

/* ---- entries ---- */

void
hk_store_count_queue (HkStore *self, HkEntry *entry, HkQueueName queue)
{
    self->counts[entry->queue & 3]--;
    entry->queue = queue;
    self->counts[queue & 3]++;
}

HkEntry *
hk_store_insert (HkStore *self, HkQueueId id, HkSegment *segment, uint64_t offset,
                 uint32_t length, uint64_t content_size)
{
    HkEntry *entry = hk_index_add (&self->index, id);
    entry->segment = segment != NULL ? segment->generation : 0;
    entry->lane = segment != NULL ? segment->lane % HK_LANES : 0;
    entry->offset_blocks = (uint32_t) (offset / HK_RECORD_ALIGN);
    entry->length = length;
    entry->size_kib = (uint32_t) MIN ((content_size + 1023) / 1024, (uint64_t) UINT32_MAX);
    entry->has_file = content_size >= length; /* else it stands in the record */
    if (segment != NULL)
        segment->n_live++;
    self->counts[HK_QUEUE_INCOMING]++;
    return entry;
}

static void
leave_segment (HkStore *self, HkEntry *entry, uint64_t position)
{
    HkSegment *seg = entry->segment != 0 ? hk_segment_get (self, entry->segment) : NULL;
    if (seg == NULL)
        return;
    seg->n_live--;
    seg->busy_until = MAX (seg->busy_until, position);
}

void
hk_store_forget (HkStore *self, HkEntry *entry)
{
    leave_segment (self, entry, 0);
    if (g_hash_table_size (self->bases) > 0)
        g_hash_table_remove (self->bases, &entry->id);
    self->counts[entry->queue & 3]--;
    hk_index_remove (&self->index, entry);
}

HkEntry *
hk_store_find (HkStore *self, HkQueueId id)
{
    return id != 0 ? hk_index_find (&self->index, id) : NULL;
}

void
hk_store_foreach (HkStore *self, HkEntryFn fn, void *data)
{
    for (size_t i = 0; i < hk_index_places (&self->index); i++) {
        HkEntry *entry = hk_index_at (&self->index, i);
        if (entry != NULL)
            fn (entry, data);
    }
}

size_t
hk_store_count (HkStore *self, HkQueueName queue)
{
    return self->counts[queue & 3];
}

/* ---- lanes ---- */

/* A newer segment exists: nothing is added to the older ones any more. */
static void
note_current (HkStore *self, uint32_t lane, uint64_t generation)
{
    if (generation <= self->current[lane])
        return;
    self->current[lane] = generation;
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init (&iter, self->segments);
    while (g_hash_table_iter_next (&iter, NULL, &value)) {
        HkSegment *seg = value;
        if (seg->lane != lane || seg->generation >= generation || seg->is_closed)
            continue;
        seg->is_closed = true;
        seg->closed_us = hk_loop_now_us (self->loop);
    }
}

static void
scan_logged (HkStore *self, HkSegment *seg, uint64_t end, const HkScanRules *rules)
{
    g_autoptr (GError) error = NULL;
    if (!hk_segment_scan (self, seg, end, rules, &error))
        hk_finding (self, "%s", error->message);
}

void
hk_store_catch_up (HkStore *self, uint32_t lane, uint64_t segment, uint64_t offset,
                   HkEntryFn fn, void *data)
{
    self->found = fn;
    self->found_data = data;
    if (lane >= HK_LANES)
        return;
    HkScanRules rules = {.judge = true, .fn = fn, .data = data};
    g_autoptr (GError) error = NULL;
    g_autoptr (GArray) list = hk_segment_list (self, lane, &error);
    if (list == NULL) {
        hk_finding (self, "%s", error->message);
        return;
    }
    note_current (self, lane, segment);
    for (guint i = 0; i < list->len; i++) {
        uint64_t generation = g_array_index (list, uint64_t, i);
        if (generation > segment)
            break; /* begun since; its messages will be announced */
        HkSegment *seg = hk_segment_add (self, generation, lane);
        if (seg->is_freed || seg->is_scanned)
            continue;
        scan_logged (self, seg, generation < segment ? UINT64_MAX : offset, &rules);
        if (generation < segment) {
            if (!seg->is_closed)
                seg->closed_us = hk_loop_now_us (self->loop);
            seg->is_closed = seg->is_scanned = true;
        }
    }
}

/* Another message with a queue id that is in use: only a clock that was set back can do
 * that. */
static void
keep_twin (HkStore *self, HkQueueId id, HkSegment *seg, const HkLocation *where)
{
    char name[HK_QUEUE_ID_TEXT];
    g_autofree char *twin = g_strdup_printf ("%s.twin", hk_queue_id_format (id, name));
    bool is_kept = hk_segment_open (self, seg, NULL) &&
                   hk_quarantine_bytes (self, seg->fd, &seg->seed, where->offset,
                                        hk_record_padded (where->length), twin);
    hk_finding (self, "%s: queue id is in use already: %s corrupt/%s", name,
                is_kept ? "kept in" : "could not be kept in", twin);
    seg->is_stuck |= !is_kept;
}

HkEntry *
hk_store_admit (HkStore *self, HkQueueId id, const HkLocation *where, uint64_t content_size)
{
    if (id == 0 || where->lane >= HK_LANES || where->segment == 0 ||
        where->length < HK_RECORD_HEADER || where->offset % HK_RECORD_ALIGN != 0)
        return NULL;
    HkSegment *seg = hk_segment_add (self, where->segment, where->lane);
    note_current (self, where->lane, where->segment);
    if (where->offset > seg->accounted) {
        HkScanRules rules = {.judge = true, .fn = self->found, .data = self->found_data};
        scan_logged (self, seg, where->offset, &rules);
    }
    if (where->offset < seg->accounted)
        return NULL; /* read from disk before, or done by now */
    seg->accounted = where->offset + hk_record_padded (where->length);
    if (hk_index_find (&self->index, id) != NULL) {
        keep_twin (self, id, seg, where);
        return NULL;
    }
    self->admitted_bytes += hk_record_padded (where->length);
    return hk_store_insert (self, id, seg, where->offset, where->length, content_size);
}

/* ---- outcomes ---- */

void
hk_store_outcome (HkStore *self, HkEntry *entry, size_t index, int status)
{
    uint64_t before = entry->state_at;
    if (before & HK_STATE_IN_CHECKPOINT) {
        hk_store_remember_base (self, entry->id, before & ~HK_STATE_IN_CHECKPOINT);
        before = HK_STATE_IN_CHECKPOINT;
    }
    HkRecord r = {.type = HK_RECORD_OUTCOME,
                  .id = entry->id,
                  .arg = index,
                  .flags = (uint16_t) status,
                  .extra = before};
    entry->state_at = hk_journal_append (self->journal, &r, HK_SPAN_NONE);
}

void
hk_store_defer (HkStore *self, HkEntry *entry, const HkRecipientState *states,
                size_t n_states, int64_t next_attempt_s)
{
    g_autoptr (GByteArray) head = g_byte_array_new ();
    hk_states_pack (head, states, n_states);
    if (entry->attempts < UINT16_MAX)
        entry->attempts++;
    entry->next_attempt = (uint32_t) CLAMP (next_attempt_s, 0, (int64_t) UINT32_MAX);
    hk_store_count_queue (self, entry, HK_QUEUE_DEFERRED);
    HkRecord r = {.type = HK_RECORD_STATE, .id = entry->id, .arg = hk_meta_pack (entry)};
    entry->state_at =
        hk_journal_append (self->journal, &r, hk_span (head->data, head->len));
}

static void
write_meta (HkStore *self, HkEntry *entry)
{
    HkRecord r = {.type = HK_RECORD_META, .id = entry->id, .arg = hk_meta_pack (entry)};
    hk_journal_append (self->journal, &r, HK_SPAN_NONE);
}

void
hk_store_set_queue (HkStore *self, HkEntry *entry, HkQueueName queue)
{
    uint64_t before = hk_meta_pack (entry);
    hk_store_count_queue (self, entry, queue);
    if (hk_meta_pack (entry) !=
        before) /* what a restart would find anyway is not written */
        write_meta (self, entry);
}

void
hk_store_set_warned (HkStore *self, HkEntry *entry)
{
    entry->was_warned = 1;
    write_meta (self, entry);
}

void
hk_store_set_by_told (HkStore *self, HkEntry *entry)
{
    entry->was_by_told = 1;
    write_meta (self, entry);
}

void
hk_store_set_forced_expire (HkStore *self, HkEntry *entry, unsigned value)
{
    entry->is_forced_expire = value & 3;
    write_meta (self, entry);
}

void
hk_store_set_next_attempt (HkStore *self, HkEntry *entry, int64_t next_attempt_s)
{
    entry->next_attempt = (uint32_t) CLAMP (next_attempt_s, 0, (int64_t) UINT32_MAX);
    write_meta (self, entry);
}

void
hk_store_done (HkStore *self, HkEntry *entry)
{
    HkRecord r = {.type = HK_RECORD_DONE, .id = entry->id};
    hk_journal_append (self->journal, &r, HK_SPAN_NONE);
    uint64_t position = hk_journal_end (self->journal);
    if (entry->segment == 0 || entry->has_file) {
        HkUnlink name = {entry->id, position, entry->segment == 0, entry->has_file};
        g_array_append_val (self->unlinks, name);
    }
    leave_segment (self, entry, position);
    entry->segment = 0; /* left already */
    hk_store_forget (self, entry);
}

void
hk_store_when_durable (HkStore *self, void (*fn) (void *data), void *data)
{
    HkWaiter *w = g_new (HkWaiter, 1);
    *w = (HkWaiter){fn, data, hk_journal_end (self->journal)};
    g_queue_push_tail (&self->waiters, w);
    /* Nothing under way: an empty change brings the writer round. */
    if (hk_journal_durable (self->journal) >= w->position) {
        HkRecord r = {.type = HK_RECORD_VOID};
        hk_journal_append (self->journal, &r, HK_SPAN_NONE);
    }
}
