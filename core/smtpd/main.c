/* main.c: the smtpd role: receives mail for all smtpd and qmqpd services of master.cf, and takes in
 * local submissions.
 *
 *     smtpd -c CONFIGDIR [-v]
 *
 * master starts it: see role/process.h.  Order: configuration, plugins, tables, then other
 * rights, then the queue, and only then a connection. */
#include "config.h"

#include "base/log.h"
#include "base/text.h"
#include "ipc/frames.h"
#include "role/params.h"
#include "role/process.h"
#include "role/users.h"
#include "session/qmqp.h"
#include "smtpd/smtpd_priv.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { MAX_LISTENERS = 1024 };

/* One smtpd line of master.cf that has listeners. */
typedef struct {
    size_t index; /* of the line that has the socket */
    size_t of;    /* of the line whose sessions they are */
    HkSettings *view;
    HkRouter *router;
    HkAccess *access;
    HkIntake *intake;
    HkSessionTls *tls;
    HkDialogue *dialogue;
    HkQmqpService *qmqp; /* of a qmqpd line; then there is no dialogue */
    HkSettings *screen_view; /* of a postscreen line; NULL: none, as the next four */
    HkSettings *judged_view;
    HkSessionTls *judged_tls;
    HkScreen *screen;
    HkRates *screen_cache;
} Service;

typedef struct {
    HkSettings *settings;
    HkLoop *loop;
    HkStats *stats;
    HkPlugins *plugins;
    HkEvents *events;
    HkResolver *resolver;
    HkRateKeeper *rates;
    HkWorkers *workers;
    HkLane *lane;
    HkSessions *sessions;
    HkQmqps *qmqps;
    HkAnnouncer *announcer;
    HkVerifier *verifier;
    HkListeners *listeners;
    GPtrArray *services; /* Service */
    Service *pickup_service;
    HkPickup *pickup;
    HkTlsTickets *tickets;
    HkReopener *reopener;
    HkChannel *control; /* NULL: started by hand */
    bool is_verbose, is_draining, sessions_done, qmqps_done, pickup_done;
} Process;

/* ---- log, limits
 * --------------------------------------------------------------- */

static void
raise_descriptor_limit (void)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit (RLIMIT_NOFILE, &limit);
    }
}

/* Lines are gathered and leave with one write before the loop waits. */
static gboolean
flush_log (GSource *source, gint *timeout)
{
    (void) source;
    hk_log_flush ();
    *timeout = -1;
    return FALSE;
}

static gboolean
never_ready (GSource *source)
{
    (void) source;
    return FALSE;
}

static GSourceFuncs log_source = {flush_log, never_ready, NULL, NULL, NULL, NULL};

static void
batch_log (Process *self)
{
    GSource *source = g_source_new (&log_source, sizeof *source);
    g_source_attach (source, hk_loop_context (self->loop));
    g_source_unref (source);
    hk_log_batch (true);
}

/* ---- services
 * ---------------------------------------------------------------------------- */

static void
service_free (void *data)
{
    Service *service = data;
    if (service->dialogue != NULL)
        hk_dialogue_free (service->dialogue);
    hk_qmqp_service_free (service->qmqp);
    if (service->screen_view != NULL)
        hk_settings_unref (service->screen_view);
    if (service->judged_view != NULL)
        hk_settings_unref (service->judged_view);
    hk_session_tls_free (service->judged_tls);
    hk_screen_free (service->screen);
    hk_rates_free (service->screen_cache);
    hk_session_tls_free (service->tls);
    if (service->intake != NULL)
        hk_intake_free (service->intake);
    if (service->access != NULL)
        hk_access_free (service->access);
    if (service->router != NULL)
        hk_router_unref (service->router);
    if (service->view != NULL)
        hk_settings_unref (service->view);
    g_free (service);
}

static Service *
find_service (Process *self, size_t index)
{
    for (guint i = 0; i < self->services->len; i++) {
        Service *service = g_ptr_array_index (self->services, i);
        if (service->index == index)
            return service;
    }
    return NULL;
}

static void
on_queued (const HkIntakeOutcome *outcome, void *data)
{
    Process *self = data;
    hk_announcer_queued (self->announcer, outcome);
}

static bool
open_intake (Process *self, Service *service, GError **error)
{
    g_autoptr (HkSettings) view = hk_cleanup_view (self->settings, service->view);
    const HkIntakeOptions options = {
        .plugins = self->plugins,
        .view = view,
        .router = service->router,
        .events = self->events,
        .loop = self->loop,
        .orphan = on_queued,
        .orphan_data = self,
    };
    service->intake = hk_intake_new (&options, error);
    return service->intake != NULL;
}

