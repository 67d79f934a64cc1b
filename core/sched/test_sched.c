/* test_sched.c: fairness, windows, dead destinations and limits, with a clock of our own.
 */
#include "config.h"

#include "sched/sched.h"

#define S INT64_C (1000000)

static HkSchedLimits test_limits;

static void
give_limits (const char *transport, HkSchedLimits *out, void *data)
{
    (void) transport, (void) data;
    *out = test_limits;
}

static void
usual_limits (void)
{
    test_limits = (HkSchedLimits){
        .process_limit = 100,
        .initial_concurrency = 5,
        .concurrency_limit = 20,
        .recipient_limit = 50,
        .positive = {HK_FEEDBACK_FIXED, 1},
        .negative = {HK_FEEDBACK_FIXED, 1},
        .cohort_failure_limit = 1,
        .dead_rest_us = 300 * S,
    };
}

typedef struct {
    HkSched *sched;
    HkSchedTransport *smtp;
    int64_t now;
} Fixture;

static Fixture
begin (void)
{
    Fixture f = {.sched = hk_sched_new (give_limits, NULL), .now = 1000 * S};
    f.smtp = hk_sched_transport (f.sched, "smtp");
    return f;
}

static HkSchedMessage *
letter (Fixture *f, const char *owner, const char *site)
{
    HkSchedMessage *message = hk_sched_message_new (f->sched, (void *) owner);
    hk_sched_message_add (message, f->smtp, site, site, 0);
    hk_sched_message_open (message);
    return message;
}

static HkSchedMessage *
bulk (Fixture *f, const char *owner, unsigned n, bool one_site)
{
    HkSchedMessage *message = hk_sched_message_new (f->sched, (void *) owner);
    for (unsigned i = 0; i < n; i++) {
        char site[32];
        g_snprintf (site, sizeof site, "d%u.example", one_site ? 0 : i);
        hk_sched_message_add (message, f->smtp, site, site, i);
    }
    hk_sched_message_open (message);
    return message;
}

static unsigned
drain (Fixture *f, GPtrArray *handles)
{
    HkSchedJob job;
    unsigned n = 0;
    for (; hk_sched_next (f->smtp, f->now, &job); n++)
        g_ptr_array_add (handles, job.handle);
    return n;
}

static void
end_all (Fixture *f, GPtrArray *handles, HkSiteFeedback feedback)
{
    for (guint i = 0; i < handles->len; i++)
        hk_sched_job_end (g_ptr_array_index (handles, i), feedback, "gone", f->now);
    g_ptr_array_set_size (handles, 0);
}

static void
test_single (void)
{
    usual_limits ();
    Fixture f = begin ();
    HkSchedMessage *message = letter (&f, "a", "example.org");
    g_assert_cmpuint (hk_sched_message_pending (message), ==, 1);
    HkSchedJob job;
    g_assert_true (hk_sched_next (f.smtp, f.now, &job));
    g_assert_cmpstr (job.owner, ==, "a");
    g_assert_cmpstr (job.nexthop, ==, "example.org");
    g_assert_cmpuint (job.n_recipients, ==, 1);
    g_assert_cmpuint (hk_sched_message_pending (message), ==, 0);
    g_assert_cmpuint (hk_sched_message_running (message), ==, 1);
    g_assert_false (hk_sched_next (f.smtp, f.now, &job));
    hk_sched_job_end (job.handle, HK_SITE_OK, NULL, f.now);
    g_assert_cmpuint (hk_sched_message_running (message), ==, 0);
    hk_sched_message_free (message);
    g_assert_cmpuint (hk_sched_n_sites (f.sched), ==, 0);
    hk_sched_free (f.sched);
}

