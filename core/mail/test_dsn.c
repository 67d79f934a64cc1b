/* test_dsn.c: what notifications look like, and that foreign text stays in its place. */
#include "config.h"
#include "base/clock.h"
#include "mail/dsn.h"
#include "mail/header.h"

#include <stdlib.h>
#include <time.h>

#define NOW (1795640400 * HK_SECOND)

static HkDsnRecipient
sample_recipient (void)
{
    return (HkDsnRecipient){.address = HK_SPAN ("b@example.net"),
                            .original = HK_SPAN ("alias@example.org"),
                            .orcpt = HK_SPAN ("rfc822;orig@example.org"),
                            .action = "failed",
                            .dsn = HK_SPAN ("5.1.1"),
                            .text = HK_SPAN ("host mx[192.0.2.1] said: 550 5.1.1 unknown"),
                            .diagnostic = HK_SPAN ("550 5.1.1 unknown"),
                            .remote_mta = HK_SPAN ("mx.example.net")};
}

static HkDsn
sample (const HkDsnRecipient *recipient)
{
    return (HkDsn){.kind = HK_DSN_FAILURE,
                   .myhostname = "mail.example.org",
                   .mail_name = "Hikyaku",
                   .to = HK_SPAN ("s@example.org"),
                   .original_sender = HK_SPAN ("s@example.org"),
                   .envid = HK_SPAN ("env id"),
                   .queue_id = 0x123456789a,
                   .notice_id = 0x123456789b,
                   .arrival_us = NOW - 3600 * HK_SECOND,
                   .now_us = NOW,
                   .lifetime_s = 5 * 86400,
                   .delay_warning_s = 4 * 3600,
                   .recipients = recipient,
                   .n_recipients = 1,
                   .headers = HK_SPAN ("Subject: x\r\nTo: b@example.net\r\n"),
                   .body = HK_SPAN ("Hello.\r\n"),
                   .size_limit = 50000};
}

static void
test_failure (void)
{
    HkDsnRecipient recipient = sample_recipient ();
    HkDsn dsn = sample (&recipient);
    g_autoptr (GString) out = hk_dsn_compose (&dsn);
    static const char *const wanted[] = {
        "Received: by mail.example.org (Hikyaku)\r\n\tid 123456789B; Wed, 25 Nov 2026 "
        "21:00:00",
        "\r\nFrom: MAILER-DAEMON@mail.example.org (Mail Delivery System)\r\n",
        "\r\nTo: s@example.org\r\n",
        "\r\nAuto-Submitted: auto-replied\r\n",
        "\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"",
        "\r\n<b@example.net> (expanded from <alias@example.org>): host mx[192.0.2.1]\r\n   "
        " said:",
        "\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; "
        "mail.example.org\r\n"
        "Original-Envelope-Id: env id\r\nX-Hikyaku-Queue-ID: 123456789A\r\n"
        "X-Hikyaku-Sender: rfc822; s@example.org\r\n"
        "Arrival-Date: Wed, 25 Nov 2026 20:00:00 +0000 (UTC)\r\n\r\n"
        "Final-Recipient: rfc822; b@example.net\r\n"
        "Original-Recipient: rfc822; orig@example.org\r\nAction: failed\r\nStatus: "
        "5.1.1\r\n"
        "Remote-MTA: dns; mx.example.net\r\nDiagnostic-Code: smtp; 550 5.1.1 unknown\r\n",
        "\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\nTo: "
        "b@example.net\r\n\r\nHello.\r\n",
    };
    for (size_t i = 0; i < G_N_ELEMENTS (wanted); i++)
        if (strstr (out->str, wanted[i]) == NULL)
            g_error ("no %s in\n%s", wanted[i], out->str);
    g_assert_null (strstr (out->str, "Transfer-Encoding"));
}

