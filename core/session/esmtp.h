/* esmtp.h: the extensions that an administrator turns on (FUTURERELEASE, DELIVERBY,
 * MT-PRIORITY, REQUIRETLS, BINARYMIME) and Postfix's XVERP, in a session: who is offered
 * which, and what becomes of it in the envelope.  Loop thread. */
#ifndef HK_SESSION_ESMTP_H
#define HK_SESSION_ESMTP_H

#include "conf/conf.h"
#include "mail/envelope.h"
#include "session/esmtp_syntax.h"

extern const HkConfSpec hk_esmtp_params[];

struct HkSession;
struct HkTransaction;

/* One smtpd line's. */
typedef struct {
    unsigned enabled; /* HK_EHLO_* */
    int64_t hold_limit_s, by_minimum_s;
    bool priority_by_sasl;
    char *verp_delimiters, *verp_filter;
} HkEsmtpService;
/* NULL: wrong delimiters. */
HkEsmtpService *hk_esmtp_service_new (HkSettings *view, GError **error);
void hk_esmtp_service_free (HkEsmtpService *self);

/* HK_EHLO_* that this session must not be offered, among those of MASK. */
unsigned hk_esmtp_withheld (const struct HkSession *self, unsigned mask);
/* What stands behind the keyword BIT in the EHLO reply. */
void hk_esmtp_append_argument (GString *out, const HkEsmtpService *self, unsigned bit,
                               int64_t now_s);
/* What this client may ask for. */
void hk_esmtp_rules (const struct HkSession *self, HkEsmtpRules *out);
/* What it asked for becomes part of the envelope, as far as it may. */
void hk_esmtp_fill (const struct HkSession *self, struct HkTransaction *tx);
/* The positive reply to MAIL. */
void hk_esmtp_say_mail_ok (struct HkSession *self);

#endif
