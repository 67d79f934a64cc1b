/* journal.c: the journal's writing thread, and reading back by position. */
#include "config.h"

#include "store/journal_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/log.h"

enum {
    GROW = 1 << 20,        /* zeros are written ahead by this much */
    SOON = 256 << 10,      /* a batch of this size does not wait longer */
    RETRY_US = 500 * 1000, /* when no file can be written */
};

typedef struct {
    uint64_t base;
    uint8_t *bytes;
    size_t used, size;
    bool begins_file;
} Batch;

typedef struct {
    uint64_t base, end;
    int fd;
    HkSeed seed;
} File;

struct HkJournal {
    gint references;
    HkLoop *loop;
    const HkStoreIo *io;
    int dir_fd;
    int64_t delay_us;
    HkJournalDurable fn; /* loop; NULL after stop */
    void *data;
    uint64_t mark;

    /* writer thread */
    int fd;
    uint64_t base, allocated;

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t cond;
    GQueue batches; /* oldest first: the head is being written, the tail is open */
    GArray *files;  /* File, by base; the last may be the one in use */
    uint64_t end, durable, n_syncs;
    bool is_posted, stop, is_lost;
    HkSeed seed;
    GThread *thread;
};

static void
batch_free (Batch *batch)
{
    g_free (batch->bytes);
    g_free (batch);
}

void
hk_journal_unref (HkJournal *self)
{
    if (self == NULL || !g_atomic_int_dec_and_test (&self->references))
        return;
    for (guint i = 0; i < self->files->len; i++)
        close (g_array_index (self->files, File, i).fd);
    g_array_free (self->files, TRUE);
    g_queue_clear_full (&self->batches, (GDestroyNotify) batch_free);
    pthread_mutex_destroy (&self->lock);
    pthread_cond_destroy (&self->cond);
    g_free (self);
}

/* ---- writing thread ---- */

