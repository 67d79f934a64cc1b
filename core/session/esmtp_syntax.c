/* esmtp_syntax.c: the grammar of the parameters of MAIL that few servers know. */
#include "config.h"
#include "session/esmtp_syntax.h"

#include "base/text.h"
#include "mail/verp.h"
#include "session/syntax.h"

#include <stdarg.h>

static HkEsmtpAnswer G_GNUC_PRINTF (4, 5)
    refuse (HkRefusal *refusal, int code, const char *dsn, const char *format, ...)
{
    va_list ap;
    refusal->code = code;
    refusal->dsn = dsn;
    va_start (ap, format);
    g_vsnprintf (refusal->text, sizeof refusal->text, format, ap);
    va_end (ap);
    return HK_ESMTP_REFUSED;
}

static HkEsmtpAnswer
bad (HkRefusal *refusal, const char *keyword)
{
    return refuse (refusal, 501, "5.5.4", "Bad %s parameter syntax", keyword);
}

static HkEsmtpAnswer
twice (HkRefusal *refusal, const char *keyword)
{
    return refuse (refusal, 501, "5.5.4", "Error: multiple %s parameters", keyword);
}

/* N digits at AT of TEXT; -1: there is something else. */
static int
digits (HkSpan text, size_t at, size_t n)
{
    int value = 0;
    if (at + n > text.size)
        return -1;
    for (size_t i = at; i < at + n; i++) {
        if (!g_ascii_isdigit (text.data[i]))
            return -1;
        value = value * 10 + (text.data[i] - '0');
    }
    return value;
}

static bool
has (HkSpan text, size_t at, char c)
{
    return at < text.size && text.data[at] == c;
}

/* ---- numbers and times ------------------------------------------------------------------
 */

bool
hk_esmtp_parse_priority (HkSpan text, int32_t *out)
{
    bool is_negative = has (text, 0, '-');
    int value = digits (text, is_negative, 1);
    if (value < 0 || text.size != 1u + is_negative || (is_negative && value == 0))
        return false;
    *out = is_negative ? -value : value;
    return true;
}

