/* session.c: the life of one session: bytes in and out, time, begin and end. */
#include "config.h"
#include "session/session_priv.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_event (HkFdWatch *watch, unsigned events);

int64_t
hk_session_now (const HkSession *self)
{
    return hk_loop_now_us (self->dialogue->sessions->options.loop);
}

static HkLoop *
loop_of (const HkSession *self)
{
    return self->dialogue->sessions->options.loop;
}

/* ---- end --------------------------------------------------------------------------------
 */

void
hk_session_free (HkSession *self)
{
    HkSessions *sessions = self->dialogue->sessions;
    hk_report_disconnect (self);
    if (self->is_asking_name)
        hk_resolver_cancel (sessions->options.resolver, self);
    hk_session_cancel_check (self);
    hk_dns_memo_free (self->dns);
    hk_fd_watch_detach (&self->watch);
    hk_timer_disarm (&self->timer);
    for (size_t i = 0; i < G_N_ELEMENTS (self->postponed); i++)
        if (self->postponed[i] != NULL)
            g_string_free (self->postponed[i], TRUE);
    hk_loop_cancel_turn_end (sessions->options.loop, &self->hook);
    if (self->tls != NULL)
        hk_tls_close (self->tls);
    close (self->fd);
    g_clear_pointer (&self->tls, hk_tls_free);
    hk_session_reset (self);
    hk_session_forget_forward (self);
    hk_screen_end (self, false);
    hk_guard_disconnect (self);
    hk_auth_forget (self);
    if (self->out != NULL)
        hk_sessions_give_out (sessions, self->out);
    g_free (self->rest);
    g_free (self->asked);
    g_free (self->helo);
    g_free (self->client_name);
    g_free (self->client_reverse);
    g_free (self->xclient_login);
    hk_sessions_forget (sessions, self);
    g_free (self);
}

static void
lose (HkSession *self, const char *what)
{
    if (!self->is_closing)
        hk_report_lost (self, what);
    self->is_closing = true;
    if (!self->is_on_worker) {
        hk_session_free (self);
        return;
    }
    /* A worker looks at it: hk_session_resume ends it. */
    self->is_lost = true;
    if (self->out != NULL)
        hk_sessions_give_out (self->dialogue->sessions, g_steal_pointer (&self->out));
    self->is_stuck = false;
    hk_fd_watch_detach (&self->watch);
}

/* ---- output -----------------------------------------------------------------------------
 */

/* All that was gathered goes out with one write; false: the session is gone. */
static bool
flush (HkSession *self)
{
    if (self->out == NULL || self->is_delayed || self->is_lost)
        return true;
    size_t left = self->out->len - self->out_sent;
    ssize_t n = hk_session_write (self, self->out->str + self->out_sent, left);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        lose (self, "lost connection");
        return false;
    }
    self->out_sent += n > 0 ? (size_t) n : 0;
    if (self->out_sent < self->out->len) {
        if (!self->is_stuck)
            hk_session_set_deadline (self, self->dialogue->timeout_us);
        self->is_stuck = true;
        if (self->watch.loop == NULL)
            hk_loop_attach (loop_of (self), &self->watch, self->fd, HK_LOOP_WRITE, on_event,
                            self, NULL);
        hk_fd_watch_events (&self->watch, HK_LOOP_WRITE);
        return true;
    }
    hk_sessions_give_out (self->dialogue->sessions, self->out);
    self->out = NULL;
    if (self->is_closing) {
        hk_session_free (self);
        return false;
    }
    if (self->phase == HK_PHASE_TLS && self->tls == NULL) {
        hk_session_begin_tls (self);
        return false; /* it goes on by itself */
    }
    return true;
}

/* What was held back because too much output had gathered goes on when all of it is out. */
static void
at_turn_end (void *data)
{
    HkSession *self = data;
    bool was_stuck = self->is_stuck;
    if (!flush (self) || !was_stuck || self->out != NULL)
        return;
    self->is_stuck = false;
    hk_session_resume (self);
}

