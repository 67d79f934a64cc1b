/* lookup_redis.c: "redis:" tables: values of a Redis (or Valkey) server.
 *
 * A key is asked for with a command whose words are made before the key comes: a key never
 * makes a word of its own.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_redis.h"

#include "../query_file.h"

enum { MAX_WORDS = 32 };

typedef struct {
    const HkHost *host;
    QueryFile *file;
    RemoteServer *server;
    RemoteClients clients;
    const char *user, *password; /* or NULL */
    char **words;                /* templates of the command's words */
    int64_t db, ttl, data_limit;
} RedisTable;

typedef struct {
    const GPtrArray *words; /* of the command */
    RedisTable *table;
    HkCall *call;
    HkSpan key;
    QueryResult result;
    bool is_get, is_zero; /* the reply to a change is the number 0 */
} Request;

static const char *const names[] = {"redis",   "user",        "password", "db",
                                    "command", "key_format",  "ttl",      "data_size_limit",
                                    "max_try", "retry_pause", "timeout",  NULL};

/* ---- asking the server */

static RemoteClient *
connect_client (void *table, gint64 deadline, char **out_why)
{
    RedisTable *self = table;
    LookupRedisClient *client =
        lookup_redis_client_new (self->server, self->user, self->password, self->db,
                                 (size_t) self->data_limit, deadline, out_why);
    return client == NULL ? NULL : &client->base;
}

/* The values of a reply go into the result while the client is still ours. */
static HkAnswer
run_request (RemoteClient *client, void *data, gint64 deadline, char **out_why)
{
    LookupRedisClient *c = (LookupRedisClient *) client;
    Request *r = data;
    HkAnswer answer = lookup_redis_command (c, r->words, deadline, out_why);
    if (answer != HK_OK)
        return answer;
    if (!r->is_get) {
        r->is_zero = c->values->len == 1 &&
                     strcmp (((GString *) c->values->pdata[0])->str, "0") == 0;
        return HK_OK;
    }
    for (guint i = 0; i < c->values->len && answer == HK_OK; i++) {
        const GString *value = c->values->pdata[i];
        HkSpan span = {(const uint8_t *) value->str, value->len};
        answer = query_file_add (r->table->file, r->call, &r->result, r->key, span);
    }
    return answer == HK_OK ? HK_OK : HK_ABSENT; /* the call has the reason */
}

/* HK_OK: done; HK_ABSENT: the reason is given; HK_LATER. */
static HkAnswer
ask (Request *request)
{
    RedisTable *self = request->table;
    g_autofree char *why = NULL;
    gint64 deadline = remote_deadline (self->host, request->call, self->clients.timeout_s);
    HkAnswer answer = remote_clients_ask (&self->clients, request, deadline, &why);
    if (answer == HK_LATER || answer == HK_BROKEN)
        return self->host->later (request->call, "%s: server %s: %s",
                                  query_file_name (self->file), self->server->text, why);
    return answer == HK_OK ? HK_OK : HK_LATER;
}

/* ---- commands */

static void
free_word (gpointer p)
{
    g_string_free (p, TRUE);
}

static void
add_word (GPtrArray *words, const char *text, size_t size)
{
    g_ptr_array_add (words, g_string_new_len (text, (gssize) size));
}

/* HK_FOUND, or why the key is not asked for: HK_ABSENT, HK_LATER. */
static HkAnswer
make_words (RedisTable *self, HkCall *call, HkSpan key, GPtrArray **out)
{
    g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (free_word);
    HkAnswer answer = query_file_eligible (self->file, call, key);
    if (answer != HK_FOUND)
        return answer;
    for (char **p = self->words; *p != NULL; p++) {
        GString *word = g_string_new (NULL);
        g_ptr_array_add (words, word);
        if (!query_file_expand (self->file, *p, key, NULL, NULL, word))
            return HK_ABSENT;
    }
    *out = g_steal_pointer (&words);
    return HK_FOUND;
}

