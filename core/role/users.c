/* users.c: looking up and becoming the users of the roles. */
#include "config.h"

#include "role/users.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

static bool
find_user (HkSettings *settings, const char *parameter, int *out_uid, int *out_gid,
           GError **error)
{
    const char *name = hk_settings_get (settings, parameter);
    const struct passwd *pw = getpwnam (name);
    if (pw == NULL || pw->pw_uid == 0 || pw->pw_gid == 0) {
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE, "%s: user \"%s\" %s", parameter,
                     name, pw == NULL ? "does not exist" : "must be neither root nor in its group");
        return false;
    }
    *out_uid = (int) pw->pw_uid;
    *out_gid = (int) pw->pw_gid;
    return true;
}

bool
hk_users_find (HkSettings *settings, HkStoreOwners *out, GError **error)
{
    int deliver_uid, deliver_gid;
    if (!find_user (settings, "mail_owner", &out->qmgr_uid, &out->qmgr_gid, error)
        || !find_user (settings, "smtpd_owner", &out->smtpd_uid, &out->smtpd_gid, error)
        || !find_user (settings, "deliver_owner", &deliver_uid, &deliver_gid, error))
        return false;
    if (out->qmgr_uid == out->smtpd_uid || out->qmgr_uid == deliver_uid
        || out->smtpd_uid == deliver_uid) {
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE,
                     "mail_owner, smtpd_owner and deliver_owner must be three different users");
        return false;
    }
    const struct group *gr = getgrnam (hk_settings_get (settings, "setgid_group"));
    out->setgid_gid = gr == NULL ? -1 : (int) gr->gr_gid;
    return true;
}

bool
hk_users_become (HkSettings *settings, const char *parameter, GError **error)
{
    int uid, gid;
    if (getuid () == 0) {
        if (!find_user (settings, parameter, &uid, &gid, error))
            return false;
        if (setgroups (0, NULL) < 0 || setresgid ((gid_t) gid, (gid_t) gid, (gid_t) gid) < 0
            || setresuid ((uid_t) uid, (uid_t) uid, (uid_t) uid) < 0 || setuid (0) == 0) {
            g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO, "cannot become user \"%s\": %s",
                         hk_settings_get (settings, parameter), g_strerror (errno));
            return false;
        }
    }
    prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return true;
}
