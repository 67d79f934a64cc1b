/* params.c: the list of the core's parameter tables. */
#include "config.h"

#include "access/access.h"
#include "deliver/params.h"
#include "host/host.h"
#include "intake/intake.h"
#include "master/master.h"
#include "net/dns.h"
#include "qmgr/params.h"
#include "role/params.h"
#include "route/route.h"
#include "sched/sched.h"
#include "session/qmqp.h"
#include "session/session.h"
#include "smtpd/params.h"
#include "spawn/params.h"
#include "tls/tls.h"

void
hk_register_params (void)
{
    static const HkConfSpec *const tables[]
        = { hk_base_params,   hk_master_params, hk_dns_params,  hk_host_params,
            hk_route_params,  hk_access_params, hk_intake_params, hk_session_params,
            hk_guard_params,  hk_screen_params, hk_screen_view_params,
            hk_qmqp_params,   hk_esmtp_params,
            hk_auth_params,   hk_smtpd_params,  hk_sched_params,  hk_qmgr_params,
            hk_deliver_params, hk_verify_params, hk_spawn_params, hk_tls_params,    hk_session_tls_params };
    for (size_t i = 0; i < G_N_ELEMENTS (tables); i++)
        hk_conf_register (tables[i]);
}
