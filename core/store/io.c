/* io.c: the system calls that may fail on a disk, and whole writes built on them. */
#include "config.h"

#include "store/disk_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static ssize_t
system_pwrite (const HkStoreIo *self, int fd, const void *data, size_t size, off_t at)
{
    (void) self;
    return pwrite (fd, data, size, at);
}

static int
system_fdatasync (const HkStoreIo *self, int fd)
{
    (void) self;
    return fdatasync (fd);
}

static int
system_fsync (const HkStoreIo *self, int fd)
{
    (void) self;
    return fsync (fd);
}

static int
system_fallocate (const HkStoreIo *self, int fd, off_t size)
{
    (void) self;
    return fallocate (fd, 0, 0, size);
}

const HkStoreIo hk_store_io_system = {
    .pwrite = system_pwrite,
    .fdatasync = system_fdatasync,
    .fsync = system_fsync,
    .fallocate = system_fallocate,
};

HkStoreError
hk_disk_code (int error_number)
{
    switch (error_number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return HK_STORE_ERROR_FULL;
    case ENOENT:
        return HK_STORE_ERROR_ABSENT;
    default:
        return HK_STORE_ERROR_IO;
    }
}

void
hk_disk_error (GError **error, int error_number, const char *what, const char *name)
{
    g_set_error (error, HK_STORE_ERROR, hk_disk_code (error_number), "%s %s: %s", what,
                 name, g_strerror (error_number));
}

bool
hk_disk_write (const HkStoreIo *io, int fd, const void *data, size_t size, uint64_t at)
{
    const uint8_t *from = data;
    while (size > 0) {
        ssize_t n = io->pwrite (io, fd, from, size, (off_t) at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENOSPC;
        if (n <= 0)
            return false;
        from += n;
        at += (uint64_t) n;
        size -= (size_t) n;
    }
    return true;
}

bool
hk_disk_has_name (int fd)
{
    struct stat st;
    if (fstat (fd, &st) != 0)
        return false;
    errno = ENOENT;
    return st.st_nlink > 0;
}

ssize_t
hk_disk_read (int fd, void *data, size_t size, uint64_t at)
{
    uint8_t *to = data;
    size_t have = 0;
    while (have < size) {
        ssize_t n = pread (fd, to + have, size - have, (off_t) (at + have));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        have += (size_t) n;
    }
    return (ssize_t) have;
}

int
hk_disk_open_dir (int at, const char *path, GError **error)
{
    int fd = openat (at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        hk_disk_error (error, errno, "open directory", path);
    return fd;
}

bool
hk_disk_lock (int fd, const char *name, GError **error)
{
    if (flock (fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        g_set_error (error, HK_STORE_ERROR, HK_STORE_ERROR_BUSY,
                     "%s: another process has the lock", name);
    else
        hk_disk_error (error, errno, "lock", name);
    return false;
}

bool
hk_disk_fill (const HkStoreIo *io, int fd, uint64_t size)
{
    enum { PIECE = 1 << 20 };
    if (io->fallocate (io, fd, (off_t) size) != 0 && errno != EOPNOTSUPP && errno != ENOSYS)
        return false;
    g_autofree uint8_t *zeros = g_malloc0 (PIECE);
    for (uint64_t at = 0; at < size; at += PIECE) {
        if (!hk_disk_write (io, fd, zeros, (size_t) MIN (size - at, (uint64_t) PIECE), at))
            return false;
        /* Piece by piece: a sync of the segment in use never waits behind all of it. */
        if (io->fdatasync (io, fd) != 0)
            return false;
    }
    return io->fsync (io, fd) == 0;
}

char *
hk_hex_name (uint64_t number, char out[HK_HEX_NAME])
{
    g_snprintf (out, HK_HEX_NAME, "%016" G_GINT64_MODIFIER "x", number);
    return out;
}

bool
hk_hex_parse (const char *name, uint64_t *out)
{
    uint64_t n = 0;
    for (int i = 0; i < 16; i++) {
        int digit = g_ascii_xdigit_value (name[i]);
        if (digit < 0 || g_ascii_isupper (name[i]))
            return false;
        n = n << 4 | (unsigned) digit;
    }
    *out = n;
    return true;
}
