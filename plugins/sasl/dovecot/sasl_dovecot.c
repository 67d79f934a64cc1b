/* sasl_dovecot.c: authentication by Dovecot's auth service (smtpd_sasl_type = dovecot).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sasl_dovecot.h"

#include <string.h>

typedef struct {
    const HkHost *host;
    DovecotLink *link;
} Dovecot;

typedef struct {
    Dovecot *owner;
    char *mechanism;
    DovecotRequest *request; /* NULL: nothing was sent yet */
    HkCall *call;            /* of the step under way */
    HkSaslDone done;
} Exchange;

/* Somebody who waits for the list of mechanisms. */
typedef struct {
    Dovecot *owner;
    HkCall *call;
    HkSaslDone done;
} Wish;

/* ---- instances
 * --------------------------------------------------------------------------- */

static HkAnswer
dovecot_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    g_autofree char *why = NULL;
    DovecotLink *link = sasl_dovecot_link_new (
        host, host->conf_argument (conf), host->conf_string (conf, "queue_directory"), &why);
    if (link == NULL)
        return host->broken (call, "%s", why);
    Dovecot *self = g_new0 (Dovecot, 1);
    self->host = host;
    self->link = link;
    *out_instance = self;
    return HK_OK;
}

static void
dovecot_close (void *instance)
{
    Dovecot *self = instance;
    sasl_dovecot_link_free (self->link);
    g_free (self);
}

static HkSpan
text_of (const Dovecot *self, HkCall *call, uint32_t prop)
{
    HkSpan value = {NULL, 0};
    return self->host->prop (call, prop, &value) == HK_FOUND ? value : (HkSpan){NULL, 0};
}

static bool
options_of (const Dovecot *self, HkCall *call, DovecotOptions *out)
{
    HkSpan word;
    if (sasl_dovecot_options (text_of (self, call, HK_PROP_SASL_OPTIONS), out, &word))
        return true;
    self->host->broken (call, "SASL security options: \"%.*s\" is not one of them",
                        (int) word.size, (const char *) word.data);
    return false;
}

/* ---- mechanisms
 * -------------------------------------------------------------------------- */

static HkAnswer
answer_list (const Dovecot *self, HkCall *call, const GArray *list, const char *why)
{
    DovecotOptions options;
    g_autoptr (GString) names = g_string_new (NULL);
    if (list == NULL)
        return self->host->later (call, "%s", why != NULL ? why : "no answer");
    if (!options_of (self, call, &options))
        return HK_BROKEN;
    for (guint i = 0; i < list->len; i++) {
        const DovecotMechanism *m = &g_array_index (list, DovecotMechanism, i);
        if (sasl_dovecot_is_allowed (m, &options))
            g_string_append_printf (names, "%s%s", names->len > 0 ? " " : "", m->name);
    }
    self->host->answer (call, names->str, names->len);
    return names->len > 0 ? HK_FOUND : HK_ABSENT;
}

static void
on_list (void *data, const GArray *list, const char *why)
{
    g_autofree Wish *wish = data;
    wish->done (wish->call, answer_list (wish->owner, wish->call, list, why));
}

static void
dovecot_mechanisms_start (void *instance, HkCall *call, HkSaslDone done)
{
    Dovecot *self = instance;
    Wish *wish = g_new (Wish, 1);
    *wish = (Wish){self, call, done};
    sasl_dovecot_link_list (self->link, on_list, wish);
}

static bool
is_wish_of (void *data, void *call)
{
    return ((Wish *) data)->call == call;
}

static void
dovecot_mechanisms_cancel (void *instance, HkCall *call)
{
    Dovecot *self = instance;
    g_free (sasl_dovecot_link_list_cancel (self->link, is_wish_of, call));
}

/* ---- exchanges
 * --------------------------------------------------------------------------- */

static HkAnswer
dovecot_server_begin (void *instance, HkCall *call, HkSpan name, void **out_exchange)
{
    Dovecot *self = instance;
    DovecotOptions options;
    const DovecotMechanism *mechanism = sasl_dovecot_link_find (self->link, name);
    if (!options_of (self, call, &options))
        return HK_BROKEN;
    /* A name that it does not offer makes the server close the connection of everybody. */
    if (mechanism == NULL || !sasl_dovecot_is_allowed (mechanism, &options))
        return self->host->reply (call, HK_ABSENT, 0, NULL,
                                  "Invalid authentication mechanism");
    Exchange *exchange = g_new0 (Exchange, 1);
    exchange->owner = self;
    exchange->mechanism = g_strdup (mechanism->name);
    *out_exchange = exchange;
    return HK_OK;
}

