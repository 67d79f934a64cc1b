/* route.h: the room that knows where an address belongs and where it goes.
 *
 * Address classes (ADDRESS_CLASS_README), rewriting to standard form, known recipients,
 * transport and next hop (transport(5)).  Built once from settings; immutable; any thread,
 * but calls may block when may_block says so (a table does). */
#ifndef HK_ROUTE_H
#define HK_ROUTE_H

#include "host/maps.h"

extern const HkConfSpec hk_route_params[];

typedef struct HkRouter HkRouter;
HkRouter *hk_router_new (HkPlugins *plugins, HkSettings *settings, GError **error);
/* ... for address probes: address_verify_* stand instead of transport_maps, relayhost and
 * their kin.  Where they say the same, it is USUAL once more. */
HkRouter *hk_router_new_for_probes (HkPlugins *plugins, HkSettings *settings,
                                    HkRouter *usual, GError **error);
HkRouter *hk_router_ref (HkRouter *self);
void hk_router_unref (HkRouter *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkRouter, hk_router_unref)
bool hk_router_may_block (const HkRouter *self);
/* ... only as far as hk_router_is_ours goes: the lists of domains. */
bool hk_router_domains_may_block (const HkRouter *self);

/* Standard form: append_at_myorigin, append_dot_mydomain, swap_bangpath,
 * allow_percent_hack, trailing dot removed; the null sender stays empty. */
void hk_router_rewrite (HkRouter *self, HkSpan address, GString *out);
/* ... and where that is one of our own domains without the way that a local part tells:
 * "user%there@here" is "user@there".  Never blocks: that part is left out where a table of
 * domains might.  False: ADDRESS is so already, and OUT is not touched. */
bool hk_router_standard_form (HkRouter *self, HkSpan address, GString *out);

/* HK_DEST_* of the domain of ADDRESS. HK_OK or HK_LATER. */
HkAnswer hk_router_class (HkRouter *self, HkSpan address, int *out_class,
                          char **out_reason);
/* Known recipient (reject_unlisted_recipient)? FOUND, ABSENT (OUT_REPLY: text such as
 * "User unknown in local recipient table"; code by parameter), LATER. */
typedef struct {
    int code;
    char dsn[12];
    const char *text;
} HkUnlisted;
HkAnswer hk_router_listed (HkRouter *self, HkSpan address, HkUnlisted *out_unlisted,
                           char **out_reason);
/* May hk_router_listed block for this ADDRESS?  Narrower than hk_router_may_block: only the
 * tables of its class count.  Never blocks itself. */
bool hk_router_listed_may_block (HkRouter *self, HkSpan address);
/* Is the name one of ours (mydestination, inet_interfaces literal, myorigin)? for HkSearch.
 */
/* Is the text of an IP address (or "IPv6:…") one of inet_interfaces, proxy_interfaces? */
bool hk_router_is_own_ip (HkRouter *self, HkSpan ip);
/* Would hk_router_rewrite leave ADDRESS as it is?  Costs no allocation. */
bool hk_router_is_standard (HkRouter *self, HkSpan address);
/* recipient_delimiter and is_ours for searches in the order of virtual(5); borrowed. */
const HkSearch *hk_router_search (const HkRouter *self);
bool hk_router_is_ours (HkRouter *self, HkSpan domain);
/* The searches that plugins make ask SELF from now on (hk_plugins_set_is_ours), from any
 * thread; there is one such router in a process.  It is kept until the next call; NULL:
 * none. */
void hk_router_serve (HkRouter *self, HkPlugins *plugins);

/* Whom probes are from, in standard form; with address_verify_sender_ttl its local part tells
 * the time.  Empty: the null sender. */
void hk_router_probe_sender (HkRouter *self, int64_t now_s, GString *out);
/* Is ADDRESS what a probe of this time or shortly before is, or was, from?  OUT: without the
 * time.  The null sender is nobody's recipient: false. */
bool hk_router_is_probe_sender (HkRouter *self, HkSpan address, int64_t now_s, GString *out);

/* Where a recipient goes.  transport_maps, sender_dependent_*, relayhost,
 * default_transport, relocated_maps.  HK_OK, HK_LATER, or HK_REJECT: bounce with dsn and
 * text. */
typedef struct {
    GString *transport; /* service name in master.cf: "smtp" */
    GString *nexthop;   /* "example.org", "[127.0.0.1]:25", "" */
    char dsn[12];
    GString *text; /* reason of LATER and REJECT */
} HkRoute;
void hk_route_init (HkRoute *self);
void hk_route_clear (HkRoute *self);
HkAnswer hk_router_resolve (HkRouter *self, HkSpan sender, HkSpan recipient, HkRoute *out);

#endif
