/* dns_memo.c: what was asked of the domain name system for one session: each question once.
 */
#include "access/access.h"

#include "base/text.h"

/* A session may name any number of domains: above this what is answered is forgotten. */
#define MAX_ENTRIES 256

typedef struct {
    HkDnsFn fn;
    void *data;
} Waiter;

typedef struct {
    HkDnsMemo *memo;
    char *key;
    bool is_answered;
    int32_t outcome;
    GArray *records; /* HkDnsRecord */
    GPtrArray *bytes; /* what they point to */
    char *reason;
    GArray *waiters; /* Waiter; NULL: none */
} Entry;

struct HkDnsMemo {
    HkResolver *resolver;
    GHashTable *entries; /* "type name" → Entry */
    unsigned n_calling;  /* callbacks on the stack: nothing is forgotten meanwhile */
};

static void
entry_free (void *data)
{
    Entry *self = data;
    if (!self->is_answered)
        hk_resolver_cancel (self->memo->resolver, self);
    if (self->records != NULL)
        g_array_unref (self->records);
    if (self->bytes != NULL)
        g_ptr_array_unref (self->bytes);
    if (self->waiters != NULL)
        g_array_unref (self->waiters);
    g_free (self->reason);
    g_free (self->key);
    g_free (self);
}

HkDnsMemo *
hk_dns_memo_new (HkResolver *resolver)
{
    HkDnsMemo *self = g_new0 (HkDnsMemo, 1);
    self->resolver = resolver;
    self->entries = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, entry_free);
    return self;
}

void
hk_dns_memo_free (HkDnsMemo *self)
{
    if (self == NULL)
        return;
    g_hash_table_unref (self->entries);
    g_free (self);
}

static void
tell (Entry *entry, HkDnsFn fn, void *data)
{
    if (fn == NULL)
        return;
    entry->memo->n_calling++;
    fn (data, entry->outcome,
        entry->records == NULL ? NULL : (const HkDnsRecord *) (void *) entry->records->data,
        entry->records == NULL ? 0 : entry->records->len, entry->reason);
    entry->memo->n_calling--;
}

static void
keep_records (Entry *self, const HkDnsRecord *records, size_t n)
{
    if (n == 0)
        return;
    self->records = g_array_new (FALSE, FALSE, sizeof (HkDnsRecord));
    self->bytes = g_ptr_array_new_with_free_func (g_free);
    for (size_t i = 0; i < n; i++) {
        HkDnsRecord record = records[i];
        record.data.data = g_memdup2 (records[i].data.data, records[i].data.size);
        g_ptr_array_add (self->bytes, (void *) record.data.data);
        g_array_append_val (self->records, record);
    }
}

static void
answered (void *data, int32_t outcome, const HkDnsRecord *records, size_t n,
          const char *reason)
{
    Entry *self = data;
    self->is_answered = true;
    self->outcome = outcome;
    self->reason = g_strdup (reason);
    keep_records (self, records, n);
    GArray *waiters = g_steal_pointer (&self->waiters);
    for (guint i = 0; waiters != NULL && i < waiters->len; i++) {
        Waiter *w = &g_array_index (waiters, Waiter, i);
        tell (self, w->fn, w->data);
    }
    if (waiters != NULL)
        g_array_unref (waiters);
}

static gboolean
is_over (gpointer key, gpointer value, gpointer data)
{
    (void) key;
    (void) data;
    return ((const Entry *) value)->is_answered;
}

static Entry *
ask (HkDnsMemo *self, char *key, const char *name, uint16_t type)
{
    if (g_hash_table_size (self->entries) >= MAX_ENTRIES && self->n_calling == 0)
        g_hash_table_foreach_remove (self->entries, is_over, NULL);
    Entry *entry = g_new0 (Entry, 1);
    entry->memo = self;
    entry->key = key;
    g_hash_table_insert (self->entries, entry->key, entry);
    if (self->resolver != NULL)
        hk_resolver_ask (self->resolver, name, type, answered, entry);
    else
        answered (entry, HK_DNS_LATER, NULL, 0, "this process has no resolver");
    return entry;
}

HkAnswer
hk_dns_memo_ask (HkDnsMemo *self, const char *name, uint16_t type, HkDnsFn fn, void *data)
{
    g_autofree char *lower = g_ascii_strdown (name, -1);
    g_autofree char *key = g_strdup_printf ("%u %s", type, lower);
    Entry *entry = g_hash_table_lookup (self->entries, key);
    if (entry == NULL)
        entry = ask (self, g_steal_pointer (&key), name, type);
    if (entry->is_answered) {
        tell (entry, fn, data);
        return HK_OK;
    }
    if (fn == NULL)
        return HK_PENDING;
    if (entry->waiters == NULL)
        entry->waiters = g_array_new (FALSE, FALSE, sizeof (Waiter));
    g_array_append_val (entry->waiters, ((Waiter){fn, data}));
    return HK_PENDING;
}
