/* restriction_helo.c: the words of smtpd_*_restrictions that look at the name that the client
 * gives itself in HELO or EHLO.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../names.h"
#include "../table.h"

WORD_OPEN (open_invalid, "invalid_hostname_reject_code")

typedef struct {
    Word word; /* first: word_text takes it */
    int32_t invalid_code;
} FqdnWord;

static HkAnswer
open_fqdn (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    (void) call;
    FqdnWord *self = g_new0 (FqdnWord, 1);
    self->word.host = host;
    self->word.code = (int32_t) host->conf_int (conf, "non_fqdn_reject_code");
    self->invalid_code = (int32_t) host->conf_int (conf, "invalid_hostname_reject_code");
    *out_instance = self;
    return HK_OK;
}

/* ---- syntax */

static HkAnswer
refuse (const Word *self, HkCall *call, int32_t code, HkSpan name, const char *what)
{
    return self->host->reply (call, HK_REJECT, code, "5.5.2",
                              "<%.*s>: Helo command rejected: %s", ARG (name), what);
}

/* "[…]": an address literal or a mistake. */
static HkAnswer
check_literal (const Word *self, HkCall *call, int32_t code, HkSpan name)
{
    return name_is_literal (name) ? HK_DUNNO
                                  : refuse (self, call, code, name, "invalid ip address");
}

static HkAnswer
check_fqdn (void *instance, HkCall *call)
{
    const FqdnWord *self = instance;
    HkSpan name = word_text (&self->word, call, HK_PROP_HELO_NAME);
    if (name.size > 0 && name.data[0] == '[')
        return check_literal (&self->word, call, self->invalid_code, name);
    if (name_is_fqdn (name))
        return HK_DUNNO;
    return refuse (&self->word, call, self->word.code, name,
                   "need fully-qualified hostname");
}

static HkAnswer
check_valid (void *instance, HkCall *call)
{
    const Word *self = instance;
    HkSpan name = word_text (self, call, HK_PROP_HELO_NAME);
    if (name.size > 0 && name.data[0] == '[')
        return check_literal (self, call, self->code, name);
    return name_is_hostname (name) || name_is_address (name)
               ? HK_DUNNO
               : refuse (self, call, self->code, name, "Invalid name");
}

/* An address without brackets, of the days before RFC 2821: permitted when it is one. */
static HkAnswer
check_naked (void *instance, HkCall *call)
{
    const Word *self = instance;
    HkSpan name = word_text (self, call, HK_PROP_HELO_NAME);
    for (size_t i = 0; i < name.size; i++)
        if (!g_ascii_isdigit (name.data[i]) && name.data[i] != '.' && name.data[i] != ':')
            return HK_DUNNO;
    if (name.size == 0)
        return HK_DUNNO;
    return name_is_address (name)
               ? HK_PERMIT
               : refuse (self, call, self->code, name, "invalid ip address");
}

/* ---- tables */

static HkAnswer
check_access (void *instance, HkCall *call)
{
    return table_word_check (instance, call, HK_PROP_HELO_NAME, HK_SEARCH_ACCESS_HOST);
}

/* ---- the words */

static const HkParam helo_params[] = {
    WORD_CODE_PARAM ("non_fqdn_reject_code", "504",
                     "Reply code for names without a domain."),
    WORD_CODE_PARAM ("invalid_hostname_reject_code", "501",
                     "Reply code for HELO names of wrong syntax."),
    {.name = NULL},
};

WORD (fqdn, "reject_non_fqdn_helo_hostname", helo_params, open_fqdn, check_fqdn,
      HK_NEEDS_HELO);
WORD (valid, "reject_invalid_helo_hostname", helo_params, open_invalid, check_valid,
      HK_NEEDS_HELO);
WORD (naked, "permit_naked_ip_address", helo_params, open_invalid, check_naked,
      HK_NEEDS_HELO);
TABLE_WORD (access, "check_helo_access", helo_params, check_access, HK_NEEDS_HELO);

HK_PLUGIN (restriction_helo, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "the HELO name: its syntax, tables of names",
           .classes =
               HK_CLASSES (&fqdn.base, &valid.base, &naked.base, &access.base))
