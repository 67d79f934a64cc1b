/* conf.h: what the files of `hikyaku conf` share. */
#ifndef HK_CLI_CONF_H
#define HK_CLI_CONF_H

#include "conf/conf.h"

typedef struct {
    const char *program;
    char *dir;
    bool dir_was_given;
    HkSettings *set;
    GPtrArray *overrides;                          /* texts of -o */
    bool show_default;                             /* -d */
    bool show_set;                                 /* -n */
    bool hide_name, hide_value;                    /* -h, -H */
    bool expand;                                   /* -x */
    bool fold;                                     /* -f */
    bool class_builtin, class_service, class_user; /* -C */
} HkConfTool;

void hk_conf_tool_warn (const HkConfTool *self, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

/* main.cf: all parameters, or NAMES (NULL-ended).  The result is the exit status. */
int hk_conf_tool_show (HkConfTool *self, char **names);
/* "unused parameter" lines, as Postfix ends its output. */
void hk_conf_tool_warn_unused (const HkConfTool *self);
/* Print TEXT's words, parted by one blank each, folded with -f when the line, of which
 * COLUMN bytes are there, grows too long. */
void hk_conf_tool_print_words (const HkConfTool *self, size_t column, const char *text);

/* master.cf: -M, -F, -P for the services that PATTERNS name (none: all). */
int hk_conf_tool_show_services (HkConfTool *self, char **patterns);
int hk_conf_tool_show_fields (HkConfTool *self, char **patterns);
int hk_conf_tool_show_options (HkConfTool *self, char **patterns);

#endif
