/* test_expand.c: $-expansion; the answers are those of Postfix's postconf -x. */
#include "config.h"

#include "conf/conf_priv.h"

static const char *
look_up (void *data, const char *name)
{
    static const char *const table[][2] = {
        {"a", ""},           {"b", "text"},
        {"c", "$a"},         {"five", "5"},
        {"loop1", "$loop2"}, {"loop2", "x${loop3}"},
        {"loop3", "$loop1"}, {"self", "$self"},
        {"level", "3.6"},    {"deep", "${b?{$c}}[$b]"},
    };
    (void) data;
    for (size_t i = 0; i < G_N_ELEMENTS (table); i++)
        if (strcmp (table[i][0], name) == 0)
            return table[i][1];
    return NULL;
}

static void
note_undefined (void *data, const char *name)
{
    g_string_append_printf (data, "%s ", name);
}

static const struct {
    const char *text, *expected; /* NULL: an error */
    const char *message;         /* a part of it */
} cases[] = {
    {"plain", "plain", NULL},
    {"", "", NULL},
    {"${a?set}${a:unset}", "unset", NULL},
    {"${b?set}${b:unset}", "set", NULL},
    {"${c?set}${c:unset}", "set", NULL}, /* the test is on the text as written */
    {"[${b?{ x }}]", "[ x ]", NULL},     /* blanks inside braces stay */
    {"[${b? x }]", "[ x ]", NULL},
    {"${b?{yes}:no}", "yes", NULL},
    {"${a?{yes}:no}", "no", NULL},
    {"${a?yes:no}", "", NULL}, /* without braces the colon is text */
    {"${b?yes:no}", "yes:no", NULL},
    {"${b?x:y:z}", "x:y:z", NULL},
    {"${b ?{a}}", "a", NULL},
    {"${ b }", "text", NULL},
    {"${b?{yes} : {no}}", "yes", NULL},
    {"${b:{no}}", "", NULL},
    {"${a:{no}}", "no", NULL},
    {"${b?}${b:}", "", NULL},
    {"${{$b} == {text} ? {x} : {y}}", "x", NULL},
    {"${{9} < {10}?{num}:{str}}", "num", NULL},
    {"${{a9} < {a10}?{num}:{str}}", "str", NULL},
    {"${{9} >= {09}?{ge}:{lt}}", "ge", NULL},
    {"${{$b} == {text}}", "true", NULL},
    {"${{$b} != {text}}", "", NULL},
    {"${{99999999999999999999} > {2}?{n}:{s}}", "n", NULL}, /* longer than any integer */
    {"${{a} <= {b}}${{a} > {b}}${{a} >= {a}}", "truetrue", NULL},
    {"${{ a b } == {a b} ? {yes} : {no}}", "no", NULL}, /* operands are not stripped */
    {"${{} == {} ? {yes} : {no}}", "yes", NULL},
    {"${{x}=={x}?{1}:{2}}", "1", NULL},
    {"${{$b} == {text} : {falsetext}}", "", NULL},
    {"${{a}=={b}?{yes}:no }", "no ", NULL},
    {"${{{a} b} == {{a} b}?{1}:{2}}", "1", NULL},
    {"${{$level} <level {1} ? {yes} : {no}}", "no", NULL},
    {"${{3.10} <level {3.9} ? {yes} : {no}}", "no", NULL},
    {"${{3.6.1} ==level {3.6}}", "", NULL},
    {"${{3} >level {2.99}}", "true", NULL},
    {"${{3.6} !=level {3.6.0}}", "", NULL},
    {"$$b and $${b}", "$b and ${b}", NULL},
    {"$$$b$$", "$text$", NULL},
    {"$(b) ${b} $b", "text text text", NULL},
    {"$(b?{x}:{y})", "x", NULL},
    {"$(b?(x))", "(x)", NULL},
    {"$b-$b.x$b", "text-text.xtext", NULL},
    {"${nothing}x$nothing", "x", NULL},
    {"${nothing:none}", "none", NULL},
    {"${a?{x${b}}:{z${b?{q}:{r}}}}", "zq", NULL},
    {"x ${a:${b:1}${b?2}} }", "x 2 }", NULL},
    {"${b?a{b}c}", "a{b}c", NULL},
    {"$deep", "[text]", NULL},
    {"$", NULL, "missing name"},
    {"a$ b", NULL, "missing name"},
    {"a$-b", NULL, "missing name"},
    {"${}", NULL, "missing name"},
    {"$\xc3\xa9", NULL, "missing name"},
    {"${b", NULL, "missing closing brace"},
    {"$(b", NULL, "missing closing brace"},
    {"$(b?{)})", NULL, "missing '}'"},
    {"${b=y}", NULL, "unexpected text"},
    {"${b-c}", NULL, "unexpected text"},
    {"${b)}", NULL, "unexpected text"},
    {"${b?{x} zz}", NULL, "':' expected"},
    {"${b?{a}{b}}", NULL, "':' expected"},
    {"${b?{x}:{y}:{z}}", NULL, "unexpected text"},
    {"${{a} = {b}?{1}:{2}}", NULL, "expected"},
    {"${{a} == b?{1}:{2}}", NULL, "\"{text}\" expected"},
    {"${{a}?{1}:{2}}", NULL, "expected"},
    {"${{3} <level {x}?{1}:{2}}", NULL, "compatibility level"},
    {"$self", NULL, "$self -> $self"},
    {"$loop1", NULL, "$loop1 -> $loop2 -> $loop3 -> $loop1"},
    {"$loop2", NULL, "$loop2 -> $loop3 -> $loop1 -> $loop2"},
};