/* Recipients of one site are grouped, at most recipient_limit a job, in their order. */
static void
test_groups (void)
{
    usual_limits ();
    Fixture f = begin ();
    HkSchedMessage *message = bulk (&f, "m", 120, true);
    HkSchedJob job;
    unsigned sizes[3] = {50, 50, 20}, at = 0;
    g_autoptr (GPtrArray) handles = g_ptr_array_new ();
    for (int i = 0; i < 3; i++) {
        g_assert_true (hk_sched_next (f.smtp, f.now, &job));
        g_assert_cmpuint (job.n_recipients, ==, sizes[i]);
        for (size_t k = 0; k < job.n_recipients; k++)
            g_assert_cmpuint (job.recipients[k], ==, at++);
        g_ptr_array_add (handles, job.handle);
    }
    g_assert_false (hk_sched_next (f.smtp, f.now, &job));
    end_all (&f, handles, HK_SITE_OK);
    hk_sched_message_free (message);
    hk_sched_free (f.sched);
}

/* A letter behind 50,000 recipients in as many domains is the second job. */
static void
test_letter_behind_many_sites (void)
{
    usual_limits ();
    test_limits.process_limit = 1;
    Fixture f = begin ();
    HkSchedMessage *big = bulk (&f, "big", 50000, false);
    HkSchedMessage *small = letter (&f, "small", "other.example");
    HkSchedMessage *shared = letter (&f, "shared", "d40000.example");
    const char *order[4];
    for (int i = 0; i < 4; i++) {
        HkSchedJob job;
        g_assert_true (hk_sched_next (f.smtp, f.now, &job));
        order[i] = job.owner;
        hk_sched_job_end (job.handle, HK_SITE_OK, NULL, f.now);
    }
    g_assert_cmpstr (order[0], ==, "big");
    g_assert_cmpstr (order[1], ==, "small");
    g_assert_cmpstr (order[2], ==, "shared");
    g_assert_cmpstr (order[3], ==, "big");
    hk_sched_message_free (big);
    hk_sched_message_free (small);
    hk_sched_message_free (shared);
    g_assert_cmpuint (hk_sched_n_sites (f.sched), ==, 0);
    hk_sched_free (f.sched);
}

/* The same when all recipients are in one domain: one bulk job at most comes first, and
 * letters that keep coming do not stop the bulk. */
static void
test_letters_and_bulk_at_one_site (void)
{
    usual_limits ();
    test_limits.initial_concurrency = test_limits.concurrency_limit = 1;
    Fixture f = begin ();
    HkSchedMessage *big = bulk (&f, "big", 50000, true);
    HkSchedMessage *letters[20];
    for (int i = 0; i < 20; i++)
        letters[i] = letter (&f, "letter", "d0.example");
    unsigned n_big = 0, n_letters = 0;
    for (int i = 0; i < 20; i++) {
        HkSchedJob job;
        g_assert_true (hk_sched_next (f.smtp, f.now, &job));
        if (i < 2)
            g_assert_cmpstr (job.owner, ==, i == 0 ? "big" : "letter");
        *(strcmp (job.owner, "big") == 0 ? &n_big : &n_letters) += 1;
        hk_sched_job_end (job.handle, HK_SITE_OK, NULL, f.now);
    }
    g_assert_cmpuint (n_big, ==, 10);
    g_assert_cmpuint (n_letters, ==, 10);
    hk_sched_message_free (big);
    for (int i = 0; i < 20; i++)
        hk_sched_message_free (letters[i]);
    hk_sched_free (f.sched);
}

/* Two big messages at one site take turns. */
static void
test_bulk_round_robin (void)
{
    usual_limits ();
    test_limits.initial_concurrency = test_limits.concurrency_limit = 1;
    Fixture f = begin ();
    HkSchedMessage *a = bulk (&f, "a", 1000, true), *b = bulk (&f, "b", 1000, true);
    unsigned n_a = 0;
    for (int i = 0; i < 20; i++) {
        HkSchedJob job;
        g_assert_true (hk_sched_next (f.smtp, f.now, &job));
        n_a += strcmp (job.owner, "a") == 0;
        hk_sched_job_end (job.handle, HK_SITE_OK, NULL, f.now);
    }
    g_assert_cmpuint (n_a, ==, 10);
    hk_sched_message_free (a);
    hk_sched_message_free (b);
    hk_sched_free (f.sched);
}

