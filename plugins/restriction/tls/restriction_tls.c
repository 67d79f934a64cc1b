/* restriction_tls.c: permit_tls_clientcerts, permit_tls_all_clientcerts,
 * check_ccert_access: decisions by the certificate that a client has shown.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <hikyaku/restriction.h>
#include <string.h>

enum { MAX_TABLES = 16, N_KEYS = 2 };

typedef struct {
    const HkHost *host;
    HkTable *tables[MAX_TABLES];
    size_t n_tables;
    uint32_t keys[N_KEYS]; /* HK_PROP_* to look up, in this order */
    size_t n_keys;
} TlsRestriction;

/* ---- words ------------------------------------------------------------------------------
 */

static int
is_blank (uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',';
}

/* Next word of *REST; "{ … }" is one.  0: no more. */
static int
next_word (HkSpan *rest, HkSpan *out)
{
    size_t n = 0, depth = 0;
    while (rest->size > 0 && is_blank (*rest->data)) {
        rest->data++;
        rest->size--;
    }
    for (; n < rest->size && (depth > 0 || !is_blank (rest->data[n])); n++) {
        depth += rest->data[n] == '{';
        depth -= rest->data[n] == '}' && depth > 0;
    }
    *out = (HkSpan){rest->data, n};
    rest->data += n;
    rest->size -= n;
    return n > 0;
}

/* The inside of "{ … }". */
static HkSpan
inside (HkSpan word)
{
    if (word.size < 2 || word.data[0] != '{' || word.data[word.size - 1] != '}')
        return word;
    return (HkSpan){word.data + 1, word.size - 2};
}

static int
is (HkSpan word, const char *text)
{
    return word.size == strlen (text) && memcmp (word.data, text, word.size) == 0;
}

/* ---- opening ----------------------------------------------------------------------------
 */

static void
tls_close (void *instance)
{
    TlsRestriction *self = instance;
    for (size_t i = 0; i < self->n_tables; i++)
        self->host->table_close (self->tables[i]);
    g_free (self);
}

static HkAnswer
add_table (TlsRestriction *self, HkCall *call, HkSpan spec)
{
    if (memchr (spec.data, ':', spec.size) == NULL)
        return self->host->broken (call, "bad argument \"%.*s\": need maptype:mapname",
                                   (int) spec.size, (const char *) spec.data);
    if (self->n_tables == MAX_TABLES)
        return self->host->broken (call, "more than %d tables", MAX_TABLES);
    HkAnswer answer =
        self->host->table_open (self->host, call, spec, &self->tables[self->n_tables]);
    self->n_tables += answer == HK_OK;
    return answer;
}

static TlsRestriction *
tls_new (const HkHost *host)
{
    TlsRestriction *self = g_new0 (TlsRestriction, 1);
    self->host = host;
    self->keys[0] = HK_PROP_TLS_FINGERPRINT;
    self->keys[1] = HK_PROP_TLS_KEY_FINGERPRINT;
    self->n_keys = N_KEYS;
    return self;
}

static HkAnswer
hand_over (TlsRestriction *self, HkAnswer answer, void **out_instance)
{
    if (answer == HK_OK)
        *out_instance = self;
    else
        tls_close (self);
    return answer;
}

static HkAnswer
open_listed (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    TlsRestriction *self = tls_new (host);
    HkSpan rest = host->conf_string (conf, "relay_clientcerts"), word;
    HkAnswer answer = HK_OK;
    while (answer == HK_OK && next_word (&rest, &word))
        answer = add_table (self, call, word);
    return hand_over (self, answer, out_instance);
}

static HkAnswer
open_all (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    (void) conf;
    (void) call;
    *out_instance = tls_new (host);
    return HK_OK;
}

