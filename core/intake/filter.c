/* filter.c: taking a message through the filter plugins (the order is drawn in filter.h).
 */
#include "intake/intake_priv.h"

#include "base/log.h"
#include "mail/header.h"

#define CHUNK ((size_t) 64 * 1024)

/* A filter's part in one message. */
typedef struct {
    const HkIntakeFilter *filter;
    void *session, *message;
    bool is_active, has_session, has_message;
} Part;

typedef struct {
    HkIncoming *incoming;
    HkCall call;
    Part *parts;
    guint n_parts;
    bool is_over; /* refused or thrown away: no further hooks */
} FilterRun;

/* ---- verdicts
 * ------------------------------------------------------------------------------------ */

static void
refuse (FilterRun *run)
{
    const HkCall *call = &run->call;
    int code = call->reply_code >= 400 && call->reply_code <= 599 ? call->reply_code : 550;
    const char *dsn = call->reply_dsn[0] != '\0' ? call->reply_dsn
                      : code < 500               ? "4.7.1"
                                                 : "5.7.1";
    const char *text = call->reply_text != NULL && call->reply_text->len > 0
                           ? call->reply_text->str
                           : "Error: message content rejected";
    hk_incoming_fail (run->incoming, code, dsn, text);
    run->is_over = true;
}

/* NAME_default_action says what a filter that cannot answer means. */
static void
take_failure (FilterRun *run, Part *part)
{
    const char *action = part->filter->on_failure;
    hk_log (HK_LOG_WARNING, "filter %s: %s", part->filter->class->base.name,
            run->call.reason != NULL && run->call.reason->len > 0 ? run->call.reason->str
                                                                  : "failed");
    part->is_active = false;
    if (strcmp (action, "accept") == 0)
        return;
    if (strcmp (action, "hold") == 0 || strcmp (action, "quarantine") == 0) {
        run->incoming->envelope.flags |= HK_ENVELOPE_HOLD;
        return;
    }
    if (strcmp (action, "reject") == 0)
        hk_incoming_fail (run->incoming, 550, "5.5.0", "Service unavailable");
    else
        hk_incoming_fail (run->incoming, 451, "4.7.1",
                          "Service unavailable - try again later");
    run->is_over = true;
}

static void
take_answer (FilterRun *run, Part *part, HkAnswer answer)
{
    switch (hk_call_answer (&run->call, part->filter->instance, answer)) {
    case HK_OK:
    case HK_DUNNO:
        break;
    case HK_PERMIT:
        part->is_active = false;
        break;
    case HK_REJECT:
    case HK_DISCONNECT:
        refuse (run);
        break;
    case HK_DISCARD:
        run->incoming->is_discarded = true;
        run->is_over = true;
        break;
    case HK_HOLD:
        run->incoming->envelope.flags |= HK_ENVELOPE_HOLD;
        break;
    default:
        take_failure (run, part);
        break;
    }
}

/* ---- hooks
 * -----------------------------------------------------------------------------------------
 */

static void
enter (FilterRun *run, Part *part)
{
    hk_call_reset (&run->call);
    hk_instance_enter (part->filter->instance);
}

static void
leave (FilterRun *run, Part *part, HkAnswer answer)
{
    hk_instance_leave (part->filter->instance);
    take_answer (run, part, answer);
}

static void
begin (FilterRun *run, Part *part)
{
    const HkFilterClass *class = part->filter->class;
    void *instance = hk_instance_pointer (part->filter->instance);
    HkAnswer answer = HK_DUNNO;
    part->is_active = true;
    if (HK_HAS (class, HkFilterClass, session_begin)) {
        enter (run, part);
        answer = class->session_begin (instance, &run->call, &part->session);
        leave (run, part, answer);
        part->has_session = part->is_active && !run->is_over;
    }
    if (part->is_active && !run->is_over && HK_HAS (class, HkFilterClass, message_begin)) {
        enter (run, part);
        answer = class->message_begin (instance, part->session, &run->call, &part->message);
        leave (run, part, answer);
        part->has_message = true;
    }
}

