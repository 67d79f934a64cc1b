/* played_loop.c: the loop as a fuzzer plays it: one descriptor that is not there, time that only
 * the fuzzer moves, workers that run when the loop turns.  No system call.
 *
 * A link with -Wl,--wrap=read,--wrap=recv,--wrap=send,--wrap=close brings PLAYED_FD here. */
#include "base/clock.h"
#include "loop/loop.h"

#include <errno.h>
#include <sys/socket.h>

enum { PLAYED_FD = 1000000 };

struct HkLoop {
    HkTestClock clock;
    HkFdWatch *watch; /* of the played descriptor; NULL: not watched */
    GPtrArray *timers;
    GQueue posts;
    HkTurnHook *hooks;
};

typedef struct {
    void (*fn) (void *data);
    void *data;
    HkWorkers *workers; /* NULL: not a worker's return */
} Post;

static struct HkLoop played;

/* What lies between the session and its client. */
static struct {
    HkSpan input;   /* sent, not read yet */
    GString *output; /* written, not looked at yet */
    size_t room;    /* how much more is taken before somebody reads */
    bool is_ended;  /* the client sends nothing more */
    bool is_open;
    size_t most_written;
} pipe_;

/* ---- the loop */

static void
played_init (void)
{
    hk_test_clock_init (&played.clock, INT64_C (1700000000) * HK_SECOND);
    played.timers = g_ptr_array_new ();
    pipe_.output = g_string_new (NULL);
}

const HkClock *
hk_loop_clock (HkLoop *self)
{
    return &self->clock.base;
}

int64_t
hk_loop_now_us (HkLoop *self)
{
    return self->clock.steady;
}

bool
hk_loop_attach (HkLoop *self, HkFdWatch *watch, int fd, unsigned events, HkFdFn fn,
                void *data, GError **error)
{
    (void) error;
    g_assert (fd == PLAYED_FD && self->watch == NULL);
    *watch = (HkFdWatch){.fn = fn, .data = data, .loop = self, .fd = fd, .events = events};
    self->watch = watch;
    return true;
}

void
hk_fd_watch_events (HkFdWatch *watch, unsigned events)
{
    watch->events = events;
}

void
hk_fd_watch_detach (HkFdWatch *watch)
{
    if (watch->loop == NULL)
        return;
    g_assert (watch->loop->watch == watch);
    watch->loop->watch = NULL;
    watch->loop = NULL;
}

void
hk_timer_init (HkLoopTimer *timer, HkLoop *loop, HkLoopTimerFn fn, void *data)
{
    *timer = (HkLoopTimer){.fn = fn, .data = data, .loop = loop};
}

void
hk_timer_disarm (HkLoopTimer *timer)
{
    if (timer->place == 0)
        return;
    timer->place = 0;
    g_assert (g_ptr_array_remove_fast (timer->loop->timers, timer));
}

void
hk_timer_arm (HkLoopTimer *timer, int64_t delay_us)
{
    hk_timer_disarm (timer);
    timer->due_us = timer->loop->clock.steady + MAX (delay_us, 0);
    timer->place = 1;
    g_ptr_array_add (timer->loop->timers, timer);
}

void
hk_loop_at_turn_end (HkLoop *self, HkTurnHook *hook)
{
    if (hook->is_queued)
        return;
    hook->is_queued = true;
    hook->next = self->hooks;
    self->hooks = hook;
}

void
hk_loop_cancel_turn_end (HkLoop *self, HkTurnHook *hook)
{
    for (HkTurnHook **at = &self->hooks; *at != NULL; at = &(*at)->next)
        if (*at == hook) {
            *at = hook->next;
            hook->is_queued = false;
            return;
        }
}

static void
add_post (HkLoop *self, void (*fn) (void *data), void *data, HkWorkers *workers)
{
    Post *post = g_new (Post, 1);
    *post = (Post){fn, data, workers};
    g_queue_push_tail (&self->posts, post);
}

void
hk_loop_post (HkLoop *self, void (*fn) (void *data), void *data)
{
    add_post (self, fn, data, NULL);
}

/* ---- workers: what they do is done when they are asked, and told of at the next turn */

struct HkWorkers {
    HkLoop *loop;
    unsigned pending;
};

HkWorkers *
hk_workers_new (HkLoop *loop, unsigned max_threads)
{
    HkWorkers *self = g_new0 (HkWorkers, 1);
    (void) max_threads;
    self->loop = loop;
    return self;
}

void
hk_workers_free (HkWorkers *self)
{
    g_free (self);
}

void
hk_workers_run (HkWorkers *self, void (*work) (void *), void (*done) (void *), void *data)
{
    self->pending++;
    work (data);
    add_post (self->loop, done, data, self);
}

