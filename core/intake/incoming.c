/* incoming.c: one message: bytes in, settled, into the store, outcome out. */
#include "intake/intake_priv.h"

#include "base/log.h"

#define FIRST_CONTENT 8192
#define FIRST_ARENA 2048
#define MAX_SPARE 64

/* ---- life
 * ---------------------------------------------------------------------------------------
 */

static HkIncoming *
incoming_make (HkIntake *intake)
{
    HkIncoming *self = g_new0 (HkIncoming, 1);
    self->intake = intake;
    self->arena = hk_arena_new (FIRST_ARENA);
    self->spool_fd = -1;
    self->content = g_byte_array_sized_new (FIRST_CONTENT);
    self->packed = g_byte_array_sized_new (512);
    self->pieces = g_array_sized_new (FALSE, FALSE, sizeof (HkSpan), 8);
    return self;
}

static void
incoming_destroy (HkIncoming *self)
{
    hk_arena_free (self->arena);
    g_byte_array_unref (self->content);
    g_byte_array_unref (self->packed);
    g_array_unref (self->pieces);
    if (self->added != NULL)
        g_string_free (self->added, TRUE);
    if (self->notes != NULL)
        g_ptr_array_unref (self->notes);
    if (self->rewritten != NULL)
        g_array_unref (self->rewritten);
    g_free (self);
}

/* Drop what the message brought; buffers of common size stay for the next one. */
static void
incoming_empty (HkIncoming *self)
{
    if (self->file != NULL)
        hk_lane_file_abandon (g_steal_pointer (&self->file));
    hk_spool_close (self);
    if (self->edits != NULL)
        hk_edits_free (g_steal_pointer (&self->edits));
    if (self->content->len > 4 * FIRST_CONTENT) {
        g_byte_array_unref (self->content);
        self->content = g_byte_array_sized_new (FIRST_CONTENT);
    }
    g_byte_array_set_size (self->content, 0);
    g_byte_array_set_size (self->packed, 0);
    g_array_set_size (self->pieces, 0);
    hk_arena_reset (self->arena);
    if (self->added != NULL)
        g_string_truncate (self->added, 0);
    if (self->notes != NULL)
        g_ptr_array_set_size (self->notes, 0);
}

static void
incoming_release (HkIncoming *self)
{
    HkIntake *intake = self->intake;
    incoming_empty (self);
    if (intake->spare->len < MAX_SPARE)
        g_ptr_array_add (intake->spare, self);
    else
        incoming_destroy (self);
    intake->n_live--;
    if (intake->is_closed && intake->n_live == 0)
        hk_intake_destroy (intake);
}

void
hk_incoming_free_spare (HkIncoming *self)
{
    incoming_destroy (self);
}

static HkIncoming *
incoming_take (HkIntake *intake)
{
    intake->n_live++;
    if (intake->spare->len == 0)
        return incoming_make (intake);
    return g_ptr_array_steal_index_fast (intake->spare, intake->spare->len - 1);
}

/* ---- the envelope as it comes
 * --------------------------------------------------------------------- */

static void
copy_span (HkIncoming *self, HkSpan *span)
{
    if (span->size > 0)
        *span = hk_arena_copy (self->arena, *span);
    else
        *span = HK_SPAN_NONE;
}

static void
copy_recipients (HkIncoming *self, const HkEnvelope *from)
{
    HkEnvelope *e = &self->envelope;
    e->recipients = NULL;
    if (e->n_recipients == 0)
        return;
    e->recipients = hk_arena_alloc (self->arena, e->n_recipients * sizeof (HkRecipient));
    for (size_t i = 0; i < e->n_recipients; i++) {
        e->recipients[i] = from->recipients[i];
        copy_span (self, &e->recipients[i].address);
        copy_span (self, &e->recipients[i].original);
        copy_span (self, &e->recipients[i].orcpt);
    }
}

