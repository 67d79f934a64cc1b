/* test_loop.c: descriptors, timers, hooks, posts and workers in one loop. */
#include "config.h"

#include "loop/loop.h"

#include <glib-unix.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static HkLoop *
new_loop (void)
{
    g_autoptr (GError) error = NULL;
    HkLoop *loop = hk_loop_new (&error);
    g_assert_no_error (error);
    return loop;
}

/* ---- descriptors ---- */

typedef struct {
    HkFdWatch a, b;
    unsigned n_a, n_b;
} Two;

static void
on_a (HkFdWatch *watch, unsigned events)
{
    Two *two = watch->data;
    char c;
    g_assert_cmpuint (events & HK_LOOP_READ, !=, 0);
    g_assert_cmpint (read (watch->fd, &c, 1), ==, 1);
    two->n_a++;
    hk_fd_watch_detach (&two->b); /* whichever comes first detaches the other */
}

static void
on_b (HkFdWatch *watch, unsigned events)
{
    Two *two = watch->data;
    (void) events;
    two->n_b++;
    hk_fd_watch_detach (&two->a);
}

/* A watch that is detached in the turn in which it is ready as well is not called. */
static void
test_detach_in_turn (void)
{
    HkLoop *loop = new_loop ();
    g_autoptr (GError) error = NULL;
    int p[2], q[2];
    Two two = { .n_a = 0 };
    g_assert_cmpint (pipe (p), ==, 0);
    g_assert_cmpint (pipe (q), ==, 0);
    hk_loop_attach (loop, &two.a, p[0], HK_LOOP_READ, on_a, &two, &error);
    hk_loop_attach (loop, &two.b, q[0], HK_LOOP_READ, on_b, &two, &error);
    g_assert_no_error (error);
    g_assert_cmpint (write (p[1], "x", 1), ==, 1);
    g_assert_cmpint (write (q[1], "x", 1), ==, 1);
    hk_loop_turn (loop, true);
    g_assert_cmpuint (two.n_a + two.n_b, ==, 1);
    hk_fd_watch_detach (&two.a);
    hk_fd_watch_detach (&two.b);
    for (int i = 0; i < 2; i++) {
        close (p[i]);
        close (q[i]);
    }
    hk_loop_free (loop);
}

/* ---- timers ---- */

typedef struct {
    HkLoop *loop;
    GString *order;
    unsigned n;
} Order;

static void
on_timer (HkLoopTimer *timer)
{
    Order *order = timer->data;
    g_string_append_printf (order->order, "%d,", (int) (timer->due_us % 1000));
    if (++order->n == 10)
        hk_loop_quit (order->loop);
}

static void
test_timers (void)
{
    Order order = { new_loop (), g_string_new (NULL), 0 };
    HkLoopTimer timers[200];
    int64_t now = hk_loop_now_us (order.loop);
    for (unsigned i = 0; i < 200; i++) {
        hk_timer_init (&timers[i], order.loop, on_timer, &order);
        hk_timer_arm (&timers[i], (int64_t) ((i * 7919) % 1000) + 100000);
    }
    for (unsigned i = 0; i < 200; i++) { /* move some, end most */
        if (i % 20 == 0)
            hk_timer_arm (&timers[i], (int64_t) (200 - i) * 10 - now % 1000 + 2000);
        else
            hk_timer_disarm (&timers[i]);
    }
    hk_loop_run (order.loop);
    g_assert_cmpstr (order.order->str, ==, "200,400,600,800,0,200,400,600,800,0,");
    for (unsigned i = 0; i < 200; i++)
        hk_timer_disarm (&timers[i]);
    g_string_free (order.order, TRUE);
    hk_loop_free (order.loop);
}

/* ---- hooks and posts ---- */

typedef struct {
    HkLoop *loop;
    HkTurnHook hook;
    GString *trace;
    GThread *main;
    HkWorkers *workers;
} Trace;

static void
hook_fn (void *data)
{
    Trace *t = data;
    g_string_append (t->trace, "hook ");
}

static void
post_fn (void *data)
{
    Trace *t = data;
    g_string_append (t->trace, "post ");
    hk_loop_at_turn_end (t->loop, &t->hook);
    hk_loop_at_turn_end (t->loop, &t->hook); /* once a turn */
}

static void
work_fn (void *data)
{
    Trace *t = data;
    g_assert_true (g_thread_self () != t->main);
    hk_loop_post (t->loop, post_fn, t);
}

static void
done_fn (void *data)
{
    Trace *t = data;
    g_assert_true (g_thread_self () == t->main);
    g_assert_cmpuint (hk_workers_pending (t->workers), ==, 0);
    g_string_append (t->trace, "done ");
    hk_loop_quit (t->loop);
}

