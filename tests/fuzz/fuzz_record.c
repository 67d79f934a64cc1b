/* fuzz_record.c: segments, message files, journals and checkpoints with any bytes in them.
 *
 * The input's first byte chooses what it is put over: a whole file, or the body of one
 * whose header and record are right, so that the parsers behind the checksums are reached
 * as well. */
#include "config.h"

#include "store/store_priv.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc32c.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static int
memory_file (const uint8_t *data, size_t size)
{
    int fd = memfd_create ("fuzz", MFD_CLOEXEC);
    g_assert (fd >= 0 && hk_disk_write (&hk_store_io_system, fd, data, size, 0));
    return fd;
}

/* Everything that a scan can meet; returns the number of records. */
static size_t
walk (int fd, const HkSeed *seed, uint64_t from, uint64_t end, size_t chunk)
{
    HkScan scan;
    HkRecord r;
    uint64_t at, length, last = from;
    size_t n = 0;
    HkScanResult result;
    hk_scan_init (&scan, fd, seed, from, end, chunk);
    while ((result = hk_scan_next (&scan, &r, &at, &length)) != HK_SCAN_END) {
        g_assert (at >= last && length > 0 && at + length <= end);
        last = at + length;
        if (result != HK_SCAN_RECORD)
            continue;
        n++;
        g_assert (r.length >= HK_RECORD_HEADER + r.head_size && at + r.length <= end);
        hk_record_verify (fd, seed, at, &r);
        hk_scan_head (&scan, at, &r);
        HkEntry entry = {0};
        hk_meta_unpack (r.arg, &entry);
        g_assert (entry.queue <= HK_QUEUE_HOLD);
    }
    hk_scan_clear (&scan);
    return n;
}

static void
whole_file (const uint8_t *data, size_t size)
{
    HkFileKind kind;
    uint32_t lane, first;
    HkSeed seed;
    int fd = memory_file (data, size);
    if (size >= HK_FILE_FIRST &&
        hk_file_header_get (data, &kind, &lane, &first, &seed, NULL))
        walk (fd, &seed, first, size, 4096);
    if (hk_seed_from_records (fd, 7, HK_FILE_FIRST, &seed))
        walk (fd, &seed, HK_FILE_FIRST, size, 64);
    g_autofree char *path = g_strdup_printf ("%s/hk-fuzz-%d", g_get_tmp_dir (), getpid ());
    g_assert (g_file_set_contents_full (path, (const char *) data, (gssize) size,
                                        G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    hk_stored_message_free (hk_stored_message_read (path, 0, NULL));
    unlink (path);
    close (fd);
}

/* Records with right headers around the input, then the input again as it is. */
static void
sealed (const uint8_t *data, size_t size)
{
    HkSeed seed = hk_seed (7, 9);
    size_t padded = (size_t) hk_record_padded (HK_RECORD_HEADER + size);
    g_autofree uint8_t *bytes = g_malloc0 (HK_FILE_FIRST + 2 * padded + size);
    HkRecord r = {.type = HK_RECORD_MESSAGE, .id = 1};
    r.length = (uint32_t) (HK_RECORD_HEADER + size);
    r.head_size = (uint32_t) (size / 2);
    r.arg = size - r.head_size;
    hk_file_header_put (bytes, HK_FILE_MESSAGE, 1, HK_FILE_FIRST, &seed);
    for (int i = 0; i < 2; i++) {
        uint8_t *at = bytes + HK_FILE_FIRST + (size_t) i * padded;
        memcpy (at + HK_RECORD_HEADER, data, size);
        hk_record_seal (at, &r, &seed);
    }
    if (size > 0)
        memcpy (bytes + HK_FILE_FIRST + 2 * padded, data, size);
    int fd = memory_file (bytes, HK_FILE_FIRST + 2 * padded + size);
    g_assert (walk (fd, &seed, HK_FILE_FIRST, HK_FILE_FIRST + 2 * padded + size, 4096) >=
              2);
    close (fd);
}

/* States of recipients as a checkpoint has them. */
static void
states (const uint8_t *data, size_t size)
{
    HkSeed seed = hk_seed (7, 9);
    g_autofree uint8_t *bytes = g_malloc0 (hk_record_padded (HK_RECORD_HEADER + size));
    HkRecord r = {.type = data[0] & 1 ? HK_RECORD_ENTRY : HK_RECORD_STATE, .id = 1};
    r.length = (uint32_t) (HK_RECORD_HEADER + size);
    r.head_size = (uint32_t) size;
    memcpy (bytes + HK_RECORD_HEADER, data, size);
    hk_record_seal (bytes, &r, &seed);
    g_autofree uint8_t *file = g_malloc0 (HK_FILE_FIRST + r.length);
    memcpy (file + HK_FILE_FIRST, bytes, r.length);
    HkStateSource source = {.checkpoint_fd = memory_file (file, HK_FILE_FIRST + r.length),
                            .checkpoint_seed = seed,
                            .checkpoint_at = 4096};
    g_autoptr (GPtrArray) backing =
        g_ptr_array_new_with_free_func ((GDestroyNotify) g_byte_array_unref);
    g_autoptr (GArray) list =
        hk_states_read (&source, HK_STATE_IN_CHECKPOINT | HK_FILE_FIRST, 0, 1000, backing);
    g_assert (list->len <= 1000);
    g_autoptr (GByteArray) packed = g_byte_array_new ();
    hk_states_pack (packed, (const HkRecipientState *) (void *) list->data, list->len);
    close (source.checkpoint_fd);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size < 2 || size > (1 << 20))
        return 0;
    switch (data[0] % 3) {
    case 0:
        whole_file (data + 1, size - 1);
        break;
    case 1:
        sealed (data + 1, size - 1);
        break;
    default:
        states (data + 1, size - 1);
        break;
    }
    return 0;
}
