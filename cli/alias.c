/* alias.c: `hikyaku alias`, postalias(1) and newaliases: tables of aliases(5). */
#include "config.h"

#include "base/text.h"
#include "cli/cli.h"
#include "cli/tables.h"

#include <hikyaku/textfile.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* Where the name ends: the first colon outside quotes; LINE.size: none. */
static size_t
find_colon (HkSpan line)
{
    bool is_quoted = false;
    for (size_t i = 0; i < line.size; i++) {
        uint8_t c = line.data[i];
        if (c == '\\' && i + 1 < line.size)
            i++;
        else if (c == '"')
            is_quoted = !is_quoted;
        else if (c == ':' && !is_quoted)
            return i;
    }
    return line.size;
}

/* The name in its internal form: without quotes and backslashes. */
static void
append_name (GString *out, HkSpan name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '\\' && i + 1 < name.size)
            i++;
        else if (name.data[i] == '"')
            continue;
        g_string_append_c (out, (char) name.data[i]);
    }
}

/* The right side: blanks outside quotes become one, none before a comma and one behind; a
 * backslash outside quotes goes away. */
static void
append_targets (GString *out, HkSpan text)
{
    bool is_quoted = false, has_blank = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = (char) text.data[i];
        if (!is_quoted && hk_is_blank (c)) {
            has_blank = true;
            continue;
        }
        if (!is_quoted && c == ',') {
            g_string_append (out, ", ");
            has_blank = false;
            while (i + 1 < text.size &&
                   (hk_is_blank ((char) text.data[i + 1]) || text.data[i + 1] == ','))
                i++;
            continue;
        }
        if (has_blank && out->len > 0)
            g_string_append_c (out, ' ');
        has_blank = false;
        if (c == '\\' && i + 1 < text.size) {
            if (is_quoted)
                g_string_append_c (out, c);
            c = (char) text.data[++i];
        } else if (c == '"') {
            is_quoted = !is_quoted;
        }
        g_string_append_c (out, c);
    }
    while (out->len > 0 && (out->str[out->len - 1] == ' ' || out->str[out->len - 1] == ','))
        g_string_truncate (out, out->len - 1);
}

/* C stands in NAME outside of quotes. */
static bool
has_bare (HkSpan name, uint8_t c)
{
    bool is_quoted = false;
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '\\' && i + 1 < name.size)
            i++;
        else if (name.data[i] == '"')
            is_quoted = !is_quoted;
        else if (name.data[i] == c && !is_quoted)
            return true;
    }
    return false;
}

static const char *
parse_alias (HkTableTool *tool, HkSpan line, unsigned number, GString *key, GString *value)
{
    (void) tool;
    (void) number;
    size_t colon = find_colon (line);
    HkSpan name = hk_span_strip (hk_span_sub (line, 0, colon));
    g_string_truncate (key, 0);
    g_string_truncate (value, 0);
    append_name (key, name);
    append_targets (value, hk_span_strip (hk_span_sub (line, colon + 1, SIZE_MAX)));
    if (key->len == 0 || value->len == 0 || has_bare (name, ','))
        return "need name:value pair";
    return has_bare (name, '@') ? "name must be local" : NULL;
}

static const HkTableSyntax syntax = {
    "postalias",
    "postalias [-Nfinoprsuvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
    "c:d:finNopq:rsuvw",
    ":\t",
    parse_alias,
    "specify only one of -s or -q or -d"};

/* newaliases: every indexed table of alias_database. */
static int
build_database (HkTableTool *tool)
{
    int status = 0;
    if (!hk_table_tool_start (tool)) {
        hk_table_tool_stop (tool);
        return 1;
    }
    g_auto (GStrv) specs = hk_settings_words (tool->settings, "alias_database");
    for (char **s = specs; s != NULL && *s != NULL && status == 0; s++) {
        g_autofree char *type = NULL, *file = NULL;
        hk_table_tool_split (tool, *s, &type, &file);
        const HkLookupClass *cls = (const HkLookupClass *) (const void *) hk_plugins_class (
            tool->plugins, HK_KIND_LOOKUP, type);
        if (cls != NULL && !HK_HAS (cls, HkLookupClass, build_begin))
            continue; /* texthash and the like: the text itself is used */
        status = hk_table_tool_build (tool, *s) ? 0 : 1;
    }
    hk_table_tool_stop (tool);
    return status;
}

/* It is called with sendmail's options; those that mean something here are -c, -C and -oA
 * ("type:file" in the place of alias_database). */
static int
newaliases (HkTableTool *tool, int argc, char **argv)
{
    const char *other = NULL;
    int c;
    optind = 0; /* a full reset: no scan of an earlier command line goes on */
    while ((c = getopt (argc, argv, "+c:C:io:v")) != -1) {
        if (c == 'c' || c == 'C')
            tool->config_dir = optarg;
        else if (c == 'o' && optarg[0] == 'A')
            other = optarg + 1;
        else if (c == '?') {
            hk_table_tool_fail (tool, "usage: newaliases [options]");
            return EX_TEMPFAIL;
        }
    }
    if (optind < argc) {
        hk_table_tool_fail (tool, "alias initialization mode requires no recipient");
        return EX_TEMPFAIL;
    }
    if (other == NULL || *other == '\0')
        return build_database (tool);
    int status = hk_table_tool_start (tool) && hk_table_tool_build (tool, other) ? 0 : 1;
    hk_table_tool_stop (tool);
    return status;
}

int
hk_cli_alias (int argc, char **argv)
{
    HkTableTool tool = {.syntax = &syntax};
    g_autofree char *name = g_path_get_basename (argv[0]);
    if (strcmp (name, "newaliases") == 0)
        return newaliases (&tool, argc, argv);
    return hk_table_tool_run (&tool, argc, argv);
}
