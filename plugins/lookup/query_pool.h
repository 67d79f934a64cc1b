/* query_pool.h: connections to the servers of one table: failover, back-off, and an answer
 * within the timeout whatever a server or the network does.
 *
 * Each connection has a thread of its own, which alone calls the client library.  A lookup
 * hands its question over and waits, but never past its deadline: what hangs (a name
 * server, a handshake, a frozen server) hangs there, and its socket is shut down so that
 * the library gives up.  A server that failed is left alone for a while that grows from one
 * second to `retry_interval`; then one lookup tries it, while others go on without it.  A
 * connection that had been good before and breaks (the server was restarted) is made anew
 * at once.
 *
 *     lookup ──question──▸ idle connection, or a new one while there are fewer than the
 * limit ◂──values───  done │ lost: next host │ wrong: next host │ deadline: HK_LATER
 *
 * Compiled by each plugin under its own name, as query_file.c is.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_LOOKUP_QUERY_POOL_H
#define HK_PLUGINS_LOOKUP_QUERY_POOL_H

#include "query_file.h"

#define query_pool_open QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_pool_open)
#define query_pool_close QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_pool_close)
#define query_pool_get QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_pool_get)
#define query_address_parse QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_address_parse)
#define query_values_add QUERY_FILE_PASTE (QUERY_FILE_OWNER, query_values_add)

/* Parameters that a pool reads from the table's file: for the plugin's list of names. */
#define QUERY_POOL_NAMES                                                                   \
    "hosts", "timeout", "connection_limit", "idle_interval", "retry_interval"

typedef struct QueryPool QueryPool;
typedef struct QueryValues QueryValues; /* the values of one answer */

typedef enum {
    QUERY_DONE,
    QUERY_LOST, /* the connection is of no use any more */
    QUERY_WRONG /* the server refuses the question; the connection stays */
} QueryOutcome;

/* What the client library does; all run on the connection's thread.  TABLE is the plugin's
 * own.  Reasons are allocated with g_malloc. */
typedef struct {
    const char *type;            /* "mysql" */
    void (*thread_start) (void); /* or NULL */
    void (*thread_end) (void);
    /* NULL: failed.  TIMEOUT_S also bounds what `ask` waits for.  OUT_FD: its socket, or
     * -1. */
    void *(*connect) (void *table, const char *host, int64_t timeout_s, int *out_fd,
                      char **out_reason);
    QueryOutcome (*ask) (void *table, void *connection, HkSpan key, QueryValues *values,
                         char **out_reason);
    void (*disconnect) (void *connection);
} QueryDriver;

/* False: there are too many, or they are too long; stop. */
bool query_values_add (QueryValues *self, const void *data, size_t size);

/* An item of `hosts`: "unix:/path", "inet:host:port", "host:port", "[2001:db8::1]:port". */
typedef struct {
    char *name;       /* or NULL; to be freed, also after a failure */
    const char *path; /* of a socket, or NULL; borrowed from the text */
    unsigned port;    /* 0: not given */
} QueryAddress;

/* NULL, or what is wrong. */
const char *query_address_parse (const char *text, QueryAddress *out);

/* NULL, or what is wrong with an item of `hosts`.  Those with *OUT_IS_FIRST are tried
 * before the others. */
typedef const char *(*QueryHostFn) (const char *host, bool *out_is_first);

/* Reads the parameters; `hosts` is "localhost" when absent.  HK_OK or HK_BROKEN. */
HkAnswer query_pool_open (const HkHost *host, HkCall *call, const QueryFile *file,
                          const QueryDriver *driver, void *table, QueryHostFn check_host,
                          QueryPool **out);
void query_pool_close (QueryPool *self); /* waits for its threads; NULL is fine */
/* The whole lookup, without the suppression of the query.  Any thread. */
HkAnswer query_pool_get (QueryPool *self, HkCall *call, HkSpan key);

#endif
