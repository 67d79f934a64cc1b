/* deliver_priv.h: the parts of the deliver role, for this folder only.
 *
 *   qmgr ═channel═ HkPeer ── HkJob ──▶ transport instance (loop, worker thread)
 *                     │         └────▶ HkChildren: one process for each user, which runs
 * the HkContent           same code behind a socket pair (only as root)
 *
 * A peer is whoever sends jobs: qmgr, or in a child its parent.  A job is one message with
 * its recipients for one next hop.  Each recipient gets exactly one outcome; when all are
 * known they are logged, sent back, and the job is gone.  Loop thread unless said
 * otherwise. */
#ifndef HK_DELIVER_PRIV_H
#define HK_DELIVER_PRIV_H

#include "base/log.h"
#include "deliver/params.h"
#include "host/events.h"
#include "host/host.h"
#include "ipc/channel.h"
#include "ipc/frames.h"
#include "loop/loop.h"
#include "mail/envelope.h"

#include <pthread.h>

typedef struct HkDeliver HkDeliver;
typedef struct HkPeer HkPeer;
typedef struct HkJob HkJob;
typedef struct HkContent HkContent;
typedef struct HkChildren HkChildren;

/* The one transport that this process serves. */
typedef struct {
    const HkTransportClass *class;
    void *pointer;        /* the plugin's instance */
    HkInstance *instance; /* for its lock; NULL: none */
    const char *service;  /* master.cf name */
    const char *agent;    /* command word: the program in log lines */
    unsigned limit;       /* jobs at once */
} HkDeliverTransport;

struct HkDeliver {
    HkLoop *loop;
    HkDeliverTransport transport;
    HkEvents *events;     /* NULL: a child, whose parent tells */
    HkWorkers *workers;   /* NULL with an event-driven transport or children */
    HkChildren *children; /* NULL: deliver with the rights of this process */
    HkUser nobody;        /* whose rights a recipient without a user gets */
    bool is_child;
    bool forgets_failed_probes; /* address_verify_negative_cache = no */
    GPtrArray *peers;
    GHashTable *contents;  /* set of HkContent, all that are open */
    GPtrArray *forwarding; /* jobs that wait for qmgr's FORWARDED */
    HkFdWatch listener;
    unsigned n_jobs;
    uint64_t n_done; /* jobs that ended */
    bool is_draining;
    pthread_t loop_thread;
    HkLoopTimer idle;
    int64_t max_idle_us; /* 0: stay */
    int64_t forward_timeout_us;
    int64_t last_job_us;
    void (*ended) (void *data); /* drained or idle: nothing is left to do */
    void *ended_data;
};

/* ---- server.c: peers and their frames */

/* LOOP, TRANSPORT and the options stand in SELF, the rest is zero.  Takes no descriptor. */
void hk_deliver_start (HkDeliver *self);
void hk_deliver_stop (HkDeliver *self); /* closes peers; no job may be under way */
bool hk_deliver_listen (HkDeliver *self, int fd, GError **error); /* FD stays open */
HkPeer *hk_deliver_add_peer (HkDeliver *self, int fd);            /* takes FD */
/* Take nothing new; `ended` is called once all jobs are done. */
void hk_deliver_drain (HkDeliver *self);
void hk_deliver_job_ended (HkDeliver *self); /* by job.c */
HkChannel *hk_peer_channel (HkPeer *self);   /* NULL: it hung up */
HkPeer *hk_peer_ref (HkPeer *self);
void hk_peer_unref (HkPeer *self);
/* Close this process's copies of all descriptors of peers and their contents, and of the
 * listener, and send nothing: in a forked child. */
void hk_deliver_close_descriptors (HkDeliver *self);

/* ---- content.c: descriptors of message files, mapped once and shared by jobs */

/* Takes FD.  DELIVER is told when the content goes. */
HkContent *hk_content_new (HkDeliver *deliver, int fd);
HkContent *hk_content_ref (HkContent *self);
void hk_content_unref (HkContent *self);
/* Make bytes up to END readable; a file that has grown gets a new object in *SLOT.  False:
 * the file is shorter, or cannot be mapped. */
bool hk_content_reach (HkContent **slot, uint64_t end);
const uint8_t *hk_content_data (const HkContent *self); /* any thread */
uint64_t hk_content_serial (const HkContent *self);     /* unique in the process */
int hk_content_fd (const HkContent *self);

/* ---- job.c */

typedef struct {
    int status; /* HK_STATUS_*; 0: not known yet */
    uint32_t flags, conn_use;
    HkSpan dsn, text, relay, diagnostic, remote;
    int64_t connect_us, transmit_us;
    /* HK_STATUS_FORWARDED */
    const HkSpan *forward;
    size_t n_forward;
    HkSpan forward_sender, forward_header;
    bool is_asked; /* qmgr was asked to forward */
} HkOutcome;

/* Read a JOB frame and run it.  SLOT finds the content by key.  False: malformed frame. */
typedef HkContent **(*HkContentSlotFn) (HkPeer *peer, uint64_t key);
bool hk_job_start (HkDeliver *deliver, HkPeer *peer, HkSpan payload, HkContentSlotFn slot);
/* qmgr answered a FORWARD frame. */
void hk_job_forwarded (HkPeer *peer, HkDeliver *deliver, HkSpan payload);
void hk_job_peer_lost (HkPeer *peer, HkDeliver *deliver); /* nobody will answer */
void hk_job_complete (HkJob *self);                       /* any thread */
const HkEnvelope *hk_job_envelope (const HkJob *self);
int64_t hk_job_active_us (const HkJob *self);
/* Record what became of recipient I; copies; a second outcome for one recipient is dropped.
 */
void hk_job_set_outcome (HkJob *self, size_t i, const HkOutcome *outcome);
void hk_job_defer (HkJob *self, size_t i, const char *dsn, const char *text);
/* One of the parts that run for the job ended. */
void hk_job_part_ended (HkJob *self);

/* ---- outcome.c: outcomes in frames and log lines */

void hk_outcome_emit (HkDeliver *deliver, const HkJob *job, const char *queue_id, size_t i,
                      const HkOutcome *outcome, int64_t started_us);
void hk_outcome_pack (GByteArray *out, uint64_t job, size_t i, const HkOutcome *outcome);
/* The rest of a RESULT frame; borrowed from the payload; forward list from ARENA. */
bool hk_outcome_unpack (HkUnpack *in, HkArena *arena, HkOutcome *out);

/* ---- children.c: as root, one process for each user */

/* Forks no process yet. */
HkChildren *hk_children_new (HkDeliver *deliver, int64_t idle_us);
void hk_children_reap (HkChildren *self); /* after SIGCHLD */
void hk_children_free (HkChildren *self); /* ends them */
/* Run recipients INDEXES of JOB with the rights of USER; hk_job_part_ended follows. */
void hk_children_run (HkChildren *self, HkJob *job, const HkUser *user,
                      const uint32_t *indexes, size_t n_indexes);
void hk_children_forget (HkChildren *self, uint64_t content_serial);

/* ---- rights.c */

bool hk_rights_drop (uint32_t uid, uint32_t gid, const char *user, GError **error);
void hk_rights_no_new_privs (void);
/* "name" of the password file; false with a text. */
bool hk_rights_find_user (const char *name, HkUser *out, GError **error);

/* ---- durable.c */

/* Blocks until files and directories FDS are on stable storage.  Any thread. */
bool hk_durable_sync (const int32_t *fds, size_t n_fds, GError **error);

#endif
