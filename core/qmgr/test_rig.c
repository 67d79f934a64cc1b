/* test_rig.c: see test_rig.h. */
#include "config.h"

#include "qmgr/test_rig.h"

#include <glib/gstdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEGMENT (1u << 20)

static const char content[] = "From: a@example.org\r\nSubject: a letter\r\n\r\nBody.\r\n";

/* ---- running
 * ------------------------------------------------------------------------------- */

static void
on_poll (HkLoopTimer *timer)
{
    Rig *self = timer->data;
    if (self->until (self))
        hk_loop_quit (self->loop);
    else
        hk_timer_arm (timer, 500);
}

static void
on_deadline (HkLoopTimer *timer)
{
    (void) timer;
    g_error ("the test waits in vain");
}

void
rig_run (Rig *self, bool (*until) (void *rig))
{
    self->until = until;
    hk_timer_arm (&self->poll, 0);
    hk_timer_arm (&self->deadline, 10 * HK_SECOND);
    hk_loop_run (self->loop);
    hk_timer_disarm (&self->poll);
    hk_timer_disarm (&self->deadline);
}

static bool
is_calm (void *data)
{
    Rig *self = data;
    Qmgr *q = self->q;
    return g_hash_table_size (q->active) == 0 && q->n_submissions == 0 && q->fresh.n == 0 &&
           !q->pump.is_queued;
}

void
rig_settle (Rig *self)
{
    rig_run (self, is_calm);
}

void
rig_advance (Rig *self, int64_t seconds)
{
    self->clock.wall += seconds * HK_SECOND;
    hk_sched_tick (self->q->sched, hk_loop_now_us (self->loop) + seconds * HK_SECOND);
    hk_qmgr_wake (self->q);
}

/* ---- the agent
 * ------------------------------------------------------------------------------- */

static char *
read_content (Rig *self, uint64_t key, uint64_t offset, uint64_t size)
{
    int *fd = g_hash_table_lookup (self->contents, &key);
    if (key == 0 && size == 0) /* a probe */
        return g_strdup ("");
    g_assert_nonnull (fd);
    char *bytes = g_malloc0 (size + 1);
    g_assert_cmpint (pread (*fd, bytes, size, (off_t) offset), ==, (ssize_t) size);
    return bytes;
}

static void
on_job (Rig *self, HkSpan payload)
{
    HkUnpack in = hk_unpack (payload);
    RigJob *job = g_new0 (RigJob, 1);
    job->number = hk_unpack_u64 (&in);
    uint64_t key = hk_unpack_u64 (&in), offset = hk_unpack_u64 (&in),
             size = hk_unpack_u64 (&in);
    hk_unpack_i64 (&in);
    job->retries = (unsigned) hk_unpack_u64 (&in);
    job->nexthop = hk_span_dup (hk_unpack_span (&in));
    HkSpan packed = hk_unpack_span (&in);
    g_assert_false (in.failed);
    g_autoptr (GBytes) bytes = g_bytes_new (packed.data, packed.size);
    g_autoptr (HkEnvelope) envelope = hk_envelope_unpack (bytes);
    g_assert_nonnull (envelope);
    job->sender = g_strndup ((const char *) envelope->sender.data, envelope->sender.size);
    if (job->sender == NULL)
        job->sender = g_strdup ("");
    GString *all = g_string_new (NULL);
    for (size_t i = 0; i < envelope->n_recipients; i++) {
        if (i > 0)
            g_string_append_c (all, ',');
        hk_string_append (all, envelope->recipients[i].address);
    }
    job->recipients = g_string_free (all, FALSE);
    job->n_recipients = envelope->n_recipients;
    job->is_probe = (envelope->flags & HK_ENVELOPE_PROBE) != 0;
    job->content = read_content (self, key, offset, size);
    self->n_jobs++;
    g_queue_push_tail (&self->jobs, job);
}

static void
close_content (gpointer data)
{
    close (*(int *) data);
    g_free (data);
}

