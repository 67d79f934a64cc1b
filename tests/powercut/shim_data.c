/* shim_data.c: calls that change what a file holds: data, sizes, and syncs. */
#include "shim.h"

#include <stdio.h>
#include <sys/sendfile.h>

/* The point of this library is to be seen, whatever the build says. */
#pragma GCC visibility push(default)

REAL (int, open, const char *, int, ...)
REAL (ssize_t, write, int, const void *, size_t)
REAL (ssize_t, pwrite, int, const void *, size_t, off_t)
REAL (ssize_t, writev, int, const struct iovec *, int)
REAL (ssize_t, pwritev, int, const struct iovec *, int, off_t)
REAL (ssize_t, sendfile, int, int, off_t *, size_t)
REAL (ssize_t, copy_file_range, int, off_t *, int, off_t *, size_t, unsigned)
REAL (int, ftruncate, int, off_t)
REAL (int, fallocate, int, int, off_t, off_t)
REAL (int, fsync, int)
REAL (int, fdatasync, int)
REAL (int, syncfs, int)

/* ---- data ---- */

static bool
all_zero (const struct iovec *iov, int n)
{
    for (int i = 0; i < n; i++) {
        const uint8_t *p = iov[i].iov_base;
        if (iov[i].iov_len > 0 && (p[0] != 0 || memcmp (p, p + 1, iov[i].iov_len - 1) != 0))
            return false;
    }
    return true;
}

/* SIZE bytes of IOV went to AT. */
static void
log_data (ino_t ino, uint64_t at, const struct iovec *iov, int n, size_t size)
{
    Record r = {.type = R_WRITE, .ino = ino, .off = at, .size = (uint32_t) size};
    struct iovec part[64];
    int used = 0;
    for (size_t left = size; used < n && used < 64 && left > 0; used++) {
        part[used] = iov[used];
        part[used].iov_len = part[used].iov_len < left ? part[used].iov_len : left;
        left -= part[used].iov_len;
    }
    if (all_zero (part, used)) {
        r.type = R_ZERO;
        shim_put (&r, NULL, NULL, NULL, 0);
        return;
    }
    shim_put (&r, NULL, NULL, part, used);
}

static void
log_at_position (int fd, const struct iovec *iov, int n, ssize_t size)
{
    ino_t ino = size > 0 ? shim_tracked (fd) : 0;
    if (ino == 0)
        return;
    int error = errno;
    off_t end = lseek (fd, 0, SEEK_CUR);
    errno = error;
    log_data (ino, (uint64_t) (end - size), iov, n, (size_t) size);
}

ssize_t
write (int fd, const void *data, size_t size)
{
    find_write ();
    ssize_t n = real_write (fd, data, size);
    log_at_position (fd, &(struct iovec){(void *) data, size}, 1, n);
    return n;
}

ssize_t
writev (int fd, const struct iovec *iov, int n)
{
    find_writev ();
    if (n > 64)
        n = 64; /* a short write is allowed */
    ssize_t size = real_writev (fd, iov, n);
    log_at_position (fd, iov, n, size);
    return size;
}

ssize_t
pwrite (int fd, const void *data, size_t size, off_t at)
{
    find_pwrite ();
    ssize_t n = real_pwrite (fd, data, size, at);
    ino_t ino = n > 0 ? shim_tracked (fd) : 0;
    if (ino != 0)
        log_data (ino, (uint64_t) at, &(struct iovec){(void *) data, size}, 1, (size_t) n);
    return n;
}

ssize_t
pwrite64 (int fd, const void *data, size_t size, off64_t at)
{
    return pwrite (fd, data, size, at);
}

ssize_t
pwritev (int fd, const struct iovec *iov, int n, off_t at)
{
    find_pwritev ();
    if (n > 64)
        n = 64;
    ssize_t size = real_pwritev (fd, iov, n, at);
    ino_t ino = size > 0 ? shim_tracked (fd) : 0;
    if (ino != 0)
        log_data (ino, (uint64_t) at, iov, n, (size_t) size);
    return size;
}

