/* xforward.c: XFORWARD: what the one before us says about the message that comes next. */
#include "config.h"
#include "session/session_priv.h"

#include "session/attributes.h"

void
hk_forward_free (HkForward *self)
{
    if (self == NULL)
        return;
    g_free (self->name);
    g_free (self->address);
    g_free (self->port);
    g_free (self->helo);
    g_free (self->protocol);
    g_free (self->ident);
    g_free (self);
}

void
hk_session_forget_forward (HkSession *self)
{
    g_clear_pointer (&self->forward, hk_forward_free);
}

static void
set (char **field, const char *value)
{
    g_free (*field);
    *field = g_strdup (value);
}

/* XFORWARD_README: the first command makes all of them [UNAVAILABLE]. */
static HkForward *
forward_new (void)
{
    HkForward *self = g_new0 (HkForward, 1);
    self->name = g_strdup ("unknown");
    self->address = g_strdup ("unknown");
    self->protocol = g_strdup ("unknown");
    return self;
}

static bool
take_source (HkForward *f, const GString *value, HkRefusal *refusal)
{
    if (hk_attribute_is_unavailable (value))
        f->source = HK_SOURCE_UNKNOWN;
    else if (g_ascii_strcasecmp (value->str, "LOCAL") == 0)
        f->source = HK_SOURCE_LOCAL;
    else if (g_ascii_strcasecmp (value->str, "REMOTE") == 0)
        f->source = HK_SOURCE_REMOTE;
    else
        return hk_attribute_bad ("SOURCE", value, refusal);
    return true;
}

static bool
take (void *data, HkSpan name, const GString *value, HkRefusal *refusal)
{
    HkForward *f = data;
    bool is_absent = hk_attribute_is_unavailable (value);
    g_autoptr (GString) address = g_string_new (NULL);
    uint16_t port;
    if (hk_span_is_ci (name, "NAME")) {
        if (!is_absent && !hk_attribute_host ("NAME", value, refusal))
            return false;
        set (&f->name, is_absent ? "unknown" : value->str);
    } else if (hk_span_is_ci (name, "ADDR")) {
        if (!is_absent && !hk_attribute_address ("ADDR", value, address, refusal))
            return false;
        set (&f->address, is_absent ? "unknown" : address->str);
    } else if (hk_span_is_ci (name, "PORT")) {
        if (!is_absent && !hk_attribute_port ("PORT", value, &port, refusal))
            return false;
        set (&f->port, is_absent ? NULL : value->str);
    } else if (hk_span_is_ci (name, "HELO")) {
        set (&f->helo, is_absent ? NULL : value->str);
    } else if (hk_span_is_ci (name, "PROTO")) {
        if (value->len > 64)
            return hk_attribute_bad ("PROTO", value, refusal);
        set (&f->protocol, is_absent ? "unknown" : value->str);
    } else if (hk_span_is_ci (name, "IDENT")) {
        set (&f->ident, is_absent ? NULL : value->str);
    } else if (hk_span_is_ci (name, "SOURCE")) {
        return take_source (f, value, refusal);
    } else {
        return hk_attribute_bad_name ("XFORWARD", name, refusal);
    }
    return true;
}

void
hk_session_xforward (HkSession *self, HkSpan argument)
{
    HkRefusal refusal;
    if (!hk_session_may_tell (self, "XFORWARD", self->may_xforward, argument))
        return;
    if (self->forward == NULL)
        self->forward = forward_new ();
    if (hk_attributes_take (argument, take, self->forward, &refusal))
        hk_session_say_literal (self, "250 2.0.0 Ok\r\n");
    else
        hk_session_refuse (self, refusal.code, refusal.dsn, "%s", refusal.text);
}
