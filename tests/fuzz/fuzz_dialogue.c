/* fuzz_dialogue.c: whole SMTP sessions, every command of the language: AUTH, STARTTLS that cannot be
 * had, BDAT, XCLIENT, XFORWARD and PROXY among them; no socket and no system call.
 *
 * Each reply is well formed, memory that waits is bounded, a session that is not answered times
 * out, and one that was answered takes the next command.  HK_FUZZ_COMMANDS=N ends the run when N
 * commands were counted (what reached the dispatcher; not content, not responses of AUTH), with
 * the check for leaks. */
#include "config.h"

/* access, intake and the lane, played */
#include "session/session_fakes.c"
#include "played_loop.c"
#include "played_sasl.c"

#include <inttypes.h>
#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate (uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator (uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* ---- counting */

static uint64_t n_commands, n_sessions, wanted;

void __real_hk_session_command (HkSession *self, HkSpan line, HkSpan rest);
void __wrap_hk_session_command (HkSession *self, HkSpan line, HkSpan rest);

void
__wrap_hk_session_command (HkSession *self, HkSpan line, HkSpan rest)
{
    n_commands++;
    __real_hk_session_command (self, line, rest);
}

static void
count (void)
{
    static uint64_t next_shown = 1000000;
    if (wanted == 0 || n_commands < MIN (next_shown, wanted))
        return;
    fprintf (stderr, "fuzz_dialogue: %" PRIu64 " commands in %" PRIu64 " sessions\n",
             n_commands, n_sessions);
    next_shown += 1000000;
    if (n_commands < wanted)
        return;
    __lsan_do_leak_check ();
    _exit (0);
}

/* ---- the server */

static HkSessions *sessions;
enum { N_DIALOGUES = 5 };
static HkDialogue *dialogues[N_DIALOGUES];

#define COMMON                                                                             \
    "myhostname = mx.example\nmynetworks =\nfast_flush_domains = example.org\n"            \
    "smtpd_forbid_bare_newline_exclusions =\n"
#define PATIENT                                                                            \
    "smtpd_error_sleep_time = 0\nsmtpd_hard_error_limit = 30000\n"                         \
    "smtpd_forbid_unauth_pipelining = no\nsmtpd_forbidden_commands =\n"
#define EXTENSIONS                                                                         \
    "smtpd_futurerelease_enable = yes\nsmtpd_deliverby_enable = yes\n"                     \
    "smtpd_mt_priority_enable = yes\nsmtpd_requiretls_enable = yes\n"                      \
    "smtpd_binarymime_enable = yes\nsmtpd_authorized_verp_clients = 0.0.0.0/0 [::]/0\n"    \
    "smtpd_mt_priority_clients = 192.0.2.0/24\n"
#define AUTH                                                                               \
    "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = played\n"                             \
    "broken_sasl_auth_clients = yes\nsmtpd_sasl_authenticated_header = yes\n"

static const char *const configs[N_DIALOGUES] = {
    COMMON, /* what is usual: errors have an end */
    COMMON PATIENT AUTH "smtpd_authorized_xclient_hosts = 192.0.2.0/24\n"
                        "smtpd_authorized_xforward_hosts = 192.0.2.0/24\n"
                        "smtpd_client_auth_rate_limit = 10\n",
    COMMON PATIENT AUTH "smtpd_upstream_proxy_protocol = haproxy\n"
                        "smtpd_authorized_xclient_hosts = 0.0.0.0/0 [::]/0\n"
                        EXTENSIONS "smtpd_client_message_rate_limit = 4\n"
                        "smtpd_rate_limits = { client messages 3/1h hold } { sender 2/1h }\n",
    COMMON PATIENT "smtpd_recipient_limit = 3\nline_length_limit = 600\n"
                   "message_size_limit = 500\nsmtpd_forbid_bare_newline = reject\n"
                   "strict_rfc821_envelopes = yes\nstrict_smtputf8 = yes\n"
                   "smtpd_helo_required = yes\nsmtpd_junk_command_limit = 3\n",
    COMMON PATIENT "smtpd_noop_commands = ping\n"
                   "smtpd_reject_footer = \\c. from $client_address\\nfor $rcpt_to\n"
                   "smtpd_discard_ehlo_keywords = chunking\nsmtputf8_enable = no\n"
                   "smtpd_client_port_logging = yes\n"};

static void
open_dialogue (unsigned i, HkSessionTls *tls)
{
    g_autoptr (GError) error = NULL;
    HkDialogueOptions d = {.service = "smtp",
                           .tls = tls,
                           .view = hk_settings_from_text (configs[i], "", NULL),
                           .plugins = hk_plugins_new ("/nonexistent", &played, NULL)};
    hk_plugins_set_settings (d.plugins, d.view);
    g_assert (hk_plugins_add (d.plugins, &played_sasl, NULL));
    dialogues[i] = hk_dialogue_new (sessions, &d, &error);
    g_assert_no_error (error);
    hk_settings_unref (d.view);
}

