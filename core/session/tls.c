/* tls.c: STARTTLS and wrapper mode: the handshake of a session, and what TLS changes in it.
 *
 *     STARTTLS ─▶ "220" goes out ─┐                     ┌─▶ COMMAND, as if just greeted
 *                                 ├─▶ TLS (handshake) ──┤
 *     connect, wrapper mode ──────┘                     └─▶ gone
 *
 * What the client has sent in clear behind STARTTLS is thrown away. */
#include "config.h"
#include "session/session_priv.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"

bool
hk_session_is_encrypted (const HkSession *self)
{
    return self->tls != NULL && self->phase != HK_PHASE_TLS;
}

bool
hk_session_may_auth (const HkSession *self)
{
    const HkSessionTls *t = self->dialogue->tls;
    return t == NULL || !t->is_auth_only || hk_session_is_encrypted (self);
}

/* RFC 3207 4: what a client may say before TLS where TLS is required. */
bool
hk_session_lacks_tls (HkSession *self, HkVerb verb)
{
    const HkSessionTls *t = self->dialogue->tls;
    if (t == NULL || t->level != HK_TLS_LEVEL_ENCRYPT || self->tls != NULL ||
        verb == HK_VERB_HELO || verb == HK_VERB_EHLO || verb == HK_VERB_STARTTLS ||
        verb == HK_VERB_NOOP || verb == HK_VERB_QUIT)
        return false;
    hk_session_refuse (self, 530, "5.7.0", "Must issue a STARTTLS command first");
    return true;
}

/* ---- handshake
 * -----------------------------------------------------------------------------
 */

/* Nothing that was said in clear counts any more (RFC 3207 4.2). */
static void
start_anew (HkSession *self)
{
    hk_session_reset (self);
    hk_auth_forget (self);
    g_clear_pointer (&self->helo, g_free);
    self->is_esmtp = false;
    self->ehlo_mask = 0;
}

static void
tell (HkSession *self)
{
    const HkSessionTls *t = self->dialogue->tls;
    const HkTlsInfo *info = hk_tls_info (self->tls);
    if (t->log_level < 1)
        return;
    g_autoptr (GString) client = g_string_new (NULL);
    g_autoptr (GString) text = g_string_new (NULL);
    g_autoptr (GString) details = g_string_new (NULL);
    hk_report_append_client (client, self);
    if (info->has_certificate && t->log_level >= 2)
        hk_report_text (self, HK_LOG_INFO,
                        "%s: subject_CN=%s, issuer=%s, fingerprint=%s, pkey_fingerprint=%s",
                        client->str, info->subject, info->issuer, info->fingerprint,
                        info->key_fingerprint);
    hk_tls_append_summary (self->tls, text, details);
    for (char *p = details->str; (p = strchr (p, '\n')) != NULL;)
        g_string_erase (details, p - details->str, 1);
    if (info->is_resumed && t->log_level >= 2)
        hk_report_text (self, HK_LOG_INFO, "%s: Reusing old session", client->str);
    hk_report_text (self, HK_LOG_INFO, "%s TLS connection established from %s%s%s: %s%s",
                    !info->has_certificate ? "Anonymous"
                    : info->is_trusted     ? "Trusted"
                                           : "Untrusted",
                    client->str, info->server_name != NULL ? " to " : "",
                    info->server_name != NULL ? info->server_name : "", text->str,
                    details->str);
}

/* True: the certificate that is required is there and trusted. */
static bool
has_what_is_required (HkSession *self)
{
    const HkTlsInfo *info = hk_tls_info (self->tls);
    if (!self->dialogue->tls->requires_certificate || info->is_trusted)
        return true;
    g_autoptr (GString) client = g_string_new (NULL);
    hk_report_append_client (client, self);
    hk_report_text (self, HK_LOG_INFO, "NOQUEUE: abort: TLS from %s: %s", client->str,
                    info->has_certificate ? "Client certificate not trusted"
                                          : "No client certificate presented");
    return false;
}

static void
shaken (HkSession *self)
{
    tell (self);
    if (!has_what_is_required (self)) {
        self->is_closing = true;
        hk_session_free (self);
        return;
    }
    if (!hk_tls_info (self->tls)->is_resumed)
        hk_guard_count_new_tls (self);
    if (self->watch.loop != NULL)
        hk_fd_watch_events (&self->watch, HK_LOOP_READ);
    self->phase = HK_PHASE_COMMAND;
    start_anew (self);
    if (self->dialogue->tls->is_wrapper)
        hk_session_greet (self);
    hk_session_resume (self);
}

static void
watch_for (HkSession *self, unsigned events)
{
    if (self->watch.loop != NULL)
        hk_fd_watch_events (&self->watch, events);
    else if (!hk_session_watch (self, events))
        hk_session_free (self);
}

void
hk_session_shake (HkSession *self)
{
    g_autoptr (GString) reason = g_string_new (NULL);
    switch (hk_tls_handshake (self->tls, reason)) {
    case HK_TLS_DONE:
        shaken (self);
        return;
    case HK_TLS_READ:
        watch_for (self, HK_LOOP_READ);
        return;
    case HK_TLS_WRITE:
        watch_for (self, HK_LOOP_WRITE);
        return;
    case HK_TLS_WAIT:
        hk_fd_watch_detach (&self->watch);
        return;
    default:
        break;
    }
    g_autoptr (GString) client = g_string_new (NULL);
    hk_report_append_client (client, self);
    hk_report_text (self, HK_LOG_INFO, "SSL_accept error from %s: %s", client->str,
                    reason->str);
    hk_report_lost (self, "lost connection");
    hk_session_free (self);
}

