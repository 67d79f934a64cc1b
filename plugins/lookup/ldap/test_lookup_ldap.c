/* test_lookup_ldap.c: requests and quoting as they go out, entries, hostile and lost
 * servers, parameters, several threads.  A real directory is in tests/system/tables_dir. */
#include "../test_asked.h"
#include "lookup_ldap.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_ldap);

/* Message 1: a search's end with a result code (RFC 4511 4.2); without binding. */
#define DONE(id, code) "\x30\x0c\x02\x01" id "\x65\x07\x0a\x01" code "\x04\x00\x04\x00"
/* An entry: dn "a", attribute m with values "x@b.c" and "y". */
#define ENTRY(id)                                                                          \
    "\x30\x1a\x02\x01" id "\x64\x15\x04\x01"                                               \
    "a\x30\x10\x30\x0e\x04\x01m\x31\x09\x04\x04x@bc\x04\x01y"

static void
begin (const TestReply *const *scripts, size_t n, const char *more)
{
    test_server_start (&server, 0, scripts, n);
    open_asking (&HK_PLUGIN_SYMBOL (lookup_ldap), "ldap",
                 g_strdup_printf (
                     "{ {server_host = 127.0.0.1:%d}, {timeout = 1}, {search_base = o=x}, "
                     "{query_filter = (k=%%s)}, {result_attribute = m}, {bind = no} %s }",
                     server.port, more));
}

static void
test_answers (void)
{
    const TestReply *scripts[] = {
        SCRIPT (REPLY (ENTRY ("\1") DONE ("\1", "\0")), REPLY (DONE ("\2", "\0")),
                REPLY (ENTRY ("\3") ENTRY ("\3") DONE ("\3", "\0")))};
    begin (scripts, 1, "");
    expect ("k", HK_FOUND, "x@bc,y");
    expect ("k", HK_ABSENT, NULL);
    expect ("k", HK_FOUND, "x@bc,y,x@bc,y");
    g_assert_cmpint (test_server_connections (&server), ==, 1);
    end ();
}

static void
test_limits (void)
{
    const TestReply *scripts[] = {
        SCRIPT (REPLY (ENTRY ("\1") ENTRY ("\1") DONE ("\1", "\0")))};
    begin (scripts, 1, ", {expansion_limit = 3}, {size_limit = 0}");
    expect ("k", HK_LATER, "expansion limit");
    end ();
    begin (scripts, 1, ", {size_limit = 1}");
    expect ("k", HK_LATER, "Size limit exceeded");
    end ();
    begin (scripts, 1, ", {result_format = %u:%d}");
    expect ("k", HK_FOUND, "x:bc,x:bc"); /* "y" has no domain */
    end ();
}

/* Answers to the first search, and the reason that must be given. */
static const struct {
    TestReply reply;
    const char *why;
} hostile[] = {
    {REPLY ("HTTP/1.1 400 Bad Request\r\n\r\n"), "timed out"},
    {REPLY ("\x30\x0c\x02"), "timed out"},                     /* freezes in a message */
    {REPLY ("\x30\x84\x00\x10\x00\x00\x02"), "timed out"},     /* after its header */
    {REPLY ("\x30\x84\x7f\xff\xff\xff\x02\x01\x01"), "reply"}, /* 2 GB */
    {REPLY ("\x30\x80\x02\x01\x01"), "reply"},
    {REPLY (DONE ("\7", "\0")), "timed out"}, /* nobody asked for message 7 */
    {REPLY (DONE ("\1", "\x33")), "busy"},
    {REPLY (DONE ("\1", "\x20")), "No such object"},
    {REPLY (DONE ("\1", "\x0a")), "Referral"},
    {REPLY ("\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"), "rotocol error"},
    {REPLY ("\x30\x05\x02\x01\x01\x65\x00"), "Decoding error"},
    {REPLY (TEST_CLOSE), "Can't contact"},
    {REPLY (TEST_TRICKLE), "server ldap://127.0.0.1:"},
};

static void
test_hostile (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (hostile); i++) {
        const TestReply script[] = {hostile[i].reply, {NULL, 0}};
        const TestReply *scripts[] = {script};
        g_test_message ("case %zu", i);
        begin (scripts, 1, "");
        expect ("k", HK_LATER, hostile[i].why);
        end ();
    }
}

