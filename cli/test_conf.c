/* test_conf.c: `hikyaku conf` as a whole: what it prints for a command line. */
#include "config.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "conf/conf.h"
#include "host/host.h"

static char *dir;

const char *
hk_cli_config_dir (const char *from_option)
{
    return from_option != NULL ? from_option : dir;
}

static const char main_cf[] = "# first\n"
                              "myhostname = h.example\n"
                              "mydestination =\n"
                              "plugin_directory = /nonexistent\n"
                              "relay_domains = $mydestination,\n"
                              "    a.example   b.example\n"
                              "mine = x$mydomain\n"
                              "mail_name = $mine\n"
                              "typo_thing = 1\n";

static const char master_cf[] =
    "smtp inet n - y - - smtpd -v\n"
    "  -o mynetworks=127.0.0.0/8 -o { smtpd_banner = a  b ${mine} }\n"
    "127.0.0.1:2525 inet n - n 60? 5 smtpd -o content_filter=\n"
    "dovecot unix - n n - - pipe\n"
    "  flags=DRhu user=vmail:vmail argv=/usr/lib/dovecot/deliver -f ${sender} -d { "
    "${recipient} x }\n";

/* What the command writes to standard output; *OUT_STATUS is its exit status. */
static char *
run (const char *line, int *out_status)
{
    g_autofree char *path = g_build_filename (dir, "out", NULL);
    g_auto (GStrv) argv = NULL;
    char *text = NULL;
    int argc, kept = dup (STDOUT_FILENO), kept_err = dup (STDERR_FILENO);
    g_assert_true (g_shell_parse_argv (line, &argc, &argv, NULL));
    int fd = open (path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    int null = open ("/dev/null", O_WRONLY);
    fflush (stdout);
    dup2 (fd, STDOUT_FILENO);
    if (g_getenv ("SHOW") == NULL)
        dup2 (null, STDERR_FILENO);
    *out_status = hk_cli_conf (argc, argv);
    fflush (stdout);
    dup2 (kept, STDOUT_FILENO);
    dup2 (kept_err, STDERR_FILENO);
    close (kept);
    close (kept_err);
    close (null);
    close (fd);
    g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
    return text;
}

static void
write_files (void)
{
    g_autofree char *main_path = g_build_filename (dir, "main.cf", NULL);
    g_autofree char *master_path = g_build_filename (dir, "master.cf", NULL);
    g_assert_true (g_file_set_contents (main_path, main_cf, -1, NULL));
    g_assert_true (g_file_set_contents (master_path, master_cf, -1, NULL));
}

static void
test_show (void)
{
    static const struct {
        const char *line, *expected;
        int status;
    } cases[] = {
        {"postconf myhostname", "myhostname = h.example\n", 0},
        {"postconf -h myhostname mydomain", "h.example\nexample\n", 0},
        {"postconf -d myorigin", "myorigin = $myhostname\n", 0},
        {"postconf -x myorigin mail_name", "myorigin = h.example\nmail_name = xexample\n",
         0},
        {"postconf -x -o mydomain=q mail_name", "mail_name = xq\n", 0},
        {"postconf relay_domains", "relay_domains = $mydestination, a.example b.example\n",
         0},
        {"postconf mydestination", "mydestination =\n", 0},
        {"postconf typo_thing", "", 0}, /* a warning: nobody uses it */
        {"postconf -n",
         "mail_name = $mine\nmine = x$mydomain\nmydestination =\nmyhostname = h.example\n"
         "plugin_directory = /nonexistent\n"
         "relay_domains = $mydestination, a.example b.example\n",
         0},
        {"postconf -nH",
         "mail_name\nmine\nmydestination\nmyhostname\nplugin_directory\nrelay_domains\n",
         0},
        {"postconf -n -C user", "mine = x$mydomain\n", 0},
        {"postconf -M smtp",
         "smtp       inet  n       -       y       -       -       smtpd -v "
         "-o mynetworks=127.0.0.0/8 -o {smtpd_banner=a  b ${mine}}\n",
         0},
        {"postconf -Mx smtp/inet",
         "smtp       inet  n       -       y       -       -       smtpd -v "
         "-o mynetworks=127.0.0.0/8 -o {smtpd_banner=a  b xexample}\n",
         0},
        {"postconf -Mf 127.0.0.1:2525 dovecot/unix",
         "127.0.0.1:2525 inet n    -       n       60?     5       smtpd\n"
         "    -o content_filter=\n"
         "dovecot    unix  -       n       n       -       -       pipe flags=DRhu\n"
         "    user=vmail:vmail argv=/usr/lib/dovecot/deliver -f ${sender} -d\n"
         "    {${recipient} x}\n",
         0},
        {"postconf -F smtp/inet/chroot '*/*/process_limit'",
         "smtp/inet/chroot = y\nsmtp/inet/process_limit = -\n"
         "127.0.0.1:2525/inet/process_limit = 5\ndovecot/unix/process_limit = -\n",
         0},
        {"postconf -P",
         "smtp/inet/mynetworks = 127.0.0.0/8\nsmtp/inet/smtpd_banner = a b ${mine}\n"
         "127.0.0.1:2525/inet/content_filter =\n",
         0},
        {"postconf -Ph smtp/inet/mynetworks", "127.0.0.0/8\n", 0},
        {"postconf -l", "flock\nfcntl\ndotlock\n", 0},
        {"postconf -n -d", "", 1},
        {"postconf -h -H", "", 1},
        {"postconf -d -o a=b", "", 1},
        {"postconf -e", "", 1},
        {"postconf -e nothing", "", 1},
        {"postconf -z", "", 1},
        {"postconf -c /nonexistent", "", 1},
        {"postconf -M -e smtp/inet=x", "", 1},
    };
    write_files ();
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        int status;
        g_autofree char *text = run (cases[i].line, &status);
        g_test_message ("%s", cases[i].line);
        g_assert_cmpstr (text, ==, cases[i].expected);
        g_assert_cmpint (status, ==, cases[i].status);
    }
}

