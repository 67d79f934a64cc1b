/* sasl_cyrus_client.c: our side of an authentication, as a client of another server.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sasl_cyrus.h"

#include <string.h>

typedef struct {
    Cyrus *owner;
    sasl_conn_t *conn;
    char *user;
    sasl_secret_t *secret;
    sasl_callback_t callbacks[5];
} Client;

static int
on_name (void *context, int id, const char **out, unsigned *out_size)
{
    const Client *self = context;
    /* No authorization identity: the server derives it. */
    *out = id == SASL_CB_USER ? "" : self->user;
    if (out_size != NULL)
        *out_size = (unsigned) strlen (*out);
    return SASL_OK;
}

static int
on_password (sasl_conn_t *conn, void *context, int id, sasl_secret_t **out)
{
    const Client *self = context;
    if (conn == NULL || id != SASL_CB_PASS)
        return SASL_BADPARAM;
    *out = self->secret;
    return SASL_OK;
}

static int
on_log (void *context, int level, const char *text)
{
    const Client *self = context;
    if (level >= SASL_LOG_ERR && level <= SASL_LOG_WARN)
        self->owner->host->log (self->owner->host, HK_LOG_WARNING, "SASL: %s", text);
    return SASL_OK;
}

static Client *
client_new (Cyrus *owner, HkSpan user, HkSpan password)
{
    Client *self = g_new0 (Client, 1);
    self->owner = owner;
    self->user = g_strndup ((const char *) user.data, user.size);
    self->secret = g_malloc0 (sizeof *self->secret + password.size + 1);
    self->secret->len = password.size;
    if (password.size > 0)
        memcpy (self->secret->data, password.data, password.size);
    self->callbacks[0] = (sasl_callback_t){SASL_CB_USER, SASL_CYRUS_CALLBACK (on_name), self};
    self->callbacks[1] = (sasl_callback_t){SASL_CB_AUTHNAME, SASL_CYRUS_CALLBACK (on_name), self};
    self->callbacks[2] = (sasl_callback_t){SASL_CB_PASS, SASL_CYRUS_CALLBACK (on_password), self};
    self->callbacks[3] = (sasl_callback_t){SASL_CB_LOG, SASL_CYRUS_CALLBACK (on_log), self};
    self->callbacks[4] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
    return self;
}

void
sasl_cyrus_client_end (void *exchange)
{
    Client *self = exchange;
    if (self->conn != NULL)
        sasl_dispose (&self->conn);
    memset (self->secret->data, 0, self->secret->len);
    g_free (self->secret);
    g_free (self->user);
    g_free (self);
}

static HkAnswer
failure (const Client *self, HkCall *call, int status)
{
    const HkHost *host = self->owner->host;
    const char *why = self->conn != NULL ? sasl_errdetail (self->conn)
                                         : sasl_errstring (status, NULL, NULL);
    if (sasl_cyrus_is_temporary (status))
        return host->later (call, "%s", why);
    return host->reply (call, HK_ABSENT, 0, NULL, "%s", why);
}

static HkAnswer
begin (Client *self, HkCall *call, const char *mechanisms)
{
    const HkHost *host = self->owner->host;
    g_autofree char *service = sasl_cyrus_prop_dup (host, call, HK_PROP_SASL_SERVICE);
    g_autofree char *server = sasl_cyrus_prop_dup (host, call, HK_PROP_SASL_HOST);
    const char *out = NULL, *chosen = NULL;
    unsigned size = 0;
    int status = sasl_client_new (service != NULL ? service : "smtp",
                                  server != NULL ? server : "localhost", NULL, NULL,
                                  self->callbacks, 0, &self->conn);
    if (status != SASL_OK)
        return failure (self, call, status);
    if (!sasl_cyrus_secure (host, call, self->conn))
        return HK_BROKEN;
    status = sasl_client_start (self->conn, mechanisms, NULL, &out, &size, &chosen);
    if (status != SASL_OK && status != SASL_CONTINUE)
        return failure (self, call, status);
    host->answer (call, chosen, strlen (chosen));
    if (out != NULL)
        host->answer (call, out, size);
    return HK_OK;
}

HkAnswer
sasl_cyrus_client_begin (void *instance, HkCall *call, HkSpan mechanisms, HkSpan user,
                         HkSpan password, void **out_exchange)
{
    Client *self = client_new (instance, user, password);
    g_autofree char *list = g_strndup ((const char *) mechanisms.data, mechanisms.size);
    HkAnswer answer = begin (self, call, list);
    if (answer == HK_OK)
        *out_exchange = self;
    else
        sasl_cyrus_client_end (self);
    return answer;
}

HkAnswer
sasl_cyrus_client_step (void *exchange, HkCall *call, HkSpan challenge)
{
    Client *self = exchange;
    const char *out = NULL;
    unsigned size = 0;
    int status = sasl_client_step (
        self->conn, challenge.data != NULL ? (const char *) challenge.data : "",
        (unsigned) challenge.size, NULL, &out, &size);
    if (status != SASL_OK && status != SASL_CONTINUE)
        return failure (self, call, status);
    self->owner->host->answer (call, out != NULL ? out : "", size);
    return HK_OK;
}
