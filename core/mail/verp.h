/* verp.h: variable envelope return paths (VERP_README): a sender address for each recipient.
 * Pure. */
#ifndef HK_MAIL_VERP_H
#define HK_MAIL_VERP_H

#include "base/bytes.h"

/* Two characters out of ALLOWED (verp_delimiter_filter). */
bool hk_verp_parse (HkSpan text, const char *allowed, char out[3]);
/* "list@here", "user@there", "+=" → "list+user=there@here", appended. */
void hk_verp_append_sender (GString *out, HkSpan sender, HkSpan recipient,
                            const char delimiters[2]);

/* QMQP's way to ask for it: "list-@here-@[]" → sender "list@here", delimiters "-=".  False: it
 * does not ask. */
bool hk_verp_from_qmqp (HkSpan address, GString *out_sender, char out_delimiters[3]);

#endif