/* A site with much mail fills its window only; others get the rest of the transport. */
static void
test_windows_and_process_limit (void)
{
    usual_limits ();
    test_limits.process_limit = 8;
    Fixture f = begin ();
    HkSchedMessage *messages[40];
    for (int i = 0; i < 30; i++)
        messages[i] = letter (&f, "busy", "busy.example");
    for (int i = 30; i < 40; i++)
        messages[i] = letter (&f, "calm", "calm.example");
    unsigned n_busy = 0, n_calm = 0;
    HkSchedJob job;
    g_autoptr (GPtrArray) handles = g_ptr_array_new ();
    while (hk_sched_next (f.smtp, f.now, &job)) {
        *(strcmp (job.owner, "busy") == 0 ? &n_busy : &n_calm) += 1;
        g_ptr_array_add (handles, job.handle);
    }
    g_assert_cmpuint (n_busy, ==, 4);
    g_assert_cmpuint (n_calm, ==, 4);
    end_all (&f, handles, HK_SITE_OK);
    for (int i = 0; i < 40; i++)
        hk_sched_message_free (messages[i]);
    hk_sched_free (f.sched);
}

/* Success widens by one a job until the limit (SCHEDULER_README, feedback 1). */
static void
test_positive_feedback (void)
{
    usual_limits ();
    Fixture f = begin ();
    HkSchedMessage *messages[200];
    for (int i = 0; i < 200; i++)
        messages[i] = letter (&f, "m", "example.org");
    g_autoptr (GPtrArray) handles = g_ptr_array_new ();
    drain (&f, handles);
    for (unsigned ended = 0; ended < 20; ended++) {
        g_assert_cmpuint (handles->len, ==, MIN (5 + ended, 20));
        hk_sched_job_end (g_ptr_array_steal_index_fast (handles, 0), HK_SITE_OK, NULL,
                          f.now);
        drain (&f, handles);
    }
    end_all (&f, handles, HK_SITE_OK);
    for (int i = 0; i < 200; i++)
        hk_sched_message_free (messages[i]);
    hk_sched_free (f.sched);
}

/* With 1/concurrency a whole cohort widens by one. */
static void
test_positive_feedback_by_window (void)
{
    usual_limits ();
    test_limits.positive.form = HK_FEEDBACK_BY_WINDOW;
    Fixture f = begin ();
    HkSchedMessage *messages[100];
    for (int i = 0; i < 100; i++)
        messages[i] = letter (&f, "m", "example.org");
    g_autoptr (GPtrArray) handles = g_ptr_array_new ();
    drain (&f, handles);
    for (unsigned ended = 0; ended < 5; ended++) {
        g_assert_cmpuint (handles->len, ==, 5);
        hk_sched_job_end (g_ptr_array_steal_index_fast (handles, 0), HK_SITE_OK, NULL,
                          f.now);
        drain (&f, handles);
    }
    g_assert_cmpuint (handles->len, ==, 6);
    end_all (&f, handles, HK_SITE_OK);
    for (int i = 0; i < 100; i++)
        hk_sched_message_free (messages[i]);
    hk_sched_free (f.sched);
}

typedef struct {
    unsigned n;
    const char *reason;
} Given;

static void
take (void *owner, const uint32_t *recipients, size_t n, const char *transport,
      const char *nexthop, const char *reason, void *data)
{
    (void) owner, (void) recipients, (void) transport, (void) nexthop;
    Given *given = data;
    given->n += (unsigned) n;
    given->reason = reason;
    g_assert_cmpstr (reason, ==, "gone");
}

/* A cohort of failures kills the site: what is pending comes back, what arrives too, until
 * its rest is over. */
