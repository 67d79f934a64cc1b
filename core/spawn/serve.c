/* serve.c: one command for each connection, within limits of number and time. */
#include "config.h"

#include "base/log.h"
#include "spawn/spawn_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    HkSpawn *owner;
    pid_t pid;
    HkLoopTimer deadline;
} Running;

/* ---- the child, up to exec ------------------------------------------------------- */

static void
restore_signals (void)
{
    sigset_t none;
    for (int i = 1; i < NSIG; i++)
        signal (i, SIG_DFL);
    sigemptyset (&none);
    sigprocmask (SIG_SETMASK, &none, NULL);
}

/* The role has many descriptors at hand; a command that uses select(2) must not. */
static void
restore_limits (void)
{
    struct rlimit r;
    if (getrlimit (RLIMIT_NOFILE, &r) == 0 && r.rlim_cur > 1024) {
        r.rlim_cur = 1024;
        setrlimit (RLIMIT_NOFILE, &r);
    }
}

/* What went wrong; NULL: nothing.  The groups are read before the root is left behind. */
static const char *
enter (const HkSpawn *self)
{
    const HkSpawnCommand *command = &self->command;
    gid_t gid = command->gid;
    if (chdir (self->directory) != 0)
        return "chdir";
    if (!self->drops_rights)
        return NULL;
    if (command->user != NULL ? initgroups (command->user, gid) != 0
                              : setgroups (1, &gid) != 0)
        return "setgroups";
    if (self->is_chroot && (chroot (".") != 0 || chdir ("/") != 0))
        return "chroot";
    if (setresgid (gid, gid, gid) != 0 ||
        setresuid (command->uid, command->uid, command->uid) != 0)
        return "setuid";
    return setuid (0) == 0 ? "still root" : NULL;
}

static void G_GNUC_NORETURN
child_main (HkSpawn *self, int fd)
{
    setsid ();
    const char *what = enter (self);
    if (what != NULL) {
        hk_log (HK_LOG_ERROR, "command %s: %s: %s", self->command.argv[0], what,
                g_strerror (errno));
        hk_log_flush ();
        _exit (75);
    }
    for (int i = 0; i < 3; i++)
        if (dup2 (fd, i) < 0)
            _exit (71);
    if (fd < 3)
        fcntl (fd, F_SETFD, 0);
    close_range (3, ~0U, CLOSE_RANGE_CLOEXEC);
    restore_signals ();
    restore_limits ();
    umask (022);
    environ = self->environment;
    execvp (self->command.argv[0], self->command.argv);
    hk_log (HK_LOG_ERROR, "cannot run command %s: %s", self->command.argv[0],
            g_strerror (errno));
    hk_log_flush ();
    _exit (errno == ENOENT ? 72 : 71);
}

/* ---- connections ----------------------------------------------------------------- */

static void
free_running (gpointer data)
{
    Running *one = data;
    hk_timer_disarm (&one->deadline);
    g_free (one);
}

static void
listen_again (HkSpawn *self)
{
    bool is_open = !self->is_draining && self->running->len < self->limit;
    for (guint i = 0; i < self->listeners->len; i++) {
        HkFdWatch *watch = g_array_index (self->listeners, HkFdWatch *, i);
        hk_fd_watch_events (watch, is_open ? HK_LOOP_READ : 0);
    }
    if (self->running->len == 0 && self->max_idle_us > 0)
        hk_timer_arm (&self->idle, self->max_idle_us);
    else
        hk_timer_disarm (&self->idle);
}

static void
on_pause_over (HkLoopTimer *timer)
{
    listen_again (timer->data);
}

static void
on_deadline (HkLoopTimer *timer)
{
    Running *one = timer->data;
    hk_log (HK_LOG_WARNING, "%s: process id %d: %s", one->owner->command.argv[0],
            (int) one->pid,
            one->owner->is_ending ? "ended with the mail system"
                                  : "command time limit exceeded");
    kill (-one->pid, SIGKILL);
}

