/* message.c: the message's side of the schedule: shares, peers and their offers. */
#include "config.h"

#include "sched/sched_priv.h"

/* With more peers than this a hash finds the peer of a site while a message is built. */
#define MANY_PEERS 8

HkSchedMessage *
hk_sched_message_new (HkSched *self, void *owner)
{
    HkSchedMessage *message = g_new0 (HkSchedMessage, 1);
    message->sched = self;
    message->owner = owner;
    return message;
}

void
hk_sched_message_order (HkSchedMessage *message, int priority, bool is_single)
{
    message->priority = CLAMP (priority, -9, 9);
    message->is_single = is_single;
}

/* ---- the ring of a transport
 * ---------------------------------------------------------------- */

/* At the end, but ahead of those who are less urgent. */
static void
ring_append (Share *share)
{
    HkSchedTransport *transport = share->transport;
    Share *first = transport->ring;
    share->place = hk_sched_next_place (&transport->last_place, share->message);
    if (first == NULL) {
        share->ring_prev = share->ring_next = share;
        transport->ring = share;
        return;
    }
    Share *before = first->ring_prev;
    while (before != first && before->place > share->place)
        before = before->ring_prev;
    if (before == first && first->place > share->place) {
        before = first->ring_prev;
        transport->ring = share;
    }
    share->ring_prev = before;
    share->ring_next = before->ring_next;
    before->ring_next->ring_prev = share;
    before->ring_next = share;
}

static void
ring_remove (Share *share)
{
    HkSchedTransport *transport = share->transport;
    if (transport->ring == share)
        transport->ring = share->ring_next == share ? NULL : share->ring_next;
    share->ring_prev->ring_next = share->ring_next;
    share->ring_next->ring_prev = share->ring_prev;
    share->ring_prev = share->ring_next = NULL;
}

void
hk_sched_share_served (Share *share)
{
    ring_remove (share);
    ring_append (share);
}

void
hk_sched_share_offer (Share *share, Peer *peer)
{
    peer->is_offered = true;
    peer->offer_next = NULL;
    peer->offer_prev = share->offers_tail;
    if (share->offers_tail != NULL)
        share->offers_tail->offer_next = peer;
    else
        share->offers = peer;
    share->offers_tail = peer;
    if (share->ring_next == NULL)
        ring_append (share);
}

void
hk_sched_share_withdraw (Share *share, Peer *peer)
{
    if (!peer->is_offered)
        return;
    peer->is_offered = false;
    if (peer->offer_prev != NULL)
        peer->offer_prev->offer_next = peer->offer_next;
    else
        share->offers = peer->offer_next;
    if (peer->offer_next != NULL)
        peer->offer_next->offer_prev = peer->offer_prev;
    else
        share->offers_tail = peer->offer_prev;
    if (share->offers == NULL)
        ring_remove (share);
}

/* ---- shares and peers
 * ------------------------------------------------------------------------- */

static Share *
share_get (HkSchedMessage *message, HkSchedTransport *transport)
{
    for (Share *share = message->shares; share != NULL; share = share->next)
        if (share->transport == transport)
            return share;
    Share *share = g_new0 (Share, 1);
    share->message = message;
    share->transport = transport;
    share->next = message->shares;
    message->shares = share;
    return share;
}

void
hk_sched_share_drop (Share *share)
{
    if (share->n_peers > 0 || share->n_jobs > 0)
        return;
    for (Share **at = &share->message->shares; *at != NULL; at = &(*at)->next) {
        if (*at == share) {
            *at = share->next;
            break;
        }
    }
    g_free (share);
}

void
hk_sched_peer_free (Peer *peer)
{
    Share *share = peer->share;
    HkSchedMessage *message = share->message;
    Site *site = peer->site;
    hk_sched_site_remove (site, peer);
    if (peer->message_prev != NULL)
        peer->message_prev->message_next = peer->message_next;
    else
        message->peers = peer->message_next;
    if (peer->message_next != NULL)
        peer->message_next->message_prev = peer->message_prev;
    message->n_peers--;
    site->n_peers--;
    if (message->by_site != NULL && g_hash_table_lookup (message->by_site, site) == peer)
        g_hash_table_remove (message->by_site, site);
    if (peer->recipients != &peer->inline_recipient)
        g_free (peer->recipients);
    g_free (peer);
    share->n_peers--;
    hk_sched_share_drop (share);
}

