/* restriction_verify.c: reject_unverified_sender and reject_unverified_recipient: addresses
 * that a probe has found undeliverable (verify(8)).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../words.h"

/* What the two words differ in. */
typedef struct {
    uint32_t prop;
    const char *class, *dsn;
    const char *reject_code, *defer_code, *reason, *action; /* parameters */
} VerifyWord;

static const VerifyWord sender_word = {
    HK_PROP_SENDER,
    "Sender address",
    "4.1.7",
    "unverified_sender_reject_code",
    "unverified_sender_defer_code",
    "unverified_sender_reject_reason",
    "unverified_sender_tempfail_action",
};
static const VerifyWord recipient_word = {
    HK_PROP_RECIPIENT,
    "Recipient address",
    "4.1.1",
    "unverified_recipient_reject_code",
    "unverified_recipient_defer_code",
    "unverified_recipient_reject_reason",
    "unverified_recipient_tempfail_action",
};

typedef struct {
    const HkHost *host;
    const VerifyWord *word;
    int32_t reject_code, defer_code;
    char *reason; /* NULL: what the probe met */
    bool defers_if_permit;
} Verify;

/* One question under way. */
typedef struct {
    const Verify *self;
    HkCall *call;
    HkVerify *question; /* NULL: it is answered */
    int32_t status;
    char *text;
} Asking;

/* ---- opening
 * ------------------------------------------------------------------------------ */

static HkAnswer
verify_open (const HkHost *host, const HkConf *conf, const VerifyWord *word,
             void **out_instance)
{
    Verify *self = g_new0 (Verify, 1);
    HkSpan reason = host->conf_string (conf, word->reason);
    self->host = host;
    self->word = word;
    self->reject_code = (int32_t) host->conf_int (conf, word->reject_code);
    self->defer_code = (int32_t) host->conf_int (conf, word->defer_code);
    self->defers_if_permit =
        span_is (host->conf_string (conf, word->action), "defer_if_permit");
    if (reason.size > 0)
        self->reason = g_strndup ((const char *) reason.data, reason.size);
    *out_instance = self;
    return HK_OK;
}

static HkAnswer
open_sender (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    (void) call;
    return verify_open (host, conf, &sender_word, out_instance);
}

static HkAnswer
open_recipient (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    (void) call;
    return verify_open (host, conf, &recipient_word, out_instance);
}

static void
verify_close (void *instance)
{
    Verify *self = instance;
    g_free (self->reason);
    g_free (self);
}

/* ---- asking
 * ------------------------------------------------------------------------------- */

static void
asking_free (Asking *asking)
{
    g_free (asking->text);
    g_free (asking);
}

static void
on_answer (void *data, int32_t status, HkSpan text)
{
    Asking *asking = data;
    asking->question = NULL;
    asking->status = status;
    asking->text = g_strndup ((const char *) text.data, text.size);
    asking->self->host->complete (asking->call);
}

static HkAnswer
verify_start (void *instance, HkCall *call, void **out_state)
{
    Verify *self = instance;
    const HkHost *host = self->host;
    HkSpan address = {NULL, 0};
    int64_t wait_us = 0;
    if (host->prop (call, self->word->prop, &address) != HK_FOUND || address.size == 0)
        return HK_DUNNO;
    host->prop_int (call, HK_PROP_VERIFY_WAIT_US, &wait_us);
    Asking *asking = g_new0 (Asking, 1);
    asking->self = self;
    asking->call = call;
    asking->status = HK_VERIFY_FAILED;
    *out_state = asking;
    if (HK_HAS (host, HkHost, verify_start))
        asking->question = host->verify_start (host, address, wait_us, on_answer, asking);
    return asking->question != NULL ? HK_PENDING : HK_OK;
}

static void
verify_cancel (void *instance, HkCall *call, void *state)
{
    Verify *self = instance;
    Asking *asking = state;
    (void) call;
    if (asking->question != NULL)
        self->host->verify_end (asking->question);
    asking_free (asking);
}

/* ---- judging
 * ------------------------------------------------------------------------------ */

/* 2yz: the site takes the mail nevertheless. */
static HkAnswer
refuse (const Verify *self, HkCall *call, HkSpan address, int32_t code, const char *text)
{
    const VerifyWord *word = self->word;
    HkAnswer verdict = self->defers_if_permit ? HK_DEFER_IF_PERMIT : HK_REJECT;
    if (self->reason != NULL)
        text = self->reason;
    if (code < 300)
        return HK_DUNNO;
    if (code < 500)
        return self->host->reply (call, verdict, code, word->dsn,
                                  "<%.*s>: %s rejected: unverified address: %.250s",
                                  ARG (address), word->class, text);
    return self->host->reply (call, HK_REJECT, code, word->dsn,
                              "<%.*s>: %s rejected: undeliverable address: %s",
                              ARG (address), word->class, text);
}

