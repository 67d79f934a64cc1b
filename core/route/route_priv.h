/* route_priv.h: what the files of this room share. */
#ifndef HK_ROUTE_PRIV_H
#define HK_ROUTE_PRIV_H

#include "mail/address.h"
#include "route/route.h"

struct HkRouter {
    int n_refs;
    HkSettings *settings;
    const char *myhostname, *mydomain, *myorigin; /* owned by settings */
    const char *local_transport, *virtual_transport, *relay_transport, *default_transport,
        *relayhost, *empty_recipient, *empty_relayhost_key, *empty_transport_key;
    bool append_at_myorigin, append_dot_mydomain, swap_bangpath, percent_hack, trust_routes,
        dequotes, show_table_name;
    int local_code, alias_code, mailbox_code, relay_code;
    HkMatchList *mydestination, *alias_domains, *mailbox_domains, *relay_domains;
    HkMaps *local_recipients, *aliases, *mailboxes, *relay_recipients, *transports,
        *sender_relayhosts, *sender_transports, *relocated, *canonical, *sender_canonical,
        *recipient_canonical;
    HkSearch search;        /* for every map but transport_maps */
    HkSearch search_domain; /* transport_maps: its own parent_domain_matches_subdomains */
    GHashTable *own_ips;    /* text of addresses → itself */
    bool may_block, lists_may_block;
    bool for_probes;
    bool may_give_error; /* some route can end in "error:": listed() has to look */
};

/* An address in standard form, with its place among the classes. */
typedef struct {
    HkSpan address, local, domain; /* borrowed from the caller or `own` */
    int place;                     /* HK_DEST_* */
    bool is_routed; /* the local part still tells a way: user@a@b, user%a@b */
    GString *own;
} HkPlace;
/* HK_OK or HK_LATER.  hk_place_clear in both cases. */
HkAnswer hk_router_place (HkRouter *self, HkSpan address, HkPlace *out, char **out_reason);
void hk_place_clear (HkPlace *self);

/* probes.c: the parameter that stands for NAME in a router for probes. */
const char *hk_route_probe_name (const char *name);
bool hk_route_probes_differ (HkSettings *settings); /* does one of them say something else? */

/* Collect the addresses that inet_interfaces and proxy_interfaces stand for. */
GHashTable *hk_route_own_ips (HkSettings *settings);

#endif
