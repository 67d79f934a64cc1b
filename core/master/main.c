/* main.c: the master process: reads the configuration, owns the instance, runs the loop.
 *
 *   master -c DIR [-d]      -d: stay in the foreground
 *
 * Signals: TERM, INT stop; HUP reload; USR1 drain; USR2 reopen the log file; QUIT abort. */
#include "config.h"

#include "master/master_priv.h"
#include "net/address.h"
#include "role/params.h"
#include "role/process.h"
#include "role/users.h"
#include "store/store.h"
#include "tls/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

/* Warnings are `hikyaku check`'s: without the plugins' descriptors half of them would be wrong. */
static void
complain (int level, const char *text, void *data)
{
    (void) data;
    if (level >= HK_LOG_ERROR)
        hk_log (level, "%s", text);
}

/* The lock on pid/master.pid is what makes an instance: two masters on one queue cannot be. */
static int
take_instance (const char *queue, GError **error)
{
    g_autofree char *path = g_build_filename (queue, "pid", "master.pid", NULL);
    int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    char old[32] = "";
    if (fd < 0) {
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO, "%s: %s", path, g_strerror (errno));
        return -1;
    }
    if (flock (fd, LOCK_EX | LOCK_NB) < 0) {
        ssize_t n = pread (fd, old, sizeof old - 1, 0);
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO,
                     "the mail system is already running: queue %s belongs to pid %s", queue,
                     n > 0 ? g_strstrip (old) : "unknown");
        close (fd);
        return -1;
    }
    return fd;
}

/* For tools and for people; the lock is what counts. */
static void
write_pid (int fd)
{
    g_autofree char *text = g_strdup_printf ("%10d\n", (int) getpid ());
    if (ftruncate (fd, 0) < 0 || pwrite (fd, text, strlen (text), 0) < 0)
        hk_log (HK_LOG_WARNING, "master.pid: %s", g_strerror (errno));
}

static bool
prepare_directories (HkSettings *settings, GError **error)
{
    HkStoreOwners owners = { -1, -1, -1, -1, -1 };
    const char *queue = hk_settings_get (settings, "queue_directory");
    const char *data = hk_settings_get (settings, "data_directory");
    if (getuid () == 0 && !hk_users_find (settings, &owners, error))
        return false;
    if (!hk_store_prepare (queue, &owners, error)) {
        g_prefix_error (error, "queue_directory: ");
        return false;
    }
    g_autofree char *stats = g_build_filename (data, "stats", NULL);
    if (g_mkdir_with_parents (stats, 0755) < 0
        || (getuid () == 0 && chmod (stats, 01777) < 0)) {
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO, "data_directory: %s: %s", stats,
                     g_strerror (errno));
        return false;
    }
    return true;
}

static void
open_own_log (HkMaster *self)
{
    const char *name = hk_settings_get (self->settings, "syslog_name");
    const char *file = hk_settings_get (self->settings, "maillog_file");
    if (self->log_fd >= 0)
        hk_log_open (HK_LOG_TO_FILE, fcntl (self->log_fd, F_DUPFD_CLOEXEC, 0), name, "master");
    else if (strcmp (file, "/dev/stdout") == 0)
        hk_log_open (HK_LOG_TO_STDOUT, -1, name, "master");
    else
        hk_log_open (HK_LOG_TO_SYSLOG, -1, name, "master");
}

/* ---- signals ---- */

static void
on_signal (int sig, void *data)
{
    HkMaster *self = data;
    int64_t timeout = hk_settings_int (self->settings, "master_stop_timeout") * HK_SECOND;
    switch (sig) {
    case SIGHUP:
        hk_master_reload (self);
        break;
    case SIGUSR1:
        hk_log (HK_LOG_INFO, "draining: no new mail, running deliveries finish");
        hk_master_stop (self, 0);
        break;
    case SIGUSR2:
        hk_master_reopen_log (self);
        break;
    case SIGQUIT:
        hk_log (HK_LOG_INFO, "aborting the mail system");
        self->stop_step = 1; /* no asking */
        hk_master_stop (self, 1);
        break;
    default:
        hk_log (HK_LOG_INFO, "terminating on signal %d", sig);
        hk_master_stop (self, timeout);
    }
}

static void
on_child (int sig, void *data)
{
    HkMaster *self = data;
    int status;
    pid_t pid;
    (void) sig;
    while ((pid = waitpid (-1, &status, WNOHANG)) > 0)
        hk_children_reap (self->children, pid, status);
}

