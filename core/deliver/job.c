/* job.c: one message on its way to one next hop: reading it, running it, telling the end.
 */
#include "config.h"

#include "job_priv.h"

#include <stdlib.h>

static void conclude (HkJob *self);

static HkSpan
copy_bounded (HkJob *self, HkSpan s, size_t max)
{
    return s.size == 0 ? HK_SPAN ("")
                       : hk_arena_copy (self->arena, hk_span_sub (s, 0, max));
}

/* ---- outcomes */

void
hk_job_set_outcome (HkJob *self, size_t i, const HkOutcome *outcome)
{
    if (i >= self->envelope->n_recipients || self->outcomes[i].status != 0) {
        hk_log (HK_LOG_WARNING, "%s: %s gave a second result for recipient %zu",
                self->queue_id, self->deliver->transport.agent, i);
        return;
    }
    HkOutcome *own = &self->outcomes[i];
    *own = *outcome;
    if (own->status < HK_STATUS_SENT || own->status > HK_STATUS_FORWARDED)
        own->status = HK_STATUS_DEFERRED;
    if (own->status == HK_STATUS_FORWARDED && (self->envelope->flags & HK_ENVELOPE_PROBE))
        own->status = HK_STATUS_SENT; /* it would be */
    own->dsn = copy_bounded (self, outcome->dsn, 12);
    own->text = copy_bounded (self, outcome->text, 4096);
    own->relay = copy_bounded (self, outcome->relay, 512);
    own->diagnostic = copy_bounded (self, outcome->diagnostic, 4096);
    own->remote = copy_bounded (self, outcome->remote, 512);
    own->forward_sender = copy_bounded (self, outcome->forward_sender, 2048);
    own->forward_header = copy_bounded (self, outcome->forward_header, 16384);
    HkSpan *list = hk_arena_alloc (self->arena, MAX (own->n_forward, 1) * sizeof *list);
    for (size_t k = 0; k < own->n_forward; k++)
        list[k] = copy_bounded (self, outcome->forward[k], 2048);
    own->forward = list;
}

void
hk_job_defer (HkJob *self, size_t i, const char *dsn, const char *text)
{
    HkOutcome outcome = {.status = HK_STATUS_DEFERRED,
                         .dsn = hk_span_text (dsn),
                         .text = hk_span_text (text)};
    hk_job_set_outcome (self, i, &outcome);
}

static void
defer_rest (HkJob *self, const char *dsn, const char *text)
{
    for (size_t i = 0; i < self->envelope->n_recipients; i++)
        if (self->outcomes[i].status == 0)
            hk_job_defer (self, i, dsn, text);
}

/* ---- the end */

static void
job_free (HkJob *self)
{
    hk_timer_disarm (&self->forward_timer);
    hk_call_clear (&self->call);
    hk_content_unref (self->content);
    hk_peer_unref (self->peer);
    hk_envelope_free (self->envelope);
    g_bytes_unref (self->backing);
    hk_arena_free (self->arena);
    g_free (self->outcomes);
    g_free (self->notes);
    g_free (self->visible);
    g_free (self);
}

static void
report (HkJob *self)
{
    HkChannel *channel = hk_peer_channel (self->peer);
    for (size_t i = 0; i < self->envelope->n_recipients; i++) {
        const HkOutcome *outcome = &self->outcomes[i];
        hk_outcome_emit (self->deliver, self, self->queue_id, i, outcome, self->started_us);
        if (channel == NULL)
            continue;
        hk_outcome_pack (hk_channel_begin (channel, HK_FRAME_RESULT), self->number, i,
                         outcome);
        hk_channel_end (channel);
    }
    if (channel != NULL) {
        hk_pack_u64 (hk_channel_begin (channel, HK_FRAME_JOB_DONE), self->number);
        hk_channel_end (channel);
    }
}

static void
forwards_ended (HkJob *self)
{
    g_ptr_array_remove_fast (self->deliver->forwarding, self);
    conclude (self);
}

static void
forward_timeout (HkLoopTimer *timer)
{
    HkJob *self = timer->data;
    for (size_t i = 0; i < self->envelope->n_recipients; i++)
        if (self->outcomes[i].status == HK_STATUS_FORWARDED) {
            self->outcomes[i].status = 0;
            hk_job_defer (self, i, "4.3.0", "the queue manager does not forward mail");
        }
    forwards_ended (self);
}

