/* test_session.c: whole conversations over a socket pair; access and intake are played. */
#include "config.h"

#include "session/session_fakes.h"

#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    HkLoop *loop;
    HkWorkers *workers;
    HkSettings *settings;
    HkSessions *sessions;
    HkDialogue *dialogue;
    int fd; /* the client's end */
    unsigned n_queued, n_drained;
} Fixture;

static void
on_queued (const HkIntakeOutcome *outcome, void *data)
{
    (void) outcome;
    ((Fixture *) data)->n_queued++;
}

static void
on_drained (void *data)
{
    ((Fixture *) data)->n_drained++;
}

/* Hooks of a turn run when something happens in it: sessions begin and end inside of one.
 */
static void
nothing (void *data)
{
    (void) data;
}

static int
connect_client (Fixture *f)
{
    int pair[2];
    g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), ==, 0);
    hk_session_start (f->dialogue, pair[0], NULL, NULL);
    hk_loop_post (f->loop, nothing, NULL);
    return pair[1];
}

static void
setup (Fixture *f, const char *main_cf)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *text =
        g_strconcat ("myhostname = mx.example\nmail_name = Test\n", main_cf, NULL);
    f->loop = hk_loop_new (&error);
    g_assert_no_error (error);
    hk_fakes_init (f->loop);
    f->workers = hk_workers_new (f->loop, 2);
    f->settings = hk_settings_from_text (text, "", &error);
    g_assert_no_error (error);
    const HkSessionsOptions options = {.loop = f->loop,
                                       .workers = f->workers,
                                       .events = (HkEvents *) (void *) &hk_fakes,
                                       .session_limit = 3,
                                       .queued = on_queued,
                                       .drained = on_drained,
                                       .data = f};
    f->sessions = hk_sessions_new (&options);
    const HkDialogueOptions dialogue = {.service = "smtp", .view = f->settings};
    f->dialogue = hk_dialogue_new (f->sessions, &dialogue, &error);
    g_assert_no_error (error);
    f->fd = -1;
}

static void
teardown (Fixture *f)
{
    if (f->fd >= 0)
        close (f->fd);
    hk_workers_free (f->workers);
    hk_sessions_free (f->sessions);
    hk_dialogue_free (f->dialogue);
    hk_settings_unref (f->settings);
    hk_loop_free (f->loop);
    hk_fakes_clear ();
}

/* Let the loop turn until what was said has been worked on. */
static void
turn (Fixture *f)
{
    for (unsigned i = 0; i < 12; i++) {
        while (hk_workers_pending (f->workers) > 0)
            g_main_context_iteration (hk_loop_context (f->loop), TRUE);
        g_main_context_iteration (hk_loop_context (f->loop), FALSE);
    }
}

/* What the server has said; "<close>" at the end when it hung up. */
static char *
hear (int fd)
{
    GString *out = g_string_new (NULL);
    char buffer[65536];
    ssize_t n;
    while ((n = read (fd, buffer, sizeof buffer)) > 0)
        g_string_append_len (out, buffer, n);
    if (n == 0)
        g_string_append (out, "<close>");
    return g_string_free (out, FALSE);
}

static void
say (Fixture *f, const char *text, size_t size)
{
    g_assert_cmpint (write (f->fd, text, size), ==, (ssize_t) size);
    turn (f);
}

/* Say TEXT in one write; the answer's lines must begin with the words of WANT ("250 250
 * 354",
 * "-" for a hang-up at the end). */
static void
expect (Fixture *f, const char *text, const char *want)
{
    say (f, text, strlen (text));
    g_autofree char *got = hear (f->fd);
    g_autoptr (GString) codes = g_string_new (NULL);
    g_auto (GStrv) lines = g_strsplit (got, "\r\n", -1);
    for (char **l = lines; *l != NULL; l++) {
        if (strcmp (*l, "<close>") == 0)
            g_string_append (codes, " -");
        else if (strlen (*l) >= 4 && (*l)[3] == ' ')
            g_string_append_printf (codes, " %.3s", *l);
    }
    g_test_message ("said %s heard %s", text, got);
    g_assert_cmpstr (codes->len > 0 ? codes->str + 1 : "", ==, want);
}

