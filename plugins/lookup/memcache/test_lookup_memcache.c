/* test_lookup_memcache.c: answers, keys, changes, the backup table, hostile and lost
 * servers, several threads. */
#include "../test_asked.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_memcache);

static void
open_table (const char *more)
{
    open_asking (
        &HK_PLUGIN_SYMBOL (lookup_memcache), "memcache",
        g_strdup_printf (
            "{ {memcache = inet:127.0.0.1:%d}, {timeout = 1}, {retry_pause = 0}, %s }",
            server.port, more));
}

static void
begin (const TestReply *const *scripts, size_t n, const char *more)
{
    test_server_start (&server, 0, scripts, n);
    open_table (more);
}

static void
test_answers (void)
{
    const TestReply *scripts[] = {
        SCRIPT (REPLY ("VALUE p:a@b.c 0 5\r\nv\r\n 1\r\nEND\r\n"), REPLY ("END\r\n"),
                REPLY ("VALUE p:b@c.d 7 0\r\n\r\nEND\r\n"), REPLY ("END\r\n"))};
    begin (scripts, 1, "{key_format = p:%s}, {domain = !x.org, b.c c.d}");
    expect ("a@b.c", HK_FOUND, "v\r\n 1");
    expect ("zz@b.c", HK_ABSENT, NULL);
    expect ("b@c.d", HK_FOUND, "");
    /* never asked for */
    expect ("b.c", HK_ABSENT, NULL);
    expect ("a@x.org", HK_ABSENT, NULL);
    expect ("a b@b.c", HK_ABSENT, NULL);
    expect ("a\tb@b.c", HK_ABSENT, NULL);
    expect ("a\xff@b.c", HK_ABSENT, NULL);
    g_assert_cmpint (
        hk_harness_get_span (h, table, (HkSpan){(const uint8_t *) "a\r\nget b@b.c", 12}),
        ==, HK_ABSENT);
    g_autofree char *filler = g_strnfill (250, 'x');
    g_autofree char *long_key = g_strconcat (filler, "@b.c", NULL);
    expect (long_key, HK_ABSENT, NULL);
    expect_requests ("get p:a@b.c\r\nget p:zz@b.c\r\nget p:b@c.d\r\n");
    g_assert_cmpint (test_server_connections (&server), ==, 1);
    end ();
}

/* Each is the answer to "get k": with the reason that must be given. */
static const struct {
    TestReply reply;
    const char *why;
} hostile[] = {
    {REPLY ("VALUE other 0 1\r\nv\r\nEND\r\n"), "unexpected reply"}, /* another's value */
    {REPLY ("VALUE k 0 1\r\nvEND\r\n"), "the data do not end"},
    {REPLY ("VALUE k 0 1\r\nv\r\nEND\r\nEND\r\n"), "more than was asked"},
    {REPLY ("VALUE k 0 99999999999\r\nv\r\nEND\r\n"), "unexpected reply"},
    {REPLY ("VALUE k 0 -1\r\nv\r\nEND\r\n"), "unexpected reply"},
    {REPLY ("VALUE k 0 10241\r\nv\r\nEND\r\n"), "data_size_limit"},
    {REPLY ("VALUE k 0 1 2\r\nv\r\nEND\r\n"), "unexpected reply"},
    {REPLY ("VALUE k 0\r\nv\r\nEND\r\n"), "unexpected reply"},
    {REPLY ("VALUE k\0 0 1\r\nv\r\nEND\r\n"), "unexpected reply"},
    {REPLY ("VALUE k 0 1\r\nv\r\nVALUE k 0 1\r\nv\r\nEND\r\n"), "unexpected reply"},
    {REPLY ("SERVER_ERROR out of\x1b memory\r\n"), "SERVER_ERROR out of? memory"},
    {REPLY ("ERROR\r\n"), "\"ERROR\""},
    {REPLY ("\r\n"), "unexpected reply"},
    {REPLY (TEST_CLOSE), "closed the connection"},
    {REPLY (TEST_TRICKLE), "timed out"},
    {REPLY ("VALUE k 0 5\r\nab"), "timed out"},
};

