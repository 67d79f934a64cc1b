/* dsn_priv.h: the parts of a notification; for this folder only. */
#ifndef HK_MAIL_DSN_PRIV_H
#define HK_MAIL_DSN_PRIV_H

#include "mail/dsn.h"

/* S on one line: control characters become '?', and without UTF8 so does every byte above
 * 127; with it, only those of malformed sequences. */
void hk_dsn_append_clean (GString *out, HkSpan s, bool utf8);

/* S as lines with CRLF ends, none over 998 bytes: longer ones go on in a line that begins
 * with a blank.  NUL and bare CR become '?'. */
void hk_dsn_append_lines (GString *out, HkSpan s);

/* S folded at blanks: the first line has FIRST columns taken, the following begin with
 * INDENT blanks; a CRLF ends the last. */
void hk_dsn_append_folded (GString *out, HkSpan s, size_t first, size_t indent, bool utf8);

void hk_dsn_append_notice (GString *out, const HkDsn *self); /* for people */
void hk_dsn_append_status (GString *out, const HkDsn *self); /* RFC 3464 */

#endif
