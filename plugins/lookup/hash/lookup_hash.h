/* lookup_hash.h: what the files of this plugin share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HK_LOOKUP_HASH_H
#define HK_LOOKUP_HASH_H

#include "../indexed.h"

#include <gdbm.h>
#include <pthread.h>

/* The types live beside each other, and no name of one is a name of another. */
#define LOOKUP_HASH_SUFFIX ".gdbm"
#define LOOKUP_HASH_SUFFIX_BTREE ".gdbm-btree"
#define LOOKUP_HASH_SUFFIX_DBM ".gdbm-dbm"

/* A handle keeps what it read last, so it serves one thread at a time. */
typedef struct {
    pthread_mutex_t lock; /* guards the rest */
    GDBM_FILE db;         /* NULL: opened by the first lookup that wants it */
    HkFileState state;
    gint64 looked; /* tick of this reader's last look at the file */
} __attribute__ ((aligned (64))) LookupHashReader;

typedef struct {
    Indexed at; /* last_error: guarded by say_lock */
    pthread_mutex_t say_lock;
    bool is_sorted;            /* a walk goes in the order of the keys */
    unsigned n_readers;        /* one for each processor, and as many again */
    LookupHashReader *readers; /* the first one is always open */
} LookupHashTable;

static inline datum
lookup_hash_datum (HkSpan s)
{
    return (datum){(char *) (uintptr_t) s.data, (int) s.size};
}

/* Open what stands under the name now.  0, or errno; then *OUT_WHY says more. */
int lookup_hash_open_file (const char *path, GDBM_FILE *out_db, HkFileState *out_state,
                           const char **out_why);

/* lookup_hash_walk.c */
HkAnswer lookup_hash_each (void *instance, HkCall *call, void **cursor, int32_t keep);

/* lookup_hash_build.c: a new file beside the old one, which it then replaces at once. */
HkAnswer lookup_hash_build_begin (const HkHost *host, const HkConf *conf, HkCall *call,
                                  void **out_build);
HkAnswer lookup_hash_build_begin_btree (const HkHost *host, const HkConf *conf,
                                        HkCall *call, void **out_build);
HkAnswer lookup_hash_build_begin_dbm (const HkHost *host, const HkConf *conf, HkCall *call,
                                      void **out_build);
HkAnswer lookup_hash_build_put (void *build, HkCall *call, HkSpan key, HkSpan value,
                                int32_t replace);
HkAnswer lookup_hash_build_end (void *build, HkCall *call, int32_t commit);

#endif