/* "{ search_order = cert_fingerprint, pubkey_fingerprint }" */
static HkAnswer
read_order (TlsRestriction *self, HkCall *call, HkSpan rest)
{
    HkSpan word;
    if (!next_word (&rest, &word) || !is (word, "search_order") ||
        !next_word (&rest, &word) || !is (word, "="))
        return self->host->broken (call, "need \"{ search_order = name … }\"");
    self->n_keys = 0;
    while (next_word (&rest, &word)) {
        if (self->n_keys == N_KEYS ||
            (!is (word, "cert_fingerprint") && !is (word, "pubkey_fingerprint")))
            return self->host->broken (call, "search_order: bad name \"%.*s\"",
                                       (int) word.size, (const char *) word.data);
        self->keys[self->n_keys++] = is (word, "cert_fingerprint")
                                         ? HK_PROP_TLS_FINGERPRINT
                                         : HK_PROP_TLS_KEY_FINGERPRINT;
    }
    return self->n_keys > 0 ? HK_OK : self->host->broken (call, "search_order: no name");
}

static HkAnswer
open_access (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    TlsRestriction *self = tls_new (host);
    HkSpan rest = inside (host->conf_argument (conf)), word;
    HkAnswer answer = HK_OK;
    int has_table = next_word (&rest, &word);
    answer = has_table ? add_table (self, call, word)
                       : host->broken (call, "need maptype:mapname");
    if (answer == HK_OK && next_word (&rest, &word))
        answer = read_order (self, call, inside (word));
    return hand_over (self, answer, out_instance);
}

/* ---- checking ---------------------------------------------------------------------------
 */

/* What the tables say of the certificate, or of its key. */
static HkAnswer
search (const TlsRestriction *self, HkCall *call, HkSpan *out)
{
    for (size_t k = 0; k < self->n_keys; k++) {
        HkSpan key;
        if (self->host->prop (call, self->keys[k], &key) != HK_FOUND)
            continue;
        for (size_t i = 0; i < self->n_tables; i++) {
            HkAnswer answer = self->host->table_get (self->tables[i], call, key, out);
            if (answer != HK_ABSENT)
                return answer;
        }
    }
    return HK_ABSENT;
}

static HkAnswer
check_listed (void *instance, HkCall *call)
{
    HkSpan value;
    HkAnswer answer = search (instance, call, &value);
    return answer == HK_FOUND ? HK_PERMIT : answer == HK_ABSENT ? HK_DUNNO : answer;
}

static HkAnswer
check_all (void *instance, HkCall *call)
{
    const TlsRestriction *self = instance;
    int64_t is_trusted = 0;
    return self->host->prop_int (call, HK_PROP_TLS_TRUSTED, &is_trusted) == HK_FOUND &&
                   is_trusted
               ? HK_PERMIT
               : HK_DUNNO;
}

static HkAnswer
check_access (void *instance, HkCall *call)
{
    const TlsRestriction *self = instance;
    HkSpan value, list_subject = {NULL, 0};
    HkAnswer answer = search (self, call, &value);
    if (answer == HK_ABSENT)
        return HK_DUNNO;
    return answer == HK_FOUND ? self->host->action (call, value, list_subject) : answer;
}

static const HkParam tls_params[] = {
    {.name = "relay_clientcerts",
     .type = HK_PARAM_STRING,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "",
     .help =
         "Tables with the fingerprints of clients that permit_tls_clientcerts permits."},
    {.name = NULL},
};

#define WORD(symbol, word, words, opener, checker)                                         \
    static const HkRestrictionClass symbol = {                                             \
        .base = {.size = sizeof (HkRestrictionClass),                                      \
                 .kind = HK_KIND_RESTRICTION,                                              \
                 .class_minor = HK_RESTRICTION_MINOR,                                      \
                 .name = word,                                                             \
                 .flags = HK_THREAD_SAFE,                                                  \
                 .params = tls_params,                                                     \
                 .open = opener,                                                           \
                 .close = tls_close},                                                      \
        .n_words = words,                                                                  \
        .check = checker,                                                                  \
    }

WORD (listed, "permit_tls_clientcerts", 0, open_listed, check_listed);
WORD (all, "permit_tls_all_clientcerts", 0, open_all, check_all);
WORD (ccert, "check_ccert_access", 1, open_access, check_access);

HK_PLUGIN (restriction_tls, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "decisions by the client's TLS certificate",
           .classes = HK_CLASSES (&listed.base, &all.base, &ccert.base))
