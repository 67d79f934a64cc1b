/* lookup_hash.c: "hash:", "btree:" and "dbm:" tables, kept in GDBM files that postmap
 * makes.
 *
 * The file is NAME.gdbm (NAME.gdbm-btree, NAME.gdbm-dbm) beside the text NAME; Postfix's
 * NAME.db, NAME.dir and NAME.pag are not touched.  A file is never changed in place:
 * readers look whether another one stands under the name and open that.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "lookup_hash.h"

enum { MAX_READERS = 32 }; /* of a table: each holds a descriptor once it is used */

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
    for (unsigned i = 0; i < self->n_readers; i++) {
        if (self->readers[i].db != NULL)
            gdbm_close (self->readers[i].db);
        pthread_mutex_destroy (&self->readers[i].lock);
    }
    pthread_mutex_destroy (&self->say_lock);
    g_aligned_free (self->readers);
    indexed_clear (&self->at);
    g_free (self);
}

static LookupHashTable *
table_new (const HkHost *host, const HkConf *conf, const char *type, const char *suffix)
{
    LookupHashTable *self = g_new0 (LookupHashTable, 1);
    indexed_init (&self->at, host, host->conf_argument (conf), type, suffix);
    pthread_mutex_init (&self->say_lock, NULL);
    self->n_readers = MIN (2 * g_get_num_processors (), MAX_READERS);
    self->readers = g_aligned_alloc0 (self->n_readers, sizeof (LookupHashReader), 64);
    for (unsigned i = 0; i < self->n_readers; i++)
        pthread_mutex_init (&self->readers[i].lock, NULL);
    return self;
}

static HkAnswer
open_table (const HkHost *host, const HkConf *conf, HkCall *call, const char *type,
            const char *suffix, LookupHashTable **out)
{
    const char *why = NULL;
    LookupHashTable *self = table_new (host, conf, type, suffix);
    LookupHashReader *first = &self->readers[0];
    if (lookup_hash_open_file (self->at.path, &first->db, &first->state, &why) == 0) {
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

/* Under READER's lock: another file under the name?  The old one stays in use when the new
 * one cannot be read.  0, or errno with *OUT_WHY. */
static int
refresh (const LookupHashTable *self, LookupHashReader *reader, const char **out_why)
{
    GDBM_FILE db;
    HkFileState state;
    int e = hk_file_state (self->at.path, &state);
    *out_why = g_strerror (e);
    if (e == 0 && reader->db != NULL && hk_file_state_same (&state, &reader->state))
        return 0;
    if (e == 0)
        e = lookup_hash_open_file (self->at.path, &db, &state, out_why);
    if (e != 0)
        return e;
    if (reader->db != NULL)
        gdbm_close (reader->db);
    reader->db = db;
    reader->state = state;
    return 0;
}

/* Under READER's lock: its file is as new as the last tick of the clock. */
static void
keep_fresh (LookupHashTable *self, LookupHashReader *reader)
{
    gint64 tick;
    const char *why;
    if (!indexed_is_due (&reader->looked, &tick))
        return;
    int e = refresh (self, reader, &why);
    pthread_mutex_lock (&self->say_lock);
    indexed_say (&self->at, e, why, "the table stays as it was before");
    pthread_mutex_unlock (&self->say_lock);
    indexed_looked (&reader->looked, tick);
}

/* This thread's reader, locked: threads that do not share one do not wait for each other.
 * The first reader stands in for one that cannot be opened. */
static LookupHashReader *
take_reader (LookupHashTable *self)
{
    static unsigned n_threads;
    static __thread unsigned mine; /* counted from 1 */
    if (mine == 0)
        mine = __atomic_add_fetch (&n_threads, 1, __ATOMIC_RELAXED);
    LookupHashReader *reader = &self->readers[(mine - 1) % self->n_readers];
    pthread_mutex_lock (&reader->lock);
    keep_fresh (self, reader);
    if (reader->db != NULL)
        return reader;
    pthread_mutex_unlock (&reader->lock);
    pthread_mutex_lock (&self->readers[0].lock);
    return &self->readers[0];
}

static HkAnswer
hash_get (void *instance, HkCall *call, HkSpan key)
{
    LookupHashTable *self = instance;
    if (key.size > G_MAXINT)
        return HK_ABSENT;
    LookupHashReader *reader = take_reader (self);
    datum hit = gdbm_fetch (reader->db, lookup_hash_datum (key));
    gdbm_error why = hit.dptr == NULL ? gdbm_errno : GDBM_NO_ERROR;
    pthread_mutex_unlock (&reader->lock);
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
