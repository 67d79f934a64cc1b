/* loop_priv.h: what the files of the loop share. */
#ifndef HK_LOOP_PRIV_H
#define HK_LOOP_PRIV_H

#include "loop/loop.h"

/* A binary heap of armed timers; place 1 is the root. */
typedef struct {
    HkLoopTimer **heap;
    size_t n, size;
} HkTimers;

void hk_timers_init (HkTimers *self);
void hk_timers_clear (HkTimers *self);
int64_t hk_timers_next_us (const HkTimers *self); /* INT64_MAX: none */
void hk_timers_fire (HkTimers *self, int64_t now_us);
HkTimers *hk_loop_timers (HkLoop *loop);

#endif
