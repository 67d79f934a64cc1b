/* test_content.c: only <CR><LF>.<CR><LF> ends a message, however the bytes arrive. */
#include "config.h"

#include "session/content.h"

typedef struct {
    const char *in;  /* what the client sends */
    const char *out; /* what the message is */
    int left;        /* bytes behind the end; -1: no end was seen */
} Case;

static void
put (HkSpan bytes, void *data)
{
    hk_string_append (data, bytes);
}

static const Case stuffed[] = {
    {".\r\n", "", 0},
    {"a\r\n.\r\n", "a\r\n", 0},
    {"a\r\nb\r\n.\r\nQUIT\r\n", "a\r\nb\r\n", 6},
    {"..\r\n...x\r\n..a\r\n.b\r\n.\r\n", ".\r\n..x\r\n.a\r\nb\r\n", 0},
    {"a\r\n", "a\r\n", -1},
    /* each form of a false end: SMTP smuggling */
    {"a\n.\nb\r\n.\r\n", "a\r\n\r\nb\r\n", 0},
    {"a\n.\r\nb\r\n.\r\n", "a\r\n\r\nb\r\n", 0},
    {"a\r\n.\nb\r\n.\r\n", "a\r\n\r\nb\r\n", 0},
    {"a\r.\rb\r\n.\r\n", "a . b\r\n", 0},
    {"a\r.\r\nb\r\n.\r\n", "a .\r\nb\r\n", 0},
    {"a\r\n.\rb\r\n.\r\n", "a\r\n b\r\n", 0},
    {"a\n.\rb\r\n.\r\n", "a\r\n b\r\n", 0},
    {"a\r.\nb\r\n.\r\n", "a .\r\nb\r\n", 0},
    {"a\r\r\n.\r\r\nb\r\n.\r\n", "a \r\n \r\nb\r\n", 0},
    {"a\r\n.\r\r\nb\r\n.\r\n", "a\r\n \r\nb\r\n", 0},
    /* bare CR: at the end of a line, in a row, alone */
    {"a\r\r\rb\r\n.\r\n", "a   b\r\n", 0},
    {"\r\n\r\n.\r\n", "\r\n\r\n", 0},
    {"\n\n.\r\n", "\r\n\r\n\r\n", -1},
    {"a\rX-Injected: yes\r\n.\r\n", "a X-Injected: yes\r\n", 0},
};

static const Case chunked[] = {
    {"a\r\n.\r\n..b\r\n", "a\r\n.\r\n..b\r\n", 0},
    {"a\n.\nb", "a\r\n.\r\nb\r\n", 0},
    {"a\rb\r", "a b \r\n", 0},
    {"", "", 0},
    {".", ".\r\n", 0},
};

/* Feed IN in pieces of STEP bytes. */
static size_t
feed (HkContent *content, const char *in, size_t size, size_t step, GString *out)
{
    size_t taken = 0;
    while (taken < size && !content->is_complete) {
        HkSpan piece = hk_span (in + taken, MIN (step, size - taken));
        size_t n = hk_content_feed (content, piece, put, out);
        taken += n;
        if (n < piece.size)
            break;
    }
    return taken;
}

static void
test_stuffed (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (stuffed); i++) {
        const Case *c = &stuffed[i];
        size_t size = strlen (c->in);
        for (size_t step = 1; step <= size; step++) {
            g_autoptr (GString) out = g_string_new (NULL);
            HkContent content;
            hk_content_begin (&content, true);
            size_t taken = feed (&content, c->in, size, step, out);
            g_test_message ("case %zu, step %zu", i, step);
            g_assert_cmpint (content.is_complete, ==, c->left >= 0);
            g_assert_cmpstr (out->str, ==, c->out);
            if (c->left >= 0)
                g_assert_cmpuint (size - taken, ==, (size_t) c->left);
        }
    }
}

static void
test_chunked (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (chunked); i++) {
        const Case *c = &chunked[i];
        size_t size = strlen (c->in);
        for (size_t step = 1; step <= size + 1; step++) {
            g_autoptr (GString) out = g_string_new (NULL);
            HkContent content;
            hk_content_begin (&content, false);
            feed (&content, c->in, size, step, out);
            g_assert_false (content.is_complete);
            hk_content_end (&content, put, out);
            g_assert_cmpstr (out->str, ==, c->out);
        }
    }
}

/* NUL is content as any other byte. */
static void
test_nul (void)
{
    static const char in[] = "x\r\n\0.\r\n.\0\r\nq\r\n.\r\n";
    static const char want[] = "x\r\n\0.\r\n\0\r\nq\r\n";
    g_autoptr (GString) out = g_string_new (NULL);
    HkContent content;
    hk_content_begin (&content, true);
    feed (&content, in, sizeof in - 1, sizeof in, out);
    g_assert_true (content.is_complete);
    g_assert_cmpmem (out->str, out->len, want, sizeof want - 1);
}

/* Many lines at once come out the same as byte by byte. */
static void
test_long (void)
{
    g_autoptr (GString) in = g_string_new (NULL);
    g_autoptr (GString) want = g_string_new (NULL);
    for (unsigned i = 0; i < 3000; i++) {
        g_autofree char *line = g_strnfill (i % 97, 'x');
        bool dot = i % 13 == 0;
        g_string_append_printf (in, "%s%s\r\n", dot ? ".." : "", line);
        g_string_append_printf (want, "%s%s\r\n", dot ? "." : "", line);
    }
    g_string_append (in, ".\r\n");
    for (size_t step = 1; step < 9000; step = step * 3 + 1) {
        g_autoptr (GString) out = g_string_new (NULL);
        HkContent content;
        hk_content_begin (&content, true);
        feed (&content, in->str, in->len, step, out);
        g_assert_true (content.is_complete);
        g_assert_false (content.has_bare_lf || content.has_bare_cr);
        g_assert_cmpstr (out->str, ==, want->str);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/session/content/stuffed", test_stuffed);
    g_test_add_func ("/session/content/chunked", test_chunked);
    g_test_add_func ("/session/content/nul", test_nul);
    g_test_add_func ("/session/content/long", test_long);
    return g_test_run ();
}