/* Tables, filters and restrictions: while the rights are still those of the start. */
static void
log_complaint (int level, const char *text, void *data)
{
    (void) data;
    hk_log (level, "%s", text);
}

static void
log_tls_complaint (int level, const char *text, void *data)
{
    const HkService *line = data;
    hk_log (level, "service %s: %s", line->name, text);
}

static Service *
open_service (Process *self, HkSettings *view, size_t index, bool has_access,
              GError **error)
{
    Service *service = g_new0 (Service, 1);
    service->index = index;
    service->view = view;
    hk_plugins_set_settings (self->plugins, view);
    service->router = hk_router_new (self->plugins, view, error);
    if (service->router != NULL && has_access)
        service->access = hk_access_new (self->plugins, view, service->router,
                                         log_complaint, NULL, error);
    if (service->router == NULL || (has_access && service->access == NULL) ||
        !open_intake (self, service, error)) {
        service_free (service);
        return NULL;
    }
    if (has_access) {
        const HkService *line = hk_settings_service (self->settings, index);
        service->tls = hk_session_tls_new (self->plugins, view, line->name, self->tickets,
                                           log_tls_complaint, (void *) (uintptr_t) line);
    }
    return service;
}

/* "FD=INDEX" of PAIR, whose service is called IDENTITY. */
static bool
read_listener (Process *self, const char *pair, const char *identity, int *out_fd,
               size_t *out_index, GError **error)
{
    HkSpan rest = hk_span_text (pair);
    size_t equals = hk_span_find (rest, '=', 0);
    uint64_t fd, index;
    if (!hk_text_parse_u64 (hk_span_sub (rest, 0, equals), INT_MAX, &fd) ||
        !hk_text_parse_u64 (hk_span_sub (rest, equals + 1, rest.size), INT_MAX, &index) ||
        fd <= HK_CONTROL_FD)
        return hk_process_fail (error, "HIKYAKU_LISTENERS: \"%s\" has no meaning", pair);
    *out_fd = (int) fd;
    return hk_process_find_service (self->settings, index, identity, out_index, error);
}

/* FN for each listener that master gave. */
static bool
foreach_listener (Process *self, bool (*fn) (Process *, int fd, size_t index, GError **),
                  GError **error)
{
    const char *list = g_getenv ("HIKYAKU_LISTENERS");
    const char *names = g_getenv ("HIKYAKU_SERVICE");
    g_auto (GStrv) pairs = g_strsplit (list == NULL ? "" : list, ",", MAX_LISTENERS);
    g_auto (GStrv) all = g_strsplit (names == NULL ? "" : names, "\n", MAX_LISTENERS);
    guint n_names = names == NULL ? 0 : g_strv_length (all);
    for (guint i = 0; pairs[i] != NULL; i++) {
        int fd = -1;
        size_t index;
        if (!read_listener (self, pairs[i], i < n_names ? all[i] : NULL, &fd, &index,
                            error) ||
            !fn (self, fd, index, error))
            return false;
    }
    return true;
}

/* The line whose sessions those of a postscreen line are. */
static bool
find_pass_line (HkSettings *settings, size_t *out, GError **error)
{
    for (size_t i = 0; i < hk_settings_n_services (settings); i++) {
        const HkService *s = hk_settings_service (settings, i);
        if (s->type == HK_SERVICE_PASS && strcmp (s->command, "smtpd") == 0) {
            *out = i;
            return true;
        }
    }
    return hk_process_fail (error, "postscreen needs a service of type pass, \"smtpd pass\"");
}

static void
open_screen_cache (Process *self, Service *service)
{
    g_autoptr (GError) error = NULL;
    const char *path = hk_screen_cache_path (service->screen);
    enum { ENTRIES = 131072 };
    if (path == NULL)
        return;
    service->screen_cache =
        hk_rates_open_kept (path, ENTRIES, hk_loop_clock (self->loop), &error);
    if (service->screen_cache == NULL)
        hk_log (HK_LOG_WARNING, "postscreen_cache_map: %s", error->message);
}

/* What stands before the sessions of a postscreen line. */
static bool
open_screen (Process *self, Service *service, size_t index, GError **error)
{
    service->screen_view = hk_settings_view (self->settings, index);
    hk_plugins_set_settings (self->plugins, service->screen_view);
    service->screen = hk_screen_new (self->plugins, service->screen_view, error);
    if (service->screen == NULL)
        return false;
    const HkService *line = hk_settings_service (self->settings, index);
    service->judged_view = hk_screen_session_view (service->view, service->screen_view);
    service->judged_tls =
        hk_session_tls_new (self->plugins, service->judged_view, line->name, self->tickets,
                            log_tls_complaint, (void *) (uintptr_t) line);
    open_screen_cache (self, service);
    return true;
}

