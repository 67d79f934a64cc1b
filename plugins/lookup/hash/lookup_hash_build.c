/* lookup_hash_build.c: making a GDBM file: entries are collected, then stored in the order
 * of GDBM's hash, so that each bucket is filled while it is at hand.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "lookup_hash.h"

#include "../entries.h"

typedef struct {
    IndexedBuild file;
    Entries *entries;
} Build;

static HkAnswer
begin (const HkHost *host, const HkConf *conf, HkCall *call, const char *suffix,
       void **out_build)
{
    Build *self = g_new0 (Build, 1);
    HkAnswer answer = indexed_build_begin (&self->file, host, conf, call, suffix);
    if (answer != HK_OK) {
        g_free (self);
        return answer;
    }
    self->entries = entries_new ();
    *out_build = self;
    return HK_OK;
}

HkAnswer
lookup_hash_build_begin (const HkHost *host, const HkConf *conf, HkCall *call,
                         void **out_build)
{
    return begin (host, conf, call, LOOKUP_HASH_SUFFIX, out_build);
}

HkAnswer
lookup_hash_build_begin_btree (const HkHost *host, const HkConf *conf, HkCall *call,
                               void **out_build)
{
    return begin (host, conf, call, LOOKUP_HASH_SUFFIX_BTREE, out_build);
}

HkAnswer
lookup_hash_build_begin_dbm (const HkHost *host, const HkConf *conf, HkCall *call,
                             void **out_build)
{
    return begin (host, conf, call, LOOKUP_HASH_SUFFIX_DBM, out_build);
}

HkAnswer
lookup_hash_build_put (void *build, HkCall *call, HkSpan key, HkSpan value, int32_t replace)
{
    Build *self = build;
    if (key.size > ENTRIES_LIMIT || value.size > ENTRIES_LIMIT)
        return self->file.host->broken (call, "%s: an entry is too large", self->file.path);
    return entries_put (self->entries, key, value, replace != 0) ? HK_FOUND : HK_OK;
}

/* The number whose upper bits say in which bucket GDBM keeps the key; part of its file
 * format.  Were it another one, the file would be as good and take longer to make. */
static guint32
bucket_order (const Entry *row)
{
    guint32 h = 0x238f13afu * row->key_size;
    for (guint32 i = 0; i < row->key_size; i++)
        h = (h + ((guint32) (guint8) row->key[i] << (i * 5 % 24))) & 0x7fffffffu;
    return (1103515243u * h + 12345u) & 0x7fffffffu;
}

static int
compare (const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int
store_all (GDBM_FILE db, const Entries *all)
{
    int rc = 0;
    for (guint i = 0; i < all->rows->len; i++) {
        Entry *row = entries_row (all, i);
        row->order = bucket_order (row);
    }
    g_array_sort (all->rows, compare);
    for (guint i = 0; rc == 0 && i < all->rows->len; i++) {
        const Entry *row = entries_row (all, i);
        datum key = {(char *) (uintptr_t) row->key, (int) row->key_size};
        datum value = {(char *) (uintptr_t) row->value, (int) row->value_size};
        rc = gdbm_store (db, key, value, GDBM_INSERT);
    }
    return rc;
}

/* NULL, or what went wrong. */
static const char *
write_entries (Build *self)
{
    GDBM_FILE db =
        gdbm_open (self->file.tmp, 0, GDBM_NEWDB | GDBM_NOLOCK | GDBM_CLOEXEC, 0600, NULL);
    if (db == NULL)
        return gdbm_strerror (gdbm_errno);
    int rc = store_all (db, self->entries);
    gdbm_error why = gdbm_errno;
    if (gdbm_close (db) != 0 && rc == 0) {
        rc = -1;
        why = gdbm_errno;
    }
    return rc == 0 ? NULL : gdbm_strerror (why);
}

HkAnswer
lookup_hash_build_end (void *build, HkCall *call, int32_t commit)
{
    Build *self = build;
    const char *why = commit ? write_entries (self) : NULL;
    HkAnswer answer = indexed_build_end (&self->file, call, commit != 0, why);
    entries_free (self->entries);
    g_free (self);
    return answer;
}
