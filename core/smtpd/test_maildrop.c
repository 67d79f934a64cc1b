/* test_maildrop.c: submission files survive a round trip, and nothing else is one. */
#include "config.h"

#include "smtpd/maildrop.h"

#include <errno.h>
#include <glib/gstdio.h>

static GByteArray *
sample (void)
{
    HkRecipient recipients[] = {
        {.address = HK_SPAN ("a@example.org"), .notify = HK_NOTIFY_NEVER},
        {.address = HK_SPAN ("b"), .orcpt = HK_SPAN ("rfc822;b@x")},
    };
    const HkSubmission s = {
        .sender = HK_SPAN ("me"),
        .recipients = recipients,
        .n_recipients = 2,
        .flags = HK_ENVELOPE_BODY_8BIT,
        .envid = HK_SPAN ("id"),
        .verp = HK_SPAN ("+="),
        .content = HK_SPAN ("Subject: x\n\nhi\n"),
    };
    return hk_maildrop_pack (&s);
}

static void
test_round_trip (void)
{
    g_autoptr (GByteArray) bytes = sample ();
    g_autoptr (GError) error = NULL;
    HkSubmission s;
    g_assert_true (hk_maildrop_unpack (hk_span (bytes->data, bytes->len), &s, &error));
    g_assert_no_error (error);
    g_assert_true (hk_span_is (s.sender, "me"));
    g_assert_true (hk_span_is (s.envid, "id"));
    g_assert_true (hk_span_is (s.verp, "+="));
    g_assert_true (hk_span_is (s.content, "Subject: x\n\nhi\n"));
    g_assert_cmpuint (s.flags, ==, HK_ENVELOPE_BODY_8BIT);
    g_assert_cmpuint (s.n_recipients, ==, 2);
    g_assert_true (hk_span_is (s.recipients[0].address, "a@example.org"));
    g_assert_cmpuint (s.recipients[0].notify, ==, HK_NOTIFY_NEVER);
    g_assert_true (hk_span_is (s.recipients[1].orcpt, "rfc822;b@x"));
    g_free (s.recipients);
}

/* Every shorter file, and every file with one bit changed, is refused. */
static void
test_damage (void)
{
    g_autoptr (GByteArray) bytes = sample ();
    HkSubmission s;
    for (guint n = 0; n < bytes->len; n++) {
        g_autoptr (GError) error = NULL;
        g_assert_false (hk_maildrop_unpack (hk_span (bytes->data, n), &s, &error));
        g_assert_error (error, HK_MAILDROP_ERROR, HK_MAILDROP_ERROR_FORMAT);
    }
    for (guint i = 0; i < bytes->len; i++) {
        bytes->data[i] ^= 4;
        g_assert_false (hk_maildrop_unpack (hk_span (bytes->data, bytes->len), &s, NULL));
        bytes->data[i] ^= 4;
    }
}

static void
test_line_break (void)
{
    HkRecipient recipient = {.address = HK_SPAN ("a\nb")};
    const HkSubmission evil = {.recipients = &recipient, .n_recipients = 1};
    const HkSubmission empty = {.n_recipients = 0};
    HkSubmission s;
    g_autoptr (GByteArray) one = hk_maildrop_pack (&evil);
    g_autoptr (GByteArray) two = hk_maildrop_pack (&empty);
    g_assert_false (hk_maildrop_unpack (hk_span (one->data, one->len), &s, NULL));
    g_assert_false (hk_maildrop_unpack (hk_span (two->data, two->len), &s, NULL));
}

static void
test_write (void)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *queue = g_dir_make_tmp ("hk-drop-XXXXXX", NULL);
    g_autofree char *dir = g_build_filename (queue, "maildrop", NULL);
    g_autoptr (GByteArray) bytes = sample ();
    HkSpan span = hk_span (bytes->data, bytes->len);

    g_assert_false (hk_maildrop_write (queue, span, &error));
    g_assert_error (error, HK_MAILDROP_ERROR, HK_MAILDROP_ERROR_IO);
    g_assert_cmpint (g_mkdir (dir, 0700), ==, 0);
    g_assert_true (hk_maildrop_write (queue, span, NULL));

    g_autoptr (GDir) list = g_dir_open (dir, 0, NULL);
    const char *name = g_dir_read_name (list);
    g_assert_nonnull (name);
    g_assert_cmpint (name[0], !=, '.');
    g_assert_null (g_dir_read_name (list));
    g_autofree char *path = g_build_filename (dir, name, NULL);
    g_autofree char *text = NULL;
    gsize size;
    g_assert_true (g_file_get_contents (path, &text, &size, NULL));
    g_assert_cmpmem (text, size, bytes->data, bytes->len);
    g_remove (path);
    g_rmdir (dir);
    g_rmdir (queue);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/smtpd/maildrop/round-trip", test_round_trip);
    g_test_add_func ("/smtpd/maildrop/damage", test_damage);
    g_test_add_func ("/smtpd/maildrop/line-break", test_line_break);
    g_test_add_func ("/smtpd/maildrop/write", test_write);
    return g_test_run ();
}
