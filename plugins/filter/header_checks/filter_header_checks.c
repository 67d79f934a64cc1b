/* filter_header_checks.c: header_checks, mime_header_checks, nested_header_checks and
 * body_checks: what tables say about single lines of a message.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "filter_header_checks.h"

#include <string.h>

/* ---- the instance
 * --------------------------------------------------------------------------- */

static const char *const table_params[FILTER_HEADER_CHECKS_N] = {
    [FILTER_HEADER_CHECKS_HEADER] = "header_checks",
    [FILTER_HEADER_CHECKS_MIME] = "mime_header_checks",
    [FILTER_HEADER_CHECKS_NESTED] = "nested_header_checks",
    [FILTER_HEADER_CHECKS_BODY] = "body_checks",
};

static void
checks_close (void *instance)
{
    Checks *self = instance;
    for (int i = 0; i < FILTER_HEADER_CHECKS_N; i++)
        if (self->tables[i] != NULL)
            self->host->table_close (self->tables[i]);
    g_free (self);
}

static HkAnswer
open_tables (Checks *self, const HkConf *conf, HkCall *call)
{
    for (int i = 0; i < FILTER_HEADER_CHECKS_N; i++) {
        HkSpan specs = self->host->conf_string (conf, table_params[i]);
        if (specs.size == 0)
            continue;
        HkAnswer answer =
            self->host->table_open (self->host, call, specs, &self->tables[i]);
        if (answer != HK_OK) {
            self->tables[i] = NULL;
            return answer;
        }
    }
    return HK_OK;
}

static HkAnswer
checks_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    Checks *self = g_new0 (Checks, 1);
    self->host = host;
    self->body_limit = (uint64_t) host->conf_int (conf, "body_checks_size_limit");
    self->depth_limit = (unsigned) host->conf_int (conf, "mime_nesting_limit");
    self->boundary_limit = (unsigned) host->conf_int (conf, "mime_boundary_length_limit");
    self->has_mime = host->conf_int (conf, "disable_mime_input_processing") == 0;
    HkAnswer answer = open_tables (self, conf, call);
    if (answer != HK_OK) {
        checks_close (self);
        return answer;
    }
    *out_instance = self;
    return HK_OK;
}

/* ---- a message
 * ------------------------------------------------------------------------------- */

static void
edit_clear (void *data)
{
    ChecksEdit *edit = data;
    g_free (edit->text);
}

static HkAnswer
checks_message_begin (void *instance, void *session, HkCall *call, void **out_message)
{
    const Checks *checks = instance;
    bool is_wanted = false;
    (void) session;
    (void) call;
    for (int i = 0; i < FILTER_HEADER_CHECKS_N; i++)
        is_wanted |= checks->tables[i] != NULL;
    if (!is_wanted)
        return HK_PERMIT;
    ChecksMessage *self = g_new0 (ChecksMessage, 1);
    self->checks = checks;
    filter_header_checks_mime_init (&self->mime, checks->depth_limit,
                                    checks->boundary_limit);
    self->line = g_string_new (NULL);
    self->header = g_string_new (NULL);
    self->edits = g_array_new (FALSE, TRUE, sizeof (ChecksEdit));
    g_array_set_clear_func (self->edits, edit_clear);
    *out_message = self;
    return HK_DUNNO;
}

static void
checks_message_end (void *instance, void *message)
{
    ChecksMessage *self = message;
    (void) instance;
    if (self == NULL)
        return;
    filter_header_checks_mime_clear (&self->mime);
    g_string_free (self->line, TRUE);
    g_string_free (self->header, TRUE);
    g_array_unref (self->edits);
    g_free (self);
}

/* Tables see folded headers as lines parted by LF. */
static GString *
header_text (HkSpan name, HkSpan value)
{
    GString *text = g_string_sized_new (name.size + value.size + 2);
    g_string_append_len (text, (const char *) name.data, (gssize) name.size);
    g_string_append_c (text, ':');
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] != '\r' || i + 1 == value.size || value.data[i + 1] != '\n')
            g_string_append_c (text, (char) value.data[i]);
    return text;
}

static HkAnswer
checks_header (void *instance, void *message, HkCall *call, uint32_t index, HkSpan name,
               HkSpan value)
{
    ChecksMessage *self = message;
    (void) instance;
    if (self->is_passed)
        return HK_DUNNO;
    g_autoptr (GString) text = header_text (name, value);
    ChecksLine line = {.message = self,
                       .call = call,
                       .text = {(const uint8_t *) text->str, text->len},
                       .is_header = true,
                       .is_primary = true,
                       .position = index};
    filter_header_checks_mime_header (&self->mime, name, value);
    bool is_mime = self->checks->has_mime && filter_header_checks_is_mime (name);
    return filter_header_checks_check (&line, is_mime ? FILTER_HEADER_CHECKS_MIME
                                                      : FILTER_HEADER_CHECKS_HEADER);
}

