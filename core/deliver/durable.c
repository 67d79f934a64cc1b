/* durable.c: making files and directory entries durable.
 *
 * Each delivery syncs its own, at the same time as others: the kernel joins flushes that are under
 * way at once, and a journalling file system commits one transaction for all of them.  Gathering
 * deliveries behind one syncfs(2) was tried: fewer flushes, but everything dirty on the file
 * system is written each time, and a delivery waits for two such rounds. */
#include "config.h"

#include "deliver_priv.h"

#include <errno.h>
#include <gio/gio.h>
#include <sys/stat.h>
#include <unistd.h>

static int
sync_one (int fd)
{
    struct stat st;
    if (fstat (fd, &st) != 0)
        return errno;
    int result;
    do
        result = S_ISREG (st.st_mode) ? fdatasync (fd) : fsync (fd);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

bool
hk_durable_sync (const int32_t *fds, size_t n_fds, GError **error)
{
    int failure = 0;
    for (size_t i = 0; i < n_fds && failure == 0; i++)
        failure = sync_one (fds[i]);
    if (failure != 0)
        g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (failure),
                     "sync failed: %s", g_strerror (failure));
    return failure == 0;
}
