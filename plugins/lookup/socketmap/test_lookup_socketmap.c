/* test_lookup_socketmap.c: replies good and bad, netstrings, limits, reuse of connections,
 * a server that is dead, frozen or started again. */
#include "../stream_test.h"

#include <glib/gstdio.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_socketmap);

static const struct {
    const char *key, *request, *reply;
    HkAnswer answer;
    const char *said; /* the answer, or part of the reason */
} cases[] = {
    {"joe", "7:map joe,", "8:OK value,", HK_FOUND, "value"},
    {"Joe B", "9:map Joe B,", "12:OK two words,", HK_FOUND, "two words"},
    {"a,b:c\n", "10:map a,b:c\n,", "6:OK a,b,", HK_FOUND, "a,b"}, /* the length counts */
    {"joe", "7:map joe,", "3:OK ,", HK_FOUND, ""},
    {"joe", "7:map joe,", "9:NOTFOUND ,", HK_ABSENT, ""},
    {"joe", "7:map joe,", "14:NOTFOUND there,", HK_ABSENT, ""},
    {"joe", "7:map joe,", "8:TEMP why,", HK_LATER, "the server says: TEMP why"},
    {"joe", "7:map joe,", "11:TIMEOUT why,", HK_LATER, "the server says: TIMEOUT why"},
    {"joe", "7:map joe,", "8:PERM why,", HK_BROKEN, "the server says: PERM why"},
    {"joe", "7:map joe,", "8:NOTFOUND,", HK_LATER, "malformed reply: NOTFOUND"},
    {"joe", "7:map joe,", "4:ok x,", HK_LATER, "malformed reply"},
    {"joe", "7:map joe,", "3:HA ,", HK_LATER, "malformed reply"},
    {"joe", "7:map joe,", "0:,", HK_LATER, "malformed reply"},
    {"joe", "7:map joe,", ":OK x,", HK_LATER, "no netstring"},
    {"joe", "7:map joe,", "-4:OK x,", HK_LATER, "no netstring"},
    {"joe", "7:map joe,", "4:OK xy,", HK_LATER, "no netstring"},
    {"joe", "7:map joe,", "4 OK x,", HK_LATER, "no netstring"},
    {"joe", "7:map joe,", "99999999999999999999:OK x,", HK_LATER, "no netstring"},
    {"joe", "7:map joe,", "4:OK x,4:OK y,", HK_LATER, "more after its end"},
};

static guint current; /* the case that the server plays; set while nobody asks */

static bool
is_netstring (const GString *request)
{
    const char *colon = strchr (request->str, ':');
    return colon != NULL &&
           request->len == (gsize) (colon - request->str) + 2 + (gsize) atoi (request->str);
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
    return g_strdup_printf ("inet:127.0.0.1:%d:map", server->port);
}

static void
test_replies (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_socketmap));
    TestServer server = {.is_whole = is_netstring, .reply = reply_case};
    test_server_start (&server, NULL);
    g_autofree char *argument = argument_of (&server);
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "socketmap", argument);
    for (current = 0; current < G_N_ELEMENTS (cases); current++) {
        g_test_message ("case %u", current);
        g_assert_cmpint (hk_harness_get (h, t, cases[current].key), ==,
                         cases[current].answer);
        if (cases[current].answer == HK_FOUND) {
            g_assert_cmpstr (hk_harness_answer (h), ==, cases[current].said);
        } else {
            g_assert_nonnull (strstr (hk_harness_reason (h), cases[current].said));
            if (cases[current].answer != HK_ABSENT)
                g_assert_nonnull (strstr (hk_harness_reason (h), argument));
        }
    }
    hk_harness_close (h, t);
    test_server_stop (&server);
    hk_harness_free (h);
}

static bool
reply_by_key (const GString *request, GString *out)
{
    const char *key = strchr (request->str, ' ') + 1;
    gsize key_size = request->len - (gsize) (key - request->str) - 1;
    if (g_str_has_prefix (key, "silent"))
        return true;
    if (g_str_has_prefix (key, "hangup"))
        return false;
    if (g_str_has_prefix (key, "half")) {
        g_string_append (out, "100:OK hal");
        return false;
    }
    if (g_str_has_prefix (key, "zero")) {
        g_string_append_len (out, "6:OK a\0b,", 9);
        return true;
    }
    if (g_str_has_prefix (key, "size ")) { /* so many bytes in the netstring */
        gsize size = (gsize) atoi (key + strlen ("size "));
        g_string_append_printf (out, "%zu:OK ", size);
        for (gsize i = 3; i < size; i++)
            g_string_append_c (out, 'x');
        g_string_append_c (out, ',');
        return true;
    }
    g_string_append_printf (out, "%zu:OK ", key_size + 3);
    g_string_append_len (out, key, (gssize) key_size);
    g_string_append_c (out, ',');
    return true;
}

