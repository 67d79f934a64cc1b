/* compile.c: from the words of a restriction list to a plan of opened instances. */
#include "access/access_priv.h"

#include "base/log.h"
#include "base/text.h"

/* A stranger's address may pick table values (regexp substitutions): bound what they cost.
 */
#define MAX_VALUE_PLANS 1000

static void
step_clear (void *data)
{
    HkStep *step = data;
    if (step->instance != NULL)
        hk_instance_unref (step->instance);
    g_free (step->word);
    g_free (step->argument);
    g_free (step->problem);
}

void
hk_plan_free (HkPlan *self)
{
    g_array_unref (self->steps);
    g_free (self->name);
    g_free (self);
}

static HkPlan *
plan_new (const char *name)
{
    HkPlan *self = g_new0 (HkPlan, 1);
    self->name = g_strdup (name);
    self->steps = g_array_new (FALSE, TRUE, sizeof (HkStep));
    g_array_set_clear_func (self->steps, step_clear);
    return self;
}

/* Take the N words that follow as arguments; false when the list ends before. */
static bool
take_arguments (HkSpan *rest, unsigned n, GString *out)
{
    HkSpan word;
    for (unsigned i = 0; i < n; i++) {
        if (!hk_text_next_word (rest, &word))
            return false;
        if (out->len > 0)
            g_string_append_c (out, ' ');
        hk_string_append (out, word);
    }
    return true;
}

static void
open_step (HkAccess *self, HkStep *step, const char *name, HkSpan argument)
{
    g_autoptr (GError) error = NULL;
    if (argument.size > 0)
        step->argument = hk_span_dup (argument);
    step->about = hk_access_reply_kind (name);
    step->instance = hk_instance_open (self->plugins, HK_KIND_RESTRICTION, name, argument,
                                       self->settings, &error);
    if (step->instance != NULL) {
        step->kind = HK_STEP_RESTRICTION;
        step->class =
            (const HkRestrictionClass *) (const void *) hk_instance_class (step->instance);
        self->prepares |= HK_HAS (step->class, HkRestrictionClass, prepare);
        return;
    }
    bool may_come = g_error_matches (error, HK_HOST_ERROR, HK_HOST_ERROR_LATER);
    step->kind = may_come ? HK_STEP_UNAVAILABLE : HK_STEP_UNKNOWN;
    step->problem = g_strdup (error->message);
}

static void compile_words (HkAccess *self, HkPlan *plan, HkSpan text, int list);

/* One for all lists, or, when a table stands in it without a word, one for each list. */
HkPlan *
hk_access_class_plan (HkAccess *self, const char *name, int list)
{
    g_autofree char *key = g_strdup (name);
    HkPlan *plan = g_hash_table_lookup (self->classes, key);
    if (plan != NULL && plan->is_of_list && plan->list != list) {
        g_free (key);
        key = g_strdup_printf ("%s %d", name, list);
        plan = g_hash_table_lookup (self->classes, key);
    }
    if (plan != NULL)
        return plan;
    /* In the table first: a class that names itself must find itself open. */
    plan = plan_new (name);
    plan->list = list;
    g_hash_table_insert (self->classes, g_steal_pointer (&key), plan);
    plan->is_open = true;
    compile_words (self, plan, hk_span_text (hk_settings_get (self->settings, name)), list);
    plan->is_open = false;
    self->blocks_by_class |= plan->may_block;
    self->waits_by_class |= plan->may_wait;
    return plan;
}

/* A word that is no plugin's: the core's own, or a restriction class. */
static bool
compile_core_word (HkAccess *self, HkStep *step, int list)
{
    if (g_ascii_strcasecmp (step->word, "defer_if_permit") == 0) {
        step->kind = HK_STEP_DEFER_IF_PERMIT;
        return true;
    }
    if (g_ascii_strcasecmp (step->word, "defer_if_reject") == 0) {
        step->kind = HK_STEP_DEFER_IF_REJECT;
        return true;
    }
    g_auto (GStrv) classes =
        hk_settings_words (self->settings, "smtpd_restriction_classes");
    if (!g_strv_contains ((const char *const *) classes, step->word))
        return false;
    step->kind = HK_STEP_CLASS;
    if (hk_settings_raw (self->settings, step->word) == NULL) {
        step->kind = HK_STEP_UNKNOWN;
        step->problem =
            g_strdup_printf ("restriction class `%s' needs a definition", step->word);
        return true;
    }
    step->plan = hk_access_class_plan (self, step->word, list);
    if (step->plan->is_open) {
        step->kind = HK_STEP_UNKNOWN;
        step->problem = g_strdup ("restriction class contains itself");
    }
    return true;
}

