/* transport_smtp_conf.c: parameters of the SMTP and LMTP client; both sets have the same
 * shape.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_smtp_priv.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <string.h>

#define TIMEOUT(name, preset, help)                                                        \
    {                                                                                      \
        name, HK_PARAM_TIME, 0, preset, 0, 86400, NULL, help                               \
    }
#define TEXT(name, preset, help)                                                           \
    {                                                                                      \
        name, HK_PARAM_STRING, 0, preset, 0, 0, NULL, help                                 \
    }
#define YES_NO(name, preset, help)                                                         \
    {                                                                                      \
        name, HK_PARAM_BOOL, 0, preset, 0, 0, NULL, help                                   \
    }
#define NUMBER(name, preset, low, high, help)                                              \
    {                                                                                      \
        name, HK_PARAM_INT, 0, preset, low, high, NULL, help                               \
    }

/* What both protocols have; P is "smtp_" or "lmtp_". */
#define SHARED(P)                                                                          \
    TIMEOUT (P "mail_timeout", "300s", "time for MAIL FROM and its reply"),                \
        TIMEOUT (P "rcpt_timeout", "300s", "time for RCPT TO and its reply"),              \
        TIMEOUT (P "data_init_timeout", "120s", "time for DATA and its reply"),            \
        TIMEOUT (P "data_xfer_timeout", "180s", "time to send 64 KiB of content"),         \
        TIMEOUT (P "data_done_timeout", "600s", "time for the reply to the content"),      \
        TIMEOUT (P "rset_timeout", "20s", "time for RSET and its reply"),                  \
        TIMEOUT (P "quit_timeout", "300s", "time for QUIT; its reply is not awaited"),     \
        NUMBER (P "mx_address_limit", "5", 0, 1000,                                        \
                "how many addresses of a next hop are tried; 0: all"),                     \
        NUMBER (P "mx_session_limit", "2", 0, 1000,                                        \
                "how many hosts may answer before the rest waits; 0: all"),                \
        YES_NO (P "connection_cache_on_demand", "yes",                                     \
                "keep connections open for more mail to the same next hop"),               \
        TEXT (P "connection_cache_destinations", "",                                       \
              "next hops whose connections are always kept open"),                         \
        TIMEOUT (P "connection_cache_time_limit", "2s",                                    \
                 "how long an unused connection is kept open"),                            \
        TIMEOUT (P "connection_reuse_time_limit", "300s",                                  \
                 "how long a connection may be used for more mail"),                       \
        NUMBER (P "connection_reuse_count_limit", "0", 0, INT32_MAX,                       \
                "for how many messages a connection is used; 0: any number"),              \
        {P "host_lookup",                                                                  \
         HK_PARAM_STRING,                                                                  \
         0,                                                                                \
         "dns",                                                                            \
         0,                                                                                \
         0,                                                                                \
         NULL,                                                                             \
         "dns and native; both ask the mail system's resolver"},                           \
        {P "address_preference",                                                           \
         HK_PARAM_ENUM,                                                                    \
         0,                                                                                \
         "any",                                                                            \
         0,                                                                                \
         0,                                                                                \
         "any|ipv4|ipv6",                                                                  \
         "which addresses of equally preferred hosts are tried first"},                    \
        YES_NO (P "balance_inet_protocols", "yes",                                         \
                "let a host's IPv4 and IPv6 addresses both be among the tried ones"),      \
        YES_NO (P "randomize_addresses", "yes", "mix equally preferred addresses"),        \
        TEXT (P "bind_address", "", "IPv4 address to connect from"),                       \
        TEXT (P "bind_address6", "", "IPv6 address to connect from"),                      \
        NUMBER (P "line_length_limit", "998", 0, INT32_MAX,                                \
                "longer lines are folded; 0: never"),                                      \
        YES_NO (P "skip_5xx_greeting", "yes",                                              \
                "a host that greets with 5xx only makes the next one be tried"),           \
        YES_NO (P "skip_quit_response", "yes", "hang up without the reply to QUIT"),       \
        YES_NO (P "sasl_auth_enable", "no",                                                \
                "authenticate to servers; mail waits while this is set"),                  \
        {P "address_verify_target",                                                        \
         HK_PARAM_ENUM,                                                                    \
         0,                                                                                \
         "rcpt",                                                                           \
         0,                                                                                \
         0,                                                                                \
         "rcpt|data",                                                                      \
         "which command's reply decides about the recipient of an address probe"},         \
        YES_NO (P "use_tls", "no", "obsolete form of the TLS level may"),                  \
        YES_NO (P "enforce_tls", "no", "obsolete form of the TLS level encrypt"),          \
        TEXT (P "tls_security_level", "",                                                  \
              "none and may send in clear; with any other level mail waits")

