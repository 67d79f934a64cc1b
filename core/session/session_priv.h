/* session_priv.h: what the files of this room share. */
#ifndef HK_SESSION_PRIV_H
#define HK_SESSION_PRIV_H

#include "session/auth.h"
#include "session/content.h"
#include "session/esmtp.h"
#include "session/guard.h"
#include "session/screen.h"
#include "session/session.h"
#include "session/syntax.h"

/* One read takes at most this; also the most that is kept of a pipelined rest. */
#define HK_SESSION_READ_SIZE (128u * 1024)
/* Output that waits above this stops the processing of input until the peer reads. */
#define HK_SESSION_OUT_LIMIT (64u * 1024)

typedef struct HkCheck HkCheck;
typedef struct HkFooter HkFooter;

typedef enum {
    HK_PHASE_NAMES,   /* waiting for the resolver; not greeted yet */
    HK_PHASE_TLS,     /* handshake, or the reply before it */
    HK_PHASE_COMMAND, /* reads a command line */
    HK_PHASE_DATA,    /* reads content up to the lone dot */
    HK_PHASE_CHUNK,   /* reads a BDAT chunk into the message */
    HK_PHASE_SWALLOW, /* reads a BDAT chunk that nobody wants */
    HK_PHASE_AUTH,    /* reads a response to a challenge */
    HK_PHASE_PROXY,   /* reads the PROXY header; nothing is known of the client yet */
    HK_PHASE_SCREEN   /* waits for the tests before the greeting */
} HkPhase;

/* One master.cf line. */
struct HkDialogue {
    HkSessions *sessions;
    HkSettings *view;
    HkPlugins *plugins;
    HkAccess *access;
    HkIntake *intake;
    char *service, *myhostname, *mail_name, *banner;
    GString *ehlo;      /* whole reply when no address map takes keywords away */
    unsigned ehlo_mask; /* HK_EHLO_* that may be offered */
    unsigned ehlo_usual, ehlo_discarded; /* in `ehlo`; smtpd_discard_ehlo_keywords */
    bool ehlo_silent;
    uint64_t size_limit; /* message_size_limit; 0: none */
    size_t line_limit;
    int64_t timeout_us, error_sleep_us, peername_timeout_us, verify_wait_us;
    unsigned min_data_rate;
    unsigned recipient_limit, recipient_overshoot;
    unsigned soft_error_limit, hard_error_limit, junk_limit;
    bool helo_required, disable_vrfy, lookup_names, log_port, strict_envelopes, smtputf8;
    bool strict_smtputf8, forbid_pipelining, delay_open, soft_bounce;
    enum { HK_BARE_LF_NORMALIZE, HK_BARE_LF_NOTE, HK_BARE_LF_REJECT } bare_lf;
    int bare_lf_code;
    HkMatchList *bare_lf_exclusions, *mynetworks, *forbidden, *flush_domains;
    HkMaps *ehlo_maps, *rewrite_maps;
    char **noop_commands, **forbidden_words;
    bool rewrite_inet_interfaces, rewrite_mynetworks;
    HkSessionTls *tls; /* borrowed; NULL: none */
    GString *ehlo_tls; /* as ehlo, inside TLS */
    HkFooter *footer;       /* of refusals; NULL: none */
    HkMaps *command_filter; /* NULL: none */
    HkAuthService *auth; /* NULL: AUTH is off */
    HkEsmtpService *esmtp;
    HkGuard *guard;
    HkScreen *screen;      /* NULL: no stage before the session; borrowed, as the next */
    HkRates *screen_cache; /* NULL: nothing is remembered */
    HkDialogue *judged; /* of sessions that are being judged; NULL: this one */
    bool borrows_auth;
    HkDialogue *next; /* of the process, for stress */
};

