/* table.c: finding an entry, counting in it, forgetting what no longer counts. */
#include "config.h"
#include "rate/rate_priv.h"

#include <errno.h>

void
hk_rate_lock (pthread_mutex_t *lock)
{
    /* Its owner died: counts may be off by one, which nobody will notice. */
    if (pthread_mutex_lock (lock) == EOWNERDEAD)
        pthread_mutex_consistent (lock);
}

/* ---- entries
 * ------------------------------------------------------------------------------- */

typedef struct {
    HkRateEntry *set;
    pthread_mutex_t *lock;
} Set;

static Set
lock_set (HkRates *self, const uint64_t key[2])
{
    size_t n = (size_t) (key[0] % (self->n_entries / HK_RATE_WAYS));
    Set out = {self->entries + n * HK_RATE_WAYS, &self->header->locks[n % HK_RATE_LOCKS]};
    hk_rate_lock (out.lock);
    return out;
}

static bool
is_key (const HkRateEntry *entry, const uint64_t key[2])
{
    return entry->key[0] == key[0] && entry->key[1] == key[1];
}

static bool
is_free (const HkRateEntry *entry)
{
    return entry->key[0] == 0 && entry->key[1] == 0;
}

static HkRateEntry *
find (HkRateEntry *set, const uint64_t key[2])
{
    for (unsigned i = 0; i < HK_RATE_WAYS; i++)
        if (is_key (&set[i], key))
            return &set[i];
    return NULL;
}

/* Free, else the one that expires first; one that is held goes last of all. */
static HkRateEntry *
choose (HkRateEntry *set)
{
    HkRateEntry *best = &set[0];
    for (unsigned i = 0; i < HK_RATE_WAYS; i++) {
        HkRateEntry *e = &set[i];
        if (is_free (e))
            return e;
        if ((e->n_holds > 0) < (best->n_holds > 0) ||
            ((e->n_holds > 0) == (best->n_holds > 0) && e->expires_us < best->expires_us))
            best = e;
    }
    return best;
}

static void note_peak (HkRates *self, HkPeak peak, unsigned value, HkSpan name);

static HkRateEntry *
find_or_make (HkRates *self, HkRateEntry *set, const uint64_t key[2], int64_t now,
              int64_t keep_us)
{
    HkRateEntry *entry = find (set, key);
    if (entry == NULL) {
        entry = choose (set);
        if (is_free (entry)) {
            unsigned n = __atomic_add_fetch (&self->header->n_used, 1, __ATOMIC_RELAXED);
            note_peak (self, HK_PEAK_ENTRIES, n, HK_SPAN_NONE);
        }
        *entry = (HkRateEntry){.key = {key[0], key[1]}, .start_us = now};
    }
    entry->expires_us = MAX (entry->expires_us, now + keep_us);
    return entry;
}

/* A client that is gone and whose counts are old is forgotten where we come by. */
static void
sweep (HkRates *self, HkRateEntry *set, int64_t now)
{
    for (unsigned i = 0; i < HK_RATE_WAYS; i++) {
        if (is_free (&set[i]) || set[i].n_holds > 0 || set[i].expires_us >= now)
            continue;
        set[i] = (HkRateEntry){.key = {0, 0}};
        __atomic_fetch_sub (&self->header->n_used, 1, __ATOMIC_RELAXED);
    }
}

static int64_t
now_us (const HkRates *self)
{
    /* A table that is kept outlives the machine's steady clock. */
    return self->is_kept ? hk_wall_us (self->clock) : hk_steady_us (self->clock);
}

/* ---- peaks
 * --------------------------------------------------------------------------------- */

