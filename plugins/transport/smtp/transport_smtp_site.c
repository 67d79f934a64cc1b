/* transport_smtp_site.c: what a next hop names: a domain, a host, an address, a socket.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_smtp_priv.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

static bool
parse_port (const char *text, uint16_t *out)
{
    char *end;
    guint64 number = g_ascii_strtoull (text, &end, 10);
    if (g_ascii_isdigit (*text) && *end == '\0') {
        *out = (uint16_t) number;
        return number > 0 && number < 65536;
    }
    struct servent entry, *found = NULL;
    char buffer[2048];
    if (getservbyname_r (text, "tcp", &entry, buffer, sizeof buffer, &found) != 0 ||
        found == NULL)
        return false;
    *out = ntohs ((uint16_t) found->s_port);
    return true;
}

/* "[name]" or "[name]:port"; TEXT begins with '['. */
static bool
parse_bracketed (const char *text, SmtpSite *out)
{
    const char *close = strchr (text, ']');
    if (close == NULL || close == text + 1)
        return false;
    const char *name = text + 1;
    if (g_ascii_strncasecmp (name, "ipv6:", 5) == 0)
        name += 5;
    out->name = g_strndup (name, (gsize) (close - name));
    out->is_literal = true;
    return close[1] == '\0' || (close[1] == ':' && parse_port (close + 2, &out->port));
}

static bool
parse_inet (const char *text, SmtpSite *out)
{
    if (*text == '[')
        return parse_bracketed (text, out);
    const char *colon = strrchr (text, ':');
    if (colon != NULL && strchr (text, ':') == colon) {
        out->name = g_strndup (text, (gsize) (colon - text));
        return *out->name != '\0' && parse_port (colon + 1, &out->port);
    }
    out->name = g_strdup (text); /* a domain, or a bare IPv6 address */
    return *text != '\0';
}

bool
transport_smtp_site_parse (const SmtpConf *conf, const char *text, SmtpSite *out)
{
    *out = (SmtpSite){.port = conf->port};
    bool is_good;
    if (conf->is_lmtp && g_str_has_prefix (text, "unix:")) {
        out->path = g_strdup (text + 5);
        out->name = g_strdup (conf->my_name);
        is_good = out->path[0] != '\0';
    } else {
        if (conf->is_lmtp && g_str_has_prefix (text, "inet:"))
            text += 5;
        is_good = parse_inet (text, out);
        out->is_literal = out->is_literal || conf->is_lmtp;
    }
    if (!is_good)
        transport_smtp_site_clear (out);
    return is_good;
}

void
transport_smtp_site_clear (SmtpSite *self)
{
    g_clear_pointer (&self->name, g_free);
    g_clear_pointer (&self->path, g_free);
}

bool
transport_smtp_target_from_ip (const char *ip, uint16_t port, SmtpTarget *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons (port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons (port)};
    memset (out, 0, sizeof *out);
    if (inet_pton (AF_INET, ip, &in.sin_addr) == 1) {
        memcpy (&out->address, &in, sizeof in);
        out->size = sizeof in;
    } else if (inet_pton (AF_INET6, ip, &in6.sin6_addr) == 1) {
        memcpy (&out->address, &in6, sizeof in6);
        out->size = sizeof in6;
    } else {
        return false;
    }
    g_strlcpy (out->host, ip, sizeof out->host);
    g_strlcpy (out->text, ip, sizeof out->text);
    return true;
}
