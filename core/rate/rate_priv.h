/* rate_priv.h: the shared mapping, byte for byte. */
#ifndef HK_RATE_PRIV_H
#define HK_RATE_PRIV_H

#include "rate/rate.h"

#include <pthread.h>

enum {
    HK_RATE_WAYS = 16,       /* entries of a set */
    HK_RATE_PROCESSES = 128, /* twice smtpd_workers at most: a reload has both */
    HK_RATE_LOCKS = 64
};
#define HK_RATE_MAGIC UINT64_C (0x686b726174653031) /* "hkrate01" */

typedef struct {
    uint64_t key[2]; /* 0, 0: free */
    int64_t start_us;
    int64_t expires_us; /* nothing in it means anything after that */
    union {
        uint32_t counts[HK_N_RATES];
        int64_t stamps[HK_N_STAMPS]; /* of a table that is kept */
    };
    uint32_t taken, previous; /* of the window that slides */
    uint32_t n_holds;         /* sum of holds */
    uint16_t holds[HK_RATE_PROCESSES];
} HkRateEntry;

typedef struct {
    uint32_t value;
    char name[76];
    int64_t wall_us;
} HkRatePeak;

typedef struct {
    uint64_t magic, entry_size, n_entries;
    uint64_t secret[4];
    uint32_t n_used;                 /* atomic */
    pthread_mutex_t peak_lock;       /* guards the next two */
    int64_t reported_us;
    HkRatePeak peaks[HK_N_PEAKS];
    pthread_mutex_t locks[HK_RATE_LOCKS]; /* each guards every 64th set */
} HkRateHeader;

struct HkRates {
    const HkClock *clock;
    HkRateHeader *header;
    HkRateEntry *entries;
    size_t n_entries, map_size;
    bool is_kept;
    unsigned place; /* of this process, in holds */
    int fd;         /* -1: private */
};

/* ---- key.c */
void hk_rate_key (const uint64_t secret[4], HkSpan name, uint64_t out[2]);

/* ---- table.c */
void hk_rate_lock (pthread_mutex_t *lock);
/* Take back what the process in PLACE held. */
void hk_rate_forget_process (HkRates *self, unsigned place);

#endif