static void
on_agent_frame (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data)
{
    Rig *self = data;
    HkUnpack in = hk_unpack (payload);
    (void) channel;
    uint64_t key;
    switch (type) {
    case HK_FRAME_CONTENT:
        key = hk_unpack_u64 (&in);
        g_assert_cmpint (fd, >=, 0);
        g_hash_table_insert (self->contents, g_memdup2 (&key, sizeof key),
                             g_memdup2 (&fd, sizeof fd));
        break;
    case HK_FRAME_FORGET:
        key = hk_unpack_u64 (&in);
        g_assert_true (g_hash_table_remove (self->contents, &key));
        break;
    case HK_FRAME_JOB:
        on_job (self, payload);
        break;
    case HK_FRAME_FORWARDED:
        hk_unpack_u64 (&in);
        hk_unpack_u64 (&in);
        g_assert_cmpuint (hk_unpack_u64 (&in), ==, 0);
        g_free (self->forwarded);
        self->forwarded = hk_span_dup (hk_unpack_span (&in));
        break;
    default:
        g_error ("agent: frame %u", type);
    }
}

static void
on_agent_closed (HkChannel *channel, void *data)
{
    Rig *self = data;
    hk_channel_close (channel);
    self->agent = NULL;
    g_hash_table_remove_all (self->contents);
}

static const HkChannelFns agent_fns = {on_agent_frame, on_agent_closed};

