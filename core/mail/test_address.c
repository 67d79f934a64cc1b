/* test_address.c: paths, splitting, quoting, domains, lists. */
#include "config.h"
#include "mail/address.h"

#define L64 "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
#define D63 "ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define D2 "d.d.d.d.d.d.d.d.d.d.d.d.d.d.d.d.d.d.d.d."

typedef struct {
    HkSpan text;
    unsigned flags;
    HkPathResult result;
    const char *address, *rest;
} PathCase;

#define T(s) HK_SPAN (s)
static const PathCase path_cases[] = {
    {T ("<user@example.org> SIZE=3"), 0, HK_PATH_OK, "user@example.org", "SIZE=3"},
    {T (" <user@example.org>"), 0, HK_PATH_OK, "user@example.org", ""},
    {T ("user@example.org SIZE=3"), 0, HK_PATH_OK, "user@example.org", "SIZE=3"},
    {T ("user@example.org"), HK_PATH_STRICT, HK_PATH_SYNTAX, NULL, NULL},
    {T ("< user@example.org (me) >"), 0, HK_PATH_OK, "user@example.org", ""},
    {T ("< user@example.org>"), HK_PATH_STRICT, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<user(me)@example.org>"), HK_PATH_STRICT, HK_PATH_SYNTAX, NULL, NULL},
    /* the null sender only where it is asked for, and only as <> */
    {T ("<>"), HK_PATH_ALLOW_EMPTY, HK_PATH_OK, "", ""},
    {T ("<> RET=HDRS"), HK_PATH_ALLOW_EMPTY | HK_PATH_STRICT, HK_PATH_OK, "", "RET=HDRS"},
    {T ("<>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T (""), HK_PATH_ALLOW_EMPTY, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<"), HK_PATH_ALLOW_EMPTY, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<@>"), HK_PATH_ALLOW_EMPTY, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<\"\">"), HK_PATH_ALLOW_EMPTY, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<\"\"@example.org>"), HK_PATH_ALLOW_EMPTY, HK_PATH_SYNTAX, NULL, NULL},
    /* brackets must match and a blank must follow */
    {T ("<sender@example.org"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<sender@example.org>>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<<sender@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("sender@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a@example.org>SIZE=3"), 0, HK_PATH_SYNTAX, NULL, NULL},
    /* names without a domain */
    {T ("<postmaster>"), 0, HK_PATH_OK, "postmaster", ""},
    {T ("<PostMaster>"), HK_PATH_STRICT, HK_PATH_OK, "PostMaster", ""},
    {T ("<user@>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a@b@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    /* quoting becomes canonical */
    {T ("<\"user\"@example.org>"), 0, HK_PATH_OK, "user@example.org", ""},
    {T ("<\"a b\\\"c\"@example.org>"), 0, HK_PATH_OK, "\"a b\\\"c\"@example.org", ""},
    {T ("<\"a>b@c\"@example.org> X"), 0, HK_PATH_OK, "\"a>b@c\"@example.org", "X"},
    {T ("<\"a\\b\"@example.org>"), 0, HK_PATH_OK, "ab@example.org", ""},
    {T ("<a\\@b@example.org>"), 0, HK_PATH_OK, "\"a@b\"@example.org", ""},
    {T ("<a..b@example.org>"), 0, HK_PATH_OK, "\"a..b\"@example.org", ""},
    {T ("<.a@example.org>"), 0, HK_PATH_OK, "\".a\"@example.org", ""},
    {T ("<a.@example.org>"), 0, HK_PATH_OK, "\"a.\"@example.org", ""},
    {T ("<a.\"b c\"@example.org>"), 0, HK_PATH_OK, "\"a.b c\"@example.org", ""},
    {T ("<\"a@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a b@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a\\"), 0, HK_PATH_SYNTAX, NULL, NULL},
    /* source routes are dropped */
    {T ("<@a.example,@b.example:user@example.org>"), 0, HK_PATH_OK, "user@example.org", ""},
    {T ("<@a.example:user@example.org> A=B"), HK_PATH_STRICT, HK_PATH_OK,
     "user@example.org", "A=B"},
    {T ("<@[192.0.2.1]:user@example.org>"), 0, HK_PATH_OK, "user@example.org", ""},
    {T ("<@a.example,:user@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<@a.example:>"), HK_PATH_ALLOW_EMPTY, HK_PATH_OK, "", ""},
    /* domains */
    {T ("<a@[192.0.2.1]>"), 0, HK_PATH_OK, "a@[192.0.2.1]", ""},
    {T ("<a@[IPv6:2001:db8::1]>"), 0, HK_PATH_OK, "a@[IPv6:2001:db8::1]", ""},
    {T ("<a@[192.0.2.256]>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a@[]>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a@[192.0.2.1>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a@192.0.2.1>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a@example.org.>"), 0, HK_PATH_OK, "a@example.org.", ""},
    {T ("<a@b..example>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a@-b.example>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a@b/c>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a@under_score.example>"), 0, HK_PATH_OK, "a@under_score.example", ""},
    /* sizes */
    {T ("<" L64 "@example.org>"), 0, HK_PATH_OK, L64 "@example.org", ""},
    {T ("<" L64 L64 L64 L64 "@example.org>"), 0, HK_PATH_OK, L64 L64 L64 L64 "@example.org",
     ""},
    {T ("<" L64 L64 L64 L64 "x@example.org>"), 0, HK_PATH_TOO_LONG, NULL, NULL},
    {T ("<a@" D63 "d.example>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a@" D2 D2 D2 D2 D2 D2 D2 "example>"), 0, HK_PATH_TOO_LONG, NULL, NULL},
    /* what must not get in */
    {T ("<a\001\033[2Jb@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<\"a\001b\"@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<\"a\rb\"@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<\"a\\\nb\"@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a\177b@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<user@example.org\0@elsewhere.example>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<us\0er@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a@example.org\r\n>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a(\r\n)@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a(@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    /* 8 bit */
    {T ("<\303\244@example.org>"), 0, HK_PATH_NEEDS_UTF8, NULL, NULL},
    {T ("<\303\274ser@\303\251xample.org> SMTPUTF8"), HK_PATH_ALLOW_UTF8, HK_PATH_OK,
     "\303\274ser@\303\251xample.org", "SMTPUTF8"},
    {T ("<\377\376@example.org>"), HK_PATH_ALLOW_UTF8, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a\300\257b@example.org>"), HK_PATH_ALLOW_UTF8, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a@ex\377ample.org>"), HK_PATH_ALLOW_UTF8, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<a\302\233b@example.org>"), HK_PATH_ALLOW_UTF8, HK_PATH_SYNTAX, NULL, NULL},
    /* text for shells and programs is plain text here */
    {T ("<\"|touch x\"@example.org>"), 0, HK_PATH_OK, "\"|touch x\"@example.org", ""},
    {T ("<|touch${IFS}x@example.org>"), 0, HK_PATH_OK, "|touch${IFS}x@example.org", ""},
    {T ("<;touch x;>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<:include:/etc/passwd@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<-oQ/tmp@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<\"-o Q\"@example.org>"), 0, HK_PATH_SYNTAX, NULL, NULL},
    {T ("<-a@example.org>"), HK_PATH_ALLOW_MIN_USER, HK_PATH_OK, "-a@example.org", ""},
    {T ("<../../x@example.org>"), 0, HK_PATH_OK, "\"../../x\"@example.org", ""},
};

static void
test_path (void)
{
    g_autoptr (HkArena) arena = hk_arena_new (4096);
    for (size_t i = 0; i < G_N_ELEMENTS (path_cases); i++) {
        const PathCase *c = &path_cases[i];
        HkSpan address = HK_SPAN_NONE, rest = HK_SPAN_NONE;
        HkPathResult result = hk_path_parse (c->text, c->flags, arena, &address, &rest);
        if (result != c->result ||
            (result == HK_PATH_OK && !hk_span_is (address, c->address)) ||
            (result == HK_PATH_OK && !hk_span_is (rest, c->rest)))
            g_error ("case %zu, %.*s: result %d, address %.*s, rest %.*s", i,
                     HK_SPAN_ARG (c->text), result, HK_SPAN_ARG (address),
                     HK_SPAN_ARG (rest));
    }
}

static void
test_plain_path_borrows (void)
{
    g_autoptr (HkArena) arena = hk_arena_new (4096);
    HkSpan text = HK_SPAN ("<user.name+ext@mail.example.org> SIZE=100 BODY=8BITMIME"), a,
           rest;
    size_t used = hk_arena_used (arena);
    g_assert_cmpint (hk_path_parse (text, HK_PATH_ALLOW_UTF8, arena, &a, &rest), ==,
                     HK_PATH_OK);
    g_assert_true (a.data == text.data + 1);
    g_assert_cmpuint (hk_arena_used (arena), ==, used);
}

/* Reading what was made again gives the same. */
static void
test_path_is_stable (void)
{
    g_autoptr (HkArena) arena = hk_arena_new (4096);
    for (size_t i = 0; i < G_N_ELEMENTS (path_cases); i++) {
        const PathCase *c = &path_cases[i];
        HkSpan again, rest;
        if (c->result != HK_PATH_OK || *c->address == '\0')
            continue;
        g_autofree char *text = g_strdup_printf ("<%s>", c->address);
        g_assert_cmpint (
            hk_path_parse (hk_span_text (text),
                           HK_PATH_STRICT | HK_PATH_ALLOW_UTF8 | HK_PATH_ALLOW_MIN_USER,
                           arena, &again, &rest),
            ==, HK_PATH_OK);
        g_assert_true (hk_span_is (again, c->address));
    }
}

static void
test_split (void)
{
    static const struct {
        const char *address, *local, *domain;
        bool found;
    } cases[] = {
        {"user@example.org", "user", "example.org", true},
        {"user", "user", "", false},
        {"\"a@b\"@example.org", "\"a@b\"", "example.org", true},
        {"\"a@b\"", "\"a@b\"", "", false},
        {"\"a\\\"@b\"", "\"a\\\"@b\"", "", false},
        {"a@b@example.org", "a@b", "example.org", true},
        {"", "", "", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        HkSpan local, domain;
        bool found = hk_address_split (hk_span_text (cases[i].address), &local, &domain);
        g_assert_cmpint (found, ==, cases[i].found);
        g_assert_true (hk_span_is (local, cases[i].local));
        g_assert_true (hk_span_is (domain, cases[i].domain));
    }
}

static void
test_extension (void)
{
    static const struct {
        const char *local, *delimiters, *user, *extension;
    } cases[] = {
        {"user+ext", "+", "user", "ext"},   {"user+a+b", "+", "user", "a+b"},
        {"user-ext", "+-", "user", "ext"},  {"user", "+", NULL, NULL},
        {"+ext", "+", NULL, NULL},          {"+a+b", "+", NULL, NULL},
        {"user+", "+", "user", ""},         {"owner-list", "-", NULL, NULL},
        {"list-request", "-", NULL, NULL},  {"owner-list+x", "+", "owner-list", "x"},
        {"-request", "-", NULL, NULL},      {"MAILER-DAEMON", "-", NULL, NULL},
        {"double-bounce", "-", NULL, NULL}, {"user+ext", "", NULL, NULL},
        {"user+ext", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        HkSpan user, extension;
        bool found = hk_address_split_extension (hk_span_text (cases[i].local),
                                                 cases[i].delimiters, &user, &extension);
        g_assert_cmpint (found, ==, cases[i].user != NULL);
        if (found) {
            g_assert_true (hk_span_is (user, cases[i].user));
            g_assert_true (hk_span_is (extension, cases[i].extension));
        }
    }
}

static void
test_domain (void)
{
    static const struct {
        const char *domain;
        bool valid, fqdn, literal;
    } cases[] = {
        {"example.org", true, true, false},
        {"localhost", true, false, false},
        {"a_b.example", true, true, false},
        {"xn--bcher-kva.example", true, true, false},
        {"", false, false, false},
        {".", false, false, false},
        {"example.org.", false, false, false},
        {".example.org", false, false, false},
        {"a..b", false, false, false},
        {"a-.example", false, false, false},
        {"a.example-", false, false, false},
        {"127.0.0.1", false, false, false},
        {"1.example", true, true, false},
        {"a b", false, false, false},
        {D63 ".example", true, true, false},
        {D63 "d.example", false, false, false},
        {"[192.0.2.1]", false, false, true},
        {"[IPv6:::1]", false, false, true},
        {"[ipv6:::1]", false, false, true},
        {"[::1]", false, false, false},
        {"[192.0.2]", false, false, false},
        {"[", false, false, false},
        {"b\303\274cher.example", true, true, false},
        {"b\374cher.example", false, false, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        HkSpan domain = hk_span_text (cases[i].domain);
        g_assert_cmpint (hk_domain_is_valid (domain, true), ==, cases[i].valid);
        g_assert_cmpint (hk_domain_is_fqdn (domain), ==, cases[i].fqdn);
        g_assert_cmpint (hk_domain_is_literal (domain), ==, cases[i].literal);
    }
    g_assert_false (hk_domain_is_valid (HK_SPAN ("b\303\274cher.example"), false));
    g_assert_false (hk_domain_is_literal (HK_SPAN ("[192.0.2.1\0]")));
}

static void
test_quote (void)
{
    static const char *const cases[][2] = {
        {"user", "user"},       {"a.b", "a.b"}, {"a b", "\"a b\""}, {"a\"b", "\"a\\\"b\""},
        {"a\\b", "\"a\\\\b\""}, {"", "\"\""},   {".a", "\".a\""},   {"a@b", "\"a@b\""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GString) quoted = g_string_new (NULL);
        g_autoptr (GString) raw = g_string_new (NULL);
        hk_local_quote (hk_span_text (cases[i][0]), quoted);
        g_assert_cmpstr (quoted->str, ==, cases[i][1]);
        hk_local_unquote (hk_span_string (quoted), raw);
        g_assert_cmpstr (raw->str, ==, cases[i][0]);
    }
}

static void
gather (HkSpan address, void *data)
{
    GString *all = data;
    if (all->len > 0)
        g_string_append_c (all, '|');
    hk_string_append (all, address);
}

static void
test_list (void)
{
    static const struct {
        const char *text, *addresses; /* NULL: refused */
    } cases[] = {
        {"a@example.org", "a@example.org"},
        {"a@example.org, b@example.org", "a@example.org|b@example.org"},
        {" A B <a@example.org>,\r\n\t\"C, D\" <c@example.org>",
         "a@example.org|c@example.org"},
        {"J. Doe <j@example.org>", "j@example.org"},
        {"J\303\266rg \377 <j@example.org>", "j@example.org"},
        {"=?utf-8?q?x=3D?= <j@example.org>", "j@example.org"},
        {"a@example.org (A (nested \\) B))", "a@example.org"},
        {"root", "root"},
        {"group: a@example.org, B <b@example.org>;, c@example.org",
         "a@example.org|b@example.org|c@example.org"},
        {"undisclosed-recipients:;", ""},
        {"<@r1,@r2:a@example.org>", "a@example.org"},
        {"<>", ""},
        {"", ""},
        {", ,", ""},
        {"\"a b\"@example.org", "\"a b\"@example.org"},
        {"John Doe", "John|Doe"},
        {"a@example.org b@example.org\r\n\t\"c d\"@example.org",
         "a@example.org|b@example.org|\"c d\"@example.org"},
        {"a@example.org (x) b", "a@example.org|b"},
        {"p@example.org <q@example.org>", "q@example.org"},
        {"<a@example.org> <b@example.org>", "a@example.org|b@example.org"},
        {"a@[IPv6:2001:db8::1], b", "a@[IPv6:2001:db8::1]|b"},
        {"a@example.org\"b\"", NULL},
        {"a@example.org>", NULL},
        {"a@", NULL},
        {"user . name @ example . org", "user.name@example.org"},
        {"Long (unfinished <a@example.org>", NULL},
        {"<a@example.org", NULL},
        {"\"unfinished <a@example.org>", NULL},
        {"A <a@example.org> trailing", "a@example.org|trailing"},
        {"a@b@example.org", NULL},
        {"g: h: a@example.org;;", NULL},
        {"((((((((((((((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GString) all = g_string_new (NULL);
        bool good = hk_address_list_parse (hk_span_text (cases[i].text), gather, all);
        if (good != (cases[i].addresses != NULL) ||
            (good && strcmp (all->str, cases[i].addresses) != 0))
            g_error ("%s: %d, %s", cases[i].text, good, all->str);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/mail/address/path", test_path);
    g_test_add_func ("/mail/address/plain-path-borrows", test_plain_path_borrows);
    g_test_add_func ("/mail/address/path-is-stable", test_path_is_stable);
    g_test_add_func ("/mail/address/split", test_split);
    g_test_add_func ("/mail/address/extension", test_extension);
    g_test_add_func ("/mail/address/domain", test_domain);
    g_test_add_func ("/mail/address/quote", test_quote);
    g_test_add_func ("/mail/address/list", test_list);
    return g_test_run ();
}
