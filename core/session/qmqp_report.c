/* qmqp_report.c: what is told to the event bus about a QMQP connection. */
#include "config.h"
#include "session/qmqp_priv.h"

void
hk_qmqp_append_client (GString *out, const HkQmqp *self)
{
    g_string_append_printf (out, "%s[%s]", self->name, self->address);
    if (self->service->log_port && !self->is_unix)
        g_string_append_printf (out, ":%u", self->port);
}

static HkEvents *
bus (const HkQmqp *self)
{
    return self->service->qmqps->options.events;
}

static void
emit (HkQmqp *self, HkEvent *event)
{
    hk_event_text (event, HK_PROP_SERVICE, hk_span_text (self->service->service));
    hk_event_text (event, HK_PROP_CLIENT_NAME, hk_span_text (self->name));
    hk_event_text (event, HK_PROP_CLIENT_ADDRESS, hk_span_text (self->address));
    if (self->service->log_port && !self->is_unix)
        hk_event_number (event, HK_PROP_CLIENT_PORT, self->port);
    if (bus (self) != NULL)
        hk_events_emit (bus (self), event);
}

void
hk_qmqp_log_connect (HkQmqp *self)
{
    HkEvent event = {.kind = HK_EVENT_CONNECT, .agent = "qmqpd", .level = HK_LOG_INFO};
    emit (self, &event);
}

void
hk_qmqp_log_disconnect (HkQmqp *self)
{
    HkEvent event = {.kind = HK_EVENT_DISCONNECT, .agent = "qmqpd", .level = HK_LOG_INFO};
    emit (self, &event);
}

void
hk_qmqp_log_client (HkQmqp *self)
{
    HkEvent event = {.kind = HK_EVENT_CLIENT, .agent = "qmqpd", .level = HK_LOG_INFO};
    char id[HK_QUEUE_ID_TEXT];
    hk_event_text (&event, HK_PROP_QUEUE_ID,
                   hk_span_text (hk_queue_id_format (self->queue_id, id)));
    emit (self, &event);
}

void
hk_qmqp_log (HkQmqp *self, int level, const char *text)
{
    HkEvent event = {.kind = HK_EVENT_TEXT, .agent = "qmqpd", .level = level};
    char id[HK_QUEUE_ID_TEXT];
    g_autoptr (GString) line =
        g_string_new (level == HK_LOG_WARNING ? "warning: " : NULL);
    if (self->queue_id != 0)
        g_string_append_printf (line, "%s: ", hk_queue_id_format (self->queue_id, id));
    hk_qmqp_append_client (line, self);
    g_string_append_printf (line, ": %s", text);
    hk_event_text (&event, HK_PROP_TEXT, hk_span_string (line));
    hk_event_number (&event, HK_PROP_LEVEL, level);
    emit (self, &event);
}
