/* crc32c.c: the checksum of store records. */
#include "config.h"

#include "base/crc32c.h"

#include <glib.h>
#include <string.h>

static uint32_t table[256];

static void
fill_table (void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
        table[i] = c;
    }
}

static uint32_t
crc_by_table (uint32_t c, const uint8_t *p, size_t size)
{
    while (size-- > 0)
        c = c >> 8 ^ table[(c ^ *p++) & 0xff];
    return c;
}

#if defined(__x86_64__)
__attribute__ ((target ("sse4.2"))) static uint32_t
crc_by_instruction (uint32_t c, const uint8_t *p, size_t size)
{
    uint64_t wide = c;
    for (; size >= 8; p += 8, size -= 8) {
        uint64_t word;
        memcpy (&word, p, 8);
        wide = __builtin_ia32_crc32di (wide, word);
    }
    c = (uint32_t) wide;
    while (size-- > 0)
        c = __builtin_ia32_crc32qi (c, *p++);
    return c;
}
#endif

static uint32_t (*best) (uint32_t c, const uint8_t *p, size_t size);

static void
choose (void)
{
    static gsize once;
    if (g_once_init_enter (&once)) {
        fill_table ();
        best = crc_by_table;
#if defined(__x86_64__)
        if (__builtin_cpu_supports ("sse4.2"))
            best = crc_by_instruction;
#endif
        g_once_init_leave (&once, 1);
    }
}

uint32_t
hk_crc32c (uint32_t seed, const void *data, size_t size)
{
    choose ();
    return ~best (~seed, data, size);
}
