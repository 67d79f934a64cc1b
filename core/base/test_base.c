/* test_base.c: spans, packing, text grammar, checksum, counters. */
#include "config.h"

#include "base/crc32c.h"
#include "base/heap.h"
#include "base/pack.h"
#include "base/stats.h"
#include "base/text.h"

#include <glib/gstdio.h>

static void
test_words (void)
{
    static const struct {
        const char *text;
        const char *words; /* joined by '|' */
    } rows[] = {
        { "", "" },
        { "  ,, ", "" },
        { "a b,c\n\td", "a|b|c|d" },
        { "a { b, c } d", "a|{ b, c }|d" },
        { "inline:{k=v, {a = b c}} x", "inline:{k=v, {a = b c}}|x" }, /* braces inside a word */
        { "{ open", "{ open" },                                       /* not closed: one word */
    };
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        HkSpan rest = hk_span_text (rows[i].text), word;
        g_autoptr (GString) got = g_string_new (NULL);
        while (hk_text_next_word (&rest, &word)) {
            if (got->len > 0)
                g_string_append_c (got, '|');
            hk_string_append (got, word);
        }
        g_assert_cmpstr (got->str, ==, rows[i].words);
    }
}

static void
test_numbers (void)
{
    int64_t t;
    uint64_t u;
    g_assert_true (hk_text_parse_time (HK_SPAN ("5d"), 's', &t));
    g_assert_cmpint (t, ==, 5 * 86400);
    g_assert_true (hk_text_parse_time (HK_SPAN ("300"), 's', &t));
    g_assert_cmpint (t, ==, 300);
    g_assert_false (hk_text_parse_time (HK_SPAN ("86400"), 'w', &t)); /* too long for a time */
    g_assert_false (hk_text_parse_time (HK_SPAN ("5x"), 's', &t));
    g_assert_false (hk_text_parse_time (HK_SPAN ("-1s"), 's', &t));
    g_assert_true (hk_text_parse_u64 (HK_SPAN ("18446744073709551615"), UINT64_MAX, &u));
    g_assert_false (hk_text_parse_u64 (HK_SPAN ("18446744073709551616"), UINT64_MAX, &u));
    g_assert_false (hk_text_parse_u64 (HK_SPAN (""), 5, &u));
    g_assert_false (hk_text_parse_u64 (HK_SPAN ("6"), 5, &u));
}

static void
test_printable (void)
{
    g_autoptr (GString) s = g_string_new (NULL);
    hk_text_append_printable (s, HK_SPAN ("a\r\nb\0c\xc3\xa9\xff"), 100, true);
    g_assert_cmpstr (s->str, ==, "a??b?c\xc3\xa9?");
    g_string_truncate (s, 0);
    hk_text_append_printable (s, HK_SPAN ("abcdef"), 3, false);
    g_assert_cmpstr (s->str, ==, "abc...");
}

static void
test_xtext (void)
{
    g_autoptr (GString) a = g_string_new (NULL), b = g_string_new (NULL);
    hk_text_append_xtext (a, HK_SPAN ("a+b=c d"));
    g_assert_cmpstr (a->str, ==, "a+2Bb+3Dc+20d");
    g_assert_true (hk_text_decode_xtext (hk_span_string (a), b));
    g_assert_cmpstr (b->str, ==, "a+b=c d");
    g_assert_false (hk_text_decode_xtext (HK_SPAN ("a+2"), b));
    g_assert_false (hk_text_decode_xtext (HK_SPAN ("a+2g"), b));
    g_assert_false (hk_text_decode_xtext (HK_SPAN ("a=b"), b));
    g_assert_true (hk_text_decode_xtext (HK_SPAN ("x+41"), b));
    g_assert_cmpstr (b->str, ==, "a+b=c dxA");
}

static void
test_pack (void)
{
    static const uint64_t values[] = { 0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX };
    g_autoptr (GByteArray) out = g_byte_array_new ();
    for (size_t i = 0; i < G_N_ELEMENTS (values); i++) {
        hk_pack_u64 (out, values[i]);
        hk_pack_i64 (out, (int64_t) values[i]);
    }
    hk_pack_span (out, HK_SPAN ("hello"));
    hk_pack_field_u64 (out, 7, 0x1234);
    hk_pack_field (out, 9, HK_SPAN ("x"));
    hk_pack_end (out);
    HkUnpack in = hk_unpack (hk_span (out->data, out->len));
    for (size_t i = 0; i < G_N_ELEMENTS (values); i++) {
        g_assert_cmpuint (hk_unpack_u64 (&in), ==, values[i]);
        g_assert_cmpint (hk_unpack_i64 (&in), ==, (int64_t) values[i]);
    }
    g_assert_true (hk_span_is (hk_unpack_span (&in), "hello"));
    uint64_t tag;
    HkSpan value;
    g_assert_true (hk_unpack_field (&in, &tag, &value));
    g_assert_cmpuint (tag, ==, 7);
    g_assert_cmpuint (hk_unpack_value_u64 (value), ==, 0x1234);
    g_assert_true (hk_unpack_field (&in, &tag, &value));
    g_assert_false (hk_unpack_field (&in, &tag, &value));
    g_assert_false (in.failed);
    g_assert_true (in.at == in.end);
}

/* Every cut of a good buffer fails or ends early, and never reads past its end. */
static void
test_pack_cut (void)
{
    static const uint8_t wild[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f };
    HkUnpack in = hk_unpack (hk_span (wild, sizeof wild));
    hk_unpack_u64 (&in);
    g_assert_true (in.failed);
    in = hk_unpack (HK_SPAN ("\x05hell"));
    g_assert_cmpuint (hk_unpack_span (&in).size, ==, 0);
    g_assert_true (in.failed);
    g_assert_cmpuint (hk_unpack_u64 (&in), ==, 0);
}

