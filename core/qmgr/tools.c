/* tools.c: requests of postqueue, postsuper, postcat. */
#include "config.h"

#include "host/authorized.h"
#include "qmgr/qmgr_priv.h"

#include <sysexits.h>

void
hk_tools_reply (Server *self, bool ok, uint64_t n, const char *text)
{
    GByteArray *frame = hk_channel_begin (self->channel, HK_FRAME_REPLY);
    hk_pack_u64 (frame, ok ? 0 : 1);
    hk_pack_u64 (frame, n);
    hk_pack_span (frame, hk_span_text (text));
    hk_channel_end (self->channel);
}

/* ---- which messages
 * ---------------------------------------------------------------------- */

typedef bool (*ChangeFn) (Qmgr *q, HkEntry *entry, const void *arg);

typedef struct {
    HkSpan queue; /* empty: any */
    GArray *ids;
} Gather;

static bool
is_in_queue (const HkEntry *entry, HkSpan queue)
{
    return queue.size == 0 ||
           hk_span_is (queue, hk_queue_name ((HkQueueName) entry->queue));
}

static void
gather (HkEntry *entry, void *data)
{
    Gather *self = data;
    if (is_in_queue (entry, self->queue))
        g_array_append_val (self->ids, entry->id);
}

/* Apply FN to the message ID, or to all; the ids first, since FN may remove entries. */
static void
change (Server *self, HkSpan id, HkSpan queue, ChangeFn fn, const void *arg)
{
    Qmgr *q = self->q;
    uint64_t n = 0;
    g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (HkQueueId));
    HkQueueId one;
    if (hk_span_is (id, "ALL")) {
        Gather all = {queue, ids};
        hk_store_foreach (q->store, gather, &all);
    } else if (hk_queue_id_parse (id, &one)) {
        g_array_append_val (ids, one);
    } else {
        g_autofree char *name = hk_span_dup (hk_span_sub (id, 0, 100));
        g_autofree char *text = g_strconcat ("invalid mail queue id: ", name, NULL);
        hk_tools_reply (self, false, 0, text);
        return;
    }
    for (guint i = 0; i < ids->len; i++) {
        HkEntry *entry = hk_store_find (q->store, g_array_index (ids, HkQueueId, i));
        if (entry != NULL && is_in_queue (entry, queue))
            n += fn (q, entry, arg);
    }
    hk_qmgr_wake (q);
    hk_tools_reply (self, true, n, "");
}

static bool
change_delete (Qmgr *q, HkEntry *entry, const void *arg)
{
    (void) arg;
    return hk_change_delete (q, entry);
}

static bool
change_hold (Qmgr *q, HkEntry *entry, const void *arg)
{
    (void) arg;
    return hk_change_hold (q, entry);
}

static bool
change_release (Qmgr *q, HkEntry *entry, const void *arg)
{
    (void) arg;
    return hk_change_release (q, entry);
}

static bool
change_requeue (Qmgr *q, HkEntry *entry, const void *arg)
{
    (void) arg;
    return hk_change_requeue (q, entry);
}

static bool
change_expire (Qmgr *q, HkEntry *entry, const void *arg)
{
    return hk_change_expire (q, entry, *(const bool *) arg);
}

static bool
change_flush (Qmgr *q, HkEntry *entry, const void *arg)
{
    (void) arg;
    return hk_change_flush (q, entry);
}

/* ---- requests
 * ---------------------------------------------------------------------------- */

static void
super (Server *self, uint16_t type, HkUnpack *in)
{
    static const struct {
        uint16_t type;
        ChangeFn fn;
    } changes[] = {{HK_FRAME_DELETE, change_delete},
                   {HK_FRAME_HOLD, change_hold},
                   {HK_FRAME_RELEASE, change_release},
                   {HK_FRAME_REQUEUE, change_requeue},
                   {HK_FRAME_EXPIRE, change_expire}};
    HkSpan id = hk_unpack_span (in), queue = hk_unpack_span (in);
    bool force = type == HK_FRAME_EXPIRE && hk_unpack_u64 (in) != 0;
    if (in->failed) {
        hk_tools_reply (self, false, 0, "malformed request");
    } else if (!self->is_privileged) {
        hk_tools_reply (
            self, false, 0,
            "use of this command is reserved for the superuser and the mail owner");
    } else {
        for (size_t i = 0; i < G_N_ELEMENTS (changes); i++)
            if (changes[i].type == type)
                change (self, id, queue, changes[i].fn, &force);
    }
}

