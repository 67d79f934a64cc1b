/* screen.h: what postscreen does, as a stage before the session: who speaks too early, whom
 * lists of the DNS know, who talks as no mail server does.
 *
 *   connect ─▶ access list ─▶ cache ─▶ SCREEN (greet wait, lists) ─┬─▶ session
 *                │permit        │PASS OLD                          ├─▶ session with deep tests
 *                └─▶ session    └─▶ session                        └─▶ session that refuses
 *                                                                       every recipient
 *
 * A master.cf line "… inet … postscreen" has it; its sessions are those of the "smtpd pass"
 * line.  No second process, no connection handed on: a client that passes the deep tests
 * goes on in the same session.
 *
 * HkScreen is the service's configuration, HkScreening the state of one session while it is
 * judged; a session that has passed has none.  Loop thread. */
#ifndef HK_SESSION_SCREEN_H
#define HK_SESSION_SCREEN_H

#include "host/maps.h"
#include "rate/rate.h"

extern const HkConfSpec hk_screen_params[], hk_screen_view_params[];

struct HkSession;

/* ---- lists of the DNS: pure
 * ------------------------------------------------------------------ */

/* One of postscreen_dnsbl_sites: "domain=127.0.0.[2..11]*3". */
typedef struct {
    char *domain;
    GPtrArray *filter; /* 4 × GArray of HkOctetRange; NULL: every answer counts */
    int weight;
} HkScreenSite;
typedef struct {
    uint8_t from, to;
} HkOctetRange;
GPtrArray *hk_screen_sites_parse (const char *text, GError **error); /* HkScreenSite */
bool hk_screen_site_matches (const HkScreenSite *self, const uint8_t address[4]);
/* "1.2.0.192.zen.example", nibbles for IPv6; false: ADDRESS is none. */
bool hk_screen_query_name (const char *address, const char *domain, GString *out);

/* ---- configuration
 * --------------------------------------------------------------------------- */

typedef enum { HK_SCREEN_IGNORE, HK_SCREEN_ENFORCE, HK_SCREEN_DROP } HkScreenAction;

/* The order of the times in the cache, as Postfix has it. */
typedef enum {
    HK_TEST_PREGREET,
    HK_TEST_DNSBL,
    HK_TEST_PIPELINING,
    HK_TEST_NON_SMTP,
    HK_TEST_BARE_NEWLINE,
    HK_N_TESTS
} HkScreenTest;

typedef struct HkScreen HkScreen;
/* VIEW: of the postscreen line. */
HkScreen *hk_screen_new (HkPlugins *plugins, HkSettings *view, GError **error);
/* What holds for a session that is being judged: PASS is the view of the "smtpd pass" line,
 * SCREEN that of the postscreen line.  New reference. */
HkSettings *hk_screen_session_view (HkSettings *pass, HkSettings *screen);
/* The file of the cache; NULL: there is none. */
const char *hk_screen_cache_path (const HkScreen *self);
void hk_screen_free (HkScreen *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkScreen, hk_screen_free)

/* ---- moments of a session
 * -------------------------------------------------------------------- */

typedef struct HkScreening HkScreening;
void hk_screening_free (struct HkSession *session); /* nothing when there is none */

/* The client's address is known.  True: the session waits for the tests, or has ended;
 * false: it may go on. */
bool hk_screen_begin (struct HkSession *session);
/* Something came, or the time is over, while it waits. */
void hk_screen_read (struct HkSession *session);
void hk_screen_timer (struct HkSession *session);

/* The session is one that refuses all mail: no restrictions, no lines of smtpd in the log. */
bool hk_screen_is_dummy (const struct HkSession *session);
/* Keywords that are not offered while the deep tests run. */
unsigned hk_screen_withheld (const struct HkSession *session);
/* Deep tests; true: the client is dropped.  LINE_END: the line ended in LF alone. */
bool hk_screen_line (struct HkSession *session, bool is_bare, HkSpan rest);
void hk_screen_note_verb (struct HkSession *session); /* a command is carried out */
bool hk_screen_non_smtp (struct HkSession *session, HkSpan line);
/* RCPT: true when it is refused, which was said; else what was tested has been passed. */
bool hk_screen_refuses_recipient (struct HkSession *session, HkSpan recipient);
/* DATA after every recipient was refused; true: the client is told to go. */
bool hk_screen_ends_data (struct HkSession *session);
/* The time for a command is over. */
void hk_screen_log_timeout (struct HkSession *session);
void hk_screen_drain (struct HkSession *session);
/* The session ends; HANGUP: the client went away. */
void hk_screen_end (struct HkSession *session, bool is_hangup);

#endif
