/* children.c: starting, watching and ending the role processes. */
#include "config.h"

#include "ipc/frames.h"
#include "master/master.h"
#include "tls/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CONTROL_FD = 3,         /* what a child finds its channel at */
    BACKOFF_FIRST_MS = 100, /* doubled with each early end in a row, */
    BACKOFF_MAX_MS = 60000, /* up to this when it did not come up, */
    BACKOFF_UP_MS = 800,    /* or to this when it had served: mail must not wait for long */
    EARLY_US = 60 * 1000000 /* an end within a minute of the start counts as early */
};

/* A file of keys or certificates, as the configuration names it: the roles that serve have no
 * right to it any more when it changes. */
static void
open_for (HkChild *self, HkChannel *channel, HkSpan payload)
{
    HkUnpack u = hk_unpack (payload);
    uint64_t request = hk_unpack_u64 (&u);
    HkSpan path = hk_unpack_span (&u);
    int fd = -1;
    if (!u.failed && strcmp (self->role, "smtpd") == 0)
        fd = hk_tls_parent_open (self->master->settings, path);
    g_autoptr (GByteArray) answer = g_byte_array_new ();
    hk_pack_u64 (answer, request);
    hk_channel_send (channel, HK_FRAME_OPENED, hk_span (answer->data, answer->len), fd);
    if (fd >= 0)
        close (fd);
}

static void
on_frame (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data)
{
    HkChild *self = data;
    if (fd >= 0)
        close (fd);
    if (type == HK_FRAME_RELOADED) {
        HkUnpack unpack = hk_unpack (payload);
        g_autofree char *why = hk_span_dup (hk_unpack_span (&unpack));
        hk_master_qmgr_reloaded (self->master, why[0] == '\0' ? NULL : why);
    } else if (type == HK_FRAME_OPEN) {
        open_for (self, channel, payload);
    } else if (type == HK_FRAME_UP) {
        self->is_up = true;
        self->n_failed_starts = 0;
        hk_master_child_up (self->master);
    }
}

static void
on_closed (HkChannel *channel, void *data)
{
    HkChild *self = data;
    hk_channel_close (channel);
    self->channel = NULL; /* the end itself is told by SIGCHLD */
}

static const HkChannelFns channel_fns = { on_frame, on_closed };

static void
on_timer (HkLoopTimer *timer)
{
    hk_child_start (timer->data);
}

HkChild *
hk_child_new (HkMaster *master, const char *role, int64_t service, const char *label)
{
    HkChild *self = g_new0 (HkChild, 1);
    self->master = master;
    self->role = g_strdup (role);
    self->name = label == NULL ? g_strdup (role) : g_strdup_printf ("%s (%s)", role, label);
    self->service = service;
    self->restarts = true;
    hk_timer_init (&self->timer, master->loop, on_timer, self);
    return self;
}

static void
forget_demand (HkChild *self)
{
    for (size_t i = 0; i < self->n_demand; i++)
        hk_fd_watch_detach (&self->demand[i]);
    g_clear_pointer (&self->demand, g_free);
    self->n_demand = 0;
}

void
hk_child_free (HkChild *self)
{
    hk_timer_disarm (&self->timer);
    forget_demand (self);
    hk_channel_close (self->channel);
    g_free (self->role);
    g_free (self->name);
    g_free (self);
}

static HkListenerUse
use_of (const HkChild *self)
{
    if (strcmp (self->role, "spawn") == 0)
        return HK_LISTENER_SPAWN;
    return strcmp (self->role, "smtpd") == 0 ? HK_LISTENER_SMTPD : HK_LISTENER_DELIVER;
}

/* Between fork and exec: only async-signal-safe calls. */
static void
exec_child (char **argv, char **envp, int control, const int *keep, size_t n_keep)
{
    sigset_t none;
    sigemptyset (&none);
    sigprocmask (SIG_SETMASK, &none, NULL);
    prctl (PR_SET_PDEATHSIG, SIGTERM);
    if (control != CONTROL_FD) {
        if (dup2 (control, CONTROL_FD) < 0)
            _exit (71);
    } else {
        fcntl (control, F_SETFD, 0);
    }
    for (size_t i = 0; i < n_keep; i++)
        fcntl (keep[i], F_SETFD, 0);
    execve (argv[0], argv, envp);
    _exit (errno == ENOENT ? 72 : 71);
}

