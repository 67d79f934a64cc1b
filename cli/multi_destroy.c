/* multi_destroy.c: `postmulti -e destroy`: the files of a mail system that held no mail.
 *
 * Only what the system itself makes is removed, by name; links are not followed. */
#include "config.h"

#include "cli/cli.h"
#include "cli/multi.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 8 };

static void
warn (const HkMulti *self, const char *path)
{
    fprintf (stderr, "%s: warning: %s: please verify contents and remove by hand\n",
             self->program, path);
}

/* ---- may it go? ------------------------------------------------------------------ */

static bool
is_empty_directory (const char *parent, const char *name)
{
    g_autofree char *path = g_build_filename (parent, name, NULL);
    GDir *dir = g_dir_open (path, 0, NULL);
    bool is_empty = dir == NULL || g_dir_read_name (dir) == NULL;
    if (dir != NULL)
        g_dir_close (dir);
    return is_empty;
}

/* What the queue tool says; it reads the queue of a stopped system by itself. */
static int
check_queue (const HkMulti *self, const HkMultiInstance *one)
{
    const char *argv[] = {"/proc/self/exe", "-c", one->config_dir, "queue", "-j", NULL};
    g_autofree char *out = NULL, *lane = g_build_filename (one->queue_dir, "lane", NULL);
    g_autofree char *said = NULL;
    int status = 0;
    if (!g_file_test (lane, G_FILE_TEST_IS_DIR))
        return 0; /* it never ran */
    if (!is_empty_directory (one->queue_dir, "maildrop"))
        return hk_multi_fail (self, "%s/maildrop is not empty", one->queue_dir);
    if (!is_empty_directory (one->queue_dir, "corrupt"))
        return hk_multi_fail (self, "%s/corrupt is not empty", one->queue_dir);
    if (!g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &said,
                       &status, NULL) ||
        status != 0)
        return hk_multi_fail (self, "cannot tell whether the queue %s is empty: %s",
                              one->queue_dir, said == NULL ? "" : g_strstrip (said));
    return out[0] == '\0'
               ? 0
               : hk_multi_fail (self, "the queue %s is not empty", one->queue_dir);
}

int
hk_multi_check_idle (const HkMulti *self, const HkMultiInstance *one)
{
    pid_t pid = hk_cli_running_pid (one->settings);
    if (pid < 0)
        return 1;
    return pid == 0 ? check_queue (self, one)
                    : hk_multi_fail (self, "the instance is running (pid %d)", (int) pid);
}

/* ---- away with it ---------------------------------------------------------------- */

static bool remove_tree (int at, const char *name, unsigned depth);

static bool
remove_content (int fd, unsigned depth)
{
    bool ok = true;
    DIR *dir = fdopendir (fd);
    if (dir == NULL) {
        close (fd);
        return false;
    }
    for (struct dirent *e; (e = readdir (dir)) != NULL;)
        if (strcmp (e->d_name, ".") != 0 && strcmp (e->d_name, "..") != 0)
            ok = remove_tree (dirfd (dir), e->d_name, depth + 1) && ok;
    closedir (dir);
    return ok;
}

/* True when it is gone, or was not there. */
static bool
remove_tree (int at, const char *name, unsigned depth)
{
    if (unlinkat (at, name, 0) == 0 || errno == ENOENT)
        return true;
    if ((errno != EISDIR && errno != EPERM) || depth > MAX_DEPTH)
        return false;
    int fd = openat (at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && remove_content (fd, depth) && unlinkat (at, name, AT_REMOVEDIR) == 0;
}

/* The NAMES of PATH, and PATH itself when nothing else is there. */
static void
remove_known (const HkMulti *self, const char *path, const char *const *names)
{
    int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOENT)
            warn (self, path);
        return;
    }
    for (; *names != NULL; names++)
        remove_tree (fd, *names, 0);
    close (fd);
    if (rmdir (path) != 0)
        warn (self, path);
}

void
hk_multi_remove_files (const HkMulti *self, const HkMultiInstance *one)
{
    static const char *const of_queue[] = {
        "lane",    "free",     "incoming", "journal", "deferred", "hold", "active",
        "corrupt", "maildrop", "private",  "public",  "pid",      NULL};
    static const char *const of_data[] = {"stats", "master.lock", "smtpd_rates", "verify_cache.hk",
                                          "postscreen_cache.hk", NULL};
    static const char *const of_config[] = {"main.cf", "master.cf", "conf.d", NULL};
    remove_known (self, one->data_dir, of_data);
    remove_known (self, one->queue_dir, of_queue);
    remove_known (self, one->config_dir, of_config);
}
