/* test_auth.c: AUTH over a socket pair, with played backends: one that answers at once, one
 * that answers when the test says so, one that blocks. */
#include "config.h"

#include "session/auth_priv.h"
#include "session/session_fakes.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the backends.  Mechanisms: PLAIN ("user password"), LOGIN (asks twice), ANONYMOUS,
 * EXTERNAL.  The password is "ok", "later", "bad" or "odd" (a user name with a line break).
 */

typedef struct {
    bool is_login;
    unsigned n_steps;
    char user[64];
    HkCall *call; /* asynchronous: pending */
    HkSaslDone done;
} Played;

static struct {
    const HkHost *host;
    HkAnswer list;       /* of `mechanisms` */
    unsigned n_begun, n_ended, n_cancelled;
    char options[64], tls[16];
    bool is_held;        /* asynchronous: answers wait in `pending` or `wish` */
    Played *pending;
    HkCall *wish;
    HkSaslDone wish_done;
    HkAnswer answer;
    pthread_mutex_t gate; /* held: blocking calls wait */
} play;

static HkAnswer
play_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out)
{
    (void) conf;
    (void) call;
    play.host = host;
    *out = &play;
    return HK_OK;
}

static void
play_close (void *instance)
{
    (void) instance;
}

static HkAnswer
play_mechanisms (void *instance, HkCall *call)
{
    HkSpan options;
    (void) instance;
    if (play.host->prop (call, HK_PROP_SASL_OPTIONS, &options) == HK_FOUND)
        g_snprintf (play.options, sizeof play.options, "%.*s", HK_SPAN_ARG (options));
    play.host->answer (call, "PLAIN LOGIN ANONYMOUS EXTERNAL", 30);
    return play.list == HK_LATER ? play.host->later (call, "away") : play.list;
}

static HkAnswer
play_begin (void *instance, HkCall *call, HkSpan mechanism, void **out)
{
    (void) instance;
    (void) call;
    Played *self = g_new0 (Played, 1);
    self->is_login = hk_span_is (mechanism, "LOGIN");
    play.n_begun++;
    *out = self;
    return HK_OK;
}

static void
play_end (void *exchange)
{
    play.n_ended++;
    if (play.pending == exchange)
        play.pending = NULL;
    g_free (exchange);
}

static HkAnswer
judge (Played *self, HkCall *call, const char *password)
{
    if (strcmp (password, "later") == 0)
        return play.host->later (call, "away");
    if (strcmp (password, "odd") == 0) {
        play.host->answer (call, "a\r\nb", 4);
        return HK_FOUND;
    }
    play.host->answer (call, self->user, strlen (self->user));
    if (strcmp (password, "ok") == 0)
        return HK_FOUND;
    return play.host->reply (call, HK_ABSENT, 0, NULL, "no, %s", self->user);
}

static HkAnswer
play_step (void *exchange, HkCall *call, HkSpan response)
{
    Played *self = exchange;
    g_autofree char *text = hk_span_dup (response);
    if (self->n_steps++ == 0 && response.data == NULL) {
        play.host->answer (call, self->is_login ? "User:" : "", self->is_login ? 5 : 0);
        return HK_OK;
    }
    if (!self->is_login) {
        char *blank = strchr (text, ' ');
        if (blank != NULL)
            *blank = '\0';
        g_strlcpy (self->user, text, sizeof self->user);
        return judge (self, call, blank != NULL ? blank + 1 : "");
    }
    if (*self->user != '\0')
        return judge (self, call, text);
    g_strlcpy (self->user, text, sizeof self->user);
    play.host->answer (call, "Pass:", 5);
    return HK_OK;
}

static HkAnswer
block_step (void *exchange, HkCall *call, HkSpan response)
{
    pthread_mutex_lock (&play.gate);
    pthread_mutex_unlock (&play.gate);
    return play_step (exchange, call, response);
}

static void
async_mechanisms (void *instance, HkCall *call, HkSaslDone done)
{
    HkAnswer answer = play_mechanisms (instance, call);
    if (!play.is_held) {
        done (call, answer);
        return;
    }
    play.wish = call;
    play.wish_done = done;
    play.answer = answer;
}

static void
async_cancel (void *instance, HkCall *call)
{
    (void) instance;
    g_assert_true (call == play.wish);
    play.wish = NULL;
    play.n_cancelled++;
}

