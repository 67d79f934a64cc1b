/* test_sasl_dovecot.c: the lines of the protocol, and exchanges with a played server. */
#include "harness.h"
#include "sasl_dovecot.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (sasl_dovecot);

static HkSpan
span (const char *text)
{
    return (HkSpan){(const uint8_t *) text, strlen (text)};
}

/* ---- lines
 * ------------------------------------------------------------------------------- */

static void
test_greeting (void)
{
    static const struct {
        const char *lines, *mechanisms; /* NULL: refused */
    } cases[] = {
        {"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tlogin\tplaintext\nSPID\t1\nCUID\t2\n"
         "COOKIE\tx\nDONE",
         "PLAIN LOGIN"},
        {"VERSION\t1\nMECH\tX\tprivate\nMECH\tPLAIN\nSOMETHING\tnew\nDONE", "PLAIN"},
        {"VERSION\t2\t0\nMECH\tPLAIN\nDONE", NULL},
        {"VERSION\t1\t1\nSPID\t1\nDONE", NULL}, /* a socket of another service */
        {"MECH\tPLAIN\nDONE", NULL},
        {"VERSION\t1\nDONE", NULL},
        {"VERSION\nMECH\tPLAIN\nDONE", NULL},
        {"VERSION\t99999999999999999999\t1\nDONE", NULL},
        {"VERSION\t1\t1\nMECH\tA B\nMECH\nMECH\t\nMECH\tOK\nDONE", "OK"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        DovecotGreeting greeting = {.mechanisms = NULL};
        const char *why = NULL;
        bool is_ok = true;
        g_auto (GStrv) lines = g_strsplit (cases[i].lines, "\n", -1);
        for (char **l = lines; *l != NULL && is_ok; l++)
            is_ok = sasl_dovecot_greeting_line (&greeting, span (*l), &why);
        g_test_message ("%s: %s", cases[i].lines, why != NULL ? why : "");
        g_assert_cmpint (is_ok, ==, cases[i].mechanisms != NULL);
        g_assert_cmpint (greeting.is_done, ==, is_ok);
        g_autoptr (GString) names = g_string_new (NULL);
        for (guint k = 0; is_ok && k < greeting.mechanisms->len; k++)
            g_string_append_printf (
                names, "%s%s", k > 0 ? " " : "",
                g_array_index (greeting.mechanisms, DovecotMechanism, k).name);
        g_assert_cmpstr (names->str, ==, is_ok ? cases[i].mechanisms : "");
        sasl_dovecot_greeting_clear (&greeting);
    }
}

static void
test_replies (void)
{
    static const struct {
        const char *line;
        int kind; /* -1: not of the protocol */
        uint32_t id;
        const char *user, *reason, *data;
        bool is_temporary;
    } cases[] = {
        {"OK\t1\tuser=joe\tresp=x", SASL_DOVECOT_OK, 1, "joe", "", "", false},
        {"OK\t4294967295\tuser=a\001tb\0011\0010", SASL_DOVECOT_OK, 4294967295u, "a\tb\001", "",
         "", false},
        {"CONT\t7\tYWI=", SASL_DOVECOT_CONT, 7, "", "", "ab", false},
        {"CONT\t7\t", SASL_DOVECOT_CONT, 7, "", "", "", false},
        {"CONT\t7", SASL_DOVECOT_CONT, 7, "", "", "", false},
        {"CONT\t7\tY?==", -1, 0, NULL, NULL, NULL, false},
        {"CONT\t7\tYWI", -1, 0, NULL, NULL, NULL, false},
        {"FAIL\t2\tuser=joe\treason=go away", SASL_DOVECOT_FAIL, 2, "joe", "go away", "", false},
        {"FAIL\t2\ttemp", SASL_DOVECOT_FAIL, 2, "", "", "", true},
        {"FAIL\t2\tcode=temp_fail", SASL_DOVECOT_FAIL, 2, "", "", "", true},
        {"FAIL\tx", -1, 0, NULL, NULL, NULL, false},
        {"FAIL", -1, 0, NULL, NULL, NULL, false},
        {"OK\t4294967296", -1, 0, NULL, NULL, NULL, false},
        {"NOTFOUND\t1", SASL_DOVECOT_NONE, 0, "", "", "", false},
        {"", SASL_DOVECOT_NONE, 0, "", "", "", false},
    };
    DovecotReply reply;
    sasl_dovecot_reply_init (&reply);
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_test_message ("%s", cases[i].line);
        bool is_ok = sasl_dovecot_reply_line (&reply, span (cases[i].line));
        g_assert_cmpint (is_ok ? (int) reply.kind : -1, ==, cases[i].kind);
        if (!is_ok || reply.kind == SASL_DOVECOT_NONE)
            continue;
        g_assert_cmpuint (reply.id, ==, cases[i].id);
        g_assert_cmpstr (reply.user->str, ==, cases[i].user);
        g_assert_cmpstr (reply.reason->str, ==, cases[i].reason);
        g_assert_cmpstr (reply.data->str, ==, cases[i].data);
        g_assert_cmpint (reply.is_temporary, ==, cases[i].is_temporary);
    }
    sasl_dovecot_reply_clear (&reply);
}

