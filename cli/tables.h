/* tables.h: what `hikyaku map` (postmap) and `hikyaku alias` (postalias, newaliases) share.
 */
#ifndef HK_CLI_TABLES_H
#define HK_CLI_TABLES_H

#include "cli/progress.h"
#include "host/maps.h"

typedef struct HkTableTool HkTableTool;

/* How the text is written, and how entries are shown. */
typedef struct {
    const char *program, *usage, *options; /* getopt's */
    const char *separator;                 /* between key and value: "\t", ":\t" */
    /* Key and value of one logical line, both replaced.  NULL: good; else what is wrong;
     * empty when it was said. */
    const char *(*parse) (HkTableTool *tool, HkSpan line, unsigned number, GString *key,
                          GString *value);
    const char *one_mode; /* what -q, -d and -s together are told */
} HkTableSyntax;

struct HkTableTool {
    const HkTableSyntax *syntax;
    HkSettings *settings;
    HkPlugins *plugins;
    const char *config_dir;
    const char *query, *erase; /* -q, -d: the key, or "-" */
    const char *file;          /* the text that is being read, for messages */
    bool sequence, incremental, replace, ignore_duplicates, no_fold, plain_mode, keep_root;
    bool file_values, header_keys, body_keys, mime_keys;
    bool no_utf8, force_utf8; /* -u, -U */
    bool wants_utf8;          /* keys and values must be UTF-8 */
    HkProgress *progress;     /* NULL: nothing is being built */
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

/* "type:file" split; the default type when there is none; "proxy:" dropped. */
void hk_table_tool_split (HkTableTool *tool, const char *spec, char **out_type,
                          char **out_file);

bool hk_table_tool_is_utf8 (HkSpan text);
/* For messages: what cannot be shown is '?'.  g_free it. */
char *hk_table_tool_printable (HkSpan text);

/* tables_ask.c: -q, -s. */
int hk_table_tool_query (HkTableTool *tool, char **specs);
int hk_table_tool_sequence (HkTableTool *tool, char **specs);
/* The table, open; NULL after a message. */
HkInstance *hk_table_tool_open (HkTableTool *tool, const char *spec);

#endif
