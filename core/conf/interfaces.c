/* interfaces.c: what myhostname, mydomain and mynetworks are when nobody sets them. */
#include "config.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/conf_priv.h"

/* ---- names ----------------------------------------------------------------------- */

char *
hk_conf_computed_hostname (HkSettings *self)
{
    char name[256];
    if (gethostname (name, sizeof name) != 0 || name[0] == '\0')
        g_strlcpy (name, "localhost", sizeof name);
    name[sizeof name - 1] = '\0';
    if (strchr (name, '.') != NULL)
        return g_strdup (name);
    g_autofree char *domain = hk_settings_entry (self, "mydomain") != NULL
                                  ? hk_settings_peek (self, "mydomain")
                                  : NULL;
    return g_strdup_printf ("%s.%s", name,
                            domain == NULL || domain[0] == '\0' ? "localdomain" : domain);
}

/* myhostname without its first label. */
char *
hk_conf_computed_domain (HkSettings *self)
{
    g_autofree char *host = hk_settings_peek (self, "myhostname");
    const char *dot = strchr (host, '.');
    return g_strdup (dot == NULL || dot[1] == '\0' ? "localdomain" : dot + 1);
}

/* ---- interfaces ------------------------------------------------------------------ */

typedef struct {
    int family;
    uint8_t bytes[16];
    unsigned n_bytes, prefix;
} Address;

static bool
get_bytes (const struct sockaddr *sa, Address *out)
{
    if (sa == NULL || (sa->sa_family != AF_INET && sa->sa_family != AF_INET6))
        return false;
    *out = (Address){.family = sa->sa_family};
    out->n_bytes = sa->sa_family == AF_INET ? 4 : 16;
    if (sa->sa_family == AF_INET)
        memcpy (out->bytes, &((const struct sockaddr_in *) (const void *) sa)->sin_addr, 4);
    else
        memcpy (out->bytes, &((const struct sockaddr_in6 *) (const void *) sa)->sin6_addr,
                16);
    return true;
}

static unsigned
count_bits (const Address *mask)
{
    unsigned n = 0;
    for (unsigned i = 0; i < mask->n_bytes; i++)
        n += (unsigned) __builtin_popcount (mask->bytes[i]);
    return n;
}

static int
compare_addresses (const void *a, const void *b)
{
    const Address *x = a, *y = b;
    if (x->family != y->family)
        return x->family == AF_INET ? -1 : 1;
    return memcmp (x->bytes, y->bytes, sizeof x->bytes);
}

static bool
is_same (const Address *a, const Address *b)
{
    return compare_addresses (a, b) == 0;
}

/* Addresses of interfaces that are up, sorted, each once. */
static GArray *
local_addresses (void)
{
    GArray *all = g_array_new (FALSE, FALSE, sizeof (Address));
    struct ifaddrs *list = NULL;
    if (getifaddrs (&list) != 0)
        return all;
    for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
        Address address, mask;
        if (!(i->ifa_flags & IFF_UP) || !get_bytes (i->ifa_addr, &address))
            continue;
        address.prefix = i->ifa_netmask != NULL && get_bytes (i->ifa_netmask, &mask)
                             ? count_bits (&mask)
                             : address.n_bytes * 8;
        g_array_append_val (all, address);
    }
    freeifaddrs (list);
    g_array_sort (all, compare_addresses);
    for (guint i = 1; i < all->len;) {
        Address *a = &g_array_index (all, Address, i);
        if (is_same (a - 1, a))
            g_array_remove_index (all, i);
        else
            i++;
    }
    return all;
}

static bool
is_loopback (const Address *a)
{
    static const uint8_t one[16] = {[15] = 1};
    return a->family == AF_INET ? a->bytes[0] == 127 : memcmp (a->bytes, one, 16) == 0;
}

/* ---- inet_interfaces and inet_protocols ------------------------------------------ */

