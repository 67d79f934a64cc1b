/* test_header.c: walking headers; Date and Received. */
#include "config.h"
#include "base/clock.h"
#include "mail/header.h"

#include <stdlib.h>
#include <time.h>

static void
test_walk (void)
{
    static const struct {
        const char *content, *fields,
            *body; /* fields: name=value| with line ends shown as / */
    } cases[] = {
        {"A: 1\r\nB:2\r\n\r\nbody\r\n", "A= 1|B=2|", "body\r\n"},
        {"A: 1\nB : 2\n\nbody", "A= 1|B= 2|", "body"},
        {"A: 1\r\n 2\r\n\t3\r\nB: x\r\n", "A= 1// 2//\t3|B= x|", ""},
        {"A: 1\r\nnot a header\r\n", "A= 1|", "not a header\r\n"},
        {"\r\nbody", "", "body"},
        {"", "", ""},
        {"A: 1", "A= 1|", ""},
        {"A:\r\n\r\n", "A=|", ""},
        {": x\r\n", "", ": x\r\n"},
        {"A: 1\r\n \r\n\r\nb", "A= 1// |", "b"},
        {"From me\r\nA: 1\r\n", "", "From me\r\nA: 1\r\n"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GString) seen = g_string_new (NULL);
        HkSpan content = hk_span_text (cases[i].content);
        HkHeader header;
        size_t at = 0, whole = 0;
        while (hk_header_next (content, &at, &header)) {
            g_string_append_printf (seen, "%.*s=%.*s|", HK_SPAN_ARG (header.name),
                                    HK_SPAN_ARG (header.value));
            g_assert_true (header.whole.data == content.data + whole);
            whole += header.whole.size;
        }
        for (gsize k = 0; k < seen->len; k++)
            if (seen->str[k] == '\r' || seen->str[k] == '\n')
                seen->str[k] = '/';
        g_assert_cmpstr (seen->str, ==, cases[i].fields);
        g_assert_true (hk_span_is (hk_span_sub (content, at, content.size), cases[i].body));
    }
}

static void
test_find (void)
{
    HkHeader header;
    HkSpan content = HK_SPAN ("To: a\r\nSUBJECT: x\r\nSubject: y\r\n\r\nFrom: z\r\n");
    g_assert_true (hk_header_find (content, "subject", &header));
    g_assert_true (hk_span_is (header.value, " x"));
    g_assert_false (hk_header_find (content, "from", &header));
}

static void
set_zone (const char *zone)
{
    setenv ("TZ", zone, 1);
    tzset ();
}

static void
test_date (void)
{
    static const struct {
        const char *zone;
        int64_t seconds;
        const char *text;
    } cases[] = {
        {"UTC0", 1795640400, "Wed, 25 Nov 2026 21:00:00 +0000 (UTC)"},
        {"CET-1", 1795640400, "Wed, 25 Nov 2026 22:00:00 +0100 (CET)"},
        {"NST3:30", 1795640400, "Wed, 25 Nov 2026 17:30:00 -0330 (NST)"},
        {"UTC0", 0, "Thu, 1 Jan 1970 00:00:00 +0000 (UTC)"},
        {"<a)b>0", 0, "Thu, 1 Jan 1970 00:00:00 +0000"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GString) out = g_string_new (NULL);
        set_zone (cases[i].zone);
        hk_header_append_date (out, cases[i].seconds * HK_SECOND);
        g_assert_true (g_str_has_prefix (out->str, cases[i].text));
    }
    set_zone ("UTC0");
}

static void
test_received (void)
{
    g_autoptr (GString) out = g_string_new (NULL);
    HkReceived received = {.helo = "client.example",
                           .client_name = "mx.example",
                           .client_address = "192.0.2.1",
                           .myhostname = "mail.example.org",
                           .mail_name = "Hikyaku",
                           .with = "ESMTP",
                           .queue_id = "0123456789",
                           .for_recipient = HK_SPAN ("user@example.org"),
                           .arrival_us = 1795640400 * HK_SECOND};
    hk_header_append_received (out, &received);
    g_assert_cmpstr (out->str, ==,
                     "Received: from client.example (mx.example [192.0.2.1])\r\n"
                     "\tby mail.example.org (Hikyaku) with ESMTP id 0123456789\r\n"
                     "\tfor <user@example.org>; Wed, 25 Nov 2026 21:00:00 +0000 (UTC)\r\n");
    g_string_truncate (out, 0);
    received.for_recipient = HK_SPAN_NONE;
    received.helo = "evil)\r\nX: y (";
    received.client_is_ipv6 = true;
    received.client_address = "2001:db8::1";
    received.tls_line = "(using TLSv1.3)";
    received.sasl_line = "(Authenticated sender: a\nb)";
    hk_header_append_received (out, &received);
    g_assert_cmpstr (out->str, ==,
                     "Received: from evil???X:?y?? (mx.example [IPv6:2001:db8::1])\r\n"
                     "\t(using TLSv1.3)\r\n"
                     "\t(Authenticated sender: a?b)\r\n"
                     "\tby mail.example.org (Hikyaku) with ESMTP id 0123456789; "
                     "Wed, 25 Nov 2026 21:00:00 +0000 (UTC)\r\n");
}

static void
test_received_local (void)
{
    g_autoptr (GString) out = g_string_new (NULL);
    HkReceived received = {.myhostname = "mail.example.org",
                           .mail_name = "Hikyaku",
                           .queue_id = "0123456789",
                           .uid = 1000,
                           .arrival_us = 1795640400 * HK_SECOND};
    hk_header_append_received (out, &received);
    g_assert_cmpstr (out->str, ==,
                     "Received: by mail.example.org (Hikyaku, from userid 1000)\r\n"
                     "\tid 0123456789; Wed, 25 Nov 2026 21:00:00 +0000 (UTC)\r\n");
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    set_zone ("UTC0");
    g_test_add_func ("/mail/header/walk", test_walk);
    g_test_add_func ("/mail/header/find", test_find);
    g_test_add_func ("/mail/header/date", test_date);
    g_test_add_func ("/mail/header/received", test_received);
    g_test_add_func ("/mail/header/received-local", test_received_local);
    return g_test_run ();
}
