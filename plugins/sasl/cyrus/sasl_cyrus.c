/* sasl_cyrus.c: authentication by the Cyrus SASL library (smtpd_sasl_type = cyrus): sasldb,
 * saslauthd and whatever else its own plugins bring.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The library verifies passwords with code that waits (saslauthd, databases, PAM): the class
 * says HK_MAY_BLOCK, and the host runs each step on a worker.  One connection object is used
 * by one thread at a time; what it shares inside is guarded by the mutexes that it is given
 * before it does anything. */
#include "sasl_cyrus.h"

#include <pthread.h>
#include <string.h>

/* ---- the process
 * ----------------------------------------------------------------------------- */

static void *
mutex_new (void)
{
    pthread_mutex_t *mutex = g_new (pthread_mutex_t, 1);
    pthread_mutex_init (mutex, NULL);
    return mutex;
}

static int
mutex_lock (void *mutex)
{
    return pthread_mutex_lock (mutex) == 0 ? SASL_OK : SASL_FAIL;
}

static int
mutex_unlock (void *mutex)
{
    return pthread_mutex_unlock (mutex) == 0 ? SASL_OK : SASL_FAIL;
}

static void
mutex_free (void *mutex)
{
    pthread_mutex_destroy (mutex);
    g_free (mutex);
}

static HkAnswer
cyrus_init (const HkHost *host, HkCall *call)
{
    (void) host;
    (void) call;
    sasl_set_mutex (mutex_new, mutex_lock, mutex_unlock, mutex_free);
    return HK_OK;
}

/* ---- instances
 * ------------------------------------------------------------------------------- */

static int
on_option (void *context, const char *plugin, const char *option, const char **out,
           unsigned *out_size)
{
    const Cyrus *self = context;
    (void) plugin;
    const char *value = g_hash_table_lookup (self->options, option);
    if (value == NULL)
        return SASL_FAIL;
    *out = value;
    if (out_size != NULL)
        *out_size = (unsigned) strlen (value);
    return SASL_OK;
}

/* Levels above SASL_LOG_WARN are notes, and some of them hold passwords. */
static int
on_log (void *context, int level, const char *text)
{
    const Cyrus *self = context;
    if (level >= SASL_LOG_ERR && level <= SASL_LOG_WARN)
        self->host->log (self->host, HK_LOG_WARNING, "SASL: %s", text);
    return SASL_OK;
}

static int
on_conf_path (void *context, char **out)
{
    const Cyrus *self = context;
    *out = self->path;
    return SASL_OK;
}

static char *
conf_dup (const HkHost *host, const HkConf *conf, const char *parameter)
{
    HkSpan value = host->conf_string (conf, parameter);
    return g_strndup ((const char *) value.data, value.size);
}

/* Where Postfix looks on Debian, with our own directory first. */
static char *
search_path (const HkHost *host, const HkConf *conf)
{
    g_autofree char *own = conf_dup (host, conf, "cyrus_sasl_config_path");
    if (*own != '\0')
        return g_steal_pointer (&own);
    g_autofree char *directory = conf_dup (host, conf, "config_directory");
    return g_strdup_printf ("%s/sasl:/etc/sasl2:/usr/lib/sasl2", directory);
}

static void
cyrus_free (Cyrus *self)
{
    g_hash_table_unref (self->options);
    g_free (self->name);
    g_free (self->path);
    g_free (self);
}

static HkAnswer
cyrus_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkSpan name = host->conf_argument (conf);
    Cyrus *self = g_new0 (Cyrus, 1);
    self->host = host;
    self->name = name.size > 0 ? g_strndup ((const char *) name.data, name.size)
                               : g_strdup ("smtpd");
    self->path = search_path (host, conf);
    self->options = sasl_cyrus_conf_read (self->path, self->name);
    self->callbacks[0] = (sasl_callback_t){SASL_CB_GETOPT, SASL_CYRUS_CALLBACK (on_option), self};
    self->callbacks[1] = (sasl_callback_t){SASL_CB_LOG, SASL_CYRUS_CALLBACK (on_log), self};
    self->callbacks[2] = (sasl_callback_t){SASL_CB_GETCONFPATH, SASL_CYRUS_CALLBACK (on_conf_path), self};
    self->callbacks[3] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
    /* What its plugins ask when they are loaded, they ask of the first that comes here. */
    int status = sasl_server_init (self->callbacks, self->name);
    if (status == SASL_OK && (status = sasl_client_init (NULL)) != SASL_OK)
        sasl_server_done ();
    if (status != SASL_OK) {
        cyrus_free (self);
        return host->broken (call, "the SASL library cannot be used: %s",
                             sasl_errstring (status, NULL, NULL));
    }
    *out_instance = self;
    return HK_OK;
}

