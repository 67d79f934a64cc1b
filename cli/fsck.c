/* fsck.c: `hikyaku fsck`: check, and with -r mend, the files of a queue that is not in use.
 */
#include "config.h"

#include "base/bytes.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

typedef struct {
    const char *config, *directory;
    bool repair, is_quiet;
} Options;

static int
usage (void)
{
    fprintf (stderr, "usage: hikyaku [-c config_dir] fsck [-r] [-q] [queue_directory]\n");
    return EX_USAGE;
}

static bool
parse (int argc, char **argv, Options *out)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp (argv[i], "-c") == 0 && i + 1 < argc)
            out->config = argv[++i];
        else if (strcmp (argv[i], "-r") == 0 || strcmp (argv[i], "--repair") == 0)
            out->repair = true;
        else if (strcmp (argv[i], "-q") == 0 || strcmp (argv[i], "--quiet") == 0)
            out->is_quiet = true;
        else if (argv[i][0] != '-' && out->directory == NULL)
            out->directory = argv[i];
        else if (strcmp (argv[i], "-v") != 0)
            return false;
    }
    return true;
}

static void
print_line (const char *text, void *data)
{
    (void) data;
    printf ("%s\n", text);
}

static void
print_report (const HkFsckReport *r, bool repair)
{
    printf ("%" G_GUINT64_FORMAT " segments, %" G_GUINT64_FORMAT
            " records read, %" G_GUINT64_FORMAT " messages in the queue\n",
            r->n_segments, r->n_records, r->n_live);
    printf ("%" G_GUINT64_FORMAT " torn tails, %" G_GUINT64_FORMAT
            " damaged, %" G_GUINT64_FORMAT " mended or kept in corrupt/\n",
            r->n_torn, r->n_bad, r->n_repaired);
    if (r->n_torn + r->n_bad == 0)
        printf ("the queue is clean\n");
    else if (!repair)
        printf ("nothing was changed; \"hikyaku fsck -r\" mends\n");
}

static int
failed (const GError *error)
{
    fprintf (stderr, "hikyaku: fsck: %s\n", error->message);
    if (g_error_matches (error, HK_STORE_ERROR, HK_STORE_ERROR_BUSY)) {
        fprintf (stderr, "hikyaku: fsck: the mail system is running: stop it first\n");
        return EX_TEMPFAIL;
    }
    return EX_IOERR;
}

/* 0: clean, or mended; 1: damage was found and left; sysexits.h otherwise. */
int
hk_cli_fsck (int argc, char **argv)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (HkSettings) settings = NULL;
    Options options = {0};
    if (!parse (argc, argv, &options))
        return usage ();
    if (options.directory == NULL) {
        settings = hk_settings_load (hk_cli_config_dir (options.config), &error);
        if (settings == NULL) {
            fprintf (stderr, "hikyaku: %s\n", error->message);
            return EX_CONFIG;
        }
        options.directory = hk_settings_get (settings, "queue_directory");
    }
    HkFsckReport report = {0};
    if (!hk_store_fsck (options.directory, options.repair, print_line, NULL, &report,
                        &error))
        return failed (error);
    if (!options.is_quiet)
        print_report (&report, options.repair);
    return report.n_torn + report.n_bad > 0 && !options.repair ? 1 : 0;
}
