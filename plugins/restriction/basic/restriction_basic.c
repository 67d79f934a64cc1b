/* restriction_basic.c: the words of smtpd_*_restrictions that need no table: permit and
 * reject, networks, destinations, syntax of names and addresses.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restriction_basic.h"

#include <string.h>

/* What all of them keep: the services, and the reply code that the word's parameter sets.
 */
static HkAnswer
open_with_code (const HkHost *host, const HkConf *conf, const char *parameter,
                void **out_instance)
{
    BasicRestriction *self = g_new0 (BasicRestriction, 1);
    self->host = host;
    if (parameter != NULL)
        self->code = (int32_t) host->conf_int (conf, parameter);
    *out_instance = self;
    return HK_OK;
}

#define OPEN(fn, parameter)                                                                \
    static HkAnswer fn (const HkHost *host, const HkConf *conf, HkCall *call,              \
                        void **out_instance)                                               \
    {                                                                                      \
        (void) call;                                                                       \
        return open_with_code (host, conf, parameter, out_instance);                       \
    }

OPEN (open_plain, NULL)
OPEN (open_reject, "reject_code")
OPEN (open_defer, "defer_code")
OPEN (open_relay, "relay_domains_reject_code")
OPEN (open_non_fqdn, "non_fqdn_reject_code")
OPEN (open_invalid, "invalid_hostname_reject_code")
OPEN (open_unknown_client, "unknown_client_reject_code")
OPEN (open_bounce, "multi_recipient_bounce_reject_code")
OPEN (open_plaintext, "plaintext_reject_code")

static void
close_basic (void *instance)
{
    g_free (instance);
}

static HkSpan
text_of (const BasicRestriction *self, HkCall *call, uint32_t prop)
{
    HkSpan value = {NULL, 0};
    return self->host->prop (call, prop, &value) == HK_FOUND ? value : (HkSpan){NULL, 0};
}

#define ARG(s) (int) (s).size, (const char *) (s).data

/* ---- permit, reject, defer
 * -------------------------------------------------------------------- */

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
    const BasicRestriction *self = instance;
    HkSpan subject = text_of (self, call, HK_PROP_REPLY_SUBJECT);
    return self->host->reply (call, HK_REJECT, self->code, "5.7.1", "%.*s: Access denied",
                              ARG (subject));
}

static HkAnswer
check_defer (void *instance, HkCall *call)
{
    const BasicRestriction *self = instance;
    HkSpan subject = text_of (self, call, HK_PROP_REPLY_SUBJECT);
    return self->host->reply (call, HK_REJECT, self->code, "4.3.2", "%.*s: Try again later",
                              ARG (subject));
}

/* ---- the client
 * ------------------------------------------------------------------------------- */

static HkAnswer
permit_listed_client (const BasicRestriction *self, HkCall *call, const char *list)
{
    HkSpan address = text_of (self, call, HK_PROP_CLIENT_ADDRESS);
    if (address.size == 0) /* a Unix socket */
        return HK_DUNNO;
    HkAnswer answer = self->host->match_list (call, list, address);
    return answer == HK_FOUND ? HK_PERMIT : answer == HK_ABSENT ? HK_DUNNO : answer;
}

static HkAnswer
check_mynetworks (void *instance, HkCall *call)
{
    return permit_listed_client (instance, call, "mynetworks");
}

static HkAnswer
check_inet_interfaces (void *instance, HkCall *call)
{
    return permit_listed_client (instance, call, "inet_interfaces");
}

static HkAnswer
check_authenticated (void *instance, HkCall *call)
{
    const BasicRestriction *self = instance;
    HkSpan user;
    return self->host->prop (call, HK_PROP_SASL_USERNAME, &user) == HK_FOUND ? HK_PERMIT
                                                                             : HK_DUNNO;
}

static HkAnswer
check_plaintext (void *instance, HkCall *call)
{
    const BasicRestriction *self = instance;
    HkSpan version;
    if (self->host->prop (call, HK_PROP_TLS_VERSION, &version) == HK_FOUND)
        return HK_DUNNO;
    return self->host->reply (call, HK_REJECT, self->code, "4.7.1",
                              "Session encryption is required");
}

static HkAnswer
refuse_nameless (const BasicRestriction *self, HkCall *call, int32_t code, const char *what)
{
    HkSpan address = text_of (self, call, HK_PROP_CLIENT_ADDRESS);
    return self->host->reply (call, HK_REJECT, code, "4.7.25",
                              "Client host rejected: cannot find your %s, [%.*s]", what,
                              ARG (address));
}

static bool
is_unknown (HkSpan name)
{
    return name.size == 0 || (name.size == 7 && memcmp (name.data, "unknown", 7) == 0);
}