/* ---- input ------------------------------------------------------------------------------
 */

static bool
can_read (const HkSession *self)
{
    return !self->is_busy && !self->is_delayed && !self->is_closing && !self->is_stuck &&
           self->phase != HK_PHASE_NAMES && self->phase != HK_PHASE_TLS &&
           self->phase != HK_PHASE_PROXY && self->phase != HK_PHASE_SCREEN;
}

/* Between two commands: is the client still welcome? */
static bool
is_welcome (HkSession *self)
{
    HkDialogue *d = self->dialogue;
    if (self->phase != HK_PHASE_COMMAND)
        return true;
    if (self->n_errors >= d->hard_error_limit) {
        hk_report_lost (self, "too many errors");
        hk_session_hang_up (self, 421, "4.7.0", "%s Error: too many errors", d->myhostname);
        return false;
    }
    if (d->sessions->is_draining && self->tx == NULL) {
        hk_session_hang_up (self, 421, "4.3.2", "%s Server shutting down", d->myhostname);
        return false;
    }
    return true;
}

/* One command line from the front of INPUT; returns what was taken, 0: the line is not
 * whole yet. */
static size_t
take_line (HkSession *self, HkSpan input)
{
    size_t lf = hk_span_find (input, '\n', 0);
    bool is_whole = lf < input.size;
    size_t taken = is_whole ? lf + 1 : input.size;

    if (self->is_skipping || lf > self->dialogue->line_limit) {
        self->is_skipping = !is_whole;
        if (is_whole) {
            self->last_verb = HK_VERB_UNKNOWN;
            self->n_all[HK_VERB_UNKNOWN]++;
            hk_session_refuse (self, 500, "5.5.2", "Error: line too long");
            hk_session_expect_command (self);
        }
        return taken;
    }
    if (!is_whole)
        return 0;
    size_t size = lf > 0 && input.data[lf - 1] == '\r' ? lf - 1 : lf;
    hk_session_expect_command (self);
    self->is_bare_line = lf == size;
    hk_session_command (self, hk_span (input.data, size),
                        hk_span_sub (input, taken, input.size));
    return taken;
}

static void
keep_rest (HkSession *self, HkSpan rest)
{
    self->rest_size = (uint32_t) rest.size;
    if (rest.size == 0)
        return;
    self->rest = g_malloc (rest.size);
    memcpy (self->rest, rest.data, rest.size);
}

/* Work on INPUT, which does not lie in self->rest; what cannot be used now is kept. */
static void
process (HkSession *self, HkSpan input)
{
    while (can_read (self) && is_welcome (self) && input.size > 0) {
        size_t taken = self->phase == HK_PHASE_COMMAND ? take_line (self, input)
                       : self->phase == HK_PHASE_AUTH  ? hk_auth_input (self, input)
                                                       : hk_session_content (self, input);
        if (taken == 0)
            break;
        input = hk_span_sub (input, taken, input.size);
        if (self->out != NULL && self->out->len > HK_SESSION_OUT_LIMIT && !self->is_stuck)
            self->is_stuck = true; /* the turn's end writes and clears it */
    }
    /* What came in clear behind STARTTLS must not be taken for something inside TLS. */
    if (self->is_closing || self->phase == HK_PHASE_TLS)
        input = HK_SPAN_NONE;
    keep_rest (self, input);
}

static void read_input (HkSession *self);

/* The kept input, then what comes: called when nothing stands in the way any more. */
static void
go_on (HkSession *self)
{
    uint8_t *rest = g_steal_pointer (&self->rest);
    size_t size = self->rest_size;
    self->rest_size = 0;
    process (self, hk_span (rest, size));
    g_free (rest);
    if (!can_read (self))
        return;
    if (self->watch.loop == NULL && !hk_session_watch (self, HK_LOOP_READ))
        lose (self, "lost connection");
    else if (self->tls != NULL && hk_tls_has_pending (self->tls))
        read_input (self);
}

