/* params.c: the parameters of the deliver role. */
#include "config.h"

#include "deliver/params.h"

const HkConfSpec hk_deliver_params[] = {
    {.name = "max_idle",
     .type = HK_CONF_TIME,
     .preset = "100s",
     .min = 1,
     .max = 365 * 86400,
     .help = "how long a delivery process waits for work before it ends"},
    {.name = "deliver_child_idle",
     .type = HK_CONF_TIME,
     .preset = "$max_idle",
     .min = 1,
     .max = 365 * 86400,
     .help =
         "how long a process that delivers with one user's rights is kept without work"},
    {.name = "deliver_forward_timeout",
     .type = HK_CONF_TIME,
     .preset = "100s",
     .min = 1,
     .max = 86400,
     .help = "how long a delivery waits until the queue manager has queued forwarded mail"},
    /* Read by transport_local; plugins cannot declare text that is not expanded. */
    {.name = "forward_path",
     .type = HK_CONF_RAW,
     .preset = "$home/.forward${recipient_delimiter}${extension}, $home/.forward",
     .help = "a user's files with forwarding addresses, the first that exists"},
    {.name = NULL},
};
