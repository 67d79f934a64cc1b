/* restriction_dns_ask.c: questions to the domain name system, answered before they return.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restriction_dns.h"

#include <arpa/inet.h>
#include <string.h>
#include <unbound.h>

enum { CLASS_IN = 1, NAME_SIZE = 256 };

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

/* ---- records */

static void
record_clear (void *data)
{
    g_free (((DnsRecord *) data)->text);
}

GArray *
restriction_dns_records_new (void)
{
    GArray *self = g_array_new (FALSE, TRUE, sizeof (DnsRecord));
    g_array_set_clear_func (self, record_clear);
    return self;
}

/* An uncompressed name of the wire as text; false: it is none, or holds bytes that no host
 * name has. */
static bool
read_name (const uint8_t *data, size_t size, char out[NAME_SIZE])
{
    size_t at = 0, n = 0;
    while (at < size && data[at] != 0) {
        size_t length = data[at++];
        if (length > 63 || at + length > size || n + length + 1 >= NAME_SIZE)
            return false;
        if (n > 0)
            out[n++] = '.';
        for (size_t i = 0; i < length; i++) {
            uint8_t c = data[at + i];
            if (c <= ' ' || c == '.' || c >= 0x7f)
                return false;
            out[n++] = (char) c;
        }
        at += length;
    }
    out[n] = '\0';
    return at < size;
}

static bool
read_record (DnsType type, const uint8_t *data, size_t size, DnsRecord *out)
{
    char text[NAME_SIZE];
    *out = (DnsRecord){0};
    switch (type) {
    case RESTRICTION_DNS_A:
    case RESTRICTION_DNS_AAAA:
        if (size != (type == RESTRICTION_DNS_A ? 4u : 16u) ||
            inet_ntop (type == RESTRICTION_DNS_A ? AF_INET : AF_INET6, data, text,
                       sizeof text) == NULL)
            return false;
        break;
    case RESTRICTION_DNS_MX:
        if (size < 3)
            return false;
        out->preference = (unsigned) data[0] << 8 | data[1];
        data += 2;
        size -= 2;
        G_GNUC_FALLTHROUGH;
    case RESTRICTION_DNS_NS:
        if (!read_name (data, size, text))
            return false;
        break;
    }
    out->text = g_strdup (text);
    return true;
}

const char *
restriction_dns_outcome_text (DnsOutcome outcome, bool is_host)
{
    switch (outcome) {
    case RESTRICTION_DNS_NO_DATA:
        return is_host ? "No address associated with hostname"
                       : "Host found but no data record of requested type";
    case RESTRICTION_DNS_NO_NAME:
        return is_host ? "Name or service not known" : "Host not found";
    default:
        return is_host ? "Temporary failure in name resolution"
                       : "Host not found, try again";
    }
}

static int
compare_preference (const void *a, const void *b)
{
    const DnsRecord *x = a, *y = b;
    return (x->preference > y->preference) - (x->preference < y->preference);
}

DnsOutcome
restriction_dns_ask (DnsAsker *self, const char *name, DnsType type, GArray *out)
{
    struct ub_result *result = NULL;
    DnsOutcome outcome = RESTRICTION_DNS_NO_ANSWER;
    guint before = out->len;
    if (ub_resolve (self->context, name, type, CLASS_IN, &result) != 0)
        return RESTRICTION_DNS_NO_ANSWER;
    if (result->nxdomain)
        outcome = RESTRICTION_DNS_NO_NAME;
    else if (result->rcode == 0)
        outcome = RESTRICTION_DNS_NO_DATA;
    for (size_t i = 0; result->havedata && result->data[i] != NULL &&
                       out->len - before < RESTRICTION_DNS_MAX_RECORDS;
         i++) {
        DnsRecord record;
        const uint8_t *data = (const uint8_t *) result->data[i];
        if (read_record (type, data, (size_t) result->len[i], &record))
            g_array_append_val (out, record);
    }
    ub_resolve_free (result);
    if (out->len == before)
        return outcome;
    if (type == RESTRICTION_DNS_MX)
        g_array_sort (out, compare_preference);
    return RESTRICTION_DNS_DATA;
}

DnsOutcome
restriction_dns_addresses (DnsAsker *self, const char *name, GArray *out)
{
    DnsOutcome first = restriction_dns_ask (self, name, RESTRICTION_DNS_A, out);
    if (first == RESTRICTION_DNS_NO_NAME)
        return first;
    DnsOutcome second = restriction_dns_ask (self, name, RESTRICTION_DNS_AAAA, out);
    return first == RESTRICTION_DNS_NO_DATA || second == RESTRICTION_DNS_DATA ? second
                                                                              : first;
}

/* ---- is there such a domain? */

/* RFC 7505: one MX whose exchange is the root. */
static bool
is_null_mx (const GArray *records)
{
    return records->len == 1 && g_array_index (records, DnsRecord, 0).text[0] == '\0';
}

DnsFinding
restriction_dns_find (DnsAsker *self, const char *name, const char **out_why)
{
    static const DnsType types[] = {RESTRICTION_DNS_MX, RESTRICTION_DNS_A,
                                    RESTRICTION_DNS_AAAA};
    DnsFinding finding = RESTRICTION_DNS_ABSENT;
    g_autoptr (GArray) records = restriction_dns_records_new ();
    for (size_t i = 0; i < G_N_ELEMENTS (types); i++) {
        switch (restriction_dns_ask (self, name, types[i], records)) {
        case RESTRICTION_DNS_DATA:
            return types[i] == RESTRICTION_DNS_MX && is_null_mx (records)
                       ? RESTRICTION_DNS_NULL_MX
                       : RESTRICTION_DNS_EXISTS;
        case RESTRICTION_DNS_NO_NAME:
            return RESTRICTION_DNS_ABSENT;
        case RESTRICTION_DNS_NO_ANSWER:
            finding = RESTRICTION_DNS_LATER;
            *out_why = "no answer from the domain name system";
            break;
        case RESTRICTION_DNS_NO_DATA:
            break;
        }
    }
    return finding;
}
