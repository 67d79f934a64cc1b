/* plugin.h: what every Hikyaku plugin includes: its descriptor, parameters and the host's
 * services.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * C11 and C++; needs only <stddef.h> and <stdint.h>.  A plugin links to nothing of the host:
 * it exports one constant symbol and calls the services table that `open` hands it.
 *
 * Change log of the ABI (newest first; each line is a minor)
 *   0.3  address verification: verify_start, verify_end, HK_VERIFY_*, HK_PROP_VERIFY_WAIT_US;
 *        HK_PROP_PROBE and HK_TRANSPORT_PROBES (transport class version 2)
 *        HK_PROP_DELIVER_BY_US, _DELIVER_BY_MODE, _MT_PRIORITY, _REQUIRE_TLS, _TLS_OPTIONAL;
 *        HK_PROP_ENCODING "binary"; HK_RESULT_BY_RELAYED; HK_PROP_TLS_BINDING, _TYPE
 *   0.2  restriction: the asynchronous form (check_start, check_finish, check_cancel) and
 *        prepare; close may be NULL; dns_session; HK_PENDING, HK_NESTED; HK_PROP_INSTANCE,
 *        HK_PROP_ONLY_RECIPIENT, HK_PROP_SENDER_STANDARD, HK_PROP_RECIPIENT_STANDARD
 *   0.1  sasl class version 2: mechanisms_start, mechanisms_cancel, server_step_start;
 *        HK_PROP_SASL_OPTIONS, _SERVICE, _REALM, _HOST
 *   0.1  first shape: descriptor, host services, classes lookup, restriction, transport,
 *        filter, sasl, event
 *
 * Rules
 *  - Structures only grow at their end; `size` tells how much of one the other side knows.
 *    Read an optional member through HK_HAS.
 *  - A plugin loads when its major equals the host's and its minor is not above the host's.
 *    While the major is 0, a minor may still change what exists; from 1.0 on it may not.
 *  - What you are given is borrowed until you return.  What you give is copied.
 *  - No thread may be assumed except as the class flags say (HK_THREAD_SAFE, HK_MAY_BLOCK).
 *  - Times are int64_t microseconds; wall-clock times count from 1970-01-01 UTC.
 */
#ifndef HIKYAKU_PLUGIN_H
#define HIKYAKU_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HK_ABI_MAJOR 0
#define HK_ABI_MINOR 3
#define HK_PLUGIN_MAGIC 0x686b5049u /* "hkPI" */

#if defined(__GNUC__)
#define HK_PRINTF(f, a) __attribute__ ((format (printf, f, a)))
#define HK_EXPORT __attribute__ ((visibility ("default")))
#else
#define HK_PRINTF(f, a)
#define HK_EXPORT
#endif

/* True when STRUCTURE (of TYPE, whose first member tells its size) has MEMBER and it is set. */
#define HK_HAS(structure, type, member)                                                     \
    (*(const uint32_t *) (const void *) (structure)                                         \
         >= offsetof (type, member) + sizeof ((structure)->member)                          \
     && (structure)->member != 0)

/* Borrowed bytes; may hold NUL; not NUL-ended. `data` may be NULL when `size` is 0. */
typedef struct HkSpan {
    const uint8_t *data;
    size_t size;
} HkSpan;

/* ---- answers ---------------------------------------------------------------------------
 * Every class call returns one of these.  A value that the host does not know counts as
 * HK_BROKEN.  New values are only ever appended. */
typedef int32_t HkAnswer;
enum {
    HK_OK = 0,      /* done; for calls that have nothing to find */
    HK_FOUND = 1,   /* lookup: the value was given with host->answer */
    HK_ABSENT = 2,  /* lookup: there is no such key; property: there is no value */
    HK_LATER = 3,   /* try again (4yz); the reason was given with host->later */
    HK_BROKEN = 4,  /* wrong configuration; the reason was given with host->broken */
    HK_UNKNOWN = 5, /* property: not known yet at this stage */

