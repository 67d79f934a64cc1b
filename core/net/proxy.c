/* proxy.c: reading PROXY protocol headers, versions 1 (a line) and 2 (binary). */
#include "config.h"
#include "net/proxy.h"

#include <netinet/in.h>

#include "base/crc32c.h"
#include "base/text.h"

enum {
    V1_MAX = 107, /* 2.1: "PROXY UNKNOWN" with two addresses of full length and CRLF */
    V2_HEAD = 16,
    V2_IPV4 = 12,
    V2_IPV6 = 36,
    TLV_CRC32C = 0x03
};

static const uint8_t v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static HkProxyProgress
bad (HkProxyHeader *out, const char *error)
{
    out->error = error;
    return HK_PROXY_BAD;
}

/* ---- version 1
 * ----------------------------------------------------------------------------- */

static bool
next_field (HkSpan *rest, HkSpan *out)
{
    if (rest->size == 0)
        return false;
    size_t blank = hk_span_find (*rest, ' ', 0);
    *out = hk_span_sub (*rest, 0, blank);
    *rest = hk_span_sub (*rest, blank + 1, rest->size);
    return out->size > 0;
}

static bool
parse_address (HkSpan *rest, int family, HkAddress *out)
{
    HkSpan ip;
    return next_field (rest, &ip) && hk_address_parse_ip (ip, 0, out) &&
           out->storage.ss_family == family;
}

static bool
parse_port (HkSpan *rest, HkAddress *out)
{
    HkSpan text;
    uint64_t port;
    if (!next_field (rest, &text) || !hk_text_parse_u64 (text, 65535, &port))
        return false;
    if (out->storage.ss_family == AF_INET)
        ((struct sockaddr_in *) (void *) &out->storage)->sin_port = htons ((uint16_t) port);
    else
        ((struct sockaddr_in6 *) (void *) &out->storage)->sin6_port =
            htons ((uint16_t) port);
    return true;
}

static HkProxyProgress
parse_v1_line (HkSpan line, HkProxyHeader *out)
{
    HkSpan rest = hk_span_sub (line, strlen ("PROXY "), line.size), word;
    if (!next_field (&rest, &word))
        return bad (out, "short protocol header");
    if (hk_span_is (word, "UNKNOWN"))
        return HK_PROXY_DONE; /* 2.1: what follows is to be ignored */
    int family = hk_span_is (word, "TCP4")   ? AF_INET
                 : hk_span_is (word, "TCP6") ? AF_INET6
                                             : AF_UNSPEC;
    if (family == AF_UNSPEC)
        return bad (out, "bad or missing protocol type");
    if (!parse_address (&rest, family, &out->client))
        return bad (out, "bad or missing client address");
    if (!parse_address (&rest, family, &out->server))
        return bad (out, "bad or missing server address");
    if (!parse_port (&rest, &out->client))
        return bad (out, "bad or missing client port");
    if (!parse_port (&rest, &out->server) || rest.size > 0)
        return bad (out, "bad or missing server port");
    out->has_addresses = true;
    return HK_PROXY_DONE;
}

static HkProxyProgress
parse_v1 (HkSpan input, HkProxyHeader *out)
{
    HkSpan word = HK_SPAN ("PROXY ");
    size_t have = MIN (input.size, word.size);
    if (have > 0 && memcmp (input.data, word.data, have) != 0)
        return bad (out, "short protocol header");
    HkSpan head = hk_span_sub (input, 0, V1_MAX);
    size_t lf = hk_span_find (head, '\n', 0);
    if (lf == head.size)
        return head.size < V1_MAX ? HK_PROXY_MORE
                                  : bad (out, "missing protocol header terminator");
    if (lf == 0 || input.data[lf - 1] != '\r')
        return bad (out, "missing protocol header terminator");
    out->size = lf + 1;
    return parse_v1_line (hk_span_sub (input, 0, lf - 1), out);
}

/* ---- version 2
 * ----------------------------------------------------------------------------- */

static unsigned
read_u16 (const uint8_t *p)
{
    return (unsigned) p[0] << 8 | p[1];
}