static HkAnswer
answer_fail (const Dovecot *self, HkCall *call, const DovecotReply *reply)
{
    if (reply->is_temporary)
        return self->host->later (call, "%s",
                                  reply->reason->len > 0 ? reply->reason->str
                                                         : "the server has an internal error");
    if (reply->user->len > 0)
        self->host->answer (call, reply->user->str, reply->user->len);
    if (reply->reason->len > 0)
        self->host->reply (call, HK_ABSENT, 0, NULL, "%s", reply->reason->str);
    return HK_ABSENT;
}

static HkAnswer
answer_reply (const Dovecot *self, HkCall *call, const DovecotReply *reply, const char *why)
{
    if (reply == NULL)
        return self->host->later (call, "%s", why);
    if (reply->kind == SASL_DOVECOT_FAIL)
        return answer_fail (self, call, reply);
    if (reply->kind == SASL_DOVECOT_CONT) {
        self->host->answer (call, reply->data->str, reply->data->len);
        return HK_OK;
    }
    if (reply->user->len == 0)
        return self->host->later (call, "the server names no user");
    self->host->answer (call, reply->user->str, reply->user->len);
    return HK_FOUND;
}

static void
on_reply (void *data, const DovecotReply *reply, const char *why)
{
    Exchange *exchange = data;
    HkCall *call = exchange->call;
    HkSaslDone done = exchange->done;
    exchange->call = NULL;
    done (call, answer_reply (exchange->owner, call, reply, why));
}

static void
append_value (GString *out, const char *key, HkSpan value)
{
    if (value.size == 0)
        return;
    g_string_append (out, key);
    sasl_dovecot_append_field (out, value);
}

/* What follows the mechanism; `resp` must be the last. */
static GString *
make_fields (const Dovecot *self, HkCall *call, HkSpan response)
{
    GString *out = g_string_new (NULL);
    append_value (out, "service=", text_of (self, call, HK_PROP_SASL_SERVICE));
    g_string_append (out, "\tnologin");
    append_value (out, "\tlip=", text_of (self, call, HK_PROP_SERVER_ADDRESS));
    append_value (out, "\trip=", text_of (self, call, HK_PROP_CLIENT_ADDRESS));
    if (text_of (self, call, HK_PROP_TLS_VERSION).size > 0)
        g_string_append (out, "\tsecured");
    if (response.data != NULL) {
        g_autofree char *text = g_base64_encode (response.data, response.size);
        /* An empty one is "=": nothing at all counts as none. */
        g_string_append_printf (out, "\tresp=%s", response.size > 0 ? text : "=");
    }
    g_string_append_c (out, '\n');
    return out;
}

static void
dovecot_server_step_start (void *data, HkCall *call, HkSpan response, HkSaslDone done)
{
    Exchange *self = data;
    self->call = call;
    self->done = done;
    if (self->request != NULL) {
        sasl_dovecot_request_continue (self->request, response);
        return;
    }
    self->request = sasl_dovecot_request_new (
        self->owner->link, g_strdup (self->mechanism),
        make_fields (self->owner, call, response), on_reply, self);
    sasl_dovecot_request_start (self->request);
}

static void
dovecot_server_end (void *data)
{
    Exchange *self = data;
    if (self->request != NULL)
        sasl_dovecot_request_free (self->request);
    g_free (self->mechanism);
    g_free (self);
}

static const HkSaslClass dovecot_class = {
    .base = {.size = sizeof (HkSaslClass),
             .kind = HK_KIND_SASL,
             .class_minor = HK_SASL_MINOR,
             .name = "dovecot",
             .flags = HK_THREAD_SAFE, /* everything happens on the loop */
             .open = dovecot_open,
             .close = dovecot_close},
    .server_begin = dovecot_server_begin,
    .server_end = dovecot_server_end,
    .mechanisms_start = dovecot_mechanisms_start,
    .mechanisms_cancel = dovecot_mechanisms_cancel,
    .server_step_start = dovecot_server_step_start,
};

HK_PLUGIN (sasl_dovecot, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "SMTP authentication by a Dovecot auth service",
           .classes = HK_CLASSES (&dovecot_class.base))
