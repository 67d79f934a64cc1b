/* message.c: reading one stored message: its envelope, where its content is, and what
 * became of its recipients. */
#include "config.h"

#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"

typedef struct {
    HkStoredMessage base;
    GArray *states;
    GPtrArray *backing;
    HkSegment *pinned; /* not recycled meanwhile */
} Stored;

static Stored *
stored_new (void)
{
    Stored *self = g_new0 (Stored, 1);
    self->base.fd = -1;
    self->backing = g_ptr_array_new_with_free_func ((GDestroyNotify) g_byte_array_unref);
    return self;
}

void
hk_stored_message_free (HkStoredMessage *message)
{
    Stored *self = (Stored *) message;
    if (self == NULL)
        return;
    if (self->base.envelope != NULL)
        hk_envelope_free (self->base.envelope);
    if (self->base.fd >= 0)
        close (self->base.fd);
    if (self->states != NULL)
        g_array_free (self->states, TRUE);
    g_ptr_array_free (self->backing, TRUE);
    if (self->pinned != NULL) {
        self->pinned->n_pins--;
        hk_segment_unref (self->pinned);
    }
    g_free (self);
}

static bool
corrupt (GError **error, const char *text)
{
    g_set_error (error, HK_STORE_ERROR, HK_STORE_ERROR_CORRUPT, "%s", text);
    return false;
}

/* Header and envelope of the record at AT. */
static bool
read_record (Stored *self, int fd, const HkSeed *seed, uint64_t at, HkRecord *out,
             GError **error)
{
    uint8_t room[4096];
    ssize_t n = hk_disk_read (fd, room, sizeof room, at);
    if (n < 0) {
        hk_disk_error (error, errno, "read", "record");
        return false;
    }
    if (n < (ssize_t) HK_RECORD_HEADER)
        return corrupt (error, "record is cut short");
    if (!hk_record_get (room, seed, out) || out->type != HK_RECORD_MESSAGE)
        return corrupt (error, "record header is damaged");
    uint8_t *head = g_try_malloc (MAX (out->head_size, 1));
    if (head == NULL) {
        g_set_error (error, HK_STORE_ERROR, HK_STORE_ERROR_IO, "no memory for an envelope");
        return false;
    }
    g_autoptr (GBytes) envelope = g_bytes_new_take (head, out->head_size);
    size_t have = MIN ((size_t) n - HK_RECORD_HEADER, out->head_size);
    memcpy (head, room + HK_RECORD_HEADER, have);
    if (hk_disk_read (fd, head + have, out->head_size - have,
                      at + HK_RECORD_HEADER + have) != (ssize_t) (out->head_size - have))
        return corrupt (error, "envelope is cut short");
    if (hk_crc32c (seed->crc, head, out->head_size) != out->head_crc)
        return corrupt (error, "checksum of the envelope is wrong");
    self->base.envelope = hk_envelope_unpack (envelope);
    if (self->base.envelope == NULL)
        return corrupt (error, "envelope is malformed");
    self->base.content_offset = at + HK_RECORD_HEADER + out->head_size;
    self->base.content_size = out->arg;
    return true;
}

static bool
open_content (Stored *self, int incoming_fd, const HkRecord *r, GError **error)
{
    char name[HK_QUEUE_ID_TEXT];
    struct stat st;
    hk_queue_id_format (r->id, name);
    int fd = openat (incoming_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        hk_disk_error (error, errno, "open content", name);
        return false;
    }
    if (self->base.fd >= 0)
        close (self->base.fd);
    self->base.fd = fd;
    self->base.content_offset = 0;
    if (fstat (fd, &st) != 0 || (uint64_t) st.st_size != r->arg)
        return corrupt (error, "content file has another size");
    return true;
}

static void
fill_states (Stored *self, GArray *states)
{
    size_t n = self->base.envelope->n_recipients;
    self->states = states;
    g_array_set_size (states, (guint) n);
    self->base.states = (HkRecipientState *) (void *) states->data;
}

/* ---- of an entry ---- */

