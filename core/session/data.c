/* data.c: DATA and BDAT: content goes into intake, the store's answer becomes the reply. */
#include "config.h"
#include "session/session_priv.h"

#include "mail/header.h"
#include "mail/reply.h"

static const int64_t pressure_delay_us = HK_SECOND;

/* ---- beginning --------------------------------------------------------------------------
 */

/* RFC 3848, RFC 6531 4.3: "ESMTPSA". */
static const char *
with_word (const HkSession *self, char out[12])
{
    bool is_utf8 = (self->tx->envelope.flags & HK_ENVELOPE_SMTPUTF8) != 0;
    g_snprintf (out, 12, "%s%s%s", is_utf8 ? "UTF8SMTP" : self->is_esmtp ? "ESMTP" : "SMTP",
                self->is_esmtp && hk_session_is_encrypted (self) ? "S" : "",
                self->is_esmtp && hk_auth_username (self).size > 0 ? "A" : "");
    return out;
}

/* local_header_rewrite_clients. */
static bool
is_rewrite_client (HkSession *self)
{
    HkDialogue *d = self->dialogue;
    HkSpan address = hk_span_text (self->client_address);
    if (self->forward != NULL && self->forward->source != HK_SOURCE_UNKNOWN)
        return self->forward->source == HK_SOURCE_LOCAL;
    if (d->rewrite_inet_interfaces && hk_span_is (address, self->server_address))
        return true;
    if (d->rewrite_mynetworks && d->mynetworks != NULL &&
        !hk_match_list_may_block (d->mynetworks) &&
        hk_match_list_find (d->mynetworks, hk_span_text (self->client_name), address,
                            NULL) == HK_FOUND)
        return true;
    return d->rewrite_maps != NULL && !hk_maps_may_block (d->rewrite_maps) &&
           hk_maps_get (d->rewrite_maps, address, NULL, NULL) == HK_FOUND;
}

/* The trace header, and above it what PREPEND actions asked for. */
static void
append_received (HkSession *self, GString *out)
{
    const HkEnvelope *e = &self->tx->envelope;
    char id[HK_QUEUE_ID_TEXT], with[12];
    g_autofree char *tls_lines = hk_session_tls_header (self);
    g_autofree char *login = hk_auth_received_line (self);
    const HkReceived received = {
        .helo = self->helo != NULL ? self->helo : "unknown",
        .client_name = self->client_name,
        .client_address = self->client_address,
        .client_is_ipv6 = strchr (self->client_address, ':') != NULL,
        .myhostname = self->dialogue->myhostname,
        .mail_name = self->dialogue->mail_name,
        .with = with_word (self, with),
        .sasl_line = login,
        .queue_id = hk_queue_id_format (e->queue_id, id),
        /* RFC 5321 7.2: never several recipients in a header that each of them sees. */
        .for_recipient = e->n_recipients == 1 ? e->recipients[0].address : HK_SPAN_NONE,
        .uid = -1,
        .arrival_us = e->arrival_us,
        .tls_line = tls_lines,
        .priority = e->priority,
    };
    if (self->tx->prepend != NULL)
        hk_string_append (out, hk_span_string (self->tx->prepend));
    hk_header_append_received (out, &received);
}

/* XFORWARD_README: never attributes of both. */
static void
forward_client (const HkForward *f, HkEnvelope *e)
{
    e->client_name = hk_span_text (f->name);
    e->client_address = hk_span_text (f->address);
    e->client_helo = hk_span_text (f->helo != NULL ? f->helo : "");
    e->client_protocol = hk_span_text (f->protocol);
    e->client_port = hk_span_text (f->port);
}

