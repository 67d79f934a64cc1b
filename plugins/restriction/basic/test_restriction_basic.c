/* test_restriction_basic.c: each word against a client that it refuses and one that it lets
 * pass. */
#include "harness.h"
#include "restriction_basic.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_basic);

typedef struct {
    const char *word;
    uint32_t prop; /* set to VALUE; 0: none */
    const char *value;
    HkAnswer verdict;
    int code;
    const char *dsn, *text;
} Case;

static const Case cases[] = {
    {"permit", 0, NULL, HK_PERMIT, 0, NULL, NULL},
    {"reject", 0, NULL, HK_REJECT, 554, "5.7.1",
     "<x>: Data command rejected: Access denied"},
    {"defer", 0, NULL, HK_REJECT, 450, "4.3.2",
     "<x>: Data command rejected: Try again later"},
    {"permit_mynetworks", HK_PROP_CLIENT_ADDRESS, "192.0.2.1", HK_PERMIT, 0, NULL, NULL},
    {"permit_mynetworks", HK_PROP_CLIENT_ADDRESS, "192.0.2.2", HK_DUNNO, 0, NULL, NULL},
    {"permit_sasl_authenticated", 0, NULL, HK_DUNNO, 0, NULL, NULL},
    {"permit_sasl_authenticated", HK_PROP_SASL_USERNAME, "joe", HK_PERMIT, 0, NULL, NULL},
    {"permit_auth_destination", HK_PROP_RECIPIENT, "a@ours.test", HK_PERMIT, 0, NULL, NULL},
    {"permit_auth_destination", HK_PROP_RECIPIENT, "a@away.test", HK_DUNNO, 0, NULL, NULL},
    {"reject_unauth_destination", HK_PROP_RECIPIENT, "a@ours.test", HK_DUNNO, 0, NULL,
     NULL},
    {"reject_unauth_destination", HK_PROP_RECIPIENT, "a@away.test", HK_REJECT, 554, "5.7.1",
     "<a@away.test>: Relay access denied"},
    {"defer_unauth_destination", HK_PROP_RECIPIENT, "a@away.test", HK_REJECT, 454, "4.7.1",
     "<a@away.test>: Relay access denied"},
    {"reject_unlisted_recipient", HK_PROP_RECIPIENT, "no@ours.test", HK_REJECT, 550,
     "5.1.1",
     "<no@ours.test>: Recipient address rejected: User unknown in local recipient table"},
    {"reject_unlisted_sender", HK_PROP_SENDER, "no@ours.test", HK_REJECT, 550, "5.1.0",
     "<no@ours.test>: Sender address rejected: User unknown in local recipient table"},
    {"reject_unlisted_sender", HK_PROP_SENDER, "", HK_DUNNO, 0, NULL, NULL},
    {"reject_non_fqdn_sender", HK_PROP_SENDER, "a@b", HK_REJECT, 504, "5.5.2",
     "<a@b>: Sender address rejected: need fully-qualified address"},
    {"reject_non_fqdn_sender", HK_PROP_SENDER, "a", HK_REJECT, 504, "5.5.2",
     "<a>: Sender address rejected: need fully-qualified address"},
    {"reject_non_fqdn_sender", HK_PROP_SENDER, "a@b.test", HK_DUNNO, 0, NULL, NULL},
    {"reject_non_fqdn_sender", HK_PROP_SENDER, "\"a@b.test\"@c", HK_REJECT, 504, "5.5.2",
     "<\"a@b.test\"@c>: Sender address rejected: need fully-qualified address"},
    {"reject_non_fqdn_recipient", HK_PROP_RECIPIENT, "a@[192.0.2.1]", HK_DUNNO, 0, NULL,
     NULL},
    {"reject_non_fqdn_helo_hostname", HK_PROP_HELO_NAME, "localhost", HK_REJECT, 504,
     "5.5.2", "<localhost>: Helo command rejected: need fully-qualified hostname"},
    {"reject_non_fqdn_helo_hostname", HK_PROP_HELO_NAME, "a.b", HK_DUNNO, 0, NULL, NULL},
    {"reject_non_fqdn_helo_hostname", HK_PROP_HELO_NAME, "[192.0.2.1]", HK_DUNNO, 0, NULL,
     NULL},
    {"reject_invalid_helo_hostname", HK_PROP_HELO_NAME, "a b", HK_REJECT, 501, "5.5.2",
     "<a b>: Helo command rejected: Invalid name"},
    {"reject_invalid_helo_hostname", HK_PROP_HELO_NAME, "-a.test", HK_REJECT, 501, "5.5.2",
     "<-a.test>: Helo command rejected: Invalid name"},
    {"reject_invalid_helo_hostname", HK_PROP_HELO_NAME, "[1.2.3]", HK_REJECT, 501, "5.5.2",
     "<[1.2.3]>: Helo command rejected: invalid ip address"},
    {"reject_invalid_helo_hostname", HK_PROP_HELO_NAME, "[IPv6:::1]", HK_DUNNO, 0, NULL,
     NULL},
    {"reject_invalid_helo_hostname", HK_PROP_HELO_NAME, "my_host", HK_DUNNO, 0, NULL, NULL},
    {"reject_unknown_client_hostname", HK_PROP_CLIENT_NAME, "unknown", HK_REJECT, 450,
     "4.7.25", "Client host rejected: cannot find your hostname, [192.0.2.9]"},
    {"reject_unknown_client_hostname", HK_PROP_CLIENT_NAME, "a.test", HK_DUNNO, 0, NULL,
     NULL},
    {"reject_unknown_reverse_client_hostname", HK_PROP_CLIENT_REVERSE_NAME, "unknown",
     HK_REJECT, 450, "4.7.25",
     "Client host rejected: cannot find your reverse hostname, [192.0.2.9]"},
    {"reject_plaintext_session", 0, NULL, HK_REJECT, 450, "4.7.1",
     "Session encryption is required"},
    {"reject_plaintext_session", HK_PROP_TLS_VERSION, "TLSv1.3", HK_DUNNO, 0, NULL, NULL},
    {"reject_unauth_pipelining", 0, NULL, HK_DUNNO, 0, NULL, NULL},
};

