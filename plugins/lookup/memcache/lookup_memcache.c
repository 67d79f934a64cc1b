/* lookup_memcache.c: "memcache:" tables: a memcached, with or without a table behind it.
 *
 * The parameters are those of memcache_table(5).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_memcache.h"

#include "../query_file.h"

enum { ASK_GET, ASK_SET, ASK_DELETE };

typedef struct {
    const HkHost *host;
    QueryFile *file;
    RemoteServer *server;
    RemoteClients clients;
    HkTable *backup; /* or NULL */
    const char *key_format;
    int64_t flags, ttl, data_limit, line_limit;
    int was_down; /* the log says that the cache in front of `backup` is down; atomic */
} MemcacheTable;

typedef struct {
    const MemcacheTable *table;
    int what;
    const char *key;
    HkSpan value;   /* ASK_SET */
    GString *found; /* ASK_GET */
} Request;

static const char *const names[] = {
    "memcache",        "backup",  "flags",       "ttl",     "key_format", "data_size_limit",
    "line_size_limit", "max_try", "retry_pause", "timeout", NULL};

/* ---- asking the server */

static RemoteClient *
connect_client (void *table, gint64 deadline, char **out_why)
{
    MemcacheTable *self = table;
    LookupMemcacheClient *client =
        lookup_memcache_client_new (self->server, (size_t) self->line_limit,
                                    (size_t) self->data_limit, deadline, out_why);
    return client == NULL ? NULL : &client->base;
}

static HkAnswer
run_request (RemoteClient *client, void *data, gint64 deadline, char **out_why)
{
    LookupMemcacheClient *c = (LookupMemcacheClient *) client;
    Request *r = data;
    switch (r->what) {
    case ASK_GET:
        return lookup_memcache_get (c, r->key, r->found, deadline, out_why);
    case ASK_SET:
        return lookup_memcache_set (c, r->key, (guint32) r->table->flags, r->table->ttl,
                                    r->value, deadline, out_why);
    default:
        return lookup_memcache_delete (c, r->key, deadline, out_why);
    }
}

static HkAnswer
ask (MemcacheTable *self, HkCall *call, Request *request, gint64 deadline)
{
    g_autofree char *why = NULL;
    HkAnswer answer = remote_clients_ask (&self->clients, request, deadline, &why);
    if (answer == HK_LATER)
        self->host->later (call, "%s: server %s: %s", query_file_name (self->file),
                           self->server->text, why);
    return answer;
}

/* The same where the backup table helps out: only the log knows, once. */
static HkAnswer
ask_cache (MemcacheTable *self, Request *request, gint64 deadline)
{
    g_autofree char *why = NULL;
    HkAnswer answer = remote_clients_ask (&self->clients, request, deadline, &why);
    int is_down = answer == HK_LATER;
    if (g_atomic_int_compare_and_exchange (&self->was_down, !is_down, is_down) && is_down)
        self->host->log (self->host, HK_LOG_WARNING,
                         "%s: server %s: %s; asking only the backup table",
                         query_file_name (self->file), self->server->text, why);
    return answer;
}

/* ---- keys */

/* HK_FOUND with the server's key; HK_ABSENT: a key that the table cannot have, OUT_WHY (a
 * constant) says why; HK_LATER. */
static HkAnswer
make_key (MemcacheTable *self, HkCall *call, HkSpan key, GString *out, const char **out_why)
{
    HkAnswer answer = query_file_eligible (self->file, call, key);
    *out_why = "not on the domain list";
    if (answer != HK_FOUND)
        return answer;
    *out_why = "the key lacks what key_format needs";
    if (!query_file_expand (self->file, self->key_format, key, NULL, NULL, out))
        return HK_ABSENT;
    *out_why = "blanks in the key, or more than 250 bytes";
    return lookup_memcache_is_key (out->str, out->len) ? HK_FOUND : HK_ABSENT;
}

/* ---- the table */

/* The cache, else the backup table, whose answer then goes into the cache. */
static HkAnswer
get_with_backup (MemcacheTable *self, HkCall *call, HkSpan key, Request *request,
                 gint64 deadline)
{
    HkSpan value;
    HkAnswer cached = ask_cache (self, request, deadline);
    if (cached == HK_FOUND) {
        self->host->answer (call, request->found->str, request->found->len);
        return cached;
    }
    HkAnswer answer = self->host->table_get (self->backup, call, key, &value);
    if (answer != HK_FOUND)
        return answer;
    Request set = {.table = self, .what = ASK_SET, .key = request->key, .value = value};
    if (cached == HK_ABSENT)
        ask_cache (self, &set, deadline);
    self->host->answer (call, value.data, value.size);
    return HK_FOUND;
}

