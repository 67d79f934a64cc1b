/* verify.c: `hikyaku verify [ADDRESS …]`: what address verification knows, from its file.
 */
#include "config.h"

#include "base/text.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "verify/verify.h"

#include <stdio.h>
#include <sysexits.h>

typedef struct {
    char **keys; /* asked for; NULL: all */
    unsigned n_shown;
} Show;

/* One line: address, status, since when, what the probe met. */
static void
show_one (const char *key, const HkVerifyEntry *entry, void *data)
{
    Show *self = data;
    if (self->keys != NULL && !g_strv_contains ((const char *const *) self->keys, key))
        return;
    g_autoptr (GDateTime) then = g_date_time_new_from_unix_utc (entry->updated_s);
    g_autofree char *date =
        then != NULL ? g_date_time_format (then, "%Y-%m-%dT%H:%M:%SZ") : g_strdup ("?");
    g_autoptr (GString) line = g_string_new (NULL);
    hk_text_append_printable (line, hk_span_text (key), HK_VERIFY_ADDRESS_MAX, true);
    g_string_append_printf (line, "\t%s\t%s\t", hk_verify_status_name (entry->status),
                            date);
    hk_text_append_printable (line, hk_span_text (entry->text), HK_VERIFY_TEXT_MAX, true);
    puts (line->str);
    self->n_shown++;
}

static int
show (HkSettings *settings, char **addresses)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func (g_free);
    g_autofree char *path =
        hk_verify_path (hk_settings_get (settings, "address_verify_map"));
    if (path == NULL) {
        fprintf (stderr, "hikyaku: address_verify_map is empty: what is known is in memory "
                         "only\n");
        return EX_UNAVAILABLE;
    }
    for (; *addresses != NULL; addresses++)
        g_ptr_array_add (keys, hk_verify_key (hk_span_text (*addresses)));
    bool all = keys->len == 0;
    g_ptr_array_add (keys, NULL);
    Show self = {all ? NULL : (char **) keys->pdata, 0};
    if (!hk_verify_file_read (path, show_one, &self, &error)) {
        fprintf (stderr, "hikyaku: %s\n", error->message);
        return EX_NOINPUT;
    }
    return all || self.n_shown > 0 ? 0 : 1;
}

int
hk_cli_verify (int argc, char **argv)
{
    g_autoptr (GError) error = NULL;
    const char *config = NULL;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp (argv[i], "-c") == 0 && i + 1 < argc) {
            config = argv[++i];
        } else if (strcmp (argv[i], "-v") != 0) {
            fprintf (stderr, "usage: hikyaku [-c config_dir] verify [address ...]\n");
            return EX_USAGE;
        }
    }
    g_autoptr (HkSettings) settings = hk_settings_load (hk_cli_config_dir (config), &error);
    if (settings == NULL) {
        fprintf (stderr, "hikyaku: %s\n", error->message);
        return EX_CONFIG;
    }
    return show (settings, argv + i);
}
