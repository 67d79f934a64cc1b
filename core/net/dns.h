/* dns.h: asking the domain name system, through libunbound, on the loop. */
#ifndef HK_NET_DNS_H
#define HK_NET_DNS_H

#include "conf/conf.h"
#include "loop/loop.h"

typedef struct HkResolver HkResolver;

extern const HkConfSpec hk_dns_params[]; /* dns_servers, dns_timeout … */

typedef struct {
    const char *const *servers; /* "127.0.0.1@5353", NULL-ended; NULL: resolv.conf */
    const char *hosts_file;     /* read for A and AAAA first when not NULL */
    int64_t timeout_us;
} HkResolverOptions;

HkResolver *hk_resolver_new (HkLoop *loop, const HkResolverOptions *options,
                             GError **error);
void
hk_resolver_free (HkResolver *self); /* open questions are dropped without a callback */

/* One question; FN once, from the loop, never from inside.  Bounded: at most 100 records.
 * NAME may hold UTF-8 (IDNA is applied).  MX, PTR, CNAME and NS give names in `data` ("" is
 * the root, as in RFC 7505), TXT its strings joined, other types the record's bytes. REASON
 * is NULL with HK_DNS_FOUND.  Everything given to FN is borrowed until it returns. */
void hk_resolver_ask (HkResolver *self, const char *name, uint16_t type, HkDnsFn fn,
                      void *data);
/* Host name of an address, verified by looking it up again (Postfix's client_name).  FN
 * gets verified name or NULL, unverified name or NULL, and why the first is not there. */
typedef enum {
    HK_PEER_NONE,      /* no name, or it is another host's; 0 with a name as well */
    HK_PEER_TEMPORARY, /* no answer */
    HK_PEER_NO_NAME,   /* the unverified name does not exist */
    HK_PEER_NO_ADDRESS /* ... has no address */
} HkPeerFailure;
typedef void (*HkPeerNameFn) (void *data, const char *name, const char *reverse_name,
                              HkPeerFailure failure);
struct sockaddr;
void hk_resolver_peer_name (HkResolver *self, const struct sockaddr *peer, HkPeerNameFn fn,
                            void *data);
/* Drop what was asked with this DATA: its FN will not be called. */
void hk_resolver_cancel (HkResolver *self, void *data);

/* As the settings say: dns_servers, dns_timeout; /etc/hosts is read first. */
HkResolver *hk_resolver_new_from_settings (HkLoop *loop, HkSettings *settings,
                                           GError **error);

#endif
