/* qmqp_message.c: what a QMQP client sends becomes a message. */
#include "config.h"
#include "session/qmqp_priv.h"

#include "mail/address.h"
#include "mail/header.h"
#include "mail/verp.h"

/* ---- the message
 * ----------------------------------------------------------------------------- */

static void
append_received (HkQmqp *self, GString *out)
{
    char id[HK_QUEUE_ID_TEXT];
    const HkReceived received = {
        .client_name = self->name,
        .client_address = self->address,
        .client_is_ipv6 = strchr (self->address, ':') != NULL,
        .myhostname = self->service->myhostname,
        .mail_name = self->service->mail_name,
        .with = "QMQP",
        .queue_id = hk_queue_id_format (self->queue_id, id),
        .uid = -1,
        .arrival_us = self->tx.envelope.arrival_us,
    };
    hk_header_append_received (out, &received);
}

/* The envelope follows the content: it is handed over at the end. */
static void
open_incoming (HkQmqp *self)
{
    const HkSessionsOptions *o = &self->service->qmqps->options;
    HkEnvelope *e = &self->tx.envelope;
    char port[8];
    g_snprintf (port, sizeof port, "%u", self->port);
    e->queue_id = self->queue_id = hk_lane_next_id (o->lane);
    e->arrival_us = hk_wall_us (hk_loop_clock (o->loop));
    e->client_name = hk_span_text (self->name);
    e->client_address = hk_span_text (self->address);
    e->client_protocol = HK_SPAN ("QMQP");
    e->client_port = self->is_unix ? HK_SPAN_NONE : hk_span_text (port);
    g_autoptr (GString) received = g_string_new (NULL);
    g_autoptr (GString) client = g_string_new (NULL);
    append_received (self, received);
    hk_qmqp_append_client (client, self);
    const HkIncomingOptions options = {
        .envelope = e,
        .received = hk_span_string (received),
        .log_client = client->str,
        .add_missing_headers = true, /* clients of ours: as for local ones */
        .is_local_rewrite = true,
        .envelope_is_late = true,
    };
    self->incoming = hk_incoming_new (self->service->intake, &options);
    hk_content_begin (&self->content, false);
    hk_qmqp_log_client (self);
}

void
hk_qmqp_drop_message (HkQmqp *self)
{
    if (self->incoming != NULL && self->phase == HK_QMQP_PHASE_STORE)
        hk_incoming_forget (self->incoming);
    else if (self->incoming != NULL)
        hk_incoming_abandon (self->incoming);
    self->incoming = NULL;
}

static void
put (HkSpan bytes, void *data)
{
    HkQmqp *self = data;
    hk_incoming_write (self->incoming, bytes);
}

static void
on_message (HkSpan bytes, void *data)
{
    HkQmqp *self = data;
    if (self->incoming == NULL)
        open_incoming (self);
    hk_content_feed (&self->content, bytes, put, self);
}

/* ---- addresses
 * ------------------------------------------------------------------------------- */

/* QMQP has them as they are, without quotes: "a b@c" is "\"a b\"@c" in SMTP. */
static HkSpan
quoted (HkQmqp *self, HkSpan address)
{
    size_t at = hk_span_rfind (address, '@');
    g_autoptr (GString) out = g_string_sized_new (address.size + 16);
    if (address.size == 0)
        return HK_SPAN_NONE;
    hk_local_quote (hk_span_sub (address, 0, at), out);
    hk_string_append (out, hk_span_sub (address, at, address.size));
    return hk_arena_copy (self->arena, hk_span_string (out));
}

static bool
is_clean (HkSpan address)
{
    for (size_t i = 0; i < address.size; i++)
        if (address.data[i] < ' ' || address.data[i] == 127)
            return false;
    return g_utf8_validate ((const char *) address.data, (gssize) address.size, NULL);
}

static bool
refuse (HkQmqp *self, const char *text)
{
    hk_qmqp_log (self, HK_LOG_WARNING, text);
    hk_qmqp_answer (self, 'D', text);
    return false;
}

