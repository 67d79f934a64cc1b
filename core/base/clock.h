/* clock.h: time, handed in so that a test can turn it.  Any thread. */
#ifndef HK_BASE_CLOCK_H
#define HK_BASE_CLOCK_H

#include <stdint.h>

#define HK_SECOND INT64_C (1000000) /* microseconds */

typedef struct HkClock HkClock;
struct HkClock {
    int64_t (*wall_us) (const HkClock *self);  /* since 1970, UTC */
    int64_t (*steady_us) (const HkClock *self); /* never jumps */
};

/* The machine's clock. */
extern const HkClock hk_clock_system;

/* A clock for tests: set the fields, steady and wall move with them. */
typedef struct {
    HkClock base;
    int64_t wall, steady;
} HkTestClock;
void hk_test_clock_init (HkTestClock *self, int64_t wall_us);

static inline int64_t
hk_wall_us (const HkClock *clock)
{
    return clock->wall_us (clock);
}
static inline int64_t
hk_steady_us (const HkClock *clock)
{
    return clock->steady_us (clock);
}

#endif