static void
on_connection (HkFdWatch *watch, unsigned events)
{
    Rig *self = watch->data;
    (void) events;
    int fd = accept4 (watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (self->agent != NULL) /* its end was not read yet */
        on_agent_closed (self->agent, self);
    self->n_connections++;
    self->agent = hk_channel_new (self->loop, fd, &agent_fns, self);
    hk_pack_u64 (hk_channel_begin (self->agent, HK_FRAME_READY), 10);
    hk_channel_end (self->agent);
}

static bool
has_job (void *data)
{
    return ((Rig *) data)->jobs.length > 0;
}

RigJob *
rig_take (Rig *self)
{
    if (self->jobs.length == 0)
        rig_run (self, has_job);
    return g_queue_pop_head (&self->jobs);
}

void
rig_answer (Rig *self, RigJob *job, size_t i, int status, unsigned flags, const char *dsn,
            const char *text)
{
    GByteArray *frame = hk_channel_begin (self->agent, HK_FRAME_RESULT);
    hk_pack_u64 (frame, job->number);
    hk_pack_u64 (frame, i);
    hk_pack_u64 (frame, (uint64_t) status);
    hk_pack_u64 (frame, flags);
    hk_pack_span (frame, hk_span_text (dsn));
    hk_pack_span (frame, hk_span_text (text));
    hk_pack_span (frame, HK_SPAN ("mx.example[192.0.2.1]:25"));
    hk_pack_span (frame, hk_span_text (text));
    hk_pack_span (frame, HK_SPAN ("mx.example"));
    hk_pack_u64 (frame, 0);
    hk_channel_end (self->agent);
}

void
rig_drop (RigJob *job)
{
    g_free (job->nexthop);
    g_free (job->sender);
    g_free (job->recipients);
    g_free (job->content);
    g_free (job);
}

void
rig_done (Rig *self, RigJob *job)
{
    hk_pack_u64 (hk_channel_begin (self->agent, HK_FRAME_JOB_DONE), job->number);
    hk_channel_end (self->agent);
    rig_drop (job);
}

void
rig_finish (Rig *self, RigJob *job, int status, unsigned flags, const char *text)
{
    static const char *const dsn[] = {"", "2.0.0", "4.4.1", "5.1.1"};
    for (size_t i = 0; i < job->n_recipients; i++)
        rig_answer (self, job, i, status, flags, dsn[status], text);
    rig_done (self, job);
}

static uint64_t crashes_before;

static bool
is_crash_known (void *data)
{
    return ((Rig *) data)->q->n_crashes > crashes_before;
}

void
rig_agent_crash (Rig *self)
{
    RigJob *job;
    crashes_before = self->q->n_crashes;
    hk_channel_close (self->agent);
    self->agent = NULL;
    g_hash_table_remove_all (self->contents);
    while ((job = g_queue_pop_head (&self->jobs)) != NULL)
        rig_drop (job);
    rig_run (self, is_crash_known);
}

static bool
is_forwarded (void *data)
{
    return ((Rig *) data)->forwarded != NULL;
}

void
rig_forward (Rig *self, RigJob *job, size_t i, const char *to)
{
    GByteArray *frame = hk_channel_begin (self->agent, HK_FRAME_FORWARD);
    hk_pack_u64 (frame, job->number);
    hk_pack_u64 (frame, i);
    hk_pack_span (frame, hk_span_text (job->sender));
    hk_pack_span (frame, HK_SPAN ("Delivered-To: old@example.org\r\n"));
    hk_pack_u64 (frame, 1);
    hk_pack_span (frame, hk_span_text (to));
    hk_channel_end (self->agent);
    rig_run (self, is_forwarded);
}

/* ---- smtpd
 * ----------------------------------------------------------------------------------- */

typedef struct {
    Rig *rig;
    GByteArray *packed;
} Sending;

static void
on_durable (const HkLocation *where, const GError *error, void *data)
{
    Sending *self = data;
    g_assert_no_error (error);
    g_assert_true (hk_qmgr_admit (self->rig->q, where, sizeof content - 1,
                                  hk_span (self->packed->data, self->packed->len)));
    self->rig->n_durable++;
    g_byte_array_unref (self->packed);
    g_free (self);
}

static unsigned durable_target;

static bool
is_durable (void *data)
{
    return ((Rig *) data)->n_durable >= durable_target;
}

HkQueueId
rig_send (Rig *self, const char *sender, const char *recipients, uint32_t notify,
          uint32_t flags)
{
    g_auto (GStrv) words = g_strsplit (recipients, ",", -1);
    guint n = g_strv_length (words);
    g_autofree HkRecipient *list = g_new0 (HkRecipient, n);
    for (guint i = 0; i < n; i++) {
        list[i].address = hk_span_text (words[i]);
        list[i].notify = notify;
    }
    HkEnvelope envelope = {.queue_id = hk_lane_next_id (self->lane),
                           .arrival_us = self->clock.wall,
                           .flags = flags,
                           .sender = hk_span_text (sender),
                           .recipients = list,
                           .n_recipients = n,
                           .release_s = self->asked.release_s,
                           .deliver_by_us = self->asked.deliver_by_us,
                           .priority = self->asked.priority,
                           .verp = self->asked.verp};
    Sending *sending = g_new (Sending, 1);
    *sending = (Sending){self, g_byte_array_new ()};
    hk_envelope_pack (&envelope, sending->packed);
    HkSpan body = hk_span (content, sizeof content - 1);
    hk_lane_append (self->lane, envelope.queue_id,
                    hk_span (sending->packed->data, sending->packed->len), &body, 1,
                    on_durable, sending);
    durable_target = self->n_durable + 1;
    rig_run (self, is_durable);
    return envelope.queue_id;
}

/* ---- beginning and end
 * ----------------------------------------------------------------------- */

static void
start (Rig *self)
{
    g_autoptr (GError) error = NULL;
    self->q = hk_qmgr_new (self->loop, self->dir, self->settings, self->stats);
    self->q->clock = &self->clock.base;
    self->q->plugins = self->plugins;
    self->q->router = hk_router_new (self->plugins, self->settings, &error);
    g_assert_no_error (error);
    g_assert_true (hk_qmgr_open_queue (self->q, &error));
    g_assert_no_error (error);
}

Rig *
rig_new (const char *extra)
{
    g_autoptr (GError) error = NULL;
    Rig *self = g_new0 (Rig, 1);
    self->dir = g_dir_make_tmp ("hikyaku-qmgr-XXXXXX", &error);
    g_assert_no_error (error);
    g_autofree char *main_cf = g_strdup_printf (
        "queue_directory = %s/queue\ndata_directory = %s\nmyhostname = mail.example.org\n"
        "mydestination =\nlocal_recipient_maps =\nalias_maps =\nalias_database =\n"
        "inet_interfaces = loopback-only\nmynetworks = 127.0.0.0/8\n%s",
        self->dir, self->dir, extra);
    self->settings = hk_settings_from_text (
        main_cf, "smtp unix - - n - 10 smtp\nqmgr unix n - n 300 1 qmgr\n", &error);
    g_assert_no_error (error);
    const char *queue = hk_settings_get (self->settings, "queue_directory");
    g_assert_true (hk_store_prepare (queue, NULL, &error));
    g_assert_no_error (error);
    self->loop = hk_loop_new (&error);
    g_assert_no_error (error);
    self->stats = hk_stats_new_private ();
    self->plugins = hk_plugins_new ("/nonexistent", self->loop, self->stats);
    hk_plugins_set_settings (self->plugins, self->settings);
    hk_test_clock_init (&self->clock, INT64_C (1800000000) * HK_SECOND);
    hk_timer_init (&self->poll, self->loop, on_poll, self);
    hk_timer_init (&self->deadline, self->loop, on_deadline, self);
    self->contents =
        g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, close_content);
    g_autofree char *path = g_build_filename (queue, "private", "smtp", NULL);
    int fd = hk_ipc_listen (path, 0600, &error);
    g_assert_no_error (error);
    hk_loop_attach (self->loop, &self->listener, fd, HK_LOOP_READ, on_connection, self,
                    &error);
    HkLaneOptions lane = {.queue_directory = queue, .segment_size = SEGMENT};
    start (self);
    self->lane = hk_lane_open (self->loop, &lane, &error);
    g_assert_no_error (error);
    return self;
}

