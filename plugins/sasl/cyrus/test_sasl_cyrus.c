/* test_sasl_cyrus.c: the configuration file, security options, and the library's server and
 * client side against one another, with a database of the library. */
#include "harness.h"
#include "sasl_cyrus.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (sasl_cyrus);

static HkSpan
span (const char *text)
{
    return (HkSpan){(const uint8_t *) text, text == NULL ? 0 : strlen (text)};
}

static void
test_conf (void)
{
    g_autofree char *dir = g_dir_make_tmp ("hk-cyrus-XXXXXX", NULL);
    g_autofree char *file = g_build_filename (dir, "smtpd.conf", NULL);
    g_autofree char *path = g_strdup_printf ("/nonexistent::%s:/tmp", dir);
    g_assert_true (g_file_set_contents (
        file, "# a: comment\npwcheck_method: auxprop \n\n mech_list:PLAIN LOGIN\nnonsense\n", -1,
        NULL));
    g_autoptr (GHashTable) options = sasl_cyrus_conf_read (path, "smtpd");
    g_assert_cmpuint (g_hash_table_size (options), ==, 2);
    g_assert_cmpstr (g_hash_table_lookup (options, "pwcheck_method"), ==, "auxprop");
    g_assert_cmpstr (g_hash_table_lookup (options, "mech_list"), ==, "PLAIN LOGIN");
    g_autoptr (GHashTable) none = sasl_cyrus_conf_read (path, "other");
    g_assert_cmpuint (g_hash_table_size (none), ==, 0);
    unlink (file);
    rmdir (dir);
}

static void
test_options (void)
{
    unsigned flags;
    HkSpan word;
    g_assert_true (sasl_cyrus_options (span (" noanonymous,NOPLAINTEXT\tmutual_auth"), &flags,
                                       &word));
    g_assert_cmpuint (flags, ==,
                      SASL_SEC_NOANONYMOUS | SASL_SEC_NOPLAINTEXT | SASL_SEC_MUTUAL_AUTH);
    g_assert_true (sasl_cyrus_options (span (""), &flags, &word));
    g_assert_cmpuint (flags, ==, 0);
    g_assert_false (sasl_cyrus_options (span ("noanonymous nothing"), &flags, &word));
    g_assert_true (word.size == 7 && memcmp (word.data, "nothing", 7) == 0);
}

/* ---- both sides
 * ----------------------------------------------------------------------------- */

typedef struct {
    HkHarness *h;
    const HkSaslClass *class;
    void *instance;
    char *dir, *conf, *db;
} Rig;

/* False: no saslpasswd2 here, or the library has no such mechanism. */
static bool
setup (Rig *r)
{
    *r = (Rig){.dir = g_dir_make_tmp ("hk-cyrus-XXXXXX", NULL)};
    r->conf = g_build_filename (r->dir, "smtpd.conf", NULL);
    r->db = g_build_filename (r->dir, "sasldb2", NULL);
    g_autofree char *text = g_strdup_printf ("pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
                                             "sasldb_path: %s\n"
                                             "mech_list: PLAIN LOGIN CRAM-MD5\n",
                                             r->db);
    g_assert_true (g_file_set_contents (r->conf, text, -1, NULL));
    g_autofree char *command = g_strdup_printf (
        "printf secret | PATH=\"$PATH:/usr/sbin\" saslpasswd2 -p -c -f %s -u mx.test joe",
        r->db);
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    int status = 1;
    g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status,
                  NULL);
    r->h = hk_harness_new (&HK_PLUGIN_SYMBOL (sasl_cyrus));
    hk_harness_set (r->h, "cyrus_sasl_config_path", r->dir);
    hk_harness_prop (r->h, HK_PROP_SASL_HOST, "mx.test");
    hk_harness_prop (r->h, HK_PROP_SASL_REALM, "mx.test");
    hk_harness_prop (r->h, HK_PROP_SASL_SERVICE, "smtp");
    hk_harness_prop (r->h, HK_PROP_SASL_OPTIONS, "noanonymous");
    r->instance = hk_harness_open (r->h, HK_KIND_SASL, "cyrus", "smtpd");
    g_assert_nonnull (r->instance);
    r->class = (const HkSaslClass *) (const void *) hk_harness_class (r->h, HK_KIND_SASL,
                                                                     "cyrus");
    return status == 0;
}

