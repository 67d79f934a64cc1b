/* report.c: what is told to the event bus about a session. */
#include "config.h"
#include "session/session_priv.h"

#include <stdarg.h>

#include "mail/reply.h"

void
hk_report_append_client (GString *out, const HkSession *self)
{
    g_string_append_printf (out, "%s[%s]", self->client_name, self->client_address);
    if (self->dialogue->log_port && !self->is_unix)
        g_string_append_printf (out, ":%u", self->client_port);
}

static HkEvents *
bus (const HkSession *self)
{
    return self->dialogue->sessions->options.events;
}

/* An event with what is known of the client. */
static void
begin (HkEvent *event, const HkSession *self, int kind)
{
    *event = (HkEvent){.kind = kind, .agent = "smtpd", .level = HK_LOG_INFO};
    hk_event_text (event, HK_PROP_SERVICE, hk_span_text (self->dialogue->service));
    hk_event_text (event, HK_PROP_CLIENT_NAME, hk_span_text (self->client_name));
    hk_event_text (event, HK_PROP_CLIENT_ADDRESS, hk_span_text (self->client_address));
    if (self->dialogue->log_port && !self->is_unix)
        hk_event_number (event, HK_PROP_CLIENT_PORT, self->client_port);
}

void
hk_report_connect (HkSession *self)
{
    HkEvent event;
    if (bus (self) == NULL || hk_screen_is_dummy (self))
        return;
    begin (&event, self, HK_EVENT_CONNECT);
    hk_events_emit (bus (self), &event);
}

/* "ehlo=1 mail=1 rcpt=1/2 quit=1 commands=4/5" */
static void
append_counts (GString *out, const HkSession *self)
{
    uint32_t good = 0, all = 0;
    for (unsigned i = 0; i < HK_N_COUNTED; i++) {
        if (self->n_all[i] == 0)
            continue;
        good += self->n_good[i];
        all += self->n_all[i];
        for (const char *p = hk_verb_name ((HkVerb) i); *p != '\0'; p++)
            g_string_append_c (out, g_ascii_tolower (*p));
        g_string_append_printf (out, "=%u", self->n_good[i]);
        if (self->n_good[i] != self->n_all[i])
            g_string_append_printf (out, "/%u", self->n_all[i]);
        g_string_append_c (out, ' ');
    }
    g_string_append_printf (out, "commands=%u", good);
    if (good != all || all == 0)
        g_string_append_printf (out, "/%u", all);
}

void
hk_report_disconnect (HkSession *self)
{
    HkEvent event;
    if (bus (self) == NULL || hk_screen_is_dummy (self))
        return;
    GString *text = self->dialogue->sessions->scratch;
    g_string_truncate (text, 0);
    append_counts (text, self);
    begin (&event, self, HK_EVENT_DISCONNECT);
    hk_event_text (&event, HK_PROP_TEXT, hk_span_string (text));
    hk_events_emit (bus (self), &event);
}

void
hk_report_lost (HkSession *self, const char *what)
{
    HkEvent event;
    if (hk_screen_is_dummy (self)) {
        hk_screen_end (self, true);
        return;
    }
    if (bus (self) == NULL)
        return;
    GString *text = self->dialogue->sessions->scratch;
    g_string_printf (text, "%s after %s", what,
                     self->after_content ? "END-OF-MESSAGE"
                                         : hk_verb_name ((HkVerb) self->last_verb));
    if (self->tx != NULL && !self->after_content &&
        (self->last_verb == HK_VERB_DATA || self->last_verb == HK_VERB_BDAT))
        g_string_append_printf (text, " (%" G_GUINT64_FORMAT " bytes)",
                                self->tx->content_bytes);
    begin (&event, self, HK_EVENT_LOST);
    hk_event_text (&event, HK_PROP_TEXT, hk_span_string (text));
    hk_events_emit (bus (self), &event);
}

void
hk_report_client (HkSession *self)
{
    HkEvent event;
    char id[HK_QUEUE_ID_TEXT];
    if (bus (self) == NULL)
        return;
    begin (&event, self, HK_EVENT_CLIENT);
    hk_event_text (&event, HK_PROP_SASL_METHOD, hk_auth_method (self));
    hk_event_text (&event, HK_PROP_SASL_USERNAME, hk_auth_username (self));
    hk_event_text (&event, HK_PROP_SASL_SENDER, self->tx->envelope.sasl_sender);
    hk_event_text (&event, HK_PROP_QUEUE_ID,
                   hk_span_text (hk_queue_id_format (self->tx->envelope.queue_id, id)));
    GString *origin = self->dialogue->sessions->scratch;
    if (self->forward != NULL) {
        g_string_printf (origin, "%s[%s]", self->forward->name, self->forward->address);
        hk_event_text (&event, HK_PROP_TEXT, hk_span_string (origin));
    }
    if (self->forward != NULL && self->forward->ident != NULL)
        hk_event_text (&event, HK_PROP_OTHER_ID, hk_span_text (self->forward->ident));
    hk_events_emit (bus (self), &event);
}

void
hk_report_reject (HkSession *self, HkStage stage, const char *status, HkSpan text,
                  HkSpan recipient)
{
    HkEvent event;
    char id[HK_QUEUE_ID_TEXT];
    if (bus (self) == NULL)
        return;
    begin (&event, self, HK_EVENT_REJECT);
    hk_event_text (&event, HK_PROP_STAGE,
                   hk_span_text (hk_stage_name (stage, self->is_esmtp)));
    hk_event_text (&event, HK_PROP_STATUS, hk_span_text (status));
    hk_event_text (&event, HK_PROP_TEXT, text);
    bool is_esmtp = stage == HK_STAGE_HELO ? self->was_esmtp : self->is_esmtp;
    hk_event_text (&event, HK_PROP_PROTOCOL, hk_span_text (is_esmtp ? "ESMTP" : "SMTP"));
    if (self->helo != NULL)
        hk_event_text (&event, HK_PROP_HELO_NAME, hk_span_text (self->helo));
    if (self->tx != NULL) {
        hk_event_text (&event, HK_PROP_SENDER, self->tx->envelope.sender);
        if (self->tx->envelope.queue_id != 0)
            hk_event_text (
                &event, HK_PROP_QUEUE_ID,
                hk_span_text (hk_queue_id_format (self->tx->envelope.queue_id, id)));
    }
    /* With one recipient it is clear of whom DATA and the end of data speak. */
    if (recipient.size == 0 && self->tx != NULL &&
        (stage == HK_STAGE_DATA || stage == HK_STAGE_END_OF_DATA) &&
        self->tx->envelope.n_recipients == 1)
        recipient = self->tx->envelope.recipients[0].address;
    if (recipient.size > 0)
        hk_event_text (&event, HK_PROP_RECIPIENT, recipient);
    hk_events_emit (bus (self), &event);
}

void
hk_report_text (HkSession *self, int level, const char *format, ...)
{
    HkEvent event;
    char text[1024];
    va_list ap;
    if (bus (self) == NULL)
        return;
    size_t word = level == HK_LOG_WARNING ? g_strlcpy (text, "warning: ", sizeof text) : 0;
    va_start (ap, format);
    g_vsnprintf (text + word, sizeof text - word, format, ap);
    va_end (ap);
    begin (&event, self, HK_EVENT_TEXT);
    event.level = level;
    hk_event_text (&event, HK_PROP_TEXT, hk_span_text (text));
    hk_event_number (&event, HK_PROP_LEVEL, level);
    hk_events_emit (bus (self), &event);
}