static void
test_dead_site (void)
{
    usual_limits ();
    Fixture f = begin ();
    HkSchedMessage *messages[11];
    for (int i = 0; i < 10; i++)
        messages[i] = letter (&f, "m", "dead.example");
    g_autoptr (GPtrArray) handles = g_ptr_array_new ();
    Given given = {0};
    g_assert_cmpuint (drain (&f, handles), ==, 5);
    end_all (&f, handles, HK_SITE_DOWN);
    g_assert_cmpuint (hk_sched_take_dead (f.sched, take, &given), ==, 5);
    HkSchedJob job;
    g_assert_false (hk_sched_next (f.smtp, f.now, &job));
    messages[10] = letter (&f, "m", "dead.example");
    g_assert_cmpuint (hk_sched_take_dead (f.sched, take, &given), ==, 1);
    g_assert_cmpint (hk_sched_tick (f.sched, f.now), ==, f.now + 300 * S);
    f.now += 300 * S;
    g_assert_cmpint (hk_sched_tick (f.sched, f.now), ==, INT64_MAX);
    for (int i = 0; i < 11; i++)
        hk_sched_message_free (messages[i]);
    g_assert_cmpuint (hk_sched_n_sites (f.sched), ==, 0);
    HkSchedMessage *again = letter (&f, "m", "dead.example");
    g_assert_true (hk_sched_next (f.smtp, f.now, &job));
    hk_sched_job_end (job.handle, HK_SITE_OK, NULL, f.now);
    hk_sched_message_free (again);
    hk_sched_free (f.sched);
}

static void
test_revive (void)
{
    usual_limits ();
    test_limits.initial_concurrency = 1;
    Fixture f = begin ();
    HkSchedMessage *a = letter (&f, "a", "x.example");
    HkSchedJob job;
    g_assert_true (hk_sched_next (f.smtp, f.now, &job));
    hk_sched_job_end (job.handle, HK_SITE_DOWN, "gone", f.now);
    hk_sched_message_free (a);
    g_assert_cmpuint (hk_sched_n_sites (f.sched), ==, 1);
    hk_sched_revive (f.sched, "other.example");
    g_assert_cmpuint (hk_sched_n_sites (f.sched), ==, 1);
    hk_sched_revive (f.sched, NULL);
    g_assert_cmpuint (hk_sched_n_sites (f.sched), ==, 0);
    hk_sched_free (f.sched);
}

/* One failure among successes narrows the window by one and kills nothing. */
static void
test_negative_feedback (void)
{
    usual_limits ();
    Fixture f = begin ();
    HkSchedMessage *messages[60];
    for (int i = 0; i < 60; i++)
        messages[i] = letter (&f, "m", "example.org");
    g_autoptr (GPtrArray) handles = g_ptr_array_new ();
    g_assert_cmpuint (drain (&f, handles), ==, 5);
    hk_sched_job_end (g_ptr_array_steal_index (handles, 4), HK_SITE_DOWN, "gone", f.now);
    end_all (&f, handles, HK_SITE_UNTRIED);
    g_assert_cmpuint (drain (&f, handles), ==, 4);
    end_all (&f, handles, HK_SITE_UNTRIED);
    Given given = {0};
    g_assert_cmpuint (hk_sched_take_dead (f.sched, take, &given), ==, 0);
    for (int i = 0; i < 60; i++)
        hk_sched_message_free (messages[i]);
    hk_sched_free (f.sched);
}

/* A site that wants us to slow down gets half the window, and a pause. */
static HkSchedMessage *
urgent (Fixture *f, const char *owner, const char *site, int priority)
{
    HkSchedMessage *message = hk_sched_message_new (f->sched, (void *) owner);
    hk_sched_message_order (message, priority, false);
    hk_sched_message_add (message, f->smtp, site, site, 0);
    hk_sched_message_open (message);
    return message;
}