/* "sleep 5": bounded, because a session is held that long. */
static void
compile_sleep (HkStep *step, HkSpan *rest)
{
    enum { LONGEST = 3600 };
    uint64_t seconds = 0;
    HkSpan word = HK_SPAN_NONE;
    step->kind = HK_STEP_SLEEP;
    if (!hk_text_next_word (rest, &word) || word.size > 9 ||
        !g_ascii_string_to_unsigned (step->argument = hk_span_dup (word), 10, 0, G_MAXINT,
                                     &seconds, NULL)) {
        step->kind = HK_STEP_UNKNOWN;
        step->problem = g_strdup ("restriction sleep must be followed by number");
    } else if (seconds > LONGEST) {
        step->kind = HK_STEP_UNKNOWN;
        step->problem = g_strdup_printf ("restriction sleep: %s is more than %d seconds",
                                         step->argument, LONGEST);
    }
    step->seconds = (unsigned) seconds;
}

static void
compile_restriction (HkAccess *self, HkStep *step, HkSpan *rest, int list)
{
    g_autoptr (GString) argument = g_string_new (NULL);
    g_autofree char *lower = g_ascii_strdown (step->word, -1);
    const char *name = hk_access_current_name (lower);
    const char *implied = hk_access_implied_check (list);
    if (strchr (step->word, ':') != NULL && implied == NULL) {
        step->kind = HK_STEP_UNKNOWN;
        step->problem = g_strdup_printf ("table %s: say in front what it is asked about "
                                         "(check_client_access, …)", step->word);
        return;
    }
    if (strchr (step->word, ':') != NULL) {
        step->is_of_list = true;
        open_step (self, step, implied, hk_span_text (step->word));
        return;
    }
    if (strcmp (name, "sleep") == 0) {
        compile_sleep (step, rest);
        return;
    }
    step->advice = hk_access_advice (lower);
    const HkRestrictionClass *class =
        (const HkRestrictionClass *) (const void *) hk_plugins_class (
            self->plugins, HK_KIND_RESTRICTION, name);
    if (class == NULL) {
        g_autoptr (GError) error = NULL;
        hk_plugins_load_for (self->plugins, HK_KIND_RESTRICTION, name, &error);
        step->kind = HK_STEP_UNKNOWN;
        step->problem =
            g_strdup_printf ("unknown smtpd restriction: \"%s\" (%s)", step->word,
                             error != NULL ? error->message : "not loaded");
    } else if (!take_arguments (rest, class->n_words, argument)) {
        step->kind = HK_STEP_UNKNOWN;
        step->problem = g_strdup_printf ("restriction %s needs %u argument%s", step->word,
                                         class->n_words, class->n_words == 1 ? "" : "s");
    } else {
        open_step (self, step, name, hk_span_string (argument));
    }
}

static bool
ends_list (const HkStep *step)
{
    return step->instance != NULL && !step->is_warning &&
           hk_access_ends_list (step->class->base.name);
}

static void
add_step (HkPlan *plan, HkStep *step)
{
    /* What stands behind the end of the list guards nothing. */
    bool can_decide = !step->is_warning && !plan->is_ended;
    plan->may_wait |= hk_step_waits (step);
    plan->is_of_list |= step->is_of_list;
    if (step->instance != NULL) {
        plan->may_block |= hk_instance_may_block (step->instance);
        plan->guards_relay |= can_decide && hk_access_guards_relay (step->class->base.name);
        plan->is_ended |= ends_list (step);
    }
    if (step->kind == HK_STEP_CLASS) {
        plan->may_block |= step->plan->may_block;
        plan->may_wait |= step->plan->may_wait;
        plan->is_of_list |= step->plan->is_of_list;
        plan->guards_relay |= can_decide && step->plan->guards_relay;
    }
    if (step->kind == HK_STEP_DEFER_IF_PERMIT)
        plan->guards_relay |= can_decide;
    g_array_append_val (plan->steps, *step);
}

