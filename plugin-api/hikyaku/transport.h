/* transport.h: the plugin class of delivery agents.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HIKYAKU_TRANSPORT_H
#define HIKYAKU_TRANSPORT_H

#include <hikyaku/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HK_TRANSPORT_MINOR 2

enum {                                /* HkTransportClass.transport_flags */
    HK_TRANSPORT_AS_USER = 1 << 0,    /* `user` says as whom a recipient's mail is delivered */
    /* Knows probes (address verification): when HK_PROP_PROBE is there, each result says what
     * would become of a message, nothing is delivered, and the content is empty.  The host
     * lets a class without this flag see no probe: what comes that far counts as deliverable.
     * Since 2. */
    HK_TRANSPORT_PROBES = 1 << 1
};

/* Whose rights a delivery needs.  Filled by `user`; strings are not needed. */
typedef struct HkUser {
    uint32_t size;
    uint32_t uid, gid;
    uint32_t reserved;
} HkUser;

/* `base.name` is the command word of master.cf ("smtp", "virtual").  One instance a service.
 *
 * Exactly one of `deliver` and `start` is set.
 *   deliver  blocking; host->result once for each recipient, then return HK_OK.
 *   start    on the loop; go on by watches and timers; host->result once for each recipient,
 *            then host->complete once.  CALL stays valid until then.  HK_OK, or HK_LATER /
 *            HK_BROKEN with a reason, which then counts for every recipient.
 * A recipient without a result is deferred by the host. */
typedef struct HkTransportClass {
    HkClass base;
    uint32_t transport_flags;
    uint32_t reserved;
    HkAnswer (*deliver) (void *instance, HkCall *call);
    HkAnswer (*start) (void *instance, HkCall *call);
    /* With HK_TRANSPORT_AS_USER: the user for recipient I; runs in the privileged parent, so
     * it may look into tables and the password file and must touch no byte of mail.
     * HK_ABSENT: no such recipient, deliver as nobody in particular (it will bounce).
     * Always called before `deliver`, also where it cannot change rights; what it gives with
     * host->answer (a mailbox path, say) comes back there as HK_PROP_USER_ANSWER, so that
     * `deliver` needs no table.  HK_LATER, HK_BROKEN: the recipient is deferred. */
    HkAnswer (*user) (void *instance, HkCall *call, size_t i, HkUser *out);
    /* Optional: let idle connections go; called on the loop when a drain begins. */
    void (*quiet) (void *instance);
} HkTransportClass;

#ifdef __cplusplus
}
#endif
#endif
