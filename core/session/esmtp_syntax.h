/* esmtp_syntax.h: the grammar of the parameters of MAIL that few servers know: FUTURERELEASE
 * (RFC 4865), DELIVERBY (RFC 2852), MT-PRIORITY (RFC 6710), REQUIRETLS (RFC 8689),
 * BINARYMIME (RFC 3030) and Postfix's XVERP.  Pure. */
#ifndef HK_SESSION_ESMTP_SYNTAX_H
#define HK_SESSION_ESMTP_SYNTAX_H

#include "base/bytes.h"

struct HkRefusal;

enum { /* extensions */
       HK_ESMTP_FUTURERELEASE = 1 << 0,
       HK_ESMTP_DELIVERBY = 1 << 1,
       HK_ESMTP_MT_PRIORITY = 1 << 2,
       HK_ESMTP_REQUIRETLS = 1 << 3,
       HK_ESMTP_BINARYMIME = 1 << 4,
       HK_ESMTP_XVERP = 1 << 5
};

/* What a client may ask for. */
typedef struct {
    unsigned offered; /* HK_ESMTP_*: the others are unknown words */
    int64_t now_s;    /* since 1970 */
    int64_t hold_limit_s;
    int64_t by_minimum_s;
    const char *verp_delimiters, *verp_filter; /* of XVERP without a value; allowed ones */
} HkEsmtpRules;

/* What it asked for. */
typedef struct {
    int64_t release_s; /* since 1970; 0: at once */
    int64_t by_s;      /* from now; with HAS_BY; not above 0: told already, or too late */
    bool has_by, by_return, by_trace;
    bool has_priority;
    int32_t priority;
    bool requires_tls, is_binary;
    char verp[3]; /* empty: not asked for */
} HkEsmtp;

typedef enum { HK_ESMTP_UNKNOWN, HK_ESMTP_TAKEN, HK_ESMTP_REFUSED } HkEsmtpAnswer;

/* One KEY[=VALUE]; value.data NULL: there is no "=".  RULES NULL: nothing is offered. */
HkEsmtpAnswer hk_esmtp_parameter (HkSpan key, HkSpan value, const HkEsmtpRules *rules,
                                  HkEsmtp *out, struct HkRefusal *refusal);
/* All were taken: do they go together?  False: refused. */
bool hk_esmtp_check (const HkEsmtp *self, const HkEsmtpRules *rules, HkSpan sender,
                     struct HkRefusal *refusal);

/* "-9" to "9", nothing else. */
bool hk_esmtp_parse_priority (HkSpan text, int32_t *out);
/* RFC 3339 with Z or an offset, whole seconds count. */
bool hk_esmtp_parse_time (HkSpan text, int64_t *out_s);

#endif
