/* lookup_lmdb.c: "lmdb:" tables, LMDB files that postmap makes.
 *
 * NAME.lmdb has the format that Postfix reads and writes, and is the same file.  Ours is
 * never changed in place, but Postfix's postmap may do so.  It then holds a lock of the
 * whole file for writing while its transaction begins: a lookup that holds one byte of the
 * file for reading sees pages that nobody reuses.  A lookup takes a slot; the slot's number
 * is the byte, so lookups at once do not end each other's lock.
 *
 * Keys and values end with a NUL, or none does (postmap -n): the first key tells.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE /* F_OFD_SETLK, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP */
#include "lookup_lmdb.h"

#include <lmdb.h>
#include <pthread.h>
#include <sched.h>

enum {
    N_SLOTS = 64,     /* lookups at once; more wait for the first that ends */
    LOCK_WAIT_MS = 3, /* between attempts; Postfix holds its lock for one sync at most */
    LOCK_ATTEMPTS = 30,
    LOCK_REST_S = 1, /* after these were not enough: no lookup waits any more */
    MIN_SIZE = 1024  /* two pages of the smallest size */
};

typedef struct {
    int is_taken;   /* atomic; who takes it owns the rest */
    MDB_txn *txn;   /* NULL: not used yet */
    size_t version; /* of which has_nul was found */
    bool has_nul;
} Slot;

typedef struct {
    MDB_env *env;
    MDB_dbi dbi;
    int fd;               /* the environment's */
    gint64 no_wait_until; /* atomic; of indexed_tick */
    HkFileState state;
    Slot slots[N_SLOTS];
} File;

typedef struct {
    Indexed at;
    pthread_rwlock_t lock; /* guards `file`: lookups share it */
    File *file;            /* NULL: there is none that can be read */
} LmdbTable;

/* 0, EAGAIN: another program holds the lock and goes on holding it, or errno. */
static int
lock_slot (File *file, size_t slot)
{
    const struct timespec pause = {0, LOCK_WAIT_MS * 1000000L};
    struct flock lock = {
        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = (off_t) slot, .l_len = 1};
    for (int attempt = 1;; attempt++) {
        if (fcntl (file->fd, F_OFD_SETLK, &lock) == 0)
            return 0;
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            return errno;
        gint64 now = indexed_tick ();
        if (now < __atomic_load_n (&file->no_wait_until, __ATOMIC_RELAXED))
            return EAGAIN;
        if (attempt == LOCK_ATTEMPTS) {
            __atomic_store_n (&file->no_wait_until,
                              now + LOCK_REST_S * G_GINT64_CONSTANT (1000000000),
                              __ATOMIC_RELAXED);
            return EAGAIN;
        }
        nanosleep (&pause, NULL);
    }
}

static void
unlock_slot (const File *file, size_t slot)
{
    struct flock lock = {
        .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = (off_t) slot, .l_len = 1};
    (void) fcntl (file->fd, F_OFD_SETLK, &lock); /* fails for want of memory at most */
}

/* ---- one file ---- */

static void
file_free (File *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i < N_SLOTS; i++)
        if (self->slots[i].txn != NULL)
            mdb_txn_abort (self->slots[i].txn);
    mdb_env_close (self->env);
    g_free (self);
}

/* LMDB would begin a new database in an empty file.  0, errno, or MDB_INVALID. */
static int
check_file (const char *path)
{
    struct stat st;
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
    if (fd < 0)
        return errno;
    if (fstat (fd, &st) < 0)
        rc = errno;
    else if (!S_ISREG (st.st_mode) || st.st_size < MIN_SIZE)
        rc = MDB_INVALID;
    close (fd);
    return rc;
}

/* A file shorter than its tree says would end the process with a bus error. */
static int
check_length (File *self)
{
    struct stat st;
    MDB_envinfo info;
    MDB_stat tree;
    int rc = mdb_env_get_fd (self->env, &self->fd);
    if (rc != 0)
        return rc;
    if (fstat (self->fd, &st) < 0)
        return errno;
    if ((rc = mdb_env_info (self->env, &info)) != 0 ||
        (rc = mdb_env_stat (self->env, &tree)) != 0)
        return rc;
    hk_file_state_from (&self->state, &st);
    if (tree.ms_psize == 0 || (size_t) st.st_size / tree.ms_psize <= info.me_last_pgno)
        return MDB_CORRUPTED;
    return 0;
}

