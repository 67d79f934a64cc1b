/* test_probes.c: routing of address probes, and whom they are from. */
#include "route/test_rows.h"

typedef struct {
    HkPlugins *plugins;
    HkSettings *settings;
    HkRouter *usual, *probes;
} Fixture;

static Fixture
setup (const char *main_cf)
{
    Fixture f;
    g_autoptr (GError) error = NULL;
    f.plugins = test_rows_new (main_cf, &f.settings);
    f.usual = test_router_new (f.plugins, f.settings);
    f.probes = hk_router_new_for_probes (f.plugins, f.settings, f.usual, &error);
    g_assert_no_error (error);
    return f;
}

static void
teardown (Fixture *f)
{
    hk_router_unref (f->usual);
    hk_router_unref (f->probes);
    test_host_free (f->plugins, f->settings);
}

static void
assert_route (HkRouter *router, const char *sender, const char *recipient,
              const char *expected)
{
    HkRoute route;
    hk_route_init (&route);
    HkAnswer answer =
        hk_router_resolve (router, hk_span_text (sender), hk_span_text (recipient), &route);
    g_autofree char *seen =
        g_strdup_printf ("%s:%s", route.transport->str, route.nexthop->str);
    g_assert_cmpint (answer, ==, HK_OK);
    g_assert_cmpstr (seen, ==, expected);
    hk_route_clear (&route);
}

static void
test_same (void)
{
    Fixture f = setup ("relayhost = [gate.test]\naddress_verify_relayhost = [gate.test]\n");
    g_assert_true (f.probes == f.usual);
    teardown (&f);
}

