/* test_route.c: standard form, address classes, known recipients, transport and next hop.
 */
#include "route/test_rows.h"

typedef struct {
    HkPlugins *plugins;
    HkSettings *settings;
    HkRouter *router;
} Fixture;

static Fixture
setup (const char *main_cf)
{
    Fixture f;
    f.plugins = test_rows_new (main_cf, &f.settings);
    f.router = test_router_new (f.plugins, f.settings);
    return f;
}

static void
teardown (Fixture *f)
{
    hk_router_unref (f->router);
    test_host_free (f->plugins, f->settings);
}

/* ---- standard form
 * --------------------------------------------------------------------------- */

static void
test_rewrite (void)
{
    static const char *const cases[][2] = {
        {"", ""},                                     /* the null sender */
        {"joe", "joe@ours.test"},                     /* append_at_myorigin */
        {"joe@host.away.test", "joe@host.away.test"}, /* nothing to do */
        {"joe@away.test.", "joe@away.test"},          /* the dot of the root */
        {"joe@away.test..", "joe@away.test.."},       /* left for the syntax check */
        {"away.test!joe", "joe@away.test"},           /* swap_bangpath */
        {"joe%away.test", "joe@away.test"},           /* allow_percent_hack */
        {"@a.test,@b.test:joe@away.test", "joe@away.test"},
        {"\"a@b\"", "\"a@b\"@ours.test"}, /* quotes hide the @ */
        {"\"a!b\"", "\"a!b\"@ours.test"},
        {"a!b@away.test", "a!b@away.test"}, /* it has a domain already */
        {"joe@[127.0.0.1]", "joe@[127.0.0.1]"},
        {"joe@host", "joe@host"}, /* append_dot_mydomain is off */
    };
    Fixture f = setup ("");
    g_autoptr (GString) out = g_string_new (NULL);
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        hk_router_rewrite (f.router, hk_span_text (cases[i][0]), out);
        g_assert_cmpstr (out->str, ==, cases[i][1]);
        bool same = strcmp (cases[i][0], cases[i][1]) == 0;
        g_assert_true (!hk_router_is_standard (f.router, hk_span_text (cases[i][0])) ||
                       same);
    }
    teardown (&f);
}

static void
test_rewrite_switches (void)
{
    static const char *const cases[][2] = {
        {"joe@host", "joe@host.ours.test"},
        {"joe@[::1]", "joe@[::1]"},
        {"a!b", "a!b@ours.test"},
        {"a%b", "a%b@ours.test"},
    };
    Fixture f = setup ("append_dot_mydomain = yes\nswap_bangpath = no\n"
                       "allow_percent_hack = no\n");
    g_autoptr (GString) out = g_string_new (NULL);
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        hk_router_rewrite (f.router, hk_span_text (cases[i][0]), out);
        g_assert_cmpstr (out->str, ==, cases[i][1]);
    }
    teardown (&f);
}

/* ---- classes
 * -------------------------------------------------------------------------------------- */

#define CLASSES                                                                            \
    "virtual_alias_domains = alias.test\nvirtual_mailbox_domains = box.test\n"             \
    "relay_domains = relay.test\n"

static void
test_classes (void)
{
    static const struct {
        const char *address;
        int class;
    } cases[] = {
        {"joe@ours.test", HK_DEST_LOCAL},
        {"joe@OURS.test", HK_DEST_LOCAL},
        {"joe", HK_DEST_LOCAL},
        {"joe@[127.0.0.1]", HK_DEST_LOCAL},
        {"joe@[192.0.2.77]", HK_DEST_OTHER},
        {"joe@alias.test", HK_DEST_VIRTUAL_ALIAS},
        {"joe@box.test", HK_DEST_VIRTUAL_MAILBOX},
        {"joe@relay.test", HK_DEST_RELAY},
        {"joe@sub.relay.test", HK_DEST_RELAY}, /* parent_domain_matches_subdomains */
        {"joe@away.test", HK_DEST_OTHER},
        {"joe%away.test@ours.test", HK_DEST_OTHER}, /* routed through us: not ours */
        {"joe@away.test@ours.test", HK_DEST_OTHER},
        {"away.test!joe@ours.test", HK_DEST_OTHER},
        {"joe%away.test@relay.test", HK_DEST_OTHER}, /* would make relays of relays */
        {"\"joe@away.test\"@relay.test", HK_DEST_OTHER},
        /* an @ in quotes in the middle: rewriting it never ends by itself */
        {":\"a@.\"Ba", HK_DEST_LOCAL},
        {":\"a@.\"Ba@ours.test", HK_DEST_LOCAL},
        {"\"joe@away.test\"@ours.test", HK_DEST_OTHER}, /* resolve_dequoted_address */
        {"\"joe@away.test\"", HK_DEST_OTHER},
        {"\"joe%away.test\"@ours.test", HK_DEST_OTHER},
        {"\"away.test!joe\"@ours.test", HK_DEST_OTHER},
        {"\"joe@away.test\"@[127.0.0.1]", HK_DEST_OTHER},
        {"\"\\\"joe@away.test\\\"\"@relay.test", HK_DEST_OTHER},
        {"\"joe\"@ours.test", HK_DEST_LOCAL},
        {"\"joe@ours.test\"@ours.test", HK_DEST_LOCAL},
    };
    Fixture f = setup (CLASSES);
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        int class = 0;
        g_test_message ("%s", cases[i].address);
        g_assert_cmpint (
            hk_router_class (f.router, hk_span_text (cases[i].address), &class, NULL), ==,
            HK_OK);
        g_assert_cmpint (class, ==, cases[i].class);
    }
    teardown (&f);
}

