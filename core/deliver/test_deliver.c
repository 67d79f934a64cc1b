/* test_deliver.c: jobs over a socket pair, on a transport made of a few lines. */
#include "config.h"

#include "deliver_priv.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    HkDeliver deliver;
    HkChannel *qmgr; /* our end: we play the queue manager */
    GString *heard;  /* frames, one line each */
    unsigned n_done, wanted;
    bool answer_forward, has_ended, is_closed;
} World;

static HkWorkers *workers;

/* ---- the transport: what a recipient's local part says becomes of it */

static void
give (HkCall *call, size_t i)
{
    HkSpan address, note, content;
    HkResult r = {.size = sizeof r, .dsn = HK_SPAN ("2.0.0"), .relay = HK_SPAN ("test")};
    HkSpan forward[] = {HK_SPAN ("a@x"), HK_SPAN ("b@x")};
    call->ops->recipient_prop (call, i, HK_PROP_RECIPIENT, &address);
    g_assert_cmpint (call->ops->content_map (call, &content), ==, HK_OK);
    int64_t probe = 0;
    bool is_probe = call->ops->prop_int (call, HK_PROP_PROBE, &probe) == HK_FOUND;
    g_assert_true (hk_span_is (content, is_probe ? "" : "content"));
    r.status = HK_STATUS_SENT;
    r.text = is_probe ? HK_SPAN ("would be fine") : HK_SPAN ("fine");
    if (call->ops->recipient_prop (call, i, HK_PROP_USER_ANSWER, &note) == HK_FOUND)
        r.text = note;
    if (hk_span_starts_ci (address, HK_SPAN ("silent")))
        return;
    if (hk_span_starts_ci (address, HK_SPAN ("forward"))) {
        r.status = HK_STATUS_FORWARDED;
        r.forward = forward;
        r.n_forward = 2;
        r.forward_sender = HK_SPAN ("owner@x");
        r.forward_header = HK_SPAN ("Delivered-To: x\r\n");
    }
    if (hk_span_starts_ci (address, HK_SPAN ("whoami"))) {
        static __thread char text[40];
        g_snprintf (text, sizeof text, "uid %u", (unsigned) geteuid ());
        r.text = hk_span_text (text);
    }
    call->ops->result (call, i, &r);
    if (hk_span_starts_ci (address, HK_SPAN ("twice")))
        call->ops->result (call, i, &r);
    if (hk_span_starts_ci (address, HK_SPAN ("die")))
        _exit (3);
}

static HkAnswer
test_run (void *instance, HkCall *call)
{
    (void) instance;
    for (size_t i = 0; i < call->ops->n_recipients (call); i++)
        give (call, i);
    return HK_OK;
}

static HkAnswer
test_start (void *instance, HkCall *call)
{
    test_run (instance, call);
    call->ops->complete (call);
    return HK_OK;
}

static HkAnswer
test_user (void *instance, HkCall *call, size_t i, HkUser *out)
{
    HkSpan address;
    (void) instance;
    call->ops->recipient_prop (call, i, HK_PROP_RECIPIENT, &address);
    if (hk_span_starts_ci (address, HK_SPAN ("later"))) {
        call->reason = g_string_new ("the table is away");
        return HK_LATER;
    }
    out->uid = hk_span_starts_ci (address, HK_SPAN ("root")) ? 0 : 65534;
    out->gid = 65534;
    if (call->value == NULL) /* kept over a reset, as the host keeps it */
        call->value = g_string_new (NULL);
    g_string_assign (call->value, "note");
    call->n_answers = 1;
    return HK_OK;
}

static const HkTransportClass blocking_class = {.base = {.size = sizeof blocking_class},
                                                .deliver = test_run};
static const HkTransportClass async_class = {.base = {.size = sizeof async_class},
                                             .start = test_start};
static const HkTransportClass probing_class = {.base = {.size = sizeof probing_class},
                                               .transport_flags = HK_TRANSPORT_PROBES,
                                               .start = test_start};
static const HkTransportClass user_class = {.base = {.size = sizeof user_class},
                                            .transport_flags = HK_TRANSPORT_AS_USER,
                                            .deliver = test_run,
                                            .user = test_user};

/* ---- the queue manager's side */

