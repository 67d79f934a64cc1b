/* children.c: one process for each user whose mail is delivered, when we run as root.
 *
 * A child is forked without exec, gives up root for good, and then is a deliver process
 * like any other whose only peer is its parent: it gets CONTENT and JOB frames and answers
 * RESULT and JOB_DONE.  Contents and jobs are numbered by the parent.  Parents start no
 * thread, so that forking is safe. */
#include "config.h"

#include "job_priv.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    uint64_t number;
    HkJob *job;
    uint32_t *indexes; /* of the job's recipients */
    size_t n_indexes;
} Part;

typedef struct {
    HkChildren *owner;
    HkUser user;
    int fd; /* of the channel */
    HkChannel *channel;
    GHashTable *parts;    /* &number → Part, owned */
    GHashTable *contents; /* serials that the child knows */
    int64_t idle_since_us;
} Child;

struct HkChildren {
    HkDeliver *deliver;
    GPtrArray *list;
    uint64_t last_number;
    int64_t idle_us;
    HkLoopTimer timer;
};

static void
free_part (gpointer data)
{
    Part *part = data;
    g_free (part->indexes);
    g_free (part);
}

/* ---- the child's life */

static void
child_ended (void *data)
{
    hk_loop_quit (data);
}

static void G_GNUC_NORETURN
child_main (HkChildren *self, int fd, const HkUser *user)
{
    enum { CONTROL_FD = 3 };
    g_autoptr (GError) error = NULL;
    sigset_t none;
    HkDeliver *parent = self->deliver;
    hk_log_batch (false);
    hk_deliver_close_descriptors (parent);
    for (guint i = 0; i < self->list->len; i++)
        close (((Child *) self->list->pdata[i])->fd);
    if (fd != CONTROL_FD)
        close (CONTROL_FD);
    umask (077);
    if (!hk_rights_drop (user->uid, user->gid, NULL, &error)) {
        hk_log (HK_LOG_ERROR, "uid %u: %s", user->uid, error->message);
        _exit (1);
    }
    hk_rights_no_new_privs ();
    sigemptyset (&none);
    sigprocmask (SIG_SETMASK, &none, NULL);
    signal (SIGPIPE, SIG_IGN);
    HkLoop *loop = hk_loop_new (&error);
    if (loop == NULL) {
        hk_log (HK_LOG_ERROR, "uid %u: %s", user->uid, error->message);
        _exit (1);
    }
    HkDeliver deliver = {.loop = loop,
                         .transport = parent->transport,
                         .is_child = true,
                         .ended = child_ended,
                         .ended_data = loop};
    deliver.workers = hk_workers_new (loop, MAX (parent->transport.limit, 1));
    hk_deliver_start (&deliver);
    hk_deliver_add_peer (&deliver, fd);
    hk_loop_run (loop);
    _exit (0);
}

/* ---- the parent's side */

static void
part_lost (HkChildren *self, const Part *part)
{
    (void) self;
    for (size_t i = 0; i < part->n_indexes; i++)
        if (part->job->outcomes[part->indexes[i]].status == 0)
            hk_job_defer (part->job, part->indexes[i], "4.3.0",
                          "the delivery process of this user ended unexpectedly");
    hk_job_part_ended (part->job);
}

static void
drop_child (Child *child)
{
    HkChildren *self = child->owner;
    g_ptr_array_remove_fast (self->list, child);
    hk_channel_close (child->channel);
    GHashTableIter iter;
    gpointer part;
    g_hash_table_iter_init (&iter, child->parts);
    while (g_hash_table_iter_next (&iter, NULL, &part))
        part_lost (self, part);
    g_hash_table_unref (child->parts);
    g_hash_table_unref (child->contents);
    g_free (child);
}

