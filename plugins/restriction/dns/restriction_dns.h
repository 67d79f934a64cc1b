/* restriction_dns.h: what the files of this plugin share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RESTRICTION_DNS_H
#define RESTRICTION_DNS_H

#include <glib.h>
#include <hikyaku/restriction.h>
#include <stdbool.h>

/* What the domain name system says about a name as a destination of mail. */
typedef enum {
    RESTRICTION_DNS_EXISTS,  /* it has an MX or an address */
    RESTRICTION_DNS_NULL_MX, /* RFC 7505: it takes no mail */
    RESTRICTION_DNS_ABSENT,  /* neither MX nor address */
    RESTRICTION_DNS_LATER    /* no answer for now */
} DnsFinding;

typedef struct DnsAsker DnsAsker;

/* SERVERS: blank-separated "address@port"; empty: those of resolv.conf.  NULL: *OUT_WHY
 * says what is wrong. */
DnsAsker *restriction_dns_asker_new (HkSpan servers, const char **out_why);
void restriction_dns_asker_free (DnsAsker *self);
/* Blocks.  NEEDS_MX: the MX is asked first.  OUT_WHY: static text, set on LATER. */
DnsFinding restriction_dns_find (DnsAsker *self, const char *name, const char **out_why);

#endif
