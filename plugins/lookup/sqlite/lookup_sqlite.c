/* lookup_sqlite.c: "sqlite:" tables: a query to a database in a local file.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../query_file.h"

#include <hikyaku/textfile.h>

#include <sqlite3.h>

enum { STEPS_BETWEEN_CHECKS = 1000 }; /* of SQLite's machine: well below a millisecond */

typedef struct {
    const HkHost *host;
    QueryFile *file;
    const char *path, *query;
    int64_t timeout_s;
    sqlite3 *db; /* NULL: not open */
    HkFileState state;
    gint64 deadline_us; /* of the lookup under way */
} SqliteTable;

static const char *const names[] = {"dbpath",       "query",       "table",
                                    "select_field", "where_field", "additional_conditions",
                                    "timeout",      NULL};

static void
close_database (SqliteTable *self)
{
    sqlite3_close (self->db);
    self->db = NULL;
}

/* Called by SQLite between its steps; not 0: give up. */
static int
is_over (void *data)
{
    const SqliteTable *self = data;
    return g_get_monotonic_time () >= self->deadline_us;
}

/* A lock is in the way; not 0: try again. */
static int
wait_for_lock (void *data, int n)
{
    if (is_over (data))
        return 0;
    g_usleep (MIN (500u << MIN (n, 6), 20000u));
    return 1;
}

static HkAnswer
open_database (SqliteTable *self, HkCall *call, const HkFileState *now)
{
    int rc = sqlite3_open_v2 (self->path, &self->db,
                              SQLITE_OPEN_READONLY | SQLITE_OPEN_FULLMUTEX, NULL);
    if (rc != SQLITE_OK) {
        HkAnswer answer = self->host->later (
            call, "%s: open %s: %s", query_file_name (self->file), self->path,
            self->db == NULL ? sqlite3_errstr (rc) : sqlite3_errmsg (self->db));
        close_database (self);
        return answer;
    }
    self->state = *now;
    sqlite3_busy_handler (self->db, wait_for_lock, self);
    sqlite3_progress_handler (self->db, STEPS_BETWEEN_CHECKS, is_over, self);
    return HK_OK;
}

/* The file that has the name now: a new one may have been renamed over it. */
static HkAnswer
refresh (SqliteTable *self, HkCall *call)
{
    HkFileState now;
    int e = hk_file_state (self->path, &now);
    if (self->db != NULL &&
        (e != 0 || now.device != self->state.device || now.inode != self->state.inode))
        close_database (self);
    if (e != 0)
        return self->host->later (call, "%s: open %s: %s", query_file_name (self->file),
                                  self->path, g_strerror (e));
    return self->db != NULL ? HK_OK : open_database (self, call, &now);
}

static void
quote (GString *out, HkSpan text, void *data)
{
    (void) data;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\'')
            g_string_append_c (out, '\'');
        g_string_append_c (out, (char) text.data[i]);
    }
}

static HkAnswer
fail (SqliteTable *self, HkCall *call, int rc)
{
    const char *why = rc == SQLITE_INTERRUPT ? "timed out" : sqlite3_errmsg (self->db);
    return self->host->later (call, "%s: query to %s failed: %s",
                              query_file_name (self->file), self->path, why);
}

/* All rows; of each the first column, as Postfix does it. */
static HkAnswer
collect (SqliteTable *self, HkCall *call, sqlite3_stmt *statement, HkSpan key,
         QueryResult *result)
{
    int rc;
    HkAnswer answer = HK_OK;
    while (answer == HK_OK && (rc = sqlite3_step (statement)) != SQLITE_DONE) {
        if (rc != SQLITE_ROW)
            return fail (self, call, rc);
        HkSpan value = {sqlite3_column_text (statement, 0), 0};
        value.size = (size_t) sqlite3_column_bytes (statement, 0);
        if (value.data != NULL)
            answer = query_file_add (self->file, call, result, key, value);
    }
    return answer;
}

static HkAnswer
ask (SqliteTable *self, HkCall *call, HkSpan key, const GString *sql)
{
    sqlite3_stmt *statement = NULL;
    QueryResult result = {NULL, 0};
    int rc = sqlite3_prepare_v2 (self->db, sql->str, (int) sql->len + 1, &statement, NULL);
    if (rc != SQLITE_OK)
        return fail (self, call, rc);
    HkAnswer answer = statement == NULL ? self->host->later (call, "%s: the query is empty",
                                                             query_file_name (self->file))
                                        : collect (self, call, statement, key, &result);
    sqlite3_finalize (statement);
    return query_file_finish (self->file, call, &result, answer);
}

static HkAnswer
sqlite_get (void *instance, HkCall *call, HkSpan key)
{
    SqliteTable *self = instance;
    HkAnswer answer = query_file_eligible (self->file, call, key);
    if (answer != HK_FOUND)
        return answer;
    g_autoptr (GString) sql = g_string_new (NULL);
    if (!query_file_expand (self->file, self->query, key, quote, NULL, sql))
        return HK_ABSENT;
    self->deadline_us = g_get_monotonic_time () + self->timeout_s * G_USEC_PER_SEC;
    answer = refresh (self, call);
    return answer == HK_OK ? ask (self, call, key, sql) : answer;
}

static void
sqlite_close (void *instance)
{
    SqliteTable *self = instance;
    close_database (self);
    query_file_free (self->file);
    g_free (self);
}

static HkAnswer
read_parameters (SqliteTable *self, HkCall *call)
{
    self->path = query_file_text (self->file, "dbpath");
    if (self->path == NULL || *self->path == '\0')
        return self->host->broken (call, "%s: dbpath is not set",
                                   query_file_name (self->file));
    HkAnswer answer =
        query_file_seconds (self->file, call, "timeout", 10, 1, 3600, &self->timeout_s);
    return answer == HK_OK ? query_file_sql (self->file, call, &self->query) : answer;
}

/* The database itself is opened by the first lookup: it may come later than the mail
 * system. */
static HkAnswer
sqlite_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    SqliteTable *self = g_new0 (SqliteTable, 1);
    self->host = host;
    HkAnswer answer = query_file_open (host, conf, call, names, &self->file);
    if (answer == HK_OK)
        answer = read_parameters (self, call);
    if (answer == HK_OK)
        *out_instance = self;
    else
        sqlite_close (self);
    return answer;
}

static const HkLookupClass sqlite_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "sqlite",
             .flags = HK_MAY_BLOCK, /* one handle: calls take turns */
             .open = sqlite_open,
             .close = sqlite_close},
    .get = sqlite_get,
};

HK_PLUGIN (lookup_sqlite, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "sqlite: tables, queries to a database in a local file",
           .classes = HK_CLASSES (&sqlite_class.base))