static void
open_incoming (HkSession *self)
{
    HkTransaction *tx = self->tx;
    HkEnvelope *e = &tx->envelope;
    char port[8];

    g_snprintf (port, sizeof port, "%u", self->client_port);
    e->client_name = hk_span_text (self->client_name);
    e->client_address = hk_span_text (self->client_address);
    e->client_helo = hk_span_text (self->helo != NULL ? self->helo : "");
    e->client_protocol = hk_span_text (self->is_esmtp ? "ESMTP" : "SMTP");
    e->sasl_method = hk_auth_method (self);
    e->sasl_username = hk_auth_username (self);
    e->client_port = self->is_unix ? HK_SPAN_NONE : hk_span_text (port);
    if (self->forward != NULL)
        forward_client (self->forward, e);

    GString *received = self->dialogue->sessions->scratch;
    g_string_truncate (received, 0);
    append_received (self, received);
    g_autoptr (GString) client = g_string_new (NULL);
    if (self->forward != NULL)
        g_string_printf (client, "%s[%s]", self->forward->name, self->forward->address);
    else
        hk_report_append_client (client, self);
    bool is_local = is_rewrite_client (self);
    const HkIncomingOptions options = {
        .envelope = e,
        .received = hk_span_string (received),
        .add_missing_headers = is_local,
        .is_local_rewrite = is_local,
        .log_client = client->str,
    };
    tx->incoming = hk_incoming_new (self->dialogue->intake, &options);
}

/* ---- content ----------------------------------------------------------------------------
 */

static void
put (HkSpan bytes, void *data)
{
    HkTransaction *tx = data;
    if (!tx->is_discarded && !tx->is_failed)
        hk_incoming_write (tx->incoming, bytes);
}

/* The time that is left for content grows with what arrives, never beyond smtpd_timeout
 * from now: a trickle below the minimum rate runs out of it. */
static void
earn_time (HkSession *self, size_t n)
{
    HkDialogue *d = self->dialogue;
    int64_t earned = (int64_t) ((uint64_t) n * HK_SECOND / d->min_data_rate);
    int64_t limit = hk_session_now (self) + d->timeout_us;
    self->deadline_us = MIN (self->deadline_us + earned, limit);
}

/* ---- the end ----------------------------------------------------------------------------
 */

static void
say_queued (HkSession *self, HkQueueId id)
{
    char text[HK_QUEUE_ID_TEXT];
    if (self->tx != NULL && self->tx->is_chunked)
        hk_session_reply (self, 250, "2.0.0",
                          "Ok: %" G_GUINT64_FORMAT " bytes queued as %s",
                          self->tx->content_bytes, hk_queue_id_format (id, text));
    else
        hk_session_reply (self, 250, "2.0.0", "Ok: queued as %s",
                          hk_queue_id_format (id, text));
}

static void
count_message (HkSession *self)
{
    HkSessions *sessions = self->dialogue->sessions;
    self->n_errors = self->n_junk = 0;
    if (sessions->stat_messages != NULL)
        hk_stats_add (sessions->stat_messages, 1);
}

static void
answer (HkSession *self, const HkIntakeOutcome *outcome)
{
    HkSessions *sessions = self->dialogue->sessions;
    if (outcome->code != 250) {
        hk_session_count_error (self);
        hk_session_reply_span (self, outcome->code, outcome->dsn,
                               hk_span_text (outcome->text));
        return;
    }
    count_message (self);
    if (sessions->has_pressure && !self->is_delayed) {
        self->is_delayed = true;
        hk_timer_arm (&self->timer, pressure_delay_us);
    }
    say_queued (self, outcome->id);
    if (!outcome->is_discarded && sessions->options.queued != NULL)
        sessions->options.queued (outcome, sessions->options.data);
}

static void
stored (const HkIntakeOutcome *outcome, void *data)
{
    HkSession *self = data;
    self->is_busy = false;
    self->tx->incoming = NULL;
    answer (self, outcome);
    hk_session_reset (self);
    hk_session_resume (self);
}

static void
end_checked (HkSession *self, HkVerdict *verdict)
{
    HkTransaction *tx = self->tx;
    if (!hk_session_verdict (self, HK_STAGE_END_OF_DATA, HK_SPAN_NONE, verdict)) {
        hk_session_reset (self);
        return;
    }
    if (tx->is_discarded) {
        count_message (self);
        say_queued (self, tx->envelope.queue_id);
        hk_session_reset (self);
        return;
    }
    self->is_busy = true;
    tx->is_finishing = true;
    hk_incoming_set_actions (tx->incoming, &tx->envelope);
    hk_incoming_finish (tx->incoming, stored, self);
}