static HkAnswer
redis_get (void *instance, HkCall *call, HkSpan key)
{
    RedisTable *self = instance;
    g_autoptr (GPtrArray) words = NULL;
    HkAnswer answer = make_words (self, call, key, &words);
    if (answer != HK_FOUND)
        return answer;
    Request request = {
        .words = words, .table = self, .call = call, .key = key, .is_get = true};
    answer = ask (&request);
    return query_file_finish (self->file, call, &request.result, answer);
}

/* GET becomes VERB, HGET the same of a hash; others cannot be turned round. */
static HkAnswer
change_words (RedisTable *self, HkCall *call, HkSpan key, const char *verb, GPtrArray **out)
{
    bool is_hash = g_ascii_strcasecmp (self->words[0], "HGET") == 0;
    guint n = g_strv_length (self->words);
    if (!(is_hash && n == 3) &&
        !(g_ascii_strcasecmp (self->words[0], "GET") == 0 && n == 2))
        return self->host->broken (call, "%s: only GET and HGET tables can be changed",
                                   query_file_name (self->file));
    HkAnswer answer = make_words (self, call, key, out);
    if (answer == HK_ABSENT)
        self->host->log (self->host, HK_LOG_WARNING,
                         "%s: skipping a change of \"%.*s\": the table does not have such "
                         "keys",
                         query_file_name (self->file), (int) MIN (key.size, 320),
                         (const char *) key.data);
    if (answer == HK_FOUND)
        g_string_printf ((*out)->pdata[0], "%s%s", is_hash ? "H" : "", verb);
    return answer;
}

static HkAnswer
redis_put (void *instance, HkCall *call, HkSpan key, HkSpan value)
{
    RedisTable *self = instance;
    g_autoptr (GPtrArray) words = NULL;
    char ttl[32];
    HkAnswer answer = change_words (self, call, key, "SET", &words);
    if (answer == HK_ABSENT)
        return HK_OK;
    if (answer != HK_FOUND)
        return answer;
    add_word (words, (const char *) value.data, value.size);
    if (self->ttl > 0 && words->len == 3) { /* the fields of a hash have no ttl */
        g_snprintf (ttl, sizeof ttl, "%" G_GINT64_FORMAT, (gint64) self->ttl);
        add_word (words, "EX", 2);
        add_word (words, ttl, strlen (ttl));
    }
    Request request = {.words = words, .table = self, .call = call, .key = key};
    return ask (&request);
}

static HkAnswer
redis_del (void *instance, HkCall *call, HkSpan key)
{
    RedisTable *self = instance;
    g_autoptr (GPtrArray) words = NULL;
    HkAnswer answer = change_words (self, call, key, "DEL", &words);
    if (answer != HK_FOUND)
        return answer;
    Request request = {.words = words, .table = self, .call = call, .key = key};
    answer = ask (&request);
    return answer == HK_OK && request.is_zero ? HK_ABSENT : answer;
}

/* ---- open and close */

static void
redis_close (void *instance)
{
    RedisTable *self = instance;
    remote_clients_end (&self->clients);
    remote_server_free (self->server);
    g_strfreev (self->words);
    query_file_free (self->file);
    g_free (self);
}

static HkAnswer
read_numbers (RedisTable *self, HkCall *call)
{
    const struct {
        const char *name;
        int64_t preset, min, max;
        bool is_time;
        int64_t *out;
    } numbers[] = {
        {"db", 0, 0, G_MAXINT32, false, &self->db},
        {"ttl", 0, 0, G_MAXINT32, true, &self->ttl},
        {"data_size_limit", 10240, 1, 64 << 20, false, &self->data_limit},
        {"max_try", 2, 1, 1000, false, &self->clients.max_try},
        {"retry_pause", 1, 0, 3600, true, &self->clients.retry_pause_s},
        {"timeout", 2, 1, 3600, true, &self->clients.timeout_s},
    };
    HkAnswer answer = HK_OK;
    for (size_t i = 0; i < G_N_ELEMENTS (numbers) && answer == HK_OK; i++)
        answer = (numbers[i].is_time ? query_file_seconds : query_file_number) (
            self->file, call, numbers[i].name, numbers[i].preset, numbers[i].min,
            numbers[i].max, numbers[i].out);
    return answer;
}

