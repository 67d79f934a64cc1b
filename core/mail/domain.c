/* domain.c: host name and address literal syntax. */
#include "config.h"
#include "mail/address.h"
#include "mail/address_priv.h"

#include <arpa/inet.h>

bool
hk_addr_utf8_is_clean (HkSpan s)
{
    if (!g_utf8_validate ((const char *) s.data, (gssize) s.size, NULL))
        return false;
    for (size_t i = 0; i < s.size; i++) {
        if ((hk_addr_class[s.data[i]] & HK_ADDR_CONTROL) != 0)
            return false;
        /* U+0080 to U+009F are 0xC2 0x80 to 0xC2 0x9F: terminals obey some of them. */
        if (s.data[i] == 0xc2 && i + 1 < s.size && s.data[i + 1] < 0xa0)
            return false;
    }
    return true;
}

bool
hk_domain_is_valid (HkSpan domain, bool allow_utf8)
{
    if (domain.size == 0 || domain.size > HK_DOMAIN_MAX)
        return false;
    size_t label = 0;
    bool is_numeric = true, is_high = false;
    for (size_t i = 0; i < domain.size; i++) {
        uint8_t c = domain.data[i];
        unsigned class = hk_addr_class[c];
        if (c == '.') {
            if (label == 0 || domain.data[i - 1] == '-')
                return false;
            label = 0;
            continue;
        }
        if ((class & HK_ADDR_DOMAIN) == 0) {
            if (!allow_utf8 || (class & HK_ADDR_HIGH) == 0)
                return false;
            is_high = true;
        }
        if ((c == '-' && label == 0) || ++label > 63)
            return false;
        if ((class & HK_ADDR_DIGIT) == 0)
            is_numeric = false;
    }
    if (label == 0 || domain.data[domain.size - 1] == '-' || is_numeric)
        return false;
    return !is_high || hk_addr_utf8_is_clean (domain);
}

bool
hk_domain_is_literal (HkSpan domain)
{
    static const HkSpan ipv6 = {(const uint8_t *) "IPv6:", 5};
    char text[INET6_ADDRSTRLEN + 1];
    uint8_t bytes[16];
    if (domain.size < 3 || domain.data[0] != '[' || domain.data[domain.size - 1] != ']')
        return false;
    HkSpan inner = hk_span_sub (domain, 1, domain.size - 2);
    int family = AF_INET;
    if (hk_span_starts_ci (inner, ipv6)) {
        inner = hk_span_sub (inner, ipv6.size, inner.size);
        family = AF_INET6;
    }
    if (inner.size >= sizeof text || memchr (inner.data, '\0', inner.size) != NULL)
        return false;
    memcpy (text, inner.data, inner.size);
    text[inner.size] = '\0';
    return inet_pton (family, text, bytes) == 1;
}

bool
hk_domain_is_fqdn (HkSpan domain)
{
    if (!hk_domain_is_valid (domain, true))
        return false;
    return hk_span_find (domain, '.', 0) < domain.size; /* valid: the dot is an inner one */
}
