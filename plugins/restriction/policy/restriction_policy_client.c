/* restriction_policy_client.c: asking a policy server: connections that are used again, a
 * time limit for each attempt, further attempts.
 *
 *   request:  try ─▶ connection (idle, or a new one) ─▶ written ─▶ reply ─▶ done
 *              ▲          │ refused, lost, too late, malformed
 *              └─ retry delay, try_limit times at most; then done without an action
 *
 * A connection serves one request at a time; any number of them may be open.  Loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restriction_policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { TYPE_A = 1, TYPE_AAAA = 28, MAX_ADDRESSES = 8, BUSY_DELAY_US = 50000 };

typedef struct Connection Connection;
typedef struct Lookup Lookup;

struct PolicyClient {
    const HkHost *host;
    const PolicyOptions *options;
    GQueue idle; /* Connection; the one that was used last is at the tail */
};

struct Connection {
    PolicyClient *client;
    PolicyRequest *request; /* NULL: idle */
    int fd;
    HkWatch *watch;
    HkTimer *timer; /* idle: the end */
    bool is_connecting, was_used;
    int64_t born_us;
    int64_t n_requests;
    char *instance; /* of the last request */
    size_t sent;
    GByteArray *in;
};

typedef struct {
    struct sockaddr_storage address;
    socklen_t size;
} Address;

struct PolicyRequest {
    PolicyClient *client;
    GString *text;
    char *instance, *action;
    void (*done) (void *data);
    void *data;
    int64_t tries, busy_since_us;
    Connection *connection;
    Lookup *lookup;
    HkTimer *timer; /* the time limit, the delay before the next try, or the end */
    Address addresses[MAX_ADDRESSES];
    size_t n_addresses, at_address;
};

static void start_try (PolicyRequest *self);
static void fail_try (PolicyRequest *self, const char *why);

/* ---- connections
 * -------------------------------------------------------------------------------- */

static void
stop_timer (const HkHost *host, HkTimer **timer)
{
    if (*timer != NULL)
        host->timer_end (g_steal_pointer (timer));
}

static void
connection_free (Connection *self)
{
    const HkHost *host = self->client->host;
    if (self->watch != NULL)
        host->watch_end (self->watch);
    stop_timer (host, &self->timer);
    close (self->fd);
    g_byte_array_unref (self->in);
    g_free (self->instance);
    g_free (self);
}

static void
drop_idle (Connection *self)
{
    g_queue_remove (&self->client->idle, self);
    connection_free (self);
}

static void
idle_is_over (void *data)
{
    Connection *self = data;
    self->timer = NULL;
    drop_idle (self);
}

static bool
may_be_kept (const Connection *self)
{
    const PolicyOptions *o = self->client->options;
    return g_get_monotonic_time () - self->born_us < o->max_ttl_us &&
           (o->request_limit == 0 || self->n_requests < o->request_limit);
}

/* The request has its reply: the connection waits for the next. */
static void
connection_release (Connection *self)
{
    const PolicyClient *client = self->client;
    self->request = NULL;
    if (!may_be_kept (self)) {
        connection_free (self);
        return;
    }
    int64_t left = self->born_us + client->options->max_ttl_us - g_get_monotonic_time ();
    self->was_used = true;
    client->host->watch_events (self->watch, HK_IO_READ);
    self->timer = client->host->timer_start (
        client->host, MIN (client->options->max_idle_us, left), idle_is_over, self);
    g_queue_push_tail (&self->client->idle, self);
}

/* One that has served the same message; else the one that has been idle longest, whose
 * message is most likely over; a policy server may keep what it knows by instance. */
static Connection *
take_idle (PolicyClient *self, const char *instance)
{
    Connection *found = g_queue_peek_head (&self->idle);
    for (GList *l = self->idle.head; l != NULL; l = l->next) {
        Connection *at = l->data;
        if (g_strcmp0 (at->instance, instance) == 0) {
            found = at;
            break;
        }
    }
    if (found == NULL)
        return NULL;
    g_queue_remove (&self->idle, found);
    stop_timer (self->host, &found->timer);
    return found;
}