static bool
watch_signals (HkMaster *self, GError **error)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT };
    for (size_t i = 0; i < G_N_ELEMENTS (signals); i++)
        if (!hk_loop_on_signal (self->loop, signals[i], on_signal, self, error))
            return false;
    signal (SIGPIPE, SIG_IGN);
    return hk_loop_on_signal (self->loop, SIGCHLD, on_child, self, error);
}

/* ---- background ---- */

static int ready_fd = -1; /* the starter waits at its other end */

void
hk_master_tell_ready (HkMaster *self)
{
    (void) self;
    if (ready_fd < 0)
        return;
    if (write (ready_fd, "1", 1) != 1)
        hk_log (HK_LOG_DEBUG, "nobody waits for the start any more");
    close (ready_fd);
    ready_fd = -1;
}

/* The starter stays until every role serves, or the start failed; the child goes on. */
static bool
go_to_background (void)
{
    int p[2];
    char c;
    if (pipe2 (p, O_CLOEXEC) < 0)
        return false;
    pid_t pid = fork ();
    if (pid < 0)
        return false;
    if (pid > 0) {
        close (p[1]);
        if (read (p[0], &c, 1) == 1)
            _exit (0);
        hk_log (HK_LOG_ERROR, "the mail system did not start: its log says why");
        hk_log_flush ();
        _exit (EX_UNAVAILABLE);
    }
    close (p[0]);
    ready_fd = p[1];
    return setsid () > 0;
}

/* From here on the log is the only way to be heard. */
static void
leave_terminal (void)
{
    int fd = open ("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = STDIN_FILENO; fd >= 0 && i <= STDERR_FILENO; i++)
        dup2 (fd, i);
    if (fd > STDERR_FILENO)
        close (fd);
}

static void
raise_limits (void)
{
    struct rlimit r;
    if (getrlimit (RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        setrlimit (RLIMIT_NOFILE, &r);
    }
}

static void
free_child (gpointer data)
{
    hk_child_free (data);
}

static bool
run (HkMaster *self, GError **error)
{
    if (!hk_settings_check (self->settings, complain, NULL)) {
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE,
                     "the configuration in %s has errors", self->config_dir);
        return false;
    }
    if (!prepare_directories (self->settings, error))
        return false;
    int instance = take_instance (hk_settings_get (self->settings, "queue_directory"), error);
    if (instance < 0)
        return false;
    self->listeners = hk_listeners_open (self->settings, NULL, error);
    if (self->listeners == NULL)
        return false;
    self->tickets_fd = hk_tls_parent_memory ();
    self->log_fd = hk_master_open_log (self->settings, error);
    if (*error != NULL)
        return false;
    if (!self->is_foreground && !go_to_background ()) {
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO, "cannot go to the background: %s",
                     g_strerror (errno));
        return false;
    }
    write_pid (instance);
    self->stats = hk_process_open_stats (self->settings, "master");
    self->n_reloads = hk_stats_slot (self->stats, "master.reloads");
    self->n_failed_reloads = hk_stats_slot (self->stats, "master.failed_reloads");
    self->loop = hk_loop_new (error);
    if (self->loop == NULL || !watch_signals (self, error))
        return false;
    open_own_log (self);
    if (!self->is_foreground)
        leave_terminal ();
    hk_timer_init (&self->stop_timer, self->loop, hk_master_stop_step, self);
    hk_master_start (self);
    hk_loop_run (self->loop);
    hk_log (HK_LOG_INFO, "the mail system is stopped");
    hk_stats_free (self->stats);
    return true;
}

int
main (int argc, char **argv)
{
    g_autoptr (GError) error = NULL;
    static HkMaster self = { .log_fd = -1, .tickets_fd = -1 }; /* lives as long as the process */
    const char *dir = NULL;
    int option;
    while ((option = getopt (argc, argv, "c:d")) != -1) {
        if (option == 'c')
            dir = optarg;
        else if (option == 'd')
            self.is_foreground = true;
        else
            return EX_USAGE;
    }
    umask (022);
    raise_limits ();
    hk_register_params ();
    self.children = g_ptr_array_new_with_free_func (free_child);
    self.config_dir = g_canonicalize_filename (dir != NULL ? dir : HK_CONFIG_DIR, NULL);
    hk_log_open (HK_LOG_TO_STDERR, -1, "hikyaku", "master");
    self.settings = hk_settings_load (self.config_dir, &error);
    if (self.settings == NULL || !run (&self, &error)) {
        hk_log (HK_LOG_ERROR, "%s", error->message);
        hk_log_flush ();
        return EX_UNAVAILABLE;
    }
    hk_log_flush ();
    return self.exit_status;
}
