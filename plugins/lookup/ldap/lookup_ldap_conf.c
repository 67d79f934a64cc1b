/* lookup_ldap_conf.c: the parameters of "ldap:" tables, as in ldap_table(5).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_ldap.h"

#define LDAPI_PRESET "/var/run/slapd/ldapi"

const char *const lookup_ldap_names[] = {"server_host",
                                         "server_port",
                                         "timeout",
                                         "search_base",
                                         "query_filter",
                                         "result_attribute",
                                         "special_result_attribute",
                                         "terminal_result_attribute",
                                         "leaf_result_attribute",
                                         "scope",
                                         "bind",
                                         "bind_dn",
                                         "bind_pw",
                                         "recursion_limit",
                                         "size_limit",
                                         "dereference",
                                         "chase_referrals",
                                         "version",
                                         "debuglevel",
                                         "sasl_mechs",
                                         "sasl_realm",
                                         "sasl_authz_id",
                                         "sasl_minssf",
                                         "start_tls",
                                         "tls_ca_cert_dir",
                                         "tls_ca_cert_file",
                                         "tls_cert",
                                         "tls_key",
                                         "tls_require_cert",
                                         "tls_random_file",
                                         "tls_cipher_suite",
                                         NULL};

/* ---- servers */

static LookupLdapServer *
server_from (const LDAPURLDesc *parts)
{
    bool is_local = g_ascii_strcasecmp (parts->lud_scheme, "ldapi") == 0;
    bool is_tls = g_ascii_strcasecmp (parts->lud_scheme, "ldaps") == 0;
    const char *host = parts->lud_host;
    if (!is_local && !is_tls && g_ascii_strcasecmp (parts->lud_scheme, "ldap") != 0)
        return NULL;
    if (host == NULL || *host == '\0')
        host = is_local ? LDAPI_PRESET : "localhost";
    if (is_local && *host != '/')
        return NULL;
    LookupLdapServer *self = g_new0 (LookupLdapServer, 1);
    g_autofree char *port = g_strdup_printf ("%d", parts->lud_port);
    const char *open = strchr (host, ':') != NULL ? "[" : "", *close = *open ? "]" : "";
    g_autofree char *path = is_local ? g_uri_escape_string (host, NULL, FALSE) : NULL;
    self->is_tls = is_tls;
    self->url = is_local ? g_strdup_printf ("ldapi://%s", path)
                         : g_strdup_printf ("%s://%s%s%s:%s", is_tls ? "ldaps" : "ldap",
                                            open, host, close, port);
    self->remote = remote_server_new (self->url, is_local ? host : NULL,
                                      is_local ? NULL : host, is_local ? NULL : port);
    return self;
}

LookupLdapServer *
lookup_ldap_server_new (const char *url)
{
    LDAPURLDesc *parts = NULL;
    if (ldap_url_parse (url, &parts) != LDAP_URL_SUCCESS)
        return NULL;
    LookupLdapServer *self = server_from (parts);
    ldap_free_urldesc (parts);
    return self;
}

void
lookup_ldap_server_free (void *server)
{
    LookupLdapServer *self = server;
    remote_server_free (self->remote);
    g_free (self->url);
    g_free (self);
}

/* A word of server_host: a URL, "host" or "host:port". */
static LookupLdapServer *
server_of_word (const char *word, const char *port)
{
    g_autofree char *host = NULL, *own_port = NULL;
    if (strstr (word, "://") != NULL)
        return lookup_ldap_server_new (word);
    if (!remote_split_host (word, port, &host, &own_port))
        return NULL;
    LookupLdapServer *self = g_new0 (LookupLdapServer, 1);
    self->url = strchr (host, ':') != NULL
                    ? g_strdup_printf ("ldap://[%s]:%s", host, own_port)
                    : g_strdup_printf ("ldap://%s:%s", host, own_port);
    self->remote = remote_server_new (self->url, NULL, host, own_port);
    return self;
}

/* Words between blanks and commas; g_strfreev it. */
static char **
split_words (const char *text)
{
    GPtrArray *words = g_ptr_array_new ();
    g_auto (GStrv) pieces = g_strsplit_set (text, ", \t\r\n", -1);
    for (char **p = pieces; *p != NULL; p++)
        if (**p != '\0')
            g_ptr_array_add (words, g_strdup (*p));
    g_ptr_array_add (words, NULL);
    return (char **) g_ptr_array_free (words, FALSE);
}

