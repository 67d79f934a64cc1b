/* params.h: the parameters of the queue manager. */
#ifndef HK_QMGR_PARAMS_H
#define HK_QMGR_PARAMS_H

#include "conf/conf.h"

extern const HkConfSpec hk_qmgr_params[], hk_verify_params[];

#endif
