/* filter.c: smtpd_command_filter: a table that rewrites what clients say. */
#include "config.h"
#include "session/session_priv.h"

#include "base/log.h"
#include "base/text.h"

/* The tables of PARAMETER, which the loop itself asks: none that waits. */
HkMaps *
hk_session_maps_open (HkPlugins *plugins, HkSettings *view, const char *parameter,
                      GError **error)
{
    g_autoptr (HkMaps) maps = hk_maps_open (plugins, view, parameter,
                                            hk_settings_get (view, parameter), error);
    if (maps != NULL && hk_maps_may_block (maps)) {
        g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_BROKEN,
                     "%s: every session would wait for this table; use a local type such as "
                     "pcre, regexp, texthash or hash",
                     parameter);
        return NULL;
    }
    return g_steal_pointer (&maps);
}

static void
report (HkSession *session, HkSpan line, const GString *out)
{
    g_autoptr (GString) text = g_string_new (NULL);
    hk_report_append_client (text, session);
    g_string_append (text, ": replacing command \"");
    hk_text_append_printable (text, line, 100, true);
    g_string_append (text, "\" with \"");
    hk_text_append_printable (text, hk_span_string (out), 100, true);
    hk_report_text (session, HK_LOG_INFO, "%s\"", text->str);
}

bool
hk_command_filter (HkSession *session, HkSpan line, GString *out)
{
    const HkDialogue *self = session->dialogue;
    HkSpan whole = line;
    char *reason = NULL;
    while (line.size > 0 && (line.data[0] == ' ' || line.data[0] == '\t'))
        line = hk_span_sub (line, 1, line.size);
    if (line.size == 0) /* which no table is asked for; "^\\s*$" shall find it */
        line = HK_SPAN (" ");
    g_string_truncate (out, 0);
    HkAnswer answer = hk_maps_get_exact_case (self->command_filter, line, out, &reason);
    if (answer != HK_FOUND && answer != HK_ABSENT)
        hk_log (HK_LOG_WARNING, "smtpd_command_filter: %s",
                reason != NULL ? reason : "lookup failed");
    g_free (reason);
    if (answer == HK_FOUND && out->len > self->line_limit) {
        hk_log (HK_LOG_WARNING, "smtpd_command_filter: the result is longer than "
                                "line_length_limit");
        return false;
    }
    if (answer == HK_FOUND)
        report (session, whole, out);
    return answer == HK_FOUND;
}