/* ---- the body, line by line
 * ------------------------------------------------------------------- */

/* The logical header that was being gathered is complete. */
static HkAnswer
flush_header (ChecksMessage *self, HkCall *call)
{
    if (self->header->len == 0)
        return HK_DUNNO;
    HkSpan text = {(const uint8_t *) self->header->str, self->header->len};
    size_t n = filter_header_checks_name (text);
    HkSpan name = {text.data, n}, value = {text.data + n + 1, text.size - n - 1};
    ChecksLine line = {.message = self,
                       .call = call,
                       .text = text,
                       .is_header = true,
                       .offset = self->header_at,
                       .size = self->at - self->header_at};
    bool is_nested =
        self->mime.state == MIME_IN_NESTED_HEADER && !filter_header_checks_is_mime (name);
    filter_header_checks_mime_header (&self->mime, name, value);
    HkAnswer answer = filter_header_checks_check (
        &line, is_nested ? FILTER_HEADER_CHECKS_NESTED : FILTER_HEADER_CHECKS_MIME);
    g_string_truncate (self->header, 0);
    return answer;
}

/* One line of text, in pieces if it is long. */
static HkAnswer
check_text (ChecksMessage *self, HkCall *call, HkSpan text, uint64_t whole_size)
{
    HkAnswer answer = HK_DUNNO;
    size_t at = 0;
    do {
        size_t size = MIN (text.size - at, FILTER_HEADER_CHECKS_LINE);
        bool is_last = at + size == text.size;
        ChecksLine line = {.message = self,
                           .call = call,
                           .text = {text.data + at, size},
                           .offset = self->at + at,
                           .size = is_last ? whole_size - at : size};
        if (self->segment < self->checks->body_limit)
            answer = filter_header_checks_check (&line, FILTER_HEADER_CHECKS_BODY);
        self->segment += size;
        at += size;
    } while (at < text.size && answer == HK_DUNNO);
    return answer;
}

/* A line of a header section inside the body; false: it is none, and the section has ended.
 */
static bool
take_header_line (ChecksMessage *self, HkCall *call, HkSpan text, HkAnswer *out)
{
    if (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t') &&
        self->header->len > 0) {
        g_string_append_c (self->header, '\n');
        g_string_append_len (self->header, (const char *) text.data, (gssize) text.size);
        return true;
    }
    *out = flush_header (self, call);
    if (filter_header_checks_name (text) == 0) {
        filter_header_checks_mime_end_header (&self->mime);
        self->segment = 0;
        return text.size == 0; /* the empty line belongs to the section */
    }
    g_string_append_len (self->header, (const char *) text.data, (gssize) text.size);
    self->header_at = self->at;
    return true;
}

static HkAnswer
take_line (ChecksMessage *self, HkCall *call)
{
    HkSpan text = {(const uint8_t *) self->line->str, self->line->len};
    uint64_t whole_size = text.size;
    HkAnswer answer = HK_DUNNO;
    if (text.size > 0 && text.data[text.size - 1] == '\n')
        text.size--;
    if (text.size > 0 && text.data[text.size - 1] == '\r')
        text.size--;
    if (self->checks->has_mime && self->mime.boundaries->len > 0 && text.size > 2 &&
        text.data[0] == '-' && text.data[1] == '-') {
        HkAnswer before = flush_header (self, call);
        if (filter_header_checks_mime_boundary (&self->mime, text))
            self->segment = 0;
        answer = before != HK_DUNNO ? before : check_text (self, call, text, whole_size);
    } else if (self->mime.state == MIME_IN_BODY ||
               !take_header_line (self, call, text, &answer)) {
        if (answer == HK_DUNNO)
            answer = check_text (self, call, text, whole_size);
    }
    self->at += whole_size;
    g_string_truncate (self->line, 0);
    return answer;
}

/* The message's own header section is over when the body begins. */
static void
begin_body (ChecksMessage *self)
{
    if (self->at > 0 || self->line->len > 0)
        return;
    if (self->checks->has_mime)
        filter_header_checks_mime_end_header (&self->mime);
    else
        self->mime.state = MIME_IN_BODY;
}

