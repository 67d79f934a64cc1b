/* journal_priv.h: qmgr's journal: small records, synced together a few milliseconds later.
 *
 * A position counts bytes since the instance began and never restarts; a file of the
 * journal is named by the position of its first record.  After a failed sync a new file
 * begins at the position where the failed batch began, and the batch is written there
 * again: positions that were handed out stay good.  Checkpoints are named by the position
 * they reach. */
#ifndef HK_STORE_JOURNAL_PRIV_H
#define HK_STORE_JOURNAL_PRIV_H

#include "store/disk_priv.h"
#include "store/record_priv.h"

#define HK_JOURNAL_START 4096u /* the very first position; 0 means none */
#define HK_CHECKPOINT_PREFIX "checkpoint-"

typedef struct HkJournal HkJournal;
/* Loop: everything before POSITION is durable. */
typedef void (*HkJournalDurable) (uint64_t position, void *data);

/* DIR_FD borrowed.  Nothing is written before the first append. */
HkJournal *hk_journal_new (HkLoop *loop, const HkStoreIo *io, int dir_fd, uint64_t position,
                           int64_t delay_us, HkJournalDurable fn, void *data);
/* Writes what is left, calls nothing.  False when it could not be made durable. */
bool hk_journal_stop (HkJournal *self);
void hk_journal_unref (HkJournal *self);
/* Loop.  Length and checksums are filled in here; returns the record's position. */
uint64_t hk_journal_append (HkJournal *self, HkRecord *record, HkSpan head);
uint64_t hk_journal_end (HkJournal *self);
uint64_t hk_journal_durable (HkJournal *self);
uint64_t hk_journal_syncs (HkJournal *self);
/* What follows goes to a new file, which begins at the position returned. */
uint64_t hk_journal_rotate (HkJournal *self);
/* Any thread.  False when it does not read. */
bool hk_journal_read (HkJournal *self, uint64_t position, HkRecord *out,
                      GByteArray *out_head);
/* A file of an earlier run (takes FD): positions from BASE to END. */
void hk_journal_add_file (HkJournal *self, uint64_t base, uint64_t end, int fd,
                          const HkSeed *seed);
/* Close files that end at or before POSITION. */
void hk_journal_forget (HkJournal *self, uint64_t position);

#endif
