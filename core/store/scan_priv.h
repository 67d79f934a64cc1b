/* scan_priv.h: walking the records of a file, and finding the next one behind damage.  Any
 * thread. */
#ifndef HK_STORE_SCAN_PRIV_H
#define HK_STORE_SCAN_PRIV_H

#include "store/record_priv.h"

typedef enum {
    HK_SCAN_END,    /* nothing more */
    HK_SCAN_RECORD, /* header reads; the body was not looked at */
    HK_SCAN_GAP,    /* bytes that are no record, and a record behind them */
    HK_SCAN_TAIL    /* bytes that were or would have become a record, nothing behind them */
} HkScanResult;

typedef struct {
    int fd; /* borrowed */
    HkSeed seed;
    uint64_t at, end; /* next record; end of what is looked at */
    size_t chunk;     /* bytes read at once */
    uint8_t *window;
    uint64_t window_at;
    size_t window_size, window_room;
} HkScan;

/* CHUNK small: bodies are skipped; large: the whole file will be read. */
void hk_scan_init (HkScan *self, int fd, const HkSeed *seed, uint64_t from, uint64_t end,
                   size_t chunk);
void hk_scan_clear (HkScan *self);
/* Moves on.  OUT_AT, OUT_SIZE: where the record, gap or tail is. */
HkScanResult hk_scan_next (HkScan *self, HkRecord *out, uint64_t *out_at,
                           uint64_t *out_size);
/* The head behind the header at AT: NULL when its checksum fails.  Borrowed until the next
 * call. */
const uint8_t *hk_scan_head (HkScan *self, uint64_t at, const HkRecord *record);
/* Do head and content of the record at AT match their checksums? */
bool hk_record_verify (int fd, const HkSeed *seed, uint64_t at, const HkRecord *record);
/* CRC32C of SIZE bytes of FD at AT, going on from SEED; false when they are not there. */
bool hk_crc_file (int fd, uint64_t at, uint64_t size, uint32_t seed, uint32_t *out);

#endif
