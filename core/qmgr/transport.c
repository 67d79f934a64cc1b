/* transport.c: the delivery services of master.cf as the queue manager sees them. */
#include "config.h"

#include "base/log.h"
#include "qmgr/dispatch_priv.h"

/* What Postfix runs as daemons of their own and what is part of a role here. */
static bool
is_built_in (const char *command)
{
    static const char *const names[] = {
        "anvil",  "bounce",   "cleanup",         "dnsblog",  "flush",      "master",
        "oqmgr",  "pickup",   "postlogd",        "proxymap", "postscreen", "qmgr",
        "qmqpd",  "rewrite",  "scache",          "showq",    "smtpd",      "spawn",
        "tlsmgr", "tlsproxy", "trivial-rewrite", "verify",   NULL};
    return g_strv_contains (names, command);
}

static const HkService *
find_service (Qmgr *q, const char *name)
{
    for (size_t i = 0; i < hk_settings_n_services (q->settings); i++) {
        const HkService *service = hk_settings_service (q->settings, i);
        if (service->type == HK_SERVICE_UNIX && strcmp (service->name, name) == 0 &&
            !is_built_in (service->command))
            return service;
    }
    return NULL;
}

void
hk_qmgr_limits (const char *transport, HkSchedLimits *out, void *data)
{
    Qmgr *q = data;
    const HkService *service = find_service (q, transport);
    hk_sched_limits_read (q->settings, transport,
                          service == NULL ? 1 : service->max_processes, out);
    out->dead_rest_us = q->params.minimal_backoff * HK_SECOND;
}

static void
read_service (Transport *self)
{
    const HkService *service = find_service (self->q, self->name);
    self->is_known = service != NULL;
    g_free (self->path);
    self->path = g_build_filename (
        hk_settings_get (self->q->settings, "queue_directory"),
        service == NULL || service->is_private ? "private" : "public", self->name, NULL);
}

Transport *
hk_transport_get (Qmgr *q, const char *name)
{
    HkSchedTransport *sched = hk_sched_transport (q->sched, name);
    Transport *self = hk_sched_transport_data (sched);
    if (self != NULL)
        return self;
    self = g_new0 (Transport, 1);
    self->q = q;
    self->sched = sched;
    self->name = g_strdup (name);
    self->conns = g_ptr_array_new ();
    read_service (self);
    hk_sched_transport_set_data (sched, self);
    g_ptr_array_add (q->transports, self);
    return self;
}

bool
hk_transport_is_usable (Transport *self, const char **out_dsn, const char **out_reason)
{
    if (!self->is_known) {
        *out_dsn = "4.3.5";
        *out_reason = "mail transport unavailable";
        return false;
    }
    if (self->reason == NULL ||
        hk_loop_now_us (self->q->loop) >= self->unavailable_until_us)
        return true;
    *out_dsn = "4.3.0";
    *out_reason = self->reason;
    return false;
}

/* ---- mail that cannot go ---------------------------------------------------------------
 */

void
hk_qmgr_take_back (void *owner, const uint32_t *recipients, size_t n, const char *transport,
                   const char *nexthop, const char *reason, void *data)
{
    Active *active = owner;
    const char *dsn = data;
    (void) transport;
    (void) nexthop;
    for (size_t i = 0; i < n; i++)
        hk_active_defer (active, recipients[i], dsn, reason);
    hk_active_check (active);
}

static void
take_back_dead (void *owner, const uint32_t *recipients, size_t n, const char *transport,
                const char *nexthop, const char *reason, void *data)
{
    /* The reason begins with the status that the agent gave. */
    (void) data;
    char dsn[12] = "4.4.1";
    const char *space = strchr (reason, ' ');
    if (space != NULL && space - reason < (ptrdiff_t) sizeof dsn &&
        g_ascii_isdigit (reason[0]))
        g_strlcpy (dsn, reason, (size_t) (space - reason) + 1);
    g_autofree char *text = g_strconcat (
        "delivery temporarily suspended: ", space != NULL ? space + 1 : reason, NULL);
    hk_qmgr_take_back (owner, recipients, n, transport, nexthop, text, dsn);
}

void
hk_qmgr_take_dead (Qmgr *q)
{
    hk_sched_take_dead (q->sched, take_back_dead, NULL);
}

void
hk_transport_unavailable (Transport *self)
{
    Qmgr *q = self->q;
    g_free (self->reason);
    self->reason = g_strdup ("mail transport unavailable");
    self->unavailable_until_us = hk_loop_now_us (q->loop) + q->params.transport_retry_us;
    hk_sched_take_transport (self->sched, hk_qmgr_take_back, self->reason,
                             (void *) "4.3.0");
}

/* ---- settings
 * ---------------------------------------------------------------------------- */

void
hk_qmgr_transports_reload (Qmgr *q)
{
    hk_sched_reload (q->sched);
    for (guint i = 0; i < q->transports->len; i++)
        read_service (g_ptr_array_index (q->transports, i));
    for (guint i = 0; i < q->transports->len; i++) {
        Transport *self = g_ptr_array_index (q->transports, i);
        if (!self->is_known)
            hk_sched_take_transport (self->sched, hk_qmgr_take_back,
                                     "mail transport unavailable", (void *) "4.3.5");
    }
    hk_qmgr_transports_revive (q);
}

void
hk_qmgr_transports_revive (Qmgr *q)
{
    for (guint i = 0; i < q->transports->len; i++) {
        Transport *self = g_ptr_array_index (q->transports, i);
        g_clear_pointer (&self->reason, g_free);
        self->not_before_us = self->unavailable_until_us = 0;
        self->n_failures = 0;
    }
    hk_sched_revive (q->sched, NULL);
    hk_qmgr_wake (q);
}

void
hk_transport_disconnect (Transport *self)
{
    while (self->conns->len > 0)
        hk_conn_free (g_ptr_array_index (self->conns, 0));
}

void
hk_qmgr_transports_free (Qmgr *q)
{
    for (guint i = 0; i < q->transports->len; i++) {
        Transport *self = g_ptr_array_index (q->transports, i);
        hk_transport_disconnect (self);
        g_ptr_array_unref (self->conns);
        g_free (self->reason);
        g_free (self->path);
        g_free (self->name);
        g_free (self);
    }
    g_ptr_array_unref (q->transports);
}
