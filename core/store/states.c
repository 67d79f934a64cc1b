/* states.c: what became of each recipient, read back from the journal.
 *
 * A STATE record (or the entry in a checkpoint) has all recipients; OUTCOME records after
 * it change one each and point to the record before. */
#include "config.h"

#include "store/store_priv.h"

#define RECIPIENTS_MAX (1u << 22)

HkStateSource
hk_state_source (HkStore *self)
{
    return (HkStateSource){self->journal, self->checkpoint_fd, self->checkpoint_seed,
                           self->checkpoint_at};
}

uint64_t
hk_state_base (HkStore *self, HkQueueId id)
{
    uint64_t *base =
        g_hash_table_size (self->bases) > 0 ? g_hash_table_lookup (self->bases, &id) : NULL;
    return base != NULL ? *base : 0;
}

void
hk_store_remember_base (HkStore *self, HkQueueId id, uint64_t at)
{
    g_hash_table_insert (self->bases, g_memdup2 (&id, sizeof id),
                         g_memdup2 (&at, sizeof at));
}

static bool
read_checkpoint (const HkStateSource *source, uint64_t at, HkRecord *out, GByteArray *head)
{
    uint8_t bytes[HK_RECORD_HEADER];
    if (source->checkpoint_fd < 0 ||
        hk_disk_read (source->checkpoint_fd, bytes, sizeof bytes, at) != sizeof bytes ||
        !hk_record_get (bytes, &source->checkpoint_seed, out))
        return false;
    uint32_t crc;
    g_byte_array_set_size (head, out->head_size);
    return hk_disk_read (source->checkpoint_fd, head->data, out->head_size,
                         at + HK_RECORD_HEADER) == (ssize_t) out->head_size &&
           hk_crc_file (source->checkpoint_fd, at + HK_RECORD_HEADER, out->head_size,
                        source->checkpoint_seed.crc, &crc) &&
           crc == out->head_crc;
}

static void
unpack_states (HkSpan packed, GArray *states, size_t limit)
{
    HkUnpack in = hk_unpack (packed);
    uint64_t n = hk_unpack_u64 (&in);
    for (uint64_t i = 0; i < n && i < limit && !in.failed; i++) {
        HkRecipientState state = {.status = (uint8_t) hk_unpack_u64 (&in)};
        state.dsn = hk_unpack_span (&in);
        state.reason = hk_unpack_span (&in);
        if (!in.failed)
            g_array_append_val (states, state);
    }
}

/* The place is in front of the states in a checkpoint's entry. */
static HkSpan
entry_states (HkSpan head)
{
    HkUnpack in = hk_unpack (head);
    for (int i = 0; i < 4; i++)
        hk_unpack_u64 (&in);
    return in.failed ? HK_SPAN_NONE : hk_span (in.at, (size_t) (in.end - in.at));
}

typedef struct {
    uint32_t index;
    uint8_t status;
} Outcome;

/* Outcomes, newest first, and the states they stand on. */
static void
walk_chain (const HkStateSource *source, uint64_t at, uint64_t base, size_t limit,
            GArray *outcomes, GArray *states, GPtrArray *backing)
{
    g_autoptr (GByteArray) head = g_byte_array_new ();
    bool is_based = false;
    while (at != 0) {
        HkRecord r;
        bool is_old = at & HK_STATE_IN_CHECKPOINT ||
                      (source->checkpoint_at != 0 && at < source->checkpoint_at);
        if (is_old) {
            uint64_t offset = at & ~HK_STATE_IN_CHECKPOINT;
            if (!(at & HK_STATE_IN_CHECKPOINT) || offset == 0)
                offset = base;
            if (is_based || offset == 0 || !read_checkpoint (source, offset, &r, head))
                return;
            is_based = true;
        } else if (!hk_journal_read (source->journal, at, &r, head)) {
            return;
        }
        if (r.type == HK_RECORD_OUTCOME) {
            Outcome outcome = {(uint32_t) r.arg, (uint8_t) r.flags};
            if (r.arg < limit)
                g_array_append_val (outcomes, outcome);
            if (!(r.extra & HK_STATE_IN_CHECKPOINT) && r.extra >= at)
                return; /* a link always leads back */
            at = r.extra;
            continue;
        }
        HkSpan packed = hk_span (head->data, head->len);
        if (r.type == HK_RECORD_ENTRY)
            packed = entry_states (packed);
        else if (r.type != HK_RECORD_STATE)
            return;
        unpack_states (packed, states, limit);
        g_ptr_array_add (backing, g_steal_pointer (&head));
        return;
    }
}

GArray *
hk_states_read (const HkStateSource *source, uint64_t state_at, uint64_t base, size_t limit,
                GPtrArray *out_backing)
{
    GArray *states = g_array_new (FALSE, TRUE, sizeof (HkRecipientState));
    g_autoptr (GArray) outcomes = g_array_new (FALSE, FALSE, sizeof (Outcome));
    limit = MIN (limit, (size_t) RECIPIENTS_MAX);
    walk_chain (source, state_at, base, limit, outcomes, states, out_backing);
    for (guint i = outcomes->len; i > 0; i--) {
        const Outcome *o = &g_array_index (outcomes, Outcome, i - 1);
        if (o->index >= states->len)
            g_array_set_size (states, o->index + 1);
        g_array_index (states, HkRecipientState, o->index).status = o->status;
    }
    return states;
}