void
hk_incoming_set_actions (HkIncoming *self, const HkEnvelope *envelope)
{
    HkEnvelope *e = &self->envelope;
    e->flags |= envelope->flags & HK_ENVELOPE_HOLD;
    e->hold_reason = envelope->hold_reason;
    e->content_filter = envelope->content_filter;
    e->redirect = envelope->redirect;
    copy_span (self, &e->hold_reason);
    copy_span (self, &e->content_filter);
    copy_span (self, &e->redirect);
    if (envelope->n_recipients <= e->n_recipients)
        return;
    e->n_recipients = envelope->n_recipients;
    copy_recipients (self, envelope);
}

void
hk_incoming_set_sender (HkIncoming *self, HkSpan sender)
{
    self->envelope.sender = sender;
    copy_span (self, &self->envelope.sender);
}

void
hk_incoming_set_verp (HkIncoming *self, HkSpan delimiters)
{
    self->envelope.verp = delimiters;
    copy_span (self, &self->envelope.verp);
}

static void
copy_envelope (HkIncoming *self, const HkEnvelope *from)
{
    HkEnvelope *e = &self->envelope;
    HkSpan *const spans[] = {
        &e->sender,        &e->envid,           &e->client_name,    &e->client_address,
        &e->client_helo,   &e->client_protocol, &e->client_port,    &e->sasl_method,
        &e->sasl_username, &e->sasl_sender,     &e->content_filter, &e->redirect,
        &e->hold_reason,   &e->message_id,      &e->verp,
    };
    *e = *from;
    e->backing = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS (spans); i++)
        copy_span (self, spans[i]);
    copy_recipients (self, from);
}

HkIncoming *
hk_incoming_new (HkIntake *intake, const HkIncomingOptions *options)
{
    HkIncoming *self = incoming_take (intake);
    HkSpan log_client = hk_span_text (options->log_client);
    copy_envelope (self, options->envelope);
    if (self->envelope.queue_id == 0)
        self->envelope.queue_id = hk_lane_next_id (intake->options.lane);
    if (self->envelope.arrival_us == 0)
        self->envelope.arrival_us = hk_wall_us (hk_loop_clock (intake->options.loop));
    self->received = options->received;
    copy_span (self, &self->received);
    self->log_client = hk_arena_copy (self->arena, log_client);
    self->adds_missing = options->add_missing_headers || intake->adds_missing;
    self->is_local_rewrite = options->is_local_rewrite;
    self->is_late = options->envelope_is_late;
    self->size = self->stored_size = 0;
    self->scan = (HkScan){0};
    self->facts = (HkHeaderFacts){0};
    self->has_facts = self->is_discarded = self->is_forgotten = false;
    self->spool_fd = -1;
    self->code = 0;
    self->text = "";
    return self;
}

HkQueueId
hk_incoming_id (const HkIncoming *self)
{
    return self->envelope.queue_id;
}

uint64_t
hk_incoming_size (const HkIncoming *self)
{
    return self->size;
}

/* ---- failures
 * ---------------------------------------------------------------------------------------
 */

void
hk_incoming_fail (HkIncoming *self, int code, const char *dsn, const char *text)
{
    if (self->code != 0)
        return;
    self->code = code;
    g_strlcpy (self->dsn, dsn, sizeof self->dsn);
    self->text = (const char *) hk_arena_copy (self->arena, hk_span_text (text)).data;
}

void
hk_incoming_fail_lookup (HkIncoming *self, const char *table, const char *reason)
{
    char id[HK_QUEUE_ID_TEXT];
    hk_log (HK_LOG_WARNING, "%s: %s: %s", hk_queue_id_format (self->envelope.queue_id, id),
            table, reason != NULL ? reason : "lookup failed");
    hk_incoming_fail (self, 451, "4.3.0", "Error: temporary lookup failure");
}

