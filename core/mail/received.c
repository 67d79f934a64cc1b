/* received.c: makes Date and Received headers. */
#include "config.h"
#include "base/clock.h"
#include "mail/header.h"

#include <time.h>

static void
append_two (GString *out, int n)
{
    g_string_append_c (out, (char) ('0' + n / 10 % 10));
    g_string_append_c (out, (char) ('0' + n % 10));
}

/* The zone's abbreviation comes from TZ: whoever starts a program chooses it. */
static void
append_zone (GString *out, const char *zone)
{
    if (zone == NULL || *zone == '\0')
        return;
    g_string_append (out, " (");
    for (; *zone != '\0'; zone++)
        if (g_ascii_isalnum (*zone) || *zone == '+' || *zone == '-')
            g_string_append_c (out, *zone);
    g_string_append_c (out, ')');
}

static void
format_date (GString *out, int64_t seconds)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t when = (time_t) seconds;
    struct tm tm;
    if (localtime_r (&when, &tm) == NULL) {
        when = 0;
        gmtime_r (&when, &tm);
    }
    int offset = (int) (tm.tm_gmtoff / 60);
    g_string_append (out, days[tm.tm_wday]);
    g_string_append (out, ", ");
    if (tm.tm_mday >= 10)
        g_string_append_c (out, (char) ('0' + tm.tm_mday / 10));
    g_string_append_c (out, (char) ('0' + tm.tm_mday % 10));
    g_string_append_c (out, ' ');
    g_string_append (out, months[tm.tm_mon]);
    g_string_append_c (out, ' ');
    append_two (out, (tm.tm_year + 1900) / 100);
    append_two (out, (tm.tm_year + 1900) % 100);
    g_string_append_c (out, ' ');
    append_two (out, tm.tm_hour);
    g_string_append_c (out, ':');
    append_two (out, tm.tm_min);
    g_string_append_c (out, ':');
    append_two (out, tm.tm_sec);
    g_string_append (out, offset < 0 ? " -" : " +");
    append_two (out, ABS (offset) / 60);
    append_two (out, ABS (offset) % 60);
    append_zone (out, tm.tm_zone);
}

/* Messages come in many a second, and local time is dear: the last second's text is kept.
 */
void
hk_header_append_date (GString *out, int64_t wall_us)
{
    static _Thread_local struct {
        int64_t seconds;
        long zone;
        size_t size;
        char text[64];
    } last;
    int64_t seconds = wall_us / HK_SECOND;
    if (last.size == 0 || last.seconds != seconds || last.zone != timezone) {
        gsize begin = out->len;
        format_date (out, seconds);
        last.size = out->len - begin;
        if (last.size > sizeof last.text) {
            last.size = 0;
            return;
        }
        memcpy (last.text, out->str + begin, last.size);
        last.seconds = seconds;
        last.zone = timezone;
        return;
    }
    g_string_append_len (out, last.text, (gssize) last.size);
}

static bool
ends_comment (unsigned char c)
{
    switch (c) {
    case '<':
    case '>':
    case '(':
    case ')':
    case '\\':
    case '"':
    case ';':
    case '@':
    case 127:
        return true;
    default:
        return c <= 32;
    }
}

/* Names that a client gives stand inside comment syntax: what could end it becomes '?'. */
static void
append_neuter (GString *out, const char *text)
{
    gsize at = out->len;
    g_string_append (out, text);
    for (; at < out->len; at++)
        if (ends_comment ((unsigned char) out->str[at]))
            out->str[at] = '?';
}

static void
append_client (GString *out, const HkReceived *received)
{
    const char *name = received->client_name != NULL ? received->client_name : "unknown";
    const char *helo =
        received->helo != NULL && *received->helo != '\0' ? received->helo : name;
    g_string_append (out, "Received: from ");
    append_neuter (out, helo);
    g_string_append (out, " (");
    append_neuter (out, name);
    g_string_append (out, received->client_is_ipv6 ? " [IPv6:" : " [");
    append_neuter (out, received->client_address);
    g_string_append (out, "])\r\n");
}

static void
append_extra_line (GString *out, HkSpan line)
{
    if (line.size == 0)
        return;
    g_string_append_c (out, '\t');
    for (size_t i = 0; i < line.size; i++)
        g_string_append_c (out,
                           line.data[i] < 32 || line.data[i] == 127 ? '?' : (char) line.data[i]);
    g_string_append (out, "\r\n");
}

static void
append_extra_lines (GString *out, HkSpan lines)
{
    for (size_t at = 0; at < lines.size;) {
        size_t end = hk_span_find (lines, '\n', at);
        append_extra_line (out, hk_span_sub (lines, at, end - at));
        at = end + 1;
    }
}

static void
append_for (GString *out, HkSpan recipient)
{
    if (recipient.size == 0)
        return;
    for (size_t i = 0; i < recipient.size; i++)
        if (recipient.data[i] < 32 || recipient.data[i] == 127)
            return;
    g_string_append (out, "\r\n\tfor <");
    hk_string_append (out, recipient);
    g_string_append_c (out, '>');
}

static void
append_local (GString *out, const HkReceived *received)
{
    g_string_append (out, "Received: by ");
    g_string_append (out, received->myhostname);
    g_string_append (out, " (");
    g_string_append (out, received->mail_name);
    if (received->uid >= 0)
        g_string_append_printf (out, ", from userid %" G_GINT64_FORMAT, received->uid);
    g_string_append (out, ")\r\n\tid ");
    g_string_append (out, received->queue_id);
    g_string_append (out, "; ");
    hk_header_append_date (out, received->arrival_us);
    g_string_append (out, "\r\n");
}

void
hk_header_append_received (GString *out, const HkReceived *received)
{
    if (received->client_address == NULL) {
        append_local (out, received);
        return;
    }
    append_client (out, received);
    append_extra_lines (out, hk_span_text (received->tls_line));
    append_extra_line (out, hk_span_text (received->sasl_line));
    g_string_append (out, "\tby ");
    g_string_append (out, received->myhostname);
    g_string_append (out, " (");
    g_string_append (out, received->mail_name);
    g_string_append (out, ") with ");
    g_string_append (out, received->with != NULL ? received->with : "SMTP");
    g_string_append (out, " id ");
    g_string_append (out, received->queue_id);
    append_for (out, received->for_recipient);
    if (received->priority != 0)
        g_string_append_printf (out, "\r\n\tPRIORITY %d", received->priority);
    g_string_append (out, "; ");
    hk_header_append_date (out, received->arrival_us);
    g_string_append (out, "\r\n");
}
