/* loop.c: descriptors, turn-end hooks, posts and signals on one epoll descriptor. */
#include "config.h"

#include "loop/loop_priv.h"

#include <errno.h>
#include <gio/gio.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { MAX_EVENTS = 512 };
#define WAKE UINT64_MAX /* in the place of slot and generation */

/* The watches that epoll knows, by slot; an event carries slot and generation, so that one
 * for a watch that a callback of the same batch detached is recognised and dropped. */
typedef struct {
    HkFdWatch *watch; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
} Slot;

typedef struct Post {
    struct Post *next;
    void (*fn) (void *data);
    void *data;
} Post;

typedef struct {
    int signal;
    void (*fn) (int signal, void *data);
    void *data;
} SignalFn;

typedef struct {
    GSource base;
    HkLoop *loop;
} LoopSource;

struct HkLoop {
    GMainContext *context;
    GMainLoop *main;
    GSource *source;
    gpointer epoll_tag;
    int epoll_fd;
    int wake_fd;                           /* GLib's own, which epoll knows; -1: not yet */
    struct epoll_event events[MAX_EVENTS]; /* what poll found, for the dispatch */
    int n_events;                          /* -1: nobody asked */
    const HkClock *clock;
    int64_t now_us;
    Slot *slots;
    uint32_t n_slots, free_slot; /* free_slot n_slots: none */
    HkHeap timers;
    HkTurnHook *hooks, **hooks_end;
    pthread_mutex_t post_lock; /* guards posts; not a GMutex: the thread sanitizer sees it */
    Post *posts, **posts_end;
    int post_fd;
    HkFdWatch post_watch;
    int signal_fd;
    sigset_t signal_set;
    HkFdWatch signal_watch;
    GArray *signals;
};

int64_t
hk_loop_now_us (HkLoop *self)
{
    return self->now_us;
}

const HkClock *
hk_loop_clock (HkLoop *self)
{
    return self->clock;
}

GMainContext *
hk_loop_context (HkLoop *self)
{
    return self->context;
}

HkHeap *
hk_loop_timers (HkLoop *self)
{
    return &self->timers;
}

/* ---- descriptors ---- */

static uint32_t
take_slot (HkLoop *self)
{
    if (self->free_slot == self->n_slots) {
        uint32_t n = MAX (self->n_slots * 2, 64);
        self->slots = g_renew (Slot, self->slots, n);
        for (uint32_t i = self->n_slots; i < n; i++)
            self->slots[i] = (Slot) { NULL, 0, i + 1 };
        self->n_slots = n;
    }
    uint32_t slot = self->free_slot;
    self->free_slot = self->slots[slot].next_free;
    return slot;
}

static void
free_slot (HkLoop *self, uint32_t slot)
{
    self->slots[slot].watch = NULL;
    self->slots[slot].generation++;
    self->slots[slot].next_free = self->free_slot;
    self->free_slot = slot;
}

static struct epoll_event
event_for (const HkFdWatch *watch, unsigned events, uint32_t extra)
{
    struct epoll_event ev = { .events = extra };
    if (events & HK_LOOP_READ) /* EPOLLRDHUP does not go with EPOLLEXCLUSIVE */
        ev.events |= extra & EPOLLEXCLUSIVE ? EPOLLIN : EPOLLIN | EPOLLRDHUP;
    if (events & HK_LOOP_WRITE)
        ev.events |= EPOLLOUT;
    ev.data.u64 = (uint64_t) watch->loop->slots[watch->slot].generation << 32 | watch->slot;
    return ev;
}

static bool
attach (HkLoop *self, HkFdWatch *watch, int fd, unsigned events, uint32_t extra, HkFdFn fn,
        void *data, GError **error)
{
    *watch = (HkFdWatch) { .fn = fn, .data = data, .loop = self, .fd = fd, .events = events,
                           .slot = take_slot (self) };
    self->slots[watch->slot].watch = watch;
    struct epoll_event ev = event_for (watch, events, extra);
    if (epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0)
        return true;
    int e = errno;
    free_slot (self, watch->slot);
    watch->loop = NULL;
    g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (e), "cannot watch descriptor %d: %s",
                 fd, g_strerror (e));
    return false;
}

