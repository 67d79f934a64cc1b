/* pack.c: varints, spans and fields. */
#include "config.h"

#include "base/pack.h"

void
hk_pack_u64 (GByteArray *out, uint64_t value)
{
    uint8_t b[10];
    guint n = 0;
    while (value >= 0x80) {
        b[n++] = (uint8_t) (value | 0x80);
        value >>= 7;
    }
    b[n++] = (uint8_t) value;
    g_byte_array_append (out, b, n);
}

void
hk_pack_i64 (GByteArray *out, int64_t value)
{
    hk_pack_u64 (out, ((uint64_t) value << 1) ^ (uint64_t) (value >> 63));
}

void
hk_pack_span (GByteArray *out, HkSpan s)
{
    hk_pack_u64 (out, s.size);
    if (s.size > 0)
        g_byte_array_append (out, s.data, (guint) s.size);
}

void
hk_pack_field (GByteArray *out, uint64_t tag, HkSpan s)
{
    if (s.size == 0)
        return;
    hk_pack_u64 (out, tag);
    hk_pack_span (out, s);
}

void
hk_pack_field_u64 (GByteArray *out, uint64_t tag, uint64_t value)
{
    if (value == 0)
        return;
    uint8_t b[8];
    guint n = 0;
    for (; value != 0; value >>= 8)
        b[n++] = (uint8_t) value;
    hk_pack_field (out, tag, hk_span (b, n));
}

uint64_t
hk_unpack_u64 (HkUnpack *self)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && self->at < self->end; shift += 7) {
        uint8_t b = *self->at++;
        if (shift == 63 && b > 1)
            break;
        value |= (uint64_t) (b & 0x7f) << shift;
        if (b < 0x80)
            return value;
    }
    self->failed = true;
    self->at = self->end;
    return 0;
}

int64_t
hk_unpack_i64 (HkUnpack *self)
{
    uint64_t v = hk_unpack_u64 (self);
    return (int64_t) (v >> 1) ^ -(int64_t) (v & 1);
}

HkSpan
hk_unpack_span (HkUnpack *self)
{
    uint64_t size = hk_unpack_u64 (self);
    if (self->failed || size > (size_t) (self->end - self->at)) {
        self->failed = true;
        self->at = self->end;
        return HK_SPAN_NONE;
    }
    HkSpan s = hk_span (self->at, (size_t) size);
    self->at += size;
    return s;
}

bool
hk_unpack_field (HkUnpack *self, uint64_t *out_tag, HkSpan *out_value)
{
    uint64_t tag = hk_unpack_u64 (self);
    if (self->failed || tag == 0)
        return false;
    HkSpan value = hk_unpack_span (self);
    if (self->failed)
        return false;
    *out_tag = tag;
    *out_value = value;
    return true;
}

uint64_t
hk_unpack_value_u64 (HkSpan field_value)
{
    uint64_t value = 0;
    for (size_t i = MIN (field_value.size, (size_t) 8); i > 0; i--)
        value = value << 8 | field_value.data[i - 1];
    return value;
}
