/* guard.c: limits for each client: how often, how many at once; whose word is taken. */
#include "config.h"
#include "session/session_priv.h"

#include <arpa/inet.h>

const HkConfSpec hk_guard_params[] = {
    {.name = "smtpd_authorized_xclient_hosts",
     .type = HK_CONF_STRING,
     .preset = "",
     .help = "clients that may use XCLIENT to speak for another client"},
    {.name = "smtpd_authorized_xforward_hosts",
     .type = HK_CONF_STRING,
     .preset = "",
     .help = "clients that may use XFORWARD to say where a message comes from"},
    {.name = "smtpd_upstream_proxy_protocol",
     .type = HK_CONF_ENUM,
     .preset = "",
     .choices = "|haproxy",
     .help = "haproxy: each connection begins with a PROXY header, version 1 or 2"},
    {.name = "smtpd_upstream_proxy_timeout",
     .type = HK_CONF_TIME,
     .preset = "5s",
     .min = 1,
     .max = 3600,
     .help = "longest wait for the PROXY header"},
    {.name = "smtpd_client_connection_count_limit",
     .type = HK_CONF_INT,
     .preset = "50",
     .min = 0,
     .max = G_MAXINT,
     .help = "most connections of one client at once; 0: no limit"},
    {.name = "smtpd_client_connection_rate_limit",
     .type = HK_CONF_INT,
     .preset = "0",
     .min = 0,
     .max = G_MAXINT,
     .help = "most connections of one client in anvil_rate_time_unit; 0: no limit"},
    {.name = "smtpd_client_message_rate_limit",
     .type = HK_CONF_INT,
     .preset = "0",
     .min = 0,
     .max = G_MAXINT,
     .help = "most MAIL commands of one client in anvil_rate_time_unit; 0: no limit"},
    {.name = "smtpd_client_recipient_rate_limit",
     .type = HK_CONF_INT,
     .preset = "0",
     .min = 0,
     .max = G_MAXINT,
     .help = "most RCPT commands of one client in anvil_rate_time_unit; 0: no limit"},
    {.name = "smtpd_client_auth_rate_limit",
     .type = HK_CONF_INT,
     .preset = "0",
     .min = 0,
     .max = G_MAXINT,
     .help = "most AUTH commands of one client in anvil_rate_time_unit; 0: no limit"},
    {.name = "smtpd_client_new_tls_session_rate_limit",
     .type = HK_CONF_INT,
     .preset = "0",
     .min = 0,
     .max = G_MAXINT,
     .help = "most full TLS handshakes of one client in anvil_rate_time_unit; 0: no limit"},
    {.name = "smtpd_client_event_limit_exceptions",
     .type = HK_CONF_STRING,
     .preset = "${smtpd_client_connection_limit_exceptions:$mynetworks}",
     .help = "clients that smtpd_client_*_limit do not concern"},
    {.name = "smtpd_client_ipv4_prefix_length",
     .type = HK_CONF_INT,
     .preset = "32",
     .min = 1,
     .max = 32,
     .help = "bits of an IPv4 address that make one client for smtpd_client_*_limit"},
    {.name = "smtpd_client_ipv6_prefix_length",
     .type = HK_CONF_INT,
     .preset = "84",
     .min = 1,
     .max = 128,
     .help = "bits of an IPv6 address that make one client for smtpd_client_*_limit"},
    {.name = "anvil_rate_time_unit",
     .type = HK_CONF_TIME,
     .preset = "60s",
     .min = 1,
     .max = 86400 * 7,
     .help = "time in which smtpd_client_*_rate_limit count"},
    {.name = "smtpd_limits_enable",
     .type = HK_CONF_BOOL,
     .preset = "no",
     .help = "tell clients smtpd_recipient_limit in the EHLO reply (RFC 9422)"},
    {.name = "smtpd_rate_limits",
     .type = HK_CONF_STRING,
     .preset = "",
     .help = "limits of our own: { KEY [messages|recipients] AMOUNT/WINDOW "
             "[defer|reject|hold] } …; KEY: client, prefix, sasl_username, sender, "
             "sender_domain, recipient, recipient_domain"},
    {.name = NULL},
};

/* ---- configuration ----------------------------------------------------------------------
 */

