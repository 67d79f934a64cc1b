/* lookups.c: how many lookups a second several threads get from one open table.
 *
 *     lookups CONFIGDIR TYPE:NAME KEYFILE THREADS
 *
 * Every thread asks each key of its share once, the way smtpd asks (hk_maps_get); what is
 * printed is the sum of all per second.  A key that is not found is an error. */
#include "config.h"

#include "host/maps.h"
#include "role/params.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_THREADS = 256 };

typedef struct {
    HkMaps *maps;
    char **keys; /* of this thread */
    size_t n;
    size_t n_missed;
    pthread_barrier_t *start;
} Share;

static void *
ask (void *data)
{
    Share *self = data;
    g_autoptr (GString) value = g_string_new (NULL);
    pthread_barrier_wait (self->start);
    for (size_t i = 0; i < self->n; i++) {
        g_string_truncate (value, 0);
        if (hk_maps_get (self->maps, hk_span_text (self->keys[i]), value, NULL) != HK_FOUND)
            self->n_missed++;
    }
    return NULL;
}

/* Seconds; negative: some key was not there. */
static double
run (HkMaps *maps, char **keys, size_t n_keys, unsigned n_threads)
{
    pthread_t threads[MAX_THREADS];
    Share shares[MAX_THREADS];
    pthread_barrier_t start;
    size_t n_missed = 0, each = n_keys / n_threads;
    pthread_barrier_init (&start, NULL, n_threads + 1);
    for (unsigned i = 0; i < n_threads; i++) {
        shares[i] = (Share){maps, keys + i * each, each, 0, &start};
        if (pthread_create (&threads[i], NULL, ask, &shares[i]) != 0)
            exit (1);
    }
    pthread_barrier_wait (&start);
    int64_t begin = g_get_monotonic_time ();
    for (unsigned i = 0; i < n_threads; i++) {
        pthread_join (threads[i], NULL);
        n_missed += shares[i].n_missed;
    }
    int64_t took = g_get_monotonic_time () - begin;
    pthread_barrier_destroy (&start);
    return n_missed > 0 ? -1 : (double) took / 1e6;
}

static HkMaps *
open_maps (const char *dir, const char *spec, GError **error)
{
    hk_register_params ();
    HkSettings *settings = hk_settings_load (dir, error);
    if (settings == NULL)
        return NULL;
    HkPlugins *plugins =
        hk_plugins_new (hk_settings_get (settings, "plugin_directory"), NULL, NULL);
    hk_plugins_load_enabled_kind (plugins, settings, HK_KIND_LOOKUP);
    return hk_maps_open (plugins, settings, "lookups", spec, error);
}

int
main (int argc, char **argv)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *text = NULL;
    unsigned n_threads = argc == 5 ? (unsigned) strtoul (argv[4], NULL, 10) : 0;
    if (n_threads == 0 || n_threads > MAX_THREADS) {
        fprintf (stderr, "usage: lookups CONFIGDIR TYPE:NAME KEYFILE THREADS\n");
        return 64;
    }
    HkMaps *maps = open_maps (argv[1], argv[2], &error);
    if (maps == NULL || !g_file_get_contents (argv[3], &text, NULL, &error)) {
        fprintf (stderr, "lookups: %s\n", error->message);
        return 1;
    }
    g_auto (GStrv) keys = g_strsplit (g_strchomp (text), "\n", -1);
    size_t n = g_strv_length (keys);
    double took = run (maps, keys, n, n_threads);
    hk_maps_unref (maps);
    if (took < 0) {
        fprintf (stderr, "lookups: a key was not found\n");
        return 1;
    }
    printf ("%.0f\n", (double) (n / n_threads * n_threads) / took);
    return 0;
}
