/* lookup_unionmap.c: "unionmap:{type:name, …}" tables: all that several tables find.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../wrap.h"

static HkAnswer
unionmap_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    return wrap_open (host, conf, call, "unionmap", out_instance);
}

/* One table that cannot answer makes the whole answer unknown. */
static HkAnswer
unionmap_get (void *instance, HkCall *call, HkSpan key)
{
    const WrapTables *self = instance;
    g_autoptr (GString) all = g_string_new (NULL);
    for (guint i = 0; i < self->tables->len; i++) {
        HkTable *table = g_ptr_array_index (self->tables, i);
        HkSpan value;
        HkAnswer answer = self->host->table_get (table, call, key, &value);
        if (answer == HK_ABSENT)
            continue;
        if (answer != HK_FOUND)
            return answer;
        if (all->len > 0)
            g_string_append_c (all, ',');
        g_string_append_len (all, (const char *) value.data, (gssize) value.size);
    }
    if (all->len == 0)
        return HK_ABSENT;
    self->host->answer (call, all->str, all->len);
    return HK_FOUND;
}

static const HkLookupClass unionmap_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "unionmap",
             .flags = HK_THREAD_SAFE | HK_BINARY_KEYS | HK_NESTED_KEYS,
             .open = unionmap_open,
             .close = wrap_close},
    .get = unionmap_get,
};

HK_PLUGIN (lookup_unionmap, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "unionmap: tables, all that several tables find",
           .classes = HK_CLASSES (&unionmap_class.base))
