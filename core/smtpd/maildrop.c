/* maildrop.c: files of local submission: packing, unpacking, writing durably. */
#include "config.h"

#include "smtpd/maildrop.h"

#include "base/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

G_DEFINE_QUARK (hk - maildrop - error - quark, hk_maildrop_error)

static const char magic[8] = {'H', 'K', 'D', 'R', 'O', 'P', '1', '\n'};

enum { HEAD_SIZE = sizeof magic + 4 + 4, MAX_NOTIFY = 15 };
enum { TAG_SENDER = 1, TAG_FLAGS = 2, TAG_ENVID = 3, TAG_RECIPIENT = 4, TAG_VERP = 5 };
enum { TAG_ADDRESS = 1, TAG_ORCPT = 2, TAG_NOTIFY = 3 };

static void
put_u32 (uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t) v;
    at[1] = (uint8_t) (v >> 8);
    at[2] = (uint8_t) (v >> 16);
    at[3] = (uint8_t) (v >> 24);
}

static uint32_t
get_u32 (const uint8_t *at)
{
    return (uint32_t) at[0] | (uint32_t) at[1] << 8 | (uint32_t) at[2] << 16 |
           (uint32_t) at[3] << 24;
}

/* Of everything behind the checksum itself. */
static uint32_t
checksum (HkSpan file)
{
    HkSpan covered = hk_span_sub (file, sizeof magic + 4, file.size);
    return hk_crc32c (0, covered.data, covered.size);
}

static void
pack_recipient (GByteArray *out, const HkRecipient *recipient)
{
    g_autoptr (GByteArray) one = g_byte_array_new ();
    hk_pack_field (one, TAG_ADDRESS, recipient->address);
    hk_pack_field (one, TAG_ORCPT, recipient->orcpt);
    hk_pack_field_u64 (one, TAG_NOTIFY, recipient->notify);
    hk_pack_end (one);
    hk_pack_field (out, TAG_RECIPIENT, hk_span (one->data, one->len));
}

GByteArray *
hk_maildrop_pack (const HkSubmission *s)
{
    GByteArray *out =
        g_byte_array_sized_new ((guint) MIN (s->content.size + 4096, G_MAXUINT));
    g_byte_array_append (out, (const guint8 *) magic, sizeof magic);
    g_byte_array_set_size (out, HEAD_SIZE);
    hk_pack_field (out, TAG_SENDER, s->sender);
    hk_pack_field_u64 (out, TAG_FLAGS, s->flags);
    hk_pack_field (out, TAG_ENVID, s->envid);
    hk_pack_field (out, TAG_VERP, s->verp);
    for (size_t i = 0; i < s->n_recipients; i++)
        pack_recipient (out, &s->recipients[i]);
    hk_pack_end (out);
    put_u32 (out->data + HEAD_SIZE - 4, out->len - HEAD_SIZE);
    g_byte_array_append (out, s->content.data, (guint) s->content.size);
    put_u32 (out->data + sizeof magic, checksum (hk_span (out->data, out->len)));
    return out;
}

static bool
wrong (GError **error, const char *what)
{
    g_set_error (error, HK_MAILDROP_ERROR, HK_MAILDROP_ERROR_FORMAT, "%s", what);
    return false;
}

/* NUL and line breaks have no place in an envelope. */
static bool
unpack_recipient (HkSpan value, HkRecipient *out)
{
    HkUnpack u = hk_unpack (value);
    uint64_t tag;
    HkSpan field;
    *out = (HkRecipient){.notify = 0};
    while (hk_unpack_field (&u, &tag, &field)) {
        if (tag == TAG_ADDRESS)
            out->address = field;
        else if (tag == TAG_ORCPT)
            out->orcpt = field;
        else if (tag == TAG_NOTIFY)
            out->notify = (uint32_t) MIN (hk_unpack_value_u64 (field), G_MAXUINT32);
    }
    return !u.failed && out->address.size > 0 && out->notify <= MAX_NOTIFY &&
           !hk_span_has_line_break (out->address) && !hk_span_has_line_break (out->orcpt);
}

