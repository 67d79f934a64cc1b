/* lane_priv.h: the parts of a lane that lane*.c share.
 *
 *   loop thread     fills `open`, a batch of sealed-later records; runs the callbacks
 *   writer thread   takes the batch, finds it a place, seals, writes, syncs, posts it back
 *   helper thread   prepares the next segment; syncs content files
 *
 * `lock` guards what the comment below says; everything else belongs to one thread. */
#ifndef HK_STORE_LANE_PRIV_H
#define HK_STORE_LANE_PRIV_H

#include <pthread.h>

#include "store/disk_priv.h"
#include "store/record_priv.h"

/* One append on its way. */
typedef struct {
    HkLaneDone fn;
    void *data;
    HkRecord record;
    size_t at;        /* in the batch */
    HkLocation where; /* set by the writer */
    int failure;      /* errno; 0: durable */
    HkLaneFile *file; /* large message; owned */
} HkLaneItem;

typedef struct HkLaneBatch {
    uint8_t *bytes;
    size_t used, size;
    GArray *items; /* HkLaneItem */
} HkLaneBatch;

typedef struct {
    int fd;                        /* -1: none */
    uint64_t generation, size, at; /* at: where the next record goes */
    HkSeed seed;
} HkLaneSegment;

typedef enum { HK_NEXT_NONE, HK_NEXT_WANTED, HK_NEXT_READY, HK_NEXT_FAILED } HkLaneNext;

struct HkLane {
    gint references; /* the owner, and each post under way */
    HkLoop *loop;
    HkLaneOptions options;
    const HkStoreIo *io;
    uint32_t id;
    int lock_fd, dir_fd, free_fd, incoming_fd, root_fd;

    /* loop thread */
    uint64_t last_id;
    HkLocation end;
    int64_t space_checked_us;
    uint64_t space;   /* bytes above min_free */
    unsigned n_files; /* content files being synced */
    bool is_closed;

    /* writer thread */
    HkLaneSegment segment;
    uint64_t next_generation;
    bool is_failing; /* said so in the log */
    uint64_t *n_syncs, *n_messages, *n_bytes, *n_failures,
        *n_segments; /* counters or NULL */

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t to_writer, to_helper, from_helper;
    HkLaneBatch *open;
    GQueue done;  /* batches on their way back */
    GQueue spare; /* empty batches */
    bool is_posted;
    bool stop_writer, stop_helper;
    HkLaneNext next;
    uint64_t next_wanted; /* bytes */
    int next_fd, next_errno;
    uint64_t next_size;
    GQueue files;           /* HkLaneFile to sync */
    GQueue synced;          /* ... that were */
    bool is_recycling_said; /* helper thread */
    GThread *writer, *helper;
};

struct HkLaneFile {
    HkLane *lane;
    HkQueueId id;
    int fd;
    uint64_t size, flushed;
    uint32_t crc;
    int failure; /* errno, sticky */
    /* while it waits for its sync */
    GBytes *envelope;
    HkLaneDone fn;
    void *data;
};

void hk_lane_ref (HkLane *self);
void hk_lane_unref (HkLane *self);
/* lane.c: the record goes into the open batch.  FILE (taken) or content. */
void hk_lane_add (HkLane *self, HkQueueId id, HkSpan envelope, const HkSpan *content,
                  size_t n_content, HkLaneFile *file, HkLaneDone fn, void *data);
/* lane.c: bring `done` and `synced` to the loop; lock held. */
void hk_lane_post (HkLane *self);
/* lane_writer.c: thread body. */
void *hk_lane_writer (void *lane);
/* lane_helper.c: thread body. */
void *hk_lane_helper (void *lane);
/* lane_file.c */
int hk_lane_file_sync (HkLaneFile *file); /* helper thread; errno or 0 */
void hk_lane_file_free (HkLaneFile *file, bool remove);
void hk_lane_file_synced (HkLane *self); /* loop: their records may be appended */

#endif
