/* master.h: the parent process: listeners, children, reload, drain.
 *
 * It reads the configuration, binds every socket, starts the roles and watches them.  It loads
 * no plugin and reads nothing from the network.  Everything runs on the loop thread. */
#ifndef HK_MASTER_H
#define HK_MASTER_H

#include "base/log.h"
#include "base/stats.h"
#include "conf/conf.h"
#include "ipc/channel.h"

extern const HkConfSpec hk_master_params[];

typedef struct HkMaster HkMaster;

/* ---- listeners (listeners.c) ---- */

typedef enum { HK_LISTENER_SMTPD, HK_LISTENER_DELIVER, HK_LISTENER_SPAWN } HkListenerUse;
typedef struct {
    char *key;       /* what it is bound to, for errors and for keeping it over a reload */
    int fd;
    HkListenerUse use;
    size_t service;  /* index in the settings' master.cf */
    char *identity;  /* what the service is called there, for the child (role/process.h) */
} HkListener;

/* Bind what SETTINGS asks for; sockets of OLD with the same key are taken over.  NULL and
 * nothing bound anew when one cannot be had: the error names service, file and line. */
GPtrArray *hk_listeners_open (HkSettings *settings, GPtrArray *old, GError **error);

/* ---- children (children.c) ---- */

typedef struct HkChild HkChild;
struct HkChild {
    HkMaster *master;
    char *role;          /* program: "smtpd", "qmgr", "deliver", "spawn" */
    char *name;          /* in messages: "qmgr", "deliver (smtp)" */
    int64_t service;     /* -1, or the index of its service */
    pid_t pid;           /* 0: not running */
    HkChannel *channel;
    bool is_up, is_draining, restarts; /* restarts: start it again when it ends */
    bool on_demand;      /* started when one of its listeners has a connection */
    HkFdWatch *demand;   /* ... which these watches tell */
    size_t n_demand;
    int64_t started_us;
    unsigned n_failed_starts, n_crashes; /* in a row: never came up; ended soon after */
    HkLoopTimer timer;   /* backoff */
    bool is_new;         /* of a reload under way: gets the new listeners */
};

HkChild *hk_child_new (HkMaster *master, const char *role, int64_t service, const char *label);
void hk_child_start (HkChild *self); /* now, or after a backoff */
void hk_child_await_demand (HkChild *self);
void hk_child_drain (HkChild *self);
void hk_child_signal (HkChild *self, int signal);
void hk_child_free (HkChild *self);
/* PID ended with STATUS: finds the child among CHILDREN. */
void hk_children_reap (GPtrArray *children, pid_t pid, int status);

/* ---- master.c ---- */

struct HkMaster {
    HkLoop *loop;
    HkSettings *settings;
    char *config_dir;
    GPtrArray *listeners;  /* HkListener */
    GPtrArray *children;   /* HkChild */
    int log_fd;            /* -1: no file */
    int tickets_fd;        /* memory for the keys of TLS session tickets; -1: none */
    bool is_foreground, is_stopping;
    HkLoopTimer stop_timer;
    unsigned stop_step;
    int exit_status;
    bool was_up;           /* every role served once */
    /* A reload under way: takes the place of the above when the new smtpd processes serve. */
    HkSettings *new_settings;
    GPtrArray *new_listeners; /* NULL: none */
    bool awaits_qmgr;         /* which has been told to read the new configuration */
    HkStats *stats;
    uint64_t *n_reloads, *n_failed_reloads; /* how reloads ended; `hikyaku reload` waits for it */
};

/* The listeners that CHILD gets, borrowed. */
GPtrArray *hk_master_listeners_for (HkChild *child);
void hk_master_child_ended (HkMaster *self, HkChild *child);
/* qmgr's answer to HK_FRAME_RELOAD; WHY NULL: it uses the new configuration. */
void hk_master_qmgr_reloaded (HkMaster *self, const char *why);
void hk_master_child_up (HkMaster *self);

#endif
