/* session_fakes.c: access, intake and lane as tests and the fuzzer play them. */
#include "config.h"

#include "session/session_fakes.h"

HkFakes hk_fakes;

void
hk_fakes_init (HkLoop *loop)
{
    hk_fakes = (HkFakes){.loop = loop,
                         .log = g_string_new (NULL),
                         .contents = g_ptr_array_new_with_free_func (g_free),
                         .envelopes = g_ptr_array_new_with_free_func (g_free),
                         .result = 250,
                         .keeps_content = true};
}

void
hk_fakes_clear (void)
{
    g_string_free (hk_fakes.log, TRUE);
    g_ptr_array_unref (hk_fakes.contents);
    g_ptr_array_unref (hk_fakes.envelopes);
}

/* ---- events -----------------------------------------------------------------------------
 */

static void
log_prop (const HkEvent *event, unsigned prop, const char *name)
{
    if (event->text[prop].data != NULL)
        g_string_append_printf (hk_fakes.log, " %s=%.*s", name,
                                HK_SPAN_ARG (event->text[prop]));
}

void
hk_events_emit (HkEvents *self, const HkEvent *event)
{
    static const char *const kinds[] = {"?",    "connect", "disconnect",
                                        "lost", "reject",  "client"};
    (void) self;
    bool is_text = event->kind == HK_EVENT_TEXT;
    g_string_append (hk_fakes.log,
                     is_text ? "text" : kinds[event->kind <= 5 ? event->kind : 0]);
    log_prop (event, HK_PROP_STATUS, "status");
    log_prop (event, HK_PROP_STAGE, "stage");
    log_prop (event, HK_PROP_TEXT, "text");
    log_prop (event, HK_PROP_SASL_METHOD, "method");
    log_prop (event, HK_PROP_SASL_USERNAME, "user");
    log_prop (event, HK_PROP_SASL_SENDER, "sasl_sender");
    log_prop (event, HK_PROP_SENDER, "from");
    log_prop (event, HK_PROP_RECIPIENT, "to");
    log_prop (event, HK_PROP_PROTOCOL, "proto");
    log_prop (event, HK_PROP_HELO_NAME, "helo");
    g_string_append_c (hk_fakes.log, '\n');
}

/* ---- lane
 * -------------------------------------------------------------------------------- */

HkQueueId
hk_lane_next_id (HkLane *self)
{
    static HkQueueId id = UINT64_C (0x1234567890);
    (void) self;
    return id++;
}

bool
hk_lane_has_space (HkLane *self, uint64_t size)
{
    (void) self;
    (void) size;
    return !hk_fakes.is_full;
}

/* ---- access
 * ------------------------------------------------------------------------------ */

const char *
hk_stage_name (HkStage stage, bool is_esmtp)
{
    static const char *const names[] = {"CONNECT", "HELO",           "MAIL", "RCPT",
                                        "DATA",    "END-OF-MESSAGE", "VRFY", "ETRN"};
    return stage == HK_STAGE_HELO && is_esmtp ? "EHLO" : names[stage];
}

bool
hk_access_may_block_for (const HkAccess *self, HkStage stage,
                         const HkAccessSubject *subject)
{
    (void) self;
    (void) stage;
    (void) subject;
    return hk_fakes.may_block;
}

void
hk_verdict_init (HkVerdict *self)
{
    *self = (HkVerdict){.text = g_string_new (NULL),
                        .hold_reason = g_string_new (NULL),
                        .filter = g_string_new (NULL),
                        .redirect = g_string_new (NULL),
                        .postponed = g_string_new (NULL),
                        .prepend = g_ptr_array_new_with_free_func (g_free),
                        .bcc = g_ptr_array_new_with_free_func (g_free),
                        .log = g_ptr_array_new_with_free_func (g_free)};
}

void
hk_verdict_clear (HkVerdict *self)
{
    g_string_free (self->text, TRUE);
    g_string_free (self->hold_reason, TRUE);
    g_string_free (self->filter, TRUE);
    g_string_free (self->redirect, TRUE);
    g_string_free (self->postponed, TRUE);
    g_ptr_array_unref (self->prepend);
    g_ptr_array_unref (self->bcc);
    g_ptr_array_unref (self->log);
}

