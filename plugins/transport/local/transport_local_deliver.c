/* transport_local_deliver.c: delivering to a user or carrying out an alias, with the rights
 * for it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_local_priv.h"

typedef struct {
    Local *self;
    HkCall *call;
    size_t i;
    LocalName name;
    LocalNote note;
    HkSpan sender;
} Delivery;

static void
give (Delivery *d, int32_t status, const char *dsn, const char *text)
{
    HkResult result = {.size = sizeof result,
                       .status = status,
                       .flags = HK_RESULT_FINAL,
                       .dsn = transport_local_span (dsn),
                       .text = transport_local_span (text),
                       .relay = transport_local_span ("local")};
    d->self->host->result (d->call, d->i, &result);
}

static void
give_forward (Delivery *d, const LocalTargets *targets)
{
    g_autofree HkSpan *list = g_new (HkSpan, MAX (targets->addresses->len, 1));
    g_autofree char *header = g_strconcat ("Delivered-To: ", d->name.address, "\r\n", NULL);
    for (guint i = 0; i < targets->addresses->len; i++)
        list[i] = transport_local_span (targets->addresses->pdata[i]);
    HkResult result = {.size = sizeof result,
                       .status = HK_STATUS_FORWARDED,
                       .dsn = transport_local_span ("2.0.0"),
                       .text = transport_local_span ("forwarded"),
                       .relay = transport_local_span ("local"),
                       .forward = list,
                       .n_forward = targets->addresses->len,
                       .forward_sender = d->note.sender != NULL && d->sender.size > 0
                                             ? transport_local_span (d->note.sender)
                                             : d->sender,
                       .forward_header = transport_local_span (header)};
    d->self->host->result (d->call, d->i, &result);
}

/* Was this message here before?  Each station leaves a Delivered-To header. */
static bool
is_loop (Delivery *d)
{
    static const char field[] = "delivered-to:";
    HkSpan content;
    if (d->self->host->content_map (d->call, &content) != HK_OK)
        return false;
    const char *p = (const char *) content.data, *end = p + content.size;
    size_t n = strlen (d->name.address);
    while (p < end && *p != '\r' && *p != '\n') {
        const char *lf = memchr (p, '\n', (size_t) (end - p));
        size_t size = (size_t) ((lf == NULL ? end : lf) - p);
        if (size > sizeof field - 1 &&
            g_ascii_strncasecmp (p, field, sizeof field - 1) == 0) {
            g_autofree char *value =
                g_strndup (p + sizeof field - 1, size - (sizeof field - 1));
            g_strstrip (value);
            if (strlen (value) == n && g_ascii_strcasecmp (value, d->name.address) == 0)
                return true;
        }
        p = lf == NULL ? end : lf + 1;
    }
    return false;
}

static char *
mailbox_path (const Delivery *d)
{
    const Local *self = d->self;
    if (*self->home_mailbox != '\0')
        return g_strconcat (d->note.home, "/", self->home_mailbox, NULL);
    bool is_maildir = g_str_has_suffix (self->spool, "/");
    return g_strconcat (self->spool, is_maildir ? "" : "/", d->note.user,
                        is_maildir ? "/" : "", NULL);
}

/* Into the user's mailbox. */
static void
deliver_mailbox (Delivery *d, MailboxOutcome *out)
{
    const Local *self = d->self;
    MailboxMessage message = {.host = self->host,
                              .call = d->call,
                              .host_name = self->host_name,
                              .sender = d->sender,
                              .recipient = transport_local_span (d->name.address),
                              .size_limit = self->size_limit,
                              .locks = &self->locks,
                              .check_owner = self->check_owner};
    if (self->unsupported != NULL) {
        mailbox_error (out, 0, "%s", self->unsupported);
        out->dsn = "4.3.5";
        return;
    }
    if (self->add_original)
        self->host->recipient_prop (d->call, d->i, HK_PROP_ORIG_RECIPIENT,
                                    &message.original);
    g_autofree char *path = mailbox_path (d);
    if (strchr (d->note.user, '/') != NULL || *path != '/')
        mailbox_error (out, 0, "bad mailbox path %s", path);
    else if (g_str_has_suffix (path, "/"))
        mailbox_maildir (&message, path, out);
    else
        mailbox_mbox (&message, path, out);
}

/* What "$name" is in forward_path; NULL: nothing. */
static const char *
forward_variable (const Delivery *d, const char *name, size_t size, char one[2])
{
    const char *extension = d->name.extension;
    if (size == 4 && memcmp (name, "home", 4) == 0)
        return d->note.home;
    if (size == 4 && memcmp (name, "user", 4) == 0)
        return d->note.user;
    if (size == 5 && memcmp (name, "local", 5) == 0)
        return d->name.local;
    if (size == 9 && memcmp (name, "extension", 9) == 0)
        return extension;
    if (size == 19 && memcmp (name, "recipient_delimiter", 19) == 0 && extension != NULL) {
        one[0] = extension[-1];
        one[1] = '\0';
        return one;
    }
    return NULL;
}

/* $name, ${name} and $(name); bytes that mean something to a shell or a path become '_'. */
static char *
expand_forward_path (const Delivery *d, const char *pattern)
{
    GString *out = g_string_new (NULL);
    for (const char *p = pattern; *p != '\0';) {
        if (*p != '$') {
            g_string_append_c (out, *p++);
            continue;
        }
        bool is_bracketed = p[1] == '{' || p[1] == '(';
        const char *name = p + (is_bracketed ? 2 : 1);
        size_t n = strspn (name, "abcdefghijklmnopqrstuvwxyz_");
        char one[2];
        const char *value = forward_variable (d, name, n, one);
        bool is_path = value == d->note.home;
        for (; value != NULL && *value != '\0'; value++)
            g_string_append_c (out, g_ascii_isalnum (*value) ||
                                            strchr ("-_.+=@%,", *value) ||
                                            (is_path && *value == '/')
                                        ? *value
                                        : '_');
        p = name + n + (is_bracketed && name[n] != '\0' ? 1 : 0);
    }
    return g_string_free (out, FALSE);
}

