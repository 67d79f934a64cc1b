/* lookup_ldap_quote.c: keys inside filters and names, whatever bytes they hold.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_ldap.h"

/* RFC 4515 3: what has a meaning is written as its number; so is all that is not ASCII
 * text, which means the same. */
void
lookup_ldap_quote_filter (GString *out, HkSpan text, void *data)
{
    (void) data;
    for (size_t i = 0; i < text.size; i++) {
        guint8 c = text.data[i];
        if (c < 0x20 || c >= 0x7f || strchr ("*()\\", c) != NULL)
            g_string_append_printf (out, "\\%02x", c);
        else
            g_string_append_c (out, (char) c);
    }
}

/* RFC 4514 2.4.  A blank or '#' is quoted anywhere: it may come to stand first or last. */
void
lookup_ldap_quote_dn (GString *out, HkSpan text, void *data)
{
    (void) data;
    for (size_t i = 0; i < text.size; i++) {
        guint8 c = text.data[i];
        if (c < 0x20 || c >= 0x7f)
            g_string_append_printf (out, "\\%02x", c);
        else if (strchr (" \"#+,;<=>\\", c) != NULL)
            g_string_append_printf (out, "\\%c", c);
        else
            g_string_append_c (out, (char) c);
    }
}
