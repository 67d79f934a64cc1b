/* test_query_file.c: syntax, templates, suppressed lookups, domain lists, joined answers.
 *
 * A table that answers with what its template expands to; what is expected was compared
 * with what Postfix 3.7 makes of the same files. */
#include "test_query_file.h"

#include "query_file.h"

#include "harness.h"
#include <glib/gstdio.h>
#include <unistd.h>

typedef struct {
    const HkHost *host;
    QueryFile *file;
    const char *query;
} EchoTable;

static const char *const names[] = {
    "query",  "table", "select_field", "where_field", "additional_conditions",
    "values", "wait",  "flag",         NULL};

static void
echo_close (void *instance)
{
    EchoTable *self = instance;
    query_file_free (self->file);
    g_free (self);
}

static HkAnswer
echo_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out)
{
    EchoTable *self = g_new0 (EchoTable, 1);
    int64_t wait = 0;
    bool flag = false;
    self->host = host;
    HkAnswer answer = query_file_open (host, conf, call, names, &self->file);
    if (answer == HK_OK)
        answer = query_file_sql (self->file, call, &self->query);
    if (answer == HK_OK)
        answer = query_file_seconds (self->file, call, "wait", 7, 1, 7200, &wait);
    if (answer == HK_OK)
        answer = query_file_flag (self->file, call, "flag", true, &flag);
    if (answer == HK_OK)
        host->log (host, HK_LOG_INFO, "wait %d flag %d", (int) wait, (int) flag);
    if (answer == HK_OK)
        *out = self;
    else
        echo_close (self);
    return answer;
}

static void
angle (GString *out, HkSpan text, void *data)
{
    g_string_append_printf (out, "<%.*s>", (int) text.size, (const char *) text.data);
    ++*(int *) data;
}

static HkSpan
span (const char *text)
{
    return (HkSpan){(const uint8_t *) text, strlen (text)};
}

/* `values`, separated by '/', or what the query expands to. */
static HkAnswer
echo_get (void *instance, HkCall *call, HkSpan key)
{
    EchoTable *self = instance;
    HkAnswer answer = query_file_eligible (self->file, call, key);
    int quoted = 0;
    if (answer != HK_FOUND)
        return answer;
    g_autoptr (GString) text = g_string_new (NULL);
    if (!query_file_expand (self->file, self->query, key, angle, &quoted, text)) {
        g_assert_cmpuint (text->len, ==, 0);
        return HK_ABSENT;
    }
    QueryResult result = {NULL, 0};
    const char *values = query_file_text (self->file, "values");
    g_auto (GStrv) list = g_strsplit (values == NULL ? text->str : values, "/", -1);
    answer = HK_OK;
    for (char **p = list; *p != NULL && answer == HK_OK; p++)
        answer = query_file_add (self->file, call, &result, key, span (*p));
    return query_file_finish (self->file, call, &result, answer);
}

static const HkLookupClass echo_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "echo",
             .open = echo_open,
             .close = echo_close},
    .get = echo_get,
};

static const HkPlugin echo_plugin = {.size = sizeof (HkPlugin),
                                     .magic = HK_PLUGIN_MAGIC,
                                     .abi_major = HK_ABI_MAJOR,
                                     .abi_minor = HK_ABI_MINOR,
                                     .name = "lookup_echo",
                                     .version = "1",
                                     .licence = "LGPL-2.1-or-later",
                                     .summary = "test",
                                     .classes = HK_CLASSES (&echo_class.base)};

static char *path;

static void *
open_text (HkHarness *h, const char *text)
{
    g_assert_true (g_file_set_contents (path, text, -1, NULL));
    return hk_harness_open (h, HK_KIND_LOOKUP, "echo", path);
}

