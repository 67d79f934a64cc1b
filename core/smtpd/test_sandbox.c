/* test_sandbox.c: in the sandbox a lane can still take a segment from free/, and nothing is
 * written elsewhere. */
#include "config.h"

#include "base/log.h"
#include "smtpd/smtpd_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int
landlock_version (void)
{
    return (int) syscall (SYS_landlock_create_ruleset, NULL, 0,
                          LANDLOCK_CREATE_RULESET_VERSION);
}

/* 0, or the number of what went wrong; in a process of its own: there is no way out. */
static int
try_inside (const char *dir)
{
    g_autofree char *inside = g_build_filename (dir, "queue", NULL);
    g_autofree char *from = g_build_filename (inside, "free", "x", NULL);
    g_autofree char *to = g_build_filename (inside, "lane", "next", NULL);
    g_autofree char *outside = g_build_filename (dir, "outside", NULL);
    const char *dirs[] = {inside, NULL};
    int version = landlock_version ();
    hk_sandbox_enter (dirs);
    if (version != 1 && rename (from, to) != 0)
        return 1;
    int fd = open (outside, O_WRONLY | O_CREAT, 0600);
    if (version >= 1 && (fd >= 0 || errno != EACCES))
        return 2;
    return 0;
}

static void
test_rename (void)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *dir = g_dir_make_tmp ("hikyaku-sandbox-XXXXXX", &error);
    g_assert_no_error (error);
    g_autofree char *lane = g_build_filename (dir, "queue", "lane", NULL);
    g_autofree char *spare = g_build_filename (dir, "queue", "free", NULL);
    g_autofree char *file = g_build_filename (spare, "x", NULL);
    g_autofree char *next = g_build_filename (lane, "next", NULL);
    g_autofree char *queue = g_path_get_dirname (lane);
    int status;
    g_assert_cmpint (g_mkdir_with_parents (lane, 0700), ==, 0);
    g_assert_cmpint (g_mkdir_with_parents (spare, 0700), ==, 0);
    g_assert_true (g_file_set_contents (file, "x", 1, NULL));
    pid_t pid = fork ();
    if (pid == 0)
        _exit (try_inside (dir));
    g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
    g_assert_true (WIFEXITED (status));
    g_assert_cmpint (WEXITSTATUS (status), ==, 0);
    g_unlink (file);
    g_unlink (next);
    const char *const dirs[] = {lane, spare, queue, dir};
    for (size_t i = 0; i < G_N_ELEMENTS (dirs); i++)
        g_assert_cmpint (g_rmdir (dirs[i]), ==, 0);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/smtpd/sandbox/rename", test_rename);
    return g_test_run ();
}
