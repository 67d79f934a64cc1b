/* test_rate.c: counts in their windows, holds of several processes, bounds. */
#include "config.h"

#include "rate/rate.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const int64_t minute = 60 * HK_SECOND;
static HkTestClock test_clock;

static HkRates *
open_rates (const char *path, size_t entries)
{
    g_autoptr (GError) error = NULL;
    HkRates *rates = hk_rates_open (path, entries, &test_clock.base, &error);
    g_assert_no_error (error);
    return rates;
}

static char *
temporary_path (void)
{
    char *dir = g_dir_make_tmp ("hk-rate-XXXXXX", NULL);
    char *path = g_build_filename (dir, "rates", NULL);
    g_free (dir);
    return path;
}

static void
remove_path (char *path)
{
    g_autofree char *dir = g_path_get_dirname (path);
    g_remove (path);
    g_rmdir (dir);
    g_free (path);
}

/* All counts of a client begin anew a time unit after its first event. */
static void
test_counts (void)
{
    g_autoptr (HkRates) rates = open_rates (NULL, 64);
    HkSpan a = HK_SPAN ("smtp:192.0.2.1"), b = HK_SPAN ("smtp:192.0.2.2");
    g_assert_cmpuint (hk_rates_count (rates, a, HK_RATE_MESSAGE, minute), ==, 1);
    test_clock.steady += 40 * HK_SECOND;
    g_assert_cmpuint (hk_rates_count (rates, a, HK_RATE_MESSAGE, minute), ==, 2);
    g_assert_cmpuint (hk_rates_count (rates, a, HK_RATE_AUTH, minute), ==, 1);
    g_assert_cmpuint (hk_rates_count (rates, b, HK_RATE_MESSAGE, minute), ==, 1);
    g_assert_cmpuint (hk_rates_peek (rates, a, HK_RATE_MESSAGE, minute), ==, 2);
    test_clock.steady += 21 * HK_SECOND;
    g_assert_cmpuint (hk_rates_peek (rates, a, HK_RATE_MESSAGE, minute), ==, 0);
    g_assert_cmpuint (hk_rates_count (rates, a, HK_RATE_MESSAGE, minute), ==, 1);
    g_assert_cmpuint (hk_rates_peek (rates, a, HK_RATE_AUTH, minute), ==, 0);
}

/* A full disk is met when the table is made, not at a page that is touched later. */
static void
test_room (void)
{
    char *path = temporary_path ();
    HkRates *rates = open_rates (path, 65536);
    struct stat st;
    g_assert_cmpint (stat (path, &st), ==, 0);
    g_assert_cmpint (st.st_blocks * 512, >=, st.st_size);
    hk_rates_free (rates);
    remove_path (path);
}

/* A window that slides has no moment at which twice the limit passes. */
static void
test_sliding (void)
{
    g_autoptr (HkRates) rates = open_rates (NULL, 64);
    HkSpan a = HK_SPAN ("joe");
    unsigned granted = 0;
    for (unsigned i = 0; i < 20; i++)
        granted += hk_rates_take (rates, a, 1, 10, minute);
    g_assert_cmpuint (granted, ==, 10);
    test_clock.steady += minute; /* all ten are just about to leave the window */
    g_assert_false (hk_rates_take (rates, a, 1, 10, minute));
    test_clock.steady += minute / 2;
    granted = 0;
    for (unsigned i = 0; i < 20; i++)
        granted += hk_rates_take (rates, a, 1, 10, minute);
    g_assert_cmpuint (granted, ==, 5);
    test_clock.steady += 3 * minute;
    g_assert_true (hk_rates_take (rates, a, 10, 10, minute));
    g_assert_false (hk_rates_take (rates, a, 1, 10, minute));
}

/* What two processes hold is one number, and what each gave back is its own. */
static void
test_holds (void)
{
    char *path = temporary_path ();
    HkRates *first = open_rates (path, 64), *second = open_rates (path, 1024);
    HkSpan a = HK_SPAN ("smtp:192.0.2.1");
    HkRateHold one = {.is_held = false}, two = one, three = one;
    g_assert_cmpuint (hk_rates_enter (first, a, &one), ==, 1);
    g_assert_cmpuint (hk_rates_enter (second, a, &two), ==, 2);
    g_assert_cmpuint (hk_rates_enter (second, a, &three), ==, 3);
    hk_rates_leave (first, &one);
    hk_rates_leave (first, &one); /* once is enough */
    g_assert_cmpuint (hk_rates_enter (first, a, &one), ==, 3);
    hk_rates_free (second); /* with two of them still held */
    hk_rates_leave (first, &one);
    g_assert_cmpuint (hk_rates_enter (first, a, &one), ==, 1);
    hk_rates_free (first);
    remove_path (path);
}

