/* lookup_randmap.c: "randmap:{value, …}" tables: for any key one of the values, by chance.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../wrap.h"

typedef struct {
    const HkHost *host;
    char *text;
    GArray *values; /* HkSpan into the text */
} RandmapTable;

static HkAnswer
randmap_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkSpan argument = host->conf_argument (conf), rest, word;
    if (!wrap_inside (argument, &rest))
        return host->broken (call,
                             "bad syntax: \"randmap:%.*s\"; need \"randmap:{value...}\"",
                             (int) argument.size, (const char *) argument.data);
    RandmapTable *self = g_new (RandmapTable, 1);
    self->host = host;
    self->text = g_strndup ((const char *) rest.data, rest.size);
    self->values = g_array_new (FALSE, FALSE, sizeof (HkSpan));
    rest.data = (const uint8_t *) self->text;
    while (wrap_next_word (&rest, &word))
        g_array_append_val (self->values, word);
    *out_instance = self;
    return HK_OK;
}

static void
randmap_close (void *instance)
{
    RandmapTable *self = instance;
    g_array_unref (self->values);
    g_free (self->text);
    g_free (self);
}

static HkAnswer
randmap_get (void *instance, HkCall *call, HkSpan key)
{
    const RandmapTable *self = instance;
    gint32 i = g_random_int_range (0, (gint32) self->values->len);
    const HkSpan *value = &g_array_index (self->values, HkSpan, i);
    (void) key;
    self->host->answer (call, value->data, value->size);
    return HK_FOUND;
}

/* As in Postfix, whole keys only: a table that answers everything. */
static const HkLookupClass randmap_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "randmap",
             .flags = HK_THREAD_SAFE | HK_PATTERN_KEYS | HK_BINARY_KEYS,
             .open = randmap_open,
             .close = randmap_close},
    .get = randmap_get,
};

HK_PLUGIN (lookup_randmap, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "randmap: tables, one of several values by chance",
           .classes = HK_CLASSES (&randmap_class.base))
