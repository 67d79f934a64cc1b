/* stream.c: one TLS connection: handshake and bytes over a non-blocking descriptor. */
#include "config.h"

#include "tls/tls_priv.h"

#include <errno.h>
#include <sys/socket.h>

enum {
    MAX_HANDSHAKE = 65536, /* of one message: a chain of certificates is the longest */
    MAX_NAME = 255,
    MAX_WARNINGS = 16,      /* alerts that change nothing, in a row */
    MAX_RENEGOTIATIONS = 1, /* refused ones before the connection ends */
    N_TICKETS = 1
};

bool
hk_tls_name_is_valid (HkSpan name)
{
    size_t label = 0;
    if (name.size == 0 || name.size > MAX_NAME)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        char c = (char) name.data[i];
        if (c == '.' && label == 0)
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63 || !(g_ascii_isalnum (c) || c == '-' || c == '_' || c == '.'))
            return false;
    }
    return label > 0;
}

/* ---- the name asked for
 * --------------------------------------------------------------------
 */

static char *
asked_name (gnutls_session_t session)
{
    char name[MAX_NAME + 1];
    size_t size = sizeof name;
    unsigned type;
    if (gnutls_server_name_get (session, name, &size, &type, 0) < 0 ||
        type != GNUTLS_NAME_DNS)
        return NULL;
    HkSpan span = hk_span (name, strnlen (name, sizeof name));
    return hk_tls_name_is_valid (span) ? hk_span_dup_lower (span) : NULL;
}

/* The client has said hello; no certificate was chosen yet.  When the answer has to be
 * waited for, GnuTLS chooses the certificate all the same before it returns: that session
 * is thrown away, and a new one reads the same hello.  Nothing was sent until then. */
static int
on_hello (gnutls_session_t session)
{
    HkTls *self = gnutls_session_get_ptr (session);
    if (self->has_asked)
        return 0;
    self->has_asked = true;
    self->name = asked_name (session);
    if (self->name == NULL)
        return 0;
    self->is_asking = self->is_inside = true;
    self->on_name (self, self->name, self->data);
    self->is_inside = false;
    self->is_stale = self->is_asking;
    return self->is_asking ? GNUTLS_E_AGAIN : 0;
}

bool
hk_tls_chain (HkTls *self, HkSpan pem, GError **error)
{
    self->is_asking = false;
    if (pem.size == 0)
        return true;
    self->chain = hk_tls_credentials_from_pem (&self->context->material, pem, error);
    if (self->chain != NULL && self->is_inside)
        gnutls_credentials_set (self->session, GNUTLS_CRD_CERTIFICATE,
                                self->chain->certificates);
    return self->chain != NULL;
}

/* Reads for GnuTLS, and keeps what it reads as long as it may be wanted again. */
static ssize_t
pull (gnutls_transport_ptr_t ptr, void *buffer, size_t size)
{
    HkTls *self = ptr;
    if (self->hello != NULL && self->hello_read < self->hello->len) {
        size = MIN (size, self->hello->len - self->hello_read);
        memcpy (buffer, self->hello->data + self->hello_read, size);
        self->hello_read += size;
        return (ssize_t) size;
    }
    ssize_t n = recv (self->fd, buffer, size, 0);
    if (n > 0 && self->hello != NULL && !self->has_asked &&
        self->hello->len < 2 * MAX_HANDSHAKE) {
        g_byte_array_append (self->hello, buffer, (guint) n);
        self->hello_read = self->hello->len;
    }
    return n;
}

/* Nobody waits here. */
static int
pull_timeout (gnutls_transport_ptr_t ptr, unsigned ms)
{
    (void) ptr;
    (void) ms;
    return 1;
}

static void
forget_hello (HkTls *self)
{
    if (self->hello != NULL)
        g_byte_array_unref (g_steal_pointer (&self->hello));
}

/* ---- life
 * --------------------------------------------------------------------------------- */