static HkAnswer
check_client_hostname (void *instance, HkCall *call)
{
    const BasicRestriction *self = instance;
    int64_t status = 5;
    if (!is_unknown (text_of (self, call, HK_PROP_CLIENT_NAME)))
        return HK_DUNNO;
    self->host->prop_int (call, HK_PROP_CLIENT_NAME_STATUS, &status);
    return refuse_nameless (self, call, status == 4 ? 450 : self->code, "hostname");
}

static HkAnswer
check_reverse_hostname (void *instance, HkCall *call)
{
    const BasicRestriction *self = instance;
    int64_t status = 5;
    if (!is_unknown (text_of (self, call, HK_PROP_CLIENT_REVERSE_NAME)))
        return HK_DUNNO;
    self->host->prop_int (call, HK_PROP_CLIENT_NAME_STATUS, &status);
    return refuse_nameless (self, call, status == 4 ? 450 : self->code, "reverse hostname");
}

/* What the session saw: commands sent before the reply that they had to wait for.  It
 * breaks the session off itself where smtpd_forbid_unauth_pipelining says so; this word
 * refuses whatever command it stands at, as Postfix's does. */
static HkAnswer
check_pipelining (void *instance, HkCall *call)
{
    const BasicRestriction *self = instance;
    int64_t is_improper = 0;
    self->host->prop_int (call, HK_PROP_IMPROPER_PIPELINING, &is_improper);
    if (is_improper == 0)
        return HK_DUNNO;
    HkSpan subject = text_of (self, call, HK_PROP_REPLY_SUBJECT);
    return self->host->reply (call, HK_REJECT, 503, "5.5.0",
                              "%.*s: Improper use of SMTP command pipelining",
                              ARG (subject));
}

/* ---- the destination
 * -------------------------------------------------------------------------- */

/* FOUND: mail for this recipient ends here or is relayed for anyone. */
static HkAnswer
is_our_destination (const BasicRestriction *self, HkCall *call)
{
    int32_t destination = 0;
    HkAnswer answer = self->host->destination (
        call, text_of (self, call, HK_PROP_RECIPIENT), &destination);
    if (answer != HK_OK)
        return answer;
    return destination == HK_DEST_OTHER ? HK_ABSENT : HK_FOUND;
}

static HkAnswer
check_permit_destination (void *instance, HkCall *call)
{
    HkAnswer answer = is_our_destination (instance, call);
    return answer == HK_FOUND ? HK_PERMIT : answer == HK_ABSENT ? HK_DUNNO : answer;
}

static HkAnswer
refuse_foreign (const BasicRestriction *self, HkCall *call, int32_t code, const char *dsn)
{
    HkAnswer answer = is_our_destination (self, call);
    if (answer != HK_ABSENT)
        return answer == HK_FOUND ? HK_DUNNO : answer;
    HkSpan recipient = text_of (self, call, HK_PROP_RECIPIENT);
    return self->host->reply (call, HK_REJECT, code, dsn, "<%.*s>: Relay access denied",
                              ARG (recipient));
}

static HkAnswer
check_reject_destination (void *instance, HkCall *call)
{
    const BasicRestriction *self = instance;
    return refuse_foreign (self, call, self->code, "5.7.1");
}

static HkAnswer
check_defer_destination (void *instance, HkCall *call)
{
    const BasicRestriction *self = instance;
    return refuse_foreign (self, call, self->code >= 500 ? self->code - 100 : self->code,
                           "4.7.1");
}

/* ---- known addresses
 * -------------------------------------------------------------------------- */

/* REASON: "550 5.1.1 User unknown in …". */
static HkAnswer
refuse_unlisted (const BasicRestriction *self, HkCall *call, HkSpan address,
                 const char *class, HkSpan reason, const char *sender_dsn)
{
    g_autofree char *text = g_strndup ((const char *) reason.data, reason.size);
    char *dsn = strchr (text, ' '), *what = dsn == NULL ? NULL : strchr (dsn + 1, ' ');
    int32_t code = (int32_t) g_ascii_strtoll (text, NULL, 10);
    if (what == NULL)
        return self->host->reply (call, HK_REJECT, 550, "5.1.1", "<%.*s>: %s rejected: %s",
                                  ARG (address), class, text);
    *what++ = '\0';
    dsn++;
    if (sender_dsn != NULL && strcmp (dsn, "5.1.1") == 0)
        return self->host->reply (call, HK_REJECT, code, sender_dsn,
                                  "<%.*s>: %s rejected: %s", ARG (address), class, what);
    return self->host->reply (call, HK_REJECT, code, dsn, "<%.*s>: %s rejected: %s",
                              ARG (address), class, what);
}

