/* fuzz_header.c: header sections, and notifications about messages with any content: the
 * walk covers the input without gaps; foreign text never makes a line of its own. */
#include "config.h"

#include "mail/dsn.h"
#include "mail/header.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
walk (HkSpan content)
{
    HkHeader header;
    size_t at = 0, before = 0;
    while (hk_header_next (content, &at, &header)) {
        g_assert (header.whole.data == content.data + before && at > before);
        g_assert (header.whole.size == at - before && header.name.size > 0);
        g_assert (header.value.data >= header.name.data + header.name.size);
        g_assert (header.value.data + header.value.size <= content.data + at);
        before = at;
    }
    g_assert (at <= content.size);
    hk_header_find (content, "subject", &header);
}

static void
check_lines (const GString *out)
{
    HkSpan all = hk_span_string (out);
    for (size_t at = 0; at < all.size;) {
        size_t lf = hk_span_find (all, '\n', at);
        g_assert (lf < all.size && lf > at && all.data[lf - 1] == '\r');
        g_assert (lf - 1 - at <= 998);
        g_assert (hk_span_find (hk_span_sub (all, at, lf - 1 - at), '\r', 0) ==
                  lf - 1 - at);
        at = lf + 1;
    }
    g_assert (hk_span_find (all, '\0', 0) == all.size);
}

static size_t
count_headers (const GString *out)
{
    HkHeader header;
    size_t at = 0, n = 0;
    while (hk_header_next (hk_span_string (out), &at, &header))
        n++;
    return n;
}

static void
notify (HkSpan input, unsigned choice)
{
    /* the input is cut into what foreign hands give */
    size_t part = input.size / 8;
    HkSpan p[8];
    for (size_t i = 0; i < 8; i++)
        p[i] = hk_span_sub (input, i * part, i == 7 ? input.size : part);
    HkDsnRecipient recipient = {.address = p[0],
                                .original = p[1],
                                .orcpt = p[2],
                                .action = "failed",
                                .dsn = HK_SPAN ("5.0.0"),
                                .text = p[3],
                                .diagnostic = p[4],
                                .remote_mta = p[5]};
    HkDsn dsn = {.kind = (HkDsnKind) (choice % 3),
                 .to_postmaster = (choice & 4) != 0,
                 .smtputf8 = (choice & 8) != 0,
                 .myhostname = "mail.example.org",
                 .mail_name = "Hikyaku",
                 .to = hk_span_sub (p[0], 0, 700),
                 .original_sender = p[1],
                 .envid = p[3],
                 .queue_id = 1,
                 .notice_id = 2,
                 .arrival_us = 1,
                 .now_us = 2,
                 .recipients = &recipient,
                 .n_recipients = 1,
                 .headers = p[6],
                 .body = p[7],
                 .size_limit = (choice & 16) != 0 ? 100 : 0};
    g_autoptr (GString) out = hk_dsn_compose (&dsn);
    check_lines (out);
    size_t n = count_headers (out);
    g_assert (n == 9 || n == 10); /* with or without Content-Transfer-Encoding */
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    walk (hk_span (data, size));
    notify (hk_span (data + 1, size - 1), data[0]);
    return 0;
}