/* Of HkListener. */
static GPtrArray *
listeners_of (HkChild *self)
{
    GPtrArray *out = g_ptr_array_new ();
    GPtrArray *all = hk_master_listeners_for (self);
    for (guint i = 0; i < all->len && strcmp (self->role, "qmgr") != 0; i++) {
        HkListener *l = g_ptr_array_index (all, i);
        if (l->use == use_of (self)
            && (self->service < 0 || (int64_t) l->service == self->service))
            g_ptr_array_add (out, l);
    }
    return out;
}

static bool
gets_tickets (const HkChild *self)
{
    return self->master->tickets_fd >= 0 && strcmp (self->role, "smtpd") == 0;
}

static GArray *
descriptors (const HkChild *self, GPtrArray *listeners)
{
    GArray *out = g_array_new (FALSE, FALSE, sizeof (int));
    for (guint i = 0; i < listeners->len; i++) {
        HkListener *l = g_ptr_array_index (listeners, i);
        g_array_append_val (out, l->fd);
    }
    if (self->master->log_fd >= 0)
        g_array_append_val (out, self->master->log_fd);
    if (gets_tickets (self))
        g_array_append_val (out, self->master->tickets_fd);
    return out;
}

/* See role/process.h. */
static char **
environment (const HkChild *self, GPtrArray *listeners)
{
    char **env = g_get_environ ();
    g_autoptr (GString) list = g_string_new (NULL);
    g_autoptr (GString) names = g_string_new (NULL);
    for (guint i = 0; i < listeners->len; i++) {
        HkListener *l = g_ptr_array_index (listeners, i);
        g_string_append_printf (list, "%s%d=%zu", i > 0 ? "," : "", l->fd, l->service);
        g_string_append_printf (names, "%s%s", i > 0 ? "\n" : "", l->identity);
    }
    env = g_environ_setenv (env, "HIKYAKU_LISTENERS", list->str, TRUE);
    env = names->len > 0 ? g_environ_setenv (env, "HIKYAKU_SERVICE", names->str, TRUE)
                         : g_environ_unsetenv (env, "HIKYAKU_SERVICE");
    if (self->master->log_fd >= 0) {
        g_autofree char *fd = g_strdup_printf ("%d", self->master->log_fd);
        env = g_environ_setenv (env, "HIKYAKU_LOG_FD", fd, TRUE);
    }
    env = g_environ_unsetenv (env, "HIKYAKU_TICKETS_FD");
    if (gets_tickets (self)) {
        g_autofree char *fd = g_strdup_printf ("%d", self->master->tickets_fd);
        env = g_environ_setenv (env, "HIKYAKU_TICKETS_FD", fd, TRUE);
    }
    return env;
}

/* Start it again, the later the more often in a row it has ended early. */
static void
retry_later (HkChild *self, bool had_served)
{
    unsigned n = had_served ? self->n_crashes++ : self->n_failed_starts++;
    int64_t ms = MIN ((int64_t) BACKOFF_FIRST_MS << MIN (n, 10u),
                      (int64_t) (had_served ? BACKOFF_UP_MS : BACKOFF_MAX_MS));
    hk_timer_arm (&self->timer, ms * 1000);
}