static HkAnswer
memcache_get (void *instance, HkCall *call, HkSpan key)
{
    MemcacheTable *self = instance;
    const char *why;
    g_autoptr (GString) cache_key = g_string_new (NULL);
    g_autoptr (GString) found = g_string_new (NULL);
    gint64 deadline = remote_deadline (self->host, call, self->clients.timeout_s);
    HkAnswer answer = make_key (self, call, key, cache_key, &why);
    if (answer != HK_FOUND)
        return answer;
    Request request = {
        .table = self, .what = ASK_GET, .key = cache_key->str, .found = found};
    if (self->backup != NULL)
        return get_with_backup (self, call, key, &request, deadline);
    answer = ask (self, call, &request, deadline);
    if (answer == HK_FOUND)
        self->host->answer (call, found->str, found->len);
    return answer;
}

static HkAnswer
change (MemcacheTable *self, HkCall *call, HkSpan key, int what, HkSpan value)
{
    const char *why, *name = query_file_name (self->file);
    g_autoptr (GString) cache_key = g_string_new (NULL);
    gint64 deadline = remote_deadline (self->host, call, self->clients.timeout_s);
    if (self->backup != NULL)
        return self->host->broken (call, "%s: change the backup table %s instead", name,
                                   query_file_text (self->file, "backup"));
    HkAnswer answer = make_key (self, call, key, cache_key, &why);
    if (answer == HK_ABSENT)
        self->host->log (self->host, HK_LOG_WARNING,
                         "%s: skipping a change of \"%.*s\": %s", name,
                         (int) MIN (key.size, 320), (const char *) key.data, why);
    if (answer != HK_FOUND)
        return answer;
    Request request = {.table = self, .what = what, .key = cache_key->str, .value = value};
    return ask (self, call, &request, deadline);
}

static HkAnswer
memcache_put (void *instance, HkCall *call, HkSpan key, HkSpan value)
{
    HkAnswer answer = change (instance, call, key, ASK_SET, value);
    return answer == HK_FOUND || answer == HK_ABSENT ? HK_OK : answer;
}

static HkAnswer
memcache_del (void *instance, HkCall *call, HkSpan key)
{
    HkAnswer answer = change (instance, call, key, ASK_DELETE, (HkSpan){NULL, 0});
    return answer == HK_FOUND ? HK_OK : answer;
}

/* ---- open and close */

static void
memcache_close (void *instance)
{
    MemcacheTable *self = instance;
    remote_clients_end (&self->clients);
    remote_server_free (self->server);
    if (self->backup != NULL)
        self->host->table_close (self->backup);
    query_file_free (self->file);
    g_free (self);
}

static HkAnswer
read_numbers (MemcacheTable *self, HkCall *call)
{
    const struct {
        const char *name;
        int64_t preset, min, max;
        bool is_time;
        int64_t *out;
    } numbers[] = {
        {"flags", 0, 0, G_MAXUINT32, false, &self->flags},
        {"ttl", 3600, 0, G_MAXINT32, true, &self->ttl},
        {"data_size_limit", 10240, 1, 64 << 20, false, &self->data_limit},
        {"line_size_limit", 1024, 1, 1 << 20, false, &self->line_limit},
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

static HkAnswer
read_parameters (MemcacheTable *self, HkCall *call)
{
    const char *server = query_file_text (self->file, "memcache");
    const char *backup = query_file_text (self->file, "backup");
    HkAnswer answer = read_numbers (self, call);
    if (answer != HK_OK)
        return answer;
    server = server != NULL ? server : "inet:localhost:11211";
    self->server = remote_server_parse (server, NULL);
    if (self->server == NULL)
        return self->host->broken (
            call, "%s: memcache = %s: expected inet:host:port or unix:/path",
            query_file_name (self->file), server);
    self->key_format = query_file_text (self->file, "key_format");
    if (self->key_format == NULL || *self->key_format == '\0')
        self->key_format = "%s";
    answer = query_file_use (self->file, call, "key_format", self->key_format);
    if (answer != HK_OK || backup == NULL || *backup == '\0')
        return answer;
    HkSpan spec = {(const uint8_t *) backup, strlen (backup)};
    return self->host->table_open (self->host, call, spec, &self->backup);
}

static HkAnswer
memcache_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    QueryFile *file;
    HkAnswer answer = query_file_open (host, conf, call, names, &file);
    if (answer != HK_OK)
        return answer;
    MemcacheTable *self = g_new0 (MemcacheTable, 1);
    self->host = host;
    self->file = file;
    self->clients.table = self;
    self->clients.connect = connect_client;
    self->clients.run = run_request;
    self->clients.free_client = lookup_memcache_client_free;
    remote_clients_start (&self->clients);
    answer = read_parameters (self, call);
    if (answer == HK_OK)
        *out_instance = self;
    else
        memcache_close (self);
    return answer;
}

static const HkLookupClass memcache_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "memcache",
             .flags = HK_MAY_BLOCK | HK_THREAD_SAFE,
             .open = memcache_open,
             .close = memcache_close},
    .get = memcache_get,
    .put = memcache_put,
    .del = memcache_del,
};

HK_PLUGIN (lookup_memcache, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "memcache: tables, a memcached server with an optional backup table",
           .classes = HK_CLASSES (&memcache_class.base))
