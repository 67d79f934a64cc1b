/* qmgr.c: the whole: beginning, the pump that runs at the end of each turn, reload, the
 * end. */
#include "config.h"

#include "base/log.h"
#include "qmgr/dispatch_priv.h"

#include <unistd.h>

/* Bounds of one turn, so that frames and tools do not wait behind a backlog. */
#define ACTIVATE_A_TURN 64
#define ROUTE_A_TURN 1000
#define TEND_US (HK_SECOND)
/* So many fresh messages may wait until we ask smtpd to slow down, in active limits. */
#define PRESSURE_FACTOR 4

/* ---- settings
 * ---------------------------------------------------------------------------- */

static unsigned
notify_classes (HkSettings *settings)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {{"bounce", NOTIFY_BOUNCE | NOTIFY_2BOUNCE},
                 {"2bounce", NOTIFY_2BOUNCE},
                 {"delay", NOTIFY_DELAY},
                 {"resource", NOTIFY_RESOURCE},
                 {"software", NOTIFY_SOFTWARE}};
    unsigned result = 0;
    g_auto (GStrv) words = hk_settings_words (settings, "notify_classes");
    for (size_t i = 0; words[i] != NULL; i++)
        for (size_t k = 0; k < G_N_ELEMENTS (names); k++)
            if (g_ascii_strcasecmp (words[i], names[k].name) == 0)
                result |= names[k].bit;
    return result;
}

void
hk_qmgr_apply (Qmgr *self)
{
    HkSettings *s = self->settings;
    Params *p = &self->params;
    p->active_limit = (unsigned) hk_settings_int (s, "qmgr_message_active_limit");
    p->recipient_limit = (unsigned) hk_settings_int (s, "qmgr_message_recipient_limit");
    p->recipient_minimum = (unsigned) hk_settings_int (s, "qmgr_message_recipient_minimum");
    p->minimal_backoff = hk_settings_int (s, "minimal_backoff_time");
    p->maximal_backoff =
        MAX (hk_settings_int (s, "maximal_backoff_time"), p->minimal_backoff);
    p->lifetime = hk_settings_int (s, "maximal_queue_lifetime");
    p->bounce_lifetime = MIN (hk_settings_int (s, "bounce_queue_lifetime"), p->lifetime);
    p->delay_warning = hk_settings_int (s, "delay_warning_time");
    p->transport_retry_us = hk_settings_int (s, "transport_retry_time") * HK_SECOND;
    p->ready_timeout_us = hk_settings_int (s, "qmgr_daemon_timeout") * HK_SECOND;
    p->job_timeout_us = hk_settings_int (s, "daemon_timeout") * HK_SECOND;
    p->bounce_size_limit = (uint64_t) hk_settings_int (s, "bounce_size_limit");
    p->notify = notify_classes (s);
    p->soft_bounce = hk_settings_bool (s, "soft_bounce");
    p->one_verp_bounce = hk_settings_bool (s, "disable_verp_bounces");
    p->myhostname = hk_settings_get (s, "myhostname");
    p->mail_name = hk_settings_get (s, "mail_name");
    p->double_bounce = hk_settings_get (s, "double_bounce_sender");
    p->filter_nexthop = hk_settings_get (s, "default_filter_nexthop");
    p->to_bounce = hk_settings_get (s, "bounce_notice_recipient");
    p->to_2bounce = hk_settings_get (s, "2bounce_notice_recipient");
    p->to_delay = hk_settings_get (s, "delay_notice_recipient");
    p->to_error = hk_settings_get (s, "error_notice_recipient");
    g_free (p->double_bounce_address);
    p->double_bounce_address =
        strchr (p->double_bounce, '@') != NULL
            ? g_strdup (p->double_bounce)
            : g_strconcat (p->double_bounce, "@", p->myhostname, NULL);
}

/* ---- counters
 * ---------------------------------------------------------------------------- */