static bool
take_result (Child *child, HkUnpack *in)
{
    uint64_t number = hk_unpack_u64 (in), i = hk_unpack_u64 (in);
    Part *part = g_hash_table_lookup (child->parts, &number);
    HkOutcome outcome;
    if (in->failed || part == NULL || i >= part->n_indexes ||
        !hk_outcome_unpack (in, part->job->arena, &outcome))
        return false;
    hk_job_set_outcome (part->job, part->indexes[i], &outcome);
    return true;
}

static bool
take_done (Child *child, HkUnpack *in)
{
    uint64_t number = hk_unpack_u64 (in);
    Part *part = g_hash_table_lookup (child->parts, &number);
    if (in->failed || part == NULL)
        return false;
    HkJob *job = part->job;
    g_hash_table_remove (child->parts, &number);
    if (g_hash_table_size (child->parts) == 0)
        child->idle_since_us = hk_loop_now_us (child->owner->deliver->loop);
    hk_job_part_ended (job);
    return true;
}

static void
on_frame (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data)
{
    Child *child = data;
    HkUnpack in = hk_unpack (payload);
    bool is_ok = true;
    (void) channel;
    if (fd >= 0)
        close (fd);
    if (type == HK_FRAME_RESULT)
        is_ok = take_result (child, &in);
    else if (type == HK_FRAME_JOB_DONE)
        is_ok = take_done (child, &in);
    if (!is_ok) {
        hk_log (HK_LOG_WARNING,
                "uid %u: the delivery process does not make sense; ending it",
                child->user.uid);
        drop_child (child);
    }
}

static void
on_closed (HkChannel *channel, void *data)
{
    (void) channel;
    drop_child (data);
}

static Child *
fork_child (HkChildren *self, const HkUser *user)
{
    static const HkChannelFns fns = {on_frame, on_closed};
    int pair[2];
    if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return NULL;
    hk_log_flush ();
    pid_t pid = fork ();
    if (pid == 0) {
        close (pair[0]);
        child_main (self, pair[1], user);
    }
    close (pair[1]);
    if (pid < 0) {
        close (pair[0]);
        return NULL;
    }
    Child *child = g_new0 (Child, 1);
    child->owner = self;
    child->user = *user;
    child->fd = pair[0];
    child->channel = hk_channel_new (self->deliver->loop, pair[0], &fns, child);
    child->parts = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, free_part);
    child->contents = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
    g_ptr_array_add (self->list, child);
    return child;
}

/* Keep the number of processes below the service's limit. */
static void
make_room (HkChildren *self)
{
    Child *oldest = NULL;
    if (self->list->len < MAX (self->deliver->transport.limit, 1))
        return;
    for (guint i = 0; i < self->list->len; i++) {
        Child *child = self->list->pdata[i];
        if (g_hash_table_size (child->parts) == 0 &&
            (oldest == NULL || child->idle_since_us < oldest->idle_since_us))
            oldest = child;
    }
    if (oldest != NULL)
        drop_child (oldest);
}

static Child *
find_child (HkChildren *self, const HkUser *user)
{
    for (guint i = 0; i < self->list->len; i++) {
        Child *child = self->list->pdata[i];
        if (child->user.uid == user->uid && child->user.gid == user->gid)
            return child;
    }
    make_room (self);
    return fork_child (self, user);
}

static void
send_content (Child *child, const HkContent *content)
{
    uint64_t serial = hk_content_serial (content);
    if (g_hash_table_contains (child->contents, &serial))
        return;
    g_autoptr (GByteArray) payload = g_byte_array_new ();
    hk_pack_u64 (payload, serial);
    hk_channel_send (child->channel, HK_FRAME_CONTENT,
                     hk_span (payload->data, payload->len), hk_content_fd (content));
    g_hash_table_add (child->contents, g_memdup2 (&serial, sizeof serial));
}

