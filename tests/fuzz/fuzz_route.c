/* fuzz_route.c: any bytes as an address: standard form is a fixed point, and every address
 * has one class and one route. */
#include "config.h"

#include "route/route.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static HkRouter *router;

static void
make_router (void)
{
    g_autoptr (GError) error = NULL;
    hk_conf_register (hk_base_params);
    hk_conf_register (hk_host_params);
    hk_conf_register (hk_route_params);
    HkSettings *settings = hk_settings_from_text (
        "myhostname = mx.fuzz.test\nmydomain = fuzz.test\nmyorigin = fuzz.test\n"
        "mydestination = a, fuzz.test\nrelay_domains = b\nvirtual_alias_domains = c\n"
        "virtual_mailbox_domains = d\nappend_dot_mydomain = yes\nrecipient_delimiter = +\n"
        "local_recipient_maps =\nalias_maps =\ninet_interfaces = 127.0.0.1\n",
        "", &error);
    g_assert_no_error (error);
    HkPlugins *plugins = hk_plugins_new ("/nonexistent", NULL, NULL);
    hk_plugins_set_settings (plugins, settings);
    router = hk_router_new (plugins, settings, &error);
    g_assert_no_error (error);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    HkSpan address = hk_span (data, size);
    if (router == NULL)
        make_router ();
    int class = 0;
    HkRoute route;
    HkUnlisted unlisted = {0};
    g_autofree char *reason = NULL;
    g_autoptr (GString) out = g_string_new (NULL);
    hk_router_rewrite (router, address, out);
    if (hk_router_is_standard (router, address))
        g_assert (hk_span_equal (hk_span_string (out), address));
    g_assert (hk_router_class (router, address, &class, NULL) == HK_OK);
    g_assert (class >= HK_DEST_LOCAL && class <= HK_DEST_OTHER);
    HkAnswer answer = hk_router_listed (router, address, &unlisted, &reason);
    g_assert (answer == HK_FOUND || answer == HK_ABSENT);
    hk_route_init (&route);
    answer = hk_router_resolve (router, HK_SPAN ("s@x"), address, &route);
    g_assert (answer == HK_OK || answer == HK_REJECT);
    g_assert (route.transport->len > 0);
    hk_route_clear (&route);
    return 0;
}
