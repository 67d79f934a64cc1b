/* cleanup_view.c: which parameters hold for a message between the dialogue and the store:
 * those of the service that receives it, and on top the -o of its cleanup service. */
#include "config.h"

#include "base/log.h"
#include "smtpd/smtpd_priv.h"

static void
add_option (const char *name, const char *raw, void *data)
{
    HkSettings **view = data;
    HkSettings *next = hk_settings_with (*view, name, raw);
    hk_settings_unref (*view);
    *view = next;
}

HkSettings *
hk_cleanup_view (HkSettings *all, HkSettings *view)
{
    const char *name = hk_settings_get (view, "cleanup_service_name");
    HkSettings *out = hk_settings_ref (view);
    for (size_t i = 0; i < hk_settings_n_services (all); i++) {
        const HkService *s = hk_settings_service (all, i);
        if (strcmp (s->command, "cleanup") != 0 || strcmp (s->name, name) != 0)
            continue;
        hk_settings_foreach_option (all, i, add_option, &out);
        return out;
    }
    if (strcmp (name, "cleanup") != 0)
        hk_log (HK_LOG_WARNING,
                "cleanup_service_name: master.cf has no cleanup service \"%s\"", name);
    return out;
}
