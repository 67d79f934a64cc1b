/* rewrite.c: addresses in standard form, as trivial-rewrite(8) makes them. */
#include "route/route_priv.h"

/* @a,@b:user@c: the route is a hint that nobody has to follow (RFC 5321 appendix C). */
static HkSpan
without_source_route (HkSpan address)
{
    if (address.size == 0 || address.data[0] != '@')
        return address;
    size_t colon = hk_span_find (address, ':', 0);
    return colon == address.size ? address : hk_span_sub (address, colon + 1, address.size);
}

static bool
is_quoted (HkSpan local)
{
    return local.size > 0 && local.data[0] == '"';
}

/* The last '%' in LOCAL, or its size. */
static void
append_bare (HkRouter *self, HkSpan local, GString *out)
{
    size_t bang = hk_span_find (local, '!', 0), percent = hk_span_rfind (local, '%');
    if (is_quoted (local))
        bang = percent = local.size;
    if (self->swap_bangpath && bang > 0 && bang + 1 < local.size) {
        hk_string_append (out, hk_span_sub (local, bang + 1, local.size));
        g_string_append_c (out, '@');
        hk_string_append (out, hk_span_sub (local, 0, bang));
        return;
    }
    if (self->percent_hack && percent > 0 && percent + 1 < local.size) {
        hk_string_append (out, hk_span_sub (local, 0, percent));
        g_string_append_c (out, '@');
        hk_string_append (out, hk_span_sub (local, percent + 1, local.size));
        return;
    }
    hk_string_append (out, local);
    if (self->append_at_myorigin && local.size > 0) {
        g_string_append_c (out, '@');
        g_string_append (out, self->myorigin);
    }
}

static void
complete_domain (HkRouter *self, GString *out)
{
    HkSpan local, domain;
    if (!hk_address_split (hk_span_string (out), &local, &domain) || domain.size == 0)
        return;
    /* One dot at the end goes; ".." and "@." are left for the syntax check to refuse. */
    if (domain.size > 1 && domain.data[domain.size - 1] == '.' &&
        domain.data[domain.size - 2] != '.') {
        g_string_truncate (out, out->len - 1);
        domain.size--;
    }
    if (self->append_dot_mydomain && domain.data[0] != '[' &&
        hk_span_find (domain, '.', 0) == domain.size) {
        g_string_append_c (out, '.');
        g_string_append (out, self->mydomain);
    }
}

void
hk_router_rewrite (HkRouter *self, HkSpan address, GString *out)
{
    HkSpan local, domain;
    g_string_truncate (out, 0);
    address = without_source_route (address);
    if (address.size == 0)
        return;
    if (hk_address_split (address, &local, &domain) && domain.size > 0)
        hk_string_append (out, address);
    else
        append_bare (self, local.size > 0 ? local : address, out);
    complete_domain (self, out);
}

bool
hk_router_is_standard (HkRouter *self, HkSpan address)
{
    HkSpan local, domain;
    if (address.size == 0)
        return true;
    if (address.data[0] == '@' || !hk_address_split (address, &local, &domain) ||
        domain.size == 0 || domain.data[domain.size - 1] == '.')
        return false;
    return !self->append_dot_mydomain || domain.data[0] == '[' ||
           hk_span_find (domain, '.', 0) < domain.size;
}
