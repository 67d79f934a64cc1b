/* test_process.c: a service is found by what it is called, wherever it stands. */
#include "config.h"

#include "role/process.h"

static void
test_find_service (void)
{
    static const char master_cf[] = "smtp inet n - n - - smtpd\n"
                                    "smtp unix - - n - - smtp\n"
                                    "relay unix - - n - - smtp\n";
    static const struct {
        uint64_t index;
        const char *identity;
        int want; /* -1: error */
    } cases[] = {
        {0, "smtp inet smtpd", 0}, {1, "smtp unix smtp", 1},  {1, NULL, 1},
        {0, "relay unix smtp", 2}, {9, "smtp unix smtp", 1},  {9, NULL, -1},
        {0, "smtp unix lmtp", -1}, {2, "gone unix smtp", -1}, {0, "", -1},
        {1, "smtp inet smtpd", 0},
    };
    g_autoptr (GError) none = NULL;
    g_autoptr (HkSettings) settings = hk_settings_from_text ("", master_cf, &none);
    g_assert_no_error (none);
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GError) error = NULL;
        size_t found = 99;
        bool ok = hk_process_find_service (settings, cases[i].index, cases[i].identity,
                                           &found, &error);
        g_assert_cmpint (ok, ==, cases[i].want >= 0);
        g_assert_true (ok == (error == NULL));
        if (ok)
            g_assert_cmpint ((int) found, ==, cases[i].want);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/role/find-service", test_find_service);
    return g_test_run ();
}
