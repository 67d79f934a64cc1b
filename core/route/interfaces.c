/* interfaces.c: the network addresses that are this host's: inet_interfaces and
 * proxy_interfaces. */
#include "route/route_priv.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>

static void
add_socket_address (GHashTable *out, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN];
    const void *bytes;
    if (address->sa_family == AF_INET)
        bytes = &((const struct sockaddr_in *) (const void *) address)->sin_addr;
    else if (address->sa_family == AF_INET6)
        bytes = &((const struct sockaddr_in6 *) (const void *) address)->sin6_addr;
    else
        return;
    if (inet_ntop (address->sa_family, bytes, text, sizeof text) != NULL)
        g_hash_table_add (out, g_strdup (text));
}

static void
add_interfaces (GHashTable *out, bool loopback_only)
{
    struct ifaddrs *list;
    if (getifaddrs (&list) != 0)
        return;
    for (struct ifaddrs *at = list; at != NULL; at = at->ifa_next)
        if (at->ifa_addr != NULL && (!loopback_only || (at->ifa_flags & IFF_LOOPBACK) != 0))
            add_socket_address (out, at->ifa_addr);
    freeifaddrs (list);
}

/* NAME is a host name or an address; what does not resolve was reported by who listens. */
static void
add_host (GHashTable *out, const char *name)
{
    struct addrinfo *list, hints = {.ai_socktype = SOCK_STREAM};
    if (getaddrinfo (name, NULL, &hints, &list) != 0)
        return;
    for (struct addrinfo *at = list; at != NULL; at = at->ai_next)
        add_socket_address (out, at->ai_addr);
    freeaddrinfo (list);
}

static void
add_words (GHashTable *out, HkSettings *settings, const char *parameter)
{
    g_auto (GStrv) words = hk_settings_words (settings, parameter);
    for (char **at = words; *at != NULL; at++) {
        if (g_ascii_strcasecmp (*at, "all") == 0)
            add_interfaces (out, false);
        else if (g_ascii_strcasecmp (*at, "loopback-only") == 0)
            add_interfaces (out, true);
        else
            add_host (out, *at);
    }
}

GHashTable *
hk_route_own_ips (HkSettings *settings)
{
    GHashTable *out = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    add_words (out, settings, "inet_interfaces");
    add_words (out, settings, "proxy_interfaces");
    return out;
}

bool
hk_router_is_own_ip (HkRouter *self, HkSpan ip)
{
    char text[64], canonical[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    if (hk_span_starts_ci (ip, HK_SPAN ("IPv6:")))
        ip = hk_span_sub (ip, 5, ip.size);
    if (ip.size == 0 || ip.size >= sizeof text)
        return false;
    memcpy (text, ip.data, ip.size);
    text[ip.size] = '\0';
    int family = strchr (text, ':') != NULL ? AF_INET6 : AF_INET;
    return inet_pton (family, text, bytes) == 1 &&
           inet_ntop (family, bytes, canonical, sizeof canonical) != NULL &&
           g_hash_table_contains (self->own_ips, canonical);
}
