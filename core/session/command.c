/* command.c: which command it is and whether it may come now; the small ones themselves. */
#include "config.h"
#include "session/session_priv.h"

#include "base/text.h"
#include "mail/address.h"

/* RFC 2920 3.1: commands that end a pipelined group. */
static bool
ends_group (HkVerb verb)
{
    switch (verb) {
    case HK_VERB_HELO:
    case HK_VERB_EHLO:
    case HK_VERB_DATA:
    case HK_VERB_NOOP:
    case HK_VERB_VRFY:
    case HK_VERB_QUIT:
    case HK_VERB_STARTTLS:
    case HK_VERB_AUTH:
        return true;
    default:
        return false;
    }
}

/* Commands that cost the client nothing and do not move mail. */
static bool
is_junk (HkVerb verb)
{
    return verb == HK_VERB_HELO || verb == HK_VERB_EHLO || verb == HK_VERB_RSET ||
           verb == HK_VERB_NOOP || verb == HK_VERB_VRFY || verb == HK_VERB_ETRN;
}

static bool
is_in (char **words, HkSpan word)
{
    for (; words != NULL && *words != NULL; words++)
        if (hk_span_is_ci (word, *words))
            return true;
    return false;
}

/* ---- HELO, EHLO
 * -------------------------------------------------------------------------- */

/* What this client is not offered: smtpd_discard_ehlo_keyword_address_maps, which has the
 * last word where it has one, else smtpd_discard_ehlo_keywords. */
static unsigned
discarded (HkSession *self)
{
    HkDialogue *d = self->dialogue;
    unsigned mask = d->ehlo_discarded;
    bool is_silent = d->ehlo_silent;
    g_autoptr (GString) words = g_string_new (NULL);
    if (d->ehlo_maps != NULL &&
        hk_maps_get (d->ehlo_maps, hk_span_text (self->client_address), words, NULL) ==
            HK_FOUND) {
        is_silent = false;
        mask = hk_ehlo_parse_mask (hk_span_string (words), &is_silent);
    }
    if (mask != 0 && !is_silent) {
        g_string_truncate (words, 0);
        hk_ehlo_append_words (words, mask);
        hk_report_text (self, HK_LOG_INFO, "discarding EHLO keywords: %s", words->str);
    }
    return mask;
}

static void
say_ehlo (HkSession *self, const char *mechanisms)
{
    HkDialogue *d = self->dialogue;
    bool is_encrypted = hk_session_is_encrypted (self);
    unsigned withheld = (self->may_xclient ? 0 : HK_EHLO_XCLIENT) |
                        (self->may_xforward ? 0 : HK_EHLO_XFORWARD) |
                        (is_encrypted ? HK_EHLO_STARTTLS : 0) |
                        hk_screen_withheld (self) | discarded (self);
    withheld |= hk_esmtp_withheld (self, d->ehlo_mask & ~withheld);
    unsigned usual = d->ehlo_usual & ~(is_encrypted ? HK_EHLO_STARTTLS : 0u);
    const GString *ready = is_encrypted ? d->ehlo_tls : d->ehlo;
    self->ehlo_mask = d->ehlo_mask & ~withheld;
    if (mechanisms == NULL && self->ehlo_mask == usual)
        hk_session_say (self, ready->str, ready->len);
    else
        hk_ehlo_append (hk_session_out (self), d, self->ehlo_mask, mechanisms);
}

static void
helo_checked (HkSession *self, HkVerdict *verdict)
{
    if (!hk_session_verdict (self, HK_STAGE_HELO, HK_SPAN_NONE, verdict)) {
        g_clear_pointer (&self->helo, g_free);
        self->is_esmtp = self->was_esmtp;
        return;
    }
    hk_session_reset (self);
    hk_session_forget_forward (self);
    if (self->is_esmtp)
        hk_auth_offer (self, say_ehlo);
    else
        hk_session_reply (self, 250, NULL, "%s", self->dialogue->myhostname);
}

static void
do_helo (HkSession *self, HkSpan name, bool is_esmtp)
{
    if (name.size == 0) {
        hk_session_refuse (self, 501, NULL, "Syntax: %s hostname",
                           is_esmtp ? "EHLO" : "HELO");
        return;
    }
    g_autoptr (GString) shown = g_string_new (NULL);
    hk_text_append_printable (shown, name, 255, true);
    g_free (self->helo);
    self->helo = g_string_free (g_steal_pointer (&shown), FALSE);
    self->was_esmtp = self->is_esmtp;
    self->is_esmtp = is_esmtp;
    hk_session_check (self, HK_STAGE_HELO, HK_SPAN_NONE, helo_checked);
}

