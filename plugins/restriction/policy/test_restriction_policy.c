/* test_restriction_policy.c: options, replies, and requests to a server on a thread. */
#include "harness.h"
#include "restriction_policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_policy);

/* ---- replies */

static void
test_replies (void)
{
    static const struct {
        const char *text;
        HkAnswer answer;
        const char *action;
    } rows[] = {
        {"action=DUNNO\n\n", HK_FOUND, "DUNNO"},
        {"action= 550 5.7.1 a=b \n\n", HK_FOUND, "550 5.7.1 a=b"},
        {"note=x\naction=OK\n\n", HK_FOUND, "OK"},
        {"action=OK\naction=REJECT\n\n", HK_FOUND, "OK"},
        {"", HK_UNKNOWN, NULL},
        {"action=DUNNO", HK_UNKNOWN, NULL},
        {"action=DUNNO\n", HK_UNKNOWN, NULL},
        {"\n", HK_BROKEN, NULL},
        {"action=\n\n", HK_FOUND, ""}, /* as an empty value of a table */
        {"nothing\n\n", HK_BROKEN, NULL},
        {"=x\n\n", HK_BROKEN, NULL},
        {"verdict=OK\n\n", HK_BROKEN, NULL},
        {"action=OK\n\naction=OK\n\n", HK_BROKEN, NULL}, /* whose answer is the second? */
    };
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        g_autofree char *action = NULL;
        const char *why = NULL;
        HkSpan bytes = {(const uint8_t *) rows[i].text, strlen (rows[i].text)};
        g_test_message ("%s", rows[i].text);
        g_assert_cmpint (restriction_policy_reply_parse (bytes, &action, &why), ==,
                         rows[i].answer);
        g_assert_cmpstr (action, ==, rows[i].action);
        g_assert_cmpint (why != NULL, ==, rows[i].answer == HK_BROKEN);
    }
    const char *why = NULL;
    char *action = NULL;
    HkSpan null = {(const uint8_t *) "action=O\0\n\n", 11};
    g_assert_cmpint (restriction_policy_reply_parse (null, &action, &why), ==, HK_BROKEN);
    g_autofree char *endless = g_strnfill (POLICY_MAX_REPLY, 'a');
    HkSpan all = {(const uint8_t *) endless, POLICY_MAX_REPLY};
    g_assert_cmpint (restriction_policy_reply_parse (all, &action, &why), ==, HK_BROKEN);
}

/* ---- options */

static HkHarness *
new_harness (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (restriction_policy));
    hk_harness_set (h, "queue_directory", "/queue");
    hk_harness_set (h, "stress", "");
    hk_harness_set (h, "compatibility_level", "3.6");
    hk_harness_set (h, "mail_version", "3.7.0");
    hk_harness_prop (h, HK_PROP_STAGE, "RCPT");
    hk_harness_prop (h, HK_PROP_PROTOCOL, "ESMTP");
    hk_harness_prop (h, HK_PROP_CLIENT_ADDRESS, "192.0.2.1");
    hk_harness_prop (h, HK_PROP_CLIENT_NAME, "host.test");
    hk_harness_prop (h, HK_PROP_CLIENT_REVERSE_NAME, "host.test");
    hk_harness_prop_int (h, HK_PROP_CLIENT_PORT, 4711);
    hk_harness_prop (h, HK_PROP_SERVER_ADDRESS, "192.0.2.2");
    hk_harness_prop_int (h, HK_PROP_SERVER_PORT, 25);
    hk_harness_prop (h, HK_PROP_HELO_NAME, "helo\nrequest=x");
    hk_harness_prop (h, HK_PROP_SENDER, "a@from.test");
    hk_harness_prop (h, HK_PROP_RECIPIENT, "b@to.test");
    hk_harness_prop (h, HK_PROP_INSTANCE, "1.2.3");
    hk_harness_prop_int (h, HK_PROP_SIZE, 1234);
    hk_harness_prop_int (h, HK_PROP_RECIPIENT_COUNT, 1);
    hk_harness_action (h, "REJECT", HK_REJECT);
    hk_harness_action (h, "DEFER", HK_DEFER_IF_PERMIT);
    hk_harness_action (h, "451 4.3.5 Server configuration problem", HK_REJECT);
    hk_harness_action (h, "450 4.7.1 Come, again", HK_DEFER_IF_PERMIT);
    return h;
}

