/* filter.h: the plugin class of content filters, called while a message comes in.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HIKYAKU_FILTER_H
#define HIKYAKU_FILTER_H

#include <hikyaku/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HK_FILTER_MINOR 1

/* The order of calls; every begin has one end.
 *
 *   session_begin ─ (message_begin ─ recipient* ─ header* ─ body* ─ (commit │ abort))* ─ session_end
 *
 * *_begin may store a pointer of the plugin's own, which comes back as `session` / `message`.
 * Each hook that returns HkAnswer decides: HK_DUNNO goes on; HK_PERMIT asks for no further
 * hooks of this message; HK_REJECT (host->reply), HK_DISCARD, HK_HOLD as named; HK_LATER and
 * HK_BROKEN are answered as the parameter PLUGIN_default_action says (tempfail).  Edits may
 * be made in `header`, `body` and `commit`; they are applied together after the last filter's
 * commit.  `end_of_data` is commit: content and envelope are complete, edits still possible. */
typedef struct HkFilterClass {
    HkClass base;
    HkAnswer (*session_begin) (void *instance, HkCall *call, void **out_session);
    void (*session_end) (void *instance, void *session);
    HkAnswer (*message_begin) (void *instance, void *session, HkCall *call, void **out_message);
    HkAnswer (*recipient) (void *instance, void *message, HkCall *call, HkSpan address);
    /* One logical header without its final CRLF; VALUE keeps its folding. INDEX counts from 0. */
    HkAnswer (*header) (void *instance, void *message, HkCall *call, uint32_t index,
                        HkSpan name, HkSpan value);
    HkAnswer (*body) (void *instance, void *message, HkCall *call, HkSpan chunk);
    HkAnswer (*commit) (void *instance, void *message, HkCall *call);
    void (*abort) (void *instance, void *message); /* the message will not be queued */
    void (*message_end) (void *instance, void *message); /* after commit or abort: free */
} HkFilterClass;

#ifdef __cplusplus
}
#endif
#endif
