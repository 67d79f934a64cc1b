/* rights.c: giving up rights for good. */
#include "config.h"

#include "deliver_priv.h"

#include <errno.h>
#include <gio/gio.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

void
hk_rights_no_new_privs (void)
{
    prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

bool
hk_rights_find_user (const char *name, HkUser *out, GError **error)
{
    char buffer[16384];
    struct passwd entry, *found = NULL;
    int e = getpwnam_r (name, &entry, buffer, sizeof buffer, &found);
    if (found == NULL) {
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "user \"%s\": %s", name,
                     e == 0 ? "not in the password file" : g_strerror (e));
        return false;
    }
    *out = (HkUser){.size = sizeof *out, .uid = entry.pw_uid, .gid = entry.pw_gid};
    return true;
}

static bool
fail (const char *what, GError **error)
{
    int e = errno;
    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (e), "%s: %s", what,
                 g_strerror (e));
    return false;
}

bool
hk_rights_drop (uint32_t uid, uint32_t gid, const char *user, GError **error)
{
    gid_t group = gid;
    if (uid == 0 || gid == 0) {
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                     "will not deliver with the rights of uid %u, gid %u", uid, gid);
        return false;
    }
    if (user != NULL ? initgroups (user, gid) != 0 : setgroups (1, &group) != 0)
        return fail ("setgroups", error);
    if (setresgid (gid, gid, gid) != 0)
        return fail ("setresgid", error);
    if (setresuid (uid, uid, uid) != 0)
        return fail ("setresuid", error);
    /* The kernel must not let us back. */
    if (setuid (0) == 0 || geteuid () != uid || getegid () != gid) {
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "rights were not given up");
        return false;
    }
    /* Others with the same uid must not read descriptors and memory of this process. */
    prctl (PR_SET_DUMPABLE, 0, 0, 0, 0);
    return true;
}