static void
test_crc (void)
{
    uint8_t zero[32] = { 0 };
    g_assert_cmphex (hk_crc32c (0, "123456789", 9), ==, 0xe3069283); /* RFC 3720 B.4's check */
    g_assert_cmphex (hk_crc32c (0, zero, 32), ==, 0x8a9136aa);       /* RFC 3720 B.4 */
    g_assert_cmphex (hk_crc32c (hk_crc32c (0, "1234", 4), "56789", 5), ==, 0xe3069283);
}

static void
collect (const char *role, int pid, const char *name, uint64_t value, void *data)
{
    (void) pid;
    g_string_append_printf (data, "%s/%s=%" G_GUINT64_FORMAT ";", role, name, value);
}

static void
test_stats (void)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *dir = g_dir_make_tmp ("hk-stats-XXXXXX", &error);
    g_assert_no_error (error);
    HkStats *stats = hk_stats_open (dir, "qmgr", &error);
    g_assert_no_error (error);
    uint64_t *slot = hk_stats_slot (stats, "queue.messages");
    hk_stats_set (slot, 5);
    hk_stats_add (hk_stats_slot (stats, "queue.messages"), -2);
    hk_stats_add (hk_stats_slot (stats, "bounced"), 1);
    g_autoptr (GString) got = g_string_new (NULL);
    g_assert_true (hk_stats_read_all (dir, collect, got, &error));
    g_assert_cmpstr (got->str, ==, "qmgr/queue.messages=3;qmgr/bounced=1;");
    hk_stats_free (stats);
    g_assert_cmpint (g_rmdir (dir), ==, 0); /* the file is gone */
}

static void
test_distance (void)
{
    g_assert_cmpuint (hk_text_distance ("relayhost", "relay_host", 3), ==, 1);
    g_assert_cmpuint (hk_text_distance ("abc", "abc", 3), ==, 0);
    g_assert_cmpuint (hk_text_distance ("abcdef", "uvwxyz", 2), ==, 3);
}

static void
test_arena (void)
{
    g_autoptr (HkArena) arena = hk_arena_new (64);
    HkSpan a = hk_arena_copy (arena, HK_SPAN ("first"));
    for (int i = 0; i < 100; i++)
        memset (hk_arena_alloc (arena, 100), 0xee, 100);
    g_assert_true (hk_span_is (a, "first"));
    HkArenaMark mark = hk_arena_mark (arena);
    size_t used = hk_arena_used (arena);
    g_assert_true (hk_arena_is_at (arena, mark));
    for (int i = 0; i < 100; i++)
        memset (hk_arena_alloc (arena, 100), 0xee, 100);
    g_assert_false (hk_arena_is_at (arena, mark));
    hk_arena_rewind (arena, mark);
    g_assert_cmpuint (hk_arena_used (arena), ==, used);
    hk_arena_copy (arena, HK_SPAN ("again"));
    g_assert_true (hk_span_is (a, "first"));
    hk_arena_reset (arena);
    g_assert_cmpuint (hk_arena_used (arena), ==, 0);
}

typedef struct {
    int64_t key;
    uint32_t place;
} Item;

static int64_t
item_key (const void *item)
{
    return ((const Item *) item)->key;
}

static uint32_t *
item_place (void *item)
{
    return &((Item *) item)->place;
}

static void
test_heap (void)
{
    enum { N = 500 };
    g_autofree Item *items = g_new0 (Item, N);
    HkHeap heap;
    hk_heap_init (&heap, item_key, item_place);
    g_assert_null (hk_heap_first (&heap));
    for (int i = 0; i < N; i++) {
        items[i].key = g_test_rand_int_range (0, 1000);
        if (i < N / 2)
            hk_heap_append (&heap, &items[i]);
    }
    hk_heap_order (&heap);
    for (int i = N / 2; i < N; i++)
        hk_heap_add (&heap, &items[i]);
    for (int i = 0; i < N; i += 5) {
        hk_heap_remove (&heap, &items[i]);
        hk_heap_remove (&heap, &items[i]); /* it is not there: nothing */
        g_assert_cmpuint (items[i].place, ==, 0);
    }
    for (int i = 1; i < N; i += 5) {
        items[i].key = g_test_rand_int_range (0, 1000);
        if (i % 2 == 0)
            hk_heap_moved (&heap, &items[i]);
        else
            hk_heap_add (&heap, &items[i]);
    }
    int64_t last = 0;
    unsigned n = 0;
    for (Item *first; (first = hk_heap_first (&heap)) != NULL; n++) {
        g_assert_cmpint (first->key, >=, last);
        last = first->key;
        hk_heap_remove (&heap, first);
    }
    g_assert_cmpuint (n, ==, N - N / 5);
    hk_heap_add (&heap, &items[0]);
    hk_heap_clear (&heap);
    g_assert_cmpuint (items[0].place, ==, 0);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/base/words", test_words);
    g_test_add_func ("/base/numbers", test_numbers);
    g_test_add_func ("/base/printable", test_printable);
    g_test_add_func ("/base/xtext", test_xtext);
    g_test_add_func ("/base/pack", test_pack);
    g_test_add_func ("/base/pack-cut", test_pack_cut);
    g_test_add_func ("/base/crc32c", test_crc);
    g_test_add_func ("/base/stats", test_stats);
    g_test_add_func ("/base/distance", test_distance);
    g_test_add_func ("/base/arena", test_arena);
    g_test_add_func ("/base/heap", test_heap);
    return g_test_run ();
}
