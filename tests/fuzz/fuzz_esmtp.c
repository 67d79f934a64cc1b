/* fuzz_esmtp.c: the parameters of MAIL of esmtp_syntax.h: what is taken lies within its
 * bounds, and what a message asks for is the same after packing. */
#include "config.h"

#include "mail/envelope.h"
#include "mail/verp.h"
#include "session/syntax.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

enum { NOW = 1795676400 };

static void
check_bounds (const HkEsmtp *e, const HkEsmtpRules *rules)
{
    g_assert (e->priority >= -9 && e->priority <= 9);
    g_assert (e->release_s == 0 || (e->release_s > rules->now_s &&
                                    e->release_s <= rules->now_s + rules->hold_limit_s));
    g_assert (e->by_s >= -999999999 && e->by_s <= 999999999);
    g_assert (!e->by_return || (e->by_s > 0 && e->by_s >= rules->by_minimum_s));
    g_assert (e->verp[0] == '\0' || (strlen (e->verp) == 2 &&
                                     strspn (e->verp, rules->verp_filter) == 2));
}

static void
check_packing (const HkMailOptions *options)
{
    const HkEsmtp *e = &options->esmtp;
    HkEnvelope in = {.sender = options->sender,
                     .release_s = e->release_s,
                     .deliver_by_us = (NOW + e->by_s) * INT64_C (1000000),
                     .priority = e->priority,
                     .verp = hk_span_text (e->verp)};
    GByteArray *bytes = g_byte_array_new ();
    hk_envelope_pack (&in, bytes);
    g_autoptr (GBytes) packed = g_byte_array_free_to_bytes (bytes);
    g_autoptr (HkEnvelope) out = hk_envelope_unpack (packed);
    g_assert (out != NULL && out->release_s == in.release_s &&
              out->deliver_by_us == in.deliver_by_us && out->priority == in.priority &&
              hk_span_equal (out->verp, in.verp));
    g_autoptr (GString) sender = g_string_new (NULL);
    if (e->verp[0] != '\0')
        hk_verp_append_sender (sender, in.sender, options->envid, e->verp);
    g_assert (e->verp[0] == '\0' || sender->len > in.sender.size);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    HkSpan line = hk_span (data, size);
    HkEsmtpRules rules = {.offered = size > 0 ? data[0] : 0,
                          .now_s = NOW,
                          .hold_limit_s = 86400,
                          .by_minimum_s = 5,
                          .verp_delimiters = "+=",
                          .verp_filter = "-=+"};
    g_autoptr (HkArena) arena = hk_arena_new (1024);
    HkMailOptions options;
    HkRefusal refusal = {.code = 0};
    int64_t seconds;
    hk_esmtp_parse_time (line, &seconds);
    line = hk_span_sub (line, 1, size);
    if (!hk_mail_parse (line, HK_SYNTAX_SIZE | HK_SYNTAX_8BITMIME | HK_SYNTAX_DSN, 10000, &rules,
                        arena, &options, &refusal)) {
        g_assert (refusal.code >= 500 && refusal.code < 600 && refusal.dsn[0] == '5');
        g_assert (memchr (refusal.text, '\0', sizeof refusal.text) != NULL);
        return 0;
    }
    check_bounds (&options.esmtp, &rules);
    check_packing (&options);
    return 0;
}
