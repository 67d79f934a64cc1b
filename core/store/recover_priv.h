/* recover_priv.h: what the steps of a recovery hand to each other. */
#ifndef HK_STORE_RECOVER_PRIV_H
#define HK_STORE_RECOVER_PRIV_H

#include "store/store_priv.h"

typedef struct {
    uint64_t base, end; /* positions */
    int fd;
    HkSeed seed;
} HkOldJournal;

typedef struct {
    HkIdSet done;      /* finished messages */
    HkIdSet seen;      /* messages that were worked on: they were read before */
    HkIdSet freed;     /* generations of segments in which nothing counts any more */
    GArray *journals;  /* HkOldJournal, by base */
    uint64_t position; /* where the journal goes on */
    GArray *lost;      /* queue ids whose bytes are not where they should be */
    bool is_damaged;   /* the checkpoint: everything on disk is looked at */
} HkRecovery;

/* recover_journal.c */
bool hk_recover_open_journals (HkStore *self, HkRecovery *recovery, GError **error);
void hk_recover_note_journals (HkStore *self, HkRecovery *recovery); /* done and seen */
void hk_recover_apply_journals (HkStore *self, HkRecovery *recovery);
/* recover_files.c: deferred/ and incoming/ against the index. */
bool hk_recover_deferred (HkStore *self, HkRecovery *recovery, GError **error);
/* Before the segments are read; NULL: error. */
GArray *hk_recover_list_orphans (HkStore *self, GError **error);
bool hk_recover_incoming (HkStore *self, HkRecovery *recovery, GArray *orphans,
                          GError **error);

#endif