static void
fail_store (HkIncoming *self, const GError *error)
{
    char id[HK_QUEUE_ID_TEXT];
    hk_log (HK_LOG_WARNING, "%s: %s", hk_queue_id_format (self->envelope.queue_id, id),
            error->message);
    if (g_error_matches (error, HK_STORE_ERROR, HK_STORE_ERROR_FULL))
        hk_incoming_fail (self, 452, "4.3.1", "Insufficient system storage");
    else
        hk_incoming_fail (self, 451, "4.3.0", "Error: queue file write error");
}

/* ---- content as it arrives
 * --------------------------------------------------------------------------- */

static void
settle_headers (HkIncoming *self, HkSpan content)
{
    hk_headers_walk (self, content);
    self->has_facts = true;
    if (self->facts.n_hops >= self->intake->hop_limit) {
        char id[HK_QUEUE_ID_TEXT];
        hk_log (HK_LOG_WARNING, "%s: message rejected: hopcount exceeded",
                hk_queue_id_format (self->envelope.queue_id, id));
        hk_incoming_fail (self, 554, "5.4.0", "Error: too many hops");
    }
}

static bool
write_pieces (HkIncoming *self, GError **error)
{
    for (guint i = 0; i < self->pieces->len; i++) {
        HkSpan piece = g_array_index (self->pieces, HkSpan, i);
        self->stored_size += piece.size;
        if (!hk_lane_file_write (self->file, piece, error))
            return false;
    }
    return true;
}

/* The message has grown too large for memory.  Without filters, and without tables that may
 * block for its headers, these are settled here and now: they come first in the file. */
static void
spill (HkIncoming *self)
{
    g_autoptr (GError) error = NULL;
    HkSpan content = hk_span (self->content->data, self->content->len);
    bool ok;
    /* A From that is missing is made of the sender. */
    if (self->intake->filters->len > 0 || (self->is_late && self->adds_missing) ||
        (self->is_local_rewrite && self->intake->may_block)) {
        ok = hk_spool_open (self, &error) && hk_spool_write (self, content, &error);
    } else {
        settle_headers (self, content);
        if (self->code != 0)
            return;
        hk_headers_complete (self);
        hk_headers_lay_out (self, content);
        self->file =
            hk_lane_file_new (self->intake->options.lane, self->envelope.queue_id, &error);
        ok = self->file != NULL && write_pieces (self, &error);
    }
    if (!ok)
        fail_store (self, error);
    /* What was written needs no memory for as long as the rest takes. */
    g_array_set_size (self->pieces, 0);
    g_byte_array_unref (self->content);
    self->content = g_byte_array_sized_new (FIRST_CONTENT);
}

static void
write_through (HkIncoming *self, HkSpan bytes)
{
    g_autoptr (GError) error = NULL;
    bool ok = self->file != NULL ? hk_lane_file_write (self->file, bytes, &error)
                                 : hk_spool_write (self, bytes, &error);
    if (!ok)
        fail_store (self, error);
    self->stored_size += bytes.size;
}

bool
hk_incoming_write (HkIncoming *self, HkSpan bytes)
{
    uint64_t limit = self->intake->size_limit;
    if (self->code != 0 || bytes.size == 0)
        return self->code == 0;
    self->size += bytes.size;
    if (limit > 0 && self->size > limit) {
        hk_incoming_fail (self, 552, "5.3.4", "Error: message file too big");
        return false;
    }
    hk_scan_feed (&self->scan, bytes);
    if (self->file != NULL || self->spool_fd >= 0) {
        write_through (self, bytes);
    } else {
        g_byte_array_append (self->content, bytes.data, (guint) bytes.size);
        if (self->content->len > HK_INTAKE_MEMORY)
            spill (self);
    }
    return self->code == 0;
}

/* ---- settling: any thread
 * ----------------------------------------------------------------------------- */

static void
settle_content (HkIncoming *self, HkSpan content)
{
    if (!self->has_facts)
        settle_headers (self, content);
    if (self->code != 0)
        return;
    if (self->file == NULL) {
        hk_headers_complete (self);
        hk_headers_lay_out (self, content);
        hk_incoming_run_filters (self, content);
    }
}

