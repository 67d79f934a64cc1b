/* shim.c: LD_PRELOAD library that writes down what processes do to files below one
 * directory: data, names and syncs, in order, so that replay.py can say what a power cut
 * would leave.
 *
 *   HK_POWERCUT_ROOT  the directory
 *   HK_POWERCUT_LOG   the log file; one record is one write with O_APPEND
 *
 * A data record is written after its call returned, a sync has one record before and one
 * after: what is not in the log when a sync begins does not count as covered by it. Changes
 * of names are rare and are made under a lock that all processes share, so that their order
 * in the log is the order in which they happened.  Files are known by inode number.
 *
 * Not seen: mappings, and writes that the C library makes on its own behalf (stdio). */
#include "shim.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>

Shim shim = {.log_fd = -1, .lock_fd = -1};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* names; with lock_fd */

/* Which inodes are below the root: inode << 2 | 2 | is_below. */
enum { CACHE = 1 << 14 };
static uint64_t cache[CACHE];

REAL (int, open, const char *, int, ...)
REAL (int, openat, int, const char *, int, ...)
REAL (ssize_t, writev, int, const struct iovec *, int)

/* ---- the log ---- */

static uint64_t
now_ns (void)
{
    struct timespec t;
    clock_gettime (CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

void
shim_put (Record *r, const char *name, const char *name2, const struct iovec *data,
          int n_data)
{
    struct iovec iov[3 + 64];
    int n = 0, error = errno;
    find_writev ();
    r->magic = MAGIC;
    r->time_ns = now_ns ();
    r->pid = (uint32_t) getpid ();
    r->thread = (uint32_t) gettid ();
    r->name_size = (uint16_t) (name != NULL ? strlen (name) : 0);
    r->name2_size = (uint16_t) (name2 != NULL ? strlen (name2) : 0);
    iov[n++] = (struct iovec){r, sizeof *r};
    if (r->name_size > 0)
        iov[n++] = (struct iovec){(char *) name, r->name_size};
    if (r->name2_size > 0)
        iov[n++] = (struct iovec){(char *) name2, r->name2_size};
    for (int i = 0; i < n_data; i++)
        iov[n++] = data[i];
    if (real_writev (shim.log_fd, iov, n) < 0)
        abort (); /* a log with holes proves nothing */
    errno = error;
}

void
shim_lock_names (void)
{
    pthread_mutex_lock (&lock);
    while (flock (shim.lock_fd, LOCK_EX) != 0 && errno == EINTR)
        continue;
}

void
shim_unlock_names (void)
{
    int error = errno;
    flock (shim.lock_fd, LOCK_UN);
    pthread_mutex_unlock (&lock);
    errno = error;
}

/* A lock belongs to the open file: each process needs its own. */
static void
open_lock (void)
{
    int fd;
    find_open ();
    if (shim.lock_fd >= 0)
        close (shim.lock_fd);
    fd = real_open (shim.log, O_RDWR | O_CLOEXEC);
    shim.lock_fd = fd < 0 ? -1 : fcntl (fd, F_DUPFD_CLOEXEC, 900);
    if (fd >= 0)
        close (fd);
}

static void
in_child (void)
{
    pthread_mutex_init (&lock, NULL);
    open_lock ();
}

__attribute__ ((constructor)) static void
begin (void)
{
    const char *root = getenv ("HK_POWERCUT_ROOT"), *log = getenv ("HK_POWERCUT_LOG");
    struct stat st;
    if (root == NULL || log == NULL || realpath (root, shim.root) == NULL ||
        stat (shim.root, &st) != 0)
        return;
    find_open ();
    shim.root_size = strlen (shim.root);
    shim.dev = st.st_dev;
    snprintf (shim.log, sizeof shim.log, "%s", log);
    int fd = real_open (log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return;
    shim.log_fd = fcntl (fd, F_DUPFD_CLOEXEC, 900);
    close (fd);
    open_lock ();
    pthread_atfork (NULL, NULL, in_child);
    shim.is_on = shim.log_fd >= 0 && shim.lock_fd >= 0;
}

/* ---- what is below the root ---- */

bool
shim_is_below (int fd)
{
    char link[64], path[PATH_MAX];
    snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink (link, path, sizeof path - 1);
    if (n < 0)
        return true; /* no /proc (chroot): the device must do */
    return (size_t) n >= shim.root_size && memcmp (path, shim.root, shim.root_size) == 0 &&
           ((size_t) n == shim.root_size || path[shim.root_size] == '/');
}

void
shim_remember (ino_t ino, bool is_below)
{
    __atomic_store_n (&cache[ino % CACHE], (uint64_t) ino << 2 | 2 | is_below,
                      __ATOMIC_RELAXED);
}

ino_t
shim_tracked (int fd)
{
    struct stat st;
    if (!shim.is_on || fd == shim.log_fd)
        return 0;
    int error = errno;
    bool ok = fstat (fd, &st) == 0 && st.st_dev == shim.dev &&
              (S_ISREG (st.st_mode) || S_ISDIR (st.st_mode));
    errno = error;
    if (!ok)
        return 0;
    uint64_t known = __atomic_load_n (&cache[st.st_ino % CACHE], __ATOMIC_RELAXED);
    bool is_below = (known & 1) != 0;
    if (known >> 1 != ((uint64_t) st.st_ino << 1 | 1)) {
        /* Another thread may take the slot at once: what was found is kept here. */
        is_below = shim_is_below (fd);
        shim_remember (st.st_ino, is_below);
        errno = error;
    }
    return is_below ? st.st_ino : 0;
}

ino_t
shim_parent (int at, const char *path, const char **out_name)
{
    char dir[PATH_MAX];
    size_t size = strlen (path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    const char *slash = memrchr (path, '/', size);
    if (!shim.is_on || size == 0 || size >= sizeof dir)
        return 0;
    *out_name = slash != NULL ? slash + 1 : path;
    snprintf (dir, sizeof dir, "%.*s", slash == NULL ? 1 : (int) (slash - path) + 1,
              slash == NULL ? "." : path);
    find_openat ();
    int error = errno;
    int fd = real_openat (at, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    ino_t ino = fd >= 0 ? shim_tracked (fd) : 0;
    if (fd >= 0)
        close (fd);
    errno = error;
    return ino;
}

uint64_t
shim_owner (const struct stat *st)
{
    return (uint64_t) st->st_uid << 32 | st->st_gid;
}

ino_t
shim_inode_at (int at, const char *path, mode_t *out_mode)
{
    struct stat st;
    int error = errno;
    bool ok = fstatat (at, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
    errno = error;
    if (ok && out_mode != NULL)
        *out_mode = st.st_mode;
    return ok && (S_ISREG (st.st_mode) || S_ISDIR (st.st_mode)) ? st.st_ino : 0;
}
