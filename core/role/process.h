/* process.h: what every role process does the same way with what master gives it.
 *
 * master starts a role with its control channel as descriptor 3 and with
 *   HIKYAKU_LOG_FD      the open log file, when there is one
 *   HIKYAKU_TICKETS_FD  memory that the smtpd processes share, for keys of session tickets
 *   HIKYAKU_LISTENERS   "FD=SERVICEINDEX,…"
 *   HIKYAKU_SERVICE     for each of these, one a line, which service it was for master:
 *                       "name type command" of master.cf
 * The child reads master.cf anew: it may have been edited since, so an index alone could
 * mean another service. */
#ifndef HK_ROLE_PROCESS_H
#define HK_ROLE_PROCESS_H

#include "base/stats.h"
#include "conf/conf.h"
#include "ipc/channel.h"

enum { HK_CONTROL_FD = 3 };

/* Sends the log where master said, or where SETTINGS say, as PROGRAM. */
void hk_process_open_log (HkSettings *settings, const char *program);
/* Counters of ROLE that `hikyaku stats` sees; private ones, and a warning, when it cannot.
 */
HkStats *hk_process_open_stats (HkSettings *settings, const char *role);
/* The descriptor that the variable NAME tells of, closed on exec from now on; -1: none. */
int hk_process_descriptor (const char *name);
/* The channel to master; NULL: started by hand. */
HkChannel *hk_process_connect_master (HkLoop *loop, const HkChannelFns *fns, void *data);
/* HK_CONF_ERROR_VALUE; returns false. */
bool hk_process_fail (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* "name type command" of service I. */
char *hk_process_identity (HkSettings *settings, size_t i);
/* The service that was number INDEX for master and is called IDENTITY (NULL: the index
 * alone counts).  False: master.cf has it no more. */
bool hk_process_find_service (HkSettings *settings, uint64_t index, const char *identity,
                              size_t *out_index, GError **error);

#endif
