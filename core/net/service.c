/* service.c: from the first column of an inet service to the addresses to listen on. */
#include "config.h"
#include "base/text.h"
#include "net/address.h"

#include <gio/gio.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

typedef struct {
    bool ipv4, ipv6;
    bool is_given; /* ipv6 was asked for by name: its absence is an error */
} Protocols;

G_GNUC_PRINTF (2, 3)
static bool
fail (GError **error, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    g_autofree char *text = g_strdup_vprintf (format, args);
    va_end (args);
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, text);
    return false;
}

/* ---- inet_protocols ---------------------------------------------------------------------
 */

static bool
kernel_has_ipv6 (void)
{
    int fd = socket (AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    close (fd);
    return true;
}

static bool
read_protocols (const char *text, Protocols *out, GError **error)
{
    HkSpan rest = hk_span_text (text), word;
    Protocols p = {false, false, false};
    while (hk_text_next_word (&rest, &word)) {
        if (hk_span_is_ci (word, "all"))
            p.ipv4 = p.ipv6 = true;
        else if (hk_span_is_ci (word, "ipv4"))
            p.ipv4 = true;
        else if (hk_span_is_ci (word, "ipv6"))
            p.ipv6 = p.is_given = true;
        else
            return fail (error, "inet_protocols: \"%.*s\" is none of all, ipv4, ipv6",
                         HK_SPAN_ARG (word));
    }
    if (!p.ipv4 && !p.ipv6)
        p.ipv4 = p.ipv6 = true;
    if (p.ipv6 && !kernel_has_ipv6 ()) {
        if (p.is_given && !p.ipv4)
            return fail (error, "inet_protocols: this system has no IPv6");
        p.ipv6 = false;
    }
    *out = p;
    return true;
}

/* ---- port -------------------------------------------------------------------------------
 */

static bool
read_port (HkSpan text, unsigned *out, GError **error)
{
    /* Small systems have no /etc/services. */
    static const struct {
        const char *name;
        unsigned port;
    } known[] = {{"smtp", 25},         {"lmtp", 24},   {"submission", 587},
                 {"submissions", 465}, {"smtps", 465}, {"qmqp", 628}};
    uint64_t number;
    if (hk_text_parse_u64 (text, 65535, &number) && number > 0) {
        *out = (unsigned) number;
        return true;
    }
    g_autofree char *name = hk_span_dup (text);
    char buffer[1024];
    struct servent entry, *found = NULL;
    if (text.size == 0 || strlen (name) != text.size || g_ascii_isdigit (*name))
        return fail (error, "bad port \"%s\"", name);
    if (getservbyname_r (name, "tcp", &entry, buffer, sizeof buffer, &found) == 0 &&
        found != NULL) {
        *out = ntohs ((uint16_t) found->s_port);
        return true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS (known); i++) {
        if (strcmp (name, known[i].name) == 0) {
            *out = known[i].port;
            return true;
        }
    }
    return fail (error, "unknown port name \"%s\"", name);
}

/* "port", "host:port", "[address]:port", ":port". */
static bool
split_service (const char *service, HkSpan *out_host, HkSpan *out_port, GError **error)
{
    HkSpan text = hk_span_text (service);
    size_t colon = hk_span_rfind (text, ':');
    *out_host = HK_SPAN_NONE;
    *out_port = text;
    if (text.size > 0 && text.data[0] == '[') {
        size_t close = hk_span_find (text, ']', 0);
        if (close + 1 >= text.size || text.data[close + 1] != ':')
            return fail (error, "\"[address]:port\" expected");
        *out_host = hk_span_sub (text, 1, close - 1);
        *out_port = hk_span_sub (text, close + 2, text.size);
        return out_host->size > 0 || fail (error, "empty address");
    }
    if (colon == text.size)
        return true;
    *out_host = hk_span_sub (text, 0, colon);
    *out_port = hk_span_sub (text, colon + 1, text.size);
    if (hk_span_find (*out_host, ':', 0) < out_host->size)
        return fail (error, "an IPv6 address needs brackets: [address]:port");
    return true;
}

/* ---- addresses --------------------------------------------------------------------------
 */

static bool
is_wanted (const Protocols *protocols, const HkAddress *address)
{
    return hk_address_is_ipv6 (address) ? protocols->ipv6 : protocols->ipv4;
}

static void
add (GArray *out, const HkAddress *address)
{
    for (guint i = 0; i < out->len; i++) {
        const HkAddress *other = &g_array_index (out, HkAddress, i);
        if (other->size == address->size &&
            memcmp (&other->storage, &address->storage, address->size) == 0)
            return;
    }
    g_array_append_val (out, *address);
}

static bool
add_ip (GArray *out, const char *ip, unsigned port, const Protocols *protocols)
{
    HkAddress address;
    if (!hk_address_parse_ip (hk_span_text (ip), port, &address))
        return false;
    if (is_wanted (protocols, &address))
        add (out, &address);
    return true;
}

/* Addresses of this host's interfaces: all, or the loopback ones. */
static bool
add_loopback (GArray *out, unsigned port, const Protocols *protocols)
{
    struct ifaddrs *list = NULL;
    guint before = out->len;
    if (getifaddrs (&list) != 0)
        return add_ip (out, "127.0.0.1", port, protocols);
    for (struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
        if (i->ifa_addr == NULL || (i->ifa_flags & IFF_LOOPBACK) == 0)
            continue;
        HkAddress address = {.size = 0};
        if (i->ifa_addr->sa_family == AF_INET)
            address.size = sizeof (struct sockaddr_in);
        else if (i->ifa_addr->sa_family == AF_INET6)
            address.size = sizeof (struct sockaddr_in6);
        else
            continue;
        memcpy (&address.storage, i->ifa_addr, address.size);
        char text[64];
        hk_address_text (&address, text);
        if (g_str_has_prefix (text, "127.") || strcmp (text, "::1") == 0)
            add_ip (out, text, port, protocols);
    }
    freeifaddrs (list);
    return out->len > before || add_ip (out, "127.0.0.1", port, protocols);
}

static bool
is_assigned (const HkAddress *address)
{
    HkAddress probe = *address;
    int fd = socket (probe.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe.storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *) (void *) &probe.storage)->sin6_port = 0;
    else
        ((struct sockaddr_in *) (void *) &probe.storage)->sin_port = 0;
    bool good = fd >= 0 && bind (fd, (struct sockaddr *) &probe.storage, probe.size) == 0;
    if (fd >= 0)
        close (fd);
    return good;
}

