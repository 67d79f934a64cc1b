/* frames.h: the frames that roles and tools send each other.
 *
 * Sockets, below queue_directory:
 *   private/qmgr     qmgr listens; smtpd workers announce messages
 *   public/qmgr      qmgr listens; tools ask (postqueue, postsuper, flush)
 *   private/NAME     one per delivery service of master.cf: master listens and starts the
 *                    `deliver` process; qmgr connects
 * and the control channel from master to each child (descriptor 3).
 *
 * Payloads are written with base/pack.h in the order given here: u=varint, i=zigzag varint,
 * s=span, F=list of fields. */
#ifndef HK_IPC_FRAMES_H
#define HK_IPC_FRAMES_H

enum {
    /* -- smtpd → qmgr */
    HK_FRAME_HELLO = 1,   /* u lane, u segment, u offset: the durable end of the lane as of now;
                           * everything before it must be read from disk */
    HK_FRAME_QUEUED = 2,  /* u segment, u offset, u length of the record, u content size,
                           * s packed envelope; the lane is HELLO's */
    HK_FRAME_VERIFY = 4,  /* u request, u wait_us, s address: can mail for it be delivered?
                           * answered by one VERIFIED, after WAIT at the latest */
    /* -- qmgr → smtpd */
    HK_FRAME_PRESSURE = 3, /* u: 1 slow down taking mail, 0 normal */

    HK_FRAME_VERIFIED = 5, /* u request, u HK_VERIFY_*, s text */

    /* -- qmgr → deliver */
    HK_FRAME_CONTENT = 16, /* u key; with a descriptor, read-only: a segment or message file */
    HK_FRAME_FORGET = 17,  /* u key: close it */
    HK_FRAME_JOB = 18,     /* u job, u content key, u content offset, u content size,
                            * i active_us, u retries, s nexthop, s packed envelope with this
                            * job's recipients only.  An address probe (HK_ENVELOPE_PROBE)
                            * has no content: key, offset and size are 0 */
    HK_FRAME_FORWARDED = 19, /* answer to FORWARD: u job, u recipient index, u 0 durable / 1
                            * failed, s new queue id or reason */
    /* -- deliver → qmgr */
    HK_FRAME_RESULT = 24,  /* u job, u recipient index, u status, u flags, s dsn, s text,
                            * s relay, s diagnostic, s remote */
    HK_FRAME_JOB_DONE = 25, /* u job: every recipient has its result */
    HK_FRAME_READY = 26,    /* u how many jobs may be under way at once; 0: send no more */
    HK_FRAME_FORWARD = 27,  /* u job, u recipient index, s sender, s header lines to put on top
                            * of the content, u n, n × s address: queue it again as a new
                            * message; RESULT follows after FORWARDED */

    /* -- tools → qmgr, answered by REPLY or a run of ENTRY and then REPLY */
    HK_FRAME_LIST = 32,     /* (nothing) */
    HK_FRAME_FLUSH = 33,    /* s queue id, or empty: everything deferred */
    HK_FRAME_DELETE = 34,   /* s queue id or "ALL", s queue name or empty */
    HK_FRAME_HOLD = 35,     /* the same */
    HK_FRAME_RELEASE = 36,
    HK_FRAME_REQUEUE = 37,
    HK_FRAME_LOCATE = 38,   /* s queue id → FOUND */
    HK_FRAME_EXPIRE = 39,   /* s queue id or "ALL", s queue name, u force */
    HK_FRAME_FLUSH_SITE = 40, /* s site */
    /* -- qmgr → tools */
    HK_FRAME_ENTRY = 48,    /* s queue name, s queue id, i arrival_us, u size, u forced_expire,
                             * s sender, u n, then n × (s address, s original, s reason) */
    HK_FRAME_REPLY = 49,    /* u 0 ok / 1 failed, u count of messages, s text */
    HK_FRAME_FOUND = 50,    /* s path, u offset, u record length, s queue name; then REPLY */

    /* -- master → child */
    HK_FRAME_RELOAD = 64,   /* read the configuration again (qmgr) */
    HK_FRAME_DRAIN = 65,    /* take nothing new, end when idle */
    HK_FRAME_LOG = 66,      /* with a descriptor: the reopened log file */
    HK_FRAME_OPENED = 67,   /* u request; with a descriptor, read-only, or with none: refused */
    /* -- child → master */
    HK_FRAME_UP = 72,       /* the child serves */
    HK_FRAME_RELOADED = 73, /* qmgr uses the new settings; s why not (empty: it does) */
    HK_FRAME_OPEN = 74      /* u request, s path: a file of certificates or keys that the
                             * configuration names */
};

#endif
