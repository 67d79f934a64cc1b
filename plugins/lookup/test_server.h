/* test_server.h: a server for unit tests of tables that ask one: a small thread that plays
 * a script, hostile or not.  Static functions only.
 *
 * Each connection plays the next script, the last one again and again.  A script is a list
 * of replies; one is sent when something has come since the last.  After it, the connection
 * stays open and silent until the client closes it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_LOOKUP_TEST_SERVER_H
#define HK_PLUGINS_LOOKUP_TEST_SERVER_H

#include <arpa/inet.h>
#include <glib.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEST_CLOSE "\001close"     /* instead of a reply: hang up */
#define TEST_TRICKLE "\001trickle" /* a byte now and then, until the client goes */

typedef struct {
    const char *data;
    size_t size; /* 0: strlen */
} TestReply;

typedef struct {
    const TestReply *replies; /* ends with NULL data */
} TestScript;

typedef struct {
    int listener, stop[2];
    guint16 port;
    pthread_t thread;
    TestScript *scripts;
    size_t n_scripts;
    pthread_mutex_t lock; /* guards what has come */
    GString *requests;
    int n_connections;
} TestServer;

typedef struct {
    TestServer *server;
    int fd;
    const TestReply *at;
    bool is_trickling;
} TestConnection;

/* False: hang up. */
static bool
test_server_reply (TestConnection *self)
{
    if (self->at->data == NULL)
        return true;
    const TestReply *reply = self->at++;
    if (strcmp (reply->data, TEST_CLOSE) == 0)
        return false;
    if (strcmp (reply->data, TEST_TRICKLE) == 0) {
        self->is_trickling = true;
        return true;
    }
    size_t size = reply->size != 0 ? reply->size : strlen (reply->data);
    for (size_t n = 0; n < size;) {
        ssize_t sent = send (self->fd, reply->data + n, size - n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        n += (size_t) sent;
    }
    return self->at->data == NULL || strcmp (self->at->data, TEST_CLOSE) != 0;
}

static bool
test_server_serve (TestConnection *self)
{
    char buffer[4096];
    ssize_t n = recv (self->fd, buffer, sizeof buffer, 0);
    if (n <= 0)
        return false;
    pthread_mutex_lock (&self->server->lock);
    g_string_append_len (self->server->requests, buffer, n);
    pthread_mutex_unlock (&self->server->lock);
    return test_server_reply (self);
}

static void
test_server_accept (TestServer *self, GArray *connections)
{
    pthread_mutex_lock (&self->lock);
    size_t i = MIN ((size_t) self->n_connections, self->n_scripts - 1);
    self->n_connections++;
    pthread_mutex_unlock (&self->lock);
    TestConnection c = {self, accept (self->listener, NULL, NULL), self->scripts[i].replies,
                        false};
    g_assert_cmpint (c.fd, >=, 0);
    g_array_append_val (connections, c);
}

/* One round; false at the end. */
static bool
test_server_turn (TestServer *self, GArray *connections)
{
    bool has_trickle = false;
    g_autofree struct pollfd *p = g_new0 (struct pollfd, connections->len + 2);
    p[0] = (struct pollfd){.fd = self->listener, .events = POLLIN};
    p[1] = (struct pollfd){.fd = self->stop[0], .events = POLLIN};
    for (guint i = 0; i < connections->len; i++) {
        TestConnection *c = &g_array_index (connections, TestConnection, i);
        p[i + 2] = (struct pollfd){.fd = c->fd, .events = POLLIN};
        has_trickle = has_trickle || c->is_trickling;
    }
    g_assert_cmpint (poll (p, connections->len + 2, has_trickle ? 20 : -1), >=, 0);
    for (guint i = connections->len; i-- > 0;) {
        TestConnection *c = &g_array_index (connections, TestConnection, i);
        bool is_open = p[i + 2].revents == 0 || test_server_serve (c);
        if (is_open && c->is_trickling)
            is_open = send (c->fd, "0", 1, MSG_NOSIGNAL) == 1;
        if (!is_open) {
            close (c->fd);
            g_array_remove_index (connections, i);
        }
    }
    if (p[0].revents != 0)
        test_server_accept (self, connections);
    return p[1].revents == 0;
}

static void *
test_server_run (void *data)
{
    GArray *connections = g_array_new (FALSE, FALSE, sizeof (TestConnection));
    while (test_server_turn (data, connections))
        ;
    for (guint i = 0; i < connections->len; i++)
        close (g_array_index (connections, TestConnection, i).fd);
    g_array_unref (connections);
    return NULL;
}

/* PORT 0: any.  SCRIPTS stay the caller's. */
static inline void
test_server_start (TestServer *self, guint16 port, const TestReply *const *scripts,
                   size_t n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons (port)};
    socklen_t size = sizeof a;
    *self = (TestServer){.listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    a.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    setsockopt (self->listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof (int));
    g_assert_cmpint (bind (self->listener, (struct sockaddr *) &a, size), ==, 0);
    g_assert_cmpint (listen (self->listener, 16), ==, 0);
    g_assert_cmpint (getsockname (self->listener, (struct sockaddr *) &a, &size), ==, 0);
    g_assert_cmpint (pipe (self->stop), ==, 0);
    self->port = ntohs (a.sin_port);
    self->scripts = g_new (TestScript, n);
    for (size_t i = 0; i < n; i++)
        self->scripts[i].replies = scripts[i];
    self->n_scripts = n;
    self->requests = g_string_new (NULL);
    pthread_mutex_init (&self->lock, NULL);
    g_assert_cmpint (pthread_create (&self->thread, NULL, test_server_run, self), ==, 0);
}

static inline void
test_server_stop (TestServer *self)
{
    close (self->stop[1]);
    pthread_join (self->thread, NULL);
    close (self->stop[0]);
    close (self->listener);
    pthread_mutex_destroy (&self->lock);
    g_string_free (self->requests, TRUE);
    g_free (self->scripts);
}

/* What has come so far; g_free it. */
static inline char *
test_server_requests (TestServer *self)
{
    pthread_mutex_lock (&self->lock);
    char *text = g_strdup (self->requests->str);
    pthread_mutex_unlock (&self->lock);
    return text;
}

static inline int
test_server_connections (TestServer *self)
{
    pthread_mutex_lock (&self->lock);
    int n = self->n_connections;
    pthread_mutex_unlock (&self->lock);
    return n;
}

#endif
