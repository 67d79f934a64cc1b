/* tables_ask.c: asking tables: postmap -q KEY, -q - (lines or a message), -s. */
#include "config.h"

#include "cli/tables.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    char *spec;
    HkInstance *instance;
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

/* 1: found, OUT is replaced; 0: no; -1 after a message. */
static int
ask (HkTableTool *tool, const Open *open, HkSpan key, GString *out)
{
    const HkClass *cls = hk_instance_class (open->instance);
    g_autoptr (GString) folded = g_string_new (NULL);
    HkCall call;
    int found = 0;
    if (!tool->no_fold && (cls->flags & HK_PATTERN_KEYS) == 0) {
        hk_key_fold (key, folded);
        key = hk_span_string (folded);
    }
    if (key.size == 0 ||
        ((cls->flags & HK_BINARY_KEYS) == 0 && hk_span_has_line_break (key)))
        return 0;
    hk_call_init (&call, NULL, NULL);
    hk_instance_enter (open->instance);
    HkAnswer answer = ((const HkLookupClass *) (const void *) cls)
                          ->get (hk_instance_pointer (open->instance), &call, key);
    hk_instance_leave (open->instance);
    if (answer == HK_FOUND) {
        g_string_assign (out, "");
        if (call.value != NULL)
            g_string_append_len (out, call.value->str, (gssize) call.value->len);
        if (out->len == 0)
            hk_table_tool_warn (tool,
                                "table %s: key %.*s: empty string result is not allowed",
                                open->spec, HK_SPAN_ARG (key));
        found = 1;
    } else if (answer != HK_ABSENT) {
        hk_table_tool_fail (tool, "table %s: query error: %s", open->spec,
                            call.reason != NULL ? call.reason->str : "unknown answer");
        found = -1;
    }
    hk_call_clear (&call);
    return found;
}

/* -F: the values are base64. */
static bool
decode (HkTableTool *tool, const char *spec, GString *value)
{
    gsize size = 0;
    if (!tool->file_values)
        return true;
    g_autofree guchar *data = g_base64_decode (value->str, &size);
    if (size == 0 && value->len > 0)
        return hk_table_tool_fail (tool, "table %s: malformed BASE64 value: %.30s", spec,
                                   value->str);
    g_string_truncate (value, 0);
    g_string_append_len (value, (const char *) data, (gssize) size);
    return true;
}

typedef struct {
    HkTableTool *tool;
    GArray *tables; /* Open */
    bool shows_key, found, failed;
} Query;

static void
ask_all (Query *query, HkSpan key)
{
    g_autoptr (GString) value = g_string_new (NULL);
    for (guint i = 0; i < query->tables->len && !query->failed; i++) {
        const Open *open = &g_array_index (query->tables, Open, i);
        int got = ask (query->tool, open, key, value);
        query->failed = got < 0 || (got > 0 && !decode (query->tool, open->spec, value));
        if (got <= 0 || query->failed)
            continue;
        query->found = true;
        if (query->shows_key)
            printf ("%.*s%s", HK_SPAN_ARG (key), query->tool->syntax->separator);
        fwrite (value->str, 1, value->len, stdout);
        putchar ('\n');
        return;
    }
}

/* One line of standard input without its end; false at the end. */
static bool
read_line (char **line, size_t *room, HkSpan *out)
{
    ssize_t n = getline (line, room, stdin);
    if (n < 0)
        return false;
    if (n > 0 && (*line)[n - 1] == '\n')
        n--;
    *out = hk_span (*line, (size_t) n);
    return true;
}

static bool
starts_header (HkSpan line)
{
    size_t colon = hk_span_find (line, ':', 0);
    return colon > 0 && colon < line.size &&
           hk_span_find (hk_span_sub (line, 0, colon), ' ', 0) == colon;
}

/* A message: its headers, each with its continuation lines, and the lines of its body. */
static void
ask_message (Query *query)
{
    g_autoptr (GString) header = g_string_new (NULL);
    char *line = NULL;
    size_t room = 0;
    HkSpan text;
    bool in_header = true;
    while (!query->failed && read_line (&line, &room, &text)) {
        bool continues = header->len > 0 && text.size > 0 &&
                         (text.data[0] == ' ' || text.data[0] == '\t');
        if (in_header && !continues && header->len > 0) {
            if (query->tool->header_keys)
                ask_all (query, hk_span_string (header));
            g_string_truncate (header, 0);
        }
        in_header = in_header && (continues || starts_header (text));
        if (in_header) {
            if (continues)
                g_string_append_c (header, '\n');
            hk_string_append (header, text);
        } else if (query->tool->body_keys) {
            ask_all (query, text);
        }
    }
    if (header->len > 0 && query->tool->header_keys)
        ask_all (query, hk_span_string (header));
    free (line);
}

static void
ask_lines (Query *query)
{
    char *line = NULL;
    size_t room = 0;
    HkSpan text;
    while (!query->failed && read_line (&line, &room, &text)) {
        ask_all (query, text);
        fflush (stdout);
    }
    free (line);
}

int
hk_table_tool_query (HkTableTool *tool, char **specs)
{
    g_autoptr (GArray) tables = g_array_new (FALSE, FALSE, sizeof (Open));
    Query query = {.tool = tool, .tables = tables};
    g_array_set_clear_func (tables, clear_open);
    for (; *specs != NULL; specs++) {
        Open open = {g_strdup (*specs), hk_table_tool_open (tool, *specs)};
        g_array_append_val (tables, open);
        if (open.instance == NULL)
            return 1;
    }
    query.shows_key = strcmp (tool->query, "-") == 0;
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
    bool failed;
} Show;

static bool
show_pair (HkSpan key, HkSpan value, void *data)
{
    Show *show = data;
    g_autoptr (GString) text =
        g_string_new_len ((const char *) value.data, (gssize) value.size);
    if (!decode (show->tool, show->spec, text)) {
        show->failed = true;
        return false;
    }
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
        Show show = {tool, *specs, false};
        g_autoptr (HkInstance) table = hk_table_tool_open (tool, *specs);
        if (table == NULL)
            return 1;
        if (!hk_table_walk (table, show_pair, &show, &error)) {
            hk_table_tool_fail (tool, "table %s: %s", *specs, error->message);
            return 1;
        }
        if (show.failed)
            return 1;
    }
    return 0;
}
