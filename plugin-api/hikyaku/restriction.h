/* restriction.h: the plugin class behind the words of smtpd_*_restrictions.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HIKYAKU_RESTRICTION_H
#define HIKYAKU_RESTRICTION_H

#include <hikyaku/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HK_RESTRICTION_MINOR 2

enum { /* needs: the restriction is skipped, as Postfix does, while one of these is not known */
    HK_NEEDS_HELO = 1 << 0,
    HK_NEEDS_SENDER = 1 << 1,
    HK_NEEDS_RECIPIENT = 1 << 2
};

/* `base.name` is the word.  The host splits the list, takes n_words words after the name as
 * arguments and opens one instance for each place where the restriction stands.  `check` gets
 * the session through properties and returns a verdict (HK_DUNNO … HK_DISCONNECT).
 *
 * A restriction that waits for somebody (a server, the domain name system) has the
 * asynchronous form instead; any number of its checks may be under way at once and none holds
 * a thread:
 *
 *     check_start ──HK_PENDING──▶ host->complete ──▶ check_finish ─▶ verdict
 *         │  └──────HK_OK─────────────────────────────▲
 *         └──────── a verdict, LATER, BROKEN: that is it, and nothing else is called
 *
 *   check_start   on the loop; never waits.  Reads the properties, starts watches, timers,
 *                 questions.  *OUT_STATE is handed to what follows; read on HK_PENDING, HK_OK.
 *   host->complete  once, on the loop, when check_finish can decide.
 *   check_finish  ordinary sequential code: replies, tables, host->action, all that `check`
 *                 may do; on the loop, or on a worker when the class (HK_MAY_BLOCK), one of
 *                 its tables or a neighbour in the lists may block.  Frees STATE.
 *   check_cancel  on the loop, instead of host->complete and check_finish: the session is
 *                 gone.  Frees STATE; afterwards CALL is no more.
 * CALL stays valid, and the properties the same, from check_start to check_finish.  `close`
 * of a class with this form runs on the loop's thread, when no check is under way: it may end
 * watches and timers that served more than one check (idle connections). */
typedef struct HkRestrictionClass {
    HkClass base;
    uint32_t n_words;
    uint32_t needs;
    HkAnswer (*check) (void *instance, HkCall *call); /* or the asynchronous form */
    HkAnswer (*check_start) (void *instance, HkCall *call, void **out_state); /* since 2 */
    HkAnswer (*check_finish) (void *instance, HkCall *call, void *state);     /* since 2 */
    void (*check_cancel) (void *instance, HkCall *call, void *state);         /* since 2 */
    /* Optional, loop: a client has connected.  Ask now (dns_session) what a check will want
     * to know later; only the client's properties are known, and the function is called again
     * when its names are.  Not called for clients in mynetworks.  Since 2. */
    void (*prepare) (void *instance, HkCall *call);
} HkRestrictionClass;

#ifdef __cplusplus
}
#endif
#endif
