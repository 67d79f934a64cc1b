/* words.c: what is known of the words of restriction lists without opening them: old names,
 * which end a list, which guard against relaying, of what their replies speak. */
#include "access/access_priv.h"

/* Names of other times. */
const char *
hk_access_current_name (const char *word)
{
    static const char *const names[][2] = {
        {"reject_unknown_client", "reject_unknown_client_hostname"},
        {"reject_unknown_hostname", "reject_unknown_helo_hostname"},
        {"reject_invalid_hostname", "reject_invalid_helo_hostname"},
        {"reject_non_fqdn_hostname", "reject_non_fqdn_helo_hostname"},
        {"check_recipient_maps", "reject_unlisted_recipient"},
        {"reject_unknown_address", "reject_unknown_sender_domain"},
        {"reject_rbl", "reject_rbl_client"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
        if (g_ascii_strcasecmp (word, names[i][0]) == 0)
            return names[i][1];
    return word;
}

const char *
hk_access_advice (const char *word)
{
    static const char *const advice[][2] = {
        {"permit_naked_ip_address",
         "restriction permit_naked_ip_address is deprecated. Use permit_mynetworks or "
         "permit_sasl_authenticated instead"},
        {"check_relay_domains",
         "support for restriction \"check_relay_domains\" will be removed; use "
         "\"reject_unauth_destination\" instead"},
        {"reject_maps_rbl",
         "support for restriction \"reject_maps_rbl\" will be removed; use "
         "\"reject_rbl_client domain-name\" instead"},
        {"reject_rbl", "support for restriction \"reject_rbl\" will be removed; use "
                       "\"reject_rbl_client domain-name\" instead"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (advice); i++)
        if (g_ascii_strcasecmp (word, advice[i][0]) == 0)
            return advice[i][1];
    return NULL;
}

const char *
hk_access_implied_check (int list)
{
    static const char *const names[HK_N_LISTS] = {
        [HK_LIST_CLIENT] = "check_client_access",
        [HK_LIST_HELO] = "check_helo_access",
        [HK_LIST_SENDER] = "check_sender_access",
        [HK_LIST_RELAY] = "check_recipient_access",
        [HK_LIST_RECIPIENT] = "check_recipient_access",
        [HK_LIST_ETRN] = "check_etrn_access",
    };
    return names[list];
}

static bool
is_among (const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp (word, words[i]) == 0)
            return true;
    return false;
}

bool
hk_access_guards_relay (const char *word)
{
    static const char *const words[] = {"reject", "defer", "reject_unauth_destination",
                                        "defer_unauth_destination", "check_relay_domains"};
    return is_among (word, words, G_N_ELEMENTS (words));
}

bool
hk_access_ends_list (const char *word)
{
    static const char *const words[] = {"permit", "reject", "defer", "check_relay_domains"};
    return is_among (word, words, G_N_ELEMENTS (words));
}

/* ---- of what a reply speaks */

static const HkReplyKind about_client = {HK_ABOUT_CLIENT, "Client host"};
static const HkReplyKind about_certificate = {HK_ABOUT_CLIENT, "Client certificate"};
static const HkReplyKind about_reverse = {HK_ABOUT_REVERSE_CLIENT, "Unverified Client host"};
static const HkReplyKind about_helo = {HK_ABOUT_HELO, "Helo command"};
static const HkReplyKind about_sender = {HK_ABOUT_SENDER, "Sender address"};
static const HkReplyKind about_recipient = {HK_ABOUT_RECIPIENT, "Recipient address"};
static const HkReplyKind about_sasl = {HK_ABOUT_SASL, "SASL login name"};
static const HkReplyKind about_etrn = {HK_ABOUT_ETRN, "Etrn command"};
static const HkReplyKind about_data = {HK_ABOUT_DATA, "Data command"};
static const HkReplyKind about_end = {HK_ABOUT_END_OF_DATA, "End-of-data"};

const HkReplyKind *
hk_access_reply_kind (const char *word)
{
    static const struct {
        const char *prefix;
        const HkReplyKind *kind;
    } kinds[] = {
        {"check_client_", &about_client},
        {"check_reverse_client_", &about_reverse},
        {"check_ccert_", &about_certificate},
        {"check_helo_", &about_helo},
        {"check_sender_", &about_sender},
        {"check_recipient_", &about_recipient},
        {"check_sasl_", &about_sasl},
        {"check_etrn_", &about_etrn},
        {"permit_mynetworks", &about_client},
        {"permit_inet_interfaces", &about_client},
        {"permit_sasl_", &about_client},
        {"permit_tls_", &about_client},
        {"permit_dnswl_", &about_client},
        {"permit_rhswl_", &about_client},
        {"permit_naked_", &about_helo},
        {"permit_auth_", &about_recipient},
        {"permit_mx_", &about_recipient},
        {"check_relay_domains", &about_recipient},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++)
        if (g_str_has_prefix (word, kinds[i].prefix))
            return kinds[i].kind;
    return NULL;
}

const HkReplyKind *
hk_access_list_kind (int list)
{
    static const HkReplyKind *const kinds[HK_N_LISTS] = {
        [HK_LIST_CLIENT] = &about_client,        [HK_LIST_HELO] = &about_helo,
        [HK_LIST_SENDER] = &about_sender,        [HK_LIST_RELAY] = &about_recipient,
        [HK_LIST_RECIPIENT] = &about_recipient,  [HK_LIST_DATA] = &about_data,
        [HK_LIST_END_OF_DATA] = &about_end,      [HK_LIST_ETRN] = &about_etrn,
    };
    return kinds[list];
}