static bool
flush_site (HkSpan site, void *data)
{
    (void) data;
    return site.size % 2 == 0;
}

static void
prepare (void)
{
    /* STARTTLS is known and cannot be had; in one of them nothing goes without it */
    static HkSessionTls may = {.level = HK_TLS_LEVEL_MAY, .is_auth_only = true};
    static HkSessionTls must = {.level = HK_TLS_LEVEL_ENCRYPT};
    const char *text = getenv ("HK_FUZZ_COMMANDS");
    wanted = text != NULL ? g_ascii_strtoull (text, NULL, 10) : 0;
    hk_conf_register (hk_base_params);
    hk_conf_register (hk_host_params);
    hk_conf_register (hk_session_params);
    hk_conf_register (hk_guard_params);
    hk_conf_register (hk_esmtp_params);
    hk_conf_register (hk_auth_params);
    played_init ();
    hk_fakes_init (&played);
    hk_fakes.keeps_content = false;
    const HkSessionsOptions options = {
        .loop = &played,
        .workers = hk_workers_new (&played, 1),
        .session_limit = 2,
        .rates = hk_rates_open (NULL, 64, hk_loop_clock (&played), NULL),
        .flush_site = flush_site,
        .events = (HkEvents *) (void *) &hk_fakes};
    sessions = hk_sessions_new (&options);
    for (unsigned i = 0; i < N_DIALOGUES; i++)
        open_dialogue (i, i == 3 ? &must : i == 4 ? &may : NULL);
}

/* ---- judging */

/* Of each line that was said: three digits, printable, CRLF.  Returns how many replies ended. */
static unsigned
check_replies (void)
{
    HkSpan rest = hk_span_string (pipe_.output);
    unsigned n = 0;
    while (rest.size > 0) {
        size_t lf = hk_span_find (rest, '\n', 0);
        if (lf == rest.size)
            break;
        g_assert (lf >= 4 && lf < 1024 && rest.data[lf - 1] == '\r');
        for (size_t i = 0; i + 1 < lf; i++)
            g_assert (i < 3 ? g_ascii_isdigit (rest.data[i]) : rest.data[i] >= ' ');
        n += rest.data[3] != '-';
        rest = hk_span_sub (rest, lf + 1, rest.size);
    }
    g_string_erase (pipe_.output, 0, (gssize) (pipe_.output->len - rest.size));
    return n;
}

/* What one session holds for a client, beyond what it was told to keep. */
static void
check_bounds (void)
{
    const HkSession *s = sessions->first;
    if (s == NULL)
        return;
    g_assert (s->rest_size <= HK_SESSION_READ_SIZE);
    g_assert (s->out == NULL || s->out->len < 2 * HK_SESSION_OUT_LIMIT);
    g_assert (s->dns == NULL || hk_fakes.waits);
}

/* ---- a session */

static bool is_slow; /* the client takes little at a time */

/* Until nothing happens any more, but for time. */
static unsigned
settle (void)
{
    unsigned n_replies = 0, n = 0;
    do {
        if (is_slow)
            pipe_.room = 50;
        else
            pipe_.room = SIZE_MAX / 2;
        for (unsigned i = 0; played_turn () || play.call != NULL || hk_fakes.ready != NULL; i++) {
            g_assert (i < 1000000); /* it turns for nothing */
            play_answer ();
            if (hk_fakes.ready != NULL) {
                void (*ready) (void *) = g_steal_pointer (&hk_fakes.ready);
                if (hk_fakes.n_tasks > 0)
                    ready (hk_fakes.ready_data);
            }
            n_replies += check_replies ();
            check_bounds ();
        }
    } while (is_slow && pipe_.room < 50 && ++n < 2000000);
    return n_replies;
}

static void
say (HkSpan text, unsigned *out_replies)
{
    pipe_.input = text;
    unsigned n = settle ();
    if (out_replies != NULL)
        *out_replies = n;
}

/* Time passes, as long as there is something to wait for. */
static void
pass_time (int64_t how_long)
{
    int64_t until = played.clock.steady + how_long;
    while (played.clock.steady < until) {
        played_wait (until);
        settle ();
    }
}