/* VERP_README: "list-@here-@[]". */
static bool
take_sender (HkQmqp *self, HkSpan address)
{
    HkEnvelope *e = &self->tx.envelope;
    const char *allowed = hk_settings_get (self->service->view, "verp_delimiter_filter");
    g_autoptr (GString) sender = g_string_new (NULL);
    char delimiters[3], valid[3];
    if (!hk_verp_from_qmqp (address, sender, delimiters)) {
        e->sender = quoted (self, address);
        return true;
    }
    if (!hk_verp_parse (hk_span_text (delimiters), allowed, valid)) {
        g_autofree char *text = g_strdup_printf (
            "Error: Invalid VERP delimiters: \"%s\". Need two characters from \"%s\"", delimiters,
            allowed);
        return refuse (self, text);
    }
    e->sender = quoted (self, hk_span_string (sender));
    e->verp = hk_arena_copy (self->arena, hk_span_text (valid));
    return true;
}

static bool
on_address (HkQmqpPart part, HkSpan address, void *data)
{
    HkQmqp *self = data;
    HkEnvelope *e = &self->tx.envelope;
    if (self->incoming == NULL)
        open_incoming (self);
    if (self->arena == NULL)
        self->arena = self->tx.arena = hk_arena_new (1024);
    if (!is_clean (address))
        return refuse (self, "Error: bad address syntax");
    self->address_bytes += address.size;
    if (e->n_recipients >= HK_QMQP_MAX_RECIPIENTS ||
        self->address_bytes > HK_QMQP_MAX_ADDRESSES)
        return refuse (self, "Error: too many recipients");
    if (part == HK_QMQP_SENDER)
        return take_sender (self, address);
    HkRecipient recipient = {.address = quoted (self, address)};
    hk_transaction_add (&self->tx, &recipient);
    return true;
}

/* ---- the end
 * --------------------------------------------------------------------------------- */

/* "Error: too many hops"; a text of the administrator's has the enhanced code in front. */
static void
answer_failure (HkQmqp *self, const HkIntakeOutcome *outcome)
{
    HkSpan text = hk_span_text (outcome->text);
    bool is_error = hk_span_starts_ci (text, HK_SPAN ("Error: "));
    g_autofree char *said =
        is_error ? g_strdup (outcome->text)
                 : g_strdup_printf ("Error: %s %s", outcome->dsn, outcome->text);
    hk_qmqp_log (self, HK_LOG_WARNING, said);
    hk_qmqp_answer (self, outcome->code < 500 ? 'Z' : 'D', said);
}

static void
stored (const HkIntakeOutcome *outcome, void *data)
{
    HkQmqp *self = data;
    HkQmqps *qmqps = self->service->qmqps;
    char id[HK_QUEUE_ID_TEXT];
    self->incoming = NULL;
    if (outcome->code != 250) {
        answer_failure (self, outcome);
        return;
    }
    if (!outcome->is_discarded && qmqps->options.queued != NULL)
        qmqps->options.queued (outcome, qmqps->options.data);
    if (qmqps->stat_messages != NULL)
        hk_stats_add (qmqps->stat_messages, 1);
    g_autofree char *said = g_strdup_printf ("Ok: queued as %s",
                                             hk_queue_id_format (self->queue_id, id));
    hk_qmqp_answer (self, 'K', said);
}

static void
end_of_package (HkQmqp *self)
{
    if (self->tx.envelope.n_recipients == 0) {
        refuse (self, "Error: no recipients specified");
        return;
    }
    hk_content_end (&self->content, put, self);
    hk_incoming_set_sender (self->incoming, self->tx.envelope.sender);
    hk_incoming_set_verp (self->incoming, self->tx.envelope.verp);
    hk_incoming_set_actions (self->incoming, &self->tx.envelope);
    self->phase = HK_QMQP_PHASE_STORE;
    hk_incoming_finish (self->incoming, stored, self);
}

static void
answer_bad (HkQmqp *self, const char *what)
{
    g_autofree char *text =
        g_strdup_printf ("%s while receiving %s", what, hk_qmqp_part_name (self->parser.part));
    hk_qmqp_log (self, HK_LOG_INFO, text);
    hk_qmqp_answer (self, 'D', text);
}

void
hk_qmqp_input (HkQmqp *self, HkSpan input)
{
    static const HkQmqpFns fns = {on_message, on_address};
    self->has_begun = true;
    self->parser.fns = &fns;
    self->parser.data = self;
    switch (hk_qmqp_feed (&self->parser, input)) {
    case HK_QMQP_END:
        end_of_package (self);
        break;
    case HK_QMQP_BAD:
        answer_bad (self, "netstring format error");
        break;
    case HK_QMQP_LONG:
        answer_bad (self, "netstring length exceeds storage limit");
        break;
    default:
        break;
    }
}