static void
ask_forward (HkJob *self, HkChannel *channel, size_t i)
{
    HkOutcome *outcome = &self->outcomes[i];
    GByteArray *out = hk_channel_begin (channel, HK_FRAME_FORWARD);
    hk_pack_u64 (out, self->number);
    hk_pack_u64 (out, i);
    hk_pack_span (out, outcome->forward_sender);
    hk_pack_span (out, outcome->forward_header);
    hk_pack_u64 (out, outcome->n_forward);
    for (size_t k = 0; k < outcome->n_forward; k++)
        hk_pack_span (out, outcome->forward[k]);
    hk_channel_end (channel);
    outcome->is_asked = true;
    self->n_forwards++;
}

/* True: the job waits for qmgr's answers.  A child leaves forwarding to its parent. */
static bool
ask_forwards (HkJob *self)
{
    HkChannel *channel = hk_peer_channel (self->peer);
    if (self->deliver->is_child || channel == NULL)
        return false;
    for (size_t i = 0; i < self->envelope->n_recipients; i++)
        if (self->outcomes[i].status == HK_STATUS_FORWARDED && !self->outcomes[i].is_asked)
            ask_forward (self, channel, i);
    if (self->n_forwards == 0)
        return false;
    g_ptr_array_add (self->deliver->forwarding, self);
    hk_timer_init (&self->forward_timer, self->deliver->loop, forward_timeout, self);
    hk_timer_arm (&self->forward_timer, self->deliver->forward_timeout_us);
    return true;
}

static void
job_forwarded (HkJob *self, size_t i, bool is_durable, HkSpan text)
{
    HkOutcome *outcome = &self->outcomes[i];
    if (outcome->status != HK_STATUS_FORWARDED || !outcome->is_asked)
        return;
    if (is_durable) {
        g_autofree char *said = g_strdup_printf ("forwarded as %.*s", HK_SPAN_ARG (text));
        outcome->status = HK_STATUS_SENT;
        outcome->flags |= HK_RESULT_BY_RELAYED; /* the new message has it */
        outcome->dsn = HK_SPAN ("2.0.0");
        outcome->text = hk_arena_copy (self->arena, hk_span_text (said));
    } else {
        g_autofree char *said =
            g_strdup_printf ("unable to forward: %.*s", HK_SPAN_ARG (text));
        outcome->status = 0;
        hk_job_defer (self, i, "4.3.0", said);
    }
    if (--self->n_forwards == 0)
        forwards_ended (self);
}

void
hk_job_forwarded (HkPeer *peer, HkDeliver *deliver, HkSpan payload)
{
    HkUnpack in = hk_unpack (payload);
    uint64_t number = hk_unpack_u64 (&in), i = hk_unpack_u64 (&in);
    bool is_durable = hk_unpack_u64 (&in) == 0;
    HkSpan text = hk_unpack_span (&in);
    for (guint k = 0; !in.failed && k < deliver->forwarding->len; k++) {
        HkJob *job = deliver->forwarding->pdata[k];
        if (job->peer == peer && job->number == number) {
            if (i < job->envelope->n_recipients)
                job_forwarded (job, (size_t) i, is_durable, hk_span_sub (text, 0, 512));
            return;
        }
    }
}

void
hk_job_peer_lost (HkPeer *peer, HkDeliver *deliver)
{
    for (guint k = deliver->forwarding->len; k-- > 0;) {
        HkJob *job = deliver->forwarding->pdata[k];
        if (job->peer == peer)
            forward_timeout (&job->forward_timer);
    }
}

static void
conclude (HkJob *self)
{
    HkDeliver *deliver = self->deliver;
    report (self);
    job_free (self);
    hk_deliver_job_ended (deliver);
}

static void
finish (HkJob *self)
{
    const char *dsn = self->answer == HK_BROKEN ? "4.3.5" : "4.3.0";
    const char *text = self->call.reason != NULL && self->call.reason->len > 0
                           ? self->call.reason->str
                           : "the delivery agent gave no result";
    defer_rest (self, dsn, text);
    if (!ask_forwards (self))
        conclude (self);
}

void
hk_job_part_ended (HkJob *self)
{
    if (--self->n_parts == 0)
        finish (self);
}

/* ---- running */

static void
complete_on_loop (void *data)
{
    HkJob *self = data;
    if (self->is_starting)
        self->is_completed = true;
    else
        hk_job_part_ended (self);
}

void
hk_job_complete (HkJob *self)
{
    if (pthread_equal (pthread_self (), self->deliver->loop_thread))
        complete_on_loop (self);
    else
        hk_loop_post (self->deliver->loop, complete_on_loop, self);
}

