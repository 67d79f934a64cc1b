/* restriction_dns.c: the words that ask the domain name system; here those that refuse names
 * that it does not know: reject_unknown_{sender,recipient}_domain and
 * reject_unknown_helo_hostname.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restriction_dns.h"

#include "../names.h"
#include "../words.h"

typedef struct {
    const HkHost *host;
    DnsAsker *asker;
    int32_t code, invalid_code;
    bool defers_if_permit; /* *_tempfail_action */
} DnsRestriction;

/* What the words differ in. */
typedef struct {
    uint32_t prop;
    const char *class, *dsn, *null_mx_dsn, *text;
} DnsWord;

static HkAnswer
dns_open (const HkHost *host, const HkConf *conf, HkCall *call, const char *code,
          const char *action, void **out_instance)
{
    const char *why = NULL;
    DnsAsker *asker =
        restriction_dns_asker_new (host->conf_string (conf, "dns_servers"), &why);
    if (asker == NULL)
        return host->broken (call, "%s", why);
    HkSpan tempfail = host->conf_string (conf, action);
    DnsRestriction *self = g_new0 (DnsRestriction, 1);
    self->host = host;
    self->asker = asker;
    self->code = (int32_t) host->conf_int (conf, code);
    self->defers_if_permit = tempfail.size == strlen ("defer_if_permit") &&
                             memcmp (tempfail.data, "defer_if_permit", tempfail.size) == 0;
    *out_instance = self;
    return HK_OK;
}

static HkAnswer
open_address (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    return dns_open (host, conf, call, "unknown_address_reject_code",
                     "unknown_address_tempfail_action", out_instance);
}

static HkAnswer
open_helo (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkAnswer answer = dns_open (host, conf, call, "unknown_hostname_reject_code",
                                "unknown_helo_hostname_tempfail_action", out_instance);
    if (answer == HK_OK)
        ((DnsRestriction *) *out_instance)->invalid_code =
            (int32_t) host->conf_int (conf, "invalid_hostname_reject_code");
    return answer;
}

static void
dns_close (void *instance)
{
    DnsRestriction *self = instance;
    restriction_dns_asker_free (self->asker);
    g_free (self);
}

/* ---- checks
 * --------------------------------------------------------------------------------- */

static HkAnswer
refuse_absent (const DnsRestriction *self, HkCall *call, const DnsWord *word, HkSpan subject)
{
    return self->host->reply (call, HK_REJECT, self->code, word->dsn,
                              "<%.*s>: %s rejected: %s", ARG (subject), word->class,
                              word->text);
}

static HkAnswer
judge (const DnsRestriction *self, HkCall *call, const DnsWord *word, HkSpan subject,
       const char *name)
{
    const HkHost *host = self->host;
    const char *why = "";
    switch (restriction_dns_find (self->asker, name, &why)) {
    case RESTRICTION_DNS_EXISTS:
        return HK_DUNNO;
    case RESTRICTION_DNS_NULL_MX:
        if (word->null_mx_dsn == NULL)
            return HK_DUNNO;
        return host->reply (call, HK_REJECT, word->prop == HK_PROP_SENDER ? 550 : 556,
                            word->null_mx_dsn,
                            "<%.*s>: %s rejected: Domain %s does not accept mail (nullMX)",
                            ARG (subject), word->class, name);
    case RESTRICTION_DNS_ABSENT:
        return refuse_absent (self, call, word, subject);
    default:
        /* Whoever writes from such a domain causes it: no warning. */
        host->log (host, HK_LOG_INFO, "%s: %s", name, why);
        return host->reply (call, self->defers_if_permit ? HK_DEFER_IF_PERMIT : HK_REJECT,
                            450, word->dsn, "<%.*s>: %s rejected: %s", ARG (subject),
                            word->class, word->text);
    }
}

/* NULL: none, or an address literal. */
static char *
domain_of (HkSpan address)
{
    HkSpan domain = address_domain (address);
    if (domain.size == 0 || domain.data[0] == '[')
        return NULL;
    return g_strndup ((const char *) domain.data, domain.size);
}

static HkAnswer
check_address (const DnsRestriction *self, HkCall *call, const DnsWord *word)
{
    HkSpan address;
    int32_t destination = HK_DEST_OTHER;
    if (self->host->prop (call, word->prop, &address) != HK_FOUND || address.size == 0)
        return HK_DUNNO;
    HkAnswer answer = self->host->destination (call, address, &destination);
    if (answer != HK_OK)
        return answer;
    /* What ends here needs no MX. */
    if (destination != HK_DEST_OTHER && destination != HK_DEST_RELAY)
        return HK_DUNNO;
    g_autofree char *domain = domain_of (address);
    return domain == NULL ? HK_DUNNO : judge (self, call, word, address, domain);
}

