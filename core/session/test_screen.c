/* test_screen.c: lists of the DNS with filters and weights; XCLIENT's and XFORWARD's grammar;
 * limits of our own. */
#include "config.h"

#include "session/attributes.h"
#include "session/guard.h"
#include "session/screen.h"

typedef struct {
    const char *text;
    const char *want; /* "domain weight" of each site; NULL: wrong */
} SiteRow;

static const SiteRow site_rows[] = {
    {"", ""},
    {"zen.example", "zen.example 1;"},
    {"zen.example*2, White.Example*-3", "zen.example 2;white.example -3;"},
    {"zen.example=127.0.0.2*2", "zen.example 2;"},
    {"zen.example=127.0.0.[2..11;20]*8", "zen.example 8;"},
    {"zen.example=127.[0;1].0.4", "zen.example 1;"},
    {"zen.example*", NULL},
    {"zen.example*x", NULL},
    {"zen.example=", NULL},
    {"zen.example=127.0.0", NULL},
    {"zen.example=127.0.0.256", NULL},
    {"zen.example=127.0.0.[2..", NULL},
    {"zen.example=127.0.0.[9..2]", NULL},
    {"zen.example=127.0.0.4.5", NULL},
    {"=127.0.0.4", NULL},
    {"bad domain!", NULL},
};

static void
test_sites (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (site_rows); i++) {
        g_autoptr (GError) error = NULL;
        g_autoptr (GString) got = g_string_new (NULL);
        GPtrArray *sites = hk_screen_sites_parse (site_rows[i].text, &error);
        g_test_message ("%s", site_rows[i].text);
        if (site_rows[i].want == NULL) {
            g_assert_null (sites);
            g_assert_nonnull (error);
            continue;
        }
        g_assert_no_error (error);
        for (guint k = 0; k < sites->len; k++) {
            const HkScreenSite *site = g_ptr_array_index (sites, k);
            g_string_append_printf (got, "%s %d;", site->domain, site->weight);
        }
        g_assert_cmpstr (got->str, ==, site_rows[i].want);
        g_ptr_array_unref (sites);
    }
}

static void
test_filter (void)
{
    static const struct {
        uint8_t address[4];
        bool hits;
    } rows[] = {{{127, 0, 0, 2}, true},   {{127, 0, 0, 11}, true}, {{127, 0, 0, 12}, false},
                {{127, 0, 0, 20}, true},  {{127, 1, 0, 2}, true},  {{127, 2, 0, 2}, false},
                {{127, 0, 1, 2}, false}};
    GPtrArray *sites =
        hk_screen_sites_parse ("z.example=127.[0..1].0.[2..11;20]", NULL);
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
        g_assert_cmpint (
            hk_screen_site_matches (g_ptr_array_index (sites, 0), rows[i].address), ==,
            rows[i].hits);
    g_ptr_array_unref (sites);
}

static void
test_query_name (void)
{
    g_autoptr (GString) name = g_string_new (NULL);
    g_assert_true (hk_screen_query_name ("192.0.2.1", "z.example", name));
    g_assert_cmpstr (name->str, ==, "1.2.0.192.z.example");
    g_string_truncate (name, 0);
    g_assert_true (hk_screen_query_name ("2001:db8::1", "z.example", name));
    g_assert_cmpstr (name->str, ==,
                     "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
                     "z.example");
    g_assert_false (hk_screen_query_name ("unknown", "z.example", name));
}