void
rig_restart (Rig *self)
{
    hk_qmgr_free (self->q);
    start (self);
}

static void
remove_tree (const char *path)
{
    GDir *dir = g_dir_open (path, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
        g_autofree char *inner = g_build_filename (path, name, NULL);
        if (g_file_test (inner, G_FILE_TEST_IS_DIR) &&
            !g_file_test (inner, G_FILE_TEST_IS_SYMLINK))
            remove_tree (inner);
        else
            g_unlink (inner);
    }
    if (dir != NULL)
        g_dir_close (dir);
    g_rmdir (path);
}

static void
quit (void *loop)
{
    hk_loop_quit (loop);
}

void
rig_free (Rig *self)
{
    RigJob *job;
    hk_lane_close (self->lane);
    hk_qmgr_free (self->q);
    if (self->agent != NULL)
        hk_channel_close (self->agent);
    /* What threads have posted holds references. */
    hk_loop_post (self->loop, quit, self->loop);
    hk_loop_run (self->loop);
    int fd = self->listener.fd;
    hk_fd_watch_detach (&self->listener);
    close (fd);
    while ((job = g_queue_pop_head (&self->jobs)) != NULL)
        rig_drop (job);
    hk_timer_disarm (&self->poll);
    hk_timer_disarm (&self->deadline);
    g_hash_table_unref (self->contents);
    hk_plugins_free (self->plugins);
    hk_stats_free (self->stats);
    hk_settings_unref (self->settings);
    hk_loop_free (self->loop);
    remove_tree (self->dir);
    g_free (self->forwarded);
    g_free (self->dir);
    g_free (self);
}

size_t
rig_count (Rig *self)
{
    size_t n = 0;
    for (int queue = 0; queue < 4; queue++)
        n += hk_store_count (self->q->store, (HkQueueName) queue);
    return n;
}

HkEntry *
rig_entry (Rig *self, HkQueueId id)
{
    return hk_store_find (self->q->store, id);
}
