/* auth_backend.c: calls of the sasl plugin: on the loop, asynchronous, or on a worker; with a
 * time limit that the plugin cannot pass over. */
#include "config.h"
#include "session/auth_priv.h"

#include "base/log.h"
#include "base/text.h"

/* fail2ban and its kin do not count this one against the client. */
static const char no_answer[] = "Connection lost to authentication server";

/* ---- what the plugin may ask
 * ---------------------------------------------------------------- */

static HkAnswer
give (const char *text, HkSpan *out)
{
    if (text == NULL || *text == '\0')
        return HK_ABSENT;
    *out = hk_span_text (text);
    return HK_FOUND;
}

static HkAnswer
op_prop (HkCall *call, uint32_t id, HkSpan *out)
{
    const HkAuthTask *task = call->subject;
    const HkAuthService *service = task->service;
    switch (id) {
    case HK_PROP_CLIENT_ADDRESS:
        return give (task->client_address, out);
    case HK_PROP_SERVER_ADDRESS:
        return give (task->server_address, out);
    case HK_PROP_TLS_VERSION:
        return give (task->tls_version, out);
    case HK_PROP_TLS_BINDING_TYPE:
        return give (task->binding_type, out);
    case HK_PROP_TLS_BINDING:
        *out = hk_span (task->binding, task->binding_size);
        return task->binding_type != NULL ? HK_FOUND : HK_ABSENT;
    case HK_PROP_SASL_OPTIONS:
        return give (service->options[*task->tls_version != '\0'], out);
    case HK_PROP_SASL_SERVICE:
        return give (service->service, out);
    case HK_PROP_SASL_REALM:
        return give (service->realm, out);
    case HK_PROP_SASL_HOST:
        return give (service->host, out);
    default:
        return HK_ABSENT;
    }
}

static HkAnswer
op_prop_int (HkCall *call, uint32_t id, int64_t *out)
{
    const HkAuthTask *task = call->subject;
    if (id != HK_PROP_CLIENT_PORT && id != HK_PROP_SERVER_PORT)
        return HK_ABSENT;
    *out = id == HK_PROP_CLIENT_PORT ? task->client_port : task->server_port;
    return *out > 0 ? HK_FOUND : HK_ABSENT;
}

static const HkCallOps ops = {.prop = op_prop, .prop_int = op_prop_int};

/* ---- exchanges
 * ------------------------------------------------------------------------------ */

HkAuthExchange *
hk_auth_exchange_new (HkAuthService *service, const char *mechanism)
{
    HkAuthExchange *self = g_new0 (HkAuthExchange, 1);
    self->n_refs = 1;
    self->service = service;
    self->mechanism = g_strdup (mechanism);
    return self;
}

void
hk_auth_exchange_unref (HkAuthExchange *self)
{
    if (self == NULL || --self->n_refs > 0)
        return;
    if (self->has_begun) {
        hk_instance_enter (self->service->instance);
        self->service->class->server_end (self->pointer);
        hk_instance_leave (self->service->instance);
    }
    g_free (self->mechanism);
    g_free (self);
}

static HkAnswer
begin (HkAuthTask *task)
{
    HkAuthExchange *exchange = task->exchange;
    if (exchange->has_begun)
        return HK_OK;
    HkAnswer answer = task->service->class->server_begin (
        hk_instance_pointer (task->service->instance), &task->call, hk_span_text (exchange->mechanism), &exchange->pointer);
    answer = hk_call_answer (&task->call, task->service->instance, answer);
    exchange->has_begun = answer == HK_OK;
    return answer;
}

static HkSpan
response_of (const HkAuthTask *task)
{
    return hk_span (task->response, task->response_size);
}

/* ---- tasks
 * ---------------------------------------------------------------------------------- */

static void
task_free (HkAuthTask *task)
{
    hk_timer_disarm (&task->timer);
    hk_call_clear (&task->call);
    hk_auth_exchange_unref (task->exchange);
    if (task->response != NULL)
        memset (task->response, 0, task->response_size); /* a password, like as not */
    g_free (task->response);
    g_free (task);
}

