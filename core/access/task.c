/* task.c: runs of the lists that may stop at a restriction and go on when it has its answer.
 *
 * What run.c does by recursion is done here with a stack of frames, one for each list that is
 * open, so that nothing of the run is on the C stack while it waits. */
#include "access/access_priv.h"

#include "base/log.h"

/* A list that leads back to itself through answers of servers must end. */
#define MAX_ASKED 100

/* A list that is being run. */
typedef struct {
    const HkPlan *plan;
    guint at; /* the step that is next */
    bool was_warning;
    HkReplySubject outer; /* of the list around it */
} Frame;

struct HkAccessTask {
    HkAccessRun run;
    HkLoop *loop;
    int lists[5];
    size_t n_lists, at_list;
    GArray *frames;  /* Frame */
    HkCall call;     /* of the step that waits */
    void *state;     /* the plugin's */
    HkAnswer answer; /* what check_start gave */
    enum { TASK_RUNS, TASK_WANTS, TASK_STARTS, TASK_PENDING, TASK_ANSWERED } phase;
    unsigned n_asked;
    HkTurnHook hook;
    void (*ready) (void *data);
    void *ready_data;
};

static void
tell_ready (void *data)
{
    HkAccessTask *self = data;
    self->ready (self->ready_data);
}

HkAccessTask *
hk_access_task_new (HkAccess *access, HkStage stage, const HkAccessSubject *subject,
                    HkVerdict *out, HkLoop *loop)
{
    HkAccessTask *self = g_new0 (HkAccessTask, 1);
    self->run = (HkAccessRun){
        .access = access, .subject = subject, .out = out, .stage = stage, .task = self};
    self->loop = loop;
    self->n_lists = hk_access_lists_of (access, stage, self->lists);
    self->frames = g_array_new (FALSE, FALSE, sizeof (Frame));
    self->hook = (HkTurnHook){.fn = tell_ready, .data = self};
    hk_verdict_reset (out);
    return self;
}

static const HkRestrictionClass *
class_of (const HkAccessTask *self)
{
    return self->run.step->class;
}

static bool
has_state (const HkAccessTask *self)
{
    return self->phase == TASK_PENDING ||
           (self->phase == TASK_ANSWERED && self->answer == HK_OK);
}

void
hk_access_task_free (HkAccessTask *self)
{
    if (self == NULL)
        return;
    hk_loop_cancel_turn_end (self->loop, &self->hook);
    if (has_state (self))
        class_of (self)->check_cancel (hk_instance_pointer (self->run.step->instance),
                                       &self->call, self->state);
    if (self->phase != TASK_RUNS && self->phase != TASK_WANTS)
        hk_call_clear (&self->call);
    hk_access_run_clear (&self->run);
    g_array_unref (self->frames);
    g_free (self);
}

/* ---- running
 * ------------------------------------------------------------------------------------- */

static void
push (HkAccessTask *self, const HkPlan *plan)
{
    Frame frame = {
        .plan = plan, .was_warning = self->run.is_warning, .outer = self->run.outer};
    g_array_append_val (self->frames, frame);
    self->run.depth = self->frames->len;
}

static void
pop (HkAccessTask *self)
{
    Frame *top = &g_array_index (self->frames, Frame, self->frames->len - 1);
    self->run.is_warning = top->was_warning;
    self->run.outer = top->outer;
    g_array_set_size (self->frames, self->frames->len - 1);
    self->run.depth = self->frames->len;
}

/* The list at hand is over: with a decision or because its steps are. */
static void
end_list (HkAccessTask *self, HkAnswer answer)
{
    if (answer == HK_DISCARD)
        self->run.out->what = HK_VERDICT_DISCARD;
    while (self->frames->len > 0)
        pop (self);
    self->run.is_warning = false;
    self->run.step = NULL;
}

