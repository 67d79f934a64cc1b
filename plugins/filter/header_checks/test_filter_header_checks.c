/* test_filter_header_checks.c: each action, on headers and in the body. */
#include "harness.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (filter_header_checks);

typedef struct {
    const char *line; /* a header or a body line */
    HkAnswer answer;
    const char *edits;
} Case;

static HkHarness *
new_harness (void)
{
    static const char *const rows[][2] = {
        {"A: warn", "WARN careful"},
        {"A: info", "info"},
        {"A: strip", "STRIP odd"},
        {"A: ignore", "IGNORE"},
        {"A: replace", "REPLACE B: c"},
        {"A: bad replace", "REPLACE nonsense"},
        {"A: prepend", "PREPEND B: c"},
        {"A: hold", "HOLD"},
        {"A: discard", "DISCARD bye"},
        {"A: reject", "REJECT 4.7.0 wait"},
        {"A: filter", "FILTER t:n"},
        {"A: bad filter", "FILTER tn"},
        {"A: redirect", "REDIRECT a@b"},
        {"A: bcc", "BCC a@b"},
        {"A: bad bcc", "BCC ab"},
        {"A: dunno", "DUNNO"},
        {"A: ok", "OK"},
        {"A: odd", "REJEC"},
        {"A: dead", NULL},
        {"A: two\n lines", "WARN"},
        {"Content-Type: x", "WARN mime"},
    };
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (filter_header_checks));
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
        hk_harness_table (h, "regexp:/h", rows[i][0], rows[i][1]);
    hk_harness_table (h, "regexp:/b", "old", "REPLACE new");
    hk_harness_table (h, "regexp:/b", "cut", "IGNORE");
    hk_harness_table (h, "regexp:/b", "bad", "REJECT");
    hk_harness_set (h, "header_checks", "regexp:/h");
    hk_harness_set (h, "mime_header_checks", "regexp:/h");
    hk_harness_set (h, "nested_header_checks", "");
    hk_harness_set (h, "body_checks", "regexp:/b");
    return h;
}

typedef struct {
    HkHarness *h;
    void *instance, *message;
    const HkFilterClass *class;
} Run;

static Run
begin (void)
{
    Run r = {.h = new_harness ()};
    r.class = (const HkFilterClass *) (const void *) hk_harness_class (r.h, HK_KIND_FILTER,
                                                                       "header_checks");
    r.instance = hk_harness_open (r.h, HK_KIND_FILTER, "header_checks", "");
    g_assert_nonnull (r.instance);
    g_assert_cmpint (
        r.class->message_begin (r.instance, NULL, hk_harness_call (r.h), &r.message), ==,
        HK_DUNNO);
    return r;
}

static void
end (Run *r)
{
    r->class->message_end (r->instance, r->message);
    hk_harness_close (r->h, r->instance);
    hk_harness_free (r->h);
}

static HkSpan
span (const char *text)
{
    return (HkSpan){(const uint8_t *) text, strlen (text)};
}

static HkAnswer
header (Run *r, const char *line)
{
    const char *colon = strchr (line, ':');
    HkSpan name = {(const uint8_t *) line, (size_t) (colon - line)};
    return r->class->header (r->instance, r->message, hk_harness_call (r->h), 3, name,
                             span (colon + 1));
}

