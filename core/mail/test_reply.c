/* test_reply.c: making, splitting and reading SMTP replies. */
#include "config.h"
#include "mail/reply.h"

static void
test_append (void)
{
    static const struct {
        int code;
        const char *dsn, *text, *reply;
    } cases[] = {
        {250, "2.0.0", "Ok: queued as X", "250 2.0.0 Ok: queued as X\r\n"},
        {220, NULL, "host ESMTP", "220 host ESMTP\r\n"},
        {250, NULL, "host\nPIPELINING\r\nSIZE 10\n",
         "250-host\r\n250-PIPELINING\r\n250 SIZE 10\r\n"},
        {550, "5.7.1", "a\nb", "550-5.7.1 a\r\n550 5.7.1 b\r\n"},
        {550, "5.1.1", "<a\001\033b>: no", "550 5.1.1 <a??b>: no\r\n"},
        {250, "2.0.0", "", "250 2.0.0\r\n"},
        {250, NULL, "a\n\nb", "250-a\r\n250-\r\n250 b\r\n"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GString) out = g_string_new (NULL);
        hk_reply_append (out, cases[i].code, cases[i].dsn, hk_span_text (cases[i].text));
        g_assert_cmpstr (out->str, ==, cases[i].reply);
    }
}

/* Long text, with and without blanks, ASCII and not: no line passes 512, nothing is lost.
 */
static void
test_append_long (void)
{
    static const char *const units[] = {"x", "word ", "\303\244", "\360\237\230\200"};
    for (size_t u = 0; u < G_N_ELEMENTS (units); u++) {
        g_autoptr (GString) text = g_string_new (NULL), out = g_string_new (NULL);
        g_autoptr (GString) back = g_string_new (NULL);
        while (text->len < 3000)
            g_string_append (text, units[u]);
        hk_reply_append (out, 550, "5.7.1", hk_span_string (text));
        g_auto (GStrv) lines = g_strsplit (out->str, "\r\n", -1);
        for (size_t i = 0; lines[i] != NULL && *lines[i] != '\0'; i++) {
            g_assert_cmpuint (strlen (lines[i]), <=, 510);
            g_assert_true (g_utf8_validate (lines[i], -1, NULL));
            g_assert_cmpint (lines[i][3], ==, *lines[i + 1] == '\0' ? ' ' : '-');
            g_string_append (back, lines[i] + 10);
        }
        for (size_t i = 0, k = 0; i < text->len; i++)
            if (text->str[i] != ' ') {
                while (back->str[k] == ' ')
                    k++;
                g_assert_cmpint (text->str[i], ==, back->str[k++]);
            }
    }
}

