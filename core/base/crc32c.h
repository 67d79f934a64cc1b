/* crc32c.h: the checksum of store records (Castagnoli polynomial, RFC 3720 B.4). */
#ifndef HK_BASE_CRC32C_H
#define HK_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Go on from SEED (0 at first) over SIZE bytes.  Uses the processor's instruction if it has
 * one.  Any thread. */
uint32_t hk_crc32c (uint32_t seed, const void *data, size_t size);

#endif