static void
open_counters (Qmgr *self)
{
    HkStats *s = self->stats;
    self->count.messages = hk_stats_slot (s, "queue.messages");
    self->count.incoming = hk_stats_slot (s, "queue.incoming");
    self->count.active = hk_stats_slot (s, "queue.active");
    self->count.deferred = hk_stats_slot (s, "queue.deferred");
    self->count.hold = hk_stats_slot (s, "queue.hold");
    self->count.accepted = hk_stats_slot (s, "qmgr.accepted");
    self->count.sent = hk_stats_slot (s, "qmgr.sent");
    self->count.deferrals = hk_stats_slot (s, "qmgr.deferred");
    self->count.bounced = hk_stats_slot (s, "qmgr.bounced");
    self->count.expired = hk_stats_slot (s, "qmgr.expired");
    self->count.removed = hk_stats_slot (s, "qmgr.removed");
    self->count.notices = hk_stats_slot (s, "qmgr.notices");
    self->count.jobs = hk_stats_slot (s, "qmgr.jobs");
    self->count.running = hk_stats_slot (s, "qmgr.running");
    self->count.agent_failures = hk_stats_slot (s, "qmgr.agent_failures");
}

static void
set_gauges (Qmgr *self)
{
    size_t n[4], total = 0;
    for (int queue = 0; queue < 4; queue++)
        total += n[queue] = hk_store_count (self->store, (HkQueueName) queue);
    hk_stats_set (self->count.incoming, n[HK_QUEUE_INCOMING]);
    hk_stats_set (self->count.active, n[HK_QUEUE_ACTIVE]);
    hk_stats_set (self->count.deferred, n[HK_QUEUE_DEFERRED]);
    hk_stats_set (self->count.hold, n[HK_QUEUE_HOLD]);
    hk_stats_set (self->count.messages, total);
    hk_stats_set (self->count.running, self->n_running);
}

/* ---- the pump
 * ---------------------------------------------------------------------------- */

static bool
can_drain (const Qmgr *self)
{
    if (self->n_running > 0 || self->n_submissions > 0 || !hk_verify_is_resting (self))
        return false;
    GHashTableIter iter;
    gpointer active;
    g_hash_table_iter_init (&iter, self->active);
    while (g_hash_table_iter_next (&iter, NULL, &active))
        if (((Active *) active)->is_routing || ((Active *) active)->is_settling)
            return false;
    return true;
}

static void
tell_pressure (Qmgr *self)
{
    bool high = self->fresh.n > (size_t) self->params.active_limit * PRESSURE_FACTOR;
    bool low = self->fresh.n < (size_t) self->params.active_limit;
    if (self->is_pressing ? !low : !high)
        return;
    self->is_pressing = high;
    for (guint i = 0; i < self->servers->len; i++)
        hk_announce_pressure (g_ptr_array_index (self->servers, i), high);
}

static int64_t
next_due_us (Qmgr *self)
{
    const HkEntry *first = hk_heap_first (&self->deferred);
    if (first == NULL || !hk_qmgr_has_room (self))
        return INT64_MAX;
    int64_t wait_s = (int64_t) first->next_attempt - hk_qmgr_now_s (self);
    return hk_loop_now_us (self->loop) + MAX (wait_s, 1) * HK_SECOND;
}

static bool
has_more_now (Qmgr *self)
{
    if (self->is_draining)
        return false;
    const HkEntry *first = hk_heap_first (&self->deferred);
    bool is_due =
        first != NULL && first->next_attempt <= hk_qmgr_now_s (self) &&
        self->n_active_deferred < self->params.active_limit - self->params.active_limit / 5;
    return self->to_route.length > 0 ||
           (hk_qmgr_has_room (self) && (self->fresh.n > 0 || is_due));
}

