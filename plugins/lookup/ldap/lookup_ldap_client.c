/* lookup_ldap_client.c: a connection to an LDAP server: connect, TLS, bind.
 *
 * The socket is ours and never blocks, so that libldap cannot wait longer than it is told
 * to; all requests are asynchronous.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_ldap.h"

#include <fcntl.h>
#include <openldap.h>
#include <sys/eventfd.h>

/* No message is larger: a group of some 100,000 members. */
#define MESSAGE_LIMIT ((ber_len_t) 8 << 20)

/* "bind: Invalid credentials (what the server adds)" */
char *
lookup_ldap_error (LookupLdapClient *self, const char *what, int rc, const char *diagnostic)
{
    g_autofree char *said =
        diagnostic == NULL ? NULL : remote_quote (diagnostic, strlen (diagnostic));
    bool has_more = said != NULL && *said != '\0';
    return g_strdup_printf ("server %s: %s: %s%s%s%s", self->url, what,
                            ldap_err2string (rc), has_more ? " (" : "",
                            has_more ? said : "", has_more ? ")" : "");
}

/* What libldap says about its last failure. */
static char *
last_error (LookupLdapClient *self, const char *what)
{
    int rc = LDAP_OTHER;
    char *diagnostic = NULL;
    ldap_get_option (self->ld, LDAP_OPT_RESULT_CODE, &rc);
    ldap_get_option (self->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &diagnostic);
    char *text = lookup_ldap_error (self, what, rc, diagnostic);
    ldap_memfree (diagnostic);
    return text;
}

static struct timeval
time_left (gint64 deadline)
{
    gint64 left = MAX (deadline - g_get_monotonic_time (), 0);
    return (struct timeval){.tv_sec = left / G_USEC_PER_SEC,
                            .tv_usec = left % G_USEC_PER_SEC};
}

LDAPMessage *
lookup_ldap_next (LookupLdapClient *self, int msgid, gint64 deadline, char **out_why)
{
    LDAPMessage *message = NULL;
    struct timeval left = time_left (deadline);
    int kind = ldap_result (self->ld, msgid, LDAP_MSG_ONE, &left, &message);
    if (kind > 0) {
        self->base.is_started = true;
        return message;
    }
    *out_why = kind == 0 ? g_strdup_printf ("server %s: timed out", self->url)
                         : last_error (self, "reply");
    return NULL;
}

/* The result of a request that has nothing else. */
static bool
finish (LookupLdapClient *self, const char *what, int msgid, gint64 deadline,
        char **out_why)
{
    int rc = LDAP_OTHER;
    char *diagnostic = NULL;
    LDAPMessage *message = lookup_ldap_next (self, msgid, deadline, out_why);
    if (message == NULL)
        return false;
    int parsed =
        ldap_parse_result (self->ld, message, &rc, NULL, &diagnostic, NULL, NULL, 1);
    if (parsed != LDAP_SUCCESS)
        rc = parsed;
    if (rc != LDAP_SUCCESS)
        *out_why = lookup_ldap_error (self, what, rc, diagnostic);
    ldap_memfree (diagnostic);
    return rc == LDAP_SUCCESS;
}

