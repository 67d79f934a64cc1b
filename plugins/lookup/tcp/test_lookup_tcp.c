/* test_lookup_tcp.c: replies good and bad, encoding, limits, a server that is dead, frozen
 * or started again. */
#include "../stream_test.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_tcp);

/* Each case: what is asked, what the server must see, and the bytes that it sends. */
static const struct {
    const char *key, *request, *reply;
    HkAnswer answer;
    const char *said; /* the answer, or part of the reason */
} cases[] = {
    {"joe", "get joe\n", "200 value\n", HK_FOUND, "value"},
    {"Joe B", "get Joe%20B\n", "200 two%20words\n", HK_FOUND, "two words"},
    {"50%", "get 50%25\n", "200 100%25\n", HK_FOUND, "100%"},
    {"\xc3\xa4\r", "get %C3%A4%0D\n", "200 %c3%A4\n", HK_FOUND, "\xc3\xa4"},
    {"a\nget b", "get a%0Aget%20b\n", "200 x\n", HK_FOUND, "x"}, /* no second request */
    {"plain", "get plain\n", "200 not encoded text\n", HK_FOUND, "not encoded text"},
    {"joe", "get joe\n", "200 \n", HK_FOUND, ""},
    {"joe", "get joe\n", "500 no%20such\n", HK_ABSENT, ""},
    {"joe", "get joe\n", "400 not%20now\n", HK_LATER, "the server says: not now"},
    {"joe", "get joe\n", "200\n", HK_LATER, "malformed reply"},
    {"joe", "get joe\n", "300 x\n", HK_LATER, "malformed reply"},
    {"joe", "get joe\n", "2x0 x\n", HK_LATER, "malformed reply"},
    {"joe", "get joe\n", "200value\n", HK_LATER, "malformed reply"},
    {"joe", "get joe\n", "\n", HK_LATER, "malformed reply"},
    {"joe", "get joe\n", "200 a%2\n", HK_LATER, "malformed reply"},
    {"joe", "get joe\n", "200 a%zz\n", HK_LATER, "malformed reply"},
    {"joe", "get joe\n", "200 a%00b\n", HK_LATER, "malformed reply"},
    {"joe", "get joe\n", "200 a\n200 b\n", HK_LATER, "more after its end"},
};

static guint current; /* the case that the server plays; set while nobody asks */

static bool
is_line (const GString *request)
{
    return request->str[request->len - 1] == '\n';
}

static bool
reply_case (const GString *request, GString *out)
{
    g_assert_cmpstr (request->str, ==, cases[current].request);
    g_string_append (out, cases[current].reply);
    return true;
}

static char *
argument_of (const TestServer *server)
{
    return g_strdup_printf ("127.0.0.1:%d", server->port);
}

static void
test_replies (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_tcp));
    TestServer server = {.is_whole = is_line, .reply = reply_case};
    test_server_start (&server, NULL);
    g_autofree char *argument = argument_of (&server);
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "tcp", argument);
    for (current = 0; current < G_N_ELEMENTS (cases); current++) {
        g_test_message ("case %u", current);
        g_assert_cmpint (hk_harness_get (h, t, cases[current].key), ==,
                         cases[current].answer);
        if (cases[current].answer == HK_FOUND) {
            g_assert_cmpstr (hk_harness_answer (h), ==, cases[current].said);
        } else {
            g_assert_nonnull (strstr (hk_harness_reason (h), cases[current].said));
            if (cases[current].answer == HK_LATER) /* the reason names the table */
                g_assert_nonnull (strstr (hk_harness_reason (h), argument));
        }
    }
    hk_harness_close (h, t);
    test_server_stop (&server);
    hk_harness_free (h);
}

/* What the server does with the key's first word. */
static bool
reply_by_key (const GString *request, GString *out)
{
    const char *key = request->str + strlen ("get ");
    if (g_str_has_prefix (request->str, "put ")) {
        g_string_append (out, g_str_has_prefix (key, "no") ? "500 refused\n" : "200 ok\n");
        return true;
    }
    if (g_str_has_prefix (key, "silent"))
        return true;
    if (g_str_has_prefix (key, "hangup"))
        return false;
    if (g_str_has_prefix (key, "half")) {
        g_string_append (out, "200 hal");
        return false;
    }
    g_string_append (out, "200 ");
    if (g_str_has_prefix (key, "size%20")) /* so many bytes in all */
        while (out->len + 1 < (gsize) atoi (key + strlen ("size%20")))
            g_string_append_c (out, 'x');
    else
        g_string_append_len (out, key, (gssize) strlen (key) - 1);
    g_string_append_c (out, '\n');
    return true;
}

static void
test_bounds (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_tcp));
    TestServer server = {.is_whole = is_line, .reply = reply_by_key};
    test_server_start (&server, NULL);
    g_autofree char *argument = argument_of (&server), *longest = g_strnfill (100001, 'k');
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "tcp", argument);
    g_assert_cmpint (hk_harness_get (h, t, "size 4096"), ==, HK_FOUND);
    g_assert_cmpuint (strlen (hk_harness_answer (h)), ==, 4096 - 5);
    g_assert_cmpint (hk_harness_get (h, t, "size 4097"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "too long"));
    g_assert_cmpint (hk_harness_get (h, t, "size 3000000"), ==, HK_LATER);
    g_assert_cmpint (hk_harness_get (h, t, longest), ==, HK_ABSENT);
    g_assert_cmpint (hk_harness_get (h, t, "half"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "hung up"));
    g_assert_cmpint (hk_harness_get (h, t, "hangup"), ==, HK_LATER);
    g_assert_cmpint (hk_harness_get (h, t, "fine"), ==, HK_FOUND);
    hk_harness_close (h, t);
    test_server_stop (&server);
    hk_harness_free (h);
}

