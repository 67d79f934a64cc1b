/* dns_priv.h: what the parts of the resolver share; for this folder only. */
#ifndef HK_NET_DNS_PRIV_H
#define HK_NET_DNS_PRIV_H

#include "net/dns.h"
#include "net/hosts.h"

enum {
    HK_DNS_A = 1,
    HK_DNS_NS = 2,
    HK_DNS_CNAME = 5,
    HK_DNS_PTR = 12,
    HK_DNS_MX = 15,
    HK_DNS_TXT = 16,
    HK_DNS_AAAA = 28,
    HK_DNS_SPF = 99,

    HK_DNS_MAX_RECORDS = 100
};

/* Records of one answer, made of its RDATA.  Malformed ones are left out. */
typedef struct {
    HkDnsRecord records[HK_DNS_MAX_RECORDS];
    size_t n;
    GByteArray *text; /* names and joined strings; NULL while none was needed */
} HkDnsAnswer;
void hk_dns_answer_add (HkDnsAnswer *self, uint16_t type, uint32_t ttl, HkSpan rdata);
void hk_dns_answer_finish (HkDnsAnswer *self); /* before `records` are read */
void hk_dns_answer_clear (HkDnsAnswer *self);

/* Client names, over hk_resolver_ask. */
typedef struct HkPeers HkPeers;
HkPeers *hk_peers_new (HkLoop *loop, HkResolver *resolver, const HkHosts *hosts);
void hk_peers_free (HkPeers *self);
void hk_peers_ask (HkPeers *self, const struct sockaddr *peer, HkPeerNameFn fn, void *data);
void hk_peers_cancel (HkPeers *self, void *data);

#endif