static HkAnswer
check_sender (void *instance, HkCall *call)
{
    static const DnsWord word = {HK_PROP_SENDER, "Sender address", "4.1.8", "5.7.27",
                                 "Domain not found"};
    return check_address (instance, call, &word);
}

static HkAnswer
check_recipient (void *instance, HkCall *call)
{
    static const DnsWord word = {HK_PROP_RECIPIENT, "Recipient address", "4.1.2", "5.1.10",
                                 "Domain not found"};
    return check_address (instance, call, &word);
}

static HkAnswer
check_helo (void *instance, HkCall *call)
{
    static const DnsWord word = {HK_PROP_HELO_NAME, "Helo command", "4.7.1", NULL,
                                 "Host not found"};
    const DnsRestriction *self = instance;
    HkSpan name;
    if (self->host->prop (call, HK_PROP_HELO_NAME, &name) != HK_FOUND || name.size == 0)
        return HK_DUNNO;
    if (name.data[0] == '[')
        return name_is_literal (name)
                   ? HK_DUNNO
                   : self->host->reply (call, HK_REJECT, self->invalid_code, "5.5.2",
                                        "<%.*s>: Helo command rejected: invalid ip address",
                                        ARG (name));
    /* A name that ends in a dot is asked of the DNS by nobody who checks it first. */
    if (name.data[name.size - 1] == '.')
        return refuse_absent (self, call, &word, name);
    g_autofree char *text = g_strndup ((const char *) name.data, name.size);
    return judge (self, call, &word, name, text);
}

/* ---- the descriptor
 * ------------------------------------------------------------------------------ */

#define TEXT_PARAM(n, p, h)                                                                \
    {                                                                                      \
        .name = n, .type = HK_PARAM_STRING, .flags = HK_PARAM_RELOADABLE, .preset = p,     \
        .help = h                                                                          \
    }

static const HkParam dns_params[] = {
    WORD_CODE_PARAM ("unknown_address_reject_code", "450", "Reply code for domains that do not exist."),
    WORD_CODE_PARAM ("unknown_hostname_reject_code", "450",
                "Reply code for HELO names that do not exist."),
    WORD_CODE_PARAM ("invalid_hostname_reject_code", "501",
                     "Reply code for HELO names of wrong syntax."),
    TEXT_PARAM ("reject_tempfail_action", "defer_if_permit",
                "What a lookup without an answer means: defer or defer_if_permit."),
    TEXT_PARAM ("unknown_address_tempfail_action", "$reject_tempfail_action",
                "... for sender and recipient domains."),
    TEXT_PARAM ("unknown_helo_hostname_tempfail_action", "$reject_tempfail_action",
                "... for HELO names."),
    {.name = NULL},
};

#define DNS_WORD(symbol, word, opener, checker, need)                                      \
    WORD_CLASS (symbol, word, 0, HK_THREAD_SAFE | HK_MAY_BLOCK, dns_params, opener,        \
                dns_close, checker, need)

DNS_WORD (sender_domain, "reject_unknown_sender_domain", open_address, check_sender,
      HK_NEEDS_SENDER);
DNS_WORD (recipient_domain, "reject_unknown_recipient_domain", open_address, check_recipient,
      HK_NEEDS_RECIPIENT);
DNS_WORD (helo_hostname, "reject_unknown_helo_hostname", open_helo, check_helo,
          HK_NEEDS_HELO);

/* A descriptor is constant: the words of the other files are named one by one. */
static const HkClass *const classes[] = {
    &sender_domain.base,
    &recipient_domain.base,
    &helo_hostname.base,
    &restriction_dns_mx_backup.base,
    &restriction_dns_client_a.base,
    &restriction_dns_client_mx.base,
    &restriction_dns_client_ns.base,
    &restriction_dns_reverse_a.base,
    &restriction_dns_reverse_mx.base,
    &restriction_dns_reverse_ns.base,
    &restriction_dns_helo_a.base,
    &restriction_dns_helo_mx.base,
    &restriction_dns_helo_ns.base,
    &restriction_dns_sender_a.base,
    &restriction_dns_sender_mx.base,
    &restriction_dns_sender_ns.base,
    &restriction_dns_recipient_a.base,
    &restriction_dns_recipient_mx.base,
    &restriction_dns_recipient_ns.base,
    NULL,
};

HK_PLUGIN (restriction_dns, .version = "1.1", .licence = "LGPL-2.1-or-later",
           .summary = "what the domain name system says about names", .classes = classes)
