/* spawn_priv.h: the parts of the spawn role, for this folder only.
 *
 *   listener ─ accept ─▶ HkSpawn ─ fork ─▶ rights dropped ─ exec ─▶ the command
 *
 * Everything runs on the loop thread; there is no other. */
#ifndef HK_SPAWN_PRIV_H
#define HK_SPAWN_PRIV_H

#include "conf/conf.h"
#include "loop/loop.h"
#include "spawn/params.h"

#include <sys/types.h>

/* What "user=… argv=…" of master.cf means. */
typedef struct {
    char **argv;
    char *user;      /* whose supplementary groups it gets; NULL: user= names a group too */
    char *user_text; /* as written */
    uid_t uid;
    gid_t gid;
} HkSpawnCommand;

/* WORDS: the arguments of the service.  False with HK_CONF_ERROR_VALUE. */
bool hk_spawn_command_parse (HkSpawnCommand *out, const char *const *words, GError **error);
void hk_spawn_command_clear (HkSpawnCommand *self);

/* What a command finds as its environment: the names, and NAME=value, of LIST
 * (export_environment), and PATH.  g_strfreev. */
char **hk_spawn_environment (const char *const *list);

typedef struct HkSpawn HkSpawn;
struct HkSpawn {
    HkLoop *loop;
    HkSpawnCommand command;
    char **environment;
    const char *directory; /* the commands' folder */
    bool is_chroot;        /* ... or root */
    bool drops_rights;     /* we are root: become the command's user */
    unsigned limit;        /* commands at once */
    int64_t time_limit_us, max_idle_us;
    void (*ended) (void *data); /* drained, or idle for long */
    void *ended_data;
    /* private */
    GArray *listeners; /* of HkFdWatch *, owned */
    GPtrArray *running;
    HkLoopTimer idle, pause;
    bool is_draining, is_ending;
};

void hk_spawn_start (HkSpawn *self);
/* Takes the descriptor. */
bool hk_spawn_listen (HkSpawn *self, int fd, GError **error);
void hk_spawn_drain (HkSpawn *self); /* no new connection; ended when no command runs */
void hk_spawn_reap (HkSpawn *self);  /* SIGCHLD came */
/* The same, and every command is asked to end with its group, and made to a second later.
 */
void hk_spawn_end (HkSpawn *self);
void hk_spawn_stop (HkSpawn *self); /* also when it was not started */

#endif