bool
hk_session_watch (HkSession *self, unsigned events)
{
    return hk_loop_attach (loop_of (self), &self->watch, self->fd, events, on_event, self,
                           NULL);
}

void
hk_session_resume (HkSession *self)
{
    if (self->is_lost) {
        if (!self->is_on_worker)
            hk_session_free (self);
        return;
    }
    if (self->phase == HK_PHASE_COMMAND)
        hk_session_expect_command (self);
    if (!self->is_busy && !self->is_delayed && !self->is_stuck)
        go_on (self);
}

/* One read, and the work on it; false: the session is gone, or there was nothing. */
static bool
read_once (HkSession *self)
{
    uint8_t *buffer = self->dialogue->sessions->buffer;
    size_t have = self->rest_size;

    if (have > 0)
        memcpy (buffer, self->rest, have);
    ssize_t n = hk_session_read (self, buffer + have, HK_SESSION_READ_SIZE - have);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        lose (self, "lost connection");
        return false;
    }
    g_clear_pointer (&self->rest, g_free);
    self->rest_size = 0;
    process (self, hk_span (buffer, have + (size_t) n));
    return true;
}

static void
read_input (HkSession *self)
{
    while (read_once (self) && self->tls != NULL && can_read (self) &&
           hk_tls_has_pending (self->tls))
        ;
}

static void
on_event (HkFdWatch *watch, unsigned events)
{
    HkSession *self = watch->data;

    if (self->phase == HK_PHASE_TLS && self->tls != NULL) {
        hk_session_shake (self);
        return;
    }
    if (self->is_stuck && (events & HK_LOOP_WRITE) && self->out != NULL) {
        self->is_stuck = false;
        if (!flush (self) || self->is_stuck)
            return;
        hk_fd_watch_events (&self->watch, HK_LOOP_READ);
        hk_session_resume (self);
        return;
    }
    if (self->phase == HK_PHASE_PROXY && !self->is_closing)
        hk_session_read_proxy (self);
    else if (self->phase == HK_PHASE_SCREEN)
        hk_screen_read (self);
    else if (can_read (self))
        read_input (self);
    else
        /* Not now; a hang-up would be reported for ever, so nothing is watched meanwhile.
         */
        hk_fd_watch_detach (&self->watch);
}

/* ---- time -------------------------------------------------------------------------------
 */

void
hk_session_set_deadline (HkSession *self, int64_t delay_us)
{
    self->deadline_us = hk_session_now (self) + delay_us;
    if (!hk_timer_is_armed (&self->timer) || self->timer.due_us > self->deadline_us)
        if (!self->is_delayed)
            hk_timer_arm (&self->timer, delay_us);
}

void
hk_session_expect_command (HkSession *self)
{
    hk_session_set_deadline (self, self->dialogue->timeout_us);
}

static void
time_out (HkSession *self)
{
    hk_screen_log_timeout (self);
    if (!hk_screen_is_dummy (self))
        hk_report_lost (self, "timeout");
    if (self->is_stuck || self->phase == HK_PHASE_TLS) {
        self->is_closing = true;
        hk_session_free (self);
        return;
    }
    hk_session_hang_up (self, 421, "4.4.2", "%s Error: timeout exceeded",
                        self->dialogue->myhostname);
}

static void name_timeout (HkSession *self);