static bool
unpack_head (HkSpan head, HkSubmission *out, GArray *recipients)
{
    const uint32_t known = HK_ENVELOPE_SMTPUTF8 | HK_ENVELOPE_BODY_8BIT |
                           HK_ENVELOPE_RET_HDRS | HK_ENVELOPE_RET_FULL;
    HkUnpack u = hk_unpack (head);
    uint64_t tag;
    HkSpan field;
    while (hk_unpack_field (&u, &tag, &field)) {
        HkRecipient recipient;
        if (tag == TAG_SENDER) {
            out->sender = field;
        } else if (tag == TAG_FLAGS) {
            out->flags = (uint32_t) hk_unpack_value_u64 (field) & known;
        } else if (tag == TAG_ENVID) {
            out->envid = field;
        } else if (tag == TAG_VERP) {
            out->verp = field;
        } else if (tag == TAG_RECIPIENT) {
            if (recipients->len >= HK_MAILDROP_MAX_RECIPIENTS ||
                !unpack_recipient (field, &recipient))
                return false;
            g_array_append_val (recipients, recipient);
        }
    }
    return !u.failed && !hk_span_has_line_break (out->sender) &&
           !hk_span_has_line_break (out->envid) && !hk_span_has_line_break (out->verp);
}

bool
hk_maildrop_unpack (HkSpan file, HkSubmission *out, GError **error)
{
    *out = (HkSubmission){.flags = 0};
    if (file.size < HEAD_SIZE || memcmp (file.data, magic, sizeof magic) != 0)
        return wrong (error, "not a maildrop file");
    HkSpan body = hk_span_sub (file, HEAD_SIZE, file.size);
    uint32_t head_size = get_u32 (file.data + HEAD_SIZE - 4);
    if (get_u32 (file.data + sizeof magic) != checksum (file))
        return wrong (error, "wrong checksum");
    if (head_size > body.size || head_size > HK_MAILDROP_MAX_HEAD)
        return wrong (error, "wrong length");
    g_autoptr (GArray) recipients = g_array_new (FALSE, FALSE, sizeof (HkRecipient));
    if (!unpack_head (hk_span (body.data, head_size), out, recipients))
        return wrong (error, "malformed envelope");
    if (recipients->len == 0)
        return wrong (error, "no recipients");
    out->content = hk_span_sub (body, head_size, body.size);
    out->n_recipients = recipients->len;
    out->recipients =
        (HkRecipient *) (void *) g_array_free (g_steal_pointer (&recipients), FALSE);
    return true;
}

/* ---- writing ----------------------------------------------------------------------------
 */

static bool
failed (GError **error, const char *what, const char *path)
{
    int e = errno;
    g_set_error (error, HK_MAILDROP_ERROR,
                 e == EACCES || e == EPERM ? HK_MAILDROP_ERROR_DENIED
                                           : HK_MAILDROP_ERROR_IO,
                 "cannot %s %s: %s", what, path, g_strerror (e));
    return false;
}

static bool
write_all (int fd, HkSpan bytes)
{
    while (bytes.size > 0) {
        ssize_t n = write (fd, bytes.data, bytes.size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes = hk_span_sub (bytes, (size_t) n, bytes.size);
    }
    return true;
}

/* The helper may write into the directory but not read it, so it cannot open it to sync the
 * new name: then the whole file system is synced. */
static bool
sync_name (const char *dir, int file)
{
    int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES && syncfs (file) == 0;
    bool ok = fsync (fd) == 0;
    close (fd);
    return ok;
}

static bool
write_durably (int fd, const char *dir, const char *tmp, const char *path, HkSpan packed,
               GError **error)
{
    /* Nobody but the receiving role can enter the directory; it must be able to read. */
    if (!write_all (fd, packed) || fchmod (fd, 0644) < 0 || fsync (fd) < 0)
        return failed (error, "write", tmp);
    if (rename (tmp, path) < 0)
        return failed (error, "name", path);
    if (!sync_name (dir, fd))
        return failed (error, "make durable", path);
    return true;
}

bool
hk_maildrop_write (const char *queue_directory, HkSpan packed, GError **error)
{
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    g_autofree char *dir = g_build_filename (queue_directory, "maildrop", NULL);
    g_autofree char *name =
        g_strdup_printf ("%08lX%05lX%lX", (unsigned long) now.tv_sec,
                         (unsigned long) now.tv_nsec / 1000, (unsigned long) getpid ());
    g_autofree char *tmp = g_strdup_printf ("%s/.tmp-%s", dir, name);
    g_autofree char *path = g_strdup_printf ("%s/%s", dir, name);
    int fd = open (tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return failed (error, "create", tmp);
    bool ok = write_durably (fd, dir, tmp, path, packed, error);
    if (!ok)
        unlink (tmp);
    close (fd);
    return ok;
}