/* A session that waits for a command gets one and answers. */
static void
check_alive (void)
{
    const HkSession *s = sessions->first;
    unsigned n;
    pass_time (20 * HK_SECOND); /* it may be sleeping over an error */
    if (sessions->count == 0 || s->phase != HK_PHASE_COMMAND || s->is_closing)
        return;
    say (HK_SPAN ("\r\n"), &n);
    pass_time (20 * HK_SECOND);
    if (sessions->count == 0 || s->phase != HK_PHASE_COMMAND)
        return;
    say (HK_SPAN ("HELP\r\n"), &n);
    pass_time (20 * HK_SECOND);
    g_assert (sessions->count == 0 || (pipe_.input.size == 0 && !s->is_busy));
}

static void
run_session (HkDialogue *dialogue, HkSpan input, size_t step, bool is_silent)
{
    HkAddress peer, local;
    hk_address_parse_ip (HK_SPAN ("192.0.2.1"), 1025, &peer);
    hk_address_parse_ip (HK_SPAN ("192.0.2.2"), 25, &local);
    pipe_.is_open = true;
    pipe_.is_ended = false;
    pipe_.input = HK_SPAN_NONE;
    n_sessions++;
    hk_session_start (dialogue, PLAYED_FD, &peer, &local);
    settle ();
    for (size_t at = 0; at < input.size && pipe_.is_open; at += step) {
        g_autofree uint8_t *piece = g_memdup2 (input.data + at, MIN (step, input.size - at));
        say (hk_span (piece, MIN (step, input.size - at)), NULL);
        if (pipe_.input.size > 0) /* it sleeps: time enough for it to read all of it */
            for (unsigned i = 0; i < 2000 && pipe_.input.size > 0 && pipe_.is_open; i++)
                pass_time (HK_SECOND);
        pipe_.input = HK_SPAN_NONE;
    }
    if (pipe_.is_open)
        check_alive ();
    if (is_silent) {
        pass_time (3600 * HK_SECOND);
        g_assert (!pipe_.is_open);
    }
    pipe_.is_ended = true;
    settle ();
    if (pipe_.is_open)
        pass_time (3600 * HK_SECOND);
    g_assert (!pipe_.is_open && hk_sessions_count (sessions) == 0);
    g_assert (played.watch == NULL && play.n_exchanges == 0 && play.call == NULL);
    g_assert (hk_fakes.n_tasks == 0 && played.hooks == NULL);
    g_string_truncate (pipe_.output, 0);
    g_string_truncate (hk_fakes.log, 0);
    g_ptr_array_set_size (hk_fakes.contents, 0);
    g_ptr_array_set_size (hk_fakes.envelopes, 0);
}

enum { HEAD = 3, MOST = 60000 }; /* which server, how large the pieces, how it behaves */

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (sessions == NULL)
        prepare ();
    if (size < HEAD || size > MOST)
        return 0;
    HkSpan input = hk_span (data + HEAD, size - HEAD);
    size_t step = data[1] == 0 ? MAX (input.size, 1) : data[1];
    play.is_late = (data[2] & 1) != 0;
    hk_fakes.may_block = (data[2] & 2) != 0;
    hk_fakes.waits = (data[2] & 4) != 0;
    hk_fakes.result = (data[2] & 8) ? 451 : 250;
    hk_fakes.refuses_clients = (data[2] & 48) == 48;
    hk_fakes.is_full = (data[2] & 96) == 96;
    is_slow = (data[2] & 144) == 144;
    /* long inputs in small pieces would only cost time */
    run_session (dialogues[data[0] % N_DIALOGUES], input, MAX (step, input.size / 64),
                 (data[2] & 64) != 0);
    count ();
    return 0;
}

/* ---- making inputs: lines of the language beside libFuzzer's own ideas */

