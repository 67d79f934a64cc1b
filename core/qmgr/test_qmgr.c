/* test_qmgr.c: the queue manager with an agent that does as it is told. */
#include "config.h"

#include "qmgr/test_rig.h"
#include "role/params.h"

#define SENT HK_STATUS_SENT
#define DEFERRED HK_STATUS_DEFERRED
#define BOUNCED HK_STATUS_BOUNCED

static void
test_deliver (void)
{
    Rig *rig = rig_new ("");
    rig_send (rig, "a@example.org", "b@example.com", 0, 0);
    RigJob *job = rig_take (rig);
    g_assert_cmpstr (job->nexthop, ==, "example.com");
    g_assert_cmpstr (job->sender, ==, "a@example.org");
    g_assert_cmpstr (job->recipients, ==, "b@example.com");
    g_assert_cmpstr (job->content, ==,
                     "From: a@example.org\r\nSubject: a letter\r\n\r\nBody.\r\n");
    rig_finish (rig, job, SENT, 0, "250 ok");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

/* One of two is deferred: it alone is tried again when its time has come. */
static void
test_retry (void)
{
    Rig *rig = rig_new ("");
    HkQueueId id = rig_send (rig, "a@example.org", "b@example.com,c@example.com", 0, 0);
    RigJob *job = rig_take (rig);
    g_assert_cmpuint (job->n_recipients, ==, 2);
    rig_answer (rig, job, 0, SENT, 0, "2.0.0", "ok");
    rig_answer (rig, job, 1, DEFERRED, 0, "4.2.2", "mailbox full");
    rig_done (rig, job);
    rig_settle (rig);
    HkEntry *entry = rig_entry (rig, id);
    g_assert_cmpint (entry->queue, ==, HK_QUEUE_DEFERRED);
    int64_t wait = (int64_t) entry->next_attempt - rig->clock.wall / HK_SECOND;
    g_assert_cmpint (wait, >=, 300);
    g_assert_cmpint (wait, <=, 330);
    rig_restart (rig); /* what is known survives */
    g_assert_nonnull (rig_entry (rig, id));
    rig_advance (rig, 331);
    job = rig_take (rig);
    g_assert_cmpstr (job->recipients, ==, "c@example.com");
    g_assert_cmpuint (job->retries, ==, 1);
    rig_finish (rig, job, SENT, 0, "ok");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

static void
test_bounce (void)
{
    Rig *rig = rig_new ("");
    rig_send (rig, "a@example.org", "b@example.com,c@example.com", 0, 0);
    RigJob *job = rig_take (rig);
    rig_answer (rig, job, 0, SENT, 0, "2.0.0", "ok");
    rig_answer (rig, job, 1, BOUNCED, 0, "5.1.1", "host mx.example said: 550 no such user");
    rig_done (rig, job);
    job = rig_take (rig);
    g_assert_cmpstr (job->sender, ==, "");
    g_assert_cmpstr (job->recipients, ==, "a@example.org");
    g_assert_nonnull (strstr (job->content, "multipart/report"));
    g_assert_nonnull (strstr (job->content, "rfc822; c@example.com"));
    g_assert_null (strstr (job->content, "rfc822; b@example.com"));
    g_assert_nonnull (strstr (job->content, "Subject: a letter"));
    /* The bounce bounces: there is nobody to tell (notify_classes has no 2bounce). */
    rig_finish (rig, job, BOUNCED, 0, "gone");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    g_assert_cmpuint (rig->n_jobs, ==, 2);
    rig_free (rig);
}

/* A bounced bounce goes to the postmaster; what cannot be delivered then ends. */
static void
test_double_bounce (void)
{
    Rig *rig =
        rig_new ("notify_classes = 2bounce\n2bounce_notice_recipient = pm@example.net\n");
    rig_send (rig, "", "b@example.com", 0, 0);
    rig_finish (rig, rig_take (rig), BOUNCED, 0, "no such user");
    RigJob *job = rig_take (rig);
    g_assert_cmpstr (job->sender, ==, "double-bounce@mail.example.org");
    g_assert_cmpstr (job->recipients, ==, "pm@example.net");
    rig_finish (rig, job, BOUNCED, 0, "no postmaster either");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    g_assert_cmpuint (rig->n_jobs, ==, 2);
    /* ... and mail to that address is thrown away. */
    rig_send (rig, "", "double-bounce@mail.example.org", 0, 0);
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    g_assert_cmpuint (rig->n_jobs, ==, 2);
    rig_free (rig);
}

static void
test_postmaster_copy (void)
{
    Rig *rig =
        rig_new ("notify_classes = bounce\nbounce_notice_recipient = pm@example.net\n");
    rig_send (rig, "a@example.org", "b@example.com", 0, 0);
    rig_finish (rig, rig_take (rig), BOUNCED, 0, "no such user");
    bool to_sender = false, to_postmaster = false;
    for (int i = 0; i < 2; i++) {
        RigJob *job = rig_take (rig);
        to_sender |= strcmp (job->recipients, "a@example.org") == 0;
        if (strcmp (job->recipients, "pm@example.net") == 0) {
            to_postmaster = true;
            g_assert_null (strstr (job->content, "Body.")); /* headers only */
        }
        rig_finish (rig, job, SENT, 0, "ok");
    }
    g_assert_true (to_sender && to_postmaster);
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

static void
test_notify (void)
{
    static const struct {
        uint32_t notify;
        int status;
        unsigned flags;
        bool is_told;
        const char *action;
    } cases[] = {
        {HK_NOTIFY_NEVER, BOUNCED, 0, false, NULL},
        {HK_NOTIFY_SUCCESS, BOUNCED, 0, false, NULL},
        {HK_NOTIFY_FAILURE, BOUNCED, 0, true, "Action: failed"},
        {HK_NOTIFY_SUCCESS, SENT, HK_RESULT_FINAL, true, "Action: delivered"},
        {HK_NOTIFY_SUCCESS, SENT, 0, true, "Action: relayed"},
        {HK_NOTIFY_SUCCESS, SENT, HK_RESULT_DSN_RELAYED, false, NULL}, /* its duty now */
        {0, SENT, HK_RESULT_FINAL, false, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        Rig *rig = rig_new ("");
        rig_send (rig, "a@example.org", "b@example.com", cases[i].notify, 0);
        rig_finish (rig, rig_take (rig), cases[i].status, cases[i].flags, "said so");
        if (cases[i].is_told) {
            RigJob *job = rig_take (rig);
            g_assert_cmpstr (job->recipients, ==, "a@example.org");
            g_assert_nonnull (strstr (job->content, cases[i].action));
            rig_finish (rig, job, SENT, 0, "ok");
        }
        rig_settle (rig);
        g_assert_cmpuint (rig_count (rig), ==, 0);
        g_assert_cmpuint (rig->n_jobs, ==, cases[i].is_told ? 2 : 1);
        rig_free (rig);
    }
}

static void
test_soft_bounce (void)
{
    Rig *rig = rig_new ("soft_bounce = yes\n");
    HkQueueId id = rig_send (rig, "a@example.org", "b@example.com", 0, 0);
    rig_finish (rig, rig_take (rig), BOUNCED, 0, "no such user");
    rig_settle (rig);
    g_autoptr (HkStoredMessage) stored =
        hk_store_load (rig->q->store, rig_entry (rig, id), NULL);
    g_assert_cmpint (stored->states[0].status, ==, DEFERRED);
    g_assert_true (hk_span_is (stored->states[0].dsn, "4.1.1"));
    rig_free (rig);
}

/* After the lifetime one more attempt, then it goes back. */
static void
test_expire (void)
{
    Rig *rig = rig_new ("maximal_queue_lifetime = 1d\n");
    rig_send (rig, "a@example.org", "b@example.com", 0, 0);
    rig_finish (rig, rig_take (rig), DEFERRED, 0, "greylisted");
    rig_settle (rig);
    rig_advance (rig, 86401);
    rig_finish (rig, rig_take (rig), DEFERRED, 0, "greylisted again");
    RigJob *job = rig_take (rig);
    g_assert_cmpstr (job->recipients, ==, "a@example.org");
    g_assert_nonnull (strstr (job->content, "greylisted again"));
    rig_finish (rig, job, SENT, 0, "ok");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

static void
test_delay_warning (void)
{
    Rig *rig = rig_new ("delay_warning_time = 1h\n");
    rig_send (rig, "a@example.org", "b@example.com", 0, 0);
    rig_finish (rig, rig_take (rig), DEFERRED, 0, "later");
    rig_settle (rig);
    for (int round = 0; round < 2; round++) {
        rig_advance (rig, 4500); /* maximal_backoff_time and its jitter */
        rig_finish (rig, rig_take (rig), DEFERRED, 0, "later");
        if (round == 0) { /* once only */
            RigJob *job = rig_take (rig);
            g_assert_nonnull (strstr (job->content, "Action: delayed"));
            rig_finish (rig, job, SENT, 0, "ok");
        }
        rig_settle (rig);
    }
    g_assert_cmpuint (rig->n_jobs, ==, 4);
    rig_free (rig);
}

static void
test_crash (void)
{
    Rig *rig = rig_new ("");
    HkQueueId id = rig_send (rig, "a@example.org", "b@example.com", 0, 0);
    rig_drop (rig_take (rig));
    rig_agent_crash (rig);
    rig_drop (rig_take (rig)); /* once more */
    rig_agent_crash (rig);
    rig_settle (rig);
    HkEntry *entry = rig_entry (rig, id);
    g_assert_cmpint (entry->queue, ==, HK_QUEUE_DEFERRED);
    g_autoptr (HkStoredMessage) stored = hk_store_load (rig->q->store, entry, NULL);
    g_assert_true (
        hk_span_is (stored->states[0].reason, "delivery agent ended unexpectedly"));
    g_assert_cmpuint (rig->n_connections, ==, 2);
    rig_free (rig);
}

/* An agent that takes a job and says nothing more is treated like one that ended. */
static void
test_stuck (void)
{
    Rig *rig = rig_new ("daemon_timeout = 1s\n");
    HkQueueId id = rig_send (rig, "a@example.org", "b@example.com", 0, 0);
    rig_drop (rig_take (rig));
    rig_drop (rig_take (rig)); /* once more, by another connection */
    rig_settle (rig);
    g_assert_cmpint (rig_entry (rig, id)->queue, ==, HK_QUEUE_DEFERRED);
    g_assert_cmpuint (rig->n_connections, ==, 2);
    rig_free (rig);
}

static void
test_unknown_transport (void)
{
    Rig *rig = rig_new ("default_transport = nowhere\n");
    HkQueueId id = rig_send (rig, "a@example.org", "b@example.com", 0, 0);
    rig_settle (rig);
    g_autoptr (HkStoredMessage) stored =
        hk_store_load (rig->q->store, rig_entry (rig, id), NULL);
    g_assert_true (hk_span_is (stored->states[0].dsn, "4.3.5"));
    g_assert_true (hk_span_is (stored->states[0].reason, "mail transport unavailable"));
    rig_free (rig);
}

static void
test_dead_site (void)
{
    Rig *rig = rig_new ("initial_destination_concurrency = 1\n");
    HkQueueId first = rig_send (rig, "a@example.org", "b@example.com", 0, 0);
    HkQueueId second = rig_send (rig, "a@example.org", "c@example.com", 0, 0);
    rig_finish (rig, rig_take (rig), DEFERRED, HK_RESULT_SITE_DOWN,
                "connect to mx: refused");
    rig_settle (rig);
    g_assert_cmpuint (rig->n_jobs, ==, 1);
    g_assert_nonnull (rig_entry (rig, first));
    g_autoptr (HkStoredMessage) stored =
        hk_store_load (rig->q->store, rig_entry (rig, second), NULL);
    g_assert_true (hk_span_is (stored->states[0].reason,
                               "delivery temporarily suspended: connect to mx: refused"));
    g_assert_true (hk_span_is (stored->states[0].dsn, "4.4.1"));
    /* A flush tries at once, and the destination gets another chance. */
    hk_qmgr_transports_revive (rig->q);
    g_assert_true (hk_change_flush (rig->q, rig_entry (rig, first)));
    rig_finish (rig, rig_take (rig), SENT, 0, "ok");
    rig_free (rig);
}

static void
test_hold (void)
{
    Rig *rig = rig_new ("");
    HkQueueId id = rig_send (rig, "a@example.org", "b@example.com", 0, HK_ENVELOPE_HOLD);
    rig_settle (rig);
    g_assert_cmpint (rig_entry (rig, id)->queue, ==, HK_QUEUE_HOLD);
    rig_restart (rig);
    g_assert_cmpint (rig_entry (rig, id)->queue, ==, HK_QUEUE_HOLD);
    g_assert_true (hk_change_release (rig->q, rig_entry (rig, id)));
    rig_finish (rig, rig_take (rig), SENT, 0, "ok");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

/* Held or deleted while a job runs: the job ends, then it counts. */
static void
test_change_while_active (void)
{
    Rig *rig = rig_new ("");
    HkQueueId id = rig_send (rig, "a@example.org", "b@example.com", 0, 0);
    RigJob *job = rig_take (rig);
    g_assert_true (hk_change_hold (rig->q, rig_entry (rig, id)));
    rig_finish (rig, job, DEFERRED, 0, "later");
    rig_settle (rig);
    g_assert_cmpint (rig_entry (rig, id)->queue, ==, HK_QUEUE_HOLD);
    g_assert_true (hk_change_requeue (rig->q, rig_entry (rig, id)));
    job = rig_take (rig);
    g_assert_true (hk_change_delete (rig->q, rig_entry (rig, id)));
    rig_finish (rig, job, BOUNCED, 0, "no such user");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    g_assert_cmpuint (rig->n_jobs, ==, 2);
    rig_free (rig);
}

static void
test_forced_expire (void)
{
    Rig *rig = rig_new ("");
    HkQueueId id = rig_send (rig, "a@example.org", "b@example.com", 0, HK_ENVELOPE_HOLD);
    rig_settle (rig);
    g_assert_true (hk_change_expire (rig->q, rig_entry (rig, id), false));
    g_assert_cmpint (rig_entry (rig, id)->queue, ==, HK_QUEUE_HOLD);
    g_assert_true (hk_change_expire (rig->q, rig_entry (rig, id), true));
    RigJob *job = rig_take (rig); /* no attempt: the bounce is the first job */
    g_assert_cmpstr (job->recipients, ==, "a@example.org");
    g_assert_nonnull (strstr (job->content, "administratively expired"));
    rig_finish (rig, job, SENT, 0, "ok");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

static void
test_forward (void)
{
    Rig *rig = rig_new ("");
    rig_send (rig, "a@example.org", "b@example.com", 0, 0);
    RigJob *job = rig_take (rig);
    rig_forward (rig, job, 0, "new@example.net");
    rig_finish (rig, job, SENT, HK_RESULT_DSN_RELAYED, "forwarded");
    job = rig_take (rig);
    g_assert_cmpstr (job->recipients, ==, "new@example.net");
    g_assert_true (g_str_has_prefix (job->content, "Received: by mail.example.org ("));
    g_assert_nonnull (
        strstr (job->content, "\r\nDelivered-To: old@example.org\r\nFrom: a@"));
    rig_finish (rig, job, SENT, 0, "ok");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

/* Over the limit messages wait as entries and are read from disk when there is room. */
static void
test_active_limit (void)
{
    Rig *rig = rig_new ("qmgr_message_active_limit = 2\n");
    for (int i = 0; i < 7; i++) {
        rig_send (rig, "a@example.org", "b@example.com", 0, 0);
        g_assert_cmpuint (g_hash_table_size (rig->q->active), <=, 2);
    }
    for (int i = 0; i < 7; i++)
        rig_finish (rig, rig_take (rig), SENT, 0, "ok");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

/* Ended and begun again while nothing was answered: it is tried once more. */
static void
test_restart_active (void)
{
    Rig *rig = rig_new ("");
    HkQueueId id = rig_send (rig, "a@example.org", "b@example.com", 0, 0);
    rig_drop (rig_take (rig));
    rig_restart (rig);
    g_assert_nonnull (rig_entry (rig, id));
    rig_finish (rig, rig_take (rig), SENT, 0, "ok");
    rig_settle (rig);
    rig_restart (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

static void
test_content_filter_and_limits (void)
{
    Rig *rig = rig_new ("smtp_destination_recipient_limit = 2\n");
    rig_send (rig, "a@example.org", "b@example.com,c@example.com,d@example.com", 0, 0);
    RigJob *one = rig_take (rig), *two = rig_take (rig);
    g_assert_cmpuint (one->n_recipients + two->n_recipients, ==, 3);
    rig_finish (rig, one, SENT, 0, "ok");
    rig_finish (rig, two, SENT, 0, "ok");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

static void
test_waiting (void)
{
    Ring ring = {0};
    HkQueueId id, next = 1;
    for (HkQueueId i = 1; i <= 1000; i++) {
        hk_ring_push (&ring, i);
        if (i % 3 == 0) {
            g_assert_true (hk_ring_pop (&ring, &id));
            g_assert_cmpuint (id, ==, next++);
        }
    }
    while (hk_ring_pop (&ring, &id))
        g_assert_cmpuint (id, ==, next++);
    g_assert_cmpuint (next, ==, 1001);
    hk_ring_clear (&ring);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    hk_register_params ();
    g_test_add_func ("/qmgr/waiting", test_waiting);
    g_test_add_func ("/qmgr/deliver", test_deliver);
    g_test_add_func ("/qmgr/retry", test_retry);
    g_test_add_func ("/qmgr/limits", test_content_filter_and_limits);
    g_test_add_func ("/qmgr/active-limit", test_active_limit);
    g_test_add_func ("/qmgr/restart", test_restart_active);
    g_test_add_func ("/qmgr/bounce/single", test_bounce);
    g_test_add_func ("/qmgr/bounce/double", test_double_bounce);
    g_test_add_func ("/qmgr/bounce/postmaster", test_postmaster_copy);
    g_test_add_func ("/qmgr/bounce/notify", test_notify);
    g_test_add_func ("/qmgr/bounce/soft", test_soft_bounce);
    g_test_add_func ("/qmgr/bounce/expire", test_expire);
    g_test_add_func ("/qmgr/bounce/delay", test_delay_warning);
    g_test_add_func ("/qmgr/agent/crash", test_crash);
    g_test_add_func ("/qmgr/agent/stuck", test_stuck);
    g_test_add_func ("/qmgr/agent/unknown", test_unknown_transport);
    g_test_add_func ("/qmgr/agent/dead-site", test_dead_site);
    g_test_add_func ("/qmgr/agent/forward", test_forward);
    g_test_add_func ("/qmgr/admin/hold", test_hold);
    g_test_add_func ("/qmgr/admin/active", test_change_while_active);
    g_test_add_func ("/qmgr/admin/expire", test_forced_expire);
    return g_test_run ();
}