static void
expect_order (Fixture *f, const char *const *owners)
{
    for (; *owners != NULL; owners++) {
        HkSchedJob job;
        g_assert_true (hk_sched_next (f->smtp, f->now, &job));
        g_assert_cmpstr (job.owner, ==, *owners);
        hk_sched_job_end (job.handle, HK_SITE_OK, NULL, f->now);
    }
}

/* At one site, and between sites. */
static void
test_priority (void)
{
    static const char *const sites[] = {"a.example", "b.example", "c.example",
                                        "d.example", "e.example", "f.example"};
    for (int is_one_site = 0; is_one_site < 2; is_one_site++) {
        usual_limits ();
        test_limits.process_limit = test_limits.initial_concurrency =
            test_limits.concurrency_limit = 1;
        Fixture f = begin ();
        HkSchedMessage *all[6];
        static const struct {
            const char *owner;
            int priority;
        } in[] = {{"running", 0}, {"low", -5}, {"first", 0},
                  {"second", 0},  {"high", 3}, {"highest", 9}};
        static const char *const out[] = {"highest", "high", "first", "second", "low", NULL};
        HkSchedJob running;
        for (size_t i = 0; i < G_N_ELEMENTS (in); i++) {
            all[i] = urgent (&f, in[i].owner, sites[is_one_site ? 0 : i], in[i].priority);
            if (i == 0)
                g_assert_true (hk_sched_next (f.smtp, f.now, &running));
        }
        hk_sched_job_end (running.handle, HK_SITE_OK, NULL, f.now);
        expect_order (&f, out);
        for (size_t i = 0; i < G_N_ELEMENTS (in); i++)
            hk_sched_message_free (all[i]);
        hk_sched_free (f.sched);
    }
}

/* However much urgent mail comes, the rest goes out: it is overtaken so many times only. */
static void
test_priority_does_not_starve (void)
{
    for (int is_one_site = 0; is_one_site < 2; is_one_site++) {
        usual_limits ();
        test_limits.process_limit = test_limits.initial_concurrency =
            test_limits.concurrency_limit = 1;
        Fixture f = begin ();
        HkSchedMessage *low = urgent (&f, "low", "low.example", -9);
        g_autoptr (GPtrArray) others = g_ptr_array_new ();
        HkSchedJob job;
        bool is_done = false;
        const unsigned bound = 18 * HK_SCHED_PRIORITY_STEP + 2;
        for (unsigned i = 0; i < 10 && !is_done; i++)
            g_ptr_array_add (others, urgent (&f, "high", is_one_site ? "low.example" : "h",
                                             9));
        unsigned n = 0;
        for (; !is_done; n++) { /* as many come as go */
            g_assert_cmpuint (n, <=, bound);
            g_ptr_array_add (others, urgent (&f, "high", is_one_site ? "low.example" : "h",
                                             9));
            g_assert_true (hk_sched_next (f.smtp, f.now, &job));
            is_done = strcmp (job.owner, "low") == 0;
            hk_sched_job_end (job.handle, HK_SITE_OK, NULL, f.now);
        }
        g_assert_cmpuint (n, >, 10);
        hk_sched_message_free (low);
        for (guint i = 0; i < others->len; i++)
            hk_sched_message_free (g_ptr_array_index (others, i));
        hk_sched_free (f.sched);
    }
}

/* VERP: each recipient has a sender of its own. */
static void
test_single_recipients (void)
{
    usual_limits ();
    Fixture f = begin ();
    HkSchedMessage *message = hk_sched_message_new (f.sched, (void *) "m");
    hk_sched_message_order (message, 0, true);
    for (unsigned i = 0; i < 3; i++)
        hk_sched_message_add (message, f.smtp, "d.example", "d.example", i);
    hk_sched_message_open (message);
    for (unsigned i = 0; i < 3; i++) {
        HkSchedJob job;
        g_assert_true (hk_sched_next (f.smtp, f.now, &job));
        g_assert_cmpuint (job.n_recipients, ==, 1);
        g_assert_cmpuint (job.recipients[0], ==, i);
        hk_sched_job_end (job.handle, HK_SITE_OK, NULL, f.now);
    }
    hk_sched_message_free (message);
    hk_sched_free (f.sched);
}

