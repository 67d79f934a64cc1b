/* edits.c: the journal of what filters change, and the content made anew from it. */
#include "intake/intake_priv.h"

#include "mail/header.h"

/* What filters put in must not grow without bound: a replaced body is held in memory. */
#define MAX_EDIT ((size_t) 64 << 20)

typedef struct {
    HkHeader header;
    GString *before;      /* inserted in front; NULL: nothing */
    GString *replacement; /* NULL: as it was */
} Item;

typedef enum {
    EDIT_ADD_RECIPIENT,
    EDIT_DELETE_RECIPIENT,
    EDIT_SENDER,
    EDIT_REDIRECT,
    EDIT_FILTER
} EnvelopeEditKind;
typedef struct {
    EnvelopeEditKind kind;
    HkSpan value; /* in the arena */
} EnvelopeEdit;

struct HkEdits {
    GArray *items; /* Item: the trace headers, then the message's own */
    GString *at_end;
    GByteArray *body; /* NULL: as it was */
    GArray *envelope; /* EnvelopeEdit */
    GString *header;  /* the new header section */
    HkSpan content, old_body;
    bool has_changes; /* of the content */
};

static void
item_clear (void *data)
{
    Item *item = data;
    if (item->before != NULL)
        g_string_free (item->before, TRUE);
    if (item->replacement != NULL)
        g_string_free (item->replacement, TRUE);
}

static void
add_items (GArray *items, HkSpan section)
{
    Item item = {.before = NULL};
    size_t at = 0;
    while (hk_header_next (section, &at, &item.header))
        g_array_append_val (items, item);
}

/* Where the body is: behind the header section and the empty line. */
static HkSpan
body_of (HkSpan content, size_t header_end)
{
    HkSpan rest = hk_span_sub (content, header_end, content.size);
    if (rest.size > 1 && rest.data[0] == '\r' && rest.data[1] == '\n')
        return hk_span_sub (rest, 2, rest.size);
    if (rest.size > 0 && rest.data[0] == '\n')
        return hk_span_sub (rest, 1, rest.size);
    return rest;
}

void
hk_edits_begin (HkIncoming *self, HkSpan content)
{
    HkEdits *edits = g_new0 (HkEdits, 1);
    edits->items = g_array_new (FALSE, TRUE, sizeof (Item));
    g_array_set_clear_func (edits->items, item_clear);
    edits->envelope = g_array_new (FALSE, TRUE, sizeof (EnvelopeEdit));
    edits->at_end = g_string_new (NULL);
    edits->header = g_string_new (NULL);
    edits->content = content;
    edits->old_body = body_of (content, self->facts.end);
    add_items (edits->items, self->received);
    add_items (edits->items, hk_span_sub (content, 0, self->facts.end));
    self->edits = edits;
}

void
hk_edits_free (HkEdits *self)
{
    g_array_unref (self->items);
    g_array_unref (self->envelope);
    g_string_free (self->at_end, TRUE);
    g_string_free (self->header, TRUE);
    if (self->body != NULL)
        g_byte_array_unref (self->body);
    g_free (self);
}

size_t
hk_edits_n_headers (const HkEdits *self)
{
    return self->items->len;
}

const HkHeader *
hk_edits_header (const HkEdits *self, size_t i)
{
    return &g_array_index (self->items, Item, i).header;
}

HkSpan
hk_edits_body (const HkEdits *self)
{
    return self->old_body;
}

/* ---- text that plugins give
 * ------------------------------------------------------------------- */

/* Append TEXT as whole lines with CRLF; empty lines would end the header section: they go.
 * With FOLD, a line after the first that does not begin with a blank gets one. */
static void
append_lines (GString *out, HkSpan text, bool fold)
{
    bool is_first = true;
    for (size_t at = 0; at < text.size;) {
        size_t end = hk_span_find (text, '\n', at);
        HkSpan line = hk_span_sub (text, at, end - at);
        while (line.size > 0 && line.data[line.size - 1] == '\r')
            line.size--;
        at = end + 1;
        if (line.size == 0)
            continue;
        if (fold && !is_first && line.data[0] != ' ' && line.data[0] != '\t')
            g_string_append_c (out, '\t');
        for (size_t i = 0; i < line.size; i++)
            g_string_append_c (out, line.data[i] == '\r' || line.data[i] == '\0'
                                        ? ' '
                                        : (char) line.data[i]);
        g_string_append (out, "\r\n");
        is_first = false;
    }
}

