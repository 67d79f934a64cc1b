/* filter_header_checks_actions.c: the actions of header_checks(5).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "filter_header_checks.h"

#include <string.h>

#define SHOWN 200 /* bytes of a line that the log shows */

static HkSpan
span_of (const char *text)
{
    return (HkSpan){(const uint8_t *) text, strlen (text)};
}

static const char *
class_of (const ChecksLine *line)
{
    return line->is_header ? "header" : "body";
}

/* Log what matched: "header Subject: …" and the action's text. */
static void
note (const ChecksLine *line, const char *status, const char *reason)
{
    const HkHost *host = line->message->checks->host;
    g_autofree char *what =
        g_strdup_printf ("%s %.*s", class_of (line), (int) MIN (line->text.size, SHOWN),
                         (const char *) line->text.data);
    g_strdelimit (what, "\r\n", ' ');
    host->content_note (line->call, status, span_of (what), span_of (reason));
}

static void
complain (const ChecksLine *line, const char *what, const char *text)
{
    const HkHost *host = line->message->checks->host;
    host->log (host, HK_LOG_WARNING, "%s in %s_checks map: \"%s\"", what, class_of (line),
               text);
}

/* ---- edits
 * ---------------------------------------------------------------------------------- */

static void
edit_body (const ChecksLine *line, uint64_t size, const char *text)
{
    ChecksEdit edit = {line->offset, size, NULL};
    edit.text = text == NULL ? g_strdup ("") : g_strconcat (text, "\r\n", NULL);
    g_array_append_val (line->message->edits, edit);
}

/* A line in the place of the one at hand; NULL takes it away. */
static void
put_instead (const ChecksLine *line, const char *text)
{
    const HkHost *host = line->message->checks->host;
    if (line->is_primary)
        host->edit_header_lines (line->call, line->position,
                                 span_of (text == NULL ? "" : text));
    else
        edit_body (line, line->size, text);
}

static void
put_before (const ChecksLine *line, const char *text)
{
    const HkHost *host = line->message->checks->host;
    if (!line->is_primary) {
        edit_body (line, 0, text);
        return;
    }
    g_autofree char *both = g_strdup_printf ("%s\n%.*s", text, (int) line->text.size,
                                             (const char *) line->text.data);
    host->edit_header_lines (line->call, line->position, span_of (both));
}

/* ---- the actions
 * ---------------------------------------------------------------------------- */

typedef HkAnswer (*ActionFn) (const ChecksLine *line, const char *text);

static HkAnswer
act_dunno (const ChecksLine *line, const char *text)
{
    (void) line;
    (void) text;
    return HK_DUNNO;
}

static bool
is_address (const char *text)
{
    const char *at = strrchr (text, '@');
    return at != NULL && at != text && at[1] != '\0';
}

static HkAnswer
act_bcc (const ChecksLine *line, const char *text)
{
    if (!is_address (text)) {
        complain (line, "bad BCC address, need user@domain", text);
        return HK_DUNNO;
    }
    note (line, "bcc", text);
    line->message->checks->host->edit_recipient_add (line->call, span_of (text));
    return HK_DUNNO;
}

static HkAnswer
act_redirect (const ChecksLine *line, const char *text)
{
    if (!is_address (text)) {
        complain (line, "bad REDIRECT target, need user@domain", text);
        return HK_DUNNO;
    }
    note (line, "redirect", text);
    line->message->checks->host->edit_redirect (line->call, span_of (text));
    return HK_DUNNO;
}

static HkAnswer
act_filter (const ChecksLine *line, const char *text)
{
    if (strchr (text, ':') == NULL) {
        complain (line, "bad FILTER command, need transport:destination", text);
        return HK_DUNNO;
    }
    note (line, "filter", text);
    line->message->checks->host->edit_filter (line->call, span_of (text));
    return HK_DUNNO;
}

static HkAnswer
act_discard (const ChecksLine *line, const char *text)
{
    note (line, "discard", text);
    return HK_DISCARD;
}

static HkAnswer
act_hold (const ChecksLine *line, const char *text)
{
    note (line, "hold", text);
    line->message->checks->host->edit_hold (line->call, span_of (text));
    return HK_DUNNO;
}

static HkAnswer
act_ignore (const ChecksLine *line, const char *text)
{
    (void) text;
    put_instead (line, NULL);
    return HK_DUNNO;
}

static HkAnswer
act_strip (const ChecksLine *line, const char *text)
{
    note (line, "strip", text);
    put_instead (line, NULL);
    return HK_DUNNO;
}

