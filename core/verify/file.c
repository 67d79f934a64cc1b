/* file.c: the file behind the cache of address verification.
 *
 *   "HKVERIFY1\n"   record   record …      record: u32 size, u32 CRC32C, then SIZE bytes:
 *                                          s key, u status, i updated, i probed, s text
 * Later records of a key replace earlier ones; status 255 says that it is forgotten.  Both
 * leading numbers are little-endian. */
#include "config.h"

#include "base/crc32c.h"
#include "base/log.h"
#include "base/pack.h"
#include "verify/verify_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[] = "HKVERIFY1\n";
enum { MAGIC = sizeof magic - 1, HEAD = 8, GONE = 255, SLACK = 1024 };
/* Of a record's size: what the bounds of key and text allow, and some numbers. */
enum { RECORD_MAX = HK_VERIFY_ADDRESS_MAX + HK_VERIFY_TEXT_MAX + 64 };

static bool
fail (GError **error, const char *path, int e)
{
    g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (e), "%s: %s", path,
                 g_strerror (e));
    return false;
}

char *
hk_verify_path (const char *address_verify_map)
{
    const char *path = strrchr (address_verify_map, ':');
    path = path == NULL ? address_verify_map : path + 1;
    return *path == '\0' ? NULL : g_strconcat (path, ".hk/answers", NULL);
}

bool
hk_verify_prepare (const char *path, int64_t uid, int64_t gid, GError **error)
{
    g_autofree char *dir = g_path_get_dirname (path);
    if (mkdir (dir, 0700) < 0)
        return errno == EEXIST || fail (error, dir, errno);
    if (uid < 0)
        return true;
    int fd = open (dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = fd >= 0 && fchown (fd, (uid_t) uid, (gid_t) gid) == 0;
    int e = errno;
    if (fd >= 0)
        close (fd);
    return ok || fail (error, dir, e);
}

/* ---- records
 * -------------------------------------------------------------------------------- */

static void
put_u32 (uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t) (value >> 8 * i);
}

static uint32_t
get_u32 (const uint8_t *at)
{
    return (uint32_t) at[0] | (uint32_t) at[1] << 8 | (uint32_t) at[2] << 16 |
           (uint32_t) at[3] << 24;
}

static void
pack_record (GByteArray *out, const char *key, const Entry *entry)
{
    guint from = out->len;
    g_byte_array_set_size (out, from + HEAD);
    hk_pack_span (out, hk_span_text (key));
    hk_pack_u64 (out, entry == NULL ? GONE : (uint64_t) entry->status);
    hk_pack_i64 (out, entry == NULL ? 0 : entry->updated_s);
    hk_pack_i64 (out, entry == NULL ? 0 : entry->probed_s);
    hk_pack_span (out, hk_span_text (entry == NULL ? "" : entry->text));
    uint32_t size = out->len - from - HEAD;
    put_u32 (out->data + from, size);
    put_u32 (out->data + from + 4, hk_crc32c (size, out->data + from + HEAD, size));
}

/* A record at the front of *BYTES, which moves on.  False: there is none, or it is torn. */
static bool
read_record (HkSpan *bytes, char **out_key, HkVerifyEntry *out, char **out_text)
{
    if (bytes->size < HEAD)
        return false;
    uint32_t size = get_u32 (bytes->data), sum = get_u32 (bytes->data + 4);
    HkSpan body = hk_span_sub (*bytes, HEAD, size);
    if (size > RECORD_MAX || body.size < size || hk_crc32c (size, body.data, size) != sum)
        return false;
    HkUnpack in = hk_unpack (body);
    HkSpan key = hk_unpack_span (&in);
    uint64_t status = hk_unpack_u64 (&in);
    int64_t updated_s = hk_unpack_i64 (&in), probed_s = hk_unpack_i64 (&in);
    HkSpan text = hk_unpack_span (&in);
    if (in.failed || (status > HK_VERIFY_UNDELIVERABLE && status != GONE))
        return false;
    *out_key = hk_span_dup (key);
    *out_text = hk_span_dup (text);
    *out = (HkVerifyEntry){(int32_t) status, probed_s, updated_s, *out_text};
    *bytes = hk_span_sub (*bytes, HEAD + size, bytes->size);
    return true;
}

/* All of BYTES; where the last whole record ends. */
static size_t
read_records (HkSpan bytes, HkVerifyEntryFn fn, void *data, size_t *out_n)
{
    size_t all = bytes.size;
    for (*out_n = 0;; ++*out_n) {
        g_autofree char *key = NULL, *text = NULL;
        HkVerifyEntry entry;
        if (!read_record (&bytes, &key, &entry, &text))
            return all - bytes.size;
        fn (key, &entry, data);
    }
}

/* ---- opening
 * -------------------------------------------------------------------------------- */

static void
load_one (const char *key, const HkVerifyEntry *entry, void *data)
{
    HkVerifyCache *self = data;
    if (entry->status == GONE)
        hk_verify_cache_drop (self, key);
    else
        hk_verify_cache_put (self, key, entry);
}

static bool
not_ours (const char *path, GError **error)
{
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                 "%s: not a file of address verification", path);
    return false;
}

/* OUT_END: behind the last whole record; 0: the file is empty. */
static bool
read_file (int fd, const char *path, HkVerifyEntryFn fn, void *data, size_t *out_end,
           size_t *out_n, GError **error)
{
    struct stat st;
    *out_end = *out_n = 0;
    if (fstat (fd, &st) < 0)
        return fail (error, path, errno);
    if (!S_ISREG (st.st_mode))
        return not_ours (path, error);
    if (st.st_size == 0)
        return true;
    g_autoptr (GMappedFile) map = g_mapped_file_new_from_fd (fd, FALSE, error);
    if (map == NULL)
        return false;
    HkSpan bytes =
        hk_span (g_mapped_file_get_contents (map), g_mapped_file_get_length (map));
    if (bytes.size < MAGIC || memcmp (bytes.data, magic, MAGIC) != 0)
        return not_ours (path, error);
    *out_end =
        MAGIC + read_records (hk_span_sub (bytes, MAGIC, bytes.size), fn, data, out_n);
    return true;
}

