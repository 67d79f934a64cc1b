/* dispatch.c: jobs go to the delivery processes. */
#include "config.h"

#include "base/log.h"
#include "qmgr/dispatch_priv.h"

#include <unistd.h>

#define MAX_CONNS 64
#define MAX_BACKOFF_S 60

/* ---- connections
 * ------------------------------------------------------------------------- */

void
hk_conn_free (Conn *self)
{
    g_autoptr (GPtrArray) runs = g_ptr_array_new ();
    GHashTableIter iter;
    gpointer run;
    g_ptr_array_remove_fast (self->transport->conns, self);
    hk_timer_disarm (&self->timer);
    hk_channel_close (self->channel);
    self->channel = NULL;
    g_hash_table_iter_init (&iter, self->runs);
    while (g_hash_table_iter_next (&iter, NULL, &run))
        g_ptr_array_add (runs, run);
    self->transport->q->n_crashes++;
    for (guint i = 0; i < runs->len; i++)
        hk_run_broken (g_ptr_array_index (runs, i));
    g_hash_table_unref (self->runs);
    g_hash_table_unref (self->known);
    g_free (self);
}

static void
back_off (Transport *self)
{
    /* The first time at once: whatever ended may have been an accident. */
    int64_t seconds =
        self->n_failures == 0
            ? 0
            : MIN ((int64_t) 1 << MIN (self->n_failures - 1, 10u), MAX_BACKOFF_S);
    self->n_failures++;
    self->not_before_us = hk_loop_now_us (self->q->loop) + seconds * HK_SECOND;
    hk_stats_add (self->q->count.agent_failures, 1);
}

void
hk_conn_broken (Conn *self, const char *why)
{
    Transport *transport = self->transport;
    bool was_ready = self->was_ready;
    guint n_runs = g_hash_table_size (self->runs);
    if (n_runs > 0 || !was_ready) {
        hk_log (HK_LOG_WARNING, "transport %s: %s with %u deliveries under way",
                transport->name, why, n_runs);
        back_off (transport);
    }
    hk_qmgr_wake (transport->q);
    hk_conn_free (self);
    if (!was_ready && transport->n_failures >= 3)
        hk_transport_unavailable (transport);
}

static void
on_closed (HkChannel *channel, void *data)
{
    (void) channel;
    hk_conn_broken (data, "delivery agent ended unexpectedly");
}

/* The jobs of a connection share its timer: it goes to the oldest one's end. */
static int64_t
oldest_start_us (const Conn *self)
{
    GHashTableIter iter;
    gpointer run;
    int64_t oldest = INT64_MAX;
    g_hash_table_iter_init (&iter, self->runs);
    while (g_hash_table_iter_next (&iter, NULL, &run))
        oldest = MIN (oldest, ((Run *) run)->started_us);
    return oldest;
}

static void
on_late (HkLoopTimer *timer)
{
    Conn *self = timer->data;
    Qmgr *q = self->transport->q;
    if (!self->was_ready) {
        hk_conn_broken (self, "delivery agent did not get ready in time");
        return;
    }
    int64_t oldest = oldest_start_us (self);
    if (oldest == INT64_MAX)
        return;
    int64_t left = oldest + q->params.job_timeout_us - hk_loop_now_us (q->loop);
    if (left <= 0)
        hk_conn_broken (self, "delivery agent did not answer within daemon_timeout");
    else
        hk_timer_arm (timer, left);
}

static void
set_ready (Conn *self, HkUnpack *in)
{
    uint64_t ready = hk_unpack_u64 (in);
    self->ready = (unsigned) MIN (ready, 100000);
    if (!self->was_ready)
        hk_timer_disarm (&self->timer);
    self->was_ready = true;
    hk_qmgr_wake (self->transport->q);
}

static void
on_frame (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data)
{
    Conn *self = data;
    HkUnpack in = hk_unpack (payload);
    bool ok = true;
    (void) channel;
    if (fd >= 0)
        close (fd);
    switch (type) {
    case HK_FRAME_READY:
        set_ready (self, &in);
        break;
    case HK_FRAME_RESULT:
        ok = hk_run_result (self, &in);
        break;
    case HK_FRAME_JOB_DONE:
        ok = hk_run_done (self, &in);
        break;
    case HK_FRAME_FORWARD:
        ok = hk_run_forward (self, &in);
        break;
    default: /* of a newer agent */
        break;
    }
    if (!ok || in.failed)
        hk_conn_broken (self, "malformed answer from delivery agent");
}