static HkHarness *
new_harness (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (restriction_basic));
    hk_harness_prop (h, HK_PROP_REPLY_SUBJECT, "<x>: Data command rejected");
    hk_harness_prop (h, HK_PROP_CLIENT_ADDRESS, "192.0.2.9");
    hk_harness_prop (h, HK_PROP_STAGE, "DATA");
    hk_harness_match (h, "mynetworks", "192.0.2.1");
    hk_harness_destination (h, "a@ours.test", HK_DEST_LOCAL);
    hk_harness_destination (h, "a@away.test", HK_DEST_OTHER);
    hk_harness_unlisted (h, "no@ours.test",
                         "550 5.1.1 User unknown in local recipient table");
    return h;
}

static void
check_result (HkHarness *h, const Case *c, HkAnswer got)
{
    g_assert_cmpint (got, ==, c->verdict);
    if (c->text == NULL)
        return;
    g_assert_cmpint (hk_harness_reply_code (h), ==, c->code);
    g_assert_cmpstr (hk_harness_reply_dsn (h), ==, c->dsn);
    g_assert_cmpstr (hk_harness_reply_text (h), ==, c->text);
}

static void
test_words (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        const Case *c = &cases[i];
        HkHarness *h = new_harness ();
        if (c->prop != 0)
            hk_harness_prop (h, c->prop, c->value);
        g_test_message ("%s %s", c->word, c->value != NULL ? c->value : "");
        void *instance = hk_harness_open (h, HK_KIND_RESTRICTION, c->word, "");
        g_assert_nonnull (instance);
        const HkRestrictionClass *class =
            (const HkRestrictionClass *) (const void *) hk_harness_class (
                h, HK_KIND_RESTRICTION, c->word);
        check_result (h, c, class->check (instance, hk_harness_call (h)));
        hk_harness_close (h, instance);
        hk_harness_free (h);
    }
}

static HkAnswer
ask (HkHarness *h, const char *word)
{
    void *instance = hk_harness_open (h, HK_KIND_RESTRICTION, word, "");
    const HkRestrictionClass *class =
        (const HkRestrictionClass *) (const void *) hk_harness_class (
            h, HK_KIND_RESTRICTION, word);
    HkAnswer answer = class->check (instance, hk_harness_call (h));
    hk_harness_close (h, instance);
    return answer;
}

static void
test_multi_bounce (void)
{
    HkHarness *h = new_harness ();
    hk_harness_prop (h, HK_PROP_SENDER, "");
    hk_harness_prop_int (h, HK_PROP_RECIPIENT_COUNT, 1);
    g_assert_cmpint (ask (h, "reject_multi_recipient_bounce"), ==, HK_DUNNO);
    hk_harness_prop_int (h, HK_PROP_RECIPIENT_COUNT, 2);
    g_assert_cmpint (ask (h, "reject_multi_recipient_bounce"), ==, HK_REJECT);
    hk_harness_prop (h, HK_PROP_SENDER, "a@b.test");
    g_assert_cmpint (ask (h, "reject_multi_recipient_bounce"), ==, HK_DUNNO);
    hk_harness_free (h);
}

static void
test_pipelining (void)
{
    HkHarness *h = new_harness ();
    hk_harness_prop_int (h, HK_PROP_IMPROPER_PIPELINING, 1);
    g_assert_cmpint (ask (h, "reject_unauth_pipelining"), ==, HK_REJECT);
    g_assert_cmpint (hk_harness_reply_code (h), ==, 503);
    hk_harness_free (h);
}

static void
test_codes (void)
{
    HkHarness *h = new_harness ();
    hk_harness_set (h, "non_fqdn_reject_code", "450");
    hk_harness_prop (h, HK_PROP_SENDER, "a@b");
    g_assert_cmpint (ask (h, "reject_non_fqdn_sender"), ==, HK_REJECT);
    g_assert_cmpint (hk_harness_reply_code (h), ==, 450);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/restriction_basic/words", test_words);
    g_test_add_func ("/restriction_basic/multi_bounce", test_multi_bounce);
    g_test_add_func ("/restriction_basic/pipelining", test_pipelining);
    g_test_add_func ("/restriction_basic/codes", test_codes);
    return g_test_run ();
}
