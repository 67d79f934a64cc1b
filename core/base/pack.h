/* pack.h: the byte encoding that store records and frames between roles share.
 *
 * Numbers are little-endian base-128 varints; a span is its length and its bytes; an optional
 * field is a varint tag (not 0), then a span; tag 0 ends a list of fields.  Unknown tags are
 * skipped, so newer writers do not disturb older readers.  Reading is bounded: after the first
 * error every read gives 0 or an empty span, and `failed` tells.  Any thread. */
#ifndef HK_BASE_PACK_H
#define HK_BASE_PACK_H

#include "base/bytes.h"

/* Writing appends to a GByteArray. */
void hk_pack_u64 (GByteArray *out, uint64_t value);
void hk_pack_i64 (GByteArray *out, int64_t value); /* zigzag */
void hk_pack_span (GByteArray *out, HkSpan s);
void hk_pack_field (GByteArray *out, uint64_t tag, HkSpan s); /* nothing when s is empty */
void hk_pack_field_u64 (GByteArray *out, uint64_t tag, uint64_t value); /* nothing when 0 */
static inline void
hk_pack_end (GByteArray *out)
{
    hk_pack_u64 (out, 0);
}

typedef struct {
    const uint8_t *at, *end;
    bool failed;
} HkUnpack;

static inline HkUnpack
hk_unpack (HkSpan s)
{
    return (HkUnpack) { s.data, s.size == 0 ? s.data : s.data + s.size, false };
}
uint64_t hk_unpack_u64 (HkUnpack *self);
int64_t hk_unpack_i64 (HkUnpack *self);
HkSpan hk_unpack_span (HkUnpack *self); /* borrowed from the buffer */
/* Next field: false at the end of the list or on error. */
bool hk_unpack_field (HkUnpack *self, uint64_t *out_tag, HkSpan *out_value);
uint64_t hk_unpack_value_u64 (HkSpan field_value); /* of a hk_pack_field_u64 */

#endif
