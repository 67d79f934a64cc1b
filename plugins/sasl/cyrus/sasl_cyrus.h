/* sasl_cyrus.h: what the files of this plugin share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SASL_CYRUS_H
#define SASL_CYRUS_H

#include <glib.h>
#include <hikyaku/sasl.h>
#include <sasl/sasl.h>
#include <stdbool.h>

/* The library keeps functions of every kind as one type. */
#define SASL_CYRUS_CALLBACK(fn) ((int (*) (void)) (void (*) (void)) (fn))

typedef struct {
    const HkHost *host;
    char *name;          /* smtpd_sasl_path: "smtpd" */
    char *path;          /* directories of NAME.conf, colons between */
    GHashTable *options; /* of NAME.conf */
    sasl_callback_t callbacks[4];
} Cyrus;

/* ---- sasl_cyrus.c */
HkSpan sasl_cyrus_prop (const HkHost *host, HkCall *call, uint32_t id);
char *sasl_cyrus_prop_dup (const HkHost *host, HkCall *call, uint32_t id); /* NULL: absent */
/* The session's security options set on CONN.  False: the reason is in the call. */
bool sasl_cyrus_secure (const HkHost *host, HkCall *call, sasl_conn_t *conn);
/* Not worth another try, or so later? */
bool sasl_cyrus_is_temporary (int status);

/* ---- sasl_cyrus_conf.c */
/* "key: value" lines of NAME.conf, found first in PATH; empty when there is none. */
GHashTable *sasl_cyrus_conf_read (const char *path, const char *name);
/* Words of the security options as SASL_SEC_*; false: *OUT_WORD is not one. */
bool sasl_cyrus_options (HkSpan words, unsigned *out, HkSpan *out_word);

/* ---- sasl_cyrus_client.c */
HkAnswer sasl_cyrus_client_begin (void *instance, HkCall *call, HkSpan mechanisms, HkSpan user,
                                  HkSpan password, void **out_exchange);
HkAnswer sasl_cyrus_client_step (void *exchange, HkCall *call, HkSpan challenge);
void sasl_cyrus_client_end (void *exchange);

#endif
