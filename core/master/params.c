/* params.c: the parameters of the master process. */
#include "config.h"

#include "master/master.h"

const HkConfSpec hk_master_params[] = {
    { .name = "smtpd_workers", .type = HK_CONF_INT, .preset = "1", .min = 1, .max = 62,
      .help = "Number of smtpd processes; each has a lane of the queue of its own." },
    { .name = "master_stop_timeout", .type = HK_CONF_TIME, .preset = "10s", .min = 1, .max = 86400,
      .help = "How long a stop waits for sessions and deliveries before it ends them." },
    { .name = NULL }
};
