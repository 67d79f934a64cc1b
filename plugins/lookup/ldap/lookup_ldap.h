/* lookup_ldap.h: what the parts of "ldap:" tables share: parameters, a connection, a
 * search.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_LOOKUP_LDAP_H
#define HK_PLUGINS_LOOKUP_LDAP_H

#include "../query_file.h"
#include "../remote_clients.h"

#include <ldap.h>

typedef struct {
    RemoteServer *remote;
    char *url; /* as in messages and for the check of its certificate */
    bool is_tls;
} LookupLdapServer;

enum { LOOKUP_LDAP_BIND_NONE, LOOKUP_LDAP_BIND_SIMPLE, LOOKUP_LDAP_BIND_EXTERNAL };

typedef struct {
    const HkHost *host;
    QueryFile *file;
    GPtrArray *servers; /* LookupLdapServer */
    RemoteClients clients;
    const char *search_base, *query_filter;
    int scope, bind;
    bool is_base_dynamic; /* search_base has an expansion */
    bool chase_referrals, start_tls, tls_require_cert;
    const char *bind_dn, *bind_pw, *sasl_authz_id;
    const char *tls_ca_cert_dir, *tls_ca_cert_file, *tls_cert, *tls_key, *tls_random_file,
        *tls_cipher_suite;
    int64_t version, dereference, recursion_limit, size_limit;
    char **terminal, **leaf, **result, **special; /* lists of attributes */
    char **attributes;                            /* all of them, to be asked for */
} LookupLdapTable;

/* ---- lookup_ldap_conf.c */
extern const char *const lookup_ldap_names[];
HkAnswer lookup_ldap_read (LookupLdapTable *self, HkCall *call);
void lookup_ldap_clear (LookupLdapTable *self); /* what read set */
/* "ldap://host:port/…" or NULL. */
LookupLdapServer *lookup_ldap_server_new (const char *url);
void lookup_ldap_server_free (void *server);

/* ---- lookup_ldap_client.c */
typedef struct {
    RemoteClient base;
    LDAP *ld;
    const LookupLdapTable *table;
    const char *url; /* borrowed from its server */
} LookupLdapClient;

/* A connection to the first server that lets us in; NULL and the reason of each. */
RemoteClient *lookup_ldap_connect (void *table, gint64 deadline, char **out_why);
/* To SERVER, bound as nobody when IS_ANONYMOUS. */
LookupLdapClient *lookup_ldap_connect_to (const LookupLdapTable *table,
                                          LookupLdapServer *server, bool is_anonymous,
                                          gint64 deadline, char **out_why);
void lookup_ldap_client_free (RemoteClient *client);
/* The next message of request MSGID; NULL and the reason when none comes in time. */
LDAPMessage *lookup_ldap_next (LookupLdapClient *self, int msgid, gint64 deadline,
                               char **out_why);
char *lookup_ldap_error (LookupLdapClient *self, const char *what, int rc,
                         const char *diagnostic);

/* ---- lookup_ldap_search.c */
typedef struct {
    const char *base;
    int scope;
    const char *filter;
    char **attributes;
} LookupLdapSearch;

typedef struct {
    char *name;
    struct berval **values; /* ends with NULL */
} LookupLdapAttribute;

typedef struct {
    GPtrArray *attributes; /* LookupLdapAttribute */
} LookupLdapEntry;

/* Append what is found to ENTRIES (LookupLdapEntry, free function set); *BYTES counts over
 * a whole lookup.  HK_OK; HK_ABSENT: there is no such base; HK_BROKEN: the server refuses;
 * HK_LATER: the client is of no use any more; the last two with the reason. */
HkAnswer lookup_ldap_search (LookupLdapClient *self, const LookupLdapSearch *search,
                             GPtrArray *entries, size_t *bytes, gint64 deadline,
                             char **out_why);
void lookup_ldap_entry_free (void *entry);

/* ---- lookup_ldap_values.c */
typedef struct {
    const LookupLdapTable *table;
    HkCall *call;
    HkSpan key;
    const char *base, *filter; /* expanded */
    QueryResult result;
    size_t bytes;
    bool is_told; /* the call has the reason for HK_LATER */
} LookupLdapRequest;

/* RemoteClients.run of a LookupLdapRequest. */
HkAnswer lookup_ldap_run (RemoteClient *client, void *request, gint64 deadline,
                          char **out_why);

/* ---- lookup_ldap_quote.c: QueryQuoteFn */
void lookup_ldap_quote_filter (GString *out, HkSpan text, void *data); /* RFC 4515 */
void lookup_ldap_quote_dn (GString *out, HkSpan text, void *data);     /* RFC 4514 */

#endif