static void
test_options (void)
{
    static const struct {
        const char *options;
        unsigned traits;
        bool is_allowed;
    } cases[] = {
        {"", SASL_DOVECOT_ANONYMOUS, true},
        {"noanonymous", SASL_DOVECOT_ANONYMOUS, false},
        {"noanonymous, NoPlaintext", SASL_DOVECOT_PLAINTEXT, false},
        {"noactive", SASL_DOVECOT_ACTIVE | SASL_DOVECOT_DICTIONARY, false},
        {"nodictionary", SASL_DOVECOT_ACTIVE, true},
        {"mutual_auth", SASL_DOVECOT_ACTIVE, false},
        {"mutual_auth forward_secrecy", SASL_DOVECOT_MUTUAL | SASL_DOVECOT_FORWARD, true},
    };
    DovecotOptions options;
    HkSpan word;
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        const DovecotMechanism m = {NULL, cases[i].traits};
        g_assert_true (sasl_dovecot_options (span (cases[i].options), &options, &word));
        g_assert_cmpint (sasl_dovecot_is_allowed (&m, &options), ==, cases[i].is_allowed);
    }
    g_assert_false (sasl_dovecot_options (span ("noanonymous nothing"), &options, &word));
    g_assert_cmpuint (word.size, ==, strlen ("nothing"));
    g_autoptr (GString) out = g_string_new (NULL);
    sasl_dovecot_append_field (out, (HkSpan){(const uint8_t *) "a\tb\n\001\r\0c", 8});
    g_assert_cmpstr (out->str, ==, "a\001tb\001n\0011\001r\0010c");
}

/* ---- a played server
 * --------------------------------------------------------------------- */

typedef struct {
    HkHarness *h;
    const HkSaslClass *class;
    void *instance;
    char *dir, *path;
    int listener, fd;
    GString *heard; /* by the server */
    HkAnswer answer;
    bool is_done;
    GString *value;
} Rig;

static Rig *rig; /* `done` has no data of ours */

static void
on_done (HkCall *call, HkAnswer answer)
{
    (void) call;
    g_assert_false (rig->is_done);
    rig->is_done = true;
    rig->answer = answer;
}

static bool
is_done (void *data)
{
    return ((Rig *) data)->is_done;
}

static void
listen_again (Rig *r)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_strlcpy (address.sun_path, r->path, sizeof address.sun_path);
    unlink (r->path);
    r->listener = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint (bind (r->listener, (struct sockaddr *) &address, sizeof address), ==, 0);
    g_assert_cmpint (listen (r->listener, 5), ==, 0);
}

