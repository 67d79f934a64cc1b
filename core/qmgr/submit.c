/* submit.c: new messages by the queue manager itself: notices, and mail that local delivery
 * forwards.  They take the way of any message, through intake (address mapping) into lane
 * 0, and are durable before anybody relies on them. */
#include "config.h"

#include "base/log.h"
#include "mail/header.h"
#include "qmgr/dispatch_priv.h"

#include <errno.h>
#include <gio/gio.h>
#include <unistd.h>

#define CHUNK (64u << 10)

typedef struct {
    Qmgr *q;
    SubmitFn fn;
    void *data;
} Submission;

static void
on_outcome (const HkIntakeOutcome *outcome, void *data)
{
    Submission *self = data;
    Qmgr *q = self->q;
    g_autoptr (GError) error = NULL;
    q->n_submissions--;
    if (outcome->code != 250)
        g_set_error (&error, HK_STORE_ERROR, HK_STORE_ERROR_IO, "%s", outcome->text);
    self->fn (outcome->id, error, self->data);
    if (error == NULL && !outcome->is_discarded)
        hk_qmgr_admit (q, outcome->where, outcome->content_size, outcome->envelope);
    g_free (self);
    hk_qmgr_wake (q);
}

static HkIncoming *
begin (Qmgr *q, HkQueueId id, HkEnvelope *envelope)
{
    HkIncomingOptions options = {.envelope = envelope, .log_client = "local"};
    envelope->queue_id = id;
    envelope->arrival_us = hk_wall_us (q->clock);
    envelope->backing = NULL;
    return hk_incoming_new (q->intake, &options);
}

static void
finish (Qmgr *q, HkIncoming *incoming, SubmitFn fn, void *data)
{
    Submission *self = g_new (Submission, 1);
    *self = (Submission){q, fn, data};
    q->n_submissions++;
    hk_incoming_finish (incoming, on_outcome, self);
}

void
hk_qmgr_submit (Qmgr *q, HkQueueId id, HkEnvelope *envelope, HkSpan content, SubmitFn fn,
                void *data)
{
    HkIncoming *incoming = begin (q, id, envelope);
    hk_incoming_write (incoming, content);
    finish (q, incoming, fn, data);
}

/* ---- a copy of a message's content under new headers
 * -------------------------------------- */

static bool
copy_content (HkIncoming *incoming, int fd, uint64_t offset, uint64_t size, GError **error)
{
    g_autofree uint8_t *buffer = g_malloc (CHUNK);
    while (size > 0) {
        ssize_t n = pread (fd, buffer, (size_t) MIN (size, CHUNK), (off_t) offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "cannot read the content");
            return false;
        }
        hk_incoming_write (incoming, hk_span (buffer, (size_t) n));
        offset += (uint64_t) n;
        size -= (uint64_t) n;
    }
    return true;
}

/* Received: so that hops are counted, and a loop of forwardings ends. */
static void
write_trace (Qmgr *q, HkIncoming *incoming, HkQueueId id)
{
    char text[HK_QUEUE_ID_TEXT];
    g_autoptr (GString) trace = g_string_new (NULL);
    g_string_append_printf (trace, "Received: by %s (%s)\r\n\tid %s; ",
                            q->params.myhostname, q->params.mail_name,
                            hk_queue_id_format (id, text));
    hk_header_append_date (trace, hk_wall_us (q->clock));
    g_string_append (trace, "\r\n");
    hk_incoming_write (incoming, hk_span_string (trace));
}

static bool
submit_copy (Active *active, HkQueueId id, HkEnvelope *envelope, HkSpan header, SubmitFn fn,
             void *data, GError **error)
{
    Qmgr *q = active->q;
    uint64_t offset;
    int fd = hk_active_open (active, &offset, error);
    if (fd < 0)
        return false;
    HkIncoming *incoming = begin (q, id, envelope);
    write_trace (q, incoming, id);
    hk_incoming_write (incoming, header);
    bool ok = copy_content (incoming, fd, offset, active->content_size, error);
    close (fd);
    if (ok)
        finish (q, incoming, fn, data);
    else
        hk_incoming_abandon (incoming);
    return ok;
}

