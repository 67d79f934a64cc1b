/* dialogue.c: one smtpd line of master.cf, compiled: limits, banner, EHLO reply, lists. */
#include "config.h"
#include "session/session_priv.h"

#include "base/log.h"
#include "base/text.h"
#include "mail/reply.h"

/* In the order in which Postfix offers them. */
static const struct {
    const char *word;
    unsigned bit;
} keywords[] = {
    {"PIPELINING", HK_EHLO_PIPELINING},
    {"SIZE", HK_EHLO_SIZE},
    {"VRFY", HK_EHLO_VRFY},
    {"ETRN", HK_EHLO_ETRN},
    {"STARTTLS", HK_EHLO_STARTTLS},
    {"AUTH", HK_EHLO_AUTH},
    {"XVERP", HK_EHLO_XVERP},
    {"XCLIENT", HK_EHLO_XCLIENT},
    {"XFORWARD", HK_EHLO_XFORWARD},
    {"ENHANCEDSTATUSCODES", HK_EHLO_ENHANCED},
    {"8BITMIME", HK_EHLO_8BITMIME},
    {"DSN", HK_EHLO_DSN},
    {"SMTPUTF8", HK_EHLO_SMTPUTF8},
    {"CHUNKING", HK_EHLO_CHUNKING},
    {"LIMITS", HK_EHLO_LIMITS}, /* RFC 9422 */
    {"BINARYMIME", HK_EHLO_BINARYMIME},
    {"DELIVERBY", HK_EHLO_DELIVERBY},
    {"FUTURERELEASE", HK_EHLO_FUTURERELEASE},
    {"MT-PRIORITY", HK_EHLO_MT_PRIORITY},
    {"REQUIRETLS", HK_EHLO_REQUIRETLS},
};

unsigned
hk_ehlo_parse_mask (HkSpan list, bool *out_silent)
{
    unsigned mask = 0;
    HkSpan word;
    while (hk_text_next_word (&list, &word)) {
        if (hk_span_is_ci (word, "silent-discard"))
            *out_silent = true;
        for (unsigned i = 0; i < G_N_ELEMENTS (keywords); i++)
            if (hk_span_is_ci (word, keywords[i].word))
                mask |= keywords[i].bit;
        if (hk_span_is_ci (word, "VERP")) /* Postfix's name for it here */
            mask |= HK_EHLO_XVERP;
    }
    return mask;
}

void
hk_ehlo_append_words (GString *out, unsigned mask)
{
    const char *before = "";
    for (unsigned i = 0; i < G_N_ELEMENTS (keywords); i++) {
        if (!(mask & keywords[i].bit))
            continue;
        g_string_append_printf (out, "%s%s", before, keywords[i].word);
        before = " ";
    }
}

void
hk_ehlo_append (GString *out, const HkDialogue *self, unsigned mask, const char *mechanisms)
{
    size_t last = out->len;
    g_string_append_printf (out, "250-%s\r\n", self->myhostname);
    for (unsigned i = 0; i < G_N_ELEMENTS (keywords); i++) {
        if (!(mask & keywords[i].bit) ||
            (keywords[i].bit == HK_EHLO_AUTH && mechanisms == NULL))
            continue;
        last = out->len;
        if (keywords[i].bit == HK_EHLO_AUTH) {
            last = hk_auth_append_ehlo (out, self->auth, mechanisms);
            continue;
        }
        g_string_append_printf (out, "250-%s", keywords[i].word);
        if (keywords[i].bit == HK_EHLO_SIZE && self->size_limit > 0)
            g_string_append_printf (out, " %" G_GUINT64_FORMAT, self->size_limit);
        if (keywords[i].bit == HK_EHLO_XCLIENT)
            g_string_append (out,
                             " NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT");
        if (keywords[i].bit == HK_EHLO_LIMITS)
            g_string_append_printf (out, " RCPTMAX=%u", self->recipient_limit);
        if (keywords[i].bit == HK_EHLO_XFORWARD)
            g_string_append (out, " NAME ADDR PROTO HELO SOURCE PORT IDENT");
        hk_esmtp_append_argument (
            out, self->esmtp, keywords[i].bit,
            hk_wall_us (hk_loop_clock (self->sessions->options.loop)) / HK_SECOND);
        g_string_append (out, "\r\n");
    }
    out->str[last + 3] = ' ';
}

