/* route.c: from recipients to destinations: content filters, the router, unknown
 * transports. */
#include "config.h"

#include "mail/address.h"
#include "qmgr/dispatch_priv.h"

/* Recipients of one message until another has its turn. */
#define ROUTE_AT_ONCE 200

/* ---- one answer
 * -------------------------------------------------------------------------- */

void
hk_active_discard (Active *self, size_t i)
{
    HkSpan text = HK_SPAN ("undeliverable postmaster notification discarded");
    hk_active_log (self, i, "qmgr", "sent", "2.0.0", text);
    hk_active_set (self, i, HK_STATUS_SENT, HK_RESULT_FINAL | HK_RESULT_DSN_RELAYED,
                   self->probe == NULL ? NULL
                                       : hk_report_new (HK_SPAN ("2.0.0"), text,
                                                        HK_SPAN_NONE, HK_SPAN_NONE));
}

/* With one recipient a job, limits count by recipient
 * (default_destination_recipient_limit). */
static void
enter (Active *self, size_t i, Transport *transport, const char *nexthop)
{
    if (hk_sched_transport_limits (transport->sched)->recipient_limit == 1) {
        HkSpan address = self->envelope->recipients[i].address;
        g_autofree char *lower = hk_span_dup_lower (address);
        g_autofree char *site = g_strconcat (lower, "/", nexthop, NULL);
        hk_sched_message_add (self->sched, transport->sched, site, nexthop, (uint32_t) i);
    } else {
        hk_sched_message_add (self->sched, transport->sched, nexthop, nexthop,
                              (uint32_t) i);
    }
}

void
hk_active_take_route (Active *self, size_t i, HkAnswer answer, const HkRoute *route)
{
    const char *dsn, *reason;
    switch (answer) {
    case HK_OK:
    case HK_FOUND: {
        Transport *transport = hk_transport_get (self->q, route->transport->str);
        if (hk_transport_is_usable (transport, &dsn, &reason))
            enter (self, i, transport, route->nexthop->str);
        else
            hk_active_defer (self, i, dsn, reason);
        break;
    }
    case HK_REJECT:
        hk_active_bounce (self, i, route->dsn[0] != '\0' ? route->dsn : "5.1.0",
                          route->text->len > 0 ? route->text->str
                                               : "undeliverable address");
        break;
    default:
        hk_active_defer (self, i, route->dsn[0] == '4' ? route->dsn : "4.3.0",
                         route->text->len > 0 ? route->text->str
                                              : "address resolver failure");
    }
}

/* ---- content filter
 * ---------------------------------------------------------------------- */

static void
filter_route (Qmgr *q, HkSpan filter, HkSpan recipient, HkRoute *out)
{
    size_t colon = hk_span_find (filter, ':', 0);
    HkSpan nexthop = hk_span_sub (filter, colon + 1, filter.size), local;
    if (nexthop.size == 0)
        nexthop = hk_span_text (q->params.filter_nexthop);
    if (nexthop.size == 0)
        hk_address_split (recipient, &local, &nexthop);
    g_string_truncate (out->transport, 0);
    g_string_truncate (out->nexthop, 0);
    hk_string_append (out->transport, hk_span_sub (filter, 0, colon));
    hk_string_append (out->nexthop, nexthop);
    g_string_ascii_down (out->nexthop);
}

static HkAnswer
resolve (Qmgr *q, HkRouter *router, const HkEnvelope *envelope, size_t i, HkRoute *out)
{
    HkSpan recipient = envelope->recipients[i].address;
    if (envelope->content_filter.size > 0) {
        filter_route (q, envelope->content_filter, recipient, out);
        return HK_OK;
    }
    return hk_router_resolve (router, envelope->sender, recipient, out);
}

/* ---- inline, some a turn
 * ----------------------------------------------------------------- */

static bool
is_open (const Active *self, size_t i)
{
    return self->recipients[i].status == 0;
}