static HkAnswer
read_servers (LookupLdapTable *self, HkCall *call)
{
    const char *hosts = query_file_text (self->file, "server_host");
    int64_t number;
    HkAnswer answer =
        query_file_number (self->file, call, "server_port", 389, 1, 65535, &number);
    if (answer != HK_OK)
        return answer;
    g_autofree char *port = g_strdup_printf ("%d", (int) number);
    g_auto (GStrv) words =
        split_words (hosts == NULL || *hosts == '\0' ? "localhost" : hosts);
    for (char **p = words; *p != NULL; p++) {
        LookupLdapServer *server = server_of_word (*p, port);
        if (server == NULL)
            return self->host->broken (call,
                                       "%s: server_host: \"%s\": expected a host name or "
                                       "an ldap:, ldaps: or ldapi: URL",
                                       query_file_name (self->file), *p);
        g_ptr_array_add (self->servers, server);
    }
    return HK_OK;
}

/* ---- words */

static const char *
text_or (const LookupLdapTable *self, const char *name, const char *preset)
{
    const char *text = query_file_text (self->file, name);
    return text == NULL || *text == '\0' ? preset : text;
}

/* The place of the value of NAME in WORDS, which is "a", "b", …, NULL. */
static HkAnswer
read_word (const LookupLdapTable *self, HkCall *call, const char *name,
           const char *const *words, const int *values, int *out)
{
    const char *text = text_or (self, name, words[0]);
    for (size_t i = 0; words[i] != NULL; i++)
        if (g_ascii_strcasecmp (text, words[i]) == 0) {
            *out = values[i];
            return HK_OK;
        }
    return self->host->broken (call, "%s: bad value: %s = %s", query_file_name (self->file),
                               name, text);
}

static HkAnswer
read_sasl (LookupLdapTable *self, HkCall *call)
{
    const char *mechanisms = text_or (self, "sasl_mechs", "");
    int64_t ssf;
    if (self->bind != LOOKUP_LDAP_BIND_EXTERNAL)
        return HK_OK;
    if (g_ascii_strcasecmp (mechanisms, "EXTERNAL") != 0)
        return self->host->broken (
            call, "%s: bind = sasl: sasl_mechs = %s: only EXTERNAL is supported",
            query_file_name (self->file), mechanisms);
    HkAnswer answer = query_file_number (self->file, call, "sasl_minssf", 0, 0, 0, &ssf);
    if (answer == HK_OK && self->version != 3)
        answer = self->host->broken (call, "%s: bind = sasl needs version = 3",
                                     query_file_name (self->file));
    return answer;
}

static HkAnswer
read_words (LookupLdapTable *self, HkCall *call)
{
    static const char *const scopes[] = {"sub", "base", "one", NULL};
    static const int scope_values[] = {LDAP_SCOPE_SUBTREE, LDAP_SCOPE_BASE,
                                       LDAP_SCOPE_ONELEVEL};
    static const char *const binds[] = {"yes", "simple", "no", "none", "sasl", NULL};
    static const int bind_values[] = {LOOKUP_LDAP_BIND_SIMPLE, LOOKUP_LDAP_BIND_SIMPLE,
                                      LOOKUP_LDAP_BIND_NONE, LOOKUP_LDAP_BIND_NONE,
                                      LOOKUP_LDAP_BIND_EXTERNAL};
    HkAnswer answer = read_word (self, call, "scope", scopes, scope_values, &self->scope);
    if (answer == HK_OK)
        answer = read_word (self, call, "bind", binds, bind_values, &self->bind);
    return answer == HK_OK ? read_sasl (self, call) : answer;
}

/* "yes", "no", and 1 and 0, which older files have. */
static HkAnswer
read_flag (const LookupLdapTable *self, HkCall *call, const char *name, bool *out)
{
    static const char *const words[] = {"no", "0", "yes", "1", NULL};
    static const int values[] = {0, 0, 1, 1};
    int value = 0;
    HkAnswer answer = read_word (self, call, name, words, values, &value);
    *out = value != 0;
    return answer;
}

static HkAnswer
read_numbers (LookupLdapTable *self, HkCall *call)
{
    int64_t expansion_limit;
    HkAnswer answer = query_file_number (self->file, call, "expansion_limit", 0, 0,
                                         G_MAXINT32, &expansion_limit);
    if (answer != HK_OK)
        return answer;
    const struct {
        const char *name;
        int64_t preset, min, max;
        bool is_time;
        int64_t *out;
    } numbers[] = {
        {"version", 3, 2, 3, false, &self->version},
        {"dereference", 0, 0, 3, false, &self->dereference},
        {"recursion_limit", 1000, 1, 10000, false, &self->recursion_limit},
        {"size_limit", expansion_limit, 0, G_MAXINT32, false, &self->size_limit},
        {"timeout", 10, 1, 3600, true, &self->clients.timeout_s},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (numbers) && answer == HK_OK; i++)
        answer = (numbers[i].is_time ? query_file_seconds : query_file_number) (
            self->file, call, numbers[i].name, numbers[i].preset, numbers[i].min,
            numbers[i].max, numbers[i].out);
    return answer;
}