static bool
open_listener_service (Process *self, int fd, size_t index, GError **error)
{
    fcntl (fd, F_SETFD, FD_CLOEXEC);
    if (find_service (self, index) != NULL)
        return true;
    const HkService *line = hk_settings_service (self->settings, index);
    bool is_screen = strcmp (line->command, "postscreen") == 0;
    bool is_smtp = strcmp (line->command, "qmqpd") != 0;
    size_t of = index;
    Service *service = NULL;
    if (!is_screen || find_pass_line (self->settings, &of, error))
        service =
            open_service (self, hk_settings_view (self->settings, of), index, is_smtp, error);
    if (service != NULL && is_screen && !open_screen (self, service, index, error))
        g_clear_pointer (&service, service_free);
    if (service == NULL) {
        g_prefix_error (error, "%s: line %u: service %s: ", line->file, line->line,
                        line->name);
        return false;
    }
    service->of = of;
    g_ptr_array_add (self->services, service);
    return true;
}

/* The view of the "pickup" line, if there is one: its -o apply to local submissions. */
static bool
open_pickup_service (Process *self, GError **error)
{
    size_t index = G_MAXSIZE;
    for (size_t i = 0; i < hk_settings_n_services (self->settings); i++)
        if (strcmp (hk_settings_service (self->settings, i)->command, "pickup") == 0)
            index = i;
    HkSettings *view = index == G_MAXSIZE ? hk_settings_ref (self->settings)
                                          : hk_settings_view (self->settings, index);
    self->pickup_service = open_service (self, view, G_MAXSIZE, false, error);
    if (self->pickup_service != NULL)
        hk_router_serve (self->pickup_service->router, self->plugins);
    return self->pickup_service != NULL;
}

static bool
open_dialogues (Process *self, GError **error)
{
    for (guint i = 0; i < self->services->len; i++) {
        Service *service = g_ptr_array_index (self->services, i);
        const HkService *line = hk_settings_service (self->settings, service->of);
        const HkDialogueOptions options = {
            .service = line->name,
            .view = service->view,
            .plugins = self->plugins,
            .access = service->access,
            .intake = service->intake,
            .screen = service->screen,
            .screen_cache = service->screen_cache,
            .screen_view = service->screen_view,
            .judged_view = service->judged_view,
            .judged_tls = service->judged_tls,
            .tls = service->tls,
        };
        if (strcmp (line->command, "qmqpd") == 0)
            service->qmqp = hk_qmqp_service_new (self->qmqps, &options, error);
        else
            service->dialogue = hk_dialogue_new (self->sessions, &options, error);
        if (service->dialogue == NULL && service->qmqp == NULL) {
            g_prefix_error (error, "%s: line %u: service %s: ", line->file, line->line,
                            line->name);
            return false;
        }
    }
    return true;
}

/* ---- plugins, tables, rights
 * ---------------------------------------------------------------- */

static void
ask_resolver (void *resolver, const char *name, uint16_t type, HkDnsFn fn, void *data)
{
    hk_resolver_ask (resolver, name, type, fn, data);
}

static bool
open_plugins (Process *self, GError **error)
{
    self->plugins = hk_plugins_new (hk_settings_get (self->settings, "plugin_directory"),
                                    self->loop, self->stats);
    hk_plugins_set_settings (self->plugins, self->settings);
    hk_plugins_load_enabled (self->plugins, self->settings);
    self->events = hk_events_new (self->plugins, self->settings, self->loop, error);
    if (self->events == NULL)
        return false;
    self->rates = hk_rate_keeper_new (self->loop, self->settings, self->events);
    self->resolver = hk_resolver_new_from_settings (self->loop, self->settings, error);
    if (self->resolver == NULL)
        return false;
    hk_plugins_set_dns (self->plugins, ask_resolver, self->resolver);
    self->services = g_ptr_array_new_with_free_func (service_free);
    self->tickets = hk_tls_tickets_new (hk_process_descriptor ("HIKYAKU_TICKETS_FD"));
    self->reopener = hk_reopener_new ();
    return foreach_listener (self, open_listener_service, error) &&
           open_pickup_service (self, error);
}

static void
enter_sandbox (Process *self)
{
    const char *dirs[] = {hk_settings_get (self->settings, "queue_directory"),
                          hk_settings_get (self->settings, "data_directory"), NULL};
    if (hk_settings_bool (self->settings, "smtpd_sandbox"))
        hk_sandbox_enter (dirs);
}

