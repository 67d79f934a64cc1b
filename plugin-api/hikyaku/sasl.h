/* sasl.h: the plugin class of SASL backends (server and client exchanges).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HIKYAKU_SASL_H
#define HIKYAKU_SASL_H

#include <hikyaku/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HK_SASL_MINOR 2

/* `base.name` is the value of smtpd_sasl_type / smtp_sasl_type; the argument of `open`
 * (conf_argument) is the value of smtpd_sasl_path / smtp_sasl_path.  What holds for the
 * session is asked of the call: HK_PROP_SASL_OPTIONS, _SERVICE, _REALM, _HOST,
 * HK_PROP_TLS_VERSION, the addresses of both ends, and for channel binding HK_PROP_TLS_BINDING
 * with its _TYPE (while mechanisms are asked for, any bytes stand for it).
 *
 * An exchange is a fresh object for each AUTH.  `step`: HK_FOUND authenticated (host->answer:
 * the user name), HK_OK go on (host->answer: the challenge, not base64), HK_ABSENT wrong
 * credentials (host->answer: the user name, if it is known; the reason, if there is one that
 * the client may see, with host->reply (call, HK_ABSENT, 0, NULL, "%s", reason)), HK_LATER,
 * HK_BROKEN.  RESPONSE and CHALLENGE are not base64; `data` is NULL when there is none, which
 * is not the same as an empty one. */

/* End of a call of the asynchronous form; from the loop, at once or later. */
typedef void (*HkSaslDone) (HkCall *call, HkAnswer answer);

typedef struct HkSaslClass {
    HkClass base;
    /* Blank-separated mechanism names for this session, through host->answer.  A class that
     * may block is asked once for plain and once for encrypted sessions. */
    HkAnswer (*mechanisms) (void *instance, HkCall *call);
    /* Server: HK_OK, or HK_ABSENT when there is no such mechanism.  Never waits. */
    HkAnswer (*server_begin) (void *instance, HkCall *call, HkSpan mechanism,
                              void **out_exchange);
    HkAnswer (*server_step) (void *exchange, HkCall *call, HkSpan response);
    void (*server_end) (void *exchange);
    /* Client: picks one of the server's MECHANISMS (host->answer: its name, then the first
     * response, if there is one) or says HK_ABSENT; `client_step` gives the next response.
     * USER and PASSWORD are copied. */
    HkAnswer (*client_begin) (void *instance, HkCall *call, HkSpan mechanisms, HkSpan user,
                              HkSpan password, void **out_exchange);
    HkAnswer (*client_step) (void *exchange, HkCall *call, HkSpan challenge);
    void (*client_end) (void *exchange);
    /* Since class version 2: for a backend behind a socket.  What `mechanisms` and
     * `server_step` do, on the loop and without waiting: DONE is called once, from inside or
     * later, unless `mechanisms_cancel` (same CALL) or `server_end` comes first. */
    void (*mechanisms_start) (void *instance, HkCall *call, HkSaslDone done);
    void (*mechanisms_cancel) (void *instance, HkCall *call);
    void (*server_step_start) (void *exchange, HkCall *call, HkSpan response,
                               HkSaslDone done);
} HkSaslClass;

#ifdef __cplusplus
}
#endif
#endif
