/* test_guard.c: sessions that begin with a PROXY header, and limits of their clients. */
#include "config.h"

#include "session/session_fakes.h"
#include "session/session_priv.h"

#include <sys/socket.h>
#include <unistd.h>

#define HEADER "PROXY TCP4 192.0.2.1 192.0.2.2 1000 25\r\n"

typedef struct {
    HkLoop *loop;
    HkRates *rates;
    HkSettings *settings;
    HkSessions *sessions;
    HkDialogue *dialogue;
} Fixture;

static void
setup (Fixture *f, const char *main_cf)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *text =
        g_strconcat ("myhostname = mx.example\nsmtpd_upstream_proxy_protocol = haproxy\n"
                     "smtpd_error_sleep_time = 0\n",
                     main_cf, NULL);
    f->loop = hk_loop_new (&error);
    g_assert_no_error (error);
    hk_fakes_init (f->loop);
    f->settings = hk_settings_from_text (text, "", &error);
    g_assert_no_error (error);
    f->rates = hk_rates_open (NULL, 64, hk_loop_clock (f->loop), &error);
    g_assert_no_error (error);
    const HkSessionsOptions options = {.loop = f->loop,
                                       .rates = f->rates,
                                       .events = (HkEvents *) (void *) &hk_fakes,
                                       .session_limit = 20};
    f->sessions = hk_sessions_new (&options);
    const HkDialogueOptions dialogue = {.service = "smtp", .view = f->settings};
    f->dialogue = hk_dialogue_new (f->sessions, &dialogue, &error);
    g_assert_no_error (error);
}

static void
teardown (Fixture *f)
{
    hk_sessions_free (f->sessions);
    hk_dialogue_free (f->dialogue);
    hk_rates_free (f->rates);
    hk_settings_unref (f->settings);
    hk_loop_free (f->loop);
    hk_fakes_clear ();
}

static void
nothing (void *data)
{
    (void) data;
}

static void
turn (Fixture *f)
{
    hk_loop_post (f->loop, nothing, NULL);
    for (unsigned i = 0; i < 6; i++)
        g_main_context_iteration (hk_loop_context (f->loop), FALSE);
}

static int
connect_client (Fixture *f)
{
    int pair[2];
    g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), ==, 0);
    hk_session_start (f->dialogue, pair[0], NULL, NULL);
    turn (f);
    return pair[1];
}

/* All that is said in answer to TEXT; "<close>" at the end of the session. */
static char *
say (Fixture *f, int fd, const char *text)
{
    GString *out = g_string_new (NULL);
    char buffer[4096];
    ssize_t n = write (fd, text, strlen (text));
    g_assert_cmpint (n, ==, (ssize_t) strlen (text));
    turn (f);
    while ((n = read (fd, buffer, sizeof buffer)) > 0)
        g_string_append_len (out, buffer, n);
    if (n == 0)
        g_string_append (out, "<close>");
    return g_string_free (out, FALSE);
}

static void
expect (Fixture *f, int fd, const char *text, const char *want)
{
    g_autofree char *got = say (f, fd, text);
    g_test_message ("said %s heard %s", text, got);
    g_assert_true (g_str_has_prefix (got, want));
    g_assert_cmpint (*want == '\0', ==, *got == '\0');
}

/* In pieces and all at once, with and without the client's first words behind it. */
static void
test_proxy (void)
{
    Fixture f;
    setup (&f, "");
    for (size_t step = 1; step <= strlen (HEADER); step++) {
        int fd = connect_client (&f);
        for (size_t at = 0; at < strlen (HEADER); at += step) {
            g_autofree char *piece = g_strndup (&HEADER[at], step);
            bool is_last = at + step >= strlen (HEADER);
            expect (&f, fd, piece, is_last ? "220 mx.example" : "");
        }
        g_assert_cmpstr (f.sessions->first->client_address, ==, "192.0.2.1");
        g_assert_cmpuint (f.sessions->first->client_port, ==, 1000);
        g_assert_cmpstr (f.sessions->first->server_address, ==, "192.0.2.2");
        close (fd);
        turn (&f);
    }
    int fd = connect_client (&f);
    g_autofree char *got = say (&f, fd, HEADER "NOOP\r\n");
    g_assert_nonnull (strstr (got, "220 mx.example"));
    g_assert_nonnull (strstr (got, "\r\n250 2.0.0 Ok\r\n"));
    close (fd);
    fd = connect_client (&f);
    expect (&f, fd, "EHLO x\r\n", "421 4.3.0 mx.example Server local error\r\n<close>");
    close (fd);
    teardown (&f);
}

/* Who has not yet said whom he speaks for is told as well when the process ends. */
static void
test_proxy_drain (void)
{
    Fixture f;
    setup (&f, "");
    int fd = connect_client (&f);
    hk_sessions_drain (f.sessions);
    expect (&f, fd, "", "421 4.3.2 mx.example Server shutting down\r\n<close>");
    g_assert_cmpuint (hk_sessions_count (f.sessions), ==, 0);
    close (fd);
    teardown (&f);
}

