/* pickup.c: taking local submissions from maildrop/ into the queue. */
#include "config.h"

#include "base/log.h"
#include "mail/header.h"
#include "mail/verp.h"
#include "session/content.h"
#include "smtpd/maildrop.h"
#include "smtpd/smtpd_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* Without message_size_limit: what one file may hold. */
#define LARGEST_FILE (UINT64_C (1) << 30)
static const int64_t lock_retry_us = 5 * HK_SECOND, failure_retry_us = 10 * HK_SECOND;

struct HkPickup {
    HkPickupOptions options;
    char *dir;
    int dir_fd; /* for the lock and for openat; -1: no such directory yet */
    int inotify_fd;
    HkFdWatch watch;
    HkLoopTimer timer;
    HkTurnHook idle_hook;
    GHashTable *running; /* names under way */
    unsigned limit;
    uint64_t size_limit;
    int64_t rescan_us;
    bool has_lock, is_draining, is_behind;
    void (*idle) (void *data);
    void *idle_data;
};

typedef struct {
    HkPickup *pickup;
    char *name;
} Item;

static void scan (HkPickup *self);

static void
tell_idle (void *data)
{
    HkPickup *self = data;
    self->idle (self->idle_data);
}

static void
item_free (Item *item)
{
    g_free (item->name);
    g_free (item);
}

/* ---- one file ---------------------------------------------------------------------------
 */

/* A file that is no submission stays for the postmaster, out of the way. */
static void
set_aside (HkPickup *self, const char *name, const char *why)
{
    g_autofree char *aside = g_strconcat (".bad-", name, NULL);
    hk_log (HK_LOG_ERROR, "maildrop/%s: %s; kept as maildrop/%s", name, why, aside);
    if (renameat (self->dir_fd, name, self->dir_fd, aside) < 0)
        unlinkat (self->dir_fd, name, 0);
}

static void
finished (const HkIntakeOutcome *outcome, void *data)
{
    Item *item = data;
    HkPickup *self = item->pickup;

    if (outcome->code == 250) {
        unlinkat (self->dir_fd, item->name, 0);
        if (!outcome->is_discarded)
            self->options.queued (outcome, self->options.data);
    } else if (outcome->code >= 500) {
        set_aside (self, item->name, outcome->text);
    } else {
        hk_log (HK_LOG_WARNING, "maildrop/%s: %s; tried again later", item->name,
                outcome->text);
        hk_timer_arm (&self->timer, failure_retry_us);
    }
    bool is_retry = outcome->code != 250 && outcome->code < 500;
    g_hash_table_remove (self->running, item->name);
    item_free (item);
    if (self->is_draining && self->idle != NULL && g_hash_table_size (self->running) == 0)
        hk_loop_at_turn_end (self->options.loop, &self->idle_hook);
    else if (self->is_behind && !is_retry)
        scan (self);
}

static void
put (HkSpan bytes, void *data)
{
    hk_incoming_write (data, bytes);
}

static void
report (HkPickup *self, const HkEnvelope *envelope)
{
    HkEvent event = {.kind = HK_EVENT_PICKUP, .agent = "pickup", .level = HK_LOG_INFO};
    char id[HK_QUEUE_ID_TEXT];
    hk_event_text (&event, HK_PROP_QUEUE_ID,
                   hk_span_text (hk_queue_id_format (envelope->queue_id, id)));
    hk_event_text (&event, HK_PROP_SENDER, envelope->sender);
    hk_event_number (&event, HK_PROP_UID, envelope->uid);
    if (self->options.events != NULL)
        hk_events_emit (self->options.events, &event);
}

static void
append_received (HkPickup *self, const HkEnvelope *envelope, GString *out)
{
    char id[HK_QUEUE_ID_TEXT];
    const HkReceived received = {
        .myhostname = hk_settings_get (self->options.settings, "myhostname"),
        .mail_name = hk_settings_get (self->options.settings, "mail_name"),
        .queue_id = hk_queue_id_format (envelope->queue_id, id),
        .uid = envelope->uid,
        .arrival_us = envelope->arrival_us,
    };
    hk_header_append_received (out, &received);
}

