/* envelope.c: queue ids, and the packed form of envelopes.
 *
 * Packed form, version by tags (encoding: base/pack.h).  A list of fields, each a varint
 * tag and a span (varint size, bytes); tag 0 ends the list and the envelope.  A number's
 * span holds its bytes, lowest first, without zeros at the end; a signed one is zigzag
 * coded before.  A field that is empty or 0 is left out.  A reader skips tags that it does
 * not know; when a tag is given twice the last counts.
 *
 *    1 queue id              9 client address    17 content filter   32 recipient address
 *    2 arrival, µs, zigzag  10 client helo       18 redirect         33 its original
 * address 3 flags                11 client protocol   19 hold reason      34 its ORCPT 4
 * content flags        12 client port       20 message id       35 its NOTIFY flags 5
 * sender               13 SASL method       21 uid              36 its flags 6 envelope id
 * 14 SASL user name 7 (not used)           15 SASL sender 8 client name          16 (not
 * used)
 *
 *   22 release, s, zigzag   23 deliver by, µs, zigzag   24 priority, zigzag   25 VERP delimiters
 *
 * Tag 32 begins a recipient (and is written even when its address is empty); 33 to 36
 * belong to the recipient before them and are malformed without one.  Bytes after the
 * ending 0 are malformed.  Text is kept as it came: readers make no assumption about its
 * bytes. */
#include "config.h"
#include "mail/envelope.h"

enum {
    TAG_QUEUE_ID = 1,
    TAG_ARRIVAL = 2,
    TAG_FLAGS = 3,
    TAG_CONTENT_FLAGS = 4,
    TAG_SENDER = 5,
    TAG_ENVID = 6,
    TAG_CLIENT_NAME = 8,
    TAG_CLIENT_ADDRESS = 9,
    TAG_CLIENT_HELO = 10,
    TAG_CLIENT_PROTOCOL = 11,
    TAG_CLIENT_PORT = 12,
    TAG_SASL_METHOD = 13,
    TAG_SASL_USERNAME = 14,
    TAG_SASL_SENDER = 15,
    TAG_CONTENT_FILTER = 17,
    TAG_REDIRECT = 18,
    TAG_HOLD_REASON = 19,
    TAG_MESSAGE_ID = 20,
    TAG_UID = 21,
    TAG_RELEASE = 22,
    TAG_DELIVER_BY = 23,
    TAG_PRIORITY = 24,
    TAG_VERP = 25,
    TAG_RECIPIENT = 32,
    TAG_ORIGINAL = 33,
    TAG_ORCPT = 34,
    TAG_NOTIFY = 35,
    TAG_RECIPIENT_FLAGS = 36
};

/* Text fields of the envelope by tag; offset 0 (queue_id's place): none. */
static const size_t text_fields[] = {
    [TAG_SENDER] = offsetof (HkEnvelope, sender),
    [TAG_ENVID] = offsetof (HkEnvelope, envid),
    [TAG_CLIENT_NAME] = offsetof (HkEnvelope, client_name),
    [TAG_CLIENT_ADDRESS] = offsetof (HkEnvelope, client_address),
    [TAG_CLIENT_HELO] = offsetof (HkEnvelope, client_helo),
    [TAG_CLIENT_PROTOCOL] = offsetof (HkEnvelope, client_protocol),
    [TAG_CLIENT_PORT] = offsetof (HkEnvelope, client_port),
    [TAG_SASL_METHOD] = offsetof (HkEnvelope, sasl_method),
    [TAG_SASL_USERNAME] = offsetof (HkEnvelope, sasl_username),
    [TAG_SASL_SENDER] = offsetof (HkEnvelope, sasl_sender),
    [TAG_CONTENT_FILTER] = offsetof (HkEnvelope, content_filter),
    [TAG_REDIRECT] = offsetof (HkEnvelope, redirect),
    [TAG_HOLD_REASON] = offsetof (HkEnvelope, hold_reason),
    [TAG_MESSAGE_ID] = offsetof (HkEnvelope, message_id),
    [TAG_VERP] = offsetof (HkEnvelope, verp),
};

/* ---- queue ids --------------------------------------------------------------------------
 */

char *
hk_queue_id_format (HkQueueId id, char out[HK_QUEUE_ID_TEXT])
{
    static const char digits[] = "0123456789ABCDEF";
    int n = 10;
    while (n < 16 && id >> (4 * n) != 0)
        n++;
    out[n] = '\0';
    for (int i = n - 1; i >= 0; i--, id >>= 4)
        out[i] = digits[id & 15];
    return out;
}

