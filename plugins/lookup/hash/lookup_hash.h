/* lookup_hash.h: what the two files of this plugin share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HK_LOOKUP_HASH_H
#define HK_LOOKUP_HASH_H

#include <hikyaku/lookup.h>
#include <hikyaku/textfile.h>

#include <gdbm.h>
#include <glib.h>

#define LOOKUP_HASH_SUFFIX ".gdbm"

static inline datum
lookup_hash_datum (HkSpan s)
{
    return (datum){(char *) (uintptr_t) s.data, (int) s.size};
}

/* lookup_hash_build.c: a new file beside the old one, which it then replaces at once. */
HkAnswer lookup_hash_build_begin (const HkHost *host, const HkConf *conf, HkCall *call,
                                  void **out_build);
HkAnswer lookup_hash_build_put (void *build, HkCall *call, HkSpan key, HkSpan value,
                                int32_t replace);
HkAnswer lookup_hash_build_end (void *build, HkCall *call, int32_t commit);

#endif
