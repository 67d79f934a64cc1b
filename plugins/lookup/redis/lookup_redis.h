/* lookup_redis.h: a client of the Redis protocol (RESP2).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_LOOKUP_REDIS_H
#define HK_PLUGINS_LOOKUP_REDIS_H

#include "../remote_clients.h"

#include <hiredis.h>

typedef struct {
    RemoteClient base;
    redisReader *reader;
    GPtrArray *values; /* GString: the values of the reply at hand, without nil */
    bool is_error;     /* the server refused; the only value is what it said */
    const char *bad;   /* why the reply is of no use; or NULL */
    size_t size, size_limit;
} LookupRedisClient;

/* Connected, authenticated (PASSWORD may be NULL, and USER too) and in the database DB. */
LookupRedisClient *lookup_redis_client_new (RemoteServer *server, const char *user,
                                            const char *password, int64_t db,
                                            size_t size_limit, gint64 deadline,
                                            char **out_why);
void lookup_redis_client_free (RemoteClient *client);

/* Send WORDS (GString) as one command.  HK_OK: the answer is in `values`; HK_BROKEN: the
 * server refused; HK_LATER: the client is of no use any more; both with OUT_WHY (g_free).
 */
HkAnswer lookup_redis_command (LookupRedisClient *self, const GPtrArray *words,
                               gint64 deadline, char **out_why);

#endif