bool
hk_queue_id_parse (HkSpan text, HkQueueId *out)
{
    HkQueueId id = 0;
    /* One spelling for each id: no other padding than up to ten digits. */
    if (text.size < 10 || text.size > 16 || (text.size > 10 && text.data[0] == '0'))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (!g_ascii_isdigit (c) && (c < 'A' || c > 'F'))
            return false;
        id = id << 4 | (HkQueueId) (c <= '9' ? c - '0' : c - 'A' + 10);
    }
    *out = id;
    return true;
}

/* ---- packing ----------------------------------------------------------------------------
 */

/* Every message is packed: one reservation and plain stores instead of an append for each
 * number.  A field takes at most FIELD_MAX bytes beside its text. */
enum { FIELD_MAX = 1 + 10, N_NUMBERS = 8 };

static uint8_t *
put_number (uint8_t *p, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *p++ = (uint8_t) (value | 0x80);
    *p++ = (uint8_t) value;
    return p;
}

static uint8_t *
put_span (uint8_t *p, uint8_t tag, HkSpan s)
{
    *p++ = tag;
    p = put_number (p, s.size);
    if (s.size > 0)
        memcpy (p, s.data, s.size);
    return p + s.size;
}

static uint8_t *
put_field (uint8_t *p, uint8_t tag, HkSpan s)
{
    return s.size == 0 ? p : put_span (p, tag, s);
}

static uint8_t *
put_field_u64 (uint8_t *p, uint8_t tag, uint64_t value)
{
    if (value == 0)
        return p;
    uint8_t *size = p + 1;
    *p = tag;
    for (p += 2; value != 0; value >>= 8)
        *p++ = (uint8_t) value;
    *size = (uint8_t) (p - size - 1);
    return p;
}

static HkSpan
text_field (const HkEnvelope *self, size_t tag)
{
    return *(const HkSpan *) (const void *) ((const char *) self + text_fields[tag]);
}

static uint64_t
to_zigzag (int64_t value)
{
    return ((uint64_t) value << 1) ^ (0 - ((uint64_t) value >> 63));
}

static int64_t
from_zigzag (uint64_t number)
{
    return (int64_t) ((number >> 1) ^ (0 - (number & 1)));
}

/* No less than what packing will take. */
static size_t
packed_bound (const HkEnvelope *self)
{
    size_t size = N_NUMBERS * FIELD_MAX + 1;
    for (size_t tag = 0; tag < G_N_ELEMENTS (text_fields); tag++)
        if (text_fields[tag] != 0)
            size += FIELD_MAX + text_field (self, tag).size;
    for (size_t i = 0; i < self->n_recipients; i++) {
        const HkRecipient *r = &self->recipients[i];
        size += 5 * FIELD_MAX + r->address.size + r->original.size + r->orcpt.size;
    }
    return size;
}

static uint8_t *
put_recipient (uint8_t *p, const HkRecipient *recipient)
{
    p = put_span (p, TAG_RECIPIENT, recipient->address);
    p = put_field (p, TAG_ORIGINAL, recipient->original);
    p = put_field (p, TAG_ORCPT, recipient->orcpt);
    p = put_field_u64 (p, TAG_NOTIFY, recipient->notify);
    return put_field_u64 (p, TAG_RECIPIENT_FLAGS, recipient->flags);
}

void
hk_envelope_pack (const HkEnvelope *self, GByteArray *out)
{
    guint begin = out->len;
    size_t bound = packed_bound (self);
    if (bound > G_MAXUINT - begin)
        g_error ("an envelope of %zu bytes", bound); /* intake's limits are far below */
    g_byte_array_set_size (out, begin + (guint) bound);
    uint8_t *p = out->data + begin;
    p = put_field_u64 (p, TAG_QUEUE_ID, self->queue_id);
    p = put_field_u64 (p, TAG_ARRIVAL, to_zigzag (self->arrival_us));
    p = put_field_u64 (p, TAG_FLAGS, self->flags);
    p = put_field_u64 (p, TAG_CONTENT_FLAGS, self->content_flags);
    for (size_t tag = 0; tag < G_N_ELEMENTS (text_fields); tag++)
        if (text_fields[tag] != 0)
            p = put_field (p, (uint8_t) tag, text_field (self, tag));
    p = put_field_u64 (p, TAG_UID, self->uid);
    p = put_field_u64 (p, TAG_RELEASE, to_zigzag (self->release_s));
    p = put_field_u64 (p, TAG_DELIVER_BY, to_zigzag (self->deliver_by_us));
    p = put_field_u64 (p, TAG_PRIORITY, to_zigzag (self->priority));
    for (size_t i = 0; i < self->n_recipients; i++)
        p = put_recipient (p, &self->recipients[i]);
    *p++ = 0;
    g_byte_array_set_size (out, (guint) (p - out->data));
}

