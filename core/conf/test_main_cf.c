/* test_main_cf.c: reading main.cf and conf.d, the getters, computed defaults, views. */
#include "config.h"

#include <glib/gstdio.h>
#include <unistd.h>

#include "conf/conf_priv.h"

static HkSettings *
read_text (const char *main_cf, const char *master_cf)
{
    g_autoptr (GError) error = NULL;
    HkSettings *set = hk_settings_from_text (main_cf, master_cf, &error);
    g_assert_no_error (error);
    return set;
}

static void
test_lines (void)
{
    static const struct {
        const char *text, *name, *raw;
        unsigned line;
    } cases[] = {
        {"a=1", "a", "1", 1}, /* no line end at the end of the file */
        {"# x\n\n  # y\na = 1 \t\n", "a", "1", 4},
        {"a =\n", "a", "", 1}, /* empty is a value */
        {"a = b = c\n", "a", "b = c", 1},
        {"a = 1\n  2\n\t3\nb = 4\n", "a", "1  2\t3", 1},
        {"a = 1\n# between\n  2\n\n  \n   # indented\n 3\n", "a", "1  2 3", 1},
        {"a = 1\r\n  2\r\n\r\nb = 3\r\n", "a", "1  2", 1},
        {"a = 1\na = 2\n", "a", "2", 2},
        {"a\n = 1\n", "a", "1", 1}, /* a continuation may bring the '=' */
        {"  z = 9\na = 1\n", "a", "1", 2},
        {"a = \"x\" # y\n", "a", "\"x\" # y", 1},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (HkSettings) set = read_text (cases[i].text, "");
        const char *file;
        unsigned line;
        g_test_message ("%s", cases[i].text);
        g_assert_cmpstr (hk_settings_raw (set, cases[i].name), ==, cases[i].raw);
        g_assert_true (hk_settings_origin (set, cases[i].name, &file, &line));
        g_assert_cmpstr (file, ==, "main.cf");
        g_assert_cmpuint (line, ==, cases[i].line);
    }
}

static void
test_refused (void)
{
    static const char *const cases[][2] = {
        {"a = 1\nnonsense\n", "main.cf: line 2: missing '=' after attribute name"},
        {"= x\n", "main.cf: line 1: missing attribute name"},
        {"a b = c\n", "main.cf: line 1: missing '=' after attribute name: \"a b = c\""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GError) error = NULL;
        g_assert_null (hk_settings_from_text (cases[i][0], "", &error));
        g_assert_error (error, HK_CONF_ERROR, HK_CONF_ERROR_SYNTAX);
        g_assert_nonnull (strstr (error->message, cases[i][1]));
    }
}

static const HkConfSpec test_params[] = {
    {.name = "t_week", .type = HK_CONF_TIME, .preset = "1w"}, /* bare numbers are weeks */
    {.name = "t_int", .type = HK_CONF_INT, .preset = "7", .min = 1, .max = 100},
    {.name = "t_size", .type = HK_CONF_SIZE, .preset = "10"},
    {.name = "t_time", .type = HK_CONF_TIME, .preset = "5"},
    {.name = "t_days", .type = HK_CONF_TIME, .preset = "5", .unit = 'd'},
    {.name = "t_bool", .type = HK_CONF_BOOL, .preset = "no"},
    {.name = "t_enum",
     .type = HK_CONF_ENUM,
     .preset = "may",
     .choices = "none|may|encrypt"},
    {.name = "t_list", .type = HK_CONF_LIST, .preset = "a, b"},
    {.name = "t_raw", .type = HK_CONF_RAW, .preset = "$x"},
    {.name = "t_stress", .type = HK_CONF_INT, .preset = "${stress?{1}:{3}}"},
    {.name = NULL}};

static void
test_getters (void)
{
    g_autoptr (HkSettings) none = read_text ("", "");
    g_assert_cmpint (hk_settings_int (none, "t_int"), ==, 7);
    g_assert_cmpint (hk_settings_int (none, "t_time"), ==, 5);
    g_assert_cmpint (hk_settings_int (none, "t_days"), ==, 5 * 86400);
    g_assert_cmpint (hk_settings_int (none, "t_stress"), ==, 3);
    g_assert_false (hk_settings_bool (none, "t_bool"));
    g_assert_cmpstr (hk_settings_get (none, "t_raw"), ==, "$x");
    g_assert_null (hk_settings_raw (none, "t_int"));
    g_assert_null (hk_settings_get (none, "nobody_knows_this"));
    g_assert_cmpint (hk_settings_int (none, "nobody_knows_this"), ==, 0);

    g_autoptr (HkSettings) set =
        read_text ("t_int = 9\nt_size = 3000000000\nt_time = 2h\nt_week = 2\n"
                   "t_bool = YES\nt_enum = Encrypt\n"
                   "t_list = x,y  z {p q} ,\nstress = yes\n"
                   "mine = <$t_int>\n",
                   "");
    g_auto (GStrv) words = hk_settings_words (set, "t_list");
    g_assert_cmpint (hk_settings_int (set, "t_int"), ==, 9);
    g_assert_cmpint (hk_settings_int (set, "t_size"), ==, INT64_C (3000000000));
    g_assert_cmpint (hk_settings_int (set, "t_time"), ==, 7200);
    g_assert_cmpint (hk_settings_int (set, "t_week"), ==, 14 * 86400);
    g_assert_cmpint (hk_settings_int (set, "t_stress"), ==, 1);
    g_assert_true (hk_settings_bool (set, "t_bool"));
    g_assert_cmpstr (hk_settings_get (set, "t_enum"), ==, "encrypt");
    g_assert_cmpstr (hk_settings_get (set, "mine"), ==, "<9>");
    g_assert_cmpuint (g_strv_length (words), ==, 4);
    g_assert_cmpstr (words[3], ==, "{p q}");
    g_assert_true (hk_settings_get (set, "mine") == hk_settings_get (set, "mine"));
}