/* "GET", "HGET mail", "HGET mail:%d %u": without a %, the key is the last word. */
static HkAnswer
read_command (RedisTable *self, HkCall *call)
{
    const char *command = query_file_text (self->file, "command");
    const char *key_format = query_file_text (self->file, "key_format");
    const char *name = query_file_name (self->file);
    g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);
    if (command == NULL)
        command = "GET";
    g_auto (GStrv) split = g_strsplit_set (command, " \t\r\n", -1);
    for (char **p = split; *p != NULL; p++)
        if (**p != '\0')
            g_ptr_array_add (words, g_strdup (*p));
    bool has_key = strchr (command, '%') != NULL;
    if (words->len == 0 || words->len > MAX_WORDS || strchr (words->pdata[0], '%') != NULL)
        return self->host->broken (call, "%s: command = %s: expected a command of Redis",
                                   name, command);
    if (has_key && key_format != NULL)
        return self->host->broken (
            call, "%s: key_format is for a command without a %% expansion", name);
    if (!has_key)
        g_ptr_array_add (
            words,
            g_strdup (key_format != NULL && *key_format != '\0' ? key_format : "%s"));
    HkAnswer answer = HK_OK;
    for (guint i = 0; i < words->len && answer == HK_OK; i++)
        answer = query_file_use (self->file, call, has_key ? "command" : "key_format",
                                 words->pdata[i]);
    g_ptr_array_add (words, NULL);
    g_ptr_array_set_free_func (words, NULL);
    self->words = (char **) g_ptr_array_free (g_steal_pointer (&words), FALSE);
    return answer;
}

static const char *
text_or_null (const RedisTable *self, const char *name)
{
    const char *text = query_file_text (self->file, name);
    return text == NULL || *text == '\0' ? NULL : text;
}

static HkAnswer
read_parameters (RedisTable *self, HkCall *call)
{
    const char *server = query_file_text (self->file, "redis");
    HkAnswer answer = read_numbers (self, call);
    if (answer == HK_OK)
        answer = read_command (self, call);
    if (answer != HK_OK)
        return answer;
    server = server != NULL ? server : "inet:localhost:6379";
    self->user = text_or_null (self, "user");
    self->password = text_or_null (self, "password");
    self->server = remote_server_parse (server, "6379");
    if (self->server == NULL)
        return self->host->broken (call,
                                   "%s: redis = %s: expected inet:host:port or unix:/path",
                                   query_file_name (self->file), server);
    if (self->user != NULL && self->password == NULL)
        return self->host->broken (call, "%s: user is set, but no password",
                                   query_file_name (self->file));
    return HK_OK;
}

static HkAnswer
redis_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    QueryFile *file;
    HkAnswer answer = query_file_open (host, conf, call, names, &file);
    if (answer != HK_OK)
        return answer;
    RedisTable *self = g_new0 (RedisTable, 1);
    self->host = host;
    self->file = file;
    self->clients.table = self;
    self->clients.connect = connect_client;
    self->clients.run = run_request;
    self->clients.free_client = lookup_redis_client_free;
    remote_clients_start (&self->clients);
    answer = read_parameters (self, call);
    if (answer == HK_OK)
        *out_instance = self;
    else
        redis_close (self);
    return answer;
}

static const HkLookupClass redis_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "redis",
             .flags = HK_MAY_BLOCK | HK_THREAD_SAFE,
             .open = redis_open,
             .close = redis_close},
    .get = redis_get,
    .put = redis_put,
    .del = redis_del,
};

HK_PLUGIN (lookup_redis, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "redis: tables, values of a Redis or Valkey server",
           .classes = HK_CLASSES (&redis_class.base))