static void
flush (Server *self, HkUnpack *in)
{
    HkSpan id = hk_unpack_span (in);
    if (in->failed) {
        hk_tools_reply (self, false, 0, "malformed request");
        return;
    }
    /* Whoever flushes expects an attempt, not yesterday's opinion of the destination. */
    hk_qmgr_transports_revive (self->q);
    change (self, id.size == 0 ? HK_SPAN ("ALL") : id, HK_SPAN ("deferred"), change_flush,
            NULL);
}

static void
locate (Server *self, HkUnpack *in)
{
    HkQueueId id;
    HkSpan text = hk_unpack_span (in);
    HkEntry *entry =
        hk_queue_id_parse (text, &id) ? hk_store_find (self->q->store, id) : NULL;
    if (in->failed || entry == NULL) {
        hk_tools_reply (self, false, 0, "no such message");
        return;
    }
    uint64_t offset;
    g_autofree char *path = hk_store_path (self->q->store, entry, &offset);
    GByteArray *frame = hk_channel_begin (self->channel, HK_FRAME_FOUND);
    hk_pack_span (frame, hk_span_text (path));
    hk_pack_u64 (frame, offset);
    hk_pack_u64 (frame, entry->length);
    hk_pack_span (frame, hk_span_text (hk_queue_name ((HkQueueName) entry->queue)));
    hk_channel_end (self->channel);
    hk_tools_reply (self, true, 1, "");
}

static void
flush_site (Server *self, HkUnpack *in)
{
    HkSpan site = hk_unpack_span (in);
    if (in->failed || site.size == 0) {
        hk_tools_reply (self, false, 0, "malformed request");
        return;
    }
    hk_qmgr_transports_revive (self->q);
    hk_list_begin (self, site);
}

/* May this user ask that?  What only root may is looked at elsewhere. */
static bool
is_authorized (Server *self, uint16_t type, char **out_text)
{
    Qmgr *q = self->q;
    if (self->is_privileged)
        return true;
    if (type == HK_FRAME_LIST)
        return hk_user_is_authorized (q->plugins, q->settings, "authorized_mailq_users",
                                      self->uid, true, "view the mail queue", out_text);
    if (type == HK_FRAME_FLUSH || type == HK_FRAME_FLUSH_SITE)
        return hk_user_is_authorized (q->plugins, q->settings, "authorized_flush_users",
                                      self->uid, true, "flush the mail queue", out_text);
    return true;
}

void
hk_tools_frame (Server *self, uint16_t type, HkSpan payload)
{
    g_autofree char *text = NULL;
    HkUnpack in = hk_unpack (payload);
    if (!is_authorized (self, type, &text)) {
        hk_tools_reply (self, false, EX_NOPERM, text);
        return;
    }
    switch (type) {
    case HK_FRAME_LIST:
        hk_list_begin (self, HK_SPAN_NONE);
        break;
    case HK_FRAME_FLUSH:
        flush (self, &in);
        break;
    case HK_FRAME_FLUSH_SITE:
        flush_site (self, &in);
        break;
    case HK_FRAME_LOCATE:
        locate (self, &in);
        break;
    case HK_FRAME_DELETE:
    case HK_FRAME_HOLD:
    case HK_FRAME_RELEASE:
    case HK_FRAME_REQUEUE:
    case HK_FRAME_EXPIRE:
        super (self, type, &in);
        break;
    default:
        hk_tools_reply (self, false, 0, "unknown request");
    }
}
