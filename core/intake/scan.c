/* scan.c: one look at each byte of the content: 8-bit, dot lines, long lines. */
#include "intake/intake_priv.h"

#define MAX_LINE 998 /* RFC 5322 2.1.1 */

static bool
has_8bit (HkSpan s)
{
    uint64_t bits = 0;
    size_t i = 0;
    for (; i + 32 <= s.size; i += 32) {
        uint64_t w[4];
        memcpy (w, s.data + i, sizeof w);
        bits |= w[0] | w[1] | w[2] | w[3];
    }
    for (; i < s.size; i++)
        bits |= (uint64_t) s.data[i];
    return (bits & UINT64_C (0x8080808080808080)) != 0;
}

void
hk_scan_feed (HkScan *self, HkSpan bytes)
{
    size_t at = 0;
    if ((self->flags & HK_CONTENT_8BIT) == 0 && has_8bit (bytes))
        self->flags |= HK_CONTENT_8BIT;
    while (at < bytes.size) {
        if (self->line_length == 0 && bytes.data[at] == '.')
            self->flags |= HK_CONTENT_DOT_LINE;
        size_t end = hk_span_find (bytes, '\n', at);
        self->line_length += end - at;
        /* The CR of the line end counts here, hence one more. */
        if (self->line_length > MAX_LINE + 1)
            self->flags |= HK_CONTENT_LONG_LINE;
        if (end == bytes.size)
            return;
        self->line_length = 0;
        at = end + 1;
    }
}