static void
test_malformed (void)
{
    static const char *const bad[] = {
        "",
        "127.0.0.1:9998",
        "inet:127.0.0.1",
        "inet:127.0.0.1:0",
        "inet:127.0.0.1:99999",
        "unix:",
        "{ }",
        "{ inet:127.0.0.1:1, timeout }",
        "{ inet:127.0.0.1:1, timeout=0 }",
        "{ inet:127.0.0.1:1, timeout=1x }",
        "{ inet:127.0.0.1:1, try_limit=0 }",
        "{ inet:127.0.0.1:1, request_limit=-1 }",
        "{ inet:127.0.0.1:1, unknown=1 }",
        "{ inet:127.0.0.1:1, default_action= }",
    };
    static const char *const good[] = {
        "inet:127.0.0.1:9998",
        "inet:[::1]:9998",
        "inet:localhost:9998",
        "inet::9998",
        "local:private/x",
        ("{ unix:/x, timeout=1m, max_idle=1h, max_ttl=1d, retry_delay=2, try_limit=3, "
         "request_limit=1 policy_context=here, { default_action = 450 4.7.1 Come, again } }"),
    };
    HkHarness *h = new_harness ();
    for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
        g_test_message ("%s", bad[i]);
        g_assert_null (
            hk_harness_open (h, HK_KIND_RESTRICTION, "check_policy_service", bad[i]));
        g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    }
    for (size_t i = 0; i < G_N_ELEMENTS (good); i++) {
        void *p = hk_harness_open (h, HK_KIND_RESTRICTION, "check_policy_service", good[i]);
        g_test_message ("%s", good[i]);
        g_assert_nonnull (p);
        hk_harness_close (h, p);
    }
    hk_harness_free (h);
}

/* ---- a server on a thread: for each connection a list of what it does */

typedef struct {
    int fd;
    uint16_t port;
    GThread *thread;
    const char *const *script; /* a reply, "CLOSE", "HANG"; NULL ends */
    GMutex lock;               /* guards the rest */
    GString *heard;
    unsigned n_connections;
} Server;

/* Up to an empty line; false: the client has hung up. */
static bool
hear (Server *s, int fd)
{
    char last[2] = "", c;
    while (read (fd, &c, 1) == 1) {
        g_mutex_lock (&s->lock);
        g_string_append_c (s->heard, c);
        g_mutex_unlock (&s->lock);
        if (c == '\n' && last[0] == '\n')
            return true;
        last[0] = c;
    }
    return false;
}

static gpointer
serve (gpointer data)
{
    Server *s = data;
    const char *const *at = s->script;
    while (*at != NULL) {
        int fd = accept (s->fd, NULL, NULL);
        if (fd < 0)
            break;
        g_mutex_lock (&s->lock);
        s->n_connections++;
        g_mutex_unlock (&s->lock);
        while (*at != NULL && hear (s, fd)) {
            const char *say = *at++;
            if (strcmp (say, "CLOSE") == 0)
                break;
            if (strcmp (say, "HANG") == 0) {
                hear (s, fd); /* until the client gives up */
                break;
            }
            g_assert_cmpint (write (fd, say, strlen (say)), ==, (ssize_t) strlen (say));
            if (*at != NULL && strcmp (*at, "THEN CLOSE") == 0) {
                at++;
                break;
            }
        }
        close (fd);
    }
    return NULL;
}

static void
server_start (Server *s, const char *const *script)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t size = sizeof in;
    *s = (Server){.script = script, .heard = g_string_new (NULL)};
    g_mutex_init (&s->lock);
    s->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint (bind (s->fd, (struct sockaddr *) &in, size), ==, 0);
    g_assert_cmpint (listen (s->fd, 10), ==, 0);
    g_assert_cmpint (getsockname (s->fd, (struct sockaddr *) &in, &size), ==, 0);
    s->port = ntohs (in.sin_port);
    s->thread = g_thread_new ("policy", serve, s);
}