static const HkChannelFns channel_fns = {on_frame, on_closed};

static void
connect_to (Transport *self)
{
    g_autoptr (GError) error = NULL;
    Qmgr *q = self->q;
    int fd = hk_ipc_connect (self->path, &error);
    if (fd < 0) {
        hk_log (HK_LOG_WARNING, "connect to transport %s: %s", self->name, error->message);
        hk_stats_add (q->count.agent_failures, 1);
        hk_transport_unavailable (self);
        return;
    }
    g_clear_pointer (&self->reason, g_free);
    Conn *conn = g_new0 (Conn, 1);
    conn->transport = self;
    conn->runs = g_hash_table_new (g_int64_hash, g_int64_equal);
    conn->known = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
    conn->channel = hk_channel_new (q->loop, fd, &channel_fns, conn);
    hk_timer_init (&conn->timer, q->loop, on_late, conn);
    hk_timer_arm (&conn->timer, q->params.ready_timeout_us);
    g_ptr_array_add (self->conns, conn);
}

/* ---- content
 * ----------------------------------------------------------------------------- */

static void
send_content (Conn *self, uint64_t key, int fd)
{
    GByteArray *frame = g_byte_array_new ();
    hk_pack_u64 (frame, key);
    hk_channel_send (self->channel, HK_FRAME_CONTENT, hk_span (frame->data, frame->len),
                     fd);
    g_byte_array_unref (frame);
}

static void
send_forget (Conn *self, uint64_t key)
{
    hk_pack_u64 (hk_channel_begin (self->channel, HK_FRAME_FORGET), key);
    hk_channel_end (self->channel);
}

void
hk_qmgr_forget_content (Qmgr *q, uint64_t key)
{
    for (guint i = 0; i < q->transports->len; i++) {
        GPtrArray *conns = ((Transport *) g_ptr_array_index (q->transports, i))->conns;
        for (guint k = 0; k < conns->len; k++) {
            Conn *conn = g_ptr_array_index (conns, k);
            if (g_hash_table_remove (conn->known, &key))
                send_forget (conn, key);
        }
    }
}

/* The peer can read the content of RUN.  OUT: key and offset. */
static bool
give_content (Run *run, uint64_t *out_key, uint64_t *out_offset, GError **error)
{
    Conn *conn = run->conn;
    Active *active = run->active;
    if (active->probe != NULL) { /* there is none */
        *out_key = *out_offset = 0;
        return true;
    }
    if (active->segment != NULL) {
        uint64_t key = active->segment->key;
        *out_key = key;
        *out_offset = active->content_offset;
        if (g_hash_table_contains (conn->known, &key))
            return true;
        g_hash_table_add (conn->known, g_memdup2 (&key, sizeof key));
        send_content (conn, key, active->segment->fd);
        return true;
    }
    int fd = hk_active_open (active, out_offset, error);
    if (fd < 0)
        return false;
    *out_key = run->own_key = (run->number << 1) | 1; /* even ones are segments */
    send_content (conn, run->own_key, fd);
    close (fd);
    return true;
}

/* ---- jobs
 * -------------------------------------------------------------------------------- */

static void
pack_envelope (GByteArray *frame, const HkEnvelope *envelope, const HkSchedJob *job)
{
    bool is_verp = hk_promise_is_verp (envelope) && job->n_recipients == 1;
    if (job->n_recipients == envelope->n_recipients && envelope->backing != NULL &&
        !is_verp) {
        hk_pack_span (frame, hk_span_bytes (envelope->backing));
        return;
    }
    HkEnvelope part = *envelope;
    g_autofree HkRecipient *recipients = g_new (HkRecipient, job->n_recipients);
    g_autoptr (GByteArray) packed = g_byte_array_new ();
    for (size_t i = 0; i < job->n_recipients; i++)
        recipients[i] = envelope->recipients[job->recipients[i]];
    part.recipients = recipients;
    part.n_recipients = job->n_recipients;
    g_autoptr (GString) sender = g_string_new (NULL);
    if (is_verp) {
        hk_promise_verp_sender (envelope, job->recipients[0], sender);
        part.sender = hk_span_string (sender);
        part.verp = HK_SPAN_NONE;
    }
    hk_envelope_pack (&part, packed);
    hk_pack_span (frame, hk_span (packed->data, packed->len));
}

