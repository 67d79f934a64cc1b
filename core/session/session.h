/* session.h: the SMTP server's dialogue (RFC 5321 and its extensions) as a state machine.
 *
 *   connect ─▶ NAMES ─▶ COMMAND ◀──────────────┐
 *              (DNS)       │  DATA 354         │ 250 after the store's sync
 *                          ├──▶ DATA ──.──▶ FINISH
 *                          ├──▶ CHUNK ─LAST──▶ ┘
 *                          └──▶ QUIT, 421, error: CLOSING ─▶ gone
 *
 * Before NAMES there may be PROXY (a load balancer says who the client is, proxy.c) and SCREEN
 * (postscreen's tests, screen.h).
 *
 * HkSessions is the process's set of sessions: shared read buffer, pools, limits, drain.
 * HkDialogue is one smtpd line of master.cf, compiled.  A session belongs to a dialogue,
 * lives on the loop thread, and costs a few hundred bytes while it waits: no input buffer
 * (a partial line is kept only while there is one), no output buffer, no transaction.
 *
 * A command that may block (a restriction that asks a database) runs on a worker; meanwhile
 * the session reads no input.  Replies gathered in a loop turn leave with one write at its
 * end.
 *
 * No form of smuggling: only <CR><LF>.<CR><LF> ends a message; a bare LF in content is a
 * line end and becomes CRLF, a bare CR becomes a blank; input behind a command that ends a
 * pipelined group breaks the session.
 *
 * Everything here: loop thread. */
#ifndef HK_SESSION_H
#define HK_SESSION_H

#include "access/access.h"
#include "intake/intake.h"
#include "net/address.h"
#include "net/dns.h"
#include "rate/rate.h"
#include "session/screen.h"
#include "session/session_tls.h"

extern const HkConfSpec hk_session_params[], hk_auth_params[], hk_guard_params[],
    hk_esmtp_params[];

typedef struct HkSessions HkSessions;
typedef struct HkDialogue HkDialogue;

/* What the sessions of a process share; everything is borrowed until hk_sessions_free. */
typedef struct {
    HkLoop *loop;
    HkWorkers *workers;
    HkLane *lane;
    HkEvents *events;     /* NULL: nothing is logged (tests) */
    HkStats *stats;       /* NULL: not counted */
    HkResolver *resolver; /* NULL: clients have no names */
    HkRates *rates;       /* NULL: smtpd_client_*_limit do not count */
    size_t session_limit; /* smtpd_session_limit */
    /* A message is durable: tell the queue manager. */
    void (*queued) (const HkIntakeOutcome *outcome, void *data);
    /* ETRN: false when the queue manager cannot be told now. */
    bool (*flush_site) (HkSpan site, void *data);
    /* Draining and the last session is gone. */
    void (*drained) (void *data);
    void *data;
    HkOpenFilesFn open_files; /* NULL: nobody opens what this process may not */
} HkSessionsOptions;

HkSessions *hk_sessions_new (const HkSessionsOptions *options);
void
hk_sessions_free (HkSessions *self); /* ends what is left, without a word to the peers */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkSessions, hk_sessions_free)
size_t hk_sessions_count (const HkSessions *self);
/* Idle sessions are told 421 now, the others after their transaction; then `drained`, from
 * the loop. */
void hk_sessions_drain (HkSessions *self);
/* A thread is held by a backend of authentication that does not answer: whoever ends the
 * process must not wait for it. */
bool hk_sessions_has_held_workers (const HkSessions *self);
/* The queue manager is behind (HK_FRAME_PRESSURE): end-of-data replies wait a little. */
void hk_sessions_set_pressure (HkSessions *self, bool on);

typedef struct {
    const char *service; /* first column of master.cf */
    HkSettings *view;    /* referenced */
    HkPlugins *plugins;  /* borrowed, as the next two */
    HkAccess *access;
    HkIntake *intake;
    HkSessionTls *tls; /* borrowed, as those above; NULL: none */
    HkScreen *screen;      /* of the postscreen line; NULL: none.  See screen.h */
    HkRates *screen_cache; /* NULL: none */
    HkSettings *screen_view;
    HkSettings *judged_view;  /* hk_screen_session_view; NULL without SCREEN */
    HkSessionTls *judged_tls; /* made with it */
} HkDialogueOptions;
HkDialogue *hk_dialogue_new (HkSessions *sessions, const HkDialogueOptions *options,
                             GError **error);
void hk_dialogue_free (HkDialogue *self); /* after its sessions */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkDialogue, hk_dialogue_free)

/* Begin with a connected, non-blocking FD (taken).  PEER NULL: a Unix socket.  LOCAL NULL:
 * asked of the kernel when needed. */
void hk_session_start (HkDialogue *self, int fd, const HkAddress *peer,
                       const HkAddress *local);

#endif
