/* master.c: what the parent does with its children and listeners over their life. */
#include "config.h"

#include "ipc/frames.h"
#include "master/master_priv.h"

#include <fcntl.h>
#include <signal.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

GPtrArray *
hk_master_listeners_for (HkChild *child)
{
    HkMaster *self = child->master;
    return child->is_new ? self->new_listeners : self->listeners;
}

/* ---- starting ---- */

static bool
has_smtpd (GPtrArray *listeners)
{
    for (guint i = 0; i < listeners->len; i++)
        if (((HkListener *) g_ptr_array_index (listeners, i))->use == HK_LISTENER_SMTPD)
            return true;
    return false;
}

/* IS_NEW: those of a reload under way. */
static void
start_smtpd (HkMaster *self, bool is_new)
{
    HkSettings *settings = is_new ? self->new_settings : self->settings;
    GPtrArray *listeners = is_new ? self->new_listeners : self->listeners;
    int64_t n = hk_settings_int (settings, "smtpd_workers");
    /* Without a listener one worker still takes what local programs submit. */
    for (int64_t i = 0; i < (has_smtpd (listeners) ? n : 1); i++) {
        HkChild *child = hk_child_new (self, "smtpd", -1, NULL);
        child->is_new = is_new;
        g_ptr_array_add (self->children, child);
        hk_child_start (child);
    }
}

/* One process a service, whatever number of addresses it listens at: they stand together. */
static void
start_on_demand (HkMaster *self)
{
    int64_t last = -1;
    for (guint i = 0; i < self->listeners->len; i++) {
        HkListener *l = g_ptr_array_index (self->listeners, i);
        if (l->use == HK_LISTENER_SMTPD || (int64_t) l->service == last)
            continue;
        last = (int64_t) l->service;
        HkChild *child
            = hk_child_new (self, l->use == HK_LISTENER_SPAWN ? "spawn" : "deliver", last,
                            hk_settings_service (self->settings, l->service)->name);
        g_ptr_array_add (self->children, child);
        hk_child_await_demand (child);
    }
}

void
hk_master_start (HkMaster *self)
{
    HkChild *qmgr = hk_child_new (self, "qmgr", -1, NULL);
    g_ptr_array_add (self->children, qmgr);
    hk_child_start (qmgr);
    start_on_demand (self);
    start_smtpd (self, false);
}

static void ask_qmgr (HkMaster *self);
static void give_up_reload (HkMaster *self, const char *why);

/* Of the children that are, or are not, of a reload under way. */
static bool
all_up (HkMaster *self, bool is_new)
{
    for (guint i = 0; i < self->children->len; i++) {
        HkChild *c = g_ptr_array_index (self->children, i);
        if (c->is_new == is_new && !c->on_demand && !c->is_draining && !c->is_up)
            return false;
    }
    return true;
}

void
hk_master_child_up (HkMaster *self)
{
    if (self->is_stopping)
        return;
    if (self->new_listeners != NULL && !self->awaits_qmgr && all_up (self, true))
        ask_qmgr (self);
    if (!all_up (self, false))
        return;
    if (!self->was_up) {
        self->was_up = true;
        hk_log (HK_LOG_INFO, "daemon started -- version %s, configuration %s",
                hk_settings_get (self->settings, "mail_version"), self->config_dir);
        hk_master_tell_ready (self);
    }
    sd_notify (0, "READY=1");
}

/* ---- ending ---- */

static unsigned
n_running (HkMaster *self)
{
    unsigned n = 0;
    for (guint i = 0; i < self->children->len; i++)
        n += ((HkChild *) g_ptr_array_index (self->children, i))->pid > 0;
    return n;
}

