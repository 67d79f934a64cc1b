/* fuzz_reply.c: replies: reading a server's bytes in pieces equals reading them whole; what
 * is made from any text is well-formed and reads back. */
#include "config.h"

#include "mail/reply.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* Feed all of INPUT in pieces of STEP; a checksum of everything that was read. */
static guint
read_all (HkSpan input, size_t step)
{
    HkReplyReader reader;
    guint sum = 0;
    hk_reply_reader_init (&reader);
    while (input.size > 0) {
        HkSpan piece = hk_span_sub (input, 0, step);
        size_t before = piece.size;
        HkReplyProgress progress = hk_reply_reader_feed (&reader, &piece);
        input = hk_span_sub (input, before - piece.size, input.size);
        if (progress == HK_REPLY_MALFORMED) {
            sum = sum * 31 + 1;
            break;
        }
        if (progress == HK_REPLY_DONE) {
            g_assert (reader.code >= 200 && reader.code <= 599);
            g_assert (strpbrk (reader.text->str, "\r\n") == NULL);
            sum = sum * 31 + g_str_hash (reader.text->str) +
                  g_str_hash (reader.lines->str) + g_str_hash (reader.dsn) +
                  (guint) reader.code;
        }
    }
    hk_reply_reader_clear (&reader);
    return sum;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    HkSpan input = hk_span (data, size), text;
    int code;
    char dsn[12];
    if (size == 0)
        return 0;
    guint whole = read_all (input, size);
    g_assert (whole == read_all (input, 1));
    g_assert (whole == read_all (input, 1u + data[0] % 7));
    if (hk_reply_split (input, &code, dsn, &text))
        g_assert (code >= 400 && code <= 599 && hk_dsn_prefix (hk_span_text (dsn)) > 0);
    if (size > 16384)
        return 0;
    g_autoptr (GString) out = g_string_new (NULL);
    hk_reply_append (out, 550, (data[0] & 1) != 0 ? "5.7.1" : NULL, input);
    HkReplyReader reader;
    HkSpan made = hk_span_string (out);
    for (size_t at = 0; at < made.size;) {
        size_t lf = hk_span_find (made, '\n', at);
        g_assert (lf < made.size && lf - at < 512);
        at = lf + 1;
    }
    hk_reply_reader_init (&reader);
    HkReplyProgress progress = hk_reply_reader_feed (&reader, &made);
    g_assert (progress == HK_REPLY_DONE || reader.size > 65536);
    g_assert (progress != HK_REPLY_DONE || (made.size == 0 && reader.code == 550));
    hk_reply_reader_clear (&reader);
    return 0;
}