static void
test_throttled (void)
{
    usual_limits ();
    Fixture f = begin ();
    HkSchedMessage *messages[20];
    for (int i = 0; i < 20; i++)
        messages[i] = letter (&f, "m", "example.org");
    g_autoptr (GPtrArray) handles = g_ptr_array_new ();
    g_assert_cmpuint (drain (&f, handles), ==, 5);
    hk_sched_job_end (g_ptr_array_steal_index (handles, 4), HK_SITE_THROTTLED, NULL, f.now);
    end_all (&f, handles, HK_SITE_UNTRIED);
    g_assert_cmpuint (drain (&f, handles), ==, 0);
    f.now = hk_sched_tick (f.sched, f.now);
    hk_sched_tick (f.sched, f.now);
    g_assert_cmpuint (drain (&f, handles), ==, 2);
    end_all (&f, handles, HK_SITE_UNTRIED);
    for (int i = 0; i < 20; i++)
        hk_sched_message_free (messages[i]);
    hk_sched_free (f.sched);
}

static void
test_rate_delay (void)
{
    usual_limits ();
    test_limits.rate_delay_us = 3 * S;
    Fixture f = begin ();
    HkSchedMessage *a = letter (&f, "a", "slow.example"),
                   *b = letter (&f, "b", "slow.example");
    g_autoptr (GPtrArray) handles = g_ptr_array_new ();
    g_assert_cmpuint (drain (&f, handles), ==, 1);
    end_all (&f, handles, HK_SITE_OK);
    g_assert_cmpuint (drain (&f, handles), ==, 0);
    g_assert_cmpint (hk_sched_tick (f.sched, f.now), ==, f.now + 3 * S);
    f.now += 3 * S;
    hk_sched_tick (f.sched, f.now);
    g_assert_cmpuint (drain (&f, handles), ==, 1);
    end_all (&f, handles, HK_SITE_OK);
    hk_sched_message_free (a);
    hk_sched_message_free (b);
    hk_sched_free (f.sched);
}

static void
test_transport_delay (void)
{
    usual_limits ();
    test_limits.transport_delay_us = S;
    Fixture f = begin ();
    HkSchedMessage *a = letter (&f, "a", "a.example"), *b = letter (&f, "b", "b.example");
    g_autoptr (GPtrArray) handles = g_ptr_array_new ();
    g_assert_cmpuint (drain (&f, handles), ==, 1);
    g_assert_cmpint (hk_sched_tick (f.sched, f.now), ==, f.now + S);
    f.now += S;
    g_assert_cmpuint (drain (&f, handles), ==, 1);
    end_all (&f, handles, HK_SITE_OK);
    hk_sched_message_free (a);
    hk_sched_message_free (b);
    hk_sched_free (f.sched);
}

/* Hold or delete: nothing of the message is given out any more. */
static void
test_withdraw (void)
{
    usual_limits ();
    Fixture f = begin ();
    HkSchedMessage *big = bulk (&f, "big", 500, false), *b = letter (&f, "b", "d3.example");
    HkSchedJob job, other;
    g_assert_true (hk_sched_next (f.smtp, f.now, &job));
    hk_sched_message_withdraw (big);
    g_assert_cmpuint (hk_sched_message_pending (big), ==, 0);
    g_assert_cmpuint (hk_sched_message_running (big), ==, 1);
    g_assert_true (hk_sched_next (f.smtp, f.now, &other));
    g_assert_cmpstr (other.owner, ==, "b");
    HkSchedJob none;
    g_assert_false (hk_sched_next (f.smtp, f.now, &none));
    hk_sched_job_end (job.handle, HK_SITE_OK, NULL, f.now);
    hk_sched_job_end (other.handle, HK_SITE_OK, NULL, f.now);
    hk_sched_message_free (big);
    hk_sched_message_free (b);
    g_assert_cmpuint (hk_sched_n_sites (f.sched), ==, 0);
    hk_sched_free (f.sched);
}