/* The next list with steps; false: there is none, or no need of one. */
static bool
begin_list (HkAccessTask *self)
{
    while (self->at_list < self->n_lists && !self->run.is_refused) {
        int list = self->lists[self->at_list++];
        if (hk_access_skips_list (&self->run, list))
            continue;
        hk_access_begin_list (&self->run, list);
        push (self, self->run.access->lists[list]);
        return true;
    }
    return false;
}

/* What a step, or the answer that it waited for, has brought. */
static void
take (HkAccessTask *self, HkAnswer answer)
{
    const HkPlan *nested = g_steal_pointer (&self->run.nested);
    if (answer == HK_NESTED) {
        push (self, nested);
        self->run.outer = self->run.nested_subject;
    } else if (answer != HK_DUNNO) {
        end_list (self, answer);
    }
}

/* check_start's own verdict, or what check_finish makes of the answer. */
static void
finish_step (HkAccessTask *self)
{
    const HkStep *step = self->run.step;
    HkAnswer answer = self->answer;
    self->run.nested = NULL;
    self->run.permit_is_logged = false;
    if (answer == HK_OK) {
        hk_instance_enter (step->instance);
        answer = step->class->check_finish (hk_instance_pointer (step->instance),
                                            &self->call, self->state);
        hk_instance_leave (step->instance);
    }
    self->phase = TASK_RUNS;
    answer = hk_access_take_answer (&self->run, &self->call, step, answer);
    hk_call_clear (&self->call);
    self->run.call = NULL;
    take (self, answer);
}

static HkAnswer
run_step (HkAccessTask *self, const HkStep *step)
{
    if (step->kind != HK_STEP_CLASS) {
        self->run.nested = NULL;
        return hk_access_run_step (&self->run, step);
    }
    if (self->frames->len >= HK_ACCESS_MAX_DEPTH)
        return hk_access_refuse_f (&self->run, 451, "4.3.5", "Server configuration error");
    self->run.nested = step->plan;
    self->run.nested_subject = self->run.outer;
    return HK_NESTED;
}

/* One step of the list on top; true: it has to wait. */
static bool
go_on (HkAccessTask *self)
{
    Frame *top = &g_array_index (self->frames, Frame, self->frames->len - 1);
    if (top->at == top->plan->steps->len) {
        pop (self);
        return false;
    }
    const HkStep *step = &g_array_index (top->plan->steps, HkStep, top->at++);
    self->run.step = step;
    self->run.is_warning = top->was_warning || step->is_warning;
    if (step->kind == HK_STEP_SLEEP)
        return step->seconds > 0;
    if (!hk_step_waits (step)) {
        take (self, run_step (self, step));
        return false;
    }
    if (!hk_access_is_ready (&self->run, step))
        return false;
    if (self->n_asked++ < MAX_ASKED)
        return true;
    hk_log (HK_LOG_WARNING, "%s: unreasonable recursion", step->word);
    take (self, hk_access_refuse_f (&self->run, 451, "4.3.5", "Server configuration error"));
    return false;
}

HkTaskState
hk_access_task_run (HkAccessTask *self)
{
    if (self->phase == TASK_ANSWERED)
        finish_step (self);
    for (;;) {
        while (self->frames->len > 0)
            if (go_on (self)) {
                if (self->run.step->kind == HK_STEP_SLEEP)
                    return HK_TASK_SLEEPS;
                self->phase = TASK_WANTS;
                return HK_TASK_WAITS;
            }
        end_list (self, HK_DUNNO);
        if (!begin_list (self))
            break;
    }
    hk_access_final_checks (&self->run);
    return HK_TASK_DONE;
}

unsigned
hk_access_task_sleep_s (const HkAccessTask *self)
{
    return self->run.step->seconds;
}

/* ---- waiting
 * ------------------------------------------------------------------------------------- */