static void
set_ipv4 (HkAddress *out, const uint8_t *ip, const uint8_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    memcpy (&in.sin_addr, ip, 4);
    memcpy (&in.sin_port, port, 2);
    *out = (HkAddress){.size = sizeof in};
    memcpy (&out->storage, &in, sizeof in);
}

static void
set_ipv6 (HkAddress *out, const uint8_t *ip, const uint8_t *port)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6};
    memcpy (&in.sin6_addr, ip, 16);
    memcpy (&in.sin6_port, port, 2);
    *out = (HkAddress){.size = sizeof in};
    memcpy (&out->storage, &in, sizeof in);
}

/* 2.2.3: the checksum is over the whole header with its own four bytes zero. */
static bool
is_intact (HkSpan header, size_t at)
{
    static const uint8_t zero[4];
    const uint8_t *want = header.data + at;
    uint32_t sum = hk_crc32c (0, header.data, at);
    sum = hk_crc32c (sum, zero, sizeof zero);
    sum = hk_crc32c (sum, want + 4, header.size - at - 4);
    return sum == ((uint32_t) read_u16 (want) << 16 | read_u16 (want + 2));
}

/* The extensions fill the header exactly; the only one that we must look at is the sum. */
static const char *
check_extensions (HkSpan header, size_t at)
{
    while (at < header.size) {
        if (header.size - at < 3)
            return "short extension";
        size_t size = read_u16 (header.data + at + 1);
        if (header.size - at - 3 < size)
            return "short extension";
        if (header.data[at] == TLV_CRC32C &&
            (size != 4 || !is_intact (header, at + 3)))
            return "bad checksum";
        at += 3 + size;
    }
    return NULL;
}

static HkProxyProgress
parse_v2_addresses (HkSpan header, HkProxyHeader *out)
{
    const uint8_t *p = header.data + V2_HEAD;
    size_t size = header.size - V2_HEAD, used = 0;
    switch (header.data[13]) {
    case 0x11: /* TCP over IPv4 */
        if (size < (used = V2_IPV4))
            return bad (out, "short address field");
        set_ipv4 (&out->client, p, p + 8);
        set_ipv4 (&out->server, p + 4, p + 10);
        break;
    case 0x21:
        if (size < (used = V2_IPV6))
            return bad (out, "short address field");
        set_ipv6 (&out->client, p, p + 32);
        set_ipv6 (&out->server, p + 16, p + 34);
        break;
    case 0x00: /* unspecified: the connection speaks for itself, what follows is ignored */
        return HK_PROXY_DONE;
    default:
        return bad (out, "unsupported network protocol");
    }
    if ((out->error = check_extensions (header, V2_HEAD + used)) != NULL)
        return HK_PROXY_BAD;
    out->has_addresses = true;
    return HK_PROXY_DONE;
}

static HkProxyProgress
parse_v2 (HkSpan input, HkProxyHeader *out)
{
    size_t have = MIN (input.size, sizeof v2_signature);
    if (memcmp (input.data, v2_signature, have) != 0)
        return bad (out, "bad or missing signature");
    if (input.size < V2_HEAD)
        return HK_PROXY_MORE;
    unsigned command = input.data[12];
    if (command >> 4 != 2)
        return bad (out, "unrecognized protocol version");
    if ((command & 15) > 1)
        return bad (out, "bad command in proxy header");
    size_t size = V2_HEAD + read_u16 (input.data + 14);
    if (size > HK_PROXY_MAX)
        return bad (out, "protocol header too long");
    if (input.size < size)
        return HK_PROXY_MORE;
    out->size = size;
    if ((command & 15) == 0) /* LOCAL: the balancer itself, as a health check */
        return HK_PROXY_DONE;
    return parse_v2_addresses (hk_span_sub (input, 0, size), out);
}

HkProxyProgress
hk_proxy_parse (HkSpan input, HkProxyHeader *out)
{
    *out = (HkProxyHeader){.size = 0};
    if (input.size == 0)
        return HK_PROXY_MORE;
    return input.data[0] == v2_signature[0] ? parse_v2 (input, out) : parse_v1 (input, out);
}