/* ---- unpacking --------------------------------------------------------------------------
 */

/* How many recipients there are; false when PACKED is malformed. */
static bool
count_recipients (HkSpan packed, size_t *out_n)
{
    HkUnpack in = hk_unpack (packed);
    uint64_t tag;
    HkSpan value;
    size_t n = 0;
    while (hk_unpack_field (&in, &tag, &value)) {
        if (tag == TAG_RECIPIENT)
            n++;
        else if (tag > TAG_RECIPIENT && tag <= TAG_RECIPIENT_FLAGS && n == 0)
            return false;
    }
    *out_n = n;
    return !in.failed && in.at == in.end;
}

static uint32_t
value_u32 (HkSpan value)
{
    return (uint32_t) hk_unpack_value_u64 (value);
}

static void
take_recipient_field (HkRecipient *recipient, uint64_t tag, HkSpan value)
{
    if (tag == TAG_ORIGINAL)
        recipient->original = value;
    else if (tag == TAG_ORCPT)
        recipient->orcpt = value;
    else if (tag == TAG_NOTIFY)
        recipient->notify = value_u32 (value);
    else if (tag == TAG_RECIPIENT_FLAGS)
        recipient->flags = value_u32 (value);
}

static void
take_field (HkEnvelope *self, uint64_t tag, HkSpan value)
{
    if (tag < G_N_ELEMENTS (text_fields) && text_fields[tag] != 0) {
        *(HkSpan *) ((char *) self + text_fields[tag]) = value;
        return;
    }
    switch (tag) {
    case TAG_QUEUE_ID:
        self->queue_id = hk_unpack_value_u64 (value);
        break;
    case TAG_ARRIVAL:
        self->arrival_us = from_zigzag (hk_unpack_value_u64 (value));
        break;
    case TAG_FLAGS:
        self->flags = value_u32 (value);
        break;
    case TAG_CONTENT_FLAGS:
        self->content_flags = value_u32 (value);
        break;
    case TAG_UID:
        self->uid = value_u32 (value);
        break;
    case TAG_RELEASE:
        self->release_s = from_zigzag (hk_unpack_value_u64 (value));
        break;
    case TAG_DELIVER_BY:
        self->deliver_by_us = from_zigzag (hk_unpack_value_u64 (value));
        break;
    case TAG_PRIORITY:
        self->priority =
            (int32_t) CLAMP (from_zigzag (hk_unpack_value_u64 (value)), -9, 9);
        break;
    default:
        break; /* a newer writer's */
    }
}

HkEnvelope *
hk_envelope_unpack (GBytes *packed)
{
    HkSpan bytes = hk_span_bytes (packed);
    size_t n = 0;
    if (bytes.size == 0 || !count_recipients (bytes, &n))
        return NULL;
    /* One block; N is at most half the bytes that were read, so the product cannot wrap. */
    HkEnvelope *self = g_malloc0 (sizeof *self + n * sizeof (HkRecipient));
    self->recipients = (HkRecipient *) (self + 1);
    HkUnpack in = hk_unpack (bytes);
    uint64_t tag;
    HkSpan value;
    while (hk_unpack_field (&in, &tag, &value)) {
        if (tag == TAG_RECIPIENT)
            self->recipients[self->n_recipients++].address = value;
        else if (tag > TAG_RECIPIENT && tag <= TAG_RECIPIENT_FLAGS)
            take_recipient_field (&self->recipients[self->n_recipients - 1], tag, value);
        else
            take_field (self, tag, value);
    }
    self->backing = g_bytes_ref (packed);
    return self;
}

void
hk_envelope_free (HkEnvelope *self)
{
    if (self == NULL)
        return;
    if (self->backing != NULL)
        g_bytes_unref (self->backing);
    g_free (self);
}
