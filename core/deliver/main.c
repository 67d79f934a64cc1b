/* main.c: the deliver role: one process serves one delivery service of master.cf.
 *
 *     deliver -c CONFIGDIR SERVICEINDEX
 *
 * master starts it on demand: see role/process.h. */
#include "config.h"

#include "deliver_priv.h"

#include "base/text.h"
#include "net/dns.h"
#include "role/params.h"
#include "role/process.h"
#include "role/users.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    HkDeliver deliver;
    HkSettings *settings; /* as the service sees them */
    const HkService *service;
    HkPlugins *plugins;
    HkStats *stats;
    HkResolver *resolver;
    HkChannel *control; /* NULL: started by hand */
} Process;

/* ---- configuration and log */

static bool
read_settings (Process *self, const char *dir, const char *index_text, GError **error)
{
    uint64_t index;
    size_t found;
    hk_register_params ();
    g_autoptr (HkSettings) all = hk_settings_load (dir, error);
    if (all == NULL)
        return false;
    if (!hk_text_parse_u64 (hk_span_text (index_text), INT_MAX, &index))
        return hk_process_fail (error, "there is no service number %s", index_text);
    if (!hk_process_find_service (all, index, g_getenv ("HIKYAKU_SERVICE"), &found, error))
        return false;
    self->settings = hk_settings_view (all, found);
    self->service = hk_settings_service (self->settings, found);
    return true;
}

/* ---- plugins */

static void
ask_resolver (void *resolver, const char *name, uint16_t type, HkDnsFn fn, void *data)
{
    hk_resolver_ask (resolver, name, type, fn, data);
}

static bool
open_resolver (Process *self, GError **error)
{
    self->resolver =
        hk_resolver_new_from_settings (self->deliver.loop, self->settings, error);
    if (self->resolver == NULL)
        return false;
    hk_plugins_set_dns (self->plugins, ask_resolver, self->resolver);
    return true;
}

/* The class that the command word names; two modules offer a second word. */
static const HkClass *
find_class (Process *self, GError **error)
{
    static const char *const second[][2] = {{"lmtp", "transport_smtp"},
                                            {"retry", "transport_error"}};
    const char *word = self->service->command;
    const HkClass *class = hk_plugins_class (self->plugins, HK_KIND_TRANSPORT, word);
    if (class != NULL)
        return class;
    g_autofree char *module = g_strdup_printf ("transport_%s", word);
    for (size_t i = 0; i < G_N_ELEMENTS (second); i++)
        if (strcmp (word, second[i][0]) == 0) {
            g_free (module);
            module = g_strdup (second[i][1]);
        }
    if (!hk_plugins_load (self->plugins, module, error))
        return NULL;
    class = hk_plugins_class (self->plugins, HK_KIND_TRANSPORT, word);
    if (class == NULL)
        hk_process_fail (error, "module %s offers no transport \"%s\"", module, word);
    return class;
}

static bool
open_transport (Process *self, GError **error)
{
    HkDeliverTransport *t = &self->deliver.transport;
    const char *word = self->service->command;
    const char *modules = hk_settings_get (self->settings, "plugin_directory");
    self->plugins = hk_plugins_new (modules, self->deliver.loop, self->stats);
    hk_plugins_set_settings (self->plugins, self->settings);
    hk_plugins_load_enabled (self->plugins, self->settings);
    const HkClass *class = find_class (self, error);
    if (class == NULL)
        return false;
    bool is_event_driven = ((const HkTransportClass *) class)->start != NULL;
    if (is_event_driven && !open_resolver (self, error))
        return false;
    g_autofree char *argument = g_strjoinv (" ", (char **) self->service->argv);
    t->instance = hk_instance_open (self->plugins, HK_KIND_TRANSPORT, word,
                                    hk_span_text (argument), self->settings, error);
    if (t->instance == NULL)
        return false;
    t->class = (const HkTransportClass *) hk_instance_class (t->instance);
    t->pointer = hk_instance_pointer (t->instance);
    t->service = self->service->name;
    t->agent = word;
    t->limit = self->service->max_processes > 0 ? self->service->max_processes : 1000;
    self->deliver.events =
        hk_events_new (self->plugins, self->settings, self->deliver.loop, error);
    return self->deliver.events != NULL;
}

/* ---- rights */

static void
on_child_signal (int sig, void *data)
{
    (void) sig;
    hk_children_reap (data);
}

