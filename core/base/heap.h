/* heap.h: a binary heap of things that know their place in it, the least key first.
 *
 * For timers, rests and next attempts: adding, removing from anywhere and a change of the key
 * cost O(log n), the first is at hand.  One thread at a time. */
#ifndef HK_BASE_HEAP_H
#define HK_BASE_HEAP_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    GPtrArray *items; /* borrowed; in the order of the heap */
    int64_t (*key) (const void *item);
    /* The item's own field for its place, from 1; 0: in no heap. */
    uint32_t *(*place) (void *item);
} HkHeap;

void hk_heap_init (HkHeap *self, int64_t (*key) (const void *item),
                   uint32_t *(*place) (void *item));
/* Lets all items go. */
void hk_heap_clear (HkHeap *self);
void hk_heap_add (HkHeap *self, void *item); /* one that is there is put where it belongs */
/* Without order, until hk_heap_order: for many at once. */
void hk_heap_append (HkHeap *self, void *item);
void hk_heap_order (HkHeap *self);
void hk_heap_remove (HkHeap *self, void *item); /* nothing when it is not there */
void hk_heap_moved (HkHeap *self, void *item);  /* its key changed */

static inline void *
hk_heap_first (const HkHeap *self)
{
    return self->items->len == 0 ? NULL : g_ptr_array_index (self->items, 0);
}

#endif