static void
index_peers (HkSchedMessage *message)
{
    message->by_site = g_hash_table_new (NULL, NULL);
    for (Peer *peer = message->peers; peer != NULL; peer = peer->message_next)
        if (!peer->is_queued)
            g_hash_table_insert (message->by_site, peer->site, peer);
}

static Peer *
peer_find (HkSchedMessage *message, Site *site)
{
    if (message->by_site == NULL && message->n_peers > MANY_PEERS)
        index_peers (message);
    if (message->by_site != NULL)
        return g_hash_table_lookup (message->by_site, site);
    for (Peer *peer = message->peers; peer != NULL; peer = peer->message_next)
        if (peer->site == site && !peer->is_queued)
            return peer;
    return NULL;
}

static Peer *
peer_new (HkSchedMessage *message, Share *share, Site *site)
{
    Peer *peer = g_new0 (Peer, 1);
    peer->share = share;
    peer->site = site;
    peer->recipients = &peer->inline_recipient;
    peer->room = 1;
    peer->message_next = message->peers;
    if (message->peers != NULL)
        message->peers->message_prev = peer;
    message->peers = peer;
    message->n_peers++;
    share->n_peers++;
    site->n_peers++;
    if (message->by_site != NULL)
        g_hash_table_insert (message->by_site, site, peer);
    return peer;
}

static void
peer_append (Peer *peer, uint32_t recipient)
{
    if (peer->n == peer->room) {
        uint32_t room = peer->room < 4 ? 4 : peer->room * 2;
        if (peer->recipients == &peer->inline_recipient) {
            peer->recipients = g_new (uint32_t, room);
            peer->recipients[0] = peer->inline_recipient;
        } else {
            peer->recipients = g_renew (uint32_t, peer->recipients, room);
        }
        peer->room = room;
    }
    peer->recipients[peer->n++] = recipient;
}

void
hk_sched_message_add (HkSchedMessage *message, HkSchedTransport *transport,
                      const char *site, const char *nexthop, uint32_t recipient)
{
    Site *where = hk_sched_site_get (transport, site, nexthop);
    Peer *peer = peer_find (message, where);
    if (peer == NULL)
        peer = peer_new (message, share_get (message, transport), where);
    peer_append (peer, recipient);
    message->pending++;
}

static void
count_wanted (Peer *peer)
{
    unsigned limit = hk_sched_job_limit (peer->share->message,
                                         peer->share->transport->limits.recipient_limit);
    unsigned n = peer->n - peer->at;
    peer->share->n_wanted += limit == 0 ? 1 : (n + limit - 1) / limit;
}

static void
classify (HkSchedMessage *message)
{
    for (Share *share = message->shares; share != NULL; share = share->next)
        share->n_wanted = 0;
    for (Peer *peer = message->peers; peer != NULL; peer = peer->message_next)
        count_wanted (peer);
    for (Share *share = message->shares; share != NULL; share = share->next)
        if (share->n_queued == 0)
            share->class = share->n_wanted > LETTER_JOBS ? BULK : LETTERS;
}

void
hk_sched_message_open (HkSchedMessage *message)
{
    g_clear_pointer (&message->by_site, g_hash_table_unref);
    message->is_open = true;
    classify (message);
    Peer *last = message->peers;
    while (last != NULL && last->message_next != NULL)
        last = last->message_next;
    /* Oldest first: the order in which recipients were given. */
    for (Peer *peer = last; peer != NULL; peer = peer->message_prev) {
        if (peer->is_queued)
            continue;
        hk_sched_site_push (peer->site, peer);
        if (peer->site->is_dead)
            hk_sched_site_list_dead (peer->site);
        else
            hk_sched_site_update (peer->site);
    }
}

size_t
hk_sched_message_pending (const HkSchedMessage *message)
{
    return message->pending;
}

size_t
hk_sched_message_running (const HkSchedMessage *message)
{
    return message->running;
}

void
hk_sched_message_withdraw (HkSchedMessage *message)
{
    g_clear_pointer (&message->by_site, g_hash_table_unref);
    while (message->peers != NULL) {
        Site *site = message->peers->site;
        hk_sched_peer_free (message->peers);
        hk_sched_site_update (site);
        hk_sched_site_drop (site);
    }
    message->pending = 0;
}

void
hk_sched_message_free (HkSchedMessage *message)
{
    if (message == NULL)
        return;
    g_assert (message->running == 0);
    hk_sched_message_withdraw (message);
    while (message->shares != NULL) {
        Share *next = message->shares->next;
        g_free (message->shares);
        message->shares = next;
    }
    g_free (message);
}
