/* test_query_pool.c: dead, silent and hanging-up servers; suppressed lookups; wrong files.
 *
 * The same tests for every table that asks a database server; the servers are sockets of
 * the test itself. */
#include "test_query_pool.h"

#include "harness.h"
#include <arpa/inet.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static const HkPlugin *plugin;
static const char *type;
static char *path;

int
test_query_pool_listen (int *out_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
    g_assert_cmpint (listen (fd, 64), ==, 0);
    g_assert_cmpint (getsockname (fd, (struct sockaddr *) &address, &size), ==, 0);
    *out_port = ntohs (address.sin_port);
    return fd;
}

static int
dead_port (void)
{
    int port;
    close (test_query_pool_listen (&port));
    return port;
}

static void *open_text (HkHarness *h, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void *
open_text (HkHarness *h, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    g_autofree char *text = g_strdup_vprintf (format, args);
    va_end (args);
    g_assert_true (g_file_set_contents (path, text, -1, NULL));
    return hk_harness_open (h, HK_KIND_LOOKUP, type, path);
}

static bool
is_said (const char *where, const char *text)
{
    if (strstr (where, text) != NULL)
        return true;
    g_test_message ("no \"%s\" in \"%s\"", text, where);
    return false;
}

/* ---- */

static const struct {
    const char *text, *reason;
} broken[] = {
    {"hosts = 127.0.0.1\n", "query is not set"},
    {"query = x\nhosts = inet:127.0.0.1:port\n", "inet:127.0.0.1:port: the port is not a"},
    {"query = x\nhosts = h:0\n", "the port is not a number from 1 to 65535"},
    {"query = x\nhosts = a h:65536\n", "h:65536: the port is not a number"},
    {"query = x\nhosts = unix:socket\n", "the path of a socket begins with '/'"},
    {"query = x\nhosts = [::1\n", "missing ']'"},
    {"query = x\nhosts = [::1]x\n", "expected ':' and a port after ']'"},
    {"query = x\nhosts = :25\n", "the name is empty"},
    {"query = x\ntimeout = 0\n", "timeout = 0: expected 1 to 3600"},
    {"query = x\nconnection_limit = none\n", "bad numerical value: connection_limit"},
    {"query = x\nretry_interval = soon\n", "bad time value: retry_interval"},
};

static void
test_broken (void)
{
    HkHarness *h = hk_harness_new (plugin);
    for (size_t i = 0; i < G_N_ELEMENTS (broken); i++) {
        g_test_message ("%s", broken[i].text);
        g_assert_null (open_text (h, "%s", broken[i].text));
        g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
        g_assert_true (is_said (hk_harness_reason (h), broken[i].reason));
        g_assert_true (is_said (hk_harness_reason (h), path));
    }
    hk_harness_free (h);
}

/* What need not be asked is answered without a server. */
static void
test_suppressed (void)
{
    HkHarness *h = hk_harness_new (plugin);
    void *t = open_text (h,
                         "hosts = 127.0.0.1:%d\nquery = SELECT '%%u' WHERE '%%d' = ''\n"
                         "domain = a.test\n",
                         dead_port ());
    g_assert_nonnull (t);
    static const char *const keys[] = {"user",  "@a.test",     "user@b.test",
                                       "user@", "\xff@a.test", "a.test"};
    for (size_t i = 0; i < G_N_ELEMENTS (keys); i++)
        g_assert_cmpint (hk_harness_get (h, t, keys[i]), ==, HK_ABSENT);
    g_assert_cmpstr (hk_harness_log (h), ==, "");
    g_assert_cmpint (hk_harness_get (h, t, "user@a.test"), ==, HK_LATER);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_dead (void)
{
    HkHarness *h = hk_harness_new (plugin);
    int one = dead_port (), two = dead_port ();
    void *t = open_text (h,
                         "hosts = 127.0.0.1:%d, inet:127.0.0.1:%d\n"
                         "user = u\npassword = sesame\nquery = SELECT '%%s'\n",
                         one, two);
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    g_assert_true (is_said (hk_harness_reason (h), path));
    g_assert_true (is_said (hk_harness_reason (h), type));
    g_assert_true (is_said (hk_harness_reason (h), "127.0.0.1:"));
    g_autofree char *said = g_strdup (hk_harness_log (h)); /* each was tried */
    g_autofree char *first = g_strdup_printf ("server 127.0.0.1:%d: connect: ", one);
    g_autofree char *second = g_strdup_printf ("server inet:127.0.0.1:%d: connect: ", two);
    g_assert_true (is_said (said, first));
    g_assert_true (is_said (said, second));
    g_assert_true (is_said (said, "next try in 1 s"));

    hk_harness_clear_log (h); /* now they are left alone for a while */
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    g_autofree char *why =
        g_strdup_printf ("no server answers: %s server 127.0.0.1:%d: connect: ", type, one);
    g_assert_true (is_said (hk_harness_reason (h), why));
    g_assert_cmpstr (hk_harness_log (h), ==, "");
    g_assert_null (strstr (said, "sesame"));
    hk_harness_close (h, t);
    hk_harness_free (h);
}

/* The kernel takes the connection, then nobody says a word. */
static void
test_silent (void)
{
    HkHarness *h = hk_harness_new (plugin);
    int port, fd = test_query_pool_listen (&port);
    void *t =
        open_text (h, "timeout = 1\nhosts = 127.0.0.1:%d\nquery = SELECT '%%s'\n", port);
    gint64 began = g_get_monotonic_time ();
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    gint64 took = g_get_monotonic_time () - began;
    g_assert_true (is_said (hk_harness_reason (h), "timed out"));
    g_assert_cmpint (took, >, G_USEC_PER_SEC / 2);
    g_assert_cmpint (took, <, 2 * G_USEC_PER_SEC);

    began = g_get_monotonic_time (); /* and costs nothing while it is known to hang */
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    g_assert_cmpint (g_get_monotonic_time () - began, <, G_USEC_PER_SEC / 2);
    hk_harness_close (h, t); /* while its thread is in the handshake */
    close (fd);
    hk_harness_free (h);
}

static void *
hang_up (void *data)
{
    int listener = GPOINTER_TO_INT (data);
    for (;;) {
        int fd = accept (listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        static const char noise[] = "\x03HTTP/1.1 400 no database here\r\n\r\n";
        if (send (fd, noise, sizeof noise - 1, MSG_NOSIGNAL) < 0)
            g_test_message ("send: %s", g_strerror (errno));
        close (fd);
    }
}

/* Something else listens there. */
static void
test_noise (void)
{
    HkHarness *h = hk_harness_new (plugin);
    int port, fd = test_query_pool_listen (&port);
    GThread *thread = g_thread_new ("noise", hang_up, GINT_TO_POINTER (fd));
    void *t =
        open_text (h, "timeout = 3\nhosts = 127.0.0.1:%d\nquery = SELECT '%%s'\n", port);
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    g_assert_true (is_said (hk_harness_reason (h), "127.0.0.1:"));
    hk_harness_close (h, t);
    shutdown (fd, SHUT_RDWR);
    g_thread_join (thread);
    close (fd);
    hk_harness_free (h);
}

typedef struct {
    const HkHost *host;
    const HkLookupClass *cls;
    void *instance;
} Asker;

/* The call of the harness is of one thread; this one has nothing to tell but the answer. */
static void *
ask_alone (void *data)
{
    Asker *self = data;
    HkHarness *h = hk_harness_new (plugin);
    HkSpan key = {(const uint8_t *) "a", 1};
    HkAnswer answer = self->cls->get (self->instance, hk_harness_call (h), key);
    hk_harness_free (h);
    return GINT_TO_POINTER (answer);
}

/* More lookups than connections: all end within the timeout. */
static void
test_crowd (void)
{
    enum { N = 12 };
    HkHarness *h = hk_harness_new (plugin);
    int port, fd = test_query_pool_listen (&port);
    void *t = open_text (h,
                         "timeout = 1\nconnection_limit = 2\nhosts = 127.0.0.1:%d\n"
                         "query = SELECT '%%s'\n",
                         port);
    const HkClass *cls = hk_harness_class (h, HK_KIND_LOOKUP, type);
    Asker asker = {hk_harness_host (h), (const HkLookupClass *) (const void *) cls, t};
    GThread *threads[N];
    gint64 began = g_get_monotonic_time ();
    for (int i = 0; i < N; i++)
        threads[i] = g_thread_new ("asker", ask_alone, &asker);
    for (int i = 0; i < N; i++)
        g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (threads[i])), ==, HK_LATER);
    g_assert_cmpint (g_get_monotonic_time () - began, <, 3 * G_USEC_PER_SEC);
    hk_harness_close (h, t);
    close (fd);
    hk_harness_free (h);
}

static void
add (const char *name, void (*fn) (void))
{
    g_autofree char *full = g_strdup_printf ("/lookup_%s/%s", type, name);
    g_test_add_func (full, fn);
}

void
test_query_pool_add_all (const HkPlugin *the_plugin, const char *the_type)
{
    plugin = the_plugin;
    type = the_type;
    int fd = g_file_open_tmp ("hk-pool-XXXXXX", &path, NULL);
    g_assert_cmpint (fd, >=, 0);
    close (fd);
    add ("broken", test_broken);
    add ("suppressed", test_suppressed);
    add ("dead", test_dead);
    add ("silent", test_silent);
    add ("noise", test_noise);
    add ("crowd", test_crowd);
}

void
test_query_pool_end (void)
{
    g_unlink (path);
    g_free (path);
}
