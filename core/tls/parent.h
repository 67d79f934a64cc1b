/* parent.h: what the parent of processes that speak TLS does for them; needs no GnuTLS. */
#ifndef HK_TLS_PARENT_H
#define HK_TLS_PARENT_H

#include "conf/conf.h"

/* Memory for the keys of session tickets, to be inherited: a descriptor, or -1 with errno.
 */
int hk_tls_parent_memory (void);

/* Open PATH for reading when a parameter of SETTINGS, or of a service in them, names it as
 * a file of certificates or keys: a descriptor, or -1. */
int hk_tls_parent_open (HkSettings *settings, HkSpan path);

#endif
