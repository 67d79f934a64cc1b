/* transport_local.c: "local": delivery to the users of this machine, through aliases(5).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_local_priv.h"

#include <pwd.h>

static const HkParam local_params[] = {
    {"alias_maps", HK_PARAM_STRING, 0, "hash:/etc/aliases", 0, 0, NULL,
     "alias tables of local delivery"},
    {"home_mailbox", HK_PARAM_STRING, 0, "", 0, 0, NULL,
     "mailbox below a user's home directory; with / at the end a Maildir"},
    {"mail_spool_directory", HK_PARAM_STRING, 0, "/var/mail", 0, 0, NULL,
     "directory of the users' mailboxes; with / at the end Maildirs"},
    {"mailbox_size_limit", HK_PARAM_SIZE, 0, "51200000", 0, INT64_MAX, NULL,
     "largest size of an mbox or of a file in a Maildir; 0: no limit"},
    {"mailbox_delivery_lock", HK_PARAM_STRING, 0, "fcntl, dotlock", 0, 0, NULL,
     "how an mbox is locked: fcntl, flock, dotlock"},
    {"deliver_lock_attempts", HK_PARAM_INT, 0, "20", 1, 100000, NULL,
     "how often a lock on a mailbox is tried"},
    {"deliver_lock_delay", HK_PARAM_TIME, 0, "1s", 1, 3600, NULL,
     "time between two attempts to lock a mailbox"},
    {"stale_lock_time", HK_PARAM_TIME, 0, "500s", 1, 86400, NULL,
     "age at which a lock file counts as forgotten"},
    {"strict_mailbox_ownership", HK_PARAM_BOOL, 0, "yes", 0, 0, NULL,
     "defer delivery when an mbox is not owned by its recipient"},
    {"enable_original_recipient", HK_PARAM_BOOL, 0, "yes", 0, 0, NULL,
     "tell the recipient address as it came in (X-Original-To)"},
    {"expand_owner_alias", HK_PARAM_BOOL, 0, "no", 0, 0, NULL,
     "mail through an alias with an owner is sent by what owner-name expands to"},
    {"mailbox_command", HK_PARAM_STRING, 0, "", 0, 0, NULL,
     "command that delivers to users; mail waits while this is set"},
    {"mailbox_transport", HK_PARAM_STRING, 0, "", 0, 0, NULL,
     "transport that delivers to all local users; mail waits while this is set"},
    {"fallback_transport", HK_PARAM_STRING, 0, "", 0, 0, NULL,
     "transport for unknown users; their mail waits while this is set"},
    {"luser_relay", HK_PARAM_STRING, 0, "", 0, 0, NULL,
     "address that gets the mail of unknown users"},
    {.name = NULL},
};

char *
transport_local_dup (HkSpan s)
{
    return g_strndup ((const char *) s.data, s.size);
}

static void
local_close (void *instance)
{
    Local *self = instance;
    if (self->aliases != NULL)
        self->host->table_close (self->aliases);
    g_free (self->host_name);
    g_free (self->origin);
    g_free (self->delimiters);
    g_free (self->home_mailbox);
    g_free (self->spool);
    g_free (self->forward_path);
    g_free (self->unsupported);
    g_free (self->fallback);
    g_free (self);
}

/* Whose rights an alias gets. */
static HkAnswer
find_nobody (Local *self, const HkConf *conf, HkCall *call)
{
    char buffer[8192];
    struct passwd entry, *found = NULL;
    g_autofree char *text =
        transport_local_dup (self->host->conf_string (conf, "default_privs"));
    if (getpwnam_r (text, &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
        return self->host->broken (call, "default_privs: user \"%s\" is unknown", text);
    if (found->pw_uid == 0)
        return self->host->broken (call, "default_privs: \"%s\" has all rights", text);
    self->nobody_uid = found->pw_uid;
    self->nobody_gid = found->pw_gid;
    return HK_OK;
}

static void
find_unsupported (Local *self, const HkConf *conf)
{
    static const char *const for_all[] = {"mailbox_transport", "mailbox_command"};
    for (size_t i = 0; i < G_N_ELEMENTS (for_all); i++)
        if (self->host->conf_string (conf, for_all[i]).size > 0 &&
            self->unsupported == NULL)
            self->unsupported = g_strdup_printf ("%s is set, but is not available in this "
                                                 "version",
                                                 for_all[i]);
    if (self->host->conf_string (conf, "fallback_transport").size > 0)
        self->fallback =
            g_strdup ("fallback_transport is set, but is not available in this "
                      "version");
    else if (self->host->conf_string (conf, "luser_relay").size > 0)
        self->fallback =
            g_strdup ("luser_relay is set, but is not available in this version");
    const char *text = self->unsupported != NULL ? self->unsupported : self->fallback;
    if (text != NULL)
        self->host->log (self->host, HK_LOG_WARNING, "%s: mail waits", text);
}

static HkAnswer
read_conf (Local *self, const HkConf *conf, HkCall *call)
{
    const HkHost *host = self->host;
    self->origin = transport_local_dup (host->conf_string (conf, "myorigin"));
    self->host_name = mailbox_host_name (host->conf_string (conf, "myhostname"));
    self->delimiters =
        transport_local_dup (host->conf_string (conf, "recipient_delimiter"));
    self->home_mailbox = transport_local_dup (host->conf_string (conf, "home_mailbox"));
    self->spool = transport_local_dup (host->conf_string (conf, "mail_spool_directory"));
    self->forward_path = transport_local_dup (host->conf_string (conf, "forward_path"));
    self->owner_in_sender = host->conf_int (conf, "expand_owner_alias") != 0;
    self->size_limit = (uint64_t) host->conf_int (conf, "mailbox_size_limit");
    self->locks.attempts = (unsigned) host->conf_int (conf, "deliver_lock_attempts");
    self->locks.delay_s = host->conf_int (conf, "deliver_lock_delay");
    self->locks.stale_s = host->conf_int (conf, "stale_lock_time");
    self->check_owner = host->conf_int (conf, "strict_mailbox_ownership") != 0;
    self->add_original = host->conf_int (conf, "enable_original_recipient") != 0;
    find_unsupported (self, conf);
    if (!mailbox_parse_locks (host->conf_string (conf, "mailbox_delivery_lock"),
                              &self->locks.methods))
        return host->broken (call,
                             "mailbox_delivery_lock: only fcntl, flock and dotlock are "
                             "known");
    HkAnswer answer = find_nobody (self, conf, call);
    HkSpan maps = host->conf_string (conf, "alias_maps");
    if (answer == HK_OK && maps.size > 0)
        answer = host->table_open (host, call, maps, &self->aliases);
    return answer;
}

static HkAnswer
local_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    Local *self = g_new0 (Local, 1);
    self->host = host;
    HkAnswer answer = read_conf (self, conf, call);
    if (answer != HK_OK) {
        local_close (self);
        return answer;
    }
    *out_instance = self;
    return HK_OK;
}

static const HkTransportClass local_class = {
    .base = {.size = sizeof (HkTransportClass),
             .kind = HK_KIND_TRANSPORT,
             .class_minor = HK_TRANSPORT_MINOR,
             .name = "local",
             .flags = HK_THREAD_SAFE | HK_MAY_BLOCK,
             .params = local_params,
             .open = local_open,
             .close = local_close},
    .transport_flags = HK_TRANSPORT_AS_USER | HK_TRANSPORT_PROBES,
    .deliver = transport_local_deliver,
    .user = transport_local_user,
};

HK_PLUGIN (transport_local, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "delivers to the users of this machine, through aliases",
           .classes = HK_CLASSES (&local_class.base))
