/* control.c: start, stop, reload and their kin: postfix(1). */
#include "config.h"

#include "base/log.h"
#include "base/stats.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

pid_t
hk_cli_running_pid (HkSettings *settings)
{
    g_autofree char *path = g_build_filename (hk_settings_get (settings, "queue_directory"),
                                              "pid", "master.pid", NULL);
    char text[32] = "";
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return 0;
        fprintf (stderr, "hikyaku: %s: %s\n", path, g_strerror (errno));
        return -1;
    }
    pid_t pid = 0;
    if (flock (fd, LOCK_SH | LOCK_NB) < 0 && read (fd, text, sizeof text - 1) > 0)
        pid = (pid_t) g_ascii_strtoll (g_strstrip (text), NULL, 10);
    close (fd);
    return pid;
}

static int
exec_master (const char *dir, bool is_foreground)
{
    g_autofree char *path = g_build_filename (hk_role_dir (), "master", NULL);
    hk_log_flush ();
    execl (path, path, "-c", dir, is_foreground ? "-d" : NULL, NULL);
    fprintf (stderr, "hikyaku: cannot run %s: %s\n", path, g_strerror (errno));
    return EX_OSFILE;
}

/* Wait until PID has ended; the wait has no end of its own: master has its timeout. */
static int
signal_and_wait (pid_t pid, int sig, bool is_waiting)
{
    int fd = (int) syscall (SYS_pidfd_open, pid, 0);
    if (kill (pid, sig) < 0) {
        fprintf (stderr, "hikyaku: cannot signal the mail system (pid %d): %s\n", (int) pid,
                 g_strerror (errno));
        if (fd >= 0)
            close (fd);
        return errno == EPERM ? EX_NOPERM : EX_UNAVAILABLE;
    }
    if (is_waiting && fd >= 0) {
        struct pollfd p = { fd, POLLIN, 0 };
        while (poll (&p, 1, -1) < 0 && errno == EINTR)
            ;
    }
    if (fd >= 0)
        close (fd);
    return 0;
}

static int
flush_queue (HkSettings *settings)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GByteArray) payload = g_byte_array_new (), reply = g_byte_array_new ();
    g_autofree char *path = g_build_filename (hk_settings_get (settings, "queue_directory"),
                                              "public", "qmgr", NULL);
    uint16_t type = 0;
    int fd = hk_ipc_connect (path, &error);
    hk_pack_span (payload, HK_SPAN_NONE);
    bool ok = fd >= 0
              && hk_ipc_send_blocking (fd, HK_FRAME_FLUSH, hk_span (payload->data, payload->len),
                                       &error)
              && hk_ipc_receive_blocking (fd, 30000, &type, reply, &error);
    if (fd >= 0)
        close (fd);
    HkUnpack in = hk_unpack (hk_span (reply->data, reply->len));
    bool is_done = ok && type == HK_FRAME_REPLY && hk_unpack_u64 (&in) == 0;
    if (is_done && !in.failed)
        return 0;
    (void) hk_unpack_u64 (&in);
    g_autofree char *text = ok && type == HK_FRAME_REPLY ? hk_span_dup (hk_unpack_span (&in)) : NULL;
    fprintf (stderr, "hikyaku: flush: %s\n",
             error != NULL ? error->message : text != NULL ? text : "no answer");
    return EX_UNAVAILABLE;
}

/* ---- reload: the signal, and how it ended ---- */

#define RELOAD_TIMEOUT_US (60 * G_USEC_PER_SEC)
#define RELOAD_POLL_US 10000

typedef struct {
    int pid;
    uint64_t n_done, n_failed;
} Reloads;

static void
count_reloads (const char *role, int pid, const char *name, uint64_t value, void *data)
{
    Reloads *self = data;
    if (pid != self->pid || strcmp (role, "master") != 0)
        return;
    if (strcmp (name, "master.reloads") == 0)
        self->n_done = value;
    else if (strcmp (name, "master.failed_reloads") == 0)
        self->n_failed = value;
}

