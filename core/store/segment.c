/* segment.c: qmgr's view of segment files: opening, listing, accounting for their records.
 */
#include "config.h"

#include "store/store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_CHUNK = 4096, BODY_CHUNK = 256 << 10 };

HkSegment *
hk_segment_get (HkStore *self, uint64_t generation)
{
    return g_hash_table_lookup (self->segments, &generation);
}

HkSegment *
hk_segment_add (HkStore *self, uint64_t generation, uint32_t lane)
{
    HkSegment *seg = hk_segment_get (self, generation);
    if (seg != NULL)
        return seg;
    seg = g_new0 (HkSegment, 1);
    seg->references = 1;
    seg->generation = generation;
    seg->lane = lane % HK_LANES;
    seg->accounted = HK_SEGMENT_FIRST;
    seg->fd = -1;
    g_hash_table_insert (self->segments, &seg->generation, seg);
    return seg;
}

void
hk_segment_unref (HkSegment *seg)
{
    if (--seg->references > 0)
        return;
    if (seg->fd >= 0)
        close (seg->fd);
    g_free (seg);
}

char *
hk_segment_path (HkSegment *seg)
{
    char name[HK_HEX_NAME];
    return g_strdup_printf ("lane/%u/%s%s", seg->lane, hk_hex_name (seg->generation, name),
                            seg->is_failed ? ".failed" : "");
}

/* The header of the file is damaged: its mark stands in every record as well, and a record
 * that agrees with the generation in the name vouches for it. */
bool
hk_seed_from_records (int fd, uint64_t generation, uint64_t first, HkSeed *out)
{
    uint8_t bytes[HK_RECORD_HEADER];
    for (uint64_t at = first;
         hk_disk_read (fd, bytes, sizeof bytes, at) == (ssize_t) sizeof bytes;
         at += HK_RECORD_ALIGN) {
        HkRecord ignored;
        uint64_t mark = hk_get_u64 (bytes + 8);
        if (mark == 0)
            continue;
        HkSeed seed = hk_seed (generation, mark);
        if (hk_record_get (bytes, &seed, &ignored)) {
            *out = seed;
            return true;
        }
    }
    return false;
}