static void
enable_tickets (HkTls *self)
{
    HkTlsContext *c = self->context;
    gnutls_db_set_cache_expiration (self->session, (int) c->lifetime_s);
    if (c->tickets == NULL)
        return;
    const uint8_t *key = hk_tls_tickets_key (c->tickets, c->service, &c->ticket_key);
    gnutls_datum_t datum = {(unsigned char *) key, HK_TLS_TICKET_KEY};
    gnutls_session_ticket_enable_server (self->session, &datum);
}

static void
set_alpn (HkTls *self)
{
    const GPtrArray *names = self->context->alpn;
    gnutls_datum_t list[8];
    for (guint i = 0; i < names->len; i++) {
        char *name = g_ptr_array_index (names, i);
        list[i] = (gnutls_datum_t){(unsigned char *) name, (unsigned) strlen (name)};
    }
    if (names->len > 0)
        gnutls_alpn_set_protocols (self->session, list, names->len, GNUTLS_ALPN_MANDATORY);
}

static void
open_session (HkTls *self)
{
    HkTlsContext *context = self->context;
    HkTlsCredentials *shown = self->chain != NULL ? self->chain : self->credentials;
    if (gnutls_init (&self->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
                                         GNUTLS_NO_AUTO_SEND_TICKET) < 0)
        g_error ("GnuTLS has no memory");
    gnutls_session_set_ptr (self->session, self);
    gnutls_priority_set (self->session, context->priority);
    gnutls_credentials_set (self->session, GNUTLS_CRD_CERTIFICATE, shown->certificates);
    gnutls_credentials_set (self->session, GNUTLS_CRD_ANON, self->credentials->anonymous);
    gnutls_certificate_server_set_request (self->session, context->material.is_asking
                                                              ? GNUTLS_CERT_REQUEST
                                                              : GNUTLS_CERT_IGNORE);
    gnutls_handshake_set_max_packet_length (self->session, MAX_HANDSHAKE);
    gnutls_transport_set_int (self->session, self->fd);
    if (self->on_name != NULL) {
        gnutls_transport_set_ptr2 (self->session, self, GINT_TO_POINTER (self->fd));
        gnutls_transport_set_pull_function (self->session, pull);
        gnutls_transport_set_pull_timeout_function (self->session, pull_timeout);
        gnutls_handshake_set_post_client_hello_function (self->session, on_hello);
    }
    enable_tickets (self);
    set_alpn (self);
}

HkTls *
hk_tls_accept (HkTlsContext *context, int fd, HkTlsNameFn on_name, void *data)
{
    HkTls *self = g_new0 (HkTls, 1);
    self->context = hk_tls_context_ref (context);
    self->credentials = hk_tls_credentials_ref (context->credentials);
    self->fd = fd;
    self->on_name = on_name;
    self->data = data;
    if (on_name != NULL)
        self->hello = g_byte_array_new ();
    open_session (self);
    return self;
}

/* The answer has come: the same hello again, with the right certificate. */
static void
begin_anew (HkTls *self)
{
    gnutls_deinit (self->session);
    self->is_stale = false;
    self->hello_read = 0;
    open_session (self);
}

void
hk_tls_free (HkTls *self)
{
    if (self == NULL)
        return;
    gnutls_deinit (self->session);
    hk_tls_credentials_unref (self->chain);
    hk_tls_credentials_unref (self->credentials);
    hk_tls_context_unref (self->context);
    forget_hello (self);
    g_free (self->name);
    g_free (self->texts);
    g_free (self);
}

void
hk_tls_close (HkTls *self)
{
    if (self->is_up && !self->is_broken)
        gnutls_bye (self->session, GNUTLS_SHUT_WR);
    self->is_broken = true;
}

/* ---- handshake
 * ----------------------------------------------------------------------------- */

static void
explain (HkTls *self, int code, GString *out)
{
    const char *alert = NULL;
    if (out == NULL)
        return;
    if (code == GNUTLS_E_PREMATURE_TERMINATION || code == GNUTLS_E_PULL_ERROR ||
        code == GNUTLS_E_PUSH_ERROR) {
        g_string_assign (out, "lost connection");
        return;
    }
    if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
        alert = gnutls_alert_get_name (gnutls_alert_get (self->session));
    g_string_printf (out, "%s%s%s", gnutls_strerror (code), alert != NULL ? " " : "",
                     alert != NULL ? alert : "");
}

