/* dsn.h: the text of notifications about mail: bounces, delays, success (RFC 3462, 3464,
 * 3798 shapes as Postfix's bounce(5) makes them).  Grammar only: returns the content of a
 * message. */
#ifndef HK_MAIL_DSN_H
#define HK_MAIL_DSN_H

#include "mail/envelope.h"

typedef enum { HK_DSN_FAILURE, HK_DSN_DELAY, HK_DSN_SUCCESS } HkDsnKind;

typedef struct {
    HkSpan address, original, orcpt;
    const char *action; /* failed, delayed, delivered, relayed, expanded */
    HkSpan dsn;         /* "5.1.1" */
    HkSpan text;        /* the reason as logged */
    HkSpan diagnostic;  /* remote reply "550 5.1.1 …"; empty: X-Hikyaku text instead */
    HkSpan remote_mta;  /* empty: none */
    int64_t last_attempt_us, will_retry_until_us; /* 0: not said */
} HkDsnRecipient;

typedef struct {
    HkDsnKind kind;
    bool to_postmaster; /* the postmaster's copy */
    const char *myhostname, *mail_name;
    HkSpan to; /* address of the notified */
    HkSpan original_sender;
    HkSpan envid;
    HkQueueId queue_id;  /* of the message that it is about */
    HkQueueId notice_id; /* of the notification itself */
    int64_t arrival_us, now_us;
    int64_t lifetime_s, delay_warning_s;
    const HkDsnRecipient *recipients;
    size_t n_recipients;
    HkSpan headers; /* of the original message, CRLF */
    HkSpan body;    /* empty: headers only (text/rfc822-headers) */
    bool smtputf8;  /* RFC 6533 types */
    bool body_8bit;
    size_t size_limit; /* bounce_size_limit for headers + body */
} HkDsn;

/* Content with CRLF line ends, complete with headers. */
GString *hk_dsn_compose (const HkDsn *self);

#endif