static void
test_hostile (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (hostile); i++) {
        const TestReply script[] = {hostile[i].reply, {NULL, 0}};
        const TestReply *scripts[] = {script};
        begin (scripts, 1, "{max_try = 1}");
        expect ("k", HK_LATER, hostile[i].why);
        end ();
    }
    g_autofree char *line = g_strnfill (2000, 'x');
    const TestReply script[] = {{line, 2000}, {NULL, 0}};
    const TestReply *scripts[] = {script};
    begin (scripts, 1, "{max_try = 1}");
    expect ("k", HK_LATER, "longer than 1024 bytes");
    end ();
}

/* A second try; a connection that was lost while it was idle costs none. */
static void
test_tries (void)
{
    const TestReply *scripts[] = {
        SCRIPT (REPLY ("ERROR\r\n")),
        SCRIPT (REPLY ("VALUE k 0 1\r\n1\r\nEND\r\n"), REPLY (TEST_CLOSE)),
        SCRIPT (REPLY ("VALUE k 0 1\r\n2\r\nEND\r\n"), REPLY ("bad\r\n")),
        SCRIPT (REPLY ("bad\r\n")),
    };
    begin (scripts, 4, "{max_try = 2}");
    expect ("k", HK_FOUND, "1");
    expect ("k", HK_FOUND, "2");
    g_assert_cmpint (test_server_connections (&server), ==, 3);
    expect ("k", HK_LATER, "bad");
    g_assert_cmpint (test_server_connections (&server), ==, 4);
    end ();
}

static void
test_down_and_up (void)
{
    const TestReply *scripts[] = {SCRIPT (REPLY ("VALUE k 0 1\r\n1\r\nEND\r\n"))};
    begin (scripts, 1, "{max_try = 2}");
    expect ("k", HK_FOUND, "1");
    guint16 port = server.port;
    test_server_stop (&server);
    expect ("k", HK_LATER, "Connection refused");
    expect ("k", HK_LATER, "Connection refused");
    test_server_start (&server, port, scripts, 1);
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
    const TestReply *scripts[] = {SCRIPT (REPLY ("STORED\r\n"), REPLY ("DELETED\r\n"),
                                          REPLY ("NOT_FOUND\r\n"),
                                          REPLY ("NOT_STORED\r\n"))};
    begin (scripts, 1, "{flags = 3}, {ttl = 1m}, {max_try = 1}");
    const HkLookupClass *c = (const HkLookupClass *) (const void *) hk_harness_class (
        h, HK_KIND_LOOKUP, "memcache");
    g_assert_cmpint (c->put (table, hk_harness_call (h), span ("k"), span ("a b\r\nc")), ==,
                     HK_OK);
    g_assert_cmpint (c->del (table, hk_harness_call (h), span ("k")), ==, HK_OK);
    g_assert_cmpint (c->del (table, hk_harness_call (h), span ("k")), ==, HK_ABSENT);
    g_assert_cmpint (c->put (table, hk_harness_call (h), span ("a b"), span ("v")), ==,
                     HK_OK);
    g_assert_nonnull (strstr (hk_harness_log (h), "skipping a change of \"a b\""));
    g_assert_cmpint (c->put (table, hk_harness_call (h), span ("k"), span ("v")), ==,
                     HK_LATER);
    expect_requests ("set k 3 60 6\r\na b\r\nc\r\ndelete k\r\ndelete k\r\n"
                     "set k 3 60 1\r\nv\r\n");
    end ();
}

static void
open_with_backup (void)
{
    g_autofree char *argument = g_strdup_printf (
        "{ {memcache = inet:127.0.0.1:%d}, {timeout = 1}, {retry_pause = 0}, "
        "{backup = hash:/b}, {key_format = p:%%s} }",
        server.port);
    h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_memcache));
    hk_harness_table (h, "hash:/b", "k", "kept");
    hk_harness_table (h, "hash:/b", "sick", NULL);
    table = hk_harness_open (h, HK_KIND_LOOKUP, "memcache", argument);
    g_assert_nonnull (table);
}

