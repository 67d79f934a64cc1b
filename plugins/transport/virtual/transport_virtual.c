/* transport_virtual.c: "virtual": delivery to the mailboxes of virtual domains, found in
 * tables.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mailbox.h"

#include <string.h>
#include <unistd.h>

typedef struct {
    const HkHost *host;
    char *host_name;
    char *base;                       /* virtual_mailbox_base */
    HkTable *mailboxes, *uids, *gids; /* uids, gids NULL: not configured */
    int64_t minimum_uid;
    uint64_t size_limit;
    MailboxLocks locks;
    bool check_owner, add_original;
} Virtual;

static const HkParam virtual_params[] = {
    {"virtual_mailbox_base", HK_PARAM_STRING, 0, "", 0, 0, NULL,
     "directory in front of every result of $virtual_mailbox_maps"},
    {"virtual_mailbox_maps", HK_PARAM_STRING, 0, "", 0, 0, NULL,
     "tables with the mailbox of each recipient; a path that ends with / is a Maildir"},
    {"virtual_uid_maps", HK_PARAM_STRING, 0, "", 0, 0, NULL,
     "tables with the user ID that owns a recipient's mailbox"},
    {"virtual_gid_maps", HK_PARAM_STRING, 0, "", 0, 0, NULL,
     "tables with the group ID that owns a recipient's mailbox"},
    {"virtual_minimum_uid", HK_PARAM_INT, 0, "100", 1, INT32_MAX, NULL,
     "the smallest user ID that $virtual_uid_maps may give"},
    {"virtual_mailbox_limit", HK_PARAM_SIZE, 0, "51200000", 0, INT64_MAX, NULL,
     "largest size of an mbox or of a file in a Maildir; 0: no limit"},
    {"virtual_mailbox_lock", HK_PARAM_STRING, 0, "fcntl, dotlock", 0, 0, NULL,
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
    {.name = NULL},
};

static char *
dup_span (HkSpan s)
{
    return g_strndup ((const char *) s.data, s.size);
}

/* ---- opening */

static HkAnswer
open_table (Virtual *self, const HkConf *conf, HkCall *call, const char *parameter,
            HkTable **out)
{
    HkSpan spec = self->host->conf_string (conf, parameter);
    if (spec.size == 0)
        return HK_OK;
    return self->host->table_open (self->host, call, spec, out);
}

static void
virtual_close (void *instance)
{
    Virtual *self = instance;
    HkTable *tables[] = {self->mailboxes, self->uids, self->gids};
    for (size_t i = 0; i < G_N_ELEMENTS (tables); i++)
        if (tables[i] != NULL)
            self->host->table_close (tables[i]);
    g_free (self->host_name);
    g_free (self->base);
    g_free (self);
}

static HkAnswer
open_tables (Virtual *self, const HkConf *conf, HkCall *call)
{
    HkAnswer answer =
        open_table (self, conf, call, "virtual_mailbox_maps", &self->mailboxes);
    if (answer == HK_OK)
        answer = open_table (self, conf, call, "virtual_uid_maps", &self->uids);
    if (answer == HK_OK)
        answer = open_table (self, conf, call, "virtual_gid_maps", &self->gids);
    return answer;
}

static HkAnswer
virtual_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    Virtual *self = g_new0 (Virtual, 1);
    self->host = host;
    self->base = dup_span (host->conf_string (conf, "virtual_mailbox_base"));
    self->host_name = mailbox_host_name (host->conf_string (conf, "myhostname"));
    self->minimum_uid = host->conf_int (conf, "virtual_minimum_uid");
    self->size_limit = (uint64_t) host->conf_int (conf, "virtual_mailbox_limit");
    self->locks.attempts = (unsigned) host->conf_int (conf, "deliver_lock_attempts");
    self->locks.delay_s = host->conf_int (conf, "deliver_lock_delay");
    self->locks.stale_s = host->conf_int (conf, "stale_lock_time");
    self->check_owner = host->conf_int (conf, "strict_mailbox_ownership") != 0;
    self->add_original = host->conf_int (conf, "enable_original_recipient") != 0;
    HkAnswer answer;
    if (!mailbox_parse_locks (host->conf_string (conf, "virtual_mailbox_lock"),
                              &self->locks.methods))
        answer =
            host->broken (call, "virtual_mailbox_lock: only fcntl, flock and dotlock are "
                                "known");
    else
        answer = open_tables (self, conf, call);
    if (answer != HK_OK) {
        virtual_close (self);
        return answer;
    }
    *out_instance = self;
    return HK_OK;
}

/* ---- whose mailbox it is, and where */

/* A number of TABLE for ADDRESS. */
static HkAnswer
find_number (Virtual *self, HkCall *call, HkTable *table, const char *parameter,
             HkSpan address, uint32_t *out)
{
    HkSpan value;
    if (table == NULL)
        return self->host->broken (call, "mail system configuration error: %s is not set",
                                   parameter);
    HkAnswer answer =
        self->host->table_search (table, call, HK_SEARCH_MAILBOX, address, &value);
    if (answer == HK_ABSENT)
        return self->host->broken (call, "recipient %.*s: not found in %s",
                                   (int) address.size, (const char *) address.data,
                                   parameter);
    if (answer != HK_FOUND)
        return answer;
    g_autofree char *text = dup_span (value);
    char *end;
    guint64 number = g_ascii_strtoull (g_strstrip (text), &end, 10);
    if (!g_ascii_isdigit (*text) || *end != '\0' || number == 0 || number > INT32_MAX)
        return self->host->broken (call, "recipient %.*s: bad number \"%s\" in %s",
                                   (int) address.size, (const char *) address.data, text,
                                   parameter);
    *out = (uint32_t) number;
    return HK_FOUND;
}

