/* stats.h: counters in a mapping that others read without asking (`hikyaku stats`).
 *
 * Each process writes a file of its own below the instance's data directory; slots are
 * 64-bit words with a name, written with relaxed atomics by any thread of the owner and
 * read by anyone.  Gauges are slots that are set; counters only grow. */
#ifndef HK_BASE_STATS_H
#define HK_BASE_STATS_H

#include "base/bytes.h"

typedef struct HkStats HkStats;

/* Make DIR/ROLE.PID.  A process without a mapping (tools, tests) uses hk_stats_new_private. */
HkStats *hk_stats_open (const char *dir, const char *role, GError **error);
HkStats *hk_stats_new_private (void);
void hk_stats_free (HkStats *self); /* removes the file */

/* The slot called NAME ([a-z0-9_.]+, at most 47 bytes), made if need be.  Never NULL: when the
 * mapping is full, a slot that nobody reads.  Valid until free. */
uint64_t *hk_stats_slot (HkStats *self, const char *name);

static inline void
hk_stats_add (uint64_t *slot, int64_t n)
{
    __atomic_fetch_add (slot, (uint64_t) n, __ATOMIC_RELAXED);
}
static inline void
hk_stats_set (uint64_t *slot, uint64_t value)
{
    __atomic_store_n (slot, value, __ATOMIC_RELAXED);
}

/* Read every mapping in DIR whose process lives (and drop dead ones): FN gets each slot. */
typedef void (*HkStatsFn) (const char *role, int pid, const char *name, uint64_t value,
                           void *data);
bool hk_stats_read_all (const char *dir, HkStatsFn fn, void *data, GError **error);

#endif