ssize_t
pwritev64 (int fd, const struct iovec *iov, int n, off64_t at)
{
    return pwritev (fd, iov, n, at);
}

/* What the kernel copied is read back. */
static void
log_copied (int fd, uint64_t at, size_t size)
{
    enum { PIECE = 1 << 16 };
    char link[64];
    uint8_t room[PIECE];
    ino_t ino = shim_tracked (fd);
    int error = errno;
    if (ino == 0)
        return;
    snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
    find_open ();
    int from = real_open (link, O_RDONLY | O_CLOEXEC);
    while (from >= 0 && size > 0) {
        ssize_t n = pread (from, room, size < PIECE ? size : PIECE, (off_t) at);
        if (n <= 0)
            break;
        log_data (ino, at, &(struct iovec){room, (size_t) n}, 1, (size_t) n);
        at += (uint64_t) n;
        size -= (size_t) n;
    }
    if (from >= 0)
        close (from);
    errno = error;
}

ssize_t
sendfile (int out, int in, off_t *at, size_t size)
{
    find_sendfile ();
    ssize_t n = real_sendfile (out, in, at, size);
    if (n > 0 && shim_tracked (out) != 0)
        log_copied (out, (uint64_t) (lseek (out, 0, SEEK_CUR) - n), (size_t) n);
    return n;
}

ssize_t
sendfile64 (int out, int in, off64_t *at, size_t size)
{
    return sendfile (out, in, at, size);
}

ssize_t
copy_file_range (int in, off64_t *in_at, int out, off64_t *out_at, size_t size,
                 unsigned flags)
{
    find_copy_file_range ();
    ssize_t n = real_copy_file_range (in, in_at, out, out_at, size, flags);
    if (n > 0 && shim_tracked (out) != 0)
        log_copied (out,
                    (uint64_t) ((out_at != NULL ? *out_at : lseek (out, 0, SEEK_CUR)) - n),
                    (size_t) n);
    return n;
}

/* ---- sizes and syncs ---- */

static void
log_size (int fd, uint16_t type, uint64_t size)
{
    Record r = {.type = type, .ino = shim_tracked (fd), .off = size};
    if (r.ino != 0)
        shim_put (&r, NULL, NULL, NULL, 0);
}

int
ftruncate (int fd, off_t size)
{
    find_ftruncate ();
    int result = real_ftruncate (fd, size);
    if (result == 0)
        log_size (fd, R_TRUNCATE, (uint64_t) size);
    return result;
}

int
ftruncate64 (int fd, off64_t size)
{
    return ftruncate (fd, size);
}

int
truncate (const char *path, off_t size)
{
    int fd = open (path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = ftruncate (fd, size), error = errno;
    close (fd);
    errno = error;
    return result;
}

int
fallocate (int fd, int mode, off_t at, off_t size)
{
    find_fallocate ();
    int result = real_fallocate (fd, mode, at, size);
    if (result == 0 && mode == 0)
        log_size (fd, R_EXTEND, (uint64_t) (at + size));
    return result;
}

int
fallocate64 (int fd, int mode, off64_t at, off64_t size)
{
    return fallocate (fd, mode, at, size);
}

static int
do_sync (int fd, uint64_t what, int (*call) (int fd))
{
    Record r = {.type = R_SYNC_BEGIN, .ino = what};
    if (r.ino == 0)
        return call (fd);
    shim_put (&r, NULL, NULL, NULL, 0);
    int result = call (fd);
    if (result == 0) {
        r.type = R_SYNC_END;
        shim_put (&r, NULL, NULL, NULL, 0);
    }
    return result;
}

int
fsync (int fd)
{
    find_fsync ();
    return do_sync (fd, shim_tracked (fd), real_fsync);
}

int
fdatasync (int fd)
{
    find_fdatasync ();
    return do_sync (fd, shim_tracked (fd), real_fdatasync);
}

/* Everything that was written before it began, names included. */
int
syncfs (int fd)
{
    find_syncfs ();
    return do_sync (fd, shim_tracked (fd) == 0 ? 0 : R_EVERYTHING, real_syncfs);
}
