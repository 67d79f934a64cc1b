/* clock.c: the machine's clock and a clock for tests. */
#include "config.h"

#include "base/clock.h"

#include <time.h>

static int64_t
read_clock (clockid_t id)
{
    struct timespec t;
    clock_gettime (id, &t);
    return (int64_t) t.tv_sec * HK_SECOND + t.tv_nsec / 1000;
}

static int64_t
system_wall (const HkClock *self)
{
    (void) self;
    return read_clock (CLOCK_REALTIME);
}

static int64_t
system_steady (const HkClock *self)
{
    (void) self;
    return read_clock (CLOCK_MONOTONIC);
}

const HkClock hk_clock_system = { system_wall, system_steady };

static int64_t
test_wall (const HkClock *self)
{
    return ((const HkTestClock *) self)->wall;
}

static int64_t
test_steady (const HkClock *self)
{
    return ((const HkTestClock *) self)->steady;
}

void
hk_test_clock_init (HkTestClock *self, int64_t wall_us)
{
    self->base = (HkClock) { test_wall, test_steady };
    self->wall = wall_us;
    self->steady = HK_SECOND;
}
