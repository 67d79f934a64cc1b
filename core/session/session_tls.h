/* session_tls.h: TLS of one smtpd line of master.cf.
 *
 * Made while the process may still read private keys, and before its dialogue.  Loop
 * thread.
 */
#ifndef HK_SESSION_TLS_H
#define HK_SESSION_TLS_H

#include "host/maps.h"
#include "tls/tls.h"

extern const HkConfSpec hk_session_tls_params[];

typedef struct HkSessionTls HkSessionTls;

/* Never NULL.  What keeps TLS from working is told to COMPLAIN and the service goes on
 * without: STARTTLS is then not offered, and refused with 454. */
HkSessionTls *hk_session_tls_new (HkPlugins *plugins, HkSettings *view, const char *service,
                                  HkTlsTickets *tickets, HkComplaintFn complain,
                                  void *data);
void hk_session_tls_free (HkSessionTls *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkSessionTls, hk_session_tls_free)

/* Open PATHS with the rights of somebody who has them, then, from the loop, DONE once with
 * one descriptor each (borrowed; -1: could not).  False: there is nobody to ask. */
typedef bool (*HkOpenFilesFn) (const char *const *paths,
                               void (*done) (const int *fds, void *done_data),
                               void *done_data, void *data);

#endif
