/* stream_test.h: a small server on a thread, for the tests of tables that ask one.
 *
 * It talks on a port of 127.0.0.1 or on a Unix socket, reads a request until `is_whole`,
 * and sends what `reply` makes of it.  Static functions only. */
#ifndef HK_PLUGINS_LOOKUP_STREAM_TEST_H
#define HK_PLUGINS_LOOKUP_STREAM_TEST_H

#include "harness.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TEST_MAX_CONNS = 16 };

typedef struct {
    int listener, wake[2];
    int port;
    GThread *thread;
    bool (*is_whole) (const GString *request);
    /* False: hang up after what is in OUT was sent. */
    bool (*reply) (const GString *request, GString *out);
    gint n_accepted, n_open; /* atomic */
    bool is_slow;            /* one byte of the reply each millisecond */
} TestServer;

typedef struct {
    struct pollfd fds[2 + TEST_MAX_CONNS];
    GString *got[TEST_MAX_CONNS];
    guint n;
} TestConns;

static inline void
test_conns_drop (TestServer *self, TestConns *conns, guint i)
{
    close (conns->fds[2 + i].fd);
    g_string_free (conns->got[i], TRUE);
    conns->n--;
    conns->fds[2 + i] = conns->fds[2 + conns->n];
    conns->got[i] = conns->got[conns->n];
    g_atomic_int_add (&self->n_open, -1);
}

static inline bool
test_server_send (const TestServer *self, int fd, const GString *out)
{
    gsize step = self->is_slow ? 1 : MAX (out->len, 1);
    for (gsize at = 0; at < out->len; at += step) {
        gsize n = MIN (step, out->len - at);
        struct pollfd stop = {.fd = self->wake[0], .events = POLLIN};
        if (poll (&stop, 1, self->is_slow ? 1 : 0) > 0 ||
            send (fd, out->str + at, n, MSG_NOSIGNAL) != (ssize_t) n)
            return false;
    }
    return true;
}

static inline bool
test_server_read (TestServer *self, int fd, GString *got)
{
    char block[65536];
    ssize_t n = recv (fd, block, sizeof block, 0);
    if (n <= 0)
        return false;
    g_string_append_len (got, block, n);
    if (!self->is_whole (got))
        return true;
    g_autoptr (GString) out = g_string_new (NULL);
    bool stays = self->reply (got, out);
    g_string_truncate (got, 0);
    return test_server_send (self, fd, out) && stays;
}

static inline void *
test_server_run (void *data)
{
    TestServer *self = data;
    TestConns conns = {.fds = {{.fd = self->wake[0], .events = POLLIN},
                               {.fd = self->listener, .events = POLLIN}}};
    for (;;) {
        int n = poll (conns.fds, 2 + conns.n, -1);
        g_assert_cmpint (n, >, 0);
        if (conns.fds[0].revents != 0)
            break;
        for (guint i = conns.n; i-- > 0;)
            if (conns.fds[2 + i].revents != 0 &&
                !test_server_read (self, conns.fds[2 + i].fd, conns.got[i]))
                test_conns_drop (self, &conns, i);
        if (conns.fds[1].revents != 0 && conns.n < TEST_MAX_CONNS) {
            int fd = accept (self->listener, NULL, NULL);
            g_assert_cmpint (fd, >=, 0);
            conns.got[conns.n] = g_string_new (NULL);
            conns.fds[2 + conns.n++] = (struct pollfd){.fd = fd, .events = POLLIN};
            g_atomic_int_inc (&self->n_accepted);
            g_atomic_int_inc (&self->n_open);
        }
    }
    while (conns.n > 0)
        test_conns_drop (self, &conns, conns.n - 1);
    return NULL;
}

static inline void
test_server_listen (TestServer *self, const char *path)
{
    struct sockaddr_in inet = {.sin_family = AF_INET,
                               .sin_port = htons ((guint16) self->port)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    socklen_t size = sizeof inet;
    int one = 1;
    inet.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    self->listener =
        socket (path == NULL ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt (self->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (path != NULL) {
        g_strlcpy (local.sun_path, path, sizeof local.sun_path);
        g_assert_cmpint (bind (self->listener, (struct sockaddr *) &local, sizeof local),
                         ==, 0);
    } else {
        g_assert_cmpint (bind (self->listener, (struct sockaddr *) &inet, sizeof inet), ==,
                         0);
        getsockname (self->listener, (struct sockaddr *) &inet, &size);
        self->port = ntohs (inet.sin_port);
    }
    g_assert_cmpint (listen (self->listener, 16), ==, 0);
}

/* Starts, or starts again on the same port. */
static inline void
test_server_start (TestServer *self, const char *path)
{
    test_server_listen (self, path);
    g_assert_cmpint (pipe (self->wake), ==, 0);
    self->thread = g_thread_new ("server", test_server_run, self);
}

static inline void
test_server_stop (TestServer *self)
{
    g_assert_cmpint (write (self->wake[1], "", 1), ==, 1);
    g_thread_join (self->thread);
    close (self->wake[0]);
    close (self->wake[1]);
    close (self->listener);
}

/* Until the server has N connections; a test failure after ten seconds. */
static inline void
test_server_wait_open (const TestServer *self, int n)
{
    gint64 end = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
    while (g_atomic_int_get (&self->n_open) != n) {
        g_assert_cmpint (g_get_monotonic_time (), <, end);
        g_usleep (2000);
    }
}

/* ---- many threads at one instance: the class says that it may */

enum { TEST_THREADS = 6, TEST_ROUNDS = 200 };

typedef struct {
    const HkPlugin *plugin;
    const HkLookupClass *cls;
    void *instance;
    int number;
} TestAsker;

/* The server answers each key with itself. */
static inline void *
test_asker_run (void *data)
{
    const TestAsker *self = data;
    HkHarness *h = hk_harness_new (self->plugin); /* for a call of its own */
    for (int i = 0; i < TEST_ROUNDS; i++) {
        g_autofree char *key = g_strdup_printf ("echo-%d-%d", self->number, i);
        HkSpan span = {(const uint8_t *) key, strlen (key)};
        g_assert_cmpint (self->cls->get (self->instance, hk_harness_call (h), span), ==,
                         HK_FOUND);
        g_assert_cmpstr (hk_harness_answer (h), ==, key);
    }
    hk_harness_free (h);
    return NULL;
}

static inline void
test_many_askers (const HkPlugin *plugin, HkHarness *h, const char *type, void *instance)
{
    const HkLookupClass *cls =
        (const HkLookupClass *) (const void *) hk_harness_class (h, HK_KIND_LOOKUP, type);
    GThread *threads[TEST_THREADS];
    TestAsker askers[TEST_THREADS];
    for (int i = 0; i < TEST_THREADS; i++) {
        askers[i] = (TestAsker){plugin, cls, instance, i};
        threads[i] = g_thread_new ("asker", test_asker_run, &askers[i]);
    }
    for (int i = 0; i < TEST_THREADS; i++)
        g_thread_join (threads[i]);
}

#endif
