/* test_verp.c: delimiters, and the addresses that are made with them. */
#include "config.h"
#include "mail/verp.h"

static void
test_parse (void)
{
    static const struct {
        HkSpan text;
        const char *allowed;
        bool is_good;
    } cases[] = {
        {HK_SPAN ("+="), "-=+", true},  {HK_SPAN ("=="), "-=+", true},
        {HK_SPAN ("-="), "-=+", true},  {HK_SPAN ("+"), "-=+", false},
        {HK_SPAN ("+=="), "-=+", false}, {HK_SPAN (""), "-=+", false},
        {HK_SPAN ("ab"), "-=+", false}, {HK_SPAN ("+@"), "-=+", false},
        {HK_SPAN ("\0\0"), "-=+", false}, {HK_SPAN ("+="), "", false},
        {HK_SPAN_NONE, "-=+", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        char out[3] = "??";
        g_assert_cmpint (hk_verp_parse (cases[i].text, cases[i].allowed, out), ==,
                         cases[i].is_good);
        if (cases[i].is_good)
            g_assert_true (hk_span_is (cases[i].text, out));
    }
}

static void
test_sender (void)
{
    static const struct {
        const char *sender, *recipient, *delimiters, *expected;
    } cases[] = {
        {"owner-list@origin", "user@domain", "+=", "owner-list+user=domain@origin"},
        {"owner-list@origin", "user@domain", "-=", "owner-list-user=domain@origin"},
        {"owner-list@origin", "user", "+=", "owner-list+user@origin"},
        {"owner-list", "user@domain", "+=", "owner-list+user=domain"},
        {"a@b", "\"x@y\"@domain", "+=", "a+\"x@y\"=domain@b"}, /* the last @ parts */
        {"a@b", "u+ext@domain", "+=", "a+u+ext=domain@b"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GString) out = g_string_new (NULL);
        hk_verp_append_sender (out, hk_span_text (cases[i].sender),
                               hk_span_text (cases[i].recipient), cases[i].delimiters);
        g_assert_cmpstr (out->str, ==, cases[i].expected);
    }
}

static void
test_qmqp (void)
{
    static const struct {
        const char *address, *sender, *delimiters; /* NULL: no VERP */
    } cases[] = {
        {"list-@your.domain-@[]", "list@your.domain", "-="},
        {"list+@d-@[]", "list@d", "+="},
        {"ab@d-@[]", "a@d", "b="}, /* the filter has the last word */
        {"list-@your.domain", NULL, NULL},
        {"-@d-@[]", NULL, NULL},
        {"list-@-@[]", NULL, NULL},
        {"list--@[]", NULL, NULL},
        {"-@[]", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GString) sender = g_string_new (NULL);
        char delimiters[3] = "";
        g_test_message ("%s", cases[i].address);
        g_assert_cmpint (
            hk_verp_from_qmqp (hk_span_text (cases[i].address), sender, delimiters), ==,
            cases[i].sender != NULL);
        if (cases[i].sender == NULL)
            continue;
        g_assert_cmpstr (sender->str, ==, cases[i].sender);
        g_assert_cmpstr (delimiters, ==, cases[i].delimiters);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/verp/parse", test_parse);
    g_test_add_func ("/verp/sender", test_sender);
    g_test_add_func ("/verp/qmqp", test_qmqp);
    return g_test_run ();
}
