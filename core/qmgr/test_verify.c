/* test_verify.c: address probes through the queue manager, asked by an smtpd of ours. */
#include "config.h"

#include "qmgr/test_rig.h"
#include "qmgr/verify_priv.h"
#include "role/params.h"

#include <sys/socket.h>

/* One smtpd: its end of the line, and what was answered. */
typedef struct {
    Rig *rig;
    HkChannel *channel;
    GString *said; /* "REQUEST:STATUS text; …" */
    unsigned n_said;
} Asker;

static void
on_frame (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data)
{
    Asker *self = data;
    HkUnpack in = hk_unpack (payload);
    (void) channel;
    g_assert_cmpint (fd, ==, -1);
    if (type != HK_FRAME_VERIFIED)
        return;
    uint64_t request = hk_unpack_u64 (&in), status = hk_unpack_u64 (&in);
    HkSpan text = hk_unpack_span (&in);
    g_assert_false (in.failed);
    g_string_append_printf (self->said, "%d:%d %.*s; ", (int) request, (int) status,
                            HK_SPAN_ARG (text));
    self->n_said++;
}

static void
on_closed (HkChannel *channel, void *data)
{
    (void) channel;
    (void) data;
    g_assert_not_reached ();
}

static Asker *
asker_new (Rig *rig)
{
    static const HkChannelFns fns = {on_frame, on_closed};
    int fds[2];
    g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    Asker *self = g_new0 (Asker, 1);
    self->rig = rig;
    self->said = g_string_new (NULL);
    hk_server_new (rig->q, fds[0], false);
    self->channel = hk_channel_new (rig->loop, fds[1], &fns, self);
    return self;
}

static void
asker_free (Asker *self)
{
    hk_channel_close (self->channel);
    g_string_free (self->said, TRUE);
    g_free (self);
}

static void
ask (Asker *self, unsigned request, const char *address, int64_t wait_us)
{
    GByteArray *frame = hk_channel_begin (self->channel, HK_FRAME_VERIFY);
    hk_pack_u64 (frame, request);
    hk_pack_u64 (frame, (uint64_t) wait_us);
    hk_pack_span (frame, hk_span_text (address));
    hk_channel_end (self->channel);
}

static Asker *waiting_asker;
static unsigned waiting_for;

static bool
has_said (void *rig)
{
    (void) rig;
    return waiting_asker->n_said >= waiting_for;
}

/* All that was answered since the last call. */
static char *
heard (Asker *self, unsigned n)
{
    waiting_asker = self;
    waiting_for = n;
    rig_run (self->rig, has_said);
    char *said = g_strdup (self->said->str);
    g_string_truncate (self->said, 0);
    self->n_said = 0;
    return said;
}

static void
assert_heard (Asker *self, unsigned n, const char *expected)
{
    g_autofree char *said = heard (self, n);
    g_assert_cmpstr (said, ==, expected);
}

static Rig *
verify_rig (const char *extra)
{
    Rig *rig = rig_new (extra);
    hk_verify_open (rig->q);
    return rig;
}

static const int64_t long_wait = 1000 * HK_SECOND;

/* Who asks while a probe is under way waits for that one; then it is known. */
static void
test_shared (void)
{
    Rig *rig = verify_rig ("");
    Asker *one = asker_new (rig), *two = asker_new (rig);
    ask (one, 1, "a@Example.com", long_wait);
    RigJob *job = rig_take (rig);
    g_assert_true (job->is_probe);
    g_assert_cmpstr (job->content, ==, "");
    g_assert_cmpstr (job->recipients, ==, "a@Example.com");
    g_assert_cmpstr (job->sender, ==, "double-bounce@mail.example.org");
    ask (one, 2, "a@example.com", long_wait);
    ask (two, 3, "a@example.COM", long_wait);
    ask (two, 4, "a@example.com", 0); /* does not wait */
    assert_heard (two, 1, "4:3 Address verification in progress; ");
    rig_finish (rig, job, HK_STATUS_SENT, 0, "250 ok");
    assert_heard (one, 2, "1:0 250 ok; 2:0 250 ok; ");
    assert_heard (two, 1, "3:0 250 ok; ");
    ask (two, 5, "a@example.com", 0);
    assert_heard (two, 1, "5:0 250 ok; ");
    g_assert_cmpuint (rig->n_jobs, ==, 1);
    g_assert_cmpuint (rig_count (rig), ==, 0); /* nothing of it is in the store */
    asker_free (one);
    asker_free (two);
    rig_free (rig);
}

/* No notice, no second attempt, whatever the probe meets. */
static void
test_failures (void)
{
    Rig *rig = verify_rig ("soft_bounce = yes\n");
    Asker *asker = asker_new (rig);
    ask (asker, 1, "no@example.com", long_wait);
    rig_finish (rig, rig_take (rig), HK_STATUS_BOUNCED, 0, "host x said: 550 no");
    assert_heard (asker, 1, "1:2 host x said: 550 no; ");
    ask (asker, 2, "later@example.net", long_wait);
    rig_finish (rig, rig_take (rig), HK_STATUS_DEFERRED, HK_RESULT_SITE_DOWN, "away");
    assert_heard (asker, 1, "2:1 away; ");
    rig_settle (rig);
    g_assert_cmpuint (rig_count (rig), ==, 0);
    g_assert_cmpuint (rig->n_jobs, ==, 2);
    asker_free (asker);
    rig_free (rig);
}