void
hk_child_start (HkChild *self)
{
    int pair[2];
    forget_demand (self);
    if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        hk_log (HK_LOG_ERROR, "%s: cannot start: %s", self->name, g_strerror (errno));
        retry_later (self, false);
        return;
    }
    g_autofree char *path = g_build_filename (hk_role_dir (), self->role, NULL);
    g_autofree char *index = g_strdup_printf ("%" G_GINT64_FORMAT, self->service);
    char *argv[] = { path, (char *) "-c", self->master->config_dir, index, NULL };
    if (self->service < 0)
        argv[3] = NULL;
    g_autoptr (GPtrArray) listeners = listeners_of (self);
    g_auto (GStrv) env = environment (self, listeners);
    g_autoptr (GArray) keep = descriptors (self, listeners);
    hk_log_flush ();
    pid_t pid = fork ();
    if (pid == 0)
        exec_child (argv, env, pair[1], (const int *) (void *) keep->data, keep->len);
    close (pair[1]);
    if (pid < 0) {
        hk_log (HK_LOG_ERROR, "%s: cannot fork: %s", self->name, g_strerror (errno));
        close (pair[0]);
        retry_later (self, false);
        return;
    }
    self->pid = pid;
    self->is_up = false;
    self->started_us = hk_steady_us (hk_loop_clock (self->master->loop));
    self->channel = hk_channel_new (self->master->loop, pair[0], &channel_fns, self);
}

static void
on_demand (HkFdWatch *watch, unsigned events)
{
    HkChild *self = watch->data;
    (void) events;
    hk_child_start (self);
}

static void
await_one (HkChild *self, HkFdWatch *watch, int fd)
{
    g_autoptr (GError) error = NULL;
    if (!hk_loop_attach (self->master->loop, watch, fd, HK_LOOP_READ, on_demand, self, &error))
        hk_log (HK_LOG_ERROR, "%s: %s", self->name, error->message);
}

void
hk_child_await_demand (HkChild *self)
{
    g_autoptr (GPtrArray) listeners = listeners_of (self);
    forget_demand (self);
    self->on_demand = true;
    self->demand = g_new0 (HkFdWatch, listeners->len);
    self->n_demand = listeners->len;
    for (guint i = 0; i < listeners->len; i++)
        await_one (self, &self->demand[i],
                   ((const HkListener *) g_ptr_array_index (listeners, i))->fd);
}

void
hk_child_drain (HkChild *self)
{
    self->is_draining = true;
    self->restarts = false;
    hk_timer_disarm (&self->timer);
    forget_demand (self);
    if (self->channel != NULL)
        hk_channel_send (self->channel, HK_FRAME_DRAIN, HK_SPAN_NONE, -1);
}

void
hk_child_signal (HkChild *self, int sig)
{
    if (self->pid > 0)
        kill (self->pid, sig);
}

static void
say_how (const HkChild *self, int status)
{
    if (WIFSIGNALED (status))
        hk_log (HK_LOG_WARNING, "process %s pid %d killed by signal %d", self->name,
                (int) self->pid, WTERMSIG (status));
    else if (WEXITSTATUS (status) == 72)
        hk_log (HK_LOG_ERROR, "process %s: there is no program %s/%s", self->name, hk_role_dir (),
                self->role);
    else if (WEXITSTATUS (status) != 0)
        hk_log (HK_LOG_WARNING, "process %s pid %d exit status %d", self->name, (int) self->pid,
                WEXITSTATUS (status));
}

void
hk_children_reap (GPtrArray *children, pid_t pid, int status)
{
    HkChild *self = NULL;
    for (guint i = 0; i < children->len && self == NULL; i++) {
        HkChild *c = g_ptr_array_index (children, i);
        self = c->pid == pid ? c : NULL;
    }
    if (self == NULL)
        return;
    say_how (self, status);
    int64_t lived = hk_steady_us (hk_loop_clock (self->master->loop)) - self->started_us;
    bool is_clean = WIFEXITED (status) && WEXITSTATUS (status) == 0;
    /* SIGKILL comes from outside and says nothing about whether it can start. */
    bool had_served = self->is_up || (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
    self->pid = 0;
    self->is_up = false;
    hk_channel_close (self->channel);
    self->channel = NULL;
    if (is_clean || lived > EARLY_US)
        self->n_crashes = self->n_failed_starts = 0;
    if (self->restarts && is_clean && self->on_demand)
        hk_master_child_ended (self->master, self); /* idle: wait for the next connection */
    else if (self->restarts && !self->is_new && (self->master->was_up || self->on_demand))
        retry_later (self, had_served);
    else
        hk_master_child_ended (self->master, self);
}
