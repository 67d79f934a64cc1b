/* record.c: record and file headers in bytes. */
#include "config.h"

#include "store/record_priv.h"

#include <errno.h>
#include <sys/random.h>

#include "base/crc32c.h"

#define RECORD_MAGIC 0x31524b48u                 /* "HKR1" */
#define FILE_MAGIC UINT64_C (0x3145524f54534b48) /* "HKSTORE1" */
#define RECORD_VERSION 1u
#define FILE_VERSION 1u

G_DEFINE_QUARK (hk - store - error - quark, hk_store_error)

HkSeed
hk_seed (uint64_t generation, uint64_t mark)
{
    uint8_t bytes[16];
    hk_put_u64 (bytes, generation);
    hk_put_u64 (bytes + 8, mark);
    return (HkSeed){generation, mark, hk_crc32c (0, bytes, sizeof bytes)};
}

uint64_t
hk_random_mark (void)
{
    uint64_t mark = 0;
    while (mark == 0)
        if (getrandom (&mark, sizeof mark, 0) != (ssize_t) sizeof mark && errno != EINTR)
            mark = ((uint64_t) g_random_int () << 32) | g_random_int ();
    return mark;
}

void
hk_record_put (uint8_t *at, const HkRecord *r, const HkSeed *seed)
{
    hk_put_u32 (at, RECORD_MAGIC);
    at[4] = RECORD_VERSION;
    at[5] = r->type;
    at[6] = (uint8_t) r->flags;
    at[7] = (uint8_t) (r->flags >> 8);
    hk_put_u64 (at + 8, seed->mark);
    hk_put_u64 (at + 16, r->id);
    hk_put_u32 (at + 24, r->length);
    hk_put_u32 (at + 28, r->head_size);
    hk_put_u64 (at + 32, r->arg);
    hk_put_u32 (at + 40, r->head_crc);
    hk_put_u32 (at + 44, r->content_crc);
    hk_put_u64 (at + 48, r->extra);
    hk_put_u32 (at + 56, 0);
    hk_put_u32 (at + 60, hk_crc32c (seed->crc, at, 60));
}

void
hk_record_seal (uint8_t *at, HkRecord *r, const HkSeed *seed)
{
    const uint8_t *head = at + HK_RECORD_HEADER;
    size_t content = hk_record_content_here (r);
    r->head_crc = hk_crc32c (seed->crc, head, r->head_size);
    if (content > 0 || (r->flags & HK_RECORD_HAS_FILE) == 0)
        r->content_crc = hk_crc32c (seed->crc, head + r->head_size, content);
    hk_record_put (at, r, seed);
}

bool
hk_record_get (const uint8_t *at, const HkSeed *seed, HkRecord *out)
{
    if (hk_get_u32 (at) != RECORD_MAGIC || hk_get_u64 (at + 8) != seed->mark ||
        at[4] != RECORD_VERSION || hk_get_u32 (at + 60) != hk_crc32c (seed->crc, at, 60))
        return false;
    HkRecord r = {
        .type = at[5],
        .flags = (uint16_t) (at[6] | at[7] << 8),
        .id = hk_get_u64 (at + 16),
        .length = hk_get_u32 (at + 24),
        .head_size = hk_get_u32 (at + 28),
        .arg = hk_get_u64 (at + 32),
        .head_crc = hk_get_u32 (at + 40),
        .content_crc = hk_get_u32 (at + 44),
        .extra = hk_get_u64 (at + 48),
    };
    if (r.length < HK_RECORD_HEADER || r.length > HK_RECORD_MAX ||
        r.head_size > HK_HEAD_MAX || r.head_size > r.length - HK_RECORD_HEADER)
        return false;
    bool has_file = r.flags & HK_RECORD_HAS_FILE;
    if (r.type == HK_RECORD_MESSAGE && (has_file ? hk_record_content_here (&r) != 0
                                                 : hk_record_content_here (&r) != r.arg))
        return false;
    *out = r;
    return true;
}

/* One damaged byte spoils the magic or one byte of the mark, not both. */
bool
hk_record_leaves_trace (const uint8_t *at, const HkSeed *seed)
{
    uint8_t mark[8];
    unsigned same = 0;
    hk_put_u64 (mark, seed->mark);
    for (unsigned i = 0; i < sizeof mark; i++)
        same += at[8 + i] == mark[i];
    return same == 8 || (same == 7 && hk_get_u32 (at) == RECORD_MAGIC);
}