static void
test_late (void)
{
    Rig *rig = verify_rig ("");
    Asker *asker = asker_new (rig), *gone = asker_new (rig);
    ask (asker, 1, "a@example.com", 1000);
    ask (gone, 1, "a@example.com", long_wait);
    RigJob *job = rig_take (rig);
    assert_heard (asker, 1, "1:3 Address verification in progress; ");
    asker_free (gone); /* its question goes with it */
    rig_finish (rig, job, HK_STATUS_SENT, 0, "ok");
    ask (asker, 2, "a@example.com", long_wait);
    assert_heard (asker, 1, "2:0 ok; ");
    asker_free (asker);
    rig_free (rig);
}

/* Old enough to be looked at again: answered from the cache, and probed beside. */
static void
test_refresh (void)
{
    Rig *rig = verify_rig ("");
    Asker *asker = asker_new (rig);
    ask (asker, 1, "a@example.com", long_wait);
    rig_finish (rig, rig_take (rig), HK_STATUS_SENT, 0, "first");
    assert_heard (asker, 1, "1:0 first; ");
    rig_advance (rig, 8 * 86400);
    ask (asker, 2, "a@example.com", long_wait);
    assert_heard (asker, 1, "2:0 first; ");
    rig_finish (rig, rig_take (rig), HK_STATUS_BOUNCED, 0, "no");
    ask (asker, 3, "a@example.com", long_wait); /* a failure does not clear a good answer */
    assert_heard (asker, 1, "3:0 first; ");
    g_assert_cmpuint (rig->n_jobs, ==, 2);
    asker_free (asker);
    rig_free (rig);
}

static void
test_restart (void)
{
    Rig *rig = verify_rig ("");
    Asker *asker = asker_new (rig);
    ask (asker, 1, "a@example.com", long_wait);
    rig_finish (rig, rig_take (rig), HK_STATUS_BOUNCED, 0, "no");
    assert_heard (asker, 1, "1:2 no; ");
    ask (asker, 2, "lost@example.com", long_wait);
    rig_drop (rig_take (rig)); /* under way at the end: forgotten */
    hk_channel_close (asker->channel);
    asker->channel = NULL;
    rig_restart (rig);
    hk_verify_open (rig->q);
    Asker *again = asker_new (rig);
    ask (again, 3, "a@example.com", 0);
    assert_heard (again, 1, "3:2 no; ");
    ask (again, 4, "lost@example.com", 0);
    assert_heard (again, 1, "4:3 Address verification in progress; ");
    rig_finish (rig, rig_take (rig), HK_STATUS_SENT, 0, "ok");
    asker_free (again);
    g_string_free (asker->said, TRUE);
    g_free (asker);
    rig_free (rig);
}

static void
test_bounds (void)
{
    Rig *rig = verify_rig ("address_verify_pending_request_limit = 1\n");
    Asker *asker = asker_new (rig);
    g_autofree char *long_one = g_strnfill (2000, 'a');
    ask (asker, 1, "a@example.com", long_wait);
    ask (asker, 2, "b@example.com", long_wait);
    assert_heard (asker, 1, "2:1 Too many address verification requests; ");
    ask (asker, 3, long_one, long_wait);
    ask (asker, 4, "", long_wait);
    assert_heard (asker, 2, "3:4 no such address; 4:4 no such address; ");
    rig_finish (rig, rig_take (rig), HK_STATUS_SENT, 0, "ok");
    assert_heard (asker, 1, "1:0 ok; ");
    asker_free (asker);
    rig_free (rig);
}

/* The agent dies with the probe: once more, then that is the answer. */
static void
test_crash (void)
{
    Rig *rig = verify_rig ("");
    Asker *asker = asker_new (rig);
    ask (asker, 1, "a@example.com", long_wait);
    rig_drop (rig_take (rig));
    rig_agent_crash (rig);
    rig_drop (rig_take (rig));
    rig_agent_crash (rig);
    assert_heard (asker, 1, "1:1 delivery agent ended unexpectedly; ");
    asker_free (asker);
    rig_free (rig);
}

/* Its own way, and what has none. */
static void
test_elsewhere (void)
{
    Rig *rig = verify_rig ("address_verify_default_transport = smtp:probes.test\n"
                           "address_verify_map =\n");
    Asker *asker = asker_new (rig);
    ask (asker, 1, "a@example.com", long_wait);
    RigJob *job = rig_take (rig);
    g_assert_cmpstr (job->nexthop, ==, "probes.test");
    rig_finish (rig, job, HK_STATUS_SENT, 0, "ok");
    assert_heard (asker, 1, "1:0 ok; ");
    ask (asker, 2, "double-bounce@mail.example.org", long_wait);
    assert_heard (asker, 1, "2:0 undeliverable postmaster notification discarded; ");
    g_assert_cmpuint (rig->n_jobs, ==, 1);
    asker_free (asker);
    rig_free (rig);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    hk_register_params ();
    g_test_add_func ("/verify/shared", test_shared);
    g_test_add_func ("/verify/failures", test_failures);
    g_test_add_func ("/verify/late", test_late);
    g_test_add_func ("/verify/refresh", test_refresh);
    g_test_add_func ("/verify/restart", test_restart);
    g_test_add_func ("/verify/bounds", test_bounds);
    g_test_add_func ("/verify/crash", test_crash);
    g_test_add_func ("/verify/elsewhere", test_elsewhere);
    return g_test_run ();
}