/* Whoever writes into maildrop/ need not be our sendmail. */
static bool
takes_verp (HkPickup *self, const HkSubmission *s, char out[3])
{
    const char *allowed = hk_settings_get (self->options.settings, "verp_delimiter_filter");
    if (s->verp.size == 0)
        return false;
    if (s->sender.size > 0 && hk_verp_parse (s->verp, allowed, out))
        return true;
    hk_log (HK_LOG_WARNING, s->sender.size == 0
                                ? "maildrop: VERP for a null sender is ignored"
                                : "maildrop: VERP with bad delimiters is ignored");
    return false;
}

static void
submit (HkPickup *self, Item *item, const HkSubmission *s, const struct stat *st)
{
    HkEnvelope envelope = {
        .queue_id = hk_lane_next_id (self->options.lane),
        .arrival_us = (int64_t) st->st_mtim.tv_sec * HK_SECOND + st->st_mtim.tv_nsec / 1000,
        .flags = s->flags | HK_ENVELOPE_LOCAL,
        .sender = s->sender,
        .envid = s->envid,
        .recipients = s->recipients,
        .n_recipients = s->n_recipients,
        .uid = st->st_uid,
    };
    char verp[3];
    if (takes_verp (self, s, verp))
        envelope.verp = hk_span_text (verp);
    report (self, &envelope);
    g_autoptr (GString) received = g_string_new (NULL);
    append_received (self, &envelope, received);
    const HkIncomingOptions options = {
        .envelope = &envelope,
        .received = hk_span_string (received),
        .add_missing_headers = true,
        .is_local_rewrite = true,
        .log_client = "local",
    };
    HkIncoming *incoming = hk_incoming_new (self->options.intake, &options);
    HkContent content;
    hk_content_begin (&content, false);
    hk_content_feed (&content, s->content, put, incoming);
    hk_content_end (&content, put, incoming);
    hk_incoming_finish (incoming, finished, item);
}

/* The whole file: its owner might still write to it, so it is read, not mapped, and the
 * checksum is made of what was read. */
static uint8_t *
read_file (int fd, size_t size)
{
    uint8_t *buffer = g_try_malloc (MAX (size, 1));
    size_t have = 0;
    while (buffer != NULL && have < size) {
        ssize_t n = pread (fd, buffer + have, size - have, (off_t) have);
        if (n <= 0) {
            g_free (buffer);
            return NULL;
        }
        have += (size_t) n;
    }
    return buffer;
}

static void
take_open (HkPickup *self, const char *name, int fd)
{
    struct stat st;
    g_autoptr (GError) error = NULL;
    HkSubmission submission;

    if (fstat (fd, &st) < 0 || !S_ISREG (st.st_mode) || st.st_nlink != 1) {
        set_aside (self, name, "not a plain file");
        return;
    }
    if ((uint64_t) st.st_size > self->size_limit) {
        set_aside (self, name, "larger than message_size_limit");
        return;
    }
    g_autofree uint8_t *bytes = read_file (fd, (size_t) st.st_size);
    if (bytes == NULL) {
        hk_log (HK_LOG_WARNING, "maildrop/%s: cannot be read now", name);
        return;
    }
    if (!hk_maildrop_unpack (hk_span (bytes, (size_t) st.st_size), &submission, &error)) {
        set_aside (self, name, error->message);
        return;
    }
    Item *item = g_new0 (Item, 1);
    item->pickup = self;
    item->name = g_strdup (name);
    g_hash_table_add (self->running, g_strdup (name));
    submit (self, item, &submission, &st);
    g_free (submission.recipients);
}

static void
take (HkPickup *self, const char *name)
{
    int fd = openat (self->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOENT)
            hk_log (HK_LOG_WARNING, "maildrop/%s: %s", name, g_strerror (errno));
        return;
    }
    take_open (self, name, fd);
    close (fd);
}

