/* test_promise.c: what senders ask for with their mail: not before, not after, at once, a
 * sender address for each recipient. */
#include "config.h"

#include "qmgr/test_rig.h"
#include "role/params.h"

#define SENT HK_STATUS_SENT
#define DEFERRED HK_STATUS_DEFERRED
#define BOUNCED HK_STATUS_BOUNCED

static int64_t
now_s (const Rig *rig)
{
    return rig->clock.wall / HK_SECOND;
}

/* It waits as deferred mail, over a restart and a flush, and its age counts from its release. */
static void
test_release (void)
{
    Rig *rig = rig_new ("delay_warning_time = 1h\n");
    rig->asked.release_s = now_s (rig) + 7200;
    HkQueueId id = rig_send (rig, "a@example.org", "b@example.com", 0, 0);
    rig_settle (rig);
    g_assert_cmpuint (rig->n_jobs, ==, 0);
    HkEntry *entry = rig_entry (rig, id);
    g_assert_cmpint (entry->queue, ==, HK_QUEUE_DEFERRED);
    g_assert_cmpint (entry->next_attempt, ==, rig->asked.release_s);
    rig_restart (rig);
    entry = rig_entry (rig, id);
    g_assert_cmpint (entry->next_attempt, ==, rig->asked.release_s);
    g_assert_true (hk_change_flush (rig->q, entry)); /* an admin cannot let it go earlier */
    rig_settle (rig);
    g_assert_cmpuint (rig->n_jobs, ==, 0);
    entry = rig_entry (rig, id);
    g_assert_cmpint (entry->next_attempt, ==, rig->asked.release_s);
    g_autoptr (HkStoredMessage) stored = hk_store_load (rig->q->store, entry, NULL);
    g_assert_true (hk_span_starts_ci (stored->states[0].reason, HK_SPAN ("to be released at ")));
    rig_advance (rig, 7201);
    rig_finish (rig, rig_take (rig), DEFERRED, 0, "later");
    rig_settle (rig);
    g_assert_cmpuint (rig->n_jobs, ==, 1); /* no warning: it is a second old */
    g_assert_cmpint (entry->next_attempt, <=, now_s (rig) + 330);
    rig_advance (rig, 331);
    rig_finish (rig, rig_take (rig), SENT, 0, "ok");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

/* A message that no qmgr had seen before the restart, and one that an admin wants back. */
static void
test_release_from_disk (void)
{
    Rig *rig = rig_new ("qmgr_message_active_limit = 1\nqmgr_message_recipient_minimum = 1\n");
    RigJob *first;
    rig_send (rig, "a@example.org", "first@example.com", 0, 0);
    first = rig_take (rig);
    rig->asked.release_s = now_s (rig) + 7200;
    HkQueueId id = rig_send (rig, "a@example.org", "b@example.com", 0, 0);
    rig_finish (rig, first, SENT, 0, "ok"); /* now there is room: it is read from disk */
    rig_settle (rig);
    HkEntry *entry = rig_entry (rig, id);
    g_assert_cmpint (entry->queue, ==, HK_QUEUE_DEFERRED);
    g_assert_cmpint (entry->next_attempt, ==, rig->asked.release_s);
    rig->asked.release_s = 0;
    g_assert_true (hk_change_expire (rig->q, entry, false));
    RigJob *notice = rig_take (rig);
    g_assert_cmpstr (notice->sender, ==, "");
    g_assert_nonnull (strstr (notice->content, "Action: failed"));
    rig_finish (rig, notice, SENT, 0, "ok");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

/* DELIVERBY, R: back at its time, not at the queue's. */
static void
test_by_return (void)
{
    Rig *rig = rig_new ("");
    rig->asked.deliver_by_us = rig->clock.wall + 100 * HK_SECOND;
    HkQueueId id = rig_send (rig, "a@example.org", "b@example.com", 0, HK_ENVELOPE_BY_RETURN);
    rig_finish (rig, rig_take (rig), DEFERRED, 0, "no connection");
    rig_settle (rig);
    HkEntry *entry = rig_entry (rig, id);
    g_assert_cmpint (entry->next_attempt, >, now_s (rig) + 99);
    g_assert_cmpint (entry->next_attempt, <=, now_s (rig) + 101);
    rig_advance (rig, 102);
    RigJob *notice = rig_take (rig);
    g_assert_cmpstr (notice->sender, ==, "");
    g_assert_cmpstr (notice->recipients, ==, "a@example.org");
    g_assert_nonnull (strstr (notice->content, "Action: failed"));
    g_assert_nonnull (strstr (notice->content, "Status: 5.4.7"));
    rig_finish (rig, notice, SENT, 0, "ok");
    rig_settle (rig);
    g_assert_cmpuint (rig->n_jobs, ==, 2); /* it was not tried again */
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

/* The time is over while the attempt goes on. */
static void
test_by_return_meanwhile (void)
{
    Rig *rig = rig_new ("");
    rig->asked.deliver_by_us = rig->clock.wall + 100 * HK_SECOND;
    rig_send (rig, "a@example.org", "b@example.com,c@example.com", 0, HK_ENVELOPE_BY_RETURN);
    RigJob *job = rig_take (rig);
    rig_advance (rig, 200);
    rig_answer (rig, job, 0, SENT, HK_RESULT_FINAL, "2.0.0", "delivered");
    rig_answer (rig, job, 1, DEFERRED, 0, "4.2.2", "mailbox full");
    rig_done (rig, job);
    RigJob *notice = rig_take (rig);
    g_assert_nonnull (strstr (notice->content, "Status: 5.4.7"));
    g_assert_nonnull (strstr (notice->content, "mailbox full"));
    g_assert_null (strstr (notice->content, "b@example.com"));
    rig_finish (rig, notice, SENT, 0, "ok");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

/* N: the sender is told once, also over a restart, and delivery goes on. */
static void
test_by_notify (void)
{
    Rig *rig = rig_new ("");
    rig->asked.deliver_by_us = rig->clock.wall + 100 * HK_SECOND;
    rig_send (rig, "a@example.org", "b@example.com", 0, HK_ENVELOPE_BY_NOTIFY);
    rig_finish (rig, rig_take (rig), DEFERRED, 0, "no connection");
    rig_settle (rig);
    rig_advance (rig, 102);
    rig_finish (rig, rig_take (rig), DEFERRED, 0, "no connection");
    RigJob *notice = rig_take (rig);
    g_assert_cmpstr (notice->recipients, ==, "a@example.org");
    g_assert_nonnull (strstr (notice->content, "Action: delayed"));
    g_assert_nonnull (strstr (notice->content, "Status: 4.4.7"));
    rig_finish (rig, notice, SENT, 0, "ok");
    rig_settle (rig);
    rig_restart (rig);
    rig_advance (rig, 400);
    rig_finish (rig, rig_take (rig), DEFERRED, 0, "no connection");
    rig_settle (rig);
    g_assert_cmpuint (rig->n_jobs, ==, 4); /* no second notice */
    rig_advance (rig, 4500);
    rig_finish (rig, rig_take (rig), SENT, HK_RESULT_FINAL, "ok");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

/* Who is told "relayed": nobody counts behind it, or a trace is wanted. */
static void
test_by_relayed (void)
{
    static const struct {
        uint32_t asked, notify, flags;
        bool is_told;
    } cases[] = {
        {HK_ENVELOPE_BY_NOTIFY, 0, 0, true},
        {HK_ENVELOPE_BY_NOTIFY, 0, HK_RESULT_BY_RELAYED, false},
        {HK_ENVELOPE_BY_NOTIFY, HK_NOTIFY_NEVER, 0, false},
        {HK_ENVELOPE_BY_NOTIFY, 0, HK_RESULT_FINAL, false},
        {HK_ENVELOPE_BY_RETURN, 0, HK_RESULT_BY_RELAYED, false},
        {HK_ENVELOPE_BY_RETURN | HK_ENVELOPE_BY_TRACE, 0, HK_RESULT_BY_RELAYED, true},
        {HK_ENVELOPE_BY_RETURN | HK_ENVELOPE_BY_TRACE, 0, HK_RESULT_FINAL, false},
        {0, 0, 0, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        Rig *rig = rig_new ("");
        rig->asked.deliver_by_us = rig->clock.wall + 100 * HK_SECOND;
        rig_send (rig, "a@example.org", "b@example.com", cases[i].notify, cases[i].asked);
        rig_finish (rig, rig_take (rig), SENT, cases[i].flags, "250 ok");
        if (cases[i].is_told) {
            RigJob *notice = rig_take (rig);
            g_assert_nonnull (strstr (notice->content, "Action: relayed"));
            rig_finish (rig, notice, SENT, 0, "ok");
        }
        rig_settle (rig);
        g_assert_cmpuint (rig->n_jobs, ==, 1 + cases[i].is_told);
        g_assert_cmpuint (rig_count (rig), ==, 0);
        rig_free (rig);
    }
}

/* At a next hop that takes one at a time the urgent ones go first. */
static void
test_priority (void)
{
    static const struct {
        const char *recipient;
        int priority;
    } mail[] = {{"normal@example.com", 0}, {"low@example.com", -4}, {"high@example.com", 4}};
    static const char *const order[] = {"high@example.com", "normal@example.com",
                                        "low@example.com"};
    Rig *rig = rig_new ("default_destination_concurrency_limit = 1\n"
                        "initial_destination_concurrency = 1\n");
    rig_send (rig, "a@example.org", "running@example.com", 0, 0);
    RigJob *running = rig_take (rig);
    for (size_t i = 0; i < G_N_ELEMENTS (mail); i++) {
        rig->asked.priority = mail[i].priority;
        rig_send (rig, "a@example.org", mail[i].recipient, 0, 0);
    }
    rig_finish (rig, running, SENT, 0, "ok");
    for (size_t i = 0; i < G_N_ELEMENTS (order); i++) {
        RigJob *job = rig_take (rig);
        g_assert_cmpstr (job->recipients, ==, order[i]);
        rig_finish (rig, job, SENT, 0, "ok");
    }
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

/* VERP: one recipient a job; the notice goes to the address that it saw. */
static void
test_verp (void)
{
    Rig *rig = rig_new ("");
    rig->asked.verp = HK_SPAN ("+=");
    rig_send (rig, "list@example.org", "b@example.com,c@example.com", 0, 0);
    rig->asked.verp = HK_SPAN_NONE;
    RigJob *jobs[2] = {rig_take (rig), rig_take (rig)};
    g_assert_cmpstr (jobs[0]->sender, ==, "list+b=example.com@example.org");
    g_assert_cmpstr (jobs[0]->recipients, ==, "b@example.com");
    g_assert_cmpstr (jobs[1]->sender, ==, "list+c=example.com@example.org");
    rig_finish (rig, jobs[0], BOUNCED, 0, "no such user");
    rig_finish (rig, jobs[1], BOUNCED, 0, "no such user");
    RigJob *notices[2] = {rig_take (rig), rig_take (rig)};
    g_assert_cmpstr (notices[0]->recipients, ==, "list+b=example.com@example.org");
    g_assert_null (strstr (notices[0]->content, "Final-Recipient: rfc822; c@"));
    g_assert_cmpstr (notices[1]->recipients, ==, "list+c=example.com@example.org");
    rig_finish (rig, notices[0], SENT, 0, "ok");
    rig_finish (rig, notices[1], SENT, 0, "ok");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

static void
test_one_verp_bounce (void)
{
    Rig *rig = rig_new ("disable_verp_bounces = yes\n");
    rig->asked.verp = HK_SPAN ("+=");
    rig_send (rig, "list@example.org", "b@example.com,c@example.com", 0, 0);
    rig->asked.verp = HK_SPAN_NONE;
    rig_finish (rig, rig_take (rig), BOUNCED, 0, "no such user");
    rig_finish (rig, rig_take (rig), BOUNCED, 0, "no such user");
    RigJob *notice = rig_take (rig);
    g_assert_cmpstr (notice->recipients, ==, "list@example.org");
    g_assert_nonnull (strstr (notice->content, "Final-Recipient: rfc822; b@"));
    g_assert_nonnull (strstr (notice->content, "Final-Recipient: rfc822; c@"));
    rig_finish (rig, notice, SENT, 0, "ok");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    rig_free (rig);
}

/* Secrets and bytes without lines do not come back whole. */
static void
test_notice_without_body (void)
{
    static const uint32_t flags[] = {0, HK_ENVELOPE_REQUIRE_TLS, HK_ENVELOPE_BODY_BINARY};
    for (size_t i = 0; i < G_N_ELEMENTS (flags); i++) {
        Rig *rig = rig_new ("");
        rig_send (rig, "a@example.org", "b@example.com", 0, flags[i]);
        rig_finish (rig, rig_take (rig), BOUNCED, 0, "no such user");
        RigJob *notice = rig_take (rig);
        g_assert_nonnull (strstr (notice->content, "Subject: a letter"));
        g_assert_cmpint (strstr (notice->content, "Body.") != NULL, ==, flags[i] == 0);
        rig_finish (rig, notice, SENT, 0, "ok");
        rig_settle (rig);
        rig_free (rig);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    hk_register_params ();
    g_test_add_func ("/promise/release", test_release);
    g_test_add_func ("/promise/release/from-disk", test_release_from_disk);
    g_test_add_func ("/promise/by/return", test_by_return);
    g_test_add_func ("/promise/by/return-meanwhile", test_by_return_meanwhile);
    g_test_add_func ("/promise/by/notify", test_by_notify);
    g_test_add_func ("/promise/by/relayed", test_by_relayed);
    g_test_add_func ("/promise/priority", test_priority);
    g_test_add_func ("/promise/verp", test_verp);
    g_test_add_func ("/promise/verp/one-bounce", test_one_verp_bounce);
    g_test_add_func ("/promise/notice-without-body", test_notice_without_body);
    return g_test_run ();
}
