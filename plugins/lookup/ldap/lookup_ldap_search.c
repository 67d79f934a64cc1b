/* lookup_ldap_search.c: one search, with the referrals that come with it.
 *
 * What the server sends is copied and bounded: entries, values, bytes, referrals.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_ldap.h"

enum {
    BYTES_LIMIT = 32 << 20, /* of all values in one lookup */
    ENTRIES_LIMIT = 100000, /* of one search */
    MAX_REFERRALS = 32,     /* of one search */
    MAX_HOPS = 5            /* referrals in referrals */
};

typedef struct {
    LookupLdapClient *client;
    const LookupLdapSearch *search;
    GPtrArray *entries;
    size_t *bytes;
    gint64 deadline;
    int hops;
    GPtrArray *referrals; /* char **: each is one choice of URLs */
    guint n_before;       /* entries of earlier searches */
} Run;

static void
free_attribute (void *p)
{
    LookupLdapAttribute *self = p;
    ldap_memfree (self->name);
    ldap_value_free_len (self->values);
    g_free (self);
}

void
lookup_ldap_entry_free (void *entry)
{
    LookupLdapEntry *self = entry;
    g_ptr_array_unref (self->attributes);
    g_free (self);
}

static void
free_urls (void *p)
{
    g_strfreev (p);
}

/* ---- one message */

static LookupLdapEntry *
copy_entry (LDAP *ld, LDAPMessage *message, size_t *bytes)
{
    BerElement *at = NULL;
    LookupLdapEntry *entry = g_new0 (LookupLdapEntry, 1);
    entry->attributes = g_ptr_array_new_with_free_func (free_attribute);
    for (char *name = ldap_first_attribute (ld, message, &at); name != NULL;
         name = ldap_next_attribute (ld, message, at)) {
        LookupLdapAttribute *attribute = g_new0 (LookupLdapAttribute, 1);
        attribute->name = name;
        attribute->values = ldap_get_values_len (ld, message, name);
        for (int i = 0; attribute->values != NULL && attribute->values[i] != NULL; i++)
            *bytes += attribute->values[i]->bv_len + sizeof (struct berval);
        g_ptr_array_add (entry->attributes, attribute);
    }
    ber_free (at, 0);
    return entry;
}

static bool
take_entry (Run *self, LDAPMessage *message, char **out_why)
{
    const LookupLdapTable *table = self->client->table;
    guint n = self->entries->len - self->n_before;
    g_ptr_array_add (self->entries, copy_entry (self->client->ld, message, self->bytes));
    *self->bytes += sizeof (LookupLdapEntry);
    if (n < ENTRIES_LIMIT && (table->size_limit == 0 || n < table->size_limit) &&
        *self->bytes <= BYTES_LIMIT)
        return true;
    *out_why = lookup_ldap_error (self->client, "search", LDAP_SIZELIMIT_EXCEEDED, NULL);
    return false;
}

static void
take_referrals (Run *self, char **urls)
{
    if (self->client->table->chase_referrals && urls != NULL &&
        self->referrals->len < MAX_REFERRALS)
        g_ptr_array_add (self->referrals, g_strdupv (urls));
}

static bool
take_reference (Run *self, LDAPMessage *message, char **out_why)
{
    char **urls = NULL;
    int rc = ldap_parse_reference (self->client->ld, message, &urls, NULL, 0);
    if (rc == LDAP_SUCCESS)
        take_referrals (self, urls);
    else
        *out_why = lookup_ldap_error (self->client, "search", rc, NULL);
    ldap_memvfree ((void **) urls);
    return rc == LDAP_SUCCESS;
}

static HkAnswer
take_result (Run *self, LDAPMessage *message, char **out_why)
{
    char **urls = NULL, *diagnostic = NULL;
    int rc = LDAP_OTHER;
    int parsed = ldap_parse_result (self->client->ld, message, &rc, NULL, &diagnostic,
                                    &urls, NULL, 0);
    HkAnswer answer = HK_BROKEN;
    if (parsed != LDAP_SUCCESS) {
        rc = parsed;
        answer = HK_LATER;
    } else if (rc == LDAP_SUCCESS || rc == LDAP_NO_SUCH_OBJECT) {
        answer = rc == LDAP_SUCCESS ? HK_OK : HK_ABSENT;
    } else if (rc == LDAP_REFERRAL && self->client->table->chase_referrals) {
        take_referrals (self, urls);
        answer = HK_OK;
    }
    if (answer == HK_BROKEN || answer == HK_LATER)
        *out_why = lookup_ldap_error (self->client, "search", rc, diagnostic);
    ldap_memfree (diagnostic);
    ldap_memvfree ((void **) urls);
    return answer;
}