void
hk_verdict_reset (HkVerdict *self)
{
    hk_verdict_clear (self);
    hk_verdict_init (self);
}

static void
decide (HkVerdict *out, int what, int code, const char *dsn, const char *text)
{
    out->what = what;
    out->code = code;
    g_strlcpy (out->dsn, dsn, sizeof out->dsn);
    g_string_assign (out->text, text);
}

static bool
ends_with (HkSpan s, const char *tail)
{
    HkSpan t = hk_span_text (tail);
    return s.size >= t.size &&
           hk_span_is_ci (hk_span_sub (s, s.size - t.size, t.size), tail);
}

static void
run_rules (HkStage stage, const HkAccessSubject *subject, HkVerdict *out)
{
    hk_verdict_reset (out);
    if (stage == HK_STAGE_CONNECT && hk_fakes.refuses_clients)
        decide (out, HK_VERDICT_REJECT, 554, "5.7.1",
                "Client host rejected: Access denied");
    if (stage == HK_STAGE_MAIL && hk_span_starts_ci (subject->sender, HK_SPAN ("spam@")))
        decide (out, HK_VERDICT_REJECT, 554, "5.7.1", "Sender address rejected: no");
    if (stage == HK_STAGE_END_OF_DATA)
        out->hold = hk_span_starts_ci (subject->sender, HK_SPAN ("late@"));
    if (stage != HK_STAGE_RCPT)
        return;
    HkSpan r = subject->recipient;
    if (ends_with (r, "elsewhere.example"))
        decide (out, HK_VERDICT_REJECT, 554, "5.7.1", "Relay access denied");
    else if (ends_with (r, "later.example"))
        decide (out, HK_VERDICT_REJECT, 450, "4.7.1", "try again");
    else if (hk_span_starts_ci (r, HK_SPAN ("bye@")))
        decide (out, HK_VERDICT_DISCONNECT, 421, "4.7.0", "go away");
    else if (hk_span_starts_ci (r, HK_SPAN ("trash@")))
        out->what = HK_VERDICT_DISCARD;
    out->hold = hk_span_starts_ci (r, HK_SPAN ("hold@"));
    if (hk_span_starts_ci (r, HK_SPAN ("prepend@")))
        g_ptr_array_add (out->prepend, g_strdup ("X-Seen: a\r\nX-Injected: b"));
}

bool
hk_access_run (HkAccess *self, HkStage stage, const HkAccessSubject *subject,
               HkVerdict *out)
{
    (void) self;
    run_rules (stage, subject, out);
    return true;
}

/* "wait@" waits until the test calls hk_fakes.ready; "nap@" sleeps for no time. */
struct HkAccessTask {
    HkStage stage;
    const HkAccessSubject *subject;
    HkVerdict *out;
    bool was_asked;
};

bool
hk_access_may_wait (const HkAccess *self, HkStage stage)
{
    (void) self;
    return hk_fakes.waits && stage == HK_STAGE_RCPT;
}

HkAccessTask *
hk_access_task_new (HkAccess *self, HkStage stage, const HkAccessSubject *subject,
                    HkVerdict *out, HkLoop *loop)
{
    (void) self;
    (void) loop;
    HkAccessTask *task = g_new0 (HkAccessTask, 1);
    *task = (HkAccessTask){.stage = stage, .subject = subject, .out = out};
    hk_fakes.n_tasks++;
    return task;
}

HkTaskState
hk_access_task_run (HkAccessTask *self)
{
    if (!self->was_asked && hk_span_starts_ci (self->subject->recipient, HK_SPAN ("nap@"))) {
        self->was_asked = true;
        return HK_TASK_SLEEPS;
    }
    if (!self->was_asked && hk_span_starts_ci (self->subject->recipient, HK_SPAN ("wait@")))
        return HK_TASK_WAITS;
    run_rules (self->stage, self->subject, self->out);
    return HK_TASK_DONE;
}

unsigned
hk_access_task_sleep_s (const HkAccessTask *self)
{
    (void) self;
    return 0;
}