static void
settle_spooled (HkIncoming *self)
{
    g_autoptr (GError) error = NULL;
    if (!hk_spool_map (self, &error)) {
        fail_store (self, error);
        return;
    }
    settle_content (self, self->mapped);
}

static void
settle (void *data)
{
    HkIncoming *self = data;
    if (self->code == 0)
        hk_incoming_settle_envelope (self);
    if (self->code == 0 && self->spool_fd >= 0)
        settle_spooled (self);
    else if (self->code == 0)
        settle_content (self, hk_span (self->content->data, self->content->len));
}

/* ---- events
 * --------------------------------------------------------------------------------------------
 */

static void
emit_message_id (HkIncoming *self, HkSpan id)
{
    HkEvent event = {.kind = HK_EVENT_MESSAGE_ID, .agent = "cleanup", .level = HK_LOG_INFO};
    HkSpan message_id = self->facts.message_id;
    hk_event_text (&event, HK_PROP_QUEUE_ID, id);
    hk_event_text (&event, HK_PROP_MESSAGE_ID,
                   message_id.size > 0 ? message_id : HK_SPAN ("<>"));
    hk_events_emit (self->intake->options.events, &event);
}

/* "header Subject: … from C; from=<s> to=<r> proto=ESMTP helo=<h>: reason" */
static void
append_context (HkIncoming *self, GString *out)
{
    const HkEnvelope *e = &self->envelope;
    HkSpan client = self->log_client.size > 0 ? self->log_client : HK_SPAN ("local");
    g_string_append_printf (out, " from %.*s; from=<%.*s>", HK_SPAN_ARG (client),
                            HK_SPAN_ARG (e->sender));
    if (e->n_recipients > 0)
        g_string_append_printf (out, " to=<%.*s>", HK_SPAN_ARG (e->recipients[0].address));
    if (e->client_protocol.size > 0)
        g_string_append_printf (out, " proto=%.*s", HK_SPAN_ARG (e->client_protocol));
    if (e->client_helo.size > 0)
        g_string_append_printf (out, " helo=<%.*s>", HK_SPAN_ARG (e->client_helo));
}

static void
emit_note (HkIncoming *self, HkSpan id, const char *note)
{
    g_auto (GStrv) parts = g_strsplit (note, "\t", 2);
    g_autoptr (GString) text = g_string_new (NULL);
    HkEvent event = {.kind = HK_EVENT_CONTENT, .agent = "cleanup", .level = HK_LOG_INFO};
    /* The reason stands behind the last tab: a header may hold tabs of its own. */
    char *reason = strrchr (parts[1], '\t');
    *reason++ = '\0';
    g_string_append (text, parts[1]);
    append_context (self, text);
    if (*reason != '\0')
        g_string_append_printf (text, ": %s", reason);
    hk_event_text (&event, HK_PROP_QUEUE_ID, id);
    hk_event_text (&event, HK_PROP_STATUS, hk_span_text (parts[0]));
    hk_event_text (&event, HK_PROP_TEXT, hk_span_string (text));
    hk_events_emit (self->intake->options.events, &event);
}

static void
emit_events (HkIncoming *self)
{
    char text[HK_QUEUE_ID_TEXT];
    if (self->intake->options.events == NULL)
        return;
    HkSpan id = hk_span_text (hk_queue_id_format (self->envelope.queue_id, text));
    if (self->has_facts)
        emit_message_id (self, id);
    for (guint i = 0; self->notes != NULL && i < self->notes->len; i++)
        emit_note (self, id, g_ptr_array_index (self->notes, i));
}

/* ---- the end
 * ----------------------------------------------------------------------------------------------
 */

