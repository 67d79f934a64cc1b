/* proxy.h: the header that a load balancer puts before a connection's bytes: who the client
 * really is (HAProxy's PROXY protocol, versions 1 and 2).  Pure: no descriptor. */
#ifndef HK_NET_PROXY_H
#define HK_NET_PROXY_H

#include "net/address.h"

/* Longest header that is read: version 1 has at most 107 bytes, version 2 its addresses and
 * as many extensions as fit; what is longer is refused. */
#define HK_PROXY_MAX 4096

typedef enum {
    HK_PROXY_MORE, /* a true beginning of a header: all of INPUT belongs to it */
    HK_PROXY_DONE,
    HK_PROXY_BAD
} HkProxyProgress;

typedef struct {
    size_t size;           /* bytes of the header */
    bool has_addresses;    /* false: LOCAL, UNKNOWN: the connection speaks for itself */
    HkAddress client, server;
    const char *error;     /* HK_PROXY_BAD: what is wrong */
} HkProxyHeader;

/* Does INPUT begin with a header?  *OUT is whole with HK_PROXY_DONE. */
HkProxyProgress hk_proxy_parse (HkSpan input, HkProxyHeader *out);

#endif
