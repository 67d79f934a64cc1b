/* fuzz_smtp.c: the SMTP dialogue: content is judged by a naive model of it, and whole
 * sessions run against played restrictions and a played store. */
#include "config.h"

#include "session/content.h"
/* access, intake and the lane, played */
#include "session/session_fakes.c"

#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* ---- content ----------------------------------------------------------------------------
 */

static void
put (HkSpan bytes, void *data)
{
    hk_string_append (data, bytes);
}

/* Where <CR><LF>.<CR><LF> ends; -1: nowhere.  The data begin behind a line end. */
static gssize
find_end (HkSpan input)
{
    if (input.size >= 3 && memcmp (input.data, ".\r\n", 3) == 0)
        return 3;
    const uint8_t *hit = memmem (input.data, input.size, "\r\n.\r\n", 5);
    return hit == NULL ? -1 : (gssize) (hit - input.data) + 5;
}

static void
check_content (HkSpan input, size_t step, bool is_stuffed)
{
    g_autoptr (GString) out = g_string_new (NULL);
    HkContent content;
    size_t taken = 0;
    hk_content_begin (&content, is_stuffed);
    while (taken < input.size && !content.is_complete) {
        HkSpan piece = hk_span_sub (input, taken, step);
        taken += hk_content_feed (&content, piece, put, out);
    }
    gssize end = is_stuffed ? find_end (input) : -1;
    g_assert (content.is_complete == (end >= 0));
    g_assert (end < 0 || (gssize) taken == end);
    if (!content.is_complete)
        hk_content_end (&content, put, out);
    /* canonical: no CR or LF but in pairs, whole lines */
    for (size_t i = 0; i < out->len; i++) {
        g_assert (out->str[i] != '\n' || (i > 0 && out->str[i - 1] == '\r'));
        g_assert (out->str[i] != '\r' || (i + 1 < out->len && out->str[i + 1] == '\n'));
    }
    g_assert (out->len == 0 || out->str[out->len - 1] == '\n' || (is_stuffed && end < 0));
}

/* ---- sessions ---------------------------------------------------------------------------
 */

static HkLoop *loop;
static HkSessions *sessions;
enum { N_DIALOGUES = 3 };
static HkDialogue *dialogues[N_DIALOGUES];

static void
prepare (void)
{
    static const char *const configs[] = {
        "smtpd_error_sleep_time = 0\nmyhostname = mx.example\nsmtpd_recipient_limit = 3\n"
        "smtpd_futurerelease_enable = yes\nsmtpd_deliverby_enable = yes\n"
        "smtpd_mt_priority_enable = yes\nsmtpd_requiretls_enable = yes\n"
        "smtpd_binarymime_enable = yes\n",
        "smtpd_error_sleep_time = 0\nmyhostname = mx.example\nline_length_limit = 600\n"
        "smtpd_forbid_unauth_pipelining = no\nmessage_size_limit = 500\n"
        "smtpd_forbid_bare_newline = reject\nsmtpd_hard_error_limit = 30000\n"
        "strict_rfc821_envelopes = yes\nstrict_smtputf8 = yes\n",
        "smtpd_error_sleep_time = 0\nmyhostname = mx.example\n"
        "smtpd_upstream_proxy_protocol = haproxy\n"
        "smtpd_rate_limits = { client messages 3/1h hold } { sender 2/1h }\n"};
    hk_conf_register (hk_base_params);
    hk_conf_register (hk_session_params);
    hk_conf_register (hk_guard_params);
    hk_conf_register (hk_esmtp_params);
    hk_conf_register (hk_auth_params);
    loop = hk_loop_new (NULL);
    hk_fakes_init (loop);
    hk_fakes.keeps_content = false;
    const HkSessionsOptions options = {
        .loop = loop,
        .session_limit = 10,
        .rates = hk_rates_open (NULL, 64, hk_loop_clock (loop), NULL),
        .events = (HkEvents *) (void *) &hk_fakes};
    sessions = hk_sessions_new (&options);
    for (unsigned i = 0; i < N_DIALOGUES; i++) {
        const HkDialogueOptions d = {.service = "smtp",
                                     .view = hk_settings_from_text (configs[i], "", NULL)};
        dialogues[i] = hk_dialogue_new (sessions, &d, NULL);
        hk_settings_unref (d.view);
    }
}

static void
nothing (void *data)
{
    (void) data;
}

static void
turn (void)
{
    hk_loop_post (loop, nothing, NULL); /* a turn's hooks run when something happens in it */
    for (unsigned i = 0; i < 3; i++)
        g_main_context_iteration (hk_loop_context (loop), FALSE);
}

/* Every line the server says is a reply line: three digits, printable, CRLF. */
static void
check_replies (int fd, GString *said)
{
    char buffer[65536];
    ssize_t n;
    while ((n = read (fd, buffer, sizeof buffer)) > 0)
        g_string_append_len (said, buffer, n);
    HkSpan rest = hk_span_string (said);
    while (rest.size > 0) {
        size_t lf = hk_span_find (rest, '\n', 0);
        if (lf == rest.size)
            break;
        g_assert (lf >= 5 && lf < 512 && rest.data[lf - 1] == '\r');
        for (size_t i = 0; i + 1 < lf; i++)
            g_assert (i < 3 ? g_ascii_isdigit (rest.data[i])
                            : rest.data[i] >= ' ' && rest.data[i] != 0x7f);
        rest = hk_span_sub (rest, lf + 1, rest.size);
    }
    g_string_erase (said, 0, (gssize) (said->len - rest.size));
}

static void
run_session (HkDialogue *dialogue, HkSpan input, size_t step)
{
    int pair[2];
    g_autoptr (GString) said = g_string_new (NULL);
    if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
        return;
    hk_session_start (dialogue, pair[0], NULL, NULL);
    turn ();
    for (size_t at = 0; at < input.size; at += step) {
        HkSpan piece = hk_span_sub (input, at, step);
        if (send (pair[1], piece.data, piece.size, MSG_NOSIGNAL) < 0)
            break;
        turn ();
        check_replies (pair[1], said);
    }
    close (pair[1]);
    for (unsigned i = 0; i < 10 && hk_sessions_count (sessions) > 0; i++)
        turn ();
    g_assert (hk_sessions_count (sessions) == 0);
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
    size_t step = data[1] == 0 ? MAX (input.size, 1) : data[1];
    if (data[0] & 1) {
        check_content (input, step, (data[0] & 2) != 0);
        return 0;
    }
    hk_fakes.result = (data[0] & 8) ? 451 : 250;
    /* long inputs in small pieces would only cost time */
    run_session (dialogues[(data[0] >> 1) % N_DIALOGUES], input, MAX (step, input.size / 64));
    return 0;
}