enum { /* EHLO keywords */
       HK_EHLO_PIPELINING = 1 << 0,
       HK_EHLO_SIZE = 1 << 1,
       HK_EHLO_VRFY = 1 << 2,
       HK_EHLO_ETRN = 1 << 3,
       HK_EHLO_ENHANCED = 1 << 4,
       HK_EHLO_8BITMIME = 1 << 5,
       HK_EHLO_DSN = 1 << 6,
       HK_EHLO_SMTPUTF8 = 1 << 7,
       HK_EHLO_CHUNKING = 1 << 8,
       HK_EHLO_STARTTLS = 1 << 9,
       HK_EHLO_AUTH = 1 << 10,
       HK_EHLO_LIMITS = 1 << 12,
       HK_EHLO_XCLIENT = 1 << 13,
       HK_EHLO_XFORWARD = 1 << 14,
       HK_EHLO_XVERP = 1 << 15,
       HK_EHLO_FUTURERELEASE = 1 << 16,
       HK_EHLO_DELIVERBY = 1 << 17,
       HK_EHLO_MT_PRIORITY = 1 << 18,
       HK_EHLO_REQUIRETLS = 1 << 19,
       HK_EHLO_BINARYMIME = 1 << 20,
       HK_EHLO_ADDED = HK_EHLO_XVERP | HK_EHLO_FUTURERELEASE | HK_EHLO_DELIVERBY |
                       HK_EHLO_MT_PRIORITY | HK_EHLO_REQUIRETLS | HK_EHLO_BINARYMIME
};
/* Keywords of LIST as a mask; "silent-discard" sets *OUT_SILENT. */
unsigned hk_ehlo_parse_mask (HkSpan list, bool *out_silent);
void hk_ehlo_append_words (GString *out, unsigned mask); /* "DSN ETRN" */
/* MECHANISMS: those of AUTH; NULL: it is not offered. */
void hk_ehlo_append (GString *out, const HkDialogue *dialogue, unsigned mask,
                     const char *mechanisms);

struct HkSessions {
    HkSessionsOptions options;
    uint8_t *buffer;   /* HK_SESSION_READ_SIZE; valid inside one callback */
    HkVerdict verdict; /* of checks that run inline */
    GString *scratch;
    GString *filtered; /* the command at hand, when smtpd_command_filter changed it */
    GPtrArray *spare_out, *spare_arenas;
    HkSession *first;
    HkDialogue *dialogues;
    size_t count;
    uint64_t n_started;
    bool is_draining, has_pressure, is_stressed;
    HkTurnHook drained_hook;
    HkWorkers *auth_workers; /* made when a sasl plugin that blocks is first asked */
    unsigned n_auth_threads;
    uint64_t *stat_sessions, *stat_connects, *stat_messages, *stat_rejects, *stat_refused;
};

/* A mail transaction: from MAIL to the end of data.  Lives in its arena. */
typedef struct HkTransaction {
    HkArena *arena;
    HkEnvelope envelope;
    size_t recipients_space;
    HkMailOptions options;
    HkIncoming *incoming;
    HkContent content;
    HkRcptOptions asked;    /* the recipient that is being checked */
    HkArenaMark before_asked, after_asked; /* what it takes of the arena */
    uint64_t content_bytes; /* as sent by the client */
    unsigned overshoot;
    bool is_chunked, is_discarded, is_failed, is_finishing;
    GString *prepend; /* headers of PREPEND actions, CRLF; NULL: none */
} HkTransaction;

enum { HK_N_COUNTED = 17 }; /* HkVerb values */

struct HkSession {
    HkDialogue *dialogue;
    HkSession *prev, *next;
    HkFdWatch watch;
    HkLoopTimer timer;
    HkTurnHook hook;
    int64_t deadline_us; /* the timer is moved lazily: it may fire before this */
    int fd;
    uint8_t phase;        /* HkPhase */
    uint8_t last_verb;    /* HkVerb: for "lost connection after X" */
    bool is_busy : 1;     /* a check or the store is at work: no input is read */
    bool is_delayed : 1;  /* error sleep: replies wait for the timer */
    bool is_closing : 1;  /* ends when the output is out */
    bool is_stuck : 1;    /* the kernel takes no more output */
    bool is_skipping : 1; /* inside a line that is too long */
    bool is_esmtp : 1;
    bool was_esmtp : 1; /* before the HELO or EHLO at hand */
    bool is_unix : 1;
    bool is_denied : 1; /* refused at CONNECT: nothing but QUIT works */
    bool is_asking_name : 1;
    bool is_last_chunk : 1;
    bool is_bare_line : 1; /* the command ended in LF alone */
    bool may_xclient : 1;
    bool may_xforward : 1;
    bool may_verp : 1;     /* smtpd_authorized_verp_clients */
    bool may_priority : 1; /* smtpd_mt_priority_clients */
    bool is_exempt : 1; /* smtpd_client_event_limit_exceptions */
    bool is_improper : 1;   /* sent ahead of the replies that it had to wait for */
    bool after_content : 1; /* "END-OF-MESSAGE" */
    bool is_on_worker : 1;  /* busy, and a worker reads this structure */
    bool is_lost : 1;       /* the peer is gone; freed when the worker is done */
    uint16_t client_port, server_port;
    uint16_t client_name_code;
    uint16_t n_errors, n_junk;
    uint32_t ehlo_mask;
    uint32_t rest_size, rest_space;
    uint8_t *rest; /* unread input: a partial line, or pipelined commands */
    GString *out;  /* NULL: nothing to say */
    size_t out_sent;
    HkTransaction *tx;
    GString *postponed[3]; /* by stage: HkVerdict.postponed of CONNECT, HELO, MAIL; NULL */
    uint64_t chunk_left;
    char *asked; /* what VRFY (see command.c) or ETRN asks about */
    HkDnsMemo *dns;                 /* NULL: nothing was asked for this session yet */
    HkCheck *waiting;               /* a check that waits or sleeps; see check.c */
    uint64_t serial;
    char *helo, *client_name, *client_reverse;
    HkAuth *auth; /* NULL: nothing was said about it */
    char *xclient_login; /* SASL login name that XCLIENT gave */
    HkScreening *screening; /* NULL: has passed, or there is nothing to pass */
    HkDialogue *home;       /* while there is one: whose session it will be */
    HkForward *forward;  /* NULL: XFORWARD was not said */
    HkRateHold hold;
    unsigned n_at_once, n_connects; /* when it connected */
    char client_address[64], server_address[64];
    uint32_t n_good[HK_N_COUNTED], n_all[HK_N_COUNTED];
    HkTls *tls; /* NULL: in clear */
};