static void
test_delay (void)
{
    HkDsnRecipient recipient = {.address = HK_SPAN ("b@example.net"),
                                .action = "delayed",
                                .dsn = HK_SPAN ("4.4.1"),
                                .text = HK_SPAN ("connect: refused"),
                                .will_retry_until_us = NOW + 86400 * HK_SECOND};
    HkDsn dsn = sample (&recipient);
    dsn.kind = HK_DSN_DELAY;
    dsn.body = HK_SPAN_NONE;
    g_autoptr (GString) out = hk_dsn_compose (&dsn);
    g_assert_nonnull (strstr (out->str, "\r\n4 hours.  Delivery will be tried until"));
    g_assert_nonnull (
        strstr (out->str, "\r\nDiagnostic-Code: X-Hikyaku; connect: refused\r\n"));
    g_assert_nonnull (strstr (out->str, "\r\nWill-Retry-Until: Thu, 26 Nov 2026 21:00:00"));
    g_assert_nonnull (
        strstr (out->str, "\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n"));
    g_assert_null (strstr (out->str, "Hello"));
}

/* Line breaks in reasons, addresses, ids: no line of the result begins with what they hold.
 */
static void
test_hostile_text (void)
{
    HkDsnRecipient recipient = sample_recipient ();
    recipient.text = recipient.diagnostic =
        HK_SPAN ("550 x\r\nBcc: evil@example.net\r\n\r\n--b");
    recipient.address = HK_SPAN ("\"a\nBcc: evil\"@example.net");
    recipient.orcpt = HK_SPAN ("x\r\nBcc: evil;y\r\nBcc: evil");
    recipient.remote_mta = HK_SPAN ("mx\nBcc: evil");
    HkDsn dsn = sample (&recipient);
    dsn.to = HK_SPAN ("s@example.org\r\nBcc: evil@example.net");
    dsn.envid = HK_SPAN ("a\n\rBcc: evil");
    g_autoptr (GString) out = hk_dsn_compose (&dsn);
    g_assert_null (strstr (out->str, "\nBcc:"));
    g_assert_null (strstr (out->str, "\rBcc:"));
}

static char *
boundary_of (const GString *out)
{
    const char *begin = strstr (out->str, "boundary=\"") + 10;
    return g_strndup (begin, strcspn (begin, "\""));
}

static unsigned
count (const GString *out, const char *text)
{
    unsigned n = 0;
    for (const char *p = out->str; (p = strstr (p, text)) != NULL; p++)
        n++;
    return n;
}

static void
test_boundary (void)
{
    HkDsnRecipient recipient = sample_recipient ();
    HkDsn dsn = sample (&recipient);
    g_autoptr (GString) first = hk_dsn_compose (&dsn);
    g_autofree char *boundary = boundary_of (first);
    g_assert_cmpuint (strlen (boundary), <=, 70);
    g_assert_cmpuint (count (first, boundary), ==, 5);
    /* a message that holds it gets another one */
    g_autofree char *body = g_strdup_printf ("--%s--\r\n", boundary);
    dsn.body = hk_span_text (body);
    g_autoptr (GString) second = hk_dsn_compose (&dsn);
    g_autofree char *other = boundary_of (second);
    g_assert_cmpstr (other, !=, boundary);
    g_assert_cmpuint (count (second, other), ==, 5);
}

static void
assert_lines (const GString *out)
{
    for (const char *line = out->str; *line != '\0';) {
        const char *lf = strchr (line, '\n');
        g_assert_nonnull (lf);
        g_assert_true (lf > line && lf[-1] == '\r');
        g_assert_cmpint (lf - line - 1, <=, 998);
        g_assert_null (memchr (line, '\r', (size_t) (lf - line) - 1));
        line = lf + 1;
    }
    g_assert_cmpuint (strlen (out->str), ==, out->len); /* no NUL */
}

static void
test_lines (void)
{
    g_autofree char *words = g_strnfill (5000, 'w');
    g_autofree char *high = g_malloc0 (5001);
    memset (high, 0xc3, 5000);
    HkDsnRecipient recipient = sample_recipient ();
    HkDsn dsn = sample (&recipient);
    const char *const texts[] = {words, high};
    for (size_t i = 0; i < 4; i++) {
        HkSpan text = hk_span_text (texts[i % 2]);
        dsn.smtputf8 = i >= 2;
        recipient.text = recipient.diagnostic = recipient.address = dsn.body = text;
        g_autofree char *headers = g_strdup_printf ("X: %s\nY: a\rb\n", texts[i % 2]);
        dsn.headers = hk_span_text (headers);
        g_autoptr (GString) out = hk_dsn_compose (&dsn);
        assert_lines (out);
    }
    dsn.headers = HK_SPAN ("A: b\r\n");
    dsn.body = HK_SPAN ("a\0b\rc\nd\r\n\r\n");
    g_autoptr (GString) out = hk_dsn_compose (&dsn);
    assert_lines (out);
}

