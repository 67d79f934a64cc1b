/* info.c: what a handshake has agreed on, in the words of Postfix's log. */
#include "config.h"

#include "base/text.h"
#include "tls/tls_priv.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>

enum { MAX_CN = 255, MAX_DIGEST = 64 };

const char *
hk_tls_binding (const HkTls *self, uint8_t out[HK_TLS_BINDING_MAX], size_t *out_size)
{
    bool is_13 = gnutls_protocol_get_version (self->session) == GNUTLS_TLS1_3;
    gnutls_datum_t data = {NULL, 0};
    if ((!is_13 && !gnutls_session_ext_master_secret_status (self->session)) ||
        gnutls_session_channel_binding (
            self->session, is_13 ? GNUTLS_CB_TLS_EXPORTER : GNUTLS_CB_TLS_UNIQUE, &data) < 0)
        return NULL;
    bool fits = data.size > 0 && data.size <= HK_TLS_BINDING_MAX;
    if (fits)
        memcpy (out, data.data, *out_size = data.size);
    gnutls_free (data.data);
    return !fits ? NULL : is_13 ? "tls-exporter" : "tls-unique";
}

const HkTlsInfo *
hk_tls_info (const HkTls *self)
{
    return &self->info;
}

/* ---- protocol and cipher
 * -------------------------------------------------------------------
 */

static const char *
version_name (gnutls_protocol_t version)
{
    switch (version) {
    case GNUTLS_TLS1_0:
        return "TLSv1";
    case GNUTLS_TLS1_1:
        return "TLSv1.1";
    case GNUTLS_TLS1_2:
        return "TLSv1.2";
    case GNUTLS_TLS1_3:
        return "TLSv1.3";
    default:
        return "unknown";
    }
}

static unsigned
modern_code (gnutls_cipher_algorithm_t cipher)
{
    return cipher == GNUTLS_CIPHER_AES_128_GCM         ? 0x1301
           : cipher == GNUTLS_CIPHER_AES_256_GCM       ? 0x1302
           : cipher == GNUTLS_CIPHER_CHACHA20_POLY1305 ? 0x1303
                                                       : 0;
}

static const char *
cipher_name (gnutls_session_t session)
{
    gnutls_cipher_algorithm_t cipher = gnutls_cipher_get (session), c;
    gnutls_kx_algorithm_t kx = gnutls_kx_get (session), k;
    gnutls_mac_algorithm_t mac = gnutls_mac_get (session), m;
    gnutls_protocol_t v;
    unsigned char id[2];
    const char *name = NULL;
    if (gnutls_protocol_get_version (session) == GNUTLS_TLS1_3)
        return hk_tls_suite_name (modern_code (cipher));
    for (size_t i = 0; gnutls_cipher_suite_info (i, id, &k, &c, &m, &v) != NULL; i++)
        if (k == kx && c == cipher && m == mac && v != GNUTLS_TLS1_3)
            name = hk_tls_suite_name ((unsigned) id[0] << 8 | id[1]);
    return name;
}

/* ---- the client's certificate
 * --------------------------------------------------------------
 */

/* "AA:BB:…" */
static void
append_digest (GString *out, gnutls_digest_algorithm_t digest, gnutls_datum_t data)
{
    uint8_t hash[MAX_DIGEST];
    unsigned n = gnutls_hash_get_len (digest);
    if (n > sizeof hash || gnutls_hash_fast (digest, data.data, data.size, hash) < 0)
        return;
    for (unsigned i = 0; i < n; i++)
        g_string_append_printf (out, "%s%02X", i > 0 ? ":" : "", hash[i]);
}

static void
append_key_digest (GString *out, gnutls_digest_algorithm_t digest, gnutls_x509_crt_t crt)
{
    gnutls_pubkey_t key;
    gnutls_datum_t der = {NULL, 0};
    if (gnutls_pubkey_init (&key) < 0)
        return;
    if (gnutls_pubkey_import_x509 (key, crt, 0) >= 0 &&
        gnutls_pubkey_export2 (key, GNUTLS_X509_FMT_DER, &der) >= 0)
        append_digest (out, digest, der);
    gnutls_free (der.data);
    gnutls_pubkey_deinit (key);
}

typedef int (*GetName) (gnutls_x509_crt_t, const char *oid, unsigned index, unsigned raw,
                        void *buffer, size_t *size);