static void
run_async (HkJob *self)
{
    HkDeliverTransport *t = &self->deliver->transport;
    self->is_starting = true;
    self->answer = t->class->start (t->pointer, &self->call);
    self->is_starting = false;
    if (self->is_completed || self->answer != HK_OK)
        hk_job_part_ended (self);
}

/* Ask the plugin whose rights recipient I needs.  False: it is deferred. */
static bool
ask_user (HkJob *self, size_t i, HkUser *out, bool *out_is_known)
{
    HkDeliverTransport *t = &self->deliver->transport;
    hk_call_reset (&self->call);
    *out = (HkUser){.size = sizeof *out};
    HkAnswer answer = t->class->user (t->pointer, &self->call, i, out);
    if (answer == HK_OK || answer == HK_FOUND || answer == HK_ABSENT) {
        *out_is_known = answer != HK_ABSENT;
        GString *value = self->call.value;
        if (self->call.n_answers > 0 && value != NULL)
            self->notes[i] = hk_arena_copy (self->arena, hk_span_string (value));
        return true;
    }
    GString *reason = self->call.reason;
    hk_job_defer (self, i, answer == HK_LATER ? "4.3.0" : "4.3.5",
                  reason != NULL && reason->len > 0 ? reason->str
                                                    : "mail system configuration error");
    return false;
}

static void
enter (HkJob *self)
{
    if (self->deliver->transport.instance != NULL)
        hk_instance_enter (self->deliver->transport.instance);
}

static void
leave (HkJob *self)
{
    if (self->deliver->transport.instance != NULL)
        hk_instance_leave (self->deliver->transport.instance);
}

/* Recipients that may go on become `visible`. */
static void
ask_users (HkJob *self)
{
    self->notes = g_new0 (HkSpan, self->envelope->n_recipients);
    self->n_visible = 0;
    for (uint32_t i = 0; i < self->envelope->n_recipients; i++) {
        HkUser user;
        bool is_known;
        if (ask_user (self, i, &user, &is_known))
            self->visible[self->n_visible++] = i;
    }
    hk_call_reset (&self->call);
}

static void
work (void *data)
{
    HkJob *self = data;
    HkDeliverTransport *t = &self->deliver->transport;
    enter (self);
    if (t->class->user != NULL && self->notes == NULL)
        ask_users (self);
    self->answer =
        self->n_visible > 0 ? t->class->deliver (t->pointer, &self->call) : HK_OK;
    leave (self);
}

static void
worked (void *data)
{
    hk_job_part_ended (data);
}

typedef struct {
    HkUser user;
    uint32_t recipient;
} Claim;

static int
compare_claims (const void *a, const void *b)
{
    const Claim *x = a, *y = b;
    if (x->user.uid != y->user.uid)
        return x->user.uid < y->user.uid ? -1 : 1;
    if (x->user.gid != y->user.gid)
        return x->user.gid < y->user.gid ? -1 : 1;
    return x->recipient < y->recipient ? -1 : x->recipient > y->recipient;
}

/* As root: give each user's recipients to the process of this user. */
static void
run_as_users (HkJob *self)
{
    HkDeliver *deliver = self->deliver;
    size_t n = self->envelope->n_recipients, n_claims = 0;
    g_autofree Claim *claims = g_new0 (Claim, n);
    g_autofree uint32_t *indexes = g_new0 (uint32_t, n);
    self->notes = g_new0 (HkSpan, n);
    enter (self);
    for (uint32_t i = 0; i < n; i++) {
        HkUser user;
        bool is_known = false;
        if (!ask_user (self, i, &user, &is_known))
            continue;
        if (is_known && (user.uid == 0 || user.gid == 0))
            hk_job_defer (self, i, "4.3.5",
                          "mail is never delivered with the rights of root");
        else
            claims[n_claims++] = (Claim){user, i};
        if (!is_known)
            claims[n_claims - 1].user = deliver->nobody;
    }
    leave (self);
    hk_call_reset (&self->call);
    qsort (claims, n_claims, sizeof *claims, compare_claims);
    self->n_parts = 1; /* ours, so that an early end does not free the job */
    for (size_t from = 0, to; from < n_claims; from = to) {
        for (to = from; to < n_claims && claims[to].user.uid == claims[from].user.uid &&
                        claims[to].user.gid == claims[from].user.gid;
             to++)
            indexes[to - from] = claims[to].recipient;
        self->n_parts++;
        hk_children_run (deliver->children, self, &claims[from].user, indexes, to - from);
    }
    hk_job_part_ended (self);
}