bool
hk_loop_attach (HkLoop *self, HkFdWatch *watch, int fd, unsigned events, HkFdFn fn, void *data,
                GError **error)
{
    return attach (self, watch, fd, events, 0, fn, data, error);
}

/* EPOLLEXCLUSIVE allows no change of events later on. */
bool
hk_loop_attach_exclusive (HkLoop *self, HkFdWatch *watch, int fd, HkFdFn fn, void *data,
                          GError **error)
{
    return attach (self, watch, fd, HK_LOOP_READ, EPOLLEXCLUSIVE, fn, data, error);
}

void
hk_fd_watch_events (HkFdWatch *watch, unsigned events)
{
    if (watch->loop == NULL || watch->events == events)
        return;
    watch->events = events;
    struct epoll_event ev = event_for (watch, events, 0);
    if (epoll_ctl (watch->loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &ev) < 0)
        g_critical ("epoll_ctl (%d): %s", watch->fd, g_strerror (errno));
}

void
hk_fd_watch_detach (HkFdWatch *watch)
{
    HkLoop *loop = watch->loop;
    if (loop == NULL)
        return;
    epoll_ctl (loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    free_slot (loop, watch->slot);
    watch->loop = NULL;
}

static void
dispatch_event (HkLoop *self, const struct epoll_event *ev)
{
    uint32_t slot = (uint32_t) ev->data.u64;
    HkFdWatch *watch = slot < self->n_slots ? self->slots[slot].watch : NULL;
    if (watch == NULL || self->slots[slot].generation != (uint32_t) (ev->data.u64 >> 32))
        return;
    unsigned events = 0;
    if (ev->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        events |= HK_LOOP_READ;
    if (ev->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        events |= HK_LOOP_WRITE;
    watch->fn (watch, events);
}

static void
dispatch_descriptors (HkLoop *self)
{
    struct epoll_event events[MAX_EVENTS]; /* a callback may turn the loop */
    int n = self->n_events;
    self->n_events = -1;
    if (n < 0)
        n = epoll_wait (self->epoll_fd, events, MAX_EVENTS, 0);
    else
        memcpy (events, self->events, (size_t) n * sizeof *events);
    for (int i = 0; i < n; i++)
        dispatch_event (self, &events[i]);
}

/* ---- waiting
 *
 * GLib would wait for two descriptors, its own and epoll's, and the dispatch would ask epoll
 * once more.  Here epoll waits for both, and one system call does it all. */

static __thread HkLoop *turning; /* GPollFunc has no user data */

static bool
learn_wake_fd (HkLoop *self, int fd)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.u64 = WAKE };
    if (self->wake_fd != fd && epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0)
        self->wake_fd = fd;
    return self->wake_fd == fd;
}

static gint
wait_once (GPollFD *fds, guint n_fds, gint timeout_ms)
{
    HkLoop *self = turning;
    guint own = n_fds == 2 && self != NULL && fds[0].fd == self->epoll_fd ? 0 : 1;
    if (self == NULL || n_fds != 2 || fds[own].fd != self->epoll_fd
        || !learn_wake_fd (self, fds[!own].fd))
        return g_poll (fds, n_fds, timeout_ms);
    int n = epoll_wait (self->epoll_fd, self->events, MAX_EVENTS, timeout_ms), n_own = 0;
    fds[own].revents = fds[!own].revents = 0;
    for (int i = 0; i < n; i++) {
        if (self->events[i].data.u64 == WAKE)
            fds[!own].revents = G_IO_IN;
        else
            self->events[n_own++] = self->events[i];
    }
    self->n_events = n < 0 ? -1 : n_own;
    if (n_own > 0)
        fds[own].revents = G_IO_IN;
    return n < 0 ? n : (n_own > 0) + (fds[!own].revents != 0);
}

/* ---- turn end ---- */

void
hk_loop_at_turn_end (HkLoop *self, HkTurnHook *hook)
{
    if (hook->is_queued)
        return;
    hook->is_queued = true;
    hook->next = NULL;
    *self->hooks_end = hook;
    self->hooks_end = &hook->next;
}

void
hk_loop_cancel_turn_end (HkLoop *self, HkTurnHook *hook)
{
    if (!hook->is_queued)
        return;
    for (HkTurnHook **p = &self->hooks; *p != NULL; p = &(*p)->next) {
        if (*p == hook) {
            *p = hook->next;
            if (*p == NULL)
                self->hooks_end = p;
            break;
        }
    }
    hook->is_queued = false;
}

/* A hook may queue further hooks, which then run in the same turn. */
static void
run_hooks (HkLoop *self)
{
    while (self->hooks != NULL) {
        HkTurnHook *hook = self->hooks;
        self->hooks = hook->next;
        if (self->hooks == NULL)
            self->hooks_end = &self->hooks;
        hook->is_queued = false;
        hook->fn (hook->data);
    }
}

/* ---- posts ---- */

void
hk_loop_post (HkLoop *self, void (*fn) (void *data), void *data)
{
    Post *post = g_new (Post, 1);
    *post = (Post) { NULL, fn, data };
    pthread_mutex_lock (&self->post_lock);
    bool was_empty = self->posts == NULL;
    *self->posts_end = post;
    self->posts_end = &post->next;
    pthread_mutex_unlock (&self->post_lock);
    if (was_empty && eventfd_write (self->post_fd, 1) < 0)
        g_critical ("eventfd: %s", g_strerror (errno));
}

static void
on_posts (HkFdWatch *watch, unsigned events)
{
    HkLoop *self = watch->data;
    eventfd_t ignored;
    (void) events;
    if (eventfd_read (self->post_fd, &ignored) < 0 && errno != EAGAIN)
        g_critical ("eventfd: %s", g_strerror (errno));
    pthread_mutex_lock (&self->post_lock);
    Post *post = self->posts;
    self->posts = NULL;
    self->posts_end = &self->posts;
    pthread_mutex_unlock (&self->post_lock);
    while (post != NULL) {
        Post *next = post->next;
        post->fn (post->data);
        g_free (post);
        post = next;
    }
}

/* ---- signals ---- */

static void
on_signal (HkFdWatch *watch, unsigned events)
{
    HkLoop *self = watch->data;
    struct signalfd_siginfo info;
    (void) events;
    while (read (self->signal_fd, &info, sizeof info) == (ssize_t) sizeof info) {
        for (guint i = 0; i < self->signals->len; i++) {
            SignalFn s = g_array_index (self->signals, SignalFn, i);
            if (s.signal == (int) info.ssi_signo)
                s.fn (s.signal, s.data);
        }
    }
}

bool
hk_loop_on_signal (HkLoop *self, int sig, void (*fn) (int, void *), void *data,
                   GError **error)
{
    SignalFn s = { sig, fn, data };
    sigaddset (&self->signal_set, sig);
    pthread_sigmask (SIG_BLOCK, &self->signal_set, NULL);
    int fd = signalfd (self->signal_fd, &self->signal_set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) {
        g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errno), "signalfd: %s",
                     g_strerror (errno));
        return false;
    }
    g_array_append_val (self->signals, s);
    if (self->signal_fd >= 0)
        return true;
    self->signal_fd = fd;
    return hk_loop_attach (self, &self->signal_watch, fd, HK_LOOP_READ, on_signal, self, error);
}

