/* screen_report.c: what postscreen would log. */
#include "config.h"
#include "session/screen_priv.h"

#include <stdarg.h>

void
hk_screen_append_client (GString *out, const HkSession *session)
{
    g_string_append_printf (out, "[%s]:%u", session->client_address, session->client_port);
}

void
hk_screen_append_escaped (GString *out, HkSpan text, size_t max)
{
    static const char plain[] = "\a\b\f\n\r\t\v\\", shown[] = "abfnrtv\\";
    for (size_t i = 0; i < MIN (text.size, max); i++) {
        uint8_t c = text.data[i];
        const char *at = c == '\0' ? NULL : strchr (plain, c);
        if (at != NULL)
            g_string_append_printf (out, "\\%c", shown[at - plain]);
        else if (c >= ' ' && c <= '~')
            g_string_append_c (out, (char) c);
        else
            g_string_append_printf (out, "\\%03o", c);
    }
}

void
hk_screen_append_age (GString *out, const HkSession *session, int64_t start_us)
{
    int64_t us = MAX (hk_session_now (session) - start_us, 0);
    if (us < HK_SECOND / 100)
        g_string_append_c (out, '0');
    else if (us < 10 * HK_SECOND)
        g_string_append_printf (out, "%.2g", (double) us / HK_SECOND);
    else
        g_string_append_printf (out, "%" G_GINT64_FORMAT, us / HK_SECOND);
}

void
hk_screen_log_as (HkSession *session, const char *agent, const char *text)
{
    HkEvents *events = session->dialogue->sessions->options.events;
    HkEvent event = {.kind = HK_EVENT_TEXT, .agent = agent, .level = HK_LOG_INFO};
    if (events == NULL)
        return;
    hk_event_text (&event, HK_PROP_CLIENT_ADDRESS, hk_span_text (session->client_address));
    hk_event_text (&event, HK_PROP_TEXT, hk_span_text (text));
    hk_event_number (&event, HK_PROP_LEVEL, HK_LOG_INFO);
    hk_events_emit (events, &event);
}

void
hk_screen_log (HkSession *session, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    g_autofree char *text = g_strdup_vprintf (format, ap);
    va_end (ap);
    hk_screen_log_as (session, "postscreen", text);
}
