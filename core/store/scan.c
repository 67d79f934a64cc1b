/* scan.c: walking the records of a file. */
#include "config.h"

#include "store/scan_priv.h"

#include "base/crc32c.h"
#include "store/disk_priv.h"

enum { RESYNC_CHUNK = 256 << 10, VERIFY_CHUNK = 256 << 10 };

void
hk_scan_init (HkScan *self, int fd, const HkSeed *seed, uint64_t from, uint64_t end,
              size_t chunk)
{
    *self = (HkScan){.fd = fd, .seed = *seed, .at = from, .end = end, .chunk = chunk};
}

void
hk_scan_clear (HkScan *self)
{
    g_free (self->window);
    self->window = NULL;
}

/* SIZE bytes at AT, at least; NULL when the file ends before. */
static const uint8_t *
scan_bytes (HkScan *self, uint64_t at, size_t size, size_t chunk)
{
    if (at < self->window_at || at + size > self->window_at + self->window_size) {
        size_t want = MAX (size, chunk);
        if (want > self->window_room) {
            uint8_t *room = g_try_realloc (self->window, want);
            if (room == NULL)
                return NULL;
            self->window = room;
            self->window_room = want;
        }
        ssize_t n = hk_disk_read (self->fd, self->window, want, at);
        self->window_at = at;
        self->window_size = n > 0 ? (size_t) n : 0;
        if (self->window_size < size)
            return NULL;
    }
    return self->window + (at - self->window_at);
}

/* The first record header after FROM; END when there is none. */
static uint64_t
find_record (HkScan *self, uint64_t from)
{
    HkRecord ignored;
    for (uint64_t at = from; at + HK_RECORD_HEADER <= self->end; at += HK_RECORD_ALIGN) {
        const uint8_t *p = scan_bytes (self, at, HK_RECORD_HEADER, RESYNC_CHUNK);
        if (p == NULL)
            break;
        if (hk_get_u64 (p + 8) == self->seed.mark &&
            hk_record_get (p, &self->seed, &ignored) && ignored.length <= self->end - at)
            return at;
    }
    return self->end;
}

/* What a damaged header still says about its length, if that can be. */
static uint64_t
tail_size (HkScan *self, const uint8_t *header)
{
    uint64_t left = self->end - self->at;
    uint64_t length = hk_record_padded (hk_get_u32 (header + 24));
    return length >= HK_RECORD_HEADER && length <= left ? length : left;
}

/* Files are whole multiples of the alignment: fewer bytes than a header are one that was cut. */
static HkScanResult
scan_stump (HkScan *self, uint64_t *out_size)
{
    size_t left = (size_t) (self->end - self->at);
    const uint8_t *p = scan_bytes (self, self->at, left, self->chunk);
    for (size_t i = 0; p != NULL && i < left; i++) {
        if (p[i] != 0) {
            *out_size = left;
            self->at = self->end;
            return HK_SCAN_TAIL;
        }
    }
    return HK_SCAN_END;
}

HkScanResult
hk_scan_next (HkScan *self, HkRecord *out, uint64_t *out_at, uint64_t *out_size)
{
    *out_at = self->at;
    *out_size = 0;
    if (self->at >= self->end)
        return HK_SCAN_END;
    if (self->end - self->at < HK_RECORD_HEADER)
        return scan_stump (self, out_size);
    const uint8_t *p = scan_bytes (self, self->at, HK_RECORD_HEADER, self->chunk);
    if (p == NULL)
        return HK_SCAN_END;
    uint8_t header[HK_RECORD_HEADER];
    memcpy (header, p, sizeof header);
    bool is_whole = hk_record_get (header, &self->seed, out);
    if (is_whole && out->length <= self->end - self->at) {
        *out_size = MIN (hk_record_padded (out->length), self->end - self->at);
        self->at += *out_size;
        return HK_SCAN_RECORD;
    }
    uint64_t next = find_record (self, self->at + HK_RECORD_ALIGN);
    if (next < self->end) {
        *out_size = next - self->at;
        self->at = next;
        return HK_SCAN_GAP;
    }
    if (!is_whole && !hk_record_leaves_trace (header, &self->seed))
        return HK_SCAN_END;
    *out_size = is_whole ? self->end - self->at : tail_size (self, header);
    self->at = self->end;
    return HK_SCAN_TAIL;
}

const uint8_t *
hk_scan_head (HkScan *self, uint64_t at, const HkRecord *r)
{
    const uint8_t *p =
        scan_bytes (self, at, HK_RECORD_HEADER + (size_t) r->head_size, self->chunk);
    if (p == NULL)
        return NULL;
    p += HK_RECORD_HEADER;
    return hk_crc32c (self->seed.crc, p, r->head_size) == r->head_crc ? p : NULL;
}

bool
hk_crc_file (int fd, uint64_t at, uint64_t size, uint32_t seed, uint32_t *out)
{
    g_autofree uint8_t *room = g_malloc ((size_t) MIN (size + 1, (uint64_t) VERIFY_CHUNK));
    uint32_t crc = seed;
    while (size > 0) {
        size_t part = (size_t) MIN (size, (uint64_t) VERIFY_CHUNK);
        if (hk_disk_read (fd, room, part, at) != (ssize_t) part)
            return false;
        crc = hk_crc32c (crc, room, part);
        at += part;
        size -= part;
    }
    *out = crc;
    return true;
}

bool
hk_record_verify (int fd, const HkSeed *seed, uint64_t at, const HkRecord *r)
{
    uint32_t crc;
    at += HK_RECORD_HEADER;
    if (!hk_crc_file (fd, at, r->head_size, seed->crc, &crc) || crc != r->head_crc)
        return false;
    if (r->flags & HK_RECORD_HAS_FILE)
        return true;
    return hk_crc_file (fd, at + r->head_size, hk_record_content_here (r), seed->crc,
                        &crc) &&
           crc == r->content_crc;
}
