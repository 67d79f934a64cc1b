/* listeners.c: every socket that an instance listens on. */
#include "config.h"

#include "master/master.h"
#include "net/address.h"
#include "role/process.h"
#include "role/users.h"

#include <errno.h>
#include <gio/gio.h>
#include <unistd.h>

static void
free_listener (gpointer data)
{
    HkListener *self = data;
    if (self->fd >= 0)
        close (self->fd);
    g_free (self->key);
    g_free (self->identity);
    g_free (self);
}

/* Programs of Postfix's master.cf that are part of a role here: no socket of their own. */
static bool
is_built_in (const char *command)
{
    static const char *const names[] = { "pickup",   "cleanup",  "qmgr",      "oqmgr",
                                         "rewrite",  "trivial-rewrite", "bounce", "verify",
                                         "flush",    "proxymap", "anvil",     "tlsmgr",
                                         "scache",   "showq",    "postlogd",  "dnsblog",
                                         "tlsproxy", "postscreen", "nbdb_reindexd",
                                         NULL };
    return g_strv_contains (names, command);
}

/* An already bound socket is moved from OLD to the new list. */
static int
take_over (GPtrArray *old, const char *key)
{
    for (guint i = 0; old != NULL && i < old->len; i++) {
        HkListener *l = g_ptr_array_index (old, i);
        if (l->fd >= 0 && strcmp (l->key, key) == 0)
            return dup (l->fd);
    }
    return -1;
}

static void
add (HkSettings *settings, GPtrArray *out, const char *key, int fd, HkListenerUse use,
     size_t service)
{
    HkListener *l = g_new (HkListener, 1);
    *l = (HkListener) { g_strdup (key), fd, use, service,
                        hk_process_identity (settings, service) };
    g_ptr_array_add (out, l);
}

static bool
open_inet (HkSettings *settings, const HkService *service, size_t i, HkListenerUse use,
           GPtrArray *old, GPtrArray *out, GError **error)
{
    g_autoptr (GArray) addresses = g_array_new (FALSE, TRUE, sizeof (HkAddress));
    g_auto (GStrv) interfaces = hk_settings_words (settings, "inet_interfaces");
    if (!hk_service_addresses (service->name, (const char *const *) interfaces,
                               hk_settings_get (settings, "inet_protocols"), addresses, error))
        return false;
    for (guint a = 0; a < addresses->len; a++) {
        const HkAddress *address = &g_array_index (addresses, HkAddress, a);
        char text[64];
        hk_address_text (address, text);
        g_autofree char *key
            = g_strdup_printf ("inet:[%s]:%u", text, hk_address_port (address));
        int fd = take_over (old, key);
        if (fd < 0)
            fd = hk_listen (address, 4096, error);
        if (fd < 0)
            return false;
        add (settings, out, key, fd, use, i);
    }
    return true;
}

/* The queue manager connects to delivery services; as root it is another user. */
static bool
give_to_qmgr (HkSettings *settings, const char *path, GError **error)
{
    HkStoreOwners owners;
    if (getuid () != 0)
        return true;
    if (!hk_users_find (settings, &owners, error))
        return false;
    if (chown (path, (uid_t) owners.qmgr_uid, (gid_t) owners.qmgr_gid) == 0)
        return true;
    g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO, "%s: cannot change the owner: %s", path,
                 g_strerror (errno));
    return false;
}

static bool
open_unix (HkSettings *settings, const HkService *service, size_t i, HkListenerUse use,
           GPtrArray *old, GPtrArray *out, GError **error)
{
    const char *sub = service->is_private ? "private" : "public";
    g_autofree char *path = g_build_filename (hk_settings_get (settings, "queue_directory"), sub,
                                              service->name, NULL);
    g_autofree char *key = g_strconcat ("unix:", path, NULL);
    /* A command in private/ is for every role, and the folder keeps others out; public/ may be
     * entered by everybody. */
    unsigned mode = service->is_private && use == HK_LISTENER_SPAWN ? 0666 : 0660;
    int fd = take_over (old, key);
    if (fd < 0)
        fd = hk_ipc_listen (path, mode, error);
    if (fd < 0)
        return false;
    add (settings, out, key, fd, use, i);
    return use != HK_LISTENER_DELIVER || give_to_qmgr (settings, path, error);
}

static void
say_wrong_type (const HkService *s)
{
    hk_log (HK_LOG_WARNING, "%s: line %u: service %s: %s does not serve this type of socket",
            s->file, s->line, s->name, s->command);
}

static bool
open_spawn (HkSettings *settings, const HkService *s, size_t i, GPtrArray *old, GPtrArray *out,
            GError **error)
{
    if (s->type == HK_SERVICE_INET)
        return open_inet (settings, s, i, HK_LISTENER_SPAWN, old, out, error);
    if (s->type == HK_SERVICE_UNIX)
        return open_unix (settings, s, i, HK_LISTENER_SPAWN, old, out, error);
    say_wrong_type (s);
    return true;
}

static bool
open_service (HkSettings *settings, size_t i, GPtrArray *old, GPtrArray *out, GError **error)
{
    const HkService *s = hk_settings_service (settings, i);
    bool ok = true;
    if (strcmp (s->command, "smtpd") == 0 || strcmp (s->command, "qmqpd") == 0) {
        if (s->type == HK_SERVICE_INET)
            ok = open_inet (settings, s, i, HK_LISTENER_SMTPD, old, out, error);
        else if (s->type == HK_SERVICE_UNIX)
            ok = open_unix (settings, s, i, HK_LISTENER_SMTPD, old, out, error);
        /* "smtpd pass": the sessions of postscreen's connections; no socket of its own */
    } else if (strcmp (s->command, "postscreen") == 0 && s->type == HK_SERVICE_INET) {
        ok = open_inet (settings, s, i, HK_LISTENER_SMTPD, old, out, error);
    } else if (is_built_in (s->command)) {
        /* its work is done inside a role */
    } else if (strcmp (s->command, "spawn") == 0) {
        ok = open_spawn (settings, s, i, old, out, error);
    } else if (s->type == HK_SERVICE_UNIX) {
        ok = open_unix (settings, s, i, HK_LISTENER_DELIVER, old, out, error);
    } else {
        say_wrong_type (s);
    }
    if (!ok)
        g_prefix_error (error, "%s: line %u: service %s: ", s->file, s->line, s->name);
    return ok;
}

GPtrArray *
hk_listeners_open (HkSettings *settings, GPtrArray *old, GError **error)
{
    g_autoptr (GPtrArray) out = g_ptr_array_new_with_free_func (free_listener);
    for (size_t i = 0; i < hk_settings_n_services (settings); i++)
        if (!open_service (settings, i, old, out, error))
            return NULL;
    return g_steal_pointer (&out);
}