static void
test_attributes (void)
{
    HkSpan rest = HK_SPAN ("  NAME=a+2Bb  HELO=<x>\x01 ADDR=IPV6:2001:DB8::1 X=+zz"), name;
    g_autoptr (GString) value = g_string_new (NULL), address = g_string_new (NULL);
    HkRefusal refusal;
    g_assert_cmpint (hk_attribute_next (&rest, &name, value, &refusal), ==, HK_ATTRIBUTE_OK);
    g_assert_true (hk_span_is (name, "NAME"));
    g_assert_cmpstr (value->str, ==, "a+b");
    g_assert_cmpint (hk_attribute_next (&rest, &name, value, &refusal), ==, HK_ATTRIBUTE_OK);
    g_assert_cmpstr (value->str, ==, "?x??");
    g_assert_cmpint (hk_attribute_next (&rest, &name, value, &refusal), ==, HK_ATTRIBUTE_OK);
    g_assert_true (hk_attribute_address ("ADDR", value, address, &refusal));
    g_assert_cmpstr (address->str, ==, "2001:db8::1");
    /* not xtext: taken as it stands (XCLIENT_README, note 3) */
    g_assert_cmpint (hk_attribute_next (&rest, &name, value, &refusal), ==, HK_ATTRIBUTE_OK);
    g_assert_cmpstr (value->str, ==, "+zz");
    g_assert_cmpint (hk_attribute_next (&rest, &name, value, &refusal), ==,
                     HK_ATTRIBUTE_END);
    g_string_assign (value, "IPV6:192.0.2.1");
    g_assert_false (hk_attribute_address ("ADDR", value, address, &refusal));
    g_string_assign (value, "2001:db8::1");
    g_assert_false (hk_attribute_address ("ADDR", value, address, &refusal));
}

static void
test_rules (void)
{
    static const char *const wrong[] = {
        "client 100/1h",          "{ client }",          "{ client 100 }",
        "{ client 0/1h }",        "{ nobody 1/1h }",     "{ client 1/1h drop }",
        "{ client 1/1h hold x }", "{ client messages }", "{ recipient messages 1/1h }",
        "{ client 1/0s }",        "{ }"};
    g_autoptr (GError) error = NULL;
    GArray *rules = hk_rate_rules_parse (
        "{ client 100/1h } { sasl_username messages 5/10m hold }, { prefix recipients 7/2d "
        "reject }",
        &error);
    g_assert_no_error (error);
    g_assert_cmpuint (rules->len, ==, 3);
    const HkRateRule *r = &g_array_index (rules, HkRateRule, 0);
    g_assert_true (r->key == HK_RULE_CLIENT && r->action == HK_RULE_DEFER &&
                   !r->counts_messages && r->amount == 100 &&
                   r->window_us == 3600 * HK_SECOND);
    r = &g_array_index (rules, HkRateRule, 1);
    g_assert_true (r->key == HK_RULE_SASL_USERNAME && r->action == HK_RULE_HOLD &&
                   r->counts_messages && r->window_us == 600 * HK_SECOND);
    r = &g_array_index (rules, HkRateRule, 2);
    g_assert_true (r->key == HK_RULE_PREFIX && r->action == HK_RULE_REJECT);
    g_array_unref (rules);
    for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
        g_autoptr (GError) why = NULL;
        g_test_message ("%s", wrong[i]);
        g_assert_null (hk_rate_rules_parse (wrong[i], &why));
        g_assert_nonnull (why);
    }
}

static void
test_client_names (void)
{
    static const struct {
        int ipv4, ipv6;
        const char *address, *want;
    } rows[] = {{32, 84, "192.0.2.77", "192.0.2.77"},
                {24, 84, "192.0.2.77", "192.0.2.0/24"},
                {25, 84, "192.0.2.200", "192.0.2.128/25"},
                {32, 84, "2001:db8:1:2:3456:789a:bcde:1", "2001:db8:1:2:3456:7000::/84"},
                {32, 128, "2001:db8::1", "2001:db8::1"},
                {24, 64, "unknown", "unknown"}};
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        const HkGuard guard = {.ipv4_prefix = rows[i].ipv4, .ipv6_prefix = rows[i].ipv6};
        g_autoptr (GString) name = g_string_new (NULL);
        hk_guard_append_client (&guard, rows[i].address, name);
        g_assert_cmpstr (name->str, ==, rows[i].want);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/screen/sites", test_sites);
    g_test_add_func ("/screen/filter", test_filter);
    g_test_add_func ("/screen/query-name", test_query_name);
    g_test_add_func ("/attributes/next", test_attributes);
    g_test_add_func ("/guard/rules", test_rules);
    g_test_add_func ("/guard/client-names", test_client_names);
    return g_test_run ();
}
