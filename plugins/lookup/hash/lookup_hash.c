/* lookup_hash.c: "hash:" tables, kept in GDBM files that postmap makes.
 *
 * The file is NAME.gdbm beside the text NAME; Postfix's NAME.db is not touched.  A file is
 * never changed in place: readers look whether another one stands under the name and open
 * that.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "lookup_hash.h"

#include <pthread.h>
#include <stdbool.h>

typedef struct {
    const HkHost *host;
    char *source, *path;
    pthread_mutex_t lock; /* guards the rest: a handle is for one thread at a time */
    GDBM_FILE db;
    HkFileState state;
    int last_error; /* errno of the last failure to reopen that was said */
} HashTable;

/* Open what stands under the name now.  0, or errno; then *OUT_WHY says more. */
static int
open_file (const char *path, GDBM_FILE *out_db, HkFileState *out_state,
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
hash_free (HashTable *self)
{
    if (self->db != NULL)
        gdbm_close (self->db);
    pthread_mutex_destroy (&self->lock);
    g_free (self->source);
    g_free (self->path);
    g_free (self);
}

static HkAnswer
hash_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkSpan argument = host->conf_argument (conf);
    const char *why = NULL;
    HashTable *self = g_new0 (HashTable, 1);
    self->host = host;
    self->source = g_strndup ((const char *) argument.data, argument.size);
    self->path = g_strconcat (self->source, LOOKUP_HASH_SUFFIX, NULL);
    pthread_mutex_init (&self->lock, NULL);
    int e = open_file (self->path, &self->db, &self->state, &why);
    if (e == 0) {
        *out_instance = self;
        return HK_OK;
    }
    bool has_source = g_file_test (self->source, G_FILE_TEST_EXISTS);
    HkAnswer answer = host->later (call, "open database %s: %s%s%s%s", self->path, why,
                                   has_source ? " (run: postmap hash:" : "",
                                   has_source ? self->source : "", has_source ? ")" : "");
    hash_free (self);
    return answer;
}

static void
hash_close (void *instance)
{
    hash_free (instance);
}

static void
say (HashTable *self, int e, const char *why)
{
    if (e != 0 && self->last_error != e)
        self->host->log (self->host, HK_LOG_WARNING,
                         "%s: %s; the table stays as it was before", self->path, why);
    self->last_error = e;
}

/* Under the lock: another file under the name?  The old one stays in use when the new one
 * cannot be read. */
static void
refresh (HashTable *self, int stat_error, const HkFileState *now)
{
    GDBM_FILE db;
    HkFileState state;
    const char *why = g_strerror (stat_error);
    int e = stat_error;
    if (e == 0 && hk_file_state_same (now, &self->state)) {
        self->last_error = 0;
        return;
    }
    if (e == 0)
        e = open_file (self->path, &db, &state, &why);
    if (e == 0) {
        gdbm_close (self->db);
        self->db = db;
        self->state = state;
    }
    say (self, e, why);
}

static HkAnswer
hash_get (void *instance, HkCall *call, HkSpan key)
{
    HashTable *self = instance;
    HkFileState now;
    int e = hk_file_state (self->path, &now);
    if (key.size > G_MAXINT)
        return HK_ABSENT;
    pthread_mutex_lock (&self->lock);
    refresh (self, e, &now);
    datum hit = gdbm_fetch (self->db, lookup_hash_datum (key));
    gdbm_error why = hit.dptr == NULL ? gdbm_errno : GDBM_NO_ERROR;
    pthread_mutex_unlock (&self->lock);
    if (hit.dptr == NULL)
        return why == GDBM_ITEM_NOT_FOUND
                   ? HK_ABSENT
                   : self->host->later (call, "%s: %s", self->path, gdbm_strerror (why));
    self->host->answer (call, hit.dptr, (size_t) hit.dsize);
    free (hit.dptr);
    return HK_FOUND;
}

/* A walk has a handle of its own: the table may be replaced meanwhile. */
typedef struct {
    GDBM_FILE db;
    datum key;
} Cursor;

static HkAnswer
end_walk (void **cursor, HkAnswer answer)
{
    Cursor *at = *cursor;
    if (at != NULL) {
        free (at->key.dptr);
        gdbm_close (at->db);
        g_free (at);
    }
    *cursor = NULL;
    return answer;
}

static HkAnswer
step (HashTable *self, HkCall *call, Cursor *at)
{
    datum next =
        at->key.dptr == NULL ? gdbm_firstkey (at->db) : gdbm_nextkey (at->db, at->key);
    gdbm_error why = next.dptr == NULL ? gdbm_errno : GDBM_NO_ERROR;
    free (at->key.dptr);
    at->key = next;
    if (next.dptr == NULL && why == GDBM_ITEM_NOT_FOUND)
        return HK_ABSENT;
    datum value = {NULL, 0};
    if (next.dptr != NULL) {
        value = gdbm_fetch (at->db, next);
        why = gdbm_errno;
    }
    if (value.dptr == NULL)
        return self->host->later (call, "%s: %s", self->path, gdbm_strerror (why));
    self->host->answer (call, next.dptr, (size_t) next.dsize);
    self->host->answer (call, value.dptr, (size_t) value.dsize);
    free (value.dptr);
    return HK_FOUND;
}

static HkAnswer
hash_each (void *instance, HkCall *call, void **cursor, int32_t keep)
{
    HashTable *self = instance;
    const char *why;
    if (!keep)
        return end_walk (cursor, HK_ABSENT);
    if (*cursor == NULL) {
        Cursor *at = g_new0 (Cursor, 1);
        HkFileState state;
        if (open_file (self->path, &at->db, &state, &why) != 0) {
            g_free (at);
            return self->host->later (call, "open database %s: %s", self->path, why);
        }
        *cursor = at;
    }
    HkAnswer answer = step (self, call, *cursor);
    return answer == HK_FOUND ? answer : end_walk (cursor, answer);
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
    .each = hash_each,
    .build_begin = lookup_hash_build_begin,
    .build_put = lookup_hash_build_put,
    .build_end = lookup_hash_build_end,
    .suffix = LOOKUP_HASH_SUFFIX,
};

HK_PLUGIN (lookup_hash, .version = "1.0", .licence = "GPL-3.0-or-later",
           .summary = "hash: tables, indexed files (GDBM)",
           .classes = HK_CLASSES (&hash_class.base))
