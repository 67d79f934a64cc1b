/* main.c: the qmgr process: rights, configuration, plugins, queue, control channel.
 *
 *   qmgr -c CONFIGDIR      descriptor 3: the channel to master
 *   qmgr -c CONFIGDIR -t   descriptor 3: a tool, which is served while the mail system is down;
 *                          nothing is delivered meanwhile */
#include "config.h"

#include "base/log.h"
#include "qmgr/qmgr_priv.h"
#include "role/params.h"
#include "role/process.h"
#include "role/users.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* Told to end by a signal, what runs gets so long. */
#define SIGNAL_GRACE_US (3 * HK_SECOND)

typedef struct {
    HkLoop *loop;
    Qmgr *qmgr;
    HkChannel *control;
    HkLoopTimer grace;
} Main;

/* ---- control channel
 * --------------------------------------------------------------------- */

static void
on_drained (void *data)
{
    Main *self = data;
    hk_loop_quit (self->loop);
}

static void
reload (Main *self)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GByteArray) answer = g_byte_array_new ();
    if (hk_qmgr_reload (self->qmgr, &error))
        hk_log (HK_LOG_INFO, "reload -- new settings are in use");
    hk_pack_span (answer, hk_span_text (error != NULL ? error->message : ""));
    hk_channel_send (self->control, HK_FRAME_RELOADED, hk_span (answer->data, answer->len), -1);
}

static void
on_control (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data)
{
    Main *self = data;
    (void) channel;
    (void) payload;
    switch (type) {
    case HK_FRAME_RELOAD:
        reload (self);
        break;
    case HK_FRAME_DRAIN:
        hk_qmgr_drain (self->qmgr, on_drained, self);
        break;
    case HK_FRAME_LOG:
        if (fd >= 0)
            hk_log_reopen (fd);
        fd = -1;
        break;
    default:
        break;
    }
    if (fd >= 0)
        close (fd);
}

static void
on_control_closed (HkChannel *channel, void *data)
{
    Main *self = data;
    hk_channel_close (channel);
    self->control = NULL;
    hk_log (HK_LOG_INFO, "master is gone, ending");
    hk_qmgr_drain (self->qmgr, on_drained, self);
    hk_timer_arm (&self->grace, SIGNAL_GRACE_US);
}

static const HkChannelFns control_fns = {on_control, on_control_closed};

static void
on_grace (HkLoopTimer *timer)
{
    on_drained (timer->data);
}

static void
on_signal (int sig, void *data)
{
    Main *self = data;
    (void) sig;
    if (hk_timer_is_armed (&self->grace))
        return;
    hk_qmgr_drain (self->qmgr, on_drained, self);
    hk_timer_arm (&self->grace, SIGNAL_GRACE_US);
}

/* ---- beginning
 * --------------------------------------------------------------------------- */

static bool
watch_signals (Main *self, GError **error)
{
    signal (SIGPIPE, SIG_IGN);
    signal (SIGHUP, SIG_IGN); /* master tells us by frame */
    return hk_loop_on_signal (self->loop, SIGTERM, on_signal, self, error) &&
           hk_loop_on_signal (self->loop, SIGINT, on_signal, self, error);
}

static bool
open_routing (Qmgr *q, HkPlugins *plugins, GError **error)
{
    q->plugins = plugins;
    hk_plugins_set_settings (plugins, q->settings);
    /* Tables and logs: what is not loaded cannot hurt.  The host says itself what failed.
     */
    hk_plugins_load_enabled_kind (plugins, q->settings, HK_KIND_LOOKUP);
    hk_plugins_load_enabled_kind (plugins, q->settings, HK_KIND_EVENT);
    q->events = hk_events_new (plugins, q->settings, q->loop, error);
    if (q->events == NULL)
        return false;
    q->router = hk_router_new (plugins, q->settings, error);
    if (q->router != NULL)
        hk_router_serve (q->router, plugins);
    return q->router != NULL;
}

