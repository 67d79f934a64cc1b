/* tls_config.c: TLS of one smtpd line: its parameters, its context, its files. */
#include "config.h"
#include "session/session_priv.h"

#include "base/log.h"

/* Files are looked at when a handshake begins, not more often than this. */
static const int64_t look_every_us = HK_SECOND;
/* ... when they have to be opened by somebody else. */
static const int64_t ask_every_us = 5 * HK_SECOND;

/* ---- configuration
 * ------------------------------------------------------------------------
 */

static void G_GNUC_PRINTF (3, 4)
    complain (HkComplaintFn fn, void *data, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    g_autofree char *text = g_strdup_vprintf (format, ap);
    va_end (ap);
    if (fn != NULL)
        fn (HK_LOG_WARNING, text, data);
}

/* The older switches count when the newer one is empty. */
static void
read_level (HkSessionTls *self, HkSettings *v, HkComplaintFn fn, void *data)
{
    static const char *const stronger[] = {"fingerprint", "verify", "secure", "dane",
                                           "dane-only"};
    const char *level = hk_settings_get (v, "smtpd_tls_security_level");
    self->level = HK_TLS_LEVEL_NONE;
    if (hk_settings_bool (v, "smtpd_use_tls"))
        self->level = HK_TLS_LEVEL_MAY;
    if (hk_settings_bool (v, "smtpd_enforce_tls"))
        self->level = HK_TLS_LEVEL_ENCRYPT;
    if (g_ascii_strcasecmp (level, "may") == 0)
        self->level = HK_TLS_LEVEL_MAY;
    else if (g_ascii_strcasecmp (level, "encrypt") == 0)
        self->level = HK_TLS_LEVEL_ENCRYPT;
    else if (g_ascii_strcasecmp (level, "none") == 0)
        self->level = HK_TLS_LEVEL_NONE;
    else if (*level != '\0') {
        self->level = HK_TLS_LEVEL_ENCRYPT;
        bool is_known = false;
        for (size_t i = 0; i < G_N_ELEMENTS (stronger); i++)
            is_known = is_known || g_ascii_strcasecmp (level, stronger[i]) == 0;
        complain (fn, data,
                  "smtpd_tls_security_level: %s TLS level \"%s\", using \"encrypt\"",
                  is_known ? "unsupported" : "unknown", level);
    }
    self->is_wrapper = hk_settings_bool (v, "smtpd_tls_wrappermode");
    if (self->is_wrapper)
        self->level = HK_TLS_LEVEL_ENCRYPT;
}

static bool
has_server_certificate (HkSettings *v)
{
    static const char *const names[] = {"smtpd_tls_chain_files", "smtpd_tls_cert_file",
                                        "smtpd_tls_dcert_file", "smtpd_tls_eccert_file"};
    /* "none": anonymous TLS is what is wanted. */
    for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
        if (*hk_settings_get (v, names[i]) != '\0')
            return true;
    return false;
}

static void
open_context (HkSessionTls *self, HkPlugins *plugins, HkSettings *v, HkTlsTickets *tickets,
              HkComplaintFn fn, void *data)
{
    g_autoptr (GError) error = NULL;
    if (!has_server_certificate (v)) {
        complain (fn, data, "No server certs available. TLS can't be enabled");
        return;
    }
    const HkTlsOptions options = {
        .view = v,
        .prefix = "smtpd_tls",
        .service = self->service,
        .is_mandatory = self->level == HK_TLS_LEVEL_ENCRYPT,
        .asks_certificate =
            self->requires_certificate || hk_settings_bool (v, "smtpd_tls_ask_ccert"),
        .tickets = tickets,
    };
    const char *maps = hk_settings_get (v, "tls_server_sni_maps");
    if (*maps != '\0' && plugins != NULL) {
        self->names = hk_maps_open (plugins, v, "tls_server_sni_maps", maps, &error);
        if (self->names == NULL)
            complain (fn, data, "%s", error->message);
        g_clear_error (&error);
    }
    self->context = hk_tls_context_new (&options, fn, data, &error);
    if (self->context == NULL)
        complain (fn, data, "%s: disabling TLS support", error->message);
}

HkSessionTls *
hk_session_tls_new (HkPlugins *plugins, HkSettings *v, const char *service,
                    HkTlsTickets *tickets, HkComplaintFn fn, void *data)
{
    HkSessionTls *self = g_new0 (HkSessionTls, 1);
    self->service = g_strdup (service);
    read_level (self, v, fn, data);
    self->has_header = hk_settings_bool (v, "smtpd_tls_received_header");
    self->is_auth_only = hk_settings_bool (v, "smtpd_tls_auth_only");
    self->log_level = (int) hk_settings_int (v, "smtpd_tls_loglevel");
    self->timeout_us = hk_settings_int (v, "smtpd_starttls_timeout") * HK_SECOND;
    bool requires = hk_settings_bool (v, "smtpd_tls_req_ccert");
    self->requires_certificate = requires && self->level == HK_TLS_LEVEL_ENCRYPT;
    if (requires && self->level == HK_TLS_LEVEL_MAY)
        complain (fn, data, "Can't require client certs unless TLS is required");
    if (self->level != HK_TLS_LEVEL_NONE)
        open_context (self, plugins, v, tickets, fn, data);
    return self;
}

void
hk_session_tls_free (HkSessionTls *self)
{
    if (self == NULL)
        return;
    g_clear_pointer (&self->context, hk_tls_context_unref);
    g_clear_pointer (&self->names, hk_maps_unref);
    g_free (self->service);
    g_free (self);
}

bool
hk_tls_is_offered (const HkDialogue *dialogue)
{
    const HkSessionTls *t = dialogue->tls;
    return t != NULL && t->level != HK_TLS_LEVEL_NONE && !t->is_wrapper &&
           t->context != NULL;
}

/* ---- fresh certificates
 * --------------------------------------------------------------------
 */

static void
reload (HkSessionTls *self, const int *fds)
{
    g_autoptr (GError) error = NULL;
    HkTlsFreshness outcome = hk_tls_context_reload (self->context, fds, &error);
    if (outcome == HK_TLS_CHANGED)
        hk_log (HK_LOG_INFO, "service %s: new certificates are in use", self->service);
    else if (error != NULL)
        hk_log (HK_LOG_WARNING, "service %s: %s: the certificates read before stay in use",
                self->service, error->message);
}

static void
opened (const int *fds, void *data)
{
    HkSessionTls *self = data;
    bool is_whole = true;
    self->is_waiting = false;
    for (size_t i = 0; hk_tls_context_files (self->context)[i] != NULL; i++)
        is_whole = is_whole && fds[i] >= 0;
    /* One is not there: it is being replaced. */
    if (is_whole)
        reload (self, fds);
}

void
hk_tls_look_at_files (HkSession *session)
{
    HkSessionTls *self = session->dialogue->tls;
    const HkSessionsOptions *o = &session->dialogue->sessions->options;
    int64_t now = hk_session_now (session);
    if (self->is_waiting || now < self->looked_us + look_every_us)
        return;
    switch (hk_tls_context_look (self->context)) {
    case HK_TLS_CHANGED:
        reload (self, NULL);
        break;
    case HK_TLS_DENIED:
        if (now < self->looked_us + ask_every_us)
            return;
        self->is_waiting =
            o->open_files != NULL &&
            o->open_files (hk_tls_context_files (self->context), opened, self, o->data);
        break;
    default:
        break;
    }
    self->looked_us = now;
}
