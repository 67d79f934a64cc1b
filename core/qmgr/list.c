/* list.c: walking through the queue for a tool: listing it, or looking for a site's mail.
 *
 * Some messages a turn, as the peer takes them: a million entries must neither stop
 * deliveries nor fill memory.  The walk goes over ids, so that what changes meanwhile does
 * no harm. */
#include "config.h"

#include "mail/address.h"
#include "qmgr/qmgr_priv.h"

#define ENTRIES_A_TURN 200
#define MAX_BACKLOG (1u << 20)
#define MAX_SITES 1000

typedef struct Listing {
    Server *server;
    GArray *ids;
    guint at;
    uint64_t n;
    char *site; /* NULL: list */
    HkLoopTimer timer;
} Listing;

static const HkQueueName order[] = {HK_QUEUE_ACTIVE, HK_QUEUE_INCOMING, HK_QUEUE_DEFERRED,
                                    HK_QUEUE_HOLD};

/* ---- one entry
 * --------------------------------------------------------------------------- */

static void
pack_recipient (GByteArray *frame, const HkRecipient *recipient, HkSpan reason)
{
    hk_pack_span (frame, recipient->address);
    hk_pack_span (frame, recipient->original);
    hk_pack_span (frame, reason);
}

static GByteArray *
begin_entry (Server *server, const HkEntry *entry, const HkEnvelope *envelope,
             uint64_t size, size_t n)
{
    char id[HK_QUEUE_ID_TEXT];
    GByteArray *frame = hk_channel_begin (server->channel, HK_FRAME_ENTRY);
    hk_pack_span (frame, hk_span_text (hk_queue_name ((HkQueueName) entry->queue)));
    hk_pack_span (frame, hk_span_text (hk_queue_id_format (entry->id, id)));
    hk_pack_i64 (frame, envelope->arrival_us);
    hk_pack_u64 (frame, size);
    hk_pack_u64 (frame, entry->is_forced_expire);
    hk_pack_span (frame, envelope->sender);
    hk_pack_u64 (frame, n);
    return frame;
}

static bool
is_open (int status)
{
    return status == 0 || status == HK_STATUS_DEFERRED;
}

static void
send_active (Server *server, const Active *active)
{
    const HkEnvelope *envelope = active->envelope;
    size_t n = 0;
    for (size_t i = 0; i < envelope->n_recipients; i++)
        n += is_open (active->recipients[i].status);
    GByteArray *frame =
        begin_entry (server, active->entry, envelope, active->content_size, n);
    for (size_t i = 0; i < envelope->n_recipients; i++) {
        const Recipient *recipient = &active->recipients[i];
        if (is_open (recipient->status))
            pack_recipient (frame, &envelope->recipients[i],
                            recipient->report != NULL ? recipient->report->text
                                                      : HK_SPAN_NONE);
    }
    hk_channel_end (server->channel);
}

static void
send_stored (Server *server, const HkEntry *entry, const HkStoredMessage *stored)
{
    const HkEnvelope *envelope = stored->envelope;
    size_t n = 0;
    for (size_t i = 0; i < envelope->n_recipients; i++)
        n += is_open (stored->states[i].status);
    GByteArray *frame = begin_entry (server, entry, envelope, stored->content_size, n);
    for (size_t i = 0; i < envelope->n_recipients; i++)
        if (is_open (stored->states[i].status))
            pack_recipient (frame, &envelope->recipients[i], stored->states[i].reason);
    hk_channel_end (server->channel);
}

static bool
is_for_site (const HkStoredMessage *stored, const char *site)
{
    for (size_t i = 0; i < stored->envelope->n_recipients; i++) {
        HkSpan local, domain;
        if (is_open (stored->states[i].status) &&
            hk_address_split (stored->envelope->recipients[i].address, &local, &domain) &&
            hk_span_is_ci (domain, site))
            return true;
    }
    return false;
}

