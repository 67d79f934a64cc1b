/* lookup_socketmap.c: "socketmap:" tables: Sendmail's socketmap protocol, netstrings to a
 * server, socketmap_table(5).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../stream.h"

enum { MAX_KEY = 100000, MAX_DIGITS = 9 };

typedef struct {
    Stream *stream;
    char *map; /* the name that the server knows the table by */
    gsize max_reply;
} SocketmapTable;

/* ---- netstrings: "5:hello," ---- */

/* Length of what DATA begins with, and in *OUT_START where its text begins.  0: whole
 * length is there; 1: not yet; -1: it is no length. */
static int
parse_length (const char *data, gsize size, gsize *out_length, gsize *out_start)
{
    gsize n = 0, i = 0;
    for (; i < size && g_ascii_isdigit (data[i]); i++) {
        if (i == MAX_DIGITS)
            return -1;
        n = n * 10 + (gsize) (data[i] - '0');
    }
    if (i == size)
        return 1;
    *out_length = n;
    *out_start = i + 1;
    return i > 0 && data[i] == ':' ? 0 : -1;
}

static int
check_netstring (const char *data, gsize size, const char **why)
{
    gsize length, start;
    int state = parse_length (data, size, &length, &start);
    if (state == 0 && size - start <= length)
        return 1;
    if (state < 0 || (state == 0 && data[start + length] != ','))
        *why = "malformed reply: it is no netstring";
    else if (state == 0 && size != start + length + 1)
        *why = "malformed reply: there is more after its end";
    return *why == NULL ? state : -1;
}

/* ---- open, close ---- */

/* "inet:host:port", "unix:path". */
static bool
parse_server (Stream *stream, const char *text)
{
    if (g_str_has_prefix (text, "inet:"))
        return stream_parse_inet (stream, text + strlen ("inet:"));
    if (!g_str_has_prefix (text, "unix:") || text[strlen ("unix:")] == '\0')
        return false;
    stream->path = g_strdup (text + strlen ("unix:"));
    return true;
}

static HkAnswer
socketmap_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkSpan argument = host->conf_argument (conf);
    g_autofree char *text = g_strndup ((const char *) argument.data, argument.size);
    g_autofree char *server = g_strdup (text);
    char *colon = strrchr (server, ':');
    if (colon != NULL)
        *colon = '\0';
    Stream *stream = stream_new (host);
    bool has_map = colon != NULL && colon[1] != '\0' && strchr (colon + 1, '/') == NULL;
    if (!has_map || !parse_server (stream, server)) {
        stream_free (stream);
        return host->broken (call,
                             "bad server in \"socketmap:%s\"; need inet:host:port:name or "
                             "unix:path:name",
                             text);
    }
    SocketmapTable *self = g_new0 (SocketmapTable, 1);
    self->stream = stream;
    self->map = g_strdup (colon + 1);
    self->max_reply = (gsize) host->conf_int (conf, "socketmap_max_reply_size");
    stream->label = g_strconcat ("socketmap:", text, NULL);
    stream->timeout_us = host->conf_int (conf, "socketmap_timeout") * G_USEC_PER_SEC;
    stream->max_idle_us = host->conf_int (conf, "socketmap_max_idle") * G_USEC_PER_SEC;
    stream->max_age_us = host->conf_int (conf, "socketmap_max_ttl") * G_USEC_PER_SEC;
    stream->limit = self->max_reply + MAX_DIGITS + 2; /* length, ':', ',' */
    stream->check = check_netstring;
    *out_instance = self;
    return HK_OK;
}

static void
socketmap_close (void *instance)
{
    SocketmapTable *self = instance;
    stream_free (self->stream);
    g_free (self->map);
    g_free (self);
}

/* ---- get ---- */

static HkAnswer
malformed (const SocketmapTable *self, HkCall *call, const char *text)
{
    g_autofree char *quote = g_strescape (text, NULL);
    return self->stream->host->later (call, "%s: malformed reply: %.100s",
                                      self->stream->label, quote);
}

/* STATUS and TEXT of a whole reply. */
static HkAnswer
judge (const SocketmapTable *self, HkCall *call, const char *status, const char *text,
       gsize text_size)
{
    const HkHost *host = self->stream->host;
    if (strcmp (status, "OK") == 0) {
        host->answer (call, text, text_size);
        return HK_FOUND;
    }
    if (strcmp (status, "NOTFOUND") == 0)
        return HK_ABSENT;
    if (strcmp (status, "TEMP") == 0 || strcmp (status, "TIMEOUT") == 0)
        return host->later (call, "%s: the server says: %s %s", self->stream->label, status,
                            text);
    if (strcmp (status, "PERM") == 0)
        return host->broken (call, "%s: the server says: %s %s", self->stream->label,
                             status, text);
    return malformed (self, call, status);
}

static HkAnswer
socketmap_get (void *instance, HkCall *call, HkSpan key)
{
    SocketmapTable *self = instance;
    g_autoptr (GString) request = g_string_new (NULL), reply = g_string_new (NULL);
    gsize length, start;
    if (key.size > MAX_KEY)
        return HK_ABSENT;
    g_string_append_printf (request, "%zu:%s ", strlen (self->map) + 1 + key.size,
                            self->map);
    g_string_append_len (request, (const char *) key.data, (gssize) key.size);
    g_string_append_c (request, ',');
    HkAnswer answer = stream_ask (self->stream, call, request, reply);
    if (answer != HK_OK)
        return answer;
    parse_length (reply->str, reply->len, &length, &start);
    if (length > self->max_reply)
        return self->stream->host->later (call, "%s: the reply is too long",
                                          self->stream->label);
    g_string_truncate (reply, start + length);
    char *status = reply->str + start, *blank = memchr (status, ' ', length);
    if (blank == NULL || memchr (status, '\0', length) != NULL)
        return malformed (self, call, status);
    *blank = '\0';
    return judge (self, call, status, blank + 1,
                  (gsize) (reply->str + reply->len - blank - 1));
}

static const HkParam socketmap_params[] = {
    {"socketmap_timeout", HK_PARAM_TIME, HK_PARAM_RELOADABLE, "100s", 1, 3600, NULL,
     "Time limit for one lookup in a socketmap: table, connecting included."},
    {"socketmap_max_idle", HK_PARAM_TIME, HK_PARAM_RELOADABLE, "10s", 1, 86400, NULL,
     "How long an idle connection to the server of a socketmap: table is kept."},
    {"socketmap_max_ttl", HK_PARAM_TIME, HK_PARAM_RELOADABLE, "100s", 1, 86400, NULL,
     "How old a connection to the server of a socketmap: table may become."},
    {"socketmap_max_reply_size", HK_PARAM_SIZE, HK_PARAM_RELOADABLE, "100000", 100,
     10000000, NULL, "Longest reply of the server of a socketmap: table, in bytes."},
    {0},
};

static const HkLookupClass socketmap_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "socketmap",
             /* Netstrings carry any byte. */
             .flags = HK_THREAD_SAFE | HK_MAY_BLOCK | HK_PATTERN_KEYS | HK_BINARY_KEYS,
             .params = socketmap_params,
             .open = socketmap_open,
             .close = socketmap_close},
    .get = socketmap_get,
};

HK_PLUGIN (lookup_socketmap, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "socketmap: tables, a server that is asked with netstrings",
           .classes = HK_CLASSES (&socketmap_class.base))