void
hk_patience_read (HkPatience *out, HkSettings *v)
{
    out->verify_wait_us = (hk_settings_int (v, "address_verify_poll_count") - 1) *
                          hk_settings_int (v, "address_verify_poll_delay") * HK_SECOND;
    out->timeout_us = hk_settings_int (v, "smtpd_timeout") * HK_SECOND;
    out->error_sleep_us = hk_settings_int (v, "smtpd_error_sleep_time") * HK_SECOND;
    out->soft_error_limit = (unsigned) hk_settings_int (v, "smtpd_soft_error_limit");
    out->hard_error_limit = (unsigned) hk_settings_int (v, "smtpd_hard_error_limit");
    out->junk_limit = (unsigned) hk_settings_int (v, "smtpd_junk_command_limit");
    out->min_data_rate = (unsigned) hk_settings_int (v, "smtpd_min_data_rate");
}

void
hk_patience_apply (const HkPatience *self, HkDialogue *d)
{
    d->timeout_us = self->timeout_us;
    d->verify_wait_us = self->verify_wait_us;
    d->error_sleep_us = self->error_sleep_us;
    d->soft_error_limit = self->soft_error_limit;
    d->hard_error_limit = self->hard_error_limit;
    d->junk_limit = self->junk_limit;
    d->min_data_rate = self->min_data_rate;
}

static void
read_limits (HkGuard *g, HkSettings *v)
{
    g->connection_count =
        (unsigned) hk_settings_int (v, "smtpd_client_connection_count_limit");
    g->connection_rate =
        (unsigned) hk_settings_int (v, "smtpd_client_connection_rate_limit");
    g->message_rate = (unsigned) hk_settings_int (v, "smtpd_client_message_rate_limit");
    g->recipient_rate = (unsigned) hk_settings_int (v, "smtpd_client_recipient_rate_limit");
    g->auth_rate = (unsigned) hk_settings_int (v, "smtpd_client_auth_rate_limit");
    g->new_tls_rate =
        (unsigned) hk_settings_int (v, "smtpd_client_new_tls_session_rate_limit");
    g->ipv4_prefix = (int) hk_settings_int (v, "smtpd_client_ipv4_prefix_length");
    g->ipv6_prefix = (int) hk_settings_int (v, "smtpd_client_ipv6_prefix_length");
    g->unit_us = hk_settings_int (v, "anvil_rate_time_unit") * HK_SECOND;
    g->takes_proxy = *hk_settings_get (v, "smtpd_upstream_proxy_protocol") != '\0';
    g->proxy_timeout_us = hk_settings_int (v, "smtpd_upstream_proxy_timeout") * HK_SECOND;
}

/* An empty list opens to NULL: nobody is asked. */
static bool
open_list (HkGuard *self, HkPlugins *plugins, HkSettings *view, const char *parameter,
           HkMatchList **out, GError **error)
{
    const char *text = hk_settings_get (view, parameter);
    if (plugins == NULL || *text == '\0')
        return true;
    *out = hk_match_list_open (plugins, view, parameter, text, HK_MATCH_ADDRESSES, error);
    self->may_block = self->may_block || (*out != NULL && hk_match_list_may_block (*out));
    return *out != NULL;
}

HkGuard *
hk_guard_new (HkPlugins *plugins, HkSettings *view, GError **error)
{
    g_autoptr (HkGuard) self = g_new0 (HkGuard, 1);
    HkSettings *stressed = hk_settings_with (view, "stress", "yes");
    read_limits (self, view);
    hk_patience_read (&self->calm, view);
    hk_patience_read (&self->stressed, stressed);
    hk_settings_unref (stressed);
    self->rules = hk_rate_rules_parse (hk_settings_get (view, "smtpd_rate_limits"), error);
    if (self->rules == NULL ||
        !open_list (self, plugins, view, "smtpd_authorized_xclient_hosts", &self->xclient,
                    error) ||
        !open_list (self, plugins, view, "smtpd_authorized_xforward_hosts", &self->xforward,
                    error) ||
        !open_list (self, plugins, view, "smtpd_client_event_limit_exceptions",
                    &self->exceptions, error) ||
        !open_list (self, plugins, view, "smtpd_authorized_verp_clients", &self->verp,
                    error) ||
        (hk_settings_bool (view, "smtpd_mt_priority_enable") &&
         !open_list (self, plugins, view, "smtpd_mt_priority_clients", &self->priority,
                     error)))
        return NULL;
    return g_steal_pointer (&self);
}

