/* restriction_policy.c: check_policy_service: a server of the site's own decides
 * (SMTPD_POLICY_README).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restriction_policy.h"

#include <string.h>

typedef struct {
    const HkHost *host;
    PolicyOptions options;
    PolicyClient *client;
    char *stress, *compatibility_level, *mail_version;
} Policy;

/* ---- opening
 * --------------------------------------------------------------------------------- */

static char *
parameter (const HkHost *host, const HkConf *conf, const char *name)
{
    HkSpan value = host->conf_string (conf, name);
    return g_strndup (value.size == 0 ? "" : (const char *) value.data, value.size);
}

static void
policy_close (void *instance)
{
    Policy *self = instance;
    if (self->client != NULL)
        restriction_policy_client_free (self->client);
    restriction_policy_options_clear (&self->options);
    g_free (self->stress);
    g_free (self->compatibility_level);
    g_free (self->mail_version);
    g_free (self);
}

static HkAnswer
policy_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    Policy *self = g_new0 (Policy, 1);
    self->host = host;
    g_autofree char *problem = restriction_policy_options_read (&self->options, host, conf);
    if (problem != NULL) {
        policy_close (self);
        return host->broken (call, "%s", problem);
    }
    self->stress = parameter (host, conf, "stress");
    self->compatibility_level = parameter (host, conf, "compatibility_level");
    self->mail_version = parameter (host, conf, "mail_version");
    self->client = restriction_policy_client_new (host, &self->options);
    *out_instance = self;
    return HK_OK;
}

/* ---- the request
 * ------------------------------------------------------------------------------- */

typedef struct {
    const Policy *self;
    HkCall *call;
    GString *out;
    bool has_all_recipients; /* DATA, END-OF-MESSAGE */
} Builder;

/* What the client said must not add attributes of its own. */
static void
add (const Builder *b, const char *name, HkSpan value)
{
    g_string_append_printf (b->out, "%s=", name);
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        g_string_append_c (b->out, c == '\n' || c == '\r' || c == '\0' ? '?' : (char) c);
    }
    g_string_append_c (b->out, '\n');
}

static void
add_text (const Builder *b, const char *name, const char *value)
{
    add (b, name, (HkSpan){(const uint8_t *) value, strlen (value)});
}

static HkSpan
prop (const Builder *b, uint32_t id)
{
    HkSpan value = {NULL, 0};
    if (b->self->host->prop (b->call, id, &value) != HK_FOUND)
        value.size = 0;
    return value;
}

static void
add_prop (const Builder *b, const char *name, uint32_t id)
{
    add (b, name, prop (b, id));
}

static void
add_number (const Builder *b, const char *name, uint32_t id)
{
    int64_t n = 0;
    if (b->self->host->prop_int (b->call, id, &n) != HK_FOUND)
        n = 0;
    g_string_append_printf (b->out, "%s=%" G_GINT64_FORMAT "\n", name, (gint64) n);
}

static void
add_client (const Builder *b)
{
    add_prop (b, "client_address", HK_PROP_CLIENT_ADDRESS);
    add_prop (b, "client_name", HK_PROP_CLIENT_NAME);
    add_number (b, "client_port", HK_PROP_CLIENT_PORT);
    add_prop (b, "reverse_client_name", HK_PROP_CLIENT_REVERSE_NAME);
    add_prop (b, "server_address", HK_PROP_SERVER_ADDRESS);
    add_number (b, "server_port", HK_PROP_SERVER_PORT);
    add_prop (b, "helo_name", HK_PROP_HELO_NAME);
}

static void
add_message (const Builder *b)
{
    add_prop (b, "sender", HK_PROP_SENDER);
    add_prop (b, "recipient",
              b->has_all_recipients ? HK_PROP_ONLY_RECIPIENT : HK_PROP_RECIPIENT);
    if (b->has_all_recipients)
        add_number (b, "recipient_count", HK_PROP_RECIPIENT_COUNT);
    else
        add_text (b, "recipient_count", "0");
    add_prop (b, "queue_id", HK_PROP_QUEUE_ID);
    add_prop (b, "instance", HK_PROP_INSTANCE);
    add_number (b, "size", HK_PROP_SIZE);
    add_prop (b, "etrn_domain", HK_PROP_ETRN_DOMAIN);
}

static void
add_security (const Builder *b)
{
    add_prop (b, "sasl_method", HK_PROP_SASL_METHOD);
    add_prop (b, "sasl_username", HK_PROP_SASL_USERNAME);
    add_prop (b, "sasl_sender", HK_PROP_SASL_SENDER);
    add_prop (b, "ccert_subject", HK_PROP_TLS_SUBJECT);
    add_prop (b, "ccert_issuer", HK_PROP_TLS_ISSUER);
    add_prop (b, "ccert_fingerprint", HK_PROP_TLS_FINGERPRINT);
    add_prop (b, "ccert_pubkey_fingerprint", HK_PROP_TLS_KEY_FINGERPRINT);
    add_prop (b, "encryption_protocol", HK_PROP_TLS_VERSION);
    add_prop (b, "encryption_cipher", HK_PROP_TLS_CIPHER);
    add_number (b, "encryption_keysize", HK_PROP_TLS_BITS);
}