/* Silence while binding, in STARTTLS, in a TLS handshake. */
static void
test_silent (void)
{
    const TestReply *scripts[] = {SCRIPT ({NULL, 0})};
    static const char *const how[] = {", {bind = yes}", ", {start_tls = yes}"};
    for (size_t i = 0; i < G_N_ELEMENTS (how); i++) {
        begin (scripts, 1, how[i]);
        expect ("k", HK_LATER, "timed out");
        end ();
    }
    test_server_start (&server, 0, scripts, 1);
    g_autofree char *argument = g_strdup_printf (
        "{ {server_host = ldaps://127.0.0.1:%d}, {timeout = 1}, {search_base = o=x} }",
        server.port);
    h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_ldap));
    table = hk_harness_open (h, HK_KIND_LOOKUP, "ldap", argument);
    g_assert_nonnull (table);
    expect ("k", HK_LATER, "TLS: timed out");
    end ();
}

static void
test_second_server (void)
{
    const TestReply *silent[] = {SCRIPT ({NULL, 0})};
    const TestReply *scripts[] = {
        SCRIPT (REPLY ("\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"),
                REPLY (ENTRY ("\2") DONE ("\2", "\0")))};
    TestServer first;
    test_server_start (&first, 0, silent, 1);
    test_server_start (&server, 0, scripts, 1);
    g_autofree char *argument = g_strdup_printf (
        "{ {server_host = 127.0.0.1:%d ldap://127.0.0.1:%d}, {timeout = 1}, "
        "{search_base = o=x}, {result_attribute = m} }",
        first.port, server.port);
    h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_ldap));
    table = hk_harness_open (h, HK_KIND_LOOKUP, "ldap", argument);
    expect ("k", HK_FOUND, "x@bc,y");
    test_server_stop (&first);
    end ();
}

static void
test_down_and_up (void)
{
    const TestReply *scripts[] = {
        SCRIPT (REPLY (ENTRY ("\1") DONE ("\1", "\0")), REPLY (TEST_CLOSE))};
    begin (scripts, 1, "");
    expect ("k", HK_FOUND, "x@bc,y");
    expect ("k", HK_FOUND, "x@bc,y"); /* the idle connection was lost */
    guint16 port = server.port;
    test_server_stop (&server);
    expect ("k", HK_LATER, "Connection refused");
    test_server_start (&server, port, scripts, 1);
    expect ("k", HK_FOUND, "x@bc,y");
    end ();
}

static const struct {
    const char *key, *filter, *dn;
} quoted[] = {
    {"joe@b.org", "joe@b.org", "joe@b.org"},
    {"*)(uid=*", "\\2a\\29\\28uid=\\2a", "*)(uid\\=*"},
    {"a\\b", "a\\5cb", "a\\\\b"},
    {" #a,b+c;d<e>\"", " #a,b+c;d<e>\"", "\\ \\#a\\,b\\+c\\;d\\<e\\>\\\""},
    {"\xc3\xa9\x01\n", "\\c3\\a9\\01\\0a", "\\c3\\a9\\01\\0a"},
};

static void
test_quoting (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (quoted); i++) {
        HkSpan key = {(const uint8_t *) quoted[i].key, strlen (quoted[i].key)};
        g_autoptr (GString) filter = g_string_new (NULL);
        g_autoptr (GString) dn = g_string_new (NULL);
        lookup_ldap_quote_filter (filter, key, NULL);
        lookup_ldap_quote_dn (dn, key, NULL);
        g_assert_cmpstr (filter->str, ==, quoted[i].filter);
        g_assert_cmpstr (dn->str, ==, quoted[i].dn);
    }
    g_autoptr (GString) nul = g_string_new (NULL);
    lookup_ldap_quote_filter (nul, (HkSpan){(const uint8_t *) "a\0b", 3}, NULL);
    g_assert_cmpstr (nul->str, ==, "a\\00b");
}

#define BASE "{search_base = o=x}, "