/* ---- one attempt
 * -------------------------------------------------------------------------------- */

static void
too_late (void *data)
{
    PolicyRequest *self = data;
    self->timer = NULL;
    fail_try (self, "Connection timed out");
}

static void
limit_time (PolicyRequest *self)
{
    const PolicyClient *client = self->client;
    stop_timer (client->host, &self->timer);
    self->timer = client->host->timer_start (client->host, client->options->timeout_us,
                                             too_late, self);
}

static void
finish (void *data)
{
    PolicyRequest *self = data;
    self->timer = NULL;
    self->done (self->data);
}

static void
succeed (PolicyRequest *self, char *action)
{
    stop_timer (self->client->host, &self->timer);
    self->action = action;
    connection_release (g_steal_pointer (&self->connection));
    self->done (self->data);
}

static void
write_text (Connection *self)
{
    PolicyRequest *request = self->request;
    while (self->sent < request->text->len) {
        ssize_t n = send (self->fd, request->text->str + self->sent,
                          request->text->len - self->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            self->client->host->watch_events (self->watch, HK_IO_READ | HK_IO_WRITE);
            return;
        }
        if (n < 0) {
            fail_try (request, g_strerror (errno));
            return;
        }
        self->sent += (size_t) n;
    }
    self->client->host->watch_events (self->watch, HK_IO_READ);
}

static void
read_reply (Connection *self)
{
    PolicyRequest *request = self->request;
    uint8_t buffer[4096];
    ssize_t n = recv (self->fd, buffer, sizeof buffer, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        fail_try (request, n < 0 ? g_strerror (errno) : "Connection closed by the server");
        return;
    }
    const char *why = NULL;
    char *action = NULL;
    g_byte_array_append (self->in, buffer, (guint) n);
    HkAnswer answer = restriction_policy_reply_parse (
        (HkSpan){self->in->data, self->in->len}, &action, &why);
    if (answer == HK_BROKEN || (answer == HK_FOUND && self->sent < request->text->len)) {
        g_free (action);
        fail_try (request, why != NULL ? why : "malformed reply: before the request");
    } else if (answer == HK_FOUND) {
        succeed (request, action);
    }
}

static void
connected (Connection *self)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt (self->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    self->is_connecting = false;
    if (error != 0) {
        fail_try (self->request, g_strerror (error));
        return;
    }
    limit_time (self->request);
    write_text (self);
}

static void
on_event (void *data, int32_t fd, uint32_t events)
{
    Connection *self = data;
    (void) fd;
    if (self->request == NULL) {
        drop_idle (self); /* closed, or it speaks without being asked */
    } else if (self->is_connecting) {
        if (events & HK_IO_WRITE)
            connected (self);
    } else if (events & HK_IO_READ) {
        read_reply (self);
    } else if (events & HK_IO_WRITE) {
        write_text (self);
    }
}

static void
begin_request (Connection *connection, PolicyRequest *request)
{
    connection->request = request;
    request->connection = connection;
    connection->n_requests++;
    connection->sent = 0;
    g_byte_array_set_size (connection->in, 0);
    g_free (connection->instance);
    connection->instance = g_strdup (request->instance);
}

/* ---- a new connection
 * ---------------------------------------------------------------------------- */

static bool
connect_to (PolicyRequest *self, const Address *address)
{
    PolicyClient *client = self->client;
    int family = address->address.ss_family, one = 1;
    int fd = socket (family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    if (family != AF_UNIX)
        (void) setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect (fd, (const struct sockaddr *) &address->address, address->size) < 0 &&
        errno != EINPROGRESS) {
        int error = errno;
        close (fd);
        errno = error;
        return false;
    }
    Connection *connection = g_new0 (Connection, 1);
    connection->client = client;
    connection->fd = fd;
    connection->in = g_byte_array_new ();
    connection->born_us = g_get_monotonic_time ();
    connection->is_connecting = true;
    connection->watch = client->host->watch_start (
        client->host, fd, HK_IO_READ | HK_IO_WRITE, on_event, connection);
    if (connection->watch == NULL) {
        connection_free (connection);
        errno = EIO;
        return false;
    }
    begin_request (connection, self);
    return true;
}