/* The agent died with a job: its recipients are offered again. */
static void
test_give_back (void)
{
    usual_limits ();
    Fixture f = begin ();
    HkSchedMessage *message = bulk (&f, "m", 3, true);
    HkSchedJob job;
    g_assert_true (hk_sched_next (f.smtp, f.now, &job));
    static const uint32_t untried[] = {1, 2};
    hk_sched_job_give_back (job.handle, untried, 2);
    hk_sched_job_end (job.handle, HK_SITE_UNTRIED, NULL, f.now);
    g_assert_cmpuint (hk_sched_message_pending (message), ==, 2);
    g_assert_true (hk_sched_next (f.smtp, f.now, &job));
    g_assert_cmpuint (job.n_recipients, ==, 2);
    g_assert_cmpuint (job.recipients[0], ==, 1);
    hk_sched_job_end (job.handle, HK_SITE_OK, NULL, f.now);
    hk_sched_message_free (message);
    hk_sched_free (f.sched);
}

static void
take_and_free (void *owner, const uint32_t *recipients, size_t n, const char *transport,
               const char *nexthop, const char *reason, void *data)
{
    (void) recipients, (void) transport, (void) nexthop, (void) reason;
    HkSchedMessage **message = owner;
    *(size_t *) data += n;
    if (hk_sched_message_pending (*message) == 0) {
        hk_sched_message_free (*message);
        *message = NULL;
    }
}

/* The transport is gone: everything pending comes back and owners may free at once. */
static void
test_take_transport (void)
{
    usual_limits ();
    Fixture f = begin ();
    HkSchedMessage *messages[3];
    for (int i = 0; i < 3; i++) {
        messages[i] = hk_sched_message_new (f.sched, &messages[i]);
        for (unsigned k = 0; k < 5; k++) {
            char site[16];
            g_snprintf (site, sizeof site, "s%u", k + (unsigned) i);
            hk_sched_message_add (messages[i], f.smtp, site, site, k);
        }
        hk_sched_message_open (messages[i]);
    }
    size_t n = 0;
    g_assert_cmpuint (hk_sched_take_transport (f.smtp, take_and_free, "away", &n), ==, 15);
    g_assert_cmpuint (n, ==, 15);
    for (int i = 0; i < 3; i++)
        g_assert_null (messages[i]);
    g_assert_cmpuint (hk_sched_n_sites (f.sched), ==, 0);
    hk_sched_free (f.sched);
}

