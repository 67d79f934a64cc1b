/* test_lookup_redis.c: commands, replies of each kind, hostile and lost servers. */
#include "../test_asked.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_redis);

static void
begin (const TestReply *const *scripts, size_t n, const char *more)
{
    test_server_start (&server, 0, scripts, n);
    open_asking (
        &HK_PLUGIN_SYMBOL (lookup_redis), "redis",
        g_strdup_printf (
            "{ {redis = inet:127.0.0.1:%d}, {timeout = 1}, {retry_pause = 0}, %s }",
            server.port, more));
}

static void
test_get (void)
{
    const TestReply *scripts[] = {SCRIPT (REPLY ("+OK\r\n"), REPLY ("+OK\r\n"),
                                          REPLY ("$3\r\na,b\r\n"), REPLY ("$-1\r\n"),
                                          REPLY (":17\r\n"), REPLY ("*-1\r\n"))};
    begin (scripts, 1, "{key_format = m:%u}, {user = u}, {password = p w}, {db = 3}");
    expect ("a b@x.y", HK_FOUND, "a,b"); /* a blank makes no second word */
    expect ("c@x.y", HK_ABSENT, NULL);
    expect ("d", HK_FOUND, "17");
    expect ("e", HK_ABSENT, NULL);
    expect ("@x.y", HK_ABSENT, NULL); /* no user: not asked */
    expect_requests ("*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$3\r\np w\r\n"
                     "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"
                     "*2\r\n$3\r\nGET\r\n$5\r\nm:a b\r\n*2\r\n$3\r\nGET\r\n$3\r\nm:c\r\n"
                     "*2\r\n$3\r\nGET\r\n$3\r\nm:d\r\n*2\r\n$3\r\nGET\r\n$3\r\nm:e\r\n");
    end ();
}

static void
test_template (void)
{
    const TestReply *scripts[] = {SCRIPT (REPLY ("$1\r\nv\r\n"))};
    begin (scripts, 1, "{command = HGET mail:%d %u}, {result_format = %s@%D}");
    expect ("A 100%s@b.c", HK_FOUND, "v@b.c");
    expect ("nodomain", HK_ABSENT, NULL);
    expect_requests ("*3\r\n$4\r\nHGET\r\n$8\r\nmail:b.c\r\n$7\r\nA 100%s\r\n");
    end ();
}

static void
test_list (void)
{
    const TestReply *scripts[] = {
        SCRIPT (REPLY ("*4\r\n$1\r\na\r\n$-1\r\n$1\r\nb\r\n:5\r\n"), REPLY ("*0\r\n"),
                REPLY ("*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"))};
    begin (scripts, 1, "{command = SMEMBERS}, {expansion_limit = 3}");
    expect ("k", HK_FOUND, "a,b,5");
    expect ("k", HK_ABSENT, NULL);
    expect ("k", HK_FOUND, "a,b,c");
    end ();
    begin (scripts, 1, "{command = SMEMBERS}, {expansion_limit = 2}");
    expect ("k", HK_LATER, "expansion limit");
    end ();
}

static const struct {
    TestReply reply;
    const char *why;
} hostile[] = {
    {REPLY ("-WRONGTYPE not\x1b this\r\n"), "WRONGTYPE not? this"},
    {REPLY ("-LOADING data\r\n"), "LOADING data"},
    {REPLY ("?\r\n"), "bad reply"},
    {REPLY ("$abc\r\nx\r\n"), "bad reply"},
    {REPLY ("$-5\r\n"), "bad reply"},
    {REPLY ("$1\r\nv\r\n$1\r\nw\r\n"), "more than was asked"},
    {REPLY ("*2000000000\r\n"), "too many values"},
    {REPLY ("*10001\r\n"), "too many values"},
    {REPLY ("*1\r\n*1\r\n$1\r\nv\r\n"), "a list is in a list"},
    {REPLY ("*1\r\n-ERR x\r\n"), "an error is in a list"},
    {REPLY ("$99999999999\r\nx"), "timed out"},
    {REPLY (TEST_CLOSE), "closed the connection"},
    {REPLY (TEST_TRICKLE), "bad reply"}, /* "0" begins no reply */
    {REPLY ("$5\r\nab"), "timed out"},
};

static void
test_hostile (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (hostile); i++) {
        const TestReply script[] = {hostile[i].reply, {NULL, 0}};
        const TestReply *scripts[] = {script};
        g_test_message ("case %zu", i);
        begin (scripts, 1, "{max_try = 1}");
        expect ("k", HK_LATER, hostile[i].why);
        end ();
    }
}

static void
test_too_large (void)
{
    const TestReply *scripts[] = {
        SCRIPT (REPLY ("$4\r\n1234\r\n"), REPLY ("$5\r\n12345\r\n"))};
    begin (scripts, 1, "{data_size_limit = 4}, {max_try = 1}");
    expect ("k", HK_FOUND, "1234");
    expect ("k", HK_LATER, "data_size_limit");
    end ();
    /* without an end: the limit ends it, not the time */
    g_autofree char *much = g_strnfill (2 << 20, 'x');
    const TestReply script[] = {{much, 2 << 20}, {NULL, 0}};
    memcpy (much, "$9000000\r\n", 10);
    const TestReply *big[] = {script};
    begin (big, 1, "{max_try = 1}");
    expect ("k", HK_LATER, "data_size_limit");
    end ();
}

