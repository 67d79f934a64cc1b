/* store_priv.h: the parts of qmgr's store that its files share.  Everything belongs to the
 * loop thread; a job on a worker works on copies and descriptors of its own, and there is
 * at most one job at a time, so that a checkpoint never meets a move half done. */
#ifndef HK_STORE_STORE_PRIV_H
#define HK_STORE_STORE_PRIV_H

#include "store/disk_priv.h"
#include "store/index_priv.h"
#include "store/journal_priv.h"
#include "store/record_priv.h"
#include "store/scan_priv.h"

/* HkEntry.state_at, and the link in OUTCOME and MOVED records: a journal position, or with
 * this bit an offset in the checkpoint in use (in records the bit alone: "see there"). */
#define HK_STATE_IN_CHECKPOINT (UINT64_C (1) << 63)

enum {                              /* flags of a SEGMENT record */
       HK_SEGMENT_CLOSED = 1 << 0,  /* nothing will be added */
       HK_SEGMENT_SCANNED = 1 << 1, /* ... and everything in it is accounted for */
       HK_SEGMENT_FREED = 1 << 2,
       HK_SEGMENT_STUCK = 1 << 3
};

/* One segment file.  Kept while the file exists or a message that was read points into it.
 */
typedef struct HkSegment {
    unsigned references;
    uint64_t generation;
    uint32_t lane;
    uint64_t accounted;  /* records before are in the index or done */
    uint64_t busy_until; /* journal position that must be durable before it is freed */
    uint32_t n_live, n_pins;
    int fd; /* -1: not opened yet */
    uint64_t size;
    HkSeed seed;
    bool is_closed, is_scanned, is_freed, is_failed;
    bool is_short; /* said so */
    bool is_stuck; /* something in it could not be kept: not freed before fsck */
    int64_t closed_us;
} HkSegment;

/* A name to remove once DONE is durable. */
typedef struct {
    uint64_t id;
    uint64_t after; /* journal position */
    bool in_deferred, in_incoming;
} HkUnlink;

typedef struct {
    HkFsckReport report;
    bool is_readonly;                            /* look, touch nothing */
    bool may_mend;                               /* fsck: nobody else has the files */
    void (*line) (const char *text, void *data); /* NULL: hk_log */
    void *data;
} HkFindings;

typedef struct {
    void (*fn) (void *data);
    void *data;
    uint64_t position;
} HkWaiter;

struct HkStore {
    gint references; /* owner, jobs */
    HkLoop *loop;
    HkStoreOptions options;
    const HkStoreIo *io;
    char *queue_directory;
    int root_fd, lane_fd, journal_fd, deferred_fd, incoming_fd, corrupt_fd, free_fd,
        lock_fd;
    HkFindings findings;
    bool is_closed;

    HkIndex index;
    size_t counts[4];
    GHashTable *segments;       /* generation → HkSegment, owned */
    uint64_t current[HK_LANES]; /* newest segment of each lane that is known */
    bool is_live[HK_LANES];     /* recovery: the lane has a writer */
    HkEntryFn found;            /* catch_up's, for what turns up later */
    void *found_data;

    HkJournal *journal;
    GQueue waiters;  /* HkWaiter, in order */
    GArray *unlinks; /* HkUnlink */

    int checkpoint_fd; /* -1: none */
    HkSeed checkpoint_seed;
    uint64_t checkpoint_at; /* journal position it reaches; 0: none */
    GHashTable *bases;      /* id → offset in the checkpoint, for chains that end there */
    uint64_t checkpoint_size;
    uint64_t journal_mark, admitted_bytes; /* since the last checkpoint */
    bool has_job;
    bool wants_checkpoint;
    int64_t checkpoint_us, moved_us;
    uint64_t *n_syncs, *n_checkpoints, *n_moved; /* counters or NULL */
};

/* store.c */
HkStore *hk_store_new (HkLoop *loop, const char *queue_directory,
                       const HkStoreOptions *options, const HkFindings *findings,
                       GError **error);
void hk_store_start_journal (HkStore *self, uint64_t position);
void hk_store_ref (HkStore *self);
void hk_store_unref (HkStore *self);
/* Put an entry of SEGMENT (NULL: deferred/) into the index, counted. */
HkEntry *hk_store_insert (HkStore *self, HkQueueId id, HkSegment *segment, uint64_t offset,
                          uint32_t length, uint64_t content_size);
