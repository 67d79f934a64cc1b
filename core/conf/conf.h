/* conf.h: the face of the room that reads Postfix's configuration language.
 *
 * Every parameter is declared once, in a table beside the code that uses it (HkConfSpec). A
 * HkSettings is an immutable, fully read set: compiled defaults, then conf.d/<name>.conf in
 * C-locale order, then main.cf; later wins.  A view adds the -o lines of a master.cf
 * service. Values are kept as text with their origin (file and line) and expanded on
 * demand; typed getters check them when the set is loaded (hk_settings_check), so that
 * later reads cannot fail.  Reading does not depend on the locale.  A HkSettings is shared
 * by reference and never changes: any thread.
 *
 * Syntax (postconf(5), master(5)): "name = value", comment and empty lines, continuation
 * lines that begin with blank space, $name, ${name}, $(name), ${name?then}, ${name:else},
 * ${name?{a}:{b}}, ${{a} == {b} ? {c} : {d}} with == != < <= > >=, $$ for a dollar sign. */
#ifndef HK_CONF_H
#define HK_CONF_H

#include "base/bytes.h"

typedef struct HkSettings HkSettings; /* reference counted */

typedef enum {
    HK_CONF_STRING, /* text */
    HK_CONF_RAW,    /* text that is not $-expanded (smtpd_banner is: it is STRING) */
    HK_CONF_BOOL,
    HK_CONF_INT,
    HK_CONF_TIME, /* seconds; `unit` of a bare number is in HkConfSpec.unit */
    HK_CONF_SIZE, /* bytes */
    HK_CONF_ENUM, /* one of `choices`, "a|b|c" */
    HK_CONF_LIST, /* words, see hk_text_next_word */
    HK_CONF_MAPS, /* a list of type:name tables */
    HK_CONF_PATH
} HkConfType;

typedef struct HkConfSpec {
    const char *name;
    HkConfType type;
    const char *preset;  /* default as in postconf -d; NULL: computed (see dynamic) */
    int64_t min, max;    /* INT, TIME, SIZE; both 0: none */
    const char *choices; /* ENUM */
    const char *help;    /* one line for the manual page */
    char unit;           /* TIME: unit of a bare number; 0: that of `preset`, else 's' */
    /* Computed defaults such as myhostname; g_free the result. */
    char *(*dynamic) (void);
    /* ... that depend on other parameters, such as mydomain; only hk_settings_peek may be
     * called on SELF. */
    char *(*computed) (HkSettings *self);
} HkConfSpec;

/* A table ends with a NULL name.  Registering is for `main`, before the first load; rooms
 * offer their table as `extern const HkConfSpec hk_ROOM_params[]`. */
void hk_conf_register (const HkConfSpec *table);
/* Plugin parameters (host/ turns HkParam into this); copies. */
void hk_conf_register_copy (const HkConfSpec *spec);
const HkConfSpec *hk_conf_spec (const char *name); /* NULL: not declared */
/* Are the value's $name something else than parameters, declared or not? */
bool hk_conf_is_raw (const char *name);
/* In order of their names. */
void hk_conf_foreach_spec (void (*fn) (const HkConfSpec *spec, void *data), void *data);
/* One text for each name that was registered twice with another type or default (the first
 * stays); g_strfreev. */
char **hk_conf_conflicts (void);

/* Parameters that every Postfix knows and that are the whole system's: queue_directory,
 * data_directory, config_directory, myhostname, mydomain, myorigin, mydestination, … */
extern const HkConfSpec hk_base_params[];

#define HK_CONF_ERROR (hk_conf_error_quark ())
GQuark hk_conf_error_quark (void);
typedef enum {
    HK_CONF_ERROR_IO,     /* a file cannot be read */
    HK_CONF_ERROR_SYNTAX, /* text that has no meaning */
    HK_CONF_ERROR_VALUE   /* wrong type, out of range */
} HkConfError;

/* Read DIR (conf.d, main.cf, master.cf).  NULL on errors that leave no usable set.  Lines
 * that Postfix would accept or only warn of do not fail: they are kept as complaints. */
HkSettings *hk_settings_load (const char *dir, GError **error);
/* From text, for tests; FILE is what errors call it. */
HkSettings *hk_settings_from_text (const char *main_cf, const char *master_cf,
                                   GError **error);