static void
server_stop (Server *s)
{
    shutdown (s->fd, SHUT_RDWR);
    g_thread_join (s->thread);
    close (s->fd);
    g_string_free (s->heard, TRUE);
    g_mutex_clear (&s->lock);
}

static void *
open_for (HkHarness *h, const Server *s, const char *options)
{
    g_autofree char *argument =
        g_strdup_printf ("{ inet:127.0.0.1:%u, %s }", s->port, options);
    void *p = hk_harness_open (h, HK_KIND_RESTRICTION, "check_policy_service", argument);
    g_assert_nonnull (p);
    return p;
}

static const char full_request[] = "request=smtpd_access_policy\n"
                                   "protocol_state=RCPT\n"
                                   "protocol_name=ESMTP\n"
                                   "client_address=192.0.2.1\n"
                                   "client_name=host.test\n"
                                   "client_port=4711\n"
                                   "reverse_client_name=host.test\n"
                                   "server_address=192.0.2.2\n"
                                   "server_port=25\n"
                                   "helo_name=helo?request=x\n"
                                   "sender=a@from.test\n"
                                   "recipient=b@to.test\n"
                                   "recipient_count=0\n"
                                   "queue_id=\n"
                                   "instance=1.2.3\n"
                                   "size=1234\n"
                                   "etrn_domain=\n"
                                   "stress=\n"
                                   "sasl_method=\n"
                                   "sasl_username=\n"
                                   "sasl_sender=\n"
                                   "ccert_subject=\n"
                                   "ccert_issuer=\n"
                                   "ccert_fingerprint=\n"
                                   "ccert_pubkey_fingerprint=\n"
                                   "encryption_protocol=\n"
                                   "encryption_cipher=\n"
                                   "encryption_keysize=0\n"
                                   "policy_context=here\n"
                                   "compatibility_level=3.6\n"
                                   "mail_version=3.7.0\n"
                                   "\n";

static void
test_request (void)
{
    static const char *const script[] = {"action=REJECT\n\n", "action=DUNNO\n\n", NULL};
    Server s;
    HkHarness *h = new_harness ();
    server_start (&s, script);
    void *p = open_for (h, &s, "policy_context=here");
    g_assert_cmpint (hk_harness_check (h, p), ==, HK_REJECT);
    g_mutex_lock (&s.lock);
    g_assert_cmpstr (s.heard->str, ==, full_request);
    g_string_truncate (s.heard, 0);
    g_mutex_unlock (&s.lock);
    hk_harness_prop (h, HK_PROP_STAGE, "END-OF-MESSAGE");
    hk_harness_prop (h, HK_PROP_ONLY_RECIPIENT, "only@to.test");
    g_assert_cmpint (hk_harness_check (h, p), ==, HK_DUNNO);
    g_mutex_lock (&s.lock);
    g_assert_nonnull (strstr (s.heard->str, "\nrecipient=only@to.test\n"));
    g_assert_nonnull (strstr (s.heard->str, "\nrecipient_count=1\n"));
    g_assert_cmpuint (s.n_connections, ==, 1); /* the same one */
    g_mutex_unlock (&s.lock);
    g_assert_cmpstr (hk_harness_log (h), ==, "");
    hk_harness_close (h, p);
    server_stop (&s);
    hk_harness_free (h);
}

