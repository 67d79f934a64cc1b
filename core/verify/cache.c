/* cache.c: the entries of address verification, and what their age means. */
#include "config.h"

#include "verify/verify_priv.h"

static void
entry_free (gpointer data)
{
    Entry *entry = data;
    g_free (entry->key);
    g_free (entry->text);
    g_free (entry);
}

HkVerifyCache *
hk_verify_cache_open (const char *path, const HkVerifyRules *rules, GError **error)
{
    HkVerifyCache *self = g_new0 (HkVerifyCache, 1);
    self->entries = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, entry_free);
    self->file.fd = -1;
    hk_verify_cache_set_rules (self, rules);
    if (path != NULL && !hk_verify_file_open (self, path, error)) {
        hk_verify_cache_free (self);
        return NULL;
    }
    return self;
}

void
hk_verify_cache_free (HkVerifyCache *self)
{
    hk_verify_file_close (self);
    g_hash_table_unref (self->entries);
    g_free (self);
}

size_t
hk_verify_cache_count (const HkVerifyCache *self)
{
    return g_hash_table_size (self->entries);
}

char *
hk_verify_key (HkSpan address)
{
    char *key = hk_span_dup (address);
    char *at = strrchr (key, '@');
    for (; at != NULL && *at != '\0'; at++)
        *at = g_ascii_tolower (*at);
    return key;
}

const char *
hk_verify_status_name (int32_t status)
{
    switch (status) {
    case HK_VERIFY_DELIVERABLE:
        return "deliverable";
    case HK_VERIFY_DEFERRED:
        return "deferred";
    case HK_VERIFY_UNDELIVERABLE:
        return "undeliverable";
    default:
        return "unknown";
    }
}

/* ---- entries, without the file
 * ------------------------------------------------------------------------------ */

static void
take_out (HkVerifyCache *self, Entry *entry)
{
    if (self->sweep_at == &entry->link)
        self->sweep_at = entry->link.next;
    g_queue_unlink (&self->order, &entry->link);
}

static void
drop (HkVerifyCache *self, Entry *entry)
{
    take_out (self, entry);
    g_hash_table_remove (self->entries, entry->key);
}

void
hk_verify_cache_drop (HkVerifyCache *self, const char *key)
{
    Entry *entry = g_hash_table_lookup (self->entries, key);
    if (entry != NULL)
        drop (self, entry);
}

static void
make_room (HkVerifyCache *self, size_t limit)
{
    while (self->order.length > limit) {
        Entry *last = self->order.tail->data;
        hk_verify_file_note (self, last->key, NULL);
        drop (self, last);
    }
}

static void
touch (HkVerifyCache *self, Entry *entry)
{
    if (self->order.head == &entry->link)
        return;
    take_out (self, entry);
    g_queue_push_head_link (&self->order, &entry->link);
}

void
hk_verify_cache_put (HkVerifyCache *self, const char *key, const HkVerifyEntry *from)
{
    Entry *entry = g_hash_table_lookup (self->entries, key);
    if (entry == NULL) {
        entry = g_new0 (Entry, 1);
        entry->key = g_strdup (key);
        entry->link.data = entry;
        g_hash_table_insert (self->entries, entry->key, entry);
        g_queue_push_head_link (&self->order, &entry->link);
    } else {
        touch (self, entry);
    }
    g_free (entry->text);
    entry->text = g_strdup (from->text);
    entry->status = from->status;
    entry->probed_s = from->probed_s;
    entry->updated_s = from->updated_s;
}

/* ---- rules
 * ---------------------------------------------------------------------------------- */

void
hk_verify_cache_set_rules (HkVerifyCache *self, const HkVerifyRules *rules)
{
    self->rules = *rules;
    self->rules.limit = MAX (rules->limit, 1);
    make_room (self, self->rules.limit);
}

/* Times from a file may be any number. */
static bool
is_older (int64_t then_s, int64_t now_s, int64_t seconds)
{
    return then_s < now_s - seconds;
}