const HkParam transport_smtp_params[] = {
    SHARED ("smtp_"),
    TIMEOUT ("smtp_connect_timeout", "30s", "time to connect; 0: what the system allows"),
    TIMEOUT ("smtp_helo_timeout", "300s", "time for the greeting, and for EHLO"),
    TEXT ("smtp_helo_name", "$myhostname", "name that is told with EHLO"),
    TEXT ("smtp_fallback_relay", "$fallback_relay",
          "next hops that are tried when a destination cannot be reached"),
    TEXT ("smtp_discard_ehlo_keywords", "", "features of servers that are not used"),
    TEXT ("smtp_tcp_port", "smtp", "port when a next hop names none"),
    TEXT ("smtp_dns_support_level", "", "disabled: look up no MX records"),
    YES_NO ("disable_dns_lookups", "no", "look up no MX records"),
    YES_NO ("smtp_never_send_ehlo", "no", "say HELO only"),
    YES_NO ("smtp_always_send_ehlo", "yes", "say EHLO whatever the greeting is"),
    YES_NO ("smtp_defer_if_no_mx_address_found", "no",
            "mail waits, and does not bounce, when no MX host has an address"),
    {.name = NULL},
};

const HkParam transport_smtp_lmtp_params[] = {
    SHARED ("lmtp_"),
    TIMEOUT ("lmtp_connect_timeout", "0s", "time to connect; 0: what the system allows"),
    TIMEOUT ("lmtp_lhlo_timeout", "300s", "time for the greeting, and for LHLO"),
    TEXT ("lmtp_lhlo_name", "$myhostname", "name that is told with LHLO"),
    TEXT ("lmtp_fallback_relay", "",
          "next hops that are tried when a destination cannot be reached"),
    TEXT ("lmtp_discard_lhlo_keywords", "", "features of servers that are not used"),
    TEXT ("lmtp_tcp_port", "24", "port when a next hop names none"),
    {.name = NULL},
};

char *
transport_smtp_dup (HkSpan s)
{
    return g_strndup ((const char *) s.data, s.size);
}

/* ---- reading */

typedef struct {
    const HkHost *host;
    const HkConf *conf;
    const char *prefix;
} Reader;

static char *
get_text (const Reader *r, const char *suffix)
{
    g_autofree char *name = g_strconcat (r->prefix, suffix, NULL);
    return transport_smtp_dup (r->host->conf_string (r->conf, name));
}

static int64_t
get_int (const Reader *r, const char *suffix)
{
    g_autofree char *name = g_strconcat (r->prefix, suffix, NULL);
    return r->host->conf_int (r->conf, name);
}

static char **
split_words (char *text)
{
    GPtrArray *out = g_ptr_array_new ();
    g_auto (GStrv) parts = g_strsplit_set (text, ", \t\r\n", -1);
    g_free (text);
    for (char **p = parts; *p != NULL; p++)
        if (**p != '\0')
            g_ptr_array_add (out, g_strdup (*p));
    g_ptr_array_add (out, NULL);
    return (char **) g_ptr_array_free (out, FALSE);
}