static void
begin (Fixture *f, const char *main_cf)
{
    setup (f, main_cf);
    f->fd = connect_client (f);
    turn (f);
    g_autofree char *greeting = hear (f->fd);
    g_assert_cmpstr (greeting, ==, "220 mx.example ESMTP Test\r\n");
}

#define MAIL "MAIL FROM:<s@example.org>\r\n"
#define RCPT "RCPT TO:<u@here.example>\r\n"

static void
test_message (void)
{
    Fixture f = {0};
    begin (&f, "");
    say (&f, "EHLO client.example\r\n", 21);
    g_autofree char *ehlo = hear (f.fd);
    g_assert_cmpstr (ehlo, ==,
                     "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-VRFY\r\n"
                     "250-ETRN\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n"
                     "250-SMTPUTF8\r\n250 CHUNKING\r\n");
    expect (&f, MAIL RCPT "RCPT TO:<x@elsewhere.example>\r\nDATA\r\n", "250 250 554 354");
    say (&f, "Subject: x\r\n\r\n..hi\r\n.\r\nQUIT\r\n", 29);
    g_autofree char *end = hear (f.fd);
    g_assert_true (g_str_has_prefix (end, "250 2.0.0 Ok: queued as "));
    g_assert_true (g_str_has_suffix (end, "\r\n221 2.0.0 Bye\r\n<close>"));
    g_assert_cmpuint (f.n_queued, ==, 1);
    g_assert_cmpstr (g_ptr_array_index (hk_fakes.envelopes, 0), ==,
                     "s@example.org|0|u@here.example:0:");
    const char *content = g_ptr_array_index (hk_fakes.contents, 0);
    g_assert_true (g_str_has_prefix (content, "Received: from client.example (localhost"));
    g_assert_nonnull (strstr (content, "with ESMTP"));
    g_assert_true (g_str_has_suffix (content, "\r\nSubject: x\r\n\r\n.hi\r\n"));
    g_assert_nonnull (strstr (
        hk_fakes.log->str, "reject status=reject stage=RCPT text=554 5.7.1 Relay access "
                           "denied from=s@example.org to=x@elsewhere.example proto=ESMTP "
                           "helo=client.example\n"));
    g_assert_nonnull (strstr (hk_fakes.log->str,
                              "disconnect text=ehlo=1 mail=1 rcpt=1/2 data=1 quit=1 "
                              "commands=5/6\n"));
    g_assert_cmpuint (hk_sessions_count (f.sessions), ==, 0);
    teardown (&f);
}

/* Conversations in short: what is said, the codes that come back. */
typedef struct {
    const char *name, *main_cf;
    const char *steps[24]; /* said, codes, said, codes, … */
} Talk;

