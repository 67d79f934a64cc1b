/* verify_priv.h: address verification: who asks, the cache, and probes under way.
 *
 *   smtpd ──VERIFY──▶ verify.c ─▶ cache: known ──VERIFIED──▶ smtpd
 *                        │ not known, or old: probe.c, one for an address, whoever asks
 *                        ▼
 *   expand (worker) ─▶ route (address_verify_*) ─▶ HkSched ─▶ agent: would it deliver?
 *                        └── deferred, bounced here ──┐            │
 *        cache, log, all who wait ◀── hk_verify_ended ◀────────────┘
 *
 * A probe is an Active without anything in the store: a restart forgets it, and whoever
 * asks next starts another.  No notice ever comes of it. */
#ifndef HK_QMGR_VERIFY_PRIV_H
#define HK_QMGR_VERIFY_PRIV_H

#include "qmgr/qmgr_priv.h"
#include "verify/verify.h"

struct Verify {
    Qmgr *q;
    HkVerifyCache *cache;
    char *path;                  /* of its file; NULL: in memory */
    char *shown;                 /* address_verify_map, for the log */
    HkRouter *router;            /* for probes */
    GHashTable *probes;          /* key → Probe */
    struct Rewriting *rewriting; /* a worker writes the file anew; NULL: none does */
    bool must_reopen;            /* afterwards: the map is another one now */
    bool keeps_negative;
    unsigned pending_limit;
    int64_t cleanup_us;
    HkLoopTimer sweep;
    struct {
        uint64_t *questions, *hits, *probes, *deliverable, *deferred, *undeliverable,
            *entries, *pending;
    } count;
};

struct Probe {
    Verify *verify;
    char *key;      /* in the cache */
    GQueue waiters; /* of verify.c */
    Active *active;
    HkEntry entry; /* stands for one of the store: nothing is known */
    HkEnvelope envelope;
    HkRecipient recipient;
    char *sender, *asked, *expanded; /* expanded NULL: the same as asked */
    struct Routing *routing;         /* a worker looks where it goes */
};

/* probe.c */
Probe *hk_probe_new (Verify *verify, const char *key, HkSpan address);
void hk_probe_start (Probe *self); /* hk_verify_ended may follow at once */
void hk_probe_free (Probe *self);

/* verify.c: STATUS is HK_VERIFY_*.  Frees PROBE. */
void hk_verify_ended (Probe *probe, int32_t status, HkSpan text);

#endif