static void
setup (Rig *r)
{
    *r = (Rig){.fd = -1, .listener = -1};
    rig = r;
    r->dir = g_dir_make_tmp ("hk-dovecot-XXXXXX", NULL);
    r->path = g_build_filename (r->dir, "auth", NULL);
    r->heard = g_string_new (NULL);
    listen_again (r);
    r->h = hk_harness_new (&HK_PLUGIN_SYMBOL (sasl_dovecot));
    hk_harness_set (r->h, "queue_directory", r->dir);
    hk_harness_prop (r->h, HK_PROP_SASL_SERVICE, "smtp");
    hk_harness_prop (r->h, HK_PROP_SASL_OPTIONS, "noanonymous");
    hk_harness_prop (r->h, HK_PROP_CLIENT_ADDRESS, "192.0.2.1");
    hk_harness_prop (r->h, HK_PROP_SERVER_ADDRESS, "192.0.2.2");
    r->instance = hk_harness_open (r->h, HK_KIND_SASL, "dovecot", "auth");
    g_assert_nonnull (r->instance);
    r->class = (const HkSaslClass *) (const void *) hk_harness_class (r->h, HK_KIND_SASL,
                                                                     "dovecot");
}

static void
hang_up (Rig *r)
{
    if (r->fd >= 0)
        close (r->fd);
    if (r->listener >= 0)
        close (r->listener);
    r->fd = r->listener = -1;
}

static void
teardown (Rig *r)
{
    hk_harness_close (r->h, r->instance);
    hk_harness_free (r->h);
    hang_up (r);
    unlink (r->path);
    rmdir (r->dir);
    g_free (r->dir);
    g_free (r->path);
    g_string_free (r->heard, TRUE);
}

static void
tell (Rig *r, const char *text)
{
    g_assert_cmpint (send (r->fd, text, strlen (text), MSG_NOSIGNAL), ==,
                     (ssize_t) strlen (text));
}

static bool
has_heard (void *data)
{
    Rig *r = data;
    char buffer[4096];
    ssize_t n = recv (r->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n > 0)
        g_string_append_len (r->heard, buffer, n);
    return r->heard->len > 0 && r->heard->str[r->heard->len - 1] == '\n';
}

static bool
never (void *data)
{
    (void) data;
    return false;
}

static char *
server_hears (Rig *r)
{
    g_string_truncate (r->heard, 0);
    g_assert_true (hk_harness_run (r->h, has_heard, r, 5000));
    return g_strdup (r->heard->str);
}

static bool
is_knocking (void *data)
{
    struct pollfd poll_fd = {.fd = ((Rig *) data)->listener, .events = POLLIN};
    return poll (&poll_fd, 1, 0) == 1;
}

static void
greet (Rig *r)
{
    g_assert_true (hk_harness_run (r->h, is_knocking, r, 5000));
    r->fd = accept (r->listener, NULL, NULL);
    g_assert_cmpint (r->fd, >=, 0);
    g_autofree char *hello = server_hears (r);
    g_assert_true (g_str_has_prefix (hello, "VERSION\t1\t1\nCPID\t"));
    tell (r, "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tANONYMOUS\tanonymous\n"
             "MECH\tLOGIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n");
}

static void
ask_list (Rig *r)
{
    r->is_done = false;
    r->class->mechanisms_start (r->instance, hk_harness_call (r->h), on_done);
}

static void
wait_done (Rig *r, HkAnswer want)
{
    g_assert_true (hk_harness_run (r->h, is_done, r, 15000));
    g_assert_cmpint (r->answer, ==, want);
}

static void
connect_rig (Rig *r)
{
    ask_list (r);
    greet (r);
    wait_done (r, HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (r->h), ==, "PLAIN LOGIN");
}

static void *
begin (Rig *r, const char *mechanism)
{
    void *exchange = NULL;
    HkAnswer answer =
        r->class->server_begin (r->instance, hk_harness_call (r->h), span (mechanism), &exchange);
    g_assert_cmpint (answer, ==, exchange != NULL ? HK_OK : HK_ABSENT);
    return exchange;
}