static const Talk talks[] = {
    {"probe sender", /* its mail is taken whatever the restrictions say */
     "",
     {"EHLO c\r\n", "250", MAIL, "250", "RCPT TO:<x@elsewhere.example>\r\n", "554",
      "RCPT TO:<probe2x@ours.test>\r\n", "250"}},
    {"sequence", "", {RCPT,       "503", "DATA\r\n", "503",      "EHLO c\r\n",
                      "250",      MAIL,  "250",      MAIL,       "503",
                      "DATA\r\n", "554", RCPT,       "250",      "EHLO c\r\n",
                      "250",      RCPT,  "503",      "RSET\r\n", "250"}},
    {"arguments",
     "",
     {"HELO\r\n",
      "501",
      "EHLO \r\n",
      "501",
      "RSET x\r\n",
      "501",
      "NOOP x\r\n",
      "250",
      "VRFY\r\n",
      "501",
      "VRFY <postmaster>\r\n",
      "252",
      "HELP\r\n",
      "214",
      "\r\n",
      "500",
      "STARTTLS\r\n",
      "502",
      "FOO\r\n",
      "500",
      "ETRN here.example\r\n",
      "459"}},
    {"data-argument",
     "",
     {"EHLO c\r\n", "250", MAIL RCPT, "250 250", "DATA now\r\n", "501", "NOOP\r\n", "250"}},
    {"helo-required",
     "smtpd_helo_required = yes\n",
     {MAIL, "503", "HELO c\r\n", "250", MAIL, "250"}},
    {"no-vrfy", "disable_vrfy_command = yes\n", {"VRFY a\r\n", "502"}},
    {"http", "", {"POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO c\r\n", "221 -"}},
    {"header", "", {"Host: x\r\n", "221 -"}},
    {"quit-pipelined", "", {"EHLO c\r\n", "250", "QUIT\r\nNOOP\r\n", "554 -"}},
    {"ehlo-pipelined", "", {"EHLO c\r\n" MAIL, "554 -"}},
    {"helo-pipelines", "", {"HELO c\r\n", "250", MAIL RCPT, "554 -"}},
    {"pipelining-allowed",
     "smtpd_forbid_unauth_pipelining = no\n",
     {"EHLO c\r\n" MAIL, "250 250"}},
    {"bare-cr", "", {"NOOP a\rRSET\r\n", "500", "NOOP\r\n", "250"}},
    {"bare-lf", "", {"RSET\nRSET\r\n", "554 -"}},
    {"bare-lf-esmtp", "", {"EHLO c\n", "250", "RSET\nRSET\r\n", "250 250"}},
    {"bare-lf-reject",
     "smtpd_forbid_bare_newline = reject\n",
     {"EHLO c\r\n", "250", MAIL RCPT "DATA\r\n", "250 250 354", "a\nb\r\n.\r\n", "550 -"}},
    {"discard",
     "",
     {"EHLO c\r\n", "250", MAIL "RCPT TO:<trash@here.example>\r\nDATA\r\n", "250 250 354",
      "x\r\n.\r\n", "250", RCPT, "503"}},
    {"disconnect",
     "",
     {"EHLO c\r\n", "250", MAIL "RCPT TO:<bye@x.example>\r\n", "250 421 -"}},
    {"mail-refused",
     "",
     {"EHLO c\r\n", "250", "MAIL FROM:<spam@x.example>\r\n", "554", RCPT, "503", MAIL,
      "250"}},
    {"chunks",
     "",
     {"EHLO c\r\n", "250", MAIL RCPT "BDAT 3\r\na\r\nBDAT 4 LAST\r\n.\r\nb",
      "250 250 250 250", MAIL, "250"}},
    {"chunk-swallowed",
     "",
     {"EHLO c\r\n", "250", "BDAT 12 LAST\r\nRSET\r\nQUIT\r\n", "503", "NOOP\r\n", "250"}},
    {"chunk-no-recipient",
     "",
     {"EHLO c\r\n", "250", MAIL "BDAT 4\r\nQUITBDAT 2 LAST\r\nxy", "250 554 554", MAIL,
      "250"}},
    {"chunk-then-data",
     "",
     {"EHLO c\r\n", "250", MAIL RCPT "BDAT 1\r\nx", "250 250 250", "DATA\r\n", "503", RCPT,
      "503", "RSET\r\n", "250"}},
    {"chunk-bad", "", {"EHLO c\r\n", "250", MAIL RCPT "BDAT -1\r\n", "250 250 521 -"}},
    {"chunk-too-large",
     "message_size_limit = 10\n",
     {"EHLO c\r\n", "250", MAIL RCPT "BDAT 11\r\n01234567890", "250 250 552", "BDAT 1\r\nx",
      "551", "BDAT 0 LAST\r\n", "551", MAIL, "250"}},
    {"recipient-limit",
     "smtpd_recipient_limit = 2\nsmtpd_recipient_overshoot_limit = 1\n",
     {"EHLO c\r\n", "250", MAIL RCPT RCPT RCPT RCPT, "250 250 250 452 452", "NOOP\r\n",
      "250"}},
    {"hard-errors",
     "smtpd_hard_error_limit = 2\n",
     {"FOO\r\n", "500", "FOO\r\n", "500 421 -"}},
    {"junk",
     "smtpd_junk_command_limit = 2\nsmtpd_hard_error_limit = 1\n",
     {"NOOP\r\n", "250", "NOOP\r\n", "250", "NOOP\r\n", "250", "NOOP\r\n", "250 421 -"}},
    {"soft-bounce",
     "soft_bounce = yes\n",
     {"FOO\r\n", "400", "RCPT TO:<a@b.c>\r\n", "403", "BDAT x\r\n", "421 -"}},
    {"bad-utf8", "", {"NOOP \xe9\r\n", "500", "NOOP \xc3\xa9\r\n", "250"}},
    {"blank-before-colon", "", {"MAIL FROM :<a@b.c>\r\n", "501"}},
    {"utf8-domain",
     "",
     {"EHLO c\r\n", "250", "MAIL FROM:<a@\xc3\xa9.c>\r\n", "501",
      "MAIL FROM:<a@\xc3\xa9.c> SMTPUTF8\r\n", "250"}},
    {"no-chunking",
     "smtpd_discard_ehlo_keywords = chunking\n",
     {"EHLO c\r\n", "250", "BDAT 0 LAST\r\n", "521 -"}},
    {"no-dsn",
     "smtpd_discard_ehlo_keywords = dsn, size\n",
     {"EHLO c\r\n", "250", "MAIL FROM:<a@b.c> RET=FULL\r\n", "501",
      "MAIL FROM:<a@b.c> SIZE=5\r\n", "250"}},
    {"keywords-without-values",
     "",
     {"EHLO c\r\n", "250", "MAIL FROM:<a@b.c> SIZE\r\n", "555",
      "MAIL FROM:<a@b.c> ENVID\r\n", "555"}},
};

