/* test_params.c: the parameter tables of all rooms together: no name twice, every default
 * is a value of its type, and Postfix's default unless there is a reason. */
#include "config.h"

#include <string.h>

#include "conf/conf.h"
#include "role/params.h"

/* Defaults that differ from Postfix 3.7 on purpose, and why. */
static const struct {
    const char *name, *why;
} different[] = {
    {"config_directory", "own place"},
    {"queue_directory", "own place"},
    {"data_directory", "own place"},
    {"mail_name", "own name"},
    {"mail_version", "own release"},
    {"mail_release_date", "own release"},
    {"mail_owner", "own user"},
    {"setgid_group", "own group"},
    {"syslog_name", "own name"},
    {"smtpd_banner", "own name"},
    {"process_id", "of the process"},
    {"process_name", "of the process"},
    {"myhostname", "of the machine"},
    {"mydomain", "of the machine"},
    {"mynetworks", "of the machine"},
    {"smtpd_forbid_bare_newline", "no form of smuggling works by default"},
    {"smtpd_forbid_unauth_pipelining", "no form of smuggling works by default"},
    {"smtpd_per_request_deadline", "every deadline is total"},
    {"smtpd_tls_protocols", "TLSv1.0 and TLSv1.1 are no longer safe (RFC 8996)"},
    {"smtpd_tls_mandatory_protocols", "TLSv1.0 and TLSv1.1 are no longer safe (RFC 8996)"},
    {"tls_preempt_cipherlist", "the server knows which ciphers are weak"},
    {"smtputf8_enable", "addresses of RFC 6531 at every compatibility level"},
};

static bool
may_differ (const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS (different); i++)
        if (strcmp (different[i].name, name) == 0)
            return true;
    return false;
}

static void
check_default (const HkConfSpec *spec, void *data)
{
    const char *theirs = hk_conf_postfix_default (spec->name);
    unsigned *n_wrong = data;
    if (theirs == NULL || spec->preset == NULL || may_differ (spec->name) ||
        strcmp (theirs, spec->preset) == 0)
        return;
    g_test_message ("%s: default \"%s\", Postfix's is \"%s\"", spec->name, spec->preset,
                    theirs);
    (*n_wrong)++;
}

static void
test_defaults (void)
{
    unsigned n_wrong = 0;
    hk_conf_foreach_spec (check_default, &n_wrong);
    g_assert_cmpuint (n_wrong, ==, 0);
}

static void
test_no_conflict (void)
{
    g_auto (GStrv) conflicts = hk_conf_conflicts ();
    for (size_t i = 0; conflicts[i] != NULL; i++)
        g_test_message ("%s", conflicts[i]);
    g_assert_null (conflicts[0]);
}

static void
append_setting (const HkConfSpec *spec, void *data)
{
    if (spec->preset != NULL && strchr (spec->preset, '\n') == NULL)
        g_string_append_printf (data, "%s = %s\n", spec->name, spec->preset);
}

static void
count_error (int level, const char *text, void *data)
{
    if (level < HK_LOG_ERROR)
        return;
    g_test_message ("%s", text);
    (*(unsigned *) data)++;
}

/* A main.cf of nothing but defaults is without error. */
static void
test_defaults_are_values (void)
{
    g_autoptr (GString) text = g_string_new (NULL);
    g_autoptr (GError) error = NULL;
    unsigned n_errors = 0;
    hk_conf_foreach_spec (append_setting, text);
    g_autoptr (HkSettings) set = hk_settings_from_text (text->str, "", &error);
    g_assert_no_error (error);
    hk_settings_check (set, count_error, &n_errors);
    g_assert_cmpuint (n_errors, ==, 0);
}

static void
check_help (const HkConfSpec *spec, void *data)
{
    if (spec->help != NULL && spec->help[0] != '\0' && strchr (spec->help, '\n') == NULL)
        return;
    g_test_message ("%s has no line of help", spec->name);
    (*(unsigned *) data)++;
}

static void
test_help (void)
{
    unsigned n_wrong = 0;
    hk_conf_foreach_spec (check_help, &n_wrong);
    g_assert_cmpuint (n_wrong, ==, 0);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    hk_register_params ();
    g_test_add_func ("/cli/params/no-conflict", test_no_conflict);
    g_test_add_func ("/cli/params/postfix-defaults", test_defaults);
    g_test_add_func ("/cli/params/defaults-are-values", test_defaults_are_values);
    g_test_add_func ("/cli/params/help", test_help);
    return g_test_run ();
}