static bool
is_header_name (HkSpan name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~' || name.data[i] == ':')
            return false;
    return name.size > 0;
}

static void
append_header (GString *out, HkSpan name, HkSpan value)
{
    g_autoptr (GString) text = g_string_sized_new (name.size + value.size + 4);
    hk_string_append (text, name);
    g_string_append_c (text, ':');
    if (value.size > 0 && value.data[0] != ' ' && value.data[0] != '\t')
        g_string_append_c (text, ' ');
    hk_string_append (text, value);
    append_lines (out, hk_span_string (text), true);
}

/* ---- the host's services for filters
 * ---------------------------------------------------------- */

static HkEdits *
edits_of (HkCall *call)
{
    HkIncoming *self = call->subject;
    return self->edits;
}

static HkAnswer
op_header_add (HkCall *call, int32_t position, HkSpan name, HkSpan value)
{
    HkEdits *self = edits_of (call);
    if (self == NULL || !is_header_name (name) || value.size > MAX_EDIT)
        return HK_BROKEN;
    GString *out = self->at_end;
    if (position >= 0 && (guint) position < self->items->len) {
        Item *item = &g_array_index (self->items, Item, position);
        if (item->before == NULL)
            item->before = g_string_new (NULL);
        out = item->before;
    }
    append_header (out, name, value);
    self->has_changes = true;
    return HK_OK;
}

static GString *
replacement_of (HkEdits *self, Item *item)
{
    if (item->replacement == NULL)
        item->replacement = g_string_new (NULL);
    g_string_truncate (item->replacement, 0);
    self->has_changes = true;
    return item->replacement;
}

static HkAnswer
op_header_set (HkCall *call, HkSpan name, uint32_t index, HkSpan value)
{
    HkEdits *self = edits_of (call);
    uint32_t n = 0;
    if (self == NULL || !is_header_name (name) || value.size > MAX_EDIT)
        return HK_BROKEN;
    for (guint i = 0; i < self->items->len; i++) {
        Item *item = &g_array_index (self->items, Item, i);
        if (!hk_span_equal_ci (item->header.name, name) || ++n != index)
            continue;
        GString *out = replacement_of (self, item);
        if (value.size > 0)
            append_header (out, name, value);
        return HK_OK;
    }
    return value.size > 0 ? op_header_add (call, -1, name, value) : HK_ABSENT;
}

static HkAnswer
op_header_lines (HkCall *call, uint32_t position, HkSpan text)
{
    HkEdits *self = edits_of (call);
    if (self == NULL || text.size > MAX_EDIT)
        return HK_BROKEN;
    if (position >= self->items->len)
        return HK_ABSENT;
    append_lines (replacement_of (self, &g_array_index (self->items, Item, position)), text,
                  false);
    return HK_OK;
}

static HkAnswer
op_body (HkCall *call, HkSpan chunk)
{
    HkEdits *self = edits_of (call);
    if (self == NULL)
        return HK_BROKEN;
    if (self->body == NULL)
        self->body = g_byte_array_new ();
    if (chunk.size > MAX_EDIT - MIN (self->body->len, MAX_EDIT))
        return HK_BROKEN;
    g_byte_array_append (self->body, chunk.data, (guint) chunk.size);
    self->has_changes = true;
    return HK_OK;
}

static HkAnswer
add_envelope_edit (HkCall *call, EnvelopeEditKind kind, HkSpan value)
{
    HkIncoming *incoming = call->subject;
    if (incoming->edits == NULL || hk_span_has_line_break (value))
        return HK_BROKEN;
    EnvelopeEdit edit = {kind, hk_arena_copy (incoming->arena, value)};
    g_array_append_val (incoming->edits->envelope, edit);
    return HK_OK;
}

