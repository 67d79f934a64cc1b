/* lookup_memcache_client.c: the memcached text protocol: get, set, delete.
 *
 * The server is not trusted: lines and data are bounded, an answer must be about the key
 * that was asked for, and whatever does not look like an answer ends the connection.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_memcache.h"

LookupMemcacheClient *
lookup_memcache_client_new (RemoteServer *server, size_t line_limit, size_t data_limit,
                            gint64 deadline, char **out_why)
{
    int fd = remote_connect (server, deadline, out_why);
    if (fd < 0)
        return NULL;
    LookupMemcacheClient *self = g_new0 (LookupMemcacheClient, 1);
    self->base.fd = fd;
    self->in = g_string_new (NULL);
    self->line_limit = line_limit;
    self->data_limit = data_limit;
    return self;
}

void
lookup_memcache_client_free (RemoteClient *client)
{
    LookupMemcacheClient *self = (LookupMemcacheClient *) client;
    close (self->base.fd);
    g_string_free (self->in, TRUE);
    g_free (self);
}

bool
lookup_memcache_is_key (const char *key, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((guchar) key[i] <= ' ' || key[i] == 0x7f)
            return false;
    return size > 0 && size <= LOOKUP_MEMCACHE_KEY_MAX;
}

static bool
fill (LookupMemcacheClient *self, gint64 deadline, char **out_why)
{
    char chunk[4096];
    ssize_t n = remote_receive (self->base.fd, chunk, sizeof chunk, deadline);
    if (n <= 0) {
        *out_why = g_strdup_printf ("reply: %s", n == 0 ? "the server closed the connection"
                                                        : g_strerror (errno));
        return false;
    }
    self->base.is_started = true;
    g_string_append_len (self->in, chunk, n);
    return true;
}

/* The next line without its end, borrowed until the next read. */
static bool
read_line (LookupMemcacheClient *self, gint64 deadline, const char **out_line,
           size_t *out_size, char **out_why)
{
    for (size_t seen = self->at;;) {
        const char *start = self->in->str + self->at;
        const char *end = memchr (self->in->str + seen, '\n', self->in->len - seen);
        size_t size =
            (size_t) ((end != NULL ? end : self->in->str + self->in->len) - start);
        if (size > self->line_limit) {
            *out_why =
                g_strdup_printf ("a reply line is longer than %zu bytes", self->line_limit);
            return false;
        }
        if (end != NULL) {
            self->at += size + 1;
            *out_line = start;
            *out_size = size > 0 && start[size - 1] == '\r' ? size - 1 : size;
            return true;
        }
        seen = self->in->len;
        if (!fill (self, deadline, out_why))
            return false;
    }
}

static bool
read_data (LookupMemcacheClient *self, size_t size, gint64 deadline, GString *value,
           char **out_why)
{
    while (self->in->len - self->at < size + 2)
        if (!fill (self, deadline, out_why))
            return false;
    const char *start = self->in->str + self->at;
    if (memcmp (start + size, "\r\n", 2) != 0) {
        *out_why = g_strdup ("the data do not end where the server says");
        return false;
    }
    g_string_truncate (value, 0);
    g_string_append_len (value, start, (gssize) size);
    self->at += size + 2;
    return true;
}

static bool
is_word (const char *line, size_t size, const char *word)
{
    return size == strlen (word) && memcmp (line, word, size) == 0;
}

static HkAnswer
unexpected (const char *line, size_t size, char **out_why)
{
    g_autofree char *said = remote_quote (line, size);
    *out_why = g_strdup_printf ("unexpected reply \"%s\"", said);
    return HK_LATER;
}

/* Send one request; before it, nothing may have come that nobody asked for. */
static bool
ask (LookupMemcacheClient *self, HkSpan request, gint64 deadline, char **out_why)
{
    bool is_clean = self->at == self->in->len;
    g_string_truncate (self->in, 0);
    self->at = 0;
    if (!is_clean) {
        *out_why = g_strdup ("the server sends more than was asked for");
        return false;
    }
    if (remote_send (self->base.fd, request.data, request.size, deadline))
        return true;
    *out_why = g_strdup_printf ("request: %s", g_strerror (errno));
    return false;
}