static void
test_class_switches (void)
{
    static const struct {
        const char *main_cf, *address;
        int class;
    } cases[] = {
        {"resolve_dequoted_address = no\n", "\"joe@away.test\"@ours.test", HK_DEST_LOCAL},
        {"resolve_dequoted_address = no\n", "\"joe@away.test\"", HK_DEST_LOCAL},
        {"allow_percent_hack = no\n", "\"joe%away.test\"@localhost", HK_DEST_LOCAL},
        /* the rewritten address would be longer: still nobody's here */
        {"append_dot_mydomain = yes\n", "a!b@localhost", HK_DEST_OTHER},
        {"append_dot_mydomain = yes\n", "\"a!b\"@localhost", HK_DEST_OTHER},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        Fixture f = setup (cases[i].main_cf);
        int class = 0;
        g_test_message ("%s", cases[i].address);
        g_assert_cmpint (
            hk_router_class (f.router, hk_span_text (cases[i].address), &class, NULL), ==,
            HK_OK);
        g_assert_cmpint (class, ==, cases[i].class);
        teardown (&f);
    }
}

static void
test_serving (void)
{
    HkSearch search;
    g_autoptr (GError) error = NULL;
    Fixture f = setup ("");
    HkMaps *maps = hk_maps_open (f.plugins, f.settings, "x", "mem:a=b", &error);
    g_assert_no_error (error);
    hk_router_serve (f.router, f.plugins);
    hk_maps_search_defaults (maps, "x", &search);
    g_assert_true (search.is_ours (HK_SPAN ("localhost"), search.data));
    g_assert_false (search.is_ours (HK_SPAN ("away.test"), search.data));
    hk_router_serve (NULL, f.plugins); /* a search under way: no router, no answer */
    g_assert_false (search.is_ours (HK_SPAN ("localhost"), search.data));
    hk_maps_unref (maps);
    teardown (&f);
}

static void
test_class_later (void)
{
    Fixture f = setup ("relay_domains = mem:away.test=LATER\n");
    g_autofree char *reason = NULL;
    int class = 0;
    g_assert_cmpint (hk_router_class (f.router, HK_SPAN ("a@away.test"), &class, &reason),
                     ==, HK_LATER);
    g_assert_nonnull (reason);
    teardown (&f);
}

/* ---- known recipients
 * --------------------------------------------------------------------------- */

