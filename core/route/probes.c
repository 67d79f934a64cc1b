/* probes.c: what is different for address probes (verify(8)): parameters, and their sender.
 */
#include "route/route_priv.h"

/* Digits of the time in the sender: no vowels, so no words. */
static const char digits[] = "0123456789BCDFGHJKLMNPQRSTVWXYZ";
enum { BASE = sizeof digits - 1 };

static const char *const names[][2] = {
    {"local_transport", "address_verify_local_transport"},
    {"virtual_transport", "address_verify_virtual_transport"},
    {"relay_transport", "address_verify_relay_transport"},
    {"default_transport", "address_verify_default_transport"},
    {"relayhost", "address_verify_relayhost"},
    {"transport_maps", "address_verify_transport_maps"},
    {"sender_dependent_relayhost_maps", "address_verify_sender_dependent_relayhost_maps"},
    {"sender_dependent_default_transport_maps",
     "address_verify_sender_dependent_default_transport_maps"},
};

const char *
hk_route_probe_name (const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
        if (strcmp (names[i][0], name) == 0)
            return names[i][1];
    return name;
}

bool
hk_route_probes_differ (HkSettings *settings)
{
    for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
        if (strcmp (hk_settings_get (settings, names[i][0]),
                    hk_settings_get (settings, names[i][1])) != 0)
            return true;
    return false;
}

/* ---- the sender
 * ---------------------------------------------------------------------------- */

/* address_verify_sender in standard form; empty: the null sender. */
static void
base_sender (HkRouter *self, GString *out)
{
    HkSpan text = hk_span_text (hk_settings_get (self->settings, "address_verify_sender"));
    g_string_truncate (out, 0);
    if (!hk_span_is (text, "<>"))
        hk_router_rewrite (self, text, out);
}

static int64_t
period (HkRouter *self)
{
    return hk_settings_int (self->settings, "address_verify_sender_ttl");
}

static void
put_time (GString *out, gssize at, uint64_t number)
{
    do
        g_string_insert_c (out, at, digits[number % BASE]);
    while ((number /= BASE) > 0);
}

void
hk_router_probe_sender (HkRouter *self, int64_t now_s, GString *out)
{
    HkSpan local, domain;
    int64_t ttl = period (self);
    base_sender (self, out);
    if (ttl <= 0 || out->len == 0)
        return;
    hk_address_split (hk_span_string (out), &local, &domain);
    put_time (out, (gssize) local.size, (uint64_t) (now_s / ttl));
}

static bool
read_time (HkSpan text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.size; i++) {
        const char *digit = strchr (digits, g_ascii_toupper ((char) text.data[i]));
        if (text.data[i] == '\0' || digit == NULL || *out > UINT64_MAX / BASE - BASE)
            return false;
        *out = *out * BASE + (uint64_t) (digit - digits);
    }
    return text.size > 0;
}

/* A probe may have been sent at the end of one period and be answered in the next. */
static bool
is_of_now (HkSpan text, int64_t now_s, int64_t ttl)
{
    uint64_t then, now = (uint64_t) (now_s / ttl);
    return read_time (text, &then) && then + 1 >= now && then <= now + 1;
}

bool
hk_router_is_probe_sender (HkRouter *self, HkSpan address, int64_t now_s, GString *out)
{
    HkSpan base_local, base_domain, local, domain;
    g_autoptr (GString) standard = g_string_sized_new (address.size + 32);
    int64_t ttl = period (self);
    base_sender (self, out);
    if (out->len == 0 || address.size == 0)
        return false;
    hk_router_rewrite (self, address, standard);
    hk_address_split (hk_span_string (out), &base_local, &base_domain);
    hk_address_split (hk_span_string (standard), &local, &domain);
    if (!hk_span_equal_ci (base_domain, domain) || !hk_span_starts_ci (local, base_local))
        return false;
    HkSpan rest = hk_span_sub (local, base_local.size, local.size);
    return ttl > 0 ? is_of_now (rest, now_s, ttl) : rest.size == 0;
}
