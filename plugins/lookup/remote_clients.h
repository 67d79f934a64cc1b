/* remote_clients.h: the connections of a table, and asking over them: an idle one or a new
 * one, again when the server went away, and never beyond the deadline.
 *
 * A client is used by one thread at a time; any number of threads may ask.
 * Static functions only: nothing here is visible outside the plugin that includes it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_LOOKUP_REMOTE_CLIENTS_H
#define HK_PLUGINS_LOOKUP_REMOTE_CLIENTS_H

#include "remote.h"

#include <hikyaku/lookup.h>

#define REMOTE_IDLE_MAX                                                                    \
    8 /* connections that a table keeps; more threads open their own                       \
       */

/* First member of a plugin's client. */
typedef struct {
    int fd;
    bool is_started; /* something of the answer at hand has come; set by `run` */
} RemoteClient;

/* What a plugin sets is above the line. */
typedef struct {
    void *table; /* handed to connect */
    gint64 timeout_s, retry_pause_s, max_try;
    /* A client ready for requests, or NULL and the reason. */
    RemoteClient *(*connect) (void *table, gint64 deadline, char **out_why);
    /* HK_LATER with a reason: the client is of no use any more.  HK_BROKEN with a reason:
     * the server refuses, and would again. */
    HkAnswer (*run) (RemoteClient *client, void *request, gint64 deadline, char **out_why);
    void (*free_client) (RemoteClient *client);
    /* ---- */
    pthread_mutex_t lock;                /* guards the rest */
    RemoteClient *idle[REMOTE_IDLE_MAX]; /* the last one was used last */
    size_t n_idle;
} RemoteClients;

static inline RemoteClient *
remote_clients_take (RemoteClients *self)
{
    pthread_mutex_lock (&self->lock);
    RemoteClient *client = self->n_idle > 0 ? self->idle[--self->n_idle] : NULL;
    pthread_mutex_unlock (&self->lock);
    return client;
}

static inline void
remote_clients_give (RemoteClients *self, RemoteClient *client)
{
    pthread_mutex_lock (&self->lock);
    bool is_kept = self->n_idle < REMOTE_IDLE_MAX;
    if (is_kept)
        self->idle[self->n_idle++] = client;
    pthread_mutex_unlock (&self->lock);
    if (!is_kept)
        self->free_client (client);
}

static inline void
remote_clients_clear (RemoteClients *self)
{
    RemoteClient *client;
    while ((client = remote_clients_take (self)) != NULL)
        self->free_client (client);
}

static inline void
remote_clients_start (RemoteClients *self)
{
    pthread_mutex_init (&self->lock, NULL);
}

static inline void
remote_clients_end (RemoteClients *self)
{
    remote_clients_clear (self);
    pthread_mutex_destroy (&self->lock);
}

/* An idle client whose server has not hung up, or NULL. */
static inline RemoteClient *
remote_clients_idle (RemoteClients *self)
{
    RemoteClient *client;
    while ((client = remote_clients_take (self)) != NULL && !remote_is_quiet (client->fd))
        self->free_client (client);
    return client;
}

static inline HkAnswer
remote_clients_run (RemoteClients *self, RemoteClient *client, void *request,
                    gint64 deadline, bool *out_is_started, char **out_why)
{
    client->is_started = false;
    HkAnswer answer = self->run (client, request, deadline, out_why);
    *out_is_started = client->is_started;
    if (answer == HK_LATER)
        self->free_client (client);
    else
        remote_clients_give (self, client);
    return answer;
}

/* One try; *OUT_IS_DOWN: there is no server to talk to. */
static inline HkAnswer
remote_clients_try (RemoteClients *self, void *request, gint64 deadline, bool *out_is_down,
                    char **out_why)
{
    RemoteClient *client = remote_clients_idle (self);
    bool is_started;
    *out_is_down = false;
    if (client != NULL) {
        HkAnswer answer =
            remote_clients_run (self, client, request, deadline, &is_started, out_why);
        if (answer != HK_LATER || is_started || remote_left_ms (deadline) == 0)
            return answer;
        /* The server went away meanwhile: that is no failure yet. */
        g_clear_pointer (out_why, g_free);
        remote_clients_clear (self);
    }
    client = self->connect (self->table, deadline, out_why);
    *out_is_down = client == NULL;
    return client == NULL
               ? HK_LATER
               : remote_clients_run (self, client, request, deadline, &is_started, out_why);
}

/* What `run` answers, or HK_LATER and the reason. */
static inline HkAnswer
remote_clients_ask (RemoteClients *self, void *request, gint64 deadline, char **out_why)
{
    for (gint64 i = 1;; i++) {
        bool is_down;
        HkAnswer answer = remote_clients_try (self, request, deadline, &is_down, out_why);
        if (answer != HK_LATER || is_down || i >= self->max_try ||
            !remote_pause (self->retry_pause_s * 1000, deadline))
            return answer;
        g_clear_pointer (out_why, g_free);
    }
}

#endif