static void
on_timer (HkLoopTimer *timer)
{
    HkSession *self = timer->data;
    int64_t now = hk_session_now (self);

    if (self->is_delayed) {
        self->is_delayed = false;
        hk_session_expect_command (self);
        if (flush (self))
            hk_session_resume (self);
    } else if (self->deadline_us > now) {
        hk_timer_arm (timer, self->deadline_us - now);
    } else if (self->phase == HK_PHASE_NAMES) {
        name_timeout (self);
    } else if (self->phase == HK_PHASE_PROXY) {
        hk_session_proxy_timeout (self);
    } else if (self->phase == HK_PHASE_SCREEN) {
        hk_screen_timer (self);
    } else if (self->is_busy) {
        hk_session_set_deadline (self, self->dialogue->timeout_us);
    } else {
        time_out (self);
    }
}

/* ---- begin ------------------------------------------------------------------------------
 */

static void
greeted (HkSession *self, HkVerdict *verdict)
{
    if (hk_session_verdict (self, HK_STAGE_CONNECT, HK_SPAN_NONE, verdict))
        hk_session_say (self, self->dialogue->banner, strlen (self->dialogue->banner));
    else
        self->is_denied = true;
}

void
hk_session_welcome (HkSession *self)
{
    hk_session_prepare (self);
    hk_session_check (self, HK_STAGE_CONNECT, HK_SPAN_NONE, greeted);
}

static void
client_known (HkSession *self)
{
    if (!hk_guard_refuses_connection (self))
        hk_session_welcome (self);
}

void
hk_session_greet (HkSession *self)
{
    self->phase = HK_PHASE_COMMAND;
    hk_session_expect_command (self);
    if (self->tls == NULL)
        hk_report_connect (self);
    hk_guard_know_client (self, client_known);
}

static void
wrap_known (HkSession *self)
{
    if (!hk_guard_refuses_tls (self, true))
        hk_session_wraps (self);
}

/* The client is known: greet it, or let it begin TLS first. */
static void
begin (HkSession *self)
{
    if (self->dialogue->tls != NULL && self->dialogue->tls->is_wrapper) {
        hk_report_connect (self);
        hk_guard_know_client (self, wrap_known);
        return;
    }
    hk_session_greet (self);
    hk_session_resume (self);
}

static void
set_names (HkSession *self, const char *name, const char *reverse, int code)
{
    g_free (self->client_name);
    g_free (self->client_reverse);
    self->client_name = g_strdup (name != NULL ? name : "unknown");
    self->client_reverse = g_strdup (reverse != NULL ? reverse : "unknown");
    self->client_name_code = (uint16_t) code;
}

/* Names are there (or not); now the greeting, and input is read. */
static void
named (void *data, const char *name, const char *reverse, HkPeerFailure failure)
{
    static const char *const why[] = {"", ": Temporary failure in name resolution",
                                      ": Name or service not known",
                                      ": No address associated with hostname"};
    HkSession *self = data;
    self->is_asking_name = false;
    set_names (self, name, reverse,
               name != NULL                   ? 0
               : failure == HK_PEER_TEMPORARY ? 4
                                              : 5);
    if (name == NULL && reverse != NULL)
        hk_report_text (self, HK_LOG_WARNING,
                        "hostname %s does not resolve to address %s%s", reverse,
                        self->client_address, why[failure]);
    begin (self);
}

static void
name_timeout (HkSession *self)
{
    hk_resolver_cancel (self->dialogue->sessions->options.resolver, self);
    named (self, NULL, NULL, HK_PEER_TEMPORARY);
}

void
hk_session_set_unknown (HkSession *self)
{
    set_names (self, NULL, NULL, 5);
}

void
hk_session_set_addresses (HkSession *self, const HkAddress *peer, const HkAddress *local)
{
    HkAddress address = *peer;
    hk_address_unmap (&address);
    hk_address_text (&address, self->client_address);
    self->client_port = (uint16_t) hk_address_port (&address);

    if (local != NULL) {
        address = *local;
    } else {
        address = (HkAddress){.size = sizeof address.storage};
        if (getsockname (self->fd, (struct sockaddr *) &address.storage, &address.size) < 0)
            return;
    }
    hk_address_unmap (&address);
    hk_address_text (&address, self->server_address);
    self->server_port = (uint16_t) hk_address_port (&address);
}

