/* params.h: the parameters of the smtpd role. */
#ifndef HK_SMTPD_PARAMS_H
#define HK_SMTPD_PARAMS_H

#include "conf/conf.h"

extern const HkConfSpec hk_smtpd_params[];

#endif