static bool
is_stage (HkSpan stage, const char *word)
{
    return stage.size == strlen (word) && memcmp (stage.data, word, stage.size) == 0;
}

static GString *
build_request (const Policy *self, HkCall *call)
{
    Builder b = {self, call, g_string_sized_new (1024), false};
    HkSpan stage = prop (&b, HK_PROP_STAGE);
    b.has_all_recipients = is_stage (stage, "DATA") || is_stage (stage, "END-OF-MESSAGE");
    add_text (&b, "request", "smtpd_access_policy");
    add (&b, "protocol_state", stage);
    add_prop (&b, "protocol_name", HK_PROP_PROTOCOL);
    add_client (&b);
    add_message (&b);
    add_text (&b, "stress", self->stress);
    add_security (&b);
    add_text (&b, "policy_context", self->options.context);
    add_text (&b, "compatibility_level", self->compatibility_level);
    add_text (&b, "mail_version", self->mail_version);
    g_string_append_c (b.out, '\n');
    return b.out;
}

/* ---- a check
 * ------------------------------------------------------------------------------------ */

typedef struct {
    const Policy *self;
    HkCall *call;
    PolicyRequest *request;
} Check;

static void
has_reply (void *data)
{
    const Check *check = data;
    check->self->host->complete (check->call);
}

static HkAnswer
policy_start (void *instance, HkCall *call, void **out_state)
{
    const Policy *self = instance;
    HkSpan id = {NULL, 0};
    if (self->host->prop (call, HK_PROP_INSTANCE, &id) != HK_FOUND)
        id.size = 0;
    g_autofree char *name = g_strndup (id.size == 0 ? "" : (const char *) id.data, id.size);
    Check *check = g_new0 (Check, 1);
    check->self = self;
    check->call = call;
    check->request = restriction_policy_client_ask (
        self->client, build_request (self, call), name, has_reply, check);
    *out_state = check;
    return HK_PENDING;
}

static void
check_free (Check *check)
{
    restriction_policy_request_free (check->request);
    g_free (check);
}

static void
policy_cancel (void *instance, HkCall *call, void *state)
{
    (void) instance;
    (void) call;
    check_free (state);
}

static HkAnswer
policy_finish (void *instance, HkCall *call, void *state)
{
    const Policy *self = instance;
    Check *check = state;
    HkSpan none = {NULL, 0};
    const char *action = restriction_policy_request_action (check->request);
    if (action == NULL)
        action = self->options.default_action;
    HkSpan text = {(const uint8_t *) action, strlen (action)};
    HkAnswer answer = self->host->action (call, text, none);
    check_free (check);
    return answer;
}

/* ---- the word
 * ---------------------------------------------------------------------------------- */

#define TIME(word, value, text)                                                            \
    {                                                                                      \
        .name = "smtpd_policy_service_" word, .type = HK_PARAM_TIME,                       \
        .flags = HK_PARAM_RELOADABLE, .preset = value, .min = 1, .max = INT32_MAX,         \
        .help = text                                                                       \
    }

static const HkParam policy_params[] = {
    {.name = "smtpd_policy_service_default_action",
     .type = HK_PARAM_STRING,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "451 4.3.5 Server configuration problem",
     .help = "What is done, access(5), when no policy server answers."},
    TIME ("max_idle", "300s", "An unused connection is closed after this time."),
    TIME ("max_ttl", "1000s", "A connection is not used again after this time."),
    {.name = "smtpd_policy_service_policy_context",
     .type = HK_PARAM_STRING,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "",
     .help = "Attribute policy_context of requests."},
    {.name = "smtpd_policy_service_request_limit",
     .type = HK_PARAM_INT,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "0",
     .min = 0,
     .max = INT32_MAX,
     .help = "Requests over one connection at most; 0: no limit."},
    TIME ("retry_delay", "1s", "Time between two attempts."),
    TIME ("timeout", "100s", "Time limit to connect, and for request and reply."),
    {.name = "smtpd_policy_service_try_limit",
     .type = HK_PARAM_INT,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "2",
     .min = 1,
     .max = INT32_MAX,
     .help = "Attempts to get an answer before the default action."},
    {.name = NULL},
};

static const HkRestrictionClass policy_class = {
    .base = {.size = sizeof (HkRestrictionClass),
             .kind = HK_KIND_RESTRICTION,
             .class_minor = HK_RESTRICTION_MINOR,
             .name = "check_policy_service",
             .flags = HK_THREAD_SAFE,
             .params = policy_params,
             .open = policy_open,
             .close = policy_close},
    .n_words = 1,
    .check_start = policy_start,
    .check_finish = policy_finish,
    .check_cancel = policy_cancel,
};

HK_PLUGIN (restriction_policy, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "check_policy_service: a server of the site's own decides",
           .classes = HK_CLASSES (&policy_class.base))