/* Out of index and counts; nothing is journalled. */
void hk_store_forget (HkStore *self, HkEntry *entry);
void hk_store_count_queue (HkStore *self, HkEntry *entry, HkQueueName queue);
static inline uint64_t
hk_entry_offset (const HkEntry *entry)
{
    return (uint64_t) entry->offset_blocks * HK_RECORD_ALIGN;
}

/* segment.c */
HkSegment *hk_segment_get (HkStore *self, uint64_t generation); /* NULL: not known */
HkSegment *hk_segment_add (HkStore *self, uint64_t generation, uint32_t lane);
/* By the mark that stands in a record which agrees with GENERATION. */
bool hk_seed_from_records (int fd, uint64_t generation, uint64_t first, HkSeed *out);
bool hk_segment_open (HkStore *self, HkSegment *segment, GError **error);
void hk_segment_close (HkStore *self, HkSegment *segment);
void hk_segment_unref (HkSegment *segment);
char *hk_segment_path (HkSegment *segment); /* below queue_directory */
/* The generations (uint64_t) that have a file in lane/LANE, in order; NULL: error. */
GArray *hk_segment_list (HkStore *self, uint32_t lane, GError **error);

typedef struct {
    const HkIdSet *done; /* not admitted; NULL: none */
    const HkIdSet *seen; /* known to be good: their bodies are not read */
    bool judge; /* what does not read is damage, not something still being written */
    HkEntryFn fn;
    void *data;
} HkScanRules;
/* Account for the records up to END (UINT64_MAX: all). False: the file cannot be read. */
bool hk_segment_scan (HkStore *self, HkSegment *segment, uint64_t end,
                      const HkScanRules *rules, GError **error);

/* quarantine.c: bytes of FD into corrupt/NAME, durable; false: they could not be kept. */
bool hk_quarantine_bytes (HkStore *self, int fd, const HkSeed *seed, uint64_t at,
                          uint64_t size, const char *name);
/* A whole file, durably; true as well when there is none. */
bool hk_move_to_corrupt (HkStore *self, int dir_fd, const char *name, const char *new_name);
void hk_finding (HkStore *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* states.c: the newest states of a message, from the end of its chain. */
typedef struct {
    HkJournal *journal;
    int checkpoint_fd;
    HkSeed checkpoint_seed;
    uint64_t checkpoint_at;
} HkStateSource;
HkStateSource hk_state_source (HkStore *self);
/* Where in the checkpoint the states of ID are, when its chain begins in the journal. */
uint64_t hk_state_base (HkStore *self, HkQueueId id);
void hk_store_remember_base (HkStore *self, HkQueueId id, uint64_t at);
/* States of at most LIMIT recipients; spans point into OUT_BACKING.  Any thread. */
GArray *hk_states_read (const HkStateSource *source, uint64_t state_at, uint64_t base,
                        size_t limit, GPtrArray *out_backing);

/* message.c: everything that belongs to ENTRY is read and compared with its checksums. */
bool hk_entry_verify (HkStore *self, const HkEntry *entry, GError **error);

/* recover.c */
bool hk_store_recover (HkStore *self, GError **error);

/* checkpoint.c */
void hk_store_settle (HkStore *self);
/* checkpoint_load.c: names of journals and checkpoints. */
GPtrArray *hk_journal_names (int journal_fd, GError **error);
bool hk_checkpoint_is_due (HkStore *self);
void hk_checkpoint_start (HkStore *self, HkWorkers *workers);
/* Reads the newest that is whole into the store; its DONE records into DONE.  Sets
 * OUT_IS_DAMAGED when something was lost with it. */
bool hk_checkpoint_load (HkStore *self, HkIdSet *done, bool *out_is_damaged,
                         GError **error);

/* tend.c */
void hk_store_run_job (HkStore *self, HkWorkers *workers, void (*work) (void *),
                       void (*done) (void *), void *job);
/* move.c, release.c, tend.c: true when there was something to do. */
bool hk_move_start (HkStore *self, HkWorkers *workers);
bool hk_free_start (HkStore *self, HkWorkers *workers);
bool hk_unlink_start (HkStore *self, HkWorkers *workers);

#endif
