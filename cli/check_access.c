/* check_access.c: what `hikyaku check` says of the restriction lists of the smtpd services. */
#include "config.h"

#include "access/access.h"
#include "cli/check.h"

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
    if (router != NULL)
        hk_router_unref (router);
}