static void
test_listed (void)
{
    static const struct {
        const char *address;
        HkAnswer answer;
        const char *text;
    } cases[] = {
        {"joe@ours.test", HK_FOUND, NULL},
        {"joe+ext@ours.test", HK_FOUND, NULL},
        {"no@ours.test", HK_ABSENT, "User unknown in local recipient table"},
        {"dead@ours.test", HK_LATER, NULL},
        {"sales@alias.test", HK_FOUND, NULL},
        {"no@alias.test", HK_ABSENT, "User unknown in virtual alias table"},
        {"box@box.test", HK_FOUND, NULL},
        {"no@box.test", HK_ABSENT, "User unknown in virtual mailbox table"},
        {"al@box.test", HK_FOUND, NULL},    /* an alias in a domain of mailboxes */
        {"any@relay.test", HK_FOUND, NULL}, /* relay_recipient_maps is empty */
        {"any@away.test", HK_FOUND, NULL},
        {"old@ours.test", HK_ABSENT, "User has moved to new@away.test"},
        {"canon@ours.test", HK_FOUND, NULL},
        {"x@gone.test", HK_ABSENT, "no such place"},
        {"x@later.test", HK_ABSENT, "not today"},
        {"x@some.test", HK_ABSENT, "5 days"}, /* no code, or none of these, is text */
    };
    Fixture f =
        setup (CLASSES "recipient_delimiter = +\n"
                       "local_recipient_maps = mem:joe=x;dead=LATER;old=x\n"
                       "virtual_alias_maps = mem:sales@alias.test=joe;al@box.test=x\n"
                       "virtual_mailbox_maps = mem:box@box.test=x/\n"
                       "canonical_maps = mem:canon@ours.test=joe\n"
                       "relocated_maps = mem:old@ours.test=new@away.test\n"
                       "transport_maps = rows:gone.test=error:5.1.2~no~such~place;"
                       "later.test=retry:4.3.0~not~today;some.test=retry:5~days\n");
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        HkUnlisted unlisted = {0};
        g_autofree char *reason = NULL;
        g_test_message ("%s", cases[i].address);
        g_assert_cmpint (hk_router_listed (f.router, hk_span_text (cases[i].address),
                                           &unlisted, &reason),
                         ==, cases[i].answer);
        if (cases[i].text != NULL) {
            g_assert_cmpstr (unlisted.text, ==, cases[i].text);
            bool is_later = strstr (cases[i].address, "@later") != NULL ||
                            strstr (cases[i].address, "@some") != NULL;
            g_assert_cmpint (unlisted.code, ==, is_later ? 450 : 550);
            if (is_later)
                g_assert_cmpstr (unlisted.dsn, ==,
                                 cases[i].text[0] == 'n' ? "4.3.0" : "4.1.1");
        }
    }
    teardown (&f);
}

static void
test_hidden_table_name (void)
{
    Fixture f = setup (CLASSES "show_user_unknown_table_name = no\n"
                               "unknown_local_recipient_reject_code = 450\n"
                               "local_recipient_maps = mem:joe=x\n");
    HkUnlisted unlisted = {0};
    g_assert_cmpint (hk_router_listed (f.router, HK_SPAN ("no@ours.test"), &unlisted, NULL),
                     ==, HK_ABSENT);
    g_assert_cmpstr (unlisted.text, ==, "User unknown");
    g_assert_cmpint (unlisted.code, ==, 450);
    teardown (&f);
}

/* ---- routes
 * -----------------------------------------------------------------------------------------
 */

typedef struct {
    const char *sender, *recipient;
    HkAnswer answer;
    const char *transport, *nexthop; /* REJECT: dsn, text */
} RouteCase;

static void
check_routes (const char *main_cf, const RouteCase *cases, size_t n)
{
    Fixture f = setup (main_cf);
    HkRoute route;
    hk_route_init (&route);
    for (size_t i = 0; i < n; i++) {
        g_test_message ("%s → %s", cases[i].sender, cases[i].recipient);
        g_assert_cmpint (hk_router_resolve (f.router, hk_span_text (cases[i].sender),
                                            hk_span_text (cases[i].recipient), &route),
                         ==, cases[i].answer);
        if (cases[i].answer == HK_OK) {
            g_assert_cmpstr (route.transport->str, ==, cases[i].transport);
            g_assert_cmpstr (route.nexthop->str, ==, cases[i].nexthop);
        } else if (cases[i].answer == HK_REJECT) {
            g_assert_cmpstr (route.dsn, ==, cases[i].transport);
            g_assert_cmpstr (route.text->str, ==, cases[i].nexthop);
        } else {
            g_assert_cmpuint (route.text->len, >, 0);
        }
    }
    hk_route_clear (&route);
    teardown (&f);
}

static void
test_routes_by_class (void)
{
    static const RouteCase cases[] = {
        {"a@b.test", "joe@ours.test", HK_OK, "local", "mx.ours.test"},
        {"a@b.test", "joe", HK_OK, "local", "mx.ours.test"},
        {"a@b.test", "", HK_OK, "local", "mx.ours.test"},
        {"a@b.test", "joe@box.test", HK_OK, "virtual", "box.test"},
        {"a@b.test", "joe@relay.test", HK_OK, "relay", "relay.test"},
        {"a@b.test", "joe@Away.TEST", HK_OK, "smtp", "away.test"},
        {"a@b.test", "joe@[192.0.2.1]", HK_OK, "smtp", "[192.0.2.1]"},
        {"a@b.test", "joe@alias.test", HK_REJECT, "5.1.1",
         "User unknown in virtual alias table"},
        {"a@b.test", "joe@-away-.test", HK_REJECT, "5.1.3", "bad address syntax"},
    };
    check_routes ("mydestination = ours.test, mx.ours.test\n" CLASSES, cases,
                  G_N_ELEMENTS (cases));
}