static bool
file_begin (HkJournal *self, uint64_t base)
{
    char name[HK_HEX_NAME];
    uint8_t header[HK_FILE_FIRST];
    hk_hex_name (base, name);
    /* A file of this name holds nothing that counts: no position in it was confirmed. */
    unlinkat (self->dir_fd, name, 0);
    int fd = openat (self->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    HkSeed seed = self->seed;
    seed.generation = base;
    hk_file_header_put (header, HK_FILE_JOURNAL, 0, HK_FILE_FIRST, &seed);
    if (!hk_disk_write (self->io, fd, header, sizeof header, 0) ||
        self->io->fsync (self->io, fd) != 0 ||
        self->io->fsync (self->io, self->dir_fd) != 0) {
        int failure = errno;
        close (fd);
        unlinkat (self->dir_fd, name, 0);
        errno = failure;
        return false;
    }
    File file = {base, UINT64_MAX, fd, self->seed};
    pthread_mutex_lock (&self->lock);
    if (self->files->len > 0) {
        File *last = &g_array_index (self->files, File, self->files->len - 1);
        last->end = MIN (last->end, base);
    }
    g_array_append_val (self->files, file);
    pthread_mutex_unlock (&self->lock);
    self->fd = fd;
    self->base = base;
    self->allocated = 0;
    return true;
}

static bool
batch_write (HkJournal *self, const Batch *batch)
{
    uint64_t at = batch->base - self->base + HK_FILE_FIRST;
    uint64_t end = at + batch->used;
    if (!hk_disk_write (self->io, self->fd, batch->bytes, batch->used, at))
        return false;
    if (end > self->allocated) {
        g_autofree uint8_t *zeros = g_malloc0 (GROW);
        if (!hk_disk_write (self->io, self->fd, zeros, GROW, end))
            return false;
        self->allocated = end + GROW;
    }
    return self->io->fdatasync (self->io, self->fd) == 0;
}

/* False: it is UNTIL (monotonic, microseconds); lock held. */
static bool
wait_until (HkJournal *self, int64_t until)
{
    struct timespec t = {until / HK_SECOND, until % HK_SECOND * 1000};
    return pthread_cond_timedwait (&self->cond, &self->lock, &t) != ETIMEDOUT;
}

/* Until it is durable.  False: stopped without. */
static bool
batch_persist (HkJournal *self, Batch *batch)
{
    bool is_said = false;
    if (batch->begins_file)
        self->fd = -1; /* the list of files keeps it open for readers */
    while (batch->used > 0) {
        bool has_file = self->fd >= 0;
        if ((has_file || file_begin (self, batch->base)) && batch_write (self, batch))
            break;
        if (!is_said)
            hk_log (HK_LOG_ERROR,
                    "alert: journal: write or sync failed: %s; going on in a new file",
                    g_strerror (errno));
        is_said = true;
        self->fd = -1; /* never written or synced again */
        if (has_file)
            continue;
        pthread_mutex_lock (&self->lock);
        bool stop = self->stop;
        if (!stop)
            wait_until (self, g_get_monotonic_time () + RETRY_US);
        pthread_mutex_unlock (&self->lock);
        if (stop)
            return false;
    }
    return true;
}

static void
journal_posted (void *data)
{
    HkJournal *self = data;
    pthread_mutex_lock (&self->lock);
    self->is_posted = false;
    uint64_t durable = self->durable;
    pthread_mutex_unlock (&self->lock);
    if (self->fn != NULL)
        self->fn (durable, self->data);
    hk_journal_unref (self);
}

/* Outcomes are promised to nobody: a few of them may share a sync. */
static void
wait_for_batch (HkJournal *self) /* lock held */
{
    Batch *head;
    while (((head = g_queue_peek_head (&self->batches)) == NULL || head->used == 0) &&
           self->batches.length < 2 && !self->stop)
        pthread_cond_wait (&self->cond, &self->lock);
    gint64 until = g_get_monotonic_time () + self->delay_us;
    while (self->batches.length < 2 && !self->stop && head->used < SOON)
        if (!wait_until (self, until))
            break;
}

static Batch *
batch_new (uint64_t base, bool begins_file)
{
    Batch *batch = g_new0 (Batch, 1);
    batch->base = base;
    batch->begins_file = begins_file;
    return batch;
}

static void *
journal_writer (void *data)
{
    HkJournal *self = data;
    pthread_mutex_lock (&self->lock);
    for (;;) {
        wait_for_batch (self);
        Batch *batch = g_queue_peek_head (&self->batches);
        if (self->batches.length == 1 && batch->used == 0)
            break; /* stop, and nothing left */
        if (self->batches.length == 1)
            g_queue_push_tail (&self->batches, batch_new (self->end, false));
        pthread_mutex_unlock (&self->lock);
        bool ok = batch_persist (self, batch);
        pthread_mutex_lock (&self->lock);
        if (!ok) {
            self->is_lost = true;
            break;
        }
        g_queue_pop_head (&self->batches);
        self->durable = batch->base + batch->used;
        self->n_syncs += batch->used > 0;
        batch_free (batch);
        if (!self->is_posted) {
            self->is_posted = true;
            g_atomic_int_inc (&self->references);
            hk_loop_post (self->loop, journal_posted, self);
        }
    }
    pthread_mutex_unlock (&self->lock);
    return NULL;
}

/* ---- loop ---- */

HkJournal *
hk_journal_new (HkLoop *loop, const HkStoreIo *io, int dir_fd, uint64_t position,
                int64_t delay_us, HkJournalDurable fn, void *data)
{
    HkJournal *self = g_new0 (HkJournal, 1);
    self->references = 1;
    self->loop = loop;
    self->io = io;
    self->dir_fd = dir_fd;
    self->delay_us = delay_us;
    self->fn = fn;
    self->data = data;
    self->fd = -1;
    self->end = self->durable = hk_record_padded (MAX (position, HK_JOURNAL_START));
    /* One mark and seed for all files of this run: a batch can move to another as it is. */
    self->seed = hk_seed (0, hk_random_mark ());
    self->files = g_array_new (FALSE, FALSE, sizeof (File));
    pthread_mutex_init (&self->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init (&attributes);
    pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    pthread_cond_init (&self->cond, &attributes);
    pthread_condattr_destroy (&attributes);
    g_queue_init (&self->batches);
    g_queue_push_tail (&self->batches, batch_new (self->end, true));
    self->thread = g_thread_new ("journal", journal_writer, self);
    return self;
}

bool
hk_journal_stop (HkJournal *self)
{
    pthread_mutex_lock (&self->lock);
    self->stop = true;
    pthread_cond_broadcast (&self->cond);
    pthread_mutex_unlock (&self->lock);
    g_thread_join (self->thread);
    self->fn = NULL;
    return !self->is_lost;
}

uint64_t
hk_journal_append (HkJournal *self, HkRecord *record, HkSpan head)
{
    record->length = HK_RECORD_HEADER + (uint32_t) head.size;
    record->head_size = (uint32_t) head.size;
    size_t size = (size_t) hk_record_padded (record->length);
    pthread_mutex_lock (&self->lock);
    Batch *batch = g_queue_peek_tail (&self->batches);
    if (batch->size - batch->used < size) {
        batch->size = MAX (MAX (batch->size * 2, batch->used + size), 16384);
        batch->bytes = g_realloc (batch->bytes, batch->size);
    }
    uint8_t *at = batch->bytes + batch->used;
    if (head.size > 0)
        memcpy (at + HK_RECORD_HEADER, head.data, head.size);
    memset (at + record->length, 0, size - record->length);
    hk_record_seal (at, record, &self->seed);
    uint64_t position = self->end;
    if (batch->used == 0 || batch->used >= SOON)
        pthread_cond_broadcast (&self->cond);
    batch->used += size;
    self->end += size;
    pthread_mutex_unlock (&self->lock);
    return position;
}

static uint64_t
locked_u64 (HkJournal *self, const uint64_t *field)
{
    pthread_mutex_lock (&self->lock);
    uint64_t value = *field;
    pthread_mutex_unlock (&self->lock);
    return value;
}

uint64_t
hk_journal_end (HkJournal *self)
{
    return locked_u64 (self, &self->end);
}

uint64_t
hk_journal_durable (HkJournal *self)
{
    return locked_u64 (self, &self->durable);
}

uint64_t
hk_journal_syncs (HkJournal *self)
{
    return locked_u64 (self, &self->n_syncs);
}

uint64_t
hk_journal_rotate (HkJournal *self)
{
    pthread_mutex_lock (&self->lock);
    uint64_t position = self->end;
    Batch *open = g_queue_peek_tail (&self->batches);
    if (open->used == 0 && self->batches.length == 1)
        open->begins_file = true;
    else
        g_queue_push_tail (&self->batches, batch_new (position, true));
    pthread_cond_broadcast (&self->cond);
    pthread_mutex_unlock (&self->lock);
    return position;
}

void
hk_journal_add_file (HkJournal *self, uint64_t base, uint64_t end, int fd,
                     const HkSeed *seed)
{
    File file = {base, end, fd, *seed};
    pthread_mutex_lock (&self->lock);
    g_array_append_val (self->files, file);
    pthread_mutex_unlock (&self->lock);
}

void
hk_journal_forget (HkJournal *self, uint64_t position)
{
    pthread_mutex_lock (&self->lock);
    for (guint i = 0; i < self->files->len;) {
        File *file = &g_array_index (self->files, File, i);
        if (file->end > position) {
            i++;
            continue;
        }
        close (file->fd);
        g_array_remove_index (self->files, i);
    }
    pthread_mutex_unlock (&self->lock);
}

/* ---- reading ---- */

static bool
take_head (const HkSeed *seed, const HkRecord *r, const uint8_t *head, GByteArray *out)
{
    if (hk_crc32c (seed->crc, head, r->head_size) != r->head_crc)
        return false;
    g_byte_array_set_size (out, 0);
    g_byte_array_append (out, head, r->head_size);
    return true;
}

/* 1 read, 0 damaged, -1 not in memory; lock held. */
static int
read_batch (HkJournal *self, uint64_t position, HkRecord *out, GByteArray *out_head)
{
    for (GList *l = self->batches.tail; l != NULL; l = l->prev) {
        const Batch *b = l->data;
        if (position < b->base || position >= b->base + b->used)
            continue;
        const uint8_t *at = b->bytes + (position - b->base);
        return hk_record_get (at, &self->seed, out) &&
               take_head (&self->seed, out, at + HK_RECORD_HEADER, out_head);
    }
    return -1;
}

static bool
read_file (const File *file, uint64_t position, HkRecord *out, GByteArray *out_head)
{
    uint8_t header[512];
    uint64_t at = position - file->base + HK_FILE_FIRST;
    ssize_t n = hk_disk_read (file->fd, header, sizeof header, at);
    if (n < (ssize_t) HK_RECORD_HEADER || !hk_record_get (header, &file->seed, out))
        return false;
    if (HK_RECORD_HEADER + (size_t) out->head_size <= (size_t) n)
        return take_head (&file->seed, out, header + HK_RECORD_HEADER, out_head);
    g_autofree uint8_t *head = g_try_malloc (out->head_size);
    return head != NULL &&
           hk_disk_read (file->fd, head, out->head_size, at + HK_RECORD_HEADER) ==
               (ssize_t) out->head_size &&
           take_head (&file->seed, out, head, out_head);
}

bool
hk_journal_read (HkJournal *self, uint64_t position, HkRecord *out, GByteArray *out_head)
{
    File file = {.fd = -1};
    pthread_mutex_lock (&self->lock);
    int found = read_batch (self, position, out, out_head);
    for (guint i = self->files->len; found < 0 && i > 0; i--) {
        File *f = &g_array_index (self->files, File, i - 1);
        if (position < f->base || position >= f->end)
            continue;
        file = *f;
        file.fd =
            fcntl (f->fd, F_DUPFD_CLOEXEC, 0); /* the loop may close its own meanwhile */
        break;
    }
    pthread_mutex_unlock (&self->lock);
    if (found >= 0)
        return found == 1;
    if (file.fd < 0)
        return false;
    bool ok = read_file (&file, position, out, out_head);
    close (file.fd);
    return ok;
}