static const struct {
    const char *text, *key, *answer; /* NULL: absent */
} cases[] = {
    {"query = %s|%u", "a@b", "<a@b>|<a>"},
    {"query = %s|%u", "@b", NULL}, /* no user */
    {"query = %s|%u", "a@", "<a@>|<a>"},
    {"query = %s|%u", "a", "<a>|<a>"},
    {"query = %s|%u", "a@b@c", "<a@b@c>|<a@b>"},
    {"query = %d", "a@b", "<b>"},
    {"query = %d", "@b", "<b>"},
    {"query = %d", "a@", NULL}, /* no domain */
    {"query = %d", "a", NULL},
    {"query = %S %U %D", "a@b", "<a@b> <a> <b>"},
    {"query = %S %U %D", "a", NULL},
    {"query = 100%%", "a", "100%"},
    {"query = %1.%3", "a@b.c.d", "<d>.<b>"},
    {"query = %1.%3", "a@c.d", NULL},       /* too few labels */
    {"query = %1.%3", "b.c.d", NULL},       /* not an address */
    {"query = %1.%2", "a@b..c", "<c>.<b>"}, /* empty labels do not count */
    {"query = %1.%2", "a@b.c.", "<c>.<b>"},
    {"query = %1.%2", "a@.c", NULL},
    {"query = %9", "a@1.2.3.4.5.6.7.8.9.10", "<2>"},
    {"query = x", "a\x01", "x"},
    {"query = x", "a\xff", NULL}, /* not UTF-8 */
    {"query = \xc3\xa4%s", "\xc3\xa4@\xc3\xb6", "\xc3\xa4<\xc3\xa4@\xc3\xb6>"},
    {"query = q$x\n# c\n\n   # d\n\tmore  # x", "k", "q$x\tmore  # x"},
    {"query=x\nquery = y", "k", "y"},
    {"query = x\ntable = t", "k", "x"},
    {"query =\ntable = t\nselect_field = f\nwhere_field = w", "k",
     "SELECT f FROM t WHERE w = '<k>' "},
    {"table=t\nselect_field=f\nwhere_field=w\nadditional_conditions=AND d = '%d'", "k@d",
     "SELECT f FROM t WHERE w = '<k@d>' AND d = '<d>'"},
    {"table=t\nselect_field=f\nwhere_field=w\nadditional_conditions=AND d = '%d'", "k",
     NULL},

    {"query=%s\nresult_format=[%s] %S %U %D %%", "a@b", "[<a@b>] a@b a b %"},
    {"query=x\nresult_format=%D", "a", NULL}, /* a part of the key that is not there */
    {"query=x\nresult_format=%2 %s", "a@b.c", "b x"},
    {"query=x\nresult_format=%2 %s", "a@b", NULL},
    {"query=x\nvalues=u@d/e/@f/g@\nresult_format=%u", "k", "u,e,g"},
    {"query=x\nvalues=u@d/e/@f/g@\nresult_format=%d", "k", "d,f"},
    {"query=x\nvalues=u@d/e/@f/g@\nresult_format=%u+%d", "k", "u+d"},
    {"query=x\nvalues=u@d\nresult_format=%%u%%d%s", "k", "%u%du@d"},
    {"query=x\nvalues=a/b//c", "k", "a,b,c"},
    {"query=x\nvalues=a/b\nresult_filter=smtp:[%s]", "k", "smtp:[a],smtp:[b]"},
    {"query=x\nvalues=\n", "k", NULL},
    {"query=x\nvalues=a/b/c\nexpansion_limit=3", "k", "a,b,c"},

    {"query=%s\ndomain=a.b, inline:{ x.y=1 }  C.D", "u@a.b", "<u@a.b>"},
    {"query=%s\ndomain=a.b, inline:{ x.y=1 }  C.D", "u@A.b", "<u@A.b>"},
    {"query=%s\ndomain=a.b, inline:{ x.y=1 }  C.D", "u@c.d", "<u@c.d>"},
    {"query=%s\ndomain=a.b, inline:{ x.y=1 }  C.D", "u@X.Y", "<u@X.Y>"},
    {"query=%s\ndomain=a.b, inline:{ x.y=1 }  C.D", "u@s.a.b", NULL},
    {"query=%s\ndomain=a.b, inline:{ x.y=1 }  C.D", "@a.b", NULL},
    {"query=%s\ndomain=a.b, inline:{ x.y=1 }  C.D", "a.b", NULL},
    {"query=%s\ndomain=a.b, inline:{ x.y=1 }  C.D", "u", NULL},
    {"query=%s\ndomain=!a.b a.b", "u@a.b", NULL},
    {"query=%s\ndomain=!!a.b", "u@a.b", "<u@a.b>"},
    {"query=%s\ndomain=", "u", "<u>"},
};

