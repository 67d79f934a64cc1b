/* main.c: the spawn role: one process serves one spawn service of master.cf.
 *
 *     spawn -c CONFIGDIR SERVICEINDEX
 *
 * master starts it on demand: see role/service.h. */
#include "config.h"

#include "base/log.h"
#include "role/service.h"
#include "spawn/spawn_priv.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    HkServiceProcess base;
    HkSpawn spawn;
} Process;

/* NAME_time_limit, whose default is command_time_limit. */
static bool
set_time_limit (Process *self, GError **error)
{
    g_autofree char *name = g_strconcat (self->base.line->name, "_time_limit", NULL);
    self->spawn.time_limit_us = hk_settings_int (self->base.settings, name) * HK_SECOND;
    if (self->spawn.time_limit_us > 0)
        return true;
    return hk_process_fail (error, "%s: not a time", name);
}

static bool
configure (Process *self, GError **error)
{
    HkSpawn *spawn = &self->spawn;
    g_auto (GStrv) list = hk_settings_words (self->base.settings, "export_environment");
    if (!hk_spawn_command_parse (&spawn->command, self->base.line->argv, error) ||
        !set_time_limit (self, error))
        return false;
    spawn->environment = hk_spawn_environment ((const char *const *) list);
    spawn->directory = hk_settings_get (self->base.settings, "queue_directory");
    spawn->is_chroot = self->base.line->is_chroot;
    spawn->drops_rights = geteuid () == 0;
    spawn->limit = self->base.line->max_processes > 0 ? self->base.line->max_processes : 1000;
    spawn->max_idle_us = hk_settings_int (self->base.settings, "max_idle") * HK_SECOND;
    if (!spawn->drops_rights && spawn->command.uid != geteuid ())
        hk_log (HK_LOG_WARNING,
                "service %s: user=%s: only root can become another user: the command runs "
                "with the rights of this instance",
                self->base.line->name, spawn->command.user_text);
    return true;
}

/* ---- moments ----------------------------------------------------------------------- */

/* Master's patience is over, or master is gone. */
static void
on_terminate (int sig, void *data)
{
    Process *self = data;
    (void) sig;
    hk_spawn_end (&self->spawn);
}

static void
on_child (int sig, void *data)
{
    (void) sig;
    hk_spawn_reap (data);
}

static void
drain (void *data)
{
    hk_spawn_drain (data);
}

static bool
listen_on (void *data, int fd, GError **error)
{
    return hk_spawn_listen (data, fd, error);
}

static void
on_ended (void *data)
{
    hk_loop_quit (data);
}

/* ---- life ------------------------------------------------------------------------ */

static bool
start (Process *self, const char *dir, const char *index, GError **error)
{
    HkSpawn *spawn = &self->spawn;
    if (!hk_service_process_read (&self->base, dir, index, error))
        return false;
    hk_process_open_log (self->base.settings, "spawn");
    hk_log_set_verbose (self->base.line->verbose > 0);
    spawn->loop = hk_loop_new (error);
    if (spawn->loop == NULL || !configure (self, error) ||
        !hk_loop_on_signal (spawn->loop, SIGTERM, on_terminate, self, error) ||
        !hk_loop_on_signal (spawn->loop, SIGCHLD, on_child, spawn, error))
        return false;
    spawn->ended = on_ended;
    spawn->ended_data = spawn->loop;
    hk_spawn_start (spawn);
    if (!hk_service_process_listen (listen_on, spawn, error))
        return false;
    hk_service_process_connect (&self->base, spawn->loop, drain, spawn);
    return true;
}

/* Also after a start that failed half-way. */
static void
stop (Process *self)
{
    hk_spawn_stop (&self->spawn);
    hk_log_flush ();
    hk_service_process_clear (&self->base);
    hk_loop_free (self->spawn.loop);
}

int
main (int argc, char **argv)
{
    g_autoptr (GError) error = NULL;
    Process self = {0};
    if (argc != 4 || strcmp (argv[1], "-c") != 0) {
        fprintf (stderr, "usage: spawn -c CONFIGDIR SERVICEINDEX\n"
                         "This program is started by master.\n");
        return 64;
    }
    signal (SIGPIPE, SIG_IGN);
    umask (077);
    if (!start (&self, argv[2], argv[3], &error)) {
        hk_log (HK_LOG_ERROR, "service %s: %s",
                self.base.line != NULL ? self.base.line->name : "spawn", error->message);
        stop (&self);
        return 1;
    }
    hk_loop_run (self.spawn.loop);
    stop (&self);
    return 0;
}
