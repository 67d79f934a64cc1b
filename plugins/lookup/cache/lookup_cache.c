/* lookup_cache.c: "cache:{ttl=60s, type:name}" tables: what another table said, kept a
 * while.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Only "found" and "absent" are kept; a table that cannot answer is asked again each time.
 * The least recently used answers make room. */
#include "../wrap.h"

#include <string.h>

enum {
    MAX_ROW = 4096, /* bytes of key and value; larger ones are not kept */
    DEFAULT_TTL_S = 60,
    MAX_TTL_S = 7 * 86400,
    DEFAULT_SIZE = 10000,
    MAX_SIZE = 1000000
};

typedef struct {
    GBytes *key, *value; /* value NULL: absent */
    gint64 until_us, since_us;
    GList link; /* in `recent` */
} Row;

typedef struct {
    const HkHost *host;
    HkTable *table;
    gint64 ttl_us, absent_ttl_us;
    guint size; /* rows */
    HkCounter *n_hits, *n_misses, *n_dropped;
    GMutex lock;      /* guards the rest */
    GHashTable *rows; /* GBytes → Row */
    GQueue recent;    /* the most recently used first */
} CacheTable;

/* ---- "{ttl=60s, size=1000, type:name}" ---- */

/* "90", "90s", "5m", "1h"; -1: wrong. */
static gint64
parse_number (HkSpan text, bool is_time, gint64 max)
{
    gint64 n = 0;
    size_t i = 0;
    for (; i < text.size && g_ascii_isdigit (text.data[i]) && n <= max; i++)
        n = n * 10 + (text.data[i] - '0');
    if (i == 0)
        return -1;
    if (is_time && i + 1 == text.size) {
        static const gint64 seconds[] = {
            ['s'] = 1, ['m'] = 60, ['h'] = 3600, ['d'] = 86400};
        gint64 unit = text.data[i] < G_N_ELEMENTS (seconds) ? seconds[text.data[i]] : 0;
        if (unit == 0)
            return -1;
        n *= unit;
        i++;
    }
    return i == text.size && n <= max ? n : -1;
}

/* NAME=VALUE of the list; NULL: good. */
static const char *
set_option (CacheTable *self, HkSpan name, HkSpan value)
{
    bool is_ttl = name.size == 3 && memcmp (name.data, "ttl", 3) == 0;
    bool is_absent = name.size == 10 && memcmp (name.data, "absent_ttl", 10) == 0;
    bool is_size = name.size == 4 && memcmp (name.data, "size", 4) == 0;
    if (!is_ttl && !is_absent && !is_size)
        return "unknown option";
    gint64 n = parse_number (value, !is_size, is_size ? MAX_SIZE : MAX_TTL_S);
    if (n < 0 || (n == 0 && !is_absent))
        return is_size ? "expected a number of answers up to 1000000"
                       : "expected a time up to 7d";
    if (is_size)
        self->size = (guint) n;
    else if (is_ttl)
        self->ttl_us = n * G_USEC_PER_SEC;
    else
        self->absent_ttl_us = n * G_USEC_PER_SEC;
    return NULL;
}

/* Tables that look at whole keys only, as they were written, and have all in memory: the
 * cache, which gets keys in lower case and parts of keys too, would change what they say.
 */
static bool
is_pattern_type (HkSpan spec)
{
    static const char *const types[] = {
        "regexp:",     "pcre:",       "cidr:",   "proxy:regexp:",
        "proxy:pcre:", "proxy:cidr:", "randmap:"};
    for (size_t i = 0; i < G_N_ELEMENTS (types); i++)
        if (spec.size >= strlen (types[i]) &&
            memcmp (spec.data, types[i], strlen (types[i])) == 0)
            return true;
    return false;
}

static HkAnswer
take_word (CacheTable *self, HkCall *call, HkSpan word)
{
    const uint8_t *colon = memchr (word.data, ':', word.size);
    const uint8_t *sign = memchr (word.data, '=', word.size);
    const char *why;
    if (sign != NULL && (colon == NULL || sign < colon)) {
        HkSpan name = {word.data, (size_t) (sign - word.data)};
        HkSpan value = {sign + 1, word.size - name.size - 1};
        why = set_option (self, name, value);
    } else if (colon == NULL)
        why = "expected name=value or type:name";
    else if (self->table != NULL)
        why = "expected one table only (unionmap: makes one of several)";
    else if (is_pattern_type (word))
        why = "tables of this type are in memory already";
    else
        return self->host->table_open (self->host, call, word, &self->table);
    return why == NULL ? HK_OK
                       : self->host->broken (call, "cache: %.*s: %s", (int) word.size,
                                             (const char *) word.data, why);
}

static HkAnswer
parse (CacheTable *self, HkCall *call, HkSpan argument)
{
    HkSpan rest, word;
    HkAnswer answer = HK_OK;
    self->ttl_us = (gint64) DEFAULT_TTL_S * G_USEC_PER_SEC;
    self->absent_ttl_us = -1;
    self->size = DEFAULT_SIZE;
    bool is_good = wrap_inside (argument, &rest);
    while (is_good && answer == HK_OK && wrap_next_word (&rest, &word))
        answer = take_word (self, call, word);
    if (self->absent_ttl_us < 0)
        self->absent_ttl_us = self->ttl_us;
    if (answer == HK_OK && self->table == NULL)
        answer = self->host->broken (
            call, "bad syntax: \"cache:%.*s\"; need \"cache:{ttl=60s, type:name}\"",
            (int) argument.size, (const char *) argument.data);
    return answer;
}

