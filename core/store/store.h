/* store.h: the face of the room that keeps mail safe.
 *
 *   smtpd worker ──append──▶ lane/LANE/SEGMENT …          (HkLane: one writer each)
 *   qmgr ──outcomes──▶ journal/N                          (HkStore: one writer)
 *   qmgr ──moves──▶ deferred/QUEUEID, corrupt/…, free/…
 *
 * A lane is a directory of preallocated segment files written from front to end by one
 * process.  A message is one record: header, packed envelope, content, checksum seeded with
 * the segment's generation.  Appends that arrive while a sync is under way share the next
 * one (group commit): the callback that lets "250" out runs after fdatasync returned.  What
 * a failed sync covered is answered with an error, and its segment is never written again.
 *
 * The store (qmgr) holds one small entry for each live message, fed by announcements of the
 * lanes and, after a restart, by checkpoint, journal and a scan of the segments.  Outcomes
 * go to the journal in batches.  A segment without live messages goes to free/ with its
 * header cleared; lanes take from there.  Formats: doc/formats.md.
 *
 * Threads: "loop" unless said otherwise. */
#ifndef HK_STORE_H
#define HK_STORE_H

#include <sys/types.h>

#include "base/stats.h"
#include "loop/loop.h"
#include "mail/envelope.h"

#define HK_STORE_ERROR (hk_store_error_quark ())
GQuark hk_store_error_quark (void);
typedef enum {
    HK_STORE_ERROR_FULL,    /* no space: 452 4.3.1 */
    HK_STORE_ERROR_IO,      /* a write or sync failed: 451 4.3.0 */
    HK_STORE_ERROR_BUSY,    /* another process owns it */
    HK_STORE_ERROR_CORRUPT, /* a record or file does not read */
    HK_STORE_ERROR_ABSENT   /* no such message */
} HkStoreError;

/* The calls that can fail on a disk, handed in by tests; NULL anywhere: the system's.
 * Called from any thread. */
typedef struct HkStoreIo HkStoreIo;
struct HkStoreIo {
    ssize_t (*pwrite) (const HkStoreIo *self, int fd, const void *data, size_t size,
                       off_t at);
    int (*fdatasync) (const HkStoreIo *self, int fd);
    int (*fsync) (const HkStoreIo *self, int fd); /* whole files and directories */
    /* Reserve blocks for a file that grows; ENOSPC here is the usual "disk full". */
    int (*fallocate) (const HkStoreIo *self, int fd, off_t size);
};
extern const HkStoreIo hk_store_io_system;

typedef struct {
    uint32_t lane;    /* 0: qmgr's own */
    uint64_t segment; /* generation, unique in the instance, never reused */
    uint64_t offset;  /* of the record */
    uint32_t length;  /* of the record in the segment */
} HkLocation;

/* Make the directories below QUEUE_DIRECTORY that are missing (lane, journal, deferred,
 * hold, corrupt, free, maildrop, incoming, active, private, public, pid); owners as given
 * when running as root (uid -1: leave). */
typedef struct {
    int smtpd_uid, smtpd_gid, qmgr_uid, qmgr_gid, setgid_gid;
} HkStoreOwners;
bool hk_store_prepare (const char *queue_directory, const HkStoreOwners *owners,
                       GError **error);

/* ---- writing: a lane
 * ---------------------------------------------------------------------- */

typedef struct HkLane HkLane;
typedef struct {
    const char *queue_directory;
    uint64_t segment_size; /* bytes, preallocated with zeros */
    uint64_t min_free;     /* queue_minfree: refuse with FULL below this */
    bool is_notices;       /* lane 0, qmgr's */
    const HkStoreIo *io;   /* NULL: the system's */
    HkStats *stats;        /* store.syncs, store.messages, store.bytes, store.sync_failures,
                            * store.segments; may be NULL */
} HkLaneOptions;
/* Takes the first lane that no process owns (a lock tells), or lane 0. */
HkLane *hk_lane_open (HkLoop *loop, const HkLaneOptions *options, GError **error);
void hk_lane_close (HkLane *self); /* waits for the sync under way; calls what is left */
uint32_t hk_lane_id (const HkLane *self);
/* A fresh queue id for this lane; grows. */
HkQueueId hk_lane_next_id (HkLane *self);

