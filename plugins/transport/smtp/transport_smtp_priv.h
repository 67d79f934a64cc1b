/* transport_smtp_priv.h: the SMTP and LMTP client from inside.
 *
 *   start ─▶ SmtpDelivery ─ site ─▶ addresses ─▶ SmtpConnection ─▶ dialogue ─▶ results
 *                  ▲   (site.c)    (resolve.c)   (connection.c)  (dialogue.c)     │
 *                  └────────── next address, next site (delivery.c) ◀─────────────┘
 *
 * A delivery is one host call: a message and its recipients for one next hop.  It holds at
 * most one connection at a time; a connection that did its work waits, open, for the next
 * delivery to the same next hop.  Everything runs on the host's loop. */
#ifndef TRANSPORT_SMTP_PRIV_H
#define TRANSPORT_SMTP_PRIV_H

#include <glib.h>
#include <hikyaku/transport.h>
#include <stdbool.h>
#include <sys/socket.h>

typedef struct {
    bool is_lmtp;
    char *helo_name, *my_name;
    int64_t connect_s, helo_s, mail_s, rcpt_s, data_init_s, data_xfer_s, data_done_s;
    unsigned address_limit, session_limit; /* 0: none */
    char **fallback;
    bool use_cache;
    char **cache_sites;
    int64_t idle_s, reuse_s;
    unsigned reuse_count; /* 0: no limit */
    bool never_ehlo, use_dns, use_ipv4, use_ipv6, randomize, balance, skip_5xx_greeting;
    bool defer_no_mx_address;
    bool probes_to_data; /* address_verify_target */
    int prefer; /* 0 any, 4, 6 */
    unsigned discard;
    unsigned line_limit;
    uint16_t port;
    char *bind4, *bind6;
    char *refusal;  /* why nothing may be sent in clear; NULL: it may */
    GPtrArray *own; /* own addresses as text */
} SmtpConf;

typedef struct SmtpInstance {
    const HkHost *host;
    SmtpConf conf;
    GHashTable *idle; /* site → GQueue of SmtpConnection, latest first */
    unsigned n_idle;
    HkTimer *sweep;
    bool is_quiet;
} SmtpInstance;

/* ---- replies (transport_smtp_reply.c) */

typedef struct {
    int code;      /* 0: not known yet */
    GString *text; /* lines with their codes, parted by '\n' */
    GString *line; /* the line at hand */
    size_t size;   /* bytes of this reply so far */
} SmtpReply;
typedef enum { SMTP_REPLY_MORE, SMTP_REPLY_DONE, SMTP_REPLY_BAD } SmtpProgress;
void transport_smtp_reply_init (SmtpReply *self);
void transport_smtp_reply_clear (SmtpReply *self);
/* Takes bytes from *AT; after DONE the next call begins a new reply. */
SmtpProgress transport_smtp_reply_feed (SmtpReply *self, const char **at, const char *end);
/* One line, printable, at most MAX bytes. */
void transport_smtp_reply_print (const SmtpReply *self, char *out, size_t max);
/* The enhanced code of the reply, or the plain one of its class: "5.0.0". */
void transport_smtp_reply_dsn (const SmtpReply *self, char out[12]);

/* ---- content (transport_smtp_content.c) */

/* Can it be sent as it is: CRLF line ends only, no line that begins with a dot or is longer
 * than LINE_LIMIT (0: any), CRLF at the end? */
bool transport_smtp_content_is_plain (HkSpan content, size_t line_limit);
typedef struct {
    HkSpan rest;
    size_t line_limit, column;
    bool is_done;
} SmtpEncoder;
/* Append about MAX bytes: dots stuffed, lone CR and LF made harmless, long lines folded;
 * the last part ends with the final dot and sets is_done. */
void transport_smtp_content_encode (SmtpEncoder *self, GString *out, size_t max);

/* ---- sites (transport_smtp_site.c) */

typedef struct {
    char *name; /* host, domain or address, without brackets */
    char *path; /* unix socket; else NULL */
    uint16_t port;
    bool is_literal; /* no MX: brackets, or LMTP */
} SmtpSite;
/* "[host]:port", "domain", "domain:service", "unix:/path", "inet:host:port". */
bool transport_smtp_site_parse (const SmtpConf *conf, const char *text, SmtpSite *out);
void transport_smtp_site_clear (SmtpSite *self);

