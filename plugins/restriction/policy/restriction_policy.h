/* restriction_policy.h: what the files of this plugin share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RESTRICTION_POLICY_H
#define RESTRICTION_POLICY_H

#include <glib.h>
#include <hikyaku/restriction.h>
#include <stdbool.h>
#include <sys/socket.h>

/* ---- restriction_policy_conf.c: "inet:host:port" or "{ inet:host:port, name=value, … }" */

typedef struct {
    char *server; /* as written: for the log */
    char *path;   /* a Unix socket; NULL: host and port */
    char *name;   /* host name or address */
    uint16_t port;
    char *default_action, *context;
    int64_t timeout_us, max_idle_us, max_ttl_us, retry_delay_us;
    int64_t try_limit, request_limit;
} PolicyOptions;

/* Filled from the parameters, then from the argument.  NULL, or what is wrong (g_free it). */
char *restriction_policy_options_read (PolicyOptions *self, const HkHost *host,
                                       const HkConf *conf);
void restriction_policy_options_clear (PolicyOptions *self);

/* ---- restriction_policy_client.c: requests over connections that are used again; loop */

typedef struct PolicyClient PolicyClient;
PolicyClient *restriction_policy_client_new (const HkHost *host,
                                             const PolicyOptions *options); /* borrowed */
void restriction_policy_client_free (PolicyClient *self); /* no request is under way */

typedef struct PolicyRequest PolicyRequest;
/* Send TEXT (taken): attributes and the empty line.  INSTANCE: requests with the same one go
 * over the same connection if they can.  DONE is called once, never from inside, unless the
 * request is freed before. */
PolicyRequest *restriction_policy_client_ask (PolicyClient *self, GString *text,
                                              const char *instance,
                                              void (*done) (void *data), void *data);
/* When done: the action, or NULL: nobody gave one. */
const char *restriction_policy_request_action (const PolicyRequest *self);
void restriction_policy_request_free (PolicyRequest *self);

/* ---- restriction_policy_reply.c */

enum { POLICY_MAX_REPLY = 16 * 1024 }; /* bytes; a header to prepend is a few hundred */
/* Attributes up to an empty line.  HK_UNKNOWN: more must come; HK_FOUND: *OUT_ACTION is the
 * action (g_free it); HK_BROKEN: *OUT_WHY (static) says what is wrong. */
HkAnswer restriction_policy_reply_parse (HkSpan bytes, char **out_action,
                                         const char **out_why);

#endif