static void
note_peak (HkRates *self, HkPeak peak, unsigned value, HkSpan name)
{
    HkRatePeak *p = &self->header->peaks[peak];
    if (value <= __atomic_load_n (&p->value, __ATOMIC_RELAXED))
        return;
    hk_rate_lock (&self->header->peak_lock);
    if (value > p->value) {
        size_t n = MIN (name.size, sizeof p->name - 1);
        __atomic_store_n (&p->value, value, __ATOMIC_RELAXED);
        if (n > 0)
            memcpy (p->name, name.data, n);
        p->name[n] = '\0';
        p->wall_us = hk_wall_us (self->clock);
    }
    pthread_mutex_unlock (&self->header->peak_lock);
}

void
hk_rates_peaks (HkRates *self, int64_t interval_us, bool force, HkPeakFn fn, void *data)
{
    HkRatePeak peaks[HK_N_PEAKS];
    HkRateHeader *h = self->header;
    int64_t now = now_us (self);
    hk_rate_lock (&h->peak_lock);
    bool is_due = force || now - h->reported_us >= interval_us;
    if (is_due) {
        memcpy (peaks, h->peaks, sizeof peaks);
        for (unsigned i = 0; i < HK_N_PEAKS; i++)
            __atomic_store_n (&h->peaks[i].value, 0, __ATOMIC_RELAXED);
        h->reported_us = now;
    }
    pthread_mutex_unlock (&h->peak_lock);
    for (unsigned i = 0; is_due && i < HK_N_PEAKS; i++) {
        peaks[i].name[sizeof peaks[i].name - 1] = '\0';
        if (peaks[i].value > 0)
            fn ((HkPeak) i, peaks[i].value, peaks[i].name, peaks[i].wall_us, data);
    }
}

/* ---- rates
 * --------------------------------------------------------------------------------- */

static const HkPeak peak_of[HK_N_RATES] = {
    [HK_RATE_CONNECTION] = HK_PEAK_CONNECTION_RATE,
    [HK_RATE_MESSAGE] = HK_PEAK_MESSAGE_RATE,
    [HK_RATE_RECIPIENT] = HK_PEAK_RECIPIENT_RATE,
    [HK_RATE_NEW_TLS] = HK_PEAK_NEW_TLS_RATE,
    [HK_RATE_AUTH] = HK_PEAK_AUTH_RATE,
};

unsigned
hk_rates_count (HkRates *self, HkSpan name, HkRateKind kind, int64_t unit_us)
{
    uint64_t key[2];
    int64_t now = now_us (self);
    hk_rate_key (self->header->secret, name, key);
    Set s = lock_set (self, key);
    HkRateEntry *entry = find_or_make (self, s.set, key, now, unit_us);
    if (now - entry->start_us > unit_us) {
        memset (entry->counts, 0, sizeof entry->counts);
        entry->start_us = now;
    }
    if (entry->counts[kind] < G_MAXINT)
        entry->counts[kind]++;
    unsigned value = entry->counts[kind];
    sweep (self, s.set, now);
    pthread_mutex_unlock (s.lock);
    note_peak (self, peak_of[kind], value, name);
    return value;
}

unsigned
hk_rates_peek (HkRates *self, HkSpan name, HkRateKind kind, int64_t unit_us)
{
    uint64_t key[2];
    int64_t now = now_us (self);
    hk_rate_key (self->header->secret, name, key);
    Set s = lock_set (self, key);
    const HkRateEntry *entry = find (s.set, key);
    unsigned value =
        entry == NULL || now - entry->start_us > unit_us ? 0 : entry->counts[kind];
    pthread_mutex_unlock (s.lock);
    return value;
}

/* ---- a window that slides
 * ------------------------------------------------------------------ */

/* Two windows side by side: of the one before, what still lies within the last UNIT_US is
 * taken to have come evenly. */
static void
slide (HkRateEntry *entry, int64_t now, int64_t unit_us)
{
    int64_t age = now - entry->start_us;
    if (age < unit_us)
        return;
    entry->previous = age < 2 * unit_us ? entry->taken : 0;
    entry->taken = 0;
    entry->start_us += age - age % unit_us;
}

