/* screen_deep.c: a client that is still judged after its greeting: commands ahead of replies,
 * what no mail server says, lines that end in LF alone; and the refusal of its mail. */
#include "config.h"
#include "session/screen_priv.h"

#include "mail/reply.h"

unsigned
hk_screen_withheld (const HkSession *session)
{
    return session->screening != NULL ? HK_EHLO_PIPELINING : 0;
}

/* "WHAT from [a]:p after EHLO" */
static void
log_found (HkScreening *self, const char *what, unsigned verb, const char *more)
{
    HkSession *session = self->session;
    g_autoptr (GString) client = g_string_new (NULL);
    hk_screen_append_client (client, session);
    hk_screen_log (session, "%s from %s after %s%s", what, client->str,
                   hk_verb_name ((HkVerb) verb), more);
}

/* Says so once; true: the client is dropped. */
static bool
fails (HkScreening *self, HkScreenTest test, HkScreenAction action, const char *what,
       const char *more)
{
    if (!(self->failed & HK_TEST_BIT (test)))
        log_found (self, what, self->session->last_verb, more);
    self->failed |= HK_TEST_BIT (test);
    return hk_screen_act (self, action, "550 5.5.1 Protocol error",
                          "521 5.5.1 Protocol error");
}

void
hk_screen_log_timeout (HkSession *session)
{
    if (session->screening != NULL)
        log_found (session->screening, "COMMAND TIME LIMIT", session->last_verb, "");
}

bool
hk_screen_line (HkSession *session, bool is_bare, HkSpan rest)
{
    HkScreening *self = session->screening;
    HkScreen *screen = self->screen;
    if (++self->n_commands > screen->command_limit) {
        log_found (self, "COMMAND COUNT LIMIT", session->last_verb, "");
        hk_session_hang_up (session, 421, NULL, "%s Service unavailable - try again later",
                            session->dialogue->myhostname);
        return true;
    }
    if (is_bare && screen->tests_bare_newline &&
        fails (self, HK_TEST_BARE_NEWLINE, screen->bare_newline, "BARE NEWLINE", ""))
        return true;
    if (rest.size > 0 && screen->tests_pipelining) {
        g_autoptr (GString) more = g_string_new (": ");
        hk_screen_append_escaped (more, rest, 100);
        return fails (self, HK_TEST_PIPELINING, screen->pipelining, "COMMAND PIPELINING",
                      more->str);
    }
    return false;
}

void
hk_screen_note_verb (HkSession *session)
{
    session->screening->where = session->last_verb;
}

bool
hk_screen_non_smtp (HkSession *session, HkSpan line)
{
    HkScreening *self = session->screening;
    if (self == NULL || !self->screen->tests_non_smtp)
        return false;
    g_autoptr (GString) more = g_string_new (": ");
    hk_screen_append_escaped (more, line, 100);
    log_found (self, "NON-SMTP COMMAND", self->where, more->str);
    self->failed |= HK_TEST_BIT (HK_TEST_NON_SMTP);
    if (!hk_screen_act (self, self->screen->non_smtp, "550 5.5.1 Protocol error",
                        "521 5.7.0 Error: I can break rules, too. Goodbye."))
        hk_session_refuse (session, 502, "5.5.2", "Error: command not recognized");
    return true;
}

static void
log_refusal (HkScreening *self, HkSpan recipient)
{
    HkSession *session = self->session;
    g_autoptr (GString) line = g_string_new ("NOQUEUE: reject: RCPT from ");
    hk_screen_append_client (line, session);
    g_string_append_printf (line, ": %s; from=<", self->refusal);
    hk_string_append (line, session->tx->envelope.sender);
    g_string_append (line, ">, to=<");
    hk_string_append (line, recipient);
    g_string_append_printf (line, ">, proto=%s, helo=<%s>",
                            session->is_esmtp ? "ESMTP" : "SMTP",
                            session->helo != NULL ? session->helo : "");
    hk_screen_log (session, "%s", line->str);
}

bool
hk_screen_refuses_recipient (HkSession *session, HkSpan recipient)
{
    HkScreening *self = session->screening;
    int code;
    char dsn[12];
    HkSpan text;
    if (self == NULL)
        return false;
    if (self->refusal == NULL) { /* who has come so far has passed the deep tests */
        hk_screen_pass (self);
        return false;
    }
    log_refusal (self, recipient);
    hk_session_count_error (session);
    if (hk_reply_split (hk_span_text (self->refusal), &code, dsn, &text))
        hk_session_reply_span (session, code, dsn, text);
    return true;
}

bool
hk_screen_ends_data (HkSession *session)
{
    HkScreening *self = session->screening;
    if (self == NULL || self->refusal == NULL)
        return false;
    g_autoptr (GString) client = g_string_new (NULL);
    hk_screen_append_client (client, session);
    hk_screen_log (session, "DATA without valid RCPT from %s", client->str);
    hk_session_hang_up (session, 554, "5.5.1", "Error: no valid recipients");
    return true;
}
