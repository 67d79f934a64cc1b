/* sched.c: transports, jobs and time: the outside of the schedule. */
#include "config.h"

#include "sched/sched_priv.h"

static void
transport_free (gpointer data)
{
    HkSchedTransport *transport = data;
    GHashTableIter iter;
    gpointer site;
    g_hash_table_iter_init (&iter, transport->sites);
    while (g_hash_table_iter_next (&iter, NULL, &site)) {
        g_hash_table_iter_steal (&iter);
        hk_sched_site_free (site);
    }
    g_hash_table_unref (transport->sites);
    g_free (transport->name);
    g_free (transport);
}

HkSched *
hk_sched_new (HkSchedLimitsFn limits, void *data)
{
    HkSched *self = g_new0 (HkSched, 1);
    self->limits = limits;
    self->data = data;
    self->transports =
        g_hash_table_new_full (g_str_hash, g_str_equal, NULL, transport_free);
    hk_sched_sleepers_init (&self->sleepers);
    return self;
}

void
hk_sched_free (HkSched *self)
{
    if (self == NULL)
        return;
    g_hash_table_unref (self->transports);
    hk_heap_clear (&self->sleepers);
    g_free (self);
}

static void
read_limits (HkSchedTransport *transport)
{
    HkSched *self = transport->sched;
    memset (&transport->limits, 0, sizeof transport->limits);
    self->limits (transport->name, &transport->limits, self->data);
    HkSchedLimits *limits = &transport->limits;
    if (limits->concurrency_limit > 0)
        limits->initial_concurrency =
            MIN (limits->initial_concurrency, limits->concurrency_limit);
    /* A pause between jobs means nothing while they run side by side. */
    if (limits->rate_delay_us > 0)
        limits->initial_concurrency = limits->concurrency_limit = 1;
}

void
hk_sched_reload (HkSched *self)
{
    GHashTableIter iter, sites;
    gpointer value, each;
    g_hash_table_iter_init (&iter, self->transports);
    while (g_hash_table_iter_next (&iter, NULL, &value)) {
        HkSchedTransport *transport = value;
        read_limits (transport);
        unsigned limit = transport->limits.concurrency_limit;
        g_hash_table_iter_init (&sites, transport->sites);
        while (limit > 0 && g_hash_table_iter_next (&sites, NULL, &each))
            ((Site *) each)->window = MIN (((Site *) each)->window, limit);
    }
}

HkSchedTransport *
hk_sched_transport (HkSched *self, const char *name)
{
    HkSchedTransport *transport = g_hash_table_lookup (self->transports, name);
    if (transport != NULL)
        return transport;
    transport = g_new0 (HkSchedTransport, 1);
    transport->sched = self;
    transport->name = g_strdup (name);
    transport->sites = g_hash_table_new (g_str_hash, g_str_equal);
    read_limits (transport);
    g_hash_table_insert (self->transports, transport->name, transport);
    return transport;
}

const HkSchedLimits *
hk_sched_transport_limits (const HkSchedTransport *transport)
{
    return &transport->limits;
}

const char *
hk_sched_transport_name (const HkSchedTransport *transport)
{
    return transport->name;
}

void
hk_sched_transport_set_data (HkSchedTransport *transport, void *data)
{
    transport->data = data;
}

void *
hk_sched_transport_data (const HkSchedTransport *transport)
{
    return transport->data;
}

bool
hk_sched_transport_has_offers (const HkSchedTransport *transport)
{
    return transport->ring != NULL;
}

unsigned
hk_sched_transport_running (const HkSchedTransport *transport)
{
    return transport->running;
}

unsigned
hk_sched_transport_pending (const HkSchedTransport *transport)
{
    return transport->n_peers;
}

size_t
hk_sched_n_sites (const HkSched *self)
{
    return self->n_sites;
}

/* ---- jobs
 * ------------------------------------------------------------------------------------- */

static Job *
job_new (Peer *peer, unsigned limit)
{
    uint32_t n = peer->n - peer->at;
    limit = hk_sched_job_limit (peer->share->message, limit);
    if (limit > 0)
        n = MIN (n, limit);
    Job *job = g_malloc (sizeof (Job) + n * sizeof (uint32_t));
    job->site = peer->site;
    job->share = peer->share;
    job->message = peer->share->message;
    job->n = n;
    memcpy (job->recipients, peer->recipients + peer->at, n * sizeof (uint32_t));
    peer->at += n;
    return job;
}

bool
hk_sched_next (HkSchedTransport *transport, int64_t now_us, HkSchedJob *out)
{
    const HkSchedLimits *limits = &transport->limits;
    if (transport->ring == NULL || now_us < transport->next_job_us ||
        (limits->process_limit > 0 && transport->running >= limits->process_limit))
        return false;
    Share *share = transport->ring;
    Peer *peer = share->offers;
    Site *site = peer->site;
    /* The share keeps standing in the ring only behind all others. */
    hk_sched_share_served (share);
    site->last_served = (uint8_t) share->class;
    Job *job = job_new (peer, limits->recipient_limit);
    share->n_jobs++;
    job->message->pending -= job->n;
    job->message->running++;
    transport->running++;
    site->running++;
    if (limits->rate_delay_us > 0)
        hk_sched_site_rest (site, now_us + limits->rate_delay_us);
    if (limits->transport_delay_us > 0)
        transport->next_job_us = now_us + limits->transport_delay_us;
    if (peer->at == peer->n)
        hk_sched_peer_free (peer);
    else if (share->class == BULK)
        hk_sched_site_rotate (site, peer);
    hk_sched_site_update (site);
    *out = (HkSchedJob){job->message->owner, site->nexthop, job->recipients, job->n, job};
    return true;
}

