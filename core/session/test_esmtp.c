/* test_esmtp.c: the parameters of FUTURERELEASE, DELIVERBY, MT-PRIORITY, REQUIRETLS,
 * BINARYMIME and XVERP: what is taken, what is refused and how. */
#include "config.h"

#include "session/syntax.h"

/* 2026-11-26T07:00:00Z */
#define NOW 1795676400

enum {
    EVERYTHING = HK_ESMTP_FUTURERELEASE | HK_ESMTP_DELIVERBY | HK_ESMTP_MT_PRIORITY |
                 HK_ESMTP_REQUIRETLS | HK_ESMTP_BINARYMIME | HK_ESMTP_XVERP
};

static HkEsmtpRules
rules_of (unsigned offered)
{
    return (HkEsmtpRules){.offered = offered,
                          .now_s = NOW,
                          .hold_limit_s = 86400,
                          .by_minimum_s = 10,
                          .verp_delimiters = "+=",
                          .verp_filter = "-+="};
}

/* 0: accepted */
static int
parse (const char *parameters, unsigned offered, HkEsmtp *out, HkRefusal *refusal)
{
    g_autofree char *line = g_strconcat (
        parameters[0] == '<' ? "FROM:" : "FROM:<a@example.org> ", parameters, NULL);
    g_autoptr (HkArena) arena = hk_arena_new (1024);
    HkEsmtpRules rules = rules_of (offered);
    HkMailOptions options;
    *refusal = (HkRefusal){.code = 0, .dsn = ""};
    g_test_message ("%s", line);
    bool ok = hk_mail_parse (hk_span_text (line),
                             HK_SYNTAX_SIZE | HK_SYNTAX_8BITMIME | HK_SYNTAX_DSN, 10000,
                             &rules, arena, &options, refusal);
    *out = options.esmtp;
    return ok ? 0 : refusal->code;
}

