/* event.h: the plugin class that renders what happens: logs, metrics, hooks.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HIKYAKU_EVENT_H
#define HIKYAKU_EVENT_H

#include <hikyaku/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HK_EVENT_MINOR 1

/* What happened; HK_PROP_EVENT of the call.  The properties that come with each: */
enum {
    HK_EVENT_CONNECT = 1,     /* CLIENT_* */
    HK_EVENT_DISCONNECT = 2,  /* CLIENT_*; TEXT: command counts "ehlo=1 mail=1 …" */
    HK_EVENT_LOST = 3,        /* CLIENT_*, TEXT: "lost connection after DATA" */
    HK_EVENT_REJECT = 4,      /* QUEUE_ID or absent, STAGE, STATUS (reject, hold, …), TEXT: the
                               * reply, SENDER, RECIPIENT, PROTOCOL, HELO_NAME, CLIENT_* */
    HK_EVENT_CLIENT = 5,      /* QUEUE_ID, CLIENT_*, SASL_*: a message begins */
    HK_EVENT_PICKUP = 6,      /* QUEUE_ID, UID, SENDER: a local message begins */
    HK_EVENT_MESSAGE_ID = 7,  /* QUEUE_ID, MESSAGE_ID */
    HK_EVENT_ACTIVE = 8,      /* QUEUE_ID, SENDER, SIZE, RECIPIENT_COUNT */
    HK_EVENT_DELIVERY = 9,    /* QUEUE_ID, AGENT, RECIPIENT, ORIG_RECIPIENT, RELAY, CONN_USE,
                               * DELAY_*, DSN, STATUS, TEXT */
    HK_EVENT_REMOVED = 10,    /* QUEUE_ID */
    HK_EVENT_EXPIRED = 11,    /* QUEUE_ID, SENDER, TEXT "expired" | "force-expired" */
    HK_EVENT_NOTICE = 12,     /* QUEUE_ID, OTHER_ID, TEXT: "sender non-delivery notification" */
    HK_EVENT_CONTENT = 13,    /* QUEUE_ID, STATUS (reject, warning, …), TEXT: header and so on */
    HK_EVENT_TEXT = 14        /* LEVEL, TEXT, AGENT: anything that is not about one message */
};

/* A loaded event plugin sees every event of its process, on the loop thread, in order.  It
 * may not wait. */
typedef struct HkEventClass {
    HkClass base;
    void (*event) (void *instance, HkCall *call);
    /* Once at the end of each loop turn in which there was an event: write what was gathered. */
    void (*flush) (void *instance);
} HkEventClass;

#ifdef __cplusplus
}
#endif
#endif