/* The next of the server's addresses; false: there is none, errno says why not. */
static bool
connect_next (PolicyRequest *self)
{
    errno = ENOENT;
    while (self->at_address < self->n_addresses)
        if (connect_to (self, &self->addresses[self->at_address++])) {
            limit_time (self);
            return true;
        }
    return false;
}

static bool
add_address (PolicyRequest *self, int family, const void *bytes)
{
    uint16_t port = htons (self->client->options->port);
    if (self->n_addresses == MAX_ADDRESSES)
        return false;
    Address *to = &self->addresses[self->n_addresses++];
    if (family == AF_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = port};
        memcpy (&in.sin_addr, bytes, sizeof in.sin_addr);
        memcpy (&to->address, &in, sizeof in);
        to->size = sizeof in;
    } else {
        struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = port};
        memcpy (&in.sin6_addr, bytes, sizeof in.sin6_addr);
        memcpy (&to->address, &in, sizeof in);
        to->size = sizeof in;
    }
    return true;
}

static bool
add_path (PolicyRequest *self, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (g_strlcpy (un.sun_path, path, sizeof un.sun_path) >= sizeof un.sun_path)
        return false;
    Address *to = &self->addresses[self->n_addresses++];
    memcpy (&to->address, &un, sizeof un);
    to->size = sizeof un;
    return true;
}

/* ---- the server's name: an answer may come when nobody wants it any more */

struct Lookup {
    PolicyRequest *request; /* NULL: nobody */
    const HkHost *host;
    uint16_t type;
};

static void got_addresses (void *data, int32_t outcome, const HkDnsRecord *records,
                           size_t n, const char *reason);

static void
look_up (PolicyRequest *self, uint16_t type)
{
    Lookup *lookup = g_new (Lookup, 1);
    *lookup = (Lookup){self, self->client->host, type};
    self->lookup = lookup;
    lookup->host->dns_start (lookup->host, self->client->options->name, type, got_addresses,
                             lookup);
}

static void
got_addresses (void *data, int32_t outcome, const HkDnsRecord *records, size_t n,
               const char *reason)
{
    Lookup *lookup = data;
    PolicyRequest *self = lookup->request;
    uint16_t type = lookup->type;
    g_free (lookup);
    if (self == NULL)
        return;
    self->lookup = NULL;
    for (size_t i = 0; outcome == HK_DNS_FOUND && i < n; i++)
        if (records[i].type == type && records[i].data.size == (type == TYPE_A ? 4 : 16))
            add_address (self, type == TYPE_A ? AF_INET : AF_INET6, records[i].data.data);
    if (self->n_addresses == 0 && type == TYPE_A) {
        look_up (self, TYPE_AAAA);
        return;
    }
    if (self->n_addresses == 0)
        fail_try (self, reason != NULL ? reason : "it has no address");
    else if (!connect_next (self))
        fail_try (self, g_strerror (errno));
}

/* ---- trying
 * ------------------------------------------------------------------------------------ */

static void try_again (void *data);

/* The queue of a listening Unix socket is full: a blocking connect would wait. */
static bool
wait_for_room (PolicyRequest *self)
{
    const PolicyClient *client = self->client;
    int64_t now = g_get_monotonic_time ();
    if (self->busy_since_us == 0)
        self->busy_since_us = now;
    if (now - self->busy_since_us > client->options->timeout_us)
        return false;
    stop_timer (client->host, &self->timer);
    self->timer = client->host->timer_start (client->host, BUSY_DELAY_US, try_again, self);
    return true;
}