static int
client (Fixture *f)
{
    int fd = connect_client (f);
    expect (f, fd, HEADER, "220 ");
    return fd;
}

static void
test_connections (void)
{
    Fixture f;
    setup (&f, "smtpd_client_connection_count_limit = 2\n");
    int first = client (&f), second = client (&f), third = connect_client (&f);
    expect (&f, third, HEADER,
            "421 4.7.0 mx.example Error: too many connections from 192.0.2.1\r\n<close>");
    g_assert_nonnull (strstr (hk_fakes.log->str,
                              "Connection concurrency limit exceeded: 3 from "
                              "unknown[192.0.2.1] for service smtp"));
    close (first);
    turn (&f);
    close (client (&f));
    close (second);
    close (third);
    teardown (&f);

    setup (&f, "smtpd_client_connection_rate_limit = 1\n");
    close (client (&f));
    turn (&f);
    first = connect_client (&f);
    expect (&f, first, HEADER, "421 4.7.0 mx.example Error: too many connections from");
    close (first);
    teardown (&f);
}

/* Before syntax, as Postfix has it. */
static void
test_mail (void)
{
    Fixture f;
    setup (&f, "smtpd_client_message_rate_limit = 1\n"
               "smtpd_client_recipient_rate_limit = 1\n");
    int fd = client (&f);
    expect (&f, fd, "MAIL FROM:<a@b.example>\r\n", "250 ");
    expect (&f, fd, "RCPT TO:<u@here.example>\r\n", "250 ");
    expect (&f, fd, "RCPT nonsense\r\n",
            "450 4.7.1 Error: too many recipients from 192.0.2.1\r\n");
    expect (&f, fd, "RSET\r\n", "250 ");
    expect (&f, fd, "MAIL nonsense\r\n",
            "450 4.7.1 Error: too much mail from 192.0.2.1\r\n");
    close (fd);
    teardown (&f);
}

/* What AUTH and STARTTLS ask before they go on. */
static void
test_auth_and_tls (void)
{
    Fixture f;
    setup (&f, "smtpd_client_auth_rate_limit = 1\n"
               "smtpd_client_new_tls_session_rate_limit = 1\n");
    int fd = client (&f);
    HkSession *session = f.sessions->first;
    g_assert_false (hk_guard_refuses_auth (session));
    g_assert_true (hk_guard_refuses_auth (session));
    expect (&f, fd, "NOOP\r\n", "450 4.7.1 Error: too many AUTH commands from 192.0.2.1");
    hk_guard_count_new_tls (session);
    g_assert_false (hk_guard_refuses_tls (session, false));
    hk_guard_count_new_tls (session);
    g_assert_true (hk_guard_refuses_tls (session, false));
    expect (&f, fd, "NOOP\r\n", "454 4.7.0 Error: too many new TLS sessions from 192.0.2.1");
    g_assert_true (hk_guard_refuses_tls (session, true));
    expect (&f, fd, "NOOP\r\n",
            "421 4.7.0 mx.example Error: too many new TLS sessions from 192.0.2.1");
    close (fd);
    teardown (&f);
}

/* Nearly full: impatient; emptier again: patient. */
static void
test_stress (void)
{
    Fixture f;
    int fds[18];
    setup (&f, "smtpd_client_connection_count_limit = 0\n");
    int64_t calm_us = f.dialogue->timeout_us;
    for (unsigned i = 0; i < 18; i++) {
        g_assert_cmpint (f.dialogue->timeout_us, ==, calm_us);
        fds[i] = client (&f);
    }
    g_assert_cmpint (f.dialogue->timeout_us, ==, 10 * HK_SECOND);
    g_assert_cmpuint (f.dialogue->hard_error_limit, ==, 1);
    g_assert_cmpint (f.sessions->first->deadline_us, <=,
                     hk_session_now (f.sessions->first) + 10 * HK_SECOND);
    for (unsigned i = 0; i < 18; i++) {
        close (fds[i]);
        turn (&f);
        g_assert_cmpint (f.dialogue->timeout_us, ==, i < 3 ? 10 * HK_SECOND : calm_us);
    }
    teardown (&f);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    hk_conf_register (hk_base_params);
    hk_conf_register (hk_session_params);
    hk_conf_register (hk_guard_params);
    hk_conf_register (hk_esmtp_params);
    g_test_add_func ("/guard/proxy", test_proxy);
    g_test_add_func ("/guard/proxy-drain", test_proxy_drain);
    g_test_add_func ("/guard/connections", test_connections);
    g_test_add_func ("/guard/mail", test_mail);
    g_test_add_func ("/guard/auth-and-tls", test_auth_and_tls);
    g_test_add_func ("/guard/stress", test_stress);
    return g_test_run ();
}