/* ---- VRFY, ETRN
 * -------------------------------------------------------------------------- */

/* Of VRFY `asked` is the address, as RCPT would have it, a line break, and what was said. */
static HkSpan
vrfy_address (const char *asked)
{
    return hk_span (asked, strcspn (asked, "\n"));
}

static bool
parse_vrfy (const HkSession *self, HkSpan argument, GString *out)
{
    g_autoptr (HkArena) arena = hk_arena_new (1024);
    unsigned flags = self->dialogue->smtputf8 ? HK_PATH_ALLOW_UTF8 : 0;
    HkSpan address, rest;
    if (hk_path_parse (argument, flags, arena, &address, &rest) != HK_PATH_OK ||
        rest.size > 0 || address.size == 0)
        return false;
    hk_string_append (out, address);
    return true;
}

/* RFC 6531 3.7.4.2: VRFY address [SMTPUTF8]. */
static HkSpan
without_smtputf8 (HkSession *self, HkSpan argument)
{
    size_t blank = hk_span_rfind (argument, ' ');
    bool is_said = blank < argument.size && self->dialogue->smtputf8 &&
                   hk_span_is_ci (hk_span_sub (argument, blank + 1, argument.size),
                                  "SMTPUTF8");
    return is_said ? hk_span_strip (hk_span_sub (argument, 0, blank)) : argument;
}

static void
vrfy_checked (HkSession *self, HkVerdict *verdict)
{
    g_autofree char *asked = g_steal_pointer (&self->asked);
    HkSpan address = vrfy_address (asked);
    if (hk_session_verdict (self, HK_STAGE_VRFY, address, verdict))
        hk_session_reply (self, 252, "2.0.0", "%.400s", asked + address.size + 1);
}

static void
do_vrfy (HkSession *self, HkSpan argument)
{
    if (self->dialogue->disable_vrfy) {
        hk_session_refuse (self, 502, "5.5.1", "VRFY command is disabled");
        return;
    }
    argument = without_smtputf8 (self, argument);
    if (argument.size == 0) {
        hk_session_refuse (self, 501, "5.5.4", "Syntax: VRFY address%s",
                           self->dialogue->smtputf8 ? " [SMTPUTF8]" : "");
        return;
    }
    g_autoptr (GString) asked = g_string_new (NULL);
    if (!parse_vrfy (self, argument, asked)) {
        hk_session_refuse (self, 501, "5.1.3", "Bad recipient address syntax");
        return;
    }
    g_string_append_c (asked, '\n');
    hk_text_append_printable (asked, argument, 400, true);
    g_free (self->asked);
    self->asked = g_string_free (g_steal_pointer (&asked), FALSE);
    hk_session_check (self, HK_STAGE_VRFY, vrfy_address (self->asked), vrfy_checked);
}

static void
flush_site (HkSession *self, const char *site, HkAnswer is_listed)
{
    const HkSessionsOptions *o = &self->dialogue->sessions->options;
    if (is_listed != HK_FOUND)
        hk_session_refuse (self, 459, NULL, "<%.255s>: service unavailable", site);
    else if (o->flush_site == NULL || !o->flush_site (hk_span_text (site), o->data))
        hk_session_refuse (self, 458, NULL, "Unable to queue messages");
    else
        hk_session_reply (self, 250, NULL, "Queuing started");
}

/* The list of domains may ask a table that blocks. */
typedef struct {
    HkSession *session;
    char *site;
    HkAnswer answer;
} Listing;

static HkAnswer
is_flush_domain (HkDialogue *d, const char *site)
{
    if (d->flush_domains == NULL)
        return HK_ABSENT;
    return hk_match_list_find (d->flush_domains, hk_span_text (site), HK_SPAN_NONE, NULL);
}

static void
list_on_worker (void *data)
{
    Listing *listing = data;
    listing->answer = is_flush_domain (listing->session->dialogue, listing->site);
}

static void
listed (void *data)
{
    Listing *listing = data;
    HkSession *session = listing->session;
    session->is_busy = session->is_on_worker = false;
    flush_site (session, listing->site, listing->answer);
    g_free (listing->site);
    g_free (listing);
    hk_session_resume (session);
}

