/* change.c: what an admin does to messages (postsuper(1), postqueue(1)): one at a time. */
#include "config.h"

#include "base/log.h"
#include "qmgr/qmgr_priv.h"

static void
tell (const HkEntry *entry, const char *what)
{
    char id[HK_QUEUE_ID_TEXT];
    g_autofree char *text =
        g_strconcat (hk_queue_id_format (entry->id, id), ": ", what, NULL);
    hk_log_line (HK_LOG_INFO, "postsuper", hk_span_text (text));
}

bool
hk_change_delete (Qmgr *q, HkEntry *entry)
{
    Active *active = hk_active_find (q, entry->id);
    if (active != NULL) {
        if (active->is_deleted)
            return false;
        active->is_deleted = true;
        hk_active_withdraw (active);
        hk_active_check (active);
        return true;
    }
    tell (entry, "removed");
    hk_heap_remove (&q->deferred, entry);
    hk_store_done (q->store, entry);
    hk_stats_add (q->count.removed, 1);
    return true;
}

bool
hk_change_hold (Qmgr *q, HkEntry *entry)
{
    Active *active = hk_active_find (q, entry->id);
    if (entry->queue == HK_QUEUE_HOLD || (active != NULL && active->is_held))
        return false;
    tell (entry, "placed on hold");
    if (active != NULL) {
        active->is_held = true;
        hk_active_withdraw (active);
        hk_active_check (active);
        return true;
    }
    hk_heap_remove (&q->deferred, entry);
    hk_store_set_queue (q->store, entry, HK_QUEUE_HOLD);
    return true;
}

/* Into DEFERRED, due now. */
static void
make_due (Qmgr *q, HkEntry *entry)
{
    hk_store_set_queue (q->store, entry, HK_QUEUE_DEFERRED);
    entry->next_attempt = (uint32_t) hk_qmgr_now_s (q);
    hk_heap_add (&q->deferred, entry);
    hk_qmgr_wake (q);
}

bool
hk_change_release (Qmgr *q, HkEntry *entry)
{
    Active *active = hk_active_find (q, entry->id);
    if (active != NULL && active->is_held) {
        active->is_held = false; /* still under way: it stays in the queue */
        return true;
    }
    if (entry->queue != HK_QUEUE_HOLD)
        return false;
    tell (entry, "released from hold");
    make_due (q, entry);
    return true;
}

bool
hk_change_requeue (Qmgr *q, HkEntry *entry)
{
    if (hk_active_find (q, entry->id) != NULL)
        return true; /* it is being tried at this moment */
    tell (entry, "requeued");
    make_due (q, entry);
    return true;
}

bool
hk_change_expire (Qmgr *q, HkEntry *entry, bool force)
{
    bool is_held = entry->queue == HK_QUEUE_HOLD;
    if (!entry->is_forced_expire)
        hk_store_set_forced_expire (q->store, entry, 1);
    tell (entry, is_held && force ? "expired, released from hold" : "expired");
    /* What is active is returned when this round ends. */
    if (hk_active_find (q, entry->id) != NULL || (is_held && !force))
        return true;
    make_due (q, entry);
    return true;
}

bool
hk_change_flush (Qmgr *q, HkEntry *entry)
{
    if (entry->queue != HK_QUEUE_DEFERRED || hk_active_find (q, entry->id) != NULL)
        return false;
    entry->next_attempt = (uint32_t) hk_qmgr_now_s (q);
    hk_heap_add (&q->deferred, entry);
    hk_qmgr_wake (q);
    return true;
}