static void
async_step (void *exchange, HkCall *call, HkSpan response, HkSaslDone done)
{
    Played *self = exchange;
    HkAnswer answer = play_step (exchange, call, response);
    if (!play.is_held) {
        done (call, answer);
        return;
    }
    self->call = call;
    self->done = done;
    play.pending = self;
    play.answer = answer;
}

#define CLASS(symbol, word, bits, ...)                                                     \
    static const HkSaslClass symbol = {.base = {.size = sizeof (HkSaslClass),              \
                                                .kind = HK_KIND_SASL,                      \
                                                .class_minor = HK_SASL_MINOR,              \
                                                .name = word,                              \
                                                .flags = bits,                             \
                                                .open = play_open,                         \
                                                .close = play_close},                      \
                                       .server_begin = play_begin,                         \
                                       .server_end = play_end,                             \
                                       __VA_ARGS__}
CLASS (plain_class, "plain", HK_THREAD_SAFE, .mechanisms = play_mechanisms,
       .server_step = play_step);
CLASS (block_class, "block", HK_THREAD_SAFE | HK_MAY_BLOCK, .mechanisms = play_mechanisms,
       .server_step = block_step);
CLASS (async_class, "async", HK_THREAD_SAFE, .mechanisms_start = async_mechanisms,
       .mechanisms_cancel = async_cancel, .server_step_start = async_step);
static const HkClass *const classes[] = {&plain_class.base, &block_class.base,
                                         &async_class.base, NULL};
static const HkPlugin plugin = {.size = sizeof (HkPlugin),
                                .magic = HK_PLUGIN_MAGIC,
                                .abi_major = HK_ABI_MAJOR,
                                .abi_minor = HK_ABI_MINOR,
                                .name = "sasl_played",
                                .version = "1",
                                .licence = "LGPL-2.1-or-later",
                                .summary = "test",
                                .classes = classes};

/* ---- the server
 * ---------------------------------------------------------------------------- */

typedef struct {
    HkLoop *loop;
    HkWorkers *workers;
    HkPlugins *plugins;
    HkSettings *settings;
    HkSessions *sessions;
    HkDialogue *dialogue;
    int fd;
} Fixture;

static void
nothing (void *data)
{
    (void) data;
}

static void
turn (Fixture *f)
{
    hk_loop_post (f->loop, nothing, NULL);
    for (unsigned i = 0; i < 8; i++)
        g_main_context_iteration (hk_loop_context (f->loop), FALSE);
}

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

/* Turns until something is said. */
static char *
await (Fixture *f, int fd)
{
    char *text = hear (fd);
    for (unsigned i = 0; *text == '\0' && i < 5000; i++) {
        g_free (text);
        g_usleep (1000);
        turn (f);
        text = hear (fd);
    }
    return text;
}

static int
connect_client (Fixture *f)
{
    int pair[2];
    g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), ==, 0);
    hk_session_start (f->dialogue, pair[0], NULL, NULL);
    turn (f);
    g_autofree char *greeting = hear (pair[1]);
    g_assert_true (g_str_has_prefix (greeting, "220 "));
    return pair[1];
}

static void
begin (Fixture *f, const char *type, const char *extra)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *text = g_strdup_printf (
        "myhostname = mx.example\nmynetworks = 127.0.0.0/8\nsmtpd_error_sleep_time = 0\n"
        "fast_flush_domains =\nsmtpd_forbidden_commands =\n"
        "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = %s\n%s",
        type, extra);
    memset (&play, 0, sizeof play);
    pthread_mutex_init (&play.gate, NULL);
    play.list = HK_FOUND;
    f->loop = hk_loop_new (&error);
    hk_fakes_init (f->loop);
    f->workers = hk_workers_new (f->loop, 1);
    f->settings = hk_settings_from_text (text, "", &error);
    g_assert_no_error (error);
    f->plugins = hk_plugins_new ("/nonexistent", f->loop, NULL);
    hk_plugins_set_settings (f->plugins, f->settings);
    g_assert_true (hk_plugins_add (f->plugins, &plugin, &error));
    const HkSessionsOptions options = {.loop = f->loop,
                                       .workers = f->workers,
                                       .events = (HkEvents *) (void *) &hk_fakes,
                                       .session_limit = 10};
    f->sessions = hk_sessions_new (&options);
    const HkDialogueOptions d = {
        .service = "smtp", .view = f->settings, .plugins = f->plugins};
    f->dialogue = hk_dialogue_new (f->sessions, &d, &error);
    g_assert_no_error (error);
    f->fd = connect_client (f);
}

