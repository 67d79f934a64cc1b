/* restriction_dnsbl.h: what the files of this plugin share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RESTRICTION_DNSBL_H
#define RESTRICTION_DNSBL_H

#include <glib.h>
#include <hikyaku/restriction.h>
#include <stdbool.h>

/* What is looked up. */
typedef enum {
    DNSBL_ADDRESS, /* the client's address, reversed */
    DNSBL_CLIENT,  /* its verified name */
    DNSBL_REVERSE, /* its unverified name */
    DNSBL_HELO,
    DNSBL_SENDER, /* the domain of the address */
    DNSBL_RECIPIENT
} DnsblSubject;

/* ---- restriction_dnsbl_list.c: "zone=d.d.d.d" */

typedef struct {
    char *word;              /* as written */
    char *zone;              /* without the pattern */
    bool has_pattern;
    uint32_t allowed[4][8];  /* a bit for each value of each byte */
} DnsblList;

DnsblList *restriction_dnsbl_list_new (HkSpan word); /* NULL: malformed */
void restriction_dnsbl_list_free (DnsblList *self);
/* ADDRESS: an A record's data. */
bool restriction_dnsbl_list_matches (const DnsblList *self, HkSpan address);
/* What is asked in ZONE about SUBJECT (NAME of an address: of its domain); NULL: nothing. */
char *restriction_dnsbl_query (DnsblSubject subject, HkSpan name, const char *zone);

/* ---- restriction_dnsbl_reply.c: default_rbl_reply, rbl_reply_maps */

/* The value of an attribute; the caller frees it; NULL: there is none of this name. */
typedef char *(*DnsblValueFn) (const char *name, void *data);
/* $name, ${name}, $(name), ${name?then}, ${name:else}, ${name?{then}:{else}}.  False: the
 * template is malformed or names what there is not. */
bool restriction_dnsbl_expand (const char *template, DnsblValueFn fn, void *data,
                               GString *out);

#endif