void
hk_session_begin_tls (HkSession *self)
{
    HkSessionTls *t = self->dialogue->tls;
    self->phase = HK_PHASE_TLS;
    hk_session_set_deadline (self, t->timeout_us);
    if (t->log_level >= 2) {
        g_autoptr (GString) client = g_string_new (NULL);
        hk_report_append_client (client, self);
        hk_report_text (self, HK_LOG_INFO, "setting up TLS connection from %s",
                        client->str);
    }
    hk_tls_look_at_files (self);
    self->tls = hk_tls_accept (t->context, self->fd,
                               t->names != NULL ? hk_tls_on_name : NULL, self);
    hk_session_shake (self);
}

bool
hk_session_wraps (HkSession *self)
{
    const HkSessionTls *t = self->dialogue->tls;
    if (t == NULL || !t->is_wrapper)
        return false;
    if (t->context != NULL) {
        hk_session_begin_tls (self);
        return true;
    }
    g_autoptr (GString) client = g_string_new (NULL);
    hk_report_append_client (client, self);
    hk_report_text (self, HK_LOG_WARNING,
                    "Wrapper-mode request dropped from %s for service %s. TLS context "
                    "initialization failed. For details see earlier warnings in your logs.",
                    client->str, self->dialogue->service);
    self->is_closing = true;
    hk_session_free (self);
    return true;
}

void
hk_session_starttls (HkSession *self, HkSpan argument)
{
    const HkSessionTls *t = self->dialogue->tls;
    if (argument.size > 0) {
        hk_session_refuse (self, 501, "5.5.4", "Syntax: STARTTLS");
    } else if (self->tls != NULL) {
        hk_session_refuse (self, 554, "5.5.1", "Error: TLS already active");
    } else if (t == NULL || t->level == HK_TLS_LEVEL_NONE ||
               (self->helo != NULL && self->is_esmtp &&
                !(self->ehlo_mask & HK_EHLO_STARTTLS) && t->context != NULL)) {
        hk_session_refuse (self, 502, "5.5.1", "Error: command not implemented");
    } else if (hk_guard_refuses_tls (self, false)) {
        return;
    } else if (t->context == NULL) {
        hk_session_refuse (self, 454, "4.7.0", "TLS not available due to local problem");
    } else {
        hk_session_say_literal (self, "220 2.0.0 Ready to start TLS\r\n");
        self->phase = HK_PHASE_TLS; /* begins when the reply is out */
    }
}

/* ---- bytes
 * ---------------------------------------------------------------------------------
 */

ssize_t
hk_session_read (HkSession *self, void *buffer, size_t size)
{
    return self->tls != NULL ? hk_tls_read (self->tls, buffer, size)
                             : read (self->fd, buffer, size);
}

ssize_t
hk_session_write (HkSession *self, const void *data, size_t size)
{
    return self->tls != NULL ? hk_tls_write (self->tls, data, size)
                             : send (self->fd, data, size, MSG_NOSIGNAL);
}

/* ---- what others are told
 * ------------------------------------------------------------------
 */

void
hk_tls_fill_subject (const HkSession *self, HkAccessSubject *out)
{
    if (!hk_session_is_encrypted (self))
        return;
    const HkTlsInfo *info = hk_tls_info (self->tls);
    out->tls_version = hk_span_text (info->version);
    out->tls_cipher = hk_span_text (info->cipher);
    out->tls_bits = info->bits;
    out->tls_is_resumed = info->is_resumed;
    if (info->server_name != NULL)
        out->tls_server_name = hk_span_text (info->server_name);
    if (!info->has_certificate)
        return;
    out->tls_has_certificate = true;
    out->tls_is_trusted = info->is_trusted;
    out->tls_subject = hk_span_text (info->subject);
    out->tls_issuer = hk_span_text (info->issuer);
    out->tls_fingerprint = hk_span_text (info->fingerprint);
    out->tls_key_fingerprint = hk_span_text (info->key_fingerprint);
}

/* A name of a certificate inside of a quoted string inside of a comment. */
static void
append_quoted (GString *out, const char *text)
{
    g_string_append_c (out, '"');
    for (; *text != '\0'; text++)
        g_string_append_c (out, strchr ("\"\\()", *text) != NULL ? '?' : *text);
    g_string_append_c (out, '"');
}

char *
hk_session_tls_header (const HkSession *self)
{
    const HkSessionTls *t = self->dialogue->tls;
    if (!hk_session_is_encrypted (self) || !t->has_header)
        return NULL;
    const HkTlsInfo *info = hk_tls_info (self->tls);
    g_autoptr (GString) details = g_string_new (NULL);
    GString *out = g_string_new ("(using ");
    hk_tls_append_summary (self->tls, out, details);
    hk_string_append (out, hk_span_string (details));
    g_string_append (out, ")\n");
    if (!info->was_asked) {
        g_string_append (out, "(No client certificate requested)");
    } else if (!info->has_certificate) {
        g_string_append (out, "(Client did not present a certificate)");
    } else {
        g_string_append (out, "(Client CN ");
        append_quoted (out, info->subject);
        g_string_append (out, ", Issuer ");
        append_quoted (out, info->issuer);
        g_string_append (out, info->is_trusted ? " (verified OK))" : " (not verified))");
    }
    return g_string_free (out, FALSE);
}
