/* attributes.c: the grammar of XCLIENT and XFORWARD: "NAME=value …", values in xtext. */
#include "config.h"
#include "session/attributes.h"

#include "base/text.h"
#include "mail/address.h"
#include "net/address.h"

enum { LONGEST = 255 }; /* XFORWARD_README, note 1 */

static void
refuse (HkRefusal *refusal, const char *text)
{
    refusal->code = 501;
    refusal->dsn = "5.5.4";
    g_strlcpy (refusal->text, text, sizeof refusal->text);
}

/* XFORWARD_README: no control characters, no blanks, nothing special in headers. */
static void
neuter (GString *value)
{
    for (size_t i = 0; i < value->len; i++)
        if (value->str[i] <= ' ' || value->str[i] > '~' ||
            strchr ("<>()\\\";@", value->str[i]) != NULL)
            value->str[i] = '?';
}

HkAttributeStep
hk_attribute_next (HkSpan *rest, HkSpan *out_name, GString *out_value, HkRefusal *refusal)
{
    *rest = hk_span_strip (*rest);
    if (rest->size == 0)
        return HK_ATTRIBUTE_END;
    size_t n = 0;
    while (n < rest->size && rest->data[n] != ' ' && rest->data[n] != '\t')
        n++;
    HkSpan word = hk_span_sub (*rest, 0, n);
    *rest = hk_span_sub (*rest, n, rest->size);
    size_t equals = hk_span_find (word, '=', 0);
    HkSpan value = hk_span_sub (word, equals + 1, word.size);
    if (value.size == 0 || equals == 0) {
        refuse (refusal, "Error: attribute=value expected");
        return HK_ATTRIBUTE_BAD;
    }
    if (value.size > LONGEST) {
        refuse (refusal, "Error: attribute value too long");
        return HK_ATTRIBUTE_BAD;
    }
    *out_name = hk_span_sub (word, 0, equals);
    g_string_truncate (out_value, 0);
    if (!hk_text_decode_xtext (value, out_value)) {
        g_string_truncate (out_value, 0);
        hk_string_append (out_value, value);
    }
    neuter (out_value);
    return HK_ATTRIBUTE_OK;
}

bool
hk_attribute_is_unavailable (const GString *value)
{
    return g_ascii_strcasecmp (value->str, "[UNAVAILABLE]") == 0;
}

bool
hk_attribute_bad (const char *name, const GString *value, HkRefusal *refusal)
{
    g_autofree char *text = g_strdup_printf ("Bad %s syntax: %.100s", name, value->str);
    refuse (refusal, text);
    return false;
}

bool
hk_attribute_host (const char *name, const GString *value, HkRefusal *refusal)
{
    HkAddress address;
    HkSpan host = hk_span_string (value);
    if (!hk_domain_is_valid (host, false) || hk_address_parse_ip (host, 0, &address))
        return hk_attribute_bad (name, value, refusal);
    return true;
}

bool
hk_attribute_address (const char *name, const GString *value, GString *out,
                      HkRefusal *refusal)
{
    HkAddress address;
    HkSpan ip = hk_span_string (value);
    char text[64];
    bool is_ipv6 = hk_span_starts_ci (ip, HK_SPAN ("IPV6:"));
    if (is_ipv6)
        ip = hk_span_sub (ip, 5, ip.size);
    if (!hk_address_parse_ip (ip, 0, &address) || hk_address_is_ipv6 (&address) != is_ipv6)
        return hk_attribute_bad (name, value, refusal);
    hk_address_unmap (&address);
    hk_address_text (&address, text);
    g_string_append (out, text);
    return true;
}

bool
hk_attribute_port (const char *name, const GString *value, uint16_t *out,
                   HkRefusal *refusal)
{
    uint64_t port;
    if (!hk_text_parse_u64 (hk_span_string (value), 65535, &port))
        return hk_attribute_bad (name, value, refusal);
    *out = (uint16_t) port;
    return true;
}

bool
hk_attribute_bad_name (const char *command, HkSpan name, HkRefusal *refusal)
{
    g_autofree char *text =
        g_strdup_printf ("Bad %s attribute name: %.*s", command,
                         (int) MIN (name.size, 100), (const char *) name.data);
    refuse (refusal, text);
    return false;
}

bool
hk_attributes_take (HkSpan argument, HkAttributeFn take, void *data, HkRefusal *refusal)
{
    HkSpan name;
    HkAttributeStep step;
    g_autoptr (GString) value = g_string_new (NULL);
    while ((step = hk_attribute_next (&argument, &name, value, refusal)) ==
           HK_ATTRIBUTE_OK)
        if (!take (data, name, value, refusal))
            return false;
    return step == HK_ATTRIBUTE_END;
}
