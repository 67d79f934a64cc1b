/* probe.c: one address probe, from an address to what its transport says of it. */
#include "config.h"

#include "qmgr/dispatch_priv.h"
#include "qmgr/verify_priv.h"

/* ---- log words (verify(8), bounce(8))
 * ---------------------------------------------------------- */

const char *
hk_probe_word (const Active *self, const char *status)
{
    if (strcmp (status, "sent") == 0)
        return "deliverable";
    return self->probe->verify->keeps_negative ? "undeliverable"
                                               : "undeliverable-but-not-cached";
}

/* ---- where it goes
 * ---------------------------------------------------------------------------- */

/* Shared with a worker; what is lent to it is taken back when the probe goes first. */
typedef struct Routing {
    Probe *probe; /* NULL: it is gone */
    HkIncoming *incoming;
    HkRouter *router;
    const char *sender;
    GArray *addresses; /* HkSpan, in `incoming` */
    const char *why;   /* the tables of aliases did not answer; NULL: they did */
    HkAnswer answer;
    HkRoute route;
} Routing;

static void
routing_work (void *data)
{
    Routing *self = data;
    if (!hk_incoming_expand (self->incoming, self->addresses, &self->why) ||
        self->addresses->len != 1)
        return;
    self->answer = hk_router_resolve (self->router, hk_span_text (self->sender),
                                      g_array_index (self->addresses, HkSpan, 0),
                                      &self->route);
}

static void
give_back (Routing *self)
{
    if (self->incoming != NULL)
        hk_incoming_abandon (g_steal_pointer (&self->incoming));
    g_clear_pointer (&self->router, hk_router_unref);
}

static void
routing_free (Routing *self)
{
    give_back (self);
    g_array_unref (self->addresses);
    hk_route_clear (&self->route);
    g_free (self);
}

static void
set_result (Active *self, int status, const char *dsn, const char *text)
{
    hk_active_set (self, 0, status, 0,
                   hk_report_new (hk_span_text (dsn), hk_span_text (text), HK_SPAN_NONE,
                                  HK_SPAN_NONE));
}

/* Who is behind an alias of many is not asked: as the alias is there, mail would be taken.
 */
static void
take_many (Active *self)
{
    static const char text[] = "aliased to multiple recipients";
    hk_active_log (self, 0, "cleanup", "sent", "2.0.0", hk_span_text (text));
    set_result (self, HK_STATUS_SENT, "2.0.0", text);
}

static void
take_one (Probe *self, HkSpan address, Routing *routing)
{
    if (!hk_span_is (address, self->asked)) {
        self->expanded = hk_span_dup (address);
        self->recipient.address = hk_span_text (self->expanded);
        self->recipient.original = hk_span_text (self->asked);
    }
    if (hk_notice_is_double_bounce_address (self->verify->q, address))
        hk_active_discard (self->active, 0);
    else
        hk_active_take_route (self->active, 0, routing->answer, &routing->route);
}

static void
routing_done (void *data)
{
    Routing *routing = data;
    Probe *self = routing->probe;
    if (self == NULL) {
        routing_free (routing);
        return;
    }
    Active *active = self->active;
    self->routing = NULL;
    active->n_routed = 1;
    active->is_routing = false;
    if (routing->why != NULL)
        hk_active_defer (active, 0, "4.6.0", "Alias expansion error");
    else if (routing->addresses->len == 0)
        hk_active_bounce (active, 0, "5.1.1", "the alias has no destination");
    else if (routing->addresses->len > 1)
        take_many (active);
    else
        take_one (self, g_array_index (routing->addresses, HkSpan, 0), routing);
    routing_free (routing);
    hk_sched_message_open (active->sched);
    hk_qmgr_wake (active->q);
    hk_active_check (active);
}