/* Does the host name or address WORD stand for ADDRESS? */
static bool
names_address (const char *word, const Address *address)
{
    g_autofree char *bare = g_strdup (word[0] == '[' ? word + 1 : word);
    bare[strcspn (bare, "]")] = '\0';
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    bool found = false;
    if (getaddrinfo (bare, NULL, &hints, &list) != 0)
        return false;
    for (const struct addrinfo *i = list; i != NULL && !found; i = i->ai_next) {
        Address a;
        found = get_bytes (i->ai_addr, &a) && is_same (&a, address);
    }
    freeaddrinfo (list);
    return found;
}

static bool
is_ours (char **interfaces, const Address *address)
{
    for (size_t i = 0; interfaces[i] != NULL; i++) {
        const char *word = interfaces[i];
        if (g_ascii_strcasecmp (word, "all") == 0)
            return true;
        if (g_ascii_strcasecmp (word, "loopback-only") == 0 ? is_loopback (address)
                                                            : names_address (word, address))
            return true;
    }
    return false;
}

static bool
is_spoken (const char *protocols, const Address *address)
{
    HkSpan rest = hk_span_text (protocols), word;
    const char *name = address->family == AF_INET ? "ipv4" : "ipv6";
    while (hk_text_next_word (&rest, &word))
        if (hk_span_is_ci (word, "all") || hk_span_is_ci (word, name))
            return true;
    return false;
}

static char **
split (const char *text)
{
    GPtrArray *words = g_ptr_array_new ();
    HkSpan rest = hk_span_text (text), word;
    while (hk_text_next_word (&rest, &word))
        g_ptr_array_add (words, hk_span_dup (word));
    g_ptr_array_add (words, NULL);
    return (char **) g_ptr_array_free (words, FALSE);
}

/* ---- mynetworks ------------------------------------------------------------------ */

/* How many bits of the address the style trusts. */
static unsigned
trusted_bits (const char *style, const Address *a)
{
    if (g_ascii_strcasecmp (style, "subnet") == 0)
        return a->prefix;
    if (g_ascii_strcasecmp (style, "class") != 0)
        return a->n_bytes * 8;
    if (a->family == AF_INET6)
        return a->prefix;
    return a->bytes[0] < 128 ? 8 : a->bytes[0] < 192 ? 16 : a->bytes[0] < 224 ? 24 : 32;
}

static void
clear_host_bits (Address *a, unsigned prefix)
{
    for (unsigned i = 0; i < a->n_bytes; i++) {
        unsigned keep = prefix > i * 8 ? MIN (8, prefix - i * 8) : 0;
        a->bytes[i] &= (uint8_t) (0xff00u >> keep);
    }
}

static char *
network_text (const char *style, Address a)
{
    char text[INET6_ADDRSTRLEN];
    unsigned prefix = trusted_bits (style, &a);
    clear_host_bits (&a, prefix);
    if (inet_ntop (a.family, a.bytes, text, sizeof text) == NULL)
        return g_strdup ("");
    return a.family == AF_INET ? g_strdup_printf ("%s/%u", text, prefix)
                               : g_strdup_printf ("[%s]/%u", text, prefix);
}

static void
append_once (GPtrArray *all, char *text)
{
    if (g_ptr_array_find_with_equal_func (all, text, g_str_equal, NULL))
        g_free (text);
    else
        g_ptr_array_add (all, text);
}

char *
hk_conf_computed_networks (HkSettings *self)
{
    g_autofree char *style = hk_settings_peek (self, "mynetworks_style");
    g_autofree char *protocols = hk_settings_peek (self, "inet_protocols");
    g_autofree char *list = hk_settings_peek (self, "inet_interfaces");
    g_auto (GStrv) interfaces = split (list);
    g_autoptr (GArray) addresses = local_addresses ();
    g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
    for (guint i = 0; i < addresses->len; i++) {
        const Address *a = &g_array_index (addresses, Address, i);
        if (is_spoken (protocols, a) && is_ours (interfaces, a))
            append_once (texts, network_text (style, *a));
    }
    g_ptr_array_add (texts, NULL);
    return g_strjoinv (" ", (char **) texts->pdata);
}