/* ---- session.c: bytes and time */
void
hk_session_resume (HkSession *self); /* a check or the store is done: go on; may free */
void hk_session_set_deadline (HkSession *self, int64_t delay_us);
/* The time of a command, or of content, begins. */
void hk_session_expect_command (HkSession *self);
int64_t hk_session_now (const HkSession *self);
void hk_session_drain (HkSession *self);
/* Check at CONNECT, banner: at the begin, and again after XCLIENT. */
void hk_session_welcome (HkSession *self);
/* The client is known, PEER NULL: on a Unix socket: look up its name and greet; may free. */
void hk_session_admit (HkSession *self, const HkAddress *peer);
/* ... behind the tests of the stage before. */
void hk_session_admit_screened (HkSession *self);
/* LOCAL NULL: asked of the kernel. */
void hk_session_set_addresses (HkSession *self, const HkAddress *peer,
                               const HkAddress *local);
void hk_session_set_unknown (HkSession *self); /* no name, for good */
void hk_session_free (HkSession *self); /* says nothing to the peer */

void hk_session_greet (HkSession *self); /* log the client, check, banner */
bool hk_session_watch (HkSession *self, unsigned events); /* attach; false: cannot */

/* ---- reply.c */
void hk_session_reply (HkSession *self, int code, const char *dsn, const char *format, ...)
    G_GNUC_PRINTF (4, 5);
void hk_session_reply_span (HkSession *self, int code, const char *dsn, HkSpan text);
void hk_session_say (HkSession *self, const char *text, size_t size); /* ready-made reply */
#define hk_session_say_literal(s, text) hk_session_say (s, text, sizeof (text) - 1)
/* ... which is an error of the client's. */
void hk_session_refuse (HkSession *self, int code, const char *dsn, const char *format, ...)
    G_GNUC_PRINTF (4, 5);
/* Reply, then hang up. */
void hk_session_hang_up (HkSession *self, int code, const char *dsn, const char *format,
                         ...) G_GNUC_PRINTF (4, 5);
void hk_session_count_error (HkSession *self);
GString *hk_session_out (HkSession *self);

/* ---- footer.c */
/* *OUT is NULL when there is none. */
bool hk_footer_open (HkPlugins *plugins, HkSettings *view, HkFooter **out, GError **error);
void hk_footer_free (HkFooter *self);
/* Append to TEXT, the text of the reply CODE DSN, what stands behind it; line breaks part
 * the lines of the reply.  False: nothing. */
bool hk_footer_append (const HkFooter *self, const HkSession *session, int code,
                       const char *dsn, GString *text);

/* ---- filter.c */
/* Refuses tables that may block. */
HkMaps *hk_session_maps_open (HkPlugins *plugins, HkSettings *view, const char *parameter,
                              GError **error);
/* What LINE is to be taken for; false: for itself. */
bool hk_command_filter (HkSession *session, HkSpan line, GString *out);

/* ---- command.c */
/* REST is the input behind the line, for the check of pipelining. */
void hk_session_command (HkSession *self, HkSpan line, HkSpan rest);
/* REST lies behind a line of VERB that must be the last of its group.  True: the session
 * ends. */