/* No answer, and an answer that drips: both end with the time limit, not with the bytes. */
static void
test_time_limit (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_tcp));
    TestServer server = {.is_whole = is_line, .reply = reply_by_key};
    static const char *const keys[] = {"silent", "size 4000"};
    test_server_start (&server, NULL);
    server.is_slow = true;
    g_autofree char *argument = argument_of (&server);
    hk_harness_set (h, "tcp_table_timeout", "1");
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "tcp", argument);
    for (size_t i = 0; i < G_N_ELEMENTS (keys); i++) {
        gint64 begin = g_get_monotonic_time ();
        g_assert_cmpint (hk_harness_get (h, t, keys[i]), ==, HK_LATER);
        g_assert_cmpint (g_get_monotonic_time () - begin, >=, 900000);
        g_assert_cmpint (g_get_monotonic_time () - begin, <, 10000000);
        g_assert_nonnull (strstr (hk_harness_reason (h), g_strerror (ETIMEDOUT)));
    }
    hk_harness_deadline (h, 1); /* the call's own limit is over */
    g_assert_cmpint (hk_harness_get (h, t, "fine"), ==, HK_LATER);
    hk_harness_deadline (h, INT64_MAX);
    g_assert_cmpint (hk_harness_get (h, t, "fine"), ==, HK_FOUND);
    hk_harness_close (h, t);
    test_server_stop (&server);
    hk_harness_free (h);
}

static void
test_restart (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_tcp));
    TestServer server = {.is_whole = is_line, .reply = reply_by_key};
    test_server_start (&server, NULL);
    g_autofree char *argument = argument_of (&server);
    hk_harness_set (h, "tcp_table_max_idle", "1");
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "tcp", argument);
    for (int i = 0; i < 3; i++)
        g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_FOUND);
    g_assert_cmpint (g_atomic_int_get (&server.n_accepted), ==, 1); /* one connection */
    test_server_stop (&server);
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), argument));
    g_assert_nonnull (strstr (hk_harness_reason (h), g_strerror (ECONNREFUSED)));
    test_server_start (&server, NULL);
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_FOUND);
    test_server_stop (&server);
    test_server_start (&server, NULL); /* nobody asked meanwhile */
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_FOUND);
    test_server_wait_open (&server, 0); /* idle: the client hangs up by itself */
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_FOUND);
    hk_harness_close (h, t);
    test_server_stop (&server);
    hk_harness_free (h);
}

static void
test_put (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_tcp));
    TestServer server = {.is_whole = is_line, .reply = reply_by_key};
    test_server_start (&server, NULL);
    g_autofree char *argument = argument_of (&server);
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "tcp", argument);
    const HkLookupClass *cls =
        (const HkLookupClass *) (const void *) hk_harness_class (h, HK_KIND_LOOKUP, "tcp");
    HkSpan key = {(const uint8_t *) "a b", 3}, value = {(const uint8_t *) "v w", 3};
    HkSpan bad = {(const uint8_t *) "no", 2};
    g_assert_cmpint (cls->put (t, hk_harness_call (h), key, value), ==, HK_OK);
    g_assert_cmpint (cls->put (t, hk_harness_call (h), bad, value), ==, HK_BROKEN);
    g_assert_nonnull (strstr (hk_harness_reason (h), "refused"));
    hk_harness_close (h, t);
    test_server_stop (&server);
    hk_harness_free (h);
}

static void
test_threads (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_tcp));
    TestServer server = {.is_whole = is_line, .reply = reply_by_key};
    test_server_start (&server, NULL);
    g_autofree char *argument = argument_of (&server);
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "tcp", argument);
    test_many_askers (&HK_PLUGIN_SYMBOL (lookup_tcp), h, "tcp", t);
    hk_harness_close (h, t);
    test_server_stop (&server);
    hk_harness_free (h);
}

static const struct {
    const char *argument;
    bool is_good;
} addresses[] = {
    {"127.0.0.1:9", true},    {"[::1]:9", true},
    {"localhost:9", true},    {"127.0.0.1", false},
    {"127.0.0.1:", false},    {":9", false},
    {"2001:db8::1:9", false}, {"[2001:db8::1:9", false},
    {"[]:9", false},          {"", false},
};

static void
test_addresses (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_tcp));
    for (size_t i = 0; i < G_N_ELEMENTS (addresses); i++) {
        void *t = hk_harness_open (h, HK_KIND_LOOKUP, "tcp", addresses[i].argument);
        g_test_message ("tcp:%s", addresses[i].argument);
        g_assert_cmpint (t != NULL, ==, addresses[i].is_good);
        if (t != NULL)
            hk_harness_close (h, t);
        else
            g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    }
    /* A name that is none (RFC 6761): no answer, and not for long. */
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "tcp", "no.such.invalid:9");
    hk_harness_set (h, "tcp_table_timeout", "1");
    hk_harness_deadline (h, g_get_real_time () + 2000000);
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "tcp:no.such.invalid:9: connect: "));
    hk_harness_close (h, t);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_tcp/replies", test_replies);
    g_test_add_func ("/lookup_tcp/bounds", test_bounds);
    g_test_add_func ("/lookup_tcp/time_limit", test_time_limit);
    g_test_add_func ("/lookup_tcp/restart", test_restart);
    g_test_add_func ("/lookup_tcp/put", test_put);
    g_test_add_func ("/lookup_tcp/threads", test_threads);
    g_test_add_func ("/lookup_tcp/addresses", test_addresses);
    return g_test_run ();
}