void
hk_file_header_put (uint8_t *at, HkFileKind kind, uint32_t lane, uint32_t first,
                    const HkSeed *seed)
{
    memset (at, 0, HK_RECORD_HEADER);
    hk_put_u64 (at, FILE_MAGIC);
    hk_put_u32 (at + 8, FILE_VERSION);
    hk_put_u32 (at + 12, kind);
    hk_put_u32 (at + 16, lane);
    hk_put_u32 (at + 20, first);
    hk_put_u64 (at + 24, seed->generation);
    hk_put_u64 (at + 32, seed->mark);
    hk_put_u32 (at + 60, hk_crc32c (0, at, 60));
}

void
hk_file_header_put_size (uint8_t *at, uint64_t size)
{
    hk_put_u64 (at + 40, size);
    hk_put_u32 (at + 60, hk_crc32c (0, at, 60));
}

uint64_t
hk_file_header_size (const uint8_t *at)
{
    return hk_get_u64 (at + 40);
}

static bool
is_zero (const uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (at[i] != 0)
            return false;
    return true;
}

bool
hk_file_header_get (const uint8_t *at, HkFileKind *out_kind, uint32_t *out_lane,
                    uint32_t *out_first, HkSeed *out, GError **error)
{
    if (is_zero (at, HK_RECORD_HEADER)) {
        g_set_error (error, HK_STORE_ERROR, HK_STORE_ERROR_ABSENT, "file header is empty");
        return false;
    }
    if (hk_get_u64 (at) != FILE_MAGIC || hk_get_u32 (at + 60) != hk_crc32c (0, at, 60)) {
        g_set_error (error, HK_STORE_ERROR, HK_STORE_ERROR_CORRUPT,
                     "file header is damaged");
        return false;
    }
    if (hk_get_u32 (at + 8) != FILE_VERSION) {
        g_set_error (error, HK_STORE_ERROR, HK_STORE_ERROR_CORRUPT,
                     "file format version %u is not known (%u is)", hk_get_u32 (at + 8),
                     FILE_VERSION);
        return false;
    }
    uint32_t first = hk_get_u32 (at + 20);
    if (first < HK_RECORD_HEADER || first > (1u << 20) || first % HK_RECORD_ALIGN != 0) {
        g_set_error (error, HK_STORE_ERROR, HK_STORE_ERROR_CORRUPT,
                     "file header places the first record at %u", first);
        return false;
    }
    *out_kind = hk_get_u32 (at + 12);
    *out_lane = hk_get_u32 (at + 16);
    *out_first = first;
    *out = hk_seed (hk_get_u64 (at + 24), hk_get_u64 (at + 32));
    return true;
}

uint64_t
hk_meta_pack (const HkEntry *e)
{
    /* "active" and "incoming" are what a running qmgr makes of it: not kept. */
    uint64_t queue = e->queue == HK_QUEUE_ACTIVE
                         ? (e->attempts > 0 ? HK_QUEUE_DEFERRED : HK_QUEUE_INCOMING)
                         : e->queue;
    return e->next_attempt | (uint64_t) e->attempts << 32 | queue << 48 |
           (uint64_t) e->was_warned << 51 | (uint64_t) e->is_forced_expire << 52 |
           (uint64_t) e->was_by_told << 54;
}

void
hk_meta_unpack (uint64_t meta, HkEntry *e)
{
    e->next_attempt = (uint32_t) meta;
    e->attempts = (uint16_t) (meta >> 32);
    e->queue = (meta >> 48) & 7;
    if (e->queue > HK_QUEUE_HOLD || e->queue == HK_QUEUE_ACTIVE)
        e->queue = HK_QUEUE_DEFERRED;
    e->was_warned = (meta >> 51) & 1;
    e->is_forced_expire = (meta >> 52) & 3;
    e->was_by_told = (meta >> 54) & 1;
}

void
hk_states_pack (GByteArray *out, const HkRecipientState *states, size_t n)
{
    hk_pack_u64 (out, n);
    for (size_t i = 0; i < n; i++) {
        hk_pack_u64 (out, states[i].status);
        hk_pack_span (out, hk_span_sub (states[i].dsn, 0, 32));
        hk_pack_span (out, hk_span_sub (states[i].reason, 0, 4096));
    }
}
