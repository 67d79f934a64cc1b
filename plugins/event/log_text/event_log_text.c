/* event_log_text.c: events as lines of the mail log, in Postfix's grammar.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The words and their order are what pflogsumm, fail2ban, logwatch and their kin look for. */
#include <hikyaku/event.h>

#include <glib.h>
#include <string.h>

typedef struct {
    const HkHost *host;
    GString *line; /* reused */
} LogText;

static HkSpan
prop (LogText *self, HkCall *call, uint32_t id)
{
    HkSpan s = { NULL, 0 };
    if (self->host->prop (call, id, &s) != HK_FOUND)
        s = (HkSpan) { NULL, 0 };
    return s;
}

static int64_t
number (LogText *self, HkCall *call, uint32_t id)
{
    int64_t n = 0;
    if (self->host->prop_int (call, id, &n) != HK_FOUND)
        n = 0;
    return n;
}

static void
put (GString *out, const char *before, HkSpan s)
{
    g_string_append (out, before);
    g_string_append_len (out, (const char *) s.data, (gssize) s.size);
}

static void
put_optional (GString *out, const char *before, HkSpan s, const char *after)
{
    if (s.size == 0)
        return;
    put (out, before, s);
    g_string_append (out, after);
}

/* name[address] */
static void
put_u64 (GString *out, const char *before, int64_t n)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t v = n < 0 ? 0 : (uint64_t) n;
    do
        digits[--at] = (char) ('0' + v % 10);
    while ((v /= 10) > 0);
    g_string_append (out, before);
    g_string_append_len (out, digits + at, (gssize) (sizeof digits - at));
}

static void
put_client (LogText *self, HkCall *call)
{
    HkSpan name = prop (self, call, HK_PROP_CLIENT_NAME);
    HkSpan address = prop (self, call, HK_PROP_CLIENT_ADDRESS);
    if (name.size == 0)
        g_string_append (self->line, "unknown");
    put (self->line, "", name);
    g_string_append_c (self->line, '[');
    if (address.size == 0)
        g_string_append (self->line, "unknown");
    put (self->line, "", address);
    g_string_append_c (self->line, ']');
    int64_t port = number (self, call, HK_PROP_CLIENT_PORT);
    if (port > 0) /* smtpd_client_port_logging */
        put_u64 (self->line, ":", port);
}

static void
put_id (LogText *self, HkCall *call)
{
    HkSpan id = prop (self, call, HK_PROP_QUEUE_ID);
    if (id.size == 0)
        g_string_append (self->line, "NOQUEUE");
    put (self->line, "", id);
    g_string_append (self->line, ": ");
}

/* Seconds with two digits that matter: "0.03", "1.2", "35", as Postfix shows delays. */
static void
put_delay (GString *out, const char *before, int64_t us)
{
    char text[32];
    if (us < 0)
        us = 0;
    if (us < 10000) { /* below the resolution of delay_logging_resolution_limit: 0 or 0.01 */
        g_string_append (out, before);
        g_string_append (out, us < 5000 ? "0" : "0.01");
        return;
    }
    if (us < 1000000)
        g_snprintf (text, sizeof text, "0.%02d", (int) (us / 10000));
    else if (us < 10000000)
        g_snprintf (text, sizeof text, "%d.%d", (int) (us / 1000000), (int) (us / 100000 % 10));
    else
        g_snprintf (text, sizeof text, "%" G_GINT64_FORMAT, us / 1000000);
    if (strchr (text, '.') != NULL) { /* 0.10 is 0.1, 1.0 is 1 */
        size_t n = strlen (text);
        while (text[n - 1] == '0')
            n--;
        text[text[n - 1] == '.' ? n - 1 : n] = '\0';
    }
    g_string_append (out, before);
    g_string_append (out, text);
}

static void
render_client (LogText *self, HkCall *call)
{
    put_id (self, call);
    g_string_append (self->line, "client=");
    put_client (self, call);
    put_optional (self->line, ", sasl_method=", prop (self, call, HK_PROP_SASL_METHOD), "");
    put_optional (self->line, ", sasl_username=", prop (self, call, HK_PROP_SASL_USERNAME), "");
    put_optional (self->line, ", sasl_sender=", prop (self, call, HK_PROP_SASL_SENDER), "");
    /* what XFORWARD said */
    put_optional (self->line, ", orig_queue_id=", prop (self, call, HK_PROP_OTHER_ID), "");
    put_optional (self->line, ", orig_client=", prop (self, call, HK_PROP_TEXT), "");
}

static void
put_session (LogText *self, HkCall *call)
{
    HkSpan from = prop (self, call, HK_PROP_SENDER), to = prop (self, call, HK_PROP_RECIPIENT);
    if (from.data != NULL) {
        put (self->line, " from=<", from);
        g_string_append_c (self->line, '>');
    }
    if (to.data != NULL) {
        put (self->line, " to=<", to);
        g_string_append_c (self->line, '>');
    }
    put (self->line, " proto=", prop (self, call, HK_PROP_PROTOCOL));
    put_optional (self->line, " helo=<", prop (self, call, HK_PROP_HELO_NAME), ">");
}

static void
render_reject (LogText *self, HkCall *call)
{
    put_id (self, call);
    put (self->line, "", prop (self, call, HK_PROP_STATUS));
    put (self->line, ": ", prop (self, call, HK_PROP_STAGE));
    g_string_append (self->line, " from ");
    put_client (self, call);
    put (self->line, ": ", prop (self, call, HK_PROP_TEXT));
    g_string_append_c (self->line, ';');
    put_session (self, call);
}

