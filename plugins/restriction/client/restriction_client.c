/* restriction_client.c: the words of smtpd_*_restrictions that look at the client: its
 * networks, its names, and what a table says about them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../table.h"

WORD_OPEN (open_plain, NULL)
WORD_OPEN (open_unknown, "unknown_client_reject_code")

/* ---- networks */

static HkAnswer
permit_listed (const Word *self, HkCall *call, const char *list)
{
    HkSpan address = word_text (self, call, HK_PROP_CLIENT_ADDRESS);
    if (address.size == 0) /* a Unix socket */
        return HK_DUNNO;
    HkAnswer answer = self->host->match_list (call, list, address);
    return answer == HK_FOUND ? HK_PERMIT : answer == HK_ABSENT ? HK_DUNNO : answer;
}

static HkAnswer
check_mynetworks (void *instance, HkCall *call)
{
    return permit_listed (instance, call, "mynetworks");
}

static HkAnswer
check_inet_interfaces (void *instance, HkCall *call)
{
    return permit_listed (instance, call, "inet_interfaces");
}

/* ---- names */

static HkAnswer
check_name (const Word *self, HkCall *call, uint32_t prop, const char *dsn,
            const char *what)
{
    HkSpan name = word_text (self, call, prop);
    int64_t status = 5;
    if (name.size > 0 && !span_is (name, "unknown"))
        return HK_DUNNO;
    self->host->prop_int (call, HK_PROP_CLIENT_NAME_STATUS, &status);
    HkSpan address = word_text (self, call, HK_PROP_CLIENT_ADDRESS);
    return self->host->reply (call, HK_REJECT, status == 4 ? 450 : self->code, dsn,
                              "Client host rejected: cannot find your %s, [%.*s]", what,
                              ARG (address));
}

static HkAnswer
check_hostname (void *instance, HkCall *call)
{
    return check_name (instance, call, HK_PROP_CLIENT_NAME, "4.7.25", "hostname");
}

static HkAnswer
check_reverse_hostname (void *instance, HkCall *call)
{
    return check_name (instance, call, HK_PROP_CLIENT_REVERSE_NAME, "4.7.1",
                       "reverse hostname");
}

/* ---- tables */

/* The name with its parents first, then the address with its networks. */
static HkAnswer
check_access (void *instance, HkCall *call)
{
    const TableWord *self = instance;
    HkSpan name = word_text (&self->word, call, HK_PROP_CLIENT_NAME);
    HkSpan address = word_text (&self->word, call, HK_PROP_CLIENT_ADDRESS);
    HkAnswer answer = HK_ABSENT;
    if (name.size > 0)
        answer = table_word_search (self, call, HK_SEARCH_ACCESS_HOST, name);
    if (answer == HK_ABSENT && address.size > 0)
        answer = table_word_search (self, call, HK_SEARCH_ACCESS_NETWORK, address);
    return answer == HK_ABSENT ? HK_DUNNO : answer;
}

static HkAnswer
check_reverse_access (void *instance, HkCall *call)
{
    return table_word_check (instance, call, HK_PROP_CLIENT_REVERSE_NAME,
                             HK_SEARCH_ACCESS_HOST);
}

/* ---- the words */

static const HkParam client_params[] = {
    WORD_CODE_PARAM ("unknown_client_reject_code", "450",
                     "Reply code for clients without a verified host name."),
    {.name = NULL},
};

WORD (mynetworks, "permit_mynetworks", client_params, open_plain, check_mynetworks, 0);
WORD (inet_interfaces, "permit_inet_interfaces", client_params, open_plain,
      check_inet_interfaces, 0);
WORD (hostname, "reject_unknown_client_hostname", client_params, open_unknown,
      check_hostname, 0);
WORD (reverse_hostname, "reject_unknown_reverse_client_hostname", client_params,
      open_unknown, check_reverse_hostname, 0);
TABLE_WORD (access, "check_client_access", client_params, check_access, 0);
TABLE_WORD (reverse_access, "check_reverse_client_hostname_access", client_params,
            check_reverse_access, 0);

HK_PLUGIN (restriction_client, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "the client: its networks, its names, tables of clients",
           .classes = HK_CLASSES (&mynetworks.base, &inet_interfaces.base, &hostname.base,
                                  &reverse_hostname.base, &access.base,
                                  &reverse_access.base))
