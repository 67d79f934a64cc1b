/* params.c: the parameters of the spawn role. */
#include "config.h"

#include "spawn/params.h"

const HkConfSpec hk_spawn_params[] = {
    {.name = "command_time_limit",
     .type = HK_CONF_TIME,
     .preset = "1000s",
     .min = 1,
     .max = INT32_MAX,
     .help = "how long a command may run; NAME_time_limit sets it for one service"},
    {.name = NULL},
};