static void
render_delivery (LogText *self, HkCall *call)
{
    int64_t use = number (self, call, HK_PROP_CONN_USE);
    put_id (self, call);
    put (self->line, "to=<", prop (self, call, HK_PROP_RECIPIENT));
    g_string_append (self->line, ">, ");
    put_optional (self->line, "orig_to=<", prop (self, call, HK_PROP_ORIG_RECIPIENT), ">, ");
    put (self->line, "relay=", prop (self, call, HK_PROP_RELAY));
    if (use > 1)
        put_u64 (self->line, ", conn_use=", use);
    put_delay (self->line, ", delay=", number (self, call, HK_PROP_DELAY_US));
    put_delay (self->line, ", delays=", number (self, call, HK_PROP_DELAY_QUEUE_US));
    put_delay (self->line, "/", number (self, call, HK_PROP_DELAY_MANAGER_US));
    put_delay (self->line, "/", number (self, call, HK_PROP_DELAY_CONNECT_US));
    put_delay (self->line, "/", number (self, call, HK_PROP_DELAY_XMIT_US));
    put (self->line, ", dsn=", prop (self, call, HK_PROP_DSN));
    put (self->line, ", status=", prop (self, call, HK_PROP_STATUS));
    put (self->line, " (", prop (self, call, HK_PROP_TEXT));
    g_string_append_c (self->line, ')');
}

static void
render_content (LogText *self, HkCall *call)
{
    put_id (self, call);
    put (self->line, "", prop (self, call, HK_PROP_STATUS));
    put (self->line, ": ", prop (self, call, HK_PROP_TEXT));
}

static void
render_active (LogText *self, HkCall *call)
{
    put_id (self, call);
    put (self->line, "from=<", prop (self, call, HK_PROP_SENDER));
    put_u64 (self->line, ">, size=", number (self, call, HK_PROP_SIZE));
    put_u64 (self->line, ", nrcpt=", number (self, call, HK_PROP_RECIPIENT_COUNT));
    g_string_append (self->line, " (queue active)");
}

static void
render (LogText *self, HkCall *call, int64_t kind)
{
    switch (kind) {
    case HK_EVENT_CONNECT:
        g_string_append (self->line, "connect from ");
        put_client (self, call);
        break;
    case HK_EVENT_DISCONNECT:
        g_string_append (self->line, "disconnect from ");
        put_client (self, call);
        put_optional (self->line, " ", prop (self, call, HK_PROP_TEXT), "");
        break;
    case HK_EVENT_LOST:
        put (self->line, "", prop (self, call, HK_PROP_TEXT));
        g_string_append (self->line, " from ");
        put_client (self, call);
        break;
    case HK_EVENT_REJECT:
        render_reject (self, call);
        break;
    case HK_EVENT_CLIENT:
        render_client (self, call);
        break;
    case HK_EVENT_PICKUP:
        put_id (self, call);
        put_u64 (self->line, "uid=", number (self, call, HK_PROP_UID));
        put (self->line, " from=<", prop (self, call, HK_PROP_SENDER));
        g_string_append_c (self->line, '>');
        break;
    case HK_EVENT_MESSAGE_ID:
        put_id (self, call);
        put (self->line, "message-id=", prop (self, call, HK_PROP_MESSAGE_ID));
        break;
    case HK_EVENT_ACTIVE:
        render_active (self, call);
        break;
    case HK_EVENT_DELIVERY:
        render_delivery (self, call);
        break;
    case HK_EVENT_REMOVED:
        put_id (self, call);
        g_string_append (self->line, "removed");
        break;
    case HK_EVENT_EXPIRED:
        put_id (self, call);
        put (self->line, "from=<", prop (self, call, HK_PROP_SENDER));
        put (self->line, ">, status=", prop (self, call, HK_PROP_TEXT));
        g_string_append (self->line, ", returned to sender");
        break;
    case HK_EVENT_NOTICE:
        put_id (self, call);
        put (self->line, "", prop (self, call, HK_PROP_TEXT));
        put (self->line, ": ", prop (self, call, HK_PROP_OTHER_ID));
        break;
    case HK_EVENT_CONTENT:
        render_content (self, call);
        break;
    default:
        put (self->line, "", prop (self, call, HK_PROP_TEXT));
    }
}

static void
log_text_event (void *instance, HkCall *call)
{
    LogText *self = instance;
    HkSpan agent = prop (self, call, HK_PROP_AGENT);
    char program[48];
    int64_t level = HK_LOG_INFO;
    g_string_truncate (self->line, 0);
    size_t n = MIN (agent.size, sizeof program - 1);
    if (n > 0)
        memcpy (program, agent.data, n);
    program[n] = '\0';
    if (self->host->prop_int (call, HK_PROP_LEVEL, &level) != HK_FOUND)
        level = HK_LOG_INFO;
    render (self, call, number (self, call, HK_PROP_EVENT));
    self->host->log_line (self->host, (int32_t) level, program,
                          (HkSpan) { (const uint8_t *) self->line->str, self->line->len });
}

static HkAnswer
log_text_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    (void) conf;
    if (!HK_HAS (host, HkHost, log_line))
        return host->broken (call, "this host cannot write log lines");
    LogText *self = g_new (LogText, 1);
    self->host = host;
    self->line = g_string_sized_new (512);
    *out_instance = self;
    return HK_OK;
}

static void
log_text_close (void *instance)
{
    LogText *self = instance;
    g_string_free (self->line, TRUE);
    g_free (self);
}

static const HkEventClass log_text_class = {
    .base = { .size = sizeof (HkEventClass),
              .kind = HK_KIND_EVENT,
              .class_minor = HK_EVENT_MINOR,
              .name = "log_text",
              .open = log_text_open,
              .close = log_text_close },
    .event = log_text_event,
};

HK_PLUGIN (event_log_text, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "the mail log in Postfix's grammar",
           .classes = HK_CLASSES (&log_text_class.base))
