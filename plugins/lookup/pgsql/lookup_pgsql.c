/* lookup_pgsql.c: "pgsql:" tables: a query to a PostgreSQL server.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../query_pool.h"

#include <libpq-fe.h>
#include <string.h>

typedef struct {
    const HkHost *host;
    QueryFile *file;
    QueryPool *pool;
    const char *query;
    char *call_query; /* made of select_function */
} PgsqlTable;

static const char *const names[] = {QUERY_POOL_NAMES,
                                    "user",
                                    "password",
                                    "dbname",
                                    "encoding",
                                    "query",
                                    "select_function",
                                    "table",
                                    "select_field",
                                    "where_field",
                                    "additional_conditions",
                                    NULL};

/* ---- hosts: as elsewhere, or a URI ---- */

static bool
is_uri (const char *host)
{
    return g_str_has_prefix (host, "postgresql://") ||
           g_str_has_prefix (host, "postgres://");
}

static bool
names_database (const char *uri)
{
    bool has_name = false;
    PQconninfoOption *options = PQconninfoParse (uri, NULL);
    for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++)
        has_name = has_name || (strcmp (o->keyword, "dbname") == 0 && o->val != NULL);
    PQconninfoFree (options);
    return has_name;
}

/* libpq's own words would repeat the URI, and with it a password. */
static const char *
check_host (const char *host, bool *out_is_first)
{
    *out_is_first = false;
    if (is_uri (host)) {
        char *error = NULL;
        PQconninfoOption *options = PQconninfoParse (host, &error);
        bool is_good = options != NULL;
        PQconninfoFree (options);
        PQfreemem (error);
        return is_good ? NULL : "not a connection URI that libpq understands";
    }
    QueryAddress address;
    const char *why = query_address_parse (host, &address);
    g_free (address.name);
    return why;
}

/* ---- on the thread of a connection ---- */

enum { MAX_OPTIONS = 12 };

typedef struct {
    const char *names[MAX_OPTIONS + 1], *values[MAX_OPTIONS + 1];
    size_t n;
} Options;

static void
add (Options *self, const char *name, const char *value)
{
    if (value == NULL || *value == '\0' || self->n == MAX_OPTIONS)
        return;
    self->names[self->n] = name;
    self->values[self->n++] = value;
}

/* "unix:/dir" as Postfix has it, or the socket itself: "unix:/dir/.s.PGSQL.5433". */
static void
add_socket (Options *self, const char *path, char **keep)
{
    static const char middle[] = "/.s.PGSQL.";
    const char *at = strstr (path, middle);
    *keep = at == NULL ? g_strdup (path) : g_strndup (path, (gsize) (at - path));
    add (self, "host", *keep);
    if (at != NULL)
        add (self, "port", at + strlen (middle));
}

/* One line, without the end. */
static char *
one_line (const char *prefix, const char *text)
{
    char *line = g_strdup_printf ("%s%s", prefix, text);
    g_strchomp (line);
    return g_strdelimit (line, "\r\n\t", ' ');
}

static void
ignore_notice (void *data, const char *text)
{
    (void) data;
    (void) text; /* else libpq writes it to standard error */
}

static void *
pgsql_table_connect (void *table, const char *host, int64_t timeout_s, int *out_fd,
                     char **out_reason)
{
    const PgsqlTable *self = table;
    Options options = {.n = 0};
    QueryAddress address = {NULL, NULL, 0};
    g_autofree char *directory = NULL;
    g_autofree char *port = NULL;
    g_autofree char *timeout = g_strdup_printf ("%d", (int) timeout_s);
    const char *encoding = query_file_text (self->file, "encoding");
    add (&options, "user", query_file_text (self->file, "user"));
    add (&options, "password", query_file_text (self->file, "password"));
    add (&options, "connect_timeout", timeout);
    add (&options, "fallback_application_name", "hikyaku");
    if (is_uri (host)) /* what stands in it counts before user and password above */
        add (&options, "dbname", host);
    if (!is_uri (host) || !names_database (host))
        add (&options, "dbname", query_file_text (self->file, "dbname"));
    if (!is_uri (host)) {
        query_address_parse (host, &address);
        port = address.port == 0 ? NULL : g_strdup_printf ("%u", address.port);
        add (&options, "host", address.name);
        add (&options, "port", port);
        if (address.path != NULL)
            add_socket (&options, address.path, &directory);
    }
    /* also what quoting goes by */
    add (&options, "client_encoding",
         encoding == NULL || *encoding == '\0' ? "UTF8" : encoding);
    PGconn *connection = PQconnectdbParams (options.names, options.values, is_uri (host));
    g_free (address.name);
    if (connection == NULL || PQstatus (connection) != CONNECTION_OK) {
        *out_reason =
            one_line ("connect: ",
                      connection == NULL ? "out of memory" : PQerrorMessage (connection));
        PQfinish (connection);
        return NULL;
    }
    PQsetNoticeProcessor (connection, ignore_notice, NULL);
    *out_fd = PQsocket (connection);
    return connection;
}

static void
pgsql_table_disconnect (void *connection)
{
    PQfinish (connection);
}

typedef struct {
    PGconn *connection;
    bool has_failed;
} Quoting;

