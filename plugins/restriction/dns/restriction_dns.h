/* restriction_dns.h: what the files of this plugin share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RESTRICTION_DNS_H
#define RESTRICTION_DNS_H

#include <glib.h>
#include <hikyaku/restriction.h>
#include <stdbool.h>

/* ---- restriction_dns_ask.c: questions */

/* What the domain name system says about a name as a destination of mail. */
typedef enum {
    RESTRICTION_DNS_EXISTS,  /* it has an MX or an address */
    RESTRICTION_DNS_NULL_MX, /* RFC 7505: it takes no mail */
    RESTRICTION_DNS_ABSENT,  /* neither MX nor address */
    RESTRICTION_DNS_LATER    /* no answer for now */
} DnsFinding;

typedef enum {
    RESTRICTION_DNS_A = 1,
    RESTRICTION_DNS_NS = 2,
    RESTRICTION_DNS_MX = 15,
    RESTRICTION_DNS_AAAA = 28
} DnsType;

typedef enum {
    RESTRICTION_DNS_DATA,
    RESTRICTION_DNS_NO_DATA,
    RESTRICTION_DNS_NO_NAME,
    RESTRICTION_DNS_NO_ANSWER
} DnsOutcome;
/* As resolvers put it; IS_HOST: an address was asked for. */
const char *restriction_dns_outcome_text (DnsOutcome outcome, bool is_host);

typedef struct {
    unsigned preference; /* MX */
    char *text;          /* a name without the last dot, or an address */
} DnsRecord;

typedef struct DnsAsker DnsAsker;
/* SERVERS: blank-separated "address@port"; empty: those of resolv.conf.  NULL: *OUT_WHY
 * says what is wrong. */
DnsAsker *restriction_dns_asker_new (HkSpan servers, const char **out_why);
void restriction_dns_asker_free (DnsAsker *self);
/* Blocks.  OUT_WHY: static text, set on LATER. */
DnsFinding restriction_dns_find (DnsAsker *self, const char *name, const char **out_why);

/* An array of DnsRecord for restriction_dns_ask. */
GArray *restriction_dns_records_new (void);
/* The most that one answer gives; a name of a stranger's must not make endless work. */
enum { RESTRICTION_DNS_MAX_RECORDS = 100 };
/* Blocks.  Adds the records to OUT; a null MX (RFC 7505) is a record with the text "". */
DnsOutcome restriction_dns_ask (DnsAsker *self, const char *name, DnsType type,
                                GArray *out);
/* The addresses of NAME, both kinds. */
DnsOutcome restriction_dns_addresses (DnsAsker *self, const char *name, GArray *out);

/* ---- restriction_dns_servers.c: check_*_{a,mx,ns}_access */
extern const HkRestrictionClass restriction_dns_client_a,
    restriction_dns_client_mx,
    restriction_dns_client_ns,
    restriction_dns_reverse_a,
    restriction_dns_reverse_mx,
    restriction_dns_reverse_ns,
    restriction_dns_helo_a,
    restriction_dns_helo_mx,
    restriction_dns_helo_ns,
    restriction_dns_sender_a,
    restriction_dns_sender_mx,
    restriction_dns_sender_ns,
    restriction_dns_recipient_a,
    restriction_dns_recipient_mx,
    restriction_dns_recipient_ns;

/* ---- restriction_dns_backup.c: permit_mx_backup */
extern const HkRestrictionClass restriction_dns_mx_backup;

#endif
