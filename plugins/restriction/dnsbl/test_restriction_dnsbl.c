/* test_restriction_dnsbl.c: patterns, names, templates, and the words against answers in
 * memory. */
#include "harness.h"
#include "restriction_dnsbl.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_dnsbl);

static HkSpan
span (const char *text)
{
    return (HkSpan){(const uint8_t *) text, strlen (text)};
}

static void
test_patterns (void)
{
    static const struct {
        const char *word;
        uint8_t address[4];
        bool matches;
    } rows[] = {
        {"l.test", {127, 0, 0, 2}, true},
        {"l.test=127.0.0.2", {127, 0, 0, 2}, true},
        {"l.test=127.0.0.2", {127, 0, 0, 3}, false},
        {"l.test=127.0.0.[2;4]", {127, 0, 0, 3}, false},
        {"l.test=127.0.0.[2;4]", {127, 0, 0, 4}, true},
        {"l.test=127.0.[0..1].[1..3;9]", {127, 0, 1, 9}, true},
        {"l.test=127.0.[0..1].[1..3;9]", {127, 0, 2, 9}, false},
        {"l.test=127.0.0.[0..255]", {127, 0, 0, 255}, true},
    };
    static const char *const bad[] = {"",           "=127.0.0.1",        "l=127.0.0",
                                      "l=1.2.3.4.5", "l=1.2.3.256",      "l=1.2.3.[4",
                                      "l=1.2.3.[]",  "l=1.2.3.[5..4]",   "l=1.2.3.[1;]",
                                      "l=a.b.c.d",   "l=127.0.0.2 more"};
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        DnsblList *list = restriction_dnsbl_list_new (span (rows[i].word));
        g_assert_nonnull (list);
        g_assert_cmpstr (list->zone, ==, "l.test");
        g_assert_cmpint (
            restriction_dnsbl_list_matches (list, (HkSpan){rows[i].address, 4}), ==,
            rows[i].matches);
        restriction_dnsbl_list_free (list);
    }
    for (size_t i = 0; i < G_N_ELEMENTS (bad); i++)
        g_assert_null (restriction_dnsbl_list_new (span (bad[i])));
}