static bool
load_place (HkStore *self, const HkEntry *entry, Stored *out, HkSeed *out_seed,
            uint64_t *out_at, GError **error)
{
    *out_at = hk_entry_offset (entry);
    if (entry->segment != 0) {
        HkSegment *seg = hk_segment_get (self, entry->segment);
        if (seg == NULL)
            seg = hk_segment_add (self, entry->segment, entry->lane);
        if (!hk_segment_open (self, seg, error))
            return false;
        out->base.fd = fcntl (seg->fd, F_DUPFD_CLOEXEC, 0);
        *out_seed = seg->seed;
        out->pinned = seg;
        seg->references++;
        seg->n_pins++;
        if (out->base.fd < 0)
            hk_disk_error (error, errno, "duplicate descriptor of", "segment");
        return out->base.fd >= 0;
    }
    char name[HK_QUEUE_ID_TEXT];
    uint8_t header[HK_FILE_FIRST];
    HkFileKind kind;
    uint32_t lane, first;
    hk_queue_id_format (entry->id, name);
    out->base.fd = openat (self->deferred_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (out->base.fd < 0) {
        hk_disk_error (error, errno, "open deferred message", name);
        return false;
    }
    if (hk_disk_read (out->base.fd, header, sizeof header, 0) != sizeof header)
        return corrupt (error, "file is cut short");
    return hk_file_header_get (header, &kind, &lane, &first, out_seed, error);
}

HkStoredMessage *
hk_store_load (HkStore *self, const HkEntry *entry, GError **error)
{
    Stored *out = stored_new ();
    HkSeed seed;
    HkRecord r;
    uint64_t at;
    bool ok = load_place (self, entry, out, &seed, &at, error) &&
              read_record (out, out->base.fd, &seed, at, &r, error);
    if (ok && r.id != entry->id)
        ok = corrupt (error, "record is another message's");
    if (ok && (r.flags & HK_RECORD_HAS_FILE))
        ok = open_content (out, self->incoming_fd, &r, error);
    if (!ok) {
        char name[HK_QUEUE_ID_TEXT];
        g_prefix_error (error, "%s: ", hk_queue_id_format (entry->id, name));
        hk_stored_message_free (&out->base);
        return NULL;
    }
    HkStateSource source = hk_state_source (self);
    fill_states (out,
                 hk_states_read (&source, entry->state_at, hk_state_base (self, entry->id),
                                 out->base.envelope->n_recipients, out->backing));
    return &out->base;
}

bool
hk_entry_verify (HkStore *self, const HkEntry *entry, GError **error)
{
    Stored *out = stored_new ();
    HkSeed seed;
    HkRecord r;
    uint64_t at;
    uint32_t crc = 0;
    bool ok = load_place (self, entry, out, &seed, &at, error) &&
              read_record (out, out->base.fd, &seed, at, &r, error);
    if (ok && (r.id != entry->id || r.length != entry->length))
        ok = corrupt (error, "record is another message's");
    if (ok && !hk_record_verify (out->base.fd, &seed, at, &r))
        ok = corrupt (error, "checksum of the content is wrong");
    if (ok && (r.flags & HK_RECORD_HAS_FILE)) {
        ok = open_content (out, self->incoming_fd, &r, error);
        if (ok && (!hk_crc_file (out->base.fd, 0, r.arg, 0, &crc) || crc != r.content_crc))
            ok = corrupt (error, "checksum of the content file is wrong");
    }
    hk_stored_message_free (&out->base);
    return ok;
}

char *
hk_store_path (HkStore *self, const HkEntry *entry, uint64_t *out_offset)
{
    char name[HK_QUEUE_ID_TEXT];
    *out_offset = hk_entry_offset (entry);
    HkSegment *seg = entry->segment != 0 ? hk_segment_get (self, entry->segment) : NULL;
    if (seg != NULL) {
        g_autofree char *path = hk_segment_path (seg);
        if (faccessat (self->root_fd, path, F_OK, 0) != 0) { /* a failed sync renamed it */
            seg->is_failed = !seg->is_failed;
            g_free (path);
            path = hk_segment_path (seg);
        }
        return g_build_filename (self->queue_directory, path, NULL);
    }
    hk_queue_id_format (entry->id, name);
    return g_build_filename (self->queue_directory, "deferred", name, NULL);
}

/* ---- of a file ---- */

/* incoming/ of the queue that PATH lies in. */
static int
open_incoming (const char *path)
{
    for (const char *up = "/../incoming"; up != NULL;
         up = strcmp (up, "/../incoming") == 0 ? "/../../incoming" : NULL) {
        g_autofree char *dir = g_path_get_dirname (path);
        g_autofree char *incoming = g_strconcat (dir, up, NULL);
        int fd = open (incoming, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
            return fd;
    }
    return -1;
}

static bool
read_file (Stored *out, const char *path, uint64_t offset, GError **error)
{
    uint8_t header[HK_FILE_FIRST];
    HkFileKind kind;
    uint32_t lane, first;
    HkSeed seed;
    HkRecord r;
    out->base.fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (out->base.fd < 0) {
        hk_disk_error (error, errno, "open", path);
        return false;
    }
    if (hk_disk_read (out->base.fd, header, sizeof header, 0) != sizeof header)
        return corrupt (error, "file is cut short");
    if (!hk_file_header_get (header, &kind, &lane, &first, &seed, error))
        return false;
    if (kind != HK_FILE_SEGMENT && kind != HK_FILE_MESSAGE)
        return corrupt (error, "file holds no messages");
    if (!read_record (out, out->base.fd, &seed, offset != 0 ? offset : first, &r, error))
        return false;
    if (!(r.flags & HK_RECORD_HAS_FILE))
        return true;
    int incoming = open_incoming (path);
    if (incoming < 0) {
        hk_disk_error (error, errno, "open directory", "incoming");
        return false;
    }
    bool ok = open_content (out, incoming, &r, error);
    close (incoming);
    return ok;
}

HkStoredMessage *
hk_stored_message_read (const char *path, uint64_t offset, GError **error)
{
    Stored *out = stored_new ();
    if (!read_file (out, path, offset, error)) {
        g_prefix_error (error, "%s: ", path);
        hk_stored_message_free (&out->base);
        return NULL;
    }
    fill_states (out, g_array_new (FALSE, TRUE, sizeof (HkRecipientState)));
    return &out->base;
}
