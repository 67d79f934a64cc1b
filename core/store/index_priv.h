/* index_priv.h: the live messages in memory: entries in slabs, found by queue id.
 *
 * An entry costs its 48 bytes and a pointer in an open table that is at most 7/8 full. */
#ifndef HK_STORE_INDEX_PRIV_H
#define HK_STORE_INDEX_PRIV_H

#include "store/store.h"

typedef struct {
    HkEntry **table; /* open addressing, linear probing, deletion shifts back */
    size_t mask, n;
    GPtrArray *slabs;
    HkEntry *unused; /* chained through state_at */
} HkIndex;

#define HK_SLAB_ENTRIES 1024u

void hk_index_init (HkIndex *self);
void hk_index_clear (HkIndex *self);
HkEntry *hk_index_find (const HkIndex *self, HkQueueId id);
/* A zeroed entry under ID, which is not in the index. */
HkEntry *hk_index_add (HkIndex *self, HkQueueId id);
void hk_index_remove (HkIndex *self, HkEntry *entry);
/* The entry in slab place I, NULL when it is not in use; I below hk_index_places. */
size_t hk_index_places (const HkIndex *self);
HkEntry *hk_index_at (const HkIndex *self, size_t i);

/* A set of queue ids, for recovery. */
typedef struct {
    uint64_t *slots;
    size_t mask, n;
} HkIdSet;
void hk_id_set_add (HkIdSet *self, uint64_t id);
bool hk_id_set_has (const HkIdSet *self, uint64_t id);
void hk_id_set_clear (HkIdSet *self);

#endif
