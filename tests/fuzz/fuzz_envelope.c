/* fuzz_envelope.c: packed envelopes: any bytes; what is accepted packs to a fixed point. */
#include "config.h"

#include "mail/envelope.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static GBytes *
pack (const HkEnvelope *envelope)
{
    GByteArray *out = g_byte_array_new ();
    hk_envelope_pack (envelope, out);
    return g_byte_array_free_to_bytes (out);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    HkQueueId id;
    char text[HK_QUEUE_ID_TEXT];
    if (hk_queue_id_parse (hk_span (data, size), &id))
        g_assert (hk_span_is (hk_span (data, size), hk_queue_id_format (id, text)));
    g_autoptr (GBytes) input = g_bytes_new (data, size);
    g_autoptr (HkEnvelope) first = hk_envelope_unpack (input);
    if (first == NULL)
        return 0;
    g_assert (first->n_recipients <= size / 2);
    g_autoptr (GBytes) packed = pack (first);
    g_autoptr (HkEnvelope) second = hk_envelope_unpack (packed);
    g_assert (second != NULL && second->n_recipients == first->n_recipients);
    g_autoptr (GBytes) again = pack (second);
    g_assert (g_bytes_equal (packed, again));
    return 0;
}
