/* lookup_cdb_build.c: making NAME.cdb: entries are collected, then written in one go.
 *
 * Keys and values go without a NUL, as Postfix writes them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_cdb.h"

#include "../entries.h"

#include <cdb.h>

typedef struct {
    IndexedBuild file;
    Entries *entries;
} Build;

HkAnswer
lookup_cdb_build_begin (const HkHost *host, const HkConf *conf, HkCall *call,
                        void **out_build)
{
    Build *self = g_new0 (Build, 1);
    HkAnswer answer =
        indexed_build_begin (&self->file, host, conf, call, LOOKUP_CDB_SUFFIX);
    if (answer != HK_OK) {
        g_free (self);
        return answer;
    }
    self->entries = entries_new ();
    *out_build = self;
    return HK_OK;
}

HkAnswer
lookup_cdb_build_put (void *build, HkCall *call, HkSpan key, HkSpan value, int32_t replace)
{
    Build *self = build;
    if (key.size > ENTRIES_LIMIT || value.size > ENTRIES_LIMIT)
        return self->file.host->broken (call, "%s: an entry is too large", self->file.path);
    return entries_put (self->entries, key, value, replace != 0) ? HK_FOUND : HK_OK;
}

/* NULL, or what went wrong. */
static const char *
write_entries (Build *self)
{
    struct cdb_make cdb;
    const Entries *all = self->entries;
    int rc = cdb_make_start (&cdb, self->file.fd), e = 0;
    for (guint i = 0; rc == 0 && i < all->rows->len; i++) {
        const Entry *row = entries_row (all, i);
        rc = cdb_make_add (&cdb, row->key, row->key_size, row->value, row->value_size);
    }
    if (rc != 0)
        e = errno;
    if (cdb_make_finish (&cdb) != 0 && rc == 0) {
        rc = -1;
        e = errno;
    }
    if (rc == 0)
        return NULL;
    return e == ENOMEM ? "more than a cdb file can hold (4 GiB)" : g_strerror (e);
}

HkAnswer
lookup_cdb_build_end (void *build, HkCall *call, int32_t commit)
{
    Build *self = build;
    const char *why = commit ? write_entries (self) : NULL;
    HkAnswer answer = indexed_build_end (&self->file, call, commit != 0, why);
    entries_free (self->entries);
    g_free (self);
    return answer;
}