static void
cyrus_close (void *instance)
{
    sasl_client_done ();
    sasl_server_done ();
    cyrus_free (instance);
}

/* ---- sessions
 * -------------------------------------------------------------------------------- */

HkSpan
sasl_cyrus_prop (const HkHost *host, HkCall *call, uint32_t id)
{
    HkSpan value = {NULL, 0};
    return host->prop (call, id, &value) == HK_FOUND ? value : (HkSpan){NULL, 0};
}

char *
sasl_cyrus_prop_dup (const HkHost *host, HkCall *call, uint32_t id)
{
    HkSpan value = sasl_cyrus_prop (host, call, id);
    return value.size > 0 ? g_strndup ((const char *) value.data, value.size) : NULL;
}

bool
sasl_cyrus_secure (const HkHost *host, HkCall *call, sasl_conn_t *conn)
{
    HkSpan word;
    unsigned flags;
    if (!sasl_cyrus_options (sasl_cyrus_prop (host, call, HK_PROP_SASL_OPTIONS), &flags,
                             &word)) {
        host->broken (call, "SASL security options: \"%.*s\" is not one of them",
                      (int) word.size, (const char *) word.data);
        return false;
    }
    /* No security layer of its own: SMTP has TLS. */
    const sasl_security_properties_t properties = {.security_flags = flags};
    if (sasl_setprop (conn, SASL_SEC_PROPS, &properties) == SASL_OK)
        return true;
    host->broken (call, "SASL security options cannot be set");
    return false;
}

/* "192.0.2.1;25"; NULL: not known. */
static char *
endpoint (const Cyrus *self, HkCall *call, uint32_t address_id, uint32_t port_id)
{
    g_autofree char *address = sasl_cyrus_prop_dup (self->host, call, address_id);
    int64_t port;
    if (address == NULL || self->host->prop_int (call, port_id, &port) != HK_FOUND)
        return NULL;
    return g_strdup_printf ("%s;%d", address, (int) port);
}

/* What ties the exchange to the TLS session around it; the library keeps the pointer. */
typedef struct {
    sasl_channel_binding_t binding;
    char *type;
    unsigned char *data;
} Binding;

static void
binding_set (Binding *self, const HkHost *host, HkCall *call, sasl_conn_t *conn)
{
    HkSpan data = sasl_cyrus_prop (host, call, HK_PROP_TLS_BINDING);
    self->type = sasl_cyrus_prop_dup (host, call, HK_PROP_TLS_BINDING_TYPE);
    if (self->type == NULL || data.size == 0)
        return;
    self->data = g_memdup2 (data.data, data.size);
    self->binding = (sasl_channel_binding_t){
        .name = self->type, .len = (unsigned long) data.size, .data = self->data};
    sasl_setprop (conn, SASL_CHANNEL_BINDING, &self->binding);
}

static void
binding_clear (Binding *self)
{
    g_free (self->type);
    g_free (self->data);
}

/* HK_OK, or the reason is in the call.  BINDING lasts as long as the connection. */
static HkAnswer
connection_new (Cyrus *self, HkCall *call, Binding *binding, sasl_conn_t **out)
{
    g_autofree char *service = sasl_cyrus_prop_dup (self->host, call, HK_PROP_SASL_SERVICE);
    g_autofree char *name = sasl_cyrus_prop_dup (self->host, call, HK_PROP_SASL_HOST);
    g_autofree char *realm = sasl_cyrus_prop_dup (self->host, call, HK_PROP_SASL_REALM);
    g_autofree char *local =
        endpoint (self, call, HK_PROP_SERVER_ADDRESS, HK_PROP_SERVER_PORT);
    g_autofree char *remote =
        endpoint (self, call, HK_PROP_CLIENT_ADDRESS, HK_PROP_CLIENT_PORT);
    int status = sasl_server_new (service != NULL ? service : "smtp", name, realm, local,
                                  remote, self->callbacks, 0, out);
    if (status != SASL_OK)
        return self->host->later (call, "%s", sasl_errstring (status, NULL, NULL));
    if (sasl_cyrus_secure (self->host, call, *out)) {
        binding_set (binding, self->host, call, *out);
        return HK_OK;
    }
    sasl_dispose (out);
    return HK_BROKEN;
}

static HkAnswer
cyrus_mechanisms (void *instance, HkCall *call)
{
    Cyrus *self = instance;
    sasl_conn_t *conn = NULL;
    const char *list = NULL;
    unsigned size = 0;
    Binding binding = {.type = NULL};
    HkAnswer answer = connection_new (self, call, &binding, &conn);
    if (answer != HK_OK)
        return answer;
    int status = sasl_listmech (conn, NULL, "", " ", "", &list, &size, NULL);
    answer = status == SASL_OK && size > 0 ? HK_FOUND : HK_ABSENT;
    if (answer == HK_FOUND)
        self->host->answer (call, list, size);
    else if (status != SASL_NOMECH)
        answer = self->host->later (call, "%s", sasl_errdetail (conn));
    sasl_dispose (&conn);
    binding_clear (&binding);
    return answer;
}

