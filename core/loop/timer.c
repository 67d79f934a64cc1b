/* timer.c: timers of a loop, a binary heap of pointers into their owners. */
#include "config.h"

#include "loop/loop_priv.h"

void
hk_timers_init (HkTimers *self)
{
    *self = (HkTimers) { NULL, 0, 0 };
}

void
hk_timers_clear (HkTimers *self)
{
    for (size_t i = 1; i <= self->n; i++)
        self->heap[i]->place = 0;
    g_free (self->heap);
    *self = (HkTimers) { NULL, 0, 0 };
}

static void
put (HkTimers *self, size_t place, HkLoopTimer *timer)
{
    self->heap[place] = timer;
    timer->place = place;
}

static void
sift_up (HkTimers *self, size_t place, HkLoopTimer *timer)
{
    for (; place > 1 && self->heap[place / 2]->due_us > timer->due_us; place /= 2)
        put (self, place, self->heap[place / 2]);
    put (self, place, timer);
}

static void
sift_down (HkTimers *self, size_t place, HkLoopTimer *timer)
{
    for (;;) {
        size_t child = place * 2;
        if (child > self->n)
            break;
        if (child < self->n && self->heap[child + 1]->due_us < self->heap[child]->due_us)
            child++;
        if (self->heap[child]->due_us >= timer->due_us)
            break;
        put (self, place, self->heap[child]);
        place = child;
    }
    put (self, place, timer);
}

int64_t
hk_timers_next_us (const HkTimers *self)
{
    return self->n == 0 ? INT64_MAX : self->heap[1]->due_us;
}

void
hk_timer_init (HkLoopTimer *timer, HkLoop *loop, HkLoopTimerFn fn, void *data)
{
    *timer = (HkLoopTimer) { .fn = fn, .data = data, .loop = loop };
}

void
hk_timer_arm (HkLoopTimer *timer, int64_t delay_us)
{
    HkTimers *self = hk_loop_timers (timer->loop);
    int64_t due = hk_loop_now_us (timer->loop) + MAX (delay_us, 0);
    if (timer->place != 0) {
        bool is_later = due > timer->due_us;
        timer->due_us = due;
        if (is_later)
            sift_down (self, timer->place, timer);
        else
            sift_up (self, timer->place, timer);
        return;
    }
    if (self->n + 2 > self->size) {
        self->size = MAX (self->size * 2, 64);
        self->heap = g_renew (HkLoopTimer *, self->heap, self->size);
    }
    timer->due_us = due;
    sift_up (self, ++self->n, timer);
}

void
hk_timer_disarm (HkLoopTimer *timer)
{
    if (timer->place == 0)
        return;
    HkTimers *self = hk_loop_timers (timer->loop);
    size_t place = timer->place;
    HkLoopTimer *last = self->heap[self->n--];
    timer->place = 0;
    if (last == timer)
        return;
    if (place > 1 && self->heap[place / 2]->due_us > last->due_us)
        sift_up (self, place, last);
    else
        sift_down (self, place, last);
}

/* Timers that callbacks arm for now fire in the next turn: NOW_US does not move. */
void
hk_timers_fire (HkTimers *self, int64_t now_us)
{
    size_t left = self->n; /* bounds a timer that arms itself with no delay */
    while (left-- > 0 && self->n > 0 && self->heap[1]->due_us <= now_us) {
        HkLoopTimer *timer = self->heap[1];
        hk_timer_disarm (timer);
        timer->fn (timer);
    }
}