static void
test_routes_by_table (void)
{
    static const RouteCase cases[] = {
        {"a@b.test", "joe@one.test", HK_OK, "slow", "one.test"},       /* slow: */
        {"a@b.test", "joe@two.test", HK_OK, "smtp", "[127.0.0.1]:26"}, /* :nexthop */
        {"a@b.test", "joe@sub.dot.test", HK_OK, "lmtp", "unix:/x"},
        {"a@b.test", "special@one.test", HK_OK, "smtp", "[10.0.0.1]"},
        {"a@b.test", "joe@keep.test", HK_OK, "smtp", "gate.test"}, /* ":" */
        {"a@b.test", "joe@ours.test", HK_OK, "local", "mx.ours.test"},
        {"a@b.test", "joe@err.test", HK_REJECT, "5.7.1", "not here"},
        {"a@b.test", "joe@err2.test", HK_REJECT, "5.0.0", "not here"},
        {"a@b.test", "joe@dead.test", HK_LATER, NULL, NULL},
        {"a@b.test", "joe@other.test", HK_OK, "smtp", "gate.test"},
    };
    check_routes (
        "relayhost = gate.test\n"
        "transport_maps = rows:one.test=slow:;two.test=:[127.0.0.1]:26;"
        ".dot.test=lmtp:unix:/x;special@one.test=smtp:[10.0.0.1];keep.test=:;"
        "err.test=error:5.7.1~not~here;err2.test=error:not~here;dead.test=LATER\n",
        cases, G_N_ELEMENTS (cases));
}

static void
test_routes_by_sender (void)
{
    static const RouteCase cases[] = {
        {"a@one.test", "joe@away.test", HK_OK, "smtp", "[one-gate.test]"},
        {"b@one.test", "joe@away.test", HK_OK, "smtp", "gate.test"}, /* DUNNO */
        {"", "joe@away.test", HK_OK, "smtp", "null-gate.test"},      /* key "<>" */
        {"c@two.test", "joe@away.test", HK_OK, "slow", "gate.test"},
        {"c@two.test", "joe@relay.test", HK_OK, "relay", "gate.test"},
        {"d@three.test", "joe@away.test", HK_OK, "slow", "three.test"},
        {"x@other.test", "joe@away.test", HK_OK, "smtp", "gate.test"},
        {"dead@one.test", "joe@away.test", HK_LATER, NULL, NULL},
        {"a@one.test", "joe@ours.test", HK_OK, "local", "mx.ours.test"},
    };
    check_routes ("relay_domains = relay.test\nrelayhost = gate.test\n"
                  "sender_dependent_relayhost_maps = rows:@one.test=[one-gate.test];"
                  "b@one.test=DUNNO;<>=null-gate.test;dead@one.test=LATER\n"
                  "sender_dependent_default_transport_maps = rows:@two.test=slow:;"
                  "@three.test=slow:three.test\n",
                  cases, G_N_ELEMENTS (cases));
}

static void
test_default_with_nexthop (void)
{
    static const RouteCase cases[] = {
        {"a@b.test", "joe@away.test", HK_OK, "smtp", "hub.test"},
        {"a@b.test", "joe@ours.test", HK_OK, "lmtp", "unix:private/dovecot"},
        {"a@b.test", "old@ours.test", HK_REJECT, "5.1.6",
         "User has moved to new@away.test"},
    };
    check_routes ("relayhost = gate.test\ndefault_transport = smtp:hub.test\n"
                  "local_transport = lmtp:unix:private/dovecot\n"
                  "relocated_maps = mem:old@ours.test=new@away.test\n",
                  cases, G_N_ELEMENTS (cases));
}

/* ---- the rest
 * ------------------------------------------------------------------------------------------
 */