static bool
has_expired (const HkVerifyCache *self, const Entry *entry, int64_t now_s)
{
    return is_older (entry->updated_s, now_s,
                     entry->status == HK_VERIFY_DELIVERABLE ? self->rules.positive_expire
                                                            : self->rules.negative_expire);
}

static bool
needs_probe (const HkVerifyCache *self, const Entry *entry, int64_t now_s)
{
    return is_older (entry->updated_s, now_s,
                     entry->status == HK_VERIFY_DELIVERABLE
                         ? self->rules.positive_refresh
                         : self->rules.negative_refresh) &&
           is_older (entry->probed_s, now_s, HK_VERIFY_PROBE_TTL);
}

static Entry *
find (HkVerifyCache *self, const char *key, int64_t now_s)
{
    Entry *entry = g_hash_table_lookup (self->entries, key);
    if (entry == NULL || !has_expired (self, entry, now_s))
        return entry;
    hk_verify_file_note (self, key, NULL);
    drop (self, entry);
    return NULL;
}

bool
hk_verify_cache_ask (HkVerifyCache *self, const char *key, int64_t now_s,
                     HkVerifyEntry *out)
{
    Entry *entry = find (self, key, now_s);
    if (entry == NULL) {
        *out = (HkVerifyEntry){HK_VERIFY_PENDING, 0, 0, "Address verification in progress"};
        return true;
    }
    touch (self, entry);
    *out = (HkVerifyEntry){entry->status, entry->probed_s, entry->updated_s, entry->text};
    return needs_probe (self, entry, now_s);
}

void
hk_verify_cache_probed (HkVerifyCache *self, const char *key, int64_t now_s)
{
    Entry *entry = g_hash_table_lookup (self->entries, key);
    if (entry == NULL)
        return;
    entry->probed_s = now_s;
    hk_verify_file_note (self, key, entry);
}

bool
hk_verify_cache_update (HkVerifyCache *self, const char *key, int32_t status, HkSpan text,
                        int64_t now_s)
{
    Entry *old = find (self, key, now_s);
    bool is_good = status == HK_VERIFY_DELIVERABLE;
    if (strlen (key) > HK_VERIFY_ADDRESS_MAX || (!is_good && !self->rules.keeps_negative))
        return false;
    if (!is_good && old != NULL && old->status == HK_VERIFY_DELIVERABLE)
        return false;
    g_autofree char *kept = hk_span_dup (hk_span_sub (text, 0, HK_VERIFY_TEXT_MAX));
    HkVerifyEntry entry = {status, 0, now_s, kept};
    hk_verify_cache_put (self, key, &entry);
    hk_verify_file_note (self, key, g_hash_table_lookup (self->entries, key));
    make_room (self, self->rules.limit);
    return true;
}

bool
hk_verify_cache_forget (HkVerifyCache *self, const char *key)
{
    Entry *entry = g_hash_table_lookup (self->entries, key);
    if (entry == NULL)
        return false;
    hk_verify_file_note (self, key, NULL);
    drop (self, entry);
    return true;
}

bool
hk_verify_cache_sweep (HkVerifyCache *self, int64_t now_s, size_t max, size_t *out_dropped)
{
    if (!self->is_sweeping) {
        self->is_sweeping = true;
        self->sweep_at = self->order.head;
        self->n_dropped = 0;
    }
    for (; max > 0 && self->sweep_at != NULL; max--) {
        Entry *entry = self->sweep_at->data;
        self->sweep_at = self->sweep_at->next;
        if (!has_expired (self, entry, now_s))
            continue;
        hk_verify_file_note (self, entry->key, NULL);
        drop (self, entry);
        self->n_dropped++;
    }
    if (self->sweep_at != NULL)
        return false;
    self->is_sweeping = false;
    *out_dropped = self->n_dropped;
    return true;
}
