/* address.c: socket addresses as text, listening sockets, networks. */
#include "config.h"
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gio/gio.h>
#include <netinet/in.h>
#include <unistd.h>

static const struct sockaddr_in *
as_ipv4 (const HkAddress *self)
{
    return (const struct sockaddr_in *) (const void *) &self->storage;
}

static const struct sockaddr_in6 *
as_ipv6 (const HkAddress *self)
{
    return (const struct sockaddr_in6 *) (const void *) &self->storage;
}

void
hk_address_text (const HkAddress *self, char out[64])
{
    const void *bytes = NULL;
    out[0] = '\0';
    if (self->storage.ss_family == AF_INET)
        bytes = &as_ipv4 (self)->sin_addr;
    else if (self->storage.ss_family == AF_INET6)
        bytes = &as_ipv6 (self)->sin6_addr;
    if (bytes != NULL)
        inet_ntop (self->storage.ss_family, bytes, out, 64);
}

unsigned
hk_address_port (const HkAddress *self)
{
    if (self->storage.ss_family == AF_INET)
        return ntohs (as_ipv4 (self)->sin_port);
    if (self->storage.ss_family == AF_INET6)
        return ntohs (as_ipv6 (self)->sin6_port);
    return 0;
}

bool
hk_address_is_ipv6 (const HkAddress *self)
{
    return self->storage.ss_family == AF_INET6;
}

bool
hk_address_parse_ip (HkSpan ip, unsigned port, HkAddress *out)
{
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons ((uint16_t) port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons ((uint16_t) port)};
    if (ip.size == 0 || ip.size >= sizeof text || port > 65535 ||
        memchr (ip.data, '\0', ip.size) != NULL)
        return false;
    memcpy (text, ip.data, ip.size);
    text[ip.size] = '\0';
    if (inet_pton (AF_INET, text, &v4.sin_addr) == 1) {
        memset (out, 0, sizeof *out);
        memcpy (&out->storage, &v4, sizeof v4);
        out->size = sizeof v4;
        return true;
    }
    if (inet_pton (AF_INET6, text, &v6.sin6_addr) != 1)
        return false;
    memset (out, 0, sizeof *out);
    memcpy (&out->storage, &v6, sizeof v6);
    out->size = sizeof v6;
    return true;
}

void
hk_address_unmap (HkAddress *self)
{
    if (self->storage.ss_family != AF_INET6 ||
        !IN6_IS_ADDR_V4MAPPED (&as_ipv6 (self)->sin6_addr))
        return;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = as_ipv6 (self)->sin6_port};
    memcpy (&v4.sin_addr, as_ipv6 (self)->sin6_addr.s6_addr + 12, 4);
    memset (self, 0, sizeof *self);
    memcpy (&self->storage, &v4, sizeof v4);
    self->size = sizeof v4;
}

int
hk_listen (const HkAddress *address, int backlog, GError **error)
{
    int family = address->storage.ss_family, one = 1;
    const char *step = "socket";
    int fd = socket (family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        step = "setsockopt";
        if (setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
            (family != AF_INET6 ||
             setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) == 0)) {
            step = "bind";
            if (bind (fd, (const struct sockaddr *) &address->storage, address->size) ==
                0) {
                step = "listen";
                if (listen (fd, backlog) == 0)
                    return fd;
            }
        }
    }
    int e = errno;
    char text[64];
    hk_address_text (address, text);
    g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (e),
                 family == AF_INET6 ? "[%s]:%u: %s: %s" : "%s:%u: %s: %s", text,
                 hk_address_port (address), step, g_strerror (e));
    if (fd >= 0)
        close (fd);
    return -1;
}

/* ---- networks ---------------------------------------------------------------------------
 */

static bool
bit_is_set (const uint8_t *bytes, unsigned bit)
{
    return (bytes[bit / 8] & (0x80 >> bit % 8)) != 0;
}

static bool
parse_bits (HkSpan s, unsigned most, uint8_t *out)
{
    unsigned n = 0;
    if (s.size == 0 || s.size > 3)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        if (!g_ascii_isdigit (s.data[i]))
            return false;
        n = n * 10 + (unsigned) (s.data[i] - '0');
    }
    *out = (uint8_t) n;
    return n <= most;
}

bool
hk_network_parse (HkSpan text, HkNetwork *out, const char **out_error)
{
    HkAddress address;
    HkNetwork network = {.n_bytes = 4};
    size_t slash = hk_span_find (text, '/', 0);
    HkSpan ip = hk_span_sub (text, 0, slash);
    const char *wrong = NULL;
    if (ip.size > 1 && ip.data[0] == '[') {
        /* "[2001:db8::]/32" and "[2001:db8::/32]" are both written */
        if (ip.data[ip.size - 1] == ']')
            ip.size--;
        else if (text.data[text.size - 1] == ']' && slash < text.size)
            text.size--;
        else
            ip.size = 0;
        ip = hk_span_sub (ip, 1, ip.size);
    }
    if (!hk_address_parse_ip (ip, 0, &address)) {
        *out_error = "not an IPv4 or IPv6 network address";
        return false;
    }
    if (hk_address_is_ipv6 (&address)) {
        network.n_bytes = 16;
        memcpy (network.bytes, as_ipv6 (&address)->sin6_addr.s6_addr, 16);
    } else {
        memcpy (network.bytes, &as_ipv4 (&address)->sin_addr, 4);
    }
    unsigned most = network.n_bytes * 8u;
    network.bits = (uint8_t) most;
    if (slash < text.size &&
        !parse_bits (hk_span_sub (text, slash + 1, text.size), most, &network.bits))
        wrong = "the mask length after '/' is wrong";
    for (unsigned bit = network.bits; wrong == NULL && bit < most; bit++)
        if (bit_is_set (network.bytes, bit))
            wrong = "the address has bits set beyond its mask";
    if (wrong != NULL) {
        *out_error = wrong;
        return false;
    }
    *out = network;
    return true;
}

bool
hk_network_holds (const HkNetwork *self, const HkAddress *address)
{
    HkAddress plain = *address;
    const uint8_t *bytes;
    if (self->n_bytes == 4) {
        hk_address_unmap (&plain);
        if (plain.storage.ss_family != AF_INET)
            return false;
        bytes = (const uint8_t *) &as_ipv4 (&plain)->sin_addr;
    } else {
        if (plain.storage.ss_family != AF_INET6)
            return false;
        bytes = as_ipv6 (&plain)->sin6_addr.s6_addr;
    }
    unsigned whole = self->bits / 8, rest = self->bits % 8;
    if (memcmp (self->bytes, bytes, whole) != 0)
        return false;
    return rest == 0 ||
           ((self->bytes[whole] ^ bytes[whole]) & (0xff00 >> rest) & 0xff) == 0;
}