static void
pump (void *data)
{
    Qmgr *self = data;
    int64_t now_us = hk_loop_now_us (self->loop);
    self->is_pumping = true;
    self->pump_again = false;
    int64_t wake_us = hk_sched_tick (self->sched, now_us);
    if (!self->is_draining) {
        hk_qmgr_activate (self, ACTIVATE_A_TURN);
        hk_qmgr_route (self, ROUTE_A_TURN);
    }
    hk_qmgr_take_dead (self);
    hk_qmgr_dispatch (self, &wake_us);
    set_gauges (self);
    tell_pressure (self);
    wake_us = MIN (wake_us, next_due_us (self));
    self->is_pumping = false;
    if (self->pump_again || has_more_now (self))
        hk_timer_arm (&self->pump_timer, 0);
    else if (wake_us != INT64_MAX)
        hk_timer_arm (&self->pump_timer, MAX (wake_us - now_us, 1000));
    else
        hk_timer_disarm (&self->pump_timer);
    if (self->is_draining && self->drained != NULL && can_drain (self)) {
        void (*drained) (void *) = self->drained;
        self->drained = NULL;
        drained (self->drained_data);
    }
}

void
hk_qmgr_wake (Qmgr *self)
{
    /* A hook that is queued by a hook runs in the same turn: descriptors would starve. */
    if (self->is_pumping)
        self->pump_again = true;
    else
        hk_loop_at_turn_end (self->loop, &self->pump);
}

static void
on_pump_timer (HkLoopTimer *timer)
{
    hk_qmgr_wake (timer->data);
}

static void
on_tend_timer (HkLoopTimer *timer)
{
    Qmgr *self = timer->data;
    hk_store_tend (self->store, self->workers);
    hk_timer_arm (timer, TEND_US);
}

/* ---- beginning
 * --------------------------------------------------------------------------- */

Qmgr *
hk_qmgr_new (HkLoop *loop, const char *dir, HkSettings *settings, HkStats *stats)
{
    Qmgr *self = g_new0 (Qmgr, 1);
    self->loop = loop;
    self->clock = hk_loop_clock (loop);
    self->dir = g_strdup (dir);
    self->stats = stats;
    self->private_listener.fd = self->public_listener.fd = -1;
    self->settings = hk_settings_ref (settings);
    hk_qmgr_apply (self);
    open_counters (self);
    self->workers =
        hk_workers_new (loop, (unsigned) hk_settings_int (settings, "qmgr_workers"));
    self->transports = g_ptr_array_new ();
    self->sched = hk_sched_new (hk_qmgr_limits, self);
    hk_deferred_init (&self->deferred);
    self->active = g_hash_table_new (g_int64_hash, g_int64_equal);
    self->segments = g_hash_table_new (g_int64_hash, g_int64_equal);
    self->servers = g_ptr_array_new ();
    self->pump = (HkTurnHook){.fn = pump, .data = self};
    hk_timer_init (&self->pump_timer, loop, on_pump_timer, self);
    hk_timer_init (&self->tend_timer, loop, on_tend_timer, self);
    return self;
}

/* Before the heap is a heap: gathered, then ordered at once. */
static void
gather (HkEntry *entry, void *data)
{
    Qmgr *self = data;
    if (entry->queue == HK_QUEUE_DEFERRED) {
        hk_heap_append (&self->deferred, entry);
    } else {
        hk_qmgr_enqueue (entry, self);
    }
}

static HkIntake *
open_intake (Qmgr *self, HkSettings *settings, HkRouter *router, GError **error)
{
    HkIntakeOptions options = {.plugins = self->plugins,
                               .view = settings,
                               .router = router,
                               .lane = self->lane,
                               .events = self->events,
                               .loop = self->loop,
                               .workers = self->workers};
    return hk_intake_new (&options, error);
}

