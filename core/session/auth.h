/* auth.h: authentication of clients (RFC 4954): what the room's files see of it.
 *
 *     AUTH ─▶ mechanisms known? ─▶ step ──OK──▶ 334, a line from the client ─▶ step …
 *                                   ├─FOUND──▶ 235, the session has a user
 *                                   └─else───▶ 535, 454
 *
 * A backend (plugin class "sasl") is asked on the loop when it never waits, by its
 * asynchronous form when it has one, and otherwise on worker threads of their own: however
 * many of these a dead backend holds, restrictions and tables do not wait for them.  After
 * smtpd_sasl_timeout the client gets 454 whatever the backend does.
 *
 * Loop thread. */
#ifndef HK_SESSION_AUTH_H
#define HK_SESSION_AUTH_H

#include "session/session.h"

typedef struct HkSession HkSession;
/* What a dialogue has of it; NULL: smtpd_sasl_auth_enable = no. */
typedef struct HkAuthService HkAuthService;
/* What a session has of it; NULL: nothing was said yet. */
typedef struct HkAuth HkAuth;

/* *OUT stays NULL when authentication is off. */
bool hk_auth_service_open (HkSessions *sessions, const HkDialogueOptions *options,
                           HkAuthService **out, GError **error);
void hk_auth_service_free (HkAuthService *self);

/* ---- commands */
/* THEN is called now or later; MECHANISMS NULL: AUTH is not offered to this client. */
typedef void (*HkAuthOffer) (HkSession *session, const char *mechanisms);
void hk_auth_offer (HkSession *session, HkAuthOffer then);
/* The line, or two lines, of an EHLO reply; where the last of them begins. */
size_t hk_auth_append_ehlo (GString *out, const HkAuthService *self, const char *mechanisms);
void hk_session_auth (HkSession *session, HkSpan argument);
/* A response arrives; returns how much of INPUT was taken. */
size_t hk_auth_input (HkSession *session, HkSpan input);

/* ---- what came out; empty: not authenticated */
HkSpan hk_auth_method (const HkSession *session);
HkSpan hk_auth_username (const HkSession *session);
/* "(Authenticated sender: joe)" when that is wanted; NULL: not. */
char *hk_auth_received_line (const HkSession *session);
/* As if nothing had been said: after STARTTLS, and at the end.  Ends what is under way. */
void hk_auth_forget (HkSession *session);
/* The session's TLS version; empty: it is not encrypted. */
HkSpan hk_session_tls_version (const HkSession *session);

#endif
