/* entries.h: all entries of an index file that is being made, in memory.
 *
 * An indexed file is written best in one go and in an order of its own, so a build first
 * collects.  Key and value lie behind each other, each with a NUL after it that its size
 * does not count: the formats that want the NUL take one byte more.  Static functions only.
 */
#ifndef HK_PLUGINS_LOOKUP_ENTRIES_H
#define HK_PLUGINS_LOOKUP_ENTRIES_H

#include <hikyaku/plugin.h>

#include <glib.h>
#include <string.h>

#define ENTRIES_BLOCK ((size_t) 256 << 10)
#define ENTRIES_LIMIT ((size_t) 1 << 30) /* bytes of one key or value */

typedef struct {
    guint64 order; /* for whoever sorts the rows */
    const char *key, *value;
    guint32 key_size, value_size;
    guint32 hash, reserved;
} Entry;

typedef struct {
    GArray *rows;    /* Entry, in the order in which the keys came first */
    guint32 *slots;  /* open addressing: index in rows + 1; 0: free */
    guint32 n_slots; /* a power of two */
    GPtrArray *blocks;
    char *at; /* free part of the last block */
    size_t room;
    size_t n_bytes; /* of keys and values */
} Entries;

static inline Entries *
entries_new (void)
{
    Entries *self = g_new0 (Entries, 1);
    self->rows = g_array_new (FALSE, FALSE, sizeof (Entry));
    self->blocks = g_ptr_array_new_with_free_func (g_free);
    self->n_slots = 1024;
    self->slots = g_new0 (guint32, self->n_slots);
    return self;
}

static inline void
entries_free (Entries *self)
{
    g_array_unref (self->rows);
    g_ptr_array_unref (self->blocks);
    g_free (self->slots);
    g_free (self);
}

static inline Entry *
entries_row (const Entries *self, guint i)
{
    return &g_array_index (self->rows, Entry, i);
}

static inline guint32
entries_hash (HkSpan key)
{
    guint64 h = 0x9e3779b97f4a7c15u ^ key.size, word;
    size_t i = 0;
    for (; i + 8 <= key.size; i += 8) {
        memcpy (&word, key.data + i, 8);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    for (; i < key.size; i++)
        h = (h ^ key.data[i]) * 0x100000001b3u;
    return (guint32) (h ^ (h >> 29));
}

/* The slot of KEY: the one that holds its row, or the free one where it belongs. */
static inline guint32 *
entries_slot (const Entries *self, HkSpan key, guint32 hash)
{
    guint32 mask = self->n_slots - 1;
    for (guint32 i = hash & mask;; i = (i + 1) & mask) {
        if (self->slots[i] == 0)
            return &self->slots[i];
        const Entry *row = entries_row (self, self->slots[i] - 1);
        if (row->hash == hash && row->key_size == key.size &&
            (key.size == 0 || memcmp (row->key, key.data, key.size) == 0))
            return &self->slots[i];
    }
}

static inline void
entries_grow (Entries *self)
{
    guint32 mask = self->n_slots * 2 - 1;
    g_free (self->slots);
    self->n_slots *= 2;
    self->slots = g_new0 (guint32, self->n_slots);
    for (guint row = 0; row < self->rows->len; row++) {
        guint32 i = entries_row (self, row)->hash & mask;
        while (self->slots[i] != 0)
            i = (i + 1) & mask;
        self->slots[i] = row + 1;
    }
}

static inline const char *
entries_keep (Entries *self, HkSpan bytes)
{
    if (self->room < bytes.size + 1) {
        self->room = MAX (bytes.size + 1, ENTRIES_BLOCK);
        self->at = g_malloc (self->room);
        g_ptr_array_add (self->blocks, self->at);
    }
    char *kept = self->at;
    if (bytes.size > 0)
        memcpy (kept, bytes.data, bytes.size);
    kept[bytes.size] = '\0';
    self->at += bytes.size + 1;
    self->room -= bytes.size + 1;
    return kept;
}

/* True: the key was there; it keeps its value unless REPLACE.  Sizes up to ENTRIES_LIMIT.
 */
static inline gboolean
entries_put (Entries *self, HkSpan key, HkSpan value, gboolean replace)
{
    guint32 hash = entries_hash (key), *slot;
    if ((guint64) self->rows->len * 2 >= self->n_slots)
        entries_grow (self);
    slot = entries_slot (self, key, hash);
    if (*slot != 0) {
        Entry *row = entries_row (self, *slot - 1);
        if (replace) {
            self->n_bytes = self->n_bytes - row->value_size + value.size;
            row->value = entries_keep (self, value);
            row->value_size = (guint32) value.size;
        }
        return TRUE;
    }
    Entry row = {.key = entries_keep (self, key),
                 .key_size = (guint32) key.size,
                 .value_size = (guint32) value.size,
                 .hash = hash};
    row.value = entries_keep (self, value);
    g_array_append_val (self->rows, row);
    *slot = self->rows->len;
    self->n_bytes += key.size + value.size;
    return FALSE;
}

#endif