static void
route (Probe *self)
{
    Qmgr *q = self->verify->q;
    HkIncomingOptions options = {.envelope = &self->envelope, .log_client = "local"};
    Routing *routing = g_new0 (Routing, 1);
    routing->probe = self;
    routing->incoming = hk_incoming_new (q->intake, &options);
    routing->router = hk_router_ref (self->verify->router);
    routing->sender = self->sender;
    routing->addresses = g_array_new (FALSE, FALSE, sizeof (HkSpan));
    hk_route_init (&routing->route);
    self->routing = routing;
    self->active->is_routing = true;
    if (hk_intake_may_block (q->intake) || hk_router_may_block (routing->router)) {
        hk_workers_run (q->workers, routing_work, routing_done, routing);
        return;
    }
    routing_work (routing);
    routing_done (routing);
}

/* ---- life
 * ------------------------------------------------------------------------------------- */

static bool
is_ascii (HkSpan s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] >= 0x80)
            return false;
    return true;
}

static void
fill_envelope (Probe *self)
{
    Qmgr *q = self->verify->q;
    g_autoptr (GString) sender = g_string_new (NULL);
    hk_router_probe_sender (q->router, hk_qmgr_now_s (q), sender);
    self->sender = g_strdup (sender->str);
    self->recipient =
        (HkRecipient){.address = hk_span_text (self->asked), .notify = HK_NOTIFY_NEVER};
    self->envelope = (HkEnvelope){
        .queue_id = hk_lane_next_id (q->lane),
        .arrival_us = hk_wall_us (q->clock),
        .flags = HK_ENVELOPE_PROBE | HK_ENVELOPE_NOTICE |
                 (is_ascii (self->recipient.address) ? 0 : HK_ENVELOPE_SMTPUTF8),
        .sender = hk_span_text (self->sender),
        .recipients = &self->recipient,
        .n_recipients = 1};
}

Probe *
hk_probe_new (Verify *verify, const char *key, HkSpan address)
{
    Qmgr *q = verify->q;
    Probe *self = g_new0 (Probe, 1);
    self->verify = verify;
    self->key = g_strdup (key);
    self->asked = hk_span_dup (address);
    fill_envelope (self);
    Active *active = g_malloc0 (sizeof *active + sizeof active->recipients[0]);
    active->id = self->envelope.queue_id;
    active->q = q;
    active->probe = self;
    active->entry = &self->entry;
    active->envelope = &self->envelope;
    active->active_us = self->envelope.arrival_us;
    active->sched = hk_sched_message_new (q->sched, active);
    self->active = active;
    return self;
}

void
hk_probe_free (Probe *self)
{
    if (self->routing != NULL) {
        give_back (self->routing);
        self->routing->probe = NULL;
    }
    hk_sched_message_withdraw (self->active->sched);
    hk_sched_message_free (self->active->sched);
    g_free (self->active->recipients[0].report);
    g_free (self->active);
    g_free (self->key);
    g_free (self->sender);
    g_free (self->asked);
    g_free (self->expanded);
    g_free (self);
}

void
hk_probe_start (Probe *self)
{
    Active *active = self->active;
    Verify *verify = self->verify;
    hk_active_log_start (active);
    if (g_hash_table_size (verify->probes) <= verify->pending_limit) {
        route (self);
        return;
    }
    active->n_routed = 1;
    hk_active_defer (active, 0, "4.3.2", "Too many address verification requests");
    hk_active_check (active);
}

void
hk_probe_check (Active *active)
{
    if (active->is_routing || active->q->is_ending || active->n_routed == 0 ||
        hk_sched_message_running (active->sched) > 0 ||
        hk_sched_message_pending (active->sched) > 0)
        return;
    const Recipient *recipient = &active->recipients[0];
    HkSpan text = recipient->report != NULL ? recipient->report->text : HK_SPAN_NONE;
    hk_active_log_removed (active);
    hk_verify_ended (active->probe,
                     recipient->status == HK_STATUS_SENT      ? HK_VERIFY_DELIVERABLE
                     : recipient->status == HK_STATUS_BOUNCED ? HK_VERIFY_UNDELIVERABLE
                                                              : HK_VERIFY_DEFERRED,
                     text);
}