typedef struct {
    Cyrus *owner;
    sasl_conn_t *conn;
    Binding binding;
    char *mechanism;
    bool has_started;
} Exchange;

static HkAnswer
cyrus_server_begin (void *instance, HkCall *call, HkSpan mechanism, void **out_exchange)
{
    Exchange *self = g_new0 (Exchange, 1);
    HkAnswer answer = connection_new (instance, call, &self->binding, &self->conn);
    if (answer != HK_OK) {
        g_free (self);
        return answer;
    }
    self->owner = instance;
    self->mechanism = g_strndup ((const char *) mechanism.data, mechanism.size);
    *out_exchange = self;
    return HK_OK;
}

bool
sasl_cyrus_is_temporary (int status)
{
    switch (status) {
    case SASL_FAIL: /* saslauthd is away, a database cannot be opened */
    case SASL_NOMEM:
    case SASL_BUFOVER:
    case SASL_TRYAGAIN:
    case SASL_UNAVAIL:
    case SASL_CONFIGERR:
        return true;
    default:
        return false;
    }
}

static const char *
property (sasl_conn_t *conn, int id)
{
    const void *value = NULL;
    return sasl_getprop (conn, id, &value) == SASL_OK ? value : NULL;
}

static HkAnswer
answer_failure (const Exchange *self, HkCall *call, int status)
{
    const HkHost *host = self->owner->host;
    const char *user = property (self->conn, SASL_USERNAME);
    if (sasl_cyrus_is_temporary (status))
        return host->later (call, "%s", sasl_errstring (status, NULL, NULL));
    if (user == NULL)
        user = property (self->conn, SASL_AUTHUSER);
    if (user != NULL)
        host->answer (call, user, strlen (user));
    /* Whether it is the name or the password that is wrong is nobody's business. */
    if (status == SASL_NOUSER)
        status = SASL_BADAUTH;
    return host->reply (call, HK_ABSENT, 0, NULL, "%s", sasl_errstring (status, NULL, NULL));
}

static HkAnswer
cyrus_server_step (void *exchange, HkCall *call, HkSpan response)
{
    Exchange *self = exchange;
    const HkHost *host = self->owner->host;
    const char *in = (const char *) response.data, *out = NULL;
    unsigned size = 0;
    int status =
        self->has_started
            ? sasl_server_step (self->conn, in != NULL ? in : "", (unsigned) response.size,
                                &out, &size)
            : sasl_server_start (self->conn, self->mechanism, in, (unsigned) response.size,
                                 &out, &size);
    self->has_started = true;
    if (status == SASL_CONTINUE) {
        host->answer (call, out, size);
        return HK_OK;
    }
    if (status != SASL_OK)
        return answer_failure (self, call, status);
    const char *user = property (self->conn, SASL_USERNAME);
    if (user == NULL)
        return host->later (call, "the SASL library names no user");
    host->answer (call, user, strlen (user));
    return HK_FOUND;
}

static void
cyrus_server_end (void *exchange)
{
    Exchange *self = exchange;
    sasl_dispose (&self->conn);
    binding_clear (&self->binding);
    g_free (self->mechanism);
    g_free (self);
}

static const HkParam cyrus_params[] = {
    {.name = "cyrus_sasl_config_path",
     .type = HK_PARAM_STRING,
     .preset = "",
     .help = "Directories of the SASL library's configuration file, colons between; empty: "
             "sasl/ beside main.cf, /etc/sasl2, /usr/lib/sasl2."},
    {.name = NULL},
};

static const HkSaslClass cyrus_class = {
    .base = {.size = sizeof (HkSaslClass),
             .kind = HK_KIND_SASL,
             .class_minor = HK_SASL_MINOR,
             .name = "cyrus",
             .flags = HK_THREAD_SAFE | HK_MAY_BLOCK,
             .params = cyrus_params,
             .open = cyrus_open,
             .close = cyrus_close},
    .mechanisms = cyrus_mechanisms,
    .server_begin = cyrus_server_begin,
    .server_step = cyrus_server_step,
    .server_end = cyrus_server_end,
    .client_begin = sasl_cyrus_client_begin,
    .client_step = sasl_cyrus_client_step,
    .client_end = sasl_cyrus_client_end,
};

HK_PLUGIN (sasl_cyrus, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "SMTP authentication by the Cyrus SASL library",
           .classes = HK_CLASSES (&cyrus_class.base), .init = cyrus_init)
