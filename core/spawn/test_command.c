/* test_command.c: the arguments of spawn services, and what environment commands get. */
#include "config.h"

#include "spawn/spawn_priv.h"

typedef struct {
    const char *words, *argv, *user; /* USER NULL: a group was named */
    const char *error;
} Row;

static const Row rows[] = {
    {"user=nobody argv=/bin/cat", "/bin/cat", "nobody", NULL},
    {"user=nobody argv=/bin/cat -n user=x argv=y", "/bin/cat -n user=x argv=y", "nobody",
     NULL},
    {"user=nobody:nogroup argv=cat", "cat", NULL, NULL},
    {"user=daemon user=nobody argv=cat", "cat", "nobody", NULL}, /* the last one wins */
    {"argv=cat", NULL, NULL, "user= is missing"},
    {"user=nobody", NULL, NULL, "argv= is missing"},
    {"user=nobody argv=", NULL, NULL, "argv= is missing"},
    {"user=nobody flags=R argv=cat", NULL, NULL, "unknown attribute \"flags=R\""},
    {"user=nobody cat", NULL, NULL, "unknown attribute \"cat\""},
    {"user=root argv=cat", NULL, NULL, "does not run as root"},
    {"user=nobody:root argv=cat", NULL, NULL, "nor in its group"},
    {"user=no-such-one argv=cat", NULL, NULL, "no such user"},
    {"user=nobody:no-such-one argv=cat", NULL, NULL, "no such group"},
    {"user= argv=cat", NULL, NULL, "no such user"},
};

static void
test_parse (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        const Row *row = &rows[i];
        g_auto (GStrv) words = g_strsplit (row->words, " ", -1);
        g_autoptr (GError) error = NULL;
        HkSpawnCommand command;
        bool ok = hk_spawn_command_parse (&command, (const char *const *) words, &error);
        g_test_message ("%s", row->words);
        g_assert_cmpint (ok, ==, row->error == NULL);
        if (ok) {
            g_autofree char *argv = g_strjoinv (" ", command.argv);
            g_assert_cmpstr (argv, ==, row->argv);
            g_assert_cmpstr (command.user, ==, row->user);
            g_assert_cmpuint (command.uid, !=, 0);
            g_assert_cmpuint (command.gid, !=, 0);
        } else {
            g_assert_nonnull (strstr (error->message, row->error));
        }
        hk_spawn_command_clear (&command);
    }
}

static void
test_environment (void)
{
    static const char *const list[] = {"HK_TEST_A", "HK_TEST_B=b=c", "HK_TEST_NONE", "=x",
                                       NULL};
    g_setenv ("HK_TEST_A", "a", TRUE);
    g_setenv ("HK_TEST_SECRET", "s", TRUE);
    g_unsetenv ("HK_TEST_NONE");
    g_auto (GStrv) env = hk_spawn_environment (list);
    g_assert_cmpuint (g_strv_length (env), ==, 3);
    g_assert_cmpstr (g_environ_getenv (env, "HK_TEST_A"), ==, "a");
    g_assert_cmpstr (g_environ_getenv (env, "HK_TEST_B"), ==, "b=c");
    g_assert_nonnull (g_environ_getenv (env, "PATH"));
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/spawn/command/parse", test_parse);
    g_test_add_func ("/spawn/command/environment", test_environment);
    return g_test_run ();
}
