/* run.c: running plans: one step after the other until one decides. */
#include "access/access_priv.h"

#include "base/log.h"
#include "mail/reply.h"

#include <stdarg.h>

/* ---- refusing
 * ------------------------------------------------------------------------------- */

void
hk_access_log (HkAccessRun *run, const char *status, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    g_autofree char *text = g_strdup_vprintf (format, args);
    va_end (args);
    g_ptr_array_add (run->out->log, g_strconcat (status, "\t", text, NULL));
}

void
hk_access_log_permit (HkAccessRun *run, HkSpan action, HkReplySubject subject,
                      const char *table)
{
    if (run->access->permit_log == NULL || run->permit_is_logged)
        return;
    run->permit_is_logged = true;
    if (hk_match_list_find (run->access->permit_log, action, HK_SPAN_NONE, NULL) ==
        HK_FOUND)
        hk_access_log (run, "permit", "action=%.*s for %s=%.*s %s%s", HK_SPAN_ARG (action),
                       subject.class, HK_SPAN_ARG (subject.name),
                       table != NULL ? "from " : "", table != NULL ? table : "");
}

void
hk_access_postpone (HkPostponed *slot, int code, const char *dsn, HkSpan text)
{
    if (slot->is_set) /* the first one is the one to report */
        return;
    slot->is_set = true;
    slot->code = code;
    g_strlcpy (slot->dsn, dsn, sizeof slot->dsn);
    slot->text = g_string_new_len ((const char *) text.data, (gssize) text.size);
}

static void
record_refusal (HkAccessRun *run, int code, const char *dsn, HkSpan text)
{
    HkVerdict *out = run->out;
    bool hangs_up = code == 421 || code == 521;
    out->what = hangs_up ? HK_VERDICT_DISCONNECT : HK_VERDICT_REJECT;
    out->code = code;
    g_strlcpy (out->dsn, dsn, sizeof out->dsn);
    /* The class of the status is the class of the reply, whatever was configured. */
    if (out->dsn[0] != '\0' && out->dsn[1] == '.')
        out->dsn[0] = code < 500 ? '4' : '5';
    g_string_truncate (out->text, 0);
    hk_string_append (out->text, text);
    run->is_refused = true;
}

HkAnswer
hk_access_refuse (HkAccessRun *run, int code, const char *dsn, HkSpan text)
{
    if (run->is_warning) {
        char fit[12];
        g_strlcpy (fit, dsn, sizeof fit);
        fit[0] = code < 500 ? '4' : '5';
        hk_access_log (run, "reject_warning", "%d %s %.*s", code, fit, HK_SPAN_ARG (text));
        return HK_DUNNO;
    }
    /* Later either way: what a permit would have waited for tells more. */
    const HkPostponed *later = run->if_permit.is_set ? &run->if_permit : &run->if_reject;
    if (run->if_reject.is_set && code >= 500)
        record_refusal (run, later->code, later->dsn, hk_span_string (later->text));
    else
        record_refusal (run, code, dsn, text);
    return run->out->what == HK_VERDICT_DISCONNECT ? HK_DISCONNECT : HK_REJECT;
}

HkAnswer
hk_access_refuse_f (HkAccessRun *run, int code, const char *dsn, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    g_autofree char *text = g_strdup_vprintf (format, args);
    va_end (args);
    return hk_access_refuse (run, code, dsn, hk_span_text (text));
}

static HkAnswer
refuse_unavailable (HkAccessRun *run, const char *reason)
{
    HkReplySubject subject = hk_access_step_subject (run);
    if (reason != NULL)
        hk_log (HK_LOG_WARNING, "%s: %s", run->step->word, reason);
    return hk_access_refuse_f (run, 451, "4.3.0", "<%.*s>: Temporary lookup failure",
                               HK_SPAN_ARG (subject.name));
}

/* A mistake of the configuration is none that warn_if_reject makes harmless. */
static HkAnswer
refuse_broken (HkAccessRun *run, const char *reason)
{
    hk_log (HK_LOG_WARNING, "%s: %s", run->step->word,
            reason != NULL ? reason : "wrong configuration");
    run->is_warning = false;
    return hk_access_refuse_f (run, 451, "4.3.5", "Server configuration error");
}

/* ---- one step
 * ---------------------------------------------------------------------------------- */