static void
test_refusals (void)
{
    static const struct {
        const char *parameters;
        unsigned offered;
        int code;
        const char *dsn;
    } cases[] = {
        {"HOLDFOR=1", EVERYTHING, 0, ""},
        {"holdfor=86400", EVERYTHING, 0, ""},
        {"HOLDFOR=86401", EVERYTHING, 501, "5.5.4"},
        {"HOLDFOR=999999999", EVERYTHING, 501, "5.5.4"},
        {"HOLDFOR=1000000000", EVERYTHING, 501, "5.5.4"},
        {"HOLDFOR=99999999999999999999999999", EVERYTHING, 501, "5.5.4"},
        {"HOLDFOR=0", EVERYTHING, 501, "5.5.4"},
        {"HOLDFOR=01", EVERYTHING, 501, "5.5.4"},
        {"HOLDFOR=-1", EVERYTHING, 501, "5.5.4"},
        {"HOLDFOR=+1", EVERYTHING, 501, "5.5.4"},
        {"HOLDFOR=1s", EVERYTHING, 501, "5.5.4"},
        {"HOLDFOR=", EVERYTHING, 501, "5.5.4"},
        {"HOLDFOR", EVERYTHING, 501, "5.5.4"},
        {"HOLDFOR=1 HOLDFOR=1", EVERYTHING, 501, "5.5.4"},
        {"HOLDFOR=1 HOLDUNTIL=2026-11-26T08:00:00Z", EVERYTHING, 501, "5.5.4"},
        {"HOLDFOR=1", EVERYTHING & ~HK_ESMTP_FUTURERELEASE, 555, "5.5.4"},
        {"HOLDUNTIL=2026-11-26T08:00:00Z", EVERYTHING & ~HK_ESMTP_FUTURERELEASE, 555,
         "5.5.4"},
        {"HOLDUNTIL=2026-11-26T08:00:00Z", EVERYTHING, 0, ""},
        {"HOLDUNTIL=2026-11-26T07:00:00Z", EVERYTHING, 501, "5.5.4"}, /* now is no future */
        {"HOLDUNTIL=1999-12-31T23:59:59Z", EVERYTHING, 501, "5.5.4"},
        {"HOLDUNTIL=2026-11-27T07:00:01Z", EVERYTHING, 501, "5.5.4"}, /* over the limit */
        {"HOLDUNTIL=9999-12-31T23:59:59Z", EVERYTHING, 501, "5.5.4"},
        {"HOLDUNTIL=2026-11-26", EVERYTHING, 501, "5.5.4"},
        {"HOLDUNTIL=2026-13-26T08:00:00Z", EVERYTHING, 501, "5.5.4"},
        {"HOLDUNTIL", EVERYTHING, 501, "5.5.4"},
        {"BY=10;R", EVERYTHING, 0, ""},
        {"by=+120;rt", EVERYTHING, 0, ""},
        {"BY=9;R", EVERYTHING, 555, "5.4.7"}, /* below the minimum */
        {"BY=9;N", EVERYTHING, 0, ""},        /* which is R's alone */
        {"BY=0;N", EVERYTHING, 0, ""},
        {"BY=-999999999;NT", EVERYTHING, 0, ""},
        {"BY=0;R", EVERYTHING, 501, "5.5.4"},
        {"BY=-1;R", EVERYTHING, 501, "5.5.4"},
        {"BY=1000000000;N", EVERYTHING, 501, "5.5.4"},
        {"BY=99999999999999999999;N", EVERYTHING, 501, "5.5.4"},
        {"BY=120", EVERYTHING, 501, "5.5.4"},
        {"BY=120;", EVERYTHING, 501, "5.5.4"},
        {"BY=120;T", EVERYTHING, 501, "5.5.4"},
        {"BY=120;RN", EVERYTHING, 501, "5.5.4"},
        {"BY=120;RTT", EVERYTHING, 501, "5.5.4"},
        {"BY=;R", EVERYTHING, 501, "5.5.4"},
        {"BY=--1;N", EVERYTHING, 501, "5.5.4"},
        {"BY=+-1;N", EVERYTHING, 501, "5.5.4"},
        {"BY=1x;N", EVERYTHING, 501, "5.5.4"},
        {"BY", EVERYTHING, 501, "5.5.4"},
        {"BY=120;R BY=120;R", EVERYTHING, 501, "5.5.4"},
        {"BY=120;R", EVERYTHING & ~HK_ESMTP_DELIVERBY, 555, "5.5.4"},
        {"HOLDFOR=100 BY=100;R", EVERYTHING, 501, "5.5.4"},
        {"HOLDFOR=100 BY=101;R", EVERYTHING, 0, ""},
        {"HOLDFOR=100 BY=100;N", EVERYTHING, 0, ""},
        {"MT-PRIORITY=9", EVERYTHING, 0, ""},
        {"mt-priority=-9", EVERYTHING, 0, ""},
        {"MT-PRIORITY=0", EVERYTHING, 0, ""},
        {"MT-PRIORITY=10", EVERYTHING, 501, "5.5.4"},
        {"MT-PRIORITY=-10", EVERYTHING, 501, "5.5.4"},
        {"MT-PRIORITY=-0", EVERYTHING, 501, "5.5.4"},
        {"MT-PRIORITY=+1", EVERYTHING, 501, "5.5.4"},
        {"MT-PRIORITY=", EVERYTHING, 501, "5.5.4"},
        {"MT-PRIORITY=-", EVERYTHING, 501, "5.5.4"},
        {"MT-PRIORITY=x", EVERYTHING, 501, "5.5.4"},
        {"MT-PRIORITY", EVERYTHING, 501, "5.5.4"},
        {"MT-PRIORITY=1 MT-PRIORITY=1", EVERYTHING, 501, "5.5.4"},
        {"MT-PRIORITY=1", EVERYTHING & ~HK_ESMTP_MT_PRIORITY, 555, "5.5.4"},
        {"REQUIRETLS", EVERYTHING, 0, ""},
        {"REQUIRETLS=", EVERYTHING, 501, "5.5.4"},
        {"REQUIRETLS=yes", EVERYTHING, 501, "5.5.4"},
        {"REQUIRETLS REQUIRETLS", EVERYTHING, 501, "5.5.4"},
        {"REQUIRETLS", EVERYTHING & ~HK_ESMTP_REQUIRETLS, 555, "5.5.4"},
        {"BODY=binarymime", EVERYTHING, 0, ""},
        {"BODY=BINARYMIME BODY=8BITMIME", EVERYTHING, 501, "5.5.4"},
        {"BODY=BINARY", EVERYTHING, 555, "5.5.4"},
        {"BODY=BINARYMIME", EVERYTHING & ~HK_ESMTP_BINARYMIME, 555, "5.5.4"},
        {"XVERP", EVERYTHING, 0, ""},
        {"xverp=-=", EVERYTHING, 0, ""},
        {"XVERP=ab", EVERYTHING, 501, "5.5.4"},
        {"XVERP=+", EVERYTHING, 501, "5.5.4"},
        {"XVERP=+==", EVERYTHING, 501, "5.5.4"},
        {"XVERP=", EVERYTHING, 501, "5.5.4"},
        {"XVERP=+@", EVERYTHING, 501, "5.5.4"},
        {"<> XVERP", EVERYTHING, 503, "5.5.4"},
        {"XVERP", EVERYTHING & ~HK_ESMTP_XVERP, 555, "5.5.4"},
        {"HOLDFOR=1 BY=120;R MT-PRIORITY=3 REQUIRETLS BODY=BINARYMIME XVERP SIZE=3",
         EVERYTHING, 0, ""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        HkEsmtp out;
        HkRefusal refusal;
        g_assert_cmpint (
            parse (cases[i].parameters, cases[i].offered, &out, &refusal), ==,
            cases[i].code);
        g_assert_cmpstr (refusal.dsn, ==, cases[i].dsn);
    }
}

static void
test_values (void)
{
    HkEsmtp out;
    HkRefusal refusal;
    g_assert_cmpint (parse ("HOLDFOR=60 BY=-5;NT MT-PRIORITY=-7 XVERP BODY=BINARYMIME",
                            EVERYTHING, &out, &refusal),
                     ==, 0);
    g_assert_cmpint (out.release_s, ==, NOW + 60);
    g_assert_cmpint (out.by_s, ==, -5);
    g_assert_true (out.has_by && out.by_trace && !out.by_return && out.is_binary);
    g_assert_true (out.has_priority && !out.requires_tls);
    g_assert_cmpint (out.priority, ==, -7);
    g_assert_cmpstr (out.verp, ==, "+=");
    g_assert_cmpint (parse ("BY=30;R XVERP=-= REQUIRETLS", EVERYTHING, &out, &refusal), ==,
                     0);
    g_assert_true (out.by_return && !out.by_trace && out.requires_tls && !out.is_binary);
    g_assert_cmpint (out.by_s, ==, 30);
    g_assert_cmpint (out.release_s, ==, 0);
    g_assert_cmpstr (out.verp, ==, "-=");
}

static void
test_time (void)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } cases[] = {
        {"2026-11-26T07:00:00Z", NOW},
        {"2026-11-26t07:00:00z", NOW},
        {"2026-11-26T07:00:00.999Z", NOW},
        {"2026-11-26T16:00:00+09:00", NOW},
        {"2026-11-26T02:30:00-04:30", NOW},
        {"1998-12-31T23:59:60Z", 915148799}, /* a leap second */
        {"2024-02-29T00:00:00Z", 1709164800},
        {"2023-02-29T00:00:00Z", -1},
        {"0000-01-01T00:00:00Z", -1},
        {"2026-11-26T24:00:00Z", -1},
        {"2026-11-26T07:60:00Z", -1},
        {"2026-11-26T07:00:61Z", -1},
        {"2026-11-26T07:00:00", -1},
        {"2026-11-26T07:00:00.Z", -1},
        {"2026-11-26T07:00:00.0000000000Z", -1},
        {"2026-11-26T07:00:00+0900", -1},
        {"2026-11-26T07:00:00+24:00", -1},
        {"2026-11-26T07:00:00+09:60", -1},
        {"2026-11-26T07:00:00+09:0", -1},
        {"2026-11-26T07:00:00ZZ", -1},
        {"2026-11-26 07:00:00Z", -1},
        {"2026/11/26T07:00:00Z", -1},
        {"20261126T070000Z", -1},
        {"-026-11-26T07:00:00Z", -1},
        {"", -1},
        {"Z", -1},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        int64_t seconds = -1;
        g_test_message ("%s", cases[i].text);
        g_assert_cmpint (hk_esmtp_parse_time (hk_span_text (cases[i].text), &seconds), ==,
                         cases[i].seconds != -1);
        g_assert_cmpint (seconds, ==, cases[i].seconds);
    }
}

