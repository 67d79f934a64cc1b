/* dns_records.c: from RDATA to what rooms and plugins read. */
#include "config.h"
#include "net/dns_priv.h"

/* Most bytes of names and joined strings in one answer. */
enum { TEXT_MAX_SIZE = 256 * 1024 };

static uint8_t *
add_text (HkDnsAnswer *self, size_t size)
{
    if (self->text == NULL)
        self->text = g_byte_array_new ();
    if (size > TEXT_MAX_SIZE - self->text->len)
        return NULL;
    guint begin = self->text->len;
    g_byte_array_set_size (self->text, begin + (guint) size);
    return self->text->data + begin;
}

/* Size of the name in RDATA as text, written to OUT when that is not NULL; -1 when it is
 * malformed or holds bytes that no host name has. */
static int
name_text (HkSpan rdata, uint8_t *out)
{
    size_t at = 0;
    int size = 0;
    for (;;) {
        if (at >= rdata.size)
            return -1;
        size_t label = rdata.data[at++];
        if (label == 0)
            return at == rdata.size && size <= 254 ? MAX (size - 1, 0) : -1;
        if (label > 63 || label > rdata.size - at)
            return -1;
        for (size_t i = 0; i < label; i++) {
            uint8_t c = rdata.data[at + i];
            if (c <= 32 || c >= 127 || strchr (".\\\"()<>@;", c) != NULL)
                return -1;
        }
        if (out != NULL) {
            if (size > 0)
                out[size - 1] = '.';
            memcpy (out + size, rdata.data + at, label);
        }
        size += (int) label + 1;
        at += label;
    }
}

static bool
add_name (HkDnsAnswer *self, HkDnsRecord *record, HkSpan rdata)
{
    int size = name_text (rdata, NULL);
    uint8_t *text = size > 0 ? add_text (self, (size_t) size) : NULL;
    if (text == NULL && size != 0)
        return false;
    if (size > 0)
        name_text (rdata, text);
    record->data.size = (size_t) size;
    return true;
}

static bool
add_strings (HkDnsAnswer *self, HkDnsRecord *record, HkSpan rdata)
{
    size_t size = 0;
    for (size_t at = 0; at < rdata.size; at += 1u + rdata.data[at]) {
        if (rdata.data[at] > rdata.size - at - 1)
            return false;
        size += rdata.data[at];
    }
    uint8_t *text = size > 0 ? add_text (self, size) : NULL;
    if (text == NULL && size > 0)
        return false;
    for (size_t at = 0; size > 0 && at < rdata.size; at += 1u + rdata.data[at]) {
        memcpy (text, rdata.data + at + 1, rdata.data[at]);
        text += rdata.data[at];
    }
    record->data.size = size;
    return true;
}

static bool
is_text (uint16_t type)
{
    return type == HK_DNS_MX || type == HK_DNS_PTR || type == HK_DNS_CNAME ||
           type == HK_DNS_NS || type == HK_DNS_TXT || type == HK_DNS_SPF;
}

void
hk_dns_answer_add (HkDnsAnswer *self, uint16_t type, uint32_t ttl, HkSpan rdata)
{
    HkDnsRecord record = {.type = type, .ttl = ttl, .data = rdata};
    bool good = true;
    if (self->n == HK_DNS_MAX_RECORDS)
        return;
    switch (type) {
    case HK_DNS_A:
        good = rdata.size == 4;
        break;
    case HK_DNS_AAAA:
        good = rdata.size == 16;
        break;
    case HK_DNS_MX:
        good = rdata.size > 2;
        if (good) {
            record.preference = (uint16_t) (rdata.data[0] << 8 | rdata.data[1]);
            good = add_name (self, &record, hk_span_sub (rdata, 2, rdata.size));
        }
        break;
    case HK_DNS_PTR:
    case HK_DNS_CNAME:
    case HK_DNS_NS:
        good = add_name (self, &record, rdata);
        break;
    case HK_DNS_TXT:
    case HK_DNS_SPF:
        good = add_strings (self, &record, rdata);
        break;
    default:
        break;
    }
    if (good)
        self->records[self->n++] = record;
}

/* The text may have moved while it grew: its parts stand in record order. */
void
hk_dns_answer_finish (HkDnsAnswer *self)
{
    size_t at = 0;
    for (size_t i = 0; i < self->n; i++) {
        HkDnsRecord *record = &self->records[i];
        if (!is_text (record->type))
            continue;
        record->data.data =
            self->text == NULL ? (const uint8_t *) "" : self->text->data + at;
        at += record->data.size;
    }
}

void
hk_dns_answer_clear (HkDnsAnswer *self)
{
    if (self->text != NULL)
        g_byte_array_unref (self->text);
    self->text = NULL;
    self->n = 0;
}
