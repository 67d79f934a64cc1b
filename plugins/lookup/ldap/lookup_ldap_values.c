/* lookup_ldap_values.c: from the entries that were found to the answer: result attributes,
 * and entries that point to others by DN or URL.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_ldap.h"

enum { KIND_NONE, KIND_TERMINAL, KIND_LEAF, KIND_RESULT, KIND_SPECIAL };

typedef struct {
    LookupLdapClient *client;
    LookupLdapRequest *request;
    gint64 deadline;
} Lookup;

/* NAME is WANTED, or that with options ("mail;lang-de"). */
static bool
is_attribute (const char *wanted, const char *name)
{
    size_t size = strlen (wanted);
    return g_ascii_strncasecmp (wanted, name, size) == 0 &&
           (name[size] == '\0' || name[size] == ';');
}

static bool
is_in (char **list, const char *name)
{
    for (; *list != NULL; list++)
        if (is_attribute (*list, name))
            return true;
    return false;
}

static int
kind_of (const LookupLdapTable *table, const char *name)
{
    return is_in (table->terminal, name)  ? KIND_TERMINAL
           : is_in (table->leaf, name)    ? KIND_LEAF
           : is_in (table->result, name)  ? KIND_RESULT
           : is_in (table->special, name) ? KIND_SPECIAL
                                          : KIND_NONE;
}

static bool
has_kind (const LookupLdapTable *table, const LookupLdapEntry *entry, int kind)
{
    for (guint i = 0; i < entry->attributes->len; i++) {
        const LookupLdapAttribute *a = entry->attributes->pdata[i];
        if (a->values != NULL && a->values[0] != NULL && kind_of (table, a->name) == kind)
            return true;
    }
    return false;
}

/* ---- where a special attribute points */

/* What both a URL and the table ask for; an option may stand on either side. */
static char **
common_attributes (const LookupLdapTable *table, char **urls_own)
{
    GPtrArray *out = g_ptr_array_new ();
    if (urls_own == NULL || urls_own[0] == NULL || strcmp (urls_own[0], "*") == 0)
        urls_own = table->attributes;
    for (char **p = urls_own; *p != NULL; p++)
        for (char **q = table->attributes; *q != NULL; q++)
            if (is_attribute (*q, *p) || is_attribute (*p, *q)) {
                g_ptr_array_add (out, strlen (*p) > strlen (*q) ? *p : *q);
                break;
            }
    g_ptr_array_add (out, NULL);
    return (char **) g_ptr_array_free (out, FALSE);
}

static HkAnswer expand_search (Lookup *self, const LookupLdapSearch *search, int64_t depth,
                               char **out_why);

static HkAnswer
expand_url (Lookup *self, const char *url, int64_t depth, char **out_why)
{
    LDAPURLDesc *parts = NULL;
    if (ldap_url_parse (url, &parts) != LDAP_URL_SUCCESS) {
        g_autofree char *said = remote_quote (url, strlen (url));
        *out_why = g_strdup_printf ("bad LDAP URL \"%s\"", said);
        return HK_BROKEN;
    }
    char **attributes = common_attributes (self->client->table, parts->lud_attrs);
    LookupLdapSearch search = {
        parts->lud_dn == NULL ? "" : parts->lud_dn, parts->lud_scope,
        parts->lud_filter == NULL ? "(objectClass=*)" : parts->lud_filter, attributes};
    HkAnswer answer = HK_OK;
    if (attributes[0] != NULL) /* else nothing of it could be used */
        answer = expand_search (self, &search, depth, out_why);
    g_free (attributes);
    ldap_free_urldesc (parts);
    return answer;
}

static HkAnswer
expand_pointer (Lookup *self, const struct berval *value, int64_t depth, char **out_why)
{
    g_autofree char *text = g_strndup (value->bv_val, value->bv_len);
    if (strlen (text) != value->bv_len) {
        *out_why = g_strdup ("a NUL byte in a DN or URL");
        return HK_BROKEN;
    }
    if (ldap_is_ldap_url (text))
        return expand_url (self, text, depth, out_why);
    LookupLdapSearch search = {text, LDAP_SCOPE_BASE, "(objectClass=*)",
                               self->client->table->attributes};
    return expand_search (self, &search, depth, out_why);
}