static void
compile_words (HkAccess *self, HkPlan *plan, HkSpan text, int list)
{
    HkSpan word;
    bool is_warning = false;
    while (hk_text_next_word (&text, &word)) {
        if (hk_span_is_ci (word, "warn_if_reject")) {
            is_warning = true;
            continue;
        }
        HkStep step = {.word = hk_span_dup (word), .is_warning = is_warning};
        is_warning = false;
        if (!compile_core_word (self, &step, list))
            compile_restriction (self, &step, &text, list);
        add_step (plan, &step);
    }
}

HkPlan *
hk_plan_compile_text (HkAccess *self, int list, HkSpan text)
{
    HkPlan *plan = plan_new (hk_list_parameters[list]);
    compile_words (self, plan, text, list);
    return plan;
}

HkPlan *
hk_plan_compile (HkAccess *self, int list)
{
    const char *text = hk_settings_get (self->settings, hk_list_parameters[list]);
    return hk_plan_compile_text (self, list, hk_span_text (text));
}

HkPlan *
hk_access_value_plan (HkAccess *self, HkSpan value, int list)
{
    g_autofree char *key = g_strdup_printf ("%d %.*s", list, HK_SPAN_ARG (value));
    g_mutex_lock (&self->lock);
    HkPlan *plan = g_hash_table_lookup (self->values, key);
    if (plan == NULL && g_hash_table_size (self->values) < MAX_VALUE_PLANS) {
        plan = plan_new (key);
        compile_words (self, plan, value, list);
        g_hash_table_insert (self->values, plan->name, plan);
        if (plan->may_block)
            g_atomic_int_set (&self->values_may_block, 1);
        if (plan->may_wait)
            g_atomic_int_set (&self->values_may_wait, 1);
    }
    g_mutex_unlock (&self->lock);
    return plan;
}

/* ---- what check says
 * ---------------------------------------------------------------------- */

static bool
complain_step (const HkPlan *plan, const HkStep *step, HkComplaintFn fn, void *data)
{
    if (step->advice != NULL) {
        g_autofree char *advice = g_strdup_printf ("%s: %s", plan->name, step->advice);
        fn (HK_LOG_WARNING, advice, data);
    }
    if (step->problem == NULL)
        return true;
    g_autofree char *text = g_strdup_printf ("%s: %s", plan->name, step->problem);
    fn (step->kind == HK_STEP_UNKNOWN ? HK_LOG_ERROR : HK_LOG_WARNING, text, data);
    return step->kind != HK_STEP_UNKNOWN;
}

static bool
complain_plan (const HkPlan *plan, HkComplaintFn fn, void *data)
{
    bool ok = true;
    for (guint i = 0; i < plan->steps->len; i++) {
        const HkStep *step = &g_array_index (plan->steps, HkStep, i);
        ok &= complain_step (plan, step, fn, data);
        if (ends_list (step) && i + 1 < plan->steps->len) {
            const HkStep *lost = &g_array_index (plan->steps, HkStep, i + 1);
            g_autofree char *text =
                g_strdup_printf ("%s: restriction `%s' after `%s' is ignored", plan->name,
                                 lost->word, step->word);
            fn (HK_LOG_WARNING, text, data);
            break;
        }
    }
    return ok;
}

bool
hk_access_complain (const HkAccess *self, HkComplaintFn fn, void *data)
{
    bool ok = true;
    GHashTableIter iter;
    gpointer plan;
    for (int i = 0; i < HK_N_LISTS; i++)
        ok &= complain_plan (self->lists[i], fn, data);
    g_hash_table_iter_init (&iter, self->classes);
    while (g_hash_table_iter_next (&iter, NULL, &plan))
        ok &= complain_plan (plan, fn, data);
    return ok;
}
