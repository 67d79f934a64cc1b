/* test_rows.h: "rows:k=v;k=v" tables for the tests of this floor and the next: as "mem:" of
 * host/test_table.h, but '|' in a value stands for ", ", and '~' for a blank, '%' for a
 * semicolon, '^' for a line break with a tab, everywhere.  "lines:" gets keys as they are.
 */
#ifndef HK_ROUTE_TEST_ROWS_H
#define HK_ROUTE_TEST_ROWS_H

#include "host/test_table.h"
#include "route/route.h"

static GString *
rows_text (const char *written)
{
    GString *text = g_string_new (written);
    g_string_replace (text, "~", " ", 0);
    g_string_replace (text, "%", ";", 0);
    g_string_replace (text, "^", "\n\t", 0);
    return text;
}

static HkAnswer
rows_get (void *instance, HkCall *call, HkSpan key)
{
    MemTable *self = instance;
    g_auto (GStrv) rows = g_strsplit (self->text, ";", -1);
    for (char **row = rows; *row != NULL; row++) {
        char *value = strchr (*row, '=');
        if (value == NULL)
            continue;
        *value++ = '\0';
        g_autoptr (GString) name = rows_text (*row);
        if (!hk_span_equal (key, hk_span_string (name)))
            continue;
        if (strcmp (value, "LATER") == 0)
            return self->host->later (call, "cannot ask for %s", *row);
        g_autoptr (GString) text = rows_text (value);
        g_string_replace (text, "|", ", ", 0);
        self->host->answer (call, text->str, text->len);
        return HK_FOUND;
    }
    return HK_ABSENT;
}

static const HkLookupClass rows_class = TEST_CLASS ("rows", 0, rows_get);
static const HkLookupClass lines_class =
    TEST_CLASS ("lines", HK_PATTERN_KEYS | HK_BINARY_KEYS, rows_get);
static const HkClass *const rows_classes[] = {&rows_class.base, &lines_class.base, NULL};
static const HkPlugin rows_plugin = {.size = sizeof (HkPlugin),
                                     .magic = HK_PLUGIN_MAGIC,
                                     .abi_major = HK_ABI_MAJOR,
                                     .abi_minor = HK_ABI_MINOR,
                                     .name = "lookup_rows",
                                     .version = "1",
                                     .licence = "none",
                                     .summary = "for tests",
                                     .classes = rows_classes};

/* A host with these tables, settings from MAIN_CF behind names that every test shares. */
static inline HkPlugins *
test_rows_new (const char *main_cf, HkSettings **out_settings)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *text =
        g_strconcat ("compatibility_level = 3.7\nmyhostname = mx.ours.test\n"
                     "mydomain = ours.test\nmyorigin = ours.test\n"
                     "mydestination = ours.test, localhost\ninet_interfaces = 127.0.0.1\n"
                     "local_recipient_maps =\n",
                     main_cf, NULL);
    hk_conf_register (hk_route_params);
    HkPlugins *plugins = test_host_new (text, out_settings);
    g_assert_true (hk_plugins_add (plugins, &rows_plugin, &error));
    g_assert_no_error (error);
    return plugins;
}

static inline HkRouter *
test_router_new (HkPlugins *plugins, HkSettings *settings)
{
    g_autoptr (GError) error = NULL;
    HkRouter *router = hk_router_new (plugins, settings, &error);
    g_assert_no_error (error);
    g_assert_nonnull (router);
    return router;
}

#endif