static void
test_talk (const void *data)
{
    const Talk *talk = data;
    for (unsigned worker = 0; worker < 2; worker++) {
        Fixture f = {0};
        begin (&f, talk->main_cf);
        hk_fakes.may_block = worker == 1;
        for (unsigned i = 0; talk->steps[i] != NULL; i += 2)
            expect (&f, talk->steps[i], talk->steps[i + 1]);
        teardown (&f);
    }
}

/* The client's bytes one at a time come to the same. */
static void
test_byte_by_byte (void)
{
    Fixture f = {0};
    static const char all[] = "EHLO c\r\n" MAIL RCPT "DATA\r\nSubject: s\r\n\r\nx\r\n.\r\n";
    begin (&f, "");
    for (const char *p = all; *p != '\0'; p++)
        say (&f, p, 1);
    g_autofree char *got = hear (f.fd);
    g_assert_nonnull (strstr (got, "354 "));
    g_assert_nonnull (strstr (got, "queued as"));
    g_assert_cmpuint (f.n_queued, ==, 1);
    teardown (&f);
}

static void
test_long_line (void)
{
    Fixture f = {0};
    begin (&f, "");
    g_autofree char *fill = g_strnfill (1 << 16, 'x');
    expect (&f, "EHLO c\r\nNOOP ", "554 -"); /* input behind EHLO */
    close (f.fd);
    f.fd = connect_client (&f);
    turn (&f);
    expect (&f, "NOOP ", "220");
    for (unsigned i = 0; i < 16; i++)
        expect (&f, fill, "");
    expect (&f, "QUIT\r\n", "500");
    expect (&f, "NOOP\r\n", "250");
    teardown (&f);
}