static HkAnswer
op_recipient_add (HkCall *call, HkSpan address)
{
    return add_envelope_edit (call, EDIT_ADD_RECIPIENT, address);
}

static HkAnswer
op_recipient_delete (HkCall *call, HkSpan address)
{
    return add_envelope_edit (call, EDIT_DELETE_RECIPIENT, address);
}

static HkAnswer
op_sender (HkCall *call, HkSpan address)
{
    return add_envelope_edit (call, EDIT_SENDER, address);
}

static HkAnswer
op_redirect (HkCall *call, HkSpan address)
{
    return add_envelope_edit (call, EDIT_REDIRECT, address);
}

static HkAnswer
op_filter (HkCall *call, HkSpan destination)
{
    if (hk_span_find (destination, ':', 0) == destination.size)
        return HK_BROKEN;
    return add_envelope_edit (call, EDIT_FILTER, destination);
}

static HkAnswer
op_hold (HkCall *call, HkSpan reason)
{
    HkIncoming *self = call->subject;
    self->envelope.flags |= HK_ENVELOPE_HOLD;
    self->envelope.hold_reason = hk_arena_copy (self->arena, reason);
    return HK_OK;
}

static HkAnswer
op_note (HkCall *call, const char *status, HkSpan what, HkSpan reason)
{
    HkIncoming *self = call->subject;
    if (self->notes == NULL)
        self->notes = g_ptr_array_new_with_free_func (g_free);
    char *note = g_strdup_printf ("%s\t%.*s\t%.*s", status, HK_SPAN_ARG (what),
                                  HK_SPAN_ARG (reason));
    g_ptr_array_add (self->notes, note);
    return HK_OK;
}

/* ---- content and properties
 * ------------------------------------------------------------------- */

static uint64_t
op_content_size (HkCall *call)
{
    HkEdits *self = edits_of (call);
    return self == NULL ? 0 : self->content.size;
}

static HkAnswer
op_content_read (HkCall *call, uint64_t offset, void *buffer, size_t size, size_t *out_size)
{
    HkEdits *self = edits_of (call);
    if (self == NULL)
        return HK_BROKEN;
    HkSpan part = hk_span_sub (self->content, offset, size);
    if (part.size > 0)
        memcpy (buffer, part.data, part.size);
    *out_size = part.size;
    return HK_OK;
}

static HkAnswer
op_content_map (HkCall *call, HkSpan *out)
{
    HkEdits *self = edits_of (call);
    if (self == NULL)
        return HK_BROKEN;
    *out = self->content;
    return HK_OK;
}

static HkAnswer
op_prop (HkCall *call, uint32_t id, HkSpan *out)
{
    const HkIncoming *self = call->subject;
    const HkEnvelope *e = &self->envelope;
    const HkSpan *const fields[] = {
        [HK_PROP_CLIENT_ADDRESS] = &e->client_address,
        [HK_PROP_CLIENT_NAME] = &e->client_name,
        [HK_PROP_HELO_NAME] = &e->client_helo,
        [HK_PROP_PROTOCOL] = &e->client_protocol,
        [HK_PROP_SENDER] = &e->sender,
        [HK_PROP_SASL_METHOD] = &e->sasl_method,
        [HK_PROP_SASL_USERNAME] = &e->sasl_username,
        [HK_PROP_SASL_SENDER] = &e->sasl_sender,
        [HK_PROP_ENVID] = &e->envid,
        [HK_PROP_MESSAGE_ID] = &self->facts.message_id,
    };
    if (id == HK_PROP_QUEUE_ID) {
        char text[HK_QUEUE_ID_TEXT];
        hk_queue_id_format (e->queue_id, text);
        *out = hk_arena_copy (self->arena, hk_span_text (text));
        return HK_FOUND;
    }
    if (id >= G_N_ELEMENTS (fields) || fields[id] == NULL)
        return HK_ABSENT;
    if (fields[id]->size == 0 && id != HK_PROP_SENDER)
        return HK_ABSENT;
    *out = *fields[id];
    return HK_FOUND;
}