static HkAnswer
judge (const Verify *self, HkCall *call, HkSpan address, const Asking *asking)
{
    const HkHost *host = self->host;
    switch (asking->status) {
    case HK_VERIFY_DELIVERABLE:
        return HK_DUNNO;
    case HK_VERIFY_UNDELIVERABLE:
        return refuse (self, call, address, self->reject_code, asking->text);
    case HK_VERIFY_FAILED:
        host->log (host, HK_LOG_WARNING, "verify service failure: %s",
                   asking->text != NULL ? asking->text : "this process cannot ask");
        return host->reply (call, self->defers_if_permit ? HK_DEFER_IF_PERMIT : HK_REJECT,
                            450, self->word->dsn,
                            "<%.*s>: %s rejected: address verification problem",
                            ARG (address), self->word->class);
    default:
        return refuse (self, call, address, self->defer_code, asking->text);
    }
}

static HkAnswer
verify_finish (void *instance, HkCall *call, void *state)
{
    Verify *self = instance;
    HkSpan address = {NULL, 0};
    self->host->prop (call, self->word->prop, &address);
    HkAnswer answer = judge (self, call, address, state);
    asking_free (state);
    return answer;
}

/* ---- the descriptor
 * ----------------------------------------------------------------------- */

#define CODE(n, most, h)                                                                   \
    {                                                                                      \
        .name = n, .type = HK_PARAM_INT, .flags = HK_PARAM_RELOADABLE, .preset = "450",    \
        .min = 200, .max = most, .help = h                                                 \
    }
#define TEXT(n, p, h)                                                                      \
    {                                                                                      \
        .name = n, .type = HK_PARAM_STRING, .flags = HK_PARAM_RELOADABLE, .preset = p,     \
        .help = h                                                                          \
    }

static const HkParam verify_params[] = {
    TEXT ("reject_tempfail_action", "defer_if_permit",
          "What a lookup without an answer means: defer or defer_if_permit."),
    CODE ("unverified_sender_reject_code", 599,
          "Reply code for senders whose probe was refused; 2yz: take the mail."),
    CODE ("unverified_sender_defer_code", 499,
          "Reply code for senders whose probe could not tell; 2yz: take the mail."),
    TEXT ("unverified_sender_reject_reason", "",
          "Text of the replies about senders; empty: what the probe met."),
    TEXT ("unverified_sender_tempfail_action", "$reject_tempfail_action",
          "What 4yz replies about senders do: defer or defer_if_permit."),
    CODE ("unverified_recipient_reject_code", 599,
          "Reply code for recipients whose probe was refused; 2yz: take the mail."),
    CODE ("unverified_recipient_defer_code", 499,
          "Reply code for recipients whose probe could not tell; 2yz: take the mail."),
    TEXT ("unverified_recipient_reject_reason", "",
          "Text of the replies about recipients; empty: what the probe met."),
    TEXT ("unverified_recipient_tempfail_action", "$reject_tempfail_action",
          "What 4yz replies about recipients do: defer or defer_if_permit."),
    {.name = NULL},
};

#define VERIFY_WORD(symbol, word, opener, need)                                            \
    static const HkRestrictionClass symbol = {                                             \
        .base = {.size = sizeof (HkRestrictionClass),                                      \
                 .kind = HK_KIND_RESTRICTION,                                              \
                 .class_minor = HK_RESTRICTION_MINOR,                                      \
                 .name = word,                                                             \
                 .flags = HK_THREAD_SAFE,                                                  \
                 .params = verify_params,                                                  \
                 .open = opener,                                                           \
                 .close = verify_close},                                                   \
        .needs = need,                                                                     \
        .check_start = verify_start,                                                       \
        .check_finish = verify_finish,                                                     \
        .check_cancel = verify_cancel,                                                     \
    }

VERIFY_WORD (verify_sender, "reject_unverified_sender", open_sender, HK_NEEDS_SENDER);
VERIFY_WORD (verify_recipient, "reject_unverified_recipient", open_recipient,
             HK_NEEDS_RECIPIENT);

HK_PLUGIN (restriction_verify, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "reject_unverified_*: addresses that probes find undeliverable",
           .classes = HK_CLASSES (&verify_sender.base, &verify_recipient.base))
