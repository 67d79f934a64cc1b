/* lock.c: `hikyaku lock`, postlock(1): run a command while a mailbox file is locked, the
 * way that the delivery agents lock it. */
#include "config.h"

#include "cli/cli.h"
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static const HkConfSpec lock_params[] = {
    {.name = "mailbox_delivery_lock",
     .type = HK_CONF_STRING,
     .preset = "fcntl, dotlock",
     .help = "How a mailbox file is locked: fcntl, flock, dotlock."},
    {.name = "deliver_lock_attempts",
     .type = HK_CONF_INT,
     .preset = "20",
     .min = 1,
     .max = 100000,
     .help = "How often a lock is tried."},
    {.name = "deliver_lock_delay",
     .type = HK_CONF_TIME,
     .preset = "1s",
     .min = 1,
     .max = 3600,
     .help = "Time between two attempts to lock."},
    {.name = "stale_lock_time",
     .type = HK_CONF_TIME,
     .preset = "500s",
     .min = 1,
     .max = 86400,
     .help = "A lock file of this age is left over from a dead program."},
    {.name = NULL}};

enum { BY_FCNTL = 1, BY_FLOCK = 2, BY_DOTLOCK = 4 };

typedef struct {
    const char *program, *file;
    unsigned styles, attempts;
    int64_t delay_s, stale_s;
    char *dotlock; /* NULL: none is held */
    int fd;
} Lock;

static int fail (const Lock *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

static int
fail (const Lock *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    g_autofree char *text = g_strdup_vprintf (format, args);
    va_end (args);
    fprintf (stderr, "%s: fatal: %s\n", self->program, text);
    return EX_TEMPFAIL;
}

static bool
parse_styles (Lock *self, const char *text)
{
    g_auto (GStrv) words = g_strsplit_set (text, ", \t", -1);
    for (char **word = words; *word != NULL; word++) {
        if (**word == '\0')
            continue;
        if (strcmp (*word, "fcntl") == 0)
            self->styles |= BY_FCNTL;
        else if (strcmp (*word, "flock") == 0)
            self->styles |= BY_FLOCK;
        else if (strcmp (*word, "dotlock") == 0)
            self->styles |= BY_DOTLOCK;
        else
            return !fail (self, "unknown mailbox_delivery_lock value \"%s\" in \"%s\"",
                          *word, text);
    }
    return true;
}

/* ---- the lock file --------------------------------------------------------------- */

/* It is old, and so is its content: whoever made it has not touched it since. */
static bool
is_stale (const Lock *self, const char *path)
{
    struct stat st;
    return stat (path, &st) == 0 && st.st_ctime + self->stale_s < time (NULL);
}

static bool
take_dotlock (Lock *self)
{
    g_autofree char *path = g_strconcat (self->file, ".lock", NULL);
    for (unsigned i = 0;; i++) {
        int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
        if (fd >= 0) {
            close (fd);
            self->dotlock = g_steal_pointer (&path);
            return true;
        }
        if (errno == EEXIST && is_stale (self, path) && unlink (path) == 0)
            continue;
        if (errno != EEXIST || i + 1 >= self->attempts)
            return !fail (self, "open file %s: unable to create lock file %s: %s",
                          self->file, path, g_strerror (errno));
        g_usleep ((gulong) self->delay_s * G_USEC_PER_SEC);
    }
}

/* ---- locks of the system --------------------------------------------------------- */

static int
lock_once (int fd, unsigned style)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return style == BY_FLOCK ? flock (fd, LOCK_EX | LOCK_NB) : fcntl (fd, F_SETLK, &whole);
}

static bool
take_system_lock (Lock *self, unsigned style)
{
    for (unsigned i = 0; lock_once (self->fd, style) < 0; i++) {
        bool is_busy = errno == EAGAIN || errno == EACCES || errno == EINTR;
        if (!is_busy || i + 1 >= self->attempts)
            return !fail (self, "lock file %s: %s", self->file,
                          is_busy ? "unable to lock for exclusive access"
                                  : g_strerror (errno));
        g_usleep ((gulong) self->delay_s * G_USEC_PER_SEC);
    }
    return true;
}

static bool
take (Lock *self)
{
    if ((self->styles & BY_DOTLOCK) && !take_dotlock (self))
        return false;
    self->fd =
        open (self->file, O_APPEND | O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    if (self->fd < 0)
        return !fail (self, "open file %s: %s", self->file, g_strerror (errno));
    return (!(self->styles & BY_FLOCK) || take_system_lock (self, BY_FLOCK)) &&
           (!(self->styles & BY_FCNTL) || take_system_lock (self, BY_FCNTL));
}

static void
release (Lock *self)
{
    if (self->dotlock != NULL)
        unlink (self->dotlock);
    if (self->fd >= 0)
        close (self->fd);
}

/* ---- the command ----------------------------------------------------------------- */

/* A signal from the terminal is the command's affair; ours is to take the lock away. */
static int
run (const Lock *self, char **command)
{
    int status;
    signal (SIGINT, SIG_IGN);
    signal (SIGQUIT, SIG_IGN);
    pid_t pid = fork ();
    if (pid == 0) {
        signal (SIGINT, SIG_DFL);
        signal (SIGQUIT, SIG_DFL);
        execvp (command[0], command);
        fail (self, "execvp %s: %s", command[0], g_strerror (errno));
        fflush (stderr);
        _exit (1);
    }
    if (pid < 0)
        return fail (self, "fork: %s", g_strerror (errno));
    while (waitpid (pid, &status, 0) < 0)
        if (errno != EINTR)
            return fail (self, "waitpid: %s", g_strerror (errno));
    return WIFEXITED (status) ? WEXITSTATUS (status) : 1;
}

static int
usage (const Lock *self)
{
    return fail (self, "usage: %s [-c config_dir] [-l lock_style] [-v] folder command...",
                 self->program);
}

int
hk_cli_lock (int argc, char **argv)
{
    g_autofree char *base = g_path_get_basename (argv[0]);
    g_autoptr (GError) error = NULL;
    const char *dir = NULL, *style = NULL;
    Lock self = {.program = strcmp (base, "lock") == 0 ? "postlock" : base, .fd = -1};
    int c;
    argv[0] = (char *) self.program; /* for getopt's messages */
    optind = 0; /* a full reset: no scan of an earlier command line goes on */
    while ((c = getopt (argc, argv, "+c:l:v")) != -1) {
        if (c == 'c')
            dir = optarg;
        else if (c == 'l')
            style = optarg;
        else if (c != 'v')
            return usage (&self);
    }
    if (argc - optind < 2)
        return usage (&self);
    hk_conf_register (lock_params);
    g_autoptr (HkSettings) settings = hk_settings_load (hk_cli_config_dir (dir), &error);
    if (settings == NULL)
        return fail (&self, "%s", error->message);
    self.file = argv[optind];
    self.attempts = (unsigned) hk_settings_int (settings, "deliver_lock_attempts");
    self.delay_s = hk_settings_int (settings, "deliver_lock_delay");
    self.stale_s = hk_settings_int (settings, "stale_lock_time");
    if (!parse_styles (&self, style != NULL
                                  ? style
                                  : hk_settings_get (settings, "mailbox_delivery_lock")))
        return EX_TEMPFAIL;
    int status = take (&self) ? run (&self, argv + optind + 1) : EX_TEMPFAIL;
    release (&self);
    g_free (self.dotlock);
    return status;
}