/* ---- the source ---- */

static gboolean
source_prepare (GSource *source, gint *timeout)
{
    HkLoop *self = ((LoopSource *) source)->loop;
    int64_t due = hk_timers_next_us (&self->timers);
    if (self->hooks != NULL) { /* asked for outside a turn */
        *timeout = 0;
        return TRUE;
    }
    if (due == INT64_MAX) {
        *timeout = -1;
        return FALSE;
    }
    int64_t left = due - hk_steady_us (self->clock);
    if (left <= 0) {
        *timeout = 0;
        return TRUE;
    }
    *timeout = (gint) MIN ((left + 999) / 1000, 3600 * 1000);
    return FALSE;
}

static gboolean
source_check (GSource *source)
{
    HkLoop *self = ((LoopSource *) source)->loop;
    return g_source_query_unix_fd (source, self->epoll_tag) != 0 || self->hooks != NULL
           || hk_timers_next_us (&self->timers) <= hk_steady_us (self->clock);
}

static gboolean
source_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
    HkLoop *self = ((LoopSource *) source)->loop;
    (void) callback;
    (void) data;
    self->now_us = hk_steady_us (self->clock);
    dispatch_descriptors (self);
    hk_timers_fire (&self->timers, self->now_us);
    run_hooks (self);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { source_prepare, source_check, source_dispatch, NULL, NULL,
                                     NULL };

