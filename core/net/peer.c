/* peer.c: names of clients: address to name, and the name back to the address. */
#include "config.h"
#include "mail/address.h"
#include "net/dns_priv.h"

#include <netinet/in.h>

enum { CACHE_MAX = 4096 };
#define CACHE_US (60 * HK_SECOND)
#define CACHE_FAILURE_US (5 * HK_SECOND)

/* What is known of an address. */
typedef struct {
    char *ip;
    char *name, *reverse_name; /* or NULL */
    HkPeerFailure failure;
    int64_t expires_us;
    GList link; /* in `order` */
} Known;

typedef struct Lookup Lookup;
struct Lookup {
    HkPeers *peers;
    HkPeerNameFn fn;
    void *data;
    Lookup *next, *previous; /* all that are open */
    HkLoopTimer timer;       /* brings what was known at once */
    HkAddress address;
    char *name, *reverse_name;
    HkPeerFailure failure;
};

struct HkPeers {
    HkLoop *loop;
    HkResolver *resolver;
    const HkHosts *hosts;
    GHashTable *cache; /* text of the address: Known */
    GQueue order;      /* of Known, oldest first */
    GHashTable *open;  /* DATA: first Lookup of a chain */
};

/* ---- cache ------------------------------------------------------------------------------
 */

static void
free_known (gpointer data)
{
    Known *known = data;
    g_free (known->ip);
    g_free (known->name);
    g_free (known->reverse_name);
    g_free (known);
}

static void
forget (HkPeers *self, Known *known)
{
    g_queue_unlink (&self->order, &known->link);
    g_hash_table_remove (self->cache, known->ip);
}

static const Known *
recall (HkPeers *self, const char *ip)
{
    Known *known = g_hash_table_lookup (self->cache, ip);
    if (known == NULL || known->expires_us > hk_loop_now_us (self->loop))
        return known;
    forget (self, known);
    return NULL;
}

static void
remember (HkPeers *self, const Lookup *lookup)
{
    char ip[64];
    hk_address_text (&lookup->address, ip);
    Known *known = g_hash_table_lookup (self->cache, ip);
    if (known != NULL)
        forget (self, known);
    if (self->order.length >= CACHE_MAX)
        forget (self, self->order.head->data);
    known = g_new0 (Known, 1);
    known->ip = g_strdup (ip);
    known->name = g_strdup (lookup->name);
    known->reverse_name = g_strdup (lookup->reverse_name);
    known->failure = lookup->failure;
    known->expires_us =
        hk_loop_now_us (self->loop) +
        (lookup->failure == HK_PEER_TEMPORARY ? CACHE_FAILURE_US : CACHE_US);
    known->link.data = known;
    g_hash_table_insert (self->cache, known->ip, known);
    g_queue_push_tail_link (&self->order, &known->link);
}

/* ---- one lookup's life ------------------------------------------------------------------
 */

static void
link_lookup (HkPeers *self, Lookup *lookup)
{
    lookup->next = g_hash_table_lookup (self->open, lookup->data);
    if (lookup->next != NULL)
        lookup->next->previous = lookup;
    g_hash_table_insert (self->open, lookup->data, lookup);
}

static void
unlink_lookup (HkPeers *self, Lookup *lookup)
{
    if (lookup->next != NULL)
        lookup->next->previous = lookup->previous;
    if (lookup->previous != NULL)
        lookup->previous->next = lookup->next;
    else if (lookup->next != NULL)
        g_hash_table_insert (self->open, lookup->data, lookup->next);
    else
        g_hash_table_remove (self->open, lookup->data);
    hk_timer_disarm (&lookup->timer);
}

static void
free_lookup (Lookup *lookup)
{
    g_free (lookup->name);
    g_free (lookup->reverse_name);
    g_free (lookup);
}

static void
finish (Lookup *lookup)
{
    unlink_lookup (lookup->peers, lookup);
    lookup->fn (lookup->data, lookup->name, lookup->reverse_name, lookup->failure);
    free_lookup (lookup);
}

static void
conclude (Lookup *lookup, bool is_verified, HkPeerFailure failure)
{
    if (is_verified)
        lookup->name = g_strdup (lookup->reverse_name);
    lookup->failure = is_verified ? HK_PEER_NONE : failure;
    remember (lookup->peers, lookup);
    finish (lookup);
}

static bool
is_same (const HkAddress *address, HkSpan bytes)
{
    const void *storage = &address->storage;
    return hk_address_is_ipv6 (address)
               ? hk_span_equal (
                     bytes,
                     hk_span (&((const struct sockaddr_in6 *) storage)->sin6_addr, 16))
               : hk_span_equal (
                     bytes, hk_span (&((const struct sockaddr_in *) storage)->sin_addr, 4));
}

static void
on_forward (void *data, int32_t outcome, const HkDnsRecord *records, size_t n_records,
            const char *reason)
{
    Lookup *lookup = data;
    bool is_verified = false;
    (void) reason;
    for (size_t i = 0; i < n_records; i++)
        is_verified |= is_same (&lookup->address, records[i].data);
    conclude (lookup, is_verified,
              outcome == HK_DNS_LATER     ? HK_PEER_TEMPORARY
              : outcome == HK_DNS_NO_NAME ? HK_PEER_NO_NAME
              : outcome == HK_DNS_NO_DATA ? HK_PEER_NO_ADDRESS
                                          : HK_PEER_NONE);
}

