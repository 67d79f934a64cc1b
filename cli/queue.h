/* queue.h: how tools talk to the queue manager; shared by queue.c, super.c and cat.c. */
#ifndef HK_CLI_QUEUE_H
#define HK_CLI_QUEUE_H

#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/frames.h"

/* What messages begin with: NAME when called as `hikyaku VERB`, else the program's own
 * name; g_free it. */
char *hk_queue_program (const char *argv0, const char *verb, const char *name);

/* Connect to public/qmgr of the instance that DIR (NULL: the usual one) configures.  While the
 * mail system is down and WHAT is NULL, who may read and change the queue's directory gets a
 * queue manager of their own that delivers nothing, and a warning.  -1: the reason was written
 * to standard error as "PROGRAM: fatal: WHAT (reason)"; *OUT_STATUS is the exit status then. */
int hk_queue_connect (const char *program, const char *dir, const char *what,
                      int *out_status);

/* Send a request; other frames than REPLY go to FN (may be NULL).  The count and text of
 * the reply; false: failed, and *OUT_TEXT says why.  g_free *OUT_TEXT. */
typedef void (*HkQueueFrameFn) (uint16_t type, HkSpan payload, void *data);
bool hk_queue_ask (int fd, uint16_t type, const GByteArray *payload, HkQueueFrameFn fn,
                   void *data, uint64_t *out_n, char **out_text);

#endif
