/* command.c: what the arguments of a spawn service say. */
#include "config.h"

#include "spawn/spawn_priv.h"

#include <grp.h>
#include <paths.h>
#include <pwd.h>

static bool G_GNUC_PRINTF (2, 3) fail (GError **error, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    g_autofree char *text = g_strdup_vprintf (format, args);
    va_end (args);
    g_set_error_literal (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE, text);
    return false;
}

/* "name" or "name:group". */
static bool
find_user (HkSpawnCommand *self, GError **error)
{
    g_auto (GStrv) parts = g_strsplit (self->user_text, ":", 2);
    const struct passwd *pw = parts[0] != NULL ? getpwnam (parts[0]) : NULL;
    if (pw == NULL)
        return fail (error, "user=%s: there is no such user", self->user_text);
    self->uid = pw->pw_uid;
    self->gid = pw->pw_gid;
    if (parts[1] == NULL) {
        self->user = g_strdup (parts[0]);
    } else {
        const struct group *gr = getgrnam (parts[1]);
        if (gr == NULL)
            return fail (error, "user=%s: there is no such group", self->user_text);
        self->gid = gr->gr_gid;
    }
    if (self->uid == 0 || self->gid == 0)
        return fail (error, "user=%s: a command does not run as root, nor in its group",
                     self->user_text);
    return true;
}

bool
hk_spawn_command_parse (HkSpawnCommand *out, const char *const *words, GError **error)
{
    *out = (HkSpawnCommand){0};
    for (; *words != NULL; words++) {
        if (g_str_has_prefix (*words, "argv=")) {
            out->argv = g_strdupv ((char **) (uintptr_t) words);
            g_free (out->argv[0]);
            out->argv[0] = g_strdup (*words + strlen ("argv="));
            break; /* the rest is the command's */
        }
        if (!g_str_has_prefix (*words, "user="))
            return fail (error, "unknown attribute \"%s\" (user=, argv=)", *words);
        g_free (out->user_text);
        out->user_text = g_strdup (*words + strlen ("user="));
    }
    if (out->user_text == NULL)
        return fail (error, "user= is missing");
    if (out->argv == NULL || out->argv[0][0] == '\0')
        return fail (error, "argv= is missing");
    return find_user (out, error);
}

void
hk_spawn_command_clear (HkSpawnCommand *self)
{
    g_strfreev (self->argv);
    g_free (self->user);
    g_free (self->user_text);
    *self = (HkSpawnCommand){0};
}

char **
hk_spawn_environment (const char *const *list)
{
    char **env = g_new0 (char *, 1);
    for (; *list != NULL; list++) {
        const char *is = strchr (*list, '=');
        g_autofree char *name =
            is != NULL ? g_strndup (*list, (gsize) (is - *list)) : g_strdup (*list);
        const char *value = is != NULL ? is + 1 : g_getenv (name);
        if (value != NULL && *name != '\0')
            env = g_environ_setenv (env, name, value, TRUE);
    }
    return g_environ_setenv (env, "PATH", _PATH_DEFPATH, TRUE);
}