static void
test_bounds (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_socketmap));
    TestServer server = {.is_whole = is_netstring, .reply = reply_by_key};
    test_server_start (&server, NULL);
    g_autofree char *argument = argument_of (&server), *longest = g_strnfill (100001, 'k');
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "socketmap", argument);
    g_assert_cmpint (hk_harness_get (h, t, "size 100000"), ==, HK_FOUND);
    g_assert_cmpuint (strlen (hk_harness_answer (h)), ==, 100000 - 3);
    static const char *const wrong[] = {"size 100001", "size 100009", "size 3000000",
                                        "half",        "hangup",      "zero"};
    for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
        g_test_message ("key %s", wrong[i]);
        g_assert_cmpint (hk_harness_get (h, t, wrong[i]), ==, HK_LATER);
        g_assert_nonnull (strstr (hk_harness_reason (h), argument));
    }
    g_assert_cmpint (hk_harness_get (h, t, longest), ==, HK_ABSENT);
    g_assert_cmpint (hk_harness_get (h, t, "fine"), ==, HK_FOUND);
    hk_harness_close (h, t);
    hk_harness_set (h, "socketmap_max_reply_size", "200");
    t = hk_harness_open (h, HK_KIND_LOOKUP, "socketmap", argument);
    g_assert_cmpint (hk_harness_get (h, t, "size 200"), ==, HK_FOUND);
    g_assert_cmpint (hk_harness_get (h, t, "size 201"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "too long"));
    hk_harness_close (h, t);
    test_server_stop (&server);
    hk_harness_free (h);
}

static void
test_time_limit (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_socketmap));
    TestServer server = {.is_whole = is_netstring, .reply = reply_by_key};
    static const char *const keys[] = {"silent", "size 5000"};
    test_server_start (&server, NULL);
    server.is_slow = true;
    g_autofree char *argument = argument_of (&server);
    hk_harness_set (h, "socketmap_timeout", "1");
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "socketmap", argument);
    for (size_t i = 0; i < G_N_ELEMENTS (keys); i++) {
        gint64 begin = g_get_monotonic_time ();
        g_assert_cmpint (hk_harness_get (h, t, keys[i]), ==, HK_LATER);
        g_assert_cmpint (g_get_monotonic_time () - begin, >=, 900000);
        g_assert_cmpint (g_get_monotonic_time () - begin, <, 10000000);
        g_assert_nonnull (strstr (hk_harness_reason (h), g_strerror (ETIMEDOUT)));
    }
    g_assert_cmpint (hk_harness_get (h, t, "fine"), ==, HK_FOUND);
    hk_harness_close (h, t);
    test_server_stop (&server);
    hk_harness_free (h);
}

/* A Unix socket: reuse, death, a new life, hanging up when idle and when old. */
static void
test_restart (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_socketmap));
    TestServer server = {.is_whole = is_netstring, .reply = reply_by_key};
    g_autofree char *directory = g_dir_make_tmp ("hk-socketmap-XXXXXX", NULL);
    g_autofree char *path = g_build_filename (directory, "socket", NULL);
    g_autofree char *argument = g_strdup_printf ("unix:%s:map", path);
    hk_harness_set (h, "socketmap_max_idle", "1");
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "socketmap", argument);
    g_assert_nonnull (t); /* the server may come later */
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), argument));
    test_server_start (&server, path);
    for (int i = 0; i < 3; i++)
        g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_FOUND);
    g_assert_cmpint (g_atomic_int_get (&server.n_accepted), ==, 1);
    test_server_stop (&server);
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    g_unlink (path);
    test_server_start (&server, path);
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_FOUND);
    test_server_wait_open (&server, 0);
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_FOUND);
    hk_harness_close (h, t);
    test_server_stop (&server);
    g_unlink (path);
    g_rmdir (directory);
    hk_harness_free (h);
}

static void
test_threads (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_socketmap));
    TestServer server = {.is_whole = is_netstring, .reply = reply_by_key};
    test_server_start (&server, NULL);
    g_autofree char *argument = argument_of (&server);
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "socketmap", argument);
    test_many_askers (&HK_PLUGIN_SYMBOL (lookup_socketmap), h, "socketmap", t);
    hk_harness_close (h, t);
    test_server_stop (&server);
    hk_harness_free (h);
}

static const struct {
    const char *argument;
    bool is_good;
} addresses[] = {
    {"inet:127.0.0.1:9:name", true},
    {"inet:[::1]:9:name", true},
    {"unix:/x/y:name", true},
    {"inet:127.0.0.1:9", false}, /* then "9" is the name, and there is no port */
    {"inet:127.0.0.1:9:", false},
    {"unix:/x/y", false},
    {"unix::name", false},
    {"tcp:127.0.0.1:9:name", false},
    {"127.0.0.1:9:name", false},
    {"unix:/x:/y", false},
    {"name", false},
    {"", false},
};

static void
test_addresses (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_socketmap));
    for (size_t i = 0; i < G_N_ELEMENTS (addresses); i++) {
        void *t = hk_harness_open (h, HK_KIND_LOOKUP, "socketmap", addresses[i].argument);
        g_test_message ("socketmap:%s", addresses[i].argument);
        g_assert_cmpint (t != NULL, ==, addresses[i].is_good);
        if (t != NULL)
            hk_harness_close (h, t);
        else
            g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    }
    g_autofree char *path = g_strnfill (200, 'p');
    g_autofree char *argument = g_strdup_printf ("unix:/%s:name", path);
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "socketmap", argument);
    g_assert_cmpint (hk_harness_get (h, t, "a"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "too long"));
    hk_harness_close (h, t);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_socketmap/replies", test_replies);
    g_test_add_func ("/lookup_socketmap/bounds", test_bounds);
    g_test_add_func ("/lookup_socketmap/time_limit", test_time_limit);
    g_test_add_func ("/lookup_socketmap/restart", test_restart);
    g_test_add_func ("/lookup_socketmap/threads", test_threads);
    g_test_add_func ("/lookup_socketmap/addresses", test_addresses);
    return g_test_run ();
}
