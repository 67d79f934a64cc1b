/* lookup_cdb.h: what the two files of this plugin share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_LOOKUP_CDB_H
#define HK_LOOKUP_CDB_H

#include "../indexed.h"

#define LOOKUP_CDB_SUFFIX ".cdb"

/* lookup_cdb_build.c: a new file beside the old one, which it then replaces at once. */
HkAnswer lookup_cdb_build_begin (const HkHost *host, const HkConf *conf, HkCall *call,
                                 void **out_build);
HkAnswer lookup_cdb_build_put (void *build, HkCall *call, HkSpan key, HkSpan value,
                               int32_t replace);
HkAnswer lookup_cdb_build_end (void *build, HkCall *call, int32_t commit);

#endif