static void
test_workers (void)
{
    Trace t = { .loop = new_loop (), .trace = g_string_new (NULL), .main = g_thread_self () };
    t.hook = (HkTurnHook) { .fn = hook_fn, .data = &t };
    t.workers = hk_workers_new (t.loop, 4);
    hk_workers_run (t.workers, work_fn, done_fn, &t);
    hk_loop_run (t.loop);
    /* The post comes before the result, and the hook once at a turn's end after the post. */
    g_assert_true (g_str_has_prefix (t.trace->str, "post "));
    g_assert_nonnull (strstr (t.trace->str, "done "));
    g_assert_cmpint ((int) t.trace->len, ==, (int) strlen ("post hook done "));
    hk_workers_free (t.workers);
    g_string_free (t.trace, TRUE);
    hk_loop_free (t.loop);
}

static void
nothing (void *data)
{
    (void) data;
}

static void
count_fn (void *data)
{
    ++*(unsigned *) data;
}

/* A pool that is freed before its results were fetched: they still arrive, and nothing of the
 * pool is touched after its end. */
static void
test_workers_freed_early (void)
{
    HkLoop *loop = new_loop ();
    HkWorkers *workers = hk_workers_new (loop, 3);
    unsigned n = 0;
    for (int i = 0; i < 50; i++)
        hk_workers_run (workers, nothing, count_fn, &n);
    hk_workers_free (workers);
    hk_loop_turn (loop, true);
    g_assert_cmpuint (n, ==, 50);
    hk_loop_free (loop);
}

static void
signal_fn (int sig, void *data)
{
    g_assert_cmpint (sig, ==, SIGUSR1);
    hk_loop_quit (data);
}

static void
test_signal (void)
{
    HkLoop *loop = new_loop ();
    g_autoptr (GError) error = NULL;
    hk_loop_on_signal (loop, SIGUSR1, signal_fn, loop, &error);
    g_assert_no_error (error);
    kill (getpid (), SIGUSR1);
    hk_loop_run (loop);
    hk_loop_free (loop);
}

/* A loop with nothing to do sleeps until its timer. */
static void
quit_timer (HkLoopTimer *timer)
{
    hk_loop_quit (timer->data);
}

typedef struct {
    GSource base;
    unsigned n;
} Counting;

static gboolean
counting_check (GSource *source)
{
    ((Counting *) source)->n++;
    return FALSE;
}

static gboolean
counting_dispatch (GSource *source, GSourceFunc fn, gpointer data)
{
    (void) source;
    (void) fn;
    (void) data;
    return G_SOURCE_CONTINUE;
}

static void
test_idle (void)
{
    static GSourceFuncs funcs = { NULL, counting_check, counting_dispatch, NULL, NULL, NULL };
    HkLoop *loop = new_loop ();
    GSource *source = g_source_new (&funcs, sizeof (Counting));
    HkLoopTimer timer;
    g_source_attach (source, hk_loop_context (loop));
    hk_timer_init (&timer, loop, quit_timer, loop);
    hk_timer_arm (&timer, 50000);
    hk_loop_run (loop);
    g_assert_cmpuint (((Counting *) source)->n, <, 20); /* not thousands */
    g_source_destroy (source);
    g_source_unref (source);
    hk_loop_free (loop);
}

static gboolean
quit_loop (gpointer loop)
{
    hk_loop_quit (loop);
    return G_SOURCE_REMOVE;
}

static gboolean
quit_on_byte (gint fd, GIOCondition condition, gpointer loop)
{
    char byte;
    (void) condition;
    g_assert_cmpint (read (fd, &byte, 1), ==, 1);
    hk_loop_quit (loop);
    return G_SOURCE_CONTINUE;
}

static gpointer
wake_from_outside (gpointer loop)
{
    g_main_context_invoke (hk_loop_context (loop), quit_loop, loop);
    return NULL;
}

/* A loop that waits for nothing of its own wakes up for what GLib has: a source attached by
 * another thread, twice; and a descriptor that GLib watches itself. */
static void
test_woken_by_glib (void)
{
    HkLoop *loop = new_loop ();
    int fds[2];
    for (int i = 0; i < 2; i++) {
        GThread *thread = g_thread_new ("outside", wake_from_outside, loop);
        hk_loop_run (loop);
        g_thread_join (thread);
    }
    g_assert_cmpint (pipe (fds), ==, 0);
    GSource *source = g_unix_fd_source_new (fds[0], G_IO_IN);
    g_source_set_callback (source, G_SOURCE_FUNC (quit_on_byte), loop, NULL);
    g_source_attach (source, hk_loop_context (loop));
    g_assert_cmpint (write (fds[1], "x", 1), ==, 1);
    hk_loop_run (loop);
    g_source_destroy (source);
    g_source_unref (source);
    GThread *thread = g_thread_new ("outside", wake_from_outside, loop);
    hk_loop_run (loop);
    g_thread_join (thread);
    close (fds[0]);
    close (fds[1]);
    hk_loop_free (loop);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/loop/signal", test_signal); /* first: no thread yet */
    g_test_add_func ("/loop/detach-in-turn", test_detach_in_turn);
    g_test_add_func ("/loop/timers", test_timers);
    g_test_add_func ("/loop/idle", test_idle);
    g_test_add_func ("/loop/woken-by-glib", test_woken_by_glib);
    g_test_add_func ("/loop/workers", test_workers);
    g_test_add_func ("/loop/workers-freed-early", test_workers_freed_early);
    return g_test_run ();
}