static bool
on_flush_site (HkSpan site, void *data)
{
    Process *self = data;
    return hk_announcer_flush_site (self->announcer, site);
}

static bool
on_open_files (const char *const *paths, void (*done) (const int *fds, void *done_data),
               void *done_data, void *data)
{
    Process *self = data;
    return hk_reopener_ask (self->reopener, paths, done, done_data);
}

static void
on_pressure (bool on, void *data)
{
    Process *self = data;
    hk_sessions_set_pressure (self->sessions, on);
    hk_qmqps_set_pressure (self->qmqps, on);
}

/* ---- ending
 * -------------------------------------------------------------------------------- */

static void
quit_when_done (Process *self)
{
    if (self->sessions_done && self->qmqps_done && self->pickup_done)
        hk_loop_quit (self->loop);
}

static void
on_sessions_drained (void *data)
{
    Process *self = data;
    self->sessions_done = true;
    quit_when_done (self);
}

static void
on_qmqps_drained (void *data)
{
    Process *self = data;
    self->qmqps_done = true;
    quit_when_done (self);
}

static void
on_pickup_idle (void *data)
{
    Process *self = data;
    self->pickup_done = true;
    quit_when_done (self);
}

static void
drain (Process *self)
{
    if (self->is_draining)
        return;
    self->is_draining = true;
    g_clear_pointer (&self->listeners, hk_listeners_free);
    hk_pickup_drain (self->pickup, on_pickup_idle, self);
    hk_sessions_drain (self->sessions);
    hk_qmqps_drain (self->qmqps);
}

/* Patience is over: sessions end without a word; what is being synced is still finished. */
static void
on_terminate (int sig, void *data)
{
    Process *self = data;
    (void) sig;
    hk_loop_quit (self->loop);
}

/* ---- master's channel
 * ----------------------------------------------------------------------- */

static void
on_control (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data)
{
    (void) channel;
    if (type == HK_FRAME_OPENED) {
        hk_reopener_opened (((Process *) data)->reopener, payload, fd);
        return;
    }
    if (type == HK_FRAME_LOG && fd >= 0) {
        hk_log_reopen (fd);
        return;
    }
    if (fd >= 0)
        close (fd);
    if (type == HK_FRAME_DRAIN)
        drain (data);
}

static void
on_control_closed (HkChannel *channel, void *data)
{
    Process *self = data;
    hk_reopener_connect (self->reopener, NULL);
    hk_channel_close (channel);
    self->control = NULL;
    drain (self);
}

static void
connect_master (Process *self)
{
    static const HkChannelFns fns = {on_control, on_control_closed};
    self->control = hk_process_connect_master (self->loop, &fns, self);
    if (self->control == NULL)
        return;
    hk_reopener_connect (self->reopener, self->control);
    hk_channel_send (self->control, HK_FRAME_UP, HK_SPAN_NONE, -1);
}

/* ---- life
 * ----------------------------------------------------------------------------------- */

static bool
open_queue (Process *self, GError **error)
{
    HkSettings *s = self->settings;
    self->workers =
        hk_workers_new (self->loop, (unsigned) hk_settings_int (s, "smtpd_worker_threads"));
    const HkLaneOptions options = {
        .queue_directory = hk_settings_get (s, "queue_directory"),
        .segment_size = (uint64_t) hk_settings_int (s, "queue_segment_size"),
        .min_free = (uint64_t) hk_settings_int (s, "queue_minfree"),
        .stats = self->stats,
    };
    self->lane = hk_lane_open (self->loop, &options, error);
    if (self->lane == NULL)
        return false;
    for (guint i = 0; i < self->services->len; i++) {
        Service *service = g_ptr_array_index (self->services, i);
        hk_intake_start (service->intake, self->lane, self->workers);
    }
    hk_intake_start (self->pickup_service->intake, self->lane, self->workers);
    return true;
}

static void
accept_smtp (void *target, int fd, const HkAddress *peer, const HkAddress *local)
{
    hk_session_start (target, fd, peer, local);
}

static void
accept_qmqp (void *target, int fd, const HkAddress *peer, const HkAddress *local)
{
    (void) local;
    hk_qmqp_start (target, fd, peer);
}

static bool
add_listener (Process *self, int fd, size_t index, GError **error)
{
    Service *service = find_service (self, index);
    if (service->qmqp != NULL)
        return hk_listeners_add (self->listeners, fd, accept_qmqp, service->qmqp, error);
    return hk_listeners_add (self->listeners, fd, accept_smtp, service->dialogue, error);
}

