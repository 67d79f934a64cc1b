/* check_access.c: what `hikyaku check` says of the restriction lists of the smtpd services, and
 * of their TLS. */
#include "config.h"

#include "access/access.h"
#include "cli/check.h"
#include "session/session_tls.h"

typedef struct {
    HkComplaintFn fn;
    void *data;
    const HkService *service;
} Complaints;

static void
say (const Complaints *self, int level, const char *text)
{
    g_autofree char *whole =
        g_strdup_printf ("%s: line %u: service \"%s\": %s", self->service->file,
                         self->service->line, self->service->name, text);
    self->fn (level, whole, self->data);
}

static void
on_complaint (int level, const char *text, void *data)
{
    say (data, level, text);
}

/* Tables that the server's loop asks itself (core/session/filter.c). */
static void
check_waiting (HkPlugins *plugins, HkSettings *view, const Complaints *self)
{
    static const char *const parameters[] = {"smtpd_command_filter",
                                             "smtpd_reject_footer_maps"};
    for (size_t i = 0; i < G_N_ELEMENTS (parameters); i++) {
        const char *text = hk_settings_get (view, parameters[i]);
        g_autoptr (HkMaps) maps =
            hk_maps_open (plugins, view, parameters[i], text, NULL);
        if (maps == NULL || !hk_maps_may_block (maps))
            continue;
        g_autofree char *line = g_strdup_printf (
            "%s = %s: every session would wait for this table; use a local type such as "
            "pcre, regexp, texthash or hash",
            parameters[i], text);
        say (self, HK_LOG_ERROR, line);
    }
}

void
hk_check_access (HkPlugins *plugins, HkSettings *view, const HkService *service,
                 HkComplaintFn fn, void *data)
{
    Complaints self = {fn, data, service};
    g_autoptr (GError) error = NULL;
    hk_plugins_set_settings (plugins, view);
    HkRouter *router = hk_router_new (plugins, view, &error);
    HkAccess *access = router == NULL ? NULL
                                      : hk_access_new (plugins, view, router, on_complaint,
                                                       &self, &error);
    /* What is wrong with a table of the router was said with its file and line. */
    if (router != NULL && access == NULL)
        say (&self, HK_LOG_ERROR, error->message);
    if (access != NULL)
        hk_access_free (access);
    check_waiting (plugins, view, &self);
    if (router != NULL)
        hk_router_unref (router);
    hk_session_tls_free (
        hk_session_tls_new (plugins, view, service->name, NULL, on_complaint, &self));
}
