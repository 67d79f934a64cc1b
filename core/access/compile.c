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

/* Names of other times. */
static const char *
current_name (const char *word)
{
    static const char *const names[][2] = {
        {"reject_unknown_client", "reject_unknown_client_hostname"},
        {"reject_unknown_hostname", "reject_unknown_helo_hostname"},
        {"reject_invalid_hostname", "reject_invalid_helo_hostname"},
        {"reject_non_fqdn_hostname", "reject_non_fqdn_helo_hostname"},
        {"check_recipient_maps", "reject_unlisted_recipient"},
        {"reject_unknown_address", "reject_unknown_sender_domain"},
        {"reject_rbl", "reject_rbl_client"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
        if (g_ascii_strcasecmp (word, names[i][0]) == 0)
            return names[i][1];
    return word;
}

/* "hash:/etc/access" alone in a list is short for the list's own table check. */
static const char *
implied_check (int list)
{
    static const char *const names[HK_N_LISTS] = {
        [HK_LIST_CLIENT] = "check_client_access",
        [HK_LIST_HELO] = "check_helo_access",
        [HK_LIST_SENDER] = "check_sender_access",
        [HK_LIST_RELAY] = "check_recipient_access",
        [HK_LIST_RECIPIENT] = "check_recipient_access",
        [HK_LIST_ETRN] = "check_etrn_access",
    };
    return names[list];
}

static bool
guards_relay (const char *word)
{
    static const char *const words[] = {"reject", "defer", "reject_unauth_destination",
                                        "defer_unauth_destination", "check_relay_domains"};
    for (size_t i = 0; i < G_N_ELEMENTS (words); i++)
        if (strcmp (word, words[i]) == 0)
            return true;
    return false;
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
    step->instance = hk_instance_open (self->plugins, HK_KIND_RESTRICTION, name, argument,
                                       self->settings, &error);
    if (step->instance != NULL) {
        step->kind = HK_STEP_RESTRICTION;
        step->class =
            (const HkRestrictionClass *) (const void *) hk_instance_class (step->instance);
        return;
    }
    bool may_come = g_error_matches (error, HK_HOST_ERROR, HK_HOST_ERROR_LATER);
    step->kind = may_come ? HK_STEP_UNAVAILABLE : HK_STEP_UNKNOWN;
    step->problem = g_strdup (error->message);
}

static void compile_words (HkAccess *self, HkPlan *plan, HkSpan text, int list);

HkPlan *
hk_access_class_plan (HkAccess *self, const char *name, int list)
{
    HkPlan *plan = g_hash_table_lookup (self->classes, name);
    if (plan != NULL)
        return plan;
    /* In the table first: a class that names itself must find itself open. */
    plan = plan_new (name);
    g_hash_table_insert (self->classes, plan->name, plan);
    plan->is_open = true;
    compile_words (self, plan, hk_span_text (hk_settings_get (self->settings, name)), list);
    plan->is_open = false;
    self->blocks_by_class |= plan->may_block;
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

static void
compile_restriction (HkAccess *self, HkStep *step, HkSpan *rest, int list)
{
    g_autoptr (GString) argument = g_string_new (NULL);
    g_autofree char *lower = g_ascii_strdown (step->word, -1);
    const char *name = current_name (lower);
    if (strchr (step->word, ':') != NULL && implied_check (list) != NULL) {
        open_step (self, step, implied_check (list), hk_span_text (step->word));
        return;
    }
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

static void
add_step (HkPlan *plan, HkStep *step)
{
    bool can_decide = !step->is_warning;
    if (step->instance != NULL) {
        plan->may_block |= hk_instance_may_block (step->instance);
        plan->guards_relay |= can_decide && guards_relay (step->class->base.name);
    }
    if (step->kind == HK_STEP_CLASS) {
        plan->may_block |= step->plan->may_block;
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
        if (!compile_core_word (self, &step, list))
            compile_restriction (self, &step, &text, list);
        add_step (plan, &step);
        is_warning = false;
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
    }
    g_mutex_unlock (&self->lock);
    return plan;
}

/* ---- what check says
 * ---------------------------------------------------------------------- */

static bool
complain_step (const HkPlan *plan, const HkStep *step, HkComplaintFn fn, void *data)
{
    if (step->problem == NULL)
        return true;
    g_autofree char *text = g_strdup_printf ("%s: %s", plan->name, step->problem);
    fn (step->kind == HK_STEP_UNKNOWN ? HK_LOG_ERROR : HK_LOG_WARNING, text, data);
    return step->kind != HK_STEP_UNKNOWN;
}

static bool
ends_list (const HkStep *step)
{
    return step->instance != NULL && !step->is_warning &&
           (strcmp (step->class->base.name, "permit") == 0 ||
            strcmp (step->class->base.name, "reject") == 0 ||
            strcmp (step->class->base.name, "defer") == 0);
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