static void
etrn_checked (HkSession *self, HkVerdict *verdict)
{
    HkDialogue *d = self->dialogue;
    g_autofree char *site = g_steal_pointer (&self->asked);
    if (!hk_session_verdict (self, HK_STAGE_ETRN, HK_SPAN_NONE, verdict))
        return;
    if (d->flush_domains == NULL || !hk_match_list_may_block (d->flush_domains)) {
        flush_site (self, site, is_flush_domain (d, site));
        return;
    }
    Listing *listing = g_new0 (Listing, 1);
    listing->session = self;
    listing->site = g_steal_pointer (&site);
    self->is_busy = self->is_on_worker = true;
    hk_workers_run (d->sessions->options.workers, list_on_worker, listed, listing);
}

static void
do_etrn (HkSession *self, HkSpan argument)
{
    if (self->dialogue->helo_required && self->helo == NULL) {
        hk_session_refuse (self, 503, NULL, "Error: send HELO/EHLO first");
        return;
    }
    if (self->tx != NULL) {
        hk_session_refuse (self, 503, NULL, "Error: MAIL transaction in progress");
        return;
    }
    if (argument.size == 0 || hk_span_find (argument, ' ', 0) < argument.size) {
        hk_session_refuse (self, 500, NULL, "Syntax: ETRN domain");
        return;
    }
    HkSpan name = argument;
    if (name.data[0] == '@' || name.data[0] == '#')
        name = hk_span_sub (name, 1, name.size);
    if (!hk_domain_is_valid (name, false)) {
        hk_session_refuse (self, 501, NULL, "Error: invalid parameter syntax");
        return;
    }
    g_free (self->asked);
    self->asked = hk_span_dup_lower (name);
    hk_session_check (self, HK_STAGE_ETRN, HK_SPAN_NONE, etrn_checked);
}

/* ---- the rest
 * ----------------------------------------------------------------------------- */

static void
do_rset (HkSession *self, HkSpan argument)
{
    if (argument.size > 0) {
        hk_session_refuse (self, 501, "5.5.4", "Syntax: RSET");
        return;
    }
    hk_session_reset (self);
    hk_session_forget_forward (self);
    hk_session_say_literal (self, "250 2.0.0 Ok\r\n");
}

static void
do_quit (HkSession *self)
{
    hk_session_say_literal (self, "221 2.0.0 Bye\r\n");
    self->is_closing = true;
}

static void
do_help (HkSession *self)
{
    hk_session_reply (
        self, 214, "2.0.0",
        "Commands: HELO EHLO AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY ETRN HELP QUIT");
}

static void
run (HkSession *self, const HkCommand *command)
{
    switch (command->verb) {
    case HK_VERB_HELO:
    case HK_VERB_EHLO:
        do_helo (self, command->argument, command->verb == HK_VERB_EHLO);
        break;
    case HK_VERB_MAIL:
        hk_session_mail (self, command->argument);
        break;
    case HK_VERB_RCPT:
        hk_session_rcpt (self, command->argument);
        break;
    case HK_VERB_DATA:
        hk_session_data (self, command->argument);
        break;
    case HK_VERB_BDAT:
        hk_session_bdat (self, command->argument);
        break;
    case HK_VERB_RSET:
        do_rset (self, command->argument);
        break;
    case HK_VERB_NOOP:
        hk_session_say_literal (self, "250 2.0.0 Ok\r\n");
        break;
    case HK_VERB_VRFY:
        do_vrfy (self, command->argument);
        break;
    case HK_VERB_ETRN:
        do_etrn (self, command->argument);
        break;
    case HK_VERB_HELP:
        do_help (self);
        break;
    case HK_VERB_QUIT:
        do_quit (self);
        break;
    case HK_VERB_XCLIENT:
        hk_session_xclient (self, command->argument);
        break;
    case HK_VERB_XFORWARD:
        hk_session_xforward (self, command->argument);
        break;
    case HK_VERB_STARTTLS:
        hk_session_starttls (self, command->argument);
        break;
    case HK_VERB_AUTH:
        hk_session_auth (self, command->argument);
        break;
    default:
        hk_session_refuse (self, 502, "5.5.1", "Error: command not implemented");
    }
}

/* ---- dispatch
 * ----------------------------------------------------------------------------- */

static bool
is_forbidden (HkDialogue *d, HkSpan word)
{
    if (hk_command_is_header (word) || is_in (d->forbidden_words, word))
        return true;
    /* What the default's table says (no command begins with anything but a letter). */
    if (!g_ascii_isalpha (word.data[0]) && d->forbidden == NULL)
        return true;
    return d->forbidden != NULL && !hk_match_list_may_block (d->forbidden) &&
           hk_match_list_find (d->forbidden, word, HK_SPAN_NONE, NULL) == HK_FOUND;
}

