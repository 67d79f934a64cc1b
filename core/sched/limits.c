/* limits.c: the parameters of the schedule, and a transport's share of their families. */
#include "config.h"

#include "sched/sched.h"

#include "base/text.h"

#include <stdlib.h>

/* The transports that a stock configuration knows; others are looked up by name. */
#define FAMILY(transport)                                                                  \
    {.name = transport "_destination_concurrency_limit",                                   \
     .type = HK_CONF_INT,                                                                  \
     .preset = "$default_destination_concurrency_limit",                                   \
     .max = 1000000,                                                                       \
     .help = "Jobs at once to one destination of " transport},                             \
    {                                                                                      \
        .name = transport "_destination_recipient_limit", .type = HK_CONF_INT,             \
        .preset = "$default_destination_recipient_limit", .max = 1000000,                  \
        .help = "Recipients in one delivery by " transport                                 \
    }

const HkConfSpec hk_sched_params[] = {
    {.name = "default_destination_concurrency_limit",
     .type = HK_CONF_INT,
     .preset = "20",
     .min = 0,
     .max = 1000000,
     .help = "Jobs at once to one destination; 0: no limit"},
    {.name = "default_destination_recipient_limit",
     .type = HK_CONF_INT,
     .preset = "50",
     .min = 0,
     .max = 1000000,
     .help = "Recipients in one delivery; 0: no limit; 1: limits count by recipient"},
    {.name = "initial_destination_concurrency",
     .type = HK_CONF_INT,
     .preset = "5",
     .min = 1,
     .max = 1000000,
     .help = "Jobs at once to a destination that nothing is known about"},
    {.name = "default_destination_concurrency_positive_feedback",
     .type = HK_CONF_STRING,
     .preset = "1",
     .help = "How much a success widens a destination's window: N, N/M or N/concurrency"},
    {.name = "default_destination_concurrency_negative_feedback",
     .type = HK_CONF_STRING,
     .preset = "1",
     .help = "How much a failure narrows a destination's window: N, N/M or N/concurrency"},
    {.name = "default_destination_concurrency_failed_cohort_limit",
     .type = HK_CONF_INT,
     .preset = "1",
     .min = 0,
     .max = 1000000,
     .help = "Failed pseudo-cohorts until a destination counts as dead; 0: never"},
    {.name = "default_destination_rate_delay",
     .type = HK_CONF_TIME,
     .preset = "0s",
     .min = 0,
     .max = 31536000,
     .unit = 's',
     .help = "Pause between two deliveries to one destination"},
    {.name = "default_transport_rate_delay",
     .type = HK_CONF_TIME,
     .preset = "0s",
     .min = 0,
     .max = 31536000,
     .unit = 's',
     .help = "Pause between two deliveries by one transport"},
    {.name = "local_destination_concurrency_limit",
     .type = HK_CONF_INT,
     .preset = "2",
     .min = 0,
     .max = 1000000,
     .help = "Jobs at once to one local recipient"},
    {.name = "local_destination_recipient_limit",
     .type = HK_CONF_INT,
     .preset = "1",
     .min = 0,
     .max = 1000000,
     .help = "Recipients in one local delivery"},
    FAMILY ("lmtp"),
    FAMILY ("relay"),
    FAMILY ("smtp"),
    FAMILY ("virtual"),
    {.name = NULL},
};

char *
hk_sched_family (HkSettings *settings, const char *transport, const char *suffix,
                 const char *fallback)
{
    g_autofree char *name = g_strconcat (transport, "_", suffix, NULL);
    if (hk_conf_spec (name) != NULL)
        return g_strdup (hk_settings_get (settings, name));
    const char *raw = hk_settings_raw (settings, name);
    if (raw == NULL)
        return g_strdup (hk_settings_get (settings, fallback));
    char *text = hk_settings_expand (settings, raw, NULL);
    return text != NULL ? text : g_strdup (hk_settings_get (settings, fallback));
}

