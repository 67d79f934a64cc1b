/* access.h: restriction lists, compiled once to plans and run for each session.
 *
 * A plan is the list of opened restriction instances of one parameter
 * (smtpd_recipient_restrictions, …).  Running it asks each in turn until one decides; postponed
 * verdicts (defer_if_permit, warn_if_reject) are kept in the run.  The session lends itself
 * through HkAccessSubject.  A plan is immutable: any thread; may_block tells whether it must
 * run on a worker. */
#ifndef HK_ACCESS_H
#define HK_ACCESS_H

#include "net/dns.h"
#include "route/route.h"

extern const HkConfSpec hk_access_params[];

typedef enum {
    HK_STAGE_CONNECT, HK_STAGE_HELO, HK_STAGE_MAIL, HK_STAGE_RCPT, HK_STAGE_DATA,
    HK_STAGE_END_OF_DATA, HK_STAGE_VRFY, HK_STAGE_ETRN
} HkStage;
const char *hk_stage_name (HkStage stage, bool is_esmtp); /* CONNECT, EHLO, …END-OF-MESSAGE */

/* All lists of one smtpd service and what they share. */
typedef struct HkAccess HkAccess;
/* FN (NULL: none) is told what hk_access_complain has to say, also when NULL is returned. */
HkAccess *hk_access_new (HkPlugins *plugins, HkSettings *view, HkRouter *router,
                         HkComplaintFn fn, void *data, GError **error);
void hk_access_free (HkAccess *self);
bool hk_access_may_block (const HkAccess *self, HkStage stage);

/* What a session tells about itself; spans stay valid during the run. */
typedef struct HkAccessSubject {
    HkSpan service, client_name, client_reverse_name, client_address, helo, protocol, sender,
        recipient, queue_id, sasl_method, sasl_username, sasl_sender, server_address;
    unsigned client_port, server_port;
    int client_name_code;     /* 0 ok, 4 temporary, 5 permanent failure of the name */
    uint64_t size;
    size_t recipient_count;
    bool has_helo, has_sender, has_recipient, is_esmtp;
    bool is_held;             /* HOLD was asked for before */
    bool improper_pipelining; /* the client sent more before it was allowed to */
    HkSpan instance, only_recipient; /* see HK_PROP_INSTANCE, HK_PROP_ONLY_RECIPIENT */
    struct HkDnsMemo *dns;           /* NULL: nothing is remembered for the session */
    HkSpan tls_version;       /* empty: the session is not encrypted */
    HkSpan tls_cipher, tls_server_name, tls_subject, tls_issuer, tls_fingerprint,
        tls_key_fingerprint;
    unsigned tls_bits;
    bool tls_is_resumed, tls_has_certificate, tls_is_trusted;
    int64_t verify_wait_us;   /* HK_PROP_VERIFY_WAIT_US */
    HkSpan etrn_domain;       /* HK_STAGE_ETRN */
    HkSpan postponed; /* HK_STAGE_RCPT: what an earlier stage left in HkVerdict.postponed */
} HkAccessSubject;

/* hk_access_may_block, for these addresses: a table of known local users that blocks is no
 * reason to leave the loop for recipients of other classes. */
bool hk_access_may_block_for (const HkAccess *self, HkStage stage,
                              const HkAccessSubject *subject);

/* What came out. */
typedef struct HkVerdict {
    enum { HK_VERDICT_PASS, HK_VERDICT_REJECT, HK_VERDICT_DISCARD, HK_VERDICT_DISCONNECT } what;
    int code;
    char dsn[12];
    GString *text;          /* reply text, without code and dsn */
    /* access(5) actions gathered on the way */
    bool hold;
    GString *hold_reason;
    GString *filter, *redirect; /* "" none */
    GPtrArray *prepend, *bcc;   /* char * */
    GPtrArray *log;         /* lines of warn/info/hold/discard…: "STATUS\tTEXT", for events */
    /* smtpd_delay_reject = no: passed for now, but each RCPT is refused with this ("450 4.7.1
     * text") that nothing else refuses; "" none */
    GString *postponed;
} HkVerdict;
void hk_verdict_init (HkVerdict *self);
void hk_verdict_reset (HkVerdict *self);
void hk_verdict_clear (HkVerdict *self);

/* What `hikyaku check` has to say about the lists: unknown words, words that are never
 * reached, tables that do not open.  False when one of them is an error. */
bool hk_access_complain (const HkAccess *self, HkComplaintFn fn, void *data);

/* Run what smtpd_delay_reject lets run at STAGE (at RCPT with delay: client, helo, sender,
 * relay, recipient lists).  Loop when nothing may block, else worker.  OUT is reset first.
 * False, when hk_access_may_wait did not know it yet: a table has answered with a list that
 * waits for somebody; run it again, as a task. */
bool hk_access_run (HkAccess *self, HkStage stage, const HkAccessSubject *subject,
                    HkVerdict *out);

/* ---- runs that may wait: a restriction with the asynchronous form of restriction.h, or
 * `sleep`, is in reach.  A task runs up to the next of those, asks it on the loop, and runs on
 * when it has its answer, or has slept:
 *
 *     new ─▶ run ──WAITS──▶ ask ──true──▶ run …          run: loop; worker when
 *             │              └──▶ READY ─▶ run …              hk_access_may_block_for
 *             ├──SLEEPS─▶ sleep_s seconds ─▶ run …       ask, free: loop
 *             └──DONE: OUT is the verdict
 *
 * SUBJECT may be filled anew before each run. */
bool hk_access_may_wait (const HkAccess *self, HkStage stage);

typedef struct HkAccessTask HkAccessTask;
/* SUBJECT and OUT are borrowed until the task is freed; OUT is reset. */
HkAccessTask *hk_access_task_new (HkAccess *self, HkStage stage,
                                  const HkAccessSubject *subject, HkVerdict *out,
                                  HkLoop *loop);
typedef enum { HK_TASK_DONE, HK_TASK_WAITS, HK_TASK_SLEEPS } HkTaskState;
HkTaskState hk_access_task_run (HkAccessTask *self);
unsigned hk_access_task_sleep_s (const HkAccessTask *self);
/* True: the answer is there.  Else READY is called once, from the loop, never from inside. */
bool hk_access_task_ask (HkAccessTask *self, void (*ready) (void *data), void *data);
void hk_access_task_free (HkAccessTask *self); /* cancels what it waits for */

/* Mail to what address probes are from is taken, whatever the lists say (postconf(5),
 * address_verify_sender).  OUT: whom it is for. */
bool hk_access_is_probe_sender (HkAccess *self, HkSpan recipient, int64_t now_s,
                                GString *out);

/* A client is there, or its names are: let restrictions ask ahead.  Loop. */
bool hk_access_prepares (const HkAccess *self); /* one of them does */
void hk_access_prepare (HkAccess *self, const HkAccessSubject *subject);

/* ---- what was asked of the domain name system for one session, and its answers */
typedef struct HkDnsMemo HkDnsMemo;
HkDnsMemo *hk_dns_memo_new (HkResolver *resolver); /* NULL: every answer is "later" */
void hk_dns_memo_free (HkDnsMemo *self);           /* nobody is called any more */
/* As dns_session of plugin.h. */
HkAnswer hk_dns_memo_ask (HkDnsMemo *self, const char *name, uint16_t type, HkDnsFn fn,
                          void *data);

#endif
