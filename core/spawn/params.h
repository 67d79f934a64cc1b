/* params.h: the parameters of the spawn role. */
#ifndef HK_SPAWN_PARAMS_H
#define HK_SPAWN_PARAMS_H

#include "conf/conf.h"

extern const HkConfSpec hk_spawn_params[];

#endif
