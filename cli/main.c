/* main.c: `hikyaku [-c DIR] [-v] VERB …`, and the names of Postfix that are links to it. */
#include "config.h"

#include "base/log.h"
#include "cli/cli.h"
#include "role/params.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

typedef struct {
    const char *verb;    /* hikyaku VERB */
    const char *name;    /* Postfix's name of the same; NULL: none */
    HkCliFn fn;
    const char *help;
} Verb;

static const Verb verbs[] = {
    { "start", NULL, hk_cli_control, "start the mail system in the background" },
    { "start-fg", NULL, hk_cli_control, "start it in the foreground" },
    { "stop", NULL, hk_cli_control, "stop: sessions and deliveries get some seconds to finish" },
    { "drain", NULL, hk_cli_control, "stop when every running delivery has finished" },
    { "abort", NULL, hk_cli_control, "stop at once" },
    { "reload", NULL, hk_cli_control, "read the configuration again" },
    { "status", NULL, hk_cli_control, "say whether it runs" },
    { "flush", NULL, hk_cli_control, "try to deliver all queued mail now" },
    { "logrotate", NULL, hk_cli_control, "open maillog_file anew" },
    { "check", NULL, hk_cli_check, "check the configuration" },
    { "conf", "postconf", hk_cli_conf, "show and change parameters" },
    { "map", "postmap", hk_cli_map, "build and query lookup tables" },
    { "alias", "postalias", hk_cli_alias, "build alias tables" },
    { "queue", "postqueue", hk_cli_queue, "list and flush the queue" },
    { "cat", "postcat", hk_cli_cat, "show a queued message" },
    { "super", "postsuper", hk_cli_super, "delete, hold, release, requeue messages" },
    { "fsck", NULL, hk_cli_fsck, "check and repair the queue's files" },
    { "log", "postlog", hk_cli_log, "write a line to the mail log" },
    { "lock", "postlock", hk_cli_lock, "run a command while a mailbox is locked" },
    { "kick", "postkick", hk_cli_kick, "wake up a service" },
    { "multi", "postmulti", hk_cli_multi, "manage several mail systems on one machine" },
    { "plugin", NULL, hk_cli_plugin, "list, check, enable and disable plugins" },
    { "stats", NULL, hk_cli_stats, "show the counters" },
    { "verify", NULL, hk_cli_verify, "show what address verification knows" },
    { "sendmail", "sendmail", hk_cli_sendmail, "submit a message" },
    { "man-params", NULL, hk_cli_man, NULL },
};

/* Further names of the same programs. */
static const Verb other_names[] = {
    { NULL, "mailq", hk_cli_queue, NULL },
    { NULL, "newaliases", hk_cli_alias, NULL },
};

static int
usage (FILE *out)
{
    fprintf (out, "usage: hikyaku [-c config_dir] [-v] command\n\ncommands:\n");
    for (size_t i = 0; i < G_N_ELEMENTS (verbs); i++)
        if (verbs[i].help != NULL)
            fprintf (out, "  %-10s %s\n", verbs[i].verb, verbs[i].help);
    fprintf (out, "\nEach command explains itself in its manual page.\n");
    return out == stderr ? EX_USAGE : 0;
}

static const Verb *
find (const char *word, bool is_name)
{
    for (size_t i = 0; i < G_N_ELEMENTS (verbs); i++) {
        const char *w = is_name ? verbs[i].name : verbs[i].verb;
        if (w != NULL && strcmp (w, word) == 0)
            return &verbs[i];
    }
    for (size_t i = 0; is_name && i < G_N_ELEMENTS (other_names); i++)
        if (strcmp (other_names[i].name, word) == 0)
            return &other_names[i];
    return NULL;
}

const char *
hk_cli_config_dir (const char *from_option)
{
    const char *env = g_getenv ("MAIL_CONFIG");
    if (from_option != NULL)
        return from_option;
    return env != NULL && env[0] != '\0' ? env : HK_CONFIG_DIR;
}

void
hk_cli_register_params (void)
{
    hk_register_params ();
}

/* The options before the verb become the verb's own, so that `hikyaku -c DIR map …` and
 * `postmap -c DIR …` reach it alike. */
int
main (int argc, char **argv)
{
    g_autofree char *name = g_path_get_basename (argv[0]);
    hk_log_open (HK_LOG_TO_STDERR, -1, "hikyaku", name);
    hk_cli_register_params ();
    const Verb *by_name = find (name, true);
    if (by_name != NULL)
        return by_name->fn (argc, argv);
    int at = 1;
    while (at < argc && argv[at][0] == '-' && argv[at][1] != '\0') {
        if (strcmp (argv[at], "--help") == 0 || strcmp (argv[at], "-h") == 0)
            return usage (stdout);
        if (strcmp (argv[at], "--version") == 0) {
            printf ("hikyaku %s\n", PACKAGE_VERSION);
            return 0;
        }
        at += strcmp (argv[at], "-c") == 0 ? 2 : 1;
    }
    const Verb *verb = at < argc ? find (argv[at], false) : NULL;
    if (verb == NULL && at < argc)
        fprintf (stderr, "hikyaku: there is no command \"%s\"\n", argv[at]);
    if (verb == NULL)
        return usage (stderr);
    /* argv: program, options, verb, rest  →  verb, options, rest */
    char *word = argv[at];
    memmove (argv + at, argv + at + 1, (size_t) (argc - at) * sizeof *argv);
    argv[0] = word;
    return verb->fn (argc - 1, argv);
}
