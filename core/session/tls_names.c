/* tls_names.c: tls_server_sni_maps: which certificate a client is shown that asks for a
 * name.
 */
#include "config.h"
#include "session/session_priv.h"

#include "base/log.h"
#include "base/text.h"

/* A lookup that a worker makes. */
typedef struct {
    HkSession *session;
    char *name;
    GString *value;
    HkAnswer answer;
    char *reason;
} NameLookup;

/* The name, then ".parent" for each of its parents. */
static HkAnswer
look_up (HkMaps *maps, const char *name, GString *out, char **out_reason)
{
    HkAnswer answer = hk_maps_get (maps, hk_span_text (name), out, out_reason);
    for (const char *dot = strchr (name, '.'); answer == HK_ABSENT && dot != NULL;
         dot = strchr (dot + 1, '.'))
        answer = hk_maps_get (maps, hk_span_text (dot), out, out_reason);
    return answer;
}

/* A value is what `postmap -F` makes: the files' contents in base64; or the files' names.
 */
static bool
read_value (const GString *value, GString *out, GError **error)
{
    enum { MAX_VALUE = 1 << 20 };
    HkSpan rest = hk_span_string (value), word;
    if (value->len == 0 || value->str[0] != '/') {
        gsize size;
        g_autofree guchar *pem = g_base64_decode (value->str, &size);
        g_string_append_len (out, (const char *) pem, (gssize) size);
        explicit_bzero (pem, size);
        return true;
    }
    while (hk_text_next_word (&rest, &word)) {
        g_autofree char *path = hk_span_dup (word), *text = NULL;
        gsize size;
        if (!g_file_get_contents (path, &text, &size, error))
            return false;
        if (size + out->len > MAX_VALUE) {
            g_set_error (error, HK_TLS_ERROR, HK_TLS_ERROR_FILE, "%s: too large", path);
            return false;
        }
        g_string_append_len (out, text, (gssize) size);
        explicit_bzero (text, size);
    }
    return true;
}

static void
use_name (HkSession *self, const char *name, HkAnswer answer, const GString *value,
          const char *reason)
{
    g_autoptr (GString) pem = g_string_new (NULL);
    g_autoptr (GString) client = g_string_new (NULL);
    g_autoptr (GError) error = NULL;
    hk_report_append_client (client, self);
    if (answer == HK_ABSENT)
        hk_report_text (self, HK_LOG_INFO,
                        "TLS SNI %s from %s not matched, using default chain", name,
                        client->str);
    else if (answer != HK_FOUND)
        hk_log (HK_LOG_WARNING, "tls_server_sni_maps: %s: %s", name,
                reason != NULL ? reason : "lookup failed");
    else
        read_value (value, pem, &error);
    if (error != NULL)
        g_string_truncate (pem, 0);
    hk_tls_chain (self->tls, hk_span_string (pem), error == NULL ? &error : NULL);
    if (error != NULL)
        hk_log (HK_LOG_WARNING, "tls_server_sni_maps: %s: %s", name, error->message);
    explicit_bzero (pem->str, pem->len);
}

static void
look_up_on_worker (void *data)
{
    NameLookup *lookup = data;
    lookup->answer = look_up (lookup->session->dialogue->tls->names, lookup->name,
                              lookup->value, &lookup->reason);
}

static void
looked_up (void *data)
{
    NameLookup *lookup = data;
    HkSession *session = lookup->session;
    session->is_busy = false;
    use_name (session, lookup->name, lookup->answer, lookup->value, lookup->reason);
    explicit_bzero (lookup->value->str, lookup->value->len);
    g_string_free (lookup->value, TRUE);
    g_free (lookup->name);
    g_free (lookup->reason);
    g_free (lookup);
    hk_session_shake (session);
}

void
hk_tls_on_name (HkTls *tls, const char *name, void *data)
{
    HkSession *self = data;
    HkSessionTls *t = self->dialogue->tls;
    (void) tls;
    NameLookup *lookup = g_new0 (NameLookup, 1);
    lookup->session = self;
    lookup->name = g_strdup (name);
    lookup->value = g_string_new (NULL);
    self->is_busy = true;
    if (hk_maps_may_block (t->names)) {
        hk_workers_run (self->dialogue->sessions->options.workers, look_up_on_worker,
                        looked_up, lookup);
        return;
    }
    look_up_on_worker (lookup);
    self->is_busy = false;
    use_name (self, name, lookup->answer, lookup->value, lookup->reason);
    explicit_bzero (lookup->value->str, lookup->value->len);
    g_string_free (lookup->value, TRUE);
    g_free (lookup->name);
    g_free (lookup->reason);
    g_free (lookup);
}