/* What goes wrong, what is done, how many connections it takes. */
static void
test_trouble (void)
{
    static const struct {
        const char *options;
        const char *script[5];
        HkAnswer verdicts[2];
        unsigned n_connections;
        const char *log;
    } rows[] = {
        /* an idle connection that is gone is no failure */
        {"try_limit=1",
         {"action=REJECT\n\n", "THEN CLOSE", "action=DEFER\n\n", NULL},
         {HK_REJECT, HK_DEFER_IF_PERMIT},
         2,
         ""},
        {"retry_delay=1s, try_limit=2",
         {"CLOSE", "action=REJECT\n\n", "action=REJECT\n\n", NULL},
         {HK_REJECT, HK_REJECT},
         2,
         "Connection closed by the server"},
        {"try_limit=1",
         {"nonsense\n\n", "action=REJECT\n\n", NULL},
         {HK_REJECT, HK_REJECT}, /* the default action, then the server's */
         2,
         "malformed reply"},
        {"try_limit=1, default_action=DUNNO",
         {"CLOSE", "action=REJECT\n\n", NULL},
         {HK_DUNNO, HK_REJECT},
         2,
         "Connection closed"},
        {"try_limit=1, timeout=1s, { default_action = 450 4.7.1 Come, again }",
         {"HANG", "action=REJECT\n\n", NULL},
         {HK_DEFER_IF_PERMIT, HK_REJECT},
         2,
         "Connection timed out"},
        {"request_limit=1",
         {"action=REJECT\n\n", "action=DEFER\n\n", NULL},
         {HK_REJECT, HK_DEFER_IF_PERMIT},
         2,
         ""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        Server s;
        HkHarness *h = new_harness ();
        server_start (&s, rows[i].script);
        void *p = open_for (h, &s, rows[i].options);
        g_test_message ("%s", rows[i].options);
        for (size_t k = 0; k < 2; k++)
            g_assert_cmpint (hk_harness_check (h, p), ==, rows[i].verdicts[k]);
        if (rows[i].log[0] == '\0')
            g_assert_cmpstr (hk_harness_log (h), ==, "");
        else
            g_assert_nonnull (strstr (hk_harness_log (h), rows[i].log));
        hk_harness_close (h, p);
        server_stop (&s);
        g_assert_cmpuint (s.n_connections, ==, rows[i].n_connections);
        hk_harness_free (h);
    }
}

static void
test_nobody_there (void)
{
    static const char *const script[] = {NULL};
    Server s;
    HkHarness *h = new_harness ();
    server_start (&s, script);
    server_stop (&s); /* the port is free again */
    void *p = open_for (h, &s, "try_limit=2, retry_delay=1");
    gint64 begin = g_get_monotonic_time ();
    g_assert_cmpint (hk_harness_check (h, p), ==, HK_REJECT);
    g_assert_cmpint (g_get_monotonic_time () - begin, >=, 900000);
    g_assert_nonnull (strstr (hk_harness_log (h), "Connection refused"));
    hk_harness_close (h, p);
    p = hk_harness_open (h, HK_KIND_RESTRICTION, "check_policy_service",
                         "{ inet:nowhere.test:1, try_limit=1, default_action=DUNNO }");
    hk_harness_clear_log (h);
    g_assert_cmpint (hk_harness_check (h, p), ==, HK_DUNNO);
    g_assert_nonnull (strstr (hk_harness_log (h), "Host not found"));
    hk_harness_close (h, p);
    p = hk_harness_open (h, HK_KIND_RESTRICTION, "check_policy_service",
                         "{ unix:none, try_limit=1, default_action=DUNNO }");
    g_assert_cmpint (hk_harness_check (h, p), ==, HK_DUNNO);
    g_assert_nonnull (strstr (hk_harness_log (h), "No such file"));
    hk_harness_close (h, p);
    hk_harness_free (h);
}

/* The session goes away in each state of the request. */
static void
test_cancel (void)
{
    static const char *const script[] = {"HANG", NULL};
    const HkRestrictionClass *class;
    Server s;
    HkHarness *h = new_harness ();
    server_start (&s, script);
    void *p = open_for (h, &s, "timeout=1s, retry_delay=1");
    class = (const HkRestrictionClass *) (const void *) hk_harness_class (
        h, HK_KIND_RESTRICTION, "check_policy_service");
    for (int turns = 0; turns < 3; turns++) {
        void *state = NULL;
        HkCall *call = hk_harness_call (h);
        g_assert_cmpint (class->check_start (p, call, &state), ==, HK_PENDING);
        if (turns == 1)
            hk_harness_run (h, NULL, NULL, 50);
        class->check_cancel (p, call, state);
    }
    hk_harness_close (h, p);
    server_stop (&s);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/restriction_policy/replies", test_replies);
    g_test_add_func ("/restriction_policy/malformed", test_malformed);
    g_test_add_func ("/restriction_policy/request", test_request);
    g_test_add_func ("/restriction_policy/trouble", test_trouble);
    g_test_add_func ("/restriction_policy/nobody_there", test_nobody_there);
    g_test_add_func ("/restriction_policy/cancel", test_cancel);
    return g_test_run ();
}
