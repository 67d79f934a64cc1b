/* qmqp_priv.h: what the files of the QMQP server share. */
#ifndef HK_SESSION_QMQP_PRIV_H
#define HK_SESSION_QMQP_PRIV_H

#include "session/content.h"
#include "session/qmqp.h"
#include "session/qmqp_parse.h"
#include "session/session_priv.h"

/* Addresses stay in memory until the end; as many as in a file of maildrop/. */
enum { HK_QMQP_MAX_RECIPIENTS = 100000, HK_QMQP_MAX_ADDRESSES = 16 << 20 };

struct HkQmqpService {
    HkQmqps *qmqps;
    HkIntake *intake; /* borrowed */
    HkSettings *view;
    char *service;
    const char *myhostname, *mail_name; /* of VIEW */
    HkMatchList *clients;
    uint64_t message_limit; /* 0: none */
    size_t address_limit;
    int64_t timeout_us, name_timeout_us, error_delay_us;
    unsigned min_data_rate;
    bool log_port, soft_bounce;
};

typedef enum {
    HK_QMQP_PHASE_NAME,   /* waiting for the resolver */
    HK_QMQP_PHASE_ASK,    /* is it one of qmqpd_authorized_clients? */
    HK_QMQP_PHASE_READ,   /* reads the package */
    HK_QMQP_PHASE_STORE,  /* the message is on its way into the store */
    HK_QMQP_PHASE_DELAY,  /* the reply waits */
    HK_QMQP_PHASE_REPLY,  /* the reply does not go out yet */
    HK_QMQP_PHASE_LINGER  /* the reply is out; what the client still sends is thrown away */
} HkQmqpPhase;

typedef struct HkQmqpQuestion HkQmqpQuestion;

typedef struct HkQmqp {
    HkQmqpService *service;
    struct HkQmqp *prev, *next;
    HkFdWatch watch;
    HkLoopTimer timer;
    int64_t deadline_us; /* the timer is moved lazily: it may fire before this */
    int fd;
    uint8_t phase; /* HkQmqpPhase */
    bool is_unix, is_asking_name, has_begun;
    uint16_t port;
    char address[64];
    char *name;
    HkQmqpQuestion *question; /* phase ASK */
    HkQmqpParser parser;
    HkContent content;
    HkArena *arena; /* addresses; NULL: none yet */
    HkTransaction tx; /* its envelope; no part of an SMTP session */
    HkIncoming *incoming;
    HkQueueId queue_id;
    size_t address_bytes;
    GString *reply; /* as a netstring */
    size_t reply_sent;
} HkQmqp;

struct HkQmqps {
    HkSessionsOptions options;
    uint8_t *buffer; /* HK_SESSION_READ_SIZE; valid inside one callback */
    HkQmqp *first;
    size_t count;
    bool is_draining, has_pressure;
    HkTurnHook drained_hook;
    uint64_t *stat_connects, *stat_messages;
};

/* ---- qmqp_service.c */
void hk_qmqps_add (HkQmqps *self, HkQmqp *qmqp);
void hk_qmqps_forget (HkQmqps *self, HkQmqp *qmqp);

/* ---- qmqp.c */
void hk_qmqp_free (HkQmqp *self);
bool hk_qmqp_is_idle (const HkQmqp *self); /* nothing was said yet */
/* What came, taken apart; false: SELF may be gone. */
void hk_qmqp_answer (HkQmqp *self, char status, const char *text);

/* ---- qmqp_message.c */
/* Work on INPUT: content goes to intake, the end to the store, errors are answered. */
void hk_qmqp_input (HkQmqp *self, HkSpan input);
void hk_qmqp_drop_message (HkQmqp *self); /* leave no trace of it */

/* ---- qmqp_report.c */
void hk_qmqp_log_connect (HkQmqp *self);
void hk_qmqp_log_disconnect (HkQmqp *self);
void hk_qmqp_log_client (HkQmqp *self);
/* "[warning: ]ID: name[address]: text" */
void hk_qmqp_log (HkQmqp *self, int level, const char *text);
void hk_qmqp_append_client (GString *out, const HkQmqp *self);

#endif
