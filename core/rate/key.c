/* key.c: names as 128 bits that a stranger cannot foresee (SipHash-2-4, twice). */
#include "config.h"
#include "rate/rate_priv.h"

static inline uint64_t
rotate (uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void
mix (uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate (v[1], 13) ^ v[0];
    v[3] = rotate (v[3], 16) ^ v[2];
    v[0] = rotate (v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate (v[1], 17) ^ v[2];
    v[3] = rotate (v[3], 21) ^ v[0];
    v[2] = rotate (v[2], 32);
}

static uint64_t
read_word (const uint8_t *p, size_t n)
{
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++)
        word |= (uint64_t) p[i] << (8 * i);
    return word;
}

static uint64_t
hash (const uint64_t key[2], HkSpan s)
{
    uint64_t v[4] = {key[0] ^ UINT64_C (0x736f6d6570736575),
                     key[1] ^ UINT64_C (0x646f72616e646f6d),
                     key[0] ^ UINT64_C (0x6c7967656e657261),
                     key[1] ^ UINT64_C (0x7465646279746573)};
    size_t whole = s.size / 8;
    for (size_t i = 0; i <= whole; i++) {
        uint64_t word = i < whole ? read_word (s.data + 8 * i, 8)
                                  : read_word (s.data + 8 * i, s.size % 8) |
                                        (uint64_t) s.size << 56;
        v[3] ^= word;
        mix (v);
        mix (v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (unsigned i = 0; i < 4; i++)
        mix (v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void
hk_rate_key (const uint64_t secret[4], HkSpan name, uint64_t out[2])
{
    out[0] = hash (secret, name);
    out[1] = hash (secret + 2, name);
    if (out[0] == 0 && out[1] == 0) /* means free */
        out[1] = 1;
}
