/* lookup_pipemap.c: "pipemap:{type:name, …}" tables: what one finds is asked of the next.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../wrap.h"

static HkAnswer
pipemap_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    return wrap_open (host, conf, call, "pipemap", out_instance);
}

static HkAnswer
pipemap_get (void *instance, HkCall *call, HkSpan key)
{
    const WrapTables *self = instance;
    for (guint i = 0; i < self->tables->len; i++) {
        HkSpan value;
        HkAnswer answer =
            self->host->table_get (g_ptr_array_index (self->tables, i), call, key, &value);
        if (answer != HK_FOUND)
            return answer;
        key = value; /* lives as long as the call */
    }
    self->host->answer (call, key.data, key.size);
    return HK_FOUND;
}

static const HkLookupClass pipemap_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "pipemap",
             .flags = HK_THREAD_SAFE | HK_BINARY_KEYS | HK_NESTED_KEYS,
             .open = pipemap_open,
             .close = wrap_close},
    .get = pipemap_get,
};

HK_PLUGIN (lookup_pipemap, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "pipemap: tables, what one finds is asked of the next",
           .classes = HK_CLASSES (&pipemap_class.base))
