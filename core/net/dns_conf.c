/* dns_conf.c: the resolver's parameters, and a resolver as they say. */
#include "config.h"
#include "net/dns.h"

const HkConfSpec hk_dns_params[] = {
    {.name = "dns_servers",
     .type = HK_CONF_LIST,
     .preset = "",
     .help = "name servers to ask, as address@port; empty: those of /etc/resolv.conf"},
    {.name = "dns_timeout",
     .type = HK_CONF_TIME,
     .preset = "30s",
     .min = 1,
     .max = 3600,
     .help = "how long one question to the domain name system may take"},
    {.name = NULL},
};

HkResolver *
hk_resolver_new_from_settings (HkLoop *loop, HkSettings *settings, GError **error)
{
    g_auto (GStrv) servers = hk_settings_words (settings, "dns_servers");
    HkResolverOptions options = {.servers = (const char *const *) servers,
                                 .hosts_file = "/etc/hosts",
                                 .timeout_us =
                                     hk_settings_int (settings, "dns_timeout") * HK_SECOND};
    return hk_resolver_new (loop, &options, error);
}
