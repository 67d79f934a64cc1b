/* auth.c: AUTH (RFC 4954): may it come now, the exchange with the client, what came out. */
#include "config.h"
#include "session/auth_priv.h"

#include "base/text.h"

HkAuth *
hk_auth_of (HkSession *session)
{
    if (session->auth == NULL)
        session->auth = g_new0 (HkAuth, 1);
    return session->auth;
}

HkSpan
hk_session_tls_version (const HkSession *session)
{
    if (!hk_session_is_encrypted (session))
        return HK_SPAN_NONE;
    return hk_span_text (hk_tls_info (session->tls)->version);
}

/* ---- what came out
 * ------------------------------------------------------------------------ */

HkSpan
hk_auth_method (const HkSession *session)
{
    if (session->xclient_login != NULL)
        return HK_SPAN ("XCLIENT");
    return hk_span_text (session->auth != NULL ? session->auth->method : NULL);
}

HkSpan
hk_auth_username (const HkSession *session)
{
    if (session->xclient_login != NULL)
        return hk_span_text (session->xclient_login);
    return hk_span_text (session->auth != NULL ? session->auth->username : NULL);
}

char *
hk_auth_received_line (const HkSession *session)
{
    HkSpan user = hk_auth_username (session);
    if (user.size == 0 || session->dialogue->auth == NULL ||
        !session->dialogue->auth->has_header)
        return NULL;
    GString *out = g_string_new ("(Authenticated sender: ");
    for (size_t i = 0; i < user.size; i++) {
        char c = (char) user.data[i];
        /* It stands in a comment. */
        g_string_append_c (out, c < ' ' || c > '~' || strchr ("()\\", c) != NULL ? '?' : c);
    }
    g_string_append_c (out, ')');
    return g_string_free (out, FALSE);
}

static void
end_exchange (HkAuth *auth)
{
    hk_auth_exchange_unref (g_steal_pointer (&auth->exchange));
    g_clear_pointer (&auth->asked, g_free);
    g_clear_pointer (&auth->initial, g_free);
}

void
hk_auth_forget (HkSession *session)
{
    HkAuth *auth = g_steal_pointer (&session->auth);
    if (auth == NULL)
        return;
    if (auth->task != NULL)
        hk_auth_cancel_task (auth->task);
    end_exchange (auth);
    g_free (auth->method);
    g_free (auth->username);
    g_free (auth);
}

/* ---- EHLO
 * --------------------------------------------------------------------------------- */

size_t
hk_auth_append_ehlo (GString *out, const HkAuthService *self, const char *mechanisms)
{
    size_t last = out->len;
    g_string_append_printf (out, "250-AUTH %s\r\n", mechanisms);
    if (!self->has_broken_clients)
        return last;
    last = out->len;
    g_string_append_printf (out, "250-AUTH=%s\r\n", mechanisms);
    return last;
}

static bool
is_exception (const HkSession *session)
{
    const HkAuthService *service = session->dialogue->auth;
    return service->exceptions != NULL &&
           hk_match_list_find (service->exceptions, hk_span_text (session->client_name),
                               hk_span_text (session->client_address), NULL) == HK_FOUND;
}

/* The list of a backend's answer.  NULL: none. */
static const char *
list_of (HkSession *session, HkAuthTask *task)
{
    HkAuthService *service = session->dialogue->auth;
    const char *list = "";
    if (task->answer == HK_LATER || task->answer == HK_BROKEN) {
        hk_report_text (session, HK_LOG_WARNING, "SASL: %s: mechanisms are not known: %s",
                        service->class->base.name,
                        task->call.reason != NULL ? task->call.reason->str : "no reason given");
        return NULL;
    }
    if (task->answer == HK_FOUND && task->call.value != NULL)
        list = hk_auth_filter (service, hk_span_string (task->call.value));
    if (*list == '\0' && !service->was_empty) {
        service->was_empty = true;
        hk_report_text (session, HK_LOG_WARNING, "no SASL authentication mechanisms");
    }
    if (*list != '\0' && hk_instance_may_block (service->instance)) {
        int i = hk_session_tls_version (session).size > 0;
        g_free (service->known[i]);
        service->known[i] = g_strdup (list);
    }
    return *list != '\0' ? list : NULL;
}

static const char *
known_list (const HkSession *session)
{
    return session->dialogue->auth->known[hk_session_tls_version (session).size > 0];
}

static void
offer_found (HkSession *session, HkAuthTask *task)
{
    HkAuth *auth = session->auth;
    HkAuthOffer then = auth->then;
    auth->then = NULL;
    then (session, list_of (session, task));
}

