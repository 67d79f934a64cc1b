/* test_task.c: runs of the lists that stop at a restriction, or sleep, and go on. */
#include "access/test_access.h"

/* ---- sleep */

static void
expect_sleep (HkAccessTask *task, unsigned seconds)
{
    g_assert_cmpint (hk_access_task_run (task), ==, HK_TASK_SLEEPS);
    g_assert_cmpuint (hk_access_task_sleep_s (task), ==, seconds);
}

/* In a class, behind another sleep, and with what was postponed before it. */
static void
test_sleep (void)
{
    g_autoptr (GError) error = NULL;
    HkLoop *loop = hk_loop_new (&error);
    Fixture f;
    setup (&f, RELAY "smtpd_restriction_classes = slow, slower\n"
                     "slow = sleep 3, sleep 0, slower, defer_if_permit\n"
                     "slower = sleep 4, reject_non_fqdn_sender\n"
                     "smtpd_client_restrictions = check_client_access "
                     "rows:198.51.100.7=WARN~here, sleep 2\n"
                     "smtpd_recipient_restrictions = warn_if_reject slow, reject\n");
    g_assert_true (hk_access_may_wait (f.access, HK_STAGE_RCPT));
    HkAccessTask *task =
        hk_access_task_new (f.access, HK_STAGE_RCPT, &f.subject, &f.verdict, loop);
    expect_sleep (task, 2);
    g_assert_cmpuint (f.verdict.log->len, ==, 1);
    expect_sleep (task, 3);
    expect_sleep (task, 4);
    f.subject.sender = HK_SPAN ("joe@short"); /* as it is when the session comes back */
    g_assert_cmpint (hk_access_task_run (task), ==, HK_TASK_DONE);
    g_assert_cmpint (f.verdict.what, ==, HK_VERDICT_REJECT);
    g_assert_cmpstr (f.verdict.text->str, ==,
                     "<jane@ours.test>: Recipient address rejected: Access denied");
    g_assert_cmpuint (f.verdict.log->len, ==, 3); /* nothing twice, warnings only warned */
    g_assert_cmpstr (g_ptr_array_index (f.verdict.log, 1), ==,
                     "reject_warning\t504 5.5.2 <joe@short>: Sender address rejected: need "
                     "fully-qualified address");
    hk_access_task_free (task);
    teardown (&f);
    hk_loop_free (loop);
}

/* In a list that a table's value is; and a session that ends meanwhile. */
static void
test_sleep_in_table (void)
{
    g_autoptr (GError) error = NULL;
    HkLoop *loop = hk_loop_new (&error);
    Fixture f;
    setup (&f, RELAY "smtpd_sender_restrictions = check_sender_access "
                     "rows:joe@sender.test=sleep~5,reject\n");
    g_assert_false (hk_access_run (f.access, HK_STAGE_RCPT, &f.subject, &f.verdict));
    g_assert_true (hk_access_may_wait (f.access, HK_STAGE_RCPT));
    HkAccessTask *task =
        hk_access_task_new (f.access, HK_STAGE_RCPT, &f.subject, &f.verdict, loop);
    expect_sleep (task, 5);
    g_assert_cmpint (hk_access_task_run (task), ==, HK_TASK_DONE);
    g_assert_cmpstr (f.verdict.text->str, ==,
                     "<joe@sender.test>: Sender address rejected: Access denied");
    hk_access_task_free (task);
    task = hk_access_task_new (f.access, HK_STAGE_RCPT, &f.subject, &f.verdict, loop);
    expect_sleep (task, 5);
    hk_access_task_free (task);
    teardown (&f);
    hk_loop_free (loop);
}

/* ---- runs that wait
 * ---------------------------------------------------------------------------- */

#define TOLD NO, 550, "5.7.1", "told so"
#define DENIED(text) NO, 554, "5.7.1", text

static void
test_waits (void)
{
    static const Case cases[] = {
        {RELAY "smtpd_recipient_restrictions = later reject\n", NULL, TOLD},
        {RELAY "smtpd_recipient_restrictions = later inside:reject\n", NULL, TOLD},
        {RELAY "smtpd_recipient_restrictions = later now:reject\n", NULL, TOLD},
        {RELAY "smtpd_recipient_restrictions = later now:permit, reject\n", NULL, PASS},
        {RELAY "smtpd_recipient_restrictions = later permit, reject\n", NULL, PASS},
        {RELAY "smtpd_recipient_restrictions = later dunno, later dunno, reject\n", NULL,
         DENIED ("<jane@ours.test>: Recipient address rejected: Access denied")},
        /* a permit ends its own list only, also when it comes late */
        {RELAY "smtpd_client_restrictions = later permit\n"
               "smtpd_recipient_restrictions = later reject\n",
         NULL, TOLD},
        {RELAY "smtpd_recipient_restrictions = warn_if_reject later reject, permit\n", NULL,
         PASS},
        {RELAY "smtpd_recipient_restrictions = defer_if_reject, later reject\n", NULL, NO,
         450, "4.7.0",
         "<jane@ours.test>: Recipient address rejected: defer_if_reject requested"},
        {RELAY "smtpd_recipient_restrictions = later defer_if_permit, permit\n", NULL, NO,
         450, "4.7.1", "<jane@ours.test>: Recipient address rejected: Service unavailable"},
        /* in a class, and in a class that a table names, whose list goes on afterwards */
        {RELAY "smtpd_restriction_classes = slow\nslow = later dunno, later reject\n"
               "smtpd_recipient_restrictions = slow\n",
         NULL, TOLD},
        {RELAY "smtpd_restriction_classes = slow\nslow = later dunno\n"
               "smtpd_recipient_restrictions = check_sender_access rows:joe@sender.test=slow, "
               "reject\n",
         NULL, DENIED ("<jane@ours.test>: Recipient address rejected: Access denied")},
        {RELAY "smtpd_restriction_classes = slow\nslow = warn_if_reject later reject\n"
               "smtpd_recipient_restrictions = check_sender_access rows:joe@sender.test=slow, "
               "reject\n",
         NULL, DENIED ("<jane@ours.test>: Recipient address rejected: Access denied")},
        /* an answer that names a list */
        {RELAY "smtpd_restriction_classes = slow\nslow = later now:reject\n"
               "smtpd_recipient_restrictions = later slow, permit\n",
         NULL, TOLD},
        /* ... and one that leads back to itself */
        {RELAY "smtpd_restriction_classes = loop\nloop = later loop\n"
               "smtpd_recipient_restrictions = loop\n",
         NULL, NO, 451, "4.3.5", "Server configuration error"},
    };
    test_cases (cases, G_N_ELEMENTS (cases));
    g_assert_cmpuint (later_states, ==, 0);
}

