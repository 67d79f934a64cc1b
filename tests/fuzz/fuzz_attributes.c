/* fuzz_attributes.c: XCLIENT's and XFORWARD's attributes, and the lists of postscreen and of
 * smtpd_rate_limits that an administrator writes: values are short and harmless in a header. */
#include "config.h"

#include "session/attributes.h"
#include "session/guard.h"
#include "session/screen.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
check_attributes (HkSpan rest)
{
    g_autoptr (GString) value = g_string_new (NULL), address = g_string_new (NULL);
    HkRefusal refusal;
    HkSpan name;
    uint16_t port;
    while (hk_attribute_next (&rest, &name, value, &refusal) == HK_ATTRIBUTE_OK) {
        g_assert (value->len <= 255 && name.size > 0);
        for (size_t i = 0; i < value->len; i++)
            g_assert (value->str[i] > ' ' && value->str[i] <= '~' &&
                      strchr ("<>()\\\";@", value->str[i]) == NULL);
        hk_attribute_host ("NAME", value, &refusal);
        hk_attribute_port ("PORT", value, &port, &refusal);
        g_string_truncate (address, 0);
        if (hk_attribute_address ("ADDR", value, address, &refusal))
            g_assert (address->len > 0 && address->len < 64);
    }
}

static void
check_lists (HkSpan input)
{
    static const uint8_t address[4] = {127, 0, 0, 2};
    g_autofree char *text = hk_span_dup (input);
    GPtrArray *sites = hk_screen_sites_parse (text, NULL);
    for (guint i = 0; sites != NULL && i < sites->len; i++)
        hk_screen_site_matches (g_ptr_array_index (sites, i), address);
    if (sites != NULL)
        g_ptr_array_unref (sites);
    GArray *rules = hk_rate_rules_parse (text, NULL);
    if (rules != NULL)
        g_array_unref (rules);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size < 1 || size > 10000)
        return 0;
    if (data[0] & 1)
        check_attributes (hk_span (data + 1, size - 1));
    else
        check_lists (hk_span (data + 1, size - 1));
    return 0;
}