static void
test_backup (void)
{
    const TestReply *scripts[] = {SCRIPT (REPLY ("END\r\n"), REPLY ("STORED\r\n"),
                                          REPLY ("VALUE p:k 0 6\r\ncached\r\nEND\r\n"),
                                          REPLY ("END\r\n"))};
    test_server_start (&server, 0, scripts, 1);
    open_with_backup ();
    expect ("k", HK_FOUND, "kept");
    expect ("k", HK_FOUND, "cached");
    expect ("none", HK_ABSENT, NULL);
    expect_requests ("get p:k\r\nset p:k 0 3600 4\r\nkept\r\nget p:k\r\nget p:none\r\n");
    const HkLookupClass *c = (const HkLookupClass *) (const void *) hk_harness_class (
        h, HK_KIND_LOOKUP, "memcache");
    g_assert_cmpint (c->del (table, hk_harness_call (h), span ("k")), ==, HK_BROKEN);
    /* The cache goes away: the backup answers, and the log says so once. */
    test_server_stop (&server);
    expect ("k", HK_FOUND, "kept");
    expect ("k", HK_FOUND, "kept");
    const char *said = strstr (hk_harness_log (h), "asking only the backup table");
    g_assert_nonnull (said);
    g_assert_null (strstr (said + 1, "asking only the backup table"));
    g_assert_cmpint (hk_harness_get (h, table, "sick"), ==, HK_LATER);
    hk_harness_close (h, table);
    hk_harness_free (h);
}

static const struct {
    const char *argument, *why;
} wrong[] = {
    {"{ {memcache = localhost:11211} }", "expected inet:host:port or unix:/path"},
    {"{ {memcache = inet:localhost} }", "expected inet:host:port"},
    {"{ {memcache = inet:[::1} }", "expected inet:host:port"},
    {"{ {memcache = unix:rel} }", "expected inet:host:port"},
    {"{ {timeout = never} }", "timeout"},
    {"{ {max_try = 0} }", "max_try"},
    {"{ {key_format = %q} }", "key_format"},
    {"{ {backup = nosuch:table} }", "nosuch:table"},
};

static void
test_wrong (void)
{
    h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_memcache));
    for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
        g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "memcache", wrong[i].argument));
        g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
        g_assert_nonnull (strstr (hk_harness_reason (h), wrong[i].why));
    }
    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "memcache", "/no/such.cf"));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_LATER);
    hk_harness_free (h);
}

/* A call that must end sooner than `timeout`. */
static void
test_deadline (void)
{
    const TestReply *scripts[] = {SCRIPT ({NULL, 0})};
    test_server_start (&server, 0, scripts, 1);
    g_autofree char *argument = g_strdup_printf (
        "{ {memcache = inet:127.0.0.1:%d}, {timeout = 1000} }", server.port);
    h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_memcache));
    table = hk_harness_open (h, HK_KIND_LOOKUP, "memcache", argument);
    hk_harness_deadline (h, g_get_real_time () + 200000);
    expect ("k", HK_LATER, "timed out");
    end ();
}

static void *
ask_much (void *data)
{
    const HkLookupClass *c = data;
    HkHarness *own = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_memcache));
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
        many[i] = (TestReply){"VALUE k 0 1\r\nv\r\nEND\r\n", 0};
    many[800] = (TestReply){NULL, 0};
    const TestReply *scripts[] = {many};
    begin (scripts, 1, "{flags = 0}");
    GThread *threads[3];
    void *c = (void *) hk_harness_class (h, HK_KIND_LOOKUP, "memcache");
    for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
        threads[i] = g_thread_new ("ask", ask_much, c);
    for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
        g_thread_join (threads[i]);
    g_assert_cmpint (test_server_connections (&server), <=, 3);
    end ();
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_memcache/answers", test_answers);
    g_test_add_func ("/lookup_memcache/hostile", test_hostile);
    g_test_add_func ("/lookup_memcache/tries", test_tries);
    g_test_add_func ("/lookup_memcache/down_and_up", test_down_and_up);
    g_test_add_func ("/lookup_memcache/changes", test_changes);
    g_test_add_func ("/lookup_memcache/backup", test_backup);
    g_test_add_func ("/lookup_memcache/wrong", test_wrong);
    g_test_add_func ("/lookup_memcache/deadline", test_deadline);
    g_test_add_func ("/lookup_memcache/threads", test_threads);
    return g_test_run ();
}
