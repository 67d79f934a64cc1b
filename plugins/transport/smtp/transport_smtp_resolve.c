/* transport_smtp_resolve.c: from a site's name to the addresses to try, in order (RFC
 * 5321 5.1).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_smtp_priv.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { TYPE_A = 1, TYPE_MX = 15, TYPE_AAAA = 28, MAX_HOSTS = 20, MAX_TARGETS = 200 };

typedef struct {
    unsigned preference;
    char name[256];
} Exchanger;

struct SmtpResolve {
    SmtpDelivery *delivery;
    GArray *hosts; /* Exchanger; one without MX */
    bool has_mx;
    unsigned n_pending;
    bool was_later; /* an answer may come later */
    uint16_t last_type;
    char last_name[256];
    int last_outcome;
};

/* One question about addresses of a host. */
typedef struct {
    SmtpResolve *resolve;
    guint host;
    uint16_t type;
} Question;

static void
resolve_free (SmtpResolve *self)
{
    self->delivery->resolve = NULL;
    g_array_unref (self->hosts);
    g_free (self);
}

static const char *
type_name (uint16_t type)
{
    return type == TYPE_MX ? "MX" : type == TYPE_AAAA ? "AAAA" : "A";
}

static void
name_error (SmtpResolve *self, int outcome, const char *name, uint16_t type)
{
    SmtpDelivery *delivery = self->delivery;
    const char *what = outcome == HK_DNS_LATER     ? "Host not found, try again"
                       : outcome == HK_DNS_NO_DATA ? "Host found but no data record of "
                                                     "requested type"
                                                   : "Host not found";
    g_autofree char *copy = g_strdup (name);
    const char *dsn = outcome == HK_DNS_LATER ? "4.4.3" : "5.4.4";
    if (self->has_mx && outcome != HK_DNS_LATER && delivery->smtp->conf.defer_no_mx_address)
        dsn = "4.4.4";
    resolve_free (self);
    transport_smtp_delivery_no_host (
        delivery, dsn,
        "Host or domain name not found. Name service error for "
        "name=%s type=%s: %s",
        copy, type_name (type), what);
}

/* ---- order */

static int
compare_exchangers (const void *a, const void *b)
{
    const Exchanger *x = a, *y = b;
    return x->preference < y->preference ? -1 : x->preference > y->preference;
}

