/* guard.h: what keeps strangers within bounds: whose word about a client is taken (PROXY,
 * XCLIENT, XFORWARD), how often and how many at once (smtpd_client_*_limit,
 * smtpd_rate_limits), and shorter patience when the process is nearly full (stress).
 *
 * HkGuard is one smtpd line's share of it, HkForward what XFORWARD said about the message
 * that comes next.  Loop thread. */
#ifndef HK_SESSION_GUARD_H
#define HK_SESSION_GUARD_H

#include "access/access.h"
#include "host/maps.h"
#include "net/address.h"
#include "rate/rate.h"

extern const HkConfSpec hk_guard_params[];

struct HkSession;
struct HkDialogue;

/* ---- limits of the whole service -------------------------------------------------------- */

/* What stress shortens: read twice, with and without stress=yes. */
typedef struct {
    int64_t timeout_us, error_sleep_us, verify_wait_us;
    unsigned soft_error_limit, hard_error_limit, junk_limit, min_data_rate;
} HkPatience;
void hk_patience_read (HkPatience *out, HkSettings *view);
void hk_patience_apply (const HkPatience *self, struct HkDialogue *dialogue);

/* One of smtpd_rate_limits. */
typedef enum {
    HK_RULE_CLIENT,
    HK_RULE_PREFIX, /* client's network, smtpd_client_ipv?_prefix_length */
    HK_RULE_SASL_USERNAME,
    HK_RULE_SENDER,
    HK_RULE_SENDER_DOMAIN,
    HK_RULE_RECIPIENT,
    HK_RULE_RECIPIENT_DOMAIN,
    HK_N_RULE_KEYS
} HkRuleKey;
typedef enum { HK_RULE_REJECT, HK_RULE_DEFER, HK_RULE_HOLD } HkRuleAction;
typedef struct {
    HkRuleKey key;
    HkRuleAction action;
    bool counts_messages; /* else recipients */
    unsigned amount;
    int64_t window_us;
    unsigned index; /* names of different rules are different */
} HkRateRule;
/* "{ client messages 100/1h defer } …": NULL with ERROR. */
GArray *hk_rate_rules_parse (const char *text, GError **error);

typedef struct {
    HkMatchList *xclient, *xforward, *exceptions, *verp, *priority; /* NULL: nobody */
    bool may_block;                               /* one of them does */
    bool takes_proxy;
    int64_t proxy_timeout_us;
    unsigned connection_count, connection_rate, message_rate, recipient_rate, auth_rate,
        new_tls_rate; /* 0: no limit */
    int ipv4_prefix, ipv6_prefix;
    int64_t unit_us;
    GArray *rules; /* HkRateRule */
    HkPatience calm, stressed;
} HkGuard;
HkGuard *hk_guard_new (HkPlugins *plugins, HkSettings *view, GError **error);
/* postscreen_upstream_proxy_* instead of smtpd_upstream_proxy_*. */
void hk_guard_take_proxy (HkGuard *self, HkSettings *view);
void hk_guard_free (HkGuard *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkGuard, hk_guard_free)

/* Postfix counts a client as "service:address", an IPv6 client as its network; appended. */
void hk_guard_append_client (const HkGuard *self, const char *address, GString *out);

/* ---- moments of a session ---------------------------------------------------------------
 */

/* Which lists the client is on; then THEN, at once or from a worker's return. */
void hk_guard_know_client (struct HkSession *self, void (*then) (struct HkSession *self));
/* The connection counts.  At the greeting: true when it is refused, which was said. */
void hk_guard_connect (struct HkSession *self);
bool hk_guard_refuses_connection (struct HkSession *self);
void hk_guard_disconnect (struct HkSession *self);
/* Before the restrictions; true: refused, which was said. */
bool hk_guard_refuses_message (struct HkSession *self);
bool hk_guard_refuses_recipient (struct HkSession *self);
/* AUTH is counted; STARTTLS and wrapper mode ask first and count full handshakes. */
bool hk_guard_refuses_auth (struct HkSession *self);
bool hk_guard_refuses_tls (struct HkSession *self, bool is_wrapper);
void hk_guard_count_new_tls (struct HkSession *self);
/* smtpd_rate_limits, when the restrictions have passed; true: refused, which was said. */
bool hk_guard_rules_refuse (struct HkSession *self, HkStage stage, HkSpan recipient);

/* ---- XCLIENT, XFORWARD ------------------------------------------------------------------
 */

/* What the one before us in the chain knows about the message's origin. */
typedef struct {
    char *name, *address, *port, *helo, *protocol, *ident;
    enum { HK_SOURCE_UNKNOWN, HK_SOURCE_LOCAL, HK_SOURCE_REMOTE } source;
} HkForward;
void hk_forward_free (HkForward *self);
/* What is wrong with COMMAND (XCLIENT, XFORWARD) before its attributes are looked at is said;
 * false: something was.  MAY: the client may say it. */
bool hk_session_may_tell (struct HkSession *self, const char *command, bool may,
                          HkSpan argument);
void hk_session_xforward (struct HkSession *self, HkSpan argument);
void hk_session_forget_forward (struct HkSession *self); /* HELO, RSET, end of mail */
void hk_session_xclient (struct HkSession *self, HkSpan argument);

/* ---- PROXY protocol ---------------------------------------------------------------------
 */
void hk_session_read_proxy (struct HkSession *self);
void hk_session_proxy_timeout (struct HkSession *self);

#endif