/* The database of the file gets its order of keys, once for all transactions. */
static int
open_tree (File *self)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin (self->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0)
        return rc;
    rc = mdb_dbi_open (txn, NULL, 0, &self->dbi);
    mdb_txn_abort (txn);
    return rc;
}

/* NULL: *OUT_ERROR is one of LMDB's or errno. */
static File *
file_open (const char *path, int *out_error)
{
    File *self = g_new0 (File, 1);
    int rc = check_file (path);
    if (rc == 0)
        rc = mdb_env_create (&self->env);
    if (rc != 0) {
        g_free (self);
        *out_error = rc;
        return NULL;
    }
    rc = mdb_env_open (self->env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | MDB_RDONLY,
                       0);
    if (rc == 0)
        rc = check_length (self);
    if (rc == 0)
        rc = open_tree (self);
    if (rc == 0)
        return self;
    file_free (self);
    *out_error = rc;
    return NULL;
}

static const char *
words (int rc)
{
    return rc == MDB_INVALID || rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND ||
                   rc == EINVAL
               ? "this is not an LMDB file, or a damaged one"
           : rc == EAGAIN ? "another program holds its lock"
                          : mdb_strerror (rc);
}

static size_t
take_slot (File *self)
{
    static const uintptr_t thread_size = 4096; /* addresses of threads differ above it */
    size_t first = ((uintptr_t) pthread_self () / thread_size) % N_SLOTS;
    for (size_t i = 0;; i++) {
        Slot *slot = &self->slots[(first + i) % N_SLOTS];
        int is_taken = 0;
        if (__atomic_compare_exchange_n (&slot->is_taken, &is_taken, 1, 0, __ATOMIC_ACQUIRE,
                                         __ATOMIC_RELAXED))
            return (first + i) % N_SLOTS;
        if (i % N_SLOTS == N_SLOTS - 1)
            sched_yield ();
    }
}

/* Does the first key end with a NUL?  Asked once for each version of the file. */
static int
find_form (const File *self, Slot *slot)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    size_t version = mdb_txn_id (slot->txn);
    if (slot->version == version)
        return 0;
    int rc = mdb_cursor_open (slot->txn, self->dbi, &cursor);
    if (rc != 0)
        return rc;
    rc = mdb_cursor_get (cursor, &key, &value, MDB_FIRST);
    slot->has_nul =
        rc == 0 && key.mv_size > 0 && ((const char *) key.mv_data)[key.mv_size - 1] == '\0';
    mdb_cursor_close (cursor);
    if (rc == 0)
        slot->version = version;
    return rc;
}

static HkSpan
without_nul (bool has_nul, MDB_val bytes)
{
    const uint8_t *p = bytes.mv_data;
    if (has_nul && bytes.mv_size > 0 && p[bytes.mv_size - 1] == '\0')
        bytes.mv_size--;
    return (HkSpan){p, bytes.mv_size};
}

/* In a transaction.  0 after the answer was given, MDB_NOTFOUND, or an error. */
static int
find (const LmdbTable *table, Slot *slot, HkCall *call, HkSpan key)
{
    char wanted[LOOKUP_LMDB_MAX_KEY + 1];
    MDB_val k, v;
    int rc = find_form (table->file, slot);
    if (rc != 0)
        return rc;
    memcpy (wanted, key.data, key.size);
    wanted[key.size] = '\0';
    k = (MDB_val){key.size + slot->has_nul, wanted};
    if (k.mv_size > LOOKUP_LMDB_MAX_KEY)
        return MDB_NOTFOUND;
    rc = mdb_get (slot->txn, table->file->dbi, &k, &v);
    if (rc == 0) {
        HkSpan value = without_nul (slot->has_nul, v);
        table->at.host->answer (call, value.data, value.size);
    }
    return rc;
}