void
hk_guard_take_proxy (HkGuard *self, HkSettings *view)
{
    self->takes_proxy = *hk_settings_get (view, "postscreen_upstream_proxy_protocol") != '\0';
    self->proxy_timeout_us =
        hk_settings_int (view, "postscreen_upstream_proxy_timeout") * HK_SECOND;
}

void
hk_guard_free (HkGuard *self)
{
    if (self == NULL)
        return;
    g_clear_pointer (&self->xclient, hk_match_list_free);
    g_clear_pointer (&self->xforward, hk_match_list_free);
    g_clear_pointer (&self->exceptions, hk_match_list_free);
    g_clear_pointer (&self->verp, hk_match_list_free);
    g_clear_pointer (&self->priority, hk_match_list_free);
    if (self->rules != NULL)
        g_array_unref (self->rules);
    g_free (self);
}

/* ---- which lists the client is on
 * ----------------------------------------------------------- */

typedef struct {
    HkSession *session;
    void (*then) (HkSession *self);
    char *name, *address;
    bool may_xclient, may_xforward, is_exempt, may_verp, may_priority;
} Knowing;

static bool
is_on (HkMatchList *list, const Knowing *k)
{
    return list != NULL &&
           hk_match_list_find (list, hk_span_text (k->name), hk_span_text (k->address),
                               NULL) == HK_FOUND;
}

static void
look (void *data)
{
    Knowing *k = data;
    const HkGuard *guard = k->session->dialogue->guard;
    k->may_xclient = is_on (guard->xclient, k);
    k->may_xforward = is_on (guard->xforward, k);
    k->is_exempt = is_on (guard->exceptions, k);
    k->may_verp = is_on (guard->verp, k);
    k->may_priority = is_on (guard->priority, k);
}

static void
keep (const Knowing *k)
{
    k->session->may_xclient = k->may_xclient;
    k->session->may_xforward = k->may_xforward;
    k->session->is_exempt = k->is_exempt;
    k->session->may_verp = k->may_verp;
    k->session->may_priority = k->may_priority;
}

static void
looked (void *data)
{
    Knowing *k = data;
    HkSession *session = k->session;
    session->is_busy = false;
    keep (k);
    k->then (session);
    g_free (k->name);
    g_free (k->address);
    g_free (k);
    hk_session_resume (session);
}

void
hk_guard_know_client (HkSession *self, void (*then) (HkSession *self))
{
    HkDialogue *d = self->dialogue;
    Knowing here = {.session = self,
                    .then = then,
                    .name = self->client_name,
                    .address = self->client_address};
    if (!d->guard->may_block) {
        look (&here);
        keep (&here);
        then (self);
        return;
    }
    Knowing *k = g_memdup2 (&here, sizeof here);
    k->name = g_strdup (self->client_name);
    k->address = g_strdup (self->client_address);
    self->is_busy = true;
    hk_workers_run (d->sessions->options.workers, look, looked, k);
}

/* ---- counting
 * -------------------------------------------------------------------------------- */

void
hk_guard_append_client (const HkGuard *self, const char *address, GString *out)
{
    bool is_ipv6 = strchr (address, ':') != NULL;
    unsigned size = is_ipv6 ? 16 : 4;
    int bits = is_ipv6 ? self->ipv6_prefix : self->ipv4_prefix;
    uint8_t bytes[16];
    char text[INET6_ADDRSTRLEN];
    int family = is_ipv6 ? AF_INET6 : AF_INET;
    if (bits >= (int) (8 * size) || inet_pton (family, address, bytes) != 1) {
        g_string_append (out, address);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        int left = CLAMP (bits - 8 * (int) i, 0, 8);
        bytes[i] &= (uint8_t) (0xff << (8 - left));
    }
    inet_ntop (family, bytes, text, sizeof text);
    g_string_append_printf (out, "%s/%d", text, bits);
}

/* "service:client", in the room's scratch. */
static HkSpan
name_of (HkSession *self)
{
    HkDialogue *d = self->dialogue;
    GString *name = d->sessions->scratch;
    g_string_printf (name, "%s:", d->service);
    hk_guard_append_client (d->guard, self->client_address, name);
    return hk_span_string (name);
}

static HkRates *
rates_of (const HkSession *self)
{
    return self->is_unix ? NULL : self->dialogue->sessions->options.rates;
}