static void
note_result (World *self, HkUnpack *in)
{
    g_autoptr (HkArena) arena = hk_arena_new (256);
    HkOutcome outcome;
    uint64_t job = hk_unpack_u64 (in), i = hk_unpack_u64 (in);
    g_assert_true (hk_outcome_unpack (in, arena, &outcome));
    g_string_append_printf (self->heard, "result %d %d %d %.*s %.*s\n", (int) job, (int) i,
                            outcome.status, HK_SPAN_ARG (outcome.dsn),
                            HK_SPAN_ARG (outcome.text));
}

static void
on_frame (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data)
{
    World *self = data;
    HkUnpack in = hk_unpack (payload);
    g_assert_cmpint (fd, ==, -1);
    if (type == HK_FRAME_READY) {
        g_string_append_printf (self->heard, "ready %d\n", (int) hk_unpack_u64 (&in));
    } else if (type == HK_FRAME_RESULT) {
        note_result (self, &in);
    } else if (type == HK_FRAME_JOB_DONE) {
        g_string_append_printf (self->heard, "done %d\n", (int) hk_unpack_u64 (&in));
        if (++self->n_done == self->wanted)
            hk_loop_quit (self->deliver.loop);
    } else if (type == HK_FRAME_FORWARD) {
        uint64_t job = hk_unpack_u64 (&in), i = hk_unpack_u64 (&in);
        HkSpan sender = hk_unpack_span (&in), header = hk_unpack_span (&in);
        g_string_append_printf (self->heard, "forward %.*s %d\n", HK_SPAN_ARG (sender),
                                (int) hk_unpack_u64 (&in));
        g_assert_true (hk_span_is (header, "Delivered-To: x\r\n"));
        if (!self->answer_forward)
            return;
        GByteArray *out = hk_channel_begin (channel, HK_FRAME_FORWARDED);
        hk_pack_u64 (out, job);
        hk_pack_u64 (out, i);
        hk_pack_u64 (out, 0);
        hk_pack_span (out, HK_SPAN ("ABC"));
        hk_channel_end (channel);
    }
}

static void
on_closed (HkChannel *channel, void *data)
{
    World *self = data;
    hk_channel_close (channel);
    self->qmgr = NULL;
    self->is_closed = true;
    hk_loop_quit (self->deliver.loop);
}

static void
on_ended (void *data)
{
    World *self = data;
    self->has_ended = true;
    hk_loop_quit (self->deliver.loop);
}

static void
world_init (World *self, const HkTransportClass *class)
{
    static const HkChannelFns fns = {on_frame, on_closed};
    int pair[2];
    HkDeliver *d = &self->deliver;
    d->loop = hk_loop_new (NULL);
    d->transport =
        (HkDeliverTransport){.class = class, .service = "t", .agent = "test", .limit = 7};
    d->workers = workers = hk_workers_new (d->loop, 2);
    d->forward_timeout_us = 50000;
    d->nobody = (HkUser){.size = sizeof (HkUser), .uid = 65534, .gid = 65534};
    d->ended = on_ended;
    d->ended_data = self;
    hk_deliver_start (d);
    g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    hk_deliver_add_peer (d, pair[0]);
    self->heard = g_string_new (NULL);
    self->qmgr = hk_channel_new (d->loop, pair[1], &fns, self);
}

static void
world_clear (World *self)
{
    if (self->qmgr != NULL)
        hk_channel_close (self->qmgr);
    hk_deliver_stop (&self->deliver);
    hk_children_free (self->deliver.children);
    hk_workers_free (workers);
    hk_loop_free (self->deliver.loop);
    g_string_free (self->heard, TRUE);
}

static void
send_content (World *self, uint64_t key)
{
    g_autofree char *path = NULL;
    g_autoptr (GByteArray) payload = g_byte_array_new ();
    int fd = g_file_open_tmp ("deliver-XXXXXX", &path, NULL);
    g_assert_cmpint (write (fd, "....content....", 15), ==, 15);
    g_unlink (path);
    hk_pack_u64 (payload, key);
    hk_channel_send (self->qmgr, HK_FRAME_CONTENT, hk_span (payload->data, payload->len),
                     fd);
    close (fd);
}