static int
find_in_slot (const LmdbTable *table, size_t number, HkCall *call, HkSpan key)
{
    File *file = table->file;
    Slot *slot = &file->slots[number];
    int rc = lock_slot (file, number);
    if (rc != 0)
        return rc;
    rc = slot->txn == NULL ? mdb_txn_begin (file->env, NULL, MDB_RDONLY, &slot->txn)
                           : mdb_txn_renew (slot->txn);
    if (rc == 0) {
        rc = find (table, slot, call, key);
        mdb_txn_reset (slot->txn);
    } else if (slot->txn != NULL) {
        mdb_txn_abort (slot->txn);
        slot->txn = NULL;
    }
    unlock_slot (file, number);
    return rc;
}

/* ---- a table ---- */

static void
table_free (LmdbTable *self)
{
    file_free (self->file);
    pthread_rwlock_destroy (&self->lock);
    indexed_clear (&self->at);
    g_free (self);
}

static HkAnswer
lmdb_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    pthread_rwlockattr_t kind;
    LmdbTable *self = g_new0 (LmdbTable, 1);
    int rc = 0;
    indexed_init (&self->at, host, host->conf_argument (conf), "lmdb", LOOKUP_LMDB_SUFFIX);
    pthread_rwlockattr_init (&kind);
    pthread_rwlockattr_setkind_np (&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init (&self->lock, &kind);
    pthread_rwlockattr_destroy (&kind);
    self->file = file_open (self->at.path, &rc);
    if (self->file != NULL) {
        *out_instance = self;
        return HK_OK;
    }
    HkAnswer answer = indexed_cannot_open (&self->at, call, words (rc));
    table_free (self);
    return answer;
}

static void
lmdb_close (void *instance)
{
    table_free (instance);
}

/* Is NOW what is open?  Commits in place need no look: a transaction sees them.  But a file
 * that became shorter was written over. */
static bool
is_current (const LmdbTable *self, int e, const HkFileState *now)
{
    const File *file = self->file;
    return e == 0 && file != NULL && now->device == file->state.device &&
           now->inode == file->state.inode && now->size >= file->state.size;
}

/* Alone with the table.  When the new file cannot be read, the old one stays in use; unless
 * it was the same file, written over: then there is none any more. */
static void
refresh (LmdbTable *self, int e, const HkFileState *now)
{
    File *file = e == 0 ? file_open (self->at.path, &e) : NULL;
    bool is_spoilt = file == NULL && self->file != NULL &&
                     now->inode == self->file->state.inode &&
                     now->device == self->file->state.device;
    if (file != NULL || is_spoilt) {
        file_free (self->file);
        self->file = file;
    }
    indexed_say (&self->at, file != NULL ? 0 : e, words (e),
                 self->file != NULL ? "the table stays as it was before"
                                    : "there is no table until it is made again");
}

/* Any thread: the file is as new as the last tick of the clock.  IS_GROWN: it outgrew what
 * is mapped of it. */
static void
keep_fresh (LmdbTable *self, bool is_grown)
{
    gint64 tick;
    HkFileState now;
    if (!indexed_is_due (&self->at.looked, &tick) && !is_grown)
        return;
    int e = hk_file_state (self->at.path, &now);
    pthread_rwlock_rdlock (&self->lock);
    bool is_same = self->at.last_error == 0 && is_current (self, e, &now);
    pthread_rwlock_unlock (&self->lock);
    if (!is_same || is_grown) {
        pthread_rwlock_wrlock (&self->lock);
        refresh (self, e, &now);
        pthread_rwlock_unlock (&self->lock);
    }
    indexed_looked (&self->at.looked, tick);
}

static int
ask (LmdbTable *self, HkCall *call, HkSpan key)
{
    int rc = MDB_INVALID;
    pthread_rwlock_rdlock (&self->lock);
    if (self->file != NULL) {
        size_t slot = take_slot (self->file);
        rc = find_in_slot (self, slot, call, key);
        __atomic_store_n (&self->file->slots[slot].is_taken, 0, __ATOMIC_RELEASE);
    }
    pthread_rwlock_unlock (&self->lock);
    return rc;
}