static void
test_retry (void)
{
    static const struct {
        int64_t arrival, now, expected;
    } cases[] = {
        {0, 10, 10 + 300},      /* young: minimal */
        {0, 300, 300 + 300},    /* as old as minimal */
        {0, 1200, 1200 + 1200}, /* its age again: doubling */
        {0, 9000, 9000 + 4000}, /* old: maximal */
        {500, 100, 100 + 300},  /* the clock went back */
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
        g_assert_cmpint (hk_sched_retry_s (cases[i].arrival, cases[i].now, 300, 4000, 0),
                         ==, cases[i].expected);
    g_assert_cmpint (hk_sched_retry_s (0, 10, 300, 4000, 1.0), ==, 10 + 330);
}

/* Random work against a model: each recipient is given out exactly once, nothing is left.
 */
static void
test_everything_once (void)
{
    usual_limits ();
    test_limits.recipient_limit = 3;
    test_limits.process_limit = 7;
    test_limits.dead_rest_us = 5 * S;
    enum { MESSAGES = 60, RECIPIENTS = 40 };
    static unsigned char seen[MESSAGES][RECIPIENTS];
    memset (seen, 0, sizeof seen);
    Fixture f = begin ();
    g_autoptr (GRand) random = g_rand_new_with_seed (7);
    HkSchedMessage *messages[MESSAGES];
    unsigned total = 0, done = 0;
    for (int i = 0; i < MESSAGES; i++) {
        messages[i] = hk_sched_message_new (f.sched, seen[i]);
        unsigned n = (unsigned) g_rand_int_range (random, 1, RECIPIENTS);
        for (unsigned k = 0; k < n; k++) {
            char site[16];
            g_snprintf (site, sizeof site, "s%d", g_rand_int_range (random, 0, 12));
            hk_sched_message_add (messages[i], f.smtp, site, site, k);
        }
        total += n;
        hk_sched_message_open (messages[i]);
    }
    g_autoptr (GPtrArray) running = g_ptr_array_new ();
    for (unsigned step = 0; done < total && step < 100000; step++) {
        HkSchedJob job;
        if (g_rand_boolean (random) && hk_sched_next (f.smtp, f.now, &job)) {
            for (size_t k = 0; k < job.n_recipients; k++)
                g_assert_cmpuint (((unsigned char *) job.owner)[job.recipients[k]]++, ==,
                                  0);
            done += (unsigned) job.n_recipients;
            g_ptr_array_add (running, job.handle);
            g_assert_cmpuint (running->len, <=, 7);
        } else if (running->len > 0) {
            guint which = (guint) g_rand_int_range (random, 0, (gint) running->len);
            HkSiteFeedback feedback = (HkSiteFeedback) g_rand_int_range (random, 0, 4);
            if (feedback == HK_SITE_DOWN)
                feedback = HK_SITE_UNTRIED; /* deaths have their own test */
            hk_sched_job_end (g_ptr_array_steal_index_fast (running, which), feedback,
                              "gone", f.now);
        }
        f.now += S / 10;
        hk_sched_tick (f.sched, f.now);
    }
    g_assert_cmpuint (done, ==, total);
    end_all (&f, running, HK_SITE_OK);
    for (int i = 0; i < MESSAGES; i++) {
        g_assert_cmpuint (hk_sched_message_pending (messages[i]), ==, 0);
        hk_sched_message_free (messages[i]);
    }
    f.now += 3600 * S;
    hk_sched_tick (f.sched, f.now);
    g_assert_cmpuint (hk_sched_n_sites (f.sched), ==, 0);
    hk_sched_free (f.sched);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/sched/single", test_single);
    g_test_add_func ("/sched/priority", test_priority);
    g_test_add_func ("/sched/priority/starving", test_priority_does_not_starve);
    g_test_add_func ("/sched/single-recipients", test_single_recipients);
    g_test_add_func ("/sched/groups", test_groups);
    g_test_add_func ("/sched/fair/many-sites", test_letter_behind_many_sites);
    g_test_add_func ("/sched/fair/one-site", test_letters_and_bulk_at_one_site);
    g_test_add_func ("/sched/fair/bulk", test_bulk_round_robin);
    g_test_add_func ("/sched/limits/process", test_windows_and_process_limit);
    g_test_add_func ("/sched/feedback/positive", test_positive_feedback);
    g_test_add_func ("/sched/feedback/by-window", test_positive_feedback_by_window);
    g_test_add_func ("/sched/feedback/negative", test_negative_feedback);
    g_test_add_func ("/sched/feedback/throttled", test_throttled);
    g_test_add_func ("/sched/dead/site", test_dead_site);
    g_test_add_func ("/sched/dead/revive", test_revive);
    g_test_add_func ("/sched/delay/site", test_rate_delay);
    g_test_add_func ("/sched/delay/transport", test_transport_delay);
    g_test_add_func ("/sched/withdraw", test_withdraw);
    g_test_add_func ("/sched/give-back", test_give_back);
    g_test_add_func ("/sched/take-transport", test_take_transport);
    g_test_add_func ("/sched/retry", test_retry);
    g_test_add_func ("/sched/everything-once", test_everything_once);
    return g_test_run ();
}