/* A smuggled envelope stays part of the first message. */
static void
test_smuggling (void)
{
    static const char *const ends[] = {"\n.\n",   "\n.\r\n",       "\r\n.\n",    "\r.\r",
                                       "\r\n.\r", "\r\r\n.\r\r\n", "\r\n.\r\r\n"};
    for (size_t i = 0; i < G_N_ELEMENTS (ends); i++) {
        Fixture f = {0};
        begin (&f, "");
        expect (&f, "EHLO c\r\n", "250");
        expect (&f, MAIL RCPT "DATA\r\n", "250 250 354");
        g_autofree char *text = g_strconcat (
            "first", ends[i], MAIL RCPT "DATA\r\nsecond\r\n.\r\nQUIT\r\n", NULL);
        expect (&f, text, "250 221 -");
        g_assert_cmpuint (f.n_queued, ==, 1);
        teardown (&f);
    }
}

static void
test_lost (void)
{
    Fixture f = {0};
    begin (&f, "");
    expect (&f, "EHLO c\r\n", "250");
    expect (&f, MAIL RCPT "DATA\r\nabc\r\n.", "250 250 554 -");
    close (f.fd);
    f.fd = connect_client (&f);
    turn (&f);
    g_free (hear (f.fd));
    expect (&f, "EHLO c\r\n", "250");
    expect (&f, MAIL RCPT "DATA\r\n", "250 250 354");
    expect (&f, "abc\r\n.\r", "");
    close (f.fd);
    f.fd = -1;
    turn (&f);
    g_assert_cmpuint (f.n_queued, ==, 0);
    g_assert_cmpuint (hk_fakes.n_abandoned, ==, 1);
    g_assert_nonnull (strstr (hk_fakes.log->str, "lost connection after DATA (7 bytes)"));
    g_assert_cmpuint (hk_sessions_count (f.sessions), ==, 0);
    teardown (&f);
}

static void
test_store_fails (void)
{
    Fixture f = {0};
    begin (&f, "");
    hk_fakes.result = 451;
    expect (&f, "EHLO c\r\n", "250");
    expect (&f, MAIL RCPT "DATA\r\n", "250 250 354");
    expect (&f, "x\r\n.\r\n", "451");
    hk_fakes.is_full = true;
    expect (&f, MAIL, "452");
    g_assert_cmpuint (f.n_queued, ==, 0);
    teardown (&f);
}

static void
test_refused_client (void)
{
    Fixture f = {0};
    setup (&f, "");
    hk_fakes.refuses_clients = true;
    f.fd = connect_client (&f);
    turn (&f);
    expect (&f, "", "554");
    expect (&f, "EHLO c\r\n", "503");
    expect (&f, "QUIT\r\n", "221 -");
    teardown (&f);
}

static void
test_session_limit (void)
{
    Fixture f = {0};
    int fds[3];
    begin (&f, "");
    for (unsigned i = 0; i < 3; i++)
        fds[i] = connect_client (&f);
    turn (&f);
    g_autofree char *last = hear (fds[2]);
    g_assert_true (g_str_has_prefix (last, "421 4.3.2 "));
    g_assert_true (g_str_has_suffix (last, "<close>"));
    for (unsigned i = 0; i < 3; i++)
        close (fds[i]);
    teardown (&f);
}

/* Idle sessions are told to go, a transaction may end first. */
static void
test_drain (void)
{
    Fixture f = {0};
    begin (&f, "");
    int idle = connect_client (&f);
    turn (&f);
    g_free (hear (idle));
    expect (&f, "EHLO c\r\n", "250");
    expect (&f, MAIL RCPT, "250 250");
    hk_sessions_drain (f.sessions);
    hk_loop_post (f.loop, nothing, NULL);
    turn (&f);
    g_autofree char *told = hear (idle);
    g_assert_true (g_str_has_prefix (told, "421 4.3.2 "));
    g_assert_true (g_str_has_suffix (told, "<close>"));
    g_assert_cmpuint (f.n_drained, ==, 0);
    expect (&f, "DATA\r\n", "354");
    expect (&f, "x\r\n.\r\n", "250 421 -");
    g_assert_cmpuint (f.n_drained, ==, 1);
    g_assert_cmpuint (f.n_queued, ==, 1);
    close (idle);
    teardown (&f);
}

