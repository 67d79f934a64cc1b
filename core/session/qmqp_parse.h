/* qmqp_parse.h: the grammar of QMQP (http://cr.yp.to/proto/qmqp.html): netstrings inside a
 * netstring: a message, its sender, its recipients.  Fed as it arrives; pure.
 *
 *     PACKET length ─▶ MESSAGE ─▶ SENDER ─▶ RECIPIENT … ─▶ "," ─▶ END
 *
 * Strict: no leading zero, nothing beyond the length of the whole.  Nothing is allocated for
 * a length that was only announced. */
#ifndef HK_SESSION_QMQP_PARSE_H
#define HK_SESSION_QMQP_PARSE_H

#include "base/bytes.h"

typedef enum {
    HK_QMQP_PACKET,
    HK_QMQP_MESSAGE,
    HK_QMQP_SENDER,
    HK_QMQP_RECIPIENT
} HkQmqpPart;
const char *hk_qmqp_part_name (HkQmqpPart part); /* as the replies call it */

typedef enum {
    HK_QMQP_MORE,
    HK_QMQP_END,    /* all of it was read, and nothing behind it */
    HK_QMQP_BAD,    /* no netstring */
    HK_QMQP_LONG,   /* above a limit */
    HK_QMQP_REFUSED /* `address` did not want it */
} HkQmqpProgress;

typedef struct {
    void (*message) (HkSpan bytes, void *data); /* content, in runs; not called when empty */
    bool (*address) (HkQmqpPart part, HkSpan address, void *data); /* whole */
} HkQmqpFns;

typedef struct {
    uint64_t message_limit; /* 0: none */
    size_t address_limit;
    const HkQmqpFns *fns;
    void *data;
    /* private, zeroed at the begin */
    HkQmqpPart part;
    uint8_t state;
    unsigned n_digits;
    uint64_t length;      /* of the netstring whose digits are read */
    uint64_t item_left;   /* bytes of the one that is open */
    uint64_t packet_left; /* bytes of the whole, before its comma */
    GString *address;     /* NULL: none so far */
} HkQmqpParser;

/* Not to be called again once it said anything but MORE. */
HkQmqpProgress hk_qmqp_feed (HkQmqpParser *self, HkSpan input);
void hk_qmqp_parser_clear (HkQmqpParser *self);

#endif
