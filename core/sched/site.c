/* site.c: a destination: its two queues, what it offers, its window and its rests. */
#include "config.h"

#include "sched/sched_priv.h"

#include <math.h>

#define FIRST_THROTTLE_REST (1 * INT64_C (1000000))
#define MAX_THROTTLE_REST (60 * INT64_C (1000000))

/* ---- sites that rest */

static int64_t
rests_until (const void *item)
{
    return ((const Site *) item)->rests_until_us;
}

static uint32_t *
place (void *item)
{
    return &((Site *) item)->heap_place;
}

void
hk_sched_sleepers_init (HkHeap *self)
{
    hk_heap_init (self, rests_until, place);
}

void
hk_sched_site_wake (Site *site)
{
    hk_heap_remove (&site->transport->sched->sleepers, site);
}

void
hk_sched_site_rest (Site *site, int64_t until_us)
{
    site->rests_until_us = until_us;
    hk_heap_add (&site->transport->sched->sleepers, site);
}

/* ---- life
 * ----------------------------------------------------------------------------------- */

Site *
hk_sched_site_get (HkSchedTransport *transport, const char *name, const char *nexthop)
{
    Site *site = g_hash_table_lookup (transport->sites, name);
    if (site != NULL)
        return site;
    site = g_new0 (Site, 1);
    site->transport = transport;
    site->name = g_strdup (name);
    site->nexthop = strcmp (name, nexthop) == 0 ? site->name : g_strdup (nexthop);
    site->window = MAX (transport->limits.initial_concurrency, 1);
    g_hash_table_insert (transport->sites, site->name, site);
    transport->sched->n_sites++;
    return site;
}

void
hk_sched_site_free (Site *site)
{
    hk_sched_site_wake (site);
    for (Site **at = &site->transport->sched->dead; site->in_dead_list && *at != NULL;
         at = &(*at)->next_dead) {
        if (*at == site) {
            *at = site->next_dead;
            break;
        }
    }
    site->transport->sched->n_sites--;
    if (site->nexthop != site->name)
        g_free (site->nexthop);
    g_free (site->name);
    g_free (site->reason);
    g_free (site);
}

void
hk_sched_site_drop (Site *site)
{
    if (site->running > 0 || site->heap_place != 0 || site->n_peers > 0)
        return;
    g_hash_table_remove (site->transport->sites, site->name);
    hk_sched_site_free (site);
}

void
hk_sched_site_list_dead (Site *site)
{
    HkSched *sched = site->transport->sched;
    if (site->in_dead_list ||
        (site->queue[LETTERS].head == NULL && site->queue[BULK].head == NULL))
        return;
    site->in_dead_list = true;
    site->next_dead = sched->dead;
    sched->dead = site;
}

/* ---- queues and offers
 * ---------------------------------------------------------------------- */

/* Ahead of those only who are less urgent. */
static void
link_tail (Site *site, Peer *peer)
{
    Class class = peer->share->class;
    Peer *before = site->queue[class].tail;
    peer->place = hk_sched_next_place (&site->last_place, peer->share->message);
    while (before != NULL && before->place > peer->place)
        before = before->site_prev;
    peer->site_prev = before;
    peer->site_next = before != NULL ? before->site_next : site->queue[class].head;
    if (before != NULL)
        before->site_next = peer;
    else
        site->queue[class].head = peer;
    if (peer->site_next != NULL)
        peer->site_next->site_prev = peer;
    else
        site->queue[class].tail = peer;
}

static void
unlink_peer (Site *site, Peer *peer)
{
    Class class = peer->share->class;
    if (site->queue[class].offered == peer) {
        hk_sched_share_withdraw (peer->share, peer);
        site->queue[class].offered = NULL;
    }
    if (peer->site_prev != NULL)
        peer->site_prev->site_next = peer->site_next;
    else
        site->queue[class].head = peer->site_next;
    if (peer->site_next != NULL)
        peer->site_next->site_prev = peer->site_prev;
    else
        site->queue[class].tail = peer->site_prev;
}

void
hk_sched_site_push (Site *site, Peer *peer)
{
    link_tail (site, peer);
    peer->is_queued = true;
    peer->share->n_queued++;
    site->transport->n_peers++;
}