static void
test_all (void)
{
    int status;
    write_files ();
    g_autofree char *text = run ("postconf", &status);
    g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
    g_assert_cmpint (status, ==, 0);
    g_assert_cmpuint (g_strv_length (lines), >, 800);
    g_assert_true (g_strv_contains ((const char *const *) lines, "mine = x$mydomain"));
    g_assert_true (g_strv_contains (
        (const char *const *) lines,
        "dovecot_destination_recipient_limit = $default_destination_recipient_limit"));
    g_assert_true (g_strv_contains ((const char *const *) lines, "smtpd_tls_loglevel = 0"));
    for (size_t i = 1; lines[i] != NULL && lines[i][0] != '\0'; i++) {
        g_autofree char *a = g_strndup (lines[i - 1], strcspn (lines[i - 1], " "));
        g_autofree char *b = g_strndup (lines[i], strcspn (lines[i], " "));
        g_assert_cmpstr (a, <, b);
    }
}

static void
test_edit_master (void)
{
    static const struct {
        const char *line, *expected; /* what -M then prints of it */
        int status;
    } cases[] = {
        {"postconf -F '*/inet/chroot=n'", " n       -       -       smtpd -v ", 0},
        {"postconf -P smtp/inet/mynetworks=10.0.0.0/8", "-o mynetworks=10.0.0.0/8 -o {", 0},
        {"postconf -P smtp/inet/x=y", "b ${mine}} -o x=y\n", 0},
        {"postconf -PX smtp/inet/mynetworks", "smtpd -v -o {smtpd_banner", 0},
        {"postconf -M new/unix='new unix - - n - - smtp'", "\nnew        unix  -", 0},
        {"postconf -MX smtp/inet 'dovecot/*'", "127.0.0.1:2525 inet n    -", 0},
        {"postconf -F smtp/inet/chroot=q", "smtpd -v -o mynetworks=127.0.0.0/8", 1},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        int status, shown;
        write_files ();
        g_autofree char *out = run (cases[i].line, &status);
        g_autofree char *text = run ("postconf -M", &shown);
        g_test_message ("%s", cases[i].line);
        g_assert_cmpint (status, ==, cases[i].status);
        g_assert_cmpstr (out, ==, "");
        g_assert_nonnull (strstr (text, cases[i].expected));
    }
}

static void
test_edit (void)
{
    static const struct {
        const char *line, *expected;
    } cases[] = {
        {"postconf 'mydestination = a, b' new=1", "mydestination = a, b\n"},
        {"postconf -e mydestination=", "mydestination =\n"},
        {"postconf -X mydestination", ""},
        {"postconf -# mydestination", "#mydestination =\n"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree char *path = g_build_filename (dir, "main.cf", NULL);
        g_autofree char *text = NULL;
        int status;
        write_files ();
        g_autofree char *out = run (cases[i].line, &status);
        g_assert_cmpint (status, ==, 0);
        g_assert_cmpstr (out, ==, "");
        g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
        g_autofree char *head = g_strconcat ("# first\nmyhostname = h.example\n",
                                             cases[i].expected, "plugin_directory", NULL);
        g_assert_true (g_str_has_prefix (text, head));
        g_assert_cmpint (strstr (text, "\nnew = 1\n") != NULL, ==, i == 0);
    }
}

int
main (int argc, char **argv)
{
    static const char *const files[] = {"main.cf", "master.cf", "out"};
    g_test_init (&argc, &argv, NULL);
    hk_conf_register (hk_host_params);
    dir = g_dir_make_tmp ("hk-cli-XXXXXX", NULL);
    g_test_add_func ("/cli/conf/show", test_show);
    g_test_add_func ("/cli/conf/all", test_all);
    g_test_add_func ("/cli/conf/edit", test_edit);
    g_test_add_func ("/cli/conf/edit-master", test_edit_master);
    int status = g_test_run ();
    for (size_t i = 0; i < G_N_ELEMENTS (files); i++) {
        g_autofree char *path = g_build_filename (dir, files[i], NULL);
        g_remove (path);
    }
    g_rmdir (dir);
    g_free (dir);
    return status;
}