static int
reload (pid_t pid, HkSettings *settings)
{
    g_autofree char *dir =
        g_build_filename (hk_settings_get (settings, "data_directory"), "stats", NULL);
    Reloads before = {.pid = (int) pid}, now = before;
    bool is_told = hk_stats_read_all (dir, count_reloads, &before, NULL);
    int status = signal_and_wait (pid, SIGHUP, false);
    gint64 end = g_get_monotonic_time () + RELOAD_TIMEOUT_US;
    while (status == 0 && is_told) {
        hk_stats_read_all (dir, count_reloads, &now, NULL);
        if (now.n_failed > before.n_failed) {
            fprintf (stderr, "hikyaku: reload failed: the old configuration stays in use; "
                             "the log says why\n");
            return EX_CONFIG;
        }
        if (now.n_done > before.n_done)
            return 0;
        if (kill (pid, 0) != 0 || g_get_monotonic_time () > end) {
            fprintf (stderr, "hikyaku: reload: no result yet; the log will say it\n");
            return EX_TEMPFAIL;
        }
        g_usleep (RELOAD_POLL_US);
    }
    return status;
}

static int
report_down (const char *verb)
{
    fprintf (stderr, "hikyaku: %s: the mail system is not running\n", verb);
    return 1; /* as postfix(1) */
}

/* Without a directory of the caller's choice the command is for all instances: the manager
 * of multi_instance_wrapper comes back to us with one directory after the other.  Returns
 * when there is none. */
static int
exec_wrapper (const char *verb, HkSettings *settings)
{
    g_auto (GStrv) dirs = hk_settings_words (settings, "multi_instance_directories");
    g_auto (GStrv) words = hk_settings_words (settings, "multi_instance_wrapper");
    g_autoptr (GPtrArray) argv = g_ptr_array_new ();
    if (dirs == NULL || dirs[0] == NULL || words == NULL || words[0] == NULL)
        return 0;
    for (char **word = words; *word != NULL; word++)
        g_ptr_array_add (argv, *word);
    g_ptr_array_add (argv, (char *) verb);
    g_ptr_array_add (argv, NULL);
    hk_log_flush ();
    execvp (words[0], (char **) argv->pdata);
    fprintf (stderr, "hikyaku: multi_instance_wrapper: %s: %s\n", words[0], g_strerror (errno));
    return EX_OSFILE;
}

static int
control (const char *verb, HkSettings *settings)
{
    const char *dir = hk_settings_dir (settings);
    pid_t pid = hk_cli_running_pid (settings);
    if (pid < 0)
        return EX_NOPERM;
    if (g_str_has_prefix (verb, "start")) {
        if (pid > 0) {
            fprintf (stderr, "hikyaku: %s: the mail system is already running (pid %d)\n", verb,
                     (int) pid);
            return 1;
        }
        return exec_master (dir, strcmp (verb, "start-fg") == 0);
    }
    if (strcmp (verb, "status") == 0) {
        if (pid > 0)
            printf ("the mail system is running: pid %d\n", (int) pid);
        else
            fprintf (stderr, "the mail system is not running\n");
        return pid > 0 ? 0 : 1;
    }
    if (pid == 0)
        return report_down (verb);
    if (strcmp (verb, "flush") == 0)
        return flush_queue (settings);
    if (strcmp (verb, "reload") == 0)
        return reload (pid, settings);
    static const struct {
        const char *verb;
        int signal;
        bool waits;
    } signals[] = { { "stop", SIGTERM, true },    { "drain", SIGUSR1, true },
                    { "abort", SIGQUIT, true },   { "logrotate", SIGUSR2, false } };
    for (size_t i = 0; i < G_N_ELEMENTS (signals); i++)
        if (strcmp (verb, signals[i].verb) == 0)
            return signal_and_wait (pid, signals[i].signal, signals[i].waits);
    return EX_USAGE;
}

int
hk_cli_control (int argc, char **argv)
{
    g_autoptr (GError) error = NULL;
    const char *dir = NULL;
    int option;
    while ((option = getopt (argc, argv, "c:v")) != -1) {
        if (option == 'c')
            dir = optarg;
        else if (option != 'v')
            return EX_USAGE;
    }
    g_autofree char *absolute = g_canonicalize_filename (hk_cli_config_dir (dir), NULL);
    g_autoptr (HkSettings) settings = hk_settings_load (absolute, &error);
    if (settings == NULL) {
        fprintf (stderr, "hikyaku: %s\n", error->message);
        return EX_CONFIG;
    }
    bool is_chosen = dir != NULL || g_getenv ("MAIL_CONFIG") != NULL;
    int failure = is_chosen ? 0 : exec_wrapper (argv[0], settings);
    return failure != 0 ? failure : control (argv[0], settings);
}