static void
step (Rig *r, void *exchange, const char *response)
{
    HkSpan none = {NULL, 0};
    r->is_done = false;
    r->class->server_step_start (exchange, hk_harness_call (r->h),
                                 response == NULL ? none : span (response), on_done);
}

static void
test_exchange (void)
{
    Rig r;
    setup (&r);
    connect_rig (&r);
    g_assert_null (begin (&r, "ANONYMOUS"));
    g_assert_null (begin (&r, "NONE"));
    void *exchange = begin (&r, "PLAIN");
    step (&r, exchange, "ab");
    g_autofree char *one = server_hears (&r);
    g_assert_cmpstr (one, ==,
                     "AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=192.0.2.2\trip=192.0.2.1\t"
                     "resp=YWI=\n");
    tell (&r, "FAIL\t99\tnobody's\nFAIL\t1\tuser=joe\treason=no\n");
    wait_done (&r, HK_ABSENT);
    g_assert_cmpstr (hk_harness_answer (r.h), ==, "joe");
    g_assert_cmpstr (hk_harness_reply_text (r.h), ==, "no");
    r.class->server_end (exchange);

    hk_harness_prop (r.h, HK_PROP_TLS_VERSION, "TLSv1.3");
    exchange = begin (&r, "LOGIN");
    step (&r, exchange, NULL);
    g_autofree char *two = server_hears (&r);
    g_assert_cmpstr (two, ==,
                     "AUTH\t2\tLOGIN\tservice=smtp\tnologin\tlip=192.0.2.2\trip=192.0.2.1\t"
                     "secured\n");
    tell (&r, "CONT\t2\tVXNlcg==\n");
    wait_done (&r, HK_OK);
    g_assert_cmpstr (hk_harness_answer (r.h), ==, "User");
    step (&r, exchange, "");
    g_autofree char *three = server_hears (&r);
    g_assert_cmpstr (three, ==, "CONT\t2\t\n");
    tell (&r, "OK\t2\tuser=joe\n");
    wait_done (&r, HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (r.h), ==, "joe");
    r.class->server_end (exchange);

    /* given up: the server is told, and its late answer is nobody's */
    exchange = begin (&r, "PLAIN");
    step (&r, exchange, "");
    g_autofree char *four = server_hears (&r);
    g_assert_true (g_str_has_suffix (four, "\tresp==\n"));
    r.class->server_end (exchange);
    g_autofree char *five = server_hears (&r);
    g_assert_cmpstr (five, ==, "CANCEL\t3\n");
    tell (&r, "OK\t3\tuser=joe\n");
    hk_harness_run (r.h, never, NULL, 50);
    g_assert_false (r.is_done);
    teardown (&r);
}

/* A request that was not answered when the connection broke goes again over the next; once. */
static void
test_restart (void)
{
    Rig r;
    setup (&r);
    connect_rig (&r);
    void *exchange = begin (&r, "PLAIN");
    step (&r, exchange, "ab");
    g_free (server_hears (&r));
    close (r.fd);
    greet (&r);
    g_autofree char *again = server_hears (&r);
    g_assert_true (g_str_has_suffix (again, "\tresp=YWI=\n"));
    tell (&r, "OK\t2\tuser=joe\n");
    wait_done (&r, HK_FOUND);
    r.class->server_end (exchange);
    exchange = begin (&r, "PLAIN");
    step (&r, exchange, "ab");
    g_free (server_hears (&r));
    close (r.fd);
    greet (&r);
    g_free (server_hears (&r));
    close (r.fd);
    wait_done (&r, HK_LATER);
    g_assert_cmpstr (hk_harness_reason (r.h), ==, "Connection lost to authentication server");
    r.class->server_end (exchange);
    /* after a challenge there is nothing to repeat */
    connect_rig (&r);
    exchange = begin (&r, "LOGIN");
    step (&r, exchange, NULL);
    g_free (server_hears (&r));
    tell (&r, "CONT\t5\t\n");
    wait_done (&r, HK_OK);
    close (r.fd);
    hk_harness_run (r.h, never, NULL, 20);
    step (&r, exchange, "ab");
    wait_done (&r, HK_LATER);
    r.class->server_end (exchange);
    r.fd = -1;
    teardown (&r);
}

