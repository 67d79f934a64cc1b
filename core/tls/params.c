/* params.c: the parameters that a context of the SMTP server is made of. */
#include "config.h"

#include "tls/tls.h"

#define TEXT(n, p, h)                                                                      \
    {                                                                                      \
        .name = n, .type = HK_CONF_STRING, .preset = p, .help = h                          \
    }
#define LIST(n, p, h)                                                                      \
    {                                                                                      \
        .name = n, .type = HK_CONF_LIST, .preset = p, .help = h                            \
    }
#define BOOL(n, p, h)                                                                      \
    {                                                                                      \
        .name = n, .type = HK_CONF_BOOL, .preset = p, .help = h                            \
    }

const HkConfSpec hk_tls_params[] = {
    LIST ("smtpd_tls_chain_files", "",
          "files of private keys, each followed by its certificates; replaces the others"),
    TEXT ("smtpd_tls_cert_file", "",
          "the server's certificate with its chain (PEM); \"none\": anonymous TLS only"),
    TEXT ("smtpd_tls_key_file", "$smtpd_tls_cert_file", "the private key of it"),
    TEXT ("smtpd_tls_dcert_file", "", "a further certificate"),
    TEXT ("smtpd_tls_dkey_file", "$smtpd_tls_dcert_file", "the private key of it"),
    TEXT ("smtpd_tls_eccert_file", "", "the ECDSA certificate, beside an RSA one"),
    TEXT ("smtpd_tls_eckey_file", "$smtpd_tls_eccert_file", "the private key of it"),
    LIST ("smtpd_tls_ocsp_files", "",
          "OCSP responses to staple, one for each certificate in their order"),
    TEXT ("smtpd_tls_CAfile", "", "authorities of client certificates (PEM)"),
    TEXT ("smtpd_tls_CApath", "", "directory of authorities of client certificates"),
    BOOL ("tls_append_default_CA", "no", "trust the system's authorities as well"),
    {.name = "smtpd_tls_ccert_verifydepth",
     .type = HK_CONF_INT,
     .preset = "9",
     .min = 0,
     .max = 100,
     .help = "longest chain of a client certificate, without the certificate itself"},
    TEXT ("smtpd_tls_fingerprint_digest",
          "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}",
          "digest of the fingerprints of certificates and keys"),
    LIST ("smtpd_tls_protocols", ">=TLSv1.2", "protocols while TLS is optional"),
    LIST ("smtpd_tls_mandatory_protocols", ">=TLSv1.2", "protocols when TLS is required"),
    TEXT ("smtpd_tls_ciphers", "medium", "cipher grade while TLS is optional"),
    TEXT ("smtpd_tls_mandatory_ciphers", "medium", "cipher grade when TLS is required"),
    LIST ("smtpd_tls_exclude_ciphers", "", "ciphers that are never used"),
    LIST ("smtpd_tls_mandatory_exclude_ciphers", "",
          "more ciphers that are not used when TLS is required"),
    TEXT ("tls_high_cipherlist", "aNULL:-aNULL:HIGH:@STRENGTH",
          "OpenSSL's list of a grade"),
    TEXT ("tls_medium_cipherlist", "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH",
          "OpenSSL's list of a grade"),
    TEXT ("tls_low_cipherlist", "aNULL:-aNULL:HIGH:MEDIUM:LOW:+RC4:@STRENGTH",
          "OpenSSL's list of a grade"),
    TEXT ("tls_export_cipherlist", "aNULL:-aNULL:HIGH:MEDIUM:LOW:EXPORT:+RC4:@STRENGTH",
          "OpenSSL's list of a grade"),
    TEXT ("tls_null_cipherlist", "eNULL:!aNULL", "OpenSSL's list of a grade"),
    BOOL ("tls_preempt_cipherlist", "yes", "the server's preference decides"),
    TEXT ("smtpd_tls_eecdh_grade", "auto", "curves of ECDHE: auto, strong, ultra or none"),
    LIST ("tls_eecdh_auto_curves", "X25519 X448 prime256v1 secp521r1 secp384r1",
          "curves of the grade auto, the best first"),
    TEXT ("tls_eecdh_strong_curve", "prime256v1", "curve of the grade strong"),
    TEXT ("tls_eecdh_ultra_curve", "secp384r1", "curve of the grade ultra"),
    TEXT ("smtpd_tls_dh1024_param_file", "",
          "DH parameters (PEM); empty or auto: groups of RFC 7919; none: no DHE"),
    TEXT ("tls_session_ticket_cipher", "aes-256-cbc",
          "empty: no session tickets; GnuTLS chooses the cipher"),
    {.name = "smtpd_tls_session_cache_timeout",
     .type = HK_CONF_TIME,
     .preset = "3600s",
     .min = 0,
     .max = 604800,
     .help = "how long a session can be resumed with its ticket; 0: not at all"},
    LIST ("tls_ssl_options", "", "NO_TICKET is understood; others have no effect"),
    LIST ("smtpd_tls_alpn_protocols", "smtp esmtp",
          "a client that names application protocols must name one of these; empty: any"),
    {.name = NULL},
};