void
hk_sched_job_give_back (void *handle, const uint32_t *recipients, size_t n)
{
    Job *job = handle;
    bool was_open = job->message->is_open;
    job->message->is_open = false;
    for (size_t i = 0; i < n; i++)
        hk_sched_message_add (job->message, job->site->transport, job->site->name,
                              job->site->nexthop, recipients[i]);
    if (was_open)
        hk_sched_message_open (job->message);
}

void
hk_sched_job_end (void *handle, HkSiteFeedback feedback, const char *reason, int64_t now_us)
{
    Job *job = handle;
    Site *site = job->site;
    site->running--;
    site->transport->running--;
    job->message->running--;
    job->share->n_jobs--;
    hk_sched_share_drop (job->share);
    g_free (job);
    hk_sched_site_feedback (site, feedback, reason, now_us);
    hk_sched_site_update (site);
    hk_sched_site_drop (site);
}

/* ---- the dead
 * --------------------------------------------------------------------------------- */

/* Detach PEER and report it. */
static size_t
report_peer (Peer *peer, const char *transport, const char *nexthop, const char *reason,
             HkSchedDeadFn fn, void *data)
{
    HkSchedMessage *message = peer->share->message;
    size_t n = peer->n - peer->at;
    g_autofree uint32_t *recipients = g_memdup2 (peer->recipients + peer->at, n * 4);
    message->pending -= n;
    hk_sched_peer_free (peer);
    fn (message->owner, recipients, n, transport, nexthop, reason, data);
    return n;
}

static Peer *
first_peer (Site *site)
{
    Peer *peer = site->queue[LETTERS].head;
    return peer != NULL ? peer : site->queue[BULK].head;
}

size_t
hk_sched_take_dead (HkSched *self, HkSchedDeadFn fn, void *data)
{
    size_t n = 0;
    while (self->dead != NULL) {
        Site *site = self->dead;
        self->dead = site->next_dead;
        site->in_dead_list = false;
        Peer *peer;
        /* FN may free messages, which may empty the site: it is held by its rest. */
        while (site->is_dead && (peer = first_peer (site)) != NULL)
            n += report_peer (peer, site->transport->name, site->nexthop, site->reason, fn,
                              data);
    }
    return n;
}

size_t
hk_sched_take_transport (HkSchedTransport *transport, HkSchedDeadFn fn, const char *reason,
                         void *data)
{
    size_t n = 0;
    g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
    GHashTableIter iter;
    gpointer name;
    g_hash_table_iter_init (&iter, transport->sites);
    while (g_hash_table_iter_next (&iter, &name, NULL))
        g_ptr_array_add (names, g_strdup (name));
    for (guint i = 0; i < names->len; i++) {
        Site *site;
        Peer *peer;
        /* Looked up again each time: the last peer may take its site along. */
        while ((site = g_hash_table_lookup (transport->sites,
                                            g_ptr_array_index (names, i))) != NULL &&
               (peer = first_peer (site)) != NULL) {
            g_autofree char *nexthop = g_strdup (site->nexthop);
            site->running++;
            n += report_peer (peer, transport->name, nexthop, reason, fn, data);
            site->running--;
            hk_sched_site_update (site);
            hk_sched_site_drop (site);
        }
    }
    return n;
}

static void
revive (Site *site)
{
    site->is_dead = false;
    site->window = MAX (site->transport->limits.initial_concurrency, 1);
    site->failed_cohorts = site->success = site->failure = 0;
    hk_sched_site_wake (site);
    hk_sched_site_update (site);
    hk_sched_site_drop (site);
}

void
hk_sched_revive (HkSched *self, const char *nexthop)
{
    /* Gathered first: waking one reorders the heap. */
    g_autoptr (GPtrArray) found = g_ptr_array_new ();
    for (guint i = 0; i < self->sleepers.items->len; i++) {
        Site *site = g_ptr_array_index (self->sleepers.items, i);
        if (site->is_dead &&
            (nexthop == NULL || g_ascii_strcasecmp (site->nexthop, nexthop) == 0))
            g_ptr_array_add (found, site);
    }
    for (guint i = 0; i < found->len; i++)
        revive (g_ptr_array_index (found, i));
}

int64_t
hk_sched_tick (HkSched *self, int64_t now_us)
{
    int64_t wake = INT64_MAX;
    Site *site;
    while ((site = hk_heap_first (&self->sleepers)) != NULL) {
        if (site->rests_until_us > now_us) {
            wake = site->rests_until_us;
            break;
        }
        if (site->is_dead) {
            revive (site);
        } else {
            hk_sched_site_wake (site);
            hk_sched_site_update (site);
            hk_sched_site_drop (site);
        }
    }
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init (&iter, self->transports);
    while (g_hash_table_iter_next (&iter, NULL, &value)) {
        HkSchedTransport *transport = value;
        if (transport->ring != NULL && transport->next_job_us > now_us)
            wake = MIN (wake, transport->next_job_us);
    }
    return wake;
}

int64_t
hk_sched_retry_s (int64_t arrival_s, int64_t now_s, int64_t minimal_s, int64_t maximal_s,
                  double random)
{
    int64_t age = MAX (now_s - arrival_s, 0);
    int64_t wait = MIN (MAX (age, minimal_s), MAX (minimal_s, maximal_s));
    return now_s + wait + (int64_t) ((double) wait * 0.1 * random);
}