/* Bytes that no keyboard writes, and no rules at all. */
static void
test_hostile (void)
{
    HkEsmtpRules rules = rules_of (EVERYTHING);
    HkEsmtp out = {0};
    HkRefusal refusal;
    g_assert_cmpint (hk_esmtp_parameter (HK_SPAN ("XVERP"), hk_span ("\0\0", 2), &rules, &out,
                                         &refusal),
                     ==, HK_ESMTP_REFUSED);
    g_assert_cmpint (hk_esmtp_parameter (HK_SPAN ("HOLDFOR"), hk_span ("1\0", 2), &rules, &out,
                                         &refusal),
                     ==, HK_ESMTP_REFUSED);
    g_assert_cmpint (
        hk_esmtp_parameter (HK_SPAN ("MT-PRIORITY"), HK_SPAN ("\xd9\xa3"), &rules, &out,
                            &refusal),
        ==, HK_ESMTP_REFUSED);
    g_assert_cmpint (
        hk_esmtp_parameter (HK_SPAN ("HOLDFOR"), HK_SPAN ("1"), NULL, &out, &refusal), ==,
        HK_ESMTP_UNKNOWN);
    /* One character short: nothing behind the end is read. */
    const char *whole = "2026-11-26T07:00:00.5+09:00";
    for (size_t n = 0; n < strlen (whole); n++) {
        g_autofree uint8_t *exact = g_memdup2 (whole, MAX (n, 1));
        int64_t seconds;
        g_assert_false (hk_esmtp_parse_time (hk_span (exact, n), &seconds));
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/esmtp/refusals", test_refusals);
    g_test_add_func ("/esmtp/values", test_values);
    g_test_add_func ("/esmtp/time", test_time);
    g_test_add_func ("/esmtp/hostile", test_hostile);
    return g_test_run ();
}
