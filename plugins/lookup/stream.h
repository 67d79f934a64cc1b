/* stream.h: what the tables that ask a server share: its address, a bounded exchange of one
 * request and one reply, and connections kept for the next lookup.
 *
 * Any number of threads may ask at once: each takes an idle connection or makes its own. A
 * thread that sleeps otherwise closes what was idle for too long; it lives only while there
 * is such a connection.  Nothing waits beyond the deadline of its exchange, resolving a
 * name included. Static functions only: nothing here is visible outside the plugin that
 * includes it. */
#ifndef HK_PLUGINS_LOOKUP_STREAM_H
#define HK_PLUGINS_LOOKUP_STREAM_H

#include <hikyaku/lookup.h>

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { STREAM_MAX_IDLE = 8 }; /* connections kept */

typedef struct {
    int fd;
    gint64 born_us, used_us;
    bool is_used; /* an exchange went well over it before */
} StreamConn;

typedef struct {
    const HkHost *host;
    char *label; /* as in messages: "tcp:host:port" */
    char *path;  /* of a Unix socket; else NULL */
    char *name, *port;
    gint64 timeout_us, max_idle_us, max_age_us; /* 0: for ever */
    gsize limit;                                /* bytes of a reply */
    /* How the first SIZE bytes of a reply look: 0 whole, 1 there must be more; else what is
     * wrong, in *WHY. */
    int (*check) (const char *data, gsize size, const char **why);
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    GArray *idle; /* StreamConn, the one used last at the end */
    GThread *sweeper;
    bool is_sweeping, is_closing;
} Stream;

/* ---- locks, with waits in the time of g_get_monotonic_time ---- */

static inline void
stream_init_lock (pthread_mutex_t *lock, pthread_cond_t *changed)
{
    pthread_condattr_t attr;
    pthread_condattr_init (&attr);
    pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
    pthread_mutex_init (lock, NULL);
    pthread_cond_init (changed, &attr);
    pthread_condattr_destroy (&attr);
}

/* False: the time is over. */
static inline bool
stream_wait_changed (pthread_cond_t *changed, pthread_mutex_t *lock, gint64 until_us)
{
    struct timespec until = {.tv_sec = until_us / G_USEC_PER_SEC,
                             .tv_nsec = until_us % G_USEC_PER_SEC * 1000};
    return pthread_cond_timedwait (changed, lock, &until) == 0;
}

/* ---- making and ending ---- */

/* LABEL and what stands in the address are set by the caller, as are timeouts and check. */
static inline Stream *
stream_new (const HkHost *host)
{
    Stream *self = g_new0 (Stream, 1);
    self->host = host;
    self->idle = g_array_new (FALSE, FALSE, sizeof (StreamConn));
    stream_init_lock (&self->lock, &self->changed);
    return self;
}

/* Under the lock. */
static inline void
stream_close_idle (Stream *self)
{
    for (guint i = 0; i < self->idle->len; i++)
        close (g_array_index (self->idle, StreamConn, i).fd);
    g_array_set_size (self->idle, 0);
}

static inline void
stream_free (Stream *self)
{
    pthread_mutex_lock (&self->lock);
    self->is_closing = true;
    stream_close_idle (self);
    pthread_cond_broadcast (&self->changed);
    pthread_mutex_unlock (&self->lock);
    if (self->sweeper != NULL)
        g_thread_join (self->sweeper);
    g_array_unref (self->idle);
    pthread_mutex_destroy (&self->lock);
    pthread_cond_destroy (&self->changed);
    g_free (self->label);
    g_free (self->path);
    g_free (self->name);
    g_free (self->port);
    g_free (self);
}

/* "host:port", "[2001:db8::1]:port"; false: it is neither. */
static inline bool
stream_parse_inet (Stream *self, const char *text)
{
    const char *colon = strrchr (text, ':');
    gsize size = colon == NULL ? 0 : (gsize) (colon - text);
    if (size == 0 || colon[1] == '\0')
        return false;
    if (*text == '[') {
        if (text[size - 1] != ']' || size < 3)
            return false;
        text++;
        size -= 2;
    } else if (memchr (text, ':', size) != NULL) {
        return false;
    }
    self->name = g_strndup (text, size);
    self->port = g_strdup (colon + 1);
    return true;
}

