/* context.c: what one service may speak, made of its parameters, kept in step with its
 * files. */
#include "config.h"

#include "base/text.h"
#include "tls/tls_priv.h"

#include <errno.h>
#include <gnutls/pkcs11.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE = 4 << 20 };

/* ---- parameters
 * --------------------------------------------------------------------------- */

/* PREFIX_NAME; "" when there is no such parameter. */
static const char *
value (const HkTlsOptions *o, const char *name)
{
    g_autofree char *full = g_strconcat (o->prefix, "_", name, NULL);
    const char *text = hk_conf_spec (full) == NULL ? NULL : hk_settings_get (o->view, full);
    return text != NULL ? text : "";
}

static bool
fail (GError **error, const HkTlsOptions *o, const char *name, const char *why)
{
    g_set_error (error, HK_TLS_ERROR, HK_TLS_ERROR_CONFIG, "%s_%s: %s", o->prefix, name,
                 why);
    return false;
}

/* ---- files
 * -------------------------------------------------------------------------------- */

static void
file_free (void *data)
{
    HkTlsFile *file = data;
    hk_tls_file_drop (file);
    g_free (file->path);
    g_free (file);
}

/* The place of PATH among the files. */
static int
file_place (HkTlsMaterial *m, const char *path)
{
    for (guint i = 0; i < m->files->len; i++)
        if (strcmp (((HkTlsFile *) g_ptr_array_index (m->files, i))->path, path) == 0)
            return (int) i;
    HkTlsFile *file = g_new0 (HkTlsFile, 1);
    file->path = g_strdup (path);
    g_ptr_array_add (m->files, file);
    return (int) m->files->len - 1;
}

static void
add_pair (HkTlsMaterial *m, const HkTlsOptions *o, const char *certificate, const char *key)
{
    const char *path = value (o, certificate), *key_path = value (o, key);
    if (*path == '\0' || strcmp (path, "none") == 0)
        return;
    HkTlsPair pair = {.certificate = file_place (m, path)};
    pair.key = *key_path == '\0' ? pair.certificate : file_place (m, key_path);
    g_array_append_val (m->pairs, pair);
}

static void
add_list (HkTlsMaterial *m, GArray *places, const char *text)
{
    HkSpan rest = hk_span_text (text), word;
    while (hk_text_next_word (&rest, &word)) {
        g_autofree char *path = hk_span_dup (word);
        int place = file_place (m, path);
        g_array_append_val (places, place);
    }
}

static void
list_material (HkTlsContext *self, const HkTlsOptions *o)
{
    HkTlsMaterial *m = &self->material;
    m->files = g_ptr_array_new_with_free_func (file_free);
    m->pairs = g_array_new (FALSE, FALSE, sizeof (HkTlsPair));
    m->chains = g_array_new (FALSE, FALSE, sizeof (int));
    m->stapled = g_array_new (FALSE, FALSE, sizeof (int));
    m->authorities = m->dh = -1;
    /* The newer parameter replaces the others. */
    add_list (m, m->chains, value (o, "chain_files"));
    if (m->chains->len == 0) {
        add_pair (m, o, "cert_file", "key_file");
        add_pair (m, o, "dcert_file", "dkey_file");
        add_pair (m, o, "eccert_file", "eckey_file");
    }
    add_list (m, m->stapled, value (o, "ocsp_files"));
    const char *dh = value (o, "dh1024_param_file");
    if (*dh != '\0' && strcmp (dh, "auto") != 0 && strcmp (dh, "none") != 0)
        m->dh = file_place (m, dh);
    m->is_asking = o->asks_certificate;
    if (!o->asks_certificate)
        return;
    if (*value (o, "CAfile") != '\0')
        m->authorities = file_place (m, value (o, "CAfile"));
    if (*value (o, "CApath") != '\0')
        m->authority_dir = value (o, "CApath");
    m->has_system_authorities = hk_settings_bool (o->view, "tls_append_default_CA");
    m->depth = (unsigned) CLAMP (atoi (value (o, "ccert_verifydepth")), 0, 100);
}

static int
read_fd (int fd, HkTlsFile *file, HkFileState *state)
{
    struct stat st;
    if (fstat (fd, &st) < 0)
        return errno;
    if (!S_ISREG (st.st_mode) || st.st_size > MAX_FILE)
        return EFBIG;
    size_t room = (size_t) st.st_size + 1, n = 0;
    char *data = malloc (room);
    ssize_t got = data == NULL ? -1 : 1;
    while (got > 0 && n < room) {
        got = pread (fd, data + n, room - n, (off_t) n);
        n += got > 0 ? (size_t) got : 0;
    }
    if (got < 0 || n == room) {
        hk_tls_wipe (data, n);
        return got < 0 ? EIO : EAGAIN;
    }
    hk_file_state_from (state, &st);
    file->data = data;
    file->size = n;
    return 0;
}

static void
drop_all (HkTlsMaterial *m)
{
    for (guint i = 0; i < m->files->len; i++)
        hk_tls_file_drop (g_ptr_array_index (m->files, i));
}

