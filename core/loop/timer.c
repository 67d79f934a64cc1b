/* timer.c: timers of a loop, a heap of pointers into their owners. */
#include "config.h"

#include "loop/loop_priv.h"

static int64_t
due (const void *item)
{
    return ((const HkLoopTimer *) item)->due_us;
}

static uint32_t *
place (void *item)
{
    return &((HkLoopTimer *) item)->place;
}

void
hk_timers_init (HkHeap *self)
{
    hk_heap_init (self, due, place);
}

int64_t
hk_timers_next_us (const HkHeap *self)
{
    const HkLoopTimer *first = hk_heap_first (self);
    return first == NULL ? INT64_MAX : first->due_us;
}

void
hk_timer_init (HkLoopTimer *timer, HkLoop *loop, HkLoopTimerFn fn, void *data)
{
    *timer = (HkLoopTimer) { .fn = fn, .data = data, .loop = loop };
}

void
hk_timer_arm (HkLoopTimer *timer, int64_t delay_us)
{
    timer->due_us = hk_loop_now_us (timer->loop) + MAX (delay_us, 0);
    hk_heap_add (hk_loop_timers (timer->loop), timer);
}

void
hk_timer_disarm (HkLoopTimer *timer)
{
    if (timer->place != 0)
        hk_heap_remove (hk_loop_timers (timer->loop), timer);
}

/* Timers that callbacks arm for now fire in the next turn: NOW_US does not move. */
void
hk_timers_fire (HkHeap *self, int64_t now_us)
{
    guint left = self->items->len; /* bounds a timer that arms itself with no delay */
    HkLoopTimer *timer;
    while (left-- > 0 && (timer = hk_heap_first (self)) != NULL && timer->due_us <= now_us) {
        hk_heap_remove (self, timer);
        timer->fn (timer);
    }
}
