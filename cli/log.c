/* log.c: postlog: write lines to the mail log. */
#include "config.h"

#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How a line of each severity begins, and whether the program waits behind it, as others do
 * that end so. */
typedef struct {
    const char *name, *prefix;
    int level;
    bool pauses;
} Severity;

static const Severity severities[] = {
    {"info", "", HK_LOG_INFO, false},
    {"warn", "warning: ", HK_LOG_WARNING, false},
    {"warning", "warning: ", HK_LOG_WARNING, false},
    {"error", "error: ", HK_LOG_ERROR, false},
    {"fatal", "fatal: ", HK_LOG_ERROR, true},
    {"panic", "panic: ", HK_LOG_ERROR, true},
};

static const Severity *
find_severity (const char *word)
{
    for (size_t i = 0; i < G_N_ELEMENTS (severities); i++)
        if (g_ascii_strcasecmp (severities[i].name, word) == 0)
            return &severities[i];
    return NULL;
}

/* On a terminal the line is shown as well. */
static void
write_line (const Severity *severity, const char *name, const char *tag, HkSpan text)
{
    g_autoptr (GString) line = g_string_new (severity->prefix);
    hk_string_append (line, text);
    hk_log_line (severity->level, tag, hk_span_string (line));
    if (isatty (STDERR_FILENO)) {
        g_autoptr (GString) shown = g_string_new (NULL);
        hk_text_append_printable (shown, hk_span_string (line), 2000, true);
        bool is_own = strcmp (tag, "postlog") == 0;
        fprintf (stderr, "%s%s%s: %s\n", is_own ? name : "", is_own ? "/" : "", tag,
                 shown->str);
    }
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
            fprintf (stderr, "postlog: fatal: open %s: %s\n", file, g_strerror (errno));
            return false;
        }
        hk_log_open (HK_LOG_TO_FILE, fd, name, "postlog");
    }
    return true;
}

static int fail (const char *format, ...) G_GNUC_PRINTF (1, 2);

static int
fail (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    g_autofree char *text = g_strdup_vprintf (format, args);
    va_end (args);
    fprintf (stderr, "postlog: fatal: %s\n", text);
    return 1;
}

static void
write_input (const Severity *severity, const char *name, const char *tag)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    while ((n = getline (&line, &room, stdin)) >= 0) {
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            n--;
        write_line (severity, name, tag, hk_span (line, (size_t) n));
    }
    free (line);
}

/* -i is accepted (the tag has the process id anyway); standard input without arguments. */
int
hk_cli_log (int argc, char **argv)
{
    g_autoptr (GError) error = NULL;
    const char *config = NULL, *tag = "postlog";
    const Severity *severity = &severities[0];
    int option;
    argv[0] = (char *) "postlog"; /* for getopt's messages */
    optind = 0; /* a full reset: no scan of an earlier command line goes on */
    while ((option = getopt (argc, argv, "+c:ip:t:v")) != -1) {
        if (option == 'c')
            config = optarg;
        else if (option == 't')
            tag = optarg;
        else if (option == 'p' && (severity = find_severity (optarg)) == NULL)
            return fail ("bad severity: \"%s\"", optarg);
        else if (option == '?')
            return fail ("usage: postlog [-c config_dir] [-i] [-p priority] [-t tag] [-v] "
                         "[text]");
    }
    g_autoptr (HkSettings) settings = hk_settings_load (hk_cli_config_dir (config), &error);
    if (settings == NULL)
        return fail ("%s", error->message);
    if (!open_log (settings))
        return 1;
    const char *name = hk_settings_get (settings, "syslog_name");
    if (optind < argc) {
        g_autofree char *text = g_strjoinv (" ", argv + optind);
        write_line (severity, name, tag, hk_span_text (text));
    } else {
        write_input (severity, name, tag);
    }
    hk_log_flush ();
    if (severity->pauses)
        g_usleep (G_USEC_PER_SEC);
    return 0;
}