static HkAnswer
read_tls (LookupLdapTable *self, HkCall *call)
{
    const struct {
        const char *name, **out;
        bool is_file;
    } texts[] = {
        {"tls_ca_cert_dir", &self->tls_ca_cert_dir, true},
        {"tls_ca_cert_file", &self->tls_ca_cert_file, true},
        {"tls_cert", &self->tls_cert, true},
        {"tls_key", &self->tls_key, true},
        {"tls_random_file", &self->tls_random_file, true},
        {"tls_cipher_suite", &self->tls_cipher_suite, false},
    };
    HkAnswer answer = read_flag (self, call, "start_tls", &self->start_tls);
    if (answer == HK_OK)
        answer = read_flag (self, call, "tls_require_cert", &self->tls_require_cert);
    if (answer == HK_OK && self->start_tls && self->version != 3)
        answer = self->host->broken (call, "%s: start_tls needs version = 3",
                                     query_file_name (self->file));
    for (size_t i = 0; i < G_N_ELEMENTS (texts) && answer == HK_OK; i++) {
        *texts[i].out = text_or (self, texts[i].name, NULL);
        if (texts[i].is_file && *texts[i].out != NULL && access (*texts[i].out, R_OK) != 0)
            answer =
                self->host->later (call, "%s: %s = %s: %s", query_file_name (self->file),
                                   texts[i].name, *texts[i].out, g_strerror (errno));
    }
    return answer;
}

/* ---- what to ask for */

static HkAnswer
read_attributes (LookupLdapTable *self, HkCall *call)
{
    char ***lists[] = {&self->terminal, &self->leaf, &self->result, &self->special};
    static const char *const names[] = {"terminal_result_attribute",
                                        "leaf_result_attribute", "result_attribute",
                                        "special_result_attribute"};
    GPtrArray *all = g_ptr_array_new ();
    for (size_t i = 0; i < G_N_ELEMENTS (lists); i++) {
        const char *text = query_file_text (self->file, names[i]);
        if (text == NULL)
            text = strcmp (names[i], "result_attribute") == 0 ? "maildrop" : "";
        *lists[i] = split_words (text);
        for (char **p = *lists[i]; *p != NULL; p++)
            g_ptr_array_add (all, *p);
    }
    g_ptr_array_add (all, NULL);
    self->attributes = (char **) g_ptr_array_free (all, FALSE);
    if (self->attributes[0] != NULL)
        return HK_OK;
    return self->host->broken (call, "%s: no result attribute is set",
                               query_file_name (self->file));
}

static HkAnswer
read_query (LookupLdapTable *self, HkCall *call)
{
    self->search_base = query_file_text (self->file, "search_base");
    if (self->search_base == NULL)
        return self->host->broken (call, "%s: search_base is not set",
                                   query_file_name (self->file));
    self->query_filter = text_or (self, "query_filter", "mailacceptinggeneralid=%s");
    self->is_base_dynamic = strchr (self->search_base, '%') != NULL;
    self->bind_dn = text_or (self, "bind_dn", "");
    self->bind_pw = text_or (self, "bind_pw", "");
    self->sasl_authz_id = text_or (self, "sasl_authz_id", "");
    HkAnswer answer = query_file_use (self->file, call, "search_base", self->search_base);
    return answer == HK_OK
               ? query_file_use (self->file, call, "query_filter", self->query_filter)
               : answer;
}

HkAnswer
lookup_ldap_read (LookupLdapTable *self, HkCall *call)
{
    HkAnswer (*const steps[]) (LookupLdapTable *, HkCall *) = {
        read_servers, read_numbers, read_words, read_tls, read_attributes, read_query};
    HkAnswer answer = HK_OK;
    self->servers = g_ptr_array_new_with_free_func (lookup_ldap_server_free);
    for (size_t i = 0; i < G_N_ELEMENTS (steps) && answer == HK_OK; i++)
        answer = steps[i](self, call);
    if (answer == HK_OK)
        answer = read_flag (self, call, "chase_referrals", &self->chase_referrals);
    return answer;
}

void
lookup_ldap_clear (LookupLdapTable *self)
{
    if (self->servers != NULL)
        g_ptr_array_unref (self->servers);
    g_strfreev (self->terminal);
    g_strfreev (self->leaf);
    g_strfreev (self->result);
    g_strfreev (self->special);
    g_free (self->attributes);
}