static bool
refuses_bare_lf (HkSession *self)
{
    HkDialogue *d = self->dialogue;
    if (!self->tx->content.has_bare_lf || d->bare_lf == HK_BARE_LF_NORMALIZE)
        return false;
    if (d->bare_lf_exclusions != NULL && !hk_match_list_may_block (d->bare_lf_exclusions) &&
        hk_match_list_find (d->bare_lf_exclusions, hk_span_text (self->client_name),
                            hk_span_text (self->client_address), NULL) == HK_FOUND)
        return false;
    if (d->bare_lf == HK_BARE_LF_NOTE) {
        hk_report_reject (self, HK_STAGE_END_OF_DATA, "info",
                          HK_SPAN ("bare <LF> received"), HK_SPAN_NONE);
        return false;
    }
    g_autofree char *line =
        g_strdup_printf ("%d 5.5.2 Error: bare <LF> received", d->bare_lf_code);
    hk_report_reject (self, HK_STAGE_END_OF_DATA, "reject", hk_span_text (line),
                      HK_SPAN_NONE);
    hk_session_count_error (self);
    hk_session_hang_up (self, d->bare_lf_code, d->bare_lf_code < 500 ? "4.5.2" : "5.5.2",
                        "%s Error: bare <LF> received", d->myhostname);
    return true;
}

/* All content is there. */
static void
end_of_content (HkSession *self)
{
    self->phase = HK_PHASE_COMMAND;
    self->after_content = true;
    if (refuses_bare_lf (self)) {
        hk_session_reset (self);
        return;
    }
    hk_session_check (self, HK_STAGE_END_OF_DATA, HK_SPAN_NONE, end_checked);
}

/* ---- DATA -------------------------------------------------------------------------------
 */

static void
data_checked (HkSession *self, HkVerdict *verdict)
{
    if (!hk_session_verdict (self, HK_STAGE_DATA, HK_SPAN_NONE, verdict))
        return;
    open_incoming (self);
    hk_content_begin (&self->tx->content, true);
    self->phase = HK_PHASE_DATA;
    hk_session_expect_command (self);
    hk_session_say_literal (self, "354 End data with <CR><LF>.<CR><LF>\r\n");
}

void
hk_session_data (HkSession *self, HkSpan argument)
{
    HkTransaction *tx = self->tx;
    if (tx != NULL && tx->is_chunked)
        hk_session_refuse (self, 503, "5.5.1", "Error: DATA after BDAT");
    else if (tx != NULL && tx->options.esmtp.is_binary)
        hk_session_refuse (self, 503, "5.5.1", "Error: BODY=BINARYMIME requires BDAT");
    else if (tx == NULL)
        hk_session_refuse (self, 503, "5.5.1", "Error: need RCPT command");
    else if (tx->envelope.n_recipients == 0 && hk_screen_ends_data (self))
        return;
    else if (tx->envelope.n_recipients == 0)
        hk_session_refuse (self, 554, "5.5.1", "Error: no valid recipients");
    else if (argument.size > 0)
        hk_session_refuse (self, 501, "5.5.4", "Syntax: DATA");
    else
        hk_session_check (self, HK_STAGE_DATA, HK_SPAN_NONE, data_checked);
}

/* ---- BDAT (RFC 3030) --------------------------------------------------------------------
 */

/* The chunk is read and thrown away: it must never be taken for commands. */
static void
swallow (HkSession *self)
{
    if (self->tx != NULL && self->is_last_chunk)
        hk_session_reset (self);
    else if (self->tx != NULL && self->tx->is_chunked)
        self->tx->is_failed = true;
    if (self->chunk_left > 0)
        self->phase = HK_PHASE_SWALLOW;
}

static void
end_of_chunk (HkSession *self)
{
    HkTransaction *tx = self->tx;
    if (self->is_last_chunk) {
        if (!tx->options.esmtp.is_binary)
            hk_content_end (&tx->content, put, tx);
        end_of_content (self);
        return;
    }
    self->phase = HK_PHASE_COMMAND;
    hk_session_reply (self, 250, "2.0.0", "Ok: %" G_GUINT64_FORMAT " bytes",
                      tx->content_bytes);
}

