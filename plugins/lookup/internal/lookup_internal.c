/* lookup_internal.c: "internal:name" tables: in memory, empty at first, gone with the
 * process.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <hikyaku/lookup.h>

#include <glib.h>

typedef struct {
    const HkHost *host;
    gsize limit;
    GRWLock lock;     /* guards the rest */
    GHashTable *rows; /* GBytes → GBytes */
    gsize size;       /* of keys and values */
} InternalTable;

static HkAnswer
internal_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    InternalTable *self = g_new0 (InternalTable, 1);
    (void) call;
    self->host = host;
    self->limit = (gsize) host->conf_int (conf, "internal_size_limit");
    g_rw_lock_init (&self->lock);
    self->rows =
        g_hash_table_new_full (g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref,
                               (GDestroyNotify) g_bytes_unref);
    *out_instance = self;
    return HK_OK;
}

static void
internal_close (void *instance)
{
    InternalTable *self = instance;
    g_hash_table_unref (self->rows);
    g_rw_lock_clear (&self->lock);
    g_free (self);
}

/* Under the lock. */
static gsize
row_size (const InternalTable *self, GBytes *key)
{
    GBytes *value = g_hash_table_lookup (self->rows, key);
    return value == NULL ? 0 : g_bytes_get_size (key) + g_bytes_get_size (value);
}

static void
answer_bytes (const InternalTable *self, HkCall *call, GBytes *bytes)
{
    gsize size;
    const void *data = g_bytes_get_data (bytes, &size);
    self->host->answer (call, data, size);
}

static HkAnswer
internal_get (void *instance, HkCall *call, HkSpan key)
{
    InternalTable *self = instance;
    g_autoptr (GBytes) k = g_bytes_new_static (key.data, key.size);
    g_rw_lock_reader_lock (&self->lock);
    GBytes *value = g_hash_table_lookup (self->rows, k);
    if (value != NULL)
        answer_bytes (self, call, value);
    g_rw_lock_reader_unlock (&self->lock);
    return value != NULL ? HK_FOUND : HK_ABSENT;
}

static HkAnswer
internal_put (void *instance, HkCall *call, HkSpan key, HkSpan value)
{
    InternalTable *self = instance;
    GBytes *k = g_bytes_new (key.data, key.size);
    GBytes *v = g_bytes_new (value.data, value.size);
    g_rw_lock_writer_lock (&self->lock);
    gsize size = self->size - row_size (self, k) + key.size + value.size;
    gboolean has_room = size <= self->limit;
    if (has_room) {
        self->size = size;
        g_hash_table_replace (self->rows, g_bytes_ref (k), g_bytes_ref (v));
    }
    g_rw_lock_writer_unlock (&self->lock);
    g_bytes_unref (k);
    g_bytes_unref (v);
    return has_room ? HK_OK
                    : self->host->later (call, "the table is full (internal_size_limit)");
}

static HkAnswer
internal_del (void *instance, HkCall *call, HkSpan key)
{
    InternalTable *self = instance;
    g_autoptr (GBytes) k = g_bytes_new_static (key.data, key.size);
    (void) call;
    g_rw_lock_writer_lock (&self->lock);
    self->size -= row_size (self, k);
    gboolean was_there = g_hash_table_remove (self->rows, k);
    g_rw_lock_writer_unlock (&self->lock);
    return was_there ? HK_OK : HK_ABSENT;
}

/* The cursor is a list of keys, as they were when the walk began. */
static HkAnswer
internal_each (void *instance, HkCall *call, void **cursor, int32_t keep)
{
    InternalTable *self = instance;
    GPtrArray *keys = *cursor;
    gboolean found = FALSE;
    g_rw_lock_reader_lock (&self->lock);
    if (keys == NULL && keep) {
        GHashTableIter iter;
        void *key;
        *cursor = keys = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
        g_hash_table_iter_init (&iter, self->rows);
        while (g_hash_table_iter_next (&iter, &key, NULL))
            g_ptr_array_add (keys, g_bytes_ref (key));
    }
    while (keep && !found && keys->len > 0) {
        GBytes *key = g_ptr_array_steal_index_fast (keys, keys->len - 1);
        GBytes *value = g_hash_table_lookup (self->rows, key);
        if ((found = value != NULL)) {
            answer_bytes (self, call, key);
            answer_bytes (self, call, value);
        }
        g_bytes_unref (key);
    }
    g_rw_lock_reader_unlock (&self->lock);
    if (found)
        return HK_FOUND;
    g_clear_pointer (&keys, g_ptr_array_unref);
    *cursor = NULL;
    return HK_ABSENT;
}

static const HkParam internal_params[] = {
    {"internal_size_limit", HK_PARAM_SIZE, HK_PARAM_RELOADABLE, "67108864", 1024,
     (int64_t) 1 << 40, NULL,
     "Bytes of keys and values that one internal: table may hold."},
    {0},
};

static const HkLookupClass internal_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "internal",
             .flags = HK_THREAD_SAFE,
             .params = internal_params,
             .open = internal_open,
             .close = internal_close},
    .get = internal_get,
    .put = internal_put,
    .del = internal_del,
    .each = internal_each,
};

HK_PLUGIN (lookup_internal, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "internal: tables, in memory as long as the process lives",
           .classes = HK_CLASSES (&internal_class.base))
