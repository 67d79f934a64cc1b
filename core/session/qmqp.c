/* qmqp.c: the life of one QMQP connection: bytes in and out, time, begin and end. */
#include "config.h"
#include "session/qmqp_priv.h"

#include "base/log.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static const int64_t pressure_delay_us = HK_SECOND, linger_us = 10 * HK_SECOND;

/* May this client?  Its copies of what is asked: the connection may end meanwhile. */
struct HkQmqpQuestion {
    HkQmqp *owner; /* NULL: it has ended */
    HkMatchList *clients;
    char *name, *address;
    HkAnswer answer;
};

static void on_event (HkFdWatch *watch, unsigned events);

static HkLoop *
loop_of (const HkQmqp *self)
{
    return self->service->qmqps->options.loop;
}

/* ---- time
 * ------------------------------------------------------------------------------------ */

static void
set_deadline (HkQmqp *self, int64_t delay_us)
{
    self->deadline_us = hk_loop_now_us (loop_of (self)) + delay_us;
    if (!hk_timer_is_armed (&self->timer) || self->timer.due_us > self->deadline_us)
        hk_timer_arm (&self->timer, delay_us);
}

/* What arrives earns time at the minimum rate, never more than qmqpd_timeout from now. */
static void
earn_time (HkQmqp *self, size_t n)
{
    const HkQmqpService *s = self->service;
    int64_t earned = (int64_t) ((uint64_t) n * HK_SECOND / s->min_data_rate);
    int64_t limit = hk_loop_now_us (loop_of (self)) + s->timeout_us;
    self->deadline_us = MIN (self->deadline_us + earned, limit);
}

/* ---- end
 * ------------------------------------------------------------------------------------- */

void
hk_qmqp_free (HkQmqp *self)
{
    HkQmqps *qmqps = self->service->qmqps;
    hk_qmqp_log_disconnect (self);
    if (self->is_asking_name)
        hk_resolver_cancel (qmqps->options.resolver, self);
    if (self->question != NULL)
        self->question->owner = NULL;
    hk_fd_watch_detach (&self->watch);
    hk_timer_disarm (&self->timer);
    hk_qmqp_drop_message (self);
    close (self->fd);
    hk_qmqp_parser_clear (&self->parser);
    if (self->arena != NULL)
        hk_arena_free (self->arena);
    if (self->reply != NULL)
        g_string_free (self->reply, TRUE);
    g_free (self->name);
    hk_qmqps_forget (qmqps, self);
    g_free (self);
}

bool
hk_qmqp_is_idle (const HkQmqp *self)
{
    return !self->has_begun &&
           (self->phase == HK_QMQP_PHASE_NAME || self->phase == HK_QMQP_PHASE_ASK ||
            self->phase == HK_QMQP_PHASE_READ);
}

static void
lose (HkQmqp *self, const char *what)
{
    if (self->phase == HK_QMQP_PHASE_READ) {
        g_autofree char *text = g_strdup_printf ("%s while receiving %s", what,
                                                 hk_qmqp_part_name (self->parser.part));
        hk_qmqp_log (self, HK_LOG_INFO, text);
    }
    hk_qmqp_free (self);
}

static bool
watch_for (HkQmqp *self, unsigned events)
{
    if (self->watch.loop != NULL) {
        hk_fd_watch_events (&self->watch, events);
        return true;
    }
    return hk_loop_attach (loop_of (self), &self->watch, self->fd, events, on_event, self,
                           NULL);
}

/* ---- the reply
 * ------------------------------------------------------------------------------- */

/* Closing with input unread would reset the connection, and the reply with it. */
static void
linger (HkQmqp *self)
{
    shutdown (self->fd, SHUT_WR);
    set_deadline (self, MIN (linger_us, self->service->timeout_us));
    self->phase = HK_QMQP_PHASE_LINGER;
    if (!watch_for (self, HK_LOOP_READ))
        hk_qmqp_free (self);
}

static void
send_reply (HkQmqp *self)
{
    size_t left = self->reply->len - self->reply_sent;
    ssize_t n = send (self->fd, self->reply->str + self->reply_sent, left, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        hk_qmqp_free (self);
        return;
    }
    self->reply_sent += n > 0 ? (size_t) n : 0;
    if (self->reply_sent == self->reply->len) {
        linger (self);
        return;
    }
    if (!watch_for (self, HK_LOOP_WRITE))
        hk_qmqp_free (self);
}

static void
begin_reply (HkQmqp *self)
{
    self->phase = HK_QMQP_PHASE_REPLY;
    set_deadline (self, self->service->timeout_us);
    send_reply (self);
}

/* Never from inside a caller that goes on to use SELF: the reply leaves from the timer. */
void
hk_qmqp_answer (HkQmqp *self, char status, const char *text)
{
    const HkQmqpService *s = self->service;
    int64_t delay_us = status != 'K'            ? s->error_delay_us
                       : s->qmqps->has_pressure ? pressure_delay_us
                                                : 0;
    if (status == 'D' && s->soft_bounce)
        status = 'Z';
    hk_qmqp_drop_message (self);
    self->reply = g_string_new (NULL);
    g_string_printf (self->reply, "%zu:%c%s,", strlen (text) + 1, status, text);
    self->phase = HK_QMQP_PHASE_DELAY;
    hk_fd_watch_detach (&self->watch);
    hk_timer_disarm (&self->timer);
    set_deadline (self, delay_us);
}

/* ---- input
 * ----------------------------------------------------------------------------------- */