static HkAnswer
check_unlisted_recipient (void *instance, HkCall *call)
{
    const BasicRestriction *self = instance;
    HkSpan reason = {NULL, 0}, address = text_of (self, call, HK_PROP_RECIPIENT);
    HkAnswer answer = self->host->listed (call, address, &reason);
    if (answer != HK_ABSENT)
        return answer == HK_FOUND ? HK_DUNNO : answer;
    return refuse_unlisted (self, call, address, "Recipient address", reason, NULL);
}

static HkAnswer
check_unlisted_sender (void *instance, HkCall *call)
{
    const BasicRestriction *self = instance;
    HkSpan reason = {NULL, 0}, address = text_of (self, call, HK_PROP_SENDER);
    if (address.size == 0)
        return HK_DUNNO;
    HkAnswer answer = self->host->listed (call, address, &reason);
    if (answer != HK_ABSENT)
        return answer == HK_FOUND ? HK_DUNNO : answer;
    return refuse_unlisted (self, call, address, "Sender address", reason, "5.1.0");
}

/* ---- syntax
 * ------------------------------------------------------------------------------------ */

static HkAnswer
refuse_address (const BasicRestriction *self, HkCall *call, uint32_t prop,
                const char *class)
{
    HkSpan address = text_of (self, call, prop);
    if (address.size == 0 || restriction_basic_is_fqdn_address (address))
        return HK_DUNNO;
    return self->host->reply (call, HK_REJECT, self->code, "5.5.2",
                              "<%.*s>: %s rejected: need fully-qualified address",
                              ARG (address), class);
}

static HkAnswer
check_fqdn_sender (void *instance, HkCall *call)
{
    return refuse_address (instance, call, HK_PROP_SENDER, "Sender address");
}

static HkAnswer
check_fqdn_recipient (void *instance, HkCall *call)
{
    return refuse_address (instance, call, HK_PROP_RECIPIENT, "Recipient address");
}

static HkAnswer
check_fqdn_helo (void *instance, HkCall *call)
{
    const BasicRestriction *self = instance;
    HkSpan name = text_of (self, call, HK_PROP_HELO_NAME);
    if (restriction_basic_is_literal (name) || restriction_basic_is_fqdn (name))
        return HK_DUNNO;
    return self->host->reply (
        call, HK_REJECT, self->code, "5.5.2",
        "<%.*s>: Helo command rejected: need fully-qualified hostname", ARG (name));
}

static HkAnswer
check_valid_helo (void *instance, HkCall *call)
{
    const BasicRestriction *self = instance;
    HkSpan name = text_of (self, call, HK_PROP_HELO_NAME);
    if (name.size > 0 && name.data[0] == '[') {
        if (restriction_basic_is_literal (name))
            return HK_DUNNO;
        return self->host->reply (call, HK_REJECT, self->code, "5.5.2",
                                  "<%.*s>: Helo command rejected: invalid ip address",
                                  ARG (name));
    }
    if (restriction_basic_is_hostname (name))
        return HK_DUNNO;
    return self->host->reply (call, HK_REJECT, self->code, "5.5.2",
                              "<%.*s>: Helo command rejected: Invalid name", ARG (name));
}

/* ---- bounces with several recipients
 * ----------------------------------------------------------- */

static HkAnswer
check_multi_bounce (void *instance, HkCall *call)
{
    const BasicRestriction *self = instance;
    HkSpan sender;
    int64_t n = 0;
    if (self->host->prop (call, HK_PROP_SENDER, &sender) != HK_FOUND || sender.size > 0)
        return HK_DUNNO;
    self->host->prop_int (call, HK_PROP_RECIPIENT_COUNT, &n);
    HkSpan stage = text_of (self, call, HK_PROP_STAGE);
    /* At RCPT the one under discussion is not counted yet. */
    if (n + (stage.size == 4 && memcmp (stage.data, "RCPT", 4) == 0 ? 1 : 0) <= 1)
        return HK_DUNNO;
    HkSpan subject = text_of (self, call, HK_PROP_REPLY_SUBJECT);
    return self->host->reply (call, HK_REJECT, self->code, "5.5.3",
                              "%.*s: Multi-recipient bounce", ARG (subject));
}

/* ---- the words
 * ----------------------------------------------------------------------------------- */

#define CODE_PARAM(n, p, h)                                                                \
    {                                                                                      \
        .name = n, .type = HK_PARAM_INT, .flags = HK_PARAM_RELOADABLE, .preset = p,        \
        .min = 400, .max = 599, .help = h                                                  \
    }

