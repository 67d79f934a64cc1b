/* users.h: whom the roles run as, and becoming them. */
#ifndef HK_ROLE_USERS_H
#define HK_ROLE_USERS_H

#include "conf/conf.h"
#include "store/store.h"

/* Numbers of mail_owner, smtpd_owner and setgid_group.  Three owners must be three users. */
bool hk_users_find (HkSettings *settings, HkStoreOwners *out, GError **error);

/* As root: become the user named by PARAMETER, with its group and no other; verified.  As
 * anybody else: nothing.  In both cases: no new privileges from here on. */
bool hk_users_become (HkSettings *settings, const char *parameter, GError **error);

#endif