HkLoop *
hk_loop_new (GError **error)
{
    HkLoop *self = g_new0 (HkLoop, 1);
    self->clock = &hk_clock_system;
    self->now_us = hk_steady_us (self->clock);
    self->hooks_end = &self->hooks;
    self->posts_end = &self->posts;
    self->signals = g_array_new (FALSE, FALSE, sizeof (SignalFn));
    self->signal_fd = self->wake_fd = self->n_events = -1;
    sigemptyset (&self->signal_set);
    pthread_mutex_init (&self->post_lock, NULL);
    hk_timers_init (&self->timers);
    self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
    self->post_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->context = g_main_context_new ();
    g_main_context_set_poll_func (self->context, wait_once);
    self->main = g_main_loop_new (self->context, FALSE);
    self->source = g_source_new (&source_funcs, sizeof (LoopSource));
    ((LoopSource *) self->source)->loop = self;
    if (self->epoll_fd < 0 || self->post_fd < 0) {
        g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errno),
                     "cannot make an event loop: %s", g_strerror (errno));
        hk_loop_free (self);
        return NULL;
    }
    self->epoll_tag = g_source_add_unix_fd (self->source, self->epoll_fd, G_IO_IN);
    /* Else GLib takes the descriptor out of its set and back for each dispatch, and wakes
     * itself up twice by doing so. */
    g_source_set_can_recurse (self->source, TRUE);
    g_source_attach (self->source, self->context);
    if (!hk_loop_attach (self, &self->post_watch, self->post_fd, HK_LOOP_READ, on_posts, self,
                         error)) {
        hk_loop_free (self);
        return NULL;
    }
    return self;
}

void
hk_loop_free (HkLoop *self)
{
    if (self == NULL)
        return;
    g_source_destroy (self->source);
    g_source_unref (self->source);
    g_main_loop_unref (self->main);
    g_main_context_unref (self->context);
    while (self->posts != NULL) {
        Post *next = self->posts->next;
        g_free (self->posts);
        self->posts = next;
    }
    if (self->epoll_fd >= 0)
        close (self->epoll_fd);
    if (self->post_fd >= 0)
        close (self->post_fd);
    if (self->signal_fd >= 0)
        close (self->signal_fd);
    hk_heap_clear (&self->timers);
    g_array_unref (self->signals);
    pthread_mutex_destroy (&self->post_lock);
    g_free (self->slots);
    g_free (self);
}

void
hk_loop_run (HkLoop *self)
{
    HkLoop *outer = turning;
    g_main_context_push_thread_default (self->context);
    turning = self;
    g_main_loop_run (self->main);
    turning = outer;
    g_main_context_pop_thread_default (self->context);
}

void
hk_loop_quit (HkLoop *self)
{
    g_main_loop_quit (self->main);
}

void
hk_loop_turn (HkLoop *self, bool may_wait)
{
    HkLoop *outer = turning;
    turning = self;
    g_main_context_iteration (self->context, may_wait);
    turning = outer;
}
