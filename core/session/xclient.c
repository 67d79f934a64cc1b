/* xclient.c: XCLIENT: an authorized client speaks for another, whose session begins anew. */
#include "config.h"
#include "session/session_priv.h"

#include "session/attributes.h"

/* What one command says; nothing of it counts when a part of it is wrong. */
typedef struct {
    char *name, *reverse, *address, *helo, *login, *server_address;
    int name_code;
    uint16_t port, server_port;
    bool has_helo, has_proto, has_port, has_server_port, is_esmtp;
} Claim;

static void
claim_clear (Claim *self)
{
    g_free (self->name);
    g_free (self->reverse);
    g_free (self->address);
    g_free (self->helo);
    g_free (self->login);
    g_free (self->server_address);
}

static void
set (char **field, const char *value)
{
    g_free (*field);
    *field = g_strdup (value);
}

/* A name that could not be found comes as "unknown" with the code that says why. */
static bool
take_name (Claim *c, bool is_reverse, const GString *value, HkRefusal *refusal)
{
    bool is_later = g_ascii_strcasecmp (value->str, "[TEMPUNAVAIL]") == 0;
    bool is_known = !is_later && !hk_attribute_is_unavailable (value);
    const char *label = is_reverse ? "REVERSE_NAME" : "NAME";
    if (is_known && !hk_attribute_host (label, value, refusal))
        return false;
    if (!is_reverse) {
        set (&c->name, is_known ? value->str : "unknown");
        c->name_code = is_known ? 0 : is_later ? 4 : 5;
    }
    if (is_reverse || is_known)
        set (&c->reverse, is_known ? value->str : "unknown");
    return true;
}

static bool
take_address (const char *label, const GString *value, char **out, HkRefusal *refusal)
{
    g_autoptr (GString) address = g_string_new (NULL);
    if (hk_attribute_is_unavailable (value))
        g_string_append (address, "unknown");
    else if (!hk_attribute_address (label, value, address, refusal))
        return false;
    set (out, address->str);
    return true;
}

static bool
take_port (const char *label, const GString *value, uint16_t *out, bool *out_has,
           HkRefusal *refusal)
{
    *out = 0;
    *out_has = true;
    return hk_attribute_is_unavailable (value) ||
           hk_attribute_port (label, value, out, refusal);
}

static bool
take_proto (Claim *c, const GString *value, HkRefusal *refusal)
{
    c->has_proto = true;
    c->is_esmtp = g_ascii_strcasecmp (value->str, "ESMTP") == 0;
    return c->is_esmtp || g_ascii_strcasecmp (value->str, "SMTP") == 0 ||
           hk_attribute_bad ("PROTO", value, refusal);
}

static bool
take (void *data, HkSpan name, const GString *value, HkRefusal *refusal)
{
    Claim *c = data;
    bool is_absent = hk_attribute_is_unavailable (value);
    if (hk_span_is_ci (name, "NAME"))
        return take_name (c, false, value, refusal);
    if (hk_span_is_ci (name, "REVERSE_NAME"))
        return take_name (c, true, value, refusal);
    if (hk_span_is_ci (name, "ADDR"))
        return take_address ("ADDR", value, &c->address, refusal);
    if (hk_span_is_ci (name, "DESTADDR"))
        return take_address ("DESTADDR", value, &c->server_address, refusal);
    if (hk_span_is_ci (name, "PORT"))
        return take_port ("PORT", value, &c->port, &c->has_port, refusal);
    if (hk_span_is_ci (name, "DESTPORT"))
        return take_port ("DESTPORT", value, &c->server_port, &c->has_server_port, refusal);
    if (hk_span_is_ci (name, "PROTO"))
        return take_proto (c, value, refusal);
    if (hk_span_is_ci (name, "HELO")) {
        c->has_helo = true;
        set (&c->helo, is_absent ? NULL : value->str);
    } else if (hk_span_is_ci (name, "LOGIN")) {
        set (&c->login, is_absent ? NULL : value->str);
    } else {
        return hk_attribute_bad_name ("XCLIENT", name, refusal);
    }
    return true;
}

static void
replace (char **field, char **value)
{
    if (*value == NULL)
        return;
    g_free (*field);
    *field = g_steal_pointer (value);
}

/* XCLIENT_README: back to the greeting, but for what this command said. */
static void
apply (HkSession *self, Claim *c)
{
    if (c->name != NULL)
        self->client_name_code = (uint16_t) c->name_code;
    replace (&self->client_name, &c->name);
    replace (&self->client_reverse, &c->reverse);
    if (c->address != NULL)
        g_strlcpy (self->client_address, c->address, sizeof self->client_address);
    if (c->server_address != NULL)
        g_strlcpy (self->server_address, c->server_address, sizeof self->server_address);
    if (c->has_port)
        self->client_port = c->port;
    if (c->has_server_port)
        self->server_port = c->server_port;
    self->is_unix = self->is_unix && c->address == NULL;
    g_free (self->helo);
    self->helo = g_steal_pointer (&c->helo);
    self->is_esmtp = c->has_proto && c->is_esmtp;
    g_free (self->xclient_login);
    self->xclient_login = g_steal_pointer (&c->login);
    self->is_denied = false;
    hk_auth_forget (self); /* whoever spoke before, this one did not */
    hk_session_reset (self);
    hk_session_forget_forward (self);
}

bool
hk_session_may_tell (HkSession *self, const char *command, bool may, HkSpan argument)
{
    if (self->tx != NULL)
        hk_session_refuse (self, 503, "5.5.1", "Error: MAIL transaction in progress");
    else if (argument.size == 0)
        hk_session_refuse (self, 501, "5.5.4", "Syntax: %s attribute=value...", command);
    else if (!may)
        hk_session_refuse (self, 550, "5.7.0", "Error: insufficient authorization");
    else
        return true;
    return false;
}

void
hk_session_xclient (HkSession *self, HkSpan argument)
{
    HkRefusal refusal;
    Claim claim = {.name = NULL};
    if (!hk_session_may_tell (self, "XCLIENT", self->may_xclient, argument))
        return;
    if (!hk_attributes_take (argument, take, &claim, &refusal)) {
        hk_session_refuse (self, refusal.code, refusal.dsn, "%s", refusal.text);
    } else {
        apply (self, &claim);
        hk_guard_know_client (self, hk_session_welcome);
    }
    claim_clear (&claim);
}
