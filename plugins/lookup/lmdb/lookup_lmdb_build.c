/* lookup_lmdb_build.c: making NAME.lmdb: entries are collected, sorted, and appended to a
 * fresh tree, whose pages come out full and in order.
 *
 * Keys and values end with a NUL, as Postfix writes them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_lmdb.h"

#include "../entries.h"

#include <lmdb.h>

typedef struct {
    IndexedBuild file;
    Entries *entries;
} Build;

HkAnswer
lookup_lmdb_build_begin (const HkHost *host, const HkConf *conf, HkCall *call,
                         void **out_build)
{
    Build *self = g_new0 (Build, 1);
    HkAnswer answer =
        indexed_build_begin (&self->file, host, conf, call, LOOKUP_LMDB_SUFFIX);
    if (answer != HK_OK) {
        g_free (self);
        return answer;
    }
    self->entries = entries_new ();
    *out_build = self;
    return HK_OK;
}

HkAnswer
lookup_lmdb_build_put (void *build, HkCall *call, HkSpan key, HkSpan value, int32_t replace)
{
    Build *self = build;
    if (key.size + 1 > LOOKUP_LMDB_MAX_KEY)
        return self->file.host->broken (
            call, "%s: a key of %zu bytes; LMDB takes at most %d: \"%.40s…\"",
            self->file.path, key.size, LOOKUP_LMDB_MAX_KEY - 1, (const char *) key.data);
    if (value.size > ENTRIES_LIMIT)
        return self->file.host->broken (call, "%s: an entry is too large", self->file.path);
    return entries_put (self->entries, key, value, replace != 0) ? HK_FOUND : HK_OK;
}

/* LMDB's order: bytes, then the shorter first.  The first eight bytes, as a number, settle
 * most comparisons without going to the key. */
static void
set_orders (const Entries *all)
{
    for (guint i = 0; i < all->rows->len; i++) {
        Entry *row = entries_row (all, i);
        row->order = 0;
        for (guint32 n = 0; n < 8; n++)
            row->order = row->order << 8 | (n < row->key_size ? (guint8) row->key[n] : 0);
    }
}

static int
compare (const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    int rc = memcmp (x->key, y->key, MIN (x->key_size, y->key_size));
    if (rc != 0)
        return rc;
    return x->key_size < y->key_size ? -1 : x->key_size > y->key_size;
}

/* Room for the pages, several times over: it is address space, kept in the file as what
 * readers map.  At least Postfix's default of lmdb_map_size. */
static size_t
map_size (const Entries *all)
{
    size_t bytes = all->n_bytes + (size_t) all->rows->len * 32;
    return (((size_t) 16 << 20) + 4 * bytes) & ~(size_t) 0xffff;
}

static int
append_all (MDB_txn *txn, const Entries *all)
{
    MDB_dbi dbi;
    int rc = mdb_dbi_open (txn, NULL, 0, &dbi);
    for (guint i = 0; rc == 0 && i < all->rows->len; i++) {
        const Entry *row = entries_row (all, i);
        MDB_val key = {(size_t) row->key_size + 1, (void *) (uintptr_t) row->key};
        MDB_val value = {(size_t) row->value_size + 1, (void *) (uintptr_t) row->value};
        rc = mdb_put (txn, dbi, &key, &value, MDB_APPEND);
    }
    return rc;
}

/* NULL, or what went wrong. */
static const char *
write_entries (Build *self)
{
    MDB_env *env;
    MDB_txn *txn;
    set_orders (self->entries);
    g_array_sort (self->entries->rows, compare);
    int rc = mdb_env_create (&env);
    if (rc != 0)
        return mdb_strerror (rc);
    rc = mdb_env_set_mapsize (env, map_size (self->entries));
    if (rc == 0) /* the locked file: nobody else gives the name to another meanwhile */
        rc = mdb_env_open (env, self->file.tmp, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC,
                           0600);
    if (rc == 0 && (rc = mdb_txn_begin (env, NULL, 0, &txn)) == 0) {
        rc = append_all (txn, self->entries);
        if (rc == 0)
            rc = mdb_txn_commit (txn);
        else
            mdb_txn_abort (txn);
    }
    mdb_env_close (env);
    return rc == 0 ? NULL : mdb_strerror (rc);
}

HkAnswer
lookup_lmdb_build_end (void *build, HkCall *call, int32_t commit)
{
    Build *self = build;
    const char *why = commit ? write_entries (self) : NULL;
    HkAnswer answer = indexed_build_end (&self->file, call, commit != 0, why);
    entries_free (self->entries);
    g_free (self);
    return answer;
}