static void
quote (GString *out, HkSpan text, void *data)
{
    Quoting *self = data;
    gsize before = out->len;
    int error = 0;
    g_string_set_size (out, before + 2 * text.size + 1);
    size_t n = PQescapeStringConn (self->connection, out->str + before,
                                   (const char *) text.data, text.size, &error);
    g_string_set_size (out, before + n);
    self->has_failed = self->has_failed || error != 0;
}

static QueryOutcome
failure (PGconn *connection, const char *why, char **out_reason)
{
    if (*out_reason == NULL) /* the first one tells most */
        *out_reason = one_line ("query: ", why);
    return PQstatus (connection) == CONNECTION_OK ? QUERY_WRONG : QUERY_LOST;
}

/* All columns of all rows. */
static bool
add_rows (const PGresult *rows, QueryValues *values)
{
    for (int row = 0; row < PQntuples (rows); row++)
        for (int column = 0; column < PQnfields (rows); column++)
            if (!PQgetisnull (rows, row, column) &&
                !query_values_add (values, PQgetvalue (rows, row, column),
                                   (size_t) PQgetlength (rows, row, column)))
                return false;
    return true;
}

static QueryOutcome
take_result (PGconn *connection, const PGresult *result, QueryValues *values,
             char **out_reason)
{
    switch (PQresultStatus (result)) {
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK:
        if (*out_reason == NULL && !add_rows (result, values))
            return failure (connection, "the answer is too long", out_reason);
        return QUERY_DONE;
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        return QUERY_DONE;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH: /* would never end */
        failure (connection, "COPY is not a query", out_reason);
        return QUERY_LOST;
    default:
        return failure (connection, PQresultErrorMessage (result), out_reason);
    }
}

/* Row by row, so that a long answer does not fill the memory. */
static QueryOutcome
fetch_all (PGconn *connection, QueryValues *values, char **out_reason)
{
    QueryOutcome outcome = QUERY_DONE;
    PGresult *result;
    PQsetSingleRowMode (connection);
    while (outcome != QUERY_LOST && (result = PQgetResult (connection)) != NULL) {
        QueryOutcome one = take_result (connection, result, values, out_reason);
        outcome = one == QUERY_DONE ? outcome : one;
        PQclear (result);
    }
    return PQstatus (connection) == CONNECTION_OK || outcome != QUERY_DONE
               ? outcome
               : failure (connection, PQerrorMessage (connection), out_reason);
}

static QueryOutcome
pgsql_table_ask (void *table, void *connection, HkSpan key, QueryValues *values,
                 char **out_reason)
{
    const PgsqlTable *self = table;
    Quoting quoting = {connection, false};
    g_autoptr (GString) sql = g_string_new (NULL);
    if (!query_file_expand (self->file, self->query, key, quote, &quoting, sql))
        return QUERY_DONE;
    if (quoting.has_failed)
        return failure (connection, PQerrorMessage (connection), out_reason);
    if (PQsendQuery (connection, sql->str) == 0)
        return failure (connection, PQerrorMessage (connection), out_reason);
    return fetch_all (connection, values, out_reason);
}

static const QueryDriver driver = {.type = "pgsql",
                                   .connect = pgsql_table_connect,
                                   .ask = pgsql_table_ask,
                                   .disconnect = pgsql_table_disconnect};

/* ---- the table ---- */

static HkAnswer
pgsql_table_get (void *instance, HkCall *call, HkSpan key)
{
    PgsqlTable *self = instance;
    HkAnswer answer = query_file_eligible (self->file, call, key);
    if (answer != HK_FOUND)
        return answer;
    g_autoptr (GString) unquoted = g_string_new (NULL); /* is there anything to ask? */
    if (!query_file_expand (self->file, self->query, key, NULL, NULL, unquoted))
        return HK_ABSENT;
    return query_pool_get (self->pool, call, key);
}

static void
pgsql_table_close (void *instance)
{
    PgsqlTable *self = instance;
    query_pool_close (self->pool);
    query_file_free (self->file);
    g_free (self->call_query);
    g_free (self);
}

/* `query`, then select_function, then the oldest ones. */
static HkAnswer
read_query (PgsqlTable *self, HkCall *call)
{
    const char *query = query_file_text (self->file, "query");
    const char *function = query_file_text (self->file, "select_function");
    if ((query != NULL && *query != '\0') || function == NULL || *function == '\0')
        return query_file_sql (self->file, call, &self->query);
    self->query = self->call_query = g_strdup_printf ("SELECT %s('%%s')", function);
    return query_file_use (self->file, call, "select_function", self->query);
}

static HkAnswer
pgsql_table_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    PgsqlTable *self = g_new0 (PgsqlTable, 1);
    self->host = host;
    HkAnswer answer = query_file_open (host, conf, call, names, &self->file);
    if (answer == HK_OK)
        answer = read_query (self, call);
    if (answer == HK_OK)
        answer = query_pool_open (host, call, self->file, &driver, self, check_host,
                                  &self->pool);
    if (answer == HK_OK)
        *out_instance = self;
    else
        pgsql_table_close (self);
    return answer;
}

static const HkLookupClass pgsql_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "pgsql",
             .flags = HK_MAY_BLOCK | HK_THREAD_SAFE,
             .open = pgsql_table_open,
             .close = pgsql_table_close},
    .get = pgsql_table_get,
};

HK_PLUGIN (lookup_pgsql, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "pgsql: tables, queries to a PostgreSQL server",
           .classes = HK_CLASSES (&pgsql_class.base))