/* ERROR NULL: durable at WHERE. */
typedef void (*HkLaneDone) (const HkLocation *where, const GError *error, void *data);
/* Append a message.  ENVELOPE is the packed envelope, CONTENT a run of spans; all are
 * copied before it returns.  FN runs on the loop, never from inside, in order of appends.
 */
void hk_lane_append (HkLane *self, HkQueueId id, HkSpan envelope, const HkSpan *content,
                     size_t n_content, HkLaneDone fn, void *data);

/* A large message: content goes to a file of its own as it arrives. */
typedef struct HkLaneFile HkLaneFile;
HkLaneFile *hk_lane_file_new (HkLane *self, HkQueueId id, GError **error);
/* May block on the disk's cache, no sync.  The error is sticky. */
bool hk_lane_file_write (HkLaneFile *file, HkSpan bytes, GError **error);
void hk_lane_file_abandon (HkLaneFile *file); /* removes it */
/* Sync the file, its directory and the record; takes FILE. */
void hk_lane_file_append (HkLane *self, HkLaneFile *file, HkSpan envelope, HkLaneDone fn,
                          void *data);

/* Durable end as of now, for HELLO.  Before the first message: the segment that will be
 * begun, which may have no file yet. */
void hk_lane_end (const HkLane *self, uint64_t *out_segment, uint64_t *out_offset);
/* Is there room for SIZE more bytes?  Looks at min_free about once a second. */
bool hk_lane_has_space (HkLane *self, uint64_t size);

/* ---- reading one message
 * ------------------------------------------------------------------ */

typedef struct HkStoredMessage {
    HkEnvelope *envelope;
    int fd;                  /* where the content is; open, owned */
    uint64_t content_offset; /* in fd */
    uint64_t content_size;
    /* Per recipient, same order as the envelope: */
    struct HkRecipientState *states;
} HkStoredMessage;
typedef struct HkRecipientState {
    uint8_t
        status; /* 0 pending, HK_STATUS_SENT, HK_STATUS_BOUNCED; DEFERRED: tried, pending */
    HkSpan dsn, reason; /* of the last attempt; empty when none */
} HkRecipientState;
void hk_stored_message_free (HkStoredMessage *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkStoredMessage, hk_stored_message_free)
/* Read the record in the segment or message file PATH at OFFSET; any process (postcat). All
 * states are pending. */
HkStoredMessage *hk_stored_message_read (const char *path, uint64_t offset, GError **error);

/* ---- the queue's state (qmgr)
 * ------------------------------------------------------------- */

typedef struct HkStore HkStore;

typedef enum {
    HK_QUEUE_INCOMING = 0, /* announced, not looked at */
    HK_QUEUE_ACTIVE = 1,
    HK_QUEUE_DEFERRED = 2,
    HK_QUEUE_HOLD = 3
} HkQueueName;
const char *hk_queue_name (HkQueueName queue); /* "incoming", … */

/* One live message.  At most 64 bytes, since there may be a million. */
typedef struct HkEntry {
    HkQueueId id;
    uint64_t segment;  /* 0: in deferred/ */
    uint64_t state_at; /* where its newest state record stands in the journal; 0: none */
    uint32_t offset_blocks; /* offset in units of the record alignment */
    uint32_t length;
    uint32_t next_attempt; /* seconds since 1970 */
    uint32_t attempts : 16;
    uint32_t queue : 3;      /* HkQueueName */
    uint32_t was_warned : 1; /* delay warning sent */
    uint32_t is_forced_expire : 2;
    uint32_t lane : 6;
    uint32_t has_file : 1; /* content in incoming/QUEUEID */
    uint32_t was_by_told : 1; /* DELIVERBY: the sender knows that its time is over */
    uint32_t spare : 2;
    uint32_t size_kib;   /* message size, rounded up */
    uint32_t heap_place; /* for the scheduler's timer heap */
} HkEntry;

/* Open and recover.  Torn tails are cut; bad records go to corrupt/ and are reported
 * through hk_log.  Fails with BUSY when another qmgr owns it. */
HkStore *hk_store_open (HkLoop *loop, const char *queue_directory, GError **error);
void hk_store_close (HkStore *self); /* syncs the journal */

