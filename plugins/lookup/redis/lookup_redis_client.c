/* lookup_redis_client.c: commands to a Redis server and its replies, read by hiredis.
 *
 * Only hiredis' parser and formatter are used: its own connections know a time limit for
 * each read, not for a whole reply.  The server is not trusted: a reply has at most
 * `size_limit` bytes and MAX_VALUES values, in one list.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_redis.h"

enum {
    MAX_VALUES = 10000,
    VALUE_OVERHEAD = 32 /* at most, of a value's length and type in the protocol */
};

/* ---- what hiredis' parser calls.  All objects are the client itself. */

static void *
take_value (const redisReadTask *task, const char *data, size_t size)
{
    LookupRedisClient *self = task->privdata;
    self->size += size;
    if (self->size > self->size_limit) {
        self->bad = "it is larger than data_size_limit";
        return NULL;
    }
    g_ptr_array_add (self->values, g_string_new_len (data, (gssize) size));
    return self;
}

static void *
take_string (const redisReadTask *task, char *data, size_t size)
{
    LookupRedisClient *self = task->privdata;
    if (task->type == REDIS_REPLY_ERROR) {
        if (task->parent == NULL)
            self->is_error = true;
        else
            self->bad = "an error is in a list";
    }
    return take_value (task, data, size);
}

#if HIREDIS_MAJOR >= 1
typedef size_t ListSize;
#else
typedef int ListSize;
#endif

static void *
take_list (const redisReadTask *task, ListSize n)
{
    LookupRedisClient *self = task->privdata;
    if (task->parent != NULL)
        self->bad = "a list is in a list";
    if ((size_t) n > MAX_VALUES)
        self->bad = "it has too many values";
    return self->bad == NULL ? self : NULL;
}

static void *
take_integer (const redisReadTask *task, long long value)
{
    char text[32];
    g_snprintf (text, sizeof text, "%lld", value);
    return take_value (task, text, strlen (text));
}

static void *
take_nil (const redisReadTask *task)
{
    return task->privdata;
}

static void
free_nothing (void *object)
{
    (void) object;
}

/* hiredis takes it without const. */
static redisReplyObjectFunctions functions = {.createString = take_string,
                                              .createArray = take_list,
                                              .createInteger = take_integer,
                                              .createNil = take_nil,
                                              .freeObject = free_nothing};

/* ---- one command */

static void
free_value (gpointer p)
{
    g_string_free (p, TRUE);
}

static HkAnswer
bad_reply (const LookupRedisClient *self, char **out_why)
{
    g_autofree char *said =
        remote_quote (self->reader->errstr, strlen (self->reader->errstr));
    *out_why = g_strdup_printf ("bad reply: %s", self->bad != NULL ? self->bad : said);
    return HK_LATER;
}

/* Feed the parser until the reply is whole. */
static HkAnswer
read_reply (LookupRedisClient *self, gint64 deadline, char **out_why)
{
    char chunk[4096];
    size_t n_read = 0;
    size_t limit = self->size_limit + (size_t) MAX_VALUES * VALUE_OVERHEAD;
    void *reply = NULL;
    while (reply == NULL) {
        ssize_t n = remote_receive (self->base.fd, chunk, sizeof chunk, deadline);
        if (n <= 0) {
            *out_why =
                g_strdup_printf ("reply: %s", n == 0 ? "the server closed the connection"
                                                     : g_strerror (errno));
            return HK_LATER;
        }
        self->base.is_started = true;
        n_read += (size_t) n;
        if (n_read > limit) {
            self->bad = "it is larger than data_size_limit";
            return bad_reply (self, out_why);
        }
        if (redisReaderFeed (self->reader, chunk, (size_t) n) != REDIS_OK ||
            redisReaderGetReply (self->reader, &reply) != REDIS_OK || self->bad != NULL)
            return bad_reply (self, out_why);
    }
    return HK_OK;
}

static HkAnswer
send_words (LookupRedisClient *self, const GPtrArray *words, gint64 deadline,
            char **out_why)
{
    g_autofree const char **argv = g_new (const char *, words->len);
    g_autofree size_t *sizes = g_new (size_t, words->len);
    char *request = NULL;
    for (guint i = 0; i < words->len; i++) {
        const GString *word = g_ptr_array_index (words, i);
        argv[i] = word->str;
        sizes[i] = word->len;
    }
    int size = redisFormatCommandArgv (&request, (int) words->len, argv, sizes);
    if (size < 0)
        g_error ("out of memory");
    bool is_sent = remote_send (self->base.fd, request, (size_t) size, deadline);
    int e = errno;
    redisFreeCommand (request);
    if (is_sent)
        return HK_OK;
    *out_why = g_strdup_printf ("request: %s", g_strerror (e));
    return HK_LATER;
}

HkAnswer
lookup_redis_command (LookupRedisClient *self, const GPtrArray *words, gint64 deadline,
                      char **out_why)
{
    void *more = NULL;
    g_ptr_array_set_size (self->values, 0);
    self->is_error = false;
    self->bad = NULL;
    self->size = 0;
    HkAnswer answer = send_words (self, words, deadline, out_why);
    if (answer == HK_OK)
        answer = read_reply (self, deadline, out_why);
    if (answer != HK_OK)
        return answer;
    if (redisReaderGetReply (self->reader, &more) != REDIS_OK || more != NULL ||
        self->reader->len > self->reader->pos) {
        *out_why = g_strdup ("bad reply: the server sends more than was asked for");
        return HK_LATER;
    }
    if (self->is_error) {
        const GString *said = g_ptr_array_index (self->values, 0);
        *out_why = remote_quote (said->str, said->len);
        return HK_BROKEN;
    }
    return HK_OK;
}

/* ---- setting up */

/* A command of constant words; the last one is NULL. */
static bool
greet (LookupRedisClient *self, const char *const *texts, gint64 deadline, char **out_why)
{
    g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (free_value);
    g_autofree char *why = NULL;
    for (const char *const *p = texts; *p != NULL; p++)
        g_ptr_array_add (words, g_string_new (*p));
    if (lookup_redis_command (self, words, deadline, &why) == HK_OK)
        return true;
    *out_why = g_strdup_printf ("%s: %s", texts[0], why);
    return false;
}

LookupRedisClient *
lookup_redis_client_new (RemoteServer *server, const char *user, const char *password,
                         int64_t db, size_t size_limit, gint64 deadline, char **out_why)
{
    int fd = remote_connect (server, deadline, out_why);
    if (fd < 0)
        return NULL;
    LookupRedisClient *self = g_new0 (LookupRedisClient, 1);
    self->base.fd = fd;
    self->size_limit = size_limit;
    self->values = g_ptr_array_new_with_free_func (free_value);
    self->reader = redisReaderCreateWithFunctions (&functions);
    if (self->reader == NULL)
        g_error ("out of memory");
    self->reader->privdata = self;
    char number[32];
    g_snprintf (number, sizeof number, "%" G_GINT64_FORMAT, (gint64) db);
    const char *auth[] = {"AUTH", user != NULL ? user : password,
                          user != NULL ? password : NULL, NULL};
    const char *select[] = {"SELECT", number, NULL};
    if ((password != NULL && !greet (self, auth, deadline, out_why)) ||
        (db != 0 && !greet (self, select, deadline, out_why))) {
        lookup_redis_client_free (&self->base);
        return NULL;
    }
    return self;
}

void
lookup_redis_client_free (RemoteClient *client)
{
    LookupRedisClient *self = (LookupRedisClient *) client;
    redisReaderFree (self->reader);
    g_ptr_array_unref (self->values);
    close (self->base.fd);
    g_free (self);
}
