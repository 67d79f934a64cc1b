/* remote_server.h: where a server is: its name is looked up within a deadline.
 *
 * The system's name service knows no time limit, so a thread of its own asks it, one at a
 * time for each server; whoever needs the answer waits for it until the deadline.
 * Static functions only: nothing here is visible outside the plugin that includes it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_LOOKUP_REMOTE_SERVER_H
#define HK_PLUGINS_LOOKUP_REMOTE_SERVER_H

#include <errno.h>
#include <glib.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* ---- names */

typedef struct {
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t done;
    int ref_count;
    bool is_done;
    int error;
    char *host, *port;
    struct addrinfo *list;
} RemoteQuery;

static inline void
remote_query_unref (RemoteQuery *self)
{
    pthread_mutex_lock (&self->lock);
    bool is_last = --self->ref_count == 0;
    pthread_mutex_unlock (&self->lock);
    if (!is_last)
        return;
    if (self->list != NULL)
        freeaddrinfo (self->list);
    pthread_cond_destroy (&self->done);
    pthread_mutex_destroy (&self->lock);
    g_free (self->host);
    g_free (self->port);
    g_free (self);
}

static inline void *
remote_query_run (void *data)
{
    RemoteQuery *self = data;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    struct addrinfo *list = NULL;
    int error = getaddrinfo (self->host, self->port, &hints, &list);
    pthread_mutex_lock (&self->lock);
    self->list = list;
    self->error = error;
    self->is_done = true;
    pthread_cond_broadcast (&self->done);
    pthread_mutex_unlock (&self->lock);
    remote_query_unref (self);
    return NULL;
}

/* A thread that no signal of the process reaches.  0 or errno. */
static inline int
remote_thread_start (pthread_t *out, void *(*run) (void *data), void *data)
{
    sigset_t all, before;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    int e = pthread_create (out, NULL, run, data);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    return e;
}

static inline int
remote_query_start (RemoteQuery *self)
{
    pthread_t thread;
    int e = remote_thread_start (&thread, remote_query_run, self);
    if (e == 0)
        pthread_detach (thread);
    return e;
}

static inline RemoteQuery *
remote_query_new (const char *host, const char *port)
{
    RemoteQuery *self = g_new0 (RemoteQuery, 1);
    pthread_condattr_t attributes;
    pthread_condattr_init (&attributes);
    pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    pthread_cond_init (&self->done, &attributes);
    pthread_condattr_destroy (&attributes);
    pthread_mutex_init (&self->lock, NULL);
    self->host = g_strdup (host);
    self->port = g_strdup (port);
    self->ref_count = 1;
    return self;
}

/* ---- servers */

typedef struct {
    char *text;        /* as in messages */
    char *path;        /* of a Unix socket; or NULL, and */
    char *host, *port; /* a name or an address; a name or a number */
    pthread_mutex_t lock;
    RemoteQuery *query; /* under way, guarded by `lock` */
} RemoteServer;

static inline RemoteServer *
remote_server_new (const char *text, const char *path, const char *host, const char *port)
{
    RemoteServer *self = g_new0 (RemoteServer, 1);
    self->text = g_strdup (text);
    self->path = g_strdup (path);
    self->host = g_strdup (host);
    self->port = g_strdup (port);
    pthread_mutex_init (&self->lock, NULL);
    return self;
}

static inline void
remote_server_free (RemoteServer *self)
{
    if (self == NULL)
        return;
    if (self->query != NULL)
        remote_query_unref (self->query);
    pthread_mutex_destroy (&self->lock);
    g_free (self->text);
    g_free (self->path);
    g_free (self->host);
    g_free (self->port);
    g_free (self);
}

/* "host", "host:port", "[address]:port"; false when it is none of these. */
static inline bool
remote_split_host (const char *text, const char *default_port, char **out_host,
                   char **out_port)
{
    const char *end = *text == '[' ? strchr (text, ']') : strchr (text, ':');
    const char *host = *text == '[' ? text + 1 : text;
    size_t size = end == NULL ? strlen (host) : (size_t) (end - host);
    const char *rest = end == NULL ? "" : *end == ']' ? end + 1 : end;
    if (size == 0 || (*text == '[' && end == NULL) || (*rest != '\0' && *rest != ':'))
        return false;
    const char *port = *rest == ':' ? rest + 1 : default_port;
    if (port == NULL || *port == '\0' || strpbrk (port, ":[] \t") != NULL)
        return false;
    *out_host = g_strndup (host, size);
    *out_port = g_strdup (port);
    return true;
}

/* "inet:host:port", "unix:path"; NULL when it is neither. */
static inline RemoteServer *
remote_server_parse (const char *text, const char *default_port)
{
    g_autofree char *host = NULL, *port = NULL;
    if (g_str_has_prefix (text, "unix:") && text[5] == '/')
        return remote_server_new (text, text + 5, NULL, NULL);
    if (!g_str_has_prefix (text, "inet:") ||
        !remote_split_host (text + 5, default_port, &host, &port))
        return NULL;
    return remote_server_new (text, NULL, host, port);
}

/* The next who needs the name asks anew. */
static inline void
remote_server_forget_locked (RemoteServer *self, RemoteQuery *query)
{
    if (self->query != query || query == NULL)
        return;
    self->query = NULL;
    remote_query_unref (query);
}

static inline void
remote_server_start_locked (RemoteServer *self)
{
    self->query = remote_query_new (self->host, self->port);
    self->query->ref_count = 2; /* the thread, the server */
    if (remote_query_start (self->query) == 0)
        return;
    self->query->is_done = true;
    self->query->error = EAI_MEMORY;
    self->query->ref_count = 1;
}

/* The query under way, or a new one; the caller owns a reference. */
static inline RemoteQuery *
remote_server_query (RemoteServer *self)
{
    bool is_over = false;
    pthread_mutex_lock (&self->lock);
    if (self->query != NULL) {
        pthread_mutex_lock (&self->query->lock);
        is_over = self->query->is_done; /* for somebody who has given up long ago */
        pthread_mutex_unlock (&self->query->lock);
    }
    if (is_over)
        remote_server_forget_locked (self, self->query);
    if (self->query == NULL)
        remote_server_start_locked (self);
    RemoteQuery *query = self->query;
    pthread_mutex_lock (&query->lock);
    query->ref_count++;
    pthread_mutex_unlock (&query->lock);
    pthread_mutex_unlock (&self->lock);
    return query;
}

static inline void
remote_server_forget (RemoteServer *self, RemoteQuery *query)
{
    pthread_mutex_lock (&self->lock);
    remote_server_forget_locked (self, query);
    pthread_mutex_unlock (&self->lock);
}

static inline bool
remote_query_wait (RemoteQuery *self, gint64 deadline)
{
    const struct timespec end = {.tv_sec = deadline / G_USEC_PER_SEC,
                                 .tv_nsec = (deadline % G_USEC_PER_SEC) * 1000};
    int e = 0;
    pthread_mutex_lock (&self->lock);
    while (!self->is_done && e != ETIMEDOUT)
        e = pthread_cond_timedwait (&self->done, &self->lock, &end);
    bool is_done = self->is_done;
    pthread_mutex_unlock (&self->lock);
    return is_done;
}

#endif