static void
visit (Listing *self, HkQueueId id)
{
    Qmgr *q = self->server->q;
    HkEntry *entry = hk_store_find (q->store, id);
    if (entry == NULL)
        return;
    Active *active = hk_active_find (q, id);
    if (active != NULL) {
        if (self->site == NULL) {
            send_active (self->server, active);
            self->n++;
        }
        return;
    }
    /* What does not read is found out when it is tried. */
    g_autoptr (HkStoredMessage) stored = hk_store_load (q->store, entry, NULL);
    if (stored == NULL)
        return;
    if (self->site == NULL) {
        send_stored (self->server, entry, stored);
        self->n++;
    } else if (is_for_site (stored, self->site)) {
        self->n += hk_change_flush (q, entry);
    }
}

/* ---- the walk
 * ---------------------------------------------------------------------------- */

void
hk_list_cancel (Server *server)
{
    Listing *self = server->listing;
    if (self == NULL)
        return;
    hk_timer_disarm (&self->timer);
    g_array_unref (self->ids);
    g_free (self->site);
    g_free (self);
    server->listing = NULL;
}

static void begin_next_site (Server *server);

static void
step (HkLoopTimer *timer)
{
    Listing *self = timer->data;
    Server *server = self->server;
    for (int n = 0; n < ENTRIES_A_TURN && self->at < self->ids->len; n++) {
        if (hk_channel_backlog (server->channel) > MAX_BACKLOG) {
            hk_timer_arm (timer, 5000);
            return;
        }
        visit (self, g_array_index (self->ids, HkQueueId, self->at++));
    }
    if (self->at < self->ids->len) {
        hk_timer_arm (timer, 0);
        return;
    }
    if (server->is_public)
        hk_tools_reply (server, true, self->n, "");
    hk_list_cancel (server);
    begin_next_site (server);
}

typedef struct {
    HkQueueName queue;
    GArray *ids;
} Gather;

static void
gather (HkEntry *entry, void *data)
{
    Gather *self = data;
    if (entry->queue == self->queue)
        g_array_append_val (self->ids, entry->id);
}

static int
by_id (const void *a, const void *b)
{
    HkQueueId x = *(const HkQueueId *) a, y = *(const HkQueueId *) b;
    return (x > y) - (x < y);
}

static GArray *
all_ids (Qmgr *q, bool deferred_only)
{
    GArray *ids = g_array_new (FALSE, FALSE, sizeof (HkQueueId));
    for (size_t i = 0; i < G_N_ELEMENTS (order); i++) {
        if (deferred_only && order[i] != HK_QUEUE_DEFERRED)
            continue;
        guint from = ids->len;
        Gather part = {order[i], ids};
        hk_store_foreach (q->store, gather, &part);
        if (ids->len > from)
            qsort (&g_array_index (ids, HkQueueId, from), ids->len - from, sizeof (HkQueueId),
                   by_id);
    }
    return ids;
}

static void
begin (Server *server, HkSpan site)
{
    Listing *self = g_new0 (Listing, 1);
    self->server = server;
    self->site = site.size > 0 ? hk_span_dup (site) : NULL;
    self->ids = all_ids (server->q, self->site != NULL);
    server->listing = self;
    hk_timer_init (&self->timer, server->q->loop, step, self);
    hk_timer_arm (&self->timer, 0);
}

void
hk_list_begin (Server *server, HkSpan site)
{
    if (server->listing != NULL)
        hk_tools_reply (server, false, 0, "a listing is under way");
    else
        begin (server, site);
}

/* ---- sites that smtpd's clients ask for
 * -------------------------------------------------- */

static void
begin_next_site (Server *server)
{
    if (server->sites == NULL || server->sites->len == 0)
        return;
    g_autofree char *site = g_ptr_array_steal_index (server->sites, 0);
    begin (server, hk_span_text (site));
}

static bool
is_asked (const Server *server, HkSpan site)
{
    for (guint i = 0; i < server->sites->len; i++)
        if (hk_span_is_ci (site, g_ptr_array_index (server->sites, i)))
            return true;
    return false;
}

void
hk_list_flush_site (Server *server, HkSpan site)
{
    if (server->listing == NULL) {
        begin (server, site);
        return;
    }
    if (server->sites == NULL)
        server->sites = g_ptr_array_new_with_free_func (g_free);
    if (server->sites->len < MAX_SITES && !is_asked (server, site))
        g_ptr_array_add (server->sites, hk_span_dup (site));
}