static void
teardown (Rig *r)
{
    hk_harness_close (r->h, r->instance);
    hk_harness_free (r->h);
    g_unlink (r->conf);
    g_unlink (r->db);
    g_rmdir (r->dir);
    g_free (r->conf);
    g_free (r->db);
    g_free (r->dir);
}

static bool
offers (Rig *r, const char *mechanism)
{
    if (r->class->mechanisms (r->instance, hk_harness_call (r->h)) != HK_FOUND)
        return false;
    g_auto (GStrv) words = g_strsplit (hk_harness_answer (r->h), " ", -1);
    return g_strv_contains ((const char *const *) words, mechanism);
}

/* A whole authentication; the server's last answer. */
static HkAnswer
authenticate (Rig *r, const char *mechanism, const char *password)
{
    void *client, *server;
    g_autofree char *response = NULL;
    HkAnswer answer =
        r->class->client_begin (r->instance, hk_harness_call (r->h), span (mechanism),
                                span ("joe"), span (password), &client);
    g_assert_cmpint (answer, ==, HK_OK);
    g_assert_cmpstr (hk_harness_answer (r->h), ==, mechanism);
    size_t size = 0;
    if (hk_harness_answer2 (r->h) != NULL && strcmp (mechanism, "PLAIN") == 0) {
        size = strlen ("joe") + strlen (password) + 2; /* "\0joe\0password" */
        response = g_memdup2 (hk_harness_answer2 (r->h), size);
    }
    answer = r->class->server_begin (r->instance, hk_harness_call (r->h), span (mechanism),
                                     &server);
    g_assert_cmpint (answer, ==, HK_OK);
    for (int i = 0; i < 5; i++) {
        HkSpan in = {(const uint8_t *) response, size};
        answer = r->class->server_step (server, hk_harness_call (r->h), in);
        if (answer != HK_OK)
            break;
        g_autofree char *challenge = g_strdup (hk_harness_answer (r->h));
        g_assert_cmpint (
            r->class->client_step (client, hk_harness_call (r->h), span (challenge)), ==,
            HK_OK);
        g_free (response);
        response = g_strdup (hk_harness_answer (r->h));
        size = strlen (response);
    }
    r->class->server_end (server);
    r->class->client_end (client);
    return answer;
}

static void
test_both_sides (void)
{
    static const char *const mechanisms[] = {"PLAIN", "LOGIN", "CRAM-MD5"};
    Rig r;
    if (!setup (&r)) {
        teardown (&r);
        g_test_skip ("no saslpasswd2");
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS (mechanisms); i++) {
        if (!offers (&r, mechanisms[i])) {
            g_test_message ("the library has no %s here", mechanisms[i]);
            continue;
        }
        HkAnswer answer = authenticate (&r, mechanisms[i], "secret");
        g_test_message ("%s: %s %s", mechanisms[i], hk_harness_reply_text (r.h),
                        hk_harness_log (r.h));
        g_assert_cmpint (answer, ==, HK_FOUND);
        g_assert_cmpstr (hk_harness_answer (r.h), ==, "joe@mx.test");
        g_assert_cmpint (authenticate (&r, mechanisms[i], "wrong"), ==, HK_ABSENT);
        g_assert_cmpstr (hk_harness_reply_text (r.h), ==, "authentication failure");
    }
    hk_harness_prop (r.h, HK_PROP_SASL_OPTIONS, "noanonymous noplaintext");
    g_assert_false (offers (&r, "PLAIN"));
    void *client;
    g_assert_cmpint (r.class->client_begin (r.instance, hk_harness_call (r.h),
                                            span ("PLAIN LOGIN"), span ("joe"),
                                            span ("secret"), &client),
                     ==, HK_ABSENT);
    hk_harness_prop (r.h, HK_PROP_SASL_OPTIONS, "nonsense");
    g_assert_cmpint (r.class->mechanisms (r.instance, hk_harness_call (r.h)), ==, HK_BROKEN);
    teardown (&r);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/sasl_cyrus/conf", test_conf);
    g_test_add_func ("/sasl_cyrus/options", test_options);
    g_test_add_func ("/sasl_cyrus/both_sides", test_both_sides);
    return g_test_run ();
}
