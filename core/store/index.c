/* index.c: the live messages in memory. */
#include "config.h"

#include "store/index_priv.h"

static inline size_t
hash (uint64_t id)
{
    return (size_t) ((id * UINT64_C (0x9e3779b97f4a7c15)) >> 20);
}

void
hk_index_init (HkIndex *self)
{
    *self = (HkIndex){.mask = 255};
    self->table = g_new0 (HkEntry *, self->mask + 1);
    self->slabs = g_ptr_array_new_with_free_func (g_free);
}

void
hk_index_clear (HkIndex *self)
{
    g_free (self->table);
    if (self->slabs != NULL)
        g_ptr_array_free (self->slabs, TRUE);
    *self = (HkIndex){0};
}

HkEntry *
hk_index_find (const HkIndex *self, HkQueueId id)
{
    for (size_t i = hash (id) & self->mask; self->table[i] != NULL;
         i = (i + 1) & self->mask)
        if (self->table[i]->id == id)
            return self->table[i];
    return NULL;
}

static void
place (HkIndex *self, HkEntry *entry)
{
    size_t i = hash (entry->id) & self->mask;
    while (self->table[i] != NULL)
        i = (i + 1) & self->mask;
    self->table[i] = entry;
}

static void
grow (HkIndex *self)
{
    g_autofree HkEntry **old = self->table;
    size_t size = self->mask + 1;
    self->mask = size * 2 - 1;
    self->table = g_new0 (HkEntry *, size * 2);
    for (size_t i = 0; i < size; i++)
        if (old[i] != NULL)
            place (self, old[i]);
}

static void
add_slab (HkIndex *self)
{
    HkEntry *slab = g_new0 (HkEntry, HK_SLAB_ENTRIES);
    g_ptr_array_add (self->slabs, slab);
    for (size_t i = HK_SLAB_ENTRIES; i > 0; i--) {
        slab[i - 1].state_at = (uint64_t) (uintptr_t) self->unused;
        self->unused = &slab[i - 1];
    }
}

HkEntry *
hk_index_add (HkIndex *self, HkQueueId id)
{
    if (self->n >= (self->mask + 1) / 8 * 7)
        grow (self);
    if (self->unused == NULL)
        add_slab (self);
    HkEntry *entry = self->unused;
    self->unused = (HkEntry *) (uintptr_t) entry->state_at;
    *entry = (HkEntry){.id = id};
    place (self, entry);
    self->n++;
    return entry;
}

void
hk_index_remove (HkIndex *self, HkEntry *entry)
{
    size_t i = hash (entry->id) & self->mask;
    while (self->table[i] != entry)
        i = (i + 1) & self->mask;
    /* Entries behind the hole that would no longer be found move into it. */
    for (size_t j = (i + 1) & self->mask; self->table[j] != NULL;
         j = (j + 1) & self->mask) {
        size_t home = hash (self->table[j]->id) & self->mask;
        if (((j - home) & self->mask) >= ((j - i) & self->mask)) {
            self->table[i] = self->table[j];
            i = j;
        }
    }
    self->table[i] = NULL;
    self->n--;
    *entry = (HkEntry){.state_at = (uint64_t) (uintptr_t) self->unused};
    self->unused = entry;
}

size_t
hk_index_places (const HkIndex *self)
{
    return self->slabs->len * (size_t) HK_SLAB_ENTRIES;
}

HkEntry *
hk_index_at (const HkIndex *self, size_t i)
{
    HkEntry *slab = g_ptr_array_index (self->slabs, (guint) (i / HK_SLAB_ENTRIES));
    HkEntry *entry = &slab[i % HK_SLAB_ENTRIES];
    return entry->id != 0 ? entry : NULL;
}

/* ---- sets; 0 is no queue id ---- */

void
hk_id_set_add (HkIdSet *self, uint64_t id)
{
    if (id == 0 || hk_id_set_has (self, id))
        return;
    if (self->slots == NULL || self->n >= (self->mask + 1) / 4 * 3) {
        HkIdSet bigger = {.mask = self->slots == NULL ? 255 : self->mask * 2 + 1};
        bigger.slots = g_new0 (uint64_t, bigger.mask + 1);
        for (size_t i = 0; self->slots != NULL && i <= self->mask; i++)
            if (self->slots[i] != 0)
                hk_id_set_add (&bigger, self->slots[i]);
        g_free (self->slots);
        *self = bigger;
    }
    size_t i = hash (id) & self->mask;
    while (self->slots[i] != 0)
        i = (i + 1) & self->mask;
    self->slots[i] = id;
    self->n++;
}

bool
hk_id_set_has (const HkIdSet *self, uint64_t id)
{
    if (self->slots == NULL)
        return false;
    for (size_t i = hash (id) & self->mask; self->slots[i] != 0; i = (i + 1) & self->mask)
        if (self->slots[i] == id)
            return true;
    return false;
}

void
hk_id_set_clear (HkIdSet *self)
{
    g_free (self->slots);
    *self = (HkIdSet){0};
}