static void
send_any (World *self, uint64_t number, uint64_t key, uint64_t size, const char *recipients,
          uint32_t flags)
{
    g_auto (GStrv) words = g_strsplit (recipients, " ", -1);
    HkRecipient list[8] = {0};
    HkEnvelope envelope = {.queue_id = 0x123456789ab, .arrival_us = 1, .flags = flags, .recipients = list};
    g_autoptr (GByteArray) packed = g_byte_array_new ();
    for (char **w = words; *w != NULL; w++)
        list[envelope.n_recipients++].address = hk_span_text (*w);
    envelope.sender = HK_SPAN ("s@x");
    hk_envelope_pack (&envelope, packed);
    GByteArray *out = hk_channel_begin (self->qmgr, HK_FRAME_JOB);
    hk_pack_u64 (out, number);
    hk_pack_u64 (out, key);
    hk_pack_u64 (out, 4);
    hk_pack_u64 (out, size);
    hk_pack_i64 (out, 2);
    hk_pack_u64 (out, 0);
    hk_pack_span (out, HK_SPAN ("next.hop"));
    hk_pack_span (out, hk_span (packed->data, packed->len));
    hk_channel_end (self->qmgr);
    self->wanted++;
}

static void
send_job (World *self, uint64_t number, uint64_t key, uint64_t size, const char *recipients)
{
    send_any (self, number, key, size, recipients, 0);
}

static void
send_probe (World *self, uint64_t number, const char *recipients)
{
    send_any (self, number, 0, 0, recipients, HK_ENVELOPE_PROBE);
}

static gboolean
too_long (gpointer data)
{
    (void) data;
    g_error ("the test takes too long: %s", ((World *) data)->heard->str);
    return G_SOURCE_REMOVE;
}

static void
run (World *self)
{
    g_autoptr (GSource) source = g_timeout_source_new (60000);
    g_source_set_callback (source, too_long, self, NULL);
    g_source_attach (source, hk_loop_context (self->deliver.loop));
    if (self->qmgr != NULL)
        hk_channel_flush (self->qmgr);
    hk_loop_run (self->deliver.loop);
    g_source_destroy (source);
}

/* ---- tests */

typedef struct {
    const char *name;
    const HkTransportClass *class;
    const char *recipients, *heard;
} Case;

static const Case cases[] = {
    {"blocking", &blocking_class, "a@x b@x",
     "ready 7\nresult 1 0 1 2.0.0 fine\nresult 1 1 1 2.0.0 fine\ndone 1\n"},
    {"async", &async_class, "a@x", "ready 7\nresult 1 0 1 2.0.0 fine\ndone 1\n"},
    {"silent", &async_class, "silent@x a@x",
     "ready 7\nresult 1 0 2 4.3.0 the delivery agent gave no result\n"
     "result 1 1 1 2.0.0 fine\ndone 1\n"},
    {"twice", &async_class, "twice@x", "ready 7\nresult 1 0 1 2.0.0 fine\ndone 1\n"},
    {"notes", &user_class, "a@x later@x b@x",
     "ready 7\nresult 1 0 1 2.0.0 note\nresult 1 1 2 4.3.0 the table is away\n"
     "result 1 2 1 2.0.0 note\ndone 1\n"},
    {"forward unanswered", &async_class, "forward@x a@x",
     "ready 7\nforward owner@x 2\n"
     "result 1 0 2 4.3.0 the queue manager does not forward mail\n"
     "result 1 1 1 2.0.0 fine\ndone 1\n"},
};

static void
test_job (gconstpointer data)
{
    const Case *c = data;
    World w = {0};
    world_init (&w, c->class);
    send_content (&w, 5);
    send_job (&w, 1, 5, 7, c->recipients);
    run (&w);
    g_assert_cmpstr (w.heard->str, ==, c->heard);
    world_clear (&w);
}

static void
test_forward (void)
{
    World w = {.answer_forward = true};
    world_init (&w, &blocking_class);
    send_content (&w, 5);
    send_job (&w, 1, 5, 7, "forward@x");
    run (&w);
    g_assert_cmpstr (
        w.heard->str, ==,
        "ready 7\nforward owner@x 2\nresult 1 0 1 2.0.0 forwarded as ABC\ndone 1\n");
    world_clear (&w);
}

