/* params.h: the parameters of the deliver role. */
#ifndef HK_DELIVER_PARAMS_H
#define HK_DELIVER_PARAMS_H

#include "conf/conf.h"

extern const HkConfSpec hk_deliver_params[];

#endif
