/* address.h: socket addresses: text to and from, listening, connecting. */
#ifndef HK_NET_ADDRESS_H
#define HK_NET_ADDRESS_H

#include "base/bytes.h"
#include <sys/socket.h>

typedef struct {
    struct sockaddr_storage storage;
    socklen_t size;
} HkAddress;

/* "192.0.2.1", "2001:db8::1" (no port, no brackets). */
void hk_address_text (const HkAddress *self, char out[64]);
unsigned hk_address_port (const HkAddress *self); /* 0 on Unix sockets */
bool hk_address_is_ipv6 (const HkAddress *self);
bool hk_address_parse_ip (HkSpan ip, unsigned port, HkAddress *out);
/* ::ffff:192.0.2.1 becomes 192.0.2.1. */
void hk_address_unmap (HkAddress *self);

/* A master.cf inet service: "25", "smtp", "127.0.0.1:2525", "[::1]:25", "localhost:smtp".
 * inet_interfaces (when the service names no host) and inet_protocols ("ipv4", "ipv6",
 * "all") are the settings' texts.  Fills OUT (HkAddress elements). */
bool hk_service_addresses (const char *service, const char *const *interfaces,
                           const char *protocols, GArray *out, GError **error);

/* Bound, listening, non-blocking, close-on-exec; SO_REUSEADDR, V6ONLY.  Error names
 * address. */
int hk_listen (const HkAddress *address, int backlog, GError **error);
/* Unix socket listener for smtpd: see ipc/channel.h hk_ipc_listen. */

/* CIDR: "10.0.0.0/8", "[2001:db8::]/32", a bare address. */
typedef struct {
    uint8_t bytes[16];
    uint8_t n_bytes, bits;
} HkNetwork;
/* False: not a network.  Host bits set below the mask are an error as in Postfix. */
bool hk_network_parse (HkSpan text, HkNetwork *out, const char **out_error);
bool hk_network_holds (const HkNetwork *self, const HkAddress *address);

#endif
