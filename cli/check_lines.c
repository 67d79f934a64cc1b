/* check_lines.c: what `hikyaku check` says of lines of master.cf that need something else: a
 * backend of authentication, the line behind postscreen, a cleanup line. */
#include "config.h"

#include "base/log.h"
#include "cli/check.h"
#include "host/maps.h"

#include <string.h>

typedef struct {
    HkPlugins *plugins;
    HkSettings *set;
    HkComplaintFn fn;
    void *data;
    GHashTable *said; /* texts: each once */
} Lines;

static void
say_once (Lines *self, int level, char *text)
{
    if (g_hash_table_add (self->said, text))
        self->fn (level, text, self->data);
}

static char *
where (HkSettings *view, const char *name, const HkService *service)
{
    const char *file;
    unsigned line;
    if (hk_settings_origin (view, name, &file, &line))
        return g_strdup_printf ("%s: line %u: %s", file, line, name);
    return g_strdup_printf ("%s: line %u: service \"%s\": %s", service->file, service->line,
                            service->name, name);
}

/* A name that a file gives is looked for even where AUTH is off: it will be on one day. */
static void
check_sasl (Lines *self, HkSettings *view, const HkService *service)
{
    g_autoptr (GError) error = NULL;
    bool is_used = hk_settings_bool (view, "smtpd_sasl_auth_enable");
    const char *type = hk_settings_get (view, "smtpd_sasl_type");
    if ((!is_used && hk_settings_raw (view, "smtpd_sasl_type") == NULL) ||
        hk_plugins_load_for (self->plugins, HK_KIND_SASL, type, &error))
        return;
    g_autofree char *place = where (view, "smtpd_sasl_type", service);
    say_once (self, is_used ? HK_LOG_ERROR : HK_LOG_WARNING,
              g_strdup_printf ("%s: %s", place, error->message));
}

static bool
has_line (Lines *self, const char *command, HkServiceType type, const char *name)
{
    for (size_t i = 0; i < hk_settings_n_services (self->set); i++) {
        const HkService *s = hk_settings_service (self->set, i);
        if (strcmp (s->command, command) == 0 && s->type == type &&
            (name == NULL || strcmp (s->name, name) == 0))
            return true;
    }
    return false;
}

/* Tables that the loop itself asks while a client is judged (core/session/filter.c). */
static void
check_waiting (Lines *self, HkSettings *view, const HkService *service)
{
    static const char *const names[] = {"postscreen_command_filter",
                                        "postscreen_reject_footer_maps"};
    for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
        g_autoptr (HkMaps) maps = hk_maps_open (self->plugins, view, names[i],
                                                hk_settings_get (view, names[i]), NULL);
        if (maps == NULL || !hk_maps_may_block (maps))
            continue;
        g_autofree char *place = where (view, names[i], service);
        say_once (self, HK_LOG_ERROR,
                  g_strdup_printf ("%s: every session would wait for this table; use a "
                                   "local type such as pcre, regexp, texthash or hash",
                                   place));
    }
}

static void
check_postscreen (Lines *self, HkSettings *view, const HkService *service)
{
    check_waiting (self, view, service);
    if (!has_line (self, "smtpd", HK_SERVICE_PASS, NULL))
        say_once (self, HK_LOG_ERROR,
                  g_strdup_printf ("%s: line %u: service \"%s\": postscreen needs a line "
                                   "\"smtpd pass - - n - - smtpd\" for the sessions behind it",
                                   service->file, service->line, service->name));
}

static void
check_cleanup (Lines *self, HkSettings *view, const HkService *service)
{
    const char *name = hk_settings_get (view, "cleanup_service_name");
    if (strcmp (name, "cleanup") == 0 ||
        has_line (self, "cleanup", HK_SERVICE_UNIX, name))
        return;
    g_autofree char *place = where (view, "cleanup_service_name", service);
    say_once (self, HK_LOG_WARNING,
              g_strdup_printf ("%s: master.cf has no cleanup service \"%s\"", place, name));
}

void
hk_check_lines (HkPlugins *plugins, HkSettings *set, HkComplaintFn fn, void *data)
{
    g_autoptr (GHashTable) said =
        g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    Lines self = {plugins, set, fn, data, said};
    for (size_t i = 0; i < hk_settings_n_services (set); i++) {
        const HkService *service = hk_settings_service (set, i);
        g_autoptr (HkSettings) view = hk_settings_view (set, i);
        bool is_smtpd = strcmp (service->command, "smtpd") == 0;
        if (is_smtpd)
            check_sasl (&self, view, service);
        if (is_smtpd || strcmp (service->command, "qmqpd") == 0 ||
            strcmp (service->command, "pickup") == 0)
            check_cleanup (&self, view, service);
        if (strcmp (service->command, "postscreen") == 0)
            check_postscreen (&self, view, service);
    }
}
