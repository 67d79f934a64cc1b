/* postfix_why.c: why a line of an admin's main.cf has no effect: one line for each part of
 * Postfix that is not there yet, or that has no counterpart here. */
#include "config.h"

#include "conf/conf_priv.h"

#include <string.h>

/* A name, or the beginning of one (ends in '_').  The longest that fits counts. */
typedef struct {
    const char *name, *why;
} Why;

#define CLIENT_TLS "mail is not sent over TLS yet"
#define CLIENT_AUTH "logging in at other servers is not there yet"
#define CLIENT_SMTP "the SMTP client's ways of speaking cannot all be set yet"
#define MILTER "milters are not there yet"
#define PROXY_FILTER "a filter that mail passes before it is queued is not there yet"
#define MIME "content is not converted or examined as MIME yet"
#define COMMANDS "deliveries to commands and files are not there yet"
#define NO_PROCESS "no process of that name runs here"
#define NO_TLSPROXY "there is no tlsproxy: sessions speak TLS themselves, by smtpd_tls_*"
#define NO_FILES "the queue is a log, not a file for each message"

static const Why later[] = {
    {"alias_", "aliases are read by local deliveries, whose plugin is not enabled"},
    {"allow_mail_to_", COMMANDS},
    {"body_checks", MIME},
    {"body_checks_", MIME},
    {"bounce_template_file", "the texts of notices cannot be changed yet"},
    {"command_", COMMANDS},
    {"confirm_delay_cleared", "no notice is sent when delayed mail arrives yet"},
    {"debug_peer_", "sessions are not logged in detail yet"},
    {"defer_transports", "a transport cannot be told to wait yet"},
    {"disable_mime_", MIME},
    {"fallback_", "local deliveries have no such second way yet"},
    {"forward_", "users' .forward files: local deliveries do not read all of this yet"},
    {"header_checks", "the plugin filter_header_checks is not enabled"},
    {"internal_mail_filter_classes", MILTER},
    {"lmtp_", CLIENT_SMTP},
    {"lmtp_enforce_tls", CLIENT_TLS},
    {"lmtp_sasl_", CLIENT_AUTH},
    {"lmtp_starttls_", CLIENT_TLS},
    {"lmtp_tls_", CLIENT_TLS},
    {"lmtp_use_tls", CLIENT_TLS},
    {"local_", "local deliveries do not do that yet"},
    {"mailbox_", "local deliveries do not do that yet"},
    {"message_reject_characters", MIME},
    {"message_strip_characters", MIME},
    {"milter_", MILTER},
    {"mime_", MIME},
    {"nested_header_checks", MIME},
    {"non_smtpd_milters", MILTER},
    {"smtp_", CLIENT_SMTP},
    {"smtp_dns_reply_filter", "answers of the DNS are not filtered yet"},
    {"smtp_enforce_tls", CLIENT_TLS},
    {"smtp_sasl_", CLIENT_AUTH},
    {"smtp_sender_dependent_authentication", CLIENT_AUTH},
    {"smtp_starttls_", CLIENT_TLS},
    {"smtp_tls_", CLIENT_TLS},
    {"smtp_use_tls", CLIENT_TLS},
    {"smtpd_dns_reply_filter", "answers of the DNS are not filtered yet"},
    {"smtpd_milter_maps", MILTER},
    {"smtpd_milters", MILTER},
    {"smtpd_proxy_", PROXY_FILTER},
    {"strict_", MIME},
    {"tls_dane_", CLIENT_TLS},
    {"tlsproxy_", NO_TLSPROXY},
};

static const Why never[] = {
    {"berkeley_db_", "tables are not kept in Berkeley DB files"},
    {"connection_cache_", "connections are kept by the process that opened them"},
    {"daemon_table_open_error_is_fatal", "a table that is not there makes mail wait"},
    {"default_", "the schedule is fair without it"},
    {"dont_remove", NO_FILES},
    {"fork_", "processes are started again as soon as it makes sense"},
    {"hash_queue_", NO_FILES},
    {"in_flow_delay", "clients wait as long as the queue manager is behind"},
    {"ipc_", "processes tell each other at once when they end"},
    {"lmdb_map_size", "a table's file is as large as its text needs"},
    {"maillog_file_", "the log is rotated by hikyaku logrotate's caller"},
    {"max_idle", NO_PROCESS},
    {"max_use", "processes need not be renewed"},
    {"proxy_", "proxy: tables are opened in the process that asks them"},
    {"qmgr_", "the schedule is fair without it"},
    {"queue_file_attribute_count_limit", NO_FILES},
    {"smtpd_tls_session_cache_database", "sessions are resumed by tickets"},
    {"tls_", "GnuTLS has no such setting"},
    {"tls_random_", "GnuTLS takes its random numbers from the kernel"},
    {"tlsproxy_", NO_TLSPROXY},
};

static size_t
fits (const char *pattern, const char *name)
{
    size_t n = strlen (pattern);
    if (strcmp (pattern, name) == 0)
        return n + 1;
    return pattern[n - 1] == '_' && strncmp (pattern, name, n) == 0 ? n : 0;
}

static const char *
find (const Why *table, size_t n, const char *name)
{
    const char *why = NULL;
    for (size_t i = 0, best = 0; i < n; i++) {
        size_t length = fits (table[i].name, name);
        if (length > best) {
            best = length;
            why = table[i].why;
        }
    }
    return why;
}

const char *
hk_postfix_why (const HkPostfixName *known)
{
    const char *why;
    if (known->flags & HK_NAME_LATER) {
        why = find (later, G_N_ELEMENTS (later), known->name);
        return why != NULL ? why : "the part of Postfix that it is about is not there yet";
    }
    if (g_str_has_suffix (known->name, "_service_name"))
        return NO_PROCESS;
    why = find (never, G_N_ELEMENTS (never), known->name);
    return why != NULL ? why
                       : "the part of Postfix that it is about has no counterpart here";
}