static void
test_malformed_gives_default (void)
{
    g_autoptr (HkSettings) set = read_text ("t_int = 101\nt_time = soon\nt_bool = true\n"
                                            "t_enum = maybe\nt_list = $t_list\n",
                                            "");
    g_assert_cmpint (hk_settings_int (set, "t_int"), ==, 7);
    g_assert_cmpint (hk_settings_int (set, "t_time"), ==, 5);
    g_assert_false (hk_settings_bool (set, "t_bool"));
    g_assert_cmpstr (hk_settings_get (set, "t_enum"), ==, "may");
    g_assert_cmpstr (hk_settings_get (set, "t_list"), ==, "a, b");
}

static void
test_computed (void)
{
    g_autoptr (HkSettings) set = read_text ("myhostname = mx.example.org\n", "");
    g_assert_cmpstr (hk_settings_get (set, "mydomain"), ==, "example.org");
    g_assert_cmpstr (hk_settings_get (set, "myorigin"), ==, "mx.example.org");
    g_assert_cmpstr (hk_settings_get (set, "mydestination"), ==,
                     "mx.example.org, localhost.example.org, localhost");
    g_autoptr (HkSettings) short_name = read_text ("myhostname = mx\n", "");
    g_assert_cmpstr (hk_settings_get (short_name, "mydomain"), ==, "localdomain");
    /* each waits for the other: an answer, not a hang */
    g_autoptr (HkSettings) circle = read_text ("mydomain = x.$myhostname\n", "");
    g_assert_nonnull (hk_settings_get (circle, "myhostname"));
    g_assert_nonnull (hk_settings_get (circle, "mydomain"));
}

static void
test_networks (void)
{
    static const char *const cases[][2] = {
        {"inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n", "127.0.0.0/8"},
        {"inet_interfaces = loopback-only\ninet_protocols = ipv4\nmynetworks_style = "
         "host\n",
         "127.0.0.1/32"},
        {"inet_interfaces = loopback-only\ninet_protocols = ipv4\ncompatibility_level = "
         "2\n",
         "127.0.0.1/32"},
        {"inet_interfaces = [127.0.0.1]\nmynetworks_style = class\n", "127.0.0.0/8"},
        {"inet_interfaces = 192.0.2.77\n", ""},
        {"mynetworks = 10.0.0.0/8\n", "10.0.0.0/8"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (HkSettings) set = read_text (cases[i][0], "");
        g_assert_cmpstr (hk_settings_get (set, "mynetworks"), ==, cases[i][1]);
    }
}

static void
test_service_parameters (void)
{
    g_autoptr (HkSettings) set = read_text ("amavis_destination_recipient_limit = 1\n"
                                            "default_destination_recipient_limit = 44\n",
                                            "");
    g_assert_cmpint (hk_settings_int (set, "amavis_destination_recipient_limit"), ==, 1);
    g_assert_cmpint (hk_settings_int (set, "a-b_destination_recipient_limit"), ==, 44);
    g_assert_cmpint (hk_settings_int (set, "policy_time_limit"), ==, 1000);
    g_assert_null (hk_conf_spec ("policy_size_limit"));
}

static void
append_set (const char *name, const char *raw, void *data)
{
    g_string_append_printf (data, "%s=%s;", name, raw);
}

static void
write_file (const char *dir, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename (dir, name, NULL);
    g_assert_true (
        g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_NONE, 0644, NULL));
}

