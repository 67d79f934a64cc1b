/* test_asked.h: a table under test and the played server that it asks (test_server.h).
 *
 * Static, as each test program includes it once.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_LOOKUP_TEST_ASKED_H
#define HK_PLUGINS_LOOKUP_TEST_ASKED_H

#include "harness.h"
#include "test_server.h"

#define SCRIPT(...) ((const TestReply[]){__VA_ARGS__, {NULL, 0}})
#define REPLY(text)                                                                        \
    {                                                                                      \
        text, sizeof (text) - 1                                                            \
    }

static TestServer server;
static HkHarness *h;
static void *table;

/* A table of TYPE; ARGUMENT is taken. */
static inline void
open_asking (const HkPlugin *plugin, const char *type, char *argument)
{
    h = hk_harness_new (plugin);
    table = hk_harness_open (h, HK_KIND_LOOKUP, type, argument);
    g_assert_cmpstr (hk_harness_reason (h), ==, "");
    g_assert_nonnull (table);
    g_free (argument);
}

static inline void
end (void)
{
    hk_harness_close (h, table);
    hk_harness_free (h);
    test_server_stop (&server);
}

/* TEXT is the value found, or part of the reason for HK_LATER. */
static inline void
expect (const char *key, HkAnswer answer, const char *text)
{
    gint64 start = g_get_monotonic_time ();
    HkAnswer got = hk_harness_get (h, table, key);
    if (got != answer || answer == HK_LATER)
        g_test_message ("%s: %s", key, hk_harness_reason (h));
    g_assert_cmpint (got, ==, answer);
    g_assert_cmpint (g_get_monotonic_time () - start, <, 5 * G_USEC_PER_SEC);
    if (answer == HK_FOUND) {
        g_assert_cmpstr (hk_harness_answer (h), ==, text);
    } else if (answer == HK_LATER) { /* the reason names the table */
        g_assert_nonnull (strstr (hk_harness_reason (h), "{...}"));
        g_assert_nonnull (strstr (hk_harness_reason (h), text));
    }
}

static inline void
expect_requests (const char *text)
{
    g_autofree char *got = test_server_requests (&server);
    g_assert_cmpstr (got, ==, text);
}

#endif
