/* test_envelope.c: queue ids; envelopes packed and unpacked, and what is refused. */
#include "config.h"
#include "mail/envelope.h"

static void
test_queue_id (void)
{
    static const struct {
        HkQueueId id;
        const char *text;
    } cases[] = {{0, "0000000000"},
                 {1, "0000000001"},
                 {0xffffffffff, "FFFFFFFFFF"},
                 {0x10000000000, "10000000000"},
                 {0x18d1234567890ab, "18D1234567890AB"},
                 {UINT64_MAX, "FFFFFFFFFFFFFFFF"}};
    static const char *const wrong[] = {"",
                                        "123",
                                        "000000000a",
                                        "0000000000000001",
                                        "00000000001",
                                        "0000000 00",
                                        "FFFFFFFFFFFFFFFFF",
                                        "GGGGGGGGGG"};
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        char text[HK_QUEUE_ID_TEXT];
        HkQueueId id = 77;
        g_assert_cmpstr (hk_queue_id_format (cases[i].id, text), ==, cases[i].text);
        g_assert_true (hk_queue_id_parse (hk_span_text (text), &id));
        g_assert_cmpuint (id, ==, cases[i].id);
    }
    for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
        HkQueueId id;
        g_assert_false (hk_queue_id_parse (hk_span_text (wrong[i]), &id));
    }
}

static HkEnvelope *
round_trip (const HkEnvelope *envelope)
{
    GByteArray *out = g_byte_array_new ();
    hk_envelope_pack (envelope, out);
    g_autoptr (GBytes) packed = g_byte_array_free_to_bytes (out);
    return hk_envelope_unpack (packed);
}

static HkRecipient recipients[] = {
    {HK_SPAN ("a@example.org"), HK_SPAN_NONE, HK_SPAN_NONE, 0, 0},
    {HK_SPAN ("b@example.org"), HK_SPAN ("alias@example.org"),
     HK_SPAN ("rfc822;x@example.net"), HK_NOTIFY_SUCCESS | HK_NOTIFY_DELAY, 5},
    {HK_SPAN (""), HK_SPAN_NONE, HK_SPAN_NONE, 0, 0},
    {HK_SPAN ("\"c\n\0d\"@example.org"), HK_SPAN_NONE, HK_SPAN_NONE, 0, UINT32_MAX},
};

static HkEnvelope
full_envelope (void)
{
    return (HkEnvelope){.queue_id = 0x18d1234567890ab,
                        .arrival_us = 1795640400123456,
                        .flags = HK_ENVELOPE_SMTPUTF8 | HK_ENVELOPE_LOCAL,
                        .content_flags = HK_CONTENT_8BIT,
                        .sender = HK_SPAN ("s@example.org"),
                        .envid = HK_SPAN ("env+id"),
                        .recipients = recipients,
                        .n_recipients = G_N_ELEMENTS (recipients),
                        .client_name = HK_SPAN ("mx.example"),
                        .client_address = HK_SPAN ("192.0.2.1"),
                        .client_helo = HK_SPAN ("helo.example"),
                        .client_protocol = HK_SPAN ("ESMTP"),
                        .client_port = HK_SPAN ("4711"),
                        .sasl_method = HK_SPAN ("PLAIN"),
                        .sasl_username = HK_SPAN ("user"),
                        .sasl_sender = HK_SPAN ("other"),
                        .content_filter = HK_SPAN ("smtp:[127.0.0.1]:10025"),
                        .redirect = HK_SPAN ("r@example.org"),
                        .hold_reason = HK_SPAN ("why"),
                        .message_id = HK_SPAN ("<1@example.org>"),
                        .uid = 1000,
                        .release_s = 1795650000,
                        .deliver_by_us = -1795640400123456,
                        .priority = -9,
                        .verp = HK_SPAN ("+=")};
}

static void
assert_same_recipient (const HkRecipient *a, const HkRecipient *b)
{
    g_assert_true (hk_span_equal (a->address, b->address));
    g_assert_true (hk_span_equal (a->original, b->original));
    g_assert_true (hk_span_equal (a->orcpt, b->orcpt));
    g_assert_cmpuint (a->notify, ==, b->notify);
    g_assert_cmpuint (a->flags, ==, b->flags);
}

