/* envelope.h: who a message is from and for, and how it came in; its packed form stands in
 * store records and frames (doc/formats.md). */
#ifndef HK_MAIL_ENVELOPE_H
#define HK_MAIL_ENVELOPE_H

#include "base/bytes.h"
#include "base/pack.h"

/* Queue ids: 64 bits, shown as upper-case hexadecimal digits (at least 10).  They grow with
 * time, are unique in an instance and never reused: (microseconds since 1970 << 6 | lane) .
 */
typedef uint64_t HkQueueId;
#define HK_QUEUE_ID_TEXT 20
char *hk_queue_id_format (HkQueueId id, char out[HK_QUEUE_ID_TEXT]); /* returns OUT */
bool hk_queue_id_parse (HkSpan text, HkQueueId *out);

typedef struct HkRecipient {
    HkSpan address;  /* where it goes, after rewriting and aliases */
    HkSpan original; /* as given at RCPT; empty: the same as address */
    HkSpan orcpt;    /* RFC 3461 ORCPT "type;value", decoded; empty: none */
    uint32_t notify; /* HK_NOTIFY_* */
    uint32_t flags;
} HkRecipient;

enum { /* HkEnvelope.flags */
       HK_ENVELOPE_SMTPUTF8 = 1 << 0,
       HK_ENVELOPE_BODY_8BIT = 1 << 1, /* BODY=8BITMIME was said */
       HK_ENVELOPE_HOLD = 1 << 2,      /* into the hold queue at once */
       HK_ENVELOPE_RET_HDRS = 1 << 3,  /* RET=HDRS */
       HK_ENVELOPE_RET_FULL = 1 << 4,
       HK_ENVELOPE_LOCAL = 1 << 5, /* local submission */
       HK_ENVELOPE_NOTICE = 1 << 6, /* made by this system: never notify about it but
                                     * by the double bounce */
        HK_ENVELOPE_BODY_BINARY = 1 << 7, /* RFC 3030 BODY=BINARYMIME: any bytes, no lines */
        HK_ENVELOPE_REQUIRE_TLS = 1 << 8, /* RFC 8689 REQUIRETLS */
        HK_ENVELOPE_TLS_OPTIONAL = 1 << 9, /* RFC 8689 "TLS-Required: No" */
        HK_ENVELOPE_BY_RETURN = 1 << 10,   /* RFC 2852: too late: return it */
        HK_ENVELOPE_BY_NOTIFY = 1 << 11,   /* RFC 2852: too late: tell the sender */
        HK_ENVELOPE_BY_TRACE = 1 << 12,    /* RFC 2852: tell of each relay */
        HK_ENVELOPE_PROBE = 1 << 13        /* in a JOB frame only: no message, an address probe */
};
#define HK_ENVELOPE_BY (HK_ENVELOPE_BY_RETURN | HK_ENVELOPE_BY_NOTIFY)

/* All spans are borrowed from `backing` (unpacked) or from whoever filled them. */
typedef struct HkEnvelope {
    HkQueueId queue_id;
    int64_t arrival_us;
    uint32_t flags;
    uint32_t content_flags; /* HK_CONTENT_* of plugin.h */
    HkSpan sender;          /* empty: null sender */
    HkSpan envid;
    HkRecipient *recipients;
    size_t n_recipients;
    HkSpan client_name, client_address, client_helo, client_protocol, client_port;
    HkSpan sasl_method, sasl_username, sasl_sender;
    HkSpan content_filter; /* transport:nexthop of FILTER, content_filter; empty: none */
    HkSpan redirect;       /* REDIRECT address; empty: none */
    HkSpan hold_reason;
    HkSpan message_id;
    uint32_t uid;          /* with HK_ENVELOPE_LOCAL */
    int64_t release_s;     /* RFC 4865: not before, seconds since 1970; 0: at once */
    int64_t deliver_by_us; /* RFC 2852: until then; with HK_ENVELOPE_BY */
    int32_t priority;      /* RFC 6710: -9 to 9 */
    HkSpan verp;           /* the two VERP delimiters; empty: none */
    GBytes *backing;       /* may be NULL */
} HkEnvelope;

void hk_envelope_pack (const HkEnvelope *self, GByteArray *out);
/* PACKED stays referenced by the result; NULL when malformed.  Bounded: the number of
 * recipients cannot pass what the bytes can hold. */
HkEnvelope *hk_envelope_unpack (GBytes *packed);
void hk_envelope_free (HkEnvelope *self); /* frees what unpack made */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkEnvelope, hk_envelope_free)

#endif