/* A client that sends thousands of commands and reads late gets every reply. */
static void
test_backpressure (void)
{
    enum { N = 20000 };
    Fixture f = {0};
    unsigned n_replies = 0;
    begin (&f, "smtpd_junk_command_limit = 30000\n");
    expect (&f, "EHLO c\r\n", "250");
    g_autoptr (GString) batch = g_string_new (NULL);
    for (unsigned i = 0; i < N; i++)
        g_string_append (batch, "RSET\r\n");
    gint64 end = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;
    for (size_t sent = 0; n_replies < N && g_get_monotonic_time () < end;) {
        ssize_t n = write (f.fd, batch->str + sent, batch->len - sent);
        sent += n > 0 ? (size_t) n : 0;
        turn (&f);
        g_autofree char *got = hear (f.fd);
        for (const char *p = got; *p != '\0'; p++)
            n_replies += *p == '\n';
    }
    g_assert_cmpuint (n_replies, ==, N);
    teardown (&f);
}

static void
test_actions (void)
{
    Fixture f = {0};
    begin (&f, "");
    expect (&f, "EHLO c\r\n", "250");
    expect (
        &f,
        "MAIL FROM:<> BODY=8BITMIME RET=HDRS\r\nRCPT TO:<hold@x.example> NOTIFY=DELAY\r\n"
        "RCPT TO:<prepend@x.example>\r\nDATA\r\n",
        "250 250 250 354");
    expect (&f, "x\r\n.\r\n", "250");
    g_autofree char *want = g_strdup_printf (
        "|%u|hold@x.example:%u:,prepend@x.example:0:",
        HK_ENVELOPE_BODY_8BIT | HK_ENVELOPE_RET_HDRS | HK_ENVELOPE_HOLD, HK_NOTIFY_DELAY);
    g_assert_cmpstr (g_ptr_array_index (hk_fakes.envelopes, 0), ==, want);
    const char *content = g_ptr_array_index (hk_fakes.contents, 0);
    g_assert_true (
        g_str_has_prefix (content, "X-Seen: a  X-Injected: b\r\nReceived: from "));
    /* smtpd_end_of_data_restrictions come after intake has its copy of the envelope */
    expect (&f, "MAIL FROM:<late@x.example>\r\nRCPT TO:<a@x.example>\r\nDATA\r\n",
            "250 250 354");
    expect (&f, "x\r\n.\r\n", "250");
    g_assert_cmpuint (hk_fakes.end_flags, ==, HK_ENVELOPE_HOLD);
    teardown (&f);
}

/* The deadline is for the whole command: bytes that trickle in do not move it. */
/* A restriction waits for somebody: this session reads no further, others go on. */
static void
test_wait (void)
{
    for (int blocks = 0; blocks < 2; blocks++) {
        Fixture f = {0};
        begin (&f, "");
        hk_fakes.waits = true;
        hk_fakes.may_block = blocks == 1;
        expect (&f, "EHLO c\r\n", "250");
        expect (&f, MAIL "RCPT TO:<wait@here.example>\r\n" RCPT "NOOP\r\n", "250");
        int first = f.fd;
        f.fd = connect_client (&f);
        turn (&f);
        g_autofree char *greeting = hear (f.fd);
        g_assert_true (g_str_has_prefix (greeting, "220 "));
        expect (&f, "EHLO d\r\n", "250");
        expect (&f, MAIL RCPT, "250 250");
        close (f.fd);
        f.fd = first;
        hk_fakes.ready (hk_fakes.ready_data);
        expect (&f, "QUIT\r\n", "250 250 250 221 -");
        g_assert_cmpuint (hk_fakes.n_tasks, ==, 0);
        teardown (&f);
    }
}