static void
set_blocking (LookupLdapClient *self, bool is_blocking)
{
    int flags = fcntl (self->base.fd, F_GETFL);
    if (flags >= 0)
        fcntl (self->base.fd, F_SETFL,
               is_blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

static bool
set_tls_options (LookupLdapClient *self, char **out_why)
{
    const LookupLdapTable *t = self->table;
    const struct {
        const char *name;
        int option;
        const char *value;
    } texts[] = {
        {"tls_ca_cert_dir", LDAP_OPT_X_TLS_CACERTDIR, t->tls_ca_cert_dir},
        {"tls_ca_cert_file", LDAP_OPT_X_TLS_CACERTFILE, t->tls_ca_cert_file},
        {"tls_cert", LDAP_OPT_X_TLS_CERTFILE, t->tls_cert},
        {"tls_key", LDAP_OPT_X_TLS_KEYFILE, t->tls_key},
        {"tls_random_file", LDAP_OPT_X_TLS_RANDOM_FILE, t->tls_random_file},
        {"tls_cipher_suite", LDAP_OPT_X_TLS_CIPHER_SUITE, t->tls_cipher_suite},
    };
    const char *failed = NULL;
    int require = t->tls_require_cert ? LDAP_OPT_X_TLS_DEMAND : LDAP_OPT_X_TLS_NEVER;
    int is_server = 0;
    for (size_t i = 0; i < G_N_ELEMENTS (texts) && failed == NULL; i++)
        if (texts[i].value != NULL &&
            ldap_set_option (self->ld, texts[i].option, texts[i].value) != LDAP_OPT_SUCCESS)
            failed = texts[i].name;
    if (failed == NULL && ldap_set_option (self->ld, LDAP_OPT_X_TLS_REQUIRE_CERT,
                                           &require) != LDAP_OPT_SUCCESS)
        failed = "tls_require_cert";
    if (failed == NULL &&
        ldap_set_option (self->ld, LDAP_OPT_X_TLS_NEWCTX, &is_server) != LDAP_OPT_SUCCESS)
        failed = "the tls_ parameters";
    if (failed != NULL)
        *out_why = g_strdup_printf ("server %s: TLS: cannot use %s", self->url, failed);
    return failed == NULL;
}

typedef struct {
    LDAP *ld;
    int rc, done; /* an eventfd */
} Handshake;

static void *
run_handshake (void *data)
{
    Handshake *self = data;
    self->rc = ldap_install_tls (self->ld);
    eventfd_write (self->done, 1);
    return NULL;
}

/* libldap shakes hands in one call that, with GnuTLS, ends only with the connection, and
 * spins when the socket does not block.  So it runs in a thread that a shutdown gets to
 * end. */
static bool
shake_hands (LookupLdapClient *self, gint64 deadline, char **out_why)
{
    Handshake shake = {.ld = self->ld, .done = eventfd (0, EFD_CLOEXEC)};
    pthread_t thread;
    bool in_time = false;
    ldap_set_option (self->ld, LDAP_OPT_NETWORK_TIMEOUT, NULL);
    set_blocking (self, true);
    int e = shake.done < 0 ? errno : remote_thread_start (&thread, run_handshake, &shake);
    if (e == 0) {
        in_time = remote_wait (shake.done, POLLIN, deadline);
        if (!in_time)
            shutdown (self->base.fd, SHUT_RDWR);
        pthread_join (thread, NULL);
    }
    if (shake.done >= 0)
        close (shake.done);
    set_blocking (self, false);
    if (e == 0 && in_time && shake.rc == LDAP_SUCCESS)
        return true;
    *out_why = e != 0 || !in_time ? g_strdup_printf ("server %s: TLS: %s", self->url,
                                                     e != 0 ? g_strerror (e) : "timed out")
                                  : last_error (self, "TLS");
    return false;
}

static bool
start_tls (LookupLdapClient *self, bool by_request, gint64 deadline, char **out_why)
{
    int msgid;
    if (by_request) {
        if (ldap_start_tls (self->ld, NULL, NULL, &msgid) != LDAP_SUCCESS) {
            *out_why = last_error (self, "STARTTLS");
            return false;
        }
        if (!finish (self, "STARTTLS", msgid, deadline, out_why))
            return false;
    }
    return set_tls_options (self, out_why) && shake_hands (self, deadline, out_why);
}

static bool
bind_as (LookupLdapClient *self, int how, const char *dn, const char *password,
         gint64 deadline, char **out_why)
{
    const char *mechanism = LDAP_SASL_SIMPLE;
    int msgid;
    if (how == LOOKUP_LDAP_BIND_NONE)
        return true;
    if (how == LOOKUP_LDAP_BIND_EXTERNAL) {
        mechanism = "EXTERNAL";
        password = self->table->sasl_authz_id;
    }
    struct berval secret = {.bv_len = strlen (password), .bv_val = (char *) password};
    if (ldap_sasl_bind (self->ld, dn, mechanism, &secret, NULL, NULL, &msgid) !=
        LDAP_SUCCESS) {
        *out_why = last_error (self, "bind");
        return false;
    }
    return finish (self, "bind", msgid, deadline, out_why);
}

static void
set_options (LookupLdapClient *self)
{
    int version = (int) self->table->version, deref = (int) self->table->dereference;
    int seconds = (int) self->table->clients.timeout_s;
    ber_len_t limit = MESSAGE_LIMIT;
    Sockbuf *buffer = NULL;
    ldap_set_option (self->ld, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option (self->ld, LDAP_OPT_DEREF, &deref);
    ldap_set_option (self->ld, LDAP_OPT_TIMELIMIT, &seconds);
    ldap_set_option (self->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF); /* the search follows */
    ldap_set_option (self->ld, LDAP_OPT_RESTART, LDAP_OPT_ON);    /* after a signal */
    if (ldap_get_option (self->ld, LDAP_OPT_SOCKBUF, &buffer) == LDAP_OPT_SUCCESS &&
        buffer != NULL)
        ber_sockbuf_ctrl (buffer, LBER_SB_OPT_SET_MAX_INCOMING, &limit);
}

LookupLdapClient *
lookup_ldap_connect_to (const LookupLdapTable *table, LookupLdapServer *server,
                        bool is_anonymous, gint64 deadline, char **out_why)
{
    g_autofree char *why = NULL;
    int fd = remote_connect (server->remote, deadline, &why);
    if (fd < 0) {
        *out_why = g_strdup_printf ("server %s: %s", server->url, why);
        return NULL;
    }
    LookupLdapClient *self = g_new0 (LookupLdapClient, 1);
    self->base.fd = fd;
    self->table = table;
    self->url = server->url;
    int protocol = server->remote->path != NULL ? LDAP_PROTO_IPC : LDAP_PROTO_TCP;
    int rc = ldap_init_fd (fd, protocol, server->url, &self->ld);
    if (rc != LDAP_SUCCESS) {
        *out_why = lookup_ldap_error (self, "connect", rc, NULL);
        close (fd);
        g_free (self);
        return NULL;
    }
    set_options (self);
    bool wants_tls = server->is_tls || table->start_tls;
    int how = is_anonymous ? LOOKUP_LDAP_BIND_SIMPLE : table->bind;
    if ((wants_tls && !start_tls (self, !server->is_tls, deadline, out_why)) ||
        !bind_as (self, how, is_anonymous ? "" : table->bind_dn,
                  is_anonymous ? "" : table->bind_pw, deadline, out_why)) {
        lookup_ldap_client_free (&self->base);
        return NULL;
    }
    return self;
}

/* Each server gets its share of the time: one that is frozen does not take all. */
RemoteClient *
lookup_ldap_connect (void *data, gint64 deadline, char **out_why)
{
    LookupLdapTable *table = data;
    GString *all = g_string_new (NULL);
    LookupLdapClient *client = NULL;
    for (guint i = 0; i < table->servers->len && client == NULL; i++) {
        g_autofree char *why = NULL;
        gint64 now = g_get_monotonic_time ();
        gint64 share = (deadline - now) / (table->servers->len - i);
        client = lookup_ldap_connect_to (table, table->servers->pdata[i], false,
                                         now + share, &why);
        if (client == NULL)
            g_string_append_printf (all, "%s%s", all->len > 0 ? "; " : "", why);
    }
    *out_why = g_string_free (all, client != NULL);
    return client == NULL ? NULL : &client->base;
}

void
lookup_ldap_client_free (RemoteClient *client)
{
    LookupLdapClient *self = (LookupLdapClient *) client;
    ldap_unbind_ext (self->ld, NULL, NULL); /* closes the socket */
    g_free (self);
}