    /* verdicts of restrictions and filters */
    HK_DUNNO = 16,           /* no opinion: go on with the next */
    HK_PERMIT = 17,          /* allow; end of this list */
    HK_REJECT = 18,          /* refuse; the reply was given with host->reply */
    HK_DEFER_IF_PERMIT = 19, /* refuse for now if the rest would permit; host->reply */
    HK_DEFER_IF_REJECT = 20, /* refuse for now if the rest would reject; host->reply */
    HK_DISCARD = 21,         /* claim success and throw the message away */
    HK_HOLD = 22,            /* keep the message in the hold queue; go on */
    HK_DISCONNECT = 23,      /* send the reply given with host->reply, then hang up */

    HK_PENDING = 24, /* since 0.2.  Not yet: host->complete, or the callback, will say */
    HK_NESTED = 25   /* since 0.2.  From host->action: the action is a list of restrictions,
                      * which runs when the plugin returns this value: return it */
};

/* ---- the descriptor ------------------------------------------------------------------- */

enum { /* HkClass.kind */
    HK_KIND_LOOKUP = 1,
    HK_KIND_RESTRICTION = 2,
    HK_KIND_TRANSPORT = 3,
    HK_KIND_FILTER = 4,
    HK_KIND_SASL = 5,
    HK_KIND_EVENT = 6
};

/* HkClass.flags: what the plugin is; the host decides where it runs.  A host refuses a
 * descriptor with an unknown flag in the low half; it ignores unknown ones in the high half. */
enum {
    HK_THREAD_SAFE = 1 << 0, /* an instance may be called from several threads at once;
                              * otherwise the host serialises the calls of one instance */
    HK_MAY_BLOCK = 1 << 1,   /* calls may wait: they run on a worker thread, never on the loop */
    HK_BINARY_KEYS = 1 << 2, /* lookup: keys may hold NUL, CR, LF (refused by the host else) */
    HK_PATTERN_KEYS = 1 << 3, /* lookup: whole keys only; the host makes no partial-key queries */

    /* lookup: a table made of others.  It gets each key as it was asked; when it passes the
     * same bytes on with table_get, each inner table gets what it would get by itself: in
     * lower case, or as it was asked, or, a pattern table with a partial key, nothing.  A
     * host without this gives lower-case keys, and asks pattern tables for partial keys. */
    HK_NESTED_KEYS = 1 << 16
};

enum { /* HkParam.type */
    HK_PARAM_STRING = 1,
    HK_PARAM_BOOL = 2, /* yes | no */
    HK_PARAM_INT = 3,
    HK_PARAM_TIME = 4, /* "30s", "5d"; conf_int gives seconds */
    HK_PARAM_SIZE = 5, /* bytes */
    HK_PARAM_ENUM = 6  /* `choices`: "a|b|c" */
};

enum { /* HkParam.flags */
    HK_PARAM_SECRET = 1 << 0,    /* never shown by tools or logs */
    HK_PARAM_RELOADABLE = 1 << 1 /* a reload makes new instances with the new value */
};

/* One main.cf parameter that a class understands.  An array of these ends with a NULL name. */
typedef struct HkParam {
    const char *name;
    uint32_t type;
    uint32_t flags;
    const char *preset; /* default, as it would stand in main.cf; $name is expanded */
    int64_t min, max;   /* bounds of INT, TIME, SIZE; both 0: none */
    const char *choices;
    const char *help; /* one line */
} HkParam;

typedef struct HkHost HkHost;       /* services, below */
typedef struct HkConf HkConf;       /* the parameters of one instance, read-only */
typedef struct HkCall HkCall;       /* one call: its deadline, its subject, its result */
typedef struct HkTable HkTable;     /* another lookup table, opened through the host */
typedef struct HkWatch HkWatch;     /* a descriptor on the host's loop */
typedef struct HkTimer HkTimer;     /* a timer on the host's loop */
typedef struct HkCounter HkCounter; /* a counter in the shared mapping */
typedef struct HkVerify HkVerify;   /* a question about an address, since 0.3 */