static void
refuse_session (HkDialogue *dialogue, int fd)
{
    char line[300];
    int n = g_snprintf (line, sizeof line, "421 4.3.2 %s Error: too many sessions\r\n",
                        dialogue->myhostname);
    if (send (fd, line, MIN ((size_t) n, sizeof line - 1), MSG_NOSIGNAL) < 0)
        hk_stats_add (dialogue->sessions->stat_refused, 0);
    close (fd);
    if (dialogue->sessions->stat_refused != NULL)
        hk_stats_add (dialogue->sessions->stat_refused, 1);
}

static void
name_and_greet (HkSession *self, const HkAddress *peer)
{
    HkDialogue *d = self->dialogue;
    HkResolver *resolver = d->sessions->options.resolver;
    if (hk_screen_is_dummy (self)) {
        begin (self);
        return;
    }
    if (peer != NULL && d->lookup_names && resolver != NULL) {
        self->phase = HK_PHASE_NAMES;
        self->is_asking_name = true;
        hk_session_set_deadline (self, d->peername_timeout_us);
        hk_session_prepare (self);
        hk_resolver_peer_name (resolver, (const struct sockaddr *) &peer->storage, named,
                               self);
        return;
    }
    if (peer != NULL)
        hk_session_set_unknown (self);
    begin (self);
}

void
hk_session_admit (HkSession *self, const HkAddress *peer)
{
    hk_guard_connect (self);
    if (!hk_screen_begin (self))
        name_and_greet (self, peer);
}

void
hk_session_admit_screened (HkSession *self)
{
    HkAddress peer;
    bool is_ip = hk_address_parse_ip (hk_span_text (self->client_address),
                                      self->client_port, &peer);
    name_and_greet (self, is_ip ? &peer : NULL);
}

void
hk_session_start (HkDialogue *dialogue, int fd, const HkAddress *peer,
                  const HkAddress *local)
{
    HkSessions *sessions = dialogue->sessions;
    if (sessions->count >= sessions->options.session_limit || sessions->is_draining) {
        refuse_session (dialogue, fd);
        return;
    }
    HkSession *self = g_new0 (HkSession, 1);
    self->dialogue = dialogue;
    self->fd = fd;
    self->last_verb = HK_VERB_CONNECT;
    self->serial = ++sessions->n_started;
    self->hook = (HkTurnHook){.fn = at_turn_end, .data = self};
    hk_timer_init (&self->timer, sessions->options.loop, on_timer, self);
    hk_sessions_add (sessions, self);

    if (peer == NULL) {
        self->is_unix = true;
        g_strlcpy (self->client_address, "127.0.0.1", sizeof self->client_address);
        g_strlcpy (self->server_address, "127.0.0.1", sizeof self->server_address);
        set_names (self, "localhost", "localhost", 0);
    } else {
        hk_session_set_addresses (self, peer, local);
    }
    if (!dialogue->guard->takes_proxy) {
        hk_session_admit (self, peer);
        return;
    }
    self->phase = HK_PHASE_PROXY;
    hk_session_set_deadline (self, dialogue->guard->proxy_timeout_us);
    if (!hk_loop_attach (loop_of (self), &self->watch, fd, HK_LOOP_READ, on_event, self,
                         NULL))
        hk_session_free (self);
}

void
hk_session_drain (HkSession *self)
{
    hk_screen_drain (self);
    if (self->phase == HK_PHASE_NAMES || self->phase == HK_PHASE_PROXY ||
        self->phase == HK_PHASE_SCREEN) {
        self->phase = HK_PHASE_COMMAND;
        if (self->is_asking_name)
            hk_resolver_cancel (self->dialogue->sessions->options.resolver, self);
        self->is_asking_name = false;
        set_names (self, NULL, NULL, 4);
    }
    if (can_read (self))
        is_welcome (self);
}