bool
hk_access_task_ask (HkAccessTask *self, void (*ready) (void *data), void *data)
{
    const HkStep *step = self->run.step;
    self->ready = ready;
    self->ready_data = data;
    self->state = NULL;
    hk_call_init (&self->call, &hk_access_call_ops, &self->run);
    self->run.call = &self->call;
    self->phase = TASK_STARTS;
    hk_instance_enter (step->instance);
    HkAnswer answer = step->class->check_start (hk_instance_pointer (step->instance),
                                                &self->call, &self->state);
    hk_instance_leave (step->instance);
    bool is_complete = self->phase == TASK_ANSWERED;
    if (answer == HK_PENDING && !is_complete) {
        self->phase = TASK_PENDING;
        return false;
    }
    self->phase = TASK_ANSWERED;
    self->answer = answer == HK_PENDING ? HK_OK : answer;
    return true;
}

void
hk_access_task_complete (HkAccessTask *self)
{
    if (self->phase == TASK_STARTS) {
        self->phase = TASK_ANSWERED;
        return;
    }
    if (self->phase != TASK_PENDING) {
        hk_log (HK_LOG_WARNING, "%s: completed a check that was complete",
                self->run.step != NULL ? self->run.step->word : "restriction");
        return;
    }
    self->phase = TASK_ANSWERED;
    self->answer = HK_OK;
    hk_loop_at_turn_end (self->loop, &self->hook);
}

HkAnswer
hk_access_give_up (HkAccessRun *run)
{
    run->must_wait = run->is_refused = true;
    g_atomic_int_set (&run->access->values_may_wait, 1);
    return HK_REJECT;
}

bool
hk_access_may_wait (const HkAccess *self, HkStage stage)
{
    int lists[5];
    size_t n = hk_access_lists_of (self, stage, lists), n_steps = 0;
    for (size_t i = 0; i < n; i++) {
        n_steps += self->lists[lists[i]]->steps->len;
        if (self->lists[lists[i]]->may_wait)
            return true;
    }
    /* A table may answer with the name of a list that waits. */
    return n_steps > 0 &&
           (self->waits_by_class || g_atomic_int_get (&self->values_may_wait) != 0);
}

/* ---- asking ahead
 * ------------------------------------------------------------------------------- */

static void
prepare_plan (HkAccessRun *run, const HkPlan *plan, unsigned depth)
{
    for (guint i = 0; i < plan->steps->len; i++) {
        const HkStep *step = &g_array_index (plan->steps, HkStep, i);
        if (step->kind == HK_STEP_CLASS && depth < 10)
            prepare_plan (run, step->plan, depth + 1);
        if (step->kind != HK_STEP_RESTRICTION ||
            !HK_HAS (step->class, HkRestrictionClass, prepare))
            continue;
        HkCall call;
        hk_call_init (&call, &hk_access_call_ops, run);
        hk_instance_enter (step->instance);
        step->class->prepare (hk_instance_pointer (step->instance), &call);
        hk_instance_leave (step->instance);
        hk_call_clear (&call);
    }
}

static bool
is_known_network (const HkAccess *self, const HkAccessSubject *subject)
{
    for (size_t i = 0; i < HK_N_NAMED_LISTS; i++) {
        if (strcmp (self->named[i].parameter, "mynetworks") != 0)
            continue;
        /* A list that cannot be asked here counts as one that the client is in. */
        return hk_match_list_may_block (self->named[i].list) ||
               hk_match_list_find (self->named[i].list, subject->client_name,
                                   subject->client_address, NULL) != HK_ABSENT;
    }
    return false;
}

bool
hk_access_prepares (const HkAccess *self)
{
    return self->prepares;
}

void
hk_access_prepare (HkAccess *self, const HkAccessSubject *subject)
{
    static const int lists[] = {HK_LIST_CLIENT, HK_LIST_HELO, HK_LIST_SENDER, HK_LIST_RELAY,
                                HK_LIST_RECIPIENT};
    HkAccessRun run = {.access = self, .subject = subject, .stage = HK_STAGE_CONNECT};
    if (is_known_network (self, subject))
        return;
    for (size_t i = 0; i < G_N_ELEMENTS (lists); i++)
        prepare_plan (&run, self->lists[lists[i]], 0);
    hk_access_run_clear (&run);
}
