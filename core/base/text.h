/* text.h: small grammar that many rooms need: numbers with units, lists, safe printing. */
#ifndef HK_BASE_TEXT_H
#define HK_BASE_TEXT_H

#include "base/bytes.h"

/* Decimal digits only, the whole span, at most MAX. */
bool hk_text_parse_u64 (HkSpan s, uint64_t max, uint64_t *out);

/* "30s", "5m", "1h", "2d", "1w"; a bare number takes UNIT ('s', 'm', 'h', 'd', 'w'). */
bool hk_text_parse_time (HkSpan s, char unit, int64_t *out_seconds);

/* Next word of a list parted by blanks, tabs, line ends and commas; "{ … }" is one word (with
 * its braces).  *REST moves on.  False at the end. */
bool hk_text_next_word (HkSpan *rest, HkSpan *out_word);

/* Append S with bytes outside printable ASCII (UTF-8 sequences are let through when
 * ALLOW_UTF8) shown as '?'. At most MAX bytes of S; then "...". */
void hk_text_append_printable (GString *out, HkSpan s, size_t max, bool allow_utf8);

/* RFC 3461 xtext.  Decoding fails on wrong syntax. */
void hk_text_append_xtext (GString *out, HkSpan s);
bool hk_text_decode_xtext (HkSpan s, GString *out);

/* Edit distance, for "did you mean"; stops at LIMIT. */
unsigned hk_text_distance (const char *a, const char *b, unsigned limit);

#endif