static bool
append_name (GString *out, gnutls_x509_crt_t crt, GetName get, const char *oid)
{
    char text[MAX_CN + 1];
    size_t size = sizeof text;
    if (get (crt, oid, 0, 0, text, &size) < 0 || size == 0 || size > MAX_CN)
        return false;
    hk_text_append_printable (out, hk_span (text, strnlen (text, size)), MAX_CN, true);
    return true;
}

/* With the authorities of the context itself, whatever chain was shown to the client. */
static bool
is_trusted (HkTls *self, const gnutls_datum_t *raw, unsigned n_raw)
{
    enum { MAX_CHAIN = 16 };
    gnutls_x509_crt_t chain[MAX_CHAIN];
    gnutls_x509_trust_list_t list;
    unsigned n = 0, status = 1;
    gnutls_typed_vdata_st purpose = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID,
        .data = (unsigned char *) (uintptr_t) GNUTLS_KP_TLS_WWW_CLIENT,
    };
    gnutls_certificate_get_trust_list (self->credentials->certificates, &list);
    for (; n < n_raw && n < MAX_CHAIN; n++) {
        if (gnutls_x509_crt_init (&chain[n]) < 0)
            break;
        if (gnutls_x509_crt_import (chain[n], &raw[n], GNUTLS_X509_FMT_DER) < 0) {
            gnutls_x509_crt_deinit (chain[n]);
            break;
        }
    }
    bool ok = n == n_raw && n_raw <= self->context->material.depth + 1 &&
              gnutls_x509_trust_list_verify_crt2 (list, chain, n, &purpose, 1,
                                                  GNUTLS_VERIFY_ALLOW_UNSORTED_CHAIN,
                                                  &status, NULL) >= 0 &&
              status == 0;
    while (n > 0)
        gnutls_x509_crt_deinit (chain[--n]);
    return ok;
}

/* The texts of the certificate, each with its NUL, in one block. */
static void
read_certificate (HkTls *self, gnutls_x509_crt_t crt, gnutls_datum_t raw)
{
    gnutls_digest_algorithm_t digest = self->context->digest;
    g_autoptr (GString) out = g_string_new (NULL);
    size_t at[4];
    at[0] = out->len;
    append_name (out, crt, gnutls_x509_crt_get_dn_by_oid, GNUTLS_OID_X520_COMMON_NAME);
    g_string_append_c (out, '\0');
    at[1] = out->len;
    if (!append_name (out, crt, gnutls_x509_crt_get_issuer_dn_by_oid,
                      GNUTLS_OID_X520_COMMON_NAME))
        append_name (out, crt, gnutls_x509_crt_get_issuer_dn_by_oid,
                     GNUTLS_OID_X520_ORGANIZATION_NAME);
    g_string_append_c (out, '\0');
    at[2] = out->len;
    append_digest (out, digest, raw);
    g_string_append_c (out, '\0');
    at[3] = out->len;
    append_key_digest (out, digest, crt);
    self->texts = g_string_free (g_steal_pointer (&out), FALSE);
    self->info.has_certificate = true;
    self->info.subject = self->texts + at[0];
    self->info.issuer = self->texts + at[1];
    self->info.fingerprint = self->texts + at[2];
    self->info.key_fingerprint = self->texts + at[3];
}

static void
read_peer (HkTls *self)
{
    gnutls_x509_crt_t crt;
    unsigned n = 0;
    const gnutls_datum_t *raw = gnutls_certificate_get_peers (self->session, &n);
    if (raw == NULL || n == 0 || gnutls_x509_crt_init (&crt) < 0)
        return;
    if (gnutls_x509_crt_import (crt, &raw[0], GNUTLS_X509_FMT_DER) >= 0) {
        read_certificate (self, crt, raw[0]);
        self->info.is_trusted = is_trusted (self, raw, n);
    }
    gnutls_x509_crt_deinit (crt);
}

void
hk_tls_read_info (HkTls *self)
{
    HkTlsInfo *info = &self->info;
    gnutls_cipher_algorithm_t cipher = gnutls_cipher_get (self->session);
    info->version = version_name (gnutls_protocol_get_version (self->session));
    info->cipher = cipher_name (self->session);
    if (info->cipher == NULL)
        info->cipher = gnutls_cipher_get_name (cipher);
    info->bits = info->key_bits = (unsigned) gnutls_cipher_get_key_size (cipher) * 8;
    info->is_resumed = gnutls_session_is_resumed (self->session);
    info->was_asked = self->context->material.is_asking;
    info->server_name = self->chain != NULL ? self->name : NULL;
    info->subject = info->issuer = info->fingerprint = info->key_fingerprint = "";
    if (info->was_asked)
        read_peer (self);
}

