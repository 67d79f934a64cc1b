/* fuzz_maildrop.c: submission files: what is taken packs to a file that is taken again. */
/* the parser is part of the roles, not of a room */
#include "config.h"

#include "smtpd/maildrop.c"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    enum { CHECKSUM_AT = 8, COVERED_FROM = 12 };
    HkSubmission s, again;
    g_autofree uint8_t *file = g_memdup2 (data, size);
    if (size >= COVERED_FROM) { /* let more than one file in four billion pass */
        uint32_t sum = hk_crc32c (0, file + COVERED_FROM, size - COVERED_FROM);
        for (unsigned i = 0; i < 4; i++)
            file[CHECKSUM_AT + i] = (uint8_t) (sum >> (8 * i));
    }
    if (!hk_maildrop_unpack (hk_span (file, size), &s, NULL))
        return 0;
    g_autoptr (GByteArray) packed = hk_maildrop_pack (&s);
    g_assert (hk_maildrop_unpack (hk_span (packed->data, packed->len), &again, NULL));
    g_assert (again.n_recipients == s.n_recipients && again.flags == s.flags);
    g_assert (hk_span_equal (again.content, s.content));
    g_assert (hk_span_equal (again.sender, s.sender));
    g_free (s.recipients);
    g_free (again.recipients);
    return 0;
}
