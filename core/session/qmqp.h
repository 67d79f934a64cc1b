/* qmqp.h: the QMQP server (qmqpd(8)): one message for each connection, from clients that
 * qmqpd_authorized_clients names, through the same intake as the SMTP server's.
 *
 *   connect ─▶ NAME ─▶ ASK ─▶ READ ─▶ STORE ─▶ (qmqpd_error_delay) ─▶ reply ─▶ LINGER ─▶ gone
 *             (DNS)   (may it?)  └── no such netstring, too long ─────────▲
 *
 * "K" leaves only when the message is durable.  "Z" is not now, "D" is no.
 *
 * HkQmqps is the process's set of these connections, HkQmqpService one qmqpd line of
 * master.cf.  Everything here: loop thread. */
#ifndef HK_SESSION_QMQP_H
#define HK_SESSION_QMQP_H

#include "session/session.h"

extern const HkConfSpec hk_qmqp_params[];

typedef struct HkQmqps HkQmqps;
/* Of OPTIONS: loop, workers, events, stats, resolver, session_limit, queued, drained, data. */
HkQmqps *hk_qmqps_new (const HkSessionsOptions *options);
void hk_qmqps_free (HkQmqps *self); /* ends what is left, without a word to the peers */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkQmqps, hk_qmqps_free)
/* Connections that have sent nothing yet end now, the others with their message; then
 * `drained`, from the loop. */
void hk_qmqps_drain (HkQmqps *self);
/* The queue manager is behind: a "K" waits a little. */
void hk_qmqps_set_pressure (HkQmqps *self, bool on);

typedef struct HkQmqpService HkQmqpService;
/* Of OPTIONS: service, view, plugins, intake. */
HkQmqpService *hk_qmqp_service_new (HkQmqps *qmqps, const HkDialogueOptions *options,
                                    GError **error);
void hk_qmqp_service_free (HkQmqpService *self); /* after its connections */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkQmqpService, hk_qmqp_service_free)

/* Begin with a connected, non-blocking FD (taken).  PEER NULL: a Unix socket. */
void hk_qmqp_start (HkQmqpService *self, int fd, const HkAddress *peer);

#endif