static bool
open_sessions (Process *self, GError **error)
{
    HkSessionsOptions options = {
        .loop = self->loop,
        .workers = self->workers,
        .lane = self->lane,
        .events = self->events,
        .stats = self->stats,
        .resolver = self->resolver,
        .rates = hk_rate_keeper_rates (self->rates),
        .session_limit = (size_t) hk_settings_int (self->settings, "smtpd_session_limit"),
        .queued = on_queued,
        .flush_site = on_flush_site,
        .drained = on_sessions_drained,
        .data = self,
        .open_files = on_open_files,
    };
    self->sessions = hk_sessions_new (&options);
    options.drained = on_qmqps_drained;
    self->qmqps = hk_qmqps_new (&options);
    if (!open_dialogues (self, error))
        return false;
    self->announcer =
        hk_announcer_new (self->loop, hk_settings_get (self->settings, "queue_directory"),
                          self->lane, on_pressure, self);
    self->verifier = hk_verifier_new (self->loop);
    hk_announcer_set_verifier (self->announcer, self->verifier);
    hk_plugins_set_verify (self->plugins, hk_verifier_start, self->verifier);
    const HkPickupOptions pickup = {
        .loop = self->loop,
        .lane = self->lane,
        .events = self->events,
        .intake = self->pickup_service->intake,
        .settings = self->pickup_service->view,
        .queued = on_queued,
        .data = self,
    };
    self->pickup = hk_pickup_new (&pickup);
    self->listeners = hk_listeners_new (self->loop);
    return foreach_listener (self, add_listener, error);
}

static bool
start (Process *self, const char *dir, GError **error)
{
    hk_register_params ();
    self->settings = hk_settings_load (dir, error);
    if (self->settings == NULL)
        return false;
    hk_process_open_log (self->settings, "smtpd");
    hk_log_set_verbose (self->is_verbose);
    raise_descriptor_limit ();
    self->loop = hk_loop_new (error);
    if (self->loop == NULL ||
        !hk_loop_on_signal (self->loop, SIGTERM, on_terminate, self, error))
        return false;
    self->stats = hk_process_open_stats (self->settings, "smtpd");
    if (!open_plugins (self, error) ||
        !hk_users_become (self->settings, "smtpd_owner", error))
        return false;
    enter_sandbox (self);
    if (!open_queue (self, error) || !open_sessions (self, error))
        return false;
    connect_master (self);
    return true;
}

static void
stop (Process *self)
{
    g_clear_pointer (&self->listeners, hk_listeners_free);
    hk_pickup_free (self->pickup);
    hk_workers_free (self->workers);
    hk_lane_close (self->lane);
    if (hk_sessions_has_held_workers (self->sessions)) {
        hk_log_flush ();
        _exit (0); /* what such a thread uses cannot be freed */
    }
    hk_sessions_free (self->sessions);
    hk_qmqps_free (self->qmqps);
    hk_announcer_free (self->announcer);
    hk_verifier_free (self->verifier);
    if (self->control != NULL)
        hk_channel_close (self->control);
    hk_reopener_free (self->reopener);
    hk_router_serve (NULL, self->plugins);
    g_ptr_array_unref (self->services);
    service_free (self->pickup_service);
    hk_rate_keeper_free (self->rates);
    hk_tls_tickets_free (self->tickets);
    hk_events_free (self->events);
    hk_log_flush ();
    hk_resolver_free (self->resolver);
    hk_plugins_free (self->plugins);
    hk_stats_free (self->stats);
    hk_settings_unref (self->settings);
    hk_loop_free (self->loop);
}

int
main (int argc, char **argv)
{
    g_autoptr (GError) error = NULL;
    static Process self; /* lives as long as the process */
    const char *dir = NULL;
    int option;
    while ((option = getopt (argc, argv, "c:v")) != -1) {
        if (option == 'c')
            dir = optarg;
        self.is_verbose = self.is_verbose || option == 'v';
    }
    if (dir == NULL || optind < argc) {
        fprintf (stderr,
                 "usage: smtpd -c CONFIGDIR [-v]\nThis program is started by master.\n");
        return EX_USAGE;
    }
    signal (SIGPIPE, SIG_IGN);
    umask (077);
    if (!start (&self, dir, &error)) {
        hk_log (HK_LOG_ERROR, "smtpd: %s", error->message);
        hk_log_flush ();
        return 1;
    }
    batch_log (&self);
    hk_loop_run (self.loop);
    hk_log_batch (false);
    stop (&self);
    return 0;
}
