/* certs.c: certificates, keys and authorities become GnuTLS's credentials. */
#include "config.h"

#include "tls/tls_priv.h"

#include <gnutls/x509.h>

enum { MAX_CHAIN_BITS = 16384 };

HkTlsCredentials *
hk_tls_credentials_ref (HkTlsCredentials *self)
{
    self->refs++;
    return self;
}

void
hk_tls_credentials_unref (HkTlsCredentials *self)
{
    if (self == NULL || --self->refs > 0)
        return;
    if (self->certificates != NULL)
        gnutls_certificate_free_credentials (self->certificates);
    if (self->anonymous != NULL)
        gnutls_anon_free_server_credentials (self->anonymous);
    if (self->dh != NULL)
        gnutls_dh_params_deinit (self->dh);
    g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkTlsCredentials, hk_tls_credentials_unref)

void
hk_tls_file_drop (HkTlsFile *file)
{
    hk_tls_wipe (file->data, file->size);
    file->data = NULL;
    file->size = 0;
}

static gnutls_datum_t
datum (const void *data, size_t size)
{
    return (gnutls_datum_t){(unsigned char *) (uintptr_t) data, (unsigned) size};
}

static HkTlsFile *
file_at (const HkTlsMaterial *material, int place)
{
    return g_ptr_array_index (material->files, (guint) place);
}

static gnutls_datum_t
content (const HkTlsFile *file)
{
    return datum (file->data, file->size);
}

static bool
fail (GError **error, const char *what, const char *path, int code)
{
    g_set_error (error, HK_TLS_ERROR, HK_TLS_ERROR_FILE, "%s %s: %s", what, path,
                 gnutls_strerror (code));
    return false;
}

/* ---- keys -------------------------------------------------------------------------------
 */

static int
add_key (HkTlsCredentials *self, gnutls_datum_t chain, gnutls_datum_t key)
{
    int code = gnutls_certificate_set_x509_key_mem2 (self->certificates, &chain, &key,
                                                     GNUTLS_X509_FMT_PEM, NULL, 0);
    self->has_certificate = self->has_certificate || code >= 0;
    return code;
}

static bool
add_pairs (HkTlsCredentials *self, const HkTlsMaterial *m, GError **error)
{
    for (guint i = 0; i < m->pairs->len; i++) {
        HkTlsPair pair = g_array_index (m->pairs, HkTlsPair, i);
        const HkTlsFile *certificate = file_at (m, pair.certificate);
        const HkTlsFile *key = file_at (m, pair.key);
        int code = add_key (self, content (certificate), content (key));
        if (code == GNUTLS_E_CERTIFICATE_KEY_MISMATCH) {
            g_set_error (error, HK_TLS_ERROR, HK_TLS_ERROR_FILE,
                         "private key in %s does not match public key in %s", key->path,
                         certificate->path);
            return false;
        }
        if (code < 0)
            return fail (error, "cannot use certificate and key from", certificate->path,
                         code);
    }
    return true;
}

static bool
add_chain (HkTlsCredentials *self, HkSpan text, const char *name, GError **error)
{
    g_autoptr (GPtrArray) parts = hk_tls_pem_split (text, name, error);
    if (parts == NULL)
        return false;
    for (guint i = 0; i < parts->len; i++) {
        const HkTlsPem *part = g_ptr_array_index (parts, i);
        int code = add_key (self, datum (part->chain->str, part->chain->len),
                            datum (part->key->str, part->key->len));
        if (code < 0)
            return fail (error, "cannot use key and certificate from", name, code);
    }
    return true;
}

static bool
add_chains (HkTlsCredentials *self, const HkTlsMaterial *m, GError **error)
{
    for (guint i = 0; i < m->chains->len; i++) {
        const HkTlsFile *file = file_at (m, g_array_index (m->chains, int, i));
        if (!add_chain (self, hk_span (file->data, file->size), file->path, error))
            return false;
    }
    return true;
}

