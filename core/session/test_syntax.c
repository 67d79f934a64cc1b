/* test_syntax.c: commands and the parameters of MAIL, RCPT and BDAT. */
#include "config.h"

#include "session/syntax.h"

enum {
    ALL = HK_SYNTAX_UTF8 | HK_SYNTAX_SIZE | HK_SYNTAX_8BITMIME | HK_SYNTAX_DSN,
    STRICT_UTF8 = ALL | HK_SYNTAX_STRICT_UTF8
};

static void
test_command (void)
{
    static const struct {
        const char *line;
        HkVerb verb;
        const char *argument;
    } cases[] = {
        {"eHlO client.example", HK_VERB_EHLO, "client.example"},
        {"NOOP ", HK_VERB_NOOP, ""},
        {"  RSET\t", HK_VERB_RSET, ""},
        {"MAIL FROM:<a@b>  SIZE=3 ", HK_VERB_MAIL, "FROM:<a@b>  SIZE=3"},
        {"STARTTLS", HK_VERB_STARTTLS, ""},
        {"MAILX FROM:<a@b>", HK_VERB_UNKNOWN, "FROM:<a@b>"},
        {"UNKNOWN", HK_VERB_UNKNOWN, ""},
        {"CONNECT", HK_VERB_UNKNOWN, ""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        HkCommand c;
        g_assert_true (hk_command_parse (hk_span_text (cases[i].line), &c));
        g_assert_cmpint (c.verb, ==, cases[i].verb);
        g_assert_true (hk_span_is (c.argument, cases[i].argument));
    }
    HkCommand c;
    g_assert_false (hk_command_parse (HK_SPAN (" \t"), &c));
    g_assert_true (hk_command_is_header (HK_SPAN ("Host:")));
    g_assert_false (hk_command_is_header (HK_SPAN ("NOOP")));
    g_assert_false (hk_command_is_clean (hk_span ("a\0b", 3)));
    g_assert_false (hk_command_is_clean (HK_SPAN ("NOOP a\rRSET")));
}

typedef struct {
    const char *argument;
    unsigned syntax;
    int code; /* 0: accepted */
    const char *address;
} PathCase;

static void
test_mail (void)
{
    static const PathCase cases[] = {
        {"FROM:<a@example.org>", ALL, 0, "a@example.org"},
        {"from: <a@example.org>", ALL, 0, "a@example.org"},
        {"FROM:<>", ALL, 0, ""},
        {"FROM:<a@example.org> SIZE=1000 BODY=8BITMIME", ALL, 0, "a@example.org"},
        {"FROM:<a@example.org> ret=hdrs envid=QQ314159", ALL, 0, "a@example.org"},
        {"", ALL, 501, NULL},
        {"TO:<a@example.org>", ALL, 501, NULL},
        {"FROM:", ALL, 501, NULL},
        {"FROM:<a@example.org", ALL, 501, NULL},
        {"FROM:<a\x01\x1b[2Jb@example.org>", ALL, 501, NULL},
        {"FROM:<a@example.org> FOO=bar", ALL, 555, NULL},
        {"FROM:<a@example.org> BODY=BINARYMIME", ALL, 555, NULL},
        {"FROM:<a@example.org> SIZE=", ALL, 501, NULL},
        {"FROM:<a@example.org> SIZE=-1", ALL, 501, NULL},
        {"FROM:<a@example.org> SIZE=abc", ALL, 501, NULL},
        {"FROM:<a@example.org> SIZE=10001", ALL, 552, NULL},
        {"FROM:<a@example.org> SIZE=18446744073709551617", ALL, 552, NULL},
        {"FROM:<a@example.org> SIZE=99999999999999999999", ALL, 552, NULL},
        {"FROM:<a@example.org> RET=BOGUS", ALL, 501, NULL},
        {"FROM:<a@example.org> RET=FULL RET=FULL", ALL, 501, NULL},
        {"FROM:<a@example.org> ENVID=a+0A+0Db", ALL, 501, NULL},
        {"FROM:<a@example.org> ENVID=+zz", ALL, 501, NULL},
        /* a keyword that was not offered is unknown */
        {"FROM:<a@example.org> SIZE=1", ALL & ~HK_SYNTAX_SIZE, 555, NULL},
        {"FROM:<a@example.org> SMTPUTF8", ALL & ~HK_SYNTAX_UTF8, 555, NULL},
        /* UTF-8 */
        {"FROM:<\xc3\xbcser@\xc3\xa9xample.org> SMTPUTF8", STRICT_UTF8, 0,
         "\xc3\xbcser@\xc3\xa9xample.org"},
        {"FROM:<\xc3\xa4@example.org>", STRICT_UTF8, 553, NULL},
        {"FROM:<\xff\xfe@example.org> SMTPUTF8", STRICT_UTF8, 501, NULL},
        {"FROM:<a\xc0\xaf"
         "b@example.org> SMTPUTF8",
         ALL, 501, NULL},
        {"FROM:a@example.org", ALL | HK_SYNTAX_STRICT, 501, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        const PathCase *c = &cases[i];
        g_autoptr (HkArena) arena = hk_arena_new (1024);
        HkMailOptions out;
        HkRefusal refusal = {.code = 0};
        bool ok = hk_mail_parse (hk_span_text (c->argument), c->syntax, 10000, NULL, arena, &out,
                                 &refusal);
        g_test_message ("%s", c->argument);
        g_assert_cmpint (ok ? 0 : refusal.code, ==, c->code);
        if (ok)
            g_assert_true (hk_span_is (out.sender, c->address));
        else
            g_assert_cmpint (refusal.dsn[0], ==, '5');
    }
}

static void
test_mail_values (void)
{
    g_autoptr (HkArena) arena = hk_arena_new (1024);
    HkMailOptions out;
    HkRefusal refusal;
    g_assert_true (hk_mail_parse (
        HK_SPAN ("FROM:<a@b.c> SIZE=77 BODY=8bitmime RET=FULL ENVID=x+2By SMTPUTF8"), ALL,
        0, NULL, arena, &out, &refusal));
    g_assert_cmpuint (out.size, ==, 77);
    g_assert_true (out.has_size && out.is_8bit && out.is_smtputf8 && out.ret_full);
    g_assert_false (out.ret_hdrs);
    g_assert_true (hk_span_is (out.envid, "x+y"));
}

static void
test_rcpt (void)
{
    static const struct {
        const char *argument;
        int code;
        uint32_t notify;
        const char *orcpt;
    } cases[] = {
        {"TO:<u@example.org>", 0, 0, ""},
        {"TO:<u@example.org> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;user+40example.org",
         0, HK_NOTIFY_SUCCESS | HK_NOTIFY_FAILURE | HK_NOTIFY_DELAY,
         "rfc822;user@example.org"},
        {"TO:<u@example.org> NOTIFY=NEVER", 0, HK_NOTIFY_NEVER, ""},
        {"TO:<u@example.org> NOTIFY=NEVER,SUCCESS", 501, 0, NULL},
        {"TO:<u@example.org> NOTIFY=", 501, 0, NULL},
        {"TO:<u@example.org> NOTIFY=SUCCESS,", 501, 0, NULL},
        {"TO:<u@example.org> NOTIFY=SUCCESS,SUCCESS", 501, 0, NULL},
        {"TO:<u@example.org> ORCPT=noaddrtype", 501, 0, NULL},
        {"TO:<u@example.org> ORCPT=rfc822;x+0AR+0Aroot@example.org", 501, 0, NULL},
        {"TO:<u@example.org> ORCPT=rfc822;", 501, 0, NULL},
        {"TO:<u@example.org> FOO=bar", 555, 0, NULL},
        {"TO:<>", 501, 0, NULL},
        {"TO:", 501, 0, NULL},
        {"FROM:<u@example.org>", 501, 0, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (HkArena) arena = hk_arena_new (1024);
        HkRcptOptions out;
        HkRefusal refusal = {.code = 0};
        bool ok =
            hk_rcpt_parse (hk_span_text (cases[i].argument), ALL, arena, &out, &refusal);
        g_test_message ("%s", cases[i].argument);
        g_assert_cmpint (ok ? 0 : refusal.code, ==, cases[i].code);
        if (!ok)
            continue;
        g_assert_cmpuint (out.notify, ==, cases[i].notify);
        g_assert_true (hk_span_is (out.orcpt, cases[i].orcpt));
    }
}

static void
test_nul_in_path (void)
{
    static const char with_nul[] = "TO:<u@example.org\0@elsewhere.example>";
    g_autoptr (HkArena) arena = hk_arena_new (1024);
    HkRcptOptions out;
    HkRefusal refusal;
    g_assert_false (hk_rcpt_parse (hk_span (with_nul, sizeof with_nul - 1), ALL, arena,
                                   &out, &refusal));
}

static void
test_bdat (void)
{
    static const struct {
        const char *argument;
        bool ok;
        uint64_t size;
        bool last;
    } cases[] = {
        {"12", true, 12, false},
        {"0 LAST", true, 0, true},
        {"5   last", true, 5, true},
        {"abc", false, 0, false},
        {"-1", false, 0, false},
        {"0x10", false, 0, false},
        {"", false, 0, false},
        {"5 FIRST", false, 0, false},
        {"99999999999999999999", false, 0, false},
        {"18446744073709551616", false, 0, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        uint64_t size = 0;
        bool last = false;
        bool ok = hk_bdat_parse (hk_span_text (cases[i].argument), &size, &last);
        g_assert_cmpint (ok, ==, cases[i].ok);
        if (ok) {
            g_assert_cmpuint (size, ==, cases[i].size);
            g_assert_cmpint (last, ==, cases[i].last);
        }
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/session/syntax/command", test_command);
    g_test_add_func ("/session/syntax/mail", test_mail);
    g_test_add_func ("/session/syntax/mail-values", test_mail_values);
    g_test_add_func ("/session/syntax/rcpt", test_rcpt);
    g_test_add_func ("/session/syntax/nul", test_nul_in_path);
    g_test_add_func ("/session/syntax/bdat", test_bdat);
    return g_test_run ();
}
