/* check.h: the parts of `hikyaku check`. */
#ifndef HK_CLI_CHECK_H
#define HK_CLI_CHECK_H

#include "conf/conf.h"
#include "host/host.h"

/* Compile the restriction lists of SERVICE, an smtpd whose view of the settings is VIEW, and
 * tell FN what is wrong with them: unknown words, words that are never reached, no guard
 * against relaying.  PLUGINS keep VIEW as their settings. */
void hk_check_access (HkPlugins *plugins, HkSettings *view, const HkService *service,
                      HkComplaintFn fn, void *data);

/* Lines of master.cf that need another one, or a plugin. */
void hk_check_lines (HkPlugins *plugins, HkSettings *set, HkComplaintFn fn, void *data);

typedef struct {
    HkPlugins *plugins;
    GHashTable *seen; /* "type:file" of the tables that were spoken of */
    HkComplaintFn say;
    void *data;
} HkBuildCheck;

/* Tables in the value of NAME whose index is not there, or older than its text. */
void hk_check_builds_of (HkBuildCheck *self, HkSettings *view, const char *name);

#endif