static bool
write_all (int fd, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size > 0) {
        ssize_t n = write (fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t) n;
    }
    return true;
}

bool
hk_verify_file_open (HkVerifyCache *self, const char *path, GError **error)
{
    size_t end;
    int fd = open (path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                   0600);
    if (fd < 0)
        return fail (error, path, errno);
    bool ok = read_file (fd, path, load_one, self, &end, &self->file.n_records, error);
    if (ok &&
        (ftruncate (fd, (off_t) end) < 0 || (end == 0 && !write_all (fd, magic, MAGIC))))
        ok = fail (error, path, errno);
    if (!ok) {
        close (fd);
        return false;
    }
    self->file.fd = fd;
    self->file.path = g_strdup (path);
    hk_verify_cache_set_rules (self, &self->rules); /* there may be more than the limit */
    return true;
}

void
hk_verify_file_close (HkVerifyCache *self)
{
    if (self->file.fd >= 0)
        close (self->file.fd);
    self->file.fd = -1;
    g_clear_pointer (&self->file.path, g_free);
    g_clear_pointer (&self->file.meanwhile, g_byte_array_unref);
}

void
hk_verify_file_note (HkVerifyCache *self, const char *key, const Entry *entry)
{
    File *file = &self->file;
    if (file->fd < 0)
        return;
    g_autoptr (GByteArray) record = g_byte_array_new ();
    pack_record (record, key, entry);
    if (!write_all (file->fd, record->data, record->len)) {
        /* Behind half a record nothing would be found again. */
        hk_log (HK_LOG_WARNING, "%s: %s: address verification goes on in memory",
                file->path, g_strerror (errno));
        close (file->fd);
        file->fd = -1;
        return;
    }
    file->n_records++;
    if (file->meanwhile != NULL) {
        g_byte_array_append (file->meanwhile, record->data, record->len);
        file->n_meanwhile++;
    }
}

bool
hk_verify_file_read (const char *path, HkVerifyEntryFn fn, void *data, GError **error)
{
    HkVerifyRules rules = {.limit = SIZE_MAX};
    size_t end, n;
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail (error, path, errno);
    g_autoptr (HkVerifyCache) cache = hk_verify_cache_open (NULL, &rules, NULL);
    bool ok = read_file (fd, path, load_one, cache, &end, &n, error);
    close (fd);
    for (GList *at = cache->order.tail; ok && at != NULL; at = at->prev) {
        const Entry *entry = at->data;
        HkVerifyEntry shown = {entry->status, entry->probed_s, entry->updated_s,
                               entry->text};
        fn (entry->key, &shown, data);
    }
    return ok;
}

/* ---- the file anew
 * -------------------------------------------------------------------------- */

struct HkVerifyRewrite {
    HkVerifyCache *cache;
    GByteArray *bytes;
    size_t n;
    char *path;
    int fd, error;
};

bool
hk_verify_cache_wants_rewrite (const HkVerifyCache *self)
{
    return self->file.fd >= 0 && self->file.meanwhile == NULL &&
           self->file.n_records > 2 * hk_verify_cache_count (self) + SLACK;
}

HkVerifyRewrite *
hk_verify_rewrite_begin (HkVerifyCache *self)
{
    HkVerifyRewrite *rewrite = g_new0 (HkVerifyRewrite, 1);
    rewrite->cache = self;
    rewrite->fd = -1;
    rewrite->path = g_strconcat (self->file.path, ".new", NULL);
    rewrite->bytes = g_byte_array_new ();
    g_byte_array_append (rewrite->bytes, (const guint8 *) magic, MAGIC);
    for (GList *at = self->order.tail; at != NULL; at = at->prev, rewrite->n++)
        pack_record (rewrite->bytes, ((Entry *) at->data)->key, at->data);
    self->file.meanwhile = g_byte_array_new ();
    self->file.n_meanwhile = 0;
    return rewrite;
}

void
hk_verify_rewrite_run (HkVerifyRewrite *self)
{
    unlink (self->path);
    self->fd = open (self->path,
                     O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (self->fd < 0 || !write_all (self->fd, self->bytes->data, self->bytes->len))
        self->error = errno;
}

static bool
take_over (HkVerifyRewrite *self, GError **error)
{
    File *file = &self->cache->file;
    if (self->error != 0)
        return fail (error, self->path, self->error);
    if (file->fd < 0 || file->meanwhile == NULL)
        return true; /* writing has failed meanwhile, and was reported */
    if (!write_all (self->fd, file->meanwhile->data, file->meanwhile->len) ||
        rename (self->path, file->path) < 0)
        return fail (error, self->path, errno);
    close (file->fd);
    file->fd = self->fd;
    self->fd = -1;
    file->n_records = self->n + file->n_meanwhile;
    return true;
}

bool
hk_verify_rewrite_end (HkVerifyRewrite *self, GError **error)
{
    bool ok = take_over (self, error);
    if (!ok) /* not at once again */
        self->cache->file.n_records = 0;
    if (self->fd >= 0) {
        close (self->fd);
        unlink (self->path);
    }
    g_clear_pointer (&self->cache->file.meanwhile, g_byte_array_unref);
    g_byte_array_unref (self->bytes);
    g_free (self->path);
    g_free (self);
    return ok;
}