static void
find_server (PolicyRequest *self)
{
    const PolicyOptions *o = self->client->options;
    uint8_t bytes[16];
    self->n_addresses = self->at_address = 0;
    if (o->path != NULL && !add_path (self, o->path)) {
        fail_try (self, "the path is too long for a socket");
        return;
    }
    if (o->path == NULL && inet_pton (AF_INET, o->name, bytes) == 1)
        add_address (self, AF_INET, bytes);
    else if (o->path == NULL && inet_pton (AF_INET6, o->name, bytes) == 1)
        add_address (self, AF_INET6, bytes);
    if (self->n_addresses == 0) {
        limit_time (self);
        look_up (self, TYPE_A);
    } else if (!connect_next (self)) {
        if (errno != EAGAIN || !wait_for_room (self))
            fail_try (self, g_strerror (errno));
    }
}

static void
start_try (PolicyRequest *self)
{
    Connection *connection = take_idle (self->client, self->instance);
    if (connection == NULL) {
        find_server (self);
        return;
    }
    begin_request (connection, self);
    limit_time (self);
    write_text (connection);
}

static void
try_again (void *data)
{
    PolicyRequest *self = data;
    self->timer = NULL;
    start_try (self);
}

/* What holds the attempt is let go. */
static void
end_try (PolicyRequest *self)
{
    stop_timer (self->client->host, &self->timer);
    if (self->connection != NULL)
        connection_free (g_steal_pointer (&self->connection));
    if (self->lookup != NULL)
        g_steal_pointer (&self->lookup)->request = NULL;
}

/* The server had closed an idle connection just now: that is no failure. */
static bool
was_stale (const PolicyRequest *self)
{
    const Connection *c = self->connection;
    return c != NULL && c->was_used && c->in->len == 0 && self->timer != NULL;
}

static void
fail_try (PolicyRequest *self, const char *why)
{
    const PolicyClient *client = self->client;
    const HkHost *host = client->host;
    bool is_stale = was_stale (self), is_connecting =
        self->connection != NULL && self->connection->is_connecting;
    g_autofree char *reason = g_strdup (why); /* errno's text may change */
    end_try (self);
    if (is_connecting && connect_next (self))
        return;
    if (is_stale) {
        self->timer = host->timer_start (host, 0, try_again, self);
        return;
    }
    host->log (host, HK_LOG_WARNING, "problem talking to server %s: %s",
               client->options->server, reason);
    if (++self->tries < client->options->try_limit)
        self->timer =
            host->timer_start (host, client->options->retry_delay_us, try_again, self);
    else
        self->timer = host->timer_start (host, 0, finish, self);
}

/* ---- the face
 * ---------------------------------------------------------------------------------- */

PolicyClient *
restriction_policy_client_new (const HkHost *host, const PolicyOptions *options)
{
    PolicyClient *self = g_new0 (PolicyClient, 1);
    self->host = host;
    self->options = options;
    g_queue_init (&self->idle);
    return self;
}

void
restriction_policy_client_free (PolicyClient *self)
{
    while (!g_queue_is_empty (&self->idle))
        drop_idle (g_queue_peek_head (&self->idle));
    g_free (self);
}

PolicyRequest *
restriction_policy_client_ask (PolicyClient *client, GString *text, const char *instance,
                               void (*done) (void *data), void *data)
{
    PolicyRequest *self = g_new0 (PolicyRequest, 1);
    self->client = client;
    self->text = text;
    self->instance = g_strdup (instance);
    self->done = done;
    self->data = data;
    start_try (self);
    return self;
}

const char *
restriction_policy_request_action (const PolicyRequest *self)
{
    return self->action;
}

void
restriction_policy_request_free (PolicyRequest *self)
{
    end_try (self);
    g_string_free (self->text, TRUE);
    g_free (self->instance);
    g_free (self->action);
    g_free (self);
}