/* Each override, beside where mail goes. */
static void
test_overrides (void)
{
    static const struct {
        const char *main_cf, *sender, *recipient, *mail, *probe;
    } cases[] = {
        {"relayhost = [gate.test]\naddress_verify_relayhost =\n", "s@x", "a@away.test",
         "smtp:[gate.test]", "smtp:away.test"},
        {"address_verify_default_transport = direct\n", "s@x", "a@away.test",
         "smtp:away.test", "direct:away.test"},
        {"relay_domains = relay.test\naddress_verify_relay_transport = direct:[10.0.0.1]\n",
         "s@x", "a@relay.test", "relay:relay.test", "direct:[10.0.0.1]"},
        {"virtual_mailbox_domains = box.test\naddress_verify_virtual_transport = direct\n",
         "s@x", "a@box.test", "virtual:box.test", "direct:box.test"},
        {"address_verify_local_transport = lmtp:unix:/run/lmtp\n", "s@x", "a@ours.test",
         "local:mx.ours.test", "lmtp:unix:/run/lmtp"},
        {"transport_maps = rows:away.test=one:[m.test]\n"
         "address_verify_transport_maps = rows:away.test=two:[p.test]\n",
         "s@x", "a@away.test", "one:[m.test]", "two:[p.test]"},
        {"sender_dependent_relayhost_maps = rows:s@x=[m.test]\n"
         "address_verify_sender_dependent_relayhost_maps = rows:s@x=[p.test]\n",
         "s@x", "a@away.test", "smtp:[m.test]", "smtp:[p.test]"},
        {"sender_dependent_default_transport_maps = rows:s@x=one:\n"
         "address_verify_sender_dependent_default_transport_maps = rows:s@x=two:\n",
         "s@x", "a@away.test", "one:away.test", "two:away.test"},
        /* what is not overridden is as for mail, also when something else is */
        {"relayhost = [gate.test]\naddress_verify_local_transport = x\n", "s@x",
         "a@away.test", "smtp:[gate.test]", "smtp:[gate.test]"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        Fixture f = setup (cases[i].main_cf);
        assert_route (f.usual, cases[i].sender, cases[i].recipient, cases[i].mail);
        assert_route (f.probes, cases[i].sender, cases[i].recipient, cases[i].probe);
        teardown (&f);
    }
}

static const int64_t now = INT64_C (1700000000);

static char *
sender_at (HkRouter *router, int64_t when)
{
    GString *out = g_string_new (NULL);
    hk_router_probe_sender (router, when, out);
    return g_string_free (out, FALSE);
}

static void
assert_sender (HkRouter *router, const char *address, int64_t when, const char *base)
{
    g_autoptr (GString) out = g_string_new (NULL);
    bool is = hk_router_is_probe_sender (router, hk_span_text (address), when, out);
    g_assert_cmpint (is, ==, base != NULL);
    if (is)
        g_assert_cmpstr (out->str, ==, base);
}

static void
test_sender (void)
{
    static const struct {
        const char *main_cf, *sender, *ours, *foreign;
    } cases[] = {
        {"", "double-bounce@ours.test", "Double-Bounce@OURS.test",
         "double-bouncer@ours.test"},
        {"address_verify_sender = probe@p.test\n", "probe@p.test", "probe@p.test",
         "double-bounce@ours.test"},
        {"address_verify_sender = <>\n", "", NULL, ""},
        {"address_verify_sender =\n", "", NULL, "double-bounce@ours.test"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        Fixture f = setup (cases[i].main_cf);
        g_autofree char *sender = sender_at (f.usual, now);
        g_assert_cmpstr (sender, ==, cases[i].sender);
        if (cases[i].ours != NULL)
            assert_sender (f.usual, cases[i].ours, now, sender);
        assert_sender (f.usual, cases[i].foreign, now, NULL);
        teardown (&f);
    }
}

static void
test_sender_of_the_time (void)
{
    Fixture f = setup ("address_verify_sender_ttl = 1000s\n");
    g_autofree char *one = sender_at (f.usual, now);
    g_autofree char *same = sender_at (f.usual, now + 999);
    g_autofree char *next = sender_at (f.usual, now + 1000);
    g_autofree char *folded = g_ascii_strup (one, -1);
    g_assert_cmpstr (one, ==, same);
    g_assert_cmpstr (one, !=, next);
    g_assert_cmpstr (one, ==,
                     "double-bounce1V1ZQ@ours.test"); /* 1700000 to the base of 31 */
    assert_sender (f.usual, one, now + 1999, "double-bounce@ours.test");
    assert_sender (f.usual, folded, now, "double-bounce@ours.test");
    assert_sender (f.usual, next, now, "double-bounce@ours.test");
    assert_sender (f.usual, one, now + 2000, NULL);
    assert_sender (f.usual, "double-bounce@ours.test", now, NULL);
    assert_sender (f.usual, "double-bounce1V1Z@ours.test", now, NULL);
    assert_sender (f.usual, "double-bounceZZZZZZZZZZZZZZZZZZZZZZ@ours.test", now, NULL);
    teardown (&f);
}

/* Mail to the mail system's own names is never refused as for unknown users. */
static void
test_system_names (void)
{
    static const char *const known[] = {"double-bounce@ours.test", "Postmaster@ours.test",
                                        "mailer-daemon@ours.test"};
    Fixture f = setup ("local_recipient_maps = rows:joe@ours.test=x\n");
    HkUnlisted unlisted;
    for (size_t i = 0; i < G_N_ELEMENTS (known); i++)
        g_assert_cmpint (
            hk_router_listed (f.usual, hk_span_text (known[i]), &unlisted, NULL), ==,
            HK_FOUND);
    g_assert_cmpint (
        hk_router_listed (f.usual, HK_SPAN ("double-bouncer@ours.test"), &unlisted, NULL),
        ==, HK_ABSENT);
    teardown (&f);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/probes/same", test_same);
    g_test_add_func ("/probes/overrides", test_overrides);
    g_test_add_func ("/probes/sender", test_sender);
    g_test_add_func ("/probes/sender_of_the_time", test_sender_of_the_time);
    g_test_add_func ("/probes/system_names", test_system_names);
    return g_test_run ();
}