static HkAnswer
act_warn (const ChecksLine *line, const char *text)
{
    note (line, "warning", text);
    return HK_DUNNO;
}

static HkAnswer
act_info (const ChecksLine *line, const char *text)
{
    note (line, "info", text);
    return HK_DUNNO;
}

static HkAnswer
act_pass (const ChecksLine *line, const char *text)
{
    note (line, "pass", text);
    line->message->is_passed = true;
    return HK_DUNNO;
}

/* What stands in the place of a header must be one. */
static bool
fits (const ChecksLine *line, const char *action, const char *text)
{
    g_autofree char *what = NULL;
    if (*text == '\0' && line->is_header)
        what = g_strdup_printf ("%s action without text", action);
    else if (line->is_header && filter_header_checks_name (span_of (text)) == 0)
        what = g_strdup_printf ("bad %s header text, need \"headername: headervalue\"",
                                action);
    if (what == NULL)
        return true;
    complain (line, what, text);
    return false;
}

static HkAnswer
act_prepend (const ChecksLine *line, const char *text)
{
    if (!fits (line, "PREPEND", text))
        return HK_DUNNO;
    note (line, "prepend", text);
    put_before (line, text);
    return HK_DUNNO;
}

static HkAnswer
act_replace (const ChecksLine *line, const char *text)
{
    if (!fits (line, "REPLACE", text))
        return HK_DUNNO;
    note (line, "replace", text);
    put_instead (line, text);
    return HK_DUNNO;
}

/* "x.y.z" at the front of TEXT, followed by a blank or the end. */
static size_t
dsn_size (const char *text)
{
    size_t n = strspn (text, "0123456789."), dots = 0;
    for (size_t i = 0; i < n; i++)
        dots += text[i] == '.';
    bool is_status = dots == 2 && n >= 5 && n < 12 && (text[0] == '4' || text[0] == '5') &&
                     text[1] == '.' && text[n - 1] != '.';
    return is_status && (text[n] == ' ' || text[n] == '\0') ? n : 0;
}

static HkAnswer
act_reject (const ChecksLine *line, const char *text)
{
    const HkHost *host = line->message->checks->host;
    size_t n = dsn_size (text);
    g_autofree char *dsn = n > 0 ? g_strndup (text, n) : g_strdup ("5.7.1");
    const char *rest = text + n;
    while (*rest == ' ')
        rest++;
    g_autofree char *reason =
        g_strdup_printf ("%s %s", dsn, *rest != '\0' ? rest : "message content rejected");
    note (line, "reject", reason);
    return host->reply (line->call, HK_REJECT, dsn[0] == '4' ? 451 : 550, dsn, "%s",
                        *rest != '\0' ? rest : "message content rejected");
}

static const struct {
    const char *word;
    ActionFn fn;
} actions[] = {
    {"BCC", act_bcc},         {"DISCARD", act_discard},   {"DUNNO", act_dunno},
    {"FILTER", act_filter},   {"HOLD", act_hold},         {"IGNORE", act_ignore},
    {"INFO", act_info},       {"OK", act_dunno},          {"PASS", act_pass},
    {"PREPEND", act_prepend}, {"REDIRECT", act_redirect}, {"REJECT", act_reject},
    {"REPLACE", act_replace}, {"STRIP", act_strip},       {"WARN", act_warn},
};

static HkAnswer
act (const ChecksLine *line, HkSpan action)
{
    g_autofree char *copy = g_strndup ((const char *) action.data, action.size);
    char *word = g_strstrip (copy);
    char *text = word + strcspn (word, " \t");
    if (*text != '\0')
        *text++ = '\0';
    text += strspn (text, " \t");
    for (size_t i = 0; i < G_N_ELEMENTS (actions); i++)
        if (g_ascii_strcasecmp (word, actions[i].word) == 0)
            return actions[i].fn (line, text);
    complain (line, "unknown command", word);
    return HK_DUNNO;
}

HkAnswer
filter_header_checks_check (const ChecksLine *line, ChecksKind kind)
{
    const Checks *checks = line->message->checks;
    HkTable *table = checks->tables[kind];
    HkSpan action;
    if (table == NULL || line->message->is_passed)
        return HK_DUNNO;
    HkAnswer answer = checks->host->table_get (table, line->call, line->text, &action);
    if (answer == HK_ABSENT)
        return HK_DUNNO;
    return answer == HK_FOUND ? act (line, action) : answer;
}