static bool
is_ready (const HkAccessSubject *s, uint32_t needs)
{
    return ((needs & HK_NEEDS_HELO) == 0 || s->has_helo) &&
           ((needs & HK_NEEDS_SENDER) == 0 || s->has_sender) &&
           ((needs & HK_NEEDS_RECIPIENT) == 0 || s->has_recipient);
}

/* The reply that the restriction gave, completed. */
typedef struct {
    int code;
    const char *dsn;
    HkSpan text;
} GivenReply;

static GivenReply
given_reply (const HkCall *call, int code, const char *dsn, const char *text)
{
    GivenReply given = {call->reply_code, call->reply_dsn, HK_SPAN_NONE};
    if (given.code < 400 || given.code > 599)
        given.code = code;
    if (given.dsn[0] == '\0')
        given.dsn = dsn;
    given.text = call->reply_text != NULL && call->reply_text->len > 0
                     ? hk_span_string (call->reply_text)
                     : hk_span_text (text);
    return given;
}

static HkAnswer
postpone_given (HkAccessRun *run, HkPostponed *slot, const HkCall *call)
{
    GivenReply given = given_reply (call, 450, "4.7.1", "Service unavailable");
    if (run->is_warning && slot == &run->if_permit)
        return hk_access_refuse (run, given.code, given.dsn, given.text);
    hk_access_postpone (slot, given.code, given.dsn, given.text);
    return HK_DUNNO;
}

static HkAnswer
refuse_given (HkAccessRun *run, const HkCall *call, HkAnswer answer)
{
    GivenReply given =
        given_reply (call, answer == HK_DISCONNECT ? 421 : 554,
                     answer == HK_DISCONNECT ? "4.7.0" : "5.7.1", "Access denied");
    HkAnswer result = hk_access_refuse (run, given.code, given.dsn, given.text);
    if (result == HK_REJECT && answer == HK_DISCONNECT) {
        run->out->what = HK_VERDICT_DISCONNECT;
        return HK_DISCONNECT;
    }
    return result;
}

static const char *
call_reason (const HkCall *call)
{
    return call->reason != NULL && call->reason->len > 0 ? call->reason->str : NULL;
}

/* What a permit is logged as: the word itself. */
static HkAnswer
permit (HkAccessRun *run)
{
    if (run->access->permit_log != NULL)
        hk_access_log_permit (run, hk_span_text (run->step->class->base.name),
                              hk_access_step_subject (run), NULL);
    return HK_PERMIT;
}

static HkAnswer
take_answer (HkAccessRun *run, const HkCall *call, HkAnswer answer)
{
    /* An action or a nested list has refused already, with its own reply. */
    if (run->is_refused) {
        if (call_reason (call) != NULL)
            hk_log (HK_LOG_WARNING, "%s: %s", run->step->word, call_reason (call));
        return run->out->what == HK_VERDICT_DISCONNECT ? HK_DISCONNECT : HK_REJECT;
    }
    switch (answer) {
    case HK_OK:
    case HK_DUNNO:
    case HK_ABSENT:
        return HK_DUNNO;
    case HK_PERMIT:
        return permit (run);
    case HK_REJECT:
    case HK_DISCONNECT:
        return refuse_given (run, call, answer);
    case HK_DEFER_IF_PERMIT:
        return postpone_given (run, &run->if_permit, call);
    case HK_DEFER_IF_REJECT:
        return postpone_given (run, &run->if_reject, call);
    case HK_NESTED:
        if (run->nested == NULL)
            return refuse_broken (run, "it returned what only an action gives");
        return HK_NESTED;
    case HK_DISCARD:
        return run->is_warning ? HK_DUNNO : HK_DISCARD;
    case HK_HOLD:
        run->out->hold |= !run->is_warning;
        return HK_DUNNO;
    case HK_LATER:
        return refuse_unavailable (run, call_reason (call));
    default:
        return refuse_broken (run, call_reason (call));
    }
}

HkAnswer
hk_access_take_answer (HkAccessRun *run, HkCall *call, const HkStep *step, HkAnswer answer)
{
    return take_answer (run, call, hk_call_answer (call, step->instance, answer));
}