static void
read_timeouts (SmtpConf *self, const Reader *r)
{
    self->connect_s = get_int (r, "connect_timeout");
    self->helo_s = get_int (r, self->is_lmtp ? "lhlo_timeout" : "helo_timeout");
    self->mail_s = get_int (r, "mail_timeout");
    self->rcpt_s = get_int (r, "rcpt_timeout");
    self->data_init_s = get_int (r, "data_init_timeout");
    self->data_xfer_s = get_int (r, "data_xfer_timeout");
    self->data_done_s = get_int (r, "data_done_timeout");
    self->idle_s = get_int (r, "connection_cache_time_limit");
    self->reuse_s = get_int (r, "connection_reuse_time_limit");
}

static unsigned
feature_bit (const char *word)
{
    static const struct {
        const char *word;
        unsigned bit;
    } known[] = {{"PIPELINING", SMTP_PIPELINING},
                 {"SIZE", SMTP_SIZE},
                 {"8BITMIME", SMTP_8BITMIME},
                 {"DSN", SMTP_DSN},
                 {"SMTPUTF8", SMTP_UTF8},
                 {"STARTTLS", SMTP_STARTTLS},
                 {"AUTH", SMTP_AUTH},
                 {"CHUNKING", SMTP_CHUNKING},
                 {"BINARYMIME", SMTP_BINARYMIME},
                 {"DELIVERBY", SMTP_DELIVERBY},
                 {"MT-PRIORITY", SMTP_MT_PRIORITY},
                 {"REQUIRETLS", SMTP_REQUIRETLS}};
    for (size_t i = 0; i < G_N_ELEMENTS (known); i++)
        if (g_ascii_strcasecmp (word, known[i].word) == 0)
            return known[i].bit;
    return 0;
}

static unsigned
read_discard (const Reader *r, bool is_lmtp)
{
    unsigned out = 0;
    g_auto (GStrv) words = split_words (
        get_text (r, is_lmtp ? "discard_lhlo_keywords" : "discard_ehlo_keywords"));
    for (char **w = words; *w != NULL; w++)
        out |= feature_bit (*w);
    return out;
}

/* This version encrypts and authenticates nothing: what asks for it must not leave in
 * clear. */
static void
read_security (SmtpConf *self, const Reader *r)
{
    g_autofree char *level = get_text (r, "tls_security_level");
    bool is_open = *level == '\0' || g_ascii_strcasecmp (level, "none") == 0 ||
                   g_ascii_strcasecmp (level, "may") == 0;
    if (!is_open || (*level == '\0' && get_int (r, "enforce_tls")))
        self->refusal = g_strdup_printf (
            "%stls_security_level is \"%s\", but this version does not encrypt", r->prefix,
            *level == '\0' ? "encrypt" : level);
    else if (get_int (r, "sasl_auth_enable"))
        self->refusal = g_strdup_printf (
            "%ssasl_auth_enable is set, but this version does not authenticate", r->prefix);
}

static void
read_dns (SmtpConf *self, const Reader *r)
{
    const HkHost *host = r->host;
    g_autofree char *protocols =
        transport_smtp_dup (host->conf_string (r->conf, "inet_protocols"));
    self->use_ipv4 = strstr (protocols, "ipv6") == NULL ||
                     strstr (protocols, "ipv4") != NULL ||
                     strstr (protocols, "all") != NULL;
    self->use_ipv6 =
        strstr (protocols, "ipv6") != NULL || strstr (protocols, "all") != NULL;
    if (self->is_lmtp)
        return;
    g_autofree char *level = get_text (r, "dns_support_level");
    self->use_dns = !host->conf_int (r->conf, "disable_dns_lookups") &&
                    g_ascii_strcasecmp (level, "disabled") != 0;
    self->never_ehlo = get_int (r, "never_send_ehlo") != 0;
    self->defer_no_mx_address = get_int (r, "defer_if_no_mx_address_found") != 0;
}

static uint16_t
find_port (const char *text)
{
    char *end;
    guint64 number = g_ascii_strtoull (text, &end, 10);
    if (*text != '\0' && *end == '\0')
        return number < 65536 ? (uint16_t) number : 0;
    if (g_ascii_strcasecmp (text, "smtp") == 0)
        return 25;
    struct servent entry, *found = NULL;
    char buffer[2048];
    if (getservbyname_r (text, "tcp", &entry, buffer, sizeof buffer, &found) == 0 &&
        found != NULL)
        return ntohs ((uint16_t) found->s_port);
    return 0;
}

