/* multi.c: `hikyaku multi`, postmulti(1): list several mail systems of one machine, and run
 * a command for each of them. */
#include "config.h"

#include "cli/cli.h"
#include "cli/multi.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int
hk_multi_fail (const HkMulti *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    g_autofree char *text = g_strdup_vprintf (format, args);
    va_end (args);
    fflush (stdout);
    fprintf (stderr, "%s: fatal: %s\n", self->program, text);
    return 1;
}

/* ---- instances ------------------------------------------------------------------- */

void
hk_multi_instance_free (void *p)
{
    HkMultiInstance *self = p;
    g_free (self->name);
    g_free (self->group);
    g_free (self->config_dir);
    g_free (self->queue_dir);
    g_free (self->data_dir);
    hk_settings_unref (self->settings);
    g_free (self);
}

HkMultiInstance *
hk_multi_instance_new (const HkMulti *self, const char *dir)
{
    g_autoptr (GError) error = NULL;
    HkSettings *settings = hk_settings_load (dir, &error);
    if (settings == NULL) {
        hk_multi_fail (self, "%s", error->message);
        return NULL;
    }
    HkMultiInstance *one = g_new0 (HkMultiInstance, 1);
    one->settings = settings;
    one->config_dir = g_strdup (dir);
    one->name = g_strdup (hk_settings_get (settings, "multi_instance_name"));
    one->group = g_strdup (hk_settings_get (settings, "multi_instance_group"));
    one->queue_dir = g_strdup (hk_settings_get (settings, "queue_directory"));
    one->data_dir = g_strdup (hk_settings_get (settings, "data_directory"));
    one->is_enabled = hk_settings_bool (settings, "multi_instance_enable");
    return one;
}

static bool
clash (const HkMulti *self, const HkMultiInstance *a, const char *a_what,
       const char *a_value, const HkMultiInstance *b, const char *b_what,
       const char *b_value)
{
    if (a_value[0] == '\0' || strcmp (a_value, b_value) != 0)
        return false;
    hk_multi_fail (self, "instance %s, %s=%s conflicts with instance %s, %s=%s",
                   a->config_dir, a_what, a_value, b->config_dir, b_what, b_value);
    return true;
}

static bool
clashes_with (const HkMulti *self, const HkMultiInstance *a, const HkMultiInstance *b)
{
    static const char *const what[] = {"config_directory", "queue_directory",
                                       "data_directory"};
    const char *const mine[] = {a->config_dir, a->queue_dir, a->data_dir};
    const char *const theirs[] = {b->config_dir, b->queue_dir, b->data_dir};
    for (size_t i = 0; i < G_N_ELEMENTS (what); i++)
        for (size_t j = 0; j < G_N_ELEMENTS (what); j++)
            if (clash (self, a, what[i], mine[i], b, what[j], theirs[j]))
                return true;
    return clash (self, a, "multi_instance_name", a->name, b, "multi_instance_name",
                  b->name);
}

bool
hk_multi_is_unique (const HkMulti *self, const HkMultiInstance *new_one)
{
    for (guint i = 0; i < self->instances->len; i++) {
        const HkMultiInstance *other = g_ptr_array_index (self->instances, i);
        if (other != new_one && strcmp (other->config_dir, new_one->config_dir) != 0 &&
            clashes_with (self, new_one, other))
            return false;
    }
    return true;
}

static bool
add_instance (HkMulti *self, const char *dir)
{
    for (guint i = 0; i < self->instances->len; i++) {
        const HkMultiInstance *other = g_ptr_array_index (self->instances, i);
        if (strcmp (other->config_dir, dir) == 0)
            return hk_multi_fail (self, "multi_instance_directories: %s is there twice",
                                  dir) == 0;
    }
    HkMultiInstance *one = hk_multi_instance_new (self, dir);
    if (one == NULL)
        return false;
    g_ptr_array_add (self->instances, one);
    return hk_multi_is_unique (self, one);
}

/* As long as the primary is alone, whether it is enabled means nothing. */
static bool
load (HkMulti *self)
{
    self->instances = g_ptr_array_new_with_free_func (hk_multi_instance_free);
    if (!add_instance (self, self->primary_dir))
        return false;
    HkMultiInstance *primary = g_ptr_array_index (self->instances, 0);
    g_auto (GStrv) dirs =
        hk_settings_words (primary->settings, "multi_instance_directories");
    primary->is_primary = true;
    primary->is_enabled = primary->is_enabled || dirs == NULL || dirs[0] == NULL;
    for (char **dir = dirs; dir != NULL && *dir != NULL; dir++)
        if (!add_instance (self, *dir))
            return false;
    return true;
}