static void
finish (FilterRun *run, Part *part)
{
    const HkFilterClass *class = part->filter->class;
    void *instance = hk_instance_pointer (part->filter->instance);
    bool is_lost = run->incoming->code != 0 || run->incoming->is_discarded;
    hk_instance_enter (part->filter->instance);
    if (part->has_message && is_lost && HK_HAS (class, HkFilterClass, abort))
        class->abort (instance, part->message);
    if (part->has_message && HK_HAS (class, HkFilterClass, message_end))
        class->message_end (instance, part->message);
    if (part->has_session && HK_HAS (class, HkFilterClass, session_end))
        class->session_end (instance, part->session);
    hk_instance_leave (part->filter->instance);
}

#define EACH_ACTIVE(run, part, hook)                                                       \
    for (Part *part = (run)->parts; part < (run)->parts + (run)->n_parts; part++)          \
        if (part->is_active && !(run)->is_over &&                                          \
            HK_HAS (part->filter->class, HkFilterClass, hook))

static void
show_recipients (FilterRun *run)
{
    const HkEnvelope *e = &run->incoming->envelope;
    for (size_t i = 0; i < e->n_recipients && !run->is_over; i++) {
        EACH_ACTIVE (run, part, recipient)
        {
            enter (run, part);
            leave (run, part,
                   part->filter->class->recipient (
                       hk_instance_pointer (part->filter->instance), part->message,
                       &run->call, e->recipients[i].address));
        }
    }
}

static void
show_headers (FilterRun *run)
{
    const HkEdits *edits = run->incoming->edits;
    for (size_t i = 0; i < hk_edits_n_headers (edits) && !run->is_over; i++) {
        const HkHeader *header = hk_edits_header (edits, i);
        EACH_ACTIVE (run, part, header)
        {
            enter (run, part);
            leave (run, part,
                   part->filter->class->header (
                       hk_instance_pointer (part->filter->instance), part->message,
                       &run->call, (uint32_t) i, header->name, header->value));
        }
    }
}

static void
show_body (FilterRun *run)
{
    HkSpan body = hk_edits_body (run->incoming->edits);
    for (size_t at = 0; at < body.size && !run->is_over; at += CHUNK) {
        EACH_ACTIVE (run, part, body)
        {
            enter (run, part);
            leave (run, part,
                   part->filter->class->body (hk_instance_pointer (part->filter->instance),
                                              part->message, &run->call,
                                              hk_span_sub (body, at, CHUNK)));
        }
    }
}

static void
ask_commit (FilterRun *run)
{
    EACH_ACTIVE (run, part, commit)
    {
        enter (run, part);
        leave (run, part,
               part->filter->class->commit (hk_instance_pointer (part->filter->instance),
                                            part->message, &run->call));
    }
}

static bool
begin_all (FilterRun *run)
{
    bool is_wanted = false;
    for (guint i = 0; i < run->n_parts && !run->is_over; i++) {
        begin (run, &run->parts[i]);
        is_wanted |= run->parts[i].is_active;
    }
    return is_wanted && !run->is_over;
}

void
hk_incoming_run_filters (HkIncoming *self, HkSpan content)
{
    GArray *filters = self->intake->filters;
    if (filters->len == 0)
        return;
    FilterRun run = {.incoming = self, .n_parts = filters->len};
    run.parts = hk_arena_alloc (self->arena, filters->len * sizeof (Part));
    memset (run.parts, 0, filters->len * sizeof (Part));
    for (guint i = 0; i < filters->len; i++)
        run.parts[i].filter = &g_array_index (filters, HkIntakeFilter, i);
    hk_call_init (&run.call, &hk_intake_call_ops, self);
    run.call.deadline_us = INT64_MAX;
    if (begin_all (&run)) {
        hk_edits_begin (self, content);
        show_recipients (&run);
        show_headers (&run);
        show_body (&run);
        ask_commit (&run);
    }
    for (guint i = 0; i < run.n_parts; i++)
        finish (&run, &run.parts[i]);
    hk_call_clear (&run.call);
    if (self->edits != NULL && self->code == 0 && !self->is_discarded)
        hk_edits_apply (self);
}
