/* test_limits.c: limits of transports from settings, families by name included. */
#include "config.h"

#include "sched/sched.h"

static void
test_feedback (void)
{
    static const struct {
        const char *text;
        bool valid;
        HkFeedbackForm form;
        double amount;
    } cases[] = {
        {"1", true, HK_FEEDBACK_FIXED, 1},
        {"0.25", true, HK_FEEDBACK_FIXED, 0.25},
        {"1/4", true, HK_FEEDBACK_FIXED, 0.25},
        {"1 / concurrency", true, HK_FEEDBACK_BY_WINDOW, 1},
        {"0.5/sqrt_concurrency", true, HK_FEEDBACK_BY_ROOT, 0.5},
        {"2", false, 0, 0},   /* over 1 */
        {"1/0", false, 0, 0}, /* no number */
        {"-1", false, 0, 0},
        {"1e-1", false, 0, 0},
        {"", false, 0, 0},
        {"1/window", false, 0, 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        HkFeedback feedback = {0};
        bool valid = hk_feedback_parse (hk_span_text (cases[i].text), &feedback);
        if (valid != cases[i].valid)
            g_error ("feedback \"%s\": %d", cases[i].text, valid);
        if (!valid)
            continue;
        g_assert_cmpint (feedback.form, ==, cases[i].form);
        g_assert_cmpfloat_with_epsilon (feedback.amount, cases[i].amount, 1e-9);
    }
}

static void
test_families (void)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (HkSettings) settings = hk_settings_from_text (
        "default_destination_concurrency_limit = 30\n"
        "maildrop_destination_recipient_limit = 1\n"
        "slow_destination_rate_delay = 2m\n"
        "slow_destination_concurrency_failed_cohort_limit = 10\n"
        "slow_destination_concurrency_positive_feedback = 1/concurrency\n"
        "slow_initial_destination_concurrency = 2\n"
        "slow_destination_concurrency_limit = $default_destination_concurrency_limit\n",
        "", &error);
    g_assert_no_error (error);
    HkSchedLimits limits = {0};
    hk_sched_limits_read (settings, "smtp", 100, &limits);
    g_assert_cmpuint (limits.process_limit, ==, 100);
    g_assert_cmpuint (limits.concurrency_limit, ==, 30);
    g_assert_cmpuint (limits.recipient_limit, ==, 50);
    g_assert_cmpuint (limits.initial_concurrency, ==, 5);
    hk_sched_limits_read (settings, "local", 100, &limits);
    g_assert_cmpuint (limits.concurrency_limit, ==, 2);
    g_assert_cmpuint (limits.recipient_limit, ==, 1);
    hk_sched_limits_read (settings, "maildrop", 7, &limits);
    g_assert_cmpuint (limits.recipient_limit, ==, 1);
    hk_sched_limits_read (settings, "slow", 7, &limits);
    g_assert_cmpint (limits.rate_delay_us, ==, INT64_C (120000000));
    g_assert_cmpuint (limits.initial_concurrency, ==, 2);
    g_assert_cmpuint (limits.concurrency_limit, ==, 30);
    g_assert_cmpint (limits.positive.form, ==, HK_FEEDBACK_BY_WINDOW);
    g_assert_cmpfloat_with_epsilon (limits.cohort_failure_limit, 10, 1e-9);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    hk_conf_register (hk_sched_params);
    g_test_add_func ("/limits/feedback", test_feedback);
    g_test_add_func ("/limits/families", test_families);
    return g_test_run ();
}
