/* rate.h: counting events for each client, user or address: how many in a time, how many at
 * once.
 *
 * One mapping of fixed size (data_directory/smtpd_rates) is shared by all processes of an
 * instance, those that a reload is replacing included: a reload forgets nothing, a restart
 * everything.  A name ("smtp:192.0.2.1") becomes 128 bits by a keyed hash and goes to one of
 * the places of its set; of a full set the one that would expire first is forgotten, so
 * memory is bounded whatever strangers do, and nobody can choose names that share a set.
 *
 *   header | set 0: 16 entries | set 1 | …          entry: name, times, counts, holds
 *
 * "At once" is counted for each process apart: the holds of one that died are taken back by
 * the next that opens the mapping.  Locks are robust: who dies inside one leaves counts that
 * may be off by one.
 *
 * Any thread of any process. */
#ifndef HK_RATE_H
#define HK_RATE_H

#include "base/bytes.h"
#include "base/clock.h"

typedef struct HkRates HkRates;

/* What is counted in an entry; one start time for all of them, as Postfix's anvil has it. */
typedef enum {
    HK_RATE_CONNECTION,
    HK_RATE_MESSAGE,
    HK_RATE_RECIPIENT,
    HK_RATE_NEW_TLS,
    HK_RATE_AUTH,
    HK_N_RATES
} HkRateKind;

/* The mapping in PATH, made when need be; NULL: private memory.  ENTRIES (rounded to whole
 * sets) counts when it is made; one that others have open keeps its size. */
HkRates *hk_rates_open (const char *path, size_t entries, const HkClock *clock,
                        GError **error);
/* ... that outlives a restart and holds times instead of counts: hk_rates_remember and
 * hk_rates_recall only. */
HkRates *hk_rates_open_kept (const char *path, size_t entries, const HkClock *clock,
                             GError **error);
void hk_rates_free (HkRates *self); /* takes back the holds of this process */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkRates, hk_rates_free)

/* Nobody else has the mapping open. */
bool hk_rates_is_last (HkRates *self);

/* One more of KIND for NAME; how many there were within UNIT_US of the first. */
unsigned hk_rates_count (HkRates *self, HkSpan name, HkRateKind kind, int64_t unit_us);
/* ... without counting. */
unsigned hk_rates_peek (HkRates *self, HkSpan name, HkRateKind kind, int64_t unit_us);

/* AMOUNT more for NAME when no more than LIMIT have come within the last UNIT_US (a window
 * that slides); false: nothing was counted. */
bool hk_rates_take (HkRates *self, HkSpan name, unsigned amount, unsigned limit,
                    int64_t unit_us);

/* One more at once; how many there are now, in all processes. */
typedef struct {
    uint64_t key[2];
    bool is_held;
} HkRateHold;
unsigned hk_rates_enter (HkRates *self, HkSpan name, HkRateHold *out);
void hk_rates_leave (HkRates *self, HkRateHold *hold); /* nothing when it is not held */

/* Times (seconds since 1970) that somebody has earned, forgotten KEEP_S after the last of
 * them; false: nothing is known of NAME. */
#define HK_N_STAMPS 5
void hk_rates_remember (HkRates *self, HkSpan name, const int64_t stamps[HK_N_STAMPS],
                        int64_t keep_s);
bool hk_rates_recall (HkRates *self, HkSpan name, int64_t out[HK_N_STAMPS]);

/* The highest values since the last call, of all processes: FN gets what, value, whose and
 * when.  INTERVAL_US has to have gone by since somebody's last call, or FORCE. */
typedef enum {
    HK_PEAK_CONNECTION_RATE,
    HK_PEAK_CONNECTION_COUNT,
    HK_PEAK_MESSAGE_RATE,
    HK_PEAK_RECIPIENT_RATE,
    HK_PEAK_NEW_TLS_RATE,
    HK_PEAK_AUTH_RATE,
    HK_PEAK_ENTRIES,
    HK_N_PEAKS
} HkPeak;
typedef void (*HkPeakFn) (HkPeak peak, unsigned value, const char *name, int64_t wall_us,
                          void *data);
void hk_rates_peaks (HkRates *self, int64_t interval_us, bool force, HkPeakFn fn,
                     void *data);

#endif