static HkAnswer
done (LookupMemcacheClient *self, HkAnswer answer, char **out_why)
{
    if (answer == HK_LATER)
        return answer;
    if (self->at != self->in->len) {
        *out_why = g_strdup ("the server sends more than was asked for");
        return HK_LATER;
    }
    return answer;
}

/* "VALUE <key> <flags> <bytes>" about KEY; false when it is not that. */
static bool
parse_value_line (const char *line, size_t size, const char *key, guint64 *out_size)
{
    g_autofree char *text = g_strndup (line, size);
    g_auto (GStrv) words = g_strsplit (text, " ", 6);
    guint64 flags;
    return strlen (text) == size && g_strv_length (words) == 4 &&
           strcmp (words[0], "VALUE") == 0 && strcmp (words[1], key) == 0 &&
           g_ascii_string_to_unsigned (words[2], 10, 0, G_MAXUINT32, &flags, NULL) &&
           g_ascii_string_to_unsigned (words[3], 10, 0, G_MAXINT32, out_size, NULL);
}

static HkAnswer
get (LookupMemcacheClient *self, const char *key, GString *value, gint64 deadline,
     char **out_why)
{
    const char *line;
    size_t size;
    guint64 data_size;
    g_autofree char *request = g_strdup_printf ("get %s\r\n", key);
    HkSpan span = {(const guint8 *) request, strlen (request)};
    if (!ask (self, span, deadline, out_why) ||
        !read_line (self, deadline, &line, &size, out_why))
        return HK_LATER;
    if (is_word (line, size, "END"))
        return HK_ABSENT;
    if (!parse_value_line (line, size, key, &data_size))
        return unexpected (line, size, out_why);
    if (data_size > self->data_limit) {
        *out_why = g_strdup_printf ("a reply of %" G_GUINT64_FORMAT
                                    " bytes is larger than data_size_limit = %zu",
                                    data_size, self->data_limit);
        return HK_LATER;
    }
    if (!read_data (self, (size_t) data_size, deadline, value, out_why) ||
        !read_line (self, deadline, &line, &size, out_why))
        return HK_LATER;
    return is_word (line, size, "END") ? HK_FOUND : unexpected (line, size, out_why);
}

HkAnswer
lookup_memcache_get (LookupMemcacheClient *self, const char *key, GString *value,
                     gint64 deadline, char **out_why)
{
    return done (self, get (self, key, value, deadline, out_why), out_why);
}

/* A request that is answered with one line. */
static HkAnswer
change (LookupMemcacheClient *self, HkSpan request, const char *yes, const char *no,
        gint64 deadline, char **out_why)
{
    const char *line;
    size_t size;
    if (!ask (self, request, deadline, out_why) ||
        !read_line (self, deadline, &line, &size, out_why))
        return HK_LATER;
    if (is_word (line, size, yes))
        return done (self, HK_FOUND, out_why);
    if (no != NULL && is_word (line, size, no))
        return done (self, HK_ABSENT, out_why);
    return unexpected (line, size, out_why);
}

HkAnswer
lookup_memcache_set (LookupMemcacheClient *self, const char *key, guint32 flags, gint64 ttl,
                     HkSpan value, gint64 deadline, char **out_why)
{
    g_autoptr (GString) request = g_string_new (NULL);
    g_string_printf (request, "set %s %u %" G_GINT64_FORMAT " %zu\r\n", key,
                     (unsigned) flags, ttl, value.size);
    g_string_append_len (request, (const char *) value.data, (gssize) value.size);
    g_string_append (request, "\r\n");
    HkSpan span = {(const guint8 *) request->str, request->len};
    return change (self, span, "STORED", NULL, deadline, out_why);
}

HkAnswer
lookup_memcache_delete (LookupMemcacheClient *self, const char *key, gint64 deadline,
                        char **out_why)
{
    g_autofree char *request = g_strdup_printf ("delete %s\r\n", key);
    HkSpan span = {(const guint8 *) request, strlen (request)};
    return change (self, span, "DELETED", "NOT_FOUND", deadline, out_why);
}