static HkAnswer
checks_body (void *instance, void *message, HkCall *call, HkSpan chunk)
{
    ChecksMessage *self = message;
    HkAnswer answer = HK_DUNNO;
    (void) instance;
    begin_body (self);
    while (chunk.size > 0 && answer == HK_DUNNO) {
        const uint8_t *lf = memchr (chunk.data, '\n', chunk.size);
        size_t size = lf == NULL ? chunk.size : (size_t) (lf - chunk.data) + 1;
        g_string_append_len (self->line, (const char *) chunk.data, (gssize) size);
        chunk.data += size;
        chunk.size -= size;
        if (lf != NULL)
            answer = take_line (self, call);
    }
    return answer;
}

/* ---- the end
 * ----------------------------------------------------------------------------------- */

/* Give the body anew, with the edits in their places. */
static HkAnswer
write_body (ChecksMessage *self, HkCall *call)
{
    const HkHost *host = self->checks->host;
    HkSpan content;
    uint64_t done = 0;
    HkAnswer answer = host->content_map (call, &content);
    if (answer != HK_OK || content.size < self->at)
        return answer != HK_OK ? answer : HK_BROKEN;
    const uint8_t *body = content.data + (content.size - self->at);
    for (guint i = 0; i < self->edits->len && answer == HK_OK; i++) {
        const ChecksEdit *edit = &g_array_index (self->edits, ChecksEdit, i);
        HkSpan kept = {body + done, edit->offset - done};
        HkSpan text = {(const uint8_t *) edit->text, strlen (edit->text)};
        answer = host->edit_body (call, kept);
        if (answer == HK_OK)
            answer = host->edit_body (call, text);
        done = edit->offset + edit->size;
    }
    HkSpan rest = {body + done, self->at - done};
    return answer == HK_OK ? host->edit_body (call, rest) : answer;
}

static HkAnswer
checks_commit (void *instance, void *message, HkCall *call)
{
    ChecksMessage *self = message;
    (void) instance;
    HkAnswer answer = self->line->len > 0 ? take_line (self, call) : HK_DUNNO;
    if (answer == HK_DUNNO)
        answer = flush_header (self, call);
    if (answer != HK_DUNNO || self->edits->len == 0)
        return answer;
    answer = write_body (self, call);
    return answer == HK_OK ? HK_DUNNO : answer;
}

/* ---- the descriptor
 * ------------------------------------------------------------------------------ */

#define MAPS_PARAM(n, p, h)                                                                \
    {                                                                                      \
        .name = n, .type = HK_PARAM_STRING, .flags = HK_PARAM_RELOADABLE, .preset = p,     \
        .help = h                                                                          \
    }

static const HkParam checks_params[] = {
    MAPS_PARAM ("header_checks", "", "Tables for the headers of a message."),
    MAPS_PARAM ("mime_header_checks", "$header_checks", "Tables for MIME headers."),
    MAPS_PARAM ("nested_header_checks", "$header_checks",
                "Tables for the headers of attached messages."),
    MAPS_PARAM ("body_checks", "", "Tables for the lines of the body."),
    {.name = "body_checks_size_limit",
     .type = HK_PARAM_INT,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "51200",
     .min = 0,
     .max = INT32_MAX,
     .help = "Bytes of each body part that body_checks sees."},
    {.name = "mime_nesting_limit",
     .type = HK_PARAM_INT,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "100",
     .min = 1,
     .max = 10000,
     .help = "Deepest nesting of MIME parts."},
    {.name = "mime_boundary_length_limit",
     .type = HK_PARAM_INT,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "2048",
     .min = 1,
     .max = 65536,
     .help = "Bytes by which MIME boundaries are told apart."},
    {.name = "disable_mime_input_processing",
     .type = HK_PARAM_BOOL,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "no",
     .help = "Treat everything behind the header as text."},
    {.name = NULL},
};

static const HkFilterClass header_checks_class = {
    .base = {.size = sizeof (HkFilterClass),
             .kind = HK_KIND_FILTER,
             .class_minor = HK_FILTER_MINOR,
             .name = "header_checks",
             .flags = HK_THREAD_SAFE,
             .params = checks_params,
             .open = checks_open,
             .close = checks_close},
    .message_begin = checks_message_begin,
    .header = checks_header,
    .body = checks_body,
    .commit = checks_commit,
    .message_end = checks_message_end,
};

HK_PLUGIN (filter_header_checks, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "header_checks, body_checks: decisions about single lines",
           .classes = HK_CLASSES (&header_checks_class.base))