static void
test_refused (void)
{
    const TestReply *scripts[] = {SCRIPT (REPLY ("-WRONGPASS invalid password\r\n"))};
    begin (scripts, 1, "{password = wrong}");
    expect ("k", HK_LATER, "AUTH: WRONGPASS invalid password");
    g_assert_null (strstr (hk_harness_reason (h), "wrong"));
    g_assert_cmpint (test_server_connections (&server), ==, 1);
    end ();
}

static void
test_down_and_up (void)
{
    const TestReply *scripts[] = {SCRIPT (REPLY ("$1\r\n1\r\n"), REPLY (TEST_CLOSE)),
                                  SCRIPT (REPLY ("$1\r\n2\r\n"))};
    begin (scripts, 2, "{max_try = 1}");
    expect ("k", HK_FOUND, "1");
    expect ("k", HK_FOUND, "2"); /* the idle connection was lost: not a failure */
    guint16 port = server.port;
    test_server_stop (&server);
    expect ("k", HK_LATER, "Connection refused");
    test_server_start (&server, port, scripts, 2);
    expect ("k", HK_FOUND, "1");
    end ();
}

static HkSpan
span (const char *text)
{
    return (HkSpan){(const uint8_t *) text, strlen (text)};
}

static void
test_changes (void)
{
    const TestReply *scripts[] = {
        SCRIPT (REPLY ("+OK\r\n"), REPLY (":1\r\n"), REPLY (":0\r\n"))};
    begin (scripts, 1, "{ttl = 60}");
    const HkLookupClass *c = (const HkLookupClass *) (const void *) hk_harness_class (
        h, HK_KIND_LOOKUP, "redis");
    g_assert_cmpint (c->put (table, hk_harness_call (h), span ("k"), span ("v")), ==,
                     HK_OK);
    g_assert_cmpint (c->del (table, hk_harness_call (h), span ("k")), ==, HK_OK);
    g_assert_cmpint (c->del (table, hk_harness_call (h), span ("k")), ==, HK_ABSENT);
    expect_requests ("*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nEX\r\n$2\r\n60\r\n"
                     "*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n");
    end ();
    begin (scripts, 1, "{command = hget mail}, {ttl = 60}");
    g_assert_cmpint (c->put (table, hk_harness_call (h), span ("k"), span ("v")), ==,
                     HK_OK);
    g_assert_cmpint (c->del (table, hk_harness_call (h), span ("k")), ==, HK_OK);
    expect_requests ("*4\r\n$4\r\nHSET\r\n$4\r\nmail\r\n$1\r\nk\r\n$1\r\nv\r\n"
                     "*3\r\n$4\r\nHDEL\r\n$4\r\nmail\r\n$1\r\nk\r\n");
    end ();
    begin (scripts, 1, "{command = SMEMBERS}");
    g_assert_cmpint (c->put (table, hk_harness_call (h), span ("k"), span ("v")), ==,
                     HK_BROKEN);
    end ();
}

static const struct {
    const char *argument, *why;
} wrong[] = {
    {"{ {redis = localhost} }", "expected inet:host:port or unix:/path"},
    {"{ {command = } }", "expected a command"},
    {"{ {command = %s x} }", "expected a command"},
    {"{ {command = GET %s}, {key_format = p:%s} }", "key_format"},
    {"{ {command = GET %q} }", "command"},
    {"{ {db = -1} }", "db"},
    {"{ {user = joe} }", "no password"},
};

static void
test_wrong (void)
{
    h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_redis));
    for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
        g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "redis", wrong[i].argument));
        g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
        g_assert_nonnull (strstr (hk_harness_reason (h), wrong[i].why));
    }
    hk_harness_free (h);
}

static void *
ask_much (void *data)
{
    const HkLookupClass *c = data;
    HkHarness *own = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_redis));
    for (int i = 0; i < 200; i++) {
        g_assert_cmpint (c->get (table, hk_harness_call (own), span ("k")), ==, HK_FOUND);
        g_assert_cmpstr (hk_harness_answer (own), ==, "v");
    }
    hk_harness_free (own);
    return NULL;
}

static void
test_threads (void)
{
    TestReply many[801];
    for (int i = 0; i < 800; i++)
        many[i] = (TestReply){"$1\r\nv\r\n", 0};
    many[800] = (TestReply){NULL, 0};
    const TestReply *scripts[] = {many};
    begin (scripts, 1, "{db = 0}");
    GThread *threads[3];
    void *c = (void *) hk_harness_class (h, HK_KIND_LOOKUP, "redis");
    for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
        threads[i] = g_thread_new ("ask", ask_much, c);
    for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
        g_thread_join (threads[i]);
    end ();
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_redis/get", test_get);
    g_test_add_func ("/lookup_redis/template", test_template);
    g_test_add_func ("/lookup_redis/list", test_list);
    g_test_add_func ("/lookup_redis/hostile", test_hostile);
    g_test_add_func ("/lookup_redis/too_large", test_too_large);
    g_test_add_func ("/lookup_redis/refused", test_refused);
    g_test_add_func ("/lookup_redis/down_and_up", test_down_and_up);
    g_test_add_func ("/lookup_redis/changes", test_changes);
    g_test_add_func ("/lookup_redis/wrong", test_wrong);
    g_test_add_func ("/lookup_redis/threads", test_threads);
    return g_test_run ();
}