static void
read_limits (HkDialogue *self, HkSettings *v)
{
    self->size_limit = (uint64_t) MAX (hk_settings_int (v, "message_size_limit"), 0);
    self->line_limit = (size_t) hk_settings_int (v, "line_length_limit");
    self->peername_timeout_us =
        hk_settings_int (v, "smtpd_peername_lookup_timeout") * HK_SECOND;
    self->recipient_limit = (unsigned) hk_settings_int (v, "smtpd_recipient_limit");
    self->recipient_overshoot =
        (unsigned) hk_settings_int (v, "smtpd_recipient_overshoot_limit");
    self->helo_required = hk_settings_bool (v, "smtpd_helo_required");
    self->disable_vrfy = hk_settings_bool (v, "disable_vrfy_command");
    self->lookup_names = hk_settings_bool (v, "smtpd_peername_lookup");
    self->log_port = hk_settings_bool (v, "smtpd_client_port_logging");
    self->strict_envelopes = hk_settings_bool (v, "strict_rfc821_envelopes");
    self->smtputf8 = hk_settings_bool (v, "smtputf8_enable");
    self->soft_bounce = hk_settings_bool (v, "soft_bounce");
    self->strict_smtputf8 = hk_settings_bool (v, "strict_smtputf8");
    self->forbid_pipelining = hk_settings_bool (v, "smtpd_forbid_unauth_pipelining");
}

static void
read_bare_lf (HkDialogue *self, HkSettings *v)
{
    const char *word = hk_settings_get (v, "smtpd_forbid_bare_newline");
    self->bare_lf = g_ascii_strcasecmp (word, "reject") == 0 ? HK_BARE_LF_REJECT
                    : g_ascii_strcasecmp (word, "note") == 0 ? HK_BARE_LF_NOTE
                                                             : HK_BARE_LF_NORMALIZE;
    self->bare_lf_code = (int) hk_settings_int (v, "smtpd_forbid_bare_newline_reject_code");
}

/* The words of smtpd_forbidden_commands that are no table; the whole list as a match list
 * when its tables can be opened. */
static void
read_forbidden (HkDialogue *self)
{
    const char *text = hk_settings_get (self->view, "smtpd_forbidden_commands");
    g_autoptr (GError) error = NULL;
    GPtrArray *words = g_ptr_array_new ();
    HkSpan rest = hk_span_text (text), word;
    while (hk_text_next_word (&rest, &word))
        if (hk_span_find (word, ':', 0) == word.size)
            g_ptr_array_add (words, hk_span_dup (word));
    g_ptr_array_add (words, NULL);
    self->forbidden_words = (char **) g_ptr_array_free (words, FALSE);
    if (self->plugins == NULL)
        return;
    self->forbidden =
        hk_match_list_open (self->plugins, self->view, "smtpd_forbidden_commands", text,
                            HK_MATCH_STRINGS, &error);
    /* The default names a regexp table; without that plugin the words alone count. */
    const char *file;
    unsigned line;
    if (error != NULL &&
        hk_settings_origin (self->view, "smtpd_forbidden_commands", &file, &line))
        hk_log (HK_LOG_WARNING, "smtpd_forbidden_commands: %s", error->message);
}

static bool
read_rewrite_clients (HkDialogue *self, GError **error)
{
    HkSpan rest =
        hk_span_text (hk_settings_get (self->view, "local_header_rewrite_clients"));
    HkSpan word;
    while (hk_text_next_word (&rest, &word)) {
        if (hk_span_is_ci (word, "permit_inet_interfaces")) {
            self->rewrite_inet_interfaces = true;
        } else if (hk_span_is_ci (word, "permit_mynetworks")) {
            self->rewrite_mynetworks = true;
        } else if (hk_span_is_ci (word, "check_address_map") &&
                   hk_text_next_word (&rest, &word)) {
            g_autofree char *spec = hk_span_dup (word);
            self->rewrite_maps = hk_maps_open (self->plugins, self->view,
                                               "local_header_rewrite_clients", spec, error);
            if (self->rewrite_maps == NULL)
                return false;
        } else if (!hk_span_starts_ci (word, HK_SPAN ("permit_"))) {
            hk_log (HK_LOG_WARNING,
                    "local_header_rewrite_clients: \"%.*s\" is not understood",
                    HK_SPAN_ARG (word));
        }
    }
    return true;
}