/* ---- FORWARD
 * ------------------------------------------------------------------------------- */

typedef struct {
    Qmgr *q;
    uint64_t run;
    size_t index;
    Conn *conn; /* compared only: it may be gone */
} Forward;

static Conn *
conn_alive (Qmgr *q, Conn *conn)
{
    for (guint i = 0; i < q->transports->len; i++) {
        Transport *transport = g_ptr_array_index (q->transports, i);
        if (g_ptr_array_find (transport->conns, conn, NULL))
            return conn;
    }
    return NULL;
}

static void
answer (Conn *conn, uint64_t run, size_t index, bool failed, const char *text)
{
    GByteArray *frame = hk_channel_begin (conn->channel, HK_FRAME_FORWARDED);
    hk_pack_u64 (frame, run);
    hk_pack_u64 (frame, index);
    hk_pack_u64 (frame, failed);
    hk_pack_span (frame, hk_span_text (text));
    hk_channel_end (conn->channel);
}

static void
forwarded (HkQueueId id, const GError *error, void *data)
{
    Forward *self = data;
    Conn *conn = conn_alive (self->q, self->conn);
    char text[HK_QUEUE_ID_TEXT];
    /* A run's number is never used again: another connection at the same address has
     * others. */
    if (conn != NULL && hk_run_find (conn, self->run) != NULL)
        answer (conn, self->run, self->index, error != NULL,
                error != NULL ? error->message : hk_queue_id_format (id, text));
    g_free (self);
}

/* Addresses of the frame in standard form. */
static HkRecipient *
read_recipients (Qmgr *q, HkUnpack *in, const HkRecipient *from, GPtrArray *keep,
                 size_t *out_n)
{
    uint64_t n = hk_unpack_u64 (in);
    if (in->failed || n == 0 || n > (size_t) (in->end - in->at))
        return NULL;
    HkRecipient *recipients = g_new0 (HkRecipient, n);
    for (uint64_t i = 0; i < n; i++) {
        GString *address = g_string_new (NULL);
        HkSpan given = hk_unpack_span (in);
        hk_router_rewrite (q->router, given, address);
        recipients[i] = *from;
        recipients[i].address = hk_span (address->str, address->len);
        g_ptr_array_add (keep, address);
    }
    *out_n = (size_t) n;
    return recipients;
}

static void
free_string (gpointer data)
{
    g_string_free (data, TRUE);
}

bool
hk_run_forward (Conn *conn, HkUnpack *in)
{
    Qmgr *q = conn->transport->q;
    Run *run = hk_run_find (conn, hk_unpack_u64 (in));
    uint64_t k = hk_unpack_u64 (in);
    HkSpan sender = hk_unpack_span (in), header = hk_unpack_span (in);
    if (in->failed || run == NULL || k >= run->job.n_recipients ||
        run->active->probe != NULL) /* a probe is no mail */
        return false;
    g_autoptr (GPtrArray) keep = g_ptr_array_new_with_free_func (free_string);
    g_autoptr (GError) error = NULL;
    Active *active = run->active;
    HkEnvelope envelope = *active->envelope;
    HkRecipient from = active->envelope->recipients[run->job.recipients[k]];
    if (from.original.size == 0)
        from.original = from.address;
    g_autofree HkRecipient *recipients =
        read_recipients (q, in, &from, keep, &envelope.n_recipients);
    if (recipients == NULL || in->failed)
        return false;
    envelope.sender = sender;
    envelope.recipients = recipients;
    envelope.flags &= ~(uint32_t) HK_ENVELOPE_HOLD;
    envelope.content_filter = envelope.redirect = envelope.hold_reason = HK_SPAN_NONE;
    envelope.verp = HK_SPAN_NONE; /* SENDER has it */
    envelope.release_s = 0;
    Forward *forward = g_new (Forward, 1);
    *forward = (Forward){q, run->number, (size_t) k, conn};
    if (!submit_copy (active, hk_lane_next_id (q->lane), &envelope, header, forwarded,
                      forward, &error)) {
        answer (conn, run->number, (size_t) k, true, error->message);
        g_free (forward);
    }
    return true;
}
