/* restriction_recipient.c: the words of smtpd_*_restrictions that look at the recipient, or at
 * the domain of an ETRN command.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../address.h"
#include "../table.h"

WORD_OPEN (open_plain, NULL)
WORD_OPEN (open_relay, "relay_domains_reject_code")
WORD_OPEN (open_non_fqdn, "non_fqdn_reject_code")

/* ---- destinations */

/* FOUND: mail for this recipient ends here or is relayed for anyone. */
static HkAnswer
is_our_destination (const Word *self, HkCall *call)
{
    int32_t destination = 0;
    HkAnswer answer = self->host->destination (
        call, word_text (self, call, HK_PROP_RECIPIENT), &destination);
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
refuse_foreign (const Word *self, HkCall *call, int32_t code, const char *dsn)
{
    HkAnswer answer = is_our_destination (self, call);
    if (answer != HK_ABSENT)
        return answer == HK_FOUND ? HK_DUNNO : answer;
    HkSpan recipient = word_text (self, call, HK_PROP_RECIPIENT);
    return self->host->reply (call, HK_REJECT, code, dsn, "<%.*s>: Relay access denied",
                              ARG (recipient));
}

static HkAnswer
check_reject_destination (void *instance, HkCall *call)
{
    const Word *self = instance;
    return refuse_foreign (self, call, self->code, "5.7.1");
}

static HkAnswer
check_defer_destination (void *instance, HkCall *call)
{
    const Word *self = instance;
    return refuse_foreign (self, call, self->code >= 500 ? self->code - 100 : self->code,
                           "4.7.1");
}

/* check_relay_domains, of Postfix 1: what reject_unauth_destination and a permit behind it
 * say, and clients in relay_domains besides. */
static HkAnswer
check_relay_domains (void *instance, HkCall *call)
{
    const Word *self = instance;
    HkSpan client = word_text (self, call, HK_PROP_CLIENT_ADDRESS);
    HkAnswer answer = client.size == 0
                          ? HK_ABSENT
                          : self->host->match_list (call, "relay_domains", client);
    if (answer == HK_ABSENT)
        answer = is_our_destination (self, call);
    if (answer != HK_ABSENT)
        return answer == HK_FOUND ? HK_PERMIT : answer;
    HkSpan recipient = word_text (self, call, HK_PROP_RECIPIENT);
    return self->host->reply (call, HK_REJECT, self->code, "5.7.1",
                              "<%.*s>: Recipient address rejected: Relay access denied",
                              ARG (recipient));
}

/* ---- the address */

/* RFC 5321 4.5.1: "postmaster" needs no domain. */
static HkAnswer
check_fqdn (void *instance, HkCall *call)
{
    HkSpan recipient = word_text (instance, call, HK_PROP_RECIPIENT);
    if (recipient.size == strlen ("postmaster") &&
        g_ascii_strncasecmp ((const char *) recipient.data, "postmaster",
                             recipient.size) == 0)
        return HK_DUNNO;
    return address_check_fqdn (instance, call, HK_PROP_RECIPIENT, "Recipient address");
}

static HkAnswer
check_listed (void *instance, HkCall *call)
{
    return address_check_listed (instance, call, HK_PROP_RECIPIENT, "Recipient address",
                                 "5.1.1");
}

/* ---- tables */

static HkAnswer
check_access (void *instance, HkCall *call)
{
    HkSpan recipient = word_recipient (instance, call);
    return table_word_check_key (instance, call, recipient, HK_SEARCH_ACCESS_ADDRESS);
}

static HkAnswer
check_etrn (void *instance, HkCall *call)
{
    return table_word_check (instance, call, HK_PROP_ETRN_DOMAIN, HK_SEARCH_ACCESS_HOST);
}

/* ---- the words */

static const HkParam recipient_params[] = {
    WORD_CODE_PARAM ("relay_domains_reject_code", "554",
                     "Reply code when a client asks to relay to a foreign destination."),
    WORD_CODE_PARAM ("non_fqdn_reject_code", "504",
                     "Reply code for names without a domain."),
    {.name = NULL},
};

WORD (permit_destination, "permit_auth_destination", recipient_params, open_plain,
      check_permit_destination, HK_NEEDS_RECIPIENT);
WORD (reject_destination, "reject_unauth_destination", recipient_params, open_relay,
      check_reject_destination, HK_NEEDS_RECIPIENT);
WORD (defer_destination, "defer_unauth_destination", recipient_params, open_relay,
      check_defer_destination, HK_NEEDS_RECIPIENT);
WORD (relay_domains, "check_relay_domains", recipient_params, open_relay,
      check_relay_domains, HK_NEEDS_RECIPIENT);
WORD (listed, "reject_unlisted_recipient", recipient_params, open_plain, check_listed,
      HK_NEEDS_RECIPIENT);
WORD (fqdn, "reject_non_fqdn_recipient", recipient_params, open_non_fqdn, check_fqdn,
      HK_NEEDS_RECIPIENT);
TABLE_WORD (access, "check_recipient_access", recipient_params, check_access,
            HK_NEEDS_RECIPIENT);
TABLE_WORD (etrn, "check_etrn_access", recipient_params, check_etrn, 0);

HK_PLUGIN (restriction_recipient, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "the recipient: where it leads, its syntax, tables of recipients",
           .classes = HK_CLASSES (&permit_destination.base, &reject_destination.base,
                                  &defer_destination.base, &relay_domains.base,
                                  &listed.base, &fqdn.base, &access.base, &etrn.base))