static void
finish (HkTls *self)
{
    self->is_up = true;
    forget_hello (self);
    if (self->context->tickets != NULL &&
        gnutls_protocol_get_version (self->session) == GNUTLS_TLS1_3)
        gnutls_session_ticket_send (self->session, N_TICKETS, 0);
    hk_tls_read_info (self);
}

HkTlsStep
hk_tls_handshake (HkTls *self, GString *out_reason)
{
    int code;
    unsigned n = 0;
    do {
        if (self->is_asking)
            return HK_TLS_WAIT;
        if (self->is_stale)
            begin_anew (self);
        code = gnutls_handshake (self->session);
    } while (code == GNUTLS_E_INTERRUPTED ||
             (code < 0 && code != GNUTLS_E_AGAIN && !gnutls_error_is_fatal (code) &&
              n++ < MAX_WARNINGS));
    if (code == GNUTLS_E_SUCCESS) {
        finish (self);
        return HK_TLS_DONE;
    }
    if (code == GNUTLS_E_AGAIN) {
        if (self->is_asking)
            return HK_TLS_WAIT;
        return gnutls_record_get_direction (self->session) == 0 ? HK_TLS_READ
                                                                : HK_TLS_WRITE;
    }
    explain (self, code, out_reason);
    gnutls_alert_send_appropriate (self->session, code);
    self->is_broken = true;
    return HK_TLS_FAILED;
}

/* ---- bytes
 * --------------------------------------------------------------------------------- */

static ssize_t
fail (HkTls *self, int e)
{
    self->is_broken = self->is_broken || e != EAGAIN;
    errno = e;
    return -1;
}

/* TLSv1.2: whoever wants other keys makes another connection. */
static bool
refuse_renegotiation (HkTls *self)
{
    if (self->n_renegotiations++ >= MAX_RENEGOTIATIONS)
        return false;
    return gnutls_alert_send (self->session, GNUTLS_AL_WARNING,
                              GNUTLS_A_NO_RENEGOTIATION) >= 0;
}

ssize_t
hk_tls_read (HkTls *self, void *buffer, size_t size)
{
    size_t have = 0;
    unsigned n_warnings = 0;
    if (self->is_broken)
        return fail (self, EPROTO);
    /* A record has 16 KiB at most: take what is there, then go to work. */
    while (have < size) {
        ssize_t n = gnutls_record_recv (self->session, (char *) buffer + have, size - have);
        if (n > 0) {
            have += (size_t) n;
            if (gnutls_record_check_pending (self->session) == 0)
                break;
            continue;
        }
        if (n == GNUTLS_E_AGAIN || (n <= 0 && have > 0))
            break; /* an end or an error will be there again */
        if (n == 0)
            return 0;
        if (n == GNUTLS_E_INTERRUPTED)
            continue;
        if (n == GNUTLS_E_REHANDSHAKE
                ? !refuse_renegotiation (self)
                : gnutls_error_is_fatal ((int) n) || n_warnings++ >= MAX_WARNINGS)
            return fail (self, n == GNUTLS_E_PREMATURE_TERMINATION ? ECONNRESET : EPROTO);
    }
    return have > 0 ? (ssize_t) have : fail (self, EAGAIN);
}

ssize_t
hk_tls_write (HkTls *self, const void *data, size_t size)
{
    size_t sent = 0;
    if (self->is_broken)
        return fail (self, EPROTO);
    while (sent < size) {
        ssize_t n =
            gnutls_record_send (self->session, (const char *) data + sent, size - sent);
        if (n == GNUTLS_E_INTERRUPTED)
            continue;
        if (n == GNUTLS_E_AGAIN)
            break; /* the record waits inside; the same bytes must come again */
        if (n <= 0)
            return fail (self, EPIPE);
        sent += (size_t) n;
    }
    return sent > 0 ? (ssize_t) sent : fail (self, EAGAIN);
}

bool
hk_tls_has_pending (const HkTls *self)
{
    return !self->is_broken && gnutls_record_check_pending (self->session) > 0;
}