/* First member of every class descriptor. */
typedef struct HkClass {
    uint32_t size;        /* sizeof the whole class structure as the plugin knew it */
    uint16_t kind;        /* HK_KIND_* */
    uint16_t class_minor; /* version of this class, HK_<CLASS>_MINOR of its header */
    const char *name;     /* the word that stands in the configuration: [a-z0-9_]+ */
    uint32_t flags;
    uint32_t reserved;
    const HkParam *params; /* or NULL */
    /* Make an instance.  May block; main thread or worker.  HK_OK, or HK_LATER / HK_BROKEN
     * with a reason.  OUT_INSTANCE is read on HK_OK only. */
    HkAnswer (*open) (const HkHost *host, const HkConf *conf, HkCall *call,
                      void **out_instance);
    /* After the last call; any thread.  NULL: there is nothing to release. */
    void (*close) (void *instance);
} HkClass;

typedef struct HkPlugin {
    uint32_t size;
    uint32_t magic;
    uint16_t abi_major, abi_minor;
    uint32_t reserved;
    const char *name, *version, *licence, *summary; /* licence: an SPDX expression */
    const HkClass *const *classes;                  /* ends with NULL */
    /* Optional, for libraries with process-wide state: once, main thread, before any other
     * thread.  Must bear being called again by a second plugin that uses the library. */
    HkAnswer (*init) (const HkHost *host, HkCall *call);
} HkPlugin;

/* HK_PLUGIN (lookup_dbm, .version = "1.0", .licence = "…", .summary = "…",
 *            .classes = HK_CLASSES (&dbm_class.base))
 * defines the one exported symbol.  C only; C++ writes the structure out in field order. */
#define HK_PLUGIN_SYMBOL(n) HK_PLUGIN_SYMBOL_ (n)
#define HK_PLUGIN_SYMBOL_(n) n##_LTX_hikyaku_plugin_0
#define HK_CLASSES(...) ((const HkClass *const[]) { __VA_ARGS__, NULL })
#define HK_PLUGIN(n, ...)                                                                   \
    extern HK_EXPORT const HkPlugin HK_PLUGIN_SYMBOL (n);                                   \
    HK_EXPORT const HkPlugin HK_PLUGIN_SYMBOL (n) = { .size = sizeof (HkPlugin),            \
                                                      .magic = HK_PLUGIN_MAGIC,             \
                                                      .abi_major = HK_ABI_MAJOR,            \
                                                      .abi_minor = HK_ABI_MINOR,            \
                                                      .name = #n,                           \
                                                      __VA_ARGS__ };

/* ---- properties -------------------------------------------------------------------------
 * Data of the session, message, delivery or event that a call is about.  Text unless "int".
 * Numbers are never reused. */