static void
verify (Lookup *lookup)
{
    uint16_t type = hk_address_is_ipv6 (&lookup->address) ? HK_DNS_AAAA : HK_DNS_A;
    hk_resolver_ask (lookup->peers->resolver, lookup->reverse_name, type, on_forward,
                     lookup);
}

static void
on_reverse (void *data, int32_t outcome, const HkDnsRecord *records, size_t n_records,
            const char *reason)
{
    Lookup *lookup = data;
    (void) reason;
    /* A name that is none, or that looks like an address, must not reach logs and tables.
     */
    for (size_t i = 0; i < n_records && lookup->reverse_name == NULL; i++)
        if (hk_domain_is_valid (records[i].data, false))
            lookup->reverse_name = hk_span_dup (records[i].data);
    if (lookup->reverse_name != NULL)
        verify (lookup);
    else
        conclude (lookup, false,
                  outcome == HK_DNS_LATER ? HK_PEER_TEMPORARY : HK_PEER_NONE);
}

static char *
reverse_question (const HkAddress *address)
{
    const void *storage = &address->storage;
    GString *name = g_string_new (NULL);
    if (hk_address_is_ipv6 (address)) {
        const uint8_t *b = ((const struct sockaddr_in6 *) storage)->sin6_addr.s6_addr;
        for (int i = 15; i >= 0; i--)
            g_string_append_printf (name, "%x.%x.", b[i] & 15, b[i] >> 4);
        g_string_append (name, "ip6.arpa");
    } else {
        const uint8_t *b =
            (const uint8_t *) &((const struct sockaddr_in *) storage)->sin_addr;
        g_string_append_printf (name, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
    }
    return g_string_free (name, FALSE);
}

static void
on_timer (HkLoopTimer *timer)
{
    finish (timer->data);
}

static void
answer_at_once (Lookup *lookup, const char *name, const char *reverse_name,
                HkPeerFailure failure)
{
    lookup->name = g_strdup (name);
    lookup->reverse_name = g_strdup (reverse_name);
    lookup->failure = failure;
    hk_timer_arm (&lookup->timer, 0);
}

static void
start (HkPeers *self, Lookup *lookup)
{
    char ip[64];
    hk_address_text (&lookup->address, ip);
    const Known *known = recall (self, ip);
    const char *from_hosts = hk_hosts_name (self->hosts, &lookup->address);
    if (known != NULL) {
        answer_at_once (lookup, known->name, known->reverse_name, known->failure);
    } else if (from_hosts != NULL &&
               hk_domain_is_valid (hk_span_text (from_hosts), false)) {
        lookup->reverse_name = g_strdup (from_hosts);
        verify (lookup);
    } else {
        g_autofree char *question = reverse_question (&lookup->address);
        hk_resolver_ask (self->resolver, question, HK_DNS_PTR, on_reverse, lookup);
    }
}

/* ---- the face ---------------------------------------------------------------------------
 */

HkPeers *
hk_peers_new (HkLoop *loop, HkResolver *resolver, const HkHosts *hosts)
{
    HkPeers *self = g_new0 (HkPeers, 1);
    self->loop = loop;
    self->resolver = resolver;
    self->hosts = hosts;
    self->cache = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, free_known);
    self->open = g_hash_table_new (NULL, NULL);
    g_queue_init (&self->order);
    return self;
}

void
hk_peers_ask (HkPeers *self, const struct sockaddr *peer, HkPeerNameFn fn, void *data)
{
    Lookup *lookup = g_new0 (Lookup, 1);
    lookup->peers = self;
    lookup->fn = fn;
    lookup->data = data;
    hk_timer_init (&lookup->timer, self->loop, on_timer, lookup);
    link_lookup (self, lookup);
    if (peer->sa_family == AF_INET)
        lookup->address.size = sizeof (struct sockaddr_in);
    else if (peer->sa_family == AF_INET6)
        lookup->address.size = sizeof (struct sockaddr_in6);
    if (lookup->address.size == 0) { /* a Unix socket: somebody on this host */
        answer_at_once (lookup, "localhost", "localhost", false);
        return;
    }
    memcpy (&lookup->address.storage, peer, lookup->address.size);
    hk_address_unmap (&lookup->address);
    start (self, lookup);
}

static void
drop_lookup (HkPeers *self, Lookup *lookup)
{
    unlink_lookup (self, lookup);
    hk_resolver_cancel (self->resolver, lookup);
    free_lookup (lookup);
}

void
hk_peers_cancel (HkPeers *self, void *data)
{
    Lookup *lookup;
    while ((lookup = g_hash_table_lookup (self->open, data)) != NULL)
        drop_lookup (self, lookup);
}

void
hk_peers_free (HkPeers *self)
{
    GHashTableIter iter;
    gpointer lookup;
    for (;;) {
        g_hash_table_iter_init (&iter, self->open);
        if (!g_hash_table_iter_next (&iter, NULL, &lookup))
            break;
        drop_lookup (self, lookup);
    }
    g_hash_table_unref (self->open);
    g_hash_table_unref (self->cache);
    g_free (self);
}
