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

/* ---- the heap
 * --------------------------------------------------------------------------------- */

static HkEntry *
at (const Heap *heap, uint32_t place)
{
    return g_ptr_array_index (heap, place - 1);
}

static void
put (Heap *heap, uint32_t place, HkEntry *entry)
{
    g_ptr_array_index (heap, place - 1) = entry;
    entry->heap_place = place;
}

static void
sift_up (Heap *heap, HkEntry *entry)
{
    uint32_t place = entry->heap_place;
    while (place > 1 && at (heap, place / 2)->next_attempt > entry->next_attempt) {
        put (heap, place, at (heap, place / 2));
        place /= 2;
    }
    put (heap, place, entry);
}

static void
sift_down (Heap *heap, HkEntry *entry)
{
    uint32_t place = entry->heap_place;
    for (;;) {
        uint32_t child = place * 2;
        if (child > heap->len)
            break;
        if (child < heap->len &&
            at (heap, child + 1)->next_attempt < at (heap, child)->next_attempt)
            child++;
        if (at (heap, child)->next_attempt >= entry->next_attempt)
            break;
        put (heap, place, at (heap, child));
        place = child;
    }
    put (heap, place, entry);
}

static bool
is_in (const Heap *heap, const HkEntry *entry)
{
    return entry->heap_place > 0 && entry->heap_place <= heap->len &&
           at (heap, entry->heap_place) == entry;
}

void
hk_heap_add (Heap *heap, HkEntry *entry)
{
    if (is_in (heap, entry)) {
        hk_heap_moved (heap, entry);
        return;
    }
    g_ptr_array_add (heap, entry);
    entry->heap_place = heap->len;
    sift_up (heap, entry);
}

void
hk_heap_remove (Heap *heap, HkEntry *entry)
{
    if (!is_in (heap, entry)) {
        entry->heap_place = 0;
        return;
    }
    uint32_t place = entry->heap_place;
    HkEntry *last = g_ptr_array_steal_index_fast (heap, heap->len - 1);
    entry->heap_place = 0;
    if (last == entry)
        return;
    put (heap, place, last);
    sift_up (heap, last);
    sift_down (heap, last);
}

void
hk_heap_moved (Heap *heap, HkEntry *entry)
{
    if (!is_in (heap, entry))
        return;
    sift_up (heap, entry);
    sift_down (heap, entry);
}

void
hk_heap_order (Heap *heap)
{
    for (uint32_t place = 1; place <= heap->len; place++)
        at (heap, place)->heap_place = place;
    for (uint32_t place = heap->len / 2; place >= 1; place--)
        sift_down (heap, at (heap, place));
}