static HkMatchList *
open_list (HkDialogue *self, const char *parameter, HkMatchKind kind, GError **error)
{
    return hk_match_list_open (self->plugins, self->view, parameter,
                               hk_settings_get (self->view, parameter), kind, error);
}

static bool
open_lists (HkDialogue *self, GError **error)
{
    if (self->plugins == NULL)
        return true;
    self->mynetworks = open_list (self, "mynetworks", HK_MATCH_ADDRESSES, error);
    if (self->mynetworks == NULL)
        return false;
    self->bare_lf_exclusions =
        open_list (self, "smtpd_forbid_bare_newline_exclusions", HK_MATCH_ADDRESSES, error);
    if (self->bare_lf_exclusions == NULL)
        return false;
    self->flush_domains = open_list (self, "fast_flush_domains", HK_MATCH_DOMAINS, error);
    if (self->flush_domains == NULL)
        return false;
    const char *maps =
        hk_settings_get (self->view, "smtpd_discard_ehlo_keyword_address_maps");
    self->ehlo_maps = hk_maps_open (self->plugins, self->view,
                                    "smtpd_discard_ehlo_keyword_address_maps", maps, error);
    return self->ehlo_maps != NULL && read_rewrite_clients (self, error);
}

static bool
open_command_filter (HkDialogue *self, GError **error)
{
    const char *text = hk_settings_get (self->view, "smtpd_command_filter");
    if (self->plugins == NULL || hk_span_strip (hk_span_text (text)).size == 0)
        return true;
    self->command_filter =
        hk_session_maps_open (self->plugins, self->view, "smtpd_command_filter", error);
    return self->command_filter != NULL;
}

/* AUTH: lent; NULL: it opens its own, where there is AUTH. */
static HkDialogue *
make (HkSessions *sessions, const HkDialogueOptions *options, HkAuthService *auth,
      GError **error)
{
    g_autoptr (HkDialogue) self = g_new0 (HkDialogue, 1);
    HkSettings *view = options->view;

    self->sessions = sessions;
    self->view = hk_settings_ref (view);
    self->plugins = options->plugins;
    self->access = options->access;
    self->intake = options->intake;
    self->screen = options->screen;
    self->screen_cache = options->screen_cache;
    self->service = g_strdup (options->service);
    self->myhostname = g_strdup (hk_settings_get (view, "myhostname"));
    self->mail_name = g_strdup (hk_settings_get (view, "mail_name"));
    read_limits (self, view);
    read_bare_lf (self, view);
    self->noop_commands = hk_settings_words (view, "smtpd_noop_commands");
    read_forbidden (self);
    self->guard = hk_guard_new (self->plugins, view, error);
    self->esmtp = self->guard != NULL ? hk_esmtp_service_new (view, error) : NULL;
    if (self->esmtp == NULL || !open_lists (self, error) ||
        !open_command_filter (self, error) ||
        !hk_footer_open (self->plugins, view, &self->footer, error) ||
        (auth == NULL && !hk_auth_service_open (sessions, options, &self->auth, error)))
        return NULL;
    self->borrows_auth = auth != NULL;
    if (auth != NULL)
        self->auth = auth;
    if (options->screen_view != NULL)
        hk_guard_take_proxy (self->guard, options->screen_view);
    hk_patience_apply (&self->guard->calm, self);

    g_autoptr (GString) banner = g_string_new (NULL);
    hk_reply_append (banner, 220, NULL,
                     hk_span_text (hk_settings_get (view, "smtpd_banner")));
    self->banner = g_string_free (g_steal_pointer (&banner), FALSE);

    HkSpan discard = hk_span_text (hk_settings_get (view, "smtpd_discard_ehlo_keywords"));
    for (unsigned i = 0; i < G_N_ELEMENTS (keywords); i++)
        self->ehlo_mask |= keywords[i].bit;
    if (!hk_settings_bool (view, "smtpd_limits_enable"))
        self->ehlo_mask &= ~HK_EHLO_LIMITS;
    self->ehlo_discarded = hk_ehlo_parse_mask (discard, &self->ehlo_silent);
    if (self->disable_vrfy)
        self->ehlo_mask &= ~HK_EHLO_VRFY;
    if (!self->smtputf8)
        self->ehlo_mask &= ~HK_EHLO_SMTPUTF8;
    self->tls = options->tls;
    if (!hk_tls_is_offered (self))
        self->ehlo_mask &= ~HK_EHLO_STARTTLS;
    self->ehlo_mask &= ~HK_EHLO_ADDED | self->esmtp->enabled;
    self->ehlo = g_string_new (NULL);
    /* of one who may not speak for others; FUTURERELEASE tells the time */
    self->ehlo_usual =
        self->ehlo_mask & ~self->ehlo_discarded &
        ~(unsigned) (HK_EHLO_XCLIENT | HK_EHLO_XFORWARD | HK_EHLO_XVERP |
                     HK_EHLO_REQUIRETLS | HK_EHLO_FUTURERELEASE);
    hk_ehlo_append (self->ehlo, self, self->ehlo_usual, NULL);
    self->ehlo_tls = g_string_new (NULL);
    hk_ehlo_append (self->ehlo_tls, self, self->ehlo_usual & ~HK_EHLO_STARTTLS, NULL);
    hk_sessions_add_dialogue (sessions, self);
    return g_steal_pointer (&self);
}

