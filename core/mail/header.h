/* header.h: message headers (RFC 5322): walking them, making Received, Date, Message-ID. */
#ifndef HK_MAIL_HEADER_H
#define HK_MAIL_HEADER_H

#include "base/bytes.h"

typedef struct {
    HkSpan name;  /* without colon */
    HkSpan value; /* after the colon, folding kept, final line end left out */
    HkSpan whole; /* all lines with their line ends */
} HkHeader;

/* Walk the headers of CONTENT from *AT (0 at first).  True: *OUT is the next and *AT moved
 * on. False: the header section ended; *AT is where the body begins (behind the empty line,
 * if there is one).  A line that is no header ends the section.  Line ends are CRLF or LF.
 */
bool hk_header_next (HkSpan content, size_t *at, HkHeader *out);
/* First header called NAME. */
bool hk_header_find (HkSpan content, const char *name, HkHeader *out);

/* "Wed, 25 Nov 2026 21:00:00 +0000 (UTC)" in local time. */
void hk_header_append_date (GString *out, int64_t wall_us);

typedef struct {
    const char *helo, *client_name, *client_address; /* NULL: local submission */
    bool client_is_ipv6;
    const char *myhostname, *mail_name;
    const char *with; /* "ESMTP", "SMTP", "UTF8SMTP"; NULL local */
    const char *queue_id;
    HkSpan for_recipient; /* empty: no "for" clause */
    int64_t uid;          /* local submission: "(…, from userid N)"; below 0: not said */
    int64_t arrival_us;
    const char *tls_line; /* extra lines for TLS, parted by LF, or NULL */
    const char *sasl_line;
    int priority; /* RFC 6710 4.5: a clause of its own; 0: none */
} HkReceived;
/* One Received header in Postfix's shape, CRLF line ends. */
void hk_header_append_received (GString *out, const HkReceived *received);

#endif