/* As tables of access(5) know an address. */
static void
test_standard_form (void)
{
    static const char *const cases[][2] = {
        {"joe", "joe@ours.test"},
        {"joe@ours.test", NULL}, /* it is so already */
        {"joe@away.test", NULL},
        {"", NULL},
        {"joe@away.test.", "joe@away.test"},
        {"joe%away.test@ours.test", "joe@away.test"},
        {"joe%away.test", "joe@away.test"},
        {"away.test!joe@ours.test", "joe@away.test"},
        {"joe%there.test@away.test", "joe%there.test@away.test"}, /* their way, not ours */
    };
    Fixture f = setup ("");
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GString) out = g_string_new ("untouched");
        bool differs =
            hk_router_standard_form (f.router, hk_span_text (cases[i][0]), out);
        g_assert_cmpint (differs, ==, cases[i][1] != NULL);
        g_assert_cmpstr (out->str, ==, differs ? cases[i][1] : "untouched");
    }
    teardown (&f);
    /* a list of domains that may be slow is not asked: the rest is done all the same */
    f = setup ("relay_domains = slow:a=b\n");
    g_autoptr (GString) out = g_string_new (NULL);
    g_assert_true (
        hk_router_standard_form (f.router, HK_SPAN ("joe%away.test@ours.test."), out));
    g_assert_cmpstr (out->str, ==, "joe%away.test@ours.test");
    teardown (&f);
}

static void
test_own_names (void)
{
    Fixture f = setup ("proxy_interfaces = 192.0.2.99\n");
    g_assert_true (hk_router_is_own_ip (f.router, HK_SPAN ("127.0.0.1")));
    g_assert_true (hk_router_is_own_ip (f.router, HK_SPAN ("192.0.2.99")));
    g_assert_false (hk_router_is_own_ip (f.router, HK_SPAN ("192.0.2.98")));
    g_assert_false (hk_router_is_own_ip (f.router, HK_SPAN ("nonsense")));
    g_assert_true (hk_router_is_ours (f.router, HK_SPAN ("localhost")));
    g_assert_false (hk_router_is_ours (f.router, HK_SPAN ("away.test")));
    g_assert_false (hk_router_may_block (f.router));
    teardown (&f);
    f = setup ("transport_maps = slow:a=b\n");
    g_assert_true (hk_router_may_block (f.router));
    g_assert_true (hk_router_listed_may_block (f.router, HK_SPAN ("a@away.test")));
    teardown (&f);
    /* only who is looked up in the table that blocks has to wait for it */
    f = setup (CLASSES "local_recipient_maps = slow:a=b\nvirtual_mailbox_maps = mem:x=y\n");
    g_assert_true (hk_router_may_block (f.router));
    g_assert_true (hk_router_listed_may_block (f.router, HK_SPAN ("joe@ours.test")));
    g_assert_true (hk_router_listed_may_block (f.router, HK_SPAN ("joe")));
    g_assert_true (
        hk_router_listed_may_block (f.router, HK_SPAN ("joe%localhost@ours.test")));
    g_assert_false (hk_router_listed_may_block (f.router, HK_SPAN ("joe@box.test")));
    g_assert_false (hk_router_listed_may_block (f.router, HK_SPAN ("joe@away.test")));
    teardown (&f);
    f = setup (CLASSES "local_recipient_maps = mem:a=b\nvirtual_alias_maps = slow:a=b\n");
    g_assert_true (hk_router_listed_may_block (f.router, HK_SPAN ("joe@away.test")));
    teardown (&f);
}

static void
test_broken (void)
{
    g_autoptr (GError) error = NULL;
    HkSettings *settings;
    HkPlugins *plugins = test_rows_new ("transport_maps = nosuchtype:x\n", &settings);
    g_assert_null (hk_router_new (plugins, settings, &error));
    g_assert_nonnull (error);
    g_assert_nonnull (strstr (error->message, "transport_maps"));
    test_host_free (plugins, settings);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/route/rewrite", test_rewrite);
    g_test_add_func ("/route/rewrite_switches", test_rewrite_switches);
    g_test_add_func ("/route/classes", test_classes);
    g_test_add_func ("/route/class_later", test_class_later);
    g_test_add_func ("/route/class_switches", test_class_switches);
    g_test_add_func ("/route/serving", test_serving);
    g_test_add_func ("/route/listed", test_listed);
    g_test_add_func ("/route/hidden_table_name", test_hidden_table_name);
    g_test_add_func ("/route/by_class", test_routes_by_class);
    g_test_add_func ("/route/by_table", test_routes_by_table);
    g_test_add_func ("/route/by_sender", test_routes_by_sender);
    g_test_add_func ("/route/default_with_nexthop", test_default_with_nexthop);
    g_test_add_func ("/route/standard_form", test_standard_form);
    g_test_add_func ("/route/own_names", test_own_names);
    g_test_add_func ("/route/broken", test_broken);
    return g_test_run ();
}
