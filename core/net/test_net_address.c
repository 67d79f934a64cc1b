/* test_net_address.c: addresses, services, listening, networks, hosts files. */
#include "config.h"
#include "net/address.h"
#include "net/hosts.h"

#include <errno.h>
#include <gio/gio.h>
#include <netinet/in.h>
#include <unistd.h>

static void
test_text (void)
{
    static const struct {
        const char *ip, *text; /* NULL: refused */
        bool ipv6;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", false},
        {"2001:DB8:0::1", "2001:db8::1", true},
        {"::1", "::1", true},
        {"", NULL, false},
        {"192.0.2", NULL, false},
        {"192.0.2.256", NULL, false},
        {"localhost", NULL, false},
        {"[::1]", NULL, false},
        {"192.0.2.1 ", NULL, false},
        {"1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18", NULL, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        HkAddress address;
        char text[64];
        bool good = hk_address_parse_ip (hk_span_text (cases[i].ip), 25, &address);
        g_assert_cmpint (good, ==, cases[i].text != NULL);
        if (!good)
            continue;
        hk_address_text (&address, text);
        g_assert_cmpstr (text, ==, cases[i].text);
        g_assert_cmpint (hk_address_is_ipv6 (&address), ==, cases[i].ipv6);
        g_assert_cmpuint (hk_address_port (&address), ==, 25);
    }
    HkAddress address;
    g_assert_false (hk_address_parse_ip (HK_SPAN ("192.0.2.1"), 65536, &address));
    g_assert_false (hk_address_parse_ip (HK_SPAN ("192.0.2.1\0"), 1, &address));
}

static void
test_unmap (void)
{
    HkAddress address;
    char text[64];
    g_assert_true (hk_address_parse_ip (HK_SPAN ("::ffff:192.0.2.1"), 2525, &address));
    hk_address_unmap (&address);
    hk_address_text (&address, text);
    g_assert_cmpstr (text, ==, "192.0.2.1");
    g_assert_cmpuint (hk_address_port (&address), ==, 2525);
    g_assert_true (hk_address_parse_ip (HK_SPAN ("2001:db8::1"), 25, &address));
    hk_address_unmap (&address);
    g_assert_true (hk_address_is_ipv6 (&address));
}

static char *
service_text (const char *service, const char *interface, const char *protocols,
              GError **error)
{
    const char *const interfaces[] = {interface, NULL};
    g_autoptr (GArray) out = g_array_new (FALSE, FALSE, sizeof (HkAddress));
    if (!hk_service_addresses (service, interface == NULL ? NULL : interfaces, protocols,
                               out, error))
        return NULL;
    GString *all = g_string_new (NULL);
    for (guint i = 0; i < out->len; i++) {
        char text[64];
        const HkAddress *address = &g_array_index (out, HkAddress, i);
        hk_address_text (address, text);
        g_string_append_printf (all, "%s%s@%u", i == 0 ? "" : " ", text,
                                hk_address_port (address));
    }
    return g_string_free (all, FALSE);
}

static void
test_service (void)
{
    static const struct {
        const char *service, *interface, *protocols, *addresses; /* NULL: refused */
    } cases[] = {
        {"25", NULL, "ipv4", "0.0.0.0@25"},
        {"smtp", "all", "ipv4", "0.0.0.0@25"},
        {"submission", "192.0.2.1", "ipv4", "192.0.2.1@587"},
        {":2525", "192.0.2.1", "all", "192.0.2.1@2525"},
        {"127.0.0.1:2525", "all", "all", "127.0.0.1@2525"},
        {"[127.0.0.1]:2525", "all", "ipv4", "127.0.0.1@2525"},
        {"localhost:smtp", "all", "ipv4", "127.0.0.1@25"},
        {"25", "loopback-only", "ipv4", "127.0.0.1@25"},
        {"25", "[192.0.2.1]", "ipv4, ipv4", "192.0.2.1@25"},
        {"127.0.0.1:0", "all", "ipv4", NULL},
        {"127.0.0.1:65536", "all", "ipv4", NULL},
        {"127.0.0.1:", "all", "ipv4", NULL},
        {"", "all", "ipv4", NULL},
        {"no-such-service-name", "all", "ipv4", NULL},
        {"12x", "all", "ipv4", NULL},
        {"::1:25", "all", "ipv4", NULL},
        {"[::1]", "all", "ipv4", NULL},
        {"[]:25", "all", "ipv4", NULL},
        {"25", "192.0.2.1", "ipv5", NULL},
        {"25", "2001:db8::1", "ipv4", NULL}, /* nothing is left */
        {"25", "bad name # text", "ipv4", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GError) error = NULL;
        g_autofree char *text =
            service_text (cases[i].service, cases[i].interface, cases[i].protocols, &error);
        g_assert_cmpstr (text, ==, cases[i].addresses);
        if (text == NULL) {
            g_assert_nonnull (error);
            g_assert_nonnull (strstr (error->message, cases[i].service));
        }
    }
}

static void
test_service_ipv6 (void)
{
    g_autoptr (GError) error = NULL;
    int fd = socket (AF_INET6, SOCK_STREAM, 0);
    if (fd < 0) {
        g_test_skip ("no IPv6 here");
        return;
    }
    close (fd);
    g_autofree char *all = service_text ("25", NULL, "all", &error);
    g_assert_cmpstr (all, ==, "0.0.0.0@25 ::@25");
    g_autofree char *one = service_text ("[::1]:25", NULL, "ipv6", &error);
    g_assert_cmpstr (one, ==, "::1@25");
}

static void
test_listen (void)
{
    g_autoptr (GError) error = NULL;
    HkAddress address;
    struct sockaddr_in bound;
    socklen_t size = sizeof bound;
    g_assert_true (hk_address_parse_ip (HK_SPAN ("127.0.0.1"), 0, &address));
    int fd = hk_listen (&address, 10, &error);
    g_assert_no_error (error);
    g_assert_cmpint (fd, >=, 0);
    g_assert_cmpint (getsockname (fd, (struct sockaddr *) &bound, &size), ==, 0);
    /* the same address again: the error names it */
    unsigned port = ntohs (bound.sin_port);
    g_assert_true (hk_address_parse_ip (HK_SPAN ("127.0.0.1"), port, &address));
    g_assert_cmpint (hk_listen (&address, 10, &error), ==, -1);
    g_autofree char *wanted = g_strdup_printf ("127.0.0.1:%u: bind: ", port);
    g_assert_true (g_str_has_prefix (error->message, wanted));
    close (fd);
}

static void
test_network (void)
{
    static const struct {
        const char *network, *ip;
        bool good, holds;
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", true, true},
        {"10.0.0.0/8", "11.0.0.1", true, false},
        {"192.0.2.128/25", "192.0.2.127", true, false},
        {"192.0.2.128/25", "192.0.2.128", true, true},
        {"192.0.2.1", "192.0.2.1", true, true},
        {"192.0.2.1", "192.0.2.2", true, false},
        {"0.0.0.0/0", "192.0.2.2", true, true},
        {"0.0.0.0/0", "2001:db8::1", true, false},
        {"192.0.2.0/24", "::ffff:192.0.2.7", true, true},
        {"2001:db8::/32", "2001:db8:1::", true, true},
        {"[2001:db8::]/32", "2001:db9::", true, false},
        {"[2001:db8::/32]", "2001:db8::5", true, true},
        {"[::1]", "::1", true, true},
        {"[::1]/128", "::1", true, true},
        {"::/0", "192.0.2.1", true, false},
        {"10.0.0.1/8", NULL, false, false},
        {"10.0.0.0/33", NULL, false, false},
        {"10.0.0.0/", NULL, false, false},
        {"10.0.0.0/8x", NULL, false, false},
        {"10.0.0/8", NULL, false, false},
        {"[::1", NULL, false, false},
        {"[", NULL, false, false},
        {"[]", NULL, false, false},
        {"/8", NULL, false, false},
        {"", NULL, false, false},
        {"example.org", NULL, false, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        HkNetwork network;
        HkAddress address;
        const char *wrong = NULL;
        bool good = hk_network_parse (hk_span_text (cases[i].network), &network, &wrong);
        if (good != cases[i].good)
            g_error ("%s: %d", cases[i].network, good);
        g_assert_cmpint (wrong == NULL, ==, good);
        if (!good)
            continue;
        g_assert_true (hk_address_parse_ip (hk_span_text (cases[i].ip), 0, &address));
        if (hk_network_holds (&network, &address) != cases[i].holds)
            g_error ("%s and %s", cases[i].network, cases[i].ip);
    }
}

static void
test_hosts (void)
{
    g_autoptr (HkHosts) hosts = hk_hosts_from_text (HK_SPAN (
        "127.0.0.1\tlocalhost  Loop # comment other\n::1 localhost\n#192.0.2.1 off\n"
        "bad line\n192.0.2.2 a.example a\n192.0.2.3 a.example"));
    HkAddress address;
    g_assert_cmpuint (hk_hosts_addresses (hosts, "LOCALHOST")->len, ==, 2);
    g_assert_cmpuint (hk_hosts_addresses (hosts, "loop")->len, ==, 1);
    g_assert_cmpuint (hk_hosts_addresses (hosts, "a.example")->len, ==, 2);
    g_assert_null (hk_hosts_addresses (hosts, "other"));
    g_assert_null (hk_hosts_addresses (hosts, "line"));
    g_assert_true (hk_address_parse_ip (HK_SPAN ("192.0.2.2"), 99, &address));
    g_assert_cmpstr (hk_hosts_name (hosts, &address), ==, "a.example");
    g_assert_true (hk_address_parse_ip (HK_SPAN ("192.0.2.9"), 0, &address));
    g_assert_null (hk_hosts_name (hosts, &address));
    g_assert_null (hk_hosts_read ("/nonexistent/hosts"));
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/net/address/text", test_text);
    g_test_add_func ("/net/address/unmap", test_unmap);
    g_test_add_func ("/net/address/service", test_service);
    g_test_add_func ("/net/address/service-ipv6", test_service_ipv6);
    g_test_add_func ("/net/address/listen", test_listen);
    g_test_add_func ("/net/address/network", test_network);
    g_test_add_func ("/net/hosts", test_hosts);
    return g_test_run ();
}
