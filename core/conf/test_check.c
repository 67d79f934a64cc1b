/* test_check.c: complaints: with file, line and name, and only what Postfix would refuse
 * too is an error. */
#include "config.h"

#include "conf/conf_priv.h"

static const HkConfSpec test_params[] = {
    {.name = "t_int", .type = HK_CONF_INT, .preset = "7", .min = 1, .max = 100},
    {.name = "t_time", .type = HK_CONF_TIME, .preset = "5"},
    {.name = "t_bool", .type = HK_CONF_BOOL, .preset = "no"},
    {.name = "t_enum",
     .type = HK_CONF_ENUM,
     .preset = "may",
     .choices = "none|may|encrypt"},
    {.name = "t_maps", .type = HK_CONF_MAPS, .preset = ""},
    {.name = "t_list", .type = HK_CONF_LIST, .preset = ""},
    {.name = "smtpd_restriction_classes", .type = HK_CONF_LIST, .preset = ""},
    {.name = NULL}};

static const struct {
    const char *main_cf, *master_cf;
    int level; /* -1: no complaint */
    const char *text;
} cases[] = {
    {"t_int = 5\nt_time = 5m\nt_bool = yes\nt_enum = NONE\nt_maps = hash:/x, inline:{ a=b "
     "}\n",
     "", -1, NULL},
    {"\nt_int = five\n", "", HK_LOG_ERROR,
     "main.cf: line 2: t_int: \"five\" is not a number"},
    {"t_int = 0\n", "", HK_LOG_ERROR, "line 1: t_int: \"0\" is too small: at least 1"},
    {"t_int = 101\n", "", HK_LOG_ERROR, "t_int: \"101\" is too large: at most 100"},
    {"t_int =\n", "", HK_LOG_ERROR, "t_int: \"\" is not a number"},
    {"t_time = 5y\n", "", HK_LOG_ERROR, "t_time: \"5y\" is not a time"},
    {"t_bool = true\n", "", HK_LOG_ERROR, "t_bool: \"true\" is neither yes nor no"},
    {"t_enum = maybe\n", "", HK_LOG_ERROR, "\"maybe\" is not one of: none, may, encrypt"},
    {"t_maps = hash:/x, oops\n", "", HK_LOG_ERROR, "\"oops\" is no table"},
    {"t_list = ${x\n", "", HK_LOG_ERROR, "t_list: missing closing brace"},
    {"t_list = $t_list\n", "", HK_LOG_ERROR, "$t_list -> $t_list"},
    {"t_list = $undefined_thing\n", "", HK_LOG_WARNING,
     "t_list: refers to $undefined_thing, which nothing defines"},
    {"t_list = a b # c\n", "", HK_LOG_WARNING, "\"# c\" is part of the value"},
    {"t_list = 1\nt_list = 2\n", "", HK_LOG_WARNING,
     "main.cf: line 2: t_list: overrides the earlier entry in line 1"},
    {"mydistination = x\n", "", HK_LOG_WARNING,
     "mydistination: unknown parameter, ignored; was \"mydestination\" meant?"},
    {"wholly_unknown_thing = x\n", "", HK_LOG_WARNING, "unknown parameter, ignored"},
    /* user-defined: used by $, as a restriction class, or by a table */
    {"mine = x\nt_list = $mine\n", "", -1, NULL},
    {"mine = x\n", "smtp inet n - n - - smtpd -o t_list=$mine\n", -1, NULL},
    {"smtpd_restriction_classes = grey, black\ngrey = reject\n", "", -1, NULL},
    {"t_maps = proxy:mysql:accounts\naccounts_hosts = localhost\n", "", -1, NULL},
    {"virtual_maps = hash:/x\n", "", -1, NULL}, /* old name, lives in a default */
    {"foo_destination_recipient_limit = 1\n", "foo unix - - n - - pipe argv=x\n", -1, NULL},
    {"foo_destination_recipient_limit = 1\n", "", HK_LOG_WARNING,
     "ignored: master.cf has no service \"foo\""},
    {"smtpd_tls_loglevel = 1\n", "", HK_LOG_WARNING,
     "smtpd_tls_loglevel: has no effect yet: the part of Postfix"},
    {"smtp_tls_loglevel = 1\n", "", HK_LOG_WARNING,
     "smtp_tls_loglevel: has no effect yet: mail is not sent over TLS yet"},
    {"smtp_helo_name = x\n", "", HK_LOG_WARNING, "the SMTP client's ways of speaking"},
    {"rewrite_service_name = x\n", "", HK_LOG_INFO, "no process of that name runs here"},
    {"tls_random_bytes = 1\n", "", HK_LOG_INFO, "from the kernel"},
    {"tlsproxy_service_name = x\n", "", HK_LOG_INFO, "no process of that name"},
    {"smtpd_tls_loglevel = 0\n", "", -1, NULL}, /* the default */
    {"berkeley_db_read_buffer_size = 1\n", "", HK_LOG_INFO, "has no effect: tables are not kept in Berkeley DB"},
    {"luser_relay = $user@example.org\n", "", HK_LOG_WARNING,
     "has no effect yet"}, /* raw */
    {"", "smtp inet n - n - - smtpd\n  -o t_int=x\n", HK_LOG_ERROR,
     "master.cf: line 1: t_int: \"x\" is not a number"},
    {"", "smtp inet n - n - - smtpd -o t_list=$service_name\n", -1, NULL},
    {"", "smtp inet n - n - - smtpd -o mydistination=x\n", HK_LOG_WARNING, "was"},
    {"", "smtp inet n - n - - smtpd -o a = b\n", HK_LOG_ERROR, "missing '='"},
};

typedef struct {
    unsigned n;
    int level;
    char *text;
} Seen;

static void
note (int level, const char *text, void *data)
{
    Seen *seen = data;
    g_test_message ("%d %s", level, text);
    seen->n++;
    seen->level = level;
    g_free (seen->text);
    seen->text = g_strdup (text);
}

static void
test_cases (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GError) error = NULL;
        g_autoptr (HkSettings) set =
            hk_settings_from_text (cases[i].main_cf, cases[i].master_cf, &error);
        Seen seen = {0};
        g_test_message ("%s|%s", cases[i].main_cf, cases[i].master_cf);
        g_assert_no_error (error);
        bool ok = hk_settings_check (set, note, &seen);
        g_assert_cmpuint (seen.n, ==, cases[i].level < 0 ? 0 : 1);
        g_assert_cmpint (ok, ==, cases[i].level != HK_LOG_ERROR);
        if (seen.n > 0) {
            g_assert_cmpint (seen.level, ==, cases[i].level);
            g_assert_nonnull (strstr (seen.text, cases[i].text));
        }
        g_free (seen.text);
    }
}

static void
test_conflicts (void)
{
    static const HkConfSpec again[] = {
        {.name = "t_int", .type = HK_CONF_INT, .preset = "7"},
        {.name = "t_time", .type = HK_CONF_TIME, .preset = "6"},
        {.name = NULL},
    };
    hk_conf_register (again);
    g_auto (GStrv) conflicts = hk_conf_conflicts ();
    g_assert_cmpuint (g_strv_length (conflicts), ==, 1);
    g_assert_nonnull (strstr (conflicts[0], "t_time is declared twice"));
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    hk_conf_register (test_params);
    g_test_add_func ("/conf/check/cases", test_cases);
    g_test_add_func ("/conf/check/conflicts", test_conflicts);
    return g_test_run ();
}