bool
hk_multi_matches (const HkMulti *self, const HkMultiInstance *one)
{
    if (self->by_group != NULL)
        return strcmp (self->by_group, one->group) == 0;
    if (self->by_name == NULL)
        return true;
    if (strcmp (self->by_name, "-") == 0)
        return one->is_primary;
    return strcmp (self->by_name, one->name) == 0 ||
           strcmp (self->by_name, one->config_dir) == 0;
}

/* ---- one command for each -------------------------------------------------------- */

static void
put_path (HkMultiInstance *one, const char *name)
{
    const char *value = hk_settings_get (one->settings, name);
    if (value == NULL)
        value = hk_conf_postfix_default (name);
    setenv (name, value == NULL ? "" : value, 1);
}

static void
put_environment (const HkMulti *self, HkMultiInstance *one)
{
    setenv ("MAIL_CONFIG", one->config_dir, 1);
    setenv ("MAIL_LOGTAG", hk_settings_get (one->settings, "syslog_name"), 1);
    setenv ("config_directory", one->config_dir, 1);
    setenv ("queue_directory", one->queue_dir, 1);
    setenv ("data_directory", one->data_dir, 1);
    setenv ("multi_instance_name", one->name, 1);
    setenv ("multi_instance_group", one->group, 1);
    setenv ("multi_instance_enable", one->is_enabled ? "yes" : "no", 1);
    put_path (one, "command_directory");
    put_path (one, "daemon_directory");
    if (self->verbose)
        setenv ("MAIL_VERBOSE", "", 1);
}

/* In the child.  COMMAND NULL: ours with the arguments of -p, or `check` in their place. */
static void
exec_for (const HkMulti *self, HkMultiInstance *one, bool only_checks)
{
    put_environment (self, one);
    if (self->mode == 'x') {
        execvp (self->arguments[0], self->arguments);
        hk_multi_fail (self, "execvp %s: %s", self->arguments[0], g_strerror (errno));
        return;
    }
    g_autoptr (GPtrArray) argv = g_ptr_array_new ();
    g_ptr_array_add (argv, (char *) "hikyaku");
    g_ptr_array_add (argv, (char *) "-c");
    g_ptr_array_add (argv, one->config_dir);
    if (only_checks)
        g_ptr_array_add (argv, (char *) "check");
    for (char **a = self->arguments; !only_checks && *a != NULL; a++)
        g_ptr_array_add (argv, *a);
    g_ptr_array_add (argv, NULL);
    execv ("/proc/self/exe", (char **) argv->pdata);
    hk_multi_fail (self, "execv hikyaku: %s", g_strerror (errno));
}

static int
run_for (const HkMulti *self, HkMultiInstance *one, bool only_checks)
{
    int status;
    fflush (NULL);
    pid_t pid = fork ();
    if (pid == 0) {
        exec_for (self, one, only_checks);
        fflush (stderr);
        _exit (1);
    }
    if (pid < 0)
        return hk_multi_fail (self, "fork: %s", g_strerror (errno));
    while (waitpid (pid, &status, 0) < 0)
        if (errno != EINTR)
            return hk_multi_fail (self, "waitpid: %s", g_strerror (errno));
    return WIFEXITED (status) && WEXITSTATUS (status) == 0 ? 0 : 1;
}

/* Is the command of -p one of the words of PARAMETER? */
static bool
is_command_of (const HkMulti *self, const char *parameter)
{
    const HkMultiInstance *primary = g_ptr_array_index (self->instances, 0);
    g_auto (GStrv) words = hk_settings_words (primary->settings, parameter);
    char **command = self->arguments;
    while (*command != NULL && (*command)[0] == '-')
        command++;
    return *command != NULL && g_strv_contains ((const char *const *) words, *command);
}

static int
run_all (const HkMulti *self)
{
    bool starts = self->mode == 'p' && is_command_of (self, "postmulti_start_commands");
    bool stops = self->mode == 'p' && is_command_of (self, "postmulti_stop_commands");
    bool controls = self->mode == 'p' && is_command_of (self, "postmulti_control_commands");
    guint n = self->instances->len, n_matching = 0;
    int status = 0;
    for (guint i = 0; i < n; i++) {
        guint at = self->reverse || stops ? n - 1 - i : i;
        HkMultiInstance *one = g_ptr_array_index (self->instances, at);
        if (!hk_multi_matches (self, one))
            continue;
        n_matching++;
        if (!one->is_enabled && (stops || controls))
            continue;
        if (run_for (self, one, starts && !one->is_enabled) != 0)
            status = 1;
    }
    return n_matching == 0 ? hk_multi_fail (self, "No matching instances") : status;
}

