/* restriction_policy_conf.c: which server, and how it is asked.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restriction_policy.h"

#include <string.h>

#define PREFIX "smtpd_policy_service_"

static char *
string_parameter (const HkHost *host, const HkConf *conf, const char *name)
{
    HkSpan value = host->conf_string (conf, name);
    return g_strndup (value.size == 0 ? "" : (const char *) value.data, value.size);
}

static void
read_parameters (PolicyOptions *self, const HkHost *host, const HkConf *conf)
{
    self->default_action = string_parameter (host, conf, PREFIX "default_action");
    self->context = string_parameter (host, conf, PREFIX "policy_context");
    self->timeout_us = host->conf_int (conf, PREFIX "timeout") * G_USEC_PER_SEC;
    self->max_idle_us = host->conf_int (conf, PREFIX "max_idle") * G_USEC_PER_SEC;
    self->max_ttl_us = host->conf_int (conf, PREFIX "max_ttl") * G_USEC_PER_SEC;
    self->retry_delay_us = host->conf_int (conf, PREFIX "retry_delay") * G_USEC_PER_SEC;
    self->try_limit = host->conf_int (conf, PREFIX "try_limit");
    self->request_limit = host->conf_int (conf, PREFIX "request_limit");
}

/* ---- values
 * ------------------------------------------------------------------------------------ */

static bool
parse_count (const char *text, int64_t min, int64_t *out)
{
    char *end;
    gint64 n = g_ascii_strtoll (text, &end, 10);
    if (end == text || *end != '\0' || n < min || n > INT32_MAX)
        return false;
    *out = n;
    return true;
}

/* "10", "10s", "5m" …: a time of at least a second. */
static bool
parse_time (const char *text, int64_t *out)
{
    static const char units[] = "smhdw";
    static const int64_t seconds[] = {1, 60, 3600, 86400, 604800};
    char *end;
    gint64 n = g_ascii_strtoll (text, &end, 10);
    const char *unit = *end == '\0' ? units : strchr (units, g_ascii_tolower (*end));
    if (end == text || unit == NULL || (*end != '\0' && end[1] != '\0') || n < 1 ||
        n > 100000)
        return false;
    *out = n * seconds[unit - units] * G_USEC_PER_SEC;
    return true;
}

static bool
parse_text (const char *text, char **out)
{
    g_free (*out);
    *out = g_strdup (text);
    return true;
}

static bool
set_option (PolicyOptions *self, const char *name, const char *value)
{
    if (strcmp (name, "default_action") == 0)
        return *value != '\0' && parse_text (value, &self->default_action);
    if (strcmp (name, "policy_context") == 0)
        return parse_text (value, &self->context);
    if (strcmp (name, "timeout") == 0)
        return parse_time (value, &self->timeout_us);
    if (strcmp (name, "max_idle") == 0)
        return parse_time (value, &self->max_idle_us);
    if (strcmp (name, "max_ttl") == 0)
        return parse_time (value, &self->max_ttl_us);
    if (strcmp (name, "retry_delay") == 0)
        return parse_time (value, &self->retry_delay_us);
    if (strcmp (name, "try_limit") == 0)
        return parse_count (value, 1, &self->try_limit);
    if (strcmp (name, "request_limit") == 0)
        return parse_count (value, 0, &self->request_limit);
    return false;
}

/* ---- the server
 * -------------------------------------------------------------------------------- */

static bool
parse_inet (PolicyOptions *self, const char *text)
{
    const char *colon = strrchr (text, ':');
    int64_t port;
    if (colon == NULL || !parse_count (colon + 1, 1, &port) || port > 65535)
        return false;
    self->port = (uint16_t) port;
    bool is_bracketed = text[0] == '[' && colon > text && colon[-1] == ']';
    self->name = is_bracketed ? g_strndup (text + 1, (gsize) (colon - text - 2))
                              : g_strndup (text, (gsize) (colon - text));
    if (self->name[0] == '\0') {
        g_free (self->name);
        self->name = g_strdup ("127.0.0.1");
    }
    return true;
}