static void
test_no_content (void)
{
    World w = {0};
    world_init (&w, &async_class);
    send_content (&w, 5);
    send_job (&w, 1, 6, 7, "a@x");  /* a key that nobody sent */
    send_job (&w, 2, 5, 70, "a@x"); /* beyond the file's end */
    send_job (&w, 3, 5, UINT64_MAX - 2, "a@x");
    run (&w);
    g_assert_cmpstr (
        w.heard->str, ==,
        "ready 7\nresult 1 0 2 4.3.0 the message file was not handed over\ndone 1\n"
        "result 2 0 2 4.3.0 the message file cannot be read\ndone 2\n"
        "result 3 0 2 4.3.0 the message file cannot be read\ndone 3\n");
    world_clear (&w);
}

static void
test_malformed (void)
{
    World w = {0};
    world_init (&w, &async_class);
    hk_channel_send (w.qmgr, HK_FRAME_JOB, HK_SPAN ("\x01\x02"), -1);
    run (&w);
    g_assert_true (w.is_closed);
    world_clear (&w);
}

static void
test_drain (void)
{
    World w = {0};
    world_init (&w, &blocking_class);
    send_content (&w, 5);
    send_job (&w, 1, 5, 7, "a@x");
    w.wanted = 99; /* go on until the end */
    hk_deliver_drain (&w.deliver);
    run (&w);
    g_assert_true (w.has_ended);
    g_assert_cmpstr (w.heard->str, ==,
                     "ready 7\nready 0\nresult 1 0 1 2.0.0 fine\ndone 1\n");
    world_clear (&w);
}

/* As root: each user's mail is seen by a process that is this user. */
static void
test_children (void)
{
    World w = {0};
    if (geteuid () != 0) {
        g_test_skip ("needs root");
        return;
    }
    world_init (&w, &user_class);
    w.deliver.children = hk_children_new (&w.deliver, HK_SECOND);
    send_content (&w, 5);
    send_job (&w, 1, 5, 7, "whoami@x root@x later@x");
    run (&w);
    send_job (&w, 2, 5, 7, "whoami@x");
    run (&w);
    send_job (&w, 3, 5, 7, "die@x");
    run (&w);
    send_job (&w, 4, 5, 7, "whoami@x");
    run (&w);
    hk_children_reap (w.deliver.children);
    g_assert_cmpstr (
        w.heard->str, ==,
        "ready 7\nresult 1 0 1 2.0.0 uid 65534\n"
        "result 1 1 2 4.3.5 mail is never delivered with the rights of root\n"
        "result 1 2 2 4.3.0 the table is away\ndone 1\n"
        "result 2 0 1 2.0.0 uid 65534\ndone 2\n"
        "result 3 0 2 4.3.0 the delivery process of this user ended unexpectedly\n"
        "done 3\nresult 4 0 1 2.0.0 uid 65534\ndone 4\n");
    world_clear (&w);
}

/* Who knows of probes is asked; nobody else sees one.  None is forwarded. */
static void
test_probe (void)
{
    World w = {0}, blind = {0};
    world_init (&w, &probing_class);
    send_probe (&w, 1, "a@x forward@x");
    run (&w);
    g_assert_cmpstr (w.heard->str, ==,
                     "ready 7\nresult 1 0 1 2.0.0 would be fine\n"
                     "result 1 1 1 2.0.0 would be fine\ndone 1\n");
    world_clear (&w);
    world_init (&blind, &blocking_class);
    send_probe (&blind, 1, "die@x");
    run (&blind);
    g_assert_cmpstr (blind.heard->str, ==,
                     "ready 7\nresult 1 0 1 2.0.0 delivers through t\ndone 1\n");
    world_clear (&blind);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    /* First: a process that forks must not have started threads. */
    g_test_add_func ("/deliver/children", test_children);
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree char *path = g_strdup_printf ("/deliver/job/%s", cases[i].name);
        g_test_add_data_func (path, &cases[i], test_job);
    }
    g_test_add_func ("/deliver/forward", test_forward);
    g_test_add_func ("/deliver/no-content", test_no_content);
    g_test_add_func ("/deliver/malformed", test_malformed);
    g_test_add_func ("/deliver/drain", test_drain);
    g_test_add_func ("/deliver/probe", test_probe);
    return g_test_run ();
}