typedef struct {
    struct sockaddr_storage address;
    socklen_t size;
    unsigned preference, rank;
    char host[256];
    char text[64]; /* address */
} SmtpTarget;
bool transport_smtp_target_from_ip (const char *ip, uint16_t port, SmtpTarget *out);

/* ---- deliveries (transport_smtp_delivery.c) */

typedef struct SmtpConnection SmtpConnection;
typedef struct SmtpResolve SmtpResolve;

typedef enum { SMTP_LEFT, SMTP_ACCEPTED, SMTP_DONE } SmtpRecipientState;
typedef struct {
    HkSpan address;
    SmtpRecipientState state;
    bool is_sent; /* RCPT was sent in the transaction at hand */
    char *reason; /* soft failure that another host may mend; NULL: none */
    char dsn[12];
} SmtpRecipient;

typedef struct SmtpDelivery {
    SmtpInstance *smtp;
    HkCall *call;
    HkSpan sender, content;
    bool needs_utf8, is_8bit, is_probe;
    bool is_binary; /* RFC 3030: by BDAT, or not at all */
    SmtpRecipient *recipients;
    size_t n_recipients, n_left; /* not done */
    GPtrArray *sites;            /* texts */
    guint site;                  /* index of the one at hand */
    SmtpSite where;
    GArray *targets; /* SmtpTarget of this site, in order */
    guint target;    /* index of the next */
    unsigned n_sessions;
    SmtpResolve *resolve;
    SmtpConnection *connection;
    int64_t started_us, ready_us;
    bool is_fresh; /* connection made for this delivery */
    /* why the last host did not work */
    char *reason;
    char dsn[12];
    char *relay;
    char *remote;
    bool is_site_down, is_bounce;
} SmtpDelivery;

void transport_smtp_delivery_start (SmtpInstance *smtp, HkCall *call);
/* Addresses are found: go on.  Or none: REASON and DSN; 5.x.x bounces. */
void transport_smtp_delivery_resolved (SmtpDelivery *self);
void transport_smtp_delivery_no_host (SmtpDelivery *self, const char *dsn,
                                      const char *format, ...) G_GNUC_PRINTF (3, 4);
/* The host at hand cannot take any message now: try the next one. */
void transport_smtp_delivery_site_failed (SmtpDelivery *self, const char *dsn,
                                          const char *text);
/* A connection that had waited was gone when it was used: once more with a fresh one. */
void transport_smtp_delivery_restart (SmtpDelivery *self);
/* The transaction is over: finish, or go on with the next host for who is left. */
void transport_smtp_delivery_transaction_over (SmtpDelivery *self);
bool transport_smtp_delivery_is_final (const SmtpDelivery *self);
/* What became of recipient I; DIAGNOSTIC may be NULL. */
void transport_smtp_delivery_result (SmtpDelivery *self, size_t i, int32_t status,
                                     const char *dsn, const char *text,
                                     const char *diagnostic, uint32_t flags);

/* ---- finding addresses (transport_smtp_resolve.c) */

void transport_smtp_resolve_start (SmtpDelivery *delivery);

/* ---- connections (transport_smtp_connection.c) */

typedef enum {
    SMTP_CONNECTING,
    SMTP_GREETING,
    SMTP_EHLO,
    SMTP_HELO,
    SMTP_MAIL,
    SMTP_RCPT,
    SMTP_DATA,
    SMTP_BODY,    /* content is on its way */
    SMTP_FINAL,   /* the reply, or with LMTP the replies, to the content */
    SMTP_ABANDON, /* the reply to a lone dot after no recipient was accepted */
    SMTP_RSET,
    SMTP_IDLE
} SmtpState;

enum { /* features */
       SMTP_PIPELINING = 1 << 0,
       SMTP_SIZE = 1 << 1,
       SMTP_8BITMIME = 1 << 2,
       SMTP_DSN = 1 << 3,
       SMTP_UTF8 = 1 << 4,
       SMTP_STARTTLS = 1 << 5,
       SMTP_AUTH = 1 << 6,
       SMTP_CHUNKING = 1 << 7,
       SMTP_BINARYMIME = 1 << 8,
       SMTP_DELIVERBY = 1 << 9,
       SMTP_MT_PRIORITY = 1 << 10,
       SMTP_REQUIRETLS = 1 << 11
};