void
hk_master_child_ended (HkMaster *self, HkChild *child)
{
    bool is_given_up = false;
    if (self->awaits_qmgr && strcmp (child->role, "qmgr") == 0)
        give_up_reload (self, "qmgr ended while it read the new configuration");
    if (child->is_new) {
        child->is_new = child->restarts = false;
        give_up_reload (self, "a new smtpd process did not start");
    }
    if (!self->was_up && !self->is_stopping && !child->on_demand && !child->is_draining) {
        hk_log (HK_LOG_ERROR, "%s did not come up: the start is given up", child->name);
        self->exit_status = EX_UNAVAILABLE;
        is_given_up = true;
        hk_master_stop (self, HK_SECOND); /* forgets children that do not run */
    }
    if (!is_given_up && child->restarts) {
        hk_child_await_demand (child);
        return;
    }
    g_ptr_array_remove (self->children, child);
    if (self->is_stopping && n_running (self) == 0)
        hk_loop_quit (self->loop);
}

static void
signal_all (HkMaster *self, int sig)
{
    for (guint i = 0; i < self->children->len; i++)
        hk_child_signal (g_ptr_array_index (self->children, i), sig);
}

static void
drain_role (HkMaster *self, bool is_qmgr)
{
    for (guint i = 0; i < self->children->len; i++) {
        HkChild *c = g_ptr_array_index (self->children, i);
        if ((strcmp (c->role, "qmgr") == 0) == is_qmgr)
            hk_child_drain (c);
    }
}

/* Patience ends: ask, then force.  Nothing acknowledged is lost by either. */
void
hk_master_stop_step (HkLoopTimer *timer)
{
    HkMaster *self = timer->data;
    signal_all (self, self->stop_step++ == 0 ? SIGTERM : SIGKILL);
    hk_timer_arm (&self->stop_timer, 2 * HK_SECOND);
}

/* TIMEOUT_US 0: wait as long as deliveries take. */
void
hk_master_stop (HkMaster *self, int64_t timeout_us)
{
    give_up_reload (self, NULL);
    sd_notify (0, "STOPPING=1");
    if (!self->is_stopping) {
        self->is_stopping = true;
        drain_role (self, true);
        drain_role (self, false);
        /* children that were waiting for a connection or for their backoff are gone at once */
        for (guint i = self->children->len; i > 0; i--) {
            HkChild *c = g_ptr_array_index (self->children, i - 1);
            if (c->pid == 0)
                g_ptr_array_remove (self->children, c);
        }
    }
    if (n_running (self) == 0)
        hk_loop_quit (self->loop);
    else if (timeout_us > 0)
        hk_timer_arm (&self->stop_timer, timeout_us);
}

/* ---- reload ---- */

/* Warnings are `hikyaku check`'s: without the plugins' descriptors half of them would be wrong. */
static void
complain (int level, const char *text, void *data)
{
    (void) data;
    if (level >= HK_LOG_ERROR)
        hk_log (level, "%s", text);
}

static void
drop_new (HkMaster *self)
{
    g_clear_pointer (&self->new_listeners, g_ptr_array_unref);
    g_clear_pointer (&self->new_settings, hk_settings_unref);
    self->awaits_qmgr = false;
}

/* WHY NULL: nothing to say.  The new processes end; the old ones never stopped serving. */
static void
give_up_reload (HkMaster *self, const char *why)
{
    if (self->new_listeners == NULL)
        return;
    if (why != NULL) {
        hk_log (HK_LOG_ERROR, "%s: reload failed: the old configuration stays in use", why);
        hk_stats_add (self->n_failed_reloads, 1);
    }
    for (guint i = self->children->len; i > 0; i--) {
        HkChild *c = g_ptr_array_index (self->children, i - 1);
        if (!c->is_new)
            continue;
        c->is_new = false;
        hk_child_drain (c);
        if (c->pid == 0)
            g_ptr_array_remove (self->children, c);
    }
    drop_new (self);
}