static void
test_size_limit (void)
{
    HkDsnRecipient recipient = sample_recipient ();
    HkDsn dsn = sample (&recipient);
    dsn.size_limit = 31; /* headers 31, no room for the body */
    g_autoptr (GString) headers = hk_dsn_compose (&dsn);
    g_assert_nonnull (strstr (headers->str, "\r\nTo: b@example.net\r\n\r\n--"));
    g_assert_nonnull (strstr (headers->str, "text/rfc822-headers"));
    dsn.size_limit = 30; /* the last line does not fit */
    g_autoptr (GString) cut = hk_dsn_compose (&dsn);
    g_assert_nonnull (strstr (cut->str, "\r\nSubject: x\r\n\r\n--"));
    dsn.size_limit = 0; /* no limit */
    g_autoptr (GString) whole = hk_dsn_compose (&dsn);
    g_assert_nonnull (strstr (whole->str, "Hello."));
}

static void
test_utf8 (void)
{
    HkDsnRecipient recipient = sample_recipient ();
    recipient.address = HK_SPAN ("\303\274@example.net");
    recipient.orcpt = recipient.original = HK_SPAN_NONE;
    HkDsn dsn = sample (&recipient);
    g_autoptr (GString) plain = hk_dsn_compose (&dsn);
    g_assert_nonnull (
        strstr (plain->str, "Final-Recipient: utf-8; \\x{FC}@example.net\r\n"));
    for (size_t i = 0; i < plain->len; i++)
        g_assert_cmpint ((signed char) plain->str[i], >, 0);
    dsn.smtputf8 = true;
    g_autoptr (GString) out = hk_dsn_compose (&dsn);
    static const char *const wanted[] = {"report-type=global-delivery-status;",
                                         "Content-Transfer-Encoding: 8bit",
                                         "Content-Type: message/global-delivery-status\r\n",
                                         "Final-Recipient: utf-8; \303\274@example.net\r\n",
                                         "Content-Type: message/global\r\n"};
    for (size_t i = 0; i < G_N_ELEMENTS (wanted); i++)
        g_assert_nonnull (strstr (out->str, wanted[i]));
}

static void
test_8bit_body (void)
{
    HkDsnRecipient recipient = sample_recipient ();
    HkDsn dsn = sample (&recipient);
    dsn.body = HK_SPAN ("caf\351\r\n");
    g_autoptr (GString) out = hk_dsn_compose (&dsn);
    g_assert_cmpuint (count (out, "Content-Transfer-Encoding: 8bit"), ==, 2);
    g_assert_nonnull (strstr (out->str, "caf\351\r\n"));
}

static void
test_kinds (void)
{
    HkDsnRecipient recipient = sample_recipient ();
    HkDsn dsn = sample (&recipient);
    for (int kind = HK_DSN_FAILURE; kind <= HK_DSN_SUCCESS; kind++) {
        dsn.kind = (HkDsnKind) kind;
        dsn.to_postmaster = false;
        g_autoptr (GString) a = hk_dsn_compose (&dsn);
        dsn.to_postmaster = true;
        g_autoptr (GString) b = hk_dsn_compose (&dsn);
        HkHeader sa, sb;
        assert_lines (a);
        assert_lines (b);
        g_assert_true (hk_header_find (hk_span_string (a), "Subject", &sa));
        g_assert_true (hk_header_find (hk_span_string (b), "Subject", &sb));
        g_assert_false (hk_span_equal (sa.value, sb.value));
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    setenv ("TZ", "UTC0", 1);
    tzset ();
    g_test_add_func ("/mail/dsn/failure", test_failure);
    g_test_add_func ("/mail/dsn/delay", test_delay);
    g_test_add_func ("/mail/dsn/hostile-text", test_hostile_text);
    g_test_add_func ("/mail/dsn/boundary", test_boundary);
    g_test_add_func ("/mail/dsn/lines", test_lines);
    g_test_add_func ("/mail/dsn/size-limit", test_size_limit);
    g_test_add_func ("/mail/dsn/utf8", test_utf8);
    g_test_add_func ("/mail/dsn/8bit-body", test_8bit_body);
    g_test_add_func ("/mail/dsn/kinds", test_kinds);
    return g_test_run ();
}
