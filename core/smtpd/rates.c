/* rates.c: the counters that all smtpd processes share, and what anvil would log of them. */
#include "config.h"

#include "base/log.h"
#include "host/events.h"
#include "smtpd/smtpd_priv.h"

#include <time.h>

struct HkRateKeeper {
    HkRates *rates;
    HkEvents *events;
    HkLoop *loop;
    HkLoopTimer timer;
    int64_t interval_us;
    int64_t unit_s;
};

/* "statistics: max connection rate 5/60s for (smtp:192.0.2.1) at Nov 26 03:04:05" */
static void
log_peak (HkPeak peak, unsigned value, const char *name, int64_t wall_us, void *data)
{
    static const char *const words[HK_N_PEAKS] = {
        "connection rate", "connection count", "message rate", "recipient rate",
        "newtls rate",     "auth rate",        "cache size"};
    HkRateKeeper *self = data;
    g_autoptr (GString) text = g_string_new (NULL);
    char when[32];
    time_t seconds = (time_t) (wall_us / HK_SECOND);
    struct tm tm;
    strftime (when, sizeof when, "%b %e %H:%M:%S", localtime_r (&seconds, &tm));
    g_string_printf (text, "statistics: max %s %u", words[peak], value);
    if (peak != HK_PEAK_CONNECTION_COUNT && peak != HK_PEAK_ENTRIES)
        g_string_append_printf (text, "/%" G_GINT64_FORMAT "s", self->unit_s);
    if (peak != HK_PEAK_ENTRIES)
        g_string_append_printf (text, " for (%s)", name);
    g_string_append_printf (text, " at %s", when);
    HkEvent event = {.kind = HK_EVENT_TEXT, .agent = "anvil", .level = HK_LOG_INFO};
    hk_event_text (&event, HK_PROP_TEXT, hk_span_string (text));
    hk_event_number (&event, HK_PROP_LEVEL, HK_LOG_INFO);
    hk_events_emit (self->events, &event);
}

/* Of several processes the one whose timer goes off first speaks for all. */
static void
on_timer (HkLoopTimer *timer)
{
    HkRateKeeper *self = timer->data;
    hk_rates_peaks (self->rates, self->interval_us, false, log_peak, self);
    hk_timer_arm (&self->timer, self->interval_us);
}

HkRates *
hk_rate_keeper_rates (HkRateKeeper *self)
{
    return self->rates;
}

HkRateKeeper *
hk_rate_keeper_new (HkLoop *loop, HkSettings *settings, HkEvents *events)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *path = g_build_filename (hk_settings_get (settings, "data_directory"),
                                              "smtpd_rates", NULL);
    size_t entries = (size_t) hk_settings_int (settings, "smtpd_rate_table_size");
    HkRateKeeper *self = g_new0 (HkRateKeeper, 1);
    self->loop = loop;
    self->events = events;
    self->interval_us = hk_settings_int (settings, "anvil_status_update_time") * HK_SECOND;
    self->unit_s = hk_settings_int (settings, "anvil_rate_time_unit");
    self->rates = hk_rates_open (path, entries, hk_loop_clock (loop), &error);
    if (self->rates == NULL) {
        hk_log (HK_LOG_WARNING, "rates are counted by this process alone: %s",
                error->message);
        self->rates = hk_rates_open (NULL, entries, hk_loop_clock (loop), NULL);
    }
    hk_timer_init (&self->timer, loop, on_timer, self);
    hk_timer_arm (&self->timer, self->interval_us);
    return self;
}

void
hk_rate_keeper_free (HkRateKeeper *self)
{
    if (self == NULL)
        return;
    hk_timer_disarm (&self->timer);
    if (self->rates != NULL && hk_rates_is_last (self->rates))
        hk_rates_peaks (self->rates, self->interval_us, true, log_peak, self);
    hk_rates_free (self->rates);
    g_free (self);
}