/* A name may stand for addresses that this host has not (::1 without IPv6 on the loopback
 * interface): they are left out when another one is there. */
static bool
add_name (GArray *out, const char *name, unsigned port, const Protocols *protocols,
          GError **error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM},
                    *list = NULL;
    int code = getaddrinfo (name, NULL, &hints, &list);
    if (code != 0)
        return fail (error, "%s: %s", name, gai_strerror (code));
    guint before = out->len;
    for (int pass = 0; pass < 2 && out->len == before; pass++) {
        for (struct addrinfo *i = list; i != NULL; i = i->ai_next) {
            HkAddress address = {.size = i->ai_addrlen};
            char text[64];
            if (i->ai_addrlen > sizeof address.storage)
                continue;
            memcpy (&address.storage, i->ai_addr, i->ai_addrlen);
            hk_address_text (&address, text);
            if (pass == 1 || is_assigned (&address))
                add_ip (out, text, port, protocols);
        }
    }
    freeaddrinfo (list);
    return true;
}

/* One word of inet_interfaces, or the host of a service. */
static bool
add_host (GArray *out, HkSpan host, unsigned port, const Protocols *protocols,
          GError **error)
{
    if (hk_span_is_ci (host, "all")) {
        add_ip (out, "0.0.0.0", port, protocols);
        add_ip (out, "::", port, protocols);
        return true;
    }
    if (hk_span_is_ci (host, "loopback-only"))
        return add_loopback (out, port, protocols);
    if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
        host = hk_span_sub (host, 1, host.size - 2);
    g_autofree char *name = hk_span_dup (host);
    if (*name == '\0' || strlen (name) != host.size)
        return fail (error, "empty host name");
    HkAddress address;
    if (hk_address_parse_ip (host, port, &address)) {
        add_ip (out, name, port, protocols);
        return true;
    }
    return add_name (out, name, port, protocols, error);
}

static bool
add_interfaces (GArray *out, const char *const *interfaces, unsigned port,
                const Protocols *protocols, GError **error)
{
    if (interfaces == NULL)
        return add_host (out, HK_SPAN ("all"), port, protocols, error);
    for (; *interfaces != NULL; interfaces++) {
        if (!add_host (out, hk_span_text (*interfaces), port, protocols, error)) {
            g_prefix_error (error, "inet_interfaces: ");
            return false;
        }
    }
    return true;
}

bool
hk_service_addresses (const char *service, const char *const *interfaces,
                      const char *protocols_text, GArray *out, GError **error)
{
    Protocols protocols;
    HkSpan host, port_text;
    unsigned port = 0;
    guint before = out->len;
    bool good = read_protocols (protocols_text, &protocols, error) &&
                split_service (service, &host, &port_text, error) &&
                read_port (port_text, &port, error) &&
                (host.size > 0 ? add_host (out, host, port, &protocols, error)
                               : add_interfaces (out, interfaces, port, &protocols, error));
    if (good && out->len == before)
        good = fail (error, "no address is left by inet_interfaces and inet_protocols");
    if (!good)
        g_prefix_error (error, "service \"%s\": ", service);
    return good;
}