static HkAnswer
lmdb_get (void *instance, HkCall *call, HkSpan key)
{
    LmdbTable *self = instance;
    if (key.size == 0 || key.size > LOOKUP_LMDB_MAX_KEY)
        return HK_ABSENT; /* no such key can be there */
    keep_fresh (self, false);
    int rc = ask (self, call, key);
    if (rc == MDB_MAP_RESIZED) {
        keep_fresh (self, true);
        rc = ask (self, call, key);
    }
    if (rc != 0 && rc != MDB_NOTFOUND)
        return self->at.host->later (call, "%s: %s", self->at.path, words (rc));
    return rc == 0 ? HK_FOUND : HK_ABSENT;
}

/* ---- a walk has a file of its own: the table may be replaced meanwhile ---- */

typedef struct {
    File *file;
    MDB_txn *txn;
    MDB_cursor *cursor;
    bool is_started, has_nul;
} Cursor;

static HkAnswer
end_walk (void **cursor, HkAnswer answer)
{
    Cursor *at = *cursor;
    *cursor = NULL;
    if (at == NULL)
        return answer;
    if (at->cursor != NULL)
        mdb_cursor_close (at->cursor);
    if (at->txn != NULL)
        mdb_txn_abort (at->txn);
    file_free (at->file);
    g_free (at);
    return answer;
}

static int
begin_walk (const char *path, Cursor *at)
{
    int rc = 0;
    at->file = file_open (path, &rc);
    if (rc == 0)
        rc = lock_slot (at->file, 0); /* until the file is closed */
    if (rc == 0)
        rc = mdb_txn_begin (at->file->env, NULL, MDB_RDONLY, &at->txn);
    if (rc == 0)
        rc = mdb_cursor_open (at->txn, at->file->dbi, &at->cursor);
    return rc;
}

static int
step (const LmdbTable *self, HkCall *call, Cursor *at)
{
    MDB_val key, value;
    int rc =
        mdb_cursor_get (at->cursor, &key, &value, at->is_started ? MDB_NEXT : MDB_FIRST);
    if (rc != 0)
        return rc;
    if (!at->is_started)
        at->has_nul =
            key.mv_size > 0 && ((const char *) key.mv_data)[key.mv_size - 1] == '\0';
    at->is_started = true;
    HkSpan k = without_nul (at->has_nul, key), v = without_nul (at->has_nul, value);
    self->at.host->answer (call, k.data, k.size);
    self->at.host->answer (call, v.data, v.size);
    return 0;
}

static HkAnswer
lmdb_each (void *instance, HkCall *call, void **cursor, int32_t keep)
{
    LmdbTable *self = instance;
    int rc = 0;
    if (!keep)
        return end_walk (cursor, HK_ABSENT);
    if (*cursor == NULL) {
        *cursor = g_new0 (Cursor, 1);
        rc = begin_walk (self->at.path, *cursor);
        if (rc != 0)
            return end_walk (cursor, indexed_cannot_open (&self->at, call, words (rc)));
    }
    rc = step (self, call, *cursor);
    if (rc == 0)
        return HK_FOUND;
    if (rc == MDB_NOTFOUND)
        return end_walk (cursor, HK_ABSENT);
    return end_walk (cursor,
                     self->at.host->later (call, "%s: %s", self->at.path, words (rc)));
}

static const HkLookupClass lmdb_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "lmdb",
             .flags = HK_THREAD_SAFE,
             .open = lmdb_open,
             .close = lmdb_close},
    .get = lmdb_get,
    .each = lmdb_each,
    .build_begin = lookup_lmdb_build_begin,
    .build_put = lookup_lmdb_build_put,
    .build_end = lookup_lmdb_build_end,
    .suffix = LOOKUP_LMDB_SUFFIX,
};

HK_PLUGIN (lookup_lmdb, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "lmdb: tables, LMDB files", .classes = HK_CLASSES (&lmdb_class.base))
