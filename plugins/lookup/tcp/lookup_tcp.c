/* lookup_tcp.c: "tcp:" tables: a server that is asked with lines, tcp_table(5).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../stream.h"

/* tcp_table(5): "no longer than 4096 characters including the newline terminator" */
enum { MAX_REPLY = 4096, MAX_KEY = 100000 };

/* A reply is one line. */
static int
check_line (const char *data, gsize size, const char **why)
{
    const char *end = memchr (data, '\n', size);
    if (end == NULL)
        return 1;
    if (end != data + size - 1)
        *why = "malformed reply: there is more after its end";
    return *why == NULL ? 0 : -1;
}

static HkAnswer
tcp_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkSpan argument = host->conf_argument (conf);
    g_autofree char *text = g_strndup ((const char *) argument.data, argument.size);
    Stream *self = stream_new (host);
    if (!stream_parse_inet (self, text)) {
        stream_free (self);
        return host->broken (call, "bad server in \"tcp:%s\"; need tcp:host:port", text);
    }
    self->label = g_strconcat ("tcp:", text, NULL);
    self->timeout_us = host->conf_int (conf, "tcp_table_timeout") * G_USEC_PER_SEC;
    self->max_idle_us = host->conf_int (conf, "tcp_table_max_idle") * G_USEC_PER_SEC;
    self->limit = MAX_REPLY;
    self->check = check_line;
    *out_instance = self;
    return HK_OK;
}

static void
tcp_close (void *instance)
{
    stream_free (instance);
}

/* ---- %XX ---- */

static void
append_quoted (GString *out, HkSpan text)
{
    for (gsize i = 0; i < text.size; i++) {
        char c = (char) text.data[i];
        if (g_ascii_isgraph (c) && c != '%')
            g_string_append_c (out, c);
        else
            g_string_append_printf (out, "%%%02X", text.data[i]);
    }
}

/* False: '%' without two digits, or a byte 0. */
static bool
unquote (const char *p, const char *end, GString *out)
{
    for (; p < end; p++) {
        char c = *p;
        if (c == '%') {
            if (end - p < 3 || !g_ascii_isxdigit (p[1]) || !g_ascii_isxdigit (p[2]))
                return false;
            c = (char) (g_ascii_xdigit_value (p[1]) * 16 + g_ascii_xdigit_value (p[2]));
            p += 2;
        }
        if (c == '\0')
            return false;
        g_string_append_c (out, c);
    }
    return true;
}

/* ---- the exchange ---- */

/* The digit that decides: '2', '4', '5'; its text, decoded, in OUT.  Or 0, and *OUT_ANSWER.
 */
static char
ask (Stream *self, HkCall *call, const GString *request, GString *out, HkAnswer *out_answer)
{
    g_autoptr (GString) reply = g_string_new (NULL);
    *out_answer = stream_ask (self, call, request, reply);
    if (*out_answer != HK_OK)
        return 0;
    const char *p = reply->str, *end = p + reply->len - 1;
    if (end - p >= 4 && strchr ("245", *p) != NULL && g_ascii_isdigit (p[1]) &&
        g_ascii_isdigit (p[2]) && g_ascii_isspace (p[3]) && unquote (p + 4, end, out))
        return *p;
    g_autofree char *quote = g_strescape (reply->str, NULL);
    *out_answer =
        self->host->later (call, "%s: malformed reply: %.100s", self->label, quote);
    return 0;
}

static HkAnswer
tcp_get (void *instance, HkCall *call, HkSpan key)
{
    Stream *self = instance;
    g_autoptr (GString) request = g_string_new ("get "), text = g_string_new (NULL);
    HkAnswer answer;
    if (key.size > MAX_KEY)
        return HK_ABSENT;
    append_quoted (request, key);
    g_string_append_c (request, '\n');
    switch (ask (self, call, request, text, &answer)) {
    case '2':
        self->host->answer (call, text->str, text->len);
        return HK_FOUND;
    case '5':
        return HK_ABSENT;
    case '4':
        return self->host->later (call, "%s: the server says: %s", self->label, text->str);
    default:
        return answer;
    }
}

static HkAnswer
tcp_put (void *instance, HkCall *call, HkSpan key, HkSpan value)
{
    Stream *self = instance;
    g_autoptr (GString) request = g_string_new ("put "), text = g_string_new (NULL);
    HkAnswer answer;
    if (key.size > MAX_KEY || value.size > MAX_KEY)
        return self->host->broken (call, "%s: too long to be kept", self->label);
    append_quoted (request, key);
    g_string_append_c (request, ' ');
    append_quoted (request, value);
    g_string_append_c (request, '\n');
    switch (ask (self, call, request, text, &answer)) {
    case '2':
        return HK_OK;
    case '5':
        return self->host->broken (call, "%s: the server refuses to change: %s",
                                   self->label, text->str);
    case '4':
        return self->host->later (call, "%s: the server says: %s", self->label, text->str);
    default:
        return answer;
    }
}

static const HkParam tcp_params[] = {
    /* tcp_table(5): "Send and receive operations must complete in 100 seconds." */
    {"tcp_table_timeout", HK_PARAM_TIME, HK_PARAM_RELOADABLE, "100s", 1, 3600, NULL,
     "Time limit for one lookup in a tcp: table, connecting included."},
    {"tcp_table_max_idle", HK_PARAM_TIME, HK_PARAM_RELOADABLE, "10s", 1, 86400, NULL,
     "How long an idle connection to the server of a tcp: table is kept."},
    {0},
};

static const HkLookupClass tcp_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "tcp",
             /* Keys are encoded, so any byte may stand in one. */
             .flags = HK_THREAD_SAFE | HK_MAY_BLOCK | HK_PATTERN_KEYS | HK_BINARY_KEYS,
             .params = tcp_params,
             .open = tcp_open,
             .close = tcp_close},
    .get = tcp_get,
    .put = tcp_put,
};

HK_PLUGIN (lookup_tcp, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "tcp: tables, a server that is asked with lines",
           .classes = HK_CLASSES (&tcp_class.base))