static void
test_split (void)
{
    static const struct {
        const char *text;
        int code; /* 0: none */
        const char *dsn, *rest;
    } cases[] = {
        {"450 4.7.1 text here", 450, "4.7.1", "text here"},
        {"550 no", 550, "5.7.1", "no"},
        {"550 4.7.1 wrong class", 550, "5.7.1", "wrong class"},
        {"421", 421, "4.7.1", ""},
        {" 554  5.7.1  x ", 554, "5.7.1", "x"},
        {"550 5.1.1234 x", 550, "5.7.1", "5.1.1234 x"},
        {"250 2.0.0 ok", 0, NULL, NULL},
        {"5500 x", 0, NULL, NULL},
        {"55", 0, NULL, NULL},
        {"550x", 0, NULL, NULL},
        {"REJECT", 0, NULL, NULL},
        {"", 0, NULL, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        int code = 0;
        char dsn[12];
        HkSpan rest;
        bool found = hk_reply_split (hk_span_text (cases[i].text), &code, dsn, &rest);
        g_assert_cmpint (found, ==, cases[i].code != 0);
        if (found) {
            g_assert_cmpint (code, ==, cases[i].code);
            g_assert_cmpstr (dsn, ==, cases[i].dsn);
            g_assert_true (hk_span_is (rest, cases[i].rest));
        }
    }
}

static void
test_dsn_prefix (void)
{
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {{"5.1.1 x", 5}, {"5.1.1", 5},    {"2.0.100", 7}, {"4.999.999\tx", 9},
                 {"3.1.1", 0},   {"5.1", 0},      {"5.1.", 0},    {"5.1.1x", 0},
                 {"5..1", 0},    {"5.1.1234", 0}, {"", 0},        {"51.1.1", 0}};
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
        g_assert_cmpuint (hk_dsn_prefix (hk_span_text (cases[i].text)), ==, cases[i].size);
}

typedef struct {
    const char *bytes;
    HkReplyProgress progress;
    int code;
    const char *dsn, *text, *lines;
} ReadCase;

static const ReadCase read_cases[] = {
    {"220 host ESMTP\r\n", HK_REPLY_DONE, 220, "", "host ESMTP", "host ESMTP\n"},
    {"250-a\r\n250-B C\r\n250 d\r\n", HK_REPLY_DONE, 250, "", "a B C d", "a\nB C\nd\n"},
    {"550-5.1.1 no\r\n550 5.1.1 such\r\n", HK_REPLY_DONE, 550, "5.1.1",
     "5.1.1 no 5.1.1 such", "5.1.1 no\n5.1.1 such\n"},
    {"550 4.1.1 x\r\n", HK_REPLY_DONE, 550, "", "4.1.1 x", "4.1.1 x\n"},
    {"250\r\n", HK_REPLY_DONE, 250, "", "", "\n"},
    {"250 ok\n", HK_REPLY_DONE, 250, "", "ok", "ok\n"},
    {"250 a\rb\001\r\n", HK_REPLY_DONE, 250, "", "a?b?", "a?b?\n"},
    {"250-a\r\n250", HK_REPLY_MORE, 0, NULL, NULL, NULL},
    {"250 a\r", HK_REPLY_MORE, 0, NULL, NULL, NULL},
    {"hello\r\n", HK_REPLY_MALFORMED, 0, NULL, NULL, NULL},
    {"150 x\r\n", HK_REPLY_MALFORMED, 0, NULL, NULL, NULL},
    {"25x\r\n", HK_REPLY_MALFORMED, 0, NULL, NULL, NULL},
    {"250+x\r\n", HK_REPLY_MALFORMED, 0, NULL, NULL, NULL},
    {"250-a\r\n\r\n", HK_REPLY_MALFORMED, 0, NULL, NULL, NULL},
};

/* Each case whole, and byte by byte. */
static void
test_read (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (read_cases) * 2; i++) {
        const ReadCase *c = &read_cases[i / 2];
        HkSpan all = hk_span_text (c->bytes);
        HkReplyReader reader;
        HkReplyProgress progress = HK_REPLY_MORE;
        hk_reply_reader_init (&reader);
        while (all.size > 0 && progress == HK_REPLY_MORE) {
            HkSpan some = hk_span_sub (all, 0, i % 2 == 0 ? all.size : 1);
            size_t before = some.size;
            progress = hk_reply_reader_feed (&reader, &some);
            all = hk_span_sub (all, before - some.size, all.size);
        }
        g_assert_cmpint (progress, ==, c->progress);
        if (progress == HK_REPLY_DONE) {
            g_assert_cmpint (reader.code, ==, c->code);
            g_assert_cmpstr (reader.dsn, ==, c->dsn);
            g_assert_cmpstr (reader.text->str, ==, c->text);
            g_assert_cmpstr (reader.lines->str, ==, c->lines);
        }
        hk_reply_reader_clear (&reader);
    }
}

static void
test_read_pipelined (void)
{
    HkReplyReader reader;
    HkSpan input = HK_SPAN ("250 2.1.0 Ok\r\n550 5.1.1 No\r\n354 Go\r\n");
    static const int codes[] = {250, 550, 354};
    hk_reply_reader_init (&reader);
    for (size_t i = 0; i < G_N_ELEMENTS (codes); i++) {
        g_assert_cmpint (hk_reply_reader_feed (&reader, &input), ==, HK_REPLY_DONE);
        g_assert_cmpint (reader.code, ==, codes[i]);
    }
    g_assert_cmpuint (input.size, ==, 0);
    g_assert_cmpstr (reader.dsn, ==, "");
    hk_reply_reader_clear (&reader);
}

static void
test_read_is_bounded (void)
{
    HkReplyReader reader;
    HkReplyProgress progress = HK_REPLY_MORE;
    hk_reply_reader_init (&reader);
    for (int i = 0; i < 20000 && progress == HK_REPLY_MORE; i++) {
        HkSpan line = HK_SPAN ("250-again and again\r\n");
        progress = hk_reply_reader_feed (&reader, &line);
    }
    g_assert_cmpint (progress, ==, HK_REPLY_MALFORMED);
    HkSpan line = HK_SPAN ("250 ok\r\n");
    g_assert_cmpint (hk_reply_reader_feed (&reader, &line), ==, HK_REPLY_MALFORMED);
    hk_reply_reader_clear (&reader);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/mail/reply/append", test_append);
    g_test_add_func ("/mail/reply/append-long", test_append_long);
    g_test_add_func ("/mail/reply/split", test_split);
    g_test_add_func ("/mail/reply/dsn-prefix", test_dsn_prefix);
    g_test_add_func ("/mail/reply/read", test_read);
    g_test_add_func ("/mail/reply/read-pipelined", test_read_pipelined);
    g_test_add_func ("/mail/reply/read-is-bounded", test_read_is_bounded);
    return g_test_run ();
}
