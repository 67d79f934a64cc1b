/* test_query_pool.h: what every table that asks a database server must do without one.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_LOOKUP_TEST_QUERY_POOL_H
#define HK_PLUGINS_LOOKUP_TEST_QUERY_POOL_H

#include <hikyaku/plugin.h>

/* To GLib's test suite; TYPE is the table's type. */
void test_query_pool_add_all (const HkPlugin *plugin, const char *type);
void test_query_pool_end (void); /* after g_test_run */

/* A listening socket on 127.0.0.1 that nobody reads. */
int test_query_pool_listen (int *out_port);

#endif