static void
tell (HkIncoming *self, const HkLocation *where)
{
    char id[HK_QUEUE_ID_TEXT], queued[64];
    HkIntakeOutcome outcome = {
        .code = self->code,
        .text = self->text,
        .is_discarded = self->is_discarded,
        .where = where,
        .envelope = hk_span (self->packed->data, self->packed->len),
        .content_size = self->stored_size,
        .id = self->envelope.queue_id,
    };
    g_strlcpy (outcome.dsn, self->dsn, sizeof outcome.dsn);
    if (self->code == 0) {
        outcome.code = 250;
        g_strlcpy (outcome.dsn, "2.0.0", sizeof outcome.dsn);
        g_snprintf (queued, sizeof queued, "Ok: queued as %s",
                    hk_queue_id_format (outcome.id, id));
        outcome.text = queued;
    }
    const HkIntakeOptions *options = &self->intake->options;
    if (!self->is_forgotten)
        self->fn (&outcome, self->data);
    else if (outcome.code == 250 && !self->is_discarded && options->orphan != NULL)
        options->orphan (&outcome, options->orphan_data);
    incoming_release (self);
}

static void
tell_posted (void *data)
{
    tell (data, NULL);
}

static void
stored (const HkLocation *where, const GError *error, void *data)
{
    HkIncoming *self = data;
    if (error != NULL)
        fail_store (self, error);
    tell (self, error == NULL ? where : NULL);
}

static void
pack (HkIncoming *self)
{
    self->envelope.content_flags = self->scan.flags;
    self->envelope.message_id = self->facts.message_id;
    /* RFC 8689 4.1: the option outweighs the header. */
    if (self->facts.is_tls_optional && !(self->envelope.flags & HK_ENVELOPE_REQUIRE_TLS))
        self->envelope.flags |= HK_ENVELOPE_TLS_OPTIONAL;
    hk_envelope_pack (&self->envelope, self->packed);
}

/* Content that filters have seen goes to its file only now. */
static bool
write_file (HkIncoming *self)
{
    g_autoptr (GError) error = NULL;
    self->stored_size = 0;
    self->file =
        hk_lane_file_new (self->intake->options.lane, self->envelope.queue_id, &error);
    if (self->file != NULL && write_pieces (self, &error))
        return true;
    fail_store (self, error);
    return false;
}

static size_t
pieces_size (const HkIncoming *self)
{
    size_t size = 0;
    for (guint i = 0; i < self->pieces->len; i++)
        size += g_array_index (self->pieces, HkSpan, i).size;
    return size;
}

static void
store (HkIncoming *self)
{
    HkLane *lane = self->intake->options.lane;
    bool is_large = self->file != NULL || pieces_size (self) > 2 * HK_INTAKE_MEMORY;
    if (is_large && self->file == NULL && !write_file (self)) {
        hk_loop_post (self->intake->options.loop, tell_posted, self);
        return;
    }
    pack (self);
    HkSpan packed = hk_span (self->packed->data, self->packed->len);
    if (is_large) {
        hk_lane_file_append (lane, g_steal_pointer (&self->file), packed, stored, self);
        return;
    }
    self->stored_size = pieces_size (self);
    hk_lane_append (lane, self->envelope.queue_id, packed,
                    (const HkSpan *) (const void *) self->pieces->data, self->pieces->len,
                    stored, self);
}

static void
settled (void *data)
{
    HkIncoming *self = data;
    emit_events (self);
    if (self->code != 0 || self->is_discarded)
        hk_loop_post (self->intake->options.loop, tell_posted, self);
    else
        store (self);
}

void
hk_incoming_finish (HkIncoming *self, HkIntakeDone fn, void *data)
{
    const HkIntake *intake = self->intake;
    self->fn = fn;
    self->data = data;
    if (self->code == 0 && intake->may_block && intake->options.workers != NULL) {
        hk_workers_run (intake->options.workers, settle, settled, self);
        return;
    }
    settle (self);
    settled (self);
}

void
hk_incoming_abandon (HkIncoming *self)
{
    incoming_release (self);
}

void
hk_incoming_forget (HkIncoming *self)
{
    self->is_forgotten = true;
}
