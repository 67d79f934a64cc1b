/* pairs.h: key-value pairs in memory, as texthash: and inline: tables hold them.
 *
 * A key is found in its lower-case form, which is what the host asks for, and as it was
 * written, for those who ask without folding.  Static functions only. */
#ifndef HK_PLUGINS_LOOKUP_PAIRS_H
#define HK_PLUGINS_LOOKUP_PAIRS_H

#include <hikyaku/plugin.h>

#include <glib.h>
#include <string.h>

typedef struct {
    const char *key, *value;
    guint32 key_size, value_size;
    guint32 hash; /* of the key */
} Pair;

typedef struct {
    GStringChunk *chunk;
    GArray *rows;       /* Pair, in order, keys in lower case */
    GHashTable *by_key; /* a Pair on the heap → itself */
} Pairs;

static inline guint
pairs_hash_bytes (const char *data, gsize size)
{
    guint32 h = 2166136261u; /* FNV-1a */
    for (gsize i = 0; i < size; i++)
        h = (h ^ (guint8) data[i]) * 16777619u;
    return h;
}

static inline guint
pairs_hash (gconstpointer p)
{
    return ((const Pair *) p)->hash;
}

static inline gboolean
pairs_equal (gconstpointer a, gconstpointer b)
{
    const Pair *x = a, *y = b;
    return x->key_size == y->key_size && memcmp (x->key, y->key, x->key_size) == 0;
}

static inline Pairs *
pairs_new (void)
{
    Pairs *self = g_new (Pairs, 1);
    self->chunk = g_string_chunk_new (64 * 1024);
    self->rows = g_array_new (FALSE, FALSE, sizeof (Pair));
    self->by_key = g_hash_table_new_full (pairs_hash, pairs_equal, g_free, NULL);
    return self;
}

static inline void
pairs_free (void *p)
{
    Pairs *self = p;
    g_hash_table_unref (self->by_key);
    g_array_unref (self->rows);
    g_string_chunk_free (self->chunk);
    g_free (self);
}

static inline const Pair *
pairs_find (const Pairs *self, HkSpan key)
{
    Pair want = {.key = (const char *) key.data, .key_size = (guint32) key.size};
    want.hash = pairs_hash_bytes (want.key, want.key_size);
    return g_hash_table_lookup (self->by_key, &want);
}

/* The lower-case form; as the host makes it for what it asks. */
static inline char *
pairs_fold (HkSpan key)
{
    const char *p = (const char *) key.data;
    for (gsize i = 0; i < key.size; i++)
        if (key.data[i] >= 0x80)
            return g_utf8_validate (p, (gssize) key.size, NULL)
                       ? g_utf8_casefold (p, (gssize) key.size)
                       : g_ascii_strdown (p, (gssize) key.size);
    return g_ascii_strdown (p, (gssize) key.size);
}

static inline void
pairs_put (Pairs *self, Pair pair)
{
    pair.hash = pairs_hash_bytes (pair.key, pair.key_size);
    g_hash_table_add (self->by_key, g_memdup2 (&pair, sizeof pair));
}

static inline void
pairs_set_row (Pairs *self, Pair pair, gboolean is_new)
{
    pair.hash = pairs_hash_bytes (pair.key, pair.key_size);
    for (guint i = 0; !is_new && i < self->rows->len; i++) {
        Pair *row = &g_array_index (self->rows, Pair, i);
        if (pairs_equal (row, &pair)) {
            *row = pair;
            return;
        }
    }
    g_array_append_val (self->rows, pair);
}

/* False: the key was there, and keeps its value unless REPLACE.  A key that was there in
 * another spelling is still found as it was written. */
static inline gboolean
pairs_add (Pairs *self, HkSpan key, HkSpan value, gboolean replace)
{
    g_autofree char *folded = pairs_fold (key);
    HkSpan lower = {(const guint8 *) folded, strlen (folded)};
    gboolean is_new = pairs_find (self, lower) == NULL;
    Pair pair;
    if (!is_new && !replace && pairs_find (self, key) != NULL)
        return FALSE;
    pair.value = g_string_chunk_insert_len (self->chunk, (const char *) value.data,
                                            (gssize) value.size);
    pair.value_size = (guint32) value.size;
    if (is_new || replace) {
        pair.key = g_string_chunk_insert_len (self->chunk, folded, (gssize) lower.size);
        pair.key_size = (guint32) lower.size;
        pairs_put (self, pair);
        pairs_set_row (self, pair, is_new);
    }
    if (lower.size != key.size || memcmp (folded, key.data, key.size) != 0) {
        pair.key = g_string_chunk_insert_len (self->chunk, (const char *) key.data,
                                              (gssize) key.size);
        pair.key_size = (guint32) key.size;
        pairs_put (self, pair);
    }
    return is_new;
}

#endif