/* While a client is judged other limits hold, and after it the session's own. */
static HkDialogue *
make_judged (HkSessions *sessions, const HkDialogueOptions *options, HkAuthService *auth,
             GError **error)
{
    HkDialogueOptions judged = *options;
    judged.view = options->judged_view;
    judged.tls = options->judged_tls;
    return make (sessions, &judged, auth, error);
}

HkDialogue *
hk_dialogue_new (HkSessions *sessions, const HkDialogueOptions *options, GError **error)
{
    g_autoptr (HkDialogue) self = make (sessions, options, NULL, error);
    if (self == NULL || options->judged_view == NULL)
        return g_steal_pointer (&self);
    self->judged = make_judged (sessions, options, self->auth, error);
    return self->judged != NULL ? g_steal_pointer (&self) : NULL;
}

void
hk_dialogue_free (HkDialogue *self)
{
    if (self == NULL)
        return;
    if (self->sessions != NULL)
        hk_sessions_forget_dialogue (self->sessions, self);
    hk_dialogue_free (self->judged);
    g_clear_pointer (&self->guard, hk_guard_free);
    g_clear_pointer (&self->esmtp, hk_esmtp_service_free);
    g_clear_pointer (&self->mynetworks, hk_match_list_free);
    g_clear_pointer (&self->bare_lf_exclusions, hk_match_list_free);
    g_clear_pointer (&self->flush_domains, hk_match_list_free);
    g_clear_pointer (&self->forbidden, hk_match_list_free);
    g_clear_pointer (&self->ehlo_maps, hk_maps_unref);
    g_clear_pointer (&self->rewrite_maps, hk_maps_unref);
    g_clear_pointer (&self->command_filter, hk_maps_unref);
    g_clear_pointer (&self->footer, hk_footer_free);
    if (!self->borrows_auth)
        g_clear_pointer (&self->auth, hk_auth_service_free);
    g_strfreev (self->noop_commands);
    g_strfreev (self->forbidden_words);
    if (self->ehlo != NULL)
        g_string_free (self->ehlo, TRUE);
    if (self->ehlo_tls != NULL)
        g_string_free (self->ehlo_tls, TRUE);
    g_free (self->banner);
    g_free (self->service);
    g_free (self->myhostname);
    g_free (self->mail_name);
    hk_settings_unref (self->view);
    g_free (self);
}