static void
test_cases (void)
{
    HkHarness *h = hk_harness_new (&echo_plugin);
    hk_harness_table (h, "inline:{ x.y=1 }", "x.y", "1");
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_test_message ("%s: %s", cases[i].text, cases[i].key);
        void *t = open_text (h, cases[i].text);
        g_assert_nonnull (t);
        g_assert_cmpint (hk_harness_get (h, t, cases[i].key), ==,
                         cases[i].answer == NULL ? HK_ABSENT : HK_FOUND);
        g_assert_cmpstr (hk_harness_answer (h), ==, cases[i].answer);
        hk_harness_close (h, t);
    }
    hk_harness_free (h);
}

static const struct {
    const char *text, *reason;
} broken[] = {
    {"query = %x", "invalid template: query = %x"},
    {"query = x%", "invalid template: query = x%"},
    {"query = x\nresult_format = %q", "invalid template: result_format"},
    {"query = x\nresult_format =", "result_format must not be empty"},
    {"query = x\n\nsecret", "line 3: missing '=' after attribute name"},
    {"query = x\na b = c", "line 2: missing '='"},
    {"= x", "line 1: missing attribute name"},
    {"", "query is not set (nor is table)"},
    {"table = t\nselect_field = s", "nor is where_field"},
    {"query = x\nexpansion_limit = 1x", "bad numerical value: expansion_limit = 1x"},
    {"query = x\nexpansion_limit = -1", "expansion_limit = -1: expected 0 to"},
    {"query = x\nwait = 3h", "wait = 3h: expected 1 to 7200"},
    {"query = x\nwait = 3y", "bad time value: wait = 3y"},
    {"query = x\nwait = 99999999999999999999h", "expected 1 to 7200"},
    {"query = x\nflag = maybe", "expected yes or no"},
    {"query = x\ndomain = a !", "no pattern after '!'"},
};

static void
test_broken (void)
{
    HkHarness *h = hk_harness_new (&echo_plugin);
    for (size_t i = 0; i < G_N_ELEMENTS (broken); i++) {
        g_test_message ("%s", broken[i].text);
        g_assert_null (open_text (h, broken[i].text));
        g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
        g_test_message ("%s", hk_harness_reason (h));
        g_assert_nonnull (strstr (hk_harness_reason (h), broken[i].reason));
        g_assert_nonnull (strstr (hk_harness_reason (h), path));
        g_assert_null (strstr (hk_harness_reason (h), "secret"));
    }
    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "echo", "accounts"));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    g_assert_nonnull (strstr (hk_harness_reason (h), "\"accounts\": expected a file"));
    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "echo", "/nonexistent/x.cf"));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "open /nonexistent/x.cf: No such"));
    hk_harness_free (h);
}

