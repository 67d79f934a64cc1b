/* lookup_cdb.c: "cdb:" tables, constant databases that postmap makes.
 *
 * NAME.cdb has the format that Postfix (tinycdb) reads and writes, and is the same file.
 * A file with a NUL behind each key and value (postmap -N) is understood, too: its first
 * entry tells.  A file is mapped and never changed in place; many threads read one mapping.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE /* PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP */
#include "lookup_cdb.h"

#include <cdb.h>
#include <pthread.h>

typedef struct {
    struct cdb db; /* its cursor fields are scratch: a lookup works on a copy */
    bool has_nul;  /* keys and values end with a NUL that does not count */
} File;

typedef struct {
    Indexed at;
    pthread_rwlock_t lock; /* guards the rest; lookups share it */
    File file;
    bool is_open;
    HkFileState state;
} CdbTable;

/* ---- one file ---- */

static HkSpan
without_nul (const File *file, const void *data, unsigned size)
{
    const uint8_t *p = data;
    if (file->has_nul && size > 0 && p[size - 1] == '\0')
        size--;
    return (HkSpan){p, size};
}

/* The next entry, also one whose key came before.  1; 0: no more; -1: errno. */
static int
next_entry (const File *file, unsigned *position, struct cdb *out_at)
{
    *out_at = file->db;
    int rc = cdb_seqnext (position, out_at);
    if (rc <= 0)
        return rc;
    return cdb_getkey (out_at) != NULL && cdb_getdata (out_at) != NULL ? 1 : -1;
}

static bool
ends_with_nul (const void *data, unsigned size)
{
    return size > 0 && ((const char *) data)[size - 1] == '\0';
}

static int
find_form (File *file)
{
    struct cdb first;
    unsigned position;
    cdb_seqinit (&position, &file->db);
    int rc = next_entry (file, &position, &first);
    file->has_nul = rc > 0 && ends_with_nul (cdb_getkey (&first), cdb_keylen (&first)) &&
                    ends_with_nul (cdb_getdata (&first), cdb_datalen (&first));
    return rc < 0 ? -1 : 0;
}

/* Map what stands under the name now.  0, or errno. */
static int
open_file (const char *path, File *out_file, HkFileState *out_state)
{
    struct stat st;
    int fd = open (path, O_RDONLY | O_CLOEXEC), e = 0;
    if (fd < 0)
        return errno;
    if (fstat (fd, &st) < 0)
        e = errno;
    else if (!S_ISREG (st.st_mode) || (uint64_t) st.st_size > UINT32_MAX)
        e = EINVAL;
    else if (cdb_init (&out_file->db, fd) < 0)
        e = errno;
    else if (find_form (out_file) < 0) {
        e = errno;
        cdb_free (&out_file->db);
    } else
        hk_file_state_from (out_state, &st);
    close (fd); /* the mapping stays */
    return e;
}

static const char *
words (int e)
{
    return e == EPROTO || e == EINVAL ? "this is not a cdb file" : g_strerror (e);
}

/* 1: found, in OUT; 0: no; -1: errno. */
static int
find (const File *file, HkSpan key, HkSpan *out)
{
    struct cdb at = file->db;
    char small[512], *with_nul = NULL;
    const void *wanted = key.data;
    size_t size = key.size;
    if (file->has_nul) {
        with_nul = size < sizeof small ? small : g_malloc (size + 1);
        if (size > 0)
            memcpy (with_nul, key.data, size);
        with_nul[size++] = '\0';
        wanted = with_nul;
    }
    int rc = cdb_find (&at, wanted, (unsigned) size);
    if (with_nul != NULL && with_nul != small)
        g_free (with_nul);
    if (rc <= 0)
        return rc;
    const void *data = cdb_getdata (&at);
    if (data == NULL)
        return -1;
    *out = without_nul (file, data, cdb_datalen (&at));
    return 1;
}

/* ---- a table ---- */

static void
table_free (CdbTable *self)
{
    if (self->is_open)
        cdb_free (&self->file.db);
    pthread_rwlock_destroy (&self->lock);
    indexed_clear (&self->at);
    g_free (self);
}

static HkAnswer
cdb_table_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    pthread_rwlockattr_t kind;
    CdbTable *self = g_new0 (CdbTable, 1);
    indexed_init (&self->at, host, host->conf_argument (conf), "cdb", LOOKUP_CDB_SUFFIX);
    pthread_rwlockattr_init (&kind);
    pthread_rwlockattr_setkind_np (&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init (&self->lock, &kind);
    pthread_rwlockattr_destroy (&kind);
    int e = open_file (self->at.path, &self->file, &self->state);
    self->is_open = e == 0;
    if (self->is_open) {
        *out_instance = self;
        return HK_OK;
    }
    HkAnswer answer = indexed_cannot_open (&self->at, call, words (e));
    table_free (self);
    return answer;
}

static void
cdb_table_close (void *instance)
{
    table_free (instance);
}

/* Alone with the table: another file than the one that is mapped?  When the new one cannot
 * be read, the old one stays in use; unless it was the same file, written over: then there
 * is none any more. */