static HkAnswer
ask_instance (HkAccessRun *run, const HkStep *step)
{
    HkCall call;
    HkCall *outer = run->call;
    if (!is_ready (run->subject, step->class->needs))
        return HK_DUNNO;
    if (hk_step_waits (step))
        return hk_access_give_up (run);
    hk_call_init (&call, &hk_access_call_ops, run);
    run->call = &call;
    run->permit_is_logged = false;
    hk_instance_enter (step->instance);
    HkAnswer answer = step->class->check (hk_instance_pointer (step->instance), &call);
    hk_instance_leave (step->instance);
    answer = hk_access_take_answer (run, &call, step, answer);
    hk_call_clear (&call);
    run->call = outer;
    return answer;
}

static HkAnswer
postpone_by_word (HkAccessRun *run, HkPostponed *slot, const char *word)
{
    HkReplySubject subject = hk_access_reply_subject (run, NULL);
    g_autofree char *text =
        g_strdup_printf ("<%.*s>: %s rejected: %s requested", HK_SPAN_ARG (subject.name),
                         subject.class, word);
    if (run->is_warning && slot == &run->if_permit)
        return hk_access_refuse (run, 450, "4.7.0", hk_span_text (text));
    hk_access_postpone (slot, 450, "4.7.0", hk_span_text (text));
    return HK_DUNNO;
}

static HkAnswer
run_step (HkAccessRun *run, const HkStep *step)
{
    switch (step->kind) {
    case HK_STEP_RESTRICTION:
        return ask_instance (run, step);
    case HK_STEP_CLASS:
        return hk_access_run_plan (run, step->plan);
    case HK_STEP_DEFER_IF_PERMIT:
        return postpone_by_word (run, &run->if_permit, "defer_if_permit");
    case HK_STEP_DEFER_IF_REJECT:
        return postpone_by_word (run, &run->if_reject, "defer_if_reject");
    case HK_STEP_SLEEP:
        return step->seconds > 0 ? hk_access_give_up (run) : HK_DUNNO;
    case HK_STEP_UNKNOWN:
        return refuse_broken (run, step->problem);
    case HK_STEP_UNAVAILABLE:
        return refuse_unavailable (run, step->problem);
    }
    return HK_DUNNO;
}

HkAnswer
hk_access_run_plan (HkAccessRun *run, const HkPlan *plan)
{
    const HkStep *outer = run->step;
    bool was_warning = run->is_warning;
    HkAnswer answer = HK_DUNNO;
    for (guint i = 0; i < plan->steps->len && answer == HK_DUNNO; i++) {
        run->step = &g_array_index (plan->steps, HkStep, i);
        run->is_warning = was_warning || run->step->is_warning;
        answer = run_step (run, run->step);
    }
    run->is_warning = was_warning;
    run->step = outer;
    return answer;
}

/* ---- a stage
 * -------------------------------------------------------------------------------------- */

/* smtpd_reject_unlisted_*: what no restriction has asked. */
static HkAnswer
check_listed (HkAccessRun *run, HkSpan address, bool is_sender)
{
    HkUnlisted unlisted = {0};
    char *reason = NULL;
    HkAnswer answer = hk_router_listed (run->access->router, address, &unlisted, &reason);
    if (answer == HK_FOUND) {
        g_free (reason);
        return HK_DUNNO;
    }
    if (answer == HK_ABSENT) {
        const char *dsn = unlisted.dsn;
        int class = HK_DEST_OTHER;
        if (is_sender && strcmp (dsn, "5.1.1") == 0) /* as Postfix turns it */
            dsn = hk_router_class (run->access->router, address, &class, NULL) == HK_OK &&
                          class == HK_DEST_VIRTUAL_ALIAS
                      ? "5.1.7"
                      : "5.1.0";
        if (is_sender && strcmp (dsn, "4.1.1") == 0)
            dsn = "4.1.0";
        answer = hk_access_refuse_f (
            run, unlisted.code, dsn, "<%.*s>: %s rejected: %s", HK_SPAN_ARG (address),
            is_sender ? "Sender address" : "Recipient address", unlisted.text);
    } else {
        hk_log (HK_LOG_WARNING, "%s", reason != NULL ? reason : "lookup failed");
        answer = hk_access_refuse_f (run, 451, "4.3.0", "<%.*s>: Temporary lookup failure",
                                     HK_SPAN_ARG (address));
    }
    g_free (reason);
    return answer;
}