static int
list (const HkMulti *self)
{
    guint n = self->instances->len;
    for (guint i = 0; i < n; i++) {
        const HkMultiInstance *one =
            g_ptr_array_index (self->instances, self->reverse ? n - 1 - i : i);
        if (hk_multi_matches (self, one))
            printf ("%-15s %-15s %-9s %s\n", one->name[0] == '\0' ? "-" : one->name,
                    one->group[0] == '\0' ? "-" : one->group, one->is_enabled ? "y" : "n",
                    one->config_dir);
    }
    return fflush (stdout) == 0 ? 0 : hk_multi_fail (self, "write: %s", g_strerror (errno));
}

/* ---- the command line ------------------------------------------------------------ */

static int
usage (const HkMulti *self)
{
    return hk_multi_fail (
        self,
        "Usage:%s -l [-v] [-a] [-g group] [-i instance] | %s -p [-v] [-a] [-g group] [-i "
        "instance] command... | %s -x [-v] [-a] [-i name] [-g group] command... | %s -e "
        "action "
        "[-v] [-a] [-i name] [-g group] [-I name] [-G group] [param=value ...]",
        self->program, self->program, self->program, self->program);
}

static void
take_option (HkMulti *self, int c, const char **config_dir, unsigned *n_modes)
{
    switch (c) {
    case 'a':
        self->all = true;
        break;
    case 'c':
        *config_dir = optarg;
        break;
    case 'e':
        self->action = optarg;
        /* fall through */
    case 'l':
    case 'p':
    case 'x':
        self->mode = (char) c;
        (*n_modes)++;
        break;
    case 'g':
        self->by_group = optarg;
        break;
    case 'G':
        self->new_group = optarg;
        break;
    case 'i':
        self->by_name = optarg;
        break;
    case 'I':
        self->new_name = optarg;
        break;
    case 'R':
        self->reverse = true;
        break;
    default:
        self->verbose = true;
        break;
    }
}

/* 0, or the exit status after a message. */
static int
check_options (const HkMulti *self, unsigned n_modes)
{
    if (n_modes != 1)
        return hk_multi_fail (self, "Specify exactly one of '-e', '-l', '-p', '-x'");
    if (self->all + (self->by_group != NULL) + (self->by_name != NULL) > 1)
        return hk_multi_fail (self, "Specify no more than one of '-a', '-g', '-i'");
    if (self->mode != 'e' && (self->new_name != NULL || self->new_group != NULL))
        return hk_multi_fail (self, "The '-G' and '-I' options are for '-e'");
    if (self->reverse && (self->mode == 'p' || self->mode == 'e'))
        return hk_multi_fail (self, "The '-p' and '-e' options preclude the use of '-R'");
    if (self->mode == 'l' && self->arguments[0] != NULL)
        return hk_multi_fail (self, "Command not allowed with '-l'");
    if ((self->mode == 'p' || self->mode == 'x') && self->arguments[0] == NULL)
        return hk_multi_fail (self, "Command required with '-p' or '-x' option");
    return self->mode == 'e' ? hk_multi_edit_check (self) : 0;
}

int
hk_cli_multi (int argc, char **argv)
{
    g_autofree char *base = g_path_get_basename (argv[0]);
    HkMulti self = {.program = strcmp (base, "multi") == 0 ? "postmulti" : base};
    const char *config_dir = NULL;
    unsigned n_modes = 0;
    int c, status = 1;
    argv[0] = (char *) self.program; /* for getopt's messages */
    optind = 0; /* a full reset: no scan of an earlier command line goes on */
    while ((c = getopt (argc, argv, "+ac:e:g:i:G:I:lpRvx")) != -1) {
        if (c == '?')
            return usage (&self);
        take_option (&self, c, &config_dir, &n_modes);
    }
    self.arguments = argv + optind;
    if (check_options (&self, n_modes) != 0)
        return 1;
    self.primary_dir = g_canonicalize_filename (hk_cli_config_dir (config_dir), NULL);
    if (load (&self))
        status = self.mode == 'l'   ? list (&self)
                 : self.mode == 'e' ? hk_multi_edit (&self)
                                    : run_all (&self);
    g_ptr_array_unref (self.instances);
    g_free (self.primary_dir);
    return status;
}
