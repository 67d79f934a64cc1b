/* loop_priv.h: what the files of the loop share. */
#ifndef HK_LOOP_PRIV_H
#define HK_LOOP_PRIV_H

#include "base/heap.h"
#include "loop/loop.h"

/* A heap of armed timers. */
void hk_timers_init (HkHeap *self);
int64_t hk_timers_next_us (const HkHeap *self); /* INT64_MAX: none */
void hk_timers_fire (HkHeap *self, int64_t now_us);
HkHeap *hk_loop_timers (HkLoop *loop);

#endif