static void
test_cases (void)
{
    const HkConfNames names = {look_up, NULL, NULL};
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GString) out = g_string_new ("+");
        g_autoptr (GError) error = NULL;
        bool ok = hk_conf_expand (&names, hk_span_text (cases[i].text), out, &error);
        g_test_message ("%s", cases[i].text);
        if (cases[i].expected != NULL) {
            g_assert_no_error (error);
            g_assert_true (ok);
            g_assert_cmpstr (out->str + 1, ==, cases[i].expected);
        } else {
            bool is_loop = strstr (cases[i].message, " -> ") != NULL;
            int code = is_loop ? HK_CONF_ERROR_VALUE : HK_CONF_ERROR_SYNTAX;
            g_assert_error (error, HK_CONF_ERROR, code);
            g_assert_false (ok);
            g_assert_nonnull (strstr (error->message, cases[i].message));
            g_assert_cmpstr (out->str, ==, "+"); /* untouched */
        }
    }
}

static void
test_undefined (void)
{
    g_autoptr (GString) seen = g_string_new (NULL);
    g_autoptr (GString) out = g_string_new (NULL);
    const HkConfNames names = {look_up, note_undefined, seen};
    g_assert_true (
        hk_conf_expand (&names, HK_SPAN ("$b$no ${not:x} ${b:$never}"), out, NULL));
    g_assert_cmpstr (out->str, ==, "text x ");
    g_assert_cmpstr (seen->str, ==, "no not ");
}

/* Each name refers twice to the next: 2^60 references without a bound. */
static const char *
look_up_double (void *data, const char *name)
{
    static char text[64];
    int n = atoi (name + 1);
    (void) data;
    if (n >= 60)
        return "";
    g_snprintf (text, sizeof text, "$x%d$x%d", n + 1, n + 1);
    return g_intern_string (text);
}

static void
test_bounds (void)
{
    const HkConfNames names = {look_up_double, NULL, NULL};
    g_autoptr (GString) out = g_string_new (NULL);
    g_autoptr (GError) error = NULL;
    g_assert_false (hk_conf_expand (&names, HK_SPAN ("$x1"), out, &error));
    g_assert_error (error, HK_CONF_ERROR, HK_CONF_ERROR_SYNTAX);
    g_clear_error (&error);
    g_autoptr (GString) nested = g_string_new (NULL);
    for (int i = 0; i < 5000; i++)
        g_string_append (nested, "${b?");
    for (int i = 0; i < 5000; i++)
        g_string_append_c (nested, '}');
    const HkConfNames plain = {look_up, NULL, NULL};
    g_assert_false (hk_conf_expand (&plain, hk_span_string (nested), out, &error));
    g_assert_error (error, HK_CONF_ERROR, HK_CONF_ERROR_SYNTAX);
}

static void
add_name (HkSpan name, void *data)
{
    g_string_append_printf (data, "%.*s ", HK_SPAN_ARG (name));
}

static void
test_references (void)
{
    g_autoptr (GString) out = g_string_new (NULL);
    hk_conf_references (HK_SPAN ("$a ${b?{$c}} $(d) $$e ${{$f} == {g}} $ ${"), add_name,
                        out);
    g_assert_cmpstr (out->str, ==, "a b c d f ");
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/conf/expand/cases", test_cases);
    g_test_add_func ("/conf/expand/undefined", test_undefined);
    g_test_add_func ("/conf/expand/bounds", test_bounds);
    g_test_add_func ("/conf/expand/references", test_references);
    return g_test_run ();
}
