/* heap.c: a binary heap of things that know their place in it. */
#include "config.h"

#include "base/heap.h"

void
hk_heap_init (HkHeap *self, int64_t (*key) (const void *item),
              uint32_t *(*place) (void *item))
{
    *self = (HkHeap){g_ptr_array_new (), key, place};
}

void
hk_heap_clear (HkHeap *self)
{
    for (guint i = 0; i < self->items->len; i++)
        *self->place (g_ptr_array_index (self->items, i)) = 0;
    g_ptr_array_unref (self->items);
    self->items = NULL;
}

static void *
at (const HkHeap *self, uint32_t place)
{
    return g_ptr_array_index (self->items, place - 1);
}

static void
put (HkHeap *self, uint32_t place, void *item)
{
    g_ptr_array_index (self->items, place - 1) = item;
    *self->place (item) = place;
}

static void
sift_up (HkHeap *self, uint32_t place, void *item)
{
    int64_t key = self->key (item);
    for (; place > 1 && self->key (at (self, place / 2)) > key; place /= 2)
        put (self, place, at (self, place / 2));
    put (self, place, item);
}

static void
sift_down (HkHeap *self, uint32_t place, void *item)
{
    int64_t key = self->key (item);
    for (;;) {
        uint32_t child = place * 2;
        if (child > self->items->len)
            break;
        if (child < self->items->len &&
            self->key (at (self, child + 1)) < self->key (at (self, child)))
            child++;
        if (self->key (at (self, child)) >= key)
            break;
        put (self, place, at (self, child));
        place = child;
    }
    put (self, place, item);
}

static void
sift (HkHeap *self, uint32_t place, void *item)
{
    if (place > 1 && self->key (at (self, place / 2)) > self->key (item))
        sift_up (self, place, item);
    else
        sift_down (self, place, item);
}

static bool
is_in (const HkHeap *self, void *item)
{
    uint32_t place = *self->place (item);
    return place > 0 && place <= self->items->len && at (self, place) == item;
}

void
hk_heap_append (HkHeap *self, void *item)
{
    g_ptr_array_add (self->items, item);
    *self->place (item) = self->items->len;
}

void
hk_heap_add (HkHeap *self, void *item)
{
    if (!is_in (self, item))
        hk_heap_append (self, item);
    sift (self, *self->place (item), item);
}

void
hk_heap_moved (HkHeap *self, void *item)
{
    if (is_in (self, item))
        sift (self, *self->place (item), item);
}

void
hk_heap_remove (HkHeap *self, void *item)
{
    uint32_t place = *self->place (item);
    bool is_there = is_in (self, item);
    *self->place (item) = 0;
    if (!is_there)
        return;
    void *last = g_ptr_array_steal_index_fast (self->items, self->items->len - 1);
    if (last != item)
        sift (self, place, last);
}

void
hk_heap_order (HkHeap *self)
{
    for (uint32_t place = self->items->len / 2; place >= 1; place--)
        sift_down (self, place, at (self, place));
}
