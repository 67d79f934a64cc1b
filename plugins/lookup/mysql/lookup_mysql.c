/* lookup_mysql.c: "mysql:" tables: a query to a MySQL or MariaDB server.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../query_pool.h"

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <string.h>

typedef struct {
    const HkHost *host;
    QueryFile *file;
    QueryPool *pool;
    const char *query;
    bool require_result_set, tls_verify_cert;
} MysqlTable;

static const char *const names[] = {QUERY_POOL_NAMES,
                                    "user",
                                    "password",
                                    "dbname",
                                    "query",
                                    "table",
                                    "select_field",
                                    "where_field",
                                    "additional_conditions",
                                    "option_file",
                                    "option_group",
                                    "charset",
                                    "require_result_set",
                                    "tls_cert_file",
                                    "tls_key_file",
                                    "tls_CAfile",
                                    "tls_CApath",
                                    "tls_ciphers",
                                    "tls_verify_cert",
                                    NULL};

/* As in Postfix, sockets before the network. */
static const char *
check_host (const char *text, bool *out_is_first)
{
    QueryAddress address;
    const char *why = query_address_parse (text, &address);
    *out_is_first = address.path != NULL;
    g_free (address.name);
    return why;
}

/* ---- on the thread of a connection ---- */

static const char *
text_of (const MysqlTable *self, const char *name)
{
    const char *text = query_file_text (self->file, name);
    return text == NULL || *text == '\0' ? NULL : text;
}

