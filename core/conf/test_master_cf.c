/* test_master_cf.c: services, their options and the views that these make. */
#include "config.h"

#include "conf/conf_priv.h"

static const char stock[] =
    "# ====\n"
    "smtp      inet  n       -       y       -       -       smtpd -v\n"
    "  -o smtpd_tls_security_level=may -o { smtpd_banner = a  b ${myval} }\n"
    "# between\n"
    "\t-o mynetworks=127.0.0.0/8,[::1]/128\n"
    "\t-vv\n"
    "127.0.0.1:2525 inet n - n - 5 smtpd\n"
    "    -o syslog_name=postfix/$service_name\n"
    "pickup    fifo  n       -       -       60      1       pickup\n"
    "qmgr      unix  n       -       -       300?    1       qmgr\n"
    "dovecot   unix  -       n       n       -       0       pipe\n"
    "  flags=DRhu user=vmail:vmail argv=/bin/deliver -o x -f ${sender} -d { ${recipient} x "
    "}\n"
    "postlog   unix-dgram n  -       n       -       1       postlogd\n"
    "smtpd     pass  -       -       -       -       -       smtpd -D -ofoo=bar -- -v\n";

static HkSettings *
read_text (const char *main_cf, const char *master_cf)
{
    g_autoptr (GError) error = NULL;
    HkSettings *set = hk_settings_from_text (main_cf, master_cf, &error);
    g_assert_no_error (error);
    return set;
}

static void
append_option (const char *name, const char *raw, void *data)
{
    g_string_append_printf (data, "%s=%s;", name, raw);
}

static char *
options (HkSettings *set, size_t i)
{
    GString *out = g_string_new (NULL);
    hk_settings_foreach_option (set, i, append_option, out);
    return g_string_free (out, FALSE);
}

static void
test_columns (void)
{
    static const struct {
        const char *name, *command;
        HkServiceType type;
        bool is_private, is_unprivileged, is_chroot;
        unsigned wakeup_s;
        bool if_used;
        unsigned max, verbose, line;
        const char *options, *argv;
    } cases[] = {
        {"smtp", "smtpd", HK_SERVICE_INET, false, true, true, 0, false, 100, 3, 2,
         "smtpd_tls_security_level=may;smtpd_banner=a  b ${myval};"
         "mynetworks=127.0.0.0/8,[::1]/128;",
         ""},
        {"127.0.0.1:2525", "smtpd", HK_SERVICE_INET, false, true, false, 0, false, 5, 0, 7,
         "syslog_name=postfix/$service_name;", ""},
        {"pickup", "pickup", HK_SERVICE_FIFO, false, true, true, 60, false, 1, 0, 9, "",
         ""},
        {"qmgr", "qmgr", HK_SERVICE_UNIX, false, true, true, 300, true, 1, 0, 10, "", ""},
        {"dovecot", "pipe", HK_SERVICE_UNIX, true, false, false, 0, false, 0, 0, 11, "",
         "flags=DRhu|user=vmail:vmail|argv=/bin/deliver|-o|x|-f|${sender}|-d|${recipient} "
         "x"},
        {"postlog", "postlogd", HK_SERVICE_UNIX_DGRAM, false, true, false, 0, false, 1, 0,
         13, "", ""},
        {"smtpd", "smtpd", HK_SERVICE_PASS, true, true, true, 0, false, 100, 0, 14,
         "foo=bar;", "-D|-v"},
    };
    g_autoptr (HkSettings) set = read_text ("", stock);
    g_assert_cmpuint (hk_settings_n_services (set), ==, G_N_ELEMENTS (cases));
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        const HkService *s = hk_settings_service (set, i);
        g_autofree char *given = options (set, i);
        g_autofree char *argv = g_strjoinv ("|", (char **) s->argv);
        g_assert_cmpstr (s->name, ==, cases[i].name);
        g_assert_cmpstr (s->command, ==, cases[i].command);
        g_assert_cmpint (s->type, ==, cases[i].type);
        g_assert_cmpint (s->is_private, ==, cases[i].is_private);
        g_assert_cmpint (s->is_unprivileged, ==, cases[i].is_unprivileged);
        g_assert_cmpint (s->is_chroot, ==, cases[i].is_chroot);
        g_assert_cmpuint (s->wakeup_s, ==, cases[i].wakeup_s);
        g_assert_cmpint (s->wakeup_if_used, ==, cases[i].if_used);
        g_assert_cmpuint (s->max_processes, ==, cases[i].max);
        g_assert_cmpuint (s->verbose, ==, cases[i].verbose);
        g_assert_cmpuint (s->line, ==, cases[i].line);
        g_assert_cmpstr (given, ==, cases[i].options);
        g_assert_cmpstr (argv, ==, cases[i].argv);
    }
    g_autofree char *words = g_strjoinv ("|", (char **) hk_settings_service_words (set, 0));
    g_assert_cmpstr (
        words, ==,
        "smtp|inet|n|-|y|-|-|smtpd|-v|-o|smtpd_tls_security_level=may|-o|"
        "smtpd_banner = a  b ${myval}|-o|mynetworks=127.0.0.0/8,[::1]/128|-vv");
}

