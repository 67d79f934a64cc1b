/* authorized.c: may this local user submit mail, list or flush the queue? */
#include "config.h"

#include "host/authorized.h"

#include "conf/conf.h"
#include "host/maps.h"

#include <pwd.h>
#include <string.h>

static const char anyone[] = "static:anyone"; /* the preset of all three */

static char *
user_name (uid_t uid)
{
    char buffer[16384];
    struct passwd entry, *found = NULL;
    if (getpwuid_r (uid, &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
        return g_strdup ("unknown");
    return g_strdup (found->pw_name);
}

/* NULL: listed; else why not. */
static char *
refusal (HkPlugins *plugins, HkSettings *settings, const char *parameter, const char *name,
         bool is_loop, const char *action)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *reason = NULL;
    const char *text = hk_settings_get (settings, parameter);
    g_autoptr (HkMatchList) list =
        hk_match_list_open (plugins, settings, parameter, text, HK_MATCH_STRINGS, &error);
    if (list == NULL)
        return g_strdup_printf ("cannot be looked up: %s", error->message);
    if (is_loop && hk_match_list_may_block (list))
        return g_strdup_printf (
            "cannot be looked up: %s: this table may wait, and the queue "
            "manager must not",
            parameter);
    switch (hk_match_list_find (list, hk_span_text (name), HK_SPAN_NONE, &reason)) {
    case HK_FOUND:
        return NULL;
    case HK_ABSENT:
        return g_strdup_printf ("is not allowed to %s", action);
    default:
        return g_strdup_printf ("cannot be looked up: %s: %s", parameter,
                                reason != NULL ? reason : "no answer");
    }
}

bool
hk_user_is_authorized (HkPlugins *plugins, HkSettings *settings, const char *parameter,
                       uid_t uid, bool is_loop, const char *action, char **out_text)
{
    HkPlugins *own = NULL;
    if (strcmp (hk_settings_get (settings, parameter), anyone) == 0)
        return true;
    if (plugins == NULL) {
        plugins = own =
            hk_plugins_new (hk_settings_get (settings, "plugin_directory"), NULL, NULL);
        hk_plugins_set_settings (own, settings);
        hk_plugins_load_enabled (own, settings);
    }
    g_autofree char *name = user_name (uid);
    g_autofree char *why = refusal (plugins, settings, parameter, name, is_loop, action);
    if (why != NULL)
        *out_text = g_strdup_printf ("User %s(%u) %s", name, (unsigned) uid, why);
    if (own != NULL)
        hk_plugins_free (own);
    return why == NULL;
}