static void
test_queries (void)
{
    static const struct {
        DnsblSubject subject;
        const char *name, *query;
    } rows[] = {
        {DNSBL_ADDRESS, "192.0.2.99", "99.2.0.192.z"},
        {DNSBL_ADDRESS, "2001:db8::a1",
         "1.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.z"},
        {DNSBL_ADDRESS, "nonsense", NULL},
        {DNSBL_CLIENT, "unknown", NULL},
        {DNSBL_HELO, "unknown", "unknown.z"},
        {DNSBL_HELO, "[192.0.2.1]", NULL},
        {DNSBL_HELO, "192.0.2.1", NULL}, /* lists answer "no addresses" with a hit */
        {DNSBL_HELO, "a b", NULL},
        {DNSBL_HELO, "a..b", NULL},
        {DNSBL_SENDER, "user@example.test", "example.test.z"},
        {DNSBL_SENDER, "user@[192.0.2.1]", NULL},
        {DNSBL_SENDER, "user", "user.z"},
        {DNSBL_SENDER, "user@", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        g_autofree char *query =
            restriction_dnsbl_query (rows[i].subject, span (rows[i].name), "z");
        g_assert_cmpstr (query, ==, rows[i].query);
    }
    g_autofree char *longest = g_strnfill (300, 'a');
    g_assert_null (restriction_dnsbl_query (DNSBL_HELO, span (longest), "z"));
    g_assert_null (restriction_dnsbl_query (
        DNSBL_HELO, (HkSpan){(const uint8_t *) "a\0b", 3}, "z"));
}

static char *
value (const char *name, void *data)
{
    (void) data;
    if (strcmp (name, "full") == 0)
        return g_strdup ("$empty");
    if (strcmp (name, "empty") == 0)
        return g_strdup ("");
    return NULL;
}

static void
test_templates (void)
{
    static const struct {
        const char *template, *text; /* NULL: malformed */
    } rows[] = {
        {"a $full b", "a $empty b"}, /* one level only */
        {"${full}$(full)", "$empty$empty"},
        {"$$full", "$full"},
        {"${full?yes}${empty?no}", "yes"},
        {"${full:no}${empty:yes}", "yes"},
        {"${full?{a}:{b}}${empty?{a}:{b}}", "ab"},
        {"${full?[$full]}", "[$empty]"},
        {"${full?{${empty:{x}}}}", "x"},
        {"$unknown", NULL},
        {"${full", NULL},
        {"${full?{a}x}", NULL},
        {"$", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        g_autoptr (GString) out = g_string_new (NULL);
        bool ok = restriction_dnsbl_expand (rows[i].template, value, NULL, out);
        g_test_message ("%s", rows[i].template);
        g_assert_cmpint (ok, ==, rows[i].text != NULL);
        if (ok)
            g_assert_cmpstr (out->str, ==, rows[i].text);
    }
    g_autoptr (GString) out = g_string_new (NULL);
    g_autoptr (GString) deep = g_string_new (NULL);
    for (int i = 0; i < 50; i++)
        g_string_append (deep, "${full?{");
    for (int i = 0; i < 50; i++)
        g_string_append (deep, "}}");
    g_assert_false (restriction_dnsbl_expand (deep->str, value, NULL, out));
}

/* ---- the words */

static HkHarness *
new_harness (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (restriction_dnsbl));
    hk_harness_prop (h, HK_PROP_CLIENT_ADDRESS, "192.0.2.9");
    hk_harness_prop (h, HK_PROP_CLIENT_NAME, "bad.test");
    hk_harness_prop (h, HK_PROP_CLIENT_REVERSE_NAME, "rev.test");
    hk_harness_prop (h, HK_PROP_HELO_NAME, "helo.test");
    hk_harness_prop (h, HK_PROP_SENDER, "from@sender.test");
    hk_harness_prop (h, HK_PROP_RECIPIENT, "to@ours.test");
    hk_harness_destination (h, "to@ours.test", HK_DEST_LOCAL);
    hk_harness_destination (h, "to@far.test", HK_DEST_OTHER);
    hk_harness_dns (h, "9.2.0.192.bl.test", 1, 0, "127.0.0.2");
    hk_harness_dns (h, "9.2.0.192.bl.test", 16, 0, "see http://bl.test/");
    hk_harness_dns (h, "bad.test.bl.test", 1, 0, "127.0.0.3");
    hk_harness_dns (h, "rev.test.bl.test", 1, 0, "127.0.0.3");
    hk_harness_dns (h, "helo.test.bl.test", 1, 0, "127.0.0.3");
    hk_harness_dns (h, "sender.test.bl.test", 1, 0, "127.0.0.3");
    hk_harness_dns (h, "ours.test.bl.test", 1, 0, "127.0.0.3");
    hk_harness_dns_outcome (h, "9.2.0.192.down.test", 1, HK_DNS_LATER);
    hk_harness_dns_outcome (h, "bad.test.down.test", 1, HK_DNS_LATER);
    return h;
}

static HkAnswer
check (HkHarness *h, const char *word, const char *argument)
{
    void *instance = hk_harness_open (h, HK_KIND_RESTRICTION, word, argument);
    g_assert_nonnull (instance);
    HkAnswer answer = hk_harness_check (h, instance);
    hk_harness_close (h, instance);
    return answer;
}

static void
test_words (void)
{
    static const struct {
        const char *word, *list;
        HkAnswer verdict;
        const char *text; /* of the reply */
    } rows[] = {
        {"reject_rbl_client", "bl.test", HK_REJECT,
         "Service unavailable; Client host [192.0.2.9] blocked using bl.test; "
         "see http://bl.test/"},
        {"reject_rbl_client", "bl.test=127.0.0.[2..5]", HK_REJECT,
         "Service unavailable; Client host [192.0.2.9] blocked using bl.test; "
         "see http://bl.test/"},
        {"reject_rbl_client", "bl.test=127.0.0.5", HK_DUNNO, NULL},
        {"reject_rbl_client", "other.test", HK_DUNNO, NULL},
        {"reject_rbl_client", "down.test", HK_DUNNO, NULL},
        {"reject_rhsbl_client", "bl.test", HK_REJECT,
         "Service unavailable; Client host [bad.test] blocked using bl.test"},
        {"reject_rhsbl_reverse_client", "bl.test", HK_REJECT,
         "Service unavailable; Unverified Client host [rev.test] blocked using bl.test"},
        {"reject_rhsbl_helo", "bl.test", HK_REJECT,
         "Service unavailable; Helo command [helo.test] blocked using bl.test"},
        {"reject_rhsbl_sender", "bl.test", HK_REJECT,
         "Service unavailable; Sender address [from@sender.test] blocked using bl.test"},
        {"reject_rhsbl_recipient", "bl.test", HK_REJECT,
         "Service unavailable; Recipient address [to@ours.test] blocked using bl.test"},
        {"permit_dnswl_client", "bl.test", HK_PERMIT, NULL},
        {"permit_dnswl_client", "other.test", HK_DUNNO, NULL},
        {"permit_dnswl_client", "down.test", HK_DEFER_IF_REJECT,
         "<192.0.2.9>: Client host rejected: Service unavailable"},
        {"permit_rhswl_client", "bl.test", HK_PERMIT, NULL},
        {"permit_rhswl_client", "down.test", HK_DEFER_IF_REJECT,
         "<bad.test>: Client host rejected: Service unavailable"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        HkHarness *h = new_harness ();
        g_test_message ("%s %s", rows[i].word, rows[i].list);
        g_assert_cmpint (check (h, rows[i].word, rows[i].list), ==, rows[i].verdict);
        if (rows[i].text != NULL)
            g_assert_cmpstr (hk_harness_reply_text (h), ==, rows[i].text);
        if (rows[i].verdict == HK_REJECT) {
            g_assert_cmpint (hk_harness_reply_code (h), ==, 554);
            g_assert_cmpstr (hk_harness_reply_dsn (h), ==, "5.7.1");
        }
        if (strcmp (rows[i].list, "down.test") == 0)
            g_assert_nonnull (strstr (hk_harness_log (h), "RBL lookup error"));
        hk_harness_free (h);
    }
}

/* From DATA on the only recipient is asked about. */
static void
test_only_recipient (void)
{
    HkHarness *h = new_harness ();
    hk_harness_prop (h, HK_PROP_RECIPIENT, NULL);
    g_assert_cmpint (check (h, "reject_rhsbl_recipient", "bl.test"), ==, HK_DUNNO);
    hk_harness_prop (h, HK_PROP_ONLY_RECIPIENT, "x@ours.test");
    g_assert_cmpint (check (h, "reject_rhsbl_recipient", "bl.test"), ==, HK_REJECT);
    hk_harness_free (h);
}

/* Known as good is not a right to relay. */
static void
test_no_relay (void)
{
    HkHarness *h = new_harness ();
    hk_harness_prop (h, HK_PROP_RECIPIENT, "to@far.test");
    g_assert_cmpint (check (h, "permit_dnswl_client", "bl.test"), ==, HK_DUNNO);
    hk_harness_free (h);
}

static void
test_replies (void)
{
    static const struct {
        const char *code, *template, *map, *text, *dsn;
        int reply_code;
    } rows[] = {
        {"450", NULL, NULL,
         "Service unavailable; Client host [192.0.2.9] blocked using bl.test; "
         "see http://bl.test/",
         "4.7.1", 450},
        {NULL, "$rbl_code 5.7.8 $client $helo_name <$sender_domain> $recipient_name", NULL,
         "bad.test[192.0.2.9] helo.test <sender.test> to", "5.7.8", 554},
        {NULL, NULL, "521 go away, $client_address", "go away, 192.0.2.9", "5.7.1", 521},
        {NULL, NULL, "554 $wrong_name",
         "Service unavailable; Client host [192.0.2.9] blocked using bl.test; "
         "see http://bl.test/",
         "5.7.1", 554},
        {NULL, "no code", NULL, "Service unavailable", "4.7.1", 450},
        {NULL, NULL, "LATER", "Server configuration error", "4.3.5", 451},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        HkHarness *h = new_harness ();
        if (rows[i].code != NULL)
            hk_harness_set (h, "maps_rbl_reject_code", rows[i].code);
        if (rows[i].template != NULL)
            hk_harness_set (h, "default_rbl_reply", rows[i].template);
        if (rows[i].map != NULL) {
            hk_harness_set (h, "rbl_reply_maps", "hash:/replies");
            hk_harness_table (h, "hash:/replies", "bl.test",
                              strcmp (rows[i].map, "LATER") == 0 ? NULL : rows[i].map);
        }
        g_assert_cmpint (check (h, "reject_rbl_client", "bl.test"), ==, HK_REJECT);
        g_assert_cmpstr (hk_harness_reply_text (h), ==, rows[i].text);
        g_assert_cmpstr (hk_harness_reply_dsn (h), ==, rows[i].dsn);
        g_assert_cmpint (hk_harness_reply_code (h), ==, rows[i].reply_code);
        hk_harness_free (h);
    }
}

static void
test_maps_rbl (void)
{
    HkHarness *h = new_harness ();
    g_assert_cmpint (check (h, "reject_maps_rbl", ""), ==, HK_DUNNO);
    hk_harness_set (h, "maps_rbl_domains", "other.test, bl.test");
    g_assert_cmpint (check (h, "reject_maps_rbl", ""), ==, HK_REJECT);
    hk_harness_free (h);
}

/* The session ends while the answer is out. */
static void
test_cancel (void)
{
    HkHarness *h = new_harness ();
    const HkRestrictionClass *class = (const HkRestrictionClass *) (const void *)
        hk_harness_class (h, HK_KIND_RESTRICTION, "reject_rbl_client");
    void *instance = hk_harness_open (h, HK_KIND_RESTRICTION, "reject_rbl_client", "bl.test");
    void *state = NULL;
    HkCall *call = hk_harness_call (h);
    g_assert_cmpint (class->check_start (instance, call, &state), ==, HK_PENDING);
    class->check_cancel (instance, call, state);
    hk_harness_dns_forget (h);
    hk_harness_close (h, instance);
    hk_harness_free (h);
}

static void
test_malformed (void)
{
    HkHarness *h = new_harness ();
    g_assert_null (hk_harness_open (h, HK_KIND_RESTRICTION, "reject_rbl_client", "bl=1.2"));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/restriction_dnsbl/patterns", test_patterns);
    g_test_add_func ("/restriction_dnsbl/queries", test_queries);
    g_test_add_func ("/restriction_dnsbl/templates", test_templates);
    g_test_add_func ("/restriction_dnsbl/words", test_words);
    g_test_add_func ("/restriction_dnsbl/only-recipient", test_only_recipient);
    g_test_add_func ("/restriction_dnsbl/no-relay", test_no_relay);
    g_test_add_func ("/restriction_dnsbl/replies", test_replies);
    g_test_add_func ("/restriction_dnsbl/maps-rbl", test_maps_rbl);
    g_test_add_func ("/restriction_dnsbl/cancel", test_cancel);
    g_test_add_func ("/restriction_dnsbl/malformed", test_malformed);
    return g_test_run ();
}
