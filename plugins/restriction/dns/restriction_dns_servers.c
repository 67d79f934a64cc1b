/* restriction_dns_servers.c: check_*_a_access, check_*_mx_access, check_*_ns_access: what a
 * table says about the addresses, mail servers and name servers of a name (access(5)).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restriction_dns.h"

#include "../names.h"
#include "../table.h"

/* All servers of one name together; then the rest counts as not looked up. */
#define MAX_TIME_US (60 * G_TIME_SPAN_SECOND)

/* What the words differ in. */
typedef struct {
    const char *word, *class;
    uint32_t prop;
    DnsType type;
    bool is_address; /* of mail: the domain counts */
} ServerKind;

typedef struct {
    TableWord table; /* first: it is closed as one */
    const ServerKind *kind;
    DnsAsker *asker;
} ServerWord;

static HkAnswer
servers_open (const HkHost *host, const HkConf *conf, HkCall *call, const ServerKind *kind,
              void **out_instance)
{
    const char *why = NULL;
    ServerWord *self = g_new0 (ServerWord, 1);
    HkAnswer answer = table_word_init (&self->table, host, conf, call);
    if (answer != HK_OK) {
        g_free (self);
        return answer;
    }
    self->kind = kind;
    self->asker = restriction_dns_asker_new (host->conf_string (conf, "dns_servers"), &why);
    if (self->asker == NULL) {
        table_word_close (self);
        return host->broken (call, "%s", why);
    }
    *out_instance = self;
    return HK_OK;
}

static void
servers_close (void *instance)
{
    ServerWord *self = instance;
    restriction_dns_asker_free (self->asker);
    table_word_close (self);
}

static const char *
type_name (DnsType type)
{
    return type == RESTRICTION_DNS_MX ? "MX" : type == RESTRICTION_DNS_NS ? "NS" : "A";
}

/* ---- which servers */

static void
add_itself (GArray *servers, const char *name)
{
    DnsRecord record = {.text = g_strdup (name)};
    g_array_append_val (servers, record);
}

/* A zone has name servers, a name inside it has none: the parents are asked. */
static DnsOutcome
find_name_servers (const ServerWord *self, const char *domain, GArray *servers)
{
    if (domain[0] == '\0' || domain[strlen (domain) - 1] == '.')
        return RESTRICTION_DNS_NO_NAME; /* no name as it stands in HELO or an address */
    for (;;) {
        DnsOutcome outcome =
            restriction_dns_ask (self->asker, domain, RESTRICTION_DNS_NS, servers);
        const char *dot = strchr (domain, '.');
        if (outcome == RESTRICTION_DNS_DATA || outcome == RESTRICTION_DNS_NO_ANSWER ||
            dot == NULL || dot[1] == '\0')
            return outcome;
        domain = dot + 1;
    }
}

static DnsOutcome
find_servers (const ServerWord *self, const char *domain, GArray *servers)
{
    DnsOutcome outcome = RESTRICTION_DNS_NO_DATA;
    if (self->kind->type == RESTRICTION_DNS_NS)
        return find_name_servers (self, domain, servers);
    if (self->kind->type == RESTRICTION_DNS_MX)
        outcome = restriction_dns_ask (self->asker, domain, RESTRICTION_DNS_MX, servers);
    if (outcome != RESTRICTION_DNS_NO_DATA && outcome != RESTRICTION_DNS_NO_NAME)
        return outcome;
    /* Without an MX mail goes to the name itself (RFC 5321 5.1). */
    add_itself (servers, domain);
    return RESTRICTION_DNS_DATA;
}

/* ---- what the table says */

static HkAnswer
check_address (const ServerWord *self, HkCall *call, const char *address)
{
    HkSpan key = {(const uint8_t *) address, strlen (address)};
    return table_word_search (&self->table, call, HK_SEARCH_ACCESS_NETWORK, key);
}

/* Its name and the parents of this, then its addresses; with check_*_a_access these alone.
 * ABSENT: not in the table. */
static HkAnswer
check_server (const ServerWord *self, HkCall *call, const char *server, HkSpan subject)
{
    const HkHost *host = self->table.word.host;
    HkSpan key = {(const uint8_t *) server, strlen (server)};
    bool has_name = self->kind->type != RESTRICTION_DNS_A;
    HkAnswer answer = HK_ABSENT;
    if (has_name)
        answer = table_word_search (&self->table, call, HK_SEARCH_ACCESS_HOST, key);
    if (answer != HK_ABSENT)
        return answer;
    g_autoptr (GArray) addresses = restriction_dns_records_new ();
    DnsOutcome outcome = restriction_dns_addresses (self->asker, server, addresses);
    if (outcome != RESTRICTION_DNS_DATA && has_name)
        host->log (host, HK_LOG_WARNING, "Unable to look up %s host %s for %s %.*s: %s",
                   type_name (self->kind->type), server, self->kind->class, ARG (subject),
                   restriction_dns_outcome_text (outcome, true));
    for (guint i = 0; i < addresses->len && answer == HK_ABSENT; i++)
        answer = check_address (self, call, g_array_index (addresses, DnsRecord, i).text);
    return answer;
}