/* HK_FOUND: go on; else the end. */
static HkAnswer
take_message (Run *self, LDAPMessage *message, char **out_why)
{
    switch (ldap_msgtype (message)) {
    case LDAP_RES_SEARCH_ENTRY:
        return take_entry (self, message, out_why) ? HK_FOUND : HK_LATER;
    case LDAP_RES_SEARCH_REFERENCE:
        return take_reference (self, message, out_why) ? HK_FOUND : HK_LATER;
    case LDAP_RES_SEARCH_RESULT:
        return take_result (self, message, out_why);
    default:
        *out_why = lookup_ldap_error (self->client, "search", LDAP_PROTOCOL_ERROR, NULL);
        return HK_LATER;
    }
}

static HkAnswer
run_here (Run *self, char **out_why)
{
    const LookupLdapSearch *s = self->search;
    LookupLdapClient *client = self->client;
    int msgid, limit = (int) client->table->size_limit;
    int rc = ldap_search_ext (client->ld, s->base, s->scope, s->filter, s->attributes, 0,
                              NULL, NULL, NULL, limit == 0 ? LDAP_NO_LIMIT : limit, &msgid);
    if (rc != LDAP_SUCCESS) {
        *out_why = lookup_ldap_error (client, "search", rc, NULL);
        return rc == LDAP_FILTER_ERROR ? HK_BROKEN : HK_LATER;
    }
    HkAnswer answer = HK_FOUND;
    while (answer == HK_FOUND) {
        LDAPMessage *message = lookup_ldap_next (client, msgid, self->deadline, out_why);
        if (message == NULL)
            return HK_LATER;
        answer = take_message (self, message, out_why);
        ldap_msgfree (message);
    }
    return answer;
}

/* ---- referrals */

static HkAnswer run (Run *self, char **out_why);

/* Scope and filter of a URL count when it has them (RFC 4511 4.1.10). */
static HkAnswer
follow_url (Run *self, const char *url, char **out_why)
{
    LDAPURLDesc *parts = NULL;
    g_auto (GStrv) pieces = g_strsplit (url, "?", 5);
    guint n = g_strv_length (pieces);
    LookupLdapServer *server = lookup_ldap_server_new (url);
    LookupLdapClient *client = NULL;
    HkAnswer answer = HK_LATER;
    g_autofree char *said = remote_quote (url, strlen (url));
    if (server == NULL || server->remote->path != NULL ||
        ldap_url_parse (url, &parts) != LDAP_URL_SUCCESS)
        *out_why = g_strdup_printf ("cannot follow the referral \"%s\"", said);
    else
        client = lookup_ldap_connect_to (self->client->table, server, true, self->deadline,
                                         out_why);
    if (client != NULL) {
        LookupLdapSearch there = *self->search;
        if (parts->lud_dn != NULL && *parts->lud_dn != '\0')
            there.base = parts->lud_dn;
        if (n > 2 && *pieces[2] != '\0')
            there.scope = parts->lud_scope;
        if (n > 3 && *pieces[3] != '\0' && parts->lud_filter != NULL)
            there.filter = parts->lud_filter;
        Run next = *self;
        next.client = client;
        next.search = &there;
        next.hops++;
        answer = run (&next, out_why);
        lookup_ldap_client_free (&client->base);
    }
    if (parts != NULL)
        ldap_free_urldesc (parts);
    if (server != NULL)
        lookup_ldap_server_free (server);
    return answer;
}

/* Any one of URLS is as good as the others. */
static HkAnswer
follow (Run *self, char **urls, char **out_why)
{
    HkAnswer answer = HK_LATER;
    *out_why = g_strdup ("too many referrals");
    for (; *urls != NULL && self->hops < MAX_HOPS; urls++) {
        g_clear_pointer (out_why, g_free);
        answer = follow_url (self, *urls, out_why);
        if (answer == HK_OK || answer == HK_ABSENT)
            break;
    }
    return answer;
}

static HkAnswer
run (Run *self, char **out_why)
{
    self->referrals = g_ptr_array_new_with_free_func (free_urls);
    HkAnswer answer = run_here (self, out_why);
    for (guint i = 0; i < self->referrals->len && answer == HK_OK; i++) {
        answer = follow (self, self->referrals->pdata[i], out_why);
        if (answer == HK_ABSENT)
            answer = HK_OK;
        else if (answer == HK_LATER) /* our own server is well */
            answer = HK_BROKEN;
    }
    g_ptr_array_unref (self->referrals);
    return answer;
}

HkAnswer
lookup_ldap_search (LookupLdapClient *self, const LookupLdapSearch *search,
                    GPtrArray *entries, size_t *bytes, gint64 deadline, char **out_why)
{
    Run r = {.client = self,
             .search = search,
             .entries = entries,
             .bytes = bytes,
             .deadline = deadline,
             .n_before = entries->len};
    return run (&r, out_why);
}