/* ---- the directory ----------------------------------------------------------------------
 */

static bool
open_dir (HkPickup *self)
{
    if (self->dir_fd < 0)
        self->dir_fd = open (self->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->dir_fd < 0)
        return false;
    if (!self->has_lock)
        self->has_lock = flock (self->dir_fd, LOCK_EX | LOCK_NB) == 0;
    return self->has_lock;
}

static void
scan (HkPickup *self)
{
    struct dirent *entry;
    if (self->is_draining || !open_dir (self))
        return;
    int fd = openat (self->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir (fd);
    if (stream == NULL) {
        if (fd >= 0)
            close (fd);
        return;
    }
    self->is_behind = false;
    while ((entry = readdir (stream)) != NULL) {
        if (entry->d_name[0] == '.' || g_hash_table_contains (self->running, entry->d_name))
            continue;
        if (g_hash_table_size (self->running) >= self->limit) {
            self->is_behind = true;
            break;
        }
        take (self, entry->d_name);
    }
    closedir (stream);
}

static void
on_timer (HkLoopTimer *timer)
{
    HkPickup *self = timer->data;
    scan (self);
    if (!hk_timer_is_armed (timer))
        hk_timer_arm (timer, self->has_lock ? self->rescan_us : lock_retry_us);
}

/* Something was put there: which names does not matter. */
static void
on_notify (HkFdWatch *watch, unsigned events)
{
    HkPickup *self = watch->data;
    char buffer[4096];
    (void) events;
    while (read (self->inotify_fd, buffer, sizeof buffer) > 0)
        ;
    scan (self);
}

static void
watch_dir (HkPickup *self)
{
    self->inotify_fd = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);
    if (self->inotify_fd >= 0 &&
        inotify_add_watch (self->inotify_fd, self->dir, IN_MOVED_TO | IN_ONLYDIR) >= 0)
        hk_loop_attach (self->options.loop, &self->watch, self->inotify_fd, HK_LOOP_READ,
                        on_notify, self, NULL);
    else
        hk_log (HK_LOG_WARNING, "%s is not watched: %s", self->dir, g_strerror (errno));
}

HkPickup *
hk_pickup_new (const HkPickupOptions *options)
{
    HkPickup *self = g_new0 (HkPickup, 1);
    HkSettings *s = options->settings;
    self->options = *options;
    self->dir = g_build_filename (hk_settings_get (s, "queue_directory"), "maildrop", NULL);
    self->dir_fd = -1;
    self->running = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    self->limit = (unsigned) hk_settings_int (s, "pickup_concurrency_limit");
    self->rescan_us = hk_settings_int (s, "pickup_rescan_time") * HK_SECOND;
    uint64_t limit = (uint64_t) MAX (hk_settings_int (s, "message_size_limit"), 0);
    self->size_limit = (limit == 0 ? LARGEST_FILE : limit) + HK_MAILDROP_MAX_HEAD;
    self->idle_hook = (HkTurnHook){.fn = tell_idle, .data = self};
    hk_timer_init (&self->timer, options->loop, on_timer, self);
    watch_dir (self);
    hk_timer_arm (&self->timer, 0);
    return self;
}

void
hk_pickup_free (HkPickup *self)
{
    if (self == NULL)
        return;
    hk_fd_watch_detach (&self->watch);
    hk_timer_disarm (&self->timer);
    hk_loop_cancel_turn_end (self->options.loop, &self->idle_hook);
    if (self->inotify_fd >= 0)
        close (self->inotify_fd);
    if (self->dir_fd >= 0)
        close (self->dir_fd);
    g_hash_table_unref (self->running);
    g_free (self->dir);
    g_free (self);
}

void
hk_pickup_drain (HkPickup *self, void (*idle) (void *data), void *data)
{
    self->is_draining = true;
    self->idle = idle;
    self->idle_data = data;
    hk_timer_disarm (&self->timer);
    if (g_hash_table_size (self->running) == 0)
        hk_loop_at_turn_end (self->options.loop, &self->idle_hook);
}
