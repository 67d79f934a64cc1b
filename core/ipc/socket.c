/* socket.c: Unix sockets by path, and blocking frames for tools. */
#include "config.h"

#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int
fail (GError **error, int e, const char *path, const char *what)
{
    g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (e), "%s: %s: %s", path, what,
                 g_strerror (e));
    return -1;
}

/* sun_path holds 108 bytes; a longer path goes by way of its directory's descriptor. */
static int
fill_address (const char *path, struct sockaddr_un *out, GError **error)
{
    memset (out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    if (strlen (path) < sizeof out->sun_path) {
        g_strlcpy (out->sun_path, path, sizeof out->sun_path);
        return 0;
    }
    g_autofree char *dir = g_path_get_dirname (path);
    g_autofree char *base = g_path_get_basename (path);
    int fd = open (dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail (error, errno, dir, "cannot open");
    int n = g_snprintf (out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/%s", fd, base);
    if ((size_t) n >= sizeof out->sun_path) {
        close (fd);
        return fail (error, ENAMETOOLONG, path, "socket name");
    }
    return fd + 1; /* above 0: close it after use */
}

int
hk_ipc_connect (const char *path, GError **error)
{
    struct sockaddr_un a;
    int dir = fill_address (path, &a, error);
    if (dir < 0)
        return -1;
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = fd < 0 ? -1 : connect (fd, (struct sockaddr *) &a, sizeof a);
    int e = errno;
    if (dir > 0)
        close (dir - 1);
    if (r == 0)
        return fd;
    if (fd >= 0)
        close (fd);
    return fail (error, e, path, "cannot connect");
}

static bool
is_dead (const struct sockaddr_un *a)
{
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool dead = connect (fd, (const struct sockaddr *) a, sizeof *a) < 0 && errno == ECONNREFUSED;
    close (fd);
    return dead;
}

int
hk_ipc_listen (const char *path, unsigned mode, GError **error)
{
    struct sockaddr_un a;
    int dir = fill_address (path, &a, error);
    if (dir < 0)
        return -1;
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = -1;
    if (fd >= 0) {
        r = bind (fd, (struct sockaddr *) &a, sizeof a);
        if (r < 0 && errno == EADDRINUSE && is_dead (&a) && unlink (a.sun_path) == 0)
            r = bind (fd, (struct sockaddr *) &a, sizeof a);
        if (r == 0)
            r = chmod (a.sun_path, mode);
        if (r == 0)
            r = listen (fd, 1024);
    }
    int e = errno;
    if (dir > 0)
        close (dir - 1);
    if (r == 0)
        return fd;
    if (fd >= 0)
        close (fd);
    return fail (error, e, path, "cannot listen");
}

/* ---- blocking ---- */

static bool
wait_for (int fd, short events, int timeout_ms, GError **error)
{
    struct pollfd p = { fd, events, 0 };
    int n;
    do
        n = poll (&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return true;
    int e = n == 0 ? ETIMEDOUT : errno;
    g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (e), "no answer: %s",
                 g_strerror (e));
    return false;
}

bool
hk_ipc_send_blocking (int fd, uint16_t type, HkSpan payload, GError **error)
{
    g_autoptr (GByteArray) out = g_byte_array_sized_new ((guint) payload.size + 6);
    uint32_t n = (uint32_t) payload.size + 2;
    uint8_t header[6] = { (uint8_t) n,         (uint8_t) (n >> 8), (uint8_t) (n >> 16),
                          (uint8_t) (n >> 24), (uint8_t) type,     (uint8_t) (type >> 8) };
    g_byte_array_append (out, header, sizeof header);
    if (payload.size > 0)
        g_byte_array_append (out, payload.data, (guint) payload.size);
    for (size_t at = 0; at < out->len;) {
        ssize_t w = send (fd, out->data + at, out->len - at, MSG_NOSIGNAL);
        if (w > 0) {
            at += (size_t) w;
        } else if (errno == EAGAIN) {
            if (!wait_for (fd, POLLOUT, 60000, error))
                return false;
        } else if (errno != EINTR) {
            g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errno),
                         "cannot send: %s", g_strerror (errno));
            return false;
        }
    }
    return true;
}

/* 1 done, 0 end of stream before the first byte, -1 error. */
static int
read_all (int fd, int timeout_ms, uint8_t *out, size_t size, GError **error)
{
    for (size_t at = 0; at < size;) {
        if (!wait_for (fd, POLLIN, timeout_ms, error))
            return -1;
        ssize_t n = recv (fd, out + at, size - at, 0);
        if (n > 0) {
            at += (size_t) n;
        } else if (n == 0 && at == 0) {
            return 0;
        } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            g_set_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "the answer broke off");
            return -1;
        }
    }
    return 1;
}

bool
hk_ipc_receive_blocking (int fd, int timeout_ms, uint16_t *out_type, GByteArray *out_payload,
                         GError **error)
{
    uint8_t header[6];
    g_byte_array_set_size (out_payload, 0);
    if (read_all (fd, timeout_ms, header, sizeof header, error) <= 0)
        return false;
    uint32_t n = (uint32_t) header[0] | (uint32_t) header[1] << 8 | (uint32_t) header[2] << 16
                 | (uint32_t) header[3] << 24;
    if (n < 2 || n > HK_FRAME_MAX) {
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "a frame of %u bytes", n);
        return false;
    }
    g_byte_array_set_size (out_payload, n - 2);
    *out_type = (uint16_t) (header[4] | header[5] << 8);
    if (n == 2)
        return true;
    int r = read_all (fd, timeout_ms, out_payload->data, n - 2, error);
    if (r == 0)
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "the answer broke off");
    return r > 0;
}