static void
set_tls (const MysqlTable *self, MYSQL *mysql)
{
    const char *key = text_of (self, "tls_key_file"),
               *cert = text_of (self, "tls_cert_file");
    const char *file = text_of (self, "tls_CAfile"), *path = text_of (self, "tls_CApath");
    const char *ciphers = text_of (self, "tls_ciphers");
    if (key != NULL || cert != NULL || file != NULL || path != NULL || ciphers != NULL ||
        self->tls_verify_cert)
        mysql_ssl_set (mysql, key, cert, file, path, ciphers);
    my_bool verify = self->tls_verify_cert;
    mysql_options (mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

static void
set_options (const MysqlTable *self, MYSQL *mysql, int64_t timeout_s)
{
    unsigned seconds = (unsigned) timeout_s, no = 0;
    const char *file = text_of (self, "option_file"),
               *group = text_of (self, "option_group");
    const char *charset = text_of (self, "charset");
    mysql_options (mysql, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_options (mysql, MYSQL_OPT_READ_TIMEOUT, &seconds);
    mysql_options (mysql, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
    mysql_options (mysql, MYSQL_OPT_LOCAL_INFILE,
                   &no); /* a server must not read our files */
    if (file != NULL)
        mysql_options (mysql, MYSQL_READ_DEFAULT_FILE, file);
    if (group == NULL && query_file_text (self->file, "option_group") == NULL)
        group = "client";
    if (group != NULL)
        mysql_options (mysql, MYSQL_READ_DEFAULT_GROUP, group);
    /* also what quoting goes by */
    mysql_options (mysql, MYSQL_SET_CHARSET_NAME, charset == NULL ? "utf8mb4" : charset);
    set_tls (self, mysql);
}

static void *
mysql_table_connect (void *table, const char *host, int64_t timeout_s, int *out_fd,
                     char **out_reason)
{
    const MysqlTable *self = table;
    QueryAddress address;
    MYSQL *mysql = mysql_init (NULL);
    if (mysql == NULL) {
        *out_reason = g_strdup ("out of memory");
        return NULL;
    }
    query_address_parse (host, &address);
    set_options (self, mysql, timeout_s);
    if (mysql_real_connect (mysql, address.name, text_of (self, "user"),
                            text_of (self, "password"), text_of (self, "dbname"),
                            address.port, address.path, CLIENT_MULTI_RESULTS) == NULL) {
        *out_reason = g_strdup_printf ("connect: %s", mysql_error (mysql));
        g_clear_pointer (&mysql, mysql_close);
    } else
        *out_fd = (int) mysql_get_socket (mysql);
    g_free (address.name);
    return mysql;
}

static void
mysql_table_disconnect (void *connection)
{
    mysql_close (connection);
}

static void
quote (GString *out, HkSpan text, void *data)
{
    gsize before = out->len;
    g_string_set_size (out, before + 2 * text.size + 1);
    unsigned long n = mysql_real_escape_string (data, out->str + before,
                                                (const char *) text.data, text.size);
    g_string_set_size (out, before + n);
}

static QueryOutcome
failure (MYSQL *mysql, char **out_reason)
{
    unsigned e = mysql_errno (mysql);
    *out_reason = g_strdup_printf ("query: %s", mysql_error (mysql));
    bool is_lost = e >= CR_MIN_ERROR && e <= CR_MAX_ERROR;
    is_lost = is_lost || e == ER_SERVER_SHUTDOWN || e == ER_CONNECTION_KILLED ||
              e == ER_NORMAL_SHUTDOWN || e == ER_SHUTDOWN_COMPLETE;
    return is_lost ? QUERY_LOST : QUERY_WRONG;
}

static QueryOutcome
wrong (char **out_reason, const char *text)
{
    g_free (*out_reason);
    *out_reason = g_strdup_printf ("query: %s", text);
    return QUERY_WRONG;
}

/* All columns of all rows. */
static QueryOutcome
fetch_rows (MYSQL *mysql, MYSQL_RES *rows, QueryValues *values, char **out_reason)
{
    MYSQL_ROW row;
    unsigned n = mysql_num_fields (rows);
    while ((row = mysql_fetch_row (rows)) != NULL) {
        const unsigned long *sizes = mysql_fetch_lengths (rows);
        for (unsigned i = 0; i < n; i++)
            if (row[i] != NULL && !query_values_add (values, row[i], sizes[i]))
                return wrong (out_reason, "the answer is too long");
    }
    return mysql_errno (mysql) == 0 ? QUERY_DONE : failure (mysql, out_reason);
}

static QueryOutcome
fetch_result (MYSQL *mysql, unsigned *n_sets, QueryValues *values, char **out_reason)
{
    MYSQL_RES *rows = mysql_use_result (mysql);
    if (rows == NULL)
        return mysql_field_count (mysql) == 0 ? QUERY_DONE : failure (mysql, out_reason);
    QueryOutcome outcome =
        ++*n_sets > 1
            ? wrong (out_reason, "multiple result sets returning data are not supported")
            : fetch_rows (mysql, rows, values, out_reason);
    mysql_free_result (rows); /* reads what is left */
    return outcome;
}

/* Every result set is read, also after an error: the connection goes on. */
static QueryOutcome
fetch_all (const MysqlTable *self, MYSQL *mysql, QueryValues *values, char **out_reason)
{
    unsigned n_sets = 0;
    QueryOutcome outcome = fetch_result (mysql, &n_sets, values, out_reason);
    int more;
    while (outcome != QUERY_LOST && (more = mysql_next_result (mysql)) == 0) {
        char *reason = NULL;
        QueryOutcome one = fetch_result (mysql, &n_sets, values, &reason);
        if (one != QUERY_DONE) {
            g_free (*out_reason);
            *out_reason = g_steal_pointer (&reason);
            outcome = one;
        }
        g_free (reason);
    }
    if (outcome == QUERY_DONE && more > 0)
        return failure (mysql, out_reason);
    if (outcome == QUERY_DONE && n_sets == 0 && self->require_result_set)
        return wrong (out_reason, "no result set (require_result_set = yes)");
    return outcome;
}

static QueryOutcome
mysql_table_ask (void *table, void *connection, HkSpan key, QueryValues *values,
                 char **out_reason)
{
    const MysqlTable *self = table;
    MYSQL *mysql = connection;
    g_autoptr (GString) sql = g_string_new (NULL);
    if (!query_file_expand (self->file, self->query, key, quote, mysql, sql))
        return QUERY_DONE;
    if (mysql_real_query (mysql, sql->str, sql->len) != 0)
        return failure (mysql, out_reason);
    return fetch_all (self, mysql, values, out_reason);
}

static void
thread_start (void)
{
    mysql_thread_init ();
}

static const QueryDriver driver = {.type = "mysql",
                                   .thread_start = thread_start,
                                   .thread_end = mysql_thread_end,
                                   .connect = mysql_table_connect,
                                   .ask = mysql_table_ask,
                                   .disconnect = mysql_table_disconnect};

/* ---- the table ---- */

static HkAnswer
mysql_table_get (void *instance, HkCall *call, HkSpan key)
{
    MysqlTable *self = instance;
    HkAnswer answer = query_file_eligible (self->file, call, key);
    if (answer != HK_FOUND)
        return answer;
    g_autoptr (GString) unquoted = g_string_new (NULL); /* is there anything to ask? */
    if (!query_file_expand (self->file, self->query, key, NULL, NULL, unquoted))
        return HK_ABSENT;
    return query_pool_get (self->pool, call, key);
}

static void
mysql_table_close (void *instance)
{
    MysqlTable *self = instance;
    query_pool_close (self->pool);
    query_file_free (self->file);
    g_free (self);
}

static HkAnswer
read_parameters (MysqlTable *self, HkCall *call)
{
    HkAnswer answer = query_file_sql (self->file, call, &self->query);
    if (answer == HK_OK)
        answer = query_file_flag (self->file, call, "require_result_set", true,
                                  &self->require_result_set);
    if (answer == HK_OK)
        answer = query_file_flag (self->file, call, "tls_verify_cert", false,
                                  &self->tls_verify_cert);
    if (answer == HK_OK)
        answer = query_pool_open (self->host, call, self->file, &driver, self, check_host,
                                  &self->pool);
    return answer;
}

static HkAnswer
mysql_table_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    MysqlTable *self = g_new0 (MysqlTable, 1);
    self->host = host;
    HkAnswer answer = query_file_open (host, conf, call, names, &self->file);
    if (answer == HK_OK)
        answer = read_parameters (self, call);
    if (answer == HK_OK)
        *out_instance = self;
    else
        mysql_table_close (self);
    return answer;
}

static HkAnswer
init (const HkHost *host, HkCall *call)
{
    if (mysql_library_init (0, NULL, NULL) != 0)
        return host->broken (call, "the MySQL client library cannot be set up");
    return HK_OK;
}

static const HkLookupClass mysql_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "mysql",
             .flags = HK_MAY_BLOCK | HK_THREAD_SAFE,
             .open = mysql_table_open,
             .close = mysql_table_close},
    .get = mysql_table_get,
};

HK_PLUGIN (lookup_mysql, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "mysql: tables, queries to a MySQL or MariaDB server",
           .classes = HK_CLASSES (&mysql_class.base), .init = init)