static void
test_headers (void)
{
    static const Case cases[] = {
        {"A: nothing", HK_DUNNO, ""},
        {"A: dunno", HK_DUNNO, ""},
        {"A: ok", HK_DUNNO, ""},
        {"A: odd", HK_DUNNO, ""},
        {"A: warn", HK_DUNNO, "note warning header A: warn: careful\n"},
        {"A: info", HK_DUNNO, "note info header A: info: \n"},
        {"A: strip", HK_DUNNO, "note strip header A: strip: odd\nlines 3 \n"},
        {"A: ignore", HK_DUNNO, "lines 3 \n"},
        {"A: replace", HK_DUNNO, "note replace header A: replace: B: c\nlines 3 B: c\n"},
        {"A: bad replace", HK_DUNNO, ""},
        {"A: prepend", HK_DUNNO,
         "note prepend header A: prepend: B: c\nlines 3 B: c\nA: prepend\n"},
        {"A: hold", HK_DUNNO, "note hold header A: hold: \nhold \n"},
        {"A: discard", HK_DISCARD, "note discard header A: discard: bye\n"},
        {"A: reject", HK_REJECT, "note reject header A: reject: 4.7.0 wait\n"},
        {"A: filter", HK_DUNNO, "note filter header A: filter: t:n\nfilter t:n\n"},
        {"A: bad filter", HK_DUNNO, ""},
        {"A: redirect", HK_DUNNO, "note redirect header A: redirect: a@b\nredirect a@b\n"},
        {"A: bcc", HK_DUNNO, "note bcc header A: bcc: a@b\nrcpt+ a@b\n"},
        {"A: bad bcc", HK_DUNNO, ""},
        {"A: dead", HK_LATER, ""},
        {"A: two\r\n lines", HK_DUNNO, "note warning header A: two  lines: \n"},
        {"Content-Type: x", HK_DUNNO, "note warning header Content-Type: x: mime\n"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        Run r = begin ();
        g_test_message ("%s", cases[i].line);
        g_assert_cmpint (header (&r, cases[i].line), ==, cases[i].answer);
        g_assert_cmpstr (hk_harness_edits (r.h), ==, cases[i].edits);
        end (&r);
    }
}

static void
test_reply (void)
{
    Run r = begin ();
    header (&r, "A: reject");
    g_assert_cmpint (hk_harness_reply_code (r.h), ==, 451);
    g_assert_cmpstr (hk_harness_reply_dsn (r.h), ==, "4.7.0");
    g_assert_cmpstr (hk_harness_reply_text (r.h), ==, "wait");
    header (&r, "A: odd");
    g_assert_nonnull (strstr (hk_harness_log (r.h), "unknown command"));
    end (&r);
}

/* Lines come in chunks that do not end where lines end. */
static HkAnswer
body (Run *r, const char *text, size_t step)
{
    HkAnswer answer = HK_DUNNO;
    g_autofree char *content = g_strconcat ("A: x\r\n\r\n", text, NULL);
    hk_harness_content (r->h, content, strlen (content));
    for (size_t at = 0; at < strlen (text) && answer == HK_DUNNO; at += step) {
        HkSpan chunk = {(const uint8_t *) text + at, MIN (step, strlen (text) - at)};
        answer = r->class->body (r->instance, r->message, hk_harness_call (r->h), chunk);
    }
    if (answer == HK_DUNNO)
        answer = r->class->commit (r->instance, r->message, hk_harness_call (r->h));
    return answer;
}

static void
test_body (void)
{
    for (size_t step = 1; step < 20; step += 3) {
        Run r = begin ();
        g_assert_cmpint (body (&r, "one\r\nold\r\ncut\r\ntwo\r\ncut", step), ==, HK_DUNNO);
        g_assert_cmpstr (hk_harness_body (r.h)->str, ==, "one\r\nnew\r\ntwo\r\n");
        end (&r);
    }
    Run r = begin ();
    g_assert_cmpint (body (&r, "one\r\ntwo\r\n", 100), ==, HK_DUNNO);
    g_assert_cmpuint (hk_harness_body (r.h)->len, ==, 0); /* nothing to change */
    end (&r);
    r = begin ();
    g_assert_cmpint (body (&r, "one\r\nbad\r\n", 100), ==, HK_REJECT);
    end (&r);
}

static void
test_idle (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (filter_header_checks));
    hk_harness_set (h, "mime_header_checks", "");
    hk_harness_set (h, "nested_header_checks", "");
    void *message = NULL,
         *instance = hk_harness_open (h, HK_KIND_FILTER, "header_checks", "");
    const HkFilterClass *class = (const HkFilterClass *) (const void *) hk_harness_class (
        h, HK_KIND_FILTER, "header_checks");
    g_assert_cmpint (class->message_begin (instance, NULL, hk_harness_call (h), &message),
                     ==, HK_PERMIT);
    class->message_end (instance, message);
    hk_harness_close (h, instance);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/header_checks/headers", test_headers);
    g_test_add_func ("/header_checks/reply", test_reply);
    g_test_add_func ("/header_checks/body", test_body);
    g_test_add_func ("/header_checks/idle", test_idle);
    return g_test_run ();
}