static void
refresh (CdbTable *self, int e, const HkFileState *now)
{
    File file;
    HkFileState state;
    if (e == 0 && self->is_open && hk_file_state_same (now, &self->state)) {
        self->at.last_error = 0;
        return;
    }
    if (e == 0)
        e = open_file (self->at.path, &file, &state);
    bool is_spoilt =
        e != 0 && now->inode == self->state.inode && now->device == self->state.device;
    if (self->is_open && (e == 0 || is_spoilt)) {
        cdb_free (&self->file.db);
        self->is_open = false;
    }
    if (e == 0) {
        self->file = file;
        self->state = state;
        self->is_open = true;
    }
    indexed_say (&self->at, e, words (e),
                 self->is_open ? "the table stays as it was before"
                               : "there is no table until it is made again");
}

/* Any thread: the table is as new as the last tick of the clock. */
static void
keep_fresh (CdbTable *self)
{
    gint64 tick;
    HkFileState now;
    if (!indexed_is_due (&self->at.looked, &tick))
        return;
    int e = hk_file_state (self->at.path, &now);
    pthread_rwlock_rdlock (&self->lock);
    bool is_same = e == 0 && self->is_open && self->at.last_error == 0 &&
                   hk_file_state_same (&now, &self->state);
    pthread_rwlock_unlock (&self->lock);
    if (!is_same) {
        pthread_rwlock_wrlock (&self->lock);
        refresh (self, e, &now);
        pthread_rwlock_unlock (&self->lock);
    }
    indexed_looked (&self->at.looked, tick);
}

static HkAnswer
cdb_table_get (void *instance, HkCall *call, HkSpan key)
{
    CdbTable *self = instance;
    HkSpan value;
    int rc = -1, e = EPROTO;
    if (key.size >= G_MAXINT)
        return HK_ABSENT;
    keep_fresh (self);
    pthread_rwlock_rdlock (&self->lock);
    if (self->is_open) {
        rc = find (&self->file, key, &value);
        e = errno;
        if (rc > 0)
            self->at.host->answer (call, value.data, value.size);
    }
    pthread_rwlock_unlock (&self->lock);
    if (rc < 0)
        return self->at.host->later (call, "%s: %s", self->at.path, words (e));
    return rc > 0 ? HK_FOUND : HK_ABSENT;
}

/* ---- a walk has a mapping of its own: the table may be replaced meanwhile ---- */

typedef struct {
    File file;
    unsigned position;
} Cursor;

static HkAnswer
end_walk (void **cursor, HkAnswer answer)
{
    Cursor *at = *cursor;
    if (at != NULL) {
        cdb_free (&at->file.db);
        g_free (at);
    }
    *cursor = NULL;
    return answer;
}

/* A file that another program made may hold a key twice: the first is what lookups find. */
static bool
is_first (const Cursor *cursor, const struct cdb *entry)
{
    struct cdb at = cursor->file.db;
    return cdb_find (&at, cdb_getkey (entry), cdb_keylen (entry)) > 0 &&
           cdb_datapos (&at) == cdb_datapos (entry);
}

static HkAnswer
step (CdbTable *self, HkCall *call, Cursor *cursor)
{
    struct cdb entry;
    int rc;
    do
        rc = next_entry (&cursor->file, &cursor->position, &entry);
    while (rc > 0 && !is_first (cursor, &entry));
    if (rc < 0)
        return self->at.host->later (call, "%s: %s", self->at.path, words (errno));
    if (rc == 0)
        return HK_ABSENT;
    HkSpan key = without_nul (&cursor->file, cdb_getkey (&entry), cdb_keylen (&entry));
    HkSpan value = without_nul (&cursor->file, cdb_getdata (&entry), cdb_datalen (&entry));
    self->at.host->answer (call, key.data, key.size);
    self->at.host->answer (call, value.data, value.size);
    return HK_FOUND;
}

static HkAnswer
cdb_table_each (void *instance, HkCall *call, void **cursor, int32_t keep)
{
    CdbTable *self = instance;
    if (!keep)
        return end_walk (cursor, HK_ABSENT);
    if (*cursor == NULL) {
        Cursor *at = g_new0 (Cursor, 1);
        HkFileState state;
        int e = open_file (self->at.path, &at->file, &state);
        if (e != 0) {
            g_free (at);
            return indexed_cannot_open (&self->at, call, words (e));
        }
        cdb_seqinit (&at->position, &at->file.db);
        *cursor = at;
    }
    HkAnswer answer = step (self, call, *cursor);
    return answer == HK_FOUND ? answer : end_walk (cursor, answer);
}

static const HkLookupClass cdb_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "cdb",
             .flags = HK_THREAD_SAFE,
             .open = cdb_table_open,
             .close = cdb_table_close},
    .get = cdb_table_get,
    .each = cdb_table_each,
    .build_begin = lookup_cdb_build_begin,
    .build_put = lookup_cdb_build_put,
    .build_end = lookup_cdb_build_end,
    .suffix = LOOKUP_CDB_SUFFIX,
};

HK_PLUGIN (lookup_cdb, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "cdb: tables, constant databases (tinycdb)",
           .classes = HK_CLASSES (&cdb_class.base))