static const char *const lines[] = {
    "EHLO client.example", "HELO x", "EHLO [192.0.2.1]", "MAIL FROM:<a@b.example>",
    "MAIL FROM:<>", "MAIL FROM:<spam@x.example>", "MAIL FROM:<late@x.example>",
    "MAIL FROM:<a@b.example> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=a+2Bb",
    "MAIL FROM:<a@b.example> BODY=BINARYMIME", "MAIL FROM:<a@b.example> AUTH=<>",
    "MAIL FROM:<a@b.example> AUTH=a+3Db@c SMTPUTF8", "MAIL FROM:<@r,@s:a@b.example>",
    "MAIL FROM:<\"a b\\\"\"@b.example>", "MAIL FROM:<b\xc3\xa9@b.example> SMTPUTF8",
    "RCPT TO:<c@d.example>", "RCPT TO:<c@d.example>", "RCPT TO:<x@elsewhere.example>",
    "RCPT TO:<x@later.example>", "RCPT TO:<bye@d.example>", "RCPT TO:<trash@d.example>",
    "RCPT TO:<hold@d.example>", "RCPT TO:<prepend@d.example>", "RCPT TO:<wait@d.example>",
    "RCPT TO:<nap@d.example>", "RCPT TO:<postmaster>",
    "RCPT TO:<c@d.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c+40d", "DATA", "DATA",
    "Subject: x\r\n\r\n..dots\r\n.", ".", ".\n", "\n.\r", "BDAT 10\r\n0123456789",
    "BDAT 5 LAST\r\nabc\r\n", "BDAT 0 LAST", "BDAT 99999999999999999999",
    "BDAT 4294967296 LAST", "BDAT 600\r\nxxxxxxxxxxxxxxxx", "RSET", "NOOP", "NOOP x",
    "QUIT", "HELP", "VRFY c@d.example", "VRFY <c@d.example> SMTPUTF8", "ETRN example.org",
    "ETRN @sub.example.org", "AUTH PLAIN AGEAYg==", "AUTH LOGIN", "AUTH X", "AUTH X =",
    "AUTH X AQ==", "AUTH X AmFiY2Q=", "AUTH PLAIN AA==", "AUTH PLAIN Aw==", "AUTH PLAIN BA==",
    "*", "AA==", "AQ==", "AmFiYw==", "=", "STARTTLS", "STARTTLS", "STARTTLS x",
    "XCLIENT NAME=a.example ADDR=192.0.2.9 PORT=7 PROTO=ESMTP HELO=h",
    "XCLIENT ADDR=IPV6:2001:db8::1 REVERSE_NAME=[TEMPUNAVAIL]",
    "XCLIENT LOGIN=joe+20x DESTADDR=192.0.2.3 DESTPORT=25", "XCLIENT LOGIN=[UNAVAILABLE]",
    "XFORWARD NAME=a.example ADDR=192.0.2.9 SOURCE=REMOTE IDENT=x", "XFORWARD PROTO=SMTP",
    "XFORWARD HELO=+00 PORT=99999", "PROXY TCP4 192.0.2.5 192.0.2.6 1 25", "PROXY UNKNOWN",
    "PROXY TCP6 ::1 ::2 1 65535",
    "GET / HTTP/1.0", "Received: x", "ping", "\xff\xfe", "", "MAIL", "RCPT TO:", "DATA x",
};

static uint32_t
next_random (uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* PROXY, version 2: no line. */
static const uint8_t proxy_header[28] = {
    0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11,
    0x00, 0x0c, 192,  0,    2,    7,    192,  0,    2,    8,    0,    1,    0,    25};

static size_t
make_line (uint8_t *out, uint32_t *random)
{
    const char *line = lines[next_random (random) % G_N_ELEMENTS (lines)];
    unsigned end = next_random (random) % 32;
    size_t size = strlen (line);
    memcpy (out, line, size);
    if (end == 0 && size > 0) /* a byte of it is another one */
        out[next_random (random) % size] = (uint8_t) next_random (random);
    if (end == 3) {
        memcpy (out, proxy_header, sizeof proxy_header);
        return sizeof proxy_header;
    }
    if (end == 1) {
        out[size++] = '\n';
    } else if (end != 2) {
        out[size++] = '\r';
        out[size++] = '\n';
    }
    return size;
}

/* Where a line of DATA begins, by chance. */
static size_t
some_line (const uint8_t *data, size_t size, uint32_t *random)
{
    size_t from = HEAD + next_random (random) % (size - HEAD + 1);
    while (from < size && from > HEAD && data[from - 1] != '\n')
        from++;
    return from;
}

size_t
LLVMFuzzerCustomMutator (uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint32_t random = seed;
    uint8_t line[256];
    if (size < HEAD || next_random (&random) % 4 == 0)
        return LLVMFuzzerMutate (data, size, max_size);
    if (next_random (&random) % 8 == 0)
        data[next_random (&random) % HEAD] = (uint8_t) next_random (&random);
    for (unsigned n = 1 + next_random (&random) % 12; n > 0; n--) {
        size_t at = some_line (data, size, &random), gone = 0;
        size_t have = make_line (line, &random);
        const uint8_t *lf = memchr (data + at, '\n', size - at);
        switch (next_random (&random) % 6) {
        case 0: /* in place of another */
            gone = lf != NULL ? (size_t) (lf - data) + 1 - at : size - at;
            break;
        case 1: /* one goes */
            gone = lf != NULL ? (size_t) (lf - data) + 1 - at : size - at;
            have = 0;
            break;
        default:
            break;
        }
        if (size - gone + have > max_size)
            break;
        memmove (data + at + have, data + at + gone, size - at - gone);
        memcpy (data + at, line, have);
        size += have - gone;
    }
    return size;
}
