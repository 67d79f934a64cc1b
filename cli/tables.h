/* tables.h: what `hikyaku map` (postmap) and `hikyaku alias` (postalias, newaliases) share.
 */
#ifndef HK_CLI_TABLES_H
#define HK_CLI_TABLES_H

#include "host/maps.h"

typedef struct HkTableTool HkTableTool;

/* How the text is written, and how entries are shown. */
typedef struct {
    const char *program, *usage, *options; /* getopt's */
    const char *separator;                 /* between key and value: "\t", ":\t" */
    /* Key and value of one logical line, both replaced.  NULL: good; else what is wrong. */
    const char *(*parse) (HkTableTool *tool, HkSpan line, unsigned number, GString *key,
                          GString *value);
} HkTableSyntax;

struct HkTableTool {
    const HkTableSyntax *syntax;
    HkSettings *settings;
    HkPlugins *plugins;
    const char *config_dir;
    const char *query, *erase; /* -q, -d: the key, or "-" */
    const char *file;          /* the text that is being read, for messages */
    bool sequence, incremental, replace, ignore_duplicates, no_fold, plain_mode, keep_root;
    bool file_values, header_keys, body_keys;
    bool force_utf8, no_utf8; /* -U, -u */
    unsigned n_warnings;
};

/* The whole program; the exit status. */
int hk_table_tool_run (HkTableTool *tool, int argc, char **argv);
/* Only reads the configuration and loads the lookup plugins; false after a message. */
bool hk_table_tool_start (HkTableTool *tool);
void hk_table_tool_stop (HkTableTool *tool);
/* Make the index of "type:file"; false after a message. */
bool hk_table_tool_build (HkTableTool *tool, const char *spec);

void hk_table_tool_warn (HkTableTool *tool, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* Prints "PROGRAM: fatal: …"; always false. */
bool hk_table_tool_fail (HkTableTool *tool, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Keys and values must be UTF-8: smtputf8_enable, -u, -U; not with -h and -b alone. */
bool hk_table_tool_wants_utf8 (const HkTableTool *tool);

/* "type:file" split; the default type when there is none; "proxy:" dropped. */
void hk_table_tool_split (HkTableTool *tool, const char *spec, char **out_type,
                          char **out_file);

/* tables_ask.c: -q, -s. */
int hk_table_tool_query (HkTableTool *tool, char **specs);
int hk_table_tool_sequence (HkTableTool *tool, char **specs);
/* The table, open; NULL after a message. */
HkInstance *hk_table_tool_open (HkTableTool *tool, const char *spec);

#endif