bool
hk_qmgr_open_queue (Qmgr *self, GError **error)
{
    const char *queue = hk_settings_get (self->settings, "queue_directory");
    HkStoreOptions options = {.stats = self->stats};
    self->store = hk_store_open_with (self->loop, queue, &options, error);
    if (self->store == NULL)
        return false;
    hk_store_foreach (self->store, gather, self);
    hk_heap_order (&self->deferred);
    HkLaneOptions lane = {
        .queue_directory = queue,
        .segment_size = NOTICE_SEGMENT_SIZE,
        .min_free = 0, /* notices must get out even when new mail is refused */
        .is_notices = true,
        .stats = self->stats,
    };
    self->lane = hk_lane_open (self->loop, &lane, error);
    if (self->lane == NULL)
        return false;
    self->intake = open_intake (self, self->settings, self->router, error);
    if (self->intake == NULL)
        return false;
    uint64_t segment, offset;
    hk_lane_end (self->lane, &segment, &offset);
    hk_store_catch_up (self->store, 0, segment, offset, hk_qmgr_enqueue, self);
    hk_timer_arm (&self->tend_timer, TEND_US);
    set_gauges (self); /* who hears that we serve may look at once */
    hk_qmgr_wake (self);
    return true;
}

/* ---- changes
 * ----------------------------------------------------------------------------- */

bool
hk_qmgr_reload (Qmgr *self, GError **error)
{
    g_autoptr (HkSettings) settings = hk_settings_load (self->dir, error);
    if (settings == NULL)
        return false;
    HkSettings *old = self->settings;
    hk_plugins_set_settings (self->plugins, settings);
    g_autoptr (HkRouter) router = hk_router_new (self->plugins, settings, error);
    HkIntake *intake = router != NULL ? open_intake (self, settings, router, error) : NULL;
    if (intake == NULL) {
        hk_plugins_set_settings (self->plugins, old);
        return false;
    }
    hk_intake_free (self->intake);
    self->intake = intake;
    hk_router_unref (self->router);
    self->router = g_steal_pointer (&router);
    hk_router_serve (self->router, self->plugins);
    self->settings = g_steal_pointer (&settings);
    hk_qmgr_apply (self);
    hk_settings_unref (old);
    if (self->verify != NULL)
        hk_verify_open (self);
    hk_qmgr_transports_reload (self);
    hk_qmgr_wake (self);
    return true;
}

void
hk_qmgr_drain (Qmgr *self, void (*drained) (void *data), void *data)
{
    self->is_draining = true;
    self->drained = drained;
    self->drained_data = data;
    hk_qmgr_unlisten (self);
    hk_qmgr_wake (self);
}

/* ---- end
 * --------------------------------------------------------------------------------- */

static void
free_active (Qmgr *self)
{
    g_autoptr (GList) all = g_hash_table_get_values (self->active);
    for (GList *at = all; at != NULL; at = at->next) {
        hk_active_save (at->data);
        hk_active_free (at->data);
    }
}

void
hk_qmgr_free (Qmgr *self)
{
    self->is_draining = self->is_ending = true;
    self->drained = NULL;
    hk_qmgr_unlisten (self);
    while (self->servers->len > 0)
        hk_server_close (g_ptr_array_index (self->servers, 0));
    hk_workers_free (self->workers); /* waits: workers read what goes now */
    if (self->lane != NULL)
        hk_lane_close (self->lane); /* notices under way become durable or fail */
    if (self->intake != NULL)
        hk_intake_free (self->intake);
    for (guint i = 0; i < self->transports->len; i++)
        hk_transport_disconnect (g_ptr_array_index (self->transports, i));
    hk_verify_free (self);
    if (self->store != NULL) {
        free_active (self);
        hk_qmgr_close_segments (self);
        hk_store_close (self->store);
    }
    hk_qmgr_transports_free (self);
    hk_sched_free (self->sched);
    hk_loop_cancel_turn_end (self->loop, &self->pump);
    hk_timer_disarm (&self->pump_timer);
    hk_timer_disarm (&self->tend_timer);
    hk_router_serve (NULL, self->plugins);
    g_clear_pointer (&self->router, hk_router_unref);
    g_hash_table_unref (self->active);
    g_hash_table_unref (self->segments);
    g_ptr_array_unref (self->servers);
    g_ptr_array_unref (self->deferred.items); /* the entries are gone with the store */
    hk_ring_clear (&self->fresh);
    g_free (self->params.double_bounce_address);
    hk_settings_unref (self->settings);
    g_free (self->dir);
    g_free (self);
}