/* A run that was begun without a task says that it needs one, and from then on all do. */
static void
test_waits_by_value (void)
{
    Fixture f;
    setup (&f, RELAY "smtpd_recipient_restrictions = "
                     "check_sender_access rows:joe@sender.test=later;reject\n");
    g_assert_false (hk_access_may_wait (f.access, HK_STAGE_RCPT));
    teardown (&f);
    setup (&f, RELAY "smtpd_restriction_classes = slow\nslow = later reject\n"
                     "smtpd_recipient_restrictions = "
                     "check_sender_access rows:joe@sender.test=slow\n");
    g_assert_true (hk_access_may_wait (f.access, HK_STAGE_RCPT));
    g_assert_false (hk_access_may_wait (f.access, HK_STAGE_CONNECT));
    g_assert_false (hk_access_run (f.access, HK_STAGE_RCPT, &f.subject, &f.verdict));
    teardown (&f);
}

static void
test_wait_cancelled (void)
{
    g_autoptr (GError) error = NULL;
    HkLoop *loop = hk_loop_new (&error);
    Fixture f;
    setup (&f, RELAY "smtpd_recipient_restrictions = later reject\n");
    for (int completed = 0; completed < 2; completed++) {
        bool is_ready = false;
        HkAccessTask *task = hk_access_task_new (f.access, HK_STAGE_RCPT, &f.subject,
                                                 &f.verdict, loop);
        g_assert_cmpint (hk_access_task_run (task), ==, HK_TASK_WAITS);
        g_assert_false (hk_access_task_ask (task, now_ready, &is_ready));
        g_assert_cmpuint (later_states, ==, 1);
        if (completed)
            hk_access_call_ops.complete (later_call);
        hk_access_task_free (task);
        hk_loop_turn (loop, false);
        g_assert_false (is_ready);
        g_assert_cmpuint (later_states, ==, 0);
    }
    teardown (&f);
    hk_loop_free (loop);
}

/* Every instance of the lists is asked to ask ahead, unless the client is one of ours. */
static void
test_prepare (void)
{
    static const struct {
        const char *networks;
        unsigned n;
    } rows[] = {{"127.0.0.0/8", 2}, {"198.51.100.0/24", 0}};
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        Fixture f;
        g_autofree char *conf = g_strconcat (
            RELAY "smtpd_restriction_classes = slow\nslow = later reject\n"
                  "smtpd_client_restrictions = later permit\n"
                  "smtpd_recipient_restrictions = slow\nmynetworks = ",
            rows[i].networks, "\n", NULL);
        setup (&f, conf);
        g_assert_true (hk_access_prepares (f.access));
        later_prepared = 0;
        hk_access_prepare (f.access, &f.subject);
        g_assert_cmpuint (later_prepared, ==, rows[i].n);
        teardown (&f);
    }
}

/* The name system's answers are asked for once; without a resolver there is one, too. */
static void
count_answer (void *data, int32_t outcome, const HkDnsRecord *records, size_t n,
              const char *reason)
{
    g_assert_cmpint (outcome, ==, HK_DNS_LATER);
    g_assert_null (records);
    g_assert_cmpuint (n, ==, 0);
    g_assert_nonnull (reason);
    (*(unsigned *) data)++;
}

static void
test_memo (void)
{
    unsigned n = 0;
    HkDnsMemo *memo = hk_dns_memo_new (NULL);
    for (int i = 0; i < 1000; i++) {
        g_autofree char *name = g_strdup_printf ("%d.test", i);
        g_assert_cmpint (hk_dns_memo_ask (memo, name, 1, count_answer, &n), ==, HK_OK);
        g_assert_cmpint (hk_dns_memo_ask (memo, name, 1, NULL, NULL), ==, HK_OK);
    }
    g_assert_cmpuint (n, ==, 1000);
    hk_dns_memo_free (memo);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/access/sleep", test_sleep);
    g_test_add_func ("/access/sleep_in_table", test_sleep_in_table);
    g_test_add_func ("/access/waits", test_waits);
    g_test_add_func ("/access/waits_by_value", test_waits_by_value);
    g_test_add_func ("/access/wait_cancelled", test_wait_cancelled);
    g_test_add_func ("/access/prepare", test_prepare);
    g_test_add_func ("/access/memo", test_memo);
    return g_test_run ();
}
