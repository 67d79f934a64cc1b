/* reply.h: SMTP replies (RFC 5321 4.2, RFC 2034, RFC 3463): the one place where they are
 * made and read. */
#ifndef HK_MAIL_REPLY_H
#define HK_MAIL_REPLY_H

#include "base/bytes.h"

/* Append "CODE[ DSN] text\r\n"; line breaks in TEXT make a multi-line reply, other control
 * characters become '?'; lines are split so that none passes 512 bytes.  DSN may be NULL.
 */
void hk_reply_append (GString *out, int code, const char *dsn, HkSpan text);

/* Split "450 4.7.1 text" as found in access tables: code 4xx or 5xx, optional DSN (a
 * fitting default when missing). False when it does not begin with a code. */
bool hk_reply_split (HkSpan text, int *out_code, char out_dsn[12], HkSpan *out_text);

/* Is S a complete enhanced status code "x.y.z" (x 2, 4 or 5)? At the front of TEXT: gives
 * its length, else 0. */
size_t hk_dsn_prefix (HkSpan text);

/* Reading a server's replies, incrementally.  Feed bytes; a reply is complete at its last
 * line; the next feed begins a new one.  Bounded: over 64 KiB it is malformed, and so is
 * every feed after that.  A bare LF ends a line; a DSN stays in the text as well. */
typedef struct {
    int code;
    char dsn[12];   /* "" when there was none */
    GString *text;  /* all lines' text, joined by blanks, without code; printable */
    GString *lines; /* all lines' text, each ended by '\n' (EHLO) */
    size_t size;
    int state;
} HkReplyReader;
typedef enum { HK_REPLY_MORE, HK_REPLY_DONE, HK_REPLY_MALFORMED } HkReplyProgress;
void hk_reply_reader_init (HkReplyReader *self);
void hk_reply_reader_clear (HkReplyReader *self); /* frees */
/* Takes bytes from *INPUT (moves it on). */
HkReplyProgress hk_reply_reader_feed (HkReplyReader *self, HkSpan *input);

#endif