enum {
    HK_PROP_SERVICE = 1,           /* master.cf service name */
    HK_PROP_STAGE = 2,             /* CONNECT EHLO HELO MAIL RCPT DATA END-OF-MESSAGE VRFY */
    HK_PROP_PROTOCOL = 3,          /* SMTP | ESMTP */
    HK_PROP_CLIENT_ADDRESS = 4,    /* 192.0.2.1 or 2001:db8::1; absent on a Unix socket */
    HK_PROP_CLIENT_NAME = 5,       /* verified host name, or "unknown" */
    HK_PROP_CLIENT_REVERSE_NAME = 6,
    HK_PROP_CLIENT_PORT = 7,       /* int */
    HK_PROP_SERVER_ADDRESS = 8,
    HK_PROP_SERVER_PORT = 9,       /* int */
    HK_PROP_HELO_NAME = 10,
    HK_PROP_SENDER = 11,           /* envelope sender, without <>; empty: null sender */
    HK_PROP_RECIPIENT = 12,        /* the recipient under discussion */
    HK_PROP_RECIPIENT_COUNT = 13,  /* int: accepted so far */
    HK_PROP_QUEUE_ID = 14,
    HK_PROP_SIZE = 15,             /* int: announced at MAIL, true from DATA's end on */
    HK_PROP_SASL_METHOD = 16,
    HK_PROP_SASL_USERNAME = 17,
    HK_PROP_SASL_SENDER = 18,
    HK_PROP_NEXTHOP = 19,          /* delivery: next hop as routed */
    HK_PROP_TRANSPORT = 20,        /* delivery: transport name */
    HK_PROP_ENVID = 21,            /* RFC 3461, decoded */
    HK_PROP_DSN_RET = 22,          /* FULL | HDRS */
    HK_PROP_ORIG_RECIPIENT = 23,   /* recipient as first received */
    HK_PROP_DSN_ORCPT = 24,        /* type;value, decoded */
    HK_PROP_DSN_NOTIFY = 25,       /* int: HK_NOTIFY_* */
    HK_PROP_ARRIVAL_US = 26,       /* int */
    HK_PROP_ENCODING = 27,         /* 7bit | 8bit | binary: no line end may be changed */
    HK_PROP_SMTPUTF8 = 28,         /* int: 1 when the message needs RFC 6531 */
    HK_PROP_CONTENT_FLAGS = 29,    /* int: HK_CONTENT_* */
    HK_PROP_MESSAGE_ID = 30,
    HK_PROP_EVENT = 31,            /* event: int, HK_EVENT_* of event.h */
    HK_PROP_AGENT = 32,            /* event: the program word of the log tag */
    HK_PROP_RELAY = 33,            /* event: relay= value */
    HK_PROP_DSN = 34,              /* event: x.y.z */
    HK_PROP_STATUS = 35,           /* event: sent | deferred | bounced | … */
    HK_PROP_TEXT = 36,             /* event: reply, reason or free text */
    HK_PROP_DELAY_US = 37,         /* event: int; the four parts of delays= follow */
    HK_PROP_DELAY_QUEUE_US = 38,   /* before the queue manager */
    HK_PROP_DELAY_MANAGER_US = 39, /* in the queue manager */
    HK_PROP_DELAY_CONNECT_US = 40,
    HK_PROP_DELAY_XMIT_US = 41,
    HK_PROP_LEVEL = 42,            /* event: int, HK_LOG_* */
    HK_PROP_UID = 43,              /* int: local submission */
    HK_PROP_OTHER_ID = 44,         /* event: a second queue id (notification, forward) */
    HK_PROP_CONN_USE = 45,         /* event: int, deliveries over this connection */
    HK_PROP_RETRIES = 46,          /* delivery: int, attempts so far */
    HK_PROP_CLIENT_PROTOCOL = 47,  /* delivery: protocol that the message came in by */
    HK_PROP_USER_ANSWER = 48,      /* delivery, of a recipient: what `user` of the transport
                                    * gave with host->answer */
    HK_PROP_REPLY_SUBJECT = 49,    /* restriction: what the replies of the list at hand begin
                                    * with: "<a@b.c>: Recipient address rejected" */
    HK_PROP_TLS_VERSION = 50,      /* session: absent while it is not encrypted */
    HK_PROP_IMPROPER_PIPELINING = 51, /* restriction: int: 1 when the client sent ahead of
                                       * the replies that it had to wait for */
    HK_PROP_CLIENT_NAME_STATUS = 52, /* restriction: int: 0 verified, 4 lookup failed for now,
                                      * 5 no name or not verified */
    HK_PROP_TLS_CIPHER = 60,         /* restriction: these are absent without TLS_VERSION */
    HK_PROP_TLS_BITS = 61,           /* int: strength of the cipher */
    HK_PROP_TLS_SERVER_NAME = 62,    /* asked for by the client, and known here */
    HK_PROP_TLS_RESUMED = 63,        /* int: 1 when an earlier session was resumed */
    HK_PROP_TLS_TRUSTED = 64,        /* int: of the client's certificate; absent: none */
    HK_PROP_TLS_SUBJECT = 65,        /* common name of the client's certificate */
    HK_PROP_TLS_ISSUER = 66,         /* ... of its issuer */
    HK_PROP_TLS_FINGERPRINT = 67,    /* "AA:BB:…", by smtpd_tls_fingerprint_digest */
    HK_PROP_TLS_KEY_FINGERPRINT = 68, /* ... of the public key in it */
    HK_PROP_TLS_BINDING_TYPE = 69, /* sasl: "tls-exporter" (RFC 9266), "tls-unique" (RFC 5929) */
    HK_PROP_TLS_BINDING = 70,      /* ... its bytes: what ties SASL to this TLS session */
    HK_PROP_SASL_OPTIONS = 80,        /* sasl: words of smtpd_sasl_security_options, or of
                                       * smtpd_sasl_tls_security_options when encrypted */
    HK_PROP_SASL_SERVICE = 81,        /* sasl: smtpd_sasl_service */
    HK_PROP_SASL_REALM = 82,          /* sasl: smtpd_sasl_local_domain */
    HK_PROP_SASL_HOST = 83,           /* sasl: our host name, or as a client the server's */
    HK_PROP_ETRN_DOMAIN = 95,         /* restriction: what ETRN asks for; absent elsewhere */
    HK_PROP_SENDER_STANDARD = 96,     /* restriction: the sender as it is looked up in tables:
                                       * with $myorigin, without a route; since 0.2 */
    HK_PROP_RECIPIENT_STANDARD = 97,  /* ... the recipient; since 0.2 */
    HK_PROP_INSTANCE = 100,      /* restriction: the same for one message and all its
                                  * recipients, different for the next; since 0.2 */
    HK_PROP_ONLY_RECIPIENT = 101, /* restriction: from DATA on, the recipient when there is
                                   * one, absent when there are more; since 0.2 */
    HK_PROP_PROBE = 110, /* delivery: int: 1: nothing is to be delivered, only whether that
                         * could be; absent: a message; see HK_TRANSPORT_PROBES; since 0.3 */
    HK_PROP_VERIFY_WAIT_US = 111, /* restriction: int: how long a check should wait for a probe
                                  * (address_verify_poll_*; less under stress); since 0.3 */
    HK_PROP_DELIVER_BY_US = 120,  /* delivery: int: RFC 2852: until then; wall clock; absent:
                                   * nobody asked; since 0.3, as the next */
    HK_PROP_DELIVER_BY_MODE = 121, /* delivery: R | N, with T behind it: RT | NT */
    HK_PROP_MT_PRIORITY = 122,     /* delivery: int: RFC 6710, -9 to 9; absent: 0 */
    HK_PROP_REQUIRE_TLS = 123,     /* delivery: int: 1: RFC 8689: never in clear */
    HK_PROP_TLS_OPTIONAL = 124     /* delivery: int: 1: the header says "TLS-Required: No" */
};

