/* restriction_sasl.c: reject_*_sender_login_mismatch: may this login name use this sender?
 * check_sasl_access: what a table says about the login name.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../table.h"

typedef struct {
    const HkHost *host;
    HkTable *owners; /* smtpd_sender_login_maps; NULL: AUTH is off */
} SaslRestriction;

static HkAnswer
sasl_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkTable *owners = NULL;
    /* Nobody can log in: as in Postfix nobody is refused for it. */
    if (host->conf_int (conf, "smtpd_sasl_auth_enable") == 0) {
        host->log (host, HK_LOG_WARNING,
                   "reject_*_sender_login_mismatch ignored: smtpd_sasl_auth_enable is off");
    } else {
        HkAnswer answer = host->table_open (
            host, call, host->conf_string (conf, "smtpd_sender_login_maps"), &owners);
        if (answer != HK_OK)
            return answer;
    }
    SaslRestriction *self = g_new0 (SaslRestriction, 1);
    self->host = host;
    self->owners = owners;
    *out_instance = self;
    return HK_OK;
}

static void
sasl_close (void *instance)
{
    SaslRestriction *self = instance;
    if (self->owners != NULL)
        self->host->table_close (self->owners);
    g_free (self);
}

static bool
is_same_name (HkSpan a, const char *b)
{
    g_autofree char *name = g_strndup ((const char *) a.data, a.size);
    if (!g_utf8_validate (name, -1, NULL) || !g_utf8_validate (b, -1, NULL))
        return g_ascii_strcasecmp (name, b) == 0;
    g_autofree char *x = g_utf8_casefold (name, -1);
    g_autofree char *y = g_utf8_casefold (b, -1);
    return strcmp (x, y) == 0;
}

/* OWNERS: names parted by blanks and commas. */
static bool
is_owner (HkSpan owners, HkSpan user)
{
    g_autofree char *text = g_strndup ((const char *) owners.data, owners.size);
    g_auto (GStrv) names = g_strsplit_set (text, ", \t\r\n", -1);
    for (char **n = names; *n != NULL; n++)
        if (**n != '\0' && is_same_name (user, *n))
            return true;
    return false;
}

/* The null sender belongs to nobody and everybody. */
static bool
has_sender (const SaslRestriction *self, HkCall *call, HkSpan *out)
{
    return self->owners != NULL && self->host->prop (call, HK_PROP_SENDER, out) == HK_FOUND && out->size > 0;
}

static bool
is_logged_in (const SaslRestriction *self, HkCall *call, HkSpan *out)
{
    return self->host->prop (call, HK_PROP_SASL_USERNAME, out) == HK_FOUND && out->size > 0;
}

/* As Postfix asks: in standard form. */
static HkAnswer
find_owners (const SaslRestriction *self, HkCall *call, HkSpan sender, HkSpan *out)
{
    HkSpan standard;
    if (self->host->prop (call, HK_PROP_SENDER_STANDARD, &standard) == HK_FOUND &&
        standard.size > 0)
        sender = standard;
    return self->host->table_search (self->owners, call, HK_SEARCH_VIRTUAL, sender, out);
}

/* A client that has logged in.  TAKES_UNKNOWN: addresses without an owner are free. */
static HkAnswer
check_login (const SaslRestriction *self, HkCall *call, bool takes_unknown)
{
    HkSpan sender, user, owners;
    if (!has_sender (self, call, &sender) || !is_logged_in (self, call, &user))
        return HK_DUNNO;
    HkAnswer answer =
        find_owners (self, call, sender, &owners);
    if (answer == HK_LATER || answer == HK_BROKEN)
        return answer;
    if (answer == HK_FOUND ? is_owner (owners, user) : takes_unknown)
        return HK_DUNNO;
    return self->host->reply (call, HK_REJECT, 553, "5.7.1",
                              "<%.*s>: Sender address rejected: not owned by user %.*s",
                              ARG (sender), ARG (user));
}

/* A client that has not. */
static HkAnswer
check_stranger (const SaslRestriction *self, HkCall *call)
{
    HkSpan sender, user, owners;
    if (!has_sender (self, call, &sender) || is_logged_in (self, call, &user))
        return HK_DUNNO;
    HkAnswer answer =
        find_owners (self, call, sender, &owners);
    if (answer == HK_LATER || answer == HK_BROKEN)
        return answer;
    if (answer != HK_FOUND)
        return HK_DUNNO;
    return self->host->reply (call, HK_REJECT, 553, "5.7.1",
                              "<%.*s>: Sender address rejected: not logged in",
                              ARG (sender));
}

static HkAnswer
check_authenticated (void *instance, HkCall *call)
{
    return check_login (instance, call, false);
}

static HkAnswer
check_unauthenticated (void *instance, HkCall *call)
{
    return check_stranger (instance, call);
}

static HkAnswer
check_both (void *instance, HkCall *call)
{
    HkAnswer answer = check_login (instance, call, false);
    return answer == HK_DUNNO ? check_stranger (instance, call) : answer;
}

static HkAnswer
check_known (void *instance, HkCall *call)
{
    HkAnswer answer = check_login (instance, call, true);
    return answer == HK_DUNNO ? check_stranger (instance, call) : answer;
}

static HkAnswer
check_access (void *instance, HkCall *call)
{
    return table_word_check (instance, call, HK_PROP_SASL_USERNAME, HK_SEARCH_EXACT);
}

static const HkParam sasl_params[] = {
    {.name = "smtpd_sender_login_maps",
     .type = HK_PARAM_STRING,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "",
     .help = "Tables with the login names that own a sender address: user@domain, user, "
             "@domain."},
    {.name = NULL},
};

#define OWNER_WORD(symbol, word, checker)                                                  \
    WORD_CLASS (symbol, word, 0, HK_THREAD_SAFE, sasl_params, sasl_open, sasl_close,        \
                checker, HK_NEEDS_SENDER)

OWNER_WORD (both, "reject_sender_login_mismatch", check_both);
OWNER_WORD (authenticated, "reject_authenticated_sender_login_mismatch", check_authenticated);
OWNER_WORD (unauthenticated, "reject_unauthenticated_sender_login_mismatch",
      check_unauthenticated);
OWNER_WORD (known, "reject_known_sender_login_mismatch", check_known);
TABLE_WORD (access_table, "check_sasl_access", NULL, check_access, 0);

HK_PLUGIN (restriction_sasl, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "who may use which sender; check_sasl_access",
           .classes = HK_CLASSES (&both.base, &authenticated.base, &unauthenticated.base,
                                  &known.base, &access_table.base))
