/* qmqp_parse.c: netstrings of a QMQP package, taken apart as they arrive. */
#include "config.h"
#include "session/qmqp_parse.h"

enum { IN_LENGTH, IN_BYTES, AT_COMMA };
enum { MAX_DIGITS = 18 }; /* fits an int64_t */

const char *
hk_qmqp_part_name (HkQmqpPart part)
{
    switch (part) {
    case HK_QMQP_PACKET:
        return "QMQP packet header";
    case HK_QMQP_MESSAGE:
        return "message content";
    case HK_QMQP_SENDER:
        return "sender address";
    default:
        return "recipient address";
    }
}

void
hk_qmqp_parser_clear (HkQmqpParser *self)
{
    if (self->address != NULL)
        g_string_free (self->address, TRUE);
    self->address = NULL;
}

/* The length of a netstring is known. */
static HkQmqpProgress
begin_item (HkQmqpParser *self)
{
    uint64_t length = self->length;
    self->length = self->n_digits = 0;
    if (self->part == HK_QMQP_PACKET) {
        self->packet_left = length;
        self->part = HK_QMQP_MESSAGE;
        return HK_QMQP_MORE;
    }
    if (self->part == HK_QMQP_MESSAGE
            ? self->message_limit > 0 && length > self->message_limit
            : length > self->address_limit)
        return HK_QMQP_LONG;
    if (length >= self->packet_left) /* its comma lies inside as well */
        return HK_QMQP_BAD;
    self->item_left = length;
    self->state = length > 0 ? IN_BYTES : AT_COMMA;
    return HK_QMQP_MORE;
}

static HkQmqpProgress
take_digit (HkQmqpParser *self, uint8_t c)
{
    if (!g_ascii_isdigit (c) || (self->n_digits > 0 && self->length == 0))
        return HK_QMQP_BAD;
    if (self->n_digits++ == MAX_DIGITS)
        return HK_QMQP_LONG;
    self->length = self->length * 10 + (uint64_t) (c - '0');
    return HK_QMQP_MORE;
}

static HkQmqpProgress
take_length (HkQmqpParser *self, uint8_t c)
{
    if (self->part != HK_QMQP_PACKET) {
        bool is_over = self->packet_left == 0;
        if (is_over && self->part == HK_QMQP_RECIPIENT && self->n_digits == 0 && c == ',')
            return HK_QMQP_END;
        if (is_over)
            return HK_QMQP_BAD;
        self->packet_left--;
    }
    if (c != ':')
        return take_digit (self, c);
    return self->n_digits > 0 ? begin_item (self) : HK_QMQP_BAD;
}

/* As many bytes of the open netstring as there are in INPUT. */
static size_t
take_bytes (HkQmqpParser *self, HkSpan input)
{
    HkSpan run = hk_span_sub (input, 0, (size_t) MIN (self->item_left, input.size));
    self->item_left -= run.size;
    self->packet_left -= run.size;
    if (self->part == HK_QMQP_MESSAGE) {
        self->fns->message (run, self->data);
    } else {
        if (self->address == NULL)
            self->address = g_string_sized_new (128);
        hk_string_append (self->address, run);
    }
    if (self->item_left == 0)
        self->state = AT_COMMA;
    return run.size;
}

static HkQmqpProgress
take_comma (HkQmqpParser *self, uint8_t c)
{
    HkQmqpPart part = self->part;
    if (c != ',')
        return HK_QMQP_BAD;
    self->packet_left--;
    self->state = IN_LENGTH;
    if (part == HK_QMQP_MESSAGE) {
        self->part = HK_QMQP_SENDER;
        return HK_QMQP_MORE;
    }
    HkSpan address =
        self->address != NULL ? hk_span_string (self->address) : hk_span ("", 0);
    bool ok = self->fns->address (part, address, self->data);
    if (self->address != NULL)
        g_string_truncate (self->address, 0);
    if (!ok)
        return HK_QMQP_REFUSED;
    self->part = HK_QMQP_RECIPIENT;
    return HK_QMQP_MORE;
}

HkQmqpProgress
hk_qmqp_feed (HkQmqpParser *self, HkSpan input)
{
    HkQmqpProgress progress = HK_QMQP_MORE;
    for (size_t at = 0; at < input.size && progress == HK_QMQP_MORE;) {
        if (self->state == IN_BYTES)
            at += take_bytes (self, hk_span_sub (input, at, input.size));
        else if (self->state == AT_COMMA)
            progress = take_comma (self, input.data[at++]);
        else
            progress = take_length (self, input.data[at++]);
    }
    return progress;
}