bool
hk_access_task_ask (HkAccessTask *self, void (*ready) (void *data), void *data)
{
    self->was_asked = true;
    hk_fakes.ready = ready;
    hk_fakes.ready_data = data;
    return false;
}

void
hk_access_task_free (HkAccessTask *self)
{
    if (self == NULL)
        return;
    hk_fakes.n_tasks--;
    g_free (self);
}

bool
hk_access_prepares (const HkAccess *self)
{
    (void) self;
    return hk_fakes.waits;
}

/* One name, and without the time that it tells. */
bool
hk_access_is_probe_sender (HkAccess *self, HkSpan recipient, int64_t now_s, GString *out)
{
    (void) self;
    (void) now_s;
    g_string_assign (out, "probe@ours.test");
    return hk_span_is (recipient, "probe2x@ours.test");
}

void
hk_access_prepare (HkAccess *self, const HkAccessSubject *subject)
{
    (void) self;
    g_assert_nonnull (subject->dns);
    hk_fakes.n_prepared++;
}

struct HkDnsMemo {
    int unused;
};

HkDnsMemo *
hk_dns_memo_new (HkResolver *resolver)
{
    (void) resolver;
    return g_new0 (HkDnsMemo, 1);
}

void
hk_dns_memo_free (HkDnsMemo *self)
{
    g_free (self);
}

/* ---- intake
 * ------------------------------------------------------------------------------ */

struct HkIncoming {
    HkQueueId id;
    GString *content;
    uint64_t size;
    HkIntakeDone fn;
    void *data;
    bool is_forgotten;
};

HkIncoming *
hk_incoming_new (HkIntake *self, const HkIncomingOptions *options)
{
    HkIncoming *in = g_new0 (HkIncoming, 1);
    const HkEnvelope *e = options->envelope;
    (void) self;
    in->id = e->queue_id;
    in->content = g_string_new (NULL);
    hk_string_append (in->content, options->received);
    GString *line = g_string_new (NULL);
    g_string_printf (line, "%.*s|%u|", HK_SPAN_ARG (e->sender), e->flags);
    for (size_t i = 0; i < e->n_recipients; i++)
        g_string_append_printf (line, "%s%.*s:%u:%.*s", i > 0 ? "," : "",
                                HK_SPAN_ARG (e->recipients[i].address),
                                e->recipients[i].notify,
                                HK_SPAN_ARG (e->recipients[i].orcpt));
    g_ptr_array_add (hk_fakes.envelopes, g_string_free (line, FALSE));
    return in;
}

bool
hk_incoming_write (HkIncoming *self, HkSpan bytes)
{
    self->size += bytes.size;
    if (hk_fakes.keeps_content)
        hk_string_append (self->content, bytes);
    return true;
}

uint64_t
hk_incoming_size (const HkIncoming *self)
{
    return self->size;
}

void
hk_incoming_set_actions (HkIncoming *self, const HkEnvelope *envelope)
{
    (void) self;
    hk_fakes.end_flags = envelope->flags;
}

static void
incoming_free (HkIncoming *self)
{
    g_string_free (self->content, TRUE);
    g_free (self);
}

static void
done (void *data)
{
    HkIncoming *self = data;
    static const HkLocation where = {1, 1, 0, 100};
    HkIntakeOutcome outcome = {
        .code = hk_fakes.result, .id = self->id, .text = "Error: no"};
    g_strlcpy (outcome.dsn, hk_fakes.result < 500 ? "4.3.0" : "5.3.4", sizeof outcome.dsn);
    if (outcome.code == 250) {
        outcome.where = &where;
        g_ptr_array_add (hk_fakes.contents, g_strdup (self->content->str));
    }
    if (!self->is_forgotten)
        self->fn (&outcome, self->data);
    incoming_free (self);
}

void
hk_incoming_finish (HkIncoming *self, HkIntakeDone fn, void *data)
{
    self->fn = fn;
    self->data = data;
    hk_loop_post (hk_fakes.loop, done, self);
}

void
hk_incoming_abandon (HkIncoming *self)
{
    hk_fakes.n_abandoned++;
    incoming_free (self);
}

void
hk_incoming_forget (HkIncoming *self)
{
    hk_fakes.n_forgotten++;
    self->is_forgotten = true;
}
