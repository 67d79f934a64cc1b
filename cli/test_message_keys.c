/* test_message_keys.c: which lines of a message are headers, and which are its body. */
#include "config.h"

#include "cli/message_keys.h"

#include <string.h>

typedef struct {
    const char *title, *text;
    bool parses_mime;
    const char *expect; /* each key with "H " or "B " in front and "|" behind */
} Case;

static const Case cases[] = {
    {"headers", "A: b\n c\nD : e\n\nx\n", false, "H A: b\n c|H D: e|B |B x|"},
    {"no-empty-line", "A: b\nno header\nC: d\n", false, "H A: b|B |B no header|B C: d|"},
    {"no-header", " lead\nA: b\n", false, "B |B  lead|B A: b|"},
    {"headers-only", "A: b", false, "H A: b|"},
    {"nothing", "", true, ""},
    {"parts-unasked", "Content-Type: multipart/x; boundary=y\n\n--y\nA: b\n", false,
     "H Content-Type: multipart/x; boundary=y|B |B --y|B A: b|"},
    {"parts",
     "Content-Type: multipart/x; (c \\) d)\n boundary=\"a b\"\n\n--a b\nA: b\n\nt\n"
     "--a b--\nC: d\n",
     true,
     "H Content-Type: multipart/x; (c \\) d)\n boundary=\"a b\"|B |B --a b|H A: b|B |B t|"
     "B --a b--|B C: d|"},
    {"no-empty-line-in-part",
     "Content-Type: multipart/x; boundary=y\n\n--y\nA: b\nz\n--y\nC: d\n", true,
     "H Content-Type: multipart/x; boundary=y|B |B --y|H A: b|B z|B --y|H C: d|"},
    {"attached", "Content-Type: message/rfc822\n\nA: b\n\nx\n", true,
     "H Content-Type: message/rfc822|B |H A: b|B |B x|"},
    {"partial", "Content-Type: message/partial\n\nA: b\n", true,
     "H Content-Type: message/partial|B |B A: b|"},
    {"digest", "Content-Type: multipart/digest; boundary=y\n\n--y\n\nA: b\n\nx\n", true,
     "H Content-Type: multipart/digest; boundary=y|B |B --y|B |H A: b|B |B x|"},
    /* A boundary is a prefix (as cleanup(8) has it), and the outer one ends the inner one.
     */
    {"prefix", "Content-Type: multipart/x; boundary=y\n\n--y more\nA: b\n", true,
     "H Content-Type: multipart/x; boundary=y|B |B --y more|H A: b|"},
    {"outer-ends-inner",
     "Content-Type: multipart/x; boundary=o\n\n--o\nContent-Type: multipart/x; "
     "boundary=i\n\n"
     "--o\nA: b\n\n--i\nC: d\n",
     true,
     "H Content-Type: multipart/x; boundary=o|B |B --o|"
     "H Content-Type: multipart/x; boundary=i|B |B --o|H A: b|B |B --i|B C: d|"},
    {"empty-boundary", "Content-Type: multipart/x; boundary=\"\"\n\n--\nA: b\n", true,
     "H Content-Type: multipart/x; boundary=\"\"|B |B --|B A: b|"},
    {"open-quote", "Content-Type: multipart/x; boundary=\"y\n\n--y\nA: b\n", true,
     "H Content-Type: multipart/x; boundary=\"y|B |B --y|H A: b|"},
    {"open-comment", "Content-Type: (((multipart/x; boundary=y\n\n--y\nA: b\n", true,
     "H Content-Type: (((multipart/x; boundary=y|B |B --y|B A: b|"},
};

static void
append_key (HkSpan key, bool is_header, void *data)
{
    GString *out = data;
    g_string_append (out, is_header ? "H " : "B ");
    hk_string_append (out, key);
    g_string_append_c (out, '|');
}

static void
feed (HkMessageKeys *keys, const char *text)
{
    HkSpan rest = hk_span_text (text);
    while (rest.size > 0) {
        size_t end = hk_span_find (rest, '\n', 0);
        hk_message_keys_line (keys, hk_span_sub (rest, 0, end));
        rest = hk_span_sub (rest, end + 1, SIZE_MAX);
    }
    hk_message_keys_end (keys);
}

static void
test_case (gconstpointer data)
{
    const Case *c = data;
    g_autoptr (GString) out = g_string_new (NULL);
    feed (hk_message_keys_new (c->parses_mime, append_key, out), c->text);
    g_assert_cmpstr (out->str, ==, c->expect);
}

/* Neither the length of a header nor the depth of parts is the writer's choice. */
static void
test_bounds (void)
{
    g_autoptr (GString) out = g_string_new (NULL), text = g_string_new ("A: b\n");
    for (unsigned i = 0; i < 20000; i++)
        g_string_append (text, " and on and on\n");
    feed (hk_message_keys_new (true, append_key, out), text->str);
    g_assert_cmpuint (out->len, <, 110 * 1024);
    g_assert_cmpuint (out->len, >, 90 * 1024);

    g_string_assign (text, "Content-Type: multipart/x; boundary=b000\n\n");
    for (unsigned i = 0; i < 300; i++)
        g_string_append_printf (
            text, "--b%03u\nContent-Type: multipart/x; boundary=b%03u\n\n", i, i + 1);
    g_string_append (text, "--b250\nA: b\n");
    g_string_truncate (out, 0);
    feed (hk_message_keys_new (true, append_key, out), text->str);
    g_assert_nonnull (strstr (out->str, "B A: b|"));
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree char *path = g_strconcat ("/cli/message_keys/", cases[i].title, NULL);
        g_test_add_data_func (path, &cases[i], test_case);
    }
    g_test_add_func ("/cli/message_keys/bounds", test_bounds);
    return g_test_run ();
}