/* A process that dies leaves nothing held, and what it counted stays. */
static void
test_death (void)
{
    char *path = temporary_path ();
    HkRates *rates = open_rates (path, 64);
    HkSpan a = HK_SPAN ("smtp:192.0.2.1");
    HkRateHold hold = {.is_held = false};
    pid_t pid = fork ();
    if (pid == 0) {
        HkRates *mine = open_rates (path, 64);
        hk_rates_enter (mine, a, &hold);
        hk_rates_count (mine, a, HK_RATE_CONNECTION, minute);
        kill (getpid (), SIGKILL);
    }
    int status;
    g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
    g_assert_true (WIFSIGNALED (status));
    hk_rates_free (open_rates (path, 64)); /* the next one cleans up */
    g_assert_cmpuint (hk_rates_enter (rates, a, &hold), ==, 1);
    g_assert_cmpuint (hk_rates_count (rates, a, HK_RATE_CONNECTION, minute), ==, 2);
    hk_rates_free (rates);
    /* nobody is left: counts of a former run mean nothing */
    rates = open_rates (path, 64);
    g_assert_cmpuint (hk_rates_peek (rates, a, HK_RATE_CONNECTION, minute), ==, 0);
    hk_rates_free (rates);
    remove_path (path);
}

/* However many strangers come: who is connected is not forgotten for one who is not. */
static void
test_bounded (void)
{
    g_autoptr (HkRates) rates = open_rates (NULL, 64);
    HkRateHold hold = {.is_held = false};
    HkSpan friend = HK_SPAN ("smtp:192.0.2.1");
    char name[40];
    hk_rates_enter (rates, friend, &hold);
    hk_rates_count (rates, friend, HK_RATE_MESSAGE, minute);
    for (unsigned i = 0; i < 100000; i++) {
        g_snprintf (name, sizeof name, "smtp:10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        hk_rates_count (rates, hk_span_text (name), HK_RATE_MESSAGE, minute);
    }
    g_assert_cmpuint (hk_rates_count (rates, friend, HK_RATE_MESSAGE, minute), ==, 2);
    hk_rates_leave (rates, &hold);
}

/* A file that holds something else is no table. */
static void
test_garbage (void)
{
    char *path = temporary_path ();
    g_assert_true (g_file_set_contents (path, "nonsense", -1, NULL));
    HkRates *rates = open_rates (path, 64);
    g_assert_cmpuint (hk_rates_count (rates, HK_SPAN ("a"), HK_RATE_AUTH, minute), ==, 1);
    hk_rates_free (rates);
    remove_path (path);
}

/* Times outlive all processes, and end. */
static void
test_kept (void)
{
    char *path = temporary_path ();
    g_autoptr (GError) error = NULL;
    int64_t now = hk_wall_us (&test_clock.base) / HK_SECOND;
    const int64_t earned[HK_N_STAMPS] = {now + 10, now + 20};
    int64_t got[HK_N_STAMPS];
    HkSpan a = HK_SPAN ("192.0.2.1");
    HkRates *rates = hk_rates_open_kept (path, 64, &test_clock.base, &error);
    g_assert_no_error (error);
    g_assert_false (hk_rates_recall (rates, a, got));
    hk_rates_remember (rates, a, earned, 100);
    hk_rates_free (rates);
    rates = hk_rates_open_kept (path, 1024, &test_clock.base, &error);
    g_assert_no_error (error);
    g_assert_true (hk_rates_recall (rates, a, got));
    g_assert_cmpint (got[0], ==, now + 10);
    g_assert_cmpint (got[1], ==, now + 20);
    test_clock.wall += 119 * HK_SECOND;
    g_assert_true (hk_rates_recall (rates, a, got));
    test_clock.wall += 2 * HK_SECOND;
    g_assert_false (hk_rates_recall (rates, a, got));
    hk_rates_free (rates);
    remove_path (path);
}

static void
note (HkPeak peak, unsigned value, const char *name, int64_t wall_us, void *data)
{
    (void) wall_us;
    g_string_append_printf (data, "%d=%u(%s) ", peak, value, name);
}

static void
test_peaks (void)
{
    g_autoptr (HkRates) rates = open_rates (NULL, 64);
    g_autoptr (GString) said = g_string_new (NULL);
    HkRateHold hold = {.is_held = false};
    for (unsigned i = 0; i < 3; i++)
        hk_rates_count (rates, HK_SPAN ("smtp:a"), HK_RATE_CONNECTION, minute);
    hk_rates_count (rates, HK_SPAN ("smtp:b"), HK_RATE_CONNECTION, minute);
    hk_rates_enter (rates, HK_SPAN ("smtp:b"), &hold);
    hk_rates_peaks (rates, minute, false, note, said);
    g_assert_cmpstr (said->str, ==, "");
    test_clock.steady += minute;
    hk_rates_peaks (rates, minute, false, note, said);
    g_assert_cmpstr (said->str, ==, "0=3(smtp:a) 1=1(smtp:b) 6=2() ");
    g_string_truncate (said, 0);
    hk_rates_peaks (rates, minute, true, note, said);
    g_assert_cmpstr (said->str, ==, "");
    hk_rates_leave (rates, &hold);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    hk_test_clock_init (&test_clock, INT64_C (1700000000) * HK_SECOND);
    g_test_add_func ("/rate/counts", test_counts);
    g_test_add_func ("/rate/room", test_room);
    g_test_add_func ("/rate/sliding", test_sliding);
    g_test_add_func ("/rate/holds", test_holds);
    g_test_add_func ("/rate/death", test_death);
    g_test_add_func ("/rate/bounded", test_bounded);
    g_test_add_func ("/rate/garbage", test_garbage);
    g_test_add_func ("/rate/kept", test_kept);
    g_test_add_func ("/rate/peaks", test_peaks);
    return g_test_run ();
}