/* ---- what is kept ---- */

static void
free_row (void *p)
{
    Row *row = p;
    g_bytes_unref (row->key);
    if (row->value != NULL)
        g_bytes_unref (row->value);
    g_free (row);
}

/* Under the lock. */
static void
drop_row (CacheTable *self, Row *row)
{
    g_queue_unlink (&self->recent, &row->link);
    g_hash_table_remove (self->rows, row->key);
}

/* HK_FOUND, HK_ABSENT, or HK_UNKNOWN: ask the table. */
static HkAnswer
recall (CacheTable *self, HkCall *call, HkSpan key, gint64 now)
{
    g_autoptr (GBytes) k = g_bytes_new_static (key.data, key.size);
    HkAnswer answer = HK_UNKNOWN;
    g_mutex_lock (&self->lock);
    Row *row = g_hash_table_lookup (self->rows, k);
    if (row != NULL && (now >= row->until_us || now < row->since_us)) {
        drop_row (self, row); /* too old, or the clock was set back */
    } else if (row != NULL) {
        g_queue_unlink (&self->recent, &row->link);
        g_queue_push_head_link (&self->recent, &row->link);
        answer = row->value != NULL ? HK_FOUND : HK_ABSENT;
        if (row->value != NULL)
            self->host->answer (call, g_bytes_get_data (row->value, NULL),
                                g_bytes_get_size (row->value));
    }
    g_mutex_unlock (&self->lock);
    return answer;
}

/* VALUE NULL: absent. */
static void
keep (CacheTable *self, HkSpan key, const HkSpan *value, gint64 now)
{
    gint64 ttl = value != NULL ? self->ttl_us : self->absent_ttl_us;
    if (ttl == 0 || key.size + (value == NULL ? 0 : value->size) > MAX_ROW)
        return;
    Row *row = g_new0 (Row, 1);
    row->key = g_bytes_new (key.data, key.size);
    row->value = value == NULL ? NULL : g_bytes_new (value->data, value->size);
    row->since_us = now;
    row->until_us = now + ttl;
    row->link.data = row;
    g_mutex_lock (&self->lock);
    Row *old = g_hash_table_lookup (self->rows, row->key);
    if (old != NULL)
        drop_row (self, old);
    if (g_queue_get_length (&self->recent) >= self->size) {
        drop_row (self, g_queue_peek_tail (&self->recent));
        self->host->counter_add (self->n_dropped, 1);
    }
    g_hash_table_insert (self->rows, row->key, row);
    g_queue_push_head_link (&self->recent, &row->link);
    g_mutex_unlock (&self->lock);
}

/* ---- the class ---- */

static void
cache_close (void *instance)
{
    CacheTable *self = instance;
    if (self->table != NULL)
        self->host->table_close (self->table);
    g_hash_table_unref (self->rows); /* frees the links of `recent` too */
    g_mutex_clear (&self->lock);
    g_free (self);
}

static HkAnswer
cache_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    CacheTable *self = g_new0 (CacheTable, 1);
    self->host = host;
    self->rows = g_hash_table_new_full (g_bytes_hash, g_bytes_equal, NULL, free_row);
    g_queue_init (&self->recent);
    g_mutex_init (&self->lock);
    self->n_hits = host->counter (host, "cache.hits");
    self->n_misses = host->counter (host, "cache.misses");
    self->n_dropped = host->counter (host, "cache.dropped");
    HkAnswer answer = parse (self, call, host->conf_argument (conf));
    if (answer == HK_OK)
        *out_instance = self;
    else
        cache_close (self);
    return answer;
}

static HkAnswer
cache_get (void *instance, HkCall *call, HkSpan key)
{
    CacheTable *self = instance;
    const HkHost *host = self->host;
    HkSpan value = {NULL, 0};
    HkAnswer answer = recall (self, call, key, host->now_us (host));
    host->counter_add (answer == HK_UNKNOWN ? self->n_misses : self->n_hits, 1);
    if (answer != HK_UNKNOWN)
        return answer;
    /* As a key of its own: what is kept must not depend on how the key was meant. */
    g_autofree uint8_t *copy = g_memdup2 (key.data, key.size);
    answer = host->table_get (self->table, call, (HkSpan){copy, key.size}, &value);
    if (answer == HK_FOUND)
        host->answer (call, value.data, value.size);
    if (answer == HK_FOUND || answer == HK_ABSENT)
        keep (self, key, answer == HK_FOUND ? &value : NULL, host->now_us (host));
    return answer;
}

static const HkLookupClass cache_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "cache",
             .flags = HK_THREAD_SAFE,
             .open = cache_open,
             .close = cache_close},
    .get = cache_get,
};

HK_PLUGIN (lookup_cache, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "cache: tables, what another table said, kept a while",
           .classes = HK_CLASSES (&cache_class.base))
