/* sasl.h: the plugin class of SASL backends (server and client exchanges).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HIKYAKU_SASL_H
#define HIKYAKU_SASL_H

#include <hikyaku/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HK_SASL_MINOR 1

/* `base.name` is the value of smtpd_sasl_type / smtp_sasl_type.  An exchange is a fresh object
 * for each AUTH.  `step`: HK_FOUND authenticated (host->answer: the user name), HK_OK go on
 * (host->answer: the challenge, not base64), HK_ABSENT wrong credentials, HK_LATER, HK_BROKEN. */
typedef struct HkSaslClass {
    HkClass base;
    /* Blank-separated mechanism names for this session, through host->answer. */
    HkAnswer (*mechanisms) (void *instance, HkCall *call);
    HkAnswer (*server_begin) (void *instance, HkCall *call, HkSpan mechanism,
                              void **out_exchange);
    HkAnswer (*server_step) (void *exchange, HkCall *call, HkSpan response);
    void (*server_end) (void *exchange);
    HkAnswer (*client_begin) (void *instance, HkCall *call, HkSpan mechanisms, HkSpan user,
                              HkSpan password, void **out_exchange);
    HkAnswer (*client_step) (void *exchange, HkCall *call, HkSpan challenge);
    void (*client_end) (void *exchange);
} HkSaslClass;

#ifdef __cplusplus
}
#endif
#endif