static void
run_command (HkSpawn *self, int fd)
{
    hk_log_flush ();
    pid_t pid = fork ();
    if (pid == 0)
        child_main (self, fd);
    if (pid < 0) {
        hk_log (HK_LOG_ERROR, "cannot fork: %s", g_strerror (errno));
        return;
    }
    Running *one = g_new0 (Running, 1);
    one->owner = self;
    one->pid = pid;
    hk_timer_init (&one->deadline, self->loop, on_deadline, one);
    hk_timer_arm (&one->deadline, self->time_limit_us);
    g_ptr_array_add (self->running, one);
}

/* Descriptors or memory ran out: asking again at once would only burn time. */
static void
pause_listening (HkSpawn *self)
{
    hk_log (HK_LOG_WARNING, "accept: %s", g_strerror (errno));
    for (guint i = 0; i < self->listeners->len; i++)
        hk_fd_watch_events (g_array_index (self->listeners, HkFdWatch *, i), 0);
    hk_timer_arm (&self->pause, HK_SECOND);
}

static void
on_connection (HkFdWatch *watch, unsigned events)
{
    HkSpawn *self = watch->data;
    (void) events;
    if (self->is_draining || self->running->len >= self->limit)
        return;
    int fd = accept4 (watch->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
            pause_listening (self);
        return;
    }
    run_command (self, fd);
    close (fd);
    listen_again (self);
}

static void
say_how (const HkSpawn *self, int status)
{
    const char *name = self->command.argv[0];
    if (WIFSIGNALED (status))
        hk_log (HK_LOG_WARNING, "command %s killed by signal %d", name, WTERMSIG (status));
    else if (WEXITSTATUS (status) != 0)
        hk_log (HK_LOG_WARNING, "command %s exit status %d", name, WEXITSTATUS (status));
}

void
hk_spawn_reap (HkSpawn *self)
{
    int status;
    pid_t pid;
    while ((pid = waitpid (-1, &status, WNOHANG)) > 0)
        for (guint i = 0; i < self->running->len; i++)
            if (((Running *) self->running->pdata[i])->pid == pid) {
                say_how (self, status);
                g_ptr_array_remove_index_fast (self->running, i);
                break;
            }
    if (self->is_draining && self->running->len == 0)
        self->ended (self->ended_data);
    else
        listen_again (self);
}

/* ---- life ------------------------------------------------------------------------ */

static void
on_idle (HkLoopTimer *timer)
{
    hk_spawn_drain (timer->data);
}

void
hk_spawn_start (HkSpawn *self)
{
    self->listeners = g_array_new (FALSE, FALSE, sizeof (HkFdWatch *));
    self->running = g_ptr_array_new_with_free_func (free_running);
    hk_timer_init (&self->idle, self->loop, on_idle, self);
    hk_timer_init (&self->pause, self->loop, on_pause_over, self);
    listen_again (self);
}

bool
hk_spawn_listen (HkSpawn *self, int fd, GError **error)
{
    HkFdWatch *watch = g_new0 (HkFdWatch, 1);
    g_array_append_val (self->listeners, watch);
    fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) | O_NONBLOCK);
    fcntl (fd, F_SETFD, FD_CLOEXEC);
    return hk_loop_attach (self->loop, watch, fd, HK_LOOP_READ, on_connection, self, error);
}

void
hk_spawn_drain (HkSpawn *self)
{
    self->is_draining = true;
    listen_again (self);
    hk_timer_disarm (&self->idle);
    if (self->running->len == 0)
        self->ended (self->ended_data);
}

void
hk_spawn_end (HkSpawn *self)
{
    self->is_ending = true;
    for (guint i = 0; i < self->running->len; i++) {
        Running *one = self->running->pdata[i];
        kill (-one->pid, SIGTERM);
        hk_timer_arm (&one->deadline, HK_SECOND);
    }
    hk_spawn_drain (self);
}

void
hk_spawn_stop (HkSpawn *self)
{
    for (guint i = 0; self->listeners != NULL && i < self->listeners->len; i++) {
        HkFdWatch *watch = g_array_index (self->listeners, HkFdWatch *, i);
        hk_fd_watch_detach (watch);
        close (watch->fd);
        g_free (watch);
    }
    g_clear_pointer (&self->listeners, g_array_unref);
    g_clear_pointer (&self->running, g_ptr_array_unref);
    hk_timer_disarm (&self->idle);
    hk_timer_disarm (&self->pause);
    g_strfreev (self->environment);
    hk_spawn_command_clear (&self->command);
}