/* One tool with the rights to the queue's files, until it hangs up. */
static bool
serve_tool (Main *self, GError **error)
{
    self->qmgr->is_draining = true;
    if (!hk_qmgr_open_queue (self->qmgr, error))
        return false;
    Server *tool = hk_server_new (self->qmgr, HK_CONTROL_FD, true);
    tool->is_privileged = true;
    tool->closed = on_drained;
    tool->closed_data = self;
    hk_loop_run (self->loop);
    return true;
}

static bool
serve (Main *self, GError **error)
{
    if (!hk_qmgr_open_queue (self->qmgr, error))
        return false;
    hk_verify_open (self->qmgr);
    if (!hk_qmgr_listen (self->qmgr, error))
        return false;
    if (self->control != NULL)
        hk_channel_send (self->control, HK_FRAME_UP, HK_SPAN_NONE, -1);
    hk_log (HK_LOG_INFO, "%s, %zu messages in the queue", PACKAGE_STRING,
            hk_store_count (self->qmgr->store, HK_QUEUE_INCOMING) +
                hk_store_count (self->qmgr->store, HK_QUEUE_DEFERRED) +
                hk_store_count (self->qmgr->store, HK_QUEUE_HOLD));
    hk_loop_run (self->loop);
    return true;
}

static bool
run (const char *dir, bool for_tool, GError **error)
{
    g_autoptr (HkSettings) settings = hk_settings_load (dir, error);
    if (settings == NULL)
        return false;
    hk_process_open_log (settings, "qmgr");
    Main self = {.loop = hk_loop_new (error)};
    if (self.loop == NULL || !watch_signals (&self, error))
        return false;
    HkStats *stats = hk_process_open_stats (settings, "qmgr");
    const char *modules = hk_settings_get (settings, "plugin_directory");
    HkPlugins *plugins = hk_plugins_new (modules, self.loop, stats);
    self.qmgr = hk_qmgr_new (self.loop, dir, settings, stats);
    hk_timer_init (&self.grace, self.loop, on_grace, &self);
    /* Tables may be for root's eyes; the rights go before a byte of anybody's mail is read. */
    if (!for_tool)
        hk_verify_give_rights (settings);
    bool ok = open_routing (self.qmgr, plugins, error) &&
              hk_users_become (settings, "mail_owner", error);
    if (ok && !for_tool)
        self.control = hk_process_connect_master (self.loop, &control_fns, &self);
    ok = ok && (for_tool ? serve_tool (&self, error) : serve (&self, error));
    HkEvents *events = self.qmgr->events;
    hk_timer_disarm (&self.grace);
    hk_qmgr_free (self.qmgr);
    if (self.control != NULL)
        hk_channel_close (self.control);
    if (events != NULL)
        hk_events_free (events);
    hk_plugins_free (plugins);
    hk_stats_free (stats);
    g_main_context_iteration (hk_loop_context (self.loop), FALSE); /* what was posted last */
    hk_loop_free (self.loop);
    return ok;
}

int
main (int argc, char **argv)
{
    g_autoptr (GError) error = NULL;
    const char *dir = HK_CONFIG_DIR;
    bool for_tool = false;
    int option;
    while ((option = getopt (argc, argv, "c:t")) != -1) {
        if (option == 'c')
            dir = optarg;
        else if (option == 't')
            for_tool = true;
        else
            return EX_USAGE;
    }
    umask (077);
    hk_register_params ();
    hk_log_open (HK_LOG_TO_STDERR, -1, "hikyaku", "qmgr");
    bool ok = run (dir, for_tool, &error);
    if (!ok)
        hk_log (HK_LOG_ERROR, "%s", error != NULL ? error->message : "cannot start");
    if (!ok && for_tool)
        fprintf (stderr, "qmgr: %s\n", error != NULL ? error->message : "cannot start");
    hk_log_flush ();
    return ok ? EX_OK : EX_UNAVAILABLE;
}