unsigned
hk_workers_pending (HkWorkers *self)
{
    return self->pending;
}

/* ---- turns */

static bool
is_ready (const HkFdWatch *watch)
{
    return watch != NULL && (((watch->events & HK_LOOP_READ) &&
                              (pipe_.input.size > 0 || pipe_.is_ended)) ||
                             ((watch->events & HK_LOOP_WRITE) && pipe_.room > 0));
}

static HkLoopTimer *
due_timer (int64_t until)
{
    HkLoopTimer *first = NULL;
    for (guint i = 0; i < played.timers->len; i++) {
        HkLoopTimer *t = played.timers->pdata[i];
        if (t->due_us <= until && (first == NULL || t->due_us < first->due_us))
            first = t;
    }
    return first;
}

/* One turn; false: nothing happened. */
static bool
played_turn (void)
{
    bool is_idle = true;
    HkLoopTimer *timer;
    if (is_ready (played.watch)) {
        unsigned events = ((pipe_.input.size > 0 || pipe_.is_ended) ? HK_LOOP_READ : 0u) |
                          (pipe_.room > 0 ? HK_LOOP_WRITE : 0u);
        played.watch->fn (played.watch, events & played.watch->events);
        is_idle = false;
    }
    if ((timer = due_timer (played.clock.steady)) != NULL) {
        hk_timer_disarm (timer);
        timer->fn (timer);
        is_idle = false;
    }
    for (guint n = g_queue_get_length (&played.posts); n > 0; n--) {
        g_autofree Post *post = g_queue_pop_head (&played.posts);
        if (post->workers != NULL)
            post->workers->pending--;
        post->fn (post->data);
        is_idle = false;
    }
    HkTurnHook *hooks = g_steal_pointer (&played.hooks);
    while (hooks != NULL) {
        HkTurnHook *hook = hooks;
        /* what a hook takes back may be among those that are still to come */
        played.hooks = hook->next;
        hook->is_queued = false;
        hook->fn (hook->data);
        hooks = g_steal_pointer (&played.hooks);
        is_idle = false;
    }
    return !is_idle;
}

/* Time goes on to the next timer, at most to UNTIL. */
static void
played_wait (int64_t until)
{
    HkLoopTimer *timer = due_timer (until);
    int64_t to = timer != NULL ? timer->due_us : until;
    if (to > played.clock.steady) {
        played.clock.wall += to - played.clock.steady;
        played.clock.steady = to;
    }
}

/* ---- the descriptor */

ssize_t __real_read (int fd, void *buffer, size_t size);
ssize_t __real_recv (int fd, void *buffer, size_t size, int flags);
ssize_t __real_send (int fd, const void *buffer, size_t size, int flags);
int __real_close (int fd);
ssize_t __wrap_read (int fd, void *buffer, size_t size);
ssize_t __wrap_recv (int fd, void *buffer, size_t size, int flags);
ssize_t __wrap_send (int fd, const void *buffer, size_t size, int flags);
int __wrap_close (int fd);

ssize_t
__wrap_recv (int fd, void *buffer, size_t size, int flags)
{
    if (fd != PLAYED_FD)
        return __real_recv (fd, buffer, size, flags);
    g_assert (pipe_.is_open);
    if (pipe_.input.size == 0) {
        errno = EAGAIN;
        return pipe_.is_ended ? 0 : -1;
    }
    size_t n = MIN (size, pipe_.input.size);
    memcpy (buffer, pipe_.input.data, n);
    if (!(flags & MSG_PEEK))
        pipe_.input = hk_span_sub (pipe_.input, n, pipe_.input.size);
    return (ssize_t) n;
}

ssize_t
__wrap_read (int fd, void *buffer, size_t size)
{
    return fd == PLAYED_FD ? __wrap_recv (fd, buffer, size, 0)
                           : __real_read (fd, buffer, size);
}

ssize_t
__wrap_send (int fd, const void *buffer, size_t size, int flags)
{
    if (fd != PLAYED_FD)
        return __real_send (fd, buffer, size, flags);
    g_assert (pipe_.is_open && size > 0);
    pipe_.most_written = MAX (pipe_.most_written, size);
    size_t n = MIN (size, pipe_.room);
    if (n == 0) {
        errno = EAGAIN;
        return -1;
    }
    pipe_.room -= n;
    g_string_append_len (pipe_.output, buffer, (gssize) n);
    return (ssize_t) n;
}

int
__wrap_close (int fd)
{
    if (fd != PLAYED_FD)
        return __real_close (fd);
    g_assert (pipe_.is_open);
    pipe_.is_open = false;
    return 0;
}