static const struct {
    const char *argument, *why;
    HkAnswer answer;
} wrong[] = {
    {"{ {timeout = 1} }", "search_base is not set", HK_BROKEN},
    {"{ " BASE "{server_host = http://x} }", "server_host", HK_BROKEN},
    {"{ " BASE "{server_host = a:b:c} }", "server_host", HK_BROKEN},
    {"{ " BASE "{server_port = 0} }", "server_port", HK_BROKEN},
    {"{ " BASE "{scope = tree} }", "scope = tree", HK_BROKEN},
    {"{ " BASE "{bind = maybe} }", "bind = maybe", HK_BROKEN},
    {"{ " BASE "{bind = sasl}, {sasl_mechs = GSSAPI} }", "only EXTERNAL", HK_BROKEN},
    {"{ " BASE "{version = 4} }", "version", HK_BROKEN},
    {"{ " BASE "{version = 2}, {start_tls = yes} }", "start_tls needs", HK_BROKEN},
    {"{ " BASE "{dereference = 9} }", "dereference", HK_BROKEN},
    {"{ " BASE "{recursion_limit = 0} }", "recursion_limit", HK_BROKEN},
    {"{ " BASE "{query_filter = (a=%z)} }", "query_filter", HK_BROKEN},
    {"{ " BASE "{result_attribute = } }", "no result attribute", HK_BROKEN},
    {"{ " BASE "{tls_ca_cert_file = /no/such} }", "/no/such", HK_LATER},
};

static void
test_wrong (void)
{
    h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_ldap));
    for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
        g_test_message ("%s", wrong[i].argument);
        g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "ldap", wrong[i].argument));
        g_assert_cmpint (hk_harness_opened (h), ==, wrong[i].answer);
        g_assert_nonnull (strstr (hk_harness_reason (h), wrong[i].why));
    }
    hk_harness_free (h);
}

/* A filter that is none is told by libldap before anything is sent. */
static void
test_bad_filter (void)
{
    const TestReply *scripts[] = {SCRIPT ({NULL, 0})};
    begin (scripts, 1, ", {query_filter = ((k=%s)}");
    expect ("k", HK_LATER, "Bad search filter");
    end ();
}

static void *
ask_much (void *data)
{
    const HkLookupClass *c = data;
    HkHarness *own = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_ldap));
    HkSpan key = {(const uint8_t *) "k", 1};
    for (int i = 0; i < 40; i++) {
        g_assert_cmpint (c->get (table, hk_harness_call (own), key), ==, HK_FOUND);
        g_assert_cmpstr (hk_harness_answer (own), ==, "x@bc,y");
    }
    hk_harness_free (own);
    return NULL;
}

static void
test_threads (void)
{
    static const char reply[] = ENTRY ("\1") DONE ("\1", "\0");
    enum { ENTRY_SIZE = sizeof (ENTRY ("\1")) - 1, N = 120 };
    char data[N][sizeof reply];
    TestReply many[N + 1] = {{NULL, 0}};
    for (int i = 0; i < N; i++) { /* each connection counts its messages from 1 */
        memcpy (data[i], reply, sizeof reply);
        data[i][4] = data[i][ENTRY_SIZE + 4] = (char) (i + 1);
        many[i] = (TestReply){data[i], sizeof reply - 1};
    }
    const TestReply *scripts[] = {many};
    begin (scripts, 1, "");
    GThread *threads[3];
    void *c = (void *) hk_harness_class (h, HK_KIND_LOOKUP, "ldap");
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
    g_test_add_func ("/lookup_ldap/answers", test_answers);
    g_test_add_func ("/lookup_ldap/limits", test_limits);
    g_test_add_func ("/lookup_ldap/hostile", test_hostile);
    g_test_add_func ("/lookup_ldap/silent", test_silent);
    g_test_add_func ("/lookup_ldap/second_server", test_second_server);
    g_test_add_func ("/lookup_ldap/down_and_up", test_down_and_up);
    g_test_add_func ("/lookup_ldap/quoting", test_quoting);
    g_test_add_func ("/lookup_ldap/bad_filter", test_bad_filter);
    g_test_add_func ("/lookup_ldap/wrong", test_wrong);
    g_test_add_func ("/lookup_ldap/threads", test_threads);
    return g_test_run ();
}