bool
hk_rates_take (HkRates *self, HkSpan name, unsigned amount, unsigned limit, int64_t unit_us)
{
    uint64_t key[2];
    int64_t now = now_us (self);
    hk_rate_key (self->header->secret, name, key);
    Set s = lock_set (self, key);
    HkRateEntry *entry = find_or_make (self, s.set, key, now, 2 * unit_us);
    slide (entry, now, unit_us);
    sweep (self, s.set, now);
    int64_t left_us = unit_us - (now - entry->start_us);
    uint64_t before = (uint64_t) ((double) entry->previous * (double) left_us /
                                  (double) unit_us);
    bool is_granted = before + entry->taken + amount <= limit;
    if (is_granted)
        entry->taken += amount;
    pthread_mutex_unlock (s.lock);
    return is_granted;
}

/* ---- times that are kept
 * ------------------------------------------------------------------- */

void
hk_rates_remember (HkRates *self, HkSpan name, const int64_t stamps[HK_N_STAMPS],
                   int64_t keep_s)
{
    uint64_t key[2];
    int64_t now = now_us (self), last = 0;
    hk_rate_key (self->header->secret, name, key);
    for (unsigned i = 0; i < HK_N_STAMPS; i++)
        last = MAX (last, stamps[i]);
    Set s = lock_set (self, key);
    HkRateEntry *entry = find_or_make (self, s.set, key, now, 0);
    memcpy (entry->stamps, stamps, sizeof entry->stamps);
    entry->expires_us = (last + keep_s) * HK_SECOND;
    sweep (self, s.set, now);
    pthread_mutex_unlock (s.lock);
}

bool
hk_rates_recall (HkRates *self, HkSpan name, int64_t out[HK_N_STAMPS])
{
    uint64_t key[2];
    hk_rate_key (self->header->secret, name, key);
    Set s = lock_set (self, key);
    const HkRateEntry *entry = find (s.set, key);
    bool is_known = entry != NULL && entry->expires_us >= now_us (self);
    if (is_known)
        memcpy (out, entry->stamps, sizeof entry->stamps);
    pthread_mutex_unlock (s.lock);
    return is_known;
}

/* ---- at once
 * ------------------------------------------------------------------------------- */

unsigned
hk_rates_enter (HkRates *self, HkSpan name, HkRateHold *out)
{
    hk_rate_key (self->header->secret, name, out->key);
    Set s = lock_set (self, out->key);
    HkRateEntry *entry = find_or_make (self, s.set, out->key, now_us (self), 0);
    out->is_held = entry->holds[self->place] < G_MAXUINT16;
    if (out->is_held) {
        entry->holds[self->place]++;
        entry->n_holds++;
    }
    unsigned value = entry->n_holds;
    pthread_mutex_unlock (s.lock);
    note_peak (self, HK_PEAK_CONNECTION_COUNT, value, name);
    return value;
}

void
hk_rates_leave (HkRates *self, HkRateHold *hold)
{
    if (!hold->is_held)
        return;
    hold->is_held = false;
    Set s = lock_set (self, hold->key);
    HkRateEntry *entry = find (s.set, hold->key);
    /* NULL: forgotten meanwhile, because its set was full of others that are held */
    if (entry != NULL && entry->holds[self->place] > 0 && entry->n_holds > 0) {
        entry->holds[self->place]--;
        entry->n_holds--;
    }
    pthread_mutex_unlock (s.lock);
}

void
hk_rate_forget_process (HkRates *self, unsigned place)
{
    for (size_t i = 0; i < self->n_entries; i++) {
        HkRateEntry *e = &self->entries[i];
        if (is_free (e) || e->holds[place] == 0)
            continue;
        size_t n = i / HK_RATE_WAYS;
        pthread_mutex_t *lock = &self->header->locks[n % HK_RATE_LOCKS];
        hk_rate_lock (lock);
        e->n_holds -= MIN (e->n_holds, e->holds[place]);
        e->holds[place] = 0;
        pthread_mutex_unlock (lock);
    }
}
