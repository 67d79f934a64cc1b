/* lookup_memcache.h: the client of the memcached text protocol.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_LOOKUP_MEMCACHE_H
#define HK_PLUGINS_LOOKUP_MEMCACHE_H

#include "../remote_clients.h"

#define LOOKUP_MEMCACHE_KEY_MAX 250 /* protocol.txt, "Keys" */

typedef struct {
    RemoteClient base;
    GString *in; /* what has come; its first `at` bytes are read */
    size_t at;
    size_t line_limit, data_limit;
} LookupMemcacheClient;

/* NULL: OUT_WHY (g_free) says why. */
LookupMemcacheClient *lookup_memcache_client_new (RemoteServer *server, size_t line_limit,
                                                  size_t data_limit, gint64 deadline,
                                                  char **out_why);
void lookup_memcache_client_free (RemoteClient *client);

/* A valid key: not empty, no blanks or control characters, not too long. */
bool lookup_memcache_is_key (const char *key, size_t size);

/* HK_FOUND and HK_ABSENT are answers (for a change: done and not there).  HK_LATER with
 * OUT_WHY: the client is of no use any more. */
HkAnswer lookup_memcache_get (LookupMemcacheClient *self, const char *key, GString *value,
                              gint64 deadline, char **out_why);
HkAnswer lookup_memcache_set (LookupMemcacheClient *self, const char *key, guint32 flags,
                              gint64 ttl, HkSpan value, gint64 deadline, char **out_why);
HkAnswer lookup_memcache_delete (LookupMemcacheClient *self, const char *key,
                                 gint64 deadline, char **out_why);

#endif