static void
begin_chunk (HkSession *self)
{
    self->phase = HK_PHASE_CHUNK;
    hk_session_expect_command (self);
    if (self->chunk_left == 0)
        end_of_chunk (self);
}

static void
first_chunk_checked (HkSession *self, HkVerdict *verdict)
{
    if (!hk_session_verdict (self, HK_STAGE_DATA, HK_SPAN_NONE, verdict)) {
        swallow (self);
        return;
    }
    open_incoming (self);
    hk_content_begin (&self->tx->content, false);
    begin_chunk (self);
}

void
hk_session_bdat (HkSession *self, HkSpan argument)
{
    HkTransaction *tx = self->tx;
    uint64_t size, limit = self->dialogue->size_limit;
    unsigned offered = self->is_esmtp ? self->ehlo_mask : self->dialogue->ehlo_mask;
    bool is_last;

    if (!(offered & HK_EHLO_CHUNKING)) {
        hk_session_count_error (self);
        hk_session_hang_up (self, 521, "5.5.1", "Error: command not implemented");
        return;
    }
    if (!hk_bdat_parse (argument, &size, &is_last)) {
        /* How much content follows is not known: there is no way on from here. */
        hk_session_count_error (self);
        hk_session_hang_up (self, 521, "5.5.4", "Syntax: BDAT count [LAST]");
        return;
    }
    self->chunk_left = size;
    self->is_last_chunk = is_last;
    if (tx == NULL) {
        hk_session_refuse (self, 503, "5.5.1", "Error: need RCPT command");
        swallow (self);
    } else if (tx->envelope.n_recipients == 0) {
        hk_session_refuse (self, 554, "5.5.1", "Error: no valid recipients");
        swallow (self);
    } else if (tx->is_failed) {
        hk_session_refuse (self, 551, "5.0.0",
                           "Discarded %" G_GUINT64_FORMAT " bytes after earlier error",
                           size);
        swallow (self);
    } else if (limit > 0 && (size > limit || tx->content_bytes > limit - size)) {
        tx->is_chunked = true;
        hk_session_refuse (self, 552, "5.3.4", "Chunk exceeds message size limit");
        swallow (self);
    } else if (!tx->is_chunked) {
        tx->is_chunked = true;
        hk_session_check (self, HK_STAGE_DATA, HK_SPAN_NONE, first_chunk_checked);
    } else {
        begin_chunk (self);
    }
}

/* ---- bytes ------------------------------------------------------------------------------
 */

static size_t
take_data (HkSession *self, HkSpan input)
{
    HkTransaction *tx = self->tx;
    size_t taken = hk_content_feed (&tx->content, input, put, tx);
    tx->content_bytes += taken;
    earn_time (self, taken);
    if (tx->content.is_complete) {
        hk_session_expect_command (self);
        end_of_content (self);
    }
    return taken;
}

static size_t
take_chunk (HkSession *self, HkSpan input)
{
    HkTransaction *tx = self->tx;
    HkSpan part = hk_span_sub (input, 0, (size_t) MIN (self->chunk_left, input.size));
    self->chunk_left -= part.size;
    earn_time (self, part.size);
    if (self->phase == HK_PHASE_CHUNK) {
        tx->content_bytes += part.size;
        /* RFC 3030 3: binary content has no lines that could be mended. */
        if (tx->options.esmtp.is_binary)
            put (part, tx);
        else
            hk_content_feed (&tx->content, part, put, tx);
    }
    if (self->chunk_left == 0) {
        hk_session_expect_command (self);
        if (self->phase == HK_PHASE_CHUNK)
            end_of_chunk (self);
        else
            self->phase = HK_PHASE_COMMAND;
    }
    return part.size;
}

size_t
hk_session_content (HkSession *self, HkSpan input)
{
    return self->phase == HK_PHASE_DATA ? take_data (self, input)
                                        : take_chunk (self, input);
}