static void
send_job (Child *child, const Part *part)
{
    HkJob *job = part->job;
    g_autofree HkRecipient *recipients = g_new (HkRecipient, part->n_indexes);
    g_autoptr (GByteArray) packed = g_byte_array_new ();
    HkEnvelope envelope = *job->envelope;
    for (size_t i = 0; i < part->n_indexes; i++)
        recipients[i] = job->envelope->recipients[part->indexes[i]];
    envelope.recipients = recipients;
    envelope.n_recipients = part->n_indexes;
    hk_envelope_pack (&envelope, packed);
    GByteArray *out = hk_channel_begin (child->channel, HK_FRAME_JOB);
    hk_pack_u64 (out, part->number);
    hk_pack_u64 (out, job->content != NULL ? hk_content_serial (job->content) : 0);
    hk_pack_u64 (out, job->offset);
    hk_pack_u64 (out, job->size);
    hk_pack_i64 (out, job->active_us);
    hk_pack_u64 (out, job->retries);
    hk_pack_span (out, job->nexthop);
    hk_pack_span (out, hk_span (packed->data, packed->len));
    hk_pack_u64 (out, part->n_indexes);
    for (size_t i = 0; i < part->n_indexes; i++)
        hk_pack_span (out, job->notes[part->indexes[i]]);
    hk_channel_end (child->channel);
}

void
hk_children_run (HkChildren *self, HkJob *job, const HkUser *user, const uint32_t *indexes,
                 size_t n_indexes)
{
    Part *part = g_new0 (Part, 1);
    part->number = ++self->last_number;
    part->job = job;
    part->indexes = g_memdup2 (indexes, n_indexes * sizeof *indexes);
    part->n_indexes = n_indexes;
    Child *child = find_child (self, user);
    if (child == NULL) {
        hk_log (HK_LOG_WARNING, "no process for uid %u: %s", user->uid, g_strerror (errno));
        part_lost (self, part);
        free_part (part);
        return;
    }
    g_hash_table_insert (child->parts, &part->number, part);
    if (job->content != NULL) /* a probe has none */
        send_content (child, job->content);
    send_job (child, part);
}

void
hk_children_forget (HkChildren *self, uint64_t serial)
{
    for (guint i = 0; i < self->list->len; i++) {
        Child *child = self->list->pdata[i];
        if (!g_hash_table_remove (child->contents, &serial))
            continue;
        hk_pack_u64 (hk_channel_begin (child->channel, HK_FRAME_FORGET), serial);
        hk_channel_end (child->channel);
    }
}

/* ---- all of them */

static void
end_idle (HkLoopTimer *timer)
{
    HkChildren *self = timer->data;
    int64_t before = hk_loop_now_us (self->deliver->loop) - self->idle_us;
    for (guint i = self->list->len; i-- > 0;) {
        Child *child = self->list->pdata[i];
        if (g_hash_table_size (child->parts) == 0 && child->idle_since_us <= before)
            drop_child (child);
    }
    hk_timer_arm (timer, MAX (self->idle_us / 4, HK_SECOND));
}

HkChildren *
hk_children_new (HkDeliver *deliver, int64_t idle_us)
{
    HkChildren *self = g_new0 (HkChildren, 1);
    self->deliver = deliver;
    self->list = g_ptr_array_new ();
    self->idle_us = idle_us;
    hk_timer_init (&self->timer, deliver->loop, end_idle, self);
    hk_timer_arm (&self->timer, MAX (idle_us / 4, HK_SECOND));
    return self;
}

void
hk_children_reap (HkChildren *self)
{
    (void) self;
    int status;
    pid_t pid;
    while ((pid = waitpid (-1, &status, WNOHANG)) > 0)
        if (WIFSIGNALED (status))
            hk_log (HK_LOG_WARNING, "delivery process %d was ended by signal %d", (int) pid,
                    WTERMSIG (status));
}

void
hk_children_free (HkChildren *self)
{
    if (self == NULL)
        return;
    hk_timer_disarm (&self->timer);
    while (self->list->len > 0)
        drop_child (self->list->pdata[0]);
    g_ptr_array_unref (self->list);
    g_free (self);
}
