/* hosts.h: names and addresses of a hosts file (hosts(5)), read once; for this folder. */
#ifndef HK_NET_HOSTS_H
#define HK_NET_HOSTS_H

#include "net/address.h"

typedef struct HkHosts HkHosts;

/* NULL when the file cannot be read.  Bounded: what stands behind 4 MiB is left out. */
HkHosts *hk_hosts_read (const char *path);
HkHosts *hk_hosts_from_text (HkSpan text);
void hk_hosts_free (HkHosts *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkHosts, hk_hosts_free)

/* Addresses of NAME (HkAddress elements, any family, file order); NULL: none. */
const GArray *hk_hosts_addresses (const HkHosts *self, const char *name);
/* First name of ADDRESS; NULL: none. */
const char *hk_hosts_name (const HkHosts *self, const HkAddress *address);

#endif