/* Root stays root only to fork processes that are not. */
static bool
set_rights (Process *self, GError **error)
{
    HkDeliver *deliver = &self->deliver;
    const HkTransportClass *class = deliver->transport.class;
    bool as_user = (class->transport_flags & HK_TRANSPORT_AS_USER) != 0;
    if (geteuid () != 0 || !as_user)
        return hk_users_become (self->settings, "deliver_owner", error);
    if (!hk_rights_find_user (hk_settings_get (self->settings, "deliver_owner"),
                              &deliver->nobody, error))
        return false;
    hk_rights_no_new_privs ();
    deliver->children = hk_children_new (
        deliver, hk_settings_int (self->settings, "deliver_child_idle") * HK_SECOND);
    return hk_loop_on_signal (deliver->loop, SIGCHLD, on_child_signal, deliver->children,
                              error);
}

/* ---- master's channel */

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
        hk_deliver_drain (&self->deliver);
}

static void
on_control_closed (HkChannel *channel, void *data)
{
    Process *self = data;
    hk_channel_close (channel);
    self->control = NULL;
    hk_deliver_drain (&self->deliver);
}

static void
on_terminate (int sig, void *data)
{
    Process *self = data;
    (void) sig;
    hk_deliver_drain (&self->deliver);
}

static void
on_ended (void *data)
{
    hk_loop_quit (data);
}

static bool
is_socket (int fd)
{
    struct stat st;
    return fstat (fd, &st) == 0 && S_ISSOCK (st.st_mode);
}

/* "FD=INDEX[,FD=INDEX]": every listener that master gave is this service's. */
static bool
take_listeners (Process *self, GError **error)
{
    const char *list = g_getenv ("HIKYAKU_LISTENERS");
    int fd = list == NULL ? -1 : (int) g_ascii_strtoll (list, NULL, 10);
    if (fd <= 0 || !is_socket (fd))
        return hk_process_fail (error,
                                "no listening socket was handed over (HIKYAKU_LISTENERS)");
    return hk_deliver_listen (&self->deliver, fd, error);
}

static void
connect_master (Process *self)
{
    static const HkChannelFns fns = {on_control, on_control_closed};
    self->control = hk_process_connect_master (self->deliver.loop, &fns, self);
    if (self->control == NULL)
        return;
    hk_channel_send (self->control, HK_FRAME_UP, HK_SPAN_NONE, -1);
    hk_channel_flush (self->control); /* the loop does not turn yet */
}

/* ---- life */

static bool
start (Process *self, const char *dir, const char *index, GError **error)
{
    HkDeliver *deliver = &self->deliver;
    if (!read_settings (self, dir, index, error))
        return false;
    hk_process_open_log (self->settings, self->service->command);
    hk_log_set_verbose (self->service->verbose > 0);
    deliver->loop = hk_loop_new (error);
    if (deliver->loop == NULL ||
        !hk_loop_on_signal (deliver->loop, SIGTERM, on_terminate, self, error))
        return false;
    self->stats = hk_process_open_stats (self->settings, "deliver");
    if (!open_transport (self, error) || !set_rights (self, error))
        return false;
    if (deliver->children == NULL && deliver->transport.class->start == NULL)
        deliver->workers = hk_workers_new (deliver->loop, deliver->transport.limit);
    deliver->max_idle_us = hk_settings_int (self->settings, "max_idle") * HK_SECOND;
    deliver->forgets_failed_probes =
        !hk_settings_bool (self->settings, "address_verify_negative_cache");
    deliver->forward_timeout_us =
        hk_settings_int (self->settings, "deliver_forward_timeout") * HK_SECOND;
    deliver->ended = on_ended;
    deliver->ended_data = deliver->loop;
    hk_deliver_start (deliver);
    if (!take_listeners (self, error))
        return false;
    connect_master (self);
    return true;
}

static void
stop (Process *self)
{
    HkDeliver *deliver = &self->deliver;
    hk_deliver_stop (deliver);
    hk_children_free (deliver->children);
    deliver->children = NULL;
    hk_workers_free (deliver->workers);
    hk_channel_close (self->control);
    hk_instance_unref (deliver->transport.instance);
    hk_events_free (deliver->events);
    hk_log_flush ();
    hk_resolver_free (self->resolver);
    hk_plugins_free (self->plugins);
    hk_stats_free (self->stats);
    hk_settings_unref (self->settings);
    hk_loop_free (deliver->loop);
}

int
main (int argc, char **argv)
{
    g_autoptr (GError) error = NULL;
    Process self = {0};
    if (argc != 4 || strcmp (argv[1], "-c") != 0) {
        fprintf (stderr, "usage: deliver -c CONFIGDIR SERVICEINDEX\n"
                         "This program is started by master.\n");
        return 64;
    }
    signal (SIGPIPE, SIG_IGN);
    umask (077);
    if (!start (&self, argv[2], argv[3], &error)) {
        hk_log (HK_LOG_ERROR, "%s: %s",
                self.service != NULL ? self.service->name : "deliver", error->message);
        hk_log_flush ();
        return 1;
    }
    hk_loop_run (self.deliver.loop);
    stop (&self);
    return 0;
}