enum { /* HK_PROP_CONTENT_FLAGS */
    HK_CONTENT_8BIT = 1 << 0,     /* a byte above 127 */
    HK_CONTENT_DOT_LINE = 1 << 1, /* a line begins with a dot */
    HK_CONTENT_LONG_LINE = 1 << 2 /* a line over 998 bytes */
};

enum { /* HK_PROP_DSN_NOTIFY, RFC 3461 4.1; 0: not given */
    HK_NOTIFY_NEVER = 1 << 0,
    HK_NOTIFY_SUCCESS = 1 << 1,
    HK_NOTIFY_FAILURE = 1 << 2,
    HK_NOTIFY_DELAY = 1 << 3
};

/* ---- the host's services ---------------------------------------------------------------- */

enum { HK_LOG_DEBUG = 0, HK_LOG_INFO = 1, HK_LOG_WARNING = 2, HK_LOG_ERROR = 3 };

/* table_search: which keys are tried, in the order of Postfix's manual pages. */
enum {
    HK_SEARCH_EXACT = 0,
    HK_SEARCH_ACCESS_ADDRESS = 1, /* access(5), mail addresses */
    HK_SEARCH_ACCESS_HOST = 2,    /* access(5), host names and their parents */
    HK_SEARCH_ACCESS_NETWORK = 3, /* access(5), network addresses */
    HK_SEARCH_VIRTUAL = 4,        /* virtual(5), canonical(5), generic(5), relocated(5) */
    HK_SEARCH_TRANSPORT = 5,      /* transport(5) */
    HK_SEARCH_MAILBOX = 6         /* virtual_mailbox_maps: user+ext@d, user@d, @d */
};

/* destination: how an address is routed (ADDRESS_CLASS_README). */
enum {
    HK_DEST_LOCAL = 1,
    HK_DEST_VIRTUAL_ALIAS = 2,
    HK_DEST_VIRTUAL_MAILBOX = 3,
    HK_DEST_RELAY = 4,
    HK_DEST_OTHER = 5
};