/* Old children serve to the end of what they have; qmgr has taken the new settings itself. */
static void
retire_children (HkMaster *self)
{
    for (guint i = self->children->len; i > 0; i--) {
        HkChild *c = g_ptr_array_index (self->children, i - 1);
        if (c->is_new || strcmp (c->role, "qmgr") == 0)
            continue;
        hk_child_drain (c);
        if (c->pid == 0)
            g_ptr_array_remove (self->children, c);
    }
}

/* All use the new configuration: it is the configuration. */
static void
end_reload (HkMaster *self)
{
    self->awaits_qmgr = false;
    retire_children (self);
    g_ptr_array_unref (self->listeners);
    self->listeners = g_steal_pointer (&self->new_listeners);
    hk_settings_unref (self->settings);
    self->settings = g_steal_pointer (&self->new_settings);
    for (guint i = 0; i < self->children->len; i++)
        ((HkChild *) g_ptr_array_index (self->children, i))->is_new = false;
    start_on_demand (self);
    hk_log (HK_LOG_INFO, "reload -- the new configuration is in use");
    hk_stats_add (self->n_reloads, 1);
}

/* The new smtpd processes serve; qmgr is the last that may say no. */
static void
ask_qmgr (HkMaster *self)
{
    for (guint i = 0; i < self->children->len; i++) {
        HkChild *c = g_ptr_array_index (self->children, i);
        if (strcmp (c->role, "qmgr") == 0 && c->channel != NULL) {
            self->awaits_qmgr = true;
            hk_channel_send (c->channel, HK_FRAME_RELOAD, HK_SPAN_NONE, -1);
            return;
        }
    }
    end_reload (self); /* it is between two starts, and will read what is there */
}

void
hk_master_qmgr_reloaded (HkMaster *self, const char *why)
{
    if (!self->awaits_qmgr)
        return; /* that reload was given up, or another took its place */
    if (why == NULL)
        end_reload (self);
    else
        give_up_reload (self, why);
}

void
hk_master_reload (HkMaster *self)
{
    g_autoptr (GError) error = NULL;
    if (self->is_stopping)
        return;
    give_up_reload (self, NULL); /* this one reads what is there now */
    hk_log (HK_LOG_INFO, "reload -- version %s, configuration %s",
            hk_settings_get (self->settings, "mail_version"), self->config_dir);
    self->new_settings = hk_settings_load (self->config_dir, &error);
    if (self->new_settings != NULL && hk_settings_check (self->new_settings, complain, NULL))
        self->new_listeners = hk_listeners_open (self->new_settings, self->listeners, &error);
    if (self->new_listeners == NULL) {
        hk_log (HK_LOG_ERROR, "%s%sreload failed: the old configuration stays in use",
                error != NULL ? error->message : "", error != NULL ? ": " : "");
        hk_stats_add (self->n_failed_reloads, 1);
        drop_new (self);
        return;
    }
    start_smtpd (self, true);
}

/* ---- log file ---- */

int
hk_master_open_log (HkSettings *settings, GError **error)
{
    const char *path = hk_settings_get (settings, "maillog_file");
    if (path[0] == '\0' || strcmp (path, "/dev/stdout") == 0)
        return -1;
    int fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO, "maillog_file: %s: %s", path,
                     g_strerror (errno));
    return fd;
}

void
hk_master_reopen_log (HkMaster *self)
{
    g_autoptr (GError) error = NULL;
    int fd = hk_master_open_log (self->settings, &error);
    if (fd < 0) {
        if (error != NULL)
            hk_log (HK_LOG_ERROR, "%s", error->message);
        return;
    }
    if (self->log_fd >= 0)
        close (self->log_fd);
    self->log_fd = fd;
    hk_log_reopen (fcntl (fd, F_DUPFD_CLOEXEC, 0));
    for (guint i = 0; i < self->children->len; i++) {
        HkChild *c = g_ptr_array_index (self->children, i);
        if (c->channel != NULL)
            hk_channel_send (c->channel, HK_FRAME_LOG, HK_SPAN_NONE, fd);
    }
}
