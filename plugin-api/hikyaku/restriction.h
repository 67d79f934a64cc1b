/* restriction.h: the plugin class behind the words of smtpd_*_restrictions.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HIKYAKU_RESTRICTION_H
#define HIKYAKU_RESTRICTION_H

#include <hikyaku/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HK_RESTRICTION_MINOR 1

enum { /* needs: the restriction is skipped, as Postfix does, while one of these is not known */
    HK_NEEDS_HELO = 1 << 0,
    HK_NEEDS_SENDER = 1 << 1,
    HK_NEEDS_RECIPIENT = 1 << 2
};

/* `base.name` is the word.  The host splits the list, takes n_words words after the name as
 * arguments and opens one instance for each place where the restriction stands.  `check` gets
 * the session through properties and returns a verdict (HK_DUNNO … HK_DISCONNECT). */
typedef struct HkRestrictionClass {
    HkClass base;
    uint32_t n_words;
    uint32_t needs;
    HkAnswer (*check) (void *instance, HkCall *call);
} HkRestrictionClass;

#ifdef __cplusplus
}
#endif
#endif