/* The same with everything that can be turned; zero means the default. */
typedef struct {
    const HkStoreIo *io;
    HkStats *stats; /* store.journal_syncs, store.checkpoints, store.moved; or NULL */
    uint64_t checkpoint_bytes;  /* journal grown by this: write a checkpoint (8 MiB) */
    uint64_t scan_bytes;        /* or this much mail taken in (128 MiB) */
    unsigned max_segments;      /* closed segments in use before messages move out (8) */
    int64_t max_segment_age_us; /* ... or one this long closed (3 minutes) */
    unsigned max_free;          /* segments kept in free/ (4) */
    int64_t journal_delay_us;   /* how long outcomes are gathered before a sync (10 ms) */
} HkStoreOptions;
HkStore *hk_store_open_with (HkLoop *loop, const char *queue_directory,
                             const HkStoreOptions *options, GError **error);

/* A lane said HELLO: read its segments up to here; new messages are reported by FN. */
typedef void (*HkEntryFn) (HkEntry *entry, void *data);
void hk_store_catch_up (HkStore *self, uint32_t lane, uint64_t segment, uint64_t offset,
                        HkEntryFn fn, void *data);
/* A lane announced a message.  NULL when it is known already.  Messages of the lane that
 * were durable before and never announced are found on disk and go to catch_up's FN first.
 */
HkEntry *hk_store_admit (HkStore *self, HkQueueId id, const HkLocation *where,
                         uint64_t content_size);
HkEntry *hk_store_find (HkStore *self, HkQueueId id);
void hk_store_foreach (HkStore *self, HkEntryFn fn, void *data);
size_t hk_store_count (HkStore *self, HkQueueName queue);

/* Read the message of an entry with its recipients' states.  Make the entry ACTIVE first
 * when its content will be read later than in this turn: only then the bytes stay where
 * they are (while the result lives they do as well). */
HkStoredMessage *hk_store_load (HkStore *self, const HkEntry *entry, GError **error);

/* Outcomes.  All are journalled; durable within the journal's next sync.
 * outcome: recipient INDEX is finished (SENT, BOUNCED). */
void hk_store_outcome (HkStore *self, HkEntry *entry, size_t index, int status);
/* All recipients' states at once, with the next attempt; the entry becomes DEFERRED. */
void hk_store_defer (HkStore *self, HkEntry *entry, const HkRecipientState *states,
                     size_t n_states, int64_t next_attempt_s);
void hk_store_set_queue (HkStore *self, HkEntry *entry,
                         HkQueueName queue); /* hold, release */
void hk_store_set_warned (HkStore *self, HkEntry *entry);
void hk_store_set_by_told (HkStore *self, HkEntry *entry);
void hk_store_set_forced_expire (HkStore *self, HkEntry *entry, unsigned value);
void hk_store_set_next_attempt (HkStore *self, HkEntry *entry, int64_t next_attempt_s);
/* Finished: ENTRY is gone. */
void hk_store_done (HkStore *self, HkEntry *entry);
/* Unreadable: moved whole to corrupt/, reported, ENTRY is gone. */
void hk_store_quarantine (HkStore *self, HkEntry *entry, const GError *why);
/* FN once everything journalled before is durable. */
void hk_store_when_durable (HkStore *self, void (*fn) (void *data), void *data);
/* Where the content and record of ENTRY are: a path (free it), the record's offset. */
char *hk_store_path (HkStore *self, const HkEntry *entry, uint64_t *out_offset);
/* Periodic work: checkpoints, moving old messages to deferred/, freeing segments.  Once a
 * second or so from a timer; slow parts go to WORKERS (NULL: done here and now). */
void hk_store_tend (HkStore *self, HkWorkers *workers);

/* ---- fsck
 * ----------------------------------------------------------------------------------- */

typedef struct {
    uint64_t n_segments, n_records, n_live, n_torn, n_bad, n_repaired;
} HkFsckReport;
/* Check (and with REPAIR mend) a queue that no process owns. LINE gets one line a finding.
 */
bool hk_store_fsck (const char *queue_directory, bool repair,
                    void (*line) (const char *text, void *data), void *data,
                    HkFsckReport *out_report, GError **error);

#endif