/* ---- own addresses, for loops */

static void
add_interfaces (GPtrArray *out)
{
    struct ifaddrs *list;
    char text[64];
    if (getifaddrs (&list) != 0)
        return;
    for (struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
        if (i->ifa_addr == NULL ||
            (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
            continue;
        socklen_t size = i->ifa_addr->sa_family == AF_INET ? sizeof (struct sockaddr_in)
                                                           : sizeof (struct sockaddr_in6);
        if (getnameinfo (i->ifa_addr, size, text, sizeof text, NULL, 0, NI_NUMERICHOST) ==
            0) {
            text[strcspn (text, "%")] = '\0';
            g_ptr_array_add (out, g_strdup (text));
        }
    }
    freeifaddrs (list);
}

static void
read_own (SmtpConf *self, const Reader *r)
{
    static const char *const parameters[] = {"inet_interfaces", "proxy_interfaces"};
    self->own = g_ptr_array_new_with_free_func (g_free);
    for (size_t i = 0; i < G_N_ELEMENTS (parameters); i++) {
        g_auto (GStrv) words = split_words (
            transport_smtp_dup (r->host->conf_string (r->conf, parameters[i])));
        for (char **w = words; *w != NULL; w++) {
            if (strcmp (*w, "all") == 0)
                add_interfaces (self->own);
            else
                g_ptr_array_add (self->own, g_strdup (*w));
        }
    }
}

HkAnswer
transport_smtp_conf_read (SmtpConf *self, const HkHost *host, const HkConf *conf,
                          HkCall *call)
{
    Reader r = {host, conf, self->is_lmtp ? "lmtp_" : "smtp_"};
    read_timeouts (self, &r);
    read_dns (self, &r);
    read_own (self, &r);
    read_security (self, &r);
    self->my_name = transport_smtp_dup (host->conf_string (conf, "myhostname"));
    self->helo_name = get_text (&r, self->is_lmtp ? "lhlo_name" : "helo_name");
    self->address_limit = (unsigned) get_int (&r, "mx_address_limit");
    self->session_limit = (unsigned) get_int (&r, "mx_session_limit");
    self->fallback = split_words (get_text (&r, "fallback_relay"));
    self->use_cache = get_int (&r, "connection_cache_on_demand") != 0;
    self->cache_sites = split_words (get_text (&r, "connection_cache_destinations"));
    self->reuse_count = (unsigned) get_int (&r, "connection_reuse_count_limit");
    self->randomize = get_int (&r, "randomize_addresses") != 0;
    self->balance = get_int (&r, "balance_inet_protocols") != 0;
    self->skip_5xx_greeting = get_int (&r, "skip_5xx_greeting") != 0;
    self->line_limit = (unsigned) get_int (&r, "line_length_limit");
    self->discard = read_discard (&r, self->is_lmtp);
    self->bind4 = get_text (&r, "bind_address");
    self->bind6 = get_text (&r, "bind_address6");
    g_autofree char *target = get_text (&r, "address_verify_target");
    self->probes_to_data = strcmp (target, "data") == 0;
    g_autofree char *prefer = get_text (&r, "address_preference");
    self->prefer = strcmp (prefer, "ipv4") == 0 ? 4 : strcmp (prefer, "ipv6") == 0 ? 6 : 0;
    g_autofree char *port = get_text (&r, "tcp_port");
    self->port = find_port (port);
    if (self->port == 0)
        return host->broken (call, "%stcp_port: unknown service \"%s\"", r.prefix, port);
    return HK_OK;
}

void
transport_smtp_conf_clear (SmtpConf *self)
{
    g_free (self->helo_name);
    g_free (self->my_name);
    g_strfreev (self->fallback);
    g_strfreev (self->cache_sites);
    g_free (self->bind4);
    g_free (self->bind6);
    g_free (self->refusal);
    if (self->own != NULL)
        g_ptr_array_unref (self->own);
}