HkSettings *hk_settings_ref (HkSettings *self);
void hk_settings_unref (HkSettings *self);
/* Where the role programs are: $HIKYAKU_ROLE_DIR when it is an absolute path (a build tree),
 * else the installation's.  Borrowed. */
const char *hk_role_dir (void);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkSettings, hk_settings_unref)

/* Type and bounds of every value that was set, unknown names, tables' syntax: one complaint
 * each, "FILE: line N: NAME: …".  False when one of them is an error (not a warning). */
typedef void (*HkComplaintFn) (int level, const char *text, void *data);
bool hk_settings_check (HkSettings *self, HkComplaintFn fn, void *data);

const char *hk_settings_dir (const HkSettings *self);

/* Getters.  NAME must be declared; an unset parameter gives its default.  Returned text is
 * expanded, owned by the set and valid as long as it.  A value that is malformed gives the
 * default (and was reported by check).  A name that nobody declared gives what a file sets
 * (user-defined restriction classes), else NULL, or 0.
 * "<service>_destination_recipient_limit" and its kin are declared with every service;
 * their default is "$default_destination_recipient_limit". */
const char *hk_settings_get (HkSettings *self, const char *name);
bool hk_settings_bool (HkSettings *self, const char *name);
int64_t hk_settings_int (HkSettings *self, const char *name);  /* INT, TIME (s), SIZE */
char **hk_settings_words (HkSettings *self, const char *name); /* NULL-ended; g_strfreev */

/* How it was written, unexpanded; where it comes from ("main.cf", 12); NULL: the default.
 */
const char *hk_settings_raw (HkSettings *self, const char *name);
bool hk_settings_origin (HkSettings *self, const char *name, const char **out_file,
                         unsigned *out_line);
/* The default, unexpanded: as postconf -d prints it.  NULL: nobody knows the name. */
const char *hk_settings_preset (HkSettings *self, const char *name);
/* For HkConfSpec.computed alone: as hk_settings_get, g_free it. */
char *hk_settings_peek (HkSettings *self, const char *name);
/* $-expand TEXT with the set's values; g_free it. */
char *hk_settings_expand (HkSettings *self, const char *text, GError **error);
/* Names that were set by a file, in file order, undeclared ones included. */
void hk_settings_foreach_set (HkSettings *self,
                              void (*fn) (const char *name, const char *raw, void *data),
                              void *data);
/* Names of `plugin = …` lines, accumulated, in order; owned by the set. */
const char *const *hk_settings_plugins (HkSettings *self);

/* ---- master.cf ------------------------------------------------------------------- */

typedef enum {
    HK_SERVICE_INET,
    HK_SERVICE_UNIX,
    HK_SERVICE_FIFO,
    HK_SERVICE_PASS,
    HK_SERVICE_UNIX_DGRAM
} HkServiceType;

typedef struct HkService {
    const char *name; /* first column as written: "smtp", "127.0.0.1:2525" */
    HkServiceType type;
    bool is_private, is_unprivileged, is_chroot;
    unsigned wakeup_s;       /* 0: never */
    bool wakeup_if_used;     /* '?' */
    unsigned max_processes;  /* 0: no limit; default_process_limit filled in */
    const char *command;     /* program word: "smtpd", "pipe" */
    const char *const *argv; /* arguments without -o, -v; NULL-ended */
    unsigned verbose;        /* number of -v */
    const char *file;
    unsigned line;
} HkService;

size_t hk_settings_n_services (HkSettings *self);
const HkService *hk_settings_service (HkSettings *self, size_t i);
/* The set as service I sees it: its -o values on top.  New reference. */
HkSettings *hk_settings_view (HkSettings *self, size_t i);
/* All columns and arguments as written, -o and its values included, the braces of "{ … }"
 * taken off; NULL-ended; owned by the set. */
const char *const *hk_settings_service_words (HkSettings *self, size_t i);
/* name of -o parameters of service I with raw values, in order. */
void hk_settings_foreach_option (HkSettings *self, size_t i,
                                 void (*fn) (const char *name, const char *raw, void *data),
                                 void *data);

/* ---- for tools ------------------------------------------------------------------- */

/* SELF with one more value on top, as from the command line (postconf -o).  New reference.
 */