static void
read_input (HkQmqp *self)
{
    uint8_t *buffer = self->service->qmqps->buffer;
    ssize_t n = recv (self->fd, buffer, HK_SESSION_READ_SIZE, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        lose (self, "lost connection");
        return;
    }
    if (self->phase == HK_QMQP_PHASE_LINGER)
        return;
    earn_time (self, (size_t) n);
    hk_qmqp_input (self, hk_span (buffer, (size_t) n));
    /* What follows the package is nobody's; a hang-up would be reported for ever. */
    if (self->phase == HK_QMQP_PHASE_STORE)
        hk_fd_watch_detach (&self->watch);
}

static void
on_event (HkFdWatch *watch, unsigned events)
{
    HkQmqp *self = watch->data;
    (void) events;
    if (self->phase == HK_QMQP_PHASE_REPLY)
        send_reply (self);
    else
        read_input (self);
}

static void named (void *data, const char *name, const char *reverse, HkPeerFailure failure);

static void
on_timer (HkLoopTimer *timer)
{
    HkQmqp *self = timer->data;
    int64_t now = hk_loop_now_us (loop_of (self));
    if (self->deadline_us > now) {
        hk_timer_arm (timer, self->deadline_us - now);
    } else if (self->phase == HK_QMQP_PHASE_NAME) {
        hk_resolver_cancel (self->service->qmqps->options.resolver, self);
        named (self, NULL, NULL, HK_PEER_TEMPORARY);
    } else if (self->phase == HK_QMQP_PHASE_DELAY) {
        begin_reply (self);
    } else if (self->phase != HK_QMQP_PHASE_STORE && self->phase != HK_QMQP_PHASE_ASK) {
        lose (self, "read/write timeout");
    }
}

/* ---- begin
 * ----------------------------------------------------------------------------------- */

static void
ask_clients (void *data)
{
    HkQmqpQuestion *question = data;
    question->answer = hk_match_list_find (question->clients, hk_span_text (question->name),
                                           hk_span_text (question->address), NULL);
}

static void admit (HkQmqp *self, bool is_authorized);

static void
clients_asked (void *data)
{
    HkQmqpQuestion *question = data;
    HkQmqp *owner = question->owner;
    HkAnswer answer = question->answer;
    g_free (question->name);
    g_free (question->address);
    g_free (question);
    if (owner == NULL)
        return;
    owner->question = NULL;
    if (answer == HK_FOUND || answer == HK_ABSENT) {
        admit (owner, answer == HK_FOUND);
        return;
    }
    owner->phase = HK_QMQP_PHASE_READ;
    hk_qmqp_log (owner, HK_LOG_WARNING, "qmqpd_authorized_clients: lookup failed");
    hk_qmqp_answer (owner, 'Z', "Error: temporary lookup failure");
}

/* The client has a name, or is "unknown". */
static void
begin (HkQmqp *self)
{
    const HkQmqpService *s = self->service;
    hk_qmqp_log_connect (self);
    set_deadline (self, s->timeout_us);
    HkQmqpQuestion *question = self->question = g_new0 (HkQmqpQuestion, 1);
    question->owner = self;
    question->clients = s->clients;
    question->name = g_strdup (self->name);
    question->address = g_strdup (self->address);
    self->phase = HK_QMQP_PHASE_ASK;
    if (hk_match_list_may_block (s->clients)) {
        hk_workers_run (s->qmqps->options.workers, ask_clients, clients_asked, question);
        return;
    }
    ask_clients (question);
    clients_asked (question);
}

static void
admit (HkQmqp *self, bool is_authorized)
{
    self->phase = HK_QMQP_PHASE_READ;
    if (!is_authorized) {
        g_autoptr (GString) text = g_string_new ("Error: ");
        hk_qmqp_append_client (text, self);
        g_string_append (text, " is not authorized to use this service");
        hk_qmqp_log (self, HK_LOG_INFO, text->str);
        hk_qmqp_answer (self, 'D', text->str);
        return;
    }
    if (!watch_for (self, HK_LOOP_READ))
        hk_qmqp_free (self);
}

static void
named (void *data, const char *name, const char *reverse, HkPeerFailure failure)
{
    HkQmqp *self = data;
    (void) reverse;
    (void) failure;
    self->is_asking_name = false;
    self->name = g_strdup (name != NULL ? name : "unknown");
    begin (self);
}

static void
know_peer (HkQmqp *self, const HkAddress *peer)
{
    HkResolver *resolver = self->service->qmqps->options.resolver;
    HkAddress address = *peer;
    hk_address_unmap (&address);
    hk_address_text (&address, self->address);
    self->port = (uint16_t) hk_address_port (&address);
    if (resolver == NULL) {
        named (self, NULL, NULL, HK_PEER_NONE);
        return;
    }
    self->is_asking_name = true;
    set_deadline (self, self->service->name_timeout_us);
    hk_resolver_peer_name (resolver, (const struct sockaddr *) &peer->storage, named, self);
}

void
hk_qmqp_start (HkQmqpService *service, int fd, const HkAddress *peer)
{
    HkQmqps *qmqps = service->qmqps;
    if (qmqps->count >= qmqps->options.session_limit || qmqps->is_draining) {
        close (fd);
        return;
    }
    HkQmqp *self = g_new0 (HkQmqp, 1);
    self->service = service;
    self->fd = fd;
    self->phase = HK_QMQP_PHASE_NAME;
    self->parser.message_limit = service->message_limit;
    self->parser.address_limit = service->address_limit;
    hk_timer_init (&self->timer, qmqps->options.loop, on_timer, self);
    hk_qmqps_add (qmqps, self);
    if (peer != NULL) {
        know_peer (self, peer);
        return;
    }
    self->is_unix = true;
    g_strlcpy (self->address, "127.0.0.1", sizeof self->address);
    self->name = g_strdup ("localhost");
    begin (self);
}
