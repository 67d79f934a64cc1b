/* event_log_json.c: events as JSON objects, one a line, in a file.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE /* O_CLOEXEC and kin */
#include <hikyaku/event.h>

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const HkHost *host;
    int fd; /* -1: nothing is written */
    GString *gathered; /* whole lines, written by flush */
    gboolean has_failed; /* said once, until a write works again */
} LogJson;

/* Properties in the order in which they are shown. */
static const struct {
    uint32_t id;
    const char *name;
    gboolean is_number;
} fields[] = {
    { HK_PROP_AGENT, "agent", FALSE },
    { HK_PROP_QUEUE_ID, "queue_id", FALSE },
    { HK_PROP_CLIENT_NAME, "client_name", FALSE },
    { HK_PROP_CLIENT_ADDRESS, "client_address", FALSE },
    { HK_PROP_CLIENT_PORT, "client_port", TRUE },
    { HK_PROP_PROTOCOL, "protocol", FALSE },
    { HK_PROP_HELO_NAME, "helo", FALSE },
    { HK_PROP_STAGE, "stage", FALSE },
    { HK_PROP_UID, "uid", TRUE },
    { HK_PROP_SENDER, "sender", FALSE },
    { HK_PROP_RECIPIENT, "recipient", FALSE },
    { HK_PROP_ORIG_RECIPIENT, "original_recipient", FALSE },
    { HK_PROP_SIZE, "size", TRUE },
    { HK_PROP_RECIPIENT_COUNT, "recipient_count", TRUE },
    { HK_PROP_SASL_METHOD, "sasl_method", FALSE },
    { HK_PROP_SASL_USERNAME, "sasl_username", FALSE },
    { HK_PROP_MESSAGE_ID, "message_id", FALSE },
    { HK_PROP_RELAY, "relay", FALSE },
    { HK_PROP_CONN_USE, "connection_use", TRUE },
    { HK_PROP_DELAY_US, "delay_us", TRUE },
    { HK_PROP_DELAY_QUEUE_US, "delay_queue_us", TRUE },
    { HK_PROP_DELAY_MANAGER_US, "delay_manager_us", TRUE },
    { HK_PROP_DELAY_CONNECT_US, "delay_connect_us", TRUE },
    { HK_PROP_DELAY_XMIT_US, "delay_transmit_us", TRUE },
    { HK_PROP_DSN, "dsn", FALSE },
    { HK_PROP_STATUS, "status", FALSE },
    { HK_PROP_OTHER_ID, "other_queue_id", FALSE },
    { HK_PROP_TEXT, "text", FALSE },
};

static const char *const kinds[] = {
    "unknown", "connect", "disconnect", "lost",     "reject",  "client",  "pickup",  "message-id",
    "active",  "delivery", "removed",   "expired",  "notice",  "content", "text",
};

/* RFC 8259 7; bytes that are no UTF-8 become U+FFFD. */
static void
put_string (GString *out, HkSpan s)
{
    const char *p = (const char *) s.data, *end = p + s.size;
    g_string_append_c (out, '"');
    while (p < end) {
        guchar c = (guchar) *p;
        if (c == '"' || c == '\\') {
            g_string_append_c (out, '\\');
            g_string_append_c (out, (char) c);
            p++;
        } else if (c < 0x20 || c == 0x7f) {
            g_string_append_printf (out, "\\u%04x", c);
            p++;
        } else if (c < 0x80) {
            g_string_append_c (out, (char) c);
            p++;
        } else {
            gunichar u = g_utf8_get_char_validated (p, end - p);
            gboolean is_good = u != (gunichar) -1 && u != (gunichar) -2;
            int n = is_good ? g_unichar_to_utf8 (u, NULL) : 1;
            g_string_append_len (out, is_good ? p : "\xef\xbf\xbd", is_good ? n : 3);
            p += n;
        }
    }
    g_string_append_c (out, '"');
}

static void
put_field (LogJson *self, HkCall *call, size_t i)
{
    HkSpan s;
    int64_t n;
    if (fields[i].is_number) {
        if (self->host->prop_int (call, fields[i].id, &n) == HK_FOUND)
            g_string_append_printf (self->gathered, ", \"%s\": %" G_GINT64_FORMAT, fields[i].name,
                                    (gint64) n);
    } else if (self->host->prop (call, fields[i].id, &s) == HK_FOUND && s.data != NULL) {
        g_string_append_printf (self->gathered, ", \"%s\": ", fields[i].name);
        put_string (self->gathered, s);
    }
}

static void
log_json_event (void *instance, HkCall *call)
{
    LogJson *self = instance;
    if (self->fd < 0)
        return;
    int64_t kind = 0, now = self->host->now_us (self->host);
    if (self->host->prop_int (call, HK_PROP_EVENT, &kind) != HK_FOUND || kind < 0
        || kind >= (int64_t) G_N_ELEMENTS (kinds))
        kind = 0;
    g_string_append_printf (self->gathered,
                            "{\"time\": %" G_GINT64_FORMAT ".%06d, \"event\": \"%s\"",
                            (gint64) (now / 1000000), (int) (now % 1000000), kinds[kind]);
    for (size_t i = 0; i < G_N_ELEMENTS (fields); i++)
        put_field (self, call, i);
    g_string_append (self->gathered, "}\n");
}

static void
log_json_flush (void *instance)
{
    LogJson *self = instance;
    const char *p = self->gathered->str;
    size_t left = self->gathered->len;
    while (left > 0) {
        ssize_t n = write (self->fd, p, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (!self->has_failed)
                self->host->log (self->host, HK_LOG_ERROR, "json_log_file: %s", g_strerror (errno));
            self->has_failed = TRUE;
            break;
        }
        p += n;
        left -= (size_t) n;
    }
    if (left == 0)
        self->has_failed = FALSE;
    g_string_truncate (self->gathered, 0);
}

static HkAnswer
log_json_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkSpan file = host->conf_string (conf, "json_log_file");
    g_autofree char *path = g_strndup ((const char *) file.data, file.size);
    int fd = -1;
    if (file.size > 0)
        fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (file.size > 0 && fd < 0)
        return host->broken (call, "json_log_file: %s: %s", path, g_strerror (errno));
    LogJson *self = g_new0 (LogJson, 1);
    self->host = host;
    self->fd = fd;
    self->gathered = g_string_sized_new (4096);
    *out_instance = self;
    return HK_OK;
}

static void
log_json_close (void *instance)
{
    LogJson *self = instance;
    log_json_flush (self);
    if (self->fd >= 0)
        close (self->fd);
    g_string_free (self->gathered, TRUE);
    g_free (self);
}

static const HkParam log_json_params[] = {
    { .name = "json_log_file", .type = HK_PARAM_STRING, .preset = "",
      .help = "File that gets one JSON object a line for each event; empty: none." },
    { .name = NULL },
};

static const HkEventClass log_json_class = {
    .base = { .size = sizeof (HkEventClass),
              .kind = HK_KIND_EVENT,
              .class_minor = HK_EVENT_MINOR,
              .name = "log_json",
              .params = log_json_params,
              .open = log_json_open,
              .close = log_json_close },
    .event = log_json_event,
    .flush = log_json_flush,
};

HK_PLUGIN (event_log_json, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "events as JSON lines", .classes = HK_CLASSES (&log_json_class.base))