/* ---- waiting ---- */

/* 0, or ETIMEDOUT. */
static inline int
stream_wait (int fd, short events, gint64 deadline_us)
{
    for (;;) {
        gint64 left = deadline_us - g_get_monotonic_time ();
        struct pollfd p = {.fd = fd, .events = events};
        if (left <= 0)
            return ETIMEDOUT;
        int n = poll (&p, 1, (int) MIN (left / 1000 + 1, G_MAXINT));
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return errno;
    }
}

/* ---- resolving: on a thread of its own, which may outlive its asker ---- */

typedef struct {
    gint ref_count;
    char *name, *port;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    bool is_done;
    int error;
    struct addrinfo *found;
} StreamResolve;

static inline void
stream_resolve_unref (StreamResolve *self)
{
    if (!g_atomic_int_dec_and_test (&self->ref_count))
        return;
    if (self->found != NULL)
        freeaddrinfo (self->found);
    pthread_mutex_destroy (&self->lock);
    pthread_cond_destroy (&self->changed);
    g_free (self->name);
    g_free (self->port);
    g_free (self);
}

static inline void *
stream_resolve_run (void *data)
{
    StreamResolve *self = data;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int error = getaddrinfo (self->name, self->port, &hints, &found);
    pthread_mutex_lock (&self->lock);
    self->error = error;
    self->found = error == 0 ? found : NULL;
    self->is_done = true;
    pthread_cond_signal (&self->changed);
    pthread_mutex_unlock (&self->lock);
    stream_resolve_unref (self);
    return NULL;
}

static inline struct addrinfo *
stream_resolve_name (const Stream *self, gint64 deadline_us, const char **why)
{
    StreamResolve *job = g_new0 (StreamResolve, 1);
    struct addrinfo *found = NULL;
    job->ref_count = 2;
    job->name = g_strdup (self->name);
    job->port = g_strdup (self->port);
    stream_init_lock (&job->lock, &job->changed);
    GThread *thread = g_thread_try_new ("resolve", stream_resolve_run, job, NULL);
    *why = thread == NULL ? "cannot start a thread to resolve the name" : NULL;
    if (thread == NULL)
        stream_resolve_unref (job);
    else
        g_thread_unref (thread);
    pthread_mutex_lock (&job->lock);
    while (thread != NULL && !job->is_done &&
           stream_wait_changed (&job->changed, &job->lock, deadline_us))
        ;
    if (thread != NULL && !job->is_done)
        *why = "resolving the name takes too long";
    else if (thread != NULL && job->error != 0)
        *why = gai_strerror (job->error);
    else
        found = g_steal_pointer (&job->found);
    pthread_mutex_unlock (&job->lock);
    stream_resolve_unref (job);
    return found;
}

/* freeaddrinfo it; NULL: *WHY says. */
static inline struct addrinfo *
stream_resolve (const Stream *self, gint64 deadline_us, const char **why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    if (getaddrinfo (self->name, self->port, &hints, &found) == 0)
        return found;
    return stream_resolve_name (self, deadline_us, why);
}

/* ---- connecting ---- */

/* The descriptor, or -1 with errno. */
static inline int
stream_connect_to (const struct sockaddr *address, socklen_t size, gint64 deadline_us)
{
    int fd = socket (address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int e = 0;
    socklen_t e_size = sizeof e;
    if (fd < 0)
        return -1;
    /* EAGAIN: the queue of a Unix socket is full; there is nothing to wait on. */
    if (connect (fd, address, size) < 0)
        e = errno;
    if (e == EINPROGRESS || e == EINTR) {
        e = stream_wait (fd, POLLOUT, deadline_us);
        if (e == 0 && getsockopt (fd, SOL_SOCKET, SO_ERROR, &e, &e_size) < 0)
            e = errno;
    }
    if (e == 0)
        return fd;
    close (fd);
    errno = e;
    return -1;
}

static inline int
stream_connect_unix (const Stream *self, gint64 deadline_us, const char **why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen (self->path) >= sizeof address.sun_path) {
        *why = "the path of the socket is too long";
        return -1;
    }
    memcpy (address.sun_path, self->path, strlen (self->path));
    int fd =
        stream_connect_to ((const struct sockaddr *) &address, sizeof address, deadline_us);
    if (fd < 0)
        *why = g_strerror (errno);
    return fd;
}

