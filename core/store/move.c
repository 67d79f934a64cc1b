/* move.c: messages that stay long go to deferred/, a file each, so that they do not keep a
 * whole segment. */
#include "config.h"

#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { AT_ONCE = 256, COPY_PIECE = 256 << 10 };

typedef struct {
    HkQueueId id;
    uint64_t segment, offset;
    uint32_t length, lane;
    int failure;
} Move;

typedef struct {
    HkStore *store;
    HkWorkers *workers;
    GArray *moves;     /* Move */
    GHashTable *files; /* generation → HkSegment, referenced */
} Job;

/* ---- worker ---- */

static bool
copy_record (int from, uint64_t at, uint32_t size, const HkStoreIo *io, int to)
{
    g_autofree uint8_t *room = g_malloc (MIN (size, (uint32_t) COPY_PIECE));
    for (uint32_t have = 0; have < size;) {
        uint32_t part = MIN (size - have, (uint32_t) COPY_PIECE);
        if (hk_disk_read (from, room, part, at + have) != (ssize_t) part) {
            errno = EIO;
            return false;
        }
        if (!hk_disk_write (io, to, room, part, HK_FILE_FIRST + have))
            return false;
        have += part;
    }
    return true;
}

static bool
move_one (HkStore *store, const Move *move, const HkSegment *seg)
{
    const HkStoreIo *io = store->io;
    char name[HK_QUEUE_ID_TEXT];
    uint8_t header[HK_FILE_FIRST];
    hk_queue_id_format (move->id, name);
    /* Nothing refers to a file of that name yet: an earlier try may have left one. */
    int fd =
        openat (store->deferred_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    hk_file_header_put (header, HK_FILE_MESSAGE, move->lane, HK_FILE_FIRST, &seg->seed);
    bool ok = hk_disk_write (io, fd, header, sizeof header, 0) &&
              copy_record (seg->fd, move->offset, move->length, io, fd) &&
              io->fsync (io, fd) == 0;
    int failure = errno;
    if (!ok)
        unlinkat (store->deferred_fd, name, 0);
    close (fd);
    errno = failure;
    return ok;
}

static void
move_work (void *data)
{
    Job *job = data;
    const HkStoreIo *io = job->store->io;
    int failure = 0;
    for (guint i = 0; i < job->moves->len; i++) {
        Move *move = &g_array_index (job->moves, Move, i);
        if (!move_one (job->store, move, g_hash_table_lookup (job->files, &move->segment)))
            move->failure = errno != 0 ? errno : EIO;
    }
    if (io->fsync (io, job->store->deferred_fd) != 0)
        failure = errno;
    for (guint i = 0; failure != 0 && i < job->moves->len; i++)
        g_array_index (job->moves, Move, i).failure = failure;
}

/* ---- loop ---- */

static bool
may_move (const HkEntry *entry)
{
    return entry->queue == HK_QUEUE_DEFERRED || entry->queue == HK_QUEUE_HOLD;
}

static void
commit_move (HkStore *self, const Move *move)
{
    HkEntry *entry = hk_store_find (self, move->id);
    /* Meanwhile it may be under way, or gone: then the file is one too many.  It goes at
     * once, before another try makes one of the same name that counts. */
    if (move->failure != 0 || entry == NULL || entry->segment != move->segment ||
        !may_move (entry)) {
        char name[HK_QUEUE_ID_TEXT];
        if (entry == NULL || entry->segment != 0)
            unlinkat (self->deferred_fd, hk_queue_id_format (move->id, name), 0);
        return;
    }
    g_autoptr (GByteArray) head = g_byte_array_new ();
    hk_pack_u64 (head, entry->length);
    hk_pack_u64 (head, entry->size_kib);
    hk_pack_u64 (head, entry->has_file);
    HkRecord r = {.type = HK_RECORD_MOVED, .id = entry->id, .arg = hk_meta_pack (entry)};
    r.extra =
        entry->state_at & HK_STATE_IN_CHECKPOINT ? HK_STATE_IN_CHECKPOINT : entry->state_at;
    hk_journal_append (self->journal, &r, hk_span (head->data, head->len));
    HkSegment *seg = hk_segment_get (self, entry->segment);
    seg->n_live--;
    seg->busy_until = MAX (seg->busy_until, hk_journal_end (self->journal));
    entry->segment = 0;
    entry->lane = 0;
    entry->offset_blocks = HK_FILE_FIRST / HK_RECORD_ALIGN;
    if (self->n_moved != NULL)
        hk_stats_add (self->n_moved, 1);
}

static void
move_done (void *data)
{
    Job *job = data;
    HkStore *self = job->store;
    int failure = 0;
    self->has_job = false;
    for (guint i = 0; i < job->moves->len; i++) {
        const Move *move = &g_array_index (job->moves, Move, i);
        failure = move->failure != 0 ? move->failure : failure;
        if (!self->is_closed)
            commit_move (self, move);
    }
    if (failure != 0)
        hk_finding (self, "cannot move messages to deferred/: %s", g_strerror (failure));
    /* Full directories are tried again later, not each second. */
    self->moved_us = failure != 0 ? hk_loop_now_us (self->loop) : 0;
    /* So many wait that one batch a second does not do. */
    bool go_on = failure == 0 && !self->is_closed && job->workers != NULL &&
                 g_hash_table_size (job->files) > 4 * self->options.max_segments;
    HkWorkers *workers = job->workers;
    g_hash_table_destroy (job->files);
    g_array_free (job->moves, TRUE);
    g_free (job);
    if (go_on)
        hk_store_tend (self, workers);
    hk_store_unref (self);
}

static int
oldest_first (gconstpointer a, gconstpointer b)
{
    const HkSegment *const *x = a, *const *y = b;
    return ((*x)->closed_us > (*y)->closed_us) - ((*x)->closed_us < (*y)->closed_us);
}

/* Segments that should be emptied: those closed long ago, and the oldest over the number.
 */
static GHashTable *
choose_segments (HkStore *self)
{
    GHashTable *chosen = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL,
                                                (GDestroyNotify) hk_segment_unref);
    g_autoptr (GPtrArray) closed = g_ptr_array_new ();
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init (&iter, self->segments);
    while (g_hash_table_iter_next (&iter, NULL, &value)) {
        const HkSegment *seg = value;
        if (seg->is_closed && seg->n_live > 0)
            g_ptr_array_add (closed, value);
    }
    g_ptr_array_sort (closed, oldest_first);
    int64_t now = hk_loop_now_us (self->loop);
    for (guint i = 0; i < closed->len; i++) {
        HkSegment *seg = g_ptr_array_index (closed, i);
        if (closed->len - i <= self->options.max_segments &&
            now - seg->closed_us < self->options.max_segment_age_us)
            continue;
        if (!hk_segment_open (self, seg, NULL))
            continue;
        seg->references++;
        g_hash_table_insert (chosen, &seg->generation, seg);
    }
    return chosen;
}

