/* restriction_helo.c: the words of smtpd_*_restrictions that look at the name that the client
 * gives itself in HELO or EHLO.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../names.h"
#include "../table.h"

WORD_OPEN (open_non_fqdn, "non_fqdn_reject_code")
WORD_OPEN (open_invalid, "invalid_hostname_reject_code")

/* ---- syntax */

static HkAnswer
refuse (const Word *self, HkCall *call, HkSpan name, const char *what)
{
    return self->host->reply (call, HK_REJECT, self->code, "5.5.2",
                              "<%.*s>: Helo command rejected: %s", ARG (name), what);
}

static HkAnswer
check_fqdn (void *instance, HkCall *call)
{
    const Word *self = instance;
    HkSpan name = word_text (self, call, HK_PROP_HELO_NAME);
    if (name_is_literal (name) || name_is_fqdn (name))
        return HK_DUNNO;
    return refuse (self, call, name, "need fully-qualified hostname");
}

static HkAnswer
check_valid (void *instance, HkCall *call)
{
    const Word *self = instance;
    HkSpan name = word_text (self, call, HK_PROP_HELO_NAME);
    if (name.size > 0 && name.data[0] == '[')
        return name_is_literal (name) ? HK_DUNNO
                                      : refuse (self, call, name, "invalid ip address");
    return name_is_hostname (name) ? HK_DUNNO : refuse (self, call, name, "Invalid name");
}

/* An address without brackets, of the days before RFC 2821: permitted when it is one. */
static HkAnswer
check_naked (void *instance, HkCall *call)
{
    const Word *self = instance;
    char text[64];
    unsigned char bytes[16];
    HkSpan name = word_text (self, call, HK_PROP_HELO_NAME);
    for (size_t i = 0; i < name.size; i++)
        if (!g_ascii_isdigit (name.data[i]) && name.data[i] != '.' && name.data[i] != ':')
            return HK_DUNNO;
    if (name.size == 0)
        return HK_DUNNO;
    g_snprintf (text, sizeof text, "%.*s", ARG (name));
    bool is_address =
        name.size < sizeof text &&
        (inet_pton (AF_INET, text, bytes) == 1 || inet_pton (AF_INET6, text, bytes) == 1);
    return is_address ? HK_PERMIT : refuse (self, call, name, "invalid ip address");
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

WORD (fqdn, "reject_non_fqdn_helo_hostname", helo_params, open_non_fqdn, check_fqdn,
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
