/* lookup_ldap.c: "ldap:" tables: searches in an LDAP directory.
 *
 * lookup_ldap_conf.c reads the parameters, lookup_ldap_client.c connects, TLS and bind
 * included, lookup_ldap_search.c searches, lookup_ldap_values.c makes the answer.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_ldap.h"

/* ---- libldap writes to sockets without MSG_NOSIGNAL: a server that has gone must not end
 * a process that did not think of SIGPIPE. */

typedef struct {
    sigset_t pipe, before;
    bool was_pending;
} PipeGuard;

static void
guard_begin (PipeGuard *self)
{
    sigset_t pending;
    sigemptyset (&self->pipe);
    sigaddset (&self->pipe, SIGPIPE);
    sigpending (&pending);
    self->was_pending = sigismember (&pending, SIGPIPE);
    pthread_sigmask (SIG_BLOCK, &self->pipe, &self->before);
}

static void
guard_end (PipeGuard *self)
{
    const struct timespec now = {0, 0};
    while (!self->was_pending &&
           (sigtimedwait (&self->pipe, NULL, &now) == SIGPIPE || errno == EINTR))
        ;
    pthread_sigmask (SIG_SETMASK, &self->before, NULL);
}

static RemoteClient *
guarded_connect (void *table, gint64 deadline, char **out_why)
{
    PipeGuard guard;
    guard_begin (&guard);
    RemoteClient *client = lookup_ldap_connect (table, deadline, out_why);
    guard_end (&guard);
    return client;
}

static HkAnswer
guarded_run (RemoteClient *client, void *request, gint64 deadline, char **out_why)
{
    PipeGuard guard;
    guard_begin (&guard);
    HkAnswer answer = lookup_ldap_run (client, request, deadline, out_why);
    guard_end (&guard);
    return answer;
}

static void
guarded_free (RemoteClient *client)
{
    PipeGuard guard;
    guard_begin (&guard);
    lookup_ldap_client_free (client);
    guard_end (&guard);
}

/* ---- the table */

static HkAnswer
ask (LookupLdapTable *self, LookupLdapRequest *request)
{
    g_autofree char *why = NULL;
    gint64 deadline = remote_deadline (self->host, request->call, self->clients.timeout_s);
    HkAnswer answer = remote_clients_ask (&self->clients, request, deadline, &why);
    if (answer == HK_OK)
        return HK_OK;
    if (!request->is_told)
        self->host->later (request->call, "%s: %s", query_file_name (self->file), why);
    return HK_LATER;
}

static HkAnswer
table_get (void *instance, HkCall *call, HkSpan key)
{
    LookupLdapTable *self = instance;
    g_autoptr (GString) base = g_string_new (NULL);
    g_autoptr (GString) filter = g_string_new (NULL);
    HkAnswer answer = query_file_eligible (self->file, call, key);
    if (answer != HK_FOUND)
        return answer;
    if (!query_file_expand (self->file, self->search_base, key, lookup_ldap_quote_dn, NULL,
                            base) ||
        !query_file_expand (self->file, self->query_filter, key, lookup_ldap_quote_filter,
                            NULL, filter))
        return HK_ABSENT;
    LookupLdapRequest request = {
        .table = self, .call = call, .key = key, .base = base->str, .filter = filter->str};
    answer = ask (self, &request);
    return query_file_finish (self->file, call, &request.result, answer);
}

static void
table_close (void *instance)
{
    LookupLdapTable *self = instance;
    remote_clients_end (&self->clients);
    lookup_ldap_clear (self);
    query_file_free (self->file);
    g_free (self);
}

static HkAnswer
table_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    QueryFile *file;
    HkAnswer answer = query_file_open (host, conf, call, lookup_ldap_names, &file);
    if (answer != HK_OK)
        return answer;
    LookupLdapTable *self = g_new0 (LookupLdapTable, 1);
    self->host = host;
    self->file = file;
    self->clients.table = self;
    self->clients.max_try = 1;
    self->clients.connect = guarded_connect;
    self->clients.run = guarded_run;
    self->clients.free_client = guarded_free;
    remote_clients_start (&self->clients);
    answer = lookup_ldap_read (self, call);
    if (answer == HK_OK)
        *out_instance = self;
    else
        table_close (self);
    return answer;
}

/* libldap sets up its process-wide options (ldap.conf) with its first use. */
static HkAnswer
init_library (const HkHost *host, HkCall *call)
{
    int version = 0;
    (void) host;
    (void) call;
    ldap_get_option (NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
    return HK_OK;
}

static const HkLookupClass ldap_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "ldap",
             .flags = HK_MAY_BLOCK | HK_THREAD_SAFE,
             .open = table_open,
             .close = table_close},
    .get = table_get,
};

HK_PLUGIN (lookup_ldap, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "ldap: tables, searches in an LDAP directory", .init = init_library,
           .classes = HK_CLASSES (&ldap_class.base))
