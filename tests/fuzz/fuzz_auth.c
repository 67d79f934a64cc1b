/* fuzz_auth.c: AUTH: its argument, base64, and sessions with a played backend that answers by
 * what it is sent, at once or a little later. */
#include "config.h"

#include "session/auth_priv.h"
/* access, intake and the lane, played */
#include "session/session_fakes.c"
#include "played_sasl.c"

#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* ---- pure
 * ------------------------------------------------------------------------------- */

static void
check_decode (HkSpan text)
{
    g_autofree uint8_t *bytes = g_malloc (text.size / 4 * 3 + 1);
    size_t size;
    HkSpan mechanism, initial;
    if (hk_auth_parse (text, &mechanism, &initial))
        g_assert (mechanism.size > 0 && mechanism.size + initial.size <= text.size);
    if (!hk_auth_decode (text, bytes, &size))
        return;
    g_autofree char *again = g_base64_encode (bytes, size);
    g_assert (hk_span_is (text, again));
}

/* ---- sessions
 * ---------------------------------------------------------------------------- */

static HkLoop *loop;
static HkSessions *sessions;
static HkDialogue *dialogue;

static void
prepare (void)
{
    static const char conf[] =
        "smtpd_error_sleep_time = 0\nmyhostname = mx.example\nmynetworks =\n"
        "fast_flush_domains =\nsmtpd_forbidden_commands =\nsmtpd_sasl_auth_enable = yes\n"
        "smtpd_sasl_type = played\nbroken_sasl_auth_clients = yes\n"
        "smtpd_hard_error_limit = 30000\nsmtpd_forbid_unauth_pipelining = no\n"
        "smtpd_forbid_bare_newline_exclusions =\nsmtpd_sasl_authenticated_header = yes\n";
    g_autoptr (GError) error = NULL;
    hk_conf_register (hk_base_params);
    hk_conf_register (hk_host_params);
    hk_conf_register (hk_session_params);
    hk_conf_register (hk_esmtp_params);
    hk_conf_register (hk_auth_params);
    loop = hk_loop_new (NULL);
    hk_fakes_init (loop);
    hk_fakes.keeps_content = false;
    const HkSessionsOptions options = {
        .loop = loop, .session_limit = 10, .events = (HkEvents *) (void *) &hk_fakes};
    sessions = hk_sessions_new (&options);
    HkDialogueOptions d = {.service = "smtp",
                           .view = hk_settings_from_text (conf, "", NULL),
                           .plugins = hk_plugins_new ("/nonexistent", loop, NULL)};
    hk_plugins_set_settings (d.plugins, d.view);
    g_assert (hk_plugins_add (d.plugins, &played_sasl, NULL));
    dialogue = hk_dialogue_new (sessions, &d, &error);
    g_assert_no_error (error);
}

static void
nothing (void *data)
{
    (void) data;
}

static void
turn (void)
{
    hk_loop_post (loop, nothing, NULL);
    for (unsigned i = 0; i < 3; i++)
        g_main_context_iteration (hk_loop_context (loop), FALSE);
    play_answer ();
}

/* Every line the server says is a reply line. */
static void
check_replies (int fd)
{
    uint8_t buffer[65536];
    ssize_t n;
    while ((n = read (fd, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < n; i++)
            g_assert ((buffer[i] >= ' ' && buffer[i] != 0x7f) || buffer[i] == '\r' ||
                      buffer[i] == '\n');
}

static void
run_session (HkSpan input, size_t step)
{
    int pair[2];
    if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
        return;
    hk_session_start (dialogue, pair[0], NULL, NULL);
    turn ();
    for (size_t at = 0; at < input.size; at += step) {
        HkSpan piece = hk_span_sub (input, at, step);
        if (send (pair[1], piece.data, piece.size, MSG_NOSIGNAL) < 0)
            break;
        turn ();
        check_replies (pair[1]);
    }
    close (pair[1]);
    for (unsigned i = 0; i < 20 && hk_sessions_count (sessions) > 0; i++)
        turn ();
    g_assert (hk_sessions_count (sessions) == 0);
    g_assert (play.n_exchanges == 0 && play.call == NULL);
    g_string_truncate (hk_fakes.log, 0);
    g_ptr_array_set_size (hk_fakes.contents, 0);
    g_ptr_array_set_size (hk_fakes.envelopes, 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (loop == NULL)
        prepare ();
    if (size < 2 || size > 60000)
        return 0;
    HkSpan input = hk_span (data + 2, size - 2);
    check_decode (input);
    play.is_late = (data[0] & 1) != 0;
    size_t step = data[1] == 0 ? MAX (input.size, 1) : data[1];
    run_session (input, MAX (step, input.size / 64));
    return 0;
}