/* ---- values */

static HkAnswer
add_value (Lookup *self, const struct berval *value)
{
    LookupLdapRequest *r = self->request;
    HkSpan span = {(const uint8_t *) value->bv_val, value->bv_len};
    HkAnswer answer = query_file_add (r->table->file, r->call, &r->result, r->key, span);
    r->is_told = answer != HK_OK;
    return answer == HK_OK ? HK_OK : HK_BROKEN;
}

static HkAnswer
expand_attribute (Lookup *self, const LookupLdapAttribute *a, bool is_special,
                  int64_t depth, char **out_why)
{
    HkAnswer answer = HK_OK;
    if (is_special && a->values[0] != NULL &&
        depth >= self->client->table->recursion_limit) {
        *out_why = g_strdup_printf ("recursion limit exceeded at %s", a->name);
        return HK_BROKEN;
    }
    for (int i = 0; answer == HK_OK && a->values[i] != NULL; i++)
        answer = is_special ? expand_pointer (self, a->values[i], depth + 1, out_why)
                            : add_value (self, a->values[i]);
    return answer;
}

/* Terminal attributes shadow all others; beside special ones, leaf attributes are silent.
 */
static HkAnswer
expand_entry (Lookup *self, const LookupLdapEntry *entry, int64_t depth, char **out_why)
{
    const LookupLdapTable *table = self->client->table;
    bool is_terminal = has_kind (table, entry, KIND_TERMINAL);
    bool is_leaf = !is_terminal && !has_kind (table, entry, KIND_SPECIAL);
    HkAnswer answer = HK_OK;
    for (guint i = 0; i < entry->attributes->len && answer == HK_OK; i++) {
        const LookupLdapAttribute *a = entry->attributes->pdata[i];
        int kind = kind_of (table, a->name);
        if (a->values == NULL || kind == KIND_NONE ||
            is_terminal != (kind == KIND_TERMINAL) || (kind == KIND_LEAF && !is_leaf))
            continue;
        answer = expand_attribute (self, a, kind == KIND_SPECIAL, depth, out_why);
    }
    return answer;
}

/* HK_OK, HK_BROKEN (the connection is still well), HK_LATER. */
static HkAnswer
expand_search (Lookup *self, const LookupLdapSearch *search, int64_t depth, char **out_why)
{
    GPtrArray *entries = g_ptr_array_new_with_free_func (lookup_ldap_entry_free);
    HkAnswer answer = lookup_ldap_search (self->client, search, entries,
                                          &self->request->bytes, self->deadline, out_why);
    if (answer == HK_ABSENT) /* below the first, a pointer to nothing has no values */
        answer = depth > 1 || self->client->table->is_base_dynamic ? HK_OK : HK_ABSENT;
    for (guint i = 0; i < entries->len && answer == HK_OK; i++)
        answer = expand_entry (self, entries->pdata[i], depth, out_why);
    g_ptr_array_unref (entries);
    return answer;
}

HkAnswer
lookup_ldap_run (RemoteClient *client, void *data, gint64 deadline, char **out_why)
{
    LookupLdapRequest *request = data;
    Lookup lookup = {(LookupLdapClient *) client, request, deadline};
    LookupLdapSearch search = {request->base, request->table->scope, request->filter,
                               request->table->attributes};
    if (request->result.text != NULL) { /* of a try that failed */
        g_string_free (request->result.text, TRUE);
        request->result = (QueryResult){NULL, 0};
    }
    request->bytes = 0;
    HkAnswer answer = expand_search (&lookup, &search, 1, out_why);
    if (answer == HK_ABSENT) {
        *out_why =
            lookup_ldap_error (lookup.client, "search", LDAP_NO_SUCH_OBJECT, request->base);
        answer = HK_BROKEN;
    }
    return answer;
}