static void
mend_header (HkStore *self, const HkSegment *seg, const char *path)
{
    uint8_t header[HK_FILE_FIRST];
    int fd = openat (self->root_fd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    hk_file_header_put (header, HK_FILE_SEGMENT, seg->lane, HK_SEGMENT_FIRST, &seg->seed);
    hk_file_header_put_size (header, seg->size);
    if (fd >= 0 && hk_disk_write (self->io, fd, header, sizeof header, 0) &&
        self->io->fdatasync (self->io, fd) == 0)
        self->findings.report.n_repaired++;
    else
        hk_finding (self, "%s: cannot write the header: %s", path, g_strerror (errno));
    if (fd >= 0)
        close (fd);
}

static bool
segment_seed (HkStore *self, HkSegment *seg, GError **error)
{
    uint8_t header[HK_FILE_FIRST];
    HkFileKind kind;
    uint32_t lane, first;
    g_autoptr (GError) why = NULL;
    if (seg->is_freed) { /* cleared already, or not: nothing in it counts */
        seg->seed = hk_seed (seg->generation, hk_random_mark ());
        return true;
    }
    if (hk_disk_read (seg->fd, header, sizeof header, 0) != (ssize_t) sizeof header)
        g_set_error (&why, HK_STORE_ERROR, HK_STORE_ERROR_CORRUPT, "file is cut short");
    else if (hk_file_header_get (header, &kind, &lane, &first, &seg->seed, &why) &&
             (kind != HK_FILE_SEGMENT || first != HK_SEGMENT_FIRST ||
              seg->seed.generation != seg->generation))
        g_set_error (&why, HK_STORE_ERROR, HK_STORE_ERROR_CORRUPT,
                     "file header is another file's");
    g_autofree char *path = hk_segment_path (seg);
    if (why == NULL && hk_file_header_size (header) > seg->size && !seg->is_short) {
        hk_finding (self,
                    "%s: cut short: %" G_GINT64_MODIFIER "u of %" G_GINT64_MODIFIER
                    "u bytes are there",
                    path, seg->size, hk_file_header_size (header));
        self->findings.report.n_bad++;
        seg->is_short = true;
    }
    if (why == NULL)
        return true;
    if (hk_seed_from_records (seg->fd, seg->generation, HK_SEGMENT_FIRST, &seg->seed)) {
        hk_finding (self, "%s: %s; read by its records", path, why->message);
        self->findings.report.n_bad++;
        if (self->findings.may_mend)
            mend_header (self, seg, path);
        return true;
    }
    if (g_error_matches (why, HK_STORE_ERROR, HK_STORE_ERROR_ABSENT)) {
        /* Cleared on its way to free/: nothing in it counts. */
        seg->seed = hk_seed (seg->generation, hk_random_mark ());
        return true;
    }
    g_propagate_error (error, g_steal_pointer (&why));
    g_prefix_error (error, "%s: ", path);
    return false;
}

bool
hk_segment_open (HkStore *self, HkSegment *seg, GError **error)
{
    struct stat st;
    if (seg->fd >= 0)
        return true;
    for (int i = 0; i < 2 && seg->fd < 0; i++) {
        g_autofree char *path = hk_segment_path (seg);
        seg->fd = openat (self->root_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (seg->fd < 0 && i == 1) {
            int failure = errno;
            seg->is_failed = !seg->is_failed;
            hk_disk_error (error, failure, "open segment", path);
        } else if (seg->fd < 0) {
            seg->is_failed = !seg->is_failed; /* a failed sync may have renamed it */
        }
    }
    if (seg->fd < 0)
        return false;
    seg->size = fstat (seg->fd, &st) == 0 ? (uint64_t) st.st_size : 0;
    if (segment_seed (self, seg, error))
        return true;
    hk_segment_close (self, seg);
    return false;
}

void
hk_segment_close (HkStore *self, HkSegment *seg)
{
    (void) self;
    if (seg->fd >= 0)
        close (seg->fd);
    seg->fd = -1;
}

static int
by_number (gconstpointer a, gconstpointer b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

GArray *
hk_segment_list (HkStore *self, uint32_t lane, GError **error)
{
    g_autoptr (GArray) list = g_array_new (FALSE, FALSE, sizeof (uint64_t));
    char name[16];
    g_snprintf (name, sizeof name, "lane/%u", lane);
    int fd = openat (self->root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir (fd);
    if (dir == NULL && errno == ENOENT)
        return g_steal_pointer (&list);
    errno = dir == NULL ? errno : 0;
    for (struct dirent *e; dir != NULL && (e = readdir (dir)) != NULL; errno = 0) {
        uint64_t generation;
        size_t size = strlen (e->d_name);
        bool is_failed = size == 23 && g_str_has_suffix (e->d_name, ".failed");
        if ((size == 16 || is_failed) && hk_hex_parse (e->d_name, &generation))
            g_array_append_val (list, generation);
    }
    bool ok = dir != NULL && errno == 0;
    if (!ok)
        hk_disk_error (error, errno, "read directory", name);
    if (dir != NULL)
        closedir (dir);
    g_array_sort (list, by_number);
    return ok ? g_steal_pointer (&list) : NULL;
}

/* ---- accounting ---- */

typedef struct {
    HkStore *store;
    HkSegment *seg;
    const HkScanRules *rules;
    uint64_t bad_at, bad_size; /* damage that may turn out to be the end */
    uint64_t bad_id;
} Walk;

static void
keep_damage (Walk *walk, bool is_tail)
{
    HkStore *self = walk->store;
    char name[64], id[HK_QUEUE_ID_TEXT], hex[HK_HEX_NAME];
    if (walk->bad_size == 0)
        return;
    hk_hex_name (walk->seg->generation, hex);
    if (walk->bad_id != 0)
        g_snprintf (name, sizeof name, "%s", hk_queue_id_format (walk->bad_id, id));
    else
        g_snprintf (name, sizeof name, "%s-%" G_GINT64_MODIFIER "u", hex, walk->bad_at);
    bool is_kept = hk_quarantine_bytes (self, walk->seg->fd, &walk->seg->seed, walk->bad_at,
                                        walk->bad_size, name);
    g_autofree char *path = hk_segment_path (walk->seg);
    hk_finding (
        self, "%s: %s at %" G_GINT64_MODIFIER "u, %" G_GINT64_MODIFIER "u bytes%s%s: %s%s",
        path, is_tail ? "torn tail" : "damaged record", walk->bad_at, walk->bad_size,
        walk->bad_id != 0 ? ", queue id " : "", walk->bad_id != 0 ? name : "",
        is_kept ? "kept in corrupt/" : "left where it is", is_kept ? name : "");
    if (is_tail)
        self->findings.report.n_torn++;
    else
        self->findings.report.n_bad++;
    if (is_kept)
        self->findings.report.n_repaired++;
    else
        walk->seg->is_stuck = true;
    walk->bad_size = 0;
    walk->bad_id = 0;
}

static void
note_damage (Walk *walk, uint64_t at, uint64_t size, uint64_t id)
{
    keep_damage (walk, false); /* something follows, so this was no tail */
    walk->bad_at = at;
    walk->bad_size = size;
    walk->bad_id = id;
}

/* False: leave it and all behind it for later. */
static bool
take_record (Walk *walk, const HkRecord *r, uint64_t at, uint64_t size)
{
    HkStore *self = walk->store;
    const HkScanRules *rules = walk->rules;
    self->findings.report.n_records++;
    if (r->type == HK_RECORD_VOID)
        return true;
    if (rules->done != NULL && hk_id_set_has (rules->done, r->id))
        return true;
    HkEntry *known = hk_index_find (&self->index, r->id);
    if (known != NULL) {
        /* The same queue id at two places: the clock was set back.  Neither may get lost.
         */
        bool is_other = known->segment != 0 && (known->segment != walk->seg->generation ||
                                                hk_entry_offset (known) != at);
        if (is_other && rules->judge)
            note_damage (walk, at, size, r->id);
        return true;
    }
    bool is_good = r->type == HK_RECORD_MESSAGE && r->id != 0 &&
                   ((rules->seen != NULL && hk_id_set_has (rules->seen, r->id)) ||
                    hk_record_verify (walk->seg->fd, &walk->seg->seed, at, r));
    if (!is_good && !rules->judge)
        return false;
    if (!is_good) {
        note_damage (walk, at, size, r->id);
        return true;
    }
    keep_damage (walk, false);
    HkEntry *entry = hk_store_insert (self, r->id, walk->seg, at, r->length, r->arg);
    if (r->flags & HK_RECORD_HAS_FILE)
        entry->has_file = 1;
    self->admitted_bytes += size;
    if (rules->fn != NULL)
        rules->fn (entry, rules->data);
    return true;
}

bool
hk_segment_scan (HkStore *self, HkSegment *seg, uint64_t end, const HkScanRules *rules,
                 GError **error)
{
    if (!hk_segment_open (self, seg, error))
        return false;
    Walk walk = {.store = self, .seg = seg, .rules = rules};
    HkScan scan;
    hk_scan_init (&scan, seg->fd, &seg->seed, seg->accounted, MIN (end, seg->size),
                  HEADER_CHUNK);
    seg->references++; /* FN may finish what it is given */
    for (;;) {
        HkRecord r;
        uint64_t at, size;
        HkScanResult result = hk_scan_next (&scan, &r, &at, &size);
        if (result == HK_SCAN_END)
            break;
        if (result == HK_SCAN_RECORD) {
            if (!take_record (&walk, &r, at, size))
                break;
        } else if (!rules->judge) {
            break;
        } else {
            note_damage (&walk, at, size, 0);
        }
        seg->accounted = at + size;
        if (result == HK_SCAN_TAIL)
            break;
    }
    if (rules->judge && end != UINT64_MAX && seg->accounted < end) {
        /* The writer said that these bytes are durable records. */
        note_damage (&walk, seg->accounted, end - seg->accounted, 0);
        seg->accounted = end;
        keep_damage (&walk, false);
    }
    keep_damage (&walk, true);
    hk_scan_clear (&scan);
    hk_segment_unref (seg);
    return true;
}