/* The user's .forward; true: TARGETS has what it says. */
static bool
read_forward (Delivery *d, LocalTargets *targets)
{
    const char *pattern = *d->self->forward_path != '\0'
                              ? d->self->forward_path
                              : "$home/.forward${recipient_delimiter}${extension}, "
                                "$home/.forward";
    g_auto (GStrv) patterns = g_strsplit_set (pattern, ", \t\r\n", -1);
    for (char **p = patterns; *p != NULL; p++) {
        bool is_absent = false;
        g_autofree char *why = NULL;
        if (**p == '\0')
            continue;
        g_autofree char *path = expand_forward_path (d, *p);
        g_autofree char *text = transport_local_read_file (path, &is_absent, &why);
        if (text != NULL) {
            transport_local_targets_add (targets, transport_local_span (text));
            return true;
        }
        if (!is_absent)
            d->self->host->log (d->self->host, HK_LOG_WARNING, "%s: not used", why);
    }
    return false;
}

static void
deliver_targets (Delivery *d, LocalTargets *targets, const char *what)
{
    MailboxOutcome outcome = {HK_STATUS_SENT, "2.0.0", ""};
    if (targets->problem != NULL) {
        g_autofree char *text = g_strdup_printf ("%s: %s", what, targets->problem);
        give (d, HK_STATUS_DEFERRED, "4.3.5", text);
        return;
    }
    if (targets->names_self && d->note.user != NULL)
        deliver_mailbox (d, &outcome);
    if (outcome.status != HK_STATUS_SENT || targets->addresses->len == 0)
        give (d, outcome.status, outcome.dsn,
              *outcome.text != '\0' ? outcome.text : "the alias has no destination");
    else
        give_forward (d, targets);
}

static void
deliver_user (Delivery *d)
{
    LocalTargets targets;
    MailboxOutcome outcome = {0};
    transport_local_targets_init (&targets, d->note.user, d->self->origin);
    if (*d->note.home != '\0' && read_forward (d, &targets) &&
        (targets.addresses->len > 0 || targets.problem != NULL)) {
        deliver_targets (d, &targets, ".forward");
    } else {
        deliver_mailbox (d, &outcome);
        give (d, outcome.status, outcome.dsn, outcome.text);
    }
    transport_local_targets_clear (&targets);
}

static void
deliver_alias (Delivery *d)
{
    LocalTargets targets;
    g_autofree char *what = g_strdup_printf ("alias %s", d->name.local);
    transport_local_targets_init (&targets, d->name.user, d->self->origin);
    transport_local_targets_add (&targets, transport_local_span (d->note.alias));
    deliver_targets (d, &targets, what);
    transport_local_targets_clear (&targets);
}

/* What would become of a message, for somebody who has an alias or an account. */
static void
probe_one (Delivery *d)
{
    if (d->note.alias != NULL) {
        g_autofree char *text = g_strdup_printf ("aliased to %.200s", d->note.alias);
        give (d, HK_STATUS_SENT, "2.0.0", text);
        return;
    }
    if (d->self->unsupported != NULL) {
        give (d, HK_STATUS_DEFERRED, "4.3.5", d->self->unsupported);
        return;
    }
    g_autofree char *path = mailbox_path (d);
    give (d, HK_STATUS_SENT, "2.0.0",
          g_str_has_suffix (path, "/") ? "delivers to maildir" : "delivers to mailbox");
}

static void
deliver_one (Delivery *d)
{
    int64_t probe = 0;
    bool is_probe =
        d->self->host->prop_int (d->call, HK_PROP_PROBE, &probe) == HK_FOUND;
    if (is_probe && (d->note.alias != NULL || d->note.user != NULL)) {
        probe_one (d);
    } else if (is_loop (d)) {
        g_autofree char *text =
            g_strdup_printf ("mail forwarding loop for %s", d->name.address);
        give (d, HK_STATUS_BOUNCED, "5.4.6", text);
    } else if (d->note.alias != NULL) {
        deliver_alias (d);
    } else if (d->note.user != NULL) {
        deliver_user (d);
    } else if (d->self->fallback != NULL) {
        give (d, HK_STATUS_DEFERRED, "4.3.5", d->self->fallback);
    } else {
        g_autofree char *text = g_strdup_printf ("unknown user: \"%s\"", d->name.user);
        give (d, HK_STATUS_BOUNCED, "5.1.1", text);
    }
}

HkAnswer
transport_local_deliver (void *instance, HkCall *call)
{
    Local *self = instance;
    for (size_t i = 0; i < self->host->n_recipients (call); i++) {
        Delivery d = {.self = self, .call = call, .i = i};
        HkSpan text;
        self->host->prop (call, HK_PROP_SENDER, &d.sender);
        transport_local_name_read (self, call, i, &d.name);
        if (self->host->recipient_prop (call, i, HK_PROP_USER_ANSWER, &text) == HK_FOUND)
            transport_local_note_read (text, &d.note);
        deliver_one (&d);
        transport_local_name_clear (&d.name);
        transport_local_note_clear (&d.note);
    }
    return HK_OK;
}