static unsigned
family_number (HkSettings *settings, const char *transport, const char *suffix,
               const char *fallback, unsigned preset)
{
    g_autofree char *text = hk_sched_family (settings, transport, suffix, fallback);
    uint64_t value;
    if (hk_text_parse_u64 (hk_span_strip (hk_span_text (text)), 1000000, &value))
        return (unsigned) value;
    int64_t general = hk_settings_int (settings, fallback);
    return general >= 0 ? (unsigned) general : preset;
}

static int64_t
family_time_us (HkSettings *settings, const char *transport, const char *suffix,
                const char *fallback)
{
    g_autofree char *text = hk_sched_family (settings, transport, suffix, fallback);
    int64_t seconds;
    if (!hk_text_parse_time (hk_span_strip (hk_span_text (text)), 's', &seconds) ||
        seconds < 0)
        seconds = hk_settings_int (settings, fallback);
    return CLAMP (seconds, 0, 31536000) * INT64_C (1000000);
}

/* "0.5", "1": no locale, no exponent. */
static bool
parse_amount (HkSpan text, double *out)
{
    text = hk_span_strip (text);
    char buffer[32];
    if (text.size == 0 || text.size >= sizeof buffer)
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (!g_ascii_isdigit (text.data[i]) && text.data[i] != '.')
            return false;
    memcpy (buffer, text.data, text.size);
    buffer[text.size] = '\0';
    char *end;
    *out = g_ascii_strtod (buffer, &end);
    return *end == '\0';
}

bool
hk_feedback_parse (HkSpan text, HkFeedback *out)
{
    HkFeedback result = {HK_FEEDBACK_FIXED, 0};
    size_t slash = hk_span_find (text, '/', 0);
    if (!parse_amount (hk_span_sub (text, 0, slash), &result.amount))
        return false;
    if (slash < text.size) {
        HkSpan below = hk_span_strip (hk_span_sub (text, slash + 1, text.size));
        double divisor;
        if (hk_span_is (below, "concurrency")) {
            result.form = HK_FEEDBACK_BY_WINDOW;
        } else if (hk_span_is (below, "sqrt_concurrency")) {
            result.form = HK_FEEDBACK_BY_ROOT;
        } else {
            if (!parse_amount (below, &divisor) || divisor <= 0)
                return false;
            result.amount /= divisor;
        }
    }
    if (result.amount < 0 || result.amount > 1)
        return false;
    *out = result;
    return true;
}

static HkFeedback
family_feedback (HkSettings *settings, const char *transport, const char *suffix,
                 const char *fallback)
{
    g_autofree char *text = hk_sched_family (settings, transport, suffix, fallback);
    HkFeedback feedback = {HK_FEEDBACK_FIXED, 1};
    if (!hk_feedback_parse (hk_span_text (text), &feedback))
        hk_feedback_parse (hk_span_text (hk_settings_get (settings, fallback)), &feedback);
    return feedback;
}

void
hk_sched_limits_read (HkSettings *settings, const char *transport, unsigned process_limit,
                      HkSchedLimits *out)
{
    out->process_limit = process_limit;
    out->concurrency_limit =
        family_number (settings, transport, "destination_concurrency_limit",
                       "default_destination_concurrency_limit", 20);
    out->initial_concurrency =
        family_number (settings, transport, "initial_destination_concurrency",
                       "initial_destination_concurrency", 5);
    out->recipient_limit =
        family_number (settings, transport, "destination_recipient_limit",
                       "default_destination_recipient_limit", 50);
    out->positive =
        family_feedback (settings, transport, "destination_concurrency_positive_feedback",
                         "default_destination_concurrency_positive_feedback");
    out->negative =
        family_feedback (settings, transport, "destination_concurrency_negative_feedback",
                         "default_destination_concurrency_negative_feedback");
    out->cohort_failure_limit =
        family_number (settings, transport, "destination_concurrency_failed_cohort_limit",
                       "default_destination_concurrency_failed_cohort_limit", 1);
    out->rate_delay_us = family_time_us (settings, transport, "destination_rate_delay",
                                         "default_destination_rate_delay");
    out->transport_delay_us = family_time_us (settings, transport, "transport_rate_delay",
                                              "default_transport_rate_delay");
}