static void
end (Fixture *f)
{
    close (f->fd);
    turn (f);
    hk_workers_free (f->workers);
    hk_sessions_free (f->sessions);
    hk_dialogue_free (f->dialogue);
    hk_settings_unref (f->settings);
    hk_plugins_free (f->plugins);
    hk_loop_free (f->loop);
    hk_fakes_clear ();
    g_assert_cmpuint (play.n_begun, ==, play.n_ended);
}

static void
say (Fixture *f, const char *text)
{
    g_assert_cmpint (write (f->fd, text, strlen (text)), ==, (ssize_t) strlen (text));
    turn (f);
}

static void
expect (Fixture *f, const char *text, const char *want)
{
    say (f, text);
    g_autofree char *got = await (f, f->fd);
    g_assert_cmpstr (got, ==, want);
}

#define OK235 "235 2.7.0 Authentication successful\r\n"
#define JOE "am9lIG9r"             /* "joe ok" */
#define JOE_BAD "am9lIGJhZA=="     /* "joe bad" */
#define JOE_LATER "am9lIGxhdGVy"   /* "joe later" */
#define JOE_ODD "am9lIG9kZA=="     /* "joe odd" */

/* ---- pure
 * ------------------------------------------------------------------------------- */

static void
test_base64 (void)
{
    static const struct {
        const char *text;
        int size; /* -1: refused */
    } cases[] = {
        {"", 0},         {"YQ==", 1},      {"YWI=", 2},    {"YWJj", 3},      {"YWJjZA==", 4},
        {"YWI", -1},     {"YWI==", -1},    {"=", -1},      {"==", -1},       {"====", -1},
        {"Y===", -1},    {"YQ==YQ==", -1}, {"YR==", -1},   {"YWJ=", -1},     {"YW J", -1},
        {"YWJj\n", -1},  {"YW-_", -1},     {"YQ=a", -1},   {"+/+/", 3},      {"!!!!", -1},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        uint8_t buffer[64];
        size_t size = 99;
        bool is_ok = hk_auth_decode (hk_span_text (cases[i].text), buffer, &size);
        g_test_message ("%s", cases[i].text);
        g_assert_cmpint (is_ok ? (int) size : -1, ==, cases[i].size);
        if (!is_ok)
            continue;
        g_autofree char *again = g_base64_encode (buffer, size);
        g_assert_cmpstr (again, ==, cases[i].text);
    }
}

static void
test_argument (void)
{
    static const struct {
        const char *text, *mechanism, *initial; /* mechanism NULL: refused */
    } cases[] = {
        {"PLAIN", "PLAIN", NULL},   {"PLAIN =", "PLAIN", "="}, {"PLAIN  YQ== ", "PLAIN", "YQ=="},
        {"", NULL, NULL},           {"PLAIN a b", NULL, NULL}, {"X\ty", "X", "y"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        HkSpan mechanism, initial;
        bool is_ok = hk_auth_parse (hk_span_text (cases[i].text), &mechanism, &initial);
        g_test_message ("%s", cases[i].text);
        g_assert_cmpint (is_ok, ==, cases[i].mechanism != NULL);
        if (!is_ok)
            continue;
        g_assert_true (hk_span_is (mechanism, cases[i].mechanism));
        g_assert_cmpint (initial.data != NULL, ==, cases[i].initial != NULL);
        if (initial.data != NULL)
            g_assert_true (hk_span_is (initial, cases[i].initial));
    }
}

/* ---- sessions
 * --------------------------------------------------------------------------- */

static const char *const types[] = {"plain", "block", "async"};

static void
test_exchanges (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (types); i++) {
        Fixture f;
        begin (&f, types[i], "");
        g_test_message ("%s", types[i]);
        expect (&f, "AUTH PLAIN " JOE_BAD "\r\n",
                "535 5.7.8 Error: authentication failed: no, joe\r\n");
        expect (&f, "AUTH PLAIN " JOE_LATER "\r\n",
                "454 4.7.0 Temporary authentication failure: away\r\n");
        expect (&f, "AUTH PLAIN " JOE_ODD "\r\n",
                "535 5.7.8 Error: authentication failed: unusable user name\r\n");
        expect (&f, "AUTH PLAIN =\r\n", "535 5.7.8 Error: authentication failed: no, \r\n");
        expect (&f, "AUTH PLAIN\r\n", "334 \r\n");
        expect (&f, JOE_BAD "\r\n",
                "535 5.7.8 Error: authentication failed: no, joe\r\n");
        expect (&f, "AUTH LOGIN\r\n", "334 VXNlcjo=\r\n");
        expect (&f, "*\r\n", "501 5.7.0 Authentication aborted\r\n");
        expect (&f, "AUTH LOGIN\r\n", "334 VXNlcjo=\r\n");
        expect (&f, "am9l\r\n", "334 UGFzczo=\r\n");
        expect (&f, "b2s=\r\n", OK235);
        expect (&f, "AUTH PLAIN " JOE "\r\n",
                "503 5.5.1 Error: already authenticated\r\n");
        g_assert_nonnull (strstr (hk_fakes.log->str,
                                  "SASL PLAIN authentication failed: no, joe, "
                                  "sasl_username=joe\n"));
        g_assert_nonnull (strstr (hk_fakes.log->str, "SASL LOGIN authentication aborted\n"));
        end (&f);
        g_assert_cmpuint (play.n_begun, ==, 7);
    }
}