static void
finish (Active *self)
{
    hk_sched_message_open (self->sched);
    hk_active_check (self);
}

static unsigned
route_inline (Active *self, unsigned n)
{
    HkRoute route;
    unsigned done = 0;
    hk_route_init (&route);
    for (; done < n && self->n_routed < self->envelope->n_recipients; done++) {
        size_t i = self->n_routed++;
        if (!is_open (self, i))
            continue;
        if (hk_notice_is_double_bounce_address (self->q,
                                                self->envelope->recipients[i].address)) {
            hk_active_discard (self, i);
            continue;
        }
        HkAnswer answer = resolve (self->q, self->q->router, self->envelope, i, &route);
        hk_active_take_route (self, i, answer, &route);
    }
    hk_route_clear (&route);
    return done;
}

/* ---- on a worker, the whole message at once
 * ---------------------------------------------- */

typedef struct {
    HkAnswer answer;
    HkRoute route;
} Answer;

typedef struct {
    Active *active; /* its envelope does not change; it is not freed while is_routing */
    HkRouter *router;
    Answer *answers;
} Task;

static void
work (void *data)
{
    Task *task = data;
    const HkEnvelope *envelope = task->active->envelope;
    for (size_t i = 0; i < envelope->n_recipients; i++) {
        if (!is_open (task->active, i))
            continue;
        hk_route_init (&task->answers[i].route);
        task->answers[i].answer =
            resolve (task->active->q, task->router, envelope, i, &task->answers[i].route);
    }
}

static void
worked (void *data)
{
    Task *task = data;
    Active *self = task->active;
    bool is_wanted = !self->is_deleted && !self->is_held;
    for (size_t i = 0; i < self->envelope->n_recipients; i++) {
        Answer *answer = &task->answers[i];
        if (answer->route.transport == NULL)
            continue;
        if (!is_wanted) {
            /* withdrawn meanwhile */
        } else if (hk_notice_is_double_bounce_address (
                       self->q, self->envelope->recipients[i].address)) {
            hk_active_discard (self, i);
        } else {
            hk_active_take_route (self, i, answer->answer, &answer->route);
        }
        hk_route_clear (&answer->route);
    }
    self->n_routed = self->envelope->n_recipients;
    self->is_routing = false;
    hk_router_unref (task->router);
    g_free (task->answers);
    g_free (task);
    hk_qmgr_wake (self->q);
    finish (self);
}

static void
route_on_worker (Active *self)
{
    Task *task = g_new0 (Task, 1);
    task->active = self;
    task->router = hk_router_ref (self->q->router);
    task->answers = g_new0 (Answer, self->envelope->n_recipients);
    self->is_routing = true;
    hk_workers_run (self->q->workers, work, worked, task);
}

/* ---- the queue
 * --------------------------------------------------------------------------- */

void
hk_qmgr_unroute (Active *self)
{
    if (self->route_link == NULL)
        return;
    g_queue_delete_link (&self->q->to_route, self->route_link);
    self->route_link = NULL;
}

/* A message with many recipients lets others pass. */
static void
rotate (Active *self)
{
    GQueue *queue = &self->q->to_route;
    g_queue_unlink (queue, self->route_link);
    g_queue_push_tail_link (queue, self->route_link);
}

void
hk_qmgr_route (Qmgr *q, unsigned n)
{
    bool may_block = hk_router_may_block (q->router);
    Active *self;
    while (n > 0 && (self = g_queue_peek_head (&q->to_route)) != NULL) {
        if (may_block && self->envelope->content_filter.size == 0 && self->n_routed == 0) {
            hk_qmgr_unroute (self);
            route_on_worker (self);
            n--;
            continue;
        }
        unsigned done = route_inline (self, MIN (n, ROUTE_AT_ONCE));
        n -= MIN (n, MAX (done, 1));
        if (self->n_routed < self->envelope->n_recipients) {
            rotate (self);
            continue;
        }
        hk_qmgr_unroute (self);
        finish (self);
    }
}
