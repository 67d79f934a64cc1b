/* transport_local_user.c: who a recipient is: aliases and the password file.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_local_priv.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the recipient's name */

void
transport_local_name_clear (LocalName *self)
{
    g_free (self->address);
    g_free (self->local);
    g_free (self->user);
}

static char *
unquoted (const char *text, size_t size)
{
    GString *out = g_string_new (NULL);
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            continue;
        if (text[i] == '\\' && i + 1 < size)
            i++;
        g_string_append_c (out, g_ascii_tolower (text[i]));
    }
    return g_string_free (out, FALSE);
}

void
transport_local_name_read (const Local *self, HkCall *call, size_t i, LocalName *out)
{
    HkSpan address = {(const uint8_t *) "", 0};
    self->host->recipient_prop (call, i, HK_PROP_RECIPIENT, &address);
    out->address = transport_local_dup (address);
    const char *at = strrchr (out->address, '@');
    size_t n = at == NULL ? strlen (out->address) : (size_t) (at - out->address);
    out->local = unquoted (out->address, n);
    size_t user = *out->local == '\0' ? 0 : 1 + strcspn (out->local + 1, self->delimiters);
    bool has_extension = *self->delimiters != '\0' && out->local[user] != '\0';
    out->user = has_extension ? g_strndup (out->local, user) : g_strdup (out->local);
    out->extension = has_extension ? out->local + user + 1 : NULL;
}

/* ---- the note */

GString *
transport_local_note_write (const LocalNote *self)
{
    GString *out = g_string_new (NULL);
    const char *lines[] = {self->user, self->home, self->sender};
    for (size_t i = 0; i < G_N_ELEMENTS (lines); i++) {
        g_string_append (out, lines[i] == NULL ? "" : lines[i]);
        g_string_append_c (out, '\n');
    }
    if (self->alias != NULL)
        g_string_append_printf (out, "=%s", self->alias);
    return out;
}

void
transport_local_note_read (HkSpan text, LocalNote *out)
{
    g_autofree char *copy = transport_local_dup (text);
    g_auto (GStrv) parts = g_strsplit (copy, "\n", 4);
    *out = (LocalNote){0};
    if (g_strv_length (parts) != 4)
        return;
    if (*parts[0] != '\0') {
        out->user = g_strdup (parts[0]);
        out->home = g_strdup (parts[1]);
    }
    out->sender = *parts[2] == '\0' ? NULL : g_strdup (parts[2]);
    out->alias = *parts[3] == '=' ? g_strdup (parts[3] + 1) : NULL;
}

void
transport_local_note_clear (LocalNote *self)
{
    g_free (self->user);
    g_free (self->home);
    g_free (self->sender);
    g_free (self->alias);
}

/* ---- aliases */

static HkAnswer
get_alias (Local *self, HkCall *call, const char *name, HkSpan *out)
{
    return self->host->table_get (self->aliases, call, transport_local_span (name), out);
}

/* The envelope sender of mail through alias NAME: owner-NAME when there is such an alias.
 */
static HkAnswer
find_owner (Local *self, HkCall *call, const char *name, LocalNote *note)
{
    HkSpan value;
    g_autofree char *owner = g_strconcat ("owner-", name, NULL);
    HkAnswer answer = get_alias (self, call, owner, &value);
    if (answer != HK_FOUND)
        return answer == HK_ABSENT ? HK_OK : answer;
    g_autofree char *text = transport_local_dup (value);
    bool is_one = self->owner_in_sender && strpbrk (text, ", \t\n|/:") == NULL;
    note->sender = is_one && strchr (text, '@') != NULL
                       ? g_strdup (text)
                       : g_strconcat (is_one ? text : owner, "@", self->origin, NULL);
    return HK_OK;
}

static HkAnswer
find_alias (Local *self, HkCall *call, const LocalName *name, LocalNote *note)
{
    HkSpan value;
    const char *used = name->local;
    HkAnswer answer = get_alias (self, call, used, &value);
    if (answer == HK_ABSENT && name->extension != NULL) {
        used = name->user;
        answer = get_alias (self, call, used, &value);
    }
    if (answer != HK_FOUND)
        return answer;
    note->alias = transport_local_dup (value);
    answer = find_owner (self, call, used, note);
    return answer == HK_OK ? HK_FOUND : answer;
}

/* Does an alias list its own name?  Then the user's mailbox gets the mail, too. */
static bool
lists_self (const Local *self, const LocalName *name, const char *value)
{
    LocalTargets targets;
    transport_local_targets_init (&targets, name->user, self->origin);
    targets.allow_include = false; /* no file is opened with these rights */
    transport_local_targets_add (&targets, transport_local_span (value));
    bool result = targets.names_self;
    transport_local_targets_clear (&targets);
    return result;
}

/* ---- accounts */

/* Mail spools that a group may write (root:mail 2775) are used with this group. */
static uint32_t
spool_group (const Local *self, uint32_t gid)
{
    struct stat st;
    if (*self->home_mailbox == '\0' && stat (self->spool, &st) == 0 &&
        (st.st_mode & S_IWGRP) && !(st.st_mode & S_IWOTH) && st.st_gid != 0)
        return st.st_gid;
    return gid;
}

static HkAnswer
find_account (Local *self, HkCall *call, const LocalName *name, LocalNote *note,
              HkUser *out)
{
    char buffer[16384];
    struct passwd entry, *found = NULL;
    int error = getpwnam_r (name->user, &entry, buffer, sizeof buffer, &found);
    if (found == NULL)
        return error == 0
                   ? HK_ABSENT
                   : self->host->later (call, "password file: %s", g_strerror (error));
    if (found->pw_uid == 0 && geteuid () == 0)
        return self->host->broken (call, "user %s has all rights; give it an alias",
                                   name->user);
    if (strchr (found->pw_dir, '\n') != NULL || strchr (name->user, '\n') != NULL)
        return HK_ABSENT;
    note->user = g_strdup (name->user);
    note->home = g_strdup (found->pw_dir);
    out->uid = found->pw_uid;
    out->gid = spool_group (self, found->pw_gid);
    return HK_OK;
}

static HkAnswer
find_user (Local *self, HkCall *call, const LocalName *name, LocalNote *note, HkUser *out)
{
    HkAnswer answer =
        self->aliases == NULL ? HK_ABSENT : find_alias (self, call, name, note);
    if (answer == HK_ABSENT)
        return find_account (self, call, name, note, out);
    if (answer != HK_FOUND)
        return answer;
    if (lists_self (self, name, note->alias)) {
        answer = find_account (self, call, name, note, out);
        if (answer != HK_ABSENT)
            return answer;
    }
    out->uid = self->nobody_uid;
    out->gid = self->nobody_gid;
    return HK_OK;
}

HkAnswer
transport_local_user (void *instance, HkCall *call, size_t i, HkUser *out)
{
    Local *self = instance;
    LocalNote note = {0};
    LocalName name;
    transport_local_name_read (self, call, i, &name);
    HkAnswer answer = find_user (self, call, &name, &note, out);
    if (answer == HK_OK) {
        g_autoptr (GString) text = transport_local_note_write (&note);
        self->host->answer (call, text->str, text->len);
    }
    transport_local_note_clear (&note);
    transport_local_name_clear (&name);
    return answer;
}
