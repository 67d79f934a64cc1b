/* spool.c: large content that filters have to see whole: a file without a name, so that a
 * crash leaves nothing behind. */
#include "config.h"
#include "intake/intake_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/mman.h>
#include <unistd.h>

static int
open_unnamed (const char *directory)
{
    int fd = open (directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    g_autofree char *name = g_build_filename (directory, "spool.XXXXXX", NULL);
    fd = g_mkstemp_full (name, O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        g_unlink (name);
    return fd;
}

bool
hk_spool_open (HkIncoming *self, GError **error)
{
    self->spool_fd = open_unnamed (self->intake->spool_dir);
    if (self->spool_fd >= 0)
        return true;
    int code = errno;
    g_set_error (error, HK_STORE_ERROR,
                 code == ENOSPC || code == EDQUOT ? HK_STORE_ERROR_FULL : HK_STORE_ERROR_IO,
                 "%s: %s", self->intake->spool_dir, g_strerror (code));
    return false;
}

bool
hk_spool_write (HkIncoming *self, HkSpan bytes, GError **error)
{
    while (bytes.size > 0) {
        ssize_t n = write (self->spool_fd, bytes.data, bytes.size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int code = errno;
            g_set_error (error, HK_STORE_ERROR,
                         code == ENOSPC || code == EDQUOT ? HK_STORE_ERROR_FULL
                                                          : HK_STORE_ERROR_IO,
                         "%s: write: %s", self->intake->spool_dir, g_strerror (code));
            return false;
        }
        bytes = hk_span_sub (bytes, (size_t) n, bytes.size);
    }
    return true;
}

bool
hk_spool_map (HkIncoming *self, GError **error)
{
    void *at = mmap (NULL, self->size, PROT_READ, MAP_PRIVATE, self->spool_fd, 0);
    if (at == MAP_FAILED) {
        g_set_error (error, HK_STORE_ERROR, HK_STORE_ERROR_IO, "mmap: %s",
                     g_strerror (errno));
        return false;
    }
    self->mapped = hk_span (at, self->size);
    return true;
}

void
hk_spool_close (HkIncoming *self)
{
    if (self->mapped.data != NULL)
        munmap ((void *) self->mapped.data, self->mapped.size);
    if (self->spool_fd >= 0)
        close (self->spool_fd);
    self->mapped = HK_SPAN_NONE;
    self->spool_fd = -1;
}
