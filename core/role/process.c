/* process.c: what every role process does the same way with what master gives it. */
#include "config.h"

#include "role/process.h"

#include "base/log.h"
#include "base/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- log, counters, master --------------------------------------------------------------
 */

void
hk_process_open_log (HkSettings *settings, const char *program)
{
    const char *name = hk_settings_get (settings, "syslog_name");
    const char *given = g_getenv ("HIKYAKU_LOG_FD");
    uint64_t fd;
    if (given != NULL && hk_text_parse_u64 (hk_span_text (given), INT_MAX, &fd) &&
        fd > HK_CONTROL_FD && fcntl ((int) fd, F_SETFD, FD_CLOEXEC) == 0)
        hk_log_open (HK_LOG_TO_FILE, (int) fd, name, program);
    else if (strcmp (hk_settings_get (settings, "maillog_file"), "/dev/stdout") == 0)
        hk_log_open (HK_LOG_TO_STDOUT, -1, name, program);
    else
        hk_log_open (HK_LOG_TO_SYSLOG, -1, name, program);
}

HkStats *
hk_process_open_stats (HkSettings *settings, const char *role)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *dir =
        g_build_filename (hk_settings_get (settings, "data_directory"), "stats", NULL);
    HkStats *stats = hk_stats_open (dir, role, &error);
    if (stats != NULL)
        return stats;
    hk_log (HK_LOG_WARNING, "no counters: %s", error->message);
    return hk_stats_new_private ();
}

int
hk_process_descriptor (const char *name)
{
    const char *given = g_getenv (name);
    uint64_t fd;
    if (given == NULL || !hk_text_parse_u64 (hk_span_text (given), INT_MAX, &fd) ||
        fd <= HK_CONTROL_FD || fcntl ((int) fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    return (int) fd;
}

HkChannel *
hk_process_connect_master (HkLoop *loop, const HkChannelFns *fns, void *data)
{
    struct stat st;
    if (fstat (HK_CONTROL_FD, &st) < 0 || !S_ISSOCK (st.st_mode))
        return NULL;
    fcntl (HK_CONTROL_FD, F_SETFD, FD_CLOEXEC);
    return hk_channel_new (loop, HK_CONTROL_FD, fns, data);
}

bool
hk_process_fail (GError **error, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    g_autofree char *text = g_strdup_vprintf (format, args);
    va_end (args);
    g_set_error_literal (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE, text);
    return false;
}

/* ---- services ---------------------------------------------------------------------------
 */

char *
hk_process_identity (HkSettings *settings, size_t i)
{
    const HkService *service = hk_settings_service (settings, i);
    const char *const *words = hk_settings_service_words (settings, i);
    return g_strdup_printf ("%s %s %s", service->name,
                            words[0] != NULL && words[1] != NULL ? words[1] : "?",
                            service->command);
}

static bool
is_called (HkSettings *settings, size_t i, const char *identity)
{
    g_autofree char *own = hk_process_identity (settings, i);
    return strcmp (own, identity) == 0;
}

bool
hk_process_find_service (HkSettings *settings, uint64_t index, const char *identity,
                         size_t *out_index, GError **error)
{
    size_t n = hk_settings_n_services (settings);
    if (index < n && (identity == NULL || is_called (settings, (size_t) index, identity))) {
        *out_index = (size_t) index;
        return true;
    }
    for (size_t i = 0; identity != NULL && i < n; i++)
        if (is_called (settings, i, identity)) {
            *out_index = i;
            return true;
        }
    if (identity == NULL)
        return hk_process_fail (error, "there is no service number %" G_GUINT64_FORMAT,
                                index);
    return hk_process_fail (error,
                            "master.cf has no service \"%s\" any more: it was edited "
                            "without a reload",
                            identity);
}