static void
test_level (void)
{
    g_autoptr (HkSettings) set =
        read_text ("compatibility_level = 3.6\ndefault_process_limit = 7\n", stock);
    g_assert_false (hk_settings_service (set, 2)->is_chroot);
    g_assert_true (hk_settings_service (set, 0)->is_chroot);
    g_assert_cmpuint (hk_settings_service (set, 0)->max_processes, ==, 7);
}

static void
test_views (void)
{
    g_autoptr (HkSettings) set = read_text ("myval = x\nmyhostname = h.example\n", stock);
    g_autoptr (HkSettings) first = hk_settings_view (set, 0);
    g_autoptr (HkSettings) second = hk_settings_view (set, 1);
    g_autofree char *service = hk_settings_expand (set, "[$service_name]", NULL);
    const char *file;
    unsigned line;
    g_assert_cmpstr (hk_settings_get (first, "smtpd_banner"), ==, "a  b x");
    g_assert_cmpstr (hk_settings_get (first, "mynetworks"), ==, "127.0.0.0/8,[::1]/128");
    g_assert_cmpstr (hk_settings_get (first, "mydomain"), ==, "example");
    g_assert_cmpstr (hk_settings_get (second, "syslog_name"), ==, "postfix/127.0.0.1:2525");
    g_assert_cmpstr (hk_settings_get (second, "process_name"), ==, "smtpd");
    g_assert_cmpstr (hk_settings_get (set, "syslog_name"), ==, "hikyaku");
    g_assert_cmpstr (service, ==, "[]");
    g_assert_true (hk_settings_origin (first, "mynetworks", &file, &line));
    g_assert_cmpstr (file, ==, "master.cf");
    g_assert_cmpuint (line, ==, 2);
    /* a view of a view is one of the set */
    g_autoptr (HkSettings) other = hk_settings_view (first, 1);
    g_assert_cmpstr (hk_settings_get (other, "smtpd_banner"), ==,
                     "h.example ESMTP Hikyaku");
}

static void
test_duplicate (void)
{
    g_autoptr (HkSettings) set = read_text ("", "smtp inet n - n - - smtpd\n"
                                                "smtp unix - - n - - smtp\n"
                                                "smtp inet n - n - 9 smtpd -o a=b\n");
    g_assert_cmpuint (hk_settings_n_services (set), ==, 2);
    g_assert_cmpstr (hk_settings_service (set, 0)->command, ==, "smtp");
    g_assert_cmpuint (hk_settings_service (set, 1)->max_processes, ==, 9);
    g_assert_cmpuint (set->complaints->len, ==, 1);
    g_assert_nonnull (strstr (g_array_index (set->complaints, HkComplaint, 0).text,
                              "master.cf: line 3: service \"smtp\" stands in line 1"));
}

static void
test_refused (void)
{
    static const char *const cases[][2] = {
        {"smtp inet n - n - -\n", "master.cf: line 1: 7 columns"},
        {"\nsmtp foo n - n - - smtpd\n", "line 2: the type is none of"},
        {"smtp inet x - n - - smtpd\n", "the private column"},
        {"smtp inet n y? n - - smtpd\n", "the unprivileged column"},
        {"smtp inet n - N - - smtpd\n", "the chroot column"},
        {"smtp inet n - n abc - smtpd\n", "the wakeup column"},
        {"smtp inet n - n 60?? - smtpd\n", "the wakeup column"},
        {"smtp inet n - n ? - smtpd\n", "the wakeup column"},
        {"smtp inet n - n - -5 smtpd\n", "the process limit column"},
        {"smtp inet n - n - 99999999999 smtpd\n", "the process limit column"},
        {"smtp inet n - n - - smtpd -o { a = b\n", "missing '}'"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GError) error = NULL;
        g_assert_null (hk_settings_from_text ("", cases[i][0], &error));
        g_assert_error (error, HK_CONF_ERROR, HK_CONF_ERROR_SYNTAX);
        g_test_message ("%s", error->message);
        g_assert_nonnull (strstr (error->message, cases[i][1]));
    }
}

/* What Postfix's master lets pass, and only the daemon of that line would refuse. */
static void
test_complaints (void)
{
    static const char *const cases[][2] = {
        {"smtp inet n - n - - smtpd -o\n", "-o without name=value"},
        {"smtp inet n - n - - smtpd -o a = b\n", "missing '='"},
        {"smtp inet n - n - - smtpd -o { a b }\n", "missing '='"},
        {"  smtp inet n - n - - smtpd\n", "must not begin with blank space"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (HkSettings) set = read_text ("", cases[i][0]);
        g_assert_cmpuint (set->complaints->len, ==, 1);
        g_assert_nonnull (
            strstr (g_array_index (set->complaints, HkComplaint, 0).text, cases[i][1]));
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/conf/master/columns", test_columns);
    g_test_add_func ("/conf/master/level", test_level);
    g_test_add_func ("/conf/master/views", test_views);
    g_test_add_func ("/conf/master/duplicate", test_duplicate);
    g_test_add_func ("/conf/master/refused", test_refused);
    g_test_add_func ("/conf/master/complaints", test_complaints);
    return g_test_run ();
}
