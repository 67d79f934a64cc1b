/* main.c: the spawn role: one process serves one spawn service of master.cf.
 *
 *     spawn -c CONFIGDIR SERVICEINDEX
 *
 * master starts it on demand: see role/process.h. */
#include "config.h"

#include "base/log.h"
#include "base/text.h"
#include "ipc/channel.h"
#include "ipc/frames.h"
#include "role/params.h"
#include "role/process.h"
#include "spawn/spawn_priv.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    HkSpawn spawn;
    HkSettings *settings; /* as the service sees them */
    const HkService *service;
    HkChannel *control; /* NULL: started by hand */
} Process;

static bool
read_settings (Process *self, const char *dir, const char *index_text, GError **error)
{
    uint64_t index;
    size_t found;
    g_auto (GStrv) names = NULL;
    const char *list = g_getenv ("HIKYAKU_SERVICE");
    hk_register_params ();
    g_autoptr (HkSettings) all = hk_settings_load (dir, error);
    if (all == NULL)
        return false;
    if (!hk_text_parse_u64 (hk_span_text (index_text), INT_MAX, &index))
        return hk_process_fail (error, "there is no service number %s", index_text);
    if (list != NULL)
        names = g_strsplit (list, "\n", 2); /* one for each address, all of one service */
    if (!hk_process_find_service (all, index, names != NULL ? names[0] : NULL, &found,
                                  error))
        return false;
    self->settings = hk_settings_view (all, found);
    self->service = hk_settings_service (self->settings, found);
    return true;
}

/* NAME_time_limit, whose default is command_time_limit. */
static bool
set_time_limit (Process *self, GError **error)
{
    g_autofree char *name = g_strconcat (self->service->name, "_time_limit", NULL);
    self->spawn.time_limit_us = hk_settings_int (self->settings, name) * HK_SECOND;
    if (self->spawn.time_limit_us > 0)
        return true;
    return hk_process_fail (error, "%s: not a time", name);
}

static bool
configure (Process *self, GError **error)
{
    HkSpawn *spawn = &self->spawn;
    g_auto (GStrv) list = hk_settings_words (self->settings, "export_environment");
    if (!hk_spawn_command_parse (&spawn->command, self->service->argv, error) ||
        !set_time_limit (self, error))
        return false;
    spawn->environment = hk_spawn_environment ((const char *const *) list);
    spawn->directory = hk_settings_get (self->settings, "queue_directory");
    spawn->is_chroot = self->service->is_chroot;
    spawn->drops_rights = geteuid () == 0;
    spawn->limit = self->service->max_processes > 0 ? self->service->max_processes : 1000;
    spawn->max_idle_us = hk_settings_int (self->settings, "max_idle") * HK_SECOND;
    if (!spawn->drops_rights && spawn->command.uid != geteuid ())
        hk_log (HK_LOG_WARNING,
                "service %s: user=%s: only root can become another user: the command runs "
                "with the rights of this instance",
                self->service->name, spawn->command.user_text);
    return true;
}

/* "FD=INDEX[,FD=INDEX]": every listener that master gave is this service's. */
static bool
take_listeners (Process *self, GError **error)
{
    const char *list = g_getenv ("HIKYAKU_LISTENERS");
    g_auto (GStrv) each = g_strsplit (list != NULL ? list : "", ",", -1);
    struct stat st;
    for (char **one = each; *one != NULL; one++) {
        int fd = (int) g_ascii_strtoll (*one, NULL, 10);
        if (fd <= HK_CONTROL_FD || fstat (fd, &st) != 0 || !S_ISSOCK (st.st_mode))
            break;
        if (!hk_spawn_listen (&self->spawn, fd, error))
            return false;
    }
    return self->spawn.listeners->len > 0 ||
           hk_process_fail (error,
                            "no listening socket was handed over (HIKYAKU_LISTENERS)");
}

/* ---- master's channel ------------------------------------------------------------ */

static void
on_control (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data)
{
    Process *self = data;
    (void) channel;
    (void) payload;
    if (type == HK_FRAME_LOG && fd >= 0) {
        hk_log_reopen (fd);
        return;
    }
    if (fd >= 0)
        close (fd);
    if (type == HK_FRAME_DRAIN)
        hk_spawn_drain (&self->spawn);
}

static void
on_control_closed (HkChannel *channel, void *data)
{
    Process *self = data;
    hk_channel_close (channel);
    self->control = NULL;
    hk_spawn_drain (&self->spawn);
}

static void
connect_master (Process *self)
{
    static const HkChannelFns fns = {on_control, on_control_closed};
    self->control = hk_process_connect_master (self->spawn.loop, &fns, self);
    if (self->control == NULL)
        return;
    hk_channel_send (self->control, HK_FRAME_UP, HK_SPAN_NONE, -1);
    hk_channel_flush (self->control); /* the loop does not turn yet */
}

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
on_ended (void *data)
{
    hk_loop_quit (data);
}

/* ---- life ------------------------------------------------------------------------ */

static bool
start (Process *self, const char *dir, const char *index, GError **error)
{
    HkSpawn *spawn = &self->spawn;
    if (!read_settings (self, dir, index, error))
        return false;
    hk_process_open_log (self->settings, "spawn");
    hk_log_set_verbose (self->service->verbose > 0);
    spawn->loop = hk_loop_new (error);
    if (spawn->loop == NULL || !configure (self, error) ||
        !hk_loop_on_signal (spawn->loop, SIGTERM, on_terminate, self, error) ||
        !hk_loop_on_signal (spawn->loop, SIGCHLD, on_child, spawn, error))
        return false;
    spawn->ended = on_ended;
    spawn->ended_data = spawn->loop;
    hk_spawn_start (spawn);
    if (!take_listeners (self, error))
        return false;
    connect_master (self);
    return true;
}

/* Also after a start that failed half-way. */
static void
stop (Process *self)
{
    hk_spawn_stop (&self->spawn);
    hk_channel_close (self->control);
    hk_log_flush ();
    hk_settings_unref (self->settings);
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
                self.service != NULL ? self.service->name : "spawn", error->message);
        stop (&self);
        return 1;
    }
    hk_loop_run (self.spawn.loop);
    stop (&self);
    return 0;
}