/* How many of KIND; 0 when LIMIT does not concern this client. */
static unsigned
count (HkSession *self, HkRateKind kind, unsigned limit)
{
    if (limit == 0 || self->is_exempt || rates_of (self) == NULL)
        return 0;
    return hk_rates_count (rates_of (self), name_of (self), kind,
                           self->dialogue->guard->unit_us);
}

static void
warn (HkSession *self, const char *what, unsigned value)
{
    g_autoptr (GString) client = g_string_new (NULL);
    hk_report_append_client (client, self);
    hk_report_text (self, HK_LOG_WARNING, "%s limit exceeded: %u from %s for service %s",
                    what, value, client->str, self->dialogue->service);
}

/* Counted before the names are asked for, so that those who wait for one count as well. */
void
hk_guard_connect (HkSession *self)
{
    HkGuard *guard = self->dialogue->guard;
    HkRates *rates = rates_of (self);
    if (rates == NULL || self->hold.is_held)
        return;
    if (guard->connection_count > 0)
        self->n_at_once = hk_rates_enter (rates, name_of (self), &self->hold);
    if (guard->connection_rate > 0)
        self->n_connects = hk_rates_count (rates, name_of (self), HK_RATE_CONNECTION,
                                           guard->unit_us);
}

bool
hk_guard_refuses_connection (HkSession *self)
{
    HkGuard *guard = self->dialogue->guard;
    if (self->is_exempt)
        return false;
    if (guard->connection_count > 0 && self->n_at_once > guard->connection_count)
        warn (self, "Connection concurrency", self->n_at_once);
    else if (guard->connection_rate > 0 && self->n_connects > guard->connection_rate)
        warn (self, "Connection rate", self->n_connects);
    else
        return false;
    hk_session_hang_up (self, 421, "4.7.0", "%s Error: too many connections from %s",
                        self->dialogue->myhostname, self->client_address);
    return true;
}

void
hk_guard_disconnect (HkSession *self)
{
    if (self->hold.is_held)
        hk_rates_leave (self->dialogue->sessions->options.rates, &self->hold);
}

bool
hk_guard_refuses_message (HkSession *self)
{
    unsigned limit = self->dialogue->guard->message_rate;
    unsigned n = count (self, HK_RATE_MESSAGE, limit);
    if (n <= limit)
        return false;
    warn (self, "Message delivery request rate", n);
    hk_session_refuse (self, 450, "4.7.1", "Error: too much mail from %s",
                       self->client_address);
    return true;
}

bool
hk_guard_refuses_recipient (HkSession *self)
{
    unsigned limit = self->dialogue->guard->recipient_rate;
    unsigned n = count (self, HK_RATE_RECIPIENT, limit);
    if (n <= limit)
        return false;
    warn (self, "Recipient address rate", n);
    hk_session_refuse (self, 450, "4.7.1", "Error: too many recipients from %s",
                       self->client_address);
    return true;
}

bool
hk_guard_refuses_auth (HkSession *self)
{
    unsigned limit = self->dialogue->guard->auth_rate;
    unsigned n = count (self, HK_RATE_AUTH, limit);
    if (n <= limit)
        return false;
    warn (self, "AUTH command rate", n);
    hk_session_refuse (self, 450, "4.7.1", "Error: too many AUTH commands from %s",
                       self->client_address);
    return true;
}

bool
hk_guard_refuses_tls (HkSession *self, bool is_wrapper)
{
    HkGuard *guard = self->dialogue->guard;
    if (guard->new_tls_rate == 0 || self->is_exempt || rates_of (self) == NULL)
        return false;
    unsigned n =
        hk_rates_peek (rates_of (self), name_of (self), HK_RATE_NEW_TLS, guard->unit_us);
    if (n <= guard->new_tls_rate)
        return false;
    warn (self, "New TLS session rate", n);
    if (is_wrapper)
        hk_session_hang_up (self, 421, "4.7.0",
                            "%s Error: too many new TLS sessions from %s",
                            self->dialogue->myhostname, self->client_address);
    else
        hk_session_refuse (self, 454, "4.7.0", "Error: too many new TLS sessions from %s",
                           self->client_address);
    return true;
}

void
hk_guard_count_new_tls (HkSession *self)
{
    count (self, HK_RATE_NEW_TLS, self->dialogue->guard->new_tls_rate);
}
