/* smtpd_priv.h: the parts of the smtpd role. */
#ifndef HK_SMTPD_PRIV_H
#define HK_SMTPD_PRIV_H

#include "ipc/channel.h"
#include "session/session.h"

/* ---- announce.c: the line to the queue manager ------------------------------------------
 */

typedef struct HkAnnouncer HkAnnouncer;
typedef void (*HkPressureFn) (bool on, void *data);
/* Connects to QUEUE_DIRECTORY/private/qmgr and keeps trying.  LANE is borrowed. */
HkAnnouncer *hk_announcer_new (HkLoop *loop, const char *queue_directory, HkLane *lane,
                               HkPressureFn pressure, void *data);
void hk_announcer_free (HkAnnouncer *self);
/* Not connected: nothing; the queue manager reads the lane when it is back. */
void hk_announcer_queued (HkAnnouncer *self, const HkIntakeOutcome *outcome);
bool hk_announcer_flush_site (HkAnnouncer *self, HkSpan site);
/* VERIFIER (NULL: none any more) asks over this line. */
typedef struct HkVerifier HkVerifier;
void hk_announcer_set_verifier (HkAnnouncer *self, HkVerifier *verifier);

/* ---- verify.c: address verification, asked of the queue manager -------------------------
 */

HkVerifier *hk_verifier_new (HkLoop *loop);
void hk_verifier_free (HkVerifier *self); /* what was asked is not answered any more */
/* HkVerifyStartFn of host.h; VERIFIER is the HkVerifier. */
HkVerify *hk_verifier_start (void *verifier, HkSpan address, int64_t wait_us, HkVerifyFn fn,
                             void *data);
/* CHANNEL: to the queue manager, ready; NULL: it is gone.  Open questions are asked again. */
void hk_verifier_connect (HkVerifier *self, HkChannel *channel);
void hk_verifier_answered (HkVerifier *self, HkSpan payload); /* HK_FRAME_VERIFIED */

/* ---- cleanup_view.c: what holds after the dialogue -----------------------------------------
 */

/* VIEW, of a service of ALL, with the -o of its cleanup_service_name on top.  New reference. */
HkSettings *hk_cleanup_view (HkSettings *all, HkSettings *view);

/* ---- listen.c: accepting connections ----------------------------------------------------
 */

typedef struct HkListeners HkListeners;
HkListeners *hk_listeners_new (HkLoop *loop);
void hk_listeners_free (HkListeners *self); /* stops accepting; closes the descriptors */
/* A connection FD (taken); PEER NULL: a Unix socket; LOCAL NULL: not known. */
typedef void (*HkAcceptFn) (void *target, int fd, const HkAddress *peer,
                            const HkAddress *local);
/* Takes FD, a listening socket whose connections go to FN with TARGET. */
bool hk_listeners_add (HkListeners *self, int fd, HkAcceptFn fn, void *target,
                       GError **error);

/* ---- pickup.c: local submissions --------------------------------------------------------
 */

typedef struct HkPickup HkPickup;
typedef struct {
    HkLoop *loop;
    HkLane *lane;
    HkEvents *events;
    HkIntake *intake;
    HkSettings *settings;
    void (*queued) (const HkIntakeOutcome *outcome, void *data);
    void *data;
} HkPickupOptions;
/* Of several workers the one that gets the lock on maildrop/ does the work. */
HkPickup *hk_pickup_new (const HkPickupOptions *options);
void hk_pickup_free (HkPickup *self);
/* Take nothing new; IDLE is called, from the loop, when nothing is under way. */
void hk_pickup_drain (HkPickup *self, void (*idle) (void *data), void *data);

/* ---- rates.c: how often and how many at once ---------------------------------------------
 */

typedef struct HkRateKeeper HkRateKeeper;
/* Opens data_directory/smtpd_rates: while the rights are still those of the start. */
HkRateKeeper *hk_rate_keeper_new (HkLoop *loop, HkSettings *settings, HkEvents *events);
void hk_rate_keeper_free (HkRateKeeper *self); /* the last one logs */
HkRates *hk_rate_keeper_rates (HkRateKeeper *self); /* borrowed; never NULL */

/* ---- reopen.c: files that only master may open ------------------------------------------
 */

typedef struct HkReopener HkReopener;
HkReopener *hk_reopener_new (void);
void hk_reopener_free (HkReopener *self); /* what was asked for is not answered */
/* CONTROL: the channel to master (borrowed); NULL: gone, what is open ends with -1. */
void hk_reopener_connect (HkReopener *self, HkChannel *control);
/* Master opens PATHS; then DONE, with one descriptor each (borrowed; -1: could not). */
bool hk_reopener_ask (HkReopener *self, const char *const *paths,
                      void (*done) (const int *fds, void *data), void *data);
/* HK_FRAME_OPENED with FD (taken). */
void hk_reopener_opened (HkReopener *self, HkSpan payload, int fd);

/* ---- sandbox.c --------------------------------------------------------------------------
 */

/* From here on this process creates, changes and removes files below DIRS (NULL-ended)
 * only, where the kernel can see to it.  Before the first thread. */
void hk_sandbox_enter (const char *const *dirs);

#endif
