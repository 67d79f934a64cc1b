/* address_priv.h: the scanner that paths and address lists share; for this folder only. */
#ifndef HK_MAIL_ADDRESS_PRIV_H
#define HK_MAIL_ADDRESS_PRIV_H

#include "mail/address.h"

enum {
    HK_LOCAL_MAX = 256,  /* RFC 5321 4.5.3.1.1 asks for 64; the field uses more */
    HK_DOMAIN_MAX = 255, /* RFC 5321 4.5.3.1.2 */
    HK_PATH_MAX = 1024,  /* with source route; RFC 5321 4.5.3.1.3 asks for 256 */
    /* The longest external form: every octet of the local part escaped, quotes, '@'. */
    HK_ADDRESS_MAX = 2 * HK_LOCAL_MAX + 3 + HK_DOMAIN_MAX,
    HK_COMMENT_DEPTH = 32
};

/* What a byte is in an address. */
enum {
    HK_ADDR_ATEXT = 1,  /* RFC 5322 atext, no dot */
    HK_ADDR_DOMAIN = 2, /* letter, digit, '-', '_' */
    HK_ADDR_DIGIT = 4,
    HK_ADDR_BLANK = 8,    /* blank and tab */
    HK_ADDR_CONTROL = 16, /* below 32 and 127, tab and line ends included */
    HK_ADDR_HIGH = 32
};
extern const uint8_t hk_addr_class[256];

/* One addr-spec in parts; both in internal (unquoted) form. */
typedef struct {
    uint8_t local[HK_LOCAL_MAX];
    uint8_t domain[HK_DOMAIN_MAX];
    size_t local_size, domain_size;
    bool has_at;
    bool has_local; /* a word was seen, perhaps an empty quoted one */
} HkAddrSpec;

enum {
    HK_ADDR_SCAN_UTF8 = 1 << 0,
    HK_ADDR_SCAN_BLANKS = 1 << 1, /* blanks and comments between words */
    HK_ADDR_SCAN_LINES = 1 << 2,  /* CR and LF count as blanks (folded headers) */
    HK_ADDR_SCAN_WORDS = 1 << 3   /* a word behind a blank begins the next address */
};

/* Read an addr-spec from *AT, up to the first byte that cannot belong to one ('>', ',',
 * ';',
 * ':', '<', end; a blank without HK_ADDR_SCAN_BLANKS). */
HkPathResult hk_addr_spec_scan (HkSpan text, size_t *at, unsigned flags, HkAddrSpec *out);

/* Skip blanks and comments; false when a comment has no end or goes too deep. */
bool hk_addr_skip_blanks (HkSpan text, size_t *at, unsigned flags);

/* Skip "@a,@b:"; false on wrong syntax.  *AT unchanged when there is no route. */
bool hk_addr_skip_route (HkSpan text, size_t *at, unsigned flags);

/* External form to OUT, which holds HK_ADDRESS_MAX bytes; gives its size. */
size_t hk_addr_spec_format (const HkAddrSpec *spec, uint8_t *out);

/* Well-formed UTF-8 without control characters (U+0080 to U+009F included)? */
bool hk_addr_utf8_is_clean (HkSpan s);

#endif