void
hk_sched_site_remove (Site *site, Peer *peer)
{
    if (!peer->is_queued)
        return;
    unlink_peer (site, peer);
    peer->is_queued = false;
    peer->share->n_queued--;
    site->transport->n_peers--;
}

void
hk_sched_site_rotate (Site *site, Peer *peer)
{
    unlink_peer (site, peer);
    link_tail (site, peer);
}

static bool
is_eligible (const Site *site)
{
    return !site->is_dead && site->heap_place == 0 && site->running < site->window;
}

static void
update_class (Site *site, Class class, bool eligible)
{
    Peer *head = eligible ? site->queue[class].head : NULL;
    Peer *offered = site->queue[class].offered;
    if (head == offered)
        return;
    if (offered != NULL)
        hk_sched_share_withdraw (offered->share, offered);
    site->queue[class].offered = head;
    if (head != NULL)
        hk_sched_share_offer (head->share, head);
}

void
hk_sched_site_update (Site *site)
{
    bool eligible = is_eligible (site);
    /* The class that was not served last comes first, so that neither starves the other. */
    update_class (site, !site->last_served, eligible);
    update_class (site, site->last_served, eligible);
}

/* ---- feedback
 * ------------------------------------------------------------------------------- */

static double
amount (const HkFeedback *feedback, unsigned window)
{
    switch (feedback->form) {
    case HK_FEEDBACK_BY_WINDOW:
        return feedback->amount / window;
    case HK_FEEDBACK_BY_ROOT:
        return feedback->amount / sqrt (window);
    case HK_FEEDBACK_FIXED:
        break;
    }
    return feedback->amount;
}

static void
widen (Site *site)
{
    const HkSchedLimits *limits = &site->transport->limits;
    site->failed_cohorts = 0;
    site->throttle_rest_us = 0;
    /* A window that is not made use of says nothing about a wider one. */
    if (site->window >= site->running + 1 + MAX (limits->initial_concurrency, 1))
        return;
    site->success += amount (&limits->positive, site->window);
    /* Sums of fractions must not miss the whole number by a rounding error. */
    while (site->success >= 1 - 1e-9) {
        site->success -= 1;
        site->failure = 0;
        if (limits->concurrency_limit == 0 || site->window < limits->concurrency_limit)
            site->window++;
    }
}

static void
die (Site *site, const char *reason, int64_t now_us)
{
    site->is_dead = true;
    g_free (site->reason);
    site->reason = g_strdup (reason != NULL ? reason : "unknown reason");
    hk_sched_site_rest (site, now_us + site->transport->limits.dead_rest_us);
    hk_sched_site_list_dead (site);
}

static void
narrow (Site *site, const char *reason, int64_t now_us)
{
    const HkSchedLimits *limits = &site->transport->limits;
    site->failed_cohorts += 1.0 / site->window;
    if (limits->cohort_failure_limit > 0 &&
        site->failed_cohorts >= limits->cohort_failure_limit - 1e-9) {
        die (site, reason, now_us);
        return;
    }
    site->failure -= amount (&limits->negative, site->window);
    while (site->failure < 0 && site->window > 0) {
        site->window--;
        site->failure += 1;
        site->success = 0;
    }
    site->window = MAX (site->window, 1);
}

static void
throttle (Site *site, int64_t now_us)
{
    site->window = MAX (site->window / 2, 1);
    site->success = 0;
    site->throttle_rest_us =
        CLAMP (site->throttle_rest_us * 2, FIRST_THROTTLE_REST, MAX_THROTTLE_REST);
    hk_sched_site_rest (site, now_us + site->throttle_rest_us);
}

void
hk_sched_site_feedback (Site *site, HkSiteFeedback feedback, const char *reason,
                        int64_t now_us)
{
    /* Jobs that began before the death end after it: only a success changes anything. */
    if (site->is_dead) {
        if (feedback != HK_SITE_OK)
            return;
        hk_sched_site_wake (site);
        site->is_dead = false;
        site->window = MAX (site->transport->limits.initial_concurrency, 1);
        site->failed_cohorts = site->success = site->failure = 0;
        return;
    }
    switch (feedback) {
    case HK_SITE_OK:
        widen (site);
        break;
    case HK_SITE_DOWN:
        narrow (site, reason, now_us);
        break;
    case HK_SITE_THROTTLED:
        throttle (site, now_us);
        break;
    case HK_SITE_UNTRIED:
        break;
    }
}
