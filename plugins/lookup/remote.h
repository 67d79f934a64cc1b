/* remote.h: a client's side of a connection, where nothing takes longer than a deadline.
 *
 * Sockets never block; each wait is a poll that ends at the deadline.
 * Static functions only: nothing here is visible outside the plugin that includes it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_LOOKUP_REMOTE_H
#define HK_PLUGINS_LOOKUP_REMOTE_H

#include "remote_server.h"

#include <hikyaku/plugin.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#define REMOTE_IDLE_MAX                                                                    \
    8 /* connections that a table keeps; more threads open their own                       \
       */

/* ---- time: a deadline counts as g_get_monotonic_time does */

/* TIMEOUT_S from now, or the end of CALL if that is earlier. */
static inline gint64
remote_deadline (const HkHost *host, HkCall *call, gint64 timeout_s)
{
    gint64 budget = timeout_s * G_USEC_PER_SEC, end = host->deadline_us (call);
    if (end != INT64_MAX)
        budget = CLAMP (end - host->now_us (host), 0, budget);
    return g_get_monotonic_time () + budget;
}

static inline int
remote_left_ms (gint64 deadline)
{
    gint64 left = deadline - g_get_monotonic_time ();
    return left <= 0 ? 0 : (int) MIN ((left + 999) / 1000, G_MAXINT);
}

/* True when EVENTS (or an error) are there; else errno says why not. */
static inline bool
remote_wait (int fd, short events, gint64 deadline)
{
    struct pollfd p = {.fd = fd, .events = events};
    for (;;) {
        int left = remote_left_ms (deadline), n = poll (&p, 1, left);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
        if (n == 0 && left == 0) {
            errno = ETIMEDOUT;
            return false;
        }
    }
}

/* Wait PAUSE_MS; false when the deadline comes first (no need to wait for it then). */
static inline bool
remote_pause (gint64 pause_ms, gint64 deadline)
{
    gint64 end = g_get_monotonic_time () + pause_ms * 1000;
    if (end >= deadline)
        return false;
    while (poll (NULL, 0, remote_left_ms (end)) < 0 && errno == EINTR)
        ;
    return true;
}

/* ---- connections */

/* Wait for a connection that is being set up: 0 or errno. */
static inline int
remote_connect_wait (int fd, gint64 deadline)
{
    int e = 0;
    socklen_t size = sizeof e;
    if (!remote_wait (fd, POLLOUT, deadline) ||
        getsockopt (fd, SOL_SOCKET, SO_ERROR, &e, &size) < 0)
        return errno;
    return e;
}

/* A connected socket, or -1 and errno. */
static inline int
remote_connect_to (const struct sockaddr *address, socklen_t size, gint64 deadline)
{
    int fd = socket (address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int e = connect (fd, address, size) < 0 ? errno : 0;
    /* A Unix socket says EAGAIN while the server's queue is full. */
    while (e == EAGAIN && address->sa_family == AF_UNIX)
        e = !remote_pause (5, deadline)       ? ETIMEDOUT
            : connect (fd, address, size) < 0 ? errno
                                              : 0;
    if (e == EINPROGRESS || e == EINTR)
        e = remote_connect_wait (fd, deadline);
    if (e != 0) {
        close (fd);
        errno = e;
        return -1;
    }
    if (address->sa_family != AF_UNIX)
        setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof (int));
    return fd;
}

static inline int
remote_connect_unix (const char *path, gint64 deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen (path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    g_strlcpy (address.sun_path, path, sizeof address.sun_path);
    return remote_connect_to ((const struct sockaddr *) &address, sizeof address, deadline);
}

/* Each address gets its share of the time, so that a dead one does not take all. */
static inline int
remote_connect_list (const struct addrinfo *list, gint64 deadline)
{
    int fd = -1, n = 0;
    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next)
        n++;
    errno = EADDRNOTAVAIL;
    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next, n--) {
        gint64 now = g_get_monotonic_time ();
        fd = remote_connect_to (a->ai_addr, a->ai_addrlen, now + (deadline - now) / n);
    }
    return fd;
}

/* A connected socket that does not block, or -1 and the reason. */
static inline int
remote_connect (RemoteServer *self, gint64 deadline, char **out_why)
{
    int fd = -1;
    if (self->path != NULL) {
        fd = remote_connect_unix (self->path, deadline);
        if (fd < 0)
            *out_why = g_strdup_printf ("connect: %s", g_strerror (errno));
        return fd;
    }
    RemoteQuery *query = remote_server_query (self);
    if (!remote_query_wait (query, deadline)) {
        *out_why = g_strdup ("host name lookup timed out");
    } else {
        remote_server_forget (self, query);
        if (query->error != 0)
            *out_why =
                g_strdup_printf ("host name lookup: %s", gai_strerror (query->error));
        else if ((fd = remote_connect_list (query->list, deadline)) < 0)
            *out_why = g_strdup_printf ("connect: %s", g_strerror (errno));
    }
    remote_query_unref (query);
    return fd;
}

static inline bool
remote_send (int fd, const void *data, size_t size, gint64 deadline)
{
    const char *at = data;
    while (size > 0) {
        ssize_t n = send (fd, at, size, MSG_NOSIGNAL);
        if (n > 0) {
            at += n;
            size -= (size_t) n;
        } else if (n < 0 && errno != EINTR &&
                   (errno != EAGAIN || !remote_wait (fd, POLLOUT, deadline))) {
            return false;
        }
    }
    return true;
}

/* How many bytes came; 0 the end; -1 and errno.  The deadline also ends a trickle. */
static inline ssize_t
remote_receive (int fd, void *buffer, size_t size, gint64 deadline)
{
    for (;;) {
        if (remote_left_ms (deadline) == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        ssize_t n = recv (fd, buffer, size, 0);
        if (n >= 0 || (errno != EAGAIN && errno != EINTR))
            return n;
        if (errno == EAGAIN && !remote_wait (fd, POLLIN, deadline))
            return -1;
    }
}

/* Nothing has come on an idle connection: no end, no stray bytes. */
static inline bool
remote_is_quiet (int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;
    do
        n = poll (&p, 1, 0);
    while (n < 0 && errno == EINTR);
    return n == 0;
}

/* What a server said, for a log line: printable, and not longer than a line. */
static inline char *
remote_quote (const char *text, size_t size)
{
    char *out = g_strndup (text, MIN (size, 200));
    for (char *p = out; *p != '\0'; p++)
        if (!g_ascii_isprint (*p))
            *p = '?';
    return out;
}

#endif