/* Each address gets its share of the time that is left. */
static inline int
stream_connect_inet (const Stream *self, gint64 deadline_us, const char **why)
{
    struct addrinfo *all = stream_resolve (self, deadline_us, why);
    int n = 0, fd = -1;
    for (const struct addrinfo *a = all; a != NULL; a = a->ai_next)
        n++;
    for (const struct addrinfo *a = all; a != NULL && fd < 0; a = a->ai_next, n--) {
        gint64 now = g_get_monotonic_time ();
        fd = stream_connect_to (a->ai_addr, a->ai_addrlen, now + (deadline_us - now) / n);
        if (fd < 0)
            *why = g_strerror (errno);
    }
    if (all != NULL)
        freeaddrinfo (all);
    return fd;
}

static inline bool
stream_connect (const Stream *self, gint64 deadline_us, StreamConn *out, const char **why)
{
    *out = (StreamConn){.born_us = g_get_monotonic_time ()};
    out->fd = self->path != NULL ? stream_connect_unix (self, deadline_us, why)
                                 : stream_connect_inet (self, deadline_us, why);
    return out->fd >= 0;
}

/* ---- idle connections ---- */

static inline bool
stream_is_stale (const Stream *self, const StreamConn *conn, gint64 now)
{
    return (self->max_idle_us > 0 && now - conn->used_us >= self->max_idle_us) ||
           (self->max_age_us > 0 && now - conn->born_us >= self->max_age_us);
}

static inline void *
stream_sweep (void *data)
{
    Stream *self = data;
    pthread_mutex_lock (&self->lock);
    while (!self->is_closing && self->idle->len > 0) {
        gint64 now = g_get_monotonic_time (), next = G_MAXINT64;
        for (guint i = self->idle->len; i-- > 0;) {
            const StreamConn *conn = &g_array_index (self->idle, StreamConn, i);
            if (stream_is_stale (self, conn, now)) {
                close (conn->fd);
                g_array_remove_index (self->idle, i);
            } else {
                next = MIN (next, conn->used_us + self->max_idle_us);
            }
        }
        if (self->idle->len > 0)
            stream_wait_changed (&self->changed, &self->lock, next);
    }
    self->is_sweeping = false;
    pthread_mutex_unlock (&self->lock);
    return NULL;
}

/* Under the lock: somebody must look after what is idle. */
static inline void
stream_need_sweeper (Stream *self)
{
    if (self->max_idle_us == 0 || self->is_sweeping)
        return;
    if (self->sweeper != NULL) /* it has said that it ends */
        g_thread_join (self->sweeper);
    self->is_sweeping = true;
    self->sweeper = g_thread_try_new ("sweep", stream_sweep, self, NULL);
    self->is_sweeping = self->sweeper != NULL;
}

static inline void
stream_give_back (Stream *self, StreamConn conn)
{
    conn.used_us = g_get_monotonic_time ();
    conn.is_used = true;
    pthread_mutex_lock (&self->lock);
    if (self->idle->len >= STREAM_MAX_IDLE || stream_is_stale (self, &conn, conn.used_us))
        close (conn.fd);
    else
        g_array_append_val (self->idle, conn);
    if (self->idle->len > 0)
        stream_need_sweeper (self);
    pthread_mutex_unlock (&self->lock);
}

