/* lookup_hash.c: "hash:", "btree:" and "dbm:" tables, kept in GDBM files that postmap
 * makes.
 *
 * The file is NAME.gdbm (NAME.gdbm-btree, NAME.gdbm-dbm) beside the text NAME; Postfix's
 * NAME.db, NAME.dir and NAME.pag are not touched.  A file is never changed in place:
 * readers look whether another one stands under the name and open that.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "lookup_hash.h"

int
lookup_hash_open_file (const char *path, GDBM_FILE *out_db, HkFileState *out_state,
                       const char **out_why)
{
    struct stat st;
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat (fd, &st) < 0) {
        int e = errno;
        if (fd >= 0)
            close (fd);
        *out_why = g_strerror (e);
        return e;
    }
    GDBM_FILE db = gdbm_fd_open (
        fd, path, 0,
        GDBM_READER | GDBM_NOLOCK | GDBM_CLOEXEC | GDBM_CLOERROR | GDBM_XVERIFY, NULL);
    if (db == NULL) {
        *out_why = gdbm_strerror (gdbm_errno);
        return EINVAL;
    }
    hk_file_state_from (out_state, &st);
    *out_db = db;
    return 0;
}

static void
table_free (LookupHashTable *self)
{
    if (self->db != NULL)
        gdbm_close (self->db);
    pthread_mutex_destroy (&self->lock);
    indexed_clear (&self->at);
    g_free (self);
}

static HkAnswer
open_table (const HkHost *host, const HkConf *conf, HkCall *call, const char *type,
            const char *suffix, LookupHashTable **out)
{
    const char *why = NULL;
    LookupHashTable *self = g_new0 (LookupHashTable, 1);
    indexed_init (&self->at, host, host->conf_argument (conf), type, suffix);
    pthread_mutex_init (&self->lock, NULL);
    if (lookup_hash_open_file (self->at.path, &self->db, &self->state, &why) == 0) {
        *out = self;
        return HK_OK;
    }
    HkAnswer answer = indexed_cannot_open (&self->at, call, why);
    table_free (self);
    return answer;
}

static HkAnswer
hash_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    LookupHashTable *self;
    HkAnswer answer = open_table (host, conf, call, "hash", LOOKUP_HASH_SUFFIX, &self);
    if (answer == HK_OK)
        *out_instance = self;
    return answer;
}

static HkAnswer
btree_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    LookupHashTable *self;
    HkAnswer answer =
        open_table (host, conf, call, "btree", LOOKUP_HASH_SUFFIX_BTREE, &self);
    if (answer == HK_OK) {
        self->is_sorted = true;
        *out_instance = self;
    }
    return answer;
}

static HkAnswer
dbm_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    LookupHashTable *self;
    HkAnswer answer = open_table (host, conf, call, "dbm", LOOKUP_HASH_SUFFIX_DBM, &self);
    if (answer == HK_OK)
        *out_instance = self;
    return answer;
}

static void
hash_close (void *instance)
{
    table_free (instance);
}

/* Under the lock: another file under the name?  The old one stays in use when the new one
 * cannot be read. */
static void
refresh (LookupHashTable *self, int e, const HkFileState *now)
{
    GDBM_FILE db;
    HkFileState state;
    const char *why = g_strerror (e);
    if (e == 0 && hk_file_state_same (now, &self->state)) {
        self->at.last_error = 0;
        return;
    }
    if (e == 0)
        e = lookup_hash_open_file (self->at.path, &db, &state, &why);
    if (e == 0) {
        gdbm_close (self->db);
        self->db = db;
        self->state = state;
    }
    indexed_say (&self->at, e, why, "the table stays as it was before");
}

/* Under the lock: the file is as new as the last tick of the clock. */
static void
keep_fresh (LookupHashTable *self)
{
    gint64 tick;
    HkFileState now;
    if (!indexed_is_due (&self->at.looked, &tick))
        return;
    int e = hk_file_state (self->at.path, &now);
    refresh (self, e, &now);
    indexed_looked (&self->at.looked, tick);
}

static HkAnswer
hash_get (void *instance, HkCall *call, HkSpan key)
{
    LookupHashTable *self = instance;
    if (key.size > G_MAXINT)
        return HK_ABSENT;
    pthread_mutex_lock (&self->lock);
    keep_fresh (self);
    datum hit = gdbm_fetch (self->db, lookup_hash_datum (key));
    gdbm_error why = hit.dptr == NULL ? gdbm_errno : GDBM_NO_ERROR;
    pthread_mutex_unlock (&self->lock);
    if (hit.dptr == NULL)
        return why == GDBM_ITEM_NOT_FOUND
                   ? HK_ABSENT
                   : self->at.host->later (call, "%s: %s", self->at.path,
                                           gdbm_strerror (why));
    self->at.host->answer (call, hit.dptr, (size_t) hit.dsize);
    free (hit.dptr);
    return HK_FOUND;
}

static const HkLookupClass hash_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "hash",
             .flags = HK_THREAD_SAFE,
             .open = hash_open,
             .close = hash_close},
    .get = hash_get,
    .each = lookup_hash_each,
    .build_begin = lookup_hash_build_begin,
    .build_put = lookup_hash_build_put,
    .build_end = lookup_hash_build_end,
    .suffix = LOOKUP_HASH_SUFFIX,
};

static const HkLookupClass btree_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "btree",
             .flags = HK_THREAD_SAFE,
             .open = btree_open,
             .close = hash_close},
    .get = hash_get,
    .each = lookup_hash_each,
    .build_begin = lookup_hash_build_begin_btree,
    .build_put = lookup_hash_build_put,
    .build_end = lookup_hash_build_end,
    .suffix = LOOKUP_HASH_SUFFIX_BTREE,
};

static const HkLookupClass dbm_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "dbm",
             .flags = HK_THREAD_SAFE,
             .open = dbm_open,
             .close = hash_close},
    .get = hash_get,
    .each = lookup_hash_each,
    .build_begin = lookup_hash_build_begin_dbm,
    .build_put = lookup_hash_build_put,
    .build_end = lookup_hash_build_end,
    .suffix = LOOKUP_HASH_SUFFIX_DBM,
};

HK_PLUGIN (lookup_hash, .version = "1.1", .licence = "GPL-3.0-or-later",
           .summary = "hash:, btree:, dbm: tables, indexed files (GDBM)",
           .classes = HK_CLASSES (&hash_class.base, &btree_class.base, &dbm_class.base))
