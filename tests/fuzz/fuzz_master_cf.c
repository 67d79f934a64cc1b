/* fuzz_master_cf.c: any bytes as master.cf: services, options, views. */
#include "config.h"

#include <stdlib.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
complain (int level, const char *text, void *data)
{
    (void) level;
    (void) text;
    (void) data;
}

static void
read_option (const char *name, const char *raw, void *data)
{
    g_free (hk_settings_expand (data, raw, NULL));
    hk_settings_get (data, name);
}

static void
read_service (HkSettings *set, size_t i)
{
    const HkService *service = hk_settings_service (set, i);
    const char *const *words = hk_settings_service_words (set, i);
    g_autoptr (HkSettings) view = hk_settings_view (set, i);
    if (g_strv_length ((char **) words) < 8 || service->argv == NULL)
        abort ();
    if (strcmp (hk_settings_raw (view, "service_name"), service->name) != 0 &&
        strstr (words[8] == NULL ? "" : words[8], "-") == NULL)
        abort ();
    hk_settings_foreach_option (set, i, read_option, view);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup ((const char *) data, size);
    g_autoptr (GError) error = NULL;
    g_autoptr (HkSettings) set =
        hk_settings_from_text ("a = b\nloop = $loop\n", text, &error);
    if (set == NULL && error == NULL)
        abort ();
    if (set == NULL)
        return 0;
    hk_settings_check (set, complain, NULL);
    for (size_t i = 0; i < hk_settings_n_services (set) && i < 64; i++)
        read_service (set, i);
    return 0;
}