static int
compare_targets (const void *a, const void *b)
{
    const SmtpTarget *x = a, *y = b;
    if (x->preference != y->preference)
        return x->preference < y->preference ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static void
rank_targets (const SmtpConf *conf, GArray *targets)
{
    for (guint i = 0; i < targets->len; i++) {
        SmtpTarget *t = &g_array_index (targets, SmtpTarget, i);
        unsigned family = t->address.ss_family == AF_INET6 ? 6 : 4;
        unsigned rank = conf->randomize ? g_random_int () >> 2 : i;
        bool is_second = conf->prefer != 0 && (unsigned) conf->prefer != family;
        t->rank = rank | (is_second ? 1u << 31 : 0);
    }
    qsort (targets->data, targets->len, sizeof (SmtpTarget), compare_targets);
}

/* When only LIMIT addresses are tried, one of the other family shall be among them. */
static void
balance (GArray *targets, unsigned limit)
{
    SmtpTarget *all = (SmtpTarget *) (void *) targets->data;
    if (limit < 2 || targets->len <= limit)
        return;
    for (guint i = 1; i < limit; i++)
        if (all[i].address.ss_family != all[0].address.ss_family)
            return;
    for (guint i = limit; i < targets->len; i++)
        if (all[i].address.ss_family != all[0].address.ss_family) {
            SmtpTarget moved = all[i];
            memmove (&all[limit], &all[limit - 1], (i - limit + 1) * sizeof *all);
            all[limit - 1] = moved;
            return;
        }
}

/* Cut the list before the first host that is this machine.  False: nothing is left. */
static bool
cut_at_self (const SmtpDelivery *delivery, GArray *targets)
{
    const GPtrArray *own = delivery->smtp->conf.own;
    for (guint i = 0; i < targets->len; i++) {
        const SmtpTarget *t = &g_array_index (targets, SmtpTarget, i);
        for (guint k = 0; k < own->len; k++) {
            if (strcmp (own->pdata[k], t->text) != 0)
                continue;
            guint from = i;
            while (from > 0 && g_array_index (targets, SmtpTarget, from - 1).preference ==
                                   t->preference)
                from--;
            g_array_set_size (targets, from);
            return from > 0;
        }
    }
    return true;
}

static void
finish (SmtpResolve *self)
{
    SmtpDelivery *delivery = self->delivery;
    const SmtpConf *conf = &delivery->smtp->conf;
    GArray *targets = delivery->targets;
    if (targets->len == 0) {
        name_error (self, self->was_later ? HK_DNS_LATER : self->last_outcome,
                    self->last_name, self->last_type);
        return;
    }
    rank_targets (conf, targets);
    /* Who connects to other ports or by literal address knows what he does. */
    bool check_loop = !delivery->where.is_literal && delivery->where.port == 25;
    bool is_loop = check_loop && !cut_at_self (delivery, targets);
    if (conf->balance && conf->prefer == 0)
        balance (targets, conf->address_limit);
    g_autofree char *name = g_strdup (delivery->where.name);
    resolve_free (self);
    if (is_loop)
        transport_smtp_delivery_no_host (delivery, "5.4.6",
                                         "mail for %s loops back to myself", name);
    else
        transport_smtp_delivery_resolved (delivery);
}

/* ---- addresses */

static void
add_address (SmtpResolve *self, const Exchanger *host, const HkDnsRecord *record)
{
    SmtpTarget target;
    char text[64];
    int family = record->type == TYPE_A ? AF_INET : AF_INET6;
    GArray *targets = self->delivery->targets;
    if (record->data.size != (family == AF_INET ? 4 : 16) || targets->len >= MAX_TARGETS ||
        inet_ntop (family, record->data.data, text, sizeof text) == NULL ||
        !transport_smtp_target_from_ip (text, self->delivery->where.port, &target))
        return;
    target.preference = host->preference;
    g_strlcpy (target.host, host->name, sizeof target.host);
    g_array_append_val (targets, target);
}

static void
on_addresses (void *data, int32_t outcome, const HkDnsRecord *records, size_t n_records,
              const char *reason)
{
    Question *question = data;
    SmtpResolve *self = question->resolve;
    const Exchanger *host = &g_array_index (self->hosts, Exchanger, question->host);
    (void) reason;
    if (outcome == HK_DNS_FOUND) {
        for (size_t i = 0; i < n_records; i++)
            if (records[i].type == question->type)
                add_address (self, host, &records[i]);
    } else {
        self->was_later = self->was_later || outcome == HK_DNS_LATER;
        self->last_outcome = outcome;
        self->last_type = question->type;
        g_strlcpy (self->last_name, host->name, sizeof self->last_name);
    }
    g_free (question);
    if (--self->n_pending == 0)
        finish (self);
}

static void
ask_address (SmtpResolve *self, guint host, uint16_t type)
{
    const HkHost *services = self->delivery->smtp->host;
    Question *question = g_new (Question, 1);
    *question = (Question){self, host, type};
    self->n_pending++;
    services->dns_start (services, g_array_index (self->hosts, Exchanger, host).name, type,
                         on_addresses, question);
}

static void
ask_addresses (SmtpResolve *self)
{
    const SmtpConf *conf = &self->delivery->smtp->conf;
    self->last_outcome = HK_DNS_NO_NAME;
    g_strlcpy (self->last_name, self->delivery->where.name, sizeof self->last_name);
    self->last_type = TYPE_A;
    self->n_pending = 1;
    for (guint i = 0; i < self->hosts->len; i++) {
        SmtpTarget literal;
        Exchanger *host = &g_array_index (self->hosts, Exchanger, i);
        if (transport_smtp_target_from_ip (host->name, self->delivery->where.port,
                                           &literal)) {
            literal.preference = host->preference;
            g_array_append_val (self->delivery->targets, literal);
            continue;
        }
        if (conf->use_ipv4)
            ask_address (self, i, TYPE_A);
        if (conf->use_ipv6)
            ask_address (self, i, TYPE_AAAA);
    }
    if (--self->n_pending == 0)
        finish (self);
}

static void
add_host (SmtpResolve *self, unsigned preference, const char *name, size_t size)
{
    Exchanger host = {.preference = preference};
    if (size >= sizeof host.name)
        return;
    memcpy (host.name, name, size);
    g_array_append_val (self->hosts, host);
}

/* ---- mail exchangers */

static void
on_exchangers (void *data, int32_t outcome, const HkDnsRecord *records, size_t n_records,
               const char *reason)
{
    SmtpResolve *self = data;
    SmtpDelivery *delivery = self->delivery;
    (void) reason;
    if (outcome == HK_DNS_LATER) {
        name_error (self, outcome, delivery->where.name, TYPE_MX);
        return;
    }
    for (size_t i = 0; outcome == HK_DNS_FOUND && i < n_records; i++) {
        HkSpan name = records[i].data;
        if (records[i].type != TYPE_MX)
            continue;
        self->has_mx = true;
        if (name.size > 0 && !(name.size == 1 && name.data[0] == '.'))
            add_host (self, records[i].preference, (const char *) name.data, name.size);
    }
    if (self->has_mx && self->hosts->len == 0) { /* RFC 7505 */
        g_autofree char *name = g_strdup (delivery->where.name);
        resolve_free (self);
        transport_smtp_delivery_no_host (delivery, "5.1.10",
                                         "Domain %s does not accept mail (nullMX)", name);
        return;
    }
    if (self->hosts->len == 0)
        add_host (self, 0, delivery->where.name, strlen (delivery->where.name));
    qsort (self->hosts->data, self->hosts->len, sizeof (Exchanger), compare_exchangers);
    g_array_set_size (self->hosts, MIN (self->hosts->len, MAX_HOSTS));
    ask_addresses (self);
}

void
transport_smtp_resolve_start (SmtpDelivery *delivery)
{
    const HkHost *services = delivery->smtp->host;
    const SmtpSite *where = &delivery->where;
    SmtpTarget literal;
    g_array_set_size (delivery->targets, 0);
    delivery->target = 0;
    if (transport_smtp_target_from_ip (where->name, where->port, &literal)) {
        g_array_append_val (delivery->targets, literal);
        transport_smtp_delivery_resolved (delivery);
        return;
    }
    SmtpResolve *self = g_new0 (SmtpResolve, 1);
    self->delivery = delivery;
    self->hosts = g_array_new (FALSE, FALSE, sizeof (Exchanger));
    delivery->resolve = self;
    if (where->is_literal || !delivery->smtp->conf.use_dns) {
        add_host (self, 0, where->name, strlen (where->name));
        ask_addresses (self);
    } else {
        services->dns_start (services, where->name, TYPE_MX, on_exchangers, self);
    }
}
