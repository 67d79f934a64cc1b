/* pem.c: files of keys and certificates, taken apart without looking inside. */
#include "config.h"

#include "tls/tls_priv.h"

void
hk_tls_wipe (char *data, size_t size)
{
    if (data == NULL)
        return;
    gnutls_memset (data, 0, size);
    free (data);
}

void
hk_tls_pem_free (void *pem)
{
    HkTlsPem *self = pem;
    gnutls_memset (self->key->str, 0, self->key->len);
    g_string_free (self->key, TRUE);
    g_string_free (self->chain, TRUE);
    g_free (self);
}

static HkSpan
find (HkSpan text, const char *what)
{
    const void *at =
        text.size == 0 ? NULL : memmem (text.data, text.size, what, strlen (what));
    if (at == NULL)
        return HK_SPAN_NONE;
    return hk_span (at, text.size - (size_t) ((const uint8_t *) at - text.data));
}

/* Next block of TEXT, which moves on, and its label.  False: none, or it does not end. */
static bool
next_block (HkSpan *text, HkSpan *out_block, HkSpan *out_label)
{
    static const char begin[] = "-----BEGIN ", dashes[] = "-----", end[] = "-----END ";
    HkSpan block = find (*text, begin);
    HkSpan label = hk_span_sub (block, sizeof begin - 1, block.size);
    HkSpan tail = find (label, dashes);
    if (tail.data == NULL)
        return false;
    label.size = (size_t) (tail.data - label.data);
    HkSpan last = find (tail, end);
    HkSpan rest = find (hk_span_sub (last, sizeof end - 1, last.size), dashes);
    if (rest.data == NULL || memchr (label.data, '\n', label.size) != NULL)
        return false;
    *text = hk_span_sub (rest, sizeof dashes - 1, rest.size);
    block.size = (size_t) (text->data - block.data);
    *out_block = block;
    *out_label = label;
    return true;
}

static bool
ends_with (HkSpan s, const char *tail)
{
    size_t n = strlen (tail);
    return s.size >= n && memcmp (s.data + s.size - n, tail, n) == 0;
}

static GPtrArray *
fail (GError **error, const char *file, const char *what)
{
    g_set_error (error, HK_TLS_ERROR, HK_TLS_ERROR_FILE, "%s: %s", file, what);
    return NULL;
}

GPtrArray *
hk_tls_pem_split (HkSpan text, const char *file, GError **error)
{
    g_autoptr (GPtrArray) out = g_ptr_array_new_with_free_func (hk_tls_pem_free);
    HkTlsPem *last = NULL;
    HkSpan block, label;
    while (next_block (&text, &block, &label)) {
        if (ends_with (label, "PRIVATE KEY")) {
            if (last != NULL && last->chain->len == 0)
                return fail (error, file, "a key is not followed by its certificate");
            last = g_new0 (HkTlsPem, 1);
            last->key = g_string_sized_new (block.size + 2);
            last->chain = g_string_new (NULL);
            g_ptr_array_add (out, last);
            hk_string_append (last->key, block);
            g_string_append_c (last->key, '\n');
        } else if (ends_with (label, "CERTIFICATE")) {
            if (last == NULL)
                return fail (error, file, "a certificate stands before the first key");
            hk_string_append (last->chain, block);
            g_string_append_c (last->chain, '\n');
        }
    }
    if (last == NULL)
        return fail (error, file, "holds no private key");
    if (last->chain->len == 0)
        return fail (error, file, "a key is not followed by its certificate");
    return g_steal_pointer (&out);
}