static void
test_offer (void)
{
    static const struct {
        const char *extra, *lines; /* "": no AUTH */
        const char *options;
    } cases[] = {
        {"", "250-AUTH PLAIN LOGIN ANONYMOUS\r\n", "noanonymous"},
        {"broken_sasl_auth_clients = yes\n",
         "250-AUTH PLAIN LOGIN ANONYMOUS\r\n250-AUTH=PLAIN LOGIN ANONYMOUS\r\n",
         "noanonymous"},
        {"smtpd_sasl_mechanism_filter = !login, plain, login, external\n",
         "250-AUTH PLAIN EXTERNAL\r\n", "noanonymous"},
        {"smtpd_sasl_mechanism_filter = nothing\n", "", "noanonymous"},
        {"smtpd_discard_ehlo_keywords = auth\n", "", "noanonymous"},
        {"smtpd_sasl_exceptions_networks = 127.0.0.1\n", "", NULL},
        {"smtpd_sasl_security_options = noplaintext noactive\n",
         "250-AUTH PLAIN LOGIN ANONYMOUS\r\n", "noplaintext noactive"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        Fixture f;
        begin (&f, "async", cases[i].extra);
        say (&f, "EHLO c\r\n");
        g_autofree char *got = await (&f, f.fd);
        g_autofree char *around =
            g_strdup_printf ("250-ETRN\r\n%s250-ENHANCEDSTATUSCODES\r\n", cases[i].lines);
        g_test_message ("%s: %s", cases[i].extra, got);
        g_assert_nonnull (strstr (got, around));
        g_assert_cmpstr (play.options, ==, cases[i].options != NULL ? cases[i].options : "");
        end (&f);
    }
}

static void
test_may_not_come_now (void)
{
    Fixture f;
    begin (&f, "plain", "smtpd_helo_required = yes\nsmtpd_sasl_mechanism_filter = plain\n");
    expect (&f, "AUTH PLAIN " JOE "\r\n", "503 5.5.1 Error: send HELO/EHLO first\r\n");
    expect (&f, "HELO c\r\n", "250 mx.example\r\n");
    expect (&f, "AUTH\r\n", "501 5.5.4 Syntax: AUTH mechanism\r\n");
    expect (&f, "AUTH LOGIN\r\n",
            "535 5.7.8 Error: authentication failed: Invalid authentication mechanism\r\n");
    expect (&f, "AUTH PLAIN a\r\n", "535 5.7.8 Error: authentication failed: Invalid base64 "
                                    "data in initial response\r\n");
    expect (&f, "MAIL FROM:<a@b.example>\r\n", "250 2.1.0 Ok\r\n");
    expect (&f, "AUTH PLAIN " JOE "\r\n",
            "503 5.5.1 Error: MAIL transaction in progress\r\n");
    expect (&f, "RSET\r\n", "250 2.0.0 Ok\r\n");
    expect (&f, "MAIL FROM:<a@b.example> AUTH=<> AUTH=x\r\n",
            "503 5.5.4 Error: multiple AUTH= options\r\n");
    /* input behind a line that ends a group */
    expect (&f, "AUTH PLAIN " JOE "\r\nMAIL FROM:<a@b.example>\r\n",
            "554 5.5.0 Error: SMTP protocol synchronization\r\n<close>");
    close (f.fd);
    f.fd = connect_client (&f);
    expect (&f, "EHLO c\r\nAUTH PLAIN\r\n",
            "554 5.5.0 Error: SMTP protocol synchronization\r\n<close>");
    close (f.fd);
    f.fd = connect_client (&f);
    expect (&f, "HELO c\r\n", "250 mx.example\r\n");
    expect (&f, "AUTH PLAIN\r\n", "334 \r\n");
    expect (&f, JOE "\r\nMAIL FROM:<a@b.example>\r\n",
            "554 5.5.0 Error: SMTP protocol synchronization\r\n<close>");
    end (&f);
}

static void
test_response_limit (void)
{
    Fixture f;
    g_autofree char *most = g_strnfill (12288, 'A'), *more = g_strnfill (100000, 'A');
    g_autofree char *line = g_strconcat (most, "\r\n", NULL);
    g_autofree char *long_line = g_strconcat (most, "A\r\n", NULL);
    begin (&f, "plain", "");
    expect (&f, "AUTH PLAIN\r\n", "334 \r\n");
    say (&f, line);
    g_autofree char *got = await (&f, f.fd);
    g_assert_true (g_str_has_prefix (got, "535 5.7.8 "));
    expect (&f, "AUTH PLAIN\r\n", "334 \r\n");
    expect (&f, long_line, "500 5.5.6 SASL response limit exceeded\r\n");
    expect (&f, "AUTH PLAIN\r\n", "334 \r\n");
    say (&f, more);
    expect (&f, "AAA\r\n", "500 5.5.6 SASL response limit exceeded\r\n");
    expect (&f, "NOOP\r\n", "250 2.0.0 Ok\r\n");
    end (&f);
}

static void
test_properties_and_header (void)
{
    Fixture f;
    begin (&f, "plain", "smtpd_sasl_authenticated_header = yes\n");
    say (&f, "EHLO c\r\n");
    g_free (await (&f, f.fd));
    /* "jo(e ok" */
    expect (&f, "AUTH PLAIN am8oZSBvaw==\r\n", OK235);
    expect (&f, "MAIL FROM:<a@b.example> AUTH=x+40y\r\n", "250 2.1.0 Ok\r\n");
    expect (&f, "RCPT TO:<user@ours.example>\r\n", "250 2.1.5 Ok\r\n");
    expect (&f, "DATA\r\n", "354 End data with <CR><LF>.<CR><LF>\r\n");
    say (&f, "x\r\n.\r\n");
    g_free (await (&f, f.fd));
    const char *content = g_ptr_array_index (hk_fakes.contents, 0);
    g_assert_nonnull (strstr (content, "\t(Authenticated sender: jo?e)\r\n"));
    g_assert_nonnull (strstr (content, " with ESMTPA id "));
    g_assert_nonnull (
        strstr (hk_fakes.log->str, "client method=PLAIN user=jo(e sasl_sender=x+40y\n"));
    end (&f);
}

/* The client goes away while its answer is awaited. */
static void
test_gone_while_asked (void)
{
    Fixture f;
    begin (&f, "async", "");
    play.is_held = true;
    say (&f, "EHLO c\r\n");
    g_assert_nonnull (play.wish);
    hk_session_free (f.sessions->first);
    g_assert_cmpuint (play.n_cancelled, ==, 1);
    play.is_held = false;
    close (f.fd);
    f.fd = connect_client (&f);
    say (&f, "EHLO c\r\n");
    g_free (await (&f, f.fd));
    play.is_held = true;
    say (&f, "AUTH PLAIN " JOE "\r\n");
    /* the list is asked for at each AUTH; it is held as well */
    g_assert_nonnull (play.wish);
    HkCall *call = play.wish;
    play.wish = NULL;
    play.wish_done (call, play.answer);
    g_assert_nonnull (play.pending);
    hk_session_free (f.sessions->first);
    g_assert_null (play.pending);
    end (&f);
}

static void
test_late_answer (void)
{
    Fixture f;
    begin (&f, "async", "");
    say (&f, "EHLO c\r\n");
    g_free (await (&f, f.fd));
    play.is_held = true;
    say (&f, "AUTH PLAIN " JOE "\r\n");
    HkCall *call = play.wish;
    play.wish = NULL;
    play.wish_done (call, play.answer);
    say (&f, "NOOP\r\n"); /* waits its turn */
    g_autofree char *nothing_yet = hear (f.fd);
    g_assert_cmpstr (nothing_yet, ==, "");
    play.is_held = false;
    play.pending->done (play.pending->call, play.answer);
    g_autofree char *got = await (&f, f.fd);
    g_assert_cmpstr (got, ==, OK235 "250 2.0.0 Ok\r\n");
    end (&f);
}

/* A backend that does not answer: 454 after the time limit, and the next AUTH is a new one. */
static void
test_time_limit (void)
{
    Fixture f;
    begin (&f, "async", "smtpd_sasl_timeout = 1s\n");
    play.is_held = true;
    say (&f, "EHLO c\r\n");
    g_autofree char *got = await (&f, f.fd);
    g_assert_null (strstr (got, "AUTH"));
    g_assert_cmpuint (play.n_cancelled, ==, 1);
    play.is_held = false;
    expect (&f, "AUTH PLAIN " JOE "\r\n", OK235);
    end (&f);
}

static void
test_blocked_worker (void)
{
    Fixture f;
    begin (&f, "block", "smtpd_sasl_timeout = 1s\nsmtpd_sasl_worker_threads = 1\n");
    pthread_mutex_lock (&play.gate);
    say (&f, "AUTH PLAIN " JOE "\r\n");
    /* another session works meanwhile */
    int other = connect_client (&f);
    g_assert_cmpint (write (other, "EHLO c\r\n", 8), ==, 8);
    turn (&f);
    g_autofree char *ehlo = hear (other);
    g_assert_nonnull (strstr (ehlo, "250-AUTH PLAIN LOGIN ANONYMOUS\r\n"));
    close (other);
    g_autofree char *got = await (&f, f.fd);
    g_assert_cmpstr (got, ==,
                     "454 4.7.0 Temporary authentication failure: Connection lost to "
                     "authentication server\r\n");
    g_assert_true (hk_sessions_has_held_workers (f.sessions));
    pthread_mutex_unlock (&play.gate);
    expect (&f, "AUTH PLAIN " JOE "\r\n", OK235);
    for (unsigned i = 0; hk_sessions_has_held_workers (f.sessions) && i < 5000; i++) {
        g_usleep (1000);
        turn (&f);
    }
    end (&f);
}

static void
test_no_list (void)
{
    Fixture f;
    begin (&f, "async", "");
    play.list = HK_LATER;
    say (&f, "EHLO c\r\n");
    g_autofree char *got = await (&f, f.fd);
    g_assert_null (strstr (got, "AUTH"));
    expect (&f, "AUTH PLAIN " JOE "\r\n", "454 4.7.0 Temporary authentication failure: Can't "
                                          "connect to authentication server\r\n");
    play.list = HK_FOUND;
    expect (&f, "AUTH PLAIN " JOE "\r\n", OK235);
    end (&f);
}

static void
test_off (void)
{
    Fixture f;
    begin (&f, "plain", "smtpd_sasl_auth_enable = no\n");
    expect (&f, "AUTH PLAIN " JOE "\r\n", "503 5.5.1 Error: authentication not enabled\r\n");
    expect (&f, "MAIL FROM:<a@b.example> AUTH=<>\r\n", "250 2.1.0 Ok\r\n");
    end (&f);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    hk_conf_register (hk_base_params);
    hk_conf_register (hk_host_params);
    hk_conf_register (hk_session_params);
    hk_conf_register (hk_esmtp_params);
    hk_conf_register (hk_auth_params);
    g_test_add_func ("/auth/base64", test_base64);
    g_test_add_func ("/auth/argument", test_argument);
    g_test_add_func ("/auth/exchanges", test_exchanges);
    g_test_add_func ("/auth/offer", test_offer);
    g_test_add_func ("/auth/may_not_come_now", test_may_not_come_now);
    g_test_add_func ("/auth/response_limit", test_response_limit);
    g_test_add_func ("/auth/properties_and_header", test_properties_and_header);
    g_test_add_func ("/auth/gone_while_asked", test_gone_while_asked);
    g_test_add_func ("/auth/late_answer", test_late_answer);
    g_test_add_func ("/auth/time_limit", test_time_limit);
    g_test_add_func ("/auth/blocked_worker", test_blocked_worker);
    g_test_add_func ("/auth/no_list", test_no_list);
    g_test_add_func ("/auth/off", test_off);
    return g_test_run ();
}
