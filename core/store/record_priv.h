/* record_priv.h: how a record and a file header look in bytes (doc/formats.md, "Records").
 *
 * Every file of the store begins with a file header; records follow, each aligned to 64
 * bytes:
 *
 *   [ header 64 | head (envelope, or a journal body) | content | zeros up to 64 ]
 *
 * All checksums but that of a content file are CRC32C seeded with the file's generation and
 * its random mark, and the mark stands in each record header: what an earlier life of the
 * same blocks left behind never reads as a record, nor does the content of a message. */
#ifndef HK_STORE_RECORD_PRIV_H
#define HK_STORE_RECORD_PRIV_H

#include "store/store.h"

#define HK_RECORD_ALIGN 64u
#define HK_RECORD_HEADER 64u
#define HK_SEGMENT_FIRST 4096u /* first record of a segment */
#define HK_FILE_FIRST 64u      /* first record of every other file */
#define HK_RECORD_MAX                                                                      \
    (1u << 30)                   /* bytes of one record; larger content has its own file   \
                                  */
#define HK_HEAD_MAX (256u << 20) /* bytes of one envelope or journal body */

typedef enum {
    HK_RECORD_MESSAGE = 1, /* head: envelope */
    HK_RECORD_VOID = 2,    /* room that is not used */
    /* journal */
    HK_RECORD_OUTCOME = 16, /* arg: recipient, flags: status, extra: position before */
    HK_RECORD_STATE = 17,   /* arg: meta, head: states */
    HK_RECORD_META = 18,    /* arg: meta */
    HK_RECORD_DONE = 19,
    HK_RECORD_MOVED = 20, /* to deferred/; arg: meta, extra: length | size_kib << 32 */
    HK_RECORD_FREED = 21, /* id: generation */
    /* checkpoint */
    HK_RECORD_SEGMENT = 32, /* id: generation, arg: accounted, flags: HK_SEGMENT_* */
    HK_RECORD_ENTRY = 33,   /* arg: meta, extra: generation, head: place, then states */
    HK_RECORD_END = 34      /* arg: number of records before, extra: journal position */
} HkRecordType;

enum { HK_RECORD_HAS_FILE = 1 << 0 }; /* flags of a message: content in incoming/ */

typedef struct {
    uint8_t type;
    uint16_t flags;
    uint64_t id;
    uint32_t length; /* header, head and content as they stand here; without padding */
    uint32_t head_size;
    uint64_t arg; /* a message's content size */
    uint32_t head_crc;
    uint32_t content_crc; /* of a content file: seeded with 0 */
    uint64_t extra;
} HkRecord;

typedef enum {
    HK_FILE_SEGMENT = 1,
    HK_FILE_MESSAGE = 2, /* deferred/: one record copied, seeds of its segment */
    HK_FILE_JOURNAL = 3,
    HK_FILE_CHECKPOINT = 4
} HkFileKind;

/* What the records of a file are sealed with. */
typedef struct {
    uint64_t generation; /* segments; journals and checkpoints: their position */
    uint64_t mark;
    uint32_t crc; /* of both */
} HkSeed;

HkSeed hk_seed (uint64_t generation, uint64_t mark);
uint64_t hk_random_mark (void); /* never 0 */

static inline uint64_t
hk_record_padded (uint64_t length)
{
    return (length + HK_RECORD_ALIGN - 1) & ~(uint64_t) (HK_RECORD_ALIGN - 1);
}
static inline uint64_t
hk_record_content_here (const HkRecord *r) /* bytes of content inside the record */
{
    return r->length - HK_RECORD_HEADER - r->head_size;
}

/* Write the header at AT; head_crc and content_crc are given. */
void hk_record_put (uint8_t *at, const HkRecord *record, const HkSeed *seed);
/* Compute both checksums over the bytes behind AT, then put. */
void hk_record_seal (uint8_t *at, HkRecord *record, const HkSeed *seed);
/* False: not a record header of this file.  Sizes are consistent when true. */
bool hk_record_get (const uint8_t *at, const HkSeed *seed, HkRecord *out);
/* Could these 64 bytes have been a header of this file before they were damaged? */
bool hk_record_leaves_trace (const uint8_t *at, const HkSeed *seed);

/* 64 bytes at the front of each file. */
void hk_file_header_put (uint8_t *at, HkFileKind kind, uint32_t lane, uint32_t first,
                         const HkSeed *seed);
/* A segment's size is fixed when it is begun: a shorter file was cut. */
void hk_file_header_put_size (uint8_t *at, uint64_t size);
uint64_t hk_file_header_size (const uint8_t *at); /* 0: not said */
/* CORRUPT when it does not read; ABSENT when it is all zeros. */
bool hk_file_header_get (const uint8_t *at, HkFileKind *out_kind, uint32_t *out_lane,
                         uint32_t *out_first, HkSeed *out, GError **error);

/* Scheduling facts of an entry in one number. */
uint64_t hk_meta_pack (const HkEntry *entry);
void hk_meta_unpack (uint64_t meta, HkEntry *entry);

/* Recipients' states as the head of STATE and ENTRY records. */
void hk_states_pack (GByteArray *out, const HkRecipientState *states, size_t n);

static inline void
hk_put_u32 (uint8_t *at, uint32_t v)
{
    v = GUINT32_TO_LE (v);
    memcpy (at, &v, sizeof v);
}
static inline void
hk_put_u64 (uint8_t *at, uint64_t v)
{
    v = GUINT64_TO_LE (v);
    memcpy (at, &v, sizeof v);
}
static inline uint32_t
hk_get_u32 (const uint8_t *at)
{
    uint32_t v;
    memcpy (&v, at, sizeof v);
    return GUINT32_FROM_LE (v);
}
static inline uint64_t
hk_get_u64 (const uint8_t *at)
{
    uint64_t v;
    memcpy (&v, at, sizeof v);
    return GUINT64_FROM_LE (v);
}

#endif
