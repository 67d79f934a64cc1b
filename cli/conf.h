/* conf.h: what the files of `hikyaku conf` share. */
#ifndef HK_CLI_CONF_H
#define HK_CLI_CONF_H

#include "conf/conf.h"

/* Bits of the switches that choose what is done; in the order in which messages name them. */
enum {
    CONF_SASL_IN = 1 << 0,   /* -a */
    CONF_SASL_OUT = 1 << 1,  /* -A */
    CONF_NOTICES = 1 << 2,   /* -b */
    CONF_DEFAULT = 1 << 3,   /* -d */
    CONF_EDIT = 1 << 4,      /* -e */
    CONF_FOLD = 1 << 5,      /* -f */
    CONF_FIELDS = 1 << 6,    /* -F */
    CONF_NO_NAME = 1 << 7,   /* -h */
    CONF_NO_VALUE = 1 << 8,  /* -H */
    CONF_LOCKS = 1 << 9,     /* -l */
    CONF_MAPS = 1 << 10,     /* -m */
    CONF_MASTER = 1 << 11,   /* -M */
    CONF_SET = 1 << 12,      /* -n */
    CONF_OVERRIDE = 1 << 13, /* -o */
    CONF_MAIN = 1 << 14,     /* -p */
    CONF_OPTIONS = 1 << 15,  /* -P */
    CONF_TEMPLATES = 1 << 16, /* -t */
    CONF_TLS = 1 << 17,      /* -T */
    CONF_EXPAND = 1 << 18,   /* -x */
    CONF_EXCLUDE = 1 << 19,  /* -X */
    CONF_COMMENT = 1 << 20   /* -# */
};
#define CONF_CHANGES (CONF_EDIT | CONF_EXCLUDE | CONF_COMMENT)

typedef struct {
    const char *program;
    char *dir;
    bool dir_was_given;
    int modes;
    HkSettings *set;
    GPtrArray *overrides;                          /* texts of -o */
    const char *tls_mode;                          /* of -T */
    bool show_origin;                              /* --origin */
    bool class_builtin, class_service, class_user; /* -C */
} HkConfTool;

void hk_conf_tool_warn (const HkConfTool *self, const char *format, ...)
    G_GNUC_PRINTF (2, 3);
/* The same for an error that ends the command; the result is 1. */
int hk_conf_tool_fail (const HkConfTool *self, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

/* The command line into SELF; OPTIND is then at the first argument.  Not 0: the exit status.
 */
int hk_conf_tool_parse (HkConfTool *self, int argc, char **argv);

/* -e, -X, -# for main.cf and master.cf. */
int hk_conf_tool_edit (const HkConfTool *self, char **texts, size_t n);
/* "name=value" into its stripped parts, which are in TEXT.  NULL, or what is wrong. */
const char *hk_conf_tool_split (char *text, char **out_name, char **out_value);

/* main.cf: all parameters, or NAMES (NULL-ended).  The result is the exit status. */
int hk_conf_tool_show (HkConfTool *self, char **names);
/* "unused parameter" lines, as Postfix ends its output. */
void hk_conf_tool_warn_unused (const HkConfTool *self, bool master_only);
/* Print TEXT's words, each behind one blank unless the line is empty, folded with -f when
 * the line, of which COLUMN bytes are there, grows too long. */
void hk_conf_tool_print_words (const HkConfTool *self, size_t column, const char *text);

/* master.cf: -M, -F, -P for the services that PATTERNS name (none: all). */
int hk_conf_tool_show_services (HkConfTool *self, char **patterns);
int hk_conf_tool_show_fields (HkConfTool *self, char **patterns);
int hk_conf_tool_show_options (HkConfTool *self, char **patterns);

/* -b, -t: the texts of notices, those of FILE first; NULL or "": ours alone. */
int hk_conf_tool_show_notices (HkConfTool *self, const char *file);

#endif