static HkAnswer
find_owner (Virtual *self, HkCall *call, HkSpan address, HkUser *out)
{
    HkAnswer answer =
        find_number (self, call, self->uids, "virtual_uid_maps", address, &out->uid);
    if (answer != HK_FOUND)
        return answer;
    if (out->uid < self->minimum_uid)
        return self->host->broken (call,
                                   "recipient %.*s: uid %u in virtual_uid_maps is below "
                                   "virtual_minimum_uid",
                                   (int) address.size, (const char *) address.data,
                                   out->uid);
    answer = find_number (self, call, self->gids, "virtual_gid_maps", address, &out->gid);
    return answer == HK_FOUND ? HK_OK : answer;
}

/* The address in lower case; recipients are compared so. */
static char *
folded_recipient (Virtual *self, HkCall *call, size_t i)
{
    HkSpan address;
    if (self->host->recipient_prop (call, i, HK_PROP_RECIPIENT, &address) != HK_FOUND)
        return g_strdup ("");
    return g_ascii_strdown ((const char *) address.data, (gssize) address.size);
}

static bool
is_safe_path (const char *path)
{
    return path[0] == '/' && strstr (path, "/../") == NULL &&
           !g_str_has_suffix (path, "/..");
}

static HkAnswer
virtual_user (void *instance, HkCall *call, size_t i, HkUser *out)
{
    Virtual *self = instance;
    g_autofree char *address = folded_recipient (self, call, i);
    HkSpan key = {(const uint8_t *) address, strlen (address)}, mailbox;
    if (self->mailboxes == NULL)
        return HK_ABSENT;
    HkAnswer answer =
        self->host->table_search (self->mailboxes, call, HK_SEARCH_MAILBOX, key, &mailbox);
    if (answer != HK_FOUND)
        return answer;
    g_autofree char *relative = dup_span (mailbox);
    g_autofree char *path = *self->base == '\0'
                                ? g_strdup (relative)
                                : g_strconcat (self->base, "/", relative, NULL);
    if (!is_safe_path (path))
        return self->host->broken (
            call, "recipient %s: mailbox \"%s\" is not an absolute path", address, path);
    /* A private instance delivers everything as its own user and needs no tables for that.
     */
    if (geteuid () != 0 && self->uids == NULL && self->gids == NULL) {
        out->uid = geteuid ();
        out->gid = getegid ();
        answer = HK_OK;
    } else {
        answer = find_owner (self, call, key, out);
    }
    if (answer == HK_OK)
        self->host->answer (call, path, strlen (path));
    return answer;
}

/* ---- delivering */

static void
deliver_one (Virtual *self, HkCall *call, size_t i, MailboxOutcome *out)
{
    const HkHost *host = self->host;
    g_autofree char *address = folded_recipient (self, call, i);
    HkSpan path;
    if (host->recipient_prop (call, i, HK_PROP_USER_ANSWER, &path) != HK_FOUND) {
        out->status = HK_STATUS_BOUNCED;
        out->dsn = "5.1.1";
        g_snprintf (out->text, sizeof out->text, "unknown user: \"%s\"", address);
        return;
    }
    int64_t probe = 0;
    if (host->prop_int (call, HK_PROP_PROBE, &probe) == HK_FOUND) {
        out->status = HK_STATUS_SENT;
        out->dsn = "2.0.0";
        g_strlcpy (out->text,
                   path.size > 0 && path.data[path.size - 1] == '/' ? "delivers to maildir"
                                                                    : "delivers to mailbox",
                   sizeof out->text);
        return;
    }
    MailboxMessage message = {.host = host,
                              .call = call,
                              .host_name = self->host_name,
                              .size_limit = self->size_limit,
                              .locks = &self->locks,
                              .check_owner = self->check_owner};
    host->prop (call, HK_PROP_SENDER, &message.sender);
    host->recipient_prop (call, i, HK_PROP_RECIPIENT, &message.recipient);
    if (self->add_original)
        host->recipient_prop (call, i, HK_PROP_ORIG_RECIPIENT, &message.original);
    g_autofree char *file = dup_span (path);
    if (g_str_has_suffix (file, "/"))
        mailbox_maildir (&message, file, out);
    else
        mailbox_mbox (&message, file, out);
}

static HkAnswer
virtual_deliver (void *instance, HkCall *call)
{
    Virtual *self = instance;
    for (size_t i = 0; i < self->host->n_recipients (call); i++) {
        MailboxOutcome outcome = {0};
        deliver_one (self, call, i, &outcome);
        HkResult result = {.size = sizeof result,
                           .status = outcome.status,
                           .flags = HK_RESULT_FINAL,
                           .dsn = {(const uint8_t *) outcome.dsn, strlen (outcome.dsn)},
                           .text = {(const uint8_t *) outcome.text, strlen (outcome.text)},
                           .relay = {(const uint8_t *) "virtual", 7}};
        self->host->result (call, i, &result);
    }
    return HK_OK;
}

static const HkTransportClass virtual_class = {
    .base = {.size = sizeof (HkTransportClass),
             .kind = HK_KIND_TRANSPORT,
             .class_minor = HK_TRANSPORT_MINOR,
             .name = "virtual",
             .flags = HK_THREAD_SAFE | HK_MAY_BLOCK,
             .params = virtual_params,
             .open = virtual_open,
             .close = virtual_close},
    .transport_flags = HK_TRANSPORT_AS_USER | HK_TRANSPORT_PROBES,
    .deliver = virtual_deliver,
    .user = virtual_user,
};

HK_PLUGIN (transport_virtual, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "delivers to the mailboxes of virtual domains",
           .classes = HK_CLASSES (&virtual_class.base))
