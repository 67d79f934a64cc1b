/* test_qmqp.c: packages of QMQP: what is one, what is not, and where that shows, however the
 * bytes arrive. */
#include "config.h"

#include "session/qmqp_parse.h"

typedef struct {
    const char *in;
    HkQmqpProgress progress;
    HkQmqpPart part;
    const char *got; /* message|sender|recipient… */
} Case;

#define OK(text, got) {text, HK_QMQP_END, HK_QMQP_RECIPIENT, got}
#define BAD(text, part) {text, HK_QMQP_BAD, HK_QMQP_##part, NULL}
#define LONG(text, part) {text, HK_QMQP_LONG, HK_QMQP_##part, NULL}
#define MORE(text, part) {text, HK_QMQP_MORE, HK_QMQP_##part, NULL}

static const Case cases[] = {
    OK ("15:3:a\nb,1:s,2:r1,,", "a\nb|s|r1"),
    OK ("13:0:,0:,1:r,0:,,", "||r|"),
    OK ("7:0:,1:s,,", "|s"),
    OK ("21:2:1:,3:a,b,4:2:x,,0:,,more", "1:|a,b|2:x,|"), /* lengths count, not what is inside */
    BAD ("0:,", MESSAGE),
    BAD ("4:1:m,,", SENDER),
    BAD (":,", PACKET),
    BAD ("abc", PACKET),
    BAD ("-5:", PACKET),
    BAD ("12;", PACKET),
    BAD ("007:", PACKET),      /* a leading zero */
    BAD ("4:01:m,", MESSAGE),
    BAD ("5:hello,", MESSAGE),
    BAD ("8:1:m;1:s,,", MESSAGE),
    BAD ("17:30:hello", MESSAGE), /* longer than the whole */
    BAD ("3:1:m,", MESSAGE),      /* ... by its comma */
    BAD ("8:1:m,1:s;,", SENDER),
    BAD ("8:1:m,1:s,;", RECIPIENT),
    BAD ("12:1:m,1:s,junk,", RECIPIENT),
    BAD ("9:1:m,1:s,1,", RECIPIENT), /* digits up to its end */
    LONG ("9999999999999999999:", PACKET),
    LONG ("100:33:", MESSAGE),
    LONG ("100:1:m,9:", SENDER),
    LONG ("100:1:m,1:s,9:", RECIPIENT),
    MORE ("", PACKET),
    MORE ("999999999999999999:", MESSAGE), /* an announcement costs nothing */
    MORE ("100:12:Subject", MESSAGE),
    MORE ("100:1:m,8:12345678", SENDER),
    MORE ("8:1:m,1:s,", RECIPIENT),
};

static void
on_message (HkSpan bytes, void *data)
{
    hk_string_append (data, bytes);
}

static bool
on_address (HkQmqpPart part, HkSpan address, void *data)
{
    g_assert_true (part == HK_QMQP_SENDER || part == HK_QMQP_RECIPIENT);
    g_string_append_c (data, '|');
    hk_string_append (data, address);
    return true;
}

static const HkQmqpFns fns = {on_message, on_address};

static void
check (const Case *c, size_t step)
{
    g_autoptr (GString) got = g_string_new (NULL);
    HkQmqpParser parser = {
        .message_limit = 32, .address_limit = 8, .fns = &fns, .data = got};
    HkQmqpProgress progress = HK_QMQP_MORE;
    HkSpan in = hk_span_text (c->in);
    for (size_t at = 0; at < in.size && progress == HK_QMQP_MORE; at += step)
        progress = hk_qmqp_feed (&parser, hk_span_sub (in, at, step));
    g_test_message ("\"%s\" by %zu", c->in, step);
    g_assert_cmpint (progress, ==, c->progress);
    g_assert_cmpint (parser.part, ==, c->part);
    if (c->got != NULL)
        g_assert_cmpstr (got->str, ==, c->got);
    hk_qmqp_parser_clear (&parser);
}

static void
test_packages (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
        for (size_t step = 1; step < 5; step++)
            check (&cases[i], step == 4 ? 1000 : step);
}

static bool
refuse (HkQmqpPart part, HkSpan address, void *data)
{
    (void) address;
    (void) data;
    return part == HK_QMQP_SENDER;
}

static void
test_refused (void)
{
    static const HkQmqpFns refusing = {on_message, refuse};
    g_autoptr (GString) got = g_string_new (NULL);
    HkQmqpParser parser = {.address_limit = 8, .fns = &refusing, .data = got};
    g_assert_cmpint (hk_qmqp_feed (&parser, HK_SPAN ("12:1:m,1:s,1:r,,")), ==,
                     HK_QMQP_REFUSED);
    hk_qmqp_parser_clear (&parser);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/qmqp/packages", test_packages);
    g_test_add_func ("/qmqp/refused", test_refused);
    return g_test_run ();
}
