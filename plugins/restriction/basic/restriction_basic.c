/* restriction_basic.c: the words of smtpd_*_restrictions that look at no name and address:
 * permit, reject, defer, and the state of the session.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../words.h"

WORD_OPEN (open_plain, NULL)
WORD_OPEN (open_reject, "reject_code")
WORD_OPEN (open_defer, "defer_code")
WORD_OPEN (open_bounce, "multi_recipient_bounce_reject_code")
WORD_OPEN (open_plaintext, "plaintext_reject_code")

/* ---- permit, reject, defer */

static HkAnswer
check_permit (void *instance, HkCall *call)
{
    (void) instance;
    (void) call;
    return HK_PERMIT;
}

static HkAnswer
check_reject (void *instance, HkCall *call)
{
    const Word *self = instance;
    HkSpan subject = word_text (self, call, HK_PROP_REPLY_SUBJECT);
    return self->host->reply (call, HK_REJECT, self->code, "5.7.1", "%.*s: Access denied",
                              ARG (subject));
}

static HkAnswer
check_defer (void *instance, HkCall *call)
{
    const Word *self = instance;
    HkSpan subject = word_text (self, call, HK_PROP_REPLY_SUBJECT);
    return self->host->reply (call, HK_REJECT, self->code, "4.3.2", "%.*s: Try again later",
                              ARG (subject));
}

/* ---- the session */

static HkAnswer
check_authenticated (void *instance, HkCall *call)
{
    const Word *self = instance;
    HkSpan method = word_text (self, call, HK_PROP_SASL_METHOD);
    /* Who logs in as nobody has not logged in. */
    bool is_anonymous =
        method.size == 9 &&
        g_ascii_strncasecmp ((const char *) method.data, "ANONYMOUS", 9) == 0;
    return word_text (self, call, HK_PROP_SASL_USERNAME).size > 0 && !is_anonymous
               ? HK_PERMIT
               : HK_DUNNO;
}

static HkAnswer
check_plaintext (void *instance, HkCall *call)
{
    const Word *self = instance;
    HkSpan version;
    if (self->host->prop (call, HK_PROP_TLS_VERSION, &version) == HK_FOUND)
        return HK_DUNNO;
    return self->host->reply (call, HK_REJECT, self->code, "4.7.1",
                              "Session encryption is required");
}

/* What the session saw: commands sent before the reply that they had to wait for.  It
 * breaks the session off itself where smtpd_forbid_unauth_pipelining says so; this word
 * refuses whatever command it stands at, as Postfix's does. */
static HkAnswer
check_pipelining (void *instance, HkCall *call)
{
    const Word *self = instance;
    int64_t is_improper = 0;
    self->host->prop_int (call, HK_PROP_IMPROPER_PIPELINING, &is_improper);
    if (is_improper == 0)
        return HK_DUNNO;
    HkSpan subject = word_text (self, call, HK_PROP_REPLY_SUBJECT);
    return self->host->reply (call, HK_REJECT, 503, "5.5.0",
                              "%.*s: Improper use of SMTP command pipelining",
                              ARG (subject));
}

static HkAnswer
check_multi_bounce (void *instance, HkCall *call)
{
    const Word *self = instance;
    HkSpan sender;
    int64_t n = 0;
    if (self->host->prop (call, HK_PROP_SENDER, &sender) != HK_FOUND || sender.size > 0)
        return HK_DUNNO;
    self->host->prop_int (call, HK_PROP_RECIPIENT_COUNT, &n);
    /* At RCPT the one under discussion is not counted yet. */
    if (span_is (word_text (self, call, HK_PROP_STAGE), "RCPT"))
        n++;
    if (n <= 1)
        return HK_DUNNO;
    HkSpan subject = word_text (self, call, HK_PROP_REPLY_SUBJECT);
    return self->host->reply (call, HK_REJECT, self->code, "5.5.3",
                              "%.*s: Multi-recipient bounce", ARG (subject));
}

/* ---- the words */

static const HkParam basic_params[] = {
    WORD_CODE_PARAM ("reject_code", "554", "Reply code of the restriction \"reject\"."),
    WORD_CODE_PARAM ("defer_code", "450", "Reply code of the restriction \"defer\"."),
    WORD_CODE_PARAM ("multi_recipient_bounce_reject_code", "550",
                     "Reply code for bounces with several recipients."),
    WORD_CODE_PARAM ("plaintext_reject_code", "450",
                     "Reply code for sessions without encryption."),
    {.name = NULL},
};

WORD (permit, "permit", basic_params, open_plain, check_permit, 0);
WORD (reject, "reject", basic_params, open_reject, check_reject, 0);
WORD (defer, "defer", basic_params, open_defer, check_defer, 0);
WORD (authenticated, "permit_sasl_authenticated", basic_params, open_plain,
      check_authenticated, 0);
WORD (pipelining, "reject_unauth_pipelining", basic_params, open_plain, check_pipelining,
      0);
WORD (multi_bounce, "reject_multi_recipient_bounce", basic_params, open_bounce,
      check_multi_bounce, HK_NEEDS_SENDER);
WORD (plaintext, "reject_plaintext_session", basic_params, open_plaintext, check_plaintext,
      0);

HK_PLUGIN (restriction_basic, .version = "1.1", .licence = "LGPL-2.1-or-later",
           .summary = "permit, reject, defer and the state of the session",
           .classes = HK_CLASSES (&permit.base, &reject.base, &defer.base,
                                  &authenticated.base, &pipelining.base, &multi_bounce.base,
                                  &plaintext.base))
