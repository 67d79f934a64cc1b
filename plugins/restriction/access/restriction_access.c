/* restriction_access.c: check_*_access: what a table says about the client, HELO name,
 * sender, recipient or login (access(5)).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <hikyaku/restriction.h>
#include <string.h>

typedef struct {
    const HkHost *host;
    HkTable *table;
    HkSpan null_key; /* smtpd_null_access_lookup_key; lives as long as the configuration */
} AccessRestriction;

static HkAnswer
access_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkTable *table;
    HkSpan spec = host->conf_word (conf, 0);
    if (memchr (spec.data, ':', spec.size) == NULL)
        return host->broken (call, "bad argument \"%.*s\": need maptype:mapname",
                             (int) spec.size, (const char *) spec.data);
    HkAnswer answer = host->table_open (host, call, spec, &table);
    if (answer != HK_OK)
        return answer;
    AccessRestriction *self = g_new0 (AccessRestriction, 1);
    self->host = host;
    self->table = table;
    self->null_key = host->conf_string (conf, "smtpd_null_access_lookup_key");
    *out_instance = self;
    return HK_OK;
}

static void
access_close (void *instance)
{
    AccessRestriction *self = instance;
    self->host->table_close (self->table);
    g_free (self);
}

/* One search; what it finds is carried out.  ABSENT: nothing was found. */
static HkAnswer
search (const AccessRestriction *self, HkCall *call, int32_t order, HkSpan key)
{
    HkSpan action;
    HkAnswer answer = self->host->table_search (self->table, call, order, key, &action);
    if (answer != HK_FOUND)
        return answer;
    HkSpan list_subject = {NULL, 0};
    return self->host->action (call, action, list_subject);
}

static HkAnswer
check_prop (void *instance, HkCall *call, uint32_t prop, int32_t order)
{
    const AccessRestriction *self = instance;
    HkSpan key;
    HkAnswer answer = self->host->prop (call, prop, &key);
    if (answer != HK_FOUND)
        return HK_DUNNO;
    if (key.size == 0) {
        if (prop != HK_PROP_SENDER)
            return HK_DUNNO;
        key = self->null_key;
        order = HK_SEARCH_EXACT;
    }
    answer = search (self, call, order, key);
    return answer == HK_ABSENT ? HK_DUNNO : answer;
}

/* The name with its parents first, then the address with its networks. */
static HkAnswer
check_client (void *instance, HkCall *call)
{
    const AccessRestriction *self = instance;
    HkSpan key;
    HkAnswer answer = HK_ABSENT;
    if (self->host->prop (call, HK_PROP_CLIENT_NAME, &key) == HK_FOUND)
        answer = search (self, call, HK_SEARCH_ACCESS_HOST, key);
    if (answer == HK_ABSENT &&
        self->host->prop (call, HK_PROP_CLIENT_ADDRESS, &key) == HK_FOUND)
        answer = search (self, call, HK_SEARCH_ACCESS_NETWORK, key);
    return answer == HK_ABSENT ? HK_DUNNO : answer;
}

static HkAnswer
check_reverse_client (void *instance, HkCall *call)
{
    return check_prop (instance, call, HK_PROP_CLIENT_REVERSE_NAME, HK_SEARCH_ACCESS_HOST);
}

static HkAnswer
check_helo (void *instance, HkCall *call)
{
    return check_prop (instance, call, HK_PROP_HELO_NAME, HK_SEARCH_ACCESS_HOST);
}

static HkAnswer
check_sender (void *instance, HkCall *call)
{
    return check_prop (instance, call, HK_PROP_SENDER, HK_SEARCH_ACCESS_ADDRESS);
}

static HkAnswer
check_recipient (void *instance, HkCall *call)
{
    return check_prop (instance, call, HK_PROP_RECIPIENT, HK_SEARCH_ACCESS_ADDRESS);
}

static HkAnswer
check_sasl (void *instance, HkCall *call)
{
    return check_prop (instance, call, HK_PROP_SASL_USERNAME, HK_SEARCH_EXACT);
}

static HkAnswer
check_etrn (void *instance, HkCall *call)
{
    return check_prop (instance, call, HK_PROP_RECIPIENT, HK_SEARCH_ACCESS_HOST);
}

static const HkParam access_params[] = {
    {.name = "smtpd_null_access_lookup_key",
     .type = HK_PARAM_STRING,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "<>",
     .help = "Key of the null sender in access tables."},
    {.name = NULL},
};

#define WORD(symbol, word, checker, need)                                                  \
    static const HkRestrictionClass symbol = {                                             \
        .base = {.size = sizeof (HkRestrictionClass),                                      \
                 .kind = HK_KIND_RESTRICTION,                                              \
                 .class_minor = HK_RESTRICTION_MINOR,                                      \
                 .name = word,                                                             \
                 .flags = HK_THREAD_SAFE,                                                  \
                 .params = access_params,                                                  \
                 .open = access_open,                                                      \
                 .close = access_close},                                                   \
        .n_words = 1,                                                                      \
        .needs = need,                                                                     \
        .check = checker,                                                                  \
    }

WORD (client, "check_client_access", check_client, 0);
WORD (reverse_client, "check_reverse_client_hostname_access", check_reverse_client, 0);
WORD (helo, "check_helo_access", check_helo, HK_NEEDS_HELO);
WORD (sender, "check_sender_access", check_sender, HK_NEEDS_SENDER);
WORD (recipient, "check_recipient_access", check_recipient, HK_NEEDS_RECIPIENT);
WORD (sasl, "check_sasl_access", check_sasl, 0);
WORD (etrn, "check_etrn_access", check_etrn, HK_NEEDS_RECIPIENT);

HK_PLUGIN (restriction_access, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "check_*_access: decisions from access(5) tables",
           .classes = HK_CLASSES (&client.base, &reverse_client.base, &helo.base,
                                  &sender.base, &recipient.base, &sasl.base, &etrn.base))
