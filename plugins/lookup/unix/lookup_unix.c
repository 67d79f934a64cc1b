/* lookup_unix.c: "unix:" tables: the system's users and groups.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <glib.h>
#include <grp.h>
#include <hikyaku/lookup.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>

/* Names longer than this belong to nobody; NSS modules need not see them. */
#define MAX_NAME 256
#define FIRST_BUFFER 4096
#define LAST_BUFFER (1u << 20)

typedef struct {
    const HkHost *host;
    bool is_group;
} UnixTable;

static HkAnswer
unix_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkSpan name = host->conf_argument (conf);
    g_autofree char *text = g_strndup ((const char *) name.data, name.size);
    bool is_group = strcmp (text, "group.byname") == 0;
    if (!is_group && strcmp (text, "passwd.byname") != 0)
        return host->broken (call, "unknown table unix:%s (passwd.byname, group.byname)",
                             text);
    UnixTable *self = g_new (UnixTable, 1);
    self->host = host;
    self->is_group = is_group;
    *out_instance = self;
    return HK_OK;
}

static void
unix_close (void *instance)
{
    g_free (instance);
}

static HkAnswer
give_user (const UnixTable *self, HkCall *call, const struct passwd *user)
{
    g_autofree char *line = g_strdup_printf (
        "%s:%s:%ld:%ld:%s:%s:%s", user->pw_name, user->pw_passwd, (long) user->pw_uid,
        (long) user->pw_gid, user->pw_gecos, user->pw_dir, user->pw_shell);
    self->host->answer (call, line, strlen (line));
    return HK_FOUND;
}

static HkAnswer
give_group (const UnixTable *self, HkCall *call, const struct group *group)
{
    g_autofree char *members = g_strjoinv (",", group->gr_mem);
    g_autofree char *line = g_strdup_printf (
        "%s:%s:%ld:%s", group->gr_name, group->gr_passwd, (long) group->gr_gid, members);
    self->host->answer (call, line, strlen (line));
    return HK_FOUND;
}

/* Some name services call "not there" an error of these kinds (getpwnam_r(3)). */
static bool
is_absent (int code)
{
    return code == 0 || code == ENOENT || code == ESRCH || code == EBADF || code == EPERM;
}

static int
find (const UnixTable *self, HkCall *call, const char *name, char *buffer, size_t size,
      HkAnswer *out)
{
    struct passwd user, *found_user = NULL;
    struct group group, *found_group = NULL;
    int code = self->is_group ? getgrnam_r (name, &group, buffer, size, &found_group)
                              : getpwnam_r (name, &user, buffer, size, &found_user);
    if (found_group != NULL)
        *out = give_group (self, call, found_group);
    else if (found_user != NULL)
        *out = give_user (self, call, found_user);
    else if (is_absent (code))
        *out = HK_ABSENT;
    else if (code != ERANGE)
        *out = self->host->later (call, "unix:%s: %s",
                                  self->is_group ? "group.byname" : "passwd.byname",
                                  g_strerror (code));
    return code;
}

static HkAnswer
unix_get (void *instance, HkCall *call, HkSpan key)
{
    const UnixTable *self = instance;
    HkAnswer answer = HK_ABSENT;
    if (key.size == 0 || key.size > MAX_NAME || memchr (key.data, '@', key.size) != NULL)
        return HK_ABSENT;
    g_autofree char *name = g_strndup ((const char *) key.data, key.size);
    for (size_t size = FIRST_BUFFER; size <= LAST_BUFFER; size *= 4) {
        g_autofree char *buffer = g_malloc (size);
        if (find (self, call, name, buffer, size, &answer) != ERANGE)
            return answer;
    }
    return self->host->later (call, "unix: entry of %s is too large", name);
}

static const HkLookupClass unix_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "unix",
             /* Name services may ask the network. */
             .flags = HK_THREAD_SAFE | HK_MAY_BLOCK,
             .open = unix_open,
             .close = unix_close},
    .get = unix_get,
};

HK_PLUGIN (lookup_unix, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "unix: tables, the system's users and groups",
           .classes = HK_CLASSES (&unix_class.base))
