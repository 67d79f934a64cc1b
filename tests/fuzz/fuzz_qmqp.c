/* fuzz_qmqp.c: QMQP packages: bounded, nothing but what was announced, and the same however
 * the bytes arrive. */
#include "config.h"

#include "session/qmqp_parse.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

enum { MESSAGE_LIMIT = 1000, ADDRESS_LIMIT = 100 };

static void
on_message (HkSpan bytes, void *data)
{
    g_assert (bytes.size > 0);
    hk_string_append (data, bytes);
}

static bool
on_address (HkQmqpPart part, HkSpan address, void *data)
{
    g_assert (address.size <= ADDRESS_LIMIT);
    g_string_append_c (data, part == HK_QMQP_SENDER ? '\1' : '\2');
    hk_string_append (data, address);
    return true;
}

static HkQmqpProgress
run (HkSpan input, size_t step, GString *got, HkQmqpPart *out_part)
{
    static const HkQmqpFns fns = {on_message, on_address};
    HkQmqpParser parser = {.message_limit = MESSAGE_LIMIT,
                           .address_limit = ADDRESS_LIMIT,
                           .fns = &fns,
                           .data = got};
    HkQmqpProgress progress = HK_QMQP_MORE;
    for (size_t at = 0; at < input.size && progress == HK_QMQP_MORE; at += step)
        progress = hk_qmqp_feed (&parser, hk_span_sub (input, at, step));
    *out_part = parser.part;
    hk_qmqp_parser_clear (&parser);
    return progress;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    g_autoptr (GString) whole = g_string_new (NULL), pieces = g_string_new (NULL);
    HkQmqpPart part, other;
    if (size == 0)
        return 0;
    HkSpan input = hk_span (data + 1, size - 1);
    HkQmqpProgress progress = run (input, MAX (input.size, 1), whole, &part);
    g_assert (run (input, 1u + data[0] % 16u, pieces, &other) == progress);
    g_assert (part == other && g_string_equal (whole, pieces));
    g_assert (whole->len <= input.size);
    return 0;
}
