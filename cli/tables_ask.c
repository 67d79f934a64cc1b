/* tables_ask.c: asking tables: postmap -q KEY, -q - (lines or a message), -s. */
#include "config.h"

#include "cli/message_keys.h"
#include "cli/tables.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    char *spec;
    HkInstance *instance; /* NULL: nobody had to ask it yet */
} Open;

static void
clear_open (void *p)
{
    Open *open = p;
    g_free (open->spec);
    if (open->instance != NULL)
        hk_instance_unref (open->instance);
}

HkInstance *
hk_table_tool_open (HkTableTool *tool, const char *spec)
{
    g_autofree char *type = NULL, *file = NULL;
    g_autoptr (GError) error = NULL;
    hk_table_tool_split (tool, spec, &type, &file);
    if (*file == '\0') {
        hk_table_tool_fail (tool,
                            "open dictionary: expecting \"type:name\" form instead of "
                            "\"%s\"",
                            spec);
        return NULL;
    }
    HkInstance *table = hk_instance_open (tool->plugins, HK_KIND_LOOKUP, type,
                                          hk_span_text (file), tool->settings, &error);
    if (table == NULL)
        hk_table_tool_fail (tool, "%s", error->message);
    return table;
}

typedef struct {
    HkTableTool *tool;
    GArray *tables; /* Open */
    bool shows_key, found, failed;
    HkCall call; /* its buffers, and these two, serve all keys */
    GString *folded, *value;
} Query;

static void
query_clear (Query *self)
{
    hk_call_clear (&self->call);
    g_string_free (self->folded, TRUE);
    g_string_free (self->value, TRUE);
    g_array_unref (self->tables);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Query, query_clear)

/* What came back, as query->value.  False after a message. */
static bool
take_value (Query *query, const Open *open, HkSpan key)
{
    HkTableTool *tool = query->tool;
    const GString *answer = query->call.value;
    GString *out = query->value;
    g_string_truncate (out, 0);
    if (answer != NULL)
        g_string_append_len (out, answer->str, (gssize) answer->len);
    if (tool->wants_utf8 && !hk_table_tool_is_utf8 (hk_span_string (out))) {
        g_autofree char *shown = hk_table_tool_printable (hk_span_string (out));
        hk_table_tool_warn (tool,
                            "%s: key \"%.*s\": non-UTF-8 value \"%s\": malformed UTF-8 or "
                            "invalid codepoint",
                            open->spec, HK_SPAN_ARG (key), shown);
        return hk_table_tool_fail (tool, "table %s: query error", open->spec);
    }
    if (out->len == 0)
        hk_table_tool_warn (tool, "table %s: key %.*s: empty string result is not allowed",
                            open->spec, HK_SPAN_ARG (key));
    return true;
}

/* The key as the table wants it; false: it cannot be there. */
static bool
prepare_key (Query *query, const Open *open, const HkClass *cls, HkSpan *key)
{
    HkTableTool *tool = query->tool;
    if (tool->wants_utf8 && !hk_table_tool_is_utf8 (*key)) {
        g_autofree char *shown = hk_table_tool_printable (*key);
        hk_table_tool_warn (tool,
                            "%s: non-UTF-8 key \"%s\": malformed UTF-8 or invalid codepoint",
                            open->spec, shown);
        return false;
    }
    if (!tool->no_fold && (cls->flags & (HK_PATTERN_KEYS | HK_NESTED_KEYS)) == 0) {
        hk_key_fold (*key, query->folded);
        *key = hk_span_string (query->folded);
    }
    return (cls->flags & HK_BINARY_KEYS) != 0 || !hk_span_has_line_break (*key);
}

/* 1: found, query->value is replaced; 0: no; -1 after a message. */
static int
ask (Query *query, Open *open, HkSpan key)
{
    HkTableTool *tool = query->tool;
    HkCall *call = &query->call;
    if (open->instance == NULL)
        open->instance = hk_table_tool_open (tool, open->spec);
    if (open->instance == NULL)
        return -1;
    const HkClass *cls = hk_instance_class (open->instance);
    if (!prepare_key (query, open, cls, &key))
        return 0;
    hk_call_reset (call);
    call->key = (HkKey){.bytes = key, .is_exact = tool->no_fold};
    hk_instance_enter (open->instance);
    HkAnswer answer = ((const HkLookupClass *) (const void *) cls)
                          ->get (hk_instance_pointer (open->instance), call, key);
    hk_instance_leave (open->instance);
    if (answer == HK_FOUND)
        return take_value (query, open, key) ? 1 : -1;
    if (answer == HK_ABSENT)
        return 0;
    hk_table_tool_fail (tool, "table %s: query error: %s", open->spec,
                        call->reason != NULL ? call->reason->str : "unknown answer");
    return -1;
}

/* -F: the values are base64.  False after a warning. */
static bool
decode (HkTableTool *tool, const char *spec, HkSpan key, GString *value)
{
    gsize size = 0;
    if (!tool->file_values || value->len == 0)
        return true;
    g_autofree guchar *data = g_base64_decode (value->str, &size);
    g_autofree char *again = g_base64_encode (data, size);
    if (strcmp (again, value->str) != 0) {
        hk_table_tool_warn (tool, "table %s: key %.*s: malformed BASE64 value: %.100s",
                            spec, HK_SPAN_ARG (key), value->str);
        return false;
    }
    g_string_truncate (value, 0);
    g_string_append_len (value, (const char *) data, (gssize) size);
    return true;
}

