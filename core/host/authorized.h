/* authorized.h: the lists of local users: authorized_submit_users, authorized_mailq_users,
 * authorized_flush_users (postconf(5)). */
#ifndef HK_HOST_AUTHORIZED_H
#define HK_HOST_AUTHORIZED_H

#include "host/host.h"

#include <sys/types.h>

/* Does PARAMETER list the user UID?  A user without a name is called "unknown".  PLUGINS
 * may be NULL: then tables are loaded when the list names one.  True; or false with
 * OUT_TEXT, for the user: why not, after "User NAME(UID) ".  A list that cannot be read, or
 * a table that does not answer, admits nobody.
 *
 * Blocks: on the password database, and on tables that do unless IS_LOOP (then those admit
 * nobody). */
bool hk_user_is_authorized (HkPlugins *plugins, HkSettings *settings, const char *parameter,
                            uid_t uid, bool is_loop, const char *action, char **out_text);

#endif