struct SmtpConnection {
    SmtpInstance *smtp;
    SmtpDelivery *delivery; /* NULL while idle */
    char *site;             /* key of the idle table */
    int fd;
    HkWatch *watch;
    unsigned events;
    HkTimer *timer;
    int64_t timer_due_us, deadline_us, born_us, idle_since_us;
    SmtpState state;
    unsigned n_uses; /* messages so far */
    char *name;      /* host[address] */
    char *relay;     /* host[address]:port */
    char *host;
    unsigned features;
    uint64_t size_limit;
    int64_t by_minimum_s; /* of its DELIVERBY */
    SmtpReply reply;
    bool had_reply; /* in this transaction */
    bool is_failed; /* the transaction: what still comes is only read */
    bool needs_rset;
    bool is_unix;    /* a socket of this machine */
    bool must_close; /* the server said 421, or no longer knows where we are */
    size_t at;       /* recipient that the next reply is about */
    size_t n_accepted;
    /* output */
    GString *out;
    size_t out_at;
    HkSpan body; /* sent as it is, behind out */
    HkSpan tail; /* behind body */
    SmtpEncoder encoder;
    bool is_encoding;
    bool is_busy, is_dead; /* a callback is on the stack; free when it is left */
};

void transport_smtp_connection_open (SmtpDelivery *delivery, const SmtpTarget *target);
void transport_smtp_connection_open_unix (SmtpDelivery *delivery, const char *path);
/* An idle one for SITE, taken out; NULL: none. */
SmtpConnection *transport_smtp_connection_take (SmtpInstance *smtp, const char *site);
/* Done with its delivery: wait for the next one, or say QUIT. */
void transport_smtp_connection_release (SmtpConnection *self);
void transport_smtp_connection_quit (SmtpConnection *self);  /* QUIT if that can be; free */
void transport_smtp_connection_close (SmtpConnection *self); /* at once; free */
void transport_smtp_connection_close_idle (SmtpInstance *smtp);
void transport_smtp_connection_deadline (SmtpConnection *self, int64_t seconds);
/* Send what was gathered. False: the connection was lost and dealt with. */
bool transport_smtp_connection_flush (SmtpConnection *self);

/* ---- the dialogue (transport_smtp_dialogue.c, transport_smtp_session.c) */

void transport_smtp_dialogue_connected (SmtpConnection *self);
void transport_smtp_dialogue_begin (SmtpConnection *self); /* a transaction */
void transport_smtp_dialogue_reply (SmtpConnection *self);
void transport_smtp_dialogue_body_sent (SmtpConnection *self);
/* The stream broke or its time was up. */
void transport_smtp_dialogue_lost (SmtpConnection *self, bool is_timeout);
bool
transport_smtp_session_reply (SmtpConnection *self); /* greeting and EHLO; true: took it */

/* ---- extensions (transport_smtp_esmtp.c) */

/* May the message go to this server?  Else DSN and TEXT (g_free it): it is returned. */
bool transport_smtp_esmtp_may_send (const SmtpConnection *self, const char **out_dsn,
                                    char **out_text);
/* Their parameters of MAIL. */
void transport_smtp_esmtp_put_mail (SmtpConnection *self);
/* Result flags of who was accepted. */
uint32_t transport_smtp_esmtp_flags (const SmtpConnection *self);

/* ---- small things */
int64_t transport_smtp_now_us (void);
char *transport_smtp_dup (HkSpan s);
static inline HkSpan
transport_smtp_span (const char *text)
{
    return (HkSpan){(const uint8_t *) text, text == NULL ? 0 : strlen (text)};
}

/* ---- parameters (transport_smtp_conf.c) */
extern const HkParam transport_smtp_params[], transport_smtp_lmtp_params[];
HkAnswer transport_smtp_conf_read (SmtpConf *self, const HkHost *host, const HkConf *conf,
                                   HkCall *call);
void transport_smtp_conf_clear (SmtpConf *self);

#endif
