/* map.c: `hikyaku map`, postmap(1): build and ask lookup tables. */
#include "config.h"

#include "cli/cli.h"
#include "cli/tables.h"

#include <hikyaku/textfile.h>

static const char *
parse_pair (HkTableTool *tool, HkSpan line, unsigned number, GString *key, GString *value)
{
    HkSpan k, v;
    switch (hk_lines_pair (line, &k, &v)) {
    case HK_PAIR_UNBALANCED:
        hk_table_tool_warn (tool,
                            "%s, line %u: unbalanced '\"' in '%.*s' -- ignoring this line",
                            tool->file, number, HK_SPAN_ARG (line));
        return "";
    case HK_PAIR_NO_VALUE:
        return "expected format: key whitespace value";
    default:
        break;
    }
    if (k.data[k.size - 1] == ':')
        hk_table_tool_warn (tool,
                            "%s, line %u: record is in \"key: value\" format; is this an "
                            "alias file?",
                            tool->file, number);
    g_string_truncate (key, 0);
    g_string_truncate (value, 0);
    hk_string_append (key, k);
    hk_string_append (value, v);
    return NULL;
}

int
hk_cli_map (int argc, char **argv)
{
    static const HkTableSyntax syntax = {
        "postmap",
        "postmap [-bfFhimnNoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
        "bc:d:fFhimnNopq:rsuUvw",
        "\t",
        parse_pair,
        "specify only one of -s -q or -d"};
    HkTableTool tool = {.syntax = &syntax};
    return hk_table_tool_run (&tool, argc, argv);
}
