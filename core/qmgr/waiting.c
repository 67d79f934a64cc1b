/* waiting.c: messages that are not active: a ring of fresh ids, a heap of deferred entries.
 */
#include "config.h"

#include "qmgr/qmgr_priv.h"

void
hk_ring_push (Ring *ring, HkQueueId id)
{
    if (ring->n == ring->room) {
        size_t room = ring->room == 0 ? 64 : ring->room * 2;
        HkQueueId *ids = g_new (HkQueueId, room);
        for (size_t i = 0; i < ring->n; i++)
            ids[i] = ring->ids[(ring->head + i) % ring->room];
        g_free (ring->ids);
        *ring = (Ring){ids, 0, ring->n, room};
    }
    ring->ids[(ring->head + ring->n++) % ring->room] = id;
}

bool
hk_ring_pop (Ring *ring, HkQueueId *out)
{
    if (ring->n == 0)
        return false;
    *out = ring->ids[ring->head];
    ring->head = (ring->head + 1) % ring->room;
    /* A burst must not keep its memory for ever. */
    if (--ring->n == 0 && ring->room > 4096)
        hk_ring_clear (ring);
    return true;
}

void
hk_ring_clear (Ring *ring)
{
    g_free (ring->ids);
    *ring = (Ring){NULL, 0, 0, 0};
}

static int64_t
next_attempt (const void *item)
{
    return ((const HkEntry *) item)->next_attempt;
}

static uint32_t *
place (void *item)
{
    return &((HkEntry *) item)->heap_place;
}

void
hk_deferred_init (HkHeap *self)
{
    hk_heap_init (self, next_attempt, place);
}
