/* fuzz_main_cf.c: any bytes as main.cf: reading, expansion, checks, getters. */
#include "config.h"

#include <stdlib.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
complain (int level, const char *text, void *data)
{
    (void) level;
    (void) data;
    if (text[0] == '\0')
        abort ();
}

static void
read_value (const char *name, const char *raw, void *data)
{
    HkSettings *set = data;
    g_free (hk_settings_expand (set, raw, NULL));
    g_strfreev (hk_settings_words (set, name));
    const char *file;
    unsigned line;
    hk_settings_int (set, name);
    hk_settings_bool (set, name);
    if (!hk_settings_origin (set, name, &file, &line) || line == 0)
        abort ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup ((const char *) data, size);
    g_autoptr (GError) error = NULL;
    g_autoptr (HkSettings) set = hk_settings_from_text (text, "", &error);
    if (set == NULL && error == NULL)
        abort ();
    if (set == NULL)
        return 0;
    hk_settings_check (set, complain, NULL);
    hk_settings_foreach_set (set, read_value, set);
    hk_settings_get (set, "mydestination");
    hk_settings_int (set, "message_size_limit");
    return 0;
}
