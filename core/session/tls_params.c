/* tls_params.c: the parameters by which the SMTP server decides about TLS. */
#include "config.h"
#include "session/session.h"

#define BOOL(n, h)                                                                         \
    {                                                                                      \
        .name = n, .type = HK_CONF_BOOL, .preset = "no", .help = h                         \
    }

const HkConfSpec hk_session_tls_params[] = {
    {.name = "smtpd_tls_security_level",
     .type = HK_CONF_STRING,
     .preset = "",
     .help =
         "none, may (offer STARTTLS) or encrypt (require it); empty: by the older names"},
    BOOL ("smtpd_use_tls", "offer STARTTLS; smtpd_tls_security_level comes first"),
    BOOL ("smtpd_enforce_tls", "require TLS; smtpd_tls_security_level comes first"),
    BOOL ("smtpd_tls_wrappermode", "TLS begins with the connection, without STARTTLS"),
    BOOL ("smtpd_tls_ask_ccert", "ask clients for a certificate"),
    BOOL ("smtpd_tls_req_ccert", "with required TLS, require a trusted certificate"),
    BOOL ("smtpd_tls_received_header", "tell of TLS in the Received header"),
    BOOL ("smtpd_tls_auth_only", "offer and accept AUTH inside TLS only"),
    {.name = "smtpd_tls_loglevel",
     .type = HK_CONF_INT,
     .preset = "0",
     .min = 0,
     .max = 4,
     .help = "1: a line for each TLS session; 2: more"},
    {.name = "smtpd_starttls_timeout",
     .type = HK_CONF_TIME,
     .preset = "${stress?{10}:{300}}s",
     .min = 1,
     .max = 86400,
     .help = "total time for a TLS handshake"},
    {.name = "tls_server_sni_maps",
     .type = HK_CONF_MAPS,
     .preset = "",
     .help = "key and certificates for the server name that a client asks for"},
    {.name = NULL},
};
