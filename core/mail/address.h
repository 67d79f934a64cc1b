/* address.h: mail addresses: RFC 5321 paths, RFC 5322 mailboxes, splitting and quoting.
 * Grammar only.  An address is kept in its external (quoted) form, without <>.  Any thread.
 */
#ifndef HK_MAIL_ADDRESS_H
#define HK_MAIL_ADDRESS_H

#include "base/bytes.h"

typedef enum {
    HK_PATH_OK,
    HK_PATH_SYNTAX,    /* 501 5.1.7 / 5.1.3 */
    HK_PATH_TOO_LONG,  /* RFC 5321 4.5.3.1: local part 64 (we allow 256), domain 255, path
                          1024 */
    HK_PATH_NEEDS_UTF8 /* a byte above 127 and UTF8 not allowed: 553 5.6.7 */
} HkPathResult;

enum {
    HK_PATH_ALLOW_UTF8 = 1 << 0,
    HK_PATH_ALLOW_EMPTY = 1 << 1,   /* <>: the null sender */
    HK_PATH_STRICT = 1 << 2,        /* strict_rfc821_envelopes: <> needed, no comments */
    HK_PATH_ALLOW_MIN_USER = 1 << 3 /* allow_min_user: a local part may begin with '-' */
};

/* Parse the path at the front of TEXT ("<@a,@b:user@example.org> SIZE=3"): source route
 * dropped, quoted local part and address literals allowed, bare address allowed unless
 * STRICT.  OUT_ADDRESS borrows from TEXT or ARENA (canonical quoting: quotes only where
 * needed); OUT_REST is what follows, blanks skipped. */
HkPathResult hk_path_parse (HkSpan text, unsigned flags, HkArena *arena,
                            HkSpan *out_address, HkSpan *out_rest);

/* Split at the last '@' that is outside quotes.  Without one: domain empty, false. */
bool hk_address_split (HkSpan address, HkSpan *out_local, HkSpan *out_domain);

/* user+ext by DELIMITERS (recipient_delimiter, any of its characters); EXT without the
 * delimiter.  False when there is none ("owner-" and "-request" and mailer-daemon rules as
 * in Postfix: a delimiter at the first place does not count). */
bool hk_address_split_extension (HkSpan local, const char *delimiters, HkSpan *out_user,
                                 HkSpan *out_extension);

/* Host name syntax (RFC 1123; underscore tolerated as Postfix does), address literals. */
bool hk_domain_is_valid (HkSpan domain, bool allow_utf8);
bool hk_domain_is_literal (HkSpan domain); /* [192.0.2.1], [IPv6:…] */
bool hk_domain_is_fqdn (HkSpan domain);    /* valid and has an inner dot */

/* Local part with quotes removed / added where RFC 5321 asks for them. */
void hk_local_unquote (HkSpan local, GString *out);
void hk_local_quote (HkSpan raw, GString *out);

/* Addresses of an RFC 5322 address list (To:, Cc:, Bcc:): comments, groups, routes, display
 * names.  FN gets each addr-spec.  Words without brackets are an address each, as in
 * Postfix: "a@b.c d@e.f", "John Doe".  False on syntax beyond repair (FN may have been
 * called before); bounded in depth. */
typedef void (*HkAddressFn) (HkSpan address, void *data);
bool hk_address_list_parse (HkSpan text, HkAddressFn fn, void *data);

/* No byte above 127?  (A path read with ALLOW_UTF8, before the SMTPUTF8 parameter was
 * seen.) */
bool hk_address_is_ascii (HkSpan address);

#endif