/* The session goes on. */
static void
deliver (HkAuthTask *task, bool is_inside)
{
    HkSession *session = task->session;
    hk_timer_disarm (&task->timer);
    session->is_busy = false;
    session->auth->task = NULL;
    task->session = NULL;
    task->then (session, task);
    if (!is_inside)
        hk_session_resume (session);
}

static void
finish (HkAuthTask *task, HkAnswer answer)
{
    task->answer = hk_call_answer (&task->call, task->service->instance, answer);
    task->is_done = true;
    if (task->is_inside)
        return;
    if (task->session != NULL)
        deliver (task, false);
    task_free (task);
}

static void
on_done (HkCall *call, HkAnswer answer)
{
    finish (call->subject, answer);
}

/* The plugin's own asynchronous call is taken back. */
static void
cancel_call (HkAuthTask *task)
{
    const HkSaslClass *class = task->service->class;
    if (task->exchange == NULL)
        class->mechanisms_cancel (hk_instance_pointer (task->service->instance),
                                  &task->call);
    else if (task->exchange->has_begun) {
        class->server_end (task->exchange->pointer);
        task->exchange->has_begun = false;
    }
}

void
hk_auth_cancel_task (HkAuthTask *task)
{
    task->session = NULL;
    hk_timer_disarm (&task->timer);
    if (task->is_on_worker) /* it is freed when the worker comes back */
        return;
    cancel_call (task);
    task_free (task);
}

static void
on_timer (HkLoopTimer *timer)
{
    HkAuthTask *task = timer->data;
    HkSession *session = task->session;
    if (!task->is_on_worker) {
        cancel_call (task);
        hk_call_set_reason (&task->call, "%s", no_answer);
        finish (task, HK_LATER);
        return;
    }
    /* The worker keeps its call; the session gets an answer of its own. */
    HkAuthTask instead = {.service = task->service,
                          .exchange = task->exchange,
                          .answer = HK_LATER,
                          .then = task->then};
    hk_call_init (&instead.call, &ops, &instead);
    hk_call_set_reason (&instead.call, "%s", no_answer);
    hk_auth_cancel_task (task);
    session->is_busy = false;
    session->auth->task = NULL;
    instead.then (session, &instead);
    hk_call_clear (&instead.call);
    hk_session_resume (session);
}

/* ---- running
 * -------------------------------------------------------------------------------- */

static HkAnswer
run_blocking (HkAuthTask *task)
{
    const HkSaslClass *class = task->service->class;
    HkInstance *instance = task->service->instance;
    HkAnswer answer;
    hk_instance_enter (instance);
    if (task->exchange == NULL)
        answer = class->mechanisms (hk_instance_pointer (instance), &task->call);
    else if ((answer = begin (task)) == HK_OK)
        answer = class->server_step (task->exchange->pointer, &task->call,
                                     response_of (task));
    hk_instance_leave (instance);
    return answer;
}

static void
work (void *data)
{
    HkAuthTask *task = data;
    task->answer = run_blocking (task);
}

static void
worked (void *data)
{
    HkAuthTask *task = data;
    finish (task, task->answer);
}

static void
run_on_worker (HkAuthTask *task)
{
    HkSessions *sessions = task->service->sessions;
    if (sessions->auth_workers == NULL)
        sessions->auth_workers =
            hk_workers_new (sessions->options.loop, sessions->n_auth_threads);
    task->is_on_worker = true;
    hk_workers_run (sessions->auth_workers, work, worked, task);
}

static bool
is_async (const HkAuthTask *task)
{
    const HkSaslClass *class = task->service->class;
    return task->exchange == NULL ? HK_HAS (class, HkSaslClass, mechanisms_start)
                                  : HK_HAS (class, HkSaslClass, server_step_start);
}

static void
start_async (HkAuthTask *task)
{
    const HkSaslClass *class = task->service->class;
    if (task->exchange == NULL) {
        class->mechanisms_start (hk_instance_pointer (task->service->instance), &task->call,
                                 on_done);
    } else {
        HkAnswer answer = begin (task);
        if (answer != HK_OK)
            finish (task, answer);
        else
            class->server_step_start (task->exchange->pointer, &task->call,
                                      response_of (task), on_done);
    }
}