static void
test_warnings (void)
{
    HkHarness *h = hk_harness_new (&echo_plugin);
    void *t = open_text (h, "  x\nquery = a\nquerry = b\nquery = c\nvalues = /v/\nwait=1h\n"
                            "flag = No\n");
    g_assert_nonnull (t);
    g_assert_cmpint (hk_harness_get (h, t, "key"), ==, HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (h), ==, "v");
    static const char *const said[] = {
        "line 1: logical line must not start with whitespace",
        "line 3: unknown parameter: querry", "line 4: overriding earlier entry: query",
        "empty lookup result for: \"key\" -- ignored", "wait 3600 flag 0"};
    for (size_t i = 0; i < G_N_ELEMENTS (said); i++)
        g_assert_nonnull (strstr (hk_harness_log (h), said[i]));
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_braces (void)
{
    HkHarness *h = hk_harness_new (&echo_plugin);
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "echo",
                               "{ {query = a '%s'}, {result_format=<%s>} {word = hush} }");
    g_assert_nonnull (t);
    g_assert_cmpint (hk_harness_get (h, t, "k"), ==, HK_FOUND);
    g_assert_cmpstr (hk_harness_answer (h), ==, "<a '<k>'>");
    g_assert_nonnull (
        strstr (hk_harness_log (h), "{...}, line 3: unknown parameter: word"));
    hk_harness_close (h, t);
    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "echo", "{ {query=a}, {hush }"));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    g_assert_null (strstr (hk_harness_reason (h), "hush"));
    g_assert_null (strstr (hk_harness_log (h), "hush"));
    hk_harness_free (h);
}

static void
test_limits (void)
{
    HkHarness *h = hk_harness_new (&echo_plugin);
    void *t = open_text (h, "query = x\nvalues = a/b/c\nexpansion_limit = 2\n");
    g_assert_cmpint (hk_harness_get (h, t, "k"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "expansion limit exceeded"));
    g_assert_null (hk_harness_answer (h));
    g_assert_cmpint (hk_harness_get_span (h, t, (HkSpan){(const uint8_t *) "a\0b", 3}), ==,
                     HK_ABSENT);
    g_assert_cmpint (hk_harness_get (h, t, ""), ==, HK_ABSENT);
    g_autofree char *big = g_strnfill (17 * 1024, 'k');
    g_assert_cmpint (hk_harness_get (h, t, big), ==, HK_ABSENT);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_domain_files (void)
{
    HkHarness *h = hk_harness_new (&echo_plugin);
    g_autofree char *list = g_strconcat (path, ".list", NULL);
    g_assert_true (
        g_file_set_contents (list, "# c\nin.list\n!not.list hash:/x\n", -1, NULL));
    hk_harness_table (h, "hash:/x", "table.test", "1");
    hk_harness_table (h, "hash:/x", "down.test", NULL);
    hk_harness_table (h, "hash:/x", "not.list", "1");
    g_autofree char *text = g_strdup_printf ("query = x\ndomain = %s other.test", list);
    void *t = open_text (h, text);
    g_assert_nonnull (t);
    g_assert_cmpint (hk_harness_get (h, t, "u@in.list"), ==, HK_FOUND);
    g_assert_cmpint (hk_harness_get (h, t, "u@not.list"), ==, HK_ABSENT);
    g_assert_cmpint (hk_harness_get (h, t, "u@TABLE.test"), ==, HK_FOUND);
    g_assert_cmpint (hk_harness_get (h, t, "u@other.test"), ==, HK_FOUND);
    g_assert_cmpint (hk_harness_get (h, t, "u@down.test"), ==, HK_LATER);
    g_assert_nonnull (strstr (hk_harness_reason (h), "hash:/x"));
    hk_harness_close (h, t);

    g_assert_true (g_file_set_contents (list, list, -1, NULL)); /* names itself */
    g_assert_null (open_text (h, text));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    g_unlink (list);
    g_assert_null (open_text (h, text));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_LATER);
    hk_harness_free (h);
}

void
test_query_file_add_all (void)
{
    int fd = g_file_open_tmp ("hk-query-XXXXXX", &path, NULL);
    g_assert_cmpint (fd, >=, 0);
    close (fd);
    g_test_add_func ("/query_file/cases", test_cases);
    g_test_add_func ("/query_file/broken", test_broken);
    g_test_add_func ("/query_file/warnings", test_warnings);
    g_test_add_func ("/query_file/braces", test_braces);
    g_test_add_func ("/query_file/limits", test_limits);
    g_test_add_func ("/query_file/domain_files", test_domain_files);
}

void
test_query_file_end (void)
{
    g_unlink (path);
    g_free (path);
}
