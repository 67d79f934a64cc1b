/* stats.c: `hikyaku stats [--json]`: the counters of all roles, without asking any of them. */
#include "config.h"

#include "base/stats.h"
#include "cli/cli.h"
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* Same names of several processes are added up: two smtpd workers are one service. */
static void
collect (const char *role, int pid, const char *name, uint64_t value, void *data)
{
    uint64_t *sum = g_hash_table_lookup (data, name);
    (void) role;
    (void) pid;
    if (sum == NULL) {
        sum = g_new0 (uint64_t, 1);
        g_hash_table_insert (data, g_strdup (name), sum);
    }
    *sum += value;
}

static gint
by_name (gconstpointer a, gconstpointer b)
{
    return strcmp (*(char *const *) a, *(char *const *) b);
}

/* "queue.messages" becomes {"queue": {"messages": …}}; NAMES is sorted, so groups are together. */
static void
print_json (GHashTable *sums, GPtrArray *names)
{
    g_autofree char *open = NULL;
    bool is_first = true;
    printf ("{");
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index (names, i);
        const char *dot = strchr (name, '.');
        g_autofree char *group = dot == NULL ? NULL : g_strndup (name, (gsize) (dot - name));
        if (g_strcmp0 (group, open) != 0) {
            printf ("%s%s", open != NULL ? "}" : "", is_first ? "" : ", ");
            if (group != NULL)
                printf ("\"%s\": {", group);
            g_free (open);
            open = g_strdup (group);
        } else {
            printf (", ");
        }
        is_first = false;
        printf ("\"%s\": %" G_GUINT64_FORMAT, dot == NULL ? name : dot + 1,
                *(uint64_t *) g_hash_table_lookup (sums, name));
    }
    printf ("%s}\n", open != NULL ? "}" : "");
}

int
hk_cli_stats (int argc, char **argv)
{
    g_autoptr (GError) error = NULL;
    const char *config = NULL;
    bool is_json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp (argv[i], "-c") == 0 && i + 1 < argc) {
            config = argv[++i];
        } else if (strcmp (argv[i], "--json") == 0 || strcmp (argv[i], "-j") == 0) {
            is_json = true;
        } else if (strcmp (argv[i], "-v") != 0) {
            fprintf (stderr, "usage: hikyaku [-c config_dir] stats [--json]\n");
            return EX_USAGE;
        }
    }
    g_autoptr (HkSettings) settings = hk_settings_load (hk_cli_config_dir (config), &error);
    g_autoptr (GHashTable) sums = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
    if (settings == NULL) {
        fprintf (stderr, "hikyaku: %s\n", error->message);
        return EX_CONFIG;
    }
    g_autofree char *dir
        = g_build_filename (hk_settings_get (settings, "data_directory"), "stats", NULL);
    if (!hk_stats_read_all (dir, collect, sums, &error)) {
        fprintf (stderr, "hikyaku: stats: %s\n", error->message);
        return EX_UNAVAILABLE;
    }
    g_autoptr (GPtrArray) names = g_ptr_array_new ();
    GHashTableIter iter;
    gpointer key;
    g_hash_table_iter_init (&iter, sums);
    while (g_hash_table_iter_next (&iter, &key, NULL))
        g_ptr_array_add (names, key);
    g_ptr_array_sort (names, by_name);
    if (is_json) {
        print_json (sums, names);
    } else {
        for (guint i = 0; i < names->len; i++)
            printf ("%-32s %" G_GUINT64_FORMAT "\n", (char *) g_ptr_array_index (names, i),
                    *(uint64_t *) g_hash_table_lookup (sums, g_ptr_array_index (names, i)));
    }
    return 0;
}