/* Relative to the queue directory, as Postfix's processes run there. */
static bool
parse_unix (PolicyOptions *self, const char *path, const HkHost *host, const HkConf *conf)
{
    g_autofree char *queue = string_parameter (host, conf, "queue_directory");
    self->path =
        path[0] == '/' ? g_strdup (path) : g_build_filename (queue, path, NULL);
    return path[0] != '\0';
}

static char *
set_server (PolicyOptions *self, const char *text, const HkHost *host, const HkConf *conf)
{
    bool ok = false;
    self->server = g_strdup (text);
    if (g_str_has_prefix (text, "inet:"))
        ok = parse_inet (self, text + 5);
    else if (g_str_has_prefix (text, "unix:"))
        ok = parse_unix (self, text + 5, host, conf);
    else if (g_str_has_prefix (text, "local:"))
        ok = parse_unix (self, text + 6, host, conf);
    return ok ? NULL
              : g_strdup_printf ("bad policy server \"%s\": need inet:host:port or unix:path",
                                 text);
}

/* ---- the argument
 * ------------------------------------------------------------------------------ */

/* The next item of a list: a word, or what stands in braces.  NULL: none.  *AT moves on. */
static char *
next_item (const char **at, bool *out_braced)
{
    const char *s = *at + strspn (*at, " \t\r\n,");
    if (*s == '\0')
        return NULL;
    *out_braced = *s == '{';
    size_t n = strcspn (s, " \t\r\n,");
    if (*s == '{') {
        unsigned depth = 0;
        for (n = 0; s[n] != '\0'; n++)
            if (s[n] == '{')
                depth++;
            else if (s[n] == '}' && --depth == 0)
                break;
        if (s[n] == '\0')
            return NULL;
        *at = s + n + 1;
        return g_strstrip (g_strndup (s + 1, n - 1));
    }
    *at = s + n;
    return g_strndup (s, n);
}

static char *
read_item (PolicyOptions *self, char *item)
{
    char *equals = strchr (item, '=');
    if (equals == NULL)
        return g_strdup_printf ("bad policy option \"%s\": need name=value", item);
    *equals = '\0';
    g_strchomp (item);
    char *value = g_strstrip (equals + 1);
    if (set_option (self, item, value))
        return NULL;
    return g_strdup_printf ("bad policy option \"%s = %s\"", item, value);
}

static char *
read_list (PolicyOptions *self, const char *list, const HkHost *host, const HkConf *conf)
{
    bool is_braced;
    g_autofree char *server = next_item (&list, &is_braced);
    if (server == NULL)
        return g_strdup ("empty policy server list");
    char *problem = set_server (self, server, host, conf);
    while (problem == NULL) {
        g_autofree char *item = next_item (&list, &is_braced);
        if (item == NULL)
            break;
        problem = read_item (self, item);
    }
    return problem;
}

char *
restriction_policy_options_read (PolicyOptions *self, const HkHost *host,
                                 const HkConf *conf)
{
    HkSpan span = host->conf_argument (conf);
    g_autofree char *argument = g_strndup ((const char *) span.data, span.size);
    const char *at = argument;
    bool is_braced = false;
    *self = (PolicyOptions){0};
    read_parameters (self, host, conf);
    g_autofree char *whole = next_item (&at, &is_braced);
    if (whole == NULL)
        return g_strdup_printf ("bad policy server \"%s\"", argument);
    return is_braced ? read_list (self, whole, host, conf)
                     : set_server (self, whole, host, conf);
}

void
restriction_policy_options_clear (PolicyOptions *self)
{
    g_free (self->server);
    g_free (self->path);
    g_free (self->name);
    g_free (self->default_action);
    g_free (self->context);
}
