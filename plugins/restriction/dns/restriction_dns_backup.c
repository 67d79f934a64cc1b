/* restriction_dns_backup.c: permit_mx_backup: mail for domains that name this host as a mail
 * server, though not as the first one.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restriction_dns.h"

#include "../names.h"
#include "../words.h"

typedef struct {
    Word word; /* first: word_text takes it */
    DnsAsker *asker;
    bool has_networks; /* permit_mx_backup_networks says something */
} BackupWord;

static HkAnswer
backup_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    const char *why = NULL;
    DnsAsker *asker =
        restriction_dns_asker_new (host->conf_string (conf, "dns_servers"), &why);
    if (asker == NULL)
        return host->broken (call, "%s", why);
    BackupWord *self = g_new0 (BackupWord, 1);
    self->word.host = host;
    self->asker = asker;
    self->has_networks = host->conf_string (conf, "permit_mx_backup_networks").size > 0;
    *out_instance = self;
    return HK_OK;
}

static void
backup_close (void *instance)
{
    BackupWord *self = instance;
    restriction_dns_asker_free (self->asker);
    g_free (self);
}

static HkAnswer
defer (const BackupWord *self, HkCall *call, HkSpan recipient, const char *host_name,
       DnsOutcome outcome)
{
    const HkHost *host = self->word.host;
    const char *why = restriction_dns_outcome_text (outcome, host_name != NULL);
    if (host_name == NULL)
        return host->reply (call, HK_DEFER_IF_REJECT, 450, "4.4.4",
                            "<%.*s>: Recipient address rejected: Unable to look up mail "
                            "exchanger information: %s",
                            ARG (recipient), why);
    return host->reply (call, HK_DEFER_IF_REJECT, 450, "4.4.4",
                        "<%.*s>: Recipient address rejected: Unable to look up mail "
                        "exchanger host %s: %s",
                        ARG (recipient), host_name, why);
}

/* FOUND: the mail server NAME is this host: by a name that is ours, or by an address. */
static HkAnswer
is_self (const BackupWord *self, HkCall *call, HkSpan recipient, const char *name)
{
    const HkHost *host = self->word.host;
    int32_t destination = HK_DEST_OTHER;
    g_autofree char *address = g_strdup_printf ("postmaster@%s", name);
    HkSpan key = {(const uint8_t *) address, strlen (address)};
    HkAnswer answer = host->destination (call, key, &destination);
    if (answer != HK_OK)
        return answer;
    if (destination == HK_DEST_LOCAL)
        return HK_FOUND;
    g_autoptr (GArray) addresses = restriction_dns_records_new ();
    DnsOutcome outcome = restriction_dns_addresses (self->asker, name, addresses);
    if (outcome == RESTRICTION_DNS_NO_ANSWER)
        return defer (self, call, recipient, name, outcome);
    for (guint i = 0; i < addresses->len; i++) {
        const char *text = g_array_index (addresses, DnsRecord, i).text;
        answer = host->match_list (call, "inet_interfaces",
                                   (HkSpan){(const uint8_t *) text, strlen (text)});
        if (answer != HK_ABSENT)
            return answer;
    }
    return HK_ABSENT;
}

/* FOUND: this host is among MXS, and not the first or beside the first. */
static HkAnswer
is_backup (const BackupWord *self, HkCall *call, HkSpan recipient, const GArray *mxs)
{
    unsigned best = g_array_index (mxs, DnsRecord, 0).preference;
    for (guint i = 0; i < mxs->len; i++) {
        const DnsRecord *mx = &g_array_index (mxs, DnsRecord, i);
        if (mx->text[0] == '\0')
            continue;
        HkAnswer answer = is_self (self, call, recipient, mx->text);
        if (answer == HK_FOUND)
            return mx->preference == best ? HK_ABSENT : HK_FOUND;
        if (answer != HK_ABSENT)
            return answer;
    }
    return HK_ABSENT;
}

/* FOUND: all addresses of the first mail servers are in permit_mx_backup_networks. */
static HkAnswer
is_in_networks (const BackupWord *self, HkCall *call, HkSpan recipient, const GArray *mxs)
{
    unsigned best = g_array_index (mxs, DnsRecord, 0).preference;
    for (guint i = 0; i < mxs->len; i++) {
        const DnsRecord *mx = &g_array_index (mxs, DnsRecord, i);
        if (mx->preference != best)
            break;
        g_autoptr (GArray) addresses = restriction_dns_records_new ();
        DnsOutcome outcome = restriction_dns_addresses (self->asker, mx->text, addresses);
        if (addresses->len == 0)
            return defer (self, call, recipient, mx->text, outcome);
        for (guint k = 0; k < addresses->len; k++) {
            const char *text = g_array_index (addresses, DnsRecord, k).text;
            HkAnswer answer = self->word.host->match_list (
                call, "permit_mx_backup_networks",
                (HkSpan){(const uint8_t *) text, strlen (text)});
            if (answer != HK_FOUND)
                return answer;
        }
    }
    return HK_FOUND;
}

static HkAnswer
check_domain (const BackupWord *self, HkCall *call, HkSpan recipient, const char *domain)
{
    g_autoptr (GArray) mxs = restriction_dns_records_new ();
    DnsOutcome outcome = restriction_dns_ask (self->asker, domain, RESTRICTION_DNS_MX, mxs);
    if (outcome == RESTRICTION_DNS_NO_ANSWER)
        return defer (self, call, recipient, NULL, outcome);
    if (outcome != RESTRICTION_DNS_DATA)
        return HK_DUNNO;
    HkAnswer answer = is_backup (self, call, recipient, mxs);
    if (answer == HK_FOUND && self->has_networks)
        answer = is_in_networks (self, call, recipient, mxs);
    return answer == HK_FOUND ? HK_PERMIT : answer == HK_ABSENT ? HK_DUNNO : answer;
}

static HkAnswer
backup_check (void *instance, HkCall *call)
{
    const BackupWord *self = instance;
    HkSpan recipient = word_text (&self->word, call, HK_PROP_RECIPIENT);
    int32_t destination = HK_DEST_OTHER;
    HkAnswer answer = self->word.host->destination (call, recipient, &destination);
    if (answer != HK_OK)
        return answer;
    if (destination != HK_DEST_OTHER)
        return HK_PERMIT;
    HkSpan domain = address_domain (recipient);
    if (domain.size == 0 || domain.data[0] == '[')
        return HK_DUNNO;
    /* user@elsewhere@domain, user%elsewhere@domain: a route that the sender chose. */
    for (const uint8_t *p = recipient.data; p < domain.data - 1; p++)
        if (*p == '@' || *p == '%' || *p == '!')
            return HK_DUNNO;
    g_autofree char *text = g_strndup ((const char *) domain.data, domain.size);
    return check_domain (self, call, recipient, text);
}

const HkRestrictionClass restriction_dns_mx_backup = {
    .base = {.size = sizeof (HkRestrictionClass),
             .kind = HK_KIND_RESTRICTION,
             .class_minor = HK_RESTRICTION_MINOR,
             .name = "permit_mx_backup",
             .flags = HK_THREAD_SAFE | HK_MAY_BLOCK,
             .open = backup_open,
             .close = backup_close},
    .needs = HK_NEEDS_RECIPIENT,
    .check = backup_check,
};