/* All files, from FDS or their paths; STATES of what was read. */
static bool
read_all (HkTlsMaterial *m, const int *fds, HkFileState *states, GError **error)
{
    for (guint i = 0; i < m->files->len; i++) {
        HkTlsFile *file = g_ptr_array_index (m->files, i);
        hk_tls_file_drop (file);
        int e = fds == NULL ? hk_file_read (file->path, MAX_FILE, &file->data, &file->size,
                                            &states[i])
                            : read_fd (fds[i], file, &states[i]);
        if (e == 0)
            continue;
        g_set_error (error, HK_TLS_ERROR, HK_TLS_ERROR_FILE, "cannot read %s: %s",
                     file->path, g_strerror (e));
        drop_all (m);
        return false;
    }
    return true;
}

static bool
keep_states (HkTlsMaterial *m, const HkFileState *states)
{
    bool is_new = false;
    for (guint i = 0; i < m->files->len; i++) {
        HkTlsFile *file = g_ptr_array_index (m->files, i);
        is_new = is_new || !hk_file_state_same (&file->state, &states[i]);
        file->state = states[i];
    }
    return is_new;
}

HkTlsFreshness
hk_tls_context_look (HkTlsContext *self)
{
    HkTlsFreshness out = HK_TLS_SAME;
    for (guint i = 0; i < self->material.files->len; i++) {
        const HkTlsFile *file = g_ptr_array_index (self->material.files, i);
        HkFileState state;
        int e = hk_file_state (file->path, &state);
        if (e == EACCES || e == EPERM)
            return HK_TLS_DENIED;
        /* Not there: it is being replaced, and will be looked at again. */
        if (e == 0 && !hk_file_state_same (&file->state, &state))
            out = access (file->path, R_OK) == 0 ? HK_TLS_CHANGED : HK_TLS_DENIED;
        if (out == HK_TLS_DENIED)
            return out;
    }
    return out;
}

HkTlsFreshness
hk_tls_context_reload (HkTlsContext *self, const int *fds, GError **error)
{
    HkTlsMaterial *m = &self->material;
    g_autofree HkFileState *states = g_new0 (HkFileState, m->files->len + 1);
    if (!read_all (m, fds, states, error))
        return HK_TLS_DENIED;
    HkTlsCredentials *fresh = NULL;
    bool is_new = keep_states (m, states);
    if (is_new)
        fresh = hk_tls_credentials_new (m, error);
    drop_all (m);
    if (!is_new)
        return HK_TLS_SAME;
    if (fresh == NULL)
        return HK_TLS_DENIED;
    hk_tls_credentials_unref (self->credentials);
    self->credentials = fresh;
    return HK_TLS_CHANGED;
}

/* ---- priority
 * ----------------------------------------------------------------------------- */

static const char *
grade_list (const HkTlsOptions *o, const char *grade)
{
    static const char *const grades[] = {"high", "medium", "low", "export", "null"};
    for (size_t i = 0; i < G_N_ELEMENTS (grades); i++)
        if (g_ascii_strcasecmp (grade, grades[i]) == 0) {
            g_autofree char *name = g_strdup_printf ("tls_%s_cipherlist", grades[i]);
            return hk_settings_get (o->view, name);
        }
    return NULL;
}

static const char *
curve_list (const HkTlsOptions *o)
{
    const char *grade = value (o, "eecdh_grade");
    if (strcmp (grade, "none") == 0)
        return NULL;
    return hk_settings_get (o->view,
                            strcmp (grade, "strong") == 0  ? "tls_eecdh_strong_curve"
                            : strcmp (grade, "ultra") == 0 ? "tls_eecdh_ultra_curve"
                                                           : "tls_eecdh_auto_curves");
}

static bool
make_priority (HkTlsContext *self, const HkTlsOptions *o, HkComplaintFn warn, void *data,
               GError **error)
{
    const char *grade = value (o, o->is_mandatory ? "mandatory_ciphers" : "ciphers");
    const char *protocols =
        value (o, o->is_mandatory ? "mandatory_protocols" : "protocols");
    g_autofree char *note = NULL;
    const HkTlsWish wish = {
        .protocols = protocols,
        .ciphers = grade_list (o, grade),
        .exclude = {value (o, "exclude_ciphers"),
                    o->is_mandatory ? value (o, "mandatory_exclude_ciphers") : NULL},
        .curves = curve_list (o),
        .is_server_order = hk_settings_bool (o->view, "tls_preempt_cipherlist"),
        .has_certificate = self->credentials->has_certificate,
        .has_dh = strcmp (value (o, "dh1024_param_file"), "none") != 0,
    };
    if (wish.ciphers == NULL)
        return fail (error, o, o->is_mandatory ? "mandatory_ciphers" : "ciphers",
                     "no such cipher grade");
    self->priority_text = hk_tls_priority (&wish, &note, error);
    if (self->priority_text == NULL) {
        g_prefix_error (error, "%s: ", o->prefix);
        return false;
    }
    const char *at = NULL;
    int code = gnutls_priority_init (&self->priority, self->priority_text, &at);
    if (code < 0) {
        g_set_error (error, HK_TLS_ERROR, HK_TLS_ERROR_CONFIG,
                     "%s: GnuTLS refuses \"%s\": %s", o->prefix,
                     at != NULL ? at : self->priority_text, gnutls_strerror (code));
        return false;
    }
    if (note != NULL && warn != NULL) {
        g_autofree char *text = g_strdup_printf ("%s: ciphers: %s", o->prefix, note);
        warn (HK_LOG_WARNING, text, data);
    }
    return true;
}

