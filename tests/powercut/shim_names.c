/* shim_names.c: calls that open, name and own files. */
#include "shim.h"

#include <stdarg.h>
#include <stdio.h>

/* The point of this library is to be seen, whatever the build says. */
#pragma GCC visibility push(default)

REAL (int, openat, int, const char *, int, ...)
REAL (int, renameat2, int, const char *, int, const char *, unsigned)
REAL (int, linkat, int, const char *, int, const char *, int)
REAL (int, unlinkat, int, const char *, int)
REAL (int, mkdirat, int, const char *, mode_t)
REAL (int, fchmod, int, mode_t)
REAL (int, fchmodat, int, const char *, mode_t, int)
REAL (int, fchown, int, uid_t, gid_t)
REAL (int, fchownat, int, const char *, uid_t, gid_t, int)

/* ---- opening ---- */

static int
do_open (int at, const char *path, int flags, mode_t mode)
{
    const char *name = NULL;
    struct stat st;
    find_openat ();
    /* Locked before the directory is looked for: it may come to be meanwhile. */
    bool may_create = shim.is_on && (flags & O_CREAT) != 0;
    if (may_create)
        shim_lock_names ();
    ino_t dir = may_create ? shim_parent (at, path, &name) : 0;
    bool was_there = dir != 0 && shim_inode_at (at, path, NULL) != 0;
    int fd = real_openat (at, path, flags, mode);
    int error = errno;
    if (fd >= 0 && shim.is_on && !(flags & O_PATH) && fstat (fd, &st) == 0 &&
        st.st_dev == shim.dev && (S_ISREG (st.st_mode) || S_ISDIR (st.st_mode))) {
        bool is_below = shim_is_below (fd);
        shim_remember (st.st_ino, is_below);
        Record r = {.ino = st.st_ino, .dir = dir, .off = st.st_mode & 07777};
        bool is_nameless = (flags & O_TMPFILE) == O_TMPFILE;
        if (is_below && (is_nameless || (dir != 0 && !was_there))) {
            r.type = R_CREATE; /* nameless: in no directory */
            r.dir2 = shim_owner (&st);
            shim_put (&r, name, NULL, NULL, 0);
        } else if (is_below && (flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY) {
            r.type = R_TRUNCATE;
            r.off = 0;
            shim_put (&r, NULL, NULL, NULL, 0);
        }
    }
    if (may_create)
        shim_unlock_names ();
    errno = error;
    return fd;
}

#define OPEN_MODE()                                                                        \
    mode_t mode = 0;                                                                       \
    if (flags & (O_CREAT | O_TMPFILE)) {                                                   \
        va_list args;                                                                      \
        va_start (args, flags);                                                            \
        mode = va_arg (args, mode_t);                                                      \
        va_end (args);                                                                     \
    }

int
open (const char *path, int flags, ...)
{
    OPEN_MODE ()
    return do_open (AT_FDCWD, path, flags, mode);
}

int
open64 (const char *path, int flags, ...)
{
    OPEN_MODE ()
    return do_open (AT_FDCWD, path, flags, mode);
}

int
openat (int at, const char *path, int flags, ...)
{
    OPEN_MODE ()
    return do_open (at, path, flags, mode);
}

int
openat64 (int at, const char *path, int flags, ...)
{
    OPEN_MODE ()
    return do_open (at, path, flags, mode);
}

int
creat (const char *path, mode_t mode)
{
    return do_open (AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* ---- names ---- */

int
renameat2 (int at, const char *from, int at2, const char *to, unsigned flags)
{
    const char *name = NULL, *name2 = NULL;
    find_renameat2 ();
    if (!shim.is_on)
        return real_renameat2 (at, from, at2, to, flags);
    shim_lock_names ();
    ino_t dir = shim_parent (at, from, &name), dir2 = shim_parent (at2, to, &name2);
    Record r = {.type = R_RENAME, .dir = dir, .dir2 = dir2};
    mode_t mode = 0;
    r.ino = shim_inode_at (at, from, &mode);
    r.off = mode & 07777;
    int result = real_renameat2 (at, from, at2, to, flags);
    if (result == 0 && r.ino != 0 && (dir != 0 || dir2 != 0)) {
        shim_remember (r.ino, dir2 != 0);
        shim_put (&r, name, name2, NULL, 0);
    }
    shim_unlock_names ();
    return result;
}

int
renameat (int at, const char *from, int at2, const char *to)
{
    return renameat2 (at, from, at2, to, 0);
}

int
rename (const char *from, const char *to)
{
    return renameat2 (AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
linkat (int at, const char *from, int at2, const char *to, int flags)
{
    const char *name2 = NULL;
    find_linkat ();
    if (!shim.is_on)
        return real_linkat (at, from, at2, to, flags);
    shim_lock_names ();
    ino_t dir2 = shim_parent (at2, to, &name2);
    int result = real_linkat (at, from, at2, to, flags);
    Record r = {.type = R_LINK, .dir2 = dir2, .ino = shim_inode_at (at2, to, NULL)};
    if (result == 0 && r.ino != 0 && dir2 != 0) {
        shim_remember (r.ino, true);
        shim_put (&r, NULL, name2, NULL, 0);
    }
    shim_unlock_names ();
    return result;
}

int
link (const char *from, const char *to)
{
    return linkat (AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
unlinkat (int at, const char *path, int flags)
{
    const char *name = NULL;
    find_unlinkat ();
    if (!shim.is_on)
        return real_unlinkat (at, path, flags);
    shim_lock_names ();
    ino_t dir = shim_parent (at, path, &name);
    Record r = {.type = R_UNLINK, .dir = dir, .ino = shim_inode_at (at, path, NULL)};
    int result = real_unlinkat (at, path, flags);
    if (result == 0 && r.ino != 0 && dir != 0)
        shim_put (&r, name, NULL, NULL, 0);
    shim_unlock_names ();
    return result;
}

int
unlink (const char *path)
{
    return unlinkat (AT_FDCWD, path, 0);
}

int
rmdir (const char *path)
{
    return unlinkat (AT_FDCWD, path, AT_REMOVEDIR);
}

int
remove (const char *path)
{
    int result = unlinkat (AT_FDCWD, path, 0);
    return result != 0 && errno == EISDIR ? rmdir (path) : result;
}

int
mkdirat (int at, const char *path, mode_t mode)
{
    const char *name = NULL;
    struct stat st;
    find_mkdirat ();
    if (!shim.is_on)
        return real_mkdirat (at, path, mode);
    shim_lock_names ();
    ino_t dir = shim_parent (at, path, &name);
    int result = real_mkdirat (at, path, mode);
    if (result == 0 && dir != 0 && fstatat (at, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        Record r = {
            .type = R_MKDIR, .dir = dir, .ino = st.st_ino, .off = st.st_mode & 07777};
        r.dir2 = shim_owner (&st);
        shim_remember (r.ino, true);
        shim_put (&r, name, NULL, NULL, 0);
    }
    shim_unlock_names ();
    return result;
}

int
mkdir (const char *path, mode_t mode)
{
    return mkdirat (AT_FDCWD, path, mode);
}

/* ---- owners and modes: taken as durable at once, nothing acknowledged depends on them
 * ---- */

static void
log_owner (const struct stat *st)
{
    Record r = {.type = R_OWNER, .ino = st->st_ino, .off = st->st_mode & 07777};
    r.dir2 = shim_owner (st);
    shim_put (&r, NULL, NULL, NULL, 0);
}

static int
owner_of_fd (int fd, int result)
{
    struct stat st;
    int error = errno;
    if (result == 0 && shim_tracked (fd) != 0 && fstat (fd, &st) == 0)
        log_owner (&st);
    errno = error;
    return result;
}

static int
owner_of_path (int at, const char *path, int result)
{
    struct stat st;
    const char *name;
    int error = errno;
    if (result == 0 && shim_parent (at, path, &name) != 0 &&
        fstatat (at, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        (S_ISREG (st.st_mode) || S_ISDIR (st.st_mode)))
        log_owner (&st);
    errno = error;
    return result;
}

int
fchmod (int fd, mode_t mode)
{
    find_fchmod ();
    return owner_of_fd (fd, real_fchmod (fd, mode));
}

int
fchmodat (int at, const char *path, mode_t mode, int flags)
{
    find_fchmodat ();
    return owner_of_path (at, path, real_fchmodat (at, path, mode, flags));
}

int
chmod (const char *path, mode_t mode)
{
    return fchmodat (AT_FDCWD, path, mode, 0);
}

int
fchown (int fd, uid_t uid, gid_t gid)
{
    find_fchown ();
    return owner_of_fd (fd, real_fchown (fd, uid, gid));
}

int
fchownat (int at, const char *path, uid_t uid, gid_t gid, int flags)
{
    find_fchownat ();
    return owner_of_path (at, path, real_fchownat (at, path, uid, gid, flags));
}

int
chown (const char *path, uid_t uid, gid_t gid)
{
    return fchownat (AT_FDCWD, path, uid, gid, 0);
}

int
lchown (const char *path, uid_t uid, gid_t gid)
{
    return fchownat (AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}
