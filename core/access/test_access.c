/* test_access.c: restriction lists with the bundled restrictions: what a client is told,
 * and what tables may ask for. */
#include "access/test_access.h"

static void
test_relay (void)
{
    static const Case cases[] = {
        {RELAY, NULL, PASS},
        {RELAY, "x@away.test", NO, 554, "5.7.1", "<x@away.test>: Relay access denied"},
        {RELAY "mynetworks = 198.51.100.0/24\n", "x@away.test", PASS},
        {"", "x@away.test", NO, 454, "4.7.1", "<x@away.test>: Relay access denied"},
        {RELAY, "x%away.test@ours.test", NO, 554, "5.7.1",
         "<x%away.test@ours.test>: Relay access denied"},
        {RELAY "relay_domains = mem:away.test=LATER\n", "x@away.test", NO, 451, "4.3.0",
         "<x@away.test>: Temporary lookup failure"},
        {RELAY "relay_domains_reject_code = 450\n", "x@away.test", NO, 450, "4.7.1",
         "<x@away.test>: Relay access denied"},
    };
    test_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_lists (void)
{
    static const Case cases[] = {
        /* delayed lists run at RCPT, in order */
        {RELAY "smtpd_client_restrictions = reject\n", NULL, NO, 554, "5.7.1",
         "<host.client.test[198.51.100.7]>: Client host rejected: Access denied"},
        {RELAY "smtpd_helo_restrictions = reject\n", NULL, NO, 554, "5.7.1",
         "<helo.client.test>: Helo command rejected: Access denied"},
        {RELAY "smtpd_sender_restrictions = defer\n", NULL, NO, 450, "4.3.2",
         "<joe@sender.test>: Sender address rejected: Try again later"},
        /* a permit ends its own list only */
        {RELAY
         "smtpd_client_restrictions = permit\nsmtpd_recipient_restrictions = reject\n",
         NULL, NO, 554, "5.7.1",
         "<jane@ours.test>: Recipient address rejected: Access denied"},
        /* unknown words are found at run time */
        {RELAY "smtpd_sender_restrictions = permti\n", NULL, NO, 451, "4.3.5",
         "Server configuration error"},
        {RELAY "smtpd_sender_restrictions = check_sender_access\n", NULL, NO, 451, "4.3.5",
         "Server configuration error"},
        /* old names */
        {RELAY "smtpd_helo_restrictions = REJECT_NON_FQDN_HOSTNAME\n", NULL, PASS},
        {RELAY "smtpd_helo_restrictions = warn_if_reject, reject\n", NULL, PASS},
        /* classes */
        {RELAY "smtpd_restriction_classes = strict\nstrict = reject\n"
               "smtpd_sender_restrictions = strict\n",
         NULL, NO, 554, "5.7.1",
         "<joe@sender.test>: Sender address rejected: Access denied"},
        /* a table without a word: what it is asked about is the list's that the class stands in */
        {RELAY "smtpd_restriction_classes = listed\nlisted = rows:joe@sender.test=REJECT\n"
               "smtpd_helo_restrictions = listed\nsmtpd_sender_restrictions = listed\n",
         NULL, NO, 554, "5.7.1",
         "<joe@sender.test>: Sender address rejected: Access denied"},
        {RELAY "smtpd_restriction_classes = a, b\na = b\nb = a\n"
               "smtpd_sender_restrictions = a\n",
         NULL, NO, 451, "4.3.5", "Server configuration error"},
        {RELAY "smtpd_restriction_classes = strict\nsmtpd_sender_restrictions = strict\n",
         NULL, NO, 451, "4.3.5", "Server configuration error"},
        /* a mistake is none that warn_if_reject makes harmless */
        {RELAY "smtpd_sender_restrictions = warn_if_reject permti\n", NULL, NO, 451,
         "4.3.5", "Server configuration error"},
        {RELAY "smtpd_sender_restrictions = warn_if_reject sleep soon\n", NULL, NO, 451,
         "4.3.5", "Server configuration error"},
        {RELAY "smtpd_sender_restrictions = sleep\n", NULL, NO, 451, "4.3.5",
         "Server configuration error"},
    };
    test_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_postponed (void)
{
    static const Case cases[] = {
        {RELAY "smtpd_sender_restrictions = defer_if_permit\n", NULL, NO, 450, "4.7.0",
         "<joe@sender.test>: Sender address rejected: defer_if_permit requested"},
        {RELAY "smtpd_sender_restrictions = defer_if_permit\n", "x@away.test", NO, 554,
         "5.7.1", "<x@away.test>: Relay access denied"},
        {RELAY "smtpd_sender_restrictions = defer_if_reject\n", NULL, PASS},
        /* warn_if_reject leaves it as it is */
        {RELAY "smtpd_sender_restrictions = warn_if_reject defer_if_reject, reject\n", NULL,
         NO, 450, "4.7.0",
         "<joe@sender.test>: Sender address rejected: defer_if_reject requested"},
        /* both: what waited for a permit is said */
        {RELAY "smtpd_sender_restrictions = check_sender_access "
               "rows:joe@sender.test=DEFER_IF_PERMIT~grey, defer_if_reject, reject\n",
         NULL, NO, 450, "4.7.1", "<joe@sender.test>: Sender address rejected: grey"},
        /* RFC 5321 4.5.1 */
        {RELAY "smtpd_client_restrictions = reject\n", "Postmaster", PASS},
        /* a word that a table gives speaks of what was looked up */
        {RELAY "smtpd_recipient_restrictions = check_sender_access "
               "rows:joe@sender.test=reject_all\nsmtpd_restriction_classes = reject_all\n"
               "reject_all = reject\n",
         NULL, NO, 554, "5.7.1", "<joe@sender.test>: Sender address rejected: Access denied"},
        {RELAY "smtpd_sender_restrictions = defer_if_reject, reject\n", NULL, NO, 450,
         "4.7.0", "<joe@sender.test>: Sender address rejected: defer_if_reject requested"},
        /* only in its own list */
        {RELAY "smtpd_sender_restrictions = defer_if_reject\n", "x@away.test", NO, 554,
         "5.7.1", "<x@away.test>: Relay access denied"},
        {RELAY "smtpd_sender_restrictions = check_sender_access "
               "rows:joe@sender.test=DEFER_IF_PERMIT~Grey~list\n",
         NULL, NO, 450, "4.7.1", "<joe@sender.test>: Sender address rejected: Grey list"},
    };
    test_cases (cases, G_N_ELEMENTS (cases));
}

/* smtpd_delay_reject = no: whether the rest permits is known at RCPT. */
static void
test_postponed_early (void)
{
    Fixture f;
    setup (&f, RELAY "smtpd_delay_reject = no\nsmtpd_helo_restrictions = check_helo_access "
                     "rows:helo.client.test=DEFER_IF_PERMIT~wait\n");
    run (&f, HK_STAGE_HELO);
    g_assert_cmpint (f.verdict.what, ==, HK_VERDICT_PASS);
    g_assert_cmpstr (f.verdict.postponed->str, ==,
                     "450 4.7.1 <helo.client.test>: Helo command rejected: wait");
    g_autofree char *kept = g_strdup (f.verdict.postponed->str);
    f.subject.postponed = hk_span_text (kept);
    expect (&f, HK_STAGE_RCPT, NO, 450, "4.7.1",
            "<helo.client.test>: Helo command rejected: wait");
    f.subject.recipient = HK_SPAN ("x@away.test"); /* what refuses for good goes first */
    expect (&f, HK_STAGE_RCPT, NO, 554, "5.7.1", "<x@away.test>: Relay access denied");
    teardown (&f);
}

static void
test_unlisted (void)
{
    static const Case cases[] = {
        {RELAY "local_recipient_maps = mem:jane=x\n", NULL, PASS},
        {RELAY "local_recipient_maps = mem:jane=x\n", "no@ours.test", NO, 550, "5.1.1",
         "<no@ours.test>: Recipient address rejected: User unknown in local recipient "
         "table"},
        {RELAY "local_recipient_maps = mem:jane=x\nsmtpd_reject_unlisted_recipient = no\n",
         "no@ours.test", PASS},
        {RELAY "local_recipient_maps = mem:jane=x\nsmtpd_reject_unlisted_recipient = no\n"
               "smtpd_recipient_restrictions = reject_unlisted_recipient\n",
         "no@ours.test", NO, 550, "5.1.1",
         "<no@ours.test>: Recipient address rejected: User unknown in local recipient "
         "table"},
        {RELAY "local_recipient_maps = mem:jane=x\n"
               "receive_override_options = no_unknown_recipient_checks\n"
               "smtpd_recipient_restrictions = reject_unlisted_recipient\n",
         "no@ours.test", PASS},
        {RELAY "local_recipient_maps = mem:jane=LATER\n", NULL, NO, 451, "4.3.0",
         "<jane@ours.test>: Temporary lookup failure"},
        {RELAY "smtpd_reject_unlisted_sender = yes\nrelay_domains = sender.test\n"
               "relay_recipient_maps = mem:x@sender.test=x\n",
         NULL, NO, 550, "5.1.0",
         "<joe@sender.test>: Sender address rejected: User unknown in relay recipient "
         "table"},
    };
    test_cases (cases, G_N_ELEMENTS (cases));
}

/* ---- access(5)
 * ----------------------------------------------------------------------------------- */

#define SENDER_SAYS(action)                                                                \
    RELAY "smtpd_sender_restrictions = check_sender_access rows:joe@sender.test=" action   \
          "\n"
#define REFUSED "<joe@sender.test>: Sender address rejected: "

static void
test_actions (void)
{
    static const Case cases[] = {
        {SENDER_SAYS ("OK"), NULL, PASS},
        {SENDER_SAYS ("12345"), NULL, PASS},
        {SENDER_SAYS ("DUNNO"), NULL, PASS},
        {SENDER_SAYS ("reject"), NULL, NO, 554, "5.7.1", REFUSED "Access denied"},
        {SENDER_SAYS ("REJECT~no~spam"), NULL, NO, 554, "5.7.1", REFUSED "no spam"},
        {SENDER_SAYS ("REJECT~5.1.1~gone"), NULL, NO, 554, "5.1.7", REFUSED "gone"},
        {SENDER_SAYS ("REJECT~4.7.9~later"), NULL, NO, 554, "5.7.9", REFUSED "later"},
        {SENDER_SAYS ("DEFER"), NULL, NO, 450, "4.7.1", REFUSED "Access denied"},
        {SENDER_SAYS ("550~go~away"), NULL, NO, 550, "5.7.1", REFUSED "go away"},
        {SENDER_SAYS ("450~4.7.5"), NULL, NO, 450, "4.7.5", REFUSED "Access denied"},
        {SENDER_SAYS ("450"), NULL, PASS}, /* a number alone */
        {SENDER_SAYS ("521~5.7.0~bye"), NULL, HK_VERDICT_DISCONNECT, 521, "5.7.0",
         REFUSED "bye"},
        {SENDER_SAYS ("reject_non_fqdn_helo_hostname,reject"), NULL, NO, 554, "5.7.1",
         REFUSED "Access denied"},
        {SENDER_SAYS ("permit"), NULL, PASS},
        {SENDER_SAYS ("REJEC"), NULL, NO, 451, "4.3.5", "Server configuration error"},
        {SENDER_SAYS ("check_helo_access~mem:a=b"), NULL, NO, 451, "4.3.5",
         "Server configuration error"},
        {SENDER_SAYS ("LATER"), NULL, NO, 451, "4.3.5",
         REFUSED "Server configuration error"},
        {RELAY "access_map_reject_code = 571\nsmtpd_client_restrictions = "
               "check_client_access rows:198.51.100=REJECT~5.1.1~bad~net\n",
         NULL, NO, 571, "5.0.0",
         "<host.client.test[198.51.100.7]>: Client host rejected: bad net"},
        {RELAY "smtpd_sender_restrictions = rows:sender.test=REJECT\n", NULL, NO, 554,
         "5.7.1", REFUSED "Access denied"}, /* a bare table */
        {RELAY "smtpd_sender_restrictions = check_sender_access "
               "rows:joe@sender.test=again\nsmtpd_restriction_classes = again\n"
               "again = check_sender_access rows:joe@sender.test=again\n",
         NULL, NO, 451, "4.3.5", "Server configuration error"}, /* endless */
    };
    test_cases (cases, G_N_ELEMENTS (cases));
}

/* ---- what is logged of permits */

static void
test_permit_log (void)
{
    static const struct {
        const char *list, *line;
    } rows[] = {
        {"permit", "permit\taction=permit for Recipient address=jane@ours.test "},
        {"permit_auth_destination",
         "permit\taction=permit_auth_destination for Recipient address=jane@ours.test "},
        {"check_client_access rows:198.51.100.7=permit_mynetworks",
         "permit\taction=permit_mynetworks for Client host=host.client.test[198.51.100.7] "},
        {"check_sender_access rows:joe@sender.test=OK",
         "permit\taction=OK for Sender address=joe@sender.test from "
         "rows:joe@sender.test=OK"},
        {"check_helo_access rows:helo.client.test=550",
         "permit\taction=550 for Helo command=helo.client.test from "
         "rows:helo.client.test=550"},
        {"check_helo_access rows:helo.client.test=DUNNO", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        Fixture f;
        g_autofree char *main_cf = g_strdup_printf (
            "smtpd_relay_restrictions = reject_unauth_destination\n"
            "mynetworks = 198.51.100.0/24\nsmtpd_recipient_restrictions = %s\n"
            "smtpd_log_access_permit_actions = !permit_tls_clientcerts, OK, permit, 550, "
            "permit_auth_destination, permit_mynetworks\n",
            rows[i].list);
        setup (&f, main_cf);
        run (&f, HK_STAGE_RCPT);
        g_assert_cmpint (f.verdict.what, ==, HK_VERDICT_PASS);
        g_assert_cmpuint (f.verdict.log->len, ==, rows[i].line != NULL ? 1 : 0);
        if (rows[i].line != NULL)
            g_assert_cmpstr (g_ptr_array_index (f.verdict.log, 0), ==, rows[i].line);
        teardown (&f);
    }
}

/* Without a message there is nothing that HOLD and its kin could change. */
static void
test_no_message (void)
{
    static const char *const actions[] = {"HOLD", "DISCARD", "PREPEND~A:~b", "FILTER~a:b",
                                          "REDIRECT~a@b", "BCC~a@b"};
    for (size_t i = 0; i < G_N_ELEMENTS (actions); i++) {
        Fixture f;
        g_autofree char *main_cf = g_strdup_printf (
            RELAY "smtpd_delay_reject = no\nsmtpd_helo_restrictions = check_helo_access "
                  "rows:helo.client.test=%s\nsmtpd_etrn_restrictions = check_etrn_access "
                  "rows:away.test=%s\n",
            actions[i], actions[i]);
        setup (&f, main_cf);
        f.subject.has_sender = f.subject.has_recipient = false;
        f.subject.etrn_domain = HK_SPAN ("away.test");
        for (int stage = 0; stage < 2; stage++) {
            run (&f, stage == 0 ? HK_STAGE_HELO : HK_STAGE_ETRN);
            g_assert_cmpint (f.verdict.what, ==, HK_VERDICT_PASS);
            g_assert_false (f.verdict.hold);
            g_assert_cmpuint (f.verdict.log->len, ==, 0);
            g_assert_cmpuint (f.verdict.bcc->len, ==, 0);
        }
        teardown (&f);
    }
}

static void
test_side_effects (void)
{
    Fixture f;
    setup (&f, RELAY
           "smtpd_client_restrictions = check_client_access rows:client.test=HOLD~look\n"
           "parent_domain_matches_subdomains = smtpd_access_maps\n"
           "smtpd_helo_restrictions = check_helo_access "
           "rows:helo.client.test=PREPEND~X-Seen:~yes\n"
           "smtpd_sender_restrictions = check_sender_access "
           "rows:joe@sender.test=FILTER~scan:[::1]:10025\n"
           "smtpd_recipient_restrictions = check_recipient_access "
           "rows:jane@ours.test=REDIRECT~all@ours.test, check_recipient_access "
           "rows:jane@ours.test=BCC~copy@ours.test, check_recipient_access "
           "rows:jane@ours.test=WARN~odd, warn_if_reject, reject\n");
    expect (&f, HK_STAGE_RCPT, PASS);
    g_assert_true (f.verdict.hold);
    g_assert_cmpstr (f.verdict.hold_reason->str, ==, "look");
    g_assert_cmpstr (f.verdict.filter->str, ==, "scan:[::1]:10025");
    g_assert_cmpstr (f.verdict.redirect->str, ==, "all@ours.test");
    g_assert_cmpuint (f.verdict.bcc->len, ==, 1);
    g_assert_cmpstr (g_ptr_array_index (f.verdict.bcc, 0), ==, "copy@ours.test");
    g_assert_cmpuint (f.verdict.prepend->len, ==, 1);
    g_assert_cmpstr (g_ptr_array_index (f.verdict.prepend, 0), ==, "X-Seen: yes");
    static const char *const lines[] = {
        "hold\t<host.client.test[198.51.100.7]>: Client host look",
        "filter\t<joe@sender.test>: Sender address triggers FILTER scan:[::1]:10025",
        "redirect\t<jane@ours.test>: Recipient address triggers REDIRECT all@ours.test",
        "bcc\t<jane@ours.test>: Recipient address triggers BCC copy@ours.test",
        "warn\todd",
        ("reject_warning\t554 5.7.1 <jane@ours.test>: Recipient address rejected: "
         "Access denied"),
    };
    g_assert_cmpuint (f.verdict.log->len, ==, G_N_ELEMENTS (lines));
    for (size_t i = 0; i < G_N_ELEMENTS (lines); i++)
        g_assert_cmpstr (g_ptr_array_index (f.verdict.log, i), ==, lines[i]);
    run (&f, HK_STAGE_DATA); /* the verdict is fresh for each stage */
    g_assert_false (f.verdict.hold);
    g_assert_cmpuint (f.verdict.prepend->len, ==, 0);
    teardown (&f);
}

static void
test_discard (void)
{
    Fixture f;
    setup (&f, SENDER_SAYS ("DISCARD~quietly"));
    run (&f, HK_STAGE_RCPT);
    g_assert_cmpint (f.verdict.what, ==, HK_VERDICT_DISCARD);
    f.subject.recipient = HK_SPAN ("x@away.test"); /* still no relay */
    run (&f, HK_STAGE_RCPT);
    g_assert_cmpint (f.verdict.what, ==, HK_VERDICT_REJECT);
    teardown (&f);
}

static void
test_null_sender (void)
{
    Fixture f;
    setup (&f, RELAY "smtpd_sender_restrictions = check_sender_access rows:<>=REJECT\n");
    expect (&f, HK_STAGE_RCPT, PASS);
    f.subject.sender = HK_SPAN ("");
    expect (&f, HK_STAGE_RCPT, NO, 554, "5.7.1",
            "<>: Sender address rejected: Access denied");
    teardown (&f);
}

/* ---- stages
 * -----------------------------------------------------------------------------------------
 */

static void
test_no_delay (void)
{
    Fixture f;
    setup (&f, RELAY "smtpd_delay_reject = no\nsmtpd_client_restrictions = reject\n"
                     "smtpd_helo_restrictions = defer\n");
    f.subject.has_helo = f.subject.has_sender = f.subject.has_recipient = false;
    expect (&f, HK_STAGE_CONNECT, NO, 554, "5.7.1",
            "<host.client.test[198.51.100.7]>: Client host rejected: Access denied");
    expect (&f, HK_STAGE_HELO, NO, 450, "4.3.2",
            "<helo.client.test>: Helo command rejected: Try again later");
    expect (&f, HK_STAGE_MAIL, PASS);
    teardown (&f);
    setup (&f, RELAY "smtpd_client_restrictions = reject\n"
                     "smtpd_data_restrictions = reject\n"
                     "smtpd_end_of_data_restrictions = defer\n");
    expect (&f, HK_STAGE_CONNECT, PASS);
    expect (&f, HK_STAGE_DATA, NO, 554, "5.7.1",
            "<DATA>: Data command rejected: Access denied");
    expect (&f, HK_STAGE_END_OF_DATA, NO, 450, "4.3.2",
            "<END-OF-MESSAGE>: End-of-data rejected: Try again later");
    teardown (&f);
}

/* A restriction that looks at what is not known yet has no opinion. */
static void
test_needs (void)
{
    Fixture f;
    setup (&f, RELAY "smtpd_delay_reject = no\nsmtpd_client_restrictions = "
                     "reject_non_fqdn_sender, reject_unauth_destination\n");
    f.subject.has_helo = f.subject.has_sender = f.subject.has_recipient = false;
    expect (&f, HK_STAGE_CONNECT, PASS);
    teardown (&f);
}

static void
test_open_relay (void)
{
    static const struct {
        const char *main_cf;
        bool is_open;
    } cases[] = {
        {"smtpd_relay_restrictions =\n", true},
        {"smtpd_relay_restrictions = permit_mynetworks\n", true},
        {"smtpd_relay_restrictions = warn_if_reject, reject_unauth_destination\n", true},
        {"smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = "
         "reject_unauth_destination\n",
         false},
        {"smtpd_relay_restrictions = safe\nsmtpd_restriction_classes = safe\n"
         "safe = reject_unauth_destination\n",
         false},
        /* what stands behind the end of a list guards nothing */
        {"smtpd_relay_restrictions = permit, reject_unauth_destination\n", true},
        {"smtpd_relay_restrictions = check_relay_domains\n", false},
        {"compatibility_level = 0\n", false},
        {"compatibility_level = 0\nsmtpd_recipient_restrictions = permit\n", true},
        {"smtpd_relay_restrictions = defer_if_permit\n", false},
        {"", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        Fixture f;
        g_autoptr (GError) error = NULL;
        open_access (&f, cases[i].main_cf, &error);
        g_assert_true ((f.access == NULL) == cases[i].is_open);
        if (error != NULL)
            g_assert_nonnull (strstr (error->message, "at least one working instance"));
        if (f.access != NULL)
            hk_access_free (f.access);
        hk_router_unref (f.router);
        test_host_free (f.plugins, f.settings);
    }
}

static void
keep_complaint (int level, const char *text, void *data)
{
    g_string_append_printf (data, "%d %s\n", level, text);
}

static void
test_complaints (void)
{
    Fixture f;
    g_autoptr (GString) said = g_string_new (NULL);
    setup (&f, RELAY "smtpd_sender_restrictions = permti\n"
                     "smtpd_recipient_restrictions = permit, reject_unlisted_recipient\n");
    g_assert_false (hk_access_complain (f.access, keep_complaint, said));
    g_assert_nonnull (strstr (said->str, "smtpd_sender_restrictions: "
                                         "unknown smtpd restriction: \"permti\""));
    g_assert_nonnull (strstr (said->str, "`reject_unlisted_recipient' after `permit' is "
                                         "ignored"));
    teardown (&f);
}

static void
test_may_block (void)
{
    Fixture f;
    setup (&f, RELAY);
    g_assert_false (hk_access_may_block (f.access, HK_STAGE_RCPT));
    teardown (&f);
    setup (&f, RELAY "smtpd_data_restrictions = check_sender_access slow:a=b\n");
    g_assert_true (hk_access_may_block (f.access, HK_STAGE_DATA));
    g_assert_false (hk_access_may_block (f.access, HK_STAGE_RCPT));
    teardown (&f);
    setup (&f, RELAY "local_recipient_maps = slow:a=b\n");
    g_assert_true (hk_access_may_block (f.access, HK_STAGE_RCPT));
    f.subject.sender = HK_SPAN ("joe@away.test");
    f.subject.recipient = HK_SPAN ("joe@away.test");
    g_assert_false (hk_access_may_block_for (f.access, HK_STAGE_RCPT, &f.subject));
    f.subject.recipient = HK_SPAN ("joe@ours.test");
    g_assert_true (hk_access_may_block_for (f.access, HK_STAGE_RCPT, &f.subject));
    f.subject.recipient = HK_SPAN ("joe@away.test");
    f.subject.sender = HK_SPAN ("joe@ours.test");
    g_assert_true (hk_access_may_block_for (f.access, HK_STAGE_RCPT, &f.subject));
    teardown (&f);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/access/postponed_early", test_postponed_early);
    g_test_add_func ("/access/permit_log", test_permit_log);
    g_test_add_func ("/access/no_message", test_no_message);
    g_test_add_func ("/access/relay", test_relay);
    g_test_add_func ("/access/lists", test_lists);
    g_test_add_func ("/access/postponed", test_postponed);
    g_test_add_func ("/access/unlisted", test_unlisted);
    g_test_add_func ("/access/actions", test_actions);
    g_test_add_func ("/access/side_effects", test_side_effects);
    g_test_add_func ("/access/discard", test_discard);
    g_test_add_func ("/access/null_sender", test_null_sender);
    g_test_add_func ("/access/no_delay", test_no_delay);
    g_test_add_func ("/access/needs", test_needs);
    g_test_add_func ("/access/open_relay", test_open_relay);
    g_test_add_func ("/access/complaints", test_complaints);
    g_test_add_func ("/access/may_block", test_may_block);
    return g_test_run ();
}