enum { HK_IO_READ = 1, HK_IO_WRITE = 2 }; /* watch_start; errors arrive as both */

/* One resource record of an answer: MX (preference, name), A and AAAA (address bytes),
 * TXT (bytes), others raw. */
typedef struct HkDnsRecord {
    uint16_t type, preference;
    uint32_t ttl;
    HkSpan data; /* MX, PTR, CNAME: a name without the last dot, as text */
} HkDnsRecord;

enum { /* dns_start: how it ended */
    HK_DNS_FOUND = 0,
    HK_DNS_NO_NAME = 1, /* NXDOMAIN */
    HK_DNS_NO_DATA = 2,
    HK_DNS_LATER = 3 /* SERVFAIL, timeout */
};

/* verify_start: what is known of an address, since 0.3.  Other values mean PENDING. */
enum {
    HK_VERIFY_DELIVERABLE = 0,
    HK_VERIFY_DEFERRED = 1,      /* the probe could not tell for now */
    HK_VERIFY_UNDELIVERABLE = 2,
    HK_VERIFY_PENDING = 3,       /* the probe is still under way */
    HK_VERIFY_FAILED = 4         /* nobody answers: the queue manager is away */
};

enum { /* HkResult.status */
    HK_STATUS_SENT = 1,
    HK_STATUS_DEFERRED = 2,
    HK_STATUS_BOUNCED = 3,
    HK_STATUS_FORWARDED = 4 /* goes on to the addresses in `forward`, as a new message */
};

enum {                               /* HkResult.flags */
    HK_RESULT_SITE_DOWN = 1 << 0,    /* the whole next hop failed: feedback for concurrency */
    HK_RESULT_THROTTLED = 1 << 1,    /* the next hop asks us to slow down */
    HK_RESULT_DSN_RELAYED = 1 << 2,  /* the next hop took over the duty to notify */
    HK_RESULT_FINAL = 1 << 3,        /* delivered here, not relayed */
    HK_RESULT_BY_RELAYED = 1 << 4    /* the next hop goes on counting DELIVERBY's time */
};

/* What became of one recipient. */
typedef struct HkResult {
    uint32_t size;
    int32_t status;
    uint32_t flags;
    uint32_t conn_use;   /* deliveries so far over this connection; 0: not said */
    HkSpan dsn;          /* "2.0.0" */
    HkSpan text;         /* what stands in parentheses in the log */
    HkSpan relay;        /* host[address]:port, "local", "none" */
    HkSpan diagnostic;   /* the remote reply, for Diagnostic-Code; may be empty */
    HkSpan remote;       /* host name that spoke, for Remote-MTA; may be empty */
    int64_t connect_us;  /* time spent to set up the connection */
    int64_t transmit_us; /* time spent to transmit */
    /* HK_STATUS_FORWARDED: the host queues the content again, under FORWARD_HEADER (whole
     * lines), from FORWARD_SENDER to FORWARD; it fills in status and text when that is safe. */
    const HkSpan *forward;
    size_t n_forward;
    HkSpan forward_sender, forward_header;
} HkResult;

typedef void (*HkWatchFn) (void *data, int32_t fd, uint32_t events);
typedef void (*HkTimerFn) (void *data);
typedef void (*HkDnsFn) (void *data, int32_t outcome, const HkDnsRecord *records,
                         size_t n_records, const char *reason);

/* STATUS: HK_VERIFY_*; TEXT: what the probe met ("host mx.test said: …"). */
typedef void (*HkVerifyFn) (void *data, int32_t status, HkSpan text);

struct HkHost {
    uint32_t size;
    uint16_t abi_major, abi_minor;
    const char *version; /* of the host, as mail_version */

    /* -- log, any thread.  One line; the host adds time, tag and the plugin's name. */
    void (*log) (const HkHost *host, int32_t level, const char *format, ...) HK_PRINTF (3, 4);