static void
test_directory (void)
{
    g_autofree char *dir = g_dir_make_tmp ("hk-conf-XXXXXX", NULL);
    g_autofree char *snippets = g_build_filename (dir, "conf.d", NULL);
    g_autoptr (GError) error = NULL;
    g_assert_null (hk_settings_load (dir, &error));
    g_assert_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO);
    g_clear_error (&error);
    g_assert_cmpint (g_mkdir (snippets, 0755), ==, 0);
    write_file (dir, "main.cf", "c = main\nplugin = p4 p1\n");
    write_file (dir, "master.cf", "smtp inet n - n - - smtpd\n");
    write_file (snippets, "10-a.conf", "plugin = p1 p2\na = 10\nb = 10\nc = 10\n");
    write_file (snippets, "B.conf",
                "b = B\nplugin = p3\n"); /* after digits, before letters */
    write_file (snippets, "a.conf", "a = a\n");
    write_file (snippets, "ignored", "nonsense\n");
    write_file (snippets, ".hidden.conf", "nonsense\n");
    g_autofree char *dead = g_build_filename (snippets, "z.conf", NULL);
    g_assert_cmpint (symlink ("nowhere", dead), ==, 0);
    g_autoptr (HkSettings) set = hk_settings_load (dir, &error);
    g_assert_no_error (error);
    g_assert_cmpstr (hk_settings_get (set, "a"), ==, "a");
    g_assert_cmpstr (hk_settings_get (set, "b"), ==, "B");
    g_assert_cmpstr (hk_settings_get (set, "c"), ==, "main");
    g_assert_cmpstr (hk_settings_get (set, "config_directory"), ==, hk_settings_dir (set));
    g_assert_cmpuint (hk_settings_n_services (set), ==, 1);
    const char *const *plugins = hk_settings_plugins (set);
    g_autofree char *joined = g_strjoinv (" ", (char **) plugins);
    g_assert_cmpstr (joined, ==, "p1 p2 p3 p4");
    g_autoptr (GString) order = g_string_new (NULL);
    hk_settings_foreach_set (set, append_set, order);
    g_assert_cmpstr (order->str, ==, "b=B;a=a;c=main;plugin=p1 p2 p3 p4;");

    /* a stranger's snippet would choose the code that is loaded */
    g_autofree char *open = g_build_filename (snippets, "a.conf", NULL);
    g_assert_cmpint (g_chmod (open, 0666), ==, 0);
    g_assert_null (hk_settings_load (dir, &error));
    g_assert_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO);
    g_assert_nonnull (strstr (error->message, "conf.d/a.conf"));
    static const char *const files[] = {"main.cf",
                                        "master.cf",
                                        "conf.d/10-a.conf",
                                        "conf.d/B.conf",
                                        "conf.d/a.conf",
                                        "conf.d/ignored",
                                        "conf.d/.hidden.conf",
                                        "conf.d/z.conf",
                                        "conf.d",
                                        ""};
    for (size_t i = 0; i < G_N_ELEMENTS (files); i++) {
        g_autofree char *path = g_build_filename (dir, files[i], NULL);
        g_assert_cmpint (g_remove (path), ==, 0);
    }
}

static void *
read_much (void *data)
{
    HkSettings *set = data;
    for (int i = 0; i < 2000; i++) {
        g_assert_cmpint (hk_settings_int (set, "t_stress"), ==, 3);
        g_assert_cmpstr (hk_settings_get (set, "mydomain"), ==, "example.org");
        g_assert_cmpint (hk_settings_int (set, "x_destination_recipient_limit"), ==, 50);
    }
    return NULL;
}

static void
test_threads (void)
{
    g_autoptr (HkSettings) set = read_text ("myhostname = mx.example.org\n", "");
    GThread *threads[4];
    for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
        threads[i] = g_thread_new ("reader", read_much, set);
    for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
        g_thread_join (threads[i]);
}

static void
test_names (void)
{
    size_t n;
    const HkPostfixName *names = hk_conf_postfix_names (&n);
    for (size_t i = 1; i < n; i++)
        g_assert_cmpstr (names[i - 1].name, <, names[i].name);
    g_assert_cmpstr (hk_conf_postfix_name ("smtpd_banner")->preset, ==,
                     "$myhostname ESMTP $mail_name");
    g_assert_null (hk_conf_postfix_name ("smtpd_bannerx"));
    g_assert_cmpstr (hk_conf_nearest ("mydistination"), ==, "mydestination");
    g_assert_cmpstr (hk_conf_nearest ("append_at_my_origin"), ==, "append_at_myorigin");
    g_assert_null (hk_conf_nearest ("something_quite_different"));
    g_auto (GStrv) conflicts = hk_conf_conflicts ();
    g_assert_null (conflicts[0]);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    hk_conf_register (test_params);
    g_test_add_func ("/conf/main/lines", test_lines);
    g_test_add_func ("/conf/main/refused", test_refused);
    g_test_add_func ("/conf/main/getters", test_getters);
    g_test_add_func ("/conf/main/malformed", test_malformed_gives_default);
    g_test_add_func ("/conf/main/computed", test_computed);
    g_test_add_func ("/conf/main/networks", test_networks);
    g_test_add_func ("/conf/main/service-parameters", test_service_parameters);
    g_test_add_func ("/conf/main/directory", test_directory);
    g_test_add_func ("/conf/main/threads", test_threads);
    g_test_add_func ("/conf/main/names", test_names);
    return g_test_run ();
}
