/* test_query_file.h: the tests of query_file.c, for the test program of a plugin that has
 * it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_LOOKUP_TEST_QUERY_FILE_H
#define HK_PLUGINS_LOOKUP_TEST_QUERY_FILE_H

void test_query_file_add_all (void); /* to GLib's test suite */
void test_query_file_end (void);     /* after g_test_run */

#endif
