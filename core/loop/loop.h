/* loop.h: the event loop of a process.
 *
 * One epoll descriptor, wrapped as one GSource of a GMainContext, so that GLib code works
 * beside it while the cost of a turn does not grow with the number of descriptors.  A turn:
 * ready descriptors, due timers, posted functions, then the turn-end hooks, where replies,
 * frames and log lines that were gathered leave together.
 *
 * Everything is called on the loop's thread, except hk_loop_post and the functions that run
 * on workers. */
#ifndef HK_LOOP_H
#define HK_LOOP_H

#include "base/bytes.h"
#include "base/clock.h"

typedef struct HkLoop HkLoop;

HkLoop *hk_loop_new (GError **error);
void hk_loop_free (HkLoop *self);
void hk_loop_run (HkLoop *self);  /* until quit */
void hk_loop_quit (HkLoop *self); /* loop thread, or a signal watch */
void hk_loop_turn (HkLoop *self, bool may_wait); /* one turn; for tests */
GMainContext *hk_loop_context (HkLoop *self);
const HkClock *hk_loop_clock (HkLoop *self);
/* Steady time as of this turn's begin: no system call. */
int64_t hk_loop_now_us (HkLoop *self);

/* ---- descriptors.  The watch is embedded in its owner's structure: no allocation. */
enum { HK_LOOP_READ = 1, HK_LOOP_WRITE = 2 };
typedef struct HkFdWatch HkFdWatch;
typedef void (*HkFdFn) (HkFdWatch *watch, unsigned events);
struct HkFdWatch {
    HkFdFn fn;
    void *data;
    HkLoop *loop; /* NULL: not attached */
    int fd;
    unsigned events;
    unsigned slot; /* private */
};
/* Level-triggered.  EXCLUSIVE: of several processes that watch a listener, one is woken. */
bool hk_loop_attach (HkLoop *self, HkFdWatch *watch, int fd, unsigned events, HkFdFn fn,
                     void *data, GError **error);
bool hk_loop_attach_exclusive (HkLoop *self, HkFdWatch *watch, int fd, HkFdFn fn, void *data,
                               GError **error);
void hk_fd_watch_events (HkFdWatch *watch, unsigned events); /* nothing when unchanged */
void hk_fd_watch_detach (HkFdWatch *watch); /* safe inside any callback; the fd stays open */

/* ---- timers.  Embedded as well; arming and disarming cost O(log n) at most. */
typedef struct HkLoopTimer HkLoopTimer;
typedef void (*HkLoopTimerFn) (HkLoopTimer *timer);
struct HkLoopTimer {
    HkLoopTimerFn fn;
    void *data;
    int64_t due_us; /* steady */
    uint32_t place; /* private; 0: not armed */
    HkLoop *loop;
};
void hk_timer_init (HkLoopTimer *timer, HkLoop *loop, HkLoopTimerFn fn, void *data);
void hk_timer_arm (HkLoopTimer *timer, int64_t delay_us); /* again: moves it */
void hk_timer_disarm (HkLoopTimer *timer);
static inline bool
hk_timer_is_armed (const HkLoopTimer *timer)
{
    return timer->place != 0;
}

/* ---- turn end.  Called once at the end of the turn in which it was asked for. */
typedef struct HkTurnHook HkTurnHook;
struct HkTurnHook {
    void (*fn) (void *data);
    void *data;
    HkTurnHook *next; /* private */
    bool is_queued;   /* private */
};
void hk_loop_at_turn_end (HkLoop *self, HkTurnHook *hook);
void hk_loop_cancel_turn_end (HkLoop *self, HkTurnHook *hook);

/* ---- other threads.  FN runs on the loop; posts keep their order.  Any thread. */
void hk_loop_post (HkLoop *self, void (*fn) (void *data), void *data);

/* Signals become calls on the loop (signalfd).  Call before any thread starts. */
bool hk_loop_on_signal (HkLoop *self, int signal, void (*fn) (int signal, void *data),
                        void *data, GError **error);

/* ---- workers: threads for what may wait. */
typedef struct HkWorkers HkWorkers;
HkWorkers *hk_workers_new (HkLoop *loop, unsigned max_threads);
void hk_workers_free (HkWorkers *self); /* waits for what runs */
/* WORK runs on a worker thread, then DONE on the loop. */
void hk_workers_run (HkWorkers *self, void (*work) (void *data), void (*done) (void *data),
                     void *data);
unsigned hk_workers_pending (HkWorkers *self);

#endif