/* ---- for the log
 * ---------------------------------------------------------------------------
 */

static void
append_exchange (GString *out, gnutls_session_t session)
{
    static const struct {
        gnutls_group_t group;
        const char *text;
    } groups[] = {
        {GNUTLS_GROUP_X25519, "X25519"},
        {GNUTLS_GROUP_X448, "X448"},
        {GNUTLS_GROUP_SECP256R1, "ECDHE (prime256v1)"},
        {GNUTLS_GROUP_SECP384R1, "ECDHE (secp384r1)"},
        {GNUTLS_GROUP_SECP521R1, "ECDHE (secp521r1)"},
        {GNUTLS_GROUP_FFDHE2048, "DHE (2048 bits)"},
        {GNUTLS_GROUP_FFDHE3072, "DHE (3072 bits)"},
        {GNUTLS_GROUP_FFDHE4096, "DHE (4096 bits)"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (groups); i++)
        if (groups[i].group == gnutls_group_get (session))
            g_string_append_printf (out, "\n key-exchange %s", groups[i].text);
}

static const char *
curve_name (gnutls_x509_crt_t crt)
{
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
    gnutls_x509_crt_get_pk_ecc_raw (crt, &curve, NULL, NULL);
    return curve == GNUTLS_ECC_CURVE_SECP256R1   ? "prime256v1"
           : curve == GNUTLS_ECC_CURVE_SECP384R1 ? "secp384r1"
           : curve == GNUTLS_ECC_CURVE_SECP521R1 ? "secp521r1"
                                                 : "unknown";
}

/* " server-signature RSA-PSS (2048 bits) server-digest SHA256" */
static void
append_signature (GString *out, const char *who, int sign, const gnutls_datum_t *raw)
{
    gnutls_x509_crt_t crt;
    gnutls_pk_algorithm_t pk;
    unsigned bits = 0;
    if (sign == GNUTLS_SIGN_UNKNOWN || raw == NULL || gnutls_x509_crt_init (&crt) < 0)
        return;
    if (gnutls_x509_crt_import (crt, raw, GNUTLS_X509_FMT_DER) >= 0) {
        gnutls_x509_crt_get_pk_algorithm (crt, &bits);
        pk = gnutls_sign_get_pk_algorithm ((gnutls_sign_algorithm_t) sign);
        if (pk == GNUTLS_PK_ECDSA)
            g_string_append_printf (out, " %s-signature ECDSA (%s)", who, curve_name (crt));
        else if (pk == GNUTLS_PK_EDDSA_ED25519 || pk == GNUTLS_PK_EDDSA_ED448)
            g_string_append_printf (out, " %s-signature %s", who,
                                    pk == GNUTLS_PK_EDDSA_ED25519 ? "ED25519" : "ED448");
        else
            g_string_append_printf (out, " %s-signature RSA-PSS (%u bits)", who, bits);
        if (pk != GNUTLS_PK_EDDSA_ED25519 && pk != GNUTLS_PK_EDDSA_ED448)
            g_string_append_printf (out, " %s-digest %s", who,
                                    gnutls_digest_get_name (gnutls_sign_get_hash_algorithm (
                                        (gnutls_sign_algorithm_t) sign)));
    }
    gnutls_x509_crt_deinit (crt);
}

void
hk_tls_append_summary (const HkTls *self, GString *out, GString *out_details)
{
    const HkTlsInfo *info = &self->info;
    unsigned n = 0;
    g_string_append_printf (out, "%s with cipher %s (%u/%u bits)", info->version,
                            info->cipher, info->bits, info->key_bits);
    if (gnutls_protocol_get_version (self->session) != GNUTLS_TLS1_3)
        return;
    append_exchange (out_details, self->session);
    append_signature (out_details, "server", gnutls_sign_algorithm_get (self->session),
                      gnutls_certificate_get_ours (self->session));
    gsize at = out_details->len;
    append_signature (
        out_details, "client", gnutls_sign_algorithm_get_client (self->session),
        info->was_asked ? gnutls_certificate_get_peers (self->session, &n) : NULL);
    if (out_details->len > at)
        g_string_insert_c (out_details, (gssize) at, '\n');
}