static void
send_job (Run *run, uint64_t key, uint64_t offset)
{
    Active *active = run->active;
    GByteArray *frame = hk_channel_begin (run->conn->channel, HK_FRAME_JOB);
    hk_pack_u64 (frame, run->number);
    hk_pack_u64 (frame, key);
    hk_pack_u64 (frame, offset);
    hk_pack_u64 (frame, active->content_size);
    hk_pack_i64 (frame, active->active_us);
    hk_pack_u64 (frame, active->entry->attempts);
    hk_pack_span (frame, hk_span_text (run->job.nexthop));
    pack_envelope (frame, active->envelope, &run->job);
    hk_channel_end (run->conn->channel);
}

static void
cannot_read (Run *run, const GError *error)
{
    char id[HK_QUEUE_ID_TEXT];
    g_autofree char *text = g_strconcat ("queue file: ", error->message, NULL);
    hk_log (HK_LOG_WARNING, "%s: %s", hk_active_id (run->active, id), text);
    for (size_t i = 0; i < run->job.n_recipients; i++) {
        hk_active_defer (run->active, run->job.recipients[i], "4.3.0", text);
        run->has_result[i] = 1;
    }
    run->n_results = run->job.n_recipients;
    hk_run_broken (run);
}

/* It waited for its slot for too long. */
static void
return_late (Run *run)
{
    for (size_t i = 0; i < run->job.n_recipients; i++) {
        hk_promise_bounce (run->active, run->job.recipients[i]);
        run->has_result[i] = 1;
    }
    run->n_results = run->job.n_recipients;
    hk_run_broken (run);
}

static void
start_run (Conn *conn, const HkSchedJob *job)
{
    Qmgr *q = conn->transport->q;
    g_autoptr (GError) error = NULL;
    uint64_t key, offset;
    Run *run = g_malloc0 (sizeof *run + job->n_recipients);
    run->number = ++q->last_job;
    run->conn = conn;
    run->active = job->owner;
    run->job = *job;
    run->feedback = HK_SITE_UNTRIED;
    run->started_us = hk_loop_now_us (q->loop);
    if (!hk_timer_is_armed (&conn->timer))
        hk_timer_arm (&conn->timer, q->params.job_timeout_us);
    g_hash_table_insert (conn->runs, &run->number, run);
    q->n_running++;
    hk_stats_add (q->count.jobs, 1);
    if (hk_promise_is_too_late (run->active))
        return_late (run);
    else if (give_content (run, &key, &offset, &error))
        send_job (run, key, offset);
    else
        cannot_read (run, error);
}

static Conn *
conn_with_room (Transport *self)
{
    for (guint i = 0; i < self->conns->len; i++) {
        Conn *conn = g_ptr_array_index (self->conns, i);
        if (g_hash_table_size (conn->runs) < conn->ready)
            return conn;
    }
    return NULL;
}

static bool
wants_conn (Transport *self, int64_t now_us, int64_t *wake_us)
{
    unsigned limit = hk_sched_transport_limits (self->sched)->process_limit;
    if (limit > 0 && hk_sched_transport_running (self->sched) >= limit)
        return false;
    if (self->conns->len >= MIN (limit > 0 ? limit : MAX_CONNS, MAX_CONNS))
        return false;
    for (guint i = 0; i < self->conns->len; i++) {
        Conn *conn = g_ptr_array_index (self->conns, i);
        if (!conn->was_ready)
            return false; /* on its way */
    }
    if (now_us < self->not_before_us) {
        *wake_us = MIN (*wake_us, self->not_before_us);
        return false;
    }
    return true;
}

void
hk_qmgr_dispatch (Qmgr *q, int64_t *wake_us)
{
    int64_t now_us = hk_loop_now_us (q->loop);
    for (guint i = 0; !q->is_draining && i < q->transports->len; i++) {
        Transport *self = g_ptr_array_index (q->transports, i);
        while (hk_sched_transport_has_offers (self->sched)) {
            Conn *conn = conn_with_room (self);
            HkSchedJob job;
            if (conn == NULL) {
                if (wants_conn (self, now_us, wake_us))
                    connect_to (self);
                break;
            }
            if (!hk_sched_next (self->sched, now_us, &job))
                break;
            start_run (conn, &job);
        }
    }
}
