/* test_proxy.c: PROXY protocol headers, whole, in pieces, and wrong ones. */
#include "config.h"

#include "net/proxy.h"

#include "base/crc32c.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define IPV4 "\300\0\2\1\300\0\2\2\3\350\0\31"

typedef struct {
    const char *input;
    size_t size;
    const char *want; /* "client:port server:port", "local", "more", or the error */
} Row;
#define ROW(input, want) {input, sizeof (input) - 1, want}

static const Row rows[] = {
    ROW ("PROXY TCP4 192.0.2.1 192.0.2.2 1000 25\r\nEHLO",
         "192.0.2.1:1000 192.0.2.2:25"),
    ROW ("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n",
         "2001:db8::1:1 2001:db8::2:65535"),
    ROW ("PROXY UNKNOWN\r\n", "local"),
    ROW ("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "local"),
    ROW ("", "more"),
    ROW ("P", "more"),
    ROW ("PROXY TCP4 192.0.2.1", "more"),
    /* somebody who knows nothing of it */
    ROW ("EHLO foo\r\n", "short protocol header"),
    ROW ("PROXY \r\n", "short protocol header"),
    ROW ("PROXY TCP4 192.0.2.1 192.0.2.2 1000 25\n", "missing protocol header terminator"),
    ROW ("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n", "bad or missing protocol type"),
    ROW ("PROXY TCP4 1.2.3 192.0.2.2 1 2\r\n", "bad or missing client address"),
    ROW ("PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n", "bad or missing client address"),
    ROW ("PROXY TCP4 192.0.2.1\r\n", "bad or missing server address"),
    ROW ("PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n", "bad or missing client port"),
    ROW ("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", "bad or missing server port"),
    ROW ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", "bad or missing server port"),
    ROW (V2 "\x21\x11\0\14" IPV4, "192.0.2.1:1000 192.0.2.2:25"),
    ROW (V2 "\x21\x11\0\20" IPV4 "\4\0\1x", "192.0.2.1:1000 192.0.2.2:25"),
    ROW (V2 "\x20\x11\0\14" IPV4, "local"),
    ROW (V2 "\x20\0\0\0", "local"),
    ROW (V2 "\x21\0\0\0", "local"),
    ROW (V2, "more"),
    ROW (V2 "\x21\x11\0\14" "\300\0", "more"),
    ROW ("\r\n\r\nQUIT", "bad or missing signature"),
    ROW (V2 "\x31\x11\0\14" IPV4, "unrecognized protocol version"),
    ROW (V2 "\x22\x11\0\14" IPV4, "bad command in proxy header"),
    ROW (V2 "\x21\x12\0\14" IPV4, "unsupported network protocol"),
    ROW (V2 "\x21\x11\0\6" IPV4, "short address field"),
    ROW (V2 "\x21\x21\0\14" IPV4, "short address field"),
    ROW (V2 "\x21\x11\xff\xff", "protocol header too long"),
    ROW (V2 "\x21\x11\0\16" IPV4 "\4\0", "short extension"),
    ROW (V2 "\x21\x11\0\20" IPV4 "\4\0\2x", "short extension"),
    ROW (V2 "\x21\x11\0\23" IPV4 "\3\0\4abcd", "bad checksum"),
    ROW (V2 "\x21\x11\0\20" IPV4 "\3\0\1a", "bad checksum"),
};

static char *
describe (HkProxyProgress progress, const HkProxyHeader *header)
{
    char client[64], server[64];
    if (progress == HK_PROXY_MORE)
        return g_strdup ("more");
    if (progress == HK_PROXY_BAD)
        return g_strdup (header->error);
    if (!header->has_addresses)
        return g_strdup ("local");
    hk_address_text (&header->client, client);
    hk_address_text (&header->server, server);
    return g_strdup_printf ("%s:%u %s:%u", client, hk_address_port (&header->client),
                            server, hk_address_port (&header->server));
}

static void
test_rows (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        HkProxyHeader header;
        HkProxyProgress progress =
            hk_proxy_parse (hk_span (rows[i].input, rows[i].size), &header);
        g_autofree char *got = describe (progress, &header);
        g_test_message ("row %zu", i);
        g_assert_cmpstr (got, ==, rows[i].want);
        g_assert_true (header.size <= rows[i].size);
    }
}

/* Every true beginning asks for more and never for what stands behind the header. */
static void
test_pieces (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        HkProxyHeader whole, part;
        HkSpan input = hk_span (rows[i].input, rows[i].size);
        if (hk_proxy_parse (input, &whole) != HK_PROXY_DONE)
            continue;
        for (size_t n = 0; n < whole.size; n++)
            g_assert_cmpint (hk_proxy_parse (hk_span_sub (input, 0, n), &part), ==,
                             HK_PROXY_MORE);
    }
}

static void
test_checksum (void)
{
    uint8_t header[] = V2 "\x21\x11\0\23" IPV4 "\3\0\4\0\0\0\0";
    HkProxyHeader out;
    size_t size = sizeof header - 1;
    uint32_t sum = hk_crc32c (0, header, size);
    for (unsigned i = 0; i < 4; i++)
        header[size - 4 + i] = (uint8_t) (sum >> (24 - 8 * i));
    g_assert_cmpint (hk_proxy_parse (hk_span (header, size), &out), ==, HK_PROXY_DONE);
    g_assert_true (out.has_addresses);
    header[16]++;
    g_assert_cmpint (hk_proxy_parse (hk_span (header, size), &out), ==, HK_PROXY_BAD);
}

/* A line without end is given up at 107 bytes. */
static void
test_endless_line (void)
{
    g_autoptr (GString) line = g_string_new ("PROXY UNKNOWN ");
    HkProxyHeader out;
    while (line->len < 106)
        g_string_append_c (line, 'x');
    g_assert_cmpint (hk_proxy_parse (hk_span_string (line), &out), ==, HK_PROXY_MORE);
    g_string_append_c (line, 'x');
    g_assert_cmpint (hk_proxy_parse (hk_span_string (line), &out), ==, HK_PROXY_BAD);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/net/proxy/rows", test_rows);
    g_test_add_func ("/net/proxy/pieces", test_pieces);
    g_test_add_func ("/net/proxy/checksum", test_checksum);
    g_test_add_func ("/net/proxy/endless-line", test_endless_line);
    return g_test_run ();
}