static void
run (HkAuthTask *task)
{
    HkSession *session = task->session;
    session->is_busy = true;
    session->auth->task = task;
    hk_timer_arm (&task->timer, task->service->timeout_us);
    task->is_inside = true;
    if (is_async (task))
        start_async (task);
    else if (hk_instance_may_block (task->service->instance))
        run_on_worker (task);
    else
        finish (task, run_blocking (task));
    task->is_inside = false;
    if (!task->is_done)
        return;
    deliver (task, true);
    task_free (task);
}

static HkAuthTask *
task_new (HkSession *session, HkAuthThen then)
{
    HkAuthTask *task = g_new0 (HkAuthTask, 1);
    HkSpan tls = hk_session_tls_version (session);
    hk_call_init (&task->call, &ops, task);
    task->service = session->dialogue->auth;
    task->session = session;
    task->then = then;
    hk_timer_init (&task->timer, session->dialogue->sessions->options.loop, on_timer, task);
    g_strlcpy (task->client_address, session->client_address, sizeof task->client_address);
    g_strlcpy (task->server_address, session->server_address, sizeof task->server_address);
    g_snprintf (task->tls_version, sizeof task->tls_version, "%.*s", HK_SPAN_ARG (tls));
    if (tls.size > 0)
        task->binding_type =
            hk_tls_binding (session->tls, task->binding, &task->binding_size);
    task->client_port = session->client_port;
    task->server_port = session->server_port;
    return task;
}

void
hk_auth_run_mechanisms (HkSession *session, HkAuthThen then)
{
    run (task_new (session, then));
}

void
hk_auth_run_step (HkSession *session, HkSpan response, HkAuthThen then)
{
    HkAuthTask *task = task_new (session, then);
    task->exchange = session->auth->exchange;
    task->exchange->n_refs++;
    if (response.data != NULL) {
        task->response = g_malloc (response.size + 1);
        memcpy (task->response, response.data, response.size);
        task->response_size = response.size;
    }
    run (task);
}

/* ---- the list
 * ------------------------------------------------------------------------------- */

bool
hk_auth_is_in (const char *mechanisms, const char *name)
{
    HkSpan rest = hk_span_text (mechanisms), word;
    while (hk_text_next_word (&rest, &word))
        if (hk_span_is_ci (word, name))
            return true;
    return false;
}

static bool
passes (HkAuthService *self, HkSpan word)
{
    if (self->filter == NULL)
        return !hk_span_is_ci (word, "EXTERNAL");
    return hk_match_list_find (self->filter, word, HK_SPAN_NONE, NULL) == HK_FOUND;
}

const char *
hk_auth_filter (HkAuthService *self, HkSpan list)
{
    HkSpan rest = list, word;
    if (self->raw != NULL && hk_span_is (list, self->raw))
        return self->shown;
    g_autoptr (GString) left = g_string_new (NULL);
    while (hk_text_next_word (&rest, &word)) {
        if (!passes (self, word))
            continue;
        if (left->len > 0)
            g_string_append_c (left, ' ');
        hk_text_append_printable (left, word, 40, false);
    }
    g_free (self->raw);
    g_free (self->shown);
    self->raw = hk_span_dup (list);
    self->shown = g_string_free (g_steal_pointer (&left), FALSE);
    return self->shown;
}

/* ---- a dialogue's part
 * ---------------------------------------------------------------------- */

static bool
open_list (HkMatchList **out, const HkDialogueOptions *options, const char *parameter,
           HkMatchKind kind, GError **error)
{
    const char *text = hk_settings_get (options->view, parameter);
    if (*text == '\0')
        return true;
    *out = hk_match_list_open (options->plugins, options->view, parameter, text, kind,
                               error);
    if (*out == NULL)
        return false;
    if (!hk_match_list_may_block (*out))
        return true;
    g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_BROKEN,
                 "parameter %s: a table that may block cannot be used here", parameter);
    return false;
}