/* The N-th response is for the N-th certificate. */
static bool
staple (HkTlsCredentials *self, const HkTlsMaterial *m, GError **error)
{
    for (guint i = 0; i < m->stapled->len; i++) {
        const HkTlsFile *file = file_at (m, g_array_index (m->stapled, int, i));
        gnutls_datum_t response = content (file);
        bool is_pem = file->size > 5 && memcmp (file->data, "-----", 5) == 0;
        int code = gnutls_certificate_set_ocsp_status_request_mem (
            self->certificates, &response, i,
            is_pem ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER);
        if (code < 0)
            return fail (error, "cannot use the OCSP response of", file->path, code);
    }
    return true;
}

/* ---- authorities, groups
 * ------------------------------------------------------------------ */

static bool
add_authorities (HkTlsCredentials *self, const HkTlsMaterial *m, GError **error)
{
    if (m->authorities >= 0) {
        gnutls_datum_t text = content (file_at (m, m->authorities));
        int code = gnutls_certificate_set_x509_trust_mem (self->certificates, &text,
                                                          GNUTLS_X509_FMT_PEM);
        if (code < 0)
            return fail (error, "cannot load Certification Authority data from",
                         file_at (m, m->authorities)->path, code);
    }
    if (m->authority_dir != NULL) {
        int code = gnutls_certificate_set_x509_trust_dir (
            self->certificates, m->authority_dir, GNUTLS_X509_FMT_PEM);
        if (code < 0)
            return fail (error, "cannot load Certification Authority data from",
                         m->authority_dir, code);
    }
    if (m->has_system_authorities)
        gnutls_certificate_set_x509_system_trust (self->certificates);
    return true;
}

/* Without a file the groups of RFC 7919 are used. */
static bool
set_groups (HkTlsCredentials *self, const HkTlsMaterial *m, GError **error)
{
    gnutls_certificate_set_known_dh_params (self->certificates, GNUTLS_SEC_PARAM_MEDIUM);
    gnutls_anon_set_server_known_dh_params (self->anonymous, GNUTLS_SEC_PARAM_MEDIUM);
    if (m->dh < 0)
        return true;
    gnutls_datum_t text = content (file_at (m, m->dh));
    int code = gnutls_dh_params_init (&self->dh);
    if (code >= 0)
        code = gnutls_dh_params_import_pkcs3 (self->dh, &text, GNUTLS_X509_FMT_PEM);
    if (code < 0)
        return fail (error, "error decoding DH parameters from", file_at (m, m->dh)->path,
                     code);
    gnutls_certificate_set_dh_params (self->certificates, self->dh);
    gnutls_anon_set_server_dh_params (self->anonymous, self->dh);
    return true;
}

static HkTlsCredentials *
allocate (const HkTlsMaterial *m, GError **error)
{
    g_autoptr (HkTlsCredentials) self = g_new0 (HkTlsCredentials, 1);
    self->refs = 1;
    int code = gnutls_certificate_allocate_credentials (&self->certificates);
    if (code >= 0)
        code = gnutls_anon_allocate_server_credentials (&self->anonymous);
    if (code < 0) {
        fail (error, "TLS", "credentials", code);
        return NULL;
    }
    gnutls_certificate_set_verify_limits (self->certificates, MAX_CHAIN_BITS, m->depth + 1);
    gnutls_certificate_set_verify_flags (self->certificates,
                                         GNUTLS_VERIFY_ALLOW_UNSORTED_CHAIN);
    return g_steal_pointer (&self);
}

HkTlsCredentials *
hk_tls_credentials_new (const HkTlsMaterial *m, GError **error)
{
    g_autoptr (HkTlsCredentials) self = allocate (m, error);
    if (self == NULL || !add_pairs (self, m, error) || !add_chains (self, m, error) ||
        !staple (self, m, error) || !set_groups (self, m, error) ||
        !add_authorities (self, m, error))
        return NULL;
    return g_steal_pointer (&self);
}

HkTlsCredentials *
hk_tls_credentials_from_pem (const HkTlsMaterial *m, HkSpan pem, GError **error)
{
    g_autoptr (HkTlsCredentials) self = allocate (m, error);
    if (self == NULL || !add_chain (self, pem, "the chain of the name", error))
        return NULL;
    gnutls_certificate_set_known_dh_params (self->certificates, GNUTLS_SEC_PARAM_MEDIUM);
    return g_steal_pointer (&self);
}