void
hk_auth_offer (HkSession *session, HkAuthOffer then)
{
    if (session->dialogue->auth == NULL || !hk_session_may_auth (session) ||
        is_exception (session)) {
        then (session, NULL);
        return;
    }
    if (known_list (session) != NULL) {
        then (session, known_list (session));
        return;
    }
    hk_auth_of (session)->then = then;
    hk_auth_run_mechanisms (session, offer_found);
}

/* ---- the exchange
 * ------------------------------------------------------------------------- */

static void
end_auth (HkSession *session)
{
    session->phase = HK_PHASE_COMMAND;
    end_exchange (session->auth);
}

/* USER is what the backend gave, "" nothing. */
static void
report_failure (HkSession *session, const char *mechanism, const char *reason,
                const char *user)
{
    g_autoptr (GString) client = g_string_new (NULL);
    g_autoptr (GString) method = g_string_new (NULL);
    g_autoptr (GString) why = g_string_new (NULL);
    g_autoptr (GString) name = g_string_new (NULL);
    hk_report_append_client (client, session);
    hk_text_append_printable (method, hk_span_text (mechanism), 100, false);
    hk_text_append_printable (why, hk_span_text (reason), 300, true);
    hk_text_append_printable (name, hk_span_text (user), 100, true);
    hk_report_text (session, HK_LOG_WARNING,
                    "%s: SASL %s authentication failed: %s, sasl_username=%s", client->str,
                    method->str, why->str, name->len > 0 ? name->str : "(unavailable)");
}

static const char *
text_or (const GString *text, const char *preset)
{
    return text != NULL && text->len > 0 ? text->str : preset;
}

static void
refuse_credentials (HkSession *session, const char *reason, const char *user)
{
    report_failure (session, session->auth->asked, reason, user);
    end_auth (session);
    hk_session_refuse (session, 535, "5.7.8", "Error: authentication failed: %.300s",
                       reason);
}

static void
refuse_for_now (HkSession *session, const char *reason)
{
    report_failure (session, session->auth->asked, reason, "");
    end_auth (session);
    hk_session_refuse (session, 454, "4.7.0",
                       "Temporary authentication failure: %.300s", reason);
}

static bool
is_clean (HkSpan s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] < ' ' || s.data[i] == 0x7f)
            return false;
    return s.size > 0 && s.size <= 1024;
}

static void
log_in (HkSession *session, HkSpan user)
{
    HkAuth *auth = session->auth;
    if (!is_clean (user)) { /* it goes into logs, headers and requests */
        refuse_credentials (session, "unusable user name", "");
        return;
    }
    auth->method = g_strdup (auth->exchange->mechanism);
    auth->username = hk_span_dup (user);
    end_auth (session);
    hk_session_say_literal (session, "235 2.7.0 Authentication successful\r\n");
}

static void
challenge (HkSession *session, HkSpan data)
{
    g_autofree char *text =
        data.size > 0 ? g_base64_encode (data.data, data.size) : g_strdup ("");
    GString *out = hk_session_out (session);
    g_string_append_printf (out, "334 %s\r\n", text);
    session->phase = HK_PHASE_AUTH;
    hk_session_expect_command (session);
}

static void
stepped (HkSession *session, HkAuthTask *task)
{
    const HkCall *call = &task->call;
    HkSpan value = call->value != NULL ? hk_span_string (call->value) : HK_SPAN_NONE;
    switch (task->answer) {
    case HK_FOUND:
        log_in (session, value);
        break;
    case HK_OK:
        challenge (session, value);
        break;
    case HK_ABSENT:
        refuse_credentials (session, text_or (call->reply_text, "(reason unavailable)"),
                            text_or (call->value, ""));
        break;
    case HK_LATER:
        refuse_for_now (session, text_or (call->reason, "(reason unavailable)"));
        break;
    default: /* logged by the host */
        refuse_for_now (session, "server configuration error");
    }
}

/* TEXT is base64; `data` NULL: no initial response. */
static void
step (HkSession *session, HkSpan text, const char *complaint)
{
    if (text.data == NULL) {
        hk_auth_run_step (session, HK_SPAN_NONE, stepped);
        return;
    }
    size_t size;
    g_autofree uint8_t *bytes = g_malloc (text.size / 4 * 3 + 1);
    if (!hk_auth_decode (text, bytes, &size)) {
        refuse_credentials (session, complaint, "");
        return;
    }
    hk_auth_run_step (session, hk_span (bytes, size), stepped);
    explicit_bzero (bytes, size);
}

