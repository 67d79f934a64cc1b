/* lookup_lmdb.h: what the two files of this plugin share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_LOOKUP_LMDB_H
#define HK_LOOKUP_LMDB_H

#include "../indexed.h"

#define LOOKUP_LMDB_SUFFIX ".lmdb"
/* Bytes of a key with its NUL: what LMDB is compiled with; mdb_env_get_maxkeysize. */
#define LOOKUP_LMDB_MAX_KEY 511

/* lookup_lmdb_build.c: a new file beside the old one, which it then replaces at once. */
HkAnswer lookup_lmdb_build_begin (const HkHost *host, const HkConf *conf, HkCall *call,
                                  void **out_build);
HkAnswer lookup_lmdb_build_put (void *build, HkCall *call, HkSpan key, HkSpan value,
                                int32_t replace);
HkAnswer lookup_lmdb_build_end (void *build, HkCall *call, int32_t commit);

#endif
