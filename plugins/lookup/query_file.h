/* query_file.h: the file behind a table that asks a server: "name = value" lines, templates
 * with % expansions, the domain list, and how several values become one answer.
 *
 * The rules are those of mysql_table(5) and its kin.  A plugin compiles query_file.c itself
 * and sets QUERY_FILE_OWNER to its name (-DQUERY_FILE_OWNER=lookup_mysql), which all
 * symbols then begin with.  After `open` and `use` nothing changes any more: any thread may
 * read.
 *
 *     open → text, number, … → use (each template) → for each key:
 *     eligible → expand → [ask the server] → add (each value) → finish
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_LOOKUP_QUERY_FILE_H
#define HK_PLUGINS_LOOKUP_QUERY_FILE_H

#include <hikyaku/lookup.h>

#include <glib.h>
#include <stdbool.h>

#ifndef QUERY_FILE_OWNER
#error "QUERY_FILE_OWNER must be the plugin's name"
#endif
#define QUERY_FILE_PASTE_(owner, name) owner##_##name
#define QUERY_FILE_PASTE(owner, name) QUERY_FILE_PASTE_ (owner, name)
#define query_file_open QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_file_open)
#define query_file_free QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_file_free)
#define query_file_name QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_file_name)
#define query_file_text QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_file_text)
#define query_file_number QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_file_number)
#define query_file_seconds QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_file_seconds)
#define query_file_flag QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_file_flag)
#define query_file_use QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_file_use)
#define query_file_sql QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_file_sql)
#define query_file_eligible QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_file_eligible)
#define query_file_expand QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_file_expand)
#define query_file_add QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_file_add)
#define query_file_finish QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_file_finish)

typedef struct QueryFile QueryFile;

/* Read the file that the table's argument names ("/etc/x.cf"), or "{ {name = value}, … }".
 * NAMES (ends with NULL) are the parameters of this kind of table, besides `domain`,
 * `result_format`, `result_filter` and `expansion_limit`; others are warned of with file
 * and line.  HK_OK, HK_LATER (cannot be read now) or HK_BROKEN, with the reason given. */
HkAnswer query_file_open (const HkHost *host, const HkConf *conf, HkCall *call,
                          const char *const *names, QueryFile **out);
void query_file_free (QueryFile *self);

/* ---- parameters.  Borrowed until free. */
const char *query_file_name (const QueryFile *self); /* for messages: never a secret */
/* NULL: not given.  An empty value is "". */
const char *query_file_text (const QueryFile *self, const char *name);
/* HK_OK, or HK_BROKEN with the reason; PRESET when not given. */
HkAnswer query_file_number (const QueryFile *self, HkCall *call, const char *name,
                            int64_t preset, int64_t min, int64_t max, int64_t *out);
/* "90", "90s", "2m", "1h", "1d". */
HkAnswer query_file_seconds (const QueryFile *self, HkCall *call, const char *name,
                             int64_t preset, int64_t min, int64_t max, int64_t *out);
HkAnswer query_file_flag (const QueryFile *self, HkCall *call, const char *name,
                          bool preset, bool *out); /* yes | no */

/* ---- templates */
/* Check a template that stands in parameter NAME, and note which parts of a key it needs: a
 * key without them is never asked for, whichever template needs them.  HK_OK or HK_BROKEN.
 */
HkAnswer query_file_use (QueryFile *self, HkCall *call, const char *name, const char *text);
/* `query`, or what the older select_field, table, where_field, additional_conditions say;
 * checked as by use.  OUT is borrowed until free. */
HkAnswer query_file_sql (QueryFile *self, HkCall *call, const char **out);

/* May KEY be asked for at all: is it UTF-8 without NUL, and on the domain list?  HK_FOUND,
 * HK_ABSENT, or HK_LATER when a table of the domain list does not answer. */
HkAnswer query_file_eligible (const QueryFile *self, HkCall *call, HkSpan key);

/* Append TEXT, quoted for where it will stand. */
typedef void (*QueryQuoteFn) (GString *out, HkSpan text, void *data);

/* Append TEXT with its % expansions of KEY; QUOTE may be NULL.  False, with nothing
 * appended: the lookup is suppressed, the key lacks a part. */
bool query_file_expand (const QueryFile *self, const char *text, HkSpan key,
                        QueryQuoteFn quote, void *data, GString *out);

/* ---- the answer */
typedef struct {
    GString *text; /* NULL at first; owned by finish */
    int64_t count;
} QueryResult;

/* Add one value, by result_format.  HK_OK; HK_LATER when there are too many. */
HkAnswer query_file_add (const QueryFile *self, HkCall *call, QueryResult *result,
                         HkSpan key, HkSpan value);
/* Ends RESULT.  ANSWER other than HK_OK is passed on; else HK_FOUND or HK_ABSENT. */
HkAnswer query_file_finish (const QueryFile *self, HkCall *call, QueryResult *result,
                            HkAnswer answer);

#endif