    /* -- parameters of an instance; cannot fail for declared names; any thread */
    HkSpan (*conf_argument) (const HkConf *conf); /* text after "type:" or all arguments */
    size_t (*conf_n_words) (const HkConf *conf);  /* restriction: its arguments, split */
    HkSpan (*conf_word) (const HkConf *conf, size_t i);
    HkSpan (*conf_string) (const HkConf *conf, const char *name);
    int64_t (*conf_int) (const HkConf *conf, const char *name); /* INT, TIME, SIZE, BOOL */

    /* -- the current call; only from the thread that runs it */
    void (*answer) (HkCall *call, const void *data, size_t size); /* copies */
    HkAnswer (*later) (HkCall *call, const char *format, ...) HK_PRINTF (2, 3);
    HkAnswer (*broken) (HkCall *call, const char *format, ...) HK_PRINTF (2, 3);
    int64_t (*now_us) (const HkHost *host);
    int64_t (*deadline_us) (HkCall *call); /* INT64_MAX: none */
    /* HK_FOUND or HK_ABSENT; OUT is empty, or 0, when absent.  Spans live as long as the call. */
    HkAnswer (*prop) (HkCall *call, uint32_t id, HkSpan *out);
    HkAnswer (*prop_int) (HkCall *call, uint32_t id, int64_t *out);

    /* -- other tables; "type:name" as in main.cf.  open only inside a class's open. */
    HkAnswer (*table_open) (const HkHost *host, HkCall *call, HkSpan spec, HkTable **out);
    void (*table_close) (HkTable *table);
    /* OUT is borrowed until the call ends. */
    HkAnswer (*table_get) (HkTable *table, HkCall *call, HkSpan key, HkSpan *out);
    HkAnswer (*table_search) (HkTable *table, HkCall *call, int32_t order, HkSpan subject,
                              HkSpan *out);

    /* -- restrictions and filters: the reply that goes with HK_REJECT and its kin.
     * CODE 0 or DSN NULL: the default of the verdict.  Returns VERDICT. */
    HkAnswer (*reply) (HkCall *call, HkAnswer verdict, int32_t code, const char *dsn,
                       const char *format, ...) HK_PRINTF (5, 6);
    /* Carry out an access(5) action found for SUBJECT; returns its verdict. */
    HkAnswer (*action) (HkCall *call, HkSpan action, HkSpan subject);
    /* HK_DEST_* of an address in *out; HK_LATER when a table does not answer. */
    HkAnswer (*destination) (HkCall *call, HkSpan address, int32_t *out);
    /* Is ADDRESS a known recipient?  HK_FOUND, HK_ABSENT or HK_LATER; when absent, the
     * reply stands ready in *out_reason: "550 5.1.1 User unknown in …". */
    HkAnswer (*listed) (HkCall *call, HkSpan address, HkSpan *out_reason);
    /* Does the client match a list parameter such as "mynetworks"?  FOUND/ABSENT/LATER. */
    HkAnswer (*match_list) (HkCall *call, const char *parameter, HkSpan subject);

    /* -- content of the message at hand (filter, transport); lines end with CRLF, dots are
     * not stuffed.  map: borrowed until the call ends. */
    uint64_t (*content_size) (HkCall *call);
    HkAnswer (*content_read) (HkCall *call, uint64_t offset, void *buffer, size_t size,
                              size_t *out_size);
    HkAnswer (*content_map) (HkCall *call, HkSpan *out);

    /* -- filter: the edit journal; applied at once when the message is accepted.
     * Header positions count from 0 over the whole header; -1: the end. */
    HkAnswer (*edit_header_add) (HkCall *call, int32_t position, HkSpan name, HkSpan value);
    /* The INDEX-th (1 is the first) header called NAME; an empty VALUE deletes it. */
    HkAnswer (*edit_header_set) (HkCall *call, HkSpan name, uint32_t index, HkSpan value);
    HkAnswer (*edit_body) (HkCall *call, HkSpan chunk); /* first call replaces, more append */
    HkAnswer (*edit_recipient_add) (HkCall *call, HkSpan address);
    HkAnswer (*edit_recipient_delete) (HkCall *call, HkSpan address);
    HkAnswer (*edit_sender) (HkCall *call, HkSpan address);
    HkAnswer (*edit_hold) (HkCall *call, HkSpan reason);