static bool
find_digest (HkTlsContext *self, const HkTlsOptions *o, GError **error)
{
    const char *name = value (o, "fingerprint_digest");
    self->digest = *name == '\0' ? GNUTLS_DIG_SHA256 : gnutls_digest_get_id (name);
    return self->digest != GNUTLS_DIG_UNKNOWN ||
           fail (error, o, "fingerprint_digest", "no such digest");
}

static void
read_tickets (HkTlsContext *self, const HkTlsOptions *o)
{
    const char *cipher = hk_settings_get (o->view, "tls_session_ticket_cipher");
    g_autofree char *name = g_strconcat (o->prefix, "_session_cache_timeout", NULL);
    HkSpan rest = hk_span_text (hk_settings_get (o->view, "tls_ssl_options")), word;
    int64_t life = hk_conf_spec (name) != NULL ? hk_settings_int (o->view, name) : 3600;
    bool is_off = *cipher == '\0' || life <= 0;
    while (hk_text_next_word (&rest, &word))
        is_off = is_off || hk_span_is_ci (word, "NO_TICKET");
    self->tickets = is_off ? NULL : o->tickets;
    self->lifetime_s = (unsigned) CLAMP (life, 1, 7 * 86400);
}

static void
read_alpn (HkTlsContext *self, const HkTlsOptions *o)
{
    HkSpan rest = hk_span_text (value (o, "alpn_protocols")), word;
    self->alpn = g_ptr_array_new_with_free_func (g_free);
    while (hk_text_next_word (&rest, &word) && self->alpn->len < 8)
        g_ptr_array_add (self->alpn, hk_span_dup (word));
}

/* ---- life
 * --------------------------------------------------------------------------------- */

static bool
load_first (HkTlsContext *self, GError **error)
{
    HkTlsMaterial *m = &self->material;
    g_autofree HkFileState *states = g_new0 (HkFileState, m->files->len + 1);
    if (!read_all (m, NULL, states, error))
        return false;
    keep_states (m, states);
    self->credentials = hk_tls_credentials_new (m, error);
    drop_all (m);
    return self->credentials != NULL;
}

HkTlsContext *
hk_tls_context_new (const HkTlsOptions *o, HkComplaintFn warn, void *data, GError **error)
{
    /* No module of p11-kit is loaded into a process that faces the network. */
    gnutls_pkcs11_init (GNUTLS_PKCS11_FLAG_MANUAL, NULL);
    g_autoptr (HkTlsContext) self = g_new0 (HkTlsContext, 1);
    self->refs = 1;
    self->view = hk_settings_ref (o->view);
    self->service = g_strdup (o->service);
    list_material (self, o);
    self->paths = g_ptr_array_new ();
    for (guint i = 0; i < self->material.files->len; i++)
        g_ptr_array_add (self->paths,
                         ((HkTlsFile *) g_ptr_array_index (self->material.files, i))->path);
    g_ptr_array_add (self->paths, NULL);
    read_alpn (self, o);
    read_tickets (self, o);
    if (!load_first (self, error) || !find_digest (self, o, error) ||
        !make_priority (self, o, warn, data, error))
        return NULL;
    return g_steal_pointer (&self);
}

HkTlsContext *
hk_tls_context_ref (HkTlsContext *self)
{
    self->refs++;
    return self;
}

void
hk_tls_context_unref (HkTlsContext *self)
{
    if (self == NULL || --self->refs > 0)
        return;
    hk_tls_credentials_unref (self->credentials);
    if (self->priority != NULL)
        gnutls_priority_deinit (self->priority);
    gnutls_memset (&self->ticket_key, 0, sizeof self->ticket_key);
    g_ptr_array_unref (self->material.files);
    g_array_unref (self->material.pairs);
    g_array_unref (self->material.chains);
    g_array_unref (self->material.stapled);
    g_ptr_array_unref (self->paths);
    if (self->alpn != NULL)
        g_ptr_array_unref (self->alpn);
    g_free (self->priority_text);
    g_free (self->service);
    hk_settings_unref (self->view);
    g_free (self);
}

bool
hk_tls_context_has_certificate (const HkTlsContext *self)
{
    return self->credentials->has_certificate;
}

const char *
hk_tls_context_priority (const HkTlsContext *self)
{
    return self->priority_text;
}

const char *const *
hk_tls_context_files (const HkTlsContext *self)
{
    return (const char *const *) self->paths->pdata;
}
