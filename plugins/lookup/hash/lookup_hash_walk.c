/* lookup_hash_walk.c: all entries of a table, for "btree:" in the order of the keys.
 *
 * A walk has a handle of its own: the table may be replaced meanwhile.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "lookup_hash.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    GDBM_FILE db;
    datum key;      /* the one that came last; dptr NULL: none yet */
    GArray *sorted; /* datum; NULL: in the order of the file */
    guint next;
} Cursor;

static HkAnswer
end_walk (void **cursor, HkAnswer answer)
{
    Cursor *at = *cursor;
    *cursor = NULL;
    if (at == NULL)
        return answer;
    for (guint i = 0; at->sorted != NULL && i < at->sorted->len; i++)
        free (g_array_index (at->sorted, datum, i).dptr);
    if (at->sorted != NULL)
        g_array_unref (at->sorted);
    else
        free (at->key.dptr);
    gdbm_close (at->db);
    g_free (at);
    return answer;
}

static int
compare (const void *a, const void *b)
{
    const datum *x = a, *y = b;
    int rc = memcmp (x->dptr, y->dptr, (size_t) MIN (x->dsize, y->dsize));
    return rc != 0 ? rc : x->dsize - y->dsize;
}

/* True: all keys are in at->sorted; false: gdbm_errno. */
static bool
sort_keys (Cursor *at)
{
    datum key;
    at->sorted = g_array_new (FALSE, FALSE, sizeof (datum));
    for (key = gdbm_firstkey (at->db); key.dptr != NULL; key = gdbm_nextkey (at->db, key))
        g_array_append_val (at->sorted, key);
    g_array_sort (at->sorted, compare);
    return gdbm_errno == GDBM_ITEM_NOT_FOUND;
}

/* The next key, which the cursor owns; dptr NULL: gdbm_errno. */
static datum
next_key (Cursor *at)
{
    if (at->sorted != NULL) {
        if (at->next < at->sorted->len)
            return g_array_index (at->sorted, datum, at->next++);
        gdbm_errno = GDBM_ITEM_NOT_FOUND;
        return (datum){NULL, 0};
    }
    datum next =
        at->key.dptr == NULL ? gdbm_firstkey (at->db) : gdbm_nextkey (at->db, at->key);
    gdbm_error why = gdbm_errno;
    free (at->key.dptr);
    at->key = next;
    gdbm_errno = why;
    return next;
}

static HkAnswer
step (const LookupHashTable *self, HkCall *call, Cursor *at)
{
    datum key = next_key (at), value = {NULL, 0};
    if (key.dptr == NULL && gdbm_errno == GDBM_ITEM_NOT_FOUND)
        return HK_ABSENT;
    if (key.dptr != NULL)
        value = gdbm_fetch (at->db, key);
    if (value.dptr == NULL)
        return self->at.host->later (call, "%s: %s", self->at.path,
                                     gdbm_strerror (gdbm_errno));
    self->at.host->answer (call, key.dptr, (size_t) key.dsize);
    self->at.host->answer (call, value.dptr, (size_t) value.dsize);
    free (value.dptr);
    return HK_FOUND;
}

/* HK_OK: *CURSOR stands before the first entry. */
static HkAnswer
begin_walk (const LookupHashTable *self, HkCall *call, void **cursor)
{
    Cursor *at = g_new0 (Cursor, 1);
    HkFileState state;
    const char *why;
    if (lookup_hash_open_file (self->at.path, &at->db, &state, &why) != 0) {
        g_free (at);
        return indexed_cannot_open (&self->at, call, why);
    }
    *cursor = at;
    if (!self->is_sorted || sort_keys (at))
        return HK_OK;
    return end_walk (cursor, self->at.host->later (call, "%s: %s", self->at.path,
                                                   gdbm_strerror (gdbm_errno)));
}

HkAnswer
lookup_hash_each (void *instance, HkCall *call, void **cursor, int32_t keep)
{
    LookupHashTable *self = instance;
    HkAnswer answer = HK_OK;
    if (!keep)
        return end_walk (cursor, HK_ABSENT);
    if (*cursor == NULL)
        answer = begin_walk (self, call, cursor);
    if (answer != HK_OK)
        return answer;
    answer = step (self, call, *cursor);
    return answer == HK_FOUND ? answer : end_walk (cursor, answer);
}