static const HkParam basic_params[] = {
    CODE_PARAM ("reject_code", "554", "Reply code of the restriction \"reject\"."),
    CODE_PARAM ("defer_code", "450", "Reply code of the restriction \"defer\"."),
    CODE_PARAM ("relay_domains_reject_code", "554",
                "Reply code when a client asks to relay to a foreign destination."),
    CODE_PARAM ("non_fqdn_reject_code", "504", "Reply code for names without a domain."),
    CODE_PARAM ("invalid_hostname_reject_code", "501",
                "Reply code for HELO names of wrong syntax."),
    CODE_PARAM ("unknown_client_reject_code", "450",
                "Reply code for clients without a verified host name."),
    CODE_PARAM ("multi_recipient_bounce_reject_code", "550",
                "Reply code for bounces with several recipients."),
    CODE_PARAM ("plaintext_reject_code", "450",
                "Reply code for sessions without encryption."),
    {.name = NULL},
};

#define WORD(symbol, word, opener, checker, need)                                          \
    static const HkRestrictionClass symbol = {                                             \
        .base = {.size = sizeof (HkRestrictionClass),                                      \
                 .kind = HK_KIND_RESTRICTION,                                              \
                 .class_minor = HK_RESTRICTION_MINOR,                                      \
                 .name = word,                                                             \
                 .flags = HK_THREAD_SAFE,                                                  \
                 .params = basic_params,                                                   \
                 .open = opener,                                                           \
                 .close = close_basic},                                                    \
        .needs = need,                                                                     \
        .check = checker,                                                                  \
    }

WORD (permit, "permit", open_plain, check_permit, 0);
WORD (reject, "reject", open_reject, check_reject, 0);
WORD (defer, "defer", open_defer, check_defer, 0);
WORD (mynetworks, "permit_mynetworks", open_plain, check_mynetworks, 0);
WORD (inet_interfaces, "permit_inet_interfaces", open_plain, check_inet_interfaces, 0);
WORD (authenticated, "permit_sasl_authenticated", open_plain, check_authenticated, 0);
WORD (permit_destination, "permit_auth_destination", open_plain, check_permit_destination,
      HK_NEEDS_RECIPIENT);
WORD (reject_destination, "reject_unauth_destination", open_relay, check_reject_destination,
      HK_NEEDS_RECIPIENT);
WORD (defer_destination, "defer_unauth_destination", open_relay, check_defer_destination,
      HK_NEEDS_RECIPIENT);
WORD (unlisted_recipient, "reject_unlisted_recipient", open_plain, check_unlisted_recipient,
      HK_NEEDS_RECIPIENT);
WORD (unlisted_sender, "reject_unlisted_sender", open_plain, check_unlisted_sender,
      HK_NEEDS_SENDER);
WORD (fqdn_sender, "reject_non_fqdn_sender", open_non_fqdn, check_fqdn_sender,
      HK_NEEDS_SENDER);
WORD (fqdn_recipient, "reject_non_fqdn_recipient", open_non_fqdn, check_fqdn_recipient,
      HK_NEEDS_RECIPIENT);
WORD (fqdn_helo, "reject_non_fqdn_helo_hostname", open_non_fqdn, check_fqdn_helo,
      HK_NEEDS_HELO);
WORD (valid_helo, "reject_invalid_helo_hostname", open_invalid, check_valid_helo,
      HK_NEEDS_HELO);
WORD (client_hostname, "reject_unknown_client_hostname", open_unknown_client,
      check_client_hostname, 0);
WORD (reverse_hostname, "reject_unknown_reverse_client_hostname", open_unknown_client,
      check_reverse_hostname, 0);
WORD (pipelining, "reject_unauth_pipelining", open_plain, check_pipelining, 0);
WORD (multi_bounce, "reject_multi_recipient_bounce", open_bounce, check_multi_bounce,
      HK_NEEDS_SENDER);
WORD (plaintext, "reject_plaintext_session", open_plaintext, check_plaintext, 0);

HK_PLUGIN (restriction_basic, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "permit, reject, networks, destinations and syntax checks",
           .classes = HK_CLASSES (&permit.base, &reject.base, &defer.base, &mynetworks.base,
                                  &inet_interfaces.base, &authenticated.base,
                                  &permit_destination.base, &reject_destination.base,
                                  &defer_destination.base, &unlisted_recipient.base,
                                  &unlisted_sender.base, &fqdn_sender.base,
                                  &fqdn_recipient.base, &fqdn_helo.base, &valid_helo.base,
                                  &client_hostname.base, &reverse_hostname.base,
                                  &pipelining.base, &multi_bounce.base, &plaintext.base))