/* "Z" or "+hh:mm", behind an optional fraction of a second. */
static bool
parse_zone (HkSpan text, int *out_minutes)
{
    size_t at = 0;
    if (has (text, 0, '.')) {
        for (at = 1; at < text.size && g_ascii_isdigit (text.data[at]); at++)
            ;
        if (at == 1 || at > 10)
            return false;
    }
    text = hk_span_sub (text, at, text.size);
    *out_minutes = 0;
    if (hk_span_is_ci (text, "Z"))
        return true;
    int hours = digits (text, 1, 2), minutes = digits (text, 4, 2);
    if (text.size != 6 || (text.data[0] != '+' && text.data[0] != '-') ||
        !has (text, 3, ':') || hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *out_minutes = (hours * 60 + minutes) * (text.data[0] == '-' ? -1 : 1);
    return true;
}

bool
hk_esmtp_parse_time (HkSpan text, int64_t *out_s)
{
    int year = digits (text, 0, 4), month = digits (text, 5, 2), day = digits (text, 8, 2);
    int hour = digits (text, 11, 2), minute = digits (text, 14, 2),
        second = digits (text, 17, 2), zone;
    if (year < 1 || month < 1 || day < 1 || hour < 0 || minute < 0 || second < 0 ||
        second > 60 || !has (text, 4, '-') || !has (text, 7, '-') ||
        (!has (text, 10, 'T') && !has (text, 10, 't')) || !has (text, 13, ':') ||
        !has (text, 16, ':') || !parse_zone (hk_span_sub (text, 19, text.size), &zone))
        return false;
    /* A leap second is the one before it here. */
    g_autoptr (GDateTime) when =
        g_date_time_new_utc (year, month, day, hour, minute, MIN (second, 59));
    if (when == NULL)
        return false;
    *out_s = g_date_time_to_unix (when) - (int64_t) zone * 60;
    return true;
}

/* ---- one parameter each -----------------------------------------------------------------
 */

/* RFC 4865 4.1: HOLDFOR=1*9DIGIT, not beginning with 0; HOLDUNTIL=date-time. */
static HkEsmtpAnswer
take_hold (HkSpan value, bool is_until, const HkEsmtpRules *rules, HkEsmtp *out,
           HkRefusal *refusal)
{
    const char *keyword = is_until ? "HOLDUNTIL" : "HOLDFOR";
    uint64_t seconds;
    int64_t release_s;
    if (out->release_s != 0)
        return twice (refusal, "HOLDFOR or HOLDUNTIL");
    if (is_until) {
        if (!hk_esmtp_parse_time (value, &release_s))
            return bad (refusal, keyword);
        if (release_s <= rules->now_s)
            return refuse (refusal, 501, "5.5.4", "Error: HOLDUNTIL is in the past");
    } else {
        if (value.size == 0 || value.size > 9 || value.data[0] == '0' ||
            !hk_text_parse_u64 (value, 999999999, &seconds))
            return bad (refusal, keyword);
        release_s = rules->now_s + (int64_t) seconds;
    }
    if (release_s - rules->now_s > rules->hold_limit_s)
        return refuse (refusal, 501, "5.5.4",
                       "Error: %s is beyond the limit of %" G_GINT64_FORMAT " seconds", keyword,
                       rules->hold_limit_s);
    out->release_s = release_s;
    return HK_ESMTP_TAKEN;
}

/* RFC 2852 4: by-time ";" by-mode [by-trace]. */
static HkEsmtpAnswer
take_by (HkSpan value, const HkEsmtpRules *rules, HkEsmtp *out, HkRefusal *refusal)
{
    size_t semicolon = hk_span_find (value, ';', 0);
    HkSpan time = hk_span_sub (value, 0, semicolon);
    HkSpan mode = hk_span_sub (value, semicolon + 1, value.size);
    bool is_negative = has (time, 0, '-');
    uint64_t seconds;
    if (out->has_by)
        return twice (refusal, "BY");
    if (is_negative || has (time, 0, '+'))
        time = hk_span_sub (time, 1, time.size);
    if (time.size == 0 || time.size > 9 || !hk_text_parse_u64 (time, 999999999, &seconds))
        return bad (refusal, "BY");
    out->by_return = hk_span_is_ci (mode, "R") || hk_span_is_ci (mode, "RT");
    if (!out->by_return && !hk_span_is_ci (mode, "N") && !hk_span_is_ci (mode, "NT"))
        return bad (refusal, "BY");
    out->by_trace = mode.size == 2;
    out->by_s = is_negative ? -(int64_t) seconds : (int64_t) seconds;
    out->has_by = true;
    if (out->by_return && out->by_s <= 0)
        return refuse (refusal, 501, "5.5.4", "Error: BY with mode R needs time that is left");
    if (out->by_return && out->by_s < rules->by_minimum_s)
        return refuse (refusal, 555, "5.4.7",
                       "Error: less than the %" G_GINT64_FORMAT
                       " seconds that delivery may need here",
                       rules->by_minimum_s);
    return HK_ESMTP_TAKEN;
}

static HkEsmtpAnswer
take_priority (HkSpan value, HkEsmtp *out, HkRefusal *refusal)
{
    if (out->has_priority)
        return twice (refusal, "MT-PRIORITY");
    if (!hk_esmtp_parse_priority (value, &out->priority))
        return bad (refusal, "MT-PRIORITY");
    out->has_priority = true;
    return HK_ESMTP_TAKEN;
}

static HkEsmtpAnswer
take_require_tls (HkSpan value, HkEsmtp *out, HkRefusal *refusal)
{
    if (value.data != NULL)
        return bad (refusal, "REQUIRETLS");
    if (out->requires_tls)
        return twice (refusal, "REQUIRETLS");
    out->requires_tls = true;
    return HK_ESMTP_TAKEN;
}

/* As Postfix: the last of several counts. */
static HkEsmtpAnswer
take_verp (HkSpan value, const HkEsmtpRules *rules, HkEsmtp *out, HkRefusal *refusal)
{
    if (value.data == NULL)
        value = hk_span_text (rules->verp_delimiters);
    if (!hk_verp_parse (value, rules->verp_filter, out->verp))
        return refuse (refusal, 501, "5.5.4", "Error: XVERP needs two characters from %s",
                       rules->verp_filter);
    return HK_ESMTP_TAKEN;
}

static HkEsmtpAnswer
take_body (HkSpan value, const HkEsmtpRules *rules, HkEsmtp *out, HkRefusal *refusal)
{
    bool is_binary = hk_span_is_ci (value, "BINARYMIME");
    if (out->is_binary)
        return twice (refusal, "BODY");
    if (!is_binary || !(rules->offered & HK_ESMTP_BINARYMIME))
        return HK_ESMTP_UNKNOWN;
    out->is_binary = true;
    return HK_ESMTP_TAKEN;
}

static unsigned
extension_of (HkSpan key)
{
    static const struct {
        const char *key;
        unsigned bit;
    } known[] = {{"HOLDFOR", HK_ESMTP_FUTURERELEASE},
                 {"HOLDUNTIL", HK_ESMTP_FUTURERELEASE},
                 {"BY", HK_ESMTP_DELIVERBY},
                 {"MT-PRIORITY", HK_ESMTP_MT_PRIORITY},
                 {"REQUIRETLS", HK_ESMTP_REQUIRETLS},
                 {"XVERP", HK_ESMTP_XVERP}};
    for (size_t i = 0; i < G_N_ELEMENTS (known); i++)
        if (hk_span_is_ci (key, known[i].key))
            return known[i].bit;
    return 0;
}

HkEsmtpAnswer
hk_esmtp_parameter (HkSpan key, HkSpan value, const HkEsmtpRules *rules, HkEsmtp *out,
                    HkRefusal *refusal)
{
    if (rules == NULL)
        return HK_ESMTP_UNKNOWN;
    if (hk_span_is_ci (key, "BODY"))
        return take_body (value, rules, out, refusal);
    switch (extension_of (key) & rules->offered) {
    case HK_ESMTP_FUTURERELEASE:
        return take_hold (value, hk_span_is_ci (key, "HOLDUNTIL"), rules, out, refusal);
    case HK_ESMTP_DELIVERBY:
        return take_by (value, rules, out, refusal);
    case HK_ESMTP_MT_PRIORITY:
        return take_priority (value, out, refusal);
    case HK_ESMTP_REQUIRETLS:
        return take_require_tls (value, out, refusal);
    case HK_ESMTP_XVERP:
        return take_verp (value, rules, out, refusal);
    default:
        return HK_ESMTP_UNKNOWN;
    }
}

bool
hk_esmtp_check (const HkEsmtp *self, const HkEsmtpRules *rules, HkSpan sender,
                HkRefusal *refusal)
{
    if (self->verp[0] != '\0' && sender.size == 0) {
        refuse (refusal, 503, "5.5.4", "Error: XVERP requires non-null sender");
        return false;
    }
    /* What must be there before it may leave could only come back. */
    if (self->release_s != 0 && self->by_return &&
        rules->now_s + self->by_s <= self->release_s) {
        refuse (refusal, 501, "5.5.4", "Error: BY ends before the message is released");
        return false;
    }
    return true;
}