/* defer_if_reject is for the list in which it stands. */
void
hk_access_begin_list (HkAccessRun *run, int list)
{
    run->list = list;
    if (run->if_reject.text != NULL)
        g_string_free (run->if_reject.text, TRUE);
    run->if_reject = (HkPostponed){0};
}

/* RFC 5321 4.5.1: <postmaster> without a domain is reached whatever the lists say. */
static bool
is_postmaster (const HkAccessRun *run)
{
    return (run->stage == HK_STAGE_RCPT || run->stage == HK_STAGE_VRFY) &&
           hk_span_is_ci (run->subject->recipient, "postmaster");
}

bool
hk_access_skips_list (const HkAccessRun *run, int list)
{
    return run->access->lists[list]->steps->len == 0 || is_postmaster (run) ||
           (list == HK_LIST_SENDER && !run->subject->has_sender); /* VRFY */
}

static void
run_lists (HkAccessRun *run)
{
    int lists[5];
    size_t n = hk_access_lists_of (run->access, run->stage, lists);
    for (size_t i = 0; i < n && !run->is_refused; i++) {
        if (hk_access_skips_list (run, lists[i]))
            continue;
        hk_access_begin_list (run, lists[i]);
        if (hk_access_run_plan (run, run->access->lists[lists[i]]) == HK_DISCARD)
            run->out->what = HK_VERDICT_DISCARD;
    }
}

/* "if permit" is known at RCPT: what an earlier stage postponed goes on waiting until then. */
static void
take_postponed (HkAccessRun *run, bool is_recipient_stage)
{
    HkSpan text, earlier = run->subject->postponed;
    const HkPostponed *slot = &run->if_permit;
    char dsn[12];
    int code;
    if (run->is_refused)
        return;
    if (slot->is_set && run->stage < HK_STAGE_RCPT)
        g_string_printf (run->out->postponed, "%d %s %s", slot->code, slot->dsn,
                         slot->text->str);
    else if (slot->is_set)
        record_refusal (run, slot->code, slot->dsn, hk_span_string (slot->text));
    else if (is_recipient_stage && hk_reply_split (earlier, &code, dsn, &text))
        record_refusal (run, code, dsn, text);
}

static void
run_final_checks (HkAccessRun *run)
{
    const HkAccessSubject *s = run->subject;
    bool is_recipient_stage = run->stage == HK_STAGE_RCPT || run->stage == HK_STAGE_VRFY;
    if (is_postmaster (run))
        return;
    take_postponed (run, is_recipient_stage);
    if (!is_recipient_stage || run->out->what == HK_VERDICT_DISCARD ||
        run->access->takes_unknown)
        return;
    if (!run->is_refused && run->access->checks_sender && s->has_sender &&
        s->sender.size > 0)
        check_listed (run, s->sender, true);
    if (!run->is_refused && run->access->checks_recipient && s->has_recipient &&
        !run->recipient_known)
        check_listed (run, s->recipient, false);
}

void
hk_access_run_clear (HkAccessRun *run)
{
    GString *const lent[] = {run->if_permit.text, run->if_reject.text, run->client,
                             run->reply_subject, run->reason, run->standard_sender,
                             run->standard_recipient};
    for (size_t i = 0; i < G_N_ELEMENTS (lent); i++)
        if (lent[i] != NULL)
            g_string_free (lent[i], TRUE);
}

bool
hk_access_run (HkAccess *self, HkStage stage, const HkAccessSubject *subject,
               HkVerdict *out)
{
    HkAccessRun run = {.access = self, .subject = subject, .out = out, .stage = stage};
    hk_verdict_reset (out);
    run_lists (&run);
    if (!run.must_wait)
        run_final_checks (&run);
    hk_access_run_clear (&run);
    return !run.must_wait;
}

/* ---- for task.c
 * ------------------------------------------------------------------------------ */

HkAnswer
hk_access_run_step (HkAccessRun *run, const HkStep *step)
{
    return run_step (run, step);
}

bool
hk_access_is_ready (const HkAccessRun *run, const HkStep *step)
{
    return is_ready (run->subject, step->class->needs);
}

void
hk_access_final_checks (HkAccessRun *run)
{
    run_final_checks (run);
}