static void
test_dead (void)
{
    Rig r;
    setup (&r);
    hang_up (&r);
    ask_list (&r);
    wait_done (&r, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_log (r.h), "Connect: Connection refused"));
    hk_harness_clear_log (r.h);
    ask_list (&r); /* at once: not tried again */
    wait_done (&r, HK_LATER);
    g_assert_cmpstr (hk_harness_log (r.h), ==, "");
    teardown (&r);
}

static void
test_other_servers (void)
{
    static const char *const said[] = {
        "VERSION\t2\t0\nMECH\tPLAIN\nDONE\n",
        "VERSION\t1\t1\nSPID\t1\n",
        "220 mx.example ESMTP\nDONE\n",
    };
    for (size_t i = 0; i < G_N_ELEMENTS (said); i++) {
        Rig r;
        setup (&r);
        ask_list (&r);
        r.fd = accept (r.listener, NULL, NULL);
        g_free (server_hears (&r));
        tell (&r, said[i]);
        wait_done (&r, HK_LATER);
        teardown (&r);
    }
}

/* The list is kept over a connection that is gone; who asks for it does not wait. */
static void
test_list_is_kept (void)
{
    Rig r;
    setup (&r);
    connect_rig (&r);
    hang_up (&r);
    hk_harness_run (r.h, never, NULL, 20);
    ask_list (&r);
    g_assert_true (r.is_done);
    g_assert_cmpint (r.answer, ==, HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (r.h), ==, "PLAIN LOGIN");
    teardown (&r);
}

static void
test_cancelled_list (void)
{
    Rig r;
    setup (&r);
    HkCall *call = hk_harness_call (r.h);
    r.is_done = false;
    r.class->mechanisms_start (r.instance, call, on_done);
    r.class->mechanisms_cancel (r.instance, call);
    greet (&r);
    hk_harness_run (r.h, never, NULL, 50);
    g_assert_false (r.is_done);
    teardown (&r);
}

static void
test_places (void)
{
    static const struct {
        const char *where;
        bool is_ok;
    } cases[] = {
        {"private/auth", true},    {"unix:/run/x", true},      {"inet:127.0.0.1:12345", true},
        {"inet:[::1]:12345", true}, {"inet:localhost:1", true}, {"inet:nowhere", false},
        {"inet:h:0", false},       {"inet::1", false},         {"unix:", false},
        {"inet:h:99999", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (sasl_dovecot));
        hk_harness_set (h, "queue_directory", "/var/spool/x");
        void *instance = hk_harness_open (h, HK_KIND_SASL, "dovecot", cases[i].where);
        g_test_message ("%s: %s", cases[i].where, hk_harness_reason (h));
        g_assert_cmpint (instance != NULL, ==, cases[i].is_ok);
        if (instance != NULL)
            hk_harness_close (h, instance);
        hk_harness_free (h);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/sasl_dovecot/greeting", test_greeting);
    g_test_add_func ("/sasl_dovecot/replies", test_replies);
    g_test_add_func ("/sasl_dovecot/options", test_options);
    g_test_add_func ("/sasl_dovecot/exchange", test_exchange);
    g_test_add_func ("/sasl_dovecot/restart", test_restart);
    g_test_add_func ("/sasl_dovecot/dead", test_dead);
    g_test_add_func ("/sasl_dovecot/other_servers", test_other_servers);
    g_test_add_func ("/sasl_dovecot/list_is_kept", test_list_is_kept);
    g_test_add_func ("/sasl_dovecot/cancelled_list", test_cancelled_list);
    g_test_add_func ("/sasl_dovecot/places", test_places);
    return g_test_run ();
}