static void
test_round_trip (void)
{
    HkEnvelope in = full_envelope ();
    g_autoptr (HkEnvelope) out = round_trip (&in);
    g_assert_nonnull (out);
    g_assert_cmpuint (out->queue_id, ==, in.queue_id);
    g_assert_cmpint (out->arrival_us, ==, in.arrival_us);
    g_assert_cmpuint (out->flags, ==, in.flags);
    g_assert_cmpuint (out->content_flags, ==, in.content_flags);
    g_assert_cmpuint (out->uid, ==, in.uid);
    g_assert_cmpint (out->release_s, ==, in.release_s);
    g_assert_cmpint (out->deliver_by_us, ==, in.deliver_by_us);
    g_assert_cmpint (out->priority, ==, in.priority);
#define SAME(f) g_assert_true (hk_span_equal (out->f, in.f) && out->f.size > 0)
    SAME (sender);
    SAME (envid);
    SAME (client_name);
    SAME (client_address);
    SAME (client_helo);
    SAME (client_protocol);
    SAME (client_port);
    SAME (sasl_method);
    SAME (sasl_username);
    SAME (sasl_sender);
    SAME (content_filter);
    SAME (redirect);
    SAME (hold_reason);
    SAME (message_id);
    SAME (verp);
#undef SAME
    g_assert_cmpuint (out->n_recipients, ==, in.n_recipients);
    for (size_t i = 0; i < in.n_recipients; i++)
        assert_same_recipient (&in.recipients[i], &out->recipients[i]);
}

static void
test_empty (void)
{
    HkEnvelope in = {.arrival_us = -5};
    g_autoptr (HkEnvelope) out = round_trip (&in);
    g_assert_nonnull (out);
    g_assert_cmpint (out->arrival_us, ==, -5);
    g_assert_cmpuint (out->sender.size, ==, 0);
    g_assert_cmpuint (out->n_recipients, ==, 0);
}

static HkEnvelope *
unpack (HkSpan bytes)
{
    g_autoptr (GBytes) packed = g_bytes_new (bytes.data, bytes.size);
    return hk_envelope_unpack (packed);
}

static void
test_malformed (void)
{
    static const HkSpan wrong[] = {
        HK_SPAN (""),        /* no end */
        HK_SPAN ("\5\1a"),   /* no end */
        HK_SPAN ("\0x"),     /* bytes after the end */
        HK_SPAN ("\0\0"),    /* the same */
        HK_SPAN ("\5\5a\0"), /* longer than what is there */
        HK_SPAN (
            "\5\377\377\377\377\377\377\377\377\377\1a\0"), /* the most a size can say */
        HK_SPAN ("\41\1x\0"),                               /* original address of nobody */
        HK_SPAN ("\44\1\1\40\1a\0"),                        /* flags before the recipient */
        HK_SPAN ("\377\377\377\377\377\377\377\377\377\377\377\1\0"), /* endless tag */
    };
    for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++)
        g_assert_null (unpack (wrong[i]));
}

/* Every prefix of a good one is malformed; no byte that is changed does harm. */
static void
test_torn_and_flipped (void)
{
    HkEnvelope in = full_envelope ();
    g_autoptr (GByteArray) packed = g_byte_array_new ();
    hk_envelope_pack (&in, packed);
    for (guint size = 0; size < packed->len; size++)
        g_assert_null (unpack (hk_span (packed->data, size)));
    for (guint i = 0; i < packed->len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            packed->data[i] ^= (guint8) (1 << bit);
            g_autoptr (HkEnvelope) out = unpack (hk_span (packed->data, packed->len));
            if (out != NULL)
                g_assert_cmpuint (out->n_recipients, <=, packed->len / 2);
            packed->data[i] ^= (guint8) (1 << bit);
        }
    }
}

static void
test_newer_writer (void)
{
    /* sender "s", unknown tags 7 and 1000, recipient "r", unknown 40 */
    g_autoptr (HkEnvelope) out = unpack (HK_SPAN ("\5\1s\7\2xx\350\7\1y\40\1r\50\1z\0"));
    g_assert_nonnull (out);
    g_assert_true (hk_span_is (out->sender, "s"));
    g_assert_cmpuint (out->n_recipients, ==, 1);
    g_assert_true (hk_span_is (out->recipients[0].address, "r"));
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/mail/envelope/queue-id", test_queue_id);
    g_test_add_func ("/mail/envelope/round-trip", test_round_trip);
    g_test_add_func ("/mail/envelope/empty", test_empty);
    g_test_add_func ("/mail/envelope/malformed", test_malformed);
    g_test_add_func ("/mail/envelope/torn-and-flipped", test_torn_and_flipped);
    g_test_add_func ("/mail/envelope/newer-writer", test_newer_writer);
    return g_test_run ();
}