bool hk_session_breaks_pipelining (HkSession *self, HkVerb verb, HkSpan rest);

/* ---- transaction.c */
void hk_session_mail (HkSession *self, HkSpan argument);
void hk_session_rcpt (HkSession *self, HkSpan argument);
void hk_session_reset (HkSession *self); /* forget the transaction, if any */
void hk_transaction_add (HkTransaction *tx, const HkRecipient *recipient);

/* ---- data.c */
void hk_session_data (HkSession *self, HkSpan argument);
void hk_session_bdat (HkSession *self, HkSpan argument);
/* Content arrives; returns how much of INPUT was taken. */
size_t hk_session_content (HkSession *self, HkSpan input);

/* ---- check.c */
typedef void (*HkCheckDone) (HkSession *self, HkVerdict *verdict);
/* Run the restrictions of STAGE for RECIPIENT (may be empty) inline or on a worker; THEN
 * gets the verdict on the loop. */
void hk_session_check (HkSession *self, HkStage stage, HkSpan recipient, HkCheckDone then);
/* A client has connected, or its names are known: what restrictions ask ahead is asked. */
void hk_session_prepare (HkSession *self);
void hk_session_cancel_check (HkSession *self); /* the session ends: if it waits, not so now */
/* The usual consequences of a verdict: logs its lines, takes over actions into the
 * transaction; a refusal is answered and logged.  True: passed. */
bool hk_session_verdict (HkSession *self, HkStage stage, HkSpan recipient,
                         HkVerdict *verdict);

/* ---- report.c */
void hk_report_connect (HkSession *self);
void hk_report_disconnect (HkSession *self);
void hk_report_lost (HkSession *self, const char *what); /* "lost connection", "timeout" */
void hk_report_client (HkSession *self);
void hk_report_reject (HkSession *self, HkStage stage, const char *status, HkSpan text,
                       HkSpan recipient);
void hk_report_text (HkSession *self, int level, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
void hk_report_append_client (GString *out, const HkSession *self); /* name[address] */

/* ---- tls_config.c */
struct HkSessionTls {
    HkTlsContext *context; /* NULL: cannot be used */
    HkMaps *names;         /* tls_server_sni_maps; NULL: none */
    char *service;
    enum { HK_TLS_LEVEL_NONE, HK_TLS_LEVEL_MAY, HK_TLS_LEVEL_ENCRYPT } level;
    bool is_wrapper, requires_certificate, has_header, is_auth_only;
    bool is_waiting; /* for files that somebody else opens */
    int log_level;
    int64_t timeout_us;
    int64_t looked_us; /* when the files were looked at last */
};
bool hk_tls_is_offered (const HkDialogue *dialogue); /* by STARTTLS */
/* Have the files of certificates changed?  At most once a second. */
void hk_tls_look_at_files (HkSession *session);

/* ---- tls_names.c */
void hk_tls_on_name (HkTls *tls, const char *name, void *data);

/* ---- tls.c */
bool hk_session_is_encrypted (const HkSession *self);
bool hk_session_may_auth (const HkSession *self); /* smtpd_tls_auth_only */
/* VERB may not come in clear: refused; true. */
bool hk_session_lacks_tls (HkSession *self, HkVerb verb);
void hk_session_starttls (HkSession *self, HkSpan argument);
void hk_session_begin_tls (HkSession *self); /* may free */
/* Wrapper mode: the handshake comes before the greeting; true, and SELF may be gone. */
bool hk_session_wraps (HkSession *self);
void hk_session_shake (HkSession *self); /* go on with the handshake; may free */
/* As read(2) and write(2), inside TLS or not. */
ssize_t hk_session_read (HkSession *self, void *buffer, size_t size);
ssize_t hk_session_write (HkSession *self, const void *data, size_t size);
void hk_tls_fill_subject (const HkSession *self, HkAccessSubject *out);
/* Lines for the Received header, or NULL; g_free it. */
char *hk_session_tls_header (const HkSession *self);

/* ---- sessions.c */
HkTransaction *hk_transaction_new (HkSessions *sessions);
void hk_transaction_free (HkSessions *sessions, HkTransaction *tx);
GString *hk_sessions_take_out (HkSessions *self);
void hk_sessions_give_out (HkSessions *self, GString *out);
void hk_sessions_add (HkSessions *self, HkSession *session);
void hk_sessions_forget (HkSessions *self, HkSession *session);
void hk_sessions_add_dialogue (HkSessions *self, HkDialogue *dialogue);
void hk_sessions_forget_dialogue (HkSessions *self, HkDialogue *dialogue);

#endif
