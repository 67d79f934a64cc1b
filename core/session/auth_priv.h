/* auth_priv.h: what auth.c and auth_backend.c share. */
#ifndef HK_SESSION_AUTH_PRIV_H
#define HK_SESSION_AUTH_PRIV_H

#include "session/auth.h"
#include "session/session_priv.h"

struct HkAuthService {
    HkSessions *sessions;
    HkInstance *instance;
    const HkSaslClass *class;
    char *options[2]; /* smtpd_sasl_security_options; [1]: of encrypted sessions */
    char *service, *realm, *host;
    HkMatchList *filter;     /* NULL: everything but EXTERNAL */
    HkMatchList *exceptions; /* NULL: none */
    size_t response_limit;
    int64_t timeout_us;
    bool has_broken_clients, has_header;
    char *known[2];    /* mechanisms of a class that may block, filtered; NULL: not known */
    char *raw, *shown; /* the last list that was filtered, and what was left */
    bool was_empty;    /* ... said once */
};

/* One AUTH: the plugin's object, shared by the session and the call under way. */
typedef struct HkAuthExchange {
    unsigned n_refs;
    HkAuthService *service;
    char *mechanism; /* upper case */
    void *pointer;   /* NULL: not begun */
    bool has_begun;
} HkAuthExchange;

/* One call of the backend. */
typedef struct HkAuthTask HkAuthTask;
typedef void (*HkAuthThen) (HkSession *session, HkAuthTask *task);
struct HkAuthTask {
    HkCall call;
    HkAuthService *service;
    HkSession *session;       /* NULL: nobody waits any more */
    HkAuthExchange *exchange; /* NULL: the mechanisms are asked for */
    uint8_t *response;        /* NULL: none, which is not the same as an empty one */
    size_t response_size;
    HkAnswer answer;
    HkAuthThen then;
    HkLoopTimer timer;
    bool is_inside, is_done, is_on_worker;
    /* What the session tells, kept for a worker. */
    char client_address[64], server_address[64], tls_version[16];
    unsigned client_port, server_port;
    const char *binding_type; /* NULL: no channel binding */
    uint8_t binding[HK_TLS_BINDING_MAX];
    size_t binding_size;
};

struct HkAuth {
    HkAuthExchange *exchange; /* while AUTH is under way */
    HkAuthTask *task;         /* a call under way */
    char *asked;              /* the mechanism that was asked for */
    char *initial;            /* initial response, base64; NULL: none */
    HkAuthOffer then;
    char *method, *username; /* authenticated; NULL: not */
};

HkAuth *hk_auth_of (HkSession *session); /* made when needed */

/* ---- auth_backend.c */
HkAuthExchange *hk_auth_exchange_new (HkAuthService *service, const char *mechanism);
void hk_auth_exchange_unref (HkAuthExchange *self);
/* THEN gets the task, from inside or later; the session reads no input meanwhile.  RESPONSE
 * is copied. */
void hk_auth_run_step (HkSession *session, HkSpan response, HkAuthThen then);
void hk_auth_run_mechanisms (HkSession *session, HkAuthThen then);
/* Nobody waits for it any more. */
void hk_auth_cancel_task (HkAuthTask *task);
/* The mechanisms that are left of a list; "" none.  Borrowed until the next call. */
const char *hk_auth_filter (HkAuthService *self, HkSpan list);
/* Is NAME one of the words? */
bool hk_auth_is_in (const char *mechanisms, const char *name);

/* ---- auth_syntax.c: pure */
/* RFC 4954 4: mechanism, initial response.  False: bad syntax. */
bool hk_auth_parse (HkSpan argument, HkSpan *out_mechanism, HkSpan *out_initial);
/* RFC 4648 4, nothing but that: whole quanta, padding at the end, no bits behind.  BUFFER
 * has room for TEXT.size / 4 * 3 bytes. */
bool hk_auth_decode (HkSpan text, uint8_t *buffer, size_t *out_size);

#endif
