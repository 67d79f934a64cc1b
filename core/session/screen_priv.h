/* screen_priv.h: what the files of the stage before the session share. */
#ifndef HK_SESSION_SCREEN_PRIV_H
#define HK_SESSION_SCREEN_PRIV_H

#include "session/screen.h"
#include "session/session_priv.h"

/* A word of postscreen_access_list. */
typedef struct {
    enum { HK_WORD_MYNETWORKS, HK_WORD_PERMIT, HK_WORD_REJECT, HK_WORD_DUNNO, HK_WORD_TABLE } what;
    HkMaps *maps; /* HK_WORD_TABLE */
} HkScreenWord;

struct HkScreen {
    GArray *access; /* HkScreenWord */
    HkMatchList *mynetworks, *interfaces;
    GPtrArray *sites;     /* HkScreenSite */
    HkMaps *reply_map;
    char *teaser;         /* "220-…\r\n"; NULL: none */
    char *cache_path;
    HkScreenAction deny, greet, dnsbl, pipelining, non_smtp, bare_newline;
    bool tests_pipelining, tests_non_smtp, tests_bare_newline;
    bool is_respectful;
    int threshold, allowlist_threshold;
    int64_t greet_wait_us, stressed_wait_us, dnsbl_timeout_us;
    int64_t ttl_s[HK_N_TESTS], dnsbl_min_ttl_s, retention_s;
    unsigned command_limit, connection_count;
};

typedef struct {
    HkScreening *owner; /* asked of the resolver with this as its data */
    const HkScreenSite *site;
    bool is_pending;
} HkScreenQuery;

struct HkScreening {
    HkSession *session;
    HkScreen *screen;
    int64_t start_us;      /* of the greet wait, then of the dialogue */
    int64_t stamps[HK_N_TESTS];
    HkScreenQuery *queries;
    unsigned n_queries, n_pending, n_commands;
    int score;
    int64_t dnsbl_ttl_s;
    const HkScreenSite *worst; /* whose name is said */
    unsigned todo, failed; /* bits of HkScreenTest */
    bool is_known;         /* PASS OLD, not NEW */
    bool is_denied;        /* by the access list, and that is ignored */
    bool may_pass;         /* postscreen_allowlist_interfaces */
    bool is_dummy;         /* goes on as a session that refuses all mail */
    bool is_waiting;       /* phase SCREEN */
    uint8_t where;         /* HkVerb before the one at hand */
    char *refusal;         /* reply at RCPT: "550 5.7.1 …"; NULL: none so far */
};

#define HK_TEST_BIT(test) (1u << (test))

/* ---- screen_report.c: lines of postscreen */
void hk_screen_log (HkSession *session, const char *format, ...) G_GNUC_PRINTF (2, 3);
void hk_screen_log_as (HkSession *session, const char *agent, const char *text);
void hk_screen_append_client (GString *out, const HkSession *session); /* [address]:port */
void hk_screen_append_escaped (GString *out, HkSpan text, size_t max);
/* "0.12": seconds since START with two significant digits, as Postfix shows them. */
void hk_screen_append_age (GString *out, const HkSession *session, int64_t start_us);

/* ---- screen.c */
/* ACTION for a failed test; true: the client has been dropped with DROP. */
bool hk_screen_act (HkScreening *self, HkScreenAction action, const char *refusal,
                    const char *drop);
/* All tests are behind it: remembered, logged, forgotten. */
void hk_screen_pass (HkScreening *self);

#endif
