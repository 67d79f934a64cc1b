/* lookup.h: the plugin class behind "type:name" tables.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HIKYAKU_LOOKUP_H
#define HIKYAKU_LOOKUP_H

#include <hikyaku/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HK_LOOKUP_MINOR 1

/* `base.name` is the type.  `open` gets the text after the colon as its argument. */
typedef struct HkLookupClass {
    HkClass base;
    /* Find KEY.  HK_FOUND after host->answer, HK_ABSENT, HK_LATER, HK_BROKEN. */
    HkAnswer (*get) (void *instance, HkCall *call, HkSpan key);

    /* -- optional from here on: change a table in place (postmap -i, -d; caches) */
    HkAnswer (*put) (void *instance, HkCall *call, HkSpan key, HkSpan value);
    HkAnswer (*del) (void *instance, HkCall *call, HkSpan key); /* HK_OK or HK_ABSENT */
    /* Walk: *CURSOR is NULL at first and owned by the table; HK_FOUND gives the key with
     * answer and the value with a second answer; HK_ABSENT ends the walk and frees the
     * cursor, as does a call with KEEP 0. */
    HkAnswer (*each) (void *instance, HkCall *call, void **cursor, int32_t keep);

    /* -- optional: make the indexed file from its source (postmap).  The old file stays in
     * use until build_end with COMMIT 1, which replaces it at once and durably. */
    HkAnswer (*build_begin) (const HkHost *host, const HkConf *conf, HkCall *call,
                             void **out_build);
    HkAnswer (*build_put) (void *build, HkCall *call, HkSpan key, HkSpan value,
                           int32_t replace); /* HK_FOUND: was there, and stays unless REPLACE */
    HkAnswer (*build_end) (void *build, HkCall *call, int32_t commit); /* frees BUILD */
    const char *suffix; /* of the indexed file: ".gdbm"; NULL: the type needs no build */
} HkLookupClass;

#ifdef __cplusplus
}
#endif
#endif