/* An idle connection that is fit for use: nobody has hung up or spoken out of turn. */
static inline bool
stream_take_idle (Stream *self, StreamConn *out)
{
    bool is_found = false;
    pthread_mutex_lock (&self->lock);
    while (!is_found && self->idle->len > 0) {
        *out = g_array_index (self->idle, StreamConn, self->idle->len - 1);
        g_array_set_size (self->idle, self->idle->len - 1);
        struct pollfd p = {.fd = out->fd, .events = POLLIN};
        is_found =
            !stream_is_stale (self, out, g_get_monotonic_time ()) && poll (&p, 1, 0) == 0;
        if (!is_found)
            close (out->fd);
    }
    pthread_mutex_unlock (&self->lock);
    return is_found;
}

/* ---- one request, one reply ---- */

/* 0 or errno. */
static inline int
stream_send (int fd, const GString *request, gint64 deadline_us)
{
    gsize sent = 0;
    while (sent < request->len) {
        ssize_t n = send (fd, request->str + sent, request->len - sent, MSG_NOSIGNAL);
        int e = n < 0 ? errno : 0;
        if (n > 0)
            sent += (gsize) n;
        if (e == EAGAIN)
            e = stream_wait (fd, POLLOUT, deadline_us);
        if (e != 0 && e != EINTR)
            return e;
    }
    return 0;
}

/* NULL, or what went wrong.  REPLY holds what came, at most `limit` bytes. */
static inline const char *
stream_receive (const Stream *self, int fd, gint64 deadline_us, GString *reply)
{
    char block[4096];
    const char *why = NULL;
    int state = 1;
    while (state > 0) {
        int e = stream_wait (fd, POLLIN, deadline_us);
        ssize_t n = e != 0 ? 0 : recv (fd, block, sizeof block, 0);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (e != 0 || n < 0)
            return g_strerror (e != 0 ? e : errno);
        if (n == 0)
            return "the server hung up";
        if ((gsize) n > self->limit - reply->len)
            return "the reply is too long";
        g_string_append_len (reply, block, n);
        state = self->check (reply->str, reply->len, &why);
    }
    return why;
}

static inline const char *
stream_talk (const Stream *self, StreamConn *conn, const GString *request,
             gint64 deadline_us, GString *reply)
{
    int e = stream_send (conn->fd, request, deadline_us);
    return e != 0 ? g_strerror (e) : stream_receive (self, conn->fd, deadline_us, reply);
}

/* How long this call may take, in the time of g_get_monotonic_time. */
static inline gint64
stream_deadline (const Stream *self, HkCall *call)
{
    gint64 budget = self->timeout_us, limit = self->host->deadline_us (call);
    if (limit != INT64_MAX)
        budget = CLAMP (limit - self->host->now_us (self->host), 0, budget);
    return g_get_monotonic_time () + budget;
}

/* HK_OK: the whole reply is in REPLY.  HK_LATER: the reason was given.  A kept connection
 * that turns out to be dead (the server was restarted) is followed by a new one. */
static inline HkAnswer
stream_ask (Stream *self, HkCall *call, const GString *request, GString *reply)
{
    gint64 deadline_us = stream_deadline (self, call);
    const char *why = NULL;
    StreamConn conn;
    if (stream_take_idle (self, &conn)) {
        why = stream_talk (self, &conn, request, deadline_us, reply);
        if (why == NULL) {
            stream_give_back (self, conn);
            return HK_OK;
        }
        close (conn.fd);
        pthread_mutex_lock (&self->lock);
        stream_close_idle (self); /* the others are of the same age */
        pthread_mutex_unlock (&self->lock);
        if (reply->len > 0 || g_get_monotonic_time () >= deadline_us)
            return self->host->later (call, "%s: %s", self->label, why);
    }
    if (!stream_connect (self, deadline_us, &conn, &why))
        return self->host->later (call, "%s: connect: %s", self->label, why);
    why = stream_talk (self, &conn, request, deadline_us, reply);
    if (why != NULL) {
        close (conn.fd);
        return self->host->later (call, "%s: %s", self->label, why);
    }
    stream_give_back (self, conn);
    return HK_OK;
}

#endif