HkSettings *hk_settings_with (HkSettings *self, const char *name, const char *value);
/* Settings that a later one of the same file replaced: where the later one stands. */
void hk_settings_foreach_overridden (HkSettings *self,
                                     void (*fn) (const char *file, unsigned line,
                                                 const char *name, const char *old_raw,
                                                 void *data),
                                     void *data);
/* Names that the used values refer to and nothing defines, each once; NULL at a value that
 * cannot be expanded, with TEXT saying why. */
void hk_settings_foreach_undefined (HkSettings *self,
                                    void (*fn) (const char *name, const char *text,
                                                void *data),
                                    void *data);
/* Names that a file or a -o sets, nobody declared, Postfix does not know and no value uses.
 */
void hk_settings_foreach_unused (HkSettings *self,
                                 void (*fn) (const char *file, const char *name,
                                             const char *raw, void *data),
                                 void *data);
/* "<service>_…" parameters that the services of master.cf have. */
void hk_settings_foreach_service_param (HkSettings *self,
                                        void (*fn) (const char *name, void *data),
                                        void *data);

/* ---- changing main.cf (postconf -e, -#, -X; hikyaku plugin enable) ---------------------
 */

/* Put "name = value" into DIR/FILE, replacing the last logical line with that name and
 * removing earlier ones, keeping comments and order; atomic, durable, keeps the file's mode
 * and owner.  VALUE NULL removes it; COMMENT_OUT puts '#' in front instead. */
bool hk_conf_edit (const char *dir, const char *file, const char *name, const char *value,
                   bool comment_out, GError **error);
/* Several at once: all of them or none. */
typedef struct {
    const char *name, *value; /* as above */
    bool comment_out;
    unsigned n_found; /* set by hk_conf_edit_all: settings of that name in the old file */
} HkConfChange;
bool hk_conf_edit_all (const char *dir, const char *file, HkConfChange *changes, size_t n,
                       GError **error);

/* ---- changing master.cf (postconf -M, -F, -P with -e, -X, -#) --------------------- */

/* The columns of a service by number and by name ("process_limit"). */
enum { HK_FIELD_COMMAND = 7, HK_N_FIELDS };
extern const char *const hk_service_fields[HK_N_FIELDS];

typedef enum {
    HK_MASTER_PUT,          /* VALUE is the whole line; appended when no service matches */
    HK_MASTER_REMOVE,       /* the service */
    HK_MASTER_COMMENT,      /* put '#' in front of its lines */
    HK_MASTER_FIELD,        /* column FIELD becomes VALUE */
    HK_MASTER_OPTION,       /* "-o NAME=VALUE" is set or added */
    HK_MASTER_OPTION_REMOVE /* "-o NAME=…" goes */
} HkMasterAction;

typedef struct {
    HkMasterAction action;
    const char *service, *type; /* "*": any */
    unsigned field;
    const char *name, *value;
    unsigned n_found; /* set by the call: services that matched */
} HkMasterChange;

/* Edit DIR/master.cf, all changes or none, as hk_conf_edit does: atomic, durable, comments
 * and order stay.  A service that is changed is written anew, an option a line. */
bool hk_conf_edit_master (const char *dir, HkMasterChange *changes, size_t n,
                          GError **error);
/* NULL, or FIELD's name when it cannot hold VALUE. */
const char *hk_conf_bad_field (unsigned field, const char *value);
/* WORDS (see hk_settings_service_words), or those of the command alone, as in master.cf,
 * without a line end.  FOLD: over several lines, when COLUMN bytes are there already. */
void hk_conf_format_service (GString *out, const char *const *words, bool fold);
void hk_conf_format_command (GString *out, const char *const *words, size_t column,
                             bool fold);
/* The words of a line of master.cf, or with COMMAND_ONLY of its command; g_strfreev.  NULL:
 * a brace is not closed. */
char **hk_conf_service_words (const char *text, bool command_only, GError **error);

/* ---- names that Postfix knows and no room has declared --------------------------- */

/* Calls FN for each; HAS_MEANING: will have an effect in a later release. */
void hk_conf_foreach_undeclared (void (*fn) (const char *name, const char *preset,
                                             bool has_meaning, void *data),
                                 void *data);

/* The default of NAME in Postfix 3.7; NULL: it does not know the name. */
const char *hk_conf_postfix_default (const char *name);

#endif
