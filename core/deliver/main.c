/* main.c: the deliver role: one process serves one delivery service of master.cf.
 *
 *     deliver -c CONFIGDIR SERVICEINDEX
 *
 * master starts it on demand: see role/service.h. */
#include "config.h"

#include "deliver_priv.h"

#include "net/dns.h"
#include "role/service.h"
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
    HkServiceProcess base;
    HkDeliver deliver;
    HkPlugins *plugins;
    HkStats *stats;
    HkResolver *resolver;
} Process;

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
        hk_resolver_new_from_settings (self->deliver.loop, self->base.settings, error);
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
    const char *word = self->base.line->command;
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
    const char *word = self->base.line->command;
    const char *modules = hk_settings_get (self->base.settings, "plugin_directory");
    self->plugins = hk_plugins_new (modules, self->deliver.loop, self->stats);
    hk_plugins_set_settings (self->plugins, self->base.settings);
    hk_plugins_load_enabled (self->plugins, self->base.settings);
    const HkClass *class = find_class (self, error);
    if (class == NULL)
        return false;
    bool is_event_driven = ((const HkTransportClass *) class)->start != NULL;
    if (is_event_driven && !open_resolver (self, error))
        return false;
    g_autofree char *argument = g_strjoinv (" ", (char **) self->base.line->argv);
    t->instance = hk_instance_open (self->plugins, HK_KIND_TRANSPORT, word,
                                    hk_span_text (argument), self->base.settings, error);
    if (t->instance == NULL)
        return false;
    t->class = (const HkTransportClass *) hk_instance_class (t->instance);
    t->pointer = hk_instance_pointer (t->instance);
    t->service = self->base.line->name;
    t->agent = word;
    t->limit = self->base.line->max_processes > 0 ? self->base.line->max_processes : 1000;
    self->deliver.events =
        hk_events_new (self->plugins, self->base.settings, self->deliver.loop, error);
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
        return hk_users_become (self->base.settings, "deliver_owner", error);
    if (!hk_rights_find_user (hk_settings_get (self->base.settings, "deliver_owner"),
                              &deliver->nobody, error))
        return false;
    hk_rights_no_new_privs ();
    deliver->children = hk_children_new (
        deliver, hk_settings_int (self->base.settings, "deliver_child_idle") * HK_SECOND);
    return hk_loop_on_signal (deliver->loop, SIGCHLD, on_child_signal, deliver->children,
                              error);
}

/* ---- moments */

static void
drain (void *data)
{
    hk_deliver_drain (data);
}

static bool
listen_on (void *data, int fd, GError **error)
{
    return hk_deliver_listen (data, fd, error);
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

/* ---- life */

static bool
start (Process *self, const char *dir, const char *index, GError **error)
{
    HkDeliver *deliver = &self->deliver;
    if (!hk_service_process_read (&self->base, dir, index, error))
        return false;
    hk_process_open_log (self->base.settings, self->base.line->command);
    hk_log_set_verbose (self->base.line->verbose > 0);
    deliver->loop = hk_loop_new (error);
    if (deliver->loop == NULL ||
        !hk_loop_on_signal (deliver->loop, SIGTERM, on_terminate, self, error))
        return false;
    self->stats = hk_process_open_stats (self->base.settings, "deliver");
    if (!open_transport (self, error) || !set_rights (self, error))
        return false;
    if (deliver->children == NULL && deliver->transport.class->start == NULL)
        deliver->workers = hk_workers_new (deliver->loop, deliver->transport.limit);
    deliver->max_idle_us = hk_settings_int (self->base.settings, "max_idle") * HK_SECOND;
    deliver->forgets_failed_probes =
        !hk_settings_bool (self->base.settings, "address_verify_negative_cache");
    deliver->forward_timeout_us =
        hk_settings_int (self->base.settings, "deliver_forward_timeout") * HK_SECOND;
    deliver->ended = on_ended;
    deliver->ended_data = deliver->loop;
    hk_deliver_start (deliver);
    if (!hk_service_process_listen (listen_on, deliver, error))
        return false;
    hk_service_process_connect (&self->base, deliver->loop, drain, deliver);
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
    hk_instance_unref (deliver->transport.instance);
    hk_events_free (deliver->events);
    hk_log_flush ();
    hk_resolver_free (self->resolver);
    hk_plugins_free (self->plugins);
    hk_stats_free (self->stats);
    hk_service_process_clear (&self->base);
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
                self.base.line != NULL ? self.base.line->name : "deliver", error->message);
        hk_log_flush ();
        return 1;
    }
    hk_loop_run (self.deliver.loop);
    stop (&self);
    return 0;
}