/* The lists of a class that may block do not change, and asking for them is its first test. */
static void
learn_mechanisms (HkAuthService *self)
{
    for (int i = 0; i < 2; i++) {
        HkAuthTask task = {.service = self};
        hk_call_init (&task.call, &ops, &task);
        if (i == 1) {
            g_strlcpy (task.tls_version, "TLS", sizeof task.tls_version);
            task.binding_type = "tls-exporter";
            task.binding_size = 32;
        }
        HkAnswer answer = hk_call_answer (&task.call, self->instance, run_blocking (&task));
        if (answer == HK_FOUND && task.call.value != NULL)
            self->known[i] =
                g_strdup (hk_auth_filter (self, hk_span_string (task.call.value)));
        hk_call_clear (&task.call);
    }
}

static bool
open_backend (HkAuthService *self, const HkDialogueOptions *options, GError **error)
{
    HkSettings *view = options->view;
    const char *type = hk_settings_get (view, "smtpd_sasl_type");
    self->instance = hk_instance_open (
        options->plugins, HK_KIND_SASL, type,
        hk_span_text (hk_settings_get (view, "smtpd_sasl_path")), view, error);
    if (self->instance == NULL) {
        g_prefix_error (error, "smtpd_sasl_type: ");
        return false;
    }
    self->class = (const HkSaslClass *) (const void *) hk_instance_class (self->instance);
    if (HK_HAS (self->class, HkSaslClass, server_begin))
        return true;
    g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_BROKEN,
                 "smtpd_sasl_type: %s has no server side", type);
    return false;
}

static void
read_settings (HkAuthService *self, HkSettings *v)
{
    self->options[0] = g_strdup (hk_settings_get (v, "smtpd_sasl_security_options"));
    self->options[1] = g_strdup (hk_settings_get (v, "smtpd_sasl_tls_security_options"));
    self->service = g_strdup (hk_settings_get (v, "smtpd_sasl_service"));
    self->realm = g_strdup (hk_settings_get (v, "smtpd_sasl_local_domain"));
    self->host = g_strdup (hk_settings_get (v, "myhostname"));
    self->response_limit = (size_t) hk_settings_int (v, "smtpd_sasl_response_limit");
    self->timeout_us = hk_settings_int (v, "smtpd_sasl_timeout") * HK_SECOND;
    self->has_broken_clients = hk_settings_bool (v, "broken_sasl_auth_clients");
    self->has_header = hk_settings_bool (v, "smtpd_sasl_authenticated_header");
    self->sessions->n_auth_threads =
        (unsigned) hk_settings_int (v, "smtpd_sasl_worker_threads");
}

bool
hk_auth_service_open (HkSessions *sessions, const HkDialogueOptions *options,
                      HkAuthService **out, GError **error)
{
    if (!hk_settings_bool (options->view, "smtpd_sasl_auth_enable"))
        return true;
    HkAuthService *self = g_new0 (HkAuthService, 1);
    self->sessions = sessions;
    read_settings (self, options->view);
    bool has_filter =
        hk_settings_raw (options->view, "smtpd_sasl_mechanism_filter") != NULL;
    if (!open_backend (self, options, error) ||
        (has_filter && !open_list (&self->filter, options, "smtpd_sasl_mechanism_filter",
                                   HK_MATCH_STRINGS, error)) ||
        !open_list (&self->exceptions, options, "smtpd_sasl_exceptions_networks",
                    HK_MATCH_ADDRESSES, error)) {
        hk_auth_service_free (self);
        return false;
    }
    if (hk_instance_may_block (self->instance) && self->class->mechanisms != NULL &&
        !HK_HAS (self->class, HkSaslClass, mechanisms_start))
        learn_mechanisms (self);
    *out = self;
    return true;
}

void
hk_auth_service_free (HkAuthService *self)
{
    if (self == NULL)
        return;
    g_clear_pointer (&self->filter, hk_match_list_free);
    g_clear_pointer (&self->exceptions, hk_match_list_free);
    g_clear_pointer (&self->instance, hk_instance_unref);
    for (int i = 0; i < 2; i++) {
        g_free (self->options[i]);
        g_free (self->known[i]);
    }
    g_free (self->service);
    g_free (self->realm);
    g_free (self->host);
    g_free (self->raw);
    g_free (self->shown);
    g_free (self);
}

bool
hk_sessions_has_held_workers (const HkSessions *self)
{
    return self->auth_workers != NULL && hk_workers_pending (self->auth_workers) > 0;
}