/* A client that was refused at CONNECT may only leave. */
static bool
refuses_denied (HkSession *self)
{
    if (!self->is_denied)
        return false;
    hk_session_refuse (self, 503, "5.7.0", "Error: access denied for %s[%s]",
                       self->client_name, self->client_address);
    return true;
}

static void
unknown (HkSession *self, HkSpan line, HkSpan word)
{
    if (is_forbidden (self->dialogue, word)) {
        if (hk_screen_non_smtp (self, line))
            return;
        g_autoptr (GString) shown = g_string_new (NULL);
        hk_text_append_printable (shown, line, 100, false);
        g_autoptr (GString) client = g_string_new (NULL);
        hk_report_append_client (client, self);
        hk_report_text (self, HK_LOG_WARNING, "non-SMTP command from %s: %s", client->str,
                        shown->str);
        hk_session_count_error (self);
        hk_session_hang_up (self, 221, "2.7.0", "Error: I can break rules, too. Goodbye.");
        return;
    }
    if (!refuses_denied (self))
        hk_session_refuse (self, self->screening != NULL ? 502 : 500, "5.5.2",
                           "Error: command not recognized"); /* as postscreen and smtpd */
}

/* Input behind a command that must be the last of its group: an attacker's prefix, or a
 * client that does not wait. */
bool
hk_session_breaks_pipelining (HkSession *self, HkVerb verb, HkSpan rest)
{
    if (rest.size == 0 || verb == HK_VERB_BDAT || (self->is_esmtp && !ends_group (verb)))
        return false;
    if (!self->is_improper) {
        g_autoptr (GString) shown = g_string_new (NULL);
        hk_text_append_printable (shown, rest, 100, false);
        g_autoptr (GString) client = g_string_new (NULL);
        hk_report_append_client (client, self);
        hk_report_text (self, HK_LOG_INFO,
                        "improper command pipelining after %s from %s: %s",
                        hk_verb_name (verb), client->str, shown->str);
        self->is_improper = true;
    }
    if (!self->dialogue->forbid_pipelining)
        return false;
    hk_session_count_error (self);
    hk_session_hang_up (self, 554, "5.5.0", "Error: SMTP protocol synchronization");
    return true;
}

void
hk_session_command (HkSession *self, HkSpan line, HkSpan rest)
{
    HkCommand command;
    GString *filtered = self->dialogue->sessions->filtered;
    self->after_content = false;
    if (self->dialogue->command_filter != NULL &&
        hk_command_filter (self, line, filtered))
        line = hk_span_string (filtered);
    if (!hk_command_parse (line, &command)) {
        self->last_verb = HK_VERB_UNKNOWN;
        self->n_all[HK_VERB_UNKNOWN]++;
        hk_session_refuse (self, 500, "5.5.2", "Error: bad syntax");
        return;
    }
    bool is_noop = is_in (self->dialogue->noop_commands, command.word);
    self->last_verb = is_noop ? HK_VERB_NOOP : command.verb;
    self->n_all[self->last_verb]++;
    if (self->screening != NULL && hk_screen_line (self, self->is_bare_line, rest))
        return;
    if (!hk_command_is_clean (line)) {
        hk_session_refuse (self, 500, "5.5.2", "Error: bad syntax");
        return;
    }
    if (self->dialogue->smtputf8 &&
        !g_utf8_validate ((const char *) line.data, (gssize) line.size, NULL)) {
        hk_session_refuse (self, 500, "5.5.2", "Error: bad UTF-8 syntax");
        return;
    }
    if (command.verb == HK_VERB_UNKNOWN && !is_noop) {
        unknown (self, line, command.word);
        return;
    }
    self->n_good[self->last_verb]++;
    if (is_noop) {
        hk_session_say_literal (self, "250 2.0.0 Ok\r\n");
        return;
    }
    if (command.verb != HK_VERB_QUIT && refuses_denied (self))
        return;
    if (self->screening == NULL && hk_session_breaks_pipelining (self, command.verb, rest))
        return;
    if (hk_session_lacks_tls (self, command.verb))
        return;
    if (is_junk (command.verb) && self->n_junk++ > self->dialogue->junk_limit) {
        self->n_junk = (uint16_t) (self->dialogue->junk_limit + 1);
        if (self->n_errors < G_MAXUINT16)
            self->n_errors++;
    }
    if (self->screening != NULL)
        hk_screen_note_verb (self);
    run (self, &command);
}