static HkAnswer
check_servers (const ServerWord *self, HkCall *call, const char *domain, HkSpan subject)
{
    const HkHost *host = self->table.word.host;
    int64_t end_us = host->now_us (host) + MAX_TIME_US;
    g_autoptr (GArray) servers = restriction_dns_records_new ();
    DnsOutcome outcome = find_servers (self, domain, servers);
    if (outcome != RESTRICTION_DNS_DATA) {
        host->log (host, HK_LOG_WARNING, "Unable to look up %s host for %s: %s",
                   type_name (self->kind->type), domain,
                   restriction_dns_outcome_text (outcome, false));
        return HK_ABSENT;
    }
    HkAnswer answer = HK_ABSENT;
    for (guint i = 0; i < servers->len && answer == HK_ABSENT; i++) {
        const char *server = g_array_index (servers, DnsRecord, i).text;
        if (server[0] == '\0') /* RFC 7505: there is no mail server */
            continue;
        if (host->now_us (host) > end_us) {
            host->log (host, HK_LOG_WARNING, "%s: too slow: not all servers of %s looked up",
                       self->kind->word, domain);
            break;
        }
        answer = check_server (self, call, server, subject);
    }
    return answer;
}

/* "[192.0.2.1]" is its own mail server; it has no name server. */
static HkAnswer
check_literal (const ServerWord *self, HkCall *call, HkSpan literal)
{
    if (self->kind->type == RESTRICTION_DNS_NS || !name_is_literal (literal))
        return HK_ABSENT;
    g_autofree char *text = g_strndup ((const char *) literal.data + 1, literal.size - 2);
    const char *address = g_ascii_strncasecmp (text, "IPv6:", 5) == 0 ? text + 5 : text;
    return check_address (self, call, address);
}

static HkAnswer
servers_check (void *instance, HkCall *call)
{
    const ServerWord *self = instance;
    HkSpan subject = word_text (&self->table.word, call, self->kind->prop);
    HkSpan name = self->kind->is_address ? address_domain (subject) : subject;
    HkAnswer answer;
    if (name.size == 0 || span_is (name, "unknown"))
        return HK_DUNNO;
    if (name.data[0] == '[') {
        answer = check_literal (self, call, name);
    } else {
        g_autofree char *domain = g_strndup ((const char *) name.data, name.size);
        answer = check_servers (self, call, domain, subject);
    }
    /* Whoever picks a name picks its servers: that must not open a door. */
    if (answer == HK_PERMIT)
        return self->table.word.host->broken (
            call,
            "restriction %s returns OK for %.*s; this is not allowed for security reasons; "
            "use DUNNO instead of OK if you want to make an exception",
            self->kind->word, ARG (subject));
    return answer == HK_ABSENT ? HK_DUNNO : answer;
}

/* ---- the words */

#define SERVER_WORD(symbol, text, about, property, record, is_mail, need)                  \
    static const ServerKind symbol##_kind = {text, about, property, record, is_mail};      \
    static HkAnswer symbol##_open (const HkHost *host, const HkConf *conf, HkCall *call,   \
                                   void **out_instance)                                    \
    {                                                                                      \
        return servers_open (host, conf, call, &symbol##_kind, out_instance);              \
    }                                                                                      \
    const HkRestrictionClass symbol = {                                                    \
        .base = {.size = sizeof (HkRestrictionClass),                                      \
                 .kind = HK_KIND_RESTRICTION,                                              \
                 .class_minor = HK_RESTRICTION_MINOR,                                      \
                 .name = text,                                                             \
                 .flags = HK_THREAD_SAFE | HK_MAY_BLOCK,                                   \
                 .open = symbol##_open,                                                    \
                 .close = servers_close},                                                  \
        .n_words = 1,                                                                      \
        .needs = need,                                                                     \
        .check = servers_check,                                                            \
    };
#define SERVER_WORDS(symbol, text, about, property, is_mail, need)                         \
    SERVER_WORD (symbol##_a, text "_a_access", about, property, RESTRICTION_DNS_A,         \
                 is_mail, need)                                                            \
    SERVER_WORD (symbol##_mx, text "_mx_access", about, property, RESTRICTION_DNS_MX,      \
                 is_mail, need)                                                            \
    SERVER_WORD (symbol##_ns, text "_ns_access", about, property, RESTRICTION_DNS_NS,      \
                 is_mail, need)

SERVER_WORDS (restriction_dns_client, "check_client", "Client host", HK_PROP_CLIENT_NAME,
              false, 0)
SERVER_WORDS (restriction_dns_reverse, "check_reverse_client_hostname",
              "Unverified Client host", HK_PROP_CLIENT_REVERSE_NAME, false, 0)
SERVER_WORDS (restriction_dns_helo, "check_helo", "Helo command", HK_PROP_HELO_NAME, false,
              HK_NEEDS_HELO)
SERVER_WORDS (restriction_dns_sender, "check_sender", "Sender address", HK_PROP_SENDER,
              true, HK_NEEDS_SENDER)
SERVER_WORDS (restriction_dns_recipient, "check_recipient", "Recipient address",
              HK_PROP_RECIPIENT, true, HK_NEEDS_RECIPIENT)