static void
test_sleep (void)
{
    Fixture f = {0};
    begin (&f, "");
    hk_fakes.waits = true;
    expect (&f, "EHLO c\r\n", "250");
    expect (&f, MAIL "RCPT TO:<nap@here.example>\r\nQUIT\r\n", "250 250 221 -");
    g_assert_cmpuint (hk_fakes.n_tasks, ==, 0);
    teardown (&f);
}

/* The process ends while a session waits: the check is cancelled. */
static void
test_wait_cancelled (void)
{
    Fixture f = {0};
    begin (&f, "");
    hk_fakes.waits = true;
    expect (&f, "EHLO c\r\n", "250");
    expect (&f, MAIL "RCPT TO:<wait@here.example>\r\n", "250");
    g_assert_cmpuint (hk_fakes.n_tasks, ==, 1);
    hk_sessions_free (f.sessions);
    g_assert_cmpuint (hk_fakes.n_tasks, ==, 0);
    const HkSessionsOptions options = {.loop = f.loop, .workers = f.workers};
    f.sessions = hk_sessions_new (&options);
    teardown (&f);
}

/* The client has gone while a worker looked at its session. */
static void
test_lost_on_worker (void)
{
    Fixture f = {0};
    begin (&f, "");
    expect (&f, "EHLO c\r\n", "250");
    hk_fakes.may_block = true;
    g_assert_cmpint (write (f.fd, "RSET\r\n" MAIL, 6 + sizeof MAIL - 1), >, 0);
    close (f.fd);
    f.fd = -1;
    turn (&f);
    g_assert_cmpuint (hk_sessions_count (f.sessions), ==, 0);
    teardown (&f);
}

static void
test_timeout (void)
{
    Fixture f = {0};
    begin (&f, "smtpd_timeout = 1s\n");
    gint64 end = g_get_monotonic_time () + 3 * G_USEC_PER_SEC;
    g_autoptr (GString) got = g_string_new (NULL);
    while (g_get_monotonic_time () < end && strstr (got->str, "<close>") == NULL) {
        if (write (f.fd, "N", 1) < 0)
            break;
        g_main_context_iteration (hk_loop_context (f.loop), TRUE);
        turn (&f);
        g_autofree char *more = hear (f.fd);
        g_string_append (got, more);
    }
    g_assert_true (
        g_str_has_prefix (got->str, "421 4.4.2 mx.example Error: timeout exceeded"));
    g_assert_nonnull (strstr (hk_fakes.log->str, "timeout after CONNECT"));
    teardown (&f);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    hk_conf_register (hk_base_params);
    hk_conf_register (hk_session_params);
    hk_conf_register (hk_esmtp_params);
    hk_conf_register (hk_auth_params);
    g_test_add_func ("/session/message", test_message);
    for (size_t i = 0; i < G_N_ELEMENTS (talks); i++) {
        g_autofree char *path = g_strconcat ("/session/talk/", talks[i].name, NULL);
        g_test_add_data_func (path, &talks[i], test_talk);
    }
    g_test_add_func ("/session/byte-by-byte", test_byte_by_byte);
    g_test_add_func ("/session/long-line", test_long_line);
    g_test_add_func ("/session/smuggling", test_smuggling);
    g_test_add_func ("/session/lost", test_lost);
    g_test_add_func ("/session/store-fails", test_store_fails);
    g_test_add_func ("/session/refused-client", test_refused_client);
    g_test_add_func ("/session/limit", test_session_limit);
    g_test_add_func ("/session/drain", test_drain);
    g_test_add_func ("/session/backpressure", test_backpressure);
    g_test_add_func ("/session/actions", test_actions);
    g_test_add_func ("/session/timeout", test_timeout);
    g_test_add_func ("/session/wait", test_wait);
    g_test_add_func ("/session/wait-cancelled", test_wait_cancelled);
    g_test_add_func ("/session/sleep", test_sleep);
    g_test_add_func ("/session/lost-on-worker", test_lost_on_worker);
    return g_test_run ();
}
