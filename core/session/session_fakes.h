/* session_fakes.h: access, intake and lane as tests and the fuzzer play them. */
#ifndef HK_SESSION_FAKES_H
#define HK_SESSION_FAKES_H

#include "session/session.h"

/* What happened, and how the fakes behave.  Recipients below elsewhere.example are refused
 * as relaying; later.example gets 450; trash@ is DISCARD; hold@ is HOLD; bye@ is 421. */
typedef struct {
    HkLoop *loop;
    GString *log;         /* events, a line each */
    GPtrArray *contents;  /* char *: finished messages, with the received header */
    GPtrArray *envelopes; /* char *: "sender|flags|rcpt:notify:orcpt,…" */
    unsigned n_abandoned, n_forgotten;
    unsigned end_flags;   /* of the envelope, when the content was complete */
    bool may_block;       /* checks run on a worker */
    bool refuses_clients; /* 554 at CONNECT */
    bool is_full;         /* no space */
    int result;           /* of finish: 250, 451 … */
    bool keeps_content;   /* false: only counted (fuzzer) */
    bool waits;           /* recipients wait@ wait until the test calls `ready` */
    void (*ready) (void *data);
    void *ready_data;
    unsigned n_tasks, n_prepared;
} HkFakes;
extern HkFakes hk_fakes;

void hk_fakes_init (HkLoop *loop);
void hk_fakes_clear (void);

#endif