/* ---- the client's lines
 * ------------------------------------------------------------------- */

static void
begin_exchange (HkSession *session, const char *mechanisms)
{
    HkAuth *auth = session->auth;
    if (mechanisms == NULL) {
        refuse_for_now (session, "Can't connect to authentication server");
        return;
    }
    if (!hk_auth_is_in (mechanisms, auth->asked)) {
        refuse_credentials (session, "Invalid authentication mechanism", "");
        return;
    }
    g_autofree char *mechanism = g_ascii_strup (auth->asked, -1);
    g_autofree char *initial = g_steal_pointer (&auth->initial);
    auth->exchange = hk_auth_exchange_new (session->dialogue->auth, mechanism);
    HkSpan text = hk_span_text (initial);
    if (initial != NULL && hk_span_is (text, "=")) /* RFC 4954 4: an empty one */
        text = HK_SPAN ("");
    step (session, text, "Invalid base64 data in initial response");
}

static void
mechanisms_found (HkSession *session, HkAuthTask *task)
{
    begin_exchange (session, list_of (session, task));
}

/* Whether AUTH may come now, in the order in which Postfix asks.  False: it was answered. */
static bool
may_begin (HkSession *session)
{
    HkDialogue *d = session->dialogue;
    bool is_discarded = session->is_esmtp && !(session->ehlo_mask & HK_EHLO_AUTH);
    if (d->helo_required && session->helo == NULL)
        hk_session_refuse (session, 503, "5.5.1", "Error: send HELO/EHLO first");
    else if (d->auth == NULL || is_discarded || !hk_session_may_auth (session))
        hk_session_refuse (session, 503, "5.5.1", "Error: authentication not enabled");
    else if (session->tx != NULL)
        hk_session_refuse (session, 503, "5.5.1", "Error: MAIL transaction in progress");
    else if (hk_auth_username (session).size > 0)
        hk_session_refuse (session, 503, "5.5.1", "Error: already authenticated");
    else
        return true;
    return false;
}

void
hk_session_auth (HkSession *session, HkSpan argument)
{
    HkSpan mechanism, initial;
    if (hk_guard_refuses_auth (session) || !may_begin (session))
        return;
    if (!hk_auth_parse (argument, &mechanism, &initial)) {
        hk_session_refuse (session, 501, "5.5.4", "Syntax: AUTH mechanism");
        return;
    }
    HkAuth *auth = hk_auth_of (session);
    end_exchange (auth);
    auth->asked = hk_span_dup (mechanism);
    auth->initial = initial.data != NULL ? hk_span_dup (initial) : NULL;
    if (known_list (session) != NULL)
        begin_exchange (session, known_list (session));
    else
        hk_auth_run_mechanisms (session, mechanisms_found);
}

static void
abort_exchange (HkSession *session)
{
    g_autoptr (GString) client = g_string_new (NULL);
    hk_report_append_client (client, session);
    hk_report_text (session, HK_LOG_WARNING, "%s: SASL %s authentication aborted",
                    client->str, session->auth->exchange->mechanism);
    end_auth (session);
    hk_session_refuse (session, 501, "5.7.0", "Authentication aborted");
}

static void
take_response (HkSession *session, HkSpan line, HkSpan rest)
{
    if (hk_session_breaks_pipelining (session, HK_VERB_AUTH, rest))
        return;
    session->phase = HK_PHASE_COMMAND;
    if (session->is_skipping) {
        session->is_skipping = false;
        report_failure (session, session->auth->exchange->mechanism,
                        "SASL response limit exceeded", "");
        end_auth (session);
        hk_session_refuse (session, 500, "5.5.6", "SASL response limit exceeded");
    } else if (hk_span_is (line, "*")) {
        abort_exchange (session);
    } else {
        /* An empty line is an empty response. */
        step (session, line.size > 0 ? line : HK_SPAN (""),
              "Invalid base64 data in continued response");
    }
}

size_t
hk_auth_input (HkSession *session, HkSpan input)
{
    size_t lf = hk_span_find (input, '\n', 0);
    bool is_whole = lf < input.size;
    size_t taken = is_whole ? lf + 1 : input.size;
    size_t size = lf > 0 && input.data[lf - 1] == '\r' ? lf - 1 : lf;
    if (!is_whole && !session->is_skipping && lf <= session->dialogue->auth->response_limit)
        return 0;
    if (size > session->dialogue->auth->response_limit)
        session->is_skipping = true;
    if (is_whole)
        take_response (session, hk_span (input.data, size),
                       hk_span_sub (input, taken, input.size));
    return taken;
}
