/* conf_priv.h: what the files of this room share. */
#ifndef HK_CONF_PRIV_H
#define HK_CONF_PRIV_H

#include <pthread.h>
#include <stdlib.h>

#include "base/text.h"
#include "conf/conf.h"

/* Sizes of what files may ask for. */
#define HK_CONF_MAX_FILE (8u << 20)     /* bytes of one configuration file */
#define HK_CONF_MAX_DEPTH 100           /* $name inside $name inside ... */
#define HK_CONF_MAX_STEPS 20000         /* $name references followed for one value */
#define HK_CONF_MAX_EXPANDED (1u << 20) /* bytes of one expanded value */

/* ---- lines.c: physical lines into logical lines ---------------------------------- */

typedef enum {
    HK_LINE_BLANK,
    HK_LINE_COMMENT,
    HK_LINE_CONTINUES,
    HK_LINE_STARTS
} HkLineKind;

/* Next physical line of *REST with its line end; false at the end. */
bool hk_conf_next_physical (HkSpan *rest, HkSpan *out_line);
HkLineKind hk_conf_line_kind (HkSpan line);

typedef struct {
    HkSpan rest;
    unsigned line; /* number of the last physical line that was read */
    GString *text; /* the logical line at hand */
} HkConfLines;

void hk_conf_lines_init (HkConfLines *self, HkSpan text);
void hk_conf_lines_clear (HkConfLines *self);
/* The next logical line, borrowed until the next call, and the number of its first physical
 * line.  *OUT_IS_ORPHAN: it begins with blank space and continues nothing. */
bool hk_conf_lines_next (HkConfLines *self, HkSpan *out_text, unsigned *out_line,
                         bool *out_is_orphan);

/* "name = value" into its parts, stripped.  NULL, or what is wrong (a static text). */
const char *hk_conf_split (HkSpan line, HkSpan *out_name, HkSpan *out_value);
bool hk_conf_is_space (uint8_t c); /* as isspace in the C locale */
HkSpan hk_conf_strip (HkSpan s);

/* ---- edit.c ---------------------------------------------------------------------- */

/* Put the new text of a file into OUT; false: leave it as it is. */
typedef bool (*HkConfRewriteFn) (HkSpan old, GString *out, void *data, GError **error);
/* Replace PATH, atomic and durable; mode and owner stay. */
bool hk_conf_rewrite (const char *path, bool may_be_new, HkConfRewriteFn fn, void *data,
                      GError **error);

/* ---- table_params.c -------------------------------------------------------------- */

/* Add "type:name" of the tables that TEXT names, "proxy:" left out. */
void hk_conf_gather_tables (HkSpan text, GHashTable *tables_used);
/* Is NAME "<table>_<parameter of its type>" of one of them? */
bool hk_conf_is_table_param (const char *name, GHashTable *tables_used);

/* ---- words.c --------------------------------------------------------------------- */

/* The next word of a line of master.cf, N_SEEN words are read: "{ a b }" is one word and
 * loses its braces after the columns.  False at the end, or with *OUT_IS_OPEN set at a brace
 * that is not closed. */
bool hk_conf_next_master_word (HkSpan *rest, size_t n_seen, HkSpan *out_word,
                               bool *out_is_open);

/* ---- expand.c -------------------------------------------------------------------- */

typedef struct {
    /* Raw value of NAME; NULL: there is no such parameter. */
    const char *(*lookup) (void *data, const char *name);
    void (*undefined) (void *data, const char *name); /* optional */
    void *data;
} HkConfNames;

/* Append TEXT with its $name expressions replaced.  On failure OUT is as before. */
bool hk_conf_expand (const HkConfNames *names, HkSpan text, GString *out, GError **error);
/* Every name that TEXT refers to, whatever the conditions say; malformed parts are skipped.
 */
void hk_conf_references (HkSpan text, void (*fn) (HkSpan name, void *data), void *data);

/* ---- value.c --------------------------------------------------------------------- */