static void
ask_all (Query *query, HkSpan key)
{
    const char *separator = query->tool->syntax->separator;
    GString *value = query->value;
    for (guint i = 0; i < query->tables->len && !query->failed; i++) {
        Open *open = &g_array_index (query->tables, Open, i);
        int got = ask (query, open, key);
        query->failed = got < 0;
        if (got > 0 && !decode (query->tool, open->spec, key, value))
            query->failed =
                !hk_table_tool_fail (query->tool, "table %s: query error", open->spec);
        if (got <= 0 || query->failed)
            continue;
        query->found = true;
        if (query->shows_key) {
            fwrite (key.data, 1, key.size, stdout);
            fputs (separator, stdout);
        }
        fwrite (value->str, 1, value->len, stdout);
        putchar ('\n');
        return;
    }
}

/* Lines of standard input.  Before waiting for more, what was answered is handed out: the
 * other side may wait for it, to ask on. */
typedef struct {
    GString *text;
    size_t at;
    bool is_over;
} Input;

static bool
read_more (Input *input)
{
    char block[65536];
    ssize_t n;
    fflush (stdout);
    do
        n = read (STDIN_FILENO, block, sizeof block);
    while (n < 0 && errno == EINTR);
    input->is_over = n <= 0;
    g_string_erase (input->text, 0, (gssize) input->at);
    input->at = 0;
    if (n > 0)
        g_string_append_len (input->text, block, n);
    return n > 0;
}

/* One line without its end; OUT is good until the next.  False: no more. */
static bool
read_line (Input *input, HkSpan *out)
{
    size_t scanned = 0;
    for (;;) {
        HkSpan rest = hk_span_sub (hk_span_string (input->text), input->at, SIZE_MAX);
        size_t end = hk_span_find (rest, '\n', scanned);
        if (end < rest.size || (input->is_over && rest.size > 0)) {
            *out = hk_span_sub (rest, 0, end);
            input->at += end < rest.size ? end + 1 : rest.size;
            return true;
        }
        scanned = rest.size;
        if (input->is_over || (!read_more (input) && scanned == 0))
            return false;
    }
}

/* A key of a message; an error ends the asking, not the reading. */
static void
ask_part (HkSpan key, bool is_header, void *data)
{
    Query *query = data;
    if (!query->failed && (is_header ? query->tool->header_keys : query->tool->body_keys))
        ask_all (query, key);
}

static void
ask_message (Query *query)
{
    HkMessageKeys *keys = hk_message_keys_new (query->tool->mime_keys, ask_part, query);
    g_autoptr (GString) lines = g_string_new (NULL);
    Input input = {.text = lines};
    HkSpan text;
    while (!query->failed && read_line (&input, &text))
        hk_message_keys_line (keys, text);
    hk_message_keys_end (keys);
}

static void
ask_lines (Query *query)
{
    g_autoptr (GString) lines = g_string_new (NULL);
    Input input = {.text = lines};
    HkSpan text;
    while (!query->failed && read_line (&input, &text))
        ask_all (query, text);
}

int
hk_table_tool_query (HkTableTool *tool, char **specs)
{
    g_auto (Query) query = {.tool = tool,
                            .tables = g_array_new (FALSE, FALSE, sizeof (Open)),
                            .shows_key = strcmp (tool->query, "-") == 0,
                            .folded = g_string_new (NULL),
                            .value = g_string_new (NULL)};
    g_array_set_clear_func (query.tables, clear_open);
    hk_call_init (&query.call, NULL, NULL);
    for (; *specs != NULL; specs++) {
        Open open = {g_strdup (*specs), NULL};
        /* As Postfix: one key does not need the tables behind the one that has it. */
        if (query.shows_key)
            open.instance = hk_table_tool_open (tool, *specs);
        g_array_append_val (query.tables, open);
        if (query.shows_key && open.instance == NULL)
            return 1;
    }
    if (!query.shows_key)
        ask_all (&query, hk_span_text (tool->query));
    else if (tool->header_keys || tool->body_keys)
        ask_message (&query);
    else
        ask_lines (&query);
    return query.found && !query.failed ? 0 : 1;
}

typedef struct {
    HkTableTool *tool;
    const char *spec;
} Show;

static bool
show_pair (HkSpan key, HkSpan value, void *data)
{
    Show *show = data;
    g_autoptr (GString) text =
        g_string_new_len ((const char *) value.data, (gssize) value.size);
    if (!decode (show->tool, show->spec, key, text))
        return true; /* the rest may be readable */
    printf ("%.*s%s", HK_SPAN_ARG (key), show->tool->syntax->separator);
    fwrite (text->str, 1, text->len, stdout);
    putchar ('\n');
    return true;
}

int
hk_table_tool_sequence (HkTableTool *tool, char **specs)
{
    for (; *specs != NULL; specs++) {
        g_autoptr (GError) error = NULL;
        Show show = {tool, *specs};
        g_autoptr (HkInstance) table = hk_table_tool_open (tool, *specs);
        if (table == NULL)
            return 1;
        if (!hk_table_walk (table, show_pair, &show, &error)) {
            hk_table_tool_fail (tool, "table %s: %s", *specs, error->message);
            return 1;
        }
    }
    return 0;
}
