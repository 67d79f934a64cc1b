/* drop.c: the helper that `sendmail` starts when its user may not write into maildrop/.
 *
 *     drop [-c CONFIGDIR] < submission
 *
 * Installed setgid to setgid_group.  It believes nothing: the submission is read whole,
 * checked, and written again under a name of its own.  Who sent it is the file's owner. */
#include "config.h"

#include "base/log.h"
#include "conf/conf.h"
#include "host/authorized.h"
#include "smtpd/maildrop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static int
fail (int exit_code, const char *what, const char *why)
{
    fprintf (stderr, "drop: %s: %s\n", what, why);
    return exit_code;
}

static bool
is_listed (HkSettings *settings, const char *parameter, const char *dir)
{
    g_auto (GStrv) words = hk_settings_words (settings, parameter);
    return g_strv_contains ((const char *const *) words, dir);
}

/* With more rights than its caller, the helper takes another configuration than the
 * system's only when that one lists it. */
static HkSettings *
load (const char *dir, GError **error)
{
    if (getgid () == getegid () || getuid () == 0)
        return hk_settings_load (dir, error);
    g_autoptr (HkSettings) own = hk_settings_load (HK_CONFIG_DIR, error);
    if (own == NULL || strcmp (dir, HK_CONFIG_DIR) == 0)
        return g_steal_pointer (&own);
    if (is_listed (own, "alternate_config_directories", dir) ||
        is_listed (own, "multi_instance_directories", dir))
        return hk_settings_load (dir, error);
    g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE,
                 "%s is not listed in alternate_config_directories of %s/main.cf", dir,
                 HK_CONFIG_DIR);
    return NULL;
}

static bool
read_submission (GByteArray *out, size_t limit)
{
    uint8_t buffer[65536];
    ssize_t n;
    while ((n = read (0, buffer, sizeof buffer)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || out->len + (size_t) n > limit)
            return false;
        g_byte_array_append (out, buffer, (guint) n);
    }
    return true;
}

int
main (int argc, char **argv)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GByteArray) bytes = g_byte_array_new ();
    g_autofree char *refusal = NULL;
    HkSubmission submission;
    const char *dir = HK_CONFIG_DIR;

    if (argc == 3 && strcmp (argv[1], "-c") == 0)
        dir = argv[2];
    else if (argc != 1)
        return fail (EX_USAGE, "usage", "drop [-c CONFIGDIR]");
    for (int sig = SIGHUP; sig <= SIGTERM; sig++)
        if (sig == SIGHUP || sig == SIGINT || sig == SIGQUIT || sig == SIGALRM)
            signal (sig, SIG_IGN); /* a file half written would only be litter */
    umask (022);
    hk_log_open (HK_LOG_TO_STDERR, -1, "hikyaku", "drop");
    hk_conf_register (hk_base_params);
    g_autoptr (HkSettings) settings = load (dir, &error);
    if (settings == NULL)
        return fail (EX_CONFIG, dir, error->message);
    if (!hk_user_is_authorized (NULL, settings, "authorized_submit_users", getuid (), false,
                                "submit mail", &refusal)) {
        fprintf (stderr, "drop: fatal: %s\n", refusal);
        return EX_NOPERM;
    }
    uint64_t limit = (uint64_t) hk_settings_int (settings, "message_size_limit");
    if (!read_submission (bytes,
                          (limit == 0 ? (size_t) 1 << 30 : limit) + HK_MAILDROP_MAX_HEAD))
        return fail (EX_TEMPFAIL, "submission", "cannot be read, or is too large");
    if (!hk_maildrop_unpack (hk_span (bytes->data, bytes->len), &submission, &error))
        return fail (EX_DATAERR, "submission", error->message);
    g_free (submission.recipients);
    if (!hk_maildrop_write (hk_settings_get (settings, "queue_directory"),
                            hk_span (bytes->data, bytes->len), &error))
        return fail (EX_TEMPFAIL, "maildrop", error->message);
    return 0;
}