    /* -- transport: recipients of this delivery and what became of each */
    size_t (*n_recipients) (HkCall *call);
    HkAnswer (*recipient_prop) (HkCall *call, size_t i, uint32_t id, HkSpan *out);
    HkAnswer (*recipient_prop_int) (HkCall *call, size_t i, uint32_t id, int64_t *out);
    void (*result) (HkCall *call, size_t i, const HkResult *result); /* once for each */
    void (*complete) (HkCall *call); /* async form: once; the call ends; any thread */
    /* Make files and directory entries durable; shared with whoever waits at the same time.
     * FDS are open descriptors of files or directories.  Blocks. */
    HkAnswer (*make_durable) (HkCall *call, const int32_t *fds, size_t n_fds);

    /* -- event loop; only from callbacks on the loop and from async starts */
    HkWatch *(*watch_start) (const HkHost *host, int32_t fd, uint32_t events, HkWatchFn fn,
                             void *data);
    void (*watch_events) (HkWatch *watch, uint32_t events);
    void (*watch_end) (HkWatch *watch); /* the descriptor stays open */
    HkTimer *(*timer_start) (const HkHost *host, int64_t delay_us, HkTimerFn fn, void *data);
    void (*timer_end) (HkTimer *timer); /* before it fired; a fired timer is gone */
    /* TYPE: RFC 1035 number.  FN is called once, from the loop, never from inside. */
    void (*dns_start) (const HkHost *host, const char *name, uint16_t type, HkDnsFn fn,
                       void *data);

    /* -- counters in the shared mapping; any thread.  NAME: [a-z0-9_.]+ */
    HkCounter *(*counter) (const HkHost *host, const char *name);
    void (*counter_add) (HkCounter *counter, int64_t n);

    /* -- event: one line whose tag has PROGRAM as its program word ("smtpd"), without the
     * plugin's name; lines of one loop turn leave together.  Any thread. */
    void (*log_line) (const HkHost *host, int32_t level, const char *program, HkSpan text);

    /* -- filter: more edits.  edit_header_lines: put TEXT (whole lines, CRLF or LF; may be
     * empty) in the place of the header at POSITION, as `header` counted it. */
    HkAnswer (*edit_header_lines) (HkCall *call, uint32_t position, HkSpan text);
    HkAnswer (*edit_redirect) (HkCall *call, HkSpan address); /* instead of all recipients */
    HkAnswer (*edit_filter) (HkCall *call, HkSpan destination); /* transport:nexthop */
    /* Log what was found in the content: STATUS is the verb of the line ("warning", "hold"),
     * WHAT was found ("header Subject: …"), REASON may be empty. */
    HkAnswer (*content_note) (HkCall *call, const char *status, HkSpan what, HkSpan reason);

    /* -- restriction, loop: a question whose answer is kept for the session: who asks the same
     * NAME and TYPE again, in whatever restriction, gets the same answer.  HK_OK: it was there,
     * and FN has been called; HK_PENDING: FN will be called once from the loop, never from
     * inside, unless the check is cancelled before.  FN NULL: only ask (`prepare`).  Records
     * live as long as FN runs.  Since 0.2. */
    HkAnswer (*dns_session) (HkCall *call, const char *name, uint16_t type, HkDnsFn fn,
                             void *data);

    /* -- restriction, loop: can mail for ADDRESS be delivered (verify(8))?  Asks the cache of
     * the queue manager, which probes when need be.  FN is called once from the loop, never
     * from inside: with what is known, or with HK_VERIFY_PENDING when the probe has told
     * nothing within WAIT_US.  Everybody who asks for an address shares one probe.  NULL: this
     * process cannot ask, and FN will not be called.  Since 0.3. */
    HkVerify *(*verify_start) (const HkHost *host, HkSpan address, int64_t wait_us,
                               HkVerifyFn fn, void *data);
    void (*verify_end) (HkVerify *verify); /* before FN was called: it will not be */
};

#ifdef __cplusplus
}
#endif
#endif
