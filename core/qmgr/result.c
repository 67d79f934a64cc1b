/* result.c: what delivery processes answer, recipient by recipient and job by job. */
#include "config.h"

#include "base/log.h"
#include "qmgr/dispatch_priv.h"

Run *
hk_run_find (Conn *conn, uint64_t number)
{
    return g_hash_table_lookup (conn->runs, &number);
}

/* ---- one recipient
 * ----------------------------------------------------------------------- */

static void
take_feedback (Run *run, uint32_t flags, HkSpan dsn, HkSpan text)
{
    if (flags & HK_RESULT_SITE_DOWN) {
        run->feedback = HK_SITE_DOWN;
        if (run->reason == NULL)
            run->reason =
                g_strdup_printf ("%.*s %.*s", HK_SPAN_ARG (dsn), HK_SPAN_ARG (text));
    } else if (flags & HK_RESULT_THROTTLED) {
        if (run->feedback != HK_SITE_DOWN)
            run->feedback = HK_SITE_THROTTLED;
    } else if (run->feedback == HK_SITE_UNTRIED) {
        run->feedback = HK_SITE_OK;
    }
}

/* Only what somebody will be told is kept. */
static Report *
report_of (const Active *active, size_t i, int status, HkSpan dsn, HkSpan text,
           HkSpan diagnostic, HkSpan remote)
{
    if (status == HK_STATUS_SENT && active->probe == NULL &&
        !(active->envelope->flags & HK_ENVELOPE_BY) &&
        !(active->envelope->recipients[i].notify & HK_NOTIFY_SUCCESS))
        return NULL;
    return hk_report_new (dsn, text, diagnostic, remote);
}

static void
record (Run *run, size_t k, int status, uint32_t flags, HkUnpack *in)
{
    Active *active = run->active;
    uint32_t i = run->job.recipients[k];
    HkSpan dsn = hk_unpack_span (in), text = hk_unpack_span (in);
    hk_unpack_span (in); /* relay: the agent logged it */
    HkSpan diagnostic = hk_unpack_span (in), remote = hk_unpack_span (in);
    if (in->failed || run->has_result[k])
        return;
    char code[12] = "";
    memcpy (code, dsn.data != NULL ? (const char *) dsn.data : "",
            MIN (dsn.size, sizeof code - 1));
    if (status == HK_STATUS_BOUNCED && active->q->params.soft_bounce &&
        active->probe == NULL) {
        status = HK_STATUS_DEFERRED;
        if (code[0] == '5')
            code[0] = '4';
    }
    run->has_result[k] = 1;
    run->n_results++;
    take_feedback (run, flags, hk_span_text (code), text);
    hk_active_set (
        active, i, status, flags,
        report_of (active, i, status, hk_span_text (code), text, diagnostic, remote));
}

bool
hk_run_result (Conn *conn, HkUnpack *in)
{
    Run *run = hk_run_find (conn, hk_unpack_u64 (in));
    uint64_t k = hk_unpack_u64 (in), status = hk_unpack_u64 (in),
             flags = hk_unpack_u64 (in);
    if (in->failed || run == NULL || k >= run->job.n_recipients)
        return false;
    if (status != HK_STATUS_SENT && status != HK_STATUS_BOUNCED)
        status = HK_STATUS_DEFERRED;
    record (run, (size_t) k, (int) status, (uint32_t) flags, in);
    return !in->failed;
}

/* ---- one job
 * ----------------------------------------------------------------------------- */

/* Recipients that are finished while the message is not: the journal learns of them now. */
static void
journal (Run *run)
{
    Active *active = run->active;
    if (active->probe != NULL)
        return; /* the journal is about messages */
    if (hk_sched_message_pending (active->sched) == 0 &&
        hk_sched_message_running (active->sched) == 1 &&
        active->n_routed == active->envelope->n_recipients)
        return; /* it is settled as a whole */
    for (size_t k = 0; k < run->job.n_recipients; k++) {
        uint32_t i = run->job.recipients[k];
        Recipient *recipient = &active->recipients[i];
        if (recipient->status != HK_STATUS_SENT || recipient->is_recorded)
            continue;
        hk_store_outcome (active->q->store, active->entry, i, HK_STATUS_SENT);
        recipient->is_recorded = true;
    }
}

static void
run_end (Run *run)
{
    Active *active = run->active;
    Conn *conn = run->conn;
    Qmgr *q = active->q;
    g_hash_table_remove (conn->runs, &run->number);
    if (run->own_key != 0 && conn->channel != NULL) {
        hk_pack_u64 (hk_channel_begin (conn->channel, HK_FRAME_FORGET), run->own_key);
        hk_channel_end (conn->channel);
    }
    journal (run);
    hk_sched_job_end (run->job.handle, run->feedback, run->reason,
                      hk_loop_now_us (q->loop));
    q->n_running--;
    g_free (run->reason);
    g_free (run);
    hk_qmgr_wake (q);
    hk_active_check (active);
}

bool
hk_run_done (Conn *conn, HkUnpack *in)
{
    Run *run = hk_run_find (conn, hk_unpack_u64 (in));
    if (in->failed || run == NULL)
        return false;
    for (size_t k = 0; k < run->job.n_recipients; k++)
        if (!run->has_result[k])
            hk_active_defer (run->active, run->job.recipients[k], "4.3.0",
                             "delivery agent gave no result");
    conn->transport->n_failures = 0;
    run_end (run);
    return true;
}

void
hk_run_broken (Run *run)
{
    Active *active = run->active;
    Qmgr *q = active->q;
    bool is_new = active->last_crash != q->n_crashes;
    g_autoptr (GArray) again = g_array_new (FALSE, FALSE, sizeof (uint32_t));
    if (is_new && run->n_results < run->job.n_recipients) {
        active->last_crash = q->n_crashes;
        active->n_crashes++;
    }
    bool retry = active->n_crashes <= 1 && !active->is_deleted && !active->is_held &&
                 !q->is_draining;
    for (size_t k = 0; k < run->job.n_recipients; k++) {
        uint32_t i = run->job.recipients[k];
        if (run->has_result[k])
            continue;
        if (retry)
            g_array_append_val (again, i);
        else if (!active->is_deleted && !q->is_ending)
            hk_active_defer (active, i, "4.3.0", "delivery agent ended unexpectedly");
    }
    run->feedback = HK_SITE_UNTRIED;
    if (again->len > 0)
        hk_sched_job_give_back (run->job.handle, (const uint32_t *) (void *) again->data,
                                again->len);
    run_end (run);
}
