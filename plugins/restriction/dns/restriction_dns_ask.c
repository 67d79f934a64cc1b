/* restriction_dns_ask.c: questions to the domain name system, answered before they return.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restriction_dns.h"

#include <string.h>
#include <unbound.h>

enum { TYPE_A = 1, TYPE_MX = 15, TYPE_AAAA = 28, CLASS_IN = 1 };

struct DnsAsker {
    struct ub_ctx *context; /* locks itself: any number of threads */
};

/* dns_servers knows "[::1]:5353" and "127.0.0.1:5353" beside libunbound's "…@5353". */
static char *
server_text (const char *word)
{
    const char *first = strchr (word, ':'), *last = strrchr (word, ':');
    if (word[0] == '[') {
        const char *end = strchr (word, ']');
        if (end == NULL)
            return g_strdup (word);
        return g_strdup_printf ("%.*s%s%s", (int) (end - word - 1), word + 1,
                                end[1] == ':' ? "@" : "", end[1] == ':' ? end + 2 : "");
    }
    if (strchr (word, '@') == NULL && first != NULL && first == last)
        return g_strdup_printf ("%.*s@%s", (int) (first - word), word, first + 1);
    return g_strdup (word);
}

static bool
set_servers (DnsAsker *self, HkSpan servers)
{
    g_autofree char *text = g_strndup ((const char *) servers.data, servers.size);
    g_auto (GStrv) words = g_strsplit_set (text, " \t\r\n,", -1);
    bool has_any = false;
    for (char **at = words; *at != NULL; at++) {
        if (**at == '\0')
            continue;
        g_autofree char *server = server_text (*at);
        has_any = true;
        if (ub_ctx_set_fwd (self->context, server) != 0)
            return false;
    }
    return has_any || ub_ctx_resolvconf (self->context, NULL) == 0;
}

static bool
set_options (DnsAsker *self)
{
    static const char *const options[][2] = {
        {"module-config:", "iterator"},
        {"do-not-query-localhost:", "no"}, /* a resolver on this host is the usual case */
        {"unblock-lan-zones:", "yes"},
        {"cache-max-negative-ttl:", "300"}, /* a mail system tries again */
    };
    ub_ctx_debugout (self->context, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS (options); i++)
        if (ub_ctx_set_option (self->context, options[i][0], options[i][1]) != 0)
            return false;
    return true;
}

DnsAsker *
restriction_dns_asker_new (HkSpan servers, const char **out_why)
{
    DnsAsker *self = g_new0 (DnsAsker, 1);
    self->context = ub_ctx_create ();
    if (self->context != NULL && set_options (self) && set_servers (self, servers)) {
        ub_ctx_hosts (self->context, "/etc/hosts");
        /* libunbound would answer for it although the servers may know it. */
        ub_ctx_zone_remove (self->context, "test.");
        return self;
    }
    *out_why = self->context == NULL ? "cannot make a resolver"
                                     : "cannot use the servers of dns_servers";
    restriction_dns_asker_free (self);
    return NULL;
}

void
restriction_dns_asker_free (DnsAsker *self)
{
    if (self->context != NULL)
        ub_ctx_delete (self->context);
    g_free (self);
}

typedef enum {
    ANSWER_DATA,
    ANSWER_NONE,
    ANSWER_NO_NAME,
    ANSWER_LATER,
    ANSWER_NULL_MX
} Answer;

/* RFC 7505: one MX whose exchange is the root. */
static bool
is_null_mx (const struct ub_result *result)
{
    return result->data[0] != NULL && result->data[1] == NULL && result->len[0] == 3 &&
           result->data[0][2] == '\0';
}

static Answer
ask (DnsAsker *self, const char *name, int type)
{
    struct ub_result *result = NULL;
    Answer answer = ANSWER_LATER;
    if (ub_resolve (self->context, name, type, CLASS_IN, &result) != 0)
        return ANSWER_LATER;
    if (result->havedata)
        answer = type == TYPE_MX && is_null_mx (result) ? ANSWER_NULL_MX : ANSWER_DATA;
    else if (result->nxdomain)
        answer = ANSWER_NO_NAME;
    else if (result->rcode == 0)
        answer = ANSWER_NONE;
    ub_resolve_free (result);
    return answer;
}

DnsFinding
restriction_dns_find (DnsAsker *self, const char *name, const char **out_why)
{
    static const int types[] = {TYPE_MX, TYPE_A, TYPE_AAAA};
    DnsFinding finding = RESTRICTION_DNS_ABSENT;
    for (size_t i = 0; i < G_N_ELEMENTS (types); i++) {
        switch (ask (self, name, types[i])) {
        case ANSWER_DATA:
            return RESTRICTION_DNS_EXISTS;
        case ANSWER_NULL_MX:
            return RESTRICTION_DNS_NULL_MX;
        case ANSWER_NO_NAME:
            return RESTRICTION_DNS_ABSENT;
        case ANSWER_LATER:
            finding = RESTRICTION_DNS_LATER;
            *out_why = "no answer from the domain name system";
            break;
        case ANSWER_NONE:
            break;
        }
    }
    return finding;
}
