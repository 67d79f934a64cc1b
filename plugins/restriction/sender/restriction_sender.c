/* restriction_sender.c: the words of smtpd_*_restrictions that look at the envelope sender.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../address.h"
#include "../table.h"

WORD_OPEN (open_plain, NULL)
WORD_OPEN (open_non_fqdn, "non_fqdn_reject_code")

static HkAnswer
check_fqdn (void *instance, HkCall *call)
{
    return address_check_fqdn (instance, call, HK_PROP_SENDER, "Sender address");
}

static HkAnswer
check_listed (void *instance, HkCall *call)
{
    const Word *self = instance;
    int32_t destination = HK_DEST_OTHER;
    HkSpan sender = word_text (self, call, HK_PROP_SENDER);
    /* 5.1.1 speaks of recipients; Postfix has two ways to turn it. */
    bool is_alias = self->host->destination (call, sender, &destination) == HK_OK &&
                    destination == HK_DEST_VIRTUAL_ALIAS;
    return address_check_listed (self, call, HK_PROP_SENDER, "Sender address",
                                 is_alias ? "5.1.7" : "5.1.0");
}

/* ---- tables */

static HkAnswer
open_access (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkAnswer answer = table_word_open (host, conf, call, out_instance);
    if (answer == HK_OK)
        ((TableWord *) *out_instance)->null_key =
            host->conf_string (conf, "smtpd_null_access_lookup_key");
    return answer;
}

static HkAnswer
check_access (void *instance, HkCall *call)
{
    const TableWord *self = instance;
    HkSpan sender = word_sender (&self->word, call);
    if (sender.size > 0)
        return table_word_check_key (self, call, sender, HK_SEARCH_ACCESS_ADDRESS);
    HkAnswer answer = table_word_search (self, call, HK_SEARCH_EXACT, self->null_key);
    return answer == HK_ABSENT ? HK_DUNNO : answer;
}

/* ---- the words */

static const HkParam sender_params[] = {
    WORD_CODE_PARAM ("non_fqdn_reject_code", "504",
                     "Reply code for names without a domain."),
    {.name = "smtpd_null_access_lookup_key",
     .type = HK_PARAM_STRING,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "<>",
     .help = "Key of the null sender in access tables."},
    {.name = NULL},
};

WORD (fqdn, "reject_non_fqdn_sender", sender_params, open_non_fqdn, check_fqdn,
      HK_NEEDS_SENDER);
WORD (listed, "reject_unlisted_sender", sender_params, open_plain, check_listed,
      HK_NEEDS_SENDER);
WORD_CLASS (access, "check_sender_access", 1, HK_THREAD_SAFE, sender_params, open_access,
            table_word_close, check_access, HK_NEEDS_SENDER);

HK_PLUGIN (restriction_sender, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "the envelope sender: its syntax, known senders, tables of senders",
           .classes = HK_CLASSES (&fqdn.base, &listed.base, &access.base))