static void
run (HkJob *self)
{
    HkDeliver *deliver = self->deliver;
    self->n_parts = 1;
    if (deliver->children != NULL)
        run_as_users (self);
    else if (deliver->transport.class->start != NULL)
        run_async (self);
    else
        hk_workers_run (deliver->workers, work, worked, self);
}

/* No content is there, and no plugin that does not know of probes may see one: what comes that
 * far would be delivered as far as anybody knows. */
static void
run_probe (HkJob *self)
{
    const HkDeliverTransport *t = &self->deliver->transport;
    if (t->class->transport_flags & HK_TRANSPORT_PROBES) {
        run (self);
        return;
    }
    g_autofree char *text = g_strdup_printf ("delivers through %s", t->service);
    HkOutcome outcome = {.status = HK_STATUS_SENT,
                         .flags = HK_RESULT_FINAL,
                         .dsn = HK_SPAN ("2.0.0"),
                         .text = hk_span_text (text),
                         .relay = hk_span_text (t->service)};
    for (size_t i = 0; i < self->envelope->n_recipients; i++)
        hk_job_set_outcome (self, i, &outcome);
    self->n_parts = 1;
    hk_job_part_ended (self);
}

/* ---- reading */

static bool
read_notes (HkJob *self, HkUnpack *in)
{
    uint64_t n = hk_unpack_u64 (in);
    if (in->failed || n != self->envelope->n_recipients)
        return false;
    self->notes = g_new0 (HkSpan, n);
    for (uint64_t i = 0; i < n; i++)
        self->notes[i] = hk_unpack_span (in);
    return !in->failed;
}

/* Fills SELF from the frame in its backing. OUT_KEY: of the content. */
static bool
read_frame (HkJob *self, uint64_t *out_key)
{
    HkSpan payload = hk_span_bytes (self->backing);
    HkUnpack in = hk_unpack (payload);
    self->number = hk_unpack_u64 (&in);
    *out_key = hk_unpack_u64 (&in);
    self->offset = hk_unpack_u64 (&in);
    self->size = hk_unpack_u64 (&in);
    self->active_us = hk_unpack_i64 (&in);
    uint64_t retries = hk_unpack_u64 (&in);
    self->retries = (unsigned) MIN (retries, UINT_MAX);
    self->nexthop = hk_unpack_span (&in);
    self->packed = hk_unpack_span (&in);
    if (in.failed)
        return false;
    g_autoptr (GBytes) packed = g_bytes_new_from_bytes (
        self->backing, (size_t) (self->packed.data - payload.data), self->packed.size);
    self->envelope = hk_envelope_unpack (packed);
    if (self->envelope == NULL)
        return false;
    return in.at == in.end || read_notes (self, &in);
}

static void
make_ready (HkJob *self)
{
    size_t n = self->envelope->n_recipients;
    hk_queue_id_format (self->envelope->queue_id, self->queue_id);
    self->outcomes = g_new0 (HkOutcome, MAX (n, 1));
    self->visible = g_new (uint32_t, MAX (n, 1));
    for (uint32_t i = 0; i < n; i++)
        self->visible[i] = i;
    self->n_visible = n;
    self->started_us = hk_wall_us (hk_loop_clock (self->deliver->loop));
}

static void
find_content (HkJob *self, HkContent **slot)
{
    uint64_t end = self->offset + self->size;
    if (slot == NULL || *slot == NULL)
        defer_rest (self, "4.3.0", "the message file was not handed over");
    else if (end < self->offset || !hk_content_reach (slot, end))
        defer_rest (self, "4.3.0", "the message file cannot be read");
    else
        self->content = hk_content_ref (*slot);
}

bool
hk_job_start (HkDeliver *deliver, HkPeer *peer, HkSpan payload, HkContentSlotFn slot)
{
    HkJob *self = g_new0 (HkJob, 1);
    uint64_t key;
    self->deliver = deliver;
    self->peer = hk_peer_ref (peer);
    self->backing = g_bytes_new (payload.data, payload.size);
    self->arena = hk_arena_new (2048);
    hk_call_init (&self->call, &hk_job_ops, self);
    self->call.deadline_us = INT64_MAX;
    if (!read_frame (self, &key)) {
        hk_log (HK_LOG_ERROR, "a job that does not read came from the queue manager");
        job_free (self);
        return false;
    }
    deliver->n_jobs++;
    make_ready (self);
    if (self->envelope->flags & HK_ENVELOPE_PROBE) {
        run_probe (self);
        return true;
    }
    find_content (self, slot (peer, key));
    if (self->content == NULL) {
        self->n_parts = 1;
        hk_job_part_ended (self);
    } else {
        run (self);
    }
    return true;
}
