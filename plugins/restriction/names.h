/* names.h: is this a host name, is it complete, which domain has an address?  Static
 * functions only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_RESTRICTION_NAMES_H
#define HK_PLUGINS_RESTRICTION_NAMES_H

#include <arpa/inet.h>
#include <glib.h>
#include <hikyaku/plugin.h>
#include <stdbool.h>
#include <string.h>

#define NAME_SIZE 255
#define NAME_LABEL_SIZE 63

static inline bool
is_label_byte (uint8_t c)
{
    return g_ascii_isalnum (c) || c == '-' || c == '_' || c >= 0x80;
}

/* Each label: 1 to 63 bytes, no hyphen at its ends. */
static inline bool
has_valid_labels (HkSpan name, unsigned *out_n, bool *out_is_number)
{
    size_t begin = 0;
    *out_n = 0;
    *out_is_number = true;
    for (size_t i = 0; i <= name.size; i++) {
        if (i < name.size && name.data[i] != '.') {
            if (!is_label_byte (name.data[i]))
                return false;
            continue;
        }
        size_t length = i - begin;
        if (length == 0 || length > NAME_LABEL_SIZE || name.data[begin] == '-' ||
            name.data[i - 1] == '-')
            return false;
        for (size_t k = begin; k < i; k++)
            *out_is_number &= g_ascii_isdigit (name.data[k]);
        begin = i + 1;
        (*out_n)++;
    }
    return true;
}

static inline HkSpan
without_last_dot (HkSpan name)
{
    if (name.size > 1 && name.data[name.size - 1] == '.')
        name.size--;
    return name;
}

/* RFC 1123 names, underscore tolerated; not all digits. */
static inline bool
name_is_hostname (HkSpan name)
{
    unsigned n;
    bool is_number = false;
    name = without_last_dot (name);
    if (name.size == 0 || name.size > NAME_SIZE)
        return false;
    return has_valid_labels (name, &n, &is_number) && !is_number;
}

/* ... with an inner dot. */
static inline bool
name_is_fqdn (HkSpan name)
{
    unsigned n;
    bool is_number = false;
    name = without_last_dot (name);
    if (name.size == 0 || name.size > NAME_SIZE)
        return false;
    return has_valid_labels (name, &n, &is_number) && !is_number && n > 1;
}

/* 192.0.2.1, 2001:db8::1 */
static inline bool
name_is_address (HkSpan name)
{
    char text[64];
    unsigned char bytes[16];
    if (name.size == 0 || name.size >= sizeof text)
        return false;
    memcpy (text, name.data, name.size);
    text[name.size] = '\0';
    return inet_pton (AF_INET, text, bytes) == 1 || inet_pton (AF_INET6, text, bytes) == 1;
}

/* [192.0.2.1], [IPv6:…] */
static inline bool
name_is_literal (HkSpan name)
{
    char text[64];
    unsigned char bytes[16];
    if (name.size < 3 || name.size >= sizeof text || name.data[0] != '[' ||
        name.data[name.size - 1] != ']')
        return false;
    memcpy (text, name.data + 1, name.size - 2);
    text[name.size - 2] = '\0';
    if (g_ascii_strncasecmp (text, "IPv6:", 5) == 0)
        return inet_pton (AF_INET6, text + 5, bytes) == 1;
    return inet_pton (AF_INET, text, bytes) == 1;
}

/* What stands behind the last @ outside quotes; empty: none. */
static inline HkSpan
address_domain (HkSpan address)
{
    bool is_quoted = false;
    size_t at = address.size;
    for (size_t i = 0; i < address.size; i++) {
        if (is_quoted && address.data[i] == '\\')
            i++;
        else if (address.data[i] == '"')
            is_quoted = !is_quoted;
        else if (address.data[i] == '@' && !is_quoted)
            at = i;
    }
    if (at == address.size)
        return (HkSpan){NULL, 0};
    return (HkSpan){address.data + at + 1, address.size - at - 1};
}

/* The domain of ADDRESS is fully qualified or a literal; a bare local part is not. */
static inline bool
address_is_fqdn (HkSpan address)
{
    HkSpan domain = address_domain (address);
    return name_is_literal (domain) || name_is_fqdn (domain);
}

#endif
