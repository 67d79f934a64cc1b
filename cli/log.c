/* log.c: postlog: write lines to the mail log. */
#include "config.h"

#include "base/log.h"
#include "cli/cli.h"
#include "conf/conf.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static int
level_of (const char *word)
{
    if (strcmp (word, "info") == 0)
        return HK_LOG_INFO;
    if (strcmp (word, "warn") == 0 || strcmp (word, "warning") == 0)
        return HK_LOG_WARNING;
    return strcmp (word, "error") == 0 || strcmp (word, "fatal") == 0 || strcmp (word, "panic") == 0
               ? HK_LOG_ERROR
               : -1;
}

static void
write_line (int level, const char *tag, const char *text)
{
    static const char *const word[] = { "", "", "warning: ", "error: " };
    g_autofree char *line = g_strconcat (word[level], text, NULL);
    hk_log_line (level, tag, hk_span_text (line));
}

static bool
open_log (HkSettings *settings)
{
    const char *file = hk_settings_get (settings, "maillog_file");
    const char *name = hk_settings_get (settings, "syslog_name");
    if (file[0] == '\0') {
        hk_log_open (HK_LOG_TO_SYSLOG, -1, name, "postlog");
    } else if (strcmp (file, "/dev/stdout") == 0) {
        hk_log_open (HK_LOG_TO_STDOUT, -1, name, "postlog");
    } else {
        int fd = open (file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0) {
            perror (file);
            return false;
        }
        hk_log_open (HK_LOG_TO_FILE, fd, name, "postlog");
    }
    return true;
}

/* -i is accepted (the tag has the process id anyway); standard input without arguments. */
int
hk_cli_log (int argc, char **argv)
{
    g_autoptr (GError) error = NULL;
    const char *config = NULL, *tag = "postlog";
    int level = HK_LOG_INFO, option;
    while ((option = getopt (argc, argv, "c:ip:t:v")) != -1) {
        if (option == 'c')
            config = optarg;
        else if (option == 't')
            tag = optarg;
        else if (option == 'p')
            level = level_of (optarg);
        else if (option == '?')
            level = -1;
    }
    if (level < 0) {
        fprintf (stderr, "usage: postlog [-iv] [-c config_dir] [-p info|warn|error|fatal|panic] "
                         "[-t tag] [text ...]\n");
        return EX_USAGE;
    }
    g_autoptr (HkSettings) settings = hk_settings_load (hk_cli_config_dir (config), &error);
    if (settings == NULL || !open_log (settings)) {
        fprintf (stderr, "postlog: %s\n", error != NULL ? error->message : "no log");
        return EX_CONFIG;
    }
    if (optind < argc) {
        g_autofree char *text = g_strjoinv (" ", argv + optind);
        write_line (level, tag, text);
    } else {
        char line[4096];
        while (fgets (line, sizeof line, stdin) != NULL) {
            line[strcspn (line, "\r\n")] = '\0';
            write_line (level, tag, line);
        }
    }
    hk_log_flush ();
    return 0;
}