/* Is TEXT (expanded) a value for SPEC?  *OUT gets numbers, booleans and the index of a
 * choice. NULL, or what is wrong; g_free it. */
char *hk_conf_value (const HkConfSpec *spec, const char *text, int64_t *out);
/* TEXT as hk_settings_get gives it: choices and booleans in their own spelling. */
char *hk_conf_canonical (const HkConfSpec *spec, const char *text);

/* ---- spec.c, postfix_names.c ----------------------------------------------------- */

typedef enum {
    HK_NAME_LATER = 1,      /* not built yet: has no effect */
    HK_NAME_NO_MEANING = 2, /* about a part of Postfix that has no counterpart here */
    HK_NAME_RAW = 4         /* its $name are not main.cf's */
} HkNameFlags;

typedef struct {
    const char *name, *preset;
    unsigned flags;
} HkPostfixName;
const HkPostfixName *hk_conf_postfix_name (const char *name);
const HkPostfixName *hk_conf_postfix_names (size_t *out_n);
const char *hk_postfix_why (const HkPostfixName *known); /* why it has no effect */

/* The known name that NAME was perhaps meant to be; NULL: none is near. */
const char *hk_conf_nearest (const char *name);
/* "smtp-amavis_destination_recipient_limit": the length of the service's name, 0: no such
 * suffix.  *OUT_BASE is the parameter whose value is the default. */
size_t hk_conf_service_suffix (const char *name, const char **out_base);
/* Does any parameter's default refer to NAME (names of older releases)? */
bool hk_conf_is_in_a_default (const char *name);

/* ---- interfaces.c ---------------------------------------------------------------- */

char *hk_conf_computed_hostname (HkSettings *self);
char *hk_conf_computed_domain (HkSettings *self);
char *hk_conf_computed_networks (HkSettings *self);

/* ---- settings.c ------------------------------------------------------------------ */

typedef struct {
    const char *name, *raw;
    const char *file; /* "main.cf", "conf.d/x.conf", "master.cf", "" (command line) */
    unsigned line;
} HkConfEntry;

typedef struct {
    int level;
    const char *text;
} HkComplaint;

typedef struct {
    const char *file, *name, *old_raw;
    unsigned line;
} HkOverridden;

typedef struct {
    HkService service;
    GPtrArray *options; /* HkConfEntry, borrowed from the set's texts */
    char **words;       /* all columns and arguments; the texts are the set's */
} HkServiceEntry;

struct HkSettings {
    int refs;
    HkSettings *parent;   /* view: where to look next; owned */
    bool is_service;      /* the view of a service of master.cf */
    char *dir;            /* or NULL */
    GStringChunk *texts;  /* names, values, complaints */
    GPtrArray *entries;   /* HkConfEntry, owned: one for each name, in order of the files */
    GHashTable *by_name;  /* name -> HkConfEntry */
    GArray *complaints;   /* HkComplaint, from reading */
    GArray *overridden;   /* HkOverridden */
    GPtrArray *plugins;   /* NULL-ended once loaded */
    GPtrArray *services;  /* HkServiceEntry, owned */
    pthread_mutex_t lock; /* guards cache and presets */
    GHashTable *cache;    /* name -> expanded value, owned */
    GHashTable *presets;  /* name -> computed default, owned */
};

HkSettings *hk_settings_new (HkSettings *parent);
void hk_settings_put (HkSettings *self, HkSpan name, HkSpan raw, const char *file,
                      unsigned line);
/* FILE and LINE in front; FILE NULL: as it is. */
void hk_settings_complain (HkSettings *self, int level, const char *file, unsigned line,
                           const char *format, ...) G_GNUC_PRINTF (5, 6);
const HkConfEntry *hk_settings_entry (const HkSettings *self, const char *name);
/* Names for hk_conf_expand. */
HkConfNames hk_settings_names (HkSettings *self);

/* ---- master_cf.c ----------------------------------------------------------------- */

bool hk_conf_read_master (HkSettings *self, HkSpan text, GError **error);

#endif