static GArray *
choose_messages (HkStore *self, GHashTable *segments)
{
    GArray *moves = g_array_new (FALSE, FALSE, sizeof (Move));
    size_t n = g_hash_table_size (segments) > 0 ? hk_index_places (&self->index) : 0;
    for (size_t i = 0; i < n && moves->len < AT_ONCE; i++) {
        const HkEntry *e = hk_index_at (&self->index, i);
        if (e == NULL || e->segment == 0 || !may_move (e) ||
            !g_hash_table_contains (segments, &e->segment))
            continue;
        Move move = {e->id, e->segment, hk_entry_offset (e), e->length, e->lane, 0};
        g_array_append_val (moves, move);
    }
    return moves;
}

bool
hk_move_start (HkStore *self, HkWorkers *workers)
{
    enum { PAUSE_S = 10 };
    if (self->moved_us != 0 &&
        hk_loop_now_us (self->loop) - self->moved_us < PAUSE_S * HK_SECOND)
        return false;
    GHashTable *segments = choose_segments (self);
    GArray *moves = choose_messages (self, segments);
    if (moves->len == 0) {
        if (g_hash_table_size (segments) > 0) /* all of it is under way: look again later */
            self->moved_us = hk_loop_now_us (self->loop);
        g_hash_table_destroy (segments);
        g_array_free (moves, TRUE);
        return false;
    }
    Job *job = g_new0 (Job, 1);
    *job = (Job){self, workers, moves, segments};
    hk_store_run_job (self, workers, move_work, move_done, job);
    return true;
}
