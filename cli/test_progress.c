/* test_progress.c: progress is shown on a terminal, after two seconds, and nowhere else. */
#include "config.h"

#include "cli/progress.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECOND = 1000000 };

/* What FD holds now, at most SIZE - 1 bytes. */
static const char *
drain (int fd, char *buffer, size_t size)
{
    ssize_t n = read (fd, buffer, size - 1);
    buffer[n > 0 ? n : 0] = '\0';
    return buffer;
}

/* Both ends of a new terminal; false: this machine gives none. */
static bool
open_terminal (int *out_other, int *out_terminal)
{
    *out_other = posix_openpt (O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (*out_other < 0 || grantpt (*out_other) != 0 || unlockpt (*out_other) != 0)
        return false;
    *out_terminal = open (ptsname (*out_other), O_RDWR | O_NOCTTY | O_CLOEXEC);
    return *out_terminal >= 0;
}

static void
test_terminal (void)
{
    int other, terminal;
    char seen[256];
    HkProgress progress;
    if (!open_terminal (&other, &terminal)) {
        g_test_skip ("no terminal to be had");
        return;
    }
    hk_progress_start (&progress, terminal, "postmap", "/etc/x", 5 * SECOND);
    hk_progress_step (&progress, 10, 100, 7 * SECOND);
    g_assert_cmpstr (drain (other, seen, sizeof seen), ==, "");
    hk_progress_hide (&progress);
    g_assert_cmpstr (drain (other, seen, sizeof seen), ==, "");

    hk_progress_step (&progress, 42, 100, 7 * SECOND + 1);
    g_assert_nonnull (strstr (drain (other, seen, sizeof seen), "postmap: /etc/x: 42 %"));
    hk_progress_step (&progress, 43, 100, 7 * SECOND + 2); /* too soon to be shown again */
    g_assert_cmpstr (drain (other, seen, sizeof seen), ==, "");
    hk_progress_hide (&progress);
    g_assert_cmpstr (drain (other, seen, sizeof seen), ==, "\r\033[K");
    hk_progress_hide (&progress);
    g_assert_cmpstr (drain (other, seen, sizeof seen), ==, "");
    close (terminal);
    close (other);
}

static void
test_pipe (void)
{
    int ends[2];
    char seen[256];
    HkProgress progress;
    g_assert_cmpint (pipe2 (ends, O_CLOEXEC | O_NONBLOCK), ==, 0);
    hk_progress_start (&progress, ends[1], "postmap", "/etc/x", 0);
    hk_progress_step (&progress, 1, 2, 60 * SECOND);
    hk_progress_hide (&progress);
    g_assert_cmpstr (drain (ends[0], seen, sizeof seen), ==, "");
    close (ends[0]);
    close (ends[1]);
    hk_progress_hide (NULL);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/cli/progress/terminal", test_terminal);
    g_test_add_func ("/cli/progress/pipe", test_pipe);
    return g_test_run ();
}
