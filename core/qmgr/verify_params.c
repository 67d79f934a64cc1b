/* verify_params.c: the parameters of address verification's cache and probes (verify(8)).
 */
#include "config.h"

#include "qmgr/params.h"

#define TIME(n, p, least, h)                                                               \
    {                                                                                      \
        .name = n, .type = HK_CONF_TIME, .preset = p, .min = least, .max = 315360000,      \
        .help = h                                                                          \
    }

const HkConfSpec hk_verify_params[] = {
    {.name = "address_verify_map",
     .type = HK_CONF_STRING,
     .preset = "btree:$data_directory/verify_cache",
     .help = "Where answers about addresses are kept: files of our own in PATH.hk, whatever "
             "the type; empty: in memory"},
    TIME ("address_verify_positive_expire_time", "31d", 1,
          "How long an address counts as deliverable when no later probe succeeds"),
    TIME ("address_verify_positive_refresh_time", "7d", 1,
          "Age at which a deliverable address is probed again when somebody asks"),
    TIME ("address_verify_negative_expire_time", "3d", 1,
          "How long the result of a probe that failed counts"),
    TIME ("address_verify_negative_refresh_time", "3h", 1,
          "Age at which an address whose probe failed is probed again when somebody asks"),
    {.name = "address_verify_negative_cache",
     .type = HK_CONF_BOOL,
     .preset = "yes",
     .help = "Keep the results of probes that failed as well"},
    TIME ("address_verify_cache_cleanup_interval", "12h", 0,
          "Time between two removals of expired answers; 0: never"),
    {.name = "address_verify_cache_limit",
     .type = HK_CONF_INT,
     .preset = "100000",
     .min = 1,
     .max = 10000000,
     .help = "So many answers are kept; what was asked least recently makes room"},
    {.name = "address_verify_pending_request_limit",
     .type = HK_CONF_INT,
     .preset = "5000",
     .min = 1,
     .max = 1000000,
     .help = "So many addresses are probed at once; others are deferred"},
    {.name = NULL},
};
