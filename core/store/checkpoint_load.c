/* checkpoint_load.c: reading a checkpoint back at start. */
#include "config.h"

#include "store/store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_CHUNK = 1 << 20 };

typedef struct {
    int fd;
    uint64_t position, size;
    HkSeed seed;
    uint64_t n_records, n_bad;
    bool is_whole;
} Candidate;

GPtrArray *
hk_journal_names (int journal_fd, GError **error)
{
    g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
    int fd = openat (journal_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir (fd);
    errno = dir == NULL ? errno : 0;
    for (struct dirent *e; dir != NULL && (e = readdir (dir)) != NULL; errno = 0) {
        size_t size = strlen (e->d_name);
        if (size == 16 || (size == 16 + strlen (HK_CHECKPOINT_PREFIX) &&
                           g_str_has_prefix (e->d_name, HK_CHECKPOINT_PREFIX)))
            g_ptr_array_add (names, g_strdup (e->d_name));
    }
    bool ok = dir != NULL && errno == 0;
    if (!ok)
        hk_disk_error (error, errno, "read directory", "journal");
    if (dir != NULL)
        closedir (dir);
    return ok ? g_steal_pointer (&names) : NULL;
}

static bool
candidate_open (HkStore *self, uint64_t position, Candidate *out)
{
    uint8_t header[HK_FILE_FIRST];
    char name[64], hex[HK_HEX_NAME];
    struct stat st;
    HkFileKind kind;
    uint32_t lane, first;
    g_autoptr (GError) error = NULL;
    g_snprintf (name, sizeof name, HK_CHECKPOINT_PREFIX "%s", hk_hex_name (position, hex));
    *out = (Candidate){.position = position};
    out->fd = openat (self->journal_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (out->fd < 0 || fstat (out->fd, &st) != 0) {
        hk_finding (self, "journal/%s: %s", name, g_strerror (errno));
    } else if (hk_disk_read (out->fd, header, sizeof header, 0) != sizeof header) {
        hk_finding (self, "journal/%s: file is cut short", name);
    } else if (!hk_file_header_get (header, &kind, &lane, &first, &out->seed, &error)) {
        hk_finding (self, "journal/%s: %s", name, error->message);
    } else {
        out->size = (uint64_t) st.st_size;
        return true;
    }
    self->findings.report.n_bad++;
    if (out->fd >= 0)
        close (out->fd);
    out->fd = -1;
    return false;
}

static bool
load_entry (HkStore *self, const HkRecord *r, const uint8_t *head, uint64_t at)
{
    HkUnpack in = hk_unpack (hk_span (head, r->head_size));
    uint64_t blocks = hk_unpack_u64 (&in), length = hk_unpack_u64 (&in);
    uint64_t lane = hk_unpack_u64 (&in), size_kib = hk_unpack_u64 (&in);
    uint64_t n_states = hk_unpack_u64 (&in);
    if (in.failed || r->id == 0 || blocks > UINT32_MAX || length > HK_RECORD_MAX ||
        size_kib > UINT32_MAX || hk_index_find (&self->index, r->id) != NULL)
        return false;
    HkSegment *seg =
        r->extra != 0 ? hk_segment_add (self, r->extra, (uint32_t) lane % HK_LANES) : NULL;
    HkEntry *entry = hk_store_insert (self, r->id, seg, blocks * HK_RECORD_ALIGN,
                                      (uint32_t) length, size_kib * 1024);
    entry->has_file = (lane >> 6) & 1;
    entry->state_at = n_states > 0 ? HK_STATE_IN_CHECKPOINT | at : 0;
    HkEntry meta = {0};
    hk_meta_unpack (r->arg, &meta);
    hk_store_count_queue (self, entry, meta.queue);
    hk_meta_unpack (r->arg, entry);
    return true;
}

static void
load_segment (HkStore *self, const HkRecord *r)
{
    HkSegment *seg = hk_segment_add (self, r->id, (uint32_t) r->extra % HK_LANES);
    seg->accounted = MAX (hk_record_padded (r->arg), HK_SEGMENT_FIRST);
    seg->is_closed = r->flags & HK_SEGMENT_CLOSED;
    seg->is_scanned = r->flags & HK_SEGMENT_SCANNED;
    seg->is_freed = r->flags & HK_SEGMENT_FREED;
    seg->is_stuck = r->flags & HK_SEGMENT_STUCK;
}

/* Go through the file; with DONE: into the store. */
static void
candidate_read (HkStore *self, Candidate *c, HkIdSet *done, bool load)
{
    HkScan scan;
    HkRecord r;
    uint64_t at, size;
    HkScanResult result;
    hk_scan_init (&scan, c->fd, &c->seed, HK_FILE_FIRST, c->size, READ_CHUNK);
    c->n_records = c->n_bad = 0;
    c->is_whole = false;
    while (!c->is_whole && (result = hk_scan_next (&scan, &r, &at, &size)) != HK_SCAN_END) {
        const uint8_t *head =
            result == HK_SCAN_RECORD ? hk_scan_head (&scan, at, &r) : NULL;
        bool is_good = head != NULL;
        if (is_good && r.type == HK_RECORD_END) {
            c->is_whole = r.arg == c->n_records && r.extra == c->position && c->n_bad == 0;
            break;
        }
        if (is_good && load && r.type == HK_RECORD_ENTRY)
            is_good = load_entry (self, &r, head, at);
        else if (is_good && load && r.type == HK_RECORD_SEGMENT)
            load_segment (self, &r);
        else if (is_good && load && r.type == HK_RECORD_DONE)
            hk_id_set_add (done, r.id);
        c->n_bad += !is_good;
        c->n_records++;
    }
    hk_scan_clear (&scan);
}

static int
newest_first (gconstpointer a, gconstpointer b)
{
    const uint64_t *x = a, *y = b;
    return (*x < *y) - (*x > *y);
}

static void
adopt (HkStore *self, Candidate *c, HkIdSet *done)
{
    self->checkpoint_fd = c->fd;
    self->checkpoint_seed = c->seed;
    self->checkpoint_at = c->position;
    self->checkpoint_size = c->size;
    candidate_read (self, c, done, true);
    self->findings.report.n_records += c->n_records;
}

bool
hk_checkpoint_load (HkStore *self, HkIdSet *done, bool *out_is_damaged, GError **error)
{
    g_autoptr (GPtrArray) names = hk_journal_names (self->journal_fd, error);
    if (names == NULL)
        return false;
    g_autoptr (GArray) positions = g_array_new (FALSE, FALSE, sizeof (uint64_t));
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index (names, i);
        uint64_t at;
        if (g_str_has_prefix (name, HK_CHECKPOINT_PREFIX) &&
            hk_hex_parse (name + strlen (HK_CHECKPOINT_PREFIX), &at))
            g_array_append_val (positions, at);
    }
    g_array_sort (positions, newest_first);
    *out_is_damaged = false;
    Candidate salvage = {.fd = -1};
    for (guint i = 0; i < positions->len; i++) {
        Candidate c;
        if (!candidate_open (self, g_array_index (positions, uint64_t, i), &c)) {
            *out_is_damaged = true;
            continue;
        }
        candidate_read (self, &c, done, false);
        if (c.is_whole) {
            if (salvage.fd >= 0)
                close (salvage.fd);
            *out_is_damaged = false; /* its journals go on from there */
            adopt (self, &c, done);
            return true;
        }
        hk_finding (self,
                    "journal/" HK_CHECKPOINT_PREFIX "%016" G_GINT64_MODIFIER
                    "x: damaged (%" G_GINT64_MODIFIER "u records read, %" G_GINT64_MODIFIER
                    "u did not)",
                    c.position, c.n_records - c.n_bad, c.n_bad);
        self->findings.report.n_bad++;
        *out_is_damaged = true;
        if (salvage.fd < 0)
            salvage = c;
        else
            close (c.fd);
    }
    if (salvage.fd >= 0)
        adopt (self, &salvage, done);
    return true;
}