static HkAnswer
op_prop_int (HkCall *call, uint32_t id, int64_t *out)
{
    const HkIncoming *self = call->subject;
    switch (id) {
    case HK_PROP_SIZE:
        *out = (int64_t) self->size;
        return HK_FOUND;
    case HK_PROP_RECIPIENT_COUNT:
        *out = (int64_t) self->envelope.n_recipients;
        return HK_FOUND;
    case HK_PROP_ARRIVAL_US:
        *out = self->envelope.arrival_us;
        return HK_FOUND;
    case HK_PROP_SMTPUTF8:
        *out = (self->envelope.flags & HK_ENVELOPE_SMTPUTF8) != 0;
        return HK_FOUND;
    case HK_PROP_CONTENT_FLAGS:
        *out = self->scan.flags;
        return HK_FOUND;
    default:
        return HK_ABSENT;
    }
}

const HkCallOps hk_intake_call_ops = {
    .prop = op_prop,
    .prop_int = op_prop_int,
    .content_size = op_content_size,
    .content_read = op_content_read,
    .content_map = op_content_map,
    .edit_header_add = op_header_add,
    .edit_header_set = op_header_set,
    .edit_header_lines = op_header_lines,
    .edit_body = op_body,
    .edit_recipient_add = op_recipient_add,
    .edit_recipient_delete = op_recipient_delete,
    .edit_sender = op_sender,
    .edit_redirect = op_redirect,
    .edit_filter = op_filter,
    .edit_hold = op_hold,
    .content_note = op_note,
};

/* ---- applying
 * --------------------------------------------------------------------------------- */

static void
apply_envelope (HkIncoming *self, const EnvelopeEdit *edit)
{
    switch (edit->kind) {
    case EDIT_ADD_RECIPIENT:
        hk_incoming_add_recipient (self, edit->value);
        break;
    case EDIT_DELETE_RECIPIENT:
        hk_incoming_delete_recipient (self, edit->value);
        break;
    case EDIT_SENDER:
        self->envelope.sender = hk_standard_form (self, edit->value);
        break;
    case EDIT_REDIRECT:
        self->envelope.redirect = edit->value;
        break;
    case EDIT_FILTER:
        self->envelope.content_filter = edit->value;
        break;
    }
}

static void
write_header (HkEdits *self)
{
    for (guint i = 0; i < self->items->len; i++) {
        const Item *item = &g_array_index (self->items, Item, i);
        if (item->before != NULL)
            hk_string_append (self->header, hk_span_string (item->before));
        if (item->replacement != NULL)
            hk_string_append (self->header, hk_span_string (item->replacement));
        else
            hk_string_append (self->header, item->header.whole);
    }
    hk_string_append (self->header, hk_span_string (self->at_end));
}

static void
apply_content (HkIncoming *self)
{
    HkEdits *edits = self->edits;
    HkSpan body = edits->body != NULL ? hk_span (edits->body->data, edits->body->len)
                                      : edits->old_body;
    HkSpan empty_line = HK_SPAN ("\r\n");
    write_header (edits);
    self->received = HK_SPAN_NONE; /* it is in the header now */
    if (self->added != NULL)
        g_string_truncate (self->added, 0);
    hk_headers_walk (self, hk_span_string (edits->header));
    hk_headers_complete (self);
    hk_headers_lay_out (self, hk_span_string (edits->header));
    g_array_append_val (self->pieces, empty_line);
    if (body.size > 0)
        g_array_append_val (self->pieces, body);
    self->scan = (HkScan){0};
    for (guint i = 0; i < self->pieces->len; i++)
        hk_scan_feed (&self->scan, g_array_index (self->pieces, HkSpan, i));
}

void
hk_edits_apply (HkIncoming *self)
{
    HkEdits *edits = self->edits;
    for (guint i = 0; i < edits->envelope->len; i++)
        apply_envelope (self, &g_array_index (edits->envelope, EnvelopeEdit, i));
    hk_incoming_redirect (self);
    if (edits->has_changes)
        apply_content (self);
    if (self->envelope.n_recipients == 0)
        self->is_discarded = true; /* a filter took the last one away */
}
