/* syntax.h: the grammar of SMTP commands: verbs, MAIL and RCPT parameters.  Pure. */
#ifndef HK_SESSION_SYNTAX_H
#define HK_SESSION_SYNTAX_H

#include "session/esmtp_syntax.h"

/* In the order of the disconnect line's counts. */
typedef enum {
    HK_VERB_HELO,
    HK_VERB_EHLO,
    HK_VERB_XCLIENT,
    HK_VERB_XFORWARD,
    HK_VERB_STARTTLS,
    HK_VERB_AUTH,
    HK_VERB_MAIL,
    HK_VERB_RCPT,
    HK_VERB_DATA,
    HK_VERB_BDAT,
    HK_VERB_RSET,
    HK_VERB_NOOP,
    HK_VERB_VRFY,
    HK_VERB_ETRN,
    HK_VERB_QUIT,
    HK_VERB_HELP,
    HK_VERB_UNKNOWN, /* the last that is counted */
    HK_VERB_CONNECT  /* nothing said yet */
} HkVerb;
const char *hk_verb_name (HkVerb verb); /* "HELO", …, "UNKNOWN", "CONNECT" */

typedef struct {
    HkVerb verb;
    HkSpan word;     /* as written */
    HkSpan argument; /* the rest, without blanks at its ends */
} HkCommand;
/* LINE without its line end. False: empty. */
bool hk_command_parse (HkSpan line, HkCommand *out);

/* "Label:" as in a message header or an HTTP request. */
bool hk_command_is_header (HkSpan word);

/* No NUL, no CR, no LF inside. */
bool hk_command_is_clean (HkSpan line);

/* Why something is refused. */
typedef struct HkRefusal {
    int code;
    const char *dsn;
    char text[200];
} HkRefusal;

enum {                                 /* what syntax is allowed */
       HK_SYNTAX_STRICT = 1 << 0,      /* strict_rfc821_envelopes */
       HK_SYNTAX_UTF8 = 1 << 1,        /* smtputf8_enable */
       HK_SYNTAX_STRICT_UTF8 = 1 << 2, /* bytes above 127 only with SMTPUTF8 */
       HK_SYNTAX_ESMTP = 1 << 3,   /* EHLO was said; parameters are allowed either way */
       HK_SYNTAX_TX_UTF8 = 1 << 4, /* RCPT: MAIL said SMTPUTF8 */
       HK_SYNTAX_SIZE = 1 << 5,
       HK_SYNTAX_8BITMIME = 1 << 6,
       HK_SYNTAX_DSN = 1 << 7
};

typedef struct HkMailOptions {
    HkSpan sender;
    uint64_t size; /* 0: not said */
    bool has_size, is_8bit, is_smtputf8, ret_full, ret_hdrs;
    HkSpan envid; /* decoded */
    HkSpan auth;  /* AUTH=, as written (xtext); `data` NULL: not said; empty: "<>" */
    HkEsmtp esmtp;
} HkMailOptions;
/* "FROM:<a@b> SIZE=…".  Spans are in ARENA or borrow from ARGUMENT.  SIZE_LIMIT 0: none.
 * RULES NULL: none of esmtp_syntax.h's parameters is known. */
bool hk_mail_parse (HkSpan argument, unsigned syntax, uint64_t size_limit,
                    const HkEsmtpRules *rules, HkArena *arena, HkMailOptions *out,
                    HkRefusal *refusal);

typedef struct HkRcptOptions {
    HkSpan recipient;
    HkSpan orcpt;    /* "type;value", decoded; empty: none */
    uint32_t notify; /* HK_NOTIFY_* */
} HkRcptOptions;
bool hk_rcpt_parse (HkSpan argument, unsigned syntax, HkArena *arena, HkRcptOptions *out,
                    HkRefusal *refusal);

/* BDAT: decimal count, optional LAST. */
bool hk_bdat_parse (HkSpan argument, uint64_t *out_size, bool *out_last);

#endif
